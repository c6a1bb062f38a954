/**
 * XXH32 (Y. Collet, "xxHash fast digest algorithm") of words that are in memory as such: pages of the index are checked whenever they
 * are read, and a call of zlib with the view that it needs costs more than this takes. Tells damage, not forgery.
 */

const PRIME_1 = 0x9e37_79b1 | 0;
const PRIME_2 = 0x85eb_ca77 | 0;
const PRIME_3 = 0xc2b2_ae3d | 0;

/** Of the bytes of `words[from]` to before `words[to]`, little-endian; there is a multiple of four, and at least four, of them. */
export function xxh32(words: Uint32Array, from: number, to: number, seed: number): number {
  let a = (seed + PRIME_1 + PRIME_2) | 0;
  let b = (seed + PRIME_2) | 0;
  let c = seed | 0;
  let d = (seed - PRIME_1) | 0;
  for (let at = from; at < to; at += 4) {
    a = (a + Math.imul(words[at]!, PRIME_2)) | 0;
    a = Math.imul((a << 13) | (a >>> 19), PRIME_1);
    b = (b + Math.imul(words[at + 1]!, PRIME_2)) | 0;
    b = Math.imul((b << 13) | (b >>> 19), PRIME_1);
    c = (c + Math.imul(words[at + 2]!, PRIME_2)) | 0;
    c = Math.imul((c << 13) | (c >>> 19), PRIME_1);
    d = (d + Math.imul(words[at + 3]!, PRIME_2)) | 0;
    d = Math.imul((d << 13) | (d >>> 19), PRIME_1);
  }
  let hash = ((a << 1) | (a >>> 31)) + ((b << 7) | (b >>> 25)) + ((c << 12) | (c >>> 20)) + ((d << 18) | (d >>> 14));
  hash = (hash + (to - from) * 4) | 0;
  hash = Math.imul(hash ^ (hash >>> 15), PRIME_2);
  hash = Math.imul(hash ^ (hash >>> 13), PRIME_3);
  return (hash ^ (hash >>> 16)) >>> 0;
}
