/** `ashlar new`: a folder with everything that a guest needs to be built and run. */
import { constants, copyFileSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Arguments } from "./arguments.ts";
import { CommandError, ExitCode, usageError } from "./failure.ts";
import { packageRoot } from "./package.ts";
import { errorCode, plain, print } from "./terminal.ts";

interface Template {
  readonly language: string;
  /** Files of `templates/NAME/`, by their names in the project. A name with a dot in front would not survive npm. */
  readonly files: { readonly [to: string]: string };
  /** Copies of `syscalls/bindings/`, so that a project needs nothing from outside. */
  readonly bindings: { readonly [to: string]: string };
  /** What to type next, in the project. */
  readonly steps: readonly string[];
}

const TEMPLATES: { readonly [name: string]: Template } = {
  as: {
    language: "AssemblyScript",
    files: {
      "README.md": "README.md",
      ".gitignore": "gitignore",
      "package.json": "package.json",
      "asconfig.json": "asconfig.json",
      "assembly/tsconfig.json": "assembly/tsconfig.json",
      "assembly/index.ts": "assembly/index.ts",
    },
    bindings: {
      "assembly/ashlar/ashlar.ts": "assemblyscript/ashlar.ts",
      "assembly/ashlar/syscalls.ts": "assemblyscript/syscalls.ts",
    },
    steps: ["npm install", "npm run build", "ashlar run build/guest.wasm"],
  },
  c: {
    language: "C",
    files: { "README.md": "README.md", ".gitignore": "gitignore", Makefile: "Makefile", "guest.c": "guest.c" },
    bindings: { "ashlar/ashlar.h": "c/ashlar.h", "ashlar/ashlar_syscalls.h": "c/ashlar_syscalls.h" },
    steps: ["make", "ashlar run build/guest.wasm"],
  },
  rust: {
    language: "Rust",
    files: {
      "README.md": "README.md",
      ".gitignore": "gitignore",
      "Cargo.toml": "Cargo.toml",
      ".cargo/config.toml": "cargo-config.toml",
      "src/lib.rs": "src/lib.rs",
    },
    bindings: { "src/ashlar.rs": "rust/ashlar.rs", "src/syscalls.rs": "rust/syscalls.rs" },
    steps: ["cargo build --release", "ashlar run target/wasm32-unknown-unknown/release/guest.wasm"],
  },
  wat: {
    language: "WebAssembly's text format",
    files: { "README.md": "README.md", "guest.wat": "guest.wat" },
    bindings: {},
    steps: ["ashlar run guest.wat"],
  },
};

export async function newGuest(args: Arguments): Promise<number> {
  const folder = args.positionals[0]!;
  const names = Object.keys(TEMPLATES).join(", ");
  const name = args.options.get("lang")?.[0];
  if (name === undefined) throw usageError("`ashlar new` needs a language: --lang LANG", `LANG is one of ${names}.`);
  if (!Object.hasOwn(TEMPLATES, name))
    throw usageError(`There is no template for --lang ${JSON.stringify(name)}.`, `LANG is one of ${names}.`);
  const { language, files, bindings, steps } = TEMPLATES[name]!;
  const root = fileURLToPath(packageRoot().url);
  const copies = [
    ...Object.entries(files).map(([to, from]) => [to, join(root, "host/command/templates", name, from)] as const),
    ...Object.entries(bindings).map(([to, from]) => [to, join(root, "syscalls/bindings", from)] as const),
  ];
  try {
    makeEmpty(folder);
    for (const [to, from] of copies) {
      const path = join(folder, to);
      makeFolder(dirname(path));
      copyFileSync(from, path, constants.COPYFILE_EXCL);
    }
  } catch (error) {
    if (error instanceof CommandError) throw error;
    const code = errorCode(error);
    if (code === undefined) throw error;
    throw failed(`The project cannot be written to ${folder}: ${code}.`);
  }
  const list = copies.map(([to]) => `  ${to}\n`).join("");
  const place = /^[\w./~@+-]+$/.test(folder) ? folder : JSON.stringify(folder);
  const next = [`cd ${place}`, ...steps].map((step) => `  ${step}\n`).join("");
  print(`A guest in ${language}, in ${plain(folder)}:\n${list}\nTo build and run it:\n${next}`);
  return ExitCode.OK;
}

/** Makes the folder unless it is there and empty. */
function makeEmpty(folder: string): void {
  makeFolder(folder);
  if (readdirSync(folder).length === 0) return;
  throw failed(`${folder} is not empty.`, "A new project needs a folder that is empty or not there yet.");
}

/** Makes a folder, and those above it, unless it is there. Node.js's own `recursive` never ends in `/proc`. */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder);
  } catch (error) {
    const code = errorCode(error);
    if (code === "EEXIST" && statSync(folder).isDirectory()) return;
    if (code !== "ENOENT" || dirname(folder) === folder) throw error;
    makeFolder(dirname(folder));
    mkdirSync(folder);
  }
}

function failed(message: string, hint?: string): CommandError {
  return new CommandError("CLI-NEW", ExitCode.FAILURE, message, hint);
}
