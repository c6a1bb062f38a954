/**
 * `npm run test:node -- [VERSION …]`: the tests that hold both engines against each other and against V8 on older versions
 * of Node.js (22 and 24), each of which has another V8; and the short tasks of the real programs and of Ruby, which must end
 * as on this one, fuel and state included; packs, which must be read alike and have the same bytes; and receipts, which must be the same. The versions come from `bench/package.json`: `(cd bench && npm ci)`. Prints a line a
 * file; the last line counts the assertions; exits 1 when one failed or a version is not there.
 */
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { nodes } from "../bench/report.ts";
import { missing } from "./programs/programs.ts";
import { rubyPath } from "./programs/ruby/ruby.ts";

/** What runs code on the compiled engine: files that import one of these. */
const ON_BOTH = /from "\.\/(engines|compare|fuzz)\.ts"|engine: "compiled"/;

/** The tests in a folder whose text matches. */
function testsIn(folder: string, pattern: RegExp): string[] {
  const url = new URL(folder, import.meta.url);
  return readdirSync(url)
    .filter((file) => file.endsWith(".test.ts") && pattern.test(readFileSync(new URL(file, url), "utf8")))
    .map((file) => fileURLToPath(new URL(file, url)));
}

// What reads packs depends on the version as well: its zlib, its Unicode, its files.
const files = [...testsIn("vm/", ON_BOTH), ...testsIn("host/assets/", /\[PACK-/)];

/** Programs that print what must be the same on every version. */
const PRINTING: readonly (readonly [what: string, script: string])[] = [
  ["packs have the same bytes", "assets-tool/digests.ts"],
  ["receipts are the same", "pipeline-receipt.ts"],
];
/** Programs that print how the tasks of others end, with the arguments behind the engine. */
const tasks: readonly (readonly [script: string, ...args: string[]])[] = [
  ...(missing === undefined
    ? ([
        ["digests.ts", "directory"],
        ["digests.ts", "memory"],
      ] as const)
    : []),
  ...(rubyPath() === undefined ? [] : ([["ruby/digests.ts"]] as const)),
];
const wanted = process.argv.length > 2 ? process.argv.slice(2) : ["22", "24"];
let passed = 0;
let failed = 0;
for (const version of wanted) {
  const node = nodes().find((known) => String(known.version) === version);
  if (!node) {
    console.log(`there is no Node.js ${version}: (cd bench && npm ci)`);
    failed++;
    continue;
  }
  for (const file of files) {
    const { stdout, status } = spawnSync(node.path, ["--no-warnings", file], {
      encoding: "utf8",
      env: { ...process.env, CI: "true" },
      maxBuffer: 1 << 30,
      stdio: ["ignore", "pipe", "inherit"],
    });
    // TAP: the top level's own plan and its summary count the assertions in all subtests.
    const good = Number(/^# \{.*?pass: (\d+)/m.exec(stdout)?.[1] ?? 0);
    const bad = Number(/^# \{.*?fail: (\d+)/m.exec(stdout)?.[1] ?? 0);
    passed += good;
    failed += bad > 0 || status === 0 ? bad : 1;
    const fine = status === 0 && bad === 0 && good > 0;
    console.log(
      `${fine ? "ok    " : "FAILED"} Node.js ${version}: ${file.replace(/^.*[\\/]/, "")}: ${good} passed, ${bad} failed`,
    );
    if (!fine)
      console.log(
        stdout
          .split("\n")
          .filter((line) => /not ok/.test(line))
          .slice(0, 20)
          .join("\n"),
      );
    if (status === 0 && good === 0) failed++;
  }
  for (const [what, name] of PRINTING) {
    const script = fileURLToPath(new URL(name, import.meta.url));
    const isSame = printed(node.path, script) === printed(process.execPath, script);
    if (isSame) passed++;
    else failed++;
    console.log(`${isSame ? "ok    " : "FAILED"} Node.js ${version}: ${what} as on this one`);
  }
  for (const task of tasks) {
    const here = endingsOn(process.execPath, task);
    const there = endingsOn(node.path, task);
    const same = here !== undefined && here === there;
    if (same) passed++;
    else failed++;
    console.log(
      `${same ? "ok    " : "FAILED"} Node.js ${version}: real programs, ${task.join(" ")}: ends as on this one`,
    );
  }
}
if (missing !== undefined) console.log(`the real programs are not built: ${missing}`);
if (rubyPath() === undefined) console.log("Ruby is not there: (cd test/programs/ruby && npm ci)");
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/** What a program prints; an end with an error is like nothing else. */
function printed(node: string, program: string): string | symbol {
  const { stdout, status } = spawnSync(node, ["--no-warnings", program], { encoding: "utf8" });
  return status === 0 && stdout !== "" ? stdout : Symbol(program);
}

/** How the short tasks end on the compiled engine of that Node.js, as JSON. */
function endingsOn(node: string, [script, ...args]: (typeof tasks)[number]): string | undefined {
  const path = fileURLToPath(new URL(`programs/${script}`, import.meta.url));
  const { stdout, status } = spawnSync(node, ["--no-warnings", "--stack-size=3900", path, "compiled", ...args], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
    stdio: ["ignore", "pipe", "inherit"],
  });
  return status === 0 && stdout.includes('"engine":"compiled"') ? stdout : undefined;
}
