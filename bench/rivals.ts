/**
 * Other engines that do the kernels' work: native code, wabt's interpreter, QuickJS, Lua. Each turn is a process of its own that
 * checks the result. `node rivals.ts KERNEL` runs a kernel in QuickJS and prints JSON.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { binaryOf, closedTextOf, compileNative, KERNELS, type Kernel, pathOf } from "./kernels.ts";
import { file, isMain, measured, timeOf, versionOf } from "./report.ts";

export interface Rival {
  readonly name: string;
  readonly version: string;
  /** Milliseconds of one call of the kernel, start-up not counted: the fastest of what one turn gives. */
  run(kernel: Kernel): Promise<number>;
}

const CALLS = 10;
/** Calls in engines that take some tenths of a second for one. */
const SLOW_CALLS = 2;

/** Those that are installed, fastest first; kernels are compiled into the folder. */
export function rivals(folder: string): Rival[] {
  return [native(folder), luajit(), lua(), quickjs(), wasmInterp(folder)].filter((rival) => rival !== undefined);
}

function checked(kernel: Kernel, result: string): void {
  if (BigInt(result) !== kernel.result) throw new Error(`${kernel.name}(${kernel.n}) answered ${result}`);
}

/** Of a program that prints the result and the nanoseconds of its fastest call. */
function spawned(kernel: Kernel, program: string, args: readonly string[]): Promise<number> {
  const [result, nanoseconds] = execFileSync(program, args, { encoding: "utf8" }).trim().split(" ");
  checked(kernel, result!);
  return Promise.resolve(Number(nanoseconds) / 1e6);
}

function native(folder: string): Rival | undefined {
  const version = versionOf("gcc");
  if (version === undefined) return undefined;
  const programs = new Map<Kernel, string>();
  return {
    name: "native",
    version,
    run(kernel) {
      const program = programs.get(kernel) ?? compileNative(kernel, folder);
      programs.set(kernel, program);
      return spawned(kernel, program, [`${kernel.n}`, `${CALLS}`]);
    },
  };
}

function luajit(): Rival | undefined {
  const version = versionOf("luajit", "-v");
  if (version === undefined) return undefined;
  return {
    name: "LuaJIT",
    version: version.replace(/ --.*/, ""),
    run(kernel) {
      // Lua 5.4 has operators for bits and 64-bit integers; LuaJIT has functions for them.
      const own = pathOf(kernel.name, "luajit.lua");
      const source = existsSync(own) ? own : pathOf(kernel.name, "lua");
      return spawned(kernel, "luajit", [pathOf("rival", "lua"), source, `${kernel.n}`, `${CALLS}`]);
    },
  };
}

function lua(): Rival | undefined {
  const version = versionOf("lua5.4", "-v");
  if (version === undefined) return undefined;
  return {
    name: "Lua",
    version: version.replace(/ {2}.*/, ""),
    run: (kernel) =>
      spawned(kernel, "lua5.4", [pathOf("rival", "lua"), pathOf(kernel.name, "lua"), `${kernel.n}`, `${SLOW_CALLS}`]),
  };
}

function wasmInterp(folder: string): Rival | undefined {
  // The native program of Debian's package: npm puts the one of the npm package, compiled to WebAssembly, first in PATH.
  const program = existsSync("/usr/bin/wasm-interp") ? "/usr/bin/wasm-interp" : "wasm-interp";
  const version = versionOf(program);
  if (version === undefined) return undefined;
  const interpret = (path: string) => {
    let output = "";
    const ms = timeOf(() => {
      output = execFileSync(program, [path, "--run-all-exports"], { encoding: "utf8" });
    });
    return { ms, output };
  };
  const empty = file(folder, "empty.wasm", binaryOf('(module (func (export "go")))'));
  return {
    name: "wasm-interp",
    version: `wabt wasm-interp ${version}`,
    run(kernel) {
      const path = join(folder, `${kernel.name}.closed.wasm`);
      if (!existsSync(path)) file(folder, `${kernel.name}.closed.wasm`, binaryOf(closedTextOf(kernel)));
      const startMs = Math.min(interpret(empty).ms, interpret(empty).ms);
      const { ms, output } = interpret(path);
      const [, width, unsigned] = /i(\d\d):(\d+)/.exec(output) ?? [];
      checked(kernel, `${BigInt.asIntN(Number(width), BigInt(unsigned!))}`);
      return Promise.resolve(ms - startMs);
    },
  };
}

// ------------------------------------------------------------------------------------------------- QuickJS

const QUICKJS = fileURLToPath(new URL("node_modules/quickjs-emscripten/", import.meta.url));

/** What is used of quickjs-emscripten: its own types are not there unless it is installed. */
interface Handle {
  consume<T>(use: (handle: Handle) => T): T;
}
interface QuickJs {
  newContext(): {
    evalCode(source: string): unknown;
    unwrapResult(result: unknown): Handle;
    getString(handle: Handle): string;
  };
}

function quickjs(): Rival | undefined {
  if (!existsSync(QUICKJS)) return undefined;
  const { version } = JSON.parse(readFileSync(join(QUICKJS, "package.json"), "utf8")) as { version: string };
  return {
    name: "QuickJS",
    version: `quickjs-emscripten ${version}`,
    run: (kernel) => measured<number>("rivals.ts", [kernel.name]),
  };
}

async function runInQuickJs(kernel: Kernel): Promise<number> {
  const main = pathToFileURL(join(QUICKJS, "dist/index.mjs")).href;
  const { getQuickJS } = (await import(main)) as { getQuickJS(): Promise<QuickJs> };
  const context = (await getQuickJS()).newContext();
  const evaluate = (source: string): string =>
    context.unwrapResult(context.evalCode(source)).consume((handle) => context.getString(handle));
  evaluate(`${readFileSync(pathOf(kernel.name, "js"), "utf8").replace("export function run", "function run")};""`);
  let best = Number.POSITIVE_INFINITY;
  for (let call = 0; call < SLOW_CALLS; call++) {
    let result = "";
    const ms = timeOf(() => {
      result = evaluate(`String(run(${kernel.n}))`);
    });
    checked(kernel, result);
    best = Math.min(best, ms);
  }
  return best;
}

if (isMain(import.meta.url)) {
  const kernel = KERNELS.find(({ name }) => name === process.argv[2]);
  if (kernel === undefined) throw new Error("name a kernel");
  console.log(JSON.stringify(await runInQuickJs(kernel)));
}
