/** What can be wrong with edges, or with what is asked of a graph (spec TGK-ERROR-1). */
import { AshlarError } from "../../vm/errors.ts";

/** Every code, with what it says. Append-only: programs compare codes. */
export const TGK_CODES = {
  "TGK-ARGUMENT": "an argument makes no sense",
  "TGK-EDGE": "the bytes are no edge artifact",
  "TGK-LIMIT": "a limit would be passed",
  "TGK-CLOSED": "the graph is closed",
  "TGK-INDEX-DAMAGED":
    "the index of edges is damaged; the log tells all that it tells, and it is made again when it is opened next",
} as const;

export type TgkCode = keyof typeof TGK_CODES;

/** Where something is wrong. */
export interface TgkPlace {
  /** Offset in bytes from the beginning of the artifact, or of the file. */
  readonly offset?: number | undefined;
  /** Key of the artifact that it is about. */
  readonly key?: string | undefined;
  /** Path of the file inside the store. */
  readonly file?: string | undefined;
}

/** An edge is none, or a graph cannot be asked so. */
export class TgkError extends AshlarError {
  readonly code: TgkCode;
  readonly place: TgkPlace;

  constructor(code: TgkCode, message: string, place: TgkPlace = {}, cause?: unknown) {
    const { offset, key, file } = place;
    const before = [key, file].filter((part) => part !== undefined);
    super(`${before.map((part) => `${part}: `).join("")}${message}${offset === undefined ? "" : ` at byte ${offset}`}`);
    this.name = "TgkError";
    this.code = code;
    this.place = place;
    if (cause !== undefined) this.cause = cause;
  }
}
