// f64 divisions and reductions: the spectral norm of an infinite matrix's first n × n part, n at most 1000, in units of 2^-30.
static double u[1000], v[1000], w[1000];

static double element(int i, int j) { return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1); }

static void multiply(int n, const double *from, double *to) {
  for (int i = 0; i < n; i++) {
    double sum = 0;
    for (int j = 0; j < n; j++) sum += element(i, j) * from[j];
    to[i] = sum;
  }
}

static void multiplyTransposed(int n, const double *from, double *to) {
  for (int i = 0; i < n; i++) {
    double sum = 0;
    for (int j = 0; j < n; j++) sum += element(j, i) * from[j];
    to[i] = sum;
  }
}

__attribute__((export_name("run"))) int run(int n) {
  for (int i = 0; i < n; i++) u[i] = 1;
  for (int i = 0; i < 10; i++) {
    multiply(n, u, w), multiplyTransposed(n, w, v);
    multiply(n, v, w), multiplyTransposed(n, w, u);
  }
  double uv = 0, vv = 0;
  for (int i = 0; i < n; i++) uv += u[i] * v[i], vv += v[i] * v[i];
  return (int)(__builtin_sqrt(uv / vv) * 1073741824.0);
}
