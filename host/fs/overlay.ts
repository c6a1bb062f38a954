/**
 * The file system `overlay` (spec FS-OVERLAY): a tree in memory over a file system that is only read. What the tree has
 * nothing of its own for shows through.
 */
import { Status } from "../../syscalls/status.ts";
import { OpenFlag } from "../../syscalls/table.ts";
import { type FileSystem, type Folder, type OpenDirectory, type OpenFile, type Outcome, RETRY } from "./file-system.ts";
import type { Below, Shown } from "./inode.ts";
import { MemoryFileSystem, type MemoryQuota } from "./memory.ts";

/** A layer in which `lower` can be changed; `lower` itself is not, and must not change meanwhile. */
export function overlayFileSystem(lower: FileSystem, quota: Partial<MemoryQuota> = {}): MemoryFileSystem {
  return new MemoryFileSystem({}, quota, new Place(lower, undefined, "", lower.root));
}

class Place implements Below {
  readonly path: string;
  readonly #fs: FileSystem;
  readonly #parent: Place | undefined;
  readonly #name: string;
  /** Of a directory that was looked up. */
  #folder: Folder | undefined;
  /** Places that were named from here, so that the way to each is walked once. */
  #known: Map<string, Place> | undefined;

  constructor(fs: FileSystem, parent: Place | undefined, name: string, folder: Folder | undefined) {
    this.#fs = fs;
    this.#parent = parent;
    this.#name = name;
    this.#folder = folder;
    this.path = parent === undefined ? "" : `${parent.path}/${name}`;
  }

  lookup(name: string): Shown | Outcome {
    const folder = this.#find();
    if (typeof folder === "number") return folder;
    const found = this.#heed(this.#fs.lookup(folder, name));
    if (typeof found === "number") return found;
    const place = new Place(this.#fs, this, name, found.kind === "directory" ? found.folder : undefined);
    return { kind: found.kind, target: found.kind === "symlink" ? found.target : "", place };
  }

  stat(): ReturnType<Below["stat"]> {
    const folder = this.#parent === undefined ? this.#fs.root : this.#parent.#find();
    if (typeof folder === "number") return folder;
    const stat = this.#heed(this.#fs.stat(folder, this.#parent === undefined ? undefined : this.#name));
    if (typeof stat === "number" || this.#fs.capabilities.ownMetadata) return stat;
    return { ...stat, accessed: 0n, modified: 0n, changed: 0n };
  }

  openFile(): OpenFile | Outcome {
    const folder = this.#parent!.#find();
    return typeof folder === "number" ? folder : this.#heed(this.#fs.open(folder, this.#name, OpenFlag.READ));
  }

  openDirectory(): OpenDirectory | Outcome {
    const folder = this.#find();
    return typeof folder === "number" ? folder : this.#heed(this.#fs.openDirectory(folder));
  }

  at(names: readonly string[]): Place {
    let place: Place = this;
    for (const name of names) {
      place.#known ??= new Map();
      const next = place.#known.get(name) ?? new Place(this.#fs, place, name, undefined);
      place.#known.set(name, next);
      place = next;
    }
    return place;
  }

  /** The folder that is here; looked up, with those above it, where that is not known. */
  #find(): Folder | Outcome {
    if (this.#folder !== undefined) return this.#folder;
    const unknown: Place[] = [];
    let known: Place = this;
    for (; known.#folder === undefined; known = known.#parent!) unknown.push(known);
    let folder = known.#folder;
    for (const place of unknown.reverse()) {
      const found = this.#heed(this.#fs.lookup(folder, place.#name));
      if (typeof found === "number") return found;
      if (found.kind !== "directory") return Status.NOT_FOUND;
      folder = found.folder;
      place.#folder = folder;
    }
    return folder;
  }

  /** When the tree below was not as it was found, folders are looked up again at the next attempt. */
  #heed<T>(outcome: T): T {
    if (outcome === RETRY)
      for (let place: Place = this; place.#parent !== undefined; place = place.#parent) place.#folder = undefined;
    return outcome;
  }
}
