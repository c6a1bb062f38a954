/**
 * A walk over the records of a block file, or of a log file, that needs nothing but the file: what rebuild and fsck know of damaged
 * stores (spec ASL-BLOCK-11).
 */
import { cryptoOf } from "../assets/hash.ts";
import { BLOCK_FOOTER_BYTES, firstRecordAt, isBlockFooter, LOG_BIT } from "./block-file.ts";
import { decodeChunkList } from "./chunk-list.ts";
import { AslError } from "./errors.ts";
import { algorithmOf, DIGEST_BYTES, type Digester, digestInto, sameDigest } from "./key.ts";
import type { OpenFile } from "./open-files.ts";
import {
  isLeafTable,
  leafTableBytes,
  RECORD_ALIGNMENT,
  RECORD_BYTES,
  RECORD_DIGEST_AT,
  RecordFlag,
  RecordHeader,
  readRecordHeader,
  recordSize,
} from "./record.ts";
import { readFully } from "./volume.ts";

const WINDOW_BYTES = 1024 * 1024;

/** What a record's bytes are, compared with its digest: `whole`; `damaged`; `torn`: the file ends before it does. */
export type RecordState = "whole" | "damaged" | "torn";

/** A record that a scan found. */
export interface ScannedRecord {
  /** As in places: the number of the block, with its highest bit set the number of the log file. */
  readonly block: number;
  /** Where its header is. */
  readonly offset: number;
  /** All its bytes, header and all. */
  readonly size: number;
  readonly flags: number;
  readonly algorithm: number;
  readonly tag: number;
  /** Of the payload. */
  readonly length: number;
  readonly position: number;
  readonly logseq: number;
  readonly digest: Uint8Array;
  /** Reads it all; while the scan goes on, and afterwards. */
  state(): RecordState;
  /** Of a CHUNKED record that is whole: bytes of the artifact. Otherwise those of the payload. */
  artifactLength(): number;
}

export interface ScanOptions {
  /** Where to begin; a multiple of 8. */
  readonly from?: number | undefined;
  /** Where to stop, if not at the file's end. */
  readonly to?: number | undefined;
  /** Told of what is between records and of no record: damage, in a sealed block; in a log, frames, too. */
  gap?(from: number, to: number): void;
}

/** The records of a file, from the first byte to the last. No length is trusted that has no checksum, and none beyond the file's end. */
export function* scanRecords(
  open: OpenFile,
  seed: number,
  options: ScanOptions,
  digest: Digester = digestInto,
): Generator<ScannedRecord> {
  const window = new Window(open, seed, digest);
  const { block } = open;
  let end = Math.min(options.to ?? Number.POSITIVE_INFINITY, window.size);
  if (block < LOG_BIT && end === window.size && end >= BLOCK_FOOTER_BYTES) {
    const footer = end - BLOCK_FOOTER_BYTES;
    if (window.has(footer, BLOCK_FOOTER_BYTES) && isBlockFooter(window.bytes, window.at(footer), footer, seed))
      end = footer;
  }
  const header = new RecordHeader();
  const from = options.from ?? firstRecordAt(block);
  let gap = -1;
  let at = from;
  while (at + RECORD_BYTES <= end) {
    const isHeader =
      window.has(at, RECORD_BYTES) && readRecordHeader(window.bytes, window.view, window.at(at), seed, header);
    const size = isHeader ? recordSize(header.length) : 0;
    if (!isHeader) {
      if (gap < 0) gap = at;
      at += RECORD_ALIGNMENT;
      continue;
    }
    if (gap >= 0) options.gap?.(gap, at);
    gap = -1;
    yield new Scanned(window, at, size, header, end);
    // What is behind a torn record may still tell something: of a file whose end is lost, another one may have been written behind.
    if (at + size > end) {
      gap = at;
      at += RECORD_ALIGNMENT;
    } else at += size;
  }
  if (gap < 0 && at < end) gap = at;
  if (gap >= 0) options.gap?.(gap, end);
}

/** A part of a file in memory. */
class Window {
  readonly open: OpenFile;
  readonly seed: number;
  readonly digest: Digester;
  readonly size: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  #from = 0;
  #to = 0;

  constructor(open: OpenFile, seed: number, digest: Digester) {
    this.open = open;
    this.seed = seed;
    this.digest = digest;
    try {
      this.size = open.file.size();
    } catch (error) {
      throw AslError.from(error, "ASL-READ", "it cannot be read", { file: open.path });
    }
    this.bytes = new Uint8Array(Math.min(WINDOW_BYTES, this.size));
    this.view = new DataView(this.bytes.buffer);
  }
  /** Whether the file has these bytes, no more than a window; they are in it then. */
  has(position: number, length: number): boolean {
    if (position >= this.#from && position + length <= this.#to) return true;
    this.#from = position;
    this.#to = position;
    this.#to += this.read(this.bytes, this.bytes.length, position);
    return position + length <= this.#to;
  }
  at(position: number): number {
    return position - this.#from;
  }
  /** Past the window. */
  read(into: Uint8Array, length: number, position: number): number {
    try {
      return readFully(this.open.file, into, 0, length, position);
    } catch (error) {
      throw AslError.from(error, "ASL-READ", "it cannot be read", { file: this.open.path, offset: position });
    }
  }
}

const hashed: Buffer = Buffer.alloc(DIGEST_BYTES);

class Scanned implements ScannedRecord {
  readonly block: number;
  readonly offset: number;
  readonly size: number;
  readonly flags: number;
  readonly algorithm: number;
  readonly tag: number;
  readonly length: number;
  readonly position: number;
  readonly logseq: number;
  readonly digest: Uint8Array;
  readonly #window: Window;
  #state: RecordState | undefined;
  #artifactLength: number;

  constructor(window: Window, offset: number, size: number, header: RecordHeader, end: number) {
    this.block = window.open.block;
    this.offset = offset;
    this.size = size;
    this.flags = header.flags;
    this.algorithm = header.algorithm;
    this.tag = header.tag;
    this.length = header.length;
    this.position = header.position;
    this.logseq = header.logseq;
    this.digest = new Uint8Array(DIGEST_BYTES);
    const from = window.at(offset) + RECORD_DIGEST_AT;
    for (let k = 0; k < DIGEST_BYTES; k++) this.digest[k] = window.bytes[from + k]!;
    this.#window = window;
    this.#state = offset + size > end ? "torn" : undefined;
    this.#artifactLength = header.length;
  }
  state(): RecordState {
    return (this.#state ??= (this.size <= WINDOW_BYTES ? this.#isWhole() : this.#isLongWhole()) ? "whole" : "damaged");
  }
  artifactLength(): number {
    this.state();
    return this.#artifactLength;
  }
  #isWhole(): boolean {
    const window = this.#window;
    if (!window.has(this.offset, this.size)) return false;
    const from = window.at(this.offset) + RECORD_BYTES;
    const payload = window.bytes.subarray(from, from + this.length);
    const rest = window.bytes.subarray(from + this.length, from - RECORD_BYTES + this.size);
    if (!this.#isEnd(rest)) return false;
    if ((this.flags & RecordFlag.CHUNKED) !== 0) return this.#isList(payload);
    if ((this.flags & RecordFlag.CHUNK) !== 0)
      return sameDigest(cryptoOf().createHash(SHA_256).update(LEAF).update(payload).digest(), 0, this.digest, 0);
    window.digest(this.algorithm, payload, hashed, 0);
    return sameDigest(hashed, 0, this.digest, 0);
  }
  #isLongWhole(): boolean {
    const isChunk = (this.flags & RecordFlag.CHUNK) !== 0;
    const list = (this.flags & RecordFlag.CHUNKED) !== 0 ? new Uint8Array(this.length) : undefined;
    const hash = cryptoOf().createHash(isChunk ? SHA_256 : algorithmOf(this.algorithm).host);
    if (isChunk) hash.update(LEAF);
    const piece = new Uint8Array(WINDOW_BYTES);
    for (let at = 0; at < this.length; at += piece.length) {
      const count = Math.min(piece.length, this.length - at);
      if (this.#read(piece, count, at) < count) return false;
      const bytes = piece.subarray(0, count);
      if (list === undefined) hash.update(bytes);
      else list.set(bytes, at);
    }
    const rest = new Uint8Array(this.size - RECORD_BYTES - this.length);
    if (this.#read(rest, rest.length, this.length) < rest.length || !this.#isEnd(rest)) return false;
    return list === undefined ? sameDigest(hash.digest(), 0, this.digest, 0) : this.#isList(list);
  }
  /** The table by its own checksum, and the zeros behind it. */
  #isEnd(bytes: Uint8Array): boolean {
    const table = leafTableBytes(this.length);
    if (table > 0) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      if (!isLeafTable(bytes, view, 0, table, this.#window.seed)) return false;
    }
    for (let at = table; at < bytes.length; at++) if (bytes[at] !== 0) return false;
    return true;
  }
  #isList(bytes: Uint8Array): boolean {
    const list = decodeChunkList(bytes);
    if (list === undefined) return false;
    this.#artifactLength = list.length;
    return true;
  }
  #read(into: Uint8Array, length: number, at: number): number {
    return this.#window.read(into, length, this.offset + RECORD_BYTES + at);
  }
}

/** Of leaves of the tree hash, which begin so (spec PACK-TREE). */
const SHA_256 = "sha256";
const LEAF = Uint8Array.of(0);
