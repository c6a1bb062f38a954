/** Files that the line names: opened before a guest runs, so that what cannot be is told first. */
import { openSync, readFileSync, readSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { CommandError, ExitCode } from "./failure.ts";

/** Opens a file for writing; what was in it is gone. */
export function openOutput(path: string, code: string, what: string): number {
  try {
    return openSync(path, "w");
  } catch (error) {
    throw cannotWrite(code, what, error);
  }
}

/** Puts a file in its place, whole or not at all; a link stays, and what is no file, such as a device, is written to. */
export function replaceFile(path: string, bytes: Uint8Array, code: string, what: string): void {
  try {
    const there = statSync(path, { throwIfNoEntry: false });
    if (there === undefined || there.isFile() || there.isDirectory())
      putInPlace(there === undefined ? path : realpathSync(path), bytes);
    else writeFileSync(path, bytes);
  } catch (error) {
    throw cannotWrite(code, what, error);
  }
}

function putInPlace(path: string, bytes: Uint8Array): void {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    writeFileSync(temporary, bytes, { flag: "wx" });
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** What to throw when a file that the line names cannot be written. */
export function cannotWrite(code: string, what: string, error: unknown): CommandError {
  return new CommandError(code, ExitCode.FAILURE, `The ${what} cannot be written: ${messageOf(error)}`);
}

/** Opens a recording to read it. */
export function openRecording(path: string): number {
  try {
    return openSync(path, "r");
  } catch (error) {
    throw unreadable(error);
  }
}

/** Most bytes of a source map that are read. */
const MOST_MAP_BYTES = 64 * 1024 * 1024;

/** The text of the file `name` in the module's folder, or undefined. */
export function readBeside(module: string, name: string): string | undefined {
  if (module === "-") return undefined;
  const path = join(dirname(module), name);
  try {
    const stat = statSync(path);
    return stat.isFile() && stat.size <= MOST_MAP_BYTES ? readFileSync(path, "utf8") : undefined;
  } catch {
    return undefined;
  }
}

export function readRecording(fd: number, into: Uint8Array): number {
  try {
    return readSync(fd, into, 0, into.length, null);
  } catch (error) {
    throw unreadable(error);
  }
}

function unreadable(error: unknown): CommandError {
  return new CommandError("CLI-REPLAY", ExitCode.FAILURE, `The recording cannot be read: ${messageOf(error)}`);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
