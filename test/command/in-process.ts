/** Commands in this process, from the sources: what a process of its own would be too slow for. */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import type { Program } from "../../host/command/command.ts";
import { main } from "../../host/command/program.ts";

export interface Answered {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a line and takes what it writes to the standard streams. One at a time. */
export async function runInProcess(program: Program<unknown>, words: readonly string[]): Promise<Answered> {
  const written: { [fd: number]: Buffer[] } = { 1: [], 2: [] };
  const { writeSync } = fs;
  const taking = (fd: number, bytes: Uint8Array, offset = 0, length = bytes.length - offset, position?: number) => {
    const stream = written[fd];
    if (stream === undefined) return writeSync(fd, bytes, offset, length, position);
    stream.push(Buffer.from(bytes.slice(offset, offset + length)));
    return length;
  };
  fs.writeSync = taking as typeof writeSync;
  syncBuiltinESMExports();
  try {
    const code = await main(program, words, undefined);
    return { code, stdout: Buffer.concat(written[1]!).toString(), stderr: Buffer.concat(written[2]!).toString() };
  } finally {
    fs.writeSync = writeSync;
    syncBuiltinESMExports();
  }
}
