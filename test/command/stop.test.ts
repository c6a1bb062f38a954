/** Stopping a guest: signals, timeouts, and what is left behind. */
import { type ChildProcess, execFileSync } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import t from "tap";
import { ashlar, type Ended, type Given, reportOf, scratch, start, wat } from "./ashlar.ts";
import { SCRIPT } from "./script.ts";
import { TOOL } from "./tool.ts";

const LINUX = process.platform === "linux";
const at = (path: string): string => join(scratch, path);

await wat("tool.wasm", TOOL);
await wat("script.wasm", SCRIPT);
await wat(
  "busy.wasm",
  `(module
    (import "sys" "log" (func $log (param i64 i32 i32)))
    (import "sys" "sleep" (func $sleep (param i64)))
    (import "bytes" "of_memory" (func $mem (result i64)))
    (import "fs" "open_p" (func $open (param i64 i64 i32 i32 i32 i32) (result i32)))
    (import "fs" "write_p" (func $write (param i64 i64 i64 i32 i32 i32) (result i32)))
    (import "fs" "close" (func $close (param i64) (result i32)))
    (memory 2)
    (data (i32.const 64) "ready/w/f")
    (func $ready (call $log (call $mem) (i32.const 64) (i32.const 5)))
    ;; Neither loops nor calls of the host.
    (func $tree (param i32) (result i32)
      (if (result i32) (local.get 0)
        (then (i32.add (call $tree (i32.sub (local.get 0) (i32.const 1))) (call $tree (i32.sub (local.get 0) (i32.const 1)))))
        (else (i32.const 1))))
    (func (export "recurse") (call $ready) (drop (call $tree (i32.const 60))))
    (func (export "loop") (call $ready) (loop (br 0)))
    (func (export "sleep") (call $ready) (call $sleep (i64.const 1000000000000)))
    ;; Writes a file of 65,536 equal bytes, over and over.
    (func (export "write") (local $byte i32) (local $file i64)
      (call $ready)
      (loop $files
        (local.set $byte (i32.add (local.get $byte) (i32.const 1)))
        (memory.fill (i32.const 65536) (local.get $byte) (i32.const 65536))
        (if (call $open (i64.const 0) (call $mem) (i32.const 69) (i32.const 4) (i32.const 22) (i32.const 0)) (then unreachable))
        (local.set $file (i64.load (i32.const 0)))
        (if (call $write (local.get $file) (i64.const 0) (call $mem) (i32.const 65536) (i32.const 65536) (i32.const 0)) (then unreachable))
        (if (call $close (local.get $file)) (then unreachable))
        (br $files))))`,
);

/** Ends as `ashlar` does, when `act` has been called at the guest's first word on standard error. */
function stopped(args: readonly string[], act: (child: ChildProcess) => void, given: Given = {}): Promise<Ended> {
  const child = start(["run", ...args], given);
  let [stdout, stderr, acted] = ["", "", false];
  child.stdout!.on("data", (text) => {
    stdout += text;
  });
  child.stderr!.on("data", (text) => {
    stderr += text;
    if (!acted) act(child);
    acted = true;
  });
  return new Promise((resolve) => child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr })));
}

/** An open pipe that nobody writes to. */
function silentPipe(): number {
  if (!existsSync(at("silent"))) execFileSync("mkfifo", [at("silent")]);
  return openSync(at("silent"), "r+");
}

const ENGINES = ["compiled", "reference"] as const;

t.test("[CLI-STOP-1, CLI-STOP-2] a signal stops loops, recursion and sleep, and ends the process", async (t) => {
  const cases = ENGINES.flatMap((engine) =>
    (["SIGINT", "SIGTERM"] as const).flatMap((signal) =>
      (["loop", "recurse", "sleep"] as const).map((call) => ({ engine, signal, call })),
    ),
  );
  for (const { engine, signal, call } of cases) {
    const options = ["--clock", "real", "--engine", engine, "--report", "-"];
    const how = `${engine} ${signal} ${call}`;
    const run = stopped(["busy.wasm", "--invoke", call, ...options], (child) => child.kill(signal));
    const { report, ...ended } = await reportOf(run);
    t.match(ended, { code: null, signal, output: [] }, how);
    t.match(
      ended.stderr,
      signal === "SIGINT" ? /^ready\nstopped: interrupted\n$/ : /^ready\nstopped: terminated\n$/,
      how,
    );
    const exitCode = signal === "SIGINT" ? 130 : 143;
    t.match(
      report,
      { outcome: "stopped", exitCode, trap: null, error: null, engine, module: { path: "busy.wasm" } },
      how,
    );
    // Only a thread that had to be ended knows nothing of its fuel; a loop may be in one on a machine that is busy.
    if (call === "sleep") t.ok(report.fuelUsed > 0, how);
    else if (call === "recurse" && engine === "compiled") t.equal(report.fuelUsed, null, how);
    else t.ok(report.fuelUsed === null || report.fuelUsed > 0, how);
  }
});

t.test("[CLI-STOP-1] a timeout stops the guest and exits with 124", async (t) => {
  for (const engine of ENGINES)
    for (const call of ["loop", "recurse", "sleep"]) {
      const options = ["--clock", "real", "--engine", engine, "--timeout", "0.2", "--report", "-", "--quiet"];
      const { report, ...ended } = await reportOf(ashlar(["run", "busy.wasm", "--invoke", call, ...options]));
      t.match(ended, { code: 124, stderr: "stopped: it ran for as long as --timeout allows\n" }, `${engine} ${call}`);
      t.match(report, { outcome: "stopped", exitCode: 124, engine }, `${engine} ${call}`);
    }
  t.match(
    await ashlar(["run", "tool.wasm", "--timeout", "60"]),
    { code: 0, stdout: "hello\n" },
    "it need not be used up",
  );
  for (const wrong of ["0", "-1", "1e3", "2000001", "", "x"])
    t.match(await ashlar(["run", "tool.wasm", `--timeout=${wrong}`]), {
      code: 2,
      stderr: /^error\[CLI-USAGE\]: --timeout/,
    });
});

t.test("[CLI-STOP-2] waiting for standard input ends", { skip: !LINUX && "Linux alone" }, async (t) => {
  for (const engine of ENGINES) {
    const pipe = silentPipe();
    const args = ["script.wasm", "--engine", engine, "--report", "-", "--", "g", "ready", "i"];
    const run = stopped(args, (child) => setTimeout(() => child.kill("SIGINT"), 100), { stdin: pipe });
    const { report, ...ended } = await reportOf(run);
    t.match(ended, { signal: "SIGINT", stderr: "ready\nstopped: interrupted\n" }, engine);
    t.match(report, { outcome: "stopped", engine }, engine);
    t.ok(report.fuelUsed > 0, "in order");
    closeSync(pipe);
  }
  const writer = silentPipe();
  const reader = openSync(at("silent"), "r");
  const late = start(["run", "script.wasm", "--", "i", "i"], { stdin: reader });
  closeSync(reader);
  let text = "";
  late.stdout!.on("data", (bytes) => {
    text += bytes;
  });
  await new Promise((resolve) => setTimeout(resolve, 200));
  writeSync(writer, "x".repeat(4097));
  closeSync(writer);
  await once(late, "close");
  t.equal(text, `[${"x".repeat(4096)}][x]`, "input that comes late is not lost");
});

t.test(
  "[CLI-STOP-4] a call that does not end: a note, and the second signal",
  { skip: !LINUX && "Linux alone" },
  async (t) => {
    // The pipe of the child is a socket, whose reads nothing ends.
    const args = ["run", "script.wasm", "--report", "report.json", "--", "g", "ready", "i"];
    const child = start(args);
    let stderr = "";
    child.stderr!.on("data", (text) => {
      stderr += text;
      // The guest is to be in its read by then: before it, it would simply stop.
      if (stderr === "ready\n") setTimeout(() => child.kill("SIGINT"), 1000);
      else if (/Ctrl-C again/.test(text)) child.kill("SIGINT");
    });
    t.strictSame(await once(child, "close"), [null, "SIGINT"]);
    t.match(stderr, /^ready\nstopping: .*Ctrl-C again.*\n$/);
    t.equal(readFileSync(at("report.json"), "utf8"), "");
    const timed = start([...args.slice(0, 3), "report.json", "--timeout", "3", ...args.slice(4)]);
    t.strictSame(await once(timed, "close"), [null, "SIGKILL"]);
    t.match(JSON.parse(readFileSync(at("report.json"), "utf8")), { outcome: "stopped", exitCode: 124, fuelUsed: null });
  },
);

t.test("[CLI-STOP-2] nothing is left half-written", async (t) => {
  mkdirSync(at("w"));
  writeFileSync(at("w/f"), "as it was");
  for (const engine of ENGINES) {
    const files = ["--record", "run.rec", "--trace-file", "trace.txt", "--trace-json", "--report", "report.json"];
    const args = ["busy.wasm", "--invoke", "write", "--engine", engine, "--tmp", "/w=w", ...files];
    const ended = await stopped(args, (child) => setTimeout(() => child.kill("SIGINT"), 150));
    t.match(
      ended,
      { signal: "SIGINT", stderr: /^ready\nstopped: interrupted\nnote: w: nothing was copied back/ },
      engine,
    );
    t.strictSame(readdirSync(at("w")), ["f"], engine);
    t.equal(readFileSync(at("w/f"), "utf8"), "as it was", engine);
    t.match(JSON.parse(readFileSync(at("report.json"), "utf8")), { outcome: "stopped" }, engine);
    const calls = readFileSync(at("trace.txt"), "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).call);
    t.ok(calls.length > 3, engine);
    const replay = ["--replay", "run.rec", "--trace-file", "again.txt", "--trace-json"];
    const again = await ashlar(["run", "busy.wasm", ...replay]);
    t.match(again, { code: 1, stderr: /error\[ABI-RECORDING\]/ }, "the recording ends there");
    const replayed = readFileSync(at("again.txt"), "utf8").trimEnd().split("\n");
    t.ok(replayed.length >= calls.length, `${engine}: ${replayed.length} of ${calls.length} calls`);
  }
});

t.test("[CLI-STOP-3] what a guest made that has ended is kept, whenever the signal comes", async (t) => {
  mkdirSync(at("kept"));
  const words = ["f", "0400"];
  const reports = new Set<string>();
  for (let wait = 0; wait < 24 && reports.size < 2; wait++) {
    const child = start(["run", "script.wasm", "--tmp", "/w=kept", "--report", "-", "--", "g", "ready", ...words]);
    let stdout = "";
    child.stdout!.on("data", (text) => {
      stdout += text;
    });
    child.stderr!.once("data", () => setTimeout(() => child.kill("SIGINT"), 10 * wait));
    const [code] = await once(child, "close");
    const { outcome } = JSON.parse(stdout.trimEnd());
    reports.add(outcome);
    t.equal(code, outcome === "exit" ? 0 : null, outcome);
    const names = readdirSync(at("kept"));
    t.equal(names.length, outcome === "exit" || reports.has("exit") ? 400 : 0, `${outcome} after ${10 * wait} ms`);
    t.notOk(names.some((name) => name.startsWith(".")));
  }
  t.ok(reports.has("stopped"), "some came early");
});
