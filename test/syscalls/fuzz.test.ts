/** Random calls of the whole table (see `fuzz.ts`); `fuzz.slow.ts` makes more of them. */
import { mkdtempSync, readdirSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { SYSCALLS } from "../../syscalls/table.ts";
import { fuzz, newFuzzTally } from "./fuzz.ts";

const FIRST = 1;
const SEEDS = 30;
const CALLS = 300;
/** Spec FS-DIRECTORY-15. */
const KEPT_HANDLES = 16;

const scratch = realpathSync(mkdtempSync(join(tmpdir(), "ashlar-fuzz-")));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));

function openHandles(): number {
  return process.platform === "linux" ? readdirSync("/proc/self/fd").length : 0;
}

t.test(
  "[ABI-ORDER-1, ABI-ORDER-2, ABI-POLICY-1, ABI-STATUS-1, ABI-STATUS-3, ABI-WINDOW-1, ABI-SNAPSHOT-3, FS-DIRECTORY-1, SEC-GUEST-4, SEC-GUEST-5] whatever a guest calls",
  async (t) => {
    const tally = newFuzzTally();
    const before = openHandles();
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      const failure = fuzz(seed, CALLS, scratch, tally);
      if (failure !== undefined) t.fail(failure);
    }
    t.comment(`seeds ${FIRST} to ${FIRST + SEEDS - 1}, ${tally.calls} calls`);
    t.ok(tally.calls > (SEEDS * CALLS) / 2);
    t.ok(tally.restores > 0 && tally.replays > 0);
    t.ok(tally.engines > SEEDS / 2, "most of it was done again on both engines");
    t.ok(openHandles() <= before + KEPT_HANDLES, "handles of the host are closed");
    // Each call is done now and then, and each is refused.
    const ways = SYSCALLS.map(({ module, name }) => {
      const ends = [...tally.ends.keys()].filter((end) => end.startsWith(`${module}.${name} `));
      return [name, ends.some((end) => end.endsWith(" OK") || end.endsWith(" exit"))] as const;
    });
    t.same(
      ways.filter(([, isDone]) => !isDone),
      [],
    );
  },
);
