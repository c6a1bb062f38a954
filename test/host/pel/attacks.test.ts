/** What is handed in wrong, ended at any moment, or made to mislead: errors with codes, no lasting harm, and the same receipts afterwards. */
import t from "tap";
import { type ArtifactKey, keyBytes, keyText } from "../../../host/asl/key.ts";
import { Namespace } from "../../../host/asl/namespace.ts";
import type { Store } from "../../../host/asl/store.ts";
import { digestOf } from "../../../host/assets/hash.ts";
import { ProgramBuilder } from "../../../host/pel/builder.ts";
import { decodeClaim, decodeContext, TypeTag } from "../../../host/pel/claim.ts";
import { explainProgram } from "../../../host/pel/explain.ts";
import { decodeProgram, encodeProgram, type Program } from "../../../host/pel/program.ts";
import { why } from "../../../host/pel/provenance.ts";
import { replayStore } from "../../../host/pel/replay.ts";
import { type RunOptions, runProgram } from "../../../host/pel/run.ts";
import { parseProgram, programText } from "../../../host/pel/text.ts";
import { verifyReceipt } from "../../../host/pel/verify.ts";
import { decodeEdge, EDGE_TAG, EdgeType, encodeEdge, stageEdge } from "../../../host/tgk/edge.ts";
import { openGraph } from "../../../host/tgk/graph.ts";
import { loadWat } from "../../../host/wat.ts";
import { kernel, mixed, openStore, putTexts } from "./runs.ts";

/** Words that mean something to objects. */
const WORDS = ["__proto__", "constructor", "hasOwnProperty", "toString"];

/** Guests beside long chains of primitives. */
function chains(module: ArtifactKey): Program {
  const builder = new ProgramBuilder();
  const text = builder.input("text 0");
  for (let k = 0; k < 2; k++) {
    const begin = builder.concat([text, builder.const(Buffer.of(k))]);
    builder.output(`turned ${k}`, kernel(builder, module, "turn", begin));
    let chain = begin;
    for (let n = 0; n < 60; n++) chain = builder.hash(chain);
    builder.output(`chain ${k}`, chain);
  }
  return builder.build();
}

async function chained(): Promise<{ store: Store; program: Program; inputs: { [name: string]: ArtifactKey } }> {
  const store = openStore();
  const { module, inputs } = await putTexts(store, 1);
  return { store, program: chains(module), inputs };
}

t.test("what only JavaScript can hand in wrong is told by a code [PEL-ERROR-1, TGK-ERROR-1]", async (t) => {
  const { store, program, inputs } = await chained();
  const { position } = store;
  const wrong: readonly unknown[] = [0, -1, 1.5, Number.NaN, "x", {}, []];
  const code = (call: () => unknown): string => {
    try {
      call();
      return "nothing was thrown";
    } catch (error) {
      return (error as { code?: string }).code ?? String(error);
    }
  };
  for (const value of wrong as readonly never[]) {
    for (const reader of [decodeProgram, decodeClaim, decodeContext, parseProgram, decodeEdge, encodeEdge]) {
      const found = code(() => reader(value));
      t.match(found, /^(PEL|TGK)-[A-Z-]+$/, reader.name);
    }
  }
  const options = ["engine", "workers", "onProgress", "signal", "codeCache", "from", "snapshot"];
  for (const name of options) {
    // Strings may name a snapshot; objects may be signals, caches and views.
    for (const value of name === "snapshot" ? [0, -1, {}, []] : [0, -1, 1.5, Number.NaN, "x"]) {
      const options = { inputs, [name]: value } as RunOptions;
      await t.rejects(runProgram(store, program, options), { code: /^(PEL|ASL)-[A-Z-]+$/ }, name);
    }
  }
  t.equal(store.position, position, "nothing was left");
  store.closeSync();
});

t.test("words that mean something to objects are names like others [PEL-PROGRAM-3, PEL-TEXT-6]", async (t) => {
  const store = openStore();
  for (const name of WORDS) {
    const builder = new ProgramBuilder();
    const program = builder.output(name, builder.hash(builder.input(name))).build();
    await t.rejects(
      runProgram(store, program, { inputs: {} }),
      { code: "PEL-INPUT" },
      "it is not taken from elsewhere",
    );
    const key = await store.put(Buffer.from(name));
    const inputs = { [name]: key };
    const result = await runProgram(store, program, { inputs });
    t.match(result.outputs, [{ name }]);
    t.equal((await verifyReceipt(store, result.claim)).verdict, "verified");
    t.same(
      explainProgram(store, program, { inputs }).nodes.map(({ state }) => state),
      ["input", "hit"],
    );
    t.same(encodeProgram(parseProgram(programText(program)).program), encodeProgram(program));
  }
  const text = `{"nodes":{${WORDS.map((id) => `"${id}":{"op":"input"}`).join()}},"outputs":{"o":"valueOf"}}`;
  t.throws(() => parseProgram(text), { code: "PEL-REF" });
  store.closeSync();
});

t.test("whatever ends a run, the next one ends as if nothing had been [PEL-RUN-6, PEL-RUN-7]", async (t) => {
  const whole = await chained();
  const { claim } = await runProgram(whole.store, whole.program, { inputs: whole.inputs });
  const again = async ({ store, program, inputs }: typeof whole): Promise<void> => {
    t.equal((await runProgram(store, program, { inputs })).claim, claim);
    store.closeSync();
  };
  for (const at of [0, 1, 20]) {
    const one = await chained();
    const stop = new AbortController();
    const stopped = runProgram(one.store, one.program, {
      inputs: one.inputs,
      signal: stop.signal,
      onProgress: ({ done }) => done >= at && stop.abort(),
    });
    await t.rejects(stopped, { code: "VM-STOPPED" });
    await again(one);

    const two = await chained();
    const thrown = runProgram(two.store, two.program, {
      inputs: two.inputs,
      onProgress({ done }) {
        if (done >= at) throw new RangeError("a listener's own");
      },
    });
    await t.rejects(thrown, { name: "RangeError" });
    await again(two);

    const three = await chained();
    const closed = runProgram(three.store, three.program, {
      inputs: three.inputs,
      onProgress: ({ done }) => done >= at && three.store.closeSync(),
    });
    await t.rejects(closed, { code: "ASL-CLOSED" });
  }
  const four = await chained();
  let inner: Promise<unknown> | undefined;
  await runProgram(four.store, four.program, {
    inputs: four.inputs,
    onProgress() {
      inner ??= runProgram(four.store, four.program, { inputs: four.inputs });
    },
  });
  t.match(await inner, { claim, executed: 0 }, "a run that is asked for by a listener comes after");
  await again(four);
  whole.store.closeSync();
});

t.test("what is bound as a program's module is no code that runs [PEL-COMPILE-4, PEL-EXEC-2]", async (t) => {
  const store = openStore();
  const builder = new ProgramBuilder();
  const program = builder.output("length", builder.length(builder.input("text"))).build();
  const inputs = { text: await store.put(Buffer.from("hello")) };
  const { claim, program: key } = await runProgram(store, program, { inputs });
  const endless = await loadWat(
    '(module (memory (export "memory") 8) (func (export "length") (result i32) (loop $l (br $l)) i32.const 0))',
  );
  for (const bytes of [endless, Buffer.from("no module")]) {
    const batch = store.batch();
    const module = batch.put(bytes, { typeTag: TypeTag.MODULE });
    batch.bind(Namespace.MODULE, digestOf(Buffer.concat([keyBytes(key), Buffer.of(1)])), module);
    batch.commit();
    const result = await runProgram(store, program, { inputs, cache: false });
    t.match(result, { claim, executed: 1 });
    t.equal((await verifyReceipt(store, claim)).verdict, "verified");
  }
  store.closeSync();
});

t.test(
  "edges that lie, lead in circles or to nowhere change no answer about receipts [PER-WHY-2, PER-WHY-3, PER-VERIFY-6, PER-REPLAY-2, TGK-TRAVERSE-1]",
  async (t) => {
    const store = openStore();
    const { inputs } = await putTexts(store, 3);
    const { claim, outputs } = await runProgram(store, mixed(undefined), { inputs });
    const answers = async (): Promise<unknown> => [
      (await why(store, outputs[0]!.key)).nodes.length,
      (await verifyReceipt(store, claim, { deep: true })).verdict,
      (await replayStore(store, openStore())).verdict,
    ];
    const before = await answers();
    t.match(before, [Number, "verified", "verified"]);
    const nowhere = keyText(1, digestOf(Buffer.from("nowhere")));
    const [first, second] = outputs.map(({ key }) => key) as [ArtifactKey, ArtifactKey];
    const batch = store.batch();
    const edges = [
      { from: [first], to: [claim, first] },
      { from: [claim], to: [first, second] },
      { from: [nowhere], to: [first] },
      { from: [], to: [second] },
      { from: new Array<ArtifactKey>(65_535).fill(claim), to: new Array<ArtifactKey>(65_535).fill(claim) },
    ];
    for (const edge of edges) stageEdge(batch, { ...edge, type: EdgeType.EXECUTION, roles: 0 }, {});
    const none = batch.put(Buffer.from("no edge"), { typeTag: EDGE_TAG });
    batch.bind(Namespace.EDGE, digestOf(Buffer.from("no id")), none);
    batch.bind(Namespace.EDGE, digestOf(Buffer.from("another")), claim);
    batch.commit();
    t.same(await answers(), before);
    const graph = openGraph(store);
    const visits = [...graph.traverse({ start: [claim], direction: "backward" })];
    t.equal(new Set(visits.map(({ edge }) => Buffer.from(edge.id).toString("hex"))).size, visits.length);
    graph.close();
    store.closeSync();
  },
);
