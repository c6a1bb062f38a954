/**
 * The one execution that a store can have at a time: stack, frames, fuel and depth of the reference engine. It drives
 * the loop of `interpreter.ts` and does what that loop stops for.
 */

import type { FunctionType } from "../bytecode/structure.ts";
import { type BytesCall, runBytes } from "../bytes.ts";
import { Stopped, UsageError } from "../errors.ts";
import type { Execution, InvokeOptions } from "../execution.ts";
import { BYTES_SHIFT } from "../fuel.ts";
import type { FuelProfile } from "../fuel-profile.ts";
import { type Caller, checkCharge, type FunctionInstance, type HostFunction, type Results } from "../function.ts";
import type { Heap } from "../heap.ts";
import type { Instance } from "../instance.ts";
import type { AbortLike } from "../interruption.ts";
import { Memory } from "../memory.ts";
import type { SnapshotReader, SnapshotWriter } from "../snapshot.ts";
import type { Store } from "../store.ts";
import { BACKTRACE_FRAMES, Exhausted, Fault, type Frame, Trap, TrapCode } from "../trap.ts";
import { FIRST_STACK_CELLS, FUEL_SLICE, INTERRUPTED_FUEL_SLICE } from "../tuning.ts";
import { fromCell, toCell, type Value } from "../value.ts";
import { run, Stop } from "./interpreter.ts";
import { NAN32, NAN64_HIGH } from "./numeric.ts";
import { callLength, EnterWord, HEADER_WORDS, Operation, RETURN_TO_HOST } from "./operations.ts";
import { type Code, translate } from "./translate.ts";

/** Where an execution stands: the instruction that runs next. */
export interface Position {
  readonly instance: number;
  readonly function: number;
  /** Byte offset of the instruction in the guest's module. */
  readonly offset: number;
}

/** Called before every instruction while a store has hooks (spec VM-HOOK-1). */
export interface Hooks {
  instruction?(position: Position): void;
}

/** How a saved execution stands: at an operation that can stop, to be done over; or before an instruction, while stepping. */
const AT_POINT = 1;
const AT_PROBE = 2;

/** What an account without a limit begins with. */
const MOST_FUEL = 1n << 62n;

/** Cells beyond the depth limit: arguments of the entry, uncounted leaves, and the header of the frame that traps. */
const SPARE_CELLS = 4096;

export class Activation implements Execution {
  readonly store: Store;
  readonly #profile: FuelProfile | undefined;
  state: "idle" | "running" | "paused" = "idle";
  /** True when the last execution came to its end: its results are in the first cells. */
  ended = false;

  words: Int32Array = new Int32Array(0);
  floats: Float32Array = new Float32Array(0);
  doubles: Float64Array = new Float64Array(0);

  // What the loop takes up and leaves behind.
  pc = 0;
  fp = 0;
  depth = 0;
  instance!: Instance;
  code!: Code;
  /**
   * Fuel is `reserve + fuel`; the loop counts in the int32 slice `fuel` and asks for more by {@link refill}. Outside the
   * loop the slice is negative when the sum is, since the loop tests the slice only.
   */
  fuel = 0;
  reserve = 0n;
  granted = 0n;
  unlimited = true;
  /** Charged already by the operation at pc, which will charge it again when the pause ends. */
  credit = 0;
  trapCode: TrapCode = TrapCode.Unreachable;
  callee = 0;
  calleeBase = 0;
  target!: FunctionInstance;

  /** The function whose invocation this is; it has the results' types. */
  entry!: FunctionInstance;
  /** Instructions until the next pause while stepping; -1 when not. */
  #steps = -1;
  #published = 0;
  #publishedReserve = 0n;
  readonly #caller: HostCaller;
  readonly #argumentWords: number[] = [];
  // Of the host call that runs: where its cells are, what stood in those of its results, and what it has charged.
  #calledBase = 0;
  #resultWords = 0;
  readonly #overwritten: number[] = [];
  #charged = 0;
  readonly #slice: bigint;
  /** Of the invocation: looked at before each host call. */
  #signal: AbortLike | undefined;

  constructor(store: Store, fuel: bigint | undefined) {
    this.store = store;
    this.#profile = store.profile;
    this.#caller = new HostCaller(this);
    this.#slice = store.interruption ? INTERRUPTED_FUEL_SLICE : FUEL_SLICE;
    this.unlimited = fuel === undefined;
    this.granted = fuel ?? MOST_FUEL;
    this.reserve = this.granted;
  }

  // ---- fuel

  /** Everything charged so far, debt included. */
  get fuelUsed(): bigint {
    return this.granted - this.reserve - BigInt(this.fuel);
  }

  get fuelLeft(): bigint | undefined {
    return this.unlimited ? undefined : this.reserve + BigInt(this.fuel);
  }

  addFuel(fuel: bigint): void {
    this.granted += fuel;
    this.reserve += fuel;
    // With more granted the same reserve means something else.
    this.#usedReserve = undefined;
    this.#publishedReserve += fuel;
  }

  limitFuel(fuel: bigint | undefined): void {
    this.unlimited = fuel === undefined;
    const granted = fuel ?? MOST_FUEL;
    this.reserve += granted - this.granted + BigInt(this.fuel);
    this.granted = granted;
    this.#usedReserve = undefined;
    this.refill(0);
  }

  /** Called with a negative slice: a new one, or a negative number when there is no fuel left. */
  refill(fuel: number): number {
    this.fuel = fuel;
    if (fuel < 0) this.store.interruption?.check();
    const total = this.reserve + BigInt(fuel);
    const slice = total < 0n ? -1n : total > this.#slice ? this.#slice : total;
    this.reserve = total - slice;
    this.fuel = Number(slice);
    return this.fuel;
  }

  /** Charges an amount that the slice cannot hold; the answer is negative, so that the caller refills. */
  chargeLarge(fuel: number, cost: number): number {
    this.reserve += BigInt(fuel + 1) - BigInt(cost);
    return -1;
  }

  /** Charges and tests outside the loop (instantiation); throws OutOfFuel. */
  charge(cost: number): void {
    this.reserve -= BigInt(cost);
    // The slice is dealt anew: one from before would hide from the loop that nothing is left.
    if (this.refill(this.fuel) < 0) this.fail(TrapCode.OutOfFuel);
  }

  /** A trap that no guest instruction raised. */
  fail(code: TrapCode): never {
    throw new Trap(code, undefined, this.fuelUsed, false, []);
  }

  /** Gives up the paused execution; `trap` as one that cannot be resumed. */
  #abandon(trap: Trap): Trap {
    this.state = "idle";
    this.credit = 0;
    return new Trap(trap.code, undefined, trap.fuel, false, trap.backtrace);
  }

  bytesBulk(call: BytesCall, base: number): number {
    return typeof call.fuel === "number" ? 0 : this.words[base + 2 * call.fuel.lengthArgument]! >>> BYTES_SHIFT;
  }

  // ---- the profile, whose counts are numbers

  /** The reserve for which `#usedBefore` was computed, and the fuel used without that of the slice. */
  #usedReserve: bigint | undefined;
  #usedBefore = 0;

  #used(fuel: number): number {
    if (this.reserve !== this.#usedReserve) {
      this.#usedReserve = this.reserve;
      this.#usedBefore = Number(this.granted - this.reserve);
    }
    return this.#usedBefore - fuel;
  }

  /** Everything charged so far. */
  profiledFuel(): number {
    return this.#used(this.fuel);
  }

  /** Function `index` runs, and has charged its first block. */
  entered(index: number, cost: number, fuel: number): void {
    this.#profile!.enter(this.instance.functions[index]!.address, cost, this.#used(fuel));
  }

  leaving(fuel: number): void {
    this.#profile!.leave(this.#used(fuel));
  }

  /** Back to the last publication (spec VM-FUEL-7). */
  #revert(): void {
    const used = this.profiledFuel();
    this.fuel = this.#published;
    this.reserve = this.#publishedReserve;
    this.#profile?.trap(used, this.profiledFuel());
  }

  /** Charges for the host call that runs, which has done nothing yet. */
  chargeCall(cost: number): void {
    this.fuel = cost < 0x40000000 ? (this.fuel - cost) | 0 : this.chargeLarge(this.fuel, cost);
    this.#charged += cost;
    const isOut = this.fuel < 0 && this.refill(this.fuel) < 0;
    this.#publish();
    this.#profile?.charge(cost, this.profiledFuel());
    if (!isOut) return;
    if (!this.entry.instance) this.fail(TrapCode.OutOfFuel);
    throw new Exhausted();
  }

  /** Makes the operation at pc one that has charged but not called, so that a resumption does it over. */
  #undoCall(): void {
    for (let k = 0; k < this.#resultWords; k++) this.words[this.#calledBase + k] = this.#overwritten[k]!;
    this.credit = this.#charged;
    this.#profile?.uncall(this.#charged);
  }

  #publish(): void {
    this.#published = this.fuel;
    this.#publishedReserve = this.reserve;
  }

  // ---- invocation

  /** Starts `entry`; `plain` code is for stepping and hooks. An execution that was paused is given up. */
  begin(entry: FunctionInstance, args: readonly Value[]): void {
    const { params } = entry.type;
    if (args.length !== params.length)
      throw new UsageError("VM-ARGUMENT", `${params.length} arguments are expected, not ${args.length}`);
    // Not on the stack before all of them are known to be good: it may hold a paused execution.
    const cells = new Int32Array(2 * params.length);
    params.forEach((type, k) => {
      toCell(this.store, type, args[k]!, cells, 2 * k);
    });
    this.state = "idle";
    this.ended = false;
    this.#fit(2 * (params.length + entry.type.results.length) + HEADER_WORDS);
    this.words.set(cells);
    this.entry = entry;
    this.credit = 0;
    this.depth = this.store.limits.depth;
    this.#publish();
    this.#profile?.begin(this.profiledFuel());
    if (entry.instance) this.#enter(entry, entry.instance, 0, RETURN_TO_HOST, 0, 0);
  }

  /** Runs to the end. */
  finish(options?: InvokeOptions): Value[] {
    this.#signal = options?.signal;
    try {
      this.store.interruption?.check();
      if (this.entry.instance) this.#drive();
      else this.#callDirectly();
    } finally {
      this.#signal = undefined;
    }
    return this.results(options);
  }

  call(entry: FunctionInstance, args: readonly Value[], options?: InvokeOptions): Value[] {
    this.begin(entry, args);
    return this.finish(options);
  }

  start(entry: FunctionInstance): void {
    try {
      this.call(entry, []);
    } catch (error) {
      if (error instanceof Trap && this.state === "paused") throw this.#abandon(error);
      throw error;
    }
  }

  instantiate(): undefined {}

  checkAlive(): void {}

  /** Runs `count` instructions, or with 0 to the first; false when the execution has ended. */
  step(count: number): boolean {
    this.#redo();
    if (!this.code.plain) this.#change(true);
    this.#steps = count;
    try {
      return this.#drive();
    } finally {
      this.#steps = -1;
    }
  }

  /** Adds fuel before a paused execution goes on. */
  resume(fuel: bigint): void {
    this.addFuel(fuel);
    this.#redo();
    if (this.store.hooks && !this.code.plain) this.#change(true);
  }

  /** After OutOfFuel the operation that stopped is done over: tests, and gives back what it charged. */
  #redo(): void {
    if (this.state !== "paused" || this.code.words[this.pc] === Operation.Probe) return;
    if (this.reserve + BigInt(this.fuel) < 0n) throw this.#trap(TrapCode.OutOfFuel, undefined, true);
    this.reserve += BigInt(this.credit);
    this.credit = 0;
  }

  get position(): Position {
    const index = this.code.functionAt(this.pc);
    return { instance: this.instance.number, function: index, offset: this.#site(this.instance, this.code, this.pc) };
  }

  results(options?: { readonly bits?: boolean }): Value[] {
    return this.entry.type.results.map((type, k) => fromCell(this.store, type, this.words, 2 * k, options));
  }

  /** A host function that an instance exports again, called by the embedder. */
  #callDirectly(): void {
    this.state = "running";
    try {
      this.charge(this.entry.price(this.words, 0));
      this.callHost(this.entry, 0);
      this.ended = true;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      this.#revert();
      throw this.#trap(error.code, error.detail, false);
    } finally {
      this.state = "idle";
    }
  }

  /** Runs until the execution ends or pauses; false when it has ended. */
  #drive(): boolean {
    this.state = "running";
    let paused = false;
    try {
      // A probe that stopped a step is done with.
      if (this.code.words[this.pc] === Operation.Probe) this.pc++;
      for (;;) {
        switch (run(this)) {
          case Stop.Return:
            if (this.refill(this.fuel) < 0 && this.#isOutermost()) {
              this.credit = 0;
              paused = true;
              throw this.#trap(TrapCode.OutOfFuel, undefined, true);
            }
            if (this.#leave()) {
              this.ended = true;
              return false;
            }
            continue;
          case Stop.Fuel:
            paused = true;
            throw this.#trap(TrapCode.OutOfFuel, undefined, true);
          case Stop.Trap:
            throw new Fault(this.trapCode);
          case Stop.Translate:
            translate(this.instance.module.translation, this.code, this.callee);
            continue;
          case Stop.Again:
            continue;
          case Stop.Grow:
            this.#fit(this.calleeBase);
            continue;
          case Stop.Cross: {
            const next = this.pc + callLength(this.code.words[this.pc]!);
            const { target, instance } = this;
            this.#enter(target, target.instance!, this.calleeBase, -2 - next, this.fp, instance.number);
            continue;
          }
          case Stop.Probe:
            if (!this.#probe()) continue;
            paused = true;
            return true;
        }
      }
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      if (error instanceof Exhausted) {
        this.#undoCall();
        paused = true;
        throw this.#trap(TrapCode.OutOfFuel, undefined, true);
      }
      this.#revert();
      throw this.#trap(error.code, error.detail, false);
    } finally {
      if (paused) this.#publish();
      this.state = paused ? "paused" : "idle";
    }
  }

  /** At a probe: calls the hooks, counts steps, or goes over to the fast code. True to pause. */
  #probe(): boolean {
    this.store.hooks?.instruction?.(this.position);
    if (this.#steps === 0 || (this.#steps > 0 && --this.#steps === 0)) return true;
    this.pc++;
    if (this.#steps < 0 && !this.store.hooks && this.#isPoint()) this.#change(false);
    return false;
  }

  /** Pushes the frame of a guest function whose arguments stand at `base`. */
  #enter(
    fn: FunctionInstance,
    instance: Instance,
    base: number,
    back: number,
    callerBase: number,
    caller: number,
  ): void {
    const code = this.#codeOf(instance, back === RETURN_TO_HOST ? this.store.hooks !== undefined : this.code.plain);
    const enter = translate(instance.module.translation, code, fn.index);
    this.#fit(base + code.words[enter + EnterWord.need]!);
    const header = base + code.words[enter + EnterWord.header]!;
    this.words[header] = back;
    this.words[header + 1] = callerBase;
    this.words[header + 2] = caller;
    this.instance = instance;
    this.code = code;
    this.fp = base;
    this.pc = enter;
  }

  #isOutermost(): boolean {
    return this.words[this.fp + this.code.words[this.pc + 1]!] === RETURN_TO_HOST;
  }

  /** Does a Return whose caller is not in this instance; true when that is the host. */
  #leave(): boolean {
    const c = this.code.words;
    const s = this.words;
    const { pc, fp } = this;
    const header = fp + c[pc + 1]!;
    const back = s[header]!;
    const base = s[header + 1]!;
    const caller = s[header + 2]!;
    const operation = c[pc]!;
    const results = operation === Operation.Return ? c[pc + 3]! : operation === Operation.Return1 ? 1 : 0;
    if (results > 0) {
      const from = fp + c[pc + (results === 1 ? 3 : 4)]!;
      s.copyWithin(fp, from, from + 2 * results);
    }
    if (back === RETURN_TO_HOST) return true;
    this.depth += c[pc + 2]!;
    this.fp = base;
    this.pc = -2 - back;
    this.instance = this.store.instances[caller]!;
    this.code = this.#codeOf(this.instance, this.code.plain);
    return false;
  }

  #codeOf({ module }: Instance, plain: boolean): Code {
    return module.code(plain, this.#profile !== undefined);
  }

  /** Makes the stack hold `words` words at least; what it holds stays. */
  #fit(words: number): void {
    if (words <= this.words.length) return;
    const most = 2 * (this.store.limits.depth + SPARE_CELLS);
    const length = Math.min(most, Math.max(2 * FIRST_STACK_CELLS, 2 * this.words.length, words));
    let buffer: ArrayBuffer;
    try {
      buffer = new ArrayBuffer(4 * Math.max(length, words));
    } catch {
      throw new UsageError("VM-HOST-MEMORY", `the host has no room for a stack of ${length / 2} cells`);
    }
    const grown = new Int32Array(buffer);
    grown.set(this.words);
    this.words = grown;
    this.floats = new Float32Array(buffer);
    this.doubles = new Float64Array(buffer);
  }

  // ---- host calls

  /** Calls a host function, or a call of `bytes` that came through a table, on the cells at `base`. */
  callHost(target: FunctionInstance, base: number): void {
    const s = this.words;
    if (target.bytes) {
      runBytes(target.bytes, this.store.heap, s, base, target.importer!);
      return;
    }
    this.#publish();
    const price = target.price(s, base);
    this.#charged = price;
    this.#profile?.host(target.address, price, this.profiledFuel());
    const { params, results } = target.type;
    const count = this.#arguments(params, base);
    const caller = this.#caller;
    caller.enter(this.entry === target ? undefined : this.instance, target.type, base);
    this.#calledBase = base;
    this.#resultWords = 2 * results.length;
    for (let k = 0; k < this.#resultWords; k++) {
      this.#overwritten[k] = s[base + k]!;
      s[base + k] = 0;
    }
    const result = this.#interruptible(target.host!, count);
    if (results.length !== 1 || result === undefined) return;
    const single = results[0]!;
    if (single === "i32") s[base] = result;
    else if (single === "f32") caller.results.setF32(0, result);
    else if (single === "f64") caller.results.setF64(0, result);
  }

  /** Calls on the first `count` words, unless the embedder wants a stop. */
  #interruptible(host: HostFunction, count: number): ReturnType<HostFunction["call"]> {
    if (this.#signal?.aborted) throw new Stopped();
    const { interruption } = this.store;
    if (!interruption) return callWords(host, this.#caller, this.#argumentWords, count);
    interruption.enter();
    try {
      return callWords(host, this.#caller, this.#argumentWords, count);
    } finally {
      interruption.leave();
    }
  }

  /** Reads the arguments into `#argumentWords`; how many words they are. */
  #arguments(params: FunctionType["params"], base: number): number {
    const words = this.#argumentWords;
    let count = 0;
    for (let k = 0, at = base; k < params.length; k++, at += 2) {
      const type = params[k]!;
      if (type === "f64" || type === "f32") {
        const value = type === "f64" ? this.doubles[at >> 1]! : this.floats[at]!;
        // JavaScript shows what bits a NaN has.
        words[count++] = value === value ? value : Number.NaN;
      } else {
        words[count++] = this.words[at]!;
        if (type === "i64") words[count++] = this.words[at + 1]!;
      }
    }
    return count;
  }

  // ---- traps

  #site(instance: Instance, code: Code, pc: number): number {
    const structure = instance.module.structure;
    const body = structure.bodies[code.functionAt(pc) - instance.module.translation.importedFunctions]!;
    const operation = code.words[pc]!;
    if (operation === Operation.Enter) return body.code;
    if (isReturn(operation)) return body.end - 1;
    return code.sites[pc]!;
  }

  #trap(code: TrapCode, detail: string | undefined, resumable: boolean): Trap {
    return new Trap(code, detail, this.fuelUsed, resumable, this.entry?.instance ? this.frames(BACKTRACE_FRAMES) : []);
  }

  /** The innermost `most` frames, innermost first. */
  frames(most: number): Frame[] {
    const frames: Frame[] = [];
    for (const { instance, code, index, pc } of this.#walk()) {
      const offset = frames.length === 0 ? this.#site(instance, code, pc) : code.sites[pc]!;
      frames.push({ function: index, offset, name: instance.module.functionName(index), instance: instance.number });
      if (frames.length === most) break;
    }
    return frames;
  }

  /** The frames, innermost first; `pc` is in the operation that runs or calls, `header` the words of the return. */
  *#walk(): Generator<{ instance: Instance; code: Code; index: number; pc: number; header: number }> {
    let { instance, code, pc, fp } = this;
    for (;;) {
      const index = code.functionAt(pc);
      const header = fp + code.words[code.entries[index]! + EnterWord.header]!;
      let back = this.words[header]!;
      const base = this.words[header + 1]!;
      const caller = this.words[header + 2]!;
      yield { instance, code, index, pc, header };
      if (back === RETURN_TO_HOST) return;
      if (back < 0) {
        instance = this.store.instances[caller]!;
        code = this.#codeOf(instance, code.plain);
        back = -2 - back;
      }
      fp = base;
      pc = back - 1;
    }
  }

  // ---- snapshots (spec VM-SNAPSHOT-3)

  /** The paused execution: entry, depth, frames innermost first, and the stack up to the end of the innermost frame. */
  save(writer: SnapshotWriter): void {
    const { code, pc, words } = this;
    const atProbe = code.words[pc] === Operation.Probe;
    writer.u32(atProbe ? AT_PROBE : AT_POINT);
    writer.u32(this.entry.instance!.number);
    writer.u32(this.entry.index);
    writer.u32(this.depth);
    const frames = [...this.#walk()];
    writer.u32(frames.length);
    for (const frame of frames) {
      writer.u32(frame.instance.number);
      writer.u32(frame.index);
      writer.u32(frame.code.sites[frame.pc]!);
    }
    writer.u32(this.fp);
    const enter = code.entries[code.functionAt(pc)]!;
    const stack = words.slice(0, this.fp + code.words[enter + EnterWord.need]!);
    // Return addresses depend on what was translated when; the frames above stand for them.
    for (const { header } of frames) {
      stack[header] = 0;
      stack.fill(0, header + 2, header + HEADER_WORDS);
    }
    writer.words(stack);
  }

  saveFuel(writer: SnapshotWriter): void {
    writer.u32(this.unlimited ? 1 : 0);
    writer.i128(this.granted);
    writer.i128(this.reserve + BigInt(this.fuel));
    writer.f64(this.credit);
  }

  restoreFuel(reader: SnapshotReader): void {
    this.unlimited = reader.flag();
    this.granted = reader.i128();
    this.reserve = reader.i128();
    this.refill(0);
    this.credit = reader.f64();
    if (this.granted < 0n || this.reserve > this.granted || !(Number.isSafeInteger(this.credit) && this.credit >= 0))
      reader.refuse("impossible fuel");
  }

  /** `savedDepth` is the limit that the snapshot's depth counts from. */
  restore(reader: SnapshotReader, savedDepth: number): void {
    const kind = reader.u32();
    if (kind !== AT_POINT && kind !== AT_PROBE) reader.refuse("no such kind of pause");
    const plain = kind === AT_PROBE;
    this.entry = this.store.instances[reader.u32()]?.functions[reader.u32()] ?? reader.refuse("no such entry function");
    const depthLeft = reader.u32();
    const frames: Position[] = [];
    for (let count = reader.count(12); count > 0; count--)
      frames.push({ instance: reader.u32(), function: reader.u32(), offset: reader.u32() });
    let depthUsed = 0;
    let fp = reader.u32();
    const words = reader.words();
    this.#fit(words.length);
    this.words.set(words);
    if (frames.length === 0) reader.refuse("a paused execution without a frame");
    let above: { header: number; fp: number; instance: number } | undefined;
    for (const frame of frames) {
      const instance = this.store.instances[frame.instance] ?? reader.refuse("no such instance");
      const { translation } = instance.module;
      const own = frame.function - translation.importedFunctions;
      if (own < 0 || own >= translation.structure.bodies.length) reader.refuse("no such function");
      const code = this.#codeOf(instance, plain);
      const enter = translate(translation, code, frame.function);
      const innermost = above === undefined;
      const map = innermost && plain ? code.probes : code.points;
      const pc = map[frame.function]!.get(frame.offset) ?? reader.refuse("no place to go on from");
      const operation = code.words[pc]!;
      // The Enter that stopped for fuel has not taken its slots yet.
      if (operation !== Operation.Enter) depthUsed += code.words[enter + EnterWord.slots]!;
      if (above === undefined) {
        if (fp + code.words[enter + EnterWord.need]! !== words.length) reader.refuse("a stack of another size");
        this.instance = instance;
        this.code = code;
        this.pc = pc;
        this.fp = fp;
      } else {
        if (operation < Operation.Call || operation > Operation.CallIndirect)
          reader.refuse("a frame that does not call");
        const base = fp + code.words[pc + callLength(operation) - 1]!;
        if (base !== above.fp) reader.refuse("a frame that is not where its caller's arguments are");
        const next = pc + callLength(operation);
        this.words[above.header] = above.instance === frame.instance ? next : -2 - next;
        this.words[above.header + 2] = frame.instance;
      }
      const header = fp + code.words[enter + EnterWord.header]!;
      above = { header, fp, instance: frame.instance };
      fp = this.words[header + 1]!;
    }
    const outermost = frames.at(-1)!;
    if (
      above!.fp !== 0 ||
      outermost.instance !== this.entry.instance?.number ||
      outermost.function !== this.entry.index
    )
      reader.refuse("an outermost frame that is not the entry's");
    if (depthLeft + depthUsed !== savedDepth) reader.refuse("frames of another depth");
    this.depth = this.store.limits.depth - depthUsed;
    if (this.depth < 0) reader.refuse("frames deeper than the limit allows");
    this.words[above!.header] = RETURN_TO_HOST;
    this.#publish();
    this.state = "paused";
  }

  // ---- going from one form of the code to the other

  /** True where both forms hold the same state: at the operations that a snapshot can name. */
  #isPoint(): boolean {
    const { code, pc } = this;
    return code.points[code.functionAt(pc)]!.get(code.sites[pc]!) === pc;
  }

  /** At such a point: goes on in the plain code, or in the fast code. */
  #change(plain: boolean): void {
    const { code, pc, instance } = this;
    // Fast code returns a local from where it is; behind a return to the host there is nothing to stop at anyway.
    if (plain && isReturn(code.words[pc]!)) return;
    const form = (of: Instance, index: number): Code => {
      const to = this.#codeOf(of, plain);
      translate(of.module.translation, to, index);
      return to;
    };
    let above: number | undefined;
    for (const frame of [...this.#walk()]) {
      if (above !== undefined) {
        const to = form(frame.instance, frame.index);
        const call = to.points[frame.index]!.get(frame.code.sites[frame.pc]!)!;
        const next = call + callLength(to.words[call]!);
        this.words[above] = this.words[above]! < 0 ? -2 - next : next;
      }
      above = frame.header;
    }
    const index = code.functionAt(pc);
    this.code = form(instance, index);
    this.pc = this.code.points[index]!.get(code.sites[pc]!)!;
  }
}

function isReturn(operation: number): boolean {
  return operation >= Operation.Return && operation <= Operation.Return1;
}

/** Calls with the first `count` of `w`; the usual counts without making an array. */
function callWords(
  host: HostFunction,
  caller: Caller,
  w: readonly number[],
  count: number,
): ReturnType<HostFunction["call"]> {
  switch (count) {
    case 0:
      return host.call(caller);
    case 1:
      return host.call(caller, w[0]!);
    case 2:
      return host.call(caller, w[0]!, w[1]!);
    case 3:
      return host.call(caller, w[0]!, w[1]!, w[2]!);
    case 4:
      return host.call(caller, w[0]!, w[1]!, w[2]!, w[3]!);
    case 8:
      return host.call(caller, w[0]!, w[1]!, w[2]!, w[3]!, w[4]!, w[5]!, w[6]!, w[7]!);
    default:
      return host.call(caller, ...w.slice(0, count));
  }
}

/** The {@link Caller} of every host call of a store; what it says holds during one call. */
class HostCaller implements Caller, Results {
  readonly #activation: Activation;
  #instance: Instance | undefined;
  #type!: FunctionType;
  #base = 0;

  constructor(activation: Activation) {
    this.#activation = activation;
  }

  enter(instance: Instance | undefined, type: FunctionType, base: number): void {
    this.#instance = instance;
    this.#type = type;
    this.#base = base;
  }

  get memory(): Memory | undefined {
    const memory = this.#instance?.memory0;
    return memory instanceof Memory ? memory : undefined;
  }

  get heap(): Heap {
    return this.#activation.store.heap;
  }

  get results(): Results {
    return this;
  }

  get instance(): number {
    return this.#instance?.number ?? -1;
  }

  fuelLeft(): bigint | undefined {
    return this.#activation.fuelLeft;
  }

  fuelUsed(): bigint {
    return this.#activation.fuelUsed;
  }

  charge(fuel: number): void {
    checkCharge(fuel);
    this.#activation.chargeCall(fuel);
  }

  trap(code: TrapCode, detail?: string): never {
    throw new Fault(code, detail);
  }

  reference(word: number, type: "funcref" | "externref"): Value {
    return fromCell(this.#activation.store, type, Int32Array.of(word, 0), 0);
  }

  #cell(index: number, type: string): number {
    if (this.#type.results[index] !== type)
      throw new UsageError("VM-ARGUMENT", `result ${index} is ${this.#type.results[index]}, not ${type}`);
    return this.#base + 2 * index;
  }

  setI32(index: number, value: number): void {
    this.#activation.words[this.#cell(index, "i32")] = value;
  }

  setI64(index: number, low: number, high: number): void {
    const at = this.#cell(index, "i64");
    this.#activation.words[at] = low;
    this.#activation.words[at + 1] = high;
  }

  // A NaN of JavaScript has no bits of its own (spec VM-NAN-2).
  setF32(index: number, value: number): void {
    const at = this.#cell(index, "f32");
    if (value === value) this.#activation.floats[at] = value;
    else this.#activation.words[at] = NAN32;
    this.#activation.words[at + 1] = 0;
  }

  setF64(index: number, value: number): void {
    const at = this.#cell(index, "f64");
    if (value === value) this.#activation.doubles[at >> 1] = value;
    else {
      this.#activation.words[at] = 0;
      this.#activation.words[at + 1] = NAN64_HIGH;
    }
  }

  setValue(index: number, value: Value): void {
    const type = this.#type.results[index];
    if (type === undefined) throw new UsageError("VM-ARGUMENT", `there is no result ${index}`);
    toCell(this.#activation.store, type, value, this.#activation.words, this.#base + 2 * index);
  }
}
