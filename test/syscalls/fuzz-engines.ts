/** The calls of a fuzzed session once more, by guests: on either engine they must show the same, to the last byte. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createAbi } from "../../host/abi.ts";
import { Exit } from "../../syscalls/exit.ts";
import { createRecorder, outcomeOf } from "../../syscalls/recording.ts";
import { traceLine } from "../../syscalls/trace.ts";
import type { ValueType } from "../../vm/bytecode/structure.ts";
import type { Caller, HostFunction } from "../../vm/function.ts";
import { type Engine, type Instance, Store, Trap } from "../../vm/index.ts";
import { Driver, type Ref } from "../conformance/driver.ts";
import { ENGINES } from "../vm/compare.ts";
import type { Done, World } from "./fuzz.ts";
import { CALLS, type EngineStand, MACHINE, standOn } from "./stand.ts";

/** How the calls are made again. */
interface Run {
  readonly engine: Engine;
  /** Traced and recorded; else nobody hears of the calls, and they take a shorter way. */
  readonly isHeard: boolean;
  /** Of the store; with it the calls may come to an early end. */
  readonly fuel?: bigint;
}

/** Everything that a run shows. */
interface Shown {
  /** Of each call how it ended, where it trapped, and the fuel used by then. */
  readonly ends: readonly string[];
  readonly trace: readonly string[];
  /** Digests. */
  readonly recording: string;
  readonly memory: string;
  /** Empty where the host has files. */
  readonly state: string;
  /** Empty where not everything can be saved. */
  readonly snapshot: string;
  readonly fuelUsed: bigint;
}

const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

function show(run: Run, world: World, calls: readonly Done[], perform: (driver: Driver, done: Done) => string): Shown {
  const trace: string[] = [];
  const pieces: Uint8Array[] = [];
  const { fuel } = run;
  const recorder = createRecorder({
    module: "0".repeat(64),
    fuel,
    write: (bytes) => void pieces.push(bytes.slice()),
  });
  const abi = createAbi({
    ...world.options,
    ...(run.isHeard && { record: recorder, observe: (event) => void trace.push(traceLine(event)) }),
  });
  let stand: EngineStand | undefined;
  const driver = new Driver(abi, { heapObjects: world.heapObjects }, (options) => {
    stand = standOn(run.engine, fuel)(options);
    return stand;
  });
  const { store } = stand!;
  assert.equal(store.engine, run.engine);
  const ends: string[] = [];
  for (const done of calls) {
    stand!.trap = undefined;
    world.prepare(done);
    const end = perform(driver, done);
    const { trap } = stand!;
    const frames = trap?.backtrace.map((frame) => `${frame.instance}:${frame.function}@${frame.offset}`);
    ends.push(`${end} ${trap ? `"${trap.message}" ${frames} after ${trap.fuel}` : ""} ${store.fuelUsed}`);
    if (trap?.reason === "OutOfFuel") break;
  }
  // A digest reads open files of the host, which may be as long as they like.
  const state = world.folders.length === 0 ? store.instances[0]!.stateDigest() : "";
  if (run.isHeard) recorder.end(outcomeOf(store.fuelUsed, undefined, state || undefined));
  const isDead = stand!.trap?.reason === "OutOfFuel";
  store.heap.check();
  const snapshot = world.isSaved && !isDead ? digest(store.instances[0]!.snapshot()) : "";
  const memory = digest(driver.memory.bytes);
  store.close();
  return { ends, trace, recording: digest(Buffer.concat(pieces)), memory, state, snapshot, fuelUsed: store.fuelUsed };
}

const hostFunction = (params: ValueType[], results: ValueType[], call: HostFunction["call"]): HostFunction => ({
  type: { params, results },
  fuel: 1,
  mayFree: true,
  call,
});

/** What shows when as many of the calls as do not trap are made in one invocation; each trap ends one. */
function showAtOnce(
  engine: Engine,
  world: World,
  calls: readonly Done[],
  perform: (driver: Driver, done: Done) => string,
  fuel: bigint,
): string[] {
  const shown: string[] = [];
  let at = 0;
  let words: readonly (number | Ref)[] = [];
  const next = (caller: Caller): number => {
    shown.push(`fuel ${caller.fuelUsed()}`);
    while (at < calls.length) {
      const done = calls[at++]!;
      const { op } = done;
      world.prepare(done);
      if (op.do !== "call") perform(driver, done);
      else if (op.hasMemory) {
        words = op.args;
        return CALLS.indexOf(`${op.row.module}.${op.row.name}${op.packed ? "_p" : ""}`);
      }
    }
    return CALLS.length;
  };
  const test = {
    next: hostFunction([], ["i32"], next),
    i32: hostFunction(["i32"], ["i32"], (_caller, k) => words[k!] as number),
    i64: hostFunction(["i32"], ["i64"], (caller, k) => caller.results.setI64(0, ...(words[k!] as Ref))),
    result: hostFunction(["i32", "i64"], [], (_caller, ...result) => void shown.push(`result ${result}`)),
  };
  const abi = createAbi(world.options);
  let instance: Instance | undefined;
  const driver: Driver = new Driver(abi, { heapObjects: world.heapObjects }, ({ imports, kinds, limits }) => {
    const store = new Store({ engine, kinds, limits, fuel });
    instance = MACHINE.instantiate({ store, imports: { ...imports, test } });
    instance.invoke("own");
    const { heap } = store;
    return { heap, memory: instance.memory("memory"), call: () => assert.fail("the machine makes the calls") };
  });
  const { store } = instance!;
  for (let isDone = false; !isDone && at < calls.length; ) {
    try {
      instance!.invoke("run");
      shown.push("done");
    } catch (error) {
      if (error instanceof Trap) {
        const frames = error.backtrace.map((frame) => `${frame.function}@${frame.offset}`);
        shown.push(`trap "${error.message}" ${frames} after ${error.fuel}`);
        isDone = error.reason === "OutOfFuel";
      } else if (error instanceof Exit) shown.push(`exit ${error.exitCode}`);
      else throw error;
    }
  }
  store.heap.check();
  shown.push(digest(driver.memory.bytes), `${store.fuelUsed}`);
  store.close();
  return shown;
}

export interface Comparison {
  /** Of the fuel that the calls take, how much they get in the end: 0 to about 1. */
  readonly share: number;
  /** True: the calls end as they did before. */
  readonly isExact: boolean;
}

/** Throws an Error where the engines do not show the same, or not what was shown before. */
export function compareEngines(
  makeWorld: () => World,
  calls: readonly Done[],
  perform: (driver: Driver, done: Done) => string,
  { share, isExact }: Comparison,
): void {
  const shown = (run: Run): Shown => show(run, makeWorld(), calls, perform);
  const [heard, actual] = ENGINES.map((engine) => shown({ engine, isHeard: true }));
  assert.deepEqual(actual, heard, "the engines do not show the same");
  const { ends, trace, recording, fuelUsed } = heard!;
  const quiet = shown({ engine: "compiled", isHeard: false });
  assert.deepEqual({ ...quiet, trace, recording }, heard, "calls that nobody hears of come to something else");
  assert.equal(ends.length, calls.length);
  calls.forEach(({ op, end }, k) => {
    if (isExact && op.do === "call") assert.ok(ends[k]!.startsWith(`${end.end} `), `${ends[k]}, not ${end.end}`);
  });
  assert.ok(trace.length > 0, "nothing was traced");
  // The guest itself needs some to begin with.
  const fuel = 10n + BigInt(Math.floor(Number(fuelUsed) * share));
  const [poor, compiled] = ENGINES.map((engine) => shown({ engine, isHeard: false, fuel }));
  assert.deepEqual(compiled, poor, "the engines do not run out of fuel alike");
  for (const limit of [1n << 40n, fuel / 2n + 100n]) {
    const [expected, machine] = ENGINES.map((engine) => showAtOnce(engine, makeWorld(), calls, perform, limit));
    assert.deepEqual(machine, expected, "the engines do not show the same of calls in one invocation");
    assert.ok(expected!.length > 3);
  }
  assert.equal(poor!.ends.at(-1)!.startsWith("trap OutOfFuel"), fuel < fuelUsed);
}
