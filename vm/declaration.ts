/**
 * How a call that a guest can import is declared: the row type of the `bytes` table (`bytes.ts`) and of the syscall
 * table (`syscalls/table.ts`). Link types, argument checks, guest bindings and the tables in `specs/` are derived from it.
 */
import type { FunctionType, ValueType } from "./bytecode/structure.ts";
import type { TrapName } from "./trap.ts";

/** A number, or a HeapRef: `ref` names its kind, or is "any". A HeapRef crosses as an i64. */
export type ParameterType = "i32" | "u32" | "i64" | "u64" | "f32" | "f64" | { readonly ref: string };

export interface Parameter {
  readonly name: string;
  readonly type: ParameterType;
  /** Range and unit, for people and for the bindings. */
  readonly doc: string;
}

/** Fuel of a call: `base`, or `base + floor(argument × perByte)` with the u32 parameter of that index as the argument. */
export type CallFuel = number | { readonly base: number; readonly perByte: number; readonly lengthArgument: number };

export interface Declaration {
  readonly module: string;
  readonly name: string;
  readonly doc: string;
  readonly params: readonly Parameter[];
  readonly results: readonly Parameter[];
  readonly fuel: CallFuel;
  /** True when the call may destroy a HeapRef. */
  readonly mayFree: boolean;
  /** Name of the capability the instance must hold, or "none". */
  readonly capability: string;
  /** Names of the statuses it can return, OK apart; empty when it returns none. */
  readonly statuses: readonly string[];
  readonly traps: readonly TrapName[];
}

/** The WebAssembly type a parameter crosses as. */
export function valueTypeOfParameter(type: ParameterType): ValueType {
  if (typeof type === "object") return "i64";
  if (type === "u32") return "i32";
  return type === "u64" ? "i64" : type;
}

/** Type of the import `name`: results as WebAssembly values. */
export function functionTypeOf(declaration: Declaration): FunctionType {
  return {
    params: declaration.params.map((parameter) => valueTypeOfParameter(parameter.type)),
    results: declaration.results.map((result) => valueTypeOfParameter(result.type)),
  };
}

/**
 * Type of the import `name_p` of a call with several results (spec ABI-FORM-2): one more i32 parameter points to the
 * results after the first in linear memory, packed little-endian without padding; the first result is returned.
 */
export function packedTypeOf(declaration: Declaration): FunctionType {
  const { params, results } = functionTypeOf(declaration);
  return { params: [...params, "i32"], results: results.slice(0, 1) };
}
