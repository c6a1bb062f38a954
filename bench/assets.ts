/**
 * The assets group: packing against asar, zip and copying; opening packs of many assets; reading from a guest against plain `pread`;
 * memory while a big pack is read. As a program, a process of its own for one figure, that prints JSON:
 * `node assets.ts pack PEER FOLDER FILE`, `open PEER FILE ENTRIES`, `read ENGINE FILE`.
 */
import { closeSync, existsSync, fstatSync, mkdirSync, openSync, readSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openPack, writePack } from "../host/assets/index.ts";
import { createAbi } from "../host/index.ts";
import { noise } from "../test/host/assets/pack-parts.ts";
import { residentOf } from "../test/host/assets/resident.ts";
import { writeSparsePack } from "../test/host/assets/sparse-pack.ts";
import { Module } from "../vm/index.ts";
import { ARCHIVES, ASAR, ASHLAR } from "./archives.ts";
import { binaryOf } from "./kernels.ts";
import {
  atLeast,
  atMost,
  file,
  type Group,
  interleaved,
  isMain,
  measured,
  median,
  milliseconds,
  type Options,
  progress,
  ratio,
  type Target,
  table,
} from "./report.ts";

const WORKLOADS = [
  { what: "5,000 × 4 KiB", folder: "small", files: 5000, bytes: 4096 },
  { what: "50 × 2 MB", folder: "large", files: 50, bytes: 2_000_000 },
] as const;
/** Assets of a pack, and the milliseconds within which it should open. */
const OPENINGS = [
  { entries: 10_000, mostMs: 18 },
  { entries: 100_000, mostMs: 180 },
] as const;
const READ_SIZE = 4096;
const READ_PAGES = 16_384;
const GIB = 2 ** 30;

interface Section {
  readonly text: string;
  readonly targets: readonly Target[];
}

export async function assetsGroup({ rounds, folder }: Options): Promise<Group> {
  const sections: Section[] = [];
  for (const part of [packing, opening, reading, resident]) sections.push(await part(rounds, folder));
  const versions = ARCHIVES.filter(({ version }) => version !== "").map(({ name, version }) => `${name}: ${version}`);
  return {
    title: "Assets",
    text: [`Peers: ${versions.join("; ")}.`, ...sections.map(({ text }) => text.trim())].join("\n\n"),
    targets: sections.flatMap(({ targets }) => targets),
  };
}

// -------------------------------------------------------------------------------------------------- packing

async function packing(rounds: number, folder: string): Promise<Section> {
  const rows: string[][] = [];
  const targets: Target[] = [];
  for (const { what, folder: name, files, bytes } of WORKLOADS) {
    const sources = join(folder, name);
    for (let k = 0; k < files; k++) {
      const parent = join(sources, `part${k % 25}`);
      mkdirSync(parent, { recursive: true });
      file(parent, `file${k}.bin`, noise(bytes, k + 1));
    }
    const times = new Map(ARCHIVES.map((archive) => [archive, [] as number[]]));
    for (let round = 0; round < 2 * rounds; round++)
      for (const [{ name: peer, extension }, of] of times) {
        progress(`assets: packing ${what}, round ${round + 1} of ${2 * rounds}, ${peer}`);
        const output = join(folder, `${name}.${extension}`);
        of.push(await measured<number>("assets.ts", ["pack", peer, sources, output]));
        rmSync(output, { recursive: true });
      }
    rmSync(sources, { recursive: true });
    const best = ARCHIVES.map((archive) => Math.min(...times.get(archive)!));
    const middle = ARCHIVES.map((archive) => median(times.get(archive)!));
    const own = ARCHIVES.indexOf(ASHLAR);
    rows.push([what, ...middle.map((ms, k) => `${milliseconds(ms)} (${milliseconds(best[k])})`)]);
    const asar = middle[ARCHIVES.indexOf(ASAR)];
    targets.push(atMost(`packing ${what} ÷ asar, medians`, 1, asar && middle[own]! / asar, ratio));
  }
  const headings = ["files", ...ARCHIVES.map(({ name }) => `${name}:`)];
  return {
    text: `Packing a folder of random bytes in 25 folders, every call in a process of its own, its start not counted; medians of ${2 * rounds} (fastest). asar and \`assets.pa\` hash every file; only \`assets.pa\` is on the disk (\`fsync\`) when the call ends.

${table(headings, rows)}`,
    targets,
  };
}

// -------------------------------------------------------------------------------------------------- opening

async function opening(rounds: number, folder: string): Promise<Section> {
  const peers = ARCHIVES.filter(({ count }) => count !== undefined);
  const rows: string[][] = [];
  const targets: Target[] = [];
  for (const { entries, mostMs } of OPENINGS) {
    progress(`assets: making packs of ${entries}`);
    const sources = join(folder, "many");
    for (let k = 0; k < entries; k++) {
      const parent = join(sources, `part${Math.floor(k / 1000)}`);
      if (k % 1000 === 0) mkdirSync(parent, { recursive: true });
      file(parent, `file${k}.bin`, `${k}`);
    }
    const best = new Map<string, Opening>();
    for (const { name, extension, pack } of peers) await pack(sources, join(folder, `many-${name[0]}.${extension}`));
    rmSync(sources, { recursive: true });
    for (let round = 0; round < rounds; round++)
      for (const { name, extension } of peers) {
        progress(`assets: opening ${entries}, round ${round + 1} of ${rounds}, ${name}`);
        const path = join(folder, `many-${name[0]}.${extension}`);
        const { warm, cold } = await measured<Opening>("assets.ts", ["open", name, path, `${entries}`]);
        const before = best.get(name);
        best.set(name, { warm: Math.min(warm, before?.warm ?? warm), cold: Math.min(cold, before?.cold ?? cold) });
      }
    const show = ({ warm, cold }: Opening): string => `${milliseconds(warm)} (${milliseconds(cold)})`;
    rows.push([entries.toLocaleString("en"), ...peers.map(({ name }) => show(best.get(name)!))]);
    const own = best.get(ASHLAR.name)!.warm;
    targets.push(atMost(`opening ${entries.toLocaleString("en")} assets, warm`, mostMs, own, milliseconds));
  }
  return {
    text: `Opening a file and knowing every entry, warm (the first in a process): the fastest of ${rounds} processes. \`assets.pa\` holds all of its rules; asar and zip parse.

${table(["entries", ...peers.map(({ name }) => `${name}:`)], rows)}`,
    targets,
  };
}

/** Milliseconds. */
interface Opening {
  readonly warm: number;
  readonly cold: number;
}

async function measureOpening(peer: string, path: string, entries: number): Promise<Opening> {
  const { count } = ARCHIVES.find(({ name }) => name === peer)!;
  const times: number[] = [];
  for (const from = performance.now(); times.length < 3 || (times.length < 20 && performance.now() - from < 4000); ) {
    const start = performance.now();
    const found = await count!(path);
    times.push(performance.now() - start);
    // asar counts folders.
    if (found < entries) throw new Error(`${found} entries`);
  }
  return { warm: Math.min(...times), cold: times[0]! };
}

// -------------------------------------------------------------------------------------------------- reading

/** Nanoseconds of a read. */
interface Reading {
  readonly pread: number;
  readonly library: number;
  readonly guest: number;
}

async function reading(rounds: number, folder: string): Promise<Section> {
  const path = join(folder, "pages.pa");
  await writePack(path, {
    assets: [
      {
        id: 1,
        name: "pages",
        bankType: "data",
        codec: "raw",
        decodedSize: READ_PAGES * READ_SIZE,
        stored: noise(READ_PAGES * READ_SIZE),
      },
    ],
  });
  const best = { compiled: undefined as Reading | undefined, reference: undefined as Reading | undefined };
  for (let round = 0; round < rounds; round++)
    for (const engine of ["compiled", "reference"] as const) {
      progress(`assets: reading, round ${round + 1} of ${rounds}, ${engine}`);
      const now = await measured<Reading>("assets.ts", ["read", engine, path]);
      const before = best[engine] ?? now;
      best[engine] = {
        pread: Math.min(now.pread, before.pread),
        library: Math.min(now.library, before.library),
        guest: Math.min(now.guest, before.guest),
      };
    }
  rmSync(path);
  const { compiled, reference } = best as { compiled: Reading; reference: Reading };
  const show = (nanoseconds: number): string => `${nanoseconds.toFixed(0)} ns`;
  const speed = (nanoseconds: number): string => ratio(compiled.pread / nanoseconds);
  return {
    text: `Random 4 KiB of a raw asset of 64 MiB, in the operating system's cache; the fastest of ${rounds} processes. ÷: how fast against \`fs.readSync\` from JavaScript.

${table(
  ["what", "a read:", "÷:"],
  [
    ["`fs.readSync`", show(compiled.pread), speed(compiled.pread)],
    ["`OpenAsset.read`", show(compiled.library), speed(compiled.library)],
    ["`bank.read`, compiled engine", show(compiled.guest), speed(compiled.guest)],
    ["`bank.read`, reference engine", show(reference.guest), speed(reference.guest)],
  ],
)}`,
    targets: [atLeast("4 KiB from a guest against `fs.readSync`", 0.7, compiled.pread / compiled.guest, ratio)],
  };
}

/** The pages of both are those of one sequence, LCG's of 32 bits. */
const GUEST = `(module
  (import "bank" "open_asset" (func $open (param i32) (result i32 i64)))
  (import "bank" "read" (func $read (param i64 i64 i64 i32 i32) (result i32 i32 i32)))
  (import "bytes" "of_memory" (func $own (result i64)))
  (memory 1)
  (global $bank (mut i64) (i64.const 0))
  (func (export "open") (result i32)
    (call $open (i32.const 1))
    (global.set $bank))
  (func (export "pages") (param $n i32) (result i64) (local $state i32) (local $bytes i64)
    (loop $again
      (local.set $state (i32.add (i32.mul (local.get $state) (i32.const 1664525)) (i32.const 1013904223)))
      (call $read
        (global.get $bank)
        (i64.shl (i64.extend_i32_u (i32.shr_u (local.get $state) (i32.const 18))) (i64.const 12))
        (call $own) (i32.const 0) (i32.const ${READ_SIZE}))
      (drop)
      (i64.extend_i32_u)
      (local.get $bytes)
      (i64.add)
      (local.set $bytes)
      (drop)
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $bytes)))`;

const READS = 50_000;

function measureReading(engine: "compiled" | "reference", path: string): Reading {
  const assets = openPack(path);
  const asset = assets.asset(1)!;
  const instance = Module.decode(binaryOf(GUEST)).instantiate({ ...createAbi({ assets }), engine });
  if (instance.invoke("open")[0] !== 0) throw new Error("the guest cannot open its asset");
  const opened = asset.open();
  const fd = openSync(path, "r");
  const start = fstatSync(fd).size - READ_PAGES * READ_SIZE;
  const page = new Uint8Array(READ_SIZE);
  const pages = (read: (offset: number) => number): void => {
    let state = 0;
    let bytes = 0;
    for (let k = 0; k < READS; k++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
      bytes += read((state >>> 18) * READ_SIZE);
    }
    if (bytes !== READS * READ_SIZE) throw new Error(`${bytes} bytes were read`);
  };
  const times = interleaved(10, [
    () => pages((offset) => readSync(fd, page, 0, READ_SIZE, start + offset)),
    () => pages((offset) => opened.read(offset, page)),
    () => {
      const bytes = Number(instance.invoke("pages", [READS])[0]);
      if (bytes !== READS * READ_SIZE) throw new Error(`the guest read ${bytes} bytes`);
    },
  ]);
  closeSync(fd);
  const [pread, library, guest] = times.map((ms) => (ms * 1e6) / READS) as [number, number, number];
  return { pread, library, guest };
}

// --------------------------------------------------------------------------------------------------- memory

async function resident(_rounds: number, folder: string): Promise<Section> {
  const path = join(folder, "sparse.pa");
  progress("assets: making a pack of 4 GiB");
  writeSparsePack(path, [GIB, GIB, GIB, GIB]);
  progress("assets: reading 4 GiB");
  const { seconds, grownBytes, readBytes } = await residentOf(path, "first");
  if (readBytes !== 4 * GIB) throw new Error(`${readBytes} bytes were read`);
  rmSync(path);
  const show = (value: number): string => `${(value / 2 ** 20).toFixed(1)} MiB`;
  return {
    text: `A sparse pack of 4 GiB in 4 assets, read once from end to end, every digest looked at: ${seconds.toFixed(1)} s, and the process grew by ${show(grownBytes)} (RSS).`,
    targets: [atMost("RSS growth over a pack of 4 GiB", 32 * 2 ** 20, grownBytes, show)],
  };
}

if (isMain(import.meta.url)) {
  const [what, subject, path = "", last = ""] = process.argv.slice(2);
  if (what === "pack") {
    const archive = ARCHIVES.find(({ name }) => name === subject)!;
    await archive.load?.();
    const start = performance.now();
    await archive.pack(path, last);
    console.log(performance.now() - start);
    if (!existsSync(last)) throw new Error(`${subject} packed nothing`);
  } else if (what === "open") console.log(JSON.stringify(await measureOpening(subject!, path, Number(last))));
  else if (what === "read" && (subject === "compiled" || subject === "reference"))
    console.log(JSON.stringify(measureReading(subject, path)));
  else throw new Error("say what to measure");
}
