/**
 * What the differential tests hold against each other. For one subject (a module, or two that are linked) and a plan of
 * calls:
 *
 * - the fast code, the plain code (with hooks) and V8 agree on results, traps and state;
 * - the fuel that was charged, and every place where fuel is tested, are those that the opcode table and the schedule
 *   give for the instructions that the hooks reported ({@link Meter}: it shares nothing with the translator);
 * - an execution that is cut into pieces by fuel, steps, snapshots and restores ends as the one that was not.
 */
import { createHash } from "node:crypto";
import { OPCODE_BY_INDEX } from "../../vm/bytecode/opcodes.ts";
import { Instruction, Reader, readInstruction } from "../../vm/bytecode/reader.ts";
import { BYTES_CALLS, type BytesCall } from "../../vm/bytes.ts";
import { valueTypeOfParameter } from "../../vm/declaration.ts";
import { typeText } from "../../vm/function.ts";
import {
  type BigintFunction,
  type Caller,
  DEFAULT_LIMITS,
  disassemble,
  ExportedFunction,
  Fault,
  type FunctionType,
  Heap,
  type HostFunction,
  type Imports,
  type Instance,
  injectSha256,
  Memory,
  Module,
  type Position,
  restore,
  Store,
  Trap,
  TrapCode,
  type Value,
  type ValueType,
} from "../../vm/index.ts";
import { type Generated, generate, type Signature } from "./generate.ts";
import { HOST_MODELS, type HostModel } from "./host-models.ts";
import { f32Bits, f64Bits, Random, someBits } from "./random.ts";

export interface Part {
  readonly module: Module;
  /** What V8 runs: see `Generated.canonical`. */
  readonly canonical: WebAssembly.Module;
  readonly entries: readonly Signature[];
}
/** Modules of one store; the second imports from the first as "a". */
export interface Subject {
  readonly name: string;
  readonly parts: readonly Part[];
  readonly externs: boolean;
}
/** One call of an entry; i32 as numbers, i64 as bigints, f32 and f64 as bits. */
export interface Call {
  readonly part: number;
  readonly entry: Signature;
  readonly args: readonly (number | bigint)[];
}

/** What went wrong; the message begins with the subject's name. */
export class Difference extends Error {}

/** The modules of a seed; every fourth seed has two. */
function modulesOf(seed: number, skip: ReadonlySet<number>): Generated[] {
  const first = generate(seed, { skip });
  return seed % 4 === 0 ? [first, generate(seed ^ 0x5bd1e995, { link: first, skip })] : [first];
}

function subjectOf(seed: number, modules: readonly Generated[]): Subject {
  return {
    name: `seed ${seed}`,
    externs: modules.some(({ externs }) => externs),
    parts: modules.map(({ bytes, canonical, entries }) => ({
      module: Module.decode(bytes),
      canonical: new WebAssembly.Module(Uint8Array.from(canonical)),
      entries,
    })),
  };
}

/** Modules in the binary format, and their exports that take and give numbers. */
export function subjectOfBytes(name: string, binaries: readonly Uint8Array[]): Subject {
  const numbers = (types: readonly ValueType[]): boolean => types.every((type) => !type.endsWith("ref"));
  const parts = binaries.map((bytes) => {
    const module = Module.decode(bytes);
    const entries = module.exports.flatMap(({ name, type }) =>
      type.kind === "function" && numbers(type.type.params) && numbers(type.type.results)
        ? [{ name, ...type.type }]
        : [],
    );
    return { module, canonical: new WebAssembly.Module(Uint8Array.from(bytes)), entries };
  });
  return { name, externs: false, parts };
}

/** Generates and checks the modules of a seed: the difference found, or undefined. */
export function checkSeed(seed: number, tally: Tally, skip: ReadonlySet<number> = new Set()): Difference | undefined {
  try {
    const subject = subjectOf(seed, modulesOf(seed, skip));
    const random = new Random(seed + 77);
    check(subject, planOf(subject, random, 2), random, tally);
    return undefined;
  } catch (error) {
    if (error instanceof Difference) return error;
    return new Difference(`seed ${seed}: ${(error as Error).stack ?? error}`);
  }
}

/** A seed that fails, without the statements that it fails without: what still differs, and the modules as text. */
export function shrink(seed: number): string {
  const skip = new Set<number>();
  let last = checkSeed(seed, newTally(), skip);
  for (let size = 1 << 10; size >= 1; size >>= 1) {
    for (let at = 0; ; at += size) {
      const left = modulesOf(seed, skip).flatMap(({ statements }) => statements);
      const some = left.slice(at, at + size);
      if (some.length === 0) break;
      const difference = checkSeed(seed, newTally(), new Set([...skip, ...some]));
      if (!difference) continue;
      last = difference;
      for (const id of some) skip.add(id);
      at -= size;
    }
  }
  const texts = modulesOf(seed, skip).map(({ bytes }) => disassemble(Module.decode(bytes).structure));
  return [last?.message ?? "no difference", ...texts].join("\n");
}

/** Digests by the host's SHA-256: nine tenths of the time would be theirs. */
export function useHostSha256(): void {
  injectSha256(() => {
    const hash = createHash("sha256");
    return {
      update(bytes) {
        hash.update(bytes);
      },
      digest: () => new Uint8Array(hash.digest()),
    };
  });
}

// ---- the host

const OBJECTS: readonly unknown[] = [{ a: 1 }, "b", 3, null];

type Imported = readonly (number | bigint)[];

/** A model as the VM imports it, in one of the two calling forms. */
function hostFunction(model: HostModel): HostFunction | BigintFunction {
  return model.name.length % 2 === 0 ? bigintFunction(model) : wordFunction(model);
}

function runModel({ run }: HostModel, caller: Caller, args: Imported): Imported {
  try {
    return run(caller.memory?.bytes, args);
  } catch (code) {
    return caller.trap(code as TrapCode);
  }
}

function bigintFunction(model: HostModel): BigintFunction {
  const { type, fuel } = model;
  const call = (caller: Caller, ...values: Value[]): Value[] => [...runModel(model, caller, values as Imported)];
  return { type, fuel, mayFree: false, bigint: true, call };
}

function wordFunction(model: HostModel): HostFunction {
  const { type, fuel } = model;
  const call = (caller: Caller, ...words: number[]): number | undefined => {
    const args: (number | bigint)[] = [];
    let at = 0;
    for (const param of type.params) {
      const low = words[at++]!;
      args.push(param === "i64" ? (BigInt(words[at++]!) << 32n) | BigInt(low >>> 0) : low);
    }
    const values = runModel(model, caller, args);
    if (type.results.length === 1 && type.results[0] !== "i64") return values[0] as number;
    type.results.forEach((result, k) => {
      const value = values[k]!;
      if (typeof value === "bigint")
        caller.results.setI64(k, Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)));
      else if (result === "i32") caller.results.setI32(k, value);
      else if (result === "f32") caller.results.setF32(k, value);
      else caller.results.setF64(k, value);
    });
    return undefined;
  };
  return { type, fuel, mayFree: false, call };
}

const OBJECT: BigintFunction = {
  type: { params: ["i32"], results: ["externref"] },
  fuel: 2,
  mayFree: false,
  bigint: true,
  call(_, which) {
    const extern = OBJECTS[(which as number) & 3];
    return extern === null ? null : { extern };
  },
};

const ENV: { readonly [name: string]: HostFunction | BigintFunction } = {
  ...Object.fromEntries(HOST_MODELS.map((model) => [model.name, hostFunction(model)])),
  object: OBJECT,
};

/** Every export of `instance`, for another to import. */
function exportsOf(instance: Instance): Imports[string] {
  return Object.fromEntries(instance.exports.map(({ name }) => [name, instance.exported(name)!]));
}

function importsOf(instances: readonly Instance[]): Imports {
  return instances[0] ? { env: ENV, a: exportsOf(instances[0]) } : { env: ENV };
}

function instantiate(subject: Subject, store: Store): void {
  for (const { module } of subject.parts) module.instantiate({ store, imports: importsOf(store.instances) });
}

function restored(subject: Subject, snapshot: Uint8Array): Store {
  return restore(
    snapshot,
    subject.parts.map(({ module }) => ({ module, imports: importsOf })),
  );
}

// ---- values and outcomes

/** Arguments as the VM takes them. */
function toValues({ params }: Signature, args: Imported): Value[] {
  return args.map((bits, k) => {
    if (params[k] === "f32") return { bits: (bits as number) >>> 0 };
    if (params[k] === "f64") return { bits: BigInt.asUintN(64, bits as bigint) };
    return bits;
  });
}

const CANONICAL32 = 0x7fc00000;
const CANONICAL64 = 0x7ff8000000000000n;

/** Arguments as JavaScript passes them; bits of a NaN get lost. */
function toNumbers({ params }: Signature, args: Imported): (number | bigint)[] {
  return args.map((bits, k) => {
    if (params[k] === "f32") return new Float32Array(Int32Array.of(bits as number).buffer)[0]!;
    if (params[k] === "f64") return new Float64Array(BigInt64Array.of(bits as bigint).buffer)[0]!;
    return bits;
  });
}

/** A value as text: integers, bits of floats, references as far as they can be told. */
function show(type: ValueType, value: unknown): string {
  if (value === null) return "null";
  if (typeof value === "object" && value !== null && "bits" in value)
    return `${type}:${BigInt.asUintN(64, BigInt((value as { bits: number | bigint }).bits)).toString(16)}`;
  if (type === "f32") return `f32:${(Number.isNaN(value) ? CANONICAL32 : f32Bits(value as number) >>> 0).toString(16)}`;
  if (type === "f64")
    return `f64:${(Number.isNaN(value) ? CANONICAL64 : BigInt.asUintN(64, f64Bits(value as number))).toString(16)}`;
  if (value instanceof ExportedFunction) return `function ${value.store.functions[value.address]!.index}`;
  if (typeof value === "function") return `function ${value.name}`;
  if (typeof value === "object" && "extern" in value) return `extern ${OBJECTS.indexOf(value.extern)}`;
  if (type === "externref") return `extern ${OBJECTS.indexOf(value)}`;
  return String(value);
}

const showAll = (types: readonly ValueType[], values: readonly unknown[]): string =>
  types.map((type, k) => show(type, values[k])).join(" ");

function showTrap(trap: Trap): string {
  const frames = trap.backtrace.map((frame) => `${frame.instance}:${frame.function}@${frame.offset}`);
  return `trap ${trap.code} ${frames.join(" ")}`;
}

/** Results or trap, as text; other errors pass. */
function outcomeOf(types: readonly ValueType[], run: () => readonly Value[]): string {
  try {
    return showAll(types, run());
  } catch (error) {
    if (error instanceof Trap) return showTrap(error);
    throw error;
  }
}

// ---- V8

/** V8's messages, in the order of the codes. A message that is none of these is a difference of its own. */
const MESSAGES: readonly (readonly [message: RegExp, code: TrapCode])[] = [
  [/^unreachable$/, TrapCode.Unreachable],
  [/^(divide|remainder) by zero$/, TrapCode.IntegerDivideByZero],
  [/^divide result unrepresentable$/, TrapCode.IntegerOverflow],
  [/^float unrepresentable in integer range$/, TrapCode.InvalidConversion],
  [/^(memory access|data segment) (is )?out of bounds$/, TrapCode.MemoryOutOfBounds],
  [/^(table index|table access|table element|element segment|table) (is )?out of bounds$/, TrapCode.TableOutOfBounds],
  [/^(null function or )?function signature mismatch$/, TrapCode.IndirectCall],
  [/^Maximum call stack size exceeded$/, TrapCode.StackExhausted],
];

class HostTrap extends Error {
  readonly trap: TrapCode;
  constructor(code: TrapCode) {
    super(`host trap ${code}`);
    this.trap = code;
  }
}

/** The trap code that one of V8's errors stands for. */
export function trapCodeOf(error: unknown): TrapCode {
  if (error instanceof HostTrap) return error.trap;
  const message = (error as Error).message;
  const found = MESSAGES.find(([pattern]) => pattern.test(message));
  if (!found) throw error;
  return found[1];
}

interface Theirs {
  readonly instances: WebAssembly.Instance[];
}

/** The subject in V8; `bytes` calls run on a heap of our own, the same table's rows. */
function theirs(subject: Subject): Theirs {
  const heap = new Heap(DEFAULT_LIMITS);
  const instances: WebAssembly.Instance[] = [];
  subject.parts.forEach(({ canonical }, number) => {
    let own: WebAssembly.Instance | undefined;
    // During the start function there is no instance yet, so the memory is reached through an import where there is one.
    const memory = (): WebAssembly.Memory | undefined =>
      (own?.exports.memory ?? (importsMemory(canonical) ? instances[0]?.exports.memory : undefined)) as
        | WebAssembly.Memory
        | undefined;
    const view = {
      get bytes(): Uint8Array {
        return new Uint8Array(memory()!.buffer);
      },
    };
    const env = Object.fromEntries(
      HOST_MODELS.map(({ name, type, run }) => [
        name,
        (...args: (number | bigint)[]) => {
          const there = memory();
          let results: Imported;
          try {
            results = run(there && new Uint8Array(there.buffer), args);
          } catch (code) {
            throw new HostTrap(code as TrapCode);
          }
          return type.results.length > 1 ? results : results[0];
        },
      ]),
    );
    const bytes = Object.fromEntries(BYTES_CALLS.map((call) => [call.name, jsCall(call, heap, number, view)]));
    const object = (which: number): unknown => OBJECTS[which & 3];
    const imports = { env: { ...env, object }, bytes, a: instances[0]?.exports ?? {} };
    own = new WebAssembly.Instance(canonical, imports as unknown as WebAssembly.Imports);
    instances.push(own);
  });
  return { instances };
}

function importsMemory(module: WebAssembly.Module): boolean {
  return WebAssembly.Module.imports(module).some(({ kind }) => kind === "memory");
}

/** A call of `bytes` with JavaScript's values. */
function jsCall(call: BytesCall, heap: Heap, instance: number, memory: { readonly bytes: Uint8Array }) {
  const params = call.params.map(({ type }) => valueTypeOfParameter(type));
  const result = call.results[0] && valueTypeOfParameter(call.results[0].type);
  return (...args: (number | bigint)[]): number | bigint | undefined => {
    const words = new Int32Array(32);
    args.forEach((arg, k) => {
      if (params[k] === "f32") words[2 * k] = Number.isNaN(arg) ? CANONICAL32 : f32Bits(arg as number);
      else {
        const bits = params[k] === "f64" ? (Number.isNaN(arg) ? CANONICAL64 : f64Bits(arg as number)) : BigInt(arg);
        words[2 * k] = Number(BigInt.asIntN(32, bits));
        words[2 * k + 1] = Number(BigInt.asIntN(32, bits >> 32n));
      }
    });
    try {
      call.run(heap, words, 0, instance, memory);
    } catch (error) {
      if (error instanceof Fault) throw new HostTrap(error.code);
      throw error;
    }
    if (result === "i32") return words[0]!;
    if (result === "i64") return new BigInt64Array(words.buffer)[0]!;
    if (result === "f32") return new Float32Array(words.buffer)[0]!;
    return result === "f64" ? new Float64Array(words.buffer)[0]! : undefined;
  };
}

/** The state that both sides export, as text; memories apart. */
function exportedState(ours: Instance, theirs: WebAssembly.Instance): [string, string] {
  const both: [string[], string[]] = [[], []];
  for (const { name, type } of ours.exports) {
    const other = theirs.exports[name];
    if (type.kind === "global") {
      both[0].push(`${name}=${show(type.type.value, ours.global(name).value)}`);
      both[1].push(`${name}=${show(type.type.value, (other as WebAssembly.Global).value)}`);
    } else if (type.kind === "table") {
      const table = ours.table(name);
      const element = (k: number): unknown => {
        const number = table.elements[k]!;
        if (number === 0) return null;
        return type.type.element === "funcref"
          ? ours.store.exportedFunction(number - 1)
          : { extern: ours.store.externValue(number - 1) };
      };
      const { element: kind } = type.type;
      const list = (length: number, at: (k: number) => unknown): string =>
        Array.from({ length }, (_, k) => show(kind, at(k))).join(",");
      both[0].push(`${name}=${list(table.length, element)}`);
      const table2 = other as WebAssembly.Table;
      both[1].push(`${name}=${list(table2.length, (k) => table2.get(k))}`);
    }
  }
  return [both[0].join(" "), both[1].join(" ")];
}

// ---- an independent account of fuel

interface Event {
  readonly cost: number;
  /** Where fuel is tested behind the charge: an offset, or -1. */
  readonly site: number;
}
interface Place {
  readonly index: number;
  readonly immediate: number;
  readonly second: number;
  /** What happens before the instruction, when it is the first of a basic block. */
  events: readonly Event[];
}

/** Per function of a module, what the schedule says of each offset (spec VM-FUEL-2 to VM-FUEL-5). */
export class Schedule {
  readonly module: Module;
  readonly #imported: FunctionType[];
  readonly #bytes: (BytesCall | undefined)[];
  readonly #functions = new Map<number, Map<number, Place>>();

  constructor(module: Module) {
    this.module = module;
    const imports = module.structure.imports.filter(({ type }) => type.kind === "function");
    this.#imported = imports.map(({ typeIndex }) => module.structure.types[typeIndex]!);
    this.#bytes = imports.map((entry) =>
      entry.module === "bytes" ? BYTES_CALLS.find(({ name }) => name === entry.name) : undefined,
    );
  }

  get imported(): number {
    return this.#imported.length;
  }

  bytesCall(index: number): BytesCall | undefined {
    return this.#bytes[index];
  }

  place(index: number, offset: number): Place {
    let places = this.#functions.get(index);
    if (!places) {
      places = this.#analyse(index);
      this.#functions.set(index, places);
    }
    const place = places.get(offset);
    if (!place) throw new Error(`no instruction of function ${index} at ${offset}`);
    return place;
  }

  #analyse(index: number): Map<number, Place> {
    const { structure } = this.module;
    const body = structure.bodies[index - this.imported]!;
    const places = new Map<number, Place>();
    const reader = new Reader(structure.bytes, body.code, body.end);
    const instruction = new Instruction();
    const { results } = structure.types[structure.functions[index - this.imported]!]!;
    const controls = [{ opcode: 0, label: results.length }];
    let dead = 0;
    let first: Place | undefined;
    let events: Event[] = [];
    let open = { cost: body.localCount >>> 3, site: body.code };
    /** Ends a basic block and begins the next one, at whose start fuel is tested if `site` is an offset. */
    const next = (site: number): void => {
      if (open.cost > 0 || open.site >= 0) events.push(open);
      if (first) {
        first.events = events;
        first = undefined;
        events = [];
      }
      open = { cost: 0, site };
    };
    const arity = (depth: number): number => controls.at(-1 - depth)!.label;
    const die = (): void => {
      next(-1);
      events = [];
      dead = 1;
    };
    while (controls.length > 0) {
      readInstruction(reader, instruction);
      const { index: opcode, imm0, imm1, offset } = instruction;
      const isBlock = opcode >= 0x02 && opcode <= 0x04;
      if (dead > 0) {
        if (isBlock) dead++;
        else if (opcode === 0x05 && dead === 1) dead = 0;
        else if (opcode === 0x0b && --dead === 0) controls.pop();
        if (dead === 0) {
          first = undefined;
          open = { cost: 0, site: -1 };
        }
        continue;
      }
      if (opcode !== 0x02 && opcode !== 0x05 && opcode !== 0x0b) {
        const place: Place = { index: opcode, immediate: imm0, second: imm1, events: [] };
        places.set(offset, place);
        first ??= place;
      }
      open = { ...open, cost: open.cost + OPCODE_BY_INDEX[opcode]!.price };
      if (isBlock) {
        const type = imm0 >= 0 ? structure.types[imm0]! : undefined;
        const short = imm0 === -64 ? 0 : 1;
        const [params, results] = type ? [type.params.length, type.results.length] : [0, short];
        controls.push({ opcode, label: opcode === 0x03 ? params : results });
        if (opcode === 0x03) next(offset);
        else if (opcode === 0x04) next(-1);
      } else if (opcode === 0x05) next(-1);
      else if (opcode === 0x0b) {
        if (controls.pop()!.opcode !== 0x03) next(-1);
      } else if (opcode >= 0x0c && opcode <= 0x0f) {
        open = { ...open, cost: open.cost + (arity(opcode === 0x0f ? controls.length - 1 : imm0) >>> 3) };
        if (opcode === 0x0d) next(-1);
        else die();
      } else if (opcode === 0) die();
      else if (opcode === 0x10) {
        const call = this.#bytes[imm0];
        if (call) open = { ...open, cost: open.cost + (typeof call.fuel === "number" ? call.fuel : call.fuel.base) };
      }
    }
    return places;
  }
}

/** A place where fuel is tested: what had been charged by then, and where the trap would be. */
export interface TestPoint {
  readonly charged: bigint;
  readonly instance: number;
  readonly function: number;
  readonly offset: number;
}

/** Follows an execution by its hooks and keeps its own account. */
class Meter {
  readonly #store: Store;
  readonly #schedules: readonly Schedule[];
  charged = 0n;
  published = 0n;
  points: TestPoint[] = [];
  steps: Position[] = [];
  /** Executions by opcode index. */
  readonly counts: number[];
  /** False once a bulk amount could not be known: the module does not export it. */
  known = true;

  constructor(store: Store, schedules: readonly Schedule[], counts: number[]) {
    this.#store = store;
    this.#schedules = schedules;
    this.counts = counts;
  }

  charge(cost: number, site: number, position: { instance: number; function: number }): void {
    this.charged += BigInt(cost);
    const { charged } = this;
    const { instance, function: index } = position;
    if (site >= 0) this.points.push({ charged, instance, function: index, offset: site });
  }

  step(position: Position): void {
    const { instance, function: index, offset } = position;
    this.steps.push(position);
    const schedule = this.#schedules[instance]!;
    const place = schedule.place(index, offset);
    this.counts[place.index] = (this.counts[place.index] ?? 0) + 1;
    for (const { cost, site } of place.events) this.charge(cost, site, position);
    const bulk = OPCODE_BY_INDEX[place.index]!.bulk;
    if (bulk) {
      const amount = this.#global(instance, "g1");
      const pages = amount > 65_536 ? 0 : amount * 1024;
      this.charge(bulk === "pages" ? pages : amount >>> (bulk === "bytes" ? 6 : 3), offset, position);
    } else if (place.index === 0x10) this.#call(position, schedule, place.immediate);
    else if (place.index === 0x11) this.#indirect(position, schedule.module, place);
  }

  /** A stack that is exhausted is found behind the charge of the function's entry, before its first instruction. */
  entryOf(outcome: string): void {
    const site = new RegExp(`^trap ${TrapCode.StackExhausted} (\\d+):(\\d+)@(\\d+)`).exec(outcome);
    if (!site) return;
    const [instance, index, offset] = site.slice(1).map(Number) as [number, number, number];
    const place = this.#schedules[instance]!.place(index, offset);
    for (const event of place.events.slice(0, 1)) this.charge(event.cost, event.site, { instance, function: index });
  }

  #call(position: Position, schedule: Schedule, callee: number): void {
    const bytes = schedule.bytesCall(callee);
    if (bytes?.bulk) this.charge(this.#global(position.instance, "g1") >>> 6, position.offset, position);
    if (bytes) return;
    const target = this.#store.instances[position.instance]!.functions[callee]!;
    if (target.host) this.#host(position, target.host.fuel);
  }

  #indirect(position: Position, module: Module, { immediate, second }: Place): void {
    const instance = this.#store.instances[position.instance]!;
    const table = instance.tables[second]!;
    const index = this.#global(position.instance, "g2");
    const reference = index < table.length ? table.elements[index]! : 0;
    const target = reference > 0 ? this.#store.functions[reference - 1]! : undefined;
    if (target && typeText(target.type) !== typeText(module.structure.types[immediate]!)) return;
    if (target?.host) this.#host(position, target.host.fuel);
    if (target?.bytes) {
      const { fuel } = target.bytes;
      const amount = this.#global(position.instance, "g1");
      this.charge(typeof fuel === "number" ? fuel : fuel.base + (amount >>> 6), position.offset, position);
    }
  }

  #host(position: Position, fuel: HostFunction["fuel"]): void {
    const cost =
      typeof fuel === "number" ? fuel : fuel.base + Math.floor(this.#global(position.instance, "g1") * fuel.perByte);
    this.charge(cost, position.offset, position);
    this.published = this.charged;
  }

  /** An exported i32 global as u32. */
  #global(instance: number, name: string): number {
    const { exports } = this.#store.instances[instance]!;
    if (!exports.some((entry) => entry.name === name)) {
      this.known = false;
      return 0;
    }
    return (this.#store.instances[instance]!.global(name).value as number) >>> 0;
  }
}

// ---- runs

/** What one call must do, as the run with hooks saw it. */
interface Expected {
  readonly outcome: string;
  readonly trapped: boolean;
  /** Charged before the call and after it. */
  readonly before: bigint;
  readonly used: bigint;
  readonly digest: string;
  readonly steps: readonly Position[];
  readonly points: readonly TestPoint[];
  readonly known: boolean;
}

/** What a check saw, for the tests to assert that it was enough. */
export interface Tally {
  subjects: number;
  calls: number;
  steps: number;
  /** Calls of at least 100 instructions. */
  long: number;
  pauses: number;
  restores: number;
  counts: number[];
  /** By trap code. */
  traps: number[];
}

export function newTally(): Tally {
  return { subjects: 0, calls: 0, steps: 0, long: 0, pauses: 0, restores: 0, counts: [], traps: [] };
}

/** A few calls of each entry. */
export function planOf(subject: Subject, random: Random, perEntry: number): Call[] {
  return subject.parts.flatMap(({ entries }, part) =>
    entries.flatMap((entry) =>
      Array.from({ length: perEntry }, () => ({
        part,
        entry,
        args: entry.params.map((type) => someBits(random, type)),
      })),
    ),
  );
}

/** Throws a {@link Difference} at the first thing that does not agree. */
export function check(subject: Subject, plan: readonly Call[], random: Random, tally: Tally): void {
  const same = (what: string, actual: unknown, expected: unknown): void => {
    if (actual !== expected) throw new Difference(`${subject.name}: ${what}: got ${actual}, expected ${expected}`);
  };
  const expected = hooked(subject, plan, tally, same);
  if (expected === undefined) return;
  tally.subjects++;
  fast(subject, plan, expected, same);
  for (const plain of [false, true]) pieces(subject, plan, expected, random, plain, tally, same);
}

type Same = (what: string, actual: unknown, expected: unknown) => void;

const describe = (plan: readonly Call[], k: number): string =>
  `call ${k} ${plan[k]!.part}:${plan[k]!.entry.name}(${plan[k]!.args.join(", ")})`;

function invoke(store: Store, { part, entry, args }: Call): readonly Value[] {
  return store.instances[part]!.invoke(entry.name, toValues(entry, args), { bits: true });
}

/** The run with hooks: it must charge as the meter does. Undefined when instantiation traps. */
function hooked(subject: Subject, plan: readonly Call[], tally: Tally, same: Same): Expected[] | undefined {
  const store = new Store();
  const meter = new Meter(
    store,
    subject.parts.map(({ module }) => new Schedule(module)),
    tally.counts,
  );
  store.hooks = { instruction: (position) => meter.step(position) };
  try {
    for (const { module } of subject.parts) {
      const { elements, data } = module.structure;
      for (const { mode, items } of elements) if (mode === "active") meter.charged += 1n + BigInt(items.length >>> 3);
      for (const { mode, start, end } of data) if (mode === "active") meter.charged += 1n + BigInt((end - start) >>> 6);
      module.instantiate({ store, imports: importsOf(store.instances) });
    }
  } catch (error) {
    if (error instanceof Trap) return undefined;
    throw error;
  }
  if (meter.known) same("fuel of instantiation", store.fuelUsed, meter.charged);
  return plan.map((call, k) => {
    const before = store.fuelUsed;
    meter.charged = before;
    meter.published = before;
    meter.points = [];
    meter.steps = [];
    meter.known = true;
    const outcome = outcomeOf(call.entry.results, () => invoke(store, call));
    const trapped = outcome.startsWith("trap");
    if (trapped) {
      const code = Number(outcome.split(" ")[1]);
      tally.traps[code] = (tally.traps[code] ?? 0) + 1;
    }
    if (trapped) meter.entryOf(outcome);
    else {
      const { index, instance } = store.functions[store.instances[call.part]!.function(call.entry.name).address]!;
      const own = index - instance!.module.translation.importedFunctions;
      meter.charge(0, instance!.module.structure.bodies[own]!.end - 1, { instance: call.part, function: index });
    }
    if (meter.known) same(`${describe(plan, k)}: fuel`, store.fuelUsed, trapped ? meter.published : meter.charged);
    tally.calls++;
    tally.steps += meter.steps.length;
    if (meter.steps.length >= 100) tally.long++;
    const { points, steps, known } = meter;
    return { outcome, trapped, before, used: store.fuelUsed, digest: stateOf(store), steps, points, known };
  });
}

function stateOf(store: Store): string {
  return store.instances[0]!.stateDigest();
}

/** The fast code, and V8 beside it. */
function fast(subject: Subject, plan: readonly Call[], expected: readonly Expected[], same: Same): void {
  const store = new Store();
  instantiate(subject, store);
  let other: Theirs | undefined = theirs(subject);
  plan.forEach((call, k) => {
    const { outcome, used, digest } = expected[k]!;
    const what = describe(plan, k);
    same(
      `${what}: fast code`,
      outcomeOf(call.entry.results, () => invoke(store, call)),
      outcome,
    );
    same(`${what}: fuel of the fast code`, store.fuelUsed, used);
    same(`${what}: digest of the fast code`, stateOf(store), digest);
    if (!other) return;
    const { entry, args, part } = call;
    let answer: string;
    try {
      const run = other.instances[part]!.exports[entry.name] as (...args: unknown[]) => unknown;
      const value = run(...toNumbers(entry, args));
      answer = showAll(entry.results, entry.results.length > 1 ? (value as unknown[]) : [value]);
    } catch (error) {
      answer = `trap ${trapCodeOf(error)}`;
    }
    same(
      `${what}: V8`,
      outcome.startsWith("trap") ? outcome.split(" ", 2).join(" ") : plainNaN(entry, outcome),
      answer,
    );
    // The two run out of stack at different depths.
    if (answer === `trap ${TrapCode.StackExhausted}`) {
      other = undefined;
      return;
    }
    store.instances.forEach((instance, number) => {
      const [ours, v8] = exportedState(instance, other!.instances[number]!);
      same(`${what}: state of ${number} in V8`, ours, v8);
      const memory = other!.instances[number]!.exports.memory as WebAssembly.Memory | undefined;
      if (memory && instance.memory0 instanceof Memory)
        same(
          `${what}: memory of ${number} in V8`,
          firstDifference(instance.memory0.bytes, new Uint8Array(memory.buffer)),
          -1,
        );
    });
  });
}

/** NaN results lose their bits at V8's boundary, so those of an entry that returns floats do here. */
function plainNaN({ results }: Signature, outcome: string): string {
  if (!results.some((type) => type === "f32" || type === "f64")) return outcome;
  return outcome.replace(/f(32|64):([0-9a-f]+)/g, (text, width: string, digits: string) => {
    const bits = BigInt(`0x${digits}`);
    const nan =
      width === "32" ? (bits & 0x7fffffffn) > 0x7f800000n : (bits & 0x7fffffffffffffffn) > 0x7ff0000000000000n;
    return nan ? `f${width}:${width === "32" ? CANONICAL32.toString(16) : CANONICAL64.toString(16)}` : text;
  });
}

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== b.length) return Math.min(a.length, b.length);
  if (Buffer.compare(a, b) === 0) return -1;
  return a.findIndex((byte, k) => byte !== b[k]);
}

const positionText = (position: Position | undefined): string =>
  position ? `${position.instance}:${position.function}@${position.offset}` : "nowhere";

/** Every call in pieces: cut by fuel, by steps, and by being saved and restored. */
function pieces(
  subject: Subject,
  plan: readonly Call[],
  expected: readonly Expected[],
  random: Random,
  plain: boolean,
  tally: Tally,
  same: Same,
): void {
  let store = new Store({ fuel: expected[0]?.before ?? 2n ** 62n });
  instantiate(subject, store);
  same("fuel left after instantiation", store.fuelLeft, 0n);
  const swap = (): void => {
    if (!random.chance(0.2)) return;
    const snapshot = store.instances[0]!.snapshot();
    const next = restored(subject, snapshot);
    same("a restored store's snapshot", firstDifference(next.instances[0]!.snapshot(), snapshot), -1);
    same("a restored store's digest", stateOf(next), stateOf(store));
    next.hooks = store.hooks;
    store = next;
    tally.restores++;
  };
  plan.forEach((call, k) => {
    const { outcome, trapped, before, used, digest, points, steps, known } = expected[k]!;
    const what = `${describe(plan, k)} in pieces${plain ? ", plain" : ""}`;
    let at = Number.NaN;
    const hooks = {
      instruction: () => {
        at++;
      },
    };
    if (plain) store.hooks = hooks;
    // Traps forget what was charged since the last publication, and each resumption is one.
    const shift = store.fuelUsed - before;
    const total = Number((trapped ? (points.at(-1)?.charged ?? used) : used) - before);
    const some = (): bigint =>
      BigInt(random.pick([0, 1, 2, random.below(20), random.below(total + 2), random.below(total + 2)]));
    const debt = store.fuelLeft! < 0n ? -store.fuelLeft! : 0n;
    store.addFuel(debt + some());
    let cursor = 0;
    let answer: string | undefined;
    let atPause = 0n;
    for (let piece = 0; answer === undefined; piece++) {
      const more = piece < 12 ? some() : 2n ** 40n;
      try {
        if (piece === 0) {
          if (random.chance(0.5)) answer = showAll(call.entry.results, invoke(store, call));
          else {
            at = plain ? -1 : 0;
            store.instances[call.part]!.begin(call.entry.name, toValues(call.entry, call.args));
          }
        } else if (random.chance(0.5)) {
          store.addFuel(more);
          const count = random.pick([1, 1, 2, 10, 1 + random.below(steps.length + 1)]);
          if (!plain) at += count;
          if (!store.step(count)) answer = showAll(call.entry.results, store.results({ bits: true }));
        } else {
          if (!plain) at = Number.NaN;
          answer = showAll(call.entry.results, store.resume(more, { bits: true }));
        }
        if (answer === undefined) {
          if (at >= 0)
            same(`${what}: position after ${at} steps`, positionText(store.position), positionText(steps[at]));
        }
      } catch (error) {
        if (!(error instanceof Trap)) throw error;
        if (!error.resumable) answer = showTrap(error);
        else {
          if (!plain) at = Number.NaN;
          tally.pauses++;
          if (known) {
            const granted = store.fuelUsed + store.fuelLeft!;
            while (cursor < points.length && points[cursor]!.charged + shift <= granted) cursor++;
            const point = points[cursor];
            if (!point)
              throw new Difference(`${subject.name}: ${what}: out of fuel where none is tested: ${showTrap(error)}`);
            const frame = error.backtrace[0]!;
            same(
              `${what}: out of fuel`,
              `${frame.instance}:${frame.function}@${frame.offset} ${error.fuel} ${store.fuelUsed}`,
              `${point.instance}:${point.function}@${point.offset} ${point.charged + shift} ${point.charged + shift}`,
            );
          }
        }
      }
      if (answer === undefined) atPause = store.fuelUsed;
      if (answer === undefined && !subject.externs) swap();
    }
    same(what, answer, outcome);
    // After a trap it is what it was at the last call of the host or the last pause, whichever came later.
    same(`${what}: fuel`, store.fuelUsed, trapped && atPause > used + shift ? atPause : used + shift);
    same(`${what}: digest`, stateOf(store), digest);
    if (!subject.externs) swap();
  });
}
