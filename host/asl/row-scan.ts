/** A scan of the index (spec ASL-INDEX-8): rows up to a position, in order, whatever is written and merged meanwhile. */
import { AslError } from "./errors.ts";
import { Row, unpackDigest, unpackRow } from "./index-rows.ts";
import { positionOf, RowMerger, type RowSource, TableSource } from "./merge.ts";
import { type OpenTable, SortedNumbers } from "./open-table.ts";
import type { Segment } from "./segment.ts";

/** The row, and what `next` answers, are the same objects each time. */
export class RowScan implements IterableIterator<Row> {
  readonly #row = new Row();
  readonly #result: { done: boolean; value: Row } = { done: false, value: this.#row };
  readonly #asOf: number;
  /** Words of the digest to begin with. */
  readonly #start: Uint32Array;
  #isStarted = false;
  #isClosed = false;
  readonly #merger: RowMerger;
  readonly #tables: readonly OpenTable[];
  readonly #segments: readonly Segment[];
  #onEnd: ((scan: RowScan) => void) | undefined;

  /** All from the oldest to the newest. */
  constructor(
    segments: readonly Segment[],
    tables: readonly OpenTable[],
    start: Uint32Array,
    asOf: number,
    onEnd: (scan: RowScan) => void,
  ) {
    this.#asOf = asOf;
    this.#start = start;
    this.#onEnd = onEnd;
    this.#segments = segments.filter(({ base }) => base <= asOf);
    this.#tables = tables;
    for (const segment of this.#segments) segment.retain();
    for (const table of tables) table.readers++;
    this.#merger = new RowMerger([
      ...this.#segments.map((segment): RowSource => segment.rows(start[0]!)),
      ...tables.map((table): RowSource => tableSource(table)),
    ]);
  }
  [Symbol.iterator](): this {
    return this;
  }
  /** Throws ASL-INDEX-DAMAGED, ASL-READ or ASL-CLOSED. */
  next(): IteratorResult<Row> {
    if (this.#isClosed) throw new AslError("ASL-CLOSED", "the store was closed while it was scanned");
    const merger = this.#merger;
    while (this.#onEnd !== undefined && this.#advance()) {
      const source = merger.current!;
      if (positionOf(source) > this.#asOf) continue;
      if (!this.#isStarted) {
        if (isBelow(source, this.#start)) continue;
        this.#isStarted = true;
      }
      unpackRow(this.#row, source.words, source.at, source.base);
      unpackDigest(this.#row, source.hi, source.words, source.at);
      return this.#result as IteratorYieldResult<Row>;
    }
    return this.return();
  }
  #advance(): boolean {
    try {
      return this.#merger.next();
    } catch (error) {
      this.return();
      throw error;
    }
  }
  return(): IteratorReturnResult<undefined> {
    const onEnd = this.#onEnd;
    this.#onEnd = undefined;
    if (onEnd !== undefined) {
      for (const segment of this.#segments) segment.release();
      for (const table of this.#tables) table.readers--;
      onEnd(this);
    }
    return { done: true, value: undefined };
  }
  /** Ends it from outside: who goes on with it learns so. */
  close(): void {
    this.return();
    this.#isClosed = true;
  }
}

function tableSource(table: OpenTable): RowSource {
  const sorted = new SortedNumbers(table);
  sorted.step(Number.POSITIVE_INFINITY);
  return new TableSource(table, sorted);
}

function isBelow({ hi, words, at }: RowSource, start: Uint32Array): boolean {
  if (hi !== start[0]) return hi < start[0]!;
  for (let k = 1; k < 8; k++) {
    const word = words[at + k - 1]!;
    if (word !== start[k]) return word < start[k]!;
  }
  return false;
}
