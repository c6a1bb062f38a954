/**
 * Writes the binary format's primitives (core spec 2.0, §5.2) into one growing array. Every integer gets its shortest
 * form; a size that is known only afterwards is put in by {@link Writer.endSized}.
 */
import { encodeUtf8 } from "../utf8.ts";

/** Longest LEB128 form of a 64-bit number. */
const LEB_MAX = 10;

export class Writer {
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  /** `capacity` in bytes is a hint. */
  constructor(capacity = 1024) {
    this.#bytes = new Uint8Array(Math.max(capacity, 16));
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** What was written: a view, good until the next write. */
  get written(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Forgets what was written and keeps the storage. */
  clear(): void {
    this.#length = 0;
  }

  /** Forgets what was written from `length` on. */
  truncate(length: number): void {
    this.#length = length;
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }

  byte(value: number): void {
    if (this.#length === this.#bytes.length) this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  /** An unsigned 32-bit number; an int32 is taken as its u32. */
  u32(value: number): void {
    if (value >>> 0 < 0x80) {
      this.byte(value);
      return;
    }
    this.#reserve(LEB_MAX);
    const bytes = this.#bytes;
    let at = this.#length;
    let rest = value;
    while (rest >>> 0 > 0x7f) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.#length = at;
  }

  /** A signed 32-bit number. */
  s32(value: number): void {
    this.#reserve(LEB_MAX);
    const bytes = this.#bytes;
    let at = this.#length;
    let rest = value | 0;
    while (rest < -64 || rest > 63) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>= 7;
    }
    bytes[at++] = rest & 0x7f;
    this.#length = at;
  }

  /** A signed 64-bit number in two words. */
  s64(low: number, high: number): void {
    this.#reserve(LEB_MAX);
    const bytes = this.#bytes;
    let at = this.#length;
    let [rest, top] = [low | 0, high | 0];
    while (top !== rest >> 31 || rest < -64 || rest > 63) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest = (rest >>> 7) | (top << 25);
      top >>= 7;
    }
    bytes[at++] = rest & 0x7f;
    this.#length = at;
  }

  /** A block type as `Instruction.imm0` has it: a type index, or a negative one-byte code. */
  blockType(type: number): void {
    // A positive s33 ends with a byte whose bit 6 is clear, which s64 sees to.
    this.s64(type, type < 0 ? -1 : 0);
  }

  /** Four bytes, little-endian. */
  word(value: number): void {
    this.#reserve(4);
    const bytes = this.#bytes;
    const at = this.#length;
    bytes[at] = value;
    bytes[at + 1] = value >>> 8;
    bytes[at + 2] = value >>> 16;
    bytes[at + 3] = value >>> 24;
    this.#length = at + 4;
  }

  /** The bytes of `source[start, end)`. */
  copy(source: Uint8Array, start = 0, end: number = source.length): void {
    this.#reserve(end - start);
    if (end - start < 16) {
      const bytes = this.#bytes;
      let at = this.#length;
      for (let k = start; k < end; k++) bytes[at++] = source[k]!;
      this.#length = at;
    } else {
      this.#bytes.set(source.subarray(start, end), this.#length);
      this.#length += end - start;
    }
  }

  name(text: string): void {
    const bytes = encodeUtf8(text);
    this.u32(bytes.length);
    this.copy(bytes);
  }

  /** Begins a run of bytes that its size precedes; pass the result to {@link endSized}. Runs may nest. */
  beginSized(): number {
    return this.#length;
  }

  /** Puts the size of what was written since `start` before it. */
  endSized(start: number): void {
    const end = this.#length;
    const size = end - start;
    this.u32(size); // Finds out how long the size is, and that there is room for it.
    const room = this.#length - end;
    this.#bytes.copyWithin(start + room, start, end);
    this.#length = start;
    this.u32(size);
    this.#length = end + room;
  }
}
