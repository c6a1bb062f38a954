/**
 * The store group: the content-addressed store beside lmdb, classic-level, better-sqlite3, cacache and git; large artifacts beside the disk
 * and SHA-256; how the figures grow to ten million artifacts. Every turn is a process of its own (store-peers.ts, store-turns.ts,
 * store-large.ts).
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import {
  atLeast,
  atMost,
  type Group,
  measured,
  median,
  type Options,
  progress,
  ratio,
  type Target,
  table,
} from "./report.ts";
import type { Figures } from "./store-figures.ts";
import { PEERS } from "./store-peers.ts";
import type { Checking, DiskFigures, Large, Opened, Recovery, Writing } from "./store-turns.ts";

const MB = 1e6;
const GB = 1e9;

interface Sizes {
  /** Artifacts that all peers have. */
  readonly artifacts: number;
  readonly ones: number;
  readonly queries: number;
  readonly largeBytes: number;
  /** Of stores that grow: with that of `artifacts`, and the last is the one whose limits are looked at. */
  readonly growth: readonly number[];
  readonly tail: number;
  /** Artifacts of 4 KiB. */
  readonly pages: number;
}

const FULL: Sizes = {
  artifacts: 500_000,
  ones: 1000,
  queries: 100_000,
  largeBytes: 2 ** 29,
  growth: [100_000, 500_000, 1_000_000, 10_000_000],
  tail: 1_000_000,
  pages: 60_000,
};
const QUICK: Sizes = {
  artifacts: 100_000,
  ones: 300,
  queries: 50_000,
  largeBytes: 2 ** 27,
  growth: [20_000, 100_000, 1_000_000],
  tail: 200_000,
  pages: 10_000,
};

/**
 * The program of the turns as JavaScript: what Node.js needs to translate TypeScript is more memory than the store takes, and no part of
 * what is installed.
 */
async function turnsIn(folder: string): Promise<string> {
  const outfile = join(folder, "store-turns.mjs");
  const entryPoints = [fileURLToPath(new URL("store-turns.ts", import.meta.url))];
  await build({ entryPoints, outfile, bundle: true, platform: "node", format: "esm", logLevel: "warning" });
  return outfile;
}

interface Section {
  readonly text: string;
  readonly targets: readonly Target[];
}

export async function storeGroup({ rounds, folder, quick = false }: Options): Promise<Group> {
  const sizes = quick ? QUICK : FULL;
  const sections: Section[] = [];
  const turns = await turnsIn(folder);
  for (const part of [peers, large, growth]) sections.push(await part(sizes, rounds, folder, turns));
  const versions = PEERS.filter(({ version }) => version !== "").map(({ name, version }) => `${name} ${version}`);
  return {
    title: "Store",
    text: [
      `Peers: ${versions.join(", ")}. Every turn is a process of its own; the peers take turns.`,
      ...sections.map(({ text }) => text.trim()),
    ].join("\n\n"),
    targets: sections.flatMap(({ targets }) => targets),
  };
}

/** The median of what each turn tells under each name; of names that are in none, nothing. */
function medians<T extends object>(turns: readonly T[]): T {
  const names = Object.keys(turns[0]!) as (keyof T)[];
  return Object.fromEntries(names.map((name) => [name, median(turns.map((turn) => turn[name] as number))])) as T;
}

function perSecond(value: number | undefined): string {
  if (value === undefined) return "–";
  if (value >= MB) return `${(value / MB).toFixed(value >= 10 * MB ? 1 : 2)} M`;
  return value >= 1000 ? `${(value / 1000).toFixed(value >= 10_000 ? 0 : 1)} k` : value.toFixed(0);
}
const rate = (value: number): string => `${perSecond(value)}/s`;
const speed = (value: number | undefined): string => (value === undefined ? "–" : `${(value / GB).toFixed(2)} GB/s`);
const bytesEach = (value: number): string => `${value.toFixed(2)} B`;
const megabytes = (value: number): string => `${(value / MB).toFixed(0)} MB`;
const ms = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
const seconds = (value: number): string => `${(value / 1000).toFixed(2)} s`;
const count = (value: number): string => value.toLocaleString("en");

// ---------------------------------------------------------------------------------------------------- peers

/** Bytes of the frame that one artifact of 256 bytes is committed with. */
const FRAME = 600;

async function peers(
  { artifacts, ones, queries }: Sizes,
  rounds: number,
  folder: string,
  program: string,
): Promise<Section> {
  const turns = PEERS.map((peer) => ({ peer, figures: [] as Figures[] }));
  const disks: DiskFigures[] = [];
  for (let round = 0; round < rounds; round++)
    for (const { peer, figures } of turns) {
      progress(`store: ${peer.name}, round ${round + 1} of ${rounds}`);
      const own = join(folder, "peer");
      figures.push(
        await measured<Figures>("store-peers.ts", [peer.name, own, `${artifacts}`, `${ones}`, `${queries}`]),
      );
      rmSync(own, { recursive: true });
      // Beside ours each time.
      if (peer === PEERS[0]) disks.push(await measured<DiskFigures>(program, ["disk", folder, `${ones}`, `${FRAME}`]));
    }
  const figures = turns.map((turn) => medians(turn.figures));
  const disk = medians(disks);
  const own = figures[0]!;
  const columns: readonly [heading: string, name: keyof Figures][] = [
    ["put", "put"],
    ["put one", "one"],
    ["get", "get"],
    ["get verified", "verified"],
    ["into a buffer", "into"],
    ["sequential", "sequential"],
    ["has", "has"],
    ["has absent", "absent"],
  ];
  const rows = turns.map(({ peer }, k) => [
    peer.name,
    ...columns.map(([, name]) => perSecond(figures[k]![name])),
    figures[k]!.disk!.toFixed(0),
  ]);
  const ratios = turns.slice(1).map(({ peer }, k) => [
    `Ashlar ÷ ${peer.name}`,
    ...columns.map(([, name]) => {
      const theirs = figures[k + 1]![name];
      return theirs === undefined ? "–" : ratio(own[name]! / theirs);
    }),
    ratio(own.disk! / figures[k + 1]!.disk!),
  ]);
  const oneLimit = Math.min(5000, 0.8 * disk.append);
  return {
    text: `${count(artifacts)} artifacts of 256 random bytes, in a second; SHA-256 is part of putting. *put*: on disk by groups of at most 2 MiB (git: at the end). *put one*: each on disk before the next, into the same store; \`fdatasync\` alone does ${perSecond(disk.append)} after appending ${FRAME} bytes, ${perSecond(disk.overwrite)} over bytes that are there. *get*: ${count(queries)} at random, no digest compared, from page cache; ours and lmdb's *into a buffer* make no object of bytes. *verified*: digests compared (of cacache: always). *sequential*: in the order of the store, no digest compared. Keys are bytes that were made before, each a view of its own; each figure is the median of ${rounds} processes, in them of 3 passes after one that does not count. cacache has 1 artifact of 100, and no \`fsync\`; git reads to /dev/null, its start is not counted. With a promise for each artifact (\`put\`, not \`putMany\`) ours puts ${perSecond(own.promised)}; a process of it that has just begun puts ${perSecond(own.cold)} (its first ${count(artifacts / 10)}): other figures leave that out. lmdb and git have no digests to compare with but by reading again.

${table(["what", ...columns.map(([heading]) => `${heading}:`), "bytes on disk each:"], [...rows, ...ratios])}`,
    targets: [
      atLeast(`put ${count(artifacts)} × 256 B`, 350_000, own.put, rate),
      atLeast("put one at a time: 5 k/s, or 0.8 of what the disk appends", oneLimit, own.one, rate),
      atLeast("get, random, verified", 400_000, own.verified, rate),
      atLeast("get, random, unverified", 500_000, own.get, rate),
      atLeast("get, random, into the caller's buffer", 600_000, own.into, rate),
      atLeast("get, sequential", 3 * MB, own.sequential, rate),
      atLeast("key lookup", 3 * MB, own.has, rate),
      atLeast("absent key", 5 * MB, own.absent, rate),
    ],
  };
}

// ---------------------------------------------------------------------------------------------------- large

async function large({ largeBytes }: Sizes, rounds: number, folder: string, program: string): Promise<Section> {
  const contenders: {
    readonly name: string;
    readonly script: string;
    readonly args: readonly string[];
    readonly turns: Large[];
  }[] = [
    { name: "Ashlar", script: program, args: ["large"], turns: [] },
    ...PEERS.filter(({ name }) => name === "cacache" || name === "git").map(({ name }) => ({
      name,
      script: "store-large.ts",
      args: [name],
      turns: [],
    })),
  ];
  for (let round = 0; round < rounds; round++)
    for (const { name, script, args, turns } of contenders) {
      progress(`store: large artifacts, ${name}, round ${round + 1} of ${rounds}`);
      const own = join(folder, "large");
      turns.push(await measured<Large>(script, [...args, own, `${largeBytes}`]));
      rmSync(own, { recursive: true });
    }
  const [own, ...others] = contenders.map(({ turns }) => medians(turns)) as [Large, ...Large[]];
  const row = (name: string, { write, read, ranges, streamed, whole }: Partial<Large>): string[] => [
    name,
    ...[write, read, ranges, streamed, whole].map(speed),
  ];
  const least = Math.min(own.sha256!, own.diskWrite!);
  return {
    text: `Artifacts of ${count(largeBytes)} bytes, written as a stream and on disk at the end; read again from page cache, in pieces of 1 MiB. *verified*: ours by checksums of 64 KiB, cacache by the digest; *get*: all of it in memory of its own, by the digest. Medians of ${rounds} processes. SHA-256 alone does ${speed(own.sha256)}; the files are those of the disk: written and synced, and read.

${table(
  ["what", "write:", "read, unverified:", "verified, in ranges:", "verified, a stream:", "get:"],
  [
    row("plain files", { write: own.diskWrite!, read: own.diskRead! }),
    row("Ashlar", own),
    ...others.map((figures, k) => row(contenders[k + 1]!.name, figures)),
  ],
)}`,
    targets: [
      atLeast("large write ÷ the slower of SHA-256 and the disk", 0.8, own.write / least, ratio),
      atLeast("large read, unverified", 4 * GB, own.read, speed),
      atLeast("large read, verified, as a stream", 1.3 * GB, own.streamed, speed),
    ],
  };
}

// --------------------------------------------------------------------------------------------------- growth

interface Grown {
  readonly count: number;
  readonly writing: Writing;
  /** With the budget that the index has by itself. */
  readonly opened: Opened[];
  readonly checked: Checking;
}

async function growth(
  { growth: counts, artifacts, queries, tail, pages }: Sizes,
  rounds: number,
  folder: string,
  program: string,
): Promise<Section> {
  const turn = <T>(...args: (string | number)[]): Promise<T> => measured<T>(program, args.map(String));
  const grown: Grown[] = [];
  const unbudgeted: Opened[] = [];
  let deep: Checking | undefined;
  const last = counts.at(-1)!;
  const path = (of: number): string => join(folder, `grown-${of}`);
  for (const of of counts) {
    progress(`store: putting ${count(of)}`);
    const writing = await turn<Writing>("write", path(of), of, 256);
    if (of === artifacts) deep = await turn<Checking>("fsck", path(of), "deep");
    grown.push({ count: of, writing, opened: [], checked: await turn<Checking>("fsck", path(of), "plain") });
  }
  for (let round = 0; round < rounds; round++) {
    for (const { count: of, opened } of grown) {
      progress(`store: reading ${count(of)}, round ${round + 1} of ${rounds}`);
      opened.push(await turn<Opened>("open", path(of), of, queries, "default"));
    }
    unbudgeted.push(await turn<Opened>("open", path(last), last, queries, 0));
  }
  for (const { count: of } of grown) if (of !== last) rmSync(path(of), { recursive: true });
  const recoveries: Recovery[] = [];
  for (let round = 0; round < Math.min(rounds, 3); round++) {
    progress(`store: recovery, round ${round + 1}`);
    recoveries.push(await recovered(path(last), tail, round, turn));
  }
  rmSync(path(last), { recursive: true });
  progress("store: fsck of larger artifacts");
  await turn<Writing>("write", path(pages), pages, 4096);
  const pagesChecked = await turn<Checking>("fsck", path(pages), "plain");
  const pagesDeep = await turn<Checking>("fsck", path(pages), "deep");
  rmSync(path(pages), { recursive: true });

  const opened = grown.map((turns) => medians(turns.opened));
  const without = medians(unbudgeted);
  const recovery = medians(recoveries);
  const base = opened[counts.indexOf(artifacts)]!;
  const { writing } = grown.at(-1)!;
  const most = opened.at(-1)!;
  const row = (of: number, { put, p999, longest, disk }: Writing, figures: Opened, checked: Checking): string[] => [
    count(of),
    perSecond(put),
    `${ms(p999)}, ${ms(longest)}`,
    ms(figures.openMs),
    perSecond(figures.verified),
    perSecond(figures.get),
    perSecond(figures.has),
    perSecond(figures.absent),
    `${figures.segments}`,
    bytesEach(figures.mandatory),
    bytesEach(figures.located),
    bytesEach(figures.memory),
    megabytes(figures.resident),
    disk.toFixed(0),
    speed(checked.rate),
  ];
  return {
    text: `How it grows: stores of artifacts of 256 random bytes, put in groups of 3,000 that are awaited one by one (*stalls*: the group that took longest but for 1 in 1,000, and the longest; the median at ${count(last)} is ${ms(writing.median)}). Then, left alone until merges that were due are done, and after a clean close, in processes of their own (medians of ${rounds}): opening; reading at random, the index within its 96 MB. *mandatory*: what the index has to have in memory, by artifacts; *index*: all that it has. *process*: RSS after reads all over the store (Node.js alone: ${megabytes(most.bare)}); the one that put ${count(last)} had at most ${megabytes(writing.resident)}. *fsck*: all of the store's bytes, from page cache.

${table(
  [
    "artifacts:",
    "put:",
    "stalls:",
    "open:",
    "get verified:",
    "get:",
    "has:",
    "has absent:",
    "segments:",
    "mandatory:",
    "with locators:",
    "index:",
    "process:",
    "bytes on disk each:",
    "fsck:",
  ],
  grown.map(({ count: of, writing, checked }, k) => row(of, writing, opened[k]!, checked)),
)}
${count(last)} with no budget for the index: get verified ${perSecond(without.verified)}, get ${perSecond(without.get)}, has ${perSecond(without.has)}, absent ${perSecond(without.absent)}, process ${megabytes(without.resident)}. Opening it after a crash with ${count(recovery.replayed)} entries of the log behind the last checkpoint: ${seconds(recovery.ms)} (of a store whose open table was made that large for this: by itself it writes checkpoints sooner). \`fsck --deep\`: ${speed(deep!.rate)} of ${count(artifacts)} × 256 B, ${speed(pagesDeep.rate)} of ${count(pages)} × 4 KiB (\`fsck\`: ${speed(pagesChecked.rate)}).`,
    targets: [
      atLeast(`put, sustained to ${count(last)}`, 250_000, writing.put, rate),
      atMost("longest stall meanwhile", 50, writing.longest, ms),
      atMost("segments that a key may be looked for in", 8, Math.max(...opened.map(({ segments }) => segments)), count),
      atMost("mandatory memory of the index, each", 1.6, most.mandatory, bytesEach),
      atMost("the same with locators", 8, most.located, bytesEach),
      atMost("process that reads", 200 * MB, most.resident, megabytes),
      atMost("process that puts", 200 * MB, writing.resident, megabytes),
      atMost("open after a clean close", 50, most.openMs, ms),
      atMost(`recovery of ${count(tail)} entries`, 800, recovery.ms, seconds),
      atLeast(`get verified at ${count(last)} ÷ at ${count(artifacts)}`, 0.7, most.verified! / base.verified!, ratio),
      atLeast("the same, unverified", 0.7, most.get! / base.get!, ratio),
      atLeast("get verified with no budget ÷ the same", 0.5, without.verified! / base.verified!, ratio),
      atLeast("the same, unverified", 0.5, without.get! / base.get!, ratio),
      atLeast("`fsck` of 256 B", GB, grown[counts.indexOf(artifacts)]!.checked.rate, speed),
      atLeast("`fsck --deep` of 256 B", 0.4 * GB, deep!.rate, speed),
      atLeast("`fsck --deep` of 4 KiB", 1.2 * GB, pagesDeep.rate, speed),
    ],
  };
}

/** Leaves a tail of the log in the store, and opens it. */
async function recovered(
  path: string,
  tail: number,
  round: number,
  turn: <T>(...args: (string | number)[]) => Promise<T>,
): Promise<Recovery> {
  await turn("tail", path, tail, 10 + round);
  return turn("recover", path);
}
