/** Guest paths (spec FS-PATH-1 to 5): UTF-8 bytes to components. */
import { Status } from "../../syscalls/status.ts";
import { decodeUtf8, encodeUtf8 } from "../../vm/utf8.ts";

/** Longest path, in bytes. */
export const PATH_BYTES = 4096;
/** Longest component of a path, in bytes. */
export const NAME_BYTES = 255;

export interface Path {
  /** From the root; never empty strings, `.` or `..`. */
  readonly components: readonly string[];
  /** True when it ends with a slash or `.`: it can only name a directory. */
  readonly directory: boolean;
}

/** The path in `bytes`, or the status of what is wrong with it. */
export function parsePath(bytes: Uint8Array): Path | Status {
  if (bytes.length === 0) return Status.INVALID;
  if (bytes.length > PATH_BYTES) return Status.NAME_TOO_LONG;
  const text = decodeUtf8(bytes);
  if (text === undefined || text.includes("\0")) return Status.INVALID;
  const parts = text.split("/");
  const components: string[] = [];
  for (const part of parts) {
    if (part === "" || part === ".") continue;
    if (part === "..") return Status.ACCESS;
    if (isTooLong(part)) return Status.NAME_TOO_LONG;
    components.push(part);
  }
  const last = parts[parts.length - 1];
  return { components, directory: last === "" || last === "." };
}

function isTooLong(part: string): boolean {
  return part.length > NAME_BYTES || (part.length > NAME_BYTES / 3 && encodeUtf8(part).length > NAME_BYTES);
}

/** True when the bytes can be one component of a path. */
export function isName(name: Uint8Array): boolean {
  return name.length > 0 && name.length <= NAME_BYTES && decodeUtf8(name) !== undefined;
}

/** Order of names: by their bytes, a prefix first. */
export function compareNames(left: Uint8Array, right: Uint8Array): number {
  const length = Math.min(left.length, right.length);
  for (let k = 0; k < length; k++) {
    const difference = left[k]! - right[k]!;
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
