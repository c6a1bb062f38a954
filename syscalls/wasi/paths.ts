/** The functions on paths, `path_*` (spec WASI-PATH). Each answers an errno; pointers are checked first of all. */
import { Status } from "../status.ts";
import { OpenFlag } from "../table.ts";
import { ALL_FDFLAGS, ALL_OFLAGS, FILESTAT_BYTES, Oflag, Right, SYMLINK_FOLLOW } from "./constants.ts";
import type { Descriptor } from "./descriptors.ts";
import { Errno, errnoOf } from "./errno.ts";
import { answerStat, setTimes, takeTimes } from "./files.ts";
import { store32, type Wasi } from "./wasi.ts";

/** The directory of a descriptor, or why there is none. */
function directoryOf(wasi: Wasi, fd: number): Descriptor | Errno {
  const directory = wasi.descriptors.get(fd);
  if (directory === undefined) return Errno.BADF;
  return directory.type === "directory" ? directory : Errno.NOTDIR;
}

/** The directory that a path of `length` bytes begins at, or why it cannot be one; reaches the program's memory. */
function base(wasi: Wasi, fd: number, length: number): Descriptor | Errno {
  const directory = directoryOf(wasi, fd);
  if (typeof directory === "number") return directory;
  // `fs` would take it for the directory itself.
  if (length === 0) return Errno.NOENT;
  return wasi.reach() ? directory : Errno.NOMEM;
}

/** Makes a call with one path and no result but its status. */
function change(wasi: Wasi, name: "mkdir" | "rmdir" | "unlink", fd: number, path: number, length: number): Errno {
  wasi.check(path, length >>> 0);
  const directory = base(wasi, fd, length);
  if (typeof directory === "number") return directory;
  return errnoOf(wasi.sys[name](directory.low, directory.high, wasi.low, wasi.high, path, length));
}

export function path_create_directory(wasi: Wasi, fd: number, path: number, length: number): Errno {
  return change(wasi, "mkdir", fd, path, length);
}

export function path_remove_directory(wasi: Wasi, fd: number, path: number, length: number): Errno {
  return change(wasi, "rmdir", fd, path, length);
}

export function path_unlink_file(wasi: Wasi, fd: number, path: number, length: number): Errno {
  return change(wasi, "unlink", fd, path, length);
}

/** Makes a call with two paths. */
function changeTwo(
  wasi: Wasi,
  name: "rename" | "link",
  fd: number,
  path: number,
  length: number,
  newFd: number,
  newPath: number,
  newLength: number,
  flags = 0,
): Errno {
  wasi.check(path, length >>> 0);
  wasi.check(newPath, newLength >>> 0);
  const from = directoryOf(wasi, fd);
  if (typeof from === "number") return from;
  const to = base(wasi, newFd, Math.min(length >>> 0, newLength >>> 0));
  if (typeof to === "number") return to;
  // A link to what a symbolic link leads to cannot be made (spec FS-NAME-6).
  if (flags !== 0) return Errno.INVAL;
  const { sys, low, high } = wasi;
  const first = [from.low, from.high, low, high, path, length];
  return errnoOf(sys[name](...first, to.low, to.high, low, high, newPath, newLength));
}

export function path_rename(
  wasi: Wasi,
  fd: number,
  path: number,
  length: number,
  newFd: number,
  newPath: number,
  newLength: number,
): Errno {
  return changeTwo(wasi, "rename", fd, path, length, newFd, newPath, newLength);
}

export function path_link(
  wasi: Wasi,
  fd: number,
  flags: number,
  path: number,
  length: number,
  newFd: number,
  newPath: number,
  newLength: number,
): Errno {
  return changeTwo(wasi, "link", fd, path, length, newFd, newPath, newLength, flags);
}

export function path_symlink(
  wasi: Wasi,
  target: number,
  targetLength: number,
  fd: number,
  path: number,
  length: number,
): Errno {
  wasi.check(target, targetLength >>> 0);
  wasi.check(path, length >>> 0);
  const directory = base(wasi, fd, Math.min(targetLength >>> 0, length >>> 0));
  if (typeof directory === "number") return directory;
  const { sys, low, high } = wasi;
  const link = [directory.low, directory.high, low, high, path, length];
  return errnoOf(sys.symlink(low, high, target, targetLength, ...link));
}

export function path_readlink(
  wasi: Wasi,
  fd: number,
  path: number,
  length: number,
  buffer: number,
  bufferLength: number,
  out: number,
): Errno {
  wasi.check(path, length >>> 0);
  wasi.check(buffer, bufferLength >>> 0);
  const at = wasi.check(out, 4);
  const directory = base(wasi, fd, length);
  if (typeof directory === "number") return directory;
  const { sys, gate, low, high } = wasi;
  sys.readlink(directory.low, directory.high, low, high, path, length, low, high, buffer, bufferLength);
  if (gate.low[0] === Status.OK) store32(wasi.bytes, at, gate.low[1]!);
  return errnoOf(gate.low[0]!);
}

/** The flag of `fs` for flags of a lookup; undefined for others than are known. */
function lookup(flags: number): number | undefined {
  if ((flags & ~SYMLINK_FOLLOW) !== 0) return undefined;
  return flags === SYMLINK_FOLLOW ? 0 : OpenFlag.NOFOLLOW;
}

export function path_filestat_get(
  wasi: Wasi,
  fd: number,
  flags: number,
  path: number,
  length: number,
  out: number,
): Errno {
  wasi.check(path, length >>> 0);
  const at = wasi.check(out, FILESTAT_BYTES);
  const directory = base(wasi, fd, length);
  if (typeof directory === "number") return directory;
  const nofollow = lookup(flags);
  if (nofollow === undefined) return Errno.INVAL;
  wasi.sys.stat(directory.low, directory.high, wasi.low, wasi.high, path, length, nofollow);
  return answerStat(wasi, at);
}

export function path_filestat_set_times(
  wasi: Wasi,
  fd: number,
  flags: number,
  path: number,
  length: number,
  atimLow: number,
  atimHigh: number,
  mtimLow: number,
  mtimHigh: number,
  which: number,
): Errno {
  wasi.check(path, length >>> 0);
  const directory = base(wasi, fd, length);
  if (typeof directory === "number") return directory;
  const nofollow = lookup(flags);
  if (nofollow === undefined) return Errno.INVAL;
  const refused = takeTimes(wasi, atimLow, atimHigh, mtimLow, mtimHigh, which);
  return refused === Errno.SUCCESS ? setTimes(wasi, directory, path, length, nofollow) : refused;
}

export function path_open(
  wasi: Wasi,
  fd: number,
  flags: number,
  path: number,
  length: number,
  oflags: number,
  rights: number,
  _rightsHigh: number,
  _inheriting: number,
  _inheritingHigh: number,
  fdflags: number,
  out: number,
): Errno {
  wasi.check(path, length >>> 0);
  const at = wasi.check(out, 4);
  const directory = base(wasi, fd, length);
  if (typeof directory === "number") return directory;
  const nofollow = lookup(flags);
  if (nofollow === undefined || (oflags & ~ALL_OFLAGS) !== 0 || (fdflags & ~ALL_FDFLAGS) !== 0) return Errno.INVAL;
  const mode = rights & (Right.FD_READ | Right.FD_WRITE);
  const { gate } = wasi;
  const open = (openFlags: number): number => {
    wasi.sys.open(directory.low, directory.high, wasi.low, wasi.high, path, length, openFlags | nofollow);
    return gate.low[0]!;
  };
  const [status, type] = openAs(wasi, open, oflags, mode);
  if (status !== Status.OK) return errnoOf(status);
  const made = wasi.made(type, 1);
  made.flags = fdflags;
  // What was not asked for is not there; the other rights do not matter (spec WASI-RIGHTS-1).
  if (type === "file") made.rights &= ~(Right.FD_READ | Right.FD_WRITE) | mode;
  const number = wasi.descriptors.add(made);
  store32(wasi.bytes, at, number);
  return Errno.SUCCESS;
}

const CHANGES = Oflag.CREAT | Oflag.TRUNC;

/** Opens with the flags of `fs` that come nearest to what POSIX would open (spec WASI-PATH-4). */
function openAs(
  { sys, gate }: Wasi,
  open: (flags: number) => number,
  oflags: number,
  mode: number,
): [status: number, type: "file" | "directory"] {
  const writes = (mode & Right.FD_WRITE) !== 0;
  if ((oflags & Oflag.DIRECTORY) !== 0) {
    if ((oflags & CHANGES) !== 0) return [Status.INVALID, "directory"];
    const status = open(OpenFlag.READ | OpenFlag.DIRECTORY);
    if (status !== Status.OK || !writes) return [status, "directory"];
    // There is no other way to learn that it could have been opened.
    sys.close(gate.low[1]!, gate.high[1]!);
    return [Status.IS_DIRECTORY, "directory"];
  }
  // `fs` makes and empties files that it opens for writing; and without a mode there must be one.
  let flags = writes ? OpenFlag.WRITE : OpenFlag.READ;
  if ((mode & Right.FD_READ) !== 0) flags |= OpenFlag.READ;
  if ((oflags & CHANGES) === 0) {
    const status = open(flags);
    if (status !== Status.IS_DIRECTORY || writes) return [status, "file"];
    return [open(OpenFlag.READ | OpenFlag.DIRECTORY), "directory"];
  }
  if (oflags === Oflag.CREAT && !writes) {
    // One that is there need not be writable.
    const status = open(flags);
    if (status !== Status.NOT_FOUND) return [status, "file"];
  }
  flags |= OpenFlag.WRITE;
  if ((oflags & Oflag.TRUNC) !== 0) flags |= OpenFlag.TRUNCATE;
  if ((oflags & Oflag.CREAT) !== 0) flags |= OpenFlag.CREATE;
  if ((oflags & (Oflag.CREAT | Oflag.EXCL)) === (Oflag.CREAT | Oflag.EXCL)) flags |= OpenFlag.EXCLUSIVE;
  return [open(flags), "file"];
}
