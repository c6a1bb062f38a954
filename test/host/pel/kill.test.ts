/** Processes that are killed while they run programs. `kill.slow.ts` kills 200. */
import t from "tap";
import { killRuns } from "./kill.ts";

t.test(
  "[PEL-RUN-4, PEL-RUN-7] a killed process leaves whole nodes, and the next one goes on",
  { skip: process.platform === "win32" },
  async (t) => {
    const tally = await killRuns(3, 1, 400);
    t.same(tally.wrong, []);
    t.equal(tally.kills, 3);
    t.comment(`${tally.ended} had ended before; ${tally.nodes} nodes were left`);
  },
);
