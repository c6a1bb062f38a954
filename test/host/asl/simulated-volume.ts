/**
 * A volume that tells apart what programs see (the page cache) and what is on the disk. What was done since the last sync may have
 * reached the disk or not, sector by sector and name by name: `crashImages` makes volumes of what a loss of power can leave.
 *
 * What is legal:
 * - A sector of 512 bytes holds what the cache held of it after some write since the last sync of its file, or what it held then:
 *   writes to different sectors reach the disk in any order, those to one sector in theirs, and what is written last of a
 *   sector carries what was written to it before.
 * - A file is as long as after some write; sectors that were not written are zeros, or bytes of another file, if the file's length grew
 *   over them.
 * - Names of a folder: each creation, rename, link and removal since the last sync of the folder has reached the disk or not, in any
 *   order. A rename may leave both names. The sync of a file says nothing of its name.
 */
import { createHash } from "node:crypto";
import { GrowingBytes, splitPath, volumeError } from "../../../host/asl/memory-volume.ts";
import type { OpenMode, Volume, VolumeFile } from "../../../host/asl/volume.ts";
import type { Random } from "../../vm/random.ts";

/** What disks write at once. */
export const SECTOR_BYTES = 512;

export type CallKind =
  | "open"
  | "create"
  | "list"
  | "makeFolder"
  | "rename"
  | "link"
  | "remove"
  | "syncFolder"
  | "size"
  | "read"
  | "write"
  | "sync"
  | "truncate"
  | "close";

/** One call of a volume, as it is recorded. */
export interface Call {
  /** From 0. */
  readonly number: number;
  readonly kind: CallKind;
  readonly path: string;
  readonly position: number;
  readonly length: number;
}

/**
 * What goes wrong with a call. `none`: nothing is done. `half`: of a write, the first half is. `done`: all of it is, and it fails
 * nevertheless. Of a sync: `lose`: some of the pages reached the disk, the others never will, though the cache has them; `evict`: the
 * cache has them no more either.
 */
export interface Fault {
  readonly code: "EIO" | "ENOSPC" | "EMFILE";
  readonly effect: "none" | "half" | "done" | "lose" | "evict";
}

/** Calls that a cut comes before: all that changes names, shortens files, or makes anything durable. */
const CUTS: ReadonlySet<CallKind> = new Set(["sync", "syncFolder", "rename", "link", "remove", "truncate"]);

/** A write, or a change of a length, that may not be on the disk yet. */
interface PendingBytes {
  /** In the order of all calls. */
  readonly number: number;
  /** First sector. */
  readonly sector: number;
  /** What the cache held of these sectors afterwards. */
  readonly bytes: Uint8Array;
  /** Length of the file afterwards. */
  readonly length: number;
  readonly names?: undefined;
}

/** A change of names that may not be on the disk yet. */
interface PendingNames {
  readonly number: number;
  /** What the names mean afterwards; the first one of a rename is the name that goes. */
  readonly names: readonly (readonly [name: string, node: Node | undefined])[];
}

type Pending = PendingBytes | PendingNames;

class Inode {
  readonly cached: GrowingBytes = new GrowingBytes();
  /** Whole content at the last sync. Shared between images, never changed. */
  durable: Uint8Array;
  pending: PendingBytes[] = [];
  /** False while `cached` is to be filled from `durable`. */
  #isLoaded = false;
  constructor(durable: Uint8Array) {
    this.durable = durable;
  }
  /** What programs see. Most files of most images are only read, and are those of the volume that they come from. */
  get seen(): Uint8Array {
    return this.#isLoaded ? this.cached.bytes.subarray(0, this.cached.length) : this.durable;
  }
  /** The same, to be changed. */
  get loaded(): GrowingBytes {
    if (!this.#isLoaded) {
      this.#isLoaded = true;
      this.cached.write(this.durable, 0, this.durable.length, 0);
    }
    return this.cached;
  }
  evict(): void {
    this.cached.resize(0);
    this.#isLoaded = false;
  }
}

class Directory {
  durable: Map<string, Node> = new Map();
  cached: Map<string, Node> = new Map();
  pending: PendingNames[] = [];
}

type Node = Inode | Directory;

const NO_BYTES = new Uint8Array(0);

/** What of the pending work is on the disk. */
interface Outcome {
  /** Whether this write reached this sector, or, without a sector, whether it was begun at all or this change of names was made. */
  has(pending: Pending, sector?: number): boolean;
  /**
   * How long files are that were written: as after the last write that `has` has; `all`: as after the last write; `least`: no longer
   * than what reached the disk.
   */
  readonly lengths?: "all" | "least" | undefined;
  /** What is in sectors that nothing was written to. */
  readonly stale?: Uint8Array | undefined;
  /** Renames leave the old name, too. */
  readonly isHalfRename?: boolean;
}

export class SimulatedVolume implements Volume {
  #root: Directory = new Directory();
  #pendingNumber = 0;
  /** All calls so far, if they are recorded. */
  readonly calls: Call[] = [];
  isRecording = false;
  /** Calls so far. */
  callCount = 0;
  /** Calls so far that change something. */
  changeCount = 0;
  /** Called before each call that has to do with what is on the disk. */
  onCut: ((call: Call) => void) | undefined;
  /** Says what goes wrong with a call. */
  fault: ((call: Call) => Fault | undefined) | undefined;
  /** Reads give less than they could, as this says. */
  shortReads: Random | undefined;
  /** What is left of pages when a sync fails. */
  losses: Random | undefined;

  open(path: string, mode: OpenMode): VolumeFile {
    this.called(mode === "create" ? "create" : "open", path);
    const [folder, name] = this.#at(path);
    const found = folder.cached.get(name);
    if (found instanceof Directory) throw volumeError("EISDIR", path);
    if (mode !== "create") {
      if (found === undefined) throw volumeError("ENOENT", path);
      return new SimulatedFile(this, found, path, mode === "write");
    }
    if (found !== undefined) throw volumeError("EEXIST", path);
    const inode = new Inode(NO_BYTES);
    this.#change(folder, [[name, inode]]);
    return new SimulatedFile(this, inode, path, true);
  }
  list(path: string): string[] {
    this.called("list", path);
    return [...this.#folder(path).cached.keys()];
  }
  makeFolder(path: string): void {
    this.called("makeFolder", path);
    let folder = this.#root;
    for (const name of path === "" ? [] : path.split("/")) {
      let found = folder.cached.get(name);
      if (found === undefined) {
        found = new Directory();
        this.#change(folder, [[name, found]]);
      } else if (found instanceof Inode) throw volumeError("EEXIST", path);
      folder = found;
    }
  }
  rename(from: string, to: string): void {
    const effect = this.called("rename", from);
    const file = this.#file(from);
    const [folder, name] = this.#at(to);
    const [oldFolder, oldName] = this.#at(from);
    const replaced = folder.cached.get(name);
    if (replaced instanceof Directory) throw volumeError("EISDIR", to);
    if (replaced === file) return;
    if (folder === oldFolder) {
      this.#change(folder, [
        [oldName, undefined],
        [name, file],
      ]);
    } else {
      this.#change(folder, [[name, file]]);
      this.#change(oldFolder, [[oldName, undefined]]);
    }
    if (effect !== undefined) throw volumeError(effect.code, from);
  }
  link(from: string, to: string): void {
    this.called("link", from);
    const file = this.#file(from);
    const [folder, name] = this.#at(to);
    if (folder.cached.has(name)) throw volumeError("EEXIST", to);
    this.#change(folder, [[name, file]]);
  }
  remove(path: string): void {
    this.called("remove", path);
    this.#file(path);
    const [folder, name] = this.#at(path);
    this.#change(folder, [[name, undefined]]);
  }
  syncFolder(path: string): void {
    const effect = this.called("syncFolder", path);
    const folder = this.#folder(path);
    if (effect !== undefined) {
      if (effect.effect === "lose" || effect.effect === "evict") folder.pending = [];
      throw volumeError(effect.code, path);
    }
    for (const { names } of folder.pending) applyNames(folder.durable, names);
    folder.pending = [];
  }

  /** Records a call, and throws if it fails; answers the fault if that is up to the caller. */
  called(kind: CallKind, path: string, position = 0, length = 0): Fault | undefined {
    const call: Call = { number: this.callCount++, kind, path, position, length };
    if (CUTS.has(kind) || kind === "write" || kind === "create" || kind === "makeFolder") this.changeCount++;
    if (this.isRecording) this.calls.push(call);
    if (this.onCut !== undefined && CUTS.has(kind)) this.onCut(call);
    const fault = this.fault?.(call);
    if (fault === undefined) return undefined;
    const isUpToCaller = kind === "write" || kind === "sync" || kind === "syncFolder" || kind === "rename";
    if (isUpToCaller && fault.effect !== "none") return fault;
    throw volumeError(fault.code, path);
  }
  nextPending(): number {
    return this.#pendingNumber++;
  }
  #change(folder: Directory, names: PendingNames["names"]): void {
    applyNames(folder.cached, names);
    folder.pending.push({ number: this.nextPending(), names });
  }
  #folder(path: string): Directory {
    let folder = this.#root;
    for (const name of path === "" ? [] : path.split("/")) {
      const found = folder.cached.get(name);
      if (!(found instanceof Directory)) throw volumeError("ENOENT", path);
      folder = found;
    }
    return folder;
  }
  #at(path: string): readonly [folder: Directory, name: string] {
    const [above, name] = splitPath(path);
    return [this.#folder(above), name];
  }
  #file(path: string): Inode {
    const [folder, name] = this.#at(path);
    const found = folder.cached.get(name);
    if (found === undefined) throw volumeError("ENOENT", path);
    if (found instanceof Directory) throw volumeError("EISDIR", path);
    return found;
  }

  // ---------------------------------------------------------------------------------------------- content, for tests

  /** All files as programs see them, by path; folders have no bytes and end in `/`. */
  files(): Map<string, Uint8Array> {
    const files = new Map<string, Uint8Array>();
    const walk = (folder: Directory, prefix: string): void => {
      for (const name of [...folder.cached.keys()].sort()) {
        const node = folder.cached.get(name)!;
        if (node instanceof Directory) {
          files.set(`${prefix}${name}/`, NO_BYTES);
          walk(node, `${prefix}${name}/`);
        } else files.set(prefix + name, node.seen);
      }
    };
    walk(this.#root, "");
    return files;
  }
  /** SHA-256 of all names and bytes as programs see them: 128 bits of it, in base64. */
  digest(): string {
    const hash = createHash("sha256");
    for (const [path, bytes] of this.files()) hash.update(`${path}\0`).update(digestOf(bytes));
    return hash.digest("base64").slice(0, 22);
  }
  /** A volume with these files, all on the disk. */
  static of(files: ReadonlyMap<string, Uint8Array>): SimulatedVolume {
    const volume = new SimulatedVolume();
    for (const [path, bytes] of files) {
      const isFolder = path.endsWith("/");
      const [above, name] = splitPath(isFolder ? path.slice(0, -1) : path);
      const folder = volume.#folder(above);
      const node = isFolder ? new Directory() : new Inode(bytes.slice());
      folder.cached.set(name, node);
      folder.durable.set(name, node);
    }
    return volume;
  }
  /** Changes a byte where it lies, on the disk and in the cache. */
  flip(path: string, at: number, mask: number): void {
    const inode = this.#file(path);
    const bytes = inode.durable.slice();
    bytes[at]! ^= mask;
    inode.durable = bytes;
    inode.evict();
  }

  // ---------------------------------------------------------------------------------------------- crashes

  /** The same volume as it is now, with all that is not yet on the disk: what is left when the process is killed. */
  killed(): SimulatedVolume {
    const volume = new SimulatedVolume();
    const copies = new Map<Node, Node>();
    const copy = (node: Node): Node => {
      const known = copies.get(node);
      if (known !== undefined) return known;
      if (node instanceof Inode) {
        const inode = new Inode(node.durable);
        copies.set(node, inode);
        inode.pending = [...node.pending];
        const { seen } = node;
        if (seen !== node.durable) {
          inode.loaded.resize(0);
          inode.cached.write(seen, 0, seen.length, 0);
        }
        return inode;
      }
      const folder = new Directory();
      copies.set(node, folder);
      for (const [name, child] of node.durable) folder.durable.set(name, copy(child));
      for (const [name, child] of node.cached) folder.cached.set(name, copy(child));
      folder.pending = node.pending.map(({ number, names }) => ({
        number,
        names: names.map(([name, child]) => [name, child && copy(child)] as const),
      }));
      return folder;
    };
    volume.#root = copy(this.#root) as Directory;
    volume.#pendingNumber = this.#pendingNumber;
    return volume;
  }

  /** Writes that are not on the disk, and changes of names, in their order. */
  #pending(): Pending[] {
    const all = new Map<number, Pending>();
    const seen = new Set<Node>();
    const walk = (node: Node | undefined): void => {
      if (node === undefined || seen.has(node)) return;
      seen.add(node);
      for (const pending of node.pending) all.set(pending.number, pending);
      if (node instanceof Inode) return;
      for (const child of node.durable.values()) walk(child);
      for (const { names } of node.pending) for (const [, child] of names) walk(child);
    };
    walk(this.#root);
    return [...all.values()].sort((a, b) => a.number - b.number);
  }

  /** What the disk holds with this much of the pending work done. */
  #image(outcome: Outcome): SimulatedVolume {
    const volume = new SimulatedVolume();
    const copies = new Map<Node, Node>();
    const copy = (node: Node): Node => {
      const known = copies.get(node);
      if (known !== undefined) return known;
      if (node instanceof Inode) {
        const inode = new Inode(node.pending.length === 0 ? node.durable : bytesOf(node, outcome));
        copies.set(node, inode);
        return inode;
      }
      const folder = new Directory();
      copies.set(node, folder);
      const names = new Map(node.durable);
      for (const pending of node.pending) {
        if (!outcome.has(pending)) continue;
        const isHalf = outcome.isHalfRename === true && pending.names.length === 2;
        applyNames(names, isHalf ? pending.names.slice(1) : pending.names);
      }
      for (const [name, child] of names) folder.durable.set(name, copy(child));
      folder.cached = new Map(folder.durable);
      return folder;
    };
    volume.#root = copy(this.#root) as Directory;
    return volume;
  }

  /**
   * What the disk can hold after a loss of power now: all subsets of the pending work if there are few of them, else a choice; writes
   * that are torn; lengths without their data. `budget` is about how many there are at most; they may be equal to one another.
   */
  *crashImages(random: Random, budget: number): Generator<SimulatedVolume> {
    const pending = this.#pending();
    const count = pending.length;
    const index = new Map(pending.map(({ number }, k) => [number, k]));
    const subset = (has: (k: number) => boolean, more: Omit<Outcome, "has"> = {}): SimulatedVolume =>
      this.#image({ has: ({ number }) => has(index.get(number)!), ...more });
    yield subset(() => false);
    if (count === 0) return;
    yield subset(() => true);
    const stale = (chance: number): Uint8Array | undefined =>
      random.chance(chance) ? this.#staleBytes(random) : undefined;
    let left = budget - 2;
    if (2 ** count - 2 <= left / 2) {
      for (let bits = 1; bits < 2 ** count - 1; bits++, left--) yield subset((k) => ((bits >> k) & 1) === 1);
    } else {
      // Each alone, each missing, the first ones, then any.
      const chosen: ((k: number) => boolean)[] = [];
      for (let one = 0; one < count; one++)
        chosen.push(
          (k) => k !== one,
          (k) => k === one,
          (k) => k <= one,
        );
      const most = Math.floor(left / 2);
      for (let n = 0; n < most; n++) {
        left--;
        if (n % 2 === 0 && chosen.length > 0) {
          yield subset(chosen.splice(chosen.length > most ? random.below(chosen.length) : 0, 1)[0]!);
        } else {
          const bits = Array.from(pending, () => random.chance(0.5));
          yield subset((k) => bits[k]!);
        }
      }
    }
    // Torn writes, lengths without data, renames that left both names, in turns.
    const grown = pending.filter((one) => one.names === undefined);
    const torn = grown.filter((one) => one.bytes.length > SECTOR_BYTES);
    const renames = pending.filter((one) => one.names?.length === 2);
    for (let n = 0; left > 0 && torn.length + grown.length + renames.length > 0; n++, left--) {
      const bits = Array.from(pending, () => random.chance(0.7));
      const chosen = (one: Pending): boolean => bits[index.get(one.number)!]!;
      switch (n % 4) {
        case 0:
        case 1: {
          if (torn.length === 0) break;
          const one = random.pick(torn);
          const unit = random.chance(0.5) ? 1 : 8;
          const salt = random.next();
          const way = random.below(4);
          const units = Math.ceil(one.bytes.length / SECTOR_BYTES / unit);
          const split = 1 + random.below(Math.max(1, units - 1));
          const isThere = (sector: number): boolean => {
            const at = Math.floor((sector - one.sector) / unit);
            if (way === 0) return at < split;
            if (way === 1) return at >= split;
            if (way === 2) return at !== split;
            return ((Math.imul(at + 1, 0x9e3779b1) ^ salt) >>> 7) % 2 === 0;
          };
          const others = random.below(3);
          yield this.#image({
            has: (other, sector) =>
              other === one
                ? sector === undefined || isThere(sector)
                : others === 0
                  ? other.number < one.number
                  : others === 1 || chosen(other),
            lengths: random.pick([undefined, "all", "least"] as const),
            stale: stale(0.3),
          });
          break;
        }
        case 2: {
          if (grown.length === 0) break;
          const one = random.pick(grown);
          // Names are there: a length is nothing without one.
          const isEverything = random.chance(0.5);
          yield this.#image({
            has: (other) => other !== one && (isEverything || other.names !== undefined || chosen(other)),
            lengths: "all",
            stale: stale(0.5),
          });
          break;
        }
        default:
          if (renames.length === 0) break;
          yield this.#image({ has: n % 8 === 3 ? () => true : chosen, isHalfRename: true });
      }
    }
  }

  /** Bytes of some file: what a sector may hold that a file was given and that nothing was written to. */
  #staleBytes(random: Random): Uint8Array {
    const files = [...this.files().values()].filter(({ length }) => length > 0);
    const bytes = files.length === 0 ? NO_BYTES : random.pick(files);
    const sectors = new Uint8Array(Math.max(1, Math.ceil(bytes.length / SECTOR_BYTES)) * SECTOR_BYTES).fill(0xa5);
    sectors.set(bytes);
    return sectors;
  }
}

/** Contents that several images share are digested once: they never change. */
const DIGESTS = new WeakMap<Uint8Array, Uint8Array>();

function digestOf(bytes: Uint8Array): Uint8Array {
  let digest = DIGESTS.get(bytes);
  if (digest === undefined) DIGESTS.set(bytes, (digest = createHash("sha256").update(bytes).digest()));
  return digest;
}

function applyNames(folder: Map<string, Node>, names: PendingNames["names"]): void {
  for (const [name, node] of names) {
    if (node === undefined) folder.delete(name);
    else folder.set(name, node);
  }
}

/** What is on the disk of a file. */
function bytesOf({ durable, pending }: Inode, outcome: Outcome): Uint8Array {
  const last = pending.at(-1)!;
  let length = durable.length;
  if (outcome.lengths === "all") length = last.length;
  else
    for (const one of pending) {
      if (!outcome.has(one)) continue;
      if (outcome.lengths !== "least" || one.length < length) length = one.length;
      else
        for (let at = 0; at < one.bytes.length; at += SECTOR_BYTES)
          if (outcome.has(one, one.sector + at / SECTOR_BYTES))
            length = Math.max(length, Math.min(one.length, one.sector * SECTOR_BYTES + at + SECTOR_BYTES));
    }
  const bytes = new Uint8Array(length);
  if (outcome.stale !== undefined) {
    const { stale } = outcome;
    const from = Math.ceil(durable.length / SECTOR_BYTES) * SECTOR_BYTES;
    for (let at = from; at < length; at += SECTOR_BYTES)
      bytes.set(stale.subarray(at % stale.length).subarray(0, Math.min(SECTOR_BYTES, length - at)), at);
  }
  bytes.set(durable.subarray(0, length));
  for (const one of pending) {
    for (let at = 0; at < one.bytes.length; at += SECTOR_BYTES) {
      const position = one.sector * SECTOR_BYTES + at;
      if (position >= length || !outcome.has(one) || !outcome.has(one, one.sector + at / SECTOR_BYTES)) continue;
      bytes.set(one.bytes.subarray(at, Math.min(at + SECTOR_BYTES, at + length - position)), position);
    }
  }
  return bytes;
}

class SimulatedFile implements VolumeFile {
  readonly #volume: SimulatedVolume;
  readonly #inode: Inode;
  readonly #path: string;
  readonly #isWritable: boolean;
  #isOpen = true;

  constructor(volume: SimulatedVolume, inode: Inode, path: string, isWritable: boolean) {
    this.#volume = volume;
    this.#inode = inode;
    this.#path = path;
    this.#isWritable = isWritable;
  }
  size(): number {
    this.#check(false);
    this.#volume.called("size", this.#path);
    return this.#inode.seen.length;
  }
  read(into: Uint8Array, at: number, length: number, position: number): number {
    this.#check(false);
    this.#volume.called("read", this.#path, position, length);
    const { shortReads } = this.#volume;
    const most = shortReads === undefined || length < 2 ? length : 1 + shortReads.below(length);
    const { seen } = this.#inode;
    const count = Math.max(0, Math.min(most, seen.length - position));
    into.set(seen.subarray(position, position + count), at);
    return count;
  }
  write(bytes: Uint8Array, at: number, length: number, position: number): void {
    this.#check(true);
    const fault = this.#volume.called("write", this.#path, position, length);
    this.#write(bytes, at, fault?.effect === "half" ? length >> 1 : length, position);
    if (fault !== undefined) throw volumeError(fault.code, this.#path);
  }
  async writeLater(bytes: Uint8Array, at: number, length: number, position: number): Promise<void> {
    this.#check(true);
    // Halves, with whatever else goes on in between.
    const half = length >> 1;
    await undefined;
    if (half > 0) this.write(bytes, at, half, position);
    await undefined;
    this.write(bytes, at + half, length - half, position + half);
  }
  sync(): void {
    this.#sync(Number.POSITIVE_INFINITY);
  }
  /** What is written while it goes on is not on the disk when it is over. */
  async syncLater(): Promise<void> {
    const upTo = this.#volume.nextPending();
    await undefined;
    this.#sync(upTo);
  }
  #sync(upTo: number): void {
    this.#check(false);
    const fault = this.#volume.called("sync", this.#path);
    const inode = this.#inode;
    if (fault !== undefined) {
      if (fault.effect === "lose" || fault.effect === "evict") {
        const losses = this.#volume.losses;
        if (inode.pending.length > 0)
          inode.durable = bytesOf(inode, {
            has: () => losses?.chance(0.5) ?? false,
            lengths: losses?.chance(0.5) ? "all" : undefined,
          });
        inode.pending = [];
        if (fault.effect === "evict") inode.evict();
      }
      throw volumeError(fault.code, this.#path);
    }
    if (inode.pending.length === 0) return;
    inode.durable = bytesOf(inode, { has: ({ number }) => number < upTo });
    inode.pending = inode.pending.filter(({ number }) => number >= upTo);
  }
  truncate(length: number): void {
    this.#check(true);
    this.#volume.called("truncate", this.#path, 0, length);
    const before = this.#inode.loaded.length;
    this.#inode.cached.resize(length);
    this.#record(Math.min(length, before), Math.max(length, before));
  }
  close(): void {
    this.#check(false);
    this.#volume.called("close", this.#path);
    this.#isOpen = false;
  }
  #write(bytes: Uint8Array, at: number, length: number, position: number): void {
    const before = this.#inode.loaded.length;
    this.#inode.cached.write(bytes, at, length, position);
    if (length > 0) this.#record(Math.min(position, before), position + length);
  }
  /** Something changed between these offsets. */
  #record(from: number, to: number): void {
    const { cached, pending } = this.#inode;
    const sector = Math.floor(from / SECTOR_BYTES);
    const bytes = new Uint8Array(Math.ceil(to / SECTOR_BYTES) * SECTOR_BYTES - sector * SECTOR_BYTES);
    bytes.set(
      cached.bytes.subarray(sector * SECTOR_BYTES, Math.min(cached.length, sector * SECTOR_BYTES + bytes.length)),
    );
    pending.push({ number: this.#volume.nextPending(), sector, bytes, length: cached.length });
  }
  #check(toWrite: boolean): void {
    if (!this.#isOpen || (toWrite && !this.#isWritable)) throw volumeError("EBADF", this.#path);
  }
}
