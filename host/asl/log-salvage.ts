/** What can still be read of a damaged log: frames behind the damage, and what frames and headers tell of each other (spec ASL-FSCK-2). */
import { digestOf, equalBytes } from "../assets/hash.ts";
import { crc32Of } from "./checksum.ts";
import { encodeFormat, type Format, Magic, readPreamble, readWhole } from "./format.ts";
import { FRAME_BYTES, type FrameHeader, readFrameHeader } from "./frames.ts";
import { ALGORITHMS } from "./key.ts";
import {
  decodeLogHeader,
  encodeLogHeader,
  type Frame,
  LOG_HEADER_BYTES,
  type LogPlace,
  logNumbers,
  logPath,
  readLog,
} from "./log.ts";
import { logBeginning } from "./recovery.ts";
import { readFully, type Volume, type VolumeFile } from "./volume.ts";

const WINDOW_BYTES = 1024 * 1024;

/** Where the hash of the frame before is in a frame, and the nonce of its file. */
const BEFORE_AT = 96;
const NONCE_AT = 88;

/** What FORMAT says, if log files say it: the first frame holds its digest, so nothing is guessed. */
export function formatOfLogs(volume: Volume): Format | undefined {
  for (const number of logNumbers(volume)) {
    const bytes = readWhole(volume, logPath(number), LOG_HEADER_BYTES + FRAME_BYTES) ?? new Uint8Array();
    if (bytes.length < LOG_HEADER_BYTES) continue;
    const view = new DataView(bytes.buffer, bytes.byteOffset, LOG_HEADER_BYTES);
    if (view.getUint32(124, true) !== crc32Of(bytes, 0, 124, 0) || !readPreamble(view, Magic.LOG, logPath(number)))
      continue;
    const domain = bytes.slice(16, 32);
    const seed = view.getUint32(48, true);
    const digest = digestOfFormat(volume, bytes, number);
    for (const { number: algorithm } of ALGORITHMS) {
      const format = { domain, seed, algorithm };
      if (digest !== undefined && equalBytes(digestOf(encodeFormat(format)), digest)) return format;
    }
  }
  return undefined;
}

/** The header of the first log file has it, and its first frame, too. */
function digestOfFormat(volume: Volume, header: Uint8Array, number: number): Uint8Array | undefined {
  if (number === 1) return header.slice(64, 96);
  const first = readWhole(volume, logPath(1), LOG_HEADER_BYTES + FRAME_BYTES);
  const at = LOG_HEADER_BYTES + BEFORE_AT;
  return first === undefined || first.length < LOG_HEADER_BYTES + FRAME_BYTES ? undefined : first.slice(at, at + 32);
}

/** The header of a log file, made again from its first frame; undefined if it is whole, or there is no such frame. */
export function headerOfFrames(volume: Volume, format: Format, number: number): Uint8Array | undefined {
  const bytes = readWhole(volume, logPath(number), LOG_HEADER_BYTES + FRAME_BYTES) ?? new Uint8Array();
  try {
    if (decodeLogHeader(bytes.subarray(0, LOG_HEADER_BYTES), format, number) !== undefined) return undefined;
  } catch {
    // Of a later version, as it says: so does its checksum.
    return undefined;
  }
  if (bytes.length < LOG_HEADER_BYTES + FRAME_BYTES) return undefined;
  const frame = frameAt(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), LOG_HEADER_BYTES, format, number);
  if (frame === undefined || frame.header.offset !== LOG_HEADER_BYTES) return undefined;
  const place = { number, offset: LOG_HEADER_BYTES, position: frame.header.firstPosition, hash: frame.before };
  return encodeLogHeader(format, place, frame.nonce);
}

interface FoundFrame {
  readonly header: FrameHeader;
  readonly before: Uint8Array;
  readonly nonce: Uint8Array;
}

/** A frame of any nonce: that of its file may be damaged. */
function frameAt(bytes: Buffer, at: number, format: Format, number: number): FoundFrame | undefined {
  const nonce = bytes.subarray(at + NONCE_AT, at + NONCE_AT + 8);
  const header = readFrameHeader(bytes, at, nonce, format.seed, logPath(number));
  if (header === undefined || header.log !== number) return undefined;
  return { header, before: Uint8Array.prototype.slice.call(bytes, at + BEFORE_AT, at + BEFORE_AT + 32), nonce };
}

/** Every frame that can be read, from the beginning of the log on. */
export function* readableFrames(volume: Volume, format: Format): Generator<Frame, void, undefined> {
  for (let place: LogPlace | undefined = logBeginning(format); place !== undefined; ) {
    const reading = readLog(volume, format, place);
    let next = reading.next();
    for (; next.done !== true; next = reading.next()) yield next.value;
    place = next.value.isDamage ? placeBehind(volume, format, next.value.place) : undefined;
  }
}

/** Where the log can be read again behind a place where it cannot. */
export function placeBehind(volume: Volume, format: Format, { number, offset }: LogPlace): LogPlace | undefined {
  for (const next of logNumbers(volume)) {
    if (next < number) continue;
    const place = next === number ? frameBehind(volume, format, number, offset) : beginningOf(volume, format, next);
    if (place !== undefined) return place;
  }
  return undefined;
}

function beginningOf(volume: Volume, format: Format, number: number): LogPlace | undefined {
  const bytes = readWhole(volume, logPath(number), LOG_HEADER_BYTES);
  const header = bytes === undefined ? undefined : decodeLogHeader(bytes, format, number);
  if (header === undefined) return undefined;
  return { number, offset: LOG_HEADER_BYTES, position: header.firstPosition, hash: header.before };
}

function frameBehind(volume: Volume, format: Format, number: number, offset: number): LogPlace | undefined {
  // Without a header nothing of the file can be read.
  if (beginningOf(volume, format, number) === undefined) return undefined;
  let file: VolumeFile;
  try {
    file = volume.open(logPath(number), "read");
  } catch {
    return undefined;
  }
  try {
    const size = file.size();
    const window = Buffer.alloc(Math.min(WINDOW_BYTES, size));
    const first = Math.max(LOG_HEADER_BYTES, offset + 8);
    for (let from = first - (first % 8); size - from >= FRAME_BYTES; from += window.length - FRAME_BYTES) {
      const length = readFully(file, window, 0, Math.min(window.length, size - from), from);
      for (let at = 0; at + FRAME_BYTES <= length; at += 8) {
        if (window[at] !== 0x41 || window[at + 1] !== 0x46) continue;
        const frame = frameAt(window, at, format, number);
        if (frame === undefined || frame.header.offset !== from + at) continue;
        return { number, offset: from + at, position: frame.header.firstPosition, hash: frame.before };
      }
      if (length <= FRAME_BYTES) break;
    }
    return undefined;
  } finally {
    file.close();
  }
}

/** Of a frame whose header is whole: where its body is, and its digest. */
export function bodyOf(
  volume: Volume,
  format: Format,
  number: number,
  offset: number,
): { readonly start: number; readonly end: number; readonly digest: Uint8Array } | undefined {
  const file = volume.open(logPath(number), "read");
  try {
    const bytes = Buffer.alloc(FRAME_BYTES);
    if (readFully(file, bytes, 0, FRAME_BYTES, offset) < FRAME_BYTES) return undefined;
    const frame = frameAt(bytes, 0, format, number);
    if (frame === undefined || frame.header.offset !== offset) return undefined;
    const start = offset + FRAME_BYTES;
    const end = start + frame.header.bodyBytes;
    return end > file.size() ? undefined : { start, end, digest: new Uint8Array(bytes.subarray(128, 160)) };
  } finally {
    file.close();
  }
}
