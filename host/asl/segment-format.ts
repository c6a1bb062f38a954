/** The parts of a segment's file (spec ASL-SEGMENT): header, pages, sections, trailer. */
import { cryptoOf } from "../assets/hash.ts";
import { crc32Of } from "./checksum.ts";
import { AslError } from "./errors.ts";
import { getU64, Magic, numbered, readPreamble, setU64, writePreamble } from "./format.ts";
import { ROW_WORDS } from "./index-rows.ts";

export const INDEX_FOLDER = "index";
export const SEGMENT_EXTENSION = "seg";

export function segmentPath(number: number): string {
  return numbered(INDEX_FOLDER, number, SEGMENT_EXTENSION);
}

/** What a checkpoint names. */
export interface SegmentEntry {
  readonly number: number;
  /** Rows. */
  readonly count: number;
  /** Positions of the first and the last of its rows. */
  readonly firstPosition: number;
  readonly lastPosition: number;
  /** Length of the file. */
  readonly bytes: number;
  /** SHA-256 of its trailer. */
  readonly digest: Uint8Array;
}

/**
 * A page: four words that say which it is, the first words of its rows' digests, the rows. Larger pages take less memory for the
 * directory; reading and verifying one of 4,096 bytes for a lookup took a fifth longer.
 */
export const PAGE_BYTES = 2048;
export const PAGE_WORDS: number = PAGE_BYTES / 4;
export const PAGE_ROWS = 29;
export const PAGE_HIS = 4;
const PAGE_FIRST_ROW = PAGE_HIS + PAGE_ROWS;

/** Where in a page the row is. */
export function rowAt(index: number): number {
  return PAGE_FIRST_ROW + index * ROW_WORDS;
}

export function pagesOf(count: number): number {
  return Math.ceil(count / PAGE_ROWS);
}

/** Where in the file a page is. The header has the room of one. */
export function pageOffset(page: number): number {
  return (page + 1) * PAGE_BYTES;
}

/** Filters are of at most about so many keys each, so that making one needs little memory, and stays in the processor's cache. */
const SHARD_KEYS = 2 ** 18;

/** How many first bits the keys of one filter share. */
export function shardBitsOf(count: number): number {
  return count <= SHARD_KEYS ? 0 : Math.ceil(Math.log2(count / SHARD_KEYS));
}

export const HEADER_BYTES = 128;

export interface SegmentHeader {
  readonly number: number;
  readonly count: number;
  readonly firstPosition: number;
  readonly lastPosition: number;
}

/** The checksum at its end also begins those of the pages. */
export function encodeHeader(
  header: SegmentHeader,
  seed: number,
): { readonly bytes: Uint8Array; readonly crc: number } {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  writePreamble(view, Magic.INDEX);
  setU64(view, 16, header.number);
  setU64(view, 24, header.count);
  setU64(view, 32, header.firstPosition);
  setU64(view, 40, header.lastPosition);
  view.setUint32(48, PAGE_BYTES, true);
  view.setUint32(52, PAGE_ROWS, true);
  view.setUint32(56, pagesOf(header.count), true);
  view.setUint32(60, shardBitsOf(header.count), true);
  const crc = crc32Of(bytes, 0, HEADER_BYTES - 4, seed);
  view.setUint32(HEADER_BYTES - 4, crc, true);
  return { bytes, crc };
}

/** Those of the locator may be missing. */
export const SectionKind = { DIRECTORY: 1, FILTERS: 2, LOCATOR: 3, LOCATOR_HEAD: 4 } as const;

/** Of a section's kind: who does not know it must not use the segment. */
const REQUIRED = 0x8000_0000;

export interface Section {
  readonly kind: number;
  readonly crc: number;
  readonly offset: number;
  readonly length: number;
}

export const TRAILER_BYTES = 256;
const TRAILER_MAGIC = 0x4458_4941;
const SECTIONS_AT = 48;
const SECTION_BYTES = 32;
const MOST_SECTIONS = 6;

export function encodeTrailer(
  { number, count }: SegmentHeader,
  headerCrc: number,
  sections: readonly Section[],
  fileBytes: number,
  seed: number,
): Uint8Array {
  const bytes = new Uint8Array(TRAILER_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, TRAILER_MAGIC, true);
  setU64(view, 8, fileBytes);
  setU64(view, 16, number);
  setU64(view, 24, count);
  view.setUint32(32, headerCrc, true);
  view.setUint32(36, sections.length, true);
  sections.forEach(({ kind, crc, offset, length }, k) => {
    const at = SECTIONS_AT + k * SECTION_BYTES;
    view.setUint32(at, kind, true);
    view.setUint32(at + 4, crc, true);
    setU64(view, at + 8, offset);
    setU64(view, at + 16, length);
  });
  view.setUint32(4, crc32Of(bytes, 8, TRAILER_BYTES, seed), true);
  return bytes;
}

export function digestOfTrailer(trailer: Uint8Array): Uint8Array {
  return cryptoOf().hash("sha256", trailer, "buffer");
}

/**
 * Reads what stands at both ends of a segment, and that it is the one that `entry` names. What it says of sections lies within the file.
 * Throws ASL-INDEX-DAMAGED or ASL-VERSION.
 */
export function decodeEnds(
  header: Uint8Array,
  trailer: Uint8Array,
  entry: SegmentEntry,
  seed: number,
): { readonly headerCrc: number; readonly sections: readonly Section[] } {
  const file = segmentPath(entry.number);
  const tail = new DataView(trailer.buffer, trailer.byteOffset, trailer.length);
  const trailerAt = entry.bytes - TRAILER_BYTES;
  const digest = digestOfTrailer(trailer);
  if (tail.getUint32(4, true) !== crc32Of(trailer, 8, TRAILER_BYTES, seed) || tail.getUint32(0, true) !== TRAILER_MAGIC)
    throw new AslError("ASL-INDEX-DAMAGED", "the trailer is not as it was written", { file, offset: trailerAt });
  if (!digest.every((byte, k) => byte === entry.digest[k]))
    throw new AslError("ASL-INDEX-DAMAGED", "it is another segment than the checkpoint names", {
      file,
      offset: trailerAt,
    });
  const expected = encodeHeader(entry, seed);
  const head = new DataView(header.buffer, header.byteOffset, header.length);
  const headerCrc = head.getUint32(HEADER_BYTES - 4, true);
  if (headerCrc !== crc32Of(header, 0, HEADER_BYTES - 4, seed) || headerCrc !== tail.getUint32(32, true))
    throw new AslError("ASL-INDEX-DAMAGED", "the header is not as it was written", { file, offset: 0 });
  readPreamble(head, Magic.INDEX, file);
  if (!expected.bytes.every((byte, k) => byte === header[k]) || getU64(tail, 8) !== entry.bytes)
    throw new AslError("ASL-INDEX-DAMAGED", "it is another segment than the checkpoint names", { file, offset: 0 });
  const count = tail.getUint32(36, true);
  const sections: Section[] = [];
  let end = pageOffset(pagesOf(entry.count));
  for (let k = 0; k < count; k++) {
    const at = SECTIONS_AT + k * SECTION_BYTES;
    const kind = count > MOST_SECTIONS ? 0 : tail.getUint32(at, true);
    const section: Section = {
      kind,
      crc: kind === 0 ? 0 : tail.getUint32(at + 4, true),
      offset: kind === 0 ? -1 : getU64(tail, at + 8),
      length: kind === 0 ? -1 : getU64(tail, at + 16),
    };
    if (section.offset < end || section.length < 0 || section.offset + section.length > trailerAt)
      throw new AslError("ASL-INDEX-DAMAGED", "its sections do not lie within it", { file, offset: trailerAt + at });
    if (kind >= REQUIRED)
      throw new AslError("ASL-VERSION", `it requires a section of kind ${kind - REQUIRED}, which is not known`, {
        file,
        offset: trailerAt + at,
      });
    end = section.offset + section.length;
    sections.push(section);
  }
  return { headerCrc, sections };
}
