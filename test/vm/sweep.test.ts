/** Loops over heap objects whose checks stand in front of them: which are, when that is safe, and that nothing shows. */
import assert from "node:assert/strict";
import t from "tap";
import { loadWat } from "../../host/wat.ts";
import { EMPTY_BLOCK } from "../../vm/bytecode/reader.ts";
import { validate } from "../../vm/bytecode/validate.ts";
import { Writer } from "../../vm/bytecode/writer.ts";
import { BodyScan } from "../../vm/compiler/body.ts";
import { Code } from "../../vm/compiler/code.ts";
import { heapChanges, planHeap } from "../../vm/compiler/heap-regions.ts";
import { type Sweep, SweepFinder, writeCondition } from "../../vm/compiler/sweep.ts";
import { type Instance, Module, Trap, TrapCode, type TrapName } from "../../vm/index.ts";
import { limitsWith } from "../../vm/limits.ts";
import { LOOK } from "../../vm/tuning.ts";
import { ENGINES } from "./compare.ts";
import { Random } from "./random.ts";

const WIDTHS = { load8_u: 1, load16_s: 2, load32: 4, load64: 8, store8: 1, store_f64: 8 } as const;
const OFFSETS = {
  i: ["(local.get $i)", (i: number) => i],
  "i + k": ["(i32.add (local.get $k) (local.get $i))", (i: number, k: number) => i + k],
  "i + k + 5": ["(i32.add (i32.const 5) (i32.add (local.get $i) (local.get $k)))", (i: number, k: number) => i + k + 5],
  "i - 2": ["(i32.add (local.get $i) (i32.const -2))", (i: number) => i - 2],
  k: ["(local.get $k)", (_: number, k: number) => k],
} as const;
const STEPS = {
  "1": "(i32.const 1)",
  "3": "(i32.const 3)",
  "-1": "(i32.const -1)",
  step: "(local.get $step)",
} as const;
const signed = (i: number, n: number): boolean => (i | 0) < (n | 0);
const unsigned = (i: number, n: number): boolean => i >>> 0 < n >>> 0;
const unequal = (i: number, n: number): boolean => i >>> 0 !== n >>> 0;
const TESTS = {
  "next <s n": ["(i32.lt_s NEXT (local.get $n))", signed],
  "n >s next": ["(i32.gt_s (local.get $n) NEXT)", signed],
  "next <u n": ["(i32.lt_u NEXT (local.get $n))", unsigned],
  "n >u next": ["(i32.gt_u (local.get $n) NEXT)", unsigned],
  "next != n": ["(i32.ne NEXT (local.get $n))", unequal],
  "n != next": ["(i32.ne (local.get $n) NEXT)", unequal],
} as const;

/** A loop over an object, `i` from its argument on. */
interface Shape {
  readonly access: keyof typeof WIDTHS;
  readonly offset: keyof typeof OFFSETS;
  readonly step: keyof typeof STEPS;
  readonly test: keyof typeof TESTS;
  /** The access is behind the step. */
  readonly late: boolean;
}

function keysOf<T extends object>(table: T): (keyof T)[] {
  return Object.keys(table) as (keyof T)[];
}

const SHAPES: readonly Shape[] = keysOf(WIDTHS).flatMap((access) =>
  keysOf(OFFSETS).flatMap((offset) =>
    keysOf(STEPS).flatMap((step) =>
      keysOf(TESTS).flatMap((test) => [false, true].map((late) => ({ access, offset, step, test, late }))),
    ),
  ),
);

function nameOf({ access, offset, step, test, late }: Shape): string {
  return `${access} ${offset} by ${step} while ${test}${late ? " late" : ""}`;
}

function loopText(shape: Shape): string {
  const { access, late } = shape;
  const offset = OFFSETS[shape.offset][0];
  const call = (value: string): string => `(call $${access} (local.get $ref) ${offset} ${value})`;
  const load = access === "load64" ? `(i32.wrap_i64 ${call("")})` : call("");
  const count = "(local.tee $sum (i32.add (local.get $sum) (i32.const 7)))";
  const act = {
    store8: call(count),
    store_f64: call(`(f64.convert_i32_s ${count})`),
    load: `(local.set $sum (i32.add (i32.mul (local.get $sum) (i32.const 31)) ${load}))`,
  }[access === "store8" || access === "store_f64" ? access : "load"];
  const next = `(local.tee $i (i32.add (local.get $i) ${STEPS[shape.step]}))`;
  const condition = TESTS[shape.test][0].replace("NEXT", next);
  return `(func (export "${nameOf(shape)}")
    (param $ref i64) (param $i i32) (param $n i32) (param $k i32) (param $step i32) (result i32)
    (local $sum i32) (local $more i32)
    (loop $again
      ${late ? `(local.set $more ${condition}) ${act} (local.get $more)` : `${act} ${condition}`}
      (br_if $again))
    (local.get $sum))`;
}

/** `make` an object whose bytes are told apart, by a loop with a branch in it; `sum` tells what it holds. */
const GUEST = `
  (import "bytes" "new" (func $new (param i32) (result i64)))
  (import "bytes" "destroy" (func $destroy (param i64)))
  (import "bytes" "load8_u" (func $load8_u (param i64 i32) (result i32)))
  (import "bytes" "load16_s" (func $load16_s (param i64 i32) (result i32)))
  (import "bytes" "load32" (func $load32 (param i64 i32) (result i32)))
  (import "bytes" "load64" (func $load64 (param i64 i32) (result i64)))
  (import "bytes" "store8" (func $store8 (param i64 i32 i32)))
  (import "bytes" "store_f64" (func $store_f64 (param i64 i32 f64)))
  (func (export "destroy") (param i64) (call $destroy (local.get 0)))
  (func (export "make") (param $length i32) (result i64) (local $ref i64) (local $i i32)
    (local.set $ref (call $new (local.get $length)))
    (block $done
      (loop $again
        (br_if $done (i32.ge_u (local.get $i) (local.get $length)))
        (call $store8 (local.get $ref) (local.get $i) (i32.mul (local.get $i) (i32.const 37)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $again)))
    (local.get $ref))
  (func (export "sum") (param $ref i64) (param $length i32) (result i32) (local $i i32) (local $sum i32)
    (block $done
      (loop $again
        (br_if $done (i32.ge_u (local.get $i) (local.get $length)))
        (local.set $sum
          (i32.add (i32.mul (local.get $sum) (i32.const 31)) (call $load8_u (local.get $ref) (local.get $i))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $again)))
    (local.get $sum))`;

const MODULE = Module.decode(await loadWat(`(module ${GUEST} ${SHAPES.map(loopText).join("\n")})`));

interface Case {
  readonly i: number;
  readonly n: number;
  readonly k: number;
  readonly step: number;
  readonly length: number;
}

function someCase(random: Random): Case {
  const length = random.pick([0, 1, 2, 7, 8, 9, 20, 40, 40, 40]);
  const near = (): number => random.pick([0, length]) + random.below(13) - 6;
  const edge = (): number => random.pick([0x7fff_ffff, -0x8000_0000, 0x7fff_fffd, -0x7fff_ffff, 0x4000_0000]);
  const some = (...usual: number[]): number =>
    random.pick([...usual, ...usual, near(), near(), edge() + random.below(7) - 3]) | 0;
  return {
    i: some(0, 0, 1, 2),
    n: some(length, length - 1, length - 7, length - 7, length - 12),
    k: some(0, 0, 0, -5, 1),
    step: some(1, 1, 2, 5),
    length,
  };
}

const MOST_TURNS = 300;

interface Outcome {
  readonly result?: number;
  readonly trap?: TrapName;
  readonly bytes: Uint8Array;
}

/** What a loop does with an object; undefined if it takes very long. */
function run(shape: Shape, { i: first, n, k, step: given, length }: Case): Outcome | undefined {
  const bytes = Uint8Array.from({ length }, (_, at) => at * 37);
  const view = new DataView(bytes.buffer);
  const step = shape.step === "step" ? given : Number(shape.step);
  let i = first;
  let sum = 0;
  for (let turn = 0; turn < MOST_TURNS; turn++) {
    const next = (i + step) | 0;
    const at = OFFSETS[shape.offset][1](shape.late ? next : i, k) >>> 0;
    const isStore = shape.access.startsWith("store");
    if (isStore) sum += 7;
    if (at + WIDTHS[shape.access] > length) return { trap: "HeapWindow", bytes };
    if (shape.access === "store8") view.setUint8(at, sum);
    else if (shape.access === "store_f64") view.setFloat64(at, sum, true);
    else {
      const low = { load8_u: () => view.getUint8(at), load16_s: () => view.getInt16(at, true) };
      const value = shape.access in low ? low[shape.access as "load8_u"]() : view.getInt32(at, true);
      sum = (Math.imul(sum, 31) + value) | 0;
    }
    i = next;
    if (!TESTS[shape.test][1](i, n)) return { result: sum, bytes };
  }
  return undefined;
}

function sumOf(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte) => (Math.imul(sum, 31) + byte) | 0, 0);
}

/** The result, or the trap's name and place. */
function invoke(instance: Instance, name: string, args: readonly (number | bigint)[]): unknown {
  try {
    return instance.invoke(name, args)[0];
  } catch (error) {
    if (error instanceof Trap) return `${error.code} ${error.function} ${error.offset} ${error.fuel}`;
    throw error;
  }
}

t.test(
  "[HEAP-CHECK-1, HEAP-CHECK-2, HEAP-BYTES-1] loops over objects do what single accesses do, on both engines",
  (t) => {
    const random = new Random(7);
    const tally = { ran: 0, trapped: 0 };
    const instances = ENGINES.map((engine) => MODULE.instantiate({ engine, fuel: 2n ** 50n }));
    for (const shape of SHAPES) {
      const name = nameOf(shape);
      for (let k = 0; k < 6; k++) {
        const given = someCase(random);
        const expected = run(shape, given);
        if (expected === undefined) continue;
        if (expected.trap) tally.trapped++;
        else tally.ran++;
        const what = `${name} ${JSON.stringify(given)}`;
        const shown = instances.map((instance) => {
          const [ref] = instance.invoke("make", [given.length]) as [bigint];
          const result = invoke(instance, name, [ref, given.i, given.n, given.k, given.step]);
          assert.equal(instance.invoke("sum", [ref, given.length])[0], sumOf(expected.bytes), `${what}: bytes`);
          instance.invoke("destroy", [ref]);
          return `${result}; ${instance.fuelUsed}`;
        });
        const outcome = expected.trap ? `${TrapCode[expected.trap]} ` : `${expected.result};`;
        assert.ok(shown[0]!.startsWith(outcome), `${what}: ${shown[0]}, not ${outcome}`);
        assert.equal(shown[1], shown[0], what);
      }
    }
    t.ok(tally.ran > 1500 && tally.trapped > 1500, `${tally.ran} ran, ${tally.trapped} trapped`);
    t.equal(instances[1]!.stateDigest(), instances[0]!.stateDigest());
    t.end();
  },
);

/** Finds the sweep that the first loop of an exported function is. */
function sweepsIn({ structure, translation }: Module): (name: string) => Sweep | undefined {
  const changes = heapChanges(translation, validate(structure, limitsWith({})).declared, false);
  const scan = new BodyScan(translation, changes.functions, changes.indirect, new Code(translation.structure.bytes));
  const finder = new SweepFinder(translation);
  return (name) => {
    const { index } = structure.exports.find((entry) => entry.name === name)!;
    scan.scan(index);
    const { end } = structure.bodies[index - translation.importedFunctions]!;
    // The opcode and an empty block type.
    return finder.find(scan.loops[0]!.offset + 2, end, EMPTY_BLOCK, planHeap(scan));
  };
}

/** A guest's function with parameters as the loops' locals, and one more for the limit: whether the copy is safe. */
function conditionOf(sweep: Sweep): Module {
  const body = new Writer();
  body.byte(0);
  writeCondition(body, sweep, { local: (index) => index, limit: () => 5 });
  body.byte(0x0b);
  const code = body.written;
  const i32 = 0x7f;
  const out = new Writer();
  for (const byte of [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 11, 1, 0x60, 6, 0x7e, i32, i32, i32, i32, i32, 1, i32])
    out.byte(byte);
  for (const byte of [3, 2, 1, 0, 7, 8, 1, 4, 0x73, 0x61, 0x66, 0x65, 0, 0]) out.byte(byte);
  const size = new Writer();
  size.u32(code.length);
  out.byte(10);
  out.u32(code.length + size.length + 1);
  out.byte(1);
  out.u32(code.length);
  out.copy(code);
  return Module.decode(out.written);
}

t.test("[HEAP-CHECK-2] the checks in front of a loop let through what cannot fail, and most of what does not", (t) => {
  const random = new Random(11);
  const sweepIn = sweepsIn(MODULE);
  let safe = 0;
  let ran = 0;
  for (const shape of SHAPES) {
    const { step, test } = shape;
    const sweep = sweepIn(nameOf(shape));
    const isCounted = test.includes("!=") ? step === "1" : true;
    assert.equal(sweep !== undefined, isCounted, nameOf(shape));
    if (sweep === undefined) continue;
    const condition = conditionOf(sweep).instantiate();
    const limitOf = (length: number): number => Math.max(0, length + 1 - WIDTHS[shape.access]);
    for (let k = 0; k < 6; k++) {
      const given = someCase(random);
      const { i, n, k: offset, step: by, length } = given;
      const [isSafe] = condition.invoke("safe", [0n, i, n, offset, by, limitOf(length)]);
      const outcome = run(shape, given);
      if (isSafe === 1) {
        assert.ok(outcome?.trap === undefined, `${nameOf(shape)} ${JSON.stringify(given)} is taken to be safe`);
        safe++;
      }
      if (outcome?.result !== undefined) ran++;
    }
  }
  t.ok(safe > 0.5 * ran && safe > 500, `${safe} safe, ${ran} without a trap`);
  t.end();
});

const FEW: readonly Shape[] = [
  { access: "load8_u", offset: "i", step: "1", test: "n != next", late: false },
  { access: "store8", offset: "i + k", step: "step", test: "next <s n", late: false },
  { access: "store_f64", offset: "i + k + 5", step: "3", test: "n >u next", late: true },
];

t.test(
  "[VM-FUEL-3, HEAP-CHECK-1] in a loop over an object fuel runs out, and refs fail, where they do elsewhere",
  async (t) => {
    const module = Module.decode(await loadWat(`(module ${GUEST} ${FEW.map(loopText).join("\n")})`));
    const look = LOOK.fuel;
    const stops = new Set<string>();
    for (const lookFuel of [look, 25n]) {
      LOOK.fuel = lookFuel;
      for (const shape of FEW) {
        const whole = module.instantiate();
        const [object] = whole.invoke("make", [40]) as [bigint];
        const made = whole.fuelUsed;
        whole.invoke(nameOf(shape), [object, 0, 24, 3, 1]);
        for (let fuel = made; fuel <= whole.fuelUsed; fuel += 7n) {
          const shown = ENGINES.map((engine) => {
            const instance = module.instantiate({ engine, fuel });
            const [ref] = instance.invoke("make", [40]) as [bigint];
            const result = invoke(instance, nameOf(shape), [ref, 0, 24, 3, 1]);
            if (typeof result === "string") stops.add(result.split(" ")[0]!);
            return `${result} ${instance.fuelUsed} ${instance.stateDigest()}`;
          });
          assert.equal(shown[1], shown[0], `${nameOf(shape)} with ${fuel}`);
        }
        const traps = ENGINES.map((engine) => {
          const instance = module.instantiate({ engine });
          const [ref] = instance.invoke("make", [40]) as [bigint];
          instance.invoke("destroy", [ref]);
          return [0n, ref, ref + 2n ** 32n, 99n].map((given) => invoke(instance, nameOf(shape), [given, 0, 24, 3, 1]));
        });
        assert.deepEqual(traps[1], traps[0]);
        const codes = traps[0]!.map((trap) => Number(String(trap).split(" ")[0]));
        const { HeapRefNull, HeapRefStale } = TrapCode;
        assert.deepEqual(codes, [HeapRefNull, HeapRefStale, HeapRefStale, HeapRefStale], nameOf(shape));
      }
    }
    LOOK.fuel = look;
    t.same([...stops], [`${TrapCode.OutOfFuel}`]);
    t.end();
  },
);

t.test(
  "[HEAP-BYTES-5, HEAP-BYTES-6] a loop over a window on the memory is no other than one over an object",
  async (t) => {
    const shape = FEW[1]!;
    const window = `(import "bytes" "of_memory" (func $of_memory (result i64)))`;
    const text = `(module ${window} ${GUEST} (memory (export "memory") 1)
    (func (export "window") (result i64) (call $of_memory)) ${loopText(shape)})`;
    const module = Module.decode(await loadWat(text));
    const shown = ENGINES.map((engine) => {
      const instance = module.instantiate({ engine });
      const [ref] = instance.invoke("window") as [bigint];
      const [object] = instance.invoke("make", [40]) as [bigint];
      const results = [ref, object].flatMap((given) =>
        [0, 65_510].map((k) => invoke(instance, nameOf(shape), [given, 0, 24, k, 1])),
      );
      return [...results, instance.invoke("sum", [ref, 65_536])[0], instance.fuelUsed, instance.stateDigest()];
    });
    t.same(shown[1], shown[0]);
    t.equal(shown[0]![0], 24 * 7);
    t.equal(shown[0]![1], 24 * 7);
    t.equal(shown[0]![2], 24 * 7);
    t.match(shown[0]![3], new RegExp(`^${TrapCode.HeapWindow} `));
    t.end();
  },
);
