/** `ashlar store snapshot`. */
import { hex } from "../../assets/hash.ts";
import type { Arguments } from "../arguments.ts";
import { columns } from "../columns.ts";
import { usageError } from "../failure.ts";
import { plain } from "../terminal.ts";
import { answer } from "./answer.ts";
import { withStore } from "./stores.ts";

export async function snapshot(args: Arguments): Promise<number> {
  const { options, positionals } = args;
  const name = positionals[1];
  const drop = options.get("drop")?.[0];
  const identity = options.get("identity")?.[0];
  const given = [name, drop, identity].filter((value) => value !== undefined).length + (options.has("list") ? 1 : 0);
  if (given !== 1)
    throw usageError(
      "`snapshot` takes one of: a NAME, --list, --drop NAME, --identity NAME.",
      "Write: snapshot DIR NAME",
    );
  if (name !== undefined) return take(args, name);
  if (drop !== undefined) return dropOne(args, drop);
  if (identity !== undefined) return identify(args, identity);
  return list(args);
}

function take(args: Arguments, name: string): Promise<number> {
  return answer("snapshot", args, () =>
    withStore(args, "write", async (store) => {
      const { position } = await store.snapshot(name);
      return { data: { name, position }, text: () => `${plain(name)}: position ${position}\n` };
    }),
  );
}

function dropOne(args: Arguments, name: string): Promise<number> {
  return answer("snapshot", args, () =>
    withStore(args, "write", async (store) => {
      await store.dropSnapshot(name);
      return { data: { dropped: name }, text: () => "" };
    }),
  );
}

function identify(args: Arguments, name: string): Promise<number> {
  return answer("snapshot", args, (progress) =>
    withStore(args, "read", async (store) => {
      const onProgress = (rows: number): void => progress.update(rows, undefined, "rows of the index");
      const identity = hex(await store.snapshotIdentity(name, { onProgress }));
      return { data: { name, identity }, text: () => `${identity}\n` };
    }),
  );
}

function list(args: Arguments): Promise<number> {
  return answer("snapshot", args, () =>
    withStore(args, "read", (store) => {
      const snapshots = store.snapshots().map(({ name, position }) => ({ name, position }));
      const rows = snapshots.map(({ name, position }) => [position, name]);
      return { data: { snapshots }, text: () => (rows.length === 0 ? "" : columns(rows, ["position", "name"])) };
    }),
  );
}
