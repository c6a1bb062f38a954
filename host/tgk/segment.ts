/**
 * A segment of the index of edges (spec TGK-SEGMENT): what the log says of edges between two positions, in a file that is written once. Artifacts have
 * numbers in it, by which what is at the ends of edges is found without a key. Pages are read when they are needed, and verified whenever they are.
 */

import { crc32Of } from "../asl/checksum.ts";
import { AslError } from "../asl/errors.ts";
import { getU64, Magic, numbered, readPreamble, setU64, writePreamble } from "../asl/format.ts";
import { ALGORITHMS, type ArtifactKey, DIGEST_BYTES, keyText } from "../asl/key.ts";
import type { PageCache, PagedFile } from "../asl/page-cache.ts";
import { PAGE_BYTES, PAGE_WORDS } from "../asl/segment-format.ts";
import { readFully, type Volume, type VolumeFile } from "../asl/volume.ts";
import { digestOf, equalBytes } from "../assets/hash.ts";
import { TgkError } from "./errors.ts";

export const GRAPH_FOLDER = "tgk";
export const EDGES_EXTENSION = "edg";

export function edgesPath(number: number): string {
  return numbered(GRAPH_FOLDER, number, EDGES_EXTENSION);
}

/** Words of a row of each section. */
export const DIGEST_WORDS = 8;
export const NODE_WORDS = 3;
export const LINK_WORDS = 7;
export const EDGE_WORDS = 13;

/** Of a row of an artifact: where the rows of its edges begin, those that it is in front of and those that it is behind; its key's algorithm. */
export const NodeWord = { OUT: 0, IN: 1, ALGORITHM: 2 } as const;
/** Of an edge at one of its ends; `FAR` is the artifact at the other side, or where the list of them begins, unless there is just one. */
export const LinkWord = { ID: 0, EDGE: 2, POSITION: 3, TYPE: 4, FLAGS: 5, FAR: 6 } as const;
/** Of an edge: `COUNTS` has the count of `from` in the low half, that of `to` in the high one; `ENDS` is where both begin. */
export const EdgeWord = { ID: 0, POSITION: 8, TYPE: 9, FLAGS: 10, COUNTS: 11, ENDS: 12 } as const;

/** Above the roles, in the low byte: the edge is none any more. In rows of {@link LinkWord} the high half counts the ends of the other side. */
export const REMOVED = 256;

/** How many there are of each. */
export interface SegmentCounts {
  readonly edges: number;
  readonly nodes: number;
  /** Rows of edges that lead away, and that lead here. */
  readonly out: number;
  readonly in: number;
  readonly ends: number;
  /** Number of the algorithm that the keys of all artifacts have; 0 if they have several. */
  readonly algorithm: number;
}

/** First word of each section in the file, and of what is behind them. */
export interface SegmentPlan {
  readonly digests: number;
  readonly nodes: number;
  readonly out: number;
  readonly in: number;
  readonly edges: number;
  readonly ends: number;
  readonly directory: number;
  readonly checksums: number;
  /** Pages that have a checksum: all but those of the checksums. */
  readonly pages: number;
  /** Length of the file in bytes. */
  readonly bytes: number;
}

/** Digests of a page. */
export const PAGE_NODES: number = PAGE_WORDS / DIGEST_WORDS;

/** Words of a file: so that a place fits into 31 bits. */
export const MOST_WORDS: number = 2 ** 31;

export function planOf({ edges, nodes, out, in: into, ends }: Omit<SegmentCounts, "algorithm">): SegmentPlan {
  let at = PAGE_WORDS;
  const section = (words: number): number => {
    const begin = at;
    at += Math.ceil(words / PAGE_WORDS) * PAGE_WORDS;
    return begin;
  };
  const plan = {
    digests: section(nodes * DIGEST_WORDS),
    nodes: section((nodes + 1) * NODE_WORDS),
    out: section(out * LINK_WORDS),
    in: section(into * LINK_WORDS),
    edges: section(edges * EDGE_WORDS),
    ends: section(ends),
    directory: section(Math.ceil(nodes / PAGE_NODES)),
    checksums: at,
  };
  const pages = at / PAGE_WORDS;
  return { ...plan, pages, bytes: (at + pages) * 4 };
}

/** What a manifest names. */
export interface EdgesEntry {
  readonly number: number;
  /** Length of the file. */
  readonly bytes: number;
  /** Positions of the log that it answers for. */
  readonly first: number;
  readonly last: number;
  readonly edges: number;
  /** SHA-256 of its first page and its checksums. */
  readonly digest: Uint8Array;
}

/** In the order of the header. */
function countsOf({ edges, nodes, out, in: into, ends, algorithm }: SegmentCounts): number[] {
  return [edges, nodes, out, into, ends, algorithm];
}

export function encodeSegmentHeader(number: number, first: number, last: number, counts: SegmentCounts): Buffer {
  const bytes = Buffer.alloc(PAGE_BYTES);
  const view = new DataView(bytes.buffer, bytes.byteOffset, PAGE_BYTES);
  writePreamble(view, Magic.EDGES);
  setU64(view, 16, number);
  setU64(view, 24, first);
  setU64(view, 32, last);
  for (const [k, count] of countsOf(counts).entries()) view.setUint32(40 + 4 * k, count, true);
  return bytes;
}

/** Pages that are read at once, and how far from the last ones the next are looked for. */
const AHEAD_PAGES = 16;
const NEAR_PAGES = 4;

/** Pages from `first` to before `end`, which were read. */
interface Ahead {
  first: number;
  end: number;
  bytes: Uint8Array | undefined;
}

export class Segment implements PagedFile {
  readonly entry: EdgesEntry;
  readonly path: string;
  readonly counts: SegmentCounts;
  readonly plan: SegmentPlan;
  readonly frames: Int32Array;
  /** Where {@link locate} found a row: it begins at `at` of `words`. Valid until the next call of any segment with the same cache. */
  words: Uint32Array;
  at = 0;
  end = 0;
  readonly #file: VolumeFile;
  readonly #checksums: Uint32Array;
  readonly #cache: PageCache;
  readonly #directory: Uint32Array;
  readonly #straddling = new Uint32Array(EDGE_WORDS);
  /** Places of the file that are gone through at the same time. */
  readonly #ahead = Array.from({ length: 4 }, (): Ahead => ({ first: 0, end: 0, bytes: undefined }));
  #nextAhead = 0;
  #users = 1;

  private constructor(
    entry: EdgesEntry,
    path: string,
    file: VolumeFile,
    counts: SegmentCounts,
    checksums: Uint32Array,
    cache: PageCache,
  ) {
    this.entry = entry;
    this.path = path;
    this.counts = counts;
    this.plan = planOf(counts);
    this.frames = new Int32Array(this.plan.pages);
    this.words = this.#straddling;
    this.#file = file;
    this.#checksums = checksums;
    this.#cache = cache;
    this.#directory = new Uint32Array(Math.ceil(counts.nodes / PAGE_NODES));
  }

  /** Throws TGK-INDEX-DAMAGED where the file is not what the entry says, and ASL-READ. */
  static open(volume: Volume, entry: EdgesEntry, cache: PageCache): Segment {
    const path = edgesPath(entry.number);
    let file: VolumeFile;
    try {
      file = volume.open(path, "read");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") throw damaged("there is no such file", path);
      throw AslError.from(error, "ASL-READ", "it cannot be opened", { file: path });
    }
    try {
      const header = Buffer.alloc(PAGE_BYTES);
      if (file.size() !== entry.bytes || readFully(file, header, 0, PAGE_BYTES, 0) < PAGE_BYTES)
        throw damaged("it has not the length that the manifest says", path);
      const view = new DataView(header.buffer, header.byteOffset, PAGE_BYTES);
      if (!readPreamble(view, Magic.EDGES, path)) throw damaged("it does not begin as a segment of edges", path, 0);
      const count = (k: number): number => view.getUint32(40 + 4 * k, true);
      const counts = {
        edges: count(0),
        nodes: count(1),
        out: count(2),
        in: count(3),
        ends: count(4),
        algorithm: count(5),
      };
      const plan = planOf(counts);
      // Held against the file's length before memory is taken by it.
      if (plan.bytes !== entry.bytes || getU64(view, 16) !== entry.number || plan.checksums > MOST_WORDS)
        throw damaged("its header does not fit to its length", path, 0);
      const checksums = new Uint32Array(plan.pages);
      const bytes = new Uint8Array(checksums.buffer);
      if (readFully(file, bytes, 0, bytes.length, plan.checksums * 4) < bytes.length)
        throw damaged("it is shorter than it was", path);
      if (!equalBytes(segmentDigest(header, bytes), entry.digest))
        throw damaged("its header or its checksums are not what the manifest says", path, 0);
      const segment = new Segment(entry, path, file, counts, checksums, cache);
      const directory = segment.#directory;
      for (let k = 0; k < directory.length; k++) directory[k] = segment.word(plan.directory + k);
      return segment;
    } catch (error) {
      closeQuietly(file);
      throw error instanceof TgkError || error instanceof AslError
        ? error
        : AslError.from(error, "ASL-READ", "it cannot be read", { file: path });
    }
  }
  /** One more goes on with it. */
  retain(): this {
    this.#users++;
    return this;
  }
  /** The file is closed when nobody goes on with it. */
  release(): void {
    if (--this.#users > 0) return;
    this.#cache.forget(this);
    closeQuietly(this.#file);
  }

  readPage(page: number, _words: Uint32Array, bytes: Uint8Array, at: number): void {
    if (this.#users <= 0) throw new TgkError("TGK-CLOSED", "the graph is closed");
    const { path } = this;
    if (!(page < this.plan.pages)) throw damaged("it names what it does not have", path);
    const from = at * 4;
    const offset = page * PAGE_BYTES;
    let isThere: boolean;
    try {
      isThere = this.#readAhead(page, bytes, from);
    } catch (error) {
      throw AslError.from(error, "ASL-READ", "it cannot be read", { file: path, offset });
    }
    if (!isThere || crc32Of(bytes, from, from + PAGE_BYTES, page) !== this.#checksums[page])
      throw damaged("a page is not what its checksum says", path, offset);
  }
  /** Reads a page; where pages are asked for one soon behind the other, several at once, since calls cost more than bytes. False at the file's end. */
  #readAhead(page: number, into: Uint8Array, at: number): boolean {
    const file = this.#file;
    let ahead = this.#ahead.find(({ first, end }) => first <= page && page < end + NEAR_PAGES);
    if (ahead === undefined) {
      ahead = this.#ahead[this.#nextAhead++ % this.#ahead.length]!;
      ahead.first = ahead.end = page + 1;
      return readFully(file, into, at, PAGE_BYTES, page * PAGE_BYTES) === PAGE_BYTES;
    }
    ahead.bytes ??= new Uint8Array(AHEAD_PAGES * PAGE_BYTES);
    if (page >= ahead.end) {
      const count = Math.min(AHEAD_PAGES, this.plan.pages - page);
      ahead.first = page;
      ahead.end = page;
      const length = readFully(file, ahead.bytes, 0, count * PAGE_BYTES, page * PAGE_BYTES);
      ahead.end = page + Math.floor(length / PAGE_BYTES);
      if (ahead.end === page) return false;
    }
    const begin = (page - ahead.first) * PAGE_BYTES;
    into.set(ahead.bytes.subarray(begin, begin + PAGE_BYTES), at);
    return true;
  }

  /** A word of the file. */
  word(place: number): number {
    const cache = this.#cache;
    cache.load(this, place >>> PAGE_BITS);
    return cache.words[cache.base + (place & (PAGE_WORDS - 1))]!;
  }
  /** Has some words of the file, {@link EDGE_WORDS} at most, in {@link words}. */
  locate(place: number, count: number): void {
    const cache = this.#cache;
    const first = place & (PAGE_WORDS - 1);
    cache.load(this, place >>> PAGE_BITS);
    if (first + count <= PAGE_WORDS) {
      this.words = cache.words;
      this.at = cache.base + first;
      return;
    }
    const copy = this.#straddling;
    for (let k = 0; k < count; k++) copy[k] = this.word(place + k);
    this.words = copy;
    this.at = 0;
  }

  /** Has rows of the ends, as many of `count` as are in their page, in {@link words} from {@link at} to {@link end}; answers how many. */
  endsAt(row: number, count: number): number {
    if (row + count > this.counts.ends) throw damaged("it names ends that it does not have", this.path);
    const place = this.plan.ends + row;
    const cache = this.#cache;
    const first = place & (PAGE_WORDS - 1);
    cache.load(this, place >>> PAGE_BITS);
    const length = Math.min(count, PAGE_WORDS - first);
    this.words = cache.words;
    this.at = cache.base + first;
    this.end = this.at + length;
    return length;
  }
  /** Number of the artifact at an end. */
  endAt(row: number): number {
    this.endsAt(row, 1);
    return this.words[this.at]!;
  }

  /** Puts the digest of an artifact, eight words, into `into`. Throws TGK-INDEX-DAMAGED for a number that none has. */
  digest(node: number, into: Uint32Array): void {
    if (node >= this.counts.nodes) throw damaged("it names an artifact that it does not have", this.path);
    this.locate(this.plan.digests + node * DIGEST_WORDS, DIGEST_WORDS);
    const { words, at } = this;
    for (let k = 0; k < DIGEST_WORDS; k++) into[k] = words[at + k]!;
  }
  algorithm(node: number): number {
    return this.counts.algorithm || this.word(this.plan.nodes + node * NODE_WORDS + NodeWord.ALGORITHM);
  }
  key(node: number): ArtifactKey {
    this.digest(node, keyWords);
    for (let k = 0; k < DIGEST_WORDS; k++) keyWords[k] = swapped(keyWords[k]!);
    const algorithm = this.algorithm(node);
    if (ALGORITHMS[algorithm - 1] === undefined) throw damaged("it has a key of an unknown algorithm", this.path);
    return keyText(algorithm, keyBytes);
  }
  /** Number of the first artifact from `from` on whose key is not before this one. */
  seek(digest: Uint32Array, algorithm: number, from: number): number {
    const { nodes } = this.counts;
    let low = from;
    let high = nodes;
    // Steps that double, since it is near as a rule when many are looked for in order.
    for (let step = 1; step <= PAGE_NODES; step *= 2) {
      if (low + step > nodes || !this.#isBefore(low + step - 1, digest, algorithm)) {
        high = Math.min(nodes, low + step - 1);
        break;
      }
      low += step;
    }
    if (high === nodes && low < nodes) {
      // Only pages can hold it, and the one before them, that begin with its first word.
      const first = digest[0]!;
      low = Math.max(low, (this.#pageFrom(first) - 1) * PAGE_NODES);
      high = Math.min(nodes, this.#pageFrom(first + 1) * PAGE_NODES);
    }
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#isBefore(middle, digest, algorithm)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
  /** The first page of digests that begins with this word or a higher one. */
  #pageFrom(word: number): number {
    let low = 0;
    let high = this.#directory.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#directory[middle]! < word) low = middle + 1;
      else high = middle;
    }
    return low;
  }
  /** Number of the artifact with this key, −1 if it is at no end of an edge. */
  find(digest: Uint32Array, algorithm: number): number {
    const node = this.seek(digest, algorithm, Math.max(0, (this.#pageFrom(digest[0]!) - 1) * PAGE_NODES));
    return this.is(node, digest, algorithm) ? node : -1;
  }
  /** Whether the artifact with this number, if there is one, has this key. */
  is(node: number, digest: Uint32Array, algorithm: number): boolean {
    if (node >= this.counts.nodes) return false;
    this.locate(this.plan.digests + node * DIGEST_WORDS, DIGEST_WORDS);
    const { words, at } = this;
    for (let k = 0; k < DIGEST_WORDS; k++) if (words[at + k] !== digest[k]) return false;
    return this.algorithm(node) === algorithm;
  }
  #isBefore(node: number, digest: Uint32Array, algorithm: number): boolean {
    this.locate(this.plan.digests + node * DIGEST_WORDS, DIGEST_WORDS);
    const { words, at } = this;
    for (let k = 0; k < DIGEST_WORDS; k++) {
      const word = words[at + k]!;
      if (word !== digest[k]) return word < digest[k]!;
    }
    return this.algorithm(node) < algorithm;
  }
}

/** Of a file that was only read, or that an error made useless: what closing it says is nothing that anybody could do something about. */
export function closeQuietly(file: VolumeFile): void {
  try {
    file.close();
  } catch {
    // See above.
  }
}

const PAGE_BITS = Math.log2(PAGE_WORDS);
const keyBytes = Buffer.alloc(DIGEST_BYTES);
const keyWords = new Uint32Array(keyBytes.buffer, keyBytes.byteOffset, DIGEST_WORDS);

/** The other order of the bytes of a word. */
function swapped(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}

export function segmentDigest(header: Uint8Array, checksums: Uint8Array): Uint8Array {
  return digestOf(Buffer.concat([header, checksums]));
}

export function damaged(what: string, file: string, offset?: number): TgkError {
  return new TgkError("TGK-INDEX-DAMAGED", what, { file, offset });
}

/** Digests in words that order as they do. */
export function wordsOf(bytes: Uint8Array, at: number, into: Uint32Array, to = 0): void {
  for (let k = 0; k < DIGEST_WORDS; k++, at += 4)
    into[to + k] = ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
