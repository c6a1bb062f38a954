/**
 * Calls syscalls as a guest does, without a guest: a heap and a linear memory of its own, host functions from
 * `createAbi`. Shared by the conformance suites and the tests of dispatcher and file systems.
 */
import { type AbiOptions, createAbi } from "../../host/abi.ts";
import type { HostFunctions } from "../../syscalls/dispatch.ts";
import { OpenFlag } from "../../syscalls/table.ts";
import type { Caller } from "../../vm/function.ts";
import { Heap, type Kind } from "../../vm/heap.ts";
import { Memory } from "../../vm/memory.ts";
import type { HostState } from "../../vm/store.ts";
import { Fault, trapName } from "../../vm/trap.ts";

/** Two words of a HeapRef: slot and generation. */
export type Ref = readonly [low: number, high: number];
export const NULL_REF: Ref = [0, 0];

/** What a call answered: its return value, and what it wrote to `caller.results`; an i64 is [low, high]. */
export interface Answer {
  readonly returned: number | undefined;
  readonly results: readonly (number | Ref)[];
}

export interface Listed {
  readonly kind: number;
  readonly name: string;
}

/** What `fs.stat` answered. */
export interface Stats {
  readonly status: number;
  readonly kind: number;
  readonly bytes: number;
  readonly id: number;
  readonly links: number;
  readonly accessed: bigint;
  readonly modified: bigint;
  readonly changed: bigint;
}

type PathBytes = string | Uint8Array;

const { READ, DIRECTORY } = OpenFlag;
/** Where the driver puts paths and data in its memory. */
const PATH_AT = 0;
const SECOND_PATH_AT = 32_768;
const DATA_AT = 65_536;
export const PAGES = 20;

/** A guest that makes a driver's calls, in place of the driver itself. */
export interface Stand {
  readonly heap: Heap;
  /** Of the calling instance, of {@link PAGES} pages. */
  readonly memory: Memory;
  /** One call; what it throws goes through. Without `hasMemory` by an instance that has none. */
  call(module: string, name: string, words: readonly number[], hasMemory: boolean): Answer;
}

/** What a {@link Stand} is made of. */
export interface StandOptions {
  readonly imports: HostFunctions;
  readonly kinds: readonly Kind[];
  readonly state?: HostState;
  readonly limits: { readonly heapObjects: number; readonly heapBytes: number };
}

export class Driver {
  readonly imports: HostFunctions;
  readonly memory: Memory;
  readonly heap: Heap;
  /** The memory itself as a Bytes object. */
  readonly own: Ref;
  fuelLeft: bigint | undefined;
  fuelUsed = 0n;
  /** Set to undefined to call as an instance without a memory. */
  callerMemory: Memory | undefined;
  readonly #stand: Stand | undefined;
  #results: (number | Ref)[] = [];
  readonly #caller: Caller;

  /** `on`: a heap to use, or how to make the guest that the calls go through; fuel is its own then. */
  constructor(
    given: AbiOptions | Omit<StandOptions, "limits">,
    { heapObjects = 1000 }: { heapObjects?: number } = {},
    on?: Heap | ((options: StandOptions) => Stand),
  ) {
    const abi = "imports" in given ? given : createAbi(given);
    const { imports, kinds } = abi;
    const limits = { heapObjects, heapBytes: 1 << 24 };
    this.imports = imports;
    this.#stand = typeof on === "function" ? on({ ...abi, limits }) : undefined;
    this.memory = this.#stand?.memory ?? new Memory({ minimum: PAGES, maximum: PAGES });
    this.callerMemory = this.memory;
    this.heap = this.#stand?.heap ?? (on instanceof Heap ? on : new Heap(limits, kinds));
    this.own = this.ref(this.heap.memoryRef(0, this.memory));
    const driver = this;
    this.#caller = {
      get memory() {
        return driver.callerMemory;
      },
      heap: this.heap,
      instance: 0,
      results: {
        setI32: (index, value) => this.#set(index, value),
        setI64: (index, low, high) => this.#set(index, [low, high]),
        setF32: (index, value) => this.#set(index, value),
        setF64: (index, value) => this.#set(index, value),
        setValue: () => {},
      },
      fuelLeft: () => this.fuelLeft,
      fuelUsed: () => this.fuelUsed,
      charge: (fuel) => {
        this.fuelUsed += BigInt(fuel);
      },
      trap: (code, detail) => {
        throw new Fault(code, detail);
      },
      reference: () => null,
    };
  }

  ref(slot: number): Ref {
    return slot === 0 ? NULL_REF : [slot, this.heap.generation(slot)];
  }

  /** One call; what it throws goes through. */
  call(module: string, name: string, ...args: readonly (number | Ref)[]): Answer {
    if (this.#stand) return this.#stand.call(module, name, args.flat(), this.callerMemory !== undefined);
    this.#results = [];
    const returned = this.imports[module]![name]!.call(this.#caller, ...args.flat()) as number | undefined;
    return { returned, results: this.#results };
  }

  /** Name of the trap that a call ends in, or "none". */
  trap(module: string, name: string, ...args: readonly (number | Ref)[]): string {
    try {
      this.call(module, name, ...args);
      return "none";
    } catch (error) {
      if (error instanceof Fault) return trapName(error.code);
      throw error;
    }
  }

  /** Puts a path into memory: the three words of its window. */
  path(path: PathBytes, at: number = PATH_AT): [Ref, number, number] {
    const bytes = typeof path === "string" ? Buffer.from(path) : path;
    this.memory.bytes.set(bytes, at);
    return [this.own, at, bytes.length];
  }

  open(path: PathBytes, flags: number, dir: Ref = NULL_REF): { status: number; handle: Ref } {
    const { results } = this.call("fs", "open", dir, ...this.path(path), flags);
    return { status: results[0] as number, handle: results[1] as Ref };
  }

  /** A handle that must open. */
  handle(path: PathBytes, flags: number, dir: Ref = NULL_REF): Ref {
    const { status, handle } = this.open(path, flags, dir);
    if (status !== 0) throw new Error(`open ${path}: status ${status}`);
    return handle;
  }

  read(handle: Ref, offset: number, max: number): { status: number; bytes: number; eof: number; text: string } {
    this.memory.bytes.fill(0, DATA_AT, DATA_AT + max);
    const { results } = this.call("fs", "read", handle, wide(offset), this.own, DATA_AT, max);
    const [status, bytes, eof] = results as number[];
    return {
      status: status!,
      bytes: bytes!,
      eof: eof!,
      text: this.#text(DATA_AT, bytes!),
    };
  }

  /** `data` in latin1. */
  write(handle: Ref, offset: number, data: string): { status: number; bytes: number } {
    const bytes = Buffer.from(data, "latin1");
    this.memory.bytes.set(bytes, DATA_AT);
    const { results } = this.call("fs", "write", handle, wide(offset), this.own, DATA_AT, bytes.length);
    return { status: results[0] as number, bytes: results[1] as number };
  }

  /** Length of an open file; its status, negative, when it has none. */
  size(handle: Ref): number {
    const { results } = this.call("fs", "size", handle);
    return results[0] === 0 ? narrow(results[1] as Ref) : -(results[0] as number);
  }

  truncate(handle: Ref, bytes: number | bigint): number {
    return this.#status("truncate", handle, wide(bytes));
  }

  sync(handle: Ref): number {
    return this.#status("sync", handle);
  }

  close(handle: Ref): number {
    return this.#status("close", handle);
  }

  /** Of a path, or of the handle itself when the path is empty. */
  stat(path: PathBytes, flags: number = 0, handle: Ref = NULL_REF): Stats {
    const { results } = this.call("fs", "stat", handle, ...this.path(path), flags);
    const [status, kind, ...rest] = results as [number, number, ...Ref[]];
    const [bytes, id, links] = rest.map(narrow);
    const [accessed, modified, changed] = rest.slice(3).map(exact);
    return {
      status,
      kind,
      bytes: bytes!,
      id: id!,
      links: links!,
      accessed: accessed!,
      modified: modified!,
      changed: changed!,
    };
  }

  /** Of a path, or of the handle itself when the path is empty. */
  setTimes(path: PathBytes, flags: number, accessed: bigint, modified: bigint, handle: Ref = NULL_REF): number {
    return this.#status("set_times", handle, ...this.path(path), flags, wide(accessed), wide(modified));
  }

  mkdir(path: PathBytes, dir: Ref = NULL_REF): number {
    return this.#status("mkdir", dir, ...this.path(path));
  }

  rmdir(path: PathBytes, dir: Ref = NULL_REF): number {
    return this.#status("rmdir", dir, ...this.path(path));
  }

  unlink(path: PathBytes, dir: Ref = NULL_REF): number {
    return this.#status("unlink", dir, ...this.path(path));
  }

  rename(path: PathBytes, newPath: PathBytes, dir: Ref = NULL_REF, newDir: Ref = NULL_REF): number {
    return this.#status("rename", dir, ...this.path(path), newDir, ...this.path(newPath, SECOND_PATH_AT));
  }

  link(path: PathBytes, newPath: PathBytes, dir: Ref = NULL_REF, newDir: Ref = NULL_REF): number {
    return this.#status("link", dir, ...this.path(path), newDir, ...this.path(newPath, SECOND_PATH_AT));
  }

  symlink(target: PathBytes, path: PathBytes, dir: Ref = NULL_REF): number {
    return this.#status("symlink", ...this.path(target, SECOND_PATH_AT), dir, ...this.path(path));
  }

  /** `target` is what was copied of it; `bytes` the length of the whole. */
  readlink(path: PathBytes, max = 4096, dir: Ref = NULL_REF): { status: number; target: string; bytes: number } {
    const { results } = this.call("fs", "readlink", dir, ...this.path(path), this.own, DATA_AT, max);
    const [status, copied, bytes] = results as number[];
    return { status: status!, target: this.#text(DATA_AT, copied!, "utf8"), bytes: bytes! };
  }

  list(handle: Ref, cookie: number, max: number): { status: number; entries: Listed[]; eof: number; next: number } {
    const { results } = this.call("fs", "list", handle, wide(cookie), this.own, DATA_AT, max);
    const [status, bytes, eof, next] = results as [number, number, number, Ref];
    const entries: Listed[] = [];
    for (let at = DATA_AT; at < DATA_AT + bytes; at += 2 + this.memory.bytes[at + 1]!)
      entries.push({ kind: this.memory.bytes[at]!, name: this.#text(at + 2, this.memory.bytes[at + 1]!, "utf8") });
    return { status, entries, eof, next: narrow(next) };
  }

  /** Variables of the environment, `NAME=value`. */
  env(): string[] {
    return this.#strings("env");
  }

  args(): string[] {
    return this.#strings("arg", "args_count");
  }

  /** Nanoseconds of the clock `id`. */
  clock(id: number): bigint {
    return exact(this.call("sys", "clock", id).results[0] as Ref);
  }

  sleep(nanoseconds: bigint): void {
    this.call("sys", "sleep", wide(nanoseconds));
  }

  random(length: number): Uint8Array {
    this.call("sys", "random", this.own, DATA_AT, length);
    return this.memory.bytes.slice(DATA_AT, DATA_AT + length);
  }

  /** Contents of a file, or its status as a number. */
  contents(path: PathBytes, dir: Ref = NULL_REF): string | number {
    const { status, handle } = this.open(path, READ, dir);
    if (status !== 0) return status;
    const { text } = this.read(handle, 0, this.size(handle));
    this.close(handle);
    return text;
  }

  /** Names in a directory, or the status as a number. */
  names(path: PathBytes, dir: Ref = NULL_REF): string[] | number {
    const { status, handle } = this.open(path, DIRECTORY, dir);
    if (status !== 0) return status;
    const listed = this.list(handle, 0, 1 << 20);
    this.close(handle);
    return listed.status === 0 ? listed.entries.map(({ name }) => name) : listed.status;
  }

  /** Everything in a directory, by path: contents of files, null for directories, links with their targets. */
  tree(path = "/"): { [path: string]: string | number | null | { link: string } } {
    const tree: { [path: string]: string | number | null | { link: string } } = {};
    const visit = (at: string): void => {
      const dir = this.handle(at, DIRECTORY);
      const { status, entries } = this.list(dir, 0, 1 << 20);
      if (status !== 0) throw new Error(`list ${at}: status ${status}`);
      this.close(dir);
      for (const { kind, name } of entries) {
        const place = `${at}/${name}`;
        const key = place.slice(path.length).replace(/^\/+/, "");
        if (kind === 1) tree[key] = this.contents(place);
        else if (kind === 3) tree[key] = { link: this.readlink(place).target };
        else tree[key] = null;
        if (kind === 2) visit(place);
      }
    };
    visit(path);
    return tree;
  }

  #status(name: string, ...args: readonly (number | Ref)[]): number {
    return this.call("fs", name, ...args).returned!;
  }

  #text(at: number, length: number, encoding: BufferEncoding = "latin1"): string {
    return Buffer.from(this.memory.bytes.subarray(at, at + length)).toString(encoding);
  }

  #strings(name: string, count = `${name}_count`): string[] {
    return Array.from({ length: this.call("sys", count).returned! }, (_, index) => {
      const length = this.call("sys", `${name}_size`, index).returned!;
      const copied = this.call("sys", `${name}_read`, index, this.own, DATA_AT, length).returned!;
      return this.#text(DATA_AT, copied, "utf8");
    });
  }

  #set(index: number, value: number | Ref): void {
    this.#results[index] = value;
  }
}

/** An integer as the two words of an i64. */
export function wide(value: number | bigint): Ref {
  if (typeof value === "number") return [value | 0, Math.floor(value / 2 ** 32) | 0];
  return [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))];
}

/** The nearest number to an i64. */
export function narrow([low, high]: Ref): number {
  return high * 2 ** 32 + (low >>> 0);
}

function exact([low, high]: Ref): bigint {
  return (BigInt(high) << 32n) | BigInt(low >>> 0);
}
