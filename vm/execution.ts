/** What a store asks of its engine: fuel, invocations, and the part of an instance that the engine keeps. */
import type { FunctionInstance, Linked } from "./function.ts";
import type { Instance } from "./instance.ts";
import type { AbortLike } from "./interruption.ts";
import type { SnapshotReader, SnapshotWriter } from "./snapshot.ts";
import type { TrapCode } from "./trap.ts";
import type { Value, ValueOptions } from "./value.ts";

/** `reference` steps, pauses, resumes and saves calls; `compiled` is fast (spec VM-ENGINE-1). */
export type Engine = "reference" | "compiled";

export interface InvokeOptions extends ValueOptions {
  /** Looked at when the guest calls the host, and only then: a host call is when it can become aborted, too. */
  readonly signal?: AbortLike;
}

export interface Execution {
  readonly state: "idle" | "running" | "paused";
  /** Everything charged so far, debt included (spec VM-FUEL-7). */
  readonly fuelUsed: bigint;
  /** Undefined when it is unlimited; negative after OutOfFuel. */
  readonly fuelLeft: bigint | undefined;
  addFuel(fuel: bigint): void;
  /** Another limit of all fuel, undefined for none; what was charged stays charged. */
  limitFuel(fuel: bigint | undefined): void;
  /** Charges and tests outside an invocation; throws OutOfFuel. */
  charge(cost: number): void;
  /** A trap that no guest instruction raised. */
  fail(code: TrapCode): never;
  /** Runs a function to its end. Throws Trap, Stopped, VM-HOST-STACK, or what a host function threw. */
  call(entry: FunctionInstance, args: readonly Value[], options?: InvokeOptions): Value[];
  /** Runs a start function: as `call`, but a trap leaves nothing to resume. */
  start(entry: FunctionInstance): void;
  /** The native counterpart of an instance whose tables and memory are there, or undefined when the engine needs none. */
  instantiate(instance: Instance, linked: readonly Linked[]): NativeInstance | undefined;
  /** Throws VM-DEAD when nothing can run any more (spec VM-ENGINE-3). */
  checkAlive(): void;
  saveFuel(writer: SnapshotWriter): void;
  restoreFuel(reader: SnapshotReader): void;
}

/** What a compiled engine holds of an instance. */
export interface NativeInstance {
  /** Own globals, in order. */
  readonly globals: readonly NativeCell[];
  /** Copies an active element segment to `offset` of its table, where it fits, and drops it. A restore drops it again. */
  initElements(segment: number, offset: number): void;
  /** Of a passive segment. */
  dropData(segment: number): void;
  dropElements(segment: number): void;
  /** The instance has this window over its memory, by a restore. */
  setWindow(slot: number, generation: number): void;
}

/** A global's value where an engine holds it natively; `words` is a cell. */
export interface NativeCell {
  read(words: Int32Array): void;
  write(words: Int32Array): void;
}

/** A table's elements where an engine holds them natively, as the numbers that cells have for them. */
export interface NativeElements {
  readonly length: number;
  get(index: number): number;
  set(index: number, element: number): void;
  /** The old length; the caller has checked that it may grow. */
  grow(delta: number, element: number): number;
}
