/**
 * The file system `memory` (spec FS-MEMORY): a tree of inodes of our own, with exact quotas. Runs in a browser.
 */
import { Status } from "../../syscalls/status.ts";
import { OpenFlag } from "../../syscalls/table.ts";
import { encodeUtf8 } from "../../vm/utf8.ts";
import type { Capabilities, Entry, FileSystem, OpenDirectory, OpenFile } from "./file-system.ts";
import { type Path, parsePath } from "./paths.ts";

/** Quotas: a sum over the whole tree. */
export interface MemoryQuota {
  /** Bytes of all files, holes counted. */
  readonly bytes: number;
  /** Files and directories, the root not counted. */
  readonly files: number;
}
export const DEFAULT_MEMORY_QUOTA: MemoryQuota = { bytes: 256 * 1024 * 1024, files: 65_536 };

/** Longest file: the buffer behind it must exist. */
const FILE_BYTES = 2 ** 31;
/** Least growth of a file's buffer, in bytes. */
const GROWTH_BYTES = 256;

interface FileNode {
  readonly kind: "file";
  /** The file is the first `length` bytes; those behind are zero. */
  buffer: Uint8Array;
  length: number;
}
interface DirectoryNode {
  readonly kind: "directory";
  readonly entries: Map<string, Node>;
}
type Node = FileNode | DirectoryNode;

export class MemoryFileSystem implements FileSystem {
  readonly capabilities: Capabilities = { writable: true, symlinks: false };
  readonly #quota: MemoryQuota;
  readonly #root: DirectoryNode = { kind: "directory", entries: new Map() };
  #bytes = 0;
  #files = 0;

  /** A tree of `files`: contents by path, directories made as needed. Throws a RangeError where put does. */
  constructor(files: { readonly [path: string]: string | Uint8Array } = {}, quota: Partial<MemoryQuota> = {}) {
    this.#quota = { ...DEFAULT_MEMORY_QUOTA, ...quota };
    for (const [path, contents] of Object.entries(files)) this.put(path, contents);
  }

  /** Bytes and files that count against the quotas. */
  get used(): MemoryQuota {
    return { bytes: this.#bytes, files: this.#files };
  }

  /** Writes a whole file, and the directories above it. Throws a RangeError for a bad path or at a quota. */
  put(path: string, contents: string | Uint8Array): void {
    const { components } = this.#parse(path);
    const parent = this.#makeDirectory(components.slice(0, -1), path);
    const name = components[components.length - 1];
    if (name === undefined) throw new RangeError(`${path}: the root is a directory`);
    const bytes = typeof contents === "string" ? encodeUtf8(contents) : new Uint8Array(contents);
    let node = parent.entries.get(name);
    if (node === undefined && this.#files < this.#quota.files) {
      node = { kind: "file", buffer: new Uint8Array(0), length: 0 };
      parent.entries.set(name, node);
      this.#files++;
    }
    if (node === undefined) throw new RangeError(`${path}: the quota of ${this.#quota.files} files is used up`);
    if (node.kind !== "file") throw new RangeError(`${path}: this is a directory`);
    if (this.#bytes - node.length + bytes.length > this.#quota.bytes)
      throw new RangeError(`${path}: the quota of ${this.#quota.bytes} bytes is used up`);
    this.#bytes += bytes.length - node.length;
    node.buffer = bytes;
    node.length = bytes.length;
  }

  /** Makes a directory, and those above it; one that is there already is left. Throws as put. */
  makeDirectory(path: string): void {
    this.#makeDirectory(this.#parse(path).components, path);
  }

  /** A copy of a file's bytes, or undefined when no file has this path. */
  get(path: string): Uint8Array | undefined {
    const node = this.#find(this.#parse(path).components);
    return typeof node === "object" && node.kind === "file" ? node.buffer.slice(0, node.length) : undefined;
  }

  /** Paths of all files, in no order that matters. */
  paths(): string[] {
    const paths: string[] = [];
    const visit = (directory: DirectoryNode, prefix: string): void => {
      for (const [name, node] of directory.entries) {
        if (node.kind === "file") paths.push(prefix + name);
        else visit(node, `${prefix}${name}/`);
      }
    };
    visit(this.#root, "/");
    return paths;
  }

  open(path: readonly string[], flags: number): OpenFile | OpenDirectory | Status {
    const node = this.#find(path);
    if (node === Status.NOT_FOUND && (flags & OpenFlag.CREATE) !== 0) return this.#create(path);
    if (typeof node === "number") return node;
    if ((flags & OpenFlag.EXCLUSIVE) !== 0) return Status.EXISTS;
    if (node.kind === "directory")
      return (flags & OpenFlag.DIRECTORY) !== 0 ? openDirectory(node) : Status.IS_DIRECTORY;
    if ((flags & OpenFlag.DIRECTORY) !== 0) return Status.NOT_DIRECTORY;
    if ((flags & OpenFlag.TRUNCATE) !== 0) this.#truncate(node);
    return this.#openFile(node);
  }

  #parse(path: string): Path {
    const parsed = parsePath(encodeUtf8(path));
    if (typeof parsed === "number") throw new RangeError(`${JSON.stringify(path)} is not a path`);
    return parsed;
  }

  #find(path: readonly string[]): Node | Status {
    let node: Node = this.#root;
    for (const name of path) {
      if (node.kind !== "directory") return Status.NOT_DIRECTORY;
      const next: Node | undefined = node.entries.get(name);
      if (next === undefined) return Status.NOT_FOUND;
      node = next;
    }
    return node;
  }

  /** A new empty file, opened; its parent must be there. */
  #create(path: readonly string[]): OpenFile | Status {
    const parent = this.#find(path.slice(0, -1));
    if (typeof parent === "number") return parent;
    if (parent.kind !== "directory") return Status.NOT_DIRECTORY;
    if (this.#files >= this.#quota.files) return Status.QUOTA;
    const node: FileNode = { kind: "file", buffer: new Uint8Array(0), length: 0 };
    parent.entries.set(path[path.length - 1]!, node);
    this.#files++;
    return this.#openFile(node);
  }

  #makeDirectory(components: readonly string[], path: string): DirectoryNode {
    let node = this.#root;
    for (const name of components) {
      let next = node.entries.get(name);
      if (next === undefined) {
        if (this.#files >= this.#quota.files)
          throw new RangeError(`${path}: the quota of ${this.#quota.files} files is used up`);
        next = { kind: "directory", entries: new Map() };
        node.entries.set(name, next);
        this.#files++;
      }
      if (next.kind !== "directory") throw new RangeError(`${path}: ${name} is a file`);
      node = next;
    }
    return node;
  }

  #openFile(node: FileNode): OpenFile {
    return {
      kind: "file",
      read: (position, into, transfer) => {
        const bytes = Math.min(Math.max(node.length - position, 0), into.length);
        if (bytes > 0) into.set(node.buffer.subarray(position, position + bytes));
        transfer.bytes = bytes;
        transfer.eof = position + bytes >= node.length;
        return Status.OK;
      },
      write: (position, from) => this.#write(node, position < 0 ? node.length : position, from),
      size: (transfer) => {
        transfer.bytes = node.length;
        return Status.OK;
      },
      close: () => Status.OK,
    };
  }

  #write(node: FileNode, position: number, from: Uint8Array): Status {
    const end = position + from.length;
    if (end > FILE_BYTES) return Status.TOO_LARGE;
    const growth = Math.max(end - node.length, 0);
    if (this.#bytes + growth > this.#quota.bytes) return Status.QUOTA;
    if (end > node.buffer.length && !grow(node, end, this.#quota.bytes)) return Status.NO_SPACE;
    node.buffer.set(from, position);
    node.length += growth;
    this.#bytes += growth;
    return Status.OK;
  }

  #truncate(node: FileNode): void {
    this.#bytes -= node.length;
    node.buffer = new Uint8Array(0);
    node.length = 0;
  }
}

/** Makes room for `length` bytes, twice the present room at least so that appending stays linear; false when there is none. */
function grow(node: FileNode, length: number, most: number): boolean {
  const wanted = Math.max(length, Math.min(Math.max(2 * node.buffer.length, GROWTH_BYTES), most, FILE_BYTES));
  try {
    const buffer = new Uint8Array(wanted);
    buffer.set(node.buffer.subarray(0, node.length));
    node.buffer = buffer;
    return true;
  } catch {
    return false;
  }
}

function openDirectory(node: DirectoryNode): OpenDirectory {
  return {
    kind: "directory",
    list: () => Array.from(node.entries, ([name, { kind }]): Entry => ({ name: encodeUtf8(name), kind })),
    close: () => Status.OK,
  };
}
