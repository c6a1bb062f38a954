/** Reads a segment of the index from its specification (22) alone: all of it, and every sum and order in it is checked. */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";

/** A row of the index: what it says of an artifact or a binding. */
export interface IndexRow {
  readonly isBinding: boolean;
  /** A tombstone, or a binding that was removed. */
  readonly isRemoval: boolean;
  readonly flags: number;
  readonly algorithm: number;
  readonly digest: Buffer;
  readonly tag: number;
  readonly domain: number;
  readonly source: number;
  readonly block: number;
  readonly offset: number;
  readonly length: number;
  readonly position: number;
  readonly logseq: number;
}

const PAGE = 2048;
const ROWS = 29;
const CHUNK_ROWS = 14_848;
const TRAILER = 256;
const BOUNDS = [64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 4096, 8192, 16_384, 32_768];

function must(isSo: boolean, what: string): asserts isSo {
  if (!isSo) throw new Error(`second reader: segment: ${what}`);
}
function u64(bytes: Buffer, at: number): number {
  const number = bytes.readBigUInt64LE(at);
  must(number < 2n ** 53n, `a number is ${number}`);
  return Number(number);
}
function mustBeZero(bytes: Buffer, from: number, to: number): void {
  for (let at = from; at < to; at++) must(bytes[at] === 0, `byte ${at} is not zero`);
}
const times = Math.imul;
function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}
/** XXH32, as its specification has it, of a multiple of 16 bytes. */
function xxh32(bytes: Buffer, seed: number): number {
  const lanes = [seed + 0x9e37_79b1 + 0x85eb_ca77, seed + 0x85eb_ca77, seed, seed - 0x9e37_79b1];
  for (let at = 0; at < bytes.length; at += 4) {
    const lane = (at / 4) % 4;
    const sum = (lanes[lane]! + times(bytes.readInt32LE(at), 0x85eb_ca77)) | 0;
    lanes[lane] = times(rotate(sum, 13), 0x9e37_79b1);
  }
  let hash = rotate(lanes[0]!, 1) + rotate(lanes[1]!, 7) + rotate(lanes[2]!, 12) + rotate(lanes[3]!, 18);
  hash = (hash + bytes.length) | 0;
  hash = times(hash ^ (hash >>> 15), 0x85eb_ca77);
  hash = times(hash ^ (hash >>> 13), 0xc2b2_ae3d);
  return (hash ^ (hash >>> 16)) >>> 0;
}

interface Head {
  readonly count: number;
  readonly base: number;
  readonly highest: number;
  readonly pages: number;
  readonly shardBits: number;
  readonly check: number;
}
interface Sections {
  readonly directory: Buffer;
  readonly filters: Buffer;
  readonly locator: Buffer | undefined;
  readonly locatorHead: Buffer | undefined;
}

/** All rows of a segment, in its order. `digest` is that of its trailer, as the checkpoint says. */
export function readSegment(bytes: Buffer, number: number, seed: number, digest: Buffer): IndexRow[] {
  const head = readHead(bytes, number, seed);
  const sections = readSections(bytes, number, seed, digest, head);
  const rows: IndexRow[] = [];
  for (let page = 0; page < head.pages; page++) rows.push(...readPage(bytes, page, number, head, sections.directory));
  for (const [k, row] of rows.slice(1).entries())
    must(compareRows(rows[k]!, row) < 0, `rows ${k} and ${k + 1} are in order`);
  const positions = rows.map(({ position }) => position);
  must(Math.min(...positions) === head.base && Math.max(...positions) === head.highest, "positions of the header");
  checkFilters(sections.filters, rows, head);
  must((sections.locator === undefined) === (sections.locatorHead === undefined), "a locator has two sections");
  if (sections.locator !== undefined) checkLocator(sections.locator, sections.locatorHead!, rows, head);
  return rows;
}
/** ASL-SEGMENT-2. */
function readHead(bytes: Buffer, number: number, seed: number): Head {
  must(bytes.length >= 2 * PAGE + TRAILER, "length");
  must(bytes.subarray(0, 8).equals(Buffer.of(0x89, 0x41, 0x53, 0x58, 13, 10, 26, 10)), "magic");
  must(bytes.readUInt32LE(8) === 1 && bytes.readUInt32LE(12) === 0, "version and features");
  must(u64(bytes, 16) === number, "number");
  const count = u64(bytes, 24);
  const pages = bytes.readUInt32LE(56);
  must(bytes.readUInt32LE(48) === PAGE && bytes.readUInt32LE(52) === ROWS, "sizes of pages");
  must(count >= 1 && pages === Math.ceil(count / ROWS), "count of pages");
  const shardBits = bytes.readUInt32LE(60);
  must(shardBits === (count <= 2 ** 18 ? 0 : Math.ceil(Math.log2(count / 2 ** 18))), "shard bits");
  mustBeZero(bytes, 64, 124);
  mustBeZero(bytes, 128, PAGE);
  const check = bytes.readUInt32LE(124);
  must(check === crc32(bytes.subarray(0, 124), seed), "checksum of the header");
  return { count, base: u64(bytes, 32), highest: u64(bytes, 40), pages, shardBits, check };
}
/** ASL-SEGMENT-1 and ASL-SEGMENT-11. */
function readSections(bytes: Buffer, number: number, seed: number, digest: Buffer, head: Head): Sections {
  const end = bytes.length - TRAILER;
  const trailer = bytes.subarray(end);
  must(createHash("sha256").update(trailer).digest().equals(digest), "digest of the trailer");
  must(trailer.readUInt32LE(0) === 0x4458_4941, "magic of the trailer");
  must(trailer.readUInt32LE(4) === crc32(trailer.subarray(8), seed), "checksum of the trailer");
  must(u64(trailer, 8) === bytes.length && u64(trailer, 16) === number, "what the trailer says of the file");
  must(
    u64(trailer, 24) === head.count && trailer.readUInt32LE(32) === head.check,
    "what the trailer says of the header",
  );
  const count = trailer.readUInt32LE(36);
  must(count <= 6, "sections");
  mustBeZero(trailer, 40, 48);
  mustBeZero(trailer, 48 + 32 * count, TRAILER);
  const sections = new Map<number, Buffer>();
  let at = (head.pages + 1) * PAGE;
  for (let k = 48; k < 48 + 32 * count; k += 32) {
    const [offset, length] = [u64(trailer, k + 8), u64(trailer, k + 16)];
    mustBeZero(trailer, k + 24, k + 32);
    must(offset >= at && offset + length <= end, "a section lies where it can");
    mustBeZero(bytes, at, offset);
    at = offset + length;
    const section = bytes.subarray(offset, at);
    must(trailer.readUInt32LE(k + 4) === crc32(section), "checksum of a section");
    const kind = trailer.readUInt32LE(k);
    must(!sections.has(kind) && kind < 0x8000_0000, `section of kind ${kind}`);
    sections.set(kind, section);
  }
  must(end - at < 8, "zeros before the trailer");
  mustBeZero(bytes, at, end);
  const [directory, filters] = [sections.get(1), sections.get(2)];
  must(directory?.length === 8 * head.pages && filters !== undefined, "directory and filters");
  return { directory, filters, locator: sections.get(3), locatorHead: sections.get(4) };
}
/** ASL-SEGMENT-4 to ASL-SEGMENT-7. */
function readPage(bytes: Buffer, page: number, number: number, head: Head, directory: Buffer): IndexRow[] {
  const at = (page + 1) * PAGE;
  const words = bytes.subarray(at, at + PAGE);
  const word = (index: number): number => words.readUInt32LE(4 * index);
  must(directory.readUInt32LE(4 * (head.pages + page)) === xxh32(words, head.check ^ page), `checksum of page ${page}`);
  const count = Math.min(ROWS, head.count - ROWS * page);
  must(word(0) === page && word(1) === number % 2 ** 32 && word(2) === count && word(3) === 0, `page ${page}`);
  must(directory.readUInt32LE(4 * page) === word(4), `first word of page ${page}`);
  mustBeZero(words, 4 * (4 + count), 4 * 33);
  mustBeZero(words, 4 * (33 + 16 * count), PAGE);
  return Array.from({ length: count }, (_, i) => {
    const from = 33 + 16 * i;
    const digest = Buffer.alloc(32);
    digest.writeUInt32BE(word(4 + i), 0);
    for (let k = 0; k < 7; k++) digest.writeUInt32BE(word(from + k), 4 * (k + 1));
    const mixed = word(from + 10);
    const kind = (mixed >>> 16) & 7;
    must(kind >= 1 && kind <= 4, `kind ${kind}`);
    return {
      isBinding: kind >= 3,
      isRemoval: kind === 2 || kind === 4,
      flags: (mixed >>> 19) & 0xff,
      algorithm: mixed >>> 27,
      digest,
      tag: word(from + 11),
      domain: word(from + 12) & 0xffff,
      source: word(from + 12) >>> 16,
      block: word(from + 7),
      offset: word(from + 8) * 8,
      length: word(from + 9) + (mixed & 0xffff) * 2 ** 32,
      position: head.base + word(from + 13),
      logseq: word(from + 14) + word(from + 15) * 2 ** 32,
    };
  });
}
function compareRows(left: IndexRow, right: IndexRow): number {
  return (
    Buffer.compare(left.digest, right.digest) ||
    left.algorithm - right.algorithm ||
    Number(left.isBinding) - Number(right.isBinding) ||
    left.position - right.position
  );
}
/** ASL-SEGMENT-9: every row passes. */
function checkFilters(section: Buffer, rows: readonly IndexRow[], { shardBits }: Head): void {
  const shards = 2 ** shardBits;
  const bytes = section.subarray(16 * shards);
  let next = 0;
  const lines = Array.from({ length: shards }, (_, shard) => {
    const [from, places, form, seed] = [0, 4, 8, 12].map((at) => section.readUInt32LE(16 * shard + at)) as [
      number,
      number,
      number,
      number,
    ];
    const [mode, width] = [form & 0xff, form >>> 8];
    must(mode <= 3 && width <= 16, "mode of a filter");
    if (mode === 0 || mode === 3) must(places === 0 && width === 0 && seed === 0, "a filter without bytes");
    else {
      must(from === next && places > 0 && places % 2 ** width === 0, "places of a filter");
      next = from + places + 2 * 2 ** width;
    }
    return { from, places, mode, width, seed };
  });
  must(next === bytes.length, "filters have the bytes of their section");
  for (const { digest } of rows) {
    const h = digest.readUInt32BE(0);
    const l = digest.readUInt32BE(4);
    const { from, places, mode, width, seed } = lines[shardBits === 0 ? 0 : h >>> (32 - shardBits)]!;
    must(mode !== 3, "a filter of no keys has none");
    if (mode === 0) continue;
    let m = times(l ^ times(h ^ seed, 0x9e37_79b1), 0x85eb_ca77);
    m ^= m >>> 15;
    m = times(m + h, 0xc2b2_ae3d);
    m ^= m >>> 13;
    m = times(m, 0x27d4_eb2f);
    const a = (m ^ (m >>> 16)) >>> 0;
    m = times(a ^ l, 0x1656_67b1);
    const b = (m ^ (m >>> 15)) >>> 0;
    const w = 2 ** width;
    const start = mode === 1 ? (h << shardBits) >>> 0 : b;
    const first = Number((BigInt(start) * BigInt(places)) >> 32n);
    const second = (first + w) ^ (a % w);
    const third = (first + 2 * w) ^ ((a >>> 16) % w);
    const mark = bytes[from + first]! ^ bytes[from + second]! ^ bytes[from + third]!;
    must(mark === ((b ^ (a >>> 24)) & 0xff), "a row passes its filter");
  }
}
/** ASL-SEGMENT-10: every hint names the place of its row. */
function checkLocator(section: Buffer, head: Buffer, rows: readonly IndexRow[], { check }: Head): void {
  const [blocks, chunks] = [head.readUInt32LE(0), head.readUInt32LE(4)];
  must(blocks <= 512 && chunks === Math.ceil(rows.length / CHUNK_ROWS), "counts of the locator");
  must(head.length === 8 + 4 * blocks + 4 * chunks, "length of the locator's head");
  let at = 0;
  for (let chunk = 0; chunk < chunks; chunk++) {
    const inChunk = rows.slice(chunk * CHUNK_ROWS, (chunk + 1) * CHUNK_ROWS);
    const used = 6 * inChunk.length;
    const bytes = section.subarray(at, at + Math.ceil(used / 8) * 8);
    at += bytes.length;
    must(head.readUInt32LE(8 + 4 * blocks + 4 * chunk) === crc32(bytes, check), `checksum of chunk ${chunk}`);
    mustBeZero(bytes, used, bytes.length);
    for (const [k, row] of inChunk.entries()) {
      const mark = bytes.readUInt16LE(4 * inChunk.length + 2 * k);
      must(mark >>> 4 === (row.digest.readUInt32BE(4) & 0xfff), "a mark");
      const bound = mark & 15;
      const place = bytes.readUInt32LE(4 * k);
      if (bound === 15) continue;
      const index = chunk * CHUNK_ROWS + k;
      // Across pages nobody takes a hint: a key that a page begins with is looked for in the page.
      const page = Math.floor(index / ROWS);
      const isAlone = ![index - 1, index + 1].some(
        (other) => Math.floor(other / ROWS) === page && rows[other]?.digest.equals(row.digest) === true,
      );
      must(isAlone && !row.isBinding && !row.isRemoval && (row.flags & 4) === 0, "a row that may have a hint");
      must(BOUNDS.findIndex((most) => row.length <= most) === bound, "the bound of a hint");
      const block = head.readUInt32LE(8 + 4 * Math.floor(place / 2 ** 23));
      must(block === row.block && (place % 2 ** 23) * 8 === row.offset, "the place of a hint");
    }
  }
  must(at === section.length, "length of the locator");
}
