/** More of what second-reader.test.ts does, for longer. */
import t from "tap";
import { runWorkload } from "./second-reader-workload.ts";

const SEEDS = 150;

t.test("[ASL-CURRENT-4] longer workloads: the second reader and the store agree", async (t) => {
  const all: Record<string, number> = {};
  for (let seed = 1000; seed < 1000 + SEEDS; seed++)
    for (const [what, count] of Object.entries(await runWorkload(seed, 500))) all[what] = (all[what] ?? 0) + count;
  t.comment(`${SEEDS} stores: ${JSON.stringify(all)}`);
  for (const [what, count] of Object.entries(all)) t.ok(count > SEEDS, what);
});
