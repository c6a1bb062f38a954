/** The files of the log (spec ASL-LOG): appending frames, and reading them in order. */
import { digestOf, equalBytes } from "../assets/hash.ts";
import { crc32Of } from "./checksum.ts";
import { AslError } from "./errors.ts";
import {
  type Format,
  getU64,
  Magic,
  namesIn,
  numbered,
  numberOf,
  readPreamble,
  setU64,
  writePreamble,
} from "./format.ts";
import { FRAME_BYTES, type FrameHeader, frameHash, readFrameHeader } from "./frames.ts";
import { readFully, type Volume, type VolumeFile } from "./volume.ts";

export const LOG_HEADER_BYTES = 128;
export const LOG_FOLDER = "log";

export function logPath(number: number): string {
  return numbered(LOG_FOLDER, number, "log");
}

/** A place between two frames. */
export interface LogPlace {
  /** Number of the log file. */
  readonly number: number;
  readonly offset: number;
  /** Of the next entry. */
  readonly position: number;
  /** Hash of the frame before. */
  readonly hash: Uint8Array;
}

export interface LogHeader {
  readonly firstPosition: number;
  readonly nonce: Uint8Array;
  readonly before: Uint8Array;
}

export function encodeLogHeader(format: Format, place: LogPlace, nonce: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(LOG_HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  writePreamble(view, Magic.LOG);
  bytes.set(format.domain, 16);
  setU64(view, 32, place.number);
  setU64(view, 40, place.position);
  view.setUint32(48, format.seed, true);
  bytes.set(nonce, 56);
  bytes.set(place.hash, 64);
  view.setUint32(124, crc32Of(bytes, 0, 124, 0), true);
  return bytes;
}

/** Undefined if these bytes begin no log file of this store and number. Throws ASL-VERSION. */
export function decodeLogHeader(bytes: Uint8Array, format: Format, number: number): LogHeader | undefined {
  if (bytes.length < LOG_HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, LOG_HEADER_BYTES);
  if (view.getUint32(124, true) !== crc32Of(bytes, 0, 124, 0)) return undefined;
  if (!readPreamble(view, Magic.LOG, logPath(number))) return undefined;
  if (getU64(view, 32) !== number || !equalBytes(bytes.subarray(16, 32), format.domain)) return undefined;
  if (view.getUint32(48, true) !== format.seed) return undefined;
  return { firstPosition: getU64(view, 40), nonce: bytes.slice(56, 64), before: bytes.slice(64, 96) };
}

/** Numbers of the log files that are there, ascending. */
export function logNumbers(volume: Volume): number[] {
  return namesIn(volume, LOG_FOLDER)
    .flatMap((name) => numberOf(name, "log") ?? [])
    .sort((left, right) => left - right);
}

/** The end of the log, where frames are appended. */
export class LogEnd {
  readonly #volume: Volume;
  readonly #format: Format;
  #file: VolumeFile;
  #nonce: Uint8Array;
  #place: LogPlace;
  /** Up to where the file is on disk. */
  #synced: number;

  private constructor(volume: Volume, format: Format, file: VolumeFile, nonce: Uint8Array, place: LogPlace) {
    this.#volume = volume;
    this.#format = format;
    this.#file = file;
    this.#nonce = nonce;
    this.#place = place;
    this.#synced = place.offset;
  }
  /** Makes a file that begins at a place: its offset is not looked at. What a crash left under its name is replaced. */
  static create(volume: Volume, format: Format, before: LogPlace, random: (bytes: number) => Uint8Array): LogEnd {
    const path = logPath(before.number);
    const nonce = random(8);
    const place = { ...before, offset: LOG_HEADER_BYTES };
    try {
      if (volume.list(LOG_FOLDER).includes(path.slice(LOG_FOLDER.length + 1))) volume.remove(path);
      const file = volume.open(path, "create");
      try {
        file.write(encodeLogHeader(format, place, nonce), 0, LOG_HEADER_BYTES, 0);
        file.sync();
        volume.syncFolder(LOG_FOLDER);
      } catch (error) {
        file.close();
        throw error;
      }
      return new LogEnd(volume, format, file, nonce, place);
    } catch (error) {
      throw AslError.from(error, "ASL-WRITE", "it cannot be made", { file: path });
    }
  }
  /** Goes on at a place, where whatever lies behind it was never acknowledged. */
  static reopen(volume: Volume, format: Format, place: LogPlace, tail: number = place.offset): LogEnd {
    const path = logPath(place.number);
    try {
      const file = volume.open(path, "write");
      try {
        const header = decodeLogHeader(readStart(file), format, place.number);
        if (header === undefined)
          throw new AslError("ASL-LOG-DAMAGED", "it does not begin as a log file of this store", { file: path });
        if (file.size() > place.offset) file.truncate(place.offset);
        // What was read of it, and its name, may be in memory only, if a process was killed; and the system may take it for written, if
        // a sync has failed since. So the bytes from `tail` on are written again.
        writeAgain(file, tail, place.offset);
        file.sync();
        volume.syncFolder(LOG_FOLDER);
        return new LogEnd(volume, format, file, header.nonce, place);
      } catch (error) {
        file.close();
        throw error;
      }
    } catch (error) {
      throw AslError.from(error, "ASL-WRITE", "it cannot be opened", { file: path });
    }
  }
  get place(): LogPlace {
    return this.#place;
  }
  get nonce(): Uint8Array {
    return this.#nonce;
  }
  get synced(): number {
    return this.#synced;
  }
  get isSynced(): boolean {
    return this.#synced === this.#place.offset;
  }
  /** Writes a frame whose header is at the beginning of `bytes`, `length` bytes long in all. */
  append(bytes: Buffer, length: number, entries: number): void {
    const { number, offset, position } = this.#place;
    try {
      this.#file.write(bytes, 0, length, offset);
    } catch (error) {
      // What is there of it would be taken for a torn tail; the next frame is written over it.
      throw AslError.from(error, "ASL-WRITE", "a frame cannot be written", { file: logPath(number), offset });
    }
    this.#place = { number, offset: offset + length, position: position + entries, hash: frameHash(bytes, 0) };
  }
  /** Whoever calls it calls {@link cut} after a failure. */
  sync(): void {
    if (this.isSynced) return;
    this.#file.sync();
    this.#synced = this.#place.offset;
  }
  /**
   * After a failed sync, of the log or of blocks that it names: the file ends where it is known to be on disk. What the system still shows
   * behind that may be nowhere else, and who opens the store again must not go on behind it.
   */
  cut(): void {
    try {
      this.#file.truncate(this.#synced);
    } catch {
      // The file is beyond help, and the first error says why.
    }
  }
  /** Goes on in a new file. */
  rotate(random: (bytes: number) => Uint8Array): void {
    this.sync();
    const next = LogEnd.create(this.#volume, this.#format, { ...this.#place, number: this.#place.number + 1 }, random);
    this.#file.close();
    this.#file = next.#file;
    this.#nonce = next.#nonce;
    this.#place = next.#place;
    this.#synced = next.#synced;
  }
  close(): void {
    this.#file.close();
  }
}

function writeAgain(file: VolumeFile, from: number, to: number): void {
  const bytes = new Uint8Array(Math.min(WINDOW_BYTES, Math.max(0, to - from)));
  for (let at = from; at < to; at += bytes.length) {
    const length = Math.min(bytes.length, to - at);
    if (readFully(file, bytes, 0, length, at) < length)
      throw new RangeError("the file became shorter while it was read");
    file.write(bytes, 0, length, at);
  }
}

function readStart(file: VolumeFile): Uint8Array {
  const bytes = new Uint8Array(LOG_HEADER_BYTES);
  return bytes.subarray(0, readFully(file, bytes, 0, LOG_HEADER_BYTES, 0));
}

/** A frame in memory: valid until the next one is asked for. */
export interface Frame {
  readonly header: FrameHeader;
  /** Of its header, for the chain. */
  readonly hash: Uint8Array;
  /** Hash of the frame before. */
  readonly before: Uint8Array;
  /** Holds the frame from `at` on. */
  readonly bytes: Buffer;
  readonly at: number;
}

/** How the log ended. */
export interface LogStop {
  /** Behind the last whole frame. */
  readonly place: LogPlace;
  /** Why the frame there is none; undefined at the log's end. */
  readonly reason: string | undefined;
  /** A valid frame lies behind, which was written when what stands here was on disk: so it was damaged later. */
  readonly isDamage: boolean;
}

const WINDOW_BYTES = 1024 * 1024;

/**
 * Reads frames from a place on, until the log ends or is not whole; who takes a frame may say why it is none. Of the files only what is there now
 * is read, so a writer may go on meanwhile. Throws ASL-READ and ASL-VERSION.
 */
export function* readLog(volume: Volume, format: Format, from: LogPlace): LogReading {
  const numbers = logNumbers(volume);
  for (let place = from; ; ) {
    const stop = yield* readLogFile(volume, format, place, numbers);
    if (stop.reason !== undefined || !numbers.some((number) => number > stop.place.number)) return stop;
    place = { ...stop.place, number: stop.place.number + 1, offset: 0 };
  }
}

/** Frames one by one, and how it ended; what is handed back says why a frame is none. */
export type LogReading = Generator<Frame, LogStop, string | undefined>;

function* readLogFile(volume: Volume, format: Format, from: LogPlace, numbers: readonly number[]): LogReading {
  const { number } = from;
  const path = logPath(number);
  const hasNext = numbers.some((later) => later > number && isBegun(volume, format, later));
  let file: VolumeFile;
  try {
    file = volume.open(path, "read");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT")
      throw AslError.from(error, "ASL-READ", "it cannot be read", { file: path });
    return { place: from, reason: "the log file is not there", isDamage: hasNext || from.offset > 0 };
  }
  try {
    const size = file.size();
    const header = decodeLogHeader(readStart(file), format, number);
    if (
      header === undefined ||
      (from.offset <= LOG_HEADER_BYTES &&
        (header.firstPosition !== from.position || !equalBytes(header.before, from.hash)))
    ) {
      // Nothing is written behind a header that is not on disk.
      const isDamage = hasNext || from.offset > 0 || size > LOG_HEADER_BYTES;
      return {
        place: { ...from, offset: 0 },
        reason: "it does not begin as the next log file of this store",
        isDamage,
      };
    }
    const { nonce } = header;
    const reader = new Window(file, size);
    let { offset, position, hash } = { ...from, offset: Math.max(from.offset, LOG_HEADER_BYTES) };
    let epoch = 0;
    const stop = (reason: string | undefined): LogStop => ({
      place: { number, offset, position, hash },
      reason,
      isDamage: reason !== undefined && (hasNext || frameBehind(reader, size, offset, nonce, format, path)),
    });
    for (;;) {
      if (offset >= size) return stop(offset > size ? "the log file is shorter than it was" : undefined);
      if (size - offset < FRAME_BYTES) return stop("less than the header of a frame is left");
      let at = reader.load(offset, FRAME_BYTES);
      const frame = readFrameHeader(reader.bytes, at, nonce, format.seed, path);
      if (frame === undefined) return stop("no header of a frame is here");
      if (frame.log !== number || frame.offset !== offset) return stop("the frame belongs to another place");
      if (frame.firstPosition !== position)
        return stop(`the frame begins at position ${frame.firstPosition} instead of ${position}`);
      if (frame.bodyBytes > size - offset - FRAME_BYTES) return stop("the frame is longer than what is left");
      if (frame.epoch < epoch)
        return stop(`the frame is of writer ${frame.epoch}, which writer ${epoch} took over from`);
      at = reader.load(offset, FRAME_BYTES + frame.bodyBytes);
      const before = reader.bytes.subarray(at + 96, at + 128);
      if (!equalBytes(before, hash)) return stop("the hash of the frame before is another one");
      const body = reader.bytes.subarray(at + FRAME_BYTES, at + FRAME_BYTES + frame.bodyBytes);
      if (!equalBytes(digestOf(body), reader.bytes.subarray(at + 128, at + 160)))
        return stop("the body is not what its digest says");
      const next = frameHash(reader.bytes, at);
      const refusal = yield { header: frame, hash: next, before: hash, bytes: reader.bytes, at };
      if (refusal !== undefined) return stop(refusal);
      offset += FRAME_BYTES + frame.bodyBytes;
      position += frame.entries;
      hash = next;
      epoch = frame.epoch;
    }
  } catch (error) {
    throw AslError.from(error, "ASL-READ", "it cannot be read", { file: path });
  } finally {
    file.close();
  }
}

/** Whether a log file of this number has been begun. */
function isBegun(volume: Volume, format: Format, number: number): boolean {
  try {
    const file = volume.open(logPath(number), "read");
    try {
      return decodeLogHeader(readStart(file), format, number) !== undefined;
    } finally {
      file.close();
    }
  } catch {
    return false;
  }
}

/** A piece of a file in memory, which moves forward. */
class Window {
  bytes: Buffer;
  readonly #file: VolumeFile;
  readonly #size: number;
  #from = 0;
  #held = 0;

  constructor(file: VolumeFile, size: number) {
    this.#file = file;
    this.#size = size;
    this.bytes = Buffer.allocUnsafe(Math.min(WINDOW_BYTES, Math.max(size, FRAME_BYTES)));
  }
  /** Has `length` bytes of the file, which are there, in {@link bytes}; answers where they begin. */
  load(offset: number, length: number): number {
    const at = offset - this.#from;
    if (at >= 0 && at + length <= this.#held) return at;
    if (length > this.bytes.length) this.bytes = Buffer.allocUnsafe(length);
    this.#from = offset;
    this.#held = readFully(this.#file, this.bytes, 0, Math.min(this.bytes.length, this.#size - offset), offset);
    if (this.#held < length) throw new RangeError("the file became shorter while it was read");
    return 0;
  }
}

/** Whether a frame stands behind `offset` that was written when the log was on disk beyond it. */
function frameBehind(
  window: Window,
  size: number,
  offset: number,
  nonce: Uint8Array,
  format: Format,
  path: string,
): boolean {
  for (let from = offset + 8; size - from >= FRAME_BYTES; from += WINDOW_BYTES - FRAME_BYTES) {
    const length = Math.min(WINDOW_BYTES, size - from);
    const at = window.load(from, length);
    for (let k = 0; k + FRAME_BYTES <= length; k += 8) {
      if (window.bytes[at + k] !== 0x41 || window.bytes[at + k + 1] !== 0x46) continue;
      const frame = readFrameHeader(window.bytes, at + k, nonce, format.seed, path);
      if (frame !== undefined && frame.offset === from + k && frame.synced > offset) return true;
    }
  }
  return false;
}
