/** Writes the log of a rebuilt store: entries at positions that are known, and fillers at those that are not (spec ASL-REBUILD-2). */
import { digestOf } from "../assets/hash.ts";
import { type Format, setU64 } from "./format.ts";
import {
  EntryFlag,
  EntryKind,
  EXTENT_BYTES,
  type Extent,
  FRAME_BYTES,
  PUT_BYTES,
  writeExtent,
  writeFrameHeader,
} from "./frames.ts";
import { type Row, RowFlag } from "./index-rows.ts";
import { LogEnd, type LogPlace } from "./log.ts";
import { logBeginning } from "./recovery.ts";
import type { Volume } from "./volume.ts";

/** Of an entry that says only that what stood at its position is lost. */
const LOST_BYTES = 8;

const FRAME_ENTRIES = 8192;
const ENTRIES_BYTES: number = 1024 * 1024;

export type RebuiltExtent = Omit<Extent, "isSealed">;

export interface RebuildLogOptions {
  /** Whose folder `log` the files are written to. */
  readonly volume: Volume;
  readonly format: Format;
  readonly epoch: number;
  readonly logBytes: number;
  readonly random: (bytes: number) => Uint8Array;
}

export class RebuildLog {
  /** Positions at which nothing is known. */
  lost = 0;
  logseq = 0;
  readonly #options: RebuildLogOptions;
  readonly #log: LogEnd;
  #entries: Buffer = Buffer.allocUnsafe(1 << 16);
  #length = 0;
  #count = 0;
  #extents: RebuiltExtent[] = [];
  #isPublished = false;

  constructor(options: RebuildLogOptions) {
    this.#options = options;
    this.#log = LogEnd.create(options.volume, options.format, logBeginning(options.format), options.random);
  }
  /** Position of the next entry. */
  get position(): number {
    return this.#log.place.position + this.#count;
  }
  get place(): LogPlace {
    return this.#log.place;
  }

  /** Fills up to a position. */
  fill(position: number): void {
    for (; this.position < position; this.lost++) {
      const at = this.#room(LOST_BYTES);
      this.#entries.fill(0, at, at + LOST_BYTES);
      this.#entries[at] = EntryKind.LOST;
      this.#entries.writeUInt32LE(LOST_BYTES, at + 4);
    }
  }
  /** Adds an entry as it stood in a log. */
  copy(bytes: Buffer, from: number, size: number, isPublished: boolean): void {
    this.#turnTo(isPublished);
    const at = this.#room(size);
    bytes.copy(this.#entries, at, from, from + size);
  }
  /** Adds the entry of an artifact. */
  put(row: Row, kind: EntryKind = EntryKind.PUT): void {
    this.#turnTo((row.flags & RowFlag.PUBLISHED) !== 0);
    const at = this.#room(PUT_BYTES);
    const bytes = this.#entries;
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, PUT_BYTES);
    bytes.fill(0, at, at + PUT_BYTES);
    bytes[at] = kind;
    bytes[at + 1] = (row.flags & (EntryFlag.HAS_TAG | EntryFlag.CHUNKED)) | EntryFlag.REQUIRED;
    view.setUint16(2, row.domain, true);
    view.setUint32(4, PUT_BYTES, true);
    view.setUint32(8, row.tag, true);
    view.setUint16(12, row.source, true);
    bytes[at + 14] = row.algorithm;
    bytes.set(row.digest, at + 16);
    setU64(view, 48, row.logseq);
    view.setUint32(56, row.block, true);
    setU64(view, 64, row.offset);
    setU64(view, 72, row.length);
    this.logseq = Math.max(this.logseq, row.logseq);
  }
  /** Bytes that the frame of the entries before answers for. */
  answerFor(extents: readonly RebuiltExtent[]): void {
    this.#extents.push(...extents);
  }
  #turnTo(isPublished: boolean): void {
    if (this.#isPublished === isPublished) return;
    this.flush();
    this.#isPublished = isPublished;
  }
  #room(size: number): number {
    if (this.#count >= FRAME_ENTRIES || this.#length > ENTRIES_BYTES) this.flush();
    if (this.#length + size > this.#entries.length) {
      const larger = Buffer.allocUnsafe(2 * (this.#length + size));
      this.#entries.copy(larger, 0, 0, this.#length);
      this.#entries = larger;
    }
    const at = this.#length;
    this.#length += size;
    this.#count++;
    return at;
  }
  /** Writes the frame of what was added. */
  flush(): void {
    if (this.#count === 0) return;
    const { format, epoch, logBytes, random } = this.#options;
    const bodyBytes = this.#extents.length * EXTENT_BYTES + this.#length;
    const log = this.#log;
    if (log.place.offset + FRAME_BYTES + bodyBytes > logBytes && log.place.offset > FRAME_BYTES) log.rotate(random);
    const frame = Buffer.alloc(FRAME_BYTES + bodyBytes);
    let at = FRAME_BYTES;
    for (const extent of this.#extents) {
      writeExtent(frame, at, { ...extent, isSealed: true });
      at += EXTENT_BYTES;
    }
    this.#entries.copy(frame, at, 0, this.#length);
    const { number, offset, position, hash } = log.place;
    const header = {
      isPublished: this.#isPublished,
      isDurable: true,
      bodyBytes,
      entries: this.#count,
      extents: this.#extents.length,
      entriesBytes: this.#length,
      firstPosition: position,
      epoch,
      synced: log.synced,
      log: number,
      offset,
      logseq: this.logseq,
    };
    writeFrameHeader(frame, 0, header, log.nonce, hash, digestOf(frame.subarray(FRAME_BYTES)), format.seed);
    log.append(frame, frame.length, this.#count);
    this.#length = 0;
    this.#count = 0;
    this.#extents = [];
  }
  /** All of it is on disk. */
  end(): LogPlace {
    this.flush();
    this.#log.sync();
    this.#log.close();
    return this.#log.place;
  }
}
