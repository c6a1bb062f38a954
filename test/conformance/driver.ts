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

const { READ, DIRECTORY } = OpenFlag;
/** Where the driver puts paths and data in its memory. */
const PATH_AT = 0;
const DATA_AT = 65_536;
const PAGES = 40;

export class Driver {
  readonly imports: HostFunctions;
  readonly memory: Memory = new Memory({ minimum: PAGES, maximum: PAGES });
  readonly heap: Heap;
  /** The memory itself as a Bytes object. */
  readonly own: Ref;
  fuelLeft: bigint | undefined;
  fuelUsed = 0n;
  /** Set to undefined to call as an instance without a memory. */
  callerMemory: Memory | undefined = this.memory;
  #results: (number | Ref)[] = [];
  readonly #caller: Caller;

  constructor(
    given: AbiOptions | { readonly imports: HostFunctions; readonly kinds: readonly Kind[] },
    limits: { heapObjects?: number } = {},
    heap?: Heap,
  ) {
    const { imports, kinds } = "imports" in given ? given : createAbi(given);
    this.imports = imports;
    this.heap = heap ?? new Heap({ heapObjects: limits.heapObjects ?? 1000, heapBytes: 1 << 24 }, kinds);
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
  path(path: string | Uint8Array): [Ref, number, number] {
    const bytes = typeof path === "string" ? Buffer.from(path) : path;
    this.memory.bytes.set(bytes, PATH_AT);
    return [this.own, PATH_AT, bytes.length];
  }

  open(path: string | Uint8Array, flags: number): { status: number; handle: Ref } {
    const { results } = this.call("fs", "open", ...this.path(path), flags);
    return { status: results[0] as number, handle: results[1] as Ref };
  }

  /** A handle that must open. */
  handle(path: string, flags: number): Ref {
    const { status, handle } = this.open(path, flags);
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
      text: Buffer.from(this.memory.bytes.subarray(DATA_AT, DATA_AT + bytes!)).toString("latin1"),
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

  close(handle: Ref): number {
    return this.call("fs", "close", handle).returned!;
  }

  list(handle: Ref, cookie: number, max: number): { status: number; entries: Listed[]; eof: number; next: number } {
    const { results } = this.call("fs", "list", handle, wide(cookie), this.own, DATA_AT, max);
    const [status, bytes, eof, next] = results as [number, number, number, Ref];
    const entries: Listed[] = [];
    for (let at = DATA_AT; at < DATA_AT + bytes; at += 2 + this.memory.bytes[at + 1]!) {
      const end = at + 2 + this.memory.bytes[at + 1]!;
      entries.push({
        kind: this.memory.bytes[at]!,
        name: Buffer.from(this.memory.bytes.subarray(at + 2, end)).toString(),
      });
    }
    return { status, entries, eof, next: narrow(next) };
  }

  /** Contents of a file, or its status as a number. */
  contents(path: string): string | number {
    const { status, handle } = this.open(path, READ);
    if (status !== 0) return status;
    const { text } = this.read(handle, 0, this.size(handle));
    this.close(handle);
    return text;
  }

  /** Names in a directory, or the status as a number. */
  names(path: string): string[] | number {
    const { status, handle } = this.open(path, DIRECTORY);
    if (status !== 0) return status;
    const listed = this.list(handle, 0, 1 << 20);
    this.close(handle);
    return listed.status === 0 ? listed.entries.map(({ name }) => name) : listed.status;
  }

  #set(index: number, value: number | Ref): void {
    this.#results[index] = value;
  }
}

/** An integer as the two words of an i64. */
export function wide(value: number): Ref {
  return [value | 0, Math.floor(value / 2 ** 32) | 0];
}

export function narrow([low, high]: Ref): number {
  return high * 2 ** 32 + (low >>> 0);
}
