/**
 * The wasi group: real programs (`test/programs`) on the compiled engine, metered, against the same modules on `node:wasi`.
 * As a program, a process of its own for one task and side: `node --stack-size=3900 wasi.ts NAME FOLDER compiled|node` prints
 * JSON. Older versions of Node.js are left out: `node:wasi` of 22 crashes when garbage is collected in one of its calls.
 */
import { closeSync, copyFileSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { WASI } from "node:wasi";
import { runGuest } from "../host/index.ts";
import { input, missing, moduleOf, type Program } from "../test/programs/programs.ts";
import { Module } from "../vm/index.ts";
import { againstNode, type Side, type Times, tableOf, threadMs } from "./node-wasi.ts";
import { atMost, file, type Group, isMain, measured, type Options, ratio } from "./report.ts";

interface Task {
  readonly name: string;
  readonly program: Program;
  readonly args: readonly string[];
  /** Of the files made once, those that it finds in its folder, and the one that it reads. */
  readonly files: readonly string[];
  readonly stdin?: string;
}

const TASKS: readonly Task[] = [
  { name: "lua work.lua 20", program: "lua", args: ["work.lua", "20"], files: ["work.lua"] },
  { name: "minigzip 30 MB", program: "minigzip", args: ["text"], files: ["text"] },
  { name: "minigzip -d 100 MB", program: "minigzip", args: ["-d", "more.gz"], files: ["more.gz"] },
  { name: "sqlite3, 100,000 inserts", program: "sqlite3", args: ["new.db"], files: [], stdin: "inserts.sql" },
  { name: "sqlite3, queries", program: "sqlite3", args: ["items.db"], files: ["items.db"], stdin: "queries.sql" },
];

const WANTED = 1.15;
/** Turns of a process. */
const TURNS = 4;
/** For Lua's recursion; V8's stack is made as much larger. */
const DEPTH = 100_000;

export async function wasiGroup({ rounds, folder }: Options): Promise<Group> {
  const title = "WASI";
  if (missing !== undefined) return { title, text: `Not measured: ${missing}.`, targets: [] };
  makeFiles(folder);
  const names = TASKS.map(({ name }) => name);
  const rows = await againstNode("wasi", names, rounds, (name, side) =>
    measured<Times>("wasi.ts", [name, folder, side], { flags: ["--stack-size=3900"] }),
  );
  return {
    title,
    text: `Programs in C, compiled with wasi-libc, with all that they do to the files of a folder: the compiled engine, with fuel and depth, ÷ \`node:wasi\`, in processes that take turns. In each the module is decoded and compiled once; then a turn instantiates it and runs it to its end. *First*: the first turns, in which V8 still optimises. Times of the thread; medians of ${rounds} processes with ${TURNS - 1} more turns each.

${tableOf(rows)}`,
    targets: rows.map((row) => atMost(`${row.name} ÷ node:wasi`, WANTED, row.ratio, ratio)),
  };
}

/** What the tasks read. */
function makeFiles(folder: string): void {
  file(folder, "work.lua", input("work.lua"));
  const text = new Int32Array(7_500_000);
  const words = ["abcd", "the ", "lore", "m ip", "sum ", "dolo", "r si", "t am"];
  const codes = words.map((word) => Buffer.from(word).readInt32LE());
  let random = 1;
  for (let at = 0; at < text.length; at++) {
    random = (Math.imul(random, 1_103_515_245) + 12_345) | 0;
    text[at] = random >>> 28 === 0 ? random : codes[(random >>> 20) & 7]!;
  }
  const bytes = new Uint8Array(text.buffer);
  file(folder, "text", bytes);
  file(folder, "more", Buffer.concat([bytes, bytes, bytes, bytes.subarray(0, 10_000_000)]));
  run({ name: "", program: "minigzip", args: ["-1", "more"], files: [] }, folder, folder);
  const inserts = ["create table item (id integer primary key, name text, price real);", "begin;"];
  for (let k = 1; k <= 100_000; k++)
    inserts.push(`insert into item (name, price) values ('name ${(k * 7919) % 100_000}', ${k}/4.0);`);
  inserts.push("commit;", "create unique index by_name on item (name);", "pragma integrity_check;");
  file(folder, "inserts.sql", inserts.join("\n"));
  file(
    folder,
    "queries.sql",
    `select count(*), sum(length(a.name)) from item a join item b on b.name = 'name ' || (a.id * 31 % 100000);
    select substr(name, 1, 7) as start, count(*), avg(price), max(id) from item group by start order by 3 desc;
    select count(*) from item where name like '%99%' or price * 3 > 70000 or upper(name) glob '*1?1*';
    select sum(rank) from (select rank() over (partition by id % 100 order by name) as rank from item);
    pragma integrity_check;
    update item set price = price + 1 where id % 3 = 0;
    delete from item where id % 5 = 0;
    vacuum;\n`,
  );
  run({ name: "", program: "sqlite3", args: ["items.db"], files: [], stdin: "inserts.sql" }, folder, folder);
}

/** Once on the compiled engine, in `folder`; the output is dropped. */
function run({ program, args, stdin }: Task, folder: string, source: string, module = decoded(program)): void {
  const dropped = openSync("/dev/null", "w");
  const { outcome, exitCode, error } = runGuest({
    module,
    args,
    grants: {
      dirs: [{ host: folder, guest: "/" }],
      env: { HOME: "/" },
      ...(stdin !== undefined && { stdin: join(source, stdin) }),
    },
    limits: { depth: DEPTH },
    stdout: (bytes) => writeSync(dropped, bytes),
  });
  closeSync(dropped);
  if (outcome !== "exit" || exitCode !== 0) throw error ?? new Error(`${program}: ${outcome} ${exitCode}`);
}

function decoded(program: Program): Module {
  return Module.decode(readFileSync(moduleOf(program)));
}

// -------------------------------------------------------------------------------------------- one process

function measure(task: Task, source: string, side: Side): Times {
  const ours = side === "compiled" ? decoded(task.program) : undefined;
  const theirs = side === "node" ? new WebAssembly.Module(readFileSync(moduleOf(task.program))) : undefined;
  const folder = join(source, String(process.pid));
  return Array.from({ length: TURNS }, () => {
    mkdirSync(folder);
    for (const name of task.files) copyFileSync(join(source, name), join(folder, name));
    const start = threadMs();
    if (theirs === undefined) run(task, folder, source, ours);
    else runOnNode(task, folder, source, theirs);
    const ms = threadMs() - start;
    rmSync(folder, { recursive: true });
    return ms;
  });
}

function runOnNode({ program, args, stdin }: Task, folder: string, source: string, module: WebAssembly.Module): void {
  const dropped = openSync("/dev/null", "r+");
  const given = stdin === undefined ? dropped : openSync(join(source, stdin), "r");
  const wasi = new WASI({
    version: "preview1",
    args: ["guest", ...args],
    env: { HOME: "/" },
    preopens: { "/": folder },
    stdin: given,
    stdout: dropped,
    returnOnExit: true,
  });
  const exitCode = wasi.start(new WebAssembly.Instance(module, wasi.getImportObject() as WebAssembly.Imports));
  closeSync(dropped);
  if (given !== dropped) closeSync(given);
  if (exitCode !== 0) throw new Error(`${program} on node:wasi: ${exitCode}`);
}

if (isMain(import.meta.url)) {
  const [name, source, side] = process.argv.slice(2);
  const task = TASKS.find((known) => known.name === name);
  if (task === undefined) throw new Error("name a task");
  console.log(JSON.stringify(measure(task, source!, side as Side)));
}
