/** What can go wrong with a run: programs, guests, inputs, stores, disks, callers. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t, { type Test } from "tap";
import { fsckVolume } from "../../../host/asl/fsck.ts";
import type { ArtifactKey } from "../../../host/asl/key.ts";
import { MemoryVolume } from "../../../host/asl/memory-volume.ts";
import { Namespace } from "../../../host/asl/namespace.ts";
import { Store } from "../../../host/asl/store.ts";
import type { Volume } from "../../../host/asl/volume.ts";
import { ProgramBuilder } from "../../../host/pel/builder.ts";
import { decodeClaim, encodeNodeClaim, type NodeClaim, TypeTag } from "../../../host/pel/claim.ts";
import { encodeProgram, type Program } from "../../../host/pel/program.ts";
import { type RunResult, runProgram } from "../../../host/pel/run.ts";
import { CborWriter } from "../../../host/tgk/cbor.ts";
import { ENGINES } from "../../vm/compare.ts";
import { type Call, type Fault, SimulatedVolume } from "../asl/simulated-volume.ts";
import { alone } from "../asl/stores.ts";
import { claimOf, kernel, mixed, openStore, putClaim, putTexts } from "./runs.ts";
import { checkSound } from "./soundness.ts";
import { wideNodes } from "./wide.ts";

const NOWHERE = `sha256:${"0".repeat(64)}` as ArtifactKey;

/** Holds every byte of a store that was closed against what its log says; nothing of what was not committed is there. */
async function expectClean(t: Test, volume: Volume): Promise<void> {
  const { problems, orphans, uncoveredBytes, tornBytes } = await fsckVolume(volume, alone(), { deep: true });
  t.same(
    { problems, orphans, uncoveredBytes, tornBytes },
    { problems: [], orphans: [], uncoveredBytes: 0, tornBytes: 0 },
  );
}

// ------------------------------------------------------------------------------------------------ programs

t.test("[PEL-RUN-1] what is no program is refused, before anything is done", async (t) => {
  const store = openStore();
  const text = await store.put(Buffer.from("text"));
  const builder = new ProgramBuilder();
  const good = encodeProgram(builder.output("out", builder.length(builder.input("text"))).build());
  /** The beginning of a program, and what follows. */
  const begun = (write: (writer: CborWriter) => CborWriter): Uint8Array =>
    write(new CborWriter().array(3).uint(1)).take();
  const deep = Buffer.alloc(3_000_000, 0x81);
  const hostile: readonly [string, Uint8Array][] = [
    ["nothing", new Uint8Array()],
    ["text", Buffer.from("{}")],
    ["arrays in arrays", deep],
    ["arrays in arrays as nodes", Buffer.concat([begun((writer) => writer), deep])],
    ["ten million nodes that are not there", begun((writer) => writer.array(10_000_000))],
    ["ten million nodes", Buffer.concat([begun((writer) => writer.array(10_000_000)), Buffer.alloc(10_000_000, 0x80)])],
    ["2^53 nodes", Buffer.concat([Buffer.of(0x83, 1, 0x9b), Buffer.from("001fffffffffffff", "hex")])],
    [
      "a constant of 2^40 bytes",
      begun((writer) => writer.array(1).array(3).uint(1).array(1).raw(Buffer.from("5b0000010000000000", "hex"))),
    ],
    [
      "a ref to itself",
      begun((writer) =>
        writer
          .array(1)
          .array(3)
          .uint(4)
          .array(0)
          .array(1)
          .array(2)
          .uint(0)
          .uint(0)
          .array(1)
          .array(2)
          .text("out")
          .array(2)
          .uint(0)
          .uint(0),
      ),
    ],
    ["a version to come", Buffer.from(good).fill(9, 1, 2)],
    ["more than a program", Buffer.concat([good, Buffer.of(0)])],
    ["less than a program", good.subarray(0, -1)],
    [
      "an operation that is reserved",
      begun((writer) =>
        writer.array(1).array(3).uint(9).array(0).array(0).array(1).array(2).text("out").array(2).uint(0).uint(0),
      ),
    ],
  ];
  for (const [name, bytes] of hostile) {
    const key = await store.put(bytes);
    const { position } = store;
    await t.rejects(runProgram(store, key, { inputs: { text } }), { name: "PelError", code: /^PEL-/ }, name);
    t.equal(store.position, position, "nothing was stored");
  }
  await t.rejects(runProgram(store, NOWHERE), { code: "PEL-INPUT" });
  await t.rejects(runProgram(store, "no key"), { code: "ASL-KEY" });
  const key = await store.put(good);
  t.equal((await runProgram(store, key, { inputs: { text } })).failed, undefined, "the good one runs");
});

t.test("[PEL-RUN-1] inputs that do not fit", async (t) => {
  const volume = new SimulatedVolume();
  let store = openStore(volume);
  const text = await store.put(Buffer.alloc(100_000, "text"));
  const builder = new ProgramBuilder();
  builder.output("out", builder.length(builder.input("text"))).output("one", builder.slice(builder.input("text"), 1));
  const program = builder.build();
  await t.rejects(runProgram(store, program), { code: "PEL-INPUT" }, "not given");
  await t.rejects(runProgram(store, program, { inputs: { text: NOWHERE } }), {
    code: "PEL-INPUT",
    place: { key: NOWHERE },
  });
  await t.rejects(runProgram(store, program, { inputs: { text, more: text } }), { code: "PEL-INPUT" }, "one too many");
  await t.rejects(runProgram(store, program, { inputs: { text: "no key" } }), { code: "ASL-KEY" });
  await t.rejects(runProgram(store, program, { inputs: { text }, snapshot: "none" }), { code: "ASL-NOT-FOUND" });
  await store.snapshot("before");
  const later = await store.put(Buffer.from("later"));
  const inputs = { text: later };
  await t.rejects(runProgram(store, program, { inputs, snapshot: "before" }), { code: "PEL-INPUT" }, "of later");
  const tagged = new ProgramBuilder();
  tagged.output("out", tagged.length(tagged.input("text", { tag: 7 })));
  await t.rejects(runProgram(store, tagged.build(), { inputs: { text } }), { code: "PEL-INPUT" }, "without its tag");
  await store.put(Buffer.alloc(100_000, "text"), { typeTag: 7 });
  t.equal((await runProgram(store, tagged.build(), { inputs: { text } })).failed, undefined);
  const guest = new ProgramBuilder();
  guest.output("text", kernel(guest, NOWHERE, "turn", guest.input("text")));
  await t.rejects(runProgram(store, guest.build(), { inputs: { text } }), {
    code: "PEL-MODULE",
    place: { key: NOWHERE },
  });
  // Bytes that are not what they were.
  const { location } = store.stat(text)!;
  await store.close();
  volume.flip(location.file, location.offset + 60_000, 1);
  store = openStore(volume);
  const { position } = store;
  await t.rejects(runProgram(store, program, { inputs: { text } }), { code: /^ASL-(CORRUPT|BLOCK-DAMAGED)$/ });
  for (const { payload } of store.log({ from: position + 1 }))
    t.notMatch(payload, { kind: "binding", namespace: Namespace.RUN }, "there is no receipt of it");
  t.equal((await runProgram(store, program, { inputs: { text: later } })).failed, undefined, "another one runs");
});

// ------------------------------------------------------------------------------------------------ guests

const OK = { type: "ok" };
/** What becomes of each export of the kernel. */
const ENDS: { readonly [entry: string]: unknown } = {
  turn: OK,
  draw: OK,
  twice: OK,
  done: OK,
  grow: OK,
  trap: { type: "trap", code: 1 },
  divide: { type: "trap" },
  leave: { type: "exit", code: 3 },
  nothing: { type: "failure", code: 3, detail: "text" },
  stray: { type: "failure", code: 4, detail: "other" },
  loop: { type: "out-of-fuel" },
  deep: { type: "trap" },
  flood: { type: "trap", code: 1 },
  missing: { type: "failure", code: 5 },
};

t.test("[PEL-RUN-2, PEL-MEMO-1, PER-CLAIM-4] guests that fail in every way: the same on both engines", async (t) => {
  const claims: ArtifactKey[][] = [];
  for (const engine of ENGINES) {
    const volume = new MemoryVolume();
    const store = openStore(volume);
    const { module, inputs } = await putTexts(store, 1);
    const builder = new ProgramBuilder();
    const text = builder.input("text 0");
    const limits = { fuel: 10_000_000n, depth: 10_000, memoryPages: 50, outputBytes: 1 << 20 };
    const nodes = new Map<string, number>();
    const values = Object.keys(ENDS).map((entry) => [entry, kernel(builder, module, entry, text, { limits })] as const);
    for (const [entry, value] of values) builder.output(entry, value);
    // What depends on a failure does not run; what takes its receipt does.
    for (const [entry, value] of values) builder.output(`length of ${entry}`, builder.length(value));
    for (const [entry, value] of values) builder.output(`receipt of ${entry}`, builder.length(value.receipt));
    const program = builder.build();
    for (const [entry, value] of values) nodes.set(entry, builder.indexOf(value));
    const options = { inputs, engine, workers: 2, keepGoing: true } as const;
    const result = await runProgram(store, program, options);
    const outputs = new Set(result.outputs.map(({ name }) => name));
    for (const [entry, end] of Object.entries(ENDS)) {
      t.match(result.nodes[nodes.get(entry)!]!.outcome, end as object, `${entry} (${engine})`);
      t.equal(outputs.has(`length of ${entry}`), end === OK, `what depends on ${entry}`);
      t.ok(outputs.has(`receipt of ${entry}`), `what takes the receipt of ${entry}`);
    }
    const textOf = (name: string): string =>
      Buffer.from(store.get(result.outputs.find((output) => output.name === name)!.key)!).toString("latin1");
    t.same(["twice", "done", "grow"].map(textOf), ["/out", "", "\xff\xff\xff\xff"]);
    t.equal(
      result.failed,
      Math.min(...Object.keys(ENDS).flatMap((entry) => (ENDS[entry] === OK ? [] : [nodes.get(entry)!]))),
    );
    checkSound(store);
    const again = await runProgram(store, program, options);
    t.match(again, { claim: result.claim, executed: 0 }, "failures are remembered");
    const fresh = await runProgram(store, program, { ...options, cache: false });
    t.match(fresh, { claim: result.claim, hits: 0 }, "and come again");
    claims.push([result.claim, ...result.nodes.flatMap(({ claim }) => claim ?? [])]);
    await store.close();
    await expectClean(t, volume);
  }
  t.same(claims[0], claims[1]);
});

// ------------------------------------------------------------------------------------------------ the memo

t.test("[PEL-MEMO-2] an output that is gone is made again", async (t) => {
  const store = openStore();
  const { inputs } = await putTexts(store);
  const program = mixed(undefined);
  const before = await runProgram(store, program, { inputs });
  const gone = before.outputs.filter(({ name }) => name === "size" || name === "all").map(({ key }) => key);
  for (const key of gone) await store.remove(key);
  const after = await runProgram(store, program, { inputs });
  t.equal(after.claim, before.claim);
  t.equal(after.executed, 2);
  for (const key of gone) t.ok(store.has(key));
  t.equal(before.nodes.filter(({ op }) => op === "length").length, 1);
  checkSound(store);
  t.match(await runProgram(store, program, { inputs }), { claim: before.claim, executed: 0 });
});

t.test("[PEL-MEMO-2] what is remembered is looked at before it is believed", async (t) => {
  const store = openStore();
  const text = await store.put(Buffer.from("text"));
  const builder = new ProgramBuilder();
  builder.output("length", builder.length(builder.input("text")));
  const program = builder.build();
  const { nodes, claim } = await runProgram(store, program, { inputs: { text } });
  const receipt = nodes.find(({ op }) => op === "length")!.claim!;
  const memo = [...store.bindings(Namespace.MEMO)].find(({ key }) => key === receipt)!.name;
  const other = encodeNodeClaim(claimOf({ op: "hash", refs: [] }, [text], [text]));
  for (const wrong of [Buffer.from("no claim"), other, store.get(claim)!, store.get(receipt)!.subarray(0, -1)]) {
    await store.bind(Namespace.MEMO, memo, await store.put(wrong));
    t.match(await runProgram(store, program, { inputs: { text } }), { claim, executed: 1 });
    t.equal(store.resolve(Namespace.MEMO, memo), receipt, "bound anew");
  }
  await store.remove(receipt);
  t.match(await runProgram(store, program, { inputs: { text } }), { claim, executed: 1 }, "the claim was gone");
  t.ok(store.has(receipt));
  // One that lies is believed: that is what verification is for.
  const honest = decodeClaim(store.get(receipt)!) as NodeClaim;
  const lie = putClaim(store, { ...honest, outputs: [{ key: text, tag: undefined }] });
  const led = await runProgram(store, program, { inputs: { text } });
  t.match(led, { executed: 0, outputs: [{ name: "length", key: text }] });
  t.not(led.claim, claim);
  t.match(await runProgram(store, program, { inputs: { text }, cache: false }), { claim, executed: 1 });
  t.not(store.resolve(Namespace.MEMO, memo), lie);
});

t.test("[PEL-MEMO-2] a receipt that is damaged is an error of the store's", async (t) => {
  const volume = new SimulatedVolume();
  let store = openStore(volume);
  const text = await store.put(Buffer.from("text"));
  const builder = new ProgramBuilder();
  builder.output("length", builder.length(builder.input("text")));
  // So much that it is not in the log, without which no store opens.
  builder.output("more", builder.const(Buffer.alloc(100_000)));
  const program = builder.build();
  const { nodes } = await runProgram(store, program, { inputs: { text } });
  const { location, length } = store.stat(nodes.find(({ op }) => op === "length")!.claim!)!;
  await store.close();
  volume.flip(location.file, location.offset + 48 + (length >> 1), 1);
  store = openStore(volume);
  await t.rejects(runProgram(store, program, { inputs: { text } }), { name: "AslError" });
  const other = await store.put(Buffer.from("another text"));
  t.match(await runProgram(store, program, { inputs: { text: other } }), { executed: 1 }, "others run");
});

// ------------------------------------------------------------------------------------------------ callers

t.test("[PEL-RUN-1] a snapshot that is dropped meanwhile changes nothing", async (t) => {
  const store = openStore();
  const { inputs } = await putTexts(store);
  const program = manySteps(1500);
  const expected = await runProgram(openStoreWith(await textsOf(store)), program, {
    inputs: { text: inputs["text 0"]! },
  });
  await store.snapshot("source");
  await store.put(Buffer.from("later"));
  let isDropped: Promise<void> | undefined;
  const result = await runProgram(store, program, {
    inputs: { text: inputs["text 0"]! },
    snapshot: "source",
    onProgress: () => void (isDropped ??= store.dropSnapshot("source")),
  });
  await isDropped;
  t.ok(isDropped !== undefined && store.snapshots().length === 0);
  t.equal(result.claim, expected.claim);
  checkSound(store);
});

/** So many nodes in a row. */
function manySteps(count: number): Program {
  const builder = new ProgramBuilder();
  let last = builder.input("text");
  for (let k = 0; k < count; k++) last = builder.hash(last);
  return builder.output("last", last).build();
}

async function textsOf(store: Store): Promise<Uint8Array[]> {
  return Array.from(store.list(), ({ key }) => store.get(key)!);
}
function openStoreWith(artifacts: readonly Uint8Array[]): Store {
  const store = openStore();
  const batch = store.batch();
  for (const bytes of artifacts) batch.put(bytes);
  batch.commit();
  return store;
}

t.test("[PEL-RUN-6, PEL-RUN-3] two runs of one program at once: one execution, and both succeed", async (t) => {
  const store = openStore();
  const { module, inputs } = await putTexts(store);
  const program = mixed(module);
  const runs = await Promise.all([1, 2, 3].map(() => runProgram(store, program, { inputs, workers: 1 })));
  t.equal(new Set(runs.map(({ claim }) => claim)).size, 1);
  const [first, ...others] = runs as [RunResult, ...RunResult[]];
  t.equal(first.executed, program.nodes.length - 3);
  for (const { executed, hits } of others) t.same([executed, hits], [0, program.nodes.length - 3]);
  const gone = new AbortController();
  const waiting = runProgram(store, program, { inputs, cache: false, workers: 1 });
  const stopped = runProgram(store, program, { inputs, signal: gone.signal });
  gone.abort();
  await t.rejects(stopped, { code: "VM-STOPPED" }, "one that waits can be stopped");
  t.equal((await waiting).claim, first.claim, "the others go on");
});

t.test("[PEL-RUN-6] two processes at once: the second waits, and finds all done", async (t) => {
  const folder = join(t.testdir(), "store");
  const results = await Promise.all([child(folder), child(folder)]);
  const done = results.map((lines) => lines.find((line) => line.startsWith("done "))!.split(" "));
  t.equal(done[0]![1], done[1]![1], "the same receipt");
  const executed = done.map((line) => Number(line[2])).sort((left, right) => left - right);
  t.equal(executed[0], 0);
  t.ok(executed[1]! > 10);
  const store = await Store.open(folder);
  checkSound(store);
  await store.close();
});

async function child(folder: string): Promise<string[]> {
  const script = fileURLToPath(new URL("run-child.ts", import.meta.url));
  const process_ = spawn(process.execPath, [script, folder, "7", "40", "guests", "30000"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  for await (const data of process_.stdout) text += data;
  return text.split("\n");
}

/** More than a run does before it looks at who stops it. */
const STEPS = 6000;

t.test("[PEL-RUN-7] a run that is stopped leaves what had ended, and nothing else", async (t) => {
  for (const [after, hasGuests] of [
    [0, false],
    [3, false],
    [40, true],
    [300, true],
  ] as const) {
    const volume = new MemoryVolume();
    let store = openStore(volume);
    const { module, inputs } = await putTexts(store);
    const text = inputs["text 0"]!;
    const builder = new ProgramBuilder();
    if (hasGuests) {
      // One that makes much, and two that go on.
      const large = builder.input("text");
      builder.output("turned", kernel(builder, module, "turn", large));
      const limits = { fuel: 10_000_000_000n, outputBytes: 2 ** 30 };
      for (const entry of ["flood", "loop"]) builder.output(entry, kernel(builder, module, entry, large, { limits }));
    }
    const program = hasGuests ? builder.build() : manySteps(STEPS);
    const controller = new AbortController();
    let turns = 0;
    const stop = (): void => {
      if (hasGuests) setTimeout(() => controller.abort(), after);
      else if (turns++ === after) controller.abort();
    };
    if (hasGuests) stop();
    const { signal } = controller;
    const options = { inputs: { text }, workers: 2 };
    await t.rejects(runProgram(store, program, { ...options, signal, onProgress: hasGuests ? undefined : stop }), {
      code: "VM-STOPPED",
    });
    const sound = checkSound(store);
    t.equal(sound.runs, 0, "there is no receipt of the run");
    await store.close();
    await expectClean(t, volume);
    if (hasGuests) continue;
    store = openStore(volume);
    const { hits, executed } = await runProgram(store, program, options);
    t.equal(hits, sound.nodes, "what had ended is found");
    t.equal(executed, STEPS - sound.nodes);
    await store.close();
  }
});

// ------------------------------------------------------------------------------------------------ disks

t.test(
  "[PEL-RUN-7, PEL-EXEC-4] a disk that is full in the middle: no receipt says so, and the next run goes on",
  async (t) => {
    const expected = await full(undefined);
    t.ok(expected.writes > 8);
    for (let from = expected.begun; from < expected.writes; from += Math.ceil((expected.writes - expected.begun) / 9)) {
      const { volume, store, error, claim } = await full(from);
      t.match(error, { code: "ASL-NO-SPACE" }, `full from write ${from} on`);
      checkSound(store);
      t.equal(claim, expected.claim);
      await store.close();
      await expectClean(t, volume);
    }
  },
);

/** Runs a program on a disk that is full from one of its writes on, and, when there is room again, once more. */
async function full(from: number | undefined): Promise<{
  volume: SimulatedVolume;
  store: Store;
  claim: ArtifactKey;
  error: unknown;
  begun: number;
  writes: number;
}> {
  const volume = new SimulatedVolume();
  let writes = 0;
  let isFull = false;
  volume.fault = ({ kind }: Call): Fault | undefined => {
    if (kind !== "write" && kind !== "create") return undefined;
    isFull ||= writes++ === from;
    return isFull ? { code: "ENOSPC", effect: "none" } : undefined;
  };
  const store = openStore(volume);
  const text = await store.put(Buffer.alloc(5000, "text"));
  const builder = new ProgramBuilder();
  const large = builder.const(Buffer.alloc(300_000, "large"));
  const input = builder.input("text");
  builder.output("all", builder.concat([input, large, builder.length(large)]));
  builder.output("half", builder.slice(builder.concat([large, large]), 100)).output("hash", builder.hash(input));
  const program = builder.build();
  const begun = writes;
  let error: unknown;
  try {
    await runProgram(store, program, { inputs: { text } });
  } catch (thrown) {
    error = thrown;
  }
  const written = writes;
  volume.fault = undefined;
  const { claim } = await runProgram(store, program, { inputs: { text } });
  return { volume, store, claim, error, begun, writes: written };
}

t.test("[PEL-RUN-1] a store that cannot be written", async (t) => {
  const volume = new MemoryVolume();
  const store = openStore(volume);
  const text = await store.put(Buffer.from("text"));
  await store.close();
  const builder = new ProgramBuilder();
  const program = builder.output("out", builder.hash(builder.input("text"))).build();
  const reader = openStore(volume, { readOnly: true });
  await t.rejects(runProgram(reader, program, { inputs: { text } }), { code: "ASL-READ-ONLY" });
  await reader.close();
  await t.rejects(runProgram(store, program, { inputs: { text } }), { code: "ASL-CLOSED" });
  t.equal(TypeTag.PROGRAM, 0x0101);
});

t.test("[PEL-RUN-4] nodes of thousands of inputs and outputs: the same on both engines", (t) => wideNodes(t, 3000));
