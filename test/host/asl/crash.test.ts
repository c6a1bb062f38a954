/** A part of what `npm run test:crash` does: workloads of one and of two operations, and some long ones. */
import t, { type Test } from "tap";
import { crash, crashSeveral, everyWorkload, Tally } from "./crash.ts";
import { DURABILITIES } from "./workloads.ts";

function report(t: Test, tally: Tally, least: number): void {
  for (const { workload, cut, message } of tally.violations.slice(0, 3))
    t.fail(`${JSON.stringify(workload)}, cut before ${cut}: ${message}`);
  t.equal(tally.violations.length, 0, "violations");
  t.ok(tally.distinct.size >= least, String(tally));
}

for (const durability of DURABILITIES) {
  t.test(
    `[ASL-CRASH-1, ASL-CRASH-2, ASL-CRASH-3, ASL-CRASH-4, ASL-CRASH-5] one operation, and all crashes of it: durability ${durability}`,
    async (t) => {
      const tally = new Tally();
      for (const workload of everyWorkload(1, durability, "tiny"))
        await crash(workload, { images: 8, nested: 2, recoveries: 8 }, tally);
      report(t, tally, 300);
    },
  );
}

t.test("[ASL-CRASH-1, ASL-CRASH-2, ASL-CRASH-3] two operations: one in so many of their crashes", async (t) => {
  const tally = new Tally();
  let n = 0;
  for (const durability of DURABILITIES)
    for (const workload of everyWorkload(2, durability, n % 2 === 0 ? "tiny" : "small"))
      if (n++ % 53 === 0) await crash(workload, { images: 5, nested: 2, recoveries: 20 }, tally);
  report(t, tally, 200);
});

t.test("[ASL-CRASH-1, ASL-CRASH-2, ASL-CRASH-3, ASL-CRASH-4, ASL-CRASH-5] long workloads", async (t) => {
  const tally = new Tally();
  for (let seed = 1; seed <= 2; seed++) await crashSeveral(seed, { images: 4, nested: 2, recoveries: 20 }, tally);
  report(t, tally, 60);
});
