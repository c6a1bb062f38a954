/**
 * Every order in which the calls of a few processes can reach one folder. A process is run again from its beginning for each step, with
 * what its calls answered before; so plain synchronous code can be stopped between two calls. Listings are as weak as POSIX allows: what
 * was added or removed while one was taken may be in it or not.
 */
import { createHash } from "node:crypto";
import type { Test } from "tap";
import { acquireLock } from "../../../host/asl/lock.ts";
import type { Owners } from "../../../host/asl/owner.ts";
import type { Volume, VolumeFile } from "../../../host/asl/volume.ts";

/** How often a process tries to get the lock; it releases each that it gets. */
export type Attempts = number;

/** What all processes see. */
export class FolderState {
  readonly files: Map<string, string>;
  /** Who thinks to hold the lock. */
  readonly inside: Set<number>;
  readonly dead: Set<number>;
  lastEpoch: number;
  wins: number;

  constructor(from?: FolderState) {
    this.files = new Map(from?.files);
    this.inside = new Set(from?.inside);
    this.dead = new Set(from?.dead);
    this.lastEpoch = from?.lastEpoch ?? 0;
    this.wins = from?.wins ?? 0;
  }
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

/** A folder in memory, all of whose calls are done at once. */
export function volumeOf(state: FolderState): Volume {
  return steppedVolume(
    (of) => of(state),
    () => [...state.files.keys()],
  );
}

type Step = <T>(of: (state: FolderState) => T) => T;

/** A volume whose every call that another process can see is one step. */
function steppedVolume(step: Step, list: () => string[]): Volume {
  // A file under a name that nobody else uses is seen by nobody.
  const own = new Map<string, string>();
  return {
    list,
    open: (path, mode) => {
      if (mode === "create") return fileOf("", (text) => own.set(path, text));
      const text = step(({ files }) => {
        const before = files.get(path);
        if (before === undefined) throw failure("ENOENT");
        return before;
      });
      return fileOf(text, (written) =>
        step(({ files }) => {
          const before = files.get(path);
          if (before !== undefined) files.set(path, written + before.slice(written.length));
        }),
      );
    },
    makeFolder: refused,
    rename: refused,
    link: (from, to) =>
      step(({ files }) => {
        const text = own.get(from);
        if (text === undefined) throw failure("ENOENT");
        if (files.has(to)) throw failure("EEXIST");
        files.set(to, text);
      }),
    remove: (path) =>
      void (
        own.delete(path) ||
        step(({ files }) => {
          if (!files.delete(path)) throw failure("ENOENT");
          return true;
        })
      ),
    syncFolder: () => undefined,
  };
}

function fileOf(text: string, write: (text: string) => void): VolumeFile {
  return {
    size: () => text.length,
    read: (into, at, length, position) =>
      Buffer.from(into.buffer, into.byteOffset + at, length).write(text.slice(position)),
    write: (bytes, at, length) => write(Buffer.from(bytes).toString("latin1", at, at + length)),
    writeLater: refused,
    sync: () => undefined,
    truncate: refused,
    close: () => undefined,
  };
}

function refused(): never {
  throw new Error("a lock has no use for it");
}

/** What a call answered. */
type Answer = { readonly value: unknown } | { readonly error: string };

interface Progress {
  /** In the attempt that it is at. */
  readonly answers: readonly Answer[];
  readonly left: Attempts;
}

export interface Exploration {
  readonly states: number;
  /** Ways to the end of all processes that do not die. */
  readonly finished: number;
  readonly mostWins: number;
  readonly violation: string | undefined;
}

interface Situation {
  readonly folder: FolderState;
  readonly processes: readonly Progress[];
  readonly deaths: number;
}

/** Goes through all orders, and up to `deaths` deaths at every place. */
export function explore(
  attempts: readonly Attempts[],
  deaths: number,
  before: Case["before"],
  mutation?: string,
): Exploration {
  const seen = new Set<string>();
  const stack: Situation[] = [
    { folder: folderOf(before), processes: attempts.map((left) => ({ answers: [], left })), deaths },
  ];
  let finished = 0;
  let mostWins = 0;
  for (let situation = stack.pop(); situation !== undefined; situation = stack.pop()) {
    const key = keyOf(situation);
    if (seen.has(key)) continue;
    seen.add(key);
    const { folder, processes, deaths } = situation;
    mostWins = Math.max(mostWins, folder.wins);
    const runs = processes.flatMap(({ left }, k) => (left === 0 || folder.dead.has(k) ? [] : [k]));
    if (runs.length === 0) finished++;
    for (const k of runs) {
      for (let choice = 0, choices = 1; choice < choices; choice++) {
        const next = new FolderState(folder);
        const advanced = advance(k, processes[k]!, next, choice, mutation);
        choices = advanced.choices;
        if (advanced.violation !== undefined)
          return { states: seen.size, finished, mostWins, violation: advanced.violation };
        stack.push({ folder: next, processes: processes.with(k, advanced.progress), deaths });
      }
      if (deaths > 0) {
        const next = new FolderState(folder);
        next.dead.add(k);
        next.inside.delete(k);
        stack.push({ folder: next, processes, deaths: deaths - 1 });
      }
    }
  }
  return { states: seen.size, finished, mostWins, violation: undefined };
}

/** What is explored, and how many states there are at least. */
export interface Case {
  readonly attempts: readonly Attempts[];
  readonly deaths: number;
  readonly before: "none" | "dead" | "released" | "left over";
  readonly least: number;
}

/** In none of the cases are there two writers, or an epoch twice. */
export function explored(t: Test, cases: readonly Case[]): void {
  for (const { attempts, deaths, before, least } of cases) {
    const result = explore(attempts, deaths, before);
    t.equal(result.violation, undefined, `${before}: ${result.states} states`);
    t.ok(result.states > least, `${result.states} states`);
    t.ok(result.finished > 0 && result.mostWins >= 2, "some came to their ends, one behind the other");
  }
}

/** Process 99 is dead. */
function folderOf(before: Case["before"]): FolderState {
  const state = new FolderState();
  const text = (first: string): string => `${first}\nboot b\nspaces s\npid 99\nstart 1\nhost h\ntoken before\n`;
  if (before === "dead") state.files.set("LOCK.0000000000000005", text("held    "));
  if (before === "released" || before === "left over") state.files.set("LOCK.0000000000000005", text("released"));
  if (before === "left over") {
    state.files.set("LOCK.0000000000000003", text("held    "));
    state.files.set("LOCK.tmp-before", text("held    "));
  }
  return state;
}

function keyOf({ folder, processes, deaths }: Situation): string {
  const { files, inside, dead, lastEpoch, wins } = folder;
  const all = [[...files].sort(), [...inside], [...dead], lastEpoch, wins, processes, deaths];
  return createHash("md5").update(JSON.stringify(all)).digest("latin1");
}

const STOPPED = new Error("stopped here");

interface Advanced {
  readonly progress: Progress;
  readonly violation: string | undefined;
  /** Of what the step answers. */
  readonly choices: number;
}

function advance(
  id: number,
  { answers: before, left }: Progress,
  folder: FolderState,
  choice: number,
  mutation: string | undefined,
): Advanced {
  const answers = [...before];
  let at = 0;
  let isStopped = false;
  let choices = 1;
  const step: Step = <T>(of: (state: FolderState) => T): T => {
    if (at === before.length) {
      try {
        answers.push({ value: of(folder) });
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === undefined) throw error;
        answers.push({ error: code });
      }
    }
    if (at > before.length || isStopped) {
      isStopped = true;
      throw STOPPED;
    }
    const answer = answers[at++]!;
    if ("error" in answer) throw failure(answer.error);
    return answer.value as T;
  };
  const list = (): string[] => {
    const names = ({ files }: FolderState): string[] => [...files.keys()].sort();
    const first = step(names);
    return step((state) => {
      const last = names(state);
      const both = first.filter((name) => last.includes(name));
      const either = [...new Set([...first, ...last])].filter((name) => !both.includes(name));
      choices = 2 ** either.length;
      return [...both, ...either.filter((_, k) => ((choice >> k) & 1) === 1)];
    });
  };
  const volume = steppedVolume(step, list);
  let tokens = 0;
  const owners: Owners = {
    self: () => ({ boot: "b", spaces: "s", pid: id + 1, start: "1", host: "h" }),
    isAlive: ({ pid }) => pid !== 99 && step(({ dead }) => !dead.has(pid - 1)),
    token: () => `${id}.${left}.${tokens++}`,
  };
  let violation: string | undefined;
  let progress: Progress = { answers, left };
  try {
    run(id, mutation === undefined ? volume : forgetful(volume, id), owners, step);
    progress = { answers: [], left: left - 1 };
  } catch (error) {
    if (!isStopped) violation = error instanceof Error ? error.message : String(error);
  }
  return { progress, violation, choices };
}

function run(id: number, volume: Volume, owners: Owners, step: Step): void {
  const attempt = acquireLock(volume, owners);
  if (!("lock" in attempt)) return;
  const { epoch } = attempt.lock;
  const wrong = step((state) => {
    const isAlone = state.inside.size === 0;
    const last = state.lastEpoch;
    state.inside.add(id);
    state.lastEpoch = epoch;
    state.wins++;
    return !isAlone ? "two writers" : epoch <= last ? "an epoch twice" : undefined;
  });
  if (wrong !== undefined) throw new Error(wrong);
  step((state) => void state.inside.delete(id));
  attempt.lock.release();
}

/** With it a process always finds its own file as it wrote it. */
function forgetful(volume: Volume, id: number): Volume {
  const written = new Map<string, string>();
  let text = "";
  return {
    ...volume,
    open: (path, mode) => {
      const own = written.get(path);
      if (mode === "read" && own !== undefined) return volumeOf(stateWith(path, own)).open(path, "read");
      const file = volume.open(path, mode);
      if (mode !== "create") return file;
      return {
        ...file,
        write: (bytes, at, length, position) => {
          text = Buffer.from(bytes).toString("latin1", at, at + length);
          file.write(bytes, at, length, position);
        },
      };
    },
    link: (from, to) => {
      volume.link(from, to);
      if (text.includes(`pid ${id + 1}\n`)) written.set(to, text);
    },
  };
}

function stateWith(path: string, text: string): FolderState {
  const state = new FolderState();
  state.files.set(path, text);
  return state;
}
