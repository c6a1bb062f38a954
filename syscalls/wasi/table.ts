/**
 * The functions of WASI preview 1 (spec 18): types, prices, the syscalls behind each and the errors of its own. Links,
 * traces and the table in `specs/18-wasi.md` are derived from these rows; the bodies have the same names.
 */
import type { CallFuel, Parameter } from "../../vm/declaration.ts";
import { SYSCALLS, type Syscall, syscallRow } from "../table.ts";
import { ERRNO_OF_STATUS, Errno, type ErrnoName, type WasiStatus } from "./errno.ts";
import * as files from "./files.ts";
import * as paths from "./paths.ts";
import * as process from "./process.ts";
import type { Wasi } from "./wasi.ts";

export const WASI_MODULE = "wasi_snapshot_preview1";

/** Takes the words of a call; answers an errno, or nothing where the function has no result. */
export type WasiBody = (wasi: Wasi, ...words: never[]) => number;

export interface WasiFunction {
  /** What guests import; its results are none, or the errno. */
  readonly row: Syscall;
  /** The syscalls that it makes, by full name; `~` before one whose status it does not tell. */
  readonly syscalls: readonly string[];
  /** Every errno it can answer but SUCCESS: its own, and those of the statuses of its syscalls, by number. */
  readonly errnos: readonly ErrnoName[];
  readonly body: WasiBody;
}

/** `fd offset:u64`: names with types, u32 where there is none. */
type ParameterText = string;

function parametersOf(text: ParameterText): Parameter[] {
  return text
    .split(" ")
    .filter((word) => word !== "")
    .map((word) => {
      const [name = "", type = "u32"] = word.split(":");
      return { name, type: type as Parameter["type"], doc: "as WASI says" };
    });
}

const ERRNO: Parameter = { name: "errno", type: "i32", doc: "0, or what went wrong" };

/** A price that grows with the parameter of that name. */
interface Rate {
  readonly base: number;
  readonly perByte: number;
  readonly of: string;
}

function fuelOf(fuel: number | Rate, params: readonly Parameter[]): CallFuel {
  if (typeof fuel === "number") return fuel;
  const { base, perByte, of } = fuel;
  return { base, perByte, lengthArgument: params.findIndex(({ name }) => name === of) };
}

function wasi(
  name: string,
  parameters: ParameterText,
  fuel: number | Rate,
  syscalls: string,
  own: string,
  body: WasiBody,
): WasiFunction {
  const params = parametersOf(parameters);
  const made = syscalls === "" ? [] : syscalls.split(" ");
  const row = syscallRow(WASI_MODULE, {
    name,
    doc: "As WASI preview 1 documents it.",
    params,
    ...(name !== "proc_exit" && { results: [ERRNO] }),
    fuel: fuelOf(fuel, params),
    traps: ["BadPointer"],
  });
  const mayFree = made.includes("fs.close");
  return {
    row: { ...row, mayFree },
    syscalls: made,
    get errnos() {
      return errnosOf(made, own);
    },
    body,
  };
}

function errnosOf(syscalls: readonly string[], own: string): readonly ErrnoName[] {
  const names = new Set(own.split(" ").filter((name) => name !== "") as ErrnoName[]);
  for (const syscall of syscalls) {
    if (syscall.startsWith("~")) continue;
    const row = SYSCALLS.find((candidate) => `${candidate.module}.${candidate.name}` === syscall)!;
    for (const status of row.statuses) names.add(ERRNO_OF_STATUS[status as WasiStatus]);
  }
  return [...names].sort((left, right) => Errno[left] - Errno[right]);
}

/** As of `fs.stat` and the other calls with a path. */
function walk(of: string, base = 2100): Rate {
  return { base, perByte: 8, of };
}
/** Bytes are charged as soon as the vectors are read (spec WASI-FUEL-1). */
const VECTORS: Rate = { base: 600, perByte: 4, of: "iovs_len" };
const TEXTS = "sys.args_count sys.arg_size sys.arg_read sys.name_size sys.name_read";
const VARIABLES = "sys.env_count sys.env_size sys.env_read";
const TIMES = "atim:u64 mtim:u64 fst_flags";

/** All 46, in the order of WASI's documentation. */
export const WASI_FUNCTIONS: readonly WasiFunction[] = [
  wasi("args_get", "argv argv_buf", 100, TEXTS, "NOMEM", process.args_get),
  wasi("args_sizes_get", "argc argv_buf_size", 50, TEXTS, "", process.args_sizes_get),
  wasi("environ_get", "environ environ_buf", 100, VARIABLES, "NOMEM", process.environ_get),
  wasi("environ_sizes_get", "environc environ_buf_size", 50, VARIABLES, "", process.environ_sizes_get),
  wasi("clock_res_get", "id resolution", 20, "", "INVAL", process.clock_res_get),
  wasi("clock_time_get", "id precision:u64 time", 40, "sys.clock", "INVAL", process.clock_time_get),
  wasi("fd_advise", "fd offset:u64 len:u64 advice", 20, "", "BADF INVAL SPIPE", files.fd_advise),
  wasi("fd_allocate", "fd offset:u64 len:u64", 1200, "fs.size fs.truncate", "BADF INVAL SPIPE FBIG", files.fd_allocate),
  wasi("fd_close", "fd", 520, "fs.close", "BADF", files.fd_close),
  wasi("fd_datasync", "fd", 5000, "fs.sync", "BADF INVAL", files.fd_sync),
  wasi("fd_fdstat_get", "fd stat", 60, "sys.interactive", "BADF", files.fd_fdstat_get),
  wasi("fd_fdstat_set_flags", "fd flags", 20, "", "BADF INVAL", files.fd_fdstat_set_flags),
  wasi(
    "fd_fdstat_set_rights",
    "fd fs_rights_base:u64 fs_rights_inheriting:u64",
    20,
    "",
    "BADF NOTCAPABLE",
    files.fd_fdstat_set_rights,
  ),
  wasi("fd_filestat_get", "fd stat", 2100, "fs.stat sys.interactive", "BADF NOMEM", files.fd_filestat_get),
  wasi("fd_filestat_set_size", "fd size:u64", 1000, "fs.truncate", "BADF INVAL", files.fd_filestat_set_size),
  wasi(
    "fd_filestat_set_times",
    `fd ${TIMES}`,
    2100,
    "fs.set_times sys.clock",
    "BADF INVAL NOMEM",
    files.fd_filestat_set_times,
  ),
  wasi(
    "fd_pread",
    "fd iovs iovs_len offset:u64 nread",
    VECTORS,
    "fs.read",
    "BADF INVAL ISDIR SPIPE NOMEM",
    files.fd_pread,
  ),
  wasi("fd_prestat_get", "fd prestat", 20, "", "BADF", files.fd_prestat_get),
  wasi(
    "fd_prestat_dir_name",
    "fd path path_len",
    { base: 30, perByte: 1 / 64, of: "path_len" },
    "",
    "BADF NAMETOOLONG",
    files.fd_prestat_dir_name,
  ),
  wasi(
    "fd_pwrite",
    "fd iovs iovs_len offset:u64 nwritten",
    VECTORS,
    "fs.write fs.sync",
    "BADF INVAL ISDIR SPIPE FBIG NOMEM",
    files.fd_pwrite,
  ),
  wasi("fd_read", "fd iovs iovs_len nread", VECTORS, "fs.read", "BADF INVAL ISDIR NOMEM", files.fd_read),
  wasi(
    "fd_readdir",
    "fd buf buf_len cookie:u64 bufused",
    { base: 4000, perByte: 16, of: "buf_len" },
    "fs.list ~fs.stat",
    "BADF INVAL NOTDIR",
    files.fd_readdir,
  ),
  wasi("fd_renumber", "fd to", 560, "fs.close", "BADF", files.fd_renumber),
  wasi("fd_seek", "fd offset:i64 whence newoffset", 240, "fs.size", "BADF INVAL SPIPE OVERFLOW", files.fd_seek),
  wasi("fd_sync", "fd", 5000, "fs.sync", "BADF INVAL", files.fd_sync),
  wasi("fd_tell", "fd offset", 20, "", "BADF SPIPE", files.fd_tell),
  wasi(
    "fd_write",
    "fd iovs iovs_len nwritten",
    VECTORS,
    "fs.write ~fs.size fs.sync",
    "BADF INVAL ISDIR NOMEM",
    files.fd_write,
  ),
  wasi(
    "path_create_directory",
    "fd path path_len",
    walk("path_len"),
    "fs.mkdir",
    "BADF NOTDIR NOENT NOMEM",
    paths.path_create_directory,
  ),
  wasi(
    "path_filestat_get",
    "fd flags path path_len stat",
    walk("path_len"),
    "fs.stat",
    "BADF NOTDIR NOENT NOMEM INVAL",
    paths.path_filestat_get,
  ),
  wasi(
    "path_filestat_set_times",
    `fd flags path path_len ${TIMES}`,
    walk("path_len"),
    "fs.set_times sys.clock",
    "BADF NOTDIR NOENT NOMEM INVAL",
    paths.path_filestat_set_times,
  ),
  wasi(
    "path_link",
    "old_fd old_flags old_path old_path_len new_fd new_path new_path_len",
    walk("new_path_len"),
    "fs.link",
    "BADF NOTDIR NOENT NOMEM INVAL",
    paths.path_link,
  ),
  wasi(
    "path_open",
    "fd dirflags path path_len oflags fs_rights_base:u64 fs_rights_inheriting:u64 fdflags opened_fd",
    walk("path_len", 2500),
    "fs.open",
    "BADF NOTDIR NOENT NOMEM INVAL",
    paths.path_open,
  ),
  wasi(
    "path_readlink",
    "fd path path_len buf buf_len bufused",
    walk("path_len"),
    "fs.readlink",
    "BADF NOTDIR NOENT NOMEM",
    paths.path_readlink,
  ),
  wasi(
    "path_remove_directory",
    "fd path path_len",
    walk("path_len"),
    "fs.rmdir",
    "BADF NOTDIR NOENT NOMEM",
    paths.path_remove_directory,
  ),
  wasi(
    "path_rename",
    "fd old_path old_path_len new_fd new_path new_path_len",
    walk("new_path_len"),
    "fs.rename",
    "BADF NOTDIR NOENT NOMEM",
    paths.path_rename,
  ),
  wasi(
    "path_symlink",
    "old_path old_path_len fd new_path new_path_len",
    walk("new_path_len"),
    "fs.symlink",
    "BADF NOTDIR NOENT NOMEM",
    paths.path_symlink,
  ),
  wasi(
    "path_unlink_file",
    "fd path path_len",
    walk("path_len"),
    "fs.unlink",
    "BADF NOTDIR NOENT NOMEM",
    paths.path_unlink_file,
  ),
  wasi(
    "poll_oneoff",
    "in out nsubscriptions nevents",
    { base: 200, perByte: 300, of: "nsubscriptions" },
    "~fs.size sys.clock sys.sleep",
    "INVAL",
    process.poll_oneoff,
  ),
  wasi("proc_exit", "rval", 1, "sys.exit", "", process.proc_exit),
  wasi("proc_raise", "sig", 1, "", "NOSYS", process.proc_raise),
  wasi("sched_yield", "", 1, "", "", process.sched_yield),
  wasi(
    "random_get",
    "buf buf_len",
    { base: 60, perByte: 1 / 8, of: "buf_len" },
    "sys.random",
    "NOMEM",
    process.random_get,
  ),
  wasi("sock_accept", "fd flags ro_fd", 20, "", "BADF NOTSOCK", process.sock_accept),
  wasi("sock_recv", "fd ri_data ri_data_len ri_flags ro_datalen ro_flags", 20, "", "BADF NOTSOCK", process.sock_recv),
  wasi("sock_send", "fd si_data si_data_len si_flags so_datalen", 20, "", "BADF NOTSOCK", process.sock_send),
  wasi("sock_shutdown", "fd how", 20, "", "BADF NOTSOCK", process.sock_shutdown),
];
