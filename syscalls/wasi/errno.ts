/** The errors of WASI preview 1 (spec WASI-ERRNO-1): the numbers are those of its documentation. */
import { Status, type StatusName } from "../status.ts";

export const Errno = {
  SUCCESS: 0,
  AGAIN: 6,
  BADF: 8,
  BUSY: 10,
  DQUOT: 19,
  EXIST: 20,
  FBIG: 22,
  INVAL: 28,
  IO: 29,
  ISDIR: 31,
  LOOP: 32,
  MLINK: 34,
  NAMETOOLONG: 37,
  NFILE: 41,
  NOENT: 44,
  NOMEM: 48,
  NOSPC: 51,
  NOSYS: 52,
  NOTDIR: 54,
  NOTEMPTY: 55,
  NOTSOCK: 57,
  NOTSUP: 58,
  NXIO: 60,
  OVERFLOW: 61,
  PERM: 63,
  ROFS: 69,
  SPIPE: 70,
  STALE: 72,
  XDEV: 75,
  NOTCAPABLE: 76,
} as const;
export type ErrnoName = keyof typeof Errno;
export type Errno = (typeof Errno)[ErrnoName];

/** What the syscalls of WASI programs answer: none of them is about banks or the store. */
export type WasiStatus = Exclude<StatusName, "NOT_READY" | "CANCELED" | "NO_SLOT" | "SEALED" | "ABORTED">;

/** What a program is told of a status (spec WASI-ERRNO-2). */
export const ERRNO_OF_STATUS: { readonly [name in WasiStatus]: ErrnoName } = {
  OK: "SUCCESS",
  OTHER: "IO",
  INVALID: "INVAL",
  NOT_FOUND: "NOENT",
  EXISTS: "EXIST",
  ACCESS: "PERM",
  READ_ONLY: "ROFS",
  NO_SPACE: "NOSPC",
  QUOTA: "DQUOT",
  BUSY: "BUSY",
  TRANSIENT: "AGAIN",
  CORRUPT: "IO",
  UNSUPPORTED: "NOTSUP",
  STALE: "STALE",
  NOT_DIRECTORY: "NOTDIR",
  IS_DIRECTORY: "ISDIR",
  NAME_TOO_LONG: "NAMETOOLONG",
  LOOP: "LOOP",
  TOO_MANY_OPEN: "NFILE",
  TOO_LARGE: "FBIG",
  SPECIAL_FILE: "NXIO",
  NOT_EMPTY: "NOTEMPTY",
  CROSS_DEVICE: "XDEV",
  TOO_MANY_LINKS: "MLINK",
};

const NUMBERS = new Map<number, Errno>(
  Object.entries(ERRNO_OF_STATUS).map(([status, errno]) => [Status[status as StatusName], Errno[errno]]),
);

export function errnoOf(status: number): Errno {
  return status === Status.OK ? Errno.SUCCESS : (NUMBERS.get(status) ?? Errno.IO);
}

const NAMES = new Map<number, ErrnoName>(Object.entries(Errno).map(([name, number]) => [number, name as ErrnoName]));

/** Name of an error that these functions answer; undefined for any other number. */
export function errnoName(errno: number): ErrnoName | undefined {
  return NAMES.get(errno);
}
