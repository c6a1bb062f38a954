import t from "tap";
import { openGraph } from "../../../host/tgk/index.ts";
import { Random } from "../../vm/random.ts";
import { SimulatedVolume } from "../asl/simulated-volume.ts";
import { openSmall } from "../asl/stores.ts";
import { act, EdgeModel, keyOf, TINY } from "./edge-model.ts";
import { readIndex } from "./second-reader.ts";

t.test(
  "[TGK-INDEX-1, TGK-INDEX-2, TGK-SEGMENT-1, TGK-SEGMENT-2, TGK-SEGMENT-3, TGK-SEGMENT-4, TGK-SEGMENT-5, TGK-SEGMENT-7] a reader that was made from the spec alone",
  async (t) => {
    let read = 0;
    for (let seed = 1; seed <= 12; seed++) {
      const random = new Random(seed);
      const volume = new SimulatedVolume();
      const store = openSmall({ volume, seed });
      const model = new EdgeModel();
      // Of a larger segment, some sections have several pages.
      const nodes = Array.from({ length: seed === 1 ? 200 : 12 }, (_, k) => keyOf(k));
      const tuning = seed === 1 ? { ...TINY, segmentEdges: 300, segmentEnds: 5000, keptEdges: 250 } : TINY;
      for (let turn = 0; turn < (seed === 1 ? 400 : 60); turn++) {
        await act(store, model, random, nodes);
        if (random.chance(0.3)) openGraph(store, { tuning }).close();
      }
      await store.close();
      const { position, edges, links } = readIndex(volume.files());
      read += edges.length;
      // Of what was said, that which changes something.
      const shown = new Set<string>();
      const expected = model.said
        .filter((said) => said.position < position)
        .filter(({ id, edge }) => (edge === undefined ? shown.delete(id) : shown.add(id)));
      const ends = new Map(model.said.flatMap(({ id, edge }) => (edge === undefined ? [] : [[id, edge] as const])));
      t.same(
        edges,
        expected.map(({ id, position, edge }) => {
          const { from, to, type } = ends.get(id)!;
          return { id, position, type, roles: edge?.roles ?? 0, isRemoved: edge === undefined, from, to };
        }),
      );
      const wanted = edges.flatMap(({ id, position, from, to }) => [
        ...[...new Set(from)].map((key) => `from ${key} ${id} ${position}`),
        ...[...new Set(to)].map((key) => `to ${key} ${id} ${position}`),
      ]);
      t.same([...links].sort(), wanted.sort());
    }
    t.ok(read > 600, `${read} edges were read`);
  },
);
