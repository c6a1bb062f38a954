/**
 * The heap of a store (spec 11-heap): one table of HeapRefs for all kinds, and the bytes of `Bytes` objects, in one
 * `WebAssembly.Memory` whose layout is fixed by the spec so that compiled code can read it.
 *
 * A HeapRef is an i64, here always two words: `low` = slot, `high` = generation, each any int32 or u32.
 */
import { Allocator } from "./allocator.ts";
import { UsageError } from "./errors.ts";
import type { StoreLimits } from "./limits.ts";
import { keepSpare, SPARE_PAGES, spareMemory } from "./memory.ts";
import { Fault, TrapCode } from "./trap.ts";

/** A kind of resource that guests hold by HeapRef (spec HEAP-KIND-1). */
export interface Kind {
  /** 1 to 65,535; 1 is `Bytes`. Appears in snapshots and digests, so it never changes. */
  readonly id: number;
  readonly name: string;
  /** The four calls of its life by full name (`fs.open`), or `none: reason`. */
  readonly create: string;
  readonly read: string;
  readonly update: string;
  readonly destroy: string;
  /** What a digest and a snapshot hold of the object; undefined: a snapshot is refused, a digest holds nothing of it. */
  save?(object: unknown): Uint8Array | undefined;
  /** Opens what `save` wrote; undefined: the slot lives on with {@link STALE_OBJECT}. */
  restore?(bytes: Uint8Array): unknown;
  /** Releases an object that still lives when the heap is closed. The destroy call of the kind releases its own. */
  close?(object: unknown): void;
}

/** A guest's linear memory as the heap sees it: the present view, read anew at every use. */
export interface ByteSource {
  readonly bytes: Uint8Array;
}

export const BYTES_KIND: Kind = {
  id: 1,
  name: "Bytes",
  create: "bytes.new",
  read: "bytes.load8_u",
  update: "bytes.store8",
  destroy: "bytes.destroy",
};

/** Stands for the object of a restored slot that could not be opened again; calls on it answer the status STALE. */
export const STALE_OBJECT: unique symbol = Symbol("stale object");

/** Layout (spec HEAP-LAYOUT-1), in bytes. */
export const HEADER_BYTES = 8192;
export const ENTRY_BYTES = 16;
/** Placement and size of objects are multiples of it. */
export const GRANULE_BYTES = 16;
/** In an entry's kind word: a window over the linear memory of the instance `base`. */
export const WINDOW_FLAG = 0x1_0000;
/** In the kind word of a saved or digested entry: the object is {@link STALE_OBJECT}. */
const STALE_FLAG = 0x2_0000;
const KIND_MASK = 0xffff;

/** Header and slot 0 of heaps that nobody has used. */
const NO_WORDS = new Int32Array((HEADER_BYTES + ENTRY_BYTES) / 4);

/** In place of an instance's number: the host, which may use every window over a memory. */
export const EVERYBODY = -1;

const PAGE_BYTES = 65_536;
const MAGIC = 0x5048_5341; // "ASHP"
const FORMAT_VERSION = 1;
const SAVED_HEADER_BYTES = 32;
/** In place of a size: the kind cannot save the object. */
const UNSAVED = 0xffff_ffff;

export class Heap {
  /** The instance whose code calls, which takes windows over memories of others for another kind (spec HEAP-BYTES-6). */
  viewer: number = EVERYBODY;
  /** The bytes that {@link locate} found its window in. */
  located: Uint8Array = new Uint8Array(0);

  readonly #kinds = new Map<number, Kind>();
  readonly #maxObjects: number;
  readonly #generationBits: number;
  /** Address of the byte region. */
  readonly #region: number;
  readonly #allocator: Allocator;
  #memory: WebAssembly.Memory | undefined;
  #hasGrown = false;
  // Views of the whole memory; until there is one, an all-zero table with nothing but slot 0.
  #words = NO_WORDS;
  #bytes: Uint8Array = new Uint8Array(0);
  /** Slots ever used, slot 0 included. */
  #slots = 1;
  #firstFree = 0;
  #objects = 0;
  #liveBytes = 0;
  /** Granules of the byte region ever used: what lies behind is zero. */
  #highWater = 0;
  readonly #hosted: unknown[] = [];
  readonly #freeHosted: number[] = [];
  /** By instance number. */
  readonly #windows: { readonly slot: number; readonly source: ByteSource }[] = [];

  /**
   * `kinds` are those beside `Bytes`. `generationBits` (1 to 32) is for tests. Throws VM-ARGUMENT for a kind without
   * its calls, an id out of range or used twice.
   */
  constructor(
    limits: Pick<StoreLimits, "heapObjects" | "heapBytes">,
    kinds: readonly Kind[] = [],
    options: { readonly generationBits?: number } = {},
  ) {
    this.#maxObjects = limits.heapObjects;
    this.#generationBits = options.generationBits ?? 32;
    const tableEnd = HEADER_BYTES + ENTRY_BYTES * (limits.heapObjects + 1);
    this.#region = Math.ceil(tableEnd / 64) * 64;
    this.#allocator = new Allocator(Math.floor(limits.heapBytes / GRANULE_BYTES));
    for (const kind of [BYTES_KIND, ...kinds]) this.#addKind(kind);
  }

  /** Live objects of all kinds. */
  get objects(): number {
    return this.#objects;
  }

  /** True while there is a slot for one more object: there are as many as the limit of objects, less the retired. */
  get hasRoom(): boolean {
    return this.#firstFree !== 0 || this.#slots <= this.#maxObjects;
  }

  /** Bytes of live `Bytes` objects, each rounded up to 16. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  /** High-water mark of the byte region, in bytes. */
  get extent(): number {
    return this.#highWater * GRANULE_BYTES;
  }

  /** Slot of a new zero-filled `Bytes` object of `length` (u32) bytes, or 0 when a limit leaves no room for it. */
  newBytes(length: number): number {
    const size = length >>> 0;
    const granules = Math.ceil(size / GRANULE_BYTES);
    const top = this.#allocator.topWith(granules);
    if (!this.hasRoom || top > this.#allocator.capacity) return 0;
    this.#reserve(top);
    if (granules === 0) return this.#takeSlot(BYTES_KIND.id, 0, 0);
    const start = this.#allocator.allocate(granules);
    const base = this.#region + start * GRANULE_BYTES;
    // Here and not at destroy, for here the guest pays for the bytes; storage never used is zero already.
    const used = Math.min(start + granules, this.#highWater);
    if (start < used) this.#bytes.fill(0, base, this.#region + used * GRANULE_BYTES);
    this.#highWater = Math.max(this.#highWater, start + granules);
    this.#liveBytes += granules * GRANULE_BYTES;
    return this.#takeSlot(BYTES_KIND.id, base, size);
  }

  /** Slot of a new ref to `object`, of a kind that the host keeps; 0 at the limit of objects. */
  create(kind: number, object: unknown): number {
    if (kind === BYTES_KIND.id || !this.#kinds.has(kind))
      throw new UsageError("VM-ARGUMENT", `no host kind has the id ${kind}`);
    if (!this.hasRoom) return 0;
    this.#reserve(0);
    return this.#takeSlot(kind, this.#host(object), 0);
  }

  /** Slot of the fixed ref over `source`, the linear memory of the instance; 0 at the limit of objects. */
  memoryRef(instance: number, source: ByteSource): number {
    const known = this.#windows[instance];
    if (known !== undefined) return known.slot;
    if (!this.hasRoom) return 0;
    this.#reserve(0);
    const slot = this.#takeSlot(BYTES_KIND.id | WINDOW_FLAG, instance, 0);
    this.#windows[instance] = { slot, source };
    return slot;
  }

  /** Slot of that instance's window over its memory, or 0. */
  windowOf(instance: number): number {
    return this.#windows[instance]?.slot ?? 0;
  }

  /** Generation (u32) of a slot that one of the three calls above answered: the ref's high word. 0 for 0. */
  generation(slot: number): number {
    return this.#word(entryOf(slot)) >>> 0;
  }

  /** Kind id of a live ref. Faults: HeapRefNull, HeapRefStale. */
  kindOf(low: number, high: number): number {
    return this.#word(this.#live(low, high, 0) + 1) & KIND_MASK;
  }

  /** The host's object behind a live ref of `kind`, or {@link STALE_OBJECT}. Faults: HeapRefNull, HeapRefStale, HeapRefKind. */
  object(low: number, high: number, kind: number): unknown {
    return this.#hosted[this.#word(this.#live(low, high, kind) + 2)];
  }

  /** Ends a live ref of `kind`; never calls the kind's `close`. Faults: HeapRefNull, HeapRefStale, HeapRefKind, HeapRefFixed. */
  destroy(low: number, high: number, kind: number): void {
    const entry = this.#live(low, high, kind);
    const base = this.#word(entry + 2);
    if ((this.#word(entry + 1) & WINDOW_FLAG) !== 0) throw new Fault(TrapCode.HeapRefFixed, named(low, high));
    if (kind !== BYTES_KIND.id) {
      this.#hosted[base] = undefined;
      this.#freeHosted.push(base);
    } else {
      const granules = Math.ceil((this.#word(entry + 3) >>> 0) / GRANULE_BYTES);
      if (granules > 0) this.#allocator.free(((base >>> 0) - this.#region) / GRANULE_BYTES, granules);
      this.#liveBytes -= granules * GRANULE_BYTES;
    }
    // Generations are counted up to 2^generationBits - 1 and never again: 0 marks the retired slot.
    const next = high >>> 0 === 2 ** this.#generationBits - 1 ? 0 : (high + 1) | 0;
    this.#words[entry] = next;
    this.#words[entry + 1] = 0;
    this.#words[entry + 2] = next === 0 ? 0 : this.#firstFree;
    this.#words[entry + 3] = 0;
    if (next !== 0) this.#firstFree = low >>> 0;
    this.#objects--;
  }

  /** Length in bytes (u32) of a live `Bytes` ref. Faults: HeapRefNull, HeapRefStale, HeapRefKind. */
  length(low: number, high: number): number {
    const entry = this.#live(low, high, BYTES_KIND.id);
    if ((this.#word(entry + 1) & WINDOW_FLAG) !== 0) return this.#windowed(entry).length;
    return this.#word(entry + 3) >>> 0;
  }

  /**
   * Index into {@link located} (set by this call) of `length` bytes at `offset` (both u32) of a live `Bytes` ref; good
   * until the next call of the heap. Faults: HeapRefNull, HeapRefStale, HeapRefKind, HeapWindow.
   */
  locate(low: number, high: number, offset: number, length: number): number {
    const entry = this.#live(low, high, BYTES_KIND.id);
    const start = offset >>> 0;
    const end = start + (length >>> 0);
    const size = this.#word(entry + 3) >>> 0;
    // The entry of a window has the length 0, so only this cold path asks for it.
    if (end > size || size === 0) return this.#locateElsewhere(entry, start, end);
    this.located = this.#bytes;
    return (this.#word(entry + 2) >>> 0) + start;
  }

  /** The bytes that {@link locate} checks, as a view; good until anything allocates or grows. Faults as there. */
  window(low: number, high: number, offset: number, length: number): Uint8Array {
    const start = this.locate(low, high, offset, length);
    return this.located.subarray(start, start + (length >>> 0));
  }

  /** The memory of spec HEAP-LAYOUT-1, or undefined while nothing was ever created. */
  get memory(): WebAssembly.Memory | undefined {
    return this.#memory;
  }

  /** The memory, made now if there is none. Throws VM-HOST-MEMORY. */
  madeMemory(): WebAssembly.Memory {
    this.#reserve(0);
    return this.#memory as WebAssembly.Memory;
  }

  /** The memory as words, or its header while there is none; another array after each growth. */
  get words(): Int32Array {
    if (this.#words === NO_WORDS) this.#words = new Int32Array(NO_WORDS.length);
    return this.#words;
  }

  /** Releases every host object that still lives through its kind's `close`. The heap must not be used afterwards. */
  close(): void {
    for (let slot = 1; slot < this.#slots; slot++) {
      const kind = this.#kinds.get(this.#word(entryOf(slot) + 1));
      if (kind === undefined || kind === BYTES_KIND) continue;
      const object = this.#hosted[this.#word(entryOf(slot) + 2)];
      if (object !== STALE_OBJECT) kind.close?.(object);
    }
  }

  /** Behind {@link close}: gives its memory to `spareMemory`. Nobody may hold a view of it. */
  recycle(): void {
    const memory = this.#memory;
    const used = this.#highWater * GRANULE_BYTES;
    if (memory === undefined || this.#hasGrown || used > SPARE_PAGES * PAGE_BYTES) return;
    this.#words.fill(0, 0, entryOf(this.#slots));
    this.#bytes.fill(0, this.#region, this.#region + used);
    keepSpare(memory, this.#bytes.length / PAGE_BYTES, this.#maximumPages);
    this.#memory = undefined;
    this.#words = NO_WORDS;
    this.#bytes = this.located = new Uint8Array(0);
  }

  /** Feeds the canonical form of what lives (spec HEAP-DIGEST-1) to `update`; a view is good only during its call. */
  digest(update: (bytes: Uint8Array) => void): void {
    const record = new DataView(new ArrayBuffer(ENTRY_BYTES));
    const bytes = new Uint8Array(record.buffer);
    record.setUint32(0, this.#objects, true);
    update(bytes.subarray(0, 4));
    for (let slot = 1; slot < this.#slots; slot++) {
      const entry = entryOf(slot);
      const kind = this.#word(entry + 1);
      if (kind === 0) continue;
      const contents = this.#contents(entry);
      record.setUint32(0, slot, true);
      record.setInt32(4, this.#word(entry), true);
      record.setUint32(8, contents.kind, true);
      record.setUint32(12, contents.size, true);
      update(bytes);
      if (contents.bytes !== undefined) update(contents.bytes);
    }
  }

  /** The heap as bytes (spec HEAP-SAVE-1), placement included. Throws VM-SNAPSHOT when an object cannot be saved. */
  save(): Uint8Array {
    const tableEnd = SAVED_HEADER_BYTES + ENTRY_BYTES * (this.#slots - 1);
    const table = new Uint32Array(tableEnd / 4);
    table.set([
      MAGIC,
      FORMAT_VERSION,
      this.#generationBits,
      this.#slots,
      this.#firstFree,
      this.#highWater,
      this.#objects,
    ]);
    const parts: Uint8Array[] = [];
    let size = tableEnd;
    for (let slot = 1; slot < this.#slots; slot++) {
      const entry = entryOf(slot);
      const saved = SAVED_HEADER_BYTES / 4 + 4 * (slot - 1);
      table[saved] = this.#word(entry);
      const kind = this.#word(entry + 1);
      if (kind === 0) {
        table[saved + 2] = this.#word(entry + 2);
        continue;
      }
      const contents = this.#contents(entry);
      if (contents.size === UNSAVED)
        throw new UsageError(
          "VM-SNAPSHOT",
          `${this.#kinds.get(kind)?.name} in slot ${slot} cannot be part of a snapshot`,
        );
      table[saved + 1] = contents.kind;
      table[saved + 2] = kind === BYTES_KIND.id && contents.size > 0 ? this.#word(entry + 2) - this.#region : 0;
      table[saved + 3] = contents.size;
      if (contents.bytes === undefined) continue;
      // A kind's `save` may hand out a buffer that it uses again, also a Buffer, whose `slice` does not copy.
      parts.push(kind === BYTES_KIND.id ? contents.bytes : new Uint8Array(contents.bytes));
      size += contents.bytes.length;
    }
    const result = new Uint8Array(size);
    const view = new DataView(result.buffer);
    table.forEach((word, index) => {
      view.setUint32(4 * index, word, true);
    });
    let offset = tableEnd;
    for (const part of parts) {
      result.set(part, offset);
      offset += part.length;
    }
    return result;
  }

  /**
   * The heap that {@link save} wrote. `memories` answers the linear memory of an instance, or undefined when there is
   * none. Trusts nothing in `bytes`: throws VM-SNAPSHOT. What a kind's `restore` throws passes through, after the
   * objects opened by then are closed. `memory`, if given, was made by a heap with the same limits and never used; code
   * is linked to it already.
   */
  static restore(
    bytes: Uint8Array,
    limits: Pick<StoreLimits, "heapObjects" | "heapBytes">,
    kinds: readonly Kind[],
    memories: (instance: number) => ByteSource | undefined,
    memory?: WebAssembly.Memory,
  ): Heap {
    const saved = new SavedHeap(bytes, limits);
    const heap = new Heap(limits, kinds, { generationBits: saved.generationBits });
    if (memory) heap.#adopt(memory);
    saved.check(heap.#kinds);
    for (const [instance, slot] of saved.windows) {
      const source = memories(instance);
      demand(source !== undefined, `instance ${instance} has no memory`);
      heap.#windows[instance] = { slot, source };
    }
    const last = saved.extents.at(-1);
    heap.#reserve(last === undefined ? 0 : last.start + last.granules);
    for (const { start, granules } of saved.extents) heap.#allocator.restore(start, granules);
    heap.#slots = saved.slots;
    heap.#firstFree = saved.firstFree;
    heap.#highWater = saved.highWater;
    try {
      let payload = saved.tableEnd;
      for (let slot = 1; slot < saved.slots; slot++) payload += heap.#restoreSlot(slot, saved, bytes, payload);
    } catch (error) {
      heap.close();
      throw error;
    }
    return heap;
  }

  /** Fills in a slot from its saved form, whose contents begin at `payload`; answers how long they are. */
  #restoreSlot(slot: number, saved: SavedHeap, bytes: Uint8Array, payload: number): number {
    const kind = saved.word(slot, 1);
    const size = saved.word(slot, 3);
    let base = saved.word(slot, 2);
    let length = 0;
    let taken = 0;
    if (kind === BYTES_KIND.id) {
      length = size;
      taken = size;
      if (size > 0) base += this.#region;
      this.#bytes.set(bytes.subarray(payload, payload + size), base);
      this.#liveBytes += Math.ceil(size / GRANULE_BYTES) * GRANULE_BYTES;
    } else if (kind === (BYTES_KIND.id | WINDOW_FLAG)) base = size;
    else if ((kind & STALE_FLAG) !== 0) base = this.#host(STALE_OBJECT);
    else if (kind !== 0) {
      taken = size;
      base = this.#host(this.#kinds.get(kind)?.restore?.(bytes.slice(payload, payload + size)) ?? STALE_OBJECT);
    }
    this.#words.set([saved.word(slot, 0), kind & ~STALE_FLAG, base, length], entryOf(slot));
    if (kind !== 0) this.#objects++;
    return taken;
  }

  /** For tests: throws an Error where what the heap knows of itself does not agree. */
  check(): void {
    const holds = (agrees: boolean, what: string) => {
      if (!agrees) throw new Error(`heap invariant broken: ${what}`);
    };
    const extents: Extent[] = [];
    let objects = 0;
    let hosted = 0;
    let free = 0;
    for (let slot = 1; slot < this.#slots; slot++) {
      const entry = entryOf(slot);
      const generation = this.#word(entry) >>> 0;
      const kind = this.#word(entry + 1);
      const base = this.#word(entry + 2) >>> 0;
      const length = this.#word(entry + 3) >>> 0;
      holds(generation < 2 ** this.#generationBits, "a generation is too wide");
      if (kind === 0) {
        holds(length === 0, "a free entry has a length");
        if (generation === 0) holds(base === 0, "a retired slot is chained");
        else free++;
        continue;
      }
      objects++;
      holds(generation !== 0, "a live slot has generation 0");
      if (kind === (BYTES_KIND.id | WINDOW_FLAG)) holds(this.#windows[base]?.slot === slot, "a window is lost");
      else if (kind === BYTES_KIND.id) {
        const granules = Math.ceil(length / GRANULE_BYTES);
        if (granules > 0) extents.push({ start: (base - this.#region) / GRANULE_BYTES, granules });
        else holds(base === 0, "an empty object has a place");
      } else {
        hosted++;
        holds(base < this.#hosted.length && !this.#freeHosted.includes(base), "a host object is lost");
      }
    }
    holds(hosted + this.#freeHosted.length === this.#hosted.length, "a place for host objects is lost");
    extents.sort((a, b) => a.start - b.start);
    const gaps: number[] = [];
    let end = 0;
    let live = 0;
    for (const { start, granules } of extents) {
      holds(Number.isInteger(start) && start >= end, "extents overlap");
      if (start > end) gaps.push(end, start - end);
      end = start + granules;
      live += granules * GRANULE_BYTES;
    }
    holds(this.#allocator.top === end, "the allocator's top is wrong");
    holds(String(this.#allocator.gaps()) === String(gaps), "the allocator's gaps are wrong");
    holds(end <= this.#highWater && this.#highWater <= this.#allocator.capacity, "the high-water mark is wrong");
    holds(live === this.#liveBytes && objects === this.#objects, "a count is wrong");
    for (let slot = this.#firstFree; slot !== 0; slot = this.#word(entryOf(slot) + 2)) {
      const chained = slot < this.#slots && this.#word(entryOf(slot) + 1) === 0 && this.#word(entryOf(slot)) !== 0;
      holds(chained && free-- > 0, "the free chain is wrong");
    }
    holds(free === 0, "a free slot is lost");
    const unused = this.#bytes.subarray(this.#region + this.#highWater * GRANULE_BYTES);
    holds(
      unused.every((byte) => byte === 0),
      "a byte never used is not zero",
    );
  }

  /** The one check of a HeapRef (spec HEAP-CHECK-1): word index of the live entry; `kind` 0 is any. */
  #live(low: number, high: number, kind: number): number {
    const slot = low >>> 0;
    // A slot never used is read as slot 0, whose kind is 0 for ever: behind the table lie bytes that guests write.
    const entry = entryOf(slot < this.#slots ? slot : 0);
    const found = this.#word(entry + 1) & KIND_MASK;
    if (found === 0 || this.#word(entry) !== (high | 0))
      throw new Fault((low | high) === 0 ? TrapCode.HeapRefNull : TrapCode.HeapRefStale, named(low, high));
    if (kind !== 0 && found !== kind)
      throw new Fault(TrapCode.HeapRefKind, `${this.#kinds.get(found)?.name}, not ${this.#kinds.get(kind)?.name}`);
    return entry;
  }

  #word(index: number): number {
    return this.#words[index] as number;
  }

  /** {@link locate} in a window over a memory and in an empty object; else HeapWindow. */
  #locateElsewhere(entry: number, start: number, end: number): number {
    const isWindow = (this.#word(entry + 1) & WINDOW_FLAG) !== 0;
    const bytes = isWindow ? this.#windowed(entry) : this.#bytes;
    const size = isWindow ? bytes.length : this.#word(entry + 3) >>> 0;
    if (end > size) throw new Fault(TrapCode.HeapWindow, `${end - start} bytes at ${start} of ${size}`);
    this.located = bytes;
    return start;
  }

  /** The memory that a window is over. Faults: HeapRefKind. */
  #windowed(entry: number): Uint8Array {
    const instance = this.#word(entry + 2);
    if (this.viewer !== instance && this.viewer !== EVERYBODY)
      throw new Fault(TrapCode.HeapRefKind, "a window over another instance's memory");
    return (this.#windows[instance] as { readonly source: ByteSource }).source.bytes;
  }

  #takeSlot(kind: number, base: number, length: number): number {
    let slot = this.#firstFree;
    if (slot === 0) {
      slot = this.#slots++;
      this.#words[entryOf(slot)] = 1;
    } else this.#firstFree = this.#word(entryOf(slot) + 2);
    const entry = entryOf(slot);
    this.#words[entry + 1] = kind;
    this.#words[entry + 2] = base;
    this.#words[entry + 3] = length;
    this.#objects++;
    return slot;
  }

  /** Place of `object` in the host's list. */
  #host(object: unknown): number {
    const index = this.#freeHosted.pop() ?? this.#hosted.length;
    this.#hosted[index] = object;
    return index;
  }

  /** Makes the memory reach behind granule `granules` - 1 of the byte region. Throws VM-HOST-MEMORY, nothing changed. */
  #reserve(granules: number): void {
    const needed = this.#region + granules * GRANULE_BYTES;
    if (needed <= this.#bytes.length) return;
    const pages = Math.ceil(needed / PAGE_BYTES);
    const present = this.#bytes.length / PAGE_BYTES;
    const maximum = this.#maximumPages;
    // Half as much again, so that a growing heap is grown seldom: each time detaches every view.
    const ample = Math.min(maximum, Math.max(pages, present + (present >>> 1)));
    const memory = this.#grown(ample, maximum) ?? this.#grown(pages, maximum);
    if (memory === undefined)
      throw new UsageError("VM-HOST-MEMORY", `the host has no memory for a heap of ${pages * PAGE_BYTES} bytes`);
    const header = this.#memory === undefined ? this.#words : undefined;
    this.#adopt(memory);
    if (header) this.#words.set(header);
  }

  get #maximumPages(): number {
    return Math.ceil((this.#region + this.#allocator.capacity * GRANULE_BYTES) / PAGE_BYTES);
  }

  #adopt(memory: WebAssembly.Memory): void {
    this.#memory = memory;
    this.#words = new Int32Array(memory.buffer);
    this.#bytes = new Uint8Array(memory.buffer);
  }

  /** The memory with `pages` pages, or undefined when the host refuses. */
  #grown(pages: number, maximum: number): WebAssembly.Memory | undefined {
    try {
      if (this.#memory === undefined) return spareMemory(pages, maximum);
      this.#memory.grow(pages - this.#bytes.length / PAGE_BYTES);
      this.#hasGrown = true;
      return this.#memory;
    } catch {
      return undefined;
    }
  }

  #addKind(kind: Kind): void {
    if (!Number.isInteger(kind.id) || kind.id < 1 || kind.id > KIND_MASK || this.#kinds.has(kind.id))
      throw new UsageError("VM-ARGUMENT", `kind ${kind.name}: the id ${kind.id} is out of range or used twice`);
    for (const call of [kind.create, kind.read, kind.update, kind.destroy])
      if (!/^(\w+\.\w+|none: .+)$/.test(call))
        throw new UsageError("VM-ARGUMENT", `kind ${kind.name}: "${call}" is neither a call nor "none: reason"`);
    this.#kinds.set(kind.id, kind);
  }

  /** What a digest and a snapshot say of a live entry. */
  #contents(entry: number): { readonly kind: number; readonly size: number; readonly bytes: Uint8Array | undefined } {
    const kind = this.#word(entry + 1);
    const base = this.#word(entry + 2) >>> 0;
    if (kind === BYTES_KIND.id) {
      const size = this.#word(entry + 3) >>> 0;
      return { kind, size, bytes: this.#bytes.subarray(base, base + size) };
    }
    if ((kind & WINDOW_FLAG) !== 0) return { kind, size: base, bytes: undefined };
    const object = this.#hosted[base];
    if (object === STALE_OBJECT) return { kind: kind | STALE_FLAG, size: 0, bytes: undefined };
    const bytes = this.#kinds.get(kind)?.save?.(object);
    return { kind, size: bytes?.length ?? UNSAVED, bytes };
  }
}

interface Extent {
  /** In granules of the byte region. */
  readonly start: number;
  readonly granules: number;
}

/** The bytes of {@link Heap.save}, read without trust: the constructor and `check` throw VM-SNAPSHOT. */
class SavedHeap {
  readonly generationBits: number;
  readonly slots: number;
  readonly firstFree: number;
  readonly highWater: number;
  readonly tableEnd: number;
  /** Places of `Bytes` objects; in address order once checked. */
  readonly extents: Extent[] = [];
  /** Slot of the window of each instance that has one. */
  readonly windows = new Map<number, number>();
  readonly #view: DataView;
  readonly #objects: number;

  constructor(bytes: Uint8Array, limits: Pick<StoreLimits, "heapObjects" | "heapBytes">) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    demand(bytes.length >= SAVED_HEADER_BYTES, "it is shorter than its header");
    const field = (index: number) => this.#view.getUint32(4 * index, true);
    demand(field(0) === MAGIC, "it does not begin as one");
    demand(field(1) === FORMAT_VERSION, `its format version is ${field(1)}, not ${FORMAT_VERSION}`);
    this.generationBits = field(2);
    this.slots = field(3);
    this.firstFree = field(4);
    this.highWater = field(5);
    this.#objects = field(6);
    this.tableEnd = SAVED_HEADER_BYTES + ENTRY_BYTES * (this.slots - 1);
    demand(this.generationBits >= 1 && this.generationBits <= 32, "its generation width is out of range");
    demand(this.slots >= 1 && this.slots - 1 <= limits.heapObjects, "its slots are over the limit");
    demand(this.tableEnd <= bytes.length, "its slot table is cut off");
    demand(this.highWater * GRANULE_BYTES <= limits.heapBytes, "its byte region is over the limit");
    demand(field(7) === 0, "a reserved field is not zero");
  }

  /** Field `index` (generation, kind, base, size) of a slot. */
  word(slot: number, index: number): number {
    return this.#view.getUint32(SAVED_HEADER_BYTES + ENTRY_BYTES * (slot - 1) + 4 * index, true);
  }

  check(kinds: ReadonlyMap<number, Kind>): void {
    let objects = 0;
    let free = 0;
    let size = this.tableEnd;
    for (let slot = 1; slot < this.slots; slot++) {
      const generation = this.word(slot, 0);
      demand(generation < 2 ** this.generationBits, "a generation is too wide");
      if (this.word(slot, 1) !== 0) {
        demand(generation !== 0, "a live slot has generation 0");
        objects++;
        size += this.#checkLive(slot, kinds);
      } else {
        demand(this.word(slot, 3) === 0, "a free slot has a size");
        if (generation !== 0) free++;
        else demand(this.word(slot, 2) === 0, "a retired slot is chained");
      }
    }
    demand(objects === this.#objects, "its count of objects is wrong");
    demand(size === this.#view.byteLength, "its length is wrong");
    this.extents.sort((a, b) => a.start - b.start);
    let end = 0;
    for (const { start, granules } of this.extents) {
      demand(start >= end, "objects overlap");
      end = start + granules;
    }
    demand(end <= this.highWater, "an object lies behind the byte region");
    this.#checkChain(free);
  }

  /** How many bytes the contents of a live slot take. */
  #checkLive(slot: number, kinds: ReadonlyMap<number, Kind>): number {
    const kind = this.word(slot, 1);
    const base = this.word(slot, 2);
    const size = this.word(slot, 3);
    if (kind === BYTES_KIND.id && size > 0) {
      demand(base % GRANULE_BYTES === 0, "an object lies between two granules");
      this.extents.push({ start: base / GRANULE_BYTES, granules: Math.ceil(size / GRANULE_BYTES) });
      return size;
    }
    demand(base === 0, "an object that takes no storage has a place");
    if (kind === (BYTES_KIND.id | WINDOW_FLAG)) {
      demand(!this.windows.has(size), "an instance has two windows");
      this.windows.set(size, slot);
      return 0;
    }
    const stale = (kind & STALE_FLAG) !== 0;
    const id = stale ? kind - STALE_FLAG : kind;
    demand(kinds.has(id), `kind ${id} is unknown`);
    demand(!stale || (size === 0 && id !== BYTES_KIND.id), "a stale object has contents");
    return size;
  }

  #checkChain(free: number): void {
    let left = free;
    for (let slot = this.firstFree; slot !== 0; slot = this.word(slot, 2)) {
      const chained = slot < this.slots && this.word(slot, 1) === 0 && this.word(slot, 0) !== 0;
      demand(chained && left-- > 0, "its chain of free slots is broken");
    }
    demand(left === 0, "its chain of free slots is short");
  }
}

/** Word index of a slot's entry. */
function entryOf(slot: number): number {
  return HEADER_BYTES / 4 + (slot << 2);
}

function named(low: number, high: number): string {
  return `slot ${low >>> 0}, generation ${high >>> 0}`;
}

function demand(holds: boolean, problem: string): asserts holds {
  if (!holds) throw new UsageError("VM-SNAPSHOT", `the saved heap is damaged: ${problem}`);
}
