/** Writes a segment from rows that come in order, a slice at a time (spec ASL-SEGMENT). */
import { crc32Of } from "./checksum.ts";
import { AslError } from "./errors.ts";
import { removeIfThere } from "./format.ts";
import { FILTER_WORDS, type FuseBuilder } from "./fuse-filter.ts";
import { compareRows, ROW_WORDS, RowWord } from "./index-rows.ts";
import {
  CHUNK_PAGES,
  CHUNK_ROWS,
  chunkBytes,
  chunkRows,
  chunksOf,
  LOCATOR_BYTES,
  LocatorBuilder,
  locatorBytes,
} from "./locator.ts";
import type { RowMerger } from "./merge.ts";
import { Segment } from "./segment.ts";
import {
  digestOfTrailer,
  encodeHeader,
  encodeTrailer,
  INDEX_FOLDER,
  PAGE_BYTES,
  PAGE_HIS,
  PAGE_ROWS,
  PAGE_WORDS,
  pageOffset,
  pagesOf,
  rowAt,
  type Section,
  SectionKind,
  type SegmentHeader,
  segmentPath,
  shardBitsOf,
  TRAILER_BYTES,
} from "./segment-format.ts";
import type { Volume, VolumeFile } from "./volume.ts";
import { xxh32 } from "./xxhash32.ts";

/** Bytes of one write at most. */
const WRITE_BYTES = 1024 * 1024;
/** Pages are written together with their chunk of the locator. */
const WRITE_PAGES = CHUNK_PAGES;
/** A sync after so many, so that none takes long. */
const SYNC_BYTES = 2 * WRITE_BYTES;

/** A row costs this much of a budget in rows when it is taken, and the steps of its filter the rest. */
const ROW_COST = 0.5;
const FILTER_STEPS = 9;
/** Rows that cost as much as a write, and bytes written that cost as much as a row. */
const WRITE_COST = 30;
const BYTES_PER_ROW = 400;

export class SegmentWriter {
  readonly path: string;
  /** Rows, with their share of the filters, that are not written yet. */
  get left(): number {
    const { count } = this.#header;
    return (count - this.#count) * ROW_COST + Math.max(0, count * (1 - ROW_COST) - this.#filterCost);
  }
  readonly #volume: Volume;
  readonly #seed: number;
  readonly #header: SegmentHeader;
  readonly #headerBytes: Uint8Array;
  readonly #headerCrc: number;
  readonly #file: VolumeFile;
  readonly #shardBits: number;
  readonly #firstHis: Uint32Array;
  readonly #checksums: Uint32Array;
  readonly #directory: Uint8Array;
  readonly #filterTable: Uint32Array;
  #filterBytes: Uint8Array;
  #filterEnd = 0;
  readonly #builder: FuseBuilder;
  /** The filter that keys are collected for, or that is being made. */
  #shard = 0;
  #isBuilding = false;
  readonly #pages: Uint32Array;
  readonly #pagesBytes: Uint8Array;
  /** Rows taken. */
  #count = 0;
  /** What of budgets was used for filters. */
  #filterCost = 0;
  readonly #locator = new LocatorBuilder();
  readonly #chunk: Uint8Array;
  readonly #chunkCrcs: Uint32Array;
  /** Up to where the file is written, but for the pages and chunks to come; bytes that were not synced yet. */
  #end: number;
  #unsynced = 0;
  #isBegun = false;
  readonly #sections: Section[] = [];
  /** What is to be written behind the pages, and how far that is done. */
  #tail: { readonly kind: number; readonly bytes: Uint8Array; done: number }[] | undefined;

  /** `builder` is used by one writer at a time. Throws ASL-WRITE or ASL-NO-SPACE. */
  constructor(volume: Volume, seed: number, header: SegmentHeader, builder: FuseBuilder) {
    this.path = segmentPath(header.number);
    this.#volume = volume;
    this.#seed = seed;
    this.#header = header;
    this.#builder = builder;
    const { count } = header;
    const pages = pagesOf(count);
    const directory = new Uint32Array(pages * 2);
    this.#firstHis = directory.subarray(0, pages);
    this.#checksums = directory.subarray(pages);
    this.#directory = new Uint8Array(directory.buffer);
    this.#shardBits = shardBitsOf(count);
    this.#filterTable = new Uint32Array(2 ** this.#shardBits * FILTER_WORDS);
    this.#filterBytes = new Uint8Array(Math.ceil(count * 1.22) + 64);
    this.#pages = new Uint32Array(Math.min(pages, WRITE_PAGES) * PAGE_WORDS);
    this.#pagesBytes = new Uint8Array(this.#pages.buffer);
    this.#chunk = new Uint8Array(chunkBytes(Math.min(count, CHUNK_ROWS)));
    this.#chunkCrcs = new Uint32Array(chunksOf(count));
    this.#end = pageOffset(pages) + locatorBytes(count);
    this.#sections.push({ kind: SectionKind.LOCATOR, crc: 0, offset: pageOffset(pages), length: locatorBytes(count) });
    const { bytes, crc } = encodeHeader(header, seed);
    this.#headerBytes = bytes;
    this.#headerCrc = crc;
    try {
      this.#file = volume.open(this.path, "create");
    } catch (error) {
      throw AslError.from(error, "ASL-WRITE", "it cannot be made", { file: this.path });
    }
    builder.clear(this.#shardBits);
  }

  /** Goes on with about so many rows; what is left of that number, or −1 if all is written and synced. Throws ASL-WRITE, ASL-NO-SPACE and what `rows` throws. */
  step(rows: RowMerger, budget: number): number {
    let left = budget;
    if (!this.#isBegun) {
      const first = new Uint8Array(PAGE_BYTES);
      first.set(this.#headerBytes);
      left -= this.#write(first, 0, first.length, 0);
      this.#isBegun = true;
    }
    while (left > 0) {
      if (this.#isBuilding) left = this.#stepFilter(left);
      else if (this.#count < this.#header.count) left = this.#stepRows(rows, left);
      else if (this.#shard < 2 ** this.#shardBits) this.#beginFilter();
      else {
        const cost = this.#stepTail();
        if (cost < 0) return -1;
        left -= cost;
      }
    }
    return Math.max(left, 0);
  }

  #stepRows(rows: RowMerger, budget: number): number {
    const { count } = this.#header;
    const end = Math.min(count, this.#count + Math.ceil(budget / ROW_COST));
    const begin = this.#count;
    let cost = 0;
    while (this.#count < end && !this.#isBuilding && cost === 0) {
      const page = Math.floor(this.#count / PAGE_ROWS);
      const first = page * PAGE_ROWS;
      if (first % CHUNK_ROWS === 0 && this.#count === first)
        this.#locator.begin(this.#chunk, chunkRows(page / CHUNK_PAGES, count));
      this.#fillPage(rows, page, this.#count - first, Math.min(end - first, PAGE_ROWS));
      if (this.#count < count && this.#count < first + PAGE_ROWS) continue;
      this.#sealPage(page, this.#count - first);
      if ((page + 1) % WRITE_PAGES === 0 || this.#count === count) cost = this.#writeRun(page);
    }
    return budget - (this.#count - begin) * ROW_COST - cost;
  }
  /** Takes rows `from` to before `to` of a page, or fewer: keys of the next filter wait until this one is made. */
  #fillPage(rows: RowMerger, page: number, from: number, to: number): void {
    const builder = this.#builder;
    const locator = this.#locator;
    const pages = this.#pages;
    const shard = this.#shard;
    const shift = 32 - this.#shardBits;
    const pageAt = (page % WRITE_PAGES) * PAGE_WORDS;
    const inChunk = (page % WRITE_PAGES) * PAGE_ROWS;
    const base = this.#header.firstPosition;
    let index = from;
    for (; index < to; index++) {
      const source = rows.current;
      if (source === undefined)
        throw new AslError("ASL-INDEX-DAMAGED", "rows are missing that are to be merged", { file: this.path });
      const { hi, words, at } = source;
      if (shift < 32 && hi >>> shift !== shard) {
        this.#beginFilter();
        break;
      }
      const row = pageAt + rowAt(index);
      pages[pageAt + PAGE_HIS + index] = hi;
      for (let k = 0; k < ROW_WORDS; k++) pages[row + k] = words[at + k]!;
      pages[row + RowWord.POSITION] = source.base - base + words[at + RowWord.POSITION]!;
      builder.add(hi, pages[row]!);
      locator.add(inChunk + index, pages, row);
      // The row before, within its page: who looks for a key that a page begins with asks the page anyway.
      if (
        index > 0 &&
        pages[pageAt + PAGE_HIS + index - 1] === hi &&
        compareRows(pages, row - ROW_WORDS, pages, row) === 0
      )
        locator.shareKey(inChunk + index);
      rows.next();
    }
    this.#count += index - from;
  }
  /** Writes the pages of a run up to `last`, and their chunk of the locator. */
  #writeRun(last: number): number {
    const chunk = Math.floor(last / CHUNK_PAGES);
    const first = chunk * CHUNK_PAGES;
    const length = chunkBytes(chunkRows(chunk, this.#header.count));
    const section = this.#sections[0]!;
    this.#chunk.fill(0, chunkRows(chunk, this.#header.count) * LOCATOR_BYTES, length);
    this.#chunkCrcs[chunk] = crc32Of(this.#chunk, 0, length, this.#headerCrc);
    this.#sections[0] = { ...section, crc: crc32Of(this.#chunk, 0, length, section.crc) };
    return (
      this.#write(this.#pagesBytes, 0, (last + 1 - first) * PAGE_BYTES, pageOffset(first)) +
      this.#write(this.#chunk, 0, length, section.offset + chunk * chunkBytes(CHUNK_ROWS))
    );
  }
  #sealPage(page: number, rows: number): void {
    const pages = this.#pages;
    const at = (page % WRITE_PAGES) * PAGE_WORDS;
    this.#firstHis[page] = pages[at + PAGE_HIS]!;
    pages[at] = page;
    pages[at + 1] = this.#header.number;
    pages[at + 2] = rows;
    pages[at + 3] = 0;
    if (rows < PAGE_ROWS) {
      pages.fill(0, at + PAGE_HIS + rows, at + PAGE_HIS + PAGE_ROWS);
      pages.fill(0, at + rowAt(rows), at + PAGE_WORDS);
    }
    this.#checksums[page] = xxh32(pages, at, at + PAGE_WORDS, this.#headerCrc ^ page);
  }

  #beginFilter(): void {
    this.#builder.begin();
    this.#isBuilding = true;
  }
  #stepFilter(budget: number): number {
    const builder = this.#builder;
    const isMade = builder.step(Math.ceil(budget * FILTER_STEPS));
    const cost = (builder.lastSteps + 1) / FILTER_STEPS;
    this.#filterCost += cost;
    if (!isMade) return budget - cost;
    const { bytes, places, how, seed } = builder.result;
    const line = this.#shard * FILTER_WORDS;
    if (this.#filterEnd + bytes.length > this.#filterBytes.length) {
      const more = new Uint8Array(Math.ceil((this.#filterEnd + bytes.length) * 1.1) + 64);
      more.set(this.#filterBytes.subarray(0, this.#filterEnd));
      this.#filterBytes = more;
    }
    this.#filterTable[line] = this.#filterEnd;
    this.#filterTable[line + 1] = places;
    this.#filterTable[line + 2] = how;
    this.#filterTable[line + 3] = seed;
    this.#filterBytes.set(bytes, this.#filterEnd);
    this.#filterEnd += bytes.length;
    this.#isBuilding = false;
    this.#shard++;
    builder.clear(this.#shardBits);
    return budget - cost;
  }

  /** Writes a piece of what is behind the pages: what that costs, or −1 when it was the last, and all is synced. */
  #stepTail(): number {
    if (this.#tail === undefined) {
      const table = new Uint8Array(this.#filterTable.buffer);
      const filters = this.#filterBytes.subarray(0, this.#filterEnd);
      const { DIRECTORY, FILTERS, LOCATOR_HEAD } = SectionKind;
      const { blocks } = this.#locator;
      const head = new Uint32Array([blocks.length, this.#chunkCrcs.length, ...blocks, ...this.#chunkCrcs]);
      this.#tail = [
        { kind: DIRECTORY, bytes: this.#directory, done: 0 },
        { kind: FILTERS, bytes: table, done: 0 },
        { kind: FILTERS, bytes: filters, done: 0 },
        { kind: LOCATOR_HEAD, bytes: new Uint8Array(head.buffer), done: 0 },
      ];
    }
    const part = this.#tail[0];
    if (part === undefined) {
      this.#finish();
      return -1;
    }
    const { kind, bytes, done } = part;
    const before = this.#sections.at(-1);
    const continues = before?.kind === kind ? before : undefined;
    const to = Math.min(bytes.length, done + WRITE_BYTES);
    const section: Section = {
      kind,
      crc: crc32Of(bytes, done, to, continues?.crc ?? 0),
      offset: continues?.offset ?? this.#end,
      length: (continues?.length ?? 0) + to - done,
    };
    if (continues !== undefined) this.#sections.pop();
    this.#sections.push(section);
    part.done = to;
    if (to === bytes.length) this.#tail.shift();
    this.#end += to - done;
    return this.#write(bytes, done, to - done, this.#end - (to - done));
  }
  #finish(): void {
    // Sections are of whole words.
    const padding = -this.#end & 7;
    const fileBytes = this.#end + padding + TRAILER_BYTES;
    const trailer = encodeTrailer(this.#header, this.#headerCrc, this.#sections, fileBytes, this.#seed);
    const bytes = new Uint8Array(padding + trailer.length);
    bytes.set(trailer, padding);
    this.#write(bytes, 0, bytes.length, this.#end);
    this.#end = fileBytes;
    this.#digest = digestOfTrailer(trailer);
    this.#sync();
    try {
      this.#volume.syncFolder(INDEX_FOLDER);
    } catch (error) {
      throw AslError.from(error, "ASL-WRITE", "it cannot be synced", { file: INDEX_FOLDER });
    }
  }
  #digest: Uint8Array | undefined;

  /** What it costs of a budget. */
  #write(bytes: Uint8Array, at: number, length: number, offset: number): number {
    try {
      this.#file.write(bytes, at, length, offset);
    } catch (error) {
      throw AslError.from(error, "ASL-WRITE", "it cannot be written", { file: this.path, offset });
    }
    this.#unsynced += length;
    if (this.#unsynced >= SYNC_BYTES) this.#sync();
    return WRITE_COST + length / BYTES_PER_ROW;
  }
  #sync(): void {
    try {
      this.#file.sync();
    } catch (error) {
      throw AslError.from(error, "ASL-WRITE", "it cannot be synced", { file: this.path });
    }
    this.#unsynced = 0;
  }

  /** The segment, once {@link step} said that all is written. Throws ASL-READ. */
  open(): Segment {
    const { number, count, firstPosition, lastPosition } = this.#header;
    const entry = { number, count, firstPosition, lastPosition, bytes: this.#end, digest: this.#digest! };
    this.#file.close();
    let file: VolumeFile;
    try {
      file = this.#volume.open(this.path, "read");
    } catch (error) {
      throw AslError.from(error, "ASL-READ", "it cannot be read", { file: this.path });
    }
    return new Segment(entry, file, {
      headerCrc: this.#headerCrc,
      sectionsEnd: this.#sections.reduce((end, { offset, length }) => Math.max(end, offset + length), 0),
      firstHis: this.#firstHis,
      checksums: this.#checksums,
      filterTable: this.#filterTable,
      filterBytes: this.#filterBytes.subarray(0, this.#filterEnd),
      locator: {
        offset: this.#sections[0]!.offset,
        blocks: Uint32Array.from(this.#locator.blocks),
        chunkCrcs: this.#chunkCrcs,
      },
    });
  }
  /** Gives up: the file is removed if it can be. */
  discard(): void {
    try {
      this.#file.close();
      removeIfThere(this.#volume, this.path);
    } catch {
      // It is removed when the store is opened next.
    }
  }
}
