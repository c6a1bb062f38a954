/**
 * Deterministic CBOR (RFC 8949, §4.2.1), as far as programs, receipts and edges need it: unsigned integers, byte and text strings, arrays of
 * a definite length and null. There is one encoding of a value, and the reader takes no other.
 */
import { decodeUtf8 } from "../../vm/utf8.ts";

/** Major types, in the upper three bits of the first byte. */
const UINT = 0;
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;
const NULL = 0xf6;

/** Writes items one behind the other; reused, so that nothing is allocated for a small item. */
export class CborWriter {
  length = 0;
  #bytes: Buffer;

  constructor(bytes = 1024) {
    this.#bytes = Buffer.allocUnsafe(bytes);
  }

  reset(): this {
    this.length = 0;
    return this;
  }
  /** What was written: a view, good until the next change. */
  get written(): Uint8Array {
    // A view of a Buffer would be a Buffer, which takes longer to make.
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset, this.length);
  }
  /** A copy of what was written. */
  take(): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.written);
  }

  array(count: number): this {
    this.#reserve(9);
    this.#head(ARRAY, count);
    return this;
  }
  /** An integer from 0 to 2^64 − 1; as a number up to 2^53 − 1. */
  uint(value: number | bigint): this {
    this.#reserve(9);
    if (typeof value === "number") this.#head(UINT, value);
    else if (value <= 0xffff_ffffn) this.#head(UINT, Number(value));
    else {
      this.#bytes[this.length] = (UINT << 5) | 27;
      this.#bytes.writeBigUInt64BE(value, this.length + 1);
      this.length += 9;
    }
    return this;
  }
  bytes(bytes: Uint8Array): this {
    this.#string(BYTES, bytes);
    return this;
  }
  text(text: string): this {
    // Names are short, and ASCII as a rule.
    if (text.length < 24) {
      this.#reserve(24);
      const bytes = this.#bytes;
      const start = this.length + 1;
      let k = 0;
      for (; k < text.length; k++) {
        const code = text.charCodeAt(k);
        if (code >= 0x80) break;
        bytes[start + k] = code;
      }
      if (k === text.length) {
        bytes[this.length] = (TEXT << 5) | k;
        this.length = start + k;
        return this;
      }
    }
    this.#string(TEXT, Buffer.from(text));
    return this;
  }
  null(): this {
    this.#reserve(1);
    this.#bytes[this.length++] = NULL;
    return this;
  }
  /** Items that are encoded already. */
  raw(encoded: Uint8Array): this {
    this.#reserve(encoded.length);
    this.#bytes.set(encoded, this.length);
    this.length += encoded.length;
    return this;
  }

  #string(major: number, bytes: Uint8Array): void {
    this.#reserve(9 + bytes.length);
    this.#head(major, bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }
  /** In the shortest form. */
  #head(major: number, value: number): void {
    const bytes = this.#bytes;
    const at = this.length;
    if (value < 24) {
      bytes[at] = (major << 5) | value;
      this.length = at + 1;
    } else if (value < 0x100) {
      bytes[at] = (major << 5) | 24;
      bytes[at + 1] = value;
      this.length = at + 2;
    } else if (value < 0x1_0000) {
      bytes[at] = (major << 5) | 25;
      bytes.writeUInt16BE(value, at + 1);
      this.length = at + 3;
    } else if (value < 0x1_0000_0000) {
      bytes[at] = (major << 5) | 26;
      bytes.writeUInt32BE(value, at + 1);
      this.length = at + 5;
    } else {
      bytes[at] = (major << 5) | 27;
      bytes.writeUInt32BE(Math.floor(value / 0x1_0000_0000), at + 1);
      bytes.writeUInt32BE(value >>> 0, at + 5);
      this.length = at + 9;
    }
  }
  #reserve(size: number): void {
    if (this.length + size <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.length + size));
    this.#bytes.copy(larger, 0, 0, this.length);
    this.#bytes = larger;
  }
}

/**
 * Reads items one behind the other. Whatever is not the one encoding of what is asked for throws what `fail` makes of the offset, in bytes, and of
 * what was expected there; nothing is allocated by a length that was not held against the bytes that are there.
 */
export class CborReader {
  offset = 0;
  #bytes: Uint8Array;
  readonly #fail: (offset: number, message: string) => Error;

  constructor(bytes: Uint8Array, fail: (offset: number, message: string) => Error) {
    this.#bytes = bytes;
    this.#fail = fail;
  }

  /** Goes on in other bytes. */
  begin(bytes: Uint8Array, offset: number): void {
    this.#bytes = bytes;
    this.offset = offset;
  }

  /** Number of the items that follow; each has a byte at least. */
  array(most: number = Number.MAX_SAFE_INTEGER): number {
    const start = this.offset;
    const count = this.#head(ARRAY, "an array");
    if (count > this.#bytes.length - this.offset)
      throw this.#fail(start, `an array of ${count} items does not fit in what follows`);
    if (count > most) throw this.#fail(start, `the array has ${count} items, and ${most} are possible`);
    return count;
  }
  /** An array of just so many items. */
  tuple(count: number, what: string): void {
    const start = this.offset;
    const found = this.array();
    if (found !== count) throw this.#fail(start, `${what} is an array of ${count} items, not of ${found}`);
  }
  uint(most: number = Number.MAX_SAFE_INTEGER): number {
    const start = this.offset;
    const value = this.#head(UINT, "an integer");
    if (value > most) throw this.#fail(start, `the integer is ${value}, and ${most} is the highest`);
    return value;
  }
  /** An integer up to 2^64 − 1. */
  uint64(): bigint {
    const bytes = this.#bytes;
    if (bytes[this.offset] !== ((UINT << 5) | 27) || bytes.length - this.offset < 9) return BigInt(this.uint());
    const view = new DataView(bytes.buffer, bytes.byteOffset + this.offset + 1, 8);
    const value = view.getBigUint64(0);
    if (value <= 0xffff_ffffn) throw this.#fail(this.offset, "the integer is not in its shortest form");
    this.offset += 9;
    return value;
  }
  /** A view of the bytes. */
  bytes(most: number = Number.MAX_SAFE_INTEGER): Uint8Array {
    return this.#string(BYTES, "a byte string", most);
  }
  text(most: number = Number.MAX_SAFE_INTEGER): string {
    const start = this.offset;
    const bytes = this.#string(TEXT, "text", most);
    if (bytes.length < 24) {
      let text = "";
      let k = 0;
      for (; k < bytes.length && bytes[k]! < 0x80; k++) text += String.fromCharCode(bytes[k]!);
      if (k === bytes.length) return text;
    }
    const text = decodeUtf8(bytes);
    if (text === undefined) throw this.#fail(start, "the text is not UTF-8");
    return text;
  }
  /** Whether null stands here, which is then behind. */
  takeNull(): boolean {
    if (this.#bytes[this.offset] !== NULL) return false;
    this.offset++;
    return true;
  }
  /** Nothing is left. */
  end(): void {
    if (this.offset < this.#bytes.length)
      throw this.#fail(this.offset, `${this.#bytes.length - this.offset} bytes are left over`);
  }

  #string(major: number, what: string, most: number): Uint8Array {
    const start = this.offset;
    const length = this.#head(major, what);
    if (length > this.#bytes.length - this.offset)
      throw this.#fail(start, `${what} of ${length} bytes does not fit in what follows`);
    if (length > most) throw this.#fail(start, `${what} has ${length} bytes, and ${most} are possible`);
    this.offset += length;
    return this.#bytes.subarray(this.offset - length, this.offset);
  }
  #head(major: number, what: string): number {
    const bytes = this.#bytes;
    const start = this.offset;
    if (start >= bytes.length) throw this.#fail(start, `the bytes end where ${what} was expected`);
    const first = bytes[start]!;
    if (first >> 5 !== major) throw this.#fail(start, `${what} was expected, not ${nameOf(first)}`);
    const info = first & 31;
    if (info < 24) {
      this.offset = start + 1;
      return info;
    }
    if (info > 27) throw this.#fail(start, `${what} has no definite length`);
    const size = 1 << (info - 24);
    if (bytes.length - start <= size) throw this.#fail(start, `the bytes end inside ${what}`);
    let value = 0;
    for (let k = 1; k <= size; k++) value = value * 256 + bytes[start + k]!;
    const least = info === 24 ? 24 : 2 ** (8 * (size >> 1));
    if (value < least) throw this.#fail(start, `${what} is not in its shortest form`);
    if (value > Number.MAX_SAFE_INTEGER) throw this.#fail(start, `${what} is over 2^53 - 1`);
    this.offset = start + 1 + size;
    return value;
  }
}

const MAJORS = ["an integer", "a negative integer", "a byte string", "text", "an array", "a map", "a tag"];

function nameOf(first: number): string {
  if (first === NULL) return "null";
  return MAJORS[first >> 5] ?? "a number or a simple value";
}
