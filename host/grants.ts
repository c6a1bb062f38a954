/**
 * What a guest is granted, as plain data: the flags of `ashlar run`, the file `grants.json`, and an option of `runGuest`
 * (spec CLI-GRANT-2). Nothing is granted by default but the arguments and the standard streams.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { decodeUtf8 } from "../vm/utf8.ts";
import { MOST_SLOTS } from "./assets/format.ts";
import { IDENTITY } from "./assets/identity.ts";
import { isBankType } from "./assets/names.ts";
import { GrantError } from "./fs/file-system.ts";

/** A folder of the host that the guest sees. */
export interface DirGrant {
  /** Path of the folder. */
  readonly host: string;
  /** Where the guest sees it: absolute, without `..`. */
  readonly guest: string;
  /** The guest can change nothing. */
  readonly readOnly?: boolean;
  /** What the guest changes stays in memory, and is gone when it ends. */
  readonly overlay?: boolean;
}

/** A folder in memory. */
export interface TmpGrant {
  /** Where the guest sees it. */
  readonly guest: string;
  /** Copied into memory before the guest runs; what it changed is copied back when it has ended by itself. */
  readonly host?: string;
}

/** Packs whose assets the guest may load (spec 15a). */
export interface AssetsGrant {
  /** Path of the pack; or its identity, `mi2:…`, under which it lies in the store that is granted. */
  readonly host: string;
  /** Patches for it in the same way, the lowest first. */
  readonly patches?: readonly string[];
  /** When stored bytes are held against their digests (spec PACK-VERIFY-1): at the first read of each asset, by default. */
  readonly verify?: "first" | "always" | "never";
  /** Slots of each bank, or by the names of bank types; 256 by default. */
  readonly slots?: number | { readonly [bankType: string]: number };
}

/** A store whose artifacts the guest may read, and which keeps those that it makes (spec 23b). */
export interface StoreGrant {
  /** Path of the store's folder. */
  readonly host: string;
  /** The guest can make no artifacts. */
  readonly readOnly?: boolean;
  /** How long to wait for another process that writes to the store, in seconds; 30 by default. */
  readonly wait?: number;
}

/** Numbers that a guest's files, assets and artifacts may not pass; left out, there is no limit but a default of what is behind. */
export interface QuotaGrant {
  /** Of each folder: bytes of files in memory, or bytes by which files on disk may grow. */
  readonly bytes?: number;
  /** Of each folder: files and directories in memory, or names that may be made on disk. */
  readonly files?: number;
  /** Handles that are open at once. */
  readonly handles?: number;
  /** Bytes of a path. */
  readonly path?: number;
  /** Components of a path. */
  readonly depth?: number;
  /** Bytes of decoded assets that are held at once. */
  readonly bankBytes?: number;
  /** Bytes in the artifacts that it makes. */
  readonly storeBytes?: number;
  /** Artifacts that it makes. */
  readonly storeArtifacts?: number;
  /** Artifacts that are in the making at once. */
  readonly storeWriters?: number;
}

export interface Grants {
  readonly dirs?: readonly DirGrant[];
  readonly tmp?: readonly TmpGrant[];
  /** The environment; names are not empty and hold no `=`. */
  readonly env?: { readonly [name: string]: string };
  /** Path of a file that is the guest's standard input. */
  readonly stdin?: string;
  /**
   * `virtual`, the default, begins at 1970 and goes on by 1 ns with each unit of fuel; `start` has it begin elsewhere, at a
   * time in UTC such as `2026-01-01T00:00:00Z`. `real` is the host's.
   */
  readonly clock?: "virtual" | "real" | { readonly start: string };
  /** Where random bytes come from: an integer of up to 256 bits (as text: decimal or `0x…`; default 0), or the host. */
  readonly seed?: number | string;
  /** Reads of standard input answer as soon as a byte is there. */
  readonly interactive?: boolean;
  /** `fs.stat` tells times and counts of links of host folders. */
  readonly hostMetadata?: boolean;
  readonly assets?: AssetsGrant;
  readonly store?: StoreGrant;
  readonly quota?: QuotaGrant;
}

/** Largest `grants.json`, in bytes. */
export const GRANTS_BYTES: number = 1024 * 1024;

/** Reads and checks a `grants.json`; host paths in it begin at its folder. Throws GrantError. */
export function readGrants(path: string): Grants {
  const text = decodeUtf8(readCapped(path));
  if (text === undefined) throw new GrantError(`${path}: not UTF-8`);
  let data: unknown;
  try {
    data = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    throw new GrantError(`${path}: no JSON: ${error instanceof Error ? error.message : error}`);
  }
  return checkGrants(data, { folder: dirname(path), source: path });
}

function readCapped(path: string): Uint8Array {
  const bytes = new Uint8Array(GRANTS_BYTES + 1);
  let length = 0;
  try {
    const fd = openSync(path, "r");
    try {
      for (let got = 1; got > 0 && length < bytes.length; length += got)
        got = readSync(fd, bytes, length, bytes.length - length, null);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw new GrantError(`${path} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
  if (length > GRANTS_BYTES) throw new GrantError(`${path}: larger than ${GRANTS_BYTES} bytes`);
  return bytes.subarray(0, length);
}

/**
 * `data` as grants. Throws a GrantError that names the place, as a JSON pointer, of a key that is unknown or missing and
 * of a value that makes no sense. Host paths begin at `folder`, or at the process's own; `source` begins messages.
 */
export function checkGrants(
  data: unknown,
  options: { readonly folder?: string; readonly source?: string } = {},
): Grants {
  const { folder, source } = options;
  try {
    return GRANTS(data, { folder, pointer: "" });
  } catch (error) {
    if (!(error instanceof Misfit)) throw error;
    const where = error.pointer === "" ? "the top" : error.pointer;
    throw new GrantError(`${source === undefined ? "grants" : source}: at ${where}: ${error.message}`);
  }
}

/** Both together: lists and the environment add up, with `more` winning a name; of a single value that of `more` counts. */
export function mergeGrants(base: Grants, more: Grants): Grants {
  const both = (key: "dirs" | "tmp" | "env" | "quota"): boolean => base[key] !== undefined && more[key] !== undefined;
  return {
    ...base,
    ...more,
    ...(both("dirs") && { dirs: [...base.dirs!, ...more.dirs!] }),
    ...(both("tmp") && { tmp: [...base.tmp!, ...more.tmp!] }),
    ...(both("env") && { env: { ...base.env, ...more.env } }),
    ...(both("quota") && { quota: { ...base.quota, ...more.quota } }),
  };
}

const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/;
const MOST_TIME = 2n ** 63n;

/** Nanoseconds since 1970 of a time such as `2026-01-01T00:00:00Z`, fractions allowed; undefined for earlier, later, and any other text. */
export function parseTime(text: string): bigint | undefined {
  const [, seconds, fraction = ""] = TIME.exec(text) ?? [];
  const milliseconds = seconds === undefined ? Number.NaN : Date.parse(`${seconds}Z`);
  // What has come out as another day was none: February 30th.
  if (Number.isNaN(milliseconds) || !new Date(milliseconds).toISOString().startsWith(seconds!)) return undefined;
  const time = BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, "0"));
  return time >= 0n && time < MOST_TIME ? time : undefined;
}

/** The number that a seed's text stands for; undefined for any other text, and above 256 bits. */
export function parseSeed(text: string): bigint | undefined {
  if (!/^(\d+(_\d+)*|0x[0-9a-f]+)$/i.test(text)) return undefined;
  const seed = BigInt(text.replaceAll("_", ""));
  return seed < 1n << 256n ? seed : undefined;
}

/** What is wrong with the value at a place; becomes a GrantError. */
class Misfit extends Error {
  readonly pointer: string;
  constructor(at: Place, message: string) {
    super(message);
    this.pointer = at.pointer;
  }
}

interface Place {
  readonly folder: string | undefined;
  /** JSON pointer. */
  readonly pointer: string;
}
type Check<Value> = (value: unknown, at: Place) => Value;
type Fields<Value> = { readonly [Key in keyof Value]-?: Check<Exclude<Value[Key], undefined>> };

function inside(at: Place, key: string | number): Place {
  return { ...at, pointer: `${at.pointer}/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}` };
}

function entriesOf(value: unknown, at: Place): [string, unknown][] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Misfit(at, "expected an object");
  return Object.entries(value);
}

function object<Value extends object>(
  fields: Fields<Value>,
  required: readonly (keyof Value & string)[],
): Check<Value> {
  return (value, at) => {
    // What is undefined is absent, as TypeScript has it; JSON has no such thing.
    const entries = entriesOf(value, at).filter(([, item]) => item !== undefined);
    for (const key of required)
      if (!entries.some(([name]) => name === key)) throw new Misfit(at, `the key ${JSON.stringify(key)} is missing`);
    const checked = entries.map(([key, item]) => {
      const place = inside(at, key);
      if (!Object.hasOwn(fields, key))
        throw new Misfit(place, `unknown key; known are ${Object.keys(fields).join(", ")}`);
      const check: Check<unknown> = fields[key as keyof Value];
      return [key, check(item, place)];
    });
    return Object.fromEntries(checked);
  };
}

function list<Item>(item: Check<Item>): Check<readonly Item[]> {
  return (value, at) => {
    if (!Array.isArray(value)) throw new Misfit(at, "expected a list");
    return value.map((entry, index) => item(entry, inside(at, index)));
  };
}

const flag: Check<boolean> = (value, at) => {
  if (typeof value !== "boolean") throw new Misfit(at, "expected true or false");
  return value;
};

const count: Check<number> = (value, at) => {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new Misfit(at, "expected an integer, 0 or more");
  return value as number;
};

/** Most seconds that a timer can wait. */
export const MOST_WAIT_SECONDS = 2_000_000;

const seconds: Check<number> = (value, at) => {
  if (typeof value !== "number" || !(value >= 0 && value <= MOST_WAIT_SECONDS))
    throw new Misfit(at, `expected seconds, from 0 to ${MOST_WAIT_SECONDS}`);
  return value;
};

const text: Check<string> = (value, at) => {
  if (typeof value !== "string" || /[\0\p{Surrogate}]/u.test(value))
    throw new Misfit(at, "expected a string, without U+0000 and lone surrogates");
  return value;
};

const hostPath: Check<string> = (value, at) => {
  const path = text(value, at);
  if (path === "") throw new Misfit(at, "expected a path");
  return at.folder === undefined ? path : resolve(at.folder, path);
};

const packPath: Check<string> = (value, at) =>
  typeof value === "string" && IDENTITY.test(value) ? value : hostPath(value, at);

/** Whether a pack is named by its identity: then it lies in a store. */
export function isStored({ host, patches = [] }: AssetsGrant): boolean {
  return [host, ...patches].some((pack) => IDENTITY.test(pack));
}

const guestPath: Check<string> = (value, at) => {
  const path = text(value, at);
  if (!path.startsWith("/") || path.split("/").includes(".."))
    throw new Misfit(at, 'expected an absolute path without ".."');
  return path;
};

const verify: Check<NonNullable<AssetsGrant["verify"]>> = (value, at) => {
  if (value === "first" || value === "always" || value === "never") return value;
  throw new Misfit(at, 'expected "first", "always" or "never"');
};

const slotCount: Check<number> = (value, at) => {
  if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > MOST_SLOTS)
    throw new Misfit(at, `expected an integer from 0 to ${MOST_SLOTS}`);
  return value as number;
};

const slots: Check<NonNullable<AssetsGrant["slots"]>> = (value, at) => {
  if (typeof value !== "object") return slotCount(value, at);
  return Object.fromEntries(
    entriesOf(value, at).map(([name, count]) => {
      const place = inside(at, name);
      if (!isBankType(name)) throw new Misfit(place, `${JSON.stringify(name)} is the name of no bank type`);
      return [name, slotCount(count, place)];
    }),
  );
};

const environment: Check<{ readonly [name: string]: string }> = (value, at) =>
  Object.fromEntries(
    entriesOf(value, at).map(([name, content]) => {
      const place = inside(at, name);
      if (!isVariable(name)) throw new Misfit(place, 'the name of a variable is not empty and holds no "="');
      return [text(name, place), text(content, place)];
    }),
  );

/** True for what can be the name of a variable of an environment. */
export function isVariable(name: string): boolean {
  return name !== "" && !/[=\0]/.test(name);
}

const clock: Check<NonNullable<Grants["clock"]>> = (value, at) => {
  if (value === "virtual" || value === "real") return value;
  if (typeof value !== "object") throw new Misfit(at, 'expected "virtual", "real" or {"start": TIME}');
  return object({ start: time }, ["start"])(value, at);
};

const time: Check<string> = (value, at) => {
  if (typeof value !== "string" || parseTime(value) === undefined)
    throw new Misfit(at, "expected a time in UTC, 1970 to 2262, such as 2026-01-01T00:00:00Z");
  return value;
};

const seed: Check<number | string> = (value, at) => {
  if (typeof value === "string" && (value === "real" || parseSeed(value) !== undefined)) return value;
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw new Misfit(at, 'expected an integer from 0 to 2^53 - 1, one of up to 256 bits as a string, or "real"');
};

const GRANTS = object<Grants>(
  {
    dirs: list(
      object<DirGrant>({ host: hostPath, guest: guestPath, readOnly: flag, overlay: flag }, ["host", "guest"]),
    ),
    tmp: list(object<TmpGrant>({ guest: guestPath, host: hostPath }, ["guest"])),
    env: environment,
    stdin: hostPath,
    clock,
    seed,
    interactive: flag,
    hostMetadata: flag,
    assets: object<AssetsGrant>({ host: packPath, patches: list(packPath), verify, slots }, ["host"]),
    store: object<StoreGrant>({ host: hostPath, readOnly: flag, wait: seconds }, ["host"]),
    quota: object<QuotaGrant>(
      {
        bytes: count,
        files: count,
        handles: count,
        path: count,
        depth: count,
        bankBytes: count,
        storeBytes: count,
        storeArtifacts: count,
        storeWriters: count,
      },
      [],
    ),
  },
  [],
);
