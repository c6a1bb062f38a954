// f64 arithmetic in registers: how many steps the points of an n × n grid take to leave a circle, 50 at most, summed up.
__attribute__((export_name("run"))) int run(int n) {
  int steps = 0;
  for (int y = 0; y < n; y++)
    for (int x = 0; x < n; x++) {
      const double cr = 2.0 * x / n - 1.5, ci = 2.0 * y / n - 1.0;
      double zr = 0, zi = 0;
      for (int step = 0; step < 50; step++) {
        const double rr = zr * zr, ii = zi * zi;
        if (rr + ii > 4) break;
        zi = 2 * zr * zi + ci;
        zr = rr - ii + cr;
        steps++;
      }
    }
  return steps;
}
