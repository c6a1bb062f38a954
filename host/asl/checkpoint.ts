/**
 * Checkpoints, which hold what the log tells up to a position, and CURRENT, which names one and where the log goes on behind it
 * (spec ASL-CURRENT). Both can be made from the log again.
 */
import { digestOf, equalBytes } from "../assets/hash.ts";
import type { SegmentEntry } from "./artifact-index.ts";
import { crc32Of } from "./checksum.ts";
import { AslError } from "./errors.ts";
import {
  type Format,
  getU64,
  Magic,
  namesIn,
  numbered,
  numberOf,
  PREAMBLE_BYTES,
  readPreamble,
  readWhole,
  replaceWhole,
  setU64,
  writePreamble,
} from "./format.ts";
import type { LogPlace } from "./log.ts";
import type { Volume } from "./volume.ts";

export const CURRENT_FILE = "CURRENT";
export const CHECKPOINT_FOLDER = "checkpoint";
const CURRENT_BYTES = 192;

export interface Snapshot {
  readonly name: string;
  /** What is in it has this position or one before. */
  readonly position: number;
  /** Of the frame that holds it. */
  readonly frameHash: Uint8Array;
  /** Highest logseq of the domain there. */
  readonly logseq: number;
}

export interface Pin {
  readonly label: string;
  readonly algorithm: number;
  readonly digest: Uint8Array;
}

/** A packed block that is not full. */
export interface OpenBlock {
  readonly number: number;
  /** What lies behind was not acknowledged. */
  readonly end: number;
  readonly isPublished: boolean;
}

/** What the log tells up to a place, but for the rows of the index. */
export interface State {
  readonly place: LogPlace;
  readonly logseq: number;
  readonly epoch: number;
  /** Position of the last tombstone: what was put later can be seen. 0 for none. */
  readonly lastTombstone: number;
  /** Above the numbers of all blocks that entries name. */
  readonly nextBlock: number;
  readonly openBlocks: readonly OpenBlock[];
  readonly snapshots: ReadonlyMap<string, Snapshot>;
  readonly pins: ReadonlyMap<string, Pin>;
  /** Ids of other domains by their indices; 0 is the store's own, and not in it. */
  readonly domains: ReadonlyMap<number, Uint8Array>;
}

export interface Checkpoint extends State {
  readonly segments: readonly SegmentEntry[];
  readonly nextSegment: number;
}

export interface Current {
  /** 0: none; the log is read from its beginning. */
  readonly checkpoint: number;
  /** Digest of the checkpoint's file. */
  readonly digest: Uint8Array;
  readonly place: LogPlace;
  /** Up to where the log was on disk when this was written: a frame before that which is not whole is no torn one. */
  readonly end: { readonly number: number; readonly offset: number };
}

export function checkpointPath(number: number): string {
  return numbered(CHECKPOINT_FOLDER, number, "ckp");
}

/** Numbers of the checkpoints that are there, ascending. */
export function checkpointNumbers(volume: Volume): number[] {
  return namesIn(volume, CHECKPOINT_FOLDER)
    .flatMap((name) => numberOf(name, "ckp") ?? [])
    .sort((left, right) => left - right);
}

export function writeCurrent(volume: Volume, format: Format, { checkpoint, digest, place, end }: Current): void {
  const bytes = new Uint8Array(CURRENT_BYTES);
  const view = new DataView(bytes.buffer);
  writePreamble(view, Magic.CURRENT);
  setU64(view, 16, checkpoint);
  setU64(view, 24, place.number);
  setU64(view, 32, place.offset);
  setU64(view, 40, place.position);
  bytes.set(place.hash, 48);
  bytes.set(digest, 80);
  setU64(view, 112, end.number);
  setU64(view, 120, end.offset);
  view.setUint32(188, crc32Of(bytes, 0, 188, format.seed), true);
  replaceWhole(volume, CURRENT_FILE, bytes, "");
}

/** Throws ASL-CURRENT-DAMAGED, ASL-VERSION or ASL-READ. */
export function readCurrent(volume: Volume, format: Format): Current {
  const bytes = readWhole(volume, CURRENT_FILE, CURRENT_BYTES + 1) ?? new Uint8Array();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (
    bytes.length !== CURRENT_BYTES ||
    view.getUint32(188, true) !== crc32Of(bytes, 0, 188, format.seed) ||
    !readPreamble(view, Magic.CURRENT, CURRENT_FILE)
  )
    throw new AslError("ASL-CURRENT-DAMAGED", `${CURRENT_BYTES} bytes with their checksum were expected`, {
      file: CURRENT_FILE,
    });
  return {
    checkpoint: getU64(view, 16),
    digest: bytes.slice(80, 112),
    place: {
      number: getU64(view, 24),
      offset: getU64(view, 32),
      position: getU64(view, 40),
      hash: bytes.slice(48, 80),
    },
    end: { number: getU64(view, 112), offset: getU64(view, 120) },
  };
}

/** Writes the file, on disk with its name when this returns; answers its digest. */
export function writeCheckpoint(volume: Volume, number: number, checkpoint: Checkpoint): Uint8Array {
  const bytes = encodeCheckpoint(checkpoint);
  replaceWhole(volume, checkpointPath(number), bytes, CHECKPOINT_FOLDER);
  return digestOf(bytes);
}

/** The checkpoint that CURRENT names. Throws ASL-CURRENT-DAMAGED, ASL-VERSION or ASL-READ. */
export function readCheckpoint(volume: Volume, { checkpoint, digest }: Current): Checkpoint {
  const file = checkpointPath(checkpoint);
  const bytes = readWhole(volume, file, Number.MAX_SAFE_INTEGER);
  const damaged = (what: string): AslError => new AslError("ASL-CURRENT-DAMAGED", what, { file });
  if (bytes === undefined) throw damaged("CURRENT names a checkpoint that is not there");
  if (!equalBytes(digestOf(bytes), digest)) throw damaged("the checkpoint is not what its digest in CURRENT says");
  return decodeCheckpoint(bytes, file);
}

/** Numbers and byte strings one behind the other. */
class Encoder {
  readonly #parts: Uint8Array[] = [];

  number(value: number): this {
    const bytes = new Uint8Array(8);
    setU64(new DataView(bytes.buffer), 0, value);
    this.#parts.push(bytes);
    return this;
  }
  bytes(bytes: Uint8Array): this {
    this.#parts.push(bytes);
    return this;
  }
  text(text: string): this {
    const bytes = Buffer.from(text, "utf8");
    return this.number(bytes.length).bytes(bytes);
  }
  end(): Uint8Array {
    return Buffer.concat(this.#parts);
  }
}

function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array {
  const preamble = new Uint8Array(PREAMBLE_BYTES);
  writePreamble(new DataView(preamble.buffer), Magic.CHECKPOINT);
  const { place, segments, openBlocks, snapshots, pins, domains } = checkpoint;
  const out = new Encoder().bytes(preamble);
  out.number(place.position).number(place.number).number(place.offset).bytes(place.hash);
  out
    .number(checkpoint.logseq)
    .number(checkpoint.epoch)
    .number(checkpoint.lastTombstone)
    .number(checkpoint.nextBlock)
    .number(checkpoint.nextSegment);
  out.number(segments.length);
  for (const { number, count, firstPosition, lastPosition, bytes, digest } of segments)
    out.number(number).number(count).number(firstPosition).number(lastPosition).number(bytes).bytes(digest);
  out.number(openBlocks.length);
  for (const { number, end, isPublished } of openBlocks)
    out
      .number(number)
      .number(end)
      .number(isPublished ? 1 : 0);
  out.number(snapshots.size);
  for (const { name, position, frameHash, logseq } of snapshots.values())
    out.text(name).number(position).number(logseq).bytes(frameHash);
  out.number(pins.size);
  for (const { label, algorithm, digest } of pins.values()) out.text(label).number(algorithm).bytes(digest);
  out.number(domains.size);
  for (const [index, id] of domains) out.number(index).bytes(id);
  return out.end();
}

/** Its digest is right, so only a program that wrote it wrongly makes this throw. */
function decodeCheckpoint(bytes: Uint8Array, file: string): Checkpoint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const damaged = (offset: number): AslError =>
    new AslError("ASL-CURRENT-DAMAGED", "the checkpoint makes no sense", { file, offset });
  if (bytes.length < PREAMBLE_BYTES || !readPreamble(view, Magic.CHECKPOINT, file)) throw damaged(0);
  let at = PREAMBLE_BYTES;
  const take = (length: number): number => {
    if (length < 0 || length > bytes.length - at) throw damaged(at);
    at += length;
    return at - length;
  };
  const number = (): number => getU64(view, take(8));
  const blob = (length: number): Uint8Array => {
    const from = take(length);
    return bytes.slice(from, from + length);
  };
  const text = (): string => Buffer.from(blob(number())).toString("utf8");
  const list = <T>(read: () => T): T[] => {
    const count = number();
    if (count > bytes.length) throw damaged(at);
    return Array.from({ length: count }, read);
  };
  const position = number();
  const place = { position, number: number(), offset: number(), hash: blob(32) };
  const head = {
    place,
    logseq: number(),
    epoch: number(),
    lastTombstone: number(),
    nextBlock: number(),
    nextSegment: number(),
  };
  const segments = list(() => ({
    number: number(),
    count: number(),
    firstPosition: number(),
    lastPosition: number(),
    bytes: number(),
    digest: blob(32),
  }));
  const openBlocks = list(() => ({ number: number(), end: number(), isPublished: number() === 1 }));
  const snapshots = list(() => ({ name: text(), position: number(), logseq: number(), frameHash: blob(32) }));
  const pins = list(() => ({ label: text(), algorithm: number(), digest: blob(32) }));
  const domains = list(() => [number(), blob(16)] as const);
  if (at !== bytes.length) throw damaged(at);
  return {
    ...head,
    segments,
    openBlocks,
    snapshots: new Map(snapshots.map((snapshot) => [snapshot.name, snapshot])),
    pins: new Map(pins.map((pin) => [pin.label, pin])),
    domains: new Map(domains),
  };
}
