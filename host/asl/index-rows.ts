/** Rows: what the index says of an artifact, or of a binding, at a position of the log (spec ASL-INDEX). */
import { DIGEST_BYTES } from "./key.ts";

/** What a row says. PUT and TOMBSTONE are of artifacts, BINDING and UNBINDING of bindings: two classes, whose keys never meet. */
export const RowKind = { PUT: 1, TOMBSTONE: 2, BINDING: 3, UNBINDING: 4 } as const;
export type RowKind = (typeof RowKind)[keyof typeof RowKind];

/** As in entries of the log. */
export const RowFlag = {
  HAS_TAG: 1,
  PUBLISHED: 2,
  CHUNKED: 4,
} as const;

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
