/**
 * Ashlar's host ABI for AssemblyScript guests. Text is UTF-8 outside and a string inside. What the outside world refuses
 * is a null or a status, with `lastStatus` telling which; a wrong argument is a trap and ends the guest.
 *
 * Compile with `--use abort=PATH/ashlar/onAbort` (`PATH/ashlar.ts` is this file as your project sees it), because the host
 * gives no `env.abort`. Where `Math.random` is used, `--use seed=PATH/ashlar/onSeed` does the same for `env.seed`.
 */
import {
  ArtifactFlag,
  AslCreateResults,
  AslInfoResults,
  AslListResults,
  AslOpenResults,
  AslReadResults,
  AslSealResults,
  AslWriteResults,
  BankInfoResults,
  BankMetadataResults,
  BankOpenAssetResults,
  BankOpenSlotResults,
  BankReadResults,
  BankRequestResults,
  BankSizeResults,
  BankStateResults,
  BankType,
  Clock,
  EntryKind,
  FsListResults,
  FsOpenResults,
  FsReadResults,
  FsReadlinkResults,
  FsSizeResults,
  FsStatResults,
  FsWriteResults,
  HeapRef,
  LoadState,
  OpenFlag,
  RESULTS_SIZE,
  Status,
  TimesFlag,
  Visibility,
  asl_abort,
  asl_close,
  asl_create,
  asl_info,
  asl_list,
  asl_open,
  asl_read,
  asl_seal,
  asl_write,
  bank_cancel,
  bank_close,
  bank_commit,
  bank_info,
  bank_metadata,
  bank_open_asset,
  bank_open_slot,
  bank_read,
  bank_request,
  bank_size,
  bank_state,
  bytes_of_memory,
  fs_close,
  fs_link,
  fs_list,
  fs_mkdir,
  fs_open,
  fs_read,
  fs_readlink,
  fs_rename,
  fs_rmdir,
  fs_set_times,
  fs_size,
  fs_stat,
  fs_symlink,
  fs_sync,
  fs_truncate,
  fs_unlink,
  fs_write,
  statusName,
  sys_arg_read,
  sys_arg_size,
  sys_args_count,
  sys_clock,
  sys_env_count,
  sys_env_read,
  sys_env_size,
  sys_exit,
  sys_fuel_left,
  sys_log,
  sys_random,
  sys_sleep,
  sys_stderr,
  sys_stdin,
  sys_stdout,
} from "./syscalls";

export { BankType, EntryKind, HeapRef, LoadState, OpenFlag, Status, TimesFlag, Visibility, statusName };

/** Status of the last call of this file that can fail. */
export let lastStatus: i32 = Status.OK;

const RESULTS: usize = memory.data(RESULTS_SIZE, 8);
/** Most bytes of one piece when a length is not known beforehand. */
const PIECE: i32 = 65536;

function offsetOf(bytes: Uint8Array): u32 {
  return <u32>bytes.dataStart;
}

/** Keeps the status of a call, and answers whether it was OK. */
function succeeded(status: i32): bool {
  lastStatus = status;
  return status == Status.OK;
}

/** Opens a file or directory; 0 when that fails. `flags` is a sum of `OpenFlag`. */
export function open(path: string, flags: i32): HeapRef {
  return openAt(0, path, flags);
}

/** Opens what a path in an open directory names; 0 when that fails. */
export function openAt(dir: HeapRef, path: string, flags: i32): HeapRef {
  const text = encode(path);
  const results = changetype<FsOpenResults>(RESULTS);
  return succeeded(fs_open(dir, bytes_of_memory(), offsetOf(text), text.length, flags, results)) ? results.handle : 0;
}

/** Ends a handle that `open` answered; true when nothing was lost. */
export function close(handle: HeapRef): bool {
  return succeeded(fs_close(handle));
}

/** Length of an open file in bytes; -1 when that fails. */
export function size(handle: HeapRef): i64 {
  const results = changetype<FsSizeResults>(RESULTS);
  return succeeded(fs_size(handle, results)) ? <i64>results.bytes : -1;
}

/** Makes an open file shorter, or longer by zeroes; true when it is so. */
export function truncate(handle: HeapRef, length: u64): bool {
  return succeeded(fs_truncate(handle, length));
}

/** Waits until what was written is on the disk; true when it is. */
export function sync(handle: HeapRef): bool {
  return succeeded(fs_sync(handle));
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
  if (!succeeded(fs_read(handle, offset, bytes_of_memory(), offsetOf(into) + start, length, results))) return -1;
  atEnd = results.eof != 0;
  return results.bytes_transferred;
}

/** Writes all of `from`, or nothing. `offset` is the place in the file; -1 for its end, and for a stream. */
export function writeFrom(handle: HeapRef, offset: i64, from: Uint8Array): bool {
  const results = changetype<FsWriteResults>(RESULTS);
  return succeeded(fs_write(handle, offset, bytes_of_memory(), offsetOf(from), from.length, results));
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
    /** An `EntryKind`. */
    public kind: i32,
  ) {}
  get isFile(): bool {
    return this.kind == EntryKind.FILE;
  }
  get isDirectory(): bool {
    return this.kind == EntryKind.DIRECTORY;
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

/** What is known of a file, a directory or a link. Times are nanoseconds since 1970. */
export class Stat {
  constructor(
    /** An `EntryKind`. */
    public kind: i32,
    public bytes: u64,
    /** The same number for the same file. */
    public id: u64,
    /** Names of a file. */
    public links: u64,
    public accessed: i64,
    public modified: i64,
    public changed: i64,
  ) {}
}

function statWith(path: string, flags: i32): Stat | null {
  const text = encode(path);
  const results = changetype<FsStatResults>(RESULTS);
  if (!succeeded(fs_stat(0, bytes_of_memory(), offsetOf(text), text.length, flags, results))) return null;
  return new Stat(
    results.kind,
    results.bytes,
    results.id,
    results.links,
    results.accessed,
    results.modified,
    results.changed,
  );
}

/** What a path stands for, symbolic links followed; null when that fails. */
export function stat(path: string): Stat | null {
  return statWith(path, 0);
}

/** What a path stands for, which may be a symbolic link itself; null when that fails. */
export function linkStat(path: string): Stat | null {
  return statWith(path, OpenFlag.NOFOLLOW);
}

/** True when a path leads to something. */
export function exists(path: string): bool {
  return stat(path) != null;
}

/** Sets the times of what a path stands for, in nanoseconds since 1970; true when that worked. */
export function setTimes(path: string, accessed: i64, modified: i64): bool {
  const text = encode(path);
  const flags = TimesFlag.ACCESSED | TimesFlag.MODIFIED;
  return succeeded(fs_set_times(0, bytes_of_memory(), offsetOf(text), text.length, flags, accessed, modified));
}

/** Makes a directory; true when that worked. */
export function makeDirectory(path: string): bool {
  const text = encode(path);
  return succeeded(fs_mkdir(0, bytes_of_memory(), offsetOf(text), text.length));
}

/** Removes an empty directory; true when that worked. */
export function removeDirectory(path: string): bool {
  const text = encode(path);
  return succeeded(fs_rmdir(0, bytes_of_memory(), offsetOf(text), text.length));
}

/** Removes a name of a file, or a symbolic link; true when that worked. */
export function removeFile(path: string): bool {
  const text = encode(path);
  return succeeded(fs_unlink(0, bytes_of_memory(), offsetOf(text), text.length));
}

/** Gives what is at `from` the name `to`, in place of what had it; true when that worked. */
export function rename(from: string, to: string): bool {
  const old = encode(from);
  const now = encode(to);
  const ref = bytes_of_memory();
  return succeeded(fs_rename(0, ref, offsetOf(old), old.length, 0, ref, offsetOf(now), now.length));
}

/** Gives the file at `path` one more name; true when that worked. */
export function link(path: string, newPath: string): bool {
  const old = encode(path);
  const now = encode(newPath);
  const ref = bytes_of_memory();
  return succeeded(fs_link(0, ref, offsetOf(old), old.length, 0, ref, offsetOf(now), now.length));
}

/** Makes a symbolic link at `path`; true when that worked. */
export function symlink(target: string, path: string): bool {
  const to = encode(target);
  const text = encode(path);
  const ref = bytes_of_memory();
  return succeeded(fs_symlink(ref, offsetOf(to), to.length, 0, ref, offsetOf(text), text.length));
}

/** Target of a symbolic link; null when that fails. */
export function readLink(path: string): string | null {
  const text = encode(path);
  const results = changetype<FsReadlinkResults>(RESULTS);
  const ref = bytes_of_memory();
  let target = new Uint8Array(256);
  while (true) {
    const length = target.length;
    const status = fs_readlink(0, ref, offsetOf(text), text.length, ref, offsetOf(target), length, results);
    if (!succeeded(status)) return null;
    if (<i32>results.bytes <= length) return String.UTF8.decodeUnsafe(target.dataStart, results.bytes_transferred);
    target = new Uint8Array(results.bytes);
  }
}

/** What is known of an asset. */
export class BankInfo {
  constructor(
    public assetId: i32,
    /** A `BankType`, or what `assets-tool ids` tells. */
    public bankType: u32,
    public bytes: u64,
    /** What it takes in the pack. */
    public storedBytes: u64,
    public metadataBytes: u32,
  ) {}
}

/** An asset of the packs, open. */
export class Bank {
  constructor(public handle: HeapRef) {}

  /** The asset that a slot holds now; null when that fails. */
  static inSlot(bankType: u32, slot: u32): Bank | null {
    const results = changetype<BankOpenSlotResults>(RESULTS);
    return succeeded(bank_open_slot(bankType, slot, results)) ? new Bank(results.bank) : null;
  }

  /** The asset with this id, in a slot or not; null when that fails. */
  static ofAsset(assetId: i32): Bank | null {
    const results = changetype<BankOpenAssetResults>(RESULTS);
    return succeeded(bank_open_asset(assetId, results)) ? new Bank(results.bank) : null;
  }

  /** Null when that fails. */
  info(): BankInfo | null {
    const results = changetype<BankInfoResults>(RESULTS);
    if (!succeeded(bank_info(this.handle, results))) return null;
    return new BankInfo(
      results.asset_id,
      results.bank_type,
      results.bytes,
      results.stored_bytes,
      results.metadata_bytes,
    );
  }

  /** Length in bytes; -1 when that fails. */
  size(): i64 {
    const results = changetype<BankSizeResults>(RESULTS);
    return succeeded(bank_size(this.handle, results)) ? <i64>results.bytes : -1;
  }

  /**
   * Reads up to `length` bytes from `offset` on into `into`, from its byte `start` on, and answers how many; -1 when that
   * fails. Sets `atEnd`.
   */
  readInto(offset: i64, into: Uint8Array, start: i32, length: i32): i32 {
    if (start < 0 || length < 0 || length > into.length - start) throw new RangeError("readInto: outside of the array");
    const results = changetype<BankReadResults>(RESULTS);
    const to = offsetOf(into) + start;
    if (!succeeded(bank_read(this.handle, offset, bytes_of_memory(), to, length, results))) return -1;
    atEnd = results.eof != 0;
    return results.bytes_transferred;
  }

  /** All bytes; null when that fails. */
  readAll(): Uint8Array | null {
    const length = this.size();
    if (length < 0) return null;
    if (length > <i64>i32.MAX_VALUE) {
      lastStatus = Status.TOO_LARGE;
      return null;
    }
    const bytes = new Uint8Array(<i32>length);
    return this.readInto(0, bytes, 0, bytes.length) < 0 ? null : bytes;
  }

  /** All of it as text, malformed UTF-8 replaced by U+FFFD; null when that fails. */
  readText(): string | null {
    const bytes = this.readAll();
    return bytes == null ? null : decode(bytes);
  }

  /** The metadata: a JSON object; null when that fails. */
  metadata(): string | null {
    const info = this.info();
    if (info == null) return null;
    const bytes = new Uint8Array(info.metadataBytes);
    const results = changetype<BankMetadataResults>(RESULTS);
    const status = bank_metadata(this.handle, 0, bytes_of_memory(), offsetOf(bytes), bytes.length, results);
    return succeeded(status) ? decode(bytes) : null;
  }

  /** Ends the handle. */
  close(): bool {
    return succeeded(bank_close(this.handle));
  }
}

/** An asset on its way into a slot. */
export class Load {
  constructor(public handle: HeapRef) {}

  /** Begins; null when that fails. */
  static request(assetId: i32, slot: u32): Load | null {
    const results = changetype<BankRequestResults>(RESULTS);
    return succeeded(bank_request(assetId, slot, results)) ? new Load(results.load) : null;
  }

  /** A `LoadState`, and the load goes one step on; -1 when that fails. */
  state(): i32 {
    const results = changetype<BankStateResults>(RESULTS);
    return succeeded(bank_state(this.handle, results)) ? results.state : -1;
  }

  /** Has the slot hold what was loaded; true when it does. */
  commit(): bool {
    return succeeded(bank_commit(this.handle));
  }

  /** Gives up; true when it was not committed yet. */
  cancel(): bool {
    return succeeded(bank_cancel(this.handle));
  }

  /** Ends the handle. What was not committed is given up. */
  close(): bool {
    return succeeded(bank_close(this.handle));
  }
}

/** Loads an asset and has a slot of its bank hold it; true when it does. */
export function loadAsset(assetId: i32, slot: u32): bool {
  const load = Load.request(assetId, slot);
  if (load == null) return false;
  let state = load.state();
  while (state == LoadState.PENDING || state == LoadState.LOADING) state = load.state();
  const committed = load.commit();
  const status = lastStatus;
  load.close();
  lastStatus = status;
  return committed;
}

/** Bytes of the longest key. */
const KEY_ROOM: i32 = 36;

/** What is known of an artifact, and one of its records. */
export class ArtifactInfo {
  constructor(
    public bytes: u64,
    /** How many records it has. */
    public records: u32,
    public hasTypeTag: bool,
    public typeTag: u32,
    /** A `Visibility`. */
    public visibility: u32,
  ) {}
}

function infoOf(handle: HeapRef, record: u32): ArtifactInfo | null {
  const results = changetype<AslInfoResults>(RESULTS);
  if (!succeeded(asl_info(handle, record, results))) return null;
  const tagged = results.has_type_tag != 0;
  return new ArtifactInfo(results.bytes, results.records, tagged, results.type_tag, results.visibility);
}

/** An artifact of the store, open. */
export class Artifact {
  constructor(public handle: HeapRef) {}

  /** The artifact of a key; null when that fails. */
  static open(key: Uint8Array): Artifact | null {
    const results = changetype<AslOpenResults>(RESULTS);
    return succeeded(asl_open(bytes_of_memory(), offsetOf(key), key.length, results))
      ? new Artifact(results.artifact)
      : null;
  }

  /** The artifact of a key as text, `sha256:…`; null when that fails. */
  static named(key: string): Artifact | null {
    return Artifact.open(encode(key));
  }

  /** The record of this number, from 0; null when that fails. */
  info(record: u32 = 0): ArtifactInfo | null {
    return infoOf(this.handle, record);
  }

  /** Length in bytes; -1 when that fails. */
  size(): i64 {
    const info = this.info();
    return info == null ? -1 : <i64>info.bytes;
  }

  /**
   * Reads up to `length` bytes from `offset` on into `into`, from its byte `start` on, and answers how many; -1 when that
   * fails. Sets `atEnd`.
   */
  readInto(offset: i64, into: Uint8Array, start: i32, length: i32): i32 {
    if (start < 0 || length < 0 || length > into.length - start) throw new RangeError("readInto: outside of the array");
    const results = changetype<AslReadResults>(RESULTS);
    const to = offsetOf(into) + start;
    if (!succeeded(asl_read(this.handle, offset, bytes_of_memory(), to, length, results))) return -1;
    atEnd = results.eof != 0;
    return results.bytes_transferred;
  }

  /** All bytes; null when that fails. */
  readAll(): Uint8Array | null {
    const length = this.size();
    if (length < 0) return null;
    if (length > <i64>i32.MAX_VALUE) {
      lastStatus = Status.TOO_LARGE;
      return null;
    }
    const bytes = new Uint8Array(<i32>length);
    return this.readInto(0, bytes, 0, bytes.length) < 0 ? null : bytes;
  }

  /** All of it as text, malformed UTF-8 replaced by U+FFFD; null when that fails. */
  readText(): string | null {
    const bytes = this.readAll();
    return bytes == null ? null : decode(bytes);
  }

  /** Ends the handle. */
  close(): bool {
    return succeeded(asl_close(this.handle));
  }
}

/** An artifact in the making. */
export class Writer {
  constructor(public handle: HeapRef) {}

  private static make(typeTag: u32, hasTypeTag: u32): Writer | null {
    const results = changetype<AslCreateResults>(RESULTS);
    return succeeded(asl_create(typeTag, hasTypeTag, results)) ? new Writer(results.writer) : null;
  }

  /** Begins an artifact; null when that fails. */
  static create(): Writer | null {
    return Writer.make(0, 0);
  }

  /** Begins an artifact with a type tag; null when that fails. */
  static tagged(typeTag: u32): Writer | null {
    return Writer.make(typeTag, 1);
  }

  /** What it will be so far; null when that fails. */
  info(): ArtifactInfo | null {
    return infoOf(this.handle, 0);
  }

  /** Adds all of `from`, or nothing. */
  write(from: Uint8Array): bool {
    return this.writeFrom(from, 0, from.length);
  }

  /** Adds `length` bytes of `from`, from its byte `start` on, or nothing. */
  writeFrom(from: Uint8Array, start: i32, length: i32): bool {
    if (start < 0 || length < 0 || length > from.length - start) throw new RangeError("writeFrom: outside of the array");
    const results = changetype<AslWriteResults>(RESULTS);
    return succeeded(asl_write(this.handle, -1, bytes_of_memory(), offsetOf(from) + start, length, results));
  }

  /** Ends the making, and tells the artifact's key; null when that fails. */
  seal(): Uint8Array | null {
    const key = new Uint8Array(KEY_ROOM);
    const results = changetype<AslSealResults>(RESULTS);
    if (!succeeded(asl_seal(this.handle, bytes_of_memory(), offsetOf(key), KEY_ROOM, results))) return null;
    return key.slice(0, results.bytes_transferred);
  }

  /** Gives it up; true when it was not sealed yet. */
  abort(): bool {
    return succeeded(asl_abort(this.handle));
  }

  /** Ends the handle. What was not sealed is given up. */
  close(): bool {
    return succeeded(asl_close(this.handle));
  }
}

/** Makes an artifact of `bytes`, and tells its key; null when that fails. */
export function putArtifact(bytes: Uint8Array): Uint8Array | null {
  const writer = Writer.create();
  if (writer == null) return null;
  const key = writer.write(bytes) ? writer.seal() : null;
  const status = lastStatus;
  writer.close();
  lastStatus = status;
  return key;
}

/** An artifact, as a list tells of it. */
export class ArtifactEntry {
  constructor(
    public key: Uint8Array,
    public bytes: u64,
    public hasTypeTag: bool,
    public typeTag: u32,
    /** A `Visibility`. */
    public visibility: u32,
  ) {}
}

/** Some artifacts of the store behind a key, in the order of digests; none behind the last one, null when that fails. */
export function listArtifacts(after: Uint8Array | null = null): ArtifactEntry[] | null {
  const entries: ArtifactEntry[] = [];
  const buffer = new Uint8Array(PIECE);
  const results = changetype<AslListResults>(RESULTS);
  const from = after == null ? 0 : offsetOf(after);
  const length = after == null ? 0 : after.length;
  const ref = bytes_of_memory();
  if (!succeeded(asl_list(ref, from, length, ref, offsetOf(buffer), buffer.length, results))) return null;
  const end: i32 = results.bytes_transferred;
  for (let at: i32 = 0; at < end; ) {
    const behind: i32 = at + 1 + <i32>buffer[at];
    const key = buffer.slice(at + 1, behind);
    const flags = buffer[behind];
    const fields = buffer.dataStart + behind + 1;
    const visibility: u32 = (flags & ArtifactFlag.PUBLISHED) != 0 ? Visibility.PUBLISHED : Visibility.INTERNAL;
    const tagged = (flags & ArtifactFlag.HAS_TYPE_TAG) != 0;
    entries.push(new ArtifactEntry(key, load<u64>(fields, 4), tagged, load<u32>(fields), visibility));
    at = behind + 13;
  }
  return entries;
}

/** The text of a key, `sha256:…`. */
export function keyText(key: Uint8Array): string {
  let name = "sha256";
  if (key[0] == 0x16) name = "sha3-256";
  else if (key[0] == 0x95) name = "sha2-512-256";
  else if (key[0] == 0xe0) name = "blake2s-256";
  let text = name + ":";
  for (let k = key.length - 32; k < key.length; k++) text += (key[k] < 16 ? "0" : "") + key[k].toString(16);
  return text;
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

/** The variables of the environment, `NAME=value` each. */
export function variables(): string[] {
  const values: string[] = [];
  const count = sys_env_count();
  for (let k: u32 = 0; k < count; k++) {
    const bytes = new Uint8Array(sys_env_size(k));
    sys_env_read(k, bytes_of_memory(), offsetOf(bytes), bytes.length);
    values.push(decode(bytes));
  }
  return values;
}

/** Value of a variable of the environment; null when it is not set. */
export function variable(name: string): string | null {
  const values = variables();
  for (let k = 0; k < values.length; k++)
    if (values[k].startsWith(name + "=")) return values[k].substring(name.length + 1);
  return null;
}

/** The time of day, in nanoseconds since 1970. */
export function now(): i64 {
  return sys_clock(Clock.REALTIME);
}

/** A time that never goes back, in nanoseconds since some fixed moment. */
export function monotonic(): i64 {
  return sys_clock(Clock.MONOTONIC);
}

/** Waits. */
export function sleep(nanoseconds: u64): void {
  sys_sleep(nanoseconds);
}

/** Fills an array with random bytes. */
export function fillRandom(bytes: Uint8Array): void {
  sys_random(bytes_of_memory(), offsetOf(bytes), bytes.length);
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

/** For `--use seed=`: where `Math.random` begins. */
export function onSeed(): f64 {
  sys_random(bytes_of_memory(), <u32>RESULTS, 8);
  return reinterpret<f64>((load<u64>(RESULTS) >> 12) | 0x3ff0000000000000);
}
