/** Globs. */
import t from "tap";
import { type Glob, GlobError, globOf } from "../../assets-tool/glob.ts";

const matched = (glob: string, ...paths: readonly string[]): readonly string[] => {
  const { matches } = globOf(glob);
  return paths.filter((path) => matches(path));
};

t.test("[TOOL-GLOB-1] what a glob matches", async (t) => {
  t.strictSame(matched("*.png", "a.png", "a.PNG", "b/a.png", ".png", "png"), ["a.png"]);
  t.strictSame(matched("**", "a", "a/b/c"), ["a", "a/b/c"]);
  t.strictSame(matched("**/*.png", "a.png", "b/a.png", "b/c/a.png", "a.png/b"), ["a.png", "b/a.png", "b/c/a.png"]);
  t.strictSame(matched("a/**", "a", "a/b", "a/b/c", "ab"), ["a", "a/b", "a/b/c"]);
  t.strictSame(matched("a/**/b", "a/b", "a/x/b", "a/x/y/b", "a/x/y"), ["a/b", "a/x/b", "a/x/y/b"]);
  t.strictSame(matched("**/a/**/b/**", "a/b", "x/a/y/b/z", "b/a"), ["a/b", "x/a/y/b/z"]);
  t.strictSame(matched("a**b", "ab", "axxb", "a/b"), ["ab", "axxb"]);
  t.strictSame(matched("?at", "cat", "at", "\u{1f431}at", "c/t"), ["cat", "\u{1f431}at"]);
  t.strictSame(matched("[a-cx]1", "a1", "c1", "d1", "x1"), ["a1", "c1", "x1"]);
  t.strictSame(matched("[!a-c]1", "a1", "d1"), ["d1"]);
  t.strictSame(matched("[]]", "]"), ["]"]);
  t.strictSame(matched("[!]]", "]", "a"), ["a"]);
  t.strictSame(matched("[a\\]-]", "a", "]", "-", "\\"), ["a", "]", "-"]);
  t.strictSame(matched("[\u{1f600}-\u{1f602}]", "\u{1f601}", "\u{1f603}"), ["\u{1f601}"]);
  t.strictSame(matched("{a,b/{c,d}}.t", "a.t", "b/c.t", "b/d.t", "c.t"), ["a.t", "b/c.t", "b/d.t"]);
  t.strictSame(matched("{a,b}{,1}", "a", "b1", "ab"), ["a", "b1"]);
  t.strictSame(matched("\\*\\{a", "*{a", "x{a"), ["*{a"]);
  t.strictSame(matched("a\u0308*", "\u00e4x", "ax"), ["\u00e4x"], "in NFC");
});

t.test("[TOOL-GLOB-1] what is none", async (t) => {
  for (const glob of [
    "",
    "/a",
    "a/",
    "a//b",
    ".",
    "a/../b",
    "./a",
    "[a",
    "[",
    "[]",
    "[!]",
    "{a",
    "a}",
    "a\\",
    "[b-a]",
    "a[/]b",
    "{}",
  ])
    t.throws(() => globOf(glob), GlobError, glob);
  t.throws(() => globOf("{0,1,2,3,4,5,6,7,8,9,a,b,c,d,e,f}".repeat(3)), /1024 alternatives/);
  t.throws(() => globOf("{".repeat(4_000)), GlobError);
  t.throws(() => globOf("a".repeat(5_000)), GlobError);
  t.throws(() => globOf("\ud800"), GlobError);
});

t.test("[TOOL-GLOB-2] names that begin with a dot", async (t) => {
  t.strictSame(matched("**", ".a", "b/.a", ".b/a", "a.b"), ["a.b"]);
  t.strictSame(matched("*", ".a"), []);
  t.strictSame(matched("?a", ".a"), []);
  t.strictSame(matched("[.]a", ".a"), []);
  t.strictSame(matched(".*", ".a", "a"), [".a"]);
  t.strictSame(matched("**/.a/**", ".a/b", "x/.a/b", "x/.b/.a/b"), [".a/b", "x/.a/b"]);
  t.strictSame(matched("\\.a", ".a"), [".a"]);
});

t.test("[TOOL-GLOB-1, TOOL-SOURCE-1] folders below which something may match", async (t) => {
  const may = ({ mayMatchBelow }: Glob, ...folders: readonly string[]) =>
    folders.filter((folder) => mayMatchBelow(folder));
  t.strictSame(may(globOf("**"), "a", "a/b", ".git", "a/.b"), ["a", "a/b"]);
  t.strictSame(may(globOf("a/*.png"), "a", "b", "a/x.png", "a/b"), ["a"]);
  t.strictSame(may(globOf("a/**/b"), "a", "a/x", "a/x/b", "b"), ["a", "a/x", "a/x/b"]);
  t.strictSame(may(globOf("{a/b,c}/d"), "a", "a/b", "c", "a/d"), ["a", "a/b", "c"]);
  t.strictSame(may(globOf(".git/**"), ".git", ".git/x", "git"), [".git", ".git/x"]);
});

t.test("[TOOL-GLOB-3] no glob takes long", async (t) => {
  // With backtracking these take longer than the world is old.
  t.notOk(globOf("*a".repeat(100)).matches(`${"a".repeat(2_000)}b`));
  t.notOk(globOf(`${"**/a/".repeat(100)}b`).matches(Array(1_000).fill("a").join("/")));
  t.notOk(globOf("*?".repeat(500)).matches("a".repeat(499)));
});
