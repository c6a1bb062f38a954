/**
 * The file system `directory` (spec FS-DIRECTORY): a real folder, confined. Paths are walked component by component
 * with lstat, links expanded by hand, so that nothing outside the folder is ever named.
 *
 * Where the kernel tells what an open handle stands for (Linux, `/proc/self/fd`), files are opened relative to the handle
 * of their checked folder: what openat2 does, and nothing can be swapped in between. Elsewhere device and inode are
 * compared after the open; spec FS-DIRECTORY-7 says what that cannot guarantee.
 */
import nodeFs from "node:fs";
import { Status } from "../../syscalls/status.ts";
import { OpenFlag } from "../../syscalls/table.ts";
import { errnoOf, type FsCall, statusOf } from "./errno.ts";
import {
  type Entry,
  type EntryKind,
  type FileSystem,
  GrantError,
  type OpenDirectory,
  type OpenFile,
} from "./file-system.ts";

/** The part of `node:fs` that is used; memfs has it too. */
export interface Volume {
  readonly constants: VolumeConstants;
  openSync(path: string, flags: number, mode?: number): number;
  closeSync(fd: number): void;
  readSync(fd: number, buffer: Uint8Array, offset: number, length: number, position: number): number;
  writeSync(fd: number, buffer: Uint8Array, offset: number, length: number, position: number | null): number;
  ftruncateSync(fd: number, length: number): void;
  fstatSync(fd: number, options: { bigint: true }): VolumeStats;
  lstatSync(path: string, options: { bigint: true }): VolumeStats;
  readlinkSync(path: string): string;
  realpathSync(path: string): string;
  readdirSync(path: string, options: { encoding: "buffer"; withFileTypes: true }): readonly VolumeEntry[];
}
export interface VolumeConstants {
  readonly O_RDONLY: number;
  readonly O_WRONLY: number;
  readonly O_RDWR: number;
  readonly O_CREAT: number;
  readonly O_EXCL: number;
  readonly O_APPEND: number;
  /** Absent where the platform has none. */
  readonly O_NOFOLLOW?: number;
  readonly O_NONBLOCK?: number;
  readonly O_NOCTTY?: number;
  readonly O_DIRECTORY?: number;
}
interface NodeKind {
  isFile(): boolean;
  isDirectory(): boolean;
  isSymbolicLink(): boolean;
}
export interface VolumeStats extends NodeKind {
  readonly dev: bigint;
  readonly ino: bigint;
  readonly size: bigint;
}
export interface VolumeEntry extends NodeKind {
  readonly name: Uint8Array;
}

/** Symbolic links followed in one path (spec FS-DIRECTORY-3). */
const MAX_LINKS = 40;
/** Opens tried again because the folder changed meanwhile; then TRANSIENT. */
const ATTEMPTS = 4;
/** Largest read buffer that is kept, in bytes. */
const KEPT_SCRATCH = 1024 * 1024 + 1;
/** Linux's O_PATH, which Node.js does not name: a handle for folders that may be searched but not read. */
const O_PATH = 0x20_0000;
/** The mode a new file gets, less the process's umask. */
const FILE_MODE = 0o666;

/** What a walk found: a node, or where a new file would go. */
interface Found {
  /** Folder below the root, a component an element, no link among them. */
  readonly folder: readonly string[];
  /** Name in the folder; undefined: the folder itself is meant. */
  readonly name: string | undefined;
  /** Undefined: nothing has the name. */
  readonly stats: VolumeStats | undefined;
}

/** The folder changed between check and use: walk again. */
const RETRY = "retry";
type Attempt<Node> = Node | Status | typeof RETRY;

export interface DirectoryOptions {
  /** Instead of `node:fs`. */
  readonly volume?: Volume;
  /** As `process.platform`: whose rules names must obey, and whether there can be a `/proc`. For tests. */
  readonly platform?: string;
}

/** The folder `root` of the host as a file system. Throws a GrantError when it is no folder. */
export function directoryFileSystem(root: string, options: DirectoryOptions = {}): FileSystem {
  const volume = options.volume ?? (nodeFs as unknown as Volume);
  const platform = options.platform ?? process.platform;
  const windows = platform === "win32";
  const { constants } = volume;
  const realRoot = findRoot(volume, root);
  const prefix = realRoot.endsWith("/") ? realRoot.slice(0, -1) : realRoot;
  const anchored = platform === "linux" && knowsWhere(volume, realRoot);
  const guard = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);
  const folderFlags = constants.O_RDONLY | (constants.O_DIRECTORY ?? 0);
  const scratch = createScratch();

  const pathOf = (folder: readonly string[]): string =>
    folder.length === 0 ? realRoot : `${prefix}/${folder.join("/")}`;

  /** The stats of a path, or the status of why there are none. */
  function lstat(path: string): VolumeStats | Status {
    try {
      return volume.lstatSync(path, { bigint: true });
    } catch (error) {
      return statusOf(error, "open");
    }
  }

  function walk(path: readonly string[], flags: number): Found | Status {
    const pending = path.slice().reverse();
    const folder: string[] = [];
    let links = 0;
    let found: Found = { folder, name: undefined, stats: undefined };
    while (pending.length > 0) {
      const name = pending.pop()!;
      if (found.name !== undefined) return found.stats === undefined ? Status.NOT_FOUND : Status.NOT_DIRECTORY;
      if (name === "" || name === ".") continue;
      if (name === "..") {
        // Only the target of a link has it. The folder holds no link, so its parent is the real one.
        if (folder.pop() === undefined) return Status.ACCESS;
        continue;
      }
      if (windows && isReserved(name)) return Status.ACCESS;
      const at = pathOf([...folder, name]);
      const stats = lstat(at);
      if (stats === Status.NOT_FOUND) found = { folder, name, stats: undefined };
      else if (typeof stats === "number") return stats;
      else if (stats.isDirectory()) folder.push(name);
      else if (!stats.isSymbolicLink()) found = { folder, name, stats };
      else {
        if (pending.length === 0 && (flags & OpenFlag.EXCLUSIVE) !== 0) return Status.EXISTS;
        if (pending.length === 0 && (flags & OpenFlag.NOFOLLOW) !== 0) return Status.LOOP;
        if (++links > MAX_LINKS) return Status.LOOP;
        const target = readLink(volume, at);
        if (typeof target === "number") return target;
        if (target.startsWith("/") || (windows && /^[a-z]:|^\\/i.test(target))) return Status.ACCESS;
        pending.push(...target.split(windows ? /[\\/]/ : "/").reverse());
      }
    }
    return found;
  }

  /** Runs `use` with the path by which a name in a checked folder is reached: through the folder's handle, or by name. */
  function within<T>(folder: readonly string[], use: (base: string) => T): T | typeof RETRY {
    const path = pathOf(folder);
    if (!anchored) return use(path === "/" ? "" : path);
    const fd = volume.openSync(path, folderFlags | O_PATH);
    try {
      const base = `/proc/self/fd/${fd}`;
      return volume.readlinkSync(base) === path ? use(base) : RETRY;
    } finally {
      volume.closeSync(fd);
    }
  }

  function attempt(path: readonly string[], flags: number): Attempt<OpenFile | OpenDirectory> {
    const found = walk(path, flags);
    if (typeof found === "number") return found;
    const { folder, name, stats } = found;
    if (name === undefined) {
      if ((flags & OpenFlag.EXCLUSIVE) !== 0) return Status.EXISTS;
      return (flags & OpenFlag.DIRECTORY) === 0 ? Status.IS_DIRECTORY : openFolder(path, folder);
    }
    if (stats === undefined) {
      if ((flags & OpenFlag.CREATE) === 0) return Status.NOT_FOUND;
    } else {
      if ((flags & OpenFlag.EXCLUSIVE) !== 0) return Status.EXISTS;
      if ((flags & OpenFlag.DIRECTORY) !== 0) return Status.NOT_DIRECTORY;
      if (!stats.isFile()) return Status.SPECIAL_FILE;
    }
    try {
      const again = (): Found | Status => walk(path, flags & ~OpenFlag.EXCLUSIVE);
      return within(folder, (base) => openRegular(`${base}/${name}`, stats === undefined, flags, again));
    } catch (error) {
      // Between the walk and the open: the name vanished, came into being, or became a link or a folder.
      const errno = errnoOf(error);
      const changed = stats === undefined ? errno === "EEXIST" : errno === "ENOENT" || errno === "EISDIR";
      if (errno === "ELOOP" || errno === "ENOTDIR" || changed) return RETRY;
      return statusOf(error, "open");
    }
  }

  /** Opens the regular file at `at`; `again` walks to it once more, for hosts that cannot tell where a handle leads. */
  function openRegular(at: string, create: boolean, flags: number, again: () => Found | Status): Attempt<OpenFile> {
    const mode =
      ((flags & OpenFlag.APPEND) !== 0 ? constants.O_APPEND : 0) | (create ? constants.O_CREAT | constants.O_EXCL : 0);
    const fd = openFor(flags, (access) => volume.openSync(at, access | mode | guard, FILE_MODE));
    try {
      const stats = volume.fstatSync(fd, { bigint: true });
      if (!stats.isFile() || (!anchored && !leadsTo(again(), stats))) {
        volume.closeSync(fd);
        return stats.isFile() || stats.isDirectory() ? RETRY : Status.SPECIAL_FILE;
      }
      if ((flags & OpenFlag.TRUNCATE) !== 0 && stats.size > 0n) volume.ftruncateSync(fd, 0);
    } catch (error) {
      volume.closeSync(fd);
      throw error;
    }
    return openFile(volume, fd, scratch);
  }

  /** A file to write is opened to read too where that is allowed, so that a snapshot can tell its contents. */
  function openFor(flags: number, open: (access: number) => number): number {
    if ((flags & OpenFlag.WRITE) === 0) return open(constants.O_RDONLY);
    try {
      return open(constants.O_RDWR);
    } catch (error) {
      if ((flags & OpenFlag.READ) !== 0 || errnoOf(error) !== "EACCES") throw error;
      return open(constants.O_WRONLY);
    }
  }

  function openFolder(path: readonly string[], folder: readonly string[]): Attempt<OpenDirectory> {
    const at = pathOf(folder);
    try {
      if (!anchored) return openByInode(path, at);
      const fd = volume.openSync(at, folderFlags);
      let there = false;
      try {
        there = volume.readlinkSync(`/proc/self/fd/${fd}`) === at;
      } finally {
        if (!there) volume.closeSync(fd);
      }
      return there ? openByHandle(volume, fd) : RETRY;
    } catch (error) {
      const changed = ["ENOENT", "ENOTDIR", "ELOOP"].includes(errnoOf(error) ?? "");
      // The granted folder itself has no name below it that could have changed: it is gone.
      return changed && folder.length > 0 ? RETRY : statusOf(error, "open");
    }
  }

  /** A folder known by its inode: listed only while the path still leads to it, before and after. */
  function openByInode(path: readonly string[], at: string): OpenDirectory | typeof RETRY {
    const expected = volume.lstatSync(at, { bigint: true });
    const isThere = (): boolean => {
      const found = walk(path, OpenFlag.DIRECTORY);
      if (typeof found === "number" || found.name !== undefined || pathOf(found.folder) !== at) return false;
      const stats = lstat(at);
      return typeof stats === "object" && stats.isDirectory() && isSame(stats, expected);
    };
    if (!isThere()) return RETRY;
    return {
      kind: "directory",
      list: () => {
        if (!isThere()) return Status.NOT_FOUND;
        const entries = readFolder(volume, at);
        return isThere() ? entries : Status.NOT_FOUND;
      },
      close: () => Status.OK,
    };
  }

  return {
    capabilities: { writable: true, symlinks: true },
    open(path, flags) {
      for (let k = 0; k < ATTEMPTS; k++) {
        const node = attempt(path, flags);
        if (node !== RETRY) return node;
      }
      return Status.TRANSIENT;
    },
  };
}

function isSame(left: VolumeStats, right: VolumeStats): boolean {
  return left.dev === right.dev && left.ino === right.ino;
}

/** True when a walk found the file with these stats. */
function leadsTo(found: Found | Status, stats: VolumeStats): boolean {
  return typeof found === "object" && found.stats !== undefined && isSame(found.stats, stats);
}

function findRoot(volume: Volume, root: string): string {
  try {
    const real = volume.realpathSync(root);
    if (volume.lstatSync(real, { bigint: true }).isDirectory()) return real;
  } catch (error) {
    const errno = errnoOf(error);
    throw new GrantError(
      errno === "ENOENT" ? `there is no folder ${root}` : `the folder ${root} cannot be opened (${errno ?? error})`,
    );
  }
  throw new GrantError(`${root} is not a folder`);
}

/** True when the kernel says where an open handle is. */
function knowsWhere(volume: Volume, folder: string): boolean {
  try {
    const fd = volume.openSync(folder, O_PATH);
    try {
      return volume.readlinkSync(`/proc/self/fd/${fd}`) === folder;
    } finally {
      volume.closeSync(fd);
    }
  } catch {
    return false;
  }
}

function readLink(volume: Volume, path: string): string | Status {
  try {
    return volume.readlinkSync(path);
  } catch (error) {
    return statusOf(error, "open");
  }
}

/** Names that on Windows mean a device, a stream, or another name (spec FS-DIRECTORY-6). */
function isReserved(name: string): boolean {
  return (
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
    /[\u0000-\u001f<>:"\\|?*]|[. ]$/.test(name) ||
    /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(\.|$)/i.test(name)
  );
}

/** A buffer to read into, at least `length` bytes long; kept from call to call unless it is large. */
function createScratch(): (length: number) => Uint8Array {
  let kept = new Uint8Array(0);
  return (length) => {
    if (length <= kept.length) return kept;
    if (length > KEPT_SCRATCH) return new Uint8Array(length);
    kept = new Uint8Array(length > 65_537 ? KEPT_SCRATCH : 65_537);
    return kept;
  };
}

function openFile(volume: Volume, fd: number, scratch: (length: number) => Uint8Array): OpenFile {
  const attempt = (call: FsCall, operation: () => void): Status => {
    try {
      operation();
      return Status.OK;
    } catch (error) {
      return statusOf(error, call);
    }
  };
  const size = (): number => Number(volume.fstatSync(fd, { bigint: true }).size);

  return {
    kind: "file",
    read: (position, into, transfer) =>
      attempt("read", () => {
        // One byte more than asked for tells whether this is the end. A read that fails half-way leaves `into` alone.
        const wanted = into.length + 1;
        const buffer = scratch(wanted);
        let got = 0;
        while (got < wanted) {
          const more = volume.readSync(fd, buffer, got, wanted - got, position + got);
          if (more === 0) break;
          got += more;
        }
        transfer.bytes = Math.min(got, into.length);
        transfer.eof = got < wanted;
        into.set(buffer.subarray(0, transfer.bytes));
      }),
    write: (position, from) =>
      attempt("write", () => {
        const oldSize = size();
        let done = 0;
        try {
          while (done < from.length) {
            const more = volume.writeSync(fd, from, done, from.length - done, position < 0 ? null : position + done);
            if (more === 0) throw new Error("the host wrote nothing and gave no reason");
            done += more;
          }
        } catch (error) {
          if (done > 0 && size() > oldSize) volume.ftruncateSync(fd, oldSize);
          throw error;
        }
      }),
    size: (transfer) =>
      attempt("size", () => {
        transfer.bytes = size();
      }),
    close: () => attempt("close", () => volume.closeSync(fd)),
  };
}

/** A folder held open: what is listed is that folder, wherever it is moved. */
function openByHandle(volume: Volume, fd: number): OpenDirectory {
  return {
    kind: "directory",
    list: () => readFolder(volume, `/proc/self/fd/${fd}`),
    close: () => {
      try {
        volume.closeSync(fd);
        return Status.OK;
      } catch (error) {
        return statusOf(error, "close");
      }
    },
  };
}

function readFolder(volume: Volume, path: string): readonly Entry[] | Status {
  try {
    return volume
      .readdirSync(path, { encoding: "buffer", withFileTypes: true })
      .map((entry): Entry => ({ name: entry.name, kind: kindOf(entry) }));
  } catch (error) {
    return statusOf(error, "list");
  }
}

function kindOf(entry: NodeKind): EntryKind {
  if (entry.isFile()) return "file";
  if (entry.isDirectory()) return "directory";
  return entry.isSymbolicLink() ? "symlink" : "other";
}
