/**
 * The wasi-startup group: how long Ruby (`test/programs/ruby`) takes until it is ready: cold, from an image, and from an
 * image that has it ready, against `node:wasi`, cold.
 * As a program, a process of its own for one start: `node wasi-startup.ts FILE node|cold|image|ready|build FOLDER` prints JSON.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { WASI } from "node:wasi";
import { adoptCode, compileGuest, createAbi, readImage, writeImage } from "../host/index.ts";
import {
  ashlarMachine,
  Handles,
  nodeMachine,
  Ruby,
  type RubyFile,
  rubyImports,
  rubyPath,
} from "../test/programs/ruby/ruby.ts";
import { Instance, Module } from "../vm/index.ts";
import {
  atMost,
  type Group,
  isMain,
  measured,
  median,
  milliseconds,
  type Options,
  progress,
  ratio,
  table,
} from "./report.ts";

const FILES: readonly RubyFile[] = ["ruby.wasm", "ruby+stdlib.wasm"];
const SIDES = ["node", "cold", "image", "ready"] as const;
type Side = (typeof SIDES)[number];
const WHAT: { readonly [side in Side]: string } = {
  node: "`node:wasi`, cold",
  cold: "Ashlar, cold",
  image: "from an image",
  ready: "from one that has it ready",
};
const WANTED: { readonly [side in Side]?: number } = { image: 1.25, ready: 0.5 };

/** Milliseconds of one start: on the clock, and of the processor that all threads of the process have had. */
interface Start {
  readonly wall: number;
  readonly cpu: number;
}

export async function wasiStartupGroup({ rounds, folder }: Options): Promise<Group> {
  const title = "Start-up of Ruby on WASI";
  if (rubyPath() === undefined) return { title, text: "Not measured: npm ci in test/programs/ruby.", targets: [] };
  const start = (name: string, side: string) =>
    measured<Start>("wasi-startup.ts", [name, side, folder], { flags: ["--no-warnings"] });
  const runs = FILES.flatMap((name) => SIDES.map((side) => ({ name, side, starts: [] as Start[] })));
  for (const name of FILES) await start(name, "build");
  for (let round = 0; round < 3 * rounds; round++)
    for (const { name, side, starts } of round % 2 === 0 ? runs : runs.toReversed()) {
      progress(`wasi-startup: round ${round + 1} of ${3 * rounds}, ${name}, ${side}`);
      starts.push(await start(name, side));
    }
  const figures = (name: RubyFile, side: Side, part: keyof Start): readonly number[] =>
    runs.find((run) => run.name === name && run.side === side)!.starts.map((one) => one[part]);
  const fastest = (name: RubyFile, side: Side) => Math.min(...figures(name, side, "wall"));
  const share = (name: RubyFile, side: Side) => fastest(name, side) / fastest(name, "node");
  return {
    title,
    text: `Until Ruby is ready to evaluate: reading the file, compiling, instantiating, \`_initialize\` and \`ruby-init\`; of the last row, reading and restoring alone. Each start is in a process of its own, whose own start does not count; ${3 * rounds} interleaved starts of each. The ratios are of the fastest: what else the machine does only adds.

${table(
  ["what", ...FILES.flatMap((name) => [`${name}, fastest:`, "median:", "processor:", "÷:"])],
  SIDES.map((side) => [
    WHAT[side],
    ...FILES.flatMap((name) => [
      milliseconds(fastest(name, side)),
      milliseconds(median(figures(name, side, "wall"))),
      milliseconds(median(figures(name, side, "cpu"))),
      ratio(share(name, side)),
    ]),
  ]),
)}`,
    targets: FILES.flatMap((name) =>
      (["image", "ready"] as const).map((side) =>
        atMost(`${name} ${WHAT[side]} ÷ \`node:wasi\``, WANTED[side]!, share(name, side), ratio),
      ),
    ),
  };
}

// -------------------------------------------------------------------------------------------- one process

interface Ready {
  readonly ruby: Ruby;
  readonly snapshot?: () => Uint8Array;
}

async function onNode(path: string): Promise<Ready> {
  const handles = new Handles();
  const module = await WebAssembly.compile(readFileSync(path));
  const wasi = new WASI({ version: "preview1", args: ["ruby.wasm"], env: {}, preopens: {} });
  const ruby = new Ruby(nodeMachine(module, wasi, handles), handles);
  ruby.boot();
  return { ruby };
}

function cold(path: string): Ready & { readonly image: (snapshot?: Uint8Array) => Uint8Array } {
  const bytes = readFileSync(path);
  const module = Module.decode(bytes);
  const handles = new Handles();
  const abi = createAbi();
  const imports = rubyImports(module, abi.imports, handles);
  const instance = module.instantiate({ ...abi, imports, engine: "compiled" });
  const ruby = new Ruby(ashlarMachine(instance), handles);
  ruby.boot();
  const image = (snapshot?: Uint8Array): Uint8Array =>
    writeImage({ module: bytes, code: compileGuest(module, imports)!, snapshot });
  return { ruby, snapshot: () => instance.snapshot(), image };
}

function fromImage(path: string): Ready {
  const { module: bytes, digest, code, snapshot } = readImage(readFileSync(path));
  const module = Module.known(bytes, digest);
  const handles = new Handles();
  const abi = createAbi();
  const imports = rubyImports(module, abi.imports, handles);
  if (!adoptCode(module, imports, code)) throw new Error("the code is not used");
  const host = { ...abi, imports, engine: "compiled" } as const;
  if (snapshot !== undefined) {
    const instance = Instance.restore(module, snapshot, { ...host, whole: true });
    return { ruby: new Ruby(ashlarMachine(instance), handles) };
  }
  const ruby = new Ruby(ashlarMachine(module.instantiate(host)), handles);
  ruby.boot();
  return { ruby };
}

async function run(name: RubyFile, side: Side | "build", folder: string): Promise<Start> {
  const path = rubyPath(name)!;
  const image = (ready: string): string => join(folder, `${name}.${ready}`);
  // As `ashlar run` does for its process.
  if (side !== "node") setFlagsFromString("--wasm-lazy-validation");
  const processor = process.cpuUsage();
  const started = performance.now();
  const ready =
    side === "node" ? await onNode(path) : side === "image" || side === "ready" ? fromImage(image(side)) : cold(path);
  const wall = performance.now() - started;
  const { user, system } = process.cpuUsage(processor);
  if (side === "build") {
    const made = ready as ReturnType<typeof cold>;
    writeFileSync(image("image"), made.image());
    writeFileSync(image("ready"), made.image(made.snapshot!()));
  }
  const answer = ready.ruby.inspect("(1..10).sum");
  if (answer !== "55") throw new Error(`the sum is ${answer}`);
  return { wall, cpu: (user + system) / 1000 };
}

if (isMain(import.meta.url)) {
  const [name, side, folder] = process.argv.slice(2);
  console.log(JSON.stringify(await run(name as RubyFile, side as Side, folder!)));
}
