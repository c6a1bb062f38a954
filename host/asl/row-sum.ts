/**
 * A sum over rows that does not depend on their order: so the rows of the index, in its order, are compared with those of the log, in its.
 * It tells accidents, not forgery.
 */
import type { Row } from "./index-rows.ts";

export class RowSum {
  count = 0;
  #low = 0;
  #high = 0;
  /** Of the row that came last, which mostly is the same object. */
  #bytes: Uint8Array | undefined;
  #words: Int32Array = new Int32Array(8);

  add(row: Row): void {
    if (row.digest !== this.#bytes) {
      this.#bytes = row.digest;
      this.#words = wordsOf(row.digest);
    }
    const words = this.#words;
    const { position, logseq, length } = row;
    const meta = row.kind | (row.flags << 3) | (row.algorithm << 11);
    // Products do not wait for each other. What comes behind them has fields that are exchanged between rows change the sum.
    let low =
      Math.imul(words[0]!, 0x9e37_79b1) ^
      Math.imul(words[2]!, 0x85eb_ca6b) ^
      Math.imul(words[4]!, 0xc2b2_ae35) ^
      Math.imul(words[6]!, 0x27d4_eb2f) ^
      Math.imul(position, 0x1656_67b1) ^
      Math.imul(row.block, 0x2c1b_3c6d) ^
      Math.imul(row.offset * 0.125, 0x297a_2d39);
    let high =
      Math.imul(words[1]!, 0x9e37_79b1) ^
      Math.imul(words[3]!, 0x85eb_ca6b) ^
      Math.imul(words[5]!, 0xc2b2_ae35) ^
      Math.imul(words[7]!, 0x27d4_eb2f) ^
      Math.imul(logseq, 0x1656_67b1) ^
      Math.imul(length, 0x2c1b_3c6d) ^
      Math.imul(row.tag, 0x297a_2d39) ^
      Math.imul(meta, 0x1b56_c4e9) ^
      Math.imul(row.domain | (row.source << 16), 0x7feb_352d);
    if (position > 0xffff_ffff || logseq > 0xffff_ffff || length > 0xffff_ffff) {
      low ^= Math.imul(position / 2 ** 32, 0x846c_a68b);
      high ^= Math.imul(logseq / 2 ** 32, 0x846c_a68b) ^ Math.imul(length / 2 ** 32, 0x58f3_8ded);
    }
    low = Math.imul(low ^ (low >>> 15), 0x2c1b_3c6d);
    high = Math.imul(high ^ (high >>> 16), 0x297a_2d39) ^ low;
    low ^= high >>> 13;
    high ^= high >>> 15;
    this.#low = (this.#low + Math.imul(low, 0x9e37_79b1)) | 0;
    this.#high = (this.#high + Math.imul(high, 0x85eb_ca6b)) | 0;
    this.count++;
  }
  equals(other: RowSum): boolean {
    return this.count === other.count && this.#low === other.#low && this.#high === other.#high;
  }
}

/** The words of a digest that begins where words may. */
export function wordsOf(digest: Uint8Array): Int32Array {
  return new Int32Array(digest.buffer, digest.byteOffset, 8);
}
