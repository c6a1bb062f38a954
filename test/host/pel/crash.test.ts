/** A part of what `npm run test:crash` does: crashes of runs. */
import t from "tap";
import { CrashTally, crashRuns } from "./crash.ts";

for (const [durability, profile, seed] of [
  ["group", "tiny", 1],
  ["each", "small", 2],
  ["none", "wide", 3],
] as const)
  t.test(
    `[PEL-RUN-4] after a crash all that is named is there, and the run goes on: durability ${durability}`,
    async (t) => {
      const tally = new CrashTally();
      await crashRuns(
        { durability, profile, seed, nodes: 18 },
        { every: profile === "tiny" ? 16 : 6, images: 4 },
        tally,
      );
      t.same(tally.wrong.slice(0, 3), []);
      t.ok(tally.distinct.size > 10 && tally.hits > 0 && tally.executed > 0, String(tally));
      t.comment(String(tally));
    },
  );

t.test("[PEL-RUN-4] the same with nodes that are committed by themselves", async (t) => {
  const tally = new CrashTally();
  await crashRuns(
    { durability: "group", profile: "usual", seed: 5, nodes: 14, hasLarge: true },
    { every: 5, images: 2 },
    tally,
  );
  t.same(tally.wrong.slice(0, 3), []);
  t.ok(tally.distinct.size > 10, String(tally));
  t.comment(String(tally));
});

t.test("[PEL-RUN-4] the same with guests", async (t) => {
  const tally = new CrashTally();
  await crashRuns(
    { durability: "group", profile: "wide", seed: 4, nodes: 12, hasGuests: true },
    { every: 8, images: 2 },
    tally,
  );
  t.same(tally.wrong.slice(0, 3), []);
  t.comment(String(tally));
});
