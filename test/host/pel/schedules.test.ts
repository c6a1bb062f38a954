/** Any program leaves the same, however it is run (spec 30a). */
import fc from "fast-check";
import t from "tap";
import { MemoryVolume } from "../../../host/asl/memory-volume.ts";
import { ProgramBuilder, type Value } from "../../../host/pel/builder.ts";
import { type RunOptions, type RunResult, runProgram } from "../../../host/pel/run.ts";
import { KERNEL, kernel, openStore } from "./runs.ts";
import { checkSound } from "./soundness.ts";

/** Exports of the kernel: some end well, some as the input says, some never do. */
const ENTRIES = ["turn", "turn", "turn", "draw", "trap", "leave", "nothing", "absent"];

/** A node: what it does, and numbers that choose what it takes. */
const step = fc.record({
  what: fc.constantFrom("guest", "guest", "guest", "concat", "slice", "split", "hash", "receipt"),
  entry: fc.constantFrom(...ENTRIES),
  picks: fc.array(fc.nat(1000), { minLength: 1, maxLength: 4 }),
  number: fc.nat(12),
});

const WAYS: readonly RunOptions[] = [
  { engine: "reference", workers: 2 },
  { engine: "compiled", workers: 3, cache: false },
];

t.test(
  "[PEL-RUN-2, PEL-RUN-3, PEL-RUN-5, PER-CLAIM-2] programs of guests that fail or not: the same receipt on each engine, with any number of threads, remembered or not",
  async (t) => {
    const counts = { failed: 0, done: 0, executed: 0 };
    const property = fc.asyncProperty(
      fc.array(step, { minLength: 3, maxLength: 12 }),
      fc.boolean(),
      async (steps, keepGoing) => {
        const store = openStore();
        const module = await store.put(KERNEL);
        const text = await store.put(Buffer.from("some text"));
        const builder = new ProgramBuilder();
        const values: Value[] = [builder.input("text"), builder.const("other text")];
        for (const { what, entry, picks, number } of steps) {
          const taken = picks.map((pick) => values[pick % values.length]!);
          const first = taken[0]!;
          if (what === "guest") values.push(kernel(builder, module, entry, first, { args: [`${number % 2}`] }));
          else if (what === "concat") values.push(builder.concat(taken));
          else if (what === "slice") values.push(builder.slice(first, number));
          else if (what === "split") values.push(...builder.split(first, [number]));
          else if (what === "hash") values.push(builder.hash(first));
          else if (first !== values[0]) values.push(builder.concat([first.receipt]));
        }
        for (const [k, value] of values.entries()) builder.output(`${k}`, value);
        const program = builder.build();
        const run = (options: RunOptions, into = store): Promise<RunResult> =>
          runProgram(into, program, { inputs: { text }, keepGoing, ...options });
        const wanted = await run({ engine: "compiled", workers: 1 });
        if (wanted.failed === undefined) counts.done++;
        else counts.failed++;
        counts.executed += wanted.executed;
        const said = (result: RunResult): unknown => [
          result.claim,
          result.failed,
          result.outputs,
          result.nodes.map(({ claim, outcome, outputs, fuel }) => [claim, outcome, outputs, fuel]),
        ];
        const again = await run({});
        t.strictSame(said(again), said(wanted));
        t.equal(again.executed, 0);
        for (const way of WAYS) {
          const other = openStore(new MemoryVolume());
          await other.put(KERNEL);
          await other.put(Buffer.from("some text"));
          t.strictSame(said(await run(way, other)), said(wanted));
          checkSound(other);
          await other.close();
        }
        checkSound(store);
        await store.close();
      },
    );
    await fc.assert(property, { numRuns: 8 });
    t.ok(counts.executed > 12, JSON.stringify(counts));
  },
);
