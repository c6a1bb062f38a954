/** `fs.list`: order, records, cookies, and directories that change while they are listed. */
import { Status } from "../../../syscalls/status.ts";
import { OpenFlag } from "../../../syscalls/table.ts";
import type { Context } from "./context.ts";

const { READ, WRITE, CREATE, DIRECTORY } = OpenFlag;

export function listCases({ capabilities, check, change, drive }: Context): void {
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
  });

  check("[FS-LIST-3] the longest record", (t) => {
    const guest = drive({ [`d/${"n".repeat(255)}`]: "" });
    const dir = guest.handle("/d", DIRECTORY);
    t.equal(guest.list(dir, 0, 256).status, Status.INVALID);
    t.equal(guest.list(dir, 0, 257).entries[0]?.name.length, 255);
  });

  check("[FS-LIST-1, FS-LIST-3] a large directory, one record at a time and some at a time", (t) => {
    const names = Array.from({ length: 300 }, (_, k) => `entry-${k}`).sort();
    const guest = drive(Object.fromEntries(names.map((name) => [`d/${name}`, ""])));
    const dir = guest.handle("/d", DIRECTORY);
    for (const window of [11, 100, 10_000]) {
      const found: string[] = [];
      let calls = 0;
      for (let cookie = 0, eof = 0; eof === 0; calls++) {
        const part = guest.list(dir, cookie, window);
        t.equal(part.status, 0);
        t.equal(part.next, cookie + part.entries.length);
        found.push(...part.entries.map(({ name }) => name));
        ({ eof, next: cookie } = part);
      }
      t.same(found, names, `window of ${window}`);
      t.equal(window === 11 ? calls : 0, window === 11 ? 300 : 0);
    }
  });

  check("[FS-LIST-2] kinds", (t) => {
    const links = capabilities.symlinks
      ? { link: { link: "file" }, nowhere: { link: "none" }, over: { link: "dir" } }
      : {};
    const guest = drive({ file: "x", "dir/f": "", ...links });
    t.same(guest.list(guest.handle("/", DIRECTORY), 0, 1000).entries, [
      { kind: 2, name: "dir" },
      { kind: 1, name: "file" },
      ...Object.keys(links).map((name) => ({ kind: 3, name })),
    ]);
  });

  change("[FS-LIST-1] a listing under way does not see changes", (t) => {
    const guest = drive({ "d/b": "", "d/d": "", "d/e": "" });
    const dir = guest.handle("/d", DIRECTORY);
    const names = (cookie: number): string[] => guest.list(dir, cookie, 1000).entries.map(({ name }) => name);
    t.same(guest.list(dir, 0, 3).entries, [{ kind: 1, name: "b" }]);
    guest.handle("/d/a", WRITE | CREATE);
    guest.handle("/d/c", WRITE | CREATE);
    t.equal(guest.unlink("/d/e"), 0);
    t.equal(guest.rename("/d/b", "/d/z"), 0);
    t.same(names(1), ["d", "e"]);
    t.same(names(3), []);
    t.same(names(0), ["a", "c", "d", "z"]);
    // Two handles are two listings.
    const other = guest.handle("/d", DIRECTORY);
    t.equal(guest.unlink("/d/a"), 0);
    t.same(names(1), ["c", "d", "z"]);
    t.same(
      guest.list(other, 0, 1000).entries.map(({ name }) => name),
      ["c", "d", "z"],
    );
  });

  change("[FS-LIST-1] a first cookie other than 0 reads the directory too", (t) => {
    const guest = drive({ "d/a": "", "d/b": "" });
    const dir = guest.handle("/d", DIRECTORY);
    t.same(guest.list(dir, 1, 100).entries, [{ kind: 1, name: "b" }]);
    t.equal(guest.list(guest.handle("/d", DIRECTORY), 3, 100).status, Status.INVALID);
  });

  check("[FS-OPEN-3] a directory's handle is none of a file's, and the other way round", (t) => {
    const guest = drive({ "d/f": "" });
    const dir = guest.handle("/d", DIRECTORY);
    const file = guest.handle("/d/f", READ);
    for (const name of ["size", "truncate"]) t.equal(guest.trap("fs", name, dir, [0, 0]), "HeapRefKind");
    for (const name of ["read", "write"]) t.equal(guest.trap("fs", name, dir, [0, 0], guest.own, 0, 1), "HeapRefKind");
    t.equal(guest.trap("fs", "list", file, [0, 0], guest.own, 0, 300), "HeapRefKind");
  });
}
