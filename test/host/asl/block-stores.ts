/** Blocks in memory, and records to put in them. */
import { type BlockLimits, Blocks, type Place } from "../../../host/asl/blocks.ts";
import { AslError } from "../../../host/asl/errors.ts";
import { DIGEST_BYTES, type Digester, digestInto } from "../../../host/asl/key.ts";
import { MemoryVolume, volumeError } from "../../../host/asl/memory-volume.ts";
import type { PackedBlock } from "../../../host/asl/packed-block.ts";
import { endRecord, RECORD_BYTES, RECORD_DIGEST_AT, recordSize, writeRecordHeader } from "../../../host/asl/record.ts";
import type { OpenMode, Volume, VolumeFile } from "../../../host/asl/volume.ts";

export const SEED = 0xbad_5eed;
export const DOMAIN: Uint8Array = Uint8Array.from({ length: 16 }, (_, k) => k + 1);

export interface BlocksUnderTest {
  readonly volume?: Volume;
  readonly limits?: Partial<BlockLimits>;
  readonly digest?: Digester;
  readonly nextBlock?: number;
}

export function newVolume(): MemoryVolume {
  const volume = new MemoryVolume();
  volume.makeFolder("blocks");
  volume.makeFolder("log");
  return volume;
}

export function blocksOn({ volume = newVolume(), limits, digest, nextBlock = 1 }: BlocksUnderTest = {}): Blocks {
  return new Blocks({
    volume,
    domain: DOMAIN,
    seed: SEED,
    nextBlock,
    ...(limits !== undefined && { limits }),
    ...(digest !== undefined && { digest }),
  });
}

/** An artifact that was put: what it is, and where. */
export interface Put {
  readonly bytes: Uint8Array;
  readonly digest: Uint8Array;
  readonly place: Place;
}

export interface RecordOptions {
  readonly algorithm?: number;
  readonly flags?: number;
  readonly tag?: number;
  readonly position?: number;
  readonly logseq?: number;
  readonly seed?: number;
  readonly digest?: Digester;
}

/** A whole record. */
export function recordOf(bytes: Uint8Array, options: RecordOptions = {}): Buffer {
  const { algorithm = 1, flags = 0, tag = 0, position = 1, logseq = 1, seed = SEED, digest = digestInto } = options;
  const record = Buffer.alloc(recordSize(bytes.length));
  const view = new DataView(record.buffer, record.byteOffset, record.length);
  record.set(bytes, RECORD_BYTES);
  digest(algorithm, bytes, record, RECORD_DIGEST_AT);
  writeRecordHeader(record, view, 0, flags, algorithm, tag, bytes.length, position, logseq, seed);
  endRecord(record, view, 0, bytes.length, seed);
  return record;
}

export function append(block: PackedBlock, bytes: Uint8Array, options: RecordOptions = {}): Put {
  const record = recordOf(bytes, options);
  const offset = block.append(record, 0, record.length);
  const digest = Uint8Array.from(record.subarray(RECORD_DIGEST_AT, RECORD_DIGEST_AT + DIGEST_BYTES));
  const { algorithm = 1, flags = 0 } = options;
  return { bytes, digest, place: { block: block.number, offset, length: bytes.length, flags, algorithm } };
}

/** Bytes that tell where they were. */
export function pattern(length: number, start = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let k = 0; k < length; k++) bytes[k] = (Math.imul(k + start, 0x9e37_79b1) >>> 24) ^ k;
  return bytes;
}

export function errorOf(act: () => unknown): AslError {
  try {
    act();
  } catch (error) {
    if (error instanceof AslError) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

export async function errorLater(act: () => Promise<unknown>): Promise<AslError> {
  try {
    await act();
  } catch (error) {
    if (error instanceof AslError) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

/** The bytes of a file, to look at and to change. */
export function contents(volume: Volume, path: string): Buffer {
  const file = volume.open(path, "read");
  try {
    const bytes = Buffer.alloc(file.size());
    file.read(bytes, 0, bytes.length, 0);
    return bytes;
  } finally {
    file.close();
  }
}

/** Puts these bytes in the place of a file's. */
export function replace(volume: Volume, path: string, bytes: Uint8Array): void {
  const file = volume.open(path, "write");
  try {
    file.truncate(0);
    file.write(bytes, 0, bytes.length, 0);
  } finally {
    file.close();
  }
}

/** Counts what is asked of a volume, and fails when it is told to. */
export class WatchedVolume implements Volume {
  readonly #under: Volume;
  reads = 0;
  opens = 0;
  /** Files that are open now; and most that can be. */
  openFiles = 0;
  /** Those that are open to be written. */
  writable = 0;
  mostOpen = Number.POSITIVE_INFINITY;
  /** Most bytes of a read. */
  mostRead = Number.POSITIVE_INFINITY;
  readError: string | undefined;
  /** Bytes of the next write of more that come to the file; then it is full. */
  cutNextWrite: number | undefined;
  syncError: string | undefined;
  /** The syncs. */
  readonly log: string[] = [];

  constructor(under: Volume) {
    this.#under = under;
  }
  open(path: string, mode: OpenMode): VolumeFile {
    if (this.openFiles >= this.mostOpen && mode === "read") throw volumeError("EMFILE", path);
    const file = this.#under.open(path, mode);
    if (mode === "read") {
      this.opens++;
      this.openFiles++;
    } else this.writable++;
    return {
      size: () => file.size(),
      read: (into, at, length, position) => {
        this.reads++;
        if (this.readError !== undefined) throw volumeError(this.readError, path);
        return file.read(into, at, Math.min(length, this.mostRead), position);
      },
      write: (bytes, at, length, position) => {
        const cut = this.cutNextWrite;
        if (cut === undefined || length <= cut) return file.write(bytes, at, length, position);
        this.cutNextWrite = undefined;
        file.write(bytes, at, cut, position);
        throw volumeError("ENOSPC", path);
      },
      writeLater: async (bytes, at, length, position) => {
        await new Promise((resolve) => setImmediate(resolve));
        const cut = this.cutNextWrite;
        if (cut !== undefined && length > cut) {
          this.cutNextWrite = undefined;
          throw volumeError("ENOSPC", path);
        }
        file.write(bytes, at, length, position);
      },
      sync: () => {
        this.log.push(`sync ${path}`);
        if (this.syncError !== undefined) throw volumeError(this.syncError, path);
        file.sync();
      },
      truncate: (length) => file.truncate(length),
      close: () => {
        if (mode === "read") this.openFiles--;
        else this.writable--;
        file.close();
      },
    };
  }
  list(folder: string): string[] {
    return this.#under.list(folder);
  }
  makeFolder(path: string): void {
    this.#under.makeFolder(path);
  }
  rename(from: string, to: string): void {
    this.#under.rename(from, to);
  }
  link(from: string, to: string): void {
    this.#under.link(from, to);
  }
  remove(path: string): void {
    this.#under.remove(path);
  }
  syncFolder(path: string): void {
    this.log.push(`sync ${path}`);
    this.#under.syncFolder(path);
  }
}
