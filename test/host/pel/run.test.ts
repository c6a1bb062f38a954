/** What runs of programs leave in a store, and what they find there. */
import t from "tap";
import { keyBytes } from "../../../host/asl/key.ts";
import { MemoryVolume } from "../../../host/asl/memory-volume.ts";
import { Namespace } from "../../../host/asl/namespace.ts";
import type { Store } from "../../../host/asl/store.ts";
import { digestOf } from "../../../host/assets/hash.ts";
import { ProgramBuilder } from "../../../host/pel/builder.ts";
import {
  decodeClaim,
  decodeContext,
  encodeNodeClaim,
  encodeRunClaim,
  type NodeClaim,
  type RunClaim,
  TypeTag,
  VERSIONS,
} from "../../../host/pel/claim.ts";
import { PelError } from "../../../host/pel/errors.ts";
import { runProgram } from "../../../host/pel/run.ts";
import { decodeEdge, EDGE_TAG, EdgeType, edgeId } from "../../../host/tgk/edge.ts";
import { kernel, openStore, putTexts, turned } from "./runs.ts";

const refused = (code: string, place: object = {}) => ({ name: "PelError", code, place });

/** `size` of an input, and of what is joined from it and something. */
function sizes(): ProgramBuilder {
  const builder = new ProgramBuilder();
  const text = builder.input("text");
  builder.output("size", builder.length(text));
  builder.output("joined", builder.concat([text, builder.const(Buffer.from("!"))]));
  return builder;
}

function frames(store: Store): string[][] {
  const out: string[][] = [];
  for (const { index, payload } of store.log()) {
    if (index === 0) out.push([]);
    out.at(-1)!.push(payload.kind === "binding" ? `binding ${payload.namespace}` : payload.kind);
  }
  return out;
}

t.test(
  "a run leaves outputs, claims, contexts, edges and bindings, and says what it ran [PEL-RUN-4, PEL-RUN-8, PEL-MEMO-1, PER-TAG-1, PER-CLAIM-1, PER-CLAIM-2, PER-CLAIM-3, PER-RUN-1, PER-RUN-2, PER-CONTEXT-1]",
  async (t) => {
    const store = openStore();
    const text = await store.put(Buffer.from("hello"));
    const { position, frameHash } = store.reference;
    const result = await runProgram(store, sizes().build(), { inputs: { text } });
    t.match(result, { failed: undefined, hits: 0, executed: 3 });
    t.same(
      result.outputs.map(({ name, key }) => [name, Buffer.from(store.get(key)!).toString("latin1")]),
      [
        ["joined", "hello!"],
        ["size", "\x05\0\0\0\0\0\0\0"],
      ],
    );
    const run = decodeClaim(store.get(result.claim)!) as RunClaim;
    t.match(run, {
      kind: "run",
      program: result.program,
      inputs: [{ name: "text", key: text }],
      keepGoing: false,
      ...VERSIONS,
    });
    t.same(
      run.claims,
      result.nodes.map(({ claim }) => claim),
    );
    t.same(run.outputs, result.outputs);
    t.same(encodeRunClaim(run), store.get(result.claim));
    t.equal(store.resolve(Namespace.RUN, digestOf(keyBytes(result.program))), result.claim);

    for (const { claim: key, op, outputs, fuel } of result.nodes) {
      if (key === undefined) {
        t.equal(op, "input");
        continue;
      }
      const claim = decodeClaim(store.get(key)!) as NodeClaim;
      t.match(claim, { kind: "node", outcome: { type: "ok" }, fuel, ...VERSIONS });
      t.same(claim.outputs, outputs);
      t.same(encodeNodeClaim(claim), store.get(key));
      const bound = store.resolve(Namespace.CONTEXT, keyBytes(key).subarray(2))!;
      const context = decodeContext(store.get(bound)!);
      t.match(context, { claim: key, position });
      t.same([context.domain, context.frameHash], [store.domain, frameHash]);
      const edge = {
        from: claim.inputs.map(({ key }) => key),
        to: [key, ...outputs.map(({ key }) => key)],
        type: EdgeType.EXECUTION,
      };
      const current = store.resolve(Namespace.EDGE, edgeId(edge))!;
      t.same(decodeEdge(store.get(current)!), { ...edge, roles: 0 });
      const tagOf = (artifact: string) => store.stat(artifact)!.records[0]!.typeTag;
      t.same([tagOf(key), tagOf(bound), tagOf(current)], [TypeTag.CLAIM, TypeTag.CONTEXT, EDGE_TAG]);
      // One more than the highest of its inputs, all that it left.
      const logseq =
        1 +
        Math.max(
          0,
          ...claim.inputs.map(
            ({ key, tag }) => store.stat(key)!.records.find(({ typeTag }) => typeTag === tag)!.logseq,
          ),
        );
      for (const left of [key, bound, current, outputs[0]!.key]) t.equal(store.stat(left)!.records[0]!.logseq, logseq);
      t.equal(context.logseq, logseq);
    }
    t.equal(store.stat(result.program)!.records[0]!.typeTag, TypeTag.PROGRAM);
    // The nodes of one frame: each with all that is its own.
    const [nodes] = frames(store).filter((entries) => entries.includes("binding 3"));
    t.equal(nodes!.filter((entry) => entry === "binding 3").length, 3);
    t.equal(nodes!.filter((entry) => entry === "binding 6").length, 4);

    const before = store.position;
    const again = await runProgram(store, result.program, { inputs: { text } });
    t.match(again, { claim: result.claim, hits: 3, executed: 0 });
    t.equal(store.position, before, "what executes nothing leaves nothing");
    await store.close();
  },
);

t.test(
  "what was removed is made again, above its tombstone; what is damaged in the memo is made anew [PEL-MEMO-2, PEL-MEMO-3, PEL-RUN-4]",
  async (t) => {
    const store = openStore();
    const text = await store.put(Buffer.from("hello"));
    const builder = new ProgramBuilder();
    const joined = builder.concat([builder.input("text"), builder.const(Buffer.from("!"))]);
    builder.output("size", builder.length(joined));
    const program = builder.build();
    const first = await runProgram(store, program, { inputs: { text } });
    const { outputs } = first.nodes.find(({ op }) => op === "concat")!;
    const gone = outputs[0]!.key;
    await store.remove(gone);
    const tombstone = Number([...store.log()].at(-1)!.logseq);
    const second = await runProgram(store, program, { inputs: { text } });
    t.match(second, { claim: first.claim, executed: 1, hits: 2 });
    t.equal(store.stat(gone)!.records[0]!.logseq, tombstone + 1);
    t.equal(Buffer.from(store.get(gone)!).toString(), "hello!");

    // A name that is bound to something else than a claim of the request.
    const other = await store.put(Buffer.from("no claim"), { typeTag: TypeTag.CLAIM });
    const [memo] = [...store.bindings(Namespace.MEMO)];
    const others = [...store.bindings(Namespace.MEMO)].map(({ key }) => key);
    for (const key of [other, others.find((key) => key !== memo!.key)!]) {
      await store.bind(Namespace.MEMO, memo!.name, key);
      const third = await runProgram(store, program, { inputs: { text } });
      t.match(third, { claim: first.claim, executed: 1, hits: 2 });
      t.equal(store.resolve(Namespace.MEMO, memo!.name), memo!.key);
    }
    const all = await runProgram(store, program, { inputs: { text }, cache: false });
    t.match(all, { claim: first.claim, executed: 3, hits: 0 }, "and without the memo everything is");
    t.equal((await store.fsck({ deep: true })).problems.length, 0);
    await store.close();
  },
);

t.test("what a run is given has to be there, in the snapshot if there is one [PEL-RUN-1]", async (t) => {
  const store = openStore();
  const { inputs, module } = await putTexts(store, 1);
  await store.snapshot("before");
  const late = await store.put(Buffer.from("late"));
  const tagged = await store.put(Buffer.from("tagged"), { typeTag: 5 });
  const program = sizes().build();
  const run = (given: { [name: string]: string }, options: object = {}) =>
    runProgram(store, program, { inputs: given, ...options });
  await t.rejects(run({}), refused("PEL-INPUT"));
  await t.rejects(run({ text: late, other: late }), { code: "PEL-INPUT", message: /"other"/ });
  await t.rejects(run({ text: `sha256:${"0".repeat(64)}` }), refused("PEL-INPUT", { key: `sha256:${"0".repeat(64)}` }));
  await t.rejects(run({ text: tagged }), { code: "PEL-INPUT", message: /without a type tag/ });
  await t.rejects(run({ text: late }, { snapshot: "before" }), { code: "PEL-INPUT", message: /snapshot "before"/ });
  await t.rejects(run({ text: late }, { snapshot: "other" }), { code: "ASL-NOT-FOUND" });
  t.equal(store.has((await run({ text: late })).claim), true);
  const old = await run({ text: inputs["text 0"]! }, { snapshot: "before" });
  const { position } = store.snapshots()[0]!;
  const context = decodeContext(store.get(store.resolve(Namespace.CONTEXT, keyBytes(old.claim).subarray(2))!)!);
  t.equal(context.position, position);
  // The program came behind the snapshot.
  await t.rejects(
    runProgram(store, old.program, { inputs: { text: inputs["text 0"]! }, snapshot: "before" }),
    refused("PEL-INPUT"),
  );

  const builder = new ProgramBuilder();
  builder.output("out", kernel(builder, late, "turn", builder.const(Buffer.from("x"))));
  await t.rejects(
    runProgram(store, builder.build(), { snapshot: "before" }),
    refused("PEL-MODULE", { key: late, node: 1 }),
  );
  t.ok(module);
  await t.rejects(runProgram(openStore(new MemoryVolume()), late), refused("PEL-INPUT"));
  await store.close();
});

t.test("arguments that make no sense are told before anything begins [PEL-ERROR-2]", async (t) => {
  const store = openStore();
  const program = sizes().build();
  const text = await store.put(Buffer.from("hello"));
  const { position } = store;
  const wrong: { [name: string]: unknown }[] = [
    { workers: Number.NaN },
    { workers: "2" },
    { workers: 0 },
    { workers: 1.5 },
    { workers: 257 },
    { engine: "other" },
    { snapshot: 5 },
    { signal: {} },
    { onProgress: 1 },
    { codeCache: { read: () => undefined } },
    { from: 3 },
    { inputs: null },
    { storeBytes: -1 },
  ];
  for (const options of wrong)
    await t.rejects(
      runProgram(store, program, { inputs: { text }, ...options }),
      refused("PEL-ARGUMENT"),
      JSON.stringify(options),
    );
  await t.rejects(runProgram(undefined as unknown as Store, program), refused("PEL-ARGUMENT"));
  for (const other of [undefined, null, {}, 5, { nodes: [], outputs: 3 }])
    await t.rejects(runProgram(store, other as unknown as string), refused("PEL-ARGUMENT"));
  t.equal(store.position, position);
  await store.close();
});

t.test(
  "a failure ends the run at the same place in whatever order nodes end [PEL-RUN-5, PEL-NODE-7, PER-RUN-2]",
  async (t) => {
    const store = openStore();
    const { module } = await putTexts(store);
    const builder = new ProgramBuilder();
    const value = builder.const(Buffer.from("abc"));
    const early = kernel(builder, module, "turn", value);
    const bad = kernel(builder, module, "trap", value);
    const alsoBad = builder.slice(value, 4);
    builder.output("early", early);
    builder.output("bad", bad);
    builder.output("behind", builder.hash(bad));
    builder.output("receipt", builder.length(bad.receipt));
    builder.output("slice", alsoBad);
    const program = builder.build();
    const indexOf = (op: string) => program.nodes.findIndex((node) => node.op === op);
    const claims = new Set<string>();
    const kept = new Set<string>();
    for (const workers of [1, 3])
      for (const engine of ["compiled", "reference"] as const) {
        const other = openStore();
        await putTexts(other);
        const result = await runProgram(other, program, { workers, engine });
        // The slice comes first in the canonical order, for its opcode is the smallest.
        t.equal(result.failed, indexOf("slice"));
        t.ok(
          result.nodes
            .slice(result.failed! + 1)
            .every(({ state, claim }) => state === "skipped" && claim === undefined),
        );
        claims.add(result.claim);
        const all = await runProgram(other, program, { workers, engine, keepGoing: true });
        kept.add(all.claim);
        t.same(
          all.outputs.map(({ name }) => name),
          ["early", "receipt"],
        );
        t.equal(Buffer.from(other.get(all.outputs[0]!.key)!).toString(), turned(Buffer.from("abc")).toString());
        t.equal(all.nodes.find(({ op }) => op === "hash")!.state, "skipped");
        t.match(
          all.nodes
            .filter(({ outcome }) => outcome !== undefined && outcome.type !== "ok")
            .map(({ outcome }) => outcome!.type)
            .sort(),
          ["failure", "trap"],
        );
        // Failures are remembered.
        const again = await runProgram(other, program, { workers, engine, keepGoing: true });
        t.match(again, { claim: all.claim, executed: 0 });
        await other.close();
      }
    t.equal(claims.size, 1);
    t.equal(kept.size, 1);
    await store.close();
  },
);

t.test("what is asked for twice is executed once [PEL-RUN-3, PEL-RUN-6]", async (t) => {
  const store = openStore();
  const { module } = await putTexts(store);
  const text = await store.put(Buffer.from("same"));
  const builder = new ProgramBuilder();
  for (const name of ["one", "two", "three"]) {
    const value = builder.input(name);
    builder.output(`hash ${name}`, builder.hash(value));
    builder.output(`turned ${name}`, kernel(builder, module, "turn", value));
  }
  const inputs = { one: text, two: text, three: text };
  const result = await runProgram(store, builder.build(), { inputs, workers: 2 });
  t.match(result, { executed: 2, hits: 4 });
  t.equal(new Set(result.outputs.map(({ key }) => key)).size, 2);
  // At once in one process: one works, both have it.
  const other = openStore();
  await putTexts(other);
  await other.put(Buffer.from("same"));
  const both = await Promise.all([1, 2].map(() => runProgram(other, builder.build(), { inputs })));
  t.same(
    both.map(({ executed }) => executed),
    [2, 0],
  );
  t.equal(both[0]!.claim, both[1]!.claim);
  t.equal(both[0]!.claim, result.claim);
  await store.close();
  await other.close();
});

t.test(
  "what a node seals beyond memory is committed with it, or is gone [PEL-RUN-4, PEL-RUN-7, PEL-EXEC-3, PEL-EXEC-4]",
  async (t) => {
    const volume = new MemoryVolume();
    const store = openStore(volume);
    const large = await store.put(Buffer.alloc(3_000_000, "0123456789"));
    const builder = new ProgramBuilder();
    const value = builder.input("large");
    const [head, tail] = builder.split(value, [1_500_000]);
    builder.output("swapped", builder.concat([tail!, head!]));
    const program = builder.build();
    const result = await runProgram(store, program, { inputs: { large } });
    t.equal(Buffer.from(store.get(result.outputs[0]!.key)!).length, 3_000_000);
    const withMemo = frames(store).filter((entries) => entries.includes("binding 3"));
    t.same(
      withMemo.map((entries) => entries.filter((entry) => entry === "binding 3").length),
      [1, 1],
      "a frame each",
    );
    const blocks = volume.list("blocks").length;

    // Stopped at its first look at the clock: nothing of it is there.
    const stop = new AbortController();
    const other = openStore();
    await other.put(Buffer.alloc(3_000_000, "0123456789"));
    const running = runProgram(other, program, {
      inputs: { large },
      signal: stop.signal,
      onProgress: () => stop.abort(),
    });
    await running.then(
      () => t.ok(other.has(result.claim)),
      (error) => t.match(error, { name: "Stopped" }),
    );
    const after = await runProgram(other, program, { inputs: { large } });
    t.equal(after.claim, result.claim);
    t.equal((await other.fsck({ deep: true })).problems.length, 0);
    t.ok(blocks > 0);

    // Twice as much each: the run ends before the disk is full.
    const twice = new ProgramBuilder();
    let value2 = twice.const(Buffer.alloc(1000));
    for (let k = 0; k < 50; k++) value2 = twice.concat([value2, value2]);
    twice.output("out", value2);
    for (const engine of ["compiled", "reference"] as const)
      await t.rejects(runProgram(other, twice.build(), { storeBytes: 10_000_000, engine }), refused("PEL-LIMIT"));
    t.equal((await other.fsck({ deep: true })).problems.length, 0);

    // An artifact that goes while the run needs it has no outcome.
    await other.remove(large);
    await t.rejects(runProgram(other, program, { inputs: { large } }), { code: "PEL-INPUT" });
    await store.close();
    await other.close();
  },
);

t.test("claims are read strictly [PER-CLAIM-5, PER-CLAIM-6]", async (t) => {
  const store = openStore();
  const text = await store.put(Buffer.from("hello"));
  const { claim, nodes } = await runProgram(store, sizes().build(), { inputs: { text } });
  for (const key of [claim, nodes.at(-1)!.claim!]) {
    const bytes = Buffer.from(store.get(key)!);
    for (let at = 0; at < bytes.length; at++) {
      for (const flip of [1, 0x80, 0xff]) {
        const flipped = Buffer.from(bytes);
        flipped[at]! ^= flip;
        try {
          const read = decodeClaim(flipped);
          const again = read.kind === "node" ? encodeNodeClaim(read) : encodeRunClaim(read);
          if (!Buffer.from(again).equals(flipped)) t.fail(`byte ${at} ^ ${flip} is read as something else`);
        } catch (error) {
          if (!(error instanceof PelError)) throw error;
        }
      }
      try {
        decodeClaim(bytes.subarray(0, at));
        t.fail(`${at} bytes are read`);
      } catch (error) {
        if (!(error instanceof PelError)) throw error;
      }
    }
    t.throws(() => decodeClaim(Buffer.concat([bytes, Buffer.from([0])])), refused("PEL-RECEIPT"));
    const newer = Buffer.from(bytes);
    newer[1] = 2;
    t.throws(() => decodeClaim(newer), refused("PEL-VERSION"));
  }
  // A claim of 2^32 nodes in some bytes.
  t.throws(() => decodeClaim(Buffer.from("84010187019a7fffffff", "hex")), refused("PEL-RECEIPT"));
  t.throws(() => decodeClaim(new Uint8Array(64 * 1024 * 1024 + 1)), refused("PEL-RECEIPT", { offset: 0 }));
  await store.close();
});
