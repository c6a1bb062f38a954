/** Kernels of which bytes were changed: whatever they are by then, both engines come to the same end, and the pool goes on. */
import { isDeepStrictEqual } from "node:util";
import { type KernelEnd, KernelPool } from "../../../host/pel/kernel-pool.ts";
import { ENGINES } from "../../vm/compare.ts";
import { Random } from "../../vm/random.ts";
import { jobOf, KERNEL } from "./kernels.ts";

/** Where the bodies of its functions begin, or not far behind. */
const CODE_AT = KERNEL.findLastIndex((_, at) => Buffer.from(KERNEL.subarray(at, at + 9)).toString() === "exit_well");
const ENTRIES = ["hello", "copy", "world", "print", "two_names", "huge", "clean", "sample", "twice"];

export interface Mutants {
  /** How many ended how, by types of outcomes. */
  readonly outcomes: { readonly [type: string]: number };
  /** What was different, or rejected. */
  readonly failures: readonly string[];
}

/** Runs `count` mutants. */
export async function runMutants(seed: number, count: number): Promise<Mutants> {
  const random = new Random(seed);
  const pool = new KernelPool({ workers: 2 });
  const outcomes: { [type: string]: number } = {};
  const failures: string[] = [];
  const limits = { fuel: 3_000_000n, memoryPages: 64, tableElements: 1000, outputBytes: 1_000_000 };
  try {
    for (let k = 0; k < count; k++) {
      const module = KERNEL.slice();
      // Behind the exports most of them are still modules.
      const from = random.chance(0.2) ? 8 : CODE_AT;
      module[from + random.below(module.length - from)] = random.below(256);
      const options = {
        module,
        entry: ENTRIES[random.below(ENTRIES.length)],
        inputs: { a: Buffer.alloc(random.below(100_000), "x") },
        limits,
      };
      const ends = await Promise.all(
        ENGINES.map(
          (engine): Promise<KernelEnd | Error> => pool.run(jobOf(engine, options)).catch((error: Error) => error),
        ),
      );
      const [left, right] = ends;
      if (left instanceof Error || !isDeepStrictEqual(left, right)) failures.push(`${seed}/${k}: ${left} ${right}`);
      else outcomes[left!.outcome.type] = (outcomes[left!.outcome.type] ?? 0) + 1;
    }
  } finally {
    await pool.close();
  }
  return { outcomes, failures };
}
