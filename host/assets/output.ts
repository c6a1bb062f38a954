/** Files that are written whole or not at all (spec PACK-WRITE-3). */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { PackError } from "./errors.ts";
import { cryptoOf } from "./hash.ts";

/** Takes bytes at positions. */
export type Output = (bytes: Uint8Array, position: number) => void;

/** Writes to a file; `path` names it in errors. */
export function fileOutput(fd: number, path: string): Output {
  return (bytes, position) => {
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, position + at);
    } catch (error) {
      throw outputError(path, error);
    }
  };
}

function outputError(path: string, error: unknown): PackError {
  if (error instanceof PackError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new PackError("PACK-OUTPUT", `it cannot be written: ${why}`, { file: path });
}

/** Runs `write` on a new file, and puts that in the place of `path` once it is on disk; else nothing is left of it. */
export async function replaceFile<T>(path: string, write: (fd: number) => Promise<T>): Promise<T> {
  const temporary = `${path}.${process.pid}.${cryptoOf().randomBytes(4).toString("hex")}.tmp`;
  let fd: number;
  try {
    fd = openSync(temporary, "wx+");
  } catch (error) {
    throw outputError(path, error);
  }
  let isOpen = true;
  try {
    const answer = await write(fd);
    fsyncSync(fd);
    isOpen = false;
    closeSync(fd);
    renameSync(temporary, path);
    syncFolder(dirname(path));
    return answer;
  } catch (error) {
    if (isOpen) closeSync(fd);
    rmSync(temporary, { force: true });
    throw outputError(path, error);
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
