/** `ashlar store pin`, `unpin` and `pins`. */
import type { Arguments } from "../arguments.ts";
import { columns } from "../columns.ts";
import { plain } from "../terminal.ts";
import { answer } from "./answer.ts";
import { keysThere } from "./keys.ts";
import { withStore } from "./stores.ts";

export async function pin(args: Arguments): Promise<number> {
  const [, label, word] = args.positionals as readonly [string, string, string];
  return answer("pin", args, () =>
    withStore(args, "write", async (store) => {
      const [key] = keysThere(store.view(), [word]);
      await store.pin(key!, label);
      return { data: { label, key }, text: () => `${plain(label)}  ${key}\n` };
    }),
  );
}

export async function unpin(args: Arguments): Promise<number> {
  const label = args.positionals[1]!;
  return answer("unpin", args, () =>
    withStore(args, "write", async (store) => {
      await store.unpin(label);
      return { data: { label }, text: () => "" };
    }),
  );
}

export async function pins(args: Arguments): Promise<number> {
  return answer("pins", args, () =>
    withStore(args, "read", (store) => {
      const pins = store.pins();
      return { data: { pins }, text: () => columns(pins.map(({ label, key }) => [key, label])) };
    }),
  );
}
