/** Importers and a great many damaged sources: some minutes. */
import t from "tap";
import { fuzzImporters } from "./sources.ts";

t.test("[TOOL-INPUT-1] whatever bytes: something that is right, or PACK-IMPORT", (t) => {
  let total = 0;
  for (let seed = 1; seed <= 20; seed++) {
    const { good, refused } = fuzzImporters(seed, 5000);
    total += good + refused;
    t.ok(good > 1000 && refused > 10_000, `seed ${seed}: ${good} were right, ${refused} were refused`);
  }
  t.ok(total > 1_000_000);
  t.end();
});
