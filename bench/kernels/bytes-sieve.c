// One-byte loops over a Bytes object: how many primes are below n.
#include "ashlar.h"

__attribute__((export_name("run"))) int run(int n) {
  const ashlar_ref composite = ashlar_bytes_new(n);
  int primes = 0;
  for (int i = 0; i < n; i++) ashlar_bytes_store8(composite, i, 0);
  for (int i = 2; i < n; i++) {
    if (ashlar_bytes_load8_u(composite, i)) continue;
    primes++;
    for (int j = 2 * i; j < n; j += i) ashlar_bytes_store8(composite, j, 1);
  }
  ashlar_bytes_destroy(composite);
  return primes;
}
