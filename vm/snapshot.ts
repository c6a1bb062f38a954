/**
 * A store as bytes, and the digest of its state (spec VM-SNAPSHOT, VM-DIGEST). Both go over the instances in creation
 * order and leave out what an instance imports from another of the store.
 */
import type { ValueType } from "./bytecode/structure.ts";
import { UsageError } from "./errors.ts";
import type { Engine } from "./execution.ts";
import type { Global } from "./global.ts";
import { Heap, type Kind } from "./heap.ts";
import type { Instance } from "./instance.ts";
import { type Limits, limitsWith } from "./limits.ts";
import { Memory, PAGE_BYTES } from "./memory.ts";
import { hex, sha256 } from "./sha256.ts";
import { type HostState, Store } from "./store.ts";
import type { Table } from "./table.ts";
import { isReference } from "./value.ts";

const MAGIC = [0x89, 0x41, 0x53, 0x48, 0x53, 0x0d, 0x0a, 0x1a];
/** The version without, and with the state of the host. */
const STATELESS_VERSION = 1;
const VERSION = 2;
const DIGEST_BYTES = 32;
/** Unit in which a memory's zeroes are left out. */
const CHUNK_BYTES = 4096;

/** Everything that a store's limits allow to differ, in the order in which it is saved. */
const SAVED_LIMITS = ["memoryPages", "tableElements", "depth", "heapObjects", "heapBytes", "instances"] as const;

// ---- bytes

export class SnapshotWriter {
  #bytes = new Uint8Array(4096);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  #room(bytes: number): number {
    const at = this.#length;
    this.#length += bytes;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }

  u32(value: number): void {
    const at = this.#room(4);
    this.#view.setUint32(at, value, true);
  }

  f64(value: number): void {
    const at = this.#room(8);
    this.#view.setFloat64(at, value, true);
  }

  /** A signed 128-bit number. */
  i128(value: bigint): void {
    const at = this.#room(16);
    this.#view.setBigUint64(at, BigInt.asUintN(64, value), true);
    this.#view.setBigInt64(at + 8, BigInt.asIntN(64, value >> 64n), true);
  }

  raw(bytes: Uint8Array): void {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** A count, then that many bytes. */
  bytes(bytes: Uint8Array): void {
    this.u32(bytes.length);
    this.raw(bytes);
  }

  /** A count, then that many int32. */
  words(words: Int32Array): void {
    this.u32(words.length);
    for (const word of words) this.u32(word);
  }

  finish(): Uint8Array {
    const body = this.#bytes.subarray(0, this.#length);
    const digest = digestOf(body);
    this.raw(digest);
    return this.#bytes.slice(0, this.#length);
  }
}

export class SnapshotReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #end: number;
  /** Of the format. */
  readonly version: number;
  #at = 0;

  /** Checks magic, version and checksum, the latter unless the bytes are known to be `whole`. */
  constructor(bytes: Uint8Array, whole = false) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#end = bytes.length - DIGEST_BYTES;
    if (this.#end < MAGIC.length + 4 || MAGIC.some((byte, k) => bytes[k] !== byte))
      this.refuse("it does not begin as one");
    this.#at = MAGIC.length;
    this.version = this.u32();
    if (this.version !== VERSION && this.version !== STATELESS_VERSION)
      this.refuse(`its version is ${this.version}, this engine reads ${STATELESS_VERSION} and ${VERSION}`);
    if (!whole && hex(digestOf(bytes.subarray(0, this.#end))) !== hex(bytes.subarray(this.#end)))
      this.refuse("its checksum is wrong");
  }

  refuse(why: string): never {
    throw new UsageError("VM-SNAPSHOT", `the snapshot cannot be restored: ${why} (offset ${this.#at})`);
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (bytes > this.#end - at) this.refuse("it ends too early");
    this.#at = at + bytes;
    return at;
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  i128(): bigint {
    const at = this.#take(16);
    return this.#view.getBigUint64(at, true) | (this.#view.getBigInt64(at + 8, true) << 64n);
  }

  /** A u32 that is 0 or 1. */
  flag(): boolean {
    const value = this.u32();
    if (value > 1) this.refuse(`${value} where 0 or 1 must be`);
    return value === 1;
  }

  limits(): Limits {
    const saved = Object.fromEntries(SAVED_LIMITS.map((name) => [name, this.f64()]));
    try {
      return limitsWith(saved);
    } catch (error) {
      return this.refuse((error as Error).message);
    }
  }

  /** A count of items of `size` bytes each, all of which are there. */
  count(size: number): number {
    const count = this.u32();
    if (count > (this.#end - this.#at) / size) this.refuse(`it announces ${count} items`);
    return count;
  }

  raw(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  bytes(): Uint8Array {
    return this.raw(this.count(1));
  }

  words(): Int32Array {
    const words = new Int32Array(this.count(4));
    for (let k = 0; k < words.length; k++) words[k] = this.#view.getInt32(this.#take(4), true);
    return words;
  }

  end(): void {
    if (this.#at !== this.#end) this.refuse("there are bytes behind its end");
  }
}

function digestOf(bytes: Uint8Array): Uint8Array {
  const hash = sha256();
  hash.update(bytes);
  return hash.digest();
}

// ---- what belongs to an instance

/** Memories, tables and globals that `instance` defines; what it imports is another's, or the embedder's. */
function own(instance: Instance): { memory: Memory | undefined; tables: readonly Table[]; globals: readonly Global[] } {
  const { imported, memory0 } = instance;
  return {
    memory: memory0 instanceof Memory && !imported.memory ? memory0 : undefined,
    tables: instance.tables.slice(imported.tables),
    globals: instance.globals.slice(imported.globals),
  };
}

/** Throws VM-SNAPSHOT when the instance holds something that lives outside the store. */
function refuseOutside(store: Store): void {
  const owned = new Set<unknown>();
  for (const instance of store.instances) {
    const { memory, tables, globals } = own(instance);
    for (const value of [memory, ...tables, ...globals]) owned.add(value);
    const outside = [
      ...(instance.imported.memory ? [instance.memory0] : []),
      ...instance.tables,
      ...instance.globals.filter(({ type }) => type.mutable || isReference(type.value)),
    ].find((value) => !owned.has(value));
    if (outside)
      throw new UsageError("VM-SNAPSHOT", "a memory, table, or mutable or reference global is of outside the store");
    for (const table of tables) if (table.element === "externref") refuseExterns(table.numbers());
    for (const global of globals) if (global.type.value === "externref") refuseExterns(global.read());
  }
}

function refuseExterns(words: Int32Array): void {
  if (words.some((word) => word !== 0)) throw new UsageError("VM-SNAPSHOT", "the store holds an externref");
}

// ---- digest

/** A hash that gathers numbers before it is asked: one update for each would cost more than the hashing. */
class NumberHash {
  readonly #hash = sha256();
  readonly #gathered = new Uint8Array(4096);
  readonly #view = new DataView(this.#gathered.buffer);
  #length = 0;

  u32(value: number): void {
    if (this.#length === this.#gathered.length) this.#flush();
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
  }

  raw(bytes: Uint8Array): void {
    this.#flush();
    this.#hash.update(bytes);
  }

  #flush(): void {
    this.#hash.update(this.#gathered.subarray(0, this.#length));
    this.#length = 0;
  }

  digest(): string {
    this.#flush();
    return hex(this.#hash.digest());
  }
}

/** See `Instance.stateDigest`; the bytes hashed are in spec VM-DIGEST-2. */
export function stateDigestOf(store: Store): string {
  const hash = new NumberHash();
  const names = functionNames(store);
  const reference = (element: string, number: number): void => {
    const [instance, index] = number === 0 ? [0, 0] : element === "externref" ? [0xffffffff, 0] : names[number - 1]!;
    hash.u32(instance);
    hash.u32(index);
  };
  const seen = new Set<unknown>();
  const first = (value: unknown): boolean => !seen.has(value) && seen.add(value) !== undefined;
  hash.u32(store.instances.length);
  for (const { memory0, tables, globals, dropped } of store.instances) {
    if (memory0 instanceof Memory && first(memory0)) hashMemory(memory0, hash);
    for (const global of globals) {
      if (!first(global)) continue;
      const { value } = global.type;
      const words = global.read();
      if (isReference(value)) reference(value, words[0]!);
      else {
        hash.u32(words[0]!);
        hash.u32(isWide(value) ? words[1]! : 0);
      }
    }
    for (const table of tables) {
      if (!first(table)) continue;
      const numbers = table.numbers();
      hash.u32(numbers.length);
      for (const number of numbers) reference(table.element, number);
    }
    hash.u32(dropped.data.length);
    hash.raw(dropped.data);
    hash.u32(dropped.elements.length);
    hash.raw(dropped.elements);
  }
  store.heap.digest((bytes) => hash.raw(bytes));
  return hash.digest();
}

/** True when a value has two words; of others the reference engine leaves anything in the second. */
function isWide(type: ValueType): boolean {
  return type === "i64" || type === "f64";
}

/** Pages, then for each page 0, or 1 and its bytes: a page of zeroes costs a scan, not a hash. */
function hashMemory(memory: Memory, hash: NumberHash): void {
  hash.u32(memory.pages);
  for (let at = 0; at < memory.bytes.length; at += PAGE_BYTES) {
    const page = memory.bytes.subarray(at, at + PAGE_BYTES);
    const zero = isZero(page);
    hash.u32(zero ? 0 : 1);
    if (!zero) hash.raw(page);
  }
}

/** `bytes` begin and end at multiples of 4. */
function isZero(bytes: Uint8Array): boolean {
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  for (let k = 0; k < words.length; k++) if (words[k] !== 0) return false;
  return true;
}

/** Per function address: 1 + the number of the first instance that has it, and its index there. */
function functionNames(store: Store): (readonly [number, number])[] {
  const names: (readonly [number, number])[] = [];
  for (const instance of store.instances) {
    instance.functions.forEach(({ address }, index) => {
      names[address] ??= [instance.number + 1, index];
    });
  }
  return names;
}

// ---- saving

/** See `Instance.snapshot`. */
export function saveStore(store: Store): Uint8Array {
  store.checkIdle();
  store.execution.checkAlive();
  refuseOutside(store);
  if (store.paused && store.hasExterns) throw new UsageError("VM-SNAPSHOT", "a paused execution may hold an externref");
  const writer = new SnapshotWriter();
  writer.raw(Uint8Array.from(MAGIC));
  writer.u32(store.state === undefined ? STATELESS_VERSION : VERSION);
  for (const name of SAVED_LIMITS) writer.f64(store.limits[name]);
  store.execution.saveFuel(writer);
  writer.u32(store.instances.length);
  for (const instance of store.instances) saveInstance(writer, instance);
  if (store.state !== undefined) writer.bytes(store.state.save());
  writer.bytes(store.heap.save());
  writer.u32(store.paused ? 1 : 0);
  if (store.paused) store.activation.save(writer);
  return writer.finish();
}

function saveInstance(writer: SnapshotWriter, instance: Instance): void {
  const { memory, tables, globals } = own(instance);
  writer.raw(fromHex(instance.module.digest));
  writer.bytes(instance.dropped.data);
  writer.bytes(instance.dropped.elements);
  if (memory) saveMemory(writer, memory);
  for (const table of tables) writer.words(table.numbers());
  for (const global of globals) {
    const [low, high] = global.read() as unknown as [number, number];
    writer.words(Int32Array.of(low, isWide(global.type.value) ? high : 0));
  }
}

/** Pages, then (chunk number, bytes) of each chunk that is not zero. */
function saveMemory(writer: SnapshotWriter, memory: Memory): void {
  const { bytes } = memory;
  const chunks: number[] = [];
  for (let at = 0; at < bytes.length; at += CHUNK_BYTES)
    if (!isZero(bytes.subarray(at, at + CHUNK_BYTES))) chunks.push(at / CHUNK_BYTES);
  writer.u32(memory.pages);
  writer.u32(chunks.length);
  for (const chunk of chunks) {
    writer.u32(chunk);
    writer.raw(bytes.subarray(chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES));
  }
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length / 2 }, (_, k) => Number.parseInt(text.slice(2 * k, 2 * k + 2), 16));
}

// ---- restoring

/** An instance to be restored: the digest of its module, and what links it, without running anything of it. */
export interface RestoredInstance {
  readonly digest: string;
  link(store: Store): Instance;
}

export interface RestoreStoreOptions {
  readonly engine?: Engine;
  readonly interrupt?: Int32Array;
  readonly kinds?: readonly Kind[];
  readonly limits?: Partial<Limits>;
  readonly state?: HostState;
  readonly fuel?: bigint | "unlimited";
  readonly profile?: boolean;
  readonly whole?: boolean;
}

/** See `restore` in `instance.ts`. */
export function restoreStore(
  snapshot: Uint8Array,
  parts: readonly RestoredInstance[],
  options: RestoreStoreOptions,
): Store {
  const { kinds = [], limits, state, engine, interrupt, fuel, profile, whole } = options;
  const reader = new SnapshotReader(snapshot, whole);
  const saved = reader.limits();
  const store = new Store({
    limits: { ...saved, ...limits },
    kinds,
    ...(state && { state }),
    ...(engine && { engine }),
    ...(interrupt && { interrupt }),
    ...(profile && { profile }),
    ...(typeof fuel === "bigint" && { fuel }),
  });
  store.execution.restoreFuel(reader);
  if (fuel !== undefined) store.execution.limitFuel(fuel === "unlimited" ? undefined : fuel);
  const count = reader.count(DIGEST_BYTES);
  if (count !== parts.length) reader.refuse(`it is of ${count} instances, ${parts.length} modules are given`);
  const later: (() => void)[] = [];
  for (const part of parts) {
    if (hex(reader.raw(DIGEST_BYTES)) !== part.digest) reader.refuse("it is of another module");
    later.push(...restoreInstance(reader, part.link(store), store));
  }
  // References to functions of later instances.
  for (const restore of later) restore();
  if (reader.version !== STATELESS_VERSION) restoreState(reader, state);
  store.heap = Heap.restore(
    reader.bytes(),
    store.limits,
    kinds,
    (number) => {
      const instance = store.instances[number];
      return instance?.memory0 instanceof Memory
        ? instance.memory0
        : reader.refuse("a window over the memory of no instance");
    },
    store.heap.memory,
  );
  for (const { native, number } of store.instances) {
    const slot = store.heap.windowOf(number);
    if (slot !== 0) native?.setWindow(slot, store.heap.generation(slot));
  }
  if (reader.flag()) {
    if (store.engine !== "reference")
      throw new UsageError(
        "VM-SNAPSHOT-MIDCALL",
        "the snapshot was taken inside a call: only the reference engine goes on with it",
      );
    store.activation.restore(reader, saved.depth);
  }
  reader.end();
  return store;
}

function restoreState(reader: SnapshotReader, state: HostState | undefined): void {
  const bytes = reader.bytes();
  if (state?.restore(bytes) !== true)
    reader.refuse(state === undefined ? "no host is given for its state" : "the host cannot use its state");
}

/** Restores what an instance defines; answers what is to be done when all functions are there. */
function restoreInstance(reader: SnapshotReader, instance: Instance, store: Store): (() => void)[] {
  const later: (() => void)[] = [];
  /** Numbers of references, which are checked now or later. */
  const references = (type: ValueType, numbers: Int32Array, set: () => void): void => {
    const restore = (): void => {
      const most = type === "externref" ? 0 : store.functions.length;
      if (isReference(type) && numbers.some((number) => number < 0 || number > most))
        reader.refuse("a reference to what is not there");
      set();
    };
    if (type === "funcref" && numbers.some((number) => number > store.functions.length)) later.push(restore);
    else restore();
  };
  const { memory, tables, globals } = own(instance);
  const drops: (() => void)[] = [];
  const dropped = (kind: "data" | "elements"): Uint8Array => {
    const flags = reader.bytes();
    if (flags.length !== instance.dropped[kind].length) reader.refuse("segments that the module does not have");
    flags.forEach((flag, k) => {
      if (flag > 1) reader.refuse("a flag that is neither 0 nor 1");
      if (flag === 1) drops.push(() => instance.dropSegment(kind, k));
    });
    return flags;
  };
  dropped("data");
  const droppedElements = dropped("elements");
  if (memory) restoreMemory(reader, memory);
  for (const table of tables) {
    const elements = reader.words();
    if (elements.length < table.length || table.grow(elements.length - table.length, 0) < 0)
      reader.refuse("a table of a size that the module or the limits do not allow");
    references(table.element, elements, () => instance.loadTable(table, elements, droppedElements));
  }
  for (const global of globals) {
    const words = reader.words();
    if (words.length !== 2) reader.refuse("a global that is not two words");
    references(global.type.value, words, () => global.write(words));
  }
  // Tables may be loaded from segments.
  later.push(...drops);
  return later;
}

function restoreMemory(reader: SnapshotReader, memory: Memory): void {
  const pages = reader.u32();
  if (pages < memory.pages || memory.grow(pages - memory.pages) < 0)
    reader.refuse("a memory of a size that the module or the limits do not allow");
  for (let count = reader.count(4 + CHUNK_BYTES); count > 0; count--) {
    const at = reader.u32() * CHUNK_BYTES;
    if (at >= memory.bytes.length) reader.refuse("bytes behind the end of a memory");
    memory.bytes.set(reader.raw(CHUNK_BYTES), at);
  }
}
