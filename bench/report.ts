/** What the groups share: their form, tables, means, processes of other Node.js versions. */
import { execFile, spawnSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** A part of the bench: a section of RESULTS.md. */
export interface Group {
  readonly title: string;
  /** Markdown under the title. */
  readonly text: string;
  readonly targets: readonly Target[];
}

export interface Target {
  readonly what: string;
  readonly wanted: string;
  readonly measured: string;
  readonly met: boolean;
}

export interface Options {
  /** How often each peer has its turn; the peers take turns within a round, so that other work falls on all of them. */
  readonly rounds: number;
  /** An empty folder for files of the run. */
  readonly folder: string;
  /** Less of it, for a first look: only the groups store and pel know how. */
  readonly quick?: boolean;
}

export function sectionOf({ title, text, targets }: Group): string {
  const rows = targets.map(({ what, wanted, measured, met }) => [what, wanted, measured, met ? "yes" : "**no**"]);
  const met = rows.length === 0 ? "" : `\n${table(["target", "wanted:", "measured:", "met"], rows)}`;
  return `## ${title}\n\n${text.trim()}\n${met}`;
}

/** A Markdown table; the columns whose heading ends in a colon are flushed right. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |\n`;
  const titles = headings.map((heading) => heading.replace(/:$/, ""));
  const rule = `|${headings.map((heading) => (heading.endsWith(":") ? "--:" : "---")).join("|")}|\n`;
  return line(titles) + rule + rows.map(line).join("");
}

/** A target that a number stays at or under; `undefined` (not measured) misses it. */
export function atMost(
  what: string,
  limit: number,
  measured: number | undefined,
  show: (value: number) => string,
): Target {
  return target(what, `≤ ${show(limit)}`, measured, show, (value) => value <= limit);
}

export function atLeast(
  what: string,
  limit: number,
  measured: number | undefined,
  show: (value: number) => string,
): Target {
  return target(what, `≥ ${show(limit)}`, measured, show, (value) => value >= limit);
}

function target(
  what: string,
  wanted: string,
  measured: number | undefined,
  show: (value: number) => string,
  isMet: (value: number) => boolean,
): Target {
  if (measured === undefined || Number.isNaN(measured)) return { what, wanted, measured: "not measured", met: false };
  return { what, wanted, measured: show(measured), met: isMet(measured) };
}

export function ratio(value: number | undefined): string {
  return value !== undefined && Number.isFinite(value) ? `${value.toFixed(2)}×` : "–";
}

export function milliseconds(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return "–";
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ms`;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/** Milliseconds that a call takes. */
export function timeOf(call: () => unknown): number {
  const start = performance.now();
  call();
  return performance.now() - start;
}

/**
 * The fastest call of each in milliseconds; they take turns, each round in the other direction. Goes on until so many rounds
 * have brought nothing better, at most ten times as long: on a busy machine that takes more of them.
 */
export function interleaved(rounds: number, calls: readonly (() => unknown)[]): number[] {
  const best = calls.map(() => Number.POSITIVE_INFINITY);
  let last = 0;
  for (let round = 0; round < Math.min(last + rounds, 10 * rounds); round++) {
    for (let i = 0; i < calls.length; i++) {
      const index = round % 2 === 0 ? i : calls.length - 1 - i;
      const ms = timeOf(calls[index]!);
      if (ms < best[index]! * 0.995) last = round + 1;
      best[index] = Math.min(best[index]!, ms);
    }
  }
  return best;
}

export function file(folder: string, name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

export function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

// ------------------------------------------------------------------------------------------------ processes

export interface Node {
  /** Major version, 22 for example. */
  readonly version: number;
  readonly path: string;
}

/** This Node.js and the older ones of `bench/package.json` that are installed, oldest first. */
export function nodes(): Node[] {
  const own = { version: Number(process.versions.node.split(".")[0]), path: process.execPath };
  const others = [22, 24]
    .map((version) => ({
      version,
      path: fileURLToPath(new URL(`node_modules/node${version}/bin/node`, import.meta.url)),
    }))
    .filter(({ version, path }) => version !== own.version && existsSync(path));
  return [...others, own];
}

/** Whether the module is what the process was started with. */
export function isMain(url: string): boolean {
  return process.argv[1] === fileURLToPath(url);
}

/** Runs a file of the bench in a process of its own and reads the JSON that it prints; the flags are Node.js's own. */
export function measured<T>(
  script: string,
  args: readonly string[],
  { node = process.execPath, flags = [] as readonly string[] } = {},
): Promise<T> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  return new Promise((resolve, reject) => {
    const options = { encoding: "utf8", maxBuffer: 1 << 26 } as const;
    execFile(node, [...flags, "--no-warnings", path, ...args], options, (error, stdout, stderr) => {
      if (error !== null)
        reject(new Error(`${flags.join(" ")} ${script} ${args.join(" ")}: ${stderr || error.message}`));
      else resolve(JSON.parse(stdout) as T);
    });
  });
}

/** First line of what a program says to `--version` or its like; `undefined` when it is not installed. */
export function versionOf(program: string, flag = "--version"): string | undefined {
  const { status, stdout, stderr } = spawnSync(program, [flag], { encoding: "utf8" });
  return status === 0 ? (stdout || stderr).split("\n")[0]!.trim() : undefined;
}

/** What it is, and how busy: beyond one busy process a core the figures are worth little. */
export function machine(): string {
  const cpu = cpus();
  const busy = `load ${loadavg()[1]!.toFixed(1)}`;
  return `${cpu.length} × ${cpu[0]?.model.trim()}, ${process.platform} ${process.arch}, Node.js ${process.version}, ${busy}`;
}
