/** Packs that a line names. */
import { existsSync } from "node:fs";
import { PackError } from "../../assets/errors.ts";
import { MOST_DECODED_BYTES } from "../../assets/format.ts";
import { type AssetSet, openPack, type Pack, type PackOptions } from "../../assets/pack.ts";
import type { PackSource } from "../../assets/source.ts";
import { openStack } from "../../assets/stack.ts";
import type { Arguments } from "../arguments.ts";
import { usageError } from "../failure.ts";
import { readAll, STDIN } from "../terminal.ts";

const STDIN_LABEL = "standard input";

/** What a tool reads no host need boot: every slot will do, and every size that the format allows. */
const TOOL_OPTIONS: PackOptions = { slots: Number.MAX_SAFE_INTEGER, decodedBytes: MOST_DECODED_BYTES };

/** The files of a stack: the word itself where there is such a file, else what stands between its commas. */
export function stackPaths(word: string): readonly string[] {
  if (!word.includes(",") || existsSync(word)) return [word];
  const paths = word.split(",");
  if (paths.includes("")) throw usageError(`${JSON.stringify(word)}: a name of a file is missing beside a comma.`);
  return paths;
}

/** Opens a pack and the patches of it, and closes them when `use` is done. Throws a PackError. */
export async function withStack<Result>(
  word: string,
  use: (set: AssetSet) => Result | Promise<Result>,
  options?: PackOptions,
): Promise<Result> {
  const paths = stackPaths(word);
  const set = isStdin(paths)
    ? openPack(readStdin(), optionsFor(paths, options))
    : openStack(paths, optionsFor(paths, options));
  try {
    return await use(set);
  } finally {
    set.close();
  }
}

/** The same for one pack, which may be a patch. */
export async function withPack<Result>(word: string, use: (pack: Pack) => Result): Promise<Result> {
  const pack = openPack(word === "-" ? readStdin() : word, optionsFor([word]));
  try {
    return use(pack);
  } finally {
    pack.close();
  }
}

/** Where a pack is to go, if the line says so. */
export function packOutput(options: Arguments["options"]): string | undefined {
  const output = options.get("output")?.[0];
  // Its beginning is written last.
  if (output === "-") throw usageError("A pack goes to a file, not to standard output.", "Write -o FILE.");
  return output;
}

function isStdin(paths: readonly string[]): boolean {
  if (paths.length > 1 && paths.includes("-")) throw usageError("Standard input is no part of a stack.");
  return paths[0] === "-";
}

function readStdin(): PackSource {
  try {
    return readAll(STDIN);
  } catch (error) {
    // It may be a folder.
    throw PackError.from(error, "PACK-READ", "it cannot be read", { file: STDIN_LABEL });
  }
}

function optionsFor([path]: readonly string[], options?: PackOptions): PackOptions {
  return { ...TOOL_OPTIONS, ...options, ...(path === "-" && { label: STDIN_LABEL }) };
}
