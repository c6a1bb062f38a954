/** Writes segments of the index of edges (spec TGK-SEGMENT): from edges that were collected, or from segments that become one. */
import { crc32Of } from "../asl/checksum.ts";
import { AslError } from "../asl/errors.ts";
import { DIGEST_BYTES } from "../asl/key.ts";
import type { PageCache } from "../asl/page-cache.ts";
import { PAGE_BYTES, PAGE_WORDS } from "../asl/segment-format.ts";
import type { Volume, VolumeFile } from "../asl/volume.ts";
import type { EdgeEnds } from "./edge.ts";
import { LinkCursor } from "./link-cursor.ts";
import {
  closeQuietly,
  DIGEST_WORDS,
  EDGE_WORDS,
  EdgeWord,
  edgesPath,
  encodeSegmentHeader,
  GRAPH_FOLDER,
  MOST_WORDS,
  PAGE_NODES,
  planOf,
  REMOVED,
  Segment,
  type SegmentCounts,
  type SegmentPlan,
  segmentDigest,
  wordsOf,
} from "./segment.ts";

/** Where a segment goes, and what of the log it answers for. */
export interface SegmentPlace {
  readonly volume: Volume;
  readonly number: number;
  readonly first: number;
  readonly last: number;
}

/** Pages of a section that are written together. */
const WRITE_PAGES = 64;

/** A section, word by word. */
class Section {
  readonly #file: SegmentFile;
  readonly #words = new Uint32Array(WRITE_PAGES * PAGE_WORDS);
  #place: number;
  #count = 0;

  constructor(file: SegmentFile, place: number) {
    this.#file = file;
    this.#place = place;
  }
  put(word: number): void {
    this.#words[this.#count++] = word;
    if (this.#count === this.#words.length) this.#write();
  }
  end(): void {
    if (this.#count === 0) return;
    const padded = Math.ceil(this.#count / PAGE_WORDS) * PAGE_WORDS;
    this.#words.fill(0, this.#count, padded);
    this.#count = padded;
    this.#write();
  }
  #write(): void {
    this.#file.write(this.#words, this.#count, this.#place);
    this.#place += this.#count;
    this.#count = 0;
  }
}

/** A segment's file while it is written. */
class SegmentFile {
  readonly plan: SegmentPlan;
  readonly #place: SegmentPlace;
  readonly #counts: SegmentCounts;
  readonly #file: VolumeFile;
  readonly #checksums: Uint32Array;

  constructor(place: SegmentPlace, counts: SegmentCounts) {
    this.#place = place;
    this.#counts = counts;
    this.plan = planOf(counts);
    if (this.plan.checksums > MOST_WORDS) throw new RangeError("a segment of this size has no places for its words");
    this.#checksums = new Uint32Array(this.plan.pages);
    this.#file = place.volume.open(edgesPath(place.number), "create");
  }
  write(words: Uint32Array, count: number, at: number): void {
    const bytes = new Uint8Array(words.buffer, words.byteOffset, count * 4);
    const page = at / PAGE_WORDS;
    for (let k = 0; k * PAGE_BYTES < bytes.length; k++)
      this.#checksums[page + k] = crc32Of(bytes, k * PAGE_BYTES, (k + 1) * PAGE_BYTES, page + k);
    this.#file.write(bytes, 0, bytes.length, at * 4);
  }
  /** The file and its name are on disk when it returns. */
  finish(cache: PageCache): Segment {
    const { volume, number, first, last } = this.#place;
    const header = encodeSegmentHeader(number, first, last, this.#counts);
    this.#checksums[0] = crc32Of(header, 0, PAGE_BYTES, 0);
    const checksums = new Uint8Array(this.#checksums.buffer);
    this.#file.write(header, 0, PAGE_BYTES, 0);
    this.#file.write(checksums, 0, checksums.length, this.plan.checksums * 4);
    this.#file.sync();
    this.#file.close();
    volume.syncFolder(GRAPH_FOLDER);
    const { edges } = this.#counts;
    const digest = segmentDigest(header, checksums);
    return Segment.open(volume, { number, bytes: this.plan.bytes, first, last, edges, digest }, cache);
  }
  close(): void {
    closeQuietly(this.#file);
  }
}

/** Throws an AslError for what the volume throws; nothing names the file then. */
function written(
  place: SegmentPlace,
  counts: SegmentCounts,
  cache: PageCache,
  fill: (file: SegmentFile) => void,
): Segment {
  try {
    const file = new SegmentFile(place, counts);
    try {
      fill(file);
      return file.finish(cache);
    } catch (error) {
      file.close();
      throw error;
    }
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).code !== "string") throw error;
    throw AslError.from(error, "ASL-WRITE", "a segment of edges cannot be written", { file: edgesPath(place.number) });
  }
}

// ------------------------------------------------------------------------------------------------- collecting

/** Words that there is always room for one more of. */
class Words {
  words = new Uint32Array(1024);
  length = 0;
  push(word: number): void {
    if (this.length === this.words.length) {
      const larger = new Uint32Array(2 * this.words.length);
      larger.set(this.words);
      this.words = larger;
    }
    this.words[this.length++] = word;
  }
}

/** What the log says of edges, in its order, until it becomes a segment. */
export class EdgeCollector {
  readonly #nodes = new Map<string, number>();
  readonly #digests = new Words();
  readonly #algorithms = new Words();
  /** Rows as in the section, with numbers of artifacts in the order of their first use. */
  readonly #edges = new Words();
  readonly #ends = new Words();
  /** The last row of each id; made when an edge is removed, which few are. */
  #byId: Map<string, number> | undefined;
  #count = 0;

  get edges(): number {
    return this.#count;
  }
  get ends(): number {
    return this.#ends.length;
  }

  /** An edge that is bound at a position, which counts from where the segment begins. */
  add(id: Uint8Array, position: number, ends: EdgeEnds): void {
    const begin = this.#ends.length;
    const { bytes, algorithms, places, fromCount } = ends;
    for (let k = 0; k < places.length; k++) this.#ends.push(this.#node(bytes, places[k]!, algorithms[k]!));
    const counts = fromCount + (places.length - fromCount) * 0x1_0000;
    this.#push(id, position, ends.type, ends.roles, counts, begin);
  }
  /** The edge of this id is none any more; false if it was not collected. */
  remove(id: Uint8Array, position: number): boolean {
    this.#byId ??= this.#rowsById();
    const row = this.#byId.get(latin1(id, 0));
    if (row === undefined) return false;
    const at = row * EDGE_WORDS;
    const { words } = this.#edges;
    if (words[at + EdgeWord.FLAGS] !== REMOVED)
      this.#push(
        id,
        position,
        words[at + EdgeWord.TYPE]!,
        REMOVED,
        words[at + EdgeWord.COUNTS]!,
        words[at + EdgeWord.ENDS]!,
      );
    return true;
  }
  /** The same of one whose ends are told. */
  addRemoved(id: Uint8Array, position: number, ends: EdgeEnds): void {
    this.add(id, position, { ...ends, roles: REMOVED });
  }
  #push(id: Uint8Array, position: number, type: number, flags: number, counts: number, begin: number): void {
    const edges = this.#edges;
    wordsOf(id, 0, idWords);
    for (let k = 0; k < DIGEST_WORDS; k++) edges.push(idWords[k]!);
    edges.push(position);
    edges.push(type);
    edges.push(flags);
    edges.push(counts);
    edges.push(begin);
    this.#byId?.set(latin1(id, 0), this.#count);
    this.#count++;
  }
  #rowsById(): Map<string, number> {
    const rows = new Map<string, number>();
    const id = Buffer.alloc(DIGEST_BYTES);
    for (let row = 0; row < this.#count; row++) {
      for (let k = 0; k < DIGEST_WORDS; k++) id.writeUInt32BE(this.#edges.words[row * EDGE_WORDS + k]!, 4 * k);
      rows.set(latin1(id, 0), row);
    }
    return rows;
  }
  #node(bytes: Uint8Array, at: number, algorithm: number): number {
    const text = algorithm === 1 ? latin1(bytes, at) : `${latin1(bytes, at)}${algorithm}`;
    let node = this.#nodes.get(text);
    if (node === undefined) {
      node = this.#nodes.size;
      this.#nodes.set(text, node);
      wordsOf(bytes, at, idWords);
      for (let k = 0; k < DIGEST_WORDS; k++) this.#digests.push(idWords[k]!);
      this.#algorithms.push(algorithm);
    }
    return node;
  }

  /** Writes them. What was collected stays, and may become more. */
  write(place: SegmentPlace, cache: PageCache): Segment {
    const nodes = this.#nodes.size;
    const digests = this.#digests.words;
    const algorithms = this.#algorithms.words;
    const order = sorted(nodes, digests, DIGEST_WORDS, (left, right) => algorithms[left]! - algorithms[right]!);
    const numbers = new Uint32Array(nodes);
    for (let k = 0; k < nodes; k++) numbers[order[k]!] = k;
    const edges = this.#edges.words;
    const byId = sorted(this.#count, edges, EDGE_WORDS, (left, right) => left - right);
    const out = this.#links(byId, numbers, true);
    const into = this.#links(byId, numbers, false);
    const counts = {
      edges: this.#count,
      nodes,
      out: out.edges.length,
      in: into.edges.length,
      ends: this.#ends.length,
      algorithm: commonOf(algorithms.subarray(0, nodes)),
    };
    return written(place, counts, cache, (file) => {
      const { plan } = file;
      const digestRows = new Section(file, plan.digests);
      const nodeRows = new Section(file, plan.nodes);
      const directory = new Section(file, plan.directory);
      for (let node = 0; node < nodes; node++) {
        const old = order[node]!;
        if (node % PAGE_NODES === 0) directory.put(digests[old * DIGEST_WORDS]!);
        for (let k = 0; k < DIGEST_WORDS; k++) digestRows.put(digests[old * DIGEST_WORDS + k]!);
        putNode(nodeRows, out.begins[node]!, into.begins[node]!, algorithms[old]!);
      }
      putNode(nodeRows, counts.out, counts.in, 0);
      this.#writeLinks(file, plan.out, out.edges, numbers, true);
      this.#writeLinks(file, plan.in, into.edges, numbers, false);
      const edgeRows = new Section(file, plan.edges);
      for (let k = 0; k < this.#count * EDGE_WORDS; k++) edgeRows.put(edges[k]!);
      const ends = new Section(file, plan.ends);
      for (let k = 0; k < this.#ends.length; k++) ends.put(numbers[this.#ends.words[k]!]!);
      for (const section of [digestRows, nodeRows, directory, edgeRows, ends]) section.end();
    });
  }
  /** Edges at each artifact, in the order that is given, and where they begin. */
  #links(byId: Uint32Array, numbers: Uint32Array, isOut: boolean): { begins: Uint32Array; edges: Uint32Array } {
    const begins = new Uint32Array(numbers.length + 1);
    /** The edge that an artifact was last met at, plus one: it may be at several ends. */
    const last = new Uint32Array(numbers.length);
    const each = (take: (node: number, edge: number) => void): void => {
      last.fill(0);
      for (const edge of byId) {
        const at = edge * EDGE_WORDS;
        const counts = this.#edges.words[at + EdgeWord.COUNTS]!;
        const begin = this.#edges.words[at + EdgeWord.ENDS]! + (isOut ? 0 : counts & 0xffff);
        const end = begin + (isOut ? counts & 0xffff : counts >>> 16);
        for (let k = begin; k < end; k++) {
          const node = numbers[this.#ends.words[k]!]!;
          if (last[node] === edge + 1) continue;
          last[node] = edge + 1;
          take(node, edge);
        }
      }
    };
    let total = 0;
    each((node) => {
      begins[node + 1]!++;
      total++;
    });
    for (let node = 0; node < numbers.length; node++) begins[node + 1]! += begins[node]!;
    const edges = new Uint32Array(total);
    const next = begins.slice();
    each((node, edge) => {
      edges[next[node]!++] = edge;
    });
    return { begins, edges };
  }
  #writeLinks(file: SegmentFile, place: number, links: Uint32Array, numbers: Uint32Array, isOut: boolean): void {
    const section = new Section(file, place);
    const { words } = this.#edges;
    for (const edge of links) {
      const at = edge * EDGE_WORDS;
      const counts = words[at + EdgeWord.COUNTS]!;
      const farCount = isOut ? counts >>> 16 : counts & 0xffff;
      const far = words[at + EdgeWord.ENDS]! + (isOut ? counts & 0xffff : 0);
      section.put(words[at]!);
      section.put(words[at + 1]!);
      section.put(edge);
      section.put(words[at + EdgeWord.POSITION]!);
      section.put(words[at + EdgeWord.TYPE]!);
      section.put((words[at + EdgeWord.FLAGS]! | (farCount << 16)) >>> 0);
      section.put(farCount === 1 ? numbers[this.#ends.words[far]!]! : far);
    }
    section.end();
  }
}

const idWords = new Uint32Array(DIGEST_WORDS);

/** As text, by which maps find it. */
function latin1(bytes: Uint8Array, at: number): string {
  return latin1Slice.call(bytes, at, at + DIGEST_BYTES);
}

/** Takes any bytes, and no Buffer has to be made for them. */
const { latin1Slice } = Buffer.prototype as Buffer & { latin1Slice(from: number, to: number): string };

/** Numbers of rows in the order of the digests that they begin with; those of the same digest in the order that is told. */
function sorted(
  count: number,
  words: Uint32Array,
  rowWords: number,
  compare: (left: number, right: number) => number,
): Uint32Array {
  // First word and number in one: numbers are sorted in a tenth of the time that calls take.
  const keys = new Float64Array(count);
  for (let row = 0; row < count; row++) keys[row] = words[row * rowWords]! * MOST_ROWS + row;
  keys.sort();
  const order = Uint32Array.from(keys, (key) => key % MOST_ROWS);
  const first = (k: number): number => words[order[k]! * rowWords]!;
  for (let from = 0; from < count; ) {
    let to = from + 1;
    while (to < count && first(to) === first(from)) to++;
    if (to - from > 1)
      order.subarray(from, to).sort((left, right) => {
        for (let k = 1; k < DIGEST_WORDS; k++) {
          const by = words[left * rowWords + k]! - words[right * rowWords + k]!;
          if (by !== 0) return by;
        }
        return compare(left, right);
      });
    from = to;
  }
  return order;
}

/** So that a word and a number of a row fit into 53 bits. */
const MOST_ROWS = 2 ** 21;

/** The number that all of them are; 0 if they differ. */
function commonOf(numbers: ArrayLike<number>): number {
  for (let k = 1; k < numbers.length; k++) if (numbers[k] !== numbers[0]) return 0;
  return numbers[0] ?? 0;
}

function putNode(section: Section, out: number, into: number, algorithm: number): void {
  section.put(out);
  section.put(into);
  section.put(algorithm);
}

// ---------------------------------------------------------------------------------------------------- merging

/** A segment while it is read from its beginning to its end. */
class Source {
  readonly segment: Segment;
  /** Which of the sources it is: those of later positions come later. */
  readonly index: number;
  /** What numbers of its edges, and places of its ends, become more by. */
  readonly edgeBase: number;
  readonly endBase: number;
  readonly positionBase: number;
  /** New numbers of its artifacts. */
  readonly numbers: Uint32Array;
  node = 0;
  /** The one whose rows are written. */
  here = 0;
  readonly digest = new Uint32Array(DIGEST_WORDS);
  algorithm = 0;

  constructor(segment: Segment, index: number, edgeBase: number, endBase: number, positionBase: number) {
    this.segment = segment;
    this.index = index;
    this.edgeBase = edgeBase;
    this.endBase = endBase;
    this.positionBase = positionBase;
    this.numbers = new Uint32Array(segment.counts.nodes);
    this.load();
  }
  get isOver(): boolean {
    return this.node >= this.segment.counts.nodes;
  }
  load(): void {
    if (this.isOver) return;
    this.segment.digest(this.node, this.digest);
    this.algorithm = this.segment.algorithm(this.node);
  }
}

/** Whether the artifact that `left` is at comes before, is, or comes behind that of `right`. */
function compareKeys(left: Source, right: Source): number {
  for (let k = 0; k < DIGEST_WORDS; k++) {
    const by = left.digest[k]! - right.digest[k]!;
    if (by !== 0) return by;
  }
  return left.algorithm - right.algorithm;
}

/** Makes one segment of some, which are in the order of their positions and neighbours. Takes 4 bytes of memory for each of their artifacts. */
export function mergeSegments(segments: readonly Segment[], place: SegmentPlace, cache: PageCache): Segment {
  const sum = (count: (counts: SegmentCounts) => number): number =>
    segments.reduce((total, { counts }) => total + count(counts), 0);
  let edgeBase = 0;
  let endBase = 0;
  const sources = segments.map((segment, index) => {
    const source = new Source(segment, index, edgeBase, endBase, segment.entry.first - place.first);
    edgeBase += segment.counts.edges;
    endBase += segment.counts.ends;
    return source;
  });
  const nodes = number(sources);
  const algorithm = commonOf(segments.map(({ counts }) => counts.algorithm));
  const out = sum((counts) => counts.out);
  const counts = { edges: edgeBase, nodes, out, in: sum((counts) => counts.in), ends: endBase, algorithm };
  return written(place, counts, cache, (file) => {
    const { plan } = file;
    const edges = new Section(file, plan.edges);
    const ends = new Section(file, plan.ends);
    for (const source of sources) copyEdges(source, edges, ends);
    const digests = new Section(file, plan.digests);
    const nodeRows = new Section(file, plan.nodes);
    const directory = new Section(file, plan.directory);
    const out = new LinkMerger(new Section(file, plan.out), sources, true);
    const into = new LinkMerger(new Section(file, plan.in), sources, false);
    for (const source of sources) source.node = 0;
    const heap = new SourceHeap(sources, compareNumbers);
    const here: Source[] = [];
    for (let node = 0; node < nodes; node++) {
      let count = 0;
      for (let { first } = heap; first !== undefined && first.numbers[first.node] === node; { first } = heap) {
        here[count++] = first;
        first.here = first.node++;
        heap.settle();
      }
      if (here.length > count) here.length = count;
      // What came first stays first.
      if (count > 1) here.sort((left, right) => left.index - right.index);
      const { segment, here: old } = here[0]!;
      segment.digest(old, idWords);
      if (node % PAGE_NODES === 0) directory.put(idWords[0]!);
      for (let k = 0; k < DIGEST_WORDS; k++) digests.put(idWords[k]!);
      putNode(nodeRows, out.count, into.count, segment.algorithm(old));
      out.take(here);
      into.take(here);
    }
    putNode(nodeRows, out.count, into.count, 0);
    for (const section of [edges, ends, digests, nodeRows, directory, out.section, into.section]) section.end();
  });
}

/** By the new numbers of the artifacts that they are at. */
function compareNumbers(left: Source, right: Source): number {
  return left.numbers[left.node]! - right.numbers[right.node]!;
}

/** Sources in a heap: the one whose artifact is the least comes first. */
class SourceHeap {
  readonly #heap: Source[];
  readonly #compare: (left: Source, right: Source) => number;

  constructor(sources: readonly Source[], compare: (left: Source, right: Source) => number) {
    this.#compare = compare;
    this.#heap = sources.filter(({ isOver }) => !isOver).sort(compare);
  }
  get first(): Source | undefined {
    return this.#heap[0];
  }
  /** The first one has gone on to its next artifact. */
  settle(): void {
    const heap = this.#heap;
    const moved = heap[0]!.isOver ? heap.pop()! : heap[0]!;
    if (heap.length === 0 || moved.isOver) return;
    let at = 0;
    for (let below = 1; below < heap.length; below = 2 * at + 1) {
      if (below + 1 < heap.length && this.#compare(heap[below + 1]!, heap[below]!) < 0) below++;
      if (this.#compare(moved, heap[below]!) <= 0) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = moved;
  }
}

/** Gives the artifacts of all their new numbers; answers how many there are. */
function number(sources: readonly Source[]): number {
  const heap = new SourceHeap(sources, compareKeys);
  const digest = new Uint32Array(DIGEST_WORDS);
  let algorithm = 0;
  let count = 0;
  for (let { first } = heap; first !== undefined; { first } = heap) {
    let isSame = count > 0 && first.algorithm === algorithm;
    for (let k = 0; isSame && k < DIGEST_WORDS; k++) isSame = first.digest[k] === digest[k];
    if (!isSame) {
      digest.set(first.digest);
      ({ algorithm } = first);
      count++;
    }
    first.numbers[first.node++] = count - 1;
    first.load();
    heap.settle();
  }
  return count;
}

function copyEdges({ segment, numbers, endBase, positionBase }: Source, edges: Section, ends: Section): void {
  const { counts, plan } = segment;
  for (let edge = 0; edge < counts.edges; edge++) {
    segment.locate(plan.edges + edge * EDGE_WORDS, EDGE_WORDS);
    const { words, at } = segment;
    for (let k = 0; k < EDGE_WORDS; k++) {
      const more = k === EdgeWord.POSITION ? positionBase : k === EdgeWord.ENDS ? endBase : 0;
      edges.put(words[at + k]! + more);
    }
  }
  for (let k = 0; k < counts.ends; k++) ends.put(numbers[segment.endAt(k)]!);
}

/** Rows of the edges at one artifact, in the order of their ids, from several segments. */
class LinkMerger {
  readonly section: Section;
  count = 0;
  readonly #cursors: readonly LinkCursor[];

  constructor(section: Section, sources: readonly Source[], isOut: boolean) {
    this.section = section;
    this.#cursors = sources.map(({ segment }) => new LinkCursor(segment, isOut));
  }
  /** Those of the artifact that some sources are at, in the order of these. */
  take(here: readonly Source[]): void {
    const cursors = this.#cursors;
    for (const { index, here: node } of here) cursors[index]!.begin(node);
    for (;;) {
      let least: Source | undefined;
      for (const source of here) {
        const cursor = cursors[source.index]!;
        if (!cursor.isOver && (least === undefined || cursor.compare(cursors[least.index]!) < 0)) least = source;
      }
      if (least === undefined) return;
      this.#put(cursors[least.index]!, least);
      cursors[least.index]!.next();
    }
  }
  #put(link: LinkCursor, { edgeBase, endBase, positionBase, numbers }: Source): void {
    const { section } = this;
    this.count++;
    section.put(link.id0);
    section.put(link.id1);
    section.put(link.edge + edgeBase);
    section.put(link.position + positionBase);
    section.put(link.type);
    section.put(link.flags);
    section.put(link.flags >>> 16 === 1 ? numbers[link.far]! : link.far + endBase);
  }
}
