/**
 * A second reader of a store's folder, written from the specifications 20 to 24 alone: it shares no code with the store, keeps everything in memory, and
 * is strict: what a specification does not allow is an error, wherever it is. What a store holds is read from the log alone, or from checkpoint, index and the
 * end of the log; both have to be what the store says.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import type { Volume } from "../../../host/asl/volume.ts";
import { type IndexRow, readSegment } from "./second-index-reader.ts";

/** The files of a store. */
export interface Files {
  list(folder: string): string[];
  read(path: string): Buffer | undefined;
}

export function folderFiles(dir: string): Files {
  return {
    list: (folder) => readdirSync(join(dir, folder)),
    read: (path) => (existsSync(join(dir, path)) ? readFileSync(join(dir, path)) : undefined),
  };
}

export function volumeFiles(volume: Volume): Files {
  return {
    list: (folder) => volume.list(folder),
    read: (path) => {
      const [, folder, name] = /^(?:(.*)\/)?([^/]*)$/.exec(path)!;
      if (!volume.list(folder ?? "").includes(name!)) return undefined;
      const file = volume.open(path, "read");
      const bytes = Buffer.alloc(file.size());
      for (let at = 0; at < bytes.length; ) at += file.read(bytes, at, bytes.length - at, at);
      file.close();
      return bytes;
    },
  };
}

const ALGORITHMS: Record<number, readonly [name: string, ofNode: string]> = {
  1: ["sha256", "sha256"],
  2: ["sha3-256", "sha3-256"],
  3: ["sha2-512-256", "sha512-256"],
  4: ["blake2s-256", "blake2s256"],
};
const LOG_BIT = 0x8000_0000;
const LEAF_BYTES = 65_536;

/** Flags of rows and entries. */
export const HAS_TAG = 1;
export const PUBLISHED = 2;
export const CHUNKED = 4;
const CHUNK = 8;
const LEAVES = 16;
const OWN = 32;
const REMOVED = 64;
const REQUIRED = 128;

export function must(isSo: boolean, what: string): asserts isSo {
  if (!isSo) throw new Error(`second reader: ${what}`);
}
export function sha256(...pieces: readonly Uint8Array[]): Buffer {
  const hash = createHash("sha256");
  for (const piece of pieces) hash.update(piece);
  return hash.digest();
}
/** A number of 64 bits, which has to be below 2^53. */
export function u64(bytes: Buffer, at: number): number {
  const number = bytes.readBigUInt64LE(at);
  must(number < 2n ** 53n, `a number is ${number}`);
  return Number(number);
}
function mustBeZero(bytes: Buffer, from: number, to: number, where: string): void {
  for (let at = from; at < to; at++) must(bytes[at] === 0, `${where}: byte ${at} is not zero`);
}
export function numbered(number: number): string {
  return number.toString(16).padStart(16, "0");
}
export function mustBegin(bytes: Buffer, kind: number, where: string): void {
  must(bytes.length >= 16, `${where} is short`);
  must(bytes.subarray(0, 8).equals(Buffer.of(0x89, 0x41, 0x53, kind, 13, 10, 26, 10)), `${where}: magic`);
  must(bytes.readUInt32LE(8) === 1, `${where}: version`);
  must(bytes.readUInt32LE(12) === 0, `${where}: required features`);
}
function keyText(algorithm: number, digest: Uint8Array): string {
  const known = ALGORITHMS[algorithm];
  must(known !== undefined, `algorithm ${algorithm}`);
  return `${known[0]}:${Buffer.from(digest).toString("hex")}`;
}
/** A name or label, padded with zeros. */
function textOf(bytes: Buffer, at: number, length: number, end: number): string {
  must(length >= 1 && length <= 255, `a name of ${length} bytes`);
  must(end === at + Math.ceil(length / 8) * 8, "an entry with a name has the size of it");
  mustBeZero(bytes, at + length, end, "a name");
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(at, at + length));
}

interface Format {
  readonly domain: Buffer;
  readonly seed: number;
  readonly algorithm: number;
  readonly bytes: Buffer;
}

function readFormat(files: Files): Format {
  const bytes = files.read("FORMAT");
  must(bytes?.length === 64, "FORMAT has 64 bytes");
  mustBegin(bytes, 0x4c, "FORMAT");
  mustBeZero(bytes, 37, 60, "FORMAT");
  must(bytes.readUInt32LE(60) === crc32(bytes.subarray(0, 60)), "FORMAT: checksum");
  const algorithm = bytes[36]!;
  must(ALGORITHMS[algorithm] !== undefined, "FORMAT: algorithm");
  return { domain: bytes.subarray(16, 32), seed: bytes.readUInt32LE(32), algorithm, bytes };
}

/** What an entry of the log, or a row of the index, says of an artifact or a binding. */
export interface Row extends IndexRow {
  /** Of bindings. */
  readonly namespace?: number;
  readonly name?: Buffer;
}

export interface Snapshot {
  readonly name: string;
  readonly position: number;
  readonly logseq: number;
  readonly hash: Buffer;
}
export interface RecordSeen {
  readonly typeTag: number | undefined;
  readonly visibility: "internal" | "published";
  readonly position: number;
  readonly logseq: number;
}
export interface ArtifactSeen {
  readonly length: number;
  readonly records: readonly RecordSeen[];
  readonly bytes: Buffer;
}
export interface BindingSeen {
  readonly namespace: number;
  readonly name: string;
  readonly key: string;
  readonly position: number;
  readonly logseq: number;
}
/** What can be seen at a position. */
export interface Contents {
  readonly artifacts: ReadonlyMap<string, ArtifactSeen>;
  /** By namespace and name in digits. */
  readonly bindings: ReadonlyMap<string, BindingSeen>;
}
interface OpenBlock {
  end: number;
  isPublished: boolean;
}
/** A place in the log. */
interface Place {
  number: number;
  offset: number;
  hash: Buffer;
}
interface LogFile {
  readonly bytes: Buffer;
  readonly nonce: Buffer;
}

/** What has been read so far: ASL-LOG-STATE-1. */
class State {
  readonly rows: Row[] = [];
  readonly snapshots: Map<string, Snapshot> = new Map();
  readonly pins: Map<string, string> = new Map();
  readonly open: Map<number, OpenBlock> = new Map();
  readonly domains: Map<number, string> = new Map();
  next = 1;
  logseq = 0;
  epoch = 0;
  lastTombstone = 0;
}

export class SecondReading {
  readonly #files: Files;
  readonly #format: Format;
  readonly #state: State = new State();
  readonly #place: Place;
  readonly #rowsByKey: Map<string, Row[]> = new Map();
  readonly #bytes: Map<string, Buffer> = new Map();
  readonly #blocks: Map<number, Buffer> = new Map();
  /** How many rows came from the index. */
  readonly indexed: number;
  /** Chunked artifacts that were read. */
  chunked = 0;
  /** Tables of leaves that were read. */
  long = 0;

  constructor(files: Files, from: "log" | "index") {
    this.#files = files;
    this.#format = readFormat(files);
    this.#place = { number: 1, offset: 128, hash: sha256(this.#format.bytes) };
    if (from === "index") this.#readCurrent();
    this.indexed = this.#state.rows.length;
    this.#follow();
    for (const row of this.#state.rows) {
      const of = `${row.isBinding ? "b" : "a"}${row.algorithm}:${row.digest.toString("hex")}`;
      const rows = this.#rowsByKey.get(of);
      if (rows === undefined) this.#rowsByKey.set(of, [row]);
      else {
        must(rows.at(-1)!.position < row.position, "rows of a key ascend");
        rows.push(row);
      }
    }
  }
  get position(): number {
    return this.#state.next - 1;
  }
  get logseq(): number {
    return this.#state.logseq;
  }
  get epoch(): number {
    return this.#state.epoch;
  }
  get snapshots(): ReadonlyMap<string, Snapshot> {
    return this.#state.snapshots;
  }
  get pins(): ReadonlyMap<string, string> {
    return this.#state.pins;
  }
  /** All that two readings of one store have in common, beside contents. */
  get state(): unknown {
    const { next, logseq, epoch, lastTombstone, open, domains } = this.#state;
    return { next, logseq, epoch, lastTombstone, open: [...open].sort(([a], [b]) => a - b), domains: [...domains] };
  }

  /** What could be seen at a position: the rows up to it. */
  contents(at: number = this.position): Contents {
    const artifacts = new Map<string, ArtifactSeen>();
    const bindings = new Map<string, BindingSeen>();
    for (const rows of this.#rowsByKey.values()) {
      const before = rows.filter(({ position }) => position <= at);
      const last = before.at(-1);
      if (last === undefined) continue;
      if (last.isBinding) {
        if (last.isRemoval) continue;
        const bound = this.#bound(last);
        bindings.set(`${bound.namespace} ${bound.name}`, bound);
      } else {
        const tombstone = before.findLastIndex(({ isRemoval }) => isRemoval);
        const seen = before.slice(tombstone + 1);
        if (seen.length === 0) continue;
        artifacts.set(keyText(last.algorithm, last.digest), this.#artifact(seen));
      }
    }
    return { artifacts, bindings };
  }
  #artifact(rows: readonly Row[]): ArtifactSeen {
    const records: RecordSeen[] = [];
    const names = new Set<string>();
    for (const { flags, tag, position, logseq } of rows) {
      const typeTag = (flags & HAS_TAG) === 0 ? undefined : tag;
      const visibility = (flags & PUBLISHED) === 0 ? "internal" : "published";
      must(!names.has(`${typeTag} ${visibility}`), `a record that can be seen was put again at ${position}`);
      names.add(`${typeTag} ${visibility}`);
      records.push({ typeTag, visibility, position, logseq });
    }
    // ASL-CORE-RECORD-2: the one without a tag first, then by tag, and of one tag the internal one first.
    records.sort((a, b) => {
      const byTag = (a.typeTag ?? -1) - (b.typeTag ?? -1);
      return byTag !== 0 ? byTag : Number(a.visibility === "published") - Number(b.visibility === "published");
    });
    // ASL-CORE-RECORD-1: those of one visibility share their bytes.
    const places = new Map<number, string>();
    for (const { flags, block, offset, length } of rows) {
      const place = `${block} ${offset}`;
      must((places.get(flags & PUBLISHED) ?? place) === place, "records of one visibility share their bytes");
      places.set(flags & PUBLISHED, place);
      must(length === rows[0]!.length, "records of an artifact have one length");
    }
    let bytes: Buffer | undefined;
    for (const row of rows) bytes = this.#bytesOf(row);
    return { length: rows[0]!.length, records, bytes: bytes! };
  }
  #bound(row: Row): BindingSeen {
    let { namespace, name } = row;
    const bytes = this.#file(row.block);
    // A row of the index names the entry in the log.
    const { offset } = row;
    must(bytes[offset] === 4, "a row of a binding names an entry of one");
    namespace ??= bytes.readUInt32LE(offset + 8);
    name ??= bytes.subarray(offset + 16, offset + 48);
    const algorithm = bytes[offset + 14]!;
    const key = bytes.subarray(offset + 56, offset + 88);
    must(bindingDigest(namespace, name).equals(row.digest), "the digest of a binding");
    must(u64(bytes, offset + 48) === row.logseq, "the logseq of a binding");
    return {
      namespace,
      name: name.toString("hex"),
      key: keyText(algorithm, key),
      position: row.position,
      logseq: row.logseq,
    };
  }

  /** A block file, or a log file if bit 31 says so; its header has been looked at. */
  #file(block: number): Buffer {
    let bytes = this.#blocks.get(block);
    if (bytes !== undefined) return bytes;
    const isLog = block >= LOG_BIT;
    const path = isLog ? `log/${numbered(block - LOG_BIT)}.log` : `blocks/${numbered(block)}.blk`;
    const read = this.#files.read(path);
    must(read !== undefined, `${path} is there`);
    bytes = read;
    if (!isLog) this.#checkBlock(bytes, block, path);
    this.#blocks.set(block, bytes);
    return bytes;
  }
  #checkBlock(bytes: Buffer, number: number, path: string): void {
    must(bytes.length >= 64, `${path}: header`);
    mustBegin(bytes, 0x42, path);
    must(bytes.subarray(16, 32).equals(this.#format.domain), `${path}: domain`);
    must(u64(bytes, 32) === number, `${path}: number`);
    must((bytes.readUInt32LE(40) & ~3) === 0, `${path}: flags`);
    must(bytes.readUInt32LE(44) === this.#format.seed, `${path}: seed`);
    mustBeZero(bytes, 48, 60, path);
    must(bytes.readUInt32LE(60) === crc32(bytes.subarray(0, 60)), `${path}: checksum`);
  }
  /** Where a block's footer is: it has to have one, at its end. */
  #footer(bytes: Buffer, path: string): number {
    const at = bytes.length - 64;
    must(at >= 64 && bytes.readUInt32LE(at) === 0x5446_4241, `${path}: footer`);
    const crc = crc32(bytes.subarray(at + 8, at + 64), this.#format.seed);
    must(bytes.readUInt32LE(at + 4) === crc, `${path}: checksum of the footer`);
    must(u64(bytes, at + 16) === at, `${path}: the footer names itself`);
    mustBeZero(bytes, at + 8, at + 16, path);
    mustBeZero(bytes, at + 24, at + 64, path);
    return at;
  }
  /** The record at an offset: all of it is held against its checksums; its payload is not yet. */
  #record(bytes: Buffer, at: number, end: number, where: string): RecordRead {
    must(at % 8 === 0 && at + 72 <= end, `${where}: a record at ${at}`);
    must(bytes.readUInt32LE(at) === 0x4345_5241, `${where}: magic of the record at ${at}`);
    const crc = crc32(bytes.subarray(at + 8, at + 72), this.#format.seed);
    must(bytes.readUInt32LE(at + 4) === crc, `${where}: checksum of the record at ${at}`);
    const flags = bytes[at + 8]!;
    must((flags & ~0x3f) === 0, `${where}: flags ${flags}`);
    const length = u64(bytes, at + 16);
    must(((flags & LEAVES) !== 0) === length > LEAF_BYTES, `${where}: a table of leaves is there if it has to`);
    const tag = bytes.readUInt32LE(at + 12);
    if ((flags & HAS_TAG) === 0) must(tag === 0, `${where}: a tag`);
    mustBeZero(bytes, at + 10, at + 12, where);
    const payload = bytes.subarray(at + 72, at + 72 + length);
    must(payload.length === length, `${where}: the payload at ${at} is whole`);
    let next = at + 72 + length;
    if ((flags & LEAVES) !== 0) {
      this.long++;
      const table = bytes.subarray(next, next + 4 * Math.ceil(length / LEAF_BYTES));
      for (let leaf = 0; leaf * LEAF_BYTES < length; leaf++) {
        const piece = payload.subarray(leaf * LEAF_BYTES, (leaf + 1) * LEAF_BYTES);
        must(table.readUInt32LE(4 * leaf) === crc32(piece), `${where}: leaf ${leaf}`);
      }
      next += table.length;
      must(bytes.readUInt32LE(next) === crc32(table, this.#format.seed), `${where}: checksum of leaves`);
      next += 4;
    }
    const whole = Math.ceil(next / 8) * 8;
    must(whole <= end, `${where}: the record at ${at} ends in time`);
    mustBeZero(bytes, next, whole, where);
    const digest = bytes.subarray(at + 40, at + 72);
    return {
      flags,
      algorithm: bytes[at + 9]!,
      tag,
      length,
      position: u64(bytes, at + 24),
      logseq: u64(bytes, at + 32),
      digest,
      payload,
      end: whole,
    };
  }
  /** The only record of a block of its own. */
  #ownRecord(block: number): RecordRead {
    const path = `blocks/${numbered(block)}.blk`;
    const bytes = this.#file(block);
    const footer = this.#footer(bytes, path);
    const record = this.#record(bytes, 64, footer, path);
    must(record.end === footer, `${path} holds one record`);
    must((record.flags & OWN) !== 0, `${path}: the record knows that it is alone`);
    must(((record.flags & PUBLISHED) !== 0) === ((bytes.readUInt32LE(40) & 1) !== 0), `${path}: visibility`);
    return record;
  }
  #bytesOf(row: Row): Buffer {
    const of = `${row.block} ${row.offset}`;
    let bytes = this.#bytes.get(of);
    const where = `${of} of ${row.position}`;
    if (bytes === undefined) {
      const file = this.#file(row.block);
      const isOwn = row.block < LOG_BIT && (file.readUInt32LE(40) & 2) !== 0;
      if (isOwn) must(row.offset === 64, `${where}: a block of one record`);
      const record = isOwn ? this.#ownRecord(row.block) : this.#record(file, row.offset, file.length, where);
      must(((record.flags & OWN) !== 0) === isOwn, `${where}: OWN`);
      must(record.algorithm === row.algorithm && record.digest.equals(row.digest), `${where}: key of the record`);
      must((record.flags & CHUNK) === 0, `${where}: a piece is no artifact`);
      must((record.flags & (PUBLISHED | CHUNKED)) === (row.flags & (PUBLISHED | CHUNKED)), `${where}: flags`);
      must(
        row.block >= LOG_BIT || (file.readUInt32LE(40) & 1) === (row.flags & PUBLISHED) >> 1,
        `${where}: visibility`,
      );
      // A record that is put again, with another tag, goes on to lie where it was.
      must(record.position <= row.position, `${where}: position`);
      if (record.position === row.position) {
        must(record.logseq === row.logseq, `${where}: logseq`);
        must(record.tag === row.tag && (record.flags & HAS_TAG) === (row.flags & HAS_TAG), `${where}: tag`);
      }
      bytes = (record.flags & CHUNKED) !== 0 ? this.#chunks(record, where) : record.payload;
      const digest = createHash(ALGORITHMS[row.algorithm]![1]).update(bytes).digest();
      must(digest.equals(row.digest), `${where}: digest`);
      this.#bytes.set(of, bytes);
    }
    must(bytes.length === row.length, `${where}: length`);
    return bytes;
  }
  #chunks({ payload: list, flags }: RecordRead, where: string): Buffer {
    this.chunked++;
    must(list.readUInt32LE(0) === 1, `${where}: version of the list`);
    const count = list.readUInt32LE(4);
    const length = u64(list, 8);
    const size = u64(list, 16);
    must(count === Math.ceil(length / size) && list.length === 56 + 56 * count, `${where}: count of chunks`);
    const digests: Buffer[] = [];
    const pieces: Buffer[] = [];
    for (let at = 56; at < list.length; at += 56) {
      const block = list.readUInt32LE(at + 32);
      mustBeZero(list, at + 36, at + 40, where);
      must(u64(list, at + 40) === 64, `${where}: offset of a chunk`);
      const record = this.#ownRecord(block);
      must((record.flags & ~LEAVES) === (CHUNK | OWN | (flags & PUBLISHED)), `${where}: flags of a chunk`);
      const digest = sha256(Buffer.of(0), record.payload);
      must(list.subarray(at, at + 32).equals(digest) && record.digest.equals(digest), `${where}: digest of a chunk`);
      must(u64(list, at + 48) === record.length, `${where}: length of a chunk`);
      must(record.length === Math.min(size, length - size * pieces.length), `${where}: chunks are full but the last`);
      must(record.position === 0 && record.logseq === 0 && record.algorithm === 1, `${where}: header of a chunk`);
      digests.push(digest);
      pieces.push(record.payload);
    }
    // PACK-TREE-1 and PACK-TREE-2.
    let row = digests;
    while (row.length > 1) {
      const above: Buffer[] = [];
      for (let at = 0; at < row.length; at += 2)
        above.push(at + 1 < row.length ? sha256(Buffer.of(1), row[at]!, row[at + 1]!) : row[at]!);
      row = above;
    }
    must(list.subarray(24, 56).equals(sha256(Buffer.of(2), list.subarray(8, 24), row[0]!)), `${where}: root`);
    return Buffer.concat(pieces);
  }

  /** ASL-CURRENT-1 and ASL-CURRENT-2: the state at a place of the log, and the rows of its segments. */
  #readCurrent(): void {
    const current = this.#files.read("CURRENT");
    must(current?.length === 192, "CURRENT has 192 bytes");
    mustBegin(current, 0x4e, "CURRENT");
    must(current.readUInt32LE(188) === crc32(current.subarray(0, 188), this.#format.seed), "CURRENT: checksum");
    mustBeZero(current, 128, 188, "CURRENT");
    const checkpoint = u64(current, 16);
    this.#place.number = u64(current, 24);
    this.#place.offset = u64(current, 32);
    this.#state.next = u64(current, 40);
    this.#place.hash = current.subarray(48, 80);
    const end = this.#files.read(`log/${numbered(u64(current, 112))}.log`);
    must(end !== undefined && u64(current, 120) <= end.length, "CURRENT: the log was on disk up to a place in it");
    if (checkpoint === 0) {
      mustBeZero(current, 80, 112, "CURRENT without a checkpoint");
      return;
    }
    const bytes = this.#files.read(`checkpoint/${numbered(checkpoint)}.ckp`);
    must(bytes !== undefined, "the checkpoint is there");
    must(current.subarray(80, 112).equals(sha256(bytes)), "CURRENT: digest of the checkpoint");
    this.#readCheckpoint(bytes);
  }
  #readCheckpoint(bytes: Buffer): void {
    mustBegin(bytes, 0x43, "the checkpoint");
    const state = this.#state;
    let at = 16;
    const number = (): number => {
      at += 8;
      return u64(bytes, at - 8);
    };
    const string = (length: number): Buffer => {
      at += length;
      must(at <= bytes.length, "the checkpoint is long enough");
      return bytes.subarray(at - length, at);
    };
    must(number() === state.next, "checkpoint: position is that of CURRENT");
    must(number() === this.#place.number && number() === this.#place.offset, "checkpoint: place is that of CURRENT");
    must(string(32).equals(this.#place.hash), "checkpoint: hash is that of CURRENT");
    state.logseq = number();
    state.epoch = number();
    state.lastTombstone = number();
    const nextBlock = number();
    const nextSegment = number();
    let through = 0;
    for (let left = number(); left > 0; left--) {
      const segment = number();
      must(segment < nextSegment, "checkpoint: number of the next segment");
      const [count, first, last, length] = [number(), number(), number(), number()];
      const digest = string(32);
      const path = `index/${numbered(segment)}.seg`;
      const file = this.#files.read(path);
      must(file?.length === length, `${path} has the length that the checkpoint says`);
      const rows = readSegment(file, segment, this.#format.seed, digest);
      must(rows.length === count, `${path}: count`);
      must(first > through && last < state.next && first <= last, `${path}: positions`);
      through = last;
      rows.sort((a, b) => a.position - b.position);
      must(rows[0]!.position >= first && rows.at(-1)!.position <= last, `${path}: positions of rows`);
      for (const row of rows) must(row.block >= LOG_BIT || row.block < nextBlock, "checkpoint: next block");
      state.rows.push(...rows);
    }
    for (let left = number(); left > 0; left--) {
      const block = number();
      state.open.set(block, { end: number(), isPublished: number() === 1 });
    }
    for (let left = number(); left > 0; left--) {
      const name = string(number()).toString("utf8");
      state.snapshots.set(name, { name, position: number(), logseq: number(), hash: string(32) });
    }
    for (let left = number(); left > 0; left--) {
      const label = string(number()).toString("utf8");
      state.pins.set(label, keyText(number(), string(32)));
    }
    for (let left = number(); left > 0; left--) state.domains.set(number(), string(16).toString("hex"));
    must(at === bytes.length, "the checkpoint ends behind its lists");
  }

  /** Reads the log from the place on. */
  #follow(): void {
    const names = this.#files.list("log").sort();
    names.forEach((name, index) => {
      must(name === `${numbered(index + 1)}.log`, `log/${name} is one of the numbers without a gap`);
    });
    must(names.length >= this.#place.number, "the log file that CURRENT names is there");
    for (let number = this.#place.number; number <= names.length; number++) {
      const path = `log/${numbered(number)}.log`;
      const file = this.#logFile(number, path);
      if (number !== this.#place.number) {
        this.#place.number = number;
        this.#place.offset = 128;
        must(file.bytes.subarray(64, 96).equals(this.#place.hash), `${path}: hash of the frame before`);
        must(u64(file.bytes, 40) === this.#state.next, `${path}: position of its first entry`);
      }
      while (this.#place.offset < file.bytes.length) this.#frame(file, path);
    }
  }
  #logFile(number: number, path: string): LogFile {
    const bytes = this.#files.read(path);
    must(bytes !== undefined && bytes.length >= 128, `${path}: header`);
    mustBegin(bytes, 0x47, path);
    must(bytes.subarray(16, 32).equals(this.#format.domain), `${path}: domain`);
    must(u64(bytes, 32) === number, `${path}: number`);
    must(bytes.readUInt32LE(48) === this.#format.seed, `${path}: seed`);
    mustBeZero(bytes, 52, 56, path);
    mustBeZero(bytes, 96, 124, path);
    must(bytes.readUInt32LE(124) === crc32(bytes.subarray(0, 124)), `${path}: checksum`);
    if (number === 1) {
      must(bytes.subarray(64, 96).equals(sha256(this.#format.bytes)), `${path}: hash of FORMAT`);
      must(u64(bytes, 40) === 1, `${path}: the first position`);
    }
    this.#blocks.set(LOG_BIT + number, bytes);
    return { bytes, nonce: bytes.subarray(56, 64) };
  }
  #frame({ bytes, nonce }: LogFile, path: string): void {
    const state = this.#state;
    const at = this.#place.offset;
    const where = `${path} at ${at}`;
    must(at % 8 === 0 && at + 192 <= bytes.length, `${where}: a frame`);
    const head = bytes.subarray(at, at + 192);
    must(head.readUInt32LE(0) === 0x4d52_4641, `${where}: magic`);
    must(head.readUInt32LE(4) === crc32(head.subarray(8), this.#format.seed), `${where}: checksum`);
    must(head.readUInt32LE(8) === 0, `${where}: features`);
    must(head[12]! <= 1 && head[13]! <= 1, `${where}: visibility`);
    mustBeZero(head, 14, 16, where);
    mustBeZero(head, 160, 192, where);
    const isPublished = head[12] === 1;
    const length = u64(head, 16);
    const entries = head.readUInt32LE(24);
    const extents = head.readUInt32LE(28);
    const entriesLength = u64(head, 32);
    must(length % 8 === 0 && length <= 2 ** 30, `${where}: length`);
    must(u64(head, 40) === state.next, `${where}: position`);
    must(u64(head, 48) >= state.epoch, `${where}: epoch`);
    state.epoch = u64(head, 48);
    must(u64(head, 56) <= at, `${where}: synced`);
    must(u64(head, 64) === this.#place.number && u64(head, 72) === at, `${where}: where it is`);
    must(head.subarray(88, 96).equals(nonce), `${where}: nonce`);
    must(head.subarray(96, 128).equals(this.#place.hash), `${where}: hash of the frame before`);
    const end = at + 192 + length;
    must(end <= bytes.length, `${where}: body`);
    must(head.subarray(128, 160).equals(sha256(bytes.subarray(at + 192, end))), `${where}: digest of the body`);
    const hash = sha256(head);
    const firstEntry = at + 192 + 56 * extents;
    const written = this.#extents(bytes, at + 192, extents, isPublished, where);
    let entry = firstEntry;
    const inlineAt = firstEntry + entriesLength;
    const puts: Row[] = [];
    must(entries > 0, `${where}: a frame has entries`);
    for (let count = 0; count < entries; count++) {
      const size = bytes.readUInt32LE(entry + 4);
      must(size >= 8 && size % 8 === 0 && entry + size <= inlineAt, `${where}: size of entry ${count}`);
      this.#entry(bytes, entry, size, isPublished, hash, puts, `${where}, entry ${count}`);
      entry += size;
      state.next++;
    }
    must(entry === inlineAt, `${where}: length of the entries`);
    must(u64(head, 80) === state.logseq, `${where}: highest logseq`);
    // Records inline: one behind the other, each of an entry.
    const inline = new Set<number>();
    let inlineBytes = 0;
    for (let record = inlineAt; record < end; ) {
      inline.add(record);
      const next = this.#record(bytes, record, end, where).end;
      inlineBytes += next - record;
      record = next;
    }
    must(inlineBytes <= 65_536, `${where}: bytes of records inline`);
    const named = new Set<number>();
    for (const row of puts) this.#checkPut(row, inline, named, written, where);
    must(named.size === inline.size, `${where}: each record inline is that of an entry`);
    this.#place.offset = end;
    this.#place.hash = hash;
  }
  /** An artifact that is new lies inline, in an extent of the frame, or in a block of its own. */
  #checkPut(row: Row, inline: Set<number>, named: Set<number>, written: Map<number, Set<number>>, where: string): void {
    const isHere = row.block === LOG_BIT + this.#place.number && inline.has(row.offset);
    if (isHere) {
      named.add(row.offset);
      return;
    }
    if (written.get(row.block)?.has(row.offset) === true) return;
    if (row.block >= LOG_BIT) must(row.block - LOG_BIT <= this.#place.number, `${where}: a log file`);
    // Otherwise in a block of its own, or where a record before it lies: its own record tells.
    const file = this.#file(row.block);
    if (row.block < LOG_BIT && (file.readUInt32LE(40) & 2) !== 0) return;
    const { position } = this.#record(file, row.offset, file.length, where);
    must(position < row.position, `${where}: a place that nothing answers for`);
  }
  /** What extents say of blocks. The answer is the offsets of the records in them. */
  #extents(bytes: Buffer, from: number, count: number, isPublished: boolean, where: string): Map<number, Set<number>> {
    const written = new Map<number, Set<number>>();
    const { open } = this.#state;
    const ends = new Map<number, number>();
    const sealed = new Set<number>();
    for (let extent = 0; extent < count; extent++) {
      const at = from + 56 * extent;
      const block = bytes.readUInt32LE(at);
      const isSealed = bytes.readUInt32LE(at + 4);
      const [start, end] = [u64(bytes, at + 8), u64(bytes, at + 16)];
      must(block > 0 && block < LOG_BIT && isSealed <= 1, `${where}: extent ${extent}`);
      const before = open.get(block);
      // A frame may have several extents of one block: all of them say what becomes of it.
      must(start === (ends.get(block) ?? before?.end ?? 64), `${where}: extent ${extent} begins where the block ended`);
      ends.set(block, end);
      must((before?.isPublished ?? isPublished) === isPublished, `${where}: visibility of extent ${extent}`);
      const path = `blocks/${numbered(block)}.blk`;
      const file = this.#file(block);
      must(file.readUInt32LE(40) === Number(isPublished), `${path}: flags`);
      must(end <= file.length, `${where}: extent ${extent} is in its block`);
      const digest = sha256(file.subarray(start, end));
      must(bytes.subarray(at + 24, at + 56).equals(digest), `${where}: digest of extent ${extent}`);
      must(!sealed.has(block) || isSealed === 1, `${where}: extent ${extent} of a block that is sealed`);
      if (isSealed === 1) sealed.add(block);
      else {
        // One of a visibility takes more: the one before it was full.
        for (const [other, { isPublished: isSame }] of open)
          if (other !== block && isSame === isPublished) {
            const otherPath = `blocks/${numbered(other)}.blk`;
            must(this.#footer(this.#file(other), otherPath) === open.get(other)!.end, `${otherPath} is sealed`);
            open.delete(other);
          }
        open.set(block, { end, isPublished });
      }
      const offsets = written.get(block) ?? new Set();
      written.set(block, offsets);
      for (let record = start; record < end; ) {
        offsets.add(record);
        const read = this.#record(file, record, end, path);
        must(((read.flags & PUBLISHED) !== 0) === isPublished && (read.flags & OWN) === 0, `${path}: ${record}`);
        record = read.end;
      }
    }
    for (const block of sealed) {
      const path = `blocks/${numbered(block)}.blk`;
      must(this.#footer(this.#file(block), path) === ends.get(block), `${where}: ${path} ends where its footer is`);
      open.delete(block);
    }
    return written;
  }
  #entry(
    bytes: Buffer,
    at: number,
    size: number,
    isPublished: boolean,
    hash: Buffer,
    puts: Row[],
    where: string,
  ): void {
    const state = this.#state;
    const position = state.next;
    const kind = bytes[at]!;
    const flags = bytes[at + 1]!;
    const domain = bytes.readUInt16LE(at + 2);
    must(domain === 0, `${where}: domain`);
    const isKnown = [1, 2, 3, 4, 6, 7, 8, 9, 10].includes(kind);
    must(isKnown || (flags & REQUIRED) === 0, `${where}: unknown kind ${kind}`);
    if (!isKnown || kind === 10) return;
    must((flags & REQUIRED) !== 0, `${where}: is required`);
    const block = LOG_BIT + this.#place.number;
    switch (kind) {
      case 1:
      case 3: {
        must(size === 80 && (flags & ~(REQUIRED | HAS_TAG | CHUNKED)) === 0, `${where}: a put`);
        must(kind === 1 || isPublished, `${where}: publishing is published`);
        const row: Row = {
          isBinding: false,
          isRemoval: false,
          flags: (flags & (HAS_TAG | CHUNKED)) | (isPublished ? PUBLISHED : 0),
          algorithm: bytes[at + 14]!,
          digest: bytes.subarray(at + 16, at + 48),
          tag: bytes.readUInt32LE(at + 8),
          source: bytes.readUInt16LE(at + 12),
          domain,
          block: bytes.readUInt32LE(at + 56),
          offset: u64(bytes, at + 64),
          length: u64(bytes, at + 72),
          position,
          logseq: u64(bytes, at + 48),
        };
        mustBeZero(bytes, at + 15, at + 16, where);
        mustBeZero(bytes, at + 60, at + 64, where);
        must((flags & HAS_TAG) !== 0 || row.tag === 0, `${where}: tag`);
        this.#add(row, where);
        puts.push(row);
        return;
      }
      case 2: {
        must(size === 56 && flags === REQUIRED, `${where}: a tombstone`);
        mustBeZero(bytes, at + 8, at + 12, where);
        mustBeZero(bytes, at + 15, at + 16, where);
        const digest = bytes.subarray(at + 16, at + 48);
        const source = bytes.readUInt16LE(at + 12);
        this.#add(
          {
            ...NO_ROW,
            isRemoval: true,
            algorithm: bytes[at + 14]!,
            digest,
            source,
            position,
            logseq: u64(bytes, at + 48),
          },
          where,
        );
        state.lastTombstone = position;
        return;
      }
      case 4: {
        must(size === 96 && (flags & ~(REQUIRED | REMOVED)) === 0, `${where}: a binding`);
        const isRemoval = (flags & REMOVED) !== 0;
        const namespace = bytes.readUInt32LE(at + 8);
        must(namespace > 0, `${where}: namespace`);
        mustBeZero(bytes, at + 12, at + 14, where);
        mustBeZero(bytes, at + 15, at + 16, where);
        const crc = crc32(bytes.subarray(at, at + 88), this.#format.seed);
        must(bytes.readUInt32LE(at + 88) === crc, `${where}: checksum of a binding`);
        mustBeZero(bytes, at + 92, at + 96, where);
        if (isRemoval) {
          mustBeZero(bytes, at + 14, at + 15, where);
          mustBeZero(bytes, at + 56, at + 88, where);
        }
        const name = bytes.subarray(at + 16, at + 48);
        const digest = bindingDigest(namespace, name);
        const logseq = u64(bytes, at + 48);
        this.#add(
          { ...NO_ROW, isBinding: true, isRemoval, digest, namespace, name, block, offset: at, position, logseq },
          where,
        );
        return;
      }
      case 6: {
        const label = textOf(bytes, at + 48, bytes.readUInt32LE(at + 8), at + size);
        must(!state.pins.has(label), `${where}: a label that is taken`);
        mustBeZero(bytes, at + 12, at + 14, where);
        mustBeZero(bytes, at + 15, at + 16, where);
        state.pins.set(label, keyText(bytes[at + 14]!, bytes.subarray(at + 16, at + 48)));
        return;
      }
      case 7: {
        const name = textOf(bytes, at + 16, bytes.readUInt32LE(at + 8), at + size);
        must(!state.snapshots.has(name), `${where}: a name that is taken`);
        mustBeZero(bytes, at + 12, at + 16, where);
        state.snapshots.set(name, { name, position, logseq: state.logseq, hash });
        return;
      }
      case 8: {
        const name = textOf(bytes, at + 16, bytes.readUInt32LE(at + 8), at + size);
        mustBeZero(bytes, at + 13, at + 16, where);
        const among = { 1: state.snapshots, 2: state.pins }[bytes[at + 12]!];
        must(among?.delete(name) === true, `${where}: what is dropped is there`);
        return;
      }
      default:
        must(size === 32, `${where}: a domain`);
        state.domains.set(bytes.readUInt16LE(at + 8), bytes.toString("hex", at + 16, at + 32));
    }
  }
  #add(row: Row, where: string): void {
    must(row.isBinding || ALGORITHMS[row.algorithm] !== undefined, `${where}: algorithm`);
    must(row.logseq >= 1, `${where}: logseq`);
    this.#state.logseq = Math.max(this.#state.logseq, row.logseq);
    this.#state.rows.push(row);
  }
}

interface RecordRead {
  readonly flags: number;
  readonly algorithm: number;
  readonly tag: number;
  readonly length: number;
  readonly position: number;
  readonly logseq: number;
  readonly digest: Buffer;
  readonly payload: Buffer;
  /** Where the next one begins. */
  readonly end: number;
}

const NO_ROW: Omit<Row, "digest" | "position" | "logseq" | "namespace" | "name"> = {
  isBinding: false,
  isRemoval: false,
  flags: 0,
  algorithm: 0,
  tag: 0,
  source: 0,
  domain: 0,
  block: 0,
  offset: 0,
  length: 0,
};

function bindingDigest(namespace: number, name: Uint8Array): Buffer {
  const number = Buffer.alloc(4);
  number.writeUInt32LE(namespace);
  return sha256(Buffer.from("ASL-BINDING"), number, name);
}
