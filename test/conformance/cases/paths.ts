/** Paths that are malformed, long, full of dots or of names: the same for every call that takes one. */
import { Status } from "../../../syscalls/status.ts";
import { OpenFlag } from "../../../syscalls/table.ts";
import { type Context, pathCalls, TREE } from "./context.ts";

const { READ, WRITE, CREATE, DIRECTORY } = OpenFlag;

export function pathCases({ capabilities, exceptions, check, change, drive }: Context): void {
  const { writable } = capabilities;

  check("[FS-PATH-1] malformed paths, in every call", (t) => {
    const guest = drive(TREE);
    const bad: readonly [what: string, path: string | Uint8Array, status: number][] = [
      ["empty", "", Status.INVALID],
      ["NUL", "a.txt\0", Status.INVALID],
      ["NUL in the middle", "/dir\0/b.txt", Status.INVALID],
      ["a lone continuation byte", Uint8Array.of(0x61, 0x80), Status.INVALID],
      ["an overlong slash", Uint8Array.of(0xc0, 0xaf), Status.INVALID],
      ["a lone surrogate", Uint8Array.of(0xed, 0xa0, 0x80), Status.INVALID],
      ["behind U+10FFFF", Uint8Array.of(0xf4, 0x90, 0x80, 0x80), Status.INVALID],
      ["cut short", Uint8Array.of(0x61, 0xe2, 0x82), Status.INVALID],
      ["4,097 bytes", "/".repeat(4097), Status.NAME_TOO_LONG],
      ["10,000 components", "d/".repeat(10_000), Status.NAME_TOO_LONG],
      ["a name of 256 bytes", `/${"n".repeat(256)}`, Status.NAME_TOO_LONG],
      ["a name of 256 bytes before another", `/${"n".repeat(256)}/x`, Status.NAME_TOO_LONG],
      ["128 characters of two bytes", "é".repeat(128), Status.NAME_TOO_LONG],
    ];
    for (const [what, path, status] of bad)
      for (const { name, changes, call } of pathCalls(guest)) {
        // Calls with two paths look at the mount of the first before they look at the second.
        const refused = changes && !writable && name.endsWith(" to");
        t.equal(call(path), refused ? Status.READ_ONLY : status, `${name}: ${what}`);
      }
    t.same(guest.tree(), {
      "a.txt": "alpha",
      dir: null,
      "dir/b.txt": "beta",
      "dir/sub": null,
      "dir/sub/c": "",
      empty: null,
    });
  });

  check("[FS-PATH-1, FS-PATH-2] long paths that are good", (t) => {
    const guest = drive(TREE);
    const dots = `${"./".repeat(2045)}a.txt`;
    t.equal(dots.length, 4095);
    t.equal(guest.contents(dots), "alpha");
    t.equal(guest.contents(`/${dots}`), "alpha");
    t.equal(guest.contents(`${"/".repeat(4091)}a.txt`), "alpha");
    t.equal(guest.contents(`${"dir/../".repeat(584)}a.txt`), "alpha");
    t.equal(guest.open("n/".repeat(2048), DIRECTORY).status, Status.NOT_FOUND);
  });

  check("[FS-PATH-3] names of 255 bytes", (t) => {
    const guest = drive({ ["n".repeat(255)]: "long", ["é".repeat(127)]: "wide", "\u{1f600}": "astral" });
    t.equal(guest.contents(`/${"n".repeat(255)}`), "long");
    t.equal(guest.contents(`/${"é".repeat(127)}`), "wide");
    t.equal(guest.contents("/\u{1f600}"), "astral");
  });

  change("[FS-PATH-3] every call makes names of 255 bytes, and no longer ones", (t) => {
    const guest = drive(TREE);
    const name = (letter: string): string => letter.repeat(255);
    t.equal(guest.mkdir(name("d")), 0);
    t.equal(guest.open(`${name("d")}/${name("f")}`, WRITE | CREATE).status, 0);
    t.equal(guest.rename(`${name("d")}/${name("f")}`, `${name("d")}/${name("g")}`), 0);
    t.same(guest.names(name("d")), [name("g")]);
    t.equal(guest.unlink(`${name("d")}/${name("g")}`), 0);
    t.equal(guest.rmdir(name("d")), 0);
    if (capabilities.hardLinks) t.equal(guest.link("/a.txt", name("l")), 0);
    if (capabilities.symlinks) t.equal(guest.symlink("a.txt", name("s")), 0);
  });

  check("[FS-PATH-2] nothing is normalised and no case is folded", (t) => {
    const guest = drive({
      "a\\b": "backslash",
      "\u00e9": "composed",
      "~": "tilde",
      "...": "dots",
      " ": "space",
      "a\n": "line",
    });
    t.equal(guest.contents("/a\\b"), "backslash");
    t.equal(guest.contents("/a/b"), Status.NOT_FOUND);
    t.equal(guest.contents("/\u00e9"), "composed");
    t.equal(guest.contents("/~"), "tilde");
    t.equal(guest.contents("/..."), "dots");
    t.equal(guest.contents("/ "), "space");
    t.equal(guest.contents("/a\n"), "line");
    t.equal(guest.contents("/%7e"), Status.NOT_FOUND);
    if (exceptions.has("letters-alike")) return;
    const alike = drive({
      a: "small",
      A: "capital",
      "\u00e9": "composed",
      "e\u0301": "decomposed",
      ﬁ: "ligature",
      fi: "two",
    });
    t.same(alike.names("/"), ["A", "a", "e\u0301", "fi", "\u00e9", "ﬁ"]);
    for (const [name, text] of [
      ["a", "small"],
      ["A", "capital"],
      ["\u00e9", "composed"],
      ["e\u0301", "decomposed"],
      ["fi", "two"],
    ])
      t.equal(alike.contents(`/${name}`), text);
  });

  check("[FS-PATH-6, FS-NAME-1] `..` is the parent, and never above the mount", (t) => {
    const guest = drive(TREE);
    t.equal(guest.contents("/dir/../a.txt"), "alpha");
    t.equal(guest.contents("/dir/sub/../b.txt"), "beta");
    t.equal(guest.contents("/dir/sub/../../a.txt"), "alpha");
    t.same(guest.names("/dir/.."), ["a.txt", "dir", "empty"]);
    t.equal(guest.contents("/none/../a.txt"), Status.NOT_FOUND);
    t.equal(guest.contents("/a.txt/../a.txt"), Status.NOT_DIRECTORY);
    const above = ["/..", "..", "/../a.txt", "/dir/../../a.txt", "/dir/../..", "/dir/../../dir/b.txt", "/./../dir"];
    for (const path of above)
      for (const { name, changes, names, call } of pathCalls(guest)) {
        const ends = /\.\.?$/.test(path);
        const expected = changes && !writable ? Status.READ_ONLY : names && ends ? Status.INVALID : Status.ACCESS;
        if (!capabilities.symlinks && name === "symlink" && writable) continue;
        if (!capabilities.hardLinks && name.startsWith("link") && writable) continue;
        if (!capabilities.times && name === "set_times" && writable) continue;
        // A path that is to be made as a file and can only be a directory's is told so at once.
        const status = name === "open CREATE" && ends && writable ? Status.IS_DIRECTORY : expected;
        t.equal(call(path), status, `${name} ${path}`);
      }
    t.equal(guest.contents("/a.txt"), "alpha");
  });

  check("[FS-QUOTA-1] paths longer or deeper than the quota", (t) => {
    const guest = drive({ ...TREE, "dir/sub/deep/f": "deep" }, { quota: { path: 20, depth: 3 } });
    t.equal(guest.contents("/dir/sub/c"), "");
    t.equal(guest.contents("/dir/sub/deep/f"), Status.QUOTA);
    t.same(guest.names("/dir/sub/deep"), ["f"]);
    t.equal(guest.contents(`${"/".repeat(15)}a.txt`), "alpha");
    t.equal(guest.contents(`${"/".repeat(16)}a.txt`), Status.NAME_TOO_LONG);
    t.equal(guest.stat("dir/sub/deep/../c").kind, 1);
    t.equal(guest.stat("dir/sub/deep/none").status, Status.QUOTA);
    const sub = guest.handle("/dir/sub", DIRECTORY);
    t.equal(guest.open("deep/f", READ, sub).status, Status.QUOTA, "a handle is as deep as its directory");
    if (!writable) return;
    t.equal(guest.mkdir("dir/sub/made"), 0);
    t.equal(guest.mkdir("dir/sub/made/more"), Status.QUOTA);
    t.equal(guest.mkdir("more/d", guest.handle("/dir/sub", DIRECTORY)), Status.NOT_FOUND);
    t.equal(guest.open("/dir/sub/made/f", WRITE | CREATE).status, Status.QUOTA);
    t.equal(guest.rename("/a.txt", "/dir/sub/made/f"), Status.QUOTA);
    t.equal(guest.rename("/a.txt", "/dir/sub/f"), 0);
    t.equal(guest.unlink("/dir/sub/deep/f"), Status.QUOTA);
    t.same(guest.names("/dir/sub"), ["c", "deep", "f", "made"]);
  });
}
