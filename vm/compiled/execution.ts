/**
 * The compiled engine of a store (spec VM-ENGINE-1): links instances to the code that V8 compiles, invokes it, and says
 * what a trap of V8 means in terms of the guest's module.
 *
 * All fuel is in one i64 global, `fuel`; code reads it at the entry of an invocation, and publishes it at host calls and
 * where fuel runs out. So after any other trap the global holds what VM-FUEL-7 wants.
 */
import { runBytes } from "../bytes.ts";
import { groupOf, type Linkage } from "../compiler/rewrite.ts";
import { Stopped, UsageError } from "../errors.ts";
import type { Execution, InvokeOptions, NativeInstance } from "../execution.ts";
import { FunctionInstance, type HostFunction, type Linked } from "../function.ts";
import type { Global } from "../global.ts";
import type { Instance } from "../instance.ts";
import type { AbortLike } from "../interruption.ts";
import { hostMemory, type Memory } from "../memory.ts";
import type { Module } from "../module.ts";
import type { SnapshotReader, SnapshotWriter } from "../snapshot.ts";
import type { Store } from "../store.ts";
import type { Table } from "../table.ts";
import { BACKTRACE_FRAMES, Fault, type Frame, Trap, TrapCode } from "../trap.ts";
import { LOOK, SPARE_FRAMES } from "../tuning.ts";
import { fromCell, toCell, type Value, type ValueOptions } from "../value.ts";
import { adapterOf, forwarderOf } from "./adapter.ts";
import { bytesImport, hostImport, NativeCaller } from "./host-call.ts";
import { type Image, imageOf, refusedByV8 } from "./image.ts";
import { linkageOf } from "./linkage.ts";
import { type NativeFunction, NativeGlobal, NativeTable, References } from "./references.ts";
import { framesOf, limitFrames, type NativeFrame } from "./stack.ts";

/** Most fuel that the global holds at once, and what an account without a limit begins with. */
const MOST_FUEL = 1n << 62n;

type Callable = (...args: unknown[]) => unknown;

export class CompiledExecution implements Execution {
  readonly store: Store;
  readonly references: References = new References();
  state: "idle" | "running" = "idle";
  /** After OutOfFuel: the code that ran has left nothing to go on with. */
  #dead = false;

  readonly #fuel = new WebAssembly.Global({ value: "i64", mutable: true }, 0n);
  /** Below it code calls `hit` at its next loop. */
  readonly #mark = new WebAssembly.Global({ value: "i64", mutable: true }, 0n);
  #step = 0n;
  #lastLook = 0n;
  /** Number of the instance that called last, for code that several may call. */
  #caller: WebAssembly.Global | undefined;
  readonly #depth: WebAssembly.Global;
  #granted: bigint;
  #unlimited: boolean;
  /** Fuel that the global has no room for. */
  #reserve = 0n;

  /** By number of their image; several only where they neither call nor are called by code of other modules. */
  readonly #instances = new Map<number, { readonly image: Image; readonly instances: Instance[] }>();
  readonly #ordinals = new Map<Module, number>();
  readonly #callables: (Callable | undefined)[] = [];
  readonly #callers: NativeCaller[] = [];
  readonly #boundCallers: NativeCaller[] = [];
  readonly #outside: NativeCaller;
  #frames = BACKTRACE_FRAMES + SPARE_FRAMES;
  readonly #words = new Int32Array(2);

  constructor(store: Store, fuel: bigint | undefined) {
    this.store = store;
    this.#depth = new WebAssembly.Global({ value: "i32" }, store.limits.depth);
    this.#outside = new NativeCaller(this, undefined);
    this.#unlimited = fuel === undefined;
    this.#granted = fuel ?? MOST_FUEL;
    this.#setFuel(this.#granted);
  }

  // ---- fuel

  get fuelUsed(): bigint {
    return this.#granted - this.#reserve - (this.#fuel.value as bigint);
  }

  get fuelLeft(): bigint | undefined {
    return this.#unlimited ? undefined : this.#reserve + (this.#fuel.value as bigint);
  }

  addFuel(fuel: bigint): void {
    this.#granted += fuel;
    this.#setFuel(this.#reserve + (this.#fuel.value as bigint) + fuel);
  }

  limitFuel(fuel: bigint | undefined): void {
    this.#unlimited = fuel === undefined;
    const granted = fuel ?? MOST_FUEL;
    this.#setFuel(this.#reserve + (this.#fuel.value as bigint) + granted - this.#granted);
    this.#granted = granted;
  }

  #setFuel(left: bigint): void {
    const held = left > MOST_FUEL ? MOST_FUEL : left;
    this.#reserve = left - held;
    this.#fuel.value = held;
    this.#setMark(held);
  }

  #setMark(before: bigint, step = LOOK.fuel): void {
    this.#mark.value = before > step ? before - step : 0n;
  }

  /** Code has come below the mark, with that much fuel left: the time to look around. */
  readonly #hit = (low: number, high: number): void => {
    this.store.interruption?.check();
    const left = (BigInt(high) << 32n) | BigInt(low >>> 0);
    // A block that costs more than the step would come here for ever.
    this.#step = left === this.#lastLook ? this.#step * 2n : LOOK.fuel;
    this.#lastLook = left;
    this.#setMark(left, this.#step);
  };

  /** Charges where code reads the global next; false when that was more than there is. */
  take(cost: number): boolean {
    const left = (this.#fuel.value as bigint) - BigInt(cost);
    this.#fuel.value = left;
    return left >= 0n;
  }

  charge(cost: number): void {
    if (!this.take(cost)) this.fail(TrapCode.OutOfFuel);
  }

  fail(code: TrapCode): never {
    throw this.#trap(code, undefined, []);
  }

  saveFuel(writer: SnapshotWriter): void {
    writer.u32(this.#unlimited ? 1 : 0);
    writer.i128(this.#granted);
    writer.i128(this.#reserve + (this.#fuel.value as bigint));
    writer.f64(0);
  }

  restoreFuel(reader: SnapshotReader): void {
    this.#unlimited = reader.flag();
    this.#granted = reader.i128();
    const left = reader.i128();
    // Only a pause has a credit.
    reader.f64();
    if (this.#granted < 0n || left > this.#granted || left < -MOST_FUEL) reader.refuse("impossible fuel");
    this.#setFuel(left);
  }

  checkAlive(): void {
    if (this.#dead) throw dead();
  }

  // ---- invocation

  call(entry: FunctionInstance, args: readonly Value[], options?: InvokeOptions): Value[] {
    this.checkAlive();
    const { params } = entry.type;
    if (args.length !== params.length)
      throw new UsageError("VM-ARGUMENT", `${params.length} arguments are expected, not ${args.length}`);
    const words = this.#words;
    const given: unknown[] = [];
    for (let k = 0; k < params.length; k++) {
      toCell(this.store, params[k]!, args[k]!, words, 0);
      given.push(this.references.toNative(params[k]!, words));
    }
    this.store.interruption?.check();
    if (options?.signal) this.#look(options.signal);
    const frames = limitFrames(this.#frames);
    this.state = "running";
    try {
      if (!entry.instance) return this.#callOutside(entry, args, options);
      const callable = this.#callables[entry.address] ?? this.#callable(entry, entry.instance);
      return this.#values(entry, callable(...given), options);
    } catch (error) {
      throw this.#failure(error, entry);
    } finally {
      limitFrames(frames);
      this.state = "idle";
      if (options?.signal) this.#look(undefined);
    }
  }

  start(entry: FunctionInstance): void {
    this.call(entry, []);
  }

  #values(entry: FunctionInstance, returned: unknown, options: ValueOptions | undefined): Value[] {
    const { results } = entry.type;
    if (results.length === 0) return [];
    const natives = results.length === 1 ? [returned] : (returned as unknown[]);
    const words = this.#words;
    return results.map((type, k) => {
      if (type === "i32" || type === "i64") return natives[k] as number | bigint;
      this.references.toCell(type, natives[k], words);
      return fromCell(this.store, type, words, 0, options);
    });
  }

  /** What calls a guest's function from JavaScript. */
  #callable(entry: FunctionInstance, instance: Instance): Callable {
    const { exports } = instance.native as CompiledInstance;
    const exported = exports[`x${entry.index}`] as Callable | undefined;
    const made = exported ?? this.#adapted(entry, instance);
    this.#callables[entry.address] = made;
    return made;
  }

  /** A function that only a reference names has no form for JavaScript among the exports. */
  #adapted(entry: FunctionInstance, instance: Instance): Callable {
    const f = this.references.native(entry.address);
    const adapter = new WebAssembly.Instance(adapterOf(entry.type), {
      a: { f, fuel: this.#fuel, depth: this.#depth },
    }).exports.x as Callable;
    return (...args) => {
      const returned = adapter(...args);
      if (this.#fuel.value >= 0n) return returned;
      const { module, number } = instance;
      const body = module.structure.bodies[entry.index - module.translation.importedFunctions]!;
      const name = module.functionName(entry.index);
      throw this.#trap(TrapCode.OutOfFuel, undefined, [
        { function: entry.index, offset: body.end - 1, name, instance: number },
      ]);
    };
  }

  /** A function of the host, or a call of `bytes`, that the embedder calls. */
  #callOutside(entry: FunctionInstance, args: readonly Value[], options: InvokeOptions | undefined): Value[] {
    const { params, results } = entry.type;
    const cells = new Int32Array(2 * Math.max(params.length, results.length, 1));
    params.forEach((type, k) => {
      toCell(this.store, type, args[k]!, cells, 2 * k);
    });
    const before = this.#fuel.value as bigint;
    this.charge(entry.price(cells, 0));
    if (entry.bytes) {
      try {
        runBytes(entry.bytes, this.store.heap, cells, 0, entry.importer!);
      } catch (error) {
        this.#fuel.value = before;
        throw error;
      }
    } else this.#callHost(entry.host!, cells);
    return results.map((type, k) => fromCell(this.store, type, cells, 2 * k, options));
  }

  #callHost(host: HostFunction, cells: Int32Array): void {
    const { params, results } = host.type;
    const floats = new Float32Array(cells.buffer);
    const doubles = new Float64Array(cells.buffer);
    const words = params.flatMap((type, k) => {
      if (type === "f64" || type === "f32") {
        const value = type === "f64" ? doubles[k]! : floats[2 * k]!;
        return [value === value ? value : Number.NaN];
      }
      return type === "i64" ? [cells[2 * k]!, cells[2 * k + 1]!] : [cells[2 * k]!];
    });
    const caller = this.#outside;
    const { interruption } = this.store;
    interruption?.enter();
    try {
      caller.look?.();
      caller.enter(host.type);
      const result = host.call(caller, ...words);
      if (results.length === 1 && result !== undefined) {
        if (results[0] === "i32") caller.setI32(0, result);
        else if (results[0] === "f32") caller.setF32(0, result);
        else if (results[0] === "f64") caller.setF64(0, result);
      }
    } finally {
      interruption?.leave();
    }
    cells.set(this.store.heap.words.subarray(0, 2 * results.length));
  }

  // ---- host calls

  caller(instance: number): NativeCaller {
    this.#callers[instance] ??= new NativeCaller(this, this.store.instances[instance]);
    return this.#callers[instance];
  }

  /** Number of the instance that calls a host function which other instances can call, too. */
  callerNumber(): number {
    return this.#caller?.value as number;
  }

  /** Callers look at the signal from now on. */
  #look(signal: AbortLike | undefined): void {
    const look =
      signal &&
      ((): void => {
        if (signal.aborted) throw new Stopped();
      });
    for (const caller of [this.#outside, ...this.#callers, ...this.#boundCallers]) caller.look = look;
  }

  // ---- linking

  instantiate(instance: Instance, linked: readonly Linked[]): CompiledInstance {
    const { module } = instance;
    const linkage = linkageOf(module, linked);
    const ordinal = linkage.shares ? (this.#ordinals.get(module) ?? 0) : 0;
    const image = imageOf(module, linkage, ordinal);
    const caller = new NativeCaller(this, instance);
    const boundCaller = new NativeCaller(this, instance);
    const a: Record<string, WebAssembly.ImportValue> = {};
    for (const name of image.imports) a[name] = this.#import(name, { instance, linked, linkage, caller, boundCaller });
    const { exports } = hostMemory(() => new WebAssembly.Instance(image.native, { a }));
    this.#callers[instance.number] = caller;
    this.#boundCallers[instance.number] = boundCaller;
    if (linkage.shares) this.#ordinals.set(module, ordinal + 1);
    const known = this.#instances.get(image.number);
    if (known === undefined) this.#instances.set(image.number, { image, instances: [instance] });
    else {
      known.instances.push(instance);
      // Who is who shows in the frames further out only.
      this.#frames = ALL_FRAMES;
    }
    const { declared } = image.code;
    const place = this.#instances.get(image.number)!.instances.length - 1;
    if (declared.length > 0)
      this.references.add({
        table: exports.p,
        declared,
        address: (k) => instance.functions[declared[k]!]!.address,
        forwarded: (native, address) => this.#forwarded(native, address, place),
      });
    return new CompiledInstance(this.references, module, exports);
  }

  /**
   * Frames of instances that run the same code look the same. So functions of all but the first are called from outside
   * through a forwarder, whose frame tells whose the next is.
   */
  #forwarded(native: NativeFunction, address: number, place: number): NativeFunction {
    const { type, instance } = this.store.functions[address]!;
    if (place === 0 || !instance) return native;
    return new WebAssembly.Instance(forwarderOf(type, place), { a: { f: native } }).exports.x as NativeFunction;
  }

  #import(name: string, link: Link): WebAssembly.ImportValue {
    const { instance } = link;
    const { references } = this;
    switch (name) {
      case "fuel":
        return this.#fuel;
      case "mark":
        return this.#mark;
      case "depth":
        return this.#depth;
      case "caller":
        this.#caller ??= new WebAssembly.Global({ value: "i32", mutable: true }, 0);
        return this.#caller;
      case "instance":
        return new WebAssembly.Global({ value: "i32" }, instance.number);
      case "slots":
        return new WebAssembly.Global({ value: "i32" }, this.store.limits.heapObjects);
      case "memory":
        return (instance.memory0 as Memory).native;
      case "heap":
        return this.store.heap.madeMemory();
      case "hit":
        return this.#hit;
      case "grow":
        return (delta: number) => (instance.memory0 as Memory).grow(delta >>> 0);
      case "dropData":
        return (segment: number) => instance.dropData(segment);
      case "dropElements":
        return (segment: number) => instance.dropElements(segment);
      case "rw":
        return (word: number) => this.store.heap.words[word]!;
      case "rf":
        return (result: number) => references.fromNumber("funcref", this.store.heap.words[2 * result]!);
      case "rx":
        return (result: number) => references.fromNumber("externref", this.store.heap.words[2 * result]!);
    }
    const index = Number(name.slice(1));
    switch (name[0]) {
      case "i":
        return this.#functionImport(link.linked[index]!, link);
      case "b":
        return bytesImport(this, index, instance);
      case "t":
        return this.#table(instance.tables[index]!);
      case "g":
        return this.#global(instance.globals[index]!);
      default:
        throw new Error(`compiled code imports ${name}, which nothing gives`);
    }
  }

  #functionImport(linked: Linked, { linkage, caller, boundCaller }: Link): WebAssembly.ImportValue {
    if (linked instanceof FunctionInstance && !linked.host) return this.references.native(linked.address);
    const host = linked instanceof FunctionInstance ? linked.host! : (linked as HostFunction);
    return hostImport(this, host, linkage.shares, caller, boundCaller);
  }

  #table(table: Table): WebAssembly.Table {
    if (!table.native) table.adopt(new NativeTable(this.references, table.element, table.length, table.ceiling));
    return (table.native as NativeTable).table;
  }

  #global(global: Global): WebAssembly.Global {
    // Own globals are mutable for V8, so that a restore can set them; of an immutable one everybody has a copy.
    if (!global.type.mutable) return NativeGlobal.of(this.references, global.type, global.read()).global;
    global.native ??= NativeGlobal.of(this.references, global.type, global.words);
    return (global.native as NativeGlobal).global;
  }

  // ---- traps

  /** What an invocation ends with that threw `error`. */
  #failure(error: unknown, entry: FunctionInstance): unknown {
    if (error instanceof Fault) {
      const frames = entry.instance ? framesOf(error).frames : [];
      return this.#trap(error.code, error.detail, this.#backtrace(frames, entry));
    }
    // Where V8 looks at a function not before it is called.
    if (error instanceof WebAssembly.CompileError) return refusedByV8(error);
    if (error instanceof WebAssembly.RuntimeError) {
      const { frames, innermost } = framesOf(error);
      const first = innermost ? this.#instances.get(frames[0]!.image) : undefined;
      // One that a host function made is the host's.
      if (!first) return error;
      const code = first.image.code.site(frames[0]!.function, frames[0]!.offset)?.trap || codeOfMessage(error.message);
      return this.#trap(code, undefined, this.#backtrace(frames, entry));
    }
    if (error instanceof RangeError && error.message.startsWith("Maximum call stack size")) {
      const isGuests = framesOf(error).frames.some(({ image }) => this.#instances.has(image));
      if (isGuests)
        return new UsageError(
          "VM-HOST-STACK",
          "the host's stack is too small for the guest's calls: set a lower limit `depth`, or run on a thread with a larger stack",
        );
    }
    return error;
  }

  #trap(code: TrapCode, detail: string | undefined, backtrace: readonly Frame[]): Trap {
    if (code === TrapCode.OutOfFuel) this.#dead = true;
    return new Trap(code, detail, this.fuelUsed, false, backtrace);
  }

  /** The guest's frames up to the entry of this invocation, innermost first. */
  #backtrace(frames: readonly NativeFrame[], entry: FunctionInstance): Frame[] {
    const found: Found[] = [];
    for (const [k, frame] of frames.entries()) {
      const inner = found.at(-1);
      if (frame.image < 0 && inner) inner.instance = inner.instances[-frame.image];
      const known = this.#instances.get(frame.image);
      if (!known) {
        if (frame.image === 0) break;
        continue;
      }
      const { code } = known.image;
      const origin = code.origin(frame.function);
      if (origin.kind === "skip") continue;
      const site = code.site(frame.function, frame.offset);
      if (site && (origin.kind === "guest" || (k === 0 && site.trap !== 0)))
        found.push({ instances: known.instances, function: origin.function, offset: site.offset });
      if (origin.kind === "wrapper") break;
    }
    const backtrace: Frame[] = [];
    let outer: Instance | undefined;
    for (const { instance: forwarded, instances, function: index, offset } of found.reverse()) {
      const instance: Instance = forwarded ?? whichOf(instances, outer ?? entry.instance!);
      backtrace.push({ function: index, offset, name: instance.module.functionName(index), instance: instance.number });
      outer = instance;
    }
    return backtrace.reverse().slice(0, BACKTRACE_FRAMES);
  }
}

/** A frame of a guest. */
interface Found {
  /** Those that run the code, and which of them it is, if a forwarder tells. */
  readonly instances: readonly Instance[];
  instance?: Instance | undefined;
  readonly function: number;
  readonly offset: number;
}

/** Where the frames of several instances look the same, all of them are captured. */
const ALL_FRAMES = 100_000;

interface Link {
  readonly instance: Instance;
  readonly linked: readonly Linked[];
  readonly linkage: Linkage;
  readonly caller: NativeCaller;
  readonly boundCaller: NativeCaller;
}

/** The one of `instances` that runs code called by `outer`: itself, as such instances call none of the others, or the first. */
function whichOf(instances: readonly Instance[], outer: Instance): Instance {
  return instances.includes(outer) ? outer : instances[0]!;
}

/** An instance of a rewritten module. */
export class CompiledInstance implements NativeInstance {
  readonly exports: WebAssembly.Instance["exports"];
  readonly globals: readonly NativeGlobal[];

  constructor(references: References, module: Module, exports: WebAssembly.Instance["exports"]) {
    this.exports = exports;
    const { imports, globals } = module.structure;
    const imported = imports.filter(({ type }) => type.kind === "global").length;
    this.globals = globals.map(({ type }, k) => new NativeGlobal(references, type.value, exports[`g${imported + k}`]));
  }

  initElements(segment: number, offset: number): void {
    this.exports[`e${segment}`](offset);
  }

  dropData(segment: number): void {
    this.exports[`dd${groupOf(segment)}`]?.(segment);
  }

  dropElements(segment: number): void {
    this.exports[`de${segment}`]?.();
  }

  setWindow(slot: number, generation: number): void {
    const { w } = this.exports;
    if (w) w.value = (BigInt(generation) << 32n) | BigInt(slot);
  }
}

function dead(): UsageError {
  return new UsageError("VM-DEAD", "the store ran out of fuel on the compiled engine: nothing can run in it any more");
}

const MESSAGES: readonly (readonly [RegExp, TrapCode])[] = [
  [/^unreachable/, TrapCode.Unreachable],
  [/by zero/, TrapCode.IntegerDivideByZero],
  [/^divide result unrepresentable/, TrapCode.IntegerOverflow],
  [/^float unrepresentable/, TrapCode.InvalidConversion],
  [/^memory access|^data segment/, TrapCode.MemoryOutOfBounds],
  [/^table|^element segment/, TrapCode.TableOutOfBounds],
  [/signature mismatch|^null function/, TrapCode.IndirectCall],
];

/** V8's message of a trap whose cause the code does not tell. */
function codeOfMessage(message: string): TrapCode {
  const found = MESSAGES.find(([pattern]) => pattern.test(message));
  if (found === undefined) throw new Error(`V8 has a trap that is not known here: ${message}`);
  return found[1];
}
