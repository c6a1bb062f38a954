/** Random workloads: after each stage a second reader of the folder, written from the specifications alone, and the store agree in everything. */
import t from "tap";
import { runWorkload } from "./second-reader-workload.ts";

t.test(
  "[ASL-CURRENT-4] [ASL-LOG-STATE-1] a second reader of a folder, from the log alone and from checkpoint, index and log, agrees with the store",
  async (t) => {
    for (const seed of [1, 2]) {
      const told = await runWorkload(seed, 250);
      t.comment(JSON.stringify(told));
      for (const [what, count] of Object.entries(told)) t.ok(count > 0, `${what} of seed ${seed}`);
    }
  },
);
