/** Kills 500 processes that write to a store: about ten minutes. `ASHLAR_KILL_SEED` (1,000) says when. */
import t from "tap";
import { killLoop } from "./kill.ts";

t.setTimeout(3_600_000);
t.test("[ASL-CRASH-7] 500 killed processes", { skip: process.platform === "win32" }, async (t) => {
  const tally = await killLoop(500, Number(process.env.ASHLAR_KILL_SEED ?? 1000));
  t.same(tally.wrong, []);
  t.equal(tally.kills, 500);
  t.ok(tally.acknowledged > 5000, `${tally.begun} changes begun, ${tally.acknowledged} acknowledged`);
});
