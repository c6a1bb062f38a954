/**
 * Reads canonical JSON byte by byte (spec PACK-JSON). `JSON.parse` takes what has two readings: keys that come twice, numbers
 * that it rounds, any nesting. This takes one text for each value, makes no object that nobody asked for, and knows
 * where it is.
 */
import { type PackCode, PackError, type Problems } from "./errors.ts";
import { MOST_JSON_DEPTH, pointerStep } from "./json.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
export const COMMA = 0x2c;
export const COLON = 0x3a;
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
  readonly #problems: Problems;
  readonly #base: number;

  /** `base` is the offset of `bytes` in the file. */
  constructor(bytes: Uint8Array, problems: Problems, base: number) {
    this.bytes = bytes;
    this.#problems = problems;
    this.#base = base;
  }

  fail(code: PackCode, message: string, pointer: string, at: number = this.at): never {
    this.#problems.add(code, message, { pointer, offset: this.#base + at });
    this.#problems.check();
    throw new PackError(code, message);
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

  /** An integer from `least` to `most`, which are safe; any other value fails. */
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
  string(pointer: string): void {
    const { bytes } = this;
    if (this.peek() !== QUOTE) {
      const isNumber = this.peek() === MINUS || (this.peek() >= ZERO && this.peek() <= NINE);
      if (isNumber || this.#isValue()) this.fail("PACK-VALUE", "expected a string", pointer);
      this.unexpected("a string", pointer);
    }
    const start = this.at + 1;
    let at = start;
    let isEscaped = false;
    let seen = 0;
    for (let byte = bytes[at]; byte !== QUOTE; byte = bytes[++at]) {
      if (byte === undefined || byte < 0x20) {
        this.at = at;
        this.unexpected("the rest of a string", pointer);
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
    if (isEscaped) this.#checkEscapes(pointer);
  }

  /** Only what must be escaped is, in the one form of RFC 8785 §3.2.2.2. */
  #checkEscapes(pointer: string): void {
    const token = this.#decode(this.start - 1, this.end + 1);
    let value: unknown;
    try {
      value = JSON.parse(token);
    } catch {
      // Told below.
    }
    if (typeof value !== "string" || JSON.stringify(value) !== token || /\p{Surrogate}/u.test(value))
      this.fail("PACK-JSON", "the string's escapes are not in canonical form", pointer, this.start);
  }

  #decode(start: number, end: number): string {
    const { buffer, byteOffset } = this.bytes;
    return Buffer.from(buffer, byteOffset + start, end - start).toString();
  }

  /** The text of the string that was read last. */
  text(): string {
    const text = this.#decode(this.start, this.end);
    return this.isEscaped ? (JSON.parse(`"${text}"`) as string) : text;
  }

  /** Any value; only its form is looked at. */
  value(pointer: string, depth: number): void {
    switch (this.peek()) {
      case QUOTE:
        this.string(pointer);
        break;
      case OPEN_OBJECT:
        this.#object(pointer, depth);
        break;
      case OPEN_ARRAY:
        this.#array(pointer, depth);
        break;
      default:
        if (!LITERALS.some((literal) => this.takes(literal))) this.#number(pointer);
    }
  }

  #enter(pointer: string, depth: number): void {
    if (depth >= MOST_JSON_DEPTH) this.fail("PACK-JSON", `nested deeper than ${MOST_JSON_DEPTH}`, pointer);
    this.at++;
  }

  #object(pointer: string, depth: number): void {
    this.#enter(pointer, depth);
    let before: string | undefined;
    while (this.peek() !== CLOSE_OBJECT) {
      if (before !== undefined) this.byte(COMMA, pointer);
      const at = this.at;
      this.string(pointer);
      const key = this.text();
      if (before !== undefined && !(before < key)) this.failOrder(before, key, pointer, at);
      before = key;
      this.byte(COLON, pointer);
      this.value(pointer + pointerStep(key), depth + 1);
      if (this.peek() !== COMMA && this.peek() !== CLOSE_OBJECT) this.unexpected('"," or "}"', pointer);
    }
    this.at++;
  }

  failOrder(before: string, key: string, pointer: string, at: number): never {
    const what = before === key ? "comes twice" : `stands behind ${JSON.stringify(before)}`;
    return this.fail(
      before === key ? "PACK-KEY" : "PACK-JSON",
      `the key ${JSON.stringify(key)} ${what}`,
      pointer + pointerStep(key),
      at,
    );
  }

  #array(pointer: string, depth: number): void {
    this.#enter(pointer, depth);
    for (let index = 0; this.peek() !== CLOSE_ARRAY; index++) {
      if (index > 0) this.byte(COMMA, pointer);
      this.value(pointer + pointerStep(index), depth + 1);
      if (this.peek() !== COMMA && this.peek() !== CLOSE_ARRAY) this.unexpected('"," or "]"', pointer);
    }
    this.at++;
  }

  /** As ECMAScript writes it (RFC 8785 §3.2.2.3). */
  #number(pointer: string): void {
    const start = this.at;
    while (isOfNumber(this.peek())) this.at++;
    if (this.at === start) this.unexpected("a value", pointer);
    const token = this.#decode(start, this.at);
    const value = Number(token);
    if (!Number.isFinite(value) || String(value) !== token)
      this.fail("PACK-JSON", `the number ${token.slice(0, 40)} is not in canonical form`, pointer, start);
  }
}

const LITERALS: readonly Uint8Array[] = ["true", "false", "null"].map((word) => Buffer.from(word));

/** Digits, signs, the point and the exponent. */
function isOfNumber(byte: number): boolean {
  return (
    (byte >= ZERO && byte <= NINE) || byte === MINUS || byte === 0x2b || byte === 0x2e || byte === 0x65 || byte === 0x45
  );
}
