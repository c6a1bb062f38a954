/** The order of names (spec TOOL-SAME-2): by the bytes of their UTF-8, which is by code points, and not by JavaScript's units. */

/** Sorts in place. */
export function sortByName<T>(items: T[], nameOf: (item: T) => string): T[] {
  return items.sort((a, b) => compareNames(nameOf(a), nameOf(b)));
}

export function compareNames(left: string, right: string): number {
  if (left === right) return 0;
  const end = Math.min(left.length, right.length);
  let at = 0;
  while (at < end && left.charCodeAt(at) === right.charCodeAt(at)) at++;
  if (at === end) return left.length - right.length;
  const a = left.charCodeAt(at);
  const b = right.charCodeAt(at);
  // Surrogates stand for what comes behind all else.
  const isHigh = isSurrogate(a);
  return isHigh === isSurrogate(b) ? a - b : isHigh ? 1 : -1;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}
