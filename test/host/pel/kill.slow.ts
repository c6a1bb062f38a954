/** Kills 200 processes that run programs: some minutes. `ASHLAR_KILL_SEED` (1,000) says when. */
import t from "tap";
import { killRuns } from "./kill.ts";

t.setTimeout(3_600_000);
t.test("[PEL-RUN-4, PEL-RUN-7] 200 killed processes", { skip: process.platform === "win32" }, async (t) => {
  const tally = await killRuns(200, Number(process.env.ASHLAR_KILL_SEED ?? 1000), 800);
  t.same(tally.wrong, []);
  t.equal(tally.kills, 200);
  t.ok(tally.nodes > 1000, `${tally.ended} had ended before; ${tally.nodes} nodes were left`);
});
