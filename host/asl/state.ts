/**
 * What the log tells up to a frame (spec ASL-LOG-STATE). One function takes a frame in, when it was committed and when it is read again: so CURRENT
 * is the checkpoint and the replay of what follows.
 */
import type { ArtifactIndex } from "./artifact-index.ts";
import { LOG_BIT } from "./block-file.ts";
import type { OpenBlock, Pin, Snapshot, State } from "./checkpoint.ts";
import { AslError } from "./errors.ts";
import {
  BINDING_BYTES,
  EntryFlag,
  EntryKind,
  EXTENT_BYTES,
  FRAME_BYTES,
  type FrameHeader,
  readEntry,
  readExtent,
} from "./frames.ts";
import { bindingDigest, Row, RowFlag, RowKind } from "./index-rows.ts";
import { DIGEST_BYTES } from "./key.ts";
import { type LogPlace, logPath } from "./log.ts";

/** In an entry: the digest of an artifact, or the name of a binding. */
const DIGEST_AT = 16;

/** Takes rows in the order of their positions. */
export type RowTaker = Pick<ArtifactIndex, "add">;

export class LogState implements State {
  place: LogPlace;
  logseq: number;
  epoch: number;
  lastTombstone: number;
  nextBlock: number;
  openBlocks: OpenBlock[];
  readonly snapshots: Map<string, Snapshot>;
  readonly pins: Map<string, Pin>;
  readonly domains: Map<number, Uint8Array>;
  /** Blocks that entries named since this was made. */
  readonly named: Set<number> = new Set();
  /** Of artifacts that are chunked, since then: their chunks lie in blocks that only their lists name. */
  readonly chunked: Row[] = [];
  #lastNamed = 0;
  readonly #row = new Row();
  readonly #digest = new Uint32Array(this.#row.digest.buffer);

  constructor(state: State) {
    this.place = state.place;
    this.logseq = state.logseq;
    this.epoch = state.epoch;
    this.lastTombstone = state.lastTombstone;
    this.nextBlock = state.nextBlock;
    this.openBlocks = [...state.openBlocks];
    this.snapshots = new Map(state.snapshots);
    this.pins = new Map(state.pins);
    this.domains = new Map(state.domains);
  }
  /** Position of the last entry. */
  get position(): number {
    return this.place.position - 1;
  }
  copy(): LogState {
    return new LogState(this);
  }

  /** Takes a whole frame in, whose header is at `at` of `bytes`. Throws ASL-LOG-DAMAGED or ASL-VERSION. */
  apply(header: FrameHeader, bytes: Buffer, at: number, hash: Uint8Array, index: RowTaker): void {
    const body = at + FRAME_BYTES;
    const file = logPath(header.log);
    // Frames begin at multiples of 8, in files as in these bytes; words are read in a third of the time of bytes.
    const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
    for (let k = 0; k < header.extents; k++) this.#applyExtent(bytes, body + k * EXTENT_BYTES, header);
    let entry = body + header.extents * EXTENT_BYTES;
    const end = entry + header.entriesBytes;
    for (let k = 0; k < header.entries; k++) {
      const size = entry + 8 <= end ? words[(entry >>> 2) + 1]! : 0;
      if (size < 8 || size % 8 !== 0 || size > end - entry)
        throw new AslError("ASL-LOG-DAMAGED", `entry ${k} of the frame has no size that can be`, {
          file,
          offset: header.offset,
        });
      const offset = header.offset + entry - at;
      this.#applyEntry(bytes, words, entry, size, header, header.firstPosition + k, offset, file, hash, index);
      entry += size;
    }
    this.place = {
      number: header.log,
      offset: header.offset + FRAME_BYTES + header.bodyBytes,
      position: header.firstPosition + header.entries,
      hash,
    };
    this.logseq = header.logseq;
    this.epoch = header.epoch;
  }

  #name(block: number): void {
    if (block === this.#lastNamed) return;
    this.#lastNamed = block;
    this.named.add(block);
    if (block >= this.nextBlock) this.nextBlock = block + 1;
  }

  #applyExtent(bytes: Buffer, at: number, { isPublished }: FrameHeader): void {
    const { block: number, end, isSealed } = readExtent(bytes, at);
    this.#name(number);
    if (isSealed) return;
    // The one before it was full.
    this.openBlocks = this.openBlocks.filter((block) => block.isPublished !== isPublished);
    this.openBlocks.push({ number, end, isPublished });
  }

  #applyEntry(
    bytes: Buffer,
    words: Uint32Array,
    at: number,
    size: number,
    header: FrameHeader,
    position: number,
    offset: number,
    file: string,
    hash: Uint8Array,
    index: RowTaker,
  ): void {
    const row = this.#row;
    const kind = bytes[at]!;
    // Those that are many do not become objects.
    if (kind === EntryKind.PUT || kind === EntryKind.PUBLISH || kind === EntryKind.TOMBSTONE) {
      const isPut = kind !== EntryKind.TOMBSTONE;
      if (size !== (isPut ? 80 : 56))
        throw new AslError("ASL-LOG-DAMAGED", `an entry of kind ${kind} has ${size} bytes`, { file, offset });
      const flags = bytes[at + 1]!;
      row.kind = isPut ? RowKind.PUT : RowKind.TOMBSTONE;
      row.flags =
        (flags & EntryFlag.HAS_TAG ? RowFlag.HAS_TAG : 0) |
        (flags & EntryFlag.CHUNKED ? RowFlag.CHUNKED : 0) |
        (isPut && header.isPublished ? RowFlag.PUBLISHED : 0);
      const first = at >>> 2;
      row.algorithm = bytes[at + 14]!;
      row.domain = words[first]! >>> 16;
      row.source = words[first + 3]! & 0xffff;
      row.tag = words[first + 2]!;
      const digest = this.#digest;
      for (let k = 0; k < 8; k++) digest[k] = words[first + DIGEST_AT / 4 + k]!;
      row.logseq = words[first + 13]! * 2 ** 32 + words[first + 12]!;
      row.block = isPut ? words[first + 14]! : 0;
      row.offset = isPut ? words[first + 17]! * 2 ** 32 + words[first + 16]! : 0;
      row.length = isPut ? words[first + 19]! * 2 ** 32 + words[first + 18]! : 0;
      row.position = position;
      if (!isPut) this.lastTombstone = position;
      else if (row.block < LOG_BIT) this.#name(row.block);
      if ((row.flags & RowFlag.CHUNKED) !== 0 && isPut) this.chunked.push(row.copy());
      index.add(row);
      return;
    }
    if (kind === EntryKind.BINDING && size === BINDING_BYTES) {
      const first = at >>> 2;
      row.kind = (bytes[at + 1]! & EntryFlag.REMOVED) !== 0 ? RowKind.UNBINDING : RowKind.BINDING;
      row.flags = 0;
      row.algorithm = 0;
      row.domain = 0;
      row.source = 0;
      row.tag = words[first + 2]!;
      row.digest.set(bindingDigest(row.tag, bytes.subarray(at + DIGEST_AT, at + DIGEST_AT + DIGEST_BYTES)));
      row.logseq = words[first + 13]! * 2 ** 32 + words[first + 12]!;
      row.block = (LOG_BIT | header.log) >>> 0;
      row.offset = offset;
      row.length = 0;
      row.position = position;
      index.add(row);
      return;
    }
    const payload = readEntry(bytes, at, size, file, offset);
    switch (payload.kind) {
      case "pin":
        this.pins.set(payload.label, payload);
        return;
      case "snapshot":
        this.snapshots.set(payload.name, { name: payload.name, position, frameHash: hash, logseq: header.logseq });
        return;
      case "drop":
        (payload.what === "pin" ? this.pins : this.snapshots).delete(payload.name);
        return;
      case "domain":
        this.domains.set(payload.index, payload.id);
        return;
      default:
    }
  }
}
