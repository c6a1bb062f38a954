/** Guest paths (spec FS-PATH-1 to 4): UTF-8 bytes to components. */
import { Status } from "../../syscalls/status.ts";
import { decodeUtf8, encodeUtf8 } from "../../vm/utf8.ts";

/** Longest path, in bytes. */
export const PATH_BYTES = 4096;
/** Longest component of a path, in bytes. */
export const NAME_BYTES = 255;

export interface Path {
  /** Names and `..`; never empty strings or `.`. */
  readonly components: readonly string[];
  /** True when it ends with a slash, `.` or `..`: it can only name a directory. */
  readonly directory: boolean;
  /** True when it ends with `.` or `..`, whatever slashes are behind: it names nothing that can be made or removed. */
  readonly dots: boolean;
  /** True when it begins with a slash. */
  readonly absolute: boolean;
}

/** The path in `bytes`, or the status of what is wrong with it. */
export function parsePath(bytes: Uint8Array, most: number = PATH_BYTES): Path | Status {
  const text = parseText(bytes, most);
  if (typeof text === "number") return text;
  const parts = text.split("/");
  const components: string[] = [];
  for (const part of parts) {
    if (part === "" || part === ".") continue;
    if (isTooLong(part)) return Status.NAME_TOO_LONG;
    components.push(part);
  }
  const last = parts.findLast((part) => part !== "");
  const dots = last === "." || last === "..";
  return { components, directory: dots || parts[parts.length - 1] === "", dots, absolute: parts[0] === "" };
}

/** The text of a path, or of a link's target; or the status of what is wrong with it. */
export function parseText(bytes: Uint8Array, most: number = PATH_BYTES): string | Status {
  if (bytes.length === 0) return Status.INVALID;
  if (bytes.length > most) return Status.NAME_TOO_LONG;
  const text = decodeUtf8(bytes);
  return text === undefined || text.includes("\0") ? Status.INVALID : text;
}

/** True for a component over 255 bytes. */
export function isTooLong(part: string): boolean {
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
