/** Why nodes would be executed, told before it happens: held against what runs then do. */
import t, { type Test } from "tap";
import { type ArtifactKey, keyBytes, Namespace, type Store } from "../../../host/asl/index.ts";
import { digestOf } from "../../../host/assets/hash.ts";
import { ProgramBuilder, type Value } from "../../../host/pel/builder.ts";
import {
  decodeClaim,
  encodeNodeClaim,
  encodeRunClaim,
  type NodeClaim,
  type RunClaim,
  TypeTag,
} from "../../../host/pel/claim.ts";
import { type ExplainedNode, explainProgram, MOST_REASONS, reasonText } from "../../../host/pel/explain.ts";
import type { Program } from "../../../host/pel/program.ts";
import { type RunResult, runProgram } from "../../../host/pel/run.ts";
import { kernel, mixed, openStore, putTexts } from "./runs.ts";

type Inputs = { readonly [name: string]: ArtifactKey };

function withStore(test: (store: Store, t: Test) => Promise<void>): (t: Test) => Promise<void> {
  return async (t) => {
    const store = openStore();
    try {
      await test(store, t);
    } finally {
      await store.close();
    }
  };
}

/** What is told, and what a run then does: nothing that is said to be a hit is executed, and everything that is said to be missed is. */
async function told(t: Test, store: Store, program: Program, inputs: Inputs): Promise<readonly ExplainedNode[]> {
  const { nodes } = explainProgram(store, program, { inputs });
  const again = explainProgram(store, program, { inputs });
  t.strictSame(again.nodes, nodes, "to ask changes nothing");
  const run: RunResult = await runProgram(store, program, { inputs, workers: 1 });
  for (const { index, state, claim } of nodes) {
    const done = run.nodes[index]!;
    if (state === "input") t.equal(done.state, "input");
    if (state === "hit") t.equal(done.state, "hit", `node ${index}`);
    if (state === "miss") t.equal(done.state, "executed", `node ${index}`);
    if (claim !== undefined) t.equal(done.claim, claim, `the receipt of node ${index} was known`);
  }
  return nodes;
}

/** States and reasons by node, but for inputs. */
function shown(nodes: readonly ExplainedNode[]): readonly (readonly [string, string, ...string[]])[] {
  return nodes
    .filter(({ state }) => state !== "input")
    .map(({ op, state, reasons }) => [op, state, ...reasons.map(({ type }) => type)]);
}

const start = (key: string): string => key.slice(0, "sha256:".length + 12);

t.test(
  "[PEL-EXPLAIN-1, PEL-EXPLAIN-2] what was never run, what was, and what an input changes",
  withStore(async (store, t) => {
    const { module, inputs } = await putTexts(store);
    const program = mixed(module);
    const first = await told(t, store, program, inputs);
    for (const { op, state, reasons } of first) {
      if (op === "const" || op === "guest")
        t.match({ state, reasons }, { state: "miss", reasons: [{ type: "never-executed" }] });
      else if (state !== "input") t.match({ state, reasons }, { state: "blocked", reasons: [{ type: "needs" }] });
    }
    const second = await told(t, store, program, inputs);
    t.ok(second.every(({ state }) => state === "hit" || state === "input"));
    t.ok(second.every(({ state, reasons }) => state === "input" || reasons[0]?.type === "remembered"));

    const text = await store.put(Buffer.from("another text"));
    const third = await told(t, store, program, { ...inputs, "text 1": text });
    const missed = third.filter(({ state }) => state === "miss");
    t.equal(missed.length, 1, "its guest alone is certain to be executed");
    const [{ op, reasons, index }] = missed as [ExplainedNode];
    const input = program.nodes.findIndex((node) => node.op === "input" && node.name === "text 1");
    t.equal(op, "guest");
    t.strictSame(reasons, [
      {
        type: "input-changed",
        input: "text",
        node: input,
        name: "text 1",
        before: { key: inputs["text 1"]!, tag: undefined },
        after: { key: text, tag: undefined },
      },
    ]);
    t.equal(reasonText(reasons[0]!), `input text ("text 1") was ${start(inputs["text 1"]!)}, is ${start(text)}`);
    const concat = third.find(({ op, state }) => op === "concat" && state === "blocked");
    t.strictSame(concat?.reasons, [{ type: "needs", nodes: [index] }]);
    t.equal(reasonText(concat!.reasons[0]!), `depends on node ${index}`);
  }),
);

t.test(
  "[PEL-EXPLAIN-2] what comes of a node may be what came of it before: then what depends on it is open, and hits",
  withStore(async (store, t) => {
    const builder = new ProgramBuilder();
    const head = builder.slice(builder.input("text"), 0, 3);
    const program = builder.output("hash", builder.hash(head)).build();
    const [a, b] = [await store.put(Buffer.from("one and two")), await store.put(Buffer.from("one and three"))];
    await told(t, store, program, { text: a });
    t.strictSame(shown(await told(t, store, program, { text: b })), [
      ["slice", "miss", "input-changed"],
      ["hash", "blocked", "needs"],
    ]);
    t.strictSame(shown(explainProgram(store, program, { inputs: { text: b } }).nodes), [
      ["slice", "hit", "remembered"],
      ["hash", "hit", "remembered"],
    ]);
  }),
);

t.test(
  "[PEL-EXPLAIN-2] an output that is gone is made again, and what depends on it is known",
  withStore(async (store, t) => {
    const builder = new ProgramBuilder();
    const text = builder.input("text");
    const joined = builder.concat([text, text]);
    const program = builder.output("hash", builder.hash(joined)).build();
    const inputs = { text: await store.put(Buffer.from("twice")) };
    await told(t, store, program, inputs);
    const [key] = await store.putMany([Buffer.from("twicetwice")]);
    await store.remove(key!);
    const nodes = await told(t, store, program, inputs);
    t.strictSame(shown(nodes), [
      ["concat", "miss", "output-gone"],
      ["hash", "hit", "remembered"],
    ]);
    t.equal(reasonText(nodes.find(({ op }) => op === "concat")!.reasons[0]!), `its output ${start(key!)} is gone`);
  }),
);

t.test(
  "[PEL-EXPLAIN-2] a node that failed is remembered, and what needs what it would have made is blocked",
  withStore(async (store, t) => {
    const builder = new ProgramBuilder();
    const text = builder.input("text");
    const part = builder.slice(text, 100);
    const program = builder.output("hash", builder.hash(part)).output("receipt", builder.length(part.receipt)).build();
    const inputs = { text: await store.put(Buffer.from("short")) };
    await runProgram(store, program, { inputs, keepGoing: true });
    const { nodes } = explainProgram(store, program, { inputs });
    t.strictSame(shown(nodes).toSorted(), [
      ["hash", "blocked", "failed"],
      ["length", "hit", "remembered"],
      ["slice", "hit", "remembered"],
    ]);
    const slice = nodes.find(({ op }) => op === "slice")!;
    t.equal(reasonText(slice.reasons[0]!), "failed before: OUT_OF_RANGE");
    const hash = nodes.find(({ op }) => op === "hash")!;
    t.equal(reasonText(hash.reasons[0]!), `needs what node ${slice.index} failed to make`);
  }),
);

t.test(
  "[PEL-EXPLAIN-2] two nodes that ask for the same",
  withStore(async (store, t) => {
    const builder = new ProgramBuilder();
    const [a, b] = [builder.length(builder.input("a")), builder.length(builder.input("b"))];
    const program = builder.output("a", a).output("b", b).build();
    const text = await store.put(Buffer.from("text"));
    const nodes = await told(t, store, program, { a: text, b: text });
    t.strictSame(shown(nodes), [
      ["length", "miss", "never-executed"],
      ["length", "hit", "same"],
    ]);
    t.equal(reasonText(nodes.at(-1)!.reasons[0]!), `does what node ${nodes.at(-2)!.index} does`);
  }),
);

t.test(
  "[PEL-EXPLAIN-3] parameters, limits, and a module of a guest that are not what they were",
  withStore(async (store, t) => {
    const { module, inputs } = await putTexts(store, 2);
    const programOf = (more: { args?: string[]; fuel?: bigint; module?: ArtifactKey; at?: number }): Program => {
      const builder = new ProgramBuilder();
      const texts = [builder.input("text 0"), builder.input("text 1")];
      const [one, two] = texts.map((text, k) =>
        kernel(builder, (k === 1 && more.module) || module, "turn", text, {
          args: k === 1 ? (more.args ?? []) : [],
          limits: k === 1 && more.fuel !== undefined ? { fuel: more.fuel } : {},
        }),
      ) as [Value, Value];
      return builder.output("all", builder.slice(builder.concat([one, two]), more.at ?? 1)).build();
    };
    await runProgram(store, programOf({ at: 9 }), { inputs, workers: 1 });
    const before = await runProgram(store, programOf({}), { inputs, workers: 1 });
    const unlike = new ProgramBuilder();
    unlike.output("some", unlike.length(unlike.input("thing")));
    await runProgram(store, unlike.build(), { inputs: { thing: inputs["text 0"]! } });
    const missed = (program: Program) => {
      const { nodes, against } = explainProgram(store, program, { inputs });
      t.equal(against, before.claim, "the newest run that is like it");
      return nodes.filter(({ state }) => state === "miss").map(({ op, reasons }) => [op, ...reasons.map(reasonText)]);
    };
    t.strictSame(missed(programOf({ args: ["-v"] })), [["guest", 'args/0 was nothing, is "-v"']]);
    t.strictSame(missed(programOf({ fuel: 10n ** 9n })), [["guest", 'limits/fuel was "10000000000", is "1000000000"']]);
    t.strictSame(missed(programOf({ at: 2 })), [["slice", "offset was 1, is 2"]]);
    const other = await store.put(Buffer.concat([(await store.get(module))!, Uint8Array.of(0, 2, 1, 0x61)]));
    t.strictSame(missed(programOf({ module: other })), [["guest", `module was ${start(module)}, is ${start(other)}`]]);
    t.strictSame(missed(programOf({ at: 2, args: ["-v"] })), [["guest", 'args/0 was nothing, is "-v"']]);
    t.strictSame(missed(programOf({})), []);

    // One input more: what is done with the others is known.
    const builder = new ProgramBuilder();
    const texts = ["text 0", "text 0a", "text 1"].map((name) => kernel(builder, module, "turn", builder.input(name)));
    const longer = builder.output("all", builder.slice(builder.concat(texts), 1)).build();
    const added = await store.put(Buffer.from("added"));
    const { nodes } = explainProgram(store, longer, { inputs: { ...inputs, "text 0a": added } });
    t.strictSame(shown(nodes).toSorted(), [
      ["concat", "blocked", "needs"],
      ["guest", "hit", "remembered"],
      ["guest", "hit", "remembered"],
      ["guest", "miss", "never-executed"],
      ["slice", "blocked", "needs"],
    ]);
  }),
);

/** Makes this the last run of its program. */
function remember(store: Store, claim: RunClaim): ArtifactKey {
  const batch = store.batch();
  const key = batch.put(encodeRunClaim(claim), { typeTag: TypeTag.CLAIM });
  batch.bind(Namespace.RUN, digestOf(keyBytes(claim.program)), key);
  batch.commit();
  return key;
}

t.test(
  "[PEL-EXPLAIN-3] versions that are not what they were, receipts that are lost, and what was forgotten",
  withStore(async (store, t) => {
    const builder = new ProgramBuilder();
    const program = builder.output("size", builder.length(builder.input("text"))).build();
    const inputs = { text: await store.put(Buffer.from("some text")) };
    const before = await runProgram(store, program, { inputs });
    const run = decodeClaim(store.get(before.claim)!) as RunClaim;
    const node = decodeClaim(store.get(run.claims[1]!)!) as NodeClaim;
    const text = await store.put(Buffer.from("another"));
    const reasonsOf = () => explainProgram(store, program, { inputs: { text } }).nodes[1]!.reasons;

    const older: NodeClaim = { ...node, abi: 0, fuelSchedule: 0, compiler: 0 };
    const claim = await store.put(encodeNodeClaim(older), { typeTag: TypeTag.CLAIM });
    remember(store, { ...run, claims: [undefined, claim] });
    t.match(
      reasonsOf().map(reasonText),
      [
        /^the ABI version was 0, is \d+$/,
        /^the fuel schedule was 0, is \d+$/,
        /^the PEL compiler was 0, is \d+$/,
        `input 0 ("text") was ${start(inputs.text)}, is ${start(text)}`,
      ],
      "all that is not the same",
    );

    const lost = `sha256:${"00".repeat(32)}` as ArtifactKey;
    remember(store, { ...run, claims: [undefined, lost] });
    t.strictSame(reasonsOf(), [{ type: "forgotten", claim: lost }]);
    remember(store, { ...run, claims: [undefined, undefined] });
    t.strictSame(reasonsOf(), [{ type: "never-executed" }], "it had not come to it");
    const same: NodeClaim = { ...node, inputs: [{ key: text, tag: undefined }] };
    const unbound = await store.put(encodeNodeClaim(same), { typeTag: TypeTag.CLAIM });
    remember(store, { ...run, claims: [undefined, unbound] });
    t.equal(reasonText(reasonsOf()[0]!), `what ${start(unbound)} says is no longer remembered`);
  }),
);

t.test(
  "[PEL-EXPLAIN-1] what it is held against can be chosen, and inputs that are missing are told",
  withStore(async (store, t) => {
    const builder = new ProgramBuilder();
    const sized = builder.length(builder.input("text"));
    const program = builder.output("both", builder.concat([sized, builder.input("tagged", { tag: 5 })])).build();
    const [a, b, c] = await Promise.all(["a", "b", "c"].map((text) => store.put(Buffer.from(text))));
    const tagged = await store.put(Buffer.from("tag"), { typeTag: 5 });
    const one = await runProgram(store, program, { inputs: { text: a!, tagged } });
    const two = await runProgram(store, program, { inputs: { text: b!, tagged } });
    const before = (against?: ArtifactKey) => {
      const { nodes } = explainProgram(store, program, { inputs: { text: c!, tagged }, against });
      const [reason] = nodes.find(({ op }) => op === "length")!.reasons;
      return reason?.type === "input-changed" ? reason.before?.key : reason;
    };
    t.equal(before(), b, "the last run");
    t.equal(before(one.claim), a);
    t.equal(before(two.claim), b);
    t.throws(() => before(a), { code: "PEL-RECEIPT", place: { key: a } });
    t.throws(() => before(one.nodes.find(({ op }) => op === "length")?.claim), { code: "PEL-RECEIPT" });
    t.equal(explainProgram(store, one.program, { inputs: { text: c!, tagged } }).program, one.program, "by its key");

    const inputsOf = (inputs: Inputs, snapshot?: string) =>
      explainProgram(store, program, { inputs, snapshot })
        .nodes.filter(({ op }) => op === "input" || op === "length")
        .flatMap(({ op, state, reasons }) => [`${op} ${state}: ${reasonText(reasons[0]!)}`]);
    const input = program.nodes.findIndex((node) => node.op === "input" && node.name === "text");
    t.strictSame(inputsOf({ tagged }).toSorted(), [
      `input blocked: nothing is given for it`,
      `input input: is ${start(tagged)}`,
      `length blocked: depends on node ${input}`,
    ]);
    t.match(
      inputsOf({ text: `sha256:${"00".repeat(32)}` as ArtifactKey, tagged }).join(),
      /the store has no such artifact/,
    );
    t.match(inputsOf({ text: a!, tagged: a! }).join(), /the artifact has no record with the type tag 5/);
    t.match(inputsOf({ text: tagged, tagged }).join(), /the artifact has no record with no type tag/);
    t.throws(() => inputsOf({ txt: a!, tagged }), { code: "PEL-INPUT" });
    t.throws(() => explainProgram(store, a!), { message: /./ }, "what is no program");
    t.throws(() => explainProgram(store, `sha256:${"00".repeat(32)}`), { code: "PEL-INPUT" });

    await store.snapshot("then");
    const late = await store.put(Buffer.from("late"));
    t.match(inputsOf({ text: late, tagged }, "then").join(), /the store has no such artifact/);
    t.match(inputsOf({ text: late, tagged }).join(), /input input/);
    t.throws(() => inputsOf({ text: a!, tagged }, "never"), { code: "ASL-NOT-FOUND" });
  }),
);

t.test(
  "[PEL-EXPLAIN-1, PEL-EXPLAIN-4] a module that is not there, what would be put first, and no more reasons than somebody would read",
  withStore(async (store, t) => {
    const { module, inputs } = await putTexts(store, 1);
    const missing = `sha256:${"11".repeat(32)}` as ArtifactKey;
    const builder = new ProgramBuilder();
    const guest = kernel(builder, missing, "turn", builder.input("text 0"));
    const { nodes } = explainProgram(store, builder.output("text", guest).build(), { inputs });
    t.strictSame(nodes.at(-1)!.reasons, [{ type: "no-module", key: missing }]);
    t.match(reasonText(nodes.at(-1)!.reasons[0]!), /^the store has no module/);

    // What would be put first counts as being there.
    const text = `sha256:${"22".repeat(32)}` as ArtifactKey;
    const assumed = new Set([missing, text]);
    const before = await runProgram(store, mixed(module, 1), { inputs, workers: 1 });
    const later = explainProgram(store, before.program, { inputs: { "text 0": text }, assumed }).nodes;
    const guestOf = (explained: readonly ExplainedNode[]) => explained.find(({ op }) => op === "guest")!;
    t.match(guestOf(later), { state: "miss", reasons: [{ type: "input-changed", after: { key: text } }] });
    const replaced = explainProgram(store, mixed(missing, 1), { inputs, assumed }).nodes;
    t.match(guestOf(replaced), {
      state: "miss",
      reasons: [{ type: "node-changed", pointer: "/module", after: missing }],
    });

    const wide = new ProgramBuilder();
    const names = Array.from({ length: 3 * MOST_REASONS }, (_, k) => `text ${k}`);
    const all = wide.concat(names.map((name) => wide.input(name)));
    const program = wide.output("all", wide.hash(all)).build();
    const given = async (text: string): Promise<Inputs> =>
      Object.fromEntries(
        await Promise.all(names.map(async (name) => [name, await store.put(Buffer.from(text + name))] as const)),
      );
    await runProgram(store, program, { inputs: await given("a") });
    const changed = explainProgram(store, program, { inputs: await given("b") }).nodes;
    t.equal(changed.find(({ op }) => op === "concat")?.reasons.length, MOST_REASONS);
    const none = explainProgram(store, program).nodes.find(({ op }) => op === "concat")!;
    t.match(reasonText(none.reasons[0]!), /^depends on nodes 0, 1, .*, …$/);
  }),
);
