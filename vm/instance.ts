/** Instances: linking, instantiation (core spec 2.0, §4.5.4) and the embedder's handle on a running module. */

import { Instruction, Reader, readInstruction } from "./bytecode/reader.ts";
import type { ConstantExpression, ExternKind, ExternType, FunctionType, Import } from "./bytecode/structure.ts";
import { BYTES_CALLS, type BytesCall, bytesRow } from "./bytes.ts";
import { functionTypeOf } from "./declaration.ts";
import { LinkError, UsageError } from "./errors.ts";
import type { Engine, InvokeOptions, NativeInstance } from "./execution.ts";
import { bulkFuel } from "./fuel.ts";
import {
  type BigintFunction,
  type Caller,
  checkHostFunction,
  ExportedFunction,
  FunctionInstance,
  type HostFunction,
  type Linked,
  typeText,
} from "./function.ts";
import { Global } from "./global.ts";
import type { Kind } from "./heap.ts";
import type { Limits } from "./limits.ts";
import { Memory, type MemoryView, NO_MEMORY } from "./memory.ts";
import type { Module } from "./module.ts";
import type { Position } from "./reference/activation.ts";
import { mul64 } from "./reference/numeric.ts";
import { restoreStore, saveStore, stateDigestOf } from "./snapshot.ts";
import { engineOf, type HostState, Store } from "./store.ts";
import { Table } from "./table.ts";
import { TrapCode } from "./trap.ts";
import { fromCell, isReference, toCell, type Value } from "./value.ts";

export type ImportValue = HostFunction | BigintFunction | ExportedFunction | Memory | Table | Global;
export type Imports = { readonly [module: string]: { readonly [name: string]: ImportValue } };

export interface InstantiateOptions {
  /** See {@link StoreOptions}; with `store` it must be the store's. */
  readonly engine?: Engine;
  /** Joins this store; `fuel`, `limits`, `kinds`, `state`, `profile` and `interrupt` are then the store's. */
  readonly store?: Store;
  readonly fuel?: bigint;
  readonly limits?: Partial<Limits>;
  readonly kinds?: readonly Kind[];
  readonly state?: HostState;
  readonly imports?: Imports;
  /** See {@link StoreOptions}. */
  readonly profile?: boolean;
  readonly interrupt?: Int32Array;
  /** Called before anything else; throws, as a rule a LinkError, when the imports are not for such a module. */
  check?(module: Module): void;
}

/** Of the constant expression that is evaluated: a module may have thousands of segments. */
const INSTRUCTION = new Instruction();
let operands = new Int32Array(32);

export class Instance {
  readonly module: Module;
  readonly store: Store;
  /** Creation number in the store. */
  readonly number: number;
  // The index spaces, imports first; the engine reads them.
  readonly functions: FunctionInstance[] = [];
  readonly tables: Table[] = [];
  readonly globals: Global[] = [];
  memory0: MemoryView = NO_MEMORY;
  /** Of the tables, memories and globals: how many of each are imported. */
  readonly imported = { tables: 0, globals: 0, memory: false };
  /** What a compiled engine has of it. */
  readonly native: NativeInstance | undefined;
  /** The reference engine's contents of each element segment; dropped ones are empty. */
  readonly #elements: Int32Array[] = [];
  readonly #droppedData: Uint8Array;
  /** 1 for each element segment that is empty or dropped. */
  readonly #droppedElements: Uint8Array;
  readonly #exports = new Map<string, { readonly kind: ExternKind; readonly index: number }>();

  /** Links and allocates; {@link instantiate} runs the segments and the start function. */
  constructor(module: Module, store: Store, imports: Imports) {
    this.module = module;
    this.store = store;
    this.number = store.nextInstance();
    this.#droppedData = new Uint8Array(module.structure.data.length);
    this.#droppedElements = Uint8Array.from(module.structure.elements, ({ items }) => (items.length === 0 ? 1 : 0));
    const linked: Linked[] = [];
    for (const imported of module.structure.imports) {
      if (imported.module === "bytes") linked.push(bytesCall(imported));
      else this.#import(imported, imports, linked);
    }
    this.#allocateStorage();
    for (const value of [...this.tables, ...this.globals]) value.storage ??= store;
    this.native = store.execution.instantiate(this, linked);
    this.#allocate(linked);
    for (const { name, kind, index } of module.structure.exports) this.#exports.set(name, { kind, index });
    for (const value of [...this.tables, ...this.globals]) value.storage ??= store;
    store.instances.push(this);
  }

  // ---- the embedder's side

  get exports(): readonly { readonly name: string; readonly type: ExternType }[] {
    return this.module.exports;
  }

  /**
   * Calls an exported function. Throws VM-NO-EXPORT, VM-ARGUMENT, VM-REENTRANT, {@link Trap}, or what a host function
   * threw. After a trap the instance may be invoked again, but not after OutOfFuel on the compiled engine (VM-DEAD); a
   * paused execution is given up. `signal` is looked at when the guest calls the host, and only then: Stopped.
   */
  invoke(name: string, args: readonly Value[] = [], options?: InvokeOptions): Value[] {
    return this.store.call(this.#address(name), args, options);
  }

  /** Starts an exported function and pauses it before its first instruction; see {@link step}. */
  begin(name: string, args: readonly Value[] = []): void {
    this.store.begin(this.#address(name), args);
  }

  /** Runs `count` instructions of the paused execution; false when it has ended. */
  step(count?: number): boolean {
    return this.store.step(count);
  }

  /** Goes on with the paused execution, with that much fuel more. */
  resume(fuel: bigint, options?: InvokeOptions): Value[] {
    return this.store.resume(fuel, options);
  }

  /** The instruction that a paused execution runs next. */
  get position(): Position | undefined {
    return this.store.position;
  }

  function(name: string): ExportedFunction {
    return this.store.exportedFunction(this.#address(name));
  }

  global(name: string): Global {
    return this.globals[this.#export(name, "global")]!;
  }

  memory(name: string): Memory {
    this.#export(name, "memory");
    return this.memory0 as Memory;
  }

  table(name: string): Table {
    return this.tables[this.#export(name, "table")]!;
  }

  get fuelUsed(): bigint {
    return this.store.fuelUsed;
  }

  /** SHA-256, in hexadecimal, of the store's state (spec VM-DIGEST-1). */
  stateDigest(): string {
    return stateDigestOf(this.store);
  }

  /** The store's state as bytes (spec VM-SNAPSHOT-1); between calls, or while paused. Throws VM-SNAPSHOT when refused. */
  snapshot(): Uint8Array {
    return saveStore(this.store);
  }

  /**
   * A new store with the state of `snapshot`, which was taken of a store with this one instance; a paused execution is
   * paused again. Throws VM-SNAPSHOT when the bytes are damaged or of another module, LinkError as instantiation does.
   */
  static restore(module: Module, snapshot: Uint8Array, options: RestoreOptions = {}): Instance {
    return restore(snapshot, [{ module, imports: options.imports ?? {} }], options).instances[0]!;
  }

  #address(name: string): number {
    return this.functions[this.#export(name, "function")]!.address;
  }

  #export(name: string, kind: ExternKind): number {
    const found = this.#exports.get(name);
    if (found?.kind === kind) return found.index;
    const names = this.exports.filter((entry) => entry.type.kind === kind).map((entry) => entry.name);
    throw new UsageError(
      "VM-NO-EXPORT",
      `there is no exported ${kind} ${JSON.stringify(name)}; the module exports ${names.join(", ") || "none"}`,
    );
  }

  /** What another instance imports under `name`, or undefined. */
  exported(name: string): ImportValue | undefined {
    const found = this.#exports.get(name);
    switch (found?.kind) {
      case "function":
        return this.store.exportedFunction(this.functions[found.index]!.address);
      case "table":
        return this.tables[found.index];
      case "memory":
        return this.memory0 as Memory;
      case "global":
        return this.globals[found.index];
      default:
        return undefined;
    }
  }

  // ---- linking

  /** Checks an import and takes it in; functions go to `linked`. */
  #import(imported: Import, imports: Imports, linked: Linked[]): void {
    const { module, name, type } = imported;
    const given = Object.hasOwn(imports, module) ? imports[module] : undefined;
    const value = given && Object.hasOwn(given, name) ? given[name] : undefined;
    if (value === undefined) throw new LinkError(module, name, `nothing is given for this ${type.kind}`);
    const fail = (what: string): never => {
      throw new LinkError(module, name, what);
    };
    switch (type.kind) {
      case "function": {
        const found = this.#importedFunction(value, imported);
        if (typeText(found.type) !== typeText(type.type))
          fail(`the module expects ${typeText(type.type)}, it is ${typeText(found.type)}`);
        linked.push(found);
        return;
      }
      case "table": {
        if (!(value instanceof Table)) throw new LinkError(module, name, "it is not a table");
        if (value.storage && value.storage !== this.store) fail("it belongs to another store");
        if (value.element !== type.type.element) fail(`its elements are ${value.element}, not ${type.type.element}`);
        checkSize(fail, "elements", value.length, value.maximum, type.type.minimum, type.type.maximum);
        this.tables.push(value);
        this.imported.tables++;
        return;
      }
      case "memory": {
        if (!(value instanceof Memory)) throw new LinkError(module, name, "it is not a memory");
        checkSize(fail, "pages", value.pages, value.maximum, type.type.minimum, type.type.maximum);
        this.memory0 = value;
        this.imported.memory = true;
        return;
      }
      case "global": {
        if (!(value instanceof Global)) throw new LinkError(module, name, "it is not a global");
        const { value: valueType, mutable } = type.type;
        if (value.type.value !== valueType || value.type.mutable !== mutable)
          fail(`the module expects a ${mutable ? "mutable" : "immutable"} ${valueType}`);
        if (isReference(valueType) && value.storage && value.storage !== this.store)
          fail("it belongs to another store");
        if (mutable && value.storage && value.storage.engine !== this.store.engine)
          fail("it is of a store on another engine");
        this.globals.push(value);
        this.imported.globals++;
        return;
      }
    }
  }

  #importedFunction(value: ImportValue, { module, name }: Import): FunctionInstance | HostFunction {
    if (value instanceof ExportedFunction) {
      if (!this.store.owns(value)) throw new LinkError(module, name, "it belongs to another store");
      return this.store.functions[value.address]!;
    }
    if (!isHostFunction(value))
      throw new LinkError(
        module,
        name,
        "it is not a function: { type, fuel, mayFree, call } of the host, or an export",
      );
    const host = "bigint" in value ? adapted(value) : value;
    checkHostFunction(host);
    return host;
  }

  /** Nothing is added to the store before everything that can fail is done, so function addresses depend on modules only. */
  #allocate(linked: readonly Linked[]): void {
    const { structure } = this.module;
    const { store, native } = this;
    for (const body of linked) {
      if (body instanceof FunctionInstance) this.functions.push(body);
      else if ("run" in body) this.#addFunction(functionTypeOf(body), { bytes: body, importer: this });
      else this.#addFunction(body.type, { host: body });
    }
    const own = { instance: this };
    for (const type of structure.functions) this.#addFunction(structure.types[type]!, own);
    for (const [k, { type, init }] of structure.globals.entries()) {
      const global = new Global(type, undefined, store);
      if (native) global.native = native.globals[k];
      else this.#evaluate(init, global.words);
      this.globals.push(global);
    }
    if (native) return;
    const cell = new Int32Array(2);
    for (const { items } of structure.elements) {
      this.#elements.push(
        Int32Array.from(items, (item) => {
          if (typeof item === "number") return this.functions[item]!.address + 1;
          this.#evaluate(item, cell);
          return cell[0]!;
        }),
      );
    }
  }

  #allocateStorage(): void {
    const { structure } = this.module;
    const { limits } = this.store;
    for (const type of structure.tables) this.tables.push(new Table(type, limits));
    for (const type of structure.memories) this.memory0 = new Memory(type, limits.memoryPages);
  }

  #addFunction(type: FunctionType, body: ConstructorParameters<typeof FunctionInstance>[3]): void {
    const { functions } = this.store;
    const added = new FunctionInstance(functions.length, type, this.functions.length, body);
    functions.push(added);
    this.functions.push(added);
  }

  /** Fills tables and memory from the active segments, then runs the start function (spec VM-INSTANTIATE-1). */
  initialise(): void {
    const { structure } = this.module;
    const { execution } = this.store;
    const cell = new Int32Array(2);
    structure.elements.forEach((segment, k) => {
      if (segment.mode === "active") {
        const { length } = segment.items;
        execution.charge(1 + bulkFuel("elements", length));
        this.#evaluate(segment.offset!, cell);
        const offset = cell[0]! >>> 0;
        if (offset + length > this.tables[segment.table]!.length) execution.fail(TrapCode.TableOutOfBounds);
        if (this.native) this.native.initElements(k, offset);
        else this.#tableInit(k, segment.table, offset, 0, length);
      }
      if (segment.mode !== "passive") this.dropElements(k);
    });
    // While there is enough fuel it is the sum that counts.
    const left = Number(execution.fuelLeft ?? Number.POSITIVE_INFINITY);
    let pending = 0;
    structure.data.forEach((segment, k) => {
      if (segment.mode !== "active") return;
      const length = segment.end - segment.start;
      pending += 1 + bulkFuel("bytes", length);
      if (pending > left) execution.charge(pending);
      this.#evaluate(segment.offset!, cell);
      if (!this.#memoryInit(k, cell[0]! >>> 0, 0, length)) {
        execution.charge(pending);
        execution.fail(TrapCode.MemoryOutOfBounds);
      }
      this.dropData(k);
    });
    if (pending > 0) execution.charge(pending);
    if (structure.start !== undefined) execution.start(this.functions[structure.start]!);
  }

  /** Evaluates a constant expression into `cell`. */
  #evaluate({ start, end }: ConstantExpression, cell: Int32Array): void {
    const reader = new Reader(this.module.structure.bytes, start, end);
    const instruction = INSTRUCTION;
    if (operands.length < 2 * (end - start)) operands = new Int32Array(2 * (end - start));
    const s = operands;
    let at = 0;
    while (reader.position < end) {
      readInstruction(reader, instruction);
      const x = at - 4;
      const y = at - 2;
      switch (instruction.index) {
        case 0x23:
          s.set(this.globals[instruction.imm0]!.read(), at);
          at += 2;
          break;
        case 0x41:
        case 0x42:
        case 0x43:
        case 0x44:
          s[at] = instruction.low;
          s[at + 1] = instruction.index === 0x42 || instruction.index === 0x44 ? instruction.high : 0;
          at += 2;
          break;
        case 0xd0:
          s[at] = 0;
          s[at + 1] = 0;
          at += 2;
          break;
        case 0xd2:
          s[at] = this.functions[instruction.imm0]!.address + 1;
          s[at + 1] = 0;
          at += 2;
          break;
        case 0x6a:
          s[x] = s[x]! + s[y]!;
          at = y;
          break;
        case 0x6b:
          s[x] = s[x]! - s[y]!;
          at = y;
          break;
        case 0x6c:
          s[x] = Math.imul(s[x]!, s[y]!);
          at = y;
          break;
        case 0x7c:
        case 0x7d: {
          const sign = instruction.index === 0x7c ? 1n : -1n;
          const sum =
            (fromCell(undefined, "i64", s, x) as bigint) + sign * (fromCell(undefined, "i64", s, y) as bigint);
          toCell(undefined, "i64", BigInt.asIntN(64, sum), s, x);
          at = y;
          break;
        }
        case 0x7e:
          mul64(s, x, s[x]!, s[x + 1]!, s[y]!, s[y + 1]!);
          at = y;
          break;
      }
    }
    cell[0] = s[0]!;
    cell[1] = s[1]!;
  }

  // ---- what the engine calls

  dropData(index: number): void {
    this.#droppedData[index] = 1;
  }

  dropElements(index: number): void {
    this.#droppedElements[index] = 1;
    if (!this.native) this.#elements[index] = new Int32Array(0);
  }

  /**
   * Makes a new table hold `numbers`, as a restore does, before the segments are dropped that are 1 in `dropped`. What one of
   * those has put there it puts there again: that takes a tenth of the time in which each function is named.
   */
  loadTable(table: Table, numbers: Int32Array, dropped: Uint8Array): void {
    const left = numbers.slice();
    const cell = new Int32Array(2);
    const { native } = this;
    for (const [k, { mode, table: index, offset, items }] of native ? this.module.structure.elements.entries() : []) {
      if (mode !== "active" || dropped[k] === 0 || this.tables[index] !== table || items.length === 0) continue;
      this.#evaluate(offset!, cell);
      const start = cell[0]! >>> 0;
      const isThere = (item: number | ConstantExpression, at: number): boolean =>
        typeof item === "number" && numbers[start + at] === this.functions[item]!.address + 1;
      if (!items.every(isThere)) continue;
      native!.initElements(k, start);
      left.fill(0, start, start + items.length);
    }
    table.load(left);
  }

  /** Drops a segment, as a restore does. */
  dropSegment(kind: "data" | "elements", index: number): void {
    if (kind === "data") {
      this.dropData(index);
      if (this.module.structure.data[index]!.mode === "passive") this.native?.dropData(index);
    } else {
      this.dropElements(index);
      this.native?.dropElements(index);
    }
  }

  /** 1 for each data segment that was dropped; for element segments, 1 for each that is empty now. */
  get dropped(): { readonly data: Uint8Array; readonly elements: Uint8Array } {
    return { data: this.#droppedData, elements: this.#droppedElements };
  }

  /** A bulk instruction on the operands at `s[base]`; 0, or the code of the trap, in which case nothing was done. */
  bulk(operation: number, s: Int32Array, base: number, a: number, b: number): TrapCode | 0 {
    const first = s[base]! >>> 0;
    const second = s[base + 2]! >>> 0;
    const amount = s[base + 4]! >>> 0;
    switch (operation) {
      case 0x40:
        s[base] = (this.memory0 as Memory).grow(first);
        s[base + 1] = 0;
        return 0;
      case 264:
        return this.#memoryInit(a, first, second, amount) ? 0 : TrapCode.MemoryOutOfBounds;
      case 266: {
        const { bytes } = this.memory0;
        if (first + amount > bytes.length || second + amount > bytes.length) return TrapCode.MemoryOutOfBounds;
        bytes.copyWithin(first, second, second + amount);
        return 0;
      }
      case 267: {
        const { bytes } = this.memory0;
        if (first + amount > bytes.length) return TrapCode.MemoryOutOfBounds;
        bytes.fill(second, first, first + amount);
        return 0;
      }
      case 268:
        return this.#tableInit(a, b, first, second, amount) ? 0 : TrapCode.TableOutOfBounds;
      case 270: {
        const [to, from] = [this.tables[a]!, this.tables[b]!];
        if (first + amount > to.size || second + amount > from.size) return TrapCode.TableOutOfBounds;
        if (to === from) to.elements.copyWithin(first, second, second + amount);
        else to.elements.set(from.elements.subarray(second, second + amount), first);
        return 0;
      }
      case 271:
        s[base] = this.tables[a]!.grow(second, s[base]!);
        s[base + 1] = 0;
        return 0;
      default: {
        const table = this.tables[a]!;
        if (first + amount > table.length) return TrapCode.TableOutOfBounds;
        table.elements.fill(s[base + 2]!, first, first + amount);
        return 0;
      }
    }
  }

  #memoryInit(index: number, to: number, from: number, length: number): boolean {
    const segment = this.module.structure.data[index]!;
    const size = this.#droppedData[index] ? 0 : segment.end - segment.start;
    const { bytes } = this.memory0;
    if (from + length > size || to + length > bytes.length) return false;
    const start = segment.start + from;
    bytes.set(this.module.structure.bytes.subarray(start, start + length), to);
    return true;
  }

  #tableInit(index: number, tableIndex: number, to: number, from: number, length: number): boolean {
    const items = this.#elements[index]!;
    const table = this.tables[tableIndex]!;
    if (from + length > items.length || to + length > table.length) return false;
    table.elements.set(items.subarray(from, from + length), to);
    return true;
  }
}

/** One instance of a store to be restored. Imports from earlier instances of the store come from their exports. */
export interface RestorePart {
  readonly module: Module;
  readonly imports: Imports | ((instances: readonly Instance[]) => Imports);
}

/**
 * A new store with the instances, in creation order, that `snapshot` was taken of; a paused execution is paused again.
 * Throws VM-SNAPSHOT for bytes that are damaged, of another version or of other modules; LinkError and LimitError as
 * instantiation does.
 */
export function restore(
  snapshot: Uint8Array,
  parts: readonly RestorePart[],
  options: Omit<RestoreOptions, "imports"> = {},
): Store {
  const links = parts.map(({ module, imports }) => ({
    digest: module.digest,
    link: (store: Store) =>
      new Instance(module, store, typeof imports === "function" ? imports(store.instances) : imports),
  }));
  return restoreStore(snapshot, links, options);
}

export interface RestoreOptions {
  readonly imports?: Imports;
  /** See {@link StoreOptions}; a snapshot that was taken inside a call needs "reference". */
  readonly engine?: Engine;
  readonly interrupt?: Int32Array;
  readonly kinds?: readonly Kind[];
  /** Must be given when the snapshot holds one. */
  readonly state?: HostState;
  /** As at instantiation; depth and heap limits must not be less than what the snapshot holds. */
  readonly limits?: Partial<Limits>;
  /** Another limit of fuel than the store had; what was charged before counts (spec VM-SNAPSHOT-7). */
  readonly fuel?: bigint | "unlimited";
  /** See {@link StoreOptions}; what was charged before stands there as instantiation. */
  readonly profile?: boolean;
  /** True for bytes that another digest has shown to be whole: their own, which takes long, is not looked at. */
  readonly whole?: boolean;
}

/** Instantiates a module (spec VM-INSTANTIATE-1). Throws LinkError, LimitError, Trap, or what a host function threw. */
export function instantiate(module: Module, options: InstantiateOptions = {}): Instance {
  const { store } = options;
  if (store) {
    const { fuel, limits, kinds, state, profile, interrupt } = options;
    if (fuel !== undefined || limits || kinds || state || profile || interrupt)
      throw new UsageError("VM-ARGUMENT", "fuel, limits, kinds, state, profile and interrupt are the store's");
    if (
      options.engine !== undefined &&
      engineOf({ engine: options.engine, profile: store.profile !== undefined }) !== store.engine
    )
      throw new UsageError("VM-ARGUMENT", `the store has the ${store.engine} engine`);
    store.checkIdle();
    store.execution.checkAlive();
  }
  options.check?.(module);
  const instance = new Instance(module, store ?? new Store(options), options.imports ?? {});
  instance.initialise();
  return instance;
}

function checkSize(
  fail: (what: string) => never,
  unit: string,
  size: number,
  maximum: number | undefined,
  least: number,
  most: number | undefined,
): void {
  if (size < least) fail(`it has ${size} ${unit}, the module expects ${least} at least`);
  if (most !== undefined && (maximum === undefined || maximum > most))
    fail(`it may grow to ${maximum ?? "any number of"} ${unit}, the module expects ${most} at most`);
}

function isHostFunction(value: unknown): value is HostFunction | BigintFunction {
  if (typeof value !== "object" || value === null) return false;
  const { type, call } = value as Partial<HostFunction>;
  return Array.isArray(type?.params) && Array.isArray(type.results) && typeof call === "function";
}

/** The call of `bytes` that an import names. */
function bytesCall(imported: Import): BytesCall {
  const { module, name, type } = imported;
  const row = bytesRow(imported);
  if (type.kind !== "function" || row < 0)
    throw new LinkError(module, name, "module bytes has no such call; `ashlar inspect` lists what a module imports");
  const call = BYTES_CALLS[row]!;
  const expected = functionTypeOf(call);
  if (typeText(expected) !== typeText(type.type))
    throw new LinkError(module, name, `the module expects ${typeText(type.type)}, it is ${typeText(expected)}`);
  return call;
}

const ADAPTED = new WeakMap<BigintFunction, HostFunction>();

/** The word form of a function of values. */
function adapted(given: BigintFunction): HostFunction {
  const known = ADAPTED.get(given);
  if (known) return known;
  const { type, fuel, mayFree } = given;
  const { params, results } = type;
  const call = (caller: Caller, ...words: number[]): void => {
    const args: Value[] = [];
    let at = 0;
    for (const param of params) {
      const word = words[at++]!;
      if (param === "i64") args.push((BigInt(words[at++]!) << 32n) | BigInt(word >>> 0));
      else args.push(param === "funcref" || param === "externref" ? caller.reference(word, param) : word);
    }
    const returned = given.call(caller, ...args);
    const values = Array.isArray(returned) ? (returned as readonly Value[]) : [returned as Value];
    results.forEach((_, k) => {
      caller.results.setValue(k, values[k]!);
    });
  };
  const made: HostFunction = { type, fuel, mayFree, call };
  ADAPTED.set(given, made);
  return made;
}
