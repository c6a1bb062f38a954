/**
 * A process of its own for the execute group: `node execute.ts KERNEL [BEFORE…]` runs the kernels BEFORE once, then
 * measures KERNEL on the reference engine, metered, and on V8, unmetered, and prints JSON. What the kernels before leave
 * in the JavaScript engine's type feedback may slow an interpreter down: `run.ts` measures with and without them.
 */
import { Module } from "../vm/index.ts";
import { binaryOf, KERNELS, type Kernel, textOf } from "./kernels.ts";

/** Times in milliseconds: the first call in this process, and the fastest of the calls after it. */
export interface Measured {
  readonly firstMs: number;
  readonly bestMs: number;
  readonly v8BestMs: number;
}

const CALLS = 3;

function timeOf(call: () => unknown): number {
  const start = performance.now();
  call();
  return performance.now() - start;
}

function fastest(calls: number, call: () => unknown): number {
  return Math.min(...Array.from({ length: calls }, () => timeOf(call)));
}

/** A function that runs the kernel once and checks what it answers. */
function runnerOf(kernel: Kernel): () => void {
  const instance = Module.decode(binaryOf(textOf(kernel.name))).instantiate({ engine: "reference", fuel: 2n ** 60n });
  return () => {
    const before = instance.fuelUsed;
    const [result] = instance.invoke("run", [kernel.n]);
    const instructions = Number(instance.fuelUsed - before);
    if (BigInt(result as number | bigint) !== kernel.result || instructions !== kernel.instructions)
      throw new Error(`${kernel.name} answered ${result} after ${instructions} instructions`);
  };
}

function measure(kernel: Kernel): Measured {
  const run = runnerOf(kernel);
  const firstMs = timeOf(run);
  const bestMs = fastest(CALLS, run);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(binaryOf(textOf(kernel.name))));
  return { firstMs, bestMs, v8BestMs: fastest(3 * CALLS, () => exports.run(kernel.n)) };
}

const [measured, ...before] = process.argv.slice(2).map((name) => {
  const kernel = KERNELS.find((one) => one.name === name);
  if (kernel === undefined) throw new Error(`no kernel is named ${name}`);
  return kernel;
});
if (measured === undefined) throw new Error("name a kernel");
for (const kernel of before) runnerOf(kernel)();
console.log(JSON.stringify(measure(measured)));
