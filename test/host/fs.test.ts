/**
 * The file systems: the contract suite over each of them and over the oracle, and what makes it fail; mounts, quotas and
 * faults; and random calls on all at once. What is particular to one file system is in the test named after it.
 */
import assert from "node:assert/strict";
import nodeFs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createFsFromVolume, Volume as MemfsVolume } from "memfs";
import t, { type Test } from "tap";
import { directoryFileSystem, type Volume } from "../../host/fs/directory.ts";
import { type FileSystemFaults, faultyFileSystem, faultyVolume, type VolumeFaults } from "../../host/fs/faulty.ts";
import { type FileSystem, GrantError, type OpenFile, RETRY } from "../../host/fs/file-system.ts";
import { MemoryFileSystem } from "../../host/fs/memory.ts";
import { overlayFileSystem } from "../../host/fs/overlay.ts";
import { quotaFileSystem } from "../../host/fs/quota.ts";
import { Status, type StatusName, statusName } from "../../syscalls/status.ts";
import { OpenFlag, syscall, TimesFlag } from "../../syscalls/table.ts";
import { Driver, type Ref } from "../conformance/driver.ts";
import { type Exception, fillTree, suite, type Tree } from "../conformance/file-system.ts";
import { oracleFileSystem } from "../conformance/oracle.ts";
import { differential } from "./differential.ts";
import { PosixGuest } from "./posix.ts";

const { READ, WRITE, CREATE, EXCLUSIVE, TRUNCATE, APPEND, DIRECTORY } = OpenFlag;
const real = nodeFs as unknown as Volume;
const linux = process.platform === "linux";

const scratch = nodeFs.realpathSync(nodeFs.mkdtempSync(join(tmpdir(), "ashlar-fs-")));
t.teardown(() => nodeFs.rmSync(scratch, { recursive: true, force: true }));
let folders = 0;

/** A new folder that holds `tree`. */
function folder(
  tree: Tree = {},
  fs: Pick<typeof nodeFs, "mkdirSync" | "writeFileSync" | "symlinkSync"> = nodeFs,
): string {
  const root = join(scratch, `${folders++}`);
  fs.mkdirSync(root, { recursive: true });
  for (const [path, contents] of Object.entries(tree)) {
    const at = join(root, path);
    fs.mkdirSync(contents === null ? at : dirname(at), { recursive: true });
    if (typeof contents === "string") fs.writeFileSync(at, contents);
    else if (contents !== null) fs.symlinkSync(contents.link, at);
  }
  return root;
}

function memory(tree: Tree = {}): MemoryFileSystem {
  return fillTree(new MemoryFileSystem(), tree);
}

function overMemfs(tree: Tree): FileSystem {
  const fs = createFsFromVolume(new MemfsVolume()) as unknown as typeof nodeFs & Volume;
  return directoryFileSystem(folder(tree, fs), { volume: fs });
}

/** Every other entry of a tree, from the first or the second. */
function half(tree: Tree, first: 0 | 1): Tree {
  return Object.fromEntries(Object.entries(tree).filter((_, index) => index % 2 === first));
}

const test = (title: string, body: (t: Test) => void): unknown => t.test(title, async (t) => body(t));

/** The cases' assertions end at the first that fails: thousands of results that say nothing take long to print. */
const plain = {
  equal: (actual: unknown, expected: unknown, message?: string): void =>
    assert.equal(actual, expected, message && `${message}: ${String(actual)}, not ${String(expected)}`),
  same: (actual: unknown, expected: unknown, message?: string): void => {
    try {
      assert.deepEqual(actual, expected);
    } catch (error) {
      throw new Error(message ?? "not the same", { cause: error });
    }
  },
};

interface System {
  readonly create: (tree: Tree) => FileSystem;
  readonly exceptions?: readonly Exception[];
}

const byName: readonly Exception[] = ["directories-by-name", "links-to-links"];
const SYSTEMS: { readonly [name: string]: System } = {
  memory: { create: memory },
  directory: { create: (tree) => directoryFileSystem(folder(tree)), exceptions: linux ? [] : byName },
  // The way of hosts without /proc: device and inode compared after opening.
  "directory by inode": {
    create: (tree) => directoryFileSystem(folder(tree), { platform: "darwin" }),
    exceptions: byName,
  },
  "directory over memfs": { create: overMemfs, exceptions: byName },
  "overlay, all above": { create: (tree) => fillTree(overlayFileSystem(memory()), tree) },
  "overlay, all below": { create: (tree) => overlayFileSystem(memory(tree)) },
  "overlay, all below in a directory": { create: (tree) => overlayFileSystem(directoryFileSystem(folder(tree))) },
  "overlay, half and half": {
    create: (tree) => fillTree(overlayFileSystem(memory(half(tree, 0))), half(tree, 1)),
  },
  "overlay over an overlay": {
    create: (tree) => overlayFileSystem(fillTree(overlayFileSystem(memory(half(tree, 1))), half(tree, 0))),
  },
  "quota over directory": {
    create: (tree) => quotaFileSystem(directoryFileSystem(folder(tree)), { bytes: 2 ** 20, files: 1000 }),
    exceptions: linux ? [] : byName,
  },
  "memory without faults": { create: (tree) => faultyFileSystem(memory(tree), { calls: [] }) },
  "memory, read-only": { create: (tree) => limited(memory(tree), { writable: false }) },
  "memory without links": { create: (tree) => limited(memory(tree), { symlinks: false, hardLinks: false }) },
  "memory without times": { create: (tree) => limited(memory(tree), { times: false }) },
  ...(linux ? { "the oracle": { create: (tree) => oracleFileSystem(folder(tree)), exceptions: ["no-races"] } } : {}),
};

/** `fs` with a manifest that says less. */
function limited(fs: FileSystem, less: Partial<FileSystem["capabilities"]>): FileSystem {
  return { ...faultyFileSystem(fs, {}), capabilities: { ...fs.capabilities, ...less } };
}

for (const [name, { create, exceptions = [] }] of Object.entries(SYSTEMS))
  suite({
    name,
    test: (title, body) =>
      test(title, (t) => {
        body(plain);
        t.pass();
      }),
    create,
    exceptions,
  });

test("the suite fails for a file system that is wrong anywhere", (t) => {
  /** How many cases ran, and the titles of those that failed; it stops at the first. */
  const failures = (create: (tree: Tree) => FileSystem): { ran: number; failed: string[] } => {
    const result: { ran: number; failed: string[] } = { ran: 0, failed: [] };
    const run = (title: string, body: (t: typeof plain) => void): void => {
      if (result.failed.length > 0) return;
      result.ran++;
      try {
        body(plain);
      } catch {
        result.failed.push(title);
      }
    };
    suite({ name: "broken", test: run, create });
    return result;
  };
  const broken = (change: (fs: FileSystem) => Partial<FileSystem>) => (tree: Tree) => {
    const fs = faultyFileSystem(memory(tree), {});
    return { ...fs, ...change(fs) };
  };
  /** A file system whose files do something else. */
  const files = (change: (file: OpenFile) => Partial<OpenFile>) =>
    broken((fs) => {
      const wrap = <Node>(node: Node | OpenFile): Node | OpenFile =>
        typeof node === "object" && node !== null && "read" in node ? { ...node, ...change(node) } : node;
      return {
        open: (...args) => wrap(fs.open(...args)),
        create: (...args) => wrap(fs.create(...args)),
      };
    });
  const cases: { readonly [what: string]: (tree: Tree) => FileSystem } = {
    "wrong bytes": files((file) => ({
      read: (position, into, transfer) => {
        const status = file.read(position, into, transfer);
        if (transfer.bytes > 0) into[0]! ^= 1;
        return status;
      },
    })),
    "short reads": files((file) => ({
      read: (position, into, transfer) => file.read(position, into.subarray(0, 3), transfer),
    })),
    "no end": files((file) => ({
      read: (position, into, transfer) => {
        const status = file.read(position, into, transfer);
        transfer.eof = false;
        return status;
      },
    })),
    "half a write": files((file) => ({ write: (position, from) => file.write(position, from.subarray(0, 1)) })),
    "appending at 0": files((file) => ({ write: (position, from) => file.write(Math.max(position, 0), from) })),
    "truncate that only cuts": files((file) => ({
      truncate: (bytes) => {
        const transfer = { bytes: 0, eof: false };
        file.size(transfer);
        return file.truncate(Math.min(bytes, transfer.bytes));
      },
    })),
    "a size that is off": files((file) => ({
      size: (transfer) => {
        const status = file.size(transfer);
        transfer.bytes++;
        return status;
      },
    })),
    "sync that fails": files(() => ({ sync: () => Status.OTHER })),
    "a wrong status": broken(() => ({ rmdir: () => Status.OTHER })),
    "an undeclared status": broken(() => ({ mkdir: () => Status.CORRUPT })),
    "an exception": broken(() => ({
      unlink: () => {
        throw new Error("broken");
      },
    })),
    "unlink that forgets": broken(() => ({ unlink: () => Status.OK })),
    "rename that copies": broken((fs) => ({
      rename: (folder, name, newFolder, newName) => fs.link(folder, name, newFolder, newName),
    })),
    "links that cannot be made": broken(() => ({ link: () => Status.UNSUPPORTED })),
    "a missing refusal: create over a file": broken((fs) => ({
      create: (folder, name, flags) => {
        const node = fs.create(folder, name, flags);
        return node === RETRY ? fs.open(folder, name, flags) : node;
      },
    })),
    "a missing refusal: what has changed": broken((fs) => ({
      mkdir: (folder, name) => {
        const status = fs.mkdir(folder, name);
        return status === RETRY ? Status.OK : status;
      },
    })),
    "links cut short": broken((fs) => ({
      symlink: (target, folder, name) => fs.symlink(target.slice(0, 100), folder, name),
    })),
    "links followed": broken((fs) => ({
      lookup: (folder, name) => {
        const found = fs.lookup(folder, name);
        return typeof found === "object" && found.kind === "symlink" ? fs.lookup(folder, found.target) : found;
      },
    })),
    "an id for all": broken((fs) => ({
      stat: (...args) => {
        const stat = fs.stat(...args);
        return typeof stat === "number" ? stat : { ...stat, id: 1 };
      },
    })),
    "times that stand still": broken(() => ({ setTimes: () => Status.OK })),
    "lists without the last entry": broken((fs) => ({
      openDirectory: (folder) => {
        const node = fs.openDirectory(folder);
        if (typeof node === "number") return node;
        return {
          ...node,
          list: () => {
            const entries = node.list();
            return typeof entries === "number" ? entries : entries.slice(0, -1);
          },
        };
      },
    })),
    "directories known by their path": broken((fs) => ({
      openDirectory: (folder) => {
        const node = fs.openDirectory(folder);
        return typeof node === "number" ? node : { ...node, folder: () => folder };
      },
    })),
  };
  const { ran, failed } = failures(broken(() => ({})));
  t.strictSame(failed, [], "nothing is wrong with what they start from");
  t.ok(ran > 70, `${ran} cases`);
  for (const [what, create] of Object.entries(cases)) t.equal(failures(create).failed.length, 1, what);
});

test("[FS-MOUNT-3] grants that make no sense", (t) => {
  const fs = new MemoryFileSystem();
  for (const guest of ["data", "", "/a/../b", "/a\0", `/${"n".repeat(256)}`])
    t.throws(() => new Driver({ mounts: [{ guest, fs }] }), GrantError, JSON.stringify(guest));
  const twice = ["/a", "/a/"].map((guest) => ({ guest, fs }));
  t.throws(() => new Driver({ mounts: twice }), { code: "FS-GRANT" });
  const root = folder({ file: "" });
  t.throws(() => directoryFileSystem(join(root, "none")), { code: "FS-GRANT" });
  t.throws(() => directoryFileSystem(join(root, "file")), { code: "FS-GRANT" });
});

test("[FS-MOUNT-1, FS-MOUNT-2] mounts: the longest match, read-only grants", (t) => {
  const outer = new MemoryFileSystem({ f: "outer", "in/f": "hidden", "inner/f": "beside" });
  const guest = new Driver({
    mounts: [
      { guest: "/data", fs: outer },
      { guest: "/data/in", fs: new MemoryFileSystem({ f: "inner" }), readOnly: true },
    ],
  });
  t.equal(guest.contents("/data/f"), "outer");
  t.equal(guest.contents("data/in/f"), "inner");
  t.equal(guest.contents("/data/inner/f"), "beside");
  t.equal(guest.contents("/data/./in//f"), "inner");
  t.equal(guest.contents("/data/inner/../in/f"), "hidden");
  t.equal(guest.contents("/f"), Status.NOT_FOUND);
  t.equal(guest.open("/", DIRECTORY).status, Status.NOT_FOUND);
  t.same(guest.names("/data"), ["f", "in", "inner"]);
  for (const flags of [
    WRITE,
    WRITE | CREATE,
    WRITE | TRUNCATE,
    WRITE | APPEND,
    READ | WRITE,
    WRITE | CREATE | EXCLUSIVE,
  ])
    for (const path of ["/data/in/f", "/data/in/new", "/data/in"])
      t.equal(guest.open(path, flags).status, Status.READ_ONLY);
  t.same(guest.write(guest.handle("/data/in/f", READ), 0, "x"), { status: Status.ACCESS, bytes: 0 });
  t.equal(guest.contents("/data/in/f"), "inner");
});

/** What a sweep works on: a tree, handles on it, and one call for each row of `fs` and each way through it. */
const SWEPT: Tree = {
  f: "0123456789",
  g: "abc",
  "d/e/x": "x",
  "d/empty": null,
  to: { link: "d/e" },
  nowhere: { link: "d/new" },
};
interface Held {
  readonly file: Ref;
  readonly dir: Ref;
}
type Swept = readonly [row: string, call: (guest: Driver, held: Held) => number];
const opened = (path: string, flags: number): Swept => ["open", (guest) => guest.open(path, flags).status];
const CALLS: readonly Swept[] = [
  opened("/d/e/x", READ),
  opened("/to/x", READ | WRITE),
  opened("/d/new", WRITE | CREATE),
  opened("/nowhere", WRITE | CREATE),
  opened("/f", WRITE | TRUNCATE),
  opened("/to", DIRECTORY),
  ["read", (guest, { file }) => guest.read(file, 2, 4).status],
  ["write", (guest, { file }) => guest.write(file, 8, "abcd").status],
  ["write", (guest, { file }) => guest.write(file, -1, "abcd").status],
  ["size", (guest, { file }) => Math.max(0, -guest.size(file))],
  ["truncate", (guest, { file }) => guest.truncate(file, 3)],
  ["truncate", (guest, { file }) => guest.truncate(file, 30)],
  ["sync", (guest, { file }) => guest.sync(file)],
  ["sync", (guest, { dir }) => guest.sync(dir)],
  ["stat", (guest) => guest.stat("/to/x").status],
  ["stat", (guest, { file }) => guest.stat("", 0, file).status],
  ["stat", (guest, { dir }) => guest.stat("e/x", 0, dir).status],
  ["set_times", (guest) => guest.setTimes("/f", TimesFlag.MODIFIED, 0n, 10n ** 9n)],
  ["set_times", (guest, { dir }) => guest.setTimes("", TimesFlag.ACCESSED, 10n ** 9n, 0n, dir)],
  ["readlink", (guest) => guest.readlink("/to").status],
  ["list", (guest, { dir }) => guest.list(dir, 0, 1000).status],
  ["mkdir", (guest, { dir }) => guest.mkdir("e/new", dir)],
  ["rmdir", (guest) => guest.rmdir("/d/empty")],
  ["unlink", (guest) => guest.unlink("/g")],
  ["unlink", (guest) => guest.unlink("/f")],
  ["rename", (guest) => guest.rename("/g", "/d/e/new")],
  ["rename", (guest) => guest.rename("/f", "/g")],
  ["rename", (guest, { dir }) => guest.rename("e", "empty", dir, dir)],
  ["link", (guest, { dir }) => guest.link("/g", "e/new", undefined, dir)],
  ["symlink", (guest, { dir }) => guest.symlink("../f", "new", dir)],
  ["close", (guest, { file }) => guest.close(file)],
  ["close", (guest, { dir }) => guest.close(dir)],
];

/** Guest, handles and what can be seen of the tree without the faults. */
interface Scene {
  readonly guest: Driver;
  readonly held: Held;
  /** Everything that a call which fails must leave as it was. */
  readonly state: () => unknown;
}

/** `fs` for the guest's calls; `watched`, the same tree without faults, for looking at it. */
function scene(fs: FileSystem, watched: FileSystem, used: () => unknown): Scene {
  const mounts = [
    { guest: "/", fs },
    { guest: "/watched", fs: watched },
  ];
  const guest = new Driver({ mounts, hostMetadata: true });
  const held = { file: guest.handle("/f", READ | WRITE), dir: guest.handle("/d", DIRECTORY) };
  const state = (): unknown => {
    const tree = guest.tree("/watched");
    const stats = Object.keys(tree).map((path) => {
      const { kind, bytes, links, modified } = guest.stat(`/watched/${path}`, OpenFlag.NOFOLLOW);
      return [kind, bytes, links, modified];
    });
    return [tree, stats, used(), guest.heap.objects];
  };
  return { guest, held, state };
}

test("[FS-FAULT-1, FS-FAULT-2, ABI-STATUS-3, FS-OPEN-5] any backend call that fails, with any status that the call declares", (t) => {
  const systems: { readonly [name: string]: (plan: FileSystemFaults) => Scene } = {
    memory: (plan) => {
      const fs = memory(SWEPT);
      return scene(faultyFileSystem(fs, plan), fs, () => fs.used);
    },
    overlay: (plan) => {
      const fs = overlayFileSystem(memory(SWEPT));
      return scene(faultyFileSystem(fs, plan), fs, () => fs.used);
    },
    quota: (plan) => {
      const fs = memory();
      const limited = fillTree(quotaFileSystem(faultyFileSystem(fs, plan), { bytes: 100, files: 100 }), SWEPT);
      return scene(limited, fs, () => limited.used);
    },
  };
  // The wrappers around the faults do not tell one status from another.
  const few = new Set<StatusName>(["OTHER", "NO_SPACE", "NOT_FOUND"]);
  let faults = 0;
  for (const [system, create] of Object.entries(systems)) {
    // The same in every scene.
    const before = create({}).state();
    for (const [index, [row, call]] of CALLS.entries())
      for (const name of syscall("fs", row).statuses.filter((name) => system === "memory" || few.has(name)))
        for (let at = 1; ; at++) {
          const what = `${system}: ${row} (${index}), call ${at} ${name}`;
          const plan: FileSystemFaults = { status: Status[name], calls: [] };
          const { guest, held, state } = create(plan);
          plan.calls!.length = 0;
          plan.at = at;
          const status = call(guest, held);
          const made = [...plan.calls!];
          plan.at = undefined;
          if (made.length < at) {
            if (status !== 0) t.fail(`${what}: ${status} without a fault`);
            break;
          }
          faults++;
          const failing = made[at - 1]!;
          // To look a name up, and to be told that nothing has it, is an answer.
          const isAnswer = (failing === "lookup" || failing === "folder") && name === "NOT_FOUND";
          const told = status === Status[name];
          if (row === "close" && failing !== "close") {
            if (status !== 0) t.fail(`${what}: ${status}`);
          } else if (row === "close") {
            if (
              !told ||
              guest.trap("fs", "close", index === CALLS.length - 1 ? held.dir : held.file) !== "HeapRefStale"
            )
              t.fail(`${what}: ${status}`);
          } else if (!isAnswer) {
            if (!told) t.fail(`${what}: ${statusName(status)}`);
            assert.deepEqual(state(), before, what);
            // The same call works afterwards: nothing was left half done.
            if (call(guest, held) !== 0) t.fail(`${what}: not possible afterwards`);
          }
          guest.heap.close();
        }
  }
  t.ok(faults > 1500, `${faults} faults`);
});
