/** `fs.rename`: onto everything, from everywhere. */
import { Status } from "../../../syscalls/status.ts";
import { OpenFlag } from "../../../syscalls/table.ts";
import type { Tree } from "../tree.ts";
import { type Context, TREE } from "./context.ts";

const { READ, WRITE, DIRECTORY } = OpenFlag;

export function renameCases({ capabilities, change, drive }: Context): void {
  const { symlinks, hardLinks } = capabilities;

  change("[FS-NAME-5] rename onto each kind of thing", (t) => {
    const nodes: Tree = {
      file: "FILE",
      other: "OTHER",
      "full/x": "X",
      "rich/y": "Y",
      empty: null,
      vacant: null,
      ...(symlinks ? { link: { link: "file" }, arrow: { link: "empty" } } : {}),
    };
    const links = symlinks ? ["link"] : [];
    const sorts: { readonly [name: string]: string } = { other: "file", rich: "full", vacant: "empty", arrow: "file" };
    for (const from of ["file", "full", "empty", ...links])
      for (const to of [from, "other", "rich", "vacant", "new", ...(symlinks ? ["arrow"] : [])]) {
        const guest = drive(nodes);
        const before = guest.tree();
        const target = sorts[to];
        const isFile = from === "file" || from === "link";
        const expected =
          from === to || target === undefined
            ? Status.OK
            : isFile
              ? target === "file"
                ? Status.OK
                : Status.IS_DIRECTORY
              : target === "file"
                ? Status.NOT_DIRECTORY
                : target === "full"
                  ? Status.NOT_EMPTY
                  : Status.OK;
        t.equal(guest.rename(from, to), expected, `${from} to ${to}`);
        const after: { [path: string]: unknown } = { ...before };
        if (expected === Status.OK && from !== to) {
          delete after[to];
          for (const [path, node] of Object.entries(before))
            if (path === from || path.startsWith(`${from}/`)) {
              delete after[path];
              after[`${to}${path.slice(from.length)}`] = node;
            }
        }
        t.same(guest.tree(), after, `${from} to ${to}`);
      }
  });

  change("[FS-NAME-1, FS-NAME-5, FS-NAME-7] rename: what is not there, dots and slashes", (t) => {
    const guest = drive(TREE);
    const before = guest.tree();
    const cases: readonly [from: string, to: string, status: number][] = [
      ["/none", "/new", Status.NOT_FOUND],
      ["/none", "/a.txt", Status.NOT_FOUND],
      ["/none", "/dir", Status.NOT_FOUND],
      ["/none/x", "/new", Status.NOT_FOUND],
      ["/a.txt", "/none/new", Status.NOT_FOUND],
      ["/a.txt/x", "/new", Status.NOT_DIRECTORY],
      ["/a.txt", "/a.txt/x", Status.NOT_DIRECTORY],
      ["/dir", "/a.txt/x", Status.NOT_DIRECTORY],
      ["/a.txt/", "/new", Status.NOT_DIRECTORY],
      ["/a.txt", "/new/", Status.NOT_DIRECTORY],
      ["/a.txt", "/dir/", Status.NOT_DIRECTORY],
      ["/dir", "/dir/sub/new", Status.INVALID],
      ["/dir", "/dir/new", Status.INVALID],
      ["/dir", "/dir/sub/../new", Status.INVALID],
      ["/dir", "/dir/sub", Status.INVALID],
      ["/", "/new", Status.BUSY],
      ["/a.txt", "/", Status.BUSY],
      ["/dir", "/", Status.BUSY],
      ["/dir/sub", "/dir", Status.NOT_EMPTY],
      ["/dir/.", "/new", Status.INVALID],
      ["/dir/sub/..", "/new", Status.INVALID],
      [".", "/new", Status.INVALID],
      ["/empty", "/dir/.", Status.INVALID],
      ["/a.txt", "/dir/..", Status.INVALID],
      ["/a.txt", "..", Status.INVALID],
    ];
    for (const [from, to, status] of cases) t.equal(guest.rename(from, to), status, `${from} to ${to}`);
    t.same(guest.tree(), before);
    t.equal(guest.rename("/dir/", "/moved/"), 0);
    t.equal(guest.rename("/moved", "/empty/"), 0);
    t.equal(guest.rename("empty/sub/../b.txt", "b.txt"), 0);
    t.same(guest.tree(), { "a.txt": "alpha", "b.txt": "beta", empty: null, "empty/sub": null, "empty/sub/c": "" });
  });

  change("[FS-NAME-5] rename to itself", (t) => {
    const guest = drive(TREE);
    const before = guest.tree();
    t.equal(guest.rename("/a.txt", "a.txt"), 0);
    t.equal(guest.rename("/dir", "/dir/"), 0);
    t.equal(guest.rename("/dir/b.txt", "/dir/sub/../b.txt"), 0);
    t.same(guest.tree(), before);
    if (!hardLinks) return;
    t.equal(guest.link("/a.txt", "/twin"), 0);
    t.equal(guest.rename("/a.txt", "/twin"), 0, "two names of one file stay two");
    t.same([guest.contents("/a.txt"), guest.contents("/twin")], ["alpha", "alpha"]);
  });

  change("[FS-NAME-5] handles follow what is renamed, and keep what is replaced", (t) => {
    const guest = drive({ a: "A", b: "B", "d/x": "X", e: null });
    const [a, b] = [guest.handle("/a", READ | WRITE), guest.handle("/b", READ | WRITE)];
    t.equal(guest.rename("/a", "/b"), 0);
    t.same(guest.write(a, 1, "!"), { status: 0, bytes: 1 });
    t.same(guest.write(b, 1, "?"), { status: 0, bytes: 1 });
    t.equal(guest.contents("/b"), "A!");
    t.same(guest.read(b, 0, 9), { status: 0, bytes: 2, eof: 1, text: "B?" });
    t.same(guest.names("/"), ["b", "d", "e"]);
    const [x, replaced] = [guest.handle("/d/x", READ), guest.handle("/e", DIRECTORY)];
    t.equal(guest.rename("/d", "/e"), 0);
    t.same(guest.read(x, 0, 9), { status: 0, bytes: 1, eof: 1, text: "X" });
    t.equal(guest.contents("/e/x"), "X");
    t.equal(guest.open("x", READ, replaced).status, Status.NOT_FOUND, "the replaced directory is gone");
  });

  change("[FS-NAME-5] a directory keeps what is in it, far away", (t) => {
    const guest = drive({ "a/b/c/d": "deep", "x/y": "" });
    t.equal(guest.rename("/a/b", "/x/b"), 0);
    t.equal(guest.contents("/x/b/c/d"), "deep");
    t.equal(guest.contents("/x/b/c/../../y"), "");
    t.same(guest.names("/x/b/c/../.."), ["b", "y"]);
    t.equal(guest.contents("/a/b/c/d"), Status.NOT_FOUND);
    t.equal(guest.rename("/x", "/a/x"), 0);
    t.equal(guest.contents("/a/x/b/c/d"), "deep");
    t.equal(guest.rename("/a", "/a/x/b/a"), Status.INVALID);
  });
}
