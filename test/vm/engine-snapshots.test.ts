/** Snapshots of generated guests from both engines, restored into both. */
import t from "tap";
import { AshlarError, restore, Store, Trap, TrapCode } from "../../vm/index.ts";
import { generatedCase } from "./fuzz.ts";
import { Random } from "./random.ts";
import { instantiate, invoke, showAll, showTrap, stateOf, useHostSha256, worldOf } from "./subject.ts";

const ENGINES = ["reference", "compiled"] as const;
const SEEDS = 30;
const LIMITS = { heapObjects: 200, heapBytes: 1 << 20 };

/** What an action shows, or ends with. */
function outcomeOf(act: () => string): string {
  try {
    return act();
  } catch (error) {
    if (error instanceof Trap) return `${showTrap(error)} after ${error.fuel}`;
    if (error instanceof AshlarError) return String(error.code);
    if (error instanceof RangeError && error.message === "of the host") return "what the host threw";
    throw error;
  }
}

useHostSha256();

t.test("[VM-SNAPSHOT-6, VM-SNAPSHOT-1] snapshots between calls are the same, and go on the same", async (t) => {
  let snapshots = 0;
  let continued = 0;
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { subject, plan } = generatedCase(seed);
    /** Calls from number `from` on, as far as the store can be used. */
    const run = (store: Store, from: number, each: () => void): string[] => {
      const lines: string[] = [];
      for (const call of plan.slice(from)) {
        const outcome = outcomeOf(() => showAll(call.entry.results, invoke(store, call)));
        lines.push(`${outcome}, fuel ${store.fuelUsed}, ${stateOf(store)}`);
        if (outcome.startsWith(`trap ${TrapCode.OutOfFuel} `)) break;
        each();
      }
      return lines;
    };
    const [expected, actual] = ENGINES.map((engine) => {
      const world = worldOf(subject);
      const store = new Store({ ...world.options, fuel: 20_000n, limits: LIMITS, engine });
      const saved: Uint8Array[] = [];
      const save = (): void => {
        saved.push(store.instances[0]!.snapshot());
      };
      const started = outcomeOf(() => {
        instantiate(subject, store, world);
        return "done";
      });
      if (started !== "done") return { lines: [started], saved };
      save();
      return { lines: run(store, 0, save), saved };
    }) as [{ lines: string[]; saved: Uint8Array[] }, { lines: string[]; saved: Uint8Array[] }];
    t.same(actual.lines, expected.lines, `seed ${seed}`);
    t.same(actual.saved, expected.saved, `seed ${seed}: snapshots`);
    snapshots += expected.saved.length;
    if (expected.saved.length === 0) continue;
    const from = new Random(seed).below(expected.saved.length);
    const ends = ENGINES.map((engine) => {
      const world = worldOf(subject);
      const parts = subject.parts.map(({ module }) => ({ module, imports: world.imports }));
      const store = restore(expected.saved[from]!, parts, { ...world.options, engine });
      // What the host keeps open it may find stale, on either engine.
      const again = store.instances[0]!.snapshot();
      return [again, ...run(store, from, () => continued++)];
    });
    t.same(ends[1], ends[0], `seed ${seed}: restored at call ${from}`);
  }
  t.ok(snapshots > 3 * SEEDS, `${snapshots} snapshots`);
  t.ok(continued > 2 * SEEDS, `${continued} calls of restored stores`);
});
