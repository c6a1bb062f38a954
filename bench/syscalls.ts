/**
 * The syscalls group: what a host call costs, and `fs.read` against its peers. As a program, a process of its own:
 * `node syscalls.ts ENGINE FOLDER` measures on the file FOLDER/data and prints JSON. With `--traced` a guest has been traced before.
 */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { createAbi, directoryFileSystem, type FileSystem, MemoryFileSystem } from "../host/index.ts";
import { OpenFlag } from "../syscalls/index.ts";
import { type Instance, Module } from "../vm/index.ts";
import { binaryOf } from "./kernels.ts";
import {
  atMost,
  file,
  type Group,
  interleaved,
  isMain,
  measured,
  type Options,
  progress,
  ratio,
  table,
} from "./report.ts";

type Engine = "reference" | "compiled";

/** Nanoseconds of a turn of an otherwise empty loop in the guest, and of a read. */
interface Times {
  /** A JavaScript function imported by a module on plain V8. */
  readonly rawImport: number;
  readonly emptyImport: number;
  readonly cheapest: number;
  /** By size in bytes. */
  readonly reads: { readonly [size: string]: ReadTimes };
}
interface ReadTimes {
  readonly readSync: number;
  readonly wasi: number;
  readonly directory: number;
  readonly memory: number;
}

/** How many bytes a read asks for. */
const READ_SIZES = [4096, 1_048_576] as const;
/** Length of the file that is read from end to end. */
const READ_BYTES = 64 * 1024 * 1024;

export async function syscallsGroup({ rounds, folder }: Options): Promise<Group> {
  file(folder, "data", new Uint8Array(READ_BYTES).fill(7));
  const runs: { readonly [form in "compiled" | "traced" | "reference"]: Times[] } = {
    compiled: [],
    traced: [],
    reference: [],
  };
  for (let round = 0; round < rounds; round++) {
    progress(`syscalls: round ${round + 1} of ${rounds}`);
    runs.compiled.push(await measured<Times>("syscalls.ts", ["compiled", folder]));
    runs.traced.push(await measured<Times>("syscalls.ts", ["compiled", folder, "--traced"]));
    runs.reference.push(await measured<Times>("syscalls.ts", ["reference", folder]));
  }
  const best = (form: keyof typeof runs, time: (run: Times) => number): number => Math.min(...runs[form].map(time));
  const rows = READ_SIZES.flatMap((size) => {
    const of = (run: Times) => run.reads[size]!;
    const readSyncTime = best("compiled", (run) => of(run).readSync);
    const wasi = best("compiled", (run) => of(run).wasi);
    return (["directory", "memory"] as const).map((fs) => {
      const compiled = best("compiled", (run) => of(run)[fs]);
      return [
        `\`fs.read\` of ${size === 4096 ? "4 KiB" : "1 MiB"}, \`${fs}\``,
        show(compiled),
        show(best("reference", (run) => of(run)[fs])),
        show(readSyncTime),
        ratio(compiled / readSyncTime),
        show(wasi),
        ratio(compiled / wasi),
      ];
    });
  });
  const raw = best("compiled", (run) => run.rawImport);
  const empty = best("compiled", (run) => run.emptyImport);
  const cheapest = best("compiled", (run) => run.cheapest);
  const small = (run: Times) => run.reads[4096]!.memory;
  return {
    title: "Host calls and syscalls",
    text: `A turn of an otherwise empty loop in the guest; the first row on V8 without us. Fastest of ${rounds} processes.

${table(
  ["what", "a turn:"],
  [
    ["empty JavaScript import, V8", show(raw)],
    ["empty host function of the embedder, compiled engine", show(empty)],
    ["`sys.abi_version`, the cheapest syscall, compiled engine", show(cheapest)],
    ["the same, tracing off, where another guest was traced before", show(best("traced", (run) => run.cheapest))],
    ["empty host function, reference engine", show(best("reference", (run) => run.emptyImport))],
    ["`sys.abi_version`, reference engine", show(best("reference", (run) => run.cheapest))],
  ],
)}
Files are read from end to end, ${READ_BYTES / 2 ** 20} MiB; node:wasi's guest runs on V8. ÷: compiled engine over the peer. Where another guest was traced before, \`fs.read\` of 4 KiB, \`memory\`, takes ${show(best("traced", small))} (without: ${show(best("compiled", small))}).

${table(["what", "compiled:", "reference:", "`fs.readSync`:", "÷:", "node:wasi `fd_read`:", "÷:"], rows)}`,
    targets: [atMost("cheapest syscall over an empty import", 10, cheapest - raw, (value) => `${value.toFixed(1)} ns`)],
  };
}

function show(nanoseconds: number): string {
  return `${nanoseconds.toFixed(nanoseconds < 100 ? 1 : 0)} ns`;
}

// -------------------------------------------------------------------------------------------- one process

const CALLS = 1_000_000;
const TURNS = 5;
const DATA_AT = 65_536;

const CALLER = `(module
  (import "host" "empty" (func $empty (result i32)))
  (import "sys" "abi_version" (func $cheapest (result i32)))
  ${["empty", "cheapest"]
    .map(
      (name) => `(func (export "${name}") (param $n i32)
    (loop $again
      (drop (call $${name}))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))`,
    )
    .join("\n")})`;

const READER = `(module
  (import "fs" "open" (func $open (param i64 i64 i32 i32 i32) (result i32 i64)))
  (import "fs" "read" (func $read (param i64 i64 i64 i32 i32) (result i32 i32 i32)))
  (import "bytes" "of_memory" (func $own (result i64)))
  (memory 20)
  (data (i32.const 0) "/data")
  (global $file (mut i64) (i64.const 0))
  (func (export "open") (result i32)
    (call $open (i64.const 0) (call $own) (i32.const 0) (i32.const 5) (i32.const ${OpenFlag.READ}))
    (global.set $file))
  (func (export "pass") (param $size i32) (param $n i32) (result i64) (local $at i64)
    (loop $again
      (call $read (global.get $file) (local.get $at) (call $own) (i32.const ${DATA_AT}) (local.get $size))
      (drop)
      (i64.extend_i32_u)
      (local.get $at)
      (i64.add)
      (local.set $at)
      (drop)
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $at)))`;

const WASI_READER = `(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_seek" (func $seek (param i32 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 20)
  (data (i32.const 0) "data")
  (func (export "_start"))
  (func (export "open") (result i32)
    (call $open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 0) (i64.const 6) (i64.const 0) (i32.const 0) (i32.const 16)))
  (func (export "pass") (param $size i32) (param $n i32) (result i64) (local $at i64)
    (drop (call $seek (i32.load (i32.const 16)) (i64.const 0) (i32.const 0) (i32.const 32)))
    (i32.store (i32.const 24) (i32.const ${DATA_AT}))
    (i32.store (i32.const 28) (local.get $size))
    (loop $again
      (drop (call $read (i32.load (i32.const 16)) (i32.const 24) (i32.const 1) (i32.const 40)))
      (local.set $at (i64.add (local.get $at) (i64.load32_u (i32.const 40))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $at)))`;

function nanoseconds(count: number, run: () => void): number {
  const times = Array.from({ length: TURNS }, () => {
    const start = performance.now();
    run();
    return performance.now() - start;
  });
  return (Math.min(...times) * 1e6) / count;
}

function reader(engine: Engine, fs: FileSystem, observe?: () => void): Instance {
  const abi = createAbi({ mounts: [{ guest: "/", fs }], ...(observe && { observe }) });
  const instance = Module.decode(binaryOf(READER)).instantiate({ ...abi, engine });
  if (instance.invoke("open")[0] !== 0) throw new Error("the guest cannot open its file");
  return instance;
}

function checked(bytes: unknown, expected: number): void {
  if (Number(bytes) !== expected) throw new Error(`${bytes} bytes were read, not ${expected}`);
}

async function readTimes(engine: Engine, folder: string, size: number, memory: MemoryFileSystem): Promise<ReadTimes> {
  // Not above: importing it prints a warning, which only the processes that measure are started without.
  const { WASI } = await import("node:wasi");
  const length = statSync(join(folder, "data")).size;
  const count = length / size;
  const guest = (fs: FileSystem): number => {
    const instance = reader(engine, fs);
    return nanoseconds(count, () => checked(instance.invoke("pass", [size, count])[0], length));
  };
  const wasi = new WASI({ version: "preview1", preopens: { "/": folder } });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(binaryOf(WASI_READER)), {
    wasi_snapshot_preview1: wasi.wasiImport,
  });
  wasi.start({ exports });
  if (exports.open() !== 0) throw new Error("node:wasi cannot open the file");
  const fd = openSync(join(folder, "data"), "r");
  const buffer = new Uint8Array(size);
  const readSyncTime = nanoseconds(count, () => {
    let total = 0;
    for (let at = 0; at < length; at += size) total += readSync(fd, buffer, 0, size, at);
    checked(total, length);
  });
  closeSync(fd);
  return {
    readSync: readSyncTime,
    wasi: nanoseconds(count, () => checked(exports.pass(size, count), length)),
    directory: guest(directoryFileSystem(folder)),
    memory: guest(memory),
  };
}

async function measure(engine: Engine, folder: string): Promise<Times> {
  const empty = { type: { params: [], results: ["i32"] }, fuel: 1, mayFree: false, call: () => 1 } as const;
  const { imports, kinds } = createAbi();
  const caller = Module.decode(binaryOf(CALLER)).instantiate({
    engine,
    imports: { ...imports, host: { empty } },
    kinds,
  });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(binaryOf(CALLER)), {
    host: { empty: () => 1 },
    sys: { abi_version: () => 1 },
  });
  const times = interleaved(10, [
    () => exports.empty(CALLS),
    () => caller.invoke("empty", [CALLS]),
    () => caller.invoke("cheapest", [CALLS]),
  ]);
  const [rawImport, emptyImport, cheapest] = times.map((ms) => (ms * 1e6) / CALLS) as [number, number, number];
  const memory = new MemoryFileSystem({ data: new Uint8Array(statSync(join(folder, "data")).size).fill(7) });
  const reads: { [size: string]: ReadTimes } = {};
  for (const size of READ_SIZES) reads[size] = await readTimes(engine, folder, size, memory);
  return { rawImport, emptyImport, cheapest, reads };
}

if (isMain(import.meta.url)) {
  const [engine, folder, traced] = process.argv.slice(2);
  if (engine !== "compiled" && engine !== "reference") throw new Error("name an engine");
  if (folder === undefined) throw new Error("name a folder");
  if (traced === "--traced") {
    let events = 0;
    reader(engine, directoryFileSystem(folder), () => events++).invoke("pass", [4096, 1000]);
    if (events !== 1001) throw new Error(`${events} calls were traced`);
  }
  console.log(JSON.stringify(await measure(engine, folder)));
}
