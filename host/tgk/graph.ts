/** The graph that edges make of a store's artifacts, as of a position (spec TGK-GRAPH): which edges an artifact has, and where they lead. */
import type { ArtifactKey, KeyLike, Store, View } from "../asl/index.ts";
import { ParsedKey } from "../asl/key.ts";
import type { Edge } from "./edge.ts";
import { checkIterable, checkObject, type EdgeFilter, edgeFilter, tagsOf } from "./edge-filter.ts";
import { TgkError } from "./errors.ts";
import { GraphIndex, type GraphTuning } from "./graph-index.ts";
import { compareIds, LinkCursor } from "./link-cursor.ts";
import { DIGEST_WORDS, damaged, EDGE_WORDS, EdgeWord, REMOVED, type Segment, wordsOf } from "./segment.ts";

/** `from`: of edges that lead away from it. `to`: of edges that lead to it. */
export type Side = "from" | "to";

export interface Traversal extends EdgeFilter {
  readonly start: Iterable<KeyLike>;
  /** `forward`: from what is in `from` to what is in `to`. */
  readonly direction: "forward" | "backward";
  /** Most edges in a row; all there are by default. */
  readonly depth?: number | undefined;
  /** Most edges in all. */
  readonly limit?: number | undefined;
}

export interface GraphOptions {
  /** What the store held then; by default what it holds now. */
  readonly at?: View | undefined;
  readonly tuning?: Partial<GraphTuning> | undefined;
}

/** An edge that was found: what is asked of it is read then, as long as the graph is open. */
export class FoundEdge implements Edge {
  readonly type: number;
  readonly roles: number;
  readonly #graph: Graph;
  readonly #segment: Segment;
  readonly #number: number;

  constructor(graph: Graph, segment: Segment, number: number, type: number, flags: number) {
    this.#graph = graph;
    this.#segment = segment;
    this.#number = number;
    this.type = type;
    this.roles = flags & 255;
  }
  get from(): ArtifactKey[] {
    return this.#ends(true);
  }
  get to(): ArtifactKey[] {
    return this.#ends(false);
  }
  /** The 32 bytes that it is bound to. */
  get id(): Uint8Array {
    return this.#read((segment, place) => {
      const bytes = Buffer.alloc(4 * DIGEST_WORDS);
      for (let k = 0; k < DIGEST_WORDS; k++) bytes.writeUInt32BE(segment.word(place + EdgeWord.ID + k), 4 * k);
      return new Uint8Array(bytes);
    });
  }
  /** Of the entry of the log that bound it. */
  get position(): number {
    return this.#read((segment, place) => segment.entry.first + segment.word(place + EdgeWord.POSITION));
  }
  #ends(isFrom: boolean): ArtifactKey[] {
    return this.#read((segment, place) => {
      segment.locate(place, EDGE_WORDS);
      const counts = segment.words[segment.at + EdgeWord.COUNTS]!;
      const ends = segment.words[segment.at + EdgeWord.ENDS]!;
      const begin = isFrom ? ends : ends + (counts & 0xffff);
      const end = begin + (isFrom ? counts & 0xffff : counts >>> 16);
      const keys: ArtifactKey[] = [];
      for (let k = begin; k < end; k++) keys.push(segment.key(segment.endAt(k)));
      return keys;
    });
  }
  #read<Result>(read: (segment: Segment, place: number) => Result): Result {
    return this.#graph.guarded(() => {
      const { counts, plan, path } = this.#segment;
      if (this.#number >= counts.edges) throw damaged("it names an edge that it does not have", path);
      return read(this.#segment, plan.edges + this.#number * EDGE_WORDS);
    });
  }
}

/** An edge that a traversal came to. */
export class Visit {
  /** How many edges in a row lead here, with this one: 1 for those of the start. */
  readonly depth: number;
  readonly edge: FoundEdge;
  readonly #graph: Graph;
  readonly #segment: Segment;
  readonly #node: number;

  constructor(graph: Graph, depth: number, edge: FoundEdge, segment: Segment, node: number) {
    this.#graph = graph;
    this.depth = depth;
    this.edge = edge;
    this.#segment = segment;
    this.#node = node;
  }
  /** The artifact that the traversal came from. */
  get node(): ArtifactKey {
    return this.#graph.guarded(() => this.#segment.key(this.#node));
  }
}

export interface GraphStats {
  /** Entries about edges: with those that were replaced or removed since. */
  readonly entries: number;
  readonly segments: number;
  /** Of segments, in files and in memory. */
  readonly bytes: number;
}

/** Opens the graph of a store, and brings its index up to date (spec TGK-INDEX). Close it. Throws TGK-ARGUMENT or an AslError. */
export function openGraph(store: Store, options: GraphOptions = {}): Graph {
  checkObject(store, "a store");
  checkObject(options, "an object of options");
  const { at = store.view(), tuning = {} } = options;
  if (typeof (at as Partial<View> | null)?.stat !== "function")
    throw new TgkError("TGK-ARGUMENT", "what the store held then as a view, of `at` or `view`, was expected");
  return new Graph(GraphIndex.of(store, tuning), at);
}

/**
 * Brings the index of a store up to date, so that who opens its graph finds it so; a store that was opened for reading has none to keep. Throws
 * TGK-ARGUMENT or an AslError.
 */
export function keepGraph(store: Store): void {
  checkObject(store, "a store");
  if (!store.isReadOnly) openGraph(store).close();
}

export class Graph {
  readonly #index: GraphIndex;
  readonly #view: View;
  readonly #segments: readonly Segment[];
  #isClosed = false;

  constructor(index: GraphIndex, view: View) {
    this.#index = index;
    this.#view = view;
    this.#segments = index.segments();
  }
  /** What it shows is of this position of the log, or before. */
  get position(): number {
    return this.#view.position;
  }
  stats(): GraphStats {
    this.#check();
    const sum = (of: (segment: Segment) => number): number => this.#segments.reduce((all, one) => all + of(one), 0);
    return {
      entries: sum(({ counts }) => counts.edges),
      segments: this.#segments.length,
      bytes: sum(({ entry }) => entry.bytes),
    };
  }
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const segment of this.#segments) segment.release();
    this.#index.release();
  }

  /** The edges that an artifact is at the given side of, in the order of their ids. Throws TGK-ARGUMENT, TGK-INDEX-DAMAGED, or an AslError. */
  *edgesOf(key: KeyLike, side: Side, filter: EdgeFilter = {}): Generator<FoundEdge, undefined> {
    const isOut = isOne(side, "from", "to", "side");
    const accepts = edgeFilter(filter);
    const tags = tagsOf(filter);
    this.#check();
    const links = new Links(this.#segments, this.#view.position, isOut);
    const nodes = new Int32Array(this.#segments.length);
    const { algorithm, digest } = digestOf(key);
    try {
      for (const [k, segment] of this.#segments.entries()) nodes[k] = segment.find(digest, algorithm);
      links.begin(nodes);
      while (links.next()) {
        const { segment, edge, type, flags } = links;
        if (!accepts(type, flags) || (tags !== undefined && !this.#hasTag(links, tags))) continue;
        yield new FoundEdge(this, segment, edge, type, flags);
      }
    } catch (error) {
      throw this.told(error);
    }
  }
  #hasTag(links: Links, tags: ReadonlySet<number>): boolean {
    for (let k = 0; k < links.farCount; k++) if (this.#isTagged(links.segment, links.far(k), tags)) return true;
    return false;
  }
  #isTagged(segment: Segment, node: number, tags: ReadonlySet<number>): boolean {
    const records = this.#view.stat(segment.key(node))?.records ?? [];
    return records.some(({ typeTag }) => typeTag !== undefined && tags.has(typeTag));
  }

  /**
   * Goes from artifacts along edges, level by level (spec TGK-TRAVERSE): each edge is visited once, from the first artifact that leads to it, in the order
   * of the keys of a level's artifacts and then of the edges' ids. Throws TGK-ARGUMENT, TGK-INDEX-DAMAGED, or an AslError.
   */
  *traverse(traversal: Traversal): Generator<Visit, undefined> {
    checkObject(traversal, "an object of options");
    const { start, direction, depth, limit, ...filter } = traversal;
    checkIterable(start, "keys");
    const isOut = isOne(direction, "forward", "backward", "direction");
    const accepts = edgeFilter(filter);
    const tags = tagsOf(filter);
    const mostDepth = countOf(depth, "depth");
    let left = countOf(limit, "limit");
    this.#check();
    const segments = this.#segments;
    const links = new Links(this.#segments, this.#view.position, isOut);
    const levels = segments.map((segment) => new Level(segment));
    const seenEdges = segments.map(({ counts }) => new Uint32Array((counts.edges >>> 5) + 1));
    try {
      // In order, neighbours are in the same pages.
      for (const { algorithm, digest } of Array.from(start, digestOf).sort(byDigest)) {
        for (const [k, segment] of segments.entries()) {
          const node = segment.find(digest, algorithm);
          if (node >= 0) levels[k]!.add(node);
        }
      }
      for (let step = 1; step <= mostDepth; step++) {
        let isOver = true;
        for (const level of levels) isOver = !level.turn() && isOver;
        if (isOver) return;
        const merger = new LevelMerger(levels);
        while (merger.next()) {
          links.begin(merger.nodes);
          while (links.next()) {
            const { segment, edge, type, flags, at } = links;
            const seen = seenEdges[at]!;
            const bit = 1 << (edge & 31);
            if ((seen[edge >>> 5]! & bit) !== 0 || !accepts(type, flags)) continue;
            if (!this.#enter(links, levels[at]!, tags)) continue;
            seen[edge >>> 5]! |= bit;
            if (left-- <= 0) return;
            yield new Visit(this, step, new FoundEdge(this, segment, edge, type, flags), merger.segment, merger.node);
          }
        }
      }
    } catch (error) {
      throw this.told(error);
    }
  }
  /** What is at the other side of an edge comes to the next level; false if tags are wanted and nothing there has one. */
  #enter(links: Links, level: Level, tags: ReadonlySet<number> | undefined): boolean {
    if (tags === undefined) {
      links.addFar(level);
      return true;
    }
    let isAny = false;
    for (let k = 0; k < links.farCount; k++) {
      const node = links.far(k);
      if (!this.#isTagged(links.segment, node, tags)) continue;
      isAny = true;
      level.add(node);
    }
    return isAny;
  }

  #check(): void {
    if (this.#isClosed) throw new TgkError("TGK-CLOSED", "the graph is closed");
  }
  /** Runs what reads the index. */
  guarded<Result>(read: () => Result): Result {
    try {
      return read();
    } catch (error) {
      throw this.told(error);
    }
  }
  /** The error; if it says that the index is damaged, that is made again when it is opened next. */
  told(error: unknown): unknown {
    if (error instanceof TgkError && error.code === "TGK-INDEX-DAMAGED") this.#index.break();
    return error;
  }
}

/** The edges of an artifact at a position, in the order of their ids: of all entries about one, the last one counts. */
class Links {
  readonly #position: number;
  readonly #all: readonly LinkCursor[];
  /** Of the segments that have the artifact, and which they are. */
  readonly #cursors: LinkCursor[] = [];
  readonly #places: number[] = [];
  #count = 0;
  segment!: Segment;
  /** Which of the segments that is. */
  at = 0;
  edge = 0;
  type = 0;
  flags = 0;
  #far = 0;

  constructor(segments: readonly Segment[], position: number, isOut: boolean) {
    this.#position = position;
    this.#all = segments.map((segment) => new LinkCursor(segment, isOut));
  }
  /** `nodes`: its number in each of the segments, or −1. */
  begin(nodes: Int32Array): void {
    // An array that becomes shorter would give its memory back, for each artifact.
    this.#count = 0;
    for (let k = 0; k < nodes.length; k++) {
      if (nodes[k]! < 0) continue;
      const cursor = this.#all[k]!;
      cursor.begin(nodes[k]!);
      if (cursor.isOver) continue;
      this.#cursors[this.#count] = cursor;
      this.#places[this.#count++] = k;
    }
  }
  get farCount(): number {
    return this.flags >>> 16;
  }
  /** Number of an artifact at the other side, in the segment. */
  far(k: number): number {
    return this.farCount === 1 ? this.#far : this.segment.endAt(this.#far + k);
  }
  /** All of them come to the next level. */
  addFar(level: Level): void {
    const { segment, farCount } = this;
    if (farCount === 1) {
      level.add(this.#far);
      return;
    }
    for (let k = 0; k < farCount; ) {
      k += segment.endsAt(this.#far + k, farCount - k);
      const { words, at, end } = segment;
      for (let word = at; word < end; word++) level.add(words[word]!);
    }
  }
  /** Whether there is one more. */
  next(): boolean {
    const cursors = this.#cursors;
    const count = this.#count;
    for (;;) {
      let least = 0;
      while (least < count && cursors[least]!.isOver) least++;
      if (least === count) return false;
      for (let k = least + 1; k < count; k++)
        if (!cursors[k]!.isOver && cursors[k]!.compare(cursors[least]!) < 0) least = k;
      const { id0, id1, edge, segment } = cursors[least]!;
      let isThere = this.#take(least);
      // Later rows tell what came later, and so do later segments.
      for (let k = least; k < count; k++) {
        const cursor = cursors[k]!;
        while (
          !cursor.isOver &&
          cursor.id0 === id0 &&
          cursor.id1 === id1 &&
          compareIds(cursor.segment, cursor.edge, segment, edge) === 0
        )
          isThere = this.#take(k) ?? isThere;
      }
      if (isThere === true) return true;
    }
  }
  /** Goes over a row. Whether the edge is there as it says; undefined for one that is of later than what is shown. */
  #take(k: number): boolean | undefined {
    const cursor = this.#cursors[k]!;
    const { segment, position, flags } = cursor;
    const isShown = position <= this.#position - segment.entry.first;
    if (isShown) {
      this.segment = segment;
      this.at = this.#places[k]!;
      this.edge = cursor.edge;
      this.type = cursor.type;
      this.flags = flags;
      this.#far = cursor.far;
    }
    cursor.next();
    return isShown ? (flags & REMOVED) === 0 : undefined;
  }
}

/** Artifacts of a level that one segment has. */
class Level {
  readonly segment: Segment;
  /** In order, of the level that is gone through. */
  nodes = new Uint32Array(0);
  next = 0;
  #coming = new Uint32Array(64);
  #count = 0;
  readonly #seen: Uint32Array;

  constructor(segment: Segment) {
    this.segment = segment;
    this.#seen = new Uint32Array((segment.counts.nodes >>> 5) + 1);
  }
  /** It is of the level that comes, unless it was of one before. */
  add(node: number): void {
    if (!this.see(node)) return;
    if (this.#count === this.#coming.length) {
      const larger = new Uint32Array(2 * this.#count);
      larger.set(this.#coming);
      this.#coming = larger;
    }
    this.#coming[this.#count++] = node;
  }
  /** Whether it is seen for the first time. */
  see(node: number): boolean {
    const { counts, path } = this.segment;
    if (node >= counts.nodes) throw damaged("it names an artifact that it does not have", path);
    const word = node >>> 5;
    const bit = 1 << (node & 31);
    if ((this.#seen[word]! & bit) !== 0) return false;
    this.#seen[word]! |= bit;
    return true;
  }
  /** The level that came is gone through from now on; false if nothing is in it. */
  turn(): boolean {
    this.nodes = this.#coming.slice(0, this.#count).sort();
    this.#count = 0;
    this.next = 0;
    return this.nodes.length > 0;
  }
}

/** Goes through the artifacts of a level, in the order of their keys, each with its numbers in all segments. */
class LevelMerger {
  /** Of the artifact that {@link next} found, by segments; −1 where it is not. */
  readonly nodes: Int32Array;
  /** One that has it. */
  segment!: Segment;
  node = 0;
  readonly #levels: readonly Level[];
  readonly #digests: readonly Uint32Array[];
  readonly #algorithms: Int32Array;
  /** Where the artifact was looked for last: those that come are behind it. */
  readonly #places: Int32Array;

  constructor(levels: readonly Level[]) {
    this.#levels = levels;
    this.nodes = new Int32Array(levels.length);
    this.#algorithms = new Int32Array(levels.length);
    this.#places = new Int32Array(levels.length);
    this.#digests = levels.map(() => new Uint32Array(DIGEST_WORDS));
    if (levels.length > 1) for (let k = 0; k < levels.length; k++) this.#load(k);
  }
  next(): boolean {
    const levels = this.#levels;
    if (levels.length === 1) return this.#nextOfOne(levels[0]!);
    let least = -1;
    for (let k = 0; k < levels.length; k++)
      if (levels[k]!.next < levels[k]!.nodes.length && (least < 0 || this.#compare(k, least) < 0)) least = k;
    if (least < 0) return false;
    const digest = this.#digests[least]!.slice();
    const algorithm = this.#algorithms[least]!;
    for (let k = 0; k < levels.length; k++) {
      const level = levels[k]!;
      if (level.next < level.nodes.length && this.#compare(k, least) === 0 && k !== least) {
        this.nodes[k] = level.nodes[level.next]!;
      } else if (k === least) this.nodes[k] = level.nodes[level.next]!;
      else this.nodes[k] = this.#lookFor(k, digest, algorithm);
    }
    for (let k = 0; k < levels.length; k++) {
      const level = levels[k]!;
      if (this.nodes[k]! < 0 || level.nodes[level.next] !== this.nodes[k]) continue;
      level.next++;
      this.#load(k);
    }
    this.segment = levels[least]!.segment;
    this.node = this.nodes[least]!;
    return true;
  }
  #nextOfOne(level: Level): boolean {
    if (level.next >= level.nodes.length) return false;
    this.node = level.nodes[level.next++]!;
    this.nodes[0] = this.node;
    this.segment = level.segment;
    return true;
  }
  /** In a segment through which nothing led here. */
  #lookFor(k: number, digest: Uint32Array, algorithm: number): number {
    const { segment } = this.#levels[k]!;
    const node = segment.seek(digest, algorithm, this.#places[k]!);
    this.#places[k] = node;
    if (!segment.is(node, digest, algorithm)) return -1;
    this.#levels[k]!.see(node);
    return node;
  }
  #load(k: number): void {
    const level = this.#levels[k]!;
    if (level.next >= level.nodes.length) return;
    const node = level.nodes[level.next]!;
    level.segment.digest(node, this.#digests[k]!);
    this.#algorithms[k] = level.segment.algorithm(node);
  }
  #compare(left: number, right: number): number {
    const ours = this.#digests[left]!;
    const theirs = this.#digests[right]!;
    for (let k = 0; k < DIGEST_WORDS; k++) if (ours[k] !== theirs[k]) return ours[k]! - theirs[k]!;
    return this.#algorithms[left]! - this.#algorithms[right]!;
  }
}

/** Any count there is by default. */
function countOf(count: number | undefined, what: string): number {
  if (count === undefined || count === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
  if (!Number.isSafeInteger(count) || count < 0)
    throw new TgkError("TGK-ARGUMENT", `the ${what} is ${count}; an integer from 0 on was expected`);
  return count;
}

/** Whether the word is the first of two; it has to be one of them. */
function isOne(word: string, first: string, second: string, what: string): boolean {
  if (word === first) return true;
  if (word === second) return false;
  throw new TgkError("TGK-ARGUMENT", `the ${what} is ${JSON.stringify(word)}; ${first} or ${second} was expected`);
}

interface KeyWords {
  readonly algorithm: number;
  readonly digest: Uint32Array;
}

/** Throws ASL-KEY. */
function digestOf(key: KeyLike): KeyWords {
  const { algorithm, bytes, at } = new ParsedKey().parse(key);
  const digest = new Uint32Array(DIGEST_WORDS);
  wordsOf(bytes, at, digest);
  return { algorithm, digest };
}

function byDigest({ digest: left }: KeyWords, { digest: right }: KeyWords): number {
  return left[0]! - right[0]!;
}
