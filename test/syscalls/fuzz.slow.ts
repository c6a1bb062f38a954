/**
 * As `fuzz.test.ts`, for as long as wanted: `ASHLAR_FUZZ_MINUTES` (10), from seed `ASHLAR_FUZZ_SEED` (1,000,000) on. A
 * failure is reported shrunk; the seed runs it again.
 */
import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { fuzz, newFuzzTally } from "./fuzz.ts";

const CALLS = 1000;
const minutes = Number(process.env.ASHLAR_FUZZ_MINUTES ?? 10);
const first = Number(process.env.ASHLAR_FUZZ_SEED ?? 1_000_000);

const scratch = realpathSync(mkdtempSync(join(tmpdir(), "ashlar-fuzz-slow-")));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
t.setTimeout(minutes * 60_000 + 300_000);

t.test("[ABI-ORDER-2, ABI-POLICY-1, ABI-SNAPSHOT-3, FS-DIRECTORY-1] whatever a guest calls", async (t) => {
  const tally = newFuzzTally();
  const end = performance.now() + minutes * 60_000;
  let seed = first;
  for (; performance.now() < end; seed++) {
    const failure = fuzz(seed, CALLS, scratch, tally);
    if (failure !== undefined) {
      t.fail(failure);
      return;
    }
  }
  t.ok(tally.calls > 10_000 * minutes, `${tally.calls} calls, seeds ${first} to ${seed - 1}`);
  t.comment(
    [...tally.ends]
      .sort()
      .map(([way, times]) => `${way}: ${times}`)
      .join("\n"),
  );
});
