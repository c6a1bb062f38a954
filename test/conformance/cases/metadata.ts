/** `fs.stat` and `set_times`: kinds, lengths, ids, links and times. */
import { Status } from "../../../syscalls/status.ts";
import { OpenFlag, TimesFlag } from "../../../syscalls/table.ts";
import { NULL_REF } from "../driver.ts";
import { type Context, TREE } from "./context.ts";

const { READ, WRITE, CREATE, DIRECTORY, NOFOLLOW, TRUNCATE } = OpenFlag;
const { ACCESSED, MODIFIED } = TimesFlag;
const SECOND = 1_000_000_000n;

export function metadataCases({ capabilities, exceptions, check, change, drive }: Context): void {
  const { writable, symlinks, hardLinks, times, ownMetadata } = capabilities;

  check("[FS-STAT-1, FS-STAT-2] kind and length, by path and by handle", (t) => {
    const guest = drive({ ...TREE, ...(symlinks ? { link: { link: "dir/b.txt" }, nowhere: { link: "none" } } : {}) });
    const shape = (path: string, flags = 0, handle = NULL_REF): unknown => {
      const { status, kind, bytes, links } = guest.stat(path, flags, handle);
      return [status, kind, bytes, links];
    };
    t.same(shape("/a.txt"), [0, 1, 5, 1]);
    t.same(shape("/dir/sub/c"), [0, 1, 0, 1]);
    t.same(shape("/dir"), [0, 2, 0, 1]);
    t.same(shape("/dir/"), [0, 2, 0, 1]);
    t.same(shape("/"), [0, 2, 0, 1]);
    t.same(shape("."), [0, 2, 0, 1]);
    t.same(shape("", 0, guest.handle("/a.txt", READ)), [0, 1, 5, 1]);
    const dir = guest.handle("/dir", DIRECTORY);
    t.same(shape("", 0, dir), [0, 2, 0, 1]);
    t.same(shape("b.txt", 0, dir), [0, 1, 4, 1]);
    t.same(shape(".", 0, dir), [0, 2, 0, 1]);
    t.equal(guest.stat("").status, Status.INVALID);
    t.equal(guest.stat("b.txt", 0, guest.handle("/a.txt", READ)).status, Status.NOT_DIRECTORY);
    t.same(guest.stat("/none"), {
      status: Status.NOT_FOUND,
      kind: 0,
      bytes: 0,
      id: 0,
      links: 0,
      accessed: 0n,
      modified: 0n,
      changed: 0n,
    });
    t.equal(guest.stat("/a.txt/").status, Status.NOT_DIRECTORY);
    t.equal(guest.stat("/a.txt/x").status, Status.NOT_DIRECTORY);
    for (const flags of [1, 2, 4, 8, 16, 32, 64, NOFOLLOW | READ])
      t.equal(guest.stat("/a.txt", flags).status, Status.INVALID, `flags ${flags}`);
    t.same(shape("/a.txt", NOFOLLOW), [0, 1, 5, 1]);
    if (!symlinks) return;
    t.same(shape("/link"), [0, 1, 4, 1]);
    t.same(shape("/link", NOFOLLOW), [0, 3, 9, 1]);
    t.same(shape("/nowhere", NOFOLLOW), [0, 3, 4, 1]);
    t.equal(guest.stat("/nowhere").status, Status.NOT_FOUND);
  });

  check("[FS-STAT-3] ids count from 1 in the order of first sight, one for each file", (t) => {
    const guest = drive({ a: "", b: "", "d/c": "" });
    const id = (path: string, handle = NULL_REF): number => guest.stat(path, 0, handle).id;
    t.equal(id("/none"), 0);
    t.same([id("/b"), id("/d"), id("/a"), id("/"), id("/d/c")], [1, 2, 3, 4, 5]);
    t.same([id("/a"), id("/d/.."), id("/d/../b"), id("d/")], [3, 4, 1, 2]);
    t.equal(id("", guest.handle("/a", READ)), 3);
    t.equal(id("", guest.handle("/d", DIRECTORY)), 2);
    t.equal(id("c", guest.handle("/d", DIRECTORY)), 5);
    if (!writable) return;
    t.equal(guest.rename("/a", "/d/a"), 0);
    t.equal(id("/d/a"), 3, "a file keeps its id under another name");
    const file = guest.handle("/b", READ | WRITE);
    t.equal(guest.unlink("/b"), 0);
    const fresh = guest.handle("/b", WRITE | CREATE);
    t.equal(id("", file), 1, "and without any");
    t.equal(id("/b"), 6, "another file of the same name is another");
    t.equal(id("", fresh), 6);
    if (!hardLinks) return;
    t.equal(guest.link("/d/a", "/twin"), 0);
    t.equal(id("/twin"), 3);
  });

  change("[FS-STAT-3] a file made later is another, when nobody has the first one open", (t) => {
    const guest = drive({ d: null });
    const ids = new Set<number>();
    for (let round = 0; round < 4; round++) {
      guest.close(guest.handle("/d/f", WRITE | CREATE));
      guest.mkdir("/d/e");
      ids.add(guest.stat("/d/f").id).add(guest.stat("/d/e").id);
      guest.unlink("/d/f");
      guest.rmdir("/d/e");
    }
    if (!exceptions.has("ids-come-back")) t.equal(ids.size, 8);
  });

  check("[FS-STAT-2] what the host knows is shown only where it is granted", (t) => {
    const guest = drive(TREE);
    const shown = drive(TREE, { hostMetadata: true });
    for (const path of ["/a.txt", "/dir", "/"]) {
      const { links, accessed, modified, changed } = guest.stat(path);
      const own = shown.stat(path);
      if (ownMetadata)
        t.same([links, accessed, modified, changed], [own.links, own.accessed, own.modified, own.changed]);
      else {
        t.same([links, accessed, modified, changed], [1, 0n, 0n, 0n], path);
        // Whenever this runs, it is after 2001.
        t.same(
          [own.accessed, own.modified, own.changed].map((time) => time > 10n ** 18n),
          [true, true, true],
          path,
        );
      }
    }
  });

  if (writable && hardLinks)
    check("[FS-STAT-2] the count of links", (t) => {
      const guest = drive({ f: "text", d: null }, { hostMetadata: true });
      const links = (path: string, handle = NULL_REF): number => guest.stat(path, 0, handle).links;
      const file = guest.handle("/f", READ);
      t.equal(links("/f"), 1);
      guest.link("/f", "/g");
      guest.link("/g", "/d/h");
      t.same([links("/f"), links("/g"), links("/d/h"), links("", file)], [3, 3, 3, 3]);
      guest.unlink("/f");
      guest.rename("/d/h", "/d/i");
      t.same([links("/g"), links("", file)], [2, 2]);
      guest.handle("/other", WRITE | CREATE);
      guest.rename("/other", "/g");
      t.same([links("/d/i"), links("", file), links("/g")], [1, 1, 1]);
      guest.unlink("/d/i");
      t.equal(links("", file), 0);
      t.equal(links("/d"), 1, "a directory counts one");
    });

  if (!writable) return;
  if (!times) {
    check("[FS-TIMES-1] times cannot be set", (t) => {
      const guest = drive(TREE);
      t.equal(guest.setTimes("/a.txt", MODIFIED, 0n, 0n), Status.UNSUPPORTED);
      t.equal(guest.setTimes("", MODIFIED, 0n, 0n, guest.handle("/a.txt", READ)), Status.UNSUPPORTED);
    });
    return;
  }

  check("[FS-TIMES-1] times are set by path and by handle, each alone or both", (t) => {
    const guest = drive({ ...TREE, ...(symlinks ? { link: { link: "a.txt" } } : {}) }, { hostMetadata: true });
    const shown = (path: string, flags = 0, handle = NULL_REF): unknown => {
      const { accessed, modified } = guest.stat(path, flags, handle);
      return [accessed / SECOND, modified / SECOND];
    };
    const both = ACCESSED | MODIFIED;
    t.equal(guest.setTimes("/a.txt", both, 1000n * SECOND, 2000n * SECOND), 0);
    t.same(shown("/a.txt"), [1000n, 2000n]);
    t.equal(guest.setTimes("/a.txt", ACCESSED, 3000n * SECOND, 9n), 0);
    t.same(shown("/a.txt"), [3000n, 2000n]);
    t.equal(guest.setTimes("/a.txt", MODIFIED, 9n, 4000n * SECOND), 0);
    t.same(shown("/a.txt"), [3000n, 4000n]);
    t.equal(guest.setTimes("/a.txt", 0, 9n, 9n), 0);
    t.same(shown("/a.txt"), [3000n, 4000n]);
    t.equal(guest.setTimes("/dir", both, 5n * SECOND, 6n * SECOND), 0);
    t.same(shown("/dir"), [5n, 6n]);
    t.equal(guest.setTimes("/", both, 7n * SECOND, 8n * SECOND), 0);
    t.same(shown("/"), [7n, 8n]);
    const dir = guest.handle("/dir", DIRECTORY);
    t.equal(guest.setTimes("b.txt", both, 11n * SECOND, 12n * SECOND, dir), 0);
    t.same(shown("/dir/b.txt"), [11n, 12n]);
    t.equal(guest.setTimes("", both, 13n * SECOND, 14n * SECOND, dir), 0);
    t.same(shown("/dir"), [13n, 14n]);
    const file = guest.handle("/a.txt", READ);
    t.equal(guest.setTimes("", both, 15n * SECOND, 16n * SECOND, file), 0, "no handle to write is needed");
    t.same(shown("/a.txt"), [15n, 16n]);
    t.same(shown("", 0, file), [15n, 16n]);
    t.equal(guest.setTimes("b.txt", both, 0n, 0n, file), Status.NOT_DIRECTORY);
    t.equal(guest.setTimes("", both, 0n, 0n), Status.INVALID);
    t.equal(guest.setTimes("/none", both, 0n, 0n), Status.NOT_FOUND);
    t.equal(guest.setTimes("/a.txt/", both, 0n, 0n), Status.NOT_DIRECTORY);
    for (const flags of [4, 8, 16, 32, 64]) t.equal(guest.setTimes("/a.txt", flags, 0n, 0n), Status.INVALID);
    if (!symlinks) return;
    t.equal(guest.setTimes("/link", both, 21n * SECOND, 22n * SECOND), 0);
    t.same(shown("/a.txt"), [21n, 22n]);
    t.equal(guest.setTimes("/link", both | NOFOLLOW, 31n * SECOND, 32n * SECOND), 0);
    // Reading a link's target can be an access.
    t.equal(guest.stat("/link", NOFOLLOW).modified, 32n * SECOND);
    t.same(shown("/a.txt"), [21n, 22n]);
  });

  check("[FS-TIMES-1] times before 1970, and far ahead", (t) => {
    const guest = drive({ f: "" }, { hostMetadata: true });
    for (const time of [-1n, 0n, 2n ** 31n, 2n ** 32n]) {
      t.equal(guest.setTimes("/f", MODIFIED | ACCESSED, time * SECOND, time * SECOND), 0);
      const { accessed, modified } = guest.stat("/f");
      t.same([accessed, modified], [time * SECOND, time * SECOND]);
    }
  });

  if (!ownMetadata) return;

  check("[FS-STAT-2] times are the guest's clock at what changed them", (t) => {
    const guest = drive({ d: null }, { clock: { start: 1000n } });
    const at = (moment: bigint): void => {
      guest.fuelUsed = moment;
    };
    const shown = (path: string, flags = 0): readonly bigint[] => {
      const { modified, changed } = guest.stat(path, flags);
      return [modified, changed];
    };
    at(10n);
    const file = guest.handle("/d/f", READ | WRITE | CREATE);
    t.same(
      [shown("/d/f"), shown("/d")],
      [
        [1010n, 1010n],
        [1010n, 1010n],
      ],
    );
    at(20n);
    guest.write(file, 0, "text");
    t.same(
      [shown("/d/f"), shown("/d")],
      [
        [1020n, 1020n],
        [1010n, 1010n],
      ],
    );
    at(30n);
    guest.write(file, 0, "");
    guest.read(file, 0, 4);
    guest.close(guest.handle("/d/f", READ));
    guest.list(guest.handle("/d", DIRECTORY), 0, 100);
    t.same(shown("/d/f"), [1020n, 1020n]);
    at(40n);
    guest.truncate(file, 2);
    t.same(shown("/d/f"), [1040n, 1040n]);
    at(50n);
    guest.close(guest.handle("/d/f", WRITE | TRUNCATE));
    t.same(shown("/d/f"), [1050n, 1050n]);
    at(60n);
    guest.setTimes("/d/f", MODIFIED, 0n, 7n);
    t.same(shown("/d/f"), [7n, 1060n]);
    at(70n);
    guest.rename("/d/f", "/g");
    t.same(
      [shown("/d"), shown("/")],
      [
        [1070n, 1070n],
        [1070n, 1070n],
      ],
    );
    t.equal(shown("/g")[0], 7n, "its bytes are the same");
    at(80n);
    guest.mkdir("/d/e");
    t.same(
      [shown("/d/e"), shown("/d")],
      [
        [1080n, 1080n],
        [1080n, 1080n],
      ],
    );
    at(90n);
    guest.rmdir("/d/e");
    t.same(shown("/d"), [1090n, 1090n]);
    at(100n);
    guest.unlink("/g");
    t.same([shown("/"), guest.stat("", 0, file).modified], [[1100n, 1100n], 7n]);
    at(101n);
    for (const call of [
      guest.mkdir("/d"),
      guest.rmdir("/none"),
      guest.unlink("/d"),
      guest.rename("/none", "/d"),
      guest.open("/d", WRITE).status,
      guest.open("/none", WRITE).status,
    ])
      t.equal(call > 0, true);
    t.same(
      [shown("/"), shown("/d")],
      [
        [1100n, 1100n],
        [1090n, 1090n],
      ],
      "what fails touches nothing",
    );
    if (symlinks && hardLinks) {
      at(102n);
      guest.symlink("x", "/d/link");
      t.same(
        [shown("/d"), shown("/d/link", NOFOLLOW)],
        [
          [1102n, 1102n],
          [1102n, 1102n],
        ],
      );
      at(103n);
      guest.link("/d/link", "/twin");
      t.same(
        [shown("/"), shown("/d"), shown("/twin", NOFOLLOW)],
        [
          [1103n, 1103n],
          [1102n, 1102n],
          [1102n, 1103n],
        ],
      );
    }
    guest.sleep(1_000n);
    at(110n);
    guest.handle("/h", WRITE | CREATE);
    t.same(shown("/h"), [2110n, 2110n]);
  });
}
