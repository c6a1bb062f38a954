/** Where two values of JSON differ. */
import { pointerStep } from "../assets/json.ts";

export interface Difference {
  /** JSON pointer (RFC 6901). */
  readonly pointer: string;
  /** Undefined where there is nothing. */
  readonly before: unknown;
  readonly after: unknown;
}

/** Every place where `after` is not what `before` is, in the order of `before`; members that objects have in addition do not count where `isOpen` says so. */
export function* differences(
  before: unknown,
  after: unknown,
  isOpen: (pointer: string) => boolean = () => false,
  pointer = "",
): Generator<Difference, void, undefined> {
  if (!isContainer(before) || !isContainer(after) || Array.isArray(before) !== Array.isArray(after)) {
    if (!Object.is(before, after)) yield { pointer, before, after };
    return;
  }
  const isWhole = Array.isArray(before) || !isOpen(pointer);
  const added = isWhole ? Object.keys(after).filter((member) => !Object.hasOwn(before, member)) : [];
  for (const member of [...Object.keys(before), ...added]) {
    const [one, other] = [before, after].map((of) => (Object.hasOwn(of, member) ? of[member] : undefined));
    yield* differences(one, other, isOpen, pointer + pointerStep(member));
  }
}

function isContainer(value: unknown): value is { readonly [member: string]: unknown } {
  return typeof value === "object" && value !== null;
}
