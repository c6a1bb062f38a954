/**
 * `npm run test:crash -- [--seeds N] [--seed S] [--ops K] [--minutes M]`: crashes of stores. Each workload runs on a simulated volume; before each call that
 * has to do with what is on the disk, and at its end, images are made of what a loss of power can leave, and a store is opened on each. Prints what was
 * tried, and what was wrong. Exits 1 if something was.
 *
 * --seeds    random long workloads, 100 by default, from --seed S (1) on
 * --ops      all workloads of up to K operations, 0 by default; 3 takes about an hour
 * --minutes  stops after M minutes, and says how far it came
 */
import { parseArgs } from "node:util";
import { crash, crashSeveral, everyWorkload, Tally } from "./host/asl/crash.ts";
import { DURABILITIES } from "./host/asl/workloads.ts";

const { values: options } = parseArgs({
  options: {
    seeds: { type: "string", default: "100" },
    seed: { type: "string", default: "1" },
    ops: { type: "string", default: "0" },
    minutes: { type: "string", default: "1000000" },
  },
});
const [seeds, first, ops, minutes] = [options.seeds, options.seed, options.ops, options.minutes].map(Number) as [
  number,
  number,
  number,
  number,
];
if (![seeds, first, ops, minutes].every((number) => number >= 0) || ops > 3) {
  process.stderr.write("usage: npm run test:crash -- [--seeds N] [--seed S] [--ops K] [--minutes M]\n");
  process.exit(2);
}

/** Milliseconds between two lines of progress. */
const EVERY = 10_000;

const tally = new Tally();
const begun = performance.now();
const end = begun + 60_000 * minutes;
let next = begun + EVERY;
let shown = 0;

function* campaigns(): Generator<readonly [name: string, run: () => Promise<unknown>]> {
  for (let length = 1; length <= ops; length++) {
    const budget = length < 3 ? { images: 24, nested: 4, recoveries: 6 } : { images: 8, nested: 4, recoveries: 12 };
    for (const durability of DURABILITIES)
      for (const workload of everyWorkload(length, durability, "tiny"))
        yield [`${workload.operations.join(" ")}, durability ${durability}`, () => crash(workload, budget, tally)];
  }
  const budget = { images: 10, nested: 4, recoveries: 16 };
  for (let seed = first; seed < first + seeds; seed++) yield [`seed ${seed}`, () => crashSeveral(seed, budget, tally)];
}

let last = "nothing";
for (const [name, run] of campaigns()) {
  if (performance.now() > end) break;
  await run();
  last = name;
  for (; shown < Math.min(20, tally.violations.length); shown++) {
    const { workload, cut, message } = tally.violations[shown]!;
    process.stdout.write(`\n${name} (${JSON.stringify(workload)}), cut before ${cut}:\n${message}\n`);
  }
  if (performance.now() < next) continue;
  next = performance.now() + EVERY;
  process.stdout.write(`${Math.round((performance.now() - begun) / 1000)} s, ${name}: ${tally}\n`);
}
process.stdout.write(`\nup to ${last}, ${Math.round((performance.now() - begun) / 1000)} s:\n${tally}\n`);
if (tally.violations.length > 0) process.exitCode = 1;
