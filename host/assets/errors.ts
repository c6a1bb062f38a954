/** What can be wrong with a pack, or with what one is made of (spec PACK-ERROR-1). */
import { AshlarError } from "../../vm/errors.ts";

/** Every code, with what it says. Append-only: programs compare codes. */
export const PACK_CODES = {
  "PACK-READ": "the source cannot be read",
  "PACK-MAGIC": "the file does not begin as a pack does",
  "PACK-VERSION": "the pack is of a version that this reader does not know",
  "PACK-FLAGS": "the pack requires what this reader does not know",
  "PACK-PRELUDE": "the prelude is damaged, or its fields contradict one another",
  "PACK-LENGTH": "the file is not as long as it says",
  "PACK-HEADER-SIZE": "the header is over the limit",
  "PACK-HEADER-DIGEST": "the header is not what its digest says",
  "PACK-JSON": "the header is not canonical JSON",
  "PACK-KEY": "a key is missing, unknown or in the wrong place",
  "PACK-VALUE": "a value is of the wrong type or out of range",
  "PACK-ASSET-ID": "an asset id is not a signed 32-bit integer, or not above the one before",
  "PACK-ASSET-NAME": "a name is not allowed, or not unique",
  "PACK-BANK-TYPE": "a bank type is not a name, or two have one number",
  "PACK-CODEC": "a codec is unknown",
  "PACK-RANGE": "a slice leaves the payload",
  "PACK-OVERLAP": "slices overlap",
  "PACK-ALIGNMENT": "a slice is not aligned",
  "PACK-HOLE": "the payload has bytes that belong to no slice",
  "PACK-DECODED-SIZE": "a decoded size is not allowed",
  "PACK-DIGEST": "stored bytes are not what their digest says",
  "PACK-DECODE": "stored bytes cannot be decoded to what the header says",
  "PACK-PADDING": "padding is not zero",
  "PACK-ROOT": "the payload is not what the prelude's root says",
  "PACK-PRELOAD-ID": "the preload names an asset that does not exist",
  "PACK-PRELOAD-SLOT": "the preload names a slot that does not exist",
  "PACK-PRELOAD-CLASH": "the preload fills a slot twice",
  "PACK-BASE": "a patch does not fit what lies below it",
  "PACK-REMOVED": "a patch removes what it cannot",
  "PACK-SIGNATURE": "the signature is not valid",
  "PACK-CHANGED": "a file changed while it was in use",
  "PACK-LIMIT": "a limit of the host would be passed",
  "PACK-CONFIG": "the configuration makes no sense",
  "PACK-INPUT": "an input cannot be packed",
  "PACK-IMPORT": "an input is not what its importer expects",
  "PACK-LOCK": "the lock file is damaged, or in use",
  "PACK-OUTPUT": "the output cannot be written",
  "PACK-EXTRACT": "an asset cannot be extracted safely",
  "PACK-KEYFILE": "a key cannot be used",
  "PACK-CACHE": "the cache cannot be used",
  "PACK-IDENTITY": "the pack is not the one that is asked for",
} as const;

export type PackCode = keyof typeof PACK_CODES;

/** One thing that is wrong, and where. */
export interface Problem {
  readonly code: PackCode;
  /** What was found and what was expected. */
  readonly message: string;
  /** Path of the file, where there is one. */
  readonly file?: string | undefined;
  /** JSON pointer (RFC 6901) into the header, or into a configuration. */
  readonly pointer?: string | undefined;
  /** Offset in bytes from the beginning of the file. */
  readonly offset?: number | undefined;
}

/** Most problems that one error tells. */
export const MOST_PROBLEMS = 100;

/** Where a {@link Problem} lies. */
export type ProblemPlace = Pick<Problem, "file" | "pointer" | "offset">;

/** A pack cannot be used, or not be made. `code` is that of the first problem. */
export class PackError extends AshlarError {
  readonly code: PackCode;
  /** The first {@link MOST_PROBLEMS}. */
  readonly problems: readonly Problem[];
  /** How many there are. */
  readonly total: number;

  constructor(code: PackCode, message: string, place: ProblemPlace = {}) {
    const problem = { code, message, ...place };
    super(describe(problem));
    this.name = "PackError";
    this.code = code;
    this.problems = [problem];
    this.total = 1;
  }

  /** For what a call threw: that itself if it is a PackError, else one that says `what` went wrong, and why. */
  static from(error: unknown, code: PackCode, what: string, place: ProblemPlace = {}): PackError {
    if (error instanceof PackError) return error;
    const told = new PackError(code, `${what}: ${error instanceof Error ? error.message : error}`, place);
    told.cause = error;
    return told;
  }

  /** All that was found, of which there is at least one. */
  static of(problems: readonly Problem[], total: number = problems.length): PackError {
    const [first] = problems as readonly [Problem];
    const error = new PackError(first.code, first.message, first);
    const shown = problems.slice(0, MOST_PROBLEMS);
    const more = total > 1 ? ` (and ${total - 1} more)` : "";
    return Object.assign(error, { problems: shown, total, message: describe(first) + more });
  }
}

/** Gathers problems, so that all are told at once. */
export class Problems {
  readonly #found: Problem[] = [];
  #total = 0;
  readonly #file: string | undefined;

  constructor(file?: string) {
    this.#file = file;
  }
  get total(): number {
    return this.#total;
  }
  add(code: PackCode, message: string, place: ProblemPlace = {}): void {
    this.#total++;
    if (this.#found.length < MOST_PROBLEMS) this.#found.push({ code, message, file: this.#file, ...place });
  }
  /** Answers what `act` does. Keeps what it throws, if that is a PackError; then the answer is undefined. */
  gather<T>(act: () => T): T | undefined {
    try {
      return act();
    } catch (error) {
      if (!(error instanceof PackError)) throw error;
      for (const { code, message, ...place } of error.problems) this.add(code, message, place);
      this.#total += error.total - error.problems.length;
      return undefined;
    }
  }
  /** Throws when there are any. */
  check(): void {
    if (this.#total > 0) throw PackError.of(this.#found, this.#total);
  }
}

function describe({ message, file, pointer, offset }: Problem): string {
  const at = pointer !== undefined ? ` at ${pointer === "" ? "the top" : pointer}` : "";
  const where = at + (offset === undefined ? "" : ` at byte ${offset}`);
  return `${file === undefined ? "" : `${file}: `}${message}${where}`;
}
