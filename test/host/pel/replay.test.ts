/** Everything that programs made, made once more. */
import t, { type Test } from "tap";
import type { ArtifactKey } from "../../../host/asl/key.ts";
import { MemoryVolume } from "../../../host/asl/memory-volume.ts";
import type { Store } from "../../../host/asl/store.ts";
import { ProgramBuilder } from "../../../host/pel/builder.ts";
import { decodeClaim, encodeRunClaim, type RunClaim, TypeTag } from "../../../host/pel/claim.ts";
import { type Replay, type ReplayOptions, replayStore } from "../../../host/pel/replay.ts";
import { runProgram } from "../../../host/pel/run.ts";
import { ENGINES } from "../../vm/compare.ts";
import { claimOf, kernel, mixed, openStore, putClaim, putTexts } from "./runs.ts";
import { checkSound } from "./soundness.ts";

const ONE = { workers: 1 } as const;

/** Keys of all claims, and of all that is an output of one. */
function madeIn(store: Store): Set<ArtifactKey> {
  const keys = new Set<ArtifactKey>();
  for (const { key, records } of store.list()) {
    if (!records.some(({ typeTag }) => typeTag === TypeTag.CLAIM)) continue;
    keys.add(key);
    for (const output of decodeClaim(store.get(key)!).outputs) keys.add(output.key);
  }
  return keys;
}

async function replayed(
  store: Store,
  options: ReplayOptions = {},
): Promise<{ readonly into: Store; readonly replay: Replay }> {
  const into = openStore();
  return { into, replay: await replayStore(store, into, { ...ONE, ...options }) };
}

async function expectAll(t: Test, store: Store, options: ReplayOptions = {}): Promise<Replay> {
  const { into, replay } = await replayed(store, options);
  t.same(replay.findings, []);
  t.equal(replay.verdict, "verified");
  const there = madeIn(into);
  t.same(
    [...madeIn(store)].filter((key) => !there.has(key)),
    [],
    "all is there",
  );
  checkSound(into);
  return replay;
}

/** A program that measures something. */
function measure(name: string): ReturnType<ProgramBuilder["build"]> {
  const builder = new ProgramBuilder();
  return builder.output("length", builder.length(builder.input(name))).build();
}

for (const engine of ENGINES)
  t.test(`[PER-REPLAY-1, PER-REPLAY-2] runs, failures, and runs of what runs made (${engine} engine)`, async (t) => {
    const store = openStore();
    const { module, inputs } = await putTexts(store);
    const first = await runProgram(store, mixed(module), { ...ONE, inputs });
    const changed = { ...inputs, "text 1": await store.put(Buffer.from("changed")) };
    await runProgram(store, mixed(module), { ...ONE, inputs: changed });
    const builder = new ProgramBuilder();
    const all = builder.input("all");
    builder.output("cut", builder.slice(all, 10_000)).output("trap", kernel(builder, module, "trap", all));
    const { key } = first.outputs.find(({ name }) => name === "all")!;
    await runProgram(store, builder.build(), { ...ONE, inputs: { all: key }, keepGoing: true });
    const { position } = store;
    const progress: number[] = [];
    const replay = await expectAll(t, store, { engine, onProgress: ({ done }) => void progress.push(done) });
    // The kernel, four texts, and two programs.
    t.match(replay, { runs: 3, sources: { artifacts: 7 } });
    t.ok(replay.nodes > 20 && replay.made.artifacts > 15);
    t.equal(progress.at(-1), 3);
    t.equal(store.position, position, "nothing was stored");
  });

t.test(
  "[PER-REPLAY-1] receipts of nodes that are of no run, in chains, and receipts of what receipts tell",
  async (t) => {
    const store = openStore();
    const { inputs } = await putTexts(store);
    const controller = new AbortController();
    const builder = new ProgramBuilder();
    let last = builder.input("text 0");
    for (let k = 0; k < 30; k++) last = builder.concat([last, builder.const(String(k))]);
    builder.output("last", last).output("receipt", builder.hash(last.receipt));
    const program = builder.build();
    const all = await runProgram(store, program, { inputs: { "text 0": inputs["text 0"]! } });
    // As a run leaves it that was stopped.
    await store.remove(all.claim);
    controller.abort();
    const replay = await expectAll(t, store);
    t.match(replay, { runs: 0, nodes: 61, sources: { artifacts: 1 } });
  },
);

t.test("[PER-REPLAY-1] only some receipts, and what is behind them", async (t) => {
  const store = openStore();
  const { inputs } = await putTexts(store);
  const { outputs } = await runProgram(store, mixed(undefined), { inputs });
  const { key } = outputs[0]!;
  const other = await store.put(Buffer.from("other"));
  const wanted = await runProgram(store, measure("made"), { inputs: { made: key } });
  const unwanted = await runProgram(store, measure("other"), { inputs: { other } });
  const { into, replay } = await replayed(store, { receipts: [wanted.claim] });
  t.match(replay, { verdict: "verified", runs: 1, findings: [] });
  t.ok(into.has(wanted.claim) && into.has(key));
  t.notOk(into.has(unwanted.claim) || into.has(other));
  const stat = into.stat(key)!;
  t.same(stat.records.length, 1);
});

t.test("[PER-REPLAY-1] an artifact with two tags, one of which a receipt made", async (t) => {
  const store = openStore();
  const builder = new ProgramBuilder();
  const made = builder.const("made");
  builder.output("made", builder.concat([made, made]));
  await runProgram(store, builder.build());
  const tagged = await store.put(Buffer.from("mademade"), { typeTag: 7 });
  const other = new ProgramBuilder();
  other.output("length", other.length(other.input("tagged", { tag: 7 })));
  await runProgram(store, other.build(), { inputs: { tagged } });
  await expectAll(t, store);
});

t.test("[PER-REPLAY-2] what is not so, what cannot be, and what hangs on that", async (t) => {
  const store = openStore();
  const text = await store.put(Buffer.from("text"));
  const batch = store.batch();
  const other = batch.put(Buffer.from("other"), { logseq: 100 });
  batch.commit();
  const lie = putClaim(store, claimOf({ op: "concat", refs: [] }, [text], [other]));
  const behind = await runProgram(store, measure("other"), { inputs: { other } });
  const honest = await runProgram(store, measure("text"), { inputs: { text } });
  const gone = await store.put(Buffer.from("gone"));
  const lacking = await runProgram(store, measure("gone"), { inputs: { gone } });
  await store.remove(gone);
  const claim = decodeClaim(store.get(honest.claim)!) as RunClaim;
  const newer = await store.put(encodeRunClaim({ ...claim, abi: claim.abi + 1 }), { typeTag: TypeTag.CLAIM });
  const broken = await store.put(Buffer.from("broken"), { typeTag: TypeTag.CLAIM });
  const { replay } = await replayed(store);
  t.equal(replay.verdict, "differs");
  t.equal(replay.runs, 1, "the honest one");
  const told = Object.fromEntries(replay.findings.map(({ receipt, type, field }) => [receipt, `${type} ${field}`]));
  t.same(told, {
    [lie]: "differs outputs",
    [behind.claim]: "missing inputs",
    [lacking.claim]: "missing inputs",
    [newer]: "version version",
    [broken]: "damaged receipt",
  });
});

t.test("[PER-REPLAY-1] only into an empty store that names artifacts alike", async (t) => {
  const store = openStore();
  const full = openStore();
  await full.put(Buffer.from("full"));
  await t.rejects(replayStore(store, full), { code: "PEL-ARGUMENT" });
  const other = openStore(new MemoryVolume(), { algorithm: "sha3-256" });
  await t.rejects(replayStore(store, other), { code: "PEL-ARGUMENT" });
  const options = { receipts: 5 } as unknown as ReplayOptions;
  await t.rejects(replayStore(store, openStore(), options), { code: "PEL-ARGUMENT" });
  await t.rejects(replayStore(store, undefined as unknown as Store), { code: "PEL-ARGUMENT" });
  const { inputs } = await putTexts(store);
  await runProgram(store, mixed(undefined), { inputs });
  const stopped = replayStore(store, openStore(), { signal: AbortSignal.abort() });
  await t.rejects(stopped, { code: "VM-STOPPED" });
});
