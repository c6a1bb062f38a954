/**
 * A segment: rows that never change, in a file that is read a page at a time (spec ASL-SEGMENT). What says where a key would be, and
 * that most absent keys are absent, is in memory.
 */
import { crc32Of } from "./checksum.ts";
import { AslError } from "./errors.ts";
import { FILTER_WORDS, isFilterTable, mayHold } from "./fuse-filter.ts";
import { compareKey, ROW_WORDS, RowWord } from "./index-rows.ts";
import {
  ASK_ROW,
  blockIndexOf,
  boundOf,
  CHUNK_PAGES,
  CHUNK_ROWS,
  chunkBytes,
  chunkOf,
  chunkRows,
  chunksOf,
  type LocatorChunk,
  locatorBytes,
  MOST_BLOCKS,
  marked,
  offsetOf,
} from "./locator.ts";
import type { RowSource } from "./merge.ts";
import type { PageCache, PagedFile } from "./page-cache.ts";
import {
  decodeEnds,
  HEADER_BYTES,
  PAGE_BYTES,
  PAGE_HIS,
  PAGE_ROWS,
  PAGE_WORDS,
  pageOffset,
  pagesOf,
  rowAt,
  type Section,
  SectionKind,
  type SegmentEntry,
  segmentPath,
  shardBitsOf,
  TRAILER_BYTES,
} from "./segment-format.ts";
import { readFully, type Volume, type VolumeFile } from "./volume.ts";
import { xxh32 } from "./xxhash32.ts";

/** What is in memory of a segment. */
export interface SegmentParts {
  /** Where its last section ends: up to the trailer nothing is behind it. */
  readonly sectionsEnd: number;
  readonly headerCrc: number;
  /** For a page the first word of its first row's digest. */
  readonly firstHis: Uint32Array;
  /** For a page its checksum. */
  readonly checksums: Uint32Array;
  readonly filterTable: Uint32Array;
  readonly filterBytes: Uint8Array;
  /** Of a segment that has one. */
  readonly locator: LocatorParts | undefined;
}

interface LocatorParts {
  /** Where in the file its first chunk begins. */
  readonly offset: number;
  readonly blocks: Uint32Array;
  readonly chunkCrcs: Uint32Array;
}

/** What {@link Segment.locate} says beside the place that it may give: nothing is there, or that only the row tells. */
export const ABSENT = -1;
export const UNSURE = -2;

export class Segment implements PagedFile {
  readonly entry: SegmentEntry;
  readonly frames: Int32Array;
  /** Positions of its rows are counted from it. */
  readonly base: number;
  /** Whether a merge is reading it. */
  isMerging = false;
  readonly #file: VolumeFile;
  readonly #parts: SegmentParts;
  readonly #firstHis: Uint32Array;
  readonly #filterTable: Uint32Array;
  readonly #filterBytes: Uint8Array;
  readonly #shardBits: number;
  readonly #pages: number;
  /** Chunks of the locator in memory; none when there is no room for them. */
  #chunks: (LocatorChunk | undefined)[] | undefined;
  /** Of the place that {@link locate} gave last. */
  block = 0;
  offset = 0;
  /** Who reads it: the index, and scans. */
  #users = 1;

  constructor(entry: SegmentEntry, file: VolumeFile, parts: SegmentParts) {
    this.entry = entry;
    this.base = entry.firstPosition;
    this.#file = file;
    this.#parts = parts;
    this.#firstHis = parts.firstHis;
    this.#filterTable = parts.filterTable;
    this.#filterBytes = parts.filterBytes;
    this.#shardBits = shardBitsOf(entry.count);
    this.#pages = pagesOf(entry.count);
    this.frames = new Int32Array(this.#pages);
  }
  /** Opens one that a checkpoint names. Throws ASL-INDEX-DAMAGED (with the cause ENOENT if there is no such file), ASL-VERSION or ASL-READ. */
  static open(volume: Volume, entry: SegmentEntry, seed: number): Segment {
    const path = segmentPath(entry.number);
    let file: VolumeFile;
    try {
      file = volume.open(path, "read");
    } catch (error) {
      const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
      throw AslError.from(error, isMissing ? "ASL-INDEX-DAMAGED" : "ASL-READ", "it cannot be read", { file: path });
    }
    try {
      return new Segment(entry, file, readParts(file, entry, seed));
    } catch (error) {
      file.close();
      throw error;
    }
  }

  get pages(): number {
    return this.#pages;
  }
  get path(): string {
    return segmentPath(this.entry.number);
  }
  /** Bytes that are always in memory. */
  get bytes(): number {
    return this.#firstHis.byteLength * 3 + this.#filterTable.byteLength + this.#filterBytes.byteLength;
  }
  retain(): void {
    this.#users++;
  }
  release(): void {
    if (--this.#users === 0) this.#file.close();
  }

  /** False if no row has a digest that begins with these words. */
  mayHold(hi: number, lo: number): boolean {
    const bits = this.#shardBits;
    const line = bits === 0 ? 0 : (hi >>> (32 - bits)) * FILTER_WORDS;
    return mayHold(this.#filterTable, line, this.#filterBytes, bits, hi, lo);
  }

  /** Number of the newest row of a key whose position is at most `asOf`; −1 if there is none. The row is then at `at` of the cache's words. */
  find(cache: PageCache, key: Uint32Array, asOf: number): number {
    const limit = asOf - this.base;
    const hi = key[0]!;
    let page = this.#lastPageUpTo(hi);
    if (page < 0) return -1;
    if (this.#firstHis[page] === hi) {
      page = this.#pageAmongEqual(cache, key, limit, page);
      if (page < 0) return -1;
    }
    cache.load(this, page);
    const { words, base } = cache;
    const his = base + PAGE_HIS;
    // The last row that begins as the key does, or before it, is near where digests that are spread evenly have it.
    const count = this.rowsIn(page);
    const first = this.#firstHis[page]!;
    const next = page + 1 === this.#pages ? 2 ** 32 : this.#firstHis[page + 1]!;
    let last = Math.min(count - 1, Math.floor(((hi - first) / (next - first + 1)) * count));
    if (words[his + last]! <= hi) while (last + 1 < count && words[his + last + 1]! <= hi) last++;
    else while (words[his + last]! > hi) last--;
    if (words[his + last] !== hi) return -1;
    // Nearly always it is the only one.
    const at = base + rowAt(last);
    const order = compareKey(key, words, at);
    if (order > 0) return -1;
    if (order === 0 && words[at + RowWord.POSITION]! <= limit) {
      cache.at = at;
      return page * PAGE_ROWS + last;
    }
    let low = 0;
    let high = last;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (words[his + middle]! < hi || isUpTo(words, base + rowAt(middle), key, limit)) low = middle + 1;
      else high = middle;
    }
    const index = low - 1;
    if (index < 0 || words[his + index] !== hi || compareKey(key, words, base + rowAt(index)) !== 0) return -1;
    cache.at = base + rowAt(index);
    return page * PAGE_ROWS + index;
  }
  /** Number of the row before a row, if it is of the same key; otherwise −1. The row is then at `at` of the cache's words. */
  older(cache: PageCache, key: Uint32Array, number: number): number {
    if (number === 0) return -1;
    const before = number - 1;
    const page = Math.floor(before / PAGE_ROWS);
    const index = before - page * PAGE_ROWS;
    cache.load(this, page);
    cache.at = cache.base + rowAt(index);
    return cache.words[cache.base + PAGE_HIS + index] === key[0] && compareKey(key, cache.words, cache.at) === 0
      ? before
      : -1;
  }
  /** Bytes that its locator takes in memory when all of it is there; 0 without one. */
  get locatorBytes(): number {
    return this.#parts.locator === undefined ? 0 : locatorBytes(this.entry.count);
  }
  /** Whether there is room for it. */
  keepLocator(isKept: boolean): void {
    if (!isKept || this.#parts.locator === undefined) this.#chunks = undefined;
    else this.#chunks ??= new Array<LocatorChunk | undefined>(chunksOf(this.entry.count));
  }
  /**
   * An upper bound of the length of a key's artifact, where it probably is then in `block` and `offset`; or {@link ABSENT} if no row has
   * the key, or {@link UNSURE}.
   */
  locate(hi: number, lo: number): number {
    const chunks = this.#chunks;
    if (chunks === undefined) return UNSURE;
    const page = this.#lastPageUpTo(hi);
    if (page < 0) return ABSENT;
    if (this.#firstHis[page] === hi) return UNSURE;
    const chunk = Math.floor(page / CHUNK_PAGES);
    const { places, marks } = chunks[chunk] ?? this.#loadChunk(chunks, chunk);
    const first = (page - chunk * CHUNK_PAGES) * PAGE_ROWS;
    const end = first + this.rowsIn(page);
    const wanted = marked(lo);
    let found = -1;
    for (let k = first; k < end; k++) {
      if (marks[k]! >>> 4 !== wanted) continue;
      if (found >= 0) return UNSURE;
      found = k;
    }
    if (found < 0) return ABSENT;
    const mark = marks[found]!;
    if ((mark & 15) === ASK_ROW) return UNSURE;
    const place = places[found]!;
    this.block = this.#parts.locator!.blocks[blockIndexOf(place)]!;
    this.offset = offsetOf(place);
    return boundOf(mark);
  }
  #loadChunk(chunks: (LocatorChunk | undefined)[], chunk: number): LocatorChunk {
    const read = this.readChunk(chunk);
    chunks[chunk] = read;
    return read;
  }
  /** A chunk of the locator, verified. */
  readChunk(chunk: number): LocatorChunk {
    const { offset, chunkCrcs } = this.#parts.locator!;
    const rows = chunkRows(chunk, this.entry.count);
    const at = offset + chunk * chunkBytes(CHUNK_ROWS);
    const bytes = readAt(this.#file, this.path, at, chunkBytes(rows));
    if (crc32Of(bytes, 0, bytes.length, this.#parts.headerCrc) !== chunkCrcs[chunk])
      throw new AslError("ASL-INDEX-DAMAGED", "a part of the locator is not as it was written", {
        file: this.path,
        offset: at,
      });
    return chunkOf(bytes, rows);
  }

  rowsIn(page: number): number {
    return page + 1 === this.#pages ? this.entry.count - page * PAGE_ROWS : PAGE_ROWS;
  }

  /** Digests are spread evenly, so the place to begin with is near. */
  #lastPageUpTo(hi: number): number {
    const firsts = this.#firstHis;
    const pages = firsts.length;
    let low = Math.floor((hi / 2 ** 32) * pages);
    let high = low + 1;
    if (firsts[low]! <= hi) {
      for (let step = 1; high < pages && firsts[high]! <= hi; step *= 2) {
        low = high;
        high += step;
      }
      if (high > pages) high = pages;
    } else {
      high = low;
      for (let step = 1; ; step *= 2) {
        low = high - step;
        if (low < 0) {
          low = -1;
          break;
        }
        if (firsts[low]! <= hi) break;
        high = low;
      }
    }
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (firsts[middle]! <= hi) low = middle;
      else high = middle;
    }
    return low;
  }
  /** The first page that begins with this word or a higher one. */
  #firstPageFrom(hi: number): number {
    let low = 0;
    let high = this.#pages;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#firstHis[middle]! < hi) low = middle + 1;
      else high = middle;
    }
    return low;
  }
  /** One or more pages up to `last` begin with the first word of the key: the one that its row is in, if there is such a row. */
  #pageAmongEqual(cache: PageCache, key: Uint32Array, limit: number, last: number): number {
    let low = this.#firstPageFrom(key[0]!);
    let high = last + 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      cache.load(this, middle);
      if (isUpTo(cache.words, cache.base + rowAt(0), key, limit)) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  readPage(page: number, words: Uint32Array, bytes: Uint8Array, at: number): void {
    this.readPages(page, 1, words, bytes, at);
  }
  /** Reads neighbouring pages, and verifies them. */
  readPages(page: number, count: number, words: Uint32Array, bytes: Uint8Array, at: number): void {
    const length = count * PAGE_BYTES;
    let read: number;
    try {
      read = readFully(this.#file, bytes, at * 4, length, pageOffset(page));
    } catch (error) {
      throw AslError.from(error, "ASL-READ", "it cannot be read", { file: this.path, offset: pageOffset(page) });
    }
    const { headerCrc, checksums } = this.#parts;
    for (let k = 0; k < count; k++) {
      const from = at + k * PAGE_WORDS;
      if (
        read < (k + 1) * PAGE_BYTES ||
        xxh32(words, from, from + PAGE_WORDS, headerCrc ^ (page + k)) !== checksums[page + k]
      )
        throw new AslError("ASL-INDEX-DAMAGED", "a page is not as it was written", {
          file: this.path,
          offset: pageOffset(page + k),
        });
    }
  }

  /** Throws ASL-INDEX-DAMAGED if something is where nothing should be: no reader would see it. */
  checkGaps(): void {
    const { sectionsEnd } = this.#parts;
    const trailerAt = this.entry.bytes - TRAILER_BYTES;
    for (const [from, to] of [
      [HEADER_BYTES, PAGE_BYTES],
      [sectionsEnd, trailerAt],
    ] as const) {
      const at = readAt(this.#file, this.path, from, to - from).findIndex((byte) => byte !== 0);
      if (at >= 0)
        throw new AslError("ASL-INDEX-DAMAGED", "zeros were expected", { file: this.path, offset: from + at });
    }
  }
  /** Whether the directory says that a page begins with this word. */
  beginsWith(page: number, hi: number): boolean {
    return this.#firstHis[page] === hi;
  }

  /** Its rows, from one before the first whose digest begins with `hi` or a higher word. */
  rows(hi: number): SegmentSource {
    return new SegmentSource(this, hi === 0 ? 0 : Math.max(0, this.#firstPageFrom(hi) - 1));
  }
}

/** Whether a row that begins as a key does is not behind the key at a position. */
function isUpTo(words: Uint32Array, at: number, key: Uint32Array, limit: number): boolean {
  const order = compareKey(key, words, at);
  return order > 0 || (order === 0 && words[at + RowWord.POSITION]! <= limit);
}

/** Pages that are read at once by who reads one after the other. */
const RUN_PAGES = 64;

/** The rows of a segment, not by way of the cache. */
export class SegmentSource implements RowSource {
  hi = 0;
  at = 0;
  readonly words: Uint32Array;
  readonly base: number;
  readonly #segment: Segment;
  readonly #bytes: Uint8Array;
  /** The next page to read. */
  #page: number;
  /** Pages in memory that were not begun, and where the next of them is. */
  #left = 0;
  #pageAt = 0;
  /** Where the next row of the page that was begun has its first word, where it is, and where the last one's first word is. */
  #hiAt = 0;
  #rowAt = 0;
  #hiEnd = 0;

  constructor(segment: Segment, page: number) {
    this.#segment = segment;
    this.base = segment.base;
    this.#page = page;
    this.words = new Uint32Array(Math.min(RUN_PAGES, segment.pages) * PAGE_WORDS);
    this.#bytes = new Uint8Array(this.words.buffer);
  }
  next(): boolean {
    if (this.#hiAt === this.#hiEnd && !this.#beginPage()) return false;
    this.hi = this.words[this.#hiAt++]!;
    this.at = this.#rowAt;
    this.#rowAt += ROW_WORDS;
    return true;
  }
  #beginPage(): boolean {
    const segment = this.#segment;
    if (this.#left === 0) {
      const count = Math.min(RUN_PAGES, segment.pages - this.#page);
      if (count === 0) return false;
      segment.readPages(this.#page, count, this.words, this.#bytes, 0);
      this.#page += count;
      this.#left = count;
      this.#pageAt = 0;
    }
    const base = this.#pageAt;
    this.#hiAt = base + PAGE_HIS;
    this.#hiEnd = this.#hiAt + segment.rowsIn(this.#page - this.#left);
    this.#rowAt = base + rowAt(0);
    this.#pageAt = base + PAGE_WORDS;
    this.#left--;
    return true;
  }
}

function readParts(file: VolumeFile, entry: SegmentEntry, seed: number): SegmentParts {
  const path = segmentPath(entry.number);
  const pages = pagesOf(entry.count);
  if (file.size() !== entry.bytes || entry.bytes < pageOffset(pages) + TRAILER_BYTES)
    throw new AslError("ASL-INDEX-DAMAGED", `it has ${file.size()} bytes, ${entry.bytes} were expected`, {
      file: path,
    });
  const header = readAt(file, path, 0, HEADER_BYTES);
  const trailer = readAt(file, path, entry.bytes - TRAILER_BYTES, TRAILER_BYTES);
  const { headerCrc, sections } = decodeEnds(header, trailer, entry, seed);
  const directory = readSection(file, path, sections, SectionKind.DIRECTORY);
  const filters = readSection(file, path, sections, SectionKind.FILTERS);
  const tableBytes = 2 ** shardBitsOf(entry.count) * FILTER_WORDS * 4;
  const damaged = (kind: number): AslError =>
    new AslError("ASL-INDEX-DAMAGED", "a section is not as it was written", {
      file: path,
      offset: sections.find((section) => section.kind === kind)?.offset,
    });
  if (directory === undefined || directory.length !== pages * 8) throw damaged(SectionKind.DIRECTORY);
  if (filters === undefined || filters.length < tableBytes) throw damaged(SectionKind.FILTERS);
  const locator = locatorOf(file, path, entry, sections);
  const words = new Uint32Array(directory.buffer);
  const filterTable = new Uint32Array(filters.buffer.slice(0, tableBytes));
  const filterBytes = filters.subarray(tableBytes);
  if (!isFilterTable(filterTable, filterBytes.length)) throw damaged(SectionKind.FILTERS);
  return {
    headerCrc,
    sectionsEnd: sections.reduce((end, { offset, length }) => Math.max(end, offset + length), 0),
    firstHis: words.subarray(0, pages),
    checksums: words.subarray(pages),
    filterTable,
    filterBytes,
    locator,
  };
}

function locatorOf(
  file: VolumeFile,
  path: string,
  entry: SegmentEntry,
  sections: readonly Section[],
): LocatorParts | undefined {
  const section = sections.find(({ kind }) => kind === SectionKind.LOCATOR);
  const head = readSection(file, path, sections, SectionKind.LOCATOR_HEAD);
  if (section === undefined || head === undefined) return;
  const words = new Uint32Array(head.buffer, 0, head.length >>> 2);
  const [blocks = 0, chunks = 0] = words;
  if (
    section.length !== locatorBytes(entry.count) ||
    chunks !== chunksOf(entry.count) ||
    blocks > MOST_BLOCKS ||
    head.length !== (2 + blocks + chunks) * 4
  )
    throw new AslError("ASL-INDEX-DAMAGED", "its locator is not of its rows", { file: path, offset: section.offset });
  return {
    offset: section.offset,
    blocks: words.subarray(2, 2 + blocks),
    chunkCrcs: words.subarray(2 + blocks),
  };
}

function readSection(
  file: VolumeFile,
  path: string,
  sections: readonly Section[],
  kind: number,
): Uint8Array<ArrayBuffer> | undefined {
  const section = sections.find((candidate) => candidate.kind === kind);
  if (section === undefined) return;
  const bytes = readAt(file, path, section.offset, section.length);
  if (crc32Of(bytes, 0, bytes.length, 0) === section.crc) return bytes;
  throw new AslError("ASL-INDEX-DAMAGED", "a section is not as it was written", { file: path, offset: section.offset });
}

/** The file is at least that long, so that nothing is allocated for a length that is wrong. */
function readAt(file: VolumeFile, path: string, offset: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let read: number;
  try {
    read = readFully(file, bytes, 0, length, offset);
  } catch (error) {
    throw AslError.from(error, "ASL-READ", "it cannot be read", { file: path, offset });
  }
  if (read === length) return bytes;
  throw new AslError("ASL-INDEX-DAMAGED", "the file ends too early", { file: path, offset: offset + read });
}
