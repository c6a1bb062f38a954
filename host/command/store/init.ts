/** `ashlar store init`. */
import { readdirSync } from "node:fs";
import { Store } from "../../asl/index.ts";
import { hex } from "../../assets/hash.ts";
import type { Arguments } from "../arguments.ts";
import { CommandError, ExitCode } from "../failure.ts";
import { errorCode, plain } from "../terminal.ts";
import { answer } from "./answer.ts";
import { folderOf } from "./stores.ts";

/** What the making of a store that was cut short may leave. */
const LEFT = /^(log|blocks|index|checkpoint|LOCK\..*|.*\.tmp)$/;

export async function init(args: Arguments): Promise<number> {
  const folder = folderOf(args);
  const algorithm = args.options.get("algorithm")?.[0] ?? "sha256";
  return answer("init", args, async () => {
    checkFolder(folder);
    const store = await Store.open(folder, { create: true, algorithm });
    const domain = hex(store.domain);
    await store.close();
    const data = { folder, domain, algorithm };
    return { data, text: () => `${plain(folder)}: a store with keys of ${algorithm}; domain ${domain}\n` };
  });
}

/** A store among other files is more likely a mistake. */
export function checkFolder(folder: string): void {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return;
    throw new CommandError("CLI-STORE", ExitCode.FAILURE, `No store can be made: ${(error as Error).message}`);
  }
  if (names.includes("FORMAT"))
    throw new CommandError("ASL-EXISTS", ExitCode.FAILURE, `${plain(folder)} is a store already`);
  const other = names.find((name) => !LEFT.test(name));
  if (other !== undefined)
    throw new CommandError(
      "CLI-STORE",
      ExitCode.FAILURE,
      `${plain(folder)} is not empty: it has ${JSON.stringify(other)}`,
    );
}
