/** Writes a segment from rows that come in order, a slice at a time (spec ASL-SEGMENT). */
import { crc32Of } from "./checksum.ts";
import { AslError } from "./errors.ts";
import { removeIfThere } from "./format.ts";
import { FILTER_WORDS, type FuseBuilder } from "./fuse-filter.ts";
import { ROW_WORDS, RowWord } from "./index-rows.ts";
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
const WRITE_PAGES = WRITE_BYTES / PAGE_BYTES;
/** A sync after so many, so that none takes long. */
const SYNC_BYTES = 4 * WRITE_BYTES;

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
  /** Bytes written, and of them synced. */
  #written = 0;
  #synced = 0;
  readonly #sections: Section[] = [];
  /** What is to be written behind the pages, and how far that is done. */
  #tail: { readonly kind: number; readonly bytes: Uint8Array; crc: number; done: number; offset: number }[] | undefined;

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
    if (this.#written === 0) {
      const first = new Uint8Array(PAGE_BYTES);
      first.set(this.#headerBytes);
      left -= this.#write(first, 0, first.length);
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
    const builder = this.#builder;
    const pages = this.#pages;
    const shift = 32 - this.#shardBits;
    const end = Math.min(count, this.#count + Math.ceil(budget / ROW_COST));
    const begin = this.#count;
    let done = begin;
    let cost = 0;
    const base = this.#header.firstPosition;
    while (done < end) {
      const source = rows.current;
      if (source === undefined)
        throw new AslError("ASL-INDEX-DAMAGED", `${done} of ${count} rows are there`, { file: this.path });
      const { hi, words, at } = source;
      // Keys of the next filter wait until this one is made.
      if (shift < 32 && hi >>> shift !== this.#shard) {
        this.#beginFilter();
        break;
      }
      const page = Math.floor(done / PAGE_ROWS);
      const index = done - page * PAGE_ROWS;
      const pageAt = (page % WRITE_PAGES) * PAGE_WORDS;
      if (index === 0) this.#firstHis[page] = hi;
      pages[pageAt + PAGE_HIS + index] = hi;
      const to = pageAt + rowAt(index);
      for (let k = 0; k < ROW_WORDS; k++) pages[to + k] = words[at + k]!;
      pages[to + RowWord.POSITION] = source.base - base + words[at + RowWord.POSITION]!;
      builder.add(hi, words[at]!);
      done++;
      rows.next();
      if (index === PAGE_ROWS - 1 || done === count) {
        this.#sealPage(page, index + 1);
        if ((page + 1) % WRITE_PAGES === 0 || done === count) {
          cost = this.#write(this.#pagesBytes, 0, ((page % WRITE_PAGES) + 1) * PAGE_BYTES);
          break;
        }
      }
    }
    this.#count = done;
    return budget - (done - begin) * ROW_COST - cost;
  }
  #sealPage(page: number, rows: number): void {
    const pages = this.#pages;
    const at = (page % WRITE_PAGES) * PAGE_WORDS;
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
      const { DIRECTORY, FILTERS } = SectionKind;
      this.#tail = [
        { kind: DIRECTORY, bytes: this.#directory, crc: 0, done: 0, offset: 0 },
        { kind: FILTERS, bytes: table, crc: 0, done: 0, offset: 0 },
        { kind: FILTERS, bytes: filters, crc: 0, done: 0, offset: 0 },
      ];
    }
    const part = this.#tail[0];
    if (part === undefined) {
      this.#end();
      return -1;
    }
    const { kind, bytes, done } = part;
    const before = this.#sections.at(-1);
    const continues = before?.kind === kind ? before : undefined;
    const to = Math.min(bytes.length, done + WRITE_BYTES);
    const section: Section = {
      kind,
      crc: crc32Of(bytes, done, to, continues?.crc ?? 0),
      offset: continues?.offset ?? this.#written,
      length: (continues?.length ?? 0) + to - done,
    };
    if (continues !== undefined) this.#sections.pop();
    this.#sections.push(section);
    part.done = to;
    if (to === bytes.length) this.#tail.shift();
    return this.#write(bytes, done, to - done);
  }
  #end(): void {
    // Sections are of whole words.
    const padding = -this.#written & 7;
    const fileBytes = this.#written + padding + TRAILER_BYTES;
    const trailer = encodeTrailer(this.#header, this.#headerCrc, this.#sections, fileBytes, this.#seed);
    const bytes = new Uint8Array(padding + trailer.length);
    bytes.set(trailer, padding);
    this.#write(bytes, 0, bytes.length);
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
  #write(bytes: Uint8Array, at: number, length: number): number {
    try {
      this.#file.write(bytes, at, length, this.#written);
    } catch (error) {
      throw AslError.from(error, "ASL-WRITE", "it cannot be written", { file: this.path, offset: this.#written });
    }
    this.#written += length;
    if (this.#written - this.#synced >= SYNC_BYTES) this.#sync();
    return WRITE_COST + length / BYTES_PER_ROW;
  }
  #sync(): void {
    try {
      this.#file.sync();
    } catch (error) {
      throw AslError.from(error, "ASL-WRITE", "it cannot be synced", { file: this.path });
    }
    this.#synced = this.#written;
  }

  /** The segment, once {@link step} said that all is written. Throws ASL-READ. */
  open(): Segment {
    const { number, count, firstPosition, lastPosition } = this.#header;
    const entry = { number, count, firstPosition, lastPosition, bytes: this.#written, digest: this.#digest! };
    this.#file.close();
    let file: VolumeFile;
    try {
      file = this.#volume.open(this.path, "read");
    } catch (error) {
      throw AslError.from(error, "ASL-READ", "it cannot be read", { file: this.path });
    }
    return new Segment(entry, file, {
      headerCrc: this.#headerCrc,
      firstHis: this.#firstHis,
      checksums: this.#checksums,
      filterTable: this.#filterTable,
      filterBytes: this.#filterBytes.subarray(0, this.#filterEnd),
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
