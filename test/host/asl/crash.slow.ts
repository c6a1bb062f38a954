/** Crashes of all workloads of two operations, and of many long ones; all flips and faults. Hours: `npm run test:crash` has more. */
import t from "tap";
import { crash, crashSeveral, everyWorkload, Tally } from "./crash.ts";
import { type FaultTally, tryFaults } from "./faults.ts";
import { flips, sampleStore, truncations, tryChanges } from "./flips.ts";
import { DURABILITIES, OPERATIONS, PROFILES } from "./workloads.ts";

t.setTimeout(4 * 3_600_000);

t.test(
  "[ASL-CRASH-1, ASL-CRASH-2, ASL-CRASH-3, ASL-CRASH-4, ASL-CRASH-5] two operations, and long workloads",
  async (t) => {
    const tally = new Tally();
    for (const durability of DURABILITIES)
      for (const workload of everyWorkload(2, durability, "tiny"))
        await crash(workload, { images: 16, nested: 4, recoveries: 8 }, tally);
    for (let seed = 1; seed <= 300; seed++) await crashSeveral(seed, { images: 10, nested: 4, recoveries: 8 }, tally);
    t.same(tally.violations.slice(0, 5), []);
    t.ok(tally.distinct.size > 100_000, String(tally));
  },
);

t.test("[ASL-VOLUME-5] every byte, and every length", async (t) => {
  for (const profile of Object.keys(PROFILES)) {
    const sample = await sampleStore(profile);
    for (const masks of [[1, 0x80], [0xff], [0x10, 2, 0x40]]) {
      const { changes, wrong } = await tryChanges(
        sample,
        /^(?!LOCK)/,
        (bytes) => flips(bytes, masks),
        (n) => n % 2 === 0,
      );
      t.same(wrong.slice(0, 3), [], `${changes} changes`);
    }
    const { changes, wrong } = await tryChanges(
      sample,
      /^(?!LOCK)/,
      (bytes) => truncations(bytes),
      (n) => n % 2 === 0,
    );
    t.same(wrong.slice(0, 3), [], `${changes} lengths`);
  }
});

t.test("[ASL-VOLUME-4, ASL-CRASH-6] every call", async (t) => {
  const tally: FaultTally = { runs: 0, codes: {}, wrong: [] };
  for (const durability of DURABILITIES)
    for (const profile of Object.keys(PROFILES))
      await tryFaults({ operations: Object.keys(OPERATIONS), durability, profile, seed: 1 }, () => true, tally);
  t.same(tally.wrong.slice(0, 3), []);
  t.ok(tally.runs > 3000, `${tally.runs} runs`);
});
