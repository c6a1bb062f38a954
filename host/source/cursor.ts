/** Reads the bytes of debug information, which nobody has validated: whatever is wrong with them is {@link DAMAGED}. */

/** Thrown by a cursor that would leave its bytes, and by readers for anything that makes no sense; never leaves this folder. */
export const DAMAGED: unique symbol = Symbol("damaged debug information");

/** A place in a range of bytes. Numbers are little-endian, and never negative but for `sleb`. */
export class Cursor {
  readonly bytes: Uint8Array;
  at: number;
  /** No byte from here on is read. */
  readonly end: number;

  constructor(bytes: Uint8Array, at = 0, end: number = bytes.length) {
    if (!(at <= end && end <= bytes.length)) throw DAMAGED;
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  get done(): boolean {
    return this.at >= this.end;
  }

  /** The next `length` bytes as a cursor of their own; this one goes on behind them. */
  take(length: number): Cursor {
    const at = this.at;
    this.skip(length);
    return new Cursor(this.bytes, at, this.at);
  }

  skip(length: number): void {
    // Written so that a length which is no number fails too.
    if (!(length <= this.end - this.at)) throw DAMAGED;
    this.at += length;
  }

  u8(): number {
    if (this.at >= this.end) throw DAMAGED;
    return this.bytes[this.at++]!;
  }

  /** An integer of `size` bytes, at most 8; exact below 2^53. */
  uint(size: number): number {
    let value = 0;
    for (let k = 0, unit = 1; k < size; k++, unit *= 256) value += this.u8() * unit;
    return value;
  }

  /** An offset of DWARF: 4 bytes, or 8 in its 64-bit form. */
  offset(is64: boolean): number {
    return this.uint(is64 ? 8 : 4);
  }

  /** LEB128; exact below 2^53, and of any length. */
  uleb(): number {
    let value = 0;
    for (let unit = 1; ; unit *= 128) {
      const byte = this.u8();
      if (byte & 127) value += (byte & 127) * unit;
      if (byte < 128) return value;
    }
  }

  sleb(): number {
    let value = 0;
    for (let unit = 1; ; unit *= 128) {
      const byte = this.u8();
      if (byte & 127) value += (byte & 127) * unit;
      if (byte < 128) return byte & 64 ? value - unit * 128 : value;
    }
  }

  /** Text up to a zero byte. */
  string(): string {
    const start = this.at;
    const length = this.skipString();
    if (length > MOST_STRING_BYTES) throw DAMAGED;
    return UTF8.decode(this.bytes.subarray(start, start + length));
  }

  /** Goes behind a string; how many bytes it has. */
  skipString(): number {
    const length = this.bytes.subarray(this.at, this.end).indexOf(0);
    if (length < 0) throw DAMAGED;
    this.at += length + 1;
    return length;
  }
}

/** Longer than any path or name that is worth telling. */
const MOST_STRING_BYTES = 4096;
const UTF8 = new TextDecoder();

/** What `read` answers, or undefined for damaged bytes. */
export function undamaged<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error === DAMAGED) return undefined;
    throw error;
  }
}
