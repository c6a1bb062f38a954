/** The file systems `memory` and `overlay` at their own interface: quotas, times, snapshots, and what shows through. */
import nodeFs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import t, { type Test } from "tap";
import { directoryFileSystem } from "../../host/fs/directory.ts";
import {
  type EntryKind,
  type FileSystem,
  type Folder,
  type OpenDirectory,
  type OpenFile,
  type Outcome,
  RETRY,
  type Stat,
  type Transfer,
} from "../../host/fs/file-system.ts";
import { MemoryFileSystem, type MemoryQuota } from "../../host/fs/memory.ts";
import { overlayFileSystem } from "../../host/fs/overlay.ts";
import { Status } from "../../syscalls/status.ts";
import { OpenFlag } from "../../syscalls/table.ts";
import { Driver } from "../conformance/driver.ts";

const { READ, WRITE, CREATE, TRUNCATE, DIRECTORY } = OpenFlag;
const transfer: Transfer = { bytes: 0, eof: false };

const test = (title: string, body: (t: Test) => void): unknown => t.test(title, async (t) => body(t));

// ---- calls at the interface

function isNode<T extends object>(outcome: T | Outcome): outcome is T {
  return typeof outcome === "object";
}

/** What a call must answer, not a status. */
function got<T extends object>(outcome: T | Outcome): T {
  if (!isNode(outcome)) throw new Error(`status ${outcome}`);
  return outcome;
}

function folderAt(fs: FileSystem, path: string): Folder {
  let folder = fs.root;
  for (const name of path.split("/").filter((part) => part !== "")) {
    const found = got(fs.lookup(folder, name));
    if (found.kind !== "directory") throw new Error(`${path}: ${name} is a ${found.kind}`);
    folder = found.folder;
  }
  return folder;
}

/** A folder and a name, from a path. */
function at(fs: FileSystem, path: string): [Folder, string] {
  const end = path.lastIndexOf("/");
  return [folderAt(fs, path.slice(0, Math.max(end, 0))), path.slice(end + 1)];
}

function open(fs: FileSystem, path: string, flags: number = READ | WRITE): OpenFile {
  return got(fs.open(...at(fs, path), flags));
}

function statAt(fs: FileSystem, path: string): Stat {
  return got(fs.stat(...at(fs, path)));
}

function readAll(file: OpenFile): string {
  file.size(transfer);
  const bytes = Buffer.alloc(transfer.bytes + 3, "?");
  const status = file.read(0, bytes, transfer);
  if (status !== Status.OK || !transfer.eof) throw new Error(`status ${status}, eof ${transfer.eof}`);
  return bytes.subarray(0, transfer.bytes).toString("latin1");
}

function contents(fs: FileSystem, path: string): string {
  const file = open(fs, path, READ);
  const text = readAll(file);
  file.close();
  return text;
}

function write(file: OpenFile, position: number, text: string): Status {
  return file.write(position, Buffer.from(text, "latin1"));
}

function names(directory: OpenDirectory): string[] {
  const entries = directory.list();
  if (typeof entries === "number") throw new Error(`status ${entries}`);
  return entries.map(({ name }) => Buffer.from(name).toString()).sort();
}

function listed(fs: FileSystem, path: string): string[] {
  const directory = got(fs.openDirectory(folderAt(fs, path)));
  const all = names(directory);
  directory.close();
  return all;
}

/** A line for everything in a tree. */
function dump(fs: FileSystem, folder: Folder = fs.root, prefix = ""): string[] {
  const lines: string[] = [];
  const directory = got(fs.openDirectory(folder));
  for (const name of names(directory)) {
    const { kind, bytes, links, accessed, modified, changed } = got(fs.stat(folder, name));
    const found = got(fs.lookup(folder, name));
    const line = `${prefix}${name} ${kind} ${bytes} ${links} ${accessed} ${modified} ${changed}`;
    if (found.kind === "symlink") lines.push(`${line} ${found.target}`);
    else if (found.kind === "file") {
      const file = got(fs.open(folder, name, READ));
      lines.push(`${line} ${readAll(file)}`);
      file.close();
    } else if (found.kind === "directory") lines.push(line, ...dump(fs, found.folder, `${prefix}${name}/`));
    else lines.push(line);
  }
  directory.close();
  return lines;
}

/** What a failed call must leave as it was. */
function state(fs: MemoryFileSystem): string {
  return `${Buffer.from(fs.save()).toString("hex")} ${JSON.stringify(fs.used)}`;
}

// ---- memory

test("[FS-MEMORY-1, FS-MEMORY-7] memory: what an embedder puts and gets", (t) => {
  const fs = new MemoryFileSystem({ "a/b": "text", "/c": new Uint8Array([1, 2]) });
  const given = Buffer.from("1234");
  fs.put("/d/x/e", given);
  given.fill(0);
  t.equal(contents(fs, "d/x/e"), "1234", "the file has its own copy");
  fs.makeDirectory("/empty/deep");
  fs.makeDirectory("/empty");
  fs.putLink("links/l", "../a/b");
  fs.put("c", "longer");
  t.same(fs.paths().sort(), ["/a/b", "/c", "/d/x/e"]);
  t.same(fs.used, { bytes: 14, files: 10 });
  t.same(fs.get("a/b"), new Uint8Array(Buffer.from("text")));
  t.same(fs.get("c"), new Uint8Array(Buffer.from("longer")));
  for (const none of ["none", "a", "a/b/c", "links/l", "/"]) t.equal(fs.get(none), undefined, none);
  t.same(fs.lookup(...at(fs, "links/l")), { kind: "symlink", target: "../a/b" });
  t.same(fs.lookup(fs.root, "none"), Status.NOT_FOUND);
  for (const bad of ["", "/", "a", "a/../e", "a/b/c", "links/l", "links/l/x", "x\0", "x".repeat(256)])
    t.throws(() => fs.put(bad, "z"), RangeError, bad);
  for (const bad of ["c", "a/b/c", "links/l", ".."]) t.throws(() => fs.makeDirectory(bad), RangeError, bad);
  for (const taken of ["c", "a", "links/l", "/"]) t.throws(() => fs.putLink(taken, "x"), RangeError, taken);
  for (const target of ["", "a\0b", "x".repeat(4097)]) t.throws(() => fs.putLink("new", target), RangeError);

  const small = new MemoryFileSystem({ a: "12" }, { bytes: 3, files: 2 });
  t.throws(() => small.put("b", "12"), RangeError);
  t.equal(small.get("b"), undefined);
  small.put("a", "123");
  t.throws(() => small.put("a", "1234"), RangeError);
  small.putLink("b", "a");
  t.throws(() => small.put("c", ""), RangeError);
  t.throws(() => small.makeDirectory("c"), RangeError);
  t.throws(() => small.putLink("c", "a"), RangeError);
  t.same(small.used, { bytes: 3, files: 2 });
});

test("[FS-MEMORY-2, FS-MEMORY-3] memory: exact quotas, seen by a guest", (t) => {
  const fs = new MemoryFileSystem({ "d/a": "1234" }, { bytes: 10, files: 3 });
  const guest = new Driver({ mounts: [{ guest: "/", fs }] });
  const file = guest.handle("/d/a", READ | WRITE);
  t.same(guest.write(file, 4, "567890"), { status: 0, bytes: 6 });
  t.same(guest.write(file, 10, "x"), { status: Status.QUOTA, bytes: 0 });
  t.same(guest.write(file, 9, "xy"), { status: Status.QUOTA, bytes: 0 });
  t.same(guest.write(file, 0, "abcdefghij"), { status: 0, bytes: 10 });
  t.equal(guest.contents("/d/a"), "abcdefghij");
  t.same(fs.used, { bytes: 10, files: 2 });
  const other = guest.handle("/b", WRITE | CREATE);
  t.equal(guest.open("/c", WRITE | CREATE).status, Status.QUOTA);
  t.same(guest.names("/"), ["b", "d"]);
  t.same(guest.write(other, 0, "x"), { status: Status.QUOTA, bytes: 0 });
  guest.handle("/d/a", WRITE | TRUNCATE);
  t.same(fs.used, { bytes: 0, files: 3 });
  // A hole counts: nine bytes nobody wrote and one that was.
  t.same(guest.write(other, 10, "x"), { status: Status.QUOTA, bytes: 0 });
  t.same(guest.write(other, 9, "x"), { status: 0, bytes: 1 });
  t.equal(guest.contents("/b"), "\0\0\0\0\0\0\0\0\0x");
  t.same(fs.used, { bytes: 10, files: 3 });

  const large = new Driver({ mounts: [{ guest: "/", fs: new MemoryFileSystem({}, { bytes: 2 ** 40 }) }] });
  const huge = large.handle("/f", READ | WRITE | CREATE);
  t.same(large.write(huge, 2 ** 31, "x"), { status: Status.TOO_LARGE, bytes: 0 });
  t.same(large.write(huge, 2 ** 52, "x"), { status: Status.TOO_LARGE, bytes: 0 });
  t.equal(large.size(huge), 0);
});

test("[FS-MEMORY-2, FS-MEMORY-3] memory: every length and place against every quota", (t) => {
  for (let quota = 4; quota <= 12; quota++) {
    for (let position = -1; position <= 12; position++) {
      for (let length = 1; length <= 4; length++) {
        const fs = new MemoryFileSystem({ f: "abc", g: "x" }, { bytes: quota });
        const before = state(fs);
        const file = open(fs, "f");
        const start = position < 0 ? 3 : position;
        const end = start + length;
        const text = "WXYZ".slice(0, length);
        const what = `${length} at ${position} of ${quota}`;
        const status = write(file, position, text);
        if (Math.max(end, 3) + 1 > quota) {
          t.equal(status, Status.QUOTA, what);
          t.equal(state(fs), before, what);
        } else {
          t.equal(status, Status.OK, what);
          const padded = "abc".padEnd(end, "\0");
          t.equal(readAll(file), padded.slice(0, start) + text + padded.slice(end), what);
          t.equal(fs.used.bytes, Math.max(end, 3) + 1, what);
        }
      }
    }
  }
  const fs = new MemoryFileSystem({ f: "abcdef", d: "" }, { bytes: 10, files: 3 });
  const file = open(fs, "f");
  for (const length of [0, 3, 9, 10, 2, 2]) {
    t.equal(file.truncate(length), Status.OK);
    t.same(fs.used, { bytes: length, files: 2 });
  }
  t.equal(readAll(file), "\0\0");
  const before = state(fs);
  for (const length of [11, 2 ** 31, Number.MAX_SAFE_INTEGER])
    t.equal(file.truncate(length), length > 2 ** 31 ? Status.TOO_LARGE : Status.QUOTA);
  t.equal(write(file, 2 ** 31 - 1, "xy"), Status.TOO_LARGE);
  t.equal(state(fs), before);
  file.close();

  // Every way to a name, with room for one.
  const ways: readonly ((name: string) => Outcome | object)[] = [
    (name) => fs.create(fs.root, name),
    (name) => fs.mkdir(fs.root, name),
    (name) => fs.symlink("f", fs.root, name),
    (name) => fs.link(fs.root, "f", fs.root, name),
  ];
  for (const [k, way] of ways.entries()) {
    const made = way("new");
    if (isNode(made as OpenFile | Outcome)) (made as OpenFile).close();
    t.same(fs.used.files, 3);
    const full = state(fs);
    for (const other of ways) t.equal(other("more"), Status.QUOTA);
    t.equal(fs.rename(fs.root, "new", fs.root, "other"), Status.OK, "a rename needs no room");
    t.equal(fs.rename(fs.root, "other", fs.root, "new"), Status.OK);
    t.equal(fs.lookup(fs.root, "more"), Status.NOT_FOUND);
    t.equal(state(fs), full);
    t.equal(k === 1 ? fs.rmdir(fs.root, "new") : fs.unlink(fs.root, "new"), Status.OK);
    t.same(fs.used.files, 2);
  }
});

test("[FS-MEMORY-3] memory: what is cut off is zero when the file grows again", (t) => {
  const fs = new MemoryFileSystem();
  const file = got(fs.create(fs.root, "f"));
  let text = "";
  for (const [length, fill] of [
    [5000, "a"],
    [4000, ""],
    [4100, ""],
    [10, ""],
    [600, ""],
    [700, "b"],
    [0, ""],
    [3, ""],
  ] as const) {
    t.equal(file.truncate(length), Status.OK);
    text = text.slice(0, length).padEnd(length, "\0");
    if (fill !== "") {
      write(file, 0, fill.repeat(length));
      text = fill.repeat(length);
    }
    t.equal(readAll(file), text, `${length}`);
  }
});

test("[FS-MEMORY-4] memory: what is open outlives its names", (t) => {
  const fs = new MemoryFileSystem({ "d/f": "abc" }, { bytes: 10, files: 4 });
  const d = folderAt(fs, "d");
  const first = open(fs, "d/f");
  const second = open(fs, "d/f");
  t.equal(fs.link(d, "f", fs.root, "g"), Status.OK);
  t.same(fs.used, { bytes: 3, files: 3 });
  t.equal(got(first.stat()).links, 2);
  t.equal(fs.unlink(d, "f"), Status.OK);
  t.same(fs.used, { bytes: 3, files: 2 });
  t.equal(fs.unlink(fs.root, "g"), Status.OK);
  t.same(fs.used, { bytes: 3, files: 2 });
  t.equal(got(first.stat()).links, 0);
  t.equal(write(second, -1, "defg"), Status.OK);
  t.equal(readAll(first), "abcdefg");
  t.same(fs.used, { bytes: 7, files: 2 });
  t.equal(write(second, -1, "hijk"), Status.QUOTA);
  t.equal(first.close(), Status.OK);
  t.same(fs.used, { bytes: 7, files: 2 });
  t.equal(second.close(), Status.OK);
  t.same(fs.used, { bytes: 0, files: 1 });

  const inside = got(fs.openDirectory(d));
  t.equal(inside.folder(), d);
  t.equal(fs.rename(fs.root, "d", fs.root, "e"), Status.OK);
  t.same(
    [inside.folder(), d.name, d.parent === fs.root],
    [d, "e", true],
    "a folder that was moved is known by its new name",
  );
  t.equal(fs.rmdir(fs.root, "e"), Status.OK);
  t.same(fs.used, { bytes: 0, files: 1 }, "a removed directory counts while it is open");
  t.equal(inside.folder(), Status.NOT_FOUND);
  t.same(inside.list(), []);
  t.equal(got(inside.stat()).kind, "directory");
  // A folder that is no more.
  const before = state(fs);
  for (const outcome of [
    fs.lookup(d, "x"),
    fs.open(d, "x", READ),
    fs.create(d, "x"),
    fs.openDirectory(d),
    fs.stat(d, undefined),
    fs.stat(d, "x"),
    fs.setTimes(d, undefined, { accessed: 1n, modified: 1n }),
    fs.mkdir(d, "x"),
    fs.rmdir(d, "x"),
    fs.unlink(d, "x"),
    fs.symlink("x", d, "y"),
    fs.rename(d, "x", fs.root, "x"),
  ])
    t.equal(outcome, RETRY);
  t.equal(state(fs), before);
  inside.close();
  t.same(fs.used, { bytes: 0, files: 0 });
});

test("[FS-NAME-5, FS-NAME-6] memory: names that are not what was found", (t) => {
  const fs = new MemoryFileSystem({ f: "f", g: "g", "d/x": "x", "e/y": "y" });
  fs.putLink("l", "f");
  fs.makeDirectory("empty");
  const before = state(fs);
  const root = fs.root;
  for (const [what, outcome, expected] of [
    ["open", fs.open(root, "none", READ), RETRY],
    ["open", fs.open(root, "d", READ), RETRY],
    ["open", fs.open(root, "l", READ), RETRY],
    ["create", fs.create(root, "f"), RETRY],
    ["create", fs.create(root, "d"), RETRY],
    ["create", fs.create(root, "l"), RETRY],
    ["mkdir", fs.mkdir(root, "f"), RETRY],
    ["symlink", fs.symlink("x", root, "d"), RETRY],
    ["stat", fs.stat(root, "none"), RETRY],
    ["setTimes", fs.setTimes(root, "none", { accessed: 1n, modified: 1n }), RETRY],
    ["rmdir", fs.rmdir(root, "f"), RETRY],
    ["rmdir", fs.rmdir(root, "none"), RETRY],
    ["rmdir", fs.rmdir(root, "d"), Status.NOT_EMPTY],
    ["unlink", fs.unlink(root, "d"), RETRY],
    ["unlink", fs.unlink(root, "none"), RETRY],
    ["rename", fs.rename(root, "none", root, "x"), RETRY],
    ["rename", fs.rename(root, "f", root, "d"), RETRY],
    ["rename", fs.rename(root, "d", root, "f"), RETRY],
    ["rename", fs.rename(root, "d", root, "e"), Status.NOT_EMPTY],
    ["rename", fs.rename(root, "d", root, "d"), Status.OK],
    ["rename", fs.rename(root, "f", root, "f"), Status.OK],
    ["link", fs.link(root, "none", root, "x"), RETRY],
    ["link", fs.link(root, "d", root, "x"), RETRY],
    ["link", fs.link(root, "f", root, "g"), RETRY],
  ] as const)
    t.equal(outcome, expected, what);
  t.equal(state(fs), before);
  fs.link(root, "f", root, "h");
  const linked = state(fs);
  t.equal(fs.rename(root, "h", root, "f"), Status.OK);
  t.equal(state(fs), linked, "two names of one file stay");
  t.equal(fs.rename(root, "d", root, "empty"), Status.OK);
  t.equal(fs.rename(root, "l", root, "g"), Status.OK);
  t.same(listed(fs, ""), ["e", "empty", "f", "g", "h"]);
  t.same(fs.lookup(root, "g"), { kind: "symlink", target: "f" });
  t.equal(contents(fs, "empty/x"), "x");
});

test("[FS-MEMORY-5] memory: times", (t) => {
  const fs = new MemoryFileSystem({ old: "abc" });
  let now = 100n;
  fs.useClock(() => now);
  const times = (path: string): bigint[] => {
    const stat = path === "" ? got(fs.stat(fs.root, undefined)) : statAt(fs, path);
    return [stat.accessed, stat.modified, stat.changed];
  };
  const step = (what: string, call: () => unknown, expected: { readonly [path: string]: readonly bigint[] }): void => {
    now += 10n;
    call();
    for (const [path, expectedTimes] of Object.entries(expected))
      t.same(times(path), expectedTimes, `${what}: ${path}`);
  };
  t.same(times("old"), [0n, 0n, 0n]);
  const root = fs.root;
  step("mkdir", () => fs.mkdir(root, "d"), { d: [110n, 110n, 110n], "": [0n, 110n, 110n] });
  step("symlink", () => fs.symlink("x", root, "l"), { l: [120n, 120n, 120n], "": [0n, 120n, 120n] });
  const d = folderAt(fs, "d");
  step("create", () => got(fs.create(d, "f")).close(), { "d/f": [130n, 130n, 130n], d: [110n, 130n, 130n] });
  const file = open(fs, "d/f");
  step("write", () => write(file, 0, "abc"), { "d/f": [130n, 140n, 140n], d: [110n, 130n, 130n] });
  step("truncate to the same length", () => file.truncate(3), { "d/f": [130n, 150n, 150n] });
  step("read", () => readAll(file), { "d/f": [130n, 150n, 150n] });
  step("list", () => listed(fs, "d"), { d: [110n, 130n, 130n] });
  step("open", () => open(fs, "d/f", WRITE).close(), { "d/f": [130n, 150n, 150n] });
  step("open with TRUNCATE", () => open(fs, "d/f", WRITE | TRUNCATE).close(), { "d/f": [130n, 190n, 190n] });
  step("set_times", () => fs.setTimes(d, "f", { accessed: -5n, modified: undefined }), { "d/f": [-5n, 190n, 200n] });
  step("set_times of a handle", () => file.setTimes({ accessed: undefined, modified: 7n }), { "d/f": [-5n, 7n, 210n] });
  step("set_times of nothing", () => fs.setTimes(d, undefined, { accessed: undefined, modified: undefined }), {
    d: [110n, 130n, 220n],
  });
  step("link", () => fs.link(d, "f", root, "g"), {
    "d/f": [-5n, 7n, 230n],
    d: [110n, 130n, 220n],
    "": [0n, 230n, 230n],
  });
  step("rename", () => fs.rename(d, "f", root, "h"), {
    h: [-5n, 7n, 240n],
    d: [110n, 240n, 240n],
    "": [0n, 240n, 240n],
  });
  step("rename onto itself", () => fs.rename(root, "h", root, "g"), { h: [-5n, 7n, 240n], "": [0n, 240n, 240n] });
  step("unlink", () => fs.unlink(root, "g"), { h: [-5n, 7n, 260n], "": [0n, 260n, 260n] });
  const e = open(fs, "old");
  step("rename over", () => fs.rename(root, "h", root, "old"), { old: [-5n, 7n, 270n] });
  t.same(got(e.stat()).changed, 270n, "what was replaced has lost a name");
  step("rmdir", () => fs.rmdir(root, "d"), { "": [0n, 280n, 280n] });
  step("failed", () => fs.rmdir(root, "old"), { "": [0n, 280n, 280n] });
});

test("[FS-MEMORY-6] memory: numbers are never used again", (t) => {
  const fs = new MemoryFileSystem({ "a/b": "" });
  t.same([got(fs.stat(fs.root, undefined)).id, statAt(fs, "a").id, statAt(fs, "a/b").id], [1, 2, 3]);
  fs.unlink(...at(fs, "a/b"));
  got(fs.create(fs.root, "c")).close();
  t.equal(statAt(fs, "c").id, 4);
  fs.link(fs.root, "c", fs.root, "d");
  t.equal(statAt(fs, "d").id, 4);
  const restored = new MemoryFileSystem();
  t.ok(restored.restore(fs.save()));
  got(restored.create(restored.root, "e")).close();
  t.equal(statAt(restored, "e").id, 5);
});

// ---- snapshots

test("[FS-MEMORY-8] memory: a saved tree, byte by byte", (t) => {
  const fs = new MemoryFileSystem({ b: "xyz" });
  let now = 0n;
  fs.useClock(() => now);
  fs.link(fs.root, "b", fs.root, "a");
  now = -2n;
  fs.setTimes(fs.root, undefined, { accessed: 1n, modified: 2n });
  now = 9n;
  const orphan = got(fs.create(fs.root, "gone"));
  fs.symlink("é", fs.root, "l");
  write(orphan, 0, "!");
  fs.unlink(fs.root, "gone");
  fs.setTimes(fs.root, undefined, { accessed: 1n, modified: 2n });
  const i64 = (value: string): string => value.padEnd(16, "0");
  const expected = [
    `01 ${i64("05")} 04000000`,
    `${i64("01")} 02 1d ${i64("01")} ${i64("02")} ${i64("09")}`,
    `03000000 01 61 ${i64("02")} 01 62 ${i64("02")} 01 6c ${i64("04")}`,
    `${i64("02")} 01 1d ${i64("")} ${i64("")} ${i64("")} 03000000 78797a`,
    `${i64("03")} 01 1d ${i64("09")} ${i64("09")} ${i64("09")} 01000000 21`,
    `${i64("04")} 03 1d ${i64("09")} ${i64("09")} ${i64("09")} 02000000 c3a9`,
  ];
  const saved = fs.save();
  t.equal(Buffer.from(saved).toString("hex"), expected.join("").replaceAll(" ", ""));
  t.equal(orphan.saved, 3);

  const other = new MemoryFileSystem({ z: "else" }, { bytes: 4, files: 4 });
  t.ok(other.restore(saved));
  t.same(dump(other), dump(fs));
  t.same(other.used, { bytes: 4, files: 4 });
  t.same(other.save(), saved);
  const reopened = other.reopen(3) as OpenFile;
  t.equal(readAll(reopened), "!");
  t.equal(got(reopened.stat()).links, 0);
  reopened.close();
  t.same(other.used, { bytes: 3, files: 3 });
  for (const none of [0, 3, 4, 5, -1, 1.5]) t.equal(other.reopen(none), undefined);
  const root = other.reopen(1) as OpenDirectory;
  t.same(names(root), ["a", "b", "l"]);
  t.equal(root.folder(), other.root);

  // Names in any order of making.
  const [left, right] = [new MemoryFileSystem({ d: "" }), new MemoryFileSystem({ d: "" })];
  for (const name of ["x", "ab", "a", "é", "B"]) left.link(left.root, "d", left.root, name);
  for (const name of ["é", "a", "B", "x", "ab"]) right.link(right.root, "d", right.root, name);
  t.same(left.save(), right.save());
});

test("[FS-MEMORY-9] memory: handles from before a restore are stale", (t) => {
  const fs = new MemoryFileSystem({ "d/f": "abc", g: "defg" });
  const saved = fs.save();
  const used = fs.used;
  const root = fs.root;
  const file = open(fs, "g");
  const directory = got(fs.openDirectory(folderAt(fs, "d")));
  const top = got(fs.openDirectory(root));
  fs.unlink(root, "g");
  t.ok(fs.restore(saved));
  t.equal(fs.root, root);
  t.same(fs.used, used);
  const times = { accessed: 1n, modified: 1n };
  for (const outcome of [
    file.read(0, new Uint8Array(1), transfer),
    write(file, 0, "x"),
    file.truncate(0),
    file.size(transfer),
    file.stat(),
    file.setTimes(times),
    file.sync(),
    directory.list(),
    directory.folder(),
    directory.stat(),
    top.list(),
    top.setTimes(times),
    top.sync(),
  ])
    t.equal(outcome, Status.STALE);
  for (const node of [file, directory, top]) t.equal(node.close(), Status.OK);
  t.same(fs.used, used);
  t.same(fs.save(), saved);
  t.equal(folderAt(fs, "d").parent, root);
  t.equal(contents(fs, "g"), "defg");
  fs.rename(root, "d", root, "e");
  t.equal(contents(fs, "e/f"), "abc");
});

/** A tree with everything that a saved tree can hold. */
function furnish(fs: MemoryFileSystem): MemoryFileSystem {
  fs.put("d/file", "some bytes");
  fs.putLink("d/link", "file");
  fs.makeDirectory("empty");
  fs.link(...at(fs, "d/file"), fs.root, "hard");
  got(fs.create(fs.root, "gone"));
  fs.unlink(fs.root, "gone");
  got(fs.openDirectory(folderAt(fs, "empty")));
  fs.rmdir(fs.root, "empty");
  return fs;
}

/** Restores damaged bytes: refused and unchanged, or a tree that is saved as just these bytes. */
function checkDamage(t: Test, create: () => MemoryFileSystem, damaged: Uint8Array, what: string): boolean {
  const fs = create();
  const before = state(fs);
  if (!fs.restore(damaged)) {
    if (state(fs) !== before) t.fail(`${what}: refused, but changed`);
    return false;
  }
  if (Buffer.compare(fs.save(), damaged) !== 0) t.fail(`${what}: restored as something else`);
  return true;
}

test("[FS-MEMORY-9, FS-OVERLAY-8] every byte of a saved tree damaged", (t) => {
  const lower = new MemoryFileSystem({ "low/a": "lower", "low/b": "", c: "see" });
  const overlay = (): MemoryFileSystem => overlayFileSystem(lower);
  const layered = furnish(overlay());
  layered.unlink(...at(layered, "low/b"));
  layered.rename(...at(layered, "low/a"), layered.root, "moved");
  write(open(layered, "c"), 0, "S");
  for (const [create, source] of [
    [() => new MemoryFileSystem({ keep: "this" }), furnish(new MemoryFileSystem())],
    [overlay, layered],
  ] as const) {
    const saved = source.save();
    let restored = 0;
    let refused = 0;
    for (let offset = 0; offset < saved.length; offset++) {
      for (const mask of [1, 2, 4, 8, 16, 32, 64, 128, 255]) {
        const damaged = saved.slice();
        damaged[offset]! ^= mask;
        if (checkDamage(t, create, damaged, `byte ${offset} ^ ${mask}`)) restored++;
        else refused++;
      }
      if (create().restore(saved.subarray(0, offset))) t.fail(`cut at ${offset}`);
    }
    t.ok(refused > 500 && restored > 300, `${refused} refused, ${restored} are other trees`);
    t.notOk(create().restore(Buffer.concat([saved, new Uint8Array(1)])));
    t.notOk(create().restore(new Uint8Array(0)));
    const inside = Buffer.concat([Buffer.from("before"), saved, Buffer.from("behind")]).subarray(6, 6 + saved.length);
    t.ok(create().restore(inside), "bytes in the middle of a buffer");
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      checkDamage(t, overlay, bytes, "any bytes");
      bytes[0] = 1;
      checkDamage(t, overlay, bytes, "any bytes");
    }),
  );
});

/** Fields of a saved tree, to write wrong ones. */
function field(value: number | bigint, bytes: number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  return buffer.subarray(0, bytes);
}
interface Item {
  readonly number: number;
  readonly kind: number;
  readonly flags?: number;
  readonly origin?: string;
  readonly times?: number;
  readonly bytes?: string;
  readonly entries?: readonly (readonly [string, number])[];
  readonly hidden?: readonly string[];
}
function treeOf(items: readonly Item[], next = 100, version = 1): Buffer {
  const named = (name: string): Buffer => Buffer.concat([field(Buffer.byteLength(name), 1), Buffer.from(name)]);
  const parts = [field(version, 1), field(next, 8), field(items.length, 4)];
  for (const { number, kind, flags = 29, origin, times = 3, bytes, entries, hidden } of items) {
    parts.push(field(number, 8), field(kind, 1), field(flags, 1));
    if (origin !== undefined) parts.push(field(Buffer.byteLength(origin), 4), Buffer.from(origin));
    for (let k = 0; k < times; k++) parts.push(field(0, 8));
    if (bytes !== undefined) parts.push(field(Buffer.byteLength(bytes), 4), Buffer.from(bytes));
    if (entries !== undefined) parts.push(field(entries.length, 4));
    for (const [name, entry] of entries ?? []) parts.push(named(name), field(entry, 8));
    if (hidden !== undefined) parts.push(field(hidden.length, 4), ...hidden.map(named));
  }
  return Buffer.concat(parts);
}

test("[FS-MEMORY-9] memory: trees that are none", (t) => {
  const root = (...entries: [string, number][]): Item => ({ number: 1, kind: 2, entries });
  const file = (number: number): Item => ({ number, kind: 1, bytes: "x" });
  const directory = (number: number, ...entries: [string, number][]): Item => ({ number, kind: 2, entries });
  const restore = (bytes: Uint8Array, quota?: Partial<MemoryQuota>): boolean =>
    new MemoryFileSystem({}, quota).restore(bytes);
  t.ok(restore(treeOf([root(["a", 2], ["b", 3], ["c", 2]), file(2), directory(3), file(4), directory(5)])));
  for (const [what, bytes] of [
    ["another version", treeOf([root()], 100, 2)],
    ["no inode", treeOf([])],
    ["no root", treeOf([directory(2)])],
    ["a root that is a file", treeOf([file(1)])],
    ["a number twice", treeOf([root(), file(2), file(2)])],
    ["numbers that fall", treeOf([root(), file(3), file(2)])],
    ["a number that is not below the next", treeOf([root(), file(100)])],
    ["a next number beyond 2^53", treeOf([root()], 2 ** 53)],
    ["an entry without an inode", treeOf([root(["a", 2])])],
    ["the root in a directory", treeOf([root(["a", 1])])],
    ["a directory with two names", treeOf([root(["a", 2], ["b", 2]), directory(2)])],
    ["a circle", treeOf([root(), directory(2, ["a", 3]), directory(3, ["b", 2])])],
    ["a directory in itself", treeOf([root(), directory(2, ["a", 2])])],
    ["a lost directory that is not empty", treeOf([root(), directory(2, ["a", 3]), file(3)])],
    ["names that fall", treeOf([root(["b", 2], ["a", 2]), file(2)])],
    ["a name twice", treeOf([root(["a", 2], ["a", 2]), file(2)])],
    ...["", ".", "..", "a/b", "a\0", "/"].map((name) => [name, treeOf([root([name, 2]), file(2)])] as const),
    ["an unknown kind", treeOf([root(), { number: 2, kind: 4 }])],
    ["something else", treeOf([root(), { number: 2, kind: 0 }])],
    ["an unknown flag", treeOf([root(), { ...file(2), flags: 61 }])],
    ["not its own", treeOf([root(), { number: 2, kind: 1, flags: 28 }])],
    ["without a time", treeOf([root(), { ...file(2), flags: 13, times: 2 }])],
    ["from below nothing", treeOf([root(), { ...file(2), flags: 31, origin: "/x" }])],
    ["an empty link", treeOf([root(), { number: 2, kind: 3, bytes: "" }])],
    ["a link with NUL", treeOf([root(), { number: 2, kind: 3, bytes: "a\0" }])],
    ["a long link", treeOf([root(), { number: 2, kind: 3, bytes: "a".repeat(4097) }])],
  ] as const)
    t.notOk(restore(bytes), JSON.stringify(what));
  for (const at of [9, 13 + 10 + 24]) {
    const counts = treeOf([root()]);
    counts.writeUInt32LE(0xffff_ffff, at);
    t.notOk(restore(counts), "a count beyond the bytes");
  }
  const malformed = treeOf([root(["a", 2]), file(2)]);
  malformed[malformed.indexOf("a")] = 0xff;
  t.notOk(restore(malformed), "a name that is no UTF-8");
  const two = treeOf([root(["a", 2], ["b", 2]), file(2), file(3)]);
  t.ok(restore(two, { bytes: 2, files: 3 }));
  t.notOk(restore(two, { bytes: 1 }));
  t.notOk(restore(two, { files: 2 }));

  const lower = new MemoryFileSystem({ x: "12345", "d/y": "" });
  const top = (...entries: [string, number][]): Item => ({
    number: 1,
    kind: 2,
    flags: 2,
    origin: "",
    times: 0,
    entries,
    hidden: [],
  });
  const shown = (number: number, origin: string, kind = 1): Item => ({ number, kind, flags: 2, origin, times: 0 });
  const over = (bytes: Uint8Array): boolean => overlayFileSystem(lower, { files: 2 }).restore(bytes);
  t.ok(over(treeOf([top(["m", 2]), shown(2, "/x")])));
  t.ok(
    over(
      treeOf([
        { ...top(["m", 2]), hidden: ["d", "x"] },
        { ...shown(2, "/x"), flags: 3, bytes: "up" },
      ]),
    ),
  );
  for (const [what, bytes] of [
    ["a root of its own", treeOf([root()])],
    ["two from one place", treeOf([top(["m", 2], ["n", 3]), shown(2, "/x"), shown(3, "/x")])],
    ["two names of what shows through", treeOf([top(["m", 2], ["n", 2]), shown(2, "/x")])],
    [
      "three names of one held",
      treeOf([top(["m", 2], ["n", 2], ["o", 2]), { ...shown(2, "/x"), flags: 3, bytes: "" }]),
    ],
    ["a second root", treeOf([top(), shown(2, "")])],
    ...["x", "//x", "/x/", "/../x", "/.", "/a\0"].map((path) => [path, treeOf([top(), shown(2, path)])] as const),
    ["a directory held", treeOf([top(), { ...shown(2, "/d", 2), flags: 3, entries: [], hidden: [] }])],
    ["something else held", treeOf([top(), { ...shown(2, "/x", 0), flags: 3 }])],
    ["hidden names that fall", treeOf([{ ...top(), hidden: ["x", "d"] }])],
    ["a hidden name that is none", treeOf([{ ...top(), hidden: [".."] }])],
  ] as const)
    t.notOk(over(bytes), JSON.stringify(what));
});

// ---- overlay

const LOWER = { "a.txt": "alpha", "d/b.txt": "beta", "d/e/c.txt": "gamma", "d/e/f.txt": "", "z.txt": "zeta" };

/** A lower file system with a link, times, and two names of one file. */
function lowerTree(): MemoryFileSystem {
  const lower = new MemoryFileSystem(LOWER);
  lower.putLink("d/link", "e/c.txt");
  lower.makeDirectory("empty");
  lower.link(...at(lower, "z.txt"), lower.root, "y.txt");
  let now = 1000n;
  lower.useClock(() => now++);
  for (const path of ["a.txt", "d", "d/b.txt", "d/link"])
    lower.setTimes(...at(lower, path), { accessed: now, modified: -now });
  return lower;
}

/** Counts the calls that reach a file system and its handles; `onCall` may answer instead. */
function spied(fs: FileSystem, onCall: (call: string, name?: string) => Outcome | object | undefined): FileSystem {
  const watch = <Node extends OpenFile | OpenDirectory>(node: Node | Outcome): Node | Outcome => {
    if (!isNode(node)) return node;
    const spy = (property: string | symbol, value: unknown) =>
      typeof value !== "function"
        ? value
        : (...args: unknown[]) => {
            const answer = onCall(`${node.kind}.${String(property)}`);
            if (answer !== undefined && property === "close") node.close();
            return answer ?? value.apply(node, args);
          };
    return new Proxy(node, { get: (_, property) => spy(property, Reflect.get(node, property)) });
  };
  const refuse = (): never => {
    throw new Error("the lower file system is only read");
  };
  return {
    capabilities: fs.capabilities,
    root: fs.root,
    lookup: (folder, name) => (onCall("lookup", name) as Outcome) ?? fs.lookup(folder, name),
    stat: (folder, name) => (onCall("stat", name) as Outcome) ?? fs.stat(folder, name),
    open: (folder, name, flags) => {
      if (flags !== READ) refuse();
      return (onCall("open", name) as Outcome) ?? watch(fs.open(folder, name, flags));
    },
    openDirectory: (folder) => (onCall("openDirectory") as Outcome) ?? watch(fs.openDirectory(folder)),
    create: refuse,
    setTimes: refuse,
    mkdir: refuse,
    rmdir: refuse,
    unlink: refuse,
    rename: refuse,
    link: refuse,
    symlink: refuse,
  };
}

test("[FS-OVERLAY-1, FS-OVERLAY-2, FS-OVERLAY-4, FS-OVERLAY-7] overlay: what shows through, and copying it up", (t) => {
  const lower = lowerTree();
  const before = lower.save();
  let reads = 0;
  const fs = overlayFileSystem(
    spied(lower, (call) => {
      if (call === "file.read") reads++;
      return undefined;
    }),
  );
  fs.useClock(() => 5n);
  const alone = dump(lower).map((line) => line.replace(/^([yz].txt file 4) 2/, "$1 1"));
  t.same(dump(fs), alone, "all of it with its times; names below are files of their own");
  t.same(fs.paths().sort(), lower.paths().sort());
  t.same(fs.get("d/e/c.txt"), lower.get("d/e/c.txt"));
  t.same(fs.used, { bytes: 0, files: 0 });

  const reader = open(fs, "d/b.txt", READ);
  const writer = open(fs, "d/b.txt");
  const { id } = statAt(fs, "d/b.txt");
  t.equal(id, "/d/b.txt");
  const times = statAt(fs, "d/b.txt");
  t.equal(write(writer, 2, "TT"), Status.OK);
  t.equal(readAll(reader), "beTT", "all handles see the change");
  t.same(fs.used, { bytes: 4, files: 1 });
  const { accessed } = times;
  t.same(statAt(fs, "d/b.txt"), { kind: "file", bytes: 4, id, links: 1, accessed, modified: 5n, changed: 5n });
  t.same(reader.stat(), statAt(fs, "d/b.txt"));
  t.equal(write(writer, -1, "!"), Status.OK);
  t.equal(contents(fs, "d/b.txt"), "beTT!");
  for (const node of [reader, writer]) t.equal(node.close(), Status.OK);

  reads = 0;
  open(fs, "a.txt", WRITE | TRUNCATE).close();
  t.equal(contents(fs, "a.txt"), "");
  t.equal(reads, 0, "nothing is copied that is cut off");
  t.same(fs.used, { bytes: 5, files: 2 });
  const file = open(fs, "d/e/c.txt");
  t.equal(file.truncate(3), Status.OK);
  t.equal(readAll(file), "gam");
  t.equal(file.truncate(5), Status.OK);
  t.equal(readAll(file), "gam\0\0");
  file.close();
  t.same(fs.used, { bytes: 10, files: 3 });

  // Another name needs the bytes; a move, times and a removal do not.
  reads = 0;
  t.equal(fs.rename(...at(fs, "z.txt"), folderAt(fs, "empty"), "moved"), Status.OK);
  t.equal(fs.setTimes(...at(fs, "empty/moved"), { accessed: 1n, modified: 2n }), Status.OK);
  t.same(statAt(fs, "empty/moved"), {
    kind: "file",
    bytes: 4,
    id: "/z.txt",
    links: 1,
    accessed: 1n,
    modified: 2n,
    changed: 5n,
  });
  t.same([fs.used, reads], [{ bytes: 10, files: 3 }, 0]);
  t.equal(contents(fs, "empty/moved"), "zeta");
  t.equal(fs.link(...at(fs, "empty/moved"), fs.root, "z.txt"), Status.OK);
  t.same(fs.used, { bytes: 14, files: 5 });
  t.same([statAt(fs, "z.txt").id, statAt(fs, "z.txt").links], ["/z.txt", 2]);
  t.equal(fs.link(...at(fs, "d/link"), fs.root, "l"), Status.OK);
  t.same(fs.used, { bytes: 14, files: 7 });
  t.same(fs.lookup(fs.root, "l"), { kind: "symlink", target: "e/c.txt" });
  t.equal(statAt(fs, "l").id, "/d/link");
  t.same(lower.save(), before, "the lower one is as it was");

  // Times of a host are nobody's.
  const hidden = overlayFileSystem({
    ...spied(lower, () => undefined),
    capabilities: { ...lower.capabilities, ownMetadata: false },
  });
  t.same(statAt(hidden, "a.txt"), {
    kind: "file",
    bytes: 5,
    id: "/a.txt",
    links: 1,
    accessed: 0n,
    modified: 0n,
    changed: 0n,
  });
  t.ok(hidden.capabilities.ownMetadata);
});

test("[FS-OVERLAY-3] overlay: names removed, moved and replaced", (t) => {
  const lower = lowerTree();
  const before = lower.save();
  const fs = overlayFileSystem(lower);
  const root = fs.root;
  const d = folderAt(fs, "d");
  t.equal(fs.unlink(root, "a.txt"), Status.OK);
  t.equal(fs.lookup(root, "a.txt"), Status.NOT_FOUND);
  t.equal(fs.open(root, "a.txt", READ), RETRY);
  t.same(listed(fs, ""), ["d", "empty", "y.txt", "z.txt"]);
  got(fs.create(root, "a.txt")).close();
  t.equal(contents(fs, "a.txt"), "");
  t.not(statAt(fs, "a.txt").id, "/a.txt");
  t.equal(fs.unlink(root, "a.txt"), Status.OK);
  t.equal(fs.lookup(root, "a.txt"), Status.NOT_FOUND, "the one below stays hidden");

  t.equal(fs.rmdir(root, "d"), Status.NOT_EMPTY);
  t.equal(fs.rename(root, "d", root, "empty"), Status.OK, "over an empty one");
  t.same(listed(fs, ""), ["empty", "y.txt", "z.txt"]);
  t.same(listed(fs, "empty"), ["b.txt", "e", "link"]);
  t.same(listed(fs, "empty/e"), ["c.txt", "f.txt"]);
  t.same([d.name, statAt(fs, "empty").id, statAt(fs, "empty/e/c.txt").id], ["empty", "/d", "/d/e/c.txt"]);
  t.equal(contents(fs, "empty/e/c.txt"), "gamma");
  t.equal(fs.rename(...at(fs, "empty/e/c.txt"), d, "b.txt"), Status.OK);
  t.equal(contents(fs, "empty/b.txt"), "gamma");
  t.equal(fs.unlink(d, "b.txt"), Status.OK);
  t.equal(fs.lookup(d, "b.txt"), Status.NOT_FOUND);
  const e = got(fs.openDirectory(folderAt(fs, "empty/e")));
  t.equal(fs.unlink(...at(fs, "empty/e/f.txt")), Status.OK);
  t.equal(fs.rmdir(d, "e"), Status.OK, "nothing is left of it");
  t.same([names(e), e.folder()], [[], Status.NOT_FOUND]);
  e.close();
  t.equal(fs.unlink(d, "link"), Status.OK);
  t.equal(fs.rmdir(root, "empty"), Status.OK);
  t.equal(fs.mkdir(root, "d"), Status.OK);
  t.same(listed(fs, "d"), [], "a new directory shows nothing of the old");
  t.equal(fs.rename(root, "z.txt", root, "a.txt"), Status.OK);
  t.equal(fs.rename(root, "a.txt", root, "z.txt"), Status.OK);
  t.equal(contents(fs, "z.txt"), "zeta");
  t.same(listed(fs, ""), ["d", "y.txt", "z.txt"]);
  t.same(fs.used, { bytes: 0, files: 1 });

  const gone = open(fs, "y.txt");
  t.equal(fs.unlink(root, "y.txt"), Status.OK);
  t.equal(readAll(gone), "zeta");
  t.equal(got(gone.stat()).links, 0);
  t.same(fs.used, { bytes: 0, files: 1 });
  t.equal(write(gone, 0, "Z"), Status.OK);
  t.same(fs.used, { bytes: 4, files: 2 }, "what is open without a name counts once it is copied up");
  t.equal(readAll(gone), "Zeta");
  gone.close();
  t.same(fs.used, { bytes: 0, files: 1 });
  t.same(lower.save(), before);
});

test("[FS-OVERLAY-4, FS-OVERLAY-5] overlay: every quota against every copy-up", (t) => {
  const lower = lowerTree();
  const changes: readonly [what: string, bytes: number, files: number, call: (fs: MemoryFileSystem) => Outcome][] = [
    ["write inside", 5, 1, (fs) => closing(open(fs, "a.txt"), (file) => write(file, 1, "LP"))],
    ["write over the end", 7, 1, (fs) => closing(open(fs, "a.txt"), (file) => write(file, 3, "HAHA"))],
    ["write behind the end", 9, 1, (fs) => closing(open(fs, "a.txt"), (file) => write(file, 8, "!"))],
    ["append", 7, 1, (fs) => closing(open(fs, "a.txt"), (file) => write(file, -1, "!!"))],
    ["shorten", 2, 1, (fs) => closing(open(fs, "a.txt"), (file) => file.truncate(2))],
    ["lengthen", 8, 1, (fs) => closing(open(fs, "a.txt"), (file) => file.truncate(8))],
    ["empty", 0, 1, (fs) => closing(fs.open(fs.root, "a.txt", WRITE | TRUNCATE), () => Status.OK)],
    ["link", 5, 2, (fs) => fs.link(fs.root, "a.txt", fs.root, "new")],
    ["link of a link", 0, 2, (fs) => fs.link(folderAt(fs, "d"), "link", fs.root, "new")],
  ];
  function closing(file: OpenFile | Outcome, use: (file: OpenFile) => Status): Outcome {
    if (!isNode(file)) return file;
    const status = use(file);
    file.close();
    return status;
  }
  for (const [what, bytes, files, call] of changes) {
    const free = overlayFileSystem(lower);
    t.equal(call(free), Status.OK, what);
    t.same(free.used, { bytes, files }, what);
    const expected = dump(free);
    for (const quota of [...(bytes > 0 ? [{ bytes: bytes - 1 }] : []), { files: files - 1 }, { bytes: 0, files: 0 }]) {
      const fs = overlayFileSystem(lower, quota);
      const tree = dump(fs);
      t.equal(call(fs), Status.QUOTA, what);
      t.same([fs.used, dump(fs)], [{ bytes: 0, files: 0 }, tree], `${what}: nothing has changed`);
    }
    const exact = overlayFileSystem(lower, { bytes, files });
    t.equal(call(exact), Status.OK, what);
    t.same(dump(exact), expected, what);
  }
  t.throws(() => overlayFileSystem(lower, { files: 0 }).put("a.txt", ""), RangeError);
  const put = overlayFileSystem(lower, { bytes: 3, files: 1 });
  put.put("a.txt", "new");
  t.same([contents(put, "a.txt"), put.used], ["new", { bytes: 3, files: 1 }]);
});

test("[FS-OVERLAY-5] overlay: any failure below changes nothing", (t) => {
  const times = { accessed: 1n, modified: 2n };
  const calls: readonly [what: string, call: (fs: MemoryFileSystem, d: Folder) => Outcome | object][] = [
    ["lookup", (fs, d) => fs.lookup(d, "b.txt")],
    ["open", (fs, d) => fs.open(d, "b.txt", READ)],
    ["open with TRUNCATE", (fs, d) => fs.open(d, "b.txt", WRITE | TRUNCATE)],
    ["openDirectory", (fs, d) => fs.openDirectory(d)],
    ["create", (fs, d) => fs.create(d, "new")],
    ["stat", (fs, d) => fs.stat(d, "b.txt")],
    ["stat of a folder", (fs, d) => fs.stat(d, undefined)],
    ["setTimes", (fs, d) => fs.setTimes(d, "b.txt", times)],
    ["mkdir", (fs, d) => fs.mkdir(d, "new")],
    ["symlink", (fs, d) => fs.symlink("x", d, "new")],
    ["rmdir", (fs) => fs.rmdir(fs.root, "empty")],
    ["unlink", (fs, d) => fs.unlink(d, "b.txt")],
    ["rename", (fs, d) => fs.rename(fs.root, "a.txt", d, "b.txt")],
    ["rename of a directory", (fs) => fs.rename(fs.root, "d", fs.root, "empty")],
    ["link", (fs, d) => fs.link(d, "b.txt", fs.root, "new")],
    ["link of a link", (fs, d) => fs.link(d, "link", fs.root, "new")],
  ];
  const isDone = (outcome: Outcome | object): boolean => typeof outcome === "object" || outcome === Status.OK;
  const close = (outcome: Outcome | object): void => {
    if (typeof outcome === "object" && "close" in outcome) (outcome as OpenFile).close();
  };
  for (const [what, call] of calls) {
    for (const failure of [Status.OTHER, Status.ACCESS, RETRY] as const) {
      for (let failing = 1; ; failing++) {
        let count = Number.NEGATIVE_INFINITY;
        const lower = lowerTree();
        const before = lower.save();
        const answers: (Outcome | object)[] = [];
        const fs = overlayFileSystem(
          spied(lower, (name) => {
            if (++count !== failing) return undefined;
            // Only looking up may have to be done again, and a failure to close changes nothing.
            if (name.startsWith("file.") || name.startsWith("directory."))
              return name.endsWith("close") || failure === RETRY ? undefined : failure;
            return failure;
          }),
        );
        const d = folderAt(fs, "d");
        const unchanged = state(fs);
        count = 0;
        const outcome = call(fs, d);
        const reached = count >= failing;
        answers.push(outcome);
        if (reached && !isDone(outcome)) {
          t.equal(outcome, failure, `${what}, call ${failing}`);
          t.equal(state(fs), unchanged, `${what}, call ${failing}: unchanged`);
          const again = call(fs, d);
          t.ok(isDone(again), `${what}, call ${failing}: ${again}, and then it works`);
          close(again);
        } else t.ok(isDone(outcome), `${what}, call ${failing}: ${outcome}`);
        close(outcome);
        t.same(lower.save(), before);
        if (!reached) {
          t.ok(failing > 1, `${what} reaches the lower one`);
          break;
        }
      }
    }
  }

  // Handles.
  let answer: Outcome | undefined;
  const fs = overlayFileSystem(spied(lowerTree(), (name) => (name === "file.read" ? answer : undefined)));
  const file = open(fs, "a.txt");
  const before = state(fs);
  for (const [given, shown, write2] of [
    [Status.TRANSIENT, Status.TRANSIENT, Status.TRANSIENT],
    [Status.CORRUPT, Status.CORRUPT, Status.OTHER],
  ]) {
    answer = given;
    const into = Buffer.from("????");
    t.equal(file.read(0, into, transfer), shown);
    t.equal(into.toString(), "????");
    t.equal(write(file, 1, "x"), write2);
    t.equal(file.truncate(9), write2);
    t.equal(fs.link(fs.root, "a.txt", fs.root, "new"), write2);
    t.equal(state(fs), before);
  }
  answer = undefined;
  t.equal(readAll(file), "alpha");
  t.equal(write(file, 1, "x"), Status.OK);
  file.close();

  // A file below that claims a length which it has not, or one that no layer can hold.
  for (const [length, written, linked] of [
    [6, Status.TRANSIENT, Status.TRANSIENT],
    [2 ** 31 + 1, Status.TOO_LARGE, Status.UNSUPPORTED],
  ] as const) {
    const lower = lowerTree();
    const odd: FileSystem = {
      ...spied(lower, () => undefined),
      open: (folder, name, flags) => ({
        ...got(lower.open(folder, name, flags)),
        size: (into) => {
          into.bytes = length;
          return Status.OK;
        },
      }),
    };
    const over = overlayFileSystem(odd, { bytes: 2 ** 40 });
    const wrong = open(over, "a.txt");
    t.equal(write(wrong, 0, "x"), written);
    t.equal(wrong.truncate(6), Status.TRANSIENT);
    t.equal(over.link(over.root, "a.txt", over.root, "new"), linked);
    t.same(over.used, { bytes: 0, files: 0 });
    t.equal(wrong.truncate(4), Status.OK);
    t.equal(readAll(wrong), "alph");
  }
});

test("[FS-OVERLAY-5] overlay: folders below that went stale are looked up again", (t) => {
  const lower = lowerTree();
  // Folders are good until the next epoch.
  const epochs = new WeakMap<Folder, number>();
  let epoch = 0;
  const alias = (folder: Folder): Folder => {
    const stale: Folder = { parent: folder.parent, name: folder.name };
    epochs.set(stale, epoch);
    real.set(stale, folder);
    return stale;
  };
  const real = new WeakMap<Folder, Folder>();
  const use = <T>(folder: Folder, call: (folder: Folder) => T): T | typeof RETRY =>
    folder === lower.root ? call(folder) : epochs.get(folder) === epoch ? call(real.get(folder)!) : RETRY;
  const fs = overlayFileSystem({
    ...spied(lower, () => undefined),
    lookup: (folder, name) =>
      use(folder, (known) => {
        const found = lower.lookup(known, name);
        return isNode(found) && found.kind === "directory" ? { kind: "directory", folder: alias(found.folder) } : found;
      }),
    open: (folder, name, flags) => use(folder, (known) => lower.open(known, name, flags)),
    stat: (folder, name) => use(folder, (known) => lower.stat(known, name)),
    openDirectory: (folder) => use(folder, (known) => lower.openDirectory(known)),
  });
  const guest = new Driver({ mounts: [{ guest: "/", fs }] });
  t.equal(guest.contents("/d/e/c.txt"), "gamma");
  const directory = guest.handle("/d/e", DIRECTORY);
  for (const path of ["/d/e/c.txt", "/d/b.txt", "/d/e"]) {
    epoch++;
    t.equal(guest.stat(path).status, 0, path);
  }
  epoch++;
  t.equal(guest.stat("", 0, directory).status, 0, "a handle looks again too");
  epoch++;
  t.equal(guest.unlink("/d/e/c.txt"), 0);
  epoch++;
  t.same(guest.names("/d/e"), ["f.txt"]);
});

test("[FS-OVERLAY-6] overlay: special files, and names that are none", (t) => {
  const lower = lowerTree();
  const odd: FileSystem = {
    ...spied(lower, (call, name) => (call === "lookup" && name === "z.txt" ? { kind: "other" } : undefined)),
    openDirectory: (folder) => {
      const directory = got(lower.openDirectory(folder));
      if (folder.name !== "empty") return directory;
      return { ...directory, list: () => [{ name: new Uint8Array([0xff]), kind: "file" }] };
    },
  };
  const fs = overlayFileSystem(odd);
  const guest = new Driver({ mounts: [{ guest: "/", fs }] });
  t.equal(guest.open("/z.txt", READ).status, Status.SPECIAL_FILE);
  t.equal(guest.open("/z.txt", WRITE | TRUNCATE).status, Status.SPECIAL_FILE);
  t.equal(guest.link("/z.txt", "/new"), Status.SPECIAL_FILE);
  t.same([fs.open(fs.root, "z.txt", READ), fs.link(fs.root, "z.txt", fs.root, "new")], [RETRY, RETRY]);
  t.equal(guest.rename("/z.txt", "/d/pipe"), 0);
  t.equal(guest.open("/d/pipe", READ).status, Status.SPECIAL_FILE);
  t.same(fs.lookup(...at(fs, "d/pipe")), { kind: "other" });
  const restored = overlayFileSystem(odd);
  t.ok(restored.restore(fs.save()));
  t.same(restored.lookup(...at(restored, "d/pipe")), { kind: "other" });
  t.equal(guest.unlink("/d/pipe"), 0);
  t.same(guest.names("/d"), ["b.txt", "e", "link"]);
  t.same(guest.names("/empty"), []);
  t.equal(guest.rmdir("/empty"), Status.NOT_EMPTY);
  t.same(fs.used, { bytes: 0, files: 0 });
});

test("[FS-OVERLAY-3] overlay: a directory of 10,000 entries", (t) => {
  const lower = new MemoryFileSystem();
  for (let k = 0; k < 10_000; k++) lower.put(`big/${k}`, "");
  const fs = overlayFileSystem(lower);
  const big = folderAt(fs, "big");
  for (let k = 0; k < 10_000; k += 2) if (fs.unlink(big, `${k}`) !== Status.OK) t.fail(`${k}`);
  got(fs.create(big, "new")).close();
  const left = listed(fs, "big");
  t.equal(left.length, 5001);
  t.ok(left.includes("1") && left.includes("new") && !left.includes("2"));
  const restored = overlayFileSystem(lower);
  t.ok(restored.restore(fs.save()));
  t.same(listed(restored, "big"), left);
});

test("[FS-OVERLAY-1] overlay: a real folder is left as it is", (t) => {
  const root = nodeFs.mkdtempSync(join(tmpdir(), "ashlar-overlay-"));
  t.teardown(() => nodeFs.rmSync(root, { recursive: true, force: true }));
  nodeFs.mkdirSync(join(root, "d"));
  nodeFs.writeFileSync(join(root, "f"), "text");
  nodeFs.writeFileSync(join(root, "d/g"), "more");
  nodeFs.symlinkSync("../f", join(root, "d/l"));
  const look = (): unknown =>
    ["", "f", "d", "d/g", "d/l"].map((path) => {
      const { ino, size, mtimeNs, ctimeNs } = nodeFs.lstatSync(join(root, path), { bigint: true });
      return [path, ino, size, mtimeNs, ctimeNs];
    });
  const before = look();
  const fs = overlayFileSystem(directoryFileSystem(root));
  const guest = new Driver({ mounts: [{ guest: "/", fs }] });
  t.equal(guest.contents("/d/l"), "text");
  t.same(guest.write(guest.handle("/d/l", WRITE), 0, "T"), { status: 0, bytes: 1 });
  t.equal(guest.contents("/f"), "Text");
  t.equal(guest.rename("/d", "/e"), 0);
  t.equal(guest.unlink("/e/g"), 0);
  t.equal(guest.mkdir("/d"), 0);
  t.equal(guest.contents("/e/l"), "Text");
  t.same([guest.names("/"), guest.names("/e")], [["d", "e", "f"], ["l"]]);
  t.same(look(), before);
});

test("[FS-OVERLAY-8] overlay: saved and restored", (t) => {
  const lower = lowerTree();
  const fs = overlayFileSystem(lower);
  t.equal(fs.save().length, 13 + 10 + 4 + 8, "nothing but the root");
  fs.rename(...at(fs, "d"), fs.root, "moved");
  write(open(fs, "moved/b.txt"), 0, "B");
  const reader = open(fs, "z.txt", READ);
  const deep = got(fs.openDirectory(folderAt(fs, "moved/e")));
  fs.unlink(fs.root, "z.txt");
  fs.setTimes(fs.root, "a.txt", { accessed: undefined, modified: 3n });
  const saved = fs.save();
  const text = Buffer.from(saved).toString("latin1");
  t.ok(text.includes("Beta") && !text.includes("gamma") && !text.includes("zeta"), "only what was copied up");

  const other = overlayFileSystem(lowerTree());
  t.ok(other.restore(saved));
  t.same(other.save(), saved);
  t.same(other.used, { bytes: 4, files: 1 });
  const again = other.reopen(reader.saved!) as OpenFile;
  t.equal(readAll(again), "zeta");
  t.equal(again.close(), Status.OK);
  t.equal(other.reopen(reader.saved!), undefined, "it is gone with its last handle");
  const folder = other.reopen(deep.saved!) as OpenDirectory;
  t.same(names(folder), ["c.txt", "f.txt"]);
  t.equal(folder.folder(), folderAt(other, "moved/e"));
  folder.close();
  reader.close();
  t.same(dump(other), dump(fs));
  t.notOk(new MemoryFileSystem().restore(saved), "a tree over nothing");
  t.notOk(overlayFileSystem(lower, { bytes: 3 }).restore(saved));
  for (const tree of [{}, { d: "a file where a directory was" }]) {
    const other = overlayFileSystem(new MemoryFileSystem(tree));
    t.ok(other.restore(saved));
    t.equal(other.reopen(reader.saved!), undefined, "another lower file system has no such file");
    t.equal(other.stat(other.root, "a.txt"), RETRY);
    t.equal(other.lookup(folderAt(other, "moved"), "x"), Status.NOT_FOUND);
  }
});

test("[FS-OVERLAY-8] overlay: a change is saved with the way to it", (t) => {
  const lower = lowerTree();
  const changes: readonly [what: string, call: (fs: MemoryFileSystem, e: Folder) => unknown][] = [
    ["removed", (fs, e) => fs.unlink(e, "c.txt")],
    ["made", (fs, e) => got(fs.create(e, "new")).close()],
    ["moved here", (fs, e) => fs.rename(fs.root, "own", e, "new")],
    ["moved away", (fs, e) => fs.rename(e, "c.txt", fs.root, "new")],
    ["linked", (fs, e) => fs.link(fs.root, "own", e, "new")],
    ["timed", (fs, e) => fs.setTimes(e, "c.txt", { accessed: 4n, modified: 5n })],
    ["folder timed", (fs, e) => fs.setTimes(e, undefined, { accessed: 4n, modified: 5n })],
    ["written", (fs, e) => write(got(fs.open(e, "c.txt", WRITE)), 0, "G")],
  ];
  for (const [what, call] of changes) {
    const fs = overlayFileSystem(lower);
    fs.put("own", "own");
    const before = Buffer.from(fs.save()).toString("latin1");
    call(fs, folderAt(fs, "d/e"));
    t.not(Buffer.from(fs.save()).toString("latin1"), before, what);
    const restored = overlayFileSystem(lower);
    t.ok(restored.restore(fs.save()), what);
    t.same(restored.used, fs.used, what);
    t.same(dump(restored), dump(fs), what);
  }
});

test("[FS-OVERLAY-1] overlay: what is opened below is closed, once", (t) => {
  let opened = 0;
  const lower = spied(lowerTree(), (call) => {
    if (call === "open" || call === "openDirectory") opened++;
    if (call.endsWith(".close")) opened--;
    return undefined;
  });
  const fs = overlayFileSystem(lower);
  const nodes = ["a.txt", "a.txt", "d/b.txt"].map((path) => open(fs, path));
  const directory = got(fs.openDirectory(folderAt(fs, "d/e")));
  t.equal(opened, 3, "however many handles there are");
  write(nodes[0]!, 0, "A");
  t.equal(opened, 2);
  fs.link(...at(fs, "d/b.txt"), fs.root, "new");
  t.equal(opened, 1);
  fs.link(...at(fs, "d/e/c.txt"), fs.root, "another");
  fs.rmdir(fs.root, "d");
  fs.get("z.txt");
  fs.paths();
  t.equal(opened, 1);
  for (const node of [...nodes, directory]) node.close();
  t.equal(opened, 0);
  const [file, folder] = [open(fs, "y.txt"), got(fs.openDirectory(fs.root))];
  t.equal(opened, 2);
  t.ok(fs.restore(fs.save()));
  t.equal(opened, 0, "a restore ends them");
  t.ok(fs.reopen(file.saved!) !== undefined && fs.reopen(folder.saved!) !== undefined);
  file.close();
  folder.close();
  t.equal(opened, 2);
});

test("[FS-MEMORY-8, FS-OVERLAY-8] trees of any depth", (t) => {
  const build = (fs: MemoryFileSystem, depth: number): Folder => {
    let folder = fs.root;
    for (let k = 0; k < depth; k++) {
      fs.mkdir(folder, "d");
      const found = got(fs.lookup(folder, "d"));
      if (found.kind === "directory") folder = found.folder;
    }
    return folder;
  };
  const fs = new MemoryFileSystem();
  got(fs.create(build(fs, 5000), "f")).close();
  const copy = new MemoryFileSystem();
  t.ok(copy.restore(fs.save()));
  t.equal(copy.paths()[0]!.length, 10_002);
  t.same(copy.used, { bytes: 0, files: 5001 });

  const lower = new MemoryFileSystem();
  build(lower, 1000);
  const over = overlayFileSystem(lower);
  got(over.create(build(over, 1000), "f")).close();
  const again = overlayFileSystem(lower);
  t.ok(again.restore(over.save()));
  t.equal(again.paths()[0]!.length, 2002);
  t.same(again.used, { bytes: 0, files: 1 });
});

// ---- against a model

const RUNS = 100;

/** The obvious tree: nothing is counted but by looking at everything. */
interface ModelNode {
  readonly kind: EntryKind;
  readonly entries: Map<string, ModelNode>;
  readonly target: string;
  bytes: string;
  /** False while it shows through from below. */
  own: boolean;
  handles: number;
  times: [accessed: bigint, modified: bigint, changed: bigint];
}

function modelNode(kind: EntryKind, now: bigint, more: Partial<ModelNode> = {}): ModelNode {
  return { kind, entries: new Map(), target: "", bytes: "", own: true, handles: 0, times: [now, now, now], ...more };
}

class Model {
  readonly root: ModelNode = modelNode("directory", 0n);
  readonly quota: MemoryQuota;
  readonly handles = new Set<ModelNode>();
  now = 0n;

  constructor(quota: MemoryQuota) {
    this.quota = quota;
  }

  /** The nodes with names, each as often as it has names. */
  *named(directory: ModelNode = this.root): Generator<ModelNode> {
    for (const node of directory.entries.values()) {
      yield node;
      yield* this.named(node);
    }
  }

  get used(): MemoryQuota {
    const own = [...this.named()].filter((node) => node.own);
    const all = new Set(own);
    for (const node of this.handles) if (node.own && node !== this.root) all.add(node);
    const lost = all.size - new Set(own).size;
    return { bytes: [...all].reduce((sum, { bytes }) => sum + bytes.length, 0), files: own.length + lost };
  }

  linksOf(node: ModelNode): number {
    return node.kind === "file" ? [...this.named()].filter((other) => other === node).length : 1;
  }

  find(path: readonly string[]): ModelNode | undefined {
    let node: ModelNode | undefined = this.root;
    for (const name of path) node = node?.entries.get(name);
    return node;
  }

  #fits(bytes: number, files: number): boolean {
    const used = this.used;
    return used.bytes + bytes <= this.quota.bytes && used.files + files <= this.quota.files;
  }

  #touch(...nodes: readonly ModelNode[]): void {
    for (const node of nodes) node.times = [node.times[0], this.now, this.now];
  }

  add(directory: ModelNode, name: string, kind: EntryKind, target = ""): ModelNode | Outcome {
    if (directory.entries.has(name)) return RETRY;
    if (!this.#fits(0, 1)) return Status.QUOTA;
    const node = modelNode(kind, this.now, { target });
    directory.entries.set(name, node);
    this.#touch(directory);
    return node;
  }

  remove(directory: ModelNode, name: string, isDirectory: boolean): Outcome {
    const node = directory.entries.get(name);
    if (node === undefined || (node.kind === "directory") !== isDirectory) return RETRY;
    if (node.entries.size > 0) return Status.NOT_EMPTY;
    directory.entries.delete(name);
    this.#touch(directory);
    node.times[2] = this.now;
    return Status.OK;
  }

  rename(from: ModelNode, name: string, to: ModelNode, newName: string): Outcome {
    const node = from.entries.get(name);
    const old = to.entries.get(newName);
    if (node === undefined) return RETRY;
    if (node === old) return Status.OK;
    if (old !== undefined) {
      if ((old.kind === "directory") !== (node.kind === "directory")) return RETRY;
      if (old.entries.size > 0) return Status.NOT_EMPTY;
      old.times[2] = this.now;
    }
    from.entries.delete(name);
    to.entries.set(newName, node);
    this.#touch(from, to);
    node.times[2] = this.now;
    return Status.OK;
  }

  link(from: ModelNode, name: string, to: ModelNode, newName: string): Outcome {
    const node = from.entries.get(name);
    if (node === undefined || node.kind === "directory" || to.entries.has(newName)) return RETRY;
    if (!this.#fits(node.own ? 0 : node.bytes.length, node.own ? 1 : 2)) return Status.QUOTA;
    node.own = true;
    to.entries.set(newName, node);
    this.#touch(to);
    node.times[2] = this.now;
    return Status.OK;
  }

  /** Gives a file new bytes. Where it has to be copied up, what the change leaves of it counts. */
  store(node: ModelNode, bytes: string, most = bytes.length): Outcome {
    const fits = node.own
      ? bytes.length <= node.bytes.length || this.#fits(bytes.length - node.bytes.length, 0)
      : this.#fits(most, 1);
    if (!fits) return Status.QUOTA;
    node.own = true;
    node.bytes = bytes;
    this.#touch(node);
    return Status.OK;
  }

  setTimes(node: ModelNode, accessed: bigint | undefined, modified: bigint | undefined): Outcome {
    node.times = [accessed ?? node.times[0], modified ?? node.times[1], this.now];
    return Status.OK;
  }
}

type Path = readonly string[];
/** One step; handles are told by their number, modulo how many there are. */
type Step =
  | { readonly do: "create" | "mkdir" | "symlink" | "rmdir" | "unlink" | "open" | "openDirectory"; readonly path: Path }
  | { readonly do: "rename" | "link"; readonly path: Path; readonly to: Path }
  | { readonly do: "setTimes"; readonly path: Path; readonly times: readonly [bigint | undefined, bigint | undefined] }
  | { readonly do: "write"; readonly handle: number; readonly position: number; readonly text: string }
  | { readonly do: "truncate"; readonly handle: number; readonly bytes: number }
  | { readonly do: "close"; readonly handle: number }
  | { readonly do: "list"; readonly handle: number }
  | { readonly do: "snapshot" };

const someName = fc.constantFrom("a", "b", "c", "é");
const somePath = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(someName) },
  { weight: 3, arbitrary: fc.tuple(someName, someName) },
  { weight: 1, arbitrary: fc.tuple(someName, someName, someName) },
);
const someHandle = fc.nat(5);
const someTime = fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { nil: undefined });
const someStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom("create", "mkdir", "symlink", "rmdir", "unlink", "open", "openDirectory"),
      path: somePath,
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom("rename", "link"), path: somePath, to: somePath }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("setTimes"), path: somePath, times: fc.tuple(someTime, someTime) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("write"),
      handle: someHandle,
      position: fc.integer({ min: -1, max: 12 }),
      text: fc.string({ minLength: 1, maxLength: 8, unit: "binary-ascii" }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("truncate"), handle: someHandle, bytes: fc.nat(14) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("close", "list"), handle: someHandle }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("snapshot") }) },
) as fc.Arbitrary<Step>;

/** So that something is there. */
const FIRST: readonly Step[] = [
  { do: "mkdir", path: ["a"] },
  { do: "mkdir", path: ["a", "b"] },
  { do: "mkdir", path: ["b"] },
  { do: "create", path: ["a", "a"] },
];

/** Runs the steps on both, and compares everything after each. Returns how often each answer was given. */
function runSteps(
  create: () => MemoryFileSystem,
  model: Model,
  steps: readonly Step[],
  told: Map<string, number>,
): void {
  let fs = create();
  fs.useClock(() => model.now);
  const handles: { node: OpenFile | OpenDirectory; like: ModelNode }[] = [];
  const ids = new Map<ModelNode, Stat["id"]>();
  const nodes = new Map<Stat["id"], ModelNode>();
  const assertSame = (actual: unknown, expected: unknown, what: string): void => {
    const show = (value: unknown): string =>
      JSON.stringify(value, (_, part) => (typeof part === "bigint" ? `${part}n` : part)) ?? "undefined";
    if (show(actual) !== show(expected)) throw new Error(`${what}: ${show(actual)}, not ${show(expected)}`);
  };

  function compareStat(stat: Stat | Outcome, like: ModelNode, what: string): void {
    const { kind, id, bytes, links, accessed, modified, changed } = got(stat);
    const length = kind === "symlink" ? Buffer.byteLength(like.target) : like.bytes.length;
    const expected = [like.kind, length, model.linksOf(like), ...like.times];
    assertSame([kind, bytes, links, accessed, modified, changed], expected, what);
    if (!ids.has(like)) {
      assertSame(nodes.has(id), false, `${what}: a new id`);
      ids.set(like, id);
      nodes.set(id, like);
    }
    assertSame(ids.get(like), id, `${what}: its id`);
  }

  function compareTree(folder: Folder, like: ModelNode, path: string): void {
    compareStat(fs.stat(folder, undefined), like, path);
    assertSame(listed(fs, path), [...like.entries.keys()].sort(), `list ${path}`);
    for (const [name, inner] of like.entries) {
      const at = `${path}/${name}`;
      const found = got(fs.lookup(folder, name));
      if (found.kind === "directory") compareTree(found.folder, inner, at);
      else compareStat(fs.stat(folder, name), inner, at);
      if (found.kind === "symlink") assertSame(found.target, inner.target, at);
      if (found.kind === "file") assertSame(contents(fs, at), inner.bytes, at);
    }
  }

  function pathsOf(path: Path): [Folder, ModelNode, string] | undefined {
    const above = path.slice(0, -1);
    const like = model.find(above);
    if (like?.kind !== "directory") return undefined;
    return [folderAt(fs, above.join("/")), like, path[path.length - 1]!];
  }

  function hold(node: OpenFile | OpenDirectory | Outcome, like: ModelNode | Outcome | undefined): [unknown, unknown] {
    if (!isNode(node) || typeof like !== "object")
      return [node, typeof like === "object" ? Status.OK : (like ?? RETRY)];
    handles.push({ node, like });
    like.handles++;
    model.handles.add(like);
    return [Status.OK, Status.OK];
  }

  function runNamed(step: Extract<Step, { readonly path: Path }>): readonly [unknown, unknown] | undefined {
    const place = pathsOf(step.path);
    if (place === undefined) return undefined;
    const [folder, like, name] = place;
    const node = like.entries.get(name);
    switch (step.do) {
      case "create":
        return hold(fs.create(folder, name), model.add(like, name, "file"));
      case "mkdir": {
        const made = model.add(like, name, "directory");
        return [fs.mkdir(folder, name), typeof made === "object" ? Status.OK : made];
      }
      case "symlink": {
        const made = model.add(like, name, "symlink", "é/x");
        return [fs.symlink("é/x", folder, name), typeof made === "object" ? Status.OK : made];
      }
      case "rmdir":
        return [fs.rmdir(folder, name), model.remove(like, name, true)];
      case "unlink":
        return [fs.unlink(folder, name), model.remove(like, name, false)];
      case "open":
        return hold(fs.open(folder, name, READ | WRITE), node?.kind === "file" ? node : undefined);
      case "openDirectory":
        return node?.kind === "directory" ? hold(fs.openDirectory(folderAt(fs, step.path.join("/"))), node) : undefined;
      case "setTimes": {
        const [accessed, modified] = step.times;
        const expected = node === undefined ? RETRY : model.setTimes(node, accessed, modified);
        return [fs.setTimes(folder, name, { accessed, modified }), expected];
      }
      case "rename":
      case "link": {
        const target = pathsOf(step.to);
        // A directory into itself is the caller's to refuse.
        if (target === undefined || (node !== undefined && step.to.join("/").startsWith(`${step.path.join("/")}/`)))
          return undefined;
        const [newFolder, newLike, newName] = target;
        return [fs[step.do](folder, name, newFolder, newName), model[step.do](like, name, newLike, newName)];
      }
    }
  }

  function runOpen(step: Extract<Step, { readonly handle: number }>): readonly [unknown, unknown] | undefined {
    const held = handles[step.handle % Math.max(handles.length, 1)];
    if (held === undefined) return undefined;
    const { node, like } = held;
    if (step.do === "close") {
      handles.splice(handles.indexOf(held), 1);
      like.handles--;
      if (like.handles === 0) model.handles.delete(like);
      return [node.close(), Status.OK];
    }
    if (step.do === "list") {
      if (node.kind === "file") return undefined;
      const isThere = like === model.root || [...model.named()].includes(like);
      const found = node.folder();
      if (isNode(found)) compareTree(found, like, pathTo(found));
      return [
        [names(node), isNode(found)],
        [[...like.entries.keys()].sort(), isThere],
      ];
    }
    if (node.kind === "directory") return undefined;
    const { bytes } = like;
    if (step.do === "truncate")
      return [node.truncate(step.bytes), model.store(like, bytes.slice(0, step.bytes).padEnd(step.bytes, "\0"))];
    const start = step.position < 0 ? bytes.length : step.position;
    const padded = bytes.padEnd(start + step.text.length, "\0");
    const stored = padded.slice(0, start) + step.text + padded.slice(start + step.text.length);
    return [write(node, step.position, step.text), model.store(like, stored)];
  }

  function pathTo(folder: Folder): string {
    return folder.parent === undefined ? "" : `${pathTo(folder.parent)}/${folder.name}`;
  }

  for (const step of steps) {
    model.now++;
    const before = state(fs);
    if (step.do === "snapshot") {
      const saved = fs.save();
      fs = create();
      fs.useClock(() => model.now);
      assertSame(fs.restore(saved), true, "restored");
      assertSame(Buffer.compare(fs.save(), saved), 0, "saved again");
      for (const held of handles) {
        const node = fs.reopen(held.node.saved!);
        if (node?.kind !== held.node.kind) throw new Error(`${held.node.saved} is ${node?.kind}`);
        held.node = node;
      }
    } else {
      const answers = "handle" in step ? runOpen(step) : runNamed(step);
      if (answers === undefined) continue;
      const [actual, expected] = answers;
      assertSame(actual, expected, step.do);
      const key = `${step.do} ${typeof actual === "number" ? actual : "OK"}`;
      told.set(key, (told.get(key) ?? 0) + 1);
      if (typeof actual === "number" && actual !== Status.OK) assertSame(state(fs), before, `${step.do} failed`);
    }
    assertSame(fs.used, model.used, `used after ${step.do}`);
    compareTree(fs.root, model.root, "");
    for (const { node, like } of handles) {
      compareStat(node.stat(), like, "a handle");
      if (node.kind === "file") assertSame(readAll(node), like.bytes, "a handle");
    }
  }
}

test("[FS-MEMORY-1, FS-MEMORY-2, FS-MEMORY-4, FS-MEMORY-5, FS-MEMORY-8] memory does what a naive model does", (t) => {
  const told = new Map<string, number>();
  fc.assert(
    fc.property(
      fc.array(someStep, { minLength: 20, maxLength: 60 }),
      fc.record({ bytes: fc.integer({ min: 0, max: 40 }), files: fc.integer({ min: 1, max: 10 }) }),
      (steps, quota) => runSteps(() => new MemoryFileSystem({}, quota), new Model(quota), [...FIRST, ...steps], told),
    ),
    { numRuns: RUNS },
  );
  for (const answer of ["create 0", "rename 0", "rmdir 107", "unlink 0", "write 0", "write 8", "close 0"])
    t.ok(told.has(answer), answer);
});

test("[FS-OVERLAY-1, FS-OVERLAY-2, FS-OVERLAY-3, FS-OVERLAY-4, FS-OVERLAY-7, FS-OVERLAY-8] overlay does what a naive model does", (t) => {
  const lower = new MemoryFileSystem();
  lower.useClock(() => -7n);
  for (const [path, text] of Object.entries({ "a/a": "12345", "a/b/a": "123", "b/a/a": "", é: "123456" }))
    lower.put(path, text);
  lower.putLink("a/é", "é/x");
  lower.makeDirectory("b/b");
  const before = lower.save();
  const model = (quota: MemoryQuota): Model => {
    const like = new Model(quota);
    const copy = (folder: Folder, into: ModelNode): void => {
      for (const name of listed(lower, namesTo(folder))) {
        const stat = got(lower.stat(folder, name));
        const found = got(lower.lookup(folder, name));
        const times: ModelNode["times"] = [stat.accessed, stat.modified, stat.changed];
        const node = modelNode(stat.kind, 0n, {
          own: false,
          times,
          target: found.kind === "symlink" ? found.target : "",
        });
        into.entries.set(name, node);
        if (found.kind === "directory") copy(found.folder, node);
        if (found.kind === "file") node.bytes = contents(lower, `${namesTo(folder)}/${name}`);
      }
      const { accessed, modified, changed } = got(lower.stat(folder, undefined));
      into.times = [accessed, modified, changed];
    };
    const namesTo = (folder: Folder): string =>
      folder.parent === undefined ? "" : `${namesTo(folder.parent)}/${folder.name}`;
    copy(lower.root, like.root);
    return like;
  };
  const told = new Map<string, number>();
  fc.assert(
    fc.property(
      fc.array(someStep, { minLength: 20, maxLength: 60 }),
      fc.record({ bytes: fc.integer({ min: 0, max: 40 }), files: fc.integer({ min: 0, max: 10 }) }),
      (steps, quota) => {
        runSteps(() => overlayFileSystem(lower, quota), model(quota), steps, told);
        if (Buffer.compare(lower.save(), before) !== 0) throw new Error("the lower file system has changed");
      },
    ),
    { numRuns: RUNS },
  );
  for (const answer of ["create 0", "rename 0", "rmdir 107", "unlink 0", "write 0", "write 8", "close 0"])
    t.ok(told.has(answer), answer);
});
