/**
 * What programs are measured at, each in a process of its own that prints JSON: `node pel-turns.ts WHAT FOLDER …`, see the end. What was built is
 * measured, as it is installed: what Node.js needs to translate TypeScript is no part of it.
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import wabt from "wabt";
import type { ArtifactKey, Batch, Store as OpenStore } from "../host/asl/index.ts";
import type { Program, RunOptions, RunResult } from "../host/pel/index.ts";
import { isMain, median } from "./report.ts";
import { noiseAt, pieces } from "./store-artifacts.ts";

const built = (path: string) => import(new URL(`../dist/host/${path}`, import.meta.url).href);
const { Store }: typeof import("../host/asl/index.ts") = await built("asl/index.js");
const { ProgramBuilder, runProgram }: typeof import("../host/pel/index.ts") = await built("pel/index.js");

const MIB = 2 ** 20;

/** How many a layer of the graph has. */
const WIDTH = 100;

async function timed<T>(call: () => Promise<T>): Promise<{ ms: number; result: T }> {
  const start = performance.now();
  const result = await call();
  return { ms: performance.now() - start, result };
}

/** The same inputs whatever the graph: 32 bytes each. */
async function putInputs(store: OpenStore): Promise<{ [name: string]: ArtifactKey }> {
  const inputs: { [name: string]: ArtifactKey } = {};
  for (let k = 0; k < WIDTH; k++) inputs[`${k}`] = await store.put(noiseAt(32 * k, 32));
  return inputs;
}

/** Layers of small nodes: each takes two neighbours of the layer before together, and the next the digest of that. */
function layers(nodes: number): Program {
  const builder = new ProgramBuilder();
  let row = Array.from({ length: WIDTH }, (_, k) => builder.input(`${k}`));
  for (let layer = 0; layer < nodes / WIDTH; layer++)
    row = row.map((value, k) =>
      layer % 2 === 0 ? builder.concat([value, row[(k + 1) % WIDTH]!]) : builder.hash(value),
    );
  for (const [k, value] of row.entries()) builder.output(`${k}`, value);
  return builder.build();
}

function check(result: RunResult, executed: number, hits: number): void {
  if (result.failed !== undefined || result.executed !== executed || result.hits !== hits)
    throw new Error(`${result.executed} nodes executed and ${result.hits} found, not ${executed} and ${hits}`);
}

// ------------------------------------------------------------------------------------------------ small nodes

export interface Small {
  /** Milliseconds. */
  readonly cold: number;
  readonly cached: number;
}

/** The graph in a process that has done nothing before: nothing is known of it, or everything. */
async function first(folder: string, nodes: number, isCached: boolean): Promise<{ readonly ms: number }> {
  const store = await Store.open(folder, { create: true });
  const inputs = await putInputs(store);
  const program = layers(nodes);
  const { ms, result } = await timed(() => runProgram(store, program, { inputs }));
  check(result, isCached ? 0 : nodes, isCached ? nodes : 0);
  await store.close();
  return { ms };
}

export interface Repeated extends Small {
  /** Milliseconds that the store takes for what the run put and bound, in batches of as many nodes. */
  readonly own: number;
  /** Milliseconds, of a graph of a tenth of the nodes. */
  readonly tenth: Small;
}

const TURNS = 5;

/** Medians of a process that has done it before, each time in an empty store. */
async function repeated(folder: string, nodes: number): Promise<Repeated> {
  const times = { cold: [] as number[], cached: [] as number[], own: [] as number[] };
  const tenth = { cold: [] as number[], cached: [] as number[] };
  for (let turn = 0; turn <= TURNS; turn++) {
    for (const [count, into] of [
      [nodes, times],
      [nodes / 10, tenth],
    ] as const) {
      const path = join(folder, `${turn}-${count}`);
      const store = await Store.open(path, { create: true });
      const inputs = await putInputs(store);
      const program = layers(count);
      const from = BigInt(store.position + 1);
      const cold = await timed(() => runProgram(store, program, { inputs }));
      check(cold.result, count, 0);
      const cached = await timed(() => runProgram(store, program, { inputs }));
      check(cached.result, 0, count);
      into.cold.push(cold.ms);
      into.cached.push(cached.ms);
      if (count === nodes) times.own.push(await again(store, join(folder, `${turn}-own`), from));
      await store.close();
    }
  }
  const of = (values: readonly number[]): number => median(values.slice(1));
  return {
    cold: of(times.cold),
    cached: of(times.cached),
    own: of(times.own),
    tenth: { cold: of(tenth.cold), cached: of(tenth.cached) },
  };
}

/** Entries of one batch: of hundreds of nodes. */
const BATCH = 4096;

/** Puts and binds in an empty store all that came into this one from a position on. */
async function again(store: OpenStore, folder: string, from: bigint): Promise<number> {
  const acts: ((batch: Batch) => void)[] = [];
  for (const { payload } of store.log({ from })) {
    if (payload.kind === "put") {
      const bytes = store.get(multihash(payload.digest))!;
      const { typeTag, logseq } = payload;
      acts.push((batch) => batch.put(bytes, { typeTag, logseq }));
    } else if (payload.kind === "binding") {
      const { namespace, name, digest, logseq } = payload;
      const key = multihash(digest!);
      acts.push((batch) => batch.bind(namespace, name, key, { logseq }));
    }
  }
  const other = await Store.open(folder, { create: true });
  await putInputs(other);
  const { ms } = await timed(async () => {
    for (let at = 0; at < acts.length; at += BATCH) {
      const batch = other.batch();
      for (const act of acts.slice(at, at + BATCH)) act(batch);
      batch.commit();
    }
  });
  await other.close();
  return ms;
}

function multihash(digest: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of(0x12, 0x20), digest]);
}

// ---------------------------------------------------------------------------------------------------- large

export interface Large {
  readonly ms: number;
  /** How much more the process had in memory at the most, in bytes. */
  readonly growth: number;
}

/** Bytes that make the copies different from what they are of. */
const EXTRA = Buffer.from("ashlar");

/** Makes the artifact that the others work on. */
async function makeLarge(folder: string, bytes: number): Promise<object> {
  const store = await Store.open(folder, { create: true });
  const noise = pieces(noiseAt(0, 64 * MIB), MIB);
  const key = await store.writeStream(Array.from({ length: bytes / MIB }, (_, k) => noise[(k * 7) % noise.length]!));
  await store.close();
  return { key };
}

async function large(folder: string, key: ArtifactKey, what: string): Promise<Large> {
  const store = await Store.open(folder);
  const builder = new ProgramBuilder();
  const source = builder.input("source");
  const value = what === "slice" ? builder.slice(source, 64 * 1024) : builder.concat([source, builder.const(EXTRA)]);
  builder.output("made", value);
  const program = builder.build();
  const copy = async function* (): AsyncGenerator<Uint8Array> {
    yield EXTRA;
    yield* store.stream(key)!;
  };
  const before = process.memoryUsage.rss();
  const { ms } = await timed<unknown>(() =>
    what === "copy" ? store.writeStream(copy()) : runProgram(store, program, { inputs: { source: key } }),
  );
  const growth = process.resourceUsage().maxRSS * 1024 - before;
  await store.close();
  return { ms, growth };
}

// --------------------------------------------------------------------------------------------------- kernels

/** Ends at once. */
const EMPTY = `(module (memory (export "memory") 1) (func (export "_start")))`;
/** Counts down from as much as its seed makes no difference to: some hundred milliseconds, and no memory to wait for. */
const HEAVY = `(module (memory (export "memory") 1)
  (func (export "_start") (local $k i32) (local $x i64)
    (local.set $k (i32.const 100000000))
    (local.set $x (i64.const 88172645463325252))
    (loop $again
      (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 13))))
      (local.set $x (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 7))))
      (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 17))))
      (br_if $again (local.tee $k (i32.sub (local.get $k) (i32.const 1)))))
    (i64.store (i32.const 0) (local.get $x))))`;

/** A wide graph of one kernel: `count` nodes that differ in their argument. */
async function wide(
  store: OpenStore,
  text: string,
  count: number,
  from: number,
  options: RunOptions,
): Promise<{ readonly ms: number }> {
  const module = await store.put(new Uint8Array((await wabt()).parseWat("kernel.wat", text).toBinary({}).buffer));
  const builder = new ProgramBuilder();
  for (let k = from; k < from + count; k++) {
    const { receipt } = builder.guest({ module, args: [`${k}`], inputs: {}, outputs: [] });
    builder.output(`${k}`, receipt);
  }
  const program = builder.build();
  const { ms, result } = await timed(() => runProgram(store, program, options));
  check(result, count, 0);
  return { ms };
}

export interface Starts {
  /** Milliseconds of the first kernel of a process, of one of as many more as are asked for, on a thread of their own, and of one behind those. */
  readonly first: number;
  readonly early: number;
  readonly each: number;
}

async function starts(folder: string, count: number): Promise<Starts> {
  const images = new Map<string, Uint8Array>();
  const codeCache = {
    read: (name: string) => images.get(name),
    write: (name: string, bytes: Uint8Array) => void images.set(name, bytes.slice()),
  };
  const store = await Store.open(folder, { create: true });
  const options = { workers: 1, codeCache };
  const { ms: first } = await wide(store, EMPTY, 1, 0, options);
  const { ms: few } = await wide(store, EMPTY, count, 1, options);
  const { ms: many } = await wide(store, EMPTY, 4 * count, 1 + count, options);
  await store.close();
  return { first, early: few / count, each: (many - few) / (3 * count) };
}

async function workers(folder: string, count: number, workers: number): Promise<{ readonly ms: number }> {
  const store = await Store.open(folder, { create: true });
  const { ms } = await wide(store, HEAVY, count, 0, { workers });
  await store.close();
  return { ms };
}

// ------------------------------------------------------------------------------------------------------------

if (isMain(import.meta.url)) {
  const [what, folder = "", ...rest] = process.argv.slice(2);
  const [count = 0, more = 0] = rest.map(Number);
  mkdirSync(folder, { recursive: true });
  const turns: { readonly [what: string]: () => Promise<object> } = {
    cold: () => first(join(folder, "graph"), count, false),
    cached: () => first(join(folder, "graph"), count, true),
    repeated: () => repeated(folder, count),
    "make-large": () => makeLarge(join(folder, "large"), count),
    large: () => large(join(folder, "large"), rest[0] as ArtifactKey, rest[1]!),
    starts: () => starts(join(folder, "starts"), count),
    workers: () => workers(join(folder, `workers-${more}`), count, more),
  };
  const turn = turns[what!];
  if (turn === undefined) throw new Error("say what to measure");
  console.log(JSON.stringify(await turn()));
  for (const made of ["starts", `workers-${more}`]) rmSync(join(folder, made), { recursive: true, force: true });
  process.exit();
}
