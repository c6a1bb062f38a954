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
    let low = Math.imul(row.position, 0x9e37_79b1) ^ Math.imul(row.position / 2 ** 32, 0x85eb_ca6b);
    let high = Math.imul(row.logseq, 0xc2b2_ae35) ^ Math.imul(row.logseq / 2 ** 32, 0x27d4_eb2f);
    for (let k = 0; k < 8; k += 2) {
      low = Math.imul(low ^ words[k]!, 0x9e37_79b1);
      high = Math.imul(high ^ words[k + 1]!, 0x85eb_ca6b);
      low ^= low >>> 15;
      high ^= high >>> 13;
    }
    low = Math.imul(low ^ row.block, 0xc2b2_ae35) ^ Math.imul(row.offset / 8, 0x27d4_eb2f);
    high = Math.imul(high ^ row.length, 0x1656_67b1) ^ Math.imul(row.length / 2 ** 32, 0x9e37_79b1);
    const meta = row.kind | (row.flags << 3) | (row.algorithm << 11);
    low = Math.imul(low ^ row.tag, 0x85eb_ca6b) ^ Math.imul(row.domain | (row.source << 16), 0xc2b2_ae35);
    high = Math.imul(high ^ meta, 0x27d4_eb2f) ^ low;
    low ^= low >>> 16;
    high ^= high >>> 16;
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
