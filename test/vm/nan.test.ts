/** NaNs that arithmetic makes, on every way to where their bits show; and NaNs that only move, which keep theirs. */
import t, { type Test } from "tap";
import { loadWat } from "../../host/wat.ts";
import { Module } from "../../vm/index.ts";
import { LOOK } from "../../vm/tuning.ts";
import { ENGINES } from "./compare.ts";

const GIVEN = "(f64.load (i32.const 8))";
const SHOW = "(i64.reinterpret_f64 (local.get $x))";
/** `$x` holds a float that only moved, too: so it is exact where ways meet. */
const MIXED = `(local.set $x ${GIVEN})`;

/** Bodies with a parameter `$i`, and `NAN` for an operand; each shows as an i64 what it makes of it. */
const WAYS: { readonly [way: string]: string } = {
  "straight on": `(local.set $x NAN) ${SHOW}`,
  "a local of arithmetic alone": `(local.set $y NAN) (i64.reinterpret_f64 (local.get $y))`,
  "a parameter": `(local.set $p NAN) (i64.reinterpret_f64 (local.get $p))`,
  tee: `(drop (f64.sqrt (local.tee $x NAN))) ${SHOW}`,
  "over other operands": `NAN (i32.const 1) (f64.const 2) (i64.const 3) drop drop drop i64.reinterpret_f64`,
  "an exact one over it": `NAN (global.set $g ${GIVEN}) i64.reinterpret_f64`,
  "into a block": `(local.set $x NAN) (block (nop)) ${SHOW}`,
  "out of a block": `(block (local.set $x NAN)) ${SHOW}`,
  "br out of a block": `(block (local.set $x NAN) (br 0)) ${SHOW}`,
  "br_if out of a block": `(block (local.set $x NAN) (br_if 0 (i32.eqz (local.get $i))) (local.set $x (f64.const 1))) ${SHOW}`,
  "behind br_if": `(block (local.set $x NAN) (br_if 0 (local.get $i)) (i64.store (i32.const 24) ${SHOW})) (i64.load (i32.const 24))`,
  "br_table to a block": `(block (block (local.set $x NAN) (br_table 0 1 0 (local.get $i)))) ${SHOW}`,
  "br_table, or out of all": `(block (block $b (block (local.set $x NAN) (br_table $b $b 2 (local.get $i))))) ${SHOW}`,
  "out of an if": `(if (i32.eqz (local.get $i)) (then (local.set $x NAN))) ${SHOW}`,
  "past an if": `(local.set $x NAN) (if (local.get $i) (then (local.set $x (f64.const 1)))) ${SHOW}`,
  "into an arm": `(local.set $x NAN) (if (result i64) (i32.eqz (local.get $i)) (then ${SHOW}) (else (i64.const 1)))`,
  "into an else": `(local.set $x NAN) (if (result i64) (local.get $i) (then (local.set $x (f64.const 1)) (i64.const 1)) (else ${SHOW}))`,
  "through an else": `(local.set $x NAN) (if (local.get $i) (then (local.set $x (f64.const 1))) (else)) ${SHOW}`,
  "through a then": `(local.set $x NAN) (if (i32.eqz (local.get $i)) (then) (else (local.set $x (f64.const 1)))) ${SHOW}`,
  "into a loop": `(local.set $x NAN) (loop (result i64) ${SHOW})`,
  "round a loop": `(local.set $i (i32.const 2)) (loop $l (i64.store (i32.const 24) ${SHOW}) (local.set $x NAN)
    (br_if $l (local.tee $i (i32.sub (local.get $i) (i32.const 1))))) (i64.load (i32.const 24))`,
  "br round a loop": `(local.set $i (i32.const 2)) (block $b (loop $l (i64.store (i32.const 24) ${SHOW}) (local.set $x NAN)
    (br_if $b (i32.eqz (local.tee $i (i32.sub (local.get $i) (i32.const 1))))) (br $l))) (i64.load (i32.const 24))`,
  "through a loop that does not read it": `(local.set $x NAN) (loop (nop)) ${SHOW}`,
  "out of a loop": `(loop (local.set $x NAN)) ${SHOW}`,
  "a block's result": `(i64.reinterpret_f64 (block (result f64) NAN))`,
  "br with it": `(i64.reinterpret_f64 (block (result f64) (br 0 NAN)))`,
  "br_if with it": `(i64.reinterpret_f64 (block (result f64) (br_if 0 NAN (i32.eqz (local.get $i)))))`,
  "br_if past it": `(i64.reinterpret_f64 (block (result f64) (br_if 0 NAN (local.get $i))))`,
  "br_table with it": `(i64.reinterpret_f64 (block (result f64) (br_table 0 0 NAN (local.get $i))))`,
  "an arm's result": `(i64.reinterpret_f64 (if (result f64) (local.get $i) (then (f64.const 1)) (else NAN)))`,
  "a block's parameter": `NAN (block (param f64) (result i64) i64.reinterpret_f64)`,
  "an arm's parameter": `NAN (local.get $i) (if (param f64) (result f64) (then drop (f64.const 1))) i64.reinterpret_f64`,
  "a loop's parameter": `NAN (loop (param f64) (result i64) i64.reinterpret_f64)`,
  "round a loop as its parameter": `(local.set $i (i32.const 2)) (f64.const 0) (loop $l (param f64) (local.set $x) (i64.store (i32.const 24) ${SHOW})
    NAN (br_if $l (local.tee $i (i32.sub (local.get $i) (i32.const 1)))) drop) (i64.load (i32.const 24))`,
  "select, first": `(i64.reinterpret_f64 (select NAN (f64.const 1) (i32.const 1)))`,
  "select, second": `(i64.reinterpret_f64 (select ${GIVEN} NAN (local.get $i)))`,
  "select, beside none": `(i64.reinterpret_f64 (select (f64.const 1) NAN (local.get $i)))`,
  "select, before none": `(local.set $y (select NAN (f64.const 1) (i32.const 1))) (i64.reinterpret_f64 (local.get $y))`,
  "select of both": `(i64.reinterpret_f64 (select NAN NAN (local.get $i)))`,
  "select of an exact one": `(local.set $x (select NAN ${GIVEN} (i32.const 1))) ${SHOW}`,
  "an argument": `(call $show NAN)`,
  "an argument through a table": `(call_indirect (param f64) (result i64) NAN (i32.const 0))`,
  "a result": `(i64.reinterpret_f64 (call $made (f64.const 0)))`,
  "a returned result": `(i64.reinterpret_f64 (call $returned (f64.const 0)))`,
  "a global": `(global.set $g NAN) (i64.reinterpret_f64 (global.get $g))`,
  "a store": `(f64.store (i32.const 24) NAN) (i64.load (i32.const 24))`,
  "an f32's store": `(f32.store (i32.const 24) (f32.demote_f64 NAN)) (i64.or (i64.shl (i64.load32_u (i32.const 24)) (i64.const 29)) (i64.const 0x7000000000000000))`,
  "neg twice": `(i64.reinterpret_f64 (f64.neg (f64.neg NAN)))`,
  abs: `(i64.reinterpret_f64 (f64.abs NAN))`,
  "copysign of it": `(i64.reinterpret_f64 (f64.copysign NAN (f64.const 1)))`,
  "copysign by it": `(i64.or (i64.const 0x7ff8000000000000) (i64.reinterpret_f64 (f64.copysign (f64.const 1) NAN)))`,
  "promoted and demoted": `(i64.reinterpret_f64 (f64.promote_f32 (f32.demote_f64 NAN)))`,
};

/** Where the bits change though nothing is computed, or where the f64 is not kept. */
const CHANGED = ["an f32's store", "abs", "copysign of it", "copysign by it", "promoted and demoted"];

function moduleOf(nan: string): Promise<Uint8Array> {
  const locals = "(param $i i32) (param $p f64) (result i64) (local $x f64) (local $y f64)";
  const functions = Object.entries(WAYS).map(
    ([way, body]) => `(func (export "${way}") ${locals} ${MIXED} ${body.replaceAll("NAN", nan)})`,
  );
  return loadWat(`(module (memory 1) (table 1 funcref) (elem (i32.const 0) $show) (global $g (mut f64) (f64.const 0))
    (data (i32.const 8) "\\23\\01\\00\\00\\00\\00\\f4\\ff")
    (func $show (param f64) (result i64) (i64.reinterpret_f64 (local.get 0)))
    (func $made (param $p f64) (result f64) ${nan})
    (func $returned (param $p f64) (result f64) (return ${nan}))
    ${functions.join("\n")})`);
}

/** Calls all on both engines, and so that a loop is left for its clone at each turn. */
async function check(t: Test, nan: string, expected: bigint, ways: readonly string[]): Promise<void> {
  const module = Module.decode(await moduleOf(nan));
  const { fuel } = LOOK;
  t.teardown(() => {
    LOOK.fuel = fuel;
  });
  for (const engine of ENGINES)
    for (const look of [fuel, 1n]) {
      LOOK.fuel = look;
      const instance = module.instantiate({ engine });
      for (const way of ways)
        t.same(instance.invoke(way, [0, 0]), [BigInt.asIntN(64, expected)], `${engine}, ${look}: ${way}`);
    }
}

for (const [kind, nan] of [
  ["makes", "(f64.div (local.get $p) (local.get $p))"],
  ["gets", `(f64.add ${GIVEN} (f64.const 3))`],
] as const)
  t.test(`[VM-NAN-1] NaNs that arithmetic ${kind} are canonical wherever their bits show`, (t) =>
    check(t, nan, 0x7ff8_0000_0000_0000n, Object.keys(WAYS)),
  );

for (const [kind, nan, bits] of [
  ["move", GIVEN, 0xfff4_0000_0000_0123n],
  ["are constants", "(f64.const -nan:0x4000000000123)", 0xfff4_0000_0000_0123n],
  ["are the least constants", "(f64.const nan:0x1)", 0x7ff0_0000_0000_0001n],
] as const)
  t.test(`[VM-NAN-1] NaNs that ${kind} keep their bits`, (t) =>
    check(
      t,
      nan,
      bits,
      Object.keys(WAYS).filter((way) => !CHANGED.includes(way)),
    ),
  );
