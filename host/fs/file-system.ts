/**
 * What stands behind the `fs` syscalls (spec 16, FS): a small synchronous interface that every file system implements.
 *
 * Outcomes are statuses, never exceptions. A file system is asked about one name in one folder at a time and follows no
 * link: paths, `..`, links, trailing slashes, mounts, read-only grants and open modes are `namespace.ts`'s, once for all.
 */
import type { Status } from "../../syscalls/status.ts";
import { AshlarError } from "../../vm/errors.ts";

/** What was to be granted is not there or makes no sense: the embedder's mistake, told before a guest runs. */
export class GrantError extends AshlarError {
  readonly code = "FS-GRANT";
  constructor(message: string) {
    super(message);
    this.name = "GrantError";
  }
}

/** The manifest of a file system (spec FS-CAPABILITY-1). What it cannot do answers the status named here. */
export interface Capabilities {
  /** False: every change is READ_ONLY. */
  readonly writable: boolean;
  /** False: it holds no symbolic link, and making one is UNSUPPORTED. */
  readonly symlinks: boolean;
  /** False: a file has one name, and giving it another is UNSUPPORTED. */
  readonly hardLinks: boolean;
  /** False: setting times is UNSUPPORTED. */
  readonly times: boolean;
  /**
   * True when times and counts of links are the guest's own doing, the same in every run; false when they are the
   * host's, which a guest sees only where that is granted (spec FS-STAT-2).
   */
  readonly ownMetadata: boolean;
}

/** The tree is not as it was found a moment ago: look the path up again. Never reaches a guest. */
export const RETRY = -1;
export type Outcome = Status | typeof RETRY;

/**
 * Number of the walk under way, from 1; 0 outside of any. A walk and what is done at its end are one step: what a file system
 * has found out during it need not be looked at again.
 */
export const WALK: { number: number } = { number: 0 };

/** A directory, and the way to it from the root without a link, as it was found. Only its file system makes one. */
export interface Folder {
  /** Undefined for the root. */
  readonly parent: Folder | undefined;
  /** "" for the root. */
  readonly name: string;
}

export type EntryKind = "file" | "directory" | "symlink" | "other";

/** What a name in a folder stands for. */
export type Found =
  | { readonly kind: "file" | "other" }
  | { readonly kind: "directory"; readonly folder: Folder }
  | { readonly kind: "symlink"; readonly target: string };

export interface Stat {
  readonly kind: EntryKind;
  /** Length of a file, or of a link's target, in bytes; 0 for anything else. */
  readonly bytes: number;
  /** Equal exactly for the same file of this file system. */
  readonly id: string | number | bigint;
  /** Names of a file; 1 for anything else. */
  readonly links: number;
  /** Nanoseconds since 1970, UTC. */
  readonly accessed: bigint;
  readonly modified: bigint;
  readonly changed: bigint;
}

/** Nanoseconds since 1970, UTC; undefined leaves a time as it is. */
export interface Times {
  readonly accessed: bigint | undefined;
  readonly modified: bigint | undefined;
}

/** The numbers a transfer answers beside its status; good until the file's next operation. */
export interface Transfer {
  bytes: number;
  /** True when no byte exists behind those read. */
  eof: boolean;
}

/** What open files and directories have in common. They stand for one file, whatever becomes of its names. */
interface OpenNode {
  stat(): Stat | Status;
  setTimes(times: Times): Status;
  sync(): Status;
  /** It cannot be used afterwards, whatever the status. */
  close(): Status;
  /**
   * Of a file system with `save`: what names this node among the bytes that `save` answers, for {@link FileSystem.reopen}.
   * Without it a snapshot names a node by its path.
   */
  readonly saved?: number;
}

export interface OpenFile extends OpenNode {
  readonly kind: "file";
  /**
   * Works whether or not the file was opened with READ, where the backend can. Fills `into` from `position` (0 to
   * 2^53 - 1 - into.length). Fewer bytes than asked for only at the end of the file; a failed read leaves `into` as it
   * was. Sets `transfer` when OK.
   */
  read(position: number, into: Uint8Array, transfer: Transfer): Status;
  /** Writes all of `from`, at least one byte, at `position` (as in read), or at the end for -1; or nothing at all. */
  write(position: number, from: Uint8Array): Status;
  /** Sets `transfer.bytes` to the length of the file. */
  size(transfer: Transfer): Status;
  /** Makes the file `bytes` (0 to 2^53 - 1) long; what is new is zero. Nothing has changed when it fails. */
  truncate(bytes: number): Status;
}

export interface Entry {
  /** Bytes of the name as the file system has them; those that are no path component are left out by the caller. */
  readonly name: Uint8Array;
  readonly kind: EntryKind;
}

export interface OpenDirectory extends OpenNode {
  readonly kind: "directory";
  /** What is in it now, in any order, without `.` and `..`; or the status of the failure. */
  list(): readonly Entry[] | Status;
  /** Where it is now; NOT_FOUND when it is removed. A way that leads out of the file system is ACCESS. */
  folder(): Folder | Status;
}

export interface FileSystem {
  readonly capabilities: Capabilities;
  readonly root: Folder;

  /** What `name` stands for, without following it; NOT_FOUND when nothing has it. */
  lookup(folder: Folder, name: string): Found | Outcome;

  // Every `name` below was looked up a moment ago, and is what each call says. Where it is not, the answer is RETRY;
  // where it is another kind of thing by now, also RETRY. Nothing has changed unless the answer is a node, or OK.

  /** Opens a regular file. Of `flags` (spec FS-OPEN-1) READ, WRITE, TRUNCATE and APPEND count. */
  open(folder: Folder, name: string, flags: number): OpenFile | Outcome;
  /** Makes an empty file where nothing had the name, and opens it. */
  create(folder: Folder, name: string, flags: number): OpenFile | Outcome;
  openDirectory(folder: Folder): OpenDirectory | Outcome;
  /** Of the name itself, or of the folder without one. */
  stat(folder: Folder, name: string | undefined): Stat | Outcome;
  setTimes(folder: Folder, name: string | undefined, times: Times): Outcome;
  /** Gives a regular file the permissions that another in the folder has on the host, of which guests see nothing. */
  permitAs?(folder: Folder, name: string, other: string): Outcome;
  /** Nothing had the name. */
  mkdir(folder: Folder, name: string): Outcome;
  /** Of a directory; NOT_EMPTY when anything is in it. */
  rmdir(folder: Folder, name: string): Outcome;
  /** Of anything but a directory. */
  unlink(folder: Folder, name: string): Outcome;
  /**
   * Of anything; the new name had nothing, or the same kind of thing (directory or not), which is replaced. The new folder
   * is not inside what is moved. NOT_EMPTY when a directory with something in it would be replaced. Two names of one
   * file: nothing happens, OK.
   */
  rename(folder: Folder, name: string, newFolder: Folder, newName: string): Outcome;
  /** Of a regular file or a symbolic link, which is not followed; nothing had the new name. */
  link(folder: Folder, name: string, newFolder: Folder, newName: string): Outcome;
  /** Nothing had the name. */
  symlink(target: string, folder: Folder, name: string): Outcome;

  /** Hands over the guest's clock, in nanoseconds since 1970, for the times of what the guest changes. */
  useClock?(now: () => bigint): void;
  /** True when no file has this {@link Stat.id}, as text, nor will have it again. Without it nobody knows. */
  isGone?(id: string): boolean;
  /** All of the tree, for a snapshot, with the open nodes' `saved` numbers in it. */
  save?(): Uint8Array;
  /** Becomes the tree that `save` answered; false, and unchanged, for bytes that are damaged or do not fit the quotas. */
  restore?(bytes: Uint8Array): boolean;
  /** The node with this `saved` number; undefined when there is none. */
  reopen?(saved: number): OpenFile | OpenDirectory | undefined;
}
