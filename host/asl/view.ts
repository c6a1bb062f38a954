/** What a store holds up to a position: CURRENT, or a snapshot (spec ASL-CORE-VIEW). Everything is read synchronously. */
import { type ArtifactIndex, Located } from "./artifact-index.ts";
import { blockPath } from "./block-file.ts";
import type { Blocks } from "./blocks.ts";
import { crc32Of } from "./checksum.ts";
import { AslError } from "./errors.ts";
import { getU64 } from "./format.ts";
import { BINDING_BYTES, BINDING_CRC_AT, EntryFlag, EntryKind } from "./frames.ts";
import { bindingDigest, Row, RowFlag, RowKind } from "./index-rows.ts";
import {
  type ArtifactKey,
  algorithmOf,
  DIGEST_BYTES,
  digestAt,
  keyText,
  multihash,
  ParsedKey,
  sameDigest,
} from "./key.ts";

export type Visibility = "internal" | "published";

/** A key, as text or as a multihash. */
export type KeyLike = string | Uint8Array;

/** One of the records of an artifact. */
export interface ArtifactRecord {
  readonly typeTag: number | undefined;
  readonly visibility: Visibility;
  readonly position: number;
  readonly logseq: number;
}

export interface ArtifactStat {
  readonly key: ArtifactKey;
  /** Bytes of the artifact. */
  readonly length: number;
  /** By type tag, the one without a tag first; then by visibility. There is at least one. */
  readonly records: readonly ArtifactRecord[];
  /** Where it lies: number of a block file, or of a log file. */
  readonly location: { readonly file: string; readonly offset: number };
}

export interface ListOptions {
  /** Only artifacts whose digests begin with these hexadecimal digits. */
  readonly prefix?: string | undefined;
  /** Only artifacts behind this key. */
  readonly after?: KeyLike | undefined;
}

export interface Binding {
  readonly namespace: number;
  /** 32 bytes. */
  readonly name: Uint8Array;
  readonly key: ArtifactKey;
  readonly position: number;
  readonly logseq: number;
}

export interface ReadOptions {
  /** False: stored bytes are not held against their digest. */
  readonly verify?: boolean | undefined;
}

// Where in the entry of a binding things are (spec ASL-LOG-ENTRY).
const NAMESPACE_AT = 8;
const ALGORITHM_AT = 14;
const NAME_AT = 16;
const LOGSEQ_AT = 48;
const DIGEST_AT = 56;

/** Rows of bindings have no algorithm of their own: what they bind to has. */
const BINDING_ALGORITHM = 0;

export class View {
  readonly #index: ArtifactIndex;
  readonly #blocks: Blocks;
  readonly #seed: number;
  readonly #check: () => void;
  readonly #lastTombstone: () => number;
  readonly #at: { readonly position: number };
  readonly #key = new ParsedKey();
  readonly #row = new Row();
  readonly #entry: Buffer = Buffer.alloc(BINDING_BYTES);
  readonly #entryView = new DataView(this.#entry.buffer, this.#entry.byteOffset, BINDING_BYTES);
  /** `at` may move on. `check` throws when the store is closed; `lastTombstone` is the position of the last one in the log, 0 without any. */
  constructor(
    index: ArtifactIndex,
    blocks: Blocks,
    seed: number,
    at: { readonly position: number },
    check: () => void,
    lastTombstone: () => number,
  ) {
    this.#seed = seed;
    this.#index = index;
    this.#blocks = blocks;
    this.#at = at;
    this.#check = check;
    this.#lastTombstone = lastTombstone;
  }

  /** What it holds has this position, or one before. */
  get position(): number {
    return this.#at.position;
  }

  has(key: KeyLike): boolean {
    return this.#find(key);
  }
  /** The whole artifact; undefined if there is none. Throws ASL-CORRUPT, ASL-BLOCK-DAMAGED, ASL-INDEX-DAMAGED or ASL-READ. */
  get(key: KeyLike, options?: ReadOptions): Uint8Array | undefined {
    this.#check();
    const { algorithm, bytes, at } = this.#key.parse(key);
    const verify = options?.verify !== false;
    const row = this.#row;
    const blocks = this.#blocks;
    if (!blocks.findNext(row, algorithm, bytes, at, this.#lastTombstone(), this.position)) {
      let located = this.#index.locate(row, algorithm, bytes, at, this.position);
      if (located === Located.HINT) {
        const found = blocks.getHinted(row, algorithm, bytes, at, verify);
        if (found !== undefined) return found;
        located = this.#locateRow(algorithm, bytes, at);
      }
      if (located === Located.NONE || row.kind !== RowKind.PUT) return undefined;
    }
    return blocks.get(row, bytes, at, verify);
  }
  /** At most `length` bytes from `offset` on: fewer at the end; undefined if there is no such artifact. */
  read(key: KeyLike, offset: number, length: number, options?: ReadOptions): Uint8Array | undefined {
    checkCount(offset, "offset");
    checkCount(length, "length");
    if (!this.#find(key)) return undefined;
    const bytes = new Uint8Array(Math.max(0, Math.min(length, this.#row.length - offset)));
    const count = this.#readInto(bytes, 0, offset, bytes.length, options);
    return bytes.subarray(0, count);
  }
  /** Reads to `into` from `at`; the answer is how many bytes, −1 if there is no such artifact. */
  readInto(
    key: KeyLike,
    into: Uint8Array,
    at = 0,
    offset = 0,
    length: number = into.length - at,
    options?: ReadOptions,
  ): number {
    if (offset !== 0) checkCount(offset, "offset");
    if (!(into instanceof Uint8Array)) throw new AslError("ASL-ARGUMENT", "an Uint8Array to read to was expected");
    if (!(Number.isInteger(at) && Number.isInteger(length) && at >= 0 && length >= 0 && at + length <= into.length))
      throw new AslError("ASL-ARGUMENT", `${length} bytes at ${at} are not inside of ${into.length}`);
    this.#check();
    const { algorithm, bytes, at: digestAt } = this.#key.parse(key);
    const verify = options?.verify !== false;
    const row = this.#row;
    const blocks = this.#blocks;
    if (!blocks.findNext(row, algorithm, bytes, digestAt, this.#lastTombstone(), this.position)) {
      let located = this.#index.locate(row, algorithm, bytes, digestAt, this.position);
      if (located === Located.HINT) {
        const count = blocks.readIntoHinted(row, algorithm, bytes, digestAt, into, at, offset, length, verify);
        if (count >= 0) return count;
        located = this.#locateRow(algorithm, bytes, digestAt);
      }
      if (located === Located.NONE || row.kind !== RowKind.PUT) return -1;
    }
    return blocks.readInto(row, bytes, digestAt, into, at, offset, length, verify);
  }
  /** What the index says when a hint was not enough. */
  #locateRow(algorithm: number, digest: Uint8Array, at: number): Located {
    return this.#index.find(this.#row, false, algorithm, digest, at, this.position) ? Located.ROW : Located.NONE;
  }
  #readInto(into: Uint8Array, at: number, offset: number, length: number, options: ReadOptions | undefined): number {
    const { bytes, at: digestAt } = this.#key;
    return this.#blocks.readInto(this.#row, bytes, digestAt, into, at, offset, length, options?.verify !== false);
  }
  /** The artifact piece by piece, with memory for a piece; undefined if there is none. */
  stream(
    key: KeyLike,
    options?: ReadOptions & { readonly offset?: number; readonly length?: number },
  ): AsyncIterable<Uint8Array> | undefined {
    if (options?.offset !== undefined) checkCount(options.offset, "offset");
    if (options?.length !== undefined) checkCount(options.length, "length");
    if (!this.#find(key)) return undefined;
    const { bytes, at } = this.#key;
    const row = this.#row.copy();
    const digest = digestAt(bytes, at);
    return this.#blocks.stream(row, digest, 0, options);
  }
  stat(key: KeyLike): ArtifactStat | undefined {
    this.#check();
    const { algorithm, bytes, at } = this.#key.parse(key);
    const rows = visible(this.#index.rowsOf(false, algorithm, bytes, at, this.position));
    const [newest] = rows;
    if (newest === undefined) return undefined;
    const records = rows.map(recordOf).sort(byTagAndVisibility);
    return { key: keyText(algorithm, bytes, at), length: newest.length, records, location: locationOf(newest) };
  }
  /** Every artifact that can be seen, in the order of digests; only that far is read. */
  *list({ prefix = "", after }: ListOptions = {}): IterableIterator<ArtifactStat> {
    this.#check();
    if (typeof prefix !== "string" || !/^[0-9a-f]{0,64}$/.test(prefix))
      throw new AslError("ASL-ARGUMENT", `the prefix ${JSON.stringify(prefix)} is not up to 64 digits 0-9a-f`);
    const from = Buffer.from(prefix.padEnd(64, "0"), "hex");
    let skipped: { algorithm: number; digest: Uint8Array } | undefined;
    if (after !== undefined) {
      const { algorithm, bytes, at } = new ParsedKey().parse(after);
      skipped = { algorithm, digest: digestAt(bytes, at) };
      if (Buffer.compare(skipped.digest, from) > 0) from.set(skipped.digest);
    }
    for (const rows of this.#groups(from, false)) {
      this.#check();
      const { algorithm, digest } = rows[0]!;
      if (!Buffer.from(digest.buffer, digest.byteOffset, DIGEST_BYTES).toString("hex").startsWith(prefix)) return;
      if (skipped !== undefined && sameDigest(digest, 0, skipped.digest, 0) && algorithm <= skipped.algorithm) continue;
      const seen = visible(rows.reverse());
      const [newest] = seen;
      if (newest === undefined) continue;
      yield {
        key: keyText(algorithm, digest),
        length: newest.length,
        records: seen.map(recordOf).sort(byTagAndVisibility),
        location: locationOf(newest),
      };
    }
  }
  /** The key that a name is bound to. */
  resolve(namespace: number, name: Uint8Array): ArtifactKey | undefined {
    const entry = this.#resolve(namespace, name);
    return entry && keyText(entry[ALGORITHM_AT]!, entry, DIGEST_AT);
  }
  /** The same, as a multihash. */
  resolveBytes(namespace: number, name: Uint8Array): Uint8Array | undefined {
    const entry = this.#resolve(namespace, name);
    return entry && multihash(entry[ALGORITHM_AT]!, entry, DIGEST_AT);
  }
  /** Position of the entry of the log that says what a name is bound to. */
  boundAt(namespace: number, name: Uint8Array): number | undefined {
    return this.#resolve(namespace, name) && this.#row.position;
  }
  /** The entry that binds a name: good until the next call. */
  #resolve(namespace: number, name: Uint8Array): Buffer | undefined {
    this.#check();
    checkName(namespace, name);
    const row = this.#row;
    if (!this.#index.find(row, true, BINDING_ALGORITHM, bindingDigest(namespace, name), 0, this.position))
      return undefined;
    if (row.kind !== RowKind.BINDING) return undefined;
    const entry = this.#bindingAt(row);
    if (entry.readUInt32LE(NAMESPACE_AT) !== namespace || !sameDigest(entry, NAME_AT, name, 0)) throw notThere(row);
    return entry;
  }
  /** Every name that is bound, in no order that says anything. */
  *bindings(namespace?: number): IterableIterator<Binding> {
    this.#check();
    for (const rows of this.#groups(new Uint8Array(DIGEST_BYTES), true)) {
      this.#check();
      const newest = rows.at(-1)!;
      if (newest.kind !== RowKind.BINDING || (namespace !== undefined && newest.tag !== namespace)) continue;
      const entry = this.#bindingAt(newest);
      const bound = { namespace: entry.readUInt32LE(NAMESPACE_AT), name: digestAt(entry, NAME_AT) };
      if (!sameDigest(bindingDigest(bound.namespace, bound.name), 0, newest.digest, 0)) throw notThere(newest);
      const key = keyText(entry[ALGORITHM_AT]!, entry, DIGEST_AT);
      yield { ...bound, key, position: newest.position, logseq: newest.logseq };
    }
  }

  /** The entry of a binding that a row names: good until the next call. */
  #bindingAt(row: Row): Buffer {
    const { block, offset } = row;
    const entry = this.#entry;
    const isWhole = (): boolean => entry.readUInt32LE(BINDING_CRC_AT) === crc32Of(entry, 0, BINDING_CRC_AT, this.#seed);
    const isThere =
      (this.#blocks.peekNear(block, offset, entry, BINDING_BYTES) === BINDING_BYTES && isWhole()) ||
      (this.#blocks.peek(block, offset, entry, BINDING_BYTES) === BINDING_BYTES && isWhole());
    const isBinding = entry[0] === EntryKind.BINDING && (entry[1]! & EntryFlag.REMOVED) === 0;
    if (!isThere || !isBinding || getU64(this.#entryView, LOGSEQ_AT) !== row.logseq) throw notThere(row);
    algorithmOf(entry[ALGORITHM_AT]!);
    return entry;
  }

  /** Rows of one key after the other, of bindings or of artifacts; oldest first. */
  *#groups(from: Uint8Array, isBinding: boolean): IterableIterator<Row[]> {
    let rows: Row[] = [];
    for (const row of this.#index.scan(this.position, from)) {
      if (row.kind >= RowKind.BINDING !== isBinding) continue;
      const [first] = rows;
      if (first !== undefined && (first.algorithm !== row.algorithm || !sameDigest(first.digest, 0, row.digest, 0))) {
        yield rows;
        rows = [];
      }
      rows.push(row.copy());
    }
    if (rows.length > 0) yield rows;
  }

  #find(key: KeyLike): boolean {
    this.#check();
    const { algorithm, bytes, at } = this.#key.parse(key);
    const row = this.#row;
    return (
      this.#blocks.findNext(row, algorithm, bytes, at, this.#lastTombstone(), this.position) ||
      (this.#index.find(row, false, algorithm, bytes, at, this.position) && row.kind === RowKind.PUT)
    );
  }
}

function notThere({ block, offset }: Row): AslError {
  const file = blockPath(block);
  return new AslError("ASL-LOG-DAMAGED", "the binding that the index names is not here", { file, offset });
}

function locationOf({ block, offset }: Row): ArtifactStat["location"] {
  return { file: blockPath(block), offset };
}

/** Rows that no tombstone shadows, newest first, as they come. */
function visible(rows: readonly Row[]): Row[] {
  const end = rows.findIndex(({ kind }) => kind === RowKind.TOMBSTONE);
  return rows.slice(0, end < 0 ? rows.length : end);
}

function recordOf({ flags, tag, position, logseq }: Row): ArtifactRecord {
  return {
    typeTag: (flags & RowFlag.HAS_TAG) !== 0 ? tag : undefined,
    visibility: (flags & RowFlag.PUBLISHED) !== 0 ? "published" : "internal",
    position,
    logseq,
  };
}

function byTagAndVisibility(left: ArtifactRecord, right: ArtifactRecord): number {
  const tags = (left.typeTag ?? -1) - (right.typeTag ?? -1);
  return tags !== 0 ? tags : Number(left.visibility === "published") - Number(right.visibility === "published");
}

function checkCount(value: number, what: string): void {
  if (!Number.isSafeInteger(value) || value < 0)
    throw new AslError("ASL-ARGUMENT", `the ${what} is ${value}; an integer from 0 to 2^53 - 1 was expected`);
}

export function checkName(namespace: number, name: Uint8Array): void {
  if (!Number.isInteger(namespace) || namespace < 1 || namespace > 0xffff_ffff)
    throw new AslError("ASL-ARGUMENT", `the namespace is ${namespace}; an integer from 1 to 2^32 - 1 was expected`);
  if (!(name instanceof Uint8Array) || name.length !== DIGEST_BYTES)
    throw new AslError("ASL-ARGUMENT", `a name of ${DIGEST_BYTES} bytes was expected`);
}
