/** What a tree in memory is made of (spec FS-MEMORY), and what may show through it (spec FS-OVERLAY). */
import type { EntryKind, Folder, OpenDirectory, OpenFile, Outcome, Stat } from "./file-system.ts";

/** A place in the file system below a tree. It names the same thing for ever: what is below does not change. */
export interface Below {
  /** "" for the root, else `/` before every name: never equal to a number's digits. */
  readonly path: string;
  /** What a name in this directory stands for there. */
  lookup(name: string): Shown | Outcome;
  /** Times are 0 where they are the host's. */
  stat(): Stat | Outcome;
  openFile(): OpenFile | Outcome;
  openDirectory(): OpenDirectory | Outcome;
  /** The place with these names from here, whether anything is there or not. */
  at(names: readonly string[]): Below;
}

/** What a name below stands for. */
export interface Shown {
  readonly kind: EntryKind;
  /** Of a symbolic link, else "". */
  readonly target: string;
  readonly place: Below;
}

interface Inode {
  /** Names it among the saved nodes. 0 for what only shows through, as long as nothing but its name is known. */
  number: number;
  /** Where it shows through from, or did before it was brought up. Undefined for what was made in the tree. */
  readonly origin: Below | undefined;
  /** True when the tree holds it, and it counts. False while it shows through. */
  own: boolean;
  /** Names it has; 1 for the root. */
  names: number;
  /** Handles open on it. */
  opens: number;
  // Undefined where they are still those below.
  accessed: bigint | undefined;
  modified: bigint | undefined;
  changed: bigint | undefined;
}

export interface FileNode extends Inode {
  readonly kind: "file";
  /** When own, the file is the first `length` bytes; those behind are zero. */
  buffer: Uint8Array;
  length: number;
  /** While it shows through and is open, the file below. */
  opened: OpenFile | undefined;
}

/** It is its own {@link Folder}, and knows where it is now. */
export interface DirectoryNode extends Inode, Folder {
  readonly kind: "directory";
  parent: DirectoryNode | undefined;
  name: string;
  entries: Map<string, Node>;
  /** Names below that do not show through. */
  hidden: Set<string>;
  /** While it is open, the directory below. */
  opened: OpenDirectory | undefined;
}

export interface LinkNode extends Inode {
  readonly kind: "symlink";
  readonly target: string;
}

/** Neither of these; only ever shows through. */
export interface OtherNode extends Inode {
  readonly kind: "other";
}

export type Node = FileNode | DirectoryNode | LinkNode | OtherNode;

const NO_BYTES = new Uint8Array(0);

function createInode(origin: Below | undefined): Inode {
  return {
    number: 0,
    origin,
    own: origin === undefined,
    names: 1,
    opens: 0,
    accessed: undefined,
    modified: undefined,
    changed: undefined,
  };
}

export function createFile(origin?: Below): FileNode {
  return { kind: "file", ...createInode(origin), buffer: NO_BYTES, length: 0, opened: undefined };
}

export function createDirectory(origin?: Below): DirectoryNode {
  return {
    kind: "directory",
    ...createInode(origin),
    parent: undefined,
    name: "",
    entries: new Map(),
    hidden: new Set(),
    opened: undefined,
  };
}

export function createLink(target: string, origin?: Below): LinkNode {
  return { kind: "symlink", ...createInode(origin), target };
}

/** The node for what shows through from below. */
export function createShown({ kind, target, place }: Shown): Node {
  if (kind === "file") return createFile(place);
  if (kind === "directory") return createDirectory(place);
  return kind === "symlink" ? createLink(target, place) : { kind: "other", ...createInode(place) };
}
