/** The flags that grant a guest something. */
import {
  type AssetsGrant,
  type DirGrant,
  type Grants,
  isVariable,
  MOST_WAIT_SECONDS,
  parseSeed,
  parseTime,
  type QuotaGrant,
  type StoreGrant,
  type TmpGrant,
} from "../grants.ts";
import type { Arguments, Option } from "./arguments.ts";
import { usageError } from "./failure.ts";
import { parseCount, parseSeconds, parseSize } from "./quantities.ts";

export const GRANT_OPTIONS: readonly Option[] = [
  {
    name: "dir",
    value: "HOST::GUEST[:ro|:overlay]",
    repeatable: true,
    doc: "Let the guest see the folder HOST as GUEST; with :ro it can only read, with :overlay what it changes is kept in memory and dropped at the end. --dir DIR shows it under its own path.",
  },
  {
    name: "tmp",
    value: "GUEST[=HOST]",
    repeatable: true,
    doc: "Give the guest a folder GUEST in memory; with HOST it begins as a copy of that folder, and what the guest changed is copied back when it has ended by itself: not after a trap.",
  },
  {
    name: "env",
    value: "NAME[=VALUE]",
    repeatable: true,
    doc: "Set a variable of the guest's environment; without =VALUE to what it is here.",
  },
  { name: "stdin", value: "FILE", doc: "Give the guest this file as its standard input." },
  {
    name: "clock",
    value: "virtual[:TIME]|real",
    doc: "What time it is for the guest: 1970, or TIME (such as 2026-01-01T00:00:00Z), and 1 ns more with each unit of fuel; or the host's time. Default: virtual.",
  },
  {
    name: "seed",
    value: "N|real",
    doc: "Where the guest's random bytes come from: a number of up to 256 bits, or the host. Default: 0.",
  },
  { name: "interactive", doc: "Hand the guest its standard input as it comes in." },
  { name: "host-metadata", doc: "Show the guest times and counts of links of the host's files." },
  {
    name: "assets",
    value: "FILE[,PATCH…]",
    doc: "Let the guest load the assets of a pack, with patches of it on top, the lowest first. What the pack preloads is there when the guest begins. The identity of a pack (mi2:…) stands for the one that lies in the store of --store.",
  },
  {
    name: "store",
    value: "DIR[:ro]",
    doc: "Let the guest read the artifacts of a store, and make new ones; with :ro only read. What it made is stored when it has ended by itself: not after a trap.",
  },
  {
    name: "store-wait",
    value: "SECONDS",
    doc: "How long to wait for another process that writes to the store. Default: 30.",
  },
  {
    name: "quota",
    value: "KEY=N,…",
    doc: "Limit the guest's files, assets and artifacts: bytes (64MiB, …) and files by which each folder may grow, open handles, bytes of a path, its depth in components, bankBytes of decoded assets, storeBytes and storeArtifacts that it makes, storeWriters that it has open.",
  },
  {
    name: "grants",
    value: "FILE",
    doc: "Grant what this JSON file says; flags add to it. Keys: dirs, tmp, env, stdin, clock, seed, interactive, hostMetadata, assets, store, quota.",
  },
];

/** What the flags grant. Throws usage errors. */
export function flagGrants(options: Arguments["options"]): Grants {
  const all = (name: string): readonly string[] => options.get(name) ?? [];
  const one = <Value>(name: string, parse: (text: string) => Value): Value | undefined => {
    const text = options.get(name)?.[0];
    return text === undefined ? undefined : parse(text);
  };
  const given = {
    dirs: options.has("dir") ? all("dir").map(parseDir) : undefined,
    tmp: options.has("tmp") ? all("tmp").map(parseTmp) : undefined,
    env: options.has("env") ? parseEnvironment(all("env")) : undefined,
    stdin: one("stdin", parseStdin),
    clock: one("clock", parseClock),
    seed: one("seed", checkSeed),
    interactive: options.has("interactive") || undefined,
    hostMetadata: options.has("host-metadata") || undefined,
    assets: one("assets", parseAssets),
    store: parseStore(options),
    quota: one("quota", parseQuota),
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

const DIR_HINT = "Write --dir HOST::GUEST or --dir HOST::GUEST:ro, as in --dir ./texts::/texts:ro";

/** `HOST::GUEST`, or `HOST` for a folder that the guest sees under the same path; `:ro` or `:overlay` behind. */
export function parseDir(text: string): DirGrant {
  const [, paths = "", mode] = /^(.*?)(?::(ro|overlay))?$/s.exec(text) ?? [];
  const at = paths.lastIndexOf("::");
  const host = at < 0 ? paths : paths.slice(0, at);
  const guest = at < 0 ? samePath(host) : paths.slice(at + 2);
  if (host === "" || guest === "")
    throw usageError(`--dir ${text} lacks the ${host === "" ? "host's" : "guest's"} folder.`, DIR_HINT);
  checkGuest("dir", text, guest, DIR_HINT);
  return { host, guest, ...(mode === "ro" && { readOnly: true }), ...(mode === "overlay" && { overlay: true }) };
}

function samePath(host: string): string {
  if (host === "" || host.startsWith("/")) return host;
  if (/\\|^[a-z]:/i.test(host) || host.split("/").includes(".."))
    throw usageError(`--dir ${host}: the guest cannot see it under this path.`, DIR_HINT);
  return `/${host}`;
}

function checkGuest(option: string, text: string, guest: string, hint: string): void {
  if (!guest.startsWith("/")) throw usageError(`--${option} ${text}: the guest's path must begin with "/".`, hint);
  if (guest.split("/").includes(".."))
    throw usageError(`--${option} ${text}: the guest's path must not hold "..".`, hint);
}

const TMP_HINT = "Write --tmp GUEST, or --tmp GUEST=HOST to copy the folder HOST in and out, as in --tmp /work=./work";

function parseTmp(text: string): TmpGrant {
  const [guest, host] = splitAt(text, "=");
  checkGuest("tmp", text, guest, TMP_HINT);
  if (host === "") throw usageError(`--tmp ${text} lacks the host's folder.`, TMP_HINT);
  return host === undefined ? { guest } : { guest, host };
}

function parseStdin(path: string): string {
  if (path === "") throw usageError("--stdin needs the path of a file.");
  return path;
}

/** The paths in `FILE[,PATCH…]`. */
export function assetPaths(text: string): string[] {
  const paths = text.split(",");
  if (paths.includes(""))
    throw usageError(
      `--assets ${text} lacks the path of a file.`,
      "Write --assets FILE, or --assets FILE,PATCH. A path with a comma in it can stand in the file of --grants.",
    );
  return paths;
}

function parseAssets(text: string): AssetsGrant {
  const [host, ...patches] = assetPaths(text) as [string, ...string[]];
  return patches.length === 0 ? { host } : { host, patches };
}

const STORE_HINT = "Write --store DIR, or --store DIR:ro";

/** `DIR`, or `DIR:ro`. */
function parseStore(options: Arguments["options"]): StoreGrant | undefined {
  const text = options.get("store")?.[0];
  const given = options.get("store-wait")?.[0];
  if (text === undefined) {
    if (given !== undefined) throw usageError("--store-wait is about a store.", STORE_HINT);
    return undefined;
  }
  const [, host = "", mode] = /^(.*?)(?::(ro))?$/s.exec(text) ?? [];
  if (host === "") throw usageError(`--store ${text} lacks the store's folder.`, STORE_HINT);
  const wait = given === undefined ? undefined : parseSeconds("store-wait", given, MOST_WAIT_SECONDS);
  return { host, ...(mode === "ro" && { readOnly: true }), ...(wait !== undefined && { wait }) };
}

function parseEnvironment(words: readonly string[]): { readonly [name: string]: string } {
  return Object.fromEntries(
    words.map((word) => {
      const [name, value] = splitAt(word, "=");
      if (!isVariable(name))
        throw usageError(`--env ${word} names no variable.`, "Write --env NAME=VALUE, or --env NAME.");
      const content = value ?? process.env[name];
      if (content === undefined) throw usageError(`--env ${name}: there is no such variable here.`);
      return [name, content];
    }),
  );
}

function parseClock(text: string): NonNullable<Grants["clock"]> {
  if (text === "virtual" || text === "real") return text;
  const start = text.startsWith("virtual:") ? text.slice("virtual:".length) : undefined;
  if (start === undefined || parseTime(start) === undefined)
    throw usageError(
      `--clock takes virtual, virtual:TIME or real, not ${JSON.stringify(text)}.`,
      "TIME is in UTC, such as 2026-01-01T00:00:00Z",
    );
  return { start };
}

function checkSeed(text: string): string {
  if (text === "real" || parseSeed(text) !== undefined) return text;
  throw usageError(`--seed takes an integer of up to 256 bits, decimal or 0x…, or real; not ${JSON.stringify(text)}.`);
}

const QUOTA_KEYS = [
  "bytes",
  "files",
  "handles",
  "path",
  "depth",
  "bankBytes",
  "storeBytes",
  "storeArtifacts",
  "storeWriters",
] as const;
const QUOTA_HINT =
  "Write --quota bytes=64MiB,files=1000,handles=64,path=1024,depth=16,bankBytes=64MiB,storeBytes=64MiB, or some of it.";

function parseQuota(text: string): QuotaGrant {
  const quota: { -readonly [key in keyof QuotaGrant]: QuotaGrant[key] } = {};
  for (const part of text.split(",")) {
    const [word, value] = splitAt(part, "=");
    const key = QUOTA_KEYS.find((candidate) => candidate === word);
    if (key === undefined || value === undefined || quota[key] !== undefined)
      throw usageError(`--quota ${text}: ${JSON.stringify(part)} is not expected.`, QUOTA_HINT);
    const isSize = key === "bytes" || key === "bankBytes" || key === "storeBytes";
    const name = `quota ${key}`;
    quota[key] = isSize ? parseSize(name, value, MOST_GIB) : Number(parseCount(name, value, MOST));
  }
  return quota;
}

const MOST = 2n ** 32n - 1n;
const MOST_GIB = 2 ** 20;

/** The text before the first `separator`, and what stands behind it; undefined when there is none. */
function splitAt(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
