/**
 * Where the bytes of artifacts are: block files, and records inside log files (spec ASL-BLOCK). What a read gives is what its key says, or
 * an error.
 */
import { cryptoOf } from "../assets/hash.ts";
import {
  BLOCK_FOLDER,
  BLOCK_FOOTER_BYTES,
  BLOCK_HEADER_BYTES,
  type BlockHeader,
  blockPath,
  decodeBlockHeader,
  encodeBlockHeader,
  isBlockFooter,
  LOG_BIT,
} from "./block-file.ts";
import { type ScannedRecord, type ScanOptions, scanRecords } from "./block-scan.ts";
import { crc32Of } from "./checksum.ts";
import { type ChunkList, decodeChunkList } from "./chunk-list.ts";
import { AslError } from "./errors.ts";
import { getU64, numberOf, removeIfThere } from "./format.ts";
import { algorithmOf, DIGEST_BYTES, type Digester, digestAt, digestInto, keyText, sameDigest } from "./key.ts";
import { OpenFiles } from "./open-files.ts";
import { type OwnOptions, OwnWriter, type Written } from "./own-block.ts";
import { PackedBlock } from "./packed-block.ts";
import {
  isLeafTable,
  isRecordOf,
  LEAF_BYTES,
  leafTableBytes,
  RECORD_BYTES,
  RecordFlag,
  RecordHeader,
  readRecordHeader,
} from "./record.ts";
import { readFully, type Volume, type VolumeFile } from "./volume.ts";

/** Sizes that a store keeps to; tests take smaller ones. They say how bytes are laid out, not what can be read. */
export interface BlockLimits {
  /** A packed block is full with so many bytes. */
  readonly blockBytes: number;
  /** Longest artifact that is one record. */
  readonly ownBytes: number;
  /** Chunks of a longer one. */
  readonly chunkBytes: number;
  /** Files that are open to read from. */
  readonly openFiles: number;
}

export const BLOCK_LIMITS: BlockLimits = {
  blockBytes: 64 * 1024 * 1024,
  ownBytes: 1024 * 1024 * 1024,
  chunkBytes: 64 * 1024 * 1024,
  openFiles: 256,
};

/** Where an artifact is, and how long: what a row of the index says. */
export interface Place {
  /** Number of the block; with the highest bit, of the log file. */
  readonly block: number;
  /** Of its record in the file. */
  readonly offset: number;
  /** Bytes of the artifact. */
  readonly length: number;
  /** CHUNKED of {@link RecordFlag}; others do not matter. */
  readonly flags: number;
  readonly algorithm: number;
}

/** A place that is filled in. */
export interface NextPlace {
  block: number;
  offset: number;
  length: number;
  flags: number;
  algorithm: number;
}

export interface BlocksOptions {
  readonly volume: Volume;
  /** 16 bytes. */
  readonly domain: Uint8Array;
  readonly seed: number;
  /** Number of the next block that is made. */
  readonly nextBlock: number;
  readonly limits?: Partial<BlockLimits>;
  /** How digests are made, if not as keys say: tests make ones that agree in part. */
  readonly digest?: Digester;
}

/** Small results come from a buffer of many. */
const POOL_BYTES = 65_536;
const POOLED_BYTES = 4096;

const NO_BYTES: Buffer = Buffer.alloc(0);

/** Read at once when artifacts are read in the order in which they are stored. */
const WINDOW_BYTES = 65_536;
const WINDOWED_BYTES = 8192;
/** What begins so near behind what was read last is read one after the other. */
const NEAR_BYTES = 8192;

/** Parts of artifacts that begin so near to their records are read with the header, which costs less than a second call. */
const HEAD_BYTES = 4096;

/** Read and checked at a time, which is then still in the processor's cache. A multiple of LEAF_BYTES. */
const CHECKED_BYTES = 256 * 1024;

/** Hashed by one call of the host's, which takes no more than 2 GiB. */
const HASHED_BYTES = 1024 * 1024 * 1024;

/** Large records whose tables are kept. */
const KNOWN_RECORDS = 8;

/** A large record whose header was read, and is that of its key. */
interface KnownRecord {
  readonly block: number;
  readonly offset: number;
  readonly digest: Uint8Array;
  /** Of its payload. */
  readonly length: number;
  /** Checksums; undefined as long as nobody asked for checked ranges. */
  leaves: Uint32Array | undefined;
  /** Of a CHUNKED one, once it was asked for. */
  list: ChunkList | undefined;
}

/** What part of an artifact, and how. */
export interface RangeOptions {
  readonly offset?: number | undefined;
  readonly length?: number | undefined;
  /** Whether bytes are compared with their checksums; true if it is not given. */
  readonly verify?: boolean | undefined;
}

/** What a block file says of itself. */
export interface BlockInfo {
  readonly path: string;
  readonly size: number;
  /** Undefined if it is damaged. */
  readonly header: BlockHeader | undefined;
  /** Where the footer begins; undefined if the block is not sealed, or its footer is damaged. */
  readonly footerAt: number | undefined;
}

export class Blocks {
  readonly #volume: Volume;
  readonly #domain: Uint8Array;
  readonly #seed: number;
  readonly #limits: BlockLimits;
  readonly #digest: Digester;
  readonly #files: OpenFiles;
  #nextBlock: number;
  #isClosed = false;
  /** Whether names may not be on disk: at first, those of a process that was killed before it synced them. */
  #hasNewNames = true;

  readonly #header = new RecordHeader();
  readonly #hash: Buffer = Buffer.alloc(DIGEST_BYTES);
  readonly #head: Buffer = Buffer.alloc(RECORD_BYTES + HEAD_BYTES);
  readonly #headView = viewOf(this.#head);

  /** A leaf that was read for a part of it, and checked: what follows says whose. */
  #leaf: Buffer = NO_BYTES;
  #leafBlock = 0;
  #leafOffset = 0;
  /** Where in the payload it begins; −1 for none. */
  #leafFrom = -1;
  readonly #leafDigest: Uint8Array = new Uint8Array(DIGEST_BYTES);

  /** Where the next result goes: see {@link #makeRoom}. */
  #room: Buffer = NO_BYTES;
  #roomView = viewOf(NO_BYTES);
  #roomAt = 0;
  #pool: Buffer = NO_BYTES;
  #poolView = viewOf(NO_BYTES);
  #poolTop = 0;

  #window: Buffer = NO_BYTES;
  #windowView = viewOf(NO_BYTES);
  #windowBlock = 0;
  #windowFrom = 0;
  #windowTo = 0;
  /** Where the record behind the last that was read begins, and how many in a row were the next to be read. */
  #next = 0;
  #nextBlockOfRead = 0;
  #inRow = 0;
  /** Offset of the record in the window that {@link findNext} found last, −1 once it was read. */
  #provenAt = -1;
  /** Hinted records that were read, each near behind the one before. */
  #nearInRow = 0;
  // Of {@link peekNear}: what it read many of, and where it read last.
  #near: Buffer = Buffer.alloc(0);
  #nearBlock = -1;
  #nearFrom = 0;
  #nearTo = 0;
  #peekedBlock = -1;
  #peekedAt = 0;
  /** Up to where a block holds nothing but what is committed: the store knows of those that are not sealed. */
  committedEnd: (block: number) => number = () => Number.POSITIVE_INFINITY;

  readonly #known: KnownRecord[] = [];
  #knownNext = 0;

  constructor({ volume, domain, seed, nextBlock, limits, digest }: BlocksOptions) {
    this.#volume = volume;
    this.#domain = domain;
    this.#seed = seed;
    this.#nextBlock = nextBlock;
    this.#limits = { ...BLOCK_LIMITS, ...limits };
    this.#digest = digest ?? digestInto;
    this.#files = new OpenFiles(volume, seed, this.#limits.openFiles);
  }

  get nextBlock(): number {
    return this.#nextBlock;
  }
  /** Never lower than it was, but when a store is opened. */
  set nextBlock(number: number) {
    this.#nextBlock = number;
  }
  /** Files that are open to read from. */
  get openFiles(): number {
    return this.#files.size;
  }

  // ——— Writing

  /** A new block, whose name is not on disk before its first sync. */
  createPacked(isPublished: boolean): PackedBlock {
    const { number, path, file } = this.#createFile();
    const header = encodeBlockHeader({ domain: this.#domain, number, isPublished, isOwn: false, seed: this.#seed });
    try {
      file.write(header, 0, header.length, 0);
    } catch (error) {
      file.close();
      this.removeFile(number);
      throw AslError.from(error, "ASL-WRITE", "it cannot be written", { file: path });
    }
    return new PackedBlock(this.#keeper, file, { number, path, isPublished }, BLOCK_HEADER_BYTES);
  }
  /** A block that was not sealed. What is behind `end` was never acknowledged, and is cut off. */
  reopenPacked(block: number, end: number): PackedBlock {
    const path = blockPath(block);
    let file: VolumeFile | undefined;
    try {
      file = this.#volume.open(path, "write");
      const bytes = new Uint8Array(BLOCK_HEADER_BYTES);
      const header = decodeBlockHeader(bytes.subarray(0, readFully(file, bytes, 0, BLOCK_HEADER_BYTES, 0)), path);
      if (header === undefined || header.number !== block || header.seed !== this.#seed)
        throw new AslError("ASL-BLOCK-DAMAGED", "its header is damaged", { file: path, offset: 0 });
      const size = file.size();
      if (size < end)
        throw new AslError("ASL-BLOCK-DAMAGED", `it should have ${end} bytes`, { file: path, offset: size });
      if (size > end) file.truncate(end);
      this.forget(block);
      return new PackedBlock(this.#keeper, file, { number: block, path, isPublished: header.isPublished }, end);
    } catch (error) {
      file?.close();
      if ((error as NodeJS.ErrnoException).code === "ENOENT")
        throw new AslError("ASL-BLOCK-DAMAGED", "there is no such file", { file: path }, error);
      throw AslError.from(error, "ASL-WRITE", "it cannot be opened", { file: path });
    }
  }
  /** For a large artifact whose bytes are pushed. */
  ownWriter(options: OwnOptions): OwnWriter {
    return new OwnWriter(this.#keeper, options);
  }
  /** Takes bytes of any length as they come, and hashes while what it hashed is written. If they fail nothing is left of them. */
  async writeOwn(pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>, options: OwnOptions): Promise<Written> {
    const writer = this.ownWriter(options);
    try {
      for await (const piece of pieces) await writer.add(piece);
    } catch (error) {
      await writer.abandon();
      throw error;
    }
    return await writer.finish();
  }
  /** The same artifact once more, in a block of the other visibility. It is checked on the way. */
  async copy(
    place: Place,
    digest: Uint8Array,
    at: number,
    isPublished: boolean,
    flags: number,
    tag: number,
  ): Promise<Written> {
    const { algorithm, length } = place;
    const key = digestAt(digest, at);
    const recordFlags = (flags & RecordFlag.HAS_TAG) | (isPublished ? RecordFlag.PUBLISHED : 0);
    const written = await this.writeOwn(this.pieces(place, key, 0), { algorithm, flags: recordFlags, tag, length });
    if (sameDigest(written.digest, 0, key, 0)) return written;
    written.discard();
    throw this.#corrupt(place, key, 0, RECORD_BYTES);
  }
  /** Removes the files of blocks numbered `first` or higher that nothing names: what was written when a process ended. */
  removeUnnamed(first: number, named: ReadonlySet<number>): void {
    let names: string[];
    try {
      names = this.#volume.list(BLOCK_FOLDER);
    } catch (error) {
      throw AslError.from(error, "ASL-READ", "it cannot be listed", { file: BLOCK_FOLDER });
    }
    for (const name of names) {
      const number = numberOf(name, "blk");
      if (number !== undefined && number >= first && !named.has(number)) this.removeFile(number);
    }
  }
  /**
   * Syncs a block that may be closed, and the names of all. `bytes` were read from `start`, and are written again: the system may take for written
   * what a sync has failed to write.
   */
  syncBlock(block: number, start = 0, bytes: Uint8Array = NO_BYTES): void {
    const path = blockPath(block);
    try {
      const file = this.#volume.open(path, "write");
      try {
        if (bytes.length > 0) file.write(bytes, 0, bytes.length, start);
        file.sync();
      } finally {
        file.close();
      }
    } catch (error) {
      throw AslError.from(error, "ASL-WRITE", "it cannot be synced", { file: path });
    }
    this.#syncNames();
  }
  removeFile(block: number): void {
    // Who opens the store next removes what is left over, and may give the number again.
    if (this.#isClosed) return;
    this.forget(block);
    const path = blockPath(block);
    try {
      removeIfThere(this.#volume, path);
    } catch (error) {
      throw AslError.from(error, "ASL-WRITE", "it cannot be removed", { file: path });
    }
  }
  get #keeper() {
    return {
      domain: this.#domain,
      seed: this.#seed,
      ...this.#limits,
      createFile: () => this.#createFile(),
      removeFile: (number: number) => this.removeFile(number),
      syncNames: () => this.#syncNames(),
      changed: (block: number) => this.forget(block),
    };
  }
  #createFile(): { readonly number: number; readonly path: string; readonly file: VolumeFile } {
    if (this.#isClosed) throw new AslError("ASL-CLOSED", "the store is closed");
    for (;;) {
      const number = this.#nextBlock++;
      if (number >= LOG_BIT) throw new AslError("ASL-LIMIT", "there are no more numbers of blocks");
      const path = blockPath(number);
      try {
        const file = this.#volume.open(path, "create");
        this.#hasNewNames = true;
        return { number, path, file };
      } catch (error) {
        // Left by a process that ended before a frame named it.
        if ((error as NodeJS.ErrnoException).code === "EEXIST") continue;
        throw AslError.from(error, "ASL-WRITE", "it cannot be created", { file: path });
      }
    }
  }
  #syncNames(): void {
    if (!this.#hasNewNames) return;
    try {
      this.#volume.syncFolder(BLOCK_FOLDER);
    } catch (error) {
      throw AslError.from(error, "ASL-WRITE", "it cannot be synced", { file: BLOCK_FOLDER });
    }
    this.#hasNewNames = false;
  }

  // ——— Reading

  /** The artifact, in memory of its own. With `verify` it was compared with its key; without, its record was. */
  get(place: Place, digest: Uint8Array, at: number, verify: boolean): Uint8Array {
    const { length } = place;
    if (length > LEAF_BYTES || (place.flags & RecordFlag.CHUNKED) !== 0)
      return this.#getLarge(place, digest, at, verify);
    const index = this.#windowIndex(place.block, place.offset, length);
    const isProven = this.#takeProof(place.offset);
    this.#makeRoom(length);
    const room = this.#room;
    const roomAt = this.#roomAt;
    if (index >= 0) {
      this.#window.copy(room, roomAt, index + RECORD_BYTES, index + RECORD_BYTES + length);
      const result = new Uint8Array(room.buffer, room.byteOffset + roomAt, length);
      if (
        verify
          ? this.#isDigest(place, result, digest, at)
          : isProven || this.#isHeaderOf(this.#window, this.#windowView, index, place, digest, at)
      )
        return result;
      // What is damaged is read again, so that it is the file that is.
      this.#windowTo = 0;
    }
    if (verify) {
      this.#read(place, room, roomAt, length, RECORD_BYTES, digest, at);
      const result = new Uint8Array(room.buffer, room.byteOffset + roomAt, length);
      if (this.#isDigest(place, result, digest, at)) return result;
      throw this.#wrong(place, digest, at);
    }
    this.#read(place, room, roomAt - RECORD_BYTES, RECORD_BYTES + length, 0, digest, at);
    if (!this.#isHeaderOf(room, this.#roomView, roomAt - RECORD_BYTES, place, digest, at))
      throw this.#wrong(place, digest, at);
    return new Uint8Array(room.buffer, room.byteOffset + roomAt, length);
  }
  /**
   * The same for a record that is probably at a place, and of which only a bound of its length is known; undefined if that is not sure, or
   * if more records may be read in a row: then the index tells all of the place.
   */
  getHinted(
    hint: NextPlace,
    algorithm: number,
    digest: Uint8Array,
    at: number,
    verify: boolean,
  ): Uint8Array | undefined {
    const bound = hint.length;
    if (bound > POOLED_BYTES || this.#isExpected(hint)) return undefined;
    this.#makeRoom(bound);
    const { buffer, byteOffset } = this.#room;
    const from = this.#roomAt - RECORD_BYTES;
    const length = this.#readHinted(hint, algorithm, this.#room, this.#roomView, from, digest, at, verify);
    if (length < 0) return undefined;
    const result = new Uint8Array(buffer, byteOffset + from + RECORD_BYTES, length);
    return !verify || this.#isDigest(hint, result, digest, at) ? result : undefined;
  }
  /** As {@link Blocks.readInto}, where {@link Blocks.getHinted} would be asked; −1 for its undefined. */
  readIntoHinted(
    hint: NextPlace,
    algorithm: number,
    digest: Uint8Array,
    at: number,
    into: Uint8Array,
    intoAt: number,
    offset: number,
    length: number,
    verify: boolean,
  ): number {
    if (hint.length > HEAD_BYTES || this.#isExpected(hint)) return -1;
    const head = this.#head;
    const whole = this.#readHinted(hint, algorithm, head, this.#headView, 0, digest, at, verify);
    if (whole < 0) return -1;
    if (verify && !this.#isDigest(hint, head.subarray(RECORD_BYTES, RECORD_BYTES + whole), digest, at)) return -1;
    const count = Math.min(length, whole - offset, into.length - intoAt);
    if (count <= 0) return 0;
    head.copy(into, intoAt, RECORD_BYTES + offset, RECORD_BYTES + offset + count);
    return count;
  }
  /** Whether more records may be read in a row: this one is the next, or those before it came near one another. */
  #isExpected({ block, offset }: NextPlace): boolean {
    return this.#isNear(block, offset) && (offset === this.#next || this.#nearInRow >= 2);
  }
  /** Whether a record is the next one, or so near behind that it comes with those between. */
  #isNear(block: number, offset: number): boolean {
    const ahead = offset - this.#next;
    return block === this.#nextBlockOfRead && ahead >= 0 && ahead <= NEAR_BYTES;
  }
  /**
   * Reads a record of at most the hint's length; the answer is the length that it has, −1 if it is not the one. Whoever compares digests
   * need not look at its header.
   */
  #readHinted(
    hint: NextPlace,
    algorithm: number,
    into: Buffer,
    view: DataView,
    from: number,
    digest: Uint8Array,
    at: number,
    isCompared: boolean,
  ): number {
    const { block, offset } = hint;
    let count: number;
    try {
      count = readFully(this.#files.of(block).file, into, from, RECORD_BYTES + hint.length, offset);
    } catch {
      // Whoever reads the same with all that the index knows says what is wrong.
      return -1;
    }
    if (count < RECORD_BYTES) return -1;
    const length = getU64(view, from + LENGTH_AT);
    if (length < 0 || length > hint.length || RECORD_BYTES + length > count) return -1;
    hint.flags = 0;
    hint.algorithm = algorithm;
    hint.length = length;
    if (!isCompared && !this.#isHeaderOf(into, view, from, hint, digest, at)) return -1;
    this.#nearInRow = this.#isNear(block, offset) ? this.#nearInRow + 1 : 0;
    this.#next = offset + ((RECORD_BYTES + length + 7) & ~7);
    this.#nextBlockOfRead = block;
    this.#inRow = 0;
    return length;
  }
  /**
   * Reads up to `length` bytes, from `offset` of the artifact, to `into`; the answer is how many there are. After an error, bytes of `into`
   * that it was asked to fill may be any.
   */
  readInto(
    place: Place,
    digest: Uint8Array,
    at: number,
    into: Uint8Array,
    intoAt: number,
    offset: number,
    length: number,
    verify: boolean,
  ): number {
    const isProven = this.#takeProof(place.offset);
    const count = Math.min(length, place.length - offset, into.length - intoAt);
    if (count <= 0) return 0;
    if ((place.flags & RecordFlag.CHUNKED) !== 0)
      this.#readChunks(place, digest, at, into, intoAt, offset, count, verify);
    else if (place.length > LEAF_BYTES) this.#readLarge(place, digest, at, into, intoAt, offset, count, verify);
    else if (verify) this.#readSmallChecked(place, digest, at, into, intoAt, offset, count);
    else this.#readSmall(place, digest, at, into, intoAt, offset, count, isProven);
    return count;
  }
  /** Bytes of the artifact: a place of a CHUNKED one has them too. */
  lengthOf({ length }: Place, _digest: Uint8Array, _at: number): number {
    return length;
  }
  /** Where to look for it by hand. */
  locationOf({ block, offset }: Place): { readonly file: string; readonly offset: number } {
    return { file: blockPath(block), offset };
  }
  /** The artifact, or a part of it, in pieces that are each checked before they are given. Place and key may change while they are taken. */
  pieces(
    { block, offset, length, flags, algorithm }: Place,
    digest: Uint8Array,
    at: number,
    range: RangeOptions = {},
  ): Generator<Uint8Array, undefined> {
    return this.#pieces({ block, offset, length, flags, algorithm }, digestAt(digest, at), range);
  }
  *#pieces(
    place: Place,
    digest: Uint8Array,
    { offset = 0, length = place.length - offset, verify = true }: RangeOptions,
  ): Generator<Uint8Array, undefined> {
    const end = Math.min(offset + length, place.length);
    const held = this.#files.hold(place.block);
    try {
      for (let from = offset; from < end; ) {
        // Up to where a leaf ends, so that none is read twice.
        const to = Math.min(from - (from % CHECKED_BYTES) + CHECKED_BYTES, end);
        const piece = uninitialized(to - from);
        this.readInto(place, digest, 0, piece, 0, from, to - from, verify);
        yield piece;
        from = to;
      }
    } finally {
      this.#files.release(held);
    }
  }
  /** As {@link Blocks.pieces}, for those who wait for each. */
  stream(place: Place, digest: Uint8Array, at: number, range?: RangeOptions): AsyncGenerator<Uint8Array, void> {
    const pieces = this.pieces(place, digest, at, range);
    return (async function* () {
      yield* pieces;
    })();
  }
  /** The records of a file, whether or not the index names them. Throws ASL-BLOCK-DAMAGED without the file, and ASL-READ. */
  *scan(block: number, options: ScanOptions = {}): Generator<ScannedRecord, undefined> {
    const open = this.#files.hold(block);
    try {
      yield* scanRecords(open, this.#seed, options, this.#digest);
    } finally {
      this.#files.release(open);
    }
  }
  /** What a block file says of itself. Throws as {@link Blocks.scan}, and ASL-VERSION. */
  inspect(block: number): BlockInfo {
    const { path, file } = this.#files.of(block);
    try {
      const size = file.size();
      const bytes = new Uint8Array(BLOCK_HEADER_BYTES);
      const header = decodeBlockHeader(bytes.subarray(0, readFully(file, bytes, 0, bytes.length, 0)), path);
      const footerAt = size - BLOCK_FOOTER_BYTES;
      const isSealed =
        footerAt >= BLOCK_HEADER_BYTES &&
        readFully(file, bytes, 0, BLOCK_FOOTER_BYTES, footerAt) === BLOCK_FOOTER_BYTES &&
        isBlockFooter(bytes, 0, footerAt, this.#seed);
      return { path, size, header, footerAt: isSealed ? footerAt : undefined };
    } catch (error) {
      throw AslError.from(error, "ASL-READ", "it cannot be read", { file: path });
    }
  }
  /** Bytes of a file as they are; the answer is less than `length` at its end. */
  peek(block: number, offset: number, into: Uint8Array, length: number): number {
    const { path, file } = this.#files.of(block);
    try {
      return readFully(file, into, 0, length, offset);
    } catch (error) {
      throw AslError.from(error, "ASL-READ", "it cannot be read", { file: path, offset });
    }
  }
  /**
   * The same of things that are read one after the other, many at once. The bytes may be older than those of {@link peek}: who finds them wrong looks
   * again there.
   */
  peekNear(block: number, offset: number, into: Uint8Array, length: number): number {
    const ahead = offset - this.#peekedAt;
    const isNear = block === this.#peekedBlock && ahead > 0 && ahead <= NEAR_BYTES;
    this.#peekedBlock = block;
    this.#peekedAt = offset;
    if (block !== this.#nearBlock || offset < this.#nearFrom || offset + length > this.#nearTo) {
      if (!isNear) return this.peek(block, offset, into, length);
      if (this.#near.length === 0) this.#near = Buffer.allocUnsafeSlow(WINDOW_BYTES);
      this.#nearBlock = block;
      this.#nearFrom = offset;
      this.#nearTo = offset;
      this.#nearTo += this.peek(block, offset, this.#near, WINDOW_BYTES);
    }
    const at = offset - this.#nearFrom;
    const count = Math.min(length, this.#nearTo - offset);
    into.set(this.#near.subarray(at, at + count));
    return count;
  }
  /** Bytes of this file are not what they were: nothing that was read of it counts any more. */
  forget(block: number): void {
    this.#files.forget(block);
    if (this.#nearBlock === block) this.#nearTo = 0;
    if (this.#windowBlock === block) this.#windowTo = 0;
    if (this.#leafBlock === block) this.#leafFrom = -1;
    for (let k = this.#known.length - 1; k >= 0; k--) if (this.#known[k]!.block === block) this.#known.splice(k, 1);
    this.#knownNext = 0;
  }
  /** No block is made or removed any more. */
  close(): void {
    this.#isClosed = true;
    this.#files.close();
    this.#known.length = 0;
    this.#windowTo = 0;
    this.#nearTo = 0;
    this.#leafFrom = -1;
  }

  // ——— Small records: those of at most one leaf

  /**
   * Finds room for a result of `length` bytes, and for a header before it. A pool is filled from its end: so a header falls on what is still
   * free, and the next result takes its place.
   */
  #makeRoom(length: number): void {
    if (length > POOLED_BYTES) {
      this.#room = Buffer.allocUnsafeSlow(RECORD_BYTES + length);
      this.#roomView = viewOf(this.#room);
      this.#roomAt = RECORD_BYTES;
      return;
    }
    // At a multiple of 8, so that a caller can look at it as at larger numbers.
    let top = this.#poolTop - ((length + 7) & ~7);
    // It has no length any more when a caller has made a result another one's.
    if (top < RECORD_BYTES || this.#pool.length === 0) {
      this.#pool = Buffer.allocUnsafeSlow(POOL_BYTES);
      // As Node.js does with its own: a message that takes one result with it would take all.
      process.getBuiltinModule("node:worker_threads").markAsUntransferable(this.#pool.buffer);
      this.#poolView = viewOf(this.#pool);
      top = POOL_BYTES - ((length + 7) & ~7);
    }
    this.#poolTop = top;
    this.#room = this.#pool;
    this.#roomView = this.#poolView;
    this.#roomAt = top;
  }
  /**
   * Whether the record behind those that were read one after the other, as they are stored, is that of this key: the index, where keys
   * lie in another order, need not be asked then. `into` is its place. What was removed is no record of the store any more, so its position
   * has to be above `removed`, that of the last tombstone; and `asOf` at most.
   */
  findNext(into: NextPlace, algorithm: number, digest: Uint8Array, at: number, removed: number, asOf: number): boolean {
    this.#provenAt = -1;
    const offset = this.#next;
    const block = this.#nextBlockOfRead;
    if (this.#inRow < 2 || block !== this.#windowBlock || offset < this.#windowFrom) return false;
    const index = offset - this.#windowFrom;
    if (offset + RECORD_BYTES > this.#windowTo || !isRecordOf(this.#window, index, digest, at)) return false;
    const header = this.#header;
    if (!readRecordHeader(this.#window, this.#windowView, index, this.#seed, header)) return false;
    const { flags, length, position } = header;
    if (
      header.algorithm !== algorithm ||
      (flags & KIND_FLAGS) !== 0 ||
      length > WINDOWED_BYTES ||
      offset + RECORD_BYTES + length > this.#windowTo ||
      position <= removed ||
      position > asOf
    )
      return false;
    into.block = block;
    into.offset = offset;
    into.length = length;
    into.flags = 0;
    into.algorithm = algorithm;
    this.#provenAt = offset;
    return true;
  }
  /** Whether the record at an offset of the window is the one that {@link findNext} has just looked at. */
  #takeProof(offset: number): boolean {
    const isProven = this.#provenAt === offset;
    this.#provenAt = -1;
    return isProven;
  }
  /**
   * Where in the window a record is, or −1: records that are read one after the other as they are stored are read many at once. Not those of
   * logs, between which there are frames.
   */
  #windowIndex(block: number, offset: number, length: number): number {
    const isNext = this.#isNear(block, offset);
    this.#next = offset + ((RECORD_BYTES + length + 7) & ~7);
    this.#nextBlockOfRead = block;
    if (!isNext) {
      this.#inRow = 0;
      return -1;
    }
    this.#inRow++;
    if (this.#inRow < 2 || length > WINDOWED_BYTES || block >= LOG_BIT) return -1;
    const end = offset + RECORD_BYTES + length;
    if (block !== this.#windowBlock || offset < this.#windowFrom || end > this.#windowTo) {
      this.#fillWindow(block, offset);
      if (end > this.#windowTo) return -1;
    }
    return offset - this.#windowFrom;
  }
  /** An error is of whoever reads without a window. */
  #fillWindow(block: number, offset: number): void {
    if (this.#window.length === 0) {
      this.#window = Buffer.allocUnsafeSlow(WINDOW_BYTES);
      this.#windowView = viewOf(this.#window);
    }
    this.#windowTo = 0;
    this.#windowBlock = block;
    this.#windowFrom = offset;
    const { file } = this.#files.of(block);
    try {
      const count = readFully(file, this.#window, 0, WINDOW_BYTES, offset);
      this.#windowTo = Math.min(offset + count, this.committedEnd(block));
    } catch {
      this.#windowTo = 0;
    }
  }
  #readSmallChecked(
    place: Place,
    digest: Uint8Array,
    at: number,
    into: Uint8Array,
    intoAt: number,
    offset: number,
    count: number,
  ): void {
    const { length } = place;
    const index = this.#windowIndex(place.block, place.offset, length);
    if (count < length) {
      this.#readLeaf(place, digest, at, 0, length, undefined);
      this.#leaf.copy(into, intoAt, offset, offset + count);
      return;
    }
    const result = new Uint8Array(into.buffer, into.byteOffset + intoAt, length);
    if (index >= 0) {
      this.#window.copy(into, intoAt, index + RECORD_BYTES, index + RECORD_BYTES + length);
      if (this.#isDigest(place, result, digest, at)) return;
      this.#windowTo = 0;
    }
    this.#read(place, into, intoAt, length, RECORD_BYTES, digest, at);
    if (!this.#isDigest(place, result, digest, at)) throw this.#wrong(place, digest, at);
  }
  #readSmall(
    place: Place,
    digest: Uint8Array,
    at: number,
    into: Uint8Array,
    intoAt: number,
    offset: number,
    count: number,
    isProven: boolean,
  ): void {
    const index = this.#windowIndex(place.block, place.offset, place.length);
    if (index >= 0) {
      if (isProven || this.#isHeaderOf(this.#window, this.#windowView, index, place, digest, at)) {
        const from = index + RECORD_BYTES + offset;
        this.#window.copy(into, intoAt, from, from + count);
        return;
      }
      this.#windowTo = 0;
    }
    const isNear = offset + count <= HEAD_BYTES;
    this.#read(place, this.#head, 0, isNear ? RECORD_BYTES + offset + count : RECORD_BYTES, 0, digest, at);
    if (!this.#isHeaderOf(this.#head, this.#headView, 0, place, digest, at)) throw this.#wrong(place, digest, at);
    if (isNear) this.#head.copy(into, intoAt, RECORD_BYTES + offset, RECORD_BYTES + offset + count);
    else this.#read(place, into, intoAt, count, RECORD_BYTES + offset, digest, at);
  }

  // ——— Large records

  #getLarge(place: Place, digest: Uint8Array, at: number, verify: boolean): Uint8Array {
    const { length } = place;
    const isChunked = (place.flags & RecordFlag.CHUNKED) !== 0;
    // Also proves the length, before there is memory for it.
    const known = this.#knownOf(place, digest, at);
    if (isChunked) this.#listOf(known, place, digest, at);
    else this.#checkSize(place, RECORD_BYTES + length, digest, at);
    const bytes = uninitialized(length);
    if (isChunked) this.#readChunks(place, digest, at, bytes, 0, 0, length, false);
    else this.#read(place, bytes, 0, length, RECORD_BYTES, digest, at);
    if (!verify || this.#isDigest(place, bytes, digest, at)) return bytes;
    // The tables know which part it is.
    this.readInto(place, digest, at, bytes, 0, 0, length, true);
    throw this.#wrong(place, digest, at);
  }
  #readChunks(
    place: Place,
    digest: Uint8Array,
    at: number,
    into: Uint8Array,
    intoAt: number,
    offset: number,
    count: number,
    verify: boolean,
  ): void {
    const { chunkBytes, chunks } = this.#listOf(this.#knownOf(place, digest, at), place, digest, at);
    for (let done = 0; done < count; ) {
      const position = offset + done;
      const index = Math.floor(position / chunkBytes);
      const { block, offset: recordAt, length, digest: leaf } = chunks[index]!;
      const chunk: Place = { block, offset: recordAt, length, flags: RecordFlag.CHUNK, algorithm: CHUNK_ALGORITHM };
      done += this.readInto(chunk, leaf, 0, into, intoAt + done, position - index * chunkBytes, count - done, verify);
    }
  }
  #readLarge(
    place: Place,
    digest: Uint8Array,
    at: number,
    into: Uint8Array,
    intoAt: number,
    offset: number,
    count: number,
    verify: boolean,
  ): void {
    const known = this.#knownOf(place, digest, at);
    if (!verify) {
      this.#read(place, into, intoAt, count, RECORD_BYTES + offset, digest, at);
      return;
    }
    const leaves = this.#leavesOf(known, place, digest, at);
    const end = offset + count;
    for (let from = offset; from < end; ) {
      const target = intoAt + from - offset;
      const leafFrom = from - (from % LEAF_BYTES);
      const leafTo = Math.min(leafFrom + LEAF_BYTES, place.length);
      if (from > leafFrom || end < leafTo) {
        this.#readLeaf(place, digest, at, leafFrom, leafTo, leaves);
        const to = Math.min(leafTo, end);
        this.#leaf.copy(into, target, from - leafFrom, to - leafFrom);
        from = to;
        continue;
      }
      // Whole leaves go straight to where they are wanted.
      let to = Math.min(from + CHECKED_BYTES, end);
      if (to < place.length) to -= to % LEAF_BYTES;
      this.#read(place, into, target, to - from, RECORD_BYTES + from, digest, at);
      this.#checkLeaves(place, digest, at, into, target, from, to, leaves);
      from = to;
    }
  }
  #checkLeaves(
    place: Place,
    digest: Uint8Array,
    at: number,
    bytes: Uint8Array,
    bytesAt: number,
    from: number,
    to: number,
    leaves: Uint32Array,
  ): void {
    for (let leafFrom = from; leafFrom < to; leafFrom += LEAF_BYTES) {
      const first = bytesAt + leafFrom - from;
      const crc = crc32Of(bytes, first, first + Math.min(LEAF_BYTES, to - leafFrom), 0);
      if (crc !== leaves[leafFrom / LEAF_BYTES]) throw this.#corrupt(place, digest, at, RECORD_BYTES + leafFrom);
    }
  }
  /** Has this leaf in memory, and checked: a caller who wants a part of it often wants the next one then. */
  #readLeaf(
    place: Place,
    digest: Uint8Array,
    at: number,
    from: number,
    to: number,
    leaves: Uint32Array | undefined,
  ): void {
    const { block, offset } = place;
    if (
      this.#leafFrom === from &&
      this.#leafOffset === offset &&
      this.#leafBlock === block &&
      sameDigest(this.#leafDigest, 0, digest, at)
    )
      return;
    this.#leafFrom = -1;
    if (this.#leaf.length === 0) this.#leaf = Buffer.allocUnsafeSlow(LEAF_BYTES);
    this.#read(place, this.#leaf, 0, to - from, RECORD_BYTES + from, digest, at);
    if (leaves !== undefined) this.#checkLeaves(place, digest, at, this.#leaf, 0, from, to, leaves);
    else if (!this.#isDigest(place, this.#leaf.subarray(0, to - from), digest, at))
      throw this.#wrong(place, digest, at);
    this.#leafBlock = block;
    this.#leafOffset = offset;
    for (let k = 0; k < DIGEST_BYTES; k++) this.#leafDigest[k] = digest[at + k]!;
    this.#leafFrom = from;
  }
  /** The record at a place, if it is that of the key; of a large or CHUNKED one. */
  #knownOf(place: Place, digest: Uint8Array, at: number): KnownRecord {
    const { block, offset } = place;
    for (const known of this.#known) {
      if (known.offset === offset && known.block === block && sameDigest(known.digest, 0, digest, at)) return known;
    }
    this.#read(place, this.#head, 0, RECORD_BYTES, 0, digest, at);
    if (!this.#isHeaderOf(this.#head, this.#headView, 0, place, digest, at)) throw this.#wrong(place, digest, at);
    const known: KnownRecord = {
      block,
      offset,
      digest: digestAt(digest, at),
      length: this.#header.length,
      leaves: undefined,
      list: undefined,
    };
    this.#known[this.#knownNext] = known;
    this.#knownNext = (this.#knownNext + 1) % KNOWN_RECORDS;
    return known;
  }
  #leavesOf(known: KnownRecord, place: Place, digest: Uint8Array, at: number): Uint32Array {
    if (known.leaves !== undefined) return known.leaves;
    const tableAt = RECORD_BYTES + known.length;
    const length = leafTableBytes(known.length);
    this.#checkSize(place, tableAt + length, digest, at);
    const bytes = new Uint8Array(length);
    this.#read(place, bytes, 0, length, tableAt, digest, at);
    const view = viewOf(bytes);
    if (!isLeafTable(bytes, view, 0, length, this.#seed))
      throw this.#damaged(place, digest, at, "its checksums are damaged", tableAt);
    const leaves = new Uint32Array(length / 4 - 1);
    for (let k = 0; k < leaves.length; k++) leaves[k] = view.getUint32(4 * k, true);
    known.leaves = leaves;
    return leaves;
  }
  #listOf(known: KnownRecord, place: Place, digest: Uint8Array, at: number): ChunkList {
    if (known.list !== undefined) return known.list;
    this.#checkSize(place, RECORD_BYTES + known.length, digest, at);
    const bytes = new Uint8Array(known.length);
    this.#read(place, bytes, 0, bytes.length, RECORD_BYTES, digest, at);
    const list = decodeChunkList(bytes);
    if (list === undefined || list.length !== place.length) throw this.#corrupt(place, digest, at, RECORD_BYTES);
    known.list = list;
    return list;
  }

  /** Numbers of the blocks that the chunks of a chunked artifact lie in. */
  chunkBlocks(place: Place, digest: Uint8Array, at: number): number[] {
    return this.#listOf(this.#knownOf(place, digest, at), place, digest, at).chunks.map(({ block }) => block);
  }

  // ——— What is read, and what it has to be

  /** Reads `length` bytes from `from` of the record, no less. */
  #read(
    place: Place,
    into: Uint8Array,
    intoAt: number,
    length: number,
    from: number,
    digest: Uint8Array,
    at: number,
  ): void {
    const open = this.#files.of(place.block);
    const position = place.offset + from;
    let count: number;
    try {
      count = readFully(open.file, into, intoAt, length, position);
    } catch (error) {
      throw AslError.from(error, "ASL-READ", "it cannot be read", {
        file: open.path,
        offset: position,
        key: keyText(place.algorithm, digest, at),
      });
    }
    if (count < length) throw this.#damaged(place, digest, at, "the file ends inside it", from + count);
  }
  /** Whether the file has `length` bytes of the record: a length that is none takes no memory. */
  #checkSize(place: Place, length: number, digest: Uint8Array, at: number): void {
    const { path, file } = this.#files.of(place.block);
    let size: number;
    try {
      size = file.size();
    } catch (error) {
      throw AslError.from(error, "ASL-READ", "it cannot be read", { file: path });
    }
    if (place.offset + length > size)
      throw this.#damaged(place, digest, at, "the file ends inside it", size - place.offset);
  }
  #isDigest(place: Place, bytes: Uint8Array, digest: Uint8Array, at: number): boolean {
    if ((place.flags & RecordFlag.CHUNK) !== 0 || bytes.length > HASHED_BYTES) {
      const hash = cryptoOf().createHash(algorithmOf(place.algorithm).host);
      if ((place.flags & RecordFlag.CHUNK) !== 0) hash.update(LEAF);
      for (let from = 0; from < bytes.length; from += HASHED_BYTES)
        hash.update(bytes.subarray(from, from + HASHED_BYTES));
      return sameDigest(hash.digest(), 0, digest, at);
    }
    this.#digest(place.algorithm, bytes, this.#hash, 0);
    return sameDigest(this.#hash, 0, digest, at);
  }
  /** Whether there is the header of the artifact that is asked for, with the same length. */
  #isHeaderOf(
    bytes: Uint8Array,
    view: DataView,
    headerAt: number,
    place: Place,
    digest: Uint8Array,
    at: number,
  ): boolean {
    const header = this.#header;
    return (
      readRecordHeader(bytes, view, headerAt, this.#seed, header) &&
      header.algorithm === place.algorithm &&
      (header.flags & KIND_FLAGS) === (place.flags & KIND_FLAGS) &&
      (header.length === place.length || (place.flags & RecordFlag.CHUNKED) !== 0) &&
      isRecordOf(bytes, headerAt, digest, at)
    );
  }
  /** For bytes that are not what was asked for: damage of the framing, or of the payload. */
  #wrong(place: Place, digest: Uint8Array, at: number): AslError {
    try {
      this.#read(place, this.#head, 0, RECORD_BYTES, 0, digest, at);
    } catch (error) {
      return AslError.from(error, "ASL-READ", "it cannot be read");
    }
    return this.#isHeaderOf(this.#head, this.#headView, 0, place, digest, at)
      ? this.#corrupt(place, digest, at, RECORD_BYTES)
      : this.#damaged(place, digest, at, "its record is not there", 0);
  }
  #corrupt(place: Place, digest: Uint8Array, at: number, from: number): AslError {
    return this.#error("ASL-CORRUPT", "the stored bytes are not those of the key", place, digest, at, from);
  }
  #damaged(place: Place, digest: Uint8Array, at: number, message: string, from: number): AslError {
    return this.#error("ASL-BLOCK-DAMAGED", message, place, digest, at, from);
  }
  #error(
    code: "ASL-CORRUPT" | "ASL-BLOCK-DAMAGED",
    message: string,
    place: Place,
    digest: Uint8Array,
    at: number,
    from: number,
  ): AslError {
    return new AslError(code, message, {
      file: blockPath(place.block),
      offset: place.offset + from,
      key: keyText(place.algorithm, digest, at),
    });
  }
}

/** What begins a leaf of the tree hash (spec PACK-TREE). */
const LEAF = Uint8Array.of(0);

/** That of the tree hash. */
const CHUNK_ALGORITHM = 1;

/** Where a header has the length of the payload. */
const LENGTH_AT = 16;

/** Flags in which a record and its place agree. */
const KIND_FLAGS = RecordFlag.CHUNKED | RecordFlag.CHUNK;

function viewOf({ buffer, byteOffset, length }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, length);
}

/** Memory that is all written by whoever asks for it. */
function uninitialized(length: number): Uint8Array {
  try {
    return new Uint8Array(Buffer.allocUnsafeSlow(length).buffer);
  } catch (error) {
    throw new AslError("ASL-LIMIT", `${length} bytes do not fit into memory`, {}, error);
  }
}
