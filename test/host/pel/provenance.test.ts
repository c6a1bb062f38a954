/** Where artifacts come from. */
import t from "tap";
import type { ArtifactKey } from "../../../host/asl/key.ts";
import type { Store } from "../../../host/asl/store.ts";
import { TypeTag } from "../../../host/pel/claim.ts";
import type { Node } from "../../../host/pel/program.ts";
import { Producers, type Provenance, type WhyOptions, why } from "../../../host/pel/provenance.ts";
import { EdgeType, stageEdge } from "../../../host/tgk/edge.ts";
import { claimOf, openStore, putClaim } from "./runs.ts";

const CONCAT: Node = { op: "concat", refs: [] };
const SLICE: Node = { op: "slice", offset: 0, length: 1, refs: [] };

async function put(store: Store, text: string): Promise<ArtifactKey> {
  return await store.put(Buffer.from(text));
}

/** Puts what a receipt makes with it, as a run does: no source is as low in the order of causes. */
function make(store: Store, node: Node, inputs: readonly ArtifactKey[], text: string): [ArtifactKey, ArtifactKey] {
  const batch = store.batch();
  const logseq = 1 + Math.max(0, ...inputs.map((key) => store.stat(key)!.records[0]!.logseq));
  const key = batch.put(Buffer.from(text), { logseq });
  batch.commit();
  return [key, putClaim(store, claimOf(node, inputs, [key]))];
}

/** The receipt that an artifact came with. */
function originOf(store: Store, key: ArtifactKey): ArtifactKey | undefined {
  const producers = new Producers(store);
  try {
    return producers.origin(key)?.key;
  } finally {
    producers.close();
  }
}

/** Edges as texts: artifacts by what they hold, receipts by what they do. */
function textOf(store: Store, { nodes, edges }: Provenance): string[] {
  const name = (index: number): string => {
    const node = nodes[index]!;
    if (node.type === "artifact") return `"${Buffer.from(store.get(node.key) ?? "gone")}"`;
    return node.claim === undefined ? "?" : node.claim.kind === "node" ? node.claim.node.op : "run";
  };
  return edges.map(
    ({ from, to, role, index, goesRound }) =>
      `${name(from)} -${role} ${index}-> ${name(to)}${goesRound ? " round" : ""}`,
  );
}

t.test("[PER-WHY-1] an artifact, the receipt that it came with, what that took, and so on", async (t) => {
  const store = openStore();
  const a = await put(store, "a");
  const b = await put(store, "b");
  const [ab, joined] = make(store, CONCAT, [a, b], "ab");
  const [head] = make(store, SLICE, [ab], "A");
  const [all] = make(store, CONCAT, [head, ab, a], "Aaba");
  const found = await why(store, all);
  t.same(textOf(store, found), [
    'concat -output 0-> "Aaba"',
    '"A" -input 0-> concat',
    '"ab" -input 1-> concat',
    '"a" -input 2-> concat',
    'slice -output 0-> "A"',
    'concat -output 0-> "ab"',
    '"ab" -input 0-> slice',
    '"a" -input 0-> concat',
    '"b" -input 1-> concat',
  ]);
  t.ok(found.isWhole);
  t.same(found.nodes[0], { type: "artifact", key: all, bytes: 4, tags: [undefined], producers: 1 });
  t.match(
    found.nodes.find(({ key }) => key === b),
    { bytes: 1, producers: 0 },
  );
  t.same(await why(store, all), found, "it is the same again");
  const ofReceipt = await why(store, joined);
  t.match(ofReceipt.nodes[0], { type: "receipt", key: joined, problem: undefined });
  t.same(textOf(store, ofReceipt), ['"a" -input 0-> concat', '"b" -input 1-> concat']);
  t.same((await why(store, a)).nodes.length, 1, "a source is alone");
  await t.rejects(why(store, "sha256:".padEnd(71, "0")), { code: "PEL-ARGUMENT" });
  await t.rejects(why(store, "nonsense"), { code: "ASL-KEY" });
});

t.test("[PER-WHY-2] of several receipts the first counts; of what was there before, none", async (t) => {
  const store = openStore();
  const a = await put(store, "a");
  const b = await put(store, "b");
  const [ab, first] = make(store, CONCAT, [a, b], "ab");
  const c = await put(store, "c");
  const second = putClaim(store, claimOf(SLICE, [c], [ab]));
  t.equal(originOf(store, ab), first);
  t.equal((await why(store, ab)).nodes.length, 4);
  const all = await why(store, ab, { all: true });
  t.match(all.nodes[0], { producers: 2 });
  t.same(
    all.nodes.map(({ key }) => key),
    [ab, first, second, a, b, c],
  );
  // What is cut out again was there before.
  putClaim(store, claimOf(SLICE, [ab], [a]));
  t.equal(originOf(store, a), undefined);
  t.equal((await why(store, a)).nodes.length, 1);
  t.match((await why(store, a)).nodes[0], { producers: 1 });
});

t.test("[PER-WHY-2] edges that no receipt confirms say nothing", async (t) => {
  const store = openStore();
  const a = await put(store, "a");
  const b = await put(store, "b");
  const claim = putClaim(store, claimOf(CONCAT, [a], [a]));
  const batch = store.batch();
  const type = EdgeType.EXECUTION;
  stageEdge(batch, { from: [a], to: [claim, b], type, roles: 0 });
  stageEdge(batch, { from: [a], to: [b], type, roles: 0 });
  stageEdge(batch, { from: [a], to: [], type, roles: 0 });
  stageEdge(batch, { from: [b], to: [a, b], type, roles: 0 });
  batch.commit();
  t.equal(originOf(store, b), undefined, "an end that is no receipt");
  const found = await why(store, b);
  t.same(
    found.nodes.map(({ type }) => type),
    ["artifact"],
    "is not taken for one",
  );
});

t.test("[PER-WHY-3] circles end, and are marked; receipts that are gone are told", async (t) => {
  const store = openStore();
  const a = await put(store, "a");
  const [b, one] = make(store, CONCAT, [a], "b");
  putClaim(store, claimOf(CONCAT, [b], [a]));
  const round = await why(store, b, { all: true });
  t.same(textOf(store, round), [
    'concat -output 0-> "b"',
    '"a" -input 0-> concat',
    'concat -output 0-> "a"',
    '"b" -input 0-> concat round',
  ]);
  await store.remove(one);
  const gone = await why(store, b);
  t.match(gone.nodes[1], { type: "receipt", key: one, claim: undefined });
  t.match((gone.nodes[1] as { problem: string }).problem, /lacks/);
});

t.test("[PER-WHY-3] limits, and a caller that has enough", async (t) => {
  const store = openStore();
  let last = await put(store, "0");
  for (let k = 1; k <= 50; k++) [last] = make(store, CONCAT, [last], String(k));
  t.equal((await why(store, last)).nodes.length, 101);
  const near = await why(store, last, { depth: 2 });
  t.same([near.nodes.length, near.isWhole], [5, false]);
  const few = await why(store, last, { most: 10 });
  t.same([few.nodes.length, few.isWhole], [10, false]);
  await t.rejects(why(store, last, { signal: AbortSignal.abort(new Error("enough")) }), { code: "VM-STOPPED" });
  for (const options of [null, { depth: "x" }, { depth: -1 }, { most: 0 }, { signal: 1 }, { onProgress: 1 }])
    await t.rejects(why(store, last, options as unknown as WhyOptions), { code: "PEL-ARGUMENT" });
  let heard = 0;
  await why(store, last, { onProgress: (nodes) => (heard += nodes) });
  t.ok(heard > 0);
  t.equal(TypeTag.CLAIM, 0x0103);
});
