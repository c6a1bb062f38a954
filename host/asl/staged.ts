/** A store behind the module `asl` (spec 23b): as it is now, with what a guest seals in a batch on top. */
import { AslError } from "./errors.ts";
import { DIGEST_BYTES, keyBytes, ParsedKey } from "./key.ts";
import type { Store } from "./store.ts";
import type { ArtifactRecord, ArtifactStore, ArtifactWriter, FoundArtifact, SealedArtifact } from "./syscalls.ts";
import type { ArtifactStat } from "./view.ts";

export interface ArtifactsOptions {
  /** True: nothing can be made, also in a store that can be written. */
  readonly readOnly?: boolean | undefined;
}

/**
 * What a guest is given as its store: `runGuest({ store: artifactsOf(store), … })`. One for each run, and used up by it. Throws an AslError.
 *
 * ```ts
 * const store = await Store.open("artifacts");
 * const { exitCode } = runGuest({ module, store: artifactsOf(store) });
 * ```
 */
export function artifactsOf(store: Store, { readOnly = false }: ArtifactsOptions = {}): ArtifactStore {
  const batch = store.batch();
  const isWritable = !readOnly && !store.isReadOnly;
  const sealed = new SortedKeys();

  const find = (key: Uint8Array): FoundArtifact | undefined => {
    const stat = batch.stat(key);
    return stat && foundOf(key, stat);
  };
  return {
    isWritable,
    find,
    read(artifact, offset, into) {
      const count = batch.readInto(artifact.key, into, 0, offset, into.length);
      if (count !== into.length)
        throw new AslError("ASL-CORRUPT", `${count} bytes at ${offset} are there of ${into.length}`);
    },
    create(typeTag): ArtifactWriter {
      if (!isWritable) throw new AslError("ASL-READ-ONLY", "the store was granted for reading");
      const writer = batch.writer({ typeTag });
      return {
        write: (bytes) => writer.write(bytes),
        seal(): SealedArtifact {
          const { key, keyBytes, isNew } = writer.finish();
          const artifact = find(keyBytes);
          // Nobody but the batch adds to what it shows.
          if (artifact === undefined) throw new AslError("ASL-NOT-FOUND", "what was sealed is not there", { key });
          if (isNew) sealed.add(keyBytes);
          return { artifact, isNew };
        },
        abort: () => writer.discard(),
      };
    },
    *list(after) {
      const own = sealed.after(after);
      const stored = batch.list({ after });
      try {
        let mine = own.next();
        let theirs = storedOf(stored.next());
        while (mine.done !== true || theirs !== undefined) {
          const order = mine.done === true ? 1 : theirs === undefined ? -1 : compareKeys(mine.value, theirs.key);
          // What is in both has records in both.
          yield order > 0 ? theirs! : find(mine.value!)!;
          if (order <= 0) mine = own.next();
          if (order >= 0) theirs = storedOf(stored.next());
        }
      } finally {
        stored.return?.();
      }
    },
    commit: () => {
      if (isWritable) batch.commit();
    },
    discard: () => batch.discard(),
  };
}

function foundOf(key: Uint8Array, { length, records }: Pick<ArtifactStat, "length" | "records">): FoundArtifact {
  return {
    key,
    bytes: length,
    records: records
      .map(({ typeTag, visibility }) => ({ typeTag, isPublished: visibility === "published" }))
      .sort(byTag),
  };
}

function byTag(one: ArtifactRecord, other: ArtifactRecord): number {
  return (one.typeTag ?? -1) - (other.typeTag ?? -1) || Number(one.isPublished) - Number(other.isPublished);
}

function storedOf({ done, value }: IteratorResult<ArtifactStat>): FoundArtifact | undefined {
  return done === true ? undefined : foundOf(keyBytes(value.key), value);
}

const left = new ParsedKey();
const right = new ParsedKey();

/** The order of digests and then of algorithms, of two multihashes. */
function compareKeys(one: Uint8Array, other: Uint8Array): number {
  left.parse(one);
  right.parse(other);
  for (let k = 0; k < DIGEST_BYTES; k++) {
    const difference = left.bytes[left.at + k]! - right.bytes[right.at + k]!;
    if (difference !== 0) return difference;
  }
  return left.algorithm - right.algorithm;
}

const BUCKETS = 4096;

/** Multihashes in order, each once. In buckets by the first 12 bits of digests, so that adding one moves few. */
class SortedKeys {
  readonly #buckets: (Uint8Array[] | undefined)[] = new Array(BUCKETS).fill(undefined);

  add(key: Uint8Array): void {
    const number = bucketOf(key);
    const bucket = (this.#buckets[number] ??= []);
    const at = placeOf(bucket, key);
    if (at === bucket.length || compareKeys(bucket[at]!, key) !== 0) bucket.splice(at, 0, key);
  }
  *after(key: Uint8Array | undefined): Iterator<Uint8Array, undefined> & Iterable<Uint8Array> {
    const first = key === undefined ? 0 : bucketOf(key);
    for (let number = first; number < BUCKETS; number++) {
      const bucket = this.#buckets[number];
      if (bucket === undefined) continue;
      let at = key === undefined || number > first ? 0 : placeOf(bucket, key);
      if (key !== undefined && at < bucket.length && compareKeys(bucket[at]!, key) === 0) at++;
      for (; at < bucket.length; at++) yield bucket[at]!;
    }
    return undefined;
  }
}

function bucketOf(key: Uint8Array): number {
  const { bytes, at } = left.parse(key);
  return (bytes[at]! << 4) | (bytes[at + 1]! >> 4);
}

/** Index of the first key that is not before this one. */
function placeOf(bucket: readonly Uint8Array[], key: Uint8Array): number {
  let low = 0;
  let high = bucket.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareKeys(bucket[middle]!, key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
