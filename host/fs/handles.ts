/** What guests hold by HeapRefs of the kinds File, Dir and Stream, and the bodies of the calls on them. */
import type { TransferHandle } from "../../syscalls/checks.ts";
import type { Call } from "../../syscalls/dispatch.ts";
import { Status } from "../../syscalls/status.ts";
import { OpenFlag } from "../../syscalls/table.ts";
import type { EntryKind, OpenDirectory, OpenFile, Transfer } from "./file-system.ts";
import type { Base, Opened, ResolvedMount } from "./namespace.ts";
import { compareNames, isName } from "./paths.ts";

interface Location {
  readonly mount: ResolvedMount;
  /** Names from the mount's root when it was opened, `/` between them, no link among them. */
  readonly path: string;
  readonly flags: number;
}
export interface FileHandle extends TransferHandle, Location {
  readonly type: "file";
  readonly node: OpenFile;
}
export interface DirectoryHandle extends Location, Base {
  readonly type: "directory";
  readonly node: OpenDirectory;
  /** Records of the listing under way, sorted. */
  records: readonly Uint8Array[] | undefined;
}
export type StreamName = "stdin" | "stdout" | "stderr";
export interface StreamHandle extends TransferHandle {
  readonly type: "stream";
  readonly name: StreamName;
}
export type NodeHandle = FileHandle | DirectoryHandle;

export function handleOf({ mount, path, node }: Opened, flags: number): NodeHandle {
  if (node.kind === "directory") return { type: "directory", mount, path, flags, node, records: undefined };
  return { type: "file", mount, path, flags, node, positional: (flags & OpenFlag.APPEND) === 0 };
}

export function readFile(handle: FileHandle, offset: number, into: Uint8Array, transfer: Transfer): Status {
  if ((handle.flags & OpenFlag.READ) === 0) return Status.ACCESS;
  // No host has a byte at 2^53 - 1 or behind it, and JavaScript no exact number.
  const most = Math.max(Number.MAX_SAFE_INTEGER - offset, 0);
  if (most > 0) return handle.node.read(offset, most < into.length ? into.subarray(0, most) : into, transfer);
  transfer.bytes = 0;
  transfer.eof = true;
  return Status.OK;
}

/** `offset` -1 is the end. */
export function writeFile(handle: FileHandle, offset: number, from: Uint8Array): Status {
  if ((handle.flags & OpenFlag.WRITE) === 0) return Status.ACCESS;
  if (from.length === 0) return Status.OK;
  if (offset + from.length > Number.MAX_SAFE_INTEGER) return Status.TOO_LARGE;
  return handle.node.write(offset, from);
}

export function truncateFile(handle: FileHandle, bytes: number): Status {
  if ((handle.flags & OpenFlag.WRITE) === 0) return Status.ACCESS;
  return bytes > Number.MAX_SAFE_INTEGER ? Status.TOO_LARGE : handle.node.truncate(bytes);
}

/** The numbers of kinds in records of `list`, and in `stat` (spec FS-LIST-2). */
export const ENTRY_KINDS: { readonly [kind in EntryKind]: number } = { other: 0, file: 1, directory: 2, symlink: 3 };

/** The records of a directory, sorted (spec FS-LIST-2): kind, length of the name, name. */
function recordsOf(node: OpenDirectory): Uint8Array[] | Status {
  const entries = node.list();
  if (typeof entries === "number") return entries;
  return entries
    .filter(({ name }) => isName(name))
    .sort((left, right) => compareNames(left.name, right.name))
    .map(({ name, kind }) => {
      const record = new Uint8Array(2 + name.length);
      record[0] = ENTRY_KINDS[kind];
      record[1] = name.length;
      record.set(name, 2);
      return record;
    });
}

/** Most records of listings under way that are kept beside those of the last (spec FS-LIST-1). */
const KEPT_RECORDS = 2 ** 18;

/** The listings under way. Those of many handles on a large directory would fill the host's memory. */
export class Listings {
  /** The oldest first. */
  readonly #handles = new Set<DirectoryHandle>();
  #records = 0;

  keep(handle: DirectoryHandle, records: readonly Uint8Array[]): void {
    this.forget(handle);
    for (const oldest of this.#handles) {
      if (this.#records <= KEPT_RECORDS) break;
      this.forget(oldest);
    }
    handle.records = records;
    this.#handles.add(handle);
    this.#records += records.length;
  }

  forget(handle: DirectoryHandle): void {
    if (!this.#handles.delete(handle)) return;
    this.#records -= handle.records!.length;
    handle.records = undefined;
  }
}

export function list(
  call: Call,
  handle: DirectoryHandle,
  cookie: number,
  into: Uint8Array,
  listings: Listings,
): Status {
  if (cookie === 0 || handle.records === undefined) {
    const fresh = recordsOf(handle.node);
    if (typeof fresh === "number") return fresh;
    listings.keep(handle, fresh);
  }
  const records = handle.records!;
  if (cookie > records.length) return Status.INVALID;
  let next = cookie;
  let end = 0;
  while (next < records.length && end + records[next]!.length <= into.length) {
    into.set(records[next]!, end);
    end += records[next]!.length;
    next++;
  }
  if (next === cookie && next < records.length) return Status.INVALID;
  call.set(1, end);
  call.set(2, next === records.length ? 1 : 0);
  call.set(3, next);
  return Status.OK;
}
