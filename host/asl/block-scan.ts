/**
 * A walk over the records of a block file, or of a log file, that needs nothing but the file: what rebuild and fsck know of damaged
 * stores (spec ASL-BLOCK-11).
 */
import { cryptoOf } from "../assets/hash.ts";
import { BLOCK_FOOTER_BYTES, firstRecordAt, isBlockFooter, LOG_BIT } from "./block-file.ts";
import { decodeChunkList } from "./chunk-list.ts";
import { AslError } from "./errors.ts";
import { algorithmOf, DIGEST_BYTES, sameDigest } from "./key.ts";
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
export function* scanRecords(open: OpenFile, seed: number, options: ScanOptions): Generator<ScannedRecord> {
  const window = new Window(open);
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
    const digestAt = window.at(at) + RECORD_DIGEST_AT;
    const digest = window.bytes.slice(digestAt, digestAt + DIGEST_BYTES);
    yield new Scanned(open, seed, at, header, digest, end);
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
  readonly #open: OpenFile;
  readonly size: number;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  #from = 0;
  #to = 0;

  constructor(open: OpenFile) {
    this.#open = open;
    try {
      this.size = open.file.size();
    } catch (error) {
      throw AslError.from(error, "ASL-READ", "it cannot be read", { file: open.path });
    }
    this.bytes = new Uint8Array(Math.min(WINDOW_BYTES, this.size));
    this.view = new DataView(this.bytes.buffer);
  }
  /** Whether the file has these bytes; they are in the window then. */
  has(position: number, length: number): boolean {
    if (position >= this.#from && position + length <= this.#to) return true;
    this.#from = position;
    this.#to = position + readAt(this.#open, this.bytes, this.bytes.length, position);
    return position + length <= this.#to;
  }
  at(position: number): number {
    return position - this.#from;
  }
}

function readAt(open: OpenFile, into: Uint8Array, length: number, position: number): number {
  try {
    return readFully(open.file, into, 0, length, position);
  } catch (error) {
    throw AslError.from(error, "ASL-READ", "it cannot be read", { file: open.path, offset: position });
  }
}

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
  readonly #open: OpenFile;
  readonly #seed: number;
  readonly #isTorn: boolean;
  #state: RecordState | undefined;
  #artifactLength: number;

  constructor(open: OpenFile, seed: number, offset: number, header: RecordHeader, digest: Uint8Array, end: number) {
    this.block = open.block;
    this.offset = offset;
    this.size = recordSize(header.length);
    this.flags = header.flags;
    this.algorithm = header.algorithm;
    this.tag = header.tag;
    this.length = header.length;
    this.position = header.position;
    this.logseq = header.logseq;
    this.digest = digest;
    this.#open = open;
    this.#seed = seed;
    this.#isTorn = offset + this.size > end;
    this.#artifactLength = header.length;
  }
  state(): RecordState {
    return (this.#state ??= this.#isTorn ? "torn" : this.#isWhole() ? "whole" : "damaged");
  }
  artifactLength(): number {
    this.state();
    return this.#artifactLength;
  }
  #isWhole(): boolean {
    const isChunk = (this.flags & RecordFlag.CHUNK) !== 0;
    const isChunked = (this.flags & RecordFlag.CHUNKED) !== 0;
    const hash = cryptoOf().createHash(algorithmOf(this.algorithm).host);
    // A leaf of the tree hash begins so.
    if (isChunk) hash.update(Uint8Array.of(0));
    const list = isChunked ? new Uint8Array(this.length) : undefined;
    const piece = new Uint8Array(Math.min(WINDOW_BYTES, this.size - RECORD_BYTES));
    for (let at = 0; at < this.length; at += piece.length) {
      const count = Math.min(piece.length, this.length - at);
      if (this.#read(piece, count, at) < count) return false;
      const bytes = piece.subarray(0, count);
      if (list !== undefined) list.set(bytes, at);
      else hash.update(bytes);
    }
    return (
      this.#isTableWhole() && (list === undefined ? sameDigest(hash.digest(), 0, this.digest, 0) : this.#isList(list))
    );
  }
  /** The table by its own checksum, and the zeros behind it. */
  #isTableWhole(): boolean {
    const bytes = new Uint8Array(this.size - RECORD_BYTES - this.length);
    if (this.#read(bytes, bytes.length, this.length) < bytes.length) return false;
    const table = leafTableBytes(this.length);
    if (table > 0 && !isLeafTable(bytes, new DataView(bytes.buffer), 0, table, this.#seed)) return false;
    return bytes.subarray(table).every((byte) => byte === 0);
  }
  #isList(bytes: Uint8Array): boolean {
    const list = decodeChunkList(bytes);
    if (list === undefined) return false;
    this.#artifactLength = list.length;
    return true;
  }
  #read(into: Uint8Array, length: number, at: number): number {
    return readAt(this.#open, into, length, this.offset + RECORD_BYTES + at);
  }
}
