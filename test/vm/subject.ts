/**
 * What the differential tests run: a module, or several that are linked, with host functions that both sides of a
 * comparison have, calls of its entries, and what can be observed of them as text. And the same subject in plain V8.
 */
import { createHash } from "node:crypto";
import { type AbiOptions, createAbi } from "../../host/abi.ts";
import { MemoryFileSystem } from "../../host/fs/memory.ts";
import { BYTES_CALLS, type BytesCall } from "../../vm/bytes.ts";
import { valueTypeOfParameter } from "../../vm/declaration.ts";
import {
  type BigintFunction,
  type Caller,
  DEFAULT_LIMITS,
  disassemble,
  ExportedFunction,
  Fault,
  type FunctionType,
  Global,
  Heap,
  type HostFunction,
  type Imports,
  type ImportValue,
  type Instance,
  injectSha256,
  type Limits,
  Memory,
  Module,
  restore,
  type Store,
  type StoreOptions,
  Table,
  Trap,
  TrapCode,
  type Value,
  type ValueType,
} from "../../vm/index.ts";
import { type Generated, generate, type Signature } from "./generate.ts";
import { HOST_MODELS, type HostModel, THING, WILD_HOST } from "./host-models.ts";
import { f32Bits, f64Bits, mix, type Random, someBits } from "./random.ts";

export interface Part {
  readonly module: Module;
  /** What V8 runs: see `Generated.canonical`. Undefined where V8 has no match for what the module imports. */
  readonly canonical: WebAssembly.Module | undefined;
  readonly entries: readonly Signature[];
}
/** Modules of one store; those behind the first import from the first as "a". */
export interface Subject {
  readonly name: string;
  readonly parts: readonly Part[];
  /** May have host values behind externrefs. */
  readonly externs: boolean;
}
/** One call of an entry; i32 as numbers, i64 as bigints, f32 and f64 as bits. */
export interface Call {
  readonly part: number;
  readonly entry: Signature;
  readonly args: readonly (number | bigint)[];
}

/** What one run may use. */
export interface Bounds {
  readonly fuel: bigint;
  /** In slots. */
  readonly depth: number;
}

/** What went wrong; the message begins with the subject's name. */
export class Difference extends Error {
  /** Of the run that differs, where only some runs may. */
  readonly bounds: Bounds | undefined;
  constructor(message: string, bounds?: Bounds) {
    super(message);
    this.bounds = bounds;
  }
}

/** The modules of a seed; every fourth seed has two, and in wild ones some a third, which is one of them once more. */
export function modulesOf(seed: number, skip: ReadonlySet<number> = new Set(), wild = false): Generated[] {
  const first = generate(seed, { skip, wild });
  if (seed % 4 !== 0) return [first];
  const second = generate(seed ^ 0x5bd1e995, { link: first, skip, wild });
  if (!wild || seed % 16 !== 0) return [first, second];
  return [first, second, seed % 32 === 0 ? first : second];
}

export function subjectOf(name: string, modules: readonly Generated[], wild = false): Subject {
  const decoded = new Map<Generated, Part>();
  for (const generated of modules) {
    const { bytes, canonical, entries } = generated;
    if (decoded.has(generated)) continue;
    const plain = wild ? undefined : new WebAssembly.Module(Uint8Array.from(canonical));
    decoded.set(generated, { module: Module.decode(bytes), canonical: plain, entries });
  }
  return {
    name,
    externs: modules.some(({ externs }) => externs),
    parts: modules.map((generated) => decoded.get(generated)!),
  };
}

/** Modules in the binary format, and their exports that take and give numbers. */
export function subjectOfBytes(name: string, binaries: readonly Uint8Array[], plain = true): Subject {
  const numbers = (types: readonly ValueType[]): boolean => types.every((type) => !type.endsWith("ref"));
  const parts = binaries.map((bytes) => {
    const module = Module.decode(bytes);
    const entries = module.exports.flatMap(({ name, type }) =>
      type.kind === "function" && numbers(type.type.params) && numbers(type.type.results)
        ? [{ name, ...type.type }]
        : [],
    );
    return { module, canonical: plain ? new WebAssembly.Module(Uint8Array.from(bytes)) : undefined, entries };
  });
  return { name, externs: false, parts };
}

/** Begins the text of a failure that the fuzzer wrote: how to run it, as JSON, follows in the line. */
export const SAVED = ";;; ";

/** The modules as text. */
export function textOf(binaries: readonly Uint8Array[]): string[] {
  return binaries.map((bytes) => disassemble(Module.decode(bytes).structure));
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

/** What the host saw of a run: a hash of every call, its arguments and its account of fuel; and the calls, when wanted. */
export const hostTrace: { hash: number; calls: string[] | undefined } = { hash: 0, calls: undefined };

function trace(name: string, caller: Caller, values: readonly unknown[]): void {
  let { hash } = hostTrace;
  hash = mix(hash, caller.instance);
  hash = mix(hash, Number(BigInt.asUintN(32, caller.fuelUsed())));
  hash = mix(hash, caller.memory?.pages ?? -1);
  for (const value of values) hash = mix(hash, typeof value === "number" ? numberHash(value) : textHash(shown(value)));
  hostTrace.hash = hash;
  hostTrace.calls?.push(`${caller.instance}: ${name}(${values.map(shown).join(", ")}) at ${caller.fuelUsed()}`);
}

const bits = new DataView(new ArrayBuffer(8));

/** Of a NaN a host function sees that it is one (spec VM-NAN-2). */
function numberHash(value: number): number {
  if (Number.isNaN(value)) return 7;
  bits.setFloat64(0, value);
  return mix(bits.getInt32(0), bits.getInt32(4));
}

function textHash(text: string): number {
  let hash = 0;
  for (let k = 0; k < text.length; k++) hash = mix(hash, text.charCodeAt(k));
  return hash;
}

function shown(value: unknown): string {
  if (value instanceof ExportedFunction) return show("funcref", value);
  if (typeof value === "object" && value !== null && "extern" in value) return show("externref", value);
  return Object.is(value, -0) ? "-0" : String(value);
}

function traced<F extends HostFunction | BigintFunction>(name: string, given: F): F {
  // Those of words alone: of the others the store keeps another form, which does not tell.
  const charges = "bigint" in given ? 0 : 5 * (name.length % 3);
  const call = (caller: Caller, ...values: never[]): unknown => {
    // Before anything is seen of the call: where this is more than there is, it has not been.
    if (charges > 0) caller.charge(charges);
    trace(name, caller, values);
    return (given.call as (caller: Caller, ...values: never[]) => unknown)(caller, ...values);
  };
  return { ...given, call, charges };
}

/** What a function of the subject's host charges itself (spec VM-HOST-5). */
export function chargesOf(host: HostFunction): number {
  return (host as { readonly charges?: number }).charges ?? 0;
}

type HostFunctions = { readonly [name: string]: HostFunction | BigintFunction };

function allTraced(module: string, functions: HostFunctions): HostFunctions {
  return Object.fromEntries(
    Object.entries(functions).map(([name, given]) => [name, traced(`${module}.${name}`, given)]),
  );
}

const ENV = allTraced("env", {
  ...Object.fromEntries(HOST_MODELS.map((model) => [model.name, hostFunction(model)])),
  object: OBJECT,
});
const WILD = allTraced("wild", WILD_HOST);

/** Every export of `instance`, for another to import. */
function exportsOf(instance: Instance): Imports[string] {
  return Object.fromEntries(instance.exports.map(({ name }) => [name, instance.exported(name)!]));
}

/** What one store of a subject is given: its options, and imports for each instance. */
export interface World {
  readonly options: Pick<StoreOptions, "kinds" | "state">;
  imports(instances: readonly Instance[]): Imports;
}

const KNOWN = ["env", "a", "bytes", "wild"];

export function worldOf(subject: Subject): World {
  const modules = new Set(subject.parts.flatMap(({ module }) => module.structure.imports.map((entry) => entry.module)));
  const abi = modules.has("fs") || modules.has("sys") ? createAbi(grants()) : undefined;
  const own: { [module: string]: Imports[string] } = { env: ENV, wild: WILD };
  for (const [name, functions] of Object.entries(abi?.imports ?? {})) own[name] = allTraced(name, functions);
  for (const { module } of subject.parts) addForeign(own, module);
  return {
    options: { kinds: [...(abi?.kinds ?? []), THING], ...(abi ? { state: abi.state } : {}) },
    imports: ([first]) => (first ? { ...own, a: exportsOf(first) } : own),
  };
}

/** Some of what a guest may be given. */
function grants(): AbiOptions {
  const fs = new MemoryFileSystem({}, { bytes: 4096, files: 8 });
  const stdin = new TextEncoder().encode("what comes in");
  return { args: ["a", "bc"], mounts: [{ guest: "/m", fs, readOnly: false }], stdin, clock: { start: 5n }, seed: 9n };
}

/** What modules of others import: functions that answer from their arguments, and globals, tables and memories. */
function addForeign(own: { [module: string]: Imports[string] }, { structure }: Module): void {
  const given: { [module: string]: { [name: string]: ImportValue } } = {};
  for (const { module, name, type, typeIndex } of structure.imports) {
    if (KNOWN.includes(module) || module === "fs" || module === "sys") continue;
    const names = (given[module] ??= {});
    if (type.kind === "function") names[name] = traced(`${module}.${name}`, foreign(structure.types[typeIndex]!));
    else if (type.kind === "global") names[name] = new Global(type.type, zeroOf(type.type.value));
    else if (type.kind === "memory") names[name] = new Memory(type.type);
    else names[name] = new Table(type.type);
  }
  for (const [module, names] of Object.entries(given)) own[module] = { ...own[module], ...names };
}

function zeroOf(type: ValueType): Value {
  if (type.endsWith("ref")) return null;
  return type === "i64" ? 0n : 0;
}

function foreign(type: FunctionType): BigintFunction {
  const call = (_: Caller, ...values: Value[]): Value[] =>
    type.results.map((result, k) => {
      const seed = mix(k, textHash(values.map(shown).join()));
      if (result === "funcref" || result === "externref")
        return values.find((_, n) => type.params[n] === result) ?? null;
      return result === "i64" ? BigInt(seed) : seed | 0;
    });
  return { type, fuel: 3, mayFree: false, bigint: true, call };
}

/** A store with the subject's instances. Throws what instantiation throws. */
export function instantiate(subject: Subject, store: Store, world: World): void {
  for (const { module } of subject.parts) module.instantiate({ store, imports: world.imports(store.instances) });
}

export function restored(subject: Subject, snapshot: Uint8Array): Store {
  const world = worldOf(subject);
  return restore(
    snapshot,
    subject.parts.map(({ module }) => ({ module, imports: world.imports })),
    world.options,
  );
}

// ---- values and outcomes

/** Arguments as the VM takes them. */
export function toValues({ params }: Signature, args: Imported): Value[] {
  return args.map((bits, k) => {
    if (params[k] === "f32") return { bits: (bits as number) >>> 0 };
    if (params[k] === "f64") return { bits: BigInt.asUintN(64, bits as bigint) };
    return bits;
  });
}

export const CANONICAL32 = 0x7fc00000;
export const CANONICAL64 = 0x7ff8000000000000n;

/** Arguments as JavaScript passes them; bits of a NaN get lost. */
function toNumbers({ params }: Signature, args: Imported): (number | bigint)[] {
  return args.map((bits, k) => {
    if (params[k] === "f32") return new Float32Array(Int32Array.of(bits as number).buffer)[0]!;
    if (params[k] === "f64") return new Float64Array(BigInt64Array.of(bits as bigint).buffer)[0]!;
    return bits;
  });
}

/** A value as text: integers, bits of floats, references as far as they can be told. */
export function show(type: ValueType, value: unknown): string {
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

export const showAll = (types: readonly ValueType[], values: readonly unknown[]): string =>
  types.map((type, k) => show(type, values[k])).join(" ");

export function showTrap(trap: Trap): string {
  const frames = trap.backtrace.map((frame) => `${frame.instance}:${frame.function}@${frame.offset}`);
  return `trap ${trap.code} ${frames.join(" ")} "${trap.message}"`;
}

/** Results or trap, as text; other errors pass. */
export function outcomeOf(types: readonly ValueType[], run: () => readonly Value[]): string {
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

/** What a call comes to in V8: its results as text, or `trap` and the code. */
export function answerOf(instance: WebAssembly.Instance, { entry, args }: Call): string {
  try {
    const run = instance.exports[entry.name] as (...args: unknown[]) => unknown;
    const value = run(...toNumbers(entry, args));
    return showAll(entry.results, entry.results.length > 1 ? (value as unknown[]) : [value]);
  } catch (error) {
    return `trap ${trapCodeOf(error)}`;
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

export interface Theirs {
  readonly instances: WebAssembly.Instance[];
}

/** The subject in V8, where every part has a canonical form; `bytes` calls run on a heap of our own, the same table's rows. */
export function theirs(subject: Subject, limits: Partial<Limits> = {}): Theirs {
  const heap = new Heap({ ...DEFAULT_LIMITS, ...limits });
  const instances: WebAssembly.Instance[] = [];
  subject.parts.forEach(({ canonical: plain }, number) => {
    const canonical = plain!;
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
export function exportedState(ours: Instance, theirs: WebAssembly.Instance): [string, string] {
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

export const describe = (plan: readonly Call[], k: number): string =>
  `call ${k} ${plan[k]!.part}:${plan[k]!.entry.name}(${plan[k]!.args.join(", ")})`;

export function invoke(store: Store, { part, entry, args }: Call): readonly Value[] {
  return store.instances[part]!.invoke(entry.name, toValues(entry, args), { bits: true });
}

export function stateOf(store: Store): string {
  return store.instances[0]!.stateDigest();
}

export function firstDifference(a: Uint8Array, b: Uint8Array): number {
  if (a.length !== b.length) return Math.min(a.length, b.length);
  if (Buffer.compare(a, b) === 0) return -1;
  return a.findIndex((byte, k) => byte !== b[k]);
}

/** NaN results lose their bits at V8's boundary, so those of an entry that returns floats do here. */
export function plainNaN({ results }: Signature, outcome: string): string {
  if (!results.some((type) => type === "f32" || type === "f64")) return outcome;
  return outcome.replace(/f(32|64):([0-9a-f]+)/g, (text, width: string, digits: string) => {
    const bits = BigInt(`0x${digits}`);
    const nan =
      width === "32" ? (bits & 0x7fffffffn) > 0x7f800000n : (bits & 0x7fffffffffffffffn) > 0x7ff0000000000000n;
    return nan ? `f${width}:${width === "32" ? CANONICAL32.toString(16) : CANONICAL64.toString(16)}` : text;
  });
}
