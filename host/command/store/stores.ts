/** Stores that a line names. */
import { Store, type StoreOptions, type View } from "../../asl/index.ts";
import type { Arguments } from "../arguments.ts";
import { usageError } from "../failure.ts";
import { parseSeconds } from "../quantities.ts";
import { isTerminal, note } from "../terminal.ts";
import { unlessAborted } from "./stopping.ts";

const MOST_SECONDS = 2_000_000;
const DEFAULT_WAIT_MS = 30_000;

/** Opens the store, to read it or to write to it, and closes it when `use` is done. An abort ends the wait for another writer. */
export async function withStore<Result>(
  args: Arguments,
  mode: "read" | "write",
  use: (store: Store) => Result | Promise<Result>,
  signal?: AbortSignal,
): Promise<Result> {
  const opening = Store.open(folderOf(args), mode === "read" ? { readOnly: true } : waitingOf(args));
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
