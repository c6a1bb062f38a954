/** The campaign of `kernel-mutants.test.ts`, with more of them. */
import t from "tap";
import { runMutants } from "./kernel-mutants.ts";

t.test(
  "[PEL-KERNEL-3, PEL-KERNEL-11] kernels that are damaged end alike on both engines, and the pool goes on",
  async (t) => {
    for (let seed = 100; seed < 120; seed++) {
      const { outcomes, failures } = await runMutants(seed, 500);
      t.same(failures, [], `${seed}: ${JSON.stringify(outcomes)}`);
    }
  },
);
