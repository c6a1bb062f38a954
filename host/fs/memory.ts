/**
 * The file system `memory` (spec FS-MEMORY): a tree of inodes of our own, with exact quotas. Runs in a browser. A tree may
 * stand over another file system, which shows through where the tree has nothing of its own (`overlay.ts`).
 */
import { STATUS_MESSAGES, Status, statusName } from "../../syscalls/status.ts";
import { OpenFlag } from "../../syscalls/table.ts";
import { decodeUtf8, encodeUtf8 } from "../../vm/utf8.ts";
import {
  type Capabilities,
  type Entry,
  type FileSystem,
  type Folder,
  type Found,
  type OpenDirectory,
  type OpenFile,
  type Outcome,
  RETRY,
  type Stat,
  type Times,
  type Transfer,
} from "./file-system.ts";
import {
  type Below,
  createDirectory,
  createFile,
  createLink,
  createShown,
  type DirectoryNode,
  type FileNode,
  type Node,
} from "./inode.ts";
import { parsePath, parseText } from "./paths.ts";
import { restoreTree, saveTree } from "./saved-tree.ts";

/** Quotas: a sum over the whole tree (spec FS-MEMORY-2). */
export interface MemoryQuota {
  /** Bytes of all files, holes counted. */
  readonly bytes: number;
  /** Names of files, directories and links, and what is open without a name. */
  readonly files: number;
}
export const DEFAULT_MEMORY_QUOTA: MemoryQuota = { bytes: 256 * 1024 * 1024, files: 65_536 };

/** Longest file: the buffer behind it must exist. */
const FILE_BYTES = 2 ** 31;
/** Least growth of a file's buffer, in bytes. */
const GROWTH_BYTES = 256;
/** Bytes read at once from a file below. */
const PIECE_BYTES = 2 ** 20;
/** Attempts of a handle's call that what is below answers with RETRY. */
const ATTEMPTS = 4;

type Opened = FileNode | DirectoryNode;

export class MemoryFileSystem implements FileSystem {
  readonly capabilities: Capabilities = {
    writable: true,
    symlinks: true,
    hardLinks: true,
    times: true,
    ownMetadata: true,
  };
  readonly root: Folder;
  readonly #quota: MemoryQuota;
  readonly #below: Below | undefined;
  readonly #root: DirectoryNode;
  /** What has a number, in the order of numbers. Another map after `restore`: handles from before are stale. */
  #nodes = new Map<number, Node>();
  #next = 1;
  #bytes = 0;
  #files = 0;
  #now: () => bigint = () => 0n;
  readonly #transfer: Transfer = { bytes: 0, eof: false };

  /**
   * A tree of `files`: contents by path, directories made as needed. Throws a RangeError where put does. `below` is what
   * shows through: use `overlayFileSystem`.
   */
  constructor(
    files: { readonly [path: string]: string | Uint8Array } = {},
    quota: Partial<MemoryQuota> = {},
    below?: Below,
  ) {
    this.#quota = { ...DEFAULT_MEMORY_QUOTA, ...quota };
    this.#below = below;
    this.#root = createDirectory(below);
    this.root = this.#root;
    if (below === undefined) stamp(this.#root, 0n);
    this.#enter(this.#root);
    for (const [path, contents] of Object.entries(files)) this.put(path, contents);
  }

  // ---- for embedders: paths from the root; no link is followed

  /** Bytes and files that count against the quotas. */
  get used(): MemoryQuota {
    return { bytes: this.#bytes, files: this.#files };
  }

  /** Writes a whole file, and makes the directories above it. Throws a RangeError for a bad path or at a quota. */
  put(path: string, contents: string | Uint8Array): void {
    const bytes = typeof contents === "string" ? encodeUtf8(contents) : new Uint8Array(contents);
    const { directory, name } = this.#place(path);
    let node = this.#find(directory, name);
    const before = typeof node === "object" && node.kind === "file" ? node.length : 0;
    const fits = bytes.length <= FILE_BYTES && this.#bytes - before + bytes.length <= this.#quota.bytes;
    if (!fits) throw refusal(path, Status.QUOTA);
    if (node === Status.NOT_FOUND) {
      node = createFile();
      demand(path, this.#add(directory, name, node));
    }
    if (typeof node === "number") throw refusal(path, node);
    if (node.kind !== "file") throw refusal(path, node.kind === "directory" ? Status.IS_DIRECTORY : Status.LOOP);
    if (!node.own) {
      if (this.#files >= this.#quota.files) throw refusal(path, Status.QUOTA);
      this.#attach(directory, name, node);
      this.#bringUp(node, bytes, 0);
    }
    this.#bytes += bytes.length - node.length;
    node.buffer = bytes;
    node.length = bytes.length;
    touch(node, this.#now());
  }

  /** Makes a directory, and those above it; one that is there already is left. Throws as put. */
  makeDirectory(path: string): void {
    this.#makeDirectories(componentsOf(path), path);
  }

  /** Makes a symbolic link, and the directories above it. Throws as put, and where the name is taken. */
  putLink(path: string, target: string): void {
    const text = parseText(encodeUtf8(target));
    if (typeof text === "number") throw refusal(path, text);
    const { directory, name } = this.#place(path);
    const status = this.#add(directory, name, createLink(text));
    demand(path, status === RETRY ? Status.EXISTS : status);
  }

  /** A copy of a file's bytes, or undefined when no file has this path. Throws a RangeError when it cannot be read. */
  get(path: string): Uint8Array | undefined {
    let node: Node | Outcome = this.#root;
    for (const name of componentsOf(path)) {
      if (typeof node === "number" || node.kind !== "directory") return undefined;
      node = this.#find(node, name);
    }
    if (node === Status.NOT_FOUND) return undefined;
    if (typeof node === "number") throw refusal(path, node);
    if (node.kind !== "file") return undefined;
    if (node.own) return node.buffer.slice(0, node.length);
    demand(path, this.#pin(node));
    try {
      const { opened } = node;
      demand(path, opened!.size(this.#transfer));
      const bytes = new Uint8Array(this.#transfer.bytes);
      demand(path, readWhole(opened!, bytes, this.#transfer));
      return bytes;
    } finally {
      this.#unpin(node);
    }
  }

  /** Paths of all files, in no order that matters. Throws a RangeError when a directory cannot be listed. */
  paths(): string[] {
    const paths: string[] = [];
    const directories: [prefix: string, directory: DirectoryNode][] = [["/", this.#root]];
    for (const [prefix, directory] of directories) {
      const entries = this.#listOnce(directory);
      if (typeof entries === "number") throw refusal(prefix, entries);
      for (const { name, kind } of entries) {
        const text = decodeUtf8(name);
        if (text === undefined) continue;
        if (kind === "file") paths.push(prefix + text);
        const node = kind === "directory" ? this.#find(directory, text) : undefined;
        if (typeof node === "object" && node.kind === "directory") directories.push([`${prefix}${text}/`, node]);
      }
    }
    return paths;
  }

  /** The directory a path's last name is in, made where it is missing. */
  #place(path: string): { directory: DirectoryNode; name: string } {
    const components = componentsOf(path);
    const name = components.pop();
    if (name === undefined) throw refusal(path, Status.IS_DIRECTORY);
    return { directory: this.#makeDirectories(components, path), name };
  }

  #makeDirectories(components: readonly string[], path: string): DirectoryNode {
    let directory = this.#root;
    for (const name of components) {
      let node = this.#find(directory, name);
      if (node === Status.NOT_FOUND) {
        node = createDirectory();
        demand(path, this.#add(directory, name, node));
      }
      if (typeof node === "number") throw refusal(path, node);
      if (node.kind !== "directory") throw refusal(path, Status.NOT_DIRECTORY);
      directory = node;
    }
    return directory;
  }

  // ---- names

  lookup(folder: Folder, name: string): Found | Outcome {
    const node = this.#find(folder as DirectoryNode, name);
    if (typeof node === "number") return node;
    if (node.kind === "directory") return { kind: "directory", folder: node };
    return node.kind === "symlink" ? { kind: "symlink", target: node.target } : { kind: node.kind };
  }

  open(folder: Folder, name: string, flags: number): OpenFile | Outcome {
    const directory = folder as DirectoryNode;
    const node = this.#findAny(directory, name);
    if (typeof node === "number") return node;
    if (node.kind !== "file") return RETRY;
    const pinned = this.#pin(node);
    if (pinned !== Status.OK) return pinned;
    if ((flags & OpenFlag.TRUNCATE) !== 0) {
      const status = this.#truncate(node, 0);
      if (status !== Status.OK) {
        this.#unpin(node);
        return status;
      }
    }
    if (node.number === 0) this.#attach(directory, name, node);
    return this.#openFile(node, directory, name);
  }

  create(folder: Folder, name: string): OpenFile | Outcome {
    const node = createFile();
    const status = this.#add(folder as DirectoryNode, name, node);
    if (status !== Status.OK) return status;
    node.opens++;
    return this.#openFile(node);
  }

  openDirectory(folder: Folder): OpenDirectory | Outcome {
    const directory = folder as DirectoryNode;
    if (directory.names === 0) return RETRY;
    const pinned = this.#pin(directory);
    if (pinned !== Status.OK) return pinned;
    this.#enter(directory);
    return this.#openDirectory(directory);
  }

  stat(folder: Folder, name: string | undefined): Stat | Outcome {
    const node = this.#findAny(folder as DirectoryNode, name);
    return typeof node === "number" ? node : this.#stat(node);
  }

  setTimes(folder: Folder, name: string | undefined, times: Times): Outcome {
    const directory = folder as DirectoryNode;
    const node = this.#findAny(directory, name);
    if (typeof node === "number") return node;
    if (name === undefined) this.#enter(directory);
    else this.#attach(directory, name, node);
    return this.#setTimes(node, times);
  }

  mkdir(folder: Folder, name: string): Outcome {
    return this.#add(folder as DirectoryNode, name, createDirectory());
  }

  symlink(target: string, folder: Folder, name: string): Outcome {
    return this.#add(folder as DirectoryNode, name, createLink(target));
  }

  rmdir(folder: Folder, name: string): Outcome {
    const directory = folder as DirectoryNode;
    const node = this.#findAny(directory, name);
    if (typeof node === "number") return node;
    if (node.kind !== "directory") return RETRY;
    const emptiness = this.#checkEmpty(node);
    if (emptiness !== Status.OK) return emptiness;
    const now = this.#now();
    this.#take(directory, name, node, now);
    this.#drop(node, now);
    return Status.OK;
  }

  unlink(folder: Folder, name: string): Outcome {
    const directory = folder as DirectoryNode;
    const node = this.#findAny(directory, name);
    if (typeof node === "number") return node;
    if (node.kind === "directory") return RETRY;
    const now = this.#now();
    this.#take(directory, name, node, now);
    this.#drop(node, now);
    return Status.OK;
  }

  rename(folder: Folder, name: string, newFolder: Folder, newName: string): Outcome {
    const from = folder as DirectoryNode;
    const to = newFolder as DirectoryNode;
    const node = this.#findAny(from, name);
    if (typeof node === "number") return node;
    const old = this.#find(to, newName);
    if (typeof old === "number") {
      if (old !== Status.NOT_FOUND) return old;
    } else {
      if (old === node || (from === to && name === newName)) return Status.OK;
      if ((old.kind === "directory") !== (node.kind === "directory")) return RETRY;
      const emptiness = old.kind === "directory" ? this.#checkEmpty(old) : Status.OK;
      if (emptiness !== Status.OK) return emptiness;
    }
    const now = this.#now();
    if (typeof old === "object") {
      this.#take(to, newName, old, now);
      this.#drop(old, now);
    }
    this.#take(from, name, node, now);
    this.#give(to, newName, node, now);
    return Status.OK;
  }

  link(folder: Folder, name: string, newFolder: Folder, newName: string): Outcome {
    const directory = folder as DirectoryNode;
    const to = newFolder as DirectoryNode;
    const node = this.#findAny(directory, name);
    if (typeof node === "number") return node;
    if (node.kind !== "file" && node.kind !== "symlink") return RETRY;
    const free = this.#checkFree(to, newName);
    if (free !== Status.OK) return free;
    if (this.#files + (node.own ? 1 : 2) > this.#quota.files) return Status.QUOTA;
    if (!node.own) {
      // What shows through has one name; only what the tree holds can have more.
      const status = node.kind === "file" ? this.#bringUpUnopened(node) : Status.OK;
      if (status !== Status.OK) return status;
      if (node.kind === "symlink") {
        node.own = true;
        this.#files++;
      }
      this.#attach(directory, name, node);
    }
    node.names++;
    this.#files++;
    this.#give(to, newName, node, this.#now());
    return Status.OK;
  }

  isGone(id: string): boolean {
    return /^\d/.test(id) && !this.#nodes.has(Number(id));
  }

  // ---- snapshots

  useClock(now: () => bigint): void {
    this.#now = now;
  }

  save(): Uint8Array {
    return saveTree({ nodes: this.#nodes, next: this.#next });
  }

  restore(saved: Uint8Array): boolean {
    const tree = restoreTree(saved, this.#below);
    if (tree === undefined) return false;
    let bytes = 0;
    let files = 0;
    for (const node of tree.nodes.values()) {
      if (!node.own || node === tree.root) continue;
      files += Math.max(node.names, 1);
      if (node.kind === "file") bytes += node.length;
      if (node.kind === "file" && node.length > FILE_BYTES) return false;
    }
    if (bytes > this.#quota.bytes || files > this.#quota.files) return false;
    for (const node of this.#nodes.values()) if ("opened" in node && node.opened !== undefined) node.opened.close();
    // The root stays the same object: whoever has the file system has it.
    Object.assign(this.#root, tree.root);
    for (const node of this.#root.entries.values()) if (node.kind === "directory") node.parent = this.#root;
    this.#nodes = tree.nodes.set(this.#root.number, this.#root);
    this.#next = tree.next;
    this.#bytes = bytes;
    this.#files = files;
    return true;
  }

  reopen(saved: number): OpenFile | OpenDirectory | undefined {
    const node = this.#nodes.get(saved);
    if (node?.kind !== "file" && node?.kind !== "directory") return undefined;
    if (this.#pin(node) !== Status.OK) return undefined;
    return node.kind === "file" ? this.#openFile(node) : this.#openDirectory(node);
  }

  // ---- the tree

  /** What has a name in a directory. What shows through from below is made a node for it, which only directories keep. */
  #find(directory: DirectoryNode, name: string): Node | Outcome {
    if (directory.names === 0) return RETRY;
    const node = directory.entries.get(name);
    if (node !== undefined) return node;
    if (directory.origin === undefined || directory.hidden.has(name)) return Status.NOT_FOUND;
    const shown = directory.origin.lookup(name);
    if (typeof shown === "number") return shown;
    const fresh = createShown(shown);
    if (fresh.kind === "directory") setEntry(directory, name, fresh);
    return fresh;
  }

  /** What has a name that was there a moment ago, or the directory itself. */
  #findAny(directory: DirectoryNode, name: string | undefined): Node | Outcome {
    if (name === undefined) return directory.names === 0 ? RETRY : directory;
    const node = this.#find(directory, name);
    return node === Status.NOT_FOUND ? RETRY : node;
  }

  #checkFree(directory: DirectoryNode, name: string): Outcome {
    const node = this.#find(directory, name);
    if (node === Status.NOT_FOUND) return Status.OK;
    return typeof node === "number" ? node : RETRY;
  }

  #checkEmpty(directory: DirectoryNode): Outcome {
    if (directory.entries.size > 0) return Status.NOT_EMPTY;
    if (directory.origin === undefined) return Status.OK;
    const entries = this.#listOnce(directory);
    if (typeof entries === "number") return entries;
    return entries.length === 0 ? Status.OK : Status.NOT_EMPTY;
  }

  /** Gives a node its number, and the directories above it theirs. */
  #enter(node: Node, parent: DirectoryNode | undefined = node.kind === "directory" ? node.parent : undefined): void {
    let above = parent;
    for (let at: Node | undefined = node; at !== undefined && at.number === 0; above = above?.parent) {
      at.number = this.#next++;
      this.#nodes.set(at.number, at);
      at = above;
    }
  }

  #attach(directory: DirectoryNode, name: string, node: Node): void {
    setEntry(directory, name, node);
    this.#enter(node, directory);
  }

  /** Gives a name to a node. */
  #give(directory: DirectoryNode, name: string, node: Node, now: bigint): void {
    this.#attach(directory, name, node);
    // A directory that was known may come to stand in one that was not.
    this.#enter(directory);
    node.changed = now;
    touch(directory, now);
  }

  /** Takes a name from a node. */
  #take(directory: DirectoryNode, name: string, node: Node, now: bigint): void {
    directory.entries.delete(name);
    if (directory.origin !== undefined && node.origin?.path === `${directory.origin.path}/${name}`)
      directory.hidden.add(name);
    this.#enter(directory);
    touch(directory, now);
  }

  /** Counts one name less. A node without a name and a handle is gone. */
  #drop(node: Node, now: bigint): void {
    node.names--;
    node.changed = now;
    if (node.names > 0) this.#files--;
    else if (node.opens === 0) this.#free(node);
  }

  #free(node: Node): void {
    this.#nodes.delete(node.number);
    if (!node.own) return;
    this.#files--;
    if (node.kind === "file") this.#bytes -= node.length;
  }

  /** Puts a new node where nothing has the name. */
  #add(directory: DirectoryNode, name: string, node: Node): Outcome {
    const free = this.#checkFree(directory, name);
    if (free !== Status.OK) return free;
    if (this.#files >= this.#quota.files) return Status.QUOTA;
    const now = this.#now();
    stamp(node, now);
    this.#files++;
    this.#give(directory, name, node, now);
    return Status.OK;
  }

  #stat(node: Node): Stat | Outcome {
    const { kind, names, origin } = node;
    const links = kind === "file" ? names : 1;
    const id = origin?.path ?? node.number;
    const bytes = kind === "file" ? node.length : kind === "symlink" ? encodeUtf8(node.target).length : 0;
    const { accessed, modified, changed } = node;
    if (accessed !== undefined && modified !== undefined && changed !== undefined && (kind !== "file" || node.own))
      return { kind, bytes, id, links, accessed, modified, changed };
    const below = origin!.stat();
    if (typeof below === "number") return below;
    return {
      kind,
      bytes: kind === "file" && !node.own ? below.bytes : bytes,
      id,
      links,
      accessed: accessed ?? below.accessed,
      modified: modified ?? below.modified,
      changed: changed ?? below.changed,
    };
  }

  #setTimes(node: Node, { accessed, modified }: Times): Status {
    if (accessed !== undefined) node.accessed = accessed;
    if (modified !== undefined) node.modified = modified;
    node.changed = this.#now();
    return Status.OK;
  }

  // ---- open nodes

  /** Counts one handle more, and opens what shows through. */
  #pin(node: Opened): Outcome {
    if (node.opens === 0 && node.origin !== undefined && !(node.kind === "file" && node.own)) {
      if (node.kind === "file") {
        const opened = node.origin.openFile();
        if (typeof opened === "number") return opened;
        node.opened = opened;
      } else {
        const opened = node.origin.openDirectory();
        if (typeof opened === "number") return opened;
        node.opened = opened;
      }
    }
    node.opens++;
    return Status.OK;
  }

  #unpin(node: Opened): Status {
    node.opens--;
    if (node.opens > 0) return Status.OK;
    const status = node.opened?.close() ?? Status.OK;
    node.opened = undefined;
    if (node.names === 0) this.#free(node);
    return status;
  }

  /** A handle on a pinned file. One that shows through was found in `directory` under `name`. */
  #openFile(node: FileNode, directory?: DirectoryNode, name?: string): OpenFile {
    const nodes = this.#nodes;
    return {
      kind: "file",
      saved: node.number,
      read: (position, into, transfer) => {
        if (nodes !== this.#nodes) return Status.STALE;
        if (!node.own) return node.opened!.read(position, into, transfer);
        const bytes = Math.min(Math.max(node.length - position, 0), into.length);
        if (bytes > 0) into.set(node.buffer.subarray(position, position + bytes));
        transfer.bytes = bytes;
        transfer.eof = position + bytes >= node.length;
        return Status.OK;
      },
      write: (position, from) => (nodes === this.#nodes ? this.#write(node, position, from) : Status.STALE),
      size: (transfer) => (nodes === this.#nodes ? sizeOf(node, transfer) : Status.STALE),
      truncate: (bytes) => (nodes === this.#nodes ? this.#truncate(node, bytes) : Status.STALE),
      stat: () => (nodes === this.#nodes ? this.#statOpen(node) : Status.STALE),
      setTimes: (times) => (nodes === this.#nodes ? this.#setTimes(node, times) : Status.STALE),
      sync: () => (nodes === this.#nodes ? Status.OK : Status.STALE),
      close: () => {
        if (nodes !== this.#nodes) return Status.OK;
        const status = this.#unpin(node);
        // One that nothing has happened to need not be remembered.
        if (!node.own && node.opens === 0 && node.changed === undefined && directory?.entries.get(name!) === node) {
          directory.entries.delete(name!);
          nodes.delete(node.number);
        }
        return status;
      },
    };
  }

  /** A handle on a pinned directory. */
  #openDirectory(node: DirectoryNode): OpenDirectory {
    const nodes = this.#nodes;
    return {
      kind: "directory",
      saved: node.number,
      list: () => (nodes === this.#nodes ? list(node) : Status.STALE),
      folder: () => (nodes !== this.#nodes ? Status.STALE : node.names === 0 ? Status.NOT_FOUND : node),
      stat: () => (nodes === this.#nodes ? this.#statOpen(node) : Status.STALE),
      setTimes: (times) => (nodes === this.#nodes ? this.#setTimes(node, times) : Status.STALE),
      sync: () => (nodes === this.#nodes ? Status.OK : Status.STALE),
      close: () => (nodes === this.#nodes ? this.#unpin(node) : Status.OK),
    };
  }

  /** What is in a directory that nobody need have open. */
  #listOnce(directory: DirectoryNode): readonly Entry[] | Outcome {
    const pinned = this.#pin(directory);
    if (pinned !== Status.OK) return pinned;
    const entries = list(directory);
    this.#unpin(directory);
    return entries;
  }

  #statOpen(node: Opened): Stat | Status {
    for (let k = 0; k < ATTEMPTS; k++) {
      const stat = this.#stat(node);
      if (stat !== RETRY) return stat;
    }
    return Status.TRANSIENT;
  }

  #write(node: FileNode, position: number, from: Uint8Array): Status {
    if (!node.own) {
      const known = sizeOf(node, this.#transfer);
      if (known !== Status.OK) return known;
      const { bytes } = this.#transfer;
      const status = this.#copyUp(node, bytes, Math.max(bytes, (position < 0 ? bytes : position) + from.length));
      if (status !== Status.OK) return status;
    }
    const at = position < 0 ? node.length : position;
    const end = at + from.length;
    const status = end > node.length ? this.#resize(node, end) : Status.OK;
    if (status !== Status.OK) return status;
    node.buffer.set(from, at);
    touch(node, this.#now());
    return Status.OK;
  }

  #truncate(node: FileNode, bytes: number): Status {
    if (!node.own) {
      const known = sizeOf(node, this.#transfer);
      if (known !== Status.OK) return known;
      const status = this.#copyUp(node, Math.min(this.#transfer.bytes, bytes), bytes);
      if (status !== Status.OK) return status;
    }
    const status = this.#resize(node, bytes);
    if (status === Status.OK) touch(node, this.#now());
    return status;
  }

  /** Gives a file that is the tree's own another length. Nothing has changed when it fails. */
  #resize(node: FileNode, length: number): Status {
    if (length > FILE_BYTES) return Status.TOO_LARGE;
    if (length > node.length && this.#bytes + length - node.length > this.#quota.bytes) return Status.QUOTA;
    if (!fit(node, length, this.#quota.bytes)) return Status.NO_SPACE;
    this.#bytes += length - node.length;
    node.length = length;
    return Status.OK;
  }

  /** Copies the first `keep` bytes of an open file that shows through into the tree, where it can then be `length` long. */
  #copyUp(node: FileNode, keep: number, length: number): Status {
    if (keep > FILE_BYTES || length > FILE_BYTES) return Status.TOO_LARGE;
    if (this.#files >= this.#quota.files || this.#bytes + length > this.#quota.bytes) return Status.QUOTA;
    const buffer = allocate(length);
    if (buffer === undefined) return Status.NO_SPACE;
    const status = readWhole(node.opened!, buffer.subarray(0, keep), this.#transfer);
    // No call that changes something declares damage.
    if (status !== Status.OK) return status === Status.CORRUPT ? Status.OTHER : status;
    this.#bringUp(node, buffer, keep);
    return Status.OK;
  }

  #bringUpUnopened(node: FileNode): Outcome {
    const pinned = this.#pin(node);
    if (pinned !== Status.OK) return pinned;
    let status = sizeOf(node, this.#transfer);
    if (status === Status.OK) status = this.#copyUp(node, this.#transfer.bytes, this.#transfer.bytes);
    this.#unpin(node);
    return status === Status.TOO_LARGE ? Status.UNSUPPORTED : status;
  }

  #bringUp(node: FileNode, buffer: Uint8Array, length: number): void {
    node.opened?.close();
    node.opened = undefined;
    node.buffer = buffer;
    node.length = length;
    node.own = true;
    this.#bytes += length;
    this.#files++;
  }
}

/** Marks a node as new. */
function stamp(node: Node, now: bigint): void {
  node.accessed = now;
  node.modified = now;
  node.changed = now;
}

/** Marks what a node holds as changed. */
function touch(node: Node, now: bigint): void {
  node.modified = now;
  node.changed = now;
}

function setEntry(directory: DirectoryNode, name: string, node: Node): void {
  directory.entries.set(name, node);
  if (node.kind !== "directory") return;
  node.parent = directory;
  node.name = name;
}

function sizeOf(node: FileNode, transfer: Transfer): Status {
  if (!node.own) return node.opened!.size(transfer);
  transfer.bytes = node.length;
  return Status.OK;
}

/** What is in a pinned directory: its own entries, and those that show through. */
function list(directory: DirectoryNode): readonly Entry[] | Status {
  if (directory.names === 0) return [];
  const own = Array.from(directory.entries, ([name, { kind }]): Entry => ({ name: encodeUtf8(name), kind }));
  if (directory.opened === undefined) return own;
  const below = directory.opened.list();
  if (typeof below === "number") return below;
  const shown = below.filter((entry) => {
    const name = decodeUtf8(entry.name);
    return name === undefined || !(directory.hidden.has(name) || directory.entries.has(name));
  });
  return [...own, ...shown];
}

/** Fills `into` with the beginning of a file that is as long at least. */
function readWhole(file: OpenFile, into: Uint8Array, transfer: Transfer): Status {
  for (let at = 0; at < into.length; at += PIECE_BYTES) {
    const piece = into.subarray(at, at + PIECE_BYTES);
    const status = file.read(at, piece, transfer);
    if (status !== Status.OK) return status;
    if (transfer.bytes < piece.length) return Status.TRANSIENT;
  }
  return Status.OK;
}

/**
 * Makes a file's buffer fit `length` bytes; those behind them are zero. It grows to twice its size at least, so that
 * appending stays linear, and never stays much larger than the file, so that the quota bounds what is really used.
 */
function fit(node: FileNode, length: number, most: number): boolean {
  const { buffer } = node;
  let size = buffer.length;
  if (length > size) size = Math.max(length, Math.min(Math.max(2 * size, GROWTH_BYTES), most, FILE_BYTES));
  else if (size > 2 * length + GROWTH_BYTES) size = length;
  if (size === buffer.length) {
    if (length < node.length) buffer.fill(0, length, node.length);
    return true;
  }
  const fitted = allocate(size);
  if (fitted === undefined) return false;
  fitted.set(buffer.subarray(0, length));
  node.buffer = fitted;
  return true;
}

function allocate(bytes: number): Uint8Array | undefined {
  try {
    return new Uint8Array(bytes);
  } catch {
    return undefined;
  }
}

/** The names in an embedder's path. */
function componentsOf(path: string): string[] {
  const parsed = parsePath(encodeUtf8(path));
  if (typeof parsed === "number" || parsed.components.includes(".."))
    throw new RangeError(`${JSON.stringify(path)} is no path from the root without ".."`);
  return [...parsed.components];
}

function refusal(path: string, outcome: Outcome): RangeError {
  const name = statusName(outcome) ?? "TRANSIENT";
  return new RangeError(`${path}: ${STATUS_MESSAGES[name]} (${name})`);
}

function demand(path: string, outcome: Outcome): void {
  if (outcome !== Status.OK) throw refusal(path, outcome);
}
