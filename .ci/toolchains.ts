/** The compilers of guests in C and Rust, as far as this machine has them: each is tried on an empty program. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";

/** How to get what is missing. */
export const INSTALL = {
  clang: "Debian: apt-get install clang lld",
  wasi: "Debian: apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32",
  rustc: "Debian: apt-get install rustc libstd-rust-dev-wasm32 lld; else: rustup target add wasm32-unknown-unknown",
} as const;

function folders(): readonly string[] {
  return (process.env.PATH ?? "").split(delimiter);
}

/**
 * The environment for them: without npm's programs, because clang would run the `wasm-opt` it finds there on what it makes,
 * which takes its names away.
 */
export function compilerEnvironment(): NodeJS.ProcessEnv {
  return {
    ...process.env,
    PATH: folders()
      .filter((folder) => !folder.includes("node_modules"))
      .join(delimiter),
  };
}

function compiles(program: string, options: string): boolean {
  const scratch = mkdtempSync(join(tmpdir(), "ashlar-compiler-"));
  const args = [...options.split(" "), "-o", join(scratch, "empty.wasm"), "-"];
  const { status } = spawnSync(program, args, {
    input: "",
    stdio: ["pipe", "ignore", "ignore"],
    env: compilerEnvironment(),
  });
  rmSync(scratch, { recursive: true });
  return status === 0;
}

/** A clang that has WebAssembly as a target, and its linker. */
export function findClang(): string | undefined {
  return compiles("clang", "--target=wasm32 -nostdlib -Wl,--no-entry -x c") ? "clang" : undefined;
}

/** A clang that has the C library for WASI, too. */
export function findWasiClang(): string | undefined {
  const options = "--target=wasm32-wasi -nostartfiles -include wasi/api.h -Wl,--no-entry -x c";
  return compiles("clang", options) ? "clang" : undefined;
}

/** A rustc that has the library for WebAssembly, and a linker; Debian's first, because another before it may have none. */
export function findRustc(): string | undefined {
  return ["/usr/bin/rustc", ...folders().map((folder) => join(folder, "rustc"))].find((rustc) =>
    compiles(rustc, "--target wasm32-unknown-unknown --crate-type cdylib"),
  );
}
