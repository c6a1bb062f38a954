/** A race that a guest must not win: another thread swaps what it works on for links that lead outside, all the while. */
import nodeFs from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Test } from "tap";
import { Driver } from "../conformance/driver.ts";
import { type Attacker, syscallAttacker } from "./attacker.ts";
import type { StepName } from "./escapes.ts";
import { createWorld, SECRET, type SystemName, type World } from "./worlds.ts";

/** Swaps each place in turn for a link, and back, until told to stop. */
const SWAPPER = `
  const { workerData } = require("node:worker_threads");
  const fs = require("node:fs");
  const { flags, places, aside, folder } = workerData;
  Atomics.store(flags, 1, 1);
  Atomics.notify(flags, 1);
  let wait = 0;
  for (let turn = 0; Atomics.load(flags, 0) === 0; turn++) {
    const { place, target } = places[turn % places.length];
    try {
      fs.renameSync(place, aside);
      fs.symlinkSync(target, place);
      Atomics.add(flags, 2, 1);
      wait = (wait + 97) % 20_000;
      for (let k = 0; k < wait; k++) Atomics.load(flags, 0);
    } catch {
      // What the guest makes in its place is no harm.
    }
    try {
      if (fs.lstatSync(place).isSymbolicLink()) fs.unlinkSync(place);
      fs.renameSync(aside, place);
    } catch {
      fs.rmSync(aside, { recursive: true, force: true });
    }
    try {
      fs.mkdirSync(folder, { recursive: true });
    } catch {}
    for (let k = 0; k < wait; k++) Atomics.load(flags, 0);
  }
`;

const CALLS: readonly (readonly [StepName, ...string[]])[] = [
  ["read", "/rw/d/x"],
  ["read", "/rw/d/dir/y"],
  ["read", "/rw/d>dir/y"],
  ["write", "/rw/d/x"],
  ["append", "/rw/d/dir/y"],
  ["truncate", "/rw/d/x"],
  ["create", "/rw/d/x"],
  ["create", "/rw/d/made"],
  ["exclusive", "/rw/d/dir/made"],
  ["unlink", "/rw/d/made"],
  ["unlink", "/rw/d/dir/made"],
  ["unlink", "/rw/d/x"],
  ["list", "/rw/d"],
  ["list", "/rw/d/dir"],
  ["times", "/rw/d/x"],
  ["ltimes", "/rw/d/dir"],
  ["mkdir", "/rw/d/new"],
  ["rmdir", "/rw/d/new"],
  ["rmdir", "/rw/d/empty"],
  ["mkdir", "/rw/d/dir"],
  ["rename", "/rw/f", "/rw/d/f"],
  ["rename", "/rw/d/f", "/rw/f"],
  ["rename", "/rw/d/x", "/rw/x"],
  ["rename", "/rw/x", "/rw/d/x"],
  ["link", "/rw/d/x", "/rw/linked"],
  ["read", "/rw/linked"],
  ["write", "/rw/linked"],
  ["unlink", "/rw/linked"],
  ["link", "/rw/f", "/rw/d/dir/linked"],
  ["unlink", "/rw/d/dir/linked"],
  ["symlink", "x", "/rw/d/soft"],
  ["readlink", "/rw/d/link"],
  ["unlink", "/rw/d/soft"],
  ["stat", "/rw/d/x"],
  ["lstat", "/rw/d/dir/y"],
];

export interface RaceOptions {
  /** Rounds of all calls: so many, and up to 10 times as many until there were so many swaps. */
  readonly rounds: number;
  readonly swaps: number;
  /** The guest; by default one that makes syscalls. */
  readonly attacker?: (world: World) => Attacker;
}

/** Runs the race in a folder of its own. */
export async function race(t: Test, system: SystemName, folder: string, options: RaceOptions): Promise<void> {
  const { rounds, swaps } = options;
  const attacker = options.attacker ?? (({ mounts }) => syscallAttacker(new Driver({ mounts })));
  const planted = { "d/x": "mine", "d/dir/y": "mine", "d/empty": null };
  const world = createWorld(system, { folder, secrets: true, planted });
  const rw = join(folder, "granted", "rw");
  const before = world.outsideIs();
  const flags = new Int32Array(new SharedArrayBuffer(12));
  const places = [
    { place: join(rw, "d"), target: world.outside },
    { place: join(rw, "d"), target: "../../secret" },
    { place: join(rw, "d", "dir"), target: join(world.outside, "dir") },
    { place: join(rw, "d", "x"), target: join(world.outside, "x") },
  ];
  const workerData = { flags, places, aside: join(rw, "aside"), folder: join(rw, "d", "dir") };
  const worker = new Worker(SWAPPER, { eval: true, workerData });
  const ended = new Promise((resolve, reject) => worker.once("exit", resolve).once("error", reject));
  Atomics.wait(flags, 1, 0, 10_000);
  const call = attacker(world);
  const wrong: string[] = [];
  for (let round = 0; round < rounds || (round < 10 * rounds && Atomics.load(flags, 2) < swaps); round++)
    for (const [name, ...args] of CALLS) {
      let answer: string;
      try {
        answer = call(name, args);
      } catch (error) {
        // The directory that a path begins at was not there.
        answer = error instanceof Error ? error.message : String(error);
        if (!args.some((path) => path.includes(">"))) wrong.push(`${name} ${args}: ${answer}`);
      }
      if (answer.includes(SECRET) || (name === "list" && answer.split(" ").includes("loop")))
        wrong.push(`${name} ${args}: ${answer}`);
    }
  Atomics.store(flags, 0, 1);
  await ended;
  if (world.outsideIs() !== before) wrong.push("what is outside was touched");
  if (nodeFs.readFileSync(join(world.outside, "x"), "utf8") !== SECRET) wrong.push("what is outside was written");
  t.same(wrong, []);
  // On a machine that is busy the other thread may hardly run: no failure, but to be told.
  t.comment(`${Atomics.load(flags, 2)} swaps`);
}
