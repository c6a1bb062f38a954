/**
 * The frames of the log (spec ASL-LOG): a header of fixed size, which the hash chain covers and which holds the digest of the body; and
 * the body: extents of blocks, entries, records inline.
 */
import { digestOf } from "../assets/hash.ts";
import { crc32Of } from "./checksum.ts";
import { AslError } from "./errors.ts";
import { getU64, setU64 } from "./format.ts";
import { DIGEST_BYTES } from "./key.ts";

export const FRAME_BYTES = 192;
export const EXTENT_BYTES = 56;
const FRAME_MAGIC = 0x4d52_4641;

/** Most bytes of a body: what claims to be more is damage. */
export const BODY_BYTES: number = 1024 * 1024 * 1024;

export const EntryKind = {
  PUT: 1,
  TOMBSTONE: 2,
  PUBLISH: 3,
  BINDING: 4,
  PIN: 6,
  SNAPSHOT: 7,
  DROP: 8,
  DOMAIN: 9,
  REFERENCES: 10,
  LOST: 11,
} as const;
export type EntryKind = (typeof EntryKind)[keyof typeof EntryKind];

export const EntryFlag = { HAS_TAG: 1, CHUNKED: 4, REMOVED: 64, REQUIRED: 128 } as const;

/** What a DROP drops. */
export const Dropped = { SNAPSHOT: 1, PIN: 2 } as const;

/** Sizes of entries; those that end in a text have what comes before it, and are padded to a multiple of 8. */
export const PUT_BYTES = 80;
export const TOMBSTONE_BYTES = 56;
export const BINDING_BYTES = 96;
/** Where a binding has the seeded CRC-32 of what is before it. */
export const BINDING_CRC_AT = 88;
const PIN_BYTES = 48;
const NAME_BYTES = 16;
const DOMAIN_BYTES = 32;
const LOST_BYTES = 8;

/** Fields of the header of a frame. */
export interface FrameHeader {
  readonly isPublished: boolean;
  /** The blocks that it names were on disk when it was written. */
  readonly isDurable: boolean;
  readonly bodyBytes: number;
  readonly entries: number;
  readonly extents: number;
  readonly entriesBytes: number;
  readonly firstPosition: number;
  readonly epoch: number;
  /** Up to where the log file was on disk when the frame was written. */
  readonly synced: number;
  readonly log: number;
  readonly offset: number;
  /** Highest logseq of the domain behind it. */
  readonly logseq: number;
}

/** Writes the header at `at` of `bytes`; the hash before and the nonce are copied. */
export function writeFrameHeader(
  bytes: Buffer,
  at: number,
  header: FrameHeader,
  nonce: Uint8Array,
  before: Uint8Array,
  bodyDigest: Uint8Array,
  seed: number,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, FRAME_BYTES);
  bytes.fill(0, at, at + FRAME_BYTES);
  view.setUint32(0, FRAME_MAGIC, true);
  view.setUint8(12, header.isPublished ? 1 : 0);
  view.setUint8(13, header.isDurable ? 1 : 0);
  setU64(view, 16, header.bodyBytes);
  view.setUint32(24, header.entries, true);
  view.setUint32(28, header.extents, true);
  setU64(view, 32, header.entriesBytes);
  setU64(view, 40, header.firstPosition);
  setU64(view, 48, header.epoch);
  setU64(view, 56, header.synced);
  setU64(view, 64, header.log);
  setU64(view, 72, header.offset);
  setU64(view, 80, header.logseq);
  bytes.set(nonce, at + 88);
  bytes.set(before, at + 96);
  bytes.set(bodyDigest, at + 128);
  view.setUint32(4, crc32Of(bytes, at + 8, at + FRAME_BYTES, seed), true);
}

/** The header at `at`; undefined if none is there. It belongs to the file of this nonce. Throws ASL-VERSION. */
export function readFrameHeader(
  bytes: Buffer,
  at: number,
  nonce: Uint8Array,
  seed: number,
  file: string,
): FrameHeader | undefined {
  if (bytes.readUInt32LE(at) !== FRAME_MAGIC) return undefined;
  if (bytes.readUInt32LE(at + 4) !== crc32Of(bytes, at + 8, at + FRAME_BYTES, seed)) return undefined;
  for (let k = 0; k < nonce.length; k++) if (bytes[at + 88 + k] !== nonce[k]) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, FRAME_BYTES);
  const features = view.getUint32(8, true);
  const header: FrameHeader = {
    isPublished: view.getUint8(12) === 1,
    isDurable: view.getUint8(13) === 1,
    bodyBytes: getU64(view, 16),
    entries: view.getUint32(24, true),
    extents: view.getUint32(28, true),
    entriesBytes: getU64(view, 32),
    firstPosition: getU64(view, 40),
    epoch: getU64(view, 48),
    synced: getU64(view, 56),
    log: getU64(view, 64),
    offset: getU64(view, 72),
    logseq: getU64(view, 80),
  };
  if (features !== 0)
    throw new AslError("ASL-VERSION", `a frame requires features 0x${features.toString(16)} that are not known`, {
      file,
      offset: header.offset,
    });
  const least = header.extents * EXTENT_BYTES + header.entriesBytes;
  const isSound =
    view.getUint8(12) <= 1 &&
    view.getUint8(13) <= 1 &&
    header.bodyBytes % 8 === 0 &&
    header.entriesBytes >= header.entries * 8 &&
    header.bodyBytes >= least &&
    header.firstPosition > 0;
  return isSound ? header : undefined;
}

/** Bytes of a block that a frame answers for. */
export interface Extent {
  readonly block: number;
  readonly start: number;
  readonly end: number;
  readonly digest: Uint8Array;
  /** Nothing more comes to the block. */
  readonly isSealed: boolean;
}

export function writeExtent(bytes: Buffer, at: number, { block, start, end, digest, isSealed }: Extent): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, EXTENT_BYTES);
  view.setUint32(0, block, true);
  view.setUint32(4, isSealed ? 1 : 0, true);
  setU64(view, 8, start);
  setU64(view, 16, end);
  bytes.set(digest, at + 24);
}

export function readExtent(bytes: Buffer, at: number): Extent {
  return {
    block: bytes.readUInt32LE(at),
    start: bytes.readUInt32LE(at + 12) * 2 ** 32 + bytes.readUInt32LE(at + 8),
    end: bytes.readUInt32LE(at + 20) * 2 ** 32 + bytes.readUInt32LE(at + 16),
    digest: new Uint8Array(bytes.subarray(at + 24, at + EXTENT_BYTES)),
    isSealed: bytes.readUInt32LE(at + 4) === 1,
  };
}

export function frameHash(bytes: Buffer, at: number): Uint8Array {
  return new Uint8Array(digestOf(bytes.subarray(at, at + FRAME_BYTES)));
}

/** An entry as `store.log()` tells it. */
export type Payload =
  | {
      readonly kind: "put" | "publish";
      readonly algorithm: number;
      readonly digest: Uint8Array;
      readonly typeTag: number | undefined;
      readonly isChunked: boolean;
      readonly domain: number;
      readonly source: number;
      readonly logseq: number;
      /** Number of the block; with {@link LOG_BIT} that of a log file. */
      readonly block: number;
      readonly offset: number;
      readonly length: number;
    }
  | { readonly kind: "tombstone"; readonly algorithm: number; readonly digest: Uint8Array; readonly logseq: number }
  | {
      readonly kind: "binding";
      readonly namespace: number;
      readonly name: Uint8Array;
      readonly algorithm: number;
      /** None: the binding is removed. */
      readonly digest: Uint8Array | undefined;
      readonly logseq: number;
    }
  | { readonly kind: "pin"; readonly algorithm: number; readonly digest: Uint8Array; readonly label: string }
  | { readonly kind: "snapshot"; readonly name: string }
  | { readonly kind: "drop"; readonly what: "snapshot" | "pin"; readonly name: string }
  | { readonly kind: "domain"; readonly index: number; readonly id: Uint8Array }
  | {
      readonly kind: "references";
      readonly algorithm: number;
      readonly digest: Uint8Array;
      readonly references: readonly Uint8Array[];
    }
  /** What had this position cannot be told any more: the store was made again. */
  | { readonly kind: "lost" }
  /** Of a later version, that asks for nothing. */
  | { readonly kind: "unknown"; readonly number: number };

/** Reads the entry at `at`, of `size` bytes, which is what its size says. Throws ASL-LOG-DAMAGED or ASL-VERSION. */
export function readEntry(bytes: Buffer, at: number, size: number, file: string, offset: number): Payload {
  const kind = bytes[at]!;
  const flags = bytes[at + 1]!;
  const damaged = (what: string): AslError => new AslError("ASL-LOG-DAMAGED", what, { file, offset });
  const digest = (from: number): Uint8Array => new Uint8Array(bytes.subarray(at + from, at + from + DIGEST_BYTES));
  const number = (from: number): number => {
    const high = bytes.readUInt32LE(at + from + 4);
    return high * 2 ** 32 + bytes.readUInt32LE(at + from);
  };
  const text = (from: number): string => {
    const length = bytes.readUInt32LE(at + 8);
    if (from + length > size || size - from - length >= 8) throw damaged("a text is not as long as its entry says");
    return bytes.toString("utf8", at + from, at + from + length);
  };
  const sized = (expected: number): void => {
    if (size !== expected) throw damaged(`an entry of kind ${kind} has ${size} bytes instead of ${expected}`);
  };
  const least = (expected: number): void => {
    if (size < expected) throw damaged(`an entry of kind ${kind} has ${size} bytes, fewer than ${expected}`);
  };
  switch (kind) {
    case EntryKind.PUT:
    case EntryKind.PUBLISH:
      sized(PUT_BYTES);
      return {
        kind: kind === EntryKind.PUT ? "put" : "publish",
        algorithm: bytes[at + 14]!,
        digest: digest(16),
        typeTag: (flags & EntryFlag.HAS_TAG) !== 0 ? bytes.readUInt32LE(at + 8) : undefined,
        isChunked: (flags & EntryFlag.CHUNKED) !== 0,
        domain: bytes.readUInt16LE(at + 2),
        source: bytes.readUInt16LE(at + 12),
        logseq: number(48),
        block: bytes.readUInt32LE(at + 56),
        offset: number(64),
        length: number(72),
      };
    case EntryKind.TOMBSTONE:
      sized(TOMBSTONE_BYTES);
      return { kind: "tombstone", algorithm: bytes[at + 14]!, digest: digest(16), logseq: number(48) };
    case EntryKind.BINDING:
      sized(BINDING_BYTES);
      return {
        kind: "binding",
        namespace: bytes.readUInt32LE(at + 8),
        algorithm: bytes[at + 14]!,
        name: digest(16),
        logseq: number(48),
        digest: (flags & EntryFlag.REMOVED) !== 0 ? undefined : digest(56),
      };
    case EntryKind.PIN:
      least(PIN_BYTES);
      return { kind: "pin", algorithm: bytes[at + 14]!, digest: digest(16), label: text(PIN_BYTES) };
    case EntryKind.SNAPSHOT:
      least(NAME_BYTES);
      return { kind: "snapshot", name: text(NAME_BYTES) };
    case EntryKind.DROP:
      least(NAME_BYTES);
      return { kind: "drop", what: bytes[at + 12] === Dropped.PIN ? "pin" : "snapshot", name: text(NAME_BYTES) };
    case EntryKind.DOMAIN:
      sized(DOMAIN_BYTES);
      return { kind: "domain", index: bytes.readUInt16LE(at + 8), id: digest(16).slice(0, 16) };
    case EntryKind.REFERENCES: {
      least(PIN_BYTES);
      const count = bytes.readUInt32LE(at + 8);
      sized(PIN_BYTES + count * DIGEST_BYTES);
      return {
        kind: "references",
        algorithm: bytes[at + 14]!,
        digest: digest(16),
        references: Array.from({ length: count }, (_, k) => digest(PIN_BYTES + k * DIGEST_BYTES)),
      };
    }
    case EntryKind.LOST:
      sized(LOST_BYTES);
      return { kind: "lost" };
    default:
      if ((flags & EntryFlag.REQUIRED) !== 0)
        throw new AslError("ASL-VERSION", `an entry of the unknown kind ${kind} has to be understood`, {
          file,
          offset,
        });
      return { kind: "unknown", number: kind };
  }
}

/** An entry that is no put and no tombstone, which are many, and written where they stand. */
export function encodeEntry(payload: Payload): Buffer {
  switch (payload.kind) {
    case "binding": {
      const bytes = entry(EntryKind.BINDING, BINDING_BYTES, payload.digest === undefined ? EntryFlag.REMOVED : 0);
      bytes.writeUInt32LE(payload.namespace, 8);
      bytes[14] = payload.algorithm;
      bytes.set(payload.name, 16);
      setU64(new DataView(bytes.buffer, bytes.byteOffset), 48, payload.logseq);
      if (payload.digest !== undefined) bytes.set(payload.digest, 56);
      return bytes;
    }
    case "pin": {
      const bytes = texted(EntryKind.PIN, PIN_BYTES, payload.label);
      bytes[14] = payload.algorithm;
      bytes.set(payload.digest, 16);
      return bytes;
    }
    case "snapshot":
      return texted(EntryKind.SNAPSHOT, NAME_BYTES, payload.name);
    case "drop": {
      const bytes = texted(EntryKind.DROP, NAME_BYTES, payload.name);
      bytes[12] = payload.what === "pin" ? Dropped.PIN : Dropped.SNAPSHOT;
      return bytes;
    }
    case "domain": {
      const bytes = entry(EntryKind.DOMAIN, DOMAIN_BYTES);
      bytes.writeUInt16LE(payload.index, 8);
      bytes.set(payload.id, 16);
      return bytes;
    }
    case "references": {
      const bytes = entry(EntryKind.REFERENCES, PIN_BYTES + payload.references.length * DIGEST_BYTES);
      bytes.writeUInt32LE(payload.references.length, 8);
      bytes[14] = payload.algorithm;
      bytes.set(payload.digest, 16);
      for (const [k, digest] of payload.references.entries()) bytes.set(digest, PIN_BYTES + k * DIGEST_BYTES);
      return bytes;
    }
    case "lost":
      return entry(EntryKind.LOST, LOST_BYTES);
    default:
      throw new RangeError(payload.kind);
  }
}

/** Entries of these kinds change what is there: who does not know them cannot say what CURRENT is. */
const OPTIONAL: readonly EntryKind[] = [EntryKind.REFERENCES, EntryKind.LOST];

function entry(kind: EntryKind, size: number, flags = 0): Buffer {
  const bytes = Buffer.alloc(size);
  bytes[0] = kind;
  bytes[1] = flags | (OPTIONAL.includes(kind) ? 0 : EntryFlag.REQUIRED);
  bytes.writeUInt32LE(size, 4);
  return bytes;
}

function texted(kind: EntryKind, before: number, text: string): Buffer {
  const encoded = Buffer.from(text, "utf8");
  const bytes = entry(kind, before + Math.ceil(encoded.length / 8) * 8);
  bytes.writeUInt32LE(encoded.length, 8);
  encoded.copy(bytes, before);
  return bytes;
}
