/**
 * Operational outcomes of syscalls (spec ABI-STATUS-1): an append-only list. 0 is success, 1–99 are common, 100–199
 * belong to file systems, 200–299 to banks, 300–399 to the store; later rooms add their own hundreds.
 */

export const Status = {
  OK: 0,
  OTHER: 1,
  INVALID: 2,
  NOT_FOUND: 3,
  EXISTS: 4,
  ACCESS: 5,
  READ_ONLY: 6,
  NO_SPACE: 7,
  QUOTA: 8,
  BUSY: 9,
  TRANSIENT: 10,
  CORRUPT: 11,
  UNSUPPORTED: 12,
  STALE: 13,
  NOT_DIRECTORY: 100,
  IS_DIRECTORY: 101,
  NAME_TOO_LONG: 102,
  LOOP: 103,
  TOO_MANY_OPEN: 104,
  TOO_LARGE: 105,
  SPECIAL_FILE: 106,
  NOT_EMPTY: 107,
  CROSS_DEVICE: 108,
  TOO_MANY_LINKS: 109,
  NOT_READY: 200,
  CANCELED: 201,
  NO_SLOT: 202,
  SEALED: 300,
  ABORTED: 301,
} as const;
export type StatusName = keyof typeof Status;
export type Status = (typeof Status)[StatusName];

/** What each status says to a person. */
export const STATUS_MESSAGES: { readonly [name in StatusName]: string } = {
  OK: "done",
  OTHER: "a host error that has no status of its own",
  INVALID: "the combination of arguments makes no sense",
  NOT_FOUND: "nothing has this name",
  EXISTS: "the name is taken",
  ACCESS: "not permitted",
  READ_ONLY: "the file system or the grant is read-only",
  NO_SPACE: "the device is full",
  QUOTA: "a quota is used up",
  BUSY: "in use by someone else",
  TRANSIENT: "failed for now; the same call may succeed later",
  CORRUPT: "the stored bytes are damaged",
  UNSUPPORTED: "the backend cannot do this",
  STALE: "what the handle stood for is gone since a snapshot was restored, or is no longer the same",
  NOT_DIRECTORY: "a directory is needed and this is none",
  IS_DIRECTORY: "this is a directory",
  NAME_TOO_LONG: "the path or one of its names is too long",
  LOOP: "too many symbolic links, or one where none may be",
  TOO_MANY_OPEN: "the host has no file handle left",
  TOO_LARGE: "the file would be too large",
  SPECIAL_FILE: "neither a regular file nor a directory",
  NOT_EMPTY: "the directory is not empty",
  CROSS_DEVICE: "the two paths lead to different mounts",
  TOO_MANY_LINKS: "the file has as many names as it can have",
  NOT_READY: "the load has not come that far",
  CANCELED: "the load was canceled",
  NO_SLOT: "banks have no slot of this number",
  SEALED: "the writer is sealed: its artifact does not change any more",
  ABORTED: "the writer was aborted",
};

const NAMES = new Map<number, StatusName>(Object.entries(Status).map(([name, status]) => [status, name as StatusName]));

/** Name of a status, or undefined for a number that is none. */
export function statusName(status: number): StatusName | undefined {
  return NAMES.get(status);
}
