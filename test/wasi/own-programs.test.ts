/**
 * Programs of ours call every function of WASI preview 1 and meet every errno that it can answer: `programs/*.c`, each with
 * what it is given and answers beside it. What no folder can be made to answer is a fault on purpose.
 */
import { readFileSync } from "node:fs";
import t, { type Test } from "tap";
import { findWasiClang, INSTALL } from "../../.ci/toolchains.ts";
import { createAbi } from "../../host/abi.ts";
import { type FileSystemFaults, type FileSystemOperation, faultyFileSystem } from "../../host/fs/faulty.ts";
import { MemoryFileSystem } from "../../host/fs/memory.ts";
import { runGuest } from "../../host/guest.ts";
import { Exit } from "../../syscalls/exit.ts";
import type { CallEvent, Observer } from "../../syscalls/observe.ts";
import { Status, type StatusName } from "../../syscalls/status.ts";
import { SYSCALLS } from "../../syscalls/table.ts";
import { ERRNO_OF_STATUS, Errno, errnoName, type WasiStatus } from "../../syscalls/wasi/errno.ts";
import { WASI_FUNCTIONS, WASI_MODULE, type WasiFunction } from "../../syscalls/wasi/table.ts";
import { Instance, Module, Store } from "../../vm/index.ts";
import { ENGINES, type Engine } from "../vm/compare.ts";
import { Random } from "../vm/random.ts";
import { BUILD, buildPrograms, moduleOf } from "./build.ts";
import { answerOf, COMBINATIONS, differenceOf, failureOf, runTest } from "./run.ts";
import { findTests, ScriptError, type WasiTest } from "./suite.ts";

async function run(clang: string): Promise<void> {
  await buildPrograms(clang);
  /** `function errno` of every call that a program made; that it expected the answer its exit code tells. */
  const met = new Set<string>();
  const observe: Observer = ({ row, end }) => {
    if (row.module === WASI_MODULE && end.type !== "trap") met.add(`${row.name} ${errnoOf(end)}`);
  };
  await t.test("[WASI-LINK-1, WASI-SYSCALL-1] programs, and replays of them", (t) => runPrograms(t, observe));
  for (const engine of ENGINES) {
    await t.test(`[WASI-ERRNO-2] statuses of file systems (${engine} engine)`, (t) => runFaults(t, engine, observe));
    await t.test(`[WASI-SYSCALL-2] no room in the heap (${engine} engine)`, (t) => runWithoutRoom(t, engine, observe));
  }
  await t.test("[WASI-FUEL-1] fuel that ends at any place", runOutOfFuel);
  await t.test("[WASI-SNAPSHOT-1] snapshots between calls", runInPieces);
  await t.test("each function has met each errno of its row, and no other", async (t) => {
    const told = WASI_FUNCTIONS.flatMap(({ row, errnos }) => errnos.map((errno) => `${row.name} ${errno}`));
    const failures = [...met].filter((cell) => !cell.endsWith(" SUCCESS"));
    t.same(told.filter((cell) => !met.has(cell)).sort(), [], "errnos that no program has met");
    t.same(failures.filter((cell) => !told.includes(cell)).sort(), [], "errnos that the specification does not tell");
    const never = WASI_FUNCTIONS.map(({ row }) => row.name).filter((name) => !met.has(`${name} SUCCESS`));
    t.same(never.sort(), ["proc_raise", "sock_accept", "sock_recv", "sock_send", "sock_shutdown"], "never succeed");
  });
}

function errnoOf(end: CallEvent["end"]): string {
  return end.type === "returned" ? String(errnoName(Number(end.results[0]))) : "SUCCESS";
}

/** Programs that only tests below call. */
const DRIVEN = new Set(["faults", "no-room", "snapshot"]);

function ownTests(): WasiTest[] {
  return findTests(BUILD)
    .filter(({ name }) => !DRIVEN.has(name))
    .map(({ script, ...test }) => {
      if (script instanceof ScriptError) throw script;
      return { ...test, script };
    });
}

async function runPrograms(t: Test, observe: Observer): Promise<void> {
  const tests = ownTests();
  t.ok(tests.length > 10);
  for (const { name, module, script } of tests) {
    const answers = COMBINATIONS.map((combination) => runTest(module, script, combination));
    const [onDirectory, , inMemory] = answers;
    for (const [k, answer] of answers.entries())
      t.equal(
        failureOf(script, answer),
        undefined,
        `${name}: ${COMBINATIONS[k]!.fileSystem}, ${COMBINATIONS[k]!.engine}`,
      );
    t.equal(differenceOf(answers[0]!, answers[1]!), undefined, `${name}: engines`);
    t.equal(differenceOf(answers[2]!, answers[3]!), undefined, `${name}: engines`);

    // Whoever listens or records changes nothing, and a replay needs no host.
    const pieces: Uint8Array[] = [];
    const record = (bytes: Uint8Array): void => void pieces.push(bytes.slice());
    const heard = runTest(module, script, COMBINATIONS[0]!, { observe });
    t.equal(differenceOf(heard, onDirectory!), undefined, `${name}: with an observer`);
    const recorded = runTest(module, script, COMBINATIONS[2]!, { observe, record });
    t.equal(differenceOf(recorded, inMemory!), undefined, `${name}: recorded`);
    const replay = Buffer.concat(pieces);
    const again = answerOf(runGuest({ module: readFileSync(module), replay, engine: "reference" }));
    t.equal(differenceOf(again, inMemory!), undefined, `${name}: replayed`);
  }
}

/** Amounts of fuel for each program, of which it needs more. */
const SHORTAGES = 4;

/** Wherever fuel ends, both engines leave the same state, and a replay ends there, too. */
async function runOutOfFuel(t: Test): Promise<void> {
  const random = new Random(18);
  for (const { name, module, script } of ownTests()) {
    const { fuel } = runTest(module, script, COMBINATIONS[2]!);
    for (let k = 0; k < SHORTAGES; k++) {
      const little = BigInt(random.below(Number(fuel)));
      const pieces: Uint8Array[] = [];
      const record = (bytes: Uint8Array): void => void pieces.push(bytes.slice());
      const compiled = runTest(module, script, COMBINATIONS[2]!, { fuel: little, record });
      const reference = runTest(module, script, COMBINATIONS[3]!, { fuel: little });
      const replay = Buffer.concat(pieces);
      const again = answerOf(runGuest({ module: readFileSync(module), replay }));
      t.match(compiled.ending, /^out-of-fuel/, `${name}: with ${little}`);
      t.equal(differenceOf(compiled, reference), undefined, `${name}: with ${little}`);
      t.equal(differenceOf(again, reference), undefined, `${name}: with ${little}, replayed`);
    }
  }
}

/** The operation of a file system that a syscall on an open file fails by; of any other the first that it makes. */
const OPERATIONS: { readonly [syscall: string]: FileSystemOperation } = {
  "fs.read": "read",
  "fs.write": "write",
  "fs.size": "size",
  "fs.truncate": "truncate",
  "fs.sync": "sync",
  "fs.list": "list",
  "fs.close": "close",
};

/** All that a function can be told by a file system. Of a path NOT_FOUND is no failure: some functions make what is not there. */
function faultsOf({ row, syscalls }: WasiFunction): { syscall: string; status: StatusName }[] {
  return syscalls.flatMap((syscall) => {
    if (!syscall.startsWith("fs.")) return [];
    const statuses = SYSCALLS.find(({ module, name }) => `${module}.${name}` === syscall)?.statuses ?? [];
    return statuses
      .filter((status) => status !== "NOT_FOUND" || !row.name.startsWith("path_"))
      .map((status) => ({ syscall, status }));
  });
}

async function runFaults(t: Test, engine: Engine, observe: Observer): Promise<void> {
  const module = Module.decode(readFileSync(moduleOf("faults.c")));
  for (const one of WASI_FUNCTIONS) {
    const { row } = one;
    const faults = faultsOf(one);
    if (faults.length === 0) continue;
    const plan: FileSystemFaults = { calls: [] };
    let yields = 0;
    // The program yields before and behind the call that shall fail.
    const arm = (event: CallEvent): void => {
      observe(event);
      if (event.row.name !== "sched_yield") return;
      plan.at = undefined;
      if (yields++ % 2 === 1) return;
      const { syscall, status } = faults[(yields - 1) / 2]!;
      const { [syscall]: operation } = OPERATIONS;
      plan.calls!.length = 0;
      Object.assign(plan, { at: 1, persistent: true, operation, status: Status[status] });
    };
    const fs = new MemoryFileSystem({ text: "0123456789", "folder/inner": "" });
    fs.putLink("link", "text");
    const errnos = faults.map(({ status }) => String(Errno[ERRNO_OF_STATUS[status as WasiStatus]]));
    const said: string[] = [];
    const abi = createAbi({
      args: [row.name, ...errnos],
      mounts: [{ guest: "/", fs: faultyFileSystem(fs, plan) }],
      stdin: new Uint8Array(0),
      stdout: () => {},
      stderr: (bytes) => void said.push(Buffer.from(bytes).toString()),
      observe: arm,
    });
    const store = new Store({ engine, kinds: abi.kinds, state: abi.state });
    try {
      module.instantiate({ imports: abi.imports, store }).invoke("_start");
    } catch (error) {
      if (!(error instanceof Exit)) throw error;
    }
    store.close();
    t.equal(said.join(""), "", row.name);
    t.equal(yields, 2 * faults.length, `${row.name}: each once`);
  }
}

async function runWithoutRoom(t: Test, engine: Engine, observe: Observer): Promise<void> {
  const module = Module.decode(readFileSync(moduleOf("no-room.c")));
  const abi = createAbi({
    env: { A: "1" },
    mounts: [{ guest: "/", fs: new MemoryFileSystem({ text: "0123456789" }) }],
    stdin: new Uint8Array(0),
    stdout: () => {},
    stderr: () => {},
    observe,
  });
  // Three streams, the object of WASI-SYSCALL-2, the root, a memory, and a file.
  const store = new Store({ engine, kinds: abi.kinds, state: abi.state, limits: { heapObjects: 7 } });
  const [first, second] = [0, 1].map(() => module.instantiate({ imports: abi.imports, store }));
  t.same(first!.invoke("open_some"), [0]);
  t.same(second!.invoke("find_no_room"), [0]);
}

/** A run that is saved and restored between its steps, each time onto the other engine, is the run without. */
async function runInPieces(t: Test): Promise<void> {
  const module = Module.decode(readFileSync(moduleOf("snapshot.c")));
  const options = {
    mounts: [{ guest: "/", fs: new MemoryFileSystem({ text: "0123456789", "folder/inner": "" }) }],
    stdin: new Uint8Array(0),
  };
  const empty = { ...options, mounts: [{ guest: "/", fs: new MemoryFileSystem() }] };
  const whole = module.instantiate({ ...createAbi(options), engine: "compiled" });
  let piece = module.instantiate({
    ...createAbi({
      ...options,
      mounts: [{ guest: "/", fs: new MemoryFileSystem({ text: "0123456789", "folder/inner": "" }) }],
    }),
    engine: "reference",
  });
  for (let step = 0; step < 8; step++) {
    t.same(whole.invoke("step"), [0]);
    t.same(piece.invoke("step"), [0]);
    t.equal(piece.stateDigest(), whole.stateDigest(), `step ${step}`);
    const restored = Instance.restore(module, piece.snapshot(), {
      ...createAbi({ ...empty, mounts: [{ guest: "/", fs: new MemoryFileSystem() }] }),
      engine: ENGINES[step % 2]!,
    });
    piece.store.close();
    piece = restored;
  }
}

const isCi = process.env.CI !== undefined;
const clang = findWasiClang();
if (clang !== undefined) await run(clang);
else if (isCi) t.fail(INSTALL.wasi);
else t.plan(0, INSTALL.wasi);
