/**
 * The file of a recording (spec REC-FILE): checksummed chunks, written and read as streams with bounded memory. What the
 * events in it mean is the affair of `recording.ts` and `replay.ts`.
 */
import { AshlarError } from "../vm/errors.ts";
import { sha256 } from "../vm/sha256.ts";
import { decodeUtf8, encodeUtf8 } from "../vm/utf8.ts";

const MAGIC = [0x89, 0x41, 0x53, 0x48, 0x52, 0x0d, 0x0a, 0x1a]; // "\x89ASHR\r\n\x1a"
const VERSION = 1;
const HEAD_BYTES = 12;
/** Length and kind. */
const CHUNK_HEAD_BYTES = 5;
const CHECKSUM_BYTES = 8;
/** Most bytes of a chunk's contents. */
export const MOST_CHUNK_BYTES: number = 2 ** 20;
/** A chunk of events is written when it has so many, so that little is lost when the process is killed. */
const WRITTEN_BYTES = 16_384;

export const ChunkKind = { HEADER: 1, EVENTS: 2, END: 3 } as const;
/** From this kind on a reader skips chunks that it does not know. */
const FIRST_OPTIONAL_KIND = 128;

/** The recording is damaged, of another version, or ends too early; or it cannot be written. */
export class RecordingError extends AshlarError {
  readonly code = "ABI-RECORDING";
  /** Where in the file, in bytes; -1 where that means nothing. */
  readonly offset: number;
  /** True when the file just ends, as it does when the recording process was killed. */
  readonly truncated: boolean;
  constructor(message: string, offset = -1, options: { readonly truncated?: boolean; readonly cause?: unknown } = {}) {
    super(offset < 0 ? message : `${message}, at offset ${offset} of the recording`);
    this.name = "RecordingError";
    this.offset = offset;
    this.truncated = options.truncated === true;
    if ("cause" in options) this.cause = options.cause;
  }
}

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export type JsonObject = { readonly [name: string]: Json };

/** JSON without spaces, names in the order of their UTF-16 code units: one text for one value. */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const object = value as JsonObject;
  const members = Object.keys(object)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonicalJson(object[name]!)}`);
  return `{${members.join(",")}}`;
}

function checksumOf(previous: Uint8Array, chunk: Uint8Array): Uint8Array {
  const hash = sha256();
  hash.update(previous);
  hash.update(chunk);
  return hash.digest().subarray(0, CHECKSUM_BYTES);
}

/** Takes bytes that are good only during the call. */
export type WriteBytes = (bytes: Uint8Array) => void;
/** Fills the beginning of `into` and answers how much; 0 at the end. */
export type ReadBytes = (into: Uint8Array) => number;

export class RecordingWriter {
  readonly #write: WriteBytes;
  readonly #chunk = new Uint8Array(CHUNK_HEAD_BYTES + WRITTEN_BYTES + CHECKSUM_BYTES);
  /** Of the events gathered. */
  #length = 0;
  #checksum: Uint8Array;

  /** Writes the head of the file and the header. */
  constructor(write: WriteBytes, header: JsonObject) {
    this.#write = write;
    const head = new Uint8Array(HEAD_BYTES);
    head.set(MAGIC);
    new DataView(head.buffer).setUint32(MAGIC.length, VERSION, true);
    this.#checksum = checksumOf(new Uint8Array(0), head);
    this.#put(head);
    this.#json(ChunkKind.HEADER, header);
  }

  byte(value: number): void {
    if (this.#length === WRITTEN_BYTES) this.flush();
    this.#chunk[CHUNK_HEAD_BYTES + this.#length++] = value;
  }

  u32(value: number): void {
    for (let shift = 0; shift < 32; shift += 8) this.byte(value >>> shift);
  }

  /** Unsigned LEB128 of an integer up to 2^53. */
  varint(value: number): void {
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128)) this.byte((rest % 128) | 128);
    this.byte(rest);
  }

  /** Unsigned LEB128 of a 64-bit integer. */
  varint64(low: number, high: number): void {
    let rest = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
    for (; rest >= 128n; rest >>= 7n) this.byte(Number(rest & 127n) | 128);
    this.byte(Number(rest));
  }

  /** A length, then the bytes. */
  bytes(bytes: Uint8Array): void {
    this.varint(bytes.length);
    for (let at = 0; at < bytes.length; ) {
      if (this.#length === WRITTEN_BYTES) this.flush();
      const piece = bytes.subarray(at, at + WRITTEN_BYTES - this.#length);
      this.#chunk.set(piece, CHUNK_HEAD_BYTES + this.#length);
      this.#length += piece.length;
      at += piece.length;
    }
  }

  text(text: string): void {
    this.bytes(encodeUtf8(text));
  }

  /** Writes out the events gathered so far. */
  flush(): void {
    if (this.#length === 0) return;
    this.#emit(ChunkKind.EVENTS, this.#chunk, this.#length);
    this.#length = 0;
  }

  end(outcome: JsonObject): void {
    this.flush();
    this.#json(ChunkKind.END, outcome);
  }

  #json(kind: number, value: JsonObject): void {
    const contents = encodeUtf8(canonicalJson(value));
    if (contents.length > MOST_CHUNK_BYTES)
      throw new RecordingError(`what is said of the run takes ${contents.length} bytes, over ${MOST_CHUNK_BYTES}`);
    const chunk = new Uint8Array(CHUNK_HEAD_BYTES + contents.length + CHECKSUM_BYTES);
    chunk.set(contents, CHUNK_HEAD_BYTES);
    this.#emit(kind, chunk, contents.length);
  }

  /** Fills in head and checksum around the contents, and writes the chunk. */
  #emit(kind: number, chunk: Uint8Array, length: number): void {
    new DataView(chunk.buffer).setUint32(0, length, true);
    chunk[4] = kind;
    const end = CHUNK_HEAD_BYTES + length;
    this.#checksum = checksumOf(this.#checksum, chunk.subarray(0, end));
    chunk.set(this.#checksum, end);
    this.#put(chunk.subarray(0, end + CHECKSUM_BYTES));
  }

  #put(bytes: Uint8Array): void {
    try {
      this.#write(bytes);
    } catch (error) {
      throw new RecordingError("the recording cannot be written", -1, { cause: error });
    }
  }
}

/** Reads what {@link RecordingWriter} wrote, and trusts none of it: throws a RecordingError. */
export class RecordingReader {
  readonly header: JsonObject;
  readonly #read: ReadBytes;
  /** The contents of the chunk that is being read. */
  #chunk: Uint8Array = new Uint8Array(0);
  #kind: number = ChunkKind.HEADER;
  #at = 0;
  /** Where in the file the contents begin, and where the bytes read so far end. */
  #start = 0;
  #end = 0;
  #checksum: Uint8Array;

  constructor(source: Uint8Array | ReadBytes) {
    this.#read = typeof source === "function" ? source : readerOf(source);
    const head = new Uint8Array(HEAD_BYTES);
    const got = this.#fill(head);
    if (MAGIC.some((byte, k) => k < got && head[k] !== byte))
      throw new RecordingError("this is no recording: it does not begin as one", 0);
    if (got < HEAD_BYTES) throw this.#cut();
    const version = new DataView(head.buffer).getUint32(MAGIC.length, true);
    if (version !== VERSION)
      throw new RecordingError(`the recording is of version ${version}; this program reads version ${VERSION}`, 8);
    this.#checksum = checksumOf(new Uint8Array(0), head);
    this.#next(true);
    this.header = this.#json();
    // As if an empty chunk of events followed: a file that ends here is only met when an event is asked for.
    this.#kind = ChunkKind.EVENTS;
    this.#at = this.#chunk.length;
  }

  /** True when no event is left, for the outcome follows. */
  get ended(): boolean {
    while (this.#kind === ChunkKind.EVENTS && this.#at === this.#chunk.length) this.#next(false);
    return this.#kind === ChunkKind.END;
  }

  /** What the recorded run came to; nothing may follow it. Only when {@link ended}. */
  outcome(): JsonObject {
    const outcome = this.#json();
    if (this.#fill(new Uint8Array(1)) !== 0) throw new RecordingError("something follows the end", this.#end - 1);
    return outcome;
  }

  byte(): number {
    if (this.ended) throw this.damaged("an event is cut off");
    return this.#chunk[this.#at++]!;
  }

  u32(): number {
    let value = 0;
    for (let shift = 0; shift < 32; shift += 8) value |= this.byte() << shift;
    return value >>> 0;
  }

  /** A LEB128 number up to `most`, itself at most 2^53 - 1. */
  varint(most: number): number {
    const value = this.varint64();
    if (value > BigInt(most)) throw this.damaged(`${value} is over ${most}`);
    return Number(value);
  }

  varint64(): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 127) << shift;
      if (shift > 63n || value >= 2n ** 64n || (byte === 0 && shift > 0n)) throw this.damaged("a number is malformed");
      if (byte < 128) return value;
    }
  }

  /** Fills `into`. */
  fill(into: Uint8Array): void {
    for (let at = 0; at < into.length; ) {
      const piece = this.#piece(into.length - at);
      into.set(piece, at);
      at += piece.length;
    }
  }

  /** A length and as many bytes. Takes no more memory than the file has bytes, whatever the length says. */
  bytes(): Uint8Array {
    const length = this.varint(Number.MAX_SAFE_INTEGER);
    const pieces: Uint8Array[] = [];
    for (let left = length; left > 0; left -= pieces.at(-1)!.length) pieces.push(this.#piece(left));
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const piece of pieces) {
      bytes.set(piece, at);
      at += piece.length;
    }
    return bytes;
  }

  text(): string {
    const text = decodeUtf8(this.bytes());
    if (text === undefined) throw this.damaged("a text is no UTF-8");
    return text;
  }

  damaged(what: string): RecordingError {
    return new RecordingError(`the recording is damaged: ${what}`, this.#start + this.#at);
  }

  /** At least one byte, at most `most`, in a chunk of its own memory. */
  #piece(most: number): Uint8Array {
    if (this.ended) throw this.damaged("an event is cut off");
    const piece = this.#chunk.subarray(this.#at, this.#at + most);
    this.#at += piece.length;
    return piece;
  }

  #json(): JsonObject {
    const text = decodeUtf8(this.#chunk);
    try {
      const value: unknown = text === undefined ? undefined : JSON.parse(text);
      if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
    throw this.damaged("this is no JSON object");
  }

  /** Goes to the next chunk that this version knows: the header, which is first, or another. */
  #next(isFirst: boolean): void {
    const head = new Uint8Array(CHUNK_HEAD_BYTES);
    do {
      if (this.#fill(head) < CHUNK_HEAD_BYTES) throw this.#cut();
      const length = new DataView(head.buffer).getUint32(0, true);
      this.#kind = head[4]!;
      this.#start = this.#end;
      this.#at = 0;
      if (length > MOST_CHUNK_BYTES) throw this.damaged(`a chunk of ${length} bytes`);
      const chunk = new Uint8Array(CHUNK_HEAD_BYTES + length + CHECKSUM_BYTES);
      chunk.set(head);
      if (this.#fill(chunk.subarray(CHUNK_HEAD_BYTES)) < length + CHECKSUM_BYTES) throw this.#cut();
      const end = CHUNK_HEAD_BYTES + length;
      this.#checksum = checksumOf(this.#checksum, chunk.subarray(0, end));
      if (this.#checksum.some((byte, k) => byte !== chunk[end + k])) throw this.damaged("a checksum is wrong");
      this.#chunk = chunk.subarray(CHUNK_HEAD_BYTES, end);
    } while (this.#kind >= FIRST_OPTIONAL_KIND);
    const isKnown = this.#kind === ChunkKind.HEADER || this.#kind === ChunkKind.EVENTS || this.#kind === ChunkKind.END;
    if (!isKnown || (this.#kind === ChunkKind.HEADER) !== isFirst)
      throw this.damaged(`a chunk of kind ${this.#kind} has no place here`);
  }

  #cut(): RecordingError {
    const why = "it was cut off, or the program that recorded was ended before it was done";
    return new RecordingError(`the recording ends before its end: ${why}`, this.#end, { truncated: true });
  }

  /** Reads until `into` is full or the source ends; answers how much. */
  #fill(into: Uint8Array): number {
    let at = 0;
    while (at < into.length) {
      const got = this.#read(into.subarray(at));
      if (got === 0) break;
      at += got;
    }
    this.#end += at;
    return at;
  }
}

function readerOf(bytes: Uint8Array): ReadBytes {
  let at = 0;
  return (into) => {
    const piece = bytes.subarray(at, at + into.length);
    into.set(piece);
    at += piece.length;
    return piece.length;
  };
}
