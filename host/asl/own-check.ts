/** Checks artifacts that have blocks of their own, by their tables of checksums, or by their digests (spec ASL-FSCK-4). */
import type { Hash } from "node:crypto";
import { cryptoOf } from "../assets/hash.ts";
import { BLOCK_HEADER_BYTES } from "./block-file.ts";
import type { Blocks } from "./blocks.ts";
import { crc32Of } from "./checksum.ts";
import { type ChunkList, decodeChunkList } from "./chunk-list.ts";
import { AslError } from "./errors.ts";
import type { Format } from "./format.ts";
import { type Row, RowFlag } from "./index-rows.ts";
import { algorithmOf, sameDigest } from "./key.ts";
import type { OpenFile, OpenFiles } from "./open-files.ts";
import {
  isLeafTable,
  isRecordOf,
  LEAF_BYTES,
  leafTableBytes,
  RECORD_BYTES,
  RecordFlag,
  RecordHeader,
  readRecordHeader,
  recordSize,
} from "./record.ts";
import { readFully } from "./volume.ts";

/** What an entry of the log, or a list of chunks, says of a record. */
export interface Expected {
  readonly block: number;
  readonly offset: number;
  readonly algorithm: number;
  readonly digest: Uint8Array;
  /** Of the payload; of a list that is not known. */
  readonly length: number | undefined;
  readonly isChunked: boolean;
  readonly isChunk: boolean;
}

const PIECE_BYTES = 4 * LEAF_BYTES;

/** Longer lists than this are no lists: 2^20 chunks. */
const LIST_BYTES = 64 * 1024 * 1024;

const SHA_256 = 1;

export class OwnCheck {
  readonly #files: OpenFiles;
  readonly #format: Format;
  readonly #isDeep: boolean;
  readonly #header = new RecordHeader();
  readonly #piece = new Uint8Array(PIECE_BYTES);
  readonly #read: (bytes: number) => void;

  /** `read` hears how many bytes were read. */
  constructor(files: OpenFiles, format: Format, isDeep: boolean, read: (bytes: number) => void) {
    this.#files = files;
    this.#format = format;
    this.#isDeep = isDeep;
    this.#read = read;
  }

  /** Why the record is not what is expected; undefined if it is. Throws ASL-BLOCK-DAMAGED for a file that is not there. */
  check(expected: Expected, whole?: Hash): string | undefined {
    const open = this.#files.hold(expected.block);
    try {
      return this.#checkIn(open, expected, whole);
    } finally {
      this.#files.release(open);
    }
  }
  #checkIn(open: OpenFile, expected: Expected, whole: Hash | undefined): string | undefined {
    const { offset, digest, algorithm } = expected;
    const head = new Uint8Array(RECORD_BYTES);
    const view = new DataView(head.buffer);
    if (this.#readAt(open, head, RECORD_BYTES, offset) < RECORD_BYTES) return "the file ends before the record";
    const header = this.#header;
    if (!readRecordHeader(head, view, 0, this.#format.seed, header)) return "no header of a record is here";
    if (!isRecordOf(head, 0, digest, 0) || header.algorithm !== algorithm)
      return "it is the record of another artifact";
    if (expected.length !== undefined && header.length !== expected.length)
      return `the record has ${header.length} bytes instead of ${expected.length}`;
    const isChunked = (header.flags & RecordFlag.CHUNKED) !== 0;
    const isChunk = (header.flags & RecordFlag.CHUNK) !== 0;
    if (isChunked !== expected.isChunked || isChunk !== expected.isChunk) return "the record is of another kind";
    return this.#checkPayload(open, expected, header.length, whole);
  }
  #checkPayload(open: OpenFile, expected: Expected, length: number, whole: Hash | undefined): string | undefined {
    const { offset, digest, algorithm, isChunked, isChunk } = expected;
    const first = offset + RECORD_BYTES;
    const rest = new Uint8Array(recordSize(length) - RECORD_BYTES - length);
    if (this.#readAt(open, rest, rest.length, first + length) < rest.length)
      return "the file ends before the record does";
    const table = leafTableBytes(length);
    const view = new DataView(rest.buffer);
    if (table > 0 && !isLeafTable(rest, view, 0, table, this.#format.seed)) return "the table of checksums is damaged";
    if (rest.subarray(table).some((byte) => byte !== 0)) return "what pads the record is not zero";
    if (isChunked && length > LIST_BYTES) return "the list of chunks is too long";
    const list = isChunked ? new Uint8Array(length) : undefined;
    // Without a table the digest is all that there is.
    const isHashed = !isChunked && (this.#isDeep || table === 0);
    const hash = isHashed ? cryptoOf().createHash(algorithmOf(isChunk ? SHA_256 : algorithm).host) : undefined;
    // A leaf of the tree hash begins so.
    if (isChunk) hash?.update(Uint8Array.of(0));
    for (let at = 0; at < length; at += PIECE_BYTES) {
      const count = Math.min(PIECE_BYTES, length - at);
      if (this.#readAt(open, this.#piece, count, first + at) < count) return "the file ends before the record does";
      const bytes = this.#piece.subarray(0, count);
      for (let leaf = 0; table > 0 && leaf < count; leaf += LEAF_BYTES) {
        const said = view.getUint32(((at + leaf) / LEAF_BYTES) * 4, true);
        if (crc32Of(bytes, leaf, Math.min(leaf + LEAF_BYTES, count), 0) !== said)
          return `bytes from ${at + leaf} on are not what their checksum says`;
      }
      hash?.update(bytes);
      whole?.update(bytes);
      list?.set(bytes, at);
    }
    if (hash !== undefined && !sameDigest(hash.digest(), 0, digest, 0)) return "its bytes are not what its digest says";
    return list === undefined ? undefined : this.checkList(list, digest, algorithm);
  }

  /** Why the chunks that a list names are not those of the artifact. */
  checkList(bytes: Uint8Array, digest: Uint8Array, algorithm: number): string | undefined {
    const list = decodeChunkList(bytes);
    if (list === undefined) return "it is no list of chunks";
    const whole = this.#isDeep ? cryptoOf().createHash(algorithmOf(algorithm).host) : undefined;
    const reason = this.#checkChunks(list, whole);
    if (reason !== undefined) return reason;
    if (whole !== undefined && !sameDigest(whole.digest(), 0, digest, 0))
      return "the bytes of its chunks are not what its digest says";
    return undefined;
  }
  #checkChunks({ chunks }: ChunkList, whole: Hash | undefined): string | undefined {
    for (const [k, { block, offset, digest, length }] of chunks.entries()) {
      const expected = { block, offset, algorithm: SHA_256, digest, length, isChunked: false, isChunk: true };
      const reason = this.check(expected, whole);
      if (reason !== undefined) return `chunk ${k}, in block ${block}: ${reason}`;
    }
    return undefined;
  }
  #readAt(open: OpenFile, into: Uint8Array, length: number, position: number): number {
    this.#read(length);
    return readFully(open.file, into, 0, length, position);
  }
}

/** Where a record in a block of its own begins. */
export const OWN_OFFSET: number = BLOCK_HEADER_BYTES;

/** Whether an artifact can be read, as its key says. One that is chunked is read chunk by chunk, so that all that reading it may need is looked at. */
export function isReadable(blocks: Blocks, own: OwnCheck, row: Row): boolean {
  const { block, offset, algorithm, digest } = row;
  try {
    if ((row.flags & RowFlag.CHUNKED) !== 0) {
      const expected = { block, offset, algorithm, digest, length: undefined, isChunked: true, isChunk: false };
      if (own.check(expected) !== undefined) return false;
    }
    for (const _ of blocks.pieces(row, digest, 0));
    return true;
  } catch (error) {
    if (error instanceof AslError || (error as NodeJS.ErrnoException).code !== undefined) return false;
    throw error;
  }
}
