/**
 * Random sequences of calls, made on several file systems at once and on the kernel: statuses, results and the trees in
 * the end are equal, but for what a guest is deliberately not allowed.
 */
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import type { FileSystem } from "../../host/fs/file-system.ts";
import { Status, statusName } from "../../syscalls/status.ts";
import { OpenFlag } from "../../syscalls/table.ts";
import { Driver, NULL_REF, type Ref } from "../conformance/driver.ts";
import type { PosixGuest } from "./posix.ts";

const { READ, WRITE, CREATE, EXCLUSIVE, TRUNCATE, APPEND, DIRECTORY, NOFOLLOW } = OpenFlag;

/** Files that are held open at one time, and directories. */
const SLOTS = 3;

type Step =
  | { readonly do: "open"; readonly path: string; readonly base: number; readonly flags: number; readonly slot: number }
  | {
      readonly do: "openDirectory" | "stat" | "lstat";
      readonly path: string;
      readonly base: number;
      readonly slot: number;
    }
  | { readonly do: "mkdir" | "rmdir" | "unlink" | "readlink"; readonly path: string; readonly base: number }
  | {
      readonly do: "rename" | "link";
      readonly path: string;
      readonly base: number;
      readonly newPath: string;
      readonly newBase: number;
    }
  | { readonly do: "symlink"; readonly target: string; readonly path: string; readonly base: number }
  | FileStep
  | { readonly do: "list" | "closeDirectory"; readonly slot: number };

/** On a file that is held open. */
type FileStep =
  | { readonly do: "read" | "truncate"; readonly slot: number; readonly at: number }
  | { readonly do: "write"; readonly slot: number; readonly at: number; readonly text: string }
  | { readonly do: "size" | "statHandle" | "sync" | "close"; readonly slot: number };

/** Names and dots, some with a slash at the end. */
const path = fc
  .tuple(
    fc.array(fc.constantFrom(..."abcabcabcabc", ".", ".."), { minLength: 1, maxLength: 3 }),
    fc.constantFrom("", "", "", "", "", "", "", "/"),
  )
  .map(([names, end]) => names.join("/") + end);

function steps(handles: boolean, links: boolean): fc.Arbitrary<Step> {
  // -1: a path from the root.
  const base = handles ? fc.constantFrom(-1, -1, -1, 0, 1, 2) : fc.constant(-1);
  const slot = fc.nat(SLOTS - 1);
  const word = <Word extends string>(...words: readonly Word[]): fc.Arbitrary<Word> => fc.constantFrom(...words);
  const text = fc.string({ maxLength: 12, unit: fc.constantFrom("x", "y", "z") });
  const flags = fc.constantFrom(
    READ,
    READ | WRITE,
    READ | WRITE | CREATE,
    WRITE | CREATE | EXCLUSIVE,
    WRITE | CREATE | TRUNCATE,
    WRITE | APPEND | CREATE,
    READ | NOFOLLOW,
    READ | WRITE | CREATE | NOFOLLOW,
    WRITE | TRUNCATE | NOFOLLOW,
  );
  return fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: word("open"), path, base, flags, slot }) },
    { weight: 6, arbitrary: fc.record({ do: word("mkdir"), path, base }) },
    { weight: 5, arbitrary: fc.record({ do: word("rmdir", "unlink", "readlink"), path, base }) },
    { weight: 6, arbitrary: fc.record({ do: word("rename"), path, base, newPath: path, newBase: base }) },
    ...(links
      ? [{ weight: 2, arbitrary: fc.record({ do: word("link"), path, base, newPath: path, newBase: base }) }]
      : []),
    { weight: 4, arbitrary: fc.record({ do: word("symlink"), target: path, path, base }) },
    { weight: 3, arbitrary: fc.record({ do: word("stat", "lstat"), path, base, slot }) },
    { weight: 4, arbitrary: fc.record({ do: word("write"), slot, at: fc.integer({ min: -1, max: 30 }), text }) },
    { weight: 3, arbitrary: fc.record({ do: word("read", "truncate"), slot, at: fc.nat(30) }) },
    { weight: 2, arbitrary: fc.record({ do: word("size", "statHandle", "sync", "close"), slot }) },
    ...(handles
      ? [
          { weight: 4, arbitrary: fc.record({ do: word("openDirectory"), path, base, slot }) },
          { weight: 2, arbitrary: fc.record({ do: word("list", "closeDirectory"), slot }) },
        ]
      : []),
  );
}

/** What every run begins with, so that most calls find something. */
const BEGINNING: readonly Step[] = [
  { do: "mkdir", path: "a", base: -1 },
  { do: "mkdir", path: "a/b", base: -1 },
  { do: "mkdir", path: "b", base: -1 },
  { do: "open", path: "a/c", base: -1, flags: READ | WRITE | CREATE, slot: 0 },
  { do: "write", slot: 0, at: 0, text: "0123456789" },
  { do: "open", path: "c", base: -1, flags: READ | WRITE | CREATE, slot: 1 },
  { do: "symlink", target: "../a", path: "b/a", base: -1 },
  { do: "symlink", target: "c", path: "a/a", base: -1 },
];
/** Directories opened behind it, where directories are held open. */
const OPENED: readonly Step[] = [
  { do: "openDirectory", path: "a", base: -1, slot: 0 },
  { do: "openDirectory", path: "a/b", base: -1, slot: 1 },
  { do: "openDirectory", path: ".", base: -1, slot: 2 },
];

/** Calls, and what they have left open. */
interface Session<Handle> {
  readonly calls: Calls<Handle>;
  readonly files: (Handle | undefined)[];
  readonly directories: (Handle | undefined)[];
}

function createSession<Handle>(calls: Calls<Handle>): Session<Handle> {
  return { calls, files: [], directories: [] };
}

interface Answer {
  /** -1: the step has nothing to work on. */
  readonly status: number;
  readonly result?: unknown;
}

function run<Handle>(session: Session<Handle>, step: Step): Answer {
  const { calls, files, directories } = session;
  const dir = (slot: number): Handle | undefined => (slot < 0 ? undefined : directories[slot]);
  switch (step.do) {
    case "open":
    case "openDirectory": {
      const kept = step.do === "open" ? files : directories;
      const old = kept[step.slot];
      // What replaces a handle may begin at it.
      const flags = step.do === "open" ? step.flags : DIRECTORY;
      const { status, handle } = calls.open(step.path, flags, dir(step.base));
      if (status !== 0) return { status };
      if (old !== undefined) calls.close(old);
      kept[step.slot] = handle;
      return { status };
    }
    case "stat":
    case "lstat": {
      const { status, kind, bytes, links } = calls.stat(step.path, step.do === "stat" ? 0 : NOFOLLOW, dir(step.base));
      return { status, result: [kind, bytes, links] };
    }
    case "mkdir":
    case "rmdir":
    case "unlink":
      return { status: calls[step.do](step.path, dir(step.base)) };
    case "readlink": {
      const { status, target } = calls.readlink(step.path, dir(step.base));
      return { status, result: target };
    }
    case "rename":
    case "link":
      return { status: calls[step.do](step.path, step.newPath, dir(step.base), dir(step.newBase)) };
    case "symlink":
      return { status: calls.symlink(step.target, step.path, dir(step.base)) };
    case "list":
    case "closeDirectory": {
      const handle = directories[step.slot];
      if (handle === undefined) return { status: -1 };
      if (step.do === "list") {
        const { status, names } = calls.list(handle);
        return { status, result: names };
      }
      directories[step.slot] = undefined;
      return { status: calls.close(handle) };
    }
    default: {
      const handle = files[step.slot];
      if (handle === undefined) return { status: -1 };
      return runOnFile(session, handle, step);
    }
  }
}

function runOnFile<Handle>({ calls, files }: Session<Handle>, handle: Handle, step: FileStep): Answer {
  switch (step.do) {
    case "read": {
      const { status, text } = calls.read(handle, step.at, 10);
      return { status, result: text };
    }
    case "truncate":
      return { status: calls.truncate(handle, step.at) };
    case "write":
      return calls.write(handle, step.at, step.text);
    case "size":
      return { status: 0, result: calls.size(handle) };
    case "statHandle": {
      const { status, kind, bytes, links } = calls.stat("", 0, handle);
      return { status, result: [kind, bytes, links] };
    }
    case "sync":
      return { status: calls.sync(handle) };
    case "close":
      files[step.slot] = undefined;
      return { status: calls.close(handle) };
  }
}

/** What `Driver` and `PosixGuest` have in common. */
interface Calls<Handle> {
  open(path: string, flags: number, dir?: Handle): { status: number; handle: Handle };
  read(handle: Handle, offset: number, max: number): { status: number; text: string };
  write(handle: Handle, offset: number, data: string): { status: number; bytes: number };
  size(handle: Handle): number;
  truncate(handle: Handle, bytes: number): number;
  sync(handle: Handle): number;
  close(handle: Handle): number;
  stat(path: string, flags: number, dir?: Handle): { status: number; kind: number; bytes: number; links: number };
  mkdir(path: string, dir?: Handle): number;
  rmdir(path: string, dir?: Handle): number;
  unlink(path: string, dir?: Handle): number;
  rename(path: string, newPath: string, dir?: Handle, newDir?: Handle): number;
  link(path: string, newPath: string, dir?: Handle, newDir?: Handle): number;
  symlink(target: string, path: string, dir?: Handle): number;
  readlink(path: string, dir?: Handle): { status: number; target: string };
  list(handle: Handle): { status: number; names: string[] };
}

function callsOf(driver: Driver): Calls<Ref> {
  const at = (dir: Ref | undefined): Ref => dir ?? NULL_REF;
  return {
    open: (path, flags, dir) => driver.open(path, flags, at(dir)),
    read: (handle, offset, max) => driver.read(handle, offset, max),
    write: (handle, offset, data) => driver.write(handle, offset, data),
    size: (handle) => driver.size(handle),
    truncate: (handle, bytes) => driver.truncate(handle, bytes),
    sync: (handle) => driver.sync(handle),
    close: (handle) => driver.close(handle),
    stat: (path, flags, dir) => driver.stat(path, flags, at(dir)),
    mkdir: (path, dir) => driver.mkdir(path, at(dir)),
    rmdir: (path, dir) => driver.rmdir(path, at(dir)),
    unlink: (path, dir) => driver.unlink(path, at(dir)),
    rename: (path, newPath, dir, newDir) => driver.rename(path, newPath, at(dir), at(newDir)),
    link: (path, newPath, dir, newDir) => driver.link(path, newPath, at(dir), at(newDir)),
    symlink: (target, path, dir) => driver.symlink(target, path, at(dir)),
    readlink: (path, dir) => driver.readlink(path, 4096, at(dir)),
    list: (handle) => {
      const { status, entries } = driver.list(handle, 0, 100_000);
      return { status, names: entries.map(({ name }) => name) };
    },
  };
}

export interface DifferentialOptions {
  /** Fresh, empty file systems by name; the kernel is compared with what the first of them answers. */
  readonly systems: { readonly [name: string]: () => FileSystem };
  /** A fresh guest on an empty folder; undefined on hosts where there is none. */
  readonly kernel: (() => PosixGuest) | undefined;
  /** True: directories are held open, and paths begin at them. */
  readonly handles: boolean;
  /** False: nothing is given a second name. */
  readonly links?: boolean;
  /** Sees each file system at the end, when nothing is open on it. */
  readonly audit?: (name: string, fs: FileSystem, tree: ReturnType<Driver["tree"]>) => void;
  readonly runs: number;
  readonly length: number;
}

/** What was compared. Throws, with seed and counterexample, when answers differ. */
export function differential(options: DifferentialOptions): { calls: number; done: number; kernel: number } {
  const { kernel, handles, runs, length } = options;
  const counts = { calls: 0, done: 0, kernel: 0 };
  const list = fc.array(steps(handles, options.links ?? true), {
    minLength: length / 2,
    maxLength: length,
    size: "max",
  });
  const property = fc.property(list, (given) =>
    compare([...BEGINNING, ...(handles ? OPENED : []), ...given], options, kernel?.(), counts),
  );
  fc.assert(property, { numRuns: runs });
  return counts;
}

function compare(
  list: readonly Step[],
  { systems, audit }: DifferentialOptions,
  kernel: PosixGuest | undefined,
  counts: { calls: number; done: number; kernel: number },
): void {
  const guests = Object.entries(systems).map(([name, create]) => {
    const fs = create();
    const driver = new Driver({ mounts: [{ guest: "/", fs }], hostMetadata: true });
    return { name, fs, driver, session: createSession(callsOf(driver)) };
  });
  const native: Session<number> | undefined = kernel && createSession(kernel);
  const [first, ...others] = guests;
  try {
    for (const [at, step] of list.entries()) {
      const where = (name: string): string => `step ${at}, ${JSON.stringify(step)}, on ${name}`;
      const expected = run(first!.session, step);
      for (const { name, session } of others) agree(run(session, step), expected, where(name));
      if (expected.status >= 0) counts.calls++;
      if (expected.status === Status.OK) counts.done++;
      if (native === undefined || isForbidden(step, expected.status)) continue;
      agree(known(step, expected, run(native, step)), expected, where("the kernel"));
      counts.kernel++;
    }
    const tree = first!.driver.tree();
    for (const { name, driver } of others)
      agree({ status: 0, result: driver.tree() }, { status: 0, result: tree }, name);
    for (const { name, fs, session } of guests) {
      for (const handle of [...session.files, ...session.directories])
        if (handle !== undefined) session.calls.close(handle);
      audit?.(name, fs, tree);
    }
    if (kernel !== undefined) agree({ status: 0, result: kernel.tree() }, { status: 0, result: tree }, "the kernel");
  } finally {
    for (const { driver } of guests) driver.heap.close();
    for (const handle of [...(native?.files ?? []), ...(native?.directories ?? [])])
      if (handle !== undefined) kernel!.close(handle);
  }
}

function agree(actual: Answer, expected: Answer, where: string): void {
  if (isDeepStrictEqual(actual, expected)) return;
  const show = ({ status, result }: Answer): string => `${statusName(status) ?? status} ${JSON.stringify(result)}`;
  throw new Error(`${where}: ${show(actual)}, where ${show(expected)} was expected`);
}

/** What a guest may not do and the kernel would: lead out of the folder or a handle's directory; write into a log. */
function isForbidden(step: Step, status: number): boolean {
  return step.do === "write" ? status === Status.INVALID : status === Status.ACCESS && "path" in step;
}

/** The kernel's answer; or the guest's, where both fail and the spec has one error for what the kernel tells apart. */
function known(step: Step, expected: Answer, actual: Answer): Answer {
  if (actual.status <= 0) return actual;
  // Spec FS-NAME-1: names that end in dots.
  if (expected.status === Status.INVALID) return expected;
  // With two paths, which of two reasons is told.
  if (expected.status > 0 && (step.do === "rename" || step.do === "link")) return expected;
  // Spec FS-PATH-4: a file that is to be made where only a directory can be, by a path, or by the target of a link.
  const isCreate = step.do === "open" && (step.flags & CREATE) !== 0;
  const says = [expected.status, actual.status];
  return isCreate && expected.status > 0 && says.includes(Status.IS_DIRECTORY) ? expected : actual;
}
