/**
 * Module `bytes`: the calls on `Bytes` objects that every guest may import without a grant. They are instructions of
 * the VM (spec HEAP-BYTES-1), so both engines read this table; `syscalls/` derives bindings and the spec table from it.
 *
 * Every check is the heap's; a call that faults has done nothing.
 */
import type { CallFuel, Declaration, Parameter, ParameterType } from "./declaration.ts";
import { BYTES_SHIFT } from "./fuel.ts";
import { BYTES_KIND, type ByteSource, type Heap } from "./heap.ts";
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
      words[at + 1] = slot === 0 ? 0 : heap.generation(slot);
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
  load("load8_u", "i32", 1, "One byte, zero-extended.", (bytes, start, words, at) => {
    words[at] = byte(bytes, start);
  }),
  load("load8_s", "i32", 1, "One byte, sign-extended.", (bytes, start, words, at) => {
    words[at] = (byte(bytes, start) << 24) >> 24;
  }),
  load("load16_u", "i32", 2, "Two bytes, little-endian, zero-extended.", (bytes, start, words, at) => {
    words[at] = half(bytes, start);
  }),
  load("load16_s", "i32", 2, "Two bytes, little-endian, sign-extended.", (bytes, start, words, at) => {
    words[at] = (half(bytes, start) << 16) >> 16;
  }),
  load("load32", "i32", 4, "Four bytes, little-endian.", load32),
  load("load64", "i64", 8, "Eight bytes, little-endian.", load64),
  load("load_f32", "f32", 4, "The bits of an f32, little-endian.", load32),
  load("load_f64", "f64", 8, "The bits of an f64, little-endian.", load64),
  store("store8", "i32", 1, "The low 8 bits of `value`.", (bytes, start, words, at) => {
    bytes[start] = word(words, at);
  }),
  store("store16", "i32", 2, "The low 16 bits of `value`, little-endian.", (bytes, start, words, at) => {
    bytes[start] = word(words, at);
    bytes[start + 1] = word(words, at) >>> 8;
  }),
  store("store32", "i32", 4, "Four bytes, little-endian.", store32),
  store("store64", "i64", 8, "Eight bytes, little-endian.", store64),
  store("store_f32", "f32", 4, "The bits of an f32, little-endian.", store32),
  store("store_f64", "f64", 8, "The bits of an f64, little-endian.", store64),
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
      let order = 0;
      for (let index = 0; index < length; index++) {
        order = byte(first, a + index) - byte(second, b + index);
        if (order !== 0) break;
      }
      words[at] = Math.sign(order);
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
      words[at + 1] = slot === 0 ? 0 : heap.generation(slot);
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

/** Moves one value between `bytes` at `start` and its cell at words[at]. */
type Move = (bytes: Uint8Array, start: number, words: Int32Array, at: number) => void;

function load(name: string, type: ParameterType, size: number, doc: string, move: Move): BytesCall {
  return {
    ...row(name, doc),
    params: [REF, OFFSET],
    results: [parameter("value", type, "the value read")],
    traps: WINDOW_TRAPS,
    run(heap, words, at) {
      const start = heap.locate(word(words, at), word(words, at + 1), word(words, at + 2), size);
      move(heap.located, start, words, at);
    },
  };
}

function store(name: string, type: ParameterType, size: number, doc: string, move: Move): BytesCall {
  return {
    ...row(name, doc),
    params: [REF, OFFSET, parameter("value", type, "the value written")],
    traps: WINDOW_TRAPS,
    run(heap, words, at) {
      const start = heap.locate(word(words, at), word(words, at + 1), word(words, at + 2), size);
      move(heap.located, start, words, at + 4);
    },
  };
}

function load32(bytes: Uint8Array, start: number, words: Int32Array, at: number): void {
  words[at] = half(bytes, start) | (half(bytes, start + 2) << 16);
}

function load64(bytes: Uint8Array, start: number, words: Int32Array, at: number): void {
  load32(bytes, start, words, at);
  load32(bytes, start + 4, words, at + 1);
}

function store32(bytes: Uint8Array, start: number, words: Int32Array, at: number): void {
  const value = word(words, at);
  bytes[start] = value;
  bytes[start + 1] = value >>> 8;
  bytes[start + 2] = value >>> 16;
  bytes[start + 3] = value >>> 24;
}

function store64(bytes: Uint8Array, start: number, words: Int32Array, at: number): void {
  store32(bytes, start, words, at);
  store32(bytes, start + 4, words, at + 1);
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
