/** `ashlar run` and its sisters. */
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { runGuest } from "../../host/guest.ts";
import { loadWat } from "../../host/wat.ts";
import { ashlar, type Ended, firstLine, type Given, reportOf, root, scratch, start, wat } from "./ashlar.ts";
import { TOOL } from "./tool.ts";

/** Runs a function of the tool guest. */
function tool(call: string, options: readonly string[] = [], given: Given = {}): Promise<Ended> {
  return ashlar(["run", "tool.wasm", "--invoke", call, ...options], given);
}

await wat("tool.wasm", TOOL);
await wat("empty.wasm", '(module (func (export "_start")))');
await wat("main.wasm", '(module (func (export "main") (result i32) i32.const 263))');
writeFileSync(join(scratch, "tool.wat"), TOOL);
mkdirSync(join(scratch, "folder"));

t.test("[CLI-EXIT-1, CLI-ENTRY-1] exit codes: the guest's own, 134, 2, 1", async (t) => {
  const runs: [string, Promise<Ended>, number][] = [
    ["nothing to do", ashlar(["run", "empty.wasm"]), 0],
    ["sys.exit", tool("exit(7)"), 7],
    ["sys.exit 255", tool("exit(255)"), 255],
    ["sys.exit 256 is a trap", tool("exit(256)"), 134],
    ["low bits of main's result", ashlar(["run", "main.wasm"]), 7],
    ["a trap", tool("trap"), 134],
    ["no fuel", tool("loop", ["--fuel", "1000"]), 134],
    ["no such file", ashlar(["run", "none.wasm"]), 1],
    ["no such option", ashlar(["run", "empty.wasm", "--nonsense"]), 2],
    ["no such command", ashlar(["nonsense"]), 2],
    ["no command", ashlar([]), 2],
  ];
  for (const [what, run, code] of runs) t.equal((await run).code, code, what);
});

t.test("[CLI-STREAM-1] all output is out and in order, however the guest ends", async (t) => {
  const trapped = await tool("talk_and_trap");
  t.equal(trapped.stdout, "one\nthree");
  t.match(trapped.stderr, /^two\ntrap: unreachable executed \[Unreachable\]\n/);
  t.match(await tool("talk_and_exit"), { stdout: "one\nthree", stderr: "two\n", code: 5 });
  t.match(await tool("log_line"), { stdout: "", stderr: "a line\n", code: 0 });
  t.match(await tool("log_line", ["--quiet"]), { stdout: "", stderr: "", code: 0 });
  t.match(await ashlar(["run", "tool.wasm"]), { stdout: "hello\n", stderr: "", code: 0 });
});

t.test("[CLI-STREAM-1] much output through a slow pipe; much input", async (t) => {
  const child = start(["run", "tool.wasm", "--invoke", "flood(512)"]);
  const hash = createHash("sha256");
  let length = 0;
  for await (const bytes of child.stdout!) {
    length += bytes.length;
    hash.update(bytes);
    if (length < 1_000_000) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  t.equal(length, 512 * 65_536);
  t.equal(hash.digest("hex"), createHash("sha256").update(Buffer.alloc(length, "abcdefghijklmno\n")).digest("hex"));

  const input = Buffer.alloc(3_000_001, "0123456789");
  const { stdout, code } = await tool("cat", [], { input });
  t.equal(code, 0);
  t.ok(Buffer.from(stdout).equals(input), "cat gives back what it is given");
  t.match(await tool("cat", [], { input: "" }), { stdout: "", code: 0 });
});

t.test("[CLI-EXIT-1] a reader that goes away ends the guest quietly with 141; a full device is a status", async (t) => {
  const child = start(["run", "tool.wasm", "--invoke", "flood(1000000)"]);
  let stderr = "";
  child.stderr!.on("data", (text) => {
    stderr += text;
  });
  child.stdout!.once("data", () => child.stdout!.destroy());
  t.equal(await new Promise((resolve) => child.on("close", resolve)), 141);
  t.equal(stderr, "");
  if (!existsSync("/dev/full")) return;
  t.match(await tool("flood(1)", [], { stdout: openSync("/dev/full", "w") }), { code: 7, stderr: "" }, "NO_SPACE");
});

t.test("[CLI-EXIT-1] an interrupt ends a guest that loops", async (t) => {
  const child = start(["run", "tool.wasm", "--invoke", "talk_and_loop"]);
  child.stdout!.once("data", () => child.kill("SIGINT"));
  const [code, signal] = await new Promise<unknown[]>((resolve) => child.on("close", (...how) => resolve(how)));
  t.match([code, signal], [null, "SIGINT"]);
});

t.test("[CLI-REPORT-1] the report of each outcome", async (t) => {
  const digest = createHash("sha256")
    .update(readFileSync(join(scratch, "tool.wasm")))
    .digest("hex");
  const [exit, trap, fuel, error] = await Promise.all([
    reportOf(tool("exit(1)", ["--report", "-", "--digest"])),
    reportOf(tool("talk_and_trap", ["--report", "-", "--fuel", "9007199254740993"])),
    reportOf(tool("loop", ["--report", "-", "--fuel", "1_000"])),
    reportOf(ashlar(["run", "none.wasm", "--report", "-", "--digest"])),
  ]);
  t.match(exit.report, {
    schema: "ashlar.run/1",
    outcome: "exit",
    exitCode: 1,
    trap: null,
    error: null,
    fuelUsed: 7,
    fuelLimit: null,
    engine: "compiled",
    module: { path: "tool.wasm", digest },
    durationMs: Number,
    stateDigest: /^[0-9a-f]{64}$/,
  });
  t.match(trap.report, { outcome: "trap", exitCode: 134, error: null, trap: { code: 1, name: "Unreachable" } });
  t.notOk("stateDigest" in trap.report);
  t.strictSame(trap.output, ["one", "three"], "the report begins a line of its own");
  const [frame] = trap.report.trap.backtrace;
  t.match(frame, { name: "talk_and_trap", function: trap.report.trap.function, offset: trap.report.trap.offset });
  t.match(await ashlar(["dis", "tool.wasm", "--function", "talk_and_trap"]), {
    stdout: new RegExp(`\\(;${frame.offset.toString(16)};\\) unreachable`),
  });
  t.match(
    (await tool("trap", ["--report", "-", "--fuel", "9007199254740993"])).stdout,
    /"fuelLimit":9007199254740993,/,
  );
  t.match(fuel.report, { outcome: "out-of-fuel", exitCode: 134, fuelLimit: 1000, trap: { name: "OutOfFuel" } });
  t.ok(fuel.report.fuelUsed > 1000 && fuel.report.fuelUsed < 1100, "debt is counted");
  t.match(error.report, {
    outcome: "error",
    exitCode: 1,
    trap: null,
    error: { code: "CLI-MODULE" },
    fuelUsed: 0,
    module: { path: "none.wasm", digest: null },
    stateDigest: null,
  });
});

t.test("[CLI-ENGINE-1] --engine, and a host that cannot run compiled code", async (t) => {
  const engineOf = async (options: readonly string[], given: Given = {}) => {
    const { report, output, code } = await reportOf(tool("talk_and_exit", [...options, "--report", "-"], given));
    t.strictSame([output, code, report.fuelUsed], [["one", "three"], 5, 1703]);
    return report.engine;
  };
  t.equal(await engineOf([]), "compiled");
  t.equal(await engineOf(["--engine", "compiled"]), "compiled");
  t.equal(await engineOf(["--engine=reference"]), "reference");
  writeFileSync(join(scratch, "poor.mjs"), "delete Error.captureStackTrace;");
  t.equal(await engineOf([], { node: ["--import", join(scratch, "poor.mjs")] }), "reference");
  t.match(await tool("exit(0)", ["--engine", "fast"]), { code: 2, stderr: /^error\[CLI-USAGE\]: --engine takes/ });
});

t.test("[CLI-REPORT-2] a report file is emptied first, and must be writable", async (t) => {
  const path = join(scratch, "report.json");
  writeFileSync(path, "of an earlier run");
  const child = start(["run", "tool.wasm", "--invoke", "talk_and_loop", "--report", path]);
  child.stdout!.once("data", () => child.kill("SIGKILL"));
  await new Promise((resolve) => child.on("close", resolve));
  t.equal(readFileSync(path, "utf8"), "");
  t.match(await tool("exit(3)", ["--report", path]), { code: 3, stdout: "", stderr: "" });
  t.match(readFileSync(path, "utf8"), /^\{"schema":"ashlar\.run\/1",[^\n]*\}\n$/);
  const refused = await tool("talk_and_exit", ["--report", "folder"]);
  t.match(refused, { code: 1, stdout: "", stderr: /^error\[CLI-REPORT\]: / });
});

t.test("[CLI-ERROR-1] a report for which there is no room left", { skip: !existsSync("/dev/full") }, async (t) => {
  const full = await tool("exit(3)", ["--report", "/dev/full"]);
  t.match(full, { code: 1, stderr: /^error\[CLI-REPORT\]: The report cannot be written: ENOSPC.*\n$/ });
});

t.test("[CLI-INVOKE-1] arguments and results of every type", async (t) => {
  const [values, more, extremes, odd] = await Promise.all([
    tool("values(-1, 0xffffffffffffffff, 0.1, 1e300)"),
    tool("values( 0xffffffff ,-9223372036854775808,-inf,nan )"),
    tool("values(4294967295,18446744073709551615,1.17549435e-38,-0)"),
    tool("odd (name)"),
  ]);
  t.match(values, { stdout: "-1\n-1\n0.1\n1e+300\nnull\n", code: 0 });
  t.match(more, { stdout: "-1\n-9223372036854775808\n-inf\nnan\nnull\n", code: 0 });
  t.match(extremes, { stdout: "-1\n-1\n1.1754944e-38\n-0\nnull\n", code: 0 });
  t.match(odd, { stdout: "42\n", code: 0 }, "a name with parentheses");
  for (const call of [
    "values(1,2,3)",
    "values(4294967296,0,0,0)",
    "values(x,0,0,0)",
    "values(0,0,constructor,0)",
    "values(0,1.5,0,0)",
    "valeus",
  ]) {
    const refused = await tool(call);
    t.match(refused, { code: 2, stdout: "", stderr: /^error\[CLI-INVOKE\]: / }, call);
  }
  t.match((await tool("valeus")).stderr, /Did you mean values\?/);
});

t.test("[CLI-LIMIT-1] fuel, memory and depth are limited", async (t) => {
  const deep = await reportOf(tool("recurse", ["--report", "-"]));
  t.match(deep.report, { exitCode: 134, trap: { name: "StackExhausted", message: "call stack exhausted" } });
  t.equal(deep.report.trap.backtrace.length, 64);
  t.match((await tool("recurse")).stderr, /\n {2}at recurse {2}function \d+, offset 0x[0-9a-f]+\n {5}63 more times\n/);
  // A frame of `descend` takes 8 slots, its parameter, and two operands; so deep it fits the default by far.
  t.match(await tool("descend(50000)"), { stdout: "0\n", code: 0 });
  t.match(await tool("descend(50000)", ["--max-depth", "100000"]), { code: 134, stderr: /StackExhausted/ });
  t.match(await tool("grow(15)", ["--max-memory", "1MiB"]), { stdout: "1\n" }, "16 pages are 1 MiB");
  t.match(await tool("grow(16)", ["--max-memory", "1MiB"]), { stdout: "-1\n" });
  t.match(await tool("new_bytes(1048576)", ["--max-memory", "1M"]), { stdout: "1\n" });
  t.match(await tool("new_bytes(1048577)", ["--max-memory", "1M"]), { stdout: "0\n" });
  t.match(await tool("grow(0)", ["--max-memory", "65535"]), { code: 1, stderr: /^error\[VM-LIMIT\]: memoryPages/ });
  t.match(await tool("loop", ["--fuel", "0"]), { code: 134, stderr: /OutOfFuel[\s\S]*--fuel/ });
  const wrong = ["--fuel=-1", "--fuel=1e3", "--fuel=9223372036854775808", "--max-memory=5GiB", "--max-depth=15000001"];
  for (const option of wrong)
    t.match(await tool("trap", [option]), { code: 2, stderr: /^error\[CLI-USAGE\]: / }, option);
});

t.test("[CLI-ERROR-1, CLI-LINE-1, SEC-GUEST-8] errors say what, where and what to do", async (t) => {
  const bytes = readFileSync(join(scratch, "tool.wasm"));
  const file = (name: string, contents: string | Uint8Array): string => {
    writeFileSync(join(scratch, name), contents);
    return name;
  };
  await wat("unknown.wasm", '(module (import "env" "abort" (func)) (func (export "_start")))');
  await wat("signature.wasm", '(module (import "sys" "exit" (func (param i64))) (func (export "_start")))');
  await wat("entry.wasm", '(module (func (export "main") (param i32)))');
  await wat(
    "entries.wasm",
    '(module (import "sys" "exit" (func $exit (param i32))) (func $s i32.const 9 call $exit) (start $s))',
  );
  await wat("big.wasm", "(module (memory 20000))");
  const none = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0);
  const simd = Uint8Array.of(...none, 1, 5, 1, 96, 0, 1, 123);
  const cases: [readonly string[], string, RegExp][] = [
    [["run", file("cut.wasm", bytes.subarray(0, 100))], "VM-DECODE", /offset 0x[0-9a-f]+\n {2}in cut\.wasm\n/],
    [["run", file("text.wasm", "hello")], "VM-DECODE", /in text\.wasm/],
    [["run", file("nothing.wasm", "")], "VM-DECODE", /in nothing\.wasm/],
    [["run", file("simd.wasm", simd)], "VM-UNSUPPORTED_FEATURE", /SIMD/i],
    [["run", file("bad.wat", "(module\n (func i32.what))")], "VM-WAT", /at line 2, column/],
    [["run", "unknown.wasm"], "VM-LINK", /"env" "abort"[\s\S]*ashlar inspect/],
    [["run", "signature.wasm"], "VM-LINK", /"sys" "exit"/],
    [["run", "entry.wasm"], "CLI-ENTRY", /main[\s\S]*--invoke/],
    [["run", "entries.wasm"], "CLI-ENTRY", /exports neither/],
    [["run", "folder"], "CLI-MODULE", /is a directory/],
    [["run", "none.wasm"], "CLI-MODULE", /no such file/],
    [["run", "big.wasm", "--invoke", "x"], "CLI-INVOKE", /exports no function/],
    [["run", "empty.wasm", "--dir", "nowhere::/x"], "FS-GRANT", /nowhere/],
    [["run", "empty.wasm", "--dir", "empty.wasm::/x"], "FS-GRANT", /empty\.wasm/],
    [["run", "empty.wasm", "--dir", "folder::/x", "--dir", "folder::/x"], "FS-GRANT", /two mounts/],
    [["run", "empty.wasm", "--dir", "folder::x"], "CLI-USAGE", /must begin with "\/"[\s\S]*--dir HOST::GUEST/],
    [["run", "empty.wasm", "--dir", "folder::/x/../y"], "CLI-USAGE", /"\.\."/],
    [["run", "empty.wasm", "--dir", "::/x"], "CLI-USAGE", /lacks the host's/],
    [["run", "empty.wasm", "--dir", "../x"], "CLI-USAGE", /--dir/],
    [["run", "empty.wasm", "guest-argument"], "CLI-USAGE", /guest-argument[\s\S]*stand behind --/],
    [["run", "empty.wasm", "--fule", "3"], "CLI-USAGE", /Did you mean --fuel\?/],
    [["run", "empty.wasm", "--fuel"], "CLI-USAGE", /needs a value/],
    [["run", "empty.wasm", "--fuel", "1", "--fuel", "2"], "CLI-USAGE", /twice/],
    [["run", "empty.wasm", "--quiet=1"], "CLI-USAGE", /takes no value/],
    [["run"], "CLI-USAGE", /needs a MODULE[\s\S]*Usage: ashlar run/],
    [["rnu", "empty.wasm"], "CLI-USAGE", /Did you mean `ashlar run`\?/],
    [["empty.wasm"], "CLI-USAGE", /ashlar run empty\.wasm/],
    [["inspect", "none.wasm"], "CLI-MODULE", /no such file/],
    [["dis", "tool.wasm", "--function", "9999"], "CLI-USAGE", /no function 9999/],
    [["dis", "tool.wasm", "--function", "tarp"], "CLI-USAGE", /Did you mean trap\?/],
    [["run", "no\x1b[31m\nsuch.wasm"], "CLI-MODULE", /in no\\u\{1b\}\[31m\\u\{a\}such\.wasm/],
    [["run", "empty.wasm", "--dir", "no\nsuch::/x"], "FS-GRANT", /no\\u\{a\}such/],
  ];
  const results = await Promise.all(cases.map(([args]) => ashlar(args)));
  for (const [index, [args, code, text]] of cases.entries()) {
    const ended = results[index]!;
    t.ok(firstLine(ended).startsWith(`error[${code}]: `), `${args.join(" ")}: ${firstLine(ended)}`);
    t.match(ended.stderr, text, args.join(" "));
    t.equal(ended.code, code === "CLI-USAGE" || code === "CLI-INVOKE" ? 2 : 1, args.join(" "));
    t.equal(ended.stdout, "", args.join(" "));
  }
  await wat("liar.wasm", '(module (func (export "x\\1b[31m\\0aerror[CLI-USAGE]: y\\0a") unreachable))');
  for (const args of [
    ["run", "liar.wasm", "--invoke", "z"],
    ["run", "liar.wasm", "--invoke", "x\x1b[31m\nerror[CLI-USAGE]: z\n"],
    ["run", "liar.wasm", "--invoke", "x\x1b[31m\nerror[CLI-USAGE]: y\n"],
    ["dis", "liar.wasm", "--function", "x\x1b[31m\nerror[CLI-USAGE]: z\n"],
    ["inspect", "liar.wasm"],
    ["liar\n\x1b.wasm"],
  ]) {
    const { stdout, stderr } = await ashlar(args);
    t.notMatch(
      stdout + stderr.replace(/^error/, ""),
      /\p{Cc}(?<!\n)|^error/mu,
      "what a module is named looks like nothing else",
    );
  }
  const coloured = await ashlar(["nonsense"], { env: { FORCE_COLOR: "1" } });
  t.ok(coloured.stderr.startsWith("\x1b[1;31merror[CLI-USAGE]:\x1b[0m"), coloured.stderr);
  const plain = await ashlar(["nonsense"], { env: { FORCE_COLOR: "1", NO_COLOR: "1" } });
  t.ok(plain.stderr.startsWith("error[CLI-USAGE]: "), plain.stderr);
});

t.test("[CLI-GRANT-1] folders: read and write, read only, none", async (t) => {
  const folder = join(scratch, "grant");
  mkdirSync(folder);
  t.match(await tool("touch"), {
    code: 134,
    stderr: /^trap: .*needs the grant "fs" \[MissingCapability\]\n {2}at touch [\s\S]*--dir/,
  });
  t.match(await tool("touch", ["--dir", "grant::/g:ro"]), { stdout: "6\n" }, "READ_ONLY");
  t.notOk(existsSync(join(folder, "f")));
  t.match(await tool("touch", ["--dir", "grant::/elsewhere"]), { stdout: "3\n" }, "NOT_FOUND");
  t.match(await tool("touch", ["--dir", "grant::/g"]), { stdout: "0\n" });
  t.ok(existsSync(join(folder, "f")));
  mkdirSync(join(scratch, "g"));
  t.match(await tool("touch", ["--dir", "g"]), { stdout: "0\n" }, "under its own path");
  t.ok(existsSync(join(scratch, "g/f")));
});

t.test("[CLI-LINE-2, CLI-GRANT-1] modules from standard input and from text", async (t) => {
  const binary = readFileSync(join(scratch, "tool.wasm"));
  t.match(await ashlar(["run", "-", "--invoke", "cat"], { input: binary }), { stdout: "", code: 0 });
  t.match(await ashlar(["run", "-"], { input: ` ${TOOL}` }), { stdout: "hello\n", code: 0 });
  t.match(await ashlar(["run", "tool.wat"]), { stdout: "hello\n", code: 0 });
  const [fromText, fromBinary] = await Promise.all([
    reportOf(ashlar(["run", "tool.wat", "--report", "-"])),
    reportOf(ashlar(["run", "tool.wasm", "--report", "-"])),
  ]);
  t.equal(fromText.report.module.digest, fromBinary.report.module.digest);
});

t.test("[CLI-LOAD-1, CLI-NODE-1] what is loaded, and by which Node.js", async (t) => {
  const loaded = join(scratch, "loaded.txt");
  const hook = join(scratch, "hook.mjs");
  writeFileSync(
    hook,
    `import { appendFileSync } from "node:fs";
     import { registerHooks } from "node:module";
     registerHooks({ resolve(specifier, context, next) {
       appendFileSync(${JSON.stringify(loaded)}, specifier + "\\n");
       return next(specifier, context);
     } });`,
  );
  const loadedBy = async (args: readonly string[]): Promise<string> => {
    writeFileSync(loaded, "");
    t.equal((await ashlar(args, { node: ["--import", hook] })).code, 0, args.join(" "));
    return readFileSync(loaded, "utf8");
  };
  const binary = await loadedBy(["run", "tool.wasm"]);
  t.match(binary, /\bnode:worker_threads\n[\s\S]*\bnode:worker_threads\n/, "the hook hears of both threads");
  t.notMatch(binary, /wabt|binaryen/);
  const text = await loadedBy(["run", "tool.wat"]);
  t.match(text, /^wabt$/m);
  t.notMatch(text, /binaryen/);

  writeFileSync(
    hook,
    'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "22.2.0" } });',
  );
  t.match(await ashlar(["run", "empty.wasm"], { node: ["--import", hook] }), {
    code: 1,
    stdout: "",
    stderr: /^ashlar needs Node\.js 22\.3 or newer, and this is 22\.2\.0 \(.*\)\.\n$/,
  });
});

t.test("[CLI-INSPECT-1] inspect shows a module, also a bad one", async (t) => {
  await wat(
    "odd.wasm",
    `(module (import "sys" "exit" (func (param i64))) (import "env" "memory" (memory 1)) (import "fs" "open" (func (param i64 i64 i32 i32 i32) (result i32 i64)))
       (global (export "g") (mut i32) (i32.const 0)) (data "four") (func $s) (start $s))`,
  );
  const odd = JSON.parse((await ashlar(["inspect", "--json", "odd.wasm"])).stdout);
  const bytes = readFileSync(join(scratch, "odd.wasm"));
  t.match(odd, {
    schema: "ashlar.inspect/1",
    path: "odd.wasm",
    bytes: bytes.length,
    digest: createHash("sha256").update(bytes).digest("hex"),
    abiVersion: null,
    capabilities: ["fs"],
    grants: [
      { flag: "--dir", imports: ["fs.open"] },
      { flag: "--tmp", imports: ["fs.open"] },
      { flag: "--quota", imports: ["fs.open"] },
    ],
    imports: [
      { module: "sys", name: "exit", kind: "function", type: "(i64) -> ()", link: "wrong type" },
      { module: "env", name: "memory", kind: "memory", type: "1 or more pages", link: "unknown" },
      { module: "fs", name: "open", kind: "function", type: "(i64 i64 i32 i32 i32) -> (i32 i64)", link: "known" },
    ],
    exports: [{ name: "g", kind: "global", type: "mut i32" }],
    start: 2,
    functions: 1,
    codeBytes: 2,
    dataBytes: 4,
    memories: [],
    tables: [],
    globals: 1,
    customSections: [{ name: "name", bytes: Number }],
  });
  const text = (await ashlar(["inspect", "odd.wasm"])).stdout;
  t.match(text, /^capabilities +fs\n[\s\S]*^ +--dir +fs\.open$/m);
  t.match(text, /env memory +memory +1 or more pages +<- unknown: the module will not link/);
  const section = [0, 2, 1, 120];
  const many = Array.from({ length: 200_000 }, () => section).flat();
  writeFileSync(join(scratch, "many.wasm"), Uint8Array.from([0, 97, 115, 109, 1, 0, 0, 0, ...many]));
  t.match(await ashlar(["inspect", "many.wasm"]), { code: 0, stdout: "custom sections (200000)\n" });
  const bad = await ashlar(["inspect", "--json", "cut.wasm"]);
  t.equal(bad.code, 1);
  t.match(JSON.parse(bad.stdout), { schema: "ashlar.inspect/1", path: "cut.wasm", error: { code: "VM-DECODE" } });
});

t.test("[CLI-INSPECT-1] inspect knows what WASI's functions are and make", async (t) => {
  await wat(
    "wasi.wasm",
    `(module
       (import "wasi_snapshot_preview1" "path_open" (func (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
       (import "wasi_snapshot_preview1" "fd_read" (func (param i32 i32 i32 i32) (result i32)))
       (import "wasi_snapshot_preview1" "random_get" (func (param i32 i32)))
       (import "wasi_snapshot_preview1" "thread_spawn" (func (param i32) (result i32)))
       (func (export "_start")))`,
  );
  const { capabilities, grants, imports } = JSON.parse((await ashlar(["inspect", "--json", "wasi.wasm"])).stdout);
  t.strictSame(capabilities, ["fs"]);
  const links = imports.map(({ link }: { readonly link: string }) => link);
  t.strictSame(links, ["known", "known", "wrong type", "unknown"]);
  t.strictSame(grants, [
    { flag: "--dir", imports: ["wasi_snapshot_preview1.path_open"] },
    { flag: "--tmp", imports: ["wasi_snapshot_preview1.path_open"] },
    { flag: "--quota", imports: ["wasi_snapshot_preview1.path_open"] },
    { flag: "--stdin", imports: ["wasi_snapshot_preview1.fd_read"] },
    { flag: "--interactive", imports: ["wasi_snapshot_preview1.fd_read"] },
  ]);
});

t.test("[CLI-GRANT-1, CLI-REPLAY-2] the guest's name", async (t) => {
  const named = `(module
    (import "bytes" "of_memory" (func $of_memory (result i64)))
    (import "sys" "name_read" (func $name (param i64 i32 i32) (result i32)))
    (import "sys" "log" (func $log (param i64 i32 i32)))
    (memory (export "memory") 1)
    (func (export "_start")
      (call $log (call $of_memory) (i32.const 0) (call $name (call $of_memory) (i32.const 0) (i32.const 100)))))`;
  mkdirSync(join(scratch, "named"));
  await wat("named/prog.wasm", named);
  t.equal((await ashlar(["run", "named/prog.wasm"])).stderr, "prog.wasm\n");
  t.equal(
    (await ashlar(["run", "--argv0", "/bin/prög", "named/prog.wasm", "--record=named.rec"])).stderr,
    "/bin/prög\n",
  );
  t.equal((await ashlar(["run", "named/prog.wasm", "--replay=named.rec"])).stderr, "/bin/prög\n");
  t.equal((await ashlar(["run", "-"], { input: named })).stderr, "guest\n");
  t.match(await ashlar(["run", "--argv0=x", "--replay=named.rec", "named/prog.wasm"]), { code: 2, stderr: /--argv0/ });
  const lines: string[] = [];
  const log = (line: Uint8Array): void => void lines.push(Buffer.from(line).toString());
  const module = await loadWat(named);
  runGuest({ module, log });
  runGuest({ module, log, name: "" });
  t.strictSame(lines, ["guest", ""]);
});

t.test("[CLI-DIS-1] what dis prints is a module again", async (t) => {
  const { stdout, code } = await ashlar(["dis", "tool.wasm"]);
  t.equal(code, 0);
  const again = await loadWat(stdout);
  t.same((await ashlar(["run", "-"], { input: again })).stdout, "hello\n");
  const one = await ashlar(["dis", "tool.wasm", "--function", "$trap"]);
  t.match(one.stdout, /^ {2}\(func \$trap [\s\S]*\(;[0-9a-f]+;\) unreachable\n/);
  t.equal(one.stdout.split("(func").length, 2);
});

t.test("[CLI-LINE-1] help and version", async (t) => {
  const help = await ashlar(["help"]);
  t.match(help, { code: 0, stderr: "" });
  for (const name of ["run", "inspect", "dis", "help", "version"]) {
    t.match(help.stdout, new RegExp(`^ {2}${name} `, "m"));
    const own = await ashlar([name, "--help"]);
    t.match(own, { code: 0, stdout: new RegExp(`^ashlar ${name}: `), stderr: "" });
  }
  t.equal((await ashlar(["help", "run"])).stdout, (await ashlar(["run", "-h"])).stdout);
  t.equal((await ashlar(["--help"])).stdout, help.stdout);
  const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  t.match((await ashlar(["--version"])).stdout, `ashlar ${version} (`);
  t.match(JSON.parse((await ashlar(["version", "--json"])).stdout), { ashlar: version, abi: 1, fuelSchedule: 1 });
});

t.test("[OVERVIEW-DETERMINISM-1] wordfreq: the table, the words on the way, and the fuel, twice", async (t) => {
  const wasm = join(root, "examples/wordfreq/build/wordfreq.wasm");
  const expected = readFileSync(join(root, "examples/wordfreq/expected.tsv"), "utf8");
  const runs = [0, 1].map(async (run) => {
    const data = join(scratch, `data${run}`);
    cpSync(join(root, "examples/wordfreq/data/texts"), join(data, "texts"), { recursive: true });
    const options = ["--dir", `${data}::/data`, "--report", "-", "--digest"];
    const ended = await reportOf(ashlar(["run", wasm, ...options, "--", "/data/texts", "/data/wordfreq.tsv"]));
    t.equal(readFileSync(join(data, "wordfreq.tsv"), "utf8"), expected);
    return ended;
  });
  const [first, second] = await Promise.all(runs);
  t.match(first, { code: 0, stderr: "" });
  t.strictSame(first!.output, [
    "5 files, 12866 bytes: 2228 words, 1021 different. The most frequent:",
    "    69  the",
    "    50  and",
    "    48  to",
    "    41  of",
    "    31  i",
    "The table is in /data/wordfreq.tsv",
  ]);
  t.equal(first!.report.fuelUsed, 10_532_131);
  t.equal(second!.report.fuelUsed, first!.report.fuelUsed);
  t.match(first!.report.stateDigest, /^[0-9a-f]{64}$/);
  t.equal(second!.report.stateDigest, first!.report.stateDigest);
  const total = expected
    .trimEnd()
    .split("\n")
    .map((line) => Number(line.split("\t")[0]));
  t.equal(total.length, 1021);
  t.equal(
    total.reduce((sum, count) => sum + count, 0),
    2228,
  );

  const words = join(scratch, "words");
  mkdirSync(words);
  const text = Buffer.from("\ufeffDon’t DON'T 'don't' naïve NAÏVE Straße×Straße l’été “x” 漢字、漢字 don''t ", "utf8");
  writeFileSync(join(words, "a.txt"), Buffer.concat([text, Buffer.of(0xff, 0xc3, 0x61, 0xff, 0x61, 0xc3)]));
  writeFileSync(join(words, "b.md"), "not counted");
  t.match(await ashlar(["run", wasm, "--dir", "words", "--", "words", "words/out", "4"]), { code: 0 });
  t.equal(readFileSync(join(words, "out"), "utf8"), "3\tdon't\n2\ta\n2\tstraße\n2\t漢字\n");
  const refused = await ashlar(["run", wasm, "--dir", "words::/words:ro", "--", "words", "words/out"]);
  t.match(refused, { code: 1, stderr: "wordfreq: cannot write words/out: READ_ONLY\n" });
  t.match(await ashlar(["run", wasm, "--", "a"]), { code: 2, stderr: /^wordfreq: usage: / });
});
