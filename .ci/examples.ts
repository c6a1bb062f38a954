/**
 * Builds the guests in `examples/` that need a compiler from outside. Without it an example is left out; in CI
 * its test then fails.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
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

for (const { name, compiler, install, args } of EXAMPLES) {
  if (compiler === undefined) {
    console.log(`examples/${name} is not built: no compiler. ${install}`);
    continue;
  }
  mkdirSync(`examples/${name}/build`, { recursive: true });
  execFileSync(compiler, args, { stdio: "inherit", env: compilerEnvironment() });
}
