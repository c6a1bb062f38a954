/**
 * `npm run bench -- [--write] [--rounds N] [--compile]`: speeds against named peers, as ratios measured in one run.
 * Peers take turns inside each round, so that what else the machine does falls on all of them.
 *
 * --write    writes bench/RESULTS.md
 * --rounds   how often each peer has its turn, 5 by default; the tables show the fastest turn
 * --compile  first compiles kernels/*.c to kernels/*.wat again (needs clang and lld on the path)
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Module } from "../vm/index.ts";
import type { Measured } from "./execute.ts";
import { binaryOf, closedTextOf, compile, KERNELS, type Kernel, largeText, READ_SIZES } from "./kernels.ts";
import type { SyscallTimes } from "./syscalls.ts";

/** The native program of Debian's package wabt: npm puts the one of the npm package, compiled to WebAssembly, first in PATH. */
const wasmInterp = existsSync("/usr/bin/wasm-interp") ? "/usr/bin/wasm-interp" : "wasm-interp";

const { values: options } = parseArgs({
  options: {
    write: { type: "boolean", default: false },
    compile: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
  },
});
const rounds = Number(options.rounds);
/** Length of the file that the syscalls group reads from end to end, in bytes. */
const READ_BYTES = 64 * 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), "ashlar-bench-"));
try {
  if (options.compile) for (const kernel of KERNELS) compile(kernel.name);
  const report = [header(), executeGroup(), translateGroup(), syscallsGroup(), overheadGroup()].join("");
  console.log(report);
  if (options.write) writeFileSync(new URL("RESULTS.md", import.meta.url), report);
} finally {
  rmSync(folder, { recursive: true });
}

function header(): string {
  const cpu = cpus();
  return `# Measured speeds

Written by \`npm run bench -- --write\`. Times are the fastest of ${rounds} interleaved rounds; read the ratios, not the absolute figures.

Machine: ${cpu.length} × ${cpu[0]?.model.trim()}, ${process.platform} ${process.arch}, Node.js ${process.version}, ${interpreterVersion() ?? "no wasm-interp"}.
`;
}

// ------------------------------------------------------------------------------------------------ execute

interface Times {
  readonly own: Measured[];
  /** In a process where all others ran before. */
  readonly shared: Measured[];
  /** wasm-interp, milliseconds without start-up; empty where it is not installed. */
  readonly peer: number[];
}

function executeGroup(): string {
  const times = new Map<Kernel, Times>(KERNELS.map((kernel) => [kernel, { own: [], shared: [], peer: [] }]));
  const hasPeer = interpreterVersion() !== undefined;
  const empty = file("empty.wasm", binaryOf('(module (func (export "go")))'));
  const closed = new Map(
    KERNELS.map((kernel) => [kernel, file(`${kernel.name}.wasm`, binaryOf(closedTextOf(kernel)))] as const),
  );
  for (let round = 0; round < rounds; round++) {
    for (const [kernel, { own, peer }] of times) {
      progress(`round ${round + 1} of ${rounds}: ${kernel.name}`);
      own.push(execute([kernel.name]));
      if (hasPeer) {
        const startMs = Math.min(interpret(empty).ms, interpret(empty).ms);
        const { ms, output } = interpret(closed.get(kernel)!);
        const answer = BigInt(/:(\d+)/.exec(output)?.[1] ?? 0);
        if (BigInt.asIntN(output.includes("i64") ? 64 : 32, answer) !== kernel.result) {
          throw new Error(`wasm-interp on ${kernel.name}: ${output}`);
        }
        peer.push(ms - startMs);
      }
    }
  }
  for (const [kernel, { shared }] of times) {
    progress(`${kernel.name} after the others`);
    const others = KERNELS.filter((other) => other !== kernel).map(({ name }) => name);
    shared.push(execute([kernel.name, ...others]));
  }
  const rows = [...times].map(([kernel, { own, shared, peer }]) => {
    const bestMs = Math.min(...own.map((one) => one.bestMs));
    const peerMs = Math.min(...peer);
    const v8Ms = Math.min(...own.map((one) => one.v8BestMs));
    return {
      kernel,
      bestMs,
      sharedMs: Math.min(...shared.map((one) => one.bestMs)),
      peerMs,
      ratio: peerMs / bestMs,
      medianRatio: median(peer) / median(own.map((one) => one.bestMs)),
      v8Ratio: bestMs / v8Ms,
      firstMs: median(own.map((one) => one.firstMs)),
    };
  });
  const speed = (kernel: Kernel, ms: number) =>
    Number.isFinite(ms) ? (kernel.instructions / ms / 1000).toFixed(0) : "–";
  const mean = geometricMean(rows.map((row) => row.ratio));
  const medianMean = geometricMean(rows.map((row) => row.medianRatio));
  const v8Mean = geometricMean(rows.map((row) => row.v8Ratio));
  const slowest = Math.min(...rows.map((row) => row.ratio));
  const speedOf = (name: string) => {
    const row = rows.find((one) => one.kernel.name === name)!;
    return row.kernel.instructions / row.bestMs / 1000;
  };
  return `
## Execute

Guest instructions a second, in millions (block, loop, else and end are not counted), with fuel and depth counted exactly; each kernel's result and number of instructions is checked in every run. \`after others\`: in a process where all other kernels ran before (one round). \`wasm-interp\`: wall time of the process less that of an empty module. V8 runs the same module unmetered. \`first call\` includes the warm-up of the JavaScript engine.

| kernel | M instructions | reference | after others | wasm-interp | reference ÷ wasm-interp (medians) | V8 ÷ reference | first call |
|---|--:|--:|--:|--:|--:|--:|--:|
${rows
  .map(
    (row) =>
      `| ${row.kernel.name}(${row.kernel.n}) | ${(row.kernel.instructions / 1e6).toFixed(1)} | ${speed(row.kernel, row.bestMs)} | ${speed(row.kernel, row.sharedMs)} | ${speed(row.kernel, row.peerMs)} | ${ratio(row.ratio)} (${ratio(row.medianRatio)}) | ${ratio(row.v8Ratio)} | ${row.firstMs.toFixed(0)} ms |`,
  )
  .join("\n")}
| geometric mean | | | | | ${ratio(mean)} (${ratio(medianMean)}) | ${ratio(v8Mean)} | |

${targets([
  ["geometric mean over wasm-interp", "≥ 2×", ratio(mean), hasPeer ? mean >= 2 : undefined],
  ["slowest kernel over wasm-interp", "> 1×", ratio(slowest), hasPeer ? slowest > 1 : undefined],
  ["fib", "≥ 200 M/s", `${speedOf("fib").toFixed(0)} M/s`, speedOf("fib") >= 200],
  ["sieve", "≥ 200 M/s", `${speedOf("sieve").toFixed(0)} M/s`, speedOf("sieve") >= 200],
])}`;
}

function execute(kernels: readonly string[]): Measured {
  const script = fileURLToPath(new URL("execute.ts", import.meta.url));
  return JSON.parse(execFileSync(process.execPath, [script, ...kernels], { encoding: "utf8" })) as Measured;
}

function interpret(path: string): { ms: number; output: string } {
  const start = performance.now();
  const output = execFileSync(wasmInterp, [path, "--run-all-exports"], { encoding: "utf8" });
  return { ms: performance.now() - start, output };
}

function interpreterVersion(): string | undefined {
  const { status, stdout } = spawnSync(wasmInterp, ["--version"], { encoding: "utf8" });
  return status === 0 ? `wabt wasm-interp ${stdout.trim()}` : undefined;
}

// ---------------------------------------------------------------------------------- translate, instantiate

function translateGroup(): string {
  progress("translate");
  const bytes = binaryOf(largeText(2_000));
  const small = binaryOf('(module (memory (export "memory") 1) (func (export "go")))');
  const decodeMs: number[] = [];
  const translateMs: number[] = [];
  const v8Ms: number[] = [];
  for (let round = 0; round < rounds + 3; round++) {
    let start = performance.now();
    const module = Module.decode(bytes);
    decodeMs.push(performance.now() - start);
    // Functions are translated when they are first called: the second call of them all has nothing to translate.
    const instance = module.instantiate({ engine: "reference" });
    const callsMs = [0, 1].map(() => {
      start = performance.now();
      instance.invoke("all");
      return performance.now() - start;
    });
    translateMs.push(callsMs[0]! - callsMs[1]!);
    start = performance.now();
    WebAssembly.validate(bytes);
    v8Ms.push(performance.now() - start);
  }
  const module = Module.decode(small);
  module.instantiate({ engine: "reference" });
  const COUNT = 1_000;
  const instantiateUs = Math.min(
    ...Array.from({ length: rounds }, () => {
      const start = performance.now();
      for (let i = 0; i < COUNT; i++) module.instantiate({ engine: "reference" });
      return ((performance.now() - start) * 1000) / COUNT;
    }),
  );
  const rate = (times: number[]) => `${(bytes.length / Math.min(...times) / 1000).toFixed(1)} MB/s`;
  return `
## Translate and instantiate

A module of ${(bytes.length / 1e6).toFixed(1)} MB with 6,000 functions, and one with an empty function and one page.

| what | measured |
|---|--:|
| decode and validate | ${rate(decodeMs)} |
| translate for the reference engine | ${rate(translateMs)} |
| V8: \`WebAssembly.validate\` | ${rate(v8Ms)} |
| instantiate the small module again | ${instantiateUs.toFixed(1)} µs |
`;
}

// ----------------------------------------------------------------------------------------------- syscalls

function syscallsGroup(): string {
  const script = fileURLToPath(new URL("syscalls.ts", import.meta.url));
  file("data", new Uint8Array(READ_BYTES).fill(7));
  const measure = (...args: string[]): SyscallTimes =>
    JSON.parse(
      execFileSync(process.execPath, ["--no-warnings", script, folder, ...args], { encoding: "utf8" }),
    ) as SyscallTimes;
  const plain: SyscallTimes[] = [];
  const traced: SyscallTimes[] = [];
  for (let round = 0; round < rounds; round++) {
    progress(`syscalls: round ${round + 1} of ${rounds}`);
    plain.push(measure());
    traced.push(measure("--traced"));
  }
  const best = (runs: readonly SyscallTimes[], time: (run: SyscallTimes) => number): number =>
    Math.min(...runs.map(time));
  const nanoseconds = (time: (run: SyscallTimes) => number): string => `${best(plain, time).toFixed(0)} ns`;
  const over = (time: (run: SyscallTimes) => number, peer: (run: SyscallTimes) => number): string =>
    ratio(best(plain, time) / best(plain, peer));
  const rows = READ_SIZES.flatMap((size) => {
    const of = (run: SyscallTimes) => run.reads[size]!;
    const name = size === 4096 ? "4 KiB" : "1 MiB";
    return (["directory", "memory"] as const).map(
      (fs) =>
        `| \`fs.read\` of ${name}, \`${fs}\` | ${nanoseconds((run) => of(run)[fs])} | ${nanoseconds((run) => of(run).readSync)} | ${over(
          (run) => of(run)[fs],
          (run) => of(run).readSync,
        )} | ${nanoseconds((run) => of(run).wasi)} | ${over(
          (run) => of(run)[fs],
          (run) => of(run).wasi,
        )} |`,
    );
  });
  const cheapest = best(plain, (run) => run.cheapest);
  const tracedCheapest = best(traced, (run) => run.cheapest);
  const small = (run: SyscallTimes) => run.reads[4096]!.memory;
  return `
## Syscalls

A guest on the reference engine; node:wasi's guest on V8. Files are read from end to end, ${READ_BYTES / 2 ** 20} MiB.

| what | a call | \`fs.readSync\` | ÷ | node:wasi \`fd_read\` | ÷ |
|---|--:|--:|--:|--:|--:|
${rows.join("\n")}

| what | a turn of the guest's loop |
|---|--:|
| empty import of the embedder | ${nanoseconds((run) => run.emptyImport)} |
| \`sys.abi_version\`, the cheapest syscall | ${cheapest.toFixed(0)} ns |
| the same, tracing off, in a process that traced another guest before | ${tracedCheapest.toFixed(0)} ns |
| \`fs.read\` of 4 KiB, \`memory\`, likewise | ${best(traced, small).toFixed(0)} ns (without: ${best(plain, small).toFixed(0)} ns) |
`;
}

// ----------------------------------------------------------------------------------------------- overhead

function overheadGroup(): string {
  const command = fileURLToPath(new URL("../dist/ashlar.js", import.meta.url));
  if (!existsSync(command)) return "\n## Start-up\n\nNot measured: dist/ashlar.js is not built.\n";
  const guest = file("empty-start.wasm", binaryOf('(module (func (export "_start")))'));
  const ours: number[] = [];
  const bare: number[] = [];
  for (let round = 0; round < 4 * rounds; round++) {
    progress(`start-up ${round + 1} of ${4 * rounds}`);
    bare.push(spawned(["-e", "0"]));
    ours.push(spawned([command, "run", guest]));
  }
  const best = Math.min(...ours) - Math.min(...bare);
  const middle = median(ours) - median(bare);
  return `
## Start-up

Wall time of whole processes, ${4 * rounds} interleaved runs of each.

| what | fastest | median |
|---|--:|--:|
| \`node -e 0\` | ${Math.min(...bare).toFixed(1)} ms | ${median(bare).toFixed(1)} ms |
| \`ashlar run\` of an empty guest | ${Math.min(...ours).toFixed(1)} ms | ${median(ours).toFixed(1)} ms |

${targets([["empty guest over `node -e 0`, medians", "≤ 40 ms", `${middle.toFixed(1)} ms (fastest: ${best.toFixed(1)} ms)`, middle <= 40]])}`;
}

function spawned(args: readonly string[]): number {
  const start = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${args.join(" ")} exited with ${status}: ${stderr}`);
  return performance.now() - start;
}

// ------------------------------------------------------------------------------------------------- report

type Target = readonly [what: string, target: string, measured: string, met: boolean | undefined];

function targets(rows: readonly Target[]): string {
  const lines = rows.map(
    ([what, target, measured, met]) => `| ${what} | ${target} | ${measured} | ${met ? "yes" : "**no**"} |`,
  );
  return `| target | wanted | measured | met |\n|---|--:|--:|---|\n${lines.join("\n")}\n`;
}

function ratio(value: number): string {
  return Number.isFinite(value) ? `${value.toFixed(2)}×` : "–";
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

function file(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}
