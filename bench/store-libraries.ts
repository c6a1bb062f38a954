/**
 * Stores that are libraries: ours, lmdb, classic-level, better-sqlite3. What is used of packages of bench/package.json is declared
 * here: they may not be there.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Store } from "../host/asl/index.ts";
import {
  ARTIFACT_BYTES,
  DIGEST_AT,
  keyInto,
  keysOf,
  keyViews,
  MULTIHASH_BYTES,
  noiseAt,
  pieces,
  sample,
} from "./store-artifacts.ts";
import {
  ABSENT,
  ARTIFACTS,
  diskBytes,
  type Figures,
  installed,
  LONE,
  type Load,
  load,
  OTHERS,
  type Peer,
  rateOf,
  rateOnce,
} from "./store-figures.ts";

/** Artifacts of a group that is durable as one: 1 MiB. Ours makes its own. */
const GROUP = 4096;
/** Bytes that a store may cache: what the index of ours may by default. */
const CACHE_BYTES = 96_000_000;
/** A store that is a library, in a folder. Artifacts have their keys made here: all of them pay for it. */
interface Library {
  putAll(artifacts: readonly Buffer[]): void | Promise<void>;
  /** Each with a promise of its own, all of them waited for at once. */
  readonly putEach?: (artifacts: readonly Buffer[]) => Promise<unknown>;
  putOne(artifact: Buffer): void | Promise<void>;
  get(key: Buffer): Uint8Array | undefined;
  readonly verified?: (key: Buffer) => Uint8Array | undefined;
  readonly into?: (key: Buffer, into: Buffer) => number;
  has(key: Buffer): boolean;
  /** Bytes of all artifacts, read in the order of the store; by the keys in the order in which they were put if that is it. */
  sequential(keys: readonly Buffer[]): number | Promise<number>;
  close(): void | Promise<void>;
}

type Opening = (folder: string, durability: "group" | "each") => Library | Promise<Library>;

async function turnOfLibrary(open: Opening, keyFrom: number, { folder, count, ones, queries }: Load): Promise<Figures> {
  const artifacts = pieces(noiseAt(0, count * ARTIFACT_BYTES, ARTIFACTS), ARTIFACT_BYTES);
  const others = pieces(noiseAt(0, (count / 10) * ARTIFACT_BYTES, OTHERS), ARTIFACT_BYTES);
  const one = await open(join(folder, "one"), "group");
  const lone = pieces(noiseAt(0, ones * ARTIFACT_BYTES, LONE), ARTIFACT_BYTES);
  const cold = await rateOnce(others.length, () => one.putAll(others));
  await one.close();

  const path = join(folder, "all");
  const library = await open(path, "group");
  const put = await rateOnce(count, () => library.putAll(artifacts));
  const { putEach } = library;
  const promised =
    putEach &&
    (await rateOnce(others.length, async () => {
      for (const group of groups(others)) await putEach(group);
    }));
  const random = keyViews(keysOf(sample(count, queries)), keyFrom);
  const absent = keyViews(keysOf(sample(queries, queries), ARTIFACT_BYTES, ABSENT), keyFrom);
  const all = keyViews(keysOf(Uint32Array.from({ length: queries }, (_, k) => k)), keyFrom);
  const figures = {
    ...(await readingOf(library, random, absent)),
    sequential: await sequentialOf(library, all, count),
    cold,
    put,
    promised,
  };
  await library.close();
  const disk = diskBytes(path) / (count + (putEach ? others.length : 0));
  return { ...figures, disk, one: await oneByOne(open, path, lone) };
}

async function oneByOne(open: Opening, path: string, artifacts: readonly Buffer[]): Promise<number> {
  const library = await open(path, "each");
  const rate = await rateOnce(artifacts.length, async () => {
    for (const artifact of artifacts) await library.putOne(artifact);
  });
  await library.close();
  return rate;
}

type Reader = Pick<Library, "get" | "verified" | "into" | "has">;

/** Random reads of artifacts that are there, and of keys that are not. */
export async function readingOf(
  reader: Reader,
  random: readonly Buffer[],
  absent: readonly Buffer[],
): Promise<Omit<Figures, "put">> {
  const of = (keys: readonly Buffer[], expected: number, call: (key: Buffer) => number): Promise<number> =>
    rateOf(keys.length, () => {
      let sum = 0;
      for (const key of keys) sum += call(key);
      if (sum !== expected) throw new Error(`${sum} instead of ${expected}`);
    });
  const bytes = random.length * ARTIFACT_BYTES;
  const { verified, into } = reader;
  const buffer = Buffer.alloc(ARTIFACT_BYTES);
  return {
    get: await of(random, bytes, (key) => reader.get(key)!.length),
    verified: verified && (await of(random, bytes, (key) => verified(key)!.length)),
    into: into && (await of(random, bytes, (key) => into(key, buffer))),
    has: await of(random, random.length, (key) => (reader.has(key) ? 1 : 0)),
    absent: await of(absent, 0, (key) => (reader.has(key) ? 1 : 0)),
  };
}

async function sequentialOf(library: Library, keys: readonly Buffer[], count: number): Promise<number> {
  const artifacts = (await library.sequential(keys)) / ARTIFACT_BYTES;
  if (artifacts !== keys.length && artifacts !== count) throw new Error(`${artifacts} artifacts were read`);
  return rateOf(artifacts, async () => {
    await library.sequential(keys);
  });
}

/** `get` compares no digests; `verified` does. */
export function ownReading(store: Store): Required<Reader> {
  const unverified = { verify: false };
  return {
    get: (key) => store.get(key, unverified),
    verified: (key) => store.get(key),
    into: (key, into) => store.readInto(key, into, 0, 0, ARTIFACT_BYTES, unverified),
    has: (key) => store.has(key),
  };
}

export const OWN: Peer = {
  name: "Ashlar",
  version: "",
  turn: (given) =>
    turnOfLibrary(
      async (folder, durability) => {
        const store = await Store.open(folder, { create: true, durability });
        return {
          async putAll(artifacts) {
            await store.putMany(artifacts);
          },
          putEach: (artifacts) => Promise.all(artifacts.map((artifact) => store.put(artifact))),
          async putOne(artifact) {
            await store.put(artifact);
          },
          ...ownReading(store),
          sequential(keys) {
            let bytes = 0;
            for (const key of keys) bytes += store.get(key, { verify: false })!.length;
            return bytes;
          },
          close: () => store.close(),
        };
      },
      0,
      given,
    ),
};

/** The digest of an artifact, as bytes. */
function digestOf(artifact: Buffer): Buffer {
  const key = Buffer.allocUnsafe(MULTIHASH_BYTES);
  keyInto(artifact, key, 0);
  return key.subarray(DIGEST_AT);
}

function* groups(artifacts: readonly Buffer[]): Iterable<readonly Buffer[]> {
  for (let from = 0; from < artifacts.length; from += GROUP) yield artifacts.slice(from, from + GROUP);
}

interface Lmdb {
  open(options: object): {
    transactionSync(call: () => void): void;
    putSync(key: Buffer, value: Buffer): void;
    getBinary(key: Buffer): Buffer | undefined;
    getBinaryFast(key: Buffer): Buffer | undefined;
    doesExist(key: Buffer): boolean;
    getRange(options: object): Iterable<{ readonly value: Buffer }>;
    close(): Promise<void>;
  };
}

export const LMDB: Peer = {
  name: "lmdb",
  version: installed("lmdb"),
  turn: (given) =>
    turnOfLibrary(
      (folder) => {
        // Without overlappingSync a commit is on disk when it returns.
        const options = { path: folder, encoding: "binary", keyEncoding: "binary", overlappingSync: false };
        const database = load<Lmdb>("lmdb").open(options);
        return {
          putAll(artifacts) {
            for (const group of groups(artifacts))
              database.transactionSync(() => {
                for (const artifact of group) database.putSync(digestOf(artifact), artifact);
              });
          },
          putOne: (artifact) => database.putSync(digestOf(artifact), artifact),
          get: (key) => database.getBinary(key),
          into: (key) => database.getBinaryFast(key)!.length,
          has: (key) => database.doesExist(key),
          sequential() {
            let bytes = 0;
            for (const { value } of database.getRange({})) bytes += value.length;
            return bytes;
          },
          close: () => database.close(),
        };
      },
      DIGEST_AT,
      given,
    ),
};

interface Level {
  ClassicLevel: new (
    folder: string,
    options: object,
  ) => {
    open(): Promise<void>;
    batch(operations: readonly object[], options: object): Promise<void>;
    put(key: Buffer, value: Buffer, options: object): Promise<void>;
    getSync(key: Buffer): Buffer | undefined;
    values(): AsyncIterable<Buffer>;
    close(): Promise<void>;
  };
}

export const LEVEL: Peer = {
  name: "classic-level",
  version: installed("classic-level"),
  turn: (given) =>
    turnOfLibrary(
      async (folder) => {
        const { ClassicLevel } = load<Level>("classic-level");
        const options = { keyEncoding: "buffer", valueEncoding: "buffer", cacheSize: CACHE_BYTES };
        mkdirSync(folder, { recursive: true });
        const database = new ClassicLevel(folder, options);
        await database.open();
        return {
          async putAll(artifacts) {
            for (const group of groups(artifacts)) {
              const operations = group.map((value) => ({ type: "put", key: digestOf(value), value }));
              await database.batch(operations, { sync: true });
            }
          },
          putOne: (artifact) => database.put(digestOf(artifact), artifact, { sync: true }),
          get: (key) => database.getSync(key),
          has: (key) => database.getSync(key) !== undefined,
          async sequential() {
            let bytes = 0;
            for await (const value of database.values()) bytes += value.length;
            return bytes;
          },
          close: () => database.close(),
        };
      },
      DIGEST_AT,
      given,
    ),
};

interface Statement {
  pluck(): Statement;
  run(...values: Buffer[]): void;
  get(key: Buffer): unknown;
  iterate(): Iterable<Buffer>;
}
type Sqlite = new (
  file: string,
) => {
  pragma(text: string): void;
  exec(text: string): void;
  prepare(text: string): Statement;
  transaction(call: () => void): () => void;
  close(): void;
};

export const SQLITE: Peer = {
  name: "better-sqlite3",
  version: installed("better-sqlite3"),
  turn: (given) =>
    turnOfLibrary(
      (folder) => {
        mkdirSync(folder, { recursive: true });
        const database = new (load<Sqlite>("better-sqlite3"))(join(folder, "artifacts.db"));
        database.pragma("journal_mode=WAL");
        database.pragma("synchronous=FULL");
        database.pragma(`cache_size=-${CACHE_BYTES / 1000}`);
        // With a rowid putting is twice as fast, and reading nearly as fast, as without.
        database.exec("CREATE TABLE IF NOT EXISTS artifacts (key BLOB PRIMARY KEY, bytes BLOB NOT NULL)");
        const insert = database.prepare("INSERT OR IGNORE INTO artifacts VALUES (?, ?)");
        const get = database.prepare("SELECT bytes FROM artifacts WHERE key = ?").pluck();
        const has = database.prepare("SELECT 1 FROM artifacts WHERE key = ?").pluck();
        const all = database.prepare("SELECT bytes FROM artifacts").pluck();
        return {
          putAll(artifacts) {
            for (const group of groups(artifacts))
              database.transaction(() => {
                for (const artifact of group) insert.run(digestOf(artifact), artifact);
              })();
          },
          putOne: (artifact) => insert.run(digestOf(artifact), artifact),
          get: (key) => get.get(key) as Buffer | undefined,
          has: (key) => has.get(key) !== undefined,
          sequential() {
            let bytes = 0;
            for (const value of all.iterate()) bytes += value.length;
            return bytes;
          },
          close: () => database.close(),
        };
      },
      DIGEST_AT,
      given,
    ),
};
