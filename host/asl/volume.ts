/**
 * All that a store asks of a file system (spec ASL-VOLUME). Calls are synchronous, since from page cache they are several times as fast
 * so; names are relative to the store's folder, with `/`. Errors are those of Node.js: `code` is ENOENT, EEXIST, ENOSPC, EIO ….
 */

/** `read`: there has to be a file. `write`: the same, and it can be written. `create`: there must be none. */
export type OpenMode = "read" | "write" | "create";

export interface Volume {
  open(path: string, mode: OpenMode): VolumeFile;
  /** Names in a folder, in no order. */
  list(folder: string): string[];
  /** Makes a folder, and those above it; nothing happens if it is there. */
  makeFolder(path: string): void;
  /** Replaces a file that is there. */
  rename(from: string, to: string): void;
  /** One more name of a file: EEXIST if it is taken. */
  link(from: string, to: string): void;
  remove(path: string): void;
  /** The names in a folder are on disk when it returns. */
  syncFolder(path: string): void;
}

export interface VolumeFile {
  size(): number;
  /** Reads to `into` from `at`. The answer may be less than `length`; 0 is the end of the file. */
  read(into: Uint8Array, at: number, length: number, position: number): number;
  /** Writes all of it, or throws. */
  write(bytes: Uint8Array, at: number, length: number, position: number): void;
  /** The same while the caller goes on; the bytes are not changed meanwhile. */
  writeLater(bytes: Uint8Array, at: number, length: number, position: number): Promise<void>;
  /** What was written is on disk when it returns; so is the file's length. */
  sync(): void;
  /** Begins to bring to disk what was written, while the caller goes on; {@link sync} is still to be called. Not every volume has it. */
  syncLater?(): Promise<void>;
  truncate(length: number): void;
  close(): void;
}

/** Reads `length` bytes, however many calls it takes; the answer is less only at the end of the file. */
export function readFully(file: VolumeFile, into: Uint8Array, at: number, length: number, position: number): number {
  let done = file.read(into, at, length, position);
  if (done === length || done === 0) return done;
  while (done < length) {
    const count = file.read(into, at + done, length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}
