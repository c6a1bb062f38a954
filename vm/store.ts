/**
 * A store (core spec 2.0, §4.2.3): everything that instances which link to one another share. One engine, one fuel
 * account, one depth count, one heap, one execution at a time (spec VM-STORE-1).
 */
import { CompiledExecution } from "./compiled/execution.ts";
import { capturesStacks } from "./compiled/stack.ts";
import { UsageError } from "./errors.ts";
import type { Engine, Execution, InvokeOptions } from "./execution.ts";
import { FuelProfile } from "./fuel-profile.ts";
import { ExportedFunction, type FunctionInstance } from "./function.ts";
import { Heap, type Kind } from "./heap.ts";
import type { Instance } from "./instance.ts";
import { Interruption } from "./interruption.ts";
import { checkLimit, type Limits, limitsWith } from "./limits.ts";
import { Memory } from "./memory.ts";
import { Activation, type Hooks, type Position } from "./reference/activation.ts";
import type { Storage, Value, ValueOptions } from "./value.ts";

/** What the embedder keeps for the guests of a store beside their HeapRefs, for snapshots (spec VM-SNAPSHOT-5). */
export interface HostState {
  save(): Uint8Array;
  /** Becomes what `save` answered, before HeapRefs are restored; false for bytes that it cannot use. */
  restore(bytes: Uint8Array): boolean;
}

export interface StoreOptions {
  /** Fuel for everything that runs in the store; omitted: unlimited, but counted. At most 2^63 - 1. */
  readonly fuel?: bigint;
  readonly limits?: Partial<Limits>;
  /** Kinds of HeapRef beside `Bytes` that host functions make. */
  readonly kinds?: readonly Kind[];
  readonly state?: HostState;
  /**
   * "reference" unless given. A store with a `profile`, and a host that is not V8 or lacks what compiled code needs, have
   * the reference engine all the same (spec VM-ENGINE-1).
   */
  readonly engine?: Engine;
  /** Two words of a SharedArrayBuffer by which another thread stops an invocation (spec VM-STOP-1). */
  readonly interrupt?: Int32Array;
  /** True: the store keeps a {@link FuelProfile}. Every call then costs some time; fuel and results are the same. */
  readonly profile?: boolean;
}

const MOST_FUEL = 2n ** 63n - 1n;

export class Store implements Storage {
  readonly limits: Limits;
  readonly state: HostState | undefined;
  /** Replaced once, when the store is restored. */
  heap: Heap;
  readonly engine: Engine;
  /** In creation order; an instance's number is its place. */
  readonly instances: Instance[] = [];
  /** By address; a funcref is 1 + address. */
  readonly functions: FunctionInstance[] = [];
  readonly execution: Execution;
  readonly interruption: Interruption | undefined;
  #hooks: Hooks | undefined;
  readonly profile: FuelProfile | undefined;
  readonly #exported = new Map<number, ExportedFunction>();
  readonly #externs: unknown[] = [];
  readonly #externNumbers = new Map<unknown, number>();

  constructor(options: StoreOptions = {}) {
    this.limits = limitsWith(options.limits);
    this.engine = engineOf(options);
    this.interruption = options.interrupt && new Interruption(checkInterrupt(options.interrupt));
    if (options.fuel !== undefined) checkFuel(options.fuel);
    this.heap = new Heap(this.limits, options.kinds);
    this.state = options.state;
    this.profile = options.profile ? new FuelProfile(this) : undefined;
    this.execution =
      this.engine === "compiled" ? new CompiledExecution(this, options.fuel) : new Activation(this, options.fuel);
  }

  /** The reference engine's execution, which can pause; throws VM-ENGINE on the compiled one (spec VM-ENGINE-2). */
  get activation(): Activation {
    if (this.execution instanceof Activation) return this.execution;
    throw new UsageError("VM-ENGINE", "only the reference engine steps, pauses, resumes and calls hooks");
  }

  /** Called while the store executes; setting them takes effect at the next invocation. Throws VM-ENGINE. */
  get hooks(): Hooks | undefined {
    return this.#hooks;
  }

  set hooks(hooks: Hooks | undefined) {
    if (hooks !== undefined) this.activation;
    this.#hooks = hooks;
  }

  /** Everything charged so far (spec VM-FUEL-7). */
  get fuelUsed(): bigint {
    return this.execution.fuelUsed;
  }

  /** Fuel left, or undefined when it is unlimited. Negative after OutOfFuel: the debt. */
  get fuelLeft(): bigint | undefined {
    return this.execution.fuelLeft;
  }

  /** True while an execution waits for `resume`, `step` or `finish`. */
  get paused(): boolean {
    return this.execution.state === "paused";
  }

  /** The next instruction of a paused execution. */
  get position(): Position | undefined {
    return this.paused ? this.activation.position : undefined;
  }

  /** Runs a function to its end. Throws Trap, or what a host function threw. A paused execution is given up. */
  call(address: number, args: readonly Value[], options?: InvokeOptions): Value[] {
    this.checkIdle();
    return this.execution.call(this.functions[address]!, args, options);
  }

  /** Starts a function and pauses it before its first instruction, for `step`. */
  begin(address: number, args: readonly Value[]): void {
    this.checkIdle();
    const entry = this.functions[address]!;
    const { activation } = this;
    if (!entry.instance) throw new UsageError("VM-ARGUMENT", "a host function cannot be stepped");
    activation.begin(entry, args);
    activation.step(0);
  }

  /** Runs `count` instructions of a paused execution; false when it has ended, and `results` has the values. */
  step(count = 1): boolean {
    const activation = this.#pausedActivation();
    if (!Number.isSafeInteger(count) || count < 1)
      throw new UsageError("VM-ARGUMENT", `a count of instructions is a positive integer, not ${count}`);
    return activation.step(count);
  }

  /** Adds fuel and goes on with a paused execution to its end. Charges nothing twice. */
  resume(fuel: bigint, options?: InvokeOptions): Value[] {
    const activation = this.#pausedActivation();
    checkFuel(fuel);
    activation.resume(fuel);
    return activation.finish(options);
  }

  /** Values of the execution that ended last. */
  results(options?: ValueOptions): Value[] {
    const { activation } = this;
    if (!activation.ended) throw new UsageError("VM-ARGUMENT", "the last execution has no results: it has not ended");
    return activation.results(options);
  }

  /** Adds fuel without running. */
  addFuel(fuel: bigint): void {
    checkFuel(fuel);
    this.execution.addFuel(fuel);
  }

  /** Releases what the host holds for HeapRefs that are alive (HEAP-KIND-2). The store is not to be used any more. */
  close(): void {
    this.checkIdle();
    this.heap.close();
  }

  /** As {@link close}; and its memories are used for other stores. Nobody may hold one of them, or a view of one. */
  recycle(): void {
    this.close();
    for (const { imported, memory0 } of this.instances)
      if (!imported.memory && memory0 instanceof Memory) memory0.recycle();
    this.heap.recycle();
  }

  checkIdle(): void {
    if (this.execution.state === "running")
      throw new UsageError("VM-REENTRANT", "a host function must not use the store that is calling it");
  }

  #pausedActivation(): Activation {
    this.checkIdle();
    const { activation } = this;
    if (!this.paused) throw new UsageError("VM-NOT-PAUSED", "there is no paused execution");
    return activation;
  }

  // ---- what instances register

  /** The next instance's number; throws LimitError when the store is full. */
  nextInstance(): number {
    checkLimit(this.limits, "instances", this.instances.length + 1);
    return this.instances.length;
  }

  // ---- references as values

  exportedFunction(address: number): ExportedFunction {
    const known = this.#exported.get(address);
    if (known) return known;
    const made = new ExportedFunction(this, address, this.functions[address]!.type);
    this.#exported.set(address, made);
    return made;
  }

  /** True for what {@link exportedFunction} has made. */
  owns(value: ExportedFunction): boolean {
    return this.#exported.get(value.address) === value;
  }

  functionAddress(value: ExportedFunction): number {
    if (!this.owns(value)) throw new UsageError("VM-ARGUMENT", "the function belongs to another store");
    return value.address;
  }

  externNumber(value: unknown): number {
    const known = this.#externNumbers.get(value);
    if (known !== undefined) return known;
    this.#externs.push(value);
    this.#externNumbers.set(value, this.#externs.length - 1);
    return this.#externs.length - 1;
  }

  externValue(number: number): unknown {
    return this.#externs[number];
  }

  /** True once a host value has been behind an externref: then a paused execution may hold it in any cell. */
  get hasExterns(): boolean {
    return this.#externs.length > 0;
  }
}

function checkFuel(fuel: bigint): void {
  if (typeof fuel !== "bigint" || fuel < 0n || fuel > MOST_FUEL)
    throw new UsageError("VM-ARGUMENT", `fuel is a bigint from 0 to 2^63 - 1, not ${fuel}`);
}

function checkEngine(engine: string | undefined): void {
  if (engine !== undefined && engine !== "reference" && engine !== "compiled")
    throw new UsageError("VM-ARGUMENT", `there is no engine named ${engine}: there are "reference" and "compiled"`);
}

/** The engine that a store with those options has. */
export function engineOf({ engine, profile }: StoreOptions): Engine {
  checkEngine(engine);
  return engine === "compiled" && !profile && canCompile() ? "compiled" : "reference";
}

/** A module with two memories and a tail call. */
const PROBE = Uint8Array.of(
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x04, 0x01, 0x60, 0x00, 0x00, 0x03, 0x02, 0x01, 0x00],
  ...[0x05, 0x05, 0x02, 0x00, 0x00, 0x00, 0x00, 0x0a, 0x06, 0x01, 0x04, 0x00, 0x12, 0x00, 0x0b],
);
let compiles: boolean | undefined;

/** True when the host is V8 (whose stacks name trap sites) and knows what compiled code needs. */
function canCompile(): boolean {
  compiles ??= capturesStacks() && typeof WebAssembly === "object" && WebAssembly.validate(PROBE);
  return compiles;
}

function checkInterrupt(words: Int32Array): Int32Array {
  if (!(words instanceof Int32Array) || words.length < 2)
    throw new UsageError("VM-ARGUMENT", "interrupt is an Int32Array of two words");
  return words;
}
