/**
 * The host ABI: one row for each syscall (spec 16a). Links, checks, dispatch, guest bindings and the tables in `specs/`
 * are derived from these rows; a syscall is nowhere else described. The rows of module `bytes` are the VM's own.
 */
import type { Declaration, Parameter, ParameterType } from "../vm/declaration.ts";
import type { TrapName } from "../vm/trap.ts";
import type { StatusName } from "./status.ts";

/** Version of the ABI (spec ABI-VERSION-1): raised when a row changes its meaning; a new row does not raise it. */
export const ABI_VERSION = 1;

/** Flags of `fs.open` (spec FS-OPEN-1). */
export const OpenFlag = {
  READ: 1,
  WRITE: 2,
  CREATE: 4,
  EXCLUSIVE: 8,
  TRUNCATE: 16,
  APPEND: 32,
  DIRECTORY: 64,
  NOFOLLOW: 128,
} as const;

export interface SyscallParameter extends Parameter {
  /** Highest value; above it the trap BadArgument. */
  readonly maximum?: number;
}

/** Parameters, by index, that name `length` bytes at `offset` of the Bytes object `ref`. */
export interface Window {
  readonly ref: number;
  readonly offset: number;
  readonly length: number;
}

export interface Syscall extends Declaration {
  readonly params: readonly SyscallParameter[];
  readonly statuses: readonly StatusName[];
  readonly windows: readonly Window[];
  /** Parameters, by index, of a byte transfer at a host offset: spec ABI-TRANSFER-1 applies. */
  readonly transfer?: { readonly handle: number; readonly offset: number; readonly length: number };
  /** Parameter, by index, whose HeapRef the call ends, whatever its status is. */
  readonly destroys?: number;
}

function parameter(name: string, type: ParameterType, doc: string): SyscallParameter {
  return { name, type, doc };
}

const STATUS = parameter("status", "i32", "0, or one of the statuses below");
const BYTES_TRANSFERRED = parameter("bytes_transferred", "u32", "bytes moved; 0 when the status is not OK");
const EOF = parameter("eof", "i32", "1 when nothing lies behind the bytes moved, else 0");

const PATH = [
  parameter("path_ref", { ref: "Bytes" }, "object that holds the path"),
  parameter("path_offset", "u32", "where in it the path begins, in bytes"),
  parameter("path_length", "u32", "length of the path in bytes of UTF-8"),
];
const PATH_WINDOW: Window = { ref: 0, offset: 1, length: 2 };

function destination(length: string, doc: string): SyscallParameter[] {
  return [
    parameter("dst_ref", { ref: "Bytes" }, "object that receives the bytes"),
    parameter("dst_offset", "u32", "where in it, in bytes"),
    parameter(length, "u32", doc),
  ];
}
function source(length: string, doc: string): SyscallParameter[] {
  return [
    parameter("src_ref", { ref: "Bytes" }, "object that holds the bytes"),
    parameter("src_offset", "u32", "where in it, in bytes"),
    parameter(length, "u32", doc),
  ];
}

const REF_TRAPS: readonly TrapName[] = ["HeapRefNull", "HeapRefStale", "HeapRefKind"];
const WINDOW_TRAPS: readonly TrapName[] = [...REF_TRAPS, "HeapWindow"];

const FS: readonly Omit<Syscall, "module">[] = [
  {
    name: "open",
    doc: "Opens the file or directory at a path.",
    params: [
      ...PATH,
      {
        ...parameter(
          "flags",
          "u32",
          "sum of READ 1, WRITE 2, CREATE 4, EXCLUSIVE 8, TRUNCATE 16, APPEND 32, DIRECTORY 64, NOFOLLOW 128",
        ),
        maximum: 255,
      },
    ],
    results: [STATUS, parameter("handle", { ref: "File|Dir" }, "the open file, or directory; null unless OK")],
    windows: [PATH_WINDOW],
    fuel: 2000,
    mayFree: false,
    capability: "fs",
    statuses: [
      "OTHER",
      "INVALID",
      "NOT_FOUND",
      "EXISTS",
      "ACCESS",
      "READ_ONLY",
      "NO_SPACE",
      "QUOTA",
      "BUSY",
      "TRANSIENT",
      "UNSUPPORTED",
      "NOT_DIRECTORY",
      "IS_DIRECTORY",
      "NAME_TOO_LONG",
      "LOOP",
      "TOO_MANY_OPEN",
      "TOO_LARGE",
      "SPECIAL_FILE",
    ],
    traps: ["MissingCapability", "BadArgument", "BadPointer", ...WINDOW_TRAPS],
  },
  {
    name: "read",
    doc: "Reads bytes of a file or stream. Fewer than `max_bytes` come only at the end of the data.",
    params: [
      parameter("handle", { ref: "File|Stream" }, "open for reading"),
      parameter("host_offset", "i64", "where in the file, in bytes; -1 for a stream"),
      ...destination("max_bytes", "most bytes to read"),
    ],
    results: [STATUS, BYTES_TRANSFERRED, EOF],
    windows: [{ ref: 2, offset: 3, length: 4 }],
    transfer: { handle: 0, offset: 1, length: 4 },
    fuel: { base: 500, perByte: 1 / 32, lengthArgument: 4 },
    mayFree: false,
    capability: "none",
    statuses: ["OTHER", "INVALID", "ACCESS", "BUSY", "TRANSIENT", "STALE"],
    traps: ["BadArgument", "BadPointer", ...WINDOW_TRAPS],
  },
  {
    name: "write",
    doc: "Writes bytes to a file or stream: all of them, or none.",
    params: [
      parameter("handle", { ref: "File|Stream" }, "open for writing"),
      parameter("host_offset", "i64", "where in the file, in bytes; -1 for a stream and for a file opened with APPEND"),
      ...source("max_bytes", "bytes to write"),
    ],
    results: [STATUS, BYTES_TRANSFERRED],
    windows: [{ ref: 2, offset: 3, length: 4 }],
    transfer: { handle: 0, offset: 1, length: 4 },
    fuel: { base: 500, perByte: 1 / 32, lengthArgument: 4 },
    mayFree: false,
    capability: "none",
    statuses: [
      "OTHER",
      "INVALID",
      "ACCESS",
      "READ_ONLY",
      "NO_SPACE",
      "QUOTA",
      "BUSY",
      "TRANSIENT",
      "STALE",
      "TOO_LARGE",
    ],
    traps: ["BadArgument", "BadPointer", ...WINDOW_TRAPS],
  },
  {
    name: "size",
    doc: "Tells the length of an open file.",
    params: [parameter("handle", { ref: "File" }, "an open file")],
    results: [STATUS, parameter("bytes", "u64", "length of the file in bytes; 0 unless OK")],
    windows: [],
    fuel: 200,
    mayFree: false,
    capability: "none",
    statuses: ["OTHER", "STALE"],
    traps: ["BadPointer", ...REF_TRAPS],
  },
  {
    name: "close",
    doc: "Ends a handle. It is gone whatever the status says.",
    params: [parameter("handle", { ref: "File|Dir|Stream" }, "what to close")],
    results: [STATUS],
    windows: [],
    destroys: 0,
    fuel: 500,
    mayFree: true,
    capability: "none",
    statuses: ["OTHER", "NO_SPACE", "QUOTA"],
    traps: REF_TRAPS,
  },
  {
    name: "list",
    doc: "Lists the names in a directory, sorted by their bytes, as records of kind, length and name.",
    params: [
      parameter("handle", { ref: "Dir" }, "an open directory"),
      parameter("cookie", "u64", "0 to read the directory afresh, or the `next_cookie` of an earlier call"),
      ...destination("max_bytes", "most bytes to fill; 257 hold any record"),
    ],
    results: [
      STATUS,
      BYTES_TRANSFERRED,
      parameter("eof", "i32", "1 when no record is left, else 0"),
      parameter("next_cookie", "u64", "where the next call goes on; 0 unless OK"),
    ],
    windows: [{ ref: 2, offset: 3, length: 4 }],
    fuel: { base: 2000, perByte: 1 / 32, lengthArgument: 4 },
    mayFree: false,
    capability: "none",
    statuses: ["OTHER", "INVALID", "NOT_FOUND", "ACCESS", "TRANSIENT", "STALE", "TOO_MANY_OPEN"],
    traps: ["BadPointer", ...WINDOW_TRAPS],
  },
];

function standardStream(name: string, doc: string): Omit<Syscall, "module"> {
  return {
    name,
    doc,
    params: [],
    results: [parameter("stream", { ref: "Stream" }, "a new handle; null at the limit of heap objects")],
    windows: [],
    fuel: 50,
    mayFree: false,
    capability: name,
    statuses: [],
    traps: ["MissingCapability"],
  };
}

const SYS: readonly Omit<Syscall, "module">[] = [
  {
    name: "abi_version",
    doc: "Tells the version of the ABI that the host speaks.",
    params: [],
    results: [parameter("version", "u32", "1")],
    windows: [],
    fuel: 1,
    mayFree: false,
    capability: "none",
    statuses: [],
    traps: [],
  },
  {
    name: "args_count",
    doc: "Tells how many arguments the guest was given; its own name is none of them.",
    params: [],
    results: [parameter("count", "u32", "number of arguments")],
    windows: [],
    fuel: 5,
    mayFree: false,
    capability: "none",
    statuses: [],
    traps: [],
  },
  {
    name: "arg_size",
    doc: "Tells the length of one argument.",
    params: [parameter("index", "u32", "below the number of arguments")],
    results: [parameter("bytes", "u32", "length in bytes of UTF-8")],
    windows: [],
    fuel: 5,
    mayFree: false,
    capability: "none",
    statuses: [],
    traps: ["BadArgument"],
  },
  {
    name: "arg_read",
    doc: "Copies the beginning of one argument.",
    params: [
      parameter("index", "u32", "below the number of arguments"),
      ...destination("max_bytes", "most bytes to copy"),
    ],
    results: [parameter("bytes_transferred", "u32", "the lesser of `max_bytes` and the argument's length")],
    windows: [{ ref: 1, offset: 2, length: 3 }],
    fuel: { base: 20, perByte: 1 / 64, lengthArgument: 3 },
    mayFree: false,
    capability: "none",
    statuses: [],
    traps: ["BadArgument", ...WINDOW_TRAPS],
  },
  standardStream("stdin", "Opens a handle on the standard input."),
  standardStream("stdout", "Opens a handle on the standard output."),
  standardStream("stderr", "Opens a handle on the standard error output."),
  {
    name: "log",
    doc: "Hands a line of diagnostics, UTF-8 by custom, to whoever runs the guest; nobody need listen.",
    params: source("length", "bytes of the line, without a line end"),
    results: [],
    windows: [{ ref: 0, offset: 1, length: 2 }],
    fuel: { base: 200, perByte: 1 / 32, lengthArgument: 2 },
    mayFree: false,
    capability: "none",
    statuses: [],
    traps: WINDOW_TRAPS,
  },
  {
    name: "exit",
    doc: "Ends the guest with an exit code. Does not return.",
    params: [{ ...parameter("code", "u32", "0 to 255; 0 means success"), maximum: 255 }],
    results: [],
    windows: [],
    fuel: 1,
    mayFree: false,
    capability: "none",
    statuses: [],
    traps: ["BadArgument"],
  },
  {
    name: "fuel_left",
    doc: "Tells how much fuel is left after this call was charged.",
    params: [],
    results: [parameter("fuel", "u64", "units of fuel; 2^64 - 1 when there is no limit")],
    windows: [],
    fuel: 5,
    mayFree: false,
    capability: "none",
    statuses: [],
    traps: [],
  },
];

/** Every syscall, in the order in which the specs and the bindings list them. */
export const SYSCALLS: readonly Syscall[] = [
  ...FS.map((row) => ({ module: "fs", ...row })),
  ...SYS.map((row) => ({ module: "sys", ...row })),
];

/** The row of a syscall; throws a RangeError for a name that is none. */
export function syscall(module: string, name: string): Syscall {
  const row = SYSCALLS.find((candidate) => candidate.module === module && candidate.name === name);
  if (row === undefined) throw new RangeError(`there is no syscall ${module}.${name}`);
  return row;
}
