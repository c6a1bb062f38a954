/** The compilers of guests in C and Rust, as far as this machine has them. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

function answer(program: string, ...args: readonly string[]): string | undefined {
  const { status, stdout } = spawnSync(program, args, { encoding: "utf8" });
  return status === 0 ? stdout : undefined;
}

function onPath(name: string): readonly string[] {
  return (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, name));
}

/** A clang that has WebAssembly as a target, and its linker. */
export function findClang(): string | undefined {
  if (answer("wasm-ld", "--version") === undefined) return undefined;
  return answer("clang", "-print-targets")?.includes("wasm32") ? "clang" : undefined;
}

/** A rustc that has the standard library for WebAssembly; Debian's first, because the one before it may have none. */
export function findRustc(): string | undefined {
  return ["/usr/bin/rustc", ...onPath("rustc")].find((rustc) => {
    if (!existsSync(rustc)) return false;
    const folder = answer(rustc, "--print", "target-libdir", "--target", "wasm32-unknown-unknown");
    return folder !== undefined && existsSync(folder.trim());
  });
}

/**
 * The environment for them: without npm's programs, because clang would run the `wasm-opt` it finds there on what it makes,
 * which takes its names away.
 */
export function compilerEnvironment(): NodeJS.ProcessEnv {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => !folder.includes("node_modules"));
  return { ...process.env, PATH: folders.join(delimiter) };
}

/** How to get what is missing. */
export const INSTALL = {
  clang: "Debian: apt-get install clang lld",
  rustc: "Debian: apt-get install rustc libstd-rust-dev-wasm32 lld; else: rustup target add wasm32-unknown-unknown",
} as const;
