/**
 * Holds the records that a frame answers for against its entries (spec ASL-FSCK-3, ASL-FSCK-4): bytes of blocks by the digests in the frame, then
 * record by record. Records that stand elsewhere, as those of other tags do, are looked up.
 */
import type { Hash } from "node:crypto";
import { sha256 } from "../assets/hash.ts";
import { blockPath, LOG_BIT } from "./block-file.ts";
import type { AslPlace } from "./errors.ts";
import type { Findings } from "./findings.ts";
import type { Format } from "./format.ts";
import { EXTENT_BYTES, FRAME_BYTES, readExtent } from "./frames.ts";
import { type Row, RowFlag, RowKind } from "./index-rows.ts";
import { DIGEST_BYTES, type Digester, keyText, sameDigest } from "./key.ts";
import type { Frame } from "./log.ts";
import type { OpenFile, OpenFiles } from "./open-files.ts";
import { type Expected, OWN_OFFSET, OwnCheck } from "./own-check.ts";
import {
  isLeafTable,
  isRecordOf,
  LEAF_BYTES,
  leafTableBytes,
  RECORD_BYTES,
  RECORD_DIGEST_AT,
  RecordFlag,
  RecordHeader,
  readRecordHeader,
  recordSize,
} from "./record.ts";
import { wordsOf } from "./row-sum.ts";
import { readFully } from "./volume.ts";

/** Read and hashed at a time: so much stays in the processor's cache. */
const PIECE_BYTES = 256 * 1024;

/** Of a block, more bytes than this are walked in several parts. */
const WALKED_BYTES = 4 * 1024 * 1024;

/** Bytes of a file that are not what the log says; the artifacts in them are looked at one by one. */
export interface DamagedRange {
  /** As places have it. */
  readonly block: number;
  readonly start: number;
  readonly end: number;
  /** Of the bytes as they were; undefined if not known. */
  readonly digest: Uint8Array | undefined;
}

/** What frames say of a block. */
export interface BlockUse {
  /** Up to where frames answer for its bytes. */
  end: number;
  /** Bytes before that for which none does. */
  gaps: number;
  readonly isPublished: boolean;
  readonly isOwn: boolean;
}

export interface RecordCheckOptions {
  readonly files: OpenFiles;
  readonly format: Format;
  readonly isDeep: boolean;
  readonly digest: Digester;
  readonly findings: Findings;
  /** Hears how many bytes of blocks were read. */
  read(bytes: number): void;
}

export class RecordCheck {
  readonly damaged: DamagedRange[] = [];
  readonly #damagedOf = new Map<number, DamagedRange[]>();
  readonly blocks: Map<number, BlockUse> = new Map();
  /** Records that no entry names: of artifacts that came to be known otherwise. */
  unnamed = 0;
  readonly #options: RecordCheckOptions;
  readonly #own: OwnCheck;
  /** Blocks with one record, which are checked once. */
  readonly #checkedOwn = new Set<number>();
  readonly #header = new RecordHeader();
  readonly #scratch: Buffer = Buffer.alloc(DIGEST_BYTES);
  readonly #scratchWords: Int32Array = wordsOf(this.#scratch);
  readonly #head = new Uint8Array(RECORD_BYTES);
  readonly #headView = new DataView(this.#head.buffer);
  #bytes: Buffer = Buffer.allocUnsafe(PIECE_BYTES);
  #view = viewOf(this.#bytes);
  /** The artifacts that the frame at hand names, a column of each field. */
  readonly #named = new Named();
  /** The one that is expected next: frames name artifacts as they stand. */
  #next = 0;

  constructor(options: RecordCheckOptions) {
    this.#options = options;
    this.#own = new OwnCheck(options.files, options.format, options.isDeep, options.read);
  }

  /** Takes a row of the frame to be checked next. */
  add(row: Row): void {
    if (row.kind === RowKind.PUT) this.#named.add(row);
  }
  /** Checks what a frame says, whose rows were added. */
  check(frame: Frame): void {
    const { header, bytes, at } = frame;
    this.#next = 0;
    const body = at + FRAME_BYTES;
    for (let k = 0; k < header.extents; k++) this.#checkExtent(bytes, body + k * EXTENT_BYTES, header.isPublished);
    const inline = FRAME_BYTES + header.extents * EXTENT_BYTES + header.entriesBytes;
    const end = FRAME_BYTES + header.bodyBytes;
    if (end > inline) {
      const block = (LOG_BIT | header.log) >>> 0;
      const reached = this.#walk(bytes, viewOf(bytes), at + inline, at + end, block, header.offset - at);
      if (reached !== at + end) this.#misframed(block, header.offset - at + reached);
    }
    this.#checkElsewhere(header.isPublished);
    this.#named.clear();
  }

  /** Whether a record stands in bytes that are damaged: it is looked at by itself. */
  isDamaged({ block, offset }: { readonly block: number; readonly offset: number }): boolean {
    const ranges = this.#damagedOf.get(block);
    return ranges?.some(({ start, end }) => offset >= start && offset < end) === true;
  }
  addDamaged(range: DamagedRange): void {
    this.damaged.push(range);
    const ranges = this.#damagedOf.get(range.block);
    if (ranges === undefined) this.#damagedOf.set(range.block, [range]);
    else ranges.push(range);
  }

  #checkExtent(bytes: Buffer, at: number, isPublished: boolean): void {
    const { findings, files, isDeep } = this.#options;
    const { block, start, end, digest } = readExtent(bytes, at);
    const damaged = (message: string, place: AslPlace): void => {
      findings.add("ASL-BLOCK-DAMAGED", message, { offset: start, ...place });
      this.addDamaged({ block, start, end, digest });
    };
    this.#use(block, start, end, isPublished);
    try {
      const open = files.hold(block);
      try {
        const mark = findings.mark();
        const { calls } = findings;
        // Digests of all records, and checksums of their headers, answer for all bytes, too; and hashing is most of the work.
        const hash = isDeep ? undefined : sha256();
        const isRead = this.#walkExtent(open, start, end, hash);
        const isWhole =
          hash === undefined ? findings.calls === calls : isRead && sameDigest(hash.digest(), 0, digest, 0);
        if (isRead && isWhole) return;
        if (isRead && isDeep && sameDigest(this.#digestOf(open, start, end), 0, digest, 0)) return;
        // What was said of single records follows from it.
        findings.rollback(mark);
        damaged(`bytes ${start} to ${end} are not what the log says`, { file: open.path });
      } finally {
        files.release(open);
      }
    } catch (error) {
      findings.take(error, { file: blockPath(block), offset: start });
      this.addDamaged({ block, start, end, digest });
    }
  }
  #digestOf({ file }: OpenFile, start: number, end: number): Uint8Array {
    const hash = sha256();
    const piece = Buffer.allocUnsafe(PIECE_BYTES);
    for (let from = start; from < end; from += PIECE_BYTES)
      hash.update(piece.subarray(0, readFully(file, piece, 0, Math.min(PIECE_BYTES, end - from), from)));
    return hash.digest();
  }
  #use(block: number, start: number, end: number, isPublished: boolean): void {
    const use = this.blocks.get(block);
    if (use === undefined)
      this.blocks.set(block, { end, gaps: Math.max(0, start - OWN_OFFSET), isPublished, isOwn: false });
    else {
      use.gaps += Math.max(0, start - use.end);
      use.end = Math.max(use.end, end);
    }
  }

  /** Reads and hashes all of an extent, and walks its records; false if the file ends before it. */
  #walkExtent({ block, file }: OpenFile, start: number, end: number, hash: Hash | undefined): boolean {
    this.#reserve(Math.min(end - start, WALKED_BYTES));
    let held = 0;
    let isFramed = true;
    for (let from = start; from < end; ) {
      const length = Math.min(PIECE_BYTES, end - from, this.#bytes.length - held);
      const piece = this.#bytes.subarray(held, held + length);
      this.#options.read(length);
      if (readFully(file, piece, 0, length, from) < length) return false;
      hash?.update(piece);
      held += length;
      from += length;
      if (!isFramed || (from < end && held < this.#bytes.length)) {
        if (!isFramed) held = 0;
        continue;
      }
      const base = from - held;
      const reached = this.#walk(this.#bytes, this.#view, 0, held, block, base);
      if (from === end && reached !== held) this.#misframed(block, base + reached);
      if (reached === 0 && from < end) {
        const needed = this.#sizeAt(this.#bytes, this.#view, 0, held);
        if (needed <= held || needed > end - base) {
          this.#misframed(block, base);
          isFramed = false;
        } else this.#reserve(needed, held);
      }
      this.#bytes.copyWithin(0, reached, held);
      held -= reached;
    }
    return true;
  }
  #reserve(length: number, kept = 0): void {
    if (this.#bytes.length >= length) return;
    const bytes = Buffer.allocUnsafe(length);
    this.#bytes.copy(bytes, 0, 0, kept);
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
  }
  #misframed(block: number, offset: number): void {
    this.#options.findings.add("ASL-BLOCK-DAMAGED", "what stands here is no record", {
      file: blockPath(block),
      offset,
    });
  }
  /** Size of the record at `at`; 0 if none is. */
  #sizeAt(bytes: Buffer, view: DataView, at: number, end: number): number {
    if (at + RECORD_BYTES > end || !readRecordHeader(bytes, view, at, this.#options.format.seed, this.#header))
      return 0;
    return recordSize(this.#header.length);
  }

  /** Walks whole records from `at` to before `end`; `base` is the offset in the file of `bytes[0]`. Answers how far it came. */
  #walk(bytes: Buffer, view: DataView, at: number, end: number, block: number, base: number): number {
    const { isDeep } = this.#options;
    const named = this.#named;
    // Records begin at multiples of 8, in files as in these bytes.
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
    while (at + RECORD_BYTES <= end) {
      // The bytes are what was written, by a digest: so a look at the header will do, if it is that of an entry.
      const next = this.#next;
      const length = view.getUint32(at + 16, true) + view.getUint32(at + 20, true) * 2 ** 32;
      const isNext =
        next < named.count &&
        named.offsets[next] === base + at &&
        named.blocks[next] === block &&
        view.getUint32(at, true) === RECORD_MAGIC &&
        named.hasDigest(next, words, (at + RECORD_DIGEST_AT) >>> 2);
      if (isNext && !isDeep && length === named.lengths[next] && bytes[at + 9] === named.algorithms[next]) {
        const size = length <= LEAF_BYTES ? (RECORD_BYTES + length + 7) & ~7 : recordSize(length);
        if (size > end - at) return at;
        named.isFound[next] = 1;
        this.#next = next + 1;
        at += size;
        continue;
      }
      const size = this.#sizeAt(bytes, view, at, end);
      if (size === 0 || size > end - at) return at;
      this.#checkRecord(bytes, view, words, at, block, base + at);
      at += size;
    }
    return at;
  }
  /** A record that is whole, and whose header was read. */
  #checkRecord(bytes: Buffer, view: DataView, words: Int32Array, at: number, block: number, offset: number): void {
    const { findings, isDeep, digest: digestOf } = this.#options;
    const { flags, algorithm, length } = this.#header;
    const named = this.#named;
    const which = named.find(block, offset, this.#next);
    const isChunked = (flags & RecordFlag.CHUNKED) !== 0;
    const payload = at + RECORD_BYTES;
    const wrong = (message: string): void => {
      const key = keyText(algorithm, bytes, at + RECORD_DIGEST_AT);
      findings.add("ASL-CORRUPT", message, { file: blockPath(block), offset, key });
    };
    if (which < 0) this.unnamed++;
    else {
      this.#next = which + 1;
      named.isFound[which] = 1;
      const isSame =
        named.hasDigest(which, words, (at + RECORD_DIGEST_AT) >>> 2) &&
        algorithm === named.algorithms[which] &&
        isChunked === ((named.flags[which]! & RowFlag.CHUNKED) !== 0) &&
        (isChunked || length === named.lengths[which]);
      if (!isSame) {
        wrong("the log says that another artifact is here");
        return;
      }
    }
    const list = bytes.subarray(payload, payload + length);
    if (isChunked) {
      const reason = this.#own.checkList(list, bytes.slice(at + RECORD_DIGEST_AT, at + RECORD_BYTES), algorithm);
      if (reason !== undefined) wrong(reason);
      this.#useChunks(list, flags);
    }
    if (!isDeep) return;
    const table = leafTableBytes(length);
    if (table > 0 && !isLeafTable(bytes, view, payload + length, payload + length + table, this.#options.format.seed))
      wrong("the table of checksums is damaged");
    for (let pad = payload + length + table; pad < at + recordSize(length); pad++)
      if (bytes[pad] !== 0) wrong("what pads the record is not zero");
    if (isChunked || (flags & RecordFlag.CHUNK) !== 0) return;
    digestOf(algorithm, list, this.#scratch, 0);
    if (!sameWords(this.#scratchWords, words, (at + RECORD_DIGEST_AT) >>> 2))
      wrong("its bytes are not what its digest says");
  }
  /** `flags` are those of the record of the list: its chunks are of the same visibility. */
  #useChunks(list: Uint8Array, flags: number): void {
    const isPublished = (flags & RecordFlag.PUBLISHED) !== 0;
    const view = new DataView(list.buffer, list.byteOffset, list.length);
    for (let at = 56; at + 56 <= list.length; at += 56) this.#useOwn(view.getUint32(at + 32, true), isPublished);
  }
  #useOwn(block: number, isPublished: boolean): void {
    this.blocks.set(block, { end: Number.POSITIVE_INFINITY, gaps: 0, isPublished, isOwn: true });
  }

  /** Entries whose records stand in blocks of their own, or for which another frame answers. */
  #checkElsewhere(isPublished: boolean): void {
    const named = this.#named;
    for (let k = 0; k < named.count; k++) {
      if (named.isFound[k] === 1) continue;
      const expected = named.at(k);
      if (this.isDamaged(expected)) continue;
      try {
        this.#checkPlace(expected, isPublished);
      } catch (error) {
        this.#options.findings.take(error, { file: blockPath(expected.block), offset: expected.offset });
        this.addDamaged({
          block: expected.block,
          start: expected.offset,
          end: expected.offset + 8,
          digest: undefined,
        });
      }
    }
  }
  #checkPlace(expected: Expected, isPublished: boolean): void {
    const { block, offset } = expected;
    const use = this.blocks.get(block);
    const isOwn = block < LOG_BIT && offset === OWN_OFFSET && (use === undefined || use.isOwn);
    const file = blockPath(block);
    const place = { file, offset, key: keyText(expected.algorithm, expected.digest) };
    if (!isOwn) {
      const reason = this.#peek(expected);
      if (reason !== undefined) this.#options.findings.add("ASL-BLOCK-DAMAGED", reason, place);
      return;
    }
    if (this.#checkedOwn.has(block)) return;
    this.#checkedOwn.add(block);
    this.#useOwn(block, isPublished);
    const reason = this.#own.check(expected);
    if (expected.isChunked) this.#useChunksOf(expected);
    if (reason === undefined) return;
    this.#options.findings.add("ASL-BLOCK-DAMAGED", reason, place);
    this.addDamaged({ block, start: offset, end: offset + 8, digest: undefined });
  }
  #useChunksOf({ block, offset }: Expected): void {
    const open = this.#options.files.of(block);
    if (readFully(open.file, this.#head, 0, RECORD_BYTES, offset) < RECORD_BYTES) return;
    const { seed } = this.#options.format;
    if (!readRecordHeader(this.#head, this.#headView, 0, seed, this.#header)) return;
    const length = Math.min(this.#header.length, open.file.size());
    const list = new Uint8Array(length);
    if (readFully(open.file, list, 0, length, offset + RECORD_BYTES) === length)
      this.#useChunks(list, this.#header.flags);
  }
  /** Only the header: another frame answers for the rest. */
  #peek({ block, offset, algorithm, digest, length, isChunked }: Expected): string | undefined {
    const open = this.#options.files.of(block);
    const header = this.#header;
    if (
      readFully(open.file, this.#head, 0, RECORD_BYTES, offset) < RECORD_BYTES ||
      !readRecordHeader(this.#head, this.#headView, 0, this.#options.format.seed, header)
    )
      return "no header of a record is here";
    if (!isRecordOf(this.#head, 0, digest, 0) || header.algorithm !== algorithm)
      return "it is the record of another artifact";
    const isOther = isChunked !== ((header.flags & RecordFlag.CHUNKED) !== 0);
    return isOther || (!isChunked && header.length !== length) ? "the record is of another kind or length" : undefined;
  }
}

function sameWords(digest: Int32Array, words: Int32Array, at: number): boolean {
  for (let k = 0; k < 8; k++) if (digest[k] !== words[at + k]) return false;
  return true;
}

/** "AREC". */
const RECORD_MAGIC = 0x4345_5241;

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Artifacts that a frame names. */
class Named {
  count = 0;
  blocks = new Uint32Array(256);
  offsets = new Float64Array(256);
  lengths = new Float64Array(256);
  flags = new Uint8Array(256);
  algorithms = new Uint8Array(256);
  isFound = new Uint8Array(256);
  digests: Uint8Array = new Uint8Array(256 * DIGEST_BYTES);
  #words = new Int32Array(this.digests.buffer);
  /** Of the row that came last, which mostly is the same object. */
  #digest: Uint8Array | undefined;
  #digestWords: Int32Array = new Int32Array(8);

  add({ block, offset, length, flags, algorithm, digest }: Row): void {
    if (this.count === this.blocks.length) this.#grow();
    const k = this.count++;
    this.blocks[k] = block;
    this.offsets[k] = offset;
    this.lengths[k] = length;
    this.flags[k] = flags;
    this.algorithms[k] = algorithm;
    this.isFound[k] = 0;
    if (digest !== this.#digest) {
      this.#digest = digest;
      this.#digestWords = wordsOf(digest);
    }
    const from = this.#digestWords;
    for (let word = 0, at = 8 * k; word < 8; word++) this.#words[at + word] = from[word]!;
  }
  hasDigest(k: number, words: Int32Array, at: number): boolean {
    const own = this.#words;
    for (let word = 0; word < 8; word++) if (own[8 * k + word] !== words[at + word]) return false;
    return true;
  }
  /** Which one is at this place, most likely `next`; −1 if none is. */
  find(block: number, offset: number, next: number): number {
    for (let k = 0; k < this.count; k++) {
      const candidate = next + k < this.count ? next + k : next + k - this.count;
      if (this.offsets[candidate] === offset && this.blocks[candidate] === block) return candidate;
    }
    return -1;
  }
  clear(): void {
    this.count = 0;
  }
  at(k: number): Expected {
    const isChunked = (this.flags[k]! & RowFlag.CHUNKED) !== 0;
    return {
      block: this.blocks[k]!,
      offset: this.offsets[k]!,
      algorithm: this.algorithms[k]!,
      digest: this.digests.slice(k * DIGEST_BYTES, (k + 1) * DIGEST_BYTES),
      length: isChunked ? undefined : this.lengths[k]!,
      isChunked,
      isChunk: false,
    };
  }
  #grow(): void {
    const count = 2 * this.count;
    const larger = <T extends { set(from: T): void }>(to: T, from: T): T => {
      to.set(from);
      return to;
    };
    this.blocks = larger(new Uint32Array(count), this.blocks);
    this.offsets = larger(new Float64Array(count), this.offsets);
    this.lengths = larger(new Float64Array(count), this.lengths);
    this.flags = larger(new Uint8Array(count), this.flags);
    this.algorithms = larger(new Uint8Array(count), this.algorithms);
    this.isFound = larger(new Uint8Array(count), this.isFound);
    this.digests = larger(new Uint8Array(count * DIGEST_BYTES), this.digests);
    this.#words = new Int32Array(this.digests.buffer);
  }
}
