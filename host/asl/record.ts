/**
 * Records: artifacts, and pieces of them, as they stand in block files and in frames of the log (spec ASL-BLOCK). A record tells by itself
 * what it is, so that a store can be made again from its records alone; and ranges of a large one are checked without all of it.
 */
import { crc32Of, crc32OfWords } from "./checksum.ts";
import { getU64, setU64 } from "./format.ts";
import { ALGORITHMS, DIGEST_BYTES } from "./key.ts";

/** Bytes before the payload. */
export const RECORD_BYTES = 72;

/** Where in a header the digest is. */
export const RECORD_DIGEST_AT = 40;

/** Longer payloads have a table of checksums, one of each so many bytes. */
export const LEAF_BYTES = 65_536;

/** Records begin at multiples of it. */
export const RECORD_ALIGNMENT = 8;

export const RecordFlag = {
  /** It has a type tag. */
  HAS_TAG: 1,
  /** Who has the store's published part sees it. */
  PUBLISHED: 2,
  /** The payload is the list of an artifact's chunks. */
  CHUNKED: 4,
  /** A chunk of an artifact, and none itself. */
  CHUNK: 8,
  /** The table of checksums follows the payload. */
  LEAVES: 16,
  /** Alone in its block. */
  OWN: 32,
} as const;

const KNOWN_FLAGS = 63;

/** "AREC". */
const MAGIC = 0x4345_5241;

/** What a header says but for its digest. Reused by whoever reads with it. */
export class RecordHeader {
  flags = 0;
  algorithm = 0;
  tag = 0;
  /** Bytes of the payload: of a CHUNKED one, of the list. */
  length = 0;
  position = 0;
  logseq = 0;
}

/** Bytes of the table of checksums and of its own behind a payload of so many bytes. */
export function leafTableBytes(length: number): number {
  return length > LEAF_BYTES ? 4 * Math.ceil(length / LEAF_BYTES) + 4 : 0;
}

/** Bytes of a whole record: header, payload, table, zeros up to the alignment. */
export function recordSize(length: number): number {
  // No bit operations: lengths pass 2^31.
  const size = RECORD_BYTES + length + leafTableBytes(length);
  return size + ((RECORD_ALIGNMENT - (size % RECORD_ALIGNMENT)) % RECORD_ALIGNMENT);
}

/** `flags` with LEAVES as the length says. The digest is at `at + 40` of `bytes` already; `view` is of the same bytes. */
export function writeRecordHeader(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  flags: number,
  algorithm: number,
  tag: number,
  length: number,
  position: number,
  logseq: number,
  seed: number,
): void {
  view.setUint32(at, MAGIC, true);
  const leaves = length > LEAF_BYTES ? RecordFlag.LEAVES : 0;
  bytes[at + 8] = flags | leaves;
  bytes[at + 9] = algorithm;
  view.setUint16(at + 10, 0);
  view.setUint32(at + 12, tag, true);
  setU64(view, at + 16, length);
  setU64(view, at + 24, position);
  setU64(view, at + 32, logseq);
  view.setUint32(at + 4, crc32OfWords(view, at + 8, at + RECORD_BYTES, seed), true);
}

/** Whether there is a header of this store at `at`, with what it says in `into`. `bytes` may end before it would. */
export function readRecordHeader(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  seed: number,
  into: RecordHeader,
): boolean {
  if (at + RECORD_BYTES > bytes.length || view.getUint32(at, true) !== MAGIC) return false;
  if (view.getUint32(at + 4, true) !== crc32OfWords(view, at + 8, at + RECORD_BYTES, seed)) return false;
  const flags = bytes[at + 8]!;
  into.flags = flags;
  into.algorithm = bytes[at + 9]!;
  into.tag = view.getUint32(at + 12, true);
  into.length = getU64(view, at + 16);
  into.position = getU64(view, at + 24);
  into.logseq = getU64(view, at + 32);
  // The checksum says that a store wrote it; so this is of a store that knows more, which its file should have said.
  return (
    flags <= KNOWN_FLAGS &&
    into.algorithm > 0 &&
    into.algorithm <= ALGORITHMS.length &&
    view.getUint16(at + 10, true) === 0 &&
    into.length >= 0 &&
    into.position >= 0 &&
    into.logseq >= 0 &&
    ((flags & RecordFlag.LEAVES) !== 0) === into.length > LEAF_BYTES
  );
}

/** Whether the digest of the header at `at` is that at `from` of `digest`. */
export function isRecordOf(bytes: Uint8Array, at: number, digest: Uint8Array, from: number): boolean {
  const first = at + RECORD_DIGEST_AT;
  for (let k = 0; k < DIGEST_BYTES; k++) if (bytes[first + k] !== digest[from + k]) return false;
  return true;
}

/** Writes what follows the payload that is there already: its table if it needs one, and zeros up to the alignment. `at` is of the record. */
export function endRecord(bytes: Uint8Array, view: DataView, at: number, length: number, seed: number): void {
  const first = at + RECORD_BYTES;
  let end = first + length;
  if (length > LEAF_BYTES) {
    for (let leaf = first; leaf < first + length; leaf += LEAF_BYTES, end += 4)
      view.setUint32(end, crc32Of(bytes, leaf, Math.min(leaf + LEAF_BYTES, first + length), 0), true);
    view.setUint32(end, crc32Of(bytes, first + length, end, seed), true);
    end += 4;
  }
  bytes.fill(0, end, at + recordSize(length));
}

/** Bytes of a leaf table, from the checksums of the leaves. */
export function leafTable(leaves: Iterable<number>, count: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(4 * count + 4);
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const leaf of leaves) {
    view.setUint32(at, leaf, true);
    at += 4;
  }
  view.setUint32(at, crc32Of(bytes, 0, at, seed), true);
  return bytes;
}

/** Whether a table is whole: only then do its checksums say anything. */
export function isLeafTable(bytes: Uint8Array, view: DataView, at: number, end: number, seed: number): boolean {
  return view.getUint32(end - 4, true) === crc32Of(bytes, at, end - 4, seed);
}
