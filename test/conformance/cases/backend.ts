/** The interface itself: a tree that has changed since it was looked up is RETRY, and nothing is changed. */
import { type Entry, type Folder, RETRY } from "../../../host/fs/file-system.ts";
import { Status } from "../../../syscalls/status.ts";
import { OpenFlag } from "../../../syscalls/table.ts";
import { type Context, TREE } from "./context.ts";

const { READ, WRITE } = OpenFlag;

export function backendCases({ capabilities, exceptions, change, check, create }: Context): void {
  const { symlinks, hardLinks } = capabilities;
  const folderOf = (fs: ReturnType<typeof create>, name: string): Folder => {
    const found = fs.lookup(fs.root, name);
    if (typeof found === "number" || found.kind !== "directory") throw new Error(`${name} is no directory`);
    return found.folder;
  };

  check("[FS-CAPABILITY-1] what a look-up finds", (t) => {
    const fs = create({ ...TREE, ...(symlinks ? { link: { link: "../out" } } : {}) });
    t.same(fs.lookup(fs.root, "a.txt"), { kind: "file" });
    t.equal(fs.lookup(fs.root, "none"), Status.NOT_FOUND);
    const dir = folderOf(fs, "dir");
    t.same([dir.name, dir.parent], ["dir", fs.root]);
    t.same([fs.root.name, fs.root.parent], ["", undefined]);
    t.same(fs.lookup(dir, "b.txt"), { kind: "file" });
    if (symlinks) t.same(fs.lookup(fs.root, "link"), { kind: "symlink", target: "../out" });
  });

  if (exceptions.has("no-races")) return;

  check("[FS-PATH-7] what is not there any more, or is another kind of thing", (t) => {
    const fs = create(TREE);
    t.equal(fs.open(fs.root, "none", READ), RETRY);
    t.equal(fs.open(fs.root, "dir", READ), RETRY);
    t.equal(fs.stat(fs.root, "none"), RETRY);
  });

  change("[FS-PATH-7] a change to what is not as it was looked up", (t) => {
    const fs = create(TREE);
    const { root } = fs;
    const dir = folderOf(fs, "dir");
    const statuses: { readonly [what: string]: unknown } = {
      "open none": fs.open(root, "none", WRITE),
      "create over a file": fs.create(root, "a.txt", WRITE),
      "create over a directory": fs.create(root, "dir", WRITE),
      "mkdir over a file": fs.mkdir(root, "a.txt"),
      "mkdir over a directory": fs.mkdir(root, "dir"),
      "rmdir none": fs.rmdir(root, "none"),
      "rmdir a file": fs.rmdir(root, "a.txt"),
      "unlink none": fs.unlink(root, "none"),
      "unlink a directory": fs.unlink(root, "empty"),
      "rename none": fs.rename(root, "none", root, "new"),
      "rename a file onto a directory": fs.rename(root, "a.txt", root, "empty"),
      "rename a directory onto a file": fs.rename(root, "empty", root, "a.txt"),
      ...(hardLinks
        ? {
            "link none": fs.link(root, "none", root, "new"),
            "link over a file": fs.link(root, "a.txt", dir, "b.txt"),
          }
        : {}),
      ...(symlinks ? { "symlink over a file": fs.symlink("x", root, "a.txt") } : {}),
    };
    for (const [what, status] of Object.entries(statuses)) t.equal(status, RETRY, what);
    const gone = folderOf(fs, "empty");
    t.equal(fs.rmdir(root, "empty"), Status.OK);
    t.equal(fs.create(gone, "f", WRITE), RETRY);
    t.equal(fs.mkdir(gone, "d"), RETRY);
    t.equal(fs.openDirectory(gone), RETRY);
    t.equal(fs.stat(gone, undefined), RETRY);
    t.equal(fs.rename(root, "a.txt", gone, "f"), RETRY);
    const opened = fs.openDirectory(dir);
    if (typeof opened === "number") throw new Error(`the directory does not open: ${opened}`);
    t.same((opened.list() as readonly Entry[]).map(({ kind }) => kind).sort(), ["directory", "file"]);
    t.same(opened.folder(), dir);
    opened.close();
  });
}
