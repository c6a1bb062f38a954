/** The threat model (spec 17): holes of other sandboxes on every file system, and what a guest and its host can rely on. */
import nodeFs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t, { type Test } from "tap";
import { createAbi } from "../../host/abi.ts";
import { directoryFileSystem, type Volume } from "../../host/fs/directory.ts";
import { MemoryFileSystem } from "../../host/fs/memory.ts";
import { overlayFileSystem } from "../../host/fs/overlay.ts";
import { quotaFileSystem } from "../../host/fs/quota.ts";
import { runGuest } from "../../host/guest.ts";
import { loadWat } from "../../host/wat.ts";
import { Status } from "../../syscalls/status.ts";
import { OpenFlag, SYSCALLS } from "../../syscalls/table.ts";
import { Module, Store } from "../../vm/index.ts";
import { Driver, type Ref } from "../conformance/driver.ts";
import { MemoryArtifacts } from "../syscalls/artifacts.ts";
import { attackIn, syscallAttacker } from "./attacker.ts";
import { ESCAPES, type Escape } from "./escapes.ts";
import { race } from "./race.ts";
import { createWorld, SECRET, SYSTEM_NAMES, type SystemName } from "./worlds.ts";

const { READ, WRITE, CREATE } = OpenFlag;
const linux = process.platform === "linux";
const scratch = nodeFs.realpathSync(nodeFs.mkdtempSync(join(tmpdir(), "ashlar-security-")));
t.teardown(() => nodeFs.rmSync(scratch, { recursive: true, force: true }));
let folders = 0;

/** A new folder, some way below one that is not granted. */
function folder(): string {
  const path = join(scratch, `${folders++}`, "in", "side");
  nodeFs.mkdirSync(path, { recursive: true });
  return path;
}

const test = (title: string, body: (t: Test) => void | Promise<void>): unknown => t.test(title, async (t) => body(t));

/** What a guest is answered in a world, a line a step, and what is wrong with it. */
function attack(system: SystemName, { planted, steps }: Escape, secrets: boolean) {
  const world = createWorld(system, { folder: folder(), secrets, planted });
  const guest = new Driver({ mounts: world.mounts, hostMetadata: true });
  const call = syscallAttacker(guest);
  return attackIn(world, steps, call);
}

for (const hole of ESCAPES)
  test(`[SEC-GUEST-1, SEC-GUEST-2, SEC-GUEST-3] ${hole.title} (${hole.seen})`, (t) => {
    for (const system of SYSTEM_NAMES) {
      const { told, wrong } = attack(system, hole, true);
      t.same(wrong, [], system);
      t.same(attack(system, hole, false).told, told, `${system}: nothing tells whether anything is outside`);
    }
  });

test("[SEC-GUEST-1, FS-DIRECTORY-6] names of devices, on Windows (GHSA-hxf5-99xg-86hw, cap-std)", (t) => {
  const paths: string[] = [];
  const volume = new Proxy(nodeFs as unknown as Volume, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        paths.push(...args.filter((arg) => typeof arg === "string"));
        return Reflect.apply(value, target, args) as unknown;
      };
    },
  });
  const root = folder();
  nodeFs.writeFileSync(join(root, "f"), "mine");
  const directory = directoryFileSystem(root, { volume, platform: "win32" });
  const systems = {
    directory,
    overlay: overlayFileSystem(directory),
    quota: quotaFileSystem(directory, { bytes: 1000 }),
  };
  const names = [
    ..."COM¹ com².txt LPT³.tar.gz COM1 nul aux.c CON prn LPT0 CONIN$ CONOUT$ x::$DATA C: a|b x.".split(" "),
    "x ",
  ];
  for (const [system, fs] of Object.entries(systems))
    for (const name of names) {
      const guest = new Driver({ mounts: [{ guest: "/", fs }] });
      paths.length = 0;
      const statuses = [
        guest.open(`/${name}`, READ).status,
        guest.open(`/${name}`, WRITE | CREATE).status,
        guest.mkdir(`/${name}`),
        guest.rename("/f", `/${name}`),
        guest.link("/f", `/${name}`),
        guest.symlink("f", `/${name}`),
        guest.stat(`/${name}/x`).status,
      ];
      t.same(new Set(statuses), new Set([Status.ACCESS]), `${system}: ${name}`);
      t.notOk(
        paths.some((path) => path.includes(name)),
        `${system}: the host never hears of ${name}`,
      );
    }
});

if (linux)
  for (const system of ["directory", "overlay over a directory", "quota over a directory"] as const)
    test(`[SEC-GUEST-1, SEC-GUEST-7] folders and files swapped for links all the while: ${system}`, async (t) => {
      await race(t, system, folder(), { rounds: 60, swaps: 100 });
    });

test("[SEC-GUEST-3] refs that a guest makes up", (t) => {
  const fs = new MemoryFileSystem({ f: "mine" });
  const store = new MemoryArtifacts();
  const guest = new Driver({ mounts: [{ guest: "/", fs }], stdin: new Uint8Array(0), store });
  const before = fs.save();
  const held = guest.handle("/f", READ);
  const closed = guest.handle("/f", READ);
  guest.close(closed);
  const made: Ref[] = [
    [0, 0],
    [0, 1],
    [1, 0],
    [held[0], held[1] + 1],
    [held[0], -1],
    [-1, -1],
    [0x7fff_ffff, 1],
    [-0x8000_0000, 1],
    [1000, 1],
    [100_000, 1],
    closed,
    guest.own,
  ];
  for (const ref of made)
    for (const name of ["read", "write"])
      t.match(guest.trap("fs", name, ref, [0, 0], guest.own, 0, 0), /^HeapRef(Null|Stale|Kind)$/, `${name} ${ref}`);
  for (const { module, name, params } of SYSCALLS) {
    if (!params.some(({ type }) => typeof type === "object")) continue;
    for (const ref of made) {
      const words = params.map(({ type }) =>
        typeof type === "object" ? ref : type === "i64" || type === "u64" ? [0, 0] : 0,
      );
      const ended = guest.trap(module, name, ...(words as (number | Ref)[]));
      t.match(ended, /^(HeapRef(Null|Stale|Kind)|HeapWindow|BadArgument|none)$/, `${name} ${ref}: ${ended}`);
    }
  }
  t.equal(guest.read(held, 0, 10).text, "mine", "what it holds is as it was");
  t.same(fs.save(), before);
  t.same([store.staged.size, store.open], [0, 0]);
});

test("[SEC-GUEST-6] the same folders on another host are the same", (t) => {
  const names = ["b", "a", "Z", "é", "10", "9"];
  const see = (order: readonly string[], time: number, mode: number): unknown => {
    const root = folder();
    for (const name of order) {
      nodeFs.writeFileSync(join(root, name), `contents of ${name}`, { mode });
      nodeFs.mkdirSync(join(root, `dir-${name}`));
    }
    nodeFs.linkSync(join(root, "a"), join(root, "..", `elsewhere-${folders}`));
    for (const name of order) nodeFs.utimesSync(join(root, name), time, time);
    const guest = new Driver({ mounts: [{ guest: "/", fs: directoryFileSystem(root) }] });
    const stats = [...names, ...names.map((name) => `dir-${name}`)].map((name) => guest.stat(`/${name}`));
    return [
      guest.tree(),
      stats,
      guest.names("/"),
      guest.env(),
      guest.args(),
      guest.clock(0),
      guest.clock(1),
      guest.random(8),
    ];
  };
  t.same(see([...names].reverse(), 1e9, 0o600), see(names, 2e9, 0o755));
});

test("[SEC-HOST-1] limits end what would not end", async (t) => {
  const guest = async (body: string, options: object): Promise<string> => {
    const module = new Uint8Array(await loadWat(`(module (memory 1) (func (export "_start") ${body}))`));
    return runGuest({ module, ...options }).outcome;
  };
  t.equal(await guest("(loop (br 0))", { fuel: 100_000n }), "out-of-fuel");
  const interrupt = new Int32Array(new SharedArrayBuffer(8));
  Atomics.store(interrupt, 0, 1);
  t.equal(await guest("(loop (br 0))", { interrupt }), "stopped");
  const grow = "(block (loop (br_if 1 (i32.eq (memory.grow (i32.const 1)) (i32.const -1))) (br 0)))";
  t.equal(await guest(grow, { limits: { memoryPages: 20 } }), "exit");
  const root = folder();
  const fs = quotaFileSystem(directoryFileSystem(root), { bytes: 1000, files: 3 });
  const driver = new Driver({ mounts: [{ guest: "/", fs }], quota: { handles: 2, depth: 2 } });
  const file = driver.handle("/f", WRITE | CREATE);
  t.same(driver.write(file, 0, "x".repeat(1001)), { status: Status.QUOTA, bytes: 0 });
  t.equal(driver.mkdir("/a"), Status.OK);
  t.equal(driver.mkdir("/a/b"), Status.OK);
  t.equal(driver.mkdir("/c"), Status.QUOTA, "names");
  t.equal(driver.stat("/a/b/c").status, Status.QUOTA, "depth");
  driver.handle("/f", READ);
  t.equal(driver.open("/f", READ).status, Status.QUOTA, "handles");
});

test("[SEC-HOST-2, SEC-HOST-3, SEC-HOST-4] what a guest can do to the folders that it is granted, and to whoever trusts them", (t) => {
  const root = folder();
  nodeFs.writeFileSync(join(root, "..", "secret"), SECRET);
  nodeFs.linkSync(join(root, "..", "secret"), join(root, "hard"));
  nodeFs.writeFileSync(join(root, "hook.sh"), "true", { mode: 0o755 });
  const { mode } = nodeFs.statSync(join(root, "hook.sh"));
  const guest = new Driver({ mounts: [{ guest: "/", fs: directoryFileSystem(root) }] });
  t.equal(guest.write(guest.handle("/hook.sh", WRITE), 0, "evil").status, Status.OK);
  t.equal(nodeFs.statSync(join(root, "hook.sh")).mode, mode, "a script stays one");
  t.equal(guest.symlink("../secret", "/link"), Status.OK);
  t.equal(guest.contents("/link"), Status.ACCESS, "the guest cannot follow it");
  t.equal(nodeFs.readFileSync(join(root, "link"), "utf8"), SECRET, "the host can");
  t.equal(guest.contents("/hard"), SECRET, "a hard link is the file");
});

test("[SEC-HOST-5] instances of one store can use each other's handles; those of two cannot", async (t) => {
  const wat = `(module (import "fs" "open" (func $open (param i64 i64 i32 i32 i32) (result i32 i64)))
    (import "fs" "size" (func $size (param i64) (result i32 i64)))
    (import "bytes" "of_memory" (func $own (result i64)))
    (memory 1) (data (i32.const 0) "/f")
    (func (export "open") (result i32 i64) (call $open (i64.const 0) (call $own) (i32.const 0) (i32.const 2) (i32.const 1)))
    (func (export "size") (param i64) (result i32 i64) (call $size (local.get 0))))`;
  const module = Module.decode(await loadWat(wat));
  const granted = createAbi({ mounts: [{ guest: "/", fs: new MemoryFileSystem({ f: "mine" }) }] });
  const store = new Store({ kinds: granted.kinds });
  const holder = module.instantiate({ store, imports: granted.imports });
  const other = module.instantiate({ store, imports: granted.imports });
  const [, ref] = holder.invoke("open") as [number, bigint];
  t.same(other.invoke("size", [ref]), [Status.OK, 4n]);
  const stranger = module.instantiate({ ...createAbi({ mounts: [{ guest: "/", fs: new MemoryFileSystem() }] }) });
  t.throws(() => stranger.invoke("size", [ref]), { message: /HeapRef/ });
});

test("[SEC-HOST-6, SEC-NOT-5] what a run leaves holds what the guest had", async (t) => {
  const module = new Uint8Array(
    await loadWat(`(module (import "sys" "stdin" (func $in (result i64))) (import "sys" "stdout" (func $out (result i64)))
      (import "fs" "read_p" (func $read (param i64 i64 i64 i32 i32 i32) (result i32)))
      (import "fs" "write_p" (func $write (param i64 i64 i64 i32 i32 i32) (result i32)))
      (import "bytes" "of_memory" (func $own (result i64))) (memory 1)
      (func (export "_start")
        (drop (call $read (call $in) (i64.const -1) (call $own) (i32.const 100) (i32.const 10) (i32.const 0)))
        (drop (call $write (call $out) (i64.const -1) (call $own) (i32.const 100) (i32.const 10) (i32.const 0)))))`),
  );
  const pieces: Uint8Array[] = [];
  const { stdout } = runGuest({
    module,
    stdin: Buffer.from(`\x1b[2J${SECRET}`),
    record: (piece) => {
      pieces.push(piece.slice());
    },
  });
  t.ok(Buffer.concat(pieces).includes(SECRET));
  t.equal(Buffer.from(stdout).toString(), `\x1b[2J${SECRET}`);
});

test("[SEC-NOT-1] the virtual clock counts fuel; the real one tells the time", (t) => {
  const virtual = new Driver({});
  virtual.fuelUsed = 77n;
  t.equal(virtual.clock(1), 77n);
  const real = new Driver({ clock: "real" });
  t.ok(real.clock(0) > 1_600_000_000_000_000_000n);
});

test("[SEC-NOT-2, SEC-NOT-3] hosts that do not tell what a handle stands for, and files that others change", (t) => {
  const root = folder();
  nodeFs.mkdirSync(join(root, "d"));
  nodeFs.mkdirSync(join(root, "..", "outside"));
  // At the very moment between the look at the folder and the call.
  const volume: Volume = {
    ...(nodeFs as unknown as Volume),
    mkdirSync: (path, mode) => {
      nodeFs.renameSync(join(root, "d"), join(root, "aside"));
      nodeFs.symlinkSync("../outside", join(root, "d"));
      nodeFs.mkdirSync(path, mode);
    },
  };
  const byInode = new Driver({
    mounts: [{ guest: "/", fs: directoryFileSystem(root, { volume, platform: "darwin" }) }],
  });
  byInode.mkdir("/d/made");
  t.ok(nodeFs.existsSync(join(root, "..", "outside", "made")), "the gap");
  nodeFs.unlinkSync(join(root, "d"));
  nodeFs.renameSync(join(root, "aside"), join(root, "d"));
  if (linux) {
    const byHandle = new Driver({ mounts: [{ guest: "/", fs: directoryFileSystem(root, { volume }) }] });
    byHandle.mkdir("/d/kept");
    t.notOk(nodeFs.existsSync(join(root, "..", "outside", "kept")), "no gap");
  }
  nodeFs.writeFileSync(join(root, "f"), "old old old");
  const guest = new Driver({ mounts: [{ guest: "/", fs: directoryFileSystem(root) }] });
  const file = guest.handle("/f", READ);
  t.equal(guest.read(file, 0, 4).text, "old ");
  nodeFs.writeFileSync(join(root, "f"), "new new new");
  t.equal(guest.read(file, 4, 7).text, "new new");
});

test("[SEC-NOT-4] guests that share a folder can talk", (t) => {
  const fs = new MemoryFileSystem();
  const one = new Driver({ mounts: [{ guest: "/", fs }] });
  const other = new Driver({ mounts: [{ guest: "/", fs }] });
  t.equal(other.stat("/bit").status, Status.NOT_FOUND);
  one.mkdir("/bit");
  t.equal(other.stat("/bit").status, Status.OK);
});
