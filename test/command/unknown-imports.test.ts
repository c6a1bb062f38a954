/** `--unknown-imports=trap`, and what `runGuest` and embedders have for it. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { createAbi } from "../../host/abi.ts";
import { type GuestOptions, type GuestResult, runGuest } from "../../host/guest.ts";
import { trapUnknownImports } from "../../host/unknown-imports.ts";
import { loadWat } from "../../host/wat.ts";
import { traceJson, traceLine } from "../../syscalls/trace.ts";
import { Instance } from "../../vm/instance.ts";
import { Memory } from "../../vm/memory.ts";
import { Module } from "../../vm/module.ts";
import { type Trap, TrapCode } from "../../vm/trap.ts";
import { ashlar, firstLine, reportOf, scratch, wat } from "./ashlar.ts";

const ENGINES = ["compiled", "reference"] as const;

/** Works without what it imports, but for the exports that call it. */
const GUEST = `(module
  (import "sys" "log" (func $log (param i64 i32 i32)))
  (import "bytes" "of_memory" (func $of_memory (result i64)))
  (import "js" "eval: func(code: string)" (func $eval (param i32 i64 f32 f64 externref) (result i64 f32)))
  (import "js" "\\1b[31m" (func $red))
  (import "__proto__" "toString" (func $odd (result i32)))
  (import "sys" "none" (func $none (param i32)))
  (memory (export "memory") 1)
  (table 1 funcref)
  (elem (i32.const 0) $red)
  (data (i32.const 0) "here")
  (global $count (export "count") (mut i32) (i32.const 0))
  (func $work (call $log (call $of_memory) (i32.const 0) (i32.const 4)) (global.set $count (i32.add (global.get $count) (i32.const 1))))
  (func (export "_start") (call $work))
  (func $through (export "through") (call $work)
    (call $eval (i32.const -7) (i64.const -8) (f32.const 1.5) (f64.const nan) (ref.null extern)) drop drop (call $work))
  (func (export "indirect") (call_indirect (i32.const 0)))
  (func (export "odd") (result i32) (call $odd))
  (func (export "none") (call $none (i32.const 1)))
  (export "red" (func $red)))`;
const bytes = await loadWat(GUEST);
const guest = Module.decode(bytes);

function run(name: string | undefined, options: Partial<GuestOptions> = {}): GuestResult {
  const invoke = name === undefined ? {} : { invoke: { name } };
  return runGuest({ module: guest, unknownImports: "trap", ...invoke, ...options });
}

t.test("[CLI-UNKNOWN-1] a stub traps when it is called, on both engines alike", (t) => {
  t.match(
    runGuest({ module: guest }),
    { outcome: "error", error: { code: "VM-LINK", module: "js" } },
    "not by default",
  );
  t.match(run(undefined), { outcome: "exit", exitCode: 0 }, "whoever calls none of them runs");
  const seen = ENGINES.map((engine) => {
    const lines: string[] = [];
    const log = (line: Uint8Array): void => void lines.push(Buffer.from(line).toString());
    const ended = run("through", { engine, log, stateDigest: true });
    t.equal(ended.engine, engine);
    t.strictSame(lines, ["here"], "what was done before is done");
    const { trap } = ended;
    t.match(trap, {
      code: 63,
      reason: "UnknownImport",
      message: 'call of an import that nothing provides: "js" "eval: func(code: string)"',
      resumable: false,
      backtrace: [{ name: "through", function: 8 }],
    });
    return [trap?.offset, trap?.fuel, ended.fuelUsed, ended.stateDigest];
  });
  t.strictSame(seen[0], seen[1]);
  for (const engine of ENGINES) {
    const named = (name: string): Trap | undefined => run(name, { engine }).trap;
    t.match(named("indirect"), { reason: "UnknownImport", message: /"js" "\\u001b\[31m"$/ });
    t.match(named("red"), { reason: "UnknownImport", function: -1, offset: -1 }, "called by the embedder");
    t.match(named("odd"), { reason: "UnknownImport", message: /"__proto__" "toString"$/ });
    t.match(named("none"), { reason: "UnknownImport", message: /"sys" "none"$/ });
  }
  t.equal(TrapCode.UnknownImport, 63);
  t.end();
});

t.test("[CLI-UNKNOWN-1] fuel is tested before the trap", (t) => {
  for (const engine of ENGINES) {
    const { fuelUsed } = run("through", { engine });
    t.match(run("through", { engine, fuel: fuelUsed }), { outcome: "trap", fuelUsed });
    t.match(run("through", { engine, fuel: fuelUsed - 1n }), { outcome: "out-of-fuel" });
  }
  t.end();
});

t.test("[CLI-UNKNOWN-1] everything else that is missing is a LinkError", async (t) => {
  const missing: readonly string[] = [
    '(import "env" "memory" (memory 1))',
    '(import "env" "table" (table 1 funcref))',
    '(import "env" "global" (global i32))',
    '(import "sys" "exit" (func))',
    '(import "bytes" "none" (func))',
    '(import "env" "twice" (func)) (import "env" "twice" (func (param i32)))',
  ];
  for (const text of missing) {
    const module = Module.decode(await loadWat(`(module ${text} (func (export "_start")))`));
    for (const engine of ENGINES)
      t.match(
        runGuest({ module, unknownImports: "trap", engine }),
        { outcome: "error", error: { code: "VM-LINK" } },
        text,
      );
  }
});

t.test("[CLI-UNKNOWN-2] traces show the call, and recordings remember the option", (t) => {
  for (const engine of ENGINES) {
    const pieces: Uint8Array[] = [];
    const traced: string[] = [];
    const first = run("through", {
      engine,
      record: (piece) => pieces.push(piece.slice()),
      observe: (event) => {
        traced.push(traceLine(event).trim().replace(/^\d+ /, ""));
        t.match(traceJson(event), { end: event.row.module === "js" ? "trap" : "returned" });
      },
    });
    t.equal(traced.length, 2);
    t.equal(
      traced[1],
      'js.eval: func(code: string)(-7, -8, 1.5, NaN, 0) = trap UnknownImport: "js" "eval: func(code: string)"',
    );
    const escaped: string[] = [];
    run("indirect", { engine, observe: (event) => escaped.push(traceLine(event)) });
    t.match(escaped[0], /^ +\d+ js\.\\x1b\[31m\(\) = trap UnknownImport: "js" "\\u001b\[31m"$/);
    const recording = new Uint8Array(Buffer.concat(pieces));
    for (const other of ENGINES) {
      const again = runGuest({ module: guest, replay: recording, engine: other });
      t.match(again, { outcome: "trap", fuelUsed: first.fuelUsed, trap: { code: 63, offset: first.trap?.offset } });
      t.equal(again.stateDigest, first.stateDigest);
    }
    t.throws(() => runGuest({ module: guest, replay: recording, unknownImports: "trap" }), { code: "VM-ARGUMENT" });
  }
  t.end();
});

t.test("[CLI-UNKNOWN-3] for those who instantiate by themselves, also from a snapshot", (t) => {
  for (const engine of ENGINES) {
    const abi = createAbi();
    const memory = new Memory({ minimum: 1, maximum: undefined }, 1);
    const imports = trapUnknownImports(guest, { ...abi.imports, other: { memory } });
    t.strictSame(Object.keys(imports), ["sys", "js", "__proto__"], "what it does not import is not there");
    t.equal(imports.sys?.log, abi.imports.sys?.log);
    const instance = guest.instantiate({ ...abi, imports, engine });
    t.throws(() => instance.invoke("through"), { code: TrapCode.UnknownImport });
    t.equal(instance.global("count").value, 1, "the instance goes on after the trap");
    const again = createAbi();
    const restored = Instance.restore(guest, instance.snapshot(), {
      ...again,
      imports: trapUnknownImports(guest, again.imports),
      engine,
    });
    t.throws(() => restored.invoke("through"), { code: TrapCode.UnknownImport });
    t.equal(restored.global("count").value, 2);
    t.equal(restored.fuelUsed > instance.fuelUsed, true);
  }
  t.end();
});

t.test("[CLI-UNKNOWN-1, CLI-UNKNOWN-2] the command: run, inspect, build, record and replay", async (t) => {
  writeFileSync(join(scratch, "unknown.wasm"), bytes);
  const bare = await ashlar(["run", "unknown.wasm"]);
  t.equal(bare.code, 1);
  t.match(bare.stderr, /^error\[VM-LINK\]: .*\n.*\n.*--unknown-imports=trap/);
  t.match(await ashlar(["run", "--unknown-imports=trap", "unknown.wasm"]), { code: 0, stderr: "here\n" });
  const flags = ["--unknown-imports", "trap", "--invoke", "through", "--report", "-", "--quiet"];
  const { report, code } = await reportOf(ashlar(["run", ...flags, "--record", "unknown.rec", "unknown.wasm"]));
  t.equal(code, 134);
  t.match(report, { outcome: "trap", trap: { code: 63, name: "UnknownImport" } });
  const again = await reportOf(ashlar(["run", "--replay", "unknown.rec", "--report", "-", "unknown.wasm"]));
  t.match(again.report, { outcome: "trap", trap: report.trap, fuelUsed: report.fuelUsed });
  const both = await ashlar(["run", "--replay", "unknown.rec", "--unknown-imports=trap", "unknown.wasm"]);
  t.match(both, { code: 2 });
  t.match(firstLine(both), "--unknown-imports");
  const text = await ashlar(["run", "--unknown-imports=trap", "--invoke=indirect", "unknown.wasm"]);
  t.match(firstLine(text), 'trap: call of an import that nothing provides: "js" "\\u001b[31m" [UnknownImport]');
  for (const word of ["error", "", "TRAP"])
    t.match(await ashlar(["run", `--unknown-imports=${word}`, "unknown.wasm"]), { code: 2 }, word);

  const { stdout } = await ashlar(["inspect", "unknown.wasm"]);
  t.match(stdout, /js eval.*<- unknown: the module will not link without --unknown-imports=trap\n/);
  t.match(await ashlar(["build", "unknown.wasm", "-o", "unknown.image"]), { code: 1, stderr: /CLI-BUILD/ });
  t.match(await ashlar(["build", "--unknown-imports=trap", "unknown.wasm", "-o", "unknown.image"]), { code: 0 });
  const image = await reportOf(ashlar(["run", ...flags, "unknown.image"]));
  t.match(image.report, { outcome: "trap", trap: report.trap, fuelUsed: report.fuelUsed });
  t.equal(image.stderr.includes("note:"), false, "the code of the image is used");
  const refused = await ashlar(["run", "unknown.image"]);
  t.match(firstLine(refused), "error[VM-LINK]");
  t.equal(readFileSync(join(scratch, "unknown.image")).length > bytes.length, true);
});

t.test("[CLI-UNKNOWN-1] the cache keeps code of such a module, and gives it back", async (t) => {
  const filler = `(func (export "f") ${"(drop (i32.const 123456789))".repeat(2000)})`;
  await wat("large.wasm", `(module (import "toString" "call" (func $f)) (func (export "_start") (call $f)) ${filler})`);
  const once = (): ReturnType<typeof reportOf> =>
    reportOf(ashlar(["run", "--unknown-imports=trap", "--report=-", "large.wasm"]));
  const first = await once();
  t.match(first.report, { outcome: "trap", trap: { name: "UnknownImport" } });
  const second = await once();
  t.strictSame([second.report.trap, second.report.fuelUsed], [first.report.trap, first.report.fuelUsed]);
  t.match(await ashlar(["run", "large.wasm"]), { code: 1, stderr: /error\[VM-LINK\]/ }, "the cache links nothing");
  t.match(await ashlar(["build", "large.wasm", "-o", "large.image"]), { code: 1, stderr: /CLI-BUILD/ });
});
