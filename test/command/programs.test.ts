/** Programs that nobody here wrote (`test/programs`), against themselves natively, and both engines against each other. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import type { Ending } from "../programs/digests.ts";
import { input, missing, moduleOf, natively, type Program, shortTasks } from "../programs/programs.ts";
import { ashlar, reportOf, scratch } from "./ashlar.ts";

// A busy machine is no failure.
t.setTimeout(600_000);

const built = missing === undefined ? {} : { skip: missing };

function folder(name: string, files: { readonly [name: string]: Uint8Array } = {}): string {
  const path = join(scratch, name);
  mkdirSync(path);
  for (const [file, bytes] of Object.entries(files)) writeFileSync(join(path, file), bytes);
  return path;
}

function sha256(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

function filesIn(path: string): { [name: string]: string } {
  return Object.fromEntries(
    readdirSync(path)
      .sort()
      .map((name) => [name, sha256(join(path, name))]),
  );
}

/** The short tasks in a process of their own. */
function endings(engine: string, fileSystem: string): Ending[] {
  const script = fileURLToPath(new URL("../programs/digests.ts", import.meta.url));
  const args = ["--no-warnings", "--stack-size=3900", script, engine, fileSystem];
  const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8", maxBuffer: 1 << 28 });
  try {
    return JSON.parse(stdout) as Ending[];
  } catch {
    throw new Error(stderr);
  }
}

/** `ashlar run` of a program whose folder is the root. */
function run(program: Program, grant: readonly string[], args: readonly string[], stdin?: Uint8Array) {
  return ashlar(["run", "--argv0", "guest", ...grant, moduleOf(program), "--", ...args], { input: stdin ?? "" });
}

t.test("short tasks: as natively, and the same fuel and state on both engines", built, (t) => {
  const compiled = endings("compiled", "directory");
  const inMemory = endings("compiled", "memory");
  t.same(
    compiled.map(({ engine, outcome }) => [engine, outcome]),
    compiled.map(() => ["compiled", "exit"]),
  );
  t.same(
    endings("reference", "memory"),
    inMemory.map((ending) => ({ ...ending, engine: "reference" })),
  );
  // The state of a file system in memory holds its files.
  t.same(
    inMemory.map((ending) => ({ ...ending, stateDigest: "" })),
    compiled.map((ending) => ({ ...ending, stateDigest: "" })),
  );
  for (const [index, task] of shortTasks().entries()) {
    const here = folder(`native ${index}`, task.files);
    const { status, stdout, stderr } = natively(task, here);
    const { name, exitCode, files, ...ending } = compiled[index]!;
    t.same(
      { name, exitCode, files, stdout: ending.stdout, stderr: ending.stderr },
      {
        name: task.name,
        exitCode: status,
        files: filesIn(here),
        stdout: stdout.toString("latin1"),
        stderr: `${stderr}`,
      },
      name,
    );
    t.match(ending.stateDigest, /^[0-9a-f]{64}$/);
  }
  const find = (name: string) => compiled.find((ending) => ending.name === name)!;
  t.match(find("lua features"), { exitCode: 7, stdout: /^false message\n[\s\S]*\nC stack overflow\n2000\n/ });
  t.match(find("lua error"), { exitCode: 1, stderr: /^guest: \(command line\):1: attempt to index a nil value/ });
  t.match(find("minigzip -d a stream"), { stdout: input("features.lua").toString("latin1") });
  t.match(find("minigzip -d what is damaged"), { exitCode: 1 });
  t.match(find("sqlite3 short"), { exitCode: 3, stdout: /\nintegrity_check\nok\n/ });
  t.match(find("sqlite3 in memory"), { exitCode: 0, stdout: '1,"a b",2.5\n' });
  t.end();
});

t.test("Lua: a long script, on a folder and on its copy in memory", built, async (t) => {
  const args = ["work.lua", "10"];
  const files = { "work.lua": input("work.lua") };
  const there = folder("lua native", files);
  const { stdout } = natively({ program: "lua", args }, there);
  t.match(
    `${stdout}`,
    /^parser\t\d+\t38179\nqueens\t920\n[\s\S]*\nprimes\t17984\tcounted\t50050000\n.*: stack overflow\n$/,
  );
  const here = folder("lua", files);
  t.same(await run("lua", ["--dir", "lua::/"], args), { code: 0, signal: null, stdout: `${stdout}`, stderr: "" });
  t.same(filesIn(here), filesIn(there));
  const copied = folder("lua in memory", files);
  t.same((await run("lua", ["--tmp", "/=lua in memory"], ["work.lua", "1"])).code, 0);
  t.same(Object.keys(filesIn(copied)), Object.keys(filesIn(there)));
});

t.test("minigzip: 100 MB there and back", built, async (t) => {
  const here = folder("zip");
  const big = join(here, "big");
  writeBig(big);
  const digest = sha256(big);
  t.equal(digest, "3d4e4be051e6edde76e26dd3da9a286710c3928e1e0b4046bcb4c3330d2f8fd2");
  const done = { code: 0, signal: null, stdout: "", stderr: "" };
  t.same(await run("minigzip", ["--dir", "zip::/"], ["-1", "big"]), done);
  t.same(readdirSync(here), ["big.gz"]);
  const unzipped = spawnSync("gzip", ["-dc", "big.gz"], { cwd: here, maxBuffer: 1 << 28 });
  t.equal(createHash("sha256").update(unzipped.stdout).digest("hex"), digest, "gzip reads it");
  t.same(await run("minigzip", ["--dir", "zip::/"], ["-d", "big.gz"]), done);
  t.same(filesIn(here), { big: digest });
});

/** 100 MB, the same each time: words, and now and then bytes that do not come again. */
function writeBig(path: string): void {
  const file = openSync(path, "w");
  const words = ["abcd", "the ", "lore", "m ip", "sum ", "dolo", "r si", "t am"].map((word) =>
    Buffer.from(word).readInt32LE(),
  );
  const part = new Int32Array(250_000);
  let random = 1;
  for (let k = 0; k < 100; k++) {
    for (let at = 0; at < part.length; at++) {
      random = (Math.imul(random, 1_103_515_245) + 12_345) | 0;
      part[at] = random >>> 28 === 0 ? random : words[(random >>> 20) & 7]!;
    }
    writeSync(file, part);
  }
  closeSync(file);
}

t.test("SQLite: 100,000 inserts into a database on a folder, and on its copy in memory", built, async (t) => {
  const inserts = ["create table item (id integer primary key, name text, price real);", "begin;"];
  for (let k = 1; k <= 100_000; k++)
    inserts.push(`insert into item (name, price) values ('name ${(k * 7919) % 100_000}', ${k}/4.0);`);
  inserts.push("commit;", "create unique index by_name on item (name);", "pragma integrity_check;");
  inserts.push("select count(*), count(distinct name), sum(price) from item where name between 'name 2' and 'name 4';");
  const stdin = Buffer.from(inserts.join("\n"));
  const question = "pragma integrity_check; select count(*), sum(price), min(name), max(name) from item";

  const there = folder("sql native");
  const native = natively({ program: "sqlite3", args: ["items.db"], stdin }, there);
  t.equal(`${native.stdout}`, "ok\n22223|22223|277798205.25\n");
  for (const [name, grant] of [
    ["sql", ["--dir", "sql::/"]],
    ["sql in memory", ["--tmp", "/=sql in memory"]],
  ] as const) {
    const here = folder(name);
    const { code, stdout } = await run("sqlite3", ["--env", "HOME=/", ...grant], ["items.db"], stdin);
    t.same({ code, stdout }, { code: 0, stdout: `${native.stdout}` });
    t.same(filesIn(here), filesIn(there), "the same database, to the byte");
    const opened = natively({ program: "sqlite3", args: ["items.db", question] }, here);
    t.equal(`${opened.stdout}`, "ok\n100000|1250012500.0|name 0|name 99999\n");
  }
});

t.test("SQLite: a run is recorded, and replayed without its database", built, async (t) => {
  folder("recorded");
  const query = "create table t (a); insert into t values (1), (2); select sum(a), random() from t";
  const host = ["--dir", "recorded::/", "--seed", "real", "--record", "sql.rec"];
  const last = ["--report", "-", "--digest", moduleOf("sqlite3")];
  const recorded = await reportOf(ashlar(["run", ...host, ...last, "--", "r.db", query]));
  t.match(recorded, { code: 0, output: [/^3\|-?\d+$/], report: { stateDigest: /^[0-9a-f]{64}$/ } });
  writeFileSync(join(scratch, "recorded/r.db"), "is not read");
  const replayed = await reportOf(ashlar(["run", "--replay", "sql.rec", ...last]));
  t.same(replayed.output, recorded.output);
  const { fuelUsed, stateDigest } = recorded.report;
  t.match(replayed.report, { fuelUsed, stateDigest });
});
