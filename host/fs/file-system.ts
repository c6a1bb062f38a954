/**
 * What stands behind the `fs` syscalls (spec 16, FS): a small synchronous interface that every file system implements.
 * Outcomes are statuses, never exceptions. Paths arrive parsed (`paths.ts`) and flags checked (`abi.ts`), so a backend
 * holds no rule of its own about either.
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

/** What a file system can do; the conformance suite asserts a declared refusal where it cannot. */
export interface Capabilities {
  /** False: every change is READ_ONLY. */
  readonly writable: boolean;
  /** True when it may hold symbolic links. */
  readonly symlinks: boolean;
}

/** The numbers an operation answers beside its status; good until the file's next operation. */
export interface Transfer {
  bytes: number;
  /** True when no byte exists behind those read. */
  eof: boolean;
}

export interface OpenFile {
  readonly kind: "file";
  /**
   * Works whether or not the file was opened with READ, where the backend can. Fills `into` from `position` (0 to 2^53 - 1 - into.length). Fewer bytes than asked for only at the end of the file; a
   * failed read leaves `into` as it was. Sets `transfer` when OK.
   */
  read(position: number, into: Uint8Array, transfer: Transfer): Status;
  /** Writes all of `from`, at least one byte, at `position` (as in read), or at the end for -1; or nothing at all. */
  write(position: number, from: Uint8Array): Status;
  /** Sets `transfer.bytes` to the length of the file. */
  size(transfer: Transfer): Status;
  /** The file cannot be used afterwards, whatever the status. */
  close(): Status;
}

export type EntryKind = "file" | "directory" | "symlink" | "other";

export interface Entry {
  /** Bytes of the name as the file system has them; those that are no path component are left out by the caller. */
  readonly name: Uint8Array;
  readonly kind: EntryKind;
}

export interface OpenDirectory {
  readonly kind: "directory";
  /** What is in it now, in any order, without `.` and `..`; or the status of the failure. */
  list(): readonly Entry[] | Status;
  close(): Status;
}

export interface FileSystem {
  readonly capabilities: Capabilities;
  /**
   * Opens the node that `path` names, component by component from the root; `[]` is the root. `flags` is a sum of
   * `OpenFlag` (spec FS-OPEN-1) that makes sense. Nothing has changed unless the answer is an open node.
   */
  open(path: readonly string[], flags: number): OpenFile | OpenDirectory | Status;
}
