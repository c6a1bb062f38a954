/** Receipts that are true, receipts that lie, and receipts of which nobody can tell. */
import { readdirSync } from "node:fs";
import t, { type Test } from "tap";
import type { ArtifactKey } from "../../../host/asl/key.ts";
import type { Store } from "../../../host/asl/store.ts";
import { ProgramBuilder } from "../../../host/pel/builder.ts";
import {
  decodeClaim,
  encodeNodeClaim,
  encodeRunClaim,
  type NodeClaim,
  type RunClaim,
  TypeTag,
} from "../../../host/pel/claim.ts";
import type { Program } from "../../../host/pel/program.ts";
import { type RunResult, runProgram } from "../../../host/pel/run.ts";
import { type Finding, type Verification, type VerifyOptions, verifyReceipt } from "../../../host/pel/verify.ts";
import { EdgeType, stageEdge } from "../../../host/tgk/edge.ts";
import { ENGINES } from "../../vm/compare.ts";
import { SimulatedVolume } from "../asl/simulated-volume.ts";
import { claimOf, kernel, mixed, openStore, putClaim, putTexts, turned } from "./runs.ts";

// What verification leaves behind is looked for here.
process.env.TMPDIR = t.testdir();

function nodeClaim(store: Store, key: ArtifactKey | undefined): NodeClaim {
  return decodeClaim(store.get(key!)!) as NodeClaim;
}
function runClaim(store: Store, key: ArtifactKey): RunClaim {
  return decodeClaim(store.get(key)!) as RunClaim;
}

/** Runs a program of one guest; answers its receipt. */
async function runOne(store: Store, module: ArtifactKey, entry: string, text: ArtifactKey): Promise<ArtifactKey> {
  const builder = new ProgramBuilder();
  const limits = { fuel: 5_000_000n, depth: 10_000, outputBytes: 1 << 20 };
  builder.output("text", kernel(builder, module, entry, builder.input("text"), { limits }));
  const { nodes } = await runProgram(store, builder.build(), { inputs: { text }, workers: 1 });
  return nodes.find(({ op }) => op === "guest")!.claim!;
}

/** A store in which everything was run once, with guests or without. */
async function ran(
  hasGuests = false,
): Promise<{ store: Store; program: Program; result: RunResult; module: ArtifactKey }> {
  const store = openStore();
  const { module, inputs } = await putTexts(store);
  const program = mixed(hasGuests ? module : undefined);
  return { store, program, module, result: await runProgram(store, program, { inputs, workers: 1 }) };
}

async function expectFinding(
  t: Test,
  store: Store,
  key: ArtifactKey,
  expected: Partial<Finding>,
  options: VerifyOptions = {},
): Promise<Finding> {
  const found = await verifyReceipt(store, key, { workers: 1, ...options });
  t.equal(
    found.verdict,
    (expected.type ?? "differs") === "differs" ? "differs" : "unverifiable",
    JSON.stringify(found.findings[0]),
  );
  t.match(found.findings[0], expected);
  return found.findings[0]!;
}

function expectTrue(t: Test, found: Verification, verified: number): void {
  t.same(found.findings, []);
  t.match(found, { verdict: "verified", verified, more: 0, unstored: [] });
}

for (const engine of ENGINES)
  t.test(`[PER-VERIFY-1, PER-VERIFY-2] receipts of runs and of nodes are true (${engine} engine)`, async (t) => {
    const { store, result } = await ran(true);
    const { position } = store;
    const options = { engine, workers: 1 };
    expectTrue(t, await verifyReceipt(store, result.claim, options), 1);
    const ops = new Set<string>();
    for (const { op, claim } of result.nodes) {
      if (claim === undefined || ops.has(op)) continue;
      expectTrue(t, await verifyReceipt(store, claim, options), 1);
      ops.add(op);
    }
    t.same([...ops].sort(), ["concat", "const", "guest", "hash", "length", "select", "slice", "split"]);
    t.equal(store.position, position, "nothing was stored");
    t.same(readdirSync(process.env.TMPDIR!), [], "nothing is left");
  });

for (const engine of ENGINES)
  t.test(`[PER-VERIFY-1] so are those of failures (${engine} engine)`, async (t) => {
    const store = openStore();
    const { module, inputs } = await putTexts(store);
    const builder = new ProgramBuilder();
    const text = builder.input("text 0");
    const limits = { fuel: 1_000_000n, depth: 10_000, outputBytes: 1 << 20 };
    const entries = ["trap", "divide", "leave", "nothing", "stray", "loop", "deep", "flood", "missing"];
    for (const entry of entries) builder.output(entry, kernel(builder, module, entry, text, { limits }));
    builder.output("cut", builder.slice(text, 1000)).output("part", builder.slice(text, 1, 2));
    const { "text 0": only } = inputs;
    const options = { inputs: { "text 0": only! }, engine, workers: 1 };
    const all = await runProgram(store, builder.build(), { ...options, keepGoing: true });
    const failures = all.nodes.filter(({ outcome }) => outcome !== undefined && outcome.type !== "ok");
    t.equal(failures.length, entries.length + 1);
    expectTrue(t, await verifyReceipt(store, all.claim, options), 1);
    expectTrue(t, await verifyReceipt(store, failures.find(({ op }) => op === "guest")!.claim!, options), 1);
    expectTrue(t, await verifyReceipt(store, failures.find(({ op }) => op === "slice")!.claim!, options), 1);
    const some = await runProgram(store, builder.build(), options);
    t.not(some.claim, all.claim);
    expectTrue(t, await verifyReceipt(store, some.claim, options), 1);
  });

t.test("[PER-VERIFY-3] a receipt of a node that lies: what it says, and what is so", async (t) => {
  const { store, module, result } = await ran();
  const receipt = await runOne(store, module, "turn", await store.put(Buffer.from("some text")));
  const claim = nodeClaim(store, receipt);
  const lie = (change: Partial<NodeClaim>): ArtifactKey => putClaim(store, { ...claim, ...change });
  const about = { type: "differs", op: "guest", node: undefined } as const;

  const other = await store.put(turned(Buffer.from("some tExt")));
  const told = await expectFinding(t, store, lie({ outputs: [{ key: other, tag: undefined }] }), {
    ...about,
    field: "outputs",
    output: { index: 0, name: "text" },
    offset: 6,
    recorded: other,
    actual: claim.outputs[0]!.key,
  });
  t.match(told.message, /byte 6/);
  const shorter = await store.put(turned(Buffer.from("some")));
  await expectFinding(t, store, lie({ outputs: [{ key: shorter, tag: undefined }] }), { ...about, offset: 4 });
  const gone = await store.put(Buffer.from("not for long"));
  const ofGone = lie({ outputs: [{ key: gone, tag: undefined }] });
  await store.remove(gone);
  await expectFinding(t, store, ofGone, { ...about, field: "outputs", offset: undefined });
  const twice = lie({ outputs: [...claim.outputs, ...claim.outputs] });
  await t.rejects(verifyReceipt(store, twice), { code: "PEL-RECEIPT" }, "not even a claim");
  await expectFinding(t, store, lie({ outputs: [{ ...claim.outputs[0]!, tag: 7 }] }), { ...about, field: "tag" });
  await expectFinding(t, store, lie({ fuel: claim.fuel + 1n }), {
    ...about,
    field: "fuel",
    recorded: String(claim.fuel + 1n),
    actual: String(claim.fuel),
  });
  await expectFinding(t, store, lie({ trace: new Uint8Array(32) }), { ...about, field: "trace" });
  await expectFinding(t, store, lie({ outputs: [], outcome: { type: "exit", code: 3 } }), {
    ...about,
    field: "outcome",
    recorded: "exit code 3",
    actual: "ok",
  });
  const parts = result.nodes.find(({ op }) => op === "split")!;
  const split = nodeClaim(store, parts.claim);
  await expectFinding(t, store, putClaim(store, { ...split, outputs: split.outputs.toReversed() }), {
    type: "differs",
    op: "split",
    field: "order",
    output: { index: 0, name: undefined },
  });
});

t.test("[PER-VERIFY-3] a receipt of a run that lies: the first node, and what of it", async (t) => {
  const { store, program, result } = await ran();
  const claim = runClaim(store, result.claim);
  const lie = async (change: Partial<RunClaim>): Promise<ArtifactKey> =>
    await store.put(encodeRunClaim({ ...claim, ...change }), { typeTag: TypeTag.CLAIM });
  const at = (op: string): number => program.nodes.findIndex((node) => node.op === op);
  const withClaim = (node: number, key: ArtifactKey | undefined): RunClaim["claims"] =>
    claim.claims.map((known, index) => (index === node ? key : known));

  const node = at("length");
  const honest = nodeClaim(store, claim.claims[node]);
  const other = await store.put(Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]));
  const lying = putClaim(store, { ...honest, outputs: [{ key: other, tag: undefined }] });
  await expectFinding(t, store, await lie({ claims: withClaim(node, lying) }), {
    type: "differs",
    node,
    op: "length",
    field: "outputs",
    offset: 0,
  });
  const hash = at("hash");
  const two = claim.claims.map((known, index) => (index === node || index === hash ? lying : known));
  const first = Math.min(node, hash);
  await expectFinding(t, store, await lie({ claims: two }), { node: first }, {});
  await expectFinding(t, store, await lie({ claims: withClaim(hash, claim.claims[node]) }), {
    node: hash,
    field: "request",
  });
  await expectFinding(t, store, await lie({ claims: withClaim(node, undefined) }), { node, field: "claims" });
  await expectFinding(t, store, await lie({ claims: withClaim(at("input"), claim.claims[node]) }), {
    node: at("input"),
    field: "claims",
    actual: "none",
  });
  await expectFinding(t, store, await lie({ claims: [...claim.claims, claim.claims[node]] }), { field: "claims" });
  await expectFinding(t, store, await lie({ failed: node }), { node: undefined, field: "outcome" });
  const outputs = claim.outputs.map((output) => (output.name === "size" ? { ...output, key: other } : output));
  await expectFinding(t, store, await lie({ outputs }), { field: "outputs", output: { index: 2, name: "size" } });
  await expectFinding(t, store, await lie({ outputs: claim.outputs.slice(1) }), { field: "outputs" });
  await expectFinding(t, store, await lie({ inputs: claim.inputs.slice(1) }), { field: "inputs" });
  const tagged = claim.inputs.map((input) => ({ ...input, tag: 5 }));
  await expectFinding(t, store, await lie({ inputs: tagged }), { field: "inputs" });
  const swapped = claim.inputs.map((input, k) => ({ ...input, key: claim.inputs.at(-1 - k)!.key }));
  await expectFinding(t, store, await lie({ inputs: swapped }), { field: "request", op: "slice" });
  await expectFinding(t, store, await lie({ program: other }), { field: "program" });
});

t.test("[PER-VERIFY-4] what cannot be run again is no lie", async (t) => {
  const { store, module, result } = await ran(true);
  const receipt = await runOne(store, module, "turn", await store.put(Buffer.from("some text")));
  const claim = nodeClaim(store, receipt);
  const run = runClaim(store, result.claim);
  const type = "version";
  for (const field of ["abi", "fuelSchedule", "compiler"] as const) {
    const other = putClaim(store, { ...claim, [field]: claim[field] + 1 });
    const told = await expectFinding(t, store, other, { type, field: "version", recorded: String(claim[field] + 1) });
    t.match(told.message, /cannot be verified by this program/);
    const ofRun = encodeRunClaim({ ...run, [field]: run[field] + 1 });
    await expectFinding(t, store, await store.put(ofRun, { typeTag: TypeTag.CLAIM }), { type });
  }
  await store.remove(claim.inputs[0]!.key);
  await expectFinding(t, store, receipt, { type: "missing", field: "inputs", recorded: claim.inputs[0]!.key });
  await store.remove(run.inputs[1]!.key);
  await expectFinding(t, store, result.claim, { type: "missing", field: "inputs", recorded: run.inputs[1]!.key });
  await store.remove(module);
  const other = await runOneOf(store, result, "guest");
  await expectFinding(t, store, other, { type: "missing", field: "module", recorded: module });
  await store.remove(run.program);
  await expectFinding(t, store, result.claim, { type: "missing", field: "program", recorded: run.program });
  await t.rejects(verifyReceipt(store, run.program), { code: "PEL-ARGUMENT" }, "what is not there");
  await t.rejects(verifyReceipt(store, await store.put(Buffer.from("no receipt"))), { code: "PEL-RECEIPT" });
  await t.rejects(verifyReceipt(store, "nothing"), { code: "ASL-KEY" });
});

async function runOneOf(store: Store, result: RunResult, op: string): Promise<ArtifactKey> {
  for (const node of result.nodes)
    if (node.op === op && nodeClaim(store, node.claim).inputs.every(({ key }) => store.has(key))) return node.claim!;
  throw new Error(`there is no ${op}`);
}

t.test("[PER-VERIFY-4] what is damaged is told as such", async (t) => {
  const volume = new SimulatedVolume();
  let store = openStore(volume);
  const { module } = await putTexts(store);
  // Stored by itself, in a place that nothing else is in.
  const text = await store.put(Buffer.alloc(100_000, "damaged "));
  const claim = await runOne(store, module, "turn", text);
  const { location } = store.stat(text)!;
  await store.close();
  volume.flip(location.file, location.offset + 50_000, 1);
  store = openStore(volume);
  await expectFinding(t, store, claim, { type: "damaged", field: "inputs" });
  const { location: ofClaim, length } = store.stat(claim)!;
  await store.close();
  volume.flip(ofClaim.file, ofClaim.offset + 48 + (length >> 1), 1);
  store = openStore(volume);
  await t.rejects(verifyReceipt(store, claim), { code: "PEL-RECEIPT" });
});

t.test("[PER-VERIFY-3, PER-VERIFY-4] bytes all over a receipt count", async (t) => {
  const store = openStore();
  const text = await store.put(Buffer.from("text"));
  const builder = new ProgramBuilder();
  builder.output("cut", builder.slice(builder.input("text"), 1, 2));
  const { claim, nodes } = await runProgram(store, builder.build(), { inputs: { text } });
  const verdicts: { [verdict: string]: number } = {};
  let flip = 0;
  for (const key of [claim, nodes.find(({ op }) => op === "slice")!.claim!]) {
    const bytes = store.get(key)!;
    for (let at = flip % 6; at < bytes.length; at += 6) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1 << (flip++ % 8);
      const other = await store.put(changed, { typeTag: TypeTag.CLAIM });
      const told = await verifyReceipt(store, other).then(
        ({ verdict }) => verdict,
        ({ code }) => String(code),
      );
      verdicts[told] = (verdicts[told] ?? 0) + 1;
    }
  }
  t.same(Object.keys(verdicts).sort(), ["PEL-RECEIPT", "differs", "unverifiable"], JSON.stringify(verdicts));
});

t.test("[PER-VERIFY-5] outputs that the store lacks", async (t) => {
  const { store, result } = await ran();
  const { key } = result.outputs.find(({ name }) => name === "sum")!;
  await store.remove(key);
  t.match(await verifyReceipt(store, result.claim, { workers: 1 }), { verdict: "verified", unstored: [key] });
});

for (const engine of ENGINES)
  t.test(`[PER-VERIFY-6] in depth: what the inputs came with, each once (${engine} engine)`, async (t) => {
    const store = openStore();
    const { module, inputs } = await putTexts(store);
    let text = inputs["text 0"]!;
    let last: ArtifactKey | undefined;
    for (let k = 0; k < 3; k++) {
      const builder = new ProgramBuilder();
      const turned = kernel(builder, module, "turn", builder.input("text"), { args: [String(k)] });
      builder.output("text", builder.concat([turned, turned, builder.const(String(k))]));
      const { outputs, claim } = await runProgram(store, builder.build(), { inputs: { text }, engine, workers: 1 });
      text = outputs[0]!.key;
      last = claim;
    }
    const progress: number[] = [];
    const onProgress = ({ done }: { done: number }): void => void progress.push(done);
    const options = { deep: true, engine, workers: 1 };
    const found = await verifyReceipt(store, last!, { ...options, onProgress });
    // The run, and of each earlier one its three nodes.
    expectTrue(t, found, 1 + 2 * 3);
    t.equal(progress.at(-1), 7);
    expectTrue(t, await verifyReceipt(store, last!, { workers: 1 }), 1);
    await t.rejects(verifyReceipt(store, last!, { ...options, most: 5 }), { code: "PEL-LIMIT" });
  });

t.test("[PER-VERIFY-6] in depth: a lie behind what is true, a receipt as an input, one that is gone", async (t) => {
  const store = openStore();
  const a = await store.put(Buffer.from("a"));
  const batch = store.batch();
  const made = batch.put(Buffer.from("made"), { logseq: 100 });
  batch.commit();
  const lying = putClaim(store, claimOf({ op: "concat", refs: [] }, [a], [made]));
  const builder = new ProgramBuilder();
  const input = builder.input("made");
  builder
    .output("length", builder.length(input))
    .output("receipt", builder.hash(builder.input("claim", { tag: TypeTag.CLAIM })));
  const honest = await runOneReceipt(store, a);
  const { claim } = await runProgram(store, builder.build(), { inputs: { made, claim: honest } });
  expectTrue(t, await verifyReceipt(store, claim), 1);
  const deep = await verifyReceipt(store, claim, { deep: true });
  t.match(deep, { verdict: "differs", verified: 2 });
  t.match(deep.findings[0], { receipt: lying, type: "differs", field: "outputs", op: "concat" });
  t.equal(deep.findings.length, 1);
  await store.remove(lying);
  t.match(await verifyReceipt(store, claim, { deep: true }), {
    verdict: "unverifiable",
    findings: [{ receipt: lying, type: "missing" }],
  });
});

t.test("[PER-VERIFY-6] in depth: a receipt that is also an artifact like any other is no less a receipt", async (t) => {
  const store = openStore();
  const a = await store.put(Buffer.from("a"));
  const other = await store.put(Buffer.from("other"));
  const lie = putClaim(store, claimOf({ op: "concat", refs: [] }, [a], [other]));
  await store.put(store.get(lie)!);
  const builder = new ProgramBuilder();
  // Inputs are looked at in the order of refs: first as bytes, then as a receipt.
  builder.output("both", builder.concat([builder.input("bytes"), builder.input("receipt", { tag: TypeTag.CLAIM })]));
  const { claim } = await runProgram(store, builder.build(), { inputs: { bytes: lie, receipt: lie } });
  t.match(await verifyReceipt(store, claim, { deep: true }), { verdict: "differs", findings: [{ receipt: lie }] });
});

t.test(
  "[PER-VERIFY-4, PER-VERIFY-6] in depth: of many that are run together, one whose input is damaged",
  async (t) => {
    const volume = new SimulatedVolume();
    let store = openStore(volume);
    const builder = new ProgramBuilder();
    const inputs: { [name: string]: ArtifactKey } = {};
    for (let k = 0; k < 9; k++) inputs[k] = await store.put(Buffer.alloc(100_000, k));
    const all = builder.concat(Object.keys(inputs).map((name) => builder.hash(builder.input(name))));
    const { nodes } = await runProgram(store, builder.output("all", all).build(), { inputs });
    const { claim, outputs } = nodes.find(({ op }) => op === "concat")!;
    t.equal(outputs.length, 1);
    const { location } = store.stat(inputs[4]!)!;
    await store.close();
    volume.flip(location.file, location.offset + 70_000, 1);
    store = openStore(volume);
    // Keys of artifacts tell their digests: nothing is read.
    expectTrue(t, await verifyReceipt(store, claim!, { deep: true }), 10);
    const parts = new ProgramBuilder();
    const slices = Object.keys(inputs).map((name) => parts.slice(parts.input(name), 50_000, 50_000));
    const { "4": damaged, ...rest } = inputs;
    const spare = await store.put(Buffer.alloc(100_000, 99));
    const some = await runProgram(store, parts.output("all", parts.concat(slices)).build(), {
      inputs: { ...rest, "4": spare },
    });
    const { location: later } = store.stat(spare)!;
    await store.close();
    volume.flip(later.file, later.offset + 70_000, 1);
    store = openStore(volume);
    const joined = some.nodes.find(({ op }) => op === "concat")!.claim!;
    const found = await verifyReceipt(store, joined, { deep: true });
    t.match(found, { verdict: "unverifiable", verified: 9, findings: [{ type: "damaged", op: "slice" }] });
    t.equal(found.findings.length, 1);
    t.ok(damaged);
  },
);

async function runOneReceipt(store: Store, text: ArtifactKey): Promise<ArtifactKey> {
  const builder = new ProgramBuilder();
  builder.output("length", builder.length(builder.input("text")));
  const { nodes } = await runProgram(store, builder.build(), { inputs: { text } });
  return nodes.find(({ op }) => op === "length")!.claim!;
}

t.test("[PER-VERIFY-6] in depth: edges in circles, and to nowhere", async (t) => {
  const store = openStore();
  const a = await store.put(Buffer.from("a"));
  const b = await store.put(Buffer.from("b"));
  const [one, two] = [claimOf({ op: "concat", refs: [] }, [a], [b]), claimOf({ op: "concat", refs: [] }, [b], [a])];
  const batch = store.batch();
  const keys = [one, two].map((claim) => batch.put(encodeNodeClaim(claim), { typeTag: TypeTag.CLAIM, logseq: 1 }));
  const type = EdgeType.EXECUTION;
  const nowhere = `sha256:${"7".repeat(64)}` as ArtifactKey;
  stageEdge(batch, { from: [a], to: [keys[0]!, b], type, roles: 0 });
  stageEdge(batch, { from: [b], to: [keys[1]!, a], type, roles: 0 });
  stageEdge(batch, { from: [b], to: [nowhere, a, b], type, roles: 0 });
  stageEdge(batch, { from: [b], to: [a, b], type, roles: 0 });
  stageEdge(batch, { from: [b], to: [b, a], type, roles: 0 });
  batch.commit();
  const found = await verifyReceipt(store, keys[0]!, { deep: true });
  t.equal(found.verdict, "differs");
  t.same(
    found.findings.map(({ receipt, field }) => [receipt, field]),
    [
      [keys[0], "outputs"],
      [keys[1], "outputs"],
    ],
  );
});

t.test("[PEL-ERROR-1] arguments that make no sense", async (t) => {
  const { store, result } = await ran();
  const { claim } = result;
  const wrong = (options: unknown): Promise<unknown> => verifyReceipt(store, claim, options as VerifyOptions);
  for (const options of [null, 5, { most: 0 }, { most: "x" }, { onProgress: 1 }, { workers: "x" }, { engine: "fast" }])
    await t.rejects(wrong(options), { code: "PEL-ARGUMENT" }, JSON.stringify(options));
  await t.rejects(verifyReceipt(undefined as unknown as Store, claim), { code: "PEL-ARGUMENT" });
  await t.rejects(verifyReceipt(store, undefined as unknown as string), { code: "ASL-KEY" });
});

t.test("[PER-VERIFY-7] a caller that has enough, and a disk that is full, leave nothing behind", async (t) => {
  const { store, result, module } = await ran();
  const controller = new AbortController();
  const signal = controller.signal;
  const looping = await runOne(store, module, "turn", await store.put(Buffer.from("again")));
  controller.abort(new Error("enough"));
  await t.rejects(verifyReceipt(store, result.claim, { signal }));
  await t.rejects(verifyReceipt(store, looping, { signal }));
  await t.rejects(verifyReceipt(store, result.claim, { storeBytes: 10 }), { code: "PEL-LIMIT" });
  const late = new AbortController();
  setTimeout(() => late.abort(new Error("late")), 5);
  await t.rejects(verifyReceipt(store, await slowReceipt(store, module), { signal: late.signal, workers: 1 }));
  t.same(readdirSync(process.env.TMPDIR!), []);
});

/** The receipt of a guest that takes a second or so to run out of fuel. */
async function slowReceipt(store: Store, module: ArtifactKey): Promise<ArtifactKey> {
  const builder = new ProgramBuilder();
  const limits = { fuel: 3_000_000_000n };
  builder.output("text", kernel(builder, module, "loop", builder.input("text"), { limits }));
  const text = await store.put(Buffer.from("slow"));
  const claim: NodeClaim = {
    ...claimOf(builder.build().nodes.find(({ op }) => op === "guest")!, [text], []),
    outcome: { type: "out-of-fuel" },
  };
  return putClaim(store, claim);
}
