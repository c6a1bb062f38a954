/** The races and the hostile programs of security*.test.ts, many more of them and longer. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { Driver } from "../conformance/driver.ts";
import type { Attacker } from "./attacker.ts";
import { wasiAttacker } from "./attacker-wasi.ts";
import { type HostileTally, hostile } from "./hostile.ts";
import { race } from "./race.ts";
import type { World } from "./worlds.ts";

const scratch = realpathSync(mkdtempSync(join(tmpdir(), "ashlar-security-slow-")));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));
let folders = 0;

function folder(): string {
  const path = join(scratch, `${folders++}`, "in", "side");
  mkdirSync(path, { recursive: true });
  return path;
}

if (process.platform === "linux")
  for (const system of ["directory", "overlay over a directory", "quota over a directory"] as const)
    t.test(`[SEC-GUEST-7] folders and files swapped for links for a long time: ${system}`, async (t) => {
      await race(t, system, folder(), { rounds: 20_000, swaps: 20_000 });
      const attacker = ({ mounts }: World): Attacker => {
        const guest = new Driver({ mounts });
        return wasiAttacker({ memory: guest.memory, call: (...call) => guest.call(...call) });
      };
      await race(t, system, folder(), { rounds: 5000, swaps: 5000, attacker });
    });

t.test("[SEC-GUEST-3, SEC-GUEST-4, SEC-GUEST-5] hostile programs", async (t) => {
  const tally: HostileTally = { calls: 0, ends: new Map() };
  for (let seed = 1000; seed < 2000; seed++)
    for (const system of [
      "memory",
      "quota over memory",
      "quota over a directory",
      "overlay over a directory",
    ] as const) {
      t.equal(hostile({ seed, calls: 1000, system, folder, tally }), undefined);
      rmSync(scratch, { recursive: true, force: true });
    }
  t.comment(`${tally.calls} calls`);
});
