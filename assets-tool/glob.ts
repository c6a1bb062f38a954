/**
 * Globs (spec TOOL-GLOB). Ours, since what others take for a match depends on the system and on their version, and then the
 * pack would too; and since a pattern of regular expressions can take forever.
 */

/** What is wrong with a glob. */
export class GlobError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "GlobError";
  }
}

export interface Glob {
  /** Whether the whole path, relative, in NFC and with `/`, is meant. */
  matches(path: string): boolean;
  /** Whether any path below this folder may be. */
  mayMatchBelow(folder: string): boolean;
}

const MOST_ALTERNATIVES = 1_024;
const MOST_GLOB_LENGTH = 4_096;

/** One character of a component: itself, any, any number of any, or one of ranges. */
type Piece = string | typeof ANY | typeof STAR | Ranges;
interface Ranges {
  readonly isNegated: boolean;
  /** First and last code points. */
  readonly ranges: readonly (readonly [number, number])[];
}
const ANY = 1;
const STAR = 2;
/** Any number of components. */
const DEEP = "**";
type Part = typeof DEEP | readonly Piece[];

/** Throws a GlobError. */
export function globOf(text: string): Glob {
  const glob = text.normalize("NFC");
  if (glob.length > MOST_GLOB_LENGTH) throw new GlobError(`a glob has at most ${MOST_GLOB_LENGTH} characters`);
  if (/\p{Surrogate}/u.test(glob)) throw new GlobError("the glob has a lone surrogate");
  const alternatives = alternativesOf(Array.from(glob)).map(partsOf);
  return {
    matches: (path) => {
      const components = path.split("/");
      return alternatives.some((parts) => reach(parts, components)[parts.length] === true);
    },
    mayMatchBelow: (folder) => {
      const components = folder.split("/");
      return alternatives.some((parts) =>
        reach(parts, components).some((is, at) => is && (at < parts.length || parts[at - 1] === DEEP)),
      );
    },
  };
}

/** A pattern without braces for each way to choose from them. */
function alternativesOf(glob: readonly string[]): readonly (readonly string[])[] {
  const open = indexOfPlain(glob, "{", 0);
  if (open < 0) return [glob];
  const choices: (readonly string[])[] = [];
  let start = open + 1;
  let depth = 0;
  for (let at = start; ; at = nextPlain(glob, at)) {
    if (at >= glob.length) throw new GlobError("a { is not closed");
    if (glob[at] === "{") depth++;
    const isEnd = glob[at] === "}" && depth-- === 0;
    if (!isEnd && !(glob[at] === "," && depth === 0)) continue;
    choices.push(glob.slice(start, at));
    start = at + 1;
    if (isEnd) break;
  }
  const all: (readonly string[])[] = [];
  const rests = alternativesOf(glob.slice(start));
  for (const choice of choices)
    for (const middle of alternativesOf(choice))
      for (const rest of rests) {
        if (all.length === MOST_ALTERNATIVES) throw new GlobError(`there are over ${MOST_ALTERNATIVES} alternatives`);
        all.push([...glob.slice(0, open), ...middle, ...rest]);
      }
  return all;
}

/** What follows the character at `at`: escapes and brackets are passed over whole. */
function nextPlain(glob: readonly string[], at: number): number {
  if (glob[at] === "\\") return at + 2;
  return glob[at] === "[" ? closingBracket(glob, at) + 1 : at + 1;
}

function indexOfPlain(glob: readonly string[], wanted: string, from: number): number {
  for (let at = from; at < glob.length; at = nextPlain(glob, at)) if (glob[at] === wanted) return at;
  return -1;
}

/** A `]` right behind the beginning stands for itself. */
function closingBracket(glob: readonly string[], open: number): number {
  const first = glob[open + 1] === "!" ? open + 2 : open + 1;
  for (let at = first; at < glob.length; at++) {
    if (glob[at] === "]" && at > first) return at;
    if (glob[at] === "\\") at++;
    if (glob[at] === "/") break;
  }
  throw new GlobError("a [ is not closed");
}

function partsOf(glob: readonly string[]): readonly Part[] {
  const parts: Part[] = [];
  for (let start = 0; start <= glob.length; ) {
    const slash = indexOfPlain(glob, "/", start);
    const end = slash < 0 ? glob.length : slash;
    const component = glob.slice(start, end);
    const text = component.join("");
    if (text === "")
      throw new GlobError(glob.length === 0 ? "a glob is not empty" : "a component of the glob is empty");
    if (text === "." || text === "..") throw new GlobError(`a glob has no component "${text}"`);
    if (text !== DEEP) parts.push(piecesOf(component));
    else if (parts.at(-1) !== DEEP) parts.push(DEEP);
    start = end + 1;
  }
  return parts;
}

function piecesOf(component: readonly string[]): readonly Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0; at < component.length; at = nextPlain(component, at)) {
    const character = component[at]!;
    if (character === "*") {
      if (pieces.at(-1) !== STAR) pieces.push(STAR);
    } else if (character === "?") pieces.push(ANY);
    else if (character === "[") pieces.push(rangesOf(component.slice(at + 1, closingBracket(component, at))));
    else if (character === "}") throw new GlobError("a } has no {");
    else if (character !== "\\") pieces.push(character);
    else if (component[at + 1] === undefined) throw new GlobError("there is nothing behind a \\");
    else pieces.push(component[at + 1]!);
  }
  return pieces;
}

function rangesOf(inside: readonly string[]): Ranges {
  const isNegated = inside[0] === "!";
  const ranges: (readonly [number, number])[] = [];
  let at = isNegated ? 1 : 0;
  const take = (): number => {
    if (inside[at] === "\\") at++;
    return inside[at++]!.codePointAt(0)!;
  };
  while (at < inside.length) {
    const first = take();
    let last = first;
    if (inside[at] === "-" && at + 1 < inside.length) {
      at++;
      last = take();
    }
    if (last < first) throw new GlobError("a range ends before it begins");
    ranges.push([first, last]);
  }
  return { isNegated, ranges };
}

/** By the number of parts: whether as many, from the first on, match all components. */
function reach(parts: readonly Part[], components: readonly string[]): readonly boolean[] {
  // A ** may stand for none.
  const row: boolean[] = [true];
  for (let k = 0; k < parts.length; k++) row.push(row[k]! && parts[k] === DEEP);
  for (const component of components) {
    let diagonal = row[0]!;
    row[0] = false;
    for (let k = 0; k < parts.length; k++) {
      const part = parts[k]!;
      const above = row[k + 1]!;
      row[k + 1] =
        part === DEEP ? row[k]! || (above && !component.startsWith(".")) : diagonal && isComponent(part, component);
      diagonal = above;
    }
  }
  return row;
}

function isComponent(pieces: readonly Piece[], component: string): boolean {
  if (component.startsWith(".") && pieces[0] !== ".") return false;
  const characters = Array.from(component);
  let at = 0;
  let piece = 0;
  // Where to go on from when what follows the last * does not match: it takes one character more.
  let starPiece = -1;
  let starAt = 0;
  while (at < characters.length) {
    if (pieces[piece] === STAR) {
      starPiece = piece++;
      starAt = at;
    } else if (piece < pieces.length && isCharacter(pieces[piece]!, characters[at]!)) {
      piece++;
      at++;
    } else if (starPiece >= 0) {
      piece = starPiece + 1;
      at = ++starAt;
    } else return false;
  }
  while (pieces[piece] === STAR) piece++;
  return piece === pieces.length;
}

function isCharacter(piece: Piece, character: string): boolean {
  if (typeof piece === "string") return piece === character;
  if (typeof piece === "number") return true;
  const point = character.codePointAt(0)!;
  return piece.ranges.some(([first, last]) => point >= first && point <= last) !== piece.isNegated;
}
