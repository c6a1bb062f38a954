/**
 * Crashes of runs: programs run on a simulated volume; before calls that have to do with what is on the disk images are made of what a loss of power, or
 * of the process, can leave. On each a store is opened, which has to be sound, and the programs are run again: to the same receipts.
 */

import { fsckVolume } from "../../../host/asl/fsck.ts";
import type { ArtifactKey } from "../../../host/asl/key.ts";
import type { Store } from "../../../host/asl/store.ts";
import { ProgramBuilder, type Value } from "../../../host/pel/builder.ts";
import type { Program } from "../../../host/pel/program.ts";
import { runProgram } from "../../../host/pel/run.ts";
import { openGraph } from "../../../host/tgk/graph.ts";
import { Random } from "../../vm/random.ts";
import { SimulatedVolume } from "../asl/simulated-volume.ts";
import { type Durability, openStore, owners, type Profile, PROFILES as SMALL_PROFILES } from "../asl/workloads.ts";
import { KERNEL, kernel } from "./runs.ts";
import { checkSound } from "./soundness.ts";

export const PROFILES: { readonly [name: string]: Profile } = {
  ...SMALL_PROFILES,
  /** As stores are by default. */
  usual: { limits: {}, tuning: {} },
};

export interface CrashWorkload {
  readonly durability: Durability;
  readonly profile: string;
  readonly seed: number;
  /** Nodes of each program, about. */
  readonly nodes: number;
  /** True: some nodes are guests, which take threads. */
  readonly hasGuests?: boolean;
  /** True: some nodes make so much that they are committed by themselves. */
  readonly hasLarge?: boolean;
}

export interface CrashBudget {
  /** One cut of so many is looked at. */
  readonly every: number;
  /** Images of a cut. */
  readonly images: number;
}

export class CrashTally {
  workloads = 0;
  cuts = 0;
  images = 0;
  readonly distinct: Set<string> = new Set();
  /** Nodes that recovered stores remembered when their programs ran again, and those that they did not. */
  hits = 0;
  executed = 0;
  readonly wrong: string[] = [];

  toString(): string {
    return (
      `${this.workloads} workloads, ${this.cuts} cuts, ${this.images} images, ${this.distinct.size} of them distinct; ` +
      `${this.hits} nodes were remembered, ${this.executed} run again; ${this.wrong.length} wrong`
    );
  }
}

/** Nodes that make more are committed by themselves (PEL-RUN-4). */
const LARGE_BYTES = 300_000;

/** A program of random nodes over two texts, a few of which fail. */
export function randomProgram(
  random: Random,
  nodes: number,
  module: ArtifactKey | undefined,
  hasLarge = false,
): Program {
  const builder = new ProgramBuilder();
  const values: Value[] = [];
  /** Most bytes that a value has: what is joined with itself grows fast. */
  const sizes = new Map<Value, number>();
  const add = (bytes: number, ...added: readonly Value[]): void => {
    values.push(...added);
    for (const value of added) sizes.set(value, bytes);
  };
  const some = (): Value =>
    random.chance(0.5) ? values.at(-1 - random.below(Math.min(4, values.length)))! : random.pick(values);
  add(1000, builder.input("one"), builder.input("two"));
  while (values.length < nodes) {
    const value = some();
    const size = sizes.get(value)!;
    if (module !== undefined && random.chance(0.15)) {
      const entry = random.pick(["turn", "turn", "draw", "twice", "trap", "leave"]);
      add(size, kernel(builder, module, entry, value));
      continue;
    }
    if (hasLarge && random.chance(0.1)) {
      add(LARGE_BYTES, builder.const(Buffer.alloc(LARGE_BYTES, `large ${values.length}`)));
      continue;
    }
    switch (random.below(8)) {
      case 0:
        add(900, builder.const(Buffer.alloc(random.below(900), `const ${values.length}`)));
        break;
      case 1:
        add(size, builder.slice(value, 0, random.below(7) === 3 ? 10 * LARGE_BYTES : random.below(9)));
        break;
      case 2:
        add(size, ...builder.split(value, [0]));
        break;
      case 3:
        add(32, builder.hash(value));
        break;
      case 4:
        add(8, builder.length(value));
        break;
      case 5: {
        const other = some();
        const chosen = builder.select(builder.const(Uint8Array.of(random.below(2))), [value, other]);
        add(Math.max(size, sizes.get(other)!), chosen);
        break;
      }
      case 6:
        add(32, builder.hash(builder.concat([value, builder.length(value).receipt])));
        break;
      default: {
        const all = Array.from({ length: 1 + random.below(4) }, some);
        const bytes = all.reduce((sum, one) => sum + sizes.get(one)!, 0);
        if (bytes < 4 * LARGE_BYTES) add(bytes, builder.concat(all));
        else add(32, builder.hash(value));
      }
    }
  }
  for (const [k, value] of values.slice(-3).entries()) builder.output(`last ${k}`, value);
  return builder.build();
}

interface Step {
  readonly program: Program;
  readonly inputs: { readonly [name: string]: Uint8Array };
}

interface Cut {
  readonly image: SimulatedVolume;
  readonly call: string;
  /** Receipts that were promised to stay. */
  readonly promised: readonly ArtifactKey[];
}

/** So small that each run leaves files of the index of edges, and merges them. */
const GRAPH = { segmentEdges: 16, segmentEnds: 128, keptEdges: 4, keptLogBytes: 1000, mergedSegments: 3 } as const;
const OPTIONS = { workers: 1, keepGoing: true } as const;

async function runStep(store: Store, { program, inputs }: Step): ReturnType<typeof runProgram> {
  await store.put(KERNEL);
  const keys: { [name: string]: ArtifactKey } = {};
  for (const [name, bytes] of Object.entries(inputs)) keys[name] = await store.put(bytes);
  const result = await runProgram(store, program, { ...OPTIONS, inputs: keys });
  // As the command does: so the index of edges is in the images, too.
  openGraph(store, { tuning: GRAPH }).close();
  return result;
}

export async function crashRuns(workload: CrashWorkload, budget: CrashBudget, tally: CrashTally): Promise<void> {
  const { durability, seed, nodes } = workload;
  const profile = PROFILES[workload.profile]!;
  const random = new Random(seed);
  tally.workloads++;
  const fail = (where: string, error: unknown): void =>
    void tally.wrong.push(`${JSON.stringify(workload)}, ${where}: ${(error as Error).stack}`);
  const volume = new SimulatedVolume();
  const open = (on: SimulatedVolume, pid: number): Promise<Store> =>
    openStore({ volume: on, durability, profile, pid });
  const cuts: Cut[] = [];
  const steps: Step[] = [];
  const expected: ArtifactKey[] = [];
  const promised: ArtifactKey[] = [];
  try {
    let store = await open(volume, 1);
    const module = workload.hasGuests ? await store.put(KERNEL) : undefined;
    const program = randomProgram(random, nodes, module, workload.hasLarge);
    const text = (name: string): Uint8Array => Buffer.from(`${name} of ${seed}`);
    steps.push(
      { program, inputs: { one: text("one"), two: text("two") } },
      { program, inputs: { one: text("one"), two: text("another") } },
      {
        program: randomProgram(random, nodes, module, workload.hasLarge),
        inputs: { one: text("one"), two: text("two") },
      },
    );
    let n = random.below(budget.every);
    const isSeen = new Set<string>();
    const cut = (call: string): void => {
      if (n++ % budget.every !== 0) return;
      tally.cuts++;
      for (const image of [...volume.crashImages(random, budget.images), volume.killed()]) {
        const digest = image.digest();
        tally.distinct.add(digest);
        if (isSeen.has(`${digest} ${promised.length}`)) continue;
        isSeen.add(`${digest} ${promised.length}`);
        cuts.push({ image, call, promised: [...promised] });
      }
    };
    volume.onCut = ({ number, kind, path }) => cut(`${number} ${kind} ${path}`);
    for (const step of steps) {
      const { claim } = await runStep(store, step);
      expected.push(claim);
      if (durability !== "none") promised.push(claim);
    }
    n = 0;
    cut("the end");
    await store.close();
    promised.push(...expected.slice(promised.length));
    n = 0;
    cut("closed");
    volume.onCut = undefined;
    store = await open(volume, 2);
    checkSound(store);
    await store.close();
  } catch (error) {
    fail("no crash", error);
    return;
  }
  for (const [k, { image, call, promised }] of cuts.entries()) {
    tally.images++;
    try {
      const store = await open(image, 1000);
      checkSound(store);
      for (const key of promised) if (!store.has(key)) throw new Error(`${key}, which was promised, is gone`);
      for (const [s, step] of steps.entries()) {
        const { claim, hits, executed } = await runStep(store, step);
        tally.hits += hits;
        tally.executed += executed;
        if (claim !== expected[s]) throw new Error(`run ${s} ends with ${claim}; ${expected[s]} was expected`);
      }
      checkSound(store);
      await store.close();
      if (k % 8 !== 0) continue;
      const { limits, tuning } = profile;
      const { problems } = await fsckVolume(image, owners(1001), { deep: true, limits, tuning });
      if (problems.length > 0) throw new Error(JSON.stringify(problems, undefined, 1));
    } catch (error) {
      fail(`cut before ${call}, image ${k}`, error);
      if (tally.wrong.length >= 20) return;
    }
  }
}
