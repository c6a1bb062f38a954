/** Stores that a line names. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { AslError, Store, type StoreOptions, type View } from "../../asl/index.ts";
import type { Arguments } from "../arguments.ts";
import { usageError } from "../failure.ts";
import { parseSeconds } from "../quantities.ts";
import { errorCode, isTerminal, note, plain } from "../terminal.ts";
import { unlessAborted } from "./stopping.ts";

const MOST_SECONDS = 2_000_000;
const DEFAULT_WAIT_MS = 30_000;

/** Opens the store, to read it or to write to it, and closes it when `use` is done. An abort ends the wait for another writer. */
export function withStore<Result>(
  args: Arguments,
  mode: "read" | "write",
  use: (store: Store) => Result | Promise<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  return useStore(folderOf(args), mode === "read" ? { readOnly: true } : waitingOf(args), use, signal);
}

/** The same with the store in a folder. */
export async function useStore<Result>(
  folder: string,
  options: StoreOptions,
  use: (store: Store) => Result | Promise<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  const opening = Store.open(folder, options);
  const store = await (signal === undefined ? opening : unlessAborted(signal, opening));
  try {
    return await use(store);
  } finally {
    await store.close();
  }
}

/** The store's folder: the first word. */
export function folderOf({ positionals }: Arguments): string {
  const folder = positionals[0]!;
  if (folder === "") throw usageError("The name of the store's folder is empty.");
  return folder;
}

/** The same for verbs that need no store that can be opened. Throws ASL-NO-STORE where nothing in it is of one: nothing is changed there. */
export function remainsOf(args: Arguments): string {
  const folder = folderOf(args);
  const files = [...namesIn(folder), ...namesIn(join(folder, "log")), ...namesIn(join(folder, "blocks"))];
  if (files.some((name) => name === "FORMAT" || /^[0-9a-f]{16}\.(log|blk)$/.test(name))) return folder;
  throw new AslError("ASL-NO-STORE", `${plain(folder)} holds no store`);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    const code = errorCode(error);
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw AslError.from(error, "ASL-READ", "the folder cannot be read");
  }
}

/** What `--wait` says, and who is waited for, on a terminal. Throws a usage error. */
export function waitingOf({ options }: Arguments): Pick<StoreOptions, "waitMs" | "onWaiting"> {
  const onWaiting: StoreOptions["onWaiting"] = ({ owner }) => {
    if (isTerminal())
      note(
        `waiting for ${owner === undefined ? "another process" : `process ${owner.pid}`}, which writes to the store\n`,
      );
  };
  const text = options.get("wait")?.[0];
  return { waitMs: text === undefined ? DEFAULT_WAIT_MS : parseSeconds("wait", text, MOST_SECONDS) * 1000, onWaiting };
}

/** The store as it is now, or as it was at the snapshot that `--at` names. */
export function viewOf(store: Store, { options }: Arguments): View {
  const name = options.get("at")?.[0];
  return name === undefined ? store.view() : store.at(name);
}
