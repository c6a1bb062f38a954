/** Values at the JavaScript boundary, and their 8-byte cells inside (spec VM-VALUE-1). */
import type { RefType, ValueType } from "./bytecode/structure.ts";
import { UsageError } from "./errors.ts";
import type { ExportedFunction } from "./function.ts";

/** Bits of a float: f32 as a u32 number, f64 as a u64 bigint. */
export interface Bits {
  readonly bits: number | bigint;
}
/** A host value behind an externref. */
export interface Extern {
  readonly extern: unknown;
}
/** i32 and floats are numbers, i64 is a bigint, a null reference is null. Integers come out signed. */
export type Value = number | bigint | null | ExportedFunction | Extern | Bits;

export interface ValueOptions {
  /** Floats come out as {@link Bits}. */
  readonly bits?: boolean;
}

/** What turns references into numbers and back: a store. */
export interface Storage {
  readonly engine: "reference" | "compiled";
  functionAddress(value: ExportedFunction): number;
  exportedFunction(address: number): ExportedFunction;
  externNumber(value: unknown): number;
  externValue(number: number): unknown;
}

export function isReference(type: ValueType): type is RefType {
  return type === "funcref" || type === "externref";
}

const scratch = new DataView(new ArrayBuffer(8));

/** Writes `value` to the cell at `words[at]`; throws VM-ARGUMENT when it is not of that type. */
export function toCell(
  storage: Storage | undefined,
  type: ValueType,
  value: Value,
  words: Int32Array,
  at: number,
): void {
  words[at + 1] = 0;
  switch (type) {
    case "i32":
      if (typeof value !== "number" || !Number.isInteger(value) || value < -(2 ** 31) || value >= 2 ** 32)
        throw mismatch(type, value, "an integer from -2^31 to 2^32 - 1");
      words[at] = value;
      return;
    case "i64":
      if (typeof value !== "bigint" || value < -(2n ** 63n) || value >= 2n ** 64n)
        throw mismatch(type, value, "a bigint from -2^63 to 2^64 - 1");
      words[at] = Number(BigInt.asIntN(32, value));
      words[at + 1] = Number(BigInt.asIntN(32, value >> 32n));
      return;
    case "f32":
    case "f64":
      floatToCell(type, value, words, at);
      return;
    case "funcref":
      words[at] = value === null ? 0 : functionNumber(storage, value) + 1;
      return;
    case "externref":
      if (value === null) words[at] = 0;
      else if (typeof value !== "object" || !("extern" in value)) throw mismatch(type, value, "null or { extern }");
      else words[at] = storageOf(storage).externNumber(value.extern) + 1;
  }
}

function floatToCell(type: "f32" | "f64", value: Value, words: Int32Array, at: number): void {
  const wide = type === "f64";
  if (typeof value === "number") {
    if (wide) scratch.setFloat64(0, value, true);
    else scratch.setFloat32(0, value, true);
    // A NaN of JavaScript has no bits of its own.
    if (value !== value) scratch.setBigUint64(0, wide ? 0x7ff8000000000000n : 0x7fc00000n, true);
  } else if (value !== null && typeof value === "object" && "bits" in value) {
    const { bits } = value;
    if (wide && typeof bits === "bigint" && bits === BigInt.asUintN(64, bits)) scratch.setBigUint64(0, bits, true);
    else if (!wide && typeof bits === "number" && bits === bits >>> 0) scratch.setUint32(0, bits, true);
    else
      throw mismatch(
        type,
        value,
        wide ? "as bits a bigint from 0 to 2^64 - 1" : "as bits an integer from 0 to 2^32 - 1",
      );
  } else throw mismatch(type, value, "a number or { bits }");
  words[at] = scratch.getInt32(0, true);
  if (wide) words[at + 1] = scratch.getInt32(4, true);
}

function functionNumber(storage: Storage | undefined, value: Value): number {
  if (typeof value !== "object" || value === null || !("functionType" in value))
    throw mismatch("funcref", value, "null or an exported function");
  return storageOf(storage).functionAddress(value);
}

/** Reads the cell at `words[at]`. */
export function fromCell(
  storage: Storage | undefined,
  type: ValueType,
  words: Int32Array,
  at: number,
  options?: ValueOptions,
): Value {
  const low = words[at]!;
  const high = words[at + 1]!;
  switch (type) {
    case "i32":
      return low;
    case "i64":
      return (BigInt(high) << 32n) | BigInt(low >>> 0);
    case "f32":
      if (options?.bits) return { bits: low >>> 0 };
      scratch.setInt32(0, low, true);
      return scratch.getFloat32(0, true);
    case "f64":
      if (options?.bits) return { bits: (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0) };
      scratch.setInt32(0, low, true);
      scratch.setInt32(4, high, true);
      return scratch.getFloat64(0, true);
    case "funcref":
      return low === 0 ? null : storageOf(storage).exportedFunction(low - 1);
    case "externref":
      return low === 0 ? null : { extern: storageOf(storage).externValue(low - 1) };
  }
}

function storageOf(storage: Storage | undefined): Storage {
  if (storage === undefined) throw new UsageError("VM-ARGUMENT", "a reference needs a store");
  return storage;
}

function mismatch(type: ValueType, value: Value, expected: string): UsageError {
  const shown = typeof value === "bigint" ? `${value}n` : typeof value === "object" ? "an object" : String(value);
  return new UsageError("VM-ARGUMENT", `${type} takes ${expected}, not ${shown}`);
}
