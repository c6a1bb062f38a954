/** The command as a user meets it: the built `dist/ashlar.js` in processes of its own. */
import { type ChildProcess, type SpawnOptions, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import t from "tap";
import { loadWat } from "../../host/wat.ts";

export const root = fileURLToPath(new URL("../..", import.meta.url));
/** Folder in which the command runs. */
export const scratch = mkdtempSync(join(tmpdir(), "ashlar-command-"));
/** The folder of its cache, made by the first run. */
export const cache = join(scratch, "cache");
t.teardown(() => rmSync(scratch, { recursive: true, force: true }));

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}
export interface Given {
  /** The script; that of `ashlar` by default. */
  readonly program?: string;
  readonly input?: string | Uint8Array;
  readonly env?: NodeJS.ProcessEnv;
  readonly node?: readonly string[];
  /** Instead of pipes. */
  readonly stdin?: number;
  readonly stdout?: number;
}

export function start(args: readonly string[], given: Given = {}): ChildProcess {
  const options: SpawnOptions = {
    cwd: scratch,
    env: { ...process.env, NO_COLOR: "", FORCE_COLOR: "", NODE_OPTIONS: "", ASHLAR_CACHE: cache, ...given.env },
    stdio: [given.stdin ?? "pipe", given.stdout ?? "pipe", "pipe"],
  };
  const script = join(root, "dist", given.program ?? "ashlar.js");
  return spawn(process.execPath, [...(given.node ?? []), script, ...args], options);
}

export function ashlar(args: readonly string[], given: Given = {}): Promise<Ended> {
  const child = start(args, given);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on("data", (bytes) => out.push(bytes));
  child.stderr?.on("data", (bytes) => err.push(bytes));
  // A command that does not read its input closes the pipe early.
  child.stdin?.on("error", () => {});
  child.stdin?.end(given.input ?? "");
  return new Promise((resolve) =>
    child.on("close", (code, signal) =>
      resolve({ code, signal, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() }),
    ),
  );
}

export async function reportOf(run: Promise<Ended>) {
  const { stdout, ...ended } = await run;
  const lines = stdout.trimEnd().split("\n");
  return { ...ended, report: JSON.parse(lines.pop()!), output: lines };
}

export function firstLine({ stderr }: Ended): string {
  return stderr.split("\n")[0]!;
}

/** Writes a module into the scratch folder. */
export async function wat(name: string, text: string): Promise<void> {
  writeFileSync(join(scratch, name), await loadWat(text));
}
