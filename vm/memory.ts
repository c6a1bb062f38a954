import type { MemoryType } from "./bytecode/structure.ts";
import { LimitError, UsageError } from "./errors.ts";
import { DEFAULT_LIMITS } from "./limits.ts";

/** Bytes of a page. */
export const PAGE_BYTES = 65_536;

/** What code that only reads and writes needs of a memory; both views are replaced when the memory grows. */
export interface MemoryView {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

/** Stands in for the memory of an instance that has none: every access is out of bounds. */
export const NO_MEMORY: MemoryView = { bytes: new Uint8Array(0), view: new DataView(new ArrayBuffer(0)) };

/**
 * A linear memory (core spec 2.0, §4.2.8) over a `WebAssembly.Memory`, so that it grows in place and both engines can
 * work on it. It grows up to its type's maximum or the store's limit, whichever is less (spec VM-LIMIT-2).
 */
export class Memory implements MemoryView {
  /** Current minimum is `pages`; the maximum is the declared one. */
  readonly maximum: number | undefined;
  readonly #initial: number;
  readonly #ceiling: number;
  readonly #memory: WebAssembly.Memory;
  bytes: Uint8Array = NO_MEMORY.bytes;
  view: DataView = NO_MEMORY.view;

  /** `limit` is in pages. Throws LimitError when the minimum is over it, VM-HOST-MEMORY when the host has no room. */
  constructor(type: MemoryType, limit: number = DEFAULT_LIMITS.memoryPages) {
    if (type.minimum > limit) throw new LimitError("memoryPages", limit, type.minimum);
    this.maximum = type.maximum;
    this.#ceiling = Math.min(type.maximum ?? 65_536, limit);
    this.#initial = type.minimum;
    this.#memory = hostMemory(() => spareMemory(type.minimum, this.#ceiling));
    this.#refresh();
  }

  /** For code that V8 compiles; it grows through {@link grow} only. */
  get native(): WebAssembly.Memory {
    return this.#memory;
  }

  get pages(): number {
    return this.bytes.length / PAGE_BYTES;
  }

  /** Adds `delta` pages of zeroes; the old number of pages, or -1 and no change when it is negative or over the ceiling. */
  grow(delta: number): number {
    const old = this.pages;
    if (!(delta >= 0 && delta <= this.#ceiling - old)) return -1;
    if (delta === 0) return old;
    hostMemory(() => this.#memory.grow(delta));
    this.#refresh();
    return old;
  }

  /** Gives what it is made of to {@link spareMemory}. Nobody may use it, or a view of it, any more. */
  recycle(): void {
    if (this.pages !== this.#initial || this.#initial > SPARE_PAGES) return;
    this.bytes.fill(0);
    keepSpare(this.#memory, this.#initial, this.#ceiling);
    this.bytes = NO_MEMORY.bytes;
    this.view = NO_MEMORY.view;
  }

  #refresh(): void {
    this.bytes = new Uint8Array(this.#memory.buffer);
    this.view = new DataView(this.#memory.buffer);
  }
}

/** Memories that nobody uses any more, all of zeroes, by their sizes in pages. A host takes longer to make one and to free it than a small guest runs. */
const SPARE = new Map<number, WebAssembly.Memory[]>();
/** Pages of the largest that is kept: more take longer to clear. */
export const SPARE_PAGES = 32;
/** Most that are kept, of one size and of all. */
const MOST_SPARE = 4;
const MOST_SPARE_SIZES = 16;

/** A memory of zeroes. Throws what the host throws. */
export function spareMemory(initial: number, maximum: number): WebAssembly.Memory {
  return SPARE.get(sizeKey(initial, maximum))?.pop() ?? new WebAssembly.Memory({ initial, maximum });
}

/** Takes a memory of zeroes, of which nobody has a view, and which has not grown. */
export function keepSpare(memory: WebAssembly.Memory, initial: number, maximum: number): void {
  const key = sizeKey(initial, maximum);
  let spare = SPARE.get(key);
  if (spare === undefined) {
    if (SPARE.size === MOST_SPARE_SIZES) SPARE.clear();
    SPARE.set(key, (spare = []));
  }
  if (spare.length < MOST_SPARE) spare.push(memory);
}

function sizeKey(initial: number, maximum: number): number {
  return initial * 0x2_0000 + maximum;
}

/** Growth fails by our limits only; a host that refuses within them is an error of the host, not an answer to the guest. */
export function hostMemory<T>(allocate: () => T): T {
  try {
    return allocate();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new UsageError("VM-HOST-MEMORY", `the host has no room: ${cause.message}`);
  }
}
