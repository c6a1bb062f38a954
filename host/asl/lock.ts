/**
 * One writer at a time (spec ASL-LOCK). The file `LOCK.<epoch>` with the highest epoch counts; who writes next adds the epoch behind it,
 * looks again, and removes lower ones from below. A listing may miss the highest if that is removed meanwhile: by one who added a higher
 * one, and removed ours before it. So ours has won if no higher one is listed and it is there afterwards.
 */
import { AslError } from "./errors.ts";
import { readWhole, removeIfThere } from "./format.ts";
import type { Owner, Owners } from "./owner.ts";
import type { Volume } from "./volume.ts";

/** The right to write, until it is released. */
export interface Lock {
  readonly epoch: number;
  readonly owner: Owner;
  /** Whether nobody took over, as only who takes this process for dead does. */
  isStillOurs(): boolean;
  /** Takes an epoch behind `epoch`: a copy of a store has its log, and none of its locks. */
  raise(epoch: number): Lock;
  /** Lets the next one write. Nothing happens if it is not ours any more. */
  release(): void;
}

/** Who writes. */
export interface Holder {
  readonly epoch: number;
  /** Undefined if the file does not say. */
  readonly owner: Owner | undefined;
  /** Whether it is known to run; false means that nothing here can tell. */
  readonly isKnownAlive: boolean;
}

export type LockAttempt = { readonly lock: Lock } | { readonly heldBy: Holder };

const PREFIX = "LOCK.";
const TEMPORARY = "LOCK.tmp-";
/** More than a lock's file ever has. */
const MOST_BYTES = 4096;
/** Others came first so often that something else is wrong. */
const MOST_ROUNDS = 1000;

/** One attempt: the lock, or who holds it. Throws ASL-WRITE, ASL-READ or ASL-NO-SPACE. */
export function acquireLock(volume: Volume, owners: Owners): LockAttempt {
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const before = highest(volume);
    const text = before === 0 ? "" : readLock(volume, before);
    // Whoever came behind it removed it.
    if (text === undefined) continue;
    const holder = before === 0 ? undefined : holderOf(before, text, owners);
    if (holder !== undefined) return { heldBy: holder };
    const lock = tryAdd(volume, owners, before + 1);
    if (lock !== undefined) return { lock };
  }
  throw new AslError("ASL-LOCKED", "others came first, again and again");
}

/** Attempts until there is a lock or `waitMs` have passed: then ASL-LOCKED, which names the holder. */
export async function waitForLock(
  volume: Volume,
  owners: Owners,
  waitMs: number,
  onWaiting?: (holder: Holder) => void,
): Promise<Lock> {
  for (const wait = new Waiting(waitMs, onWaiting); ; ) {
    const attempt = acquireLock(volume, owners);
    if ("lock" in attempt) return attempt.lock;
    const pause = wait.next(attempt.heldBy);
    await new Promise((resolve) => void setTimeout(resolve, pause));
  }
}

/** The same, and nothing else happens in this thread meanwhile. */
export function waitForLockSync(
  volume: Volume,
  owners: Owners,
  waitMs: number,
  onWaiting?: (holder: Holder) => void,
): Lock {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  for (const wait = new Waiting(waitMs, onWaiting); ; ) {
    const attempt = acquireLock(volume, owners);
    if ("lock" in attempt) return attempt.lock;
    Atomics.wait(cell, 0, 0, wait.next(attempt.heldBy));
  }
}

class Waiting {
  readonly #began = performance.now();
  readonly #waitMs: number;
  readonly #onWaiting: ((holder: Holder) => void) | undefined;
  #pauseMs = 1;
  #told = 0;

  constructor(waitMs: number, onWaiting: ((holder: Holder) => void) | undefined) {
    this.#waitMs = waitMs;
    this.#onWaiting = onWaiting;
  }
  /** Milliseconds until the next attempt. */
  next(holder: Holder): number {
    const left = this.#began + this.#waitMs - performance.now();
    if (left <= 0) throw lockedError(holder, this.#waitMs);
    if (this.#told !== holder.epoch) this.#onWaiting?.(holder);
    this.#told = holder.epoch;
    this.#pauseMs = Math.min(this.#pauseMs * 2, 100);
    return Math.min(this.#pauseMs, left);
  }
}

/** ASL-LOCKED in words. */
export function lockedError(holder: Holder, waitedMs = 0): AslError {
  const { owner, epoch } = holder;
  const who = owner === undefined ? "a process that the file does not name" : `process ${owner.pid} on ${owner.host}`;
  const waited = waitedMs > 0 ? `, also after ${waitedMs / 1000} s` : "";
  const advice = holder.isKnownAlive
    ? ""
    : `. Whether it still runs cannot be told from here; if it does not, put "${RELEASED}" in the place of the first ${RELEASED.length} letters of the file`;
  return new AslError("ASL-LOCKED", `${who} writes to the store${waited}${advice}`, { file: fileOf(epoch) });
}

/** Who writes now, as far as can be told; undefined if nobody does. */
export function currentHolder(volume: Volume, owners: Owners): Holder | undefined {
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const epoch = highest(volume);
    if (epoch === 0) return undefined;
    const text = readLock(volume, epoch);
    if (text !== undefined) return holderOf(epoch, text, owners);
  }
  throw new AslError("ASL-LOCKED", "the writer changes again and again");
}

function tryAdd(volume: Volume, owners: Owners, epoch: number): Lock | undefined {
  const owner = owners.self();
  const text = encode(owner, owners.token());
  if (!add(volume, epoch, text)) return undefined;
  if (highest(volume) !== epoch || readLock(volume, epoch) !== text) {
    remove(volume, fileOf(epoch));
    return undefined;
  }
  settle(volume, epoch);
  return new HeldLock(volume, owners, owner, epoch);
}

class HeldLock implements Lock {
  readonly #volume: Volume;
  readonly #owners: Owners;
  readonly owner: Owner;
  #epoch: number;

  constructor(volume: Volume, owners: Owners, owner: Owner, epoch: number) {
    this.#volume = volume;
    this.#owners = owners;
    this.owner = owner;
    this.#epoch = epoch;
  }
  get epoch(): number {
    return this.#epoch;
  }
  isStillOurs(): boolean {
    return this.#epoch !== 0 && highest(this.#volume) === this.#epoch;
  }
  raise(epoch: number): Lock {
    if (epoch < this.#epoch) return this;
    if (!this.isStillOurs() || !add(this.#volume, epoch + 1, encode(this.owner, this.#owners.token())))
      throw new AslError("ASL-EPOCH", "another writer has taken over", { file: fileOf(epoch + 1) });
    settle(this.#volume, epoch + 1);
    this.#epoch = epoch + 1;
    return this;
  }
  release(): void {
    const epoch = this.#epoch;
    if (!this.isStillOurs()) return;
    this.#epoch = 0;
    // In its place: so it takes no space, and the highest epoch never goes away.
    attempt(fileOf(epoch), "it cannot be released", () => {
      const file = this.#volume.open(fileOf(epoch), "write");
      try {
        const bytes = Buffer.from(RELEASED);
        file.write(bytes, 0, bytes.length, 0);
        file.sync();
      } finally {
        file.close();
      }
    });
  }
}

/** Puts a file there, whole; false if there is one. */
function add(volume: Volume, epoch: number, text: string): boolean {
  const temporary = `${TEMPORARY}${tokenOf(text)}`;
  return attempt(fileOf(epoch), "it cannot be added", () => {
    const bytes = Buffer.from(text);
    const file = volume.open(temporary, "create");
    try {
      try {
        file.write(bytes, 0, bytes.length, 0);
        file.sync();
      } finally {
        file.close();
      }
      volume.link(temporary, fileOf(epoch));
      return true;
    } catch (error) {
      // ENOENT: who took the lock meanwhile removed what it thought left over.
      if (codeOf(error) === "EEXIST" || codeOf(error) === "ENOENT") return false;
      throw error;
    } finally {
      removeIfThere(volume, temporary);
    }
  });
}

/** The epoch is on disk before anything that carries it. Lower ones go from below, and what processes that died have left. */
function settle(volume: Volume, epoch: number): void {
  attempt(fileOf(epoch), "it cannot be added", () => {
    volume.syncFolder("");
    const names = volume.list("");
    const lower = names.map(epochOf).filter((other) => other !== 0 && other < epoch);
    for (const other of lower.sort((a, b) => a - b)) removeIfThere(volume, fileOf(other));
    for (const name of names) if (name.startsWith(TEMPORARY)) removeIfThere(volume, name);
  });
}

function remove(volume: Volume, path: string): void {
  attempt(path, "it cannot be removed", () => removeIfThere(volume, path));
}

function attempt<T>(file: string, what: string, of: () => T): T {
  try {
    return of();
  } catch (error) {
    throw AslError.from(error, "ASL-WRITE", what, { file });
  }
}

function highest(volume: Volume): number {
  let names: string[];
  try {
    names = volume.list("");
  } catch (error) {
    throw AslError.from(error, "ASL-READ", "the store's folder cannot be listed");
  }
  let most = 0;
  for (const name of names) most = Math.max(most, epochOf(name));
  return most;
}

function fileOf(epoch: number): string {
  return PREFIX + epoch.toString(16).padStart(16, "0");
}

/** 0: it is no lock. */
function epochOf(name: string): number {
  const match = /^LOCK\.([0-9a-f]{16})$/.exec(name);
  const epoch = match === null ? 0 : Number.parseInt(match[1]!, 16);
  return Number.isSafeInteger(epoch) ? epoch : 0;
}

function readLock(volume: Volume, epoch: number): string | undefined {
  const bytes = readWhole(volume, fileOf(epoch), MOST_BYTES);
  return bytes === undefined ? undefined : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8");
}

// The first words have one length: one takes the place of the other.
const HELD = "held    ";
const RELEASED = "released";
const FIELDS = ["boot", "spaces", "pid", "start", "host", "token"] as const;

function encode(owner: Owner, token: string): string {
  const values = { ...owner, token };
  return `${HELD}\n${FIELDS.map((name) => `${name} ${values[name]}\n`).join("")}`;
}

function tokenOf(text: string): string {
  return /^token (.*)$/m.exec(text)?.[1] ?? "";
}

/** Undefined if nobody holds it. What cannot be read is held: by whom is not known. */
function holderOf(epoch: number, text: string, owners: Owners): Holder | undefined {
  if (text.startsWith(RELEASED)) return undefined;
  const owner = decode(text);
  if (owner === undefined) return { epoch, owner, isKnownAlive: false };
  const isAlive = owners.isAlive(owner);
  return isAlive === false ? undefined : { epoch, owner, isKnownAlive: isAlive === true };
}

function decode(text: string): Owner | undefined {
  const [first, ...lines] = text.split("\n");
  if (first !== HELD || lines.length !== FIELDS.length + 1) return undefined;
  const values = new Map<string, string>();
  for (const [k, name] of FIELDS.entries()) {
    const line = lines[k]!;
    if (!line.startsWith(`${name} `)) return undefined;
    values.set(name, line.slice(name.length + 1));
  }
  const pid = Number(values.get("pid"));
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  const of = (name: string): string => values.get(name)!;
  return { boot: of("boot"), spaces: of("spaces"), pid, start: of("start"), host: of("host") };
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
