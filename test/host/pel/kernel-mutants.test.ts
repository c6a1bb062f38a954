/** Some kernels of which bytes were changed. */
import t from "tap";
import { runMutants } from "./kernel-mutants.ts";

t.test(
  "[PEL-KERNEL-3, PEL-KERNEL-11] kernels that are damaged end alike on both engines, and the pool goes on",
  async (t) => {
    const { outcomes, failures } = await runMutants(1, 60);
    t.same(failures, []);
    t.equal(
      Object.values(outcomes).reduce((sum, count) => sum + count),
      60,
    );
    t.ok(outcomes.ok! > 0 && outcomes.failure! > 0 && outcomes.trap! > 0, JSON.stringify(outcomes));
  },
);
