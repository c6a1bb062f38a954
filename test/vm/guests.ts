/**
 * Guests in the text format for the bytecode tests: one for every row of the opcode table, and a few that use what
 * single instructions do not.
 */
import { OPCODES, type Opcode } from "../../vm/bytecode/opcodes.ts";

const TYPE_OF_LETTER: { readonly [letter: string]: string } = { i: "i32", I: "i64", f: "f32", F: "f64" };

/** The fields that instructions refer to; the function under test is appended. */
const PRELUDE = `
  (type $pair (func (param i32 i64) (result i64 i32)))
  (import "env" "call" (func $import (param i32 i64) (result i64 i32)))
  (import "env" "constant" (global $constant i32))
  (table $functions 4 8 funcref)
  (table $others 2 externref)
  (table $more 2 funcref)
  (memory 1 2)
  (global $i32 (mut i32) (i32.const 7))
  (global $f64 (mut f64) (f64.const 0.5))
  (export "import" (func $import))
  (elem $active (i32.const 0) func $import)
  (elem $passive funcref (ref.func $import) (ref.null func))
  (data $active (i32.const 8) "active")
  (data $passive "passive")`;

/** Bodies for the instructions with a typing rule of their own, by name; the two selects have a key each. */
const BODIES: { readonly [name: string]: string } = {
  unreachable: "unreachable i32.add drop",
  block:
    "block end block (result i32) i32.const 1 end drop i32.const 0 i64.const 0 block (type $pair) call $import end drop drop",
  loop: "loop end i32.const 0 i64.const 0 loop (type $pair) call $import end drop drop",
  if: "i32.const 0 if end i32.const 1 if (result f32) f32.const 1 else f32.const 2 end drop",
  else: "i32.const 0 if (result i64) i64.const 1 else i64.const -1 end drop",
  end: "block end",
  br: "block br 0 drop end",
  br_if: "block (result i32) i32.const 5 i32.const 1 br_if 0 end drop",
  br_table: "block block block i32.const 1 br_table 0 1 2 1 end end end",
  return: "return i64.add drop",
  call: "i32.const 0 i64.const 0 call $import drop drop",
  call_indirect: "i32.const 0 i64.const 0 i32.const 1 call_indirect $more (type $pair) drop drop",
  drop: "f64.const 0 drop",
  select: "i64.const 1 i64.const 2 i32.const 0 select drop",
  "select t": "ref.null func ref.null func i32.const 0 select (result funcref) drop",
  "local.get": "(local i32 f64) local.get 1 drop",
  "local.set": "(local i32 f64) i32.const 3 local.set 0",
  "local.tee": "(local i32 f64) f64.const 3 local.tee 1 drop",
  "global.get": "global.get $constant drop",
  "global.set": "f64.const -0 global.set $f64",
  "table.get": "i32.const 0 table.get $others drop",
  "table.set": "i32.const 0 ref.null extern table.set $others",
  "table.copy": "i32.const 0 i32.const 1 i32.const 2 table.copy $functions $more",
  "table.grow": "ref.null extern i32.const 2 table.grow $others drop",
  "table.fill": "i32.const 0 ref.func $import i32.const 2 table.fill $more",
  "ref.null": "ref.null extern drop",
  "ref.is_null": "ref.null func ref.is_null drop",
  "ref.func": "ref.func $import drop",
};

/** Immediates of the instructions that the table has a signature for. */
const IMMEDIATES: { readonly [name: string]: string } = {
  "i32.const": "-2147483648",
  "i64.const": "-9223372036854775808",
  "f32.const": "-nan:0x200001",
  "f64.const": "nan:0x4000000000001",
  "memory.init": "$passive",
  "data.drop": "$passive",
  "table.init": "$more $passive",
  "elem.drop": "$passive",
  "table.size": "$others",
};

/** The key of an opcode among the cases: its name, and `select t` for the select with a type. */
export function caseName({ name, immediate }: Opcode): string {
  return immediate === "select" ? "select t" : name;
}

function bodyOf(opcode: Opcode): string {
  const own = BODIES[caseName(opcode)];
  if (own !== undefined) return own;
  const { name, params = "", results = "", immediate, align } = opcode;
  const operands = Array.from(params, (letter) => `${TYPE_OF_LETTER[letter]}.const 1`);
  const given = IMMEDIATES[name] ?? "";
  const immediates = immediate === "memarg" ? `offset=300 align=${align === 0 ? 1 : 2 ** (align - 1)}` : given;
  return [...operands, name, immediates, ...Array.from(results, () => "drop")].join(" ");
}

/** A guest per opcode whose exported function uses it. */
export const OPCODE_GUESTS: ReadonlyMap<string, string> = new Map(
  OPCODES.map((opcode) => [caseName(opcode), `(module ${PRELUDE} (func (export "test") ${bodyOf(opcode)}))`]),
);

/** One guest with a function for every opcode. */
export const ALL_OPCODES = `(module ${PRELUDE} ${OPCODES.map((opcode) => `(func ${bodyOf(opcode)})`).join("\n")})`;

/** Guests for what one instruction does not show. */
export const GUESTS = {
  empty: "(module)",
  loops: `(module $loops
    (memory (export "memory") 1)
    (func $fib (export "fib") (param $n i32) (result i32)
      local.get $n i32.const 2 i32.lt_s
      if (result i32) local.get $n
      else local.get $n i32.const 1 i32.sub call $fib local.get $n i32.const 2 i32.sub call $fib i32.add end)
    (func $sieve (export "sieve") (param $limit i32) (result i32) (local $i i32) (local $j i32) (local $count i32)
      i32.const 2 local.set $i
      block $done
        loop $next
          local.get $i local.get $limit i32.ge_u br_if $done
          local.get $i i32.load8_u
          i32.eqz
          if
            local.get $count i32.const 1 i32.add local.set $count
            local.get $i local.set $j
            block $marked
              loop $mark
                local.get $j local.get $limit i32.ge_u br_if $marked
                local.get $j i32.const 1 i32.store8
                local.get $j local.get $i i32.add local.set $j
                br $mark
              end
            end
          end
          local.get $i i32.const 1 i32.add local.set $i
          br $next
        end
      end
      local.get $count))`,
  branches: `(module
    (func (param i32) (result i32 i64)
      block $a (result i32 i64)
        block $b (result i32 i64)
          i32.const 1 i64.const 2
          local.get 0 br_table $a $b $b $a 2
        end
        drop i64.const 3
        local.get 0 br_if $a
        i32.const 1 i64.const 2 i32.const 3
        if (param i32 i64) (result i32 i64) br 1 else drop i64.extend_i32_u i32.const 9 drop i32.const 4 i64.const 4 return end
        drop drop drop
        unreachable
        br_if $a
      end)
    (func (result f64) (local f32 f32 f64)
      loop (result f64)
        local.get 0 local.get 1 f32.lt
        br_if 0
        local.get 2
        block (param f64) (result f64) f64.neg br 0 end
        i32.const 0 br_table 1 1 1
      end))`,
  segments: `(module
    (import "env" "table" (table $imported 1 funcref))
    (import "env" "memory" (memory 1 4))
    (import "env" "base" (global $base i32))
    (import "env" "big" (global $big i64))
    (import "env" "host" (global $host externref))
    (import "env" "start" (func $start))
    (table $t1 10 10 externref)
    (table $t2 3 funcref)
    (global $sum i32 (i32.add (global.get $base) (i32.mul (i32.const 3) (i32.sub (i32.const 9) (i32.const 4)))))
    (global $wide (mut i64) (i64.sub (global.get $big) (i64.const 1)))
    (global $f (mut funcref) (ref.func $g))
    (global $e externref (global.get $host))
    (func $f (param i32) (result i32) local.get 0)
    (func $g)
    (func $h (result funcref) ref.func $f)
    (elem (i32.const 0) $f $g)
    (elem func $g $g $h)
    (elem (table $t2) (offset (global.get $base)) func $h)
    (elem declare func $f)
    (elem (i32.const 0) funcref (ref.func $f) (ref.null func))
    (elem externref (ref.null extern) (global.get $host))
    (elem (table $t1) (offset (i32.const 1)) externref (ref.null extern))
    (elem declare funcref (ref.func $f))
    (data (i32.const 0) "zero")
    (data "passive\\00\\ff")
    (data (offset (global.get $base)) "")
    (export "f" (func $f)) (export "t" (table $t2)) (export "m" (memory 0)) (export "s" (global $sum))
    (export "\\e2\\82\\ac" (func $start))
    (start $start))`,
  references: `(module
    (type $v (func))
    (table $t 3 funcref)
    (global $g (mut externref) (ref.null extern))
    (func $a (param externref funcref i32) (result externref)
      local.get 0 global.get $g local.get 2 select (result externref)
      local.get 1 ref.is_null if global.get $g return end)
    (func $b (local funcref externref)
      local.get 0 i32.const 1 table.grow $t drop
      i32.const 0 local.get 0 i32.const 3 table.fill $t
      i32.const 1 table.get $t local.set 0
      i32.const 2 call_indirect $t (type $v)
      i32.const 0 ref.func $b table.set $t)
    (elem declare func $b))`,
  dead: `(module (memory 1)
    (func (result i32) unreachable select select drop i32.add)
    (func (result i64) i64.const 0 return block (result i64) i64.const 1 br 1 i64.store end i64.add drop)
    (func (param i32) (result i32) local.get 0 br 0 i32.load if (result i32) i32.const 1 else unreachable end)
    (func loop br 0 f32.add drop end)
    (func (result f32) block (result f32) unreachable br_table 0 1 0 end)
    (func (result i32) unreachable call 1 i64.eqz memory.grow))`,
} satisfies { readonly [name: string]: string };
