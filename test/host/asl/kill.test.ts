/** Processes that are killed while they write to a store in a real folder. `kill.slow.ts` kills 500. */
import t from "tap";
import { killLoop } from "./kill.ts";

t.test(
  "[ASL-CRASH-7] a killed process leaves what it had acknowledged",
  { skip: process.platform === "win32" },
  async (t) => {
    const tally = await killLoop(6, 1);
    t.same(tally.wrong, []);
    t.equal(tally.kills, 6);
    t.comment(`${tally.begun} changes begun, ${tally.acknowledged} acknowledged`);
  },
);
