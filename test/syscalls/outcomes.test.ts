/**
 * Every outcome that the table declares, brought about: each status and each trap of each call. Which cells there are is
 * generated, so that this file does not compile when one is missing, or stands for nothing any more.
 */
import t from "tap";
import type { AbiOptions } from "../../host/abi.ts";
import { type AslCode, AslError } from "../../host/asl/errors.ts";
import { PackError } from "../../host/assets/errors.ts";
import { bankNumber } from "../../host/assets/names.ts";
import type { FileSystemOperation } from "../../host/fs/faulty.ts";
import { type Capabilities, type FileSystem, RETRY } from "../../host/fs/file-system.ts";
import { packedSize } from "../../syscalls/dispatch.ts";
import { Status, type StatusName } from "../../syscalls/status.ts";
import { OpenFlag, SYSCALLS, type Syscall, syscall, TimesFlag } from "../../syscalls/table.ts";
import type { HostFunction } from "../../vm/function.ts";
import type { TrapName } from "../../vm/trap.ts";
import { NULL_REF, type Ref, wide } from "../conformance/driver.ts";
import { ENGINES } from "../vm/compare.ts";
import { keyOf, MemoryArtifacts, type StoreFaults, textOf } from "./artifacts.ts";
import {
  altered,
  findings,
  MEMORY_BYTES,
  type Scenario,
  STORE_ARTIFACTS,
  STORE_BYTES,
  STORE_WRITERS,
  type Tamper,
  type Words,
  type World,
} from "./outcome-runner.ts";
import type { Outcomes } from "./outcomes.generated.ts";
import { PRELOADED_BYTES } from "./packs.ts";

/** The causes of an outcome, each of them tried; or why there is none that a test can bring about. */
type Cell = readonly Scenario[] | { readonly waived: string };
type CallName = keyof Outcomes<Cell>;

const { READ, WRITE, CREATE, EXCLUSIVE, TRUNCATE, APPEND, DIRECTORY, NOFOLLOW } = OpenFlag;
const { ACCESSED, MODIFIED } = TimesFlag;

// Causes.

type Path = string | Uint8Array;
type Arguments = Scenario["words"];
/** The arguments of a call, but for one of its paths. */
type PathCall = (world: World, path: Path, dir?: Ref) => Words;

function cause(words: Arguments): Scenario[] {
  return [{ words }];
}
/** The file system fails, as a host may: `operation` answers the status. */
function failing(operation: FileSystemOperation, name: Exclude<StatusName, "OK">, words: Arguments): Scenario {
  return { words, fault: { at: 1, operation, status: Status[name] } };
}
/** `failing` for each of the statuses. */
function failures<Name extends Exclude<StatusName, "OK">>(
  operation: FileSystemOperation,
  words: Arguments,
  ...names: readonly Name[]
): { readonly [name in Name]: Scenario[] } {
  const entries = names.map((name) => [name, [failing(operation, name, words)]]);
  return Object.fromEntries(entries) as { [name in Name]: Scenario[] };
}
/** The file system says each time that its tree has changed since it was looked at. */
function restless(operation: FileSystemOperation, words: Arguments): Scenario {
  return { words, fault: { at: 1, operation, status: RETRY, persistent: true } };
}
/** The streams fail with this code. */
function broken(streamError: string, words: Arguments): Scenario {
  return { words, streamError };
}
/** The usual grants, with other limits. */
function limited(quota: NonNullable<AbiOptions["quota"]>, words: Arguments): Scenario {
  return { grants: (world) => ({ ...world.usual(), quota }), words };
}
/** The usual grants, and a file system at `/odd` that differs in something. */
function odd(replaced: (fs: FileSystem) => Partial<FileSystem>, words: Arguments): Scenario {
  const mount = ({ main }: World) => ({ guest: "/odd", fs: altered<FileSystem>(main, replaced(main)) });
  const grants = (world: World): AbiOptions => {
    const usual = world.usual();
    return { ...usual, mounts: [mount(world), ...usual.mounts!] };
  };
  return { grants, words };
}
function lacking(capability: keyof Capabilities, words: Arguments): Scenario {
  return odd(({ capabilities }) => ({ capabilities: { ...capabilities, [capability]: false } }), words);
}
/** `/odd/pipe` is no file, no directory and no link. */
function withPipe(words: Arguments): Scenario {
  const pipe = { kind: "other" } as const;
  return odd((fs) => ({ lookup: (folder, name) => (name === "pipe" ? pipe : fs.lookup(folder, name)) }), words);
}

/** The causes of both. */
function joined<Names extends string>(
  left: { readonly [name in Names]: readonly Scenario[] },
  right: { readonly [name in Names]: readonly Scenario[] },
): { readonly [name in Names]: Scenario[] } {
  const entries = (Object.keys(left) as Names[]).map((name) => [name, [...left[name], ...right[name]]]);
  return Object.fromEntries(entries) as { [name in Names]: Scenario[] };
}

/** What every path can lead to. `own` is a path with which the call would look something up in `/d`. */
function walk(call: PathCall, own = "/d/g") {
  const to =
    (path: Path): Arguments =>
    (world) =>
      call(world, path);
  return {
    OTHER: [failing("lookup", "OTHER", to(own))],
    INVALID: ["", "a\0b", new Uint8Array([0x61, 0xff])].map((path) => ({ words: to(path) })),
    NOT_FOUND: [
      { words: to("/none/x") },
      {
        words: (world: World) => {
          world.expect(world.guest.mkdir("/gone"));
          const dir = world.directory("/gone");
          world.expect(world.guest.rmdir("/gone"));
          return call(world, "x", dir);
        },
      },
      { words: to("/d/x"), grants: (world: World): AbiOptions => ({ mounts: [{ guest: "/e", fs: world.main }] }) },
    ],
    ACCESS: [
      { words: to("/d/../../x") },
      { words: (world: World) => call(world, "../f", world.directory("/d")) },
      { words: (world: World) => call(world, "/f", world.directory("/d")) },
    ],
    QUOTA: [limited({ depth: 1 }, to("/d/x"))],
    TRANSIENT: [failing("lookup", "TRANSIENT", to(own)), restless("lookup", to(own))],
    STALE: cause((world) => call(world, "g", world.stale("Dir"))),
    NOT_DIRECTORY: cause(to("/f/x")),
    NAME_TOO_LONG: [
      { words: to(`/${"n".repeat(256)}`) },
      { words: to("/".repeat(4097)) },
      limited({ path: 8 }, to("/d/./././g")),
    ],
    LOOP: cause((world) => call(world, `${world.symlink("loop", "/loop")}/x`)),
    TOO_MANY_OPEN: [failing("lookup", "TOO_MANY_OPEN", to(own))],
  };
}

/** What every path that is to be changed can lead to; `operation` changes it. */
function change(call: PathCall, operation: FileSystemOperation, own = "/d/g") {
  const words: Arguments = (world) => call(world, own);
  const walked = walk(call, own);
  return {
    ...walked,
    INVALID: walked.INVALID,
    TRANSIENT: [...walked.TRANSIENT, restless(operation, words)],
    READ_ONLY: [
      ...cause((world) => call(world, "/ro/f")),
      ...cause((world) => call(world, "f", world.directory("/ro"))),
      lacking("writable", (world) => call(world, "/odd/f")),
    ],
    ...failures(operation, words, "NO_SPACE", "BUSY"),
  };
}

const DOTS: readonly Path[] = ["/d/.", "/d/..", "."];
function dots(call: PathCall): Scenario[] {
  return DOTS.map((path) => ({ words: (world) => call(world, path) }));
}

// The calls.

const open =
  (flags: number): PathCall =>
  (world, path, dir = NULL_REF) => [dir, ...world.text(path), flags];
const stat =
  (flags = 0): PathCall =>
  (world, path, dir = NULL_REF) => [dir, ...world.text(path), flags];
/** `mkdir`, `rmdir`, `unlink`. */
const plain: PathCall = (world, path, dir = NULL_REF) => [dir, ...world.text(path)];
/** The first path of `rename` and `link`, and the second. */
const from =
  (newPath: string): PathCall =>
  (world, path, dir = NULL_REF) => [dir, ...world.text(path), NULL_REF, ...world.secondText(newPath)];
const to =
  (oldPath: string): PathCall =>
  (world, path, dir = NULL_REF) => [NULL_REF, ...world.secondText(oldPath), dir, ...world.text(path)];
const symlink =
  (target: Path = "f"): PathCall =>
  (world, path, dir = NULL_REF) => [...world.secondText(target), dir, ...world.text(path)];
const readlink: PathCall = (world, path, dir = NULL_REF) => [dir, ...world.text(path), ...world.window(100)];
const setTimes =
  (flags: number = ACCESSED | MODIFIED): PathCall =>
  (world, path, dir = NULL_REF) => [dir, ...world.text(path), flags, wide(5), wide(6)];

const onFile =
  (flags: number, ...rest: (number | Ref)[]): Arguments =>
  (world) => [world.file("/f", flags), ...rest];
const read =
  (flags: number = READ, offset = 0): Arguments =>
  (world) => [world.file("/f", flags), wide(offset), ...world.window(4)];
const readInput =
  (offset = -1): Arguments =>
  (world) => [world.stream("stdin"), wide(offset), ...world.window(4)];
const write =
  (flags: number = WRITE, offset: number = 8): Arguments =>
  (world) => [world.file("/f", flags), wide(offset), ...world.text("text")];
const writeOutput =
  (offset = -1): Arguments =>
  (world) => [world.stream("stdout"), wide(offset), ...world.text("text")];
const list =
  (cookie = 0, length = 300): Arguments =>
  (world) => [world.directory("/d"), wide(cookie), ...world.window(length)];

// Traps.

/** Names of the traps that a call declares. */
type TrapOf<Name extends CallName> = Extract<keyof Outcomes<Cell>[Name], TrapName>;
type DeclaredTrap = { [Name in CallName]: TrapOf<Name> }[CallName];
type Spoil = (row: Syscall, good: Scenario) => Scenario[];

/** The scenario with some of its arguments replaced. */
function but(good: Scenario, ...replaced: readonly (readonly [index: number, word: (world: World) => number | Ref])[]) {
  const words: Arguments = (world) => {
    const all = good.words(world);
    for (const [index, word] of replaced) all[index] = word(world);
    return all;
  };
  return { ...good, words };
}
/** A scenario for each parameter that is a HeapRef and fits, with this ref in its place. */
function withRef(
  row: Syscall,
  good: Scenario,
  ref: (world: World, kinds: string) => Ref,
  fits: (parameter: Syscall["params"][number]) => boolean = () => true,
): Scenario[] {
  return row.params.flatMap((parameter, index) =>
    typeof parameter.type === "object" && fits(parameter)
      ? [but(good, [index, (world) => ref(world, (parameter.type as { ref: string }).ref)])]
      : [],
  );
}

/** How to make arguments that are good bad. A trap that is new in the table needs its way here. */
const SPOIL: { readonly [trap in DeclaredTrap]: Spoil } = {
  MissingCapability: ({ params }) => [
    { grants: () => ({}), words: () => params.map(({ type }) => (typeof type === "object" ? NULL_REF : -1)) },
  ],
  BadArgument: (row, good) => [
    ...row.params.flatMap(({ name, maximum }, index) => {
      if (name === "index") return [99, -1].map((number) => but(good, [index, () => number]));
      return maximum === undefined ? [] : [maximum + 1, -1].map((number) => but(good, [index, () => number]));
    }),
    ...(row.transfer === undefined ? [] : badOffsets(row.transfer, good)),
  ],
  BadPointer: (row, good) => [
    { ...good, block: MEMORY_BYTES - packedSize(row) + 1 },
    { ...good, block: -1 },
    { ...good, block: "none" },
  ],
  HeapRefNull: (row, good) =>
    withRef(
      row,
      good,
      () => NULL_REF,
      ({ nullable }) => nullable !== true,
    ),
  HeapRefStale: (row, good) => [
    ...withRef(row, good, ({ guest: { own } }) => [own[0], own[1] + 1]),
    ...withRef(row, good, (world) => {
      const ref = world.directory("/d");
      world.expect(world.guest.close(ref));
      world.refs.pop();
      return ref;
    }),
    ...withRef(row, good, () => [12_345, 1]),
  ],
  HeapRefKind: (row, good) =>
    withRef(row, good, (world, kinds) => (kinds === "Bytes" ? world.stream("stdin") : world.guest.own)),
  HeapWindow: (row, good) =>
    row.windows.flatMap(({ offset, length }) =>
      [
        [MEMORY_BYTES - 1, 2],
        [MEMORY_BYTES + 1, 0],
        [-1, 2],
        [0, -1],
      ].map(([at, bytes]) => but(good, [offset, () => at!], [length, () => bytes!])),
    ),
};

function badOffsets({ offset, end }: NonNullable<Syscall["transfer"]>, good: Scenario): Scenario[] {
  const bad: Ref[] = [wide(-2), [0, -0x8000_0000], [-1, 0x7fff_ffff]];
  // Only the host knows that -1 makes no sense: the last check of all (spec ABI-TRANSFER-3).
  if (end !== true) bad.push(wide(-1));
  return bad.map((word) => but(good, [offset, () => word]));
}

/** A cell for each trap of a call whose arguments are good. */
function traps<Name extends CallName>(name: Name, words: Arguments): { readonly [trap in TrapOf<Name>]: Scenario[] } {
  const [module, field] = name.split(".");
  const row = syscall(module!, field!);
  const entries = row.traps.map((trap) => [trap, SPOIL[trap as DeclaredTrap](row, { words })]);
  return Object.fromEntries(entries) as { [trap in TrapOf<Name>]: Scenario[] };
}

const assetRead =
  (id: number, offset = 0): Arguments =>
  (world) => [world.asset(id), wide(offset), ...world.window(4)];
const load =
  (steps: number): Arguments =>
  (world) => [world.load(1, 1, steps)];
const committed: Arguments = (world) => {
  const ref = world.load(1, 1, 2);
  world.expect(world.guest.call("bank", "commit", ref).returned!);
  return [ref];
};
const canceled: Arguments = (world) => {
  const ref = world.load(1, 1, 2);
  world.expect(world.guest.call("bank", "cancel", ref).returned!);
  return [ref];
};
/** The host's error with this code. */
const hostError = (code: string): Error => Object.assign(new Error("on purpose"), { code });
const CUT_OFF = { end: 200 };
const DAMAGED = { mask: 1 };
const staleBank: Scenario[] = cause((world) => [world.stale("Bank")]);
const staleLoad: Scenario[] = cause((world) => [world.stale("Load")]);
/** The asset is decoded where there is no room for it. */
function crowded(words: Arguments): Scenario {
  return { grants: (world) => ({ ...world.usual(), banks: { bytes: PRELOADED_BYTES + 499 } }), words };
}
/** The error of a store. */
const storeError = (code: AslCode, cause?: string): StoreFaults => ({
  error: new AslError(code, "on purpose", {}, cause === undefined ? undefined : hostError(cause)),
});
const DAMAGE: readonly StoreFaults[] = [storeError("ASL-CORRUPT"), storeError("ASL-INDEX-DAMAGED")];
const UNKNOWN: readonly StoreFaults[] = [storeError("ASL-POISONED"), { error: new Error("without a code") }];
const AGAIN: readonly StoreFaults[] = [storeError("ASL-READ", "EINTR")];
/** The call with each of these faults. */
function faulty(words: Arguments, ...faults: readonly StoreFaults[]): Scenario[] {
  return faults.map((store) => ({ words, store }));
}
/** The usual grants, with another store. */
function otherStore(store: MemoryArtifacts, words: Arguments): Scenario {
  return { grants: (world) => ({ ...world.usual(), store }), words };
}
const artifactRead =
  (text: string, offset = 0): Arguments =>
  (world) => [world.artifact(text), wide(offset), ...world.window(4)];
const STORED = "an artifact of the store";
const openKey =
  (key: Path): Arguments =>
  (world) => [...world.text(key)];
const KEY = keyOf(Buffer.from(STORED));
const writeTo =
  (writer: (world: World) => Ref, text: string, offset = -1): Arguments =>
  (world) => [writer(world), wide(offset), ...world.text(text)];
const written = (world: World): Ref => world.writer("text");
const sealed = (world: World): Ref => world.sealed("a new one");
const aborted = (world: World): Ref => world.aborted();
/** A writer behind one that was sealed. */
const behind =
  (before: string, text = "") =>
  (world: World): Ref => {
    world.sealed(before);
    return world.writer(text);
  };
const seal =
  (writer: (world: World) => Ref, length = 36): Arguments =>
  (world) => [writer(world), ...world.window(length)];
const on =
  (handle: (world: World) => Ref, ...rest: number[]): Arguments =>
  (world) => [handle(world), ...rest];
const listAfter =
  (after: Path, length = 500): Arguments =>
  (world) => [...world.text(after), ...world.window(length)];
const staleWriter = (world: World): Ref => world.stale("Writer");

const GIVEN_UP = { waived: "to give up always works: what the host cannot clear away is none of the guest's" };
const NO_HOST = { waived: "all that it tells is in memory: the host is asked for nothing" };

const argument = (): Words => [1];
const argumentWindow: Arguments = (world) => [0, ...world.window(100)];
const nothing = (): Words => [];

const CELLS = {
  "fs.open": {
    ...change(open(WRITE | CREATE), "open"),
    OK: [READ, READ | WRITE, WRITE | TRUNCATE, WRITE | APPEND | CREATE, DIRECTORY, READ | NOFOLLOW].map((flags) => ({
      words: (world: World) => open(flags)(world, flags === DIRECTORY ? "/d" : "/f"),
    })),
    INVALID: [
      ...walk(open(READ)).INVALID,
      ...[0, NOFOLLOW, READ | CREATE, WRITE | EXCLUSIVE, READ | WRITE | APPEND, WRITE | DIRECTORY].map((flags) => ({
        words: (world: World) => open(flags)(world, "/f"),
      })),
    ],
    NOT_FOUND: [...walk(open(READ)).NOT_FOUND, ...cause((world) => open(READ)(world, "/none"))],
    QUOTA: [
      ...walk(open(READ)).QUOTA,
      limited({ handles: 1 }, (world) => open(WRITE | CREATE)(world, "new", world.directory("/d"))),
      { heapObjects: 1, words: (world: World) => open(WRITE | CREATE)(world, "/new") },
      ...cause((world) => open(WRITE | CREATE)(world, world.full("/new"))),
    ],
    EXISTS: ["/f", "/d"].map((path) => ({ words: (world: World) => open(WRITE | CREATE | EXCLUSIVE)(world, path) })),
    IS_DIRECTORY: [
      { words: (world) => open(READ)(world, "/d") },
      { words: (world) => open(WRITE | CREATE)(world, "/new/") },
    ] as Scenario[],
    LOOP: [...walk(open(READ)).LOOP, ...cause((world) => open(READ | NOFOLLOW)(world, world.symlink("f", "/link")))],
    SPECIAL_FILE: [withPipe((world) => open(READ)(world, "/odd/pipe"))],
    ...failures("open", (world) => open(WRITE | TRUNCATE)(world, "/f"), "UNSUPPORTED", "TOO_LARGE"),
    ...traps("fs.open", (world) => open(READ)(world, "f", world.directory("/"))),
  },
  "fs.read": {
    OK: [read(), read(READ, 2 ** 53), readInput()].map((words) => ({ words })),
    OTHER: [broken("EIO", readInput()), failing("read", "OTHER", read())],
    INVALID: [...cause(readInput(0)), ...cause((world) => [world.stream("stdout"), wide(0), ...world.window(4)])],
    ACCESS: [...cause(read(WRITE)), ...cause((world) => [world.stream("stdout"), wide(-1), ...world.window(4)])],
    BUSY: [broken("EBUSY", readInput()), failing("read", "BUSY", read())],
    TRANSIENT: [broken("EAGAIN", readInput()), failing("read", "TRANSIENT", read())],
    CORRUPT: [failing("read", "CORRUPT", read())],
    STALE: (["File", "Stream"] as const).map((kind) => ({
      words: (world: World) => [world.stale(kind), wide(0), ...world.window(4)],
    })),
    ...traps("fs.read", read()),
  },
  "fs.write": {
    OK: [write(), write(WRITE, -1), write(WRITE | APPEND, -1), write(READ | WRITE, 500), writeOutput()].map(
      (words) => ({ words }),
    ),
    OTHER: [broken("EPIPE", writeOutput()), failing("write", "OTHER", write())],
    INVALID: [writeOutput(0), write(WRITE | APPEND, 0)].map((words) => ({ words })),
    ACCESS: [write(READ), (world: World): Words => [world.stream("stdin"), wide(-1), ...world.text("text")]].map(
      (words) => ({ words }),
    ),
    READ_ONLY: [broken("EROFS", writeOutput()), failing("write", "READ_ONLY", write())],
    NO_SPACE: [broken("ENOSPC", writeOutput()), { words: write(), fault: { room: 3 } }] as Scenario[],
    QUOTA: [broken("EDQUOT", writeOutput()), ...cause(write(WRITE, 2000))],
    BUSY: [broken("EBUSY", writeOutput()), failing("write", "BUSY", write())],
    TRANSIENT: [broken("EAGAIN", writeOutput()), failing("write", "TRANSIENT", write())],
    STALE: (["File", "Stream"] as const).map((kind) => ({
      words: (world: World) => [world.stale(kind), wide(0), ...world.text("text")],
    })),
    TOO_LARGE: [write(WRITE, 2 ** 53 - 4), write(WRITE, 2 ** 31)].map((words) => ({ words })),
    ...traps("fs.write", write()),
  },
  "fs.size": {
    OK: cause(onFile(WRITE)),
    ...failures("size", onFile(READ), "OTHER", "TRANSIENT"),
    STALE: cause((world) => [world.stale("File")]),
    ...traps("fs.size", onFile(READ)),
  },
  "fs.truncate": {
    OK: [0, 10, 20].map((bytes) => ({ words: onFile(WRITE, wide(bytes)) })),
    ...failures("truncate", onFile(WRITE, wide(5)), "OTHER", "INVALID", "READ_ONLY", "NO_SPACE", "BUSY", "TRANSIENT"),
    ACCESS: cause(onFile(READ, wide(0))),
    QUOTA: cause(onFile(WRITE, wide(2000))),
    STALE: cause((world) => [world.stale("File"), wide(0)]),
    TOO_LARGE: [[-1, -1] as const, wide(2 ** 53)].map((bytes) => ({ words: onFile(WRITE, bytes) })),
    ...traps("fs.truncate", onFile(WRITE, wide(5))),
  },
  "fs.sync": {
    OK: [onFile(READ), onFile(WRITE), (world: World): Words => [world.directory("/d")]].map((words) => ({ words })),
    ...failures("sync", onFile(WRITE), "OTHER", "NO_SPACE", "QUOTA", "TRANSIENT", "UNSUPPORTED"),
    STALE: (["File", "Dir"] as const).map((kind) => ({ words: (world: World) => [world.stale(kind)] })),
    ...traps("fs.sync", onFile(WRITE)),
  },
  "fs.stat": {
    ...walk(stat()),
    OK: [
      { words: (world) => stat()(world, "/f") },
      { words: (world) => stat(NOFOLLOW)(world, world.symlink("none", "/link")) },
      { words: (world) => stat()(world, "", world.file("/f", READ)) },
      { words: (world) => stat()(world, "g", world.directory("/d")) },
    ] as Scenario[],
    OTHER: [
      ...walk(stat()).OTHER,
      failing("stat", "OTHER", (world) => stat()(world, "/f")),
      failing("stat", "OTHER", (world) => stat()(world, "", world.file("/f", READ))),
    ],
    INVALID: [...walk(stat()).INVALID, ...cause((world) => stat(READ)(world, "/f"))],
    NOT_FOUND: [...walk(stat()).NOT_FOUND, ...cause((world) => stat()(world, world.symlink("none", "/link")))],
    NOT_DIRECTORY: [...walk(stat()).NOT_DIRECTORY, ...cause((world) => stat()(world, "x", world.file("/f", READ)))],
    ...traps("fs.stat", (world) => stat()(world, "g", world.directory("/d"))),
  },
  "fs.mkdir": {
    ...change(plain, "mkdir", "/d/new"),
    OK: ["/d/new", "/d/new/"].map((path) => ({ words: (world: World) => plain(world, path) })),
    INVALID: [...walk(plain).INVALID, ...dots(plain)],
    QUOTA: [...walk(plain).QUOTA, ...cause((world) => plain(world, world.full("/new")))],
    EXISTS: ["/d", "/f", "/"].map((path) => ({ words: (world: World) => plain(world, path) })),
    ...failures("mkdir", (world) => plain(world, "/new"), "TOO_MANY_LINKS"),
    ...traps("fs.mkdir", (world) => plain(world, "new", world.directory("/d"))),
  },
  "fs.rmdir": {
    ...change(plain, "rmdir", "/empty"),
    OK: ["/empty", "/empty//"].map((path) => ({ words: (world: World) => plain(world, path) })),
    INVALID: [...walk(plain).INVALID, ...dots(plain)],
    NOT_DIRECTORY: ["/f", "/f/x"].map((path) => ({ words: (world: World) => plain(world, path) })),
    BUSY: [...cause((world) => plain(world, "/")), failing("rmdir", "BUSY", (world) => plain(world, "/empty"))],
    NOT_EMPTY: cause((world) => plain(world, "/d")),
    ...traps("fs.rmdir", (world) => plain(world, "empty", world.directory("/"))),
  },
  "fs.unlink": {
    ...change(plain, "unlink"),
    OK: [
      { words: (world) => plain(world, "/d/g") },
      { words: (world) => plain(world, "f", world.directory("/")) },
    ] as Scenario[],
    INVALID: [...walk(plain).INVALID, ...dots(plain)],
    NOT_DIRECTORY: ["/f/", "/f/x"].map((path) => ({ words: (world: World) => plain(world, path) })),
    IS_DIRECTORY: ["/d", "/"].map((path) => ({ words: (world: World) => plain(world, path) })),
    ...traps("fs.unlink", (world) => plain(world, "g", world.directory("/d"))),
  },
  "fs.rename": {
    ...joined(change(from("/new"), "rename"), change(to("/f"), "rename", "/d/new")),
    OK: [
      ["/f", "/new"],
      ["/f", "/d/g"],
      ["/d", "/empty/"],
      ["/f", "/f"],
    ].map(([old, fresh]) => ({ words: (world: World) => from(fresh!)(world, old!) })),
    INVALID: [
      ...joined(walk(from("/new")), walk(to("/f"))).INVALID,
      ...dots(from("/new")),
      ...dots(to("/f")),
      ...cause((world) => from("/d/e/x")(world, "/d")),
    ],
    NOT_DIRECTORY: [
      ["/f", "/g/"],
      ["/d", "/f"],
      ["/f/x", "/new"],
    ].map(([old, fresh]) => ({ words: (world: World) => from(fresh!)(world, old!) })),
    BUSY: [
      ...cause((world) => from("/new")(world, "/")),
      ...cause((world) => to("/empty")(world, "/")),
      failing("rename", "BUSY", (world) => from("/new")(world, "/f")),
    ],
    IS_DIRECTORY: cause((world) => from("/empty")(world, "/f")),
    NOT_EMPTY: cause((world) => from("/d")(world, "/empty")),
    CROSS_DEVICE: [
      ...cause((world) => from("/other/new")(world, "/f")),
      ...cause((world) => to("/f")(world, "new", world.directory("/other"))),
    ],
    ...failures("rename", (world) => from("/d/new")(world, "/empty"), "TOO_MANY_LINKS"),
    ...traps("fs.rename", (world) => [
      world.directory("/d"),
      ...world.text("g"),
      world.directory("/"),
      ...world.secondText("new"),
    ]),
  },
  "fs.link": {
    ...joined(change(from("/new"), "link"), change(to("/f"), "link", "/d/new")),
    OK: [
      { words: (world) => from("/new")(world, "/f") },
      { words: (world) => from("/new")(world, world.symlink("none", "/link")) },
    ] as Scenario[],
    INVALID: [...joined(walk(from("/new")), walk(to("/f"))).INVALID, ...dots(to("/f"))],
    ACCESS: [...joined(walk(from("/new")), walk(to("/f"))).ACCESS, ...cause((world) => from("/new")(world, "/d"))],
    EXISTS: ["/f", "/d/g", "/d", "/"].map((path) => ({ words: (world: World) => to("/f")(world, path) })),
    UNSUPPORTED: [lacking("hardLinks", (world) => from("/odd/new")(world, "/odd/f"))],
    CROSS_DEVICE: cause((world) => from("/other/new")(world, "/f")),
    SPECIAL_FILE: [withPipe((world) => from("/odd/new")(world, "/odd/pipe"))],
    ...failures("link", (world) => from("/new")(world, "/f"), "TOO_MANY_LINKS"),
    ...traps("fs.link", (world) => [
      world.directory("/d"),
      ...world.text("g"),
      world.directory("/"),
      ...world.secondText("new"),
    ]),
  },
  "fs.symlink": {
    ...change(symlink(), "symlink", "/d/new"),
    OK: ["f", "..", "none/../x"].map((target) => ({ words: (world: World) => symlink(target)(world, "/new") })),
    INVALID: [
      ...walk(symlink()).INVALID,
      ...dots(symlink()),
      ...["", "a\0b"].map((target) => ({ words: (world: World) => symlink(target)(world, "/new") })),
    ],
    ACCESS: [...walk(symlink()).ACCESS, ...cause((world) => symlink("/f")(world, "/new"))],
    QUOTA: [...walk(symlink()).QUOTA, ...cause((world) => symlink()(world, world.full("/new")))],
    NAME_TOO_LONG: [...walk(symlink()).NAME_TOO_LONG, ...cause((world) => symlink("x".repeat(4097))(world, "/new"))],
    EXISTS: ["/f", "/d", "/"].map((path) => ({ words: (world: World) => symlink()(world, path) })),
    UNSUPPORTED: [lacking("symlinks", (world) => symlink()(world, "/odd/new"))],
    ...traps("fs.symlink", (world) => symlink()(world, "new", world.directory("/d"))),
  },
  "fs.readlink": {
    ...walk(readlink),
    OK: cause((world) => readlink(world, world.symlink("none/at/all", "/link"))),
    INVALID: [
      ...walk(readlink).INVALID,
      ...["/f", "/d"].map((path) => ({ words: (world: World) => readlink(world, path) })),
    ],
    ...traps("fs.readlink", (world) => readlink(world, world.symlink("f", "/link").slice(1), world.directory("/"))),
  },
  "fs.list": {
    OK: [list(), list(1), list(2), list(0, 5)].map((words) => ({ words })),
    INVALID: [list(3), list(0, 2), list(2 ** 40)].map((words) => ({ words })),
    ...failures("list", list(), "OTHER", "NOT_FOUND", "ACCESS", "TRANSIENT", "TOO_MANY_OPEN"),
    STALE: cause((world) => [world.stale("Dir"), wide(0), ...world.window(300)]),
    ...traps("fs.list", list()),
  },
  "fs.close": {
    OK: [onFile(READ), (world: World): Words => [world.directory("/d")]].map((words) => ({ words })),
    ...failures("close", onFile(WRITE), "OTHER", "NO_SPACE", "QUOTA"),
    ...traps("fs.close", onFile(READ)),
  },
  "fs.set_times": {
    ...change(setTimes(), "setTimes"),
    OK: [
      { words: (world) => setTimes()(world, "/f") },
      { words: (world) => setTimes(0)(world, "/f") },
      { words: (world) => setTimes(MODIFIED | NOFOLLOW)(world, world.symlink("none", "/link")) },
      { words: (world) => setTimes(ACCESSED)(world, "", world.file("/f", READ)) },
    ] as Scenario[],
    OTHER: [
      ...walk(setTimes()).OTHER,
      failing("setTimes", "OTHER", (world) => setTimes()(world, "/f")),
      failing("setTimes", "OTHER", (world) => setTimes()(world, "", world.file("/f", READ))),
    ],
    READ_ONLY: [
      ...change(setTimes(), "setTimes").READ_ONLY,
      ...cause((world) => setTimes()(world, "", world.file("/ro/f", READ))),
      lacking("writable", (world) => setTimes()(world, "", world.file("/odd/f", READ))),
    ],
    INVALID: [...walk(setTimes()).INVALID, ...cause((world) => setTimes(MODIFIED | 4)(world, "/f"))],
    NOT_DIRECTORY: [
      ...walk(setTimes()).NOT_DIRECTORY,
      ...cause((world) => setTimes()(world, "x", world.file("/f", READ))),
    ],
    UNSUPPORTED: [
      lacking("times", (world) => setTimes()(world, "/odd/f")),
      lacking("times", (world) => setTimes()(world, "", world.file("/odd/f", READ))),
    ],
    ...traps("fs.set_times", (world) => setTimes()(world, "g", world.directory("/d"))),
  },
  "fs.mount_count": { OK: cause(nothing) },
  "fs.mount_size": { OK: cause(() => [0]), ...traps("fs.mount_size", () => [0]) },
  "fs.mount_read": { OK: cause(argumentWindow), ...traps("fs.mount_read", argumentWindow) },
  "sys.abi_version": { OK: cause(nothing) },
  "sys.args_count": { OK: cause(nothing) },
  "sys.arg_size": { OK: cause(argument), ...traps("sys.arg_size", argument) },
  "sys.arg_read": { OK: cause(argumentWindow), ...traps("sys.arg_read", argumentWindow) },
  "sys.env_count": { OK: cause(nothing) },
  "sys.env_size": { OK: cause(() => [0]), ...traps("sys.env_size", () => [0]) },
  "sys.env_read": { OK: cause(argumentWindow), ...traps("sys.env_read", argumentWindow) },
  "sys.name_size": { OK: cause(nothing) },
  "sys.name_read": {
    OK: cause((world) => world.window(100)),
    ...traps("sys.name_read", (world) => world.window(100)),
  },
  "sys.clock": { OK: [0, 1].map((id) => ({ words: () => [id] })), ...traps("sys.clock", () => [0]) },
  "sys.sleep": { OK: [wide(5), [-1, -1] as const].map((duration) => ({ words: () => [duration] })) },
  "sys.random": {
    OK: cause((world) => world.window(100)),
    ...traps("sys.random", (world) => world.window(100)),
  },
  "sys.stdin": { OK: cause(nothing), ...traps("sys.stdin", nothing) },
  "sys.stdout": { OK: cause(nothing), ...traps("sys.stdout", nothing) },
  "sys.stderr": { OK: cause(nothing), ...traps("sys.stderr", nothing) },
  "sys.interactive": { OK: cause(nothing) },
  "sys.log": {
    OK: cause((world) => world.text("a line")),
    ...traps("sys.log", (world) => world.text("a line")),
  },
  "sys.exit": { OK: cause(() => [7]), ...traps("sys.exit", () => [7]) },
  "sys.fuel_left": { OK: cause(nothing) },
  "bank.open_slot": {
    OK: [
      [1, 5],
      [1, 0],
      [bankNumber("levels") | 0, 255],
    ].map((words) => ({ words: () => words })),
    OTHER: NO_HOST,
    NOT_FOUND: [
      [1, 1],
      [8, 0],
      [999, 255],
      [-1, 0],
    ].map((words) => ({ words: () => words })),
    QUOTA: [{ heapObjects: 1, words: () => [1, 5] }] as Scenario[],
    NO_SLOT: [
      [1, 256],
      [1, -1],
      [999, 256],
    ].map((words) => ({ words: () => words })),
    ...traps("bank.open_slot", () => [1, 5]),
  },
  "bank.open_asset": {
    OK: [1, 2, 3, 4, 7, -0x8000_0000, 0x7fff_ffff].map((id) => ({ words: () => [id] })),
    OTHER: [{ words: () => [4], reader: { error: hostError("EIO") } }] as Scenario[],
    NOT_FOUND: [0, 5, -1].map((id) => ({ words: () => [id] })),
    QUOTA: [{ heapObjects: 1, words: () => [1] }, crowded(() => [4])] as Scenario[],
    TRANSIENT: ["EAGAIN", "EINTR"].map((code) => ({ words: () => [4], reader: { error: hostError(code) } })),
    CORRUPT: [{ words: () => [4], reader: DAMAGED }] as Scenario[],
    STALE: [
      { words: () => [4], reader: CUT_OFF },
      { words: () => [4], reader: { changed: new PackError("PACK-CHANGED", "on purpose") } },
    ] as Scenario[],
    ...traps("bank.open_asset", () => [1]),
  },
  "bank.info": {
    OK: [1, 2, 7, -0x8000_0000].map((id) => ({ words: (world: World) => [world.asset(id)] })),
    OTHER: NO_HOST,
    STALE: staleBank,
    ...traps("bank.info", (world) => [world.asset(1)]),
  },
  "bank.size": {
    OK: cause((world) => [world.asset(2)]),
    OTHER: NO_HOST,
    STALE: staleBank,
    ...traps("bank.size", (world) => [world.asset(1)]),
  },
  "bank.read": {
    OK: [assetRead(1), assetRead(1, 298), assetRead(1, 2 ** 53), assetRead(2, 1000), assetRead(7)].map((words) => ({
      words,
    })),
    OTHER: [{ words: assetRead(3), reader: { error: hostError("EIO") } }] as Scenario[],
    TRANSIENT: [{ words: assetRead(3), reader: { error: hostError("EAGAIN") } }] as Scenario[],
    CORRUPT: [{ words: assetRead(3), reader: DAMAGED }] as Scenario[],
    STALE: [
      ...cause((world) => [world.stale("Bank"), wide(0), ...world.window(4)]),
      { words: assetRead(3), reader: CUT_OFF },
      // It was verified when it was preloaded.
      { words: assetRead(1), reader: CUT_OFF },
    ] as Scenario[],
    ...traps("bank.read", assetRead(1)),
  },
  "bank.metadata": {
    OK: [0, 10, 2 ** 53].map((offset) => ({ words: assetRead(1, offset) })),
    OTHER: NO_HOST,
    STALE: cause((world) => [world.stale("Bank"), wide(0), ...world.window(4)]),
    ...traps("bank.metadata", assetRead(1)),
  },
  "bank.request": {
    OK: [
      [1, 0],
      [4, 255],
    ].map((words) => ({ words: () => words })),
    OTHER: NO_HOST,
    NOT_FOUND: [
      [5, 0],
      [5, 256],
    ].map((words) => ({ words: () => words })),
    QUOTA: [{ heapObjects: 1, words: () => [1, 0] }] as Scenario[],
    NO_SLOT: [256, -1].map((slot) => ({ words: () => [1, slot] })),
    ...traps("bank.request", () => [1, 0]),
  },
  "bank.state": {
    OK: [load(0), load(1), load(2), committed, canceled, (world: World): Words => [world.failed(3, DAMAGED)]].map(
      (words) => ({ words }),
    ),
    OTHER: NO_HOST,
    STALE: staleLoad,
    ...traps("bank.state", load(0)),
  },
  "bank.commit": {
    OK: [load(2), (world: World): Words => [world.load(4, 5, 2)]].map((words) => ({ words })),
    OTHER: cause((world) => [world.failed(4, { error: hostError("EIO") })]),
    INVALID: cause(committed),
    QUOTA: [crowded((world) => [world.load(4, 0, 2)])],
    TRANSIENT: cause((world) => [world.failed(4, { error: hostError("EINTR") })]),
    CORRUPT: cause((world) => [world.failed(3, DAMAGED)]),
    STALE: [...staleLoad, ...cause((world) => [world.failed(3, CUT_OFF)])],
    NOT_READY: [load(0), load(1)].map((words) => ({ words })),
    CANCELED: cause(canceled),
    ...traps("bank.commit", load(2)),
  },
  "bank.cancel": {
    OK: [load(0), load(1), load(2), canceled, (world: World): Words => [world.failed(3, DAMAGED)]].map((words) => ({
      words,
    })),
    OTHER: NO_HOST,
    INVALID: cause(committed),
    STALE: staleLoad,
    ...traps("bank.cancel", load(2)),
  },
  "bank.close": {
    OK: [
      (world: World): Words => [world.asset(1)],
      (world: World): Words => [world.asset(2)],
      (world: World): Words => [world.stale("Load")],
      load(0),
      load(2),
      committed,
    ].map((words) => ({ words })),
    OTHER: NO_HOST,
    ...traps("bank.close", load(2)),
  },
  "asl.open": {
    OK: [KEY, textOf(KEY), keyOf(Buffer.from("")), keyOf(Buffer.from("another one"))].map((key) => ({
      words: openKey(key),
    })),
    OTHER: faulty(openKey(KEY), ...UNKNOWN, storeError("ASL-LIMIT"), storeError("ASL-NO-SPACE")),
    INVALID: ["", KEY.subarray(0, 33), `${textOf(KEY)}0`, new Uint8Array(70_000)].map((key) => ({
      words: openKey(key),
    })),
    NOT_FOUND: [
      keyOf(Buffer.from("none")),
      `sha3-256:${"0".repeat(64)}`,
      Uint8Array.of(0xe0, 0xe4, 2, 32, ...KEY.subarray(2)),
    ].map((key) => ({ words: openKey(key) })),
    QUOTA: [{ heapObjects: 1, words: openKey(KEY) }] as Scenario[],
    TRANSIENT: faulty(openKey(KEY), ...AGAIN),
    CORRUPT: faulty(openKey(KEY), ...DAMAGE),
    ...traps("asl.open", openKey(KEY)),
  },
  "asl.read": {
    OK: [artifactRead(STORED), artifactRead(STORED, 22), artifactRead(STORED, 2 ** 53), artifactRead("")].map(
      (words) => ({ words }),
    ),
    OTHER: faulty(artifactRead(STORED), ...UNKNOWN),
    TRANSIENT: faulty(artifactRead(STORED), ...AGAIN),
    CORRUPT: faulty(artifactRead(STORED), ...DAMAGE),
    STALE: cause((world) => [world.stale("Artifact"), wide(0), ...world.window(4)]),
    ...traps("asl.read", artifactRead(STORED)),
  },
  "asl.info": {
    OK: [
      on((world) => world.artifact(STORED), 0),
      on((world) => world.artifact(STORED), 1),
      on(written, 0),
      on(sealed, 0),
      on(aborted, 0),
    ].map((words) => ({ words })),
    OTHER: NO_HOST,
    NOT_FOUND: [on((world) => world.artifact(STORED), 2), on((world) => world.artifact(""), -1), on(written, 1)].map(
      (words) => ({ words }),
    ),
    STALE: [on((world) => world.stale("Artifact"), 0), on(staleWriter, 0)].map((words) => ({ words })),
    ...traps("asl.info", on(written, 0)),
  },
  "asl.create": {
    OK: [
      [0, 0],
      [7, 0],
      [7, 1],
      [-1, 1],
    ].map((words) => ({ words: () => words })),
    OTHER: faulty(() => [0, 0], ...UNKNOWN, ...AGAIN, storeError("ASL-CORRUPT")),
    READ_ONLY: [otherStore(new MemoryArtifacts({ isWritable: false }), () => [0, 0])],
    NO_SPACE: faulty(() => [0, 0], storeError("ASL-NO-SPACE")),
    QUOTA: [
      { heapObjects: 1, words: () => [0, 0] },
      { words: () => [0, 0], store: storeError("ASL-LIMIT") },
      {
        words: (world: World) => {
          for (let k = 0; k < STORE_WRITERS; k++) world.writer();
          return [0, 0];
        },
      },
    ] as Scenario[],
    ...traps("asl.create", () => [0, 0]),
  },
  "asl.write": {
    OK: [writeTo(written, " and more"), writeTo(written, "")].map((words) => ({ words })),
    OTHER: faulty(writeTo(written, "more"), ...UNKNOWN, storeError("ASL-CORRUPT"), storeError("ASL-READ-ONLY")),
    INVALID: [writeTo(written, "more", 0), writeTo(written, "more", 4)].map((words) => ({ words })),
    NO_SPACE: faulty(writeTo(written, "more"), storeError("ASL-NO-SPACE")),
    QUOTA: [
      { words: writeTo((world) => world.writer("x".repeat(STORE_BYTES - 3)), "more") },
      { words: writeTo(behind("x".repeat(STORE_BYTES - 3)), "more") },
      ...faulty(writeTo(written, "more"), storeError("ASL-LIMIT")),
    ],
    TRANSIENT: faulty(writeTo(written, "more"), ...AGAIN),
    STALE: cause(writeTo(staleWriter, "more")),
    SEALED: [writeTo(sealed, "more"), writeTo(sealed, "")].map((words) => ({ words })),
    ABORTED: cause(writeTo(aborted, "more")),
    ...traps("asl.write", writeTo(written, "more")),
  },
  "asl.seal": {
    OK: [
      seal(written),
      seal((world) => world.writer()),
      seal((world) => world.writer(STORED)),
      seal(behind("text", "text"), 100),
    ].map((words) => ({ words })),
    OTHER: faulty(seal(written), ...UNKNOWN, storeError("ASL-READ-ONLY")),
    INVALID: [seal(written, 35), seal(written, 0)].map((words) => ({ words })),
    NO_SPACE: faulty(seal(written), storeError("ASL-NO-SPACE")),
    QUOTA: [
      ...faulty(seal(written), storeError("ASL-LIMIT")),
      {
        words: seal((world) => {
          for (let k = 0; k < STORE_ARTIFACTS; k++)
            world.expect(world.guest.call("asl", "close", world.sealed(`${k}`)).returned!);
          world.refs.length = 0;
          return world.writer();
        }),
      },
    ],
    TRANSIENT: faulty(seal(written), ...AGAIN),
    CORRUPT: faulty(seal(written), ...DAMAGE),
    STALE: cause(seal(staleWriter)),
    SEALED: [seal(sealed), seal(sealed, 0)].map((words) => ({ words })),
    ABORTED: cause(seal(aborted)),
    ...traps("asl.seal", seal(written)),
  },
  "asl.abort": {
    OK: [...[on(written), on(aborted)].map((words) => ({ words })), ...faulty(on(written), ...UNKNOWN)],
    OTHER: GIVEN_UP,
    STALE: cause(on(staleWriter)),
    SEALED: cause(on(sealed)),
    ...traps("asl.abort", on(written)),
  },
  "asl.close": {
    OK: [
      on((world) => world.artifact(STORED)),
      on(written),
      on(sealed),
      on(aborted),
      on((world) => world.stale("Artifact")),
      on(staleWriter),
    ].map((words) => ({ words })),
    OTHER: GIVEN_UP,
    ...traps("asl.close", on(written)),
  },
  "asl.list": {
    OK: [
      listAfter(""),
      listAfter("", 50),
      listAfter(KEY),
      listAfter(textOf(KEY), 48),
      listAfter(keyOf(Buffer.from("none"))),
      listAfter(new Uint8Array(34).fill(0xff).fill(0x12, 0, 1).fill(32, 1, 2), 0),
    ].map((words) => ({ words })),
    OTHER: faulty(listAfter(""), ...UNKNOWN),
    INVALID: [listAfter("x"), listAfter(KEY.subarray(1)), listAfter("", 0), listAfter("", 47)].map((words) => ({
      words,
    })),
    TRANSIENT: faulty(listAfter(""), ...AGAIN),
    CORRUPT: faulty(listAfter(KEY), ...DAMAGE),
    ...traps("asl.list", listAfter("")),
  },
} satisfies Outcomes<Cell>;

/** Cells that the table does not have: none, or this does not compile. */
type Surplus<Given> = {
  [Name in keyof Given]: Name extends CallName ? Exclude<keyof Given[Name], keyof Outcomes<Cell>[Name]> : Name;
}[keyof Given];
const SURPLUS: readonly never[] = [] as Surplus<typeof CELLS>[];

function causesOf(cell: Cell): readonly Scenario[] {
  return "waived" in cell ? [] : cell;
}

t.test("the cells are those of the table", async (t) => {
  t.same(SURPLUS, []);
  const cells: { readonly [call: string]: { readonly [outcome: string]: Cell } } = CELLS;
  t.same(Object.keys(cells).sort(), SYSCALLS.map(({ module, name }) => `${module}.${name}`).sort());
  for (const { module, name, statuses, traps } of SYSCALLS)
    t.same(Object.keys(cells[`${module}.${name}`]!).sort(), ["OK", ...statuses, ...traps].sort(), `${module}.${name}`);
  for (const [name, outcomes] of Object.entries(cells))
    for (const [outcome, cell] of Object.entries(outcomes))
      t.ok("waived" in cell ? cell.waived.length > 20 : cell.length > 0, `${name} ${outcome} has a cause, or a reason`);
});

for (const row of SYSCALLS) {
  const name = `${row.module}.${row.name}` as CallName;
  t.test(`[ABI-POLICY-1, ABI-ORDER-2, ABI-STATUS-3] every outcome of ${name}`, async (t) => {
    for (const [outcome, cell] of Object.entries(CELLS[name]) as [string, Cell][])
      for (const by of [{}, ...ENGINES.map((engine) => ({ engine }))])
        t.same(
          causesOf(cell).flatMap((scenario) => findings(row, outcome, scenario, by)),
          [],
          `${outcome} ${Object.values(by)}`,
        );
  });
}

// A test that cannot fail proves nothing: hosts that are broken on purpose.

type HostCall = HostFunction["call"];

/** Puts `wrap` around both forms of a call, for the one time that the scenario is about. */
function around(module: string, name: string, wrap: (call: HostCall, world: World) => HostCall): Tamper {
  return (imports, world) => {
    const functions = { ...imports[module] };
    for (const form of [name, `${name}_p`]) {
      const original = functions[form];
      if (original === undefined) continue;
      const wrapped = wrap(original.call, world);
      const call: HostCall = (...words) => {
        const now = world.isCalling ? wrapped : original.call;
        world.isCalling = false;
        return now(...words);
      };
      functions[form] = { ...original, call };
    }
    return { ...imports, [module]: functions };
  };
}
/** Does something before the call, or after it. */
function beside(module: string, name: string, effect: (world: World) => void, after = false): Tamper {
  return around(module, name, (call, world) => (caller, ...words) => {
    if (!after) effect(world);
    try {
      return call(caller, ...words);
    } finally {
      if (after) effect(world);
    }
  });
}

t.test("a host that breaks a promise is found out", async (t) => {
  const check = (name: CallName, outcome: string, what: RegExp, tamper: Tamper): void => {
    const [module, field] = name.split(".") as [string, string];
    const row = syscall(module, field);
    const cells: { readonly [outcome: string]: Cell } = CELLS[name];
    const [scenario] = causesOf(cells[outcome]!);
    t.same(findings(row, outcome, scenario!), [], `${name} ${outcome} as it is`);
    const found = findings(row, outcome, scenario!, { tamper });
    const forms = row.results.length > 1 ? [field, `${field}_p`] : [field];
    for (const form of forms)
      t.ok(
        found.some((line) => line.startsWith(`${module}.${form} ${outcome}: `) && what.test(line)),
        `${module}.${form} ${outcome}: ${what} in ${JSON.stringify(found)}`,
      );
  };
  const answering = (status: number) => (): HostCall => (caller) => {
    caller.results.setI32(0, status);
    return status;
  };
  check("fs.mkdir", "NOT_FOUND", /ended in EXISTS/, around("fs", "mkdir", answering(Status.EXISTS)));
  check("fs.size", "OTHER", /ended in OK/, around("fs", "size", answering(Status.OK)));
  check("fs.rename", "HeapWindow", /ended in OK/, around("fs", "rename", answering(Status.OK)));
  check("sys.arg_size", "BadArgument", /ended in OK/, around("sys", "arg_size", answering(0)));
  check("fs.size", "OTHER", /ended in status 77/, around("fs", "size", answering(77)));
  const crash = (): HostCall => () => {
    throw new Error("a crash");
  };
  check("fs.stat", "NOT_FOUND", /ended in Error: a crash/, around("fs", "stat", crash));

  const results = around("fs", "read", (call) => (caller, ...words) => {
    const returned = call(caller, ...words);
    caller.results.setI32(2, 1);
    if (returned !== undefined) caller.memory!.bytes[words[words.length - 1]! + 3] = 1;
    return returned;
  });
  check("fs.read", "OTHER", /results/, results);

  const window = beside("fs", "read", ({ guest }) => guest.memory.bytes.fill(1, 65_539, 65_540), true);
  check("fs.read", "OTHER", /linear memory was changed/, window);
  check("fs.read", "HeapWindow", /linear memory was changed/, window);
  const behind = beside("fs", "read", ({ guest }) => guest.memory.bytes.fill(1, 65_540, 65_541), true);
  check("fs.read", "OK", /linear memory was changed/, behind);

  const tree = ({ main }: World): void => main.put("/f", "0123456780");
  check("fs.write", "BadArgument", /files were changed/, beside("fs", "write", tree));
  check("fs.open", "EXISTS", /files were changed/, beside("fs", "open", tree));
  const time = ({ guest }: World): void => {
    guest.setTimes("/f", ACCESSED, 7n, 7n);
  };
  check("fs.truncate", "TOO_LARGE", /files were changed/, beside("fs", "truncate", time, true));
  const random = ({ guest }: World): void => {
    guest.call("sys", "random", guest.own, 0, 0x20);
  };
  check("sys.clock", "BadArgument", /files were changed/, beside("sys", "clock", random));
  check(
    "sys.log",
    "HeapWindow",
    /put out/,
    beside("sys", "log", ({ output }) => void output.push("log")),
  );
  const input = (world: World): void => {
    const { guest } = world;
    guest.read(world.stream("stdin"), -1, 1);
    guest.close(world.refs.pop()!);
  };
  check("fs.read", "INVALID", /streams were changed/, beside("fs", "read", input));
  check(
    "fs.close",
    "HeapRefKind",
    /files were changed/,
    beside("fs", "close", ({ guest }) => void guest.sleep(1n)),
  );

  const object = ({ guest }: World): void => void guest.heap.newBytes(1);
  check("fs.open", "NOT_FOUND", /objects, /, beside("fs", "open", object));
  check("fs.open", "OK", /objects, /, beside("fs", "open", object));
  /** Forgets an open file without closing it. */
  const forget = (world: World): void => {
    const { guest } = world;
    const ref = guest.handle("/f", READ);
    guest.heap.destroy(...ref, guest.heap.kindOf(...ref));
  };
  check("fs.rmdir", "NOT_EMPTY", /open nodes, /, beside("fs", "rmdir", forget));
  check("fs.rmdir", "NOT_EMPTY", /handles were lost/, beside("fs", "rmdir", forget));
  check("fs.rmdir", "OK", /open nodes, /, beside("fs", "rmdir", forget));
  const end = ({ guest, refs: [ref] }: World): void => guest.heap.destroy(...ref!, guest.heap.kindOf(...ref!));
  check("fs.size", "OTHER", /is not usable/, beside("fs", "size", end, true));
  const keep = around("fs", "close", answering(Status.OTHER));
  check("fs.close", "OTHER", /the handle is not gone/, keep);
});

t.test("a cell that is missing, or that the table does not have, does not compile", async (t) => {
  const { QUOTA, ...rest } = CELLS["fs.close"];
  // @ts-expect-error
  const missing: Outcomes<Cell>["fs.close"] = rest;
  // @ts-expect-error
  const surplus: readonly never[] = [] as Surplus<{ readonly "fs.close": { readonly EXISTS: Cell } }>[];
  t.same([QUOTA.length, "QUOTA" in missing, surplus], [1, false, []]);
});
