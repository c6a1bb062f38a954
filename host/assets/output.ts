/** Files that are written whole or not at all (spec PACK-WRITE-3). */
import { closeSync, fchmodSync, fsyncSync, openSync, renameSync, rmSync, statSync, write } from "node:fs";
import { dirname } from "node:path";
import { PackError } from "./errors.ts";
import { cryptoOf } from "./hash.ts";

/** Takes bytes at positions; they are not changed until it is done. */
export type Output = (bytes: Uint8Array, position: number) => void | Promise<void>;

/** Writes to a file, on another thread; `path` names it in errors. */
export function fileOutput(fd: number, path: string): Output {
  return (bytes, position) =>
    new Promise((resolve, reject) => {
      const from = (at: number): void =>
        write(fd, bytes, at, bytes.length - at, position + at, (error, written) => {
          if (error !== null) reject(outputError(error, path));
          else if (at + written < bytes.length) from(at + written);
          else resolve();
        });
      from(0);
    });
}

/** What to throw when a file cannot be written. */
export function outputError(error: unknown, path: string): PackError {
  return PackError.from(error, "PACK-OUTPUT", "it cannot be written", { file: path });
}

/** A new name beside `path`, which tells whose it is: what a killed process left is found by that. */
export function temporaryBeside(path: string): string {
  return `${path}.${process.pid}.${cryptoOf().randomBytes(4).toString("hex")}.tmp`;
}

/** Runs `fill` on a new file, and puts that in the place of `path` once it is on disk; else nothing is left of it. */
export async function replaceFile<T>(path: string, fill: (fd: number) => Promise<T>): Promise<T> {
  const temporary = temporaryBeside(path);
  let fd: number;
  let mode: number | undefined;
  try {
    // Who may read what is replaced may read this, and nobody else.
    const before = statSync(path, { throwIfNoEntry: false });
    if (before?.isFile()) mode = before.mode & 0o777;
    fd = openSync(temporary, "wx+", mode);
  } catch (error) {
    throw outputError(error, path);
  }
  let isOpen = true;
  try {
    const answer = await fill(fd);
    // Beyond what the umask leaves.
    if (mode !== undefined) fchmodSync(fd, mode);
    fsyncSync(fd);
    isOpen = false;
    closeSync(fd);
    renameSync(temporary, path);
    syncFolder(dirname(path));
    return answer;
  } catch (error) {
    if (isOpen) closeSync(fd);
    rmSync(temporary, { force: true });
    throw outputError(error, path);
  }
}

/** So that a loss of power does not undo the renaming; where folders cannot be synced, it may. */
function syncFolder(path: string): void {
  try {
    const fd = openSync(path, "r");
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch {
    // Windows does not open folders.
  }
}
