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

export interface Kernel {
  readonly name: string;
  /** Argument of the export `run`. */
  readonly n: number;
  /** What it answers: pinned, so that no engine is fast by being wrong. */
  readonly result: bigint;
  /** Executed instructions, `block loop else end` not counted: the fuel it takes, locals included (spec VM-FUEL-1). */
  readonly instructions: number;
}

export const KERNELS: readonly Kernel[] = [
  { name: "fib", n: 32, result: 2_178_309n, instructions: 70_491_547 },
  { name: "sieve", n: 3_000_000, result: 216_816n, instructions: 145_867_668 },
  { name: "sha256", n: 20_000, result: 1_115_831_789n, instructions: 160_060_039 },
  { name: "matmul", n: 200, result: -802n, instructions: 136_223_885 },
  { name: "xorshift64", n: 4_000_000, result: -6_207_186_732_495_382_769n, instructions: 90_000_024 },
];

/** How many bytes a read of the syscalls group asks for. */
export const READ_SIZES = [4096, 1_048_576] as const;

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
  const result = /\(type 0\) \(param i32\) \(result (i\d\d)\)/.exec(textOf(kernel.name))?.[1];
  const go = `(func (export "go") (result ${result}) i32.const ${kernel.n} call 0)`;
  return textOf(kernel.name).replace('(export "run" (func 0))', go);
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

const CLANG = "--target=wasm32 -O2 -mcpu=mvp -nostdlib -ffreestanding -fno-builtin -Wl,--no-entry,--strip-all".split(
  " ",
);

/** Writes `kernels/NAME.wat` anew with the clang and lld on the path. Counts of instructions may change: pin them again. */
export function compile(kernel: string): void {
  const folder = mkdtempSync(join(tmpdir(), "ashlar-bench-"));
  try {
    const wasm = join(folder, "kernel.wasm");
    execFileSync("clang", [...CLANG, "-o", wasm, pathOf(kernel, "c")], { stdio: "inherit" });
    const module = readWasm(Uint8Array.from(readFileSync(wasm)), {});
    writeFileSync(pathOf(kernel, "wat"), module.toText({}));
    module.destroy();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function pathOf(kernel: string, extension: string): string {
  return fileURLToPath(new URL(`kernels/${kernel}.${extension}`, import.meta.url));
}
