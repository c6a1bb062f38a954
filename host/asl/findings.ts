/** What a check of a store finds (spec ASL-FSCK-1). */
import { type AslCode, AslError, type AslPlace } from "./errors.ts";

export interface Problem {
  readonly code: AslCode;
  readonly message: string;
  /** Path inside the store. */
  readonly file?: string | undefined;
  readonly offset?: number | undefined;
  /** Of the artifact that is damaged. */
  readonly key?: string | undefined;
  /** What refers to that artifact, in words. */
  readonly affects: readonly string[];
  /** What was done about it. */
  readonly repaired?: string | undefined;
}

/** A store may have as many problems as artifacts. */
const MOST_PROBLEMS = 1000;

export class Findings {
  readonly problems: Problem[] = [];
  /** Problems beyond those that are listed. */
  omitted = 0;
  /** Calls of {@link add}, of which several may be of one problem. */
  calls = 0;

  add(code: AslCode, message: string, { file, offset, key }: AslPlace = {}, affects: readonly string[] = []): void {
    this.calls++;
    const isSame = (other: Problem): boolean =>
      other.code === code && other.file === file && other.offset === offset && other.key === key;
    if (this.problems.some(isSame)) return;
    if (this.problems.length >= MOST_PROBLEMS) this.omitted++;
    else this.problems.push({ code, message, file, offset, key, affects });
  }
  /** Takes what was thrown for a problem, if it is one of the store, or of the disk. */
  take(error: unknown, place: AslPlace = {}): void {
    if (!(error instanceof AslError)) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (typeof code !== "string" || !/^E[A-Z0-9]+$/.test(code)) throw error;
      this.add("ASL-READ", `it cannot be read: ${message}`, place);
      return;
    }
    const { file, offset } = error.place;
    const at = offset === undefined ? "" : ` at byte ${offset}`;
    const prefix = file === undefined ? "" : `${file}${at}: `;
    const message = error.message.startsWith(prefix) ? error.message.slice(prefix.length) : error.message;
    this.add(error.code, message, error.place);
  }
  /** A state to come back to. */
  mark(): { readonly problems: number; readonly omitted: number } {
    return { problems: this.problems.length, omitted: this.omitted };
  }
  /** Forgets what was added since. */
  rollback({ problems, omitted }: ReturnType<Findings["mark"]>): void {
    this.problems.length = problems;
    this.omitted = omitted;
  }
  has(...codes: readonly AslCode[]): boolean {
    return this.problems.some(({ code }) => codes.includes(code));
  }
}
