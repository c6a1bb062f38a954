/**
 * A hostile program: random calls of WASI, with the numbers at every edge, on both engines. Between them its memory grows,
 * and it meddles with what the personality holds for it, through the syscalls beside.
 */
import { createAbi } from "../../host/abi.ts";
import { loadWat } from "../../host/wat.ts";
import { Exit } from "../../syscalls/exit.ts";
import type { CallEvent } from "../../syscalls/observe.ts";
import { createRecorder, outcomeOf, type Recorder } from "../../syscalls/recording.ts";
import { openRecording, replayAbi } from "../../syscalls/replay.ts";
import { traceJsonLine, traceLine } from "../../syscalls/trace.ts";
import { errnoName } from "../../syscalls/wasi/errno.ts";
import { WASI_FUNCTIONS, WASI_MODULE, type WasiFunction } from "../../syscalls/wasi/table.ts";
import { functionTypeOf } from "../../vm/declaration.ts";
import { type Engine, Instance, Module, Trap, type Value } from "../../vm/index.ts";
import { trapName } from "../../vm/trap.ts";
import { ENGINES } from "../vm/compare.ts";
import { Random } from "../vm/random.ts";
import { createWorld, SECRET, type SystemName, type World } from "./worlds.ts";

function wat(): string {
  const calls = WASI_FUNCTIONS.map(({ row }) => {
    const { params, results } = functionTypeOf(row);
    const type = `${params.length > 0 ? `(param ${params.join(" ")})` : ""} ${results.length > 0 ? "(result i32)" : ""}`;
    const given = params.map((_, k) => `(local.get ${k})`).join(" ");
    return {
      imported: `(import "${WASI_MODULE}" "${row.name}" (func $${row.name} ${type}))`,
      exported: `(func (export "${row.name}") ${type} (call $${row.name} ${given}))`,
    };
  });
  return `(module
    ${calls.map(({ imported }) => imported).join("\n")}
    (import "bytes" "destroy" (func $destroy (param i64)))
    (import "bytes" "new" (func $new (param i32) (result i64)))
    (import "fs" "close" (func $close (param i64) (result i32)))
    (memory (export "memory") 1 4)
    (func (export "grow") (result i32) (memory.grow (i32.const 1)))
    (func (export "destroy") (param i64) (call $destroy (local.get 0)))
    (func (export "new") (param i32) (result i64) (call $new (local.get 0)))
    (func (export "close") (param i64) (result i32) (call $close (local.get 0)))
    ${calls.map(({ exported }) => exported).join("\n")})`;
}

const PROGRAM = Module.decode(await loadWat(wat()));

const named = (...names: string[]): WasiFunction[] => WASI_FUNCTIONS.filter(({ row }) => names.includes(row.name));
const OPENING = named("path_open");
const MOVING = named(
  "fd_read",
  "fd_write",
  "fd_pread",
  "fd_pwrite",
  "fd_seek",
  "fd_readdir",
  "fd_allocate",
  "path_symlink",
);

/** Where the program keeps its paths, vectors and subscriptions. */
const PATHS_AT = 0x100;
const VECTORS_AT = 0x2000;
const SUBSCRIPTIONS_AT = 0x4000;
const FREE_AT = 0x8000;

const PATHS: readonly string[] = [
  ..."f d d/g new d/new . .. ../x / /rw/f d/.. d/../.. link out out/x self d/ f/ new/ ./f d//g \0 f\0 é .ashlar".split(
    " ",
  ),
  "",
  "\xff",
  "x".repeat(256),
  "d/".repeat(300),
  "../".repeat(50),
];
/** Where each of them lies. */
const PLACES: readonly number[] = PATHS.map((_, k) =>
  PATHS.slice(0, k).reduce((at, path) => at + path.length, PATHS_AT),
);
const PLANTED = { link: { link: "f" }, out: { link: "../../secret" }, self: { link: "self" } };

const EDGES_32 = [
  0, 1, 2, 3, 7, 8, 31, 63, 255, 1023, 1024, 1025, 65_535, 65_536, 65_537, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff,
];
const EDGES_64 = [
  0n,
  1n,
  2n,
  3n,
  10n,
  4096n,
  2n ** 20n,
  2n ** 31n,
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];
const ALL_RIGHTS = [0n, 2n, 0x40n, 0x42n, 0x1fff_ffffn, 2n ** 64n - 1n];

/** A call as the names of its parameters suggest it, or one that has nothing to do with them. */
function argumentsOf({ row }: WasiFunction, random: Random, size: number): Value[] {
  const values: Value[] = [];
  for (const { name, type } of row.params) {
    const before = row.params[values.length - 1]?.name;
    if (type === "u64" || type === "i64") {
      const small = BigInt(random.below(40));
      const value = name.includes("rights")
        ? random.pick(ALL_RIGHTS)
        : random.chance(0.5)
          ? small
          : random.pick(EDGES_64);
      values.push(BigInt.asIntN(64, value));
    } else if (random.chance(0.06))
      values.push((random.chance(0.5) ? random.pick(EDGES_32) : size - random.below(70)) | 0);
    else if (/^fd_(close|renumber)$/.test(row.name))
      values.push(random.chance(0.9) ? 6 + random.below(8) : random.below(6));
    else if (/fd$|^to$/.test(name) && row.name !== "path_open")
      values.push(row.name.startsWith("path") && random.chance(0.7) ? 3 : random.below(random.chance(0.9) ? 10 : 40));
    else if (name === "fd") values.push(random.chance(0.9) ? 3 : random.below(10));
    else if (name.endsWith("path") || name === "old_path") values.push(random.pick(PLACES));
    else if (name.endsWith("path_len")) {
      values.push(PATHS[PLACES.indexOf(values.at(-1) as number)]?.length ?? random.below(20));
    } else if (name === "iovs") values.push(VECTORS_AT);
    else if (name === "iovs_len") values.push(random.below(6));
    else if (name === "in") values.push(SUBSCRIPTIONS_AT);
    else if (name === "nsubscriptions") values.push(random.below(4));
    else if (row.name.startsWith("path") && /flags/.test(name)) values.push(random.below(random.chance(0.9) ? 2 : 64));
    else if (/flags|advice|whence|^id$|how/.test(name))
      values.push(random.chance(0.8) ? random.below(8) : random.below(64));
    else if (/_len$|^len/.test(name)) values.push(before === undefined ? 0 : random.below(300));
    else values.push(FREE_AT + random.below(2000));
  }
  return values;
}

/** What the arguments may point to. */
function setUp(memory: Uint8Array, random: Random): void {
  const view = new DataView(memory.buffer, memory.byteOffset);
  for (const [k, path] of PATHS.entries()) memory.set(Buffer.from(path, "latin1"), PLACES[k]!);
  for (let k = 0; k < 6; k++) {
    const near = random.chance(0.9);
    view.setUint32(VECTORS_AT + 8 * k, near ? FREE_AT + random.below(3000) : random.pick(EDGES_32), true);
    view.setUint32(
      VECTORS_AT + 8 * k + 4,
      near ? random.below(random.chance(0.1) ? 20_000 : 30) : random.pick(EDGES_32),
      true,
    );
  }
  for (let k = 0; k < 4; k++) {
    const at = SUBSCRIPTIONS_AT + 48 * k;
    memory.fill(0, at, at + 48);
    view.setUint32(at, random.next(), true);
    memory[at + 8] = random.below(4);
    view.setUint32(at + 16, random.below(7), true);
    view.setBigUint64(at + 24, random.pick(EDGES_64), true);
    memory[at + 40] = random.below(2);
  }
}

/** Those whose trees are in snapshots. */
const RESTORABLE: readonly SystemName[] = ["memory", "overlay over memory", "overlay over a directory"];
const LIMITS = { heapObjects: 40 };

interface Run {
  readonly engine: Engine;
  readonly instance: Instance;
  readonly world: World;
  readonly untouched: string;
}

interface StartOptions {
  readonly engine: Engine;
  readonly system: SystemName;
  readonly folder: string;
  readonly fuel: bigint;
  readonly record?: Recorder;
  /** Goes on where another one was. */
  readonly snapshot?: Uint8Array;
}

function start({ engine, system, folder, fuel, record, snapshot }: StartOptions): Run {
  const world = createWorld(system, { folder, secrets: true, planted: PLANTED });
  const untouched = world.untouched();
  const abi = createAbi({
    mounts: world.mounts,
    args: ["one", "two"],
    env: { A: "1" },
    stdin: Buffer.from("what is read ".repeat(100)),
    stdout: () => {},
    stderr: () => {
      throw Object.assign(new Error("nobody reads"), { code: "EPIPE" });
    },
    quota: { handles: 20, depth: 20 },
    ...(record && { record }),
    // To be observed changes nothing.
    ...(engine === ENGINES[1] && { observe: (event: CallEvent) => void (traceLine(event) + traceJsonLine(event)) }),
  });
  const options = { ...abi, engine, fuel, limits: LIMITS };
  const instance = snapshot === undefined ? PROGRAM.instantiate(options) : Instance.restore(PROGRAM, snapshot, options);
  return { engine, instance, world, untouched };
}

/** How a call ended: a result, an errno, a trap, or an exit; anything else goes through. */
function ended(instance: Instance, { name, values }: Made): string {
  try {
    const [result] = instance.invoke(name, values);
    return `${result}`;
  } catch (error) {
    if (error instanceof Trap) return trapName(error.code);
    if (error instanceof Exit) return "exit";
    throw error;
  }
}

/** A call, and the memory before it. */
interface Made {
  readonly name: string;
  readonly values: readonly Value[];
  readonly memory: number;
}

const MEDDLING = ["grow", "grow", "destroy", "new", "close"] as const;

/** The next call; `row` of one of WASI. */
function nextCall(random: Random, size: number): Made & { readonly row?: WasiFunction } {
  const memory = random.next();
  if (random.chance(0.01)) {
    const name = random.pick(MEDDLING);
    const ref = (BigInt(1 + random.below(2)) << 32n) | BigInt(random.below(30));
    return { name, values: name === "grow" ? [] : name === "new" ? [random.below(9000)] : [ref], memory };
  }
  // Opened more often than closed, and moved about.
  const row = random.pick(random.chance(0.15) ? OPENING : random.chance(0.3) ? MOVING : WASI_FUNCTIONS);
  return { name: row.row.name, values: argumentsOf(row, random, size), memory, row };
}

/** Makes the call; its answer, with what is wrong with it behind a comma. */
function make({ instance, engine }: Run, made: Made, row: WasiFunction | undefined): string {
  const { bytes } = instance.memory("memory");
  setUp(bytes, new Random(made.memory));
  const before = bytes.slice();
  const answer = ended(instance, made);
  if (row === undefined) return answer;
  const after = instance.memory("memory").bytes;
  if (answer !== "0" && Buffer.compare(before, after) !== 0) return `${answer}, and the memory has changed (${engine})`;
  const errno = /^\d+$/.test(answer) ? errnoName(Number(answer)) : "SUCCESS";
  const isListed = errno === "SUCCESS" || (errno !== undefined && row.errnos.includes(errno));
  return isListed ? answer : `${answer}, which is not in its row (${engine})`;
}

/** A number, nothing, or a trap that a program can bring about. */
const ANSWER = /^(-?\d+|undefined|exit|BadPointer|OutOfFuel|HeapRef(Null|Stale|Kind|Fixed)|HeapWindow)$/;

export interface HostileTally {
  calls: number;
  /** By `FUNCTION ANSWER`. */
  readonly ends: Map<string, number>;
}

export interface HostileOptions {
  readonly seed: number;
  readonly calls: number;
  readonly system: SystemName;
  /** Another for each program. */
  readonly folder: () => string;
  readonly tally: HostileTally;
}

/**
 * What is wrong with what the program was answered; undefined: nothing. Each second seed goes on from a snapshot half-way, on
 * the other engine, where the file system's tree is in it; the others are recorded and replayed.
 */
export function hostile({ seed, calls, system, folder, tally }: HostileOptions): string | undefined {
  const random = new Random(seed);
  const fuel = BigInt(random.pick([3_000_000, 1_000_000_000_000]));
  const restores = RESTORABLE.includes(system) && seed % 2 === 0;
  const pieces: Uint8Array[] = [];
  const record = createRecorder({ module: PROGRAM.digest, write: (piece) => void pieces.push(piece.slice()) });
  let runs = ENGINES.map((engine, k) =>
    start({ engine, system, folder: folder(), fuel, ...(k === 0 && !restores && { record }) }),
  );
  const all = [...runs];
  const log: (Made & { readonly answer: string })[] = [];
  const wrong = (what: string): string => `seed ${seed} on ${system}: ${what}`;
  let answer = "";
  for (let k = 0; k < calls && answer !== "OutOfFuel"; k++) {
    if (restores && k === calls >> 1) {
      const snapshots = runs.map(({ instance }) => instance.snapshot());
      runs = runs.map(({ engine }, index) =>
        start({ engine, system, folder: folder(), fuel, snapshot: snapshots[1 - index]! }),
      );
      all.push(...runs);
    }
    const { row, ...made } = nextCall(random, runs[0]!.instance.memory("memory").bytes.length);
    const answers = runs.map((run) => make(run, made, row));
    answer = answers[0]!;
    log.push({ ...made, answer });
    tally.calls++;
    tally.ends.set(`${made.name} ${answer}`, (tally.ends.get(`${made.name} ${answer}`) ?? 0) + 1);
    const label = `call ${k}, ${made.name}(${made.values.join(", ")})`;
    if (answers[1] !== answer) return wrong(`${label}: ${answers.join(", but ")}`);
    if (!ANSWER.test(answer)) return wrong(`${label}: ${answer}`);
    const [used, otherUsed] = runs.map(({ instance }) => instance.store.fuelUsed);
    if (used !== otherUsed) return wrong(`${label}: fuel ${used}, but ${otherUsed}`);
  }
  const [memory, other] = runs.map(({ instance }) => Buffer.from(instance.memory("memory").bytes));
  if (!memory!.equals(other!)) return wrong("the memories differ");
  if (memory!.includes(SECRET)) return wrong("it has the secret");
  for (const { world, untouched, instance } of all) {
    instance.store.close();
    if (world.untouched() !== untouched) return wrong("what is outside was touched");
  }
  if (restores) return undefined;
  record.end(outcomeOf(0n));
  const difference = replayed(Buffer.concat(pieces), log, fuel, memory!);
  return difference === undefined ? undefined : wrong(difference);
}

/** What is different when the calls are answered from a recording, on the other engine. */
function replayed(recording: Uint8Array, log: readonly (Made & { answer: string })[], fuel: bigint, memory: Buffer) {
  const player = openRecording(recording);
  const abi = replayAbi(player);
  const instance = PROGRAM.instantiate({ ...abi, engine: ENGINES[1]!, fuel, limits: LIMITS });
  for (const [k, made] of log.entries()) {
    setUp(instance.memory("memory").bytes, new Random(made.memory));
    const answer = ended(instance, made);
    if (answer !== made.answer) return `call ${k}, ${made.name}: ${made.answer}, but ${answer} when it is replayed`;
  }
  player.end(outcomeOf(0n));
  return memory.equals(instance.memory("memory").bytes) ? undefined : "the memory differs when it is replayed";
}
