/**
 * Holds specs and tests together: every clause of `specs/` is named by a test, every clause that a test names exists.
 *
 * A clause is defined where its id stands in bold at the start of a line of a spec (`**VM-FUEL-3** …`, also as a list
 * item or table cell). A test names clauses in its title, in brackets and in full: `"[VM-FUEL-3] …"` or
 * `"[VM-FUEL-3, VM-FUEL-4] …"`.
 */
import { existsSync, globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const ID = "[A-Z]+(?:-[A-Z0-9]+)+-\\d+";
const DEFINITION = new RegExp(`^\\s*(?:[-*+]\\s+|\\d+[.)]\\s+|\\|\\s*)?\\*\\*(${ID})[.:]?\\*\\*`);
const MENTION = new RegExp(`\\[(${ID}(?:,\\s*${ID})*)\\]`, "g");
const COMMENT = /^\s*(?:\/\/|\/?\*)/;

/** A text file: its path for messages, and its content. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

/** What does not fit together; each line is `where: clause`. All empty: specs and tests agree. */
export interface ClauseReport {
  readonly defined: number;
  readonly untested: readonly string[];
  readonly undefined: readonly string[];
  readonly duplicate: readonly string[];
}

/** Every clause defined in `specs` with the place of its first definition, and the later definitions of the same id. */
function definitions(specs: readonly Source[]): { first: Map<string, string>; duplicate: string[] } {
  const first = new Map<string, string>();
  const duplicate: string[] = [];
  for (const { path, text } of specs) {
    let fenced = false;
    for (const [index, line] of text.split("\n").entries()) {
      if (/^\s*(?:```|~~~)/.test(line)) fenced = !fenced;
      const id = fenced ? undefined : DEFINITION.exec(line)?.[1];
      if (id === undefined) continue;
      const place = `${path}:${index + 1}`;
      const earlier = first.get(id);
      if (earlier === undefined) first.set(id, place);
      else duplicate.push(`${place}: ${id} (first at ${earlier})`);
    }
  }
  return { first, duplicate };
}

/** Every clause named in a string of `tests`, with the place of its first mention. */
function mentions(tests: readonly Source[]): Map<string, string> {
  const first = new Map<string, string>();
  for (const { path, text } of tests) {
    for (const [index, line] of text.split("\n").entries()) {
      if (COMMENT.test(line)) continue;
      for (const match of line.matchAll(MENTION)) {
        // A title is a string: a mention before any quote of its line is code or prose.
        if (!/["'`]/.test(line.slice(0, match.index))) continue;
        for (const id of match[1]!.split(/,\s*/)) {
          if (!first.has(id)) first.set(id, `${path}:${index + 1}`);
        }
      }
    }
  }
  return first;
}

/** Compares the clauses that `specs` define with those that `tests` name. */
export function compareClauses(specs: readonly Source[], tests: readonly Source[]): ClauseReport {
  const { first, duplicate } = definitions(specs);
  const named = mentions(tests);
  const missing = (from: Map<string, string>, other: Map<string, string>): string[] =>
    [...from].filter(([id]) => !other.has(id)).map(([id, place]) => `${place}: ${id}`);
  return { defined: first.size, untested: missing(first, named), undefined: missing(named, first), duplicate };
}

/** The comparison for this repository. */
export function repositoryClauses(): ClauseReport {
  const root = new URL("..", import.meta.url);
  const read = (pattern: string): Source[] =>
    globSync(pattern, { cwd: fileURLToPath(root) })
      .sort()
      .map((path) => ({ path, text: readFileSync(new URL(path, root), "utf8") }));
  if (!existsSync(new URL("specs", root))) throw new Error("there is no folder specs/");
  // This check's own test names clauses that exist only there.
  const tests = read("test/**/*.test.ts").filter(({ path }) => !path.endsWith("clauses.test.ts"));
  return compareClauses(read("specs/**/*.md"), [...tests, ...read("test/conformance/**/*.ts")]);
}

if (import.meta.main) {
  const report = repositoryClauses();
  const lists = [
    ["without a test", report.untested],
    ["named by a test but not defined", report.undefined],
    ["defined twice", report.duplicate],
  ] as const;
  for (const [title, places] of lists) {
    if (places.length === 0) continue;
    console.log(`${places.length} clauses ${title}:`);
    for (const place of places) console.log(`  ${place}`);
    process.exitCode = 1;
  }
  if (report.defined === 0) {
    console.log("specs/ defines no clause");
    process.exitCode = 1;
  }
  console.log(`${report.defined} clauses, ${report.defined - report.untested.length} of them with a test`);
}
