/** The real programs that `build.sh` builds, what they are given to do, and how they run here and natively. */
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Grants } from "../../host/grants.ts";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));

export type Program = "lua" | "minigzip" | "sqlite3";

/** Path of the module. */
export function moduleOf(program: Program): string {
  return join(FOLDER, "build", `${program}.wasm`);
}

/** Why tests of the programs are passed over; undefined where they are built. In CI they must be. */
export const missing: string | undefined =
  process.env.CI !== undefined || existsSync(join(FOLDER, "build/state")) ? undefined : "npm run build:programs";

/** A file in `inputs/`. */
export function input(name: string): Buffer {
  return readFileSync(join(FOLDER, "inputs", name));
}

/** A program at work in a folder, which is all that it sees. */
export interface Task {
  readonly name: string;
  readonly program: Program;
  readonly args: readonly string[];
  readonly stdin?: Uint8Array;
  /** What lies in the folder before. */
  readonly files: { readonly [name: string]: Uint8Array };
}

/** Tasks that the reference engine does in a second or two. */
export function shortTasks(): Task[] {
  const text = input("features.lua");
  const packed = natively({ program: "minigzip", args: ["-9"], stdin: text }, FOLDER).stdout;
  return [
    {
      name: "lua features",
      program: "lua",
      args: ["features.lua"],
      stdin: Buffer.from("12 rest\nline two\nall\nof it"),
      files: { "features.lua": text },
    },
    { name: "lua work", program: "lua", args: ["work.lua", "0.1"], files: { "work.lua": input("work.lua") } },
    { name: "lua error", program: "lua", args: ["-e", "local t = nil; t.x = 1"], files: {} },
    { name: "lua from standard input", program: "lua", args: ["-"], stdin: Buffer.from("print(#arg, ...)"), files: {} },
    { name: "minigzip a file", program: "minigzip", args: ["text"], files: { text } },
    { name: "minigzip -d a file", program: "minigzip", args: ["-d", "text.gz"], files: { "text.gz": packed } },
    { name: "minigzip a stream", program: "minigzip", args: ["-1"], stdin: text, files: {} },
    { name: "minigzip -d a stream", program: "minigzip", args: ["-d"], stdin: packed, files: {} },
    {
      name: "minigzip -d what is damaged",
      program: "minigzip",
      args: ["-d"],
      stdin: packed.subarray(0, 999),
      files: {},
    },
    { name: "sqlite3 short", program: "sqlite3", args: ["short.db"], stdin: input("short.sql"), files: {} },
    { name: "sqlite3 in memory", program: "sqlite3", args: ["-csv", ":memory:", "select 1, 'a b', 2.5"], files: {} },
  ];
}

/** The grants of a task: its folder as the root, from the disk or as a copy in memory that is copied back. */
export function grantsOf(folder: string, fileSystem: "directory" | "memory"): Grants {
  const mount = { guest: "/", host: folder };
  return { env: { HOME: "/" }, ...(fileSystem === "directory" ? { dirs: [mount] } : { tmp: [mount] }) };
}

/** The native program in that folder, under the name that a guest has. */
export function natively(
  { program, args, stdin }: Pick<Task, "program" | "args" | "stdin">,
  folder: string,
): SpawnSyncReturns<Buffer> {
  return spawnSync(join(FOLDER, "build/native", program), args, {
    argv0: "guest",
    cwd: folder,
    env: { HOME: folder, TZ: "UTC" },
    input: stdin ?? "",
    maxBuffer: 1 << 28,
  });
}
