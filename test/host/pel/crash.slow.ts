/** Crashes of many runs: half an hour. `ASHLAR_CRASH_SEED` (1,000) says which. */
import t from "tap";
import { Random } from "../../vm/random.ts";
import { DURABILITIES } from "../asl/workloads.ts";
import { CrashTally, crashRuns, PROFILES } from "./crash.ts";

t.setTimeout(4 * 3_600_000);

const FIRST = Number(process.env.ASHLAR_CRASH_SEED ?? 1000);

t.test("[PEL-RUN-4] crashes of many runs", async (t) => {
  const tally = new CrashTally();
  for (let seed = FIRST; seed < FIRST + 300; seed++) {
    const random = new Random(seed);
    const profile = random.pick(Object.keys(PROFILES));
    const hasGuests = random.chance(0.15);
    const hasLarge = profile === "usual" && random.chance(0.5);
    const workload = {
      durability: random.pick(DURABILITIES),
      profile,
      seed,
      nodes: 5 + random.below(hasLarge ? 20 : 60),
      hasGuests,
      hasLarge,
    };
    const every = hasGuests ? 10 : profile === "tiny" ? 6 : 2;
    await crashRuns(workload, { every, images: hasGuests || hasLarge ? 3 : 10 }, tally);
    if (seed % 25 === 0) t.comment(String(tally));
  }
  t.same(tally.wrong.slice(0, 5), []);
  t.ok(tally.distinct.size > 10_000, String(tally));
});
