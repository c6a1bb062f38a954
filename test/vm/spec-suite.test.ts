/**
 * The official core suite cannot be part of the repository; what runs it can be tested without it, on scripts of our own.
 * A runner that calls everything passed would be worse than none, so each kind of command has its failing twin.
 */
import { deepEqual } from "node:assert/strict";
import t from "tap";
import { floatBits, parseInteger } from "../spec-suite/literal.ts";
import { reportOf } from "../spec-suite/report.ts";
import { type Outcome, runScript } from "../spec-suite/run-script.ts";
import { readScript, ScriptError } from "../spec-suite/script.ts";
import { ENGINES } from "./compare.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
/** What both engines answer to a script. */
function run(text: string): Outcome[] {
  const [expected, actual] = ENGINES.map((engine) => runScript(bytes(text), { engine }));
  deepEqual(actual, expected);
  return expected!;
}
const lines = (outcomes: readonly Outcome[], failed: boolean) =>
  outcomes.filter(({ failure }) => (failure !== undefined) === failed).map(({ line }) => line);

const MODULE = `(module $m
  (memory (export "memory") 1)
  (table (export "table") 2 externref)
  (global (export "g") (mut i32) (i32.const 7))
  (global (export "h") f64 (f64.const -0))
  (func $f)
  (table $t funcref (elem $f 0 0))
  (func (export "add") (param i64 i64) (result i64) (i64.add (local.get 0) (local.get 1)))
  (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
  (func (export "f32") (param f32) (result f32) (local.get 0))
  (func (export "f64") (param f64) (result f64) (local.get 0))
  (func (export "sqrt") (param f32) (result f32) (f32.sqrt (local.get 0)))
  (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
  (func (export "extern") (param externref) (result externref) (local.get 0))
  (func (export "func") (result funcref) (ref.func $f))
  (func (export "null") (result funcref) (ref.null func))
  (func (export "two") (result i32 i64) (i32.const 1) (i64.const -2))
  (func (export "set") (param i32) (global.set 0 (local.get 0)))
  (func $again (export "again") (call $again))
  (func (export "indirect") (param i32) (call_indirect $t (local.get 0)))
)`;

t.test("spec suite: what holds passes [VM-PROFILE-1]", async (t) => {
  const script = `${MODULE}
(assert_return (invoke "add" (i64.const 0xffff_ffff_ffff_ffff) (i64.const -2)) (i64.const -3))
(assert_return (invoke $m "divide" (i32.const 7) (i32.const -2)) (i32.const 0xfffffffd))
(assert_return (invoke "f32" (f32.const nan:0x200001)) (f32.const nan:0x200001))
(assert_return (invoke "f64" (f64.const -nan:0x4000000000001)) (f64.const -nan:0x4000000000001))
(assert_return (invoke "sqrt" (f32.const -1)) (f32.const nan:canonical))
(assert_return (invoke "f32" (f32.const -nan:0x400001)) (f32.const nan:arithmetic))
(assert_return (invoke "extern" (ref.extern 4)) (ref.extern 4))
(assert_return (invoke "extern" (ref.extern 4)) (ref.extern))
(assert_return (invoke "extern" (ref.null extern)) (ref.null extern))
(assert_return (invoke "func") (ref.func))
(assert_return (invoke "null") (ref.null func))
(assert_return (invoke "two") (i32.const 1) (i64.const -2))
(assert_return (get "g") (i32.const 7))
(assert_return (get $m "h") (f64.const -0))
(invoke "set" (i32.const 8))
(assert_return (get "g") (i32.const 8))
(assert_trap (invoke "divide" (i32.const 1) (i32.const 0)) "integer divide by zero")
(assert_trap (invoke "divide" (i32.const 0x80000000) (i32.const -1)) "integer overflow")
(assert_trap (invoke "load" (i32.const 65533)) "out of bounds memory access")
(assert_trap (invoke "indirect" (i32.const 3)) "undefined element")
(assert_trap (module (func $start unreachable) (start $start)) "unreachable")
(assert_exhaustion (invoke "again") "call stack exhausted")
(assert_invalid (module (func (result i32) (i64.const 0))) "type mismatch")
(assert_malformed (module binary "\\00asm" "\\01\\00\\00\\00" "\\01") "unexpected end")
(assert_malformed (module quote "(func (i32.const))") "unexpected token")
(assert_unlinkable (module (import "nowhere" "f" (func))) "unknown import")
(assert_unlinkable (module (import "spectest" "print_i32" (func (param i64)))) "incompatible import type")
(register "lib" $m)
(module $user (import "lib" "add" (func $add (param i64 i64) (result i64)))
  (import "spectest" "print_i32_f32" (func (param i32 f32)))
  (import "spectest" "memory" (memory 1 2)) (import "spectest" "table" (table 10 20 funcref))
  (import "spectest" "global_f32" (global f32))
  (func (export "three") (result i64) (call $add (i64.const 1) (i64.const 2)))
  (func (export "global") (result f32) (call 1 (i32.const 1) (f32.const 2)) (global.get 0)))
(assert_return (invoke "three") (i64.const 3))
(assert_return (invoke "global") (f32.const 666.6))
(assert_return (invoke $m "add" (i64.const 1) (i64.const 1)) (i64.const 2))
(module binary "\\00asm\\01\\00\\00\\00")
(module quote "(func (export \\"q\\"))")
(assert_return (invoke "q"))
`;
  const outcomes = run(script);
  t.equal(outcomes.length, 36);
  t.same(
    outcomes.filter(({ failure }) => failure !== undefined),
    [],
  );
  t.equal(outcomes.filter(({ textOnly }) => textOnly).length, 1);
});

t.test("spec suite: what does not hold fails [VM-PROFILE-1]", async (t) => {
  const wrong = [
    '(assert_return (invoke "add" (i64.const 1) (i64.const 2)) (i64.const 4))',
    '(assert_return (invoke "add" (i64.const 1) (i64.const 2)))',
    '(assert_return (invoke "add" (i64.const 1) (i64.const 2)) (i32.const 3))',
    '(assert_return (invoke "two") (i32.const 1) (i64.const 2))',
    '(assert_return (invoke "f32" (f32.const nan:0x200001)) (f32.const nan:0x200002))',
    '(assert_return (invoke "f32" (f32.const nan:0x200001)) (f32.const nan:arithmetic))',
    '(assert_return (invoke "f32" (f32.const nan:0x400001)) (f32.const nan:canonical))',
    '(assert_return (invoke "f64" (f64.const 1)) (f64.const nan:canonical))',
    '(assert_return (invoke "f64" (f64.const 0)) (f64.const -0))',
    '(assert_return (get "h") (f64.const 0))',
    '(assert_return (get "missing") (i32.const 7))',
    '(assert_return (invoke "missing"))',
    '(assert_return (invoke $nobody "two") (i32.const 1) (i64.const -2))',
    '(assert_return (invoke "extern" (ref.extern 4)) (ref.extern 5))',
    '(assert_return (invoke "extern" (ref.extern 4)) (ref.null extern))',
    '(assert_return (invoke "extern" (ref.null extern)) (ref.extern))',
    '(assert_return (invoke "null") (ref.func))',
    '(assert_return (invoke "divide" (i32.const 1) (i32.const 0)) (i32.const 0))',
    '(invoke "divide" (i32.const 1) (i32.const 0))',
    '(assert_trap (invoke "divide" (i32.const 1) (i32.const 1)) "integer divide by zero")',
    '(assert_trap (invoke "divide" (i32.const 1) (i32.const 0)) "integer overflow")',
    '(assert_trap (invoke "divide" (i32.const 1) (i32.const 0)) "a trap nobody knows")',
    '(assert_trap (module (func $start) (start $start)) "unreachable")',
    '(assert_exhaustion (invoke "divide" (i32.const 1) (i32.const 0)) "call stack exhausted")',
    '(assert_invalid (module (func (result i32) (i32.const 0))) "type mismatch")',
    '(assert_invalid (module (func (i32.const))) "type mismatch")',
    '(assert_malformed (module binary "\\00asm\\01\\00\\00\\00") "unexpected end")',
    '(assert_malformed (module quote "(func)") "unexpected token")',
    // Well-formed, but not valid: the other error.
    '(assert_malformed (module binary "\\00asm\\01\\00\\00\\00\\01\\04\\01\\60\\00\\00\\03\\02\\01\\00\\0a\\05\\01\\03\\00\\6a\\0b") "malformed")',
    '(assert_unlinkable (module (import "spectest" "print" (func))) "unknown import")',
    '(register "lib" $nobody)',
    "(module (func (result i32) (i64.const 0)))",
    '(module (import "nowhere" "f" (func)))',
  ];
  const outcomes = run(`${MODULE.replaceAll("\n", " ")}\n${wrong.join("\n")}`);
  t.same(lines(outcomes, false), [1]);
  t.equal(lines(outcomes, true).length, wrong.length);
  t.match(outcomes[1]?.failure, /expected \[.*"0x4"\}\], got \["0x3"\]/);
});

t.test("spec suite: exceptions are told apart from failures, and must fail [VM-PROFILE-1]", async (t) => {
  const outcomes = run(`(module (func (export "f")))
(assert_return (invoke "f"))
(assert_return (invoke "f") (i32.const 1))
(assert_return (invoke "f") (i32.const 2))
(assert_malformed (module quote "(") "unexpected end")`);
  const except = (line: number, file = "a.wast", answer = "expected [") => ({ file, line, answer, reason: "because" });
  const { failures, ...counts } = reportOf("a.wast", outcomes, [except(3), except(2, "b.wast")]);
  t.same(counts, { file: "a.wast", passed: 3, failed: 1, skipped: 1, textOnly: 1, fuel: 0n });
  t.same(
    failures.map(({ line }) => line),
    [4],
  );
  t.equal(reportOf("a.wast", outcomes, [except(3, "a.wast", "another answer"), except(4)]).failed, 1);
  const passing = reportOf("a.wast", outcomes, [except(2), except(3), except(4), except(9)]);
  t.same([passing.passed, passing.failed, passing.skipped], [2, 2, 2]);
  t.same(
    passing.failures.map(({ line, failure }) => `${line} ${failure}`),
    ["9 there is no command at this line", "2 it passes, but an exception lists it"],
  );
});

t.test("spec suite: scripts are read as the suite writes them", async (t) => {
  const commands = readScript(
    bytes(`;; a comment "(
(; a (; nested ;) comment ) ;)(func) (memory 0)
(invoke "\\u{e9}\\c3\\a9\\t\\"\\\\" (i32.const -0x8000_0000));; at the end`),
  );
  t.same(
    commands.map(({ kind, line }) => [kind, line]),
    [
      ["module", 2],
      ["action", 3],
    ],
  );
  const [fields, action] = commands;
  t.same(fields?.kind === "module" && fields.module, { form: "text", text: bytes("(module (func) (memory 0))") });
  t.same(action?.kind === "action" && action.action, {
    kind: "invoke",
    module: undefined,
    field: 'éé\t"\\',
    args: [{ type: "i32", value: -0x8000_0000 }],
  });
  for (const broken of ["(module", ")", "(; never closed", "x", '(invoke "\\q")', "(assert_magic)", "(invoke 1)"]) {
    t.throws(() => readScript(bytes(broken)), ScriptError, broken);
  }
});

t.test("spec suite: float literals are rounded once", async (t) => {
  const f32 = (literal: string) => Number(floatBits(literal, "f32"));
  t.equal(f32("1"), 0x3f800000);
  t.equal(f32("-0"), 0x80000000);
  t.equal(f32("0x1p-149"), 1);
  t.equal(f32("0x1p-150"), 0);
  t.equal(f32("0x1.8p-150"), 1);
  t.equal(f32("0x1.fffffefffffffffffp127"), 0x7f7fffff);
  t.equal(f32("0x1.ffffffp127"), 0x7f800000);
  t.equal(f32("-inf"), 0xff800000);
  t.equal(f32("nan"), 0x7fc00000);
  t.equal(f32("-nan:0x1"), 0xff800001);
  // Through an f64 this would be rounded twice, to 0x3f800000.
  t.equal(f32("1.00000005960464477540"), 0x3f800001);
  t.equal(floatBits("4.9e-324", "f64"), 1n);
  t.equal(floatBits("0x1.e5", "f64"), 0x3ffe500000000000n);
  t.equal(floatBits("1_0e0_1", "f64"), 0x4059000000000000n);
  t.throws(() => floatBits("1.2.3", "f32"), SyntaxError);
  t.equal(parseInteger("-0x1_0"), -16n);
  t.throws(() => parseInteger("12x"), SyntaxError);
});
