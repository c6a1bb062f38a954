/**
 * Numerics that JavaScript has no operator for (core spec 2.0, §4.3). A 64-bit integer is two int32 words, low first,
 * in the stack `s`; `r` is the result's place. BigInt appears only where a division has an operand over 53 bits.
 */

/** High word of the canonical f64 NaN (its low word is 0), and the canonical f32 NaN. */
export const NAN64_HIGH = 0x7ff80000;
export const NAN32 = 0x7fc00000;

export function rotl(x: number, n: number): number {
  return (x << n) | (x >>> -n);
}

export function ctz32(x: number): number {
  return x === 0 ? 32 : 31 - Math.clz32(x & -x);
}

export function popcnt32(value: number): number {
  let x = value - ((value >>> 1) & 0x55555555);
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
  return Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

export function setI64(s: Int32Array, r: number, low: number, high: number): void {
  s[r] = low;
  s[r + 1] = high;
}

/** Moves a cell. */
export function copy(s: Int32Array, to: number, from: number): void {
  const high = s[from + 1]!;
  s[to] = s[from]!;
  s[to + 1] = high;
}

export function rotl64(s: Int32Array, r: number, low: number, high: number, n: number): void {
  const [l, h] = n < 32 ? [low, high] : [high, low];
  const m = n & 31;
  s[r] = m === 0 ? l : (l << m) | (h >>> (32 - m));
  s[r + 1] = m === 0 ? h : (h << m) | (l >>> (32 - m));
}

/** The low 64 bits of the product; the high word of the low words' product goes by 16-bit halves. */
export function mul64(s: Int32Array, r: number, xl: number, xh: number, yl: number, yh: number): void {
  const x0 = xl & 0xffff;
  const x1 = xl >>> 16;
  const y0 = yl & 0xffff;
  const y1 = yl >>> 16;
  const middle = Math.imul(x1, y0) + (Math.imul(x0, y0) >>> 16);
  const cross = Math.imul(x0, y1) + (middle & 0xffff);
  const carry = Math.imul(x1, y1) + (middle >>> 16) + (cross >>> 16);
  s[r + 1] = carry + Math.imul(xl, yh) + Math.imul(xh, yl);
  s[r] = Math.imul(xl, yl);
}

const TWO32 = 4294967296;
const SAFE_HIGH = 1 << 21;

function big(s: Int32Array, x: number): bigint {
  return (BigInt(s[x + 1]!) << 32n) | BigInt(s[x]! >>> 0);
}

function bigUnsigned(s: Int32Array, x: number): bigint {
  return BigInt.asUintN(64, big(s, x));
}

function setBig(s: Int32Array, r: number, value: bigint): void {
  s[r] = Number(BigInt.asIntN(32, value));
  s[r + 1] = Number(BigInt.asIntN(32, value >> 32n));
}

/** An integer of magnitude below 2^53. */
function setSafe(s: Int32Array, r: number, value: number): void {
  s[r] = value;
  s[r + 1] = Math.floor(value / TWO32);
}

/** True when the signed 64-bit number at `x` lies in (-2^53, 2^53). */
function isSafe(high: number): boolean {
  return high >= -SAFE_HIGH + 1 && high < SAFE_HIGH;
}

/** floor(x / y) of integers 0 ≤ x < 2^53, 0 < y < 2^53: the rounded quotient can be one too large, never too small. */
function quotient(x: number, y: number): number {
  const q = Math.floor(x / y);
  return q * y > x ? q - 1 : q;
}

export function divS64(s: Int32Array, r: number, x: number, y: number): void {
  if (isSafe(s[x + 1]!) && isSafe(s[y + 1]!)) {
    const dividend = s[x + 1]! * TWO32 + (s[x]! >>> 0);
    const divisor = s[y + 1]! * TWO32 + (s[y]! >>> 0);
    const q = quotient(Math.abs(dividend), Math.abs(divisor));
    setSafe(s, r, dividend < 0 === divisor < 0 ? q : -q);
  } else setBig(s, r, big(s, x) / big(s, y));
}

export function divU64(s: Int32Array, r: number, x: number, y: number): void {
  if (s[x + 1]! >>> 0 < SAFE_HIGH && s[y + 1]! >>> 0 < SAFE_HIGH)
    setSafe(s, r, quotient(s[x + 1]! * TWO32 + (s[x]! >>> 0), s[y + 1]! * TWO32 + (s[y]! >>> 0)));
  else setBig(s, r, bigUnsigned(s, x) / bigUnsigned(s, y));
}

export function remS64(s: Int32Array, r: number, x: number, y: number): void {
  if (isSafe(s[x + 1]!) && isSafe(s[y + 1]!))
    setSafe(s, r, (s[x + 1]! * TWO32 + (s[x]! >>> 0)) % (s[y + 1]! * TWO32 + (s[y]! >>> 0)));
  else setBig(s, r, big(s, x) % big(s, y));
}

export function remU64(s: Int32Array, r: number, x: number, y: number): void {
  if (s[x + 1]! >>> 0 < SAFE_HIGH && s[y + 1]! >>> 0 < SAFE_HIGH)
    setSafe(s, r, (s[x + 1]! * TWO32 + (s[x]! >>> 0)) % (s[y + 1]! * TWO32 + (s[y]! >>> 0)));
  else setBig(s, r, bigUnsigned(s, x) % bigUnsigned(s, y));
}

/** Round to the nearest integer, ties to even; adding and taking away 2^52 makes the hardware do it. */
export function nearest(x: number): number {
  if (!(Math.abs(x) < 4503599627370496)) return x;
  const rounded = Math.abs(x) + 4503599627370496 - 4503599627370496;
  return x < 0 || Object.is(x, -0) ? -rounded : rounded;
}

/** Truncates a float that fits i64 or u64 into two words. */
export function truncToI64(s: Int32Array, r: number, value: number): void {
  const x = Math.trunc(value);
  // The low word of a negative number is the two's complement one: x mod 2^32 and the floor of x / 2^32 agree.
  const high = Math.floor(x / TWO32);
  s[r] = x - high * TWO32;
  s[r + 1] = high;
}

export function satI32(x: number): number {
  return x >= 2147483647 ? 2147483647 : x <= -2147483648 ? -2147483648 : x | 0;
}

export function satU32(x: number): number {
  return x >= 4294967295 ? -1 : x > 0 ? x >>> 0 : 0;
}

export function satI64(s: Int32Array, r: number, x: number): void {
  if (x >= 9223372036854775808) setI64(s, r, -1, 0x7fffffff);
  else if (x < -9223372036854775808) setI64(s, r, 0, -0x80000000);
  else truncToI64(s, r, x === x ? x : 0);
}

export function satU64(s: Int32Array, r: number, x: number): void {
  if (x >= 18446744073709551616) setI64(s, r, -1, -1);
  else truncToI64(s, r, x > 0 ? x : 0);
}

/**
 * An unsigned 64-bit integer, rounded once to f32. Through f64 it would be rounded twice; bits that f64 cannot hold are
 * folded into the lowest that it can ("sticky"), which leaves the second rounding the only one.
 */
export function u64ToF32(low: number, high: number): number {
  const h = high >>> 0;
  if (h < SAFE_HIGH) return Math.fround(h * TWO32 + (low >>> 0));
  const sticky = (low & 0xfff) === 0 ? 0 : 0x1000;
  return Math.fround(h * TWO32 + (((low & ~0xfff) | sticky) >>> 0));
}

export function i64ToF32(low: number, high: number): number {
  if (high >= 0) return u64ToF32(low, high);
  const negated = -low | 0;
  return -u64ToF32(negated, ~high + (low === 0 ? 1 : 0));
}
