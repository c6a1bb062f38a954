/** `ashlar store stats`. */
import type { Arguments } from "../arguments.ts";
import { columns } from "../columns.ts";
import { grouped } from "../quantities.ts";
import { answer } from "./answer.ts";
import { withStore } from "./stores.ts";

export async function stats(args: Arguments): Promise<number> {
  return answer("stats", args, () =>
    withStore(args, "read", (store) => {
      const data = store.stats();
      return { data, text: () => columns(rowsOf(data, "")) };
    }),
  );
}

/** What is nested stands behind the name of what it is nested in. */
function rowsOf(data: object, before: string): string[][] {
  return Object.entries(data).flatMap(([name, value]: [string, unknown]) => {
    const words = before + name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
    if (typeof value === "object" && value !== null) return rowsOf(value, `${words} `);
    return [[words, typeof value === "number" ? grouped(BigInt(value)) : String(value)]];
  });
}
