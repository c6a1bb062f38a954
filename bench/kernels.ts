/**
 * The kernels of the execute group. `kernels/NAME.c` is the source, `kernels/NAME.wat` what clang made of it: the text is
 * committed, so that a bench needs npm packages alone and every machine executes the same instructions.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import wabt from "wabt";
import { compilerEnvironment } from "../.ci/toolchains.ts";

export interface Kernel {
  readonly name: string;
  /** Argument of the export `run`. */
  readonly n: number;
  /** What it answers: pinned, so that no engine is fast by being wrong. */
  readonly result: bigint;
  /** Executed instructions, `block loop else end` not counted: the fuel it takes, locals included (spec VM-FUEL-1). */
  readonly instructions: number;
  /** True when its time goes into f64 arithmetic. */
  readonly float?: boolean;
  /** True when calls to itself are all it does. */
  readonly recursive?: boolean;
}

export const KERNELS: readonly Kernel[] = [
  { name: "fib", n: 31, result: 1_346_269n, instructions: 43_566_167, recursive: true },
  { name: "sieve", n: 2_000_000, result: 148_933n, instructions: 96_556_655 },
  { name: "matmul", n: 160, result: -649n, instructions: 70_287_925, float: true },
  { name: "mandelbrot", n: 256, result: 1_599_053n, instructions: 48_154_981, float: true },
  { name: "nbody", n: 80_000, result: -524_342_714_569n, instructions: 124_961_018, float: true },
  { name: "spectral-norm", n: 320, result: 1_368_187_617n, instructions: 137_577_485, float: true },
  { name: "fannkuch", n: 9, result: 862_930n, instructions: 265_034_268 },
  { name: "sha256", n: 10_000, result: 1_298_192_678n, instructions: 80_030_039 },
  { name: "xorshift64", n: 2_000_000, result: -5_429_119_945_840_782_222n, instructions: 45_000_024 },
  { name: "quicksort", n: 80_000, result: 69_770_933n, instructions: 42_829_679 },
  { name: "binary-trees", n: 16, result: 1_043_114n, instructions: 53_259_062 },
  { name: "json-parse", n: 75, result: -28_456_198n, instructions: 118_763_864 },
];

/** Kernels of the bytes group. */
export const LOOPS: readonly Loop[] = [
  { name: "bytes-sieve", n: 1_000_000, result: 78_498 },
  { name: "bytes-histogram", n: 500_000, result: -1_233_915_360 },
  { name: "bytes-sha256", n: 8_000, result: -1_446_790_991 },
  { name: "bytes-memcpy", n: 400_000, result: -1_297_224_256 },
];

export interface Loop {
  readonly name: string;
  /** Argument of the export `run`. */
  readonly n: number;
  /** What it answers. */
  readonly result: number;
}

const { parseWat, readWasm } = await wabt();

export function binaryOf(wat: string): Uint8Array {
  const module = parseWat("kernel.wat", wat);
  try {
    return module.toBinary({}).buffer;
  } finally {
    module.destroy();
  }
}

/** The committed text of a kernel. */
export function textOf(kernel: string): string {
  return readFileSync(pathOf(kernel, "wat"), "utf8");
}

/** The same text with an export `go` in place of `run`: no parameter, calls it with `n`; for engines that take no arguments. */
export function closedTextOf(kernel: Kernel): string {
  const text = textOf(kernel.name);
  const [exported, index] = /\(export "run" \(func (\d+)\)\)/.exec(text)!;
  const result = new RegExp(`\\(func \\(;${index};\\).*\\(result (i\\d\\d)\\)`).exec(text)![1];
  return text.replace(exported, `(func (export "go") (result ${result}) i32.const ${kernel.n} call ${index})`);
}

/** Text of a module with `copies` copies of three kernels' functions; the export `all` calls each with 0. */
export function largeText(copies: number): string {
  const functions = ["sieve", "xorshift64", "matmul"].map((kernel) => {
    const text = textOf(kernel);
    const start = text.indexOf("(func (;0;) (type 0)") + "(func (;0;) (type 0)".length;
    return `(func ${text.slice(start, text.indexOf("(table"))}`;
  });
  const all = Array.from({ length: copies }, () => functions.join("\n")).join("\n");
  const calls = Array.from({ length: functions.length * copies }, (_, index) => `i32.const 0 call ${index} drop`);
  return `(module (memory 64) ${all} (func (export "all") ${calls.join(" ")}))`;
}

const CLANG =
  "--target=wasm32 -O2 -mcpu=mvp -nostdlib -ffreestanding -fno-builtin -fno-math-errno -Wl,--no-entry,--strip-all";

/** Writes `kernels/NAME.wat` anew with the clang and lld on the path. Counts of instructions may change: pin them again. */
export function compile(kernel: string): void {
  const folder = mkdtempSync(join(tmpdir(), "ashlar-bench-"));
  try {
    const wasm = join(folder, "kernel.wasm");
    const args = [...CLANG.split(" "), "-I", BINDINGS, "-o", wasm, pathOf(kernel, "c")];
    execFileSync("clang", args, { stdio: "inherit", env: compilerEnvironment() });
    const module = readWasm(Uint8Array.from(readFileSync(wasm)), {});
    writeFileSync(pathOf(kernel, "wat"), module.toText({}));
    module.destroy();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Compiles a kernel with gcc to a program in the folder and gives its path: `PROGRAM N CALLS` (see kernels/native.c). */
export function compileNative({ name, result }: Kernel, folder: string): string {
  const program = join(folder, name);
  const isWide = BigInt.asIntN(32, result) !== result;
  const args = ["-O2", "-fno-math-errno", "-w", `-DRESULT=${isWide ? "long long" : "int"}`, "-o", program];
  execFileSync("gcc", [...args, pathOf(name, "c"), pathOf("native", "c"), "-lm"], { stdio: "inherit" });
  return program;
}

export function pathOf(kernel: string, extension: string): string {
  return fileURLToPath(new URL(`kernels/${kernel}.${extension}`, import.meta.url));
}

const BINDINGS = fileURLToPath(new URL("../syscalls/bindings/c", import.meta.url));
