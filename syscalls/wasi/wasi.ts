/**
 * The personality of one store (spec 18): what its functions share. It reaches the host through syscalls alone, so that
 * capabilities, quotas, traces and recordings hold for programs that know nothing of them.
 */
import type { Caller } from "../../vm/function.ts";
import { Fault, TrapCode } from "../../vm/trap.ts";
import type { HostFunctions } from "../dispatch.ts";
import type { Json } from "../recording-file.ts";
import { Status } from "../status.ts";
import { OpenFlag } from "../table.ts";
import { DIRECTORY_RIGHTS, FILE_RIGHTS, Right, STREAM_RIGHTS } from "./constants.ts";
import { type Descriptor, Descriptors } from "./descriptors.ts";
import { Gate, type Syscalls, syscallsThrough } from "./gate.ts";

/** Bytes of the object through which vectors of that size, listings and names go (spec WASI-FD-5). */
export const SCRATCH_BYTES = 8192;

/** Most vectors of a call, as Linux has it. */
export const MOST_VECTORS = 1024;

/** What a call moves. Each store has its own: where a stream goes, the embedder may run another guest meanwhile. */
class Transfer {
  /** Pointer and length of each vector that has a length. */
  readonly vectors: Int32Array = new Int32Array(2 * MOST_VECTORS);
  count = 0;
  /** Bytes in them all. */
  total = 0;
  /** Bytes moved so far. */
  moved = 0;
}

/** The times that a call sets: what `fs.set_times` takes. Likewise, for an observer's sake. */
interface TimesToSet {
  flags: number;
  atimLow: number;
  atimHigh: number;
  mtimLow: number;
  mtimHigh: number;
}

export class Wasi {
  readonly gate: Gate = new Gate();
  readonly sys: Syscalls;
  readonly transfer: Transfer = new Transfer();
  readonly times: TimesToSet = { flags: 0, atimLow: 0, atimHigh: 0, mtimLow: 0, mtimHigh: 0 };
  /** The HeapRef over the caller's memory, set by {@link reach}. */
  low = 0;
  high = 0;
  /** That of the scratch object, set by {@link reachScratch}. */
  scratchLow = 0;
  scratchHigh = 0;
  #descriptors: Descriptors | undefined;

  constructor(imports: HostFunctions) {
    this.sys = syscallsThrough(this.gate, imports);
  }

  /** Forgets its program: the next one that calls is another. */
  renew(): void {
    // Set before every call.
    this.gate.outer = undefined as never;
    this.scratchLow = 0;
    this.scratchHigh = 0;
    this.#descriptors = undefined;
  }

  enter(caller: Caller): void {
    this.gate.outer = caller;
  }

  // ---- the program's memory

  get bytes(): Uint8Array {
    return this.gate.memory?.bytes ?? NO_BYTES;
  }

  /** `length` bytes (u32) at `pointer`; the pointer as u32. Faults: BadPointer. */
  check(pointer: number, length: number): number {
    const at = pointer >>> 0;
    const { bytes } = this;
    if (at + length > bytes.length)
      throw new Fault(TrapCode.BadPointer, `${length} bytes at ${at}, in a memory of ${bytes.length}`);
    return at;
  }

  /** Makes {@link low} and {@link high} the program's memory; false at the limit of heap objects. */
  reach(): boolean {
    const { heap, memory, instance } = this.gate;
    const slot = memory === undefined ? 0 : heap.memoryRef(instance, memory);
    this.low = slot;
    this.high = heap.generation(slot);
    return slot !== 0;
  }

  /** Makes the scratch object if there is none; false where the limits leave no room for it. */
  reachScratch(): boolean {
    if (this.scratchLow !== 0) return true;
    const { heap } = this.gate;
    this.scratchLow = heap.newBytes(SCRATCH_BYTES);
    this.scratchHigh = heap.generation(this.scratchLow);
    return this.scratchLow !== 0;
  }

  /** The first `length` bytes of the scratch object; good until the next syscall. */
  scratch(length: number): Uint8Array {
    return this.gate.heap.window(this.scratchLow, this.scratchHigh, 0, length);
  }

  // ---- descriptors

  /** Those that the program has; before its first use of one, what it begins with (spec WASI-FD-1). */
  get descriptors(): Descriptors {
    if (this.#descriptors === undefined) {
      const descriptors = new Descriptors();
      for (const name of ["stdin", "stdout", "stderr"] as const) descriptors.push(this.#stream(name));
      if (this.reachScratch()) this.#preopen(descriptors);
      this.#descriptors = descriptors;
    }
    return this.#descriptors;
  }

  #stream(name: "stdin" | "stdout" | "stderr"): Descriptor | undefined {
    try {
      this.sys[name]();
    } catch (error) {
      // Not granted: the program has no such stream.
      if (error instanceof Fault && error.code === TrapCode.MissingCapability) return undefined;
      throw error;
    }
    if (this.gate.low[0] === 0) return undefined;
    const rights = STREAM_RIGHTS & ~(name === "stdin" ? Right.FD_WRITE : Right.FD_READ);
    return { ...this.made("stream", 0), rights, inheriting: 0 };
  }

  #preopen(descriptors: Descriptors): void {
    const { sys, gate } = this;
    const count = sys.mount_count();
    for (let k = 0; k < count; k++) {
      const size = sys.mount_size(k);
      sys.mount_read(k, this.scratchLow, this.scratchHigh, 0, size);
      const name = this.scratch(size).slice();
      sys.open(0, 0, this.scratchLow, this.scratchHigh, 0, size, OpenFlag.READ | OpenFlag.DIRECTORY);
      if (gate.low[0] === Status.OK) descriptors.push({ ...this.made("directory", 1), preopen: name });
    }
  }

  /** A descriptor of the HeapRef that is result `index` of the syscall just made. */
  made(type: Descriptor["type"], index: number): Descriptor {
    const [rights, inheriting] =
      type === "directory" ? [DIRECTORY_RIGHTS, DIRECTORY_RIGHTS | FILE_RIGHTS] : [FILE_RIGHTS, 0];
    const low = this.gate.low[index]!;
    const high = this.gate.high[index]!;
    return { type, low, high, offset: 0, flags: 0, rights, inheriting, preopen: undefined };
  }

  /** The status of asking for a file's length, which is result 1. */
  sizeOf({ low, high }: Descriptor): number {
    this.sys.size(low, high);
    return this.gate.low[0]!;
  }

  // ---- snapshots (spec WASI-SNAPSHOT-1)

  save(): Json {
    if (this.#descriptors === undefined) return null;
    return [this.scratchLow, this.scratchHigh, this.#descriptors.save()];
  }

  /** What takes over what {@link save} answered; undefined for anything else. */
  restore(saved: Json): (() => void) | undefined {
    const [low, high, open] = saved === null ? [0, 0, null] : Array.isArray(saved) ? saved : [];
    if (!isWord(low) || !isWord(high) || open === undefined) return undefined;
    const descriptors = open === null ? undefined : Descriptors.restore(open);
    if (open !== null && descriptors === undefined) return undefined;
    return () => {
      this.scratchLow = low;
      this.scratchHigh = high;
      this.#descriptors = descriptors;
    };
  }
}

const NO_BYTES = new Uint8Array(0);

function isWord(value: unknown): value is number {
  return Number.isInteger(value) && value === ((value as number) | 0);
}

// ---- little-endian numbers in the program's memory, of which `check` was asked

export function load32(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

export function store16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
}

export function store32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

export function store64(bytes: Uint8Array, at: number, low: number, high: number): void {
  store32(bytes, at, low);
  store32(bytes, at + 4, high);
}

/** As {@link store64}, of a number from 0 to 2^53. */
export function storeNumber(bytes: Uint8Array, at: number, value: number): void {
  store64(bytes, at, value, highOf(value));
}

/** The high word of a number from -2^53 to 2^53; its low word is the number `| 0`. */
export function highOf(value: number): number {
  return Math.floor(value / 0x1_0000_0000);
}

/** The nearest number to an unsigned 64-bit integer. */
export function unsigned(low: number, high: number): number {
  return (high >>> 0) * 0x1_0000_0000 + (low >>> 0);
}
