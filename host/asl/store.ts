/**
 * A store: artifacts in a folder, named by what they hold (spec 20). What is put is found by its key once it is on disk; what is read is what was put, or
 * an error. One process writes, any number read.
 */
import { cryptoOf } from "../assets/hash.ts";
import type { IndexTuning } from "./artifact-index.ts";
import { Batch, checkBytes, recordTag, Spill } from "./batch.ts";
import type { Blocks } from "./blocks.ts";
import { CHECKPOINT_FOLDER, type Pin, type Snapshot, writeCurrent } from "./checkpoint.ts";
import { Committer, type Durability } from "./committer.ts";
import { AslError } from "./errors.ts";
import { folderVolume } from "./folder-volume.ts";
import { encodeFormat, FORMAT_FILE, type Format, namesIn, readFormat, replaceWhole } from "./format.ts";
import { EntryKind, EXTENT_BYTES, FRAME_BYTES, type Payload, readEntry } from "./frames.ts";
import { type FsckOptions, type FsckReport, fsckStore, fsckVolume, type RepairOptions } from "./fsck.ts";
import { Group, Held, UNKNOWN } from "./group.ts";
import { Row, RowFlag, RowKind } from "./index-rows.ts";
import {
  type ArtifactKey,
  algorithmNamed,
  algorithmOf,
  copyOf,
  DIGEST_BYTES,
  type Digester,
  digestAt,
  digestInto,
  keyText,
  ParsedKey,
} from "./key.ts";
import { LIMITS, NAME_BYTES, type StoreLimits } from "./limits.ts";
import { type Holder, type Lock, waitForLock, waitForLockSync } from "./lock.ts";
import { LOG_FOLDER, LOG_HEADER_BYTES, LogEnd, logPath, readLog } from "./log.ts";
import { type Owners, processOwners } from "./owner.ts";
import { type RebuildOptions, type RebuildReport, rebuildVolume } from "./rebuild.ts";
import { RecordFlag } from "./record.ts";
import { logBeginning, type Recovered, recover } from "./recovery.ts";
import { identitySteps } from "./snapshot-identity.ts";
import {
  type ArtifactStat,
  type Binding,
  checkName,
  type KeyLike,
  type ListOptions,
  type ReadOptions,
  View,
  type Visibility,
} from "./view.ts";
import type { Volume } from "./volume.ts";

export interface StoreOptions {
  /** Makes a store if there is none; `new` demands that there is none. */
  readonly create?: boolean | "new" | undefined;
  /** Opens for reading: what the store holds now, while another process may write. */
  readonly readOnly?: boolean | undefined;
  /**
   * `group`, the default: what is put within a turn of the event loop, or fills a group, comes to disk together. `each`: within the call. `none`: at
   * `flush` and `close`; a crash keeps a beginning of it.
   */
  readonly durability?: Durability | undefined;
  /** How long to wait for another writer, in milliseconds; 0 by default. */
  readonly waitMs?: number | undefined;
  /** Hears who is waited for. */
  readonly onWaiting?: ((holder: Holder) => void) | undefined;
  /** Of a store that is made: how artifacts are named. `sha256` by default. */
  readonly algorithm?: string | undefined;
  /** Bytes of memory for pages of the index, besides what it needs; 96 MiB by default. */
  readonly indexBytes?: number | undefined;
}

/** What else a store is made of; tests have others. */
export interface StoreParts {
  readonly volume?: Volume | undefined;
  readonly owners?: Owners | undefined;
  readonly random?: ((bytes: number) => Uint8Array) | undefined;
  readonly digest?: Digester | undefined;
  readonly limits?: Partial<StoreLimits> | undefined;
  readonly tuning?: Partial<IndexTuning> | undefined;
  /** False: merges go on in commits only, and not when there is nothing else to do. */
  readonly background?: boolean | undefined;
}

export interface PutOptions {
  /** A number from 0 to 2^32 − 1. */
  readonly typeTag?: number | undefined;
  /** `internal` by default. */
  readonly visibility?: Visibility | undefined;
}

export type PutItem = Uint8Array | (PutOptions & { readonly bytes: Uint8Array });

/** The keys that {@link Store.putMany} answers, in the order of what was put; 32 bytes each. */
export interface KeyList extends Iterable<ArtifactKey> {
  readonly length: number;
  at(index: number): ArtifactKey | undefined;
}

/** One entry of the log. */
export interface LogRecord {
  readonly position: bigint;
  /** Causal height; undefined for entries that have none. */
  readonly logseq: bigint | undefined;
  readonly kind: Payload["kind"];
  readonly visibility: Visibility;
  readonly payload: Payload;
  /** Of the frame that it is in: that and all before it. */
  readonly hash: Uint8Array;
  /** Which entry of the frame it is. */
  readonly index: number;
}

/** A place of the log: what a store holds there is the same for ever. */
export interface SnapshotReference {
  /** Of the last entry. */
  readonly position: number;
  /** SHA-256 of the frame that holds it, and with that of all before it. */
  readonly frameHash: Uint8Array;
}

/** What those need who derive something from the log, and keep it beside it (spec TGK-INDEX). */
export interface Derivation {
  /** The files of the store. */
  readonly volume: Volume;
  readonly format: Format;
  /** What the store held at a position, which may move on. */
  viewAt(at: { readonly position: number }): View;
}

export interface StoreStats {
  readonly domain: string;
  readonly algorithm: string;
  /** Position of the last entry of the log. */
  readonly position: number;
  readonly logseq: number;
  readonly epoch: number;
  readonly snapshots: number;
  readonly pins: number;
  /** Entries of the log that were read when it was opened. */
  readonly recovered: number;
  readonly index: ReturnType<Recovered["index"]["stats"]>;
  readonly log: { readonly files: number; readonly bytes: number };
  readonly blocks: { readonly files: number; readonly bytes: number };
}

const FOLDERS: readonly string[] = [LOG_FOLDER, "blocks", "index", CHECKPOINT_FOLDER];

/** Bytes that one turn of the event loop takes of {@link Store.putMany}. */
const TURN_BYTES: number = 8 * 1024 * 1024;
/** Rows of the index for one turn of the event loop, while nothing is committed: a few milliseconds. */
const TURN_ROWS = 8192;
/** Nothing was committed for so long: then nobody waits for the next commit, most likely. */
const IDLE_MS = 5;

export class Store {
  readonly #volume: Volume;
  readonly #format: Format;
  readonly #recovered: Recovered;
  readonly #blocks: Blocks;
  readonly #committer: Committer | undefined;
  readonly #lock: Lock | undefined;
  readonly #parts: StoreParts;
  readonly #limits: StoreLimits;
  readonly #digest: Digester;
  readonly #durability: Durability;
  /** Where the store is: what {@link #now} shows. */
  readonly #committed: { position: number };
  readonly #now: View;
  readonly #group: Group;
  readonly #key = new ParsedKey();
  readonly #row = new Row();
  /** Settled when the group that is filled now is committed. */
  #pending: Pending | undefined;
  #isScheduled = false;
  #isWorking = false;
  #lastCommit = 0;
  #isClosed = false;
  /** By positions, which stand for the same for ever. */
  readonly #identities = new Map<number, Uint8Array>();

  private constructor(
    volume: Volume,
    format: Format,
    lock: Lock | undefined,
    options: StoreOptions,
    parts: StoreParts,
  ) {
    this.#volume = volume;
    this.#format = format;
    this.#parts = parts;
    this.#limits = { ...LIMITS, ...parts.limits };
    this.#digest = parts.digest ?? digestInto;
    this.#durability = options.durability ?? "group";
    const isReadOnly = lock === undefined;
    this.#recovered = recover(volume, format, {
      isReadOnly,
      limits: this.#limits,
      indexBytes: options.indexBytes,
      tuning: parts.tuning,
      digest: this.#digest,
    });
    const { index, blocks, state, checkpoints, stop } = this.#recovered;
    this.#blocks = blocks;
    const { groupBytes } = this.#limits;
    this.#group = new Group(isReadOnly ? 0 : groupBytes + (groupBytes >> 2), format.seed, this.#digest);
    blocks.committedEnd = (block) =>
      state.openBlocks.find(({ number }) => number === block)?.end ?? Number.POSITIVE_INFINITY;
    this.#committed = { position: state.position };
    this.#now = this.#viewAt(this.#committed);
    if (lock === undefined) return;
    try {
      this.#lock = lock.raise(state.epoch);
      const random = randomOf(parts);
      const log =
        stop.place.offset === 0
          ? LogEnd.create(volume, format, stop.place, random)
          : LogEnd.reopen(volume, format, stop.place, this.#recovered.tail);
      this.#committer = new Committer({
        format,
        blocks,
        index,
        log,
        state,
        checkpoints,
        lock: this.#lock,
        durability: this.#durability,
        limits: this.#limits,
        random,
      });
      this.#recovered.onPublish((...given) => this.#committer!.publish(...given));
      this.#begin(false);
    } catch (error) {
      this.#lock?.release();
      index.close();
      blocks.close();
      throw error;
    }
  }

  /** Opens the store in a folder. Throws an AslError. */
  static async open(dir: string, options: StoreOptions = {}, parts: StoreParts = {}): Promise<Store> {
    const volume = prepare(dir, options, parts);
    if (options.readOnly === true) return Store.#openWith(volume, undefined, options, parts);
    const owners = parts.owners ?? processOwners();
    const lock = await waitForLock(volume, owners, options.waitMs ?? 0, options.onWaiting);
    return Store.#openWith(volume, lock, options, parts);
  }
  /** The same for callers that cannot wait in another way than to stand still. */
  static openSync(dir: string, options: StoreOptions = {}, parts: StoreParts = {}): Store {
    const volume = prepare(dir, options, parts);
    if (options.readOnly === true) return Store.#openWith(volume, undefined, options, parts);
    const owners = parts.owners ?? processOwners();
    const lock = waitForLockSync(volume, owners, options.waitMs ?? 0, options.onWaiting);
    return Store.#openWith(volume, lock, options, parts);
  }
  static #openWith(volume: Volume, lock: Lock | undefined, options: StoreOptions, parts: StoreParts): Store {
    try {
      if (lock !== undefined && isMaking(options)) {
        if (!hasStore(volume)) createStore(volume, options, parts);
        else if (options.create === "new") throw new AslError("ASL-EXISTS", "the folder holds a store");
      }
      const { format } = readFormat(volume);
      return new Store(volume, format, lock, options, parts);
    } catch (error) {
      lock?.release();
      // Of the file system; others are defects.
      const isOfVolume = typeof (error as NodeJS.ErrnoException).code === "string";
      throw isOfVolume ? AslError.from(error, "ASL-READ", "the store cannot be opened") : error;
    }
  }

  /** 16 bytes that tell the store from all others. */
  get domain(): Uint8Array {
    return copyOf(this.#format.domain);
  }
  /** Name of the algorithm of what is put. */
  get algorithm(): string {
    return algorithmOf(this.#format.algorithm).name;
  }
  /** Position of the last entry of the log that is in the store: what is put later has higher ones. */
  get position(): number {
    return this.#now.position;
  }
  /** What the store holds now, as receipts name it: position, and hash of the frame that ends there (spec PER-CONTEXT). */
  get reference(): SnapshotReference {
    this.#checkOpen();
    const { position, hash } = this.#recovered.state.place;
    return { position: position - 1, frameHash: copyOf(hash) };
  }
  get isReadOnly(): boolean {
    return this.#committer === undefined;
  }
  /** Not for programs that use a store. */
  get derivation(): Derivation {
    this.#checkOpen();
    return { volume: this.#volume, format: this.#format, viewAt: (at) => this.#viewAt(at) };
  }

  // What it holds: see View.
  has(key: KeyLike): boolean {
    return this.#now.has(key);
  }
  get(key: KeyLike, options?: ReadOptions): Uint8Array | undefined {
    return this.#now.get(key, options);
  }
  read(key: KeyLike, offset: number, length: number, options?: ReadOptions): Uint8Array | undefined {
    return this.#now.read(key, offset, length, options);
  }
  readInto(
    key: KeyLike,
    into: Uint8Array,
    at?: number,
    offset?: number,
    length?: number,
    options?: ReadOptions,
  ): number {
    return this.#now.readInto(key, into, at, offset, length, options);
  }
  stream(key: KeyLike, options?: Parameters<View["stream"]>[1]): AsyncIterable<Uint8Array> | undefined {
    return this.#now.stream(key, options);
  }
  stat(key: KeyLike): ArtifactStat | undefined {
    return this.#now.stat(key);
  }
  list(options?: ListOptions): IterableIterator<ArtifactStat> {
    return this.view().list(options);
  }
  resolve(namespace: number, name: Uint8Array): ArtifactKey | undefined {
    return this.#now.resolve(namespace, name);
  }
  resolveBytes(namespace: number, name: Uint8Array): Uint8Array | undefined {
    return this.#now.resolveBytes(namespace, name);
  }
  bindings(namespace?: number): IterableIterator<Binding> {
    return this.view().bindings(namespace);
  }

  /** What the store holds now, and goes on to hold whatever is written. */
  view(): View {
    return this.#viewAt({ position: this.#now.position });
  }
  #viewAt(at: { readonly position: number }): View {
    const { index, state } = this.#recovered;
    const check = (): void => this.#checkOpen();
    return new View(index, this.#blocks, this.#format.seed, at, check, () => state.lastTombstone);
  }
  /** What it held when the snapshot was taken. Throws ASL-NOT-FOUND. */
  at(name: string): View {
    return this.#viewAt({ position: this.#snapshot(name).position });
  }
  /** Digest of what a snapshot shows: the same for stores that were fed the same in the same order (spec ASL-SNAP). One pass over it, the first time. */
  async snapshotIdentity(
    name: string,
    { onProgress }: { readonly onProgress?: ((rows: number) => void) | undefined } = {},
  ): Promise<Uint8Array> {
    const { position } = this.#snapshot(name);
    let identity = this.#identities.get(position);
    if (identity === undefined) {
      const steps = identitySteps(this.#recovered.index, position);
      let next = steps.next();
      for (; next.done !== true; next = steps.next()) {
        onProgress?.(next.value);
        await new Promise((resolve) => setImmediate(resolve));
      }
      identity = next.value;
      this.#identities.set(position, identity);
    }
    return copyOf(identity);
  }
  snapshots(): Snapshot[] {
    this.#checkOpen();
    return Array.from(this.#recovered.state.snapshots.values(), snapshotCopy);
  }
  #snapshot(name: string): Snapshot {
    this.#checkOpen();
    const snapshot = this.#recovered.state.snapshots.get(name);
    if (snapshot === undefined) throw new AslError("ASL-NOT-FOUND", `there is no snapshot ${JSON.stringify(name)}`);
    return snapshot;
  }

  /**
   * Puts an artifact; the answer is its key, once it is on disk. The same bytes with the same tag and visibility are put once. Throws
   * ASL-ARGUMENT, ASL-READ-ONLY, ASL-CLOSED, ASL-POISONED, ASL-NO-SPACE or ASL-WRITE.
   */
  async put(bytes: Uint8Array, options: PutOptions = {}): Promise<ArtifactKey> {
    checkBytes(bytes);
    if (bytes.length > this.#limits.packedBytes) return this.#putLarge(whole(bytes, bytes.length), options);
    const digest = Buffer.allocUnsafe(DIGEST_BYTES);
    this.#stage(bytes, options.typeTag, options.visibility, digest, 0);
    const key = keyText(this.#format.algorithm, digest);
    await this.#settled();
    return key;
  }
  /** Puts what comes, a group at a time; the answer is their keys, in order, once all are on disk. */
  async putMany(items: Iterable<PutItem> | AsyncIterable<PutItem>): Promise<KeyList> {
    const keys = new Keys(this.#format.algorithm);
    let turn = 0;
    /** What the last item went to. Somebody else may commit it while this waits, and fail. */
    let pending: Pending | undefined;
    const put = (item: PutItem): Promise<void> | undefined => {
      const isBare = item instanceof Uint8Array;
      const bytes = isBare ? item : item?.bytes;
      checkBytes(bytes);
      const { length } = bytes;
      if (length > this.#limits.packedBytes)
        return this.#putLarge(whole(bytes, length), isBare ? {} : item).then((key) => keys.addText(key));
      const at = keys.reserve();
      if (isBare) this.#stage(bytes, undefined, undefined, keys.bytes, at);
      else this.#stage(bytes, item.typeTag, item.visibility, keys.bytes, at);
      keys.length++;
      pending = this.#pending;
      turn += length + 64;
      if (turn < TURN_BYTES) return undefined;
      turn = 0;
      return new Promise((resolve) => setImmediate(resolve));
    };
    checkObject(items, "artifacts");
    if (Symbol.iterator in items) {
      for (const item of items) {
        const later = put(item);
        if (later === undefined) continue;
        await later;
        if (pending !== this.#pending) await pending?.promise;
      }
    } else {
      for await (const item of items) {
        if (pending !== this.#pending) await pending?.promise;
        await put(item);
      }
    }
    if (pending !== undefined && pending === this.#pending) this.#commit();
    await pending?.promise;
    return keys;
  }
  /** Puts an artifact of any length, with memory for a piece of it. */
  async writeStream(
    pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    options: PutOptions = {},
  ): Promise<ArtifactKey> {
    this.#checkWritable();
    checkObject(pieces, "a stream of bytes");
    const { packedBytes } = this.#limits;
    const held: Uint8Array[] = [];
    let length = 0;
    const iterator = Symbol.asyncIterator in pieces ? pieces[Symbol.asyncIterator]() : pieces[Symbol.iterator]();
    let isOver = false;
    try {
      while (length <= packedBytes) {
        const { done, value } = await iterator.next();
        if (done === true) {
          isOver = true;
          break;
        }
        checkBytes(value);
        held.push(copyOf(value));
        length += value.length;
      }
      if (isOver) return await this.put(Buffer.concat(held), options);
      const rest = async function* (): AsyncIterable<Uint8Array> {
        yield* held.splice(0);
        for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) {
          checkBytes(next.value);
          yield next.value;
        }
        isOver = true;
      };
      return await this.#putLarge(rest(), options);
    } finally {
      if (!isOver) await iterator.return?.();
    }
  }

  /** Removes an artifact: all its records; false if there is none. What snapshots hold they go on to hold. */
  async remove(key: KeyLike): Promise<boolean> {
    const group = this.#writable(false);
    const { algorithm, bytes, at } = this.#key.parse(key);
    const held = group.find(algorithm, bytes, at, 0, 0);
    if (held === Held.TOMBSTONE) return false;
    if (held === Held.NOTHING && !this.#now.has(key)) return false;
    this.#key.parse(key);
    group.remove(algorithm, bytes, at);
    await this.#added();
    return true;
  }
  /** Binds a name of 32 bytes to an artifact that is there; the latest binding counts. */
  async bind(namespace: number, name: Uint8Array, key: KeyLike): Promise<void> {
    const group = this.#writable(false);
    checkName(namespace, name);
    const { algorithm, bytes, at } = this.#key.parse(key);
    const digest = digestAt(bytes, at);
    const held = group.find(algorithm, digest, 0, 0, 0);
    if (held === Held.TOMBSTONE || (held === Held.NOTHING && !this.#now.has(key)))
      throw new AslError("ASL-NOT-FOUND", "there is no such artifact to bind to", { key: keyText(algorithm, digest) });
    group.add({ kind: "binding", namespace, name: digestAt(name), algorithm, digest, logseq: group.logseq + 1 });
    await this.#added();
  }
  /** Removes a binding; false if there is none. */
  async unbind(namespace: number, name: Uint8Array): Promise<boolean> {
    // What is bound may be about to be.
    this.flush();
    const group = this.#writable(false);
    if (this.#now.resolve(namespace, name) === undefined) return false;
    group.add({
      kind: "binding",
      namespace,
      name: digestAt(name),
      algorithm: 0,
      digest: undefined,
      logseq: group.logseq + 1,
    });
    await this.#added();
    return true;
  }
  /** Names what the store holds now. Throws ASL-EXISTS, or ASL-ARGUMENT for a name that is empty or over 255 bytes. */
  async snapshot(name: string): Promise<Snapshot> {
    this.#enter(name, this.#recovered.state.snapshots, false, { kind: "snapshot", name });
    return snapshotCopy(this.#snapshot(name));
  }
  /** Throws ASL-NOT-FOUND. */
  async dropSnapshot(name: string): Promise<void> {
    this.#enter(name, this.#recovered.state.snapshots, true, { kind: "drop", what: "snapshot", name });
  }
  /** Keeps an artifact from being collected, whatever else refers to it. Throws ASL-NOT-FOUND and ASL-EXISTS. */
  async pin(key: KeyLike, label: string): Promise<void> {
    this.flush();
    const { algorithm, bytes, at } = this.#key.parse(key);
    const digest = digestAt(bytes, at);
    if (!this.#now.has(key))
      throw new AslError("ASL-NOT-FOUND", "there is no such artifact", { key: keyText(algorithm, digest) });
    this.#enter(label, this.#recovered.state.pins, false, { kind: "pin", algorithm, digest, label });
  }
  /** Throws ASL-NOT-FOUND. */
  async unpin(label: string): Promise<void> {
    this.#enter(label, this.#recovered.state.pins, true, { kind: "drop", what: "pin", name: label });
  }
  pins(): { readonly label: string; readonly key: ArtifactKey }[] {
    this.#checkOpen();
    const pins: Iterable<Pin> = this.#recovered.state.pins.values();
    return Array.from(pins, ({ label, algorithm, digest }) => ({ label, key: keyText(algorithm, digest) }));
  }
  /** An entry about something with a name, on disk when this returns. */
  #enter(name: string, among: ReadonlyMap<string, unknown>, isThere: boolean, payload: Payload): void {
    this.flush();
    const bytes = Buffer.from(typeof name === "string" ? name : "", "utf8");
    if (bytes.length === 0 || bytes.length > NAME_BYTES || bytes.toString("utf8") !== name)
      throw new AslError("ASL-ARGUMENT", `a name of 1 to ${NAME_BYTES} bytes in UTF-8 was expected`);
    if (among.has(name) !== isThere)
      throw isThere
        ? new AslError("ASL-NOT-FOUND", `there is none of the name ${JSON.stringify(name)}`)
        : new AslError("ASL-EXISTS", `there is one of the name ${JSON.stringify(name)}`);
    this.#writable(false).add(payload);
    this.#pending ??= settleable();
    this.#commit();
  }

  /**
   * Copies artifacts to a published block of their own, which is sealed: other domains may see them. What is published stays so. The answer is how many
   * records were. Throws ASL-NOT-FOUND.
   */
  async publish(keys: Iterable<KeyLike>): Promise<number> {
    checkObject(keys, "keys");
    this.flush();
    this.#checkWritable();
    const { index, state } = this.#recovered;
    const group = new Group(1 << 16, this.#format.seed, this.#digest);
    const spill = new Spill(this.#blocks, true);
    const own: { discard(): void; sync(): void }[] = [];
    // Others may commit while large ones are copied.
    group.begin(UNKNOWN, 0, true);
    try {
      for (const key of keys) {
        const { algorithm, bytes, at } = this.#key.parse(key);
        const digest = digestAt(bytes, at);
        const text = keyText(algorithm, digest);
        const rows = index.rowsOf(false, algorithm, digest, 0, this.#now.position);
        const end = rows.findIndex(({ kind }) => kind === RowKind.TOMBSTONE);
        const seen = rows.slice(0, end < 0 ? rows.length : end).reverse();
        if (seen.length === 0) throw new AslError("ASL-NOT-FOUND", "there is no such artifact", { key: text });
        for (const row of seen) {
          if ((row.flags & RowFlag.PUBLISHED) !== 0) continue;
          const flags = row.flags & RowFlag.HAS_TAG;
          const held = group.find(algorithm, digest, 0, flags, row.tag);
          if (held === Held.RECORD) continue;
          const known = index.findRecord(
            this.#row,
            algorithm,
            digest,
            0,
            flags | RowFlag.PUBLISHED,
            row.tag,
            this.#now.position,
          );
          if (known === 2) continue;
          const kind = EntryKind.PUBLISH;
          const published = seen.find((other) => (other.flags & RowFlag.PUBLISHED) !== 0);
          if (held === Held.OTHER_RECORD)
            group.putAt(kind, flags, algorithm, digest, 0, row.tag, row.logseq, group.foundPlace());
          else if (published !== undefined)
            group.putAt(kind, flags, algorithm, digest, 0, row.tag, row.logseq, published);
          else if (row.length > this.#limits.packedBytes) {
            const written = await this.#blocks.copy(row, digest, 0, true, flags, row.tag);
            own.push(written);
            written.finish(UNKNOWN, row.logseq);
            group.putAt(kind, flags, algorithm, digest, 0, row.tag, row.logseq, written);
          } else {
            const payload = this.#blocks.get(row, digest, 0, true);
            group.digest(algorithm, payload);
            group.put(kind, algorithm, payload, flags | RecordFlag.PUBLISHED, row.tag, row.logseq);
            if (group.length > this.#limits.groupBytes) spill.take(group);
          }
        }
      }
      if (group.count === 0) return 0;
      // The artifacts lie in a block of their own however few they are.
      spill.take(group);
      for (const written of own) written.sync();
      this.#exclusively(() => {
        const { place, logseq } = state;
        const now = place.position - 1;
        group.number(place.position, logseq, (digest, at, algorithm, flags, tag) => {
          const isThere = (wanted: number): boolean =>
            index.findRecord(this.#row, algorithm, digest, at, wanted, tag, now) === 2;
          // Somebody published it, or removed it, meanwhile.
          return isThere(flags | RowFlag.PUBLISHED) || !isThere(flags);
        });
        if (group.count > 0) this.#committer!.commit(group, spill.seal());
      });
      if (group.count === 0) {
        spill.discard();
        for (const written of own) written.discard();
      }
      return group.count;
    } catch (error) {
      if (this.#committer?.isPoisoned !== true) {
        spill.discard();
        for (const written of own) written.discard();
      }
      throw error;
    }
  }

  /** Begins what is committed together, synchronously. */
  batch(): Batch {
    this.#checkOpen();
    return new Batch({
      algorithm: this.#format.algorithm,
      limits: this.#limits,
      blocks: this.#blocks,
      index: this.#recovered.index,
      committer: this.#committer,
      view: this.view(),
      group: new Group(1 << 12, this.#format.seed, this.#digest),
      check: () => this.#checkOpen(),
      exclusively: (act) => this.#exclusively(act),
    });
  }

  /** Entries of the log, in order, from a position on. Throws ASL-LOG-DAMAGED where it is not whole. */
  *log({ from = 0n }: { readonly from?: bigint | number } = {}): IterableIterator<LogRecord> {
    this.flush();
    if (typeof from !== "bigint" && !Number.isInteger(from))
      throw new AslError("ASL-ARGUMENT", `the position is ${from}; an integer was expected`);
    const start = Number(from);
    const last = this.#now.position;
    const reading = readLog(this.#volume, this.#format, logBeginning(this.#format));
    let next = reading.next();
    for (; next.done !== true; next = reading.next()) {
      const { header, hash, bytes, at } = next.value;
      if (header.firstPosition > last) {
        reading.return(undefined as never);
        return;
      }
      if (header.firstPosition + header.entries <= start) continue;
      const visibility = header.isPublished ? "published" : "internal";
      let entry = at + FRAME_BYTES + header.extents * EXTENT_BYTES;
      for (let index = 0; index < header.entries; index++) {
        const size = bytes.readUInt32LE(entry + 4);
        const position = header.firstPosition + index;
        const payload = readEntry(bytes, entry, size, logPath(header.log), header.offset + entry - at);
        entry += size;
        if (position < start) continue;
        const logseq = "logseq" in payload ? BigInt(payload.logseq) : undefined;
        yield {
          position: BigInt(position),
          logseq,
          kind: payload.kind,
          visibility,
          payload,
          hash: copyOf(hash),
          index,
        };
        this.#checkOpen();
      }
    }
    const { place, reason } = next.value;
    if (place.position <= last)
      throw new AslError("ASL-LOG-DAMAGED", reason ?? "the log is shorter than it was", {
        file: logPath(place.number),
        offset: place.offset,
      });
  }

  stats(): StoreStats {
    this.#checkOpen();
    const { state, index } = this.#recovered;
    const filesOf = (folder: string): { files: number; bytes: number } => {
      let bytes = 0;
      const names = this.#volume.list(folder);
      for (const name of names) {
        const file = this.#volume.open(`${folder}/${name}`, "read");
        bytes += file.size();
        file.close();
      }
      return { files: names.length, bytes };
    };
    return {
      domain: Buffer.from(this.#format.domain).toString("hex"),
      algorithm: algorithmOf(this.#format.algorithm).name,
      position: this.#now.position,
      logseq: state.logseq,
      epoch: state.epoch,
      snapshots: state.snapshots.size,
      pins: state.pins.size,
      recovered: this.#recovered.replayed,
      index: index.stats(),
      log: filesOf(LOG_FOLDER),
      blocks: filesOf("blocks"),
    };
  }

  /**
   * Compares all that is on disk with what the log says of it; `deep` every artifact with its key. Nothing is changed: repairs are for a store that
   * nobody has open ({@link Store.fsck}).
   */
  async fsck({ repair = false, ...options }: FsckOptions & { readonly repair?: boolean } = {}): Promise<FsckReport> {
    if (repair)
      throw new AslError(
        "ASL-ARGUMENT",
        "a store is repaired when it is closed: by Store.fsck, or ashlar store fsck --repair",
      );
    this.flush();
    const { index, state } = this.#recovered;
    return await fsckStore(
      {
        volume: this.#volume,
        format: this.#format,
        limits: this.#limits,
        digest: this.#digest,
        index,
        end: state.place,
      },
      options,
    );
  }
  /** The same of a store that nobody has open, also of one that cannot be opened; `repair` mends what can be without guessing. */
  static async fsck(dir: string, options: RepairOptions = {}, parts: StoreParts = {}): Promise<FsckReport> {
    return await fsckVolume(parts.volume ?? folderVolume(dir), parts.owners ?? processOwners(), options);
  }

  /** Makes a store again from what its files hold of artifacts, when its log is beyond repair; says what that cannot tell. */
  static async rebuild(dir: string, options: RebuildOptions = {}, parts: StoreParts = {}): Promise<RebuildReport> {
    return await rebuildVolume(parts.volume ?? folderVolume(dir), parts.owners ?? processOwners(), options);
  }

  /** Has all that was put on disk when it returns. */
  flush(): void {
    this.#checkOpen();
    if (this.#committer === undefined) return;
    if (this.#pending !== undefined) this.#commit();
    this.#committer.sync();
  }
  /** Flushes, and lets others write. Throws ASL-POISONED, after that, if something that was put may not be on disk. */
  async close(): Promise<void> {
    this.closeSync();
  }
  closeSync(): void {
    if (this.#isClosed) return;
    try {
      if (this.#committer !== undefined) {
        this.#committer.check();
        if (this.#pending !== undefined) this.#commit();
        this.#committer.close();
      }
    } finally {
      this.#isClosed = true;
      this.#committer?.closeLog();
      this.#recovered.index.close();
      this.#blocks.close();
      this.#lock?.release();
    }
  }

  /** Adds an artifact that is not large to the group, if the store does not have it; its digest comes to `into` at `to`. */
  #stage(
    bytes: Uint8Array,
    typeTag: number | undefined,
    visibility: Visibility | undefined,
    into: Uint8Array,
    to: number,
  ): void {
    const isPublished = isPublic(visibility);
    const { flags, tag } = typeTag === undefined ? NO_TAG : recordTag(typeTag);
    const group = this.#writable(isPublished);
    const { algorithm } = this.#format;
    group.digest(algorithm, bytes);
    const at = group.digestAt;
    for (let k = 0; k < DIGEST_BYTES; k++) into[to + k] = group.bytes[at + k]!;
    if (this.#addKnown(group, group.bytes, at, flags, tag, isPublished)) return;
    group.put(
      EntryKind.PUT,
      algorithm,
      bytes,
      isPublished ? flags | RecordFlag.PUBLISHED : flags,
      tag,
      group.logseq + 1,
    );
    this.#schedule();
  }
  /** Whether the artifact is in the store or the group; then this record is, if it was not. */
  #addKnown(group: Group, digest: Uint8Array, at: number, flags: number, tag: number, isPublished: boolean): boolean {
    const { algorithm } = this.#format;
    const { index } = this.#recovered;
    const held = group.find(algorithm, digest, at, flags, tag);
    if (held === Held.RECORD) return true;
    const wanted = isPublished ? flags | RowFlag.PUBLISHED : flags;
    const found =
      held === Held.TOMBSTONE ? 0 : index.findRecord(this.#row, algorithm, digest, at, wanted, tag, this.#now.position);
    if (found === 2) return true;
    const isShared = found === 1 && ((this.#row.flags & RowFlag.PUBLISHED) !== 0) === isPublished;
    if (held === Held.OTHER_RECORD) group.putAgain(flags, algorithm, tag, group.logseq + 1);
    else if (isShared) group.putAt(EntryKind.PUT, flags, algorithm, digest, at, tag, group.logseq + 1, this.#row);
    else return false;
    this.#schedule();
    return true;
  }
  async #putLarge(
    pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
    { typeTag, visibility }: PutOptions,
  ): Promise<ArtifactKey> {
    this.#checkWritable();
    const { algorithm } = this.#format;
    const { flags, tag } = recordTag(typeTag);
    const isPublished = isPublic(visibility);
    const recordFlags = isPublished ? flags | RecordFlag.PUBLISHED : flags;
    const written = await this.#blocks.writeOwn(pieces, { algorithm, flags: recordFlags, tag });
    try {
      const group = this.#writable(isPublished);
      const key = keyText(algorithm, written.digest);
      if (this.#addKnown(group, written.digest, 0, flags, tag, isPublished)) written.discard();
      else {
        written.finish(group.nextPosition, group.logseq + 1);
        written.sync();
        group.putAt(EntryKind.PUT, flags, algorithm, written.digest, 0, tag, group.logseq + 1, written);
        this.#schedule();
      }
      await this.#settled();
      return key;
    } catch (error) {
      if (this.#committer?.isPoisoned !== true) written.discard();
      throw error;
    }
  }

  /** The group that takes entries of this visibility. */
  #writable(isPublished: boolean): Group {
    this.#checkWritable();
    const group = this.#group;
    if (group.isPublished !== isPublished) {
      if (this.#pending !== undefined) this.#commit();
      this.#begin(isPublished);
    }
    return group;
  }
  #begin(isPublished: boolean): void {
    const { place, logseq, position } = this.#recovered.state;
    this.#group.begin(place.position, logseq, isPublished);
    this.#committed.position = position;
  }
  /** Something was added to the group. */
  #schedule(): void {
    this.#pending ??= settleable();
    if (this.#durability === "each" || this.#group.length >= this.#limits.groupBytes) this.#commit();
    else if (!this.#isScheduled) {
      this.#isScheduled = true;
      setImmediate(() => {
        this.#isScheduled = false;
        if (this.#pending === undefined || this.#isClosed) return;
        try {
          this.#commit();
        } catch {
          // Those hear of it who wait.
        }
      });
    }
  }
  async #added(): Promise<void> {
    this.#schedule();
    await this.#settled();
  }
  /** When what was added is on disk. */
  #settled(): Promise<void> | undefined {
    return this.#pending?.promise;
  }
  #commit(): void {
    const pending = this.#pending!;
    this.#pending = undefined;
    try {
      this.#committer!.commit(this.#group);
      pending.resolve();
    } catch (error) {
      pending.reject(error);
      throw error;
    } finally {
      this.#begin(this.#group.isPublished);
      this.#work();
    }
  }
  /** Runs something that commits by itself. */
  #exclusively(act: () => void): void {
    this.#checkWritable();
    if (this.#pending !== undefined) this.#commit();
    try {
      act();
    } finally {
      this.#begin(this.#group.isPublished);
      this.#work();
    }
  }
  /** Goes on with merges while nothing is committed. */
  #work(): void {
    this.#lastCommit = performance.now();
    if (this.#isWorking || this.#parts.background === false || this.#recovered.index.debt === 0) return;
    this.#isWorking = true;
    const turn = (): void => {
      if (this.#isClosed || this.#committer!.isPoisoned) return;
      if (performance.now() - this.#lastCommit >= IDLE_MS) this.#committer!.work(TURN_ROWS);
      if (this.#recovered.index.debt > 0) setTimeout(turn, 1).unref();
      else this.#isWorking = false;
    };
    setTimeout(turn, IDLE_MS).unref();
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new AslError("ASL-CLOSED", "the store is closed");
  }
  #checkWritable(): void {
    this.#checkOpen();
    if (this.#committer === undefined) throw new AslError("ASL-READ-ONLY", "the store was opened for reading");
    this.#committer.check();
  }
}

/** Whoever asks may change it. */
function snapshotCopy(snapshot: Snapshot): Snapshot {
  return { ...snapshot, frameHash: copyOf(snapshot.frameHash) };
}

/** Something that can be gone through; what it yields is looked at when it comes. */
function checkObject(value: object, expected: string): void {
  if (typeof value !== "object" || value === null || !(Symbol.iterator in value || Symbol.asyncIterator in value))
    throw new AslError("ASL-ARGUMENT", `${expected} in something iterable was expected`);
}

function isPublic(visibility: Visibility | undefined): boolean {
  if (visibility === undefined || visibility === "internal") return false;
  if (visibility === "published") return true;
  throw new AslError("ASL-ARGUMENT", "the visibility is neither internal nor published");
}

/** Bytes that are there for as long as they are read. */
function* whole(bytes: Uint8Array, length: number): Generator<Uint8Array> {
  if (bytes.length === length) yield bytes;
  if (bytes.length !== length)
    throw new AslError("ASL-ARGUMENT", `the artifact had ${length} bytes and has ${bytes.length} before it is put`);
}

const NO_TAG = { flags: 0, tag: 0 } as const;

class Keys implements KeyList {
  readonly #algorithm: number;
  bytes: Buffer = Buffer.allocUnsafe(1 << 12);
  length = 0;

  constructor(algorithm: number) {
    this.#algorithm = algorithm;
  }
  /** Has room for one more digest; answers where. */
  reserve(): number {
    const to = this.length * DIGEST_BYTES;
    if (to === this.bytes.length) {
      const larger = Buffer.allocUnsafe(2 * to);
      this.bytes.copy(larger);
      this.bytes = larger;
    }
    return to;
  }
  addText(key: ArtifactKey): void {
    const to = this.reserve();
    const { bytes, at } = new ParsedKey().parse(key);
    this.bytes.set(bytes.subarray(at, at + DIGEST_BYTES), to);
    this.length++;
  }
  at(index: number): ArtifactKey | undefined {
    const at = index < 0 ? index + this.length : index;
    return at >= 0 && at < this.length ? keyText(this.#algorithm, this.bytes, at * DIGEST_BYTES) : undefined;
  }
  *[Symbol.iterator](): Iterator<ArtifactKey> {
    for (let k = 0; k < this.length; k++) yield this.at(k)!;
  }
}

interface Pending {
  readonly promise: Promise<void>;
  resolve(): void;
  reject(reason: unknown): void;
}

/** A promise that nobody may wait for. */
function settleable(): Pending {
  let resolve!: () => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  promise.catch(() => {});
  return { promise, resolve, reject };
}

function randomOf({ random }: StoreParts): (bytes: number) => Uint8Array {
  return random ?? ((bytes) => cryptoOf().randomBytes(bytes));
}

function isMaking({ create }: StoreOptions): boolean {
  return create === true || create === "new";
}

function hasStore(volume: Volume): boolean {
  return volume.list("").includes(FORMAT_FILE);
}

function checkOptions({ create, durability, waitMs, indexBytes }: StoreOptions): void {
  const refuse = (name: string, value: unknown): never => {
    throw new AslError("ASL-ARGUMENT", `the option ${name} cannot be ${String(value)}`);
  };
  if (create !== undefined && typeof create !== "boolean" && create !== "new") refuse("create", create);
  if (durability !== undefined && !["group", "each", "none"].includes(durability)) refuse("durability", durability);
  if (waitMs !== undefined && !(typeof waitMs === "number" && waitMs >= 0)) refuse("waitMs", waitMs);
  if (indexBytes !== undefined && !(typeof indexBytes === "number" && indexBytes >= 0))
    refuse("indexBytes", indexBytes);
}

/** The folder of a store that is there, or can be made. Nothing of it is changed when this throws. */
function prepare(dir: string, options: StoreOptions, { volume = folderVolume(dir) }: StoreParts): Volume {
  checkOptions(options);
  const isMade = isMaking(options);
  if (isMade && options.readOnly === true)
    throw new AslError("ASL-ARGUMENT", "a store that is opened for reading cannot be made");
  try {
    if (isMade) volume.makeFolder("");
    const names = volume.list("");
    if (names.includes(FORMAT_FILE)) return volume;
    if (!isMade) throw new AslError("ASL-NO-STORE", `${dir} holds no store`, {});
    const foreign = names.find((name) => !FOLDERS.includes(name) && !/^(LOCK|CURRENT|FORMAT|tgk)\b/.test(name));
    if (foreign !== undefined)
      throw new AslError("ASL-NO-STORE", `${dir} holds no store, but ${foreign}: a store is made in an empty folder`);
    const lost = FOLDERS.find((folder) => names.includes(folder) && !isBarelyBegun(volume, folder));
    if (lost === undefined) return volume;
    throw new AslError(
      "ASL-FORMAT",
      `${lost} holds files of a store whose ${FORMAT_FILE} is gone: ashlar store rebuild`,
      {
        file: FORMAT_FILE,
      },
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT")
      throw new AslError("ASL-NO-STORE", `there is no folder ${dir}`, {}, error);
    throw AslError.from(error, isMade ? "ASL-WRITE" : "ASL-READ", "the store cannot be opened", {
      file: dir,
    });
  }
}

/** Whether a folder holds no more than the making of a store that was cut short leaves: nothing was put yet. */
function isBarelyBegun(volume: Volume, folder: string): boolean {
  return namesIn(volume, folder).every((name) => {
    if (`${folder}/${name}` !== logPath(1)) return false;
    const file = volume.open(logPath(1), "read");
    const size = file.size();
    file.close();
    return size <= LOG_HEADER_BYTES;
  });
}

/** Makes an empty store; FORMAT comes last, so there is a store when all of it is there. */
function createStore(volume: Volume, { algorithm = "sha256" }: StoreOptions, parts: StoreParts): void {
  const random = randomOf(parts);
  const seed = Buffer.from(random(4)).readUInt32LE();
  const format: Format = { domain: Uint8Array.from(random(16)), seed, algorithm: algorithmNamed(algorithm).number };
  try {
    for (const folder of FOLDERS) {
      volume.makeFolder(folder);
      // What an attempt that was cut short left.
      for (const name of volume.list(folder)) volume.remove(`${folder}/${name}`);
    }
    const log = LogEnd.create(volume, format, logBeginning(format), random);
    const { place } = log;
    log.close();
    writeCurrent(volume, format, { checkpoint: 0, digest: new Uint8Array(DIGEST_BYTES), place, end: place });
    replaceWhole(volume, FORMAT_FILE, encodeFormat(format), "");
  } catch (error) {
    throw AslError.from(error, "ASL-WRITE", "the store cannot be made");
  }
}
