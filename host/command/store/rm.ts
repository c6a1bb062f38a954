/** `ashlar store rm`. */
import type { Arguments } from "../arguments.ts";
import { answer } from "./answer.ts";
import { keysThere } from "./keys.ts";
import { withStore } from "./stores.ts";

export async function rm(args: Arguments): Promise<number> {
  const words = args.positionals.slice(1);
  return answer("rm", args, () =>
    withStore(args, "write", async (store) => {
      const removed = keysThere(store.view(), words);
      const batch = store.batch();
      for (const key of removed) batch.remove(key);
      batch.commit();
      return { data: { removed }, text: () => removed.map((key) => `${key}\n`).join("") };
    }),
  );
}
