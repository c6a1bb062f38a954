/** `fs.open`: which flags go together, what is opened, made and emptied, and what is not. */
import { Status } from "../../../syscalls/status.ts";
import { OpenFlag } from "../../../syscalls/table.ts";
import { NULL_REF } from "../driver.ts";
import { type Context, TREE } from "./context.ts";

const { READ, WRITE, CREATE, EXCLUSIVE, TRUNCATE, APPEND, DIRECTORY, NOFOLLOW } = OpenFlag;

/** Spec FS-OPEN-2, said once more in other words. */
function isSum(flags: number): boolean {
  const has = (flag: number): boolean => (flags & flag) !== 0;
  if (!has(READ | WRITE | DIRECTORY)) return false;
  if (has(CREATE | TRUNCATE | APPEND) && !has(WRITE)) return false;
  if (has(EXCLUSIVE) && !has(CREATE)) return false;
  if (has(APPEND) && has(READ)) return false;
  return !has(DIRECTORY) || (flags & ~(READ | NOFOLLOW | DIRECTORY)) === 0;
}

export function openCases({ capabilities, check, change, drive }: Context): void {
  const { writable } = capabilities;

  check("[FS-OPEN-3, FS-PATH-2] what a path names", (t) => {
    const guest = drive(TREE);
    t.equal(guest.contents("/a.txt"), "alpha");
    t.equal(guest.contents("a.txt"), "alpha");
    t.equal(guest.contents("//dir/.///b.txt"), "beta");
    t.equal(guest.contents("/dir/sub/c"), "");
    t.equal(guest.open("/none", READ).status, Status.NOT_FOUND);
    t.equal(guest.open("/none/x", READ).status, Status.NOT_FOUND);
    t.equal(guest.open("/a.txt/x", READ).status, Status.NOT_DIRECTORY);
    t.equal(guest.open("/dir", READ).status, Status.IS_DIRECTORY);
    t.equal(guest.open("/", READ).status, Status.IS_DIRECTORY);
    t.equal(guest.open("/a.txt", DIRECTORY).status, Status.NOT_DIRECTORY);
    t.equal(guest.open("/none", DIRECTORY).status, Status.NOT_FOUND);
    t.equal(guest.open("/dir", READ | DIRECTORY).status, Status.OK);
  });

  check("[FS-OPEN-2] which flags go together", (t) => {
    const guest = drive(TREE);
    for (let flags = 0; flags <= 255; flags++) {
      const { status, handle } = guest.open("/dir", flags);
      if (status === 0) guest.close(handle);
      const expected = !isSum(flags)
        ? Status.INVALID
        : (flags & WRITE) !== 0 && !writable
          ? Status.READ_ONLY
          : (flags & DIRECTORY) !== 0
            ? Status.OK
            : (flags & EXCLUSIVE) !== 0
              ? Status.EXISTS
              : Status.IS_DIRECTORY;
      t.equal(status, expected, `flags ${flags}`);
    }
    t.equal(guest.trap("fs", "open", NULL_REF, ...guest.path("/dir"), 256), "BadArgument");
  });

  check("[FS-PATH-4] a path that can only name a directory", (t) => {
    const guest = drive(TREE);
    t.equal(guest.open("/a.txt/", READ).status, Status.NOT_DIRECTORY);
    t.equal(guest.open("/a.txt/.", READ).status, Status.NOT_DIRECTORY);
    t.equal(guest.open("/a.txt/..", READ).status, Status.NOT_DIRECTORY);
    t.equal(guest.open("/dir/", READ).status, Status.IS_DIRECTORY);
    t.equal(guest.open("/dir/sub/..", READ).status, Status.IS_DIRECTORY);
    t.equal(guest.open("/none/", READ).status, Status.NOT_FOUND);
    for (const path of ["/dir/", "/dir/.", "/dir//", "/dir/sub/..", "/.", "/", "//", "."])
      t.equal(guest.open(path, DIRECTORY).status, Status.OK, path);
    t.equal(guest.open("/a.txt/", DIRECTORY).status, Status.NOT_DIRECTORY);
    if (!writable) return;
    t.equal(guest.open("/new/", WRITE | CREATE).status, Status.IS_DIRECTORY);
    t.equal(guest.open("/a.txt/", WRITE | CREATE | TRUNCATE).status, Status.IS_DIRECTORY);
    t.equal(guest.open("/a.txt/", WRITE | TRUNCATE).status, Status.NOT_DIRECTORY);
    t.equal(guest.contents("/a.txt"), "alpha");
    t.same(guest.names("/"), ["a.txt", "dir", "empty"]);
  });

  change("[FS-OPEN-4, FS-OPEN-5] create, exclusive, truncate", (t) => {
    const guest = drive(TREE);
    t.equal(guest.open("/new", WRITE).status, Status.NOT_FOUND);
    const created = guest.handle("/new", READ | WRITE | CREATE);
    t.equal(guest.size(created), 0);
    t.equal(guest.contents("/new"), "");
    t.equal(guest.open("/none/new", WRITE | CREATE).status, Status.NOT_FOUND);
    t.equal(guest.open("/a.txt/new", WRITE | CREATE).status, Status.NOT_DIRECTORY);
    t.equal(guest.open("/a.txt", WRITE | CREATE | EXCLUSIVE | TRUNCATE).status, Status.EXISTS);
    t.equal(guest.open("/dir", WRITE | CREATE | EXCLUSIVE).status, Status.EXISTS);
    t.equal(guest.open("/", WRITE | CREATE | EXCLUSIVE).status, Status.IS_DIRECTORY);
    t.equal(guest.open("/dir", WRITE | CREATE | TRUNCATE).status, Status.IS_DIRECTORY);
    t.equal(guest.contents("/a.txt"), "alpha");
    t.equal(guest.open("/fresh", WRITE | CREATE | EXCLUSIVE).status, Status.OK);
    t.equal(guest.open("/a.txt", WRITE | CREATE).status, Status.OK);
    t.equal(guest.contents("/a.txt"), "alpha");
    const file = guest.handle("/a.txt", READ | WRITE | TRUNCATE);
    t.equal(guest.size(file), 0);
    t.same(guest.names("/"), ["a.txt", "dir", "empty", "fresh", "new"]);
  });

  change("[FS-OPEN-5] emptying a file shows through every handle on it", (t) => {
    const guest = drive({ f: "text" });
    const before = guest.handle("/f", READ | WRITE);
    guest.close(guest.handle("/f", WRITE | TRUNCATE));
    t.equal(guest.size(before), 0);
    t.same(guest.read(before, 0, 4), { status: 0, bytes: 0, eof: 1, text: "" });
    t.same(guest.write(before, 2, "x"), { status: 0, bytes: 1 });
    t.equal(guest.contents("/f"), "\0\0x");
  });

  change("[FS-OPEN-6] no room for a handle: nothing is made or emptied", (t) => {
    // One object is the driver's own memory.
    const guest = drive({ f: "text" }, { heapObjects: 2 });
    const held = guest.handle("/f", READ);
    t.same(guest.open("/new", WRITE | CREATE), { status: Status.QUOTA, handle: NULL_REF });
    t.equal(guest.open("/f", WRITE | TRUNCATE).status, Status.QUOTA);
    t.equal(guest.size(held), 4);
    guest.close(held);
    t.same(guest.names("/"), ["f"]);
  });

  check("[FS-QUOTA-1] no more handles than the quota says", (t) => {
    const guest = drive(TREE, { quota: { handles: 2 } });
    const file = guest.handle("/a.txt", READ);
    const dir = guest.handle("/dir", DIRECTORY);
    t.same(guest.open("/a.txt", READ), { status: Status.QUOTA, handle: NULL_REF });
    t.same(guest.open("/dir", DIRECTORY), { status: Status.QUOTA, handle: NULL_REF });
    if (writable) t.same(guest.open("/new", WRITE | CREATE), { status: Status.QUOTA, handle: NULL_REF });
    t.equal(guest.stat("/none").status, Status.NOT_FOUND, "calls without a handle are not concerned");
    guest.close(dir);
    t.same(guest.names("/"), ["a.txt", "dir", "empty"]);
    guest.close(file);
    const two = [guest.handle("/a.txt", READ), guest.handle("/a.txt", READ)];
    t.equal(guest.open("/a.txt", READ).status, Status.QUOTA);
    for (const handle of two) guest.close(handle);
  });

  change("[ABI-CLOSE-1] handles are independent, and gone when closed", (t) => {
    const guest = drive({ f: "text" });
    const one = guest.handle("/f", READ);
    const two = guest.handle("/f", READ | WRITE);
    t.equal(guest.close(one), 0);
    t.equal(guest.trap("fs", "size", one), "HeapRefStale");
    t.equal(guest.trap("fs", "close", one), "HeapRefStale");
    t.same(guest.write(two, 4, "!"), { status: 0, bytes: 1 });
    t.equal(guest.size(two), 5);
    t.equal(guest.close(two), 0);
    t.equal(guest.heap.objects, 1);
  });

  check("[ABI-ORDER-1, ABI-CLOSE-1] handles that are closed, null or of another kind", (t) => {
    const guest = drive(TREE);
    const closed = guest.handle("/a.txt", READ);
    guest.close(closed);
    const file = guest.handle("/a.txt", READ);
    const dir = guest.handle("/dir", DIRECTORY);
    const path = guest.path("x");
    const window = [guest.own, 0, 4] as const;
    const calls: readonly [
      name: string,
      takes: string,
      before: readonly [],
      after: readonly (number | typeof NULL_REF)[],
    ][] = [
      ["read", "file", [], [NULL_REF, ...window]],
      ["write", "file", [], [NULL_REF, ...window]],
      ["size", "file", [], []],
      ["truncate", "file", [], [NULL_REF]],
      ["sync", "any", [], []],
      ["list", "dir", [], [NULL_REF, ...window]],
      ["close", "any", [], []],
      ["open", "base", [], [...path, READ]],
      ["stat", "either", [], [...path, 0]],
      ["set_times", "either", [], [...path, 0, NULL_REF, NULL_REF]],
      ["readlink", "base", [], [...path, ...window]],
      ["mkdir", "base", [], path],
      ["rmdir", "base", [], path],
      ["unlink", "base", [], path],
      ["rename", "base", [], [...path, NULL_REF, ...path]],
      ["link", "base", [], [...path, NULL_REF, ...path]],
    ];
    for (const [name, takes, before, after] of calls) {
      t.equal(guest.trap("fs", name, ...before, closed, ...after), "HeapRefStale", `${name}: closed`);
      t.equal(guest.trap("fs", name, ...before, guest.own, ...after), "HeapRefKind", `${name}: of another kind`);
      if (takes === "file" || takes === "any" || takes === "dir")
        t.equal(guest.trap("fs", name, ...before, NULL_REF, ...after), "HeapRefNull", `${name}: null`);
      if (takes === "file") t.equal(guest.trap("fs", name, ...before, dir, ...after), "HeapRefKind", `${name}: a Dir`);
      if (takes === "dir" || takes === "base")
        t.equal(guest.trap("fs", name, ...before, file, ...after), "HeapRefKind", `${name}: a File`);
    }
    for (const name of ["rename", "link"]) {
      t.equal(guest.trap("fs", name, NULL_REF, ...path, closed, ...path), "HeapRefStale", `${name}: second closed`);
      t.equal(guest.trap("fs", name, NULL_REF, ...path, file, ...path), "HeapRefKind", `${name}: second a File`);
    }
    t.equal(guest.trap("fs", "symlink", ...path, closed, ...path), "HeapRefStale");
    t.equal(guest.trap("fs", "symlink", ...path, file, ...path), "HeapRefKind");
    t.equal(guest.contents("/a.txt"), "alpha");
    t.same(guest.names("/"), ["a.txt", "dir", "empty"]);
  });
}
