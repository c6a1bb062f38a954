/**
 * Generated modules, and modules that once failed, in V8, in both forms of the code, and cut into pieces: see
 * `differential.ts`. A seed that fails is reported with its module shrunk to the statements that matter; save that text
 * in `test/fixtures/fuzz/` under a name that says what was wrong (`name.link.wat` is a second module that imports `a`).
 */
import { readdirSync, readFileSync } from "node:fs";
import t from "tap";
import { loadWat } from "../../host/wat.ts";
import { OPCODES, opcodeIndex } from "../../vm/bytecode/opcodes.ts";
import { Writer } from "../../vm/bytecode/writer.ts";
import { Module, TrapCode } from "../../vm/index.ts";
import { check, checkSeed, newTally, shrink } from "./differential.ts";
import { generate } from "./generate.ts";
import { Random } from "./random.ts";
import { planOf, SAVED, subjectOfBytes, useHostSha256 } from "./subject.ts";

useHostSha256();

/** The first, so that few are enough for every instruction and trap. */
const FIRST = 100;
const SEEDS = 180;
const FIXTURES = new URL("../fixtures/fuzz/", import.meta.url);

t.test(
  "generated modules agree with V8, with their own pieces, and with the schedule [VM-EXEC-1, VM-NAN-1, VM-FUEL-2, VM-FUEL-3, VM-FUEL-4, VM-FUEL-5, VM-FUEL-6, VM-FUEL-8, VM-STEP-1, VM-HOOK-1, VM-SNAPSHOT-1]",
  async (t) => {
    const tally = newTally();
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
      const difference = checkSeed(seed, tally);
      if (difference) {
        t.fail(difference.message, { shrunk: shrink(seed) });
        return;
      }
    }
    // A comparison of nothing with nothing would pass, too.
    t.ok(tally.subjects > 0.98 * SEEDS, `${tally.subjects} of ${SEEDS} subjects could be instantiated`);
    t.ok(tally.calls > 1_200, `${tally.calls} calls`);
    t.ok(tally.long > 0.3 * tally.calls, `${tally.long} of ${tally.calls} calls ran 100 instructions or more`);
    t.ok(tally.pauses > 4_000, `${tally.pauses} pauses for fuel`);
    t.ok(tally.restores > 1_700, `${tally.restores} restored snapshots`);
    // Hooks are not called before block, else and end.
    const silent = ["block", "else", "end"];
    const rare = OPCODES.filter(
      ({ name, code }) => !silent.includes(name) && !((tally.counts[opcodeIndex(code)] ?? 0) >= 10),
    );
    t.same(
      rare.map(({ name, code }) => `${name}: ${tally.counts[opcodeIndex(code)] ?? 0}`),
      [],
      "every instruction ran ten times",
    );
    const traps = Object.entries(TrapCode).filter(([name, code]) => code < 50 && name !== "OutOfFuel");
    t.same(
      traps.filter(([, code]) => !tally.traps[code]).map(([name]) => name),
      [],
      "every trap of the VM was met",
    );
  },
);

t.test("modules that failed once do not fail again [VM-EXEC-1, VM-FUEL-6, VM-STEP-1, VM-SNAPSHOT-1]", async (t) => {
  const names = readdirSync(FIXTURES)
    .filter((file) => file.endsWith(".wat") && !/\.link\d?\.wat$/.test(file))
    .map((file) => file.slice(0, -4))
    // What the fuzzer wrote may import what V8 has no match for; `fuzz.test.ts` runs it.
    .filter((name) => !readFileSync(new URL(`${name}.wat`, FIXTURES), "utf8").startsWith(SAVED));
  t.ok(names.length > 0);
  for (const name of names) {
    const files = readdirSync(FIXTURES).filter((file) => file === `${name}.wat` || file === `${name}.link.wat`);
    const binaries = await Promise.all(files.reverse().map((file) => loadWat(readFileSync(new URL(file, FIXTURES)))));
    const subject = subjectOfBytes(name, binaries);
    t.doesNotThrow(() => {
      for (let seed = 0; seed < 15; seed++) {
        const random = new Random(seed);
        check(subject, planOf(subject, random, 2), random, newTally());
      }
    }, name);
  }
});

t.test("the generator gives the same module for the same seed, and one without what is skipped", async (t) => {
  const whole = generate(5);
  t.same(generate(5).bytes, whole.bytes);
  t.notSame(generate(6).bytes, whole.bytes);
  const skip = new Set(whole.statements);
  const empty = generate(5, { skip });
  t.same(empty.statements, []);
  t.ok(empty.bytes.length < whole.bytes.length - 500, `${empty.bytes.length} of ${whole.bytes.length} bytes`);
  t.ok(WebAssembly.validate(Uint8Array.from(empty.bytes)));
});

/** A module whose one function has an i32 local and this body; global 0 is an i32. */
function functionOf(write: (writer: Writer) => void): Module {
  const writer = new Writer(1 << 20);
  const bytes = (...list: readonly number[]): void => {
    for (const byte of list) writer.byte(byte);
  };
  for (const word of [0x6d736100, 1]) writer.word(word);
  bytes(1, 4, 1, 0x60, 0, 0, 3, 2, 1, 0, 6, 6, 1, 0x7f, 1, 0x41, 0, 0x0b, 7, 5, 1, 1, 0x66, 0, 0, 10);
  const section = writer.beginSized();
  bytes(1);
  const body = writer.beginSized();
  bytes(1, 1, 0x7f);
  write(writer);
  bytes(0x0b);
  writer.endSized(body);
  writer.endSized(section);
  return Module.decode(writer.written);
}

t.test("translation takes linear time, however a body is made [VM-FUEL-2]", async (t) => {
  const repeat = (writer: Writer, count: number, ...bytes: readonly number[]): void => {
    for (let k = 0; k < count; k++) for (const byte of bytes) writer.byte(byte);
  };
  /** Milliseconds of the faster of two first calls, which translate. */
  const timeOf = (n: number, fuel: number, write: (writer: Writer, n: number) => void): number =>
    Math.min(
      ...[1, 2].map(() => {
        const instance = functionOf((writer) => write(writer, n)).instantiate({ limits: { depth: 10_000_000 } });
        const start = performance.now();
        instance.invoke("f");
        t.equal(instance.fuelUsed, BigInt(fuel));
        return performance.now() - start;
      }),
    );
  /** Of eight times the body a linear translation takes about eight times the time, a quadratic one sixty-four. */
  const check = (
    name: string,
    n: number,
    fuel: (n: number) => number,
    write: (writer: Writer, n: number) => void,
  ): void => {
    // What else the machine does makes it more: the least of some attempts counts.
    let ratio = Number.POSITIVE_INFINITY;
    for (let attempt = 0; attempt < 5 && ratio >= 32; attempt++)
      ratio = Math.min(ratio, timeOf(n, fuel(n), write) / timeOf(n / 8, fuel(n / 8), write));
    t.ok(ratio < 32, `${name}: ${ratio.toFixed(1)} times as long`);
  };
  const branches = (writer: Writer, n: number): void => {
    for (let k = 0; k < n; k++) {
      repeat(writer, 1, 0x20, 0, 0x0d);
      writer.u32(k);
    }
  };
  check(
    "branches to one label behind another",
    400_000,
    (n) => 2 * n,
    (writer, n) => {
      repeat(writer, 1, 0x02, 0x40);
      repeat(writer, n, 0x20, 0, 0x0d, 0);
      repeat(writer, 1, 0x02, 0x40, 0x0b, 0x0b);
    },
  );
  check(
    "labels at one place",
    160_000,
    (n) => 2 * n,
    (writer, n) => {
      repeat(writer, n, 0x02, 0x40);
      branches(writer, n);
      repeat(writer, n, 0x0b);
    },
  );
  check(
    "labels with a nop between them",
    160_000,
    (n) => 3 * n,
    (writer, n) => {
      repeat(writer, n, 0x02, 0x40);
      branches(writer, n);
      repeat(writer, n, 0x01, 0x0b);
    },
  );
  check(
    "a local that waits below many values",
    160_000,
    (n) => 4 * n + 2,
    (writer, n) => {
      repeat(writer, 1, 0x20, 0);
      repeat(writer, n, 0x23, 0);
      repeat(writer, n, 0x23, 0, 0x21, 0);
      repeat(writer, n + 1, 0x1a);
    },
  );
});
