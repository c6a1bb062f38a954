/** Rows: what the index says of an artifact, or of a binding, at a position of the log (spec ASL-INDEX). */
import { DIGEST_BYTES, digestInto } from "./key.ts";

/** What a row says. PUT and TOMBSTONE are of artifacts, BINDING and UNBINDING of bindings: two classes, whose keys never meet. */
export const RowKind = { PUT: 1, TOMBSTONE: 2, BINDING: 3, UNBINDING: 4 } as const;
export type RowKind = (typeof RowKind)[keyof typeof RowKind];

/** As in entries of the log. */
export const RowFlag = {
  HAS_TAG: 1,
  PUBLISHED: 2,
  CHUNKED: 4,
} as const;

const BINDING = Buffer.from("ASL-BINDING");
/** What is hashed for a name: that, the namespace and the name. Reused. */
const bound: Buffer = Buffer.concat([BINDING, Buffer.alloc(4 + DIGEST_BYTES)]);

const boundDigest: Buffer = Buffer.alloc(DIGEST_BYTES);

/** What stands for a name of a namespace in the index (spec ASL-INDEX-2). Good until the next call. */
export function bindingDigest(namespace: number, name: Uint8Array): Uint8Array {
  bound.writeUInt32LE(namespace, BINDING.length);
  bound.set(name, BINDING.length + 4);
  digestInto(1, bound, boundDigest, 0);
  return boundDigest;
}

/** Offsets of records are multiples of it. */
export const OFFSET_UNIT = 8;

/** A row. Reused by whoever asks: rows of a scan or of a lookup are not made anew. */
export class Row {
  /** A {@link RowKind}; 0 in a row that holds nothing. */
  kind = 0;
  /** Of {@link RowFlag}, below 256. */
  flags = 0;
  /** Number of the digest's algorithm, 1 to 31. */
  algorithm = 0;
  /** Type tag: 0 without HAS_TAG. */
  tag = 0;
  /** Index of the domain, 0 for the store's own; below 2^16. */
  domain = 0;
  /** Index of where it comes from; below 2^16. */
  source = 0;
  /** Number of the block, or with bit 31 of the file of the log; below 2^32. */
  block = 0;
  /** Where the record is, in bytes: a multiple of 8, below 2^35. */
  offset = 0;
  /** Of the artifact in bytes, below 2^48. */
  length = 0;
  /** Where the log says it. */
  position = 0;
  logseq = 0;
  /** Of the artifact; of a binding, the digest of its namespace and name. */
  readonly digest: Uint8Array = new Uint8Array(DIGEST_BYTES);

  copy(): Row {
    const row = new Row();
    row.kind = this.kind;
    row.flags = this.flags;
    row.algorithm = this.algorithm;
    row.tag = this.tag;
    row.domain = this.domain;
    row.source = this.source;
    row.block = this.block;
    row.offset = this.offset;
    row.length = this.length;
    row.position = this.position;
    row.logseq = this.logseq;
    row.digest.set(this.digest);
    return row;
  }
}

/**
 * A row as 17 words of 32 bits, in memory as on disk (spec ASL-SEGMENT-6): the first word of its digest, which stands apart with those of
 * its neighbours to be searched, and these 16. Words of a digest are read big-endian, so that they order as the bytes do.
 */
export const ROW_WORDS = 16;
/** Where in them what is: words 1 to 7 of the digest come first. */
export const RowWord = {
  BLOCK: 7,
  OFFSET: 8,
  LENGTH: 9,
  /** Bits 32 to 47 of the length, and above them what {@link metaOf} makes. */
  META: 10,
  TAG: 11,
  /** The domain, and the source above it. */
  DOMAIN: 12,
  /** Above the first position of the table or segment. */
  POSITION: 13,
  LOGSEQ: 14,
} as const;

/** Words of a key to look for: the digest, and its {@link rankOf}. */
export const KEY_WORDS = 9;

/** Takes a key apart. */
export function readKey(
  into: Uint32Array,
  isBinding: boolean,
  algorithm: number,
  digest: Uint8Array,
  at: number,
): void {
  readDigest(into, digest, at);
  into[8] = algorithm * 2 + (isBinding ? 1 : 0);
}

export function readDigest(into: Uint32Array, digest: Uint8Array, at: number): void {
  for (let k = 0; k < 8; k++, at += 4)
    into[k] = (digest[at]! << 24) | (digest[at + 1]! << 16) | (digest[at + 2]! << 8) | digest[at + 3]!;
}

/** Kind, flags and algorithm in 16 bits. */
function metaOf(row: Row): number {
  return row.kind | (row.flags << 3) | (row.algorithm << 11);
}

/** What orders rows of one digest: the algorithm, then the class. Of the word at META. */
export function rankOf(meta: number): number {
  return ((meta >>> 27) << 1) | (((meta >>> 16) & 7) >= RowKind.BINDING ? 1 : 0);
}

/** How a key and a row order whose first words are the same. */
export function compareKey(key: Uint32Array, words: Uint32Array, at: number): number {
  for (let k = 1; k < 8; k++) if (key[k] !== words[at + k - 1]) return key[k]! - words[at + k - 1]!;
  return key[8]! - rankOf(words[at + RowWord.META]!);
}

/** How the keys of two rows order whose first words are the same. */
export function compareRows(left: Uint32Array, at: number, right: Uint32Array, from: number): number {
  for (let k = 0; k < 7; k++) if (left[at + k] !== right[from + k]) return left[at + k]! - right[from + k]!;
  return rankOf(left[at + RowWord.META]!) - rankOf(right[from + RowWord.META]!);
}

/** Writes all of a row but its digest. `base` is the position that others are counted from. */
export function packRow(row: Row, words: Uint32Array, at: number, base: number): void {
  words[at + RowWord.BLOCK] = row.block;
  words[at + RowWord.OFFSET] = row.offset / OFFSET_UNIT;
  words[at + RowWord.LENGTH] = row.length;
  words[at + RowWord.META] = Math.floor(row.length / 2 ** 32) | (metaOf(row) << 16);
  words[at + RowWord.TAG] = row.tag;
  words[at + RowWord.DOMAIN] = row.domain | (row.source << 16);
  words[at + RowWord.POSITION] = row.position - base;
  words[at + RowWord.LOGSEQ] = row.logseq;
  words[at + RowWord.LOGSEQ + 1] = Math.floor(row.logseq / 2 ** 32);
}

/** Reads all of a row but its digest. */
export function unpackRow(into: Row, words: Uint32Array, at: number, base: number): void {
  const meta = words[at + RowWord.META]!;
  into.kind = (meta >>> 16) & 7;
  into.flags = (meta >>> 19) & 255;
  into.algorithm = meta >>> 27;
  into.block = words[at + RowWord.BLOCK]!;
  into.offset = words[at + RowWord.OFFSET]! * OFFSET_UNIT;
  into.length = words[at + RowWord.LENGTH]! + (meta & 0xffff) * 2 ** 32;
  into.tag = words[at + RowWord.TAG]!;
  const domain = words[at + RowWord.DOMAIN]!;
  into.domain = domain & 0xffff;
  into.source = domain >>> 16;
  into.position = base + words[at + RowWord.POSITION]!;
  into.logseq = words[at + RowWord.LOGSEQ]! + words[at + RowWord.LOGSEQ + 1]! * 2 ** 32;
}

/** Reads the digest of a row. */
export function unpackDigest(into: Row, hi: number, words: Uint32Array, at: number): void {
  const { digest } = into;
  writeWord(digest, 0, hi);
  for (let k = 0; k < 7; k++) writeWord(digest, 4 * k + 4, words[at + k]!);
}

function writeWord(bytes: Uint8Array, at: number, word: number): void {
  bytes[at] = word >>> 24;
  bytes[at + 1] = word >>> 16;
  bytes[at + 2] = word >>> 8;
  bytes[at + 3] = word;
}
