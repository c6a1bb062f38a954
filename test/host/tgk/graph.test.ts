import t from "tap";
import type { Store, View } from "../../../host/asl/index.ts";
import { MemoryVolume } from "../../../host/asl/memory-volume.ts";
import { edgeId, type Graph, keepGraph, openGraph, stageEdge, type Traversal } from "../../../host/tgk/index.ts";
import { Random } from "../../vm/random.ts";
import { openSmall } from "../asl/stores.ts";
import { act, Comparison, compareKeys, EdgeModel, hexOf, keyOf, TINY } from "./edge-model.ts";

t.test(
  "[TGK-GRAPH-1, TGK-GRAPH-2, TGK-GRAPH-3, TGK-TRAVERSE-1, TGK-TRAVERSE-2, TGK-INDEX-1, TGK-INDEX-5] what graphs show is what the log says",
  async (t) => {
    let found = 0;
    let most = 0;
    for (let seed = 1; seed <= 25; seed++) {
      const random = new Random(seed);
      const volume = new MemoryVolume();
      let store = openSmall({ volume, seed });
      const model = new EdgeModel();
      const nodes = Array.from({ length: 4 + random.below(16) }, (_, k) => keyOf(k));
      nodes.push(await store.put(Buffer.from("tagged"), { typeTag: 7 }));
      const comparison = new Comparison(random);
      const compare = (from: Store, at: View, what: string): void => {
        const graph = openGraph(from, { at, tuning: TINY });
        comparison.run(graph, model, at, nodes, `seed ${seed}, ${what}`);
        most = Math.max(most, graph.stats().segments);
        graph.close();
      };
      /** Stays open while others come, and shows what it showed. */
      let held: { readonly graph: Graph; readonly at: View } | undefined;
      for (let turn = 0; turn < 25; turn++) {
        for (let left = random.below(6); left > 0; left--) await act(store, model, random, nodes);
        if (random.chance(0.2)) await store.snapshot(`at ${store.position} in turn ${turn}`);
        if (random.chance(0.3)) compare(store, store.view(), `turn ${turn}`);
        if (random.chance(0.2)) {
          if (held !== undefined) comparison.run(held.graph, model, held.at, nodes, `seed ${seed}, held, turn ${turn}`);
          const at = store.view();
          const graph = openGraph(store, { tuning: TINY });
          held?.graph.close();
          held = { graph, at };
        }
        if (random.chance(0.1)) {
          held?.graph.close();
          held = undefined;
          await store.close();
          store = openSmall({ volume, seed: seed + 1000 * turn });
        }
      }
      held?.graph.close();
      compare(store, store.view(), "the end");
      for (const { name } of store.snapshots()) compare(store, store.at(name), name);
      const reader = openSmall({ volume, options: { readOnly: true } });
      compare(reader, reader.view(), "a reader");
      // What comes later is not shown to who began before.
      for (let left = 10; left > 0; left--) await act(store, model, random, nodes);
      openGraph(store, { tuning: TINY }).close();
      compare(reader, reader.view(), "a reader that is behind");
      await reader.close();
      await store.close();
      found += comparison.found;
      if (comparison.wrong.length > 0) t.fail(comparison.wrong[0]!);
    }
    t.ok(found > 10_000, `${found} edges were found`);
    t.ok(most > 3, `up to ${most} segments`);
  },
);

/** A store with these edges between numbered artifacts, of types that count from 256 on. */
function storeOf(edges: readonly (readonly [from: readonly number[], to: readonly number[]])[]): Store {
  const store = openSmall();
  const batch = store.batch();
  for (const [k, [from, to]] of edges.entries())
    stageEdge(batch, { from: from.map(keyOf), to: to.map(keyOf), type: 256 + k, roles: 0 });
  batch.commit();
  return store;
}

t.test("[TGK-TRAVERSE-1, TGK-TRAVERSE-2] cycles end, levels come one after the other", async (t) => {
  // 0 → 1 → 2 → 0, 1 → 1, and a way around: 0 → 2.
  const store = storeOf([
    [[0], [1]],
    [[1], [2]],
    [[2], [0]],
    [[1], [1]],
    [[0], [2]],
  ]);
  const graph = openGraph(store);
  const typesOf = (options: Partial<Traversal>): number[][] => {
    const levels: number[][] = [];
    for (const { depth, edge } of graph.traverse({ start: [keyOf(0)], direction: "forward", ...options }))
      (levels[depth - 1] ??= []).push(edge.type - 256);
    return levels.map((level) => level.sort());
  };
  t.same(typesOf({}), [
    [0, 4],
    [1, 2, 3],
  ]);
  t.same(typesOf({ direction: "backward" }), [[2], [1, 4], [0, 3]]);
  t.same(typesOf({ depth: 0 }), []);
  t.same(typesOf({ depth: 1 }), [[0, 4]]);
  t.same(typesOf({ types: [256, 257] }), [[0], [1]]);
  t.equal(typesOf({ limit: 3 }).flat().length, 3);
  t.same(typesOf({ limit: 0 }), []);
  t.same(typesOf({ start: [keyOf(7)] }), [], "an artifact without edges");
  t.same(typesOf({ start: [] }), []);
  const nodes = Array.from(graph.traverse({ start: [keyOf(1), keyOf(0)], direction: "forward" }), ({ node }) => node);
  t.same(nodes.slice(0, 4), [...nodes.slice(0, 4)].sort(compareKeys), "artifacts of a level come in order");
  graph.close();
  await store.close();
});

t.test("[TGK-TRAVERSE-1] a way of many steps", async (t) => {
  const store = storeOf(Array.from({ length: 3000 }, (_, k) => [[k], [k + 1]] as const));
  const graph = openGraph(store);
  let last = 0;
  for (const { depth } of graph.traverse({ start: [keyOf(0)], direction: "forward" })) last = depth;
  t.equal(last, 3000);
  graph.close();
  await store.close();
});

t.test("[TGK-GRAPH-2] the same edges in another order, in another store, come in the same order", async (t) => {
  const random = new Random(3);
  const edges = Array.from({ length: 200 }, () => ({
    from: [keyOf(random.below(20)), keyOf(random.below(20))],
    to: [keyOf(random.below(20))],
    type: 256,
    roles: 0,
  }));
  const all: string[] = [];
  for (const [turn, order] of [edges, [...edges].reverse()].entries()) {
    const store = openSmall({ seed: turn + 1 });
    for (const edge of order) {
      const batch = store.batch();
      stageEdge(batch, edge);
      batch.commit();
      if (random.chance(0.1)) openGraph(store, { tuning: TINY }).close();
    }
    const graph = openGraph(store, { tuning: TINY });
    const visits = graph.traverse({ start: [keyOf(0)], direction: "forward" });
    all.push(Array.from(visits, ({ node, edge }) => `${node} ${hexOf(edge.id)}`).join());
    t.same(
      Array.from(graph.edgesOf(keyOf(1), "from"), ({ id }) => hexOf(id)),
      [...new Set(edges.filter(({ from }) => from.includes(keyOf(1))).map((edge) => hexOf(edgeId(edge))))].sort(),
    );
    graph.close();
    await store.close();
  }
  t.equal(all[0], all[1]);
  t.ok(all[0]!.length > 1000);
});

t.test("[TGK-ERROR-1] what a graph cannot be asked", async (t) => {
  const store = storeOf([[[0], [1]]]);
  const graph = openGraph(store);
  const start = [keyOf(0)];
  const direction = "forward";
  const refused: Partial<Traversal>[] = [
    { direction: "up" as never },
    { depth: -1 },
    { depth: 0.5 },
    { limit: Number.NaN },
    { types: [-1] },
    { types: [2 ** 32] },
    { roles: 256 },
    { tags: [0.5] },
    { types: 0 as never },
    { tags: "12" as never },
    { start: undefined as never },
    { start: keyOf(0) as never },
  ];
  for (const options of refused)
    t.throws(
      () => graph.traverse({ start, direction, ...options }).next(),
      { code: "TGK-ARGUMENT" },
      JSON.stringify(options),
    );
  t.throws(() => graph.edgesOf(keyOf(0), "both" as never).next(), { code: "TGK-ARGUMENT" });
  for (const filter of ["x", 5, null])
    t.throws(() => graph.edgesOf(keyOf(0), "from", filter as never).next(), { code: "TGK-ARGUMENT" });
  for (const at of ["x", 5, [], null, { position: 3 }])
    t.throws(() => openGraph(store, { at: at as never }), { code: "TGK-ARGUMENT" });
  t.throws(() => openGraph(store, null as never), { code: "TGK-ARGUMENT" });
  for (const none of [undefined, null, 7]) {
    t.throws(() => openGraph(none as never), { code: "TGK-ARGUMENT" });
    t.throws(() => keepGraph(none as never), { code: "TGK-ARGUMENT" });
    t.throws(() => graph.traverse(none as never).next(), { code: "TGK-ARGUMENT" });
  }
  t.throws(() => graph.edgesOf("sha256:1", "from").next(), { code: "ASL-KEY" });
  t.throws(() => graph.traverse({ start: ["x"], direction }).next(), { code: "ASL-KEY" });
  const [edge] = graph.edgesOf(keyOf(0), "from");
  const visits = graph.traverse({ start, direction });
  graph.close();
  graph.close();
  for (const asked of [
    () => edge!.from,
    () => edge!.id,
    () => visits.next(),
    () => graph.stats(),
    () => graph.edgesOf(keyOf(0), "to").next(),
  ])
    t.throws(asked, { code: "TGK-CLOSED" });
  t.equal(edge!.type, 256);
  await store.close();
  t.throws(() => openGraph(store), { code: "ASL-CLOSED" });
});
