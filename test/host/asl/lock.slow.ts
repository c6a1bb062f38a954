/** More of what lock.test.ts does, for longer. */
import t from "tap";
import { explored } from "./lock-interleaving.ts";

t.test("[ASL-LOCK-1] Longer interleavings: never two writers", (t) => {
  explored(t, [
    { attempts: [2, 1], deaths: 1, before: "released", least: 100_000 },
    { attempts: [2, 2], deaths: 0, before: "left over", least: 300_000 },
    { attempts: [3, 1], deaths: 0, before: "dead", least: 200_000 },
  ]);
  t.end();
});
