// f64 loads, multiplications and additions: the product of two n × n matrices, n at most 400, summed up and truncated.
// Every intermediate is an integer below 2^53, so the result is exact.
static double a[400 * 400], b[400 * 400], c[400 * 400];

__attribute__((export_name("run"))) int run(int n) {
  for (int i = 0; i < n * n; i++) a[i] = i % 7 + 1, b[i] = i % 5 - 2;
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++) {
      double sum = 0;
      for (int k = 0; k < n; k++) sum += a[i * n + k] * b[k * n + j];
      c[i * n + j] = sum;
    }
  double total = 0;
  for (int i = 0; i < n * n; i++) total += c[i] * (i % 3 + 1);
  return (int)total;
}
