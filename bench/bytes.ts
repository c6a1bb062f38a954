/**
 * The bytes group: loops that read and write single bytes, over a Bytes object and over linear memory, both metered, on every
 * Node.js that is installed. As a program, a process of its own for one loop, that prints JSON: `node bytes.ts NAME`.
 */
import { Module } from "../vm/index.ts";
import { binaryOf, LOOPS, type Loop, textOf } from "./kernels.ts";
import {
  atMost,
  type Group,
  geometricMean,
  interleaved,
  isMain,
  measured,
  median,
  milliseconds,
  nodes,
  type Options,
  progress,
  ratio,
  table,
} from "./report.ts";

/** Milliseconds of the fastest call of each. */
interface Times {
  /** Over linear memory on V8, unmetered; the same on the compiled engine; over a Bytes object there. */
  readonly v8Ms: number;
  readonly memoryMs: number;
  readonly bytesMs: number;
}

/** Optimised code from the first call on; V8's inlining plays no part in functions without calls. */
const FLAGS = ["--no-liftoff"];

export async function bytesGroup({ rounds }: Options): Promise<Group> {
  const versions = nodes();
  const runs = new Map(LOOPS.map((loop) => [loop, versions.map(() => [] as Times[])] as const));
  for (let round = 0; round < rounds; round++)
    for (const [loop, times] of runs)
      for (const [index, { version, path }] of versions.entries()) {
        progress(`bytes: round ${round + 1} of ${rounds}, ${loop.name} on Node.js ${version}`);
        times[index]!.push(await measured<Times>("bytes.ts", [loop.name], { node: path, flags: FLAGS }));
      }
  const over = (times: readonly Times[]) => median(times.map(({ bytesMs, memoryMs }) => bytesMs / memoryMs));
  const metering = (times: readonly Times[]) => median(times.map(({ memoryMs, v8Ms }) => memoryMs / v8Ms));
  const own = versions.length - 1;
  const best = (times: readonly Times[], side: keyof Times) => Math.min(...times.map((time) => time[side]));
  const ratios = [...runs.values()].map((times) => times.map(over));
  return {
    title: "Bytes",
    text: `One-byte loops, both sides on the compiled engine with fuel and depth: over a Bytes object (\`bytes.load8_u\`, \`bytes.store8\`) ÷ over linear memory, the same code but for the accesses. \`metering\`: over linear memory ÷ the same unmetered on V8. Medians of ${rounds} processes, \`node ${FLAGS.join(" ")}\`; times on Node.js ${versions[own]!.version}.

${table(
  ["loop", "linear memory:", "Bytes:", "metering:", ...versions.map(({ version }) => `÷, Node.js ${version}:`)],
  [
    ...[...runs].map(([loop, times], index) => [
      `${loop.name.replace("bytes-", "")}(${loop.n})`,
      milliseconds(best(times[own]!, "memoryMs")),
      milliseconds(best(times[own]!, "bytesMs")),
      ratio(metering(times[own]!)),
      ...ratios[index]!.map(ratio),
    ]),
    [
      "geometric mean",
      "",
      "",
      ratio(geometricMean([...runs.values()].map((times) => metering(times[own]!)))),
      ...versions.map((_, index) => ratio(geometricMean(ratios.map((row) => row[index]!)))),
    ],
  ],
)}`,
    targets: versions.map(({ version }, index) =>
      atMost(
        `slowest loop over a Bytes object, Node.js ${version}`,
        1.2,
        Math.max(...ratios.map((row) => row[index]!)),
        ratio,
      ),
    ),
  };
}

// -------------------------------------------------------------------------------------------- one process

/** Where the bytes lie in linear memory, behind what the C program has there. */
const BASE = 131_072;
const PAGES = BASE / 65_536 + 32;

/** The loop over linear memory: every call of `bytes` becomes an access there, of which the ref is not looked at. */
function memoryTextOf(name: string): string {
  let text = textOf(name);
  const imports = [...text.matchAll(/ {2}\(import "bytes" "(\w+)" \(func \(;(\d+);\) \(type \d+\)\)\)\n/g)];
  const [locals] = /(?<=\(param i32\) \(result i32\)\n {4}\(local )[^)]*/.exec(text)!;
  const spare = 1 + locals.split(" ").length;
  const accesses = new Map([
    ["new", "drop i64.const 0"],
    ["destroy", "drop"],
    ["load8_u", `i32.load8_u offset=${BASE} local.set ${spare} drop local.get ${spare}`],
    ["store8", `i32.store8 offset=${BASE} drop`],
  ]);
  text = text.replace(`(local ${locals})`, `(local ${locals} i32)`);
  for (const [line, call, index] of imports) {
    text = text.replace(line, "").replace(new RegExp(`call ${index}\\b`, "g"), accesses.get(call!)!);
  }
  return text
    .replace(`(export "run" (func ${imports.length}))`, '(export "run" (func 0))')
    .replace(/\(memory \(;0;\) \d+\)/, `(memory (;0;) ${PAGES})`);
}

function measure({ name, n, result }: Loop): Times {
  const runnerOf = (text: string) => {
    const instance = Module.decode(binaryOf(text)).instantiate({ engine: "compiled", fuel: 2n ** 60n });
    if (instance.store.engine !== "compiled") throw new Error("this Node.js has no compiled engine");
    return () => checked(instance.invoke("run", [n])[0]);
  };
  const checked = (answer: unknown) => {
    if (answer !== result) throw new Error(`${name}(${n}) answered ${answer}`);
  };
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(binaryOf(memoryTextOf(name))));
  const calls = [() => checked(exports.run(n)), runnerOf(memoryTextOf(name)), runnerOf(textOf(name))];
  interleaved(5, calls);
  const [v8Ms, memoryMs, bytesMs] = interleaved(20, calls) as [number, number, number];
  return { v8Ms, memoryMs, bytesMs };
}

if (isMain(import.meta.url)) {
  const loop = LOOPS.find(({ name }) => name === process.argv[2]);
  if (loop === undefined) throw new Error("name a loop");
  console.log(JSON.stringify(measure(loop)));
}
