/** The standard streams, used synchronously: what was written is out, in order, whatever happens next. */
import { readSync, writeSync } from "node:fs";
import { pause } from "../interrupt.ts";

export const STDIN = 0;
export const STDOUT = 1;
export const STDERR = 2;

/** SGR parameters. */
export const ERROR_STYLE = "1;31";
export const DIM_STYLE = "2";
export const BOLD_STYLE = "1";

/** Longest pause between attempts on a stream that is not ready, in milliseconds. */
const LONGEST_PAUSE_MS = 20;

/** Writes all of `bytes`. A pipe that another process made non-blocking is waited for. Throws what `node:fs` throws. */
export function writeFully(fd: number, bytes: Uint8Array): void {
  let pauseMs = 1;
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at, bytes.length - at);
      pauseMs = 1;
    } catch (error) {
      if (errorCode(error) !== "EAGAIN") throw error;
      pauseMs = doublePause(pauseMs);
    }
  }
}

/** Reads at least one byte into `into`, or answers 0 at the end. Waits as {@link writeFully} does, with `wait` if it is given. */
export function readSome(fd: number, into: Uint8Array, wait: (ms: number) => number = doublePause): number {
  for (let pauseMs = 1; ; ) {
    try {
      return readSync(fd, into, 0, into.length, null);
    } catch (error) {
      const code = errorCode(error);
      // Windows reports the end of a pipe as an error.
      if (code === "EOF") return 0;
      if (code !== "EAGAIN") throw error;
      pauseMs = wait(pauseMs);
    }
  }
}

/** Waits so long, or until a stop is asked for, and answers how long to wait next. */
export function doublePause(ms: number, interrupt?: Int32Array): number {
  pause(ms, interrupt);
  return Math.min(2 * ms, LONGEST_PAUSE_MS);
}

/** Everything up to the end of a stream. */
export function readAll(fd: number): Uint8Array<ArrayBuffer> {
  let bytes = new Uint8Array(65_536);
  let length = 0;
  for (;;) {
    if (length === bytes.length) {
      const larger = new Uint8Array(2 * length);
      larger.set(bytes);
      bytes = larger;
    }
    const got = readSome(fd, bytes.subarray(length));
    if (got === 0) return bytes.slice(0, length);
    length += got;
  }
}

/** True for the error of writing where nobody reads any more: of a pipe, and of the socket that Node.js gives a child instead. */
export function isReaderGone(error: unknown): boolean {
  const code = errorCode(error);
  return code === "EPIPE" || code === "ECONNRESET";
}

/** The errno name of a host error, or undefined. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** Prints to stdout. */
export function print(text: string): void {
  writeFully(STDOUT, Buffer.from(text));
}

/** Writes text for a person to stderr; that nobody listens is no error. */
export function note(text: string): void {
  try {
    writeFully(STDERR, Buffer.from(text));
  } catch {
    // There is no other place to say it.
  }
}

/** True when stderr shows colours: a terminal, unless `NO_COLOR` or a dumb terminal; or `FORCE_COLOR`. */
function hasColour(): boolean {
  const { NO_COLOR, FORCE_COLOR } = process.env;
  if (NO_COLOR !== undefined && NO_COLOR !== "") return false;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== "") return FORCE_COLOR !== "0";
  return isTerminal();
}

/** True when stderr is a terminal that can go back in a line. */
export function isTerminal(): boolean {
  const { TERM } = process.env;
  return TERM !== "dumb" && process.stderr.isTTY;
}

/** `text` in a style, for stderr. */
export function styled(style: string, text: string): string {
  return hasColour() ? `\x1b[${style}m${text}\x1b[0m` : text;
}

/** `text` from a module or the host, in one line and without what would drive a terminal: control characters appear as `\u{1b}`. */
export function plain(text: string): string {
  return text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones that matter
    /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`,
  );
}
