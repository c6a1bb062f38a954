/**
 * `npm run fuzz -- [--minutes N] [--seed S] [--jobs J] [--binaryen] [--optimized]`: modules of one seed after another on
 * both engines, and where they can be in plain V8, for N minutes (10) in J processes (1), from seed S (1,000,000). Prints
 * what was executed; a difference is shrunk and written to `test/fixtures/fuzz`, to be given a name that says what was
 * wrong. With `--binaryen` one process more takes modules that binaryen makes of random bytes; with `--optimized` one more
 * runs what binaryen makes of the compiled code. Ctrl-C ends it and prints what there is. Exits 1 when there was a
 * difference.
 */
import { type ChildProcess, fork } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadOptimizer } from "../host/command/optimize.ts";
import { OPCODES, opcodeIndex } from "../vm/bytecode/opcodes.ts";
import { TrapCode, trapName } from "../vm/trap.ts";
import { binaryenModules } from "./vm/binaryen-fuzz.ts";
import { type CompareTally, newCompareTally } from "./vm/compare.ts";
import { binaryCase, fuzz, generatedCase, shrunk } from "./vm/fuzz.ts";
import { useHostSha256 } from "./vm/subject.ts";

const FIXTURES = new URL("fixtures/fuzz/", import.meta.url);
/** Seconds between two reports of a process. */
const EVERY = 5;

const { values: options } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: "1000000" },
    jobs: { type: "string", default: "1" },
    binaryen: { type: "boolean", default: false },
    optimized: { type: "boolean", default: false },
    /** Internal: one of the processes. */
    worker: { type: "string" },
    source: { type: "string", default: "generated" },
  },
});
const seconds = 60 * Number(options.minutes);
const first = Number(options.seed);
const jobs = Number(options.jobs);
if (![seconds, first, jobs].every((number) => number >= 0) || jobs > 64) {
  process.stderr.write("usage: npm run fuzz -- [--minutes N] [--seed S] [--jobs J] [--binaryen] [--optimized]\n");
  process.exit(2);
}

/** What a process tells the one that started it. */
interface Report extends Omit<CompareTally, "modules"> {
  readonly modules: readonly number[];
  /** The next seed. */
  readonly next: number;
  readonly failures: readonly string[];
}

if (options.worker === undefined) lead();
else await work(Number(options.worker));

async function work(job: number): Promise<void> {
  useHostSha256();
  let end = performance.now() + 1000 * seconds;
  process.on("SIGINT", () => {
    end = 0;
  });
  const failures: string[] = [];
  let tally = newCompareTally();
  let reported = performance.now();
  let next = first + job;
  const report = (): void => {
    process.send?.({ ...tally, modules: [...tally.modules], next, failures: failures.splice(0) } satisfies Report);
    tally = newCompareTally();
    reported = performance.now();
  };
  const binaryen = options.source === "binaryen" ? await binaryenModules() : undefined;
  const optimizer = options.source === "optimized" ? await loadOptimizer() : undefined;
  for (; performance.now() < end; next += options.source === "generated" ? jobs : 1) {
    const seed = next;
    const bytes = await binaryen?.(seed);
    if (binaryen && !bytes) continue;
    const make = bytes ? () => binaryCase(`binaryen ${seed}`, [bytes], seed) : () => generatedCase(seed);
    const difference = fuzz(make, tally, optimizer);
    if (difference && optimizer) failures.push(`optimised: ${difference.message}`);
    else if (difference)
      failures.push(save(`${bytes ? "binaryen" : "seed"}-${seed}`, difference.message, shrunk(make, difference)));
    if (performance.now() < reported + 1000 * EVERY) continue;
    report();
    // Signals come in.
    await new Promise((resolve) => setImmediate(resolve));
  }
  report();
  process.disconnect?.();
}

/** Writes a failure as fixtures; what to print. */
function save(name: string, message: string, [text, ...others]: readonly string[]): string {
  const file = new URL(`${name}.wat`, FIXTURES);
  writeFileSync(file, `${text}\n`);
  others.forEach((other, k) => {
    writeFileSync(new URL(`${name}.link${k === 0 ? "" : k + 1}.wat`, FIXTURES), `${other}\n`);
  });
  return `${message}\n  shrunk: ${fileURLToPath(file)}`;
}

function lead(): void {
  const total = newCompareTally();
  const start = performance.now();
  let failed = 0;
  const processes: ChildProcess[] = [];
  process.on("SIGINT", () => {
    for (const child of processes) child.kill("SIGINT");
  });
  const sources = Array.from({ length: jobs }, () => "generated");
  if (options.binaryen) sources.push("binaryen");
  if (options.optimized) sources.push("optimized");
  for (const [job, source] of sources.entries()) {
    let next = first + job;
    const given = [...process.argv.slice(2), "--worker", String(job), "--source", source];
    const child = fork(fileURLToPath(import.meta.url), given);
    processes.push(child);
    child.on("message", (message) => {
      const { failures, ...report } = message as Report;
      next = report.next;
      add(total, report);
      for (const failure of failures) {
        failed++;
        console.log(`DIFFERENCE ${failure}`);
      }
      if (process.stdout.isTTY) process.stdout.write(`\r${lineOf(total, start)}  seed ${next} `);
    });
    child.on("exit", (code, signal) => {
      processes.splice(processes.indexOf(child), 1);
      if (code !== 0) {
        failed++;
        console.log(`DIFFERENCE a process ended with ${signal ?? code} soon after seed ${next}, step ${jobs}`);
      }
      if (processes.length > 0) return;
      print(total, start);
      console.log(failed === 0 ? "no differences" : `${failed} differences`);
      process.exitCode = failed === 0 ? 0 : 1;
    });
  }
}

function add(total: CompareTally, report: Omit<Report, "failures">): void {
  for (const module of report.modules) total.modules.add(module);
  for (const name of ["subjects", "runs", "calls", "long", "plain"] as const) total[name] += report[name];
  for (const name of ["opcodes", "traps"] as const)
    report[name].forEach((count, k) => {
      total[name][k] = (total[name][k] ?? 0) + (count ?? 0);
    });
  for (const [kind, count] of Object.entries(report.sites)) total.sites[kind] = (total.sites[kind] ?? 0) + count;
}

function lineOf({ modules, long, runs }: CompareTally, start: number): string {
  const elapsed = (performance.now() - start) / 1000;
  const share = ((100 * long) / Math.max(1, modules.size)).toFixed(1);
  return `${modules.size} distinct modules, ${share} % of 1,000 instructions or more; ${runs} runs on both engines; ${elapsed.toFixed(0)} s`;
}

/** The histogram: what was executed, and how it ended. */
function print(total: CompareTally, start: number): void {
  const columns = (rows: readonly (readonly [string, number])[]): void => {
    for (let k = 0; k < rows.length; k += 4)
      console.log(
        rows
          .slice(k, k + 4)
          .map(([name, count]) => `  ${name.padEnd(20)} ${String(count).padStart(9)}`)
          .join(""),
      );
  };
  console.log(
    `\n${lineOf(total, start)}\n${total.subjects} subjects, ${total.calls} calls, ${total.plain} of them in plain V8, too`,
  );
  console.log("\nexecutions of each instruction (block, else and end execute nothing):");
  const executed = OPCODES.filter(({ name }) => !["block", "else", "end"].includes(name));
  columns(
    executed.map(({ name, code, immediate }) => [
      immediate === "select" ? "select t" : name,
      total.opcodes[opcodeIndex(code)] ?? 0,
    ]),
  );
  console.log("\ntraps:");
  columns(Object.values(TrapCode).map((code) => [trapName(code), total.traps[code] ?? 0]));
  console.log("\nout of fuel at:");
  columns(Object.entries(total.sites).sort(([, a], [, b]) => b - a));
}
