/** The threat model (spec 17) against programs of WASI: the same holes, and what a hostile program calls. */
import nodeFs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import t, { type Test } from "tap";
import { type AbiOptions, createAbi } from "../../host/abi.ts";
import { directoryFileSystem, type Volume } from "../../host/fs/directory.ts";
import { MemoryFileSystem } from "../../host/fs/memory.ts";
import type { VolumeStats } from "../../host/fs/volume.ts";
import { OpenFlag } from "../../syscalls/table.ts";
import { type Descriptor, Descriptors } from "../../syscalls/wasi/descriptors.ts";
import { Errno } from "../../syscalls/wasi/errno.ts";
import { WASI_MODULE } from "../../syscalls/wasi/table.ts";
import type { Engine } from "../../vm/index.ts";
import { Memory } from "../../vm/memory.ts";
import { Driver, type Ref, wide } from "../conformance/driver.ts";
import { type EngineStand, standOn } from "../syscalls/stand.ts";
import { ENGINES } from "../vm/compare.ts";
import { Random } from "../vm/random.ts";
import { attackIn } from "./attacker.ts";
import { wasiAttacker } from "./attacker-wasi.ts";
import { ESCAPES, type Escape } from "./escapes.ts";
import { type HostileTally, hostile } from "./hostile.ts";
import { race } from "./race.ts";
import { createWorld, SYSTEM_NAMES, type SystemName } from "./worlds.ts";

const linux = process.platform === "linux";
const scratch = nodeFs.realpathSync(nodeFs.mkdtempSync(join(tmpdir(), "ashlar-security-wasi-")));
t.teardown(() => nodeFs.rmSync(scratch, { recursive: true, force: true }));
let folders = 0;

/** A new folder, some way below one that is not granted. */
function folder(): string {
  const path = join(scratch, `${folders++}`, "in", "side");
  nodeFs.mkdirSync(path, { recursive: true });
  return path;
}

const test = (title: string, body: (t: Test) => void | Promise<void>): unknown => t.test(title, async (t) => body(t));

function program(options: AbiOptions, engine: Engine, limits: { heapObjects?: number } = {}): Driver {
  return new Driver(options, limits, standOn(engine));
}

function attackerOf(guest: Driver): ReturnType<typeof wasiAttacker> {
  return wasiAttacker({ memory: guest.memory, call: (...call) => guest.call(...call) });
}

/** What a program is answered in a world, a line a step, and what is wrong with it. */
function attack(system: SystemName, { planted, steps }: Escape, secrets: boolean, engine: Engine) {
  const world = createWorld(system, { folder: folder(), secrets, planted });
  const call = attackerOf(program({ mounts: world.mounts, hostMetadata: true }, engine));
  return attackIn(world, steps, call);
}

for (const hole of ESCAPES)
  test(`[SEC-GUEST-1, SEC-GUEST-2, SEC-GUEST-3, WASI-PATH-1] WASI: ${hole.title} (${hole.seen})`, (t) => {
    for (const system of SYSTEM_NAMES) {
      const { told, wrong } = attack(system, hole, true, "compiled");
      t.same(wrong, [], system);
      const without = attack(system, hole, false, "reference");
      t.same(without.told, told, `${system}: nothing tells whether anything is outside`);
    }
  });

if (linux)
  test("[SEC-GUEST-1, SEC-GUEST-7] WASI: folders and files swapped for links all the while", async (t) => {
    const attacker = ({ mounts }: Pick<AbiOptions, "mounts">) =>
      attackerOf(program({ ...(mounts && { mounts }) }, "compiled"));
    await race(t, "directory", folder(), { rounds: 60, swaps: 100, attacker });
  });

test("[SEC-GUEST-3, SEC-GUEST-4, SEC-GUEST-5, WASI-TRAP-1, WASI-ERRNO-1] a hostile program, on both engines", (t) => {
  const tally: HostileTally = { calls: 0, ends: new Map() };
  for (let seed = 1; seed <= 8; seed++)
    for (const system of ["memory", "quota over memory", "quota over a directory"] as const)
      t.equal(hostile({ seed, calls: 300, system, folder, tally }), undefined);
  t.ok(tally.calls > 3000, `${tally.calls} calls`);
  for (const end of ["path_open 0", "fd_read 0", "fd_pwrite 0", "poll_oneoff 0", "fd_read BadPointer"])
    t.ok(tally.ends.has(end), end);
});

test("[SEC-GUEST-4] handles deep in a folder are small", (t) => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const names = Array.from({ length: 200 }, (_, k) => `name${k}`);
  const root = folder();
  nodeFs.mkdirSync(join(root, ...names), { recursive: true });
  nodeFs.writeFileSync(join(root, ...names, "f"), "");
  for (const platform of [process.platform, "darwin"])
    for (const [path, flags] of [
      [names.join("/"), OpenFlag.DIRECTORY],
      [[...names, "f"].join("/"), OpenFlag.READ],
    ] as const) {
      const guest = new Driver({ mounts: [{ guest: "/", fs: directoryFileSystem(root, { platform }) }] });
      guest.handle(path, flags);
      collect();
      const before = process.memoryUsage().heapUsed;
      for (let k = 0; k < 20; k++) guest.handle(path, flags);
      collect();
      const each = (process.memoryUsage().heapUsed - before) / 20;
      t.ok(each < 15_000, `${platform}, flags ${flags}: ${Math.round(each)} bytes`);
      t.equal(guest.stat("", 0, guest.handle(path, flags)).status, 0);
      guest.heap.close();
    }
});

test("[SEC-GUEST-4, FS-STAT-3, ABI-SNAPSHOT-3] the numbers of files that are made and removed are forgotten", (t) => {
  // As a host that gives an inode again at once.
  const again = (stats: VolumeStats): VolumeStats => (stats.isFile() ? Object.assign(stats, { ino: 7n }) : stats);
  const real = nodeFs as unknown as Volume;
  const volume: Volume = {
    ...real,
    fstatSync: (fd, options) => again(real.fstatSync(fd, options)),
    lstatSync: (path, options) => {
      const stats = real.lstatSync(path, options);
      return stats && again(stats);
    },
  };
  const abi = createAbi({ mounts: [{ guest: "/", fs: directoryFileSystem(folder(), { volume }) }] });
  const guest = new Driver(abi);
  const ids = new Set<number>();
  for (let k = 0; k < 5000; k++) {
    guest.close(guest.handle("/f", OpenFlag.WRITE | OpenFlag.CREATE));
    ids.add(guest.stat("/f").id);
    guest.unlink("/f");
  }
  t.equal(ids.size, 5000, "none is used again");
  t.ok(abi.state.save().length < 500, `${abi.state.save().length} bytes`);
});

/** Where a test's program keeps what it hands over. */
const OUT = 0x100;
const VECTORS = 0x200;
const PATH = 0x3000;
const DATA = 0x10000;

function vectors(guest: Driver, ...lengths: readonly number[]): [number, number] {
  for (const [k, length] of lengths.entries()) {
    guest.memory.view.setUint32(VECTORS + 8 * k, DATA, true);
    guest.memory.view.setUint32(VECTORS + 8 * k + 4, length, true);
  }
  return [VECTORS, lengths.length];
}

const wasi = (guest: Driver, name: string, ...words: readonly (number | Ref)[]): number | undefined =>
  guest.call(WASI_MODULE, name, ...words).returned;

function open(guest: Driver, path: string, oflags = 0, rights = 0x42): number {
  Buffer.from(guest.memory.bytes.buffer).write(path, PATH);
  return wasi(guest, "path_open", 3, 0, PATH, path.length, oflags, wide(rights), wide(0), 0, OUT)!;
}

for (const engine of ENGINES) {
  test(`[SEC-GUEST-5] another guest that runs where a stream goes (${engine} engine)`, (t) => {
    const other = program({ stdout: () => {} }, engine);
    const written: number[] = [];
    const guest = program(
      {
        mounts: [{ guest: "/", fs: new MemoryFileSystem() }],
        stdout: (bytes) => {
          written.push(bytes.length);
          wasi(other, "fd_write", 1, ...vectors(other, 3, 9000, 1), OUT);
        },
      },
      engine,
    );
    for (const lengths of [[5], [5, 7], [20_000], [6000, 5000, 4000]]) {
      written.length = 0;
      t.equal(wasi(guest, "fd_write", 1, ...vectors(guest, ...lengths), OUT), Errno.SUCCESS);
      const total = lengths.reduce((sum, length) => sum + length);
      t.equal(guest.memory.view.getUint32(OUT, true), total, `${lengths}`);
      t.equal(
        written.reduce((sum, length) => sum + length),
        total,
      );
    }
  });

  test(`[SEC-GUEST-4, WASI-FUEL-1] what a write is followed by has its price, too (${engine} engine)`, (t) => {
    const options = createAbi({ mounts: [{ guest: "/", fs: new MemoryFileSystem({ f: "" }) }] });
    let stand: EngineStand | undefined;
    const guest = new Driver(options, {}, (given) => {
      stand = standOn(engine)(given);
      return stand;
    });
    open(guest, "f");
    const fd = guest.memory.view.getUint32(OUT, true);
    const priceOf = (flags: number, length: number): bigint => {
      wasi(guest, "fd_fdstat_set_flags", fd, flags);
      const before = stand!.store.fuelUsed;
      t.equal(wasi(guest, "fd_write", fd, ...vectors(guest, length), OUT), Errno.SUCCESS);
      return stand!.store.fuelUsed - before;
    };
    for (const flags of [2, 16, 18]) {
      t.equal(priceOf(flags, 1) - priceOf(0, 1), 5000n);
      t.equal(priceOf(flags, 0) - priceOf(0, 0), 0n, "nothing is written");
    }
  });

  test(`[SEC-GUEST-4, WASI-FD-1] ten thousand descriptors (${engine} engine)`, (t) => {
    const mounts = [{ guest: "/", fs: new MemoryFileSystem({ f: "" }) }];
    const guest = program({ mounts, quota: { handles: 10_000 } }, engine, { heapObjects: 20_000 });
    let last = 0;
    for (let k = 1; k < 10_000; k++) {
      if (open(guest, "f") !== Errno.SUCCESS) t.fail(`open number ${k}`);
      last = guest.memory.view.getUint32(OUT, true);
    }
    t.equal(open(guest, "f"), Errno.DQUOT);
    // Each of them is the least number again.
    for (let k = 0; k < 5000; k++) {
      const fd = 4 + ((k * 7919) % 9_000);
      if (wasi(guest, "fd_close", fd) !== Errno.SUCCESS || open(guest, "f") !== Errno.SUCCESS) t.fail(`${fd}`);
      if (guest.memory.view.getUint32(OUT, true) !== fd) t.fail(`${fd} is free`);
    }
    t.ok(last >= 9999);
  });

  test(`[SEC-GUEST-4, WASI-POLL-2, WASI-ERRNO-3] counts of vectors and subscriptions (${engine} engine)`, (t) => {
    const guest = program({ stdin: new Uint8Array(0), stdout: () => {} }, engine);
    const size = guest.memory.bytes.length;
    for (const [name, fd] of [
      ["fd_read", 0],
      ["fd_write", 1],
    ] as const) {
      for (const count of [1025, 65_536])
        t.equal(wasi(guest, name, fd, VECTORS, count, OUT), Errno.INVAL, `${name} ${count}`);
      for (const count of [2 ** 18, 2 ** 27, 2 ** 29, 2 ** 31, 2 ** 32 - 1])
        t.equal(guest.trap(WASI_MODULE, name, fd, VECTORS, count, OUT), "BadPointer", `${name} ${count}`);
    }
    t.equal(guest.trap(WASI_MODULE, "fd_write", 1, size - 8, 2, OUT), "BadPointer");
    t.equal(
      wasi(guest, "fd_write", 1, ...vectors(guest, ...Array(1024).fill(2 ** 20 - 4096)), OUT),
      Errno.SUCCESS,
      "a gigabyte",
    );
    t.equal(guest.memory.view.getUint32(OUT, true), 1024 * (2 ** 20 - 4096));
    for (const count of [30_000, 2 ** 20, 2 ** 31, 2 ** 32 - 1])
      t.equal(guest.trap(WASI_MODULE, "poll_oneoff", 0, 0, count, OUT), "BadPointer", `${count}`);
    t.equal(guest.trap(WASI_MODULE, "poll_oneoff", size - 48, size - 31, 1, OUT), "BadPointer");
    t.equal(wasi(guest, "poll_oneoff", 0, 0, 0, OUT), Errno.INVAL);
  });
}

test("[SEC-GUEST-4, WASI-POLL-2] as many subscriptions as a memory holds", (t) => {
  const guest = new Driver({});
  const memory = new Memory({ minimum: 100, maximum: 100 });
  guest.callerMemory = memory;
  t.equal(wasi(guest, "poll_oneoff", 0, 0, 65_537, OUT), Errno.INVAL);
  t.equal(wasi(guest, "poll_oneoff", 0x1000, 0x1000, 65_536, OUT), Errno.SUCCESS);
  t.equal(memory.view.getUint32(OUT, true), 65_536, "clocks that are due");
});

test("[WASI-FD-1] the least free number, after any order of opening and closing", (t) => {
  const one: Descriptor = {
    type: "file",
    low: 1,
    high: 1,
    offset: 0,
    flags: 0,
    rights: 0,
    inheriting: 0,
    preopen: undefined,
  };
  for (let seed = 0; seed < 20; seed++) {
    const random = new Random(seed);
    let descriptors = new Descriptors();
    const open = new Set<number>();
    for (const isOpen of [false, true, true]) {
      descriptors.push(isOpen ? one : undefined);
      if (isOpen) open.add(open.size + 1);
    }
    const opens = random.pick([0.3, 0.5, 0.7]);
    for (let k = 0; k < 2000; k++) {
      if (open.size === 0 || random.chance(opens)) {
        let least = 0;
        while (open.has(least)) least++;
        if (descriptors.add(one) !== least) t.fail(`seed ${seed}, step ${k}`);
        open.add(least);
      } else {
        const fd = random.pick([...open]);
        descriptors.delete(fd);
        open.delete(fd);
      }
      if (random.chance(0.005)) descriptors = Descriptors.restore(descriptors.save())!;
    }
  }
  t.pass();
});
