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
import { Status, statusName } from "../../syscalls/status.ts";
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
  ...(linux
    ? { "the oracle": { create: (tree) => oracleFileSystem(folder(tree)), exceptions: ["no-races", "ids-come-back"] } }
    : {}),
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
        body();
        t.pass();
      }),
    create,
    exceptions,
  });

test("the suite fails for a file system that is wrong anywhere", (t) => {
  /** How many cases ran, and the titles of those that failed; it stops at the first. */
  const failures = (create: (tree: Tree) => FileSystem): { ran: number; failed: string[] } => {
    const result: { ran: number; failed: string[] } = { ran: 0, failed: [] };
    const run = (title: string, body: () => void): void => {
      if (result.failed.length > 0) return;
      result.ran++;
      try {
        body();
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

test("[FS-PATH-6] four thousand and ninety-six names in one path, and no more", (t) => {
  // Each link leads to its own directory again, by way of 800 names.
  const guest = new Driver({
    mounts: [{ guest: "/", fs: memory({ "a/f": "f", "a/x": { link: "../a/".repeat(800) } }) }],
  });
  t.equal(guest.contents(`/a/${"x/".repeat(5)}f`), "f");
  t.equal(guest.contents(`/a/${"x/".repeat(5)}${"../a/".repeat(89)}f`), "f");
  t.equal(guest.contents(`/a/${"x/".repeat(5)}${"../a/".repeat(90)}f`), Status.LOOP);
  t.equal(guest.contents(`/a/${"x/".repeat(6)}f`), Status.LOOP);
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
type Swept = readonly [row: string, call: (guest: Driver, held: Held) => number, on?: "handle"];
const opened = (path: string, flags: number): Swept => ["open", (guest) => guest.open(path, flags).status];
const CALLS: readonly Swept[] = [
  opened("/d/e/x", READ),
  opened("/to/x", READ | WRITE),
  opened("/d/new", WRITE | CREATE),
  opened("/nowhere", WRITE | CREATE),
  opened("/f", WRITE | TRUNCATE),
  opened("/to", DIRECTORY),
  ["read", (guest, { file }) => guest.read(file, 2, 4).status, "handle"],
  ["write", (guest, { file }) => guest.write(file, 8, "abcd").status, "handle"],
  ["write", (guest, { file }) => guest.write(file, -1, "abcd").status, "handle"],
  ["size", (guest, { file }) => Math.max(0, -guest.size(file)), "handle"],
  ["truncate", (guest, { file }) => guest.truncate(file, 3), "handle"],
  ["truncate", (guest, { file }) => guest.truncate(file, 30), "handle"],
  ["sync", (guest, { file }) => guest.sync(file), "handle"],
  ["sync", (guest, { dir }) => guest.sync(dir), "handle"],
  ["stat", (guest) => guest.stat("/to/x").status],
  ["stat", (guest, { file }) => guest.stat("", 0, file).status, "handle"],
  ["stat", (guest, { dir }) => guest.stat("e/x", 0, dir).status],
  ["set_times", (guest) => guest.setTimes("/f", TimesFlag.MODIFIED, 0n, 10n ** 9n)],
  ["set_times", (guest, { dir }) => guest.setTimes("", TimesFlag.ACCESSED, 10n ** 9n, 0n, dir), "handle"],
  ["readlink", (guest) => guest.readlink("/to").status],
  ["list", (guest, { dir }) => guest.list(dir, 0, 1000).status, "handle"],
  ["mkdir", (guest, { dir }) => guest.mkdir("e/new", dir)],
  ["rmdir", (guest) => guest.rmdir("/d/empty")],
  ["unlink", (guest) => guest.unlink("/g")],
  ["unlink", (guest) => guest.unlink("/f")],
  ["rename", (guest) => guest.rename("/g", "/d/e/new")],
  ["rename", (guest) => guest.rename("/f", "/g")],
  ["rename", (guest, { dir }) => guest.rename("e", "empty", dir, dir)],
  ["link", (guest, { dir }) => guest.link("/g", "e/new", undefined, dir)],
  ["symlink", (guest, { dir }) => guest.symlink("../f", "new", dir)],
  ["close", (guest, { file }) => guest.close(file), "handle"],
  ["close", (guest, { dir }) => guest.close(dir), "handle"],
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
      return [kind, bytes, links, watched.capabilities.ownMetadata ? modified : 0n];
    });
    return [tree, stats, used(), guest.heap.objects];
  };
  return { guest, held, state };
}

/** A scene in which the Nth operation below can be made to fail. */
interface Faulted extends Scene {
  readonly plan: { at?: number | undefined; readonly calls?: string[] };
}

/**
 * Makes a call with its first operation failing, then with its second, until it ends without a fault. What fails leaves
 * everything as it was, so the next attempt is in the same scene: that the last one succeeds proves it once more.
 * `check` looks at what the call answered. Answers how many faults there were.
 */
function sweep(
  create: () => Faulted,
  row: string,
  call: Swept[1],
  check: (status: number, failed: string) => void,
): number {
  let scene = create();
  const before = scene.state();
  for (let at = 1; ; at++) {
    const { guest, held, plan, state } = scene;
    plan.calls!.length = 0;
    plan.at = at;
    const status = call(guest, held);
    const made = [...plan.calls!];
    plan.at = undefined;
    const failed = made[at - 1];
    if (failed === undefined) {
      assert.equal(status, 0, `${row}: ${statusName(status)} without a fault, after ${at - 1}`);
      guest.heap.close();
      return at - 1;
    }
    check(status, failed);
    if (status !== 0 && row !== "close") {
      assert.deepEqual(state(), before, `${row}: ${failed}, operation ${at}`);
      continue;
    }
    if (row === "close")
      assert.ok([held.file, held.dir].some((ref) => guest.trap("fs", "close", ref) === "HeapRefStale"));
    guest.heap.close();
    scene = create();
  }
}

test("[FS-FAULT-1, FS-FAULT-2, ABI-STATUS-3, FS-OPEN-5] any backend operation that fails, with any status that the call declares", (t) => {
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
  let faults = 0;
  // What is around the faults does not tell most statuses from one another.
  for (const [system, create] of Object.entries(systems))
    for (const [row, call] of CALLS)
      for (const name of syscall("fs", row).statuses.slice(0, system === "memory" ? undefined : 3)) {
        const told = Status[name];
        if (told === Status.OK) continue;
        // A quota gives up what it has made when it cannot look at it; it must be able to.
        const persistent = system !== "quota" && (told === Status.OTHER || told === Status.NO_SPACE);
        const faulted = (): Faulted => {
          const plan: FileSystemFaults = { status: told, persistent, calls: [] };
          return { ...create(plan), plan };
        };
        faults += sweep(faulted, row, call, (status, failed) => {
          // To look a name up, and to be told that nothing has it, is an answer.
          const isAnswer = (failed === "lookup" || failed === "folder") && name === "NOT_FOUND";
          // What a file had in it cannot be told when its handle is closed: the quota keeps counting it.
          const isKept = system === "quota" && row === "close" && failed === "stat";
          if (!isAnswer) t.equal(status, isKept ? 0 : told, `${system}: ${row}, ${failed} ${name}`);
        });
      }
  t.ok(faults > 1500, `${faults} faults`);
});

test("[FS-FAULT-2, FS-PATH-7] a tree that changes before any backend call is walked again; one that keeps changing is TRANSIENT", (t) => {
  let retried = 0;
  for (const [index, [row, call, on]] of CALLS.entries())
    for (let at = 1; on !== "handle"; at++) {
      const results = [false, true].map((persistent) => {
        const fs = memory(SWEPT);
        const plan: FileSystemFaults = { status: RETRY, calls: [], persistent };
        const { guest, held } = scene(faultyFileSystem(fs, plan), fs, () => fs.used);
        plan.calls!.length = 0;
        plan.at = at;
        const status = call(guest, held);
        const operation = plan.calls![at - 1];
        plan.at = undefined;
        guest.heap.close();
        return { status, operation };
      });
      const [once, always] = results;
      if (once!.operation === undefined) break;
      const what = `${row} (${index}), call ${at} ${once!.operation}`;
      // Where an open directory is, is no question of its place.
      t.equal(once!.status, once!.operation === "folder" ? Status.TRANSIENT : 0, `${what}: once`);
      t.equal(always!.status, Status.TRANSIENT, `${what}: always`);
      retried++;
    }
  t.ok(retried > 50, `${retried} calls`);
});

test("[FS-FAULT-2] which call fails, how often, and what is kept of it", (t) => {
  const plan: FileSystemFaults = { calls: [] };
  const heard: string[] = [];
  const inner = memory({ f: "text" });
  const fs = faultyFileSystem(inner, plan);
  const guest = new Driver({ mounts: [{ guest: "/", fs }] });
  t.equal(guest.contents("/f"), "text");
  t.strictSame(plan.calls, ["lookup", "open", "size", "read", "close"]);
  plan.before = (operation) => heard.push(operation);
  plan.operation = "open";
  plan.at = 3;
  t.strictSame([guest.contents("/f"), guest.contents("/f"), guest.contents("/f")], ["text", Status.OTHER, "text"]);
  t.equal(heard.filter((operation) => operation === "open").length, 3, "the failing call is heard of too");
  t.equal(heard.length, 12);
  plan.persistent = true;
  plan.status = Status.TOO_MANY_OPEN;
  t.strictSame([guest.contents("/f"), guest.contents("/f")], [Status.TOO_MANY_OPEN, Status.TOO_MANY_OPEN]);
  plan.at = undefined;
  const file = guest.handle("/f", READ | WRITE);
  const log = guest.handle("/log", WRITE | CREATE | APPEND);
  plan.room = 5;
  t.strictSame(guest.write(file, 0, "TEX"), { status: 0, bytes: 3 });
  t.strictSame(guest.write(log, -1, "abc"), { status: Status.NO_SPACE, bytes: 0 });
  t.strictSame(guest.write(log, -1, "ab"), { status: 0, bytes: 2 });
  t.strictSame(guest.write(file, 0, "x"), { status: Status.NO_SPACE, bytes: 0 });
  t.equal(plan.room, 0);
  t.strictSame(inner.get("/f"), new TextEncoder().encode("TEXt"));
  t.strictSame(inner.get("/log"), new TextEncoder().encode("ab"));
  Object.assign(plan, { operation: "close", at: 1, status: Status.NO_SPACE });
  plan.calls!.length = 0;
  t.equal(guest.close(file), Status.NO_SPACE);
  t.equal(guest.trap("fs", "close", file), "HeapRefStale");
  t.throws(
    () =>
      new Driver({ mounts: [{ guest: "/", fs: faultyFileSystem(inner, { at: 1, status: Status.CORRUPT }) }] }).open(
        "/f",
        READ,
      ),
    {
      code: "ABI-PANIC",
    },
  );
});

/** Counts the handles that a volume has open. */
function counted(volume: Volume): { volume: Volume; open: () => number } {
  const open = new Set<number>();
  const counting: Volume = {
    ...volume,
    openSync: (path, flags, mode) => {
      const fd = volume.openSync(path, flags, mode);
      // Handles with Linux's O_PATH are kept for the next call, some of them.
      if ((flags & 0x20_0000) === 0) open.add(fd);
      return fd;
    },
    closeSync: (fd) => {
      open.delete(fd);
      volume.closeSync(fd);
    },
  };
  return { volume: counting, open: () => open.size };
}

test("[FS-FAULT-1, FS-FAULT-3, FS-ERRNO-1, ABI-STATUS-2] any host call below a directory that fails, with any error", (t) => {
  let faults = 0;
  for (const platform of linux ? [process.platform, "darwin"] : [process.platform])
    for (const [row, call] of CALLS)
      for (const code of platform === "darwin" ? ["EIO", "EACCES"] : ["EIO", "EACCES", "ENOSPC", "EMFILE", "EWEIRD"]) {
        const persistent = code === "EWEIRD";
        const handles: (() => number)[] = [];
        const faulted = (): Faulted => {
          const root = folder(SWEPT);
          const plan: VolumeFaults = { code, persistent, calls: [] };
          const { volume, open } = counted(real);
          handles.push(open);
          const fs = directoryFileSystem(root, { volume: faultyVolume(volume, plan), platform });
          return { ...scene(fs, oracleFileSystem(root), open), plan };
        };
        faults += sweep(faulted, row, call, () => {});
        assert.deepEqual(
          handles.map((open) => open()).filter((count) => count > 0),
          [],
          `${platform}: ${row} ${code} leaves handles open`,
        );
      }
  t.ok(faults > 500, `${faults} faults`);
});

/** Where a small write can lie in a file of ten bytes, and how it is opened. */
const PLACES: readonly (readonly [offset: number, flags: number])[] = [
  [0, WRITE],
  [4, WRITE],
  [10, WRITE],
  [20, WRITE],
  [-1, WRITE],
  [-1, WRITE | APPEND],
];
const OLD = "0123456789";
const NEW = "ABCDEFGHIJKLMNOP";

/** What the file holds when all of NEW was written. */
function written(offset: number): string {
  const at = offset < 0 ? OLD.length : offset;
  return OLD.slice(0, at).padEnd(at, "\0") + NEW + OLD.slice(at + NEW.length);
}

test("[FS-FAULT-3, ABI-TRANSFER-6] directory: a disk that is full at every byte of a write", (t) => {
  let full = 0;
  for (const platform of linux ? [process.platform, "darwin"] : [process.platform])
    for (let room = 0; room <= NEW.length; room++)
      for (const [offset, flags] of PLACES)
        for (const most of [3, 100]) {
          const root = folder({ f: OLD });
          const volume = faultyVolume(real, { room, most });
          const guest = new Driver({ mounts: [{ guest: "/", fs: directoryFileSystem(root, { volume, platform }) }] });
          const file = guest.handle("/f", flags);
          const answer = guest.write(file, offset, NEW);
          const after = nodeFs.readFileSync(join(root, "f"), "latin1");
          const what = `room ${room}, offset ${offset}, ${most} at a time`;
          guest.heap.close();
          if (room === NEW.length) {
            assert.deepEqual([answer, after], [{ status: 0, bytes: NEW.length }, written(offset)], what);
            continue;
          }
          full++;
          assert.deepEqual(answer, { status: Status.NO_SPACE, bytes: 0 }, what);
          assert.equal(after.length, OLD.length, what);
          // Each byte is the old one, or the new one where the write overlapped and got to.
          for (let k = 0; k < OLD.length; k++)
            if (after[k] !== OLD[k])
              assert.equal(offset < 0 ? "" : NEW.slice(0, room)[k - offset], after[k], `${what}, byte ${k}`);
        }
  t.equal(full, (linux ? 2 : 1) * NEW.length * PLACES.length * 2);
});

test("[ABI-TRANSFER-6, FS-QUOTA-2, FS-MEMORY-2, FS-FAULT-1] a quota that is used up at every byte of a write or truncate", (t) => {
  /** A file of ten bytes, and `room` bytes more; what it says is used. */
  const systems: { readonly [name: string]: (room: number) => { fs: FileSystem; used: () => number } } = {
    memory: (room) => {
      const fs = fillTree(new MemoryFileSystem({}, { bytes: OLD.length + room }), { f: OLD });
      return { fs, used: () => fs.used.bytes };
    },
    "quota over directory": (room) => {
      const fs = quotaFileSystem(directoryFileSystem(folder({ f: OLD })), { bytes: room });
      return { fs, used: () => fs.used.bytes + OLD.length };
    },
    "memory with faults": (room) => {
      const plan: FileSystemFaults = { room };
      const inner = memory({ f: OLD });
      return { fs: faultyFileSystem(inner, plan), used: () => inner.used.bytes };
    },
    // The lower layer's bytes count when they are copied up.
    overlay: (room) => {
      const fs = overlayFileSystem(memory({ f: OLD }), { bytes: OLD.length + room });
      return { fs, used: () => fs.used.bytes };
    },
  };
  for (const [name, create] of Object.entries(systems))
    for (const [offset, flags] of PLACES) {
      const growth = written(offset).length - OLD.length;
      // What a write takes: how much longer the file becomes, or, where faults are counted, every byte of it.
      const needed = name === "memory with faults" ? NEW.length : growth;
      for (let room = 0; room <= needed + 1; room++) {
        const { fs, used } = create(room);
        const guest = new Driver({ mounts: [{ guest: "/", fs }] });
        const file = guest.handle("/f", flags | (flags === WRITE ? READ : 0));
        const before = used();
        const answer = guest.write(file, offset, NEW);
        const what = `${name}: room ${room}, offset ${offset}`;
        if (room >= needed) {
          assert.deepEqual(answer, { status: 0, bytes: NEW.length }, what);
          assert.equal(guest.contents("/f"), written(offset), what);
          assert.equal(used(), OLD.length + growth, what);
          guest.heap.close();
          continue;
        }
        const status = name === "memory with faults" ? Status.NO_SPACE : Status.QUOTA;
        assert.deepEqual(answer, { status, bytes: 0 }, what);
        assert.equal(guest.contents("/f"), OLD, what);
        assert.equal(used(), before, what);
        if (name !== "memory with faults") {
          assert.equal(guest.truncate(file, OLD.length + room + 1), Status.QUOTA, what);
          assert.equal(guest.contents("/f"), OLD, what);
          assert.equal(used(), before, what);
          assert.equal(guest.truncate(file, OLD.length + room), 0, what);
          assert.equal(used(), OLD.length + room, what);
        }
        guest.heap.close();
      }
      t.pass(`${name} at ${offset}`);
    }
});

test("[FS-QUOTA-2, FS-QUOTA-3, FS-QUOTA-4] what counts against the quotas of a directory, and what frees it", (t) => {
  const root = folder({ old: "0123456789", "d/x": "" });
  const fs = quotaFileSystem(directoryFileSystem(root), { bytes: 10, files: 3 });
  const guest = new Driver({ mounts: [{ guest: "/", fs }] });
  const used = (bytes: number, files: number, what: string): void => {
    t.strictSame({ ...fs.used }, { bytes, files }, what);
  };
  const old = guest.handle("/old", READ | WRITE);
  t.same(guest.write(old, 5, "abcde"), { status: 0, bytes: 5 });
  used(0, 0, "what is overwritten takes nothing");
  t.same(guest.write(old, 10, "0123456789"), { status: 0, bytes: 10 });
  t.same(guest.write(old, 20, "x"), { status: Status.QUOTA, bytes: 0 });
  t.same(guest.write(old, -1, "x"), { status: Status.QUOTA, bytes: 0 });
  used(10, 0, "the quota is full");
  t.equal(guest.truncate(old, 0), 0);
  used(0, 0, "what was there before makes room for nothing more");
  t.equal(guest.truncate(old, 11), Status.QUOTA);
  guest.close(old);

  t.equal(guest.mkdir("/m"), 0);
  t.equal(guest.symlink("old", "/s"), 0);
  t.equal(guest.link("/old", "/hard"), 0);
  used(0, 3, "each name counts");
  t.equal(guest.open("/f", WRITE | CREATE).status, Status.QUOTA);
  t.equal(guest.mkdir("/n"), Status.QUOTA);
  t.equal(guest.symlink("x", "/n"), Status.QUOTA);
  t.equal(guest.link("/old", "/n"), Status.QUOTA);
  t.equal(guest.open("/old", WRITE | CREATE).status, 0, "nothing is made");
  t.equal(guest.rename("/m", "/n"), 0);
  t.same(guest.names("/"), ["d", "hard", "n", "old", "s"]);
  used(0, 3, "a name that changes is one name");
  t.equal(guest.rmdir("/n"), 0);
  t.equal(guest.unlink("/s"), 0);
  used(0, 1, "removed");

  const file = guest.handle("/f", READ | WRITE | CREATE);
  guest.write(file, 0, "12345");
  const other = guest.handle("/g", WRITE | CREATE);
  guest.write(other, 0, "123");
  used(8, 3, "two more");
  t.equal(guest.rename("/f", "/g"), 0);
  used(8, 2, "a file that is replaced stays while it is open");
  guest.close(other);
  used(5, 2, "and goes when it is closed");
  t.equal(guest.unlink("/hard"), 0);
  used(5, 1, "one of two names");
  t.equal(guest.unlink("/g"), 0);
  used(5, 0, "unlinked, and open");
  guest.write(file, 5, "678");
  used(8, 0, "it can still grow");
  guest.close(file);
  used(0, 0, "and frees all that it had");
  t.equal(guest.unlink("/d/x"), 0);
  t.equal(guest.unlink("/d/x"), Status.NOT_FOUND);
  used(0, 0, "never below 0");
  nodeFs.writeFileSync(join(root, "others"), "0123456789");
  used(0, 0, "what others do is not counted");
  const emptied = guest.handle("/e", WRITE | CREATE);
  guest.write(emptied, 0, "12345");
  guest.close(guest.handle("/e", WRITE | TRUNCATE));
  used(0, 1, "emptied when opened");
  guest.heap.close();
});

test("[FS-FAULT-3, ABI-TRANSFER-4, ABI-TRANSFER-5] transfers cut short are gone on with; one that fails half-way leaves the window", (t) => {
  for (const platform of linux ? [process.platform, "darwin"] : [process.platform]) {
    const root = folder({ f: OLD });
    const plan: VolumeFaults = { most: 3, operation: "readSync", calls: [] };
    const fs = directoryFileSystem(root, { volume: faultyVolume(real, plan), platform });
    const guest = new Driver({ mounts: [{ guest: "/", fs }] });
    const file = guest.handle("/f", READ | WRITE);
    t.same(guest.read(file, 1, 8), { status: 0, bytes: 8, eof: 0, text: "12345678" });
    t.same(guest.read(file, 1, 20), { status: 0, bytes: 9, eof: 1, text: "123456789" });
    plan.calls!.length = 0;
    plan.at = 3;
    const window = guest.memory.bytes.subarray(100_000, 100_010).fill(0xee);
    t.same(guest.call("fs", "read", file, [0, 0], guest.own, 100_000, 10).results, [Status.OTHER, 0, 0]);
    t.equal(plan.calls!.length, 3);
    t.same([...window], Array(10).fill(0xee));
    t.same(guest.write(file, 5, NEW), { status: 0, bytes: 16 });
    t.equal(nodeFs.readFileSync(join(root, "f"), "latin1"), written(5));
    guest.heap.close();
  }
});

test("[FS-NAME-5, FS-NAME-6, FS-PATH-6, FS-STAT-2, ABI-TRANSFER-9] random calls on every file system, and on the kernel", (t) => {
  /** The sums of what is in a tree, of which names of one file share its bytes. */
  const audit = (name: string, fs: FileSystem): void => {
    if (!("used" in fs)) return;
    const guest = new Driver({ mounts: [{ guest: "/", fs }], hostMetadata: true });
    const paths = Object.keys(guest.tree());
    const files = new Map(
      paths
        .map((path) => guest.stat(`/${path}`, OpenFlag.NOFOLLOW))
        .map(({ id, kind, bytes }) => [id, kind === 1 ? bytes : 0]),
    );
    const bytes = [...files.values()].reduce((sum, length) => sum + length, 0);
    assert.deepEqual({ ...(fs.used as object) }, { bytes, files: paths.length }, name);
  };
  const kernel = linux ? () => new PosixGuest(join(folder({ "in/side": null }), "in", "side")) : undefined;
  const inside = (): string => join(folder({ "in/side": null }), "in", "side");
  const systems = {
    memory: () => new MemoryFileSystem(),
    directory: () => directoryFileSystem(inside()),
    overlay: () => overlayFileSystem(new MemoryFileSystem()),
    quota: () => quotaFileSystem(new MemoryFileSystem(), { bytes: 2 ** 20, files: 1000 }),
    ...(linux ? { oracle: () => oracleFileSystem(inside()) } : {}),
  };
  const runs = 40;
  const length = 40;
  if (linux) {
    const { calls, done, kernel: compared } = differential({ systems, kernel, handles: true, audit, runs, length });
    t.ok(
      calls > 25 * runs && done > 8 * runs && compared > 20 * runs,
      `${calls} calls, ${done} done, ${compared} compared`,
    );
  }
  const byName = {
    memory: systems.memory,
    "directory by inode": () => directoryFileSystem(inside(), { platform: "darwin" }),
    "directory over memfs": () => overMemfs({}),
  };
  const { calls, done } = differential({ systems: byName, kernel, handles: false, links: false, runs, length });
  t.ok(calls > 20 * runs && done > 8 * runs, `${calls} calls, ${done} done`);
});
