/**
 * Ashlar's host ABI for AssemblyScript guests. Text is UTF-8 outside and a string inside. What the outside world refuses
 * is a null or a status, with `lastStatus` telling which; a wrong argument is a trap and ends the guest.
 *
 * Compile with `--use abort=syscalls/bindings/assemblyscript/ashlar/onAbort` (the path as your project sees it), because
 * the host gives no `env.abort`.
 */
import {
  FsListResults,
  FsOpenResults,
  FsReadResults,
  FsSizeResults,
  FsWriteResults,
  HeapRef,
  OpenFlag,
  Status,
  bytes_of_memory,
  fs_close,
  fs_list,
  fs_open,
  fs_read,
  fs_size,
  fs_write,
  statusName,
  sys_arg_read,
  sys_arg_size,
  sys_args_count,
  sys_exit,
  sys_fuel_left,
  sys_log,
  sys_stderr,
  sys_stdin,
  sys_stdout,
} from "./syscalls";

export { HeapRef, OpenFlag, Status, statusName };

/** Status of the last call of this file that can fail. */
export let lastStatus: i32 = Status.OK;

/** Room for the largest result block. */
const RESULTS: usize = memory.data(24, 8);
/** Most bytes of one piece when a length is not known beforehand. */
const PIECE: i32 = 65536;

function offsetOf(bytes: Uint8Array): u32 {
  return <u32>bytes.dataStart;
}

/** Opens a file or directory; 0 when that fails. `flags` is a sum of `OpenFlag`. */
export function open(path: string, flags: i32): HeapRef {
  const text = Uint8Array.wrap(String.UTF8.encode(path));
  const results = changetype<FsOpenResults>(RESULTS);
  lastStatus = fs_open(bytes_of_memory(), offsetOf(text), text.length, flags, results);
  return lastStatus == Status.OK ? results.handle : 0;
}

/** Ends a handle that `open` answered; true when nothing was lost. */
export function close(handle: HeapRef): bool {
  lastStatus = fs_close(handle);
  return lastStatus == Status.OK;
}

/** Length of an open file in bytes; -1 when that fails. */
export function size(handle: HeapRef): i64 {
  const results = changetype<FsSizeResults>(RESULTS);
  lastStatus = fs_size(handle, results);
  return lastStatus == Status.OK ? <i64>results.bytes : -1;
}

/** True when the last read met the end of the data. */
export let atEnd: bool = false;

/**
 * Reads up to `length` bytes into `into`, from its byte `start` on, and answers how many; -1 when that fails. `offset` is
 * the place in the file; -1 for a stream.
 */
export function readInto(handle: HeapRef, offset: i64, into: Uint8Array, start: i32, length: i32): i32 {
  if (start < 0 || length < 0 || length > into.length - start) throw new RangeError("readInto: outside of the array");
  const results = changetype<FsReadResults>(RESULTS);
  lastStatus = fs_read(handle, offset, bytes_of_memory(), offsetOf(into) + start, length, results);
  if (lastStatus != Status.OK) return -1;
  atEnd = results.eof != 0;
  return results.bytes_transferred;
}

/** Writes all of `from`, or nothing. `offset` is the place in the file; -1 for a stream or with `OpenFlag.APPEND`. */
export function writeFrom(handle: HeapRef, offset: i64, from: Uint8Array): bool {
  const results = changetype<FsWriteResults>(RESULTS);
  lastStatus = fs_write(handle, offset, bytes_of_memory(), offsetOf(from), from.length, results);
  return lastStatus == Status.OK;
}

/** Everything from `offset` on (-1 for a stream) in pieces, the first of `first` bytes. */
function readAll(handle: HeapRef, offset: i64, first: i32): Uint8Array | null {
  let bytes = new Uint8Array(first);
  let length: i32 = 0;
  atEnd = false;
  for (let reads: i32 = 0; !atEnd; reads++) {
    if (length == bytes.length && reads > 0) {
      const larger = new Uint8Array(length + max(length, PIECE));
      larger.set(bytes);
      bytes = larger;
    }
    const got = readInto(handle, offset < 0 ? -1 : offset + length, bytes, length, bytes.length - length);
    if (got < 0) return null;
    length += got;
  }
  return length == bytes.length ? bytes : bytes.slice(0, length);
}

/** All bytes of a file; null when that fails. */
export function readFile(path: string): Uint8Array | null {
  const handle = open(path, OpenFlag.READ);
  if (handle == 0) return null;
  const length = size(handle);
  let bytes: Uint8Array | null = null;
  if (length > <i64>i32.MAX_VALUE) lastStatus = Status.TOO_LARGE;
  else if (length >= 0) bytes = readAll(handle, 0, <i32>length);
  const status = lastStatus;
  close(handle);
  lastStatus = status;
  return bytes;
}

/** A file's text, malformed UTF-8 replaced by U+FFFD; null when reading fails. */
export function readText(path: string): string | null {
  const bytes = readFile(path);
  return bytes == null ? null : decode(bytes);
}

/** Text of UTF-8 bytes. */
export function decode(bytes: Uint8Array): string {
  return String.UTF8.decodeUnsafe(bytes.dataStart, bytes.length);
}

/** UTF-8 bytes of a text. */
export function encode(text: string): Uint8Array {
  return Uint8Array.wrap(String.UTF8.encode(text));
}

function store(path: string, flags: i32, offset: i64, bytes: Uint8Array): bool {
  const handle = open(path, flags);
  if (handle == 0) return false;
  const written = writeFrom(handle, offset, bytes);
  const status = lastStatus;
  const closed = close(handle);
  if (!written) lastStatus = status;
  return written && closed;
}

/** Makes a file hold exactly `bytes`; true when it does. */
export function writeFile(path: string, bytes: Uint8Array): bool {
  return store(path, OpenFlag.WRITE | OpenFlag.CREATE | OpenFlag.TRUNCATE, 0, bytes);
}

/** Makes a file hold exactly `text`; true when it does. */
export function writeText(path: string, text: string): bool {
  return writeFile(path, encode(text));
}

/** Adds `text` at the end of a file, which is made when it is not there; true when that worked. */
export function appendText(path: string, text: string): bool {
  return store(path, OpenFlag.WRITE | OpenFlag.CREATE | OpenFlag.APPEND, -1, encode(text));
}

/** One thing in a directory. */
export class Entry {
  constructor(
    public name: string,
    /** 1 file, 2 directory, 3 symbolic link, 0 anything else. */
    public kind: i32,
  ) {}
  get isFile(): bool {
    return this.kind == 1;
  }
  get isDirectory(): bool {
    return this.kind == 2;
  }
}

/** What is in a directory, sorted by the bytes of the names; null when that fails. */
export function list(path: string): Entry[] | null {
  const handle = open(path, OpenFlag.READ | OpenFlag.DIRECTORY);
  if (handle == 0) return null;
  const entries: Entry[] = [];
  const buffer = new Uint8Array(PIECE);
  const results = changetype<FsListResults>(RESULTS);
  let cookie: u64 = 0;
  let ended = false;
  while (!ended) {
    lastStatus = fs_list(handle, cookie, bytes_of_memory(), offsetOf(buffer), buffer.length, results);
    if (lastStatus != Status.OK) break;
    cookie = results.next_cookie;
    ended = results.eof != 0;
    const end: i32 = results.bytes_transferred;
    for (let at: i32 = 0; at < end; ) {
      const length: i32 = buffer[at + 1];
      entries.push(new Entry(String.UTF8.decodeUnsafe(buffer.dataStart + at + 2, length), buffer[at]));
      at += 2 + length;
    }
  }
  const status = lastStatus;
  close(handle);
  lastStatus = status;
  return ended ? entries : null;
}

/** The guest's arguments; its own name is none of them. */
export function args(): string[] {
  const values: string[] = [];
  const count = sys_args_count();
  for (let k: u32 = 0; k < count; k++) {
    const bytes = new Uint8Array(sys_arg_size(k));
    sys_arg_read(k, bytes_of_memory(), offsetOf(bytes), bytes.length);
    values.push(decode(bytes));
  }
  return values;
}

let stdin: HeapRef = 0;
let stdout: HeapRef = 0;
let stderr: HeapRef = 0;

/** All of the standard input; null when reading fails. */
export function readInput(): Uint8Array | null {
  if (stdin == 0) stdin = sys_stdin();
  return readAll(stdin, -1, PIECE);
}

/** Writes text to the standard output as it is; false when that fails. */
export function write(text: string): bool {
  if (stdout == 0) stdout = sys_stdout();
  return writeFrom(stdout, -1, encode(text));
}

/** Writes a line to the standard output. */
export function print(line: string): bool {
  return write(line + "\n");
}

/** Writes a line to the standard error output. */
export function printError(line: string): bool {
  if (stderr == 0) stderr = sys_stderr();
  return writeFrom(stderr, -1, encode(line + "\n"));
}

/** Hands a line of diagnostics to whoever runs the guest. */
export function log(line: string): void {
  const bytes = encode(line);
  sys_log(bytes_of_memory(), offsetOf(bytes), bytes.length);
}

/** Ends the guest; 0 means success, at most 255. */
export function exit(code: i32): void {
  sys_exit(code);
}

/** Fuel left; 2^64 - 1 when there is no limit. */
export function fuelLeft(): u64 {
  return sys_fuel_left();
}

/** For `--use abort=`: logs where AssemblyScript gave up, and traps. */
export function onAbort(message: string | null, file: string | null, line: u32, column: u32): void {
  const where = (file == null ? "?" : file) + ":" + line.toString() + ":" + column.toString();
  log((message == null ? "abort" : message) + " at " + where);
  unreachable();
}
