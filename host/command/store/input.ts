/** Files and standard input as pieces, read ahead by one while the piece before is used. */
import { closeSync, constants, fstatSync, open, openSync, read, readSync, type Stats, statSync } from "node:fs";
import { CommandError, ExitCode } from "../failure.ts";
import { errorCode, STDIN } from "../terminal.ts";
import { unlessAborted } from "./stopping.ts";

/** Most bytes of a piece. */
export const PIECE_BYTES: number = 1024 * 1024;

const LONGEST_PAUSE_MS = 20;

export class Input {
  /** As the line names it. */
  readonly name: string;
  readonly #fd: number;
  readonly #signal: AbortSignal;
  /** Of a file, when it was opened. */
  readonly #size: number | undefined;
  #isAtEnd = false;

  private constructor(name: string, fd: number, stats: Stats, signal: AbortSignal) {
    this.name = name;
    this.#fd = fd;
    this.#signal = signal;
    this.#size = stats.isFile() ? stats.size : undefined;
  }
  /** `-` is standard input. Throws CLI-INPUT, or why the signal was aborted. */
  static async open(name: string, signal: AbortSignal): Promise<Input> {
    try {
      const fd = name === "-" ? STDIN : await openInput(name, signal);
      try {
        const stats = fstatSync(fd);
        if (stats.isDirectory()) throw folderError(name);
        return new Input(name, fd, stats, signal);
      } catch (error) {
        closeQuietly(fd);
        throw error;
      }
    } catch (error) {
      throw signal.aborted ? signal.reason : inputError(name, error);
    }
  }
  /** Whether all that there is was read. */
  get isAtEnd(): boolean {
    return this.#isAtEnd;
  }
  /** The first piece; empty of what is empty. Throws as {@link Input.open}. */
  async first(): Promise<Uint8Array> {
    this.#signal.throwIfAborted();
    const size = this.#size;
    if (size === undefined || size >= PIECE_BYTES) return this.#piece();
    // A file of few bytes is read at once: to hand it to another thread takes longer.
    const bytes = Buffer.allocUnsafeSlow(size + 1);
    let length = 0;
    try {
      for (let got = 1; got > 0 && length <= size; length += got)
        got = readSync(this.#fd, bytes, length, size + 1 - length, null);
    } catch (error) {
      throw inputError(this.name, error);
    }
    this.#isAtEnd = length <= size;
    return bytes.subarray(0, length);
  }
  /** The rest, in pieces; each is the caller's own. Throws as {@link Input.open}. */
  async *rest(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let next = this.#isAtEnd ? undefined : this.#piece(); next !== undefined; ) {
      const piece = await next;
      next = this.#isAtEnd ? undefined : this.#piece();
      // Whoever takes no more does not hear of it.
      next?.catch(() => {});
      if (piece.length > 0) yield piece;
    }
  }
  close(): void {
    closeQuietly(this.#fd);
  }
  async #piece(): Promise<Uint8Array> {
    const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
    let length = 0;
    for (let pauseMs = 1; length < PIECE_BYTES; ) {
      const got = await this.#read(piece, length);
      if (got === 0) {
        this.#isAtEnd = true;
        break;
      }
      if (got === undefined) {
        const waited = pauseMs;
        await new Promise((resolve) => setTimeout(resolve, waited));
        pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
      } else {
        pauseMs = 1;
        length += got;
      }
    }
    return piece.subarray(0, length);
  }
  /** Undefined where there is nothing yet. */
  async #read(into: Uint8Array, at: number): Promise<number | undefined> {
    const signal = this.#signal;
    signal.throwIfAborted();
    try {
      return await unlessAborted(
        signal,
        onThread((done) => read(this.#fd, into, at, into.length - at, null, done)),
      );
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (errorCode(error) === "EAGAIN") return undefined;
      // Windows reports the end of a pipe as an error.
      if (errorCode(error) === "EOF") return 0;
      throw inputError(this.name, error);
    }
  }
}

export function folderError(name: string): CommandError {
  return new CommandError(
    "CLI-INPUT",
    ExitCode.FAILURE,
    `${JSON.stringify(name)} is a folder.`,
    "Name its files, or make a pack of it: `ashlar assets pack DIR -o FILE`.",
  );
}

export function inputError(name: string, error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new CommandError("CLI-INPUT", ExitCode.FAILURE, `${JSON.stringify(name)} cannot be read: ${reason}`);
}

/** A pipe is waited for until somebody writes to it: not on this thread, which hears of signals. */
function openInput(path: string, signal: AbortSignal): Promise<number> | number {
  if (statSync(path).isFile()) return openSync(path, constants.O_RDONLY);
  return unlessAborted(
    signal,
    onThread((done) => open(path, constants.O_RDONLY, done)),
  );
}

/** What may wait for ever is left to its thread, which does not keep a process that ends by a signal. */
function onThread(
  start: (done: (error: NodeJS.ErrnoException | null, answer: number) => void) => void,
): Promise<number> {
  return new Promise((resolve, reject) => start((error, answer) => (error === null ? resolve(answer) : reject(error))));
}

function closeQuietly(fd: number): void {
  if (fd === STDIN) return;
  try {
    closeSync(fd);
  } catch {
    // What was read was read.
  }
}
