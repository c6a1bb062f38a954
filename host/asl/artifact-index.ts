/**
 * The index of a store: where artifacts are, and what bindings name, at any position of the log (spec ASL-INDEX). The newest rows are in
 * an open table in memory; a full one is frozen and written, a slice at a time, as a segment that never changes; neighbouring segments
 * are merged, a slice at a time. The log tells all that the index tells.
 */
import { AslError } from "./errors.ts";
import { numberOf } from "./format.ts";
import { FuseBuilder } from "./fuse-filter.ts";
import { KEY_WORDS, ROW_WORDS, Row, RowFlag, RowKind, readDigest, readKey, unpackRow } from "./index-rows.ts";
import { DIGEST_BYTES } from "./key.ts";
import { RowMerger, TableSource } from "./merge.ts";
import { OpenTable, SortedNumbers } from "./open-table.ts";
import { PageCache } from "./page-cache.ts";
import { RowScan } from "./row-scan.ts";
import { ABSENT, Segment, UNSURE } from "./segment.ts";
import { checkSegment } from "./segment-check.ts";
import { INDEX_FOLDER, SEGMENT_EXTENSION, type SegmentEntry, segmentPath } from "./segment-format.ts";
import { SegmentWriter } from "./segment-writer.ts";
import type { Volume } from "./volume.ts";

export type { SegmentEntry } from "./segment-format.ts";

/** What may be tuned with no effect on answers. */
export interface IndexTuning {
  /** Rows that make the open table full. */
  readonly openRows: number;
  /** Neighbouring segments of about one size that are merged; each class of sizes is so many times the one below. */
  readonly fanIn: number;
  /** More segments than these are merged whatever their sizes. */
  readonly mostSegments: number;
}

const TUNING: IndexTuning = { openRows: 2 ** 18, fanIn: 4, mostSegments: 8 };

const DEFAULT_BUDGET_BYTES = 96 * 1024 * 1024;

/** Locators leave this part of the budget to pages. */
const PAGES_PART = 8;

/** Segments that one merge makes one of, at most: each needs a buffer. */
const MOST_INPUTS = 16;

export interface IndexOptions {
  readonly volume: Volume;
  /** The store's seed of checksums. */
  readonly seed: number;
  readonly tuning?: Partial<IndexTuning>;
  /** Memory in bytes for locators, tables and pages, beside what is always there of segments. Default 96 MiB. */
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
  publish(segments: readonly SegmentEntry[], nextNumber: number, throughPosition: number): void;
}

/** What {@link ArtifactIndex.findRecord} found. */
export const Found = { NONE: 0, OTHER: 1, EXACT: 2 } as const;
export type Found = (typeof Found)[keyof typeof Found];

/** What {@link ArtifactIndex.locate} says: nothing is there, where the record probably is, or the row. */
export const Located = { NONE: 0, HINT: 1, ROW: 2 } as const;
export type Located = (typeof Located)[keyof typeof Located];

export interface IndexStats {
  /** All rows; those of the open table; those of the table that is being written. */
  readonly rows: number;
  readonly openRows: number;
  readonly frozenRows: number;
  /** From the oldest to the newest. */
  readonly segments: readonly { readonly number: number; readonly rows: number; readonly bytes: number }[];
  /** Rows still to be written or merged. */
  readonly debt: number;
  /** Memory: what is always there of segments; locators, when all of those that there is room for are used; tables; pages. */
  readonly segmentBytes: number;
  readonly locatorBytes: number;
  readonly tableBytes: number;
  readonly cacheBytes: number;
  /** Since it was opened: pages read for lookups, rows written as first segments, rows merged. */
  readonly pagesRead: number;
  readonly rowsFlushed: number;
  readonly rowsMerged: number;
}

/** What makes a segment. */
interface Job {
  readonly inputs: readonly Segment[];
  /** Of a table: until its rows are sorted. */
  readonly sorted: SortedNumbers | undefined;
  isSorted: boolean;
  readonly rows: number;
  readonly firstPosition: number;
  readonly lastPosition: number;
  merger: RowMerger | undefined;
  writer: SegmentWriter | undefined;
  readonly builder: FuseBuilder;
}

export class ArtifactIndex {
  readonly #options: IndexOptions;
  readonly #tuning: IndexTuning;
  readonly #cache: PageCache;
  #segments: readonly Segment[];
  #nextNumber: number;
  #table: OpenTable;
  /** A table that is full, until it is a segment; and the position that all of the log is committed up to with it. */
  #frozen: OpenTable | undefined;
  #frozenThrough = 0;
  /** Memory of a table that is a segment by now. */
  #spare: OpenTable | undefined;
  #flush: Job | undefined;
  /** The smallest first. */
  #merges: Job[] = [];
  readonly #builders: FuseBuilder[] = [];
  readonly #scans = new Set<RowScan>();
  readonly #key = new Uint32Array(KEY_WORDS);
  readonly #row = new Row();
  #found: Found = Found.NONE;
  #rowsFlushed = 0;
  #rowsMerged = 0;
  #isClosed = false;
  #locatorBytes = 0;

  /** Throws ASL-INDEX-DAMAGED, with the cause ENOENT if a file is missing, ASL-VERSION or ASL-READ. */
  constructor(options: IndexOptions) {
    this.#options = options;
    this.#tuning = { ...TUNING, ...options.tuning };
    this.#table = new OpenTable(this.#tuning.openRows);
    this.#cache = new PageCache(options.budgetBytes ?? DEFAULT_BUDGET_BYTES);
    this.#nextNumber = options.nextNumber;
    const segments: Segment[] = [];
    this.#segments = segments;
    try {
      for (const entry of options.segments) segments.push(Segment.open(options.volume, entry, options.seed));
    } catch (error) {
      for (const segment of segments) segment.release();
      throw error;
    }
    if (options.readOnly !== true) this.#removeUnnamed();
    this.#shareBudget();
    this.#planMerges();
  }
  get #tableBytes(): number {
    return this.#table.bytes + (this.#frozen?.bytes ?? 0) + (this.#spare?.bytes ?? 0);
  }
  /** Locators come before pages, those of large segments first; pages have what tables leave. */
  #shareBudget(): void {
    const budget = this.#options.budgetBytes ?? DEFAULT_BUDGET_BYTES;
    let left = budget;
    for (const segment of this.#segments.toSorted((a, b) => b.entry.count - a.entry.count)) {
      const { locatorBytes } = segment;
      const isKept = left - locatorBytes >= budget / PAGES_PART;
      segment.keepLocator(isKept);
      if (isKept) left -= locatorBytes;
    }
    this.#locatorBytes = budget - left;
    this.#cache.setBudget(Math.max(0, left - this.#tableBytes));
  }
  /** Files that a crash has left. */
  #removeUnnamed(): void {
    const { volume, segments } = this.#options;
    const named = new Set(segments.map(({ number }) => number));
    let names: string[];
    try {
      names = volume.list(INDEX_FOLDER);
    } catch (error) {
      throw AslError.from(error, "ASL-READ", "it cannot be listed", { file: INDEX_FOLDER });
    }
    for (const name of names) {
      const number = numberOf(name, SEGMENT_EXTENSION);
      if (number === undefined) continue;
      this.#nextNumber = Math.max(this.#nextNumber, number + 1);
      if (!named.has(number)) this.#remove(number);
    }
  }
  #remove(number: number): void {
    try {
      this.#options.volume.remove(segmentPath(number));
    } catch {
      // Its number is not used again, and it is removed when the store is opened next.
    }
  }

  /** Adds a row to the open table. Rows come in order of position. Throws ASL-LIMIT for what a row has no room for. */
  add(row: Row): void {
    this.#table.add(row);
  }

  /**
   * Puts the newest row of a key whose position is at most `asOf` into `into`, its `digest` left as it is; false if there is none.
   * Throws ASL-INDEX-DAMAGED or ASL-READ.
   */
  find(into: Row, isBinding: boolean, algorithm: number, digest: Uint8Array, at: number, asOf: number): boolean {
    const key = this.#key;
    readKey(key, isBinding, algorithm, digest, at);
    if (findInTable(into, this.#table, key, asOf)) return true;
    if (this.#frozen !== undefined && findInTable(into, this.#frozen, key, asOf)) return true;
    const hi = key[0]!;
    const lo = key[1]!;
    const segments = this.#segments;
    for (let k = segments.length - 1; k >= 0; k--) {
      const segment = segments[k]!;
      if (segment.base > asOf || !segment.mayHold(hi, lo)) continue;
      if (this.#findInSegment(into, segment, key, asOf)) return true;
    }
    return false;
  }

  /**
   * Where an artifact is, with less to read than {@link find}. ROW: `into` is the row that `find` gives. HINT: the record of the artifact is
   * probably at `block` and `offset` of `into`, its payload is at most `length` bytes long and no list of chunks; if its header has the
   * digest that was looked for, it is the newest visible one's, if not, only `find` tells. Other fields are left as they are. NONE: no row
   * has the key. Throws ASL-INDEX-DAMAGED or ASL-READ.
   */
  locate(into: Row, algorithm: number, digest: Uint8Array, at: number, asOf: number): Located {
    const key = this.#key;
    readKey(key, false, algorithm, digest, at);
    if (findInTable(into, this.#table, key, asOf)) return Located.ROW;
    if (this.#frozen !== undefined && findInTable(into, this.#frozen, key, asOf)) return Located.ROW;
    const hi = key[0]!;
    const lo = key[1]!;
    const segments = this.#segments;
    for (let k = segments.length - 1; k >= 0; k--) {
      const segment = segments[k]!;
      if (segment.base > asOf || !segment.mayHold(hi, lo)) continue;
      const bound = asOf < segment.entry.lastPosition ? UNSURE : segment.locate(hi, lo);
      if (bound === ABSENT) continue;
      if (bound !== UNSURE) {
        into.block = segment.block;
        into.offset = segment.offset;
        into.length = bound;
        return Located.HINT;
      }
      if (this.#findInSegment(into, segment, key, asOf)) return Located.ROW;
    }
    return Located.NONE;
  }
  #findInSegment(into: Row, segment: Segment, key: Uint32Array, asOf: number): boolean {
    const cache = this.#cache;
    if (segment.find(cache, key, asOf) < 0) return false;
    unpackRow(into, cache.words, cache.at, segment.base);
    return true;
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
    this.#visit(key, asOf, (words, from, base) => this.#judge(into, words, from, base, flags, tag));
    return this.#found;
  }
  /** Looks at a row of the key; true if no older one matters. */
  #judge(into: Row, words: Uint32Array, at: number, base: number, flags: number, tag: number): boolean {
    const row = this.#found === Found.NONE ? into : this.#row;
    unpackRow(row, words, at, base);
    if (row.kind === RowKind.TOMBSTONE) return true;
    if ((row.flags & IDENTITY) === flags && row.tag === tag) {
      if (row !== into) unpackRow(into, words, at, base);
      this.#found = Found.EXACT;
      return true;
    }
    const { PUBLISHED } = RowFlag;
    if (row !== into && ((row.flags ^ flags) & PUBLISHED) === 0 && ((into.flags ^ flags) & PUBLISHED) !== 0)
      unpackRow(into, words, at, base);
    this.#found = Found.OTHER;
    return false;
  }

  /** All rows of a key whose positions are at most `asOf`, the newest first. Throws ASL-INDEX-DAMAGED or ASL-READ. */
  rowsOf(isBinding: boolean, algorithm: number, digest: Uint8Array, at: number, asOf: number): Row[] {
    const key = this.#key;
    readKey(key, isBinding, algorithm, digest, at);
    const out: Row[] = [];
    this.#visit(key, asOf, (words, from, base) => {
      const row = new Row();
      unpackRow(row, words, from, base);
      row.digest.set(digest.subarray(at, at + DIGEST_BYTES));
      out.push(row);
      return false;
    });
    return out;
  }
  /** Shows rows of a key from the newest to the oldest, until told that it is enough. */
  #visit(key: Uint32Array, asOf: number, see: (words: Uint32Array, at: number, base: number) => boolean): void {
    if (visitTable(this.#table, key, asOf, see)) return;
    if (this.#frozen !== undefined && visitTable(this.#frozen, key, asOf, see)) return;
    const cache = this.#cache;
    const segments = this.#segments;
    for (let k = segments.length - 1; k >= 0; k--) {
      const segment = segments[k]!;
      if (segment.base > asOf || !segment.mayHold(key[0]!, key[1]!)) continue;
      for (let number = segment.find(cache, key, asOf); number >= 0; number = segment.older(cache, key, number)) {
        if (see(cache.words, cache.at, segment.base)) return;
      }
    }
  }

  /**
   * Every row whose position is at most `asOf`, in order of digest, algorithm, class and position, from the first digest that is not
   * below `from` (its first bytes are enough). The row is the same object each time. What is added, written and merged meanwhile changes
   * nothing of it. Throws ASL-INDEX-DAMAGED, ASL-READ, and ASL-CLOSED after {@link close}.
   */
  scan(asOf: number, from?: Uint8Array): IterableIterator<Row> {
    const start = new Uint32Array(8);
    if (from !== undefined) {
      const padded = new Uint8Array(DIGEST_BYTES);
      padded.set(from.subarray(0, DIGEST_BYTES));
      readDigest(start, padded, 0);
    }
    const tables = this.#frozen === undefined ? [this.#table] : [this.#frozen, this.#table];
    const scan = new RowScan(this.#segments, tables, start, asOf, (ended) => this.#scans.delete(ended));
    this.#scans.add(scan);
    return scan;
  }

  get openCount(): number {
    return this.#table.count;
  }
  get isFull(): boolean {
    return this.#table.count >= this.#tuning.openRows;
  }
  get segmentCount(): number {
    return this.#segments.length;
  }
  /**
   * The rows of the open table are to become a segment, and another table is open. To be called between groups: `committed` is the
   * position that all of the log is committed up to. A table that is frozen already is written first. Throws what {@link finish} throws.
   */
  freeze(committed: number): void {
    if (this.#table.count === 0) return;
    this.finish();
    this.#frozen = this.#table;
    this.#frozenThrough = committed;
    this.#table = this.#spare ?? new OpenTable(this.#tuning.openRows);
    this.#spare = undefined;
  }
  /** Rows still to be written or merged. */
  get debt(): number {
    let debt = 0;
    // The last step of each is to publish it.
    if (this.#frozen !== undefined) debt += 1 + (this.#flush?.writer?.left ?? this.#frozen.count);
    for (const { rows, writer } of this.#merges) debt += 1 + (writer?.left ?? rows);
    return Math.ceil(debt);
  }
  /**
   * Writes and merges about so many rows, and publishes what is complete. Throws ASL-WRITE, ASL-NO-SPACE, ASL-READ, ASL-INDEX-DAMAGED and
   * what `publish` throws; answers stay right then, and what failed is begun again by the next call.
   */
  work(rows: number): void {
    let left = rows;
    while (left > 0) {
      const job = this.#frozen === undefined ? this.#merges[0] : (this.#flush ??= this.#jobOf(this.#frozen));
      if (job === undefined) return;
      left = this.#step(job, left);
    }
  }
  /** What is frozen is in a segment, and published, when it returns. Throws what {@link work} throws. */
  finish(): void {
    while (this.#frozen !== undefined) this.#step((this.#flush ??= this.#jobOf(this.#frozen)), FINISH_ROWS);
  }

  #jobOf(table: OpenTable): Job {
    return {
      inputs: [],
      sorted: new SortedNumbers(table),
      isSorted: false,
      rows: table.count,
      firstPosition: table.base,
      lastPosition: table.lastPosition,
      merger: undefined,
      writer: undefined,
      builder: this.#builders.pop() ?? new FuseBuilder(),
    };
  }
  /** What is left of `budget`. */
  #step(job: Job, budget: number): number {
    try {
      if (job.sorted !== undefined && !job.isSorted) {
        // Sorting takes a small part of what a row costs.
        job.isSorted = job.sorted.step(budget * 2);
        return 0;
      }
      if (job.writer === undefined || job.merger === undefined) {
        const { firstPosition, lastPosition, rows, sorted } = job;
        const { volume, seed } = this.#options;
        const header = { number: this.#nextNumber++, count: rows, firstPosition, lastPosition };
        job.merger = new RowMerger(
          sorted === undefined ? job.inputs.map((input) => input.rows(0)) : [new TableSource(this.#frozen!, sorted)],
        );
        job.merger.next();
        job.writer = new SegmentWriter(volume, seed, header, job.builder);
      }
      const left = job.writer.step(job.merger, budget);
      if (left >= 0) return left;
      const segment = job.writer.open();
      try {
        this.#install(job, segment);
      } catch (error) {
        segment.release();
        throw error;
      }
      return 0;
    } catch (error) {
      this.#abandon(job);
      throw error;
    }
  }
  /** Whether the list was made durable is not known when publishing fails: so no file is removed then. */
  #install(job: Job, segment: Segment): void {
    const { inputs } = job;
    const first = inputs.length === 0 ? this.#segments.length : this.#segments.indexOf(inputs[0]!);
    const segments = this.#segments.toSpliced(first, inputs.length, segment);
    job.writer = undefined;
    this.#options.publish(
      segments.map(({ entry }) => entry),
      this.#nextNumber,
      inputs.length === 0 ? this.#frozenThrough : segments.at(-1)!.entry.lastPosition,
    );
    this.#segments = segments;
    // One is kept: its memory is that of the next filter.
    if (this.#builders.length === 0) this.#builders.push(job.builder);
    if (inputs.length === 0) {
      const table = this.#frozen!;
      this.#frozen = undefined;
      this.#flush = undefined;
      this.#rowsFlushed += job.rows;
      if (table.readers === 0) {
        table.clear();
        this.#spare = table;
      }
    } else {
      this.#merges.splice(this.#merges.indexOf(job), 1);
      this.#rowsMerged += job.rows;
      for (const input of inputs) {
        this.#cache.forget(input);
        input.release();
        this.#remove(input.entry.number);
      }
    }
    this.#shareBudget();
    this.#planMerges();
  }
  #abandon(job: Job): void {
    job.writer?.discard();
    if (job === this.#flush) this.#flush = undefined;
    else {
      for (const input of job.inputs) input.isMerging = false;
      this.#merges.splice(this.#merges.indexOf(job), 1);
      if (!this.#isClosed) this.#planMerges();
    }
  }

  /** Which neighbours become one: of each class of sizes when there are enough of it, and the cheapest when there are too many in all. */
  #planMerges(): void {
    if (this.#options.readOnly === true) return;
    const segments = this.#segments;
    const { fanIn, mostSegments } = this.#tuning;
    const classes = segments.map(({ entry }) => this.#classOf(entry.count));
    for (let size = 0; size <= Math.max(0, ...classes); size++) {
      if (this.#merges.some(({ rows, inputs }) => this.#classOf(rows / inputs.length) === size)) continue;
      for (let first = 0; first < segments.length; first++) {
        let end = first;
        let members = 0;
        while (
          end < segments.length &&
          end - first < MOST_INPUTS &&
          classes[end]! <= size &&
          this.#isFree(first, end)
        ) {
          if (classes[end] === size) members++;
          end++;
        }
        if (members >= fanIn) {
          this.#planMerge(segments.slice(first, end));
          break;
        }
      }
    }
    if (this.#merges.length === 0 && segments.length > mostSegments) {
      const width = Math.min(MOST_INPUTS, segments.length - mostSegments + 1);
      let best = -1;
      let least = Number.POSITIVE_INFINITY;
      for (let first = 0; first + width <= segments.length; first++) {
        const rows = segments.slice(first, first + width).reduce((sum, { entry }) => sum + entry.count, 0);
        if (rows >= least || !this.#isFree(first, first + width - 1)) continue;
        least = rows;
        best = first;
      }
      if (best >= 0) this.#planMerge(segments.slice(best, best + width));
    }
    this.#merges.sort((left, right) => left.rows - right.rows);
  }
  #classOf(rows: number): number {
    const { openRows, fanIn } = this.#tuning;
    return Math.max(0, Math.round(Math.log(rows / openRows) / Math.log(fanIn)) + 1);
  }
  /** Whether a segment may be merged, together with those from `first` on: positions are counted from the first in 32 bits. */
  #isFree(first: number, last: number): boolean {
    const segment = this.#segments[last]!;
    return !segment.isMerging && segment.entry.lastPosition - this.#segments[first]!.base < 2 ** 32;
  }
  #planMerge(inputs: readonly Segment[]): void {
    for (const input of inputs) input.isMerging = true;
    this.#merges.push({
      inputs,
      sorted: undefined,
      isSorted: true,
      rows: inputs.reduce((sum, { entry }) => sum + entry.count, 0),
      firstPosition: inputs[0]!.entry.firstPosition,
      lastPosition: inputs.at(-1)!.entry.lastPosition,
      merger: undefined,
      writer: undefined,
      builder: this.#builders.pop() ?? new FuseBuilder(),
    });
  }

  stats(): IndexStats {
    const segments = this.#segments.map(({ entry: { number, count, bytes } }) => ({ number, rows: count, bytes }));
    const frozenRows = this.#frozen?.count ?? 0;
    return {
      rows: segments.reduce((sum, { rows }) => sum + rows, this.#table.count + frozenRows),
      openRows: this.#table.count,
      frozenRows,
      segments,
      debt: this.debt,
      segmentBytes: this.#segments.reduce((sum, { bytes }) => sum + bytes, 0),
      locatorBytes: this.#locatorBytes,
      tableBytes: this.#tableBytes,
      cacheBytes: this.#cache.bytes,
      pagesRead: this.#cache.loads,
      rowsFlushed: this.#rowsFlushed,
      rowsMerged: this.#rowsMerged,
    };
  }

  /**
   * Reads every page of every segment: checksums, order, positions, and that filters know every key. What is wrong (ASL-INDEX-DAMAGED,
   * ASL-READ) is in the answer. Each row whose position is at most `asOf` is given to `take` once, in no order, those of tables too, but
   * those of damaged pages; the row is the same object each time. `progress` is called with the bytes read since its last call.
   */
  check(asOf: number, take: (row: Row) => void = ignore, progress: (bytes: number) => void = ignore): AslError[] {
    const problems: AslError[] = [];
    let last = 0;
    for (const segment of this.#segments) {
      const { firstPosition, lastPosition } = segment.entry;
      if (firstPosition <= last)
        problems.push(
          new AslError("ASL-INDEX-DAMAGED", "its positions are not behind those of the one before", {
            file: segment.path,
          }),
        );
      last = lastPosition;
      checkSegment(segment, asOf, take, (problem) => problems.push(problem), progress);
    }
    const row = new Row();
    for (const table of this.#frozen === undefined ? [this.#table] : [this.#frozen, this.#table])
      for (let number = 0; number < table.count; number++) {
        table.read(row, number);
        if (row.position <= asOf) take(row);
      }
    return problems;
  }

  /** What is frozen or half merged is given up: the log has it. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const scan of [...this.#scans]) scan.close();
    for (const job of [...this.#merges, this.#flush]) job?.writer?.discard();
    for (const segment of this.#segments) segment.release();
  }
}

/** What tells records of one key apart, beside the tag. */
const IDENTITY = RowFlag.HAS_TAG | RowFlag.PUBLISHED;

const FINISH_ROWS = 2 ** 16;

function ignore(): void {}

function findInTable(into: Row, table: OpenTable, key: Uint32Array, asOf: number): boolean {
  const number = table.find(key, asOf);
  if (number < 0) return false;
  unpackRow(into, table.rows, number * ROW_WORDS, table.base);
  return true;
}

function visitTable(
  table: OpenTable,
  key: Uint32Array,
  asOf: number,
  see: (words: Uint32Array, at: number, base: number) => boolean,
): boolean {
  for (let number = table.find(key, asOf); number >= 0; number = table.older(number))
    if (see(table.rows, number * ROW_WORDS, table.base)) return true;
  return false;
}
