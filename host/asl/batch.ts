/**
 * What is committed together or not at all (spec ASL-CORE-BATCH): staged synchronously, and readable here at once. What is too much for memory is staged in
 * blocks of its own, which go with it.
 */
import { digestOf } from "../assets/hash.ts";
import type { ArtifactIndex } from "./artifact-index.ts";
import type { Blocks } from "./blocks.ts";
import type { Committer } from "./committer.ts";
import { AslError } from "./errors.ts";
import { EntryKind, type Extent } from "./frames.ts";
import { type Group, Held, UNKNOWN } from "./group.ts";
import { Row, RowFlag, RowKind } from "./index-rows.ts";
import { type ArtifactKey, DIGEST_BYTES, keyText, multihash, ParsedKey } from "./key.ts";
import type { StoreLimits } from "./limits.ts";
import type { PackedBlock } from "./packed-block.ts";
import { RecordFlag } from "./record.ts";
import { type ArtifactStat, checkName, type KeyLike, type ListOptions, type ReadOptions, type View } from "./view.ts";

export interface StageOptions {
  /** A number from 0 to 2^32 − 1. */
  readonly typeTag?: number | undefined;
  /** Causal height, raised above that of the artifact's latest tombstone (spec ASL-CORE-LOGSEQ-1). By default one more than all that is there. */
  readonly logseq?: number | undefined;
}

/** What was staged. */
export class Staged {
  /** The key as a multihash. */
  readonly keyBytes: Uint8Array;
  readonly length: number;
  /** False: the very record was there, or staged. */
  readonly isNew: boolean;

  constructor(keyBytes: Uint8Array, length: number, isNew: boolean) {
    this.keyBytes = keyBytes;
    this.length = length;
    this.isNew = isNew;
  }
  get key(): ArtifactKey {
    const { algorithm, bytes, at } = parsedKey.parse(this.keyBytes);
    return keyText(algorithm, bytes, at);
  }
}
const parsedKey = new ParsedKey();

/** Takes an artifact whose length is not known. */
export interface StageWriter {
  /** Takes all of it, which may change when this returns; or throws, and is as before. */
  write(bytes: Uint8Array): void;
  /** The artifact is staged, and can be read. */
  finish(): Staged;
  /** Nothing becomes of it. */
  discard(): void;
}

export interface BatchParts {
  readonly algorithm: number;
  readonly limits: StoreLimits;
  readonly blocks: Blocks;
  readonly index: ArtifactIndex;
  /** Undefined in a store that was opened for reading. */
  readonly committer: Committer | undefined;
  /** What the store holds now. */
  readonly view: View;
  readonly group: Group;
  /** Throws when the store is closed. */
  readonly check: () => void;
  /** Commits what comes before, and then runs this. */
  readonly exclusively: (act: () => void) => void;
}

/** Flags and tag of a record, as the log has them. */
export function recordTag(typeTag: number | undefined): { flags: number; tag: number } {
  if (typeTag === undefined) return { flags: 0, tag: 0 };
  if (!Number.isInteger(typeTag) || typeTag < 0 || typeTag > 0xffff_ffff)
    throw new AslError("ASL-ARGUMENT", `the type tag is ${typeTag}; an integer from 0 to 2^32 - 1 was expected`);
  return { flags: RecordFlag.HAS_TAG, tag: typeTag };
}

/** Bytes that can be put. */
export function checkBytes(bytes: Uint8Array): void {
  if (!(bytes instanceof Uint8Array)) throw new AslError("ASL-ARGUMENT", "bytes in an Uint8Array were expected");
  // Bytes that were given away look like none.
  if (bytes.length === 0 && (bytes.buffer as { readonly detached?: boolean }).detached === true)
    throw new AslError("ASL-ARGUMENT", "the bytes were transferred to somebody else");
}

/** The next ones are one more: there has to be room for them. */
const MOST_LOGSEQ = 2 ** 52;

function checkLogseq(logseq: number | undefined): void {
  if (logseq !== undefined && !(Number.isInteger(logseq) && logseq >= 1 && logseq <= MOST_LOGSEQ))
    throw new AslError("ASL-ARGUMENT", `the logseq is ${logseq}; an integer from 1 to 2^52 was expected`);
}

/** Records of a group that are too much for memory, in a block that is theirs. */
export class Spill {
  readonly #blocks: Blocks;
  readonly #isPublished: boolean;
  readonly #extents: Extent[] = [];
  #block: PackedBlock | undefined;
  readonly #all: PackedBlock[] = [];

  constructor(blocks: Blocks, isPublished: boolean) {
    this.#blocks = blocks;
    this.#isPublished = isPublished;
  }
  take(group: Group): void {
    group.moveRecords((bytes, length) => {
      if (this.#block === undefined || this.#block.isFull) {
        this.#block?.seal();
        this.#block = this.#blocks.createPacked(this.#isPublished);
        this.#all.push(this.#block);
      }
      const start = this.#block.append(bytes, 0, length);
      const digest = digestOf(bytes.subarray(0, length));
      this.#extents.push({ block: this.#block.number, start, end: start + length, digest, isSealed: true });
      return { block: this.#block.number, offset: start };
    });
  }
  /** On disk, and nothing comes behind it. */
  seal(): readonly Extent[] {
    this.#block?.seal();
    this.#block = undefined;
    return this.#extents;
  }
  discard(): void {
    for (const block of this.#all) block.discard();
    this.#all.length = 0;
  }
}

export class Batch {
  readonly #parts: BatchParts;
  readonly #group: Group;
  readonly #spill: Spill;
  /** Blocks of large artifacts, which go if the batch does. */
  readonly #own: { discard(): void; sync(): void }[] = [];
  readonly #writers = new Set<Writer>();
  /**
   * Records that the store had when they were staged, each once: the digest as latin1, flags and tag. Somebody may remove them before this is
   * committed.
   */
  readonly #relied = new Set<string>();
  readonly #key = new ParsedKey();
  readonly #row = new Row();
  #isOver = false;

  constructor(parts: BatchParts) {
    this.#parts = parts;
    this.#group = parts.group;
    this.#group.begin(UNKNOWN, 0, false);
    this.#spill = new Spill(parts.blocks, false);
  }

  /** Stages an artifact. */
  put(bytes: Uint8Array, options: StageOptions = {}): ArtifactKey {
    return this.stage(bytes, options).key;
  }
  /** The same, and tells whether it was there. `known` is its key as a multihash of the store's algorithm, if the caller has just made that. */
  stage(bytes: Uint8Array, options: StageOptions = {}, known?: Uint8Array): Staged {
    checkBytes(bytes);
    checkLogseq(options.logseq);
    if (bytes.length <= this.#parts.limits.packedBytes) return this.#put(bytes, options, known);
    const writer = this.writer(options);
    try {
      writer.write(bytes);
      return writer.finish();
    } catch (error) {
      writer.discard();
      throw error;
    }
  }
  #put(bytes: Uint8Array, { typeTag, logseq: least = UNKNOWN }: StageOptions, known?: Uint8Array): Staged {
    this.#checkWritable();
    const { algorithm, limits } = this.#parts;
    const { flags, tag } = recordTag(typeTag);
    const group = this.#group;
    group.digest(algorithm, bytes, known);
    const { count } = group;
    const key = known ?? multihash(algorithm, group.bytes, group.digestAt);
    const logseq = this.#raised(least, group.bytes, group.digestAt);
    if (!this.#addKnown(group.bytes, group.digestAt, flags, tag, logseq)) {
      group.put(EntryKind.PUT, algorithm, bytes, flags, tag, logseq);
      if (group.length > limits.stagedBytes) this.#spill.take(group);
    }
    return new Staged(key, bytes.length, group.count > count);
  }
  /** A causal height that was given, above the latest tombstone of the artifact. */
  #raised(logseq: number, digest: Uint8Array, at: number): number {
    const { algorithm, committer, index, view } = this.#parts;
    if (logseq === UNKNOWN || committer!.state.lastTombstone === 0) return logseq;
    const tombstone = index
      .rowsOf(false, algorithm, digest, at, view.position)
      .find(({ kind }) => kind === RowKind.TOMBSTONE);
    return tombstone === undefined ? logseq : Math.max(logseq, tombstone.logseq + 1);
  }
  /** Whether the artifact is there or staged; then this record is, if it was not. */
  #addKnown(digest: Uint8Array, at: number, flags: number, tag: number, logseq: number): boolean {
    const { algorithm, index } = this.#parts;
    const group = this.#group;
    const held = group.find(algorithm, digest, at, flags, tag);
    if (held === Held.RECORD) return true;
    const found =
      held === Held.TOMBSTONE
        ? 0
        : index.findRecord(this.#row, algorithm, digest, at, flags, tag, this.#parts.view.position);
    if (found === 2) {
      this.#relied.add(
        `${Buffer.from(digest.buffer, digest.byteOffset + at, DIGEST_BYTES).toString("latin1")}${flags} ${tag}`,
      );
      return true;
    }
    if (held === Held.OTHER_RECORD) group.putAgain(flags, algorithm, tag, logseq);
    else if (found === 1 && (this.#row.flags & RowFlag.PUBLISHED) === 0)
      group.putAt(EntryKind.PUT, flags, algorithm, digest, at, tag, logseq, this.#row);
    else return false;
    return true;
  }

  writer(options: StageOptions = {}): StageWriter {
    this.#checkWritable();
    const { flags, tag } = recordTag(options.typeTag);
    checkLogseq(options.logseq);
    const { algorithm, blocks, limits } = this.#parts;
    const writer: Writer = {
      write: (bytes) => {
        this.#checkWriter(writer);
        checkBytes(bytes);
        if (writer.own === undefined && writer.length + bytes.length > limits.packedBytes) {
          const own = blocks.ownWriter({ algorithm, flags, tag });
          try {
            own.write(writer.held.subarray(0, writer.length));
          } catch (error) {
            own.discard();
            throw error;
          }
          writer.own = own;
          writer.held = NO_BYTES;
        }
        if (writer.own !== undefined) writer.own.write(bytes);
        else {
          if (writer.length + bytes.length > writer.held.length) {
            const larger = Math.max(1024, 2 * writer.held.length, writer.length + bytes.length);
            const held = new Uint8Array(Math.min(larger, limits.packedBytes));
            held.set(writer.held.subarray(0, writer.length));
            writer.held = held;
          }
          writer.held.set(bytes, writer.length);
        }
        writer.length += bytes.length;
      },
      finish: () => {
        this.#checkWriter(writer);
        const { length, own, held } = writer;
        const count = this.#group.count;
        if (own === undefined) {
          const staged = this.stage(held.subarray(0, length), options);
          this.#writers.delete(writer);
          return staged;
        }
        const written = own.end();
        this.#writers.delete(writer);
        const key = multihash(algorithm, written.digest);
        const logseq = this.#raised(options.logseq ?? UNKNOWN, written.digest, 0);
        if (this.#addKnown(written.digest, 0, flags, tag, logseq)) written.discard();
        else {
          this.#own.push(written);
          written.finish(UNKNOWN, UNKNOWN);
          this.#group.putAt(EntryKind.PUT, flags, algorithm, written.digest, 0, tag, logseq, written);
        }
        return new Staged(key, length, this.#group.count > count);
      },
      discard: () => {
        if (!this.#writers.delete(writer)) return;
        writer.own?.discard();
      },
      own: undefined,
      held: NO_BYTES,
      length: 0,
    };
    this.#writers.add(writer);
    return writer;
  }

  /** Whether there is such an artifact, staged or in the store as it was when the batch began. */
  has(key: KeyLike): boolean {
    return this.#staged(key) !== undefined || (!this.#isRemoved && this.#parts.view.has(key));
  }
  stat(key: KeyLike): Pick<ArtifactStat, "key" | "length" | "records"> | undefined {
    const staged = this.#staged(key);
    const { algorithm, bytes, at } = this.#key;
    const known = this.#isRemoved ? undefined : this.#parts.view.stat(key);
    if (staged === undefined) return known;
    const records = this.#group
      .recordsOf(algorithm, bytes, at)
      .map((typeTag) => ({ typeTag, visibility: "internal" as const, position: UNKNOWN, logseq: UNKNOWN }));
    return {
      key: keyText(algorithm, bytes, at),
      length: staged.length,
      records: [...(known?.records ?? []), ...records].sort(
        (left, right) => (left.typeTag ?? -1) - (right.typeTag ?? -1),
      ),
    };
  }
  read(key: KeyLike, offset: number, length: number): Uint8Array | undefined {
    const size = this.#staged(key)?.length ?? (this.#isRemoved ? undefined : this.#parts.view.stat(key)?.length);
    if (size === undefined) return undefined;
    const bytes = new Uint8Array(Math.max(0, Math.min(length, size - offset)));
    return bytes.subarray(0, this.readInto(key, bytes, 0, offset, bytes.length));
  }
  get(key: KeyLike): Uint8Array | undefined {
    return this.read(key, 0, Number.MAX_SAFE_INTEGER);
  }
  /** As {@link View.readInto}. */
  readInto(key: KeyLike, into: Uint8Array, at: number, offset: number, length: number, options?: ReadOptions): number {
    const staged = this.#staged(key);
    if (staged === undefined)
      return this.#isRemoved ? -1 : this.#parts.view.readInto(key, into, at, offset, length, options);
    const count = Math.max(0, Math.min(length, staged.length - offset));
    if (staged.isHere) {
      this.#group.copyRecord(staged, into, at, offset, count);
      return count;
    }
    const { bytes, at: digestAt } = this.#key;
    return this.#parts.blocks.readInto(staged, bytes, digestAt, into, at, offset, count, options?.verify !== false);
  }
  /** Artifacts of the store as it was when the batch began. */
  list(options?: ListOptions): IterableIterator<ArtifactStat> {
    this.#check();
    return this.#parts.view.list(options);
  }
  /** Stages that the artifact is gone: false if there is none. */
  remove(key: KeyLike): boolean {
    this.#checkWritable();
    if (!this.has(key)) return false;
    const { algorithm, bytes, at } = this.#key.parse(key);
    this.#group.remove(algorithm, bytes, at);
    return true;
  }
  /** Stages that a name is bound to an artifact, which is there or staged; without a key that it is bound to none. */
  bind(
    namespace: number,
    name: Uint8Array,
    key: KeyLike | undefined,
    { logseq = UNKNOWN }: Pick<StageOptions, "logseq"> = {},
  ): void {
    this.#checkWritable();
    checkName(namespace, name);
    if (key === undefined) {
      this.#group.add({ kind: "binding", namespace, name, algorithm: 0, digest: undefined, logseq });
      return;
    }
    if (!this.has(key))
      throw new AslError("ASL-NOT-FOUND", "there is no such artifact to bind to", { key: String(key) });
    const { algorithm, bytes, at } = this.#key.parse(key);
    this.#group.bind(namespace, name, algorithm, bytes, at, logseq);
  }

  /** Commits all that is staged, on disk when this returns: one frame. When it throws, nothing of it is in the store. */
  commit(): void {
    this.#checkWritable();
    const { committer, index, exclusively } = this.#parts;
    const group = this.#group;
    for (const writer of this.#writers) writer.discard();
    try {
      exclusively(() => {
        this.#addRemoved();
        if (group.count === 0) return;
        for (const own of this.#own) own.sync();
        const { place, logseq } = committer!.state;
        group.number(place.position, logseq, (digest, at, algorithm, flags, tag) => {
          const found = index.findRecord(this.#row, algorithm, digest, at, flags, tag, Number.MAX_SAFE_INTEGER);
          return found === 2;
        });
        committer!.commit(group, this.#spill.seal());
      });
    } catch (error) {
      // What failed before its frame left files that nothing names; after a failed sync they may be named.
      if (committer!.isPoisoned) this.#isOver = true;
      else this.discard();
      throw error;
    }
    this.#isOver = true;
  }
  /** Puts again what was in the store when it was staged, and has been removed since. */
  #addRemoved(): void {
    const { algorithm, committer, index, view } = this.#parts;
    if (committer!.state.lastTombstone <= view.position) return;
    for (const text of this.#relied) {
      const digest = Buffer.from(text.slice(0, DIGEST_BYTES), "latin1");
      const [flags, tag] = text.slice(DIGEST_BYTES).split(" ").map(Number) as [number, number];
      const held = this.#group.find(algorithm, digest, 0, flags, tag);
      if (held === Held.TOMBSTONE || held === Held.RECORD) continue;
      if (index.findRecord(this.#row, algorithm, digest, 0, flags, tag, Number.MAX_SAFE_INTEGER) === 2) continue;
      // Where it was is where it is.
      index.findRecord(this.#row, algorithm, digest, 0, flags, tag, view.position);
      this.#group.putAt(EntryKind.PUT, flags, algorithm, digest, 0, tag, UNKNOWN, this.#row);
    }
    this.#relied.clear();
  }
  /** Nothing of it comes into the store. */
  discard(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const writer of this.#writers) writer.discard();
    for (const own of this.#own) own.discard();
    this.#spill.discard();
  }

  /** Whether the last key that {@link #staged} looked for is removed by the batch. */
  #isRemoved = false;
  #staged(key: KeyLike): ((Row | ReturnType<Group["foundPlace"]>) & { readonly isHere: boolean }) | undefined {
    this.#check();
    const { algorithm, bytes, at } = this.#key.parse(key);
    const held = this.#group.find(algorithm, bytes, at, 0, 0);
    this.#isRemoved = held === Held.TOMBSTONE;
    return held === Held.RECORD || held === Held.OTHER_RECORD ? this.#group.foundPlace() : undefined;
  }
  #check(): void {
    this.#parts.check();
    if (this.#isOver) throw new AslError("ASL-DISCARDED", "the batch is committed or discarded");
  }
  #checkWritable(): void {
    this.#check();
    if (this.#parts.committer === undefined) throw new AslError("ASL-READ-ONLY", "the store was opened for reading");
  }
  #checkWriter(writer: Writer): void {
    this.#checkWritable();
    if (!this.#writers.has(writer)) throw new AslError("ASL-DISCARDED", "the writer is finished or discarded");
  }
}

interface Writer extends StageWriter {
  /** What is more than a packed block takes. */
  own: ReturnType<Blocks["ownWriter"]> | undefined;
  held: Uint8Array;
  /** Bytes that it took. */
  length: number;
}

const NO_BYTES = new Uint8Array();
