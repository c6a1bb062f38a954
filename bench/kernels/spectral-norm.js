function element(i, j) {
  return 1 / (((i + j) * (i + j + 1)) / 2 + i + 1);
}

function multiply(n, from, to) {
  for (let i = 0; i < n; i++) {
    let sum = 0;
    for (let j = 0; j < n; j++) sum += element(i, j) * from[j];
    to[i] = sum;
  }
}

function multiplyTransposed(n, from, to) {
  for (let i = 0; i < n; i++) {
    let sum = 0;
    for (let j = 0; j < n; j++) sum += element(j, i) * from[j];
    to[i] = sum;
  }
}

export function run(n) {
  const u = new Float64Array(n).fill(1);
  const v = new Float64Array(n);
  const w = new Float64Array(n);
  for (let i = 0; i < 10; i++) {
    multiply(n, u, w);
    multiplyTransposed(n, w, v);
    multiply(n, v, w);
    multiplyTransposed(n, w, u);
  }
  let uv = 0;
  let vv = 0;
  for (let i = 0; i < n; i++) {
    uv += u[i] * v[i];
    vv += v[i] * v[i];
  }
  return Math.trunc(Math.sqrt(uv / vv) * 1073741824);
}
