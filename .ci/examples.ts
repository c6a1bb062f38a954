/**
 * Builds the guests in `examples/`. Without the compilers of C and Rust, which come from outside, an example is left out; in CI its
 * test then fails.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { main as asc } from "assemblyscript/asc";
import { compilerEnvironment, findClang, findRustc, INSTALL } from "./toolchains.ts";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));

interface Example {
  readonly name: string;
  readonly compiler: string | undefined;
  readonly install: string;
  readonly args: readonly string[];
}

const EXAMPLES: readonly Example[] = [
  {
    name: "checksum",
    compiler: findClang(),
    install: INSTALL.clang,
    args: [
      ..."--target=wasm32 -O2 -mbulk-memory -nostdlib -Wall -Wextra -Werror".split(" "),
      ..."-Wl,--no-entry -Wl,--stack-first -Wl,-z,stack-size=1048576".split(" "),
      ..."-I syscalls/bindings/c examples/checksum/checksum.c -o examples/checksum/build/checksum.wasm".split(" "),
    ],
  },
  {
    name: "linecount",
    compiler: findRustc(),
    install: INSTALL.rustc,
    args: [
      ..."--edition 2021 --target wasm32-unknown-unknown --crate-type cdylib -D warnings".split(" "),
      ..."-O -C panic=abort -C strip=debuginfo".split(" "),
      ..."examples/linecount/src/main.rs -o examples/linecount/build/linecount.wasm".split(" "),
    ],
  },
];

const ASSEMBLYSCRIPT: readonly (readonly string[])[] = [
  ...["wordfreq", "tilemap", "artifacts"].map((name) => [
    ...["--config", `examples/${name}/asconfig.json`, "--target", "release"],
  ]),
  ...["merge", "rank", "render"].map((name) => [
    ...[`examples/pipeline/assembly/${name}.ts`, "--config", "examples/pipeline/asconfig.json"],
    ...["--outFile", `examples/pipeline/build/${name}.wasm`],
  ]),
];

// All in this process: the compiler starts once.
for (const args of ASSEMBLYSCRIPT) {
  const { error } = await asc([...args], { stderr: process.stderr });
  if (error !== null) process.exit(1);
}

for (const { name, compiler, install, args } of EXAMPLES) {
  if (compiler === undefined) {
    console.log(`examples/${name} is not built: no compiler. ${install}`);
    continue;
  }
  mkdirSync(`examples/${name}/build`, { recursive: true });
  execFileSync(compiler, args, { stdio: "inherit", env: compilerEnvironment() });
}
