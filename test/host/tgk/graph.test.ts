import t from "tap";
import type { ArtifactKey, Store, View } from "../../../host/asl/index.ts";
import { MemoryVolume } from "../../../host/asl/memory-volume.ts";
import {
  type EdgeFilter,
  edgeId,
  type FoundEdge,
  type Graph,
  MOST_ENDS,
  openGraph,
  stageEdge,
  type Traversal,
} from "../../../host/tgk/index.ts";
import { Random } from "../../vm/random.ts";
import { openSmall } from "../asl/stores.ts";
import { act, compareKeys, EdgeModel, hexOf, keyOf, type Shown, TINY } from "./edge-model.ts";

const FILTERS: readonly EdgeFilter[] = [{}, { types: [256, 258] }, { roles: 2 }, { tags: [7] }];

function told({ id, position, from, to, type, roles }: FoundEdge | (Omit<Shown, "id"> & { id: Uint8Array })): string {
  return JSON.stringify([hexOf(id), position, from, to, type, roles]);
}

/** Asks a graph for everything; answers how much was found, and what was wrong. */
class Comparison {
  found = 0;
  readonly wrong: string[] = [];
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }
  run(graph: Graph, model: EdgeModel, at: View, nodes: readonly string[], what: string): void {
    const random = this.#random;
    for (const key of nodes)
      for (const side of ["from", "to"] as const) {
        const filter = random.pick(FILTERS);
        const expected = model
          .edgesOf(at, key, side, filter)
          .map((edge) => told({ ...edge, id: Buffer.from(edge.id, "hex") }));
        this.#same(Array.from(graph.edgesOf(key, side, filter), told), expected, `${what}: edges of ${key} ${side}`);
      }
    for (let turn = 0; turn < 4; turn++) {
      const traversal: Traversal = {
        start: Array.from({ length: 1 + random.below(3) }, () => random.pick(nodes)),
        direction: random.pick(["forward", "backward"] as const),
        ...random.pick(FILTERS),
        ...(random.chance(0.5) ? { depth: random.below(5) } : {}),
        ...(random.chance(0.3) ? { limit: random.below(9) } : {}),
      };
      const visits = Array.from(graph.traverse(traversal), ({ depth, node, edge }) => [depth, node, hexOf(edge.id)]);
      this.#same(visits, model.traverse(at, traversal), `${what}: ${JSON.stringify(traversal)}`);
    }
  }
  #same(given: readonly unknown[], expected: readonly unknown[], what: string): void {
    this.found += given.length;
    if (JSON.stringify(given) !== JSON.stringify(expected))
      this.wrong.push(`${what}: ${JSON.stringify(given)} instead of ${JSON.stringify(expected)}`);
  }
}

t.test(
  "[TGK-GRAPH-1, TGK-GRAPH-2, TGK-GRAPH-3, TGK-TRAVERSE-1, TGK-TRAVERSE-2, TGK-INDEX-1, TGK-INDEX-5] what graphs show is what the log says",
  async (t) => {
    let found = 0;
    let most = 0;
    for (let seed = 1; seed <= 40; seed++) {
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
    t.ok(found > 20_000, `${found} edges were found`);
    t.ok(most > 3, `up to ${most} segments`);
  },
);
