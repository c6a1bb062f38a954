/** SHA-256 (FIPS 180-4). */
#ifndef SHA256_H
#define SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "ashlar.h"

struct sha256 {
  uint32_t state[8];
  uint64_t length;
  uint8_t block[64];
};

static inline void sha256_start(struct sha256 *hash) {
  static const uint32_t START[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                    0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  memcpy(hash->state, START, sizeof START);
  hash->length = 0;
}

static inline uint32_t sha256_rotate(uint32_t word, int bits) { return word >> bits | word << (32 - bits); }

static void sha256_block(uint32_t *state, const uint8_t *block) {
  static const uint32_t K[64] = {
      0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
      0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
      0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
      0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
      0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
      0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
      0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
      0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
  uint32_t w[64];
  for (int k = 0; k < 16; k++) {
    const uint8_t *word = block + 4 * k;
    w[k] = (uint32_t)word[0] << 24 | (uint32_t)word[1] << 16 | (uint32_t)word[2] << 8 | word[3];
  }
  for (int k = 16; k < 64; k++) {
    const uint32_t s0 = sha256_rotate(w[k - 15], 7) ^ sha256_rotate(w[k - 15], 18) ^ w[k - 15] >> 3;
    const uint32_t s1 = sha256_rotate(w[k - 2], 17) ^ sha256_rotate(w[k - 2], 19) ^ w[k - 2] >> 10;
    w[k] = w[k - 16] + s0 + w[k - 7] + s1;
  }
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3];
  uint32_t e = state[4], f = state[5], g = state[6], h = state[7];
  for (int k = 0; k < 64; k++) {
    const uint32_t s1 = sha256_rotate(e, 6) ^ sha256_rotate(e, 11) ^ sha256_rotate(e, 25);
    const uint32_t t1 = h + s1 + ((e & f) ^ (~e & g)) + K[k] + w[k];
    const uint32_t s0 = sha256_rotate(a, 2) ^ sha256_rotate(a, 13) ^ sha256_rotate(a, 22);
    const uint32_t t2 = s0 + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  state[0] += a, state[1] += b, state[2] += c, state[3] += d;
  state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

static void sha256_update(struct sha256 *hash, const uint8_t *bytes, size_t length) {
  size_t kept = hash->length % 64;
  hash->length += length;
  if (kept > 0) {
    const size_t missing = 64 - kept;
    const size_t taken = length < missing ? length : missing;
    memcpy(hash->block + kept, bytes, taken);
    bytes += taken, length -= taken, kept += taken;
    if (kept < 64) return;
    sha256_block(hash->state, hash->block);
  }
  for (; length >= 64; bytes += 64, length -= 64) sha256_block(hash->state, bytes);
  memcpy(hash->block, bytes, length);
}

static void sha256_finish(struct sha256 *hash, uint8_t digest[32]) {
  const uint64_t bits = hash->length * 8;
  size_t kept = hash->length % 64;
  hash->block[kept++] = 0x80;
  if (kept > 56) {
    memset(hash->block + kept, 0, 64 - kept);
    sha256_block(hash->state, hash->block);
    kept = 0;
  }
  memset(hash->block + kept, 0, 56 - kept);
  for (int k = 0; k < 8; k++) hash->block[56 + k] = (uint8_t)(bits >> (56 - 8 * k));
  sha256_block(hash->state, hash->block);
  for (int k = 0; k < 32; k++) digest[k] = (uint8_t)(hash->state[k / 4] >> (24 - 8 * (k % 4)));
}

#endif
