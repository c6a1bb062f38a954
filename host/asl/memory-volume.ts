/** A {@link Volume} in memory: gone with the process. */
import type { OpenMode, Volume, VolumeFile } from "./volume.ts";

/** What Node.js throws of its file system: the code is what callers look at. */
export function volumeError(code: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${path}`), { code, path });
}

/** A path taken apart: the folder that a name is in, and the name. */
export function splitPath(path: string): readonly [folder: string, name: string] {
  const at = path.lastIndexOf("/");
  return at < 0 ? ["", path] : [path.slice(0, at), path.slice(at + 1)];
}

/** Bytes that grow at the end. */
export class GrowingBytes {
  /** More than there is; zeros behind `length`. */
  bytes: Uint8Array = new Uint8Array(0);
  length = 0;

  read(into: Uint8Array, at: number, length: number, position: number): number {
    const count = Math.max(0, Math.min(length, this.length - position));
    into.set(this.bytes.subarray(position, position + count), at);
    return count;
  }
  write(bytes: Uint8Array, at: number, length: number, position: number): void {
    if (length === 0) return;
    this.resize(Math.max(this.length, position + length));
    this.bytes.set(bytes.subarray(at, at + length), position);
  }
  resize(length: number): void {
    if (length < this.length) this.bytes.fill(0, length, this.length);
    if (length > this.bytes.length) {
      const grown = new Uint8Array(Math.max(length, 2 * this.bytes.length));
      grown.set(this.bytes.subarray(0, this.length));
      this.bytes = grown;
    }
    this.length = length;
  }
}

type Folder = Map<string, GrowingBytes | "folder">;

export class MemoryVolume implements Volume {
  readonly #folders: Map<string, Folder> = new Map([["", new Map()]]);

  open(path: string, mode: OpenMode): VolumeFile {
    const [folder, name] = this.#at(path);
    const found = folder.get(name);
    if (found === "folder") throw volumeError("EISDIR", path);
    if (mode !== "create") {
      if (found === undefined) throw volumeError("ENOENT", path);
      return new MemoryFile(found, mode === "write", path);
    }
    if (found !== undefined) throw volumeError("EEXIST", path);
    const bytes = new GrowingBytes();
    folder.set(name, bytes);
    return new MemoryFile(bytes, true, path);
  }
  list(folder: string): string[] {
    const found = this.#folders.get(folder);
    if (found === undefined) throw volumeError("ENOENT", folder);
    return [...found.keys()];
  }
  makeFolder(path: string): void {
    if (this.#folders.has(path)) return;
    const [above, name] = splitPath(path);
    this.makeFolder(above);
    const folder = this.#folders.get(above)!;
    if (folder.has(name)) throw volumeError("EEXIST", path);
    folder.set(name, "folder");
    this.#folders.set(path, new Map());
  }
  rename(from: string, to: string): void {
    const file = this.#file(from);
    const [folder, name] = this.#at(to);
    if (folder.get(name) === "folder") throw volumeError("EISDIR", to);
    // Two names of one file: both stay, as POSIX wants it.
    if (folder.get(name) === file) return;
    folder.set(name, file);
    this.remove(from);
  }
  link(from: string, to: string): void {
    const file = this.#file(from);
    const [folder, name] = this.#at(to);
    if (folder.has(name)) throw volumeError("EEXIST", to);
    folder.set(name, file);
  }
  remove(path: string): void {
    this.#file(path);
    const [folder, name] = this.#at(path);
    folder.delete(name);
  }
  syncFolder(path: string): void {
    this.list(path);
  }
  #at(path: string): readonly [folder: Folder, name: string] {
    const [above, name] = splitPath(path);
    const folder = this.#folders.get(above);
    if (folder === undefined) throw volumeError("ENOENT", path);
    return [folder, name];
  }
  #file(path: string): GrowingBytes {
    const [folder, name] = this.#at(path);
    const found = folder.get(name);
    if (found === undefined) throw volumeError("ENOENT", path);
    if (found === "folder") throw volumeError("EISDIR", path);
    return found;
  }
}

class MemoryFile implements VolumeFile {
  readonly #bytes: GrowingBytes;
  readonly #isWritable: boolean;
  readonly #path: string;
  #isOpen = true;

  constructor(bytes: GrowingBytes, isWritable: boolean, path: string) {
    this.#bytes = bytes;
    this.#isWritable = isWritable;
    this.#path = path;
  }
  size(): number {
    return this.#opened(false).length;
  }
  read(into: Uint8Array, at: number, length: number, position: number): number {
    return this.#opened(false).read(into, at, length, position);
  }
  write(bytes: Uint8Array, at: number, length: number, position: number): void {
    this.#opened(true).write(bytes, at, length, position);
  }
  async writeLater(bytes: Uint8Array, at: number, length: number, position: number): Promise<void> {
    this.write(bytes, at, length, position);
  }
  sync(): void {
    this.#opened(false);
  }
  truncate(length: number): void {
    this.#opened(true).resize(length);
  }
  close(): void {
    this.#opened(false);
    this.#isOpen = false;
  }
  #opened(toWrite: boolean): GrowingBytes {
    if (!this.#isOpen || (toWrite && !this.#isWritable)) throw volumeError("EBADF", this.#path);
    return this.#bytes;
  }
}
