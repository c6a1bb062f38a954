/** What a turn of a peer of the store is given, and what it tells. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { median } from "./report.ts";

/** What a peer does in a second; undefined for what it cannot do. */
export interface Figures {
  /** The first artifacts that the process puts, before any code of it is hot. */
  readonly cold?: number | undefined;
  readonly put: number;
  /** With a promise of its own for each. */
  readonly promised?: number | undefined;
  /** One at a time, each on disk before the next. */
  readonly one?: number | undefined;
  readonly get?: number | undefined;
  /** Digests compared. */
  readonly verified?: number | undefined;
  /** Into the caller's buffer, or as a view of the store's memory. */
  readonly into?: number | undefined;
  /** In the order of the store. */
  readonly sequential?: number | undefined;
  readonly has?: number | undefined;
  readonly absent?: number | undefined;
  /** Bytes on disk by artifacts. */
  readonly disk?: number | undefined;
}

export interface Load {
  readonly folder: string;
  readonly count: number;
  /** How many are put one at a time. */
  readonly ones: number;
  readonly queries: number;
}

export interface Peer {
  readonly name: string;
  /** Undefined when it is not installed. */
  readonly version: string | undefined;
  /** By how much less it puts, since it takes that much longer. */
  readonly share?: number;
  turn(load: Load): Promise<Figures>;
}

/** Streams of noise. */
export const ARTIFACTS = 0;
export const OTHERS = 1;
export const ABSENT = 2;
export const LONE = 3;

/** Of a package of bench/package.json; undefined when it is not installed. */
export function installed(name: string): string | undefined {
  const path = new URL(`node_modules/${name}/package.json`, import.meta.url);
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as { version: string }).version : undefined;
}

const require = createRequire(import.meta.url);

export function load<T>(name: string): T {
  return require(name) as T;
}

export function diskBytes(folder: string): number {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).blocks * 512, 0);
}

const PASSES = 3;

/** Calls by the second: the median of some passes, after one that does not count. */
export async function rateOf(count: number, pass: () => void | Promise<void>): Promise<number> {
  const times: number[] = [];
  for (let turn = 0; turn <= PASSES; turn++) times.push(await timed(pass));
  return (count / median(times.slice(1))) * 1000;
}

/** The same of a call that cannot be repeated. */
export async function rateOnce(count: number, call: () => void | Promise<void>): Promise<number> {
  return (count / (await timed(call))) * 1000;
}

async function timed(call: () => void | Promise<void>): Promise<number> {
  const start = performance.now();
  await call();
  return performance.now() - start;
}
