/** What can be wrong with a program, a receipt, or a run of one (spec PEL-ERROR-1). */
import { AshlarError } from "../../vm/errors.ts";

/** Every code, with what it says. Append-only: programs compare codes. */
export const PEL_CODES = {
  "PEL-ARGUMENT": "an argument makes no sense",
  "PEL-ENCODING": "the bytes are not deterministic CBOR, or not the items that are expected",
  "PEL-VERSION": "it is of a version that this program does not know",
  "PEL-NOT-CANONICAL": "a program has one encoding, and this is another",
  "PEL-JSON": "the text is not JSON, or a member comes twice",
  "PEL-MEMBER": "a member is missing or unknown",
  "PEL-TYPE": "a value is of the wrong type",
  "PEL-VALUE": "a value is out of range",
  "PEL-NAME": "a name is not allowed, or comes twice",
  "PEL-OPCODE": "there is no such operation",
  "PEL-UNSUPPORTED-NODE": "the operation is reserved and cannot run yet",
  "PEL-ARITY": "a node has too few or too many refs",
  "PEL-REF": "a ref leads nowhere, or to several outputs",
  "PEL-CYCLE": "a node depends on itself",
  "PEL-LIMIT": "a limit would be passed",
  "PEL-MODULE": "the module of a guest cannot be found",
  "PEL-KERNEL": "the host could not run a guest",
  "PEL-RECEIPT": "the bytes are no receipt",
  "PEL-INPUT": "what a run is given is missing, unknown, or not in the store",
  "PEL-ENVELOPE": "it is no signed envelope, or one of something else",
  "PEL-SIGNATURE": "an envelope is not signed by the key",
  "PEL-STATEMENT": "an envelope holds no statement about a receipt",
  "PEL-ATTEST": "a receipt cannot be attested, or is not what a statement says",
} as const;

export type PelCode = keyof typeof PEL_CODES;

/** Where something is wrong. */
export interface PelPlace {
  /** JSON pointer (RFC 6901) into the program, or into the text of one. */
  readonly pointer?: string | undefined;
  /** Offset in bytes from the beginning of what was decoded. */
  readonly offset?: number | undefined;
  /** Key of the artifact that it is about. */
  readonly key?: string | undefined;
  /** Index of the node in the program. */
  readonly node?: number | undefined;
}

/** One thing that is wrong, and where. */
export interface PelProblem {
  readonly code: PelCode;
  /** What was found and what was expected. */
  readonly message: string;
  readonly place: PelPlace;
}

/** Most problems that one error tells. */
export const MOST_PROBLEMS = 100;

/** A program or a receipt cannot be used, or not be made. `code` is that of the first problem. */
export class PelError extends AshlarError {
  readonly code: PelCode;
  readonly place: PelPlace;
  /** The first {@link MOST_PROBLEMS}. */
  readonly problems: readonly PelProblem[];
  /** How many there are. */
  readonly total: number;

  constructor(code: PelCode, message: string, place: PelPlace = {}, cause?: unknown) {
    super(describe({ code, message, place }));
    this.name = "PelError";
    this.code = code;
    this.place = place;
    this.problems = [{ code, message, place }];
    this.total = 1;
    if (cause !== undefined) this.cause = cause;
  }

  /** All that was found, of which there is at least one. */
  static of(problems: readonly PelProblem[], total: number = problems.length): PelError {
    const [first] = problems as readonly [PelProblem];
    const error = new PelError(first.code, first.message, first.place);
    const more = total > 1 ? ` (and ${total - 1} more)` : "";
    return Object.assign(error, {
      problems: problems.slice(0, MOST_PROBLEMS),
      total,
      message: describe(first) + more,
    });
  }
}

function describe({ message, place: { pointer, offset, key } }: PelProblem): string {
  const at = pointer === undefined ? "" : ` at ${pointer === "" ? "the top" : pointer}`;
  const where = at + (offset === undefined ? "" : ` at byte ${offset}`);
  return `${key === undefined ? "" : `${key}: `}${message}${where}`;
}

/** Takes what is wrong: throws it at once, or gathers it. */
export type Report = (code: PelCode, message: string, pointer: string) => void;

/** Gathers problems, so that all are told at once. */
export class Problems {
  readonly #found: PelProblem[] = [];
  #total = 0;

  add(code: PelCode, message: string, place: PelPlace): void {
    this.#total++;
    if (this.#found.length < MOST_PROBLEMS) this.#found.push({ code, message, place });
  }
  /** Throws when there are any. */
  check(): void {
    if (this.#total > 0) throw PelError.of(this.#found, this.#total);
  }
}

/** Throws PEL-ARGUMENT unless `isRight`: types are no check of what JavaScript gives. */
export function expectArgument(isRight: boolean, what: string): asserts isRight {
  if (!isRight) throw new PelError("PEL-ARGUMENT", `${what} was expected`);
}
