/**
 * Checks every byte of a store (spec ASL-FSCK). The log is read from its beginning, frame by frame; each frame answers for bytes of blocks
 * by their digests, and for the records in them; what the log says is then held against the index, the checkpoint and CURRENT. Memory does
 * not grow with the number of artifacts.
 */
import { equalBytes } from "../assets/hash.ts";
import type { ArtifactIndex, IndexTuning } from "./artifact-index.ts";
import { BLOCK_FOLDER, blockPath, LOG_BIT } from "./block-file.ts";
import type { ScannedRecord } from "./block-scan.ts";
import { Blocks } from "./blocks.ts";
import {
  CHECKPOINT_FOLDER,
  type Checkpoint,
  CURRENT_FILE,
  type Current,
  checkpointPath,
  readCheckpoint,
  readCurrent,
} from "./checkpoint.ts";
import { AslError } from "./errors.ts";
import { Findings, type Problem } from "./findings.ts";
import { encodeFormat, FORMAT_FILE, type Format, numbered, numberOf, readFormat } from "./format.ts";
import { Row, RowFlag, RowKind } from "./index-rows.ts";
import { type Digester, digestInto, keyText } from "./key.ts";
import { LIMITS, type StoreLimits } from "./limits.ts";
import { type Holder, type Lock, waitForLock } from "./lock.ts";
import { type Frame, LOG_FOLDER, type LogPlace, type LogStop, logNumbers, logPath, readLog } from "./log.ts";
import { formatOfLogs, headerOfFrames, placeBehind, readableFrames } from "./log-salvage.ts";
import { OpenFiles } from "./open-files.ts";
import { isReadable, OwnCheck } from "./own-check.ts";
import type { Owners } from "./owner.ts";
import { PatchedVolume } from "./patched-volume.ts";
import { RecordFlag } from "./record.ts";
import { type BlockUse, RecordCheck } from "./record-check.ts";
import { emptyState, logBeginning, type Recovered, recover } from "./recovery.ts";
import { affectedBy } from "./referrers.ts";
import { demandStore, isInterrupted, repairStore } from "./repair.ts";
import { RowSum } from "./row-sum.ts";
import { LogState } from "./state.ts";
import type { Volume } from "./volume.ts";

export type { Problem } from "./findings.ts";

export interface FsckOptions {
  /** Also digests of all artifacts: what was written wrongly is found too. */
  readonly deep?: boolean | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RepairOptions extends FsckOptions {
  /** Makes again what can be made without guessing. What it replaces is moved to `quarantine/`. */
  readonly repair?: boolean | undefined;
  /** How long to wait for a writer, in milliseconds. */
  readonly waitMs?: number | undefined;
  /** Hears who is waited for. */
  readonly onWaiting?: ((holder: Holder) => void) | undefined;
  readonly limits?: Partial<StoreLimits> | undefined;
  readonly tuning?: Partial<IndexTuning> | undefined;
  readonly digest?: Digester | undefined;
}

export interface FsckReport {
  readonly problems: readonly Problem[];
  /** Problems beyond those that are listed. */
  readonly omitted: number;
  readonly deep: boolean;
  /** Bytes that were read of the log, of blocks and of the index. */
  readonly bytes: number;
  readonly frames: number;
  readonly entries: number;
  /** Entries that put or publish an artifact. */
  readonly artifacts: number;
  readonly blocks: number;
  readonly segments: number;
  /** Bytes in files that the log says nothing of: of what was never committed. */
  readonly uncoveredBytes: number;
  /** Bytes at the end of the log that were never committed. */
  readonly tornBytes: number;
  /** Files that nothing names. */
  readonly orphans: readonly string[];
}

/** What is checked. */
export interface FsckContext {
  readonly volume: Volume;
  readonly format: Format;
  readonly limits: StoreLimits;
  readonly digest: Digester;
  /** None: it cannot be read, or is not to be looked at. */
  readonly index: ArtifactIndex | undefined;
  /** Up to where the log is committed; undefined: as far as it goes. */
  readonly end: LogPlace | undefined;
  /** Somebody may write meanwhile. */
  readonly isLive: boolean;
  /** Undefined if it cannot be read. */
  readonly current: Current | undefined;
  readonly checkpoint: Checkpoint | undefined;
}

/** Bytes that are checked in one turn of the event loop. */
const TURN_BYTES: number = 32 * 1024 * 1024;

const OPEN_FILES = 64;

/** Checks a store that is open, up to what is committed now; it may be written to meanwhile. */
export async function fsckStore(
  context: Omit<FsckContext, "current" | "checkpoint" | "isLive">,
  options: FsckOptions = {},
): Promise<FsckReport> {
  const findings = new Findings();
  return await checkAll(
    { ...context, isLive: true, ...readState(context.volume, context.format, findings) },
    findings,
    options,
  );
}

/** Checks a store that need not open, and repairs it. Throws ASL-NO-STORE, ASL-VERSION, or with `repair` ASL-LOCKED. */
export async function fsckVolume(volume: Volume, owners: Owners, options: RepairOptions = {}): Promise<FsckReport> {
  demandStore(volume);
  if (options.repair !== true) return (await checkVolume(volume, options)).report;
  const lock: Lock = await waitForLock(volume, owners, options.waitMs ?? 0, options.onWaiting);
  try {
    const before = await checkVolume(volume, options);
    if (before.report.problems.length === 0) return before.report;
    const done = repairStore(volume, before.details);
    if (done.length === 0) return before.report;
    const after = await checkVolume(volume, options);
    const problems = before.report.problems.map((problem) => {
      const isThere = after.report.problems.some((other) => isSame(other, problem));
      const act = isThere ? undefined : (done.find(({ file }) => file === problem.file) ?? done.at(-1));
      return act === undefined ? problem : { ...problem, repaired: act.what };
    });
    const found = after.report.problems.filter((other) => !problems.some((problem) => isSame(other, problem)));
    return { ...after.report, problems: [...problems, ...found] };
  } finally {
    lock.release();
  }
}

function isSame(left: Problem, right: Problem): boolean {
  return left.code === right.code && left.file === right.file && left.offset === right.offset && left.key === right.key;
}

/** What a repair has to know. */
export interface FsckDetails {
  readonly format: Format;
  readonly limits: StoreLimits;
  readonly digest: Digester;
  readonly tuning: Partial<IndexTuning> | undefined;
  /** Bytes that are known to be others than those that are there. */
  readonly patches: PatchedVolume;
  readonly findings: Findings;
  readonly records: RecordCheck;
  /** What the log tells in all; undefined if parts of it are lost. */
  readonly state: LogState | undefined;
  /** Undefined if it cannot be read. */
  readonly current: Current | undefined;
  readonly suspects: readonly Suspect[];
}

/** An artifact in bytes that are not what the log says; the oldest that has this place. */
export interface Suspect {
  readonly row: Row;
  /** What was damaged is something else. */
  readonly isReadable: boolean;
}

async function checkVolume(
  volume: Volume,
  options: RepairOptions,
): Promise<{ readonly report: FsckReport; readonly details: FsckDetails }> {
  const findings = new Findings();
  const limits = { ...LIMITS, ...options.limits };
  const digest = options.digest ?? digestInto;
  const patches = new PatchedVolume(volume);
  const format = formatOf(patches, findings);
  if (isInterrupted(volume))
    findings.add("ASL-CURRENT-DAMAGED", "a rebuild was interrupted: it goes on when it is called again", {
      file: "REBUILD",
    });
  const names = listOf(volume, "");
  for (const [folder, code] of FOLDERS)
    if (!names.includes(folder)) findings.add(code, "there is no such folder", { file: folder });
  patchLogHeaders(patches, format, findings);
  const { current, checkpoint } = readState(patches, format, findings);
  let recovered: Recovered | undefined;
  let failure: unknown;
  try {
    if (current !== undefined && !findings.has("ASL-CURRENT-DAMAGED"))
      recovered = recover(patches, format, {
        isReadOnly: true,
        limits,
        indexBytes: undefined,
        tuning: options.tuning,
        digest,
      });
  } catch (error) {
    failure = error;
    // What is wrong with the log is found below, and where it goes on.
    if (!(error instanceof AslError) || error.code !== "ASL-LOG-DAMAGED") findings.take(error);
  }
  try {
    const index = recovered?.index;
    const end = recovered?.stop.place;
    const context = { volume: patches, format, limits, digest, index, end, isLive: false, current, checkpoint };
    const check = new StoreCheck(context, findings, options);
    let report = await check.run();
    if (failure !== undefined && findings.problems.length === 0) {
      findings.take(failure);
      report = { ...report, problems: findings.problems };
    }
    const { records, state, suspects } = check;
    return {
      report,
      details: { format, limits, digest, tuning: options.tuning, patches, findings, records, state, current, suspects },
    };
  } finally {
    recovered?.index.close();
    recovered?.blocks.close();
  }
}

/** What a store has, and what is damaged without it. */
const FOLDERS = [
  [LOG_FOLDER, "ASL-LOG-DAMAGED"],
  [BLOCK_FOLDER, "ASL-BLOCK-DAMAGED"],
  ["index", "ASL-INDEX-DAMAGED"],
  [CHECKPOINT_FOLDER, "ASL-CURRENT-DAMAGED"],
] as const;

/** FORMAT, or what it was: log files tell all of it, and its digest. */
function formatOf(patches: PatchedVolume, findings: Findings): Format {
  try {
    return readFormat(patches).format;
  } catch (error) {
    if (!(error instanceof AslError) || (error.code !== "ASL-FORMAT" && error.code !== "ASL-NO-STORE")) throw error;
    const format = formatOfLogs(patches);
    if (format === undefined) throw error;
    findings.take(error);
    patches.put(FORMAT_FILE, encodeFormat(format), "made again from what the log says of it");
    return format;
  }
}

/** The header of a log file is told by its first frame. */
function patchLogHeaders(patches: PatchedVolume, format: Format, findings: Findings): void {
  for (const number of logNumbers(patches)) {
    const bytes = headerOfFrames(patches, format, number);
    if (bytes === undefined) continue;
    findings.add("ASL-LOG-DAMAGED", "its header is damaged", { file: logPath(number), offset: 0 });
    patches.patch(logPath(number), 0, bytes, "its header was made again from its first frame");
  }
}

function readState(
  volume: Volume,
  format: Format,
  findings: Findings,
): { readonly current: Current | undefined; readonly checkpoint: Checkpoint | undefined } {
  let current: Current | undefined;
  try {
    current = readCurrent(volume, format);
    return { current, checkpoint: current.checkpoint === 0 ? undefined : readCheckpoint(volume, current) };
  } catch (error) {
    findings.take(error);
    return { current, checkpoint: undefined };
  }
}

async function checkAll(context: FsckContext, findings: Findings, options: FsckOptions): Promise<FsckReport> {
  return await new StoreCheck(context, findings, options).run();
}

class StoreCheck {
  readonly records: RecordCheck;
  readonly suspects: Suspect[] = [];
  readonly #context: FsckContext;
  readonly #findings: Findings;
  readonly #options: FsckOptions;
  readonly #files: OpenFiles;
  readonly #state: LogState;
  readonly #sum = new RowSum();
  /** Some of the log cannot be read. */
  #isCut = false;
  #done = 0;
  #total = 0;
  /** Of {@link #done}, when the turn of the event loop began. */
  #turn = 0;
  #frames = 0;
  #artifacts = 0;
  #tornBytes = 0;
  #isCheckpointSeen: boolean;

  constructor(context: FsckContext, findings: Findings, options: FsckOptions) {
    const { volume, format, digest, checkpoint } = context;
    this.#context = context;
    this.#findings = findings;
    this.#options = options;
    this.#files = new OpenFiles(volume, format.seed, OPEN_FILES);
    const read = (bytes: number): void => void (this.#done += bytes);
    const isDeep = options.deep === true;
    this.records = new RecordCheck({ files: this.#files, format, isDeep, digest, findings, read });
    this.#state = new LogState(emptyState(format));
    this.#isCheckpointSeen = checkpoint === undefined;
  }
  /** What the log tells; undefined if some of it cannot be read. */
  get state(): LogState | undefined {
    return this.#isCut ? undefined : this.#state;
  }

  async run(): Promise<FsckReport> {
    const { volume } = this.#context;
    try {
      for (const folder of [LOG_FOLDER, BLOCK_FOLDER, "index"]) this.#total += bytesIn(volume, folder);
      await this.#checkLog();
      this.#checkCheckpoint();
      const { uncovered, orphans, blocks } = this.#checkBlocks();
      await this.#checkIndex();
      await this.#tellDamaged();
      const { problems, omitted } = this.#findings;
      this.#options.onProgress?.(this.#total, this.#total);
      return {
        problems: problems.slice(),
        omitted,
        deep: this.#options.deep === true,
        bytes: this.#done,
        frames: this.#frames,
        entries: this.#state.position,
        artifacts: this.#artifacts,
        blocks,
        segments: this.#context.checkpoint?.segments.length ?? 0,
        uncoveredBytes: uncovered,
        tornBytes: this.#tornBytes,
        orphans,
      };
    } finally {
      this.#files.close();
    }
  }

  /** Also of frames that cannot be read. */
  get #lastPosition(): number {
    return Math.max(this.#state.position, (this.#context.checkpoint?.place.position ?? 1) - 1);
  }

  async #pause(): Promise<void> {
    this.#options.onProgress?.(Math.min(this.#done, this.#total), this.#total);
    this.#turn = this.#done;
    await new Promise((resolve) => setImmediate(resolve));
    this.#options.signal?.throwIfAborted();
  }
  get #isTurnOver(): boolean {
    return this.#done - this.#turn >= TURN_BYTES;
  }

  async #checkLog(): Promise<void> {
    const { volume, format, end, current } = this.#context;
    const add = (row: Row): void => {
      this.#sum.add(row);
      if (row.kind === RowKind.PUT) this.#artifacts++;
      this.records.add(row);
    };
    const take = (frame: Frame): void => {
      this.#done += frame.header.bodyBytes;
      this.#frames++;
      this.#compareCheckpoint();
      this.#state.apply(frame.header, frame.bytes, frame.at, frame.hash, { add });
      this.records.check(frame);
    };
    const isAtEnd = (): boolean => end !== undefined && !isBefore(this.#state.place, end);
    for (let place: LogPlace | undefined = logBeginning(format); place !== undefined; ) {
      const reading = readLog(volume, format, place);
      let next = reading.next();
      for (; next.done !== true && !isAtEnd(); next = reading.next()) {
        take(next.value);
        if (this.#isTurnOver) await this.#pause();
      }
      if (next.done !== true) reading.return({ place, reason: undefined, isDamage: false });
      if (next.done !== true || isAtEnd()) break;
      const stop = next.value;
      if (!stop.isDamage && (current === undefined || !isBefore(stop.place, current.end))) break;
      place = this.#tellCut(stop);
    }
    this.#compareCheckpoint();
    if (!this.#context.isLive) this.#tornBytes = Math.max(0, bytesBehind(volume, this.#state.place));
  }

  /** Some of the log cannot be read. Answers where it can be again. */
  #tellCut({ place, reason }: LogStop): LogPlace | undefined {
    const { volume, format } = this.#context;
    const { number, offset, position } = place;
    const next = placeBehind(volume, format, place);
    const lost =
      next === undefined ? `from position ${position} on` : `of positions ${position} to ${next.position - 1}`;
    this.#findings.add(
      "ASL-LOG-DAMAGED",
      `${reason ?? "it is shorter than it was"}; the entries ${lost} cannot be read`,
      {
        file: logPath(number),
        offset,
      },
    );
    this.#isCut = true;
    const end = next !== undefined && next.number === number ? next.offset : Number.POSITIVE_INFINITY;
    this.records.addDamaged({ block: (LOG_BIT | number) >>> 0, start: offset, end, digest: undefined });
    return next;
  }

  /** At the place that the checkpoint is of, the log must tell what it tells. */
  #compareCheckpoint(): void {
    const { checkpoint, current } = this.#context;
    if (this.#isCheckpointSeen || checkpoint === undefined || this.#isCut) return;
    if (this.#state.place.position !== checkpoint.place.position) return;
    this.#isCheckpointSeen = true;
    const wrong = (message: string): void =>
      void this.#findings.add("ASL-CURRENT-DAMAGED", message, { file: checkpointPath(current!.checkpoint) });
    const { place } = checkpoint;
    const isSamePlace =
      place.number === this.#state.place.number &&
      place.offset === this.#state.place.offset &&
      equalBytes(place.hash, this.#state.place.hash);
    if (!isSamePlace) wrong("it is of another place of the log");
    if (textOf(this.#state) !== textOf(checkpoint)) wrong("it does not say what the log says");
  }
  #checkCheckpoint(): void {
    const { checkpoint, current } = this.#context;
    if (this.#isCheckpointSeen || this.#isCut || checkpoint === undefined) return;
    const file = checkpointPath(current!.checkpoint);
    this.#findings.add("ASL-CURRENT-DAMAGED", "it is of no place in the log", { file });
  }

  #checkBlocks(): { readonly uncovered: number; readonly orphans: string[]; readonly blocks: number } {
    const { volume } = this.#context;
    const orphans = this.#strays();
    const open = new Set(this.#state.openBlocks.map(({ number }) => number));
    let uncovered = 0;
    const numbers = volume.list(BLOCK_FOLDER).flatMap((name) => numberOf(name, "blk") ?? []);
    for (const number of numbers.sort((left, right) => left - right)) {
      const use = this.records.blocks.get(number);
      if (use !== undefined) uncovered += this.#checkBlock(number, use, open.has(number));
      else if (!this.#context.isLive && !this.#isCut) orphans.push(blockPath(number));
    }
    const there = new Set(numbers);
    for (const number of this.records.blocks.keys())
      if (!there.has(number))
        this.#findings.add("ASL-BLOCK-DAMAGED", "there is no such file", { file: blockPath(number) });
    return { uncovered, orphans, blocks: numbers.length };
  }
  /** Bytes of it that the log says nothing of. */
  #checkBlock(number: number, use: BlockUse, isOpen: boolean): number {
    const { format, volume, isLive } = this.#context;
    const blocks = new Blocks({ volume, domain: format.domain, seed: format.seed, nextBlock: 1 });
    try {
      const { path, size, header, footerAt } = blocks.inspect(number);
      const wrong = (message: string, offset: number): void =>
        void this.#findings.add("ASL-BLOCK-DAMAGED", message, { file: path, offset });
      if (header === undefined) wrong("its header is damaged", 0);
      else if (
        !equalBytes(header.domain, format.domain) ||
        header.isPublished !== use.isPublished ||
        header.isOwn !== use.isOwn
      )
        wrong("its header is of another kind of block", 0);
      if (!Number.isFinite(use.end)) {
        if (footerAt === undefined) wrong("its footer is damaged", Math.max(0, size - 64));
        return 0;
      }
      // Who writes may have sealed it, or gone on, since.
      if (isLive) return use.gaps;
      if (footerAt === undefined && !isOpen) wrong("its footer is damaged", use.end);
      return use.gaps + Math.max(0, (footerAt ?? size) - use.end);
    } catch (error) {
      this.#findings.take(error);
      return 0;
    } finally {
      blocks.close();
    }
  }
  /** Files that nothing names. */
  #strays(): string[] {
    const { volume, checkpoint, current, isLive } = this.#context;
    if (isLive || current === undefined) return [];
    const named = new Set([
      FORMAT_FILE,
      CURRENT_FILE,
      LOG_FOLDER,
      BLOCK_FOLDER,
      "index",
      CHECKPOINT_FOLDER,
      "quarantine",
      "rebuild",
      ...logNumbers(volume).map(logPath),
      ...(current.checkpoint === 0 ? [] : [checkpointPath(current.checkpoint)]),
      ...(checkpoint?.segments ?? []).map(({ number }) => numbered("index", number, "seg")),
    ]);
    const inside = [LOG_FOLDER, CHECKPOINT_FOLDER, "index"].flatMap((folder) =>
      listOf(volume, folder).map((name) => `${folder}/${name}`),
    );
    const all = [...listOf(volume, ""), ...inside].filter((path) => !path.startsWith("LOCK."));
    return all.filter((path) => !named.has(path));
  }

  async #checkIndex(): Promise<void> {
    const { index } = this.#context;
    if (index === undefined) return;
    const sum = new RowSum();
    const add = (row: Row): void => sum.add(row);
    const problems = index.check(this.#state.position, add, (bytes) => void (this.#done += bytes));
    for (const problem of problems) this.#findings.take(problem);
    await this.#pause();
    if (problems.length > 0) return;
    if (sum.equals(this.#sum) || this.#isCut) return;
    this.#compareRows(index, sum.count);
  }
  /** Says which rows the index has otherwise than the log. */
  #compareRows(index: ArtifactIndex, count: number): void {
    const { volume, format } = this.#context;
    const state = new LogState(emptyState(format));
    const file = CURRENT_FILE;
    let different = 0;
    const add = (row: Row): void => {
      const { kind, algorithm, digest, position } = row;
      const isBinding = kind >= RowKind.BINDING;
      const found = index.rowsOf(isBinding, algorithm, digest, 0, position)[0];
      if (found !== undefined && isSameRow(found, row)) return;
      if (++different > MOST_ROWS) return;
      const key = isBinding ? undefined : keyText(algorithm, digest);
      const what = found?.position === position ? "says something else of" : "does not have";
      this.#findings.add("ASL-INDEX-DAMAGED", `the index ${what} the entry at position ${position}`, {
        file,
        key,
        offset: undefined,
      });
    };
    try {
      for (const frame of readLog(volume, format, logBeginning(format))) {
        if (frame.header.firstPosition > this.#state.position) break;
        state.apply(frame.header, frame.bytes, frame.at, frame.hash, { add });
      }
    } catch (error) {
      this.#findings.take(error);
    }
    if (different === 0 || count > this.#sum.count)
      this.#findings.add("ASL-INDEX-DAMAGED", `the index has ${count} rows, the log ${this.#sum.count}`, { file });
  }

  /** Artifacts in what is damaged, one by one, each with what refers to it. */
  async #tellDamaged(): Promise<void> {
    if (this.records.damaged.length === 0) return;
    const { volume, format, limits, digest, index } = this.#context;
    const blocks = new Blocks({ volume, domain: format.domain, seed: format.seed, nextBlock: 1, limits, digest });
    const own = new OwnCheck(this.#files, format, true, () => undefined);
    const seen = new Set<string>();
    const look = (row: Row): void => {
      if (row.kind !== RowKind.PUT || this.suspects.length >= MOST_SUSPECTS || !this.records.isDamaged(row)) return;
      const place = `${row.block} ${row.offset}`;
      if (seen.has(place)) return;
      seen.add(place);
      const suspect = { row: row.copy(), isReadable: isReadable(blocks, own, row) };
      this.suspects.push(suspect);
    };
    try {
      await this.#eachRow(index, look);
      if (index === undefined) this.#scanDamaged(blocks, look);
    } finally {
      blocks.close();
    }
    const unreadable = this.suspects.flatMap(({ row, isReadable }) => (isReadable ? [] : [row]));
    const affected = affectedBy(volume, format, this.#state, unreadable);
    for (const [k, row] of unreadable.entries()) {
      const place = { file: blockPath(row.block), offset: row.offset, key: keyText(row.algorithm, row.digest) };
      this.#findings.add("ASL-CORRUPT", "the artifact is damaged", place, affected[k]!);
    }
  }
  /** Without an index, records tell themselves what they are. */
  #scanDamaged(blocks: Blocks, look: (row: Row) => void): void {
    const row = new Row();
    for (const { block, start, end } of this.records.damaged) {
      try {
        for (const record of blocks.scan(block, { from: start, to: end })) {
          if ((record.flags & RecordFlag.CHUNK) === 0) look(rowOf(row, record));
        }
      } catch (error) {
        // A file that is not there was told of.
        if (!(error instanceof AslError)) throw error;
      }
    }
  }
  /** Of the index if there is one: it has those of frames that cannot be read. */
  async #eachRow(index: ArtifactIndex | undefined, look: (row: Row) => void): Promise<void> {
    const { volume, format } = this.#context;
    if (index !== undefined && !this.#findings.has("ASL-INDEX-DAMAGED")) {
      let rows = 0;
      for (const row of index.scan(this.#lastPosition)) {
        look(row);
        if (++rows % ROWS_OF_TURN === 0) await this.#pause();
      }
      return;
    }
    const state = new LogState(emptyState(format));
    for (const frame of readableFrames(volume, format))
      state.apply(frame.header, frame.bytes, frame.at, frame.hash, { add: look });
  }
}

const ROWS_OF_TURN = 1 << 18;

/** More artifacts than this are not looked at one by one. */
const MOST_SUSPECTS = 100_000;

/** More rows than this are not told one by one. */
const MOST_ROWS = 1000;

/** What the entry of a record said, as far as the record knows. */
function rowOf(into: Row, record: ScannedRecord): Row {
  into.kind = RowKind.PUT;
  into.flags = record.flags & (RowFlag.HAS_TAG | RowFlag.PUBLISHED | RowFlag.CHUNKED);
  into.algorithm = record.algorithm;
  into.tag = record.tag;
  into.domain = 0;
  into.source = 0;
  into.block = record.block;
  into.offset = record.offset;
  into.length = record.artifactLength();
  into.position = record.position;
  into.logseq = record.logseq;
  into.digest.set(record.digest);
  return into;
}

export function isSameRow(left: Row, right: Row): boolean {
  return (
    left.kind === right.kind &&
    left.flags === right.flags &&
    left.tag === right.tag &&
    left.domain === right.domain &&
    left.source === right.source &&
    left.block === right.block &&
    left.offset === right.offset &&
    left.length === right.length &&
    left.position === right.position &&
    left.logseq === right.logseq
  );
}

/** What a state says, but for its place: two that say the same have one text. */
function textOf({
  logseq,
  lastTombstone,
  epoch,
  nextBlock,
  openBlocks,
  snapshots,
  pins,
  domains,
}: Omit<Checkpoint, "segments" | "nextSegment">): string {
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
  return JSON.stringify([
    logseq,
    lastTombstone,
    epoch,
    nextBlock,
    openBlocks.map(({ number, end, isPublished }) => [number, end, isPublished]).sort(),
    [...snapshots.values()]
      .map(({ name, position, frameHash, logseq }) => [name, position, hex(frameHash), logseq])
      .sort(),
    [...pins.values()].map(({ label, algorithm, digest }) => [label, algorithm, hex(digest)]).sort(),
    [...domains].map(([index, id]) => [index, hex(id)]).sort(),
  ]);
}

function isBefore(left: { number: number; offset: number }, right: { number: number; offset: number }): boolean {
  return left.number < right.number || (left.number === right.number && left.offset < right.offset);
}

function listOf(volume: Volume, folder: string): string[] {
  try {
    return volume.list(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw AslError.from(error, "ASL-READ", "it cannot be listed", { file: folder });
  }
}

function sizeOf(volume: Volume, path: string): number {
  try {
    const file = volume.open(path, "read");
    try {
      return file.size();
    } finally {
      file.close();
    }
  } catch {
    return 0;
  }
}

/** Bytes of the log behind a place. */
function bytesBehind(volume: Volume, { number, offset }: LogPlace): number {
  const later = logNumbers(volume).filter((other) => other > number);
  return (
    sizeOf(volume, logPath(number)) - offset + later.reduce((sum, other) => sum + sizeOf(volume, logPath(other)), 0)
  );
}

function bytesIn(volume: Volume, folder: string): number {
  return listOf(volume, folder).reduce((sum, name) => sum + sizeOf(volume, `${folder}/${name}`), 0);
}
