/** Functions of a store: a guest's, the host's, or an instruction of module `bytes` that an import names. */
import type { FunctionType } from "./bytecode/structure.ts";
import type { BytesCall } from "./bytes.ts";
import type { CallFuel } from "./declaration.ts";
import { UsageError } from "./errors.ts";
import type { InvokeOptions } from "./execution.ts";
import type { Heap } from "./heap.ts";
import type { Instance } from "./instance.ts";
import type { Memory } from "./memory.ts";
import type { Store } from "./store.ts";
import type { TrapCode } from "./trap.ts";
import type { Value } from "./value.ts";

/** Where a host function writes results that are not one i32, f32 or f64; `index` counts results from 0. */
export interface Results {
  setI32(index: number, value: number): void;
  setI64(index: number, low: number, high: number): void;
  setF32(index: number, value: number): void;
  setF64(index: number, value: number): void;
  /** Any result as a value, of which references have no other form (spec VM-VALUE-1). */
  setValue(index: number, value: Value): void;
}

/** What a host function sees of the guest that calls it. Valid during the call only. */
export interface Caller {
  /** Memory 0 of the calling instance. */
  readonly memory: Memory | undefined;
  readonly heap: Heap;
  readonly results: Results;
  /** Creation number of the calling instance in its store. */
  readonly instance: number;
  /** Set while the invocation can be aborted by a signal: throws Stopped when it was. Engines call it, but for bound functions. */
  readonly look?: (() => void) | undefined;
  /** Fuel left after this call was charged, or undefined when it is unlimited. */
  fuelLeft(): bigint | undefined;
  /** Everything charged in the store so far, this call included. */
  fuelUsed(): bigint;
  /**
   * Charges more for this call, an integer from 0 to 2^43, and tests: to be called before the call has any effect, since where fuel
   * runs out the call ends, and on the reference engine is made again when the guest is resumed (spec VM-HOST-5).
   */
  charge(fuel: number): void;
  /** Ends the invocation with a trap at the guest's call. */
  trap(code: TrapCode, detail?: string): never;
  /** A funcref or externref argument as a value. */
  reference(word: number, type: "funcref" | "externref"): Value;
}

/**
 * A function of the embedder that guests import (spec VM-HOST-1). An i64 argument arrives as two int32 words, low
 * first; a reference as its number, see {@link Caller.reference}. One i32, f32 or f64 result is returned; anything else
 * is written to `caller.results`.
 */
export interface HostFunction {
  readonly type: FunctionType;
  /** Charged before the call. `perByte` is a multiple of 2^-10 from 0 to 1,024. */
  readonly fuel: CallFuel;
  /** True when the call may destroy a HeapRef. */
  readonly mayFree: boolean;
  // biome-ignore lint/suspicious/noConfusingVoidType: a function without a result returns nothing
  call(caller: Caller, ...words: number[]): number | void;
  /**
   * As `call` with this one caller, for an engine that wants to call without anything in between (spec VM-HOST-4). What it
   * answers takes the words, begins with `caller.look?.()`, and sets every result that it does not return.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: as above
  bind?(caller: Caller): (...words: number[]) => number | void;
}

/** As {@link HostFunction}, with bigint for i64 and results returned: nothing, one value, or an array. */
export interface BigintFunction extends Omit<HostFunction, "call" | "bind"> {
  readonly bigint: true;
  call(caller: Caller, ...values: Value[]): Value | readonly Value[] | undefined;
}

/** What an import of a function is linked to: a function that the store has, the embedder's, or an instruction. */
export type Linked = FunctionInstance | HostFunction | BytesCall;

/** Ids of function types, the same in the whole process: equal types have equal ids. */
const TYPE_IDS = new Map<string, number>();
/** The same by the object: thousands of functions have one type. */
const KNOWN_IDS = new WeakMap<FunctionType, number>();

export function typeId(type: FunctionType): number {
  const known = KNOWN_IDS.get(type);
  if (known !== undefined) return known;
  const key = typeText(type);
  const id = TYPE_IDS.get(key) ?? TYPE_IDS.size;
  TYPE_IDS.set(key, id);
  KNOWN_IDS.set(type, id);
  return id;
}

/** `(i32 i64) -> (f32)`. */
export function typeText(type: FunctionType): string {
  return `(${type.params.join(" ")}) -> (${type.results.join(" ")})`;
}

/** A function in a store. */
export class FunctionInstance {
  readonly address: number;
  readonly type: FunctionType;
  readonly typeId: number;
  /** The instance that defines it, or undefined for a host function or a call of `bytes`. */
  readonly instance: Instance | undefined;
  /** Function index in the instance that defines or imports it. */
  readonly index: number;
  readonly host: HostFunction | undefined;
  readonly bytes: BytesCall | undefined;
  /** Of a call of `bytes`: the instance that imports it, whose memory `of_memory` means. */
  readonly importer: Instance | undefined;
  readonly #base: number;
  readonly #perByte: number;
  readonly #length: number;

  constructor(
    address: number,
    type: FunctionType,
    index: number,
    body: { instance: Instance } | { host: HostFunction } | { bytes: BytesCall; importer: Instance },
  ) {
    this.address = address;
    this.type = type;
    this.typeId = typeId(type);
    this.index = index;
    this.instance = "instance" in body ? body.instance : undefined;
    this.host = "host" in body ? body.host : undefined;
    this.bytes = "bytes" in body ? body.bytes : undefined;
    this.importer = "importer" in body ? body.importer : undefined;
    const fuel = this.host?.fuel ?? this.bytes?.fuel ?? 0;
    this.#base = typeof fuel === "number" ? fuel : fuel.base;
    this.#perByte = typeof fuel === "number" ? 0 : fuel.perByte;
    this.#length = typeof fuel === "number" ? 0 : 2 * fuel.lengthArgument;
  }

  /** Fuel of a call whose arguments stand at `words[at]`; below 2^43. */
  price(words: Int32Array, at: number): number {
    if (this.#perByte === 0) return this.#base;
    return this.#base + Math.floor((words[at + this.#length]! >>> 0) * this.#perByte);
  }
}

/** Throws VM-ARGUMENT when a host function's declaration cannot be kept. */
export function checkHostFunction(host: HostFunction): void {
  const { fuel, type } = host;
  const { base, perByte, lengthArgument } =
    typeof fuel === "object" ? fuel : { base: fuel, perByte: 0, lengthArgument: 0 };
  if (!Number.isInteger(base) || base < 0 || base > 2 ** 30)
    throw new UsageError("VM-ARGUMENT", `the fuel of a host function is an integer from 0 to 2^30, not ${base}`);
  if (!Number.isInteger(perByte * 1024) || perByte < 0 || perByte > 1024)
    throw new UsageError("VM-ARGUMENT", `perByte is a multiple of 2^-10 from 0 to 1,024, not ${perByte}`);
  if (perByte > 0 && type.params[lengthArgument] !== "i32")
    throw new UsageError("VM-ARGUMENT", `lengthArgument ${lengthArgument} is not an i32 parameter`);
}

/** Most that a host function charges at once. */
export const MOST_CHARGE: number = 2 ** 43;

/** Throws VM-ARGUMENT for what {@link Caller.charge} does not take. */
export function checkCharge(fuel: number): void {
  if (!Number.isInteger(fuel) || fuel < 0 || fuel > MOST_CHARGE)
    throw new UsageError("VM-ARGUMENT", `a host function charges an integer from 0 to 2^43, not ${fuel}`);
}

/** A function that left its store as a value: an export, or a funcref. */
export class ExportedFunction {
  readonly functionType: FunctionType;
  readonly store: Store;
  /** Its number in the store. */
  readonly address: number;

  constructor(store: Store, address: number, functionType: FunctionType) {
    this.store = store;
    this.address = address;
    this.functionType = functionType;
  }

  /** As `Instance.invoke`. */
  invoke(args: readonly Value[] = [], options?: InvokeOptions): Value[] {
    return this.store.call(this.address, args, options);
  }
}
