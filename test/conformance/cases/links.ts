/** Symbolic links in paths, `fs.symlink`, `readlink` and `link`. */
import { Status } from "../../../syscalls/status.ts";
import { OpenFlag } from "../../../syscalls/table.ts";
import { type Context, TREE } from "./context.ts";

const { READ, WRITE, CREATE, EXCLUSIVE, TRUNCATE, DIRECTORY, NOFOLLOW } = OpenFlag;

export function linkCases(context: Context): void {
  const { capabilities, check, change, drive } = context;

  check("[FS-NAME-8] what is no symbolic link has no target", (t) => {
    const guest = drive(TREE);
    t.same(guest.readlink("/a.txt"), { status: Status.INVALID, target: "", bytes: 0 });
    t.equal(guest.readlink("/dir").status, Status.INVALID);
    t.equal(guest.readlink("/").status, Status.INVALID);
    t.equal(guest.readlink("/none").status, Status.NOT_FOUND);
    t.equal(guest.readlink("/a.txt/").status, Status.NOT_DIRECTORY);
    t.equal(guest.readlink("/a.txt/x").status, Status.NOT_DIRECTORY);
    t.equal(guest.open("/a.txt", READ | NOFOLLOW).status, Status.OK);
    t.equal(guest.open("/dir", DIRECTORY | NOFOLLOW).status, Status.OK);
  });

  if (capabilities.symlinks) symbolicLinkCases(context);
  else
    change("[FS-CAPABILITY-1] symbolic links cannot be made", (t) => {
      const guest = drive(TREE);
      t.equal(guest.symlink("a.txt", "/link"), Status.UNSUPPORTED);
      t.same(guest.names("/"), ["a.txt", "dir", "empty"]);
    });

  if (capabilities.hardLinks) hardLinkCases(context);
  else
    change("[FS-CAPABILITY-1] files cannot be given another name", (t) => {
      const guest = drive(TREE);
      t.equal(guest.link("/a.txt", "/twin"), Status.UNSUPPORTED);
      t.same(guest.names("/"), ["a.txt", "dir", "empty"]);
    });
}

function symbolicLinkCases({ capabilities, check, change, drive }: Context): void {
  const { writable } = capabilities;
  const TANGLE = {
    "f.txt": "file",
    "d/g.txt": "deep",
    "d/e/h.txt": "deeper",
    "to-file": { link: "f.txt" },
    "to-dir": { link: "d/e" },
    "to-dir-slash": { link: "d/e/" },
    "d/e/up": { link: "../../f.txt" },
    "d/e/up-dir": { link: ".." },
    "d/e/root": { link: "../.." },
    "d/e/out": { link: "../../../f.txt" },
    "d/e/over": { link: "../../../../../../../f.txt" },
    absolute: { link: "/f.txt" },
    "absolute-dir": { link: "/" },
    "loop-a": { link: "loop-b" },
    "loop-b": { link: "loop-a" },
    self: { link: "self" },
    around: { link: "d/e/root/around" },
    chain: { link: "to-dir/up" },
    nothing: { link: "d/fresh.txt" },
    "nothing-far": { link: "none/fresh.txt" },
    "file-slash": { link: "f.txt/" },
    "dir-dot": { link: "d/." },
    "through-file": { link: "f.txt/../f.txt" },
    dot: { link: "." },
    twisted: { link: ".//d/../d/./e//../g.txt" },
  };

  check("[FS-PATH-6] symbolic links lead where they may, and nowhere else", (t) => {
    const guest = drive(TANGLE);
    const leads: { readonly [path: string]: string | number } = {
      "/to-file": "file",
      "/to-dir/h.txt": "deeper",
      "/to-dir-slash/h.txt": "deeper",
      "/to-dir/up": "file",
      "/to-dir/up-dir/g.txt": "deep",
      "/to-dir/../g.txt": "deep",
      "/to-dir/up-dir/../f.txt": "file",
      "/d/e/root/d/g.txt": "deep",
      "/chain": "file",
      "/dir-dot/g.txt": "deep",
      "/dot/dot/dot/f.txt": "file",
      "/twisted": "deep",
      "/d/e/out": Status.ACCESS,
      "/d/e/over": Status.ACCESS,
      "/d/e/root/../f.txt": Status.ACCESS,
      "/to-dir/root/..": Status.ACCESS,
      "/absolute": Status.ACCESS,
      "/absolute/x": Status.ACCESS,
      "/absolute-dir/f.txt": Status.ACCESS,
      "/loop-a": Status.LOOP,
      "/self": Status.LOOP,
      "/self/x": Status.LOOP,
      "/around": Status.LOOP,
      "/nothing": Status.NOT_FOUND,
      "/nothing/x": Status.NOT_FOUND,
      "/nothing-far": Status.NOT_FOUND,
      "/file-slash": Status.NOT_DIRECTORY,
      "/to-file/": Status.NOT_DIRECTORY,
      "/to-file/x": Status.NOT_DIRECTORY,
      "/to-file/..": Status.NOT_DIRECTORY,
      "/through-file": Status.NOT_DIRECTORY,
      "/to-dir": Status.IS_DIRECTORY,
      "/to-dir/": Status.IS_DIRECTORY,
      "/dot": Status.IS_DIRECTORY,
    };
    for (const [path, expected] of Object.entries(leads)) t.equal(guest.contents(path), expected, path);
    t.same(guest.names("/to-dir"), ["h.txt", "out", "over", "root", "up", "up-dir"]);
    t.same(guest.names("/to-dir/up-dir/"), ["e", "g.txt"]);
    t.equal(guest.open("/absolute-dir", DIRECTORY).status, Status.ACCESS);
    t.equal(guest.open("/loop-a/", DIRECTORY).status, Status.LOOP);
    t.equal(guest.open("/to-file", DIRECTORY).status, Status.NOT_DIRECTORY);
  });

  check("[FS-PATH-6] forty links in one path, and no more", (t) => {
    const links = Object.fromEntries(
      Array.from({ length: 41 }, (_, k) => [`l${k}`, { link: k === 0 ? "f" : `l${k - 1}` }]),
    );
    const guest = drive({ f: "file", here: { link: "." }, ...links });
    t.equal(guest.contents("/l39"), "file");
    t.equal(guest.contents("/l40"), Status.LOOP);
    t.equal(guest.contents(`${"here/".repeat(40)}f`), "file");
    t.equal(guest.contents(`${"here/".repeat(41)}f`), Status.LOOP);
    t.equal(guest.contents(`${"here/".repeat(1)}l39`), Status.LOOP);
  });

  check("[FS-OPEN-7] NOFOLLOW and slashes at a link", (t) => {
    const guest = drive(TANGLE);
    for (const path of ["/to-file", "/to-dir", "/nothing", "/self", "/absolute", "/d/e/out"]) {
      t.equal(guest.open(path, READ | NOFOLLOW).status, Status.LOOP, path);
      t.equal(guest.open(path, DIRECTORY | NOFOLLOW).status, path.endsWith("dir") ? Status.LOOP : Status.LOOP, path);
      t.equal(guest.stat(path, NOFOLLOW).kind, 3, path);
    }
    t.equal(guest.open("/to-dir/h.txt", READ | NOFOLLOW).status, Status.OK, "only the last component counts");
    t.equal(guest.open("/to-dir/", DIRECTORY | NOFOLLOW).status, Status.OK, "a slash asks for the directory");
    t.equal(guest.stat("/to-dir/", NOFOLLOW).kind, 2);
    t.equal(guest.stat("/to-dir/.", NOFOLLOW).kind, 2);
    t.equal(guest.stat("/to-file/", NOFOLLOW).status, Status.NOT_DIRECTORY);
    t.equal(guest.stat("/nothing/", NOFOLLOW).status, Status.NOT_FOUND);
  });

  check("[FS-NAME-8] readlink copies as much of the target as fits", (t) => {
    const guest = drive({ "d/link": { link: "../some/é/where" }, "to-d": { link: "d" }, absolute: { link: "/x" } });
    const whole = { status: 0, target: "../some/é/where", bytes: 16 };
    t.same(guest.readlink("/d/link"), whole);
    t.same(guest.readlink("/to-d/link", 16), whole);
    t.same(guest.readlink("/d/link", 7), { status: 0, target: "../some", bytes: 16 });
    t.same(guest.readlink("/d/link", 0), { status: 0, target: "", bytes: 16 });
    t.same(guest.readlink("link", 100, guest.handle("/d", DIRECTORY)), whole);
    t.same(guest.readlink("/absolute"), { status: 0, target: "/x", bytes: 2 });
    t.equal(guest.readlink("/to-d/").status, Status.INVALID);
    t.equal(guest.readlink("/d/link/").status, Status.NOT_FOUND);
  });

  if (!writable) return;

  check("[FS-OPEN-4, FS-OPEN-7, FS-PATH-6] a link to nothing", (t) => {
    const guest = drive(TANGLE);
    t.equal(guest.open("/nothing", WRITE).status, Status.NOT_FOUND);
    t.equal(guest.open("/nothing", WRITE | CREATE | EXCLUSIVE).status, Status.EXISTS);
    t.equal(guest.open("/nothing", WRITE | CREATE | NOFOLLOW).status, Status.LOOP);
    t.equal(guest.open("/nothing-far", WRITE | CREATE).status, Status.NOT_FOUND);
    t.equal(guest.open("/absolute", WRITE | CREATE).status, Status.ACCESS);
    t.equal(guest.open("/d/e/out", WRITE | CREATE | TRUNCATE).status, Status.ACCESS);
    t.equal(guest.open("/self", WRITE | CREATE | EXCLUSIVE).status, Status.EXISTS);
    t.equal(guest.open("/self", WRITE | CREATE).status, Status.LOOP);
    t.equal(guest.mkdir("/nothing"), Status.EXISTS);
    t.equal(guest.mkdir("/nothing/"), Status.EXISTS);
    t.same(guest.names("/d"), ["e", "g.txt"]);
    t.equal(guest.open("/nothing", WRITE | CREATE).status, Status.OK);
    t.same(guest.names("/d"), ["e", "fresh.txt", "g.txt"]);
    t.equal(guest.stat("/nothing", NOFOLLOW).kind, 3);
    t.equal(guest.open("/to-file", WRITE | CREATE | EXCLUSIVE).status, Status.EXISTS);
    guest.close(guest.handle("/to-file", WRITE | TRUNCATE));
    t.equal(guest.contents("/f.txt"), "");
  });

  check("[FS-NAME-1] a link itself is removed, renamed and replaced", (t) => {
    const guest = drive(TANGLE);
    t.equal(guest.rmdir("/to-dir"), Status.NOT_DIRECTORY);
    t.equal(guest.rmdir("/to-dir/"), Status.NOT_DIRECTORY);
    t.equal(guest.unlink("/to-dir/"), Status.NOT_DIRECTORY);
    t.equal(guest.rename("/to-dir/", "/x"), Status.NOT_DIRECTORY);
    t.equal(guest.rename("/d/e", "/to-dir"), Status.NOT_DIRECTORY);
    t.equal(guest.unlink("/to-dir/up"), 0);
    t.equal(guest.contents("/f.txt"), "file");
    t.equal(guest.unlink("/to-dir"), 0);
    t.same(guest.names("/d/e"), ["h.txt", "out", "over", "root", "up-dir"]);
    t.equal(guest.rename("/to-file", "/d/moved"), 0);
    t.same(guest.readlink("/d/moved"), { status: 0, target: "f.txt", bytes: 5 });
    t.equal(guest.contents("/d/moved"), Status.NOT_FOUND, "its target is found from where it is now");
    t.equal(guest.rename("/f.txt", "/self"), 0);
    t.equal(guest.contents("/self"), "file");
    t.equal(guest.mkdir("/dot/dot/made"), 0);
    t.equal(guest.stat("/made").kind, 2);
  });

  change("[FS-NAME-2] symlink", (t) => {
    const guest = drive(TREE);
    t.equal(guest.symlink("a.txt", "/link"), 0);
    t.equal(guest.contents("/link"), "alpha");
    t.equal(guest.symlink("../a.txt", "dir/up"), 0);
    t.equal(guest.contents("/dir/up"), "alpha");
    t.equal(guest.symlink("none/at/all", "/nowhere"), 0);
    t.equal(guest.symlink("../../..", "/out"), 0, "where it leads is a matter of following it");
    t.equal(guest.contents("/out/x"), Status.ACCESS);
    t.equal(guest.symlink("t".repeat(1000), "/long"), 0);
    t.equal(guest.readlink("/long").target, "t".repeat(1000));
    t.equal(guest.symlink("//", "/absolute"), Status.ACCESS);
    t.equal(guest.symlink("/a.txt", "/absolute"), Status.ACCESS);
    t.equal(guest.symlink("", "/x"), Status.INVALID);
    t.equal(guest.symlink("a\0b", "/x"), Status.INVALID);
    t.equal(guest.symlink(Uint8Array.of(0xff), "/x"), Status.INVALID);
    t.equal(guest.symlink("t".repeat(4097), "/x"), Status.NAME_TOO_LONG);
    for (const path of ["/link", "/a.txt", "/dir", "/dir/", "/", "/nowhere"])
      t.equal(guest.symlink("x", path), Status.EXISTS, path);
    t.equal(guest.symlink("x", "/new/"), Status.NOT_FOUND);
    t.equal(guest.symlink("x", "/none/new"), Status.NOT_FOUND);
    t.equal(guest.symlink("x", "/a.txt/new"), Status.NOT_DIRECTORY);
    for (const path of [".", "/dir/.", "/dir/..", "/new/."]) t.equal(guest.symlink("x", path), Status.INVALID, path);
    t.same(guest.names("/"), ["a.txt", "dir", "empty", "link", "long", "nowhere", "out"]);
  });
}

function hardLinkCases({ capabilities, exceptions, change, drive }: Context): void {
  change("[FS-NAME-6] link: one file, two names", (t) => {
    const guest = drive(TREE);
    t.equal(guest.link("/a.txt", "/dir/twin"), 0);
    const file = guest.handle("/a.txt", READ | WRITE);
    guest.write(file, 5, "!");
    t.equal(guest.contents("/dir/twin"), "alpha!");
    t.equal(guest.unlink("/a.txt"), 0);
    t.equal(guest.contents("/dir/twin"), "alpha!");
    guest.write(file, 0, "A");
    t.equal(guest.contents("/dir/twin"), "Alpha!");
    t.equal(guest.link("/dir/twin", "/a.txt"), 0);
    t.equal(guest.contents("/a.txt"), "Alpha!");
    t.equal(guest.rename("/a.txt", "/b"), 0);
    t.same([guest.contents("/b"), guest.contents("/dir/twin")], ["Alpha!", "Alpha!"]);
  });

  change("[FS-NAME-6, FS-NAME-7] link: what cannot be", (t) => {
    const guest = drive(TREE);
    const cases: readonly [from: string, to: string, status: number][] = [
      ["/dir", "/new", Status.ACCESS],
      ["/", "/new", Status.ACCESS],
      ["/dir/.", "/new", Status.ACCESS],
      ["/none", "/new", Status.NOT_FOUND],
      ["/none", "/a.txt", Status.NOT_FOUND],
      ["/a.txt/", "/new", Status.NOT_DIRECTORY],
      ["/a.txt/x", "/new", Status.NOT_DIRECTORY],
      ["/a.txt", "/dir/b.txt", Status.EXISTS],
      ["/a.txt", "/a.txt", Status.EXISTS],
      ["/a.txt", "/dir", Status.EXISTS],
      ["/a.txt", "/", Status.EXISTS],
      ["/a.txt", "/new/", Status.NOT_FOUND],
      ["/a.txt", "/none/new", Status.NOT_FOUND],
      ["/a.txt", "/dir/b.txt/new", Status.NOT_DIRECTORY],
      ["/a.txt", "/dir/.", Status.INVALID],
      ["/a.txt", "..", Status.INVALID],
    ];
    for (const [from, to, status] of cases) t.equal(guest.link(from, to), status, `${from} to ${to}`);
    t.same(guest.names("/"), ["a.txt", "dir", "empty"]);
    t.same(guest.names("/dir"), ["b.txt", "sub"]);
  });

  if (!capabilities.symlinks) return;
  change("[FS-NAME-6] a symbolic link can have two names, and is not followed", (t) => {
    const guest = drive({ "f.txt": "file", link: { link: "f.txt" }, nothing: { link: "none" } });
    if (exceptions.has("links-to-links")) {
      t.equal(guest.link("/link", "/twin"), Status.UNSUPPORTED);
      t.equal(guest.link("/nothing", "/twin"), Status.UNSUPPORTED);
      t.same(guest.names("/"), ["f.txt", "link", "nothing"]);
      return;
    }
    t.equal(guest.link("/link", "/twin"), 0);
    t.equal(guest.stat("/twin", NOFOLLOW).kind, 3);
    t.equal(guest.contents("/twin"), "file");
    t.equal(guest.link("/nothing", "/nothing-too"), 0);
    t.same(guest.readlink("/nothing-too"), { status: 0, target: "none", bytes: 4 });
    t.equal(guest.link("/f.txt", "/nothing"), Status.EXISTS);
  });
}
