/** Stores with edges, and what they show by the plainest reading of spec 32: a list of all that was ever said. */
import { createHash } from "node:crypto";
import { type ArtifactKey, keyText, Namespace, type Store, type View } from "../../../host/asl/index.ts";
import type { GraphTuning } from "../../../host/tgk/graph-index.ts";
import {
  decodeEdge,
  type Edge,
  type EdgeFilter,
  edgeId,
  encodeEdge,
  type FoundEdge,
  type Graph,
  stageEdge,
  TgkError,
  type Traversal,
} from "../../../host/tgk/index.ts";
import type { Random } from "../../vm/random.ts";

/** Everything that happens with size happens soon. */
export const TINY: GraphTuning = {
  segmentEdges: 7,
  segmentEnds: 40,
  keptEdges: 4,
  keptLogBytes: 4096,
  mergedSegments: 3,
  cacheBytes: 0,
};

/** Keys of artifacts that may be in no store; every fifth is of another algorithm, with a digest that another key has too. */
export function keyOf(number: number): ArtifactKey {
  const isOther = number % 5 === 4;
  const digest = createHash("sha256")
    .update(String(isOther ? number - 1 : number))
    .digest("hex");
  return `${isOther ? "sha3-256" : "sha256"}:${digest}` as ArtifactKey;
}

/** An order of keys: by digest, then algorithm. */
export function compareKeys(left: string, right: string): number {
  const parts = (key: string): [string, number] => {
    const [algorithm, digest] = key.split(":") as [string, string];
    return [digest, ["sha256", "sha3-256", "sha2-512-256", "blake2s-256"].indexOf(algorithm)];
  };
  const [digest, algorithm] = parts(left);
  const [otherDigest, otherAlgorithm] = parts(right);
  if (digest !== otherDigest) return digest < otherDigest ? -1 : 1;
  return algorithm - otherAlgorithm;
}

interface Said {
  readonly position: number;
  readonly id: string;
  /** None: it is an edge no more. */
  readonly edge: Edge | undefined;
}

export interface Shown extends Edge {
  readonly id: string;
  readonly position: number;
}

export class EdgeModel {
  readonly said: Said[] = [];

  edgesAt(position: number): Shown[] {
    const latest = new Map<string, Said>();
    for (const said of this.said) if (said.position <= position) latest.set(said.id, said);
    return [...latest.values()]
      .filter(({ edge }) => edge !== undefined)
      .map(({ id, position, edge }) => ({ ...edge!, id, position }))
      .sort((left, right) => (left.id < right.id ? -1 : 1));
  }
  edgesOf(view: View, key: string, side: "from" | "to", filter: EdgeFilter = {}): Shown[] {
    const far = side === "from" ? "to" : "from";
    return this.edgesAt(view.position).filter(
      (edge) => edge[side].includes(key as ArtifactKey) && accepts(view, edge, far, filter),
    );
  }
  traverse(view: View, { start, direction, depth = 1e9, limit = 1e9, ...filter }: Traversal): unknown[] {
    const [near, far] = direction === "forward" ? (["from", "to"] as const) : (["to", "from"] as const);
    const edges = this.edgesAt(view.position).filter((edge) => accepts(view, edge, far, filter));
    const visits: unknown[] = [];
    const seenEdges = new Set<string>();
    let level = new Set([...start].map(String));
    const reached = new Set(level);
    for (let step = 1; step <= depth && level.size > 0; step++) {
      const next = new Set<string>();
      for (const node of [...level].sort(compareKeys))
        for (const edge of edges) {
          if (seenEdges.has(edge.id) || !edge[near].includes(node as ArtifactKey)) continue;
          if (visits.length === limit) return visits;
          seenEdges.add(edge.id);
          visits.push([step, node, edge.id]);
          for (const key of edge[far]) {
            if (reached.has(key) || !isTagged(view, key, filter)) continue;
            reached.add(key);
            next.add(key);
          }
        }
      level = next;
    }
    return visits;
  }
}

function accepts(view: View, edge: Edge, far: "from" | "to", filter: EdgeFilter): boolean {
  const { types, roles = 0, tags } = filter;
  if (types !== undefined && ![...types].includes(edge.type)) return false;
  if ((edge.roles & roles) !== roles) return false;
  return tags === undefined || edge[far].some((key) => isTagged(view, key, filter));
}

function isTagged(view: View, key: string, { tags }: EdgeFilter): boolean {
  if (tags === undefined) return true;
  const wanted = [...tags];
  return (view.stat(key)?.records ?? []).some(({ typeTag }) => typeTag !== undefined && wanted.includes(typeTag));
}

export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** Does something to a store that has to do with edges, and tells the model. */
export async function act(
  store: Store,
  model: EdgeModel,
  random: Random,
  nodes: readonly ArtifactKey[],
): Promise<void> {
  const ends = (): ArtifactKey[] => Array.from({ length: random.below(4) }, () => random.pick(nodes));
  const say = (id: Uint8Array, edge: Edge | undefined): void => {
    model.said.push({ position: store.position, id: hexOf(id), edge });
  };
  const known = model.said.length === 0 ? undefined : random.pick(model.said);
  switch (random.below(10)) {
    case 0: {
      // An edge that is there, perhaps, with other roles.
      const edge = model.said.find(({ edge }) => edge !== undefined)?.edge;
      if (edge === undefined) return;
      const again = { ...edge, roles: random.below(256) };
      const batch = store.batch();
      stageEdge(batch, again);
      batch.commit();
      say(edgeId(again), again);
      return;
    }
    case 1:
    case 2: {
      if (known === undefined) return;
      const id = Buffer.from(known.id, "hex");
      if (await store.unbind(Namespace.EDGE, id)) say(id, undefined);
      return;
    }
    case 3: {
      // What is no edge of this id, bound to it.
      if (known === undefined) return;
      const id = Buffer.from(known.id, "hex");
      const other: Edge = { from: [random.pick(nodes)], to: [], type: 999, roles: 0 };
      const key = await store.put(random.chance(0.5) ? encodeEdge(other) : Buffer.from("no edge"));
      await store.bind(Namespace.EDGE, id, key);
      say(id, undefined);
      return;
    }
    case 4: {
      // The artifact goes, and the edge stays.
      const key = known?.edge === undefined ? undefined : await store.put(encodeEdge(known.edge));
      if (key !== undefined) await store.remove(key);
      return;
    }
    case 5:
      await store.put(Buffer.from(`something ${random.next()}`));
      return;
    default: {
      const batch = store.batch();
      const edges: Edge[] = [];
      for (let left = 1 + random.below(3); left > 0; left--) {
        const edge = { from: ends(), to: ends(), type: 256 + random.below(3), roles: random.below(4) };
        if (edge.from.length + edge.to.length === 0) continue;
        stageEdge(batch, edge);
        edges.push(edge);
      }
      batch.commit();
      // Positions of the bindings: each is behind its artifact, if that was new.
      const ids = new Map(edges.map((edge) => [hexOf(edgeId(edge)), edge]));
      for (const { position, payload } of store.log({ from: store.position - 6 })) {
        if (payload.kind !== "binding" || payload.namespace !== Namespace.EDGE || Number(position) <= lastOf(model))
          continue;
        const edge = ids.get(hexOf(payload.name));
        if (edge !== undefined) model.said.push({ position: Number(position), id: hexOf(payload.name), edge });
      }
    }
  }
}

function lastOf({ said }: EdgeModel): number {
  return said.at(-1)?.position ?? 0;
}

/** What a store's log says of edges. */
export function modelOf(store: Store): EdgeModel {
  const model = new EdgeModel();
  for (const { position, payload } of store.log()) {
    if (payload.kind !== "binding" || payload.namespace !== Namespace.EDGE) continue;
    const { name, algorithm, digest } = payload;
    let edge: Edge | undefined;
    const view = store.derivation.viewAt({ position: Number(position) });
    const bytes = digest === undefined ? undefined : view.get(keyText(algorithm, digest));
    try {
      const found = bytes && decodeEdge(bytes);
      if (found !== undefined && hexOf(edgeId(found)) === hexOf(name)) edge = found;
    } catch (error) {
      if (!(error instanceof TgkError)) throw error;
    }
    model.said.push({ position: Number(position), id: hexOf(name), edge });
  }
  return model;
}

const FILTERS: readonly EdgeFilter[] = [{}, { types: [256, 258] }, { roles: 2 }, { tags: [7] }];

function told({ id, position, from, to, type, roles }: FoundEdge | (Omit<Shown, "id"> & { id: Uint8Array })): string {
  return JSON.stringify([hexOf(id), position, from, to, type, roles]);
}

/** Asks a graph for everything; answers how much was found, and what was wrong. */
export class Comparison {
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
