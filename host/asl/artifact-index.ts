/**
 * The index of a store: where artifacts are, and what bindings name, at any position of the log (spec ASL-INDEX). The newest rows are in
 * an open table in memory; a full one is frozen and written, a slice at a time, as a segment that never changes; neighbouring segments
 * are merged, a slice at a time. The log tells all that the index tells.
 */
import {
  KEY_WORDS,
  ROW_WORDS,
  Row,
  RowFlag,
  RowKind,
  readDigest,
  readKey,
  unpackDigest,
  unpackRow,
} from "./index-rows.ts";
import { DIGEST_BYTES } from "./key.ts";
import { positionOf, RowMerger, type RowSource, TableSource } from "./merge.ts";
import { OpenTable, SortedNumbers } from "./open-table.ts";
import type { Volume } from "./volume.ts";

/** What a checkpoint names. */
export interface SegmentEntry {
  readonly number: number;
  /** Rows. */
  readonly count: number;
  /** Positions of its first and last row in order of position. */
  readonly firstPosition: number;
  readonly lastPosition: number;
  /** Length of the file. */
  readonly bytes: number;
  /** SHA-256 of its trailer. */
  readonly digest: Uint8Array;
}

/** What may be tuned with no effect on answers. */
export interface IndexTuning {
  /** Rows of the open table when it is frozen. */
  readonly openRows: number;
}

const TUNING: IndexTuning = { openRows: 2 ** 18 };

export interface IndexOptions {
  readonly volume: Volume;
  /** The store's seed of checksums. */
  readonly seed: number;
  readonly tuning?: Partial<IndexTuning>;
  /** Memory for pages of segments, beside what is always there. Default 96 MiB. */
  readonly budgetBytes?: number;
  /** From the oldest to the newest, as the checkpoint names them. */
  readonly segments: readonly SegmentEntry[];
  /** Lowest number that a new segment may have. */
  readonly nextNumber: number;
  readonly readOnly?: boolean;
  /**
   * The list of segments changed: it must be durable when this returns; only then are old files removed. All rows up to
   * `throughPosition` are in segments.
   */
  publish(segments: readonly SegmentEntry[], throughPosition: number): void;
}

/** What {@link ArtifactIndex.findRecord} found. */
export const Found = { NONE: 0, OTHER: 1, EXACT: 2 } as const;
export type Found = (typeof Found)[keyof typeof Found];

export class ArtifactIndex {
  readonly #options: IndexOptions;
  readonly #tuning: IndexTuning;
  #table: OpenTable;
  readonly #key = new Uint32Array(KEY_WORDS);

  constructor(options: IndexOptions) {
    this.#options = options;
    this.#tuning = { ...TUNING, ...options.tuning };
    this.#table = new OpenTable();
  }

  /** Adds a row to the open table. Rows come in order of position. Throws ASL-LIMIT for what a row has no room for. */
  add(row: Row): void {
    this.#table.add(row);
  }
  /** A place to come back to with {@link rollback}, as long as nothing is frozen. */
  mark(): number {
    return this.#table.count;
  }
  /** Takes back all rows added since. */
  rollback(mark: number): void {
    this.#table.rollback(mark);
  }

  /**
   * Puts the newest row of a key whose position is at most `asOf` into `into`, its `digest` left as it is; false if there is none.
   * Throws ASL-INDEX-DAMAGED or ASL-READ.
   */
  find(into: Row, isBinding: boolean, algorithm: number, digest: Uint8Array, at: number, asOf: number): boolean {
    const key = this.#key;
    readKey(key, isBinding, algorithm, digest, at);
    const table = this.#table;
    const number = table.find(key, asOf);
    if (number >= 0) {
      unpackRow(into, table.rows, number * ROW_WORDS, table.base);
      return true;
    }
    return false;
  }

  /**
   * Whether an artifact is visible at `asOf` with this tag and visibility (`flags`: HAS_TAG and PUBLISHED; a tombstone shadows what is
   * before it): EXACT with that row in `into`; OTHER with the newest visible row of the same bytes, if there is one of the same
   * visibility that; NONE. `digest` of `into` is left as it is. Throws ASL-INDEX-DAMAGED or ASL-READ.
   */
  findRecord(
    into: Row,
    algorithm: number,
    digest: Uint8Array,
    at: number,
    flags: number,
    tag: number,
    asOf: number,
  ): Found {
    const key = this.#key;
    readKey(key, false, algorithm, digest, at);
    this.#found = Found.NONE;
    const table = this.#table;
    for (let number = table.find(key, asOf); number >= 0; number = table.older(number))
      if (this.#judge(into, table.rows, number * ROW_WORDS, table.base, flags, tag)) return this.#found;
    return this.#found;
  }
  #found: Found = Found.NONE;
  readonly #row = new Row();
  /** Looks at a row of the key, from the newest to the oldest; true if no other matters. */
  #judge(into: Row, words: Uint32Array, at: number, base: number, flags: number, tag: number): boolean {
    const row = this.#found === Found.NONE ? into : this.#row;
    unpackRow(row, words, at, base);
    if (row.kind === RowKind.TOMBSTONE) return true;
    if ((row.flags & IDENTITY) === flags && row.tag === tag) {
      if (row !== into) unpackRow(into, words, at, base);
      this.#found = Found.EXACT;
      return true;
    }
    if (
      row !== into &&
      ((row.flags ^ flags) & RowFlag.PUBLISHED) === 0 &&
      ((into.flags ^ flags) & RowFlag.PUBLISHED) !== 0
    )
      unpackRow(into, words, at, base);
    this.#found = Found.OTHER;
    return false;
  }

  /** All rows of a key whose positions are at most `asOf`, the newest first. Throws ASL-INDEX-DAMAGED or ASL-READ. */
  rowsOf(isBinding: boolean, algorithm: number, digest: Uint8Array, at: number, asOf: number): Row[] {
    const key = this.#key;
    readKey(key, isBinding, algorithm, digest, at);
    const out: Row[] = [];
    const take = (words: Uint32Array, from: number, base: number): void => {
      const row = new Row();
      unpackRow(row, words, from, base);
      row.digest.set(digest.subarray(at, at + DIGEST_BYTES));
      out.push(row);
    };
    const table = this.#table;
    for (let number = table.find(key, asOf); number >= 0; number = table.older(number))
      take(table.rows, number * ROW_WORDS, table.base);
    return out;
  }

  /**
   * Every row whose position is at most `asOf`, in order of digest, algorithm, class and position, from the first digest that is not
   * below `from`. The row is the same object each time. What is written and merged meanwhile changes nothing of it; it ends with
   * {@link close}. Throws ASL-INDEX-DAMAGED or ASL-READ.
   */
  scan(asOf: number, from?: Uint8Array): IterableIterator<Row> {
    const start = new Uint32Array(8);
    if (from !== undefined) {
      const padded = new Uint8Array(DIGEST_BYTES);
      padded.set(from.subarray(0, DIGEST_BYTES));
      readDigest(start, padded, 0);
    }
    return scanRows([tableFrom(this.#table, asOf)], start, asOf, () => {});
  }

  /**
   * To be called when a group is committed and all its rows are added: freezes the open table if it is full, to be written as a segment.
   * `committed` is the position that all is committed up to. True if it was frozen.
   */
  freezeIfFull(committed: number): boolean {
    if (this.#table.count < this.#tuning.openRows) return false;
    this.freeze(committed);
    return true;
  }
  /** The same whatever is in it; nothing if nothing is. */
  freeze(_committed: number): void {}
  /** Rows still to be written or merged. */
  get debt(): number {
    return 0;
  }
  /** Writes and merges about so many rows. */
  work(_rows: number): void {}
  /** What is frozen is in a segment, and published, when it returns. */
  finish(): void {}
  close(): void {
    void this.#options;
  }
}

/** What tells records of one key apart, beside the tag. */
const IDENTITY = RowFlag.HAS_TAG | RowFlag.PUBLISHED;

function tableFrom(table: OpenTable, asOf: number): RowSource {
  const sorted = new SortedNumbers(table, asOf);
  sorted.step(Number.POSITIVE_INFINITY);
  return new TableSource(table, sorted);
}

function* scanRows(
  sources: readonly RowSource[],
  start: Uint32Array,
  asOf: number,
  done: () => void,
): IterableIterator<Row> {
  const row = new Row();
  try {
    const merger = new RowMerger(sources);
    while (merger.next()) {
      const source = merger.current!;
      if (positionOf(source) > asOf || isBelow(source, start)) continue;
      unpackRow(row, source.words, source.at, source.base);
      unpackDigest(row, source.hi, source.words, source.at);
      yield row;
    }
  } finally {
    done();
  }
}

function isBelow({ hi, words, at }: RowSource, start: Uint32Array): boolean {
  if (hi !== start[0]) return hi < start[0]!;
  for (let k = 1; k < 8; k++) {
    const word = words[at + k - 1]!;
    if (word !== start[k]) return word < start[k]!;
  }
  return false;
}
