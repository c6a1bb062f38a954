/**
 * The index of edges beside the log (spec TGK-INDEX): segments, the manifest that names them, and what the log says behind them. All of it is made from
 * the log, so whatever is damaged, old or missing is made again.
 */

import { crc32Of } from "../asl/checksum.ts";
import { AslError } from "../asl/errors.ts";
import {
  getU64,
  Magic,
  namesIn,
  numberOf,
  readPreamble,
  readWhole,
  removeIfThere,
  replaceWhole,
  setU64,
  writePreamble,
} from "../asl/format.ts";
import { BINDING_BYTES, EntryFlag, EntryKind, EXTENT_BYTES, FRAME_BYTES, frameHash } from "../asl/frames.ts";
import { type KeyLike, Namespace, type Store, type View } from "../asl/index.ts";
import { DIGEST_BYTES, digestAt, keyText } from "../asl/key.ts";
import { type Frame, type LogPlace, logPath, readLog } from "../asl/log.ts";
import { MemoryVolume } from "../asl/memory-volume.ts";
import { PageCache } from "../asl/page-cache.ts";
import { logBeginning } from "../asl/recovery.ts";
import type { Derivation } from "../asl/store.ts";
import { readFully, type Volume } from "../asl/volume.ts";
import { equalBytes } from "../assets/hash.ts";
import { type EdgeEnds, readEdgeOf } from "./edge.ts";
import {
  closeQuietly,
  EDGES_EXTENSION,
  type EdgesEntry,
  edgesPath,
  GRAPH_FOLDER,
  MOST_WORDS,
  Segment,
} from "./segment.ts";
import { EdgeCollector, mergeSegments } from "./segment-writer.ts";

export const MANIFEST_FILE: string = `${GRAPH_FOLDER}/MANIFEST`;

/** Numbers with no effect on what is found. */
export interface GraphTuning {
  /** Edges that become a segment at once, and ends of edges. */
  readonly segmentEdges: number;
  readonly segmentEnds: number;
  /** Fewer edges than these are collected again each time, unless so many bytes of the log were read for them. */
  readonly keptEdges: number;
  readonly keptLogBytes: number;
  /** So many segments that no manifest names yet are named, and merged. */
  readonly mergedSegments: number;
  /** Bytes of memory for pages of segments. */
  readonly cacheBytes: number;
}

const TUNING: GraphTuning = {
  segmentEdges: 32_768,
  segmentEnds: 262_144,
  keptEdges: 16_384,
  keptLogBytes: 32 * 1024 * 1024,
  mergedSegments: 128,
  cacheBytes: 64 * 1024 * 1024,
};

/** What a manifest says. */
interface Manifest {
  /** The log is told up to here. */
  readonly place: LogPlace;
  /** Where the last frame before it begins. */
  readonly frame: number;
  readonly segments: readonly EdgesEntry[];
}

const HEAD_BYTES = 96;
const ENTRY_BYTES = 72;
/** Of a manifest: what claims more is damage. */
const MOST_BYTES = 1024 * 1024;

function encodeManifest({ place, frame, segments }: Manifest): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + segments.length * ENTRY_BYTES + 4);
  const view = new DataView(bytes.buffer);
  writePreamble(view, Magic.GRAPH);
  setU64(view, 16, place.number);
  setU64(view, 24, place.offset);
  setU64(view, 32, place.position);
  setU64(view, 40, frame);
  bytes.set(place.hash, 48);
  setU64(view, 80, segments.length);
  for (const [k, { number, bytes: length, first, last, edges, digest }] of segments.entries()) {
    const at = HEAD_BYTES + k * ENTRY_BYTES;
    for (const [field, value] of [number, length, first, last, edges].entries()) setU64(view, at + 8 * field, value);
    bytes.set(digest, at + 40);
  }
  const end = bytes.length - 4;
  view.setUint32(end, crc32Of(bytes, 0, end, 0), true);
  return bytes;
}

/** Undefined for what is no manifest. */
function decodeManifest(bytes: Uint8Array): Manifest | undefined {
  const end = bytes.length - 4;
  if (end < HEAD_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(end, true) !== crc32Of(bytes, 0, end, 0)) return undefined;
  if (!readPreamble(view, Magic.GRAPH, MANIFEST_FILE)) return undefined;
  const count = getU64(view, 80);
  if (HEAD_BYTES + count * ENTRY_BYTES !== end) return undefined;
  const place = {
    number: getU64(view, 16),
    offset: getU64(view, 24),
    position: getU64(view, 32),
    hash: digestAt(bytes, 48),
  };
  const segments = Array.from({ length: count }, (_, k) => {
    const at = HEAD_BYTES + k * ENTRY_BYTES;
    const [number, length, first, last, edges] = [0, 1, 2, 3, 4].map((field) => getU64(view, at + 8 * field)) as [
      number,
      number,
      number,
      number,
      number,
    ];
    return { number, bytes: length, first, last, edges, digest: digestAt(bytes, at + 40) };
  });
  return { place, frame: getU64(view, 40), segments };
}

/** Positions of a segment: rows have 32 bits for them. */
const MOST_SPAN = 2 ** 32;

/** One for each store that somebody has a graph of. */
const indexes = new WeakMap<Store, GraphIndex>();
/** Those whose manifest names what was found to be damaged. */
const damagedStores = new WeakSet<Store>();

/** Throws ASL-WRITE or ASL-NO-SPACE. */
function makeFolder(volume: Volume): void {
  try {
    volume.makeFolder(GRAPH_FOLDER);
  } catch (error) {
    throw AslError.from(error, "ASL-WRITE", "the folder cannot be made", { file: GRAPH_FOLDER });
  }
}

export class GraphIndex {
  readonly #store: Store;
  readonly #parts: Derivation;
  readonly #tuning: GraphTuning;
  readonly #cache: PageCache;
  /** Where new segments go: those of a store that was opened for reading are in memory. */
  #volume: Volume;
  /** In the order of positions. */
  #segments: Segment[] = [];
  /** What comes behind them, from a position on, while it is too little for a file. */
  #tail = new EdgeCollector();
  #tailFirst = 1;
  #tailSegment: Segment | undefined;
  /** The log was read up to here; where the last frame before that begins. */
  #place: LogPlace;
  #frame = 0;
  /** Bytes of the log that the tail was made of. */
  #tailBytes = 0;
  /** What the manifest on disk names. */
  #named: readonly Segment[] = [];
  #nextNumber = 1;
  #users = 0;
  #isBroken = false;
  /** Position of the store as it is read. */
  readonly #at = { position: 0 };
  readonly #view: View;
  readonly #multihash = Uint8Array.of(0x12, DIGEST_BYTES, ...new Uint8Array(DIGEST_BYTES));

  /** The index of the store, as far as the store now is. {@link release} it. */
  static of(store: Store, tuning: Partial<GraphTuning>): GraphIndex {
    const index = indexes.get(store) ?? new GraphIndex(store, tuning);
    index.#users++;
    try {
      index.#catchUp();
    } catch (error) {
      index.release();
      throw error;
    }
    return index;
  }

  private constructor(store: Store, tuning: Partial<GraphTuning>) {
    this.#store = store;
    this.#parts = store.derivation;
    this.#tuning = { ...TUNING, ...tuning };
    this.#cache = new PageCache(this.#tuning.cacheBytes);
    this.#view = this.#parts.viewAt(this.#at);
    this.#place = logBeginning(this.#parts.format);
    this.#volume = store.isReadOnly ? new MemoryVolume() : this.#parts.volume;
    this.#open();
    indexes.set(store, this);
  }
  release(): void {
    if (--this.#users > 0) return;
    indexes.delete(this.#store);
    this.#forget();
  }
  /** What it consists of now; each is to be released. */
  segments(): Segment[] {
    const all = this.#tailSegment === undefined ? this.#segments : [...this.#segments, this.#tailSegment];
    return all.map((segment) => segment.retain());
  }
  /** Something of it is not what it was: the next who asks for it has it made again. */
  break(): void {
    this.#isBroken = true;
    damagedStores.add(this.#store);
    if (!this.#store.isReadOnly) this.#remove(MANIFEST_FILE);
  }

  #forget(): void {
    for (const segment of this.#segments) segment.release();
    this.#segments = [];
    this.#named = [];
    this.#clearTail(1);
    this.#place = logBeginning(this.#parts.format);
    this.#frame = 0;
  }
  /** Collects anew, from a position on. */
  #clearTail(first: number): void {
    this.#tail = new EdgeCollector();
    this.#tailFirst = first;
    this.#tailBytes = 0;
    this.#tailSegment?.release();
    this.#tailSegment = undefined;
  }

  /** Takes up what the manifest names, if that fits to the log. */
  #open(): void {
    const { volume } = this.#parts;
    for (let attempt = 1; ; attempt++) {
      const bytes = damagedStores.has(this.#store) ? undefined : readManifest(volume);
      if (bytes === undefined || this.#take(bytes)) break;
      // A writer may put another one in its place, and remove what this one named.
      const again = readManifest(volume);
      if (attempt === 5 || again === undefined || equalBytes(bytes, again)) break;
    }
    this.#removeUnnamed();
  }
  #take(bytes: Uint8Array): boolean {
    const { volume } = this.#parts;
    const opened: Segment[] = [];
    try {
      const manifest = decodeManifest(bytes);
      if (manifest === undefined || !isOfLog(manifest, volume)) return false;
      for (const entry of manifest.segments) opened.push(Segment.open(volume, entry, this.#cache));
      this.#segments = opened;
      this.#named = [...opened];
      this.#place = manifest.place;
      this.#frame = manifest.frame;
      this.#tailFirst = manifest.place.position;
      return true;
    } catch (error) {
      for (const segment of opened) segment.release();
      // Of this room, the store, or the file system; others are defects.
      if (typeof (error as NodeJS.ErrnoException).code === "string") return false;
      throw error;
    }
  }
  /** Files that a crash, or a merge, has left. */
  #removeUnnamed(): void {
    const named = new Set(this.#named.map(({ path }) => path));
    if (!namesIn(this.#volume, "").includes(GRAPH_FOLDER)) return;
    for (const name of namesIn(this.#volume, GRAPH_FOLDER)) {
      const path = `${GRAPH_FOLDER}/${name}`;
      const number = numberOf(name, EDGES_EXTENSION);
      if (number !== undefined) this.#nextNumber = Math.max(this.#nextNumber, number + 1);
      if (number !== undefined && !named.has(path)) this.#remove(path);
    }
  }
  #remove(path: string): void {
    try {
      removeIfThere(this.#volume, path);
    } catch {
      // It stays until somebody can.
    }
  }

  /** Takes in what came to the log. */
  #catchUp(): void {
    this.#store.flush();
    if (this.#isBroken) {
      this.#forget();
      this.#open();
      this.#isBroken = false;
    }
    try {
      // What the log said when the index was made, and what it says now, may be two things: it was copied back, or made again.
      if (!this.#read()) {
        this.#forget();
        this.#removeUnnamed();
        if (!this.#read())
          throw new AslError("ASL-LOG-DAMAGED", "the log is shorter than it was, or it is not whole", {
            file: logPath(this.#place.number),
            offset: this.#place.offset,
          });
      }
      const { keptEdges, keptLogBytes } = this.#tuning;
      const isMuch = this.#tail.edges >= keptEdges || this.#tailBytes >= keptLogBytes;
      if (isMuch || this.#segments.length > this.#named.length) this.#publish();
      else if (this.#tail.edges !== (this.#tailSegment?.entry.edges ?? 0)) this.#showTail();
    } catch (error) {
      // Half of it may be taken in.
      this.#isBroken = true;
      throw error;
    }
  }
  /** False if the log does not go on where this has come to. */
  #read(): boolean {
    const { volume, format } = this.#parts;
    const last = this.#store.position;
    if (this.#place.position > last) return true;
    const reading = readLog(volume, format, this.#place);
    try {
      for (let next = reading.next(); next.done !== true; next = reading.next()) {
        const { header, hash } = next.value;
        if (header.firstPosition > last) break;
        this.#takeFrame(next.value);
        const offset = header.offset + FRAME_BYTES + header.bodyBytes;
        this.#place = { number: header.log, offset, position: header.firstPosition + header.entries, hash };
        this.#frame = header.offset;
        this.#tailBytes += FRAME_BYTES + header.bodyBytes;
        if (this.#segments.length - this.#named.length >= this.#tuning.mergedSegments) this.#publish();
      }
    } finally {
      // The file is closed.
      reading.return(undefined as never);
    }
    return this.#place.position > last;
  }
  #takeFrame({ header, bytes, at }: Frame): void {
    let entry = at + FRAME_BYTES + header.extents * EXTENT_BYTES;
    const end = entry + header.entriesBytes;
    for (let k = 0; k < header.entries; k++) {
      const size = entry + 8 <= end ? bytes.readUInt32LE(entry + 4) : 0;
      const isBinding = bytes[entry] === EntryKind.BINDING;
      if (size < 8 || size > end - entry || (isBinding && size !== BINDING_BYTES))
        throw new AslError("ASL-LOG-DAMAGED", `entry ${k} of the frame has no size that can be`, {
          file: logPath(header.log),
          offset: header.offset,
        });
      if (isBinding && bytes.readUInt32LE(entry + 8) === Namespace.EDGE)
        this.#takeBinding(bytes, entry, header.firstPosition + k);
      entry += size;
    }
  }
  #takeBinding(bytes: Buffer, entry: number, position: number): void {
    const name = bytes.subarray(entry + 16, entry + 16 + DIGEST_BYTES);
    const isRemoved = (bytes[entry + 1]! & EntryFlag.REMOVED) !== 0;
    const ends = isRemoved ? undefined : this.#edge(name, this.#key(bytes[entry + 14]!, bytes, entry + 56), position);
    if (this.#tail.edges === 0) this.#tailFirst = position;
    else if (position - this.#tailFirst >= MOST_SPAN) this.#flush(position);
    const from = position - this.#tailFirst;
    if (ends !== undefined) this.#tail.add(name, from, ends);
    else if (!this.#tail.remove(name, from)) {
      // It was bound before what is collected, if at all.
      this.#at.position = position - 1;
      const key = this.#view.resolve(Namespace.EDGE, name);
      const bound = this.#view.boundAt(Namespace.EDGE, name);
      const removed = key === undefined ? undefined : this.#edge(name, key, bound!);
      if (removed !== undefined) this.#tail.addRemoved(name, from, removed);
    }
    const { segmentEdges, segmentEnds } = this.#tuning;
    if (this.#tail.edges >= segmentEdges || this.#tail.ends >= segmentEnds) this.#flush(position + 1);
  }
  /** Of most keys nothing is allocated. */
  #key(algorithm: number, bytes: Uint8Array, at: number): KeyLike {
    if (algorithm !== 1) return keyText(algorithm, bytes, at);
    for (let k = 0; k < DIGEST_BYTES; k++) this.#multihash[2 + k] = bytes[at + k]!;
    return this.#multihash;
  }
  /** The edge of an id that the artifact of this key is, at a position; undefined if it is none. */
  #edge(name: Uint8Array, key: KeyLike, position: number): EdgeEnds | undefined {
    this.#at.position = position;
    const bytes = this.#view.get(key);
    return bytes && readEdgeOf(name, bytes);
  }

  /** What was collected becomes a segment in a file; more is collected from a position on. */
  #flush(next: number): void {
    if (this.#tail.edges > 0) this.#segments.push(this.#write(this.#volume, next - 1));
    this.#clearTail(next);
  }
  #showTail(): void {
    this.#tailSegment?.release();
    this.#tailSegment = undefined;
    this.#tailSegment = this.#write(new MemoryVolume(), this.#place.position - 1);
  }
  #write(volume: Volume, last: number): Segment {
    makeFolder(volume);
    const first = this.#tailFirst;
    return this.#tail.write({ volume, number: this.#nextNumber++, first, last }, this.#cache);
  }
  /** Keeps what was collected, merges what is to be merged, and has the manifest name what there is now. */
  #publish(): void {
    this.#flush(this.#place.position);
    for (let from = this.#firstToMerge(); from >= 0; from = this.#firstToMerge()) this.#merge(from);
    if (!this.#store.isReadOnly) {
      makeFolder(this.#volume);
      replaceWhole(
        this.#volume,
        MANIFEST_FILE,
        encodeManifest({
          place: this.#place,
          frame: this.#frame,
          segments: this.#segments.map(({ entry }) => entry),
        }),
        GRAPH_FOLDER,
      );
      damagedStores.delete(this.#store);
    }
    const gone = this.#named.filter((segment) => !this.#segments.includes(segment));
    this.#named = [...this.#segments];
    if (!this.#store.isReadOnly) for (const { path } of gone) this.#remove(path);
  }
  /** The first segment that has less than twice the edges of all behind it, which become one with it; −1 without any. */
  #firstToMerge(): number {
    const segments = this.#segments;
    const last = segments.at(-1)?.entry.last ?? 0;
    let edges = 0;
    let words = 0;
    let found = -1;
    for (let k = segments.length - 1; k >= 0; k--) {
      const { entry, plan } = segments[k]!;
      words += plan.checksums;
      if (words > MOST_WORDS || last - entry.first >= MOST_SPAN || !this.#isMine(segments[k]!)) break;
      if (entry.edges < 2 * edges) found = k;
      edges += entry.edges;
    }
    return found;
  }
  /** Whether it may be replaced: not what a writer has made, for a reader. */
  #isMine(segment: Segment): boolean {
    return !this.#store.isReadOnly || !this.#named.includes(segment);
  }
  #merge(from: number): void {
    const merged = this.#segments.slice(from);
    const [first, last] = [merged[0]!.entry.first, merged.at(-1)!.entry.last];
    const one = mergeSegments(merged, { volume: this.#volume, number: this.#nextNumber++, first, last }, this.#cache);
    this.#segments = [...this.#segments.slice(0, from), one];
    for (const segment of merged) {
      segment.release();
      // What no manifest names is not needed by anybody.
      if (!this.#named.includes(segment)) this.#remove(edgesPath(segment.entry.number));
    }
  }
}

/** Undefined if there is none that can be read. */
function readManifest(volume: Volume): Uint8Array | undefined {
  try {
    return readWhole(volume, MANIFEST_FILE, MOST_BYTES);
  } catch {
    return undefined;
  }
}

/** Whether the log has the frame that a manifest's place is behind: then all before it is what it was, since hashes form a chain. */
function isOfLog({ place, frame }: Manifest, volume: Volume): boolean {
  const file = volume.open(logPath(place.number), "read");
  try {
    const header = Buffer.alloc(FRAME_BYTES);
    return (
      readFully(file, header, 0, FRAME_BYTES, frame) === FRAME_BYTES && equalBytes(frameHash(header, 0), place.hash)
    );
  } finally {
    closeQuietly(file);
  }
}
