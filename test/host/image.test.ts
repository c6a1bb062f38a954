/** Images: the format, what damage does, and that kept and optimised code is the guest's own. */
import { createHash } from "node:crypto";
import t from "tap";
import { createAbi } from "../../host/abi.ts";
import { loadOptimizer } from "../../host/command/optimize.ts";
import { adopt, codeMadeFor, compileGuest, kept } from "../../host/compile.ts";
import { crc32 } from "../../host/crc32.ts";
import { type GuestResult, runGuest } from "../../host/guest.ts";
import {
  type CompiledCode,
  type Image,
  isImage,
  readImage,
  readSites,
  writeImage,
  writeSites,
} from "../../host/image.ts";
import { loadWat } from "../../host/wat.ts";
import { crc32 as portableCrc32 } from "../../syscalls/crc32.ts";
import { hostLinkageOf } from "../../vm/compiled/linkage.ts";
import { rewrite } from "../../vm/compiler/rewrite.ts";
import { Module } from "../../vm/module.ts";
import { Trap } from "../../vm/trap.ts";
import type { Value } from "../../vm/value.ts";

/** Every kind of instruction that may trap, each behind arguments that choose whether it does. */
const TRAPS = await loadWat(`(module
  (import "sys" "log" (func $log (param i64 i32 i32)))
  (import "bytes" "new" (func $new (param i32) (result i64)))
  (import "bytes" "load8_u" (func $load (param i64 i32) (result i32)))
  (import "bytes" "of_memory" (func $mem (result i64)))
  (type $binary (func (param i32 i32) (result i32)))
  (memory 1 2)
  (data $passive "passive")
  (table 4 funcref)
  (elem (i32.const 0) $divide $rest)
  (elem $more func $divide)
  (global $count (mut i32) (i32.const 0))
  (func $divide (type $binary) (i32.div_s (local.get 0) (local.get 1)))
  (func $rest (type $binary) (i32.rem_u (local.get 0) (local.get 1)))
  (func $none (type $binary) unreachable)
  ;; Two that may trap in one expression: the first one must stay the first one.
  (func (export "both") (param i32 i32) (result i32)
    (local $a i32) (local $b i32)
    (local.set $a (i32.div_s (i32.const 7) (local.get 0)))
    (local.set $b (i32.load (local.get 1)))
    (i32.sub (local.get $b) (local.get $a)))
  (func (export "swapped") (param i32 i32) (result i32)
    (local $a i32) (local $b i32)
    (local.set $b (i32.load (local.get 1)))
    (local.set $a (i32.div_s (i32.const 7) (local.get 0)))
    (i32.add (local.get $a) (local.get $b)))
  ;; An effect before a trap is seen, one behind it is not.
  (func (export "effects") (param i32 i32) (result i32)
    (global.set $count (i32.add (global.get $count) (i32.const 1)))
    (i32.store (i32.const 8) (local.get 1))
    (drop (i32.trunc_f64_s (f64.div (f64.convert_i32_s (local.get 1)) (f64.convert_i32_s (local.get 0)))))
    (call $log (call $mem) (i32.const 0) (i32.const 1))
    (i32.store (i32.const 12) (i32.const 5))
    (i32.load offset=4 (local.get 1)))
  (func (export "table") (param i32 i32) (result i32)
    (call_indirect (type $binary) (local.get 1) (local.get 0) (local.get 0)))
  (func (export "bulk") (param i32 i32) (result i32)
    (memory.init $passive (local.get 0) (i32.const 1) (local.get 1))
    (memory.copy (local.get 1) (local.get 0) (i32.const 3))
    (memory.fill (local.get 0) (i32.const 7) (local.get 1))
    (table.init $more (local.get 1) (i32.const 0) (i32.const 1))
    (table.set (local.get 0) (ref.func $rest))
    (ref.is_null (table.get (local.get 1))))
  (func $deep (param i32 i32) (result i32)
    (if (i32.eqz (local.get 0)) (then (return (call $divide (i32.const 1) (local.get 1)))))
    (i32.add (i32.const 1) (call $deep (i32.sub (local.get 0) (i32.const 1)) (local.get 1))))
  (func (export "deep") (param i32 i32) (result i32) (call $deep (local.get 0) (local.get 1)))
  (func (export "refs") (param i32 i32) (result i32)
    (i32.add (call $load (call $new (i32.const 9)) (local.get 0)) (call $load (call $mem) (local.get 1))))
  (func (export "loop") (param i32 i32) (result i32)
    (loop (result i32)
      (local.set 1 (i32.div_u (local.get 1) (local.get 0)))
      (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
      (br_if 0 (local.get 0))
      (local.get 1)))
  (func (export "none") (param i32 i32) (result i32)
    (if (result i32) (local.get 0) (then (call $none (local.get 0) (local.get 1))) (else (local.get 1))))
  (elem declare func $rest))`);

const optimize = await loadOptimizer();
const IMPORTS = createAbi().imports;

function compiled(module: Module): { readonly plain: CompiledCode; readonly optimized: CompiledCode } {
  const linkage = hostLinkageOf(module, IMPORTS)!;
  const code = rewrite(module.rewriteInput, linkage);
  const { bytes, sites } = optimize(code);
  return { plain: kept(linkage, code.bytes), optimized: kept(linkage, bytes, sites) };
}

const CODE = compiled(Module.decode(TRAPS));

/** All that a run shows. */
function shown(result: GuestResult) {
  const { outcome, exitCode, results, fuelUsed, trap, stateDigest } = result;
  const site = trap && [trap.code, trap.message, trap.function, trap.offset, trap.backtrace, trap.fuel];
  return { outcome, exitCode, results, fuelUsed, site, stateDigest };
}

t.test(
  "[IMAGE-OPT-1, IMAGE-LINK-1] kept code, optimised or not, does what the module does, traps and fuel included",
  async (t) => {
    t.not(Buffer.compare(CODE.plain.bytes, CODE.optimized.bytes), 0, "something was optimised");
    const operands = [0, 3, 65_533, -1];
    let [traps, spent, ends] = [0, 0, 0];
    const codes = new Set<number>();
    for (const { name } of Module.decode(TRAPS).exports)
      for (const a of operands)
        for (const b of operands) {
          const values: Value[] = [a, b];
          const notes: string[] = [];
          const run = (options: object): GuestResult =>
            runGuest({
              module: Module.decode(TRAPS),
              invoke: { name, values },
              stateDigest: true,
              note: (text) => notes.push(text),
              ...options,
            });
          for (const fuel of [100_000n, 40n, 9n]) {
            const wanted = run({ engine: "reference", fuel });
            for (const [kind, code] of Object.entries(CODE))
              t.strictSame(shown(run({ code, fuel })), shown(wanted), `${kind} ${name}(${a}, ${b}) with ${fuel}`);
            if (wanted.outcome === "trap") traps++;
            else if (wanted.outcome === "out-of-fuel") spent++;
            else ends++;
            if (wanted.trap) codes.add(wanted.trap.code);
          }
          t.strictSame(notes, [], "the code was used");
        }
    t.ok(traps > 90 && spent > 20 && ends > 40, `${traps} traps, ${spent} without fuel, ${ends} ends`);
    t.ok(codes.size >= 9, `trap codes ${[...codes].join()}`);
    const before = runGuest({ module: TRAPS, invoke: { name: "both", values: [0, -1] } }).trap;
    t.ok(before instanceof Trap && before.reason === "IntegerDivideByZero", "the first of two");
  },
);

t.test("[IMAGE-LINK-1] code of another compiler, or for other imports, is not used", async (t) => {
  const module = Module.decode(TRAPS);
  t.equal(adopt(module, IMPORTS, CODE.plain), true);
  t.equal(adopt(module, IMPORTS, { ...CODE.plain, compiler: CODE.plain.compiler + 1 }), false);
  t.equal(
    adopt(module, { ...IMPORTS, sys: { ...IMPORTS.sys, log: { ...IMPORTS.sys!.log!, fuel: 1 } } }, CODE.plain),
    false,
  );
  const notes: string[] = [];
  const kept: CompiledCode[] = [];
  const old = { ...CODE.optimized, compiler: 0 };
  const options = {
    module: TRAPS,
    invoke: { name: "loop", values: [3, 60] },
    keepCode: (code: CompiledCode) => kept.push(code),
  };
  const ended = runGuest({ ...options, code: old, note: (text) => notes.push(text) });
  t.match(ended, { outcome: "exit", results: [10] });
  t.match(notes, [/compiled code.*made anew/]);
  t.strictSame(
    kept.map(({ bytes }) => bytes),
    [CODE.plain.bytes],
    "what was made anew is handed on",
  );
  runGuest({ ...options, code: CODE.plain });
  runGuest({ ...options, engine: "reference" });
  t.equal(kept.length, 1, "nothing was made");
  t.equal(codeMadeFor(Module.decode(TRAPS), IMPORTS), undefined);
});

t.test("[IMAGE-FILE-1, IMAGE-SITES-1] what is written is read", async (t) => {
  for (const code of Object.values(CODE))
    for (const [module, snapshot] of [
      [TRAPS, undefined],
      [new Uint8Array(0), undefined],
      [TRAPS, Uint8Array.of(1, 2, 3)],
    ] as const) {
      const bytes = writeImage({ module, code, snapshot });
      t.ok(isImage(bytes));
      const read = readImage(bytes);
      t.strictSame(
        {
          ...read,
          module: Uint8Array.from(read.module),
          code: { ...read.code, bytes: Uint8Array.from(read.code.bytes) },
          snapshot: read.snapshot && Uint8Array.from(read.snapshot),
        },
        { module, digest: createHash("sha256").update(module).digest("hex"), code, snapshot },
      );
      t.strictSame([...bytes.subarray(0, 12)], [0x89, 0x41, 0x53, 0x48, 0x49, 0x0d, 0x0a, 0x1a, 2, 0, 0, 0]);
      const view = new DataView(bytes.buffer);
      t.equal(view.getUint32(12, true), code.sites === undefined ? 0 : 1);
      t.equal(view.getUint32(16, true), code.compiler);
    }
  const site = (offset: number, at: number, trap: number) => ({ offset, site: { offset: at, trap } });
  const sites = new Map([
    [3, [site(70, 20, 1), site(300, 9, 0)]],
    [200, [site(1_000_000, 2_000_000, 52)]],
  ]) as Parameters<typeof writeSites>[0] & ReadonlyMap<number, object>;
  const bytes = writeSites(sites);
  t.strictSame([...bytes.subarray(0, 9)], [3, 2, 70, 20, 1, 0xe6, 0x01, 0x75, 0]);
  t.strictSame(readSites(bytes), sites);
});

t.test("[IMAGE-FILE-2] every byte that is changed, and every other length, is noticed", async (t) => {
  const small = await loadWat('(module (func (export "_start")))');
  const linkage = hostLinkageOf(Module.decode(small), IMPORTS)!;
  const code = rewrite(Module.decode(small).rewriteInput, linkage);
  const images: Image[] = [
    { module: small, code: kept(linkage, code.bytes) },
    { module: small, code: kept(linkage, optimize(code).bytes, optimize(code).sites), snapshot: Uint8Array.of(7, 7) },
  ];
  let refused = 0;
  for (const image of images) {
    const bytes = writeImage(image);
    for (let at = 0; at < bytes.length; at++)
      for (const bit of [1, 0x10, 0x80, 0xff]) {
        const damaged = Uint8Array.from(bytes);
        damaged[at]! ^= bit;
        t.throws(() => readImage(damaged), { code: "VM-IMAGE" }, `byte ${at}`);
        refused++;
      }
    for (let length = 0; length < bytes.length; length++)
      t.throws(() => readImage(bytes.slice(0, length)), { code: "VM-IMAGE" }, `cut at ${length}`);
    t.throws(() => readImage(Uint8Array.from([...bytes, 0])), { code: "VM-IMAGE" }, "a byte too many");
  }
  t.ok(refused > 1_000);
});

const SUM = await loadWat(`(module (func (export "sum") (param i32) (result i32)
  (if (result i32) (i32.eqz (local.get 0)) (then (i32.const 0))
    (else (i32.add (local.get 0) (call 0 (i32.sub (local.get 0) (i32.const 1))))))))`);

t.test("[IMAGE-FILE-3] a module that was found valid is looked at again when somebody wants its code", async (t) => {
  const invalid = Uint8Array.from(SUM);
  // An instruction of the only body becomes one that there is not.
  const { bodies } = Module.decode(SUM).structure;
  invalid[bodies[0]!.code] = 0xff;
  t.throws(() => Module.decode(invalid), { code: "VM-DECODE" });
  const code = compileGuest(Module.decode(SUM), {})!;
  const options = { module: invalid, invoke: { name: "sum", values: [4] } };
  t.match(runGuest({ ...options, code }), { outcome: "exit", results: [10] });
  t.match(runGuest({ ...options, code, engine: "reference" }), { outcome: "error", error: { code: "VM-DECODE" } });
  t.match(runGuest({ ...options, code: { ...code, compiler: 1 } }), { outcome: "error", error: { code: "VM-DECODE" } });
  const known = Module.known(SUM);
  t.equal(known.digest, Module.decode(SUM).digest);
  t.strictSame(known.structure.bodies, bodies);
  t.strictSame(known.declared, Module.decode(SUM).declared);
});

t.test("[IMAGE-FILE-1] the checksum, where Node.js has none and where it has", async (t) => {
  const check = new TextEncoder().encode("123456789");
  const without = (bytes: Uint8Array, before = 0) => portableCrc32(before, bytes);
  for (const crc of [crc32, without]) {
    t.equal(crc(check), 0xcbf43926);
    t.equal(crc(check.subarray(4), crc(check.subarray(0, 4))), 0xcbf43926);
    t.equal(crc(new Uint8Array(0)), 0);
  }
});
