/**
 * Every instruction that computes, on every pair of constants at the edges, against V8: with operands in locals, on the
 * stack and as constants, with the result in a fresh cell, in an operand's local and fused into a branch. And the 64-bit
 * arithmetic of `numeric.ts` against BigInt.
 */
import t from "tap";
import { OPCODES, type Opcode } from "../../vm/bytecode/opcodes.ts";
import { ValueCode, type ValueType } from "../../vm/bytecode/structure.ts";
import { Writer } from "../../vm/bytecode/writer.ts";
import { Module, Trap } from "../../vm/index.ts";
import {
  divS64,
  divU64,
  i64ToF32,
  mul64,
  nearest,
  remS64,
  remU64,
  rotl64,
  satI32,
  satI64,
  satU32,
  satU64,
  truncToI64,
  u64ToF32,
} from "../../vm/reference/numeric.ts";
import { ENGINES } from "./compare.ts";
import { MAKES_NAN } from "./generate-body.ts";
import { F32_EDGES, F64_EDGES, I32_EDGES, I64_EDGES, Random, someBits } from "./random.ts";
import { trapCodeOf } from "./subject.ts";

const TYPES: { readonly [letter: string]: ValueType } = { i: "i32", I: "i64", f: "f32", F: "f64" };
const EDGES: { readonly [letter: string]: readonly (number | bigint)[] } = {
  i: [...new Set(I32_EDGES)],
  I: [...new Set(I64_EDGES)],
  f: [...new Set(F32_EDGES)],
  F: [...new Set(F64_EDGES)],
};
const COMPUTING = OPCODES.filter(
  ({ params, results, immediate }) => params !== undefined && params !== "" && results !== "" && immediate === "",
);

/** A function of a test module: a way to use an opcode. */
interface Form {
  readonly opcode: Opcode;
  readonly name: string;
  /** Letters of the arguments; floats are passed as their bits. */
  readonly params: string;
  /** Letter of the result, `i` or `I`. */
  readonly result: string;
  readonly write: (writer: Writer, canonical: boolean) => void;
}

const asInteger = (letter: string): string => (letter === "f" ? "i" : letter === "F" ? "I" : letter);

function constant(writer: Writer, letter: string, bits: number | bigint): void {
  const low = Number(BigInt.asIntN(32, BigInt(bits)));
  const high = Number(BigInt.asIntN(32, BigInt(bits) >> 32n));
  writer.byte({ i: 0x41, I: 0x42, f: 0x43, F: 0x44 }[letter]!);
  if (letter === "i") writer.s32(low);
  else if (letter === "I") writer.s64(low, high);
  else writer.word(low);
  if (letter === "F") writer.word(high);
}

/** Parameter `k`, as a float where the opcode wants one. */
function argument(writer: Writer, letter: string, k: number): void {
  writer.byte(0x20);
  writer.u32(k);
  if (letter === "f") writer.byte(0xbe);
  if (letter === "F") writer.byte(0xbf);
}

/** The opcode; `canonical` adds what makes V8 give the canonical NaN, with scratch locals 2 (f32) and 3 (f64). */
function operation(writer: Writer, { code, name }: Opcode, canonical: boolean): void {
  if (code < 0x100) writer.byte(code);
  else {
    writer.byte(0xfc);
    writer.u32(code & 0xff);
  }
  if (!canonical || !MAKES_NAN.test(name)) return;
  const wide = name.startsWith("f64");
  const scratch = wide ? 3 : 2;
  for (const byte of [0x22, scratch]) writer.byte(byte);
  constant(writer, wide ? "F" : "f", wide ? 0x7ff8000000000000n : 0x7fc00000);
  for (const byte of [0x20, scratch, 0x20, scratch, wide ? 0x61 : 0x5b, 0x1b]) writer.byte(byte);
}

function asBits(writer: Writer, letter: string): void {
  if (letter === "f") writer.byte(0xbc);
  if (letter === "F") writer.byte(0xbd);
}

/** Ways to use a condition; each leaves 1 when it held and 0 when not. */
const CONDITIONS: { readonly [name: string]: readonly [before: readonly number[], after: readonly number[]] } = {
  br_if: [
    [0x02, 0x7f, 0x41, 1],
    [0x0d, 0, 0x1a, 0x41, 0, 0x0b],
  ],
  "br_if from a block": [
    [0x02, 0x40],
    [0x0d, 0, 0x41, 0, 0x0f, 0x0b, 0x41, 1],
  ],
  if: [[], [0x04, 0x7f, 0x41, 1, 0x05, 0x41, 0, 0x0b]],
  "eqz br_if": [
    [0x02, 0x40],
    [0x45, 0x0d, 0, 0x41, 1, 0x0f, 0x0b, 0x41, 0],
  ],
  "eqz if": [[], [0x45, 0x04, 0x7f, 0x41, 0, 0x05, 0x41, 1, 0x0b]],
  select: [[0x41, 1, 0x41, 0], [0x1b]],
  "br_if out of a loop": [
    [0x02, 0x40, 0x03, 0x40],
    [0x0d, 1, 0x41, 0, 0x0f, 0x0b, 0x0b, 0x41, 1],
  ],
};

function formsOf(opcode: Opcode): Form[] {
  const letters = opcode.params!;
  const result = asInteger(opcode.results!);
  const all = Array.from(letters, asInteger).join("");
  const forms: Form[] = [];
  const add = (name: string, params: string, write: Form["write"], to = result): void => {
    forms.push({ opcode, name: `${opcode.name} ${name}`, params, result: to, write });
  };
  const args = (writer: Writer): void => {
    for (const [k, letter] of [...letters].entries()) argument(writer, letter, k);
  };
  add("of arguments", all, (writer, canonical) => {
    args(writer);
    operation(writer, opcode, canonical);
    asBits(writer, opcode.results!);
  });
  add("on the stack", all, (writer, canonical) => {
    // Blocks leave their values in the operands' cells.
    for (const [k, letter] of [...letters].entries()) {
      for (const byte of [0x02, ValueCode[TYPES[letter]!]]) writer.byte(byte);
      argument(writer, letter, k);
      writer.byte(0x0b);
    }
    operation(writer, opcode, canonical);
    asBits(writer, opcode.results!);
  });
  for (const [k, letter] of [...all].entries()) {
    if (letter !== result || opcode.results !== opcode.params![k]) continue;
    add(`into argument ${k}`, all, (writer, canonical) => {
      args(writer);
      operation(writer, opcode, canonical);
      asBits(writer, opcode.results!);
      for (const byte of [0x21, k, 0x20, k]) writer.byte(byte);
    });
  }
  const isCondition = opcode.code >= 0x45 && opcode.code <= 0x66;
  const conditions = isCondition ? Object.entries(CONDITIONS) : [];
  for (const [name, [before, after]] of conditions)
    add(name, all, (writer, canonical) => {
      for (const byte of before) writer.byte(byte);
      args(writer);
      operation(writer, opcode, canonical);
      for (const byte of after) writer.byte(byte);
    });
  if (letters.length < 2 || /[fF]/.test(letters)) return forms;
  for (const edge of EDGES[letters[1]!]!) {
    for (const side of [0, 1]) {
      const pair = (writer: Writer): void => {
        if (side === 0) constant(writer, letters[0]!, edge);
        argument(writer, letters[1 - side]!, 0);
        if (side === 1) constant(writer, letters[1]!, edge);
      };
      add(`with ${edge} as operand ${side}`, all[1 - side]!, (writer, canonical) => {
        pair(writer);
        operation(writer, opcode, canonical);
      });
      // Each constant with one of the conditions, each condition with many constants.
      const [name, [before, after]] = conditions[forms.length % conditions.length] ?? ["", [[], []]];
      if (isCondition)
        add(`with ${edge} as operand ${side}, ${name}`, all[1 - side]!, (writer, canonical) => {
          for (const byte of before) writer.byte(byte);
          pair(writer);
          operation(writer, opcode, canonical);
          for (const byte of after) writer.byte(byte);
        });
    }
  }
  return forms;
}

/** A module that exports each form under its number. */
function moduleOf(forms: readonly Form[], canonical: boolean): Uint8Array<ArrayBuffer> {
  const types = [...new Set(forms.map(({ params, result }) => `${params}:${result}`))];
  const writer = new Writer(1 << 16);
  const section = (id: number, count: number, write: (index: number) => void): void => {
    writer.byte(id);
    const start = writer.beginSized();
    writer.u32(count);
    for (let k = 0; k < count; k++) write(k);
    writer.endSized(start);
  };
  for (const word of [0x6d736100, 1]) writer.word(word);
  section(1, types.length, (index) => {
    const [params, result] = types[index]!.split(":") as [string, string];
    writer.byte(0x60);
    writer.u32(params.length);
    for (const letter of params) writer.byte(ValueCode[TYPES[letter]!]);
    writer.byte(1);
    writer.byte(ValueCode[TYPES[result]!]);
  });
  section(3, forms.length, (k) => writer.u32(types.indexOf(`${forms[k]!.params}:${forms[k]!.result}`)));
  section(7, forms.length, (k) => {
    writer.name(String(k));
    writer.byte(0);
    writer.u32(k);
  });
  section(10, forms.length, (k) => {
    const { params, write } = forms[k]!;
    const start = writer.beginSized();
    // Scratch locals are 2 and 3 whatever the number of parameters.
    const locals: ValueType[] = [...(params.length === 1 ? ["i32" as const] : []), "f32", "f64"];
    writer.u32(locals.length);
    for (const type of locals) {
      writer.u32(1);
      writer.byte(ValueCode[type]);
    }
    write(writer, canonical);
    writer.byte(0x0b);
    writer.endSized(start);
  });
  return writer.written.slice();
}

t.test("[VM-EXEC-1, VM-NAN-1] what instructions compute is what V8 computes, in every form", async (t) => {
  const forms = COMPUTING.flatMap(formsOf);
  const module = Module.decode(moduleOf(forms, false));
  const ours = ENGINES.map((engine) => ({ engine, instance: module.instantiate({ engine }) }));
  const theirs = new WebAssembly.Instance(new WebAssembly.Module(moduleOf(forms, true)));
  const random = new Random(1);
  let calls = 0;
  let traps = 0;
  const wrong: string[] = [];
  forms.forEach(({ opcode, name, params }, k) => {
    const own = ours.map(({ engine, instance }) => ({ engine, run: instance.function(String(k)) }));
    const run = theirs.exports[String(k)] as (...args: (number | bigint)[]) => number | bigint;
    const check = (...args: (number | bigint)[]): void => {
      calls++;
      let expected: number | bigint | string;
      try {
        expected = run(...args);
      } catch (error) {
        expected = `trap ${trapCodeOf(error)}`;
        traps++;
      }
      for (const { engine, run } of own) {
        let actual: unknown;
        try {
          [actual] = run.invoke(args);
        } catch (error) {
          if (!(error instanceof Trap)) throw error;
          actual = `trap ${error.code}`;
        }
        if (actual !== expected) wrong.push(`${engine}: ${name} (${args.join(", ")}): ${actual}, not ${expected}`);
      }
    };
    // Operands of the opcode: in full for the forms without constants, a sample for the thousands with one.
    const letters = [...opcode.params!].slice(0, params.length);
    if (name.includes("with ")) {
      const edges = EDGES[letters[0]!]!;
      for (let n = 0; n < 6; n++) check(random.pick(edges));
      check(someBits(random, TYPES[letters[0]!]!));
      const own = /with (\S+)/.exec(name)![1]!;
      check(letters[0] === "I" ? BigInt(own) : Number(own));
    } else if (params.length === 1) {
      for (const a of EDGES[letters[0]!]!) check(a);
      for (let n = 0; n < 200; n++) check(someBits(random, TYPES[letters[0]!]!));
    } else {
      const every = name.endsWith("of arguments");
      for (const a of EDGES[letters[0]!]!) {
        for (const b of EDGES[letters[1]!]!) if (every || a === b || random.chance(0.1)) check(a, b);
        for (let n = 0; n < 3; n++) check(someBits(random, TYPES[letters[0]!]!), someBits(random, TYPES[letters[1]!]!));
      }
    }
  });
  t.equal(COMPUTING.length, 136);
  t.ok(forms.length > 9_000, `${forms.length} forms`);
  t.ok(calls > 500_000, `${calls} calls`);
  t.ok(traps > 2_000, `${traps} traps`);
  t.same(wrong.slice(0, 20), []);
  const [reference, compiled] = ours.map(({ instance }) => instance);
  t.equal(compiled!.fuelUsed, reference!.fuelUsed);
  t.equal(compiled!.stateDigest(), reference!.stateDigest());
});

// ---- numeric.ts against BigInt

const words = new Int32Array(6);
const put = (at: number, value: bigint): void => {
  new BigInt64Array(words.buffer)[at >> 1] = BigInt.asIntN(64, value);
};
const result = (): bigint => new BigInt64Array(words.buffer)[2]!;
const u64 = (x: bigint): bigint => BigInt.asUintN(64, x);
const i64 = (x: bigint): bigint => BigInt.asIntN(64, x);
const low = (x: bigint): number => Number(BigInt.asIntN(32, x));
const high = (x: bigint): number => Number(BigInt.asIntN(32, x >> 32n));

/** An integer of any magnitude, often one bit or two from a power of two. */
function someInteger(random: Random): bigint {
  const wide = (BigInt(random.next()) << 32n) | BigInt(random.next());
  switch (random.below(4)) {
    case 0:
      return random.pick(I64_EDGES);
    case 1:
      return i64(wide >> BigInt(random.below(64)));
    case 2:
      return i64((1n << BigInt(random.below(64))) + (1n << BigInt(random.below(64))) * BigInt(random.below(3) - 1));
    default:
      return i64(wide);
  }
}

/** The nearest f32, ties to even, by integers only. */
function roundToF32(value: bigint): number {
  const sign = value < 0n ? -1 : 1;
  const magnitude = value < 0n ? -value : value;
  const excess = magnitude.toString(2).length - 24;
  if (excess <= 0) return Number(value);
  const unit = 1n << BigInt(excess);
  const floor = magnitude / unit;
  const rest = 2n * (magnitude % unit);
  const up = rest > unit || (rest === unit && floor % 2n === 1n) ? 1n : 0n;
  return sign * Number((floor + up) * unit);
}

t.test("[VM-EXEC-1] 64-bit arithmetic is that of BigInt, also where the result replaces an operand", async (t) => {
  const random = new Random(2);
  const wrong: string[] = [];
  const same = (what: string, actual: unknown, expected: unknown): void => {
    if (!Object.is(actual, expected)) wrong.push(`${what}: ${actual}, not ${expected}`);
  };
  const divisions = [
    ["div_s", divS64, (x: bigint, y: bigint) => i64(x / y)],
    ["div_u", divU64, (x: bigint, y: bigint) => i64(u64(x) / u64(y))],
    ["rem_s", remS64, (x: bigint, y: bigint) => i64(x % y)],
    ["rem_u", remU64, (x: bigint, y: bigint) => i64(u64(x) % u64(y))],
  ] as const;
  for (let n = 0; n < 100_000; n++) {
    const x = someInteger(random);
    const y = random.chance(0.1) ? x : someInteger(random);
    mul64(words, 4, low(x), high(x), low(y), high(y));
    same(`${x} * ${y}`, result(), i64(x * y));
    const bits = random.below(64);
    rotl64(words, 4, low(x), high(x), bits);
    same(`${x} rotl ${bits}`, result(), i64((u64(x) << BigInt(bits)) | (u64(x) >> BigInt(64 - bits))));
    if (y !== 0n) {
      const [name, divide, expected] = divisions[n % 4]!;
      const at = [0, 2, 4][random.below(3)]!;
      put(0, x);
      put(2, y);
      divide(words, at, 0, 2);
      same(`${x} ${name} ${y} into ${at}`, new BigInt64Array(words.buffer)[at >> 1], expected(x, y));
    }
    same(`f32 of u64 ${u64(x)}`, u64ToF32(low(x), high(x)), roundToF32(u64(x)));
    same(`f32 of i64 ${x}`, i64ToF32(low(x), high(x)), roundToF32(x));
  }
  t.same(wrong.slice(0, 20), []);
});

t.test("[VM-EXEC-1] rounding and truncation are exact", async (t) => {
  const random = new Random(3);
  const wrong: string[] = [];
  const same = (what: string, actual: unknown, expected: unknown): void => {
    if (!Object.is(actual, expected)) wrong.push(`${what}: ${actual}, not ${expected}`);
  };
  const float = (): number => {
    const near = Number(someInteger(random)) + random.pick([0, 0.5, -0.5, 0.25, 0.4999999]);
    return random.chance(0.5) ? near : new Float64Array(BigInt64Array.of(BigInt(someBits(random, "f64"))).buffer)[0]!;
  };
  const clamp = (x: number, least: bigint, most: bigint): bigint => {
    if (Number.isNaN(x)) return 0n;
    const integer = Number.isFinite(x) ? BigInt(Math.trunc(x)) : x > 0 ? most : least;
    return integer < least ? least : integer > most ? most : integer;
  };
  for (let n = 0; n < 100_000; n++) {
    const x = float();
    // The nearest integer by its definition: the even one of two that are as near.
    const floor = Math.floor(x);
    const up = x - floor > 0.5 || (x - floor === 0.5 && floor % 2 !== 0);
    const rounded = up ? floor + 1 : floor;
    same(
      `nearest ${x}`,
      nearest(x),
      !Number.isFinite(x) ? x : rounded === 0 && (x < 0 || Object.is(x, -0)) ? -0 : rounded,
    );
    if (x > -(2 ** 63) - 1025 && x < 2 ** 64 && !(x < 0 && x < -(2 ** 63))) {
      truncToI64(words, 4, x);
      same(`trunc ${x}`, result(), i64(BigInt(Math.trunc(x))));
    }
    satI64(words, 4, x);
    same(`sat i64 ${x}`, result(), clamp(x, -(2n ** 63n), 2n ** 63n - 1n));
    satU64(words, 4, x);
    same(`sat u64 ${x}`, u64(result()), clamp(x, 0n, 2n ** 64n - 1n));
    same(`sat i32 ${x}`, BigInt(satI32(x)), clamp(x, -(2n ** 31n), 2n ** 31n - 1n));
    same(`sat u32 ${x}`, BigInt(satU32(x) >>> 0), clamp(x, 0n, 2n ** 32n - 1n));
  }
  t.same(wrong.slice(0, 20), []);
});
