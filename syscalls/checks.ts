/**
 * From the words of a call to the values of its body: each check that a row's parameters imply is made here and nowhere
 * else. In which order is the dispatcher's to say (spec ABI-ORDER-1).
 */
import type { ParameterType } from "../vm/declaration.ts";
import type { Caller } from "../vm/function.ts";
import { BYTES_KIND, type Heap, type Kind, STALE_OBJECT } from "../vm/heap.ts";
import { Fault, TrapCode } from "../vm/trap.ts";
import { Status } from "./status.ts";
import type { Syscall } from "./table.ts";
import { wideValue, wordIndices } from "./words.ts";

/** An object behind a HeapRef that bytes are transferred to or from (spec ABI-TRANSFER-3). */
export interface TransferHandle {
  /** True when it has offsets: neither a stream nor a file opened to append. */
  readonly positional: boolean;
}

/** One value of a body: which words of a call it is made of, and what is checked. One shape for all, which V8 likes. */
export interface Part {
  readonly what: "number" | "ref" | "window";
  /** Its parameter; of a window the object's. */
  readonly name: string;
  readonly type: ParameterType;
  readonly maximum: number;
  readonly exact: boolean;
  readonly nullable: boolean;
  /** Kinds of HeapRef it takes. */
  readonly kinds: readonly number[];
  /** Index of its first word, and of those of a window's offset and length. */
  readonly word: number;
  readonly offset: number;
  readonly length: number;
  /** The window that it was last: where in which bytes. */
  view: Uint8Array;
  viewStart: number;
  viewOf: Uint8Array;
}

const NO_BYTES = new Uint8Array(0);

/** The values of a row's body. */
export function partsOf({ params, windows }: Syscall, kinds: readonly Kind[]): Part[] {
  const words = wordIndices(params);
  return params.flatMap(({ name, type, maximum, exact = false, nullable = false }, index) => {
    if (windows.some(({ offset, length }) => offset === index || length === index)) return [];
    const window = windows.find(({ ref }) => ref === index);
    const part: Part = {
      what: window !== undefined ? "window" : typeof type === "object" ? "ref" : "number",
      name,
      type,
      maximum: maximum ?? Number.POSITIVE_INFINITY,
      exact,
      nullable,
      kinds: typeof type === "object" ? kindIds(type.ref, kinds) : [],
      word: words[index]!,
      offset: window === undefined ? 0 : words[window.offset]!,
      length: window === undefined ? 0 : words[window.length]!,
      view: NO_BYTES,
      viewStart: 0,
      viewOf: NO_BYTES,
    };
    return [part];
  });
}

function kindIds(names: string, kinds: readonly Kind[]): number[] {
  return names.split("|").map((name) => [BYTES_KIND, ...kinds].find((candidate) => candidate.name === name)!.id);
}

/** A number of one word, or of two: the nearest, or exactly as a bigint. Faults: BadArgument. */
export function takeNumber(part: Part, low: number, high: number): number | bigint {
  const { type } = part;
  if (part.exact) return wideValue(type, low, high);
  let number = low;
  if (type === "u32") number = low >>> 0;
  else if (type === "i64" || type === "u64") number = nearest(type, low, high);
  if (number > part.maximum) throw new Fault(TrapCode.BadArgument, `${part.name} is ${number}, above ${part.maximum}`);
  return number;
}

function nearest(type: ParameterType, low: number, high: number): number {
  if (high === 0) return low >>> 0;
  return (type === "u64" ? high >>> 0 : high) * 0x1_0000_0000 + (low >>> 0);
}

/** The host's object behind a HeapRef, undefined for null. Faults: HeapRefNull, HeapRefStale, HeapRefKind. */
export function takeRef(part: Part, heap: Heap, low: number, high: number): unknown {
  if (part.nullable && low === 0 && high === 0) return undefined;
  const kind = heap.kindOf(low, high);
  if (kind !== part.kinds[0] && !part.kinds.includes(kind)) throw new Fault(TrapCode.HeapRefKind, part.name);
  return heap.object(low, high, kind);
}

/** The bytes of a window. Faults: HeapRefNull, HeapRefStale, HeapRefKind, HeapWindow. */
export function takeWindow(
  part: Part,
  heap: Heap,
  low: number,
  high: number,
  offset: number,
  length: number,
): Uint8Array {
  const size = length >>> 0;
  const start = heap.locate(low, high, offset, size);
  const bytes = heap.located;
  // To make a view takes longer than all checks of a call, and guests use one buffer again and again.
  if (part.viewStart === start && part.viewOf === bytes && part.view.length === size) return part.view;
  part.view = bytes.subarray(start, start + size);
  part.viewStart = start;
  part.viewOf = bytes;
  return part.view;
}

/** Lets go of the memory that a window was in. */
export function forgetView(part: Part): void {
  part.view = NO_BYTES;
  part.viewStart = 0;
  part.viewOf = NO_BYTES;
}

/** Spec ABI-TRANSFER-2: an offset below -1, or one whose sum with the length passes 2^63 - 1. Faults: BadArgument. */
export function checkHostOffset(low: number, high: number, length: number): void {
  const belowMinusOne = high < 0 && (high & low) !== -1;
  if (belowMinusOne) throw new Fault(TrapCode.BadArgument, "host_offset is negative");
  if (high === 0x7fff_ffff && (low >>> 0) + (length >>> 0) > 0xffff_ffff)
    throw new Fault(TrapCode.BadArgument, "host_offset + max_bytes is over 2^63 - 1");
}

/**
 * Spec ABI-TRANSFER-3. -1 where offsets count is a negative offset, or with `toEnd` the end. Where none counts, any other
 * is INVALID. Faults: BadArgument.
 */
export function placeOf(handle: unknown, offset: unknown, toEnd: boolean): Status {
  if (handle === STALE_OBJECT) return Status.STALE;
  const { positional } = handle as TransferHandle;
  if (!positional) return offset === -1 ? Status.OK : Status.INVALID;
  if (offset === -1 && !toEnd) throw new Fault(TrapCode.BadArgument, "host_offset is negative");
  return Status.OK;
}

/** All `size` bytes of a result block at once. Faults: BadPointer. */
export function checkBlock({ memory }: Caller, pointer: number, size: number): void {
  const at = pointer >>> 0;
  if (at + size > (memory === undefined ? 0 : memory.bytes.length))
    throw new Fault(TrapCode.BadPointer, `${size} bytes of results at ${at}`);
}
