/** Stores on volumes that forget a sync, swap writes, truncate too much or acknowledge early: the crash tests find each of them. */
import t from "tap";
import { crash, Tally } from "./crash.ts";
import { MUTANTS } from "./mutants.ts";

/** Of everything a little: the index is frozen and merged, logs and blocks are begun, CURRENT is replaced. */
const OPERATIONS = ["small", "packed", "small", "own", "small", "reopen", "small", "packed", "small", "small"];

for (const [name, wrap] of Object.entries(MUTANTS)) {
  t.test(`[ASL-VOLUME-2] a store is found out that ${name}`, async (t) => {
    const tally = new Tally();
    for (let seed = 1; seed <= 12 && tally.violations.length === 0; seed++)
      await crash(
        { operations: OPERATIONS, durability: "each", profile: seed % 3 === 0 ? "small" : "tiny", seed },
        { images: 6, nested: 2, recoveries: 8, violations: 1 },
        tally,
        wrap,
      );
    t.not(tally.violations.length, 0, String(tally));
    if (tally.violations.length > 0) t.comment(tally.violations[0]!.message.split("\n")[0]!);
  });
}

t.test("and one that does nothing of that is not", async (t) => {
  const tally = new Tally();
  for (let seed = 1; seed <= 2; seed++)
    await crash(
      { operations: OPERATIONS, durability: "each", profile: "tiny", seed },
      { images: 6, nested: 2, recoveries: 8 },
      tally,
    );
  t.same(tally.violations, []);
  t.ok(tally.checked > 100, String(tally));
});
