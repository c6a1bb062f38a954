export function run(n) {
  const a = new Float64Array(n * n);
  const b = new Float64Array(n * n);
  const c = new Float64Array(n * n);
  for (let i = 0; i < n * n; i++) {
    a[i] = (i % 7) + 1;
    b[i] = (i % 5) - 2;
  }
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let k = 0; k < n; k++) sum += a[i * n + k] * b[k * n + j];
      c[i * n + j] = sum;
    }
  let total = 0;
  for (let i = 0; i < n * n; i++) total += c[i] * ((i % 3) + 1);
  return total;
}
