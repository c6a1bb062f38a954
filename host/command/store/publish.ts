/** `ashlar store publish`. */
import type { Arguments } from "../arguments.ts";
import { answer } from "./answer.ts";
import { keysThere } from "./keys.ts";
import { withStore } from "./stores.ts";

export async function publish(args: Arguments): Promise<number> {
  const words = args.positionals.slice(1);
  return answer("publish", args, () =>
    withStore(args, "write", async (store) => {
      const published = keysThere(store.view(), words);
      await store.publish(published);
      return { data: { published }, text: () => published.map((key) => `${key}\n`).join("") };
    }),
  );
}
