/**
 * The contract of a file system behind the `fs` syscalls (spec 16, FS and ABI-TRANSFER), for any implementation of
 * `FileSystem`: run it from a test of your own with `suite({ test, create })`. What a backend's manifest says it cannot
 * do, the suite asserts to be refused.
 */
import type { FileSystem } from "../../host/fs/file-system.ts";
import { Status } from "../../syscalls/status.ts";
import { OpenFlag } from "../../syscalls/table.ts";
import { Driver, type Ref } from "./driver.ts";

const { READ, WRITE, CREATE, EXCLUSIVE, TRUNCATE, APPEND, DIRECTORY, NOFOLLOW } = OpenFlag;

/** A file's contents, null for a directory, or a symbolic link (only given to file systems that declare them). */
export type Tree = { readonly [path: string]: string | null | { readonly link: string } };

/** The assertions used; node:test's `assert` and tap's `t` both fit. */
export interface Assert {
  equal(actual: unknown, expected: unknown, ...message: [] | [string]): unknown;
  same(actual: unknown, expected: unknown, ...message: [] | [string]): unknown;
}

export interface SuiteOptions {
  /** Name of the file system, for titles. */
  readonly name: string;
  readonly test: (title: string, body: (t: Assert) => void) => unknown;
  /** A new file system that holds exactly `tree`; directories above files are made. */
  readonly create: (tree: Tree) => FileSystem;
}

export function suite({ name, test, create }: SuiteOptions): void {
  const { writable, symlinks } = create({}).capabilities;
  const drive = (tree: Tree, limits?: { heapObjects?: number }): Driver =>
    new Driver({ mounts: [{ guest: "/", fs: create(tree) }] }, limits);
  const check = (title: string, body: (t: Assert) => void): unknown => test(`${name}: ${title}`, body);
  const tree: Tree = { "a.txt": "alpha", "dir/b.txt": "beta", "dir/sub/c": "", empty: null };

  check("[FS-OPEN-3, FS-PATH-2] what a path names", (t) => {
    const guest = drive(tree);
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

  check("[FS-PATH-4] a path that can only name a directory", (t) => {
    const guest = drive(tree);
    t.equal(guest.open("/a.txt/", READ).status, Status.NOT_DIRECTORY);
    t.equal(guest.open("/a.txt/.", READ).status, Status.NOT_DIRECTORY);
    t.equal(guest.open("/dir/", READ).status, Status.IS_DIRECTORY);
    t.equal(guest.open("/none/", READ).status, Status.NOT_FOUND);
    t.equal(guest.open("/dir/", DIRECTORY).status, Status.OK);
    t.equal(guest.open("/dir/.", DIRECTORY).status, Status.OK);
    t.equal(guest.open("/a.txt/", DIRECTORY).status, Status.NOT_DIRECTORY);
    if (!writable) return;
    t.equal(guest.open("/new/", WRITE | CREATE).status, Status.IS_DIRECTORY);
    t.equal(guest.open("/a.txt/", WRITE | CREATE | TRUNCATE).status, Status.IS_DIRECTORY);
    t.equal(guest.open("/a.txt/", WRITE | TRUNCATE).status, Status.NOT_DIRECTORY);
    t.equal(guest.contents("/a.txt"), "alpha");
    t.same(guest.names("/"), ["a.txt", "dir", "empty"]);
  });

  check("[ABI-TRANSFER-4, ABI-TRANSFER-8] reads, short only at the end", (t) => {
    const guest = drive({ f: "0123456789" });
    const file = guest.handle("/f", READ);
    t.same(guest.read(file, 0, 4), { status: 0, bytes: 4, eof: 0, text: "0123" });
    t.same(guest.read(file, 4, 6), { status: 0, bytes: 6, eof: 1, text: "456789" });
    t.same(guest.read(file, 8, 100), { status: 0, bytes: 2, eof: 1, text: "89" });
    t.same(guest.read(file, 9, 0), { status: 0, bytes: 0, eof: 0, text: "" });
    t.same(guest.read(file, 10, 0), { status: 0, bytes: 0, eof: 1, text: "" });
    t.same(guest.read(file, 10, 5), { status: 0, bytes: 0, eof: 1, text: "" });
    t.same(guest.read(file, 2 ** 40, 5), { status: 0, bytes: 0, eof: 1, text: "" });
    t.same(guest.read(file, 2 ** 53 - 2, 5), { status: 0, bytes: 0, eof: 1, text: "" });
    t.same(guest.read(file, 2 ** 53 - 1, 5), { status: 0, bytes: 0, eof: 1, text: "" });
    t.same(guest.read(file, 2 ** 62, 5), { status: 0, bytes: 0, eof: 1, text: "" });
    t.equal(guest.size(file), 10);
    t.equal(guest.close(file), 0);
    const empty = drive({ f: "" });
    t.same(empty.read(empty.handle("/f", READ), 0, 9), { status: 0, bytes: 0, eof: 1, text: "" });
  });

  check("[ABI-TRANSFER-4] large reads and writes in one call", (t) => {
    const text = Array.from({ length: 20_000 }, (_, k) => `${k}`.padStart(10, "0")).join("");
    const guest = drive({ f: text });
    const whole = guest.read(guest.handle("/f", READ), 0, 200_001);
    t.same([whole.bytes, whole.eof, whole.text === text], [200_000, 1, true]);
    const first = guest.read(guest.handle("/f", READ), 0, 199_999);
    t.same([first.bytes, first.eof, first.text === text.slice(0, -1)], [199_999, 0, true]);
    if (!writable) return;
    t.same(guest.write(guest.handle("/g", WRITE | CREATE), 0, text), { status: 0, bytes: 200_000 });
    t.equal(guest.contents("/g") === text, true);
  });

  check("[FS-LIST-1, FS-LIST-2, FS-LIST-3] listings are sorted by bytes and go on from a cookie", (t) => {
    const guest = drive({
      "d/b": "",
      "d/a": "",
      "d/ab": "",
      "d/Z": "",
      "d/é": "",
      "d/\u{1f600}": "",
      "d/ﬁ": "",
      "d/s/x": "",
    });
    const dir = guest.handle("/d", DIRECTORY);
    const all = guest.list(dir, 0, 1000);
    const order = ["Z", "a", "ab", "b", "s", "é", "ﬁ", "\u{1f600}"];
    t.same(
      all.entries,
      order.map((entry) => ({ kind: entry === "s" ? 2 : 1, name: entry })),
    );
    t.same([all.status, all.eof, all.next], [0, 1, 8]);
    // Z 3 bytes, a 3, ab 4: nine bytes hold two records.
    const part = guest.list(dir, 0, 9);
    t.same([part.entries.map((entry) => entry.name), part.eof, part.next], [["Z", "a"], 0, 2]);
    const rest = guest.list(dir, 2, 1000);
    t.same([rest.entries.map((entry) => entry.name), rest.eof, rest.next], [order.slice(2), 1, 8]);
    t.same(guest.list(dir, 8, 0), { status: 0, entries: [], eof: 1, next: 8 });
    t.same(guest.list(dir, 9, 100), { status: Status.INVALID, entries: [], eof: 0, next: 0 });
    t.same(guest.list(dir, 2, 3), { status: Status.INVALID, entries: [], eof: 0, next: 0 });
    t.same(guest.list(dir, 2 ** 60, 100).status, Status.INVALID);
    const none = drive({ empty: null });
    t.same(none.list(none.handle("/empty", DIRECTORY), 0, 0), { status: 0, entries: [], eof: 1, next: 0 });
    const longest = drive({ [`d/${"n".repeat(255)}`]: "" });
    const long = longest.handle("/d", DIRECTORY);
    t.equal(longest.list(long, 0, 256).status, Status.INVALID);
    t.equal(longest.list(long, 0, 257).entries[0]?.name.length, 255);
  });

  check("[FS-PATH-3] names of 255 bytes and no more", (t) => {
    const guest = drive({ ["n".repeat(255)]: "long", ["é".repeat(127)]: "wide" });
    t.equal(guest.contents(`/${"n".repeat(255)}`), "long");
    t.equal(guest.contents(`/${"é".repeat(127)}`), "wide");
    t.equal(guest.open(`/${"n".repeat(256)}`, READ).status, Status.NAME_TOO_LONG);
    t.equal(guest.open(`/${"é".repeat(128)}`, READ).status, Status.NAME_TOO_LONG);
    t.equal(guest.open("/dir/../a.txt", READ).status, Status.ACCESS);
    t.equal(guest.open("/..", DIRECTORY).status, Status.ACCESS);
  });

  check("[FS-OPEN-7] NOFOLLOW and links", (t) => {
    const guest = drive({ "f.txt": "file", ...(symlinks ? { link: { link: "f.txt" } } : {}) });
    t.equal(guest.open("/f.txt", READ | NOFOLLOW).status, Status.OK);
    if (!symlinks) return;
    t.equal(guest.contents("/link"), "file");
    t.equal(guest.open("/link", READ | NOFOLLOW).status, Status.LOOP);
    t.same(guest.list(guest.handle("/", DIRECTORY), 0, 100).entries, [
      { kind: 1, name: "f.txt" },
      { kind: 3, name: "link" },
    ]);
  });

  if (!writable) {
    check("[FS-MOUNT-2] every change is READ_ONLY", (t) => {
      const guest = drive(tree);
      for (const flags of [WRITE, WRITE | CREATE, WRITE | TRUNCATE, WRITE | APPEND, READ | WRITE])
        t.equal(guest.open("/a.txt", flags).status, Status.READ_ONLY);
      t.equal(guest.open("/new", WRITE | CREATE).status, Status.READ_ONLY);
      t.equal(guest.contents("/a.txt"), "alpha");
    });
    return;
  }

  check("[FS-OPEN-4, FS-OPEN-5] create, exclusive, truncate", (t) => {
    const guest = drive(tree);
    t.equal(guest.open("/new", WRITE).status, Status.NOT_FOUND);
    const created = guest.handle("/new", READ | WRITE | CREATE);
    t.equal(guest.size(created), 0);
    t.equal(guest.contents("/new"), "");
    t.equal(guest.open("/none/new", WRITE | CREATE).status, Status.NOT_FOUND);
    t.equal(guest.open("/a.txt/new", WRITE | CREATE).status, Status.NOT_DIRECTORY);
    t.equal(guest.open("/a.txt", WRITE | CREATE | EXCLUSIVE | TRUNCATE).status, Status.EXISTS);
    t.equal(guest.open("/dir", WRITE | CREATE | EXCLUSIVE).status, Status.EXISTS);
    t.equal(guest.open("/dir", WRITE | CREATE | TRUNCATE).status, Status.IS_DIRECTORY);
    t.equal(guest.contents("/a.txt"), "alpha");
    t.equal(guest.open("/fresh", WRITE | CREATE | EXCLUSIVE).status, Status.OK);
    t.equal(guest.open("/a.txt", WRITE | CREATE).status, Status.OK);
    t.equal(guest.contents("/a.txt"), "alpha");
    const file = guest.handle("/a.txt", READ | WRITE | TRUNCATE);
    t.equal(guest.size(file), 0);
    t.same(guest.names("/"), ["a.txt", "dir", "empty", "fresh", "new"]);
  });

  check("[ABI-TRANSFER-6] writes: whole, anywhere, holes are zero", (t) => {
    const guest = drive({ f: "0123456789" });
    const file = guest.handle("/f", READ | WRITE);
    t.same(guest.write(file, 2, "ab"), { status: 0, bytes: 2 });
    t.equal(guest.contents("/f"), "01ab456789");
    t.same(guest.write(file, 9, "xyz"), { status: 0, bytes: 3 });
    t.equal(guest.size(file), 12);
    t.same(guest.write(file, 15, "!"), { status: 0, bytes: 1 });
    t.equal(guest.contents("/f"), "01ab45678xyz\0\0\0!");
    t.same(guest.write(file, 100, ""), { status: 0, bytes: 0 });
    t.equal(guest.size(file), 16);
    t.same(guest.read(file, 14, 10), { status: 0, bytes: 2, eof: 1, text: "\0!" });
    t.same(guest.write(file, 2 ** 53 - 1, "x"), { status: Status.TOO_LARGE, bytes: 0 });
    t.equal(guest.size(file), 16);
  });

  check("[ABI-TRANSFER-3] files opened to append", (t) => {
    const guest = drive({ log: "one" });
    const log = guest.handle("/log", WRITE | APPEND);
    t.same(guest.write(log, -1, "two"), { status: 0, bytes: 3 });
    t.same(guest.write(guest.handle("/log", WRITE), 6, "three"), { status: 0, bytes: 5 });
    t.same(guest.write(log, -1, "four"), { status: 0, bytes: 4 });
    t.equal(guest.contents("/log"), "onetwothreefour");
    t.same(guest.write(log, 0, "no"), { status: Status.INVALID, bytes: 0 });
    t.equal(guest.contents("/log"), "onetwothreefour");
    const fresh = guest.handle("/fresh", WRITE | CREATE | APPEND);
    t.same(guest.write(fresh, -1, "a"), { status: 0, bytes: 1 });
    t.equal(guest.contents("/fresh"), "a");
  });

  check("[ABI-TRANSFER-7] handles allow what they were opened for", (t) => {
    const guest = drive({ f: "text" });
    t.same(guest.write(guest.handle("/f", READ), 0, "x"), { status: Status.ACCESS, bytes: 0 });
    t.same(guest.read(guest.handle("/f", WRITE), 0, 4), { status: Status.ACCESS, bytes: 0, eof: 0, text: "" });
    t.equal(guest.contents("/f"), "text");
  });

  check("[FS-LIST-1] a listing under way does not see changes", (t) => {
    const guest = drive({ "d/b": "", "d/d": "" });
    const dir = guest.handle("/d", DIRECTORY);
    t.same(guest.list(dir, 0, 3).entries, [{ kind: 1, name: "b" }]);
    guest.handle("/d/a", WRITE | CREATE);
    guest.handle("/d/c", WRITE | CREATE);
    t.same(guest.list(dir, 1, 100).entries, [{ kind: 1, name: "d" }]);
    t.same(
      guest.list(dir, 0, 100).entries.map((entry) => entry.name),
      ["a", "b", "c", "d"],
    );
  });

  check("[FS-OPEN-6] no room for a handle: nothing is made or emptied", (t) => {
    // One object is the driver's own memory.
    const guest = drive({ f: "text" }, { heapObjects: 2 });
    const held = guest.handle("/f", READ);
    t.same(guest.open("/new", WRITE | CREATE), { status: Status.QUOTA, handle: [0, 0] as Ref });
    t.equal(guest.open("/f", WRITE | TRUNCATE).status, Status.QUOTA);
    t.equal(guest.size(held), 4);
    guest.close(held);
    t.same(guest.names("/"), ["f"]);
  });

  check("[ABI-CLOSE-1] handles are independent, and gone when closed", (t) => {
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
}
