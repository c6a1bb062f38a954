/**
 * Makes again what can be made without guessing (spec ASL-FSCK-6): what follows from the log, and bytes whose digest is known. What is
 * replaced goes to quarantine.
 */
import { digestOf, equalBytes } from "../assets/hash.ts";
import { ArtifactIndex } from "./artifact-index.ts";
import {
  BLOCK_FOLDER,
  BLOCK_FOOTER_BYTES,
  blockPath,
  encodeBlockFooter,
  encodeBlockHeader,
  LOG_BIT,
} from "./block-file.ts";
import { Blocks } from "./blocks.ts";
import { CHECKPOINT_FOLDER, CURRENT_FILE, readCheckpoint, readCurrent, writeCurrent } from "./checkpoint.ts";
import { AslError } from "./errors.ts";
import { FORMAT_FILE, type Format, numberOf } from "./format.ts";
import type { FsckDetails } from "./fsck.ts";
import { type Row, RowFlag, RowKind } from "./index-rows.ts";
import { DIGEST_BYTES } from "./key.ts";
import { LOG_FOLDER, LOG_HEADER_BYTES, type LogPlace, readLog } from "./log.ts";
import { bodyOf } from "./log-salvage.ts";
import type { Patch } from "./patched-volume.ts";
import { Quarantine } from "./quarantine.ts";
import {
  endRecord,
  isRecordOf,
  RECORD_BYTES,
  RECORD_DIGEST_AT,
  RecordHeader,
  readRecordHeader,
  recordSize,
  writeRecordHeader,
} from "./record.ts";
import type { DamagedRange } from "./record-check.ts";
import { emptyState, logBeginning } from "./recovery.ts";
import { LogState } from "./state.ts";
import type { Volume } from "./volume.ts";

/** What was done. */
export interface Repair {
  readonly file: string;
  readonly what: string;
}

/** There while a rebuild moves files (spec ASL-REBUILD-4). */
export const REBUILD_FILE = "REBUILD";

export function isInterrupted(volume: Volume): boolean {
  return volume.list("").includes(REBUILD_FILE);
}

/** Throws ASL-NO-STORE for a folder in which nothing tells that it is, or was, one: nothing is made in it then. */
export function demandStore(volume: Volume): void {
  const names = (folder: string): string[] => {
    try {
      return volume.list(folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
      throw AslError.from(error, "ASL-READ", "it cannot be listed", { file: folder });
    }
  };
  const isStore =
    names("").includes(FORMAT_FILE) ||
    names(LOG_FOLDER).some((name) => numberOf(name, "log") !== undefined) ||
    names(BLOCK_FOLDER).some((name) => numberOf(name, "blk") !== undefined);
  if (!isStore) throw new AslError("ASL-NO-STORE", "the folder holds no store");
}

/** The caller holds the lock. */
export function repairStore(volume: Volume, details: FsckDetails): Repair[] {
  if (isInterrupted(volume)) return [];
  const repair = new StoreRepair(volume, details);
  repair.run();
  return repair.done;
}

class StoreRepair {
  readonly done: Repair[] = [];
  readonly #volume: Volume;
  readonly #details: FsckDetails;
  readonly #quarantine: Quarantine;

  constructor(volume: Volume, details: FsckDetails) {
    this.#volume = volume;
    this.#details = details;
    this.#quarantine = new Quarantine(volume);
  }
  run(): void {
    const { patches, findings } = this.#details;
    this.#makeFolders();
    for (const [path, { isWhole, patches: parts, what }] of patches.files) this.#replace(path, parts, what, isWhole);
    this.#repairBlocks();
    this.#heal();
    const isLogWhole = this.#details.state !== undefined || this.#isLogWhole();
    if (isLogWhole && findings.has("ASL-CURRENT-DAMAGED", "ASL-INDEX-DAMAGED")) this.#startAnew();
  }
  #makeFolders(): void {
    const names = this.#volume.list("");
    for (const folder of [LOG_FOLDER, BLOCK_FOLDER, "index", CHECKPOINT_FOLDER]) {
      if (names.includes(folder)) continue;
      this.#volume.makeFolder(folder);
      this.#volume.syncFolder("");
      this.done.push({ file: folder, what: "the folder was made again" });
    }
  }
  #replace(path: string, parts: readonly Patch[], what: string, isWhole = false, length?: number): void {
    this.#quarantine.replace(path, isWhole, parts, length);
    this.done.push({ file: path, what });
  }

  /** Headers and footers of blocks say nothing that the log does not say. */
  #repairBlocks(): void {
    const { format, records, state } = this.#details;
    const open = new Set(state?.openBlocks.map(({ number }) => number));
    const there = new Set(this.#volume.list(BLOCK_FOLDER).map((name) => numberOf(name, "blk")));
    const blocks = this.#blocks(this.#volume);
    try {
      for (const [number, { end, isPublished, isOwn }] of records.blocks) {
        if (!there.has(number)) continue;
        const { path, size, header, footerAt } = blocks.inspect(number);
        const parts: Patch[] = [];
        const { domain, seed } = format;
        if (header === undefined)
          parts.push({ offset: 0, bytes: encodeBlockHeader({ domain, number, isPublished, isOwn, seed }) });
        const at = Math.max(Number.isFinite(end) ? end : 0, size - BLOCK_FOOTER_BYTES);
        // Of the log that can be read in part the last block may be any.
        const isSealed = isOwn || (state !== undefined && !open.has(number));
        if (footerAt === undefined && isSealed && at % 8 === 0)
          parts.push({ offset: at, bytes: encodeBlockFooter(at, seed) });
        if (parts.length > 0) this.#replace(path, parts, "its header or footer was made again");
      }
    } finally {
      blocks.close();
    }
  }
  #blocks(volume: Volume): Blocks {
    const { format, limits, digest } = this.#details;
    return new Blocks({ volume, domain: format.domain, seed: format.seed, nextBlock: 1, limits, digest });
  }

  /** Puts good copies of artifacts in the place of damaged ones, if all of what a digest is of is right then. */
  #heal(): void {
    const { suspects, records } = this.#details;
    if (suspects.length === 0) return;
    const index = this.#index();
    if (index === undefined) return;
    const blocks = this.#blocks(this.#volume);
    try {
      for (const range of records.damaged) {
        const part = orUndefined(() => this.#healRange(range, index, blocks));
        if (part === undefined) continue;
        const path = blockPath(range.block);
        blocks.forget(range.block);
        this.#replace(path, [part], "a damaged artifact was copied from another place where it stands");
      }
    } finally {
      blocks.close();
      index.close();
    }
  }
  /** For lookups alone; undefined if it cannot be opened. */
  #index(): ArtifactIndex | undefined {
    const { format } = this.#details;
    try {
      const current = readCurrent(this.#volume, format);
      const checkpoint = current.checkpoint === 0 ? undefined : readCheckpoint(this.#volume, current);
      const index = new ArtifactIndex({
        volume: this.#volume,
        seed: format.seed,
        segments: checkpoint?.segments ?? [],
        nextNumber: checkpoint?.nextSegment ?? 1,
        readOnly: true,
        publish: () => undefined,
      });
      const state = new LogState(checkpoint ?? emptyState(format));
      for (const frame of readLog(this.#volume, format, state.place))
        state.apply(frame.header, frame.bytes, frame.at, frame.hash, index);
      return index;
    } catch (error) {
      if (error instanceof AslError) return undefined;
      throw error;
    }
  }
  #healRange(range: DamagedRange, index: ArtifactIndex, blocks: Blocks): Patch | undefined {
    const { format, suspects } = this.#details;
    const isLog = range.block >= LOG_BIT;
    const known = isLog ? bodyOf(this.#volume, format, range.block - LOG_BIT, range.start) : range;
    const digest = known?.digest;
    if (known === undefined || digest === undefined || known.end - known.start > MOST_HEALED_BYTES) return undefined;
    const { start, end } = known;
    const bytes = Buffer.alloc(end - start);
    if (blocks.peek(range.block, start, bytes, bytes.length) < bytes.length) return undefined;
    const copies: { readonly row: Row; readonly payload: Uint8Array }[] = [];
    for (const { row, isReadable } of suspects) {
      if (row.block !== range.block || row.offset < start || row.offset >= end) continue;
      const payload = isReadable ? payloadOf(row, row, blocks) : this.#copyOf(row, index, blocks);
      if (payload === undefined || row.offset + recordSize(payload.length) > end) return undefined;
      copies.push({ row, payload });
    }
    for (const numbers of NUMBERS) {
      const healed = Buffer.from(bytes);
      for (const { row, payload } of copies) writeRecord(healed, row.offset - start, row, payload, numbers, format);
      if (equalBytes(digestOf(healed), digest)) return { offset: start, bytes: healed };
    }
    return undefined;
  }
  /** The same artifact from another place. */
  #copyOf(row: Row, index: ArtifactIndex, blocks: Blocks): Uint8Array | undefined {
    for (const other of index.rowsOf(false, row.algorithm, row.digest, 0, Number.MAX_SAFE_INTEGER)) {
      if (other.kind !== RowKind.PUT || (other.block === row.block && other.offset === row.offset)) continue;
      const payload = payloadOf(row, other, blocks);
      if (payload !== undefined) return payload;
    }
    return undefined;
  }

  #isLogWhole(): boolean {
    const { format, current } = this.#details;
    const reading = readLog(this.#volume, format, logBeginning(format));
    let next = reading.next();
    while (next.done !== true) next = reading.next();
    const { place, isDamage } = next.value;
    const end = current?.end;
    const isShort = end !== undefined && (place.number - end.number || place.offset - end.offset) < 0;
    return !isDamage && !isShort;
  }
  /** Has the next opening read all of the log, and make the index from it. */
  #startAnew(): void {
    const { format, current } = this.#details;
    const place: LogPlace = logBeginning(format);
    this.#quarantine.keep(CURRENT_FILE);
    const end = current?.end ?? { number: place.number, offset: LOG_HEADER_BYTES };
    writeCurrent(this.#volume, format, { checkpoint: 0, digest: new Uint8Array(DIGEST_BYTES), place, end });
    for (const folder of [CHECKPOINT_FOLDER, "index"]) {
      this.#volume.makeFolder(folder);
      for (const name of this.#volume.list(folder)) this.#quarantine.take(`${folder}/${name}`);
    }
    this.done.push({
      file: CURRENT_FILE,
      what: "CURRENT, checkpoint and index are made from the log at the next opening",
    });
  }
}

/** What cannot be read is not repaired. */
function orUndefined<T>(of: () => T): T | undefined {
  try {
    return of();
  } catch (error) {
    if (error instanceof AslError || (error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

const NUMBERS = [
  { hasPosition: true, hasLogseq: true },
  { hasPosition: false, hasLogseq: true },
  { hasPosition: false, hasLogseq: false },
] as const;

/** More is not held in memory. */
const MOST_HEALED_BYTES: number = 256 * 1024 * 1024;

/** What the record of an artifact holds, from a place where the artifact stands; undefined if that is damaged. */
function payloadOf(row: Row, from: Row, blocks: Blocks): Uint8Array | undefined {
  // A list of chunks is not the artifact.
  if (row.length > MOST_HEALED_BYTES || ((row.flags | from.flags) & RowFlag.CHUNKED) !== 0) return undefined;
  try {
    return blocks.get(from, row.digest, 0, true);
  } catch (error) {
    if (error instanceof AslError) return undefined;
    throw error;
  }
}

/** A header that is there is right, by its checksum. Otherwise it has the numbers of the entry, as far as they were known when it was written. */
function writeRecord(
  bytes: Buffer,
  at: number,
  row: Row,
  payload: Uint8Array,
  { hasPosition, hasLogseq }: (typeof NUMBERS)[number],
  { seed }: Format,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  bytes.set(payload, at + RECORD_BYTES);
  endRecord(bytes, view, at, payload.length, seed);
  if (readRecordHeader(bytes, view, at, seed, new RecordHeader()) && isRecordOf(bytes, at, row.digest, 0)) return;
  bytes.set(row.digest, at + RECORD_DIGEST_AT);
  const position = hasPosition ? row.position : 0;
  const logseq = hasLogseq ? row.logseq : 0;
  // Flags of rows and of records are the same bits.
  writeRecordHeader(bytes, view, at, row.flags, row.algorithm, row.tag, payload.length, position, logseq, seed);
}
