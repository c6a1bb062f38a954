/** Packs that a line names. */
import { existsSync } from "node:fs";
import { MOST_DECODED_BYTES } from "../../assets/format.ts";
import { type AssetSet, openPack, type Pack, type PackOptions } from "../../assets/pack.ts";
import type { PackSource } from "../../assets/source.ts";
import { openStack } from "../../assets/stack.ts";
import { usageError } from "../failure.ts";
import { readAll, STDIN } from "../terminal.ts";

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

function isStdin(paths: readonly string[]): boolean {
  if (paths.length > 1 && paths.includes("-")) throw usageError("Standard input is no part of a stack.");
  return paths[0] === "-";
}

function readStdin(): PackSource {
  return readAll(STDIN);
}

function optionsFor([path]: readonly string[], options?: PackOptions): PackOptions {
  return { ...TOOL_OPTIONS, ...options, ...(path === "-" && { label: "standard input" }) };
}
