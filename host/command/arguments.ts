/** The command line's words: options by a command's own table, everything else by place. */
import { usageError } from "./failure.ts";

export interface Option {
  /** Without the dashes. */
  readonly name: string;
  /** What its value is called in the help; absent: the option takes none. */
  readonly value?: string;
  /** The value may be left out; it stands behind `=` or nowhere. */
  readonly optional?: boolean;
  readonly repeatable?: boolean;
  readonly doc: string;
}

export interface Arguments {
  readonly positionals: readonly string[];
  /** What stands behind `--`. */
  readonly rest: readonly string[];
  /** Values by option, in their order; "" for each time that there is none. */
  readonly options: ReadonlyMap<string, readonly string[]>;
}

/** What a command is given beside its words. */
export interface Context {
  /** The script of the thread that runs guests. */
  readonly worker: URL;
  /** SHA-256 of its code in hexadecimal; undefined where it is the sources. */
  readonly workerDigest: string | undefined;
}

/** What stands before the words: a program, such as `ashlar assets`, and a command of it. */
export interface Line {
  readonly program: string;
  readonly command: string;
}

/** Sorts the words of a command's line. Throws usage errors for options that are unknown, repeated or lack a value. */
export function parseArguments(words: readonly string[], options: readonly Option[], line: Line): Arguments {
  const positionals: string[] = [];
  const values = new Map<string, string[]>();
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (word === "--") return { positionals, rest: words.slice(at + 1), options: values };
    if (!word.startsWith("-") || word === "-") {
      positionals.push(word);
      continue;
    }
    const [name, inline] = splitOption(word);
    const option = options.find((candidate) => candidate.name === name);
    if (option === undefined) throw unknownOption(word, name, options, line);
    let value = inline;
    if (option.value === undefined) {
      if (inline !== undefined) throw usageError(`--${name} takes no value.`);
    } else if (value === undefined && !option.optional) {
      value = words[++at];
      if (value === undefined) throw usageError(`--${name} needs a value: --${name} ${option.value}`);
    }
    const given = values.get(name);
    if (given === undefined) values.set(name, [value ?? ""]);
    else if (option.repeatable) given.push(value ?? "");
    else throw usageError(`--${name} is given twice.`);
  }
  return { positionals, rest: [], options: values };
}

const SHORT: { readonly [word: string]: string } = { "-h": "help", "-o": "output" };

function splitOption(word: string): [string, string | undefined] {
  const short = SHORT[word];
  if (short !== undefined) return [short, undefined];
  const equals = word.indexOf("=");
  return equals < 0 ? [word.replace(/^--/, ""), undefined] : [word.slice(2, equals), word.slice(equals + 1)];
}

function unknownOption(word: string, name: string, options: readonly Option[], { program, command }: Line) {
  const nearest = nearestOf(
    name,
    options.map((option) => option.name),
  );
  const hint =
    nearest === undefined ? `\`${program} help ${command}\` lists its options.` : `Did you mean --${nearest}?`;
  return usageError(`\`${program} ${command}\` has no option ${word}.`, hint);
}

/** The candidate that was probably meant, or undefined when none is close. */
export function nearestOf(word: string, candidates: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let least = Math.min(3, Math.max(2, word.length / 2));
  for (const candidate of candidates) {
    const distance = candidate.startsWith(word) && word.length > 1 ? 1 : editDistance(word, candidate);
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

/** Insertions, deletions, replacements and swaps of neighbours that turn `left` into `right`. */
function editDistance(left: string, right: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const row = [i];
    for (let j = 1; j <= right.length; j++) {
      const same = left[i - 1] === right[j - 1] ? 0 : 1;
      let distance = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + same);
      if (i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1])
        distance = Math.min(distance, beforeLast[j - 2]! + 1);
      row.push(distance);
    }
    beforeLast = last;
    last = row;
  }
  return last[right.length]!;
}
