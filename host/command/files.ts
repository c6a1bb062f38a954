/** Files that the line names: opened before a guest runs, so that what cannot be is told first. */
import { openSync, readSync } from "node:fs";
import { CommandError, ExitCode } from "./failure.ts";

/** Opens a file for writing; what was in it is gone. */
export function openOutput(path: string, code: string, what: string): number {
  try {
    return openSync(path, "w");
  } catch (error) {
    throw cannotWrite(code, what, error);
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
