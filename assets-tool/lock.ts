/** The lock file: which asset has which id, for good (spec TOOL-LOCK). */
import { readFileSync, statSync } from "node:fs";
import { PackError, Problems } from "../host/assets/errors.ts";
import { type JsonObject, pointerStep } from "../host/assets/json.ts";
import { nameProblem } from "../host/assets/names.ts";
import { fileOutput, replaceFile } from "../host/assets/output.ts";
import type { Configuration } from "./config.ts";
import { parseDocument } from "./document.ts";
import { holdFile } from "./held.ts";
import { sortByName } from "./name-order.ts";

export const LOCK_SCHEMA = "ashlar.assets.lock/1";
const MOST_LOCK_BYTES = 64 * 1024 * 1024;
const LEAST_ID: number = -(2 ** 31);
const MOST_ID: number = 2 ** 31 - 1;

/** Ids by the names of assets, and the names of retired ids. */
export interface LockFile {
  readonly assets: ReadonlyMap<string, number>;
  readonly retired: ReadonlyMap<number, string>;
}

const EMPTY: LockFile = { assets: new Map(), retired: new Map() };

/** What became of ids. */
export interface Assignment {
  /** Of the assets that there are. */
  readonly ids: ReadonlyMap<string, number>;
  readonly added: readonly string[];
  readonly retired: readonly string[];
  readonly next: LockFile;
}

/**
 * Ids for `names`, from the lock file, which then holds them. With `check` it must hold them already. Others that do the same meanwhile wait.
 * Throws a PackError.
 */
export async function lockIds(
  path: string,
  names: readonly string[],
  configuration: Pick<Configuration, "ids" | "file">,
  check: boolean,
): Promise<Assignment> {
  const { assignment, text } = assignFrom(path, names, configuration);
  // Nor need its folder be one to write to: sources are often there to be read only.
  if (text === undefined) return assignment;
  if (check) throw new PackError("PACK-LOCK", `the lock file would change${changesOf(assignment)}`, { file: path });
  const release = await holdFile(path);
  try {
    const { assignment, text } = assignFrom(path, names, configuration);
    if (text !== undefined) await replaceFile(path, async (fd) => fileOutput(fd, path)(Buffer.from(text), 0));
    return assignment;
  } finally {
    release();
  }
}

/** With the text that the lock file is to have, unless it has it. */
function assignFrom(
  path: string,
  names: readonly string[],
  configuration: Pick<Configuration, "ids" | "file">,
): { readonly assignment: Assignment; readonly text: string | undefined } {
  const bytes = readBytes(path);
  const assignment = assignIds(names, configuration, readLock(bytes, path));
  const text = lockText(assignment.next);
  // A tool for versions may have changed the line ends, and does so again.
  const isSame = bytes !== undefined && bytes.toString().replaceAll("\r\n", "\n") === text;
  return { assignment, text: isSame ? undefined : text };
}

function changesOf({ added, retired }: Assignment): string {
  const told = [
    ...added.slice(0, 3).map((name) => `"${name}" has no id yet`),
    ...retired.slice(0, 3).map((name) => `"${name}" is gone`),
  ];
  return told.length === 0 ? "" : `: ${told.join(", ")}`;
}

/** What the file holds; undefined when there is none. */
function readBytes(path: string): Buffer | undefined {
  try {
    const stats = statSync(path);
    if (!stats.isFile()) throw new PackError("PACK-LOCK", "this is no regular file", { file: path });
    if (stats.size > MOST_LOCK_BYTES)
      throw new PackError("PACK-LOCK", `a lock file has at most ${MOST_LOCK_BYTES} bytes`, { file: path });
    return readFileSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw PackError.from(error, "PACK-LOCK", "it cannot be read", { file: path });
  }
}

/** What a lock file says; one that is not there is empty. Throws a PackError with all that is wrong. */
export function readLock(bytes: Uint8Array | undefined, file: string): LockFile {
  if (bytes === undefined) return EMPTY;
  const top = parseDocument(bytes, "PACK-LOCK", file) as JsonObject;
  const problems = new Problems(file);
  const wrong = (message: string, pointer: string): void => problems.add("PACK-LOCK", message, { pointer });
  const object = (key: string): JsonObject => {
    const value = top?.[key];
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
    wrong("expected an object", pointerStep(key));
    return {};
  };
  if (typeof top !== "object" || top === null || Array.isArray(top) || top.schema !== LOCK_SCHEMA)
    throw new PackError("PACK-LOCK", `expected "${LOCK_SCHEMA}"`, { file, pointer: "/schema" });
  for (const key of Object.keys(top))
    if (!["schema", "assets", "retired"].includes(key)) wrong("there is no such key", pointerStep(key));

  const assets = new Map<string, number>();
  const retired = new Map<number, string>();
  const owners = new Map<number, string>();
  for (const [name, id] of Object.entries(object("assets"))) {
    const pointer = `/assets${pointerStep(name)}`;
    const problem = nameProblem(name);
    if (problem !== undefined) wrong(problem, pointer);
    if (!isId(id)) wrong("an id is an integer of 32 bits, with sign", pointer);
    else {
      const owner = owners.get(id);
      if (owner !== undefined)
        wrong(`"${name}" and "${owner}" have the id ${id}: take one of them out, and it gets another`, pointer);
      owners.set(id, name);
      assets.set(name, id);
    }
  }
  for (const [text, name] of Object.entries(object("retired"))) {
    const pointer = `/retired${pointerStep(text)}`;
    const id = Number(text);
    if (!isId(id) || String(id) !== text) wrong("an id is an integer of 32 bits, with sign", pointer);
    else if (typeof name !== "string" || nameProblem(name) !== undefined) wrong("expected an asset's name", pointer);
    else {
      const owner = owners.get(id);
      if (owner !== undefined) wrong(`the id is retired and is that of "${owner}"`, pointer);
      retired.set(id, name);
    }
  }
  problems.check();
  return { assets, retired };
}

function isId(value: unknown): value is number {
  return (
    typeof value === "number" &&
    Number.isInteger(value) &&
    value >= LEAST_ID &&
    value <= MOST_ID &&
    !Object.is(value, -0)
  );
}

/** Always the same text for the same contents: a line for each, so that merges meet only where names do. */
export function lockText({ assets, retired }: LockFile): string {
  const assetLines = sortByName([...assets], ([name]) => name).map(([name, id]) => `${JSON.stringify(name)}: ${id}`);
  const retiredLines = [...retired].sort(([a], [b]) => a - b).map(([id, name]) => `"${id}": ${JSON.stringify(name)}`);
  const block = (lines: readonly string[]): string =>
    lines.length === 0 ? "{}" : `{\n${lines.map((line) => `    ${line}`).join(",\n")}\n  }`;
  return `{\n  "schema": "${LOCK_SCHEMA}",\n  "assets": ${block(assetLines)},\n  "retired": ${block(retiredLines)}\n}\n`;
}

/** Ids as TOOL-LOCK-2 and TOOL-LOCK-3 say; `names` are unique. Throws a PackError. */
export function assignIds(
  names: readonly string[],
  { ids: wanted, file }: Pick<Configuration, "ids" | "file">,
  lock: LockFile,
): Assignment {
  const problems = new Problems(file);
  const ordered = sortByName([...names], (name) => name);
  const retired = new Map(lock.retired);
  // The last id that a name had, when it had several.
  const formerIds = new Map([...lock.retired].sort(([a], [b]) => a - b).map(([id, name]) => [name, id]));
  const owners = new Map<number, string>(lock.retired);
  for (const [name, id] of lock.assets) owners.set(id, name);

  for (const [name, { value: id, pointer }] of wanted) {
    const owner = owners.get(id);
    if (owner !== undefined && owner !== name) {
      const how = lock.retired.has(id) ? "was, and ids are not used again" : "is";
      problems.add("PACK-LOCK", `${id}, wanted for "${name}", ${how} that of "${owner}"`, { pointer });
    }
    owners.set(id, name);
  }
  problems.check();

  const ids = new Map<string, number>();
  const added: string[] = [];
  let free = 1;
  for (const name of ordered) {
    const before = lock.assets.get(name);
    let id = wanted.get(name)?.value ?? before ?? formerIds.get(name);
    if (id === undefined) {
      while (owners.has(free)) free++;
      if (free > MOST_ID) throw new PackError("PACK-LOCK", "all ids are used up");
      id = free++;
    }
    if (before === undefined) {
      if (!formerIds.has(name)) added.push(name);
    } else if (before !== id) retired.set(before, name);
    retired.delete(id);
    ids.set(name, id);
  }
  const gone = sortByName(
    [...lock.assets.keys()].filter((name) => !ids.has(name)),
    (name) => name,
  );
  for (const name of gone) retired.set(lock.assets.get(name)!, name);
  return { ids, added, retired: gone, next: { assets: ids, retired } };
}
