/** A volume to read from, in which some bytes are others: what a damaged store would hold if it were repaired. */
import { readFully, type Volume, type VolumeFile } from "./volume.ts";

/** What is different of a file. */
export interface Patch {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface PatchedFile {
  /** The file has nothing but what the patches say. */
  readonly isWhole: boolean;
  readonly patches: readonly Patch[];
  /** For people. */
  readonly what: string;
}

export class PatchedVolume implements Volume {
  readonly files: Map<string, PatchedFile> = new Map();
  readonly #volume: Volume;

  constructor(volume: Volume) {
    this.#volume = volume;
  }
  put(path: string, bytes: Uint8Array, what: string): void {
    this.files.set(path, { isWhole: true, patches: [{ offset: 0, bytes }], what });
  }
  patch(path: string, offset: number, bytes: Uint8Array, what: string): void {
    const before = this.files.get(path)?.patches ?? [];
    this.files.set(path, { isWhole: false, patches: [...before, { offset, bytes }], what });
  }

  open(path: string, mode: "read"): VolumeFile {
    if (mode !== "read") throw new RangeError("a patched volume is for reading");
    const patched = this.files.get(path);
    if (patched === undefined) return this.#volume.open(path, "read");
    return new PatchedReader(patched.isWhole ? undefined : this.#volume.open(path, "read"), patched.patches);
  }
  /** A folder that is not there is empty: who checks a store says that it is not there. */
  list(folder: string): string[] {
    try {
      return this.#volume.list(folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw error;
    }
  }
  makeFolder(): never {
    return forReading();
  }
  rename(): never {
    return forReading();
  }
  link(): never {
    return forReading();
  }
  remove(): never {
    return forReading();
  }
  syncFolder(): never {
    return forReading();
  }
}

function forReading(): never {
  throw new RangeError("a patched volume is for reading");
}

class PatchedReader implements VolumeFile {
  readonly #file: VolumeFile | undefined;
  readonly #patches: readonly Patch[];

  constructor(file: VolumeFile | undefined, patches: readonly Patch[]) {
    this.#file = file;
    this.#patches = patches;
  }
  size(): number {
    return Math.max(this.#file?.size() ?? 0, ...this.#patches.map(({ offset, bytes }) => offset + bytes.length));
  }
  read(into: Uint8Array, at: number, length: number, position: number): number {
    const count = Math.max(0, Math.min(length, this.size() - position));
    const held = this.#file === undefined ? 0 : readFully(this.#file, into, at, count, position);
    into.fill(0, at + held, at + count);
    for (const { offset, bytes } of this.#patches) {
      const from = Math.max(position, offset);
      const to = Math.min(position + count, offset + bytes.length);
      if (from < to) into.set(bytes.subarray(from - offset, to - offset), at + from - position);
    }
    return count;
  }
  write(): never {
    return forReading();
  }
  writeLater(): never {
    return forReading();
  }
  sync(): never {
    return forReading();
  }
  truncate(): never {
    return forReading();
  }
  close(): void {
    this.#file?.close();
  }
}
