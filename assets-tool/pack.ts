/** From sources to a pack (spec TOOL-SAME). */
import { openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { ENCODERS } from "../host/assets/codecs.ts";
import { PackError, Problems } from "../host/assets/errors.ts";
import { MAGIC } from "../host/assets/format.ts";
import { cryptoOf } from "../host/assets/hash.ts";
import type { Preload } from "../host/assets/header.ts";
import { nameProblem } from "../host/assets/names.ts";
import { closeQuietly } from "../host/assets/source.ts";
import { type PackInput, type PackSummary, writePack } from "../host/assets/write.ts";
import { type Boot, preloadOf } from "./boot.ts";
import { cacheFolder, openCache } from "./cache.ts";
import { collectSources, isAmongSources, type Source } from "./collect.ts";
import { type Configuration, readConfiguration } from "./config.ts";
import type { Importer } from "./importer.ts";
import { IMPORTERS } from "./importers/index.ts";
import { type Assignment, assignIds, lockIds } from "./lock.ts";
import { type Made, Maker } from "./make.ts";
import { sortByName } from "./name-order.ts";
import { linkedFile, outputFile, ownFiles, removeLeftOvers } from "./output.ts";
import { clashesOf, portableProblem } from "./portable-names.ts";
import type { BankReport, Note, PackProgress, PackReport } from "./report.ts";
import { Spool } from "./spool.ts";

export interface PackRequest {
  /** A configuration file, or a folder: packed with the configuration that it holds, or else as TOOL-CONFIG-8 says. */
  readonly from: string;
  /** Path of the pack; absent: what the configuration says. Needed for a folder without one. */
  readonly output?: string | undefined;
  /** Path of the lock file; false: none; absent: what the configuration says. */
  readonly lock?: string | false | undefined;
  /** Folder of the cache; false: none; absent: the user's (TOOL-CACHE-4). */
  readonly cache?: string | false | undefined;
  /** Write nothing; fail where something would be written (TOOL-OUTPUT-3). */
  readonly check?: boolean | undefined;
  /** Importers that are asked before those of the tool. */
  readonly importers?: readonly Importer[] | undefined;
  readonly onProgress?: ((progress: PackProgress) => void) | undefined;
  readonly onNote?: ((note: Note) => void) | undefined;
}

/** Makes a pack. Throws a PackError, with all that is wrong with the sources at once. */
export async function packAssets(request: PackRequest): Promise<PackReport> {
  const plan = await planOf(request);
  return await packPlan(plan, request);
}

/** What is packed, and where to. */
export interface PackPlan {
  readonly configuration: Configuration;
  readonly importers: readonly Importer[];
  readonly output: string;
  readonly lock: string | undefined;
  /** Whether a file is no source, since it is the tool's. */
  isOwn(file: string): boolean;
}

/** With `isWatched` a configuration that is a module is run anew when it has changed. Throws a PackError. */
export async function planOf(request: PackRequest, isWatched = false): Promise<PackPlan> {
  const { from, output, lock, importers = [] } = request;
  const all = [...importers, ...IMPORTERS];
  const configuration = await readConfiguration(from, all, isWatched);
  const wanted = output ?? configuration.output;
  if (wanted === undefined)
    throw new PackError("PACK-OUTPUT", "a folder without configuration does not tell where its pack goes", {
      file: from,
    });
  const file = outputFile(resolve(wanted));
  const wantedLock = lock === undefined ? configuration.lock : lock === false ? undefined : resolve(lock);
  const lockFile = wantedLock === undefined ? undefined : linkedFile(wantedLock);
  checkOutput(file, configuration, lockFile);
  const own = [resolve(wanted), wantedLock, configuration.file, cacheOf(request)].filter((path) => path !== undefined);
  return { configuration, importers: all, output: file, lock: lockFile, isOwn: ownFiles(own) };
}

/** A slip in the line must not replace what is no pack. Throws a PackError. */
function checkOutput(output: string, configuration: Configuration, lock: string | undefined): void {
  const fail = (message: string): never => {
    throw new PackError("PACK-OUTPUT", message, { file: output });
  };
  if (output === lock) fail("the pack would take the place of the lock file");
  if (configuration.file !== undefined && output === linkedFile(configuration.file))
    fail("the pack would take the place of its configuration");
  if (isAmongSources(configuration, output) && isOther(output))
    fail("this is no pack, but a source: it is not replaced");
}

/** True for a file with bytes that does not begin as a pack. */
function isOther(file: string): boolean {
  let fd: number;
  try {
    fd = openSync(file, "r");
  } catch {
    // There is none, or writing tells what is wrong.
    return false;
  }
  try {
    const start = Buffer.alloc(MAGIC.length);
    const got = readSync(fd, start, 0, start.length, 0);
    return got > 0 && !start.equals(MAGIC);
  } finally {
    closeQuietly(fd);
  }
}

function cacheOf({ cache = cacheFolder(process.env) }: PackRequest): string | undefined {
  return cache ? resolve(cache) : undefined;
}

/** Throws a PackError. */
export async function packPlan(plan: PackPlan, request: PackRequest): Promise<PackReport> {
  const notes: Note[] = [];
  const note = (said: Note): void => {
    notes.push(said);
    request.onNote?.(said);
  };
  const { configuration, output, lock } = plan;
  const sources = collectSources(configuration, plan.isOwn);
  noteUnusedRules(configuration, sources, note);
  const folder = cacheOf(request);
  const onNoCache = (message: string): void => note({ kind: "cache", message, file: folder });
  const cache = folder === undefined ? undefined : openCache(folder, onNoCache);
  const spool = new Spool();
  try {
    const maker = new Maker(plan.importers, cache);
    const assets = await makeAll(maker, spool, sources, configuration, request.onProgress);
    checkNames(configuration, assets, note);
    const boot = bootOf(configuration, assets);
    const { ids, added, retired } = await idsOf(plan, assets, request.check ?? false);
    const numbered = assets.map((asset): Numbered => ({ ...asset, id: ids.get(asset.name)! }));
    const preload = boot.map(({ name, slot }) => ({ assetId: ids.get(name)!, slot }));
    const input = inputOf(configuration, numbered, preload, note);
    const onProgress = (done: number, total: number): void => request.onProgress?.({ phase: "write", done, total });
    if (!request.check)
      for (const file of removeLeftOvers(lock === undefined ? [output] : [output, lock]))
        note({ kind: "left-behind", message: "what a packer that was ended left behind is removed", file });
    const summary = request.check
      ? await checkPack(output, input, onProgress)
      : await writePack(output, input, { onProgress });
    return {
      ...summary,
      output,
      sources: sources.length,
      cached: maker.cached,
      made: maker.made,
      banks: banksOf(numbered),
      added: lock === undefined ? [] : added,
      retired: lock === undefined ? [] : retired,
      lock,
      notes,
    };
  } finally {
    spool.close();
    cache?.close();
  }
}

/** An asset with its name. */
interface Named extends Made {
  readonly name: string;
  readonly source: Source;
}

interface Numbered extends Named {
  readonly id: number;
}

function noteUnusedRules({ rules, file }: Configuration, sources: readonly Source[], note: (said: Note) => void): void {
  const used = new Set(sources.map(({ rule }) => rule));
  for (const rule of rules)
    if (!used.has(rule) && file !== undefined)
      note({ kind: "unused-rule", message: "no file is left for this rule", file, pointer: rule.pointer });
}

/** All assets, in the order of their names. Throws a PackError with all that is wrong with sources. */
async function makeAll(
  maker: Maker,
  spool: Spool,
  sources: readonly Source[],
  configuration: Configuration,
  onProgress: PackRequest["onProgress"],
): Promise<readonly Named[]> {
  const problems = new Problems();
  const assets: Named[] = [];
  const named = new Map<string, Source>();
  let done = 0;
  for (const source of sources) {
    const { pointer, name } = source.rule;
    const other = named.get(pointer);
    if (name !== undefined && other !== undefined)
      problems.add("PACK-CONFIG", `"${name}" cannot name both ${other.path} and ${source.path}`, {
        file: configuration.file,
        pointer: `${pointer}/name`,
      });
    named.set(pointer, source);
    try {
      for (const asset of await maker.make(source))
        assets.push({ ...asset, stored: spool.keep(asset.stored), name: nameOf(source) + asset.suffix, source });
    } catch (error) {
      if (!(error instanceof PackError) || error.code === "PACK-OUTPUT") throw error;
      for (const { code, message, ...place } of error.problems)
        problems.add(code, message, { ...place, file: place.file ?? configuration.file });
    }
    onProgress?.({ phase: "import", done: ++done, total: sources.length });
  }
  problems.check();
  return sortByName(assets, ({ name }) => name);
}

/** Of the main asset. */
function nameOf({ path, rule }: Source): string {
  if (rule.name !== undefined) return rule.name;
  return rule.names === "path" ? path : path.replace(/(?<=[^/])\.[^./]*$/, "");
}

/** `assets` are in the order of names. Throws a PackError. */
function checkNames({ ids, file }: Configuration, assets: readonly Named[], note: (said: Note) => void): void {
  const problems = new Problems();
  assets.forEach(({ name, source }, k) => {
    const wrong = nameProblem(name);
    if (wrong !== undefined)
      problems.add("PACK-INPUT", `it cannot be named "${name}": ${wrong}`, { file: source.file });
    const before = assets[k - 1];
    if (before?.name === name)
      problems.add("PACK-ASSET-NAME", `the name "${name}" is also that of what ${before.source.path} makes`, {
        file: source.file,
      });
    const message = portableProblem(name);
    if (message !== undefined) note({ kind: "portability", message, file: source.file });
  });
  const names = new Set(assets.map(({ name }) => name));
  for (const [name, { pointer }] of ids)
    if (!names.has(name)) problems.add("PACK-CONFIG", `there is no asset "${name}"`, { file, pointer });
  problems.check();
  for (const { message, second } of clashesOf([...names]))
    note({ kind: "portability", message, file: assets[second]!.source.file });
}

async function idsOf({ configuration, lock }: PackPlan, assets: readonly Named[], check: boolean): Promise<Assignment> {
  const names = assets.map(({ name }) => name);
  return lock === undefined
    ? assignIds(names, configuration, { assets: new Map(), retired: new Map() })
    : await lockIds(lock, names, configuration, check);
}

/** Before ids are given out: what is wrong here must not change the lock file. */
function bootOf(configuration: Configuration, assets: readonly Named[]): readonly Boot[] {
  const bootable = assets.map(({ name, bankType, source }) => ({ name, bankType, rule: source.rule }));
  return preloadOf(configuration, bootable);
}

function inputOf(
  configuration: Configuration,
  assets: readonly Numbered[],
  preload: readonly Preload[],
  note: (said: Note) => void,
): PackInput {
  const codecs = new Set(assets.map(({ codec }) => codec));
  const encoders = Object.entries(ENCODERS).filter(([codec]) => codecs.has(codec));
  return {
    assets,
    preload,
    metadata: configuration.metadata,
    alignment: configuration.alignment,
    encoders: Object.fromEntries(encoders),
    order: orderOf(configuration, assets, note),
    slots: Object.fromEntries(configuration.slotsByBank),
  };
}

/** Ids of the assets that lie before the others (TOOL-CONFIG-7). */
function orderOf({ order, file }: Configuration, assets: readonly Numbered[], note: (said: Note) => void): number[] {
  const byId = [...assets].sort((a, b) => a.id - b.id);
  const first = new Set<number>();
  for (const { value: glob, pointer } of order) {
    const found = byId.filter(({ name }) => glob.matches(name));
    if (found.length === 0) note({ kind: "unused-order", message: "no asset is named like this", file, pointer });
    for (const { id } of found) first.add(id);
  }
  return [...first];
}

function banksOf(assets: readonly Numbered[]): readonly BankReport[] {
  const banks = new Map<string, BankReport>();
  for (const { bankType, decodedSize, stored } of assets) {
    const { assets: count, bytes, storedBytes } = banks.get(bankType) ?? { assets: 0, bytes: 0, storedBytes: 0 };
    const size = stored instanceof Uint8Array ? stored.length : stored.size;
    banks.set(bankType, {
      bankType,
      assets: count + 1,
      bytes: bytes + decodedSize,
      storedBytes: storedBytes + size,
    });
  }
  return sortByName([...banks.values()], ({ bankType }) => bankType);
}

/** Makes the pack elsewhere, and throws unless the output is the same, byte for byte. */
async function checkPack(
  output: string,
  input: PackInput,
  onProgress: (done: number, total: number) => void,
): Promise<PackSummary> {
  const made = join(tmpdir(), `ashlar-assets-${process.pid}-${cryptoOf().randomBytes(8).toString("hex")}.pa`);
  try {
    const summary = await writePack(made, input, { onProgress });
    if (isSameFile(made, output)) return summary;
    throw new PackError("PACK-OUTPUT", "the pack is not what would be made", { file: output });
  } finally {
    rmSync(made, { force: true });
  }
}

const PIECE_BYTES = 1024 * 1024;

function isSameFile(left: string, right: string): boolean {
  const files: number[] = [];
  try {
    for (const path of [left, right]) files.push(openSync(path, "r"));
    const pieces = [Buffer.alloc(PIECE_BYTES), Buffer.alloc(PIECE_BYTES)] as const;
    for (let at = 0; ; at += PIECE_BYTES) {
      const [a, b] = pieces.map((piece, k) => piece.subarray(0, readSync(files[k]!, piece, 0, PIECE_BYTES, at)));
      if (!a!.equals(b!)) return false;
      if (a!.length < PIECE_BYTES) return true;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw PackError.from(error, "PACK-OUTPUT", "it cannot be read", { file: right });
  } finally {
    for (const fd of files) closeQuietly(fd);
  }
}
