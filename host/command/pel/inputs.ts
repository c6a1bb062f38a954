/** What a line gives to the inputs of a program, and takes of its outputs (spec CLI-PEL-4). */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { ArtifactKey, PutOptions, Store, View } from "../../asl/index.ts";
import type { InputNode, Program } from "../../pel/program.ts";
import type { Arguments } from "../arguments.ts";
import { CommandError, usageError } from "../failure.ts";
import type { Progress } from "../progress.ts";
import { Input, inputError } from "../store/input.ts";
import { keyThere } from "./stores.ts";

/** An input's artifact by its key, or a file that becomes one. */
export type Given = { readonly word: string } | { readonly file: string };

/** `NAME=VALUE`, each name once. Throws a usage error. */
export function assignments({ options }: Arguments, option: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const text of options.get(option) ?? []) {
    const equals = text.indexOf("=");
    if (equals < 1 || equals === text.length - 1)
      throw usageError(`--${option} takes NAME=…, not ${JSON.stringify(text)}.`);
    const name = text.slice(0, equals);
    if (found.has(name)) throw usageError(`--${option} ${name}=… is given twice.`);
    found.set(name, text.slice(equals + 1));
  }
  return found;
}

function inputsOf({ nodes }: Program): InputNode[] {
  return nodes.filter((node) => node.op === "input");
}

/** What each input of the program is given; of `isPartial` not each has to be. Throws a usage error. */
export function givenInputs(args: Arguments, program: Program, isPartial = false): Map<string, Given> {
  const given = new Map<string, Given>();
  for (const [name, value] of assignments(args, "input"))
    given.set(name, value.startsWith("@") ? { file: value.slice(1) } : { word: value });
  const inputs = inputsOf(program).map(({ name }) => name);
  for (const name of given.keys())
    if (!inputs.includes(name))
      throw usageError(
        `The program has no input ${JSON.stringify(name)}.`,
        inputs.length === 0
          ? "It has none."
          : `Its inputs are: ${inputs.map((one) => JSON.stringify(one)).join(", ")}.`,
      );
  if ([...given.values()].filter((one) => "file" in one && one.file === "-").length > 1)
    throw usageError("Standard input can be read once.");
  const folder = args.options.get("inputs")?.[0];
  if (folder !== undefined) {
    const names = namesIn(folder);
    for (const name of inputs) if (!given.has(name) && names.has(name)) given.set(name, { file: join(folder, name) });
  }
  const missing = inputs.filter((name) => !given.has(name));
  if (missing.length > 0 && !isPartial)
    throw usageError(
      `Nothing is given for ${missing.length === 1 ? "the input" : "the inputs"} ${missing
        .slice(0, 10)
        .map((one) => JSON.stringify(one))
        .join(", ")}${missing.length > 10 ? ` and ${missing.length - 10} more` : ""}.`,
      "--input NAME=KEY gives an artifact, --input NAME=@FILE a file, --inputs DIR the files of a folder.",
    );
  return given;
}

/** Names of the folder's files. */
function namesIn(folder: string): Set<string> {
  try {
    const entries = readdirSync(folder);
    return new Set(entries.filter((name) => statSync(join(folder, name), { throwIfNoEntry: false })?.isFile()));
  } catch (error) {
    throw inputError(folder, error);
  }
}

/** Keys by name of the input. Files are put into the store first, with the tags that the inputs want. */
export async function resolveInputs(
  given: ReadonlyMap<string, Given>,
  program: Program,
  store: Store,
  view: View,
  progress: Progress,
  signal: AbortSignal,
): Promise<{ [name: string]: ArtifactKey }> {
  const keys: [string, ArtifactKey][] = [];
  for (const { name, tag } of inputsOf(program)) {
    const one = given.get(name);
    if (one === undefined) continue;
    const options = tag === undefined ? {} : { typeTag: tag };
    keys.push([
      name,
      "word" in one ? inputKey(view, name, one.word) : await putFile(store, one.file, options, progress, signal),
    ]);
  }
  return Object.fromEntries(keys);
}

/** The key of what an input is given. Throws CLI-KEY or ASL-NOT-FOUND. */
export function inputKey(view: View, name: string, word: string): ArtifactKey {
  try {
    return keyThere(view, word);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const { code, exitCode, message, hint } = error;
    throw new CommandError(code, exitCode, `the input ${JSON.stringify(name)}: ${message}`, hint);
  }
}

async function putFile(
  store: Store,
  file: string,
  options: PutOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<ArtifactKey> {
  const input = await Input.open(file, signal);
  try {
    const first = await input.first();
    if (input.isAtEnd) return await store.put(first, options);
    return await store.writeStream(pieces(first, input, progress), options);
  } finally {
    input.close();
  }
}

async function* pieces(first: Uint8Array, input: Input, progress: Progress): AsyncGenerator<Uint8Array> {
  yield first;
  let done = first.length;
  for await (const piece of input.rest()) {
    yield piece;
    done += piece.length;
    progress.update(done, undefined, "bytes put");
  }
}
