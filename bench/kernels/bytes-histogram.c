// One-byte loads from a Bytes object: how often each value is among n bytes. Answers a sum that tells them apart.
#include "ashlar.h"

static unsigned counts[256];

__attribute__((export_name("run"))) int run(int n) {
  const ashlar_ref data = ashlar_bytes_new(n);
  for (int i = 0; i < n; i++) ashlar_bytes_store8(data, i, (unsigned)i * 2654435761u >> 24);
  for (int i = 0; i < 256; i++) counts[i] = 0;
  for (int pass = 0; pass < 8; pass++)
    for (int i = 0; i < n; i++) counts[ashlar_bytes_load8_u(data, i)]++;
  ashlar_bytes_destroy(data);
  unsigned sum = 0;
  for (int i = 0; i < 256; i++) sum = sum * 31 + counts[i];
  return (int)sum;
}
