/** Equal runs leave equal receipts: whatever the engine, the threads, the store and its past. */
import { join } from "node:path";
import t from "tap";
import type { ArtifactKey } from "../../../host/asl/key.ts";
import { MemoryVolume } from "../../../host/asl/memory-volume.ts";
import { Namespace } from "../../../host/asl/namespace.ts";
import { Store } from "../../../host/asl/store.ts";
import { decodeContext } from "../../../host/pel/claim.ts";
import type { Program } from "../../../host/pel/program.ts";
import { type RunOptions, type RunResult, runProgram } from "../../../host/pel/run.ts";
import { ENGINES } from "../../vm/compare.ts";
import { Random } from "../../vm/random.ts";
import { openStore as openProfile, PROFILES } from "../asl/workloads.ts";
import { randomProgram } from "./crash.ts";
import { KERNEL, mixed, openStore } from "./runs.ts";
import { checkSound } from "./soundness.ts";

const TEXTS = ["the first text", "a second one", "and a third"].map((text) => Buffer.from(text));

/** All that can be told of a run; without what says how it was done. */
function told({ claim, program, failed, outputs, nodes }: RunResult): unknown {
  return {
    claim,
    program,
    failed,
    outputs,
    nodes: nodes.map(({ index, op, outcome, claim, outputs, fuel }) => ({ index, op, outcome, claim, outputs, fuel })),
  };
}

/** Runs a program on a store that has other things in it, in the order that `seed` tells. */
async function runOn(
  store: Store,
  make: (module: ArtifactKey) => Program,
  names: readonly string[],
  options: RunOptions,
  seed = 0,
): Promise<RunResult> {
  const random = new Random(seed + 1);
  const all = [KERNEL, ...TEXTS, ...Array.from({ length: seed }, (_, k) => Buffer.from(`other ${k}`))];
  for (let left = seed; left > 0; left--) all.push(...all.splice(random.below(all.length), 1));
  const keys = new Map<Uint8Array, ArtifactKey>();
  for (const bytes of all) keys.set(bytes, await store.put(bytes));
  const inputs = Object.fromEntries(names.map((name, k) => [name, keys.get(TEXTS[k]!)!]));
  return await runProgram(store, make(keys.get(KERNEL)!), { ...options, inputs });
}

t.test("[PER-CLAIM-2, PEL-RUN-2] engines, threads, stores, orders, what was there before", async (t) => {
  const names = ["text 0", "text 1", "text 2"];
  const make = (module: ArtifactKey): Program => mixed(module);
  const first = await runOn(openStore(), make, names, { workers: 1 });
  const bytes = first.outputs.map(({ key }) => key).length;
  t.equal(bytes, 5);
  const stores: readonly [string, () => Promise<Store>][] = [
    ["memory", async () => openStore()],
    ["a folder", async () => await Store.open(join(t.testdir(), "store"), { create: true })],
    ["small blocks", async () => await openProfile({ volume: new MemoryVolume(), profile: PROFILES.tiny!, pid: 1 })],
    ["without durability", async () => openStore(new MemoryVolume(), { durability: "none" })],
  ];
  let seed = 0;
  for (const engine of ENGINES)
    for (const workers of [undefined, 1, 2, 4])
      for (const [name, open] of workers === 2 ? stores : stores.slice(0, 1)) {
        const store = await open();
        const result = await runOn(store, make, names, { engine, workers }, seed++);
        t.same(told(result), told(first), `${engine}, ${workers ?? "as many as there are"} workers, ${name}`);
        checkSound(store);
        await store.close();
      }
});

for (const keepGoing of [false, true])
  t.test(
    `[PEL-RUN-2, PEL-RUN-5, PER-RUN-2] programs that nobody thought of, ${keepGoing ? "to the end" : "up to the first failure"}`,
    async (t) => {
      let failures = 0;
      for (let seed = 1; seed <= 12; seed++) {
        const make = (module: ArtifactKey): Program => randomProgram(new Random(seed), 25, module);
        const results: RunResult[] = [];
        for (const [k, engine] of [...ENGINES, ...ENGINES].entries()) {
          const store = openStore();
          const options = { engine, workers: 1 + 2 * (k >> 1), keepGoing } as const;
          results.push(await runOn(store, make, ["one", "two"], options, 3 * k));
          checkSound(store);
          const again = await runOn(store, make, ["one", "two"], options);
          t.match(again, { claim: results[0]!.claim, executed: 0 });
          // What is remembered is what is made anew.
          if (k === 0)
            t.match(await runOn(store, make, ["one", "two"], { ...options, cache: false }), {
              hits: 0,
              claim: results[0]!.claim,
            });
        }
        for (const result of results) t.same(told(result), told(results[0]!), `seed ${seed}`);
        const { failed, nodes } = results[0]!;
        if (failed === undefined) continue;
        failures++;
        const ran = nodes.filter(({ index, claim }) => index > failed && claim !== undefined).length;
        if (!keepGoing) t.equal(ran, 0, "of what is behind it nothing is told");
        t.not(nodes[failed]!.outcome?.type, "ok");
        t.notOk(nodes.slice(0, failed).some(({ outcome }) => outcome !== undefined && outcome.type !== "ok"));
      }
      t.ok(failures > 1 && failures < 12, `${failures} of them fail`);
    },
  );

t.test("[PEL-MEMO-2] what a run left is used by others, and changes nothing of theirs", async (t) => {
  const names = ["text 0", "text 1", "text 2"];
  const store = openStore();
  const whole = await runOn(openStore(), (module) => mixed(module), names, {});
  await runOn(store, (module) => mixed(module, 2), names.slice(0, 2), {});
  const result = await runOn(store, (module) => mixed(module), names, {});
  t.ok(result.hits >= 2 && result.executed > 0);
  t.same(told(result), told(whole));
});

t.test(
  "[PER-CLAIM-2, PER-CONTEXT-1] stores that name artifacts otherwise have other receipts, of the same bytes",
  async (t) => {
    const make = (module: ArtifactKey): Program => mixed(module);
    const names = ["text 0", "text 1", "text 2"];
    const contents = new Set<string>();
    const claims = new Set<ArtifactKey>();
    for (const algorithm of ["sha256", "sha3-256", "blake2s-256"]) {
      const store = openStore(new MemoryVolume(), { algorithm });
      const { claim, outputs } = await runOn(store, make, names, {});
      claims.add(claim);
      const bytesOf = (wanted: string): string =>
        Buffer.from(store.get(outputs.find(({ name }) => name === wanted)!.key)!).toString();
      contents.add(["all", "tail"].map(bytesOf).join());
      checkSound(store);
      for (const { key } of store.bindings(Namespace.CONTEXT))
        t.same(Buffer.from(decodeContext(store.get(key)!).domain), Buffer.from(store.domain));
    }
    t.equal(claims.size, 3);
    t.equal(contents.size, 1);
  },
);
