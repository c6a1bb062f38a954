/**
 * The file system of a kernel's inputs (spec PEL-KERNEL-4): artifacts as files that nothing changes. A name with slashes lies in
 * directories; inputs of a node have none.
 */
import { Status } from "../../syscalls/status.ts";
import { OpenFlag } from "../../syscalls/table.ts";
import { encodeUtf8 } from "../../vm/utf8.ts";
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
  type Transfer,
} from "../fs/file-system.ts";

/** An artifact with a name. */
export interface Input {
  readonly name: string;
  /** A multihash. */
  readonly key: Uint8Array;
  /** Its length. */
  readonly bytes: number;
}

/** Fills `into` with what lies at `offset` of an input, all of which is inside. An AshlarError that it throws ends the guest. */
export type ReadInput = (input: Input, offset: number, into: Uint8Array) => void;

/** A file or directory. */
interface Node {
  readonly id: number;
}
interface FileNode extends Node {
  readonly input: Input;
}
interface DirectoryNode extends Node, Folder {
  readonly entries: Map<string, FileNode | DirectoryNode>;
}

export class InputFileSystem implements FileSystem {
  readonly capabilities: Capabilities = {
    writable: false,
    symlinks: false,
    hardLinks: false,
    times: false,
    ownMetadata: true,
  };
  readonly root: Folder;
  readonly #read: ReadInput;
  #nodes = 0;

  /** Throws a RangeError for a name that is taken. */
  constructor(inputs: readonly Input[], read: ReadInput) {
    this.#read = read;
    const root = this.#directory(undefined, "");
    this.root = root;
    for (const input of inputs) {
      const names = input.name.split("/");
      const last = names.pop()!;
      const directory = names.reduce((at, name) => this.#makeDirectory(at, name), root);
      if (directory.entries.has(last)) throw new RangeError(`two inputs have the name ${input.name}`);
      directory.entries.set(last, { id: this.#nodes++, input });
    }
  }

  /** An empty directory, and those above it. Throws a RangeError where a file has the name. */
  makeDirectory(path: string): void {
    path.split("/").reduce((at, name) => this.#makeDirectory(at, name), this.root as DirectoryNode);
  }

  #directory(parent: Folder | undefined, name: string): DirectoryNode {
    return { id: this.#nodes++, parent, name, entries: new Map() };
  }
  #makeDirectory(parent: DirectoryNode, name: string): DirectoryNode {
    const found = parent.entries.get(name);
    if (found !== undefined && isFile(found)) throw new RangeError(`two inputs have the name ${name}`);
    if (found !== undefined) return found;
    const made = this.#directory(parent, name);
    parent.entries.set(name, made);
    return made;
  }

  lookup(folder: Folder, name: string): Found | Outcome {
    const node = (folder as DirectoryNode).entries.get(name);
    if (node === undefined) return Status.NOT_FOUND;
    return isFile(node) ? { kind: "file" } : { kind: "directory", folder: node };
  }
  open(folder: Folder, name: string, flags: number): OpenFile | Outcome {
    if ((flags & (OpenFlag.WRITE | OpenFlag.TRUNCATE | OpenFlag.APPEND)) !== 0) return Status.READ_ONLY;
    const node = (folder as DirectoryNode).entries.get(name);
    return node !== undefined && isFile(node) ? new InputFile(node, this.#read) : RETRY;
  }
  openDirectory(folder: Folder): OpenDirectory {
    return new InputDirectory(folder as DirectoryNode);
  }
  stat(folder: Folder, name: string | undefined): Stat | Outcome {
    const directory = folder as DirectoryNode;
    const node = name === undefined ? directory : directory.entries.get(name);
    return node === undefined ? RETRY : statOf(node);
  }

  create(): Outcome {
    return Status.READ_ONLY;
  }
  setTimes(): Outcome {
    return Status.UNSUPPORTED;
  }
  mkdir(): Outcome {
    return Status.READ_ONLY;
  }
  rmdir(): Outcome {
    return Status.READ_ONLY;
  }
  unlink(): Outcome {
    return Status.READ_ONLY;
  }
  rename(): Outcome {
    return Status.READ_ONLY;
  }
  link(): Outcome {
    return Status.UNSUPPORTED;
  }
  symlink(): Outcome {
    return Status.UNSUPPORTED;
  }
}

/** An open file whose bytes are those of an artifact. */
export class InputFile implements OpenFile {
  readonly kind = "file";
  readonly #node: FileNode;
  readonly #read: ReadInput;

  constructor(node: FileNode, read: ReadInput) {
    this.#node = node;
    this.#read = read;
  }
  /** Of the artifact, a multihash. */
  get key(): Uint8Array {
    return this.#node.input.key;
  }
  read(position: number, into: Uint8Array, transfer: Transfer): Status {
    const { input } = this.#node;
    const wanted = Math.min(Math.max(input.bytes - position, 0), into.length);
    if (wanted > 0) this.#read(input, position, wanted === into.length ? into : into.subarray(0, wanted));
    transfer.bytes = wanted;
    transfer.eof = position + wanted >= input.bytes;
    return Status.OK;
  }
  write(): Status {
    return Status.READ_ONLY;
  }
  size(transfer: Transfer): Status {
    transfer.bytes = this.#node.input.bytes;
    return Status.OK;
  }
  truncate(): Status {
    return Status.READ_ONLY;
  }
  stat(): Stat {
    return statOf(this.#node);
  }
  setTimes(): Status {
    return Status.UNSUPPORTED;
  }
  sync(): Status {
    return Status.OK;
  }
  close(): Status {
    return Status.OK;
  }
}

class InputDirectory implements OpenDirectory {
  readonly kind = "directory";
  readonly #node: DirectoryNode;

  constructor(node: DirectoryNode) {
    this.#node = node;
  }
  list(): readonly Entry[] {
    return Array.from(this.#node.entries, ([name, node]) => ({
      name: encodeUtf8(name),
      kind: isFile(node) ? "file" : "directory",
    }));
  }
  folder(): Folder {
    return this.#node;
  }
  stat(): Stat {
    return statOf(this.#node);
  }
  setTimes(): Status {
    return Status.UNSUPPORTED;
  }
  sync(): Status {
    return Status.OK;
  }
  close(): Status {
    return Status.OK;
  }
}

function isFile(node: FileNode | DirectoryNode): node is FileNode {
  return "input" in node;
}

function statOf(node: FileNode | DirectoryNode): Stat {
  const [kind, bytes] = isFile(node) ? (["file", node.input.bytes] as const) : (["directory", 0] as const);
  return { kind, bytes, id: node.id, links: 1, accessed: 0n, modified: 0n, changed: 0n };
}
