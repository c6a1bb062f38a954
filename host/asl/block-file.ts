/** What stands around the records of a block file: its header, and the footer of one that is sealed (spec ASL-BLOCK-1, ASL-BLOCK-2). */
import { crc32Of } from "./checksum.ts";
import { getU64, Magic, numbered, PREAMBLE_BYTES, readPreamble, setU64, writePreamble } from "./format.ts";
import { copyOf } from "./key.ts";

export const BLOCK_FOLDER = "blocks";
export const BLOCK_HEADER_BYTES = 64;
export const BLOCK_FOOTER_BYTES = 64;

/** Where records of a log file may begin: behind its header. */
const LOG_HEADER_BYTES = 128;

/** Set in the number of a place that is in a log file. */
export const LOG_BIT = 0x8000_0000;

/** Path of the file that a place names. */
export function blockPath(block: number): string {
  return block >= LOG_BIT ? numbered("log", block - LOG_BIT, "log") : numbered(BLOCK_FOLDER, block, "blk");
}

/** Where the first record of such a file may begin. */
export function firstRecordAt(block: number): number {
  return block >= LOG_BIT ? LOG_HEADER_BYTES : BLOCK_HEADER_BYTES;
}

const PUBLISHED = 1;
const OWN = 2;

export interface BlockHeader {
  /** Who its artifacts are of: 16 bytes. */
  readonly domain: Uint8Array;
  readonly number: number;
  readonly isPublished: boolean;
  /** Whether it is for one record. */
  readonly isOwn: boolean;
  readonly seed: number;
}

export function encodeBlockHeader({ domain, number, isPublished, isOwn, seed }: BlockHeader): Uint8Array {
  const bytes = new Uint8Array(BLOCK_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  writePreamble(view, Magic.BLOCK);
  bytes.set(domain, PREAMBLE_BYTES);
  setU64(view, 32, number);
  view.setUint32(40, (isPublished ? PUBLISHED : 0) | (isOwn ? OWN : 0), true);
  view.setUint32(44, seed, true);
  view.setUint32(60, crc32Of(bytes, 0, 60, 0), true);
  return bytes;
}

/** Undefined for a damaged one; a later version, and features that are not known, throw ASL-VERSION. */
export function decodeBlockHeader(bytes: Uint8Array, file: string): BlockHeader | undefined {
  if (bytes.length < BLOCK_HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, BLOCK_HEADER_BYTES);
  if (view.getUint32(60, true) !== crc32Of(bytes, 0, 60, 0) || !readPreamble(view, Magic.BLOCK, file)) return undefined;
  const flags = view.getUint32(40, true);
  return {
    domain: copyOf(bytes, PREAMBLE_BYTES, 32),
    number: getU64(view, 32),
    isPublished: (flags & PUBLISHED) !== 0,
    isOwn: (flags & OWN) !== 0,
    seed: view.getUint32(44, true),
  };
}

/** "ABFT". */
const FOOTER_MAGIC = 0x5446_4241;

/** The footer of a block whose records end at `end`, where it begins. */
export function encodeBlockFooter(end: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(BLOCK_FOOTER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, FOOTER_MAGIC, true);
  setU64(view, 16, end);
  view.setUint32(4, crc32Of(bytes, 8, BLOCK_FOOTER_BYTES, seed), true);
  return bytes;
}

/** Whether these bytes, from `offset` of a file to its end, are the footer of a block of this store. */
export function isBlockFooter(bytes: Uint8Array, at: number, offset: number, seed: number): boolean {
  if (bytes.length < at + BLOCK_FOOTER_BYTES) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, BLOCK_FOOTER_BYTES);
  if (view.getUint32(0, true) !== FOOTER_MAGIC || getU64(view, 16) !== offset) return false;
  return view.getUint32(4, true) === crc32Of(bytes, at + 8, at + BLOCK_FOOTER_BYTES, seed);
}
