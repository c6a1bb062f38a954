/** `assets-tool ids`. */
import { readFileSync, statSync } from "node:fs";
import { ID_LANGUAGES, idsOf } from "../../../assets-tool/ids.ts";
import { PackError } from "../../assets/errors.ts";
import type { Arguments } from "../arguments.ts";
import { CommandError, usageError } from "../failure.ts";
import { replaceFile } from "../files.ts";
import { plain } from "../terminal.ts";
import { answer } from "./answer.ts";
import { withStack } from "./packs.ts";

export async function ids(args: Arguments): Promise<number> {
  const { options, positionals } = args;
  const word = options.get("lang")?.[0];
  const lang = ID_LANGUAGES.find((candidate) => candidate === word);
  if (lang === undefined) {
    const what = word === undefined ? "`ids` needs a language." : `There is no language ${JSON.stringify(word)}.`;
    throw usageError(what, `Write --lang ${ID_LANGUAGES.join("|")}`);
  }
  const output = options.get("output")?.[0];
  return answer("ids", args, () =>
    withStack(positionals[0]!, (set) => {
      const source = idsOf(set, lang);
      if (output === undefined || output === "-")
        return { data: { identity: set.identity, lang, text: source }, text: () => source };
      const changed = writeChanged(output, source);
      const data = { identity: set.identity, lang, output, changed };
      return { data, text: () => `${plain(output)}: ${changed ? "written" : "as it was"}\n` };
    }),
  );
}

/** Leaves a file alone that is as it should be, so that no build thinks it is new. Answers whether it was written. */
function writeChanged(path: string, text: string): boolean {
  try {
    // A pipe would be waited for.
    if (statSync(path).isFile() && readFileSync(path, "utf8") === text) return false;
  } catch {
    // Writing says what is wrong.
  }
  try {
    replaceFile(path, Buffer.from(text), "PACK-OUTPUT", "source code");
  } catch (error) {
    if (error instanceof CommandError) throw new PackError("PACK-OUTPUT", error.message, { file: path });
    throw error;
  }
  return true;
}
