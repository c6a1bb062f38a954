/**
 * The tiering group: how fast a single long call becomes as fast as code that is hot. V8 does not replace the code of a
 * running frame; ours leaves loops for a clone of their function now and then (`vm/compiler/resume.ts`).
 *
 * The progress of a call is seen where its code looks around, every few million units of fuel: the import `hit`.
 */
import { Module, Store } from "../vm/index.ts";
import { LOOK } from "../vm/tuning.ts";
import { binaryOf, textOf } from "./kernels.ts";
import { atLeast, type Group, isMain, measured, milliseconds, nodes, ratio, table } from "./report.ts";

interface Program {
  readonly name: string;
  /** An export `run` of one i32, the more the longer. */
  readonly text: () => string;
  /** Argument of a call that takes longer than any bench, and of one of some milliseconds. */
  readonly long: number;
  readonly short: number;
}

/** Counts steps for the points of a grid, again and again in one function. */
const MANDELBROT = `(module (func (export "run") (param $n i32) (result i32)
  (local $s i32) (local $x i32) (local $y i32) (local $k i32)
  (local $cr f64) (local $ci f64) (local $zr f64) (local $zi f64) (local $rr f64) (local $ii f64)
  (loop $pass
    (local.set $y (i32.const 0))
    (loop $row
      (local.set $x (i32.const 0))
      (loop $point
        (local.set $cr (f64.sub (f64.mul (f64.convert_i32_s (local.get $x)) (f64.const 0.02)) (f64.const 1.5)))
        (local.set $ci (f64.sub (f64.mul (f64.convert_i32_s (local.get $y)) (f64.const 0.02)) (f64.const 1)))
        (local.set $zr (f64.const 0))
        (local.set $zi (f64.const 0))
        (local.set $k (i32.const 0))
        (block $done
          (loop $step
            (local.set $rr (f64.mul (local.get $zr) (local.get $zr)))
            (local.set $ii (f64.mul (local.get $zi) (local.get $zi)))
            (br_if $done (f64.gt (f64.add (local.get $rr) (local.get $ii)) (f64.const 4)))
            (local.set $zi (f64.add (f64.mul (f64.mul (local.get $zr) (local.get $zi)) (f64.const 2)) (local.get $ci)))
            (local.set $zr (f64.add (f64.sub (local.get $rr) (local.get $ii)) (local.get $cr)))
            (local.set $s (i32.add (local.get $s) (i32.const 1)))
            (br_if $step (i32.lt_u (local.tee $k (i32.add (local.get $k) (i32.const 1))) (i32.const 50)))))
        (br_if $point (i32.lt_u (local.tee $x (i32.add (local.get $x) (i32.const 1))) (i32.const 100))))
      (br_if $row (i32.lt_u (local.tee $y (i32.add (local.get $y) (i32.const 1))) (i32.const 100))))
    (br_if $pass (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
  (local.get $s)))`;

/** Sieves 1 MB again and again in one function. */
const SIEVE = `(module (memory 16) (func (export "run") (param $n i32) (result i32) (local $i i32) (local $j i32) (local $s i32)
  (loop $pass
    (memory.fill (i32.const 0) (i32.const 0) (i32.const 1000000))
    (local.set $i (i32.const 2))
    (loop $outer
      (if (i32.eqz (i32.load8_u (local.get $i)))
        (then
          (local.set $s (i32.add (local.get $s) (i32.const 1)))
          (local.set $j (i32.shl (local.get $i) (i32.const 1)))
          (block $done
            (loop $inner
              (br_if $done (i32.ge_u (local.get $j) (i32.const 1000000)))
              (i32.store8 (local.get $j) (i32.const 1))
              (local.set $j (i32.add (local.get $j) (local.get $i)))
              (br $inner)))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $outer (i32.lt_u (local.get $i) (i32.const 1000000))))
    (br_if $pass (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
  (local.get $s)))`;

/** A loop that does its work in a function with a loop of its own. */
const CALLS = `(module
  (func $collatz (param $x i64) (result i32) (local $steps i32)
    (loop $next
      (local.set $x (if (result i64) (i64.eqz (i64.and (local.get $x) (i64.const 1)))
        (then (i64.shr_u (local.get $x) (i64.const 1)))
        (else (i64.add (i64.mul (local.get $x) (i64.const 3)) (i64.const 1)))))
      (local.set $steps (i32.add (local.get $steps) (i32.const 1)))
      (br_if $next (i64.gt_u (local.get $x) (i64.const 1))))
    (local.get $steps))
  (func (export "run") (param $n i32) (result i32) (local $i i32) (local $s i32)
    (loop $next
      (local.set $s (i32.add (local.get $s)
        (call $collatz (i64.add (i64.extend_i32_u (i32.and (local.get $i) (i32.const 65535))) (i64.const 2)))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $s)))`;

const PROGRAMS: readonly Program[] = [
  { name: "mandelbrot", text: () => MANDELBROT, long: 1 << 30, short: 4 },
  { name: "sha256", text: () => textOf("sha256"), long: 1 << 30, short: 1000 },
  { name: "sieve", text: () => SIEVE, long: 1 << 30, short: 2 },
  { name: "calls", text: () => CALLS, long: 1 << 30, short: 20_000 },
];

/** Of hot speed. */
const WANTED = 0.9;
const WITHIN_MS = 200;
const CALL_MS = 5000;
/** Hot speed is the best of so many turns of so long: the processor's time is known to some milliseconds. */
const HOT_TURNS = 6;
const HOT_MS = 250;
/** Speed is taken over so long: less would measure the machine's other work. */
const WINDOW_MS = 50;

/** Places of a call: milliseconds since it began, and the fuel used by then. */
type Progress = readonly (readonly [ms: number, fuel: number])[];

export async function tieringGroup({ rounds }: { readonly rounds: number }): Promise<Group> {
  const rows: string[][] = [];
  const targets: Group["targets"][number][] = [];
  for (const { name } of PROGRAMS) {
    for (const { version, path } of nodes()) {
      const hot = await measured<number>("tiering.ts", ["hot", name], { node: path });
      const calls: Progress[] = [];
      for (let round = 0; round < Math.ceil(rounds / 3); round++)
        calls.push(await measured<Progress>("tiering.ts", ["long", name], { node: path }));
      // What slows a process down is none of its code's doing: the best call counts.
      const reached = Math.min(...calls.map((call) => reachedMs(call, hot)));
      const rest = Math.max(...calls.map((call) => speed(call, WITHIN_MS, CALL_MS) / hot));
      const first = Math.max(...calls.map((call) => speed(call, 0, 20) / hot));
      rows.push([name, `${version}`, ratio(first), milliseconds(reached), ratio(rest)]);
      targets.push(
        atLeast(`${name} on Node ${version}, one call, from ${WITHIN_MS} ms to ${CALL_MS} ms`, WANTED, rest, ratio),
      );
    }
  }
  const text = `One call of ${CALL_MS / 1000} s in a new process, against calls of some milliseconds in one where all code is hot. Speed is fuel by time of the processor. *Reached*: the start of the first ${WINDOW_MS} ms that run at ${WANTED} of the hot speed or more, as the rest of the call does.

${table(["program", "Node", "first 20 ms:", "reached:", `${WITHIN_MS} ms to the end:`], rows)}`;
  return { title: "Tiering", text, targets };
}

/** Fuel for each millisecond from `from` to `to`. */
function speed(call: Progress, from: number, to: number): number {
  const first = call.find(([ms]) => ms >= from);
  const last = call.findLast(([ms]) => ms <= to);
  if (first === undefined || last === undefined || last[0] <= first[0]) return Number.NaN;
  return (last[1] - first[1]) / (last[0] - first[0]);
}

/** Start of the first window that is as fast as wanted, as the rest of the call is. */
function reachedMs(call: Progress, hot: number): number {
  for (let from = 0; from + WINDOW_MS < CALL_MS; from += 5)
    if (speed(call, from, from + WINDOW_MS) >= WANTED * hot && speed(call, from, CALL_MS) >= WANTED * hot) return from;
  return Number.POSITIVE_INFINITY;
}

/** Milliseconds of the processor that this thread has had: other work of the machine does not count. */
function now(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Units of fuel for each millisecond in calls of code that is hot, and never looks around. */
function hotSpeed(program: Program): number {
  LOOK.fuel = 1n << 62n;
  const store = new Store({ engine: "compiled" });
  const guest = Module.decode(binaryOf(program.text())).instantiate({ store });
  let best = 0;
  for (let turn = 0; turn < HOT_TURNS; turn++) {
    const before = store.fuelUsed;
    const start = now();
    while (now() - start < HOT_MS) guest.invoke("run", [program.short]);
    best = Math.max(best, Number(store.fuelUsed - before) / (now() - start));
  }
  return best;
}

class Enough extends Error {}

function longCall(program: Program): Progress {
  const progress: [number, number][] = [];
  let start = 0;
  let initial = 0;
  const look = (fuel: number): void => {
    const ms = now() - start;
    if (initial === 0) initial = fuel;
    if (progress.length === 0 || ms >= progress[progress.length - 1]![0] + 1) progress.push([ms, initial - fuel]);
    if (ms > CALL_MS) throw new Enough();
  };
  // The engine links `hit` itself, so it is got at where V8 instantiates.
  const { Instance } = WebAssembly;
  WebAssembly.Instance = new Proxy(Instance, {
    construct(target, [module, imports]) {
      const { hit, ...others } = imports.a;
      const watched = (low: number, high: number): void => {
        hit(low, high);
        look(high * 2 ** 32 + (low >>> 0));
      };
      return new target(module, { a: { ...others, hit: watched } });
    },
  });
  const store = new Store({ engine: "compiled" });
  const guest = Module.decode(binaryOf(program.text())).instantiate({ store });
  start = now();
  try {
    guest.invoke("run", [program.long]);
  } catch (error) {
    if (!(error instanceof Enough)) throw error;
  }
  return progress;
}

if (isMain(import.meta.url)) {
  const [mode, name] = process.argv.slice(2);
  const program = PROGRAMS.find((entry) => entry.name === name)!;
  process.stdout.write(JSON.stringify(mode === "hot" ? hotSpeed(program) : longCall(program)));
}
