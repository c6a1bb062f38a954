/**
 * What importers and encoders made, for the next time (spec TOOL-CACHE). Nothing here ever fails a pack: what cannot be read is
 * made anew, what cannot be written is not kept.
 */
import {
  closeSync,
  constants,
  fstatSync,
  futimesSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from "node:fs";
import { isAbsolute, join } from "node:path";
import { cryptoOf, digestOf, equalBytes } from "../host/assets/hash.ts";
import { canonicalJson, type JsonObject, parseCanonicalJson } from "../host/assets/json.ts";
import { closeQuietly } from "../host/assets/source.ts";

/** Bytes that the folder may hold. */
const MOST_CACHE_BYTES = 1024 * 1024 * 1024;
const MOST_ENTRY_BYTES: number = MOST_CACHE_BYTES / 4;
const SUFFIX = ".asset";
const TEMPORARY = ".tmp-";
/** A temporary file of a process that was killed: older than any write takes. */
const ABANDONED_MS = 3_600_000;
/** Times of use are kept so exactly: writing them costs more than reading. */
const USE_MS = 86_400_000;
/** Part of every key: goes up with the form of entries, and with what is done beside importing and encoding. */
const FORM = "ashlar.assets.cache/1";

/** An asset as it will be stored. */
export interface MadeAsset {
  readonly suffix: string;
  readonly bankType: string;
  readonly metadata: JsonObject;
  readonly codec: string;
  readonly decodedSize: number;
  readonly stored: Uint8Array;
}

export interface AssetCache {
  readonly folder: string;
  /** What was made of a key, or undefined when there is nothing that is whole. */
  read(key: string): readonly MadeAsset[] | undefined;
  write(key: string, made: readonly MadeAsset[]): void;
  /** Makes room, when something was written. */
  close(): void;
}

/** A key for what `parts` determine. */
export function cacheKey(...parts: readonly (string | Uint8Array)[]): string {
  const hash = cryptoOf().createHash("sha256");
  for (const part of [FORM, ...parts]) {
    const bytes = typeof part === "string" ? Buffer.from(part) : part;
    hash.update(`${bytes.length}:`).update(bytes);
  }
  return hash.digest("hex");
}

/** The user's folder (TOOL-CACHE-4). */
export function cacheFolder(env: NodeJS.ProcessEnv): string | undefined {
  const { ASHLAR_ASSETS_CACHE, XDG_CACHE_HOME, HOME, LOCALAPPDATA } = env;
  if (ASHLAR_ASSETS_CACHE) return ASHLAR_ASSETS_CACHE;
  // A relative one counts as none, says its specification.
  if (XDG_CACHE_HOME && isAbsolute(XDG_CACHE_HOME)) return join(XDG_CACHE_HOME, "ashlar-assets");
  if (HOME && isAbsolute(HOME)) return join(HOME, ".cache", "ashlar-assets");
  return LOCALAPPDATA ? join(LOCALAPPDATA, "ashlar-assets", "cache") : undefined;
}

/** The cache in `folder`, which is made when it is not there; undefined when there can be none. `note` hears why not. */
export function openCache(
  folder: string,
  note: (message: string) => void,
  mostBytes: number = MOST_CACHE_BYTES,
): AssetCache | undefined {
  try {
    const wrong = reasonAgainst(makeFolder(folder));
    if (wrong !== undefined) {
      note(`the cache is not used: ${wrong}`);
      return undefined;
    }
  } catch (error) {
    note(`the cache is not used: ${error instanceof Error ? error.message : error}`);
    return undefined;
  }
  let isWritten = false;
  return {
    folder,
    read: (key) => readEntry(join(folder, key + SUFFIX)),
    write: (key, made) => {
      isWritten = true;
      writeEntry(folder, key + SUFFIX, encodeEntry(made));
    },
    close: () => {
      if (isWritten) prune(folder, mostBytes);
      isWritten = false;
    },
  };
}

function makeFolder(folder: string): Stats {
  mkdirSync(join(folder, ".."), { recursive: true });
  try {
    mkdirSync(folder, 0o700);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  return lstatSync(folder);
}

/** Why others might have written into the folder: what it holds becomes part of packs. */
function reasonAgainst(stats: Stats): string | undefined {
  if (stats.isSymbolicLink()) return "it is a link";
  if (!stats.isDirectory()) return "it is no folder";
  if (!isOwn(stats)) return "it belongs to another user";
  // Windows has no such bits.
  const isOpen = process.platform !== "win32" && (stats.mode & 0o077) !== 0;
  return isOpen ? "others may use it too (chmod 700 changes that)" : undefined;
}

function isOwn({ uid }: Stats): boolean {
  return process.getuid === undefined || uid === process.getuid();
}

/** An entry: SHA-256 of the rest, length of the table, the table, and what is stored of each asset. */
const DIGEST_BYTES = 32;
const TABLE_AT: number = DIGEST_BYTES + 4;

interface TableRow extends Omit<MadeAsset, "stored"> {
  readonly size: number;
}

function encodeEntry(made: readonly MadeAsset[]): Uint8Array {
  const rows = made.map(({ stored, ...row }): TableRow => ({ ...row, size: stored.length }));
  const table = Buffer.from(canonicalJson(rows));
  const bytes = new Uint8Array(made.reduce((sum, { stored }) => sum + stored.length, TABLE_AT + table.length));
  new DataView(bytes.buffer).setUint32(DIGEST_BYTES, table.length, true);
  bytes.set(table, TABLE_AT);
  let at = TABLE_AT + table.length;
  for (const { stored } of made) {
    bytes.set(stored, at);
    at += stored.length;
  }
  bytes.set(digestOf(bytes.subarray(DIGEST_BYTES)));
  return bytes;
}

function decodeEntry(bytes: Uint8Array): readonly MadeAsset[] | undefined {
  if (bytes.length < TABLE_AT || !equalBytes(digestOf(bytes.subarray(DIGEST_BYTES)), bytes.subarray(0, DIGEST_BYTES)))
    return undefined;
  // What has its digest was written by us.
  const end = TABLE_AT + new DataView(bytes.buffer, bytes.byteOffset).getUint32(DIGEST_BYTES, true);
  const rows = parseCanonicalJson(Buffer.from(bytes.subarray(TABLE_AT, end)).toString()) as unknown as TableRow[];
  let at = end;
  return rows.map(({ size, ...row }) => ({ ...row, stored: bytes.subarray(at, (at += size)) }));
}

function readEntry(path: string): readonly MadeAsset[] | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
    const stats = fstatSync(fd);
    if (!stats.isFile() || !isOwn(stats) || stats.size > MOST_ENTRY_BYTES) return undefined;
    const bytes = new Uint8Array(stats.size);
    for (let at = 0; at < bytes.length; ) {
      const got = readSync(fd, bytes, at, bytes.length - at, at);
      if (got === 0) return undefined;
      at += got;
    }
    const made = decodeEntry(bytes);
    if (made !== undefined && Date.now() - stats.mtimeMs > USE_MS) futimesSync(fd, new Date(), new Date());
    return made;
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeQuietly(fd);
  }
}

function writeEntry(folder: string, name: string, bytes: Uint8Array): void {
  if (bytes.length > MOST_ENTRY_BYTES) return;
  const temporary = join(folder, `${TEMPORARY}${process.pid}-${cryptoOf().randomBytes(8).toString("hex")}`);
  try {
    const fd = openSync(temporary, "wx", 0o600);
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, join(folder, name));
  } catch {
    rmSync(temporary, { force: true });
  }
}

/** Removes what was not used for longest until the rest fits, and what killed processes left. */
function prune(folder: string, mostBytes: number): void {
  try {
    const entries = readdirSync(folder).flatMap((name) => {
      const isTemporary = name.startsWith(TEMPORARY);
      if (!isTemporary && !name.endsWith(SUFFIX)) return [];
      const path = join(folder, name);
      const stats = statSync(path, { throwIfNoEntry: false });
      return stats === undefined ? [] : [{ path, size: stats.size, mtimeMs: stats.mtimeMs, isTemporary }];
    });
    const now = Date.now();
    let total = 0;
    for (const { path, size, mtimeMs, isTemporary } of entries.sort((a, b) => b.mtimeMs - a.mtimeMs)) {
      if (!isTemporary) total += size;
      if (isTemporary ? now - mtimeMs > ABANDONED_MS : total > mostBytes) rmSync(path, { force: true });
    }
  } catch {
    // The next one may.
  }
}
