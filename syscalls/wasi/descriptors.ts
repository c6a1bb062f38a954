/** What a program knows by numbers: open files, directories and streams (spec WASI-FD). */
import { decodeUtf8, encodeUtf8 } from "../../vm/utf8.ts";
import type { Json } from "../recording-file.ts";

export interface Descriptor {
  readonly type: "file" | "directory" | "stream";
  /** The HeapRef. */
  readonly low: number;
  readonly high: number;
  /** Of a file: where the next byte is read or written; 0 to 2^53 - 1. */
  offset: number;
  /** Sum of `Fdflag`. */
  flags: number;
  rights: number;
  inheriting: number;
  /** Of a preopened directory: its name. */
  readonly preopen: Uint8Array | undefined;
}

const TYPES = ["file", "directory", "stream"] as const;

export class Descriptors {
  readonly #open: (Descriptor | undefined)[] = [];
  /** A binary heap of the numbers that are free, the least first; those that are no less than there are numbers do not count. */
  readonly #free: number[] = [];

  get(fd: number): Descriptor | undefined {
    return this.#open[fd >>> 0];
  }

  /** Takes the lowest number that is free. */
  add(descriptor: Descriptor): number {
    const least = this.#free[0];
    const isFree = least !== undefined && least < this.#open.length;
    const fd = isFree ? least : this.#open.length;
    if (isFree) takeLeast(this.#free);
    else this.#free.length = 0;
    this.#open[fd] = descriptor;
    return fd;
  }

  /** The next number, open or not. */
  push(descriptor: Descriptor | undefined): void {
    if (descriptor === undefined) put(this.#free, this.#open.length);
    this.#open.push(descriptor);
  }

  set(fd: number, descriptor: Descriptor): void {
    this.#open[fd >>> 0] = descriptor;
  }

  delete(fd: number): void {
    this.#open[fd >>> 0] = undefined;
    put(this.#free, fd >>> 0);
    while (this.#open.length > 0 && this.#open.at(-1) === undefined) this.#open.pop();
  }

  /** For snapshots (spec WASI-SNAPSHOT-1). */
  save(): Json {
    return this.#open.map((descriptor) => {
      if (descriptor === undefined) return null;
      const { type, low, high, offset, flags, rights, inheriting, preopen } = descriptor;
      const name = preopen === undefined ? null : decodeUtf8(preopen)!;
      return [TYPES.indexOf(type), low, high, offset, flags, rights, inheriting, name];
    });
  }

  /** What {@link save} answered; undefined for anything else. */
  static restore(saved: Json): Descriptors | undefined {
    if (!Array.isArray(saved)) return undefined;
    const restored = new Descriptors();
    for (const fields of saved) {
      if (fields !== null && !(Array.isArray(fields) && isDescriptor(fields))) return undefined;
      if (fields === null) restored.push(undefined);
      else {
        const [type, low, high, offset, flags, rights, inheriting, name] = fields;
        const preopen = name === null ? undefined : encodeUtf8(name);
        restored.push({ type: TYPES[type]!, low, high, offset, flags, rights, inheriting, preopen });
      }
    }
    return restored;
  }
}

function put(heap: number[], value: number): void {
  let at = heap.length;
  for (let above = (at - 1) >> 1; at > 0 && heap[above]! > value; above = (at - 1) >> 1) {
    heap[at] = heap[above]!;
    at = above;
  }
  heap[at] = value;
}

function takeLeast(heap: number[]): void {
  const value = heap.pop()!;
  if (heap.length === 0) return;
  let at = 0;
  for (let below = 1; below < heap.length; below = 2 * at + 1) {
    if (below + 1 < heap.length && heap[below + 1]! < heap[below]!) below++;
    if (heap[below]! >= value) break;
    heap[at] = heap[below]!;
    at = below;
  }
  heap[at] = value;
}

type Saved = readonly [
  type: number,
  low: number,
  high: number,
  offset: number,
  flags: number,
  rights: number,
  inheriting: number,
  name: string | null,
];

function isDescriptor(fields: readonly unknown[]): fields is Saved {
  const [type, low, high, offset, flags, rights, inheriting, name] = fields;
  const isWord = (value: unknown): boolean => Number.isInteger(value) && (value as number) === ((value as number) | 0);
  return (
    fields.length === 8 &&
    (type === 0 || type === 1 || type === 2) &&
    [low, high, flags, rights, inheriting].every(isWord) &&
    Number.isSafeInteger(offset) &&
    (offset as number) >= 0 &&
    (name === null || typeof name === "string")
  );
}
