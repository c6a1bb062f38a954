/** Directories as where paths begin, for every call; and directories that are moved or removed while they are open. */
import { Status } from "../../../syscalls/status.ts";
import { OpenFlag, TimesFlag } from "../../../syscalls/table.ts";
import { type Context, pathCalls, TREE } from "./context.ts";

const { READ, WRITE, CREATE, DIRECTORY } = OpenFlag;

export function directoryHandleCases({ capabilities, exceptions, check, change, drive }: Context): void {
  const { writable, symlinks, hardLinks, times } = capabilities;

  check("[FS-PATH-5, FS-PATH-6] a path that begins at a directory's handle", (t) => {
    const guest = drive({
      ...TREE,
      ...(symlinks ? { "dir/in": { link: "sub/c" }, "dir/up": { link: "../a.txt" } } : {}),
    });
    const dir = guest.handle("/dir", DIRECTORY);
    t.equal(guest.contents("b.txt", dir), "beta");
    t.equal(guest.contents("./sub/../b.txt", dir), "beta");
    t.equal(guest.contents("sub/c", dir), "");
    t.same(guest.names("sub", dir), ["c"]);
    t.same(guest.names(".", dir), guest.names("/dir"));
    t.same(guest.names("sub/..", dir), guest.names("/dir"));
    t.equal(guest.open(".", READ, dir).status, Status.IS_DIRECTORY);
    t.equal(guest.contents("a.txt", dir), Status.NOT_FOUND);
    t.equal(guest.contents("dir/b.txt", dir), Status.NOT_FOUND);
    const sub = guest.handle("sub", DIRECTORY, dir);
    t.equal(guest.contents("c", sub), "");
    const root = guest.handle("/", DIRECTORY);
    t.equal(guest.contents("dir/b.txt", root), "beta");
    if (!symlinks) return;
    t.equal(guest.contents("in", dir), "");
    t.equal(guest.contents("up", dir), Status.ACCESS, "a link may not lead out of the handle's directory");
    t.equal(guest.contents("dir/up", root), "alpha");
  });

  check("[FS-PATH-5, FS-PATH-6] no path leads out of the handle's directory", (t) => {
    const guest = drive({ ...TREE, "dir/sub/a.txt": "inner" });
    const dir = guest.handle("/dir/sub", DIRECTORY);
    for (const path of ["../b.txt", "./../b.txt", "../sub/c", "../../a.txt", "/a.txt", "/dir/sub/c", "//c"])
      for (const { name, changes, call } of pathCalls(guest)) {
        const lacks =
          (!symlinks && name === "symlink") ||
          (!hardLinks && name.startsWith("link")) ||
          (!times && name === "set_times");
        const expected = changes && !writable ? Status.READ_ONLY : lacks ? undefined : Status.ACCESS;
        if (expected !== undefined) t.equal(call(path, dir), expected, `${name} ${path}`);
      }
    t.equal(guest.open("..", DIRECTORY, dir).status, Status.ACCESS);
    t.equal(guest.stat("..", 0, dir).status, Status.ACCESS);
    t.same(guest.names("/dir"), ["b.txt", "sub"]);
    t.same(guest.names("/dir/sub"), ["a.txt", "c"]);
  });

  change("[FS-PATH-5] every call can begin at a handle", (t) => {
    const guest = drive(TREE, { hostMetadata: true });
    const dir = guest.handle("/dir", DIRECTORY);
    const other = guest.handle("/empty", DIRECTORY);
    guest.close(guest.handle("made", WRITE | CREATE, dir));
    t.equal(guest.mkdir("d", dir), 0);
    t.equal(guest.mkdir("d/e", dir), 0);
    t.equal(guest.rmdir("d/e", dir), 0);
    t.equal(guest.rename("made", "renamed", dir, dir), 0);
    t.equal(guest.rename("renamed", "far", dir, other), 0);
    t.equal(guest.rename("far", "/back", other), 0);
    t.equal(guest.rename("/back", "again", undefined, dir), 0);
    t.equal(guest.unlink("again", dir), 0);
    t.equal(guest.stat("b.txt", 0, dir).bytes, 4);
    if (times) {
      t.equal(guest.setTimes("b.txt", TimesFlag.MODIFIED, 0n, 5_000_000_000n, dir), 0);
      t.equal(guest.stat("/dir/b.txt").modified, 5_000_000_000n);
    }
    if (symlinks) {
      t.equal(guest.symlink("b.txt", "s", dir), 0);
      t.equal(guest.readlink("s", 100, dir).target, "b.txt");
      t.equal(guest.unlink("s", dir), 0);
    }
    if (hardLinks) {
      t.equal(guest.link("b.txt", "twin", dir, other), 0);
      t.equal(guest.contents("/empty/twin"), "beta");
      t.equal(guest.unlink("twin", other), 0);
    }
    t.same(guest.tree(), {
      "a.txt": "alpha",
      dir: null,
      "dir/b.txt": "beta",
      "dir/d": null,
      "dir/sub": null,
      "dir/sub/c": "",
      empty: null,
    });
    t.equal(guest.rmdir(".", dir), Status.INVALID);
    t.equal(guest.mkdir(".", dir), Status.INVALID);
  });

  change("[FS-PATH-5] a handle stays with its directory when that is renamed", (t) => {
    const guest = drive({ "a/d/f": "text", "b/x": "" });
    const dir = guest.handle("/a/d", DIRECTORY);
    t.equal(guest.rename("/a/d", "/b/e"), 0);
    if (exceptions.has("directories-by-name")) {
      t.equal(guest.contents("f", dir), Status.NOT_FOUND);
      t.equal(guest.list(dir, 0, 100).status, Status.NOT_FOUND);
      t.equal(guest.mkdir("x", dir), Status.NOT_FOUND);
      t.equal(guest.rename("/b/e", "/a/d"), 0);
      t.equal(guest.contents("f", dir), "text", "it is good again where it was");
      return;
    }
    t.equal(guest.mkdir("/a/d"), 0);
    t.equal(guest.contents("f", dir), "text");
    t.same(guest.list(dir, 0, 100).entries, [{ kind: 1, name: "f" }]);
    guest.close(guest.handle("new", WRITE | CREATE, dir));
    t.same(guest.names("/b/e"), ["f", "new"]);
    t.same(guest.names("/a/d"), []);
    t.equal(guest.rename("/b", "/c"), 0, "also when a directory above it is");
    t.equal(guest.contents("f", dir), "text");
    t.equal(guest.unlink("f", dir), 0);
    t.same(guest.names("/c/e"), ["new"]);
    t.equal(guest.open("../x", READ, dir).status, Status.ACCESS);
  });

  change("[FS-PATH-5] the handle of a directory that is removed", (t) => {
    const guest = drive({ "a/d": null });
    const dir = guest.handle("/a/d", DIRECTORY);
    t.equal(guest.rmdir("/a/d"), 0);
    for (const { name, call } of pathCalls(guest)) {
      const lacks =
        (!symlinks && name === "symlink") ||
        (!hardLinks && name.startsWith("link")) ||
        (!times && name === "set_times");
      // These two have a path of their own that is looked up before.
      if (!lacks && name !== "rename to" && name !== "link to") t.equal(call("x", dir), Status.NOT_FOUND, name);
    }
    t.equal(guest.close(dir), 0);
    t.same(guest.names("/a"), []);
  });
}
