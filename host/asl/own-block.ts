/**
 * Large artifacts, each in a block file of its own, or in one for each chunk of it: written while their bytes come, in constant memory
 * (spec ASL-BLOCK-8, ASL-BLOCK-9).
 */
import type { Hash } from "node:crypto";
import { cryptoOf } from "../assets/hash.ts";
import { BLOCK_HEADER_BYTES, encodeBlockFooter, encodeBlockHeader } from "./block-file.ts";
import { crc32Of } from "./checksum.ts";
import { type Chunk, encodeChunkList } from "./chunk-list.ts";
import { AslError } from "./errors.ts";
import { algorithmOf, DIGEST_BYTES } from "./key.ts";
import { type LeafThread, leafThread } from "./leaf-thread.ts";
import {
  LEAF_BYTES,
  leafTable,
  RECORD_BYTES,
  RECORD_DIGEST_AT,
  RecordFlag,
  recordSize,
  writeRecordHeader,
} from "./record.ts";
import { readFully, type VolumeFile } from "./volume.ts";

/** What is hashed and written at a time. A multiple of LEAF_BYTES. */
const PIECE_BYTES = 1024 * 1024;

/** Pieces that are held: one takes bytes while others are written. With two, each wait of a thread for the processor is one for all. */
const PIECES = 4;

/** What is longer has a thread to help, which does not begin for nothing. */
const THREAD_BYTES = 4 * 1024 * 1024;

/** Bytes after which the disk is told to begin, so that the sync at the end has little left to do. */
const WRITE_OUT_BYTES = 16 * 1024 * 1024;

const NO_PIECE = new Uint8Array(0);

/** What begins a leaf of the tree hash (spec PACK-TREE). */
const LEAF = Uint8Array.of(0);

/** Of leaves: those of the tree hash are SHA-256, whatever the artifact's algorithm. */
const SHA_256 = 1;

export interface OwnOptions {
  readonly algorithm: number;
  /** HAS_TAG and PUBLISHED of {@link RecordFlag}. */
  readonly flags: number;
  readonly tag: number;
  /** Bytes that will come, if that is known; it decides nothing but the size of chunks. */
  readonly length?: number | undefined;
}

/** What a writer needs of the blocks that it writes for. */
export interface OwnKeeper {
  readonly domain: Uint8Array;
  readonly seed: number;
  readonly ownBytes: number;
  readonly chunkBytes: number;
  /** A new file and its number. */
  createFile(): { readonly number: number; readonly path: string; readonly file: VolumeFile };
  removeFile(number: number): void;
  syncNames(): void;
}

/** A large artifact that is written but for what its log entry decides. */
export interface Written {
  readonly algorithm: number;
  readonly digest: Uint8Array;
  /** HAS_TAG, PUBLISHED, CHUNKED. */
  readonly flags: number;
  readonly tag: number;
  /** Where its record is: of a CHUNKED one, the list's. */
  readonly block: number;
  readonly offset: number;
  /** Bytes of the artifact. */
  readonly length: number;
  /** Writes the header of the record, and seals: until then the record does not count. Files are on disk then, and closed, as there may be many. */
  finish(position: number, logseq: number): void;
  /** The names of its files are on disk, too, when it returns. */
  sync(): void;
  /** Removes all files of it. */
  discard(): void;
}

/** A record in a file of its own. */
class OwnRecord {
  readonly number: number;
  readonly path: string;
  readonly file: VolumeFile;
  length = 0;
  readonly leaves: number[] = [];
  /** Of the tree hash; undefined while it is not known that it is needed, or a thread has it. */
  leaf: Hash | undefined;
  /** What the thread knows it by; 0 if it does not. */
  stream = 0;
  /** As a chunk; undefined while nobody has made it. */
  digest: Uint8Array | undefined;
  #isClosed = false;

  constructor(keeper: OwnKeeper, isPublished: boolean) {
    const { number, path, file } = keeper.createFile();
    this.number = number;
    this.path = path;
    this.file = file;
    const { domain, seed } = keeper;
    try {
      const header = encodeBlockHeader({ domain, number, isPublished, isOwn: true, seed });
      file.write(header, 0, header.length, 0);
    } catch (error) {
      this.close();
      keeper.removeFile(number);
      throw this.failed(error);
    }
  }

  /** Where the next bytes of the payload go. */
  get position(): number {
    return BLOCK_HEADER_BYTES + RECORD_BYTES + this.length;
  }
  /** Of bytes that follow whole leaves. */
  addLeaves(bytes: Uint8Array, length: number, index: number): void {
    for (let at = 0; at < length; at += LEAF_BYTES)
      this.leaves[index + at / LEAF_BYTES] = crc32Of(bytes, at, Math.min(at + LEAF_BYTES, length), 0);
  }
  /** What follows the payload: the table of leaves, and zeros. The footer comes with the header, as what is sealed is whole. */
  end(seed: number): void {
    const rest = new Uint8Array(recordSize(this.length) - RECORD_BYTES - this.length);
    if (this.length > LEAF_BYTES) rest.set(leafTable(this.leaves, this.leaves.length, seed));
    this.write(rest, this.position);
  }
  finish(header: Uint8Array, seed: number): void {
    this.write(header, BLOCK_HEADER_BYTES);
    const end = BLOCK_HEADER_BYTES + recordSize(this.length);
    this.write(encodeBlockFooter(end, seed), end);
  }
  write(bytes: Uint8Array, position: number): void {
    try {
      this.file.write(bytes, 0, bytes.length, position);
    } catch (error) {
      throw this.failed(error);
    }
  }
  sync(): void {
    if (this.#isClosed) return;
    try {
      this.file.sync();
    } catch (error) {
      throw this.failed(error);
    }
    this.close();
  }
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.file.close();
  }
  failed(error: unknown): AslError {
    return AslError.from(error, "ASL-WRITE", "it cannot be written", { file: this.path });
  }
}

/**
 * Takes an artifact's bytes one after the other. {@link OwnWriter.write} and {@link OwnWriter.end} write before they return; of
 * {@link OwnWriter.add} and {@link OwnWriter.finish} what was hashed last is still on its way to the file while the next is hashed.
 */
export class OwnWriter {
  readonly #keeper: OwnKeeper;
  readonly #options: OwnOptions;
  readonly #whole: Hash;
  readonly #chunkBytes: number;
  readonly #chunks: Chunk[] = [];
  readonly #numbers: number[] = [];
  #record: OwnRecord | undefined;
  /** Bytes of the records before this one. */
  #before = 0;
  /** The piece that takes bytes, and how many it has. */
  #piece: Uint8Array;
  #held = 0;
  readonly #pieces: Uint8Array[];
  /** Of each piece: done when it is written, and nobody looks at it any more. */
  readonly #pending: (Promise<unknown> | undefined)[] = [];
  #turn = 0;
  /** The disk at work on what was written; and bytes since it was last told to begin. */
  #writeOut: Promise<void> | undefined;
  #unsynced = 0;
  #thread: LeafThread | undefined;
  #isDone = false;

  constructor(keeper: OwnKeeper, options: OwnOptions) {
    this.#keeper = keeper;
    this.#options = options;
    this.#whole = cryptoOf().createHash(algorithmOf(options.algorithm).host);
    // A stream of unknown length is one record as long as it can be. If it goes on, that was the first chunk.
    this.#chunkBytes = (options.length ?? 0) > keeper.ownBytes ? keeper.chunkBytes : keeper.ownBytes;
    this.#piece = this.#newPiece();
    this.#pieces = [this.#piece];
  }

  /** Bytes that came. */
  get length(): number {
    return this.#before + (this.#record?.length ?? 0) + this.#held;
  }
  /** After an error nothing is left of it. */
  write(bytes: Uint8Array): void {
    this.#check();
    this.#orDiscard(() => {
      for (let at = 0; at < bytes.length; ) {
        if (this.#isPieceFull()) this.#flush();
        at = this.#take(bytes, at);
      }
    });
  }
  /** After an error nothing is left of it. */
  end(): Written {
    this.#check();
    return this.#orDiscard(() => {
      this.#flush();
      return this.#written();
    });
  }
  /** As {@link OwnWriter.write}; the bytes may change when it is done. */
  async add(bytes: Uint8Array): Promise<void> {
    this.#check();
    const { length } = bytes;
    try {
      for (let at = 0; at < length; ) {
        if (this.#isPieceFull()) await this.#flushLater();
        if (bytes.length !== length)
          throw new AslError("ASL-ARGUMENT", "the bytes were taken away while they were written");
        at = this.#take(bytes, at);
      }
    } catch (error) {
      await this.abandon();
      throw error;
    }
  }
  /** As {@link OwnWriter.end}. */
  async finish(): Promise<Written> {
    this.#check();
    try {
      await this.#flushLater();
      await this.#settle();
      const record = this.#record;
      if (record !== undefined && this.#chunks.length > 0) await this.#digestLater(record);
      return this.#written();
    } catch (error) {
      await this.abandon();
      throw error;
    }
  }
  /** Nothing is left of it. Not while a call of {@link OwnWriter.add} is underway. */
  discard(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#removeFiles();
  }
  /** As {@link OwnWriter.discard}, once the file is not written to any more. */
  async abandon(): Promise<void> {
    await Promise.allSettled([...this.#pending, this.#writeOut]);
    const { stream } = this.#record ?? { stream: 0 };
    if (stream > 0) this.#thread?.ask({ bytes: undefined, length: 0, stream, isEnd: true }).catch(() => undefined);
    this.discard();
  }
  #check(): void {
    if (this.#isDone) throw new AslError("ASL-DISCARDED", "the artifact is written or discarded");
  }
  #orDiscard<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      this.discard();
      throw error;
    }
  }
  #removeFiles(): void {
    this.#record?.close();
    for (const number of this.#numbers.splice(0).reverse()) this.#keeper.removeFile(number);
  }

  /** Copies from `at` what there is room for: a caller who changes bytes afterwards changes neither the file nor the digest. */
  #take(bytes: Uint8Array, at: number): number {
    const room = this.#pieceRoom();
    const count = Math.min(bytes.length - at, room - this.#held);
    this.#piece.set(at === 0 && count === bytes.length ? bytes : bytes.subarray(at, at + count), this.#held);
    this.#held += count;
    return at + count;
  }
  #newPiece(): Uint8Array {
    // Shared, as a thread looks at it too.
    return new Uint8Array(new SharedArrayBuffer(Math.min(PIECE_BYTES, this.#chunkBytes)));
  }
  /** No piece reaches into the next chunk. */
  #pieceRoom(): number {
    const { length } = this.#record ?? { length: 0 };
    return Math.min(PIECE_BYTES, length === this.#chunkBytes ? this.#chunkBytes : this.#chunkBytes - length);
  }
  #isPieceFull(): boolean {
    return this.#held > 0 && this.#held === this.#pieceRoom();
  }
  /** The record that the piece belongs to: the one before it is full if this is the next. */
  #recordOfPiece(): OwnRecord {
    if (this.#record !== undefined && this.#record.length === this.#chunkBytes) this.#endChunk(this.#record);
    if (this.#record === undefined) {
      this.#record = new OwnRecord(this.#keeper, (this.#options.flags & RecordFlag.PUBLISHED) !== 0);
      this.#numbers.push(this.#record.number);
      const isChunked = this.#chunks.length > 0 || (this.#options.length ?? 0) > this.#keeper.ownBytes;
      if (isChunked && this.#thread?.isReady === true) this.#record.stream = this.#thread.newStream();
      else if (isChunked) this.#record.leaf = newLeaf();
    }
    return this.#record;
  }
  #hash(record: OwnRecord, bytes: Uint8Array): void {
    this.#whole.update(bytes);
    record.leaf?.update(bytes);
    record.addLeaves(bytes, bytes.length, record.length / LEAF_BYTES);
    record.length += bytes.length;
    this.#held = 0;
  }
  #flush(): void {
    if (this.#held === 0) return;
    const record = this.#recordOfPiece();
    const bytes = this.#piece.subarray(0, this.#held);
    record.write(bytes, record.position);
    this.#hash(record, bytes);
  }
  async #flushLater(): Promise<void> {
    if (this.#held === 0) return;
    if (this.#record !== undefined && this.#record.length === this.#chunkBytes) {
      await this.#settle();
      await this.#digestLater(this.#record);
    }
    const record = this.#recordOfPiece();
    const bytes = this.#piece.subarray(0, this.#held);
    const { file } = record;
    if (this.#unsynced >= WRITE_OUT_BYTES && file.syncLater !== undefined) {
      this.#unsynced = 0;
      await this.#unlessFailed(record, this.#writeOut);
      this.#writeOut = observed(file.syncLater());
    }
    this.#unsynced += bytes.length;
    const written = file.writeLater(bytes, 0, bytes.length, record.position);
    if (this.length >= THREAD_BYTES) this.#thread ??= leafThread();
    if (this.#thread?.isReady === true && record.leaf === undefined)
      this.#pending[this.#turn] = observed(Promise.all([written, this.#hashBeside(record, bytes, this.#thread)]));
    else {
      this.#pending[this.#turn] = observed(written);
      this.#hash(record, bytes);
    }
    this.#turn = (this.#turn + 1) % PIECES;
    await this.#unlessFailed(record, this.#pending[this.#turn]);
    this.#piece = this.#pieces[this.#turn] ??= this.#newPiece();
  }
  /** Here the digest of the artifact, and all else by the thread. */
  #hashBeside(record: OwnRecord, bytes: Uint8Array, thread: LeafThread): Promise<void> {
    const { stream } = record;
    const index = record.length / LEAF_BYTES;
    const summed = thread.ask({ bytes, length: bytes.length, stream, isEnd: false }).then(
      ({ sums }) => {
        for (const [k, sum] of sums.entries()) record.leaves[index + k] = sum;
      },
      () => {
        // What it knew of a chunk is lost: its bytes are read again.
        record.stream = 0;
        record.addLeaves(bytes, bytes.length, index);
      },
    );
    this.#whole.update(bytes);
    record.length += bytes.length;
    this.#held = 0;
    return summed;
  }
  async #unlessFailed(record: OwnRecord, promise: Promise<unknown> | undefined): Promise<void> {
    try {
      await promise;
    } catch (error) {
      throw record.failed(error);
    }
  }
  /** Waits for all that is underway: the file may be closed then. */
  async #settle(): Promise<void> {
    const record = this.#record;
    if (record === undefined) return;
    for (const promise of [...this.#pending, this.#writeOut]) await this.#unlessFailed(record, promise);
    this.#pending.length = 0;
    this.#writeOut = undefined;
  }
  /** Has the digest of a chunk, unless that is for {@link OwnWriter.#endChunk} to make. */
  async #digestLater(record: OwnRecord): Promise<void> {
    const thread = this.#thread;
    if (thread === undefined || record.leaf !== undefined) return;
    try {
      if (record.stream > 0) {
        const { digest } = await thread.ask({ bytes: undefined, length: 0, stream: record.stream, isEnd: true });
        record.digest = digest;
      } else if (thread.isReady) record.digest = await this.#leafLater(record, thread);
    } catch (error) {
      if (error instanceof AslError) throw error;
    }
  }
  /** More bytes came than one record holds. */
  #endChunk(record: OwnRecord): void {
    const { seed } = this.#keeper;
    const digest = record.digest ?? (record.leaf ?? this.#leafOf(record)).digest();
    record.end(seed);
    const flags = RecordFlag.CHUNK | RecordFlag.OWN | (this.#options.flags & RecordFlag.PUBLISHED);
    record.finish(encodeHeader(flags, SHA_256, 0, record.length, digest, 0, 0, seed), seed);
    // Now, as there may be more chunks than files can be open.
    record.sync();
    this.#chunks.push({ digest, block: record.number, offset: BLOCK_HEADER_BYTES, length: record.length });
    this.#before += record.length;
    this.#unsynced = 0;
    this.#record = undefined;
  }
  /** The digest of a first chunk of which nobody knew that it is one: its bytes are read again. */
  #leafOf(record: OwnRecord): Hash {
    const leaf = newLeaf();
    const bytes = new Uint8Array(Math.min(PIECE_BYTES, record.length));
    for (let at = 0; at < record.length; at += bytes.length)
      leaf.update(bytes.subarray(0, this.#readBack(record, bytes, at)));
    return leaf;
  }
  async #leafLater(record: OwnRecord, thread: LeafThread): Promise<Uint8Array | undefined> {
    const stream = thread.newStream();
    const bytes = this.#newPiece();
    for (let at = 0; at < record.length; at += bytes.length) {
      const length = this.#readBack(record, bytes, at);
      await thread.ask({ bytes, length, stream, isEnd: false });
    }
    return (await thread.ask({ bytes: undefined, length: 0, stream, isEnd: true })).digest;
  }
  #readBack({ file, path, length: whole, position }: OwnRecord, into: Uint8Array, at: number): number {
    const length = Math.min(into.length, whole - at);
    let count: number;
    try {
      count = readFully(file, into, 0, length, position - whole + at);
    } catch (error) {
      throw AslError.from(error, "ASL-READ", "it cannot be read", { file: path });
    }
    if (count < length) throw new AslError("ASL-BLOCK-DAMAGED", "what was written is not there", { file: path });
    return length;
  }

  #written(): Written {
    const keeper = this.#keeper;
    const { seed } = keeper;
    const { algorithm, tag } = this.#options;
    const length = this.length;
    const digest: Uint8Array = this.#whole.digest();
    let record = this.#record ?? this.#recordOfPiece();
    let flags = this.#options.flags & (RecordFlag.HAS_TAG | RecordFlag.PUBLISHED);
    if (this.#chunks.length > 0) {
      this.#endChunk(record);
      record = this.#listRecord(length);
      flags |= RecordFlag.CHUNKED;
    }
    record.end(seed);
    this.#isDone = true;
    // What is returned may be kept for long, and many of them.
    this.#pieces.length = 0;
    this.#piece = NO_PIECE;
    return {
      algorithm,
      digest,
      flags,
      tag,
      block: record.number,
      offset: BLOCK_HEADER_BYTES,
      length,
      finish: (position, logseq) => {
        record.finish(
          encodeHeader(flags | RecordFlag.OWN, algorithm, tag, record.length, digest, position, logseq, seed),
          seed,
        );
        record.sync();
      },
      sync: () => keeper.syncNames(),
      discard: () => this.#removeFiles(),
    };
  }
  /** A list of 1 TiB is less than a piece; it is no constant memory, but 56 bytes of each chunk. */
  #listRecord(length: number): OwnRecord {
    const list = encodeChunkList({ length, chunkBytes: this.#chunkBytes, chunks: this.#chunks });
    const record = this.#recordOfPiece();
    record.write(list, record.position);
    record.addLeaves(list, list.length, 0);
    record.length = list.length;
    return record;
  }
}

/** Nobody may wait for it yet when it fails. */
function observed<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

function newLeaf(): Hash {
  return cryptoOf().createHash("sha256").update(LEAF);
}

function encodeHeader(
  flags: number,
  algorithm: number,
  tag: number,
  length: number,
  digest: Uint8Array,
  position: number,
  logseq: number,
  seed: number,
): Uint8Array {
  const bytes = new Uint8Array(RECORD_BYTES);
  bytes.set(digest.subarray(0, DIGEST_BYTES), RECORD_DIGEST_AT);
  const view = new DataView(bytes.buffer);
  writeRecordHeader(bytes, view, 0, flags, algorithm, tag, length, position, logseq, seed);
  return bytes;
}
