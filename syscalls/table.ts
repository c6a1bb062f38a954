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

/** Flags of `fs.set_times` beside NOFOLLOW (spec FS-TIMES-1). */
export const TimesFlag = { ACCESSED: 1, MODIFIED: 2 } as const;

export interface SyscallParameter extends Parameter {
  /** Highest value; above it the trap BadArgument. */
  readonly maximum?: number;
  /** Of a HeapRef: null is allowed, and reaches the body as undefined. */
  readonly nullable?: true;
  /** Of an i64 or u64: it reaches the body as a bigint. */
  readonly exact?: true;
  /** Of a sum of flags: their names and bits, for traces. */
  readonly flags?: { readonly [name: string]: number };
}

/** Parameters, by index, that name `length` bytes at `offset` of the Bytes object `ref`. */
export interface Window {
  readonly ref: number;
  readonly offset: number;
  readonly length: number;
  /** Of a window that the call writes: the result, by index, that counts the bytes written from its start, or "all". */
  readonly written?: number | "all";
  /** What the bytes are to a person: a path in UTF-8 is shown whole in traces. */
  readonly text?: true;
}

export interface Syscall extends Declaration {
  readonly params: readonly SyscallParameter[];
  readonly statuses: readonly StatusName[];
  readonly windows: readonly Window[];
  /** Parameters, by index, of a byte transfer at a host offset: spec ABI-TRANSFER-1 applies. */
  readonly transfer?: {
    readonly handle: number;
    readonly offset: number;
    readonly length: number;
    /** True when offset -1 means the end of a file. */
    readonly end?: true;
  };
  /** Parameter, by index, whose HeapRef the call ends, whatever its status is. */
  readonly destroys?: number;
}

/** A row as it is written down; what is left out has the value named here. */
export interface Row extends Pick<Syscall, "name" | "doc" | "fuel"> {
  readonly params?: readonly SyscallParameter[];
  readonly results?: readonly Parameter[];
  readonly windows?: readonly Window[];
  readonly transfer?: NonNullable<Syscall["transfer"]>;
  readonly destroys?: number;
  /** "none". */
  readonly capability?: string;
  readonly statuses?: readonly StatusName[];
  /** Traps of the body, beside those that the parameters imply. */
  readonly traps?: readonly TrapName[];
}

/** The row with everything that follows from its parts. Its traps are worked out when asked for: no guest needs them. */
export function syscallRow(module: string, row: Row): Syscall {
  const { params = [], results = [], windows = [], statuses = [], capability = "none", ...rest } = row;
  const mayFree = row.destroys !== undefined;
  const whole = { ...rest, module, params, results, windows, statuses, capability, mayFree, traps: [] };
  return Object.defineProperty(whole, "traps", { get: () => trapsOf(row), enumerable: true });
}

/** The traps of the checks that the parts of a row imply, in their order, and those of its body. */
function trapsOf({
  params = [],
  results = [],
  windows = [],
  capability = "none",
  transfer,
  traps = [],
}: Row): TrapName[] {
  const refs = params.filter(({ type }) => typeof type === "object");
  const checks: readonly (readonly [TrapName, boolean])[] = [
    ["MissingCapability", capability !== "none"],
    ["BadArgument", transfer !== undefined || params.some(({ maximum }) => maximum !== undefined)],
    ["BadPointer", results.length > 1],
    ["HeapRefNull", refs.some(({ nullable }) => nullable !== true)],
    ["HeapRefStale", refs.length > 0],
    ["HeapRefKind", refs.length > 0],
    ["HeapWindow", windows.length > 0],
  ];
  const ordered = checks.filter(([name, holds]) => holds || traps.includes(name)).map(([name]) => name);
  return [...ordered, ...traps.filter((name) => !ordered.includes(name))];
}

function parameter(name: string, type: ParameterType, doc: string): SyscallParameter {
  return { name, type, doc };
}

const STATUS = parameter("status", "i32", "0, or one of the statuses below");
const BYTES_TRANSFERRED = parameter("bytes_transferred", "u32", "bytes moved; 0 when the status is not OK");
const EOF = parameter("eof", "i32", "1 when nothing lies behind the bytes moved, else 0");

/** The parameters of a path, and where it begins. `prefix` tells the second path of a call from its first. */
function path(prefix = "", what = "path"): SyscallParameter[] {
  return [
    {
      ...parameter(`${prefix}dir`, { ref: "Dir" }, `directory where the ${what} begins; null: at the guest's root`),
      nullable: true,
    },
    parameter(`${prefix}path_ref`, { ref: "Bytes" }, `object that holds the ${what}`),
    parameter(`${prefix}path_offset`, "u32", `where in it the ${what} begins, in bytes`),
    parameter(`${prefix}path_length`, "u32", `length of the ${what} in bytes of UTF-8`),
  ];
}
/** The path, or what the handle itself stands for when the path is empty. */
function pathOrHandle(): SyscallParameter[] {
  const [, ...rest] = path();
  const doc = "directory where the path begins; null: at the guest's root. With an empty path, what is meant itself";
  return [{ ...parameter("handle", { ref: "File|Dir" }, doc), nullable: true }, ...rest];
}
function text(ref: number): Window {
  return { ref, offset: ref + 1, length: ref + 2, text: true };
}
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
function flags(...names: readonly (keyof typeof OpenFlag | keyof typeof TimesFlag)[]): SyscallParameter {
  const all: { readonly [name: string]: number } = { ...OpenFlag, ...TimesFlag };
  const bits = Object.fromEntries(names.map((name) => [name, all[name]!]));
  const list = names.map((name) => `${name} ${bits[name]}`).join(", ");
  const doc = names.length === 1 ? `0 or ${list}` : `sum of ${list}`;
  return { ...parameter("flags", "u32", doc), maximum: 255, flags: bits };
}

/** What looking up a path can meet. */
const WALK: readonly StatusName[] = [
  "OTHER",
  "INVALID",
  "NOT_FOUND",
  "ACCESS",
  "QUOTA",
  "TRANSIENT",
  "STALE",
  "NOT_DIRECTORY",
  "NAME_TOO_LONG",
  "LOOP",
  "TOO_MANY_OPEN",
];
/** What changing the tree can meet beside it. */
const CHANGE: readonly StatusName[] = [...WALK, "READ_ONLY", "NO_SPACE", "BUSY"];
/** What changing the bytes of an open file can meet. */
const STORE: readonly StatusName[] = [
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
];

/** Fuel of a call with a path; what a walk costs grows with its length. */
function walkFuel(lengthArgument: number): Syscall["fuel"] {
  return { base: 2000, perByte: 8, lengthArgument };
}

/** The three calls that hand out a list of strings: of the mounts, the arguments, the environment. */
function strings(name: string, noun: string, count: Pick<Row, "name" | "doc">, content: string): Row[] {
  return [
    {
      ...count,
      results: [parameter("count", "u32", `number of ${noun}s`)],
      fuel: 5,
    },
    {
      name: `${name}_size`,
      doc: `Tells the length of one ${noun}.`,
      params: [parameter("index", "u32", `below the number of ${noun}s`)],
      results: [parameter("bytes", "u32", "length in bytes of UTF-8")],
      fuel: 5,
      traps: ["BadArgument"],
    },
    {
      name: `${name}_read`,
      doc: `Copies the beginning of one ${noun}${content}.`,
      params: [
        parameter("index", "u32", `below the number of ${noun}s`),
        ...destination("max_bytes", "most bytes to copy"),
      ],
      results: [parameter("bytes_transferred", "u32", `the lesser of \`max_bytes\` and the ${noun}'s length`)],
      windows: [{ ref: 1, offset: 2, length: 3, written: 0 }],
      fuel: { base: 20, perByte: 1 / 64, lengthArgument: 3 },
      traps: ["BadArgument"],
    },
  ];
}

const FS: readonly Row[] = [
  {
    name: "open",
    doc: "Opens the file or directory at a path.",
    params: [...path(), flags("READ", "WRITE", "CREATE", "EXCLUSIVE", "TRUNCATE", "APPEND", "DIRECTORY", "NOFOLLOW")],
    results: [STATUS, parameter("handle", { ref: "File|Dir" }, "the open file, or directory; null unless OK")],
    windows: [text(1)],
    fuel: walkFuel(3),
    capability: "fs",
    statuses: [...CHANGE, "EXISTS", "UNSUPPORTED", "IS_DIRECTORY", "TOO_LARGE", "SPECIAL_FILE"],
  },
  {
    name: "read",
    doc: "Reads bytes of a file or stream. Fewer than `max_bytes` come only at the end of the data, or from an interactive stream.",
    params: [
      parameter("handle", { ref: "File|Stream" }, "open for reading"),
      parameter("host_offset", "i64", "where in the file, in bytes; -1 for a stream"),
      ...destination("max_bytes", "most bytes to read"),
    ],
    results: [STATUS, BYTES_TRANSFERRED, EOF],
    windows: [{ ref: 2, offset: 3, length: 4, written: 1 }],
    transfer: { handle: 0, offset: 1, length: 4 },
    fuel: { base: 500, perByte: 1 / 32, lengthArgument: 4 },
    statuses: ["OTHER", "INVALID", "ACCESS", "BUSY", "TRANSIENT", "CORRUPT", "STALE"],
  },
  {
    name: "write",
    doc: "Writes bytes to a file or stream: all of them, or none.",
    params: [
      parameter("handle", { ref: "File|Stream" }, "open for writing"),
      parameter(
        "host_offset",
        "i64",
        "where in the file, in bytes; -1 for a stream, a file opened with APPEND, and the end of any other",
      ),
      ...source("max_bytes", "bytes to write"),
    ],
    results: [STATUS, BYTES_TRANSFERRED],
    windows: [{ ref: 2, offset: 3, length: 4 }],
    transfer: { handle: 0, offset: 1, length: 4, end: true },
    fuel: { base: 500, perByte: 1 / 32, lengthArgument: 4 },
    statuses: STORE,
  },
  {
    name: "size",
    doc: "Tells the length of an open file.",
    params: [parameter("handle", { ref: "File" }, "an open file")],
    results: [STATUS, parameter("bytes", "u64", "length of the file in bytes; 0 unless OK")],
    fuel: 200,
    statuses: ["OTHER", "TRANSIENT", "STALE"],
  },
  {
    name: "truncate",
    doc: "Makes an open file shorter, or longer by zeroes.",
    params: [
      parameter("handle", { ref: "File" }, "open for writing"),
      parameter("bytes", "u64", "the new length in bytes"),
    ],
    results: [STATUS],
    fuel: 1000,
    statuses: STORE,
  },
  {
    name: "sync",
    doc: "Waits until what was written is where a loss of power spares it, as far as the host can tell.",
    params: [parameter("handle", { ref: "File|Dir" }, "an open file or directory")],
    results: [STATUS],
    fuel: 5000,
    statuses: ["OTHER", "NO_SPACE", "QUOTA", "TRANSIENT", "UNSUPPORTED", "STALE"],
  },
  {
    name: "stat",
    doc: "Tells what a path, or a handle, stands for.",
    params: [...pathOrHandle(), flags("NOFOLLOW")],
    results: [
      STATUS,
      parameter("kind", "u32", "0 anything else, 1 file, 2 directory, 3 symbolic link"),
      parameter("bytes", "u64", "length of a file, or of a link's target, in bytes; 0 for anything else"),
      parameter("id", "u64", "the same number for the same file; counted from 1 in the order of first sight"),
      parameter("links", "u64", "names of a file; 1 for anything else"),
      parameter("accessed", "i64", "time of the last access in nanoseconds since 1970, UTC"),
      parameter("modified", "i64", "time of the last change of its bytes, likewise"),
      parameter("changed", "i64", "time of the last change of anything about it, likewise"),
    ],
    windows: [text(1)],
    fuel: walkFuel(3),
    capability: "fs",
    statuses: WALK,
  },
  {
    name: "mkdir",
    doc: "Makes a directory.",
    params: path(),
    results: [STATUS],
    windows: [text(1)],
    fuel: walkFuel(3),
    capability: "fs",
    statuses: [...CHANGE, "EXISTS", "TOO_MANY_LINKS"],
  },
  {
    name: "rmdir",
    doc: "Removes an empty directory.",
    params: path(),
    results: [STATUS],
    windows: [text(1)],
    fuel: walkFuel(3),
    capability: "fs",
    statuses: [...CHANGE, "NOT_EMPTY"],
  },
  {
    name: "unlink",
    doc: "Removes a name of a file, or a symbolic link. Handles on the file stay good.",
    params: path(),
    results: [STATUS],
    windows: [text(1)],
    fuel: walkFuel(3),
    capability: "fs",
    statuses: [...CHANGE, "IS_DIRECTORY"],
  },
  {
    name: "rename",
    doc: "Gives what has one name another, in one step. What had the new name is replaced.",
    params: [...path(), ...path("new_", "new path")],
    results: [STATUS],
    windows: [text(1), text(5)],
    fuel: walkFuel(7),
    capability: "fs",
    statuses: [...CHANGE, "IS_DIRECTORY", "NOT_EMPTY", "CROSS_DEVICE", "TOO_MANY_LINKS"],
  },
  {
    name: "link",
    doc: "Gives a file one more name. A symbolic link is not followed.",
    params: [...path(), ...path("new_", "new path")],
    results: [STATUS],
    windows: [text(1), text(5)],
    fuel: walkFuel(7),
    capability: "fs",
    statuses: [...CHANGE, "EXISTS", "UNSUPPORTED", "CROSS_DEVICE", "TOO_MANY_LINKS", "SPECIAL_FILE"],
  },
  {
    name: "symlink",
    doc: "Makes a symbolic link.",
    params: [
      parameter("target_ref", { ref: "Bytes" }, "object that holds the link's target"),
      parameter("target_offset", "u32", "where in it the target begins, in bytes"),
      parameter("target_length", "u32", "length of the target in bytes of UTF-8"),
      ...path(),
    ],
    results: [STATUS],
    windows: [text(0), text(4)],
    fuel: walkFuel(6),
    capability: "fs",
    statuses: [...CHANGE, "EXISTS", "UNSUPPORTED"],
  },
  {
    name: "readlink",
    doc: "Copies the beginning of a symbolic link's target.",
    params: [...path(), ...destination("max_bytes", "most bytes to copy")],
    results: [STATUS, BYTES_TRANSFERRED, parameter("bytes", "u32", "length of the whole target; 0 unless OK")],
    windows: [text(1), { ref: 4, offset: 5, length: 6, written: 1 }],
    fuel: walkFuel(3),
    capability: "fs",
    statuses: WALK,
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
    windows: [{ ref: 2, offset: 3, length: 4, written: 1 }],
    fuel: { base: 2000, perByte: 1 / 32, lengthArgument: 4 },
    statuses: ["OTHER", "INVALID", "NOT_FOUND", "ACCESS", "TRANSIENT", "STALE", "TOO_MANY_OPEN"],
  },
  {
    name: "close",
    doc: "Ends a handle. It is gone whatever the status says.",
    params: [parameter("handle", { ref: "File|Dir|Stream" }, "what to close")],
    results: [STATUS],
    destroys: 0,
    fuel: 500,
    statuses: ["OTHER", "NO_SPACE", "QUOTA"],
  },
  {
    name: "set_times",
    doc: "Sets the times of what a path, or a handle, stands for.",
    params: [
      ...pathOrHandle(),
      flags("ACCESSED", "MODIFIED", "NOFOLLOW"),
      { ...parameter("accessed", "i64", "nanoseconds since 1970, UTC; counts with ACCESSED"), exact: true },
      { ...parameter("modified", "i64", "nanoseconds since 1970, UTC; counts with MODIFIED"), exact: true },
    ],
    results: [STATUS],
    windows: [text(1)],
    fuel: walkFuel(3),
    capability: "fs",
    statuses: [...CHANGE, "UNSUPPORTED"],
  },
  ...strings(
    "mount",
    "mount",
    { name: "mount_count", doc: "Tells how many file systems are mounted." },
    "'s path, in the order in which they were granted",
  ),
];

function standardStream(name: string, doc: string): Row {
  return {
    name,
    doc,
    results: [parameter("stream", { ref: "Stream" }, "a new handle; null at the limit of heap objects")],
    fuel: 50,
    capability: name,
  };
}

const SYS: readonly Row[] = [
  {
    name: "abi_version",
    doc: "Tells the version of the ABI that the host speaks.",
    results: [parameter("version", "u32", "1")],
    fuel: 1,
  },
  ...strings(
    "arg",
    "argument",
    { name: "args_count", doc: "Tells how many arguments the guest was given; its own name is none of them." },
    "",
  ),
  ...strings(
    "env",
    "variable",
    { name: "env_count", doc: "Tells how many variables the guest's environment has." },
    " of the environment, `NAME=value` in UTF-8",
  ),
  {
    name: "name_size",
    doc: "Tells the length of the name under which the guest was started.",
    results: [parameter("bytes", "u32", "length in bytes of UTF-8")],
    fuel: 5,
  },
  {
    name: "name_read",
    doc: "Copies the beginning of the name under which the guest was started.",
    params: destination("max_bytes", "most bytes to copy"),
    results: [parameter("bytes_transferred", "u32", "the lesser of `max_bytes` and the name's length")],
    windows: [{ ref: 0, offset: 1, length: 2, written: 0 }],
    fuel: { base: 20, perByte: 1 / 64, lengthArgument: 2 },
  },
  {
    name: "clock",
    doc: "Tells the time.",
    params: [{ ...parameter("id", "u32", "0 the time of day, 1 a clock that never goes back"), maximum: 1 }],
    results: [parameter("time", "i64", "nanoseconds: since 1970, UTC, for 0; since some fixed moment for 1")],
    fuel: 20,
  },
  {
    name: "sleep",
    doc: "Waits. A virtual clock is put forward instead.",
    params: [{ ...parameter("duration", "u64", "nanoseconds"), exact: true }],
    fuel: 50,
  },
  {
    name: "random",
    doc: "Fills a window with random bytes; with a seed they are the same in every run.",
    params: destination("length", "bytes to fill"),
    windows: [{ ref: 0, offset: 1, length: 2, written: "all" }],
    fuel: { base: 50, perByte: 1 / 8, lengthArgument: 2 },
  },
  standardStream("stdin", "Opens a handle on the standard input."),
  standardStream("stdout", "Opens a handle on the standard output."),
  standardStream("stderr", "Opens a handle on the standard error output."),
  {
    name: "interactive",
    doc: "Tells whether somebody is at the other end of the standard streams.",
    results: [parameter("interactive", "i32", "1 when standard input is interactive, else 0")],
    fuel: 5,
  },
  {
    name: "log",
    doc: "Hands a line of diagnostics, UTF-8 by custom, to whoever runs the guest; nobody need listen.",
    params: source("length", "bytes of the line, without a line end"),
    windows: [{ ref: 0, offset: 1, length: 2, text: true }],
    fuel: { base: 200, perByte: 1 / 32, lengthArgument: 2 },
  },
  {
    name: "exit",
    doc: "Ends the guest with an exit code. Does not return.",
    params: [{ ...parameter("code", "u32", "0 to 255; 0 means success"), maximum: 255 }],
    fuel: 1,
  },
  {
    name: "fuel_left",
    doc: "Tells how much fuel is left after this call was charged.",
    results: [parameter("fuel", "u64", "units of fuel; 2^64 - 1 when there is no limit")],
    fuel: 5,
  },
];

const SLOT = parameter("slot", "u32", "number of the slot in its bank");
const ASSET_ID = parameter("asset_id", "i32", "id of an asset of the packs");
const BANK = parameter("bank", { ref: "Bank" }, "an asset");
const LOAD = parameter("load", { ref: "Load" }, "a load");
const BANK_RESULT = parameter("bank", { ref: "Bank" }, "the asset; null unless OK");

const BANKS: readonly Row[] = [
  {
    name: "open_slot",
    doc: "Opens the asset that a slot holds. The handle stays on it, whatever the slot holds later.",
    params: [parameter("bank_type", "u32", "number of the bank type"), SLOT],
    results: [STATUS, BANK_RESULT],
    fuel: 200,
    capability: "assets",
    statuses: ["OTHER", "NOT_FOUND", "QUOTA", "NO_SLOT"],
  },
  {
    name: "open_asset",
    doc: "Opens an asset of the packs by its id, past the slots. Charges for what its bytes take to be verified and decoded.",
    params: [ASSET_ID],
    results: [STATUS, BANK_RESULT],
    fuel: 500,
    capability: "assets",
    statuses: ["OTHER", "NOT_FOUND", "QUOTA", "TRANSIENT", "CORRUPT", "STALE"],
  },
  {
    name: "info",
    doc: "Tells what an asset is.",
    params: [BANK],
    results: [
      STATUS,
      parameter("asset_id", "i32", "its id; 0 unless OK"),
      parameter("bank_type", "u32", "number of its bank type"),
      parameter("bytes", "u64", "its length in bytes"),
      parameter("stored_bytes", "u64", "what it takes in the pack, in bytes"),
      parameter("metadata_bytes", "u32", "length of its metadata in bytes"),
    ],
    fuel: 50,
    statuses: ["OTHER", "STALE"],
  },
  {
    name: "size",
    doc: "Tells the length of an asset.",
    params: [BANK],
    results: [STATUS, parameter("bytes", "u64", "its length in bytes; 0 unless OK")],
    fuel: 50,
    statuses: ["OTHER", "STALE"],
  },
  {
    name: "read",
    doc: "Reads bytes of an asset. Fewer than `max_bytes` come only at its end.",
    params: [
      BANK,
      parameter("host_offset", "i64", "where in the asset, in bytes"),
      ...destination("max_bytes", "most bytes to read"),
    ],
    results: [STATUS, BYTES_TRANSFERRED, EOF],
    windows: [{ ref: 2, offset: 3, length: 4, written: 1 }],
    transfer: { handle: 0, offset: 1, length: 4 },
    fuel: { base: 500, perByte: 1 / 32, lengthArgument: 4 },
    statuses: ["OTHER", "TRANSIENT", "CORRUPT", "STALE"],
  },
  {
    name: "metadata",
    doc: "Reads bytes of an asset's metadata, which is a JSON object in UTF-8.",
    params: [
      BANK,
      parameter("host_offset", "i64", "where in the metadata, in bytes"),
      ...destination("max_bytes", "most bytes to read"),
    ],
    results: [STATUS, BYTES_TRANSFERRED, EOF],
    windows: [{ ref: 2, offset: 3, length: 4, written: 1 }],
    transfer: { handle: 0, offset: 1, length: 4 },
    fuel: { base: 200, perByte: 1 / 32, lengthArgument: 4 },
    statuses: ["OTHER", "STALE"],
  },
  {
    name: "request",
    doc: "Begins to load an asset for a slot of its bank. Charges for what its bytes take to be verified and decoded.",
    params: [ASSET_ID, SLOT],
    results: [STATUS, parameter("load", { ref: "Load" }, "the load; null unless OK")],
    fuel: 500,
    capability: "assets",
    statuses: ["OTHER", "NOT_FOUND", "QUOTA", "NO_SLOT"],
  },
  {
    name: "state",
    doc: "Tells how far a load is, and has it go one step on.",
    params: [LOAD],
    results: [
      STATUS,
      parameter("state", "u32", "0 pending, 1 loading, 2 ready, 3 committed, 4 canceled, 5 failed; 0 unless OK"),
    ],
    fuel: 50,
    statuses: ["OTHER", "STALE"],
  },
  {
    name: "commit",
    doc: "Makes the slot hold what was loaded, instead of what it held. Of a load that failed: tells why.",
    params: [LOAD],
    results: [STATUS],
    fuel: 100,
    statuses: ["OTHER", "INVALID", "QUOTA", "TRANSIENT", "CORRUPT", "STALE", "NOT_READY", "CANCELED"],
  },
  {
    name: "cancel",
    doc: "Gives up a load that was not committed.",
    params: [LOAD],
    results: [STATUS],
    fuel: 100,
    statuses: ["OTHER", "INVALID", "STALE"],
  },
  {
    name: "close",
    doc: "Ends a handle. A load that was not committed is canceled.",
    params: [parameter("handle", { ref: "Bank|Load" }, "what to close")],
    results: [STATUS],
    destroys: 0,
    fuel: 100,
    statuses: ["OTHER"],
  },
];

const ARTIFACT = parameter("artifact", { ref: "Artifact" }, "an artifact");
const WRITER = parameter("writer", { ref: "Writer" }, "an artifact in the making");

const ASL: readonly Row[] = [
  {
    name: "open",
    doc: "Opens the artifact that a key names.",
    params: [
      parameter("key_ref", { ref: "Bytes" }, "object that holds the key"),
      parameter("key_offset", "u32", "where in it the key begins, in bytes"),
      parameter("key_length", "u32", "length of the key in bytes: a multihash, or text such as `sha256:…`"),
    ],
    results: [STATUS, parameter("artifact", { ref: "Artifact" }, "the artifact; null unless OK")],
    windows: [{ ref: 0, offset: 1, length: 2 }],
    fuel: 3000,
    capability: "store",
    statuses: ["OTHER", "INVALID", "NOT_FOUND", "QUOTA", "TRANSIENT", "CORRUPT"],
  },
  {
    name: "read",
    doc: "Reads bytes of an artifact, which are held against what its key says. Fewer than `max_bytes` come only at its end.",
    params: [
      ARTIFACT,
      parameter("host_offset", "i64", "where in the artifact, in bytes"),
      ...destination("max_bytes", "most bytes to read"),
    ],
    results: [STATUS, BYTES_TRANSFERRED, EOF],
    windows: [{ ref: 2, offset: 3, length: 4, written: 1 }],
    transfer: { handle: 0, offset: 1, length: 4 },
    fuel: { base: 3000, perByte: 1 / 16, lengthArgument: 4 },
    statuses: ["OTHER", "TRANSIENT", "CORRUPT", "STALE"],
  },
  {
    name: "info",
    doc: "Tells what an artifact is, or one in the making so far. An artifact can be stored with several type tags: each is a record.",
    params: [
      parameter("handle", { ref: "Artifact|Writer" }, "what is asked about"),
      parameter("record", "u32", "number of the record, from 0: the one without a type tag first, then by tags"),
    ],
    results: [
      STATUS,
      parameter("bytes", "u64", "its length in bytes; 0 unless OK"),
      parameter("records", "u32", "how many records there are"),
      parameter("has_type_tag", "u32", "1 when this record has a type tag, else 0"),
      parameter("type_tag", "u32", "its type tag; 0 when it has none"),
      parameter("visibility", "u32", "0 internal, 1 published"),
    ],
    fuel: 50,
    statuses: ["OTHER", "NOT_FOUND", "STALE"],
  },
  {
    name: "create",
    doc: "Begins an artifact.",
    params: [
      parameter("type_tag", "u32", "its type tag; counts when `has_type_tag` is 1"),
      { ...parameter("has_type_tag", "u32", "1 when it is to have a type tag, else 0"), maximum: 1 },
    ],
    results: [STATUS, parameter("writer", { ref: "Writer" }, "takes its bytes; null unless OK")],
    fuel: 1000,
    capability: "store",
    statuses: ["OTHER", "READ_ONLY", "NO_SPACE", "QUOTA"],
  },
  {
    name: "write",
    doc: "Adds bytes at the end of an artifact in the making: all of them, or none.",
    params: [WRITER, parameter("host_offset", "i64", "-1: the end"), ...source("max_bytes", "bytes to write")],
    results: [STATUS, BYTES_TRANSFERRED],
    windows: [{ ref: 2, offset: 3, length: 4 }],
    transfer: { handle: 0, offset: 1, length: 4, end: true },
    fuel: { base: 500, perByte: 1 / 8, lengthArgument: 4 },
    statuses: ["OTHER", "INVALID", "NO_SPACE", "QUOTA", "TRANSIENT", "STALE", "SEALED", "ABORTED"],
  },
  {
    name: "seal",
    doc: "Ends the making of an artifact, and tells its key. It can be opened at once; it is stored when the guest has ended by itself.",
    params: [WRITER, ...destination("max_bytes", "room for the key in bytes, at least 36")],
    results: [STATUS, parameter("bytes_transferred", "u32", "length of the key, a multihash; 0 unless OK")],
    windows: [{ ref: 1, offset: 2, length: 3, written: 1 }],
    fuel: 3000,
    statuses: ["OTHER", "INVALID", "NO_SPACE", "QUOTA", "TRANSIENT", "CORRUPT", "STALE", "SEALED", "ABORTED"],
  },
  {
    name: "abort",
    doc: "Gives up an artifact that was not sealed.",
    params: [WRITER],
    results: [STATUS],
    fuel: 100,
    statuses: ["OTHER", "STALE", "SEALED"],
  },
  {
    name: "close",
    doc: "Ends a handle. An artifact that was not sealed is given up.",
    params: [parameter("handle", { ref: "Artifact|Writer" }, "what to close")],
    results: [STATUS],
    destroys: 0,
    fuel: 100,
    statuses: ["OTHER"],
  },
  {
    name: "list",
    doc: "Lists the artifacts behind a key, sorted by their digests, as records of length of the key, key, flags, type tag and length.",
    params: [
      parameter("after_ref", { ref: "Bytes" }, "object that holds the key"),
      parameter("after_offset", "u32", "where in it the key begins, in bytes"),
      parameter("after_length", "u32", "length of the key in bytes; 0: from the first artifact on"),
      ...destination("max_bytes", "most bytes to fill; 50 hold any record"),
    ],
    results: [STATUS, BYTES_TRANSFERRED, parameter("eof", "i32", "1 when no record is left, else 0")],
    windows: [
      { ref: 0, offset: 1, length: 2 },
      { ref: 3, offset: 4, length: 5, written: 1 },
    ],
    fuel: { base: 3000, perByte: 1, lengthArgument: 5 },
    capability: "store",
    statuses: ["OTHER", "INVALID", "TRANSIENT", "CORRUPT"],
  },
];

/** Every syscall, in the order in which the specs and the bindings list them. */
export const SYSCALLS: readonly Syscall[] = [
  ...FS.map((row) => syscallRow("fs", row)),
  ...SYS.map((row) => syscallRow("sys", row)),
  ...BANKS.map((row) => syscallRow("bank", row)),
  ...ASL.map((row) => syscallRow("asl", row)),
];

/** The row of a syscall; throws a RangeError for a name that is none. */
export function syscall(module: string, name: string): Syscall {
  const row = SYSCALLS.find((candidate) => candidate.module === module && candidate.name === name);
  if (row === undefined) throw new RangeError(`there is no syscall ${module}.${name}`);
  return row;
}
