/**
 * Plain `node:fs` in a folder, as a file system of the suite and with no rules of its own: each operation is the one
 * obvious call, and its errors are mapped by their code. The oracle checks the tests: a case that it fails asks for
 * something that POSIX does not do. It confines nothing and believes that nobody else changes the folder. Linux only:
 * where an open folder is, the kernel tells in `/proc`.
 */
import fs from "node:fs";
import { errnoOf, statusOf } from "../../host/fs/errno.ts";
import type { EntryKind, FileSystem, Folder, OpenDirectory, OpenFile, Stat, Times } from "../../host/fs/file-system.ts";
import { Status } from "../../syscalls/status.ts";
import { OpenFlag } from "../../syscalls/table.ts";

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL, O_APPEND, O_TRUNC, O_NOFOLLOW, O_DIRECTORY } = fs.constants;

/** The folder `root`, which must be a real path. */
export function oracleFileSystem(root: string): FileSystem {
  const pathOf = (folder: Folder, name?: string): string => {
    const base = folder.parent === undefined ? root : pathOf(folder.parent, folder.name);
    return name === undefined ? base : `${base}/${name}`;
  };
  const rootFolder: Folder = { parent: undefined, name: "" };

  function openFile(path: string, flags: number, mode: number): OpenFile | Status {
    const has = (flag: number): boolean => (flags & flag) !== 0;
    const access = has(OpenFlag.WRITE) ? O_RDWR : O_RDONLY;
    const more = (has(OpenFlag.APPEND) ? O_APPEND : 0) | (has(OpenFlag.TRUNCATE) ? O_TRUNC : 0) | O_NOFOLLOW;
    return attempt("open", () => file(fs.openSync(path, access | more | mode)));
  }

  function openDirectory(folder: Folder): OpenDirectory {
    const fd = fs.openSync(pathOf(folder), O_RDONLY | O_DIRECTORY);
    const at = `/proc/self/fd/${fd}`;
    return {
      ...node(fd),
      kind: "directory",
      list: () =>
        attempt("list", () =>
          fs
            .readdirSync(at, { encoding: "buffer", withFileTypes: true })
            .map((entry) => ({ name: new Uint8Array(entry.name), kind: kindOf(entry) })),
        ),
      folder: () => {
        if (fs.fstatSync(fd).nlink === 0) return Status.NOT_FOUND;
        const path = fs.readlinkSync(at);
        if (path !== root && !path.startsWith(`${root}/`)) return Status.ACCESS;
        const names = path.slice(root.length + 1).split("/");
        return names.reduce<Folder>((parent, name) => (name === "" ? parent : { parent, name }), rootFolder);
      },
    };
  }

  return {
    capabilities: { writable: true, symlinks: true, hardLinks: true, times: true, ownMetadata: false },
    root: rootFolder,
    lookup: (folder, name) =>
      attempt("stat", () => {
        const path = pathOf(folder, name);
        const kind = kindOf(fs.lstatSync(path));
        if (kind === "directory") return { kind, folder: { parent: folder, name } };
        return kind === "symlink" ? { kind, target: fs.readlinkSync(path) } : { kind };
      }),
    open: (folder, name, flags) => openFile(pathOf(folder, name), flags, 0),
    create: (folder, name, flags) => openFile(pathOf(folder, name), flags, O_CREAT | O_EXCL),
    openDirectory: (folder) => attempt("open", () => openDirectory(folder)),
    stat: (folder, name) => attempt("stat", () => statOf(fs.lstatSync(pathOf(folder, name), { bigint: true }))),
    setTimes: (folder, name, times) =>
      did("set_times", () => {
        const path = pathOf(folder, name);
        fs.lutimesSync(path, ...dates(times, fs.lstatSync(path)));
      }),
    mkdir: (folder, name) => did("mkdir", () => fs.mkdirSync(pathOf(folder, name))),
    rmdir: (folder, name) => did("rmdir", () => fs.rmdirSync(pathOf(folder, name))),
    unlink: (folder, name) => did("unlink", () => fs.unlinkSync(pathOf(folder, name))),
    rename: (folder, name, newFolder, newName) =>
      did("rename", () => fs.renameSync(pathOf(folder, name), pathOf(newFolder, newName))),
    link: (folder, name, newFolder, newName) =>
      did("link", () => fs.linkSync(pathOf(folder, name), pathOf(newFolder, newName))),
    symlink: (target, folder, name) => did("symlink", () => fs.symlinkSync(target, pathOf(folder, name))),
  };
}

/** What open files and folders have in common. */
function node(fd: number): Pick<OpenFile, "stat" | "setTimes" | "sync" | "close"> {
  return {
    stat: () => attempt("stat", () => statOf(fs.fstatSync(fd, { bigint: true }))),
    setTimes: (times) => did("set_times", () => fs.futimesSync(fd, ...dates(times, fs.fstatSync(fd)))),
    sync: () => did("sync", () => fs.fsyncSync(fd)),
    close: () => did("close", () => fs.closeSync(fd)),
  };
}

function file(fd: number): OpenFile {
  const size = (): number => fs.fstatSync(fd).size;
  return {
    ...node(fd),
    kind: "file",
    read: (position, into, transfer) =>
      did("read", () => {
        transfer.bytes = fs.readSync(fd, into, 0, into.length, position);
        transfer.eof = position + transfer.bytes >= size();
      }),
    write: (position, from) =>
      did("write", () => fs.writeSync(fd, from, 0, from.length, position < 0 ? size() : position)),
    size: (transfer) =>
      did("size", () => {
        transfer.bytes = size();
      }),
    truncate: (bytes) => did("truncate", () => fs.ftruncateSync(fd, bytes)),
  };
}

function attempt<T>(call: string, operation: () => T): T | Status {
  try {
    return operation();
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return statusOf(error, call);
  }
}

function did(call: string, operation: () => void): Status {
  return attempt(call, () => {
    operation();
    return Status.OK;
  });
}

function kindOf(stats: { isFile(): boolean; isDirectory(): boolean; isSymbolicLink(): boolean }): EntryKind {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "directory";
  return stats.isSymbolicLink() ? "symlink" : "other";
}

function statOf(stats: fs.BigIntStats): Stat {
  const kind = kindOf(stats);
  return {
    kind,
    bytes: kind === "file" || kind === "symlink" ? Number(stats.size) : 0,
    id: `${stats.dev}:${stats.ino}`,
    links: kind === "file" ? Number(stats.nlink) : 1,
    accessed: stats.atimeNs,
    modified: stats.mtimeNs,
    changed: stats.ctimeNs,
  };
}

/** The times as `node:fs` takes them; one that shall stay is the one there is. A negative number would mean now. */
function dates({ accessed, modified }: Times, now: fs.Stats): [accessed: Date, modified: Date] {
  const given = (time: bigint | undefined, there: Date): Date =>
    time === undefined ? there : new Date(Number(time / 1_000_000n));
  return [given(accessed, now.atime), given(modified, now.mtime)];
}
