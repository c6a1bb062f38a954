/**
 * What `ashlar run` keeps from one run for the next (spec CLI-CACHE): compiled guests, and its own code as V8 keeps it. Nothing
 * here ever fails a run: what cannot be read is made anew, what cannot be written is not kept.
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
import { errorCode } from "./terminal.ts";

/** Bytes that the folder may hold; beyond, what was not used for longest goes. */
export const CACHE_BYTES: number = 256 * 1024 * 1024;
/** Bytes of one entry, at most. */
const ENTRY_BYTES = CACHE_BYTES / 4;
const DIGEST_BYTES = 32;
const TEMPORARY = ".tmp-";
/** A temporary file of a process that was killed: older than any write takes. */
const ABANDONED_MS = 3_600_000;
/** Times of use are kept so exactly: writing them costs more than reading. */
const USE_MS = 86_400_000;

export interface Cache {
  /** The entry's bytes, which are not the whole of their buffer; or undefined when there is none that is whole. */
  read(name: string): Uint8Array<ArrayBuffer> | undefined;
  /** Keeps an entry, in place of one of that name. */
  write(name: string, bytes: Uint8Array): void;
}

/** A name for what `parts` determine. */
export function entryName(suffix: string, ...parts: readonly (string | Uint8Array)[]): string {
  const hash = crypto().createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return `${hash.digest("hex")}.${suffix}`;
}

/** The user's cache, made when it is not there; undefined when there can be none. `note` hears why a folder is not used. */
export function openCache(env: NodeJS.ProcessEnv, note: (text: string) => void): Cache | undefined {
  const folder = folderOf(env);
  if (folder === undefined) return undefined;
  try {
    const wrong = reasonAgainst(makeFolder(folder));
    if (wrong !== undefined) {
      note(`the cache ${folder} is not used: ${wrong}`);
      return undefined;
    }
  } catch {
    return undefined;
  }
  return { read: (name) => readEntry(join(folder, name)), write: (name, bytes) => writeEntry(folder, name, bytes) };
}

function folderOf({ ASHLAR_CACHE, XDG_CACHE_HOME, HOME, LOCALAPPDATA }: NodeJS.ProcessEnv): string | undefined {
  if (ASHLAR_CACHE) return ASHLAR_CACHE;
  // A relative one counts as none, says its specification.
  if (XDG_CACHE_HOME && isAbsolute(XDG_CACHE_HOME)) return join(XDG_CACHE_HOME, "ashlar");
  if (HOME && isAbsolute(HOME)) return join(HOME, ".cache", "ashlar");
  return LOCALAPPDATA ? join(LOCALAPPDATA, "ashlar", "cache") : undefined;
}

function makeFolder(folder: string): Stats {
  try {
    return lstatSync(folder);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
  mkdirSync(join(folder, ".."), { recursive: true });
  try {
    mkdirSync(folder, 0o700);
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error;
  }
  return lstatSync(folder);
}

/** Why others might have written into the folder. What it holds is run, so it must be the user's alone. */
function reasonAgainst(stats: Stats): string | undefined {
  if (stats.isSymbolicLink()) return "it is a link";
  if (!stats.isDirectory()) return "it is no folder";
  if (!isOwn(stats)) return "it belongs to another user";
  if (process.platform !== "win32" && (stats.mode & 0o077) !== 0)
    return "others may use it too (chmod 700 changes that)";
  return undefined;
}

function isOwn({ uid }: Stats): boolean {
  return process.getuid === undefined || uid === process.getuid();
}

function readEntry(path: string): Uint8Array<ArrayBuffer> | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
    const stats = fstatSync(fd);
    if (!stats.isFile() || !isOwn(stats) || stats.size < DIGEST_BYTES || stats.size > ENTRY_BYTES) return undefined;
    const bytes = new Uint8Array(stats.size);
    for (let at = 0; at < bytes.length; ) {
      const got = readSync(fd, bytes, at, bytes.length - at, at);
      if (got === 0) return undefined;
      at += got;
    }
    const contents = bytes.subarray(DIGEST_BYTES);
    if (!digestOf(contents).equals(bytes.subarray(0, DIGEST_BYTES))) return undefined;
    if (Date.now() - stats.mtimeMs > USE_MS) futimesSync(fd, new Date(), new Date());
    return contents;
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function writeEntry(folder: string, name: string, bytes: Uint8Array): void {
  if (bytes.length + DIGEST_BYTES > ENTRY_BYTES) return;
  const temporary = join(folder, `${TEMPORARY}${process.pid}-${crypto().randomBytes(8).toString("hex")}`);
  try {
    const fd = openSync(temporary, "wx", 0o600);
    try {
      writeAll(fd, digestOf(bytes));
      writeAll(fd, bytes);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, join(folder, name));
    prune(folder);
  } catch {
    rmSync(temporary, { force: true });
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

/** Removes what was not used for longest until the rest fits, and what killed processes left. */
function prune(folder: string): void {
  const entries = readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    try {
      const { size, mtimeMs } = statSync(path);
      return [{ path, size, mtimeMs, isTemporary: name.startsWith(TEMPORARY) }];
    } catch {
      return [];
    }
  });
  const now = Date.now();
  let total = 0;
  for (const { path, size, mtimeMs, isTemporary } of entries.sort((a, b) => b.mtimeMs - a.mtimeMs)) {
    total += size;
    if (isTemporary ? now - mtimeMs > ABANDONED_MS : total > CACHE_BYTES) rmSync(path, { force: true });
  }
}

function digestOf(bytes: Uint8Array): Buffer {
  return crypto().createHash("sha256").update(bytes).digest();
}

/** Loaded at first use: it takes 2 ms, while the other thread starts. */
function crypto(): typeof import("node:crypto") {
  return process.getBuiltinModule("node:crypto");
}
