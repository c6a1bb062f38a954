/**
 * The wasi-ruby group: Ruby (`test/programs/ruby`) at work on the compiled engine, metered, against the same on `node:wasi`.
 * As a program, a process of its own for one task and side: `node wasi-ruby.ts NAME compiled|node` prints JSON.
 */
import { WASI } from "node:wasi";
import { createAbi, MemoryFileSystem } from "../host/index.ts";
import {
  ashlarMachine,
  Handles,
  nodeMachine,
  Ruby,
  readRuby,
  rubyImports,
  rubyPath,
} from "../test/programs/ruby/ruby.ts";
import { Module } from "../vm/index.ts";
import {
  atMost,
  type Group,
  geometricMean,
  isMain,
  measured,
  median,
  milliseconds,
  type Options,
  progress,
  ratio,
  table,
} from "./report.ts";

interface Task {
  readonly name: string;
  readonly code: string;
  readonly shown: string;
}

const TASKS: readonly Task[] = [
  { name: "calls", code: "def fib(n) = n < 2 ? n : fib(n - 1) + fib(n - 2); fib(30)", shown: "832040" },
  { name: "strings", code: "s = +''; 1_000_000.times { |k| s << k.to_s }; s.count('7')", shown: "600000" },
  { name: "hash", code: "h = {}; 300_000.times { |k| h[k * 7919 % 1_000_003] = k }; h.size", shown: "300000" },
  { name: "sort", code: "r = Random.new(1); Array.new(300_000) { r.rand }.sort.size", shown: "300000" },
  { name: "bignum", code: "(1..6000).inject(:*).to_s.size", shown: "20066" },
  { name: "regexp", code: "('ab1c' * 300_000).scan(/[a-c]+\\d/).size", shown: "300000" },
  { name: "float", code: "x = 0.0; 1_000_000.times { |k| x += Math.sqrt(k) * 0.5 }; x.floor", shown: "333333083" },
  {
    name: "objects",
    code: "P = Struct.new(:a, :b) unless defined?(P); (1..300_000).map { P.new(_1, _1.to_s) }.group_by { _1.b.size }.size",
    shown: "6",
  },
];

type Side = "compiled" | "node";
/** Milliseconds of the thread, of each turn of a process; the first one is not yet hot. */
type Times = readonly number[];
const WANTED = 1.15;
/** Turns of a process. */
const TURNS = 6;

export async function wasiRubyGroup({ rounds }: Options): Promise<Group> {
  const title = "Ruby on WASI";
  if (rubyPath() === undefined) return { title, text: "Not measured: npm ci in test/programs/ruby.", targets: [] };
  const runs = new Map(TASKS.map((task) => [task, { compiled: [] as Times[], node: [] as Times[] }] as const));
  for (let round = 0; round < rounds; round++)
    for (const [{ name }, times] of runs)
      for (const side of round % 2 === 0 ? (["compiled", "node"] as const) : (["node", "compiled"] as const)) {
        progress(`wasi-ruby: round ${round + 1} of ${rounds}, ${name}, ${side}`);
        times[side].push(await measured<Times>("wasi-ruby.ts", [name, side], { flags: ["--no-warnings"] }));
      }
  const rows = [...runs].map(([{ name }, times]) => {
    const first = (side: Side) => median(times[side].map(([turn]) => turn!));
    const later = (side: Side) => median(times[side].flatMap((turns) => turns.slice(1)));
    const [ours, theirs] = [later("compiled"), later("node")];
    return { name, ours, theirs, ratio: ours / theirs, first: first("compiled") / first("node") };
  });
  const mean = geometricMean(rows.map((row) => row.ratio));
  return {
    title,
    text: `Pieces of Ruby in the interpreter of 17 MB, once it is ready: the compiled engine, with fuel and depth, ÷ \`node:wasi\`, in processes that take turns. *First*: the first turns, in which V8 still optimises. Times of the thread; medians of ${rounds} processes with ${TURNS - 1} more turns each.

${table(
  ["task", "compiled:", "node:wasi:", "÷:", "first ÷:"],
  [
    ...rows.map((row) => [
      row.name,
      milliseconds(row.ours),
      milliseconds(row.theirs),
      ratio(row.ratio),
      ratio(row.first),
    ]),
    ["geometric mean", "", "", ratio(mean), ratio(geometricMean(rows.map((row) => row.first)))],
  ],
)}`,
    targets: [atMost("Ruby ÷ node:wasi", WANTED, mean, ratio)],
  };
}

// -------------------------------------------------------------------------------------------- one process

function machineOf(side: Side, handles: Handles) {
  const bytes = readRuby();
  if (side === "node") {
    const wasi = new WASI({ version: "preview1", args: ["ruby.wasm"], env: {}, preopens: {} });
    return nodeMachine(new WebAssembly.Module(bytes), wasi, handles);
  }
  const module = Module.decode(bytes);
  const abi = createAbi({ mounts: [{ guest: "/", fs: new MemoryFileSystem() }] });
  const imports = rubyImports(module, abi.imports, handles);
  return ashlarMachine(module.instantiate({ ...abi, imports, engine: "compiled" }));
}

/** Milliseconds of the processor that this thread has had: other work of the machine does not count. */
function now(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function measure({ code, shown }: Task, side: Side): Times {
  const handles = new Handles();
  const ruby = new Ruby(machineOf(side, handles), handles);
  ruby.boot();
  return Array.from({ length: TURNS }, () => {
    const start = now();
    const text = ruby.inspect(code);
    const ms = now() - start;
    if (text !== shown) throw new Error(`${code} is ${text}, not ${shown}`);
    return ms;
  });
}

if (isMain(import.meta.url)) {
  const [name, side] = process.argv.slice(2);
  const task = TASKS.find((known) => known.name === name);
  if (task === undefined) throw new Error("name a task");
  console.log(JSON.stringify(measure(task, side as Side)));
}
