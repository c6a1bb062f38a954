/**
 * `npm run wasi-testsuite -- PATH… [--test NAME] [--timeout SECONDS] [--json FILE]`: runs the programs
 * for preview 1 of the official WASI test suite (repository WebAssembly/wasi-testsuite, branch `prod/testsuite-base`, which
 * has them built) on the file systems `directory` and `memory` and on both engines, which must also agree on fuel and state.
 * PATH is the checkout, a folder in it, or one module. Prints a line for each failure and totals; exits 1 when a test fails
 * that is no exception, or an exception passes.
 *
 * `wasi-testsuite-exceptions.json` lists the tests we answer differently, each with its reason. The suite's own runner takes
 * the adapter `test/wasi/adapter.py`.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { type Exception, linesOf, type Result, resultsOf, staleExceptions, totalsOf } from "./wasi/report.ts";
import type { Answer } from "./wasi/run.ts";
import { findTests, type Script, ScriptError } from "./wasi/suite.ts";

const USAGE = "usage: npm run wasi-testsuite -- PATH… [--test NAME] [--timeout SECONDS] [--json FILE]";
/** Tests at one time. */
const THREADS = 2;
/** What the VM needs for the deepest calls of the default limits. */
const STACK_MB = 64;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    test: { type: "string" },
    timeout: { type: "string", default: "60" },
    json: { type: "string" },
  },
});
const timeoutMs = Number(options.timeout) * 1000;
if (positionals.length === 0 || !(timeoutMs > 0)) fail(USAGE);
for (const path of positionals) if (!existsSync(path)) fail(`there is no ${path}`);
const tests = positionals
  .flatMap((path) => findTests(path))
  .filter(({ name }) => options.test === undefined || name === options.test);
if (tests.length === 0) fail(`there is no test in ${positionals.join(" ")}`);

const file = new URL("wasi-testsuite-exceptions.json", import.meta.url);
const exceptions = JSON.parse(readFileSync(file, "utf8")) as Exception[];
const results: Result[][] = [];
let next = 0;
await Promise.all(
  Array.from({ length: THREADS }, async () => {
    for (let index = next++; index < tests.length; index = next++) {
      const test = tests[index]!;
      const { answers, missing } =
        test.script instanceof ScriptError ? { answers: [], missing: "" } : await answersOf(test.module, test.script);
      results[index] = resultsOf(test, answers, missing, exceptions);
    }
  }),
);
const all = results.flat();
const stale = options.test === undefined ? staleExceptions(all, exceptions) : [];
console.log(linesOf(all, stale).join("\n"));
if (options.json !== undefined) {
  const report = { totals: totalsOf(all), stale, results: all };
  const plain = (_: string, value: unknown): unknown => (typeof value === "bigint" ? Number(value) : value);
  writeFileSync(options.json, `${JSON.stringify(report, plain, 2)}\n`);
}
process.exitCode = stale.length > 0 || all.some(({ outcome }) => outcome === "failed") ? 1 : 0;

/** The answers that came, in the order of the combinations, and why any are missing. */
function answersOf(module: string, script: Script): Promise<{ answers: readonly Answer[]; missing: string }> {
  const answers: Answer[] = [];
  return new Promise((resolve) => {
    const worker = new Worker(new URL("wasi/thread.ts", import.meta.url), {
      workerData: { module, script },
      resourceLimits: { stackSizeMb: STACK_MB },
    });
    let timer: NodeJS.Timeout | undefined;
    const end = (missing: string): void => {
      clearTimeout(timer);
      resolve({ answers, missing });
    };
    const wait = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        void worker.terminate();
        end(`no end after ${timeoutMs / 1000} s`);
      }, timeoutMs);
    };
    wait();
    worker.on("message", (answer: Answer) => {
      answers.push(answer);
      wait();
    });
    worker.on("error", (error) => end(`it did not run: ${error}`));
    worker.on("exit", () => end("its thread ended"));
  });
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}
