/**
 * The translate group: how fast modules are read and made ready to run, and what instances and calls cost. As a program, a process of
 * its own that prints JSON: `node translate.ts speeds`, `node translate.ts instances`.
 */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { hostLinkageOf } from "../vm/compiled/linkage.ts";
import { rewrite } from "../vm/compiler/rewrite.ts";
import { type Imports, Module } from "../vm/index.ts";
import { binaryOf, largeText } from "./kernels.ts";
import {
  atLeast,
  atMost,
  type Group,
  isMain,
  measured,
  median,
  milliseconds,
  type Options,
  progress,
  table,
  timeOf,
} from "./report.ts";

/** Of a module: its length in bytes, and the fastest time of each in milliseconds. */
interface Speeds {
  readonly what: string;
  readonly length: number;
  readonly decodeMs: number;
  readonly rewriteMs: number;
  /** Calls of all functions on the reference engine; only of the module of kernels. */
  readonly translateMs?: number;
  readonly validateMs: number;
  readonly rewrittenLength: number;
}

/** Milliseconds. */
interface Instances {
  /** The very first of a process, the first of another module later, another instance of that. */
  readonly coldMs: number;
  readonly firstMs: number;
  readonly furtherMs: number;
  readonly decodeMs: number;
  readonly length: number;
  /** Of a module with an empty function and one page. */
  readonly smallMs: { readonly [engine in Engine]: number };
  readonly invokeMs: { readonly [engine in Engine]: number };
}

const ENGINES = ["compiled", "reference"] as const;
type Engine = (typeof ENGINES)[number];

export async function translateGroup({ rounds }: Options): Promise<Group> {
  const speeds: Speeds[][] = [];
  const instances: Instances[] = [];
  for (let round = 0; round < rounds; round++) {
    progress(`translate: round ${round + 1} of ${rounds}`);
    if (round < 2) speeds.push(await measured<Speeds[]>("translate.ts", ["speeds"]));
    instances.push(await measured<Instances>("translate.ts", ["instances"]));
  }
  const rows = speeds[0]!.map(({ what, length, rewrittenLength }, index) => {
    const best = (time: (run: Speeds) => number | undefined) =>
      Math.min(...speeds.map((run) => time(run[index]!) ?? Number.NaN));
    const rate = (ms: number) => length / ms / 1000;
    return {
      what,
      length,
      growth: rewrittenLength / length,
      decode: rate(best(({ decodeMs }) => decodeMs)),
      rewrite: rate(best(({ rewriteMs }) => rewriteMs)),
      translate: rate(best(({ translateMs }) => translateMs)),
      validate: rate(best(({ validateMs }) => validateMs)),
    };
  });
  const middle = (time: (run: Instances) => number) => median(instances.map(time));
  const speed = (value: number) => (Number.isNaN(value) ? "–" : `${value.toFixed(1)} MB/s`);
  const micro = (ms: number) => `${(ms * 1000).toFixed(ms < 0.01 ? 2 : 1)} µs`;
  const first = middle(({ firstMs }) => firstMs);
  const further = middle(({ furtherMs }) => furtherMs);
  const large = rows.filter(({ length }) => length >= 100_000);
  return {
    title: "Translate and instantiate",
    text: `Megabytes of the guest's module a second, the fastest of several times in ${speeds.length} processes; \`growth\` is the length of what V8 gets ÷ the guest's.

${table(
  [
    "module",
    "length:",
    "decode and validate:",
    "rewrite:",
    "growth:",
    "translate for the reference engine:",
    "V8's `WebAssembly.validate`:",
  ],
  rows.map((row) => [
    row.what,
    row.length < 1e6 ? `${(row.length / 1e3).toFixed(0)} kB` : `${(row.length / 1e6).toFixed(1)} MB`,
    speed(row.decode),
    speed(row.rewrite),
    row.growth.toFixed(2),
    speed(row.translate),
    speed(row.validate),
  ]),
)}
Instances on the compiled engine, medians of ${rounds} processes. The module of ${(instances[0]!.length / 1000).toFixed(0)} kB is of kernels; it is another one each time, since V8 keeps what it compiled.

${table(
  ["what", "compiled:", "reference:"],
  [
    ["decode and validate the module", milliseconds(middle(({ decodeMs }) => decodeMs)), ""],
    ["instantiate it, the first thing that a process does", milliseconds(middle(({ coldMs }) => coldMs)), ""],
    ["instantiate it, after ten others", milliseconds(first), ""],
    ["instantiate it again", micro(further), ""],
    [
      "instantiate a module with an empty function and one page again",
      ...ENGINES.map((engine) => micro(middle(({ smallMs }) => smallMs[engine]))),
    ],
    ["invoke an empty function", ...ENGINES.map((engine) => micro(middle(({ invokeMs }) => invokeMs[engine])))],
  ],
)}`,
    targets: [
      atLeast("rewriting, slowest module of 100 kB or more", 15, Math.min(...large.map((row) => row.rewrite)), speed),
      atMost("first instance of a module of 100 kB", 8, first, milliseconds),
      atMost("further ones", 0.3, further, milliseconds),
    ],
  };
}

// -------------------------------------------------------------------------------------------- one process

/** Times of each are taken for so long, in milliseconds. */
const PATIENCE_MS = 1000;

function fastest(call: () => unknown): number {
  const end = performance.now() + PATIENCE_MS;
  let best = timeOf(call);
  while (performance.now() < end) best = Math.min(best, timeOf(call));
  return best;
}

async function measureSpeeds(): Promise<Speeds[]> {
  const modules: [what: string, bytes: Uint8Array | undefined][] = [
    ["6,000 functions of kernels", binaryOf(largeText(2_000))],
    ["binaryen (C++)", await wasmOf(async () => void (await import("binaryen")))],
    ["wabt (C++)", await wasmOf(async () => void (await (await import("wabt")).default()))],
    ["QuickJS (C)", read("node_modules/@jitl/quickjs-wasmfile-release-sync/dist/emscripten-module.wasm")],
    ["`linecount` (Rust)", read("../examples/linecount/build/linecount.wasm")],
    ["`wordfreq` (AssemblyScript)", read("../examples/wordfreq/build/wordfreq.wasm")],
  ];
  const speeds: Speeds[] = [];
  for (const [what, bytes] of modules) {
    if (bytes === undefined) continue;
    const module = Module.decode(bytes);
    const linkage = hostLinkageOf(module, anyImports(module))!;
    let rewrittenLength = 0;
    const rewriteMs = fastest(() => {
      rewrittenLength = rewrite(module.rewriteInput, linkage).bytes.length;
    });
    speeds.push({
      what,
      length: bytes.length,
      decodeMs: fastest(() => Module.decode(bytes)),
      rewriteMs,
      validateMs: fastest(() => WebAssembly.validate(bytes as Uint8Array<ArrayBuffer>)),
      rewrittenLength,
      ...(speeds.length === 0 && { translateMs: translateMs(bytes) }),
    });
  }
  return speeds;
}

/** Functions are translated for the reference engine when they are first called: a second call of them all has nothing to translate. */
function translateMs(bytes: Uint8Array): number {
  const times = Array.from({ length: 6 }, () => {
    const instance = Module.decode(bytes).instantiate({ engine: "reference" });
    const [first, second] = [0, 1].map(() => timeOf(() => instance.invoke("all"))) as [number, number];
    return first - second;
  });
  return Math.min(...times);
}

/** A host function for each that the module imports. */
function anyImports({ imports }: Module): Imports {
  const found: { [module: string]: { [name: string]: Imports[string][string] } } = {};
  for (const { module, name, type } of imports) {
    if (type.kind !== "function" || module === "bytes") continue;
    found[module] ??= {};
    found[module][name] = { type: type.type, fuel: 1, mayFree: false, call: () => undefined };
  }
  return found;
}

/** The WebAssembly inside of a npm package: what it gives to V8 while `load` runs; the longest. */
async function wasmOf(load: () => Promise<void>): Promise<Uint8Array | undefined> {
  const api = WebAssembly as unknown as { instantiate: unknown; Module: unknown };
  const before = { instantiate: api.instantiate, Module: api.Module };
  const found: Uint8Array[] = [];
  const keep = (source: unknown) => {
    if (source instanceof Uint8Array) found.push(source.slice());
    else if (source instanceof ArrayBuffer) found.push(new Uint8Array(source.slice()));
  };
  api.instantiate = (source: unknown, imports: unknown) => {
    keep(source);
    return (before.instantiate as (...given: unknown[]) => unknown)(source, imports);
  };
  api.Module = new Proxy(before.Module as new (source: unknown) => object, {
    construct(target, [source]) {
      keep(source);
      return new target(source);
    },
  });
  try {
    await load();
  } finally {
    Object.assign(api, before);
  }
  return found.toSorted((a, b) => b.length - a.length)[0];
}

function read(path: string): Uint8Array | undefined {
  const file = fileURLToPath(new URL(path, import.meta.url));
  return existsSync(file) ? Uint8Array.from(readFileSync(file)) : undefined;
}

function measureInstances(): Instances {
  /** About 100 kB; another number in it makes another module. */
  const module = (number: number) => {
    const text = largeText(87).replace(/\)$/, `(func (export "number") (result i32) i32.const ${number}))`);
    return binaryOf(text);
  };
  const modules = Array.from({ length: 11 }, (_, index) => module(index));
  let decodeMs = 0;
  const firsts = modules.map((bytes) => {
    let decoded: Module | undefined;
    decodeMs = timeOf(() => {
      decoded = Module.decode(bytes);
    });
    return { decoded: decoded!, ms: timeOf(() => decoded!.instantiate({ engine: "compiled" })) };
  });
  const last = firsts.at(-1)!.decoded;
  const further = Array.from({ length: 100 }, () => timeOf(() => last.instantiate({ engine: "compiled" })));
  const small = Module.decode(binaryOf('(module (memory (export "memory") 1) (func (export "go")))'));
  const COUNT = 1_000;
  const each = (engine: Engine, of: (engine: Engine) => () => unknown): number => {
    const call = of(engine);
    const times = Array.from({ length: 5 }, () =>
      timeOf(() => {
        for (let i = 0; i < COUNT; i++) call();
      }),
    );
    return Math.min(...times) / COUNT;
  };
  const byEngine = (of: (engine: Engine) => () => unknown) =>
    Object.fromEntries(ENGINES.map((engine) => [engine, each(engine, of)])) as { [engine in Engine]: number };
  return {
    length: modules[0]!.length,
    decodeMs,
    coldMs: firsts[0]!.ms,
    firstMs: firsts.at(-1)!.ms,
    furtherMs: median(further),
    smallMs: byEngine((engine) => () => small.instantiate({ engine })),
    invokeMs: byEngine((engine) => {
      const instance = small.instantiate({ engine, fuel: 2n ** 60n });
      return () => instance.invoke("go");
    }),
  };
}

if (isMain(import.meta.url)) {
  console.log(JSON.stringify(process.argv[2] === "speeds" ? await measureSpeeds() : measureInstances()));
}
