/** Guests made ready: a run that begins with a snapshot is the run that would have begun with what made it. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { createAbi } from "../../host/abi.ts";
import { compileGuest } from "../../host/compile.ts";
import { type GuestOptions, type GuestResult, type OwnSyscalls, runGuest } from "../../host/guest.ts";
import { readImage, writeImage } from "../../host/image.ts";
import { loadWat } from "../../host/wat.ts";
import type { HostFunction } from "../../vm/function.ts";
import type { Kind } from "../../vm/heap.ts";
import { Module } from "../../vm/module.ts";

const ENGINES = ["compiled", "reference"] as const;
const root = t.testdir({ one: { a: "first" }, two: { a: "first" }, other: { a: "another" } });

/** `warm` opens the file `a` and changes whatever a snapshot holds; `use` reads from the file and adds everything up. */
const GUEST = await loadWat(`(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "bytes" "new" (func $new (param i32) (result i64)))
  (import "bytes" "store8" (func $store (param i64 i32 i32)))
  (import "bytes" "load8_u" (func $load (param i64 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 100) "a")
  (data $late "xyz")
  (table $t 4 8 funcref)
  (elem (i32.const 0) $one)
  (global $n (mut i32) (i32.const 0))
  (global $object (mut i64) (i64.const 0))
  (type $number (func (result i32)))
  (func $one (type $number) (i32.const 1))
  (func $two (type $number) (i32.const 2))
  (elem declare func $two)
  (func (export "_initialize") (global.set $n (i32.add (global.get $n) (i32.const 1000))))
  (func $warm (export "warm") (result i32)
    (global.set $n (i32.add (global.get $n) (i32.const 10)))
    (drop (memory.grow (i32.const 2)))
    (i32.store (i32.const 150000) (i32.const 100))
    (memory.init $late (i32.const 180000) (i32.const 0) (i32.const 3)) (data.drop $late)
    (drop (table.grow $t (ref.func $two) (i32.const 2)))
    (table.set (i32.const 2) (ref.func $two))
    (global.set $object (call $new (i32.const 8)))
    (call $store (global.get $object) (i32.const 3) (i32.const 77))
    (call $open (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 1) (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 200)))
  (func (export "more") (global.set $n (i32.add (global.get $n) (i32.const 100000))))
  (func (export "use") (result i32)
    (i32.store (i32.const 0) (i32.const 300)) (i32.store (i32.const 4) (i32.const 16))
    (i32.store (i32.const 16) (call $read (i32.load (i32.const 200)) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.store (i32.const 4) (i32.load (i32.const 8)))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (i32.add (i32.mul (i32.load (i32.const 16)) (i32.const 1000000))
    (i32.add (global.get $n)
    (i32.add (i32.load (i32.const 150000))
    (i32.add (call $load (global.get $object) (i32.const 3))
    (i32.add (call_indirect (type $number) (i32.const 2)) (call_indirect (type $number) (i32.const 5))))))))
  (func (export "now") (result i64) (drop (call $clock (i32.const 0) (i64.const 0) (i32.const 24))) (i64.load (i32.const 24)))
  (func (export "trap") (global.set $n (i32.const 5)) unreachable)
  (func (export "leave") (call $exit (i32.const 3)))
  (func (export "takes") (param i32))
  (func (export "forever") (loop (br 0))))`);

const grantsOf = (name: string) => ({ dirs: [{ host: join(root, name), guest: "/" }] });
const ready = (preinit: readonly string[], more: Partial<GuestOptions> = {}): GuestResult =>
  runGuest({ module: GUEST, preinit, grants: grantsOf("one"), ...more });
const SNAPSHOT = ready(["warm"]).snapshot!;
/** 1000 + 10 of the global, 100 of the memory, 77 of the object, 2 and 2 of the table; nothing of a status. */
const RESULT = 1000 + 10 + 100 + 77 + 4;
const use = (more: Partial<GuestOptions> = {}): GuestResult =>
  runGuest({ module: GUEST, snapshot: SNAPSHOT, invoke: { name: "use" }, grants: grantsOf("one"), ...more });

t.test("[IMAGE-PREINIT-1] the initializer and the exports are called, and a snapshot taken", async (t) => {
  for (const engine of ENGINES) {
    const { snapshot, ...made } = ready(["warm"], { engine });
    t.match(made, { outcome: "exit", exitCode: 0, results: [], engine });
    t.strictSame(snapshot, SNAPSHOT, "the same from either engine");
  }
  const more = ready(["warm", "more", "_initialize", "more"]).snapshot!;
  t.match(use({ snapshot: more }), { results: [RESULT + 200_000] }, "in their order; the initializer once");
  t.not(ready([]).snapshot, undefined, "the initializer alone");
  t.equal(use().snapshot, undefined);
  mkdirSync(join(root, "tmp"));
  writeFileSync(join(root, "tmp/a"), "copied");
  const tmp = { tmp: [{ guest: "/", host: join(root, "tmp") }] };
  const { snapshot } = ready(["warm"], { grants: tmp });
  writeFileSync(join(root, "tmp/a"), "changed since");
  t.equal(new TextDecoder().decode(use({ snapshot: snapshot!, grants: tmp }).stdout), "copied");
  t.equal(readFileSync(join(root, "tmp/a"), "utf8"), "copied", "only the run has ended");
});

t.test("[IMAGE-PREINIT-2] the run is the one that would have begun with these calls", async (t) => {
  const module = Module.decode(GUEST);
  for (const engine of ENGINES) {
    const whole = runGuest({
      module,
      snapshot: SNAPSHOT,
      invoke: { name: "use" },
      grants: grantsOf("one"),
      engine,
      stateDigest: true,
    });
    t.match(whole, { outcome: "exit", results: [RESULT], engine });
    t.equal(new TextDecoder().decode(whole.stdout), "first");
    const { imports, ...abi } = createAbi({ stdin: new Uint8Array(0), stdout: () => {}, stderr: () => {} });
    const bare = module.instantiate({ ...abi, imports, engine });
    for (const name of ["_initialize", "warm"]) bare.invoke(name);
    const without = runGuest({ module, preinit: ["warm"], engine });
    t.equal(without.fuelUsed, bare.fuelUsed);
    bare.invoke("use");
    const after = use({ snapshot: without.snapshot!, grants: {}, engine, stateDigest: true });
    t.equal(after.fuelUsed, bare.fuelUsed);
    t.equal(after.stateDigest, bare.stateDigest());
    // 1 ns for each unit of fuel, those of before included.
    const time = use({ invoke: { name: "now" }, engine }).results[0] as bigint;
    t.ok(time > ready(["warm"]).fuelUsed, `${time}`);
  }
  const twice = ENGINES.map((engine) => use({ engine, stateDigest: true, profile: engine === "reference" }));
  t.equal(twice[0]!.stateDigest, twice[1]!.stateDigest);
  t.equal(twice[0]!.fuelUsed, twice[1]!.fuelUsed);
  const [first] = twice[1]!.profile!;
  t.match(first, { depth: 1, name: "(instantiation)", fuel: Number(ready(["warm"]).fuelUsed) });
  t.match(use({ code: compileGuest(module, createAbi().imports)! }), { results: [RESULT] });
  t.match(use({ grants: grantsOf("two") }), { results: [RESULT] }, "the same name and contents");
  const STALE = 72 * 1_000_000;
  for (const grants of [grantsOf("other"), {}, { dirs: [{ host: join(root, "one"), guest: "/else" }] }])
    t.match(use({ grants }), { results: [RESULT + STALE] }, "ESTALE");
  const image = readImage(
    writeImage({ module: GUEST, code: compileGuest(module, createAbi().imports)!, snapshot: SNAPSHOT }),
  );
  for (const engine of ENGINES)
    t.match(use({ module: image.module, code: image.code, snapshot: image.snapshot!, engine }), {
      results: [RESULT],
      engine,
    });
});

t.test("[IMAGE-PREINIT-3, VM-SNAPSHOT-7] fuel counts on, and limits are the run's", async (t) => {
  const { fuelUsed: before } = ready(["warm"]);
  const { fuelUsed } = use();
  t.ok(before > 1000n && fuelUsed > before);
  for (const engine of ENGINES) {
    t.match(use({ engine, fuel: fuelUsed }), { outcome: "exit", fuelUsed });
    t.match(use({ engine, fuel: fuelUsed - 1n }), { outcome: "out-of-fuel", fuelUsed });
    t.match(use({ engine, fuel: 1n }), { outcome: "out-of-fuel" });
    t.match(use({ engine, fuel: fuelUsed, snapshot: ready(["warm"], { fuel: before }).snapshot! }), {
      outcome: "exit",
    });
    t.match(use({ engine, snapshot: ready(["warm"], { fuel: before }).snapshot! }), { outcome: "exit", fuelUsed });
    t.match(use({ engine, limits: { memoryPages: 2 } }), { outcome: "error", error: { code: "VM-SNAPSHOT" } });
    t.match(use({ engine, limits: { depth: 5 } }), { outcome: "trap", trap: { reason: "StackExhausted" } });
    t.match(use({ engine, limits: { heapObjects: 1 } }), { outcome: "error", error: { code: "VM-SNAPSHOT" } });
  }
  t.match(use({ invoke: { name: "forever" }, fuel: 1_000_000n }), { outcome: "out-of-fuel" });
});

t.test("[IMAGE-PREINIT-4] what cannot be made ready, and what cannot begin so", async (t) => {
  for (const engine of ENGINES) {
    t.match(ready(["warm", "trap"], { engine }), { outcome: "trap", exitCode: 134, snapshot: undefined });
    t.match(ready(["forever"], { engine, fuel: 1_000_000n }), { outcome: "out-of-fuel", snapshot: undefined });
    t.match(ready(["leave"], { engine }), { outcome: "exit", exitCode: 3, snapshot: undefined });
    t.match(ready(["nothing"], { engine }), { outcome: "error", error: { code: "VM-NO-EXPORT" } });
    t.match(ready(["memory"], { engine }), { outcome: "error", error: { code: "VM-NO-EXPORT" } });
    t.match(ready(["takes"], { engine }), { outcome: "error", error: { code: "CLI-ENTRY" } });
  }
  const stateful = await loadWat(`(module (import "own" "hold" (func $hold)) (func (export "hold") (call $hold)))`);
  const kind: Kind = {
    id: 100,
    name: "own",
    create: "own.hold",
    read: "none: a test's",
    update: "none: a test's",
    destroy: "none: a test's",
  };
  const call: HostFunction["call"] = ({ heap }) => void heap.create(kind.id, {});
  const hold: HostFunction = { type: { params: [], results: [] }, fuel: 1, mayFree: false, call };
  const own = (): OwnSyscalls => ({ imports: { own: { hold } }, kinds: [kind] });
  t.match(
    runGuest({ module: stateful, preinit: ["hold"], syscalls: [own] }),
    { outcome: "error", error: { code: "VM-SNAPSHOT" } },
    "a handle that cannot be saved",
  );
  const damaged = Uint8Array.from(SNAPSHOT).subarray(0, 200);
  t.match(use({ snapshot: damaged }), { outcome: "error", error: { code: "VM-SNAPSHOT" } });
  for (const at of [100, SNAPSHOT.length >> 1, SNAPSHOT.length - 1]) {
    const changed = SNAPSHOT.slice();
    changed[at]! ^= 1;
    t.match(use({ snapshot: changed }), { outcome: "error", error: { code: "VM-SNAPSHOT", message: /checksum/ } });
  }
  const other = await loadWat('(module (func (export "use")))');
  t.match(use({ module: other }), { outcome: "error", error: { code: "VM-SNAPSHOT" } });
  for (const wrong of [
    { record: () => {} },
    { preinit: [] },
    { preinit: [], snapshot: undefined, record: () => {} },
    { preinit: [], snapshot: undefined },
  ] as Partial<GuestOptions>[])
    t.throws(() => use(wrong), { code: "VM-ARGUMENT" });
});
