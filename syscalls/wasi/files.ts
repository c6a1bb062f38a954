/** The functions on descriptors, `fd_*` (spec WASI-FD). Each answers an errno; pointers are checked first of all. */

import { Status } from "../status.ts";
import { OpenFlag, TimesFlag } from "../table.ts";
import {
  ALL_FDFLAGS,
  ALL_FSTFLAGS,
  DIRENT_BYTES,
  FDSTAT_BYTES,
  Fdflag,
  FILESTAT_BYTES,
  Filetype,
  Fstflag,
  IOVEC_BYTES,
  MOST_ADVICE,
  PRESTAT_BYTES,
  Right,
  Whence,
} from "./constants.ts";
import type { Descriptor } from "./descriptors.ts";
import { Errno, errnoOf } from "./errno.ts";
import {
  highOf,
  load32,
  MOST_VECTORS,
  SCRATCH_BYTES,
  store16,
  store32,
  store64,
  storeNumber,
  unsigned,
  type Wasi,
} from "./wasi.ts";

/** By the kinds of `fs.stat` and `fs.list` (spec FS-LIST-2). */
const FILETYPES: readonly number[] = [
  Filetype.UNKNOWN,
  Filetype.REGULAR_FILE,
  Filetype.DIRECTORY,
  Filetype.SYMBOLIC_LINK,
];

// ---- moving bytes

/** Bytes that are moved for a unit of fuel, as by `fs.read`. */
const FUEL_BYTES = 32;
/** Price of `fs.sync`, which a write may be followed by. */
const SYNC_FUEL = 5000;
const MOST_TOTAL = 2 ** 32 - 1;
/** Largest offset, and cookie. */
const MOST_OFFSET = Number.MAX_SAFE_INTEGER;

/** Reads `count` vectors at `pointer` for the call under way, and charges what they move. Faults: BadPointer. */
function takeVectors(wasi: Wasi, pointer: number, count: number): Errno {
  const { transfer } = wasi;
  transfer.count = 0;
  transfer.total = 0;
  const start = wasi.check(pointer, (count >>> 0) * IOVEC_BYTES);
  if (count >>> 0 > MOST_VECTORS) return Errno.INVAL;
  const { bytes } = wasi;
  let vectors = 0;
  let total = 0;
  for (let k = 0; k < count; k++) {
    const at = load32(bytes, start + k * IOVEC_BYTES);
    const length = load32(bytes, start + k * IOVEC_BYTES + 4);
    wasi.check(at, length >>> 0);
    if (length === 0) continue;
    transfer.vectors[2 * vectors] = at;
    transfer.vectors[2 * vectors + 1] = length;
    vectors++;
    total += length >>> 0;
  }
  transfer.count = vectors;
  transfer.total = total;
  if (total > MOST_TOTAL) return Errno.INVAL;
  if (total >= FUEL_BYTES) wasi.gate.charge(Math.floor(total / FUEL_BYTES));
  return Errno.SUCCESS;
}

/** Reads into the vectors from `place` on, -1 of a stream; sets `moved` of the transfer. */
function readVectors(wasi: Wasi, { type, low, high }: Descriptor, place: number): Errno {
  const { sys, gate, transfer } = wasi;
  const { vectors, count, total } = transfer;
  transfer.moved = 0;
  if (count > 1 && total <= SCRATCH_BYTES) {
    if (!wasi.reachScratch()) return Errno.NOMEM;
    sys.read(low, high, place | 0, highOf(place), wasi.scratchLow, wasi.scratchHigh, 0, total);
    if (gate.low[0] !== Status.OK) return errnoOf(gate.low[0]!);
    const moved = gate.low[1]!;
    transfer.moved = moved;
    const from = wasi.scratch(moved);
    const { bytes } = wasi;
    for (let k = 0, done = 0; done < moved; k++) {
      const at = vectors[2 * k]! >>> 0;
      const length = Math.min(vectors[2 * k + 1]!, moved - done);
      bytes.set(from.subarray(done, done + length), at);
      done += length;
    }
    return Errno.SUCCESS;
  }
  for (let k = 0; k < count; k++) {
    const length = vectors[2 * k + 1]!;
    const at = type === "stream" ? -1 : place + transfer.moved;
    sys.read(low, high, at | 0, highOf(at), wasi.low, wasi.high, vectors[2 * k]!, length);
    const status = gate.low[0]!;
    // What is there already is the program's.
    if (status !== Status.OK) return transfer.moved > 0 ? Errno.SUCCESS : errnoOf(status);
    transfer.moved += gate.low[1]! >>> 0;
    if (gate.low[1] !== length) break;
  }
  return Errno.SUCCESS;
}

/** Writes the vectors from `place` on, -1 at the end or to a stream; sets `moved` of the transfer. */
function writeVectors(wasi: Wasi, { type, low, high, flags }: Descriptor, place: number): Errno {
  const { sys, gate, transfer } = wasi;
  const { vectors, count, total } = transfer;
  const isSynchronous = type === "file" && count > 0 && (flags & (Fdflag.DSYNC | Fdflag.SYNC)) !== 0;
  if (isSynchronous) gate.charge(SYNC_FUEL);
  let moved = 0;
  if (count > 1 && total <= SCRATCH_BYTES) {
    if (!wasi.reachScratch()) return Errno.NOMEM;
    const into = wasi.scratch(total);
    const { bytes } = wasi;
    for (let k = 0, done = 0; k < count; k++) {
      const at = vectors[2 * k]! >>> 0;
      const length = vectors[2 * k + 1]!;
      into.set(bytes.subarray(at, at + length), done);
      done += length;
    }
    sys.write(low, high, place | 0, highOf(place), wasi.scratchLow, wasi.scratchHigh, 0, total);
    if (gate.low[0] !== Status.OK) return errnoOf(gate.low[0]!);
    moved = total;
  } else
    for (let k = 0; k < count; k++) {
      const at = place < 0 ? -1 : place + moved;
      const length = vectors[2 * k + 1]!;
      sys.write(low, high, at | 0, highOf(at), wasi.low, wasi.high, vectors[2 * k]!, length);
      const status = gate.low[0]!;
      if (status === Status.OK) moved += length >>> 0;
      else if (moved === 0) return errnoOf(status);
      else break;
    }
  transfer.moved = moved;
  return isSynchronous && moved > 0 ? errnoOf(sys.sync(low, high)) : Errno.SUCCESS;
}

/** The file or stream whose bytes the vectors are for, or why there are none to move. Faults: BadPointer. */
function toMove(wasi: Wasi, fd: number, iovs: number, count: number, right: number): Descriptor | Errno {
  const refused = takeVectors(wasi, iovs, count);
  if (refused !== Errno.SUCCESS) return refused;
  const file = wasi.descriptors.get(fd);
  if (file === undefined) return Errno.BADF;
  if (file.type === "directory") return Errno.ISDIR;
  return (file.rights & right) === 0 ? Errno.BADF : file;
}

export function fd_read(wasi: Wasi, fd: number, iovs: number, count: number, out: number): Errno {
  const at = wasi.check(out, 4);
  const file = toMove(wasi, fd, iovs, count, Right.FD_READ);
  if (typeof file === "number") return file;
  if (!wasi.reach()) return Errno.NOMEM;
  const isStream = file.type === "stream";
  const errno = readVectors(wasi, file, isStream ? -1 : file.offset);
  if (errno !== Errno.SUCCESS) return errno;
  if (!isStream) file.offset += wasi.transfer.moved;
  store32(wasi.bytes, at, wasi.transfer.moved);
  return Errno.SUCCESS;
}

export function fd_write(wasi: Wasi, fd: number, iovs: number, count: number, out: number): Errno {
  const at = wasi.check(out, 4);
  const file = toMove(wasi, fd, iovs, count, Right.FD_WRITE);
  if (typeof file === "number") return file;
  if (!wasi.reach()) return Errno.NOMEM;
  const isStream = file.type === "stream";
  const appends = isStream || (file.flags & Fdflag.APPEND) !== 0;
  const errno = writeVectors(wasi, file, appends ? -1 : file.offset);
  if (errno !== Errno.SUCCESS) return errno;
  if (!appends) file.offset += wasi.transfer.moved;
  else if (!isStream && wasi.transfer.moved > 0 && wasi.sizeOf(file) === Status.OK) file.offset = wasi.gate.wide(1);
  store32(wasi.bytes, at, wasi.transfer.moved);
  return Errno.SUCCESS;
}

export function fd_pread(
  wasi: Wasi,
  fd: number,
  iovs: number,
  count: number,
  low: number,
  high: number,
  out: number,
): Errno {
  return moveAt(wasi, fd, iovs, count, unsigned(low, high), out, Right.FD_READ);
}

export function fd_pwrite(
  wasi: Wasi,
  fd: number,
  iovs: number,
  count: number,
  low: number,
  high: number,
  out: number,
): Errno {
  return moveAt(wasi, fd, iovs, count, unsigned(low, high), out, Right.FD_WRITE);
}

function moveAt(
  wasi: Wasi,
  fd: number,
  iovs: number,
  count: number,
  offset: number,
  out: number,
  right: number,
): Errno {
  const at = wasi.check(out, 4);
  const file = toMove(wasi, fd, iovs, count, right);
  if (typeof file === "number") return file;
  if (file.type === "stream") return Errno.SPIPE;
  if (offset >= 2 ** 63) return Errno.INVAL;
  const place = Math.min(offset, MOST_OFFSET - MOST_TOTAL);
  // Behind it no host has a byte, nor takes one.
  if (place < offset && right === Right.FD_WRITE && wasi.transfer.total > 0) return Errno.FBIG;
  if (!wasi.reach()) return Errno.NOMEM;
  const appends = right === Right.FD_WRITE && (file.flags & Fdflag.APPEND) !== 0;
  const errno =
    right === Right.FD_READ ? readVectors(wasi, file, place) : writeVectors(wasi, file, appends ? -1 : place);
  if (errno === Errno.SUCCESS) store32(wasi.bytes, at, wasi.transfer.moved);
  return errno;
}

// ---- offset and length

export function fd_seek(wasi: Wasi, fd: number, low: number, high: number, whence: number, out: number): Errno {
  const at = wasi.check(out, 8);
  const file = wasi.descriptors.get(fd);
  if (file === undefined || file.type === "directory") return Errno.BADF;
  if (file.type === "stream") return Errno.SPIPE;
  let from = 0;
  if (whence === Whence.CUR) from = file.offset;
  else if (whence === Whence.END) {
    const status = wasi.sizeOf(file);
    if (status !== Status.OK) return errnoOf(status);
    from = wasi.gate.wide(1);
  } else if (whence !== Whence.SET) return Errno.INVAL;
  const offset = from + high * 0x1_0000_0000 + (low >>> 0);
  if (offset < 0) return Errno.INVAL;
  if (offset > MOST_OFFSET) return Errno.OVERFLOW;
  file.offset = offset;
  storeNumber(wasi.bytes, at, offset);
  return Errno.SUCCESS;
}

export function fd_tell(wasi: Wasi, fd: number, out: number): Errno {
  const at = wasi.check(out, 8);
  const file = wasi.descriptors.get(fd);
  if (file === undefined || file.type === "directory") return Errno.BADF;
  if (file.type === "stream") return Errno.SPIPE;
  storeNumber(wasi.bytes, at, file.offset);
  return Errno.SUCCESS;
}

/** The file of a descriptor whose length is to change, or why it cannot. */
function writable(wasi: Wasi, fd: number): Descriptor | Errno {
  const file = wasi.descriptors.get(fd);
  if (file === undefined || file.type === "directory") return Errno.BADF;
  if (file.type === "stream") return Errno.INVAL;
  return (file.rights & Right.FD_WRITE) === 0 ? Errno.BADF : file;
}

export function fd_filestat_set_size(wasi: Wasi, fd: number, low: number, high: number): Errno {
  const file = writable(wasi, fd);
  if (typeof file === "number") return file;
  if (high < 0) return Errno.INVAL;
  return errnoOf(wasi.sys.truncate(file.low, file.high, low, high));
}

export function fd_allocate(
  wasi: Wasi,
  fd: number,
  offsetLow: number,
  offsetHigh: number,
  lengthLow: number,
  lengthHigh: number,
): Errno {
  const file = writable(wasi, fd);
  if (typeof file === "number") return file === Errno.INVAL ? Errno.SPIPE : file;
  const length = unsigned(lengthLow, lengthHigh);
  if (length === 0 || lengthHigh < 0 || offsetHigh < 0) return Errno.INVAL;
  const end = unsigned(offsetLow, offsetHigh) + length;
  if (end > MOST_OFFSET) return Errno.FBIG;
  const status = wasi.sizeOf(file);
  if (status !== Status.OK) return errnoOf(status);
  if (wasi.gate.wide(1) >= end) return Errno.SUCCESS;
  return errnoOf(wasi.sys.truncate(file.low, file.high, end | 0, highOf(end)));
}

export function fd_advise(
  wasi: Wasi,
  fd: number,
  _offsetLow: number,
  offsetHigh: number,
  _lengthLow: number,
  lengthHigh: number,
  advice: number,
): Errno {
  const file = wasi.descriptors.get(fd);
  if (file === undefined || file.type === "directory") return Errno.BADF;
  if (file.type === "stream") return Errno.SPIPE;
  return advice >>> 0 > MOST_ADVICE || offsetHigh < 0 || lengthHigh < 0 ? Errno.INVAL : Errno.SUCCESS;
}

export function fd_sync(wasi: Wasi, fd: number): Errno {
  const file = wasi.descriptors.get(fd);
  if (file === undefined) return Errno.BADF;
  return file.type === "stream" ? Errno.INVAL : errnoOf(wasi.sys.sync(file.low, file.high));
}

// ---- what is known of a descriptor

export function fd_fdstat_get(wasi: Wasi, fd: number, out: number): Errno {
  const at = wasi.check(out, FDSTAT_BYTES);
  const file = wasi.descriptors.get(fd);
  if (file === undefined) return Errno.BADF;
  const { bytes } = wasi;
  bytes.fill(0, at, at + FDSTAT_BYTES);
  bytes[at] = filetypeOf(wasi, file);
  store16(bytes, at + 2, file.flags);
  store32(bytes, at + 8, file.rights);
  store32(bytes, at + 16, file.inheriting);
  return Errno.SUCCESS;
}

function filetypeOf(wasi: Wasi, { type }: Descriptor): number {
  if (type === "file") return Filetype.REGULAR_FILE;
  if (type === "directory") return Filetype.DIRECTORY;
  return wasi.sys.interactive() === 1 ? Filetype.CHARACTER_DEVICE : Filetype.UNKNOWN;
}

export function fd_fdstat_set_flags(wasi: Wasi, fd: number, flags: number): Errno {
  const file = wasi.descriptors.get(fd);
  if (file === undefined) return Errno.BADF;
  if ((flags & ~ALL_FDFLAGS) !== 0) return Errno.INVAL;
  file.flags = flags;
  return Errno.SUCCESS;
}

export function fd_fdstat_set_rights(
  wasi: Wasi,
  fd: number,
  base: number,
  baseHigh: number,
  inheriting: number,
  inheritingHigh: number,
): Errno {
  const file = wasi.descriptors.get(fd);
  if (file === undefined) return Errno.BADF;
  const isMore = (base & ~file.rights) | (inheriting & ~file.inheriting) | baseHigh | inheritingHigh;
  if (isMore !== 0) return Errno.NOTCAPABLE;
  file.rights = base;
  file.inheriting = inheriting;
  return Errno.SUCCESS;
}

export function fd_filestat_get(wasi: Wasi, fd: number, out: number): Errno {
  const at = wasi.check(out, FILESTAT_BYTES);
  const file = wasi.descriptors.get(fd);
  if (file === undefined) return Errno.BADF;
  if (file.type === "stream") {
    const filetype = filetypeOf(wasi, file);
    wasi.bytes.fill(0, at, at + FILESTAT_BYTES);
    wasi.bytes[at + 16] = filetype;
    return Errno.SUCCESS;
  }
  if (!wasi.reach()) return Errno.NOMEM;
  wasi.sys.stat(file.low, file.high, wasi.low, wasi.high, 0, 0, 0);
  return answerStat(wasi, at);
}

/** Every file is on one device: `id` tells files of all file systems apart (spec FS-STAT-3). */
const DEVICE = 1;

/** The results of `fs.stat` as a filestat at `at`. */
export function answerStat({ gate, bytes }: Wasi, at: number): Errno {
  const { low, high } = gate;
  if (low[0] !== Status.OK) return errnoOf(low[0]!);
  const store = (offset: number, result: number): void => store64(bytes, at + offset, low[result]!, high[result]!);
  store64(bytes, at, DEVICE, 0);
  store(8, 3);
  store64(bytes, at + 16, FILETYPES[low[1]!]!, 0);
  store(24, 4);
  store(32, 2);
  store(40, 5);
  store(48, 6);
  store(56, 7);
  return Errno.SUCCESS;
}

/** Reads the flags and times of a call into `wasi.times`. */
export function takeTimes(
  wasi: Wasi,
  atimLow: number,
  atimHigh: number,
  mtimLow: number,
  mtimHigh: number,
  flags: number,
): Errno {
  const { ATIM, ATIM_NOW, MTIM, MTIM_NOW } = Fstflag;
  const has = (flag: number): boolean => (flags & flag) !== 0;
  if ((flags & ~ALL_FSTFLAGS) !== 0 || (has(ATIM) && has(ATIM_NOW)) || (has(MTIM) && has(MTIM_NOW))) return Errno.INVAL;
  const { times } = wasi;
  Object.assign(times, { flags: 0, atimLow, atimHigh, mtimLow, mtimHigh });
  if (has(ATIM | ATIM_NOW)) times.flags |= TimesFlag.ACCESSED;
  if (has(MTIM | MTIM_NOW)) times.flags |= TimesFlag.MODIFIED;
  if (!has(ATIM_NOW | MTIM_NOW)) return Errno.SUCCESS;
  const { gate, sys } = wasi;
  sys.clock(0);
  const [nowLow, nowHigh] = [gate.low[0]!, gate.high[0]!];
  if (has(ATIM_NOW)) Object.assign(times, { atimLow: nowLow, atimHigh: nowHigh });
  if (has(MTIM_NOW)) Object.assign(times, { mtimLow: nowLow, mtimHigh: nowHigh });
  return Errno.SUCCESS;
}

export function fd_filestat_set_times(
  wasi: Wasi,
  fd: number,
  atimLow: number,
  atimHigh: number,
  mtimLow: number,
  mtimHigh: number,
  flags: number,
): Errno {
  const file = wasi.descriptors.get(fd);
  if (file === undefined) return Errno.BADF;
  if (file.type === "stream") return Errno.INVAL;
  if (!wasi.reach()) return Errno.NOMEM;
  const refused = takeTimes(wasi, atimLow, atimHigh, mtimLow, mtimHigh, flags);
  return refused === Errno.SUCCESS ? setTimes(wasi, file, 0, 0, 0) : refused;
}

/** Sets `wasi.times` of a path at `at`, or of the descriptor when its length is 0. */
export function setTimes(
  { sys, low, high, times }: Wasi,
  file: Descriptor,
  at: number,
  length: number,
  flags: number,
): Errno {
  const { atimLow, atimHigh, mtimLow, mtimHigh } = times;
  return errnoOf(
    sys.set_times(
      ...[file.low, file.high, low, high, at, length, times.flags | flags],
      ...[atimLow, atimHigh, mtimLow, mtimHigh],
    ),
  );
}

// ---- preopened directories

export function fd_prestat_get(wasi: Wasi, fd: number, out: number): Errno {
  const at = wasi.check(out, PRESTAT_BYTES);
  const name = wasi.descriptors.get(fd)?.preopen;
  if (name === undefined) return Errno.BADF;
  // The tag of a directory is 0.
  store64(wasi.bytes, at, 0, name.length);
  return Errno.SUCCESS;
}

export function fd_prestat_dir_name(wasi: Wasi, fd: number, path: number, length: number): Errno {
  const at = wasi.check(path, length >>> 0);
  const name = wasi.descriptors.get(fd)?.preopen;
  if (name === undefined) return Errno.BADF;
  if (length >>> 0 < name.length) return Errno.NAMETOOLONG;
  wasi.bytes.set(name, at);
  return Errno.SUCCESS;
}

// ---- the table of descriptors

export function fd_close(wasi: Wasi, fd: number): Errno {
  const file = wasi.descriptors.get(fd);
  if (file === undefined) return Errno.BADF;
  const status = wasi.sys.close(file.low, file.high);
  wasi.descriptors.delete(fd);
  return errnoOf(status);
}

export function fd_renumber(wasi: Wasi, fd: number, to: number): Errno {
  const { descriptors } = wasi;
  const file = descriptors.get(fd);
  const replaced = descriptors.get(to);
  if (file === undefined || replaced === undefined) return Errno.BADF;
  if (file === replaced) return Errno.SUCCESS;
  const status = wasi.sys.close(replaced.low, replaced.high);
  descriptors.set(to, file);
  descriptors.delete(fd);
  return errnoOf(status);
}

// ---- listing

/** Cookies of a listing: 0 is `.`, 1 `..`, and 2 more than those of `fs.list` the names. */
const DOTS = 2;

export function fd_readdir(
  wasi: Wasi,
  fd: number,
  buffer: number,
  length: number,
  cookieLow: number,
  cookieHigh: number,
  out: number,
): Errno {
  const start = wasi.check(buffer, length >>> 0);
  const end = start + (length >>> 0);
  const usedAt = wasi.check(out, 4);
  const directory = wasi.descriptors.get(fd);
  if (directory === undefined) return Errno.BADF;
  if (directory.type !== "directory") return Errno.NOTDIR;
  // The object is there: without it no directory was opened.
  let cookie = unsigned(cookieLow, cookieHigh);
  if (cookie > MOST_OFFSET) return Errno.INVAL;
  // All is listed before anything is put: a program takes few bytes for the end, and would never hear of an error behind them.
  const dots = [DOT, DOT_DOT].slice(cookie);
  const room = end - start - dots.reduce((sum, { length: bytes }) => sum + DIRENT_BYTES + bytes, 0);
  const listed = recordsFrom(wasi, directory, Math.max(cookie - DOTS, 0), room);
  if (typeof listed === "number") return listed;
  let at = start;
  for (const name of dots) {
    if (at === end) break;
    // The directory itself; of the one above nothing is known. Whether the handle is still live shows before anything is put.
    if (at === start) statName(wasi, directory, 0);
    at = putEntry(wasi, at, end, ++cookie, name === DOT, Filetype.DIRECTORY, name);
  }
  for (const records of listed)
    for (let record = 0; record < records.length && at < end; ) {
      const name = records.subarray(record + 2, record + 2 + records[record + 1]!);
      wasi.scratch(name.length).set(name);
      statName(wasi, directory, name.length);
      at = putEntry(wasi, at, end, ++cookie, true, FILETYPES[records[record]!]!, name);
      record += 2 + name.length;
    }
  store32(wasi.bytes, usedAt, at - start);
  return Errno.SUCCESS;
}

/** Records of `fs.list` (spec FS-LIST-2) from `cookie` on whose entries fill `room` bytes, or all that there are; or why not. */
function recordsFrom(wasi: Wasi, { low, high }: Descriptor, cookie: number, room: number): Uint8Array[] | Errno {
  const { sys, gate, scratchLow, scratchHigh } = wasi;
  const listed: Uint8Array[] = [];
  let next = cookie;
  let left = room;
  for (let isEnd = false; !isEnd && left > 0; ) {
    sys.list(low, high, next | 0, highOf(next), scratchLow, scratchHigh, 0, SCRATCH_BYTES);
    if (gate.low[0] !== Status.OK) return errnoOf(gate.low[0]!);
    isEnd = gate.low[2] === 1;
    const records = wasi.scratch(gate.low[1]!).slice();
    listed.push(records);
    for (let record = 0; record < records.length; record += 2 + records[record + 1]!) {
      next++;
      left -= DIRENT_BYTES + records[record + 1]!;
    }
  }
  return listed;
}

const DOT = Uint8Array.of(0x2e);
const DOT_DOT = Uint8Array.of(0x2e, 0x2e);

/** Asks for what the name of so many bytes in the scratch object stands for, or the directory itself without one. */
function statName({ sys, scratchLow, scratchHigh }: Wasi, { low, high }: Descriptor, length: number): void {
  sys.stat(low, high, scratchLow, scratchHigh, 0, length, OpenFlag.NOFOLLOW);
}

/**
 * Puts an entry at `at`, as much as `end` leaves room for; where the next one goes. Its number is what was just asked
 * for, 0 where that failed or nothing was asked.
 */
function putEntry(
  { gate, bytes }: Wasi,
  at: number,
  end: number,
  next: number,
  isKnown: boolean,
  filetype: number,
  name: Uint8Array,
): number {
  const known = isKnown && gate.low[0] === Status.OK;
  ENTRY.fill(0);
  storeNumber(ENTRY, 0, next);
  if (known) store64(ENTRY, 8, gate.low[3]!, gate.high[3]!);
  store32(ENTRY, 16, name.length);
  ENTRY[20] = filetype;
  ENTRY.set(name, DIRENT_BYTES);
  const length = Math.min(DIRENT_BYTES + name.length, end - at);
  bytes.set(ENTRY.subarray(0, length), at);
  return at + length;
}

const ENTRY = new Uint8Array(DIRENT_BYTES + 255);
