/** The store that commands of programs and receipts work on: `--store DIR`. */
import type { ArtifactKey, Store, StoreOptions, View } from "../../asl/index.ts";
import type { RunOptions } from "../../pel/run.ts";
import type { Arguments } from "../arguments.ts";
import { openCache } from "../cache.ts";
import { usageError } from "../failure.ts";
import { parseSeconds } from "../quantities.ts";
import { keyNamed, notFound } from "../store/keys.ts";
import { useStore } from "../store/stores.ts";
import { note, plain } from "../terminal.ts";

const MOST_WORKERS = 256;
const MOST_SECONDS = 2_000_000;

/** Opens the store that `--store` names, and closes it when `use` is done. An abort ends the wait for another writer. */
export function withNamedStore<Result>(
  args: Arguments,
  mode: "read" | "write",
  use: (store: Store) => Result | Promise<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  return useStore(storeFolder(args), mode === "read" ? { readOnly: true } : waiting(args), use, signal);
}

/** Throws a usage error. */
export function storeFolder({ options }: Arguments): string {
  const folder = options.get("store")?.[0];
  if (folder === undefined) throw usageError("--store DIR says which store to work on, and is missing.");
  if (folder === "") throw usageError("The name of the store's folder is empty.");
  return folder;
}

/** A run may take long: who comes second waits for it, and finds what it made. */
function waiting({ options }: Arguments): Pick<StoreOptions, "waitMs" | "onWaiting"> {
  const text = options.get("store-wait")?.[0];
  const seconds = text === undefined ? MOST_SECONDS : parseSeconds("store-wait", text, MOST_SECONDS);
  const onWaiting: StoreOptions["onWaiting"] = ({ owner }) =>
    note(
      `note: waiting for ${owner === undefined ? "another process" : `process ${owner.pid}`}, which writes to the store\n`,
    );
  return { waitMs: seconds * 1000, onWaiting };
}

/** What nodes are executed by, and what is kept of their code. */
export type Execution = Pick<RunOptions, "engine" | "workers" | "codeCache">;

/** What the options of {@link EXECUTION_OPTIONS} say, and the cache of compiled guests. */
export function executionOf({ options }: Arguments): Execution {
  const engine = options.get("engine")?.[0];
  if (engine !== undefined && engine !== "compiled" && engine !== "reference")
    throw usageError(`--engine is compiled or reference, not ${JSON.stringify(engine)}.`);
  const given = options.get("workers")?.[0];
  const workers = given === undefined ? undefined : Number(given);
  if (workers !== undefined && (!/^\d+$/.test(given!) || workers < 1 || workers > MOST_WORKERS))
    throw usageError(`--workers takes an integer from 1 to ${MOST_WORKERS}, not ${JSON.stringify(given)}.`);
  const codeCache = openCache(process.env, (text) => note(`note: ${plain(text)}\n`));
  return { engine, workers, codeCache };
}

/** The key of an artifact that is there. Throws CLI-KEY or ASL-NOT-FOUND. */
export function keyThere(view: View, word: string): ArtifactKey {
  const key = keyNamed(view, word);
  if (!view.has(key)) throw notFound(`there is no artifact ${key}`);
  return key;
}
