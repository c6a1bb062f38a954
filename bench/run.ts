/**
 * `npm run bench -- [--only GROUP] [--rounds N] [--write] [--compile] [--quick]`: speeds against named peers, as ratios measured in one
 * run. Peers take turns inside each round, so that what else the machine does falls on all of them.
 *
 * --only     one group: execute, bytes, syscalls, assets, wasi, wasi-ruby, wasi-startup, translate, tiering, startup, store, pel, tgk; may be given again
 * --rounds   how often each peer has its turn, 3 by default
 * --write    writes bench/RESULTS.md; with --only the other sections stay as they are
 * --quick    the groups store, pel and tgk with a fraction of what they do, for a first look
 * --compile  first compiles kernels/*.c to kernels/*.wat again (needs clang and lld on the path)
 *
 * Rivals and older Node.js versions are packages of their own (bench/package.json): installed when they are not there. gcc, Lua
 * (`apt-get install lua5.4 luajit`), wasm-interp (`wabt`), make and ninja (`ninja-build`) are the machine's; columns of what is missing stay away.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { assetsGroup } from "./assets.ts";
import { bytesGroup } from "./bytes.ts";
import { executeGroup } from "./execute.ts";
import { compile, KERNELS, LOOPS } from "./kernels.ts";
import { pelGroup } from "./pel.ts";
import { type Group, machine, type Options, progress, sectionOf } from "./report.ts";
import { startupGroup } from "./startup.ts";
import { storeGroup } from "./store.ts";
import { syscallsGroup } from "./syscalls.ts";
import { tgkGroup } from "./tgk.ts";
import { tieringGroup } from "./tiering.ts";
import { translateGroup } from "./translate.ts";
import { wasiGroup } from "./wasi.ts";
import { wasiRubyGroup } from "./wasi-ruby.ts";
import { wasiStartupGroup } from "./wasi-startup.ts";

const GROUPS: { readonly [name: string]: (options: Options) => Promise<Group> } = {
  execute: executeGroup,
  bytes: bytesGroup,
  syscalls: syscallsGroup,
  assets: assetsGroup,
  wasi: wasiGroup,
  "wasi-ruby": wasiRubyGroup,
  "wasi-startup": wasiStartupGroup,
  translate: translateGroup,
  tiering: tieringGroup,
  startup: startupGroup,
  store: storeGroup,
  pel: pelGroup,
  tgk: tgkGroup,
};

const { values: options } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    rounds: { type: "string", default: "3" },
    write: { type: "boolean", default: false },
    compile: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
  },
});
const names = options.only ?? Object.keys(GROUPS);
const unknown = names.find((name) => !Object.hasOwn(GROUPS, name));
if (unknown !== undefined) throw new Error(`no group is named ${unknown}`);

const RESULTS = new URL("RESULTS.md", import.meta.url);
const HEADER = `# Measured speeds

Written by \`npm run bench -- --write\`, group by group. Read the ratios, not the absolute figures: what is compared took turns on
one machine, on which other programs ran too.
`;

installRivals();
const folder = mkdtempSync(join(tmpdir(), "ashlar-bench-"));
try {
  if (options.compile) for (const { name } of [...KERNELS, ...LOOPS]) compile(name);
  // Also what other programs measure, and people write down.
  const sections = readSections();
  for (const name of names) {
    const group = await GROUPS[name]!({ rounds: Number(options.rounds), folder, quick: options.quick });
    progress("");
    const section = sectionOf(group);
    console.log(section);
    sections.set(
      group.title,
      `${section}\nMeasured on ${machine()}, \`npm run bench -- --only ${name} --rounds ${options.rounds}${options.quick ? " --quick" : ""}\`.\n`,
    );
    if (options.write) writeFileSync(RESULTS, [HEADER, ...sections.values()].join("\n"));
  }
} finally {
  rmSync(folder, { recursive: true });
}

/** The sections of RESULTS.md by title. */
function readSections(): Map<string, string> {
  const text = existsSync(RESULTS) ? readFileSync(RESULTS, "utf8") : "";
  const sections = text.split(/^(?=## )/m).slice(1);
  return new Map(sections.map((section) => [/^## (.*)/.exec(section)![1]!, `${section.trim()}\n`]));
}

function installRivals(): void {
  const own = fileURLToPath(new URL(".", import.meta.url));
  const { dependencies } = JSON.parse(readFileSync(join(own, "package.json"), "utf8")) as { dependencies: object };
  if (Object.keys(dependencies).every((name) => existsSync(join(own, "node_modules", name)))) return;
  progress("installing bench/package.json");
  const { status } = spawnSync("npm", ["ci", "--silent", "--no-audit", "--no-fund"], { cwd: own, stdio: "inherit" });
  if (status !== 0)
    process.stderr.write(
      "bench/package.json could not be installed: going on without QuickJS, asar, zip, peers of the store and older Node.js versions\n",
    );
}
