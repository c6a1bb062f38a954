/**
 * The pel group: programs of many small nodes beside GNU make and ninja, large artifacts beside the store's own copy, and kernels. Every turn
 * of ours is a process of its own (pel-turns.ts).
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Large, Repeated, Starts } from "./pel-turns.ts";
import {
  atLeast,
  atMost,
  file,
  type Group,
  measured,
  median,
  milliseconds,
  type Options,
  progress,
  ratio,
  type Target,
  table,
  timeOf,
  versionOf,
} from "./report.ts";

const TURNS = "pel-turns.ts";
const MB = 1e6;

interface Sizes {
  readonly nodes: number;
  readonly largeBytes: number;
  readonly starts: number;
  readonly kernels: number;
}
const FULL: Sizes = { nodes: 10_000, largeBytes: 2 ** 30, starts: 1000, kernels: 16 };
const QUICK: Sizes = { nodes: 10_000, largeBytes: 2 ** 27, starts: 300, kernels: 6 };

interface Section {
  readonly text: string;
  readonly targets: readonly Target[];
}

export async function pelGroup({ rounds, folder, quick = false }: Options): Promise<Group> {
  const sizes = quick ? QUICK : FULL;
  const sections: Section[] = [];
  for (const part of [smallNodes, largeArtifacts, kernels]) sections.push(await part(sizes, rounds, folder));
  return {
    title: "Programs",
    text: sections.map(({ text }) => text.trim()).join("\n\n"),
    targets: sections.flatMap(({ targets }) => targets),
  };
}

const microseconds = (value: number): string => `${value.toFixed(1)} µs`;
const seconds = (value: number): string => `${(value / 1000).toFixed(2)} s`;
const times = (value: number): string => `${value.toFixed(2)}×`;
const megabytes = (value: number): string => `${(value / MB).toFixed(0)} MB`;
const count = (value: number): string => value.toLocaleString("en");

// ---------------------------------------------------------------------------------------------- small nodes

/** What builds the graph: its file, and how it is told to do all that is to be done. */
interface Builder {
  readonly name: string;
  readonly file: string;
  /** Of a target that is made from two of the layer before, or from one. */
  rule(target: string, sources: readonly string[]): string;
  readonly head: string;
  readonly args: readonly string[];
}

const BUILDERS: readonly Builder[] = [
  {
    name: "make",
    file: "Makefile",
    head: `all: LAST\n.SUFFIXES:\n`,
    rule: (target, sources) => `${target}: ${sources.join(" ")}\n\t@true\n`,
    args: ["-r", "-s", "-j2"],
  },
  {
    name: "ninja",
    file: "build.ninja",
    head: "rule true\n  command = true\n",
    rule: (target, sources) => `build ${target}: true ${sources.join(" ")}\n`,
    args: ["--quiet", "-j2"],
  },
];

const WIDTH = 100;

/** The graph of pel-turns.ts as files: a command `true` for each, and all of them of one time once they are said to be there. */
function graph({ file: name, head, rule }: Builder, nodes: number, folder: string): readonly string[] {
  const at = (layer: number, k: number): string => `t${layer}-${k % WIDTH}`;
  const layers = nodes / WIDTH;
  const rules: string[] = [];
  const targets: string[] = [];
  for (let layer = 1; layer <= layers; layer++)
    for (let k = 0; k < WIDTH; k++) {
      const sources = layer % 2 === 1 ? [at(layer - 1, k), at(layer - 1, k + 1)] : [at(layer - 1, k)];
      targets.push(at(layer, k));
      rules.push(rule(at(layer, k), sources));
    }
  const last = Array.from({ length: WIDTH }, (_, k) => at(layers, k)).join(" ");
  for (let k = 0; k < WIDTH; k++) touch(folder, at(0, k));
  file(folder, name, head.replace("LAST", last) + rules.join(""));
  return targets;
}

const WHEN = 1_000_000_000;

function touch(folder: string, name: string): void {
  const path = join(folder, name);
  writeFileSync(path, "");
  utimesSync(path, WHEN, WHEN);
}

/** Milliseconds of all commands, and of finding that nothing is to be done; undefined where it is not installed. */
function built(builder: Builder, nodes: number, folder: string): { cold: number; cached: number } | undefined {
  if (versionOf(builder.name) === undefined) return undefined;
  const own = join(folder, builder.name);
  mkdirSync(own);
  try {
    const targets = graph(builder, nodes, own);
    const run = (): void => {
      const { status, stderr } = spawnSync(builder.name, builder.args, { cwd: own, encoding: "utf8" });
      if (status !== 0) throw new Error(`${builder.name}: ${stderr}`);
    };
    const cold = timeOf(run);
    // `true` makes no files.
    for (const target of targets) touch(own, target);
    run();
    return { cold, cached: timeOf(run) };
  } finally {
    rmSync(own, { recursive: true });
  }
}

async function smallNodes({ nodes }: Sizes, rounds: number, folder: string): Promise<Section> {
  const own = { cold: [] as number[], cached: [] as number[], repeated: [] as Repeated[] };
  const others = BUILDERS.map((builder) => ({ builder, cold: [] as number[], cached: [] as number[] }));
  for (let round = 0; round < rounds; round++) {
    progress(`pel: ${count(nodes)} nodes, round ${round + 1} of ${rounds}`);
    const path = join(folder, "small");
    const turn = <T>(what: string): Promise<T> => measured<T>(TURNS, [what, path, `${nodes}`]);
    own.cold.push((await turn<{ ms: number }>("cold")).ms);
    own.cached.push((await turn<{ ms: number }>("cached")).ms);
    own.repeated.push(await turn<Repeated>("repeated"));
    rmSync(path, { recursive: true });
    for (const { builder, cold, cached } of others) {
      const ended = built(builder, nodes, folder);
      if (ended === undefined) continue;
      cold.push(ended.cold);
      cached.push(ended.cached);
    }
  }
  const of = (pick: (run: Repeated) => number): number => median(own.repeated.map(pick));
  const perNode = (pick: (run: Repeated) => number): number => of((run) => (1000 * pick(run)) / nodes);
  const overhead = perNode(({ cold, own }) => cold - own);
  // What does not depend on the number of nodes is in both.
  const hit = perNode(({ cached, tenth }) => (cached - tenth.cached) / 0.9);
  const rows = [
    ["Ashlar, the first run of a process", milliseconds(median(own.cold)), milliseconds(median(own.cached))],
    [
      "Ashlar, a process that did it before",
      milliseconds(of(({ cold }) => cold)),
      milliseconds(of(({ cached }) => cached)),
    ],
    ...others
      .filter(({ cold }) => cold.length > 0)
      .map(({ builder, cold, cached }) => [
        `${versionOf(builder.name)!.replace(/^(?=\d)/, `${builder.name} `)}, ${builder.args.at(-1)}`,
        milliseconds(median(cold)),
        milliseconds(median(cached)),
      ]),
  ];
  return {
    text: `A graph of ${count(nodes)} nodes, ${WIDTH} in a layer: layers of \`concat\` of two neighbours and layers of \`hash\` take turns. *cold*: nothing is known of it, and all that it makes (output, claim, context, edge, bindings of each) is on disk at the end; *cached*: everything is. Ours is the time of the run in a store that is open; make and ninja run \`true\` for each, and *cached* then find that files of one time are there, their own start included. Medians of ${rounds}. The store alone takes ${milliseconds(of(({ own }) => own))} for what a cold run puts and binds.

${table(["what", "cold:", "cached:"], rows)}`,
    targets: [
      atMost("a small node, cold, over the store's own puts", 20, overhead, microseconds),
      atMost("a node that is found", 8, hit, microseconds),
      atMost(
        `${count(nodes)} nodes, cold`,
        500,
        of((run) => run.cold),
        seconds,
      ),
      atMost("the same as the first run of a process", 500, median(own.cold), seconds),
      atMost(
        `${count(nodes)} nodes, cached`,
        120,
        of((run) => run.cached),
        seconds,
      ),
      atMost("the same as the first run of a process", 120, median(own.cached), seconds),
    ],
  };
}

// ---------------------------------------------------------------------------------------------------- large

async function largeArtifacts({ largeBytes }: Sizes, rounds: number, folder: string): Promise<Section> {
  const WHAT = ["copy", "concat", "slice"] as const;
  const turns = WHAT.map((what) => ({ what, runs: [] as Large[] }));
  for (let round = 0; round < rounds; round++) {
    for (const { what, runs } of round % 2 === 0 ? turns : turns.toReversed()) {
      progress(`pel: ${what}, round ${round + 1} of ${rounds}`);
      const path = join(folder, "large");
      // Each time anew: what is there already is not written again.
      const { key } = await measured<{ key: string }>(TURNS, ["make-large", path, `${largeBytes}`]);
      runs.push(await measured<Large>(TURNS, ["large", path, key, what]));
      rmSync(path, { recursive: true });
    }
  }
  const ms = turns.map(({ runs }) => median(runs.map((run) => run.ms)));
  const growth = turns.map(({ runs }) => Math.max(...runs.map((run) => run.growth)));
  const rows = WHAT.map((what, k) => [
    what === "copy" ? "the store's own copy" : `\`${what}\``,
    `${(largeBytes / 1e6 / ms[k]!).toFixed(2)} GB/s`,
    ratio(ms[0]! / ms[k]!),
    megabytes(growth[k]!),
  ]);
  return {
    text: `An artifact of ${count(largeBytes)} bytes: read from the page cache and written again as a stream with some bytes more (the store's own copy), \`concat\` with a small one, \`slice\` from 64 KiB on; on disk at the end. Medians of ${rounds} processes. *memory*: how much more the process had at the most.

${table(["what", "speed:", "÷ copy:", "memory:"], rows)}`,
    targets: [
      atLeast("`concat` ÷ the store's own copy", 0.7, ms[0]! / ms[1]!, times),
      atLeast("`slice` ÷ the store's own copy", 0.7, ms[0]! / ms[2]!, times),
      atMost("memory of the larger of them", 64 * MB, Math.max(growth[1]!, growth[2]!), megabytes),
    ],
  };
}

// --------------------------------------------------------------------------------------------------- kernels

async function kernels({ starts, kernels }: Sizes, rounds: number, folder: string): Promise<Section> {
  const began: Starts[] = [];
  const [one, two]: [number[], number[]] = [[], []];
  const path = join(folder, "kernels");
  for (let round = 0; round < rounds; round++) {
    progress(`pel: kernels, round ${round + 1} of ${rounds}`);
    began.push(await measured<Starts>(TURNS, ["starts", path, `${starts}`]));
    for (const workers of round % 2 === 0 ? [1, 2] : [2, 1]) {
      const { ms } = await measured<{ ms: number }>(TURNS, ["workers", path, `${kernels}`, `${workers}`]);
      (workers === 1 ? one : two).push(ms);
    }
  }
  const each = median(began.map((run) => run.each));
  const early = median(began.map((run) => run.early));
  const first = median(began.map((run) => run.first));
  const gain = median(one) / median(two);
  return {
    text: `An empty kernel with its image at hand takes ${microseconds(1000 * each)}, receipts and all, one of those that follow ${count(starts)} others on one worker; of these ${microseconds(1000 * early)}, the worker's start among them; the first of a process, with compilation, ${milliseconds(first)}. ${kernels} kernels that compute for ${milliseconds(median(one) / kernels)} each: ${seconds(median(one))} on one worker, ${seconds(median(two))} on two.`,
    targets: [
      atMost("start of a kernel with its image at hand", 300, 1000 * each, (value) => `${value.toFixed(0)} µs`),
      atLeast("two workers over one, heavy kernels", 1.7, gain, times),
    ],
  };
}
