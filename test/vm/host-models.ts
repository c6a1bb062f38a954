/** What generated modules import of module "env": host functions that both sides of a comparison can have. */
import type { FunctionType } from "../../vm/bytecode/structure.ts";
import type { CallFuel } from "../../vm/declaration.ts";

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
