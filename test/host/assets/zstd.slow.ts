/** A million damaged frames of Zstandard, or `ASHLAR_MINUTES=N` of them. Other seeds: `ASHLAR_SEED=N`. */
import t from "tap";
import { campaign } from "./zstd-frames.ts";

const minutes = Number(process.env.ASHLAR_MINUTES ?? 0);

t.test("[PACK-CODEC-3] a million damaged frames", { timeout: 0 }, async (t) => {
  const end = Date.now() + minutes * 60_000;
  const tally = campaign(Number(process.env.ASHLAR_SEED ?? 20_000), (mutants) =>
    minutes > 0 ? mutants % 100 !== 0 || Date.now() < end : mutants < 1_000_000,
  );
  t.comment(JSON.stringify(tally));
  t.ok(tally.taken > 0 && tally.refused > 0);
});
