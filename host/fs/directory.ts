/**
 * The file system `directory` (spec FS-DIRECTORY): a real folder, confined. It is asked about one name in one folder at a
 * time and follows no link, so that nothing outside the folder is ever named.
 *
 * Where the kernel tells what an open handle stands for (Linux, `/proc/self/fd`), every name is reached through a handle
 * of its folder (`anchor.ts`), and nothing can be swapped in between. Elsewhere the folders on the way are looked at, by
 * device and inode, before and after; spec FS-DIRECTORY-7 says what that cannot guarantee.
 */
import { Status } from "../../syscalls/status.ts";
import { OpenFlag } from "../../syscalls/table.ts";
import { decodeUtf8 } from "../../vm/utf8.ts";
import { anchor, knowsWhere, pathOfHandle, type RealFolder } from "./anchor.ts";
import { errnoOf, statusOf } from "./errno.ts";
import {
  type Entry,
  type FileSystem,
  type Folder,
  type Found,
  GrantError,
  type OpenDirectory,
  type OpenFile,
  type Outcome,
  RETRY,
} from "./file-system.ts";
import { Identities } from "./identities.ts";
import { attempt, empty, openFile, openNode } from "./open-node.ts";
import {
  HOST_VOLUME,
  isSame,
  kindOf,
  leadsTo,
  look,
  lookOnce,
  statOf,
  timesOf,
  type Volume,
  type VolumeStats,
} from "./volume.ts";

export type { Volume } from "./volume.ts";

/** Modes of what is made, less the process's umask. */
const FILE_MODE = 0o666;
const FOLDER_MODE = 0o777;
/** The bits of a mode that say who may read, write and execute. */
const PERMISSIONS = 0o777n;
/** Longest file of a volume in memory, in bytes: what would be asked of it beyond could end the process. */
const LARGEST_IN_MEMORY = 2 ** 31;
/** Looks at where an open folder is, while it is moved about. */
const ATTEMPTS = 4;

/** What a host says when the tree is not as it was looked up a moment ago. */
const CHANGED = new Set(["ENOENT", "ENOTDIR", "ELOOP", "EEXIST", "EISDIR"]);

/** A folder, and on hosts that cannot tell where a handle is, what it was when it was looked up. */
interface SeenFolder extends RealFolder {
  readonly parent: SeenFolder | undefined;
  readonly stats: Pick<VolumeStats, "dev" | "ino"> | undefined;
}

export interface DirectoryOptions {
  /** Instead of `node:fs`. */
  readonly volume?: Volume;
  /** As `process.platform`: whose rules names must obey, and whether there can be a `/proc`. For tests. */
  readonly platform?: string;
}

/** The folder `root` of the host as a file system. Throws a GrantError when it is no folder. */
export function directoryFileSystem(root: string, options: DirectoryOptions = {}): FileSystem {
  const volume = options.volume ?? HOST_VOLUME;
  const platform = options.platform ?? process.platform;
  const windows = platform === "win32";
  const { constants } = volume;
  const top: SeenFolder = { parent: undefined, name: "", path: findRoot(volume, root), stats: undefined };
  const anchored = platform === "linux" && knowsWhere(volume, top.path);
  /** False for a volume in memory, whose `rename` follows links and loses count of what it replaces. */
  const native = constants === HOST_VOLUME.constants;
  const largest = native ? Number.MAX_SAFE_INTEGER : LARGEST_IN_MEMORY;
  const identities = new Identities();
  const guard = (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);
  const folderFlags = constants.O_RDONLY | (constants.O_DIRECTORY ?? 0);

  /** The path by which names in the folder are reached; RETRY when it is not where it was, by inode as `isThere` has it. */
  function enter(folder: SeenFolder, isThere: (folder: SeenFolder) => boolean): string | typeof RETRY {
    if (!anchored) return isThere(folder) ? folder.path : RETRY;
    const fd = anchor(volume, folder);
    return fd === RETRY ? RETRY : pathOfHandle(fd);
  }

  /** True when the path still leads to the folder. */
  function isSeen({ path, stats }: SeenFolder): boolean {
    const now = look(volume, path);
    return now?.isDirectory() === true && (stats === undefined || isSame(now, stats));
  }

  /** True when it still does through the folders it led through. */
  function isReached(folder: SeenFolder): boolean {
    for (let at: SeenFolder | undefined = folder; at !== undefined; at = at.parent) if (!isSeen(at)) return false;
    return true;
  }

  /** Does something with the folder, reached by the path it is given, for the call `fs.CALL`. */
  function inside<T>(
    call: string,
    folder: SeenFolder,
    operation: (base: string) => T | Outcome,
    isThere = isReached,
  ): T | Outcome {
    let base: string | typeof RETRY;
    try {
      base = enter(folder, isThere);
    } catch (error) {
      if (!CHANGED.has(errnoOf(error) ?? "")) return statusOf(error, call);
      base = RETRY;
    }
    // The granted folder itself has no name that could have changed: it is gone.
    if (base === RETRY) return folder.parent === undefined ? Status.NOT_FOUND : RETRY;
    try {
      return operation(base);
    } catch (error) {
      return failure(error, call);
    }
  }

  /** Does something with a name in the folder. */
  function within<T>(
    call: string,
    folder: Folder,
    name: string,
    operation: (at: string) => T | Outcome,
    isThere = isReached,
  ): T | Outcome {
    if (windows && isReserved(name)) return Status.ACCESS;
    return inside(call, folder as SeenFolder, (base) => operation(join(base, name)), isThere);
  }

  /** Does something with two names. */
  function withinBoth(
    call: string,
    [folder, name]: readonly [Folder, string],
    [newFolder, newName]: readonly [Folder, string],
    operation: (from: string, to: string) => Outcome,
  ): Outcome {
    return within(call, folder, name, (from) =>
      within(call, newFolder, newName, (to) => {
        // The way into the second folder may have shown that the first is elsewhere, and given its handle up.
        const base = enter(folder as SeenFolder, isReached);
        return base !== RETRY && join(base, name) === from ? operation(from, to) : RETRY;
      }),
    );
  }

  /** A file to write is opened to read too where that is allowed, so that a snapshot can tell its contents. */
  function openFor(flags: number, open: (access: number) => number): number {
    const rest = guard | ((flags & OpenFlag.APPEND) !== 0 ? constants.O_APPEND : 0);
    if ((flags & OpenFlag.WRITE) === 0) return open(constants.O_RDONLY | rest);
    try {
      return open(constants.O_RDWR | rest);
    } catch (error) {
      if ((flags & OpenFlag.READ) !== 0 || errnoOf(error) !== "EACCES") throw error;
      return open(constants.O_WRONLY | rest);
    }
  }

  /** What `use` makes of a handle, which is closed unless that is a node. */
  function keep<Node extends OpenFile | OpenDirectory>(fd: number, use: () => Node | Outcome): Node | Outcome {
    let node: Node | Outcome = Status.OTHER;
    try {
      node = use();
      return node;
    } finally {
      if (typeof node === "number") closeQuietly(volume, fd);
    }
  }

  const isAt = (folder: Folder, at: string, fd: number): boolean => {
    const there = isReached(folder as SeenFolder) ? look(volume, at) : undefined;
    return there !== undefined && isSame(there, volume.fstatSync(fd, { bigint: true }));
  };
  const fileOf = (fd: number, flags: number, generation: bigint): OpenFile => {
    const idOf = (stats: VolumeStats): bigint => identities.of(stats, generation);
    return openFile(volume, fd, { append: (flags & OpenFlag.APPEND) !== 0, largest, idOf });
  };
  const freshFile = (fd: number, flags: number): OpenFile =>
    fileOf(
      fd,
      flags,
      identities.made(() => volume.fstatSync(fd, { bigint: true })),
    );

  /** A folder known by its handle, wherever it is moved. */
  function directoryByHandle(fd: number): OpenDirectory {
    const { dev, ino } = volume.fstatSync(fd, { bigint: true });
    const own = { dev, ino };
    /** Where it was last. The way there is not kept: a guest may hold many handles, deep in a tree. */
    let path = "";
    return {
      ...openNode(volume, fd, (stats) => identities.of(stats)),
      kind: "directory",
      list: () => attempt("list", () => entriesOf(volume, pathOfHandle(fd))),
      folder: () =>
        attempt("stat", () => {
          for (let k = 0; k < ATTEMPTS; k++) {
            if (path !== "" && leadsTo(volume, path, own)) return folderAt(path);
            path = volume.readlinkSync(pathOfHandle(fd));
          }
          return Status.NOT_FOUND;
        }),
    };
  }

  function below(parent: SeenFolder, name: string, stats?: SeenFolder["stats"]): SeenFolder {
    const seen = anchored || stats === undefined ? undefined : { dev: stats.dev, ino: stats.ino };
    return { parent, name, path: join(parent.path, name), stats: seen };
  }

  function folderAt(path: string): SeenFolder | Status {
    if (path === top.path) return top;
    const prefix = join(top.path, "");
    if (!path.startsWith(prefix)) return Status.ACCESS;
    let folder = top;
    for (const name of path.slice(prefix.length).split("/")) folder = below(folder, name);
    return folder;
  }

  /** The folder, and the way to it, from as little as can be kept of it: a guest may hold many handles, deep in a tree. */
  function kept(folder: SeenFolder): () => SeenFolder {
    const { path } = folder;
    const inodes: bigint[] = [];
    for (let at = folder; at.parent !== undefined; at = at.parent) inodes.push(at.stats!.dev, at.stats!.ino);
    const seen = BigUint64Array.from(inodes);
    const prefix = join(top.path, "").length;
    return () => {
      let at = top;
      const names = path === top.path ? [] : path.slice(prefix).split("/");
      for (const [k, name] of names.entries()) {
        const place = 2 * (names.length - 1 - k);
        at = below(at, name, { dev: seen[place]!, ino: seen[place + 1]! });
      }
      return at;
    };
  }

  /** A folder known by its inode: good only while the path still leads to it, before what is done and after what is told. */
  function directoryByInode(found: SeenFolder): OpenDirectory {
    const folderNow = kept(found);
    const { path } = found;
    const ifThere = <T>(call: string, use: () => T | Status): T | Status => {
      const gone = call === "sync" ? Status.OTHER : Status.NOT_FOUND;
      return attempt(call, () => (isReached(folderNow()) ? use() : gone));
    };
    const ifStillThere = <T>(call: string, use: () => T | Status): T | Status =>
      ifThere(call, () => {
        const answer = use();
        return isReached(folderNow()) ? answer : Status.NOT_FOUND;
      });
    const stats = (): VolumeStats => volume.lstatSync(path, { bigint: true, throwIfNoEntry: false })!;
    return {
      kind: "directory",
      list: () => ifStillThere("list", () => entriesOf(volume, path)),
      folder: () => ifThere<Folder>("stat", folderNow),
      stat: () => ifStillThere("stat", () => statOf(stats(), identities.of(stats()))),
      setTimes: (times) =>
        ifThere("set_times", () => {
          volume.lutimesSync(path, ...timesOf(times, stats));
          return Status.OK;
        }),
      sync: () =>
        ifThere("sync", () => {
          const fd = volume.openSync(path, folderFlags);
          try {
            volume.fsyncSync(fd);
          } finally {
            closeQuietly(volume, fd);
          }
          return Status.OK;
        }),
      close: () => Status.OK,
    };
  }

  return {
    capabilities: { writable: true, symlinks: true, hardLinks: true, times: true, ownMetadata: false },
    root: top,

    // By inode only the folder itself is looked at, not for each name the whole way: what follows looks at all of it.
    lookup: (folder, name) => within("stat", folder, name, (at) => find(folder as SeenFolder, name, at), isSeen),

    open: (folder, name, flags) =>
      within("open", folder, name, (at) => {
        const fd = openFor(flags, (access) => volume.openSync(at, access));
        return keep(fd, () => {
          const stats = volume.fstatSync(fd, { bigint: true });
          if (!stats.isFile()) return RETRY;
          if (!anchored && !isAt(folder, at, fd)) return RETRY;
          if ((flags & OpenFlag.TRUNCATE) !== 0 && stats.size > 0n) empty(volume, fd);
          return fileOf(fd, flags, identities.generationOf(stats));
        });
      }),

    create: (folder, name, flags) =>
      within("open", folder, name, (at) => {
        const made = constants.O_CREAT | constants.O_EXCL;
        const fd = openFor(flags, (access) => volume.openSync(at, access | made, FILE_MODE));
        if (anchored) return freshFile(fd, flags);
        try {
          return keep(fd, () => (isAt(folder, at, fd) ? freshFile(fd, flags) : RETRY));
        } catch (error) {
          // It is not known to be what was made, nor where, unless the folder is still there.
          if (isReached(folder as SeenFolder)) volume.unlinkSync(at);
          throw error;
        }
      }),

    openDirectory: (folder) =>
      inside("open", folder as SeenFolder, (base) => {
        if (!anchored) return directoryByInode(folder as SeenFolder);
        const fd = volume.openSync(`${base}/.`, folderFlags);
        return keep(fd, () => directoryByHandle(fd));
      }),

    stat: (folder, name) =>
      within("stat", folder, name ?? "", (at) => {
        const stats = lookOnce(volume, at);
        if (stats === undefined) return RETRY;
        if (!stats.isSymbolicLink()) return statOf(stats, identities.of(stats));
        const target = targetOf(volume, at);
        return target === RETRY ? RETRY : statOf(stats, identities.of(stats), target.length);
      }),

    setTimes: (folder, name, times) =>
      within("set_times", folder, name ?? "", (at) => {
        const stats = look(volume, at);
        if (stats === undefined) return RETRY;
        volume.lutimesSync(at, ...timesOf(times, () => stats));
        return Status.OK;
      }),

    permitAs: (folder, name, other) =>
      inside("open", folder as SeenFolder, (base) => {
        const stats = look(volume, join(base, other));
        if (stats?.isFile() !== true) return RETRY;
        const at = join(base, name);
        const fd = volume.openSync(at, constants.O_RDONLY | guard);
        try {
          if (!anchored && !isAt(folder, at, fd)) return RETRY;
          volume.fchmodSync(fd, Number(stats.mode & PERMISSIONS));
          return Status.OK;
        } finally {
          closeQuietly(volume, fd);
        }
      }),

    mkdir: (folder, name) =>
      within("mkdir", folder, name, (at) => {
        volume.mkdirSync(at, FOLDER_MODE);
        identities.made(() => look(volume, at));
        return Status.OK;
      }),

    rmdir: (folder, name) =>
      within("rmdir", folder, name, (at) => {
        if (!anchored) {
          if (look(volume, at)?.isDirectory() !== true) return RETRY;
          if (entriesOf(volume, at).length > 0) return Status.NOT_EMPTY;
        }
        volume.rmdirSync(at);
        return Status.OK;
      }),

    unlink: (folder, name) =>
      within("unlink", folder, name, (at) => {
        // Only Linux promises an error that tells a directory from what may not be removed.
        if (!anchored && look(volume, at)?.isDirectory() !== false) return RETRY;
        volume.unlinkSync(at);
        return Status.OK;
      }),

    rename: (folder, name, newFolder, newName) =>
      withinBoth("rename", [folder, name], [newFolder, newName], (from, to) => {
        const status = anchored ? undefined : prepareRename(from, to);
        if (status !== undefined) return status;
        volume.renameSync(from, to);
        return Status.OK;
      }),

    link: (folder, name, newFolder, newName) =>
      withinBoth("link", [folder, name], [newFolder, newName], (from, to) => {
        if (anchored) {
          // Linux links a symbolic link itself, and no directory.
          volume.linkSync(from, to);
          return Status.OK;
        }
        const old = look(volume, from);
        if (old === undefined || old.isDirectory() || look(volume, to) !== undefined) return RETRY;
        // macOS would link what it leads to, wherever that is.
        if (old.isSymbolicLink()) return Status.UNSUPPORTED;
        volume.linkSync(from, to);
        let isMade = false;
        try {
          const made = look(volume, to);
          isMade = made !== undefined && isSame(made, old);
        } finally {
          if (!isMade) volume.unlinkSync(to);
        }
        return isMade ? Status.OK : RETRY;
      }),

    isGone: (id) => identities.isGone(id),

    symlink: (target, folder, name) =>
      within("symlink", folder, name, (at) => {
        volume.symlinkSync(target, at);
        identities.made(() => look(volume, at));
        return Status.OK;
      }),
  };

  function find(parent: SeenFolder, name: string, at: string): Found | Outcome {
    const stats = lookOnce(volume, at);
    if (stats === undefined) return Status.NOT_FOUND;
    if (stats.isFile()) return { kind: "file" };
    if (stats.isDirectory()) return { kind: "directory", folder: below(parent, name, stats) };
    if (!stats.isSymbolicLink()) return { kind: "other" };
    const bytes = targetOf(volume, at);
    if (bytes === RETRY) return RETRY;
    const target = decodeUtf8(bytes);
    // A target that no path can spell leads nowhere.
    if (target === undefined) return { kind: "other" };
    return { kind: "symlink", target: windows ? target.replaceAll("\\", "/") : target };
  }

  /** What a host's own rename is not trusted with; undefined when the rest is up to it. */
  function prepareRename(from: string, to: string): Outcome | undefined {
    const old = look(volume, from);
    if (old === undefined) return RETRY;
    const replaced = look(volume, to);
    if (replaced !== undefined) {
      if (replaced.isDirectory() !== old.isDirectory()) return RETRY;
      // One inode without another name is the same name in other letters, for hosts that do not tell them apart.
      if (isSame(old, replaced)) return replaced.isDirectory() || replaced.nlink === 1n ? undefined : Status.OK;
      if (replaced.isDirectory() && entriesOf(volume, to).length > 0) return Status.NOT_EMPTY;
    }
    if (native) return undefined;
    if (replaced?.isDirectory() === true) volume.rmdirSync(to);
    else if (replaced !== undefined) volume.unlinkSync(to);
    if (!old.isSymbolicLink()) return undefined;
    volume.symlinkSync(volume.readlinkSync(from), to);
    volume.unlinkSync(from);
    return Status.OK;
  }
}

function failure(error: unknown, call: string): Outcome {
  const errno = errnoOf(error) ?? "";
  // What POSIX lets a host say for ENOTEMPTY.
  if (errno === "EEXIST" && (call === "rename" || call === "rmdir")) return Status.NOT_EMPTY;
  return CHANGED.has(errno) ? RETRY : statusOf(error, call);
}

/** The target of what was a link a moment ago. */
function targetOf(volume: Volume, path: string): Uint8Array | typeof RETRY {
  try {
    return volume.readlinkSync(path, { encoding: "buffer" });
  } catch (error) {
    if (errnoOf(error) === "EINVAL") return RETRY;
    throw error;
  }
}

function join(folder: string, name: string): string {
  return folder.endsWith("/") ? `${folder}${name}` : `${folder}/${name}`;
}

function closeQuietly(volume: Volume, fd: number): void {
  try {
    volume.closeSync(fd);
  } catch {
    // What went wrong before is what counts.
  }
}

function findRoot(volume: Volume, root: string): string {
  try {
    const real = volume.realpathSync(root);
    if (look(volume, real)?.isDirectory() === true) return real;
  } catch (error) {
    const errno = errnoOf(error);
    throw new GrantError(
      errno === "ENOENT" ? `there is no folder ${root}` : `the folder ${root} cannot be opened (${errno ?? error})`,
    );
  }
  throw new GrantError(`${root} is not a folder`);
}

/** Names that on Windows mean a device, a stream, or another name (spec FS-DIRECTORY-6). */
function isReserved(name: string): boolean {
  return (
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused.
    /[\u0000-\u001f<>:"\\|?*]|[. ]$/.test(name) ||
    /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(\.|$)/i.test(name)
  );
}

function entriesOf(volume: Volume, path: string): readonly Entry[] {
  return volume
    .readdirSync(path, { encoding: "buffer", withFileTypes: true })
    .map((entry): Entry => ({ name: entry.name, kind: kindOf(entry) }));
}
