/** The stack of the guest's thread: the depth limit comes before the end of V8's stack, whatever the frames are like. */
import t from "tap";
import { ashlar, wat } from "./ashlar.ts";

function list(count: number, item: (k: number) => string): string {
  return Array.from({ length: count }, (_, k) => item(k)).join(" ");
}

/** `$f` calls itself as often as its first parameter says; what it holds is live across the call. */
const SHAPES: { readonly [name: string]: string } = {
  "1 parameter": `(func $f (param i64) (result i64)
    (if (i64.eqz (local.get 0)) (then (return (i64.const 1))))
    (i64.add (local.get 0) (call $f (i64.sub (local.get 0) (i64.const 1)))))`,
  "through a table": `(type $t (func (param i64) (result i64))) (table 1 funcref) (elem (i32.const 0) $f)
    (func $f (type $t) (if (i64.eqz (local.get 0)) (then (return (i64.const 1))))
      (i64.add (local.get 0) (call_indirect (type $t) (i64.sub (local.get 0) (i64.const 1)) (i32.const 0))))`,
  "with a loop": `(func $f (param i64) (result i64) (local i32)
    (loop (br_if 0 (i32.lt_u (local.tee 1 (i32.add (local.get 1) (i32.const 1))) (i32.const 3))))
    (if (i64.eqz (local.get 0)) (then (return (i64.const 1))))
    (i64.add (i64.extend_i32_u (local.get 1)) (call $f (i64.sub (local.get 0) (i64.const 1)))))`,
  "998 parameters": `(func $g (param i64) (result i64) (call $h (local.get 0) ${list(997, (k) => `(i64.const ${k})`)}))
    (func $h ${list(998, () => "(param i64)")} (result i64)
      (if (i64.eqz (local.get 0)) (then (return (local.get 997))))
      (i64.add (local.get 500)
        (call $h (i64.sub (local.get 0) (i64.const 1)) ${list(997, (k) => `(local.get ${997 - k})`)})))
    (func $f (param i64) (result i64) (call $g (local.get 0)))`,
  "1,000 locals": `(func $f (param i64) (result i64) ${list(1000, () => "(local i64)")}
    (if (i64.eqz (local.get 0)) (then (return (i64.const 1))))
    ${list(1000, (k) => `(local.set ${k + 1} (i64.mul (local.get ${k}) (i64.const ${k + 3})))`)}
    (local.set 1000 (call $f (i64.sub (local.get 0) (i64.const 1))))
    ${list(1001, (k) => `(local.get ${k})`)} ${list(1000, () => "i64.xor")})`,
  "1,000 operands": `(func $f (param i64) (result i64)
    (if (i64.eqz (local.get 0)) (then (return (i64.const 1))))
    ${list(1000, (k) => `(i64.mul (local.get 0) (i64.const ${k + 3}))`)}
    (call $f (i64.sub (local.get 0) (i64.const 1))) ${list(1000, () => "i64.xor")})`,
};

const GO = `(func (export "cold") (drop (call $f (i64.const -1))))
  (func (export "warm") (local i32)
    (loop (drop (call $f (i64.const 30)))
      (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 3000))))
    (drop (call $f (i64.const -1))))`;

for (const [index, [name, text]] of Object.entries(SHAPES).entries())
  t.test(`[CLI-LIMIT-1, VM-DEPTH-1] ${name}`, async (t) => {
    const file = `shape${index}.wasm`;
    await wat(file, `(module ${text} ${GO})`);
    for (const call of ["cold", "warm"])
      for (const depth of ["1000000", "4000000"]) {
        const options = ["--invoke", call, "--max-depth", depth, "--report", "-"];
        const { stdout, code } = await ashlar(["run", file, ...options]);
        const { trap, engine } = JSON.parse(stdout);
        t.match(
          { code, engine, trap },
          { code: 134, engine: "compiled", trap: { name: "StackExhausted" } },
          `${call} ${depth}`,
        );
      }
  });
