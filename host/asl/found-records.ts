/** Records of artifacts that a scan of all files found and that no entry of the log names: 24 bytes of memory each, and no digests. */

export class FoundRecords {
  count = 0;
  #blocks = new Uint32Array(256);
  #units = new Float64Array(256);
  #positions = new Float64Array(256);
  #order: Uint32Array | undefined;

  add(block: number, offset: number, position: number): void {
    if (this.count === this.#blocks.length) {
      this.#blocks = grown(new Uint32Array(2 * this.count), this.#blocks);
      this.#units = grown(new Float64Array(2 * this.count), this.#units);
      this.#positions = grown(new Float64Array(2 * this.count), this.#positions);
    }
    this.#blocks[this.count] = block;
    this.#units[this.count] = offset;
    this.#positions[this.count] = position;
    this.count++;
  }
  /** Puts them in order of position; those of one position stay as they came. */
  sort(): void {
    const positions = this.#positions;
    this.#order = new Uint32Array(this.count).map((_, k) => k).sort((a, b) => positions[a]! - positions[b]! || a - b);
  }
  /** The first one, in order, whose position is not below this. */
  firstFrom(position: number): number {
    let low = 0;
    for (let high = this.count; low < high; ) {
      const middle = (low + high) >>> 1;
      if (this.at(middle).position < position) low = middle + 1;
      else high = middle;
    }
    return low;
  }
  at(k: number): { readonly block: number; readonly offset: number; readonly position: number } {
    const which = this.#order![k]!;
    return { block: this.#blocks[which]!, offset: this.#units[which]!, position: this.#positions[which]! };
  }
}

function grown<T extends { set(from: T): void }>(to: T, from: T): T {
  to.set(from);
  return to;
}

/** Places that entries name: a bit for each 8 bytes of a file. */
export class NamedPlaces {
  readonly #bits = new Map<number, Uint8Array>();

  add(block: number, offset: number): void {
    const unit = offset / 8;
    const byte = Math.floor(unit / 8);
    let bits = this.#bits.get(block);
    if (bits === undefined || byte >= bits.length) {
      const larger = new Uint8Array(Math.max(64, 2 * (byte + 1)));
      if (bits !== undefined) larger.set(bits);
      this.#bits.set(block, larger);
      bits = larger;
    }
    bits[byte]! |= 1 << (unit % 8);
  }
  has(block: number, offset: number): boolean {
    const unit = offset / 8;
    return (((this.#bits.get(block)?.[Math.floor(unit / 8)] ?? 0) >> (unit % 8)) & 1) === 1;
  }
  hasBlock(block: number): boolean {
    return this.#bits.has(block);
  }
}
