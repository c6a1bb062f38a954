/** `fs.mkdir`, `rmdir` and `unlink`; and files that are open while their names go. */
import { Status } from "../../../syscalls/status.ts";
import { OpenFlag } from "../../../syscalls/table.ts";
import { type Context, TREE } from "./context.ts";

const { READ, WRITE, CREATE, APPEND, DIRECTORY } = OpenFlag;

export function nameCases({ exceptions, change, drive }: Context): void {
  change("[FS-NAME-1, FS-NAME-2, FS-NAME-7] mkdir", (t) => {
    const guest = drive(TREE);
    t.equal(guest.mkdir("/new"), 0);
    t.same(guest.names("/new"), []);
    t.equal(guest.mkdir("new/deeper/"), 0);
    t.equal(guest.mkdir("/new/deeper//"), Status.EXISTS);
    t.same(guest.names("/new"), ["deeper"]);
    t.equal(guest.mkdir("/new"), Status.EXISTS);
    t.equal(guest.mkdir("/a.txt"), Status.EXISTS);
    t.equal(guest.mkdir("/a.txt/"), Status.EXISTS);
    t.equal(guest.mkdir("/"), Status.EXISTS);
    t.equal(guest.mkdir("//"), Status.EXISTS);
    t.equal(guest.mkdir("/none/x"), Status.NOT_FOUND);
    t.equal(guest.mkdir("/a.txt/x"), Status.NOT_DIRECTORY);
    t.equal(guest.mkdir("/dir/../beside"), 0);
    for (const path of ["/x/.", ".", "..", "/dir/.", "/dir/..", "/dir/sub/../."])
      t.equal(guest.mkdir(path), Status.INVALID, path);
    t.same(guest.names("/"), ["a.txt", "beside", "dir", "empty", "new"]);
  });

  change("[FS-NAME-1, FS-NAME-3, FS-NAME-7] rmdir", (t) => {
    const guest = drive(TREE);
    t.equal(guest.rmdir("/dir"), Status.NOT_EMPTY);
    t.equal(guest.rmdir("/dir/sub/"), Status.NOT_EMPTY);
    t.equal(guest.rmdir("/a.txt"), Status.NOT_DIRECTORY);
    t.equal(guest.rmdir("/a.txt/"), Status.NOT_DIRECTORY);
    t.equal(guest.rmdir("/none"), Status.NOT_FOUND);
    t.equal(guest.rmdir("/none/x"), Status.NOT_FOUND);
    t.equal(guest.rmdir("/a.txt/x"), Status.NOT_DIRECTORY);
    t.equal(guest.rmdir("/"), Status.BUSY);
    for (const path of [".", "..", "/empty/.", "/dir/..", "/dir/sub/.."])
      t.equal(guest.rmdir(path), Status.INVALID, path);
    t.same(guest.names("/"), ["a.txt", "dir", "empty"]);
    t.equal(guest.rmdir("/empty/"), 0);
    t.equal(guest.rmdir("/empty"), Status.NOT_FOUND);
    t.equal(guest.unlink("/dir/sub/c"), 0);
    t.equal(guest.rmdir("/dir/sub"), 0);
    t.same(guest.names("/"), ["a.txt", "dir"]);
    t.same(guest.names("/dir"), ["b.txt"]);
  });

  change("[FS-NAME-1, FS-NAME-4, FS-NAME-7] unlink", (t) => {
    const guest = drive(TREE);
    t.equal(guest.unlink("/dir"), Status.IS_DIRECTORY);
    t.equal(guest.unlink("/dir/"), Status.IS_DIRECTORY);
    t.equal(guest.unlink("/empty"), Status.IS_DIRECTORY);
    t.equal(guest.unlink("/"), Status.IS_DIRECTORY);
    t.equal(guest.unlink("/a.txt/"), Status.NOT_DIRECTORY);
    t.equal(guest.unlink("/none"), Status.NOT_FOUND);
    t.equal(guest.unlink("/none/"), Status.NOT_FOUND);
    t.equal(guest.unlink("/none/x"), Status.NOT_FOUND);
    t.equal(guest.unlink("/a.txt/x"), Status.NOT_DIRECTORY);
    for (const path of [".", "..", "/a.txt/.", "/dir/.."]) t.equal(guest.unlink(path), Status.INVALID, path);
    t.same(guest.names("/"), ["a.txt", "dir", "empty"]);
    t.equal(guest.unlink("/a.txt"), 0);
    t.equal(guest.unlink("/a.txt"), Status.NOT_FOUND);
    t.equal(guest.unlink("dir/./sub//c"), 0);
    t.same(guest.names("/"), ["dir", "empty"]);
    t.same(guest.names("/dir/sub"), []);
  });

  change("[FS-NAME-4] a file that is open outlives its name", (t) => {
    const guest = drive({ f: "text" });
    const file = guest.handle("/f", READ | WRITE);
    const log = guest.handle("/f", WRITE | APPEND);
    t.equal(guest.unlink("/f"), 0);
    t.equal(guest.contents("/f"), Status.NOT_FOUND);
    t.same(guest.read(file, 0, 10), { status: 0, bytes: 4, eof: 1, text: "text" });
    t.same(guest.write(file, 4, "more"), { status: 0, bytes: 4 });
    t.same(guest.write(log, -1, "!"), { status: 0, bytes: 1 });
    t.equal(guest.size(file), 9);
    const { status, kind, bytes } = guest.stat("", 0, file);
    t.same([status, kind, bytes], [0, 1, 9]);
    // Another file takes the name, and is another file.
    const fresh = guest.handle("/f", READ | WRITE | CREATE);
    t.equal(guest.size(fresh), 0);
    t.same(guest.write(fresh, 0, "new"), { status: 0, bytes: 3 });
    t.same(guest.read(file, 0, 10), { status: 0, bytes: 9, eof: 1, text: "textmore!" });
    t.equal(guest.truncate(file, 1), 0);
    t.equal(guest.contents("/f"), "new");
    t.same(guest.read(file, 0, 10), { status: 0, bytes: 1, eof: 1, text: "t" });
    for (const handle of [file, log, fresh]) t.equal(guest.close(handle), 0);
    t.equal(guest.contents("/f"), "new");
  });

  change("[FS-NAME-3] a directory that is open can be removed", (t) => {
    const guest = drive({ "d/e/f": "" });
    const dir = guest.handle("/d/e", DIRECTORY);
    t.equal(guest.rmdir("/d/e"), Status.NOT_EMPTY);
    t.equal(guest.unlink("/d/e/f"), 0);
    t.equal(guest.rmdir("/d/e"), 0);
    t.equal(guest.open("/d/e", DIRECTORY).status, Status.NOT_FOUND);
    const { status, entries, eof } = guest.list(dir, 0, 100);
    t.same([status, entries, eof], exceptions.has("directories-by-name") ? [Status.NOT_FOUND, [], 0] : [0, [], 1]);
    t.equal(guest.open("f", READ, dir).status, Status.NOT_FOUND);
    t.equal(guest.open("f", WRITE | CREATE, dir).status, Status.NOT_FOUND);
    t.equal(guest.mkdir("x", dir), Status.NOT_FOUND);
    t.equal(guest.stat(".", 0, dir).status, Status.NOT_FOUND);
    t.equal(guest.mkdir("/d/e"), 0);
    // A host may give the same inode again.
    if (!exceptions.has("directories-by-name")) {
      t.equal(guest.mkdir("x", dir), Status.NOT_FOUND, "another directory of the same name is another");
      t.same(guest.names("/d/e"), []);
    }
    t.equal(guest.close(dir), 0);
  });
}
