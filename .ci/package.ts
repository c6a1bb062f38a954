/**
 * `npm run package`: packs what `npm run build` made, and has publint and attw look at the package as its users get it; then the API docs,
 * into `.ci/package/api`. The tools are a package of their own (.ci/package/package.json): installed when they are not there.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const own = fileURLToPath(new URL("package", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "ashlar-package-"));

/** What it says is shown when it fails. */
function run(what: string, cwd: string, program: string, args: readonly string[]): void {
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd, encoding: "utf8", maxBuffer: 1 << 26 });
  if (status === 0) {
    console.log(`${what}: ok`);
    return;
  }
  process.stderr.write(stdout + stderr);
  throw error ?? new Error(`${what}: exit ${status}`);
}

function tool(what: string, name: string, args: readonly string[]): void {
  run(what, own, process.execPath, [join(own, "node_modules", name), ...args]);
}

try {
  if (!existsSync(join(own, "node_modules")))
    run("npm ci in .ci/package", own, "npm", ["ci", "--no-audit", "--no-fund"]);
  run("npm pack", root, "npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder]);
  const archive = join(folder, readdirSync(folder)[0]!);
  tool("publint", "publint/src/cli.js", [archive, "--strict"]);
  // An ES module package: it is not looked for by those who cannot import one.
  tool("attw", "@arethetypeswrong/cli/dist/index.js", [archive, "--profile", "esm-only", "--no-color"]);
  tool("API docs", "typedoc/bin/typedoc", ["--logLevel", "Warn"]);
} finally {
  rmSync(folder, { recursive: true });
}
