/** Builds our programs for the suite's runner: `npm run wasi-testsuite -- test/wasi/build` then runs them, too. */
import { execFile } from "node:child_process";
import { cpSync, existsSync, globSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { compilerEnvironment } from "../../.ci/toolchains.ts";

const PROGRAMS = fileURLToPath(new URL("programs", import.meta.url));
/** Where the programs are built, with all that belongs to them. */
export const BUILD: string = fileURLToPath(new URL("build", import.meta.url));

const OPTIONS = "--target=wasm32-wasi -O1 -mbulk-memory -Wall -Wextra -Werror".split(" ");
/** Beside them: programs start by themselves, but for the one that begins as wasi-libc has it. */
const START = "-nostartfiles";
const LIBC = { name: "libc", option: "-ftls-model=local-exec" };
/** Compilers that run at one time. */
const JOBS = 2;

/** Compiles what is older than its source. */
export async function buildPrograms(clang: string): Promise<void> {
  mkdirSync(BUILD, { recursive: true });
  for (const file of globSync(["*.json", "*.dir"], { cwd: PROGRAMS }))
    cpSync(join(PROGRAMS, file), join(BUILD, file), { recursive: true });
  writeFileSync(join(BUILD, "manifest.json"), JSON.stringify({ name: "Ashlar", version: "wasm32-wasip1" }));
  const header = statSync(join(PROGRAMS, "wasi.h")).mtimeMs;
  const sources = globSync("*.c", { cwd: PROGRAMS }).filter((source) => {
    const module = moduleOf(source);
    const changed = Math.max(header, statSync(join(PROGRAMS, source)).mtimeMs);
    return !existsSync(module) || statSync(module).mtimeMs < changed;
  });
  await Promise.all(
    Array.from({ length: JOBS }, async () => {
      for (let source = sources.pop(); source !== undefined; source = sources.pop()) await compile(clang, source);
    }),
  );
}

/** Path of the module that a program in `programs` becomes. */
export function moduleOf(source: string): string {
  return join(BUILD, `${basename(source, ".c")}.wasm`);
}

async function compile(clang: string, source: string): Promise<void> {
  const start = basename(source, ".c") === LIBC.name ? LIBC.option : START;
  const args = [...OPTIONS, start, join(PROGRAMS, source), "-o", moduleOf(source)];
  await promisify(execFile)(clang, args, { env: compilerEnvironment() });
}
