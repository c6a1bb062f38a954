/** Errors of `node:fs` and its like, by their `code`, to statuses (spec FS-ERRNO-1). */
import { Status, type StatusName } from "../../syscalls/status.ts";
import { SYSCALLS } from "../../syscalls/table.ts";

const STATUSES: { readonly [errno: string]: StatusName } = {
  EACCES: "ACCESS",
  EAGAIN: "TRANSIENT",
  EBUSY: "BUSY",
  EDQUOT: "QUOTA",
  EEXIST: "EXISTS",
  EFBIG: "TOO_LARGE",
  EINTR: "TRANSIENT",
  EINVAL: "INVALID",
  EISDIR: "IS_DIRECTORY",
  ELOOP: "LOOP",
  EMFILE: "TOO_MANY_OPEN",
  EMLINK: "TOO_MANY_LINKS",
  ENAMETOOLONG: "NAME_TOO_LONG",
  ENFILE: "TOO_MANY_OPEN",
  ENODEV: "SPECIAL_FILE",
  ENOENT: "NOT_FOUND",
  ENOSPC: "NO_SPACE",
  ENOSYS: "UNSUPPORTED",
  ENOTDIR: "NOT_DIRECTORY",
  ENOTEMPTY: "NOT_EMPTY",
  ENOTSUP: "UNSUPPORTED",
  ENXIO: "SPECIAL_FILE",
  EOPNOTSUPP: "UNSUPPORTED",
  EPERM: "ACCESS",
  EROFS: "READ_ONLY",
  ETXTBSY: "BUSY",
  EXDEV: "CROSS_DEVICE",
};

/** The `code` of a host error, or undefined. */
export function errnoOf(error: unknown): string | undefined {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : undefined;
}

/**
 * Status of a host error that the call `fs.NAME` met; OTHER where it has none, or none that the call declares. What any
 * call with a path may meet while it looks the path up counts as met by `stat`.
 */
export function statusOf(error: unknown, call: string): Status {
  const name = STATUSES[errnoOf(error) ?? ""];
  const row = SYSCALLS.find((candidate) => candidate.module === "fs" && candidate.name === call);
  return name !== undefined && row?.statuses.includes(name) ? Status[name] : Status.OTHER;
}
