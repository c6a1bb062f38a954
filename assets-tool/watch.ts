/** Packing again and again while the sources change (spec TOOL-WATCH). */
import { type FSWatcher, lstatSync, statSync, watch } from "node:fs";
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

const QUIET_MS = 50;
const MOST_UNREST_MS = 1_000;
const LOOK_MS = 5_000;
const POLL_MS = 1_000;
/** Two changes that are closer together may have one time. */
const SAME_TIME_MS = 20;

/** Packs until the signal says to end; then the promise is fulfilled, when the pack being made is done. */
export async function watchAssets(request: WatchRequest): Promise<void> {
  const folders = new Folders();
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
    folders.watch(statSync(from).isDirectory() ? from : dirname(from));
    const plan = await planOf(request, true);
    folders.isOwn = plan.isOwn;
    if (plan.lock !== undefined) folders.watch(dirname(plan.lock));
    folders.watch(plan.configuration.root);
    const sources = collectSources(plan.configuration, plan.isOwn, (folder) => folders.watch(folder));
    for (const { file } of sources) folders.watch(dirname(file));
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

let looks = 0;

function fileState(file: string): string {
  const stats = lstatSync(file, { throwIfNoEntry: false });
  if (stats === undefined) return "none";
  const { size, mtimeMs, ctimeMs, ino } = stats;
  // It may change again and look the same: such a state is equal to none.
  const isNew = Math.abs(Date.now() - ctimeMs) < SAME_TIME_MS;
  return `${size} ${mtimeMs} ${ctimeMs} ${ino}${isNew ? ` ${++looks}` : ""}`;
}

/** Folders that are watched. */
class Folders {
  /** With the number of the folder itself: a new one of the same path is another. */
  readonly #watchers = new Map<string, { readonly watcher: FSWatcher; readonly ino: number }>();
  /** The folders of this round. */
  #wanted = new Set<string>();
  #isBlind = false;
  #isChanged = false;
  #hear: () => void = () => {};
  isOwn: (file: string) => boolean = () => false;

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
        // The pack itself is no change.
        if (name === null || !this.isOwn(resolve(folder, name))) this.#tell();
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
    for (const folder of [...this.#watchers.keys()]) if (!this.#wanted.has(folder)) this.#drop(folder);
    if (!this.#isChanged) await this.#wait(this.#isBlind ? POLL_MS : LOOK_MS, signal);
    const end = performance.now() + MOST_UNREST_MS;
    while (this.#isChanged && signal?.aborted !== true && performance.now() < end) {
      this.#isChanged = false;
      await this.#wait(QUIET_MS, signal);
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
