/**
 * Modules from binaryen's `wasm-opt --translate-to-fuzz`. The package has it as a program only, whose start takes half a
 * second, so its script is run here again and again, with the WebAssembly module in it compiled once.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Script } from "node:vm";
import { Module, UnsupportedFeature } from "../../vm/index.ts";
import { Random } from "./random.ts";

/** Of the profile; the rest is off. `--denan` is not given: NaNs are what we want. */
const FEATURES = [
  "--mvp-features",
  "--enable-mutable-globals",
  "--enable-sign-ext",
  "--enable-nontrapping-float-to-int",
  "--enable-multivalue",
  "--enable-reference-types",
  "--enable-bulk-memory",
];

/** A maker of modules by seed; undefined for a seed that gives none. */
export async function binaryenModules(): Promise<(seed: number) => Promise<Uint8Array | undefined>> {
  const run = wasmOpt();
  const folder = mkdtempSync(join(tmpdir(), "ashlar-binaryen-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  const [input, output] = [join(folder, "in"), join(folder, "out.wasm")];
  return async (seed) => {
    const random = new Random(seed);
    writeFileSync(
      input,
      Uint8Array.from({ length: 300 + random.below(6000) }, () => random.next()),
    );
    rmSync(output, { force: true });
    await run([input, "--translate-to-fuzz", "--quiet", ...FEATURES, "-o", output]);
    try {
      const bytes = Uint8Array.from(readFileSync(output));
      Module.decode(bytes);
      return bytes;
    } catch (error) {
      // It did not end well, or used what is outside the profile although it is off.
      if ((error as { code?: string }).code === "ENOENT" || error instanceof UnsupportedFeature) return undefined;
      throw error;
    }
  };
}

type Run = (
  require: unknown,
  module: object,
  process: object,
  WebAssembly: object,
  console: object,
  cached: { bytes?: Uint8Array<ArrayBuffer>; module?: WebAssembly.Module },
  file: string,
  folder: string,
) => void;

/** Runs the program with these arguments to its end. */
function wasmOpt(): (args: readonly string[]) => Promise<void> {
  const require = createRequire(import.meta.url);
  const folder = join(require.resolve("binaryen"), "../bin");
  const file = join(folder, "wasm-opt");
  const text = readFileSync(file, "utf8")
    .replace(/^#![^\n]*/, "")
    .replace("function binaryDecode(bin){", "$&if(cached.bytes)return cached.bytes;");
  const names = "require,module,process,WebAssembly,console,cached,__filename,__dirname";
  const script = new Script(`(function(${names}){${text}\n})`).runInThisContext() as Run;
  const cached: Parameters<Run>[5] = {};
  const instantiate = async (bytes: Uint8Array<ArrayBuffer>, imports: WebAssembly.Imports) => {
    cached.bytes = bytes;
    cached.module ??= new WebAssembly.Module(bytes);
    return { module: cached.module, instance: new WebAssembly.Instance(cached.module, imports) };
  };
  const { Memory, Table, RuntimeError } = WebAssembly as unknown as { [name: string]: unknown };
  const silent = { log() {}, error() {}, warn() {} };
  process.on("unhandledRejection", (error) => {
    // How the program exits.
    if ((error as Error).name !== "ExitStatus") throw error;
  });
  return (args) =>
    new Promise((resolve) => {
      const given = {
        ...process,
        argv: ["node", file, ...args],
        env: {},
        versions: process.versions,
        platform: process.platform,
        stdin: process.stdin,
        set exitCode(_: number) {
          resolve();
        },
      };
      const module: { exports: { postRun?: () => void } } = { exports: {} };
      script(require, module, given, { instantiate, Memory, Table, RuntimeError }, silent, cached, file, folder);
      module.exports.postRun = () => resolve();
    });
}
