/** Number literals of the text format (core spec 2.0, §6.3), exactly: no float is rounded twice. */

/** Integer literal with optional sign, `0x` and `_`; throws SyntaxError when it is none. */
export function parseInteger(literal: string): bigint {
  const [, sign, digits = ""] = /^([+-]?)((?:0x)?[0-9a-fA-F_]+)$/.exec(literal) ?? [];
  const magnitude = BigInt(digits.replaceAll("_", "") || "none");
  return sign === "-" ? -magnitude : magnitude;
}

const FORMATS = {
  f32: { width: 32n, mantissa: 23n, bias: 127n },
  f64: { width: 64n, mantissa: 52n, bias: 1023n },
} as const;
const SPECIAL = /^(?:(inf)|nan(?::0x([0-9a-fA-F]+))?)$/;
const DECIMAL = /^(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;
const HEXADECIMAL = /^0x([0-9a-fA-F]+)(?:\.([0-9a-fA-F]*))?(?:[pP]([+-]?\d+))?$/;

/** Bits of a float literal, rounded to nearest, ties to even; throws SyntaxError when it is none. */
export function floatBits(literal: string, type: "f32" | "f64"): bigint {
  const { width, mantissa, bias } = FORMATS[type];
  const magnitude = literal.replace(/^[+-]/, "").replaceAll("_", "");
  const negative = literal.startsWith("-") ? 1n << (width - 1n) : 0n;
  const infinite = (2n * bias + 1n) << mantissa;
  const special = SPECIAL.exec(magnitude);
  if (special !== null) {
    const [, infinity, payload] = special;
    if (infinity !== undefined) return negative | infinite;
    return negative | infinite | (payload === undefined ? 1n << (mantissa - 1n) : BigInt(`0x${payload}`));
  }
  const hex = HEXADECIMAL.exec(magnitude);
  const parts = hex ?? DECIMAL.exec(magnitude);
  if (parts === null) throw new SyntaxError(`${literal} is not a float literal`);
  const [, whole = "", fraction = "", exponent = "0"] = parts;
  const scale = BigInt(exponent) - BigInt(hex === null ? fraction.length : 4 * fraction.length);
  const base = hex === null ? 10n : 2n;
  const digits = BigInt((hex === null ? "" : "0x") + whole + fraction);
  const numerator = scale > 0n ? digits * base ** scale : digits;
  const denominator = scale > 0n ? 1n : base ** -scale;
  return negative | ratioBits(numerator, denominator, mantissa, bias, infinite);
}

function ratioBits(numerator: bigint, denominator: bigint, mantissa: bigint, bias: bigint, infinite: bigint): bigint {
  if (numerator === 0n) return 0n;
  // 2^exponent ≤ value, found by length and corrected by one comparison.
  let exponent = BigInt(bitLength(numerator) - bitLength(denominator));
  if (scaled(numerator, -exponent) < scaled(denominator, exponent)) exponent--;
  const lowest = 1n - bias;
  const unit = (exponent < lowest ? lowest : exponent) - mantissa;
  const top = scaled(numerator, -unit);
  const bottom = scaled(denominator, unit);
  let quotient = top / bottom;
  const rest = 2n * (top % bottom);
  if (rest > bottom || (rest === bottom && (quotient & 1n) === 1n)) quotient++;
  // The hidden bit adds one to the exponent field by itself; a subnormal has neither.
  const bits = ((unit + mantissa - lowest) << mantissa) + quotient;
  return bits >= infinite ? infinite : bits;
}

function bitLength(value: bigint): number {
  return value.toString(2).length;
}

/** `value × 2^max(shift, 0)`. */
function scaled(value: bigint, shift: bigint): bigint {
  return shift > 0n ? value << shift : value;
}
