/** What is refused as a whole: changes under a read-only mount, and names that would cross from mount to mount. */
import { Status } from "../../../syscalls/status.ts";
import { OpenFlag, TimesFlag } from "../../../syscalls/table.ts";
import { type Context, pathCalls, TREE } from "./context.ts";

const { READ, WRITE, CREATE, EXCLUSIVE, TRUNCATE, APPEND, DIRECTORY } = OpenFlag;

export function refusalCases({ capabilities, check, change, create, drive }: Context): void {
  check("[FS-MOUNT-2] under a read-only mount every change is READ_ONLY, and nothing else is", (t) => {
    const guest = drive(TREE, { readOnly: true });
    const dir = guest.handle("/dir", DIRECTORY);
    for (const path of ["/a.txt", "/new", "/dir", "/none/x", "/a.txt/x", "/dir/../a.txt", "/../x", "/", "/dir/"])
      for (const { name, changes, call } of pathCalls(guest)) {
        const status = call(path);
        t.equal(status === Status.READ_ONLY, changes, `${name} ${path}: ${status}`);
      }
    for (const { name, changes, call } of pathCalls(guest))
      t.equal(call("b.txt", dir) === Status.READ_ONLY, changes, `${name} at a handle`);
    for (const flags of [
      WRITE,
      READ | WRITE,
      WRITE | CREATE,
      WRITE | TRUNCATE,
      WRITE | APPEND,
      WRITE | CREATE | EXCLUSIVE,
    ])
      t.equal(guest.open("/a.txt", flags).status, Status.READ_ONLY, `flags ${flags}`);
    const file = guest.handle("/a.txt", READ);
    t.same(guest.write(file, 0, "x"), { status: Status.ACCESS, bytes: 0 });
    t.equal(guest.truncate(file, 0), Status.ACCESS);
    for (const handle of [file, dir]) {
      t.equal(guest.setTimes("", TimesFlag.MODIFIED, 0n, 0n, handle), Status.READ_ONLY);
      t.equal(guest.sync(handle), 0);
    }
    t.same(guest.tree(), drive(TREE).tree());
    t.equal(guest.contents("/a.txt"), "alpha");
  });

  check("[FS-MOUNT-1, FS-MOUNT-2] no file is renamed or linked from mount to mount", (t) => {
    const other = create({ f: "other", d: null });
    const guest = drive(TREE, {
      mounts: [
        { guest: "/other", fs: other },
        { guest: "/read-only", fs: create({ f: "fixed" }), readOnly: true },
      ],
    });
    const expected = capabilities.writable ? Status.CROSS_DEVICE : Status.READ_ONLY;
    const there = guest.handle("/other", DIRECTORY);
    for (const call of ["rename", "link"] as const) {
      t.equal(guest[call]("/a.txt", "/other/new"), expected, call);
      t.equal(guest[call]("/other/f", "/new"), expected, call);
      t.equal(guest[call]("/none", "/other/new"), expected, call);
      t.equal(guest[call]("/a.txt", "new", undefined, there), expected, call);
      t.equal(guest[call]("/read-only/f", "/new"), Status.READ_ONLY, call);
      t.equal(guest[call]("/a.txt", "/read-only/new"), Status.READ_ONLY, call);
      t.equal(guest[call]("/read-only/f", "/read-only/new"), Status.READ_ONLY, call);
    }
    t.equal(guest.rename("/dir", "/other/new"), expected);
    t.same([guest.names("/other"), guest.names("/read-only")], [["d", "f"], ["f"]]);
    t.same(guest.names("/"), ["a.txt", "dir", "empty"]);
    // A handle's paths stay in its mount, and `..` goes to no other.
    t.equal(guest.contents("other/f", guest.handle("/", DIRECTORY)), Status.NOT_FOUND);
    t.equal(guest.contents("/other/../a.txt"), Status.ACCESS);
    t.equal(guest.contents("/dir/../other/f"), Status.NOT_FOUND);
  });

  change("[FS-MOUNT-1] one file system at two paths", (t) => {
    const fs = create({ f: "text" });
    const guest = drive(
      {},
      {
        mounts: [
          { guest: "/one", fs },
          { guest: "/two", fs, readOnly: true },
        ],
      },
    );
    guest.write(guest.handle("/one/f", WRITE), 0, "T");
    t.equal(guest.contents("/two/f"), "Text");
    t.equal(guest.stat("/one/f").id, guest.stat("/two/f").id);
    t.equal(guest.rename("/one/f", "/two/g"), Status.READ_ONLY);
    t.equal(guest.link("/two/f", "/one/g"), Status.READ_ONLY);
  });
}
