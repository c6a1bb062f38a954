/** Packing again and again while the sources change (spec TOOL-WATCH). */
import { type FSWatcher, lstatSync, type Stats, statSync, watch } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { PackError } from "../host/assets/errors.ts";
import { collectSources, type Source } from "./collect.ts";
import { configurationFile } from "./config.ts";
import { type PackPlan, type PackRequest, packPlan, planOf } from "./pack.ts";
import type { PackReport } from "./report.ts";

export interface WatchRequest extends PackRequest {
  /** A pack was made. */
  onPack(report: PackReport): void;
  /** None was made; a PackError, or a bug of ours. */
  onFailure(error: unknown): void;
  /** Ends it. */
  readonly signal?: AbortSignal | undefined;
}

/** All in milliseconds. */
export interface Rhythm {
  /** How long nothing changes before it is packed. */
  readonly quiet: number;
  /** After so long it is packed in any case. */
  readonly unrest: number;
  /** How often all is looked at, though the system tells of changes. */
  readonly look: number;
  /** The same where it does not. */
  readonly poll: number;
}
const RHYTHM: Rhythm = { quiet: 50, unrest: 1_000, look: 5_000, poll: 1_000 };
/** Two changes that are closer together may have one time. */
const SAME_TIME_MS = 20;
const MOST_ROUNDS = 5;

/** Packs until the signal says to end; then the promise is fulfilled, when the pack being made is done. */
export async function watchAssets(request: WatchRequest, rhythm: Rhythm = RHYTHM): Promise<void> {
  const folders = new Folders(rhythm);
  let last: string | undefined;
  try {
    while (request.signal?.aborted !== true) {
      // What changes from here on is packed in the next round.
      folders.forget();
      const { state, failure, plan } = await look(request, folders);
      if (state !== last) {
        last = state;
        if (plan === undefined) request.onFailure(failure);
        else last = await packOnce(plan, request);
      }
      await folders.change(request.signal);
    }
  } finally {
    folders.close();
  }
}

interface Look {
  /** Equal for equal states of all files. */
  readonly state: string;
  readonly failure?: unknown;
  readonly plan?: PackPlan & { readonly sources: readonly Source[] };
}

/** What there is now. All folders that have a part in it are watched from now on. */
async function look(request: WatchRequest, folders: Folders): Promise<Look> {
  const from = resolve(request.from);
  try {
    const stats = statSync(from, { throwIfNoEntry: false });
    folders.watch(stats?.isDirectory() ? from : dirname(from));
    const plan = await planOf(request, true);
    // By their names: a folder may be watched by a path with links.
    const heard = [plan.configuration.file, plan.lock].map((file) => file && basename(file));
    folders.isNoise = (file) => plan.isOwn(file) && !heard.includes(basename(file));
    if (plan.lock !== undefined) folders.watch(dirname(plan.lock));
    folders.watch(plan.configuration.root);
    const sources = collectSources(plan.configuration, plan.isOwn, (folder) => folders.watch(folder));
    for (const { file } of sources) folders.watch(dirname(file));
    await settle([plan.configuration.file, ...sources.map(({ file }) => file)].filter((file) => file !== undefined));
    return { state: stateOf(sourcesState(sources), plan), plan: { ...plan, sources } };
  } catch (failure) {
    const told = failure instanceof Error ? failure.message : String(failure);
    return { state: `failed: ${told} ${fileState(configurationOf(from))}`, failure };
  }
}

function configurationOf(from: string): string {
  try {
    return configurationFile(from) ?? from;
  } catch {
    return from;
  }
}

/** Answers the state that needs no other pack: what packing itself changes counts as well. */
async function packOnce(plan: NonNullable<Look["plan"]>, request: WatchRequest): Promise<string | undefined> {
  // Taken before, or a change meanwhile would be in it.
  const sources = sourcesState(plan.sources);
  try {
    request.onPack(await packPlan(plan, request));
  } catch (error) {
    request.onFailure(error);
    // What changed may look as before.
    if (error instanceof PackError && error.code === "PACK-CHANGED") return undefined;
  }
  return stateOf(sources, plan);
}

function stateOf(sources: string, { configuration, lock }: PackPlan): string {
  const own = [configuration.file, lock].map((file) => (file === undefined ? "" : fileState(file)));
  return [...own, sources].join("\n");
}

function sourcesState(sources: readonly Source[]): string {
  return sources.map(({ path, file }) => `${path} ${fileState(file)}`).join("\n");
}

function fileState(file: string): string {
  const stats = statsOf(file);
  if (stats === undefined) return "none";
  const { size, mtimeMs, ctimeMs, ino } = stats;
  return `${size} ${mtimeMs} ${ctimeMs} ${ino}`;
}

/** Undefined also of a file in a folder that may not be looked into any more. */
function statsOf(file: string): Stats | undefined {
  try {
    return lstatSync(file, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** Waits while a file is so new that a later change may not show. Times that lie in the future are none of these. */
async function settle(files: readonly string[]): Promise<void> {
  const isNew = (file: string): boolean => {
    const changed = statsOf(file)?.ctimeMs ?? 0;
    return Math.abs(Date.now() - changed) < SAME_TIME_MS;
  };
  for (let round = 0; round < MOST_ROUNDS && files.some(isNew); round++)
    await new Promise((done) => setTimeout(done, SAME_TIME_MS));
}

/** Folders that are watched. */
class Folders {
  /** With the number of the folder itself: a new one of the same path is another. */
  readonly #watchers = new Map<string, { readonly watcher: FSWatcher; readonly ino: number }>();
  /** The folders of this round. */
  #wanted = new Set<string>();
  readonly #rhythm: Rhythm;
  #isBlind = false;
  #isChanged = false;
  #hear: () => void = () => {};
  /** Whether a file is none of which changes count: the pack is one. */
  isNoise: (file: string) => boolean = () => false;

  constructor(rhythm: Rhythm) {
    this.#rhythm = rhythm;
  }

  /** Begins a round: folders that are not watched again in it are left alone after it. */
  forget(): void {
    this.#wanted = new Set();
    this.#isChanged = false;
    this.#isBlind = false;
  }

  watch(folder: string): void {
    if (this.#wanted.has(folder)) return;
    this.#wanted.add(folder);
    try {
      const { ino } = statSync(folder);
      if (this.#watchers.get(folder)?.ino === ino) return;
      this.#drop(folder);
      const watcher = watch(folder, { persistent: false }, (event, name) => {
        // So Linux tells that the folder itself is gone; a new one may have its number.
        if (event === "rename" && name === basename(folder)) this.#drop(folder);
        if (name === null || !this.isNoise(resolve(folder, name))) this.#tell();
      });
      watcher.on("error", () => {
        this.#drop(folder);
        this.#tell();
      });
      this.#watchers.set(folder, { watcher, ino });
    } catch {
      // Too many are watched, or the system has no means.
      this.#isBlind = true;
    }
  }

  #tell(): void {
    this.#isChanged = true;
    this.#hear();
  }

  #drop(folder: string): void {
    this.#watchers.get(folder)?.watcher.close();
    this.#watchers.delete(folder);
  }

  /** Waits for a change, and until there is none for a while; or until it is time to look, or the signal ends it. */
  async change(signal: AbortSignal | undefined): Promise<void> {
    const { quiet, unrest, look, poll } = this.#rhythm;
    for (const folder of [...this.#watchers.keys()]) if (!this.#wanted.has(folder)) this.#drop(folder);
    if (!this.#isChanged) await this.#wait(this.#isBlind ? poll : look, signal);
    const end = performance.now() + unrest;
    while (this.#isChanged && signal?.aborted !== true && performance.now() < end) {
      this.#isChanged = false;
      await this.#wait(quiet, signal);
    }
  }

  /** Until something changes, at most so long. */
  async #wait(mostMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) return;
    await new Promise<void>((done) => {
      const end = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", end);
        done();
      };
      const timer = setTimeout(end, mostMs);
      this.#hear = end;
      signal?.addEventListener("abort", end);
    });
    this.#hear = () => {};
  }

  close(): void {
    for (const folder of [...this.#watchers.keys()]) this.#drop(folder);
  }
}
