/** What says how a pack is made of which files (spec TOOL-CONFIG). */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { PackError, Problems } from "../host/assets/errors.ts";
import { DEFAULT_ALIGNMENT, DEFAULT_SLOTS, MOST_ALIGNMENT } from "../host/assets/format.ts";
import {
  canonicalJson,
  type Json,
  JsonError,
  type JsonObject,
  parseCanonicalJson,
  pointerStep,
} from "../host/assets/json.ts";
import { isBankType, nameProblem } from "../host/assets/names.ts";
import { parseDocument } from "./document.ts";
import { type Glob, GlobError, globOf } from "./glob.ts";
import type { Importer } from "./importer.ts";

/** How an asset is stored; `auto`: as it gets shortest (TOOL-CODEC-1). */
export type CodecChoice = "raw" | "deflate" | "zstd" | "auto";
const CODECS: readonly CodecChoice[] = ["raw", "deflate", "zstd", "auto"];
/** What an asset is named after: the path of its source, with or without what follows the last dot. */
export type NameChoice = "path" | "stem";
const NAMES: readonly NameChoice[] = ["path", "stem"];

/** A rule of a configuration, as it is written (TOOL-CONFIG-3). */
export interface RuleConfig {
  readonly files: string | readonly string[];
  readonly importer?: string;
  readonly bank?: string;
  readonly codec?: CodecChoice;
  readonly names?: NameChoice;
  readonly settings?: JsonObject;
  readonly metadata?: JsonObject;
  readonly name?: string;
  readonly preload?: true | { readonly [bankType: string]: number };
}

/** A configuration, as it is written (TOOL-CONFIG-2). */
export interface AssetsConfig {
  readonly $schema?: string;
  readonly root?: string;
  readonly output?: string;
  readonly lock?: string;
  readonly alignment?: number;
  readonly metadata?: JsonObject;
  readonly names?: NameChoice;
  readonly codec?: CodecChoice;
  readonly ignore?: readonly string[];
  readonly rules?: readonly RuleConfig[];
  readonly ids?: { readonly [name: string]: number };
  readonly preload?: readonly { readonly asset: string; readonly slot: number }[];
  readonly slots?: { readonly [bankType: string]: number };
  readonly order?: readonly string[];
}

/** Gives the value of `assets.config.ts` its type. */
export function defineConfig(config: AssetsConfig): AssetsConfig {
  return config;
}

/** A value with the place where it is said. */
export interface Said<T> {
  readonly value: T;
  readonly pointer: string;
}

export interface Rule {
  readonly pointer: string;
  readonly files: readonly Glob[];
  readonly except: readonly Glob[];
  /** Absent: by the source's path. */
  readonly importer: Importer | undefined;
  readonly bank: string | undefined;
  readonly codec: CodecChoice;
  readonly names: NameChoice;
  readonly settings: JsonObject;
  readonly metadata: JsonObject;
  readonly name: string | undefined;
  readonly preload: true | ReadonlyMap<string, Said<number>> | undefined;
}

/** A configuration that makes sense. All paths are absolute. */
export interface Configuration {
  /** The file, if there is one. */
  readonly file: string | undefined;
  readonly root: string;
  /** Absent for a folder without configuration. */
  readonly output: string | undefined;
  readonly lock: string;
  readonly alignment: number;
  readonly metadata: JsonObject;
  readonly ignore: readonly Glob[];
  readonly rules: readonly Rule[];
  readonly ids: ReadonlyMap<string, Said<number>>;
  readonly preload: readonly Said<{ readonly name: string; readonly slot: number }>[];
  /** Slots of a bank type. */
  slots(bankType: string): number;
  /** Of those in which it has a say. */
  readonly slotsByBank: ReadonlyMap<string, number>;
  readonly order: readonly Said<Glob>[];
}

const MOST_CONFIG_BYTES = 1024 * 1024;
const MOST_RULES = 10_000;
const JSON_FILE = "assets.config.json";
const CONFIG_FILES: readonly string[] = [JSON_FILE, ...["ts", "mts", "js", "mjs"].map((end) => `assets.config.${end}`)];

/**
 * The configuration of `from`: such a file, or a folder that holds one or none (TOOL-CONFIG-8). With `isWatched` a module that has been
 * run before is run anew when it has changed. Throws a PackError.
 */
export async function readConfiguration(
  from: string,
  importers: readonly Importer[],
  isWatched = false,
): Promise<Configuration> {
  const file = configurationFile(resolve(from));
  if (file === undefined) return checkConfiguration({}, undefined, resolve(from), importers);
  const value = /\.[cm]?[jt]s$/.test(file) ? await runModule(file, isWatched) : readJson(file);
  return checkConfiguration(value, file, dirname(file), importers);
}

/** The configuration's file that `from` is or holds. */
export function configurationFile(from: string): string | undefined {
  try {
    if (!statSync(from).isDirectory()) return from;
    const found = readdirSync(from).filter((name) => CONFIG_FILES.includes(name));
    if (found.length > 1)
      throw new PackError("PACK-CONFIG", `there is more than one configuration: ${found.sort().join(", ")}`, {
        file: from,
      });
    return found[0] === undefined ? undefined : join(from, found[0]);
  } catch (error) {
    throw unreadable(error, from);
  }
}

function unreadable(error: unknown, file: string): unknown {
  return PackError.from(error, "PACK-INPUT", "it cannot be read", { file });
}

function readJson(file: string): Json {
  let bytes: Uint8Array;
  try {
    const stats = statSync(file);
    // Of a pipe there is no end to wait for.
    if (!stats.isFile()) throw new PackError("PACK-CONFIG", "this is no regular file", { file });
    if (stats.size > MOST_CONFIG_BYTES)
      throw new PackError("PACK-CONFIG", `${stats.size} bytes are more than a configuration may have`, { file });
    bytes = readFileSync(file);
  } catch (error) {
    throw unreadable(error, file);
  }
  return parseDocument(bytes, "PACK-CONFIG", file);
}

async function runModule(file: string, isWatched: boolean): Promise<Json> {
  const url = pathToFileURL(file);
  // Node.js keeps modules by their URL.
  let value: unknown;
  try {
    const { size, mtimeMs } = statSync(file);
    if (isWatched) url.searchParams.set("state", `${size} ${mtimeMs}`);
    ({ default: value } = (await import(url.href)) as { default?: unknown });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const hint = hintOf(error, message);
    throw new PackError("PACK-CONFIG", `the configuration fails: ${message}${hint}`, { file });
  }
  if (value === undefined) throw new PackError("PACK-CONFIG", "the module has no default export", { file });
  try {
    // What has no form in JSON is refused, and whatever else the value can do is gone.
    return parseCanonicalJson(canonicalJson(value));
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    throw new PackError("PACK-CONFIG", error.message, { file, pointer: error.pointer });
  }
}

/** What helps where Node.js does not take a module for one. */
function hintOf(error: unknown, message: string): string {
  const { code } = error as { readonly code?: unknown };
  if (code === "ERR_UNKNOWN_FILE_EXTENSION") return `; ${NO_TYPES}`;
  const isTakenForScript = code === "ERR_REQUIRE_CYCLE_MODULE" || /outside a module|token 'export'/.test(message);
  return isTakenForScript ? '; end its name in .mts or .mjs, or say "type": "module" in package.json' : "";
}

const NO_TYPES = `this Node.js, ${process.version}, does not strip types: take ${JSON_FILE}, .mjs, or Node.js 22.18 or later`;

/** What a configuration in `folder` says. Throws a PackError with all that is wrong. */
export function checkConfiguration(
  value: Json,
  file: string | undefined,
  folder: string,
  importers: readonly Importer[],
): Configuration {
  const problems = new Problems(file);
  const reader = new Reader(problems);
  const top = reader.object(value, "", TOP_KEYS) ?? {};
  reader.string(top, "$schema", "");
  const path = (key: string, otherwise: string | undefined): string | undefined => {
    const said = reader.string(top, key, "");
    if (said === "") problems.add("PACK-CONFIG", "a path is not empty", { pointer: `/${key}` });
    const relative = said ?? otherwise;
    return relative === undefined ? undefined : resolve(folder, relative);
  };
  const alignment = reader.integer(top, "alignment", "", 1, MOST_ALIGNMENT) ?? DEFAULT_ALIGNMENT;
  if ((alignment & (alignment - 1)) !== 0)
    problems.add("PACK-CONFIG", `${alignment} is no power of two`, { pointer: "/alignment" });
  const shared = {
    codec: reader.choice(top, "codec", "", CODECS) ?? "raw",
    names: reader.choice(top, "names", "", NAMES) ?? "path",
  } as const;
  const slotsByBank = new Map<string, number>();
  for (const [bankType, said] of reader.members(top, "slots", ""))
    if (reader.isBank(bankType, said.pointer)) {
      const slots = reader.number(said.value, said.pointer, 1, 2 ** 31 - 1);
      if (slots !== undefined) slotsByBank.set(bankType, slots);
    }
  const slots = (bankType: string): number => slotsByBank.get(bankType) ?? DEFAULT_SLOTS;
  const rules = reader.list(top, "rules", "", MOST_RULES)?.map((said) => reader.rule(said, shared, importers));
  const result: Configuration = {
    file,
    root: path("root", ".")!,
    output: path("output", file === undefined ? undefined : "assets.pa"),
    lock: path("lock", "assets.lock.json")!,
    alignment,
    metadata: reader.json(top, "metadata", ""),
    ignore: reader.list(top, "ignore", "", MOST_RULES)?.flatMap((said) => reader.glob(said) ?? []) ?? [],
    rules: rules?.filter((rule) => rule !== undefined) ?? [reader.rule(WHOLE, shared, importers)!],
    ids: reader.ids(top),
    preload: reader.preload(top),
    slots,
    slotsByBank,
    order:
      reader.list(top, "order", "", MOST_RULES)?.flatMap((said) => {
        const glob = reader.glob(said);
        return glob === undefined ? [] : [{ value: glob, pointer: said.pointer }];
      }) ?? [],
  };
  problems.check();
  return result;
}

const WHOLE: Said<Json> = { value: { files: "**" }, pointer: "/rules/0" };

const TOP_KEYS: readonly (keyof AssetsConfig)[] = [
  "$schema",
  "root",
  "output",
  "lock",
  "alignment",
  "metadata",
  "names",
  "codec",
  "ignore",
  "rules",
  "ids",
  "preload",
  "slots",
  "order",
];
const RULE_KEYS: readonly (keyof RuleConfig)[] = [
  "files",
  "importer",
  "bank",
  "codec",
  "names",
  "settings",
  "metadata",
  "name",
  "preload",
];

/** Takes values out of JSON and gathers what is wrong with them. What is absent or wrong is undefined. */
class Reader {
  readonly #problems: Problems;

  constructor(problems: Problems) {
    this.#problems = problems;
  }

  #wrong(message: string, pointer: string): undefined {
    this.#problems.add("PACK-CONFIG", message, { pointer });
    return undefined;
  }

  object(value: Json | undefined, pointer: string, keys: readonly string[]): JsonObject | undefined {
    if (!isObject(value)) return this.#wrong("expected an object", pointer);
    for (const key of Object.keys(value))
      if (!keys.includes(key))
        this.#wrong(`there is no such key; known are ${keys.join(", ")}`, pointer + pointerStep(key));
    return value;
  }

  #member(from: JsonObject, key: string, pointer: string): Said<Json | undefined> {
    return { value: Object.hasOwn(from, key) ? from[key] : undefined, pointer: pointer + pointerStep(key) };
  }

  string(from: JsonObject, key: string, pointer: string): string | undefined {
    const said = this.#member(from, key, pointer);
    if (said.value === undefined) return undefined;
    if (typeof said.value !== "string") return this.#wrong("expected a string", said.pointer);
    return said.value.includes("\0") ? this.#wrong("the string has U+0000", said.pointer) : said.value;
  }

  choice<T extends string>(from: JsonObject, key: string, pointer: string, choices: readonly T[]): T | undefined {
    const said = this.#member(from, key, pointer);
    if (said.value === undefined) return undefined;
    const chosen = choices.find((choice) => choice === said.value);
    return chosen ?? this.#wrong(`expected one of ${choices.map((choice) => `"${choice}"`).join(", ")}`, said.pointer);
  }

  number(value: Json, pointer: string, least: number, most: number): number | undefined {
    if (typeof value === "number" && Number.isInteger(value) && value >= least && value <= most) return value;
    return this.#wrong(`expected an integer from ${least} to ${most}`, pointer);
  }

  integer(from: JsonObject, key: string, pointer: string, least: number, most: number): number | undefined {
    const said = this.#member(from, key, pointer);
    return said.value === undefined ? undefined : this.number(said.value, said.pointer, least, most);
  }

  /** An object of any JSON; empty when absent. */
  json(from: JsonObject, key: string, pointer: string): JsonObject {
    const said = this.#member(from, key, pointer);
    if (said.value === undefined) return {};
    return isObject(said.value) ? said.value : (this.#wrong("expected an object", said.pointer) ?? {});
  }

  members(from: JsonObject, key: string, pointer: string): [string, Said<Json>][] {
    const object = this.json(from, key, pointer);
    return Object.entries(object).map(([name, value]) => [
      name,
      { value, pointer: pointer + pointerStep(key) + pointerStep(name) },
    ]);
  }

  list(from: JsonObject, key: string, pointer: string, most: number): readonly Said<Json>[] | undefined {
    const said = this.#member(from, key, pointer);
    if (said.value === undefined) return undefined;
    if (!Array.isArray(said.value)) return this.#wrong("expected a list", said.pointer);
    if (said.value.length > most) return this.#wrong(`a list has at most ${most} items`, said.pointer);
    return said.value.map((value: Json, k) => ({ value, pointer: said.pointer + pointerStep(k) }));
  }

  glob({ value, pointer }: Said<Json>): Glob | undefined {
    if (typeof value !== "string") return this.#wrong("expected a glob, a string", pointer);
    try {
      return globOf(value);
    } catch (error) {
      if (error instanceof GlobError) return this.#wrong(error.message, pointer);
      throw error;
    }
  }

  isBank(name: string, pointer: string): boolean {
    if (!isBankType(name)) this.#wrong(`"${name}" is no bank type: [a-z][a-z0-9_-]{0,31}`, pointer);
    return isBankType(name);
  }

  /** In NFC, as names are. */
  #name(text: string, pointer: string): string {
    const name = text.normalize("NFC");
    const problem = nameProblem(name);
    if (problem !== undefined) this.#wrong(problem, pointer);
    return name;
  }

  ids(top: JsonObject): ReadonlyMap<string, Said<number>> {
    const ids = new Map<string, Said<number>>();
    const names = new Map<number, string>();
    for (const [text, said] of this.members(top, "ids", "")) {
      const name = this.#name(text, said.pointer);
      const id = this.number(said.value, said.pointer, -(2 ** 31), 2 ** 31 - 1);
      if (id === undefined) continue;
      const other = names.get(id);
      if (other !== undefined) this.#wrong(`${id} is also the id of "${other}"`, said.pointer);
      if (ids.has(name)) this.#wrong(`"${name}" has two ids`, said.pointer);
      names.set(id, name);
      // -0 is 0.
      ids.set(name, { value: id + 0, pointer: said.pointer });
    }
    return ids;
  }

  preload(top: JsonObject): Configuration["preload"] {
    return (this.list(top, "preload", "", 1_000_000) ?? []).flatMap(({ value, pointer }) => {
      const entry = this.object(value, pointer, ["asset", "slot"]);
      if (entry === undefined) return [];
      const name = this.string(entry, "asset", pointer) ?? this.#required(entry, "asset", pointer);
      const slot = this.integer(entry, "slot", pointer, 0, 2 ** 31 - 2) ?? this.#required(entry, "slot", pointer);
      if (name === undefined || slot === undefined) return [];
      return [{ value: { name: this.#name(name, `${pointer}/asset`), slot }, pointer }];
    });
  }

  #required(from: JsonObject, key: string, pointer: string): undefined {
    return Object.hasOwn(from, key) ? undefined : this.#wrong(`"${key}" is missing`, pointer);
  }

  rule(
    { value, pointer }: Said<Json>,
    shared: Pick<Rule, "codec" | "names">,
    importers: readonly Importer[],
  ): Rule | undefined {
    const rule = this.object(value, pointer, RULE_KEYS);
    if (rule === undefined) return undefined;
    const { files, except } = this.#files(rule, pointer);
    const importerName = this.string(rule, "importer", pointer);
    const importer = importers.find(({ name }) => name === importerName);
    if (importerName !== undefined && importer === undefined)
      this.#wrong(
        `there is no importer "${importerName}"; there are ${importers.map(({ name }) => name).join(", ")}`,
        `${pointer}/importer`,
      );
    const bank = this.string(rule, "bank", pointer);
    if (bank !== undefined) this.isBank(bank, `${pointer}/bank`);
    const name = this.string(rule, "name", pointer);
    return {
      pointer,
      files,
      except,
      importer,
      bank,
      codec: this.choice(rule, "codec", pointer, CODECS) ?? shared.codec,
      names: this.choice(rule, "names", pointer, NAMES) ?? shared.names,
      settings: this.json(rule, "settings", pointer),
      metadata: this.json(rule, "metadata", pointer),
      name: name === undefined ? undefined : this.#name(name, `${pointer}/name`),
      preload: rule.preload === true ? true : this.#firstSlots(rule, pointer),
    };
  }

  #files(rule: JsonObject, pointer: string): Pick<Rule, "files" | "except"> {
    const files: Glob[] = [];
    const except: Glob[] = [];
    const said =
      typeof rule.files === "string"
        ? [{ value: rule.files, pointer: `${pointer}/files` }]
        : this.list(rule, "files", pointer, MOST_RULES);
    if (said === undefined) {
      this.#required(rule, "files", pointer);
      return { files, except };
    }
    for (const { value, pointer } of said) {
      const isException = typeof value === "string" && value.startsWith("!");
      const glob = this.glob({ value: isException ? value.slice(1) : value, pointer });
      if (glob !== undefined) (isException ? except : files).push(glob);
    }
    if (files.length === 0 && said.length === except.length)
      this.#wrong("no glob says what is meant", `${pointer}/files`);
    return { files, except };
  }

  #firstSlots(rule: JsonObject, pointer: string): ReadonlyMap<string, Said<number>> | undefined {
    if (!Object.hasOwn(rule, "preload")) return undefined;
    if (!isObject(rule.preload)) return this.#wrong("expected true, or an object of slots", `${pointer}/preload`);
    const first = new Map<string, Said<number>>();
    for (const [bankType, said] of this.members(rule, "preload", pointer)) {
      if (!this.isBank(bankType, said.pointer)) continue;
      const slot = this.number(said.value, said.pointer, 0, 2 ** 31 - 2);
      if (slot !== undefined) first.set(bankType, { value: slot, pointer: said.pointer });
    }
    return first;
  }
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
