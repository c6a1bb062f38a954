/** `ashlar store stat`. */
import type { Arguments } from "../arguments.ts";
import { columns, counted } from "../columns.ts";
import { answer } from "./answer.ts";
import { keyNamed, notFound } from "./keys.ts";
import { artifactData, recordCells } from "./ls.ts";
import { viewOf, withStore } from "./stores.ts";

const TITLES = ["type tag", "visibility", "logseq", "position"];

export async function stat(args: Arguments): Promise<number> {
  const word = args.positionals[1]!;
  return answer("stat", args, () =>
    withStore(args, "read", (store) => {
      const view = viewOf(store, args);
      const key = keyNamed(view, word);
      const artifact = view.stat(key);
      if (artifact === undefined) throw notFound(`there is no artifact ${key}`);
      const { length, records, location } = artifact;
      const rows = records.map((record) => recordCells(record).map((cell) => cell.trim()));
      const place = `${location.file} at byte ${location.offset}`;
      return {
        data: artifactData(artifact),
        text: () => `${key}\n${counted(length, "byte")} in ${place}\n${columns(rows, TITLES)}`,
      };
    }),
  );
}
