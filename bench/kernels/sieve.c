// Byte loads and stores in tight loops: how many primes are below n, at most 4,000,000.
static unsigned char composite[4000000];

__attribute__((export_name("run"))) int run(int n) {
  int primes = 0;
  for (int i = 0; i < n; i++) composite[i] = 0;
  for (int i = 2; i < n; i++) {
    if (composite[i]) continue;
    primes++;
    for (int j = 2 * i; j < n; j += i) composite[j] = 1;
  }
  return primes;
}
