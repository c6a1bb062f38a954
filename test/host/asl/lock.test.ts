/** One writer at a time: every interleaving of a few processes, and what a process is told apart by. */
import t from "tap";
import { acquireLock, currentHolder, lockedError, waitForLock, waitForLockSync } from "../../../host/asl/lock.ts";
import { type Owner, type Owners, type ProcessTable, processOwners } from "../../../host/asl/owner.ts";
import type { Volume, VolumeFile } from "../../../host/asl/volume.ts";
import { explore, explored, FolderState, volumeOf } from "./lock-interleaving.ts";

const owner = (pid: number): Owner => ({ boot: "b", spaces: "pid:[1]", pid, start: "1", host: "h" });

/** Processes of which a test says who lives. */
function ownersOf(pid: number, isAlive: (other: Owner) => boolean | undefined = () => true): Owners {
  let count = 0;
  return { self: () => owner(pid), isAlive, token: () => `${pid}-${count++}` };
}

function must(volume: Volume, owners: Owners) {
  const attempt = acquireLock(volume, owners);
  if (!("lock" in attempt)) throw lockedError(attempt.heldBy);
  return attempt.lock;
}

t.test("[ASL-LOCK-1] One holds the lock, the others are told who; a released one leaves its epoch behind", (t) => {
  const state = new FolderState();
  const volume = volumeOf(state);
  const first = must(volume, ownersOf(1));
  t.equal(first.epoch, 1);
  t.ok(first.isStillOurs());
  const attempt = acquireLock(volume, ownersOf(2));
  t.match(attempt, { heldBy: { epoch: 1, owner: owner(1), isKnownAlive: true } });
  t.match(currentHolder(volume, ownersOf(2)), { epoch: 1 });
  first.release();
  t.notOk(first.isStillOurs());
  t.equal(currentHolder(volume, ownersOf(2)), undefined);
  t.same([...state.files.keys()], ["LOCK.0000000000000001"]);
  const second = must(volume, ownersOf(2));
  t.equal(second.epoch, 2);
  t.same([...state.files.keys()], ["LOCK.0000000000000002"]);
  first.release();
  t.ok(second.isStillOurs(), "one that was released changes nothing any more");
  t.end();
});

t.test("[ASL-LOCK-1] Every interleaving of two and three processes, some of which die: never two writers", (t) => {
  explored(t, [
    { attempts: [1, 1], deaths: 0, before: "none", least: 200 },
    { attempts: [1, 1], deaths: 1, before: "dead", least: 2_000 },
    { attempts: [2, 1], deaths: 0, before: "released", least: 500 },
    { attempts: [1, 1, 1], deaths: 0, before: "none", least: 10_000 },
  ]);
  t.end();
});

t.test("Interleavings find what is wrong with a lock that looks at listings alone", (t) => {
  const result = explore([1, 3], 0, "dead", "does not look back");
  t.match(result.violation, /two writers|an epoch twice/);
  t.end();
});

t.test("[ASL-LOCK-2] Who is dead: another boot, no such process, another start, one that nobody waited for", (t) => {
  const stat = (pid: number, start: number, state = "S", threads = 1): string =>
    `${pid} (a (b) c) ${state} 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 ${threads} 0 ${start} 0 0`;
  const table = (changes: Partial<Record<string, string>> = {}, more: Partial<ProcessTable> = {}): ProcessTable => {
    const files: Record<string, string | undefined> = {
      "/proc/sys/kernel/random/boot_id": "boot-1\n",
      "/etc/machine-id": "machine\n",
      "/proc/self/stat": stat(10, 500),
      "/proc/20/stat": stat(20, 700),
      "/proc/self": "10",
      "/proc/self/ns/pid": "pid:[1]",
      "/proc/self/ns/time": "time:[1]",
      ...changes,
    };
    const read = (path: string): string | undefined => files[path];
    return { pid: 10, read, link: read, exists: (pid) => pid < 100, hostName: () => "host", ...more };
  };
  const owners = processOwners(table());
  const self = owners.self();
  t.same(self, { boot: "boot-1", spaces: "pid:[1] time:[1]", pid: 10, start: "500", host: "host machine" });
  const other = { ...self, pid: 20, start: "700" };
  t.equal(owners.isAlive(self), true);
  t.equal(owners.isAlive(other), true);
  t.equal(owners.isAlive({ ...other, pid: 200 }), false, "no such process");
  t.equal(owners.isAlive({ ...other, start: "699" }), false, "its number was given to another");
  t.equal(owners.isAlive({ ...other, boot: "boot-0" }), false, "another run of the kernel");
  t.equal(owners.isAlive({ ...other, boot: "boot-0", spaces: "pid:[2] time:[1]" }), undefined);
  t.equal(owners.isAlive({ ...other, pid: 200, spaces: "pid:[2] time:[1]" }), undefined, "never presumed dead");
  t.equal(owners.isAlive({ ...other, pid: 200, host: "host2 machine" }), undefined, "another machine");
  const zombie = (threads: number) => processOwners(table({ "/proc/20/stat": stat(20, 700, "Z", threads) }));
  t.equal(zombie(1).isAlive(other), false);
  t.equal(zombie(2).isAlive(other), true, "a thread of it may still write");
  const hidden = processOwners(table({ "/proc/20/stat": undefined as never }));
  t.equal(hidden.isAlive({ ...other, start: "1" }), true, "a /proc that hides the processes of others");
  const foreign = processOwners(table({ "/proc/self": "4711" }));
  t.equal(foreign.isAlive({ ...other, start: "1" }), true, "a /proc of another namespace");
  t.equal(foreign.isAlive({ ...other, pid: 200 }), false);
  const bare = processOwners({ ...table(), read: () => undefined, link: () => undefined });
  const there = { ...bare.self(), pid: 20 };
  t.same(bare.self(), { boot: "", spaces: "", pid: 10, start: "", host: "host" });
  t.equal(bare.isAlive(there), true);
  t.equal(bare.isAlive({ ...there, pid: 200 }), false, "systems without /proc know that much");
  t.equal(bare.isAlive({ ...there, boot: "x" }), undefined);
  const blind = processOwners(table({}, { exists: () => undefined }));
  t.equal(blind.isAlive(other), undefined);
  t.not(owners.token(), owners.token());
  t.end();
});

t.test("[ASL-LOCK-2] This process is alive, also on this system", (t) => {
  const owners = processOwners();
  t.equal(owners.self().pid, process.pid);
  t.equal(owners.isAlive(owners.self()), true);
  t.equal(owners.isAlive({ ...owners.self(), pid: 2 ** 30 }), false);
  t.end();
});

t.test("[ASL-LOCK-3] Whoever may be alive is waited for, and named when the time is up", async (t) => {
  const volume = volumeOf(new FolderState());
  must(volume, ownersOf(77));
  const told: number[] = [];
  const waiting = waitForLock(
    volume,
    ownersOf(2, () => undefined),
    20,
    ({ epoch }) => told.push(epoch),
  );
  await t.rejects(waiting, { code: "ASL-LOCKED", message: /LOCK\.0000000000000001: process 77 on h writes.*0\.02 s/ });
  t.same(told, [1], "once for each holder");
  t.throws(() => waitForLockSync(volume, ownersOf(2), 0), { code: "ASL-LOCKED" });
  t.throws(() => waitForLockSync(volume, ownersOf(2), 5), { code: "ASL-LOCKED" });
  t.equal(
    waitForLockSync(
      volume,
      ownersOf(2, () => false),
      0,
    ).epoch,
    2,
    "a dead one is not waited for",
  );
});

t.test("[ASL-LOCK-3] Two wait, and get it one behind the other", async (t) => {
  const volume = volumeOf(new FolderState());
  const first = must(volume, ownersOf(1));
  const epochs: number[] = [];
  const waits = [2, 3].map(async (pid) => {
    const lock = await waitForLock(volume, ownersOf(pid), 10_000);
    epochs.push(lock.epoch);
    lock.release();
  });
  setTimeout(() => first.release(), 5);
  await Promise.all(waits);
  t.same(epochs, [2, 3]);
});

t.test("[ASL-LOCK-4] What says nothing of its owner is held, until someone says that it is not", (t) => {
  for (const text of ["", "held", "held    \nboot x\n", "rubbish"]) {
    const state = new FolderState();
    state.files.set("LOCK.0000000000000007", text);
    const volume = volumeOf(state);
    const attempt = acquireLock(volume, ownersOf(1));
    t.match(attempt, { heldBy: { epoch: 7, isKnownAlive: false } });
    t.equal(Object.hasOwn(attempt, "lock"), false);
    if ("heldBy" in attempt) t.match(lockedError(attempt.heldBy).message, /put "released"/);
    state.files.set("LOCK.0000000000000007", `released${text.slice(8)}`);
    t.equal(must(volume, ownersOf(1)).epoch, 8);
  }
  t.end();
});

t.test("[ASL-LOCK-5] A copy of a store without its locks goes on behind the epochs of its log", (t) => {
  const state = new FolderState();
  const volume = volumeOf(state);
  const lock = must(volume, ownersOf(1));
  t.equal(lock.raise(0).epoch, 1);
  t.equal(lock.raise(41).epoch, 42);
  t.same([...state.files.keys()], ["LOCK.000000000000002a"]);
  lock.release();
  t.equal(must(volume, ownersOf(2)).epoch, 43);
  t.throws(() => lock.raise(50), { code: "ASL-EPOCH" });
  t.end();
});

t.test("[ASL-LOCK-6] The file is whole and on disk before its name, its name before the lower ones go", (t) => {
  const calls: string[] = [];
  const volume = noting(volumeOf(new FolderState()), calls);
  must(
    volume,
    ownersOf(1, () => false),
  );
  must(
    volume,
    ownersOf(2, () => false),
  );
  const from = calls.lastIndexOf("create LOCK.tmp-2-0");
  t.same(
    calls.slice(from).filter((call) => !/^(list|read|close)/.test(call)),
    [
      "create LOCK.tmp-2-0",
      "sync LOCK.tmp-2-0",
      "link LOCK.0000000000000002",
      "remove LOCK.tmp-2-0",
      "syncFolder ",
      "remove LOCK.0000000000000001",
    ],
  );
  t.end();
});

t.test("[ASL-LOCK-6] What a volume refuses is told by a code, and no lock is left", (t) => {
  for (const [fails, code] of [
    ["list", "ASL-READ"],
    ["create", "ASL-WRITE"],
    ["sync", "ASL-WRITE"],
    ["link", "ASL-WRITE"],
  ] as const) {
    const state = new FolderState();
    const volume = noting(volumeOf(state), [], fails);
    t.throws(() => acquireLock(volume, ownersOf(1)), { code }, fails);
    t.equal(currentHolder(volumeOf(state), ownersOf(2)), undefined);
  }
  t.end();
});

/** The volume, with its calls noted, of which one kind fails. */
function noting(volume: Volume, calls: string[], fails?: string): Volume {
  const note = (call: string, path: string): void => {
    calls.push(`${call} ${path}`);
    if (call === fails) throw Object.assign(new Error("EIO"), { code: "EIO" });
  };
  return {
    ...volume,
    open: (path, mode) => {
      note(mode, path);
      const file = volume.open(path, mode);
      const noted: VolumeFile = Object.create(file);
      noted.sync = () => note("sync", path);
      noted.write = (...how) => file.write(...how);
      noted.read = (...how) => file.read(...how);
      noted.size = () => file.size();
      noted.close = () => file.close();
      return noted;
    },
    list: (folder) => {
      note("list", folder);
      return volume.list(folder);
    },
    link: (from, to) => {
      note("link", to);
      volume.link(from, to);
    },
    remove: (path) => {
      volume.remove(path);
      note("remove", path);
    },
    syncFolder: (path) => note("syncFolder", path),
  };
}
