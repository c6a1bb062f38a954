/** Which edges are wanted (spec TGK-GRAPH-3). */
import { TgkError } from "./errors.ts";

export interface EdgeFilter {
  /** Only edges of these types. */
  readonly types?: Iterable<number> | undefined;
  /** Only edges that have all of these roles. */
  readonly roles?: number | undefined;
  /** Only edges that have an artifact with one of these type tags at their other side; others there are not gone on from. */
  readonly tags?: Iterable<number> | undefined;
}

/** Whether an edge of this type is wanted, whose roles are the low byte of these flags. Throws TGK-ARGUMENT. */
export function edgeFilter(filter: EdgeFilter): (type: number, flags: number) => boolean {
  checkObject(filter, "a filter");
  const { types, roles = 0 } = filter;
  if (!Number.isInteger(roles) || roles < 0 || roles > 255)
    throw new TgkError("TGK-ARGUMENT", `the roles are ${roles}; an integer from 0 to 255 was expected`);
  const wanted = numbersOf(types, "type");
  return (type, flags) => (flags & roles) === roles && (wanted === undefined || wanted.has(type));
}

/** Throws TGK-ARGUMENT. */
export function tagsOf({ tags }: EdgeFilter): ReadonlySet<number> | undefined {
  return numbersOf(tags, "type tag");
}

function numbersOf(numbers: Iterable<number> | undefined, what: string): ReadonlySet<number> | undefined {
  if (numbers === undefined) return undefined;
  checkIterable(numbers, `${what}s`);
  const set = new Set(numbers);
  for (const number of set)
    if (!Number.isInteger(number) || number < 0 || number > 0xffff_ffff)
      throw new TgkError("TGK-ARGUMENT", `the ${what} is ${number}; an integer from 0 to 2^32 - 1 was expected`);
  return set;
}

/** Throws TGK-ARGUMENT. */
export function checkObject(value: unknown, expected: string): void {
  if (typeof value !== "object" || value === null) throw new TgkError("TGK-ARGUMENT", `${expected} was expected`);
}

/** Something that can be gone through, and is no text. Throws TGK-ARGUMENT. */
export function checkIterable(value: unknown, expected: string): void {
  if (typeof value !== "object" || value === null || !(Symbol.iterator in value))
    throw new TgkError("TGK-ARGUMENT", `${expected} in something iterable were expected`);
}
