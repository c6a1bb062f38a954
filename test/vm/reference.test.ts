/** The reference engine from inside: its operations' numbers. */
import { readFileSync } from "node:fs";
import t from "tap";
import { opcodeIndex } from "../../vm/bytecode/opcodes.ts";
import { OPCODES } from "../../vm/index.ts";
import { Operation } from "../../vm/reference/operations.ts";

/** Opcodes that leave no operation of their own number behind: others stand for them, or none. */
const TRANSLATED_AWAY = new Set(
  "nop block loop if else end br br_if br_table return call call_indirect drop select local.get local.set local.tee i32.const i64.const f32.const f64.const ref.null ref.is_null".split(
    " ",
  ),
);

/** How many numbers from its own on an operation stands for. */
const RUNS: { readonly [name: string]: number } = {
  BranchCompare: 10,
  BranchCompareConstant: 10,
  CompareConstant: 10,
  BranchCompare64: 10,
  BranchCompare64Constant: 2,
};

t.test("[VM-EXEC-1] the loop has a case for every operation, under its number", async (t) => {
  const source = readFileSync(new URL("../../vm/reference/interpreter.ts", import.meta.url), "utf8");
  const cases = [...source.matchAll(/^\s*case (0x[0-9a-f]+|\d+):/gm)].map(([, label]) => Number(label));
  const expected = OPCODES.filter(({ name }) => !TRANSLATED_AWAY.has(name)).map(({ code }) => opcodeIndex(code));
  for (const [name, number] of Object.entries(Operation)) {
    if (name === "ArithmeticConstant")
      for (const opcode of ["add", "sub", "mul", "and", "or", "xor", "shl", "shr_s", "shr_u", "rotl", "rotr"])
        expected.push(number + OPCODES.find((row) => row.name === `i32.${opcode}`)!.code - 0x6a);
    else if (name === "Arithmetic64Constant")
      for (const opcode of ["add", "sub", "and", "or", "xor", "shl", "shr_s", "shr_u", "rotl", "rotr"])
        expected.push(number + OPCODES.find((row) => row.name === `i64.${opcode}`)!.code - 0x7c);
    else for (let k = 0; k < (RUNS[name] ?? 1); k++) expected.push(number + k);
  }
  const ascending = (a: number, b: number): number => a - b;
  t.same(cases.sort(ascending), expected.sort(ascending));
});
