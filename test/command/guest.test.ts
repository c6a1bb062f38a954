/** `runGuest`, and the example that embeds it. */
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import t from "tap";
import { COLLECTED_BYTES, type GuestOptions, type GuestResult, runGuest } from "../../host/guest.ts";
import { loadWat } from "../../host/wat.ts";
import { type DefineOptions, defineSyscalls } from "../../syscalls/define.ts";
import type { CallEvent } from "../../syscalls/observe.ts";
import { createRecorder, outcomeOf } from "../../syscalls/recording.ts";
import { Status } from "../../syscalls/status.ts";
import { Module } from "../../vm/module.ts";
import { SCRIPT } from "./script.ts";
import { TOOL } from "./tool.ts";

const script = Module.decode(await loadWat(SCRIPT));
const tool = Module.decode(await loadWat(TOOL));
const scratch = mkdtempSync(join(tmpdir(), "ashlar-guest-"));
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

function run(args: readonly string[], options: Partial<GuestOptions> = {}): GuestResult {
  return runGuest({ module: script, args, ...options });
}

t.test("[CLI-GUEST-1] every end is a result", async (t) => {
  const bytes = await loadWat(SCRIPT);
  t.match(runGuest({ module: bytes, args: ["v"] }), { outcome: "exit", exitCode: 0, results: [] });
  t.match(run(["p", "/x"], { grants: { tmp: [{ guest: "/" }] } }), { outcome: "exit", exitCode: Status.NOT_FOUND });
  t.match(run(["p", "/x"]), { outcome: "trap", exitCode: 134, trap: { reason: "MissingCapability" } });
  t.match(run(["T"]), { outcome: "trap", exitCode: 134, trap: { reason: "Unreachable" } });
  const starved = run(["L"], { fuel: 1000n });
  t.match(starved, { outcome: "out-of-fuel", exitCode: 134, trap: { reason: "OutOfFuel" } });
  t.ok(starved.fuelUsed > 1000n);
  const failures: [GuestOptions, string][] = [
    [{ module: Uint8Array.of(1, 2, 3) }, "VM-DECODE"],
    [{ module: await loadWat("(module)") }, "CLI-ENTRY"],
    [{ module: await loadWat('(module (func (export "main") (param i32)))') }, "CLI-ENTRY"],
    [{ module: await loadWat('(module (import "env" "abort" (func)) (func (export "_start")))') }, "VM-LINK"],
    [{ module: tool, invoke: { name: "none" } }, "VM-NO-EXPORT"],
    [{ module: tool, invoke: { name: "descend", values: [1, 2] } }, "VM-ARGUMENT"],
    [{ module: tool, replay: Uint8Array.of(1) }, "ABI-RECORDING"],
  ];
  for (const [options, code] of failures)
    t.match(runGuest(options), { outcome: "error", exitCode: 1, error: { code } }, code);
  const main = await loadWat('(module (func (export "main") (result i32) i32.const 263))');
  t.match(runGuest({ module: main }), { exitCode: 7, results: [263], invoked: undefined });
  const called = runGuest({ module: tool, invoke: { name: "descend", values: [3] }, stateDigest: true });
  t.match(called, { exitCode: 0, results: [0], invoked: "descend", stateDigest: /^[0-9a-f]{64}$/ });
});

t.test("[CLI-GUEST-1] what the guest wrote is on disk, and the recording whole, when it returns", async (t) => {
  const folder = join(scratch, "folder");
  mkdirSync(folder);
  const pieces: Uint8Array[] = [];
  const record = (piece: Uint8Array): void => void pieces.push(piece.slice());
  const grants = { tmp: [{ guest: "/t", host: folder }], clock: "real", seed: "real" } as const;
  const first = run(["w", "/t/f", "text", "c", "r"], { grants, record, fuel: 100_000n });
  t.equal(readFileSync(join(folder, "f"), "utf8"), "text");
  rmSync(join(folder, "f"));
  const again = runGuest({ module: script, replay: Buffer.concat(pieces) });
  t.equal(text(again.stdout), text(first.stdout));
  t.strictSame([again.outcome, again.fuelUsed, again.stateDigest], [first.outcome, first.fuelUsed, first.stateDigest]);
  const unwritable = run(["w", "/t/f", "text"], {
    grants,
    record: () => {
      throw new Error("no room");
    },
  });
  t.match(unwritable, { outcome: "error", error: { code: "ABI-RECORDING" } });
  t.notOk(existsSync(join(folder, "f")));
  const other = runGuest({ module: tool, replay: Buffer.concat(pieces) });
  t.match(other, { outcome: "error", error: { code: "ABI-REPLAY" } });
});

t.test("[CLI-REPLAY-1] a recording of what cannot be run is no mistake of the caller", (t) => {
  for (const about of [{ invoke: { name: "none", values: [] } }, { invoke: { name: "main" } }, { invoke: 1 }, []]) {
    const pieces: Uint8Array[] = [];
    const write = (piece: Uint8Array): void => void pieces.push(piece.slice());
    createRecorder({ module: tool.digest, about, write }).end(outcomeOf(0n, undefined, undefined));
    const ended = runGuest({ module: tool, replay: new Uint8Array(Buffer.concat(pieces)) });
    t.match(ended, { outcome: "error", error: { code: "ABI-RECORDING" } }, JSON.stringify(about));
  }
  t.end();
});

t.test("[CLI-GUEST-2] mistakes of the caller are thrown", async (t) => {
  const wrong: [Partial<GuestOptions>, string][] = [
    [{ grants: { dirs: [{ host: join(scratch, "none"), guest: "/" }] } }, "FS-GRANT"],
    [{ grants: { stdin: fileURLToPath(import.meta.url) }, stdin: new Uint8Array(0) }, "FS-GRANT"],
    [{ grants: { tmp: [{ guest: "relative" }] } }, "FS-GRANT"],
    [{ fuel: -1n }, "VM-ARGUMENT"],
    [{ limits: { depth: -1 } }, "VM-ARGUMENT"],
    [{ grants: { clock: { start: "noon" } } }, "FS-GRANT"],
    [{ replay: new Uint8Array(0), args: [] }, "VM-ARGUMENT"],
    [{ replay: new Uint8Array(0), grants: {} }, "VM-ARGUMENT"],
    [{ syscalls: [(given) => defineSyscalls({ module: "fs", rows: [] }, {}, given)] }, "ABI-TABLE"],
  ];
  for (const [options, code] of wrong)
    t.throws(() => runGuest({ module: script, ...options }), { code }, `${code} ${Object.keys(options)}`);
  // As TypeScript has it, an optional key may be there without a value.
  const { grants }: { grants: object } = { grants: { stdin: undefined, env: undefined, clock: undefined } };
  t.match(runGuest({ module: script, grants }), { outcome: "exit" });
});

t.test("[CLI-GUEST-5] an AbortSignal stops the guest before it begins, or at its next host call", async (t) => {
  for (const engine of ["compiled", "reference"] as const) {
    const lines: string[] = [];
    const before = run(["g", "a line"], { engine, signal: AbortSignal.abort(), log: (line) => lines.push(text(line)) });
    t.match(before, { outcome: "stopped", exitCode: 130, results: [], engine, trap: undefined, error: undefined });
    t.strictSame(lines, []);
    const stopper = new AbortController();
    const folder = join(scratch, `stopped-${engine}`);
    mkdirSync(folder);
    const ended = run(["w", "/f", "made", "g", "one", "g", "two", "L"], {
      engine,
      signal: stopper.signal,
      stateDigest: true,
      grants: { tmp: [{ guest: "/", host: folder }] },
      log: (line) => {
        lines.push(text(line));
        stopper.abort();
      },
    });
    t.match(ended, { outcome: "stopped", exitCode: 130, engine, stateDigest: undefined });
    t.strictSame(lines, ["one"], "the call that aborts ends, the next is not made");
    t.notOk(existsSync(join(folder, "f")), "nothing is copied back");
    t.ok(ended.fuelUsed > 0n);
  }
});

t.test("[CLI-GUEST-6, CLI-STOP-2] another thread stops the guest by two words of shared memory", async (t) => {
  const guest = new URL("../../host/guest.ts", import.meta.url).href;
  const bytes = await loadWat(TOOL);
  const source = `
    import { parentPort, workerData } from "node:worker_threads";
    import { runGuest } from ${JSON.stringify(guest)};
    const { outcome, exitCode, fuelUsed } = runGuest({
      ...workerData,
      grants: { clock: "real" },
      invoke: { name: "talk_and_loop" },
      stdout: () => parentPort.postMessage("running"),
      stderr: () => {},
    });
    parentPort.postMessage({ outcome, exitCode, fuelUsed });`;
  for (const engine of ["compiled", "reference"] as const) {
    const interrupt = new Int32Array(new SharedArrayBuffer(8));
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
      workerData: { module: bytes, engine, interrupt },
    });
    let ended: unknown;
    worker.on("message", (message) => {
      if (message === "running") Atomics.store(interrupt, 0, 1);
      else ended = message;
    });
    await once(worker, "exit");
    t.match(ended, { outcome: "stopped", exitCode: 130, fuelUsed: /^[1-9]/ }, engine);
    t.not(Atomics.load(interrupt, 1), 0, "from its end on the thread is not to be ended");
  }
  const interrupt = Int32Array.of(1, 0);
  t.match(run(["g", "never"], { interrupt, log: () => t.fail("it ran") }), { outcome: "stopped" }, "a stop before");
});

t.test("[CLI-ENGINE-1] both engines show the same, and replay one another's recordings", async (t) => {
  const engines = ["compiled", "reference"] as const;
  for (const words of [
    ["c", "r", "g", "a line", "i"],
    ["c", "T"],
    ["r", "L"],
    ["p", "/none"],
  ]) {
    const shown = (result: GuestResult) => ({
      ...result,
      durationMs: 0,
      engine: undefined,
      trap: { ...result.trap, resumable: 0 },
    });
    const [compiled, reference] = engines.map((engine) => {
      const pieces: Uint8Array[] = [];
      const record = (piece: Uint8Array): void => void pieces.push(piece.slice());
      const result = run(words, { engine, record, fuel: 100_000n, stdin: Buffer.from("typed"), log: () => {} });
      t.equal(result.engine, engine);
      return { result, recording: Buffer.concat(pieces) };
    });
    t.strictSame(shown(compiled!.result), shown(reference!.result), words.join(" "));
    t.ok(compiled!.recording.equals(reference!.recording), "the same bytes");
    for (const engine of engines)
      t.match(
        runGuest({ module: script, engine, replay: compiled!.recording }),
        { outcome: compiled!.result.outcome, fuelUsed: compiled!.result.fuelUsed, engine },
        `${engine} ${words.join(" ")}`,
      );
  }
  t.equal(run(["c"]).engine, "compiled", "by default");
});

t.test("[CLI-GUEST-3] streams: given, granted, collected, and full", async (t) => {
  t.match(text(run(["i"]).stdout), "[]");
  t.match(text(run(["i"], { stdin: Buffer.from("given") }).stdout), "[given]");
  writeFileSync(join(scratch, "in"), "granted");
  t.match(text(run(["i"], { grants: { stdin: join(scratch, "in") } }).stdout), "[granted]");
  const log: string[] = [];
  run(["g", "a line"], { log: (line) => log.push(text(line)) });
  t.strictSame(log, ["a line"]);
  const talk = runGuest({ module: tool, invoke: { name: "talk_and_exit" } });
  t.strictSame([text(talk.stdout), text(talk.stderr), talk.exitCode], ["one\nthree", "two\n", 5]);
  const taken: string[] = [];
  const stdout = (bytes: Uint8Array): void => void taken.push(text(bytes));
  t.match(runGuest({ module: tool, invoke: { name: "talk_and_exit" }, stdout }), { stdout: new Uint8Array(0) });
  t.equal(taken.join(""), "one\nthree");

  const pieces = COLLECTED_BYTES / 65_536;
  const full = runGuest({ module: tool, invoke: { name: "flood", values: [pieces] } });
  t.strictSame([full.exitCode, full.stdout.length], [0, COLLECTED_BYTES]);
  const over = runGuest({ module: tool, invoke: { name: "flood", values: [pieces + 1] } });
  t.strictSame([over.exitCode, over.stdout.length], [Status.NO_SPACE, COLLECTED_BYTES]);
});

t.test("[CLI-GUEST-4] syscalls of the embedder's own are traced, recorded and replayed", async (t) => {
  const module = await loadWat(`(module
    (import "own" "next" (func $next (result i32)))
    (func (export "pair") (result i32 i32) (call $next) (call $next)))`);
  let last = 40;
  const own = (given: DefineOptions) =>
    defineSyscalls(
      {
        module: "own",
        rows: [
          {
            name: "next",
            doc: "Counts.",
            results: [{ name: "count", type: "u32", doc: "one more than before" }],
            fuel: 10,
          },
        ],
      },
      { next: () => ++last },
      given,
    );
  const pieces: Uint8Array[] = [];
  const events: CallEvent[] = [];
  const invoke = { name: "pair" };
  const first = runGuest({
    module,
    invoke,
    syscalls: [own],
    observe: (event) => events.push(event),
    record: (piece) => pieces.push(piece.slice()),
  });
  t.match(first, { outcome: "exit", results: [41, 42] });
  t.strictSame(
    events.map(({ row, end }) => [row.name, end.type === "returned" && end.results[0]]),
    [
      ["next", 41],
      ["next", 42],
    ],
  );
  const again = runGuest({ module, syscalls: [own], replay: Buffer.concat(pieces) });
  t.match(again, { outcome: "exit", results: [41, 42], invoked: "pair", fuelUsed: first.fuelUsed });
  t.equal(last, 42, "nothing was called");
});

t.test("[CLI-GUEST-4] the example says what its README says", async (t) => {
  const example = fileURLToPath(new URL("../../examples/embed/", import.meta.url));
  const output = execFileSync(process.execPath, [join(example, "embed.ts")], { encoding: "utf8" });
  t.match(output, /^first visit: exit, OK, 1210 fuel, 210 cents left\n/);
  t.ok(readFileSync(join(example, "README.md"), "utf8").includes(`\n${output}\`\`\``));
});
