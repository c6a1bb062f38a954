/**
 * Makes the log of a store again, and with it all that follows from the log, out of what can be read: whole frames, and where those are lost,
 * the records themselves (spec ASL-REBUILD). Entries keep their positions. The old log goes to quarantine, as does what cannot be used.
 */
import { digestOf, equalBytes } from "../assets/hash.ts";
import { BLOCK_FOLDER, blockPath, decodeBlockHeader, encodeBlockFooter, LOG_BIT } from "./block-file.ts";
import type { ScannedRecord } from "./block-scan.ts";
import { Blocks } from "./blocks.ts";
import { CHECKPOINT_FOLDER, CURRENT_FILE, writeCurrent } from "./checkpoint.ts";
import { decodeChunkList } from "./chunk-list.ts";
import { AslError } from "./errors.ts";
import { Findings, type Problem } from "./findings.ts";
import {
  encodeFormat,
  FORMAT_FILE,
  type Format,
  getU64,
  numberOf,
  readFormat,
  readWhole,
  removeIfThere,
  replaceWhole,
} from "./format.ts";
import { FoundRecords, NamedPlaces } from "./found-records.ts";
import { EntryKind, EXTENT_BYTES, FRAME_BYTES, readExtent } from "./frames.ts";
import { Row, RowFlag, RowKind } from "./index-rows.ts";
import { type Digester, digestInto, keyText } from "./key.ts";
import { LIMITS, type StoreLimits } from "./limits.ts";
import { type Holder, type Lock, waitForLock } from "./lock.ts";
import { type Frame, LOG_FOLDER, LOG_HEADER_BYTES, type LogPlace, logNumbers, logPath } from "./log.ts";
import { formatOfLogs, headerOfFrames, readableFrames } from "./log-salvage.ts";
import { OpenFiles } from "./open-files.ts";
import { isReadable, OwnCheck } from "./own-check.ts";
import type { Owners } from "./owner.ts";
import { PatchedVolume } from "./patched-volume.ts";
import { Quarantine } from "./quarantine.ts";
import { RebuildLog, type RebuiltExtent } from "./rebuild-log.ts";
import {
  endRecord,
  RECORD_BYTES,
  RECORD_DIGEST_AT,
  RecordFlag,
  RecordHeader,
  readRecordHeader,
  recordSize,
  writeRecordHeader,
} from "./record.ts";
import { demandStore, REBUILD_FILE } from "./repair.ts";
import type { Volume } from "./volume.ts";

export interface RebuildOptions {
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How long to wait for a writer, in milliseconds. */
  readonly waitMs?: number | undefined;
  readonly onWaiting?: ((holder: Holder) => void) | undefined;
  readonly limits?: Partial<StoreLimits> | undefined;
  readonly digest?: Digester | undefined;
  readonly random?: ((bytes: number) => Uint8Array) | undefined;
}

export interface RebuildReport {
  /** Entries of artifacts that there are now. */
  readonly artifacts: number;
  /** Of these, those that only their records told of. */
  readonly found: number;
  /** Positions at which nothing is known. */
  readonly lost: number;
  /** Artifacts that there were, and that cannot be read. */
  readonly damaged: readonly Problem[];
  /** What cannot be known, in sentences. */
  readonly unknown: readonly string[];
  /** Files that were moved to `quarantine/`. */
  readonly quarantined: readonly string[];
}

/** Where the new log is made. */
const REBUILD_FOLDER = "rebuild";
const MOST_DAMAGED = 1000;
const OPEN_FILES = 64;
const TURN_BYTES: number = 32 * 1024 * 1024;
const COPIED_BYTES: number = 1024 * 1024;

/** Throws ASL-NO-STORE, ASL-VERSION, ASL-LOCKED, ASL-WRITE, ASL-NO-SPACE; the store is as it was then, or is rebuilt by another call. */
export async function rebuildVolume(
  volume: Volume,
  owners: Owners,
  options: RebuildOptions = {},
): Promise<RebuildReport> {
  demandStore(volume);
  const lock = await waitForLock(volume, owners, options.waitMs ?? 0, options.onWaiting);
  try {
    const quarantine = new Quarantine(volume);
    const interrupted = readWhole(volume, REBUILD_FILE, Number.MAX_SAFE_INTEGER);
    if (interrupted !== undefined) finish(volume, quarantine, decodePlan(interrupted));
    const rebuild = new Rebuild(volume, lock, quarantine, options);
    return await rebuild.run();
  } finally {
    lock.release();
  }
}

class Rebuild {
  readonly #volume: Volume;
  /** The store as it is, with bytes that are known to be others. */
  readonly #store: PatchedVolume;
  readonly #lock: Lock;
  readonly #quarantine: Quarantine;
  readonly #options: RebuildOptions;
  readonly #limits: StoreLimits;
  readonly #findings = new Findings();
  readonly #named = new NamedPlaces();
  readonly #found = new FoundRecords();
  /** Blocks that are still needed. */
  readonly #kept = new Set<number>();
  readonly #row = new Row();
  #format!: Format;
  #blocks!: Blocks;
  #files!: OpenFiles;
  #own!: OwnCheck;
  #log!: RebuildLog;
  #copies!: Copies;
  #isFormatGuessed = false;
  #artifacts = 0;
  #foundCount = 0;
  #damaged = 0;
  #total = 0;
  #done = 0;
  #turn = 0;

  constructor(volume: Volume, lock: Lock, quarantine: Quarantine, options: RebuildOptions) {
    this.#volume = volume;
    this.#store = new PatchedVolume(volume);
    this.#lock = lock;
    this.#quarantine = quarantine;
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
  }
  async run(): Promise<RebuildReport> {
    const volume = this.#volume;
    for (const folder of [LOG_FOLDER, BLOCK_FOLDER, "index", CHECKPOINT_FOLDER, REBUILD_FOLDER])
      volume.makeFolder(folder);
    for (const name of volume.list(REBUILD_FOLDER)) removeIfThere(volume, `${REBUILD_FOLDER}/${name}`);
    this.#format = this.#readFormat();
    const format = this.#format;
    for (const number of logNumbers(volume)) {
      const header = headerOfFrames(this.#store, format, number);
      if (header !== undefined) this.#store.patch(logPath(number), 0, header, "");
    }
    const numbers = this.#blockNumbers();
    const nextBlock = Math.max(0, ...numbers) + 1;
    const { digest = digestInto } = this.#options;
    this.#blocks = new Blocks({
      volume: this.#store,
      domain: format.domain,
      seed: format.seed,
      nextBlock,
      limits: this.#limits,
      digest,
    });
    this.#files = new OpenFiles(this.#store, format.seed, OPEN_FILES);
    this.#own = new OwnCheck(this.#files, format, true, () => undefined);
    try {
      const epoch = this.#readNames();
      if (epoch >= this.#lock.epoch) this.#lock.raise(epoch);
      await this.#findRecords(numbers);
      this.#copies = new Copies(volume, format, this.#limits, nextBlock);
      this.#log = new RebuildLog({
        volume: inFolder(volume),
        format,
        epoch: this.#lock.epoch,
        logBytes: this.#limits.logBytes,
        random: this.#options.random ?? ((bytes) => process.getBuiltinModule("node:crypto").randomBytes(bytes)),
      });
      await this.#writeLog();
      this.#copies.end();
      const end = this.#log.end();
      this.#sealBlocks(numbers);
      const unneeded = numbers.filter((number) => !this.#kept.has(number));
      finish(volume, this.#quarantine, this.#plan(end, unneeded));
      return this.#report();
    } finally {
      this.#blocks.close();
      this.#files.close();
    }
  }
  #report(): RebuildReport {
    return {
      artifacts: this.#artifacts,
      found: this.#foundCount,
      lost: this.#log.lost,
      damaged: this.#findings.problems,
      unknown: this.#unknown(),
      quarantined: this.#quarantine.taken,
    };
  }
  #unknown(): string[] {
    const { lost } = this.#log;
    const sentences = [
      "Which frames there were: references to snapshots by the hash of a frame are not found any more.",
    ];
    if (lost > 0)
      sentences.push(
        `What stood at ${lost} positions of the log: artifacts that were damaged, removals, bindings, pins, snapshots, further type tags of artifacts, and what was published.`,
        "Whether an artifact was removed there that is here again.",
      );
    if (this.#foundCount > 0)
      sentences.push(
        `Whether ${this.#foundCount} artifacts that only their records tell of were ever committed; and of those whose records say no position, when they were put.`,
      );
    if (this.#isFormatGuessed) sentences.push("How new artifacts were named: sha256 from now on.");
    if (this.#findings.omitted > 0) sentences.push(`${this.#findings.omitted} more damaged artifacts than are listed.`);
    return sentences;
  }

  #readFormat(): Format {
    try {
      return readFormat(this.#volume).format;
    } catch (error) {
      if (!(error instanceof AslError) || (error.code !== "ASL-FORMAT" && error.code !== "ASL-NO-STORE")) throw error;
      const format = formatOfLogs(this.#volume) ?? this.#formatOfBlocks();
      if (format === undefined) throw error;
      return format;
    }
  }
  #formatOfBlocks(): Format | undefined {
    for (const number of this.#blockNumbers()) {
      const header = decodeBlockHeader(
        readWhole(this.#volume, blockPath(number), 64) ?? new Uint8Array(),
        blockPath(number),
      );
      if (header === undefined || header.number !== number) continue;
      this.#isFormatGuessed = true;
      return { domain: header.domain, seed: header.seed, algorithm: 1 };
    }
    return undefined;
  }
  #blockNumbers(): number[] {
    return this.#volume
      .list(BLOCK_FOLDER)
      .flatMap((name) => numberOf(name, "blk") ?? [])
      .sort((left, right) => left - right);
  }
  async #progress(bytes: number): Promise<void> {
    this.#done += bytes;
    if (this.#done - this.#turn < TURN_BYTES) return;
    this.#turn = this.#done;
    this.#options.onProgress?.(Math.min(this.#done, this.#total), this.#total);
    await new Promise((resolve) => setImmediate(resolve));
    this.#options.signal?.throwIfAborted();
  }

  /** Places that whole frames name; answers the highest epoch. */
  #readNames(): number {
    let epoch = 0;
    for (const frame of readableFrames(this.#store, this.#format)) {
      epoch = Math.max(epoch, frame.header.epoch);
      eachRaw(frame, (kind, at) => {
        if (isPut(kind)) this.#named.add(frame.bytes.readUInt32LE(at + 56), offsetAt(frame.bytes, at + 64));
      });
    }
    return epoch;
  }
  /** Records that no whole frame names. */
  async #findRecords(numbers: readonly number[]): Promise<void> {
    const files = [...logNumbers(this.#volume).map((number) => (LOG_BIT | number) >>> 0), ...numbers];
    // Once to find, once to read.
    this.#total = 2 * files.reduce((sum, block) => sum + this.#sizeOrNone(block), 0);
    for (const block of files) {
      for (const record of this.#scan(block)) {
        if ((record.flags & RecordFlag.CHUNK) === 0 && !this.#named.has(block, record.offset))
          this.#found.add(block, record.offset, record.position);
        await this.#progress(record.size);
      }
    }
    this.#found.sort();
  }
  #sizeOf(block: number): number {
    try {
      return this.#files.of(block).file.size();
    } catch (error) {
      throw AslError.from(error, "ASL-READ", "it cannot be read", { file: blockPath(block) });
    }
  }
  #sizeOrNone(block: number): number {
    try {
      return this.#sizeOf(block);
    } catch (error) {
      this.#findings.take(error);
      return 0;
    }
  }
  *#scan(block: number): Iterable<ScannedRecord> {
    try {
      yield* this.#blocks.scan(block);
    } catch (error) {
      this.#findings.take(error);
    }
  }

  async #writeLog(): Promise<void> {
    let isCut = false;
    for (const frame of readableFrames(this.#store, this.#format)) {
      const { firstPosition, entries } = frame.header;
      if (firstPosition < this.#log.position) continue;
      if (firstPosition > this.#log.position) {
        isCut = true;
        await this.#putFound(this.#log.position, firstPosition);
        this.#log.fill(firstPosition);
      }
      this.#copyFrame(frame);
      await this.#progress(entries);
    }
    if (await this.#putFound(this.#log.position, Number.POSITIVE_INFINITY)) isCut = true;
    // What says no position may have been committed in what is lost.
    if (isCut || this.#log.position === 1) await this.#putFound(0, 1);
  }

  /** The entries of a frame, at their positions. */
  #copyFrame(frame: Frame): void {
    const { header, bytes, at } = frame;
    const extents: RebuiltExtent[] = [];
    const rest: Row[] = [];
    for (let k = 0; k < header.extents; k++) {
      const extent = readExtent(bytes, at + FRAME_BYTES + k * EXTENT_BYTES);
      if (this.#isWhole(extent)) extents.push(extent);
    }
    eachRaw(frame, (kind, entry, size) => {
      if (!isPut(kind)) {
        this.#log.copy(bytes, entry, size, header.isPublished);
        return;
      }
      const row = rowAt(this.#row, bytes, entry, header.isPublished, this.#log.position);
      const copied = this.#readable(row);
      if (copied === undefined) this.#log.fill(this.#log.position + 1);
      else {
        this.#log.put(row, kind as EntryKind);
        if (!copied && !isIn(extents, row)) rest.push(row.copy());
      }
    });
    this.#log.logseq = Math.max(this.#log.logseq, header.logseq);
    this.#log.answerFor([...extents, ...rest.flatMap((row) => this.#extentOf(row) ?? [])]);
    this.#log.answerFor(this.#copies.takeExtents());
    this.#log.flush();
  }
  /** Records that only tell of themselves, whose positions are from one up to before another; whether there was one. */
  async #putFound(from: number, to: number): Promise<boolean> {
    let isAny = false;
    let run: { block: number; start: number; end: number } | undefined;
    const endRun = (): void => {
      if (run !== undefined) this.#log.answerFor([{ ...run, digest: this.#digestOf(run.block, run.start, run.end) }]);
      run = undefined;
      this.#log.answerFor(this.#copies.takeExtents());
    };
    for (let k = this.#found.firstFrom(from); k < this.#found.count; k++) {
      const { block, offset, position } = this.#found.at(k);
      if (position >= to) break;
      const row = this.#foundAt(block, offset);
      if (row === undefined) continue;
      const { flags } = this.#header;
      const size = recordSize(this.#header.length);
      await this.#progress(size);
      if (position === 0 && !this.#isNew(row)) continue;
      // Another one was committed at the position, or it says none.
      const isPlaced = position >= this.#log.position;
      if (position > 0 && !isPlaced) continue;
      if (row.logseq === 0) row.logseq = this.#log.logseq + 1;
      const isPublished = (row.flags & RowFlag.PUBLISHED) !== 0;
      if (run !== undefined && (block !== run.block || offset !== run.end || run.end - run.start > COPIED_BYTES))
        endRun();
      if (isPlaced && position > this.#log.position) {
        endRun();
        this.#log.fill(position);
      }
      const copied = this.#readable(row);
      if (copied === undefined) continue;
      isAny = true;
      this.#foundCount++;
      if (isPublished !== this.#wasPublished) endRun();
      this.#wasPublished = isPublished;
      this.#log.put(row);
      if (copied || (flags & RecordFlag.OWN) !== 0) continue;
      if (run === undefined) run = { block, start: offset, end: offset + size };
      else run.end = offset + size;
    }
    endRun();
    this.#log.flush();
    return isAny;
  }
  #wasPublished = false;
  /** What the record at a place says; undefined if it says nothing any more. */
  #foundAt(block: number, offset: number): Row | undefined {
    const row = this.#row;
    row.block = block;
    row.offset = offset;
    if (!this.#readHeader(row)) return undefined;
    const { flags, algorithm, tag, length, position, logseq } = this.#header;
    row.kind = RowKind.PUT;
    row.flags = flags & (RowFlag.HAS_TAG | RowFlag.PUBLISHED | RowFlag.CHUNKED);
    row.domain = 0;
    row.source = 0;
    row.length = (flags & RecordFlag.CHUNKED) !== 0 ? this.#listedLength(row, length) : length;
    Object.assign(row, { algorithm, tag, position, logseq });
    row.digest.set(this.#head.subarray(RECORD_DIGEST_AT, RECORD_BYTES));
    return row;
  }
  /** Of an artifact that is chunked the record has the length of its list. */
  #listedLength({ block, offset }: Row, length: number): number {
    const list = new Uint8Array(Math.min(length, this.#sizeOf(block)));
    const isRead = this.#blocks.peek(block, offset + RECORD_BYTES, list, list.length) === length;
    return (isRead ? decodeChunkList(list)?.length : undefined) ?? length;
  }
  /** Of records without positions, of which there are few: what a batch discards may be put again. */
  readonly #unplaced = new Set<string>();
  #isNew({ algorithm, digest, flags, tag }: Row): boolean {
    const name = `${algorithm} ${flags} ${tag} ${Buffer.from(digest).toString("latin1")}`;
    if (this.#unplaced.has(name)) return false;
    this.#unplaced.add(name);
    return true;
  }

  /** Whether the artifact was copied, with its row changed so; undefined if it cannot be read, which is told. */
  #readable(row: Row): boolean | undefined {
    const { block, offset } = row;
    try {
      if (!isReadable(this.#blocks, this.#own, row) || !this.#readHeader(row))
        throw new AslError("ASL-CORRUPT", "the artifact is damaged", { file: blockPath(block), offset });
      this.#artifacts++;
      if (block >= LOG_BIT) {
        const bytes = Buffer.alloc(recordSize(this.#header.length));
        this.#blocks.peek(block, offset, bytes, bytes.length);
        Object.assign(row, this.#copies.add(bytes, row, this.#log.position));
        return true;
      }
      this.#kept.add(block);
      if ((row.flags & RowFlag.CHUNKED) !== 0)
        for (const chunk of this.#blocks.chunkBlocks(row, row.digest, 0)) this.#kept.add(chunk);
      return false;
    } catch (error) {
      if (!(error instanceof AslError)) throw error;
      if (error.code === "ASL-WRITE" || error.code === "ASL-NO-SPACE") throw error;
      if (++this.#damaged <= MOST_DAMAGED)
        this.#findings.add("ASL-CORRUPT", "the artifact is damaged", {
          file: blockPath(block),
          offset,
          key: keyText(row.algorithm, row.digest),
        });
      return undefined;
    }
  }
  readonly #head: Buffer = Buffer.alloc(RECORD_BYTES);
  readonly #headView = new DataView(this.#head.buffer, this.#head.byteOffset, RECORD_BYTES);
  readonly #header = new RecordHeader();
  #readHeader({ block, offset }: Row): boolean {
    return (
      this.#blocks.peek(block, offset, this.#head, RECORD_BYTES) === RECORD_BYTES &&
      readRecordHeader(this.#head, this.#headView, 0, this.#format.seed, this.#header)
    );
  }
  /** Of a record for which no whole extent answers. One in a block of its own answers for itself. */
  #extentOf(row: Row): RebuiltExtent | undefined {
    const { block, offset } = row;
    if (!this.#readHeader(row) || (this.#header.flags & RecordFlag.OWN) !== 0) return undefined;
    const end = offset + recordSize(this.#header.length);
    return { block, start: offset, end, digest: this.#digestOf(block, offset, end) };
  }
  #isWhole({ block, start, end, digest }: RebuiltExtent): boolean {
    try {
      return equalBytes(this.#digestOf(block, start, end), digest);
    } catch (error) {
      if (error instanceof AslError) return false;
      throw error;
    }
  }
  #digestOf(block: number, start: number, end: number): Uint8Array {
    const bytes = new Uint8Array(Math.min(end - start, this.#sizeOf(block)));
    return digestOf(bytes.subarray(0, this.#blocks.peek(block, start, bytes, bytes.length)));
  }

  /** Nothing more comes to blocks that were open. */
  #sealBlocks(numbers: readonly number[]): void {
    for (const number of numbers) {
      if (!this.#kept.has(number)) continue;
      const { path, size, footerAt } = this.#blocks.inspect(number);
      if (footerAt !== undefined) continue;
      const at = size + ((8 - (size % 8)) % 8);
      const footer = encodeBlockFooter(at, this.#format.seed);
      const file = this.#volume.open(path, "write");
      try {
        file.write(footer, 0, footer.length, at);
        file.sync();
      } catch (error) {
        throw AslError.from(error, "ASL-WRITE", "it cannot be sealed", { file: path });
      } finally {
        file.close();
      }
    }
  }
  #plan(end: LogPlace, unneeded: readonly number[]): Plan {
    const { volume, taken } = { volume: this.#volume, taken: [] as string[] };
    const { domain, seed, algorithm } = this.#format;
    for (const folder of [LOG_FOLDER, CHECKPOINT_FOLDER, "index"])
      taken.push(...volume.list(folder).map((name) => `${folder}/${name}`));
    return {
      stage: "move",
      format: [Buffer.from(domain).toString("hex"), seed, algorithm],
      end: [end.number, end.offset],
      taken: [...taken, ...unneeded.map(blockPath)],
    };
  }
}

/** What is left to be done when the new log is whole. Read again after a crash. */
interface Plan {
  /** `move`: old files go; `enter`: the new log takes their place. */
  readonly stage: "move" | "enter";
  readonly format: readonly [domain: string, seed: number, algorithm: number];
  readonly end: readonly [number: number, offset: number];
  /** Files that are moved to quarantine. */
  readonly taken: readonly string[];
}

function decodePlan(bytes: Uint8Array): Plan {
  return JSON.parse(Buffer.from(bytes).toString("utf8")) as Plan;
}

/** From here on a crash leaves what another call goes on with; CURRENT is not there meanwhile, so nothing else takes the store for whole. */
function finish(volume: Volume, quarantine: Quarantine, plan: Plan): void {
  const write = (stage: Plan["stage"]): void =>
    replaceWhole(volume, REBUILD_FILE, Buffer.from(JSON.stringify({ ...plan, stage })), "");
  const [domain, seed, algorithm] = plan.format;
  const format = { domain: new Uint8Array(Buffer.from(domain, "hex")), seed, algorithm };
  if (plan.stage === "move") {
    write("move");
    quarantine.take(CURRENT_FILE);
    for (const path of plan.taken) quarantine.take(path);
    const said = encodeFormat(format);
    const there = readWhole(volume, FORMAT_FILE, said.length + 1);
    if (there === undefined || !equalBytes(there, said)) {
      quarantine.keep(FORMAT_FILE);
      replaceWhole(volume, FORMAT_FILE, said, "");
    }
    write("enter");
  }
  for (const name of volume.list(REBUILD_FOLDER)) volume.rename(`${REBUILD_FOLDER}/${name}`, `${LOG_FOLDER}/${name}`);
  volume.syncFolder(LOG_FOLDER);
  volume.syncFolder(REBUILD_FOLDER);
  const place = { number: 1, offset: LOG_HEADER_BYTES, position: 1, hash: digestOf(encodeFormat(format)) };
  const [number, offset] = plan.end;
  writeCurrent(volume, format, { checkpoint: 0, digest: new Uint8Array(32), place, end: { number, offset } });
  removeIfThere(volume, REBUILD_FILE);
  volume.syncFolder("");
}

/** The volume with the new log's folder in the place of the log's. */
function inFolder(volume: Volume): Volume {
  const at = (path: string): string =>
    path === LOG_FOLDER || path.startsWith(`${LOG_FOLDER}/`) ? REBUILD_FOLDER + path.slice(LOG_FOLDER.length) : path;
  return {
    open: (path, mode) => volume.open(at(path), mode),
    list: (folder) => volume.list(at(folder)),
    makeFolder: (path) => volume.makeFolder(at(path)),
    rename: (from, to) => volume.rename(at(from), at(to)),
    link: (from, to) => volume.link(at(from), at(to)),
    remove: (path) => volume.remove(at(path)),
    syncFolder: (path) => volume.syncFolder(at(path)),
  };
}

/** Blocks for records that stood in the log. */
class Copies {
  readonly #blocks: Blocks;
  readonly #format: Format;
  readonly #open: [Copied | undefined, Copied | undefined] = [undefined, undefined];

  constructor(volume: Volume, format: Format, limits: StoreLimits, nextBlock: number) {
    this.#format = format;
    this.#blocks = new Blocks({ volume, domain: format.domain, seed: format.seed, nextBlock, limits });
  }
  /** Adds a record, as the one of an entry at `position`; answers where it is now. */
  add(bytes: Buffer, row: Row, position: number): { readonly block: number; readonly offset: number } {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const flags = bytes[8]!;
    endRecord(bytes, view, 0, getU64(view, 16), this.#format.seed);
    writeRecordHeader(
      bytes,
      view,
      0,
      flags,
      row.algorithm,
      view.getUint32(12, true),
      getU64(view, 16),
      position,
      row.logseq,
      this.#format.seed,
    );
    const which = (row.flags & RowFlag.PUBLISHED) !== 0 ? 1 : 0;
    let open = this.#open[which];
    if (open?.packed.isFull === true) {
      open.packed.seal();
      open = undefined;
    }
    if (open === undefined) {
      const packed = this.#blocks.createPacked(which === 1);
      open = this.#open[which] = { packed, start: packed.end, parts: [] };
    }
    const { number } = open.packed;
    const offset = open.packed.append(bytes, 0, bytes.length);
    if (open.parts.length === 0) open.start = offset;
    open.parts.push(bytes);
    return { block: number, offset };
  }
  /** What was added since, for the frame that names it. */
  takeExtents(): RebuiltExtent[] {
    return this.#open.flatMap((open) => {
      if (open === undefined || open.parts.length === 0) return [];
      const bytes = Buffer.concat(open.parts.splice(0));
      const { number } = open.packed;
      return { block: number, start: open.start, end: open.start + bytes.length, digest: digestOf(bytes) };
    });
  }
  end(): void {
    for (const open of this.#open) open?.packed.seal();
    this.#blocks.close();
  }
}

interface Copied {
  readonly packed: ReturnType<Blocks["createPacked"]>;
  start: number;
  /** Not yet answered for. */
  readonly parts: Buffer[];
}

function eachRaw({ header, bytes, at }: Frame, hear: (kind: number, at: number, size: number) => void): void {
  let entry = at + FRAME_BYTES + header.extents * EXTENT_BYTES;
  for (let k = 0; k < header.entries; k++) {
    const size = bytes.readUInt32LE(entry + 4);
    hear(bytes[entry]!, entry, size);
    entry += size;
  }
}

function isPut(kind: number): boolean {
  return kind === EntryKind.PUT || kind === EntryKind.PUBLISH;
}

function offsetAt(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at + 4) * 2 ** 32 + bytes.readUInt32LE(at);
}

function isIn(extents: readonly RebuiltExtent[], { block, offset }: Row): boolean {
  return extents.some((extent) => extent.block === block && offset >= extent.start && offset < extent.end);
}

function rowAt(row: Row, bytes: Buffer, at: number, isPublished: boolean, position: number): Row {
  row.flags = (bytes[at + 1]! & (RowFlag.HAS_TAG | RowFlag.CHUNKED)) | (isPublished ? RowFlag.PUBLISHED : 0);
  row.domain = bytes.readUInt16LE(at + 2);
  row.tag = bytes.readUInt32LE(at + 8);
  row.source = bytes.readUInt16LE(at + 12);
  row.algorithm = bytes[at + 14]!;
  row.digest.set(bytes.subarray(at + 16, at + 48));
  row.logseq = offsetAt(bytes, at + 48);
  row.block = bytes.readUInt32LE(at + 56);
  row.offset = offsetAt(bytes, at + 64);
  row.length = offsetAt(bytes, at + 72);
  row.position = position;
  return row;
}
