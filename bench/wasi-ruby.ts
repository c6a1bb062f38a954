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
import { againstNode, meanOf, type Side, type Times, tableOf, threadMs } from "./node-wasi.ts";
import { atMost, type Group, isMain, measured, type Options, ratio } from "./report.ts";

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

const WANTED = 1.15;
/** Turns of a process. */
const TURNS = 6;

export async function wasiRubyGroup({ rounds }: Options): Promise<Group> {
  const title = "Ruby on WASI";
  if (rubyPath() === undefined) return { title, text: "Not measured: npm ci in test/programs/ruby.", targets: [] };
  const names = TASKS.map(({ name }) => name);
  const rows = await againstNode("wasi-ruby", names, rounds, (name, side) =>
    measured<Times>("wasi-ruby.ts", [name, side], { flags: ["--no-warnings"] }),
  );
  return {
    title,
    text: `Pieces of Ruby in the interpreter of 17 MB, once it is ready: the compiled engine, with fuel and depth, ÷ \`node:wasi\`, in processes that take turns. *First*: the first turns, in which V8 still optimises. Times of the thread; medians of ${rounds} processes with ${TURNS - 1} more turns each.

${tableOf(rows)}`,
    targets: [atMost("Ruby ÷ node:wasi", WANTED, meanOf(rows), ratio)],
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

function measure({ code, shown }: Task, side: Side): Times {
  const handles = new Handles();
  const ruby = new Ruby(machineOf(side, handles), handles);
  ruby.boot();
  return Array.from({ length: TURNS }, () => {
    const start = threadMs();
    const text = ruby.inspect(code);
    const ms = threadMs() - start;
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
