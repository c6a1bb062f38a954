/** A million mutants, some ten minutes: `ASHLAR_FUZZ_SEED` (20,000) is the first of them. */
import t from "tap";
import { campaign } from "./mutations.ts";

t.setTimeout(3_600_000);
campaign({ packs: 850_000, stacks: 150_000, seed: Number(process.env.ASHLAR_FUZZ_SEED ?? 20_000) });
