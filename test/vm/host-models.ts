/** What generated modules import of module "env": host functions that both sides of a comparison can have. */
import type { FunctionType, ValueType } from "../../vm/bytecode/structure.ts";
import type { CallFuel } from "../../vm/declaration.ts";
import type { BigintFunction, HostFunction } from "../../vm/function.ts";
import { BYTES_KIND, type Kind } from "../../vm/heap.ts";
import { TrapCode } from "../../vm/trap.ts";

export interface HostModel {
  readonly name: string;
  readonly type: FunctionType;
  readonly fuel: CallFuel;
  /** Values in the types' JavaScript form; throws a number, a trap code. `memory` is the caller's, or undefined. */
  run(memory: Uint8Array | undefined, args: readonly (number | bigint)[]): (number | bigint)[];
}

export const HOST_MODELS: readonly HostModel[] = [
  {
    name: "mix",
    type: { params: ["i32", "i64"], results: ["i32"] },
    fuel: 3,
    run: (_, [a, b]) => [(Math.imul(a as number, 31) + Number(BigInt.asIntN(32, b as bigint))) | 0],
  },
  {
    name: "wide",
    type: { params: ["f32", "f64"], results: ["i64"] },
    fuel: 0,
    run: (_, [a, b]) => [BigInt(a === a ? 1 : 7) * 0x1_0000_0003n - BigInt((b as number) > 1 ? 1 : 0)],
  },
  { name: "half", type: { params: ["f64"], results: ["f64"] }, fuel: 1, run: (_, [a]) => [(a as number) / 2] },
  {
    name: "twice",
    type: { params: ["f32"], results: ["f32"] },
    fuel: 1,
    run: (_, [a]) => [Math.fround(Number(a) * 2)],
  },
  {
    name: "many",
    type: { params: ["i64", "f32", "i32"], results: ["i32", "f32", "i64", "f64"] },
    fuel: 12,
    run: (_, [a, b, c]) => [(c as number) ^ 1, b!, BigInt.asIntN(64, (a as bigint) + 1n), Number(b) * 3],
  },
  {
    name: "poke",
    type: { params: ["i32", "i32"], results: [] },
    fuel: { base: 2, perByte: 1.5, lengthArgument: 1 },
    run(memory, [at, length]) {
      if (memory) memory[(at as number) & 0x3ff] = (length as number) + 1;
      return [];
    },
  },
  {
    name: "fail",
    type: { params: ["i32"], results: ["i32"] },
    fuel: 5,
    run(_, [a]) {
      if (((a as number) & 31) === 31) throw 60;
      return [(a as number) + 1];
    },
  },
];

/** A kind of HeapRef that the wild host functions make. */
export const THING: Kind = {
  id: 99,
  name: "Thing",
  create: "wild.make",
  read: "none: test",
  update: "wild.write",
  destroy: "wild.end",
  save: () => Uint8Array.of(7, 7),
};

/**
 * Host functions of module "wild", for modules that plain V8 is not asked about: with HeapRefs, references, floats whose
 * bits cross the boundary, every kind of result, memories that grow under the guest's feet, and all ways to fail.
 */
export const WILD_HOST: { readonly [name: string]: HostFunction | BigintFunction } = {
  make: wild([], ["i64"], 4, false, ({ heap, results }) => {
    const slot = heap.create(THING.id, "thing");
    results.setI64(0, slot, heap.generation(slot));
  }),
  end: wild(["i64"], ["i32"], 4, true, ({ heap }, low, high) => {
    heap.destroy(low!, high!, THING.id);
    return 1;
  }),
  allocate: wild(["i32"], ["i64"], 9, false, ({ heap, results }, length) => {
    const slot = heap.newBytes(length! & 0x3ffff);
    results.setI64(0, slot, heap.generation(slot));
  }),
  free: wild(["i64"], [], 2, true, ({ heap }, low, high) => heap.destroy(low!, high!, BYTES_KIND.id)),
  write: wild(
    ["i64", "i32", "i32", "i32"],
    ["i32", "i32"],
    { base: 5, perByte: 0.125, lengthArgument: 2 },
    false,
    ({ heap, results }, low, high, offset, length, value) => {
      heap.window(low!, high!, offset!, length!).fill(value!);
      results.setI32(0, 0);
      results.setI32(1, length!);
    },
  ),
  move: wild(
    ["i64", "i32", "i64", "i32", "i32"],
    ["i32", "i64"],
    3,
    false,
    ({ heap, results }, toLow, toHigh, to, low, high, from, length) => {
      const bytes = heap.window(low!, high!, from!, length!).slice();
      heap.window(toLow!, toHigh!, to!, length!).set(bytes);
      results.setI32(0, bytes[0] ?? -1);
      results.setI64(1, length!, -1);
    },
  ),
  grow: wild(["i32"], ["i32"], 20, false, ({ memory }, pages) => (memory ? memory.grow(pages! & 1) : -2)),
  left: wild([], ["i64"], 1, false, (caller) => {
    const used = caller.fuelUsed();
    caller.results.setI64(0, Number(BigInt.asIntN(32, used)), caller.instance);
  }),
  floats: wild(["f32", "f64"], ["f64", "f32"], 0, false, ({ results }, a, b) => {
    results.setF64(0, a!);
    results.setF32(1, b!);
  }),
  unwritten: wild(["i64"], ["i64", "f32", "externref", "i32"], 2, false, ({ results }, low) => {
    if ((low! & 1) === 1) results.setI32(3, low!);
  }),
  references: bigint(["funcref", "externref", "i32"], ["externref", "i64", "funcref"], 6, (_, f, e, n) => [
    n === 0 ? null : e!,
    BigInt(n as number) << 20n,
    f!,
  ]),
  bits: bigint(["i64", "f64"], ["f64"], 1, (_, a, b) => {
    if (((a as bigint) & 1n) === 1n) return b!;
    return { bits: BigInt.asUintN(64, (a as bigint) | 0x7ff0_0000_0000_0000n) };
  }),
  bits32: bigint(["i32"], ["f32"], 1, (_, a) => ({ bits: ((a as number) | 0x7f80_0000) >>> 0 })),
  traps: wild(["i32"], [], 7, false, (caller, which) => {
    const code = [TrapCode.BadArgument, TrapCode.MissingCapability, TrapCode.BadPointer][which! & 63];
    if (code !== undefined) caller.trap(code, `told so by ${which}`);
  }),
  throws: wild(["i32"], ["i32"], 7, false, (_, which) => {
    if ((which! & 63) === 63) throw new RangeError("of the host");
    return which! + 1;
  }),
};

function wild(
  params: readonly ValueType[],
  results: readonly ValueType[],
  fuel: CallFuel,
  mayFree: boolean,
  call: HostFunction["call"],
): HostFunction {
  return { type: { params, results }, fuel, mayFree, call };
}

function bigint(
  params: readonly ValueType[],
  results: readonly ValueType[],
  fuel: CallFuel,
  call: BigintFunction["call"],
): BigintFunction {
  return { type: { params, results }, fuel, mayFree: false, bigint: true, call };
}
