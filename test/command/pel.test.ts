/** `ashlar pel`, as users and scripts meet it. */
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import t from "tap";
import { Store } from "../../host/asl/index.ts";
import type { Program } from "../../host/command/command.ts";
import { ASHLAR } from "../../host/command/commands.ts";
import { readProgram } from "../../host/command/pel/program-source.ts";
import { runProgram } from "../../host/pel/run.ts";
import { ashlar, cache, type Ended, scratch, start, wat } from "./ashlar.ts";
import { type Answered, runInProcess } from "./in-process.ts";

process.chdir(scratch);
Object.assign(process.env, { NO_COLOR: "1", FORCE_COLOR: "", ASHLAR_CACHE: cache });

/** A line in this process. */
function run(...words: readonly string[]): Promise<Answered> {
  return runInProcess(ASHLAR as unknown as Program<unknown>, words);
}

/** What `--json` prints. */
async function json(...words: readonly string[]) {
  const ended = await run(...words, "--json");
  return { ...ended, data: JSON.parse(ended.stdout) };
}

let stores = 0;
async function newStore(): Promise<string> {
  const folder = `store-${++stores}`;
  t.match(await run("store", "init", folder), { code: 0 });
  return folder;
}

function program(name: string, nodes: object, outputs: object): string {
  writeFileSync(name, JSON.stringify({ nodes, outputs }));
  return name;
}

/** A guest that writes `hello` to its standard output. */
writeFileSync(
  "hello.wat",
  `(module (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1) (data (i32.const 16) "hello") (data (i32.const 0) "\\10\\00\\00\\00\\05\\00\\00\\00")
    (func (export "_start") (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))`,
);
/** One that loops until its fuel is used up. */
await wat("loop.wasm", `(module (memory (export "memory") 1) (func (export "_start") (loop (br 0))))`);

const PARTS = program(
  "parts.pel.json",
  {
    text: { op: "input" },
    head: { op: "slice", of: "text", offset: 0, length: 4 },
    both: { op: "concat", of: ["head", "text"] },
    sum: { op: "hash", of: "both" },
    guest: { op: "guest", module: "hello.wat", inputs: { text: "both" }, outputs: ["out"], stdout: "out" },
  },
  { both: "both", said: "guest", sum: "sum" },
);
const CUT = program(
  "cut.pel.json",
  {
    text: { op: "input" },
    cut: { op: "slice", of: "text", offset: 400, length: 4 },
    after: { op: "hash", of: "cut" },
    other: { op: "length", of: "text" },
  },
  { after: "after", count: "other" },
);
writeFileSync("text", "hello world");

t.test("[CLI-PEL-1] usage errors come before anything is done", async (t) => {
  const folder = await newStore();
  const wrong: [readonly string[], RegExp][] = [
    [["pel", "run"], /needs a PROGRAM/],
    [["pel", "run", PARTS], /--store DIR/],
    [["pel", "run", PARTS, "--store", ""], /is empty/],
    [["pel", "run", PARTS, "--store", folder], /Nothing is given for the input "text"/],
    [["pel", "run", PARTS, "--store", folder, "--input", "txt=@text"], /no input "txt"[\s\S]*are: "text"/],
    [["pel", "run", PARTS, "--store", folder, "--input", "text"], /takes NAME=/],
    [["pel", "run", PARTS, "--store", folder, "--input", "text=@a", "--input", "text=@b"], /given twice/],
    [["pel", "run", PARTS, "--store", folder, "--input", "text=@text", "--output", "some=x"], /no output "some"/],
    [["pel", "run", PARTS, "--store", folder, "--output", "sum=-", "--json"], /no use/],
    [["pel", "run", PARTS, "--store", folder, "--engine", "fast"], /compiled or reference/],
    [["pel", "run", PARTS, "--store", folder, "--workers", "0"], /1 to 256, not "0"/],
    [["pel", "run", PARTS, "--store", folder, "--workers", "257"], /1 to 256/],
    [["pel", "graph", PARTS, "--dot", "--json"], /do not go together/],
    [["pel", "graph", PARTS, "--html", "-"], /name of a file/],
    [["pel", "graph", PARTS, "--input", "text=@text"], /--store DIR/],
    [["pel", "explain", PARTS], /--store DIR/],
    [["verify", "x"], /--store DIR/],
    [["replay", "--store", folder], /--into DIR/],
    [["trace", "x", "--store", folder, "--forward", "--backward"], /exclude one another/],
    [["trace", "x", "--store", folder, "--type", "running"], /below 2\^32/],
  ];
  for (const [words, message] of wrong)
    t.match(await run(...words), { code: 2, stdout: "", stderr: message }, words.join(" "));
  t.equal((await run("store", "ls", folder)).stdout, "", "nothing was put");
  for (const verb of ["check", "run", "explain", "graph"])
    t.match(await run("pel", "help", verb), { code: 0, stdout: new RegExp(`Usage: ashlar pel ${verb} PROGRAM`) });
  t.match(await json("pel", "run", "nothing", "--store", folder), {
    code: 1,
    data: { schema: "ashlar.pel.run/1", error: { code: "CLI-PROGRAM", message: /no such file/, total: 1 } },
  });
  t.match(await run("pel", "run", PARTS, "--store", "nowhere", "--input", "text=@text"), {
    code: 1,
    stderr: /^error\[ASL-NO-STORE\]/,
  });
  t.notOk(existsSync("nowhere"));
});

t.test("[CLI-PEL-2, CLI-PEL-3] check tells all that is wrong, or what a program is", async (t) => {
  const bad = program(
    "bad.pel.json",
    {
      a: { op: "concat", of: ["b"] },
      b: { op: "concat", of: ["a"] },
      c: { op: "guest", module: "nothing.wasm" },
      d: { op: "hash", of: "z" },
    },
    { x: "d" },
  );
  const { code, data } = await json("pel", "check", bad);
  t.equal(code, 1);
  t.match(data.error.problems, [
    { code: "PEL-MODULE", pointer: "/nodes/c/module" },
    { code: "PEL-REF", pointer: "/nodes/d/of" },
  ]);
  t.ok(data.error.total >= 2);
  t.match(await run("pel", "check", bad), {
    code: 1,
    stderr: /error\[PEL-MODULE\][\s\S]*in \/nodes\/c\/module\n[\s\S]*error\[PEL-REF\]/,
  });

  const told = await json("pel", "check", PARTS, "-o", "parts.pel");
  t.match(told, {
    code: 0,
    data: {
      schema: "ashlar.pel.check/1",
      program: /^sha256:[0-9a-f]{64}$/,
      nodes: 5,
      ops: { input: 1, slice: 1, concat: 1, hash: 1, guest: 1 },
      inputs: [{ name: "text", typeTag: null }],
      outputs: ["both", "said", "sum"],
      modules: 1,
    },
  });
  const { program: key, bytes } = told.data;
  t.equal(readFileSync("parts.pel").length, bytes);
  t.match(await json("pel", "check", "parts.pel"), { data: { program: key, nodes: 5, modules: 0 } }, "as encoded");
  t.match(await ashlar(["pel", "check", "-"], { input: readFileSync(PARTS) }), { code: 0, stdout: new RegExp(key) });
  mkdirSync("elsewhere");
  writeFileSync("elsewhere/copy.pel.json", readFileSync(PARTS));
  writeFileSync("elsewhere/hello.wat", readFileSync("hello.wat"));
  t.match(
    await json("pel", "check", "elsewhere/copy.pel.json"),
    { data: { program: key } },
    "modules beside the program",
  );
  t.match(await run("pel", "check", "nothing"), { code: 1, stderr: /^error\[CLI-PROGRAM\]/ });
  t.match(await run("pel", "check", "elsewhere"), { code: 1, stderr: /^error\[CLI-PROGRAM\]/ });
  writeFileSync("noise", new Uint8Array([0xff, 0xfe, 1]));
  t.match(await run("pel", "check", "noise"), { code: 1, stderr: /^error\[PEL-JSON\]/ });
  writeFileSync("noise", new Uint8Array([0x83, 0xfe, 1]));
  t.match(await run("pel", "check", "noise"), { code: 1, stderr: /^error\[PEL-/ });
});

t.test("[CLI-PEL-2, CLI-PEL-4, CLI-PEL-5] run: files, keys and names as inputs; outputs as files", async (t) => {
  const folder = await newStore();
  const first = await json("pel", "run", PARTS, "--store", folder, "--input", "text=@text", "--output", "sum=sum.bin");
  t.match(first, {
    code: 0,
    stderr: "",
    data: {
      schema: "ashlar.pel.run/1",
      failed: null,
      outputs: [
        { name: "both", bytes: 15, typeTag: null, file: null },
        { name: "said", bytes: 5 },
        { name: "sum", bytes: 32, file: "sum.bin" },
      ],
      nodes: { total: 5, executed: 4, hits: 0, skipped: 0 },
    },
  });
  t.equal(readFileSync("sum.bin").length, 32);
  const { receipt, program: key } = first.data;
  const text = (await run("store", "put", folder, "text")).stdout.trim();
  await run("store", "bind", folder, "the text", text);
  mkdirSync("inputs", { recursive: true });
  writeFileSync("inputs/text", "hello world");
  const ways: string[][] = [
    [PARTS, "--input", `text=${text}`],
    [PARTS, "--input", `text=${text.slice(7, 20)}`],
    [PARTS, "--input=text=the text"],
    [PARTS, "--inputs", "inputs"],
    [key, "--input", "text=@text"],
    ["parts.pel", "--input", "text=@text", "--engine", "reference", "--workers", "1"],
  ];
  for (const words of ways)
    t.match(await json("pel", "run", "--store", folder, ...words), {
      data: { receipt, program: key, nodes: { executed: 0, hits: 4 } },
    });
  const piped = await ashlar(["pel", "run", PARTS, "--store", folder, "--input", "text=@-", "--output", "both=-"], {
    input: "hello world",
  });
  t.match(piped, {
    code: 0,
    stdout: "hellhello world",
    stderr: new RegExp(`receipt +${receipt} +0 nodes executed, 4 hits`),
  });
  t.match(
    await json("pel", "run", PARTS, "--store", folder, "--input", "text=@text", "--no-cache", "--store-bytes", "3"),
    { code: 1, data: { error: { code: "PEL-LIMIT" } } },
    "nodes that would make too much",
  );
  t.match(
    await json("pel", "run", PARTS, "--store", folder, "--input", "text=@text", "--no-cache", "--engine", "reference"),
    {
      data: { receipt, nodes: { executed: 4, hits: 0 } },
    },
  );
  const all = await json("pel", "run", PARTS, "--store", folder, "--input", "text=@text", "--nodes");
  t.match(
    all.data.all.find((node: { label: string }) => node.label === "guest"),
    { op: "guest", bytes: 5, state: "hit", failed: false, key: /^sha256:/ },
  );
  t.match(await run("pel", "run", PARTS, "--store", folder, "--input", "text=@text", "--nodes"), {
    stdout: /^text {2}input {2}sha256:[0-9a-f]{12}… {2}11 bytes {2}input\n[\s\S]*sum {2}hash {2}.* hit\n/,
  });

  await run("store", "snapshot", folder, "before");
  writeFileSync("new", "new text");
  const added = (await run("store", "put", folder, "new")).stdout.trim();
  t.match(await json("pel", "run", PARTS, "--store", folder, "--snapshot", "before", "--input", `text=${added}`), {
    code: 1,
    data: { error: { code: "ASL-NOT-FOUND", message: /^the input "text": / } },
  });
  t.match(await json("pel", "run", PARTS, "--store", folder, "--snapshot", "before", "--input", `text=${text}`), {
    code: 0,
    data: { receipt },
  });

  const tagged = program(
    "tagged.pel.json",
    { in: { op: "input", tag: 77 }, n: { op: "length", of: "in" } },
    { n: "n" },
  );
  t.match(await json("pel", "run", tagged, "--store", folder, "--input", "in=@text"), { code: 0 }, "put with the tag");
  t.match(await json("pel", "run", tagged, "--store", folder, "--input", `in=${added}`), {
    code: 1,
    data: { error: { code: "PEL-INPUT" } },
  });
  t.match(await json("pel", "run", PARTS, "--store", folder, "--input", "text=@missing"), {
    code: 1,
    data: { error: { code: "CLI-INPUT" } },
  });
});

t.test("[CLI-PEL-6] a node that fails is told with its receipt", async (t) => {
  const folder = await newStore();
  const failed = await run("pel", "run", CUT, "--store", folder, "--input", "text=@text");
  t.match(failed, {
    code: 1,
    stdout: /^receipt +sha256:[0-9a-f]{64} +\d nodes? executed, 0 hits, \d skipped\n$/,
    stderr:
      /^error\[CLI-NODE\]: The node "cut" \(slice\) failed: OUT_OF_RANGE.*\n {2}Its receipt is (sha256:[0-9a-f]{64})\.\n$/,
  });
  const receipt = /receipt is (\S+)\./.exec(failed.stderr)![1]!;
  const going = await json("pel", "run", CUT, "--store", folder, "--input", "text=@text", "--keep-going");
  t.match(going, {
    code: 1,
    stderr: "",
    data: {
      failed: { label: "cut", op: "slice", outcome: /^OUT_OF_RANGE/, receipt },
      outputs: [{ name: "count", bytes: 8 }],
      nodes: { total: 4, skipped: 1 },
    },
  });
  t.match(await json("verify", receipt, "--store", folder), { code: 0, data: { kind: "node", verdict: "verified" } });
  const words = ["--store", folder, "--input", "text=@text", "--keep-going", "-o", "count=count", "-o", "after=after"];
  t.match(await run("pel", "run", CUT, ...words), {
    code: 1,
    stderr: /^note: the output "after" was not made, and after is/,
  });
  t.strictSame([...readFileSync("count")], [11, 0, 0, 0, 0, 0, 0, 0]);
  t.notOk(existsSync("after"));
});

/** A fraction of a second each, and all of them fail. */
const LOOPS = program(
  "loops.pel.json",
  Object.fromEntries(
    Array.from({ length: 6 }, (_, k) => [
      `loop-${k}`,
      { op: "guest", module: "loop.wasm", args: [`${k}`], outputs: ["out"], limits: { fuel: 300_000_000 } },
    ]),
  ),
  { out: "loop-0" },
);
const ENDLESS = program(
  "endless.pel.json",
  {
    text: { op: "input" },
    count: { op: "length", of: "text" },
    ever: {
      op: "guest",
      module: "loop.wasm",
      inputs: { count: "count" },
      outputs: ["out"],
      limits: { fuel: "1000000000000000" },
    },
  },
  { out: "ever", count: "count" },
);

/** A process with what it told when it ended. */
function started(words: readonly string[], node: readonly string[] = []) {
  const child = start(words, { node });
  let stderr = "";
  let stdout = "";
  child.stderr!.on("data", (bytes) => {
    stderr += bytes;
  });
  child.stdout!.on("data", (bytes) => {
    stdout += bytes;
  });
  child.stdin!.end();
  const ended = once(child, "close").then(([code, signal]): Ended => ({ code, signal, stdout, stderr }));
  return { child, ended, told: () => stderr };
}

/** As if standard error were a terminal. */
const TERMINAL = ["--import", "data:text/javascript,process.stderr.isTTY=true;process.stderr.columns=200"];

t.test("[CLI-PEL-7] of two processes the second waits, then hits", async (t) => {
  const folder = await newStore();
  const words = ["pel", "run", PARTS, "--store", folder, "--input", "text=@text", "--json"];
  const store = await Store.open(folder, {});
  const second = started(words);
  while (!second.told().includes("waiting") && second.child.exitCode === null) await setTimeout(20);
  const impatient = await ashlar([...words, "--store-wait", "0"]);
  t.match(JSON.parse(impatient.stdout), { error: { code: "ASL-LOCKED" } });
  t.match(await run("pel", "graph", PARTS, "--store", folder), { code: 0 }, "who reads does not wait");
  const { program, modules } = await readProgram(PARTS, readFileSync(PARTS), store);
  for (const module of modules) await store.put(module);
  const { claim } = await runProgram(store, program, { inputs: { text: await store.put(readFileSync("text")) } });
  await store.close();
  const ended = await second.ended;
  t.match(ended, { code: 0, stderr: `note: waiting for process ${process.pid}, which writes to the store\n` });
  t.match(JSON.parse(ended.stdout), { receipt: claim, nodes: { executed: 0, hits: 4 } });
});

t.test("[CLI-PEL-9] a terminal shows how far a run is", async (t) => {
  const folder = await newStore();
  const words = ["pel", "run", LOOPS, "--store", folder, "--keep-going", "--workers", "1", "--json"];
  const { code, stdout, stderr } = await started(words, TERMINAL).ended;
  t.equal(code, 1);
  t.match(stderr, /run \[#*-*\] +\d+ %.*, [1-6] of 6 nodes, 0 hits, 0 bytes made/);
  t.ok(stderr.endsWith("\r\x1b[K"), "nothing of it is left");
  t.match(JSON.parse(stdout), { nodes: { executed: 6, hits: 0 }, failed: { outcome: "out of fuel" } });
  t.match(await started(words).ended, { code: 1, stderr: "", stdout: /"hits":6/ }, "not where there is none");
});

t.test("[CLI-PEL-8] Ctrl-C leaves a store that can be used, and what was executed", async (t) => {
  const folder = await newStore();
  const words = ["pel", "run", ENDLESS, "--store", folder, "--input", "text=@text"];
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    const endless = started(words);
    // Some time in which it begins; wherever it is then, the same is asked of it.
    await setTimeout(1_000);
    endless.child.kill(signal);
    t.match(await endless.ended, { code: null, signal, stdout: "" });
    t.match(await run("store", "fsck", folder, "--deep"), { code: 0, stdout: /all as it should be/ });
  }
  // A program that does not come, too.
  const child = start(["pel", "run", "-", "--store", folder]);
  const ended = once(child, "close");
  await setTimeout(500);
  child.kill("SIGINT");
  t.match(await ended, [null, "SIGINT"]);
  t.match(await run("store", "put", folder, "text", "--wait", "0"), { code: 0 }, "nobody holds the store");
  const counted = program(
    "count.pel.json",
    { text: { op: "input" }, count: { op: "length", of: "text" } },
    { n: "count" },
  );
  t.match(await json("pel", "run", counted, "--store", folder, "--input", "text=@text"), {
    code: 0,
    data: { nodes: { executed: 0, hits: 1 } },
  });
});

t.test("[CLI-PEL-10] explain: what a run would do, and why", async (t) => {
  const folder = await newStore();
  const before = await json("pel", "explain", PARTS, "--store", folder, "--input", "text=@text");
  t.match(before, { code: 0, data: { schema: "ashlar.pel.explain/1", against: null, hits: 0 } });
  t.equal((await run("store", "ls", folder)).stdout, "", "nothing was put");
  t.match(await json("pel", "explain", PARTS, "--store", folder), { code: 0, data: { blocked: 5 } }, "no inputs");

  const { data } = await json("pel", "run", PARTS, "--store", folder, "--input", "text=@text");
  t.match(await json("pel", "explain", PARTS, "--store", folder, "--input", "text=@text"), {
    data: { program: data.program, against: data.receipt, hits: 4, misses: 0, blocked: 0 },
  });
  writeFileSync("changed", "hello there");
  const changed = await json("pel", "explain", PARTS, "--store", folder, "--input", "text=@changed");
  const head = changed.data.nodes.find((node: { label: string }) => node.label === "head");
  t.match(head, { op: "slice", state: "miss", receipt: null, reasons: [{ type: "input-changed", name: "text" }] });
  t.match(
    await run("pel", "explain", PARTS, "--store", folder, "--input", "text=@changed", "--against", data.receipt),
    {
      code: 0,
      stdout: /^miss {5}\d head \(slice\): input 0 \("text"\) was sha256:[0-9a-f]{12}, is sha256:[0-9a-f]{12}$/m,
    },
  );
  t.match(await json("pel", "explain", PARTS, "--store", folder, "--against", data.outputs[0].key), {
    code: 1,
    data: { error: { code: "PEL-RECEIPT" } },
  });
});

t.test("[CLI-PEL-11, CLI-DAG-5] graph: a program, what a run would do, a run", async (t) => {
  const folder = await newStore();
  t.match(await run("pel", "graph", PARTS), {
    code: 0,
    stdout: /^sum {2}hash\n└─ both {2}concat\n {3}├─ head {2}slice\n/m,
  });
  t.match(await run("pel", "graph", PARTS, "--depth", "1"), { stdout: /both {2}concat {2}\(more below\)/ });
  const { data } = await json("pel", "run", PARTS, "--store", folder, "--input", "text=@text", "--html", "run.html");
  const graph = await json("pel", "graph", data.receipt, "--store", folder);
  t.match(graph, { code: 0, data: { schema: "ashlar.pel.graph/1", receipt: data.receipt } });
  const said = graph.data.nodes.find((node: { label: string }) => node.label === "said");
  t.match(said, {
    op: "guest",
    bytes: 5,
    key: data.outputs[1].key,
    failed: false,
    receipt: { outcome: "ok", receipt: /^sha256:/ },
  });
  t.type(said.fuel, "number");
  t.match(await json("pel", "graph", PARTS, "--store", folder, "--input", "text=@text"), {
    data: { program: data.program, nodes: [{ label: "text", state: "input" }, { state: "hit" }] },
  });
  t.match(await run("pel", "graph", PARTS, "--dot"), { stdout: /^digraph "parts.pel.json" \{\n/ });
  t.match(await json("pel", "graph", PARTS, "--html", "program.html"), {
    data: { html: "program.html", nodes: 5, edges: 5 },
  });
  for (const file of ["run.html", "program.html"])
    t.match(readFileSync(file, "utf8"), /^<!doctype html>[\s\S]*<\/html>\n$/);
  t.match(readFileSync("run.html", "utf8"), /"executed"/);
  const node = (graph.data.nodes as { op: string; receipt: { receipt: string } }[]).find(({ op }) => op === "hash")!;
  t.match(await run("pel", "graph", node.receipt.receipt, "--store", folder), {
    code: 1,
    stderr: /^error\[CLI-RECEIPT\]/,
  });
  t.match(await run("pel", "graph", PARTS, "--html", join("nowhere", "x.html")), {
    code: 1,
    stderr: /^error\[CLI-PAGE\]/,
  });
});
