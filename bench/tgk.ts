/**
 * The tgk group: edges in a store, their index, and going through them. There is no peer of the same kind; what an edge costs stands beside what it is
 * made of. Every turn is a process of its own (tgk-turns.ts).
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { atLeast, atMost, type Group, measured, median, type Options, progress, type Target, table } from "./report.ts";
import type { Indexing, Making, Shape, Traversing } from "./tgk-turns.ts";

const TURNS = "tgk-turns.ts";
const MB = 1e6;

interface Size {
  readonly shape: Shape;
  readonly edges: number;
}
const FULL: readonly Size[] = [
  { shape: "links", edges: 1_000_000 },
  { shape: "executions", edges: 1_000_000 },
  { shape: "links", edges: 4_000_000 },
];
const QUICK: readonly Size[] = [
  { shape: "links", edges: 200_000 },
  { shape: "executions", edges: 200_000 },
];

/** Most edges whose speeds have targets. */
const COMPARED = 1_000_000;

const TITLES: { readonly [shape in Shape]: string } = {
  links: "from one artifact to a new one",
  executions: "from three artifacts to two new ones",
};

const rate = (value: number): string => `${(value / MB).toFixed(value >= 10 * MB ? 1 : 2)} M/s`;
const micros = (value: number): string => `${value.toFixed(1)} µs`;
const megabytes = (value: number): string => `${(value / MB).toFixed(0)} MB`;
const count = (value: number): string => value.toLocaleString("en");

interface Measured {
  readonly size: Size;
  readonly making: Making;
  readonly indexing: Indexing;
  readonly traversing: Traversing;
}

export async function tgkGroup({ rounds, folder, quick = false }: Options): Promise<Group> {
  const all: Measured[] = [];
  for (const size of quick ? QUICK : FULL) all.push(await measure(size, size.edges > COMPARED ? 1 : rounds, folder));
  const rows = all.map(({ size, making, indexing, traversing }) => [
    TITLES[size.shape],
    count(size.edges),
    micros(making.each),
    rate(indexing.rate),
    `${indexing.disk.toFixed(0)} B`,
    megabytes(indexing.resident - indexing.bare),
    rate(traversing.first),
    rate(traversing.forward),
    rate(traversing.backward),
    rate(traversing.keys),
    rate(traversing.found),
    megabytes(traversing.resident - traversing.bare),
  ]);
  const headings = [
    "edges",
    "count:",
    "put:",
    "indexed:",
    "index, each:",
    "memory:",
    "forward, first time:",
    "forward:",
    "backward:",
    "with keys:",
    "edges of one:",
    "memory:",
  ];
  return {
    title: "Edges",
    text: `Each edge leads from artifacts that came before, any of them, to new ones: so keys of neighbours lie anywhere. *Put* is an edge and its artifact on disk, a thousand in a batch; *indexed* is the making of the index from the log alone. Traversals go through all edges from the first
artifact, or backward from the newest hundredth; *with keys* all keys of the ends are made as text; *edges of one* looks for the edges that lead to one artifact, of any in turn. The files of the store are in the page cache; memory is what the process had more than before.

${table(headings, rows)}`,
    targets: all.flatMap(targetsOf),
  };
}

function targetsOf({ size, indexing, traversing }: Measured): Target[] {
  const what = `${count(size.edges)} edges ${TITLES[size.shape]}`;
  // Of more, the index is larger than the memory for its pages: the table tells what that costs.
  const speeds = [
    atLeast(`forward through ${what}`, MB, traversing.forward, rate),
    atLeast(`backward through ${what}`, MB, traversing.backward, rate),
  ];
  // In memory are pages, those of the store too, and what merging takes: four bytes for each artifact.
  const memory = indexing.resident - indexing.bare;
  return [
    ...(size.edges > COMPARED ? [] : speeds),
    atMost(`memory for indexing ${what}`, 256 * MB + 8 * size.edges, memory, megabytes),
  ];
}

async function measure(size: Size, rounds: number, folder: string): Promise<Measured> {
  const path = join(folder, "tgk");
  const turn = <T>(what: string): Promise<T> => measured<T>(TURNS, [what, path, `${size.edges}`, size.shape]);
  progress(`tgk: ${count(size.edges)} edges are put`);
  const making = await turn<Making>("make");
  progress(`tgk: ${count(size.edges)} edges are indexed`);
  const indexing = await turn<Indexing>("index");
  const turns: Traversing[] = [];
  for (let round = 0; round < rounds; round++) {
    progress(`tgk: ${count(size.edges)} edges, round ${round + 1} of ${rounds}`);
    turns.push(await turn<Traversing>("traverse"));
  }
  rmSync(path, { recursive: true });
  const names = Object.keys(turns[0]!) as (keyof Traversing)[];
  const traversing = Object.fromEntries(names.map((name) => [name, median(turns.map((one) => one[name]))]));
  return { size, making, indexing, traversing: traversing as unknown as Traversing };
}
