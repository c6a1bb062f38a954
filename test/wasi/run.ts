/** Runs a test of the suite once: one file system, one engine, a fresh copy of the folder that it sees. */
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Grants } from "../../host/grants.ts";
import { type GuestOptions, type GuestResult, runGuest } from "../../host/guest.ts";
import type { Script } from "./suite.ts";

export const FILE_SYSTEMS = ["directory", "memory"] as const;
export type FileSystemName = (typeof FILE_SYSTEMS)[number];
export const ENGINES = ["compiled", "reference"] as const;

/** On what a test runs. */
export interface Combination {
  readonly fileSystem: FileSystemName;
  readonly engine: (typeof ENGINES)[number];
}

export const COMBINATIONS: readonly Combination[] = FILE_SYSTEMS.flatMap((fileSystem) =>
  ENGINES.map((engine) => ({ fileSystem, engine })),
);

/** What a run showed. */
export interface Answer {
  /** The exit code, or how else it ended. */
  readonly ending: number | string;
  readonly stdout: string;
  readonly stderr: string;
  readonly fuel: bigint;
  readonly stateDigest: string | undefined;
}

/** Calls `use` with the grants for a run; the folders behind them exist until it returns. */
export function withGrants<Result>(
  { root, env, host }: Script,
  fileSystem: FileSystemName,
  use: (grants: Grants) => Result,
): Result {
  const { mounts = [""], readOnly = false, ...settings } = host;
  if (root === undefined) return use({ env, ...settings });
  const scratch = mkdtempSync(join(tmpdir(), "ashlar-wasi-"));
  try {
    const copy = join(scratch, "root");
    cpSync(root, copy, { recursive: true, verbatimSymlinks: true });
    for (const leftover of globSync("**/*.cleanup", { cwd: copy }))
      rmSync(join(copy, leftover), { recursive: true, force: true });
    for (const mount of mounts) mkdirSync(join(copy, mount), { recursive: true });
    const folders = mounts.map((mount) => ({ host: join(copy, mount), guest: `/${mount}` }));
    const overlay = fileSystem === "memory";
    const grants: Grants =
      overlay && !readOnly ? { tmp: folders } : { dirs: folders.map((folder) => ({ ...folder, readOnly, overlay })) };
    return use({ ...grants, env, ...settings });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Runs a module as `script` says. `more` may record, replay, or give another module. */
export function runTest(
  module: string,
  script: Script,
  { fileSystem, engine }: Combination,
  more: Partial<GuestOptions> = {},
): Answer {
  return withGrants(script, fileSystem, (grants) =>
    answerOf(
      runGuest({
        module: readFileSync(module),
        args: script.args,
        stdin: new TextEncoder().encode(script.stdin),
        grants,
        engine,
        stateDigest: true,
        ...more,
      }),
    ),
  );
}

export function answerOf({ outcome, exitCode, trap, error, ...result }: GuestResult): Answer {
  const decoder = new TextDecoder();
  return {
    ending: outcome === "exit" ? exitCode : `${outcome}: ${trap?.message ?? error?.message}`,
    stdout: decoder.decode(result.stdout),
    stderr: decoder.decode(result.stderr),
    fuel: result.fuelUsed,
    stateDigest: result.stateDigest,
  };
}

/** What of an answer the test does not allow, in one line; undefined: it passes. */
export function failureOf({ exitCode, reads }: Script, answer: Answer): string | undefined {
  if (answer.ending !== exitCode) {
    const said = answer.stderr.trim() === "" ? "" : `; stderr ${quoted(answer.stderr.trim())}`;
    return `expected exit code ${exitCode}, got ${answer.ending}${said}`;
  }
  const at = { stdout: 0, stderr: 0 };
  for (const { stream, text } of reads) {
    const got = answer[stream].slice(at[stream], at[stream] + text.length);
    if (got !== text) return `expected ${quoted(text)} on ${stream}, got ${quoted(got)}`;
    at[stream] += text.length;
  }
  return undefined;
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 300 ? `${text.slice(0, 300)}…` : text);
}

/** What differs between the answers of the two engines; undefined: nothing. */
export function differenceOf(compiled: Answer, reference: Answer): string | undefined {
  for (const key of ["ending", "fuel", "stateDigest", "stdout", "stderr"] as const)
    if (compiled[key] !== reference[key])
      return `${key} is ${compiled[key]} on the compiled engine, ${reference[key]} on the reference engine`;
  return undefined;
}
