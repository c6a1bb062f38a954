/** Opens what is in a folder: checkpoint, then what the log tells behind it (spec ASL-RECOVERY). */
import { digestOf, equalBytes } from "../assets/hash.ts";
import { ArtifactIndex, type IndexTuning, type SegmentEntry } from "./artifact-index.ts";
import { BLOCK_FOLDER } from "./block-file.ts";
import { Blocks } from "./blocks.ts";
import { type Current, readCheckpoint, readCurrent, type State } from "./checkpoint.ts";
import { Checkpoints } from "./committer.ts";
import { AslError } from "./errors.ts";
import { encodeFormat, type Format } from "./format.ts";
import { EXTENT_BYTES, FRAME_BYTES, readExtent } from "./frames.ts";
import type { Digester } from "./key.ts";
import type { StoreLimits } from "./limits.ts";
import { type Frame, LOG_HEADER_BYTES, type LogPlace, type LogStop, logPath, readLog } from "./log.ts";
import { LogState } from "./state.ts";
import type { Volume } from "./volume.ts";

export interface RecoveryOptions {
  readonly isReadOnly: boolean;
  readonly limits: StoreLimits;
  readonly indexBytes: number | undefined;
  readonly tuning: Partial<IndexTuning> | undefined;
  readonly digest: Digester;
}

export interface Recovered {
  readonly index: ArtifactIndex;
  readonly blocks: Blocks;
  readonly state: LogState;
  readonly checkpoints: Checkpoints;
  /** Entries that were read of the log. */
  readonly replayed: number;
  /** How the log ended: what is there behind its place was never acknowledged. */
  readonly stop: LogStop;
  /** From here on the last log file may be in memory only. */
  readonly tail: number;
  /** Has segments published in another way from now on. */
  onPublish(publish: PublishSegments): void;
}

export type PublishSegments = (segments: readonly SegmentEntry[], nextSegment: number, position: number) => void;

/** Where the log of a store begins. */
export function logBeginning(format: Format): LogPlace {
  return { number: 1, offset: LOG_HEADER_BYTES, position: 1, hash: digestOf(encodeFormat(format)) };
}

/** What holds before the first frame. */
export function emptyState(format: Format): State {
  return {
    place: logBeginning(format),
    logseq: 0,
    epoch: 0,
    lastTombstone: 0,
    nextBlock: 1,
    openBlocks: [],
    snapshots: new Map(),
    pins: new Map(),
    domains: new Map(),
  };
}

/** Throws an AslError for a store that is damaged where it has to be read; nothing is changed then. */
export function recover(volume: Volume, format: Format, options: RecoveryOptions): Recovered {
  const { isReadOnly } = options;
  // A writer may put another CURRENT in its place, and remove what this one named, while it is read.
  for (let attempt = 1; ; attempt++) {
    const current = readCurrent(volume, format);
    try {
      return recoverFrom(volume, format, current, options);
    } catch (error) {
      if (!isReadOnly || attempt === 5 || isSameCurrent(readCurrent(volume, format), current)) throw error;
    }
  }
}

function isSameCurrent(left: Current, right: Current): boolean {
  return left.checkpoint === right.checkpoint && equalBytes(left.digest, right.digest);
}

function recoverFrom(volume: Volume, format: Format, current: Current, options: RecoveryOptions): Recovered {
  const { isReadOnly, limits } = options;
  const checkpoint = current.checkpoint === 0 ? undefined : readCheckpoint(volume, current);
  const state = new LogState(checkpoint ?? emptyState(format));
  const checkpoints = new Checkpoints(volume, format, current, checkpoint ?? emptyState(format));
  /** Before there is a committer: what was read of the log may be in memory only. */
  let publish: PublishSegments = (segments, nextSegment, position) => {
    for (let number = current.place.number; number <= state.place.number; number++) syncFile(volume, logPath(number));
    const isBehind = isBefore(state.place, current.end);
    checkpoints.publish(segments, nextSegment, position, isBehind ? { ...state.place, ...current.end } : state.place);
  };
  const index = new ArtifactIndex({
    volume,
    seed: format.seed,
    segments: checkpoint?.segments ?? [],
    nextNumber: checkpoint?.nextSegment ?? 1,
    readOnly: isReadOnly,
    publish: (...given) => publish(...given),
    ...(options.indexBytes !== undefined && { budgetBytes: options.indexBytes }),
    ...(options.tuning !== undefined && { tuning: options.tuning }),
  });
  const blocks = new Blocks({
    volume,
    domain: format.domain,
    seed: format.seed,
    limits,
    nextBlock: state.nextBlock,
    digest: options.digest,
  });
  try {
    const firstBlock = state.nextBlock;
    const firstPosition = state.place.position;
    const reading = readLog(volume, format, state.place);
    /** Up to where the log was on disk when the last frame was written. */
    let synced = { number: 0, offset: 0 };
    let next = reading.next();
    while (next.done !== true) {
      const frame = next.value;
      synced = { number: frame.header.log, offset: frame.header.synced };
      const refusal = frame.header.isDurable ? undefined : lostExtent(frame, blocks, isReadOnly);
      if (refusal === undefined) {
        state.apply(frame.header, frame.bytes, frame.at, frame.hash, index);
        if (!isReadOnly && index.isFull) {
          index.finish();
          checkpoints.freeze(state);
          index.freeze(state.position);
        }
      }
      next = reading.next(refusal);
    }
    const stop = next.value;
    checkStop(stop, current);
    if (!isReadOnly) {
      for (const row of state.chunked)
        for (const block of blocks.chunkBlocks(row, row.digest, 0)) state.named.add(block);
      blocks.removeUnnamed(firstBlock, state.named);
      // Names that a process which was killed gave are there, and may not be on disk.
      if (state.named.size > 0) volume.syncFolder(BLOCK_FOLDER);
    }
    blocks.nextBlock = state.nextBlock;
    const replayed = state.place.position - firstPosition;
    const tail = Math.min(stop.place.offset, synced.number === stop.place.number ? synced.offset : stop.place.offset);
    return { index, blocks, state, replayed, checkpoints, stop, tail, onPublish: (other) => void (publish = other) };
  } catch (error) {
    index.close();
    blocks.close();
    throw error;
  }
}

/** What ends before a place at which the log was on disk once is no torn tail (spec ASL-RECOVERY-3). */
function checkStop({ place, reason, isDamage }: LogStop, { end }: Current): void {
  if (!isDamage && !isBefore(place, end)) return;
  throw new AslError("ASL-LOG-DAMAGED", reason ?? "the log ends before the place where it was on disk once", {
    file: logPath(place.number),
    offset: place.offset,
  });
}

function isBefore(left: { number: number; offset: number }, right: { number: number; offset: number }): boolean {
  return left.number < right.number || (left.number === right.number && left.offset < right.offset);
}

/** A frame that was written without waiting for its blocks is none if they did not come to disk. Has them there if they did. */
function lostExtent({ bytes, at, header }: Frame, blocks: Blocks, isReadOnly: boolean): string | undefined {
  for (let k = 0; k < header.extents; k++) {
    const { block, start, end, digest } = readExtent(bytes, at + FRAME_BYTES + k * EXTENT_BYTES);
    const held = new Uint8Array(Math.max(0, Math.min(end - start, 1 << 30)));
    if (!isThere(blocks, block, start, held) || !equalBytes(digestOf(held), digest))
      return `bytes ${start} to ${end} of block ${block} did not come to disk`;
    if (!isReadOnly) blocks.syncBlock(block, start, held);
  }
  return undefined;
}

function isThere(blocks: Blocks, block: number, start: number, into: Uint8Array): boolean {
  try {
    return blocks.peek(block, start, into, into.length) === into.length;
  } catch (error) {
    // A name that did not come to disk.
    if (error instanceof AslError && error.code === "ASL-BLOCK-DAMAGED") return false;
    throw error;
  }
}

function syncFile(volume: Volume, path: string): void {
  const file = volume.open(path, "write");
  try {
    file.sync();
  } finally {
    file.close();
  }
}
