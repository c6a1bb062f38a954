/** Commits groups: block, sync, frame, sync (spec ASL-LOG-COMMIT); and writes checkpoints when the index has new segments. */
import { digestOf } from "../assets/hash.ts";
import type { ArtifactIndex, SegmentEntry } from "./artifact-index.ts";
import type { Blocks } from "./blocks.ts";
import {
  type Current,
  checkpointNumbers,
  checkpointPath,
  type State,
  writeCheckpoint,
  writeCurrent,
} from "./checkpoint.ts";
import { AslError } from "./errors.ts";
import type { Format } from "./format.ts";
import { removeIfThere } from "./format.ts";
import { BODY_BYTES, EXTENT_BYTES, type Extent, FRAME_BYTES, writeExtent, writeFrameHeader } from "./frames.ts";
import { type Group, logBlock } from "./group.ts";
import type { StoreLimits } from "./limits.ts";
import type { Lock } from "./lock.ts";
import { LOG_HEADER_BYTES, type LogEnd, type LogPlace } from "./log.ts";
import type { PackedBlock } from "./packed-block.ts";
import type { LogState } from "./state.ts";
import type { Volume } from "./volume.ts";

/** When what is put is on disk (spec ASL-CORE-DURABILITY-1). */
export type Durability = "group" | "each" | "none";

/** Rows of the index that are flushed or merged for each that is committed, so that this keeps up with it. */
const PACE = 6;
/** Of a commit of very few. */
const LEAST_ROWS = 16;
/** More segments than this are probed too slowly: merging goes twice as fast. */
const MANY_SEGMENTS = 8;

/** CURRENT and the checkpoint that it names. */
export class Checkpoints {
  readonly #volume: Volume;
  readonly #format: Format;
  #current: Current;
  /** What holds up to the last row of the segments that CURRENT names. */
  #base: State;
  /** What will, when the rows that are frozen are in a segment. */
  #frozen: State | undefined;

  constructor(volume: Volume, format: Format, current: Current, base: State) {
    this.#volume = volume;
    this.#format = format;
    this.#current = current;
    this.#base = base;
  }
  get current(): Current {
    return this.#current;
  }
  /** Remembers what holds now: the rows up to here will be in segments some time. */
  freeze(state: LogState): void {
    this.#frozen = state.copy();
  }
  /** Writes a checkpoint of these segments, which hold the rows up to a position. The log is on disk up to `end`. */
  publish(segments: readonly SegmentEntry[], nextSegment: number, position: number, end: LogPlace): void {
    const isFlush = this.#frozen !== undefined && this.#frozen.place.position - 1 === position;
    const base = isFlush ? this.#frozen! : this.#base;
    const before = this.#current.checkpoint;
    const number = before + 1;
    const digest = writeCheckpoint(this.#volume, number, { ...stateOf(base), segments, nextSegment });
    this.#write({ checkpoint: number, digest, place: base.place, end });
    this.#base = base;
    if (isFlush) this.#frozen = undefined;
    for (const old of checkpointNumbers(this.#volume)) {
      if (old < number) removeIfThere(this.#volume, checkpointPath(old));
    }
  }
  /** The log is on disk up to here, and it is known to be. */
  close(end: LogPlace): void {
    const { number, offset } = this.#current.end;
    if (number !== end.number || offset !== end.offset) this.#write({ ...this.#current, end });
  }
  #write(current: Current): void {
    writeCurrent(this.#volume, this.#format, current);
    this.#current = current;
  }
}

/** Without what a checkpoint does not hold. */
function stateOf({
  place,
  logseq,
  epoch,
  lastTombstone,
  nextBlock,
  openBlocks,
  snapshots,
  pins,
  domains,
}: State): State {
  return { place, logseq, epoch, lastTombstone, nextBlock, openBlocks, snapshots, pins, domains };
}

export interface CommitterParts {
  readonly format: Format;
  readonly blocks: Blocks;
  readonly index: ArtifactIndex;
  readonly log: LogEnd;
  readonly state: LogState;
  readonly checkpoints: Checkpoints;
  readonly lock: Pick<Lock, "epoch" | "isStillOurs">;
  readonly durability: Durability;
  readonly limits: StoreLimits;
  readonly random: (bytes: number) => Uint8Array;
}

export class Committer {
  readonly state: LogState;
  readonly #format: Format;
  readonly #blocks: Blocks;
  readonly #index: ArtifactIndex;
  readonly #log: LogEnd;
  readonly #checkpoints: Checkpoints;
  readonly #lock: CommitterParts["lock"];
  readonly #isDurable: boolean;
  readonly #limits: StoreLimits;
  readonly #random: (bytes: number) => Uint8Array;
  /** Packed blocks that are not full: of internal and of published artifacts. */
  readonly #open: [PackedBlock | undefined, PackedBlock | undefined] = [undefined, undefined];
  /** Blocks that hold what is not on disk: without durability. */
  readonly #unsynced = new Set<PackedBlock>();
  #frame: Buffer = Buffer.allocUnsafe(1 << 16);
  #poison: unknown;

  constructor(parts: CommitterParts) {
    this.state = parts.state;
    this.#format = parts.format;
    this.#blocks = parts.blocks;
    this.#index = parts.index;
    this.#log = parts.log;
    this.#checkpoints = parts.checkpoints;
    this.#lock = parts.lock;
    this.#isDurable = parts.durability !== "none";
    this.#limits = parts.limits;
    this.#random = parts.random;
    for (const { number, end, isPublished } of parts.state.openBlocks)
      this.#open[isPublished ? 1 : 0] = this.#blocks.reopenPacked(number, end);
  }
  /** Throws ASL-POISONED. */
  check(): void {
    if (this.#poison === undefined) return;
    const { message } = this.#poison as Error;
    throw new AslError(
      "ASL-POISONED",
      `nothing more is taken until it is opened again, since: ${message}`,
      {},
      this.#poison,
    );
  }
  get isPoisoned(): boolean {
    return this.#poison !== undefined;
  }
  /** After what cannot be told from a loss of what was written. */
  poison(error: unknown): void {
    this.#poison ??= error;
  }

  /**
   * Commits a group, and what lies in blocks of its own: `extents` of those that are packed. When it throws, nothing of it is in the store; after a
   * failed sync that is not known, and the committer is poisoned.
   */
  commit(group: Group, extents: readonly Extent[] = []): void {
    this.check();
    if (group.count === 0) return;
    if (!this.#lock.isStillOurs()) {
      this.poison(new AslError("ASL-EPOCH", `writer ${this.#lock.epoch} writes no more: another one has taken over`));
      throw this.#poison;
    }
    const isInline = group.length <= this.#limits.inlineBytes;
    const inBlock = isInline ? [] : [this.#append(group)];
    try {
      this.#appendFrame(group, inBlock[0], extents, isInline);
    } catch (error) {
      // Up to its end a block holds what is committed, and nothing else.
      for (const { start } of inBlock) this.#open[group.isPublished ? 1 : 0]?.rewind(start);
      throw error;
    }
    this.#maintain(group.count);
  }
  #appendFrame(group: Group, inBlock: Extent | undefined, extents: readonly Extent[], isInline: boolean): void {
    const all = inBlock === undefined ? extents : [inBlock, ...extents];
    const before = FRAME_BYTES + all.length * EXTENT_BYTES + group.entriesLength;
    const length = before + (isInline ? group.length : 0);
    if (length - FRAME_BYTES > BODY_BYTES)
      throw new AslError(
        "ASL-LIMIT",
        `a frame of ${length} bytes; ${BODY_BYTES} is the most that is committed at once`,
      );
    const log = this.#log;
    if (log.place.offset + length > this.#limits.logBytes && log.place.offset > LOG_HEADER_BYTES) {
      this.sync();
      log.rotate(this.#random);
    }
    const { number, offset, position, hash } = log.place;
    if (inBlock === undefined) group.settle(logBlock(number), offset + before);
    else group.settle(inBlock.block, inBlock.start);
    const frame = this.#room(length);
    let at = FRAME_BYTES;
    for (const extent of all) {
      writeExtent(frame, at, extent);
      at += EXTENT_BYTES;
    }
    group.entries.copy(frame, at, 0, group.entriesLength);
    if (isInline) group.bytes.copy(frame, before, 0, group.length);
    const header = {
      isPublished: group.isPublished,
      isDurable: this.#isDurable || isInline,
      bodyBytes: length - FRAME_BYTES,
      entries: group.count,
      extents: all.length,
      entriesBytes: group.entriesLength,
      firstPosition: position,
      epoch: this.#lock.epoch,
      synced: log.synced,
      log: number,
      offset,
      logseq: group.logseq,
    };
    const body = digestOf(frame.subarray(FRAME_BYTES, length));
    writeFrameHeader(frame, 0, header, log.nonce, hash, body, this.#format.seed);
    log.append(frame, length, group.count);
    if (this.#isDurable) this.#synced(() => log.sync());
    this.state.apply(header, frame, 0, log.place.hash, this.#index);
    if (this.#frame.length > 1 << 22) this.#frame = Buffer.allocUnsafe(1 << 16);
  }

  /** Has the index keep up. What was committed stays so, whatever becomes of that. */
  #maintain(rows: number): void {
    try {
      if (this.#index.isFull) this.#freeze();
    } catch (error) {
      this.poison(error);
    }
    const pace = this.#index.segmentCount > MANY_SEGMENTS ? 2 * PACE : PACE;
    this.work(Math.max(LEAST_ROWS, rows * pace));
  }
  /** Writes and merges about so many rows of the index. */
  work(rows: number): void {
    if (this.#index.debt === 0 || this.isPoisoned) return;
    try {
      this.#index.work(rows);
    } catch (error) {
      this.poison(error);
    }
  }
  /** Has the rows of the open segment become a sealed one. */
  #freeze(): void {
    // One at a time is frozen.
    this.#index.finish();
    this.#checkpoints.freeze(this.state);
    this.#index.freeze(this.state.position);
  }
  /** For the index: these segments are to be found from now on. */
  publish(segments: readonly SegmentEntry[], nextSegment: number, position: number): void {
    this.sync();
    this.#checkpoints.publish(segments, nextSegment, position, this.#log.place);
  }

  #append(group: Group): Extent {
    const block = this.#packed(group.isPublished);
    const start = block.append(group.bytes, 0, group.length);
    if (this.#isDurable) this.#synced(() => block.sync());
    else this.#unsynced.add(block);
    const digest = digestOf(group.bytes.subarray(0, group.length));
    return { block: block.number, start, end: start + group.length, digest, isSealed: false };
  }
  #packed(isPublished: boolean): PackedBlock {
    const which = isPublished ? 1 : 0;
    const open = this.#open[which];
    if (open !== undefined && !open.isFull) return open;
    if (open !== undefined) {
      this.#open[which] = undefined;
      this.#seal(open);
    }
    return (this.#open[which] = this.#blocks.createPacked(isPublished));
  }

  /** What was committed of it is on disk without its footer too, for which there may be no space. */
  #seal(block: PackedBlock): void {
    if (this.#unsynced.delete(block)) this.#synced(() => block.sync());
    try {
      block.seal();
    } catch {
      block.close();
    }
  }

  /** Has all that was committed on disk. */
  sync(): void {
    this.check();
    this.#synced(() => {
      for (const block of this.#unsynced) block.sync();
      this.#unsynced.clear();
      this.#log.sync();
    });
  }
  #synced(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#log.cut();
      this.poison(error);
      throw AslError.from(error, "ASL-WRITE", "a sync failed");
    }
  }
  #room(length: number): Buffer {
    if (this.#frame.length < length) this.#frame = Buffer.allocUnsafe(Math.max(length, 2 * this.#frame.length));
    return this.#frame;
  }

  /** Leaves a store that opens quickly. */
  close(): void {
    this.sync();
    if (this.#index.openCount > this.#limits.tailRows) {
      this.#freeze();
      this.#index.finish();
    }
    this.#checkpoints.close(this.#log.place);
  }
  closeLog(): void {
    this.#log.close();
  }
}
