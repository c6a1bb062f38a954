// A byte at a time from one half of a Bytes object to the other, n bytes and back, 4 times. Answers a sum of the copy.
#include "ashlar.h"

__attribute__((export_name("run"))) int run(int n) {
  const ashlar_ref data = ashlar_bytes_new(2 * n);
  for (int i = 0; i < n; i++) ashlar_bytes_store8(data, i, i * 7);
  for (int pass = 0; pass < 4; pass++) {
    for (int i = 0; i < n; i++) ashlar_bytes_store8(data, n + i, ashlar_bytes_load8_u(data, i));
    for (int i = 0; i < n; i++) ashlar_bytes_store8(data, i, ashlar_bytes_load8_u(data, n + i));
  }
  unsigned sum = 0;
  for (int i = 0; i < n; i++) sum = sum * 31 + ashlar_bytes_load8_u(data, n + i);
  ashlar_bytes_destroy(data);
  return (int)sum;
}
