/** What the files of a store have in common, and FORMAT, which says what a store is (spec ASL-FORMAT). */
import { crc32Of } from "./checksum.ts";
import { AslError } from "./errors.ts";
import { ALGORITHMS } from "./key.ts";
import { readFully, type Volume } from "./volume.ts";

/** The byte that tells the files apart: 89 41 53 and it, 0d 0a 1a 0a. */
export const Magic = {
  FORMAT: 0x4c,
  BLOCK: 0x42,
  LOG: 0x47,
  INDEX: 0x58,
  CHECKPOINT: 0x43,
  CURRENT: 0x4e,
  EDGES: 0x45,
  GRAPH: 0x54,
} as const;
export type Magic = (typeof Magic)[keyof typeof Magic];

const VERSION = 1;

/** Bytes that begin every file: magic, version, required features. */
export const PREAMBLE_BYTES = 16;

export function writePreamble(view: DataView, kind: Magic): void {
  view.setUint32(0, 0x89_41_53_00 | kind);
  view.setUint32(4, 0x0d_0a_1a_0a);
  view.setUint32(8, VERSION, true);
  view.setUint32(12, 0, true);
}

/** Whether these bytes begin a file of this kind. Throws ASL-VERSION for one of a later version, or that requires what is not known. */
export function readPreamble(view: DataView, kind: Magic, file: string): boolean {
  if (view.getUint32(0) !== (0x89_41_53_00 | kind) >>> 0 || view.getUint32(4) !== 0x0d_0a_1a_0a) return false;
  const version = view.getUint32(8, true);
  const features = view.getUint32(12, true);
  if (version !== VERSION)
    throw new AslError("ASL-VERSION", `version ${version}; this program knows version ${VERSION}`, { file, offset: 8 });
  if (features !== 0)
    throw new AslError("ASL-VERSION", `it requires features 0x${features.toString(16)} that are not known`, {
      file,
      offset: 12,
    });
  return true;
}

/** What a store is: never changes. */
export interface Format {
  /** 16 bytes. */
  readonly domain: Uint8Array;
  /** Begins checksums of framing, so that what artifacts hold is no framing of this store. */
  readonly seed: number;
  /** Number of the algorithm of new artifacts. */
  readonly algorithm: number;
}

export const FORMAT_FILE = "FORMAT";
const FORMAT_BYTES = 64;

export function encodeFormat({ domain, seed, algorithm }: Format): Uint8Array {
  const bytes = new Uint8Array(FORMAT_BYTES);
  const view = new DataView(bytes.buffer);
  writePreamble(view, Magic.FORMAT);
  bytes.set(domain, 16);
  view.setUint32(32, seed, true);
  bytes[36] = algorithm;
  view.setUint32(60, crc32Of(bytes, 0, 60, 0), true);
  return bytes;
}

/** Throws ASL-NO-STORE, ASL-FORMAT, ASL-VERSION or ASL-READ. */
export function readFormat(volume: Volume): { readonly format: Format; readonly bytes: Uint8Array } {
  const bytes = readWhole(volume, FORMAT_FILE, FORMAT_BYTES + 1);
  if (bytes === undefined) throw new AslError("ASL-NO-STORE", "the folder holds no store", { file: FORMAT_FILE });
  return { format: decodeFormat(bytes), bytes };
}

export function decodeFormat(bytes: Uint8Array): Format {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (
    bytes.length !== FORMAT_BYTES ||
    view.getUint32(60, true) !== crc32Of(bytes, 0, 60, 0) ||
    !readPreamble(view, Magic.FORMAT, FORMAT_FILE)
  )
    throw new AslError("ASL-FORMAT", `${FORMAT_BYTES} bytes with their checksum were expected`, { file: FORMAT_FILE });
  const algorithm = bytes[36]!;
  if (ALGORITHMS[algorithm - 1] === undefined)
    throw new AslError("ASL-VERSION", `digests of algorithm ${algorithm} are not known`, {
      file: FORMAT_FILE,
      offset: 36,
    });
  return { domain: bytes.slice(16, 32), seed: view.getUint32(32, true), algorithm };
}

/** A whole file of at most `most` bytes; undefined without one, and no more than `most` bytes of a longer one. */
export function readWhole(volume: Volume, path: string, most: number): Uint8Array | undefined {
  try {
    const file = volume.open(path, "read");
    try {
      const bytes = new Uint8Array(Math.min(file.size(), most));
      return bytes.subarray(0, readFully(file, bytes, 0, bytes.length, 0));
    } finally {
      file.close();
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw AslError.from(error, "ASL-READ", "it cannot be read", { file: path });
  }
}

/** Puts a file in the place of one, or of none, so that there is always one of them: also after a crash. */
export function replaceWhole(volume: Volume, path: string, bytes: Uint8Array, folder: string): void {
  const temporary = `${path}.tmp`;
  try {
    removeIfThere(volume, temporary);
    const file = volume.open(temporary, "create");
    try {
      file.write(bytes, 0, bytes.length, 0);
      file.sync();
    } finally {
      file.close();
    }
    volume.rename(temporary, path);
    volume.syncFolder(folder);
  } catch (error) {
    throw AslError.from(error, "ASL-WRITE", "it cannot be written", { file: path });
  }
}

/** Names in a folder of a store. Throws ASL-READ. */
export function namesIn(volume: Volume, folder: string): string[] {
  try {
    return volume.list(folder);
  } catch (error) {
    throw AslError.from(error, "ASL-READ", "the folder cannot be read", { file: folder });
  }
}

export function removeIfThere(volume: Volume, path: string): void {
  try {
    volume.remove(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

/** Names of numbered files: 16 hexadecimal digits. */
export function numbered(folder: string, number: number, extension: string): string {
  return `${folder}/${number.toString(16).padStart(16, "0")}.${extension}`;
}

/** The number of such a name, without its folder; undefined for other names. */
export function numberOf(name: string, extension: string): number | undefined {
  const match = /^([0-9a-f]{16})\.(\w+)$/.exec(name);
  if (match === null || match[2] !== extension) return undefined;
  const number = Number.parseInt(match[1]!, 16);
  return Number.isSafeInteger(number) && number > 0 ? number : undefined;
}

/** Numbers below 2^53 in eight bytes. */
export function setU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}

/** −1 for those that no store writes: 2^53 and more. */
export function getU64(view: DataView, at: number): number {
  const high = view.getUint32(at + 4, true);
  return high >= 2 ** 21 ? -1 : high * 2 ** 32 + view.getUint32(at, true);
}
