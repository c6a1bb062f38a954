/** Finds the sources below the root, and reads them (spec TOOL-SOURCE). */
import {
  constants,
  type Dirent,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  type Stats,
  statSync,
} from "node:fs";
import { sep } from "node:path";
import { PackError, Problems } from "../host/assets/errors.ts";
import { nameProblem } from "../host/assets/names.ts";
import { closeQuietly } from "../host/assets/source.ts";
import type { Configuration, Rule } from "./config.ts";
import { sortByName } from "./name-order.ts";

/** A file that a rule matches. */
export interface Source {
  /** Below the root, with `/`, in NFC. */
  readonly path: string;
  /** Where it really lies; no part of this is a link. */
  readonly file: string;
  readonly rule: Rule;
}

const MOST_DEPTH = 64;
const MOST_FILES = 1_000_000;
/** A pointer of Git LFS is shorter. */
const MOST_POINTER_BYTES = 1_024;
const LFS = Buffer.from("version https://git-lfs.github.com/spec/");

/**
 * All sources, in the order of their paths. `isOwn` tells what is none, being the tool's; `onFolder` hears each folder before it is
 * looked into. Throws a PackError with all that is wrong.
 */
export function collectSources(
  configuration: Configuration,
  isOwn: (file: string) => boolean,
  onFolder?: (folder: string) => void,
): readonly Source[] {
  return new Walk(configuration, isOwn, onFolder).sources();
}

class Walk {
  readonly #configuration: Configuration;
  readonly #isOwn: (file: string) => boolean;
  readonly #onFolder: ((folder: string) => void) | undefined;
  readonly #problems = new Problems();
  readonly #sources = new Map<string, Source>();
  #root = "";
  #seen = 0;

  constructor(
    configuration: Configuration,
    isOwn: (file: string) => boolean,
    onFolder: ((folder: string) => void) | undefined,
  ) {
    this.#configuration = configuration;
    this.#isOwn = isOwn;
    this.#onFolder = onFolder;
  }

  sources(): readonly Source[] {
    const { root } = this.#configuration;
    try {
      this.#root = realpathSync(root);
    } catch (error) {
      throw inputError(error, root);
    }
    this.#folder("", this.#root, [this.#root]);
    this.#problems.check();
    return sortByName([...this.#sources.values()], ({ path }) => path);
  }

  #wrong(message: string, file: string): void {
    this.#problems.add("PACK-INPUT", message, { file });
  }

  /** `above` are the folders that it lies in, itself last, as they really are. */
  #folder(path: string, folder: string, above: readonly string[]): void {
    this.#onFolder?.(folder);
    let entries: Dirent[];
    try {
      entries = readdirSync(folder, { withFileTypes: true });
    } catch (error) {
      this.#wrong(`the folder cannot be read: ${messageOf(error)}`, folder);
      return;
    }
    const damaged = entries.some(({ name }) => name.includes("\ufffd")) ? damagedNames(folder) : NONE;
    for (const entry of entries) {
      if (++this.#seen > MOST_FILES)
        throw new PackError("PACK-INPUT", `there are over ${MOST_FILES} files and folders`, { file: this.#root });
      const below = (path === "" ? "" : `${path}/`) + entry.name.normalize("NFC");
      const file = folder + (folder.endsWith(sep) ? "" : sep) + entry.name;
      if (this.#configuration.ignore.some((glob) => glob.matches(below)) || this.#isOwn(file)) continue;
      const rule = this.#ruleOf(below);
      const isFolder = entry.isDirectory();
      if (
        isFolder
          ? !this.#mayMatchBelow(below)
          : rule === undefined && !(entry.isSymbolicLink() && this.#mayMatchBelow(below))
      )
        continue;
      if (damaged.has(entry.name)) this.#wrong("the name is not UTF-8", file);
      else if (isFolder) this.#enter(below, file, above);
      else if (entry.isFile()) this.#add(below, file, rule!);
      else if (entry.isSymbolicLink()) this.#link(below, file, rule, above);
      else this.#wrong("this is no regular file", file);
    }
  }

  #ruleOf(path: string): Rule | undefined {
    return ruleOf(this.#configuration, path);
  }

  #mayMatchBelow(path: string): boolean {
    return this.#configuration.rules.some(({ files }) => files.some((glob) => glob.mayMatchBelow(path)));
  }

  #enter(path: string, folder: string, above: readonly string[]): void {
    if (above.length > MOST_DEPTH) this.#wrong(`this lies over ${MOST_DEPTH} folders deep`, folder);
    else this.#folder(path, folder, [...above, folder]);
  }

  #add(path: string, file: string, rule: Rule): void {
    const problem = nameProblem(path);
    const other = this.#sources.get(path);
    if (problem !== undefined) this.#wrong(`no asset can have this name: ${problem}`, file);
    else if (other !== undefined) this.#wrong(`the name is the same in NFC as that of ${other.file}`, file);
    else this.#sources.set(path, { path, file, rule });
  }

  #link(path: string, link: string, rule: Rule | undefined, above: readonly string[]): void {
    let file: string;
    let stats: Stats;
    try {
      file = realpathSync(link);
      stats = statSync(file);
    } catch (error) {
      this.#wrong(`the link leads nowhere: ${messageOf(error)}`, link);
      return;
    }
    if (this.#isOwn(file)) return;
    if (file !== this.#root && !file.startsWith(this.#root + sep))
      this.#wrong(`the link leads out of the root, to ${file}`, link);
    else if (stats.isDirectory()) {
      if (above.includes(file)) this.#wrong("the link leads to a folder that it lies in", link);
      else if (this.#mayMatchBelow(path)) this.#enter(path, file, above);
    } else if (rule !== undefined) {
      if (stats.isFile()) this.#add(path, file, rule);
      else this.#wrong("this is no regular file", link);
    }
  }
}

/** The rule of a path below the root, but for what is ignored. */
function ruleOf({ rules }: Configuration, path: string): Rule | undefined {
  return rules.find(
    ({ files, except }) => files.some((glob) => glob.matches(path)) && !except.some((glob) => glob.matches(path)),
  );
}

/** Whether a file, without links, would be a source if it were not the tool's. */
export function isAmongSources(configuration: Configuration, file: string): boolean {
  let root: string;
  try {
    root = realpathSync(configuration.root);
  } catch {
    return false;
  }
  if (!file.startsWith(root + sep)) return false;
  const path = file
    .slice(root.length + 1)
    .replaceAll(sep, "/")
    .normalize("NFC");
  return !configuration.ignore.some((glob) => glob.matches(path)) && ruleOf(configuration, path) !== undefined;
}

const NONE: ReadonlySet<string> = new Set();

/** What Node.js makes of names that are not UTF-8. A name may also have a replacement character of its own. */
function damagedNames(folder: string): ReadonlySet<string> {
  const names = readdirSync(folder, "buffer").map((name) => [name.toString(), name] as const);
  return new Set(names.filter(([text, name]) => !Buffer.from(text).equals(name)).map(([text]) => text));
}

/** A source that was not read, being large. */
export interface LargeSource {
  readonly file: string;
  readonly size: number;
}

/**
 * The whole file, or that it has over `mostBytes`. Throws a PackError when it is no regular file, a pointer of Git LFS, or
 * changes meanwhile.
 */
export function readSource({ file }: Source, mostBytes: number): Uint8Array | LargeSource {
  let fd: number;
  try {
    // Between listing and opening it may become a link, or a pipe that would be waited for.
    fd = openSync(file, FLAGS);
  } catch (error) {
    throw inputError(error, file);
  }
  try {
    const before = fstatSync(fd);
    if (!before.isFile()) throw new PackError("PACK-INPUT", "this is no regular file", { file });
    if (before.size > mostBytes) return { file, size: before.size };
    const bytes = Buffer.allocUnsafeSlow(before.size);
    let at = 0;
    for (let got = 1; got > 0 && at < bytes.length; at += got) got = readSync(fd, bytes, at, bytes.length - at, at);
    const after = fstatSync(fd);
    const isSame =
      at === bytes.length &&
      after.size === before.size &&
      after.mtimeMs === before.mtimeMs &&
      after.ctimeMs === before.ctimeMs;
    if (!isSame) throw new PackError("PACK-CHANGED", "the file changed while it was read", { file });
    if (at < MOST_POINTER_BYTES && LFS.equals(bytes.subarray(0, LFS.length)))
      throw new PackError("PACK-INPUT", "this is a pointer of Git LFS, not the file: `git lfs pull` gets it", { file });
    return bytes;
  } catch (error) {
    throw inputError(error, file);
  } finally {
    closeQuietly(fd);
  }
}

const FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);

function inputError(error: unknown, file: string): PackError {
  return PackError.from(error, "PACK-INPUT", "it cannot be read", { file });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
