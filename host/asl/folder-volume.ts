/** A real folder as a {@link Volume}. */
import { join } from "node:path";
import type { OpenMode, Volume, VolumeFile } from "./volume.ts";

const fs: typeof import("node:fs") = process.getBuiltinModule("node:fs");

/** Most bytes of one write: of an append of 4 MiB in one call each takes ten times as long. */
const WRITE_BYTES = 1024 * 1024;

/** Most bytes of a read: Node.js takes no 2 GiB at once. */
const READ_BYTES = 1024 * 1024 * 1024;

export function folderVolume(root: string): Volume {
  const at = (path: string): string => (path === "" ? root : join(root, path));
  return {
    open: (path, mode) => new RealFile(fs.openSync(at(path), FLAGS[mode], 0o644)),
    list: (folder) => fs.readdirSync(at(folder)),
    makeFolder: (path) => void fs.mkdirSync(at(path), { recursive: true }),
    rename: (from, to) => fs.renameSync(at(from), at(to)),
    link: (from, to) => fs.linkSync(at(from), at(to)),
    remove: (path) => fs.unlinkSync(at(path)),
    syncFolder: (path) => {
      let fd: number;
      try {
        fd = fs.openSync(at(path), "r");
      } catch (error) {
        // Windows does not open folders.
        if (process.platform === "win32") return;
        throw error;
      }
      try {
        fs.fsyncSync(fd);
      } finally {
        fs.closeSync(fd);
      }
    },
  };
}

const FLAGS: { readonly [mode in OpenMode]: string } = { read: "r", write: "r+", create: "wx+" };

class RealFile implements VolumeFile {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }
  size(): number {
    return fs.fstatSync(this.#fd).size;
  }
  read(into: Uint8Array, at: number, length: number, position: number): number {
    return fs.readSync(this.#fd, into, at, length > READ_BYTES ? READ_BYTES : length, position);
  }
  write(bytes: Uint8Array, at: number, length: number, position: number): void {
    for (let done = 0; done < length; ) {
      done += fs.writeSync(this.#fd, bytes, at + done, Math.min(length - done, WRITE_BYTES), position + done);
    }
  }
  writeLater(bytes: Uint8Array, at: number, length: number, position: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const from = (done: number): void => {
        const count = Math.min(length - done, WRITE_BYTES);
        fs.write(this.#fd, bytes, at + done, count, position + done, (error, written) => {
          if (error !== null) reject(error);
          else if (done + written < length) from(done + written);
          else resolve();
        });
      };
      from(0);
    });
  }
  sync(): void {
    fs.fdatasyncSync(this.#fd);
  }
  syncLater(): Promise<void> {
    return new Promise((resolve, reject) =>
      fs.fdatasync(this.#fd, (error) => (error === null ? resolve() : reject(error))),
    );
  }
  truncate(length: number): void {
    fs.ftruncateSync(this.#fd, length);
  }
  close(): void {
    fs.closeSync(this.#fd);
  }
}
