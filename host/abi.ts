/**
 * What stands behind the syscalls `fs` and `sys`: mounts, arguments and streams, as an embedder grants them to one guest.
 */
import {
  type Call,
  type HostFunctions,
  hostFunctions,
  type Implementation,
  type TransferHandle,
} from "../syscalls/dispatch.ts";
import { Exit } from "../syscalls/exit.ts";
import { DIR_KIND, FILE_KIND, STREAM_KIND } from "../syscalls/kinds.ts";
import { Status } from "../syscalls/status.ts";
import { ABI_VERSION, OpenFlag, SYSCALLS } from "../syscalls/table.ts";
import { checkAbiVersion } from "../syscalls/version.ts";
import type { Kind } from "../vm/heap.ts";
import type { Module } from "../vm/module.ts";
import { hex, sha256 } from "../vm/sha256.ts";
import { Fault, TrapCode } from "../vm/trap.ts";
import { decodeUtf8, encodeUtf8 } from "../vm/utf8.ts";
import { statusOf } from "./fs/errno.ts";
import {
  type EntryKind,
  type FileSystem,
  GrantError,
  type OpenDirectory,
  type OpenFile,
  type Transfer,
} from "./fs/file-system.ts";
import { compareNames, isName, parsePath } from "./fs/paths.ts";

/** A file system and the guest's path to it. */
export interface Mount {
  /** Absolute: `/data`, or `/` for all paths that no other mount has. */
  readonly guest: string;
  readonly fs: FileSystem;
  /** True: the guest may change nothing, whatever the file system can do. */
  readonly readOnly?: boolean;
}

/** Takes all of `bytes`, which are good only during the call, or throws; an error with an errno `code` keeps its meaning. */
export type Output = (bytes: Uint8Array) => void;
/** Fills the beginning of `into`, waiting for at least one byte, and answers how many; 0 at the end. Throws as Output. */
export type Input = (into: Uint8Array) => number;

/** What a guest is given. Nothing by default: a syscall whose grant is missing links, and traps when it is called. */
export interface AbiOptions {
  readonly args?: readonly string[];
  readonly mounts?: readonly Mount[];
  readonly stdin?: Input | Uint8Array;
  readonly stdout?: Output;
  readonly stderr?: Output;
  /** Hears `sys.log`; the bytes are good only during the call. */
  readonly log?: (line: Uint8Array) => void;
}

/** For `module.instantiate({ ...abi })`. Serves one store, which `store.close()` makes release open files. */
export interface Abi {
  readonly imports: HostFunctions;
  readonly kinds: readonly Kind[];
  /** Throws a LinkError for a module that was built for another version of the ABI (spec ABI-VERSION-2). */
  check(module: Module): void;
}

interface Location {
  readonly mount: ResolvedMount;
  /** From the mount's root. */
  readonly path: readonly string[];
  readonly flags: number;
}
interface FileHandle extends TransferHandle, Location {
  readonly type: "file";
  readonly node: OpenFile;
}
interface DirectoryHandle extends Location {
  readonly type: "directory";
  readonly node: OpenDirectory;
  /** Records of the listing under way, sorted. */
  records: readonly Uint8Array[] | undefined;
}
interface StreamHandle extends TransferHandle {
  readonly type: "stream";
  readonly name: StreamName;
}
type StreamName = "stdin" | "stdout" | "stderr";
type Handle = FileHandle | DirectoryHandle | StreamHandle;

interface ResolvedMount {
  readonly components: readonly string[];
  readonly fs: FileSystem;
  readonly readOnly: boolean;
}

const CHANGES = OpenFlag.WRITE | OpenFlag.CREATE | OpenFlag.EXCLUSIVE | OpenFlag.TRUNCATE | OpenFlag.APPEND;

/** The imports and kinds for a guest with these grants. Throws a GrantError for mounts that make no sense. */
export function createAbi(options: AbiOptions = {}): Abi {
  const mounts = resolveMounts(options.mounts ?? []);
  const args = (options.args ?? []).map((arg) => encodeUtf8(arg));
  const stdin = options.stdin === undefined ? undefined : openInput(options.stdin);
  const outputs = { stdin: undefined, stdout: options.stdout, stderr: options.stderr };
  const transfer: Transfer = { bytes: 0, eof: false };

  const argument = (index: number): Uint8Array => {
    const arg = args[index];
    if (arg === undefined)
      throw new Fault(TrapCode.BadArgument, `there are ${args.length} arguments, and no number ${index}`);
    return arg;
  };
  const openStream = (name: StreamName) => (call: Call) => {
    const handle: StreamHandle = { type: "stream", positional: false, name };
    call.setRef(0, call.heap.create(STREAM_KIND.id, handle));
    return undefined;
  };

  const implementation: Implementation = {
    fs: {
      open: (call: Call, pathBytes: Uint8Array, flags: number) => {
        if (!areFlags(flags)) return Status.INVALID;
        const location = locate(mounts, pathBytes, flags);
        if (typeof location === "number") return location;
        if (!call.heap.hasRoom) return Status.QUOTA;
        const handle = openHandle(location);
        if (typeof handle === "number") return handle;
        call.setRef(1, call.heap.create(handle.type === "file" ? FILE_KIND.id : DIR_KIND.id, handle));
        return Status.OK;
      },
      read: (call: Call, handle: FileHandle | StreamHandle, offset: number, into: Uint8Array) => {
        const status = handle.type === "file" ? readFile(handle, offset, into, transfer) : readStream(handle, into);
        call.set(1, transfer.bytes);
        call.set(2, transfer.eof ? 1 : 0);
        return status;
      },
      write: (call: Call, handle: FileHandle | StreamHandle, offset: number, from: Uint8Array) => {
        call.set(1, from.length);
        return handle.type === "file" ? writeFile(handle, offset, from) : writeStream(handle, from);
      },
      size: (call: Call, handle: FileHandle) => {
        const status = handle.node.size(transfer);
        call.set(1, transfer.bytes);
        return status;
      },
      close: (_call: Call, handle: Handle) => (handle.type === "stream" ? Status.OK : handle.node.close()),
      list: (call: Call, handle: DirectoryHandle, cookie: number, into: Uint8Array) => list(call, handle, cookie, into),
    },
    sys: {
      abi_version: () => ABI_VERSION,
      args_count: () => args.length,
      arg_size: (_call: Call, index: number) => argument(index).length,
      arg_read: (_call: Call, index: number, into: Uint8Array) => {
        const bytes = argument(index).subarray(0, into.length);
        into.set(bytes);
        return bytes.length;
      },
      stdin: openStream("stdin"),
      stdout: openStream("stdout"),
      stderr: openStream("stderr"),
      log: (_call: Call, line: Uint8Array) => {
        try {
          options.log?.(line);
        } catch {
          // A listener's trouble is none of the guest's: the call has no status to tell it.
        }
        return undefined;
      },
      exit: (_call: Call, code: number) => {
        throw new Exit(code);
      },
      fuel_left: (call: Call) => {
        const left = call.caller.fuelLeft() ?? -1n;
        call.setWords(0, Number(BigInt.asIntN(32, left)), Number(BigInt.asIntN(32, left >> 32n)));
        return undefined;
      },
    },
  };

  function readStream(handle: StreamHandle, into: Uint8Array): Status {
    if (handle.name !== "stdin" || stdin === undefined) return Status.ACCESS;
    try {
      stdin.read(into, transfer);
      return Status.OK;
    } catch (error) {
      return statusOf(error, "read");
    }
  }
  function writeStream(handle: StreamHandle, from: Uint8Array): Status {
    const output = outputs[handle.name];
    if (output === undefined) return Status.ACCESS;
    try {
      if (from.length > 0) output(from);
      return Status.OK;
    } catch (error) {
      return statusOf(error, "write");
    }
  }

  const granted = new Set<string>();
  if (mounts.length > 0) granted.add("fs");
  for (const name of ["stdin", "stdout", "stderr"] as const) if (options[name] !== undefined) granted.add(name);
  const kinds = savedKinds(mounts, stdin, granted);
  const check = (module: Module): void => checkAbiVersion(module.structure);
  return { imports: hostFunctions(SYSCALLS, implementation, granted, kinds), kinds, check };
}

/** Spec FS-OPEN-2: which sums of flags make sense. */
function areFlags(flags: number): boolean {
  const has = (flag: number): boolean => (flags & flag) !== 0;
  if (has(OpenFlag.DIRECTORY)) return !has(CHANGES);
  if (!has(OpenFlag.WRITE)) return has(OpenFlag.READ) && !has(CHANGES);
  if (has(OpenFlag.EXCLUSIVE) && !has(OpenFlag.CREATE)) return false;
  return !(has(OpenFlag.APPEND) && has(OpenFlag.READ));
}

function resolveMounts(mounts: readonly Mount[]): ResolvedMount[] {
  const resolved = mounts.map(({ guest, fs, readOnly }): ResolvedMount => {
    const path = guest.startsWith("/") ? parsePath(encodeUtf8(guest)) : Status.INVALID;
    if (typeof path === "number")
      throw new GrantError(`a mount's guest path is absolute and has no "..": ${JSON.stringify(guest)}`);
    return { components: path.components, fs, readOnly: readOnly === true || !fs.capabilities.writable };
  });
  // The longest first: the first that fits is the one.
  resolved.sort((left, right) => right.components.length - left.components.length);
  const names = resolved.map(guestOf);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new GrantError(`two mounts have the guest path ${twice}`);
  return resolved;
}

function guestOf(mount: ResolvedMount): string {
  return `/${mount.components.join("/")}`;
}

/** Where a guest's path leads (spec FS-MOUNT-1), or the status of why it leads nowhere. */
function locate(mounts: readonly ResolvedMount[], pathBytes: Uint8Array, flags: number): Location | Status {
  const parsed = parsePath(pathBytes);
  if (typeof parsed === "number") return parsed;
  const { components } = parsed;
  const mount = mounts.find((candidate) => candidate.components.every((name, index) => components[index] === name));
  if (mount === undefined) return Status.NOT_FOUND;
  if (mount.readOnly && (flags & CHANGES) !== 0) return Status.READ_ONLY;
  const location = { mount, path: components.slice(mount.components.length), flags };
  return parsed.directory && (flags & OpenFlag.DIRECTORY) === 0 ? asDirectory(location) : location;
}

/** Spec FS-PATH-4: a path that can only name a directory, opened as a file, fails; and changes nothing. */
function asDirectory({ mount, path, flags }: Location): Status {
  if ((flags & OpenFlag.CREATE) !== 0) return Status.IS_DIRECTORY;
  const node = mount.fs.open(path, OpenFlag.READ | OpenFlag.DIRECTORY);
  if (typeof node === "number") return node;
  node.close();
  return Status.IS_DIRECTORY;
}

function openHandle(location: Location): FileHandle | DirectoryHandle | Status {
  const node = location.mount.fs.open(location.path, location.flags);
  if (typeof node === "number") return node;
  if (node.kind === "directory") return { ...location, type: "directory", node, records: undefined };
  return { ...location, type: "file", node, positional: (location.flags & OpenFlag.APPEND) === 0 };
}

function readFile(handle: FileHandle, offset: number, into: Uint8Array, transfer: Transfer): Status {
  if ((handle.flags & OpenFlag.READ) === 0) return Status.ACCESS;
  // No host has a byte at 2^53 - 1 or behind it, and JavaScript no exact number.
  const most = Math.max(Number.MAX_SAFE_INTEGER - offset, 0);
  if (most > 0) return handle.node.read(offset, most < into.length ? into.subarray(0, most) : into, transfer);
  transfer.bytes = 0;
  transfer.eof = true;
  return Status.OK;
}

function writeFile(handle: FileHandle, offset: number, from: Uint8Array): Status {
  if ((handle.flags & OpenFlag.WRITE) === 0) return Status.ACCESS;
  if (from.length === 0) return Status.OK;
  if (offset + from.length > Number.MAX_SAFE_INTEGER) return Status.TOO_LARGE;
  return handle.node.write(handle.positional ? offset : -1, from);
}

const ENTRY_KINDS: { readonly [kind in EntryKind]: number } = { other: 0, file: 1, directory: 2, symlink: 3 };

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

function list(call: Call, handle: DirectoryHandle, cookie: number, into: Uint8Array): Status {
  if (cookie === 0 || handle.records === undefined) {
    const records = recordsOf(handle.node);
    if (typeof records === "number") return records;
    handle.records = records;
  }
  const { records } = handle;
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

/**
 * The kinds with what snapshots need (spec ABI-SNAPSHOT-1): a handle is saved as a JSON array that names its place, and
 * for a file the SHA-256 of its contents; it is opened again through these mounts and streams.
 */
function savedKinds(
  mounts: readonly ResolvedMount[],
  stdin: InputStream | undefined,
  granted: ReadonlySet<string>,
): Kind[] {
  const reopen = (guest: unknown, path: unknown, flags: unknown): FileHandle | DirectoryHandle | undefined => {
    const mount = mounts.find((candidate) => guestOf(candidate) === guest);
    if (mount === undefined || typeof path !== "string" || typeof flags !== "number") return undefined;
    const parsed = parsePath(encodeUtf8(`/${path}`));
    if (typeof parsed === "number" || (mount.readOnly && (flags & CHANGES) !== 0) || !areFlags(flags)) return undefined;
    const handle = openHandle({ mount, path: parsed.components, flags });
    return typeof handle === "number" ? undefined : handle;
  };
  const close = (object: unknown): void => {
    (object as FileHandle | DirectoryHandle).node.close();
  };
  return [
    {
      ...FILE_KIND,
      close,
      save: (object) => {
        const { mount, path, flags, node } = object as FileHandle;
        const digest = digestOf(node);
        const kept = flags & ~(OpenFlag.CREATE | OpenFlag.EXCLUSIVE | OpenFlag.TRUNCATE);
        return digest === undefined ? undefined : encodeSaved([guestOf(mount), path.join("/"), kept, digest]);
      },
      restore: (bytes) => {
        const [guest, path, flags, digest] = decodeSaved(bytes);
        const handle = reopen(guest, path, flags);
        if (handle?.type === "file" && digestOf(handle.node) === digest) return handle;
        handle?.node.close();
        return undefined;
      },
    },
    {
      ...DIR_KIND,
      close,
      save: (object) => {
        const { mount, path, flags } = object as DirectoryHandle;
        return encodeSaved([guestOf(mount), path.join("/"), flags]);
      },
      restore: (bytes) => {
        const [guest, path, flags] = decodeSaved(bytes);
        const handle = reopen(guest, path, flags);
        if (handle?.type === "directory") return handle;
        handle?.node.close();
        return undefined;
      },
    },
    {
      ...STREAM_KIND,
      save: (object) => {
        const { name } = object as StreamHandle;
        return encodeSaved([name, name === "stdin" ? stdin!.position : 0]);
      },
      restore: (bytes): StreamHandle | undefined => {
        const [name, position] = decodeSaved(bytes);
        if (typeof name !== "string" || typeof position !== "number" || !granted.has(name)) return undefined;
        if (name === "stdin" && !stdin!.seek(position)) return undefined;
        return { type: "stream", positional: false, name: name as StreamName };
      },
    },
  ];
}

function encodeSaved(fields: readonly (string | number)[]): Uint8Array {
  return encodeUtf8(JSON.stringify(fields));
}

/** What `encodeSaved` wrote; no fields at all for anything else. */
function decodeSaved(bytes: Uint8Array): readonly unknown[] {
  try {
    const fields: unknown = JSON.parse(decodeUtf8(bytes) ?? "");
    return Array.isArray(fields) ? fields : [];
  } catch {
    return [];
  }
}

/** SHA-256 in hex of what a file holds now, or undefined when it cannot be read. */
function digestOf(node: OpenFile): string | undefined {
  const hash = sha256();
  const piece = new Uint8Array(65_536);
  const transfer: Transfer = { bytes: 0, eof: false };
  for (let position = 0; !transfer.eof; position += transfer.bytes) {
    if (node.read(position, piece, transfer) !== Status.OK) return undefined;
    hash.update(piece.subarray(0, transfer.bytes));
  }
  return hex(hash.digest());
}

/** A stream of bytes that were read ahead, so that a read knows whether another byte follows, and a failed one loses none. */
interface InputStream {
  /** Bytes read so far. */
  readonly position: number;
  /** Goes to a place that the bytes at hand reach; false when they do not. */
  seek(position: number): boolean;
  read(into: Uint8Array, transfer: Transfer): void;
}

function openInput(source: Input | Uint8Array): InputStream {
  let ahead = typeof source === "function" ? new Uint8Array(0) : source;
  let start = 0;
  let end = ahead.length;
  let position = 0;
  return {
    get position() {
      return position;
    },
    seek(wanted) {
      // What a live input once gave is gone.
      const reachable = typeof source === "function" ? wanted === position : wanted >= 0 && wanted <= end;
      if (!reachable) return false;
      start += wanted - position;
      position = wanted;
      return true;
    },
    read(into, transfer) {
      const wanted = into.length + 1;
      if (typeof source === "function" && end - start < wanted) {
        if (ahead.length - start < wanted) {
          const larger = new Uint8Array(wanted);
          larger.set(ahead.subarray(start, end));
          ahead = larger;
          end -= start;
          start = 0;
        }
        while (end - start < wanted) {
          const got = source(ahead.subarray(end, start + wanted));
          if (got === 0) break;
          end += got;
        }
      }
      const bytes = Math.min(into.length, end - start);
      into.set(ahead.subarray(start, start + bytes));
      start += bytes;
      position += bytes;
      transfer.bytes = bytes;
      transfer.eof = start === end;
    },
  };
}
