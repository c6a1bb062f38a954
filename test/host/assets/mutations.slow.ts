/** A million mutants: some minutes. Other seeds: `ASHLAR_SEED=N`. */
import { campaign } from "./mutations.ts";

campaign({ packs: 850_000, stacks: 150_000, seed: Number(process.env.ASHLAR_SEED ?? 20_000) });
