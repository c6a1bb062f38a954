/**
 * Module `bytes`: the calls on `Bytes` objects that every guest may import without a grant. They are instructions of
 * the VM (spec HEAP-BYTES-1), so both engines read this table; `syscalls/` derives bindings and the spec table from it.
 *
 * Every check is the heap's; a call that faults has done nothing.
 */
import type { Import } from "./bytecode/structure.ts";
import type { CallFuel, Declaration, Parameter, ParameterType } from "./declaration.ts";
import { BYTES_SHIFT } from "./fuel.ts";
import { BYTES_KIND, type ByteSource, EVERYBODY, type Heap } from "./heap.ts";
import { NO_MEMORY } from "./memory.ts";
import type { TrapName } from "./trap.ts";

/**
 * Runs a call. Argument k stands in words[at + 2k] (low or only word) and words[at + 2k + 1] (high word); a result of
 * one word is written to words[at], one of two also to words[at + 1]. `memory` is memory 0 of the calling instance.
 */
export type RunBytes = (
  heap: Heap,
  words: Int32Array,
  at: number,
  instance: number,
  memory: ByteSource | undefined,
) => void;

type StaticFuel = { readonly bulk: false; readonly fuel: number };
/** Charges `base` + (u32 argument `lengthArgument` >>> 6) before it runs. */
type BulkFuel = { readonly bulk: true; readonly fuel: Exclude<CallFuel, number> };

export type BytesCall = Declaration & (StaticFuel | BulkFuel) & { readonly run: RunBytes };

const REF_TRAPS: readonly TrapName[] = ["HeapRefNull", "HeapRefStale", "HeapRefKind"];
const WINDOW_TRAPS: readonly TrapName[] = [...REF_TRAPS, "HeapWindow"];

const REF = parameter("ref", { ref: BYTES_KIND.name }, "a live Bytes object");
const OFFSET = parameter("offset", "u32", "bytes from the object's start");
const LENGTH = parameter("length", "u32", "bytes");
const NEW_REF = { ref: BYTES_KIND.name };

export const BYTES_CALLS: readonly BytesCall[] = [
  {
    ...row("new", "A new object of `length` zero bytes; null when a limit of the heap leaves no room for it."),
    params: [LENGTH],
    results: [parameter("ref", NEW_REF, "the object, or null")],
    ...bulk(4, 0),
    run(heap, words, at) {
      const slot = heap.newBytes(word(words, at));
      words[at] = slot;
      words[at + 1] = heap.generation(slot);
    },
  },
  {
    ...row("len", "Length of the object; of a window over a memory, the memory's size now."),
    params: [REF],
    results: [LENGTH],
    traps: REF_TRAPS,
    run(heap, words, at) {
      words[at] = heap.length(word(words, at), word(words, at + 1));
    },
  },
  {
    ...row("kind", "Kind id of any live object; Bytes is 1."),
    params: [parameter("ref", { ref: "any" }, "a live object of any kind")],
    results: [parameter("kind", "u32", "kind id, 1 to 65,535")],
    traps: ["HeapRefNull", "HeapRefStale"],
    run(heap, words, at) {
      words[at] = heap.kindOf(word(words, at), word(words, at + 1));
    },
  },
  load("load8_u", "i32", "One byte, zero-extended.", (heap, words, at) => {
    const start = locate(heap, words, at, 1);
    words[at] = byte(heap.located, start);
  }),
  load("load8_s", "i32", "One byte, sign-extended.", (heap, words, at) => {
    const start = locate(heap, words, at, 1);
    words[at] = (byte(heap.located, start) << 24) >> 24;
  }),
  load("load16_u", "i32", "Two bytes, little-endian, zero-extended.", (heap, words, at) => {
    const start = locate(heap, words, at, 2);
    words[at] = half(heap.located, start);
  }),
  load("load16_s", "i32", "Two bytes, little-endian, sign-extended.", (heap, words, at) => {
    const start = locate(heap, words, at, 2);
    words[at] = (half(heap.located, start) << 16) >> 16;
  }),
  load("load32", "i32", "Four bytes, little-endian.", load32),
  load("load64", "i64", "Eight bytes, little-endian.", load64),
  load("load_f32", "f32", "The bits of an f32, little-endian.", load32),
  load("load_f64", "f64", "The bits of an f64, little-endian.", load64),
  store("store8", "i32", "The low 8 bits of `value`.", (heap, words, at) => {
    const start = locate(heap, words, at, 1);
    heap.located[start] = word(words, at + 4);
  }),
  store("store16", "i32", "The low 16 bits of `value`, little-endian.", (heap, words, at) => {
    const start = locate(heap, words, at, 2);
    const bytes = heap.located;
    bytes[start] = word(words, at + 4);
    bytes[start + 1] = word(words, at + 4) >>> 8;
  }),
  store("store32", "i32", "Four bytes, little-endian.", store32),
  store("store64", "i64", "Eight bytes, little-endian.", store64),
  store("store_f32", "f32", "The bits of an f32, little-endian.", store32),
  store("store_f64", "f64", "The bits of an f64, little-endian.", store64),
  {
    ...row("copy", "Copies `length` bytes as if through a buffer of its own, also between windows that overlap."),
    params: [
      parameter("dst", NEW_REF, "the object written"),
      parameter("dst_offset", "u32", "bytes from its start"),
      parameter("src", NEW_REF, "the object read"),
      parameter("src_offset", "u32", "bytes from its start"),
      LENGTH,
    ],
    traps: WINDOW_TRAPS,
    ...bulk(2, 4),
    run(heap, words, at) {
      const length = word(words, at + 8) >>> 0;
      const to = heap.locate(word(words, at), word(words, at + 1), word(words, at + 2), length);
      const target = heap.located;
      const from = heap.locate(word(words, at + 4), word(words, at + 5), word(words, at + 6), length);
      const source = heap.located;
      if (source === target) target.copyWithin(to, from, from + length);
      // `set` copies aright between two views of one memory, too.
      else target.set(source.subarray(from, from + length), to);
    },
  },
  {
    ...row("fill", "Sets `length` bytes to the low 8 bits of `value`."),
    params: [REF, OFFSET, parameter("value", "i32", "its low 8 bits count"), LENGTH],
    traps: WINDOW_TRAPS,
    ...bulk(2, 3),
    run(heap, words, at) {
      const length = word(words, at + 6) >>> 0;
      const start = heap.locate(word(words, at), word(words, at + 1), word(words, at + 2), length);
      heap.located.fill(word(words, at + 4) & 0xff, start, start + length);
    },
  },
  {
    ...row(
      "compare",
      "-1, 0 or 1 as the first `length` bytes of `a` come before, equal or follow those of `b`, unsigned.",
    ),
    params: [
      parameter("a", NEW_REF, "an object"),
      parameter("a_offset", "u32", "bytes from its start"),
      parameter("b", NEW_REF, "another, or the same"),
      parameter("b_offset", "u32", "bytes from its start"),
      LENGTH,
    ],
    results: [parameter("order", "i32", "-1, 0 or 1")],
    traps: WINDOW_TRAPS,
    ...bulk(2, 4),
    run(heap, words, at) {
      const length = word(words, at + 8) >>> 0;
      const a = heap.locate(word(words, at), word(words, at + 1), word(words, at + 2), length);
      const first = heap.located;
      const b = heap.locate(word(words, at + 4), word(words, at + 5), word(words, at + 6), length);
      const second = heap.located;
      let index = length < WORDWISE_BYTES ? 0 : equalWords(first, a, second, b, length);
      while (index < length && first[a + index] === second[b + index]) index++;
      words[at] = index === length ? 0 : byte(first, a + index) < byte(second, b + index) ? -1 : 1;
    },
  },
  {
    ...row(
      "of_memory",
      "The one fixed object over the calling instance's memory 0; null without a memory or at the limit of objects.",
    ),
    results: [parameter("ref", NEW_REF, "the window, or null")],
    run(heap, words, at, instance, memory) {
      const slot = memory === undefined ? 0 : heap.memoryRef(instance, memory);
      words[at] = slot;
      words[at + 1] = heap.generation(slot);
    },
  },
  {
    ...row("destroy", "Ends the object; its ref and copies of it are stale from now on."),
    params: [REF],
    fuel: 4,
    mayFree: true,
    traps: [...REF_TRAPS, "HeapRefFixed"],
    run(heap, words, at) {
      heap.destroy(word(words, at), word(words, at + 1), BYTES_KIND.id);
    },
  },
];

/** An instance whose code calls. */
interface BytesCaller {
  readonly number: number;
  readonly memory0: ByteSource;
}

/** Runs a call for code of an instance, which has no use for windows over others' memories (spec HEAP-BYTES-6). */
export function runBytes(call: BytesCall, heap: Heap, words: Int32Array, at: number, caller: BytesCaller): void {
  heap.viewer = caller.number;
  try {
    call.run(heap, words, at, caller.number, caller.memory0 === NO_MEMORY ? undefined : caller.memory0);
  } finally {
    heap.viewer = EVERYBODY;
  }
}

const ROWS: ReadonlyMap<string, number> = new Map(BYTES_CALLS.map((call, row) => [call.name, row]));

/** Row of the table that an import names, or -1. */
export function bytesRow(imported: Import): number {
  return imported.module === "bytes" && imported.type.kind === "function" ? (ROWS.get(imported.name) ?? -1) : -1;
}

/** What most rows share. */
function row(name: string, doc: string) {
  return {
    module: "bytes",
    name,
    doc,
    params: [] as readonly Parameter[],
    results: [] as readonly Parameter[],
    fuel: 1,
    bulk: false as const,
    mayFree: false,
    capability: "none",
    statuses: [],
    traps: [] as readonly TrapName[],
  };
}

function bulk(base: number, lengthArgument: number): BulkFuel {
  return { bulk: true, fuel: { base, perByte: 1 / (1 << BYTES_SHIFT), lengthArgument } };
}

function parameter(name: string, type: ParameterType, doc: string): Parameter {
  return { name, type, doc };
}

// Each load and store is a function of its own: shared closures would not be inlined.

function load(name: string, type: ParameterType, doc: string, run: RunBytes): BytesCall {
  const results = [parameter("value", type, "the value read")];
  return { ...row(name, doc), params: [REF, OFFSET], results, traps: WINDOW_TRAPS, run };
}

function store(name: string, type: ParameterType, doc: string, run: RunBytes): BytesCall {
  const params = [REF, OFFSET, parameter("value", type, "the value written")];
  return { ...row(name, doc), params, traps: WINDOW_TRAPS, run };
}

/** Index into `heap.located` of the `size` bytes that the first two arguments name. */
function locate(heap: Heap, words: Int32Array, at: number, size: number): number {
  return heap.locate(word(words, at), word(words, at + 1), word(words, at + 2), size);
}

function load32(heap: Heap, words: Int32Array, at: number): void {
  const start = locate(heap, words, at, 4);
  words[at] = read32(heap.located, start);
}

function load64(heap: Heap, words: Int32Array, at: number): void {
  const start = locate(heap, words, at, 8);
  words[at] = read32(heap.located, start);
  words[at + 1] = read32(heap.located, start + 4);
}

function store32(heap: Heap, words: Int32Array, at: number): void {
  const start = locate(heap, words, at, 4);
  write32(heap.located, start, word(words, at + 4));
}

function store64(heap: Heap, words: Int32Array, at: number): void {
  const start = locate(heap, words, at, 8);
  write32(heap.located, start, word(words, at + 4));
  write32(heap.located, start + 4, word(words, at + 5));
}

/** From this length on it pays to make the views that {@link equalWords} needs. */
const WORDWISE_BYTES = 128;

/** How many bytes at the start of two windows are equal, rounded down to words: 4 times as fast as byte by byte. */
function equalWords(first: Uint8Array, a: number, second: Uint8Array, b: number, length: number): number {
  const left = new DataView(first.buffer, first.byteOffset + a, length);
  const right = new DataView(second.buffer, second.byteOffset + b, length);
  let index = 0;
  while (index + 4 <= length && left.getInt32(index) === right.getInt32(index)) index += 4;
  return index;
}

function read32(bytes: Uint8Array, start: number): number {
  return half(bytes, start) | (half(bytes, start + 2) << 16);
}

function write32(bytes: Uint8Array, start: number, value: number): void {
  bytes[start] = value;
  bytes[start + 1] = value >>> 8;
  bytes[start + 2] = value >>> 16;
  bytes[start + 3] = value >>> 24;
}

function half(bytes: Uint8Array, start: number): number {
  return byte(bytes, start) | (byte(bytes, start + 1) << 8);
}

function byte(bytes: Uint8Array, index: number): number {
  return bytes[index] as number;
}

function word(words: Int32Array, index: number): number {
  return words[index] as number;
}
