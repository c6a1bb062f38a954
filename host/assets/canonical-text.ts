/**
 * Reads canonical JSON byte by byte (spec PACK-JSON). `JSON.parse` takes what has two readings: keys that come twice, numbers
 * that it rounds, any nesting. This takes one text for each value, makes no object that nobody asked for, and knows
 * where it is.
 */
import { type PackCode, PackError, type Problems } from "./errors.ts";
import { MOST_JSON_DEPTH, pointerStep } from "./json.ts";

export const QUOTE = 0x22;
export const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
export const COMMA = 0x2c;
const COLON = 0x3a;
export const OPEN_OBJECT = 0x7b;
export const CLOSE_OBJECT = 0x7d;
export const OPEN_ARRAY = 0x5b;
export const CLOSE_ARRAY = 0x5d;

/** A cursor on well-formed UTF-8. Whatever is wrong with the text throws, with the problems that were found before. */
export class CanonicalText {
  readonly bytes: Uint8Array;
  at = 0;
  /** Of the string that was read last: what stands between its quotes, and whether that has escapes, or bytes beyond ASCII. */
  start = 0;
  end = 0;
  isEscaped = false;
  isAscii = true;
  /** Row of the table that is read, or -1: what pointers begin with is put together only where something is wrong. */
  row = -1;
  /** Of the value that is read: its keys, as places in the text, or indices, whose end is -1. */
  readonly #starts = new Int32Array(MOST_JSON_DEPTH);
  readonly #ends = new Int32Array(MOST_JSON_DEPTH);
  /** Where {@link object} must have ended. */
  #last = Number.POSITIVE_INFINITY;
  readonly #problems: Problems;
  readonly #base: number;

  /** `base` is the offset of `bytes` in the file. */
  constructor(bytes: Uint8Array, problems: Problems, base: number) {
    this.bytes = bytes;
    this.#problems = problems;
    this.#base = base;
  }

  fail(code: PackCode, message: string, pointer: string, at: number = this.at): never {
    this.add(code, message, pointer, at);
    this.#problems.check();
    throw new PackError(code, message);
  }

  /** A problem that does not end the reading. */
  add(code: PackCode, message: string, pointer: string, at?: number): void {
    const place = { pointer: (this.row < 0 ? "" : `/asset_table/${this.row}`) + pointer };
    this.#problems.add(code, message, at === undefined ? place : { ...place, offset: this.#base + at });
  }

  /** The next byte; 0, which no JSON has outside of strings, at the end. */
  peek(): number {
    return this.at < this.bytes.length ? this.bytes[this.at]! : 0;
  }

  /** Takes exactly these bytes; false, and nothing is taken, when they do not come next. */
  takes(literal: Uint8Array): boolean {
    const { bytes, at } = this;
    for (let k = 0; k < literal.length; k++) if (bytes[at + k] !== literal[k]) return false;
    this.at = at + literal.length;
    return true;
  }

  byte(wanted: number, pointer: string): void {
    if (this.peek() !== wanted) this.unexpected(`"${String.fromCharCode(wanted)}"`, pointer);
    this.at++;
  }

  unexpected(wanted: string, pointer: string): never {
    const found = this.at >= this.bytes.length ? "the end" : `byte 0x${this.peek().toString(16).padStart(2, "0")}`;
    return this.fail("PACK-JSON", `expected ${wanted}, found ${found}`, pointer);
  }

  /** An integer from -(2^53 - 1) to 2^53 - 1; any other value fails. */
  integer(pointer: string): number {
    const { bytes } = this;
    const start = this.at;
    let at = start;
    const isNegative = bytes[at] === MINUS;
    if (isNegative) at++;
    const first = at;
    let value = 0;
    for (let digit = bytes[at]!; digit >= ZERO && digit <= NINE; digit = bytes[++at]!)
      value = value * 10 + (digit - ZERO);
    const digits = at - first;
    const after = bytes[at];
    if (digits === 0) {
      if (this.#isValue()) this.fail("PACK-VALUE", "expected an integer", pointer);
      this.unexpected("an integer", pointer);
    }
    if ((digits > 1 && bytes[first] === ZERO) || (isNegative && value === 0))
      this.fail("PACK-JSON", "the number is not in canonical form", pointer, start);
    if (after === 0x2e || after === 0x65 || after === 0x45)
      this.fail("PACK-VALUE", "expected an integer, found a fraction or an exponent", pointer, start);
    if (digits > 16 || value > Number.MAX_SAFE_INTEGER)
      this.fail("PACK-VALUE", "the integer is over 2^53 - 1", pointer, start);
    this.at = at;
    return isNegative ? -value : value;
  }

  #isValue(): boolean {
    return [QUOTE, OPEN_OBJECT, OPEN_ARRAY, 0x74, 0x66, 0x6e].includes(this.peek());
  }

  /** A string; its bytes are [start, end). */
  string(pointer: string, depth = 0): void {
    const { bytes } = this;
    if (this.peek() !== QUOTE) {
      const isNumber = this.peek() === MINUS || (this.peek() >= ZERO && this.peek() <= NINE);
      if (isNumber || this.#isValue()) this.fail("PACK-VALUE", "expected a string", this.#pointer(pointer, depth));
      this.unexpected("a string", this.#pointer(pointer, depth));
    }
    const start = this.at + 1;
    let at = start;
    let isEscaped = false;
    let seen = 0;
    for (let byte = bytes[at]; byte !== QUOTE; byte = bytes[++at]) {
      if (byte === undefined || byte < 0x20) {
        this.at = at;
        this.unexpected("the rest of a string", this.#pointer(pointer, depth));
      }
      seen |= byte;
      if (byte === BACKSLASH) {
        isEscaped = true;
        at++;
      }
    }
    this.start = start;
    this.end = at;
    this.isEscaped = isEscaped;
    this.isAscii = seen < 0x80;
    this.at = at + 1;
    // Before its escapes are looked at, and before it becomes a part of pointers.
    this.#checkLimit(pointer, depth);
    if (isEscaped) this.#checkEscapes(pointer, depth);
  }

  #checkLimit(pointer: string, depth: number): void {
    if (this.at <= this.#last) return;
    const message = "the object of anything that this is in is over its limit";
    this.fail("PACK-LIMIT", message, this.#pointer(pointer, depth));
  }

  /** Only what must be escaped is, in the one form of RFC 8785 §3.2.2.2. */
  #checkEscapes(pointer: string, depth: number): void {
    const token = textOf(this.bytes, this.start - 1, this.end + 1);
    let value: unknown;
    try {
      value = JSON.parse(token);
    } catch {
      // Told below.
    }
    if (typeof value !== "string" || JSON.stringify(value) !== token || /\p{Surrogate}/u.test(value))
      this.fail(
        "PACK-JSON",
        "the string's escapes are not in canonical form",
        this.#pointer(pointer, depth),
        this.start,
      );
  }

  /** The text of the string that was read last. */
  text(): string {
    return unescaped(this.bytes, this.start, this.end);
  }

  /** An object of anything, of at most `most` bytes; where it is longer the reading ends. */
  object(pointer: string, most: number): void {
    const start = this.at;
    this.#last = start + most;
    this.#object(pointer, 0);
    if (this.at > this.#last)
      this.fail("PACK-LIMIT", `an object of anything has at most ${most} bytes`, pointer, start);
    this.#last = Number.POSITIVE_INFINITY;
  }

  /** Any value; only its form is looked at. */
  value(pointer: string, depth = 0): void {
    this.#checkLimit(pointer, depth);
    switch (this.peek()) {
      case QUOTE:
        this.string(pointer, depth);
        break;
      case OPEN_OBJECT:
        this.#object(pointer, depth);
        break;
      case OPEN_ARRAY:
        this.#array(pointer, depth);
        break;
      default:
        if (isOfNumber(this.peek()) || !LITERALS.some((literal) => this.takes(literal))) this.#number(pointer, depth);
    }
  }

  #enter(pointer: string, depth: number): void {
    if (depth >= MOST_JSON_DEPTH)
      this.fail("PACK-JSON", `nested deeper than ${MOST_JSON_DEPTH}`, this.#pointer(pointer, depth));
    this.at++;
  }

  /** As {@link byte}. The pointer is put together only where something is wrong: its keys may be as long as the header. */
  #take(wanted: number, pointer: string, depth: number): void {
    if (this.peek() !== wanted) this.byte(wanted, this.#pointer(pointer, depth));
    this.at++;
  }

  /** Of the value that is read at `depth` below `pointer`. */
  #pointer(pointer: string, depth: number): string {
    let all = pointer;
    for (let k = 0; k < depth; k++) {
      const start = this.#starts[k]!;
      const end = this.#ends[k]!;
      all += pointerStep(end < 0 ? start : unescaped(this.bytes, start, end));
    }
    return all;
  }

  #object(pointer: string, depth: number): void {
    this.#enter(pointer, depth);
    let start = -1;
    let end = -1;
    let isPlain = true;
    while (this.peek() !== CLOSE_OBJECT) {
      if (start >= 0) this.#take(COMMA, pointer, depth);
      const at = this.at;
      this.string(pointer, depth);
      const wasPlain = isPlain;
      isPlain = this.isAscii && !this.isEscaped;
      // Between bytes of ASCII the order is that of code units.
      const isInOrder =
        start < 0 ||
        (wasPlain && isPlain
          ? isBefore(this.bytes, start, end, this.start, this.end)
          : unescaped(this.bytes, start, end) < unescaped(this.bytes, this.start, this.end));
      const before = start;
      const beforeEnd = end;
      start = this.start;
      end = this.end;
      this.#starts[depth] = start;
      this.#ends[depth] = end;
      if (!isInOrder) this.#failOrder(before, beforeEnd, this.#pointer(pointer, depth + 1), at);
      this.#take(COLON, pointer, depth + 1);
      this.value(pointer, depth + 1);
      if (this.peek() !== COMMA && this.peek() !== CLOSE_OBJECT)
        this.unexpected('"," or "}"', this.#pointer(pointer, depth));
    }
    this.at++;
  }

  #failOrder(start: number, end: number, pointer: string, at: number): never {
    const before = unescaped(this.bytes, start, end);
    const key = unescaped(this.bytes, this.start, this.end);
    if (before === key) this.fail("PACK-KEY", `the key ${JSON.stringify(key)} comes twice`, pointer, at);
    const message = `the key ${JSON.stringify(key)} stands behind ${JSON.stringify(before)}`;
    return this.fail("PACK-JSON", message, pointer, at);
  }

  #array(pointer: string, depth: number): void {
    this.#enter(pointer, depth);
    for (let index = 0; this.peek() !== CLOSE_ARRAY; index++) {
      if (index > 0) this.#take(COMMA, pointer, depth);
      this.#starts[depth] = index;
      this.#ends[depth] = -1;
      this.value(pointer, depth + 1);
      if (this.peek() !== COMMA && this.peek() !== CLOSE_ARRAY)
        this.unexpected('"," or "]"', this.#pointer(pointer, depth));
    }
    this.at++;
  }

  /** As ECMAScript writes it (RFC 8785 §3.2.2.3). */
  #number(pointer: string, depth: number): void {
    const start = this.at;
    while (isOfNumber(this.peek())) this.at++;
    if (this.at === start) this.unexpected("a value", this.#pointer(pointer, depth));
    if (isShortInteger(this.bytes, start, this.at)) return;
    const token = textOf(this.bytes, start, this.at);
    const value = Number(token);
    if (!Number.isFinite(value) || String(value) !== token)
      this.fail(
        "PACK-JSON",
        `the number ${token.slice(0, 40)} is not in canonical form`,
        this.#pointer(pointer, depth),
        start,
      );
  }
}

/** The text in a range of well-formed UTF-8. */
export function textOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString();
}

/** The same, where it stands between the quotes of a string. */
export function unescaped(bytes: Uint8Array, start: number, end: number): string {
  const text = textOf(bytes, start, end);
  return text.includes("\\") ? (JSON.parse(`"${text}"`) as string) : text;
}

function isBefore(bytes: Uint8Array, start: number, end: number, otherStart: number, otherEnd: number): boolean {
  for (let a = start, b = otherStart; a < end; a++, b++) {
    // What is the beginning of the other is before it.
    if (b === otherEnd || bytes[a] !== bytes[b]) return b < otherEnd && bytes[a]! < bytes[b]!;
  }
  return end - start < otherEnd - otherStart;
}

const LITERALS: readonly Uint8Array[] = ["true", "false", "null"].map((word) => Buffer.from(word));

/** True for most numbers: what is in canonical form at first sight. */
function isShortInteger(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start > 15 || (bytes[start] === ZERO && end - start > 1)) return false;
  for (let at = start; at < end; at++) if (bytes[at]! < ZERO || bytes[at]! > NINE) return false;
  return true;
}

/** Digits, signs, the point and the exponent. */
function isOfNumber(byte: number): boolean {
  return (
    (byte >= ZERO && byte <= NINE) || byte === MINUS || byte === 0x2b || byte === 0x2e || byte === 0x65 || byte === 0x45
  );
}
