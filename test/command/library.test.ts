/** Modules that want to be initialised before anything of them is called. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { type GuestOptions, type GuestResult, runGuest } from "../../host/guest.ts";
import { loadWat } from "../../host/wat.ts";
import { Module } from "../../vm/module.ts";
import { ashlar, firstLine, reportOf, scratch } from "./ashlar.ts";

const ENGINES = ["compiled", "reference"] as const;

async function module(fields: string): Promise<Module> {
  return Module.decode(await loadWat(`(module ${fields})`));
}

/** `sum` answers how often, and with what, the module was initialised. */
const LIBRARY = `
  (import "sys" "exit" (func $exit (param i32)))
  (global $sum (mut i32) (i32.const 1))
  (func (export "_initialize") (global.set $sum (i32.mul (global.get $sum) (i32.const 10))))
  (func (export "sum") (param i32) (result i32) (i32.add (global.get $sum) (local.get 0)))
  (func (export "quit") (call $exit (i32.const 3)))`;
const library = await module(LIBRARY);

function call(name: string, options: Partial<GuestOptions> = {}): GuestResult {
  const values = name === "sum" ? [5] : [];
  return runGuest({ module: library, invoke: { name, values }, ...options });
}

t.test("[CLI-LIBRARY-1] _initialize is called before what is asked for, once", async (t) => {
  for (const engine of ENGINES) {
    t.match(call("sum", { engine }), { outcome: "exit", exitCode: 0, results: [15], invoked: "sum", engine });
    t.match(call("_initialize", { engine }), { outcome: "exit", results: [], invoked: "_initialize" });
    t.match(call("quit", { engine }), { outcome: "exit", exitCode: 3 });
  }
  const main = await module(`${LIBRARY} (func (export "main") (result i32) (global.get $sum))`);
  t.match(runGuest({ module: main }), { outcome: "exit", exitCode: 10, invoked: undefined });
  const command = await module(`${LIBRARY} (func (export "_start") (call $exit (global.get $sum)))`);
  t.match(runGuest({ module: command }), { exitCode: 1 }, "one that exports both is a command");
  t.match(runGuest({ module: command, invoke: { name: "sum", values: [5] } }), { results: [6] });
  const noFunctions = await module(
    `(global (export "_start") i32 (i32.const 0)) (func (export "_initialize") unreachable) (func (export "main"))`,
  );
  t.match(runGuest({ module: noFunctions }), { outcome: "trap" }, "what is exported as _start is a function");
});

t.test("[CLI-LIBRARY-1] fuel, depth and digest are those of one run on either engine", (t) => {
  const [compiled, reference] = ENGINES.map((engine) => call("sum", { engine, stateDigest: true }));
  t.strictSame([compiled?.fuelUsed, compiled?.stateDigest], [reference?.fuelUsed, reference?.stateDigest]);
  t.equal(compiled?.fuelUsed, 7n, "four instructions and three");
  for (const engine of ENGINES) {
    t.match(call("sum", { engine, fuel: 7n }), { outcome: "exit" });
    t.match(call("sum", { engine, fuel: 6n }), { outcome: "out-of-fuel" });
    t.match(call("sum", { engine, fuel: 1n }), {
      outcome: "out-of-fuel",
      trap: { backtrace: [{ name: "_initialize" }] },
    });
  }
  t.end();
});

t.test("[CLI-LIBRARY-1] what ends in _initialize goes no further", async (t) => {
  const ends: [string, Partial<GuestResult> | object][] = [
    ["(call $exit (i32.const 4))", { outcome: "exit", exitCode: 4, results: [] }],
    ["unreachable", { outcome: "trap", exitCode: 134, trap: { reason: "Unreachable" } }],
  ];
  for (const [body, expected] of ends) {
    const ending = await module(`
      (import "sys" "exit" (func $exit (param i32)))
      (func (export "_initialize") ${body})
      (func (export "f") (call $exit (i32.const 9)))`);
    for (const engine of ENGINES) t.match(runGuest({ module: ending, invoke: { name: "f" }, engine }), expected, body);
  }
});

t.test("[CLI-LIBRARY-1] a type of another kind, and a library of which nothing is asked", async (t) => {
  const typed = await module(`(func (export "_initialize") (param i32)) (func (export "f"))`);
  t.match(runGuest({ module: typed, invoke: { name: "f" } }), { outcome: "error", error: { code: "CLI-ENTRY" } });
  const asked = runGuest({ module: library });
  t.match(asked, {
    outcome: "error",
    fuelUsed: 0n,
    error: { code: "CLI-ENTRY", message: /_initialize and no _start/ },
  });
  t.match(call("none"), { outcome: "error", error: { code: "VM-NO-EXPORT" } });
});

t.test("[CLI-LIBRARY-1, CLI-REPLAY-1] recorded and replayed", (t) => {
  for (const name of ["sum", "_initialize", "quit"]) {
    const pieces: Uint8Array[] = [];
    const first = call(name, { record: (piece) => pieces.push(piece.slice()) });
    for (const engine of ENGINES) {
      const again = runGuest({ module: library, replay: new Uint8Array(Buffer.concat(pieces)), engine });
      const { outcome, exitCode, results, fuelUsed, stateDigest } = first;
      t.match(again, { outcome, exitCode, results, fuelUsed, stateDigest, invoked: name }, name);
    }
  }
  t.end();
});

t.test("[CLI-LIBRARY-1, CLI-INVOKE-1] the command", async (t) => {
  writeFileSync(join(scratch, "library.wasm"), library.structure.bytes);
  t.match(await ashlar(["run", "--invoke", "sum(7)", "library.wasm"]), { code: 0, stdout: "17\n" });
  const bare = await reportOf(ashlar(["run", "--report", "-", "library.wasm"]));
  t.match(bare, { code: 1, report: { outcome: "error", error: { code: "CLI-ENTRY" } } });
  t.match(firstLine(await ashlar(["run", "library.wasm"])), /^error\[CLI-ENTRY\]: The module is a library/);
});
