/** Rows of several tables and segments in one order (spec ASL-INDEX-8): for scans, and to make one segment of several. */
import { compareRows, ROW_WORDS, RowWord } from "./index-rows.ts";
import type { OpenTable, SortedNumbers } from "./open-table.ts";

/** Rows in order, one after the other. */
export interface RowSource {
  /** Goes to the next row, or to the first; false when there is none. */
  next(): boolean;
  /** The row: its first word, the others from `at` of `words`, and what its position is counted from. */
  readonly hi: number;
  readonly words: Uint32Array;
  readonly at: number;
  readonly base: number;
}

/** Rows of a table. What it holds may grow meanwhile. */
export class TableSource implements RowSource {
  hi = 0;
  at = 0;
  readonly words: Uint32Array;
  readonly base: number;
  readonly #sorted: SortedNumbers;
  #next = 0;

  constructor(table: OpenTable, sorted: SortedNumbers) {
    this.words = table.rows;
    this.base = table.base;
    this.#sorted = sorted;
  }
  next(): boolean {
    if (this.#next === this.#sorted.count) return false;
    const next = this.#next++;
    this.hi = this.#sorted.his[next]!;
    this.at = this.#sorted.numbers[next]! * ROW_WORDS;
    return true;
  }
}

/** Brings sources together. They come from the oldest to the newest, with no positions in common: so rows of one key stay in order. */
export class RowMerger {
  /** Where the row is. */
  current: RowSource | undefined;
  /** Those that have a row. */
  readonly #sources: RowSource[];
  #isPrimed = false;

  constructor(sources: readonly RowSource[]) {
    this.#sources = [...sources];
  }
  next(): boolean {
    const sources = this.#sources;
    if (!this.#isPrimed) {
      this.#isPrimed = true;
      for (let k = sources.length - 1; k >= 0; k--) if (!sources[k]!.next()) sources.splice(k, 1);
    } else if (this.current !== undefined && !this.current.next()) {
      sources.splice(sources.indexOf(this.current), 1);
    }
    if (sources.length === 0) {
      this.current = undefined;
      return false;
    }
    let least = sources[0]!;
    for (let k = 1; k < sources.length; k++) {
      const source = sources[k]!;
      if (source.hi > least.hi) continue;
      if (source.hi < least.hi || compareRows(source.words, source.at, least.words, least.at) < 0) least = source;
    }
    this.current = least;
    return true;
  }
}

export function positionOf({ words, at, base }: RowSource): number {
  return base + words[at + RowWord.POSITION]!;
}
