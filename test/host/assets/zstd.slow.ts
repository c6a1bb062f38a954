/** A million damaged frames of Zstandard, or `ASHLAR_MINUTES=N` of them. Other seeds: `ASHLAR_SEED=N`. */
import t from "tap";
import { campaign } from "./zstd-frames.ts";

const ROUND = 20_000;
const minutes = Number(process.env.ASHLAR_MINUTES ?? 0);
const seed = Number(process.env.ASHLAR_SEED ?? 20_000);

t.setTimeout(0);
t.test("[PACK-CODEC-3] a million damaged frames", { timeout: 0 }, async (t) => {
  const end = Date.now() + minutes * 60_000;
  for (let round = 0; minutes > 0 ? Date.now() < end : round < 50; round++) {
    const tally = campaign(seed + round, (mutants) => mutants < ROUND);
    t.comment(JSON.stringify({ seed: seed + round, ...tally }));
    t.ok(tally.taken > 0 && tally.refused > 0);
    // So that what libzstd was given for frames that it refused is given back.
    await new Promise((resolve) => setImmediate(resolve));
  }
});
