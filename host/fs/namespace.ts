/**
 * From a guest's paths to the file systems behind them (spec FS-PATH, FS-MOUNT, FS-OPEN, FS-NAME): which mount a path
 * belongs to, where it leads, and every rule that is the same for all file systems. A path is walked one name at a time,
 * and links are expanded here, so that a file system never sees a path.
 */
import { Status } from "../../syscalls/status.ts";
import { OpenFlag } from "../../syscalls/table.ts";
import { encodeUtf8 } from "../../vm/utf8.ts";
import {
  type FileSystem,
  type Folder,
  type Found,
  GrantError,
  type OpenDirectory,
  type OpenFile,
  type Outcome,
  RETRY,
  type Stat,
  type Times,
  WALK,
} from "./file-system.ts";
import { compareNames, isTooLong, PATH_BYTES, type Path, parsePath, parseText } from "./paths.ts";

/** A file system and the guest's path to it. */
export interface Mount {
  /** Absolute: `/data`, or `/` for all paths that no other mount has. */
  readonly guest: string;
  readonly fs: FileSystem;
  /** True: the guest may change nothing, whatever the file system can do. */
  readonly readOnly?: boolean;
}

export interface ResolvedMount {
  /** Normalised: `/` between the components, none at the end. */
  readonly guest: string;
  readonly components: readonly string[];
  readonly fs: FileSystem;
  readonly readOnly: boolean;
}

/** Limits on paths (spec FS-QUOTA-1). */
export interface PathQuota {
  /** Longest path in bytes; 4,096 at most. */
  readonly path?: number;
  /** Most names from a mount's root to what a path leads to. */
  readonly depth?: number;
}

/** An open directory that a path begins at. */
export interface Base {
  readonly mount: ResolvedMount;
  readonly node: OpenDirectory;
}

export interface Opened {
  readonly mount: ResolvedMount;
  /** Names from the mount's root, `/` between them, no link among them; none for a node that snapshots name by a number. */
  readonly path: string;
  readonly node: OpenFile | OpenDirectory;
}

/** Symbolic links followed in one path (spec FS-PATH-6). */
const MAX_LINKS = 40;
/** Names looked up in one path, those of links' targets among them (spec FS-PATH-6). */
const MAX_LOOKUPS = 4096;
/** Walks begun anew because the tree changed meanwhile; then TRANSIENT. */
const ATTEMPTS = 4;
const CHANGES = OpenFlag.WRITE | OpenFlag.CREATE | OpenFlag.EXCLUSIVE | OpenFlag.TRUNCATE | OpenFlag.APPEND;

/** Where a path begins to be walked. */
interface Start {
  readonly mount: ResolvedMount;
  /** Undefined: the mount's root. */
  readonly base: OpenDirectory | undefined;
  readonly path: Path;
}

/** What a walk found. Without a name the folder itself is meant; without `found` nothing has the name. */
interface Place {
  readonly folder: Folder;
  readonly name: string | undefined;
  readonly found: Found | undefined;
}

/** Spec FS-OPEN-2: which sums of flags make sense. */
export function areOpenFlags(flags: number): boolean {
  const has = (flag: number): boolean => (flags & flag) !== 0;
  if (has(OpenFlag.DIRECTORY)) return !has(CHANGES);
  if (!has(OpenFlag.WRITE)) return has(OpenFlag.READ) && !has(CHANGES);
  if (has(OpenFlag.EXCLUSIVE) && !has(OpenFlag.CREATE)) return false;
  return !(has(OpenFlag.APPEND) && has(OpenFlag.READ));
}

/** The names from the root to a folder. */
export function namesOf(folder: Folder): string[] {
  const names: string[] = [];
  for (let at = folder; at.parent !== undefined; at = at.parent) names.push(at.name);
  return names.reverse();
}

export class Namespace {
  readonly mounts: readonly ResolvedMount[];
  /** Their guest paths, in the order in which they were given. */
  readonly granted: readonly string[];
  readonly #pathBytes: number;
  readonly #depth: number;

  /** Throws a GrantError for mounts that make no sense (spec FS-MOUNT-3). */
  constructor(mounts: readonly Mount[], quota: PathQuota = {}) {
    const resolved = mounts.map(resolveMount);
    this.granted = resolved.map(({ guest }) => guest);
    this.mounts = ordered(resolved);
    this.#pathBytes = Math.min(quota.path ?? PATH_BYTES, PATH_BYTES);
    this.#depth = quota.depth ?? Number.POSITIVE_INFINITY;
  }

  open(base: Base | undefined, pathBytes: Uint8Array, flags: number): Opened | Status {
    const start = this.#start(base, pathBytes, (flags & CHANGES) !== 0);
    if (typeof start === "number") return start;
    // Spec FS-PATH-4.
    if (start.path.directory && (flags & OpenFlag.CREATE) !== 0) return Status.IS_DIRECTORY;
    const follow = (flags & (OpenFlag.NOFOLLOW | OpenFlag.EXCLUSIVE)) === 0;
    return retried(() => {
      const place = this.#walk(start, follow);
      return typeof place === "number" ? place : openPlace(start.mount, place, flags);
    });
  }

  stat(base: Base | undefined, pathBytes: Uint8Array, flags: number): { mount: ResolvedMount; stat: Stat } | Status {
    const start = this.#start(base, pathBytes, false);
    if (typeof start === "number") return start;
    const { mount } = start;
    return retried(() => {
      const place = this.#walkToExisting(start, (flags & OpenFlag.NOFOLLOW) === 0);
      if (typeof place === "number") return place;
      const stat = mount.fs.stat(place.folder, place.name);
      return typeof stat === "number" ? stat : { mount, stat };
    });
  }

  setTimes(base: Base | undefined, pathBytes: Uint8Array, flags: number, times: Times): Status {
    const start = this.#start(base, pathBytes, true);
    if (typeof start === "number") return start;
    const { fs } = start.mount;
    if (!fs.capabilities.times) return Status.UNSUPPORTED;
    return retried(() => {
      const place = this.#walkToExisting(start, (flags & OpenFlag.NOFOLLOW) === 0);
      if (typeof place === "number") return place;
      return setsNothing(times) ? Status.OK : fs.setTimes(place.folder, place.name, times);
    });
  }

  readlink(base: Base | undefined, pathBytes: Uint8Array): string | Status {
    const start = this.#start(base, pathBytes, false);
    if (typeof start === "number") return start;
    return retried(() => {
      const place = this.#walkToExisting(start, false);
      if (typeof place === "number") return place;
      return place.found?.kind === "symlink" ? place.found.target : Status.INVALID;
    });
  }

  mkdir(base: Base | undefined, pathBytes: Uint8Array): Status {
    const start = this.#start(base, pathBytes, true);
    if (typeof start === "number") return start;
    return retried(() => {
      const place = this.#walkToName(start);
      if (typeof place === "number") return place;
      return isTaken(place) ? Status.EXISTS : start.mount.fs.mkdir(place.folder, place.name!);
    });
  }

  rmdir(base: Base | undefined, pathBytes: Uint8Array): Status {
    const start = this.#start(base, pathBytes, true);
    if (typeof start === "number") return start;
    return retried(() => {
      const place = this.#walkToName(start);
      if (typeof place === "number") return place;
      if (place.name !== undefined) return place.found === undefined ? Status.NOT_FOUND : Status.NOT_DIRECTORY;
      const { parent, name } = place.folder;
      return parent === undefined ? Status.BUSY : start.mount.fs.rmdir(parent, name);
    });
  }

  unlink(base: Base | undefined, pathBytes: Uint8Array): Status {
    const start = this.#start(base, pathBytes, true);
    if (typeof start === "number") return start;
    return retried(() => {
      const place = this.#walkToName(start);
      if (typeof place === "number") return place;
      if (place.name === undefined) return Status.IS_DIRECTORY;
      if (place.found === undefined) return Status.NOT_FOUND;
      return start.path.directory ? Status.NOT_DIRECTORY : start.mount.fs.unlink(place.folder, place.name);
    });
  }

  rename(base: Base | undefined, pathBytes: Uint8Array, newBase: Base | undefined, newBytes: Uint8Array): Status {
    const both = this.#startBoth(base, pathBytes, newBase, newBytes);
    if (typeof both === "number") return both;
    const [from, to] = both;
    return retried(() => {
      const source = this.#walkToName(from);
      if (typeof source === "number") return source;
      const target = this.#walkToName(to);
      if (typeof target === "number") return target;
      return renamePlace(from, source, to, target);
    });
  }

  link(base: Base | undefined, pathBytes: Uint8Array, newBase: Base | undefined, newBytes: Uint8Array): Status {
    const both = this.#startBoth(base, pathBytes, newBase, newBytes);
    if (typeof both === "number") return both;
    const [from, to] = both;
    const { fs } = from.mount;
    if (!fs.capabilities.hardLinks) return Status.UNSUPPORTED;
    return retried(() => {
      const source = this.#walkToExisting(from, false);
      if (typeof source === "number") return source;
      const target = this.#walkToName(to);
      if (typeof target === "number") return target;
      if (isTaken(target)) return Status.EXISTS;
      if (to.path.directory) return Status.NOT_FOUND;
      if (source.name === undefined) return Status.ACCESS;
      if (source.found!.kind === "other") return Status.SPECIAL_FILE;
      return fs.link(source.folder, source.name, target.folder, target.name!);
    });
  }

  symlink(targetBytes: Uint8Array, base: Base | undefined, pathBytes: Uint8Array): Status {
    const text = parseText(targetBytes);
    if (typeof text === "number") return text;
    const start = this.#start(base, pathBytes, true);
    if (typeof start === "number") return start;
    const { fs } = start.mount;
    if (!fs.capabilities.symlinks) return Status.UNSUPPORTED;
    if (text.startsWith("/")) return Status.ACCESS;
    return retried(() => {
      const place = this.#walkToName(start);
      if (typeof place === "number") return place;
      if (isTaken(place)) return Status.EXISTS;
      return start.path.directory ? Status.NOT_FOUND : fs.symlink(text, place.folder, place.name!);
    });
  }

  /** Opens again what a snapshot names by its mount and the names from its root; no link is followed. */
  reopen(guest: unknown, path: string, flags: number): Opened | undefined {
    const mount = this.mounts.find((candidate) => candidate.guest === guest);
    if (mount === undefined || !areOpenFlags(flags) || (mount.readOnly && (flags & CHANGES) !== 0)) return undefined;
    const components = path === "" ? [] : path.split("/");
    const start = { mount, base: undefined, path: { components, directory: false, dots: false, absolute: true } };
    const place = this.#walk(start, false);
    if (typeof place === "number") return undefined;
    const opened = openPlace(mount, place, flags);
    return typeof opened === "number" ? undefined : opened;
  }

  /** Where a guest's path begins (spec FS-MOUNT-1), or the status of why it leads nowhere. */
  #start(base: Base | undefined, pathBytes: Uint8Array, changes: boolean): Start | Status {
    const path = parsePath(pathBytes, this.#pathBytes);
    if (typeof path === "number") return path;
    const mount = base?.mount ?? this.#mountOf(path.components);
    if (mount === undefined) return Status.NOT_FOUND;
    if (changes && mount.readOnly) return Status.READ_ONLY;
    if (base !== undefined) return path.absolute ? Status.ACCESS : { mount, base: base.node, path };
    const components = path.components.slice(mount.components.length);
    return { mount, base: undefined, path: { ...path, components } };
  }

  /** A `..` takes part in no mount's path: the names before it decide. */
  #mountOf(components: readonly string[]): ResolvedMount | undefined {
    return this.mounts.find((mount) => mount.components.every((name, index) => components[index] === name));
  }

  #startBoth(
    base: Base | undefined,
    pathBytes: Uint8Array,
    newBase: Base | undefined,
    newBytes: Uint8Array,
  ): readonly [Start, Start] | Status {
    const from = this.#start(base, pathBytes, true);
    if (typeof from === "number") return from;
    const to = this.#start(newBase, newBytes, true);
    if (typeof to === "number") return to;
    return from.mount === to.mount ? [from, to] : Status.CROSS_DEVICE;
  }

  /** Walks to what must be there. */
  #walkToExisting(start: Start, follow: boolean): Place | Outcome {
    const place = this.#walk(start, follow);
    if (typeof place === "number" || place.name === undefined || place.found !== undefined) return place;
    return Status.NOT_FOUND;
  }

  /** Walks to a name that is to be made or removed (spec FS-NAME-1): a link is not followed, a slash behind it left out. */
  #walkToName(start: Start): Place | Outcome {
    if (start.path.dots) return Status.INVALID;
    return this.#walk({ ...start, path: { ...start.path, directory: false } }, false);
  }

  #walk({ mount, base, path }: Start, follow: boolean): Place | Outcome {
    const root = base === undefined ? mount.fs.root : base.folder();
    if (typeof root === "number") return root;
    const pending = path.components.slice().reverse();
    let folder = root;
    // In a deep tree counting takes longer than all the rest.
    let depth = this.#depth === Number.POSITIVE_INFINITY ? 0 : namesOf(root).length;
    let name: string | undefined;
    let found: Found | undefined;
    let links = 0;
    let lookups = 0;
    while (pending.length > 0) {
      const part = pending.pop()!;
      if (name !== undefined) return found === undefined ? Status.NOT_FOUND : Status.NOT_DIRECTORY;
      if (part === "" || part === ".") continue;
      if (part === "..") {
        // The folders on the way hold no link, so the one above is the real parent.
        if (folder === root || folder.parent === undefined) return Status.ACCESS;
        folder = folder.parent;
        depth--;
        continue;
      }
      // Of a link's target: the components of the path itself were looked at before.
      if (isTooLong(part)) return Status.NAME_TOO_LONG;
      if (depth + 1 > this.#depth) return Status.QUOTA;
      if (++lookups > MAX_LOOKUPS) return Status.LOOP;
      const next = mount.fs.lookup(folder, part);
      if (typeof next === "number") {
        if (next !== Status.NOT_FOUND) return next;
        name = part;
      } else if (next.kind === "directory") {
        folder = next.folder;
        depth++;
      } else if (next.kind !== "symlink" || (pending.length === 0 && !follow && !path.directory)) {
        name = part;
        found = next;
      } else {
        if (++links > MAX_LINKS) return Status.LOOP;
        if (next.target.startsWith("/")) return Status.ACCESS;
        pending.push(...next.target.split("/").reverse());
      }
    }
    if (path.directory && name !== undefined) return found === undefined ? Status.NOT_FOUND : Status.NOT_DIRECTORY;
    return { folder, name, found };
  }
}

/** Spec FS-TIMES-1: without a time to set, a file is only looked up. */
export function setsNothing({ accessed, modified }: Times): boolean {
  return accessed === undefined && modified === undefined;
}

/** Does it again while the tree changes under it. */
function retried<T>(attempt: () => T): Exclude<T, typeof RETRY> | Status {
  try {
    for (let k = 0; k < ATTEMPTS; k++) {
      WALK.number = ++walks;
      const outcome = attempt();
      if (outcome !== RETRY) return outcome as Exclude<T, typeof RETRY>;
    }
    return Status.TRANSIENT;
  } finally {
    WALK.number = 0;
  }
}

let walks = 0;

function isTaken(place: Place): boolean {
  return place.name === undefined || place.found !== undefined;
}

/** Spec FS-OPEN-3 to 7. */
function openPlace(mount: ResolvedMount, place: Place, flags: number): Opened | Outcome {
  const { fs } = mount;
  const { folder, name, found } = place;
  const has = (flag: number): boolean => (flags & flag) !== 0;
  const exclusive = has(OpenFlag.EXCLUSIVE);
  let node: OpenFile | OpenDirectory | Outcome;
  if (name === undefined) {
    if (exclusive) return Status.EXISTS;
    if (!has(OpenFlag.DIRECTORY)) return Status.IS_DIRECTORY;
    node = fs.openDirectory(folder);
  } else if (found === undefined) {
    if (!has(OpenFlag.CREATE)) return Status.NOT_FOUND;
    node = fs.create(folder, name, flags);
  } else {
    if (exclusive) return Status.EXISTS;
    if (found.kind === "symlink") return Status.LOOP;
    if (has(OpenFlag.DIRECTORY)) return Status.NOT_DIRECTORY;
    if (found.kind === "other") return Status.SPECIAL_FILE;
    node = fs.open(folder, name, flags);
  }
  if (typeof node === "number") return node;
  // A snapshot does not need them, and many handles deep in a tree would fill the host's memory.
  if (node.saved !== undefined) return { mount, path: "", node };
  const names = namesOf(folder);
  if (name !== undefined) names.push(name);
  return { mount, path: names.join("/"), node };
}

/** Spec FS-NAME-5. */
function renamePlace(from: Start, source: Place, to: Start, target: Place): Outcome {
  const isDirectory = source.name === undefined;
  if (!isDirectory && source.found === undefined) return Status.NOT_FOUND;
  const old = namedPlace(source);
  const fresh = namedPlace(target);
  if (old === undefined || fresh === undefined) return Status.BUSY;
  if (!isDirectory && (from.path.directory || to.path.directory)) return Status.NOT_DIRECTORY;
  if (isDirectory && target.name !== undefined && target.found !== undefined) return Status.NOT_DIRECTORY;
  if (!isDirectory && target.name === undefined) return Status.IS_DIRECTORY;
  const oldPath = [...namesOf(old.folder), old.name].join("/");
  const freshFolder = namesOf(fresh.folder).join("/");
  if (isDirectory && `${freshFolder}/`.startsWith(`${oldPath}/`)) return Status.INVALID;
  if (oldPath === (freshFolder === "" ? fresh.name : `${freshFolder}/${fresh.name}`)) return Status.OK;
  return from.mount.fs.rename(old.folder, old.name, fresh.folder, fresh.name);
}

/** A place as a folder and a name in it; undefined for the root, which has none. */
function namedPlace({ folder, name }: Place): { folder: Folder; name: string } | undefined {
  if (name !== undefined) return { folder, name };
  return folder.parent === undefined ? undefined : { folder: folder.parent, name: folder.name };
}

function resolveMount({ guest, fs, readOnly }: Mount): ResolvedMount {
  const path = guest.startsWith("/") ? parsePath(encodeUtf8(guest)) : Status.INVALID;
  if (typeof path === "number" || path.components.includes(".."))
    throw new GrantError(`a mount's guest path is absolute and has no "..": ${JSON.stringify(guest)}`);
  const { components } = path;
  const isReadOnly = readOnly === true || !fs.capabilities.writable;
  return { guest: `/${components.join("/")}`, components, fs, readOnly: isReadOnly };
}

function ordered(mounts: readonly ResolvedMount[]): ResolvedMount[] {
  // The longest first: the first that fits is the one. Snapshots count them, so their order is not the embedder's.
  const bytesOf = ({ guest }: ResolvedMount): Uint8Array => encodeUtf8(guest);
  const sorted = [...mounts].sort(
    (left, right) => right.components.length - left.components.length || compareNames(bytesOf(left), bytesOf(right)),
  );
  const names = sorted.map(({ guest }) => guest);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new GrantError(`two mounts have the guest path ${twice}`);
  return sorted;
}
