/**
 * The locator of a segment: for each row, in order, six bytes that say where its artifact probably is, so that most reads need no page
 * (spec ASL-SEGMENT-10). Only the record itself proves that it is the right one; what a locator has no room for, the row tells.
 */
import { OFFSET_UNIT, RowFlag, RowKind, RowWord } from "./index-rows.ts";
import { PAGE_ROWS } from "./segment-format.ts";

/** Pages whose rows are in one chunk: chunks are read, and verified, when they are needed first. */
export const CHUNK_PAGES = 512;
export const CHUNK_ROWS: number = CHUNK_PAGES * PAGE_ROWS;

/** Four bytes of a place, two of a mark. */
export const LOCATOR_BYTES = 6;

/** Blocks that places may name, by their places in a list. */
export const MOST_BLOCKS = 512;
/** Offsets within them, in units of 8 bytes. */
const UNIT_BITS = 23;
const UNITS = 2 ** UNIT_BITS;

/** A length in a mark is a class, which says that it is at most this. */
const BOUNDS: readonly number[] = [64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 4096, 8192, 16_384, 32_768];
const MOST_BYTES = 32_768;
/** Only the row tells. */
export const ASK_ROW = 15;

/** The bits of a key, from its second word, that a mark holds. */
export function marked(lo: number): number {
  return lo & 0xfff;
}

export function chunkRows(chunk: number, count: number): number {
  return Math.min(CHUNK_ROWS, count - chunk * CHUNK_ROWS);
}

/** Bytes of a chunk of so many rows: places, then marks. */
export function chunkBytes(rows: number): number {
  return Math.ceil((rows * LOCATOR_BYTES) / 8) * 8;
}

export function chunksOf(count: number): number {
  return Math.ceil(count / CHUNK_ROWS);
}

export function locatorBytes(count: number): number {
  return Math.floor(count / CHUNK_ROWS) * chunkBytes(CHUNK_ROWS) + chunkBytes(count % CHUNK_ROWS);
}

export interface LocatorChunk {
  readonly places: Uint32Array;
  /** Twelve bits of the key, four of the class. */
  readonly marks: Uint16Array;
}

export function chunkOf(bytes: Uint8Array, rows: number): LocatorChunk {
  return {
    places: new Uint32Array(bytes.buffer, bytes.byteOffset, rows),
    marks: new Uint16Array(bytes.buffer, bytes.byteOffset + 4 * rows, rows),
  };
}

export function blockIndexOf(place: number): number {
  return place >>> UNIT_BITS;
}
export function offsetOf(place: number): number {
  return (place & (UNITS - 1)) * OFFSET_UNIT;
}
/** The length of what a mark is of is at most this. */
export function boundOf(mark: number): number {
  return BOUNDS[mark & 15]!;
}

function classOf(length: number): number {
  if (length <= 64) return 0;
  const octave = 31 - Math.clz32(length - 1);
  if (octave >= 11) return octave;
  return 2 * octave - 11 + (length > 3 << (octave - 1) ? 1 : 0);
}

/** Lines of the memory of blocks lately seen. */
const LATELY = 1024;

/** Makes a locator from rows in order. */
export class LocatorBuilder {
  /** Numbers of blocks, in the order in which rows named them. */
  readonly blocks: number[] = [];
  readonly #indices = new Map<number, number>();
  readonly #lately = new Float64Array(LATELY).fill(-1);
  readonly #latelyIndices = new Uint16Array(LATELY);
  #places: Uint32Array = new Uint32Array(0);
  #marks: Uint16Array = new Uint16Array(0);

  /** Begins a chunk whose bytes get into `bytes`. */
  begin(bytes: Uint8Array, rows: number): void {
    const { places, marks } = chunkOf(bytes, rows);
    this.#places = places;
    this.#marks = marks;
  }
  /** Row `index` of the chunk. */
  add(index: number, words: Uint32Array, at: number): void {
    const meta = words[at + RowWord.META]!;
    const length = words[at + RowWord.LENGTH]!;
    const offset = words[at + RowWord.OFFSET]!;
    let how = ASK_ROW;
    let place = 0;
    // A PUT, not CHUNKED, and no bits of the length beyond the first 32.
    if ((meta & META_MASK) === META_PUT && length <= MOST_BYTES && offset < UNITS) {
      const block = this.#indexOf(words[at + RowWord.BLOCK]!);
      if (block >= 0) {
        how = classOf(length);
        place = block * UNITS + offset;
      }
    }
    this.#places[index] = place;
    this.#marks[index] = (marked(words[at]!) << 4) | how;
  }
  /** The row that was added last, and the one before it, have the same key: what is the newest depends on who asks. */
  shareKey(index: number): void {
    this.#marks[index]! |= ASK_ROW;
    if (index > 0) this.#marks[index - 1]! |= ASK_ROW;
  }
  #indexOf(block: number): number {
    const line = block & (LATELY - 1);
    if (this.#lately[line] === block) return this.#latelyIndices[line]!;
    let index = this.#indices.get(block);
    if (index === undefined) {
      index = this.blocks.length;
      if (index === MOST_BLOCKS) return -1;
      this.blocks.push(block);
      this.#indices.set(block, index);
    }
    this.#lately[line] = block;
    this.#latelyIndices[line] = index;
    return index;
  }
}

const META_MASK = 0xffff | (7 << 16) | (RowFlag.CHUNKED << 19);
const META_PUT = RowKind.PUT << 16;
