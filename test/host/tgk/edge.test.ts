import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import t from "tap";
import { type ArtifactKey, keyBytes, Namespace } from "../../../host/asl/index.ts";
import {
  decodeEdge,
  EDGE_TAG,
  type Edge,
  EdgeType,
  edgeId,
  encodeEdge,
  listEdges,
  MOST_ENDS,
  openGraph,
  stageEdge,
  TGK_CODES,
  TgkError,
} from "../../../host/tgk/index.ts";
import { Random } from "../../vm/random.ts";
import { openSmall } from "../asl/stores.ts";
import { hexOf, keyOf } from "./edge-model.ts";

const digest = (byte: string): ArtifactKey => `sha256:${byte.repeat(32)}` as ArtifactKey;
const EXAMPLE: Edge = { from: [digest("01")], to: [digest("02")], type: 300, roles: 5 };

t.test("[TGK-EDGE-1] the example of the spec", async (t) => {
  const spec = readFileSync(new URL("../../../specs/32-tgk.md", import.meta.url), "utf8");
  const expected = /```edge\n([^`]*)```/.exec(spec)![1]!.replaceAll(/\s/g, "");
  t.equal(hexOf(encodeEdge(EXAMPLE)), expected);
  t.same(decodeEdge(encodeEdge(EXAMPLE)), EXAMPLE);
});

t.test("[TGK-EDGE-2] the id is that of ends and type", async (t) => {
  const bytes = encodeEdge(EXAMPLE);
  const named = Buffer.concat([Buffer.of(0x83), bytes.subarray(2, bytes.length - 1)]);
  t.equal(hexOf(edgeId(EXAMPLE)), createHash("sha256").update(named).digest("hex"));
  t.same(edgeId({ ...EXAMPLE, type: 300 }), edgeId(EXAMPLE));
  for (const other of [{ type: 301 }, { from: EXAMPLE.to }, { to: [...EXAMPLE.to, ...EXAMPLE.to] }, { from: [] }])
    t.not(hexOf(edgeId({ ...EXAMPLE, ...other })), hexOf(edgeId(EXAMPLE)));
});

t.test("[TGK-EDGE-1] every edge comes back as it was, from its one encoding", async (t) => {
  const random = new Random(5);
  const types = [0, 1, 23, 24, 255, 256, 0xffff, 0x1_0000, 0xffff_ffff];
  for (let turn = 0; turn < 200; turn++) {
    const ends = (): ArtifactKey[] => Array.from({ length: random.below(30) }, () => keyOf(random.below(50)));
    const edge = { from: ends(), to: [keyOf(1), ...ends()], type: random.pick(types), roles: random.below(256) };
    const bytes = encodeEdge(edge);
    t.same(decodeEdge(bytes), edge);
    // Whatever is changed of it, what is read is what would be written.
    for (let flip = 0; flip < 40; flip++) {
      const changed = bytes.slice();
      const at = random.chance(0.3) ? random.below(changed.length) : random.below(Math.min(changed.length, 12));
      changed[at]! ^= 1 << random.below(8);
      const given = random.chance(0.1) ? changed.subarray(0, at) : changed;
      try {
        if (!Buffer.from(encodeEdge(decodeEdge(given))).equals(given)) t.fail(`${hexOf(given)} is read`);
      } catch (error) {
        if (!(error instanceof TgkError) || error.code !== "TGK-EDGE") throw error;
      }
    }
  }
});

t.test("[TGK-EDGE-1, TGK-ERROR-1] what is no edge artifact", async (t) => {
  const good = encodeEdge(EXAMPLE);
  const replaced = (at: number, ...bytes: number[]): Uint8Array => {
    const copy = good.slice();
    copy.set(bytes, at);
    return copy;
  };
  const cases: readonly [what: string, bytes: Uint8Array, offset: number][] = [
    ["nothing", new Uint8Array(), 0],
    ["another array", replaced(0, 0x84), 0],
    ["another version", replaced(1, 2), 1],
    ["an array of 2^32 keys", Buffer.from("85019affffffff", "hex"), 2],
    ["more ends than there may be", Buffer.concat([Buffer.from("85019a00010000", "hex"), new Uint8Array(80_000)]), 2],
    ["an array of no definite length", replaced(2, 0x9f), 2],
    ["a key of an unknown algorithm", replaced(5, 0x13), 3],
    ["a key that is text", replaced(3, 0x78), 3],
    ["no ends", Buffer.from("850180800100", "hex"), 2],
    ["a type that is longer than it needs to be", Buffer.from("85018080190001", "hex"), 2],
    [
      "roles above 255",
      Buffer.concat([good.subarray(0, good.length - 1), Buffer.from("190100", "hex")]),
      good.length - 1,
    ],
    ["something behind it", Buffer.concat([good, Buffer.of(0)]), good.length],
    ["an end that is cut off", good.subarray(0, good.length - 1), good.length - 1],
  ];
  for (const [what, bytes, offset] of cases) {
    const thrown = ((): unknown => {
      try {
        return decodeEdge(bytes);
      } catch (error) {
        return error;
      }
    })();
    t.ok(thrown instanceof TgkError, what);
    const { code, place } = thrown as TgkError;
    t.match({ code, offset: place.offset }, { code: "TGK-EDGE", offset }, what);
  }
  t.ok(Object.keys(TGK_CODES).every((code) => code.startsWith("TGK-")));
});

t.test("[TGK-EDGE-1] what no edge can be made of", async (t) => {
  const edge = { ...EXAMPLE };
  for (const none of [undefined, null, 5, "x", {}]) t.throws(() => encodeEdge(none as never), { code: "TGK-ARGUMENT" });
  t.throws(() => encodeEdge({ ...edge, from: [], to: [] }), { code: "TGK-ARGUMENT" });
  for (const type of [-1, 0.5, 2 ** 32, Number.NaN])
    t.throws(() => encodeEdge({ ...edge, type }), { code: "TGK-ARGUMENT" });
  for (const roles of [-1, 256, 0.5]) t.throws(() => encodeEdge({ ...edge, roles }), { code: "TGK-ARGUMENT" });
  t.throws(() => encodeEdge({ ...edge, from: "x" as never }), { code: "TGK-ARGUMENT" });
  for (const key of ["", "sha256:", `sha256:${"g".repeat(64)}`, `md5:${"0".repeat(64)}`, 7])
    t.throws(() => encodeEdge({ ...edge, from: [key as ArtifactKey] }), { code: "ASL-KEY" }, String(key));
  const many = Array.from({ length: MOST_ENDS + 1 }, () => digest("01"));
  t.throws(() => encodeEdge({ ...edge, to: many }), { code: "TGK-LIMIT" });
  t.equal(decodeEdge(encodeEdge({ ...edge, to: many.slice(1) })).to.length, MOST_ENDS);
});

t.test(
  "[TGK-EDGE-3, TGK-EDGE-4] what is staged holds when it is committed, until its binding is removed",
  async (t) => {
    const store = openSmall();
    const batch = store.batch();
    const edge = { ...EXAMPLE, from: [keyBytes(EXAMPLE.from[0]!)], type: EdgeType.RUN, roles: 0 };
    const { key } = stageEdge(batch, edge, { logseq: 7 });
    t.same([...listEdges(store)], []);
    batch.commit();
    const listed = [...listEdges(store)];
    t.match(listed, [{ from: EXAMPLE.from, to: EXAMPLE.to, type: 2, roles: 0 }]);
    const { id } = listed[0]!;
    t.equal(store.resolve(Namespace.EDGE, id), key);
    t.match(store.stat(key)!.records, [{ typeTag: EDGE_TAG, logseq: 7 }]);
    t.equal([...store.bindings(Namespace.EDGE)][0]!.logseq, 7);
    await store.remove(key);
    t.equal([...listEdges(store)].length, 1, "the artifact is gone, and the edge stays");
    await store.snapshot("before");
    await store.unbind(Namespace.EDGE, id);
    t.same([...listEdges(store)], []);
    t.equal([...listEdges(store, { at: store.at("before"), types: [2] })].length, 1);
    t.same([...listEdges(store, { at: store.at("before"), types: [1] })], []);
    t.same([...listEdges(store, { at: store.at("before"), roles: 1 })], []);
    await store.close();
  },
);

t.test("[TGK-EDGE-1, TGK-GRAPH-2] as many ends as an edge can have", async (t) => {
  const store = openSmall();
  const from = Array.from({ length: MOST_ENDS }, (_, k) => keyOf(k));
  const to = from.map((_, k) => from[(k * 7) % MOST_ENDS]!);
  const batch = store.batch();
  stageEdge(batch, { from, to, type: 256, roles: 0 });
  batch.commit();
  const graph = openGraph(store);
  for (const key of [from[0]!, from[9]!, from.at(-1)!]) {
    const [edge] = graph.edgesOf(key, "from");
    t.equal(edge!.from.join(), from.join());
    t.equal(edge!.to.join(), to.join());
  }
  t.equal([...graph.traverse({ start: [from[5]!], direction: "forward" })].length, 1);
  graph.close();
  await store.close();
});
