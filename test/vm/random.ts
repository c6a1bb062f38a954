/** Seeded random numbers, and the constants at the edges of the number types. */
import type { ValueType } from "../../vm/bytecode/structure.ts";

/** A hash of two u32. */
export function mix(a: number, b: number): number {
  let h = Math.imul(a ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(b + 0x7f4a7c15, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = Math.imul(h ^ (h >>> 12), 0x297a2d39);
  return (h ^ (h >>> 15)) >>> 0;
}

/** A seeded source of random numbers. */
export class Random {
  #count = 0;
  readonly seed: number;
  constructor(seed: number) {
    this.seed = seed >>> 0;
  }
  /** A u32. */
  next(): number {
    return mix(this.seed, ++this.#count);
  }
  /** From 0 to n - 1. */
  below(n: number): number {
    return Math.floor((this.next() / 2 ** 32) * n);
  }
  chance(probability: number): boolean {
    return this.next() < probability * 2 ** 32;
  }
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}

const INTS = [0, 1, 2, 7, 8, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, 0x7fff, 0x8000, 0xffff, 0x1_0000, 0xff_ffff];
/** i32 constants, as signed numbers. */
export const I32_EDGES: readonly number[] = [
  ...INTS.flatMap((x) => [x, -x | 0]),
  ...[0x7fffffff, 0x80000000, 0x80000001, 0x55555555, 0xaaaaaaaa, 0x40000000, 0x7ffffffe, 0x12345678].map((x) => x | 0),
];
/** i64 constants, as signed bigints. */
export const I64_EDGES: readonly bigint[] = [
  ...I32_EDGES.map(BigInt),
  ...[32n, 52n, 53n, 54n, 62n, 63n].flatMap((n) => [2n ** n - 1n, 2n ** n, 2n ** n + 1n, -(2n ** n), 1n - 2n ** n]),
  ...[0x5555555555555555n, 0x8000008000000001n, 0x8000004000000001n, 0xffffff7fffffffffn, 0x0123456789abcdefn],
].map((x) => BigInt.asIntN(64, x));
const F32_VALUES = [
  0,
  1,
  0.5,
  1.5,
  2.5,
  0.1,
  2 ** 23,
  2 ** 23 + 1,
  2 ** 24,
  2 ** 31,
  2 ** 31 - 128,
  2 ** 32,
  2 ** 32 - 256,
]
  .concat([
    2 ** 53,
    2 ** 63,
    2 ** 63 - 2 ** 39,
    2 ** 64,
    2 ** 64 - 2 ** 40,
    2 ** -126,
    2 ** -149,
    2 ** -127,
    3.4028234663852886e38,
  ])
  .concat([Number.POSITIVE_INFINITY, 0.49999997, 0.9999999, 255.5]);
/** f32 constants, as bits. */
export const F32_EDGES: readonly number[] = [
  ...F32_VALUES.flatMap((x) => [f32Bits(x), f32Bits(-x)]),
  ...[0x7fc00000, 0xffc00000, 0x7f800001, 0xff800001, 0x7fc12345, 0x7fffffff, 0xffbfffff].map((x) => x | 0),
];
const F64_VALUES = [
  0,
  1,
  0.5,
  1.5,
  2.5,
  0.1,
  2 ** 31,
  2 ** 31 - 0.5,
  2 ** 31 + 0.5,
  2 ** 32,
  2 ** 32 - 0.5,
  2 ** 52,
  2 ** 52 - 0.5,
]
  .concat([
    2 ** 53,
    2 ** 53 + 2,
    2 ** 63,
    2 ** 63 - 1024,
    2 ** 64,
    2 ** 64 - 2048,
    2 ** -1022,
    2 ** -1074,
    Number.MAX_VALUE,
  ])
  .concat([
    Number.POSITIVE_INFINITY,
    0.49999999999999994,
    3.4028235677973366e38,
    1.401298464324817e-45,
    7.006492321624085e-46,
  ])
  .concat([1 + 2 ** -24, 1 + 2 ** -23 + 2 ** -24, 4503599627370495.5, 255.5]);
/** f64 constants, as bits. */
export const F64_EDGES: readonly bigint[] = [
  ...F64_VALUES.flatMap((x) => [f64Bits(x), f64Bits(-x)]),
  ...[0x7ff8000000000000n, 0xfff8000000000000n, 0x7ff0000000000001n, 0xfff0000000000001n, 0x7ff8000012345678n],
  ...[0x7fffffffffffffffn, 0xfff7ffffffffffffn],
].map((x) => BigInt.asIntN(64, x));

export function f32Bits(x: number): number {
  return new Int32Array(Float32Array.of(x).buffer)[0]!;
}
export function f64Bits(x: number): bigint {
  return new BigInt64Array(Float64Array.of(x).buffer)[0]!;
}

/** A value of a number type: mostly at an edge. i32 and f32 bits as a number, i64 and f64 bits as a bigint. */
export function someBits(random: Random, type: ValueType): number | bigint {
  const any = random.chance(0.2);
  const wide = (BigInt(random.next()) << 32n) | BigInt(random.next());
  switch (type) {
    case "i32":
      return any ? random.next() | 0 : random.pick(I32_EDGES);
    case "f32":
      return any ? random.next() | 0 : random.pick(F32_EDGES);
    case "i64":
      return any ? BigInt.asIntN(64, wide) : random.pick(I64_EDGES);
    default:
      return any ? BigInt.asIntN(64, wide) : random.pick(F64_EDGES);
  }
}
