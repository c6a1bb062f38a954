/**
 * What edges are measured at, each in a process of its own that prints JSON: `node tgk-turns.ts WHAT FOLDER EDGES SHAPE`, see the end. What was built is
 * measured, as it is installed: what Node.js needs to translate TypeScript is no part of it.
 */
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { ArtifactKey } from "../host/asl/index.ts";
import type { StagedEdge } from "../host/tgk/edge.ts";
import { isMain } from "./report.ts";

const built = (path: string) => import(new URL(`../dist/host/${path}`, import.meta.url).href);
const { Store, keyText }: typeof import("../host/asl/index.ts") = await built("asl/index.js");
const { openGraph, stageEdge }: typeof import("../host/tgk/index.ts") = await built("tgk/index.js");

/** `links`: from an artifact to a new one. `executions`: from three to a claim and an output, as nodes of programs have them. */
export type Shape = "links" | "executions";

/** The multihash of an artifact that need not be there. */
function keyOf(number: number): Uint8Array {
  return Buffer.concat([Buffer.of(0x12, 32), createHash("sha256").update(String(number)).digest()]);
}
const textOf = (number: number): ArtifactKey => keyText(1, keyOf(number), 2);

/** The same numbers in every process. */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Each edge leads from artifacts that come before it to new ones, so all of them are reached from artifact 0. */
function* edges(count: number, shape: Shape): Generator<StagedEdge> {
  const random = numbers(7);
  for (let k = 0; k < count; k++) {
    if (shape === "links")
      yield { from: [keyOf(Math.floor(random() * (k + 1)))], to: [keyOf(k + 1)], type: 256, roles: 0 };
    else {
      const from = Array.from({ length: 3 }, () => keyOf(2 * Math.floor(random() * (k + 1))));
      yield { from, to: [keyOf(2 * k + 1), keyOf(2 * k + 2)], type: 1, roles: 0 };
    }
  }
}

const GROUP = 1000;

export interface Making {
  /** Microseconds of an edge: staged, and on disk with its artifact. */
  readonly each: number;
}

async function make(folder: string, count: number, shape: Shape): Promise<Making> {
  rmSync(folder, { recursive: true, force: true });
  const store = await Store.open(folder, { create: true });
  let busy = 0;
  let group: StagedEdge[] = [];
  const put = (): void => {
    const start = performance.now();
    const batch = store.batch();
    for (const edge of group) stageEdge(batch, edge);
    batch.commit();
    busy += performance.now() - start;
    group = [];
  };
  for (const edge of edges(count, shape)) if (group.push(edge) === GROUP) put();
  if (group.length > 0) put();
  await store.close();
  return { each: (busy / count) * 1000 };
}

export interface Indexing {
  /** Edges in a second, from a log without an index. */
  readonly rate: number;
  /** Bytes on disk of an edge. */
  readonly disk: number;
  readonly segments: number;
  /** Most bytes that the process had in memory; and before it began. */
  readonly resident: number;
  readonly bare: number;
}

async function index(folder: string, count: number): Promise<Indexing> {
  rmSync(join(folder, "tgk"), { recursive: true, force: true });
  const store = await Store.open(folder);
  const bare = process.memoryUsage.rss();
  const start = performance.now();
  const graph = openGraph(store);
  const ms = performance.now() - start;
  const { segments, bytes } = graph.stats();
  graph.close();
  const resident = process.resourceUsage().maxRSS * 1024;
  await store.close();
  return { rate: (count / ms) * 1000, disk: bytes / count, segments, resident, bare };
}

export interface Traversing {
  readonly openMs: number;
  /** Edges in a second: the first time in a process, once code is hot, backward, and with all keys of their ends read. */
  readonly first: number;
  readonly forward: number;
  readonly backward: number;
  readonly keys: number;
  /** Artifacts in a second whose edges are found, of those that lead there. */
  readonly found: number;
  readonly resident: number;
  readonly bare: number;
}

const TURNS = 5;

async function traverse(folder: string, count: number, shape: Shape): Promise<Traversing> {
  const store = await Store.open(folder, { readOnly: true });
  const bare = process.memoryUsage.rss();
  const begun = performance.now();
  const graph = openGraph(store);
  const openMs = performance.now() - begun;
  const step = shape === "links" ? 1 : 2;
  const rate = (start: readonly ArtifactKey[], direction: "forward" | "backward", withKeys: boolean): number => {
    const from = performance.now();
    let visited = 0;
    for (const { edge } of graph.traverse({ start, direction })) {
      visited++;
      if (withKeys && edge.from.length + edge.to.length < 2) throw new Error("an edge without ends");
    }
    // All of it is reached forward; backward, what the last ones come from.
    if (direction === "forward" && visited !== count) throw new Error(`${visited} of ${count} edges were reached`);
    return (visited / (performance.now() - from)) * 1000;
  };
  const best = (call: () => number): number => Math.max(...Array.from({ length: TURNS }, call));
  const root = [textOf(0)];
  const ends = Array.from({ length: Math.ceil(count / 100) }, (_, k) => textOf((count - k) * step));
  const first = rate(root, "forward", false);
  const forward = best(() => rate(root, "forward", false));
  const backward = best(() => rate(ends, "backward", false));
  const resident = process.memoryUsage.rss();
  const keys = rate(root, "forward", true);
  const random = numbers(9);
  const asked = Array.from({ length: 50_000 }, () => textOf(step * (1 + Math.floor(random() * count))));
  const from = performance.now();
  for (const key of asked) if ([...graph.edgesOf(key, "to")].length !== 1) throw new Error(`no edge leads to ${key}`);
  const found = (asked.length / (performance.now() - from)) * 1000;
  graph.close();
  await store.close();
  return { openMs, first, forward, backward, keys, found, resident, bare };
}

// ------------------------------------------------------------------------------------------------------------

if (isMain(import.meta.url)) {
  const [what, folder = "", count = "0", shape = "links"] = process.argv.slice(2);
  const turns: { readonly [what: string]: () => Promise<object> } = {
    make: () => make(folder, Number(count), shape as Shape),
    index: () => index(folder, Number(count)),
    traverse: () => traverse(folder, Number(count), shape as Shape),
  };
  const turn = turns[what!];
  if (turn === undefined) throw new Error("say what to measure");
  console.log(JSON.stringify(await turn()));
  process.exit();
}
