/**
 * The execute group: kernels on both engines of ours, on V8 unmetered, and on the rivals. As a program, a process of its own that prints
 * JSON: `node execute.ts pair KERNEL` the compiled engine and V8 in turns, `node execute.ts reference KERNEL` the reference
 * engine, `node execute.ts shared` the same for all kernels in one process: what each leaves in the JavaScript engine's type
 * feedback may slow an interpreter down. One kernel in a process also keeps V8's decisions about inlining apart.
 */
import { Module } from "../vm/index.ts";
import { binaryOf, KERNELS, type Kernel, textOf } from "./kernels.ts";
import {
  atLeast,
  atMost,
  type Group,
  geometricMean,
  interleaved,
  isMain,
  measured,
  median,
  milliseconds,
  type Options,
  progress,
  ratio,
  table,
  timeOf,
} from "./report.ts";
import { type Rival, rivals } from "./rivals.ts";

/** Milliseconds of the fastest call of each, both hot. */
interface Pair {
  readonly v8Ms: number;
  readonly compiledMs: number;
}
interface Reference {
  readonly firstMs: number;
  readonly bestMs: number;
}

/**
 * How Node.js is started: with what its user gets; and like for like, everything in optimised code from the first call on, and
 * V8's inlining, which a few instructions more or less turn on or off, the same on both sides.
 */
const MODES = {
  pinned: ["--no-liftoff", "--no-wasm-inlining", "--no-wasm-inlining-call-indirect"],
  inlined: ["--no-liftoff"],
  users: [],
} as const;
type Mode = keyof typeof MODES;

/** Rivals that take seconds for a turn have it in so many rounds. */
const SLOW_ROUNDS = 2;
const SLOW_RIVALS = new Set(["QuickJS", "wasm-interp"]);

export async function executeGroup({ rounds, folder }: Options): Promise<Group> {
  const peers = rivals(folder);
  const pairs = byKernel<{ readonly [mode in Mode]: Pair[] }>(() => ({ pinned: [], inlined: [], users: [] }));
  const references = byKernel<Reference[]>(() => []);
  const rivalMs = new Map(peers.map((rival) => [rival.name, byKernel<number[]>(() => [])] as const));
  for (let round = 0; round < rounds; round++) {
    for (const kernel of KERNELS) {
      progress(`execute: round ${round + 1} of ${rounds}, ${kernel.name}`);
      for (const mode of Object.keys(MODES) as Mode[]) {
        pairs
          .get(kernel)!
          [mode].push(await measured<Pair>("execute.ts", ["pair", kernel.name], { flags: MODES[mode] }));
      }
      references.get(kernel)!.push(await measured<Reference>("execute.ts", ["reference", kernel.name]));
      for (const rival of peers) {
        if (round >= SLOW_ROUNDS && SLOW_RIVALS.has(rival.name)) continue;
        rivalMs
          .get(rival.name)!
          .get(kernel)!
          .push(await rival.run(kernel));
      }
    }
  }
  progress("execute: all kernels in one process");
  const others = await measured<readonly number[]>("execute.ts", ["shared"]);

  const ratiosOf = (mode: Mode) => KERNELS.map((kernel) => median(pairs.get(kernel)![mode].map(slowdown)));
  const bestOf = (kernel: Kernel, mode: Mode, side: keyof Pair) =>
    Math.min(...pairs.get(kernel)![mode].map((pair) => pair[side]));
  const [pinned, inlined, users] = (["pinned", "inlined", "users"] as const).map(ratiosOf) as [
    number[],
    number[],
    number[],
  ];
  const pick = (values: readonly number[], test: (kernel: Kernel) => boolean) =>
    values.filter((_, index) => test(KERNELS[index]!));
  const isPlain = (kernel: Kernel) => kernel.recursive !== true;
  const isFloat = (kernel: Kernel) => kernel.float === true;
  const meanRow = (what: string, test: (kernel: Kernel) => boolean) => [
    what,
    "",
    "",
    ...[pinned, inlined, users].map((ratios) => ratio(geometricMean(pick(ratios, test)))),
  ];
  const compiledTable = table(
    ["kernel", "V8:", "compiled:", "÷, nothing inlined:", "÷, V8 inlining:", "÷, as users get it:"],
    [
      ...KERNELS.map((kernel, index) => [
        `${kernel.name}(${kernel.n})`,
        milliseconds(bestOf(kernel, "pinned", "v8Ms")),
        milliseconds(bestOf(kernel, "pinned", "compiledMs")),
        ratio(pinned[index]!),
        ratio(inlined[index]!),
        ratio(users[index]!),
      ]),
      meanRow("geometric mean", () => true),
      meanRow("the same without `fib`", isPlain),
      meanRow("float kernels", isFloat),
    ],
  );

  /** Milliseconds of a kernel, by form: what users get. */
  const forms = new Map<string, (kernel: Kernel) => number>([
    ["V8", (kernel) => bestOf(kernel, "users", "v8Ms")],
    ["**compiled**", (kernel) => bestOf(kernel, "users", "compiledMs")],
    ["**reference**", (kernel) => Math.min(...references.get(kernel)!.map(({ bestMs }) => bestMs))],
    ...peers.map(({ name }) => [name, (kernel: Kernel) => Math.min(...rivalMs.get(name)!.get(kernel)!)] as const),
  ]);
  const native = forms.get("native");
  const slowness = (form: string) => KERNELS.map((kernel) => forms.get(form)!(kernel) / native!(kernel));
  const order = [...forms.keys()].filter((form) => form !== "native");
  if (native !== undefined) order.sort((a, b) => geometricMean(slowness(a)) - geometricMean(slowness(b)));
  const rivalTable =
    native === undefined
      ? "Not measured: there is no gcc.\n"
      : table(
          ["kernel", "native:", ...order.map((form) => `${form}:`)],
          [
            ...KERNELS.map((kernel) => [
              kernel.name,
              milliseconds(native(kernel)),
              ...order.map((form) => ratio(forms.get(form)!(kernel) / native(kernel))),
            ]),
            ["geometric mean", "", ...order.map((form) => ratio(geometricMean(slowness(form))))],
          ],
        );

  const interpreter = rivalMs.get("wasm-interp");
  const reference = referenceTable(references, others, interpreter, (kernel) => bestOf(kernel, "users", "v8Ms"));
  const worst = pick(pinned, isPlain);
  const fib = KERNELS.findIndex((kernel) => kernel.recursive);
  const float = pick(pinned, isFloat);
  return {
    title: "Execute",
    text: `Every result and, on our engines, the fuel is checked in every run. A turn is a process of its own.

### Compiled engine

Compiled engine ÷ V8, which runs the same module unmetered: both in one process, in turns, hot; medians of ${rounds} processes. *Nothing inlined*: \`node ${MODES.pinned.join(" ")}\`, like for like, with its fastest times. *V8 inlining*: \`node ${MODES.inlined.join(" ")}\`. *As users get it*: no flags, so that V8 may inline on one side and not on the other.

${compiledTable}
### Other engines

Fastest turn ÷ that of native code (gcc -O2). The same C sources for V8, our engines and wasm-interp, the same work written in JavaScript and Lua for the others, not counting start-up. Of ours and V8 what users get. ${versions(peers)}.

${rivalTable}
### Reference engine

Guest instructions a second, in millions (block, loop, else and end are not counted). \`after others\`: in a process where all other kernels ran before (one round). \`first call\` includes the warm-up of the JavaScript engine.

${reference.text}`,
    targets: [
      atMost("compiled ÷ V8, like for like, geometric mean", 1.08, geometricMean(pinned), ratio),
      atMost("slowest kernel that is not recursive", 1.2, Math.max(...worst), ratio),
      atMost("`fib`, nothing inlined", 1.4, pinned[fib], ratio),
      atMost("`fib`, both inlined", 1.4, inlined[fib], ratio),
      atMost("float kernels, geometric mean", 1.12, geometricMean(float), ratio),
      atMost("`nbody`", 1.35, pinned[KERNELS.findIndex(({ name }) => name === "nbody")], ratio),
      ...reference.targets,
    ],
  };
}

function referenceTable(
  references: ReadonlyMap<Kernel, readonly Reference[]>,
  others: readonly number[],
  interpreter: ReadonlyMap<Kernel, readonly number[]> | undefined,
  v8Ms: (kernel: Kernel) => number,
): Pick<Group, "text" | "targets"> {
  const rows = KERNELS.map((kernel, index) => {
    const turns = references.get(kernel)!;
    const bestMs = Math.min(...turns.map((turn) => turn.bestMs));
    return {
      kernel,
      bestMs,
      firstMs: median(turns.map((turn) => turn.firstMs)),
      afterMs: others[index]!,
      peerMs: Math.min(...(interpreter?.get(kernel) ?? [])),
      v8Ms: v8Ms(kernel),
    };
  });
  const speed = ({ instructions }: Kernel, ms: number) =>
    Number.isFinite(ms) ? (instructions / ms / 1000).toFixed(0) : "–";
  const over = rows.map(({ peerMs, bestMs }) => peerMs / bestMs);
  const mean = geometricMean(over);
  const speedOf = (name: string) => {
    const { kernel, bestMs } = rows.find((row) => row.kernel.name === name)!;
    return kernel.instructions / bestMs / 1000;
  };
  const million = (value: number) => `${value.toFixed(0)} M/s`;
  return {
    text: table(
      [
        "kernel",
        "M instructions:",
        "reference:",
        "after others:",
        "wasm-interp:",
        "reference ÷ wasm-interp:",
        "V8 ÷ reference:",
        "first call:",
      ],
      [
        ...rows.map(({ kernel, bestMs, afterMs, peerMs, firstMs, v8Ms }) => [
          kernel.name,
          (kernel.instructions / 1e6).toFixed(1),
          speed(kernel, bestMs),
          speed(kernel, afterMs),
          speed(kernel, peerMs),
          ratio(peerMs / bestMs),
          ratio(bestMs / v8Ms),
          milliseconds(firstMs),
        ]),
        [
          "geometric mean",
          "",
          "",
          "",
          "",
          ratio(mean),
          ratio(geometricMean(rows.map(({ bestMs, v8Ms }) => bestMs / v8Ms))),
          "",
        ],
      ],
    ),
    targets: [
      atLeast("reference engine over wasm-interp, geometric mean", 2, mean, ratio),
      atLeast("slowest kernel over wasm-interp", 1, Math.min(...over), ratio),
      atLeast("reference engine: `fib`", 200, speedOf("fib"), million),
      atLeast("reference engine: `sieve`", 200, speedOf("sieve"), million),
    ],
  };
}

function byKernel<T>(make: () => T): Map<Kernel, T> {
  return new Map(KERNELS.map((kernel) => [kernel, make()]));
}

function slowdown({ v8Ms, compiledMs }: Pair): number {
  return compiledMs / v8Ms;
}

function versions(peers: readonly Rival[]): string {
  return peers.map(({ name, version }) => `${name}: ${version}`).join("; ");
}

// ------------------------------------------------------------------------------------------ one process

/** A function that runs the kernel once and checks what it answers. */
function runnerOf(kernel: Kernel, engine: "reference" | "compiled"): () => void {
  const instance = Module.decode(binaryOf(textOf(kernel.name))).instantiate({ engine, fuel: 2n ** 60n });
  if (instance.store.engine !== engine) throw new Error(`this Node.js has no ${engine} engine`);
  return () => {
    const before = instance.fuelUsed;
    const [result] = instance.invoke("run", [kernel.n]);
    const instructions = Number(instance.fuelUsed - before);
    if (BigInt(result as number | bigint) !== kernel.result || instructions !== kernel.instructions)
      throw new Error(`${kernel.name} answered ${result} after ${instructions} instructions`);
  };
}

async function measurePair(kernel: Kernel): Promise<Pair> {
  const compiled = runnerOf(kernel, "compiled");
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(binaryOf(textOf(kernel.name))));
  const run = exports.run as (n: number) => number | bigint;
  const v8 = () => {
    if (BigInt(run(kernel.n)) !== kernel.result) throw new Error(`${kernel.name} on V8`);
  };
  // Both become hot, and the threads that optimise come to rest.
  for (let turn = 0; turn < 3; turn++) {
    interleaved(2, [v8, compiled]);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const [v8Ms, compiledMs] = interleaved(15, [v8, compiled]) as [number, number];
  return { v8Ms, compiledMs };
}

function measureReference(kernel: Kernel): Reference {
  const run = runnerOf(kernel, "reference");
  const firstMs = timeOf(run);
  return { firstMs, bestMs: Math.min(timeOf(run), timeOf(run)) };
}

/** Milliseconds of each kernel on the reference engine after all have run. */
function measureShared(): number[] {
  const runs = KERNELS.map((kernel) => runnerOf(kernel, "reference"));
  for (const run of runs) run();
  return runs.map((run) => Math.min(timeOf(run), timeOf(run)));
}

function kernelNamed(name: string | undefined): Kernel {
  const found = KERNELS.find((one) => one.name === name);
  if (found === undefined) throw new Error(`no kernel is named ${name}`);
  return found;
}

if (isMain(import.meta.url)) {
  const [form, name] = process.argv.slice(2);
  const forms: { readonly [form: string]: () => unknown } = {
    pair: () => measurePair(kernelNamed(name)),
    reference: () => measureReference(kernelNamed(name)),
    shared: measureShared,
  };
  console.log(JSON.stringify(await forms[form ?? ""]!()));
}
