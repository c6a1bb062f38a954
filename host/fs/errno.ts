/** Errors of `node:fs` and its like, by their `code`, to statuses (spec FS-ERRNO-1). */
import { Status, type StatusName } from "../../syscalls/status.ts";
import { syscall } from "../../syscalls/table.ts";

const STATUSES: { readonly [errno: string]: StatusName } = {
  EACCES: "ACCESS",
  EAGAIN: "TRANSIENT",
  EBUSY: "BUSY",
  EDQUOT: "QUOTA",
  EEXIST: "EXISTS",
  EFBIG: "TOO_LARGE",
  EINTR: "TRANSIENT",
  EISDIR: "IS_DIRECTORY",
  ELOOP: "LOOP",
  EMFILE: "TOO_MANY_OPEN",
  ENAMETOOLONG: "NAME_TOO_LONG",
  ENFILE: "TOO_MANY_OPEN",
  ENODEV: "SPECIAL_FILE",
  ENOENT: "NOT_FOUND",
  ENOSPC: "NO_SPACE",
  ENOSYS: "UNSUPPORTED",
  ENOTDIR: "NOT_DIRECTORY",
  ENOTSUP: "UNSUPPORTED",
  ENXIO: "SPECIAL_FILE",
  EOPNOTSUPP: "UNSUPPORTED",
  EPERM: "ACCESS",
  EROFS: "READ_ONLY",
  ETXTBSY: "BUSY",
};

const DECLARED = new Map(
  ["open", "read", "write", "size", "close", "list"].map((name) => [name, new Set(syscall("fs", name).statuses)]),
);
export type FsCall = "open" | "read" | "write" | "size" | "close" | "list";

/** The `code` of a host error, or undefined. */
export function errnoOf(error: unknown): string | undefined {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}

/** Status of a host error that `call` met: OTHER where it has none, or none that the call declares. */
export function statusOf(error: unknown, call: FsCall): Status {
  const name = STATUSES[errnoOf(error) ?? ""];
  return name !== undefined && DECLARED.get(call)!.has(name) ? Status[name] : Status.OTHER;
}
