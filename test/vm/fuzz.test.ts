/**
 * A bounded part of what `npm run fuzz` does: generated modules on both engines and, where they can be, in plain V8; and
 * modules that failed once. The fuzzer writes what fails to `test/fixtures/fuzz`; give it a name that says what was wrong.
 */
import { readdirSync, readFileSync } from "node:fs";
import t from "tap";
import { loadWat } from "../../host/wat.ts";
import { trapName } from "../../vm/trap.ts";
import { differ, ENGINES, newCompareTally, observe, PLENTY } from "./compare.ts";
import { fuzz, generatedCase, replay } from "./fuzz.ts";
import { shrinkModules } from "./shrink.ts";
import { subjectOfBytes, useHostSha256 } from "./subject.ts";

useHostSha256();

const SEEDS = 250;
const FIXTURES = new URL("../fixtures/fuzz/", import.meta.url);

t.test(
  "both engines show the same, and plain V8 where nothing runs out [VM-ENGINE-1, VM-EXEC-1, VM-NAN-1, VM-FUEL-6, VM-FUEL-7, VM-DEPTH-1, VM-TRAP-2, VM-TRAP-3, VM-DIGEST-1]",
  async (t) => {
    const tally = newCompareTally();
    for (let seed = 0; seed < SEEDS; seed++) {
      const difference = fuzz(() => generatedCase(seed), tally);
      if (difference) return void t.fail(difference.message);
    }
    t.equal(tally.subjects, SEEDS);
    t.ok(tally.modules.size > 1.15 * SEEDS, `${tally.modules.size} modules`);
    t.ok(tally.long > 0.6 * tally.modules.size, `${tally.long} of them executed 1,000 instructions or more`);
    t.ok(tally.calls > 2_000, `${tally.calls} calls`);
    t.ok(tally.plain > 120, `${tally.plain} calls in plain V8`);
    const met = tally.traps.flatMap((count, code) => (count > 0 ? [trapName(code)] : []));
    t.ok(met.length >= 13, met.join(", "));
    const sites = [
      "entry",
      "loop",
      "return to the host",
      "call of bytes",
      "call of env",
      "call_indirect",
      "memory.fill",
    ];
    t.same(
      sites.filter((kind) => !tally.sites[kind]),
      [],
      "fuel ran out at every kind of place",
    );
  },
);

t.test("modules that failed once do not fail again, on both engines [VM-ENGINE-1, VM-EXEC-1]", async (t) => {
  const files = readdirSync(FIXTURES).filter((file) => file.endsWith(".wat"));
  const names = files.filter((file) => !/\.link\d?\.wat$/.test(file)).map((file) => file.slice(0, -4));
  t.ok(names.length > 4);
  for (const name of names) {
    const own = readFileSync(new URL(`${name}.wat`, FIXTURES), "utf8");
    const links = files.filter((file) => file.startsWith(`${name}.link`));
    const linked = links.map((file) => readFileSync(new URL(file, FIXTURES), "utf8"));
    const binaries = await Promise.all([own, ...linked].map((text) => loadWat(text)));
    t.equal(replay(name, own.slice(0, own.indexOf("\n")), binaries)?.message, undefined, name);
  }
});

t.test("what differs is found, and shrinks to what matters", async (t) => {
  const bytes = await loadWat(`(module (memory (export "memory") 1) (global $g (mut i32) (i32.const 3))
    (func $other (param i32) (result i32) (i32.add (local.get 0) (i32.const 7)))
    (func (export "f") (param i32) (result i32) (local i64)
      (local.set 1 (i64.const 9)) (global.set $g (call $other (local.get 0)))
      (if (i32.lt_u (local.get 0) (i32.const 50)) (then (i32.store (i32.const 8) (i32.div_u (i32.const 1) (i32.const 0)))))
      (global.get $g)))`);
  const subject = subjectOfBytes("one", [bytes], false);
  const entry = subject.parts[0]!.entries[0]!;
  const run = (argument: number, fuel = PLENTY.fuel) =>
    observe(subject, [{ part: 0, entry, args: [argument] }], ENGINES[0], { ...PLENTY, fuel });
  const whole = run(60);
  t.match(whole.calls, [/^instantiation done #0$/, /^call 0 0:f\(60\) 67 #0$/]);
  t.same(whole.fuel, [0n, 13n]);
  differ("the same", PLENTY, whole, run(60));
  const fails = (other: typeof whole, message: RegExp) =>
    t.throws(() => differ("x", PLENTY, whole, other), { message }, String(message));
  fails(run(61), /line 1: got call 0 0:f\(61\) 68/);
  fails(run(60, 3n), /line 1: got .*trap 8/);
  fails({ ...whole, fuel: [0n, 15n] }, /fuel after line 1: got 15, expected 13/);
  fails({ ...whole, state: "other" }, /state: got other/);
  const traps = (modules: readonly Uint8Array[]): boolean => {
    const { parts } = subjectOfBytes("small", modules, false);
    const call = { part: 0, entry: parts[0]!.entries.find(({ name }) => name === "f")!, args: [40] };
    return /trap 2 /.test(observe({ ...subject, parts }, [call], ENGINES[1], PLENTY).calls[1]!);
  };
  const [small] = shrinkModules([bytes], traps);
  t.ok(traps([small!]));
  const division = [0x41, 0x00, 0x41, 0x00, 0x6e];
  const text = Buffer.from(small!).toString("hex");
  t.ok(small!.length < bytes.length - 35, `${small!.length} of ${bytes.length} bytes`);
  t.match(text, Buffer.from(division).toString("hex"));
});
