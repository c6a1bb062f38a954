/** What can be wrong with a store, or with what is asked of one (spec ASL-ERROR-1). */
import { AshlarError } from "../../vm/errors.ts";

/** Every code, with what it says. Append-only: programs compare codes. */
export const ASL_CODES = {
  "ASL-ARGUMENT": "an argument makes no sense",
  "ASL-KEY": "it is no key of an artifact",
  "ASL-NOT-FOUND": "the store has no such thing",
  "ASL-EXISTS": "the store has it already",
  "ASL-NO-STORE": "the folder holds no store",
  "ASL-VERSION": "the store is of a version, or requires features, that this program does not know",
  "ASL-FORMAT": "the file that says what the store is, is damaged",
  "ASL-LOCKED": "another process writes to the store",
  "ASL-CLOSED": "the store is closed",
  "ASL-READ-ONLY": "the store was opened for reading",
  "ASL-POISONED": "a sync failed: the store takes no more until it is opened again",
  "ASL-EPOCH": "another writer has taken over",
  "ASL-READ": "a file cannot be read",
  "ASL-WRITE": "a file cannot be written",
  "ASL-NO-SPACE": "the disk, or a quota of it, is full",
  "ASL-CURRENT-DAMAGED": "CURRENT or its checkpoint is damaged; the log tells all that they tell",
  "ASL-LOG-DAMAGED": "the log is damaged",
  "ASL-INDEX-DAMAGED": "the index is damaged; the log tells all that it tells",
  "ASL-BLOCK-DAMAGED": "a block is damaged",
  "ASL-CORRUPT": "stored bytes are not what their key says",
  "ASL-LIMIT": "a limit would be passed",
  "ASL-DISCARDED": "the batch is committed or discarded",
} as const;

export type AslCode = keyof typeof ASL_CODES;

/** Where something is wrong. */
export interface AslPlace {
  /** Path of the file inside the store. */
  readonly file?: string | undefined;
  /** Offset in bytes from the beginning of the file. */
  readonly offset?: number | undefined;
  /** Key of the artifact that it is about. */
  readonly key?: string | undefined;
}

/** A store cannot be used, or not be used so. */
export class AslError extends AshlarError {
  readonly code: AslCode;
  readonly place: AslPlace;

  constructor(code: AslCode, message: string, place: AslPlace = {}, cause?: unknown) {
    const { file, offset, key } = place;
    const at = offset === undefined ? "" : ` at byte ${offset}`;
    super(`${file === undefined ? "" : `${file}${at}: `}${key === undefined ? "" : `${key}: `}${message}`);
    this.name = "AslError";
    this.code = code;
    this.place = place;
    if (cause !== undefined) this.cause = cause;
  }

  /** For what a call of a volume threw: that itself if it is an AslError; what there is no room for has a code of its own. */
  static from(error: unknown, code: AslCode, what: string, place: AslPlace = {}): AslError {
    if (error instanceof AslError) return error;
    const { code: errno } = error as NodeJS.ErrnoException;
    const isFull = errno === "ENOSPC" || errno === "EDQUOT" || errno === "EFBIG";
    const reason = error instanceof Error ? error.message : String(error);
    return new AslError(isFull ? "ASL-NO-SPACE" : code, `${what}: ${reason}`, place, error);
  }
}
