export function run(n) {
  let steps = 0;
  for (let y = 0; y < n; y++)
    for (let x = 0; x < n; x++) {
      const cr = (2 * x) / n - 1.5;
      const ci = (2 * y) / n - 1;
      let zr = 0;
      let zi = 0;
      for (let step = 0; step < 50; step++) {
        const rr = zr * zr;
        const ii = zi * zi;
        if (rr + ii > 4) break;
        zi = 2 * zr * zi + ci;
        zr = rr - ii + cr;
        steps++;
      }
    }
  return steps;
}
