/** `ashlar new`: projects that build with their own tools and run. */
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import t from "tap";
import { compilerEnvironment, findClang, findRustc, INSTALL } from "../../.ci/toolchains.ts";
import { ashlar, root, scratch } from "./ashlar.ts";

const HELLO = "Hello from a guest! Give it paths of files.\n";
const isCi = process.env.CI !== undefined;
const has = (program: string): boolean => spawnSync(program, ["--version"]).status === 0;
const rustc = findRustc();
const cargo = rustc === undefined ? "cargo" : join(dirname(rustc), "cargo");

interface Language {
  readonly name: string;
  /** Why it is not built; never in CI, where a compiler that is not there is a failure. */
  readonly skip: string | false;
  readonly build: (folder: string) => void;
  readonly module: string;
  /** How the guest tells that a file is not there. */
  readonly missing: string;
  readonly files: readonly string[];
}

function build(folder: string, env: NodeJS.ProcessEnv, program: string, ...args: readonly string[]): void {
  execFileSync(program, args, { cwd: folder, env, stdio: "pipe" });
}

const LANGUAGES: readonly Language[] = [
  {
    name: "as",
    skip: false,
    build: (folder) => {
      // In place of `npm install`.
      symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "junction");
      build(folder, process.env, "npm", "run", "build");
    },
    module: "build/guest.wasm",
    missing: "NOT_FOUND",
    files: [
      ".gitignore",
      "README.md",
      "asconfig.json",
      "assembly/ashlar/ashlar.ts",
      "assembly/ashlar/syscalls.ts",
      "assembly/index.ts",
      "assembly/tsconfig.json",
      "package.json",
    ],
  },
  {
    name: "c",
    skip: isCi || (findClang() !== undefined && has("make")) ? false : INSTALL.clang,
    build: (folder) => build(folder, compilerEnvironment(), "make"),
    module: "build/guest.wasm",
    missing: "NOT_FOUND",
    files: [".gitignore", "Makefile", "README.md", "ashlar/ashlar.h", "ashlar/ashlar_syscalls.h", "guest.c"],
  },
  {
    name: "rust",
    skip: isCi || (rustc !== undefined && has(cargo)) ? false : INSTALL.rustc,
    build: (folder) =>
      build(folder, { ...compilerEnvironment(), RUSTC: rustc ?? "rustc" }, cargo, "build", "--release", "--offline"),
    module: "target/wasm32-unknown-unknown/release/guest.wasm",
    missing: "NOT_FOUND",
    files: [
      ".cargo/config.toml",
      ".gitignore",
      "Cargo.toml",
      "README.md",
      "src/ashlar.rs",
      "src/lib.rs",
      "src/syscalls.rs",
    ],
  },
  {
    name: "wat",
    skip: false,
    build: () => {},
    module: "guest.wat",
    missing: "cannot be read",
    files: ["README.md", "guest.wat"],
  },
];

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

for (const language of LANGUAGES) {
  const { name, module, files, missing } = language;
  t.test(`[CLI-NEW-1, CLI-NEW-2] ${name}: what is written and said`, async (t) => {
    const ended = await ashlar(["new", `made/${name}`, "--lang", name]);
    t.match(ended, { code: 0, stderr: "" });
    const folder = join(scratch, "made", name);
    t.same(filesIn(folder), files);
    for (const file of files) t.ok(ended.stdout.includes(`\n  ${file}\n`), file);
    const readme = readFileSync(join(folder, "README.md"), "utf8");
    const steps = ended.stdout.slice(ended.stdout.indexOf("To build and run it:\n")).trimEnd().split("\n").slice(1);
    t.equal(steps[0], `  cd made/${name}`);
    t.equal(steps.at(-1), `  ashlar run ${module}`);
    for (const step of steps.slice(1)) t.ok(readme.includes(`\n${step.trim()}\n`), step);
    t.ok(readme.includes(`${module} -- /here/README.md\n`));
  });

  t.test(`[CLI-NEW-2] ${name}: it builds and runs, away from here`, { skip: language.skip }, async (t) => {
    const folder = join(scratch, "built", name);
    t.equal((await ashlar(["new", "--lang", name, folder])).code, 0);
    language.build(folder);
    const run = ["run", join(folder, module)];
    t.match(await ashlar(run), { code: 0, stdout: HELLO, stderr: "" });
    const bytes = readFileSync(join(folder, "README.md")).length;
    const told = await ashlar([...run, "--dir", `${folder}::/here:ro`, "--", "/here/README.md", "/here/none"]);
    t.same(told, {
      code: 1,
      signal: null,
      stdout: `/here/README.md: ${bytes} bytes\n`,
      stderr: `/here/none: ${missing}\n`,
    });
    const ignored = existsSync(join(folder, ".gitignore")) ? readFileSync(join(folder, ".gitignore"), "utf8") : "";
    for (const made of readdirSync(folder))
      if (!files.some((file) => file.split("/")[0] === made) && made !== "Cargo.lock")
        t.ok(ignored.includes(`${made}/\n`), `${made} is ignored`);
  });
}

t.test("[CLI-NEW-1] what is there is never changed; errors have codes", async (t) => {
  mkdirSync(join(scratch, "full"));
  writeFileSync(join(scratch, "full", "mine"), "mine");
  writeFileSync(join(scratch, "file"), "mine");
  mkdirSync(join(scratch, "empty"));
  const refusals: readonly [args: readonly string[], code: number, error: string][] = [
    [["full", "--lang", "c"], 1, "CLI-NEW"],
    [["file", "--lang", "c"], 1, "CLI-NEW"],
    [["file/below", "--lang", "c"], 1, "CLI-NEW"],
    [["empty"], 2, "CLI-USAGE"],
    [["empty", "--lang", "java"], 2, "CLI-USAGE"],
    [["empty", "--lang", "constructor"], 2, "CLI-USAGE"],
    [["--lang", "c"], 2, "CLI-USAGE"],
    [["empty", "more", "--lang", "c"], 2, "CLI-USAGE"],
  ];
  for (const [args, code, error] of refusals) {
    const ended = await ashlar(["new", ...args]);
    t.match(ended, { code, stdout: "" }, args.join(" "));
    t.equal(ended.stderr.split("]")[0], `error[${error}`, args.join(" "));
  }
  if (process.platform === "linux")
    t.match(await ashlar(["new", "/proc/guest", "--lang", "c"]), { code: 1, stderr: /^error\[CLI-NEW\]: .*ENOENT/ });
  t.same(readdirSync(join(scratch, "full")), ["mine"]);
  t.equal(readFileSync(join(scratch, "full", "mine"), "utf8"), "mine");
  t.same(readdirSync(join(scratch, "empty")), []);
  t.match(await ashlar(["new", "empty", "--lang", "wat"]), { code: 0 });
  t.match(await ashlar(["new", "some/where/a b", "--lang", "wat"]), {
    code: 0,
    stdout: /\n {2}cd "some\/where\/a b"\n/,
  });
  t.notMatch((await ashlar(["new", "red\x1b[31m", "--lang", "wat"])).stdout, "\x1b");
});

t.test("[CLI-NEW-1, CLI-NEW-2] from the package as it is published", async (t) => {
  const packed = execFileSync("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", scratch], {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
  const [{ filename }] = JSON.parse(packed);
  execFileSync("tar", ["-xzf", filename], { cwd: scratch });
  cpSync(join(scratch, "package"), join(scratch, "elsewhere/node_modules/ashlar"), { recursive: true });
  const command = join(scratch, "elsewhere/node_modules/ashlar/dist/ashlar.js");
  for (const { name, files } of LANGUAGES) {
    const folder = join(scratch, "packed", name);
    execFileSync(process.execPath, [command, "new", "--lang", name, folder], { stdio: "pipe" });
    t.same(filesIn(folder), files);
    for (const file of files)
      t.same(readFileSync(join(folder, file)), readFileSync(join(scratch, "made", name, file)), `${name}: ${file}`);
  }
});

t.test("the compiler that a project in AssemblyScript gets is the one that the bindings are tested with", async (t) => {
  const read = (path: string) => JSON.parse(readFileSync(join(root, path), "utf8")).devDependencies.assemblyscript;
  t.equal(read("host/command/templates/as/package.json"), read("package.json"));
});
