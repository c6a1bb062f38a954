/**
 * `npm run spec-suite -- PATH [--engine compiled|reference] [--file NAME] [--json]`: runs a checkout of the official core
 * test suite (repository WebAssembly/spec, tag `wg-2.0`; PATH is the checkout or its folder `test/core`) on the VM. Prints
 * a line a file and a total, with the fuel that was charged, the same on both engines; exits 1 when a command fails that is
 * no exception, or an exception passes.
 *
 * `spec-suite-exceptions.json` lists the commands we answer differently, each with its reason.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Exception, type FileReport, reportOf } from "./spec-suite/report.ts";
import { type Engine, runScript } from "./spec-suite/run-script.ts";

const USAGE = "usage: npm run spec-suite -- PATH [--engine compiled|reference] [--file NAME] [--json]";

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    engine: { type: "string", default: "compiled" },
    file: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const [path] = positionals;
const { engine } = options;
if (path === undefined || positionals.length > 1 || !isEngine(engine)) fail(USAGE);
const folder = [join(path, "test/core"), path].find(existsSync) ?? fail(`there is no ${path}`);
const files = readdirSync(folder)
  .filter(
    (file) =>
      file.endsWith(".wast") &&
      (options.file === undefined || file.replace(".wast", "") === options.file.replace(".wast", "")),
  )
  .sort();
if (files.length === 0)
  fail(`no .wast file in ${folder} is ${options.file === undefined ? "there" : `named ${options.file}`}`);

const exceptions = JSON.parse(
  readFileSync(new URL("spec-suite-exceptions.json", import.meta.url), "utf8"),
) as Exception[];
const reports: FileReport[] = [];
for (const file of files) {
  const outcomes = runScript(Uint8Array.from(readFileSync(join(folder, file))), { engine });
  const report = reportOf(file, outcomes, exceptions);
  reports.push(report);
  if (!options.json) printReport(report);
}
const total = reports.reduce(
  (sum, { passed, failed, skipped, textOnly, fuel }) => ({
    files: sum.files + 1,
    passed: sum.passed + passed,
    failed: sum.failed + failed,
    skipped: sum.skipped + skipped,
    textOnly: sum.textOnly + textOnly,
    fuel: sum.fuel + fuel,
  }),
  { files: 0, passed: 0, failed: 0, skipped: 0, textOnly: 0, fuel: 0n },
);
if (options.json)
  console.log(
    JSON.stringify(
      { engine, total, files: reports },
      (_, value) => (typeof value === "bigint" ? Number(value) : value),
      2,
    ),
  );
else {
  console.log(
    `${total.files} files: ${total.passed} passed (${total.textOnly} of them malformed text, which only the text parser sees), ${total.failed} failed, ${total.skipped} skipped as exceptions; ${total.fuel} fuel on the ${engine} engine`,
  );
}
process.exitCode = total.failed === 0 ? 0 : 1;

function printReport({ file, passed, failed, skipped, failures }: FileReport): void {
  console.log(`${failed === 0 ? "ok    " : "FAILED"} ${file}: ${passed} passed, ${failed} failed, ${skipped} skipped`);
  for (const { line, command, failure } of failures) console.log(`         ${file}:${line} ${command}: ${failure}`);
}

function isEngine(name: string): name is Engine {
  return name === "compiled" || name === "reference";
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  process.exit(2);
}
