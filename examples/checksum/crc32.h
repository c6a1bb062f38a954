/** CRC-32 as gzip, PNG and zip compute it: polynomial 0xedb88320, reflected. */
#ifndef CRC32_H
#define CRC32_H

#include <stddef.h>
#include <stdint.h>

static uint32_t crc32_table[256];

static void crc32_prepare(void) {
  for (uint32_t byte = 0; byte < 256; byte++) {
    uint32_t sum = byte;
    for (int bit = 0; bit < 8; bit++) sum = sum >> 1 ^ (0xedb88320 & (0 - (sum & 1)));
    crc32_table[byte] = sum;
  }
}

/** The sum of `bytes` behind those whose sum is `sum`; 0 for none. */
static uint32_t crc32_update(uint32_t sum, const uint8_t *bytes, size_t length) {
  sum = ~sum;
  for (size_t k = 0; k < length; k++) sum = sum >> 8 ^ crc32_table[(sum ^ bytes[k]) & 255];
  return ~sum;
}

#endif
