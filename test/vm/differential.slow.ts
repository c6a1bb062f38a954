/**
 * As `differential.test.ts`, for as long as wanted: `ASHLAR_FUZZ_MINUTES` (10), from seed `ASHLAR_FUZZ_SEED` (1,000,000)
 * on. A failure is reported shrunk; the seed runs it again.
 */
import t from "tap";
import { checkSeed, newTally, shrink } from "./differential.ts";
import { useHostSha256 } from "./subject.ts";

useHostSha256();

const minutes = Number(process.env.ASHLAR_FUZZ_MINUTES ?? 10);
const first = Number(process.env.ASHLAR_FUZZ_SEED ?? 1_000_000);

t.setTimeout(minutes * 60_000 + 300_000);
t.test(
  "generated modules agree with V8, with their own pieces, and with the schedule [VM-EXEC-1, VM-FUEL-2, VM-SNAPSHOT-1]",
  async (t) => {
    const tally = newTally();
    const end = performance.now() + minutes * 60_000;
    let seed = first;
    for (; performance.now() < end; seed++) {
      const difference = checkSeed(seed, tally);
      if (difference) {
        t.fail(difference.message, { shrunk: shrink(seed) });
        return;
      }
    }
    t.ok(tally.subjects > 100 * minutes, `${tally.subjects} subjects, seeds ${first} to ${seed - 1}`);
    t.comment(`${tally.calls} calls, ${tally.steps} instructions, ${tally.pauses} pauses, ${tally.restores} restores`);
  },
);
