/**
 * The kernel as a guest's file system: the calls of a `Driver`, each made as one call of `node:fs` on the guest's own
 * path in a folder, without a walk of ours. Linux only: a path at a directory's handle goes through `/proc`.
 */
import fs from "node:fs";
import { errnoOf, statusOf } from "../../host/fs/errno.ts";
import { Status } from "../../syscalls/status.ts";
import { OpenFlag } from "../../syscalls/table.ts";

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_NOFOLLOW, O_DIRECTORY } = fs.constants;

const NATIVE: readonly (readonly [flag: number, native: number])[] = [
  [OpenFlag.CREATE, O_CREAT],
  [OpenFlag.EXCLUSIVE, O_EXCL],
  [OpenFlag.TRUNCATE, O_TRUNC],
  [OpenFlag.APPEND, O_APPEND],
  [OpenFlag.DIRECTORY, O_DIRECTORY],
  [OpenFlag.NOFOLLOW, O_NOFOLLOW],
];

export class PosixGuest {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  open(path: string, flags: number, dir?: number): { status: number; handle: number } {
    const has = (flag: number): boolean => (flags & flag) !== 0;
    const access = has(OpenFlag.WRITE) ? (has(OpenFlag.READ) ? O_RDWR : O_WRONLY) : O_RDONLY;
    const native = NATIVE.reduce((sum, [flag, bit]) => sum | (has(flag) ? bit : 0), access);
    let handle = -1;
    const status = did("open", () => {
      handle = fs.openSync(this.#at(path, dir), native, 0o666);
      // The one rule that is not the kernel's: a directory is opened as one.
      if (has(OpenFlag.DIRECTORY) || !fs.fstatSync(handle).isDirectory()) return;
      fs.closeSync(handle);
      throw Object.assign(new Error("a directory"), { code: "EISDIR" });
    });
    return { status, handle };
  }

  read(handle: number, offset: number, max: number): { status: number; text: string } {
    const buffer = Buffer.alloc(max);
    let bytes = 0;
    const status = transferred("read", () => {
      bytes = fs.readSync(handle, buffer, 0, max, offset);
    });
    return { status, text: buffer.subarray(0, bytes).toString("latin1") };
  }

  write(handle: number, offset: number, data: string): { status: number; bytes: number } {
    let bytes = 0;
    const status = transferred("write", () => {
      bytes = fs.writeSync(
        handle,
        Buffer.from(data, "latin1"),
        0,
        data.length,
        offset < 0 ? this.size(handle) : offset,
      );
    });
    return { status, bytes };
  }

  size(handle: number): number {
    return fs.fstatSync(handle).size;
  }

  truncate(handle: number, bytes: number): number {
    return transferred("truncate", () => fs.ftruncateSync(handle, bytes));
  }

  sync(handle: number): number {
    return did("sync", () => fs.fsyncSync(handle));
  }

  close(handle: number): number {
    return did("close", () => fs.closeSync(handle));
  }

  stat(path: string, flags: number, dir?: number): { status: number; kind: number; bytes: number; links: number } {
    let stats: fs.Stats | undefined;
    const status = did("stat", () => {
      if (path === "" && dir !== undefined) stats = fs.fstatSync(dir);
      else
        stats =
          (flags & OpenFlag.NOFOLLOW) !== 0 ? fs.lstatSync(this.#at(path, dir)) : fs.statSync(this.#at(path, dir));
    });
    if (stats === undefined) return { status, kind: 0, bytes: 0, links: 0 };
    const kind = kindOf(stats);
    return { status, kind, bytes: kind === 2 ? 0 : stats.size, links: kind === 1 ? stats.nlink : 1 };
  }

  mkdir(path: string, dir?: number): number {
    return did("mkdir", () => fs.mkdirSync(this.#at(path, dir)));
  }

  rmdir(path: string, dir?: number): number {
    return did("rmdir", () => fs.rmdirSync(this.#at(path, dir)));
  }

  unlink(path: string, dir?: number): number {
    return did("unlink", () => fs.unlinkSync(this.#at(path, dir)));
  }

  rename(path: string, newPath: string, dir?: number, newDir?: number): number {
    return did("rename", () => fs.renameSync(this.#at(path, dir), this.#at(newPath, newDir)));
  }

  link(path: string, newPath: string, dir?: number, newDir?: number): number {
    return did("link", () => fs.linkSync(this.#at(path, dir), this.#at(newPath, newDir)));
  }

  symlink(target: string, path: string, dir?: number): number {
    return did("symlink", () => fs.symlinkSync(target, this.#at(path, dir)));
  }

  readlink(path: string, dir?: number): { status: number; target: string } {
    let target = "";
    const status = did("readlink", () => {
      target = fs.readlinkSync(this.#at(path, dir));
    });
    return { status, target };
  }

  list(handle: number): { status: number; names: string[] } {
    let names: string[] = [];
    const status = did("list", () => {
      names = fs.readdirSync(`/proc/self/fd/${handle}`);
    });
    return { status, names: names.sort() };
  }

  /** As `Driver.tree`. */
  tree(): { [path: string]: string | null | { link: string } } {
    const tree: { [path: string]: string | null | { link: string } } = {};
    const visit = (key: string): void => {
      for (const entry of fs.readdirSync(`${this.root}/${key}`, { withFileTypes: true })) {
        const path = `${key}${entry.name}`;
        const at = `${this.root}/${path}`;
        if (entry.isFile()) tree[path] = fs.readFileSync(at, "latin1");
        else tree[path] = entry.isDirectory() ? null : { link: fs.readlinkSync(at) };
        if (entry.isDirectory()) visit(`${path}/`);
      }
    };
    visit("");
    return tree;
  }

  /** Spec FS-PATH-5: nothing begins at a directory that was removed. */
  #at(path: string, dir: number | undefined): string {
    if (dir === undefined) return `${this.root}/${path}`;
    if (fs.fstatSync(dir).nlink === 0) throw Object.assign(new Error("removed"), { code: "ENOENT" });
    return `/proc/self/fd/${dir}/${path}`;
  }
}

function did(call: string, operation: () => void): number {
  try {
    operation();
    return Status.OK;
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return statusOf(error, call);
  }
}

/** As did; the handle is good, so an error that blames it means that it was opened for something else. */
function transferred(call: string, operation: () => void): number {
  try {
    operation();
    return Status.OK;
  } catch (error) {
    return ["EBADF", "EINVAL"].includes(errnoOf(error) ?? "") ? Status.ACCESS : statusOf(error, call);
  }
}

function kindOf(stats: fs.Stats): number {
  if (stats.isFile()) return 1;
  if (stats.isDirectory()) return 2;
  return stats.isSymbolicLink() ? 3 : 0;
}
