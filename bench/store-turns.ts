/**
 * What the store is measured at alone, each in a process of its own that prints JSON: `node store-turns.ts WHAT …`, see the end.
 */
import { createHash } from "node:crypto";
import { closeSync, fdatasyncSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Store } from "../host/asl/index.ts";
import { isMain } from "./report.ts";
import { ARTIFACT_BYTES, keysOf, keyViews, MULTIHASH_BYTES, noiseAt, pieces, sample } from "./store-artifacts.ts";
import { ABSENT, ARTIFACTS, diskBytes, type Figures, rateOnce } from "./store-figures.ts";
import { ownReading, readingOf } from "./store-libraries.ts";

const MIB = 2 ** 20;

// ---------------------------------------------------------------------------------------------------- disk

/** Syncs in a second of a file that grows by `bytes` each time, and of one that has its length already. */
export interface DiskFigures {
  readonly append: number;
  readonly overwrite: number;
}

async function disk(folder: string, turns: number, bytes: number): Promise<DiskFigures> {
  const path = join(folder, "disk");
  const fd = openSync(path, "w");
  const piece = noiseAt(0, bytes);
  const syncs = (): Promise<number> =>
    rateOnce(turns, () => {
      for (let k = 0; k < turns; k++) {
        writeSync(fd, piece, 0, bytes, k * bytes);
        fdatasyncSync(fd);
      }
    });
  const figures = { append: await syncs(), overwrite: await syncs() };
  closeSync(fd);
  rmSync(path);
  return figures;
}

// --------------------------------------------------------------------------------------------------- growth

/** Groups are awaited one by one; what it takes to make the noise does not count. */
const GROUP = 3000;

export interface Writing {
  readonly put: number;
  /** Milliseconds, of groups. */
  readonly median: number;
  readonly p999: number;
  readonly longest: number;
  readonly closeMs: number;
  readonly disk: number;
  readonly bytes: number;
  /** Most that the process had in memory. */
  readonly resident: number;
}

async function write(folder: string, count: number, size: number): Promise<Writing> {
  const store = await Store.open(folder, { create: true });
  const latencies: number[] = [];
  let busy = 0;
  for (let from = 0; from < count; from += GROUP) {
    const many = Math.min(GROUP, count - from);
    const artifacts = pieces(noiseAt(from * size, many * size, ARTIFACTS), size);
    const start = performance.now();
    await store.putMany(artifacts);
    const ms = performance.now() - start;
    busy += ms;
    latencies.push(ms);
  }
  const { maxRSS } = process.resourceUsage();
  // As a store that is left alone for a moment: merges that are due go on by themselves.
  while (store.stats().index.debt > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  const start = performance.now();
  await store.close();
  const closeMs = performance.now() - start;
  const bytes = diskBytes(folder);
  latencies.sort((left, right) => left - right);
  const at = (share: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(share * latencies.length))]!;
  return {
    put: (count / busy) * 1000,
    median: at(0.5),
    p999: at(0.999),
    longest: at(1),
    closeMs,
    disk: bytes / count,
    bytes,
    resident: maxRSS * 1024,
  };
}

export interface Opened extends Omit<Figures, "put"> {
  readonly openMs: number;
  /** Of the index, by artifacts: what it has to have in memory, that with locators, and all that it has there. */
  readonly mandatory: number;
  readonly located: number;
  readonly memory: number;
  readonly segments: number;
  /** Of the process, after reads all over the store. */
  readonly resident: number;
  readonly bare: number;
}

async function open(folder: string, count: number, queries: number, budget: string): Promise<Opened> {
  const bare = process.memoryUsage.rss();
  const keys = keysOf(sample(count, queries));
  const start = performance.now();
  const store = await Store.open(folder, budget === "default" ? {} : { indexBytes: Number(budget) });
  const openMs = performance.now() - start;
  // One key for all: as many as there are would be the larger part of what the process has in memory.
  const key = Buffer.alloc(MULTIHASH_BYTES);
  for (let turn = 0; turn < 2; turn++)
    for (let k = 0; k < queries; k++) {
      keys.copy(key, 0, k * MULTIHASH_BYTES, (k + 1) * MULTIHASH_BYTES);
      if (store.get(key)?.length !== ARTIFACT_BYTES) throw new Error(`artifact ${k} of ${count} is not there`);
    }
  const resident = process.memoryUsage.rss();
  const absent = keyViews(keysOf(sample(queries, queries), ARTIFACT_BYTES, ABSENT));
  const reading = await readingOf(ownReading(store), keyViews(keys), absent);
  const { index } = store.stats();
  await store.close();
  return {
    ...reading,
    openMs,
    mandatory: index.segmentBytes / count,
    located: (index.segmentBytes + index.locatorBytes) / count,
    memory: (index.segmentBytes + index.locatorBytes + index.tableBytes + index.cacheBytes) / count,
    segments: index.segments.length,
    resident,
    bare,
  };
}

// ------------------------------------------------------------------------------------------------- recovery

/** The open table holds them all: no checkpoint comes between. */
const UNCHECKED = { tuning: { openRows: 2 ** 22 } };

/** Puts `count` artifacts that no checkpoint will know of, and leaves the store as a process does that is killed. */
async function tail(folder: string, count: number, stream: number): Promise<object> {
  const store = await Store.open(folder, {}, UNCHECKED);
  for (let from = 0; from < count; from += GROUP)
    await store.putMany(
      pieces(noiseAt(from * ARTIFACT_BYTES, Math.min(GROUP, count - from) * ARTIFACT_BYTES, stream), ARTIFACT_BYTES),
    );
  return {};
}

export interface Recovery {
  readonly ms: number;
  /** Entries of the log. */
  readonly replayed: number;
}

async function recover(folder: string): Promise<Recovery> {
  const start = performance.now();
  const store = await Store.open(folder, {}, UNCHECKED);
  const ms = performance.now() - start;
  const { recovered: replayed } = store.stats();
  await store.close();
  return { ms, replayed };
}

// ----------------------------------------------------------------------------------------------------- fsck

export interface Checking {
  /** Bytes of the log, of blocks and of the index in a second. */
  readonly rate: number;
}

async function fsck(folder: string, deep: boolean): Promise<Checking> {
  const store = await Store.open(folder);
  const rates: number[] = [];
  for (let turn = 0; turn < 2; turn++) {
    const start = performance.now();
    const { problems, bytes } = await store.fsck({ deep });
    rates.push((bytes / (performance.now() - start)) * 1000);
    if (problems.length > 0) throw new Error(problems[0]!.message);
  }
  await store.close();
  return { rate: Math.max(...rates) };
}

// ---------------------------------------------------------------------------------------------------- large

/** Bytes in a second. */
export interface Large {
  readonly sha256?: number;
  readonly diskWrite?: number;
  readonly diskRead?: number;
  readonly write: number;
  readonly read?: number;
  /** In ranges. */
  readonly ranges?: number;
  /** From its beginning to its end as a stream. */
  readonly streamed?: number;
  /** At once, in memory of its own, the digest compared. */
  readonly whole?: number;
}

async function large(folder: string, bytes: number): Promise<Large> {
  const noise = pieces(noiseAt(0, 64 * MIB), MIB);
  /** Each artifact is another one: what is there already is not written again. */
  const artifact = function* (number: number): Iterable<Buffer> {
    for (let k = 0; k < bytes / MIB; k++) yield noise[(k * 7 + number) % noise.length]!;
  };
  const hash = (): void => {
    const sha256 = createHash("sha256");
    for (const piece of artifact(0)) sha256.update(piece);
    sha256.digest();
  };
  const path = join(folder, "disk");
  const plain = (): void => {
    const fd = openSync(path, "w");
    let at = 0;
    for (const piece of artifact(0)) at += writeSync(fd, piece, 0, MIB, at);
    fdatasyncSync(fd);
    closeSync(fd);
  };
  const store = await Store.open(join(folder, "large"), { create: true });
  let key = await store.writeStream([noise[0]!, noise[1]!]);
  const rates = { hash: [] as number[], plain: [] as number[], own: [] as number[] };
  for (let turn = 0; turn < 2; turn++) {
    rates.hash.push(await rateOnce(bytes, hash));
    rmSync(path, { force: true });
    rates.plain.push(await rateOnce(bytes, plain));
    rates.own.push(
      await rateOnce(bytes, async () => {
        key = await store.writeStream(artifact(turn + 1));
      }),
    );
  }
  const buffer = Buffer.alloc(MIB);
  const readPlain = (): void => {
    const fd = openSync(path, "r");
    for (let at = 0; at < bytes; at += MIB) if (readSync(fd, buffer, 0, MIB, at) !== MIB) throw new Error("short read");
    closeSync(fd);
  };
  const inRanges = (verify: boolean): void => {
    for (let at = 0; at < bytes; at += MIB)
      if (store.readInto(key, buffer, 0, at, MIB, { verify }) !== MIB) throw new Error("short read");
  };
  const stream = async (): Promise<void> => {
    let length = 0;
    for await (const piece of store.stream(key)!) length += piece.length;
    if (length !== bytes) throw new Error("short read");
  };
  const warm = async (call: () => void | Promise<void>): Promise<number> => {
    await call();
    return rateOnce(bytes, call);
  };
  const figures = {
    sha256: Math.max(...rates.hash),
    diskWrite: Math.max(...rates.plain),
    write: Math.max(...rates.own),
    diskRead: await warm(readPlain),
    read: await warm(() => inRanges(false)),
    ranges: await warm(() => inRanges(true)),
    streamed: await warm(stream),
    whole: await warm(() => {
      if (store.get(key)!.length !== bytes) throw new Error("short read");
    }),
  };
  await store.close();
  return figures;
}

// ------------------------------------------------------------------------------------------------------------

if (isMain(import.meta.url)) {
  const [what, folder = "", ...rest] = process.argv.slice(2);
  const [first = 0, second = 0] = rest.map(Number);
  const turns: { readonly [what: string]: () => Promise<object> } = {
    disk: () => disk(folder, first, second),
    write: () => write(folder, first, second),
    open: () => open(folder, first, second, rest[2]!),
    tail: () => tail(folder, first, second),
    recover: () => recover(folder),
    fsck: () => fsck(folder, rest[0] === "deep"),
    large: () => large(folder, first),
  };
  const turn = turns[what!];
  if (turn === undefined) throw new Error("say what to measure");
  console.log(JSON.stringify(await turn()));
  // Not so that a store which is left open could still tidy up.
  process.exit();
}
