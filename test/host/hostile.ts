/**
 * A hostile program: random calls of WASI, with the numbers at every edge, on both engines. Between them its memory grows,
 * and it meddles with what the personality holds for it, through the syscalls beside.
 */
import { createAbi } from "../../host/abi.ts";
import { loadWat } from "../../host/wat.ts";
import { Exit } from "../../syscalls/exit.ts";
import { errnoName } from "../../syscalls/wasi/errno.ts";
import { WASI_FUNCTIONS, WASI_MODULE, type WasiFunction } from "../../syscalls/wasi/table.ts";
import { functionTypeOf } from "../../vm/declaration.ts";
import { type Engine, type Instance, Module, Store, Trap, type Value } from "../../vm/index.ts";
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

interface Run {
  readonly engine: Engine;
  readonly store: Store;
  readonly instance: Instance;
  readonly world: World;
  readonly untouched: string;
}

function start(engine: Engine, system: SystemName, folder: string, fuel: bigint): Run {
  const world = createWorld(system, { folder, secrets: true, planted: PLANTED });
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
  });
  const store = new Store({ engine, fuel, kinds: abi.kinds, state: abi.state, limits: { heapObjects: 40 } });
  return {
    engine,
    store,
    instance: PROGRAM.instantiate({ store, imports: abi.imports }),
    world,
    untouched: world.untouched(),
  };
}

/** How a call ended: a result, an errno, a trap, or an exit; anything else goes through. */
function ended(instance: Instance, name: string, values: readonly Value[]): string {
  try {
    const [result] = instance.invoke(name, values as Value[]);
    return `${result}`;
  } catch (error) {
    if (error instanceof Trap) return trapName(error.code);
    if (error instanceof Exit) return "exit";
    throw error;
  }
}

export interface HostileTally {
  calls: number;
  /** By `FUNCTION END`. */
  readonly ends: Map<string, number>;
}

export interface HostileOptions {
  readonly seed: number;
  readonly calls: number;
  readonly system: SystemName;
  /** Another for each engine. */
  readonly folder: () => string;
  readonly tally: HostileTally;
}

/** What is wrong with what the program was answered: undefined, nothing. */
export function hostile({ seed, calls, system, folder, tally }: HostileOptions): string | undefined {
  const random = new Random(seed);
  const fuel = BigInt(random.pick([3_000_000, 1_000_000_000_000]));
  const runs = ENGINES.map((engine) => start(engine, system, folder(), fuel));
  for (let k = 0; k < calls; k++) {
    const size = runs[0]!.instance.memory("memory").bytes.length;
    const meddling = random.chance(0.01) ? random.pick(["grow", "grow", "destroy", "new", "close"]) : undefined;
    // Opened more often than closed, and moved about.
    const wasi = random.pick(random.chance(0.15) ? OPENING : random.chance(0.3) ? MOVING : WASI_FUNCTIONS);
    const name = meddling ?? wasi.row.name;
    const ref = BigInt.asIntN(64, (BigInt(1 + random.below(2)) << 32n) | BigInt(random.below(30)));
    const values =
      meddling === undefined
        ? argumentsOf(wasi, random, size)
        : ({ grow: [], new: [random.below(9000)] }[meddling as "grow"] ?? [ref]);
    const setUpSeed = random.next();
    const label = `seed ${seed}, call ${k}: ${name}(${values.join(", ")}) on ${system}`;
    const answers = runs.map(({ instance, engine }) => {
      const memory = instance.memory("memory");
      setUp(memory.bytes, new Random(setUpSeed));
      const before = memory.bytes.slice();
      const answer = ended(instance, name, values);
      const after = instance.memory("memory").bytes;
      const errno = meddling === undefined && /^\d+$/.test(answer) ? Number(answer) : undefined;
      if (meddling === undefined && answer !== "0" && Buffer.compare(before, after) !== 0)
        return `${answer}, and the memory has changed (${engine})`;
      if (errno !== undefined && errno !== 0 && !wasi.errnos.includes(errnoName(errno)!))
        return `errno ${errno} (${engine})`;
      return answer;
    });
    tally.calls++;
    const [answer] = answers;
    tally.ends.set(`${name} ${answer}`, (tally.ends.get(`${name} ${answer}`) ?? 0) + 1);
    if (answers[1] !== answer) return `${label}: ${answers.join(", but ")}`;
    if (/changed|errno|Panic/.test(answer!)) return `${label}: ${answer}`;
    const allowed = /^(-?\d+|undefined|exit|BadPointer|OutOfFuel|HeapRef(Null|Stale|Kind|Fixed)|HeapWindow)$/;
    if (!allowed.test(answer!)) return `${label}: ${answer}`;
    const used = runs.map(({ store }) => store.fuelUsed);
    if (used[0] !== used[1]) return `${label}: fuel ${used.join(", but ")}`;
    if (answer === "OutOfFuel") break;
  }
  const [one, other] = runs.map(({ instance }) => instance.memory("memory").bytes);
  if (Buffer.compare(one!, other!) !== 0) return `seed ${seed} on ${system}: the memories differ`;
  if (Buffer.from(one!).includes(SECRET)) return `seed ${seed} on ${system}: it has the secret`;
  for (const { world, untouched, store } of runs) {
    store.close();
    if (world.untouched() !== untouched) return `seed ${seed} on ${system}: what is outside was touched`;
  }
  return undefined;
}
