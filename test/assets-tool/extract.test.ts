/** Extraction stays in its folder and leaves alone what is there. */
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import t from "tap";
import { type ExtractOptions, extractAssets } from "../../assets-tool/extract.ts";
import { clashesOf, portableProblem } from "../../assets-tool/portable-names.ts";
import type { Problem } from "../../host/assets/errors.ts";
import { type AssetSet, openPack } from "../../host/assets/pack.ts";
import { openStack } from "../../host/assets/stack.ts";
import { encodePack } from "../../host/assets/write.ts";
import { problemsOf } from "../host/assets/problems.ts";
import { mixedPack, textAsset } from "./small-packs.ts";

async function packOf(...names: readonly string[]): Promise<AssetSet> {
  return openPack(await encodePack({ assets: names.map((name, k) => textAsset(k, name, `bytes of ${name}`)) }));
}

/** Every file below the folder and what it holds; links and where they lead. */
function treeOf(folder: string): { [path: string]: string } {
  const tree: { [path: string]: string } = {};
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" }).sort()) {
    const path = join(folder, name);
    const stats = lstatSync(path);
    if (stats.isSymbolicLink()) tree[name] = `-> ${readlinkSync(path)}`;
    else if (stats.isFile()) tree[name] = readFileSync(path, "utf8");
  }
  return tree;
}

/** The problems that keep assets from being extracted. */
function refusal(set: AssetSet, folder: string, options?: ExtractOptions): readonly Problem[] {
  return problemsOf(() => extractAssets(set, folder, options));
}

t.test("[TOOL-EXTRACT-1] decoded bytes under the names of assets; a filter; progress", async (t) => {
  const folder = join(t.testdir(), "not", "there", "yet");
  const set = openPack(await mixedPack());
  const heard: [number, number][] = [];
  const files = extractAssets(set, folder, { onProgress: (done, total) => heard.push([done, total]) });
  t.strictSame(treeOf(folder), {
    [join("maps", "\u{1f5fa}")]: "[1,2]",
    nothing: "",
    story: "once upon a time ".repeat(50),
    [join("tiles", "grass")]: "green ".repeat(20),
    [join("tiles", "stone")]: "stone",
    twin: "stone",
  });
  t.strictSame(files[1], { id: 1, name: "tiles/grass", path: join("tiles", "grass"), bytes: 120 });
  t.strictSame(heard.at(-1), [985, 985]);

  const some = t.testdir();
  extractAssets(set, some, { filter: ({ bankType }) => bankType === "sprites" });
  t.strictSame(treeOf(some), { twin: "stone" });
});

t.test("[TOOL-EXTRACT-1] of a stack what is on top; long assets piece by piece", async (t) => {
  const base = await mixedPack();
  const patch = await encodePack({
    assets: [textAsset(3, "twin", "x".repeat(2_500_000))],
    patch: { base: openPack(base).identity, removed: [1, 4] },
  });
  const folder = t.testdir();
  extractAssets(openStack([base, patch]), folder);
  t.strictSame(Object.keys(treeOf(folder)), [join("maps", "\u{1f5fa}"), "nothing", join("tiles", "stone"), "twin"]);
  t.equal(readFileSync(join(folder, "twin"), "utf8"), "x".repeat(2_500_000));
});

t.test("[TOOL-EXTRACT-2, TOOL-EXTRACT-4] what is there stays, and nothing is written beside it", async (t) => {
  const folder = t.testdir({ b: "mine", d: { e: "mine" } });
  const set = await packOf("a", "b", "c", "d/e", "d/f");
  t.match(refusal(set, folder), [
    { code: "PACK-EXTRACT", file: join(folder, "b") },
    { code: "PACK-EXTRACT", file: join(folder, "d", "e") },
  ]);
  t.strictSame(treeOf(folder), { b: "mine", [join("d", "e")]: "mine" });
  extractAssets(set, folder, { force: true });
  t.match(treeOf(folder), { a: "bytes of a", b: "bytes of b", [join("d", "e")]: "bytes of d/e" });
  t.equal(Object.keys(treeOf(folder)).length, 5, "no temporary files are left");
});

t.test("[TOOL-EXTRACT-4] only regular files are replaced, and other names of theirs keep what they hold", async (t) => {
  const folder = t.testdir({ folder: { inside: "mine" }, file: "mine", linked: "mine" });
  linkSync(join(folder, "linked"), join(folder, "other"));
  t.match(refusal(await packOf("folder"), folder, { force: true }), [{ file: join(folder, "folder") }]);
  t.match(refusal(await packOf("file/inside"), folder, { force: true }), [{ file: join(folder, "file") }]);
  extractAssets(await packOf("linked"), folder, { force: true });
  t.equal(readFileSync(join(folder, "other"), "utf8"), "mine");
  t.match(refusal(await packOf("a"), join(folder, "file")), [{ code: "PACK-OUTPUT", file: join(folder, "file") }]);
});

t.test("[TOOL-EXTRACT-3] links below the folder are neither followed nor replaced", async (t) => {
  const root = t.testdir({ outside: { victim: "mine" }, into: { deep: {} } });
  const folder = join(root, "into");
  symlinkSync(join(root, "outside"), join(folder, "out"));
  symlinkSync("../../outside", join(folder, "deep", "out"));
  symlinkSync(join(root, "outside", "victim"), join(folder, "file"));
  symlinkSync(join(root, "outside", "fresh"), join(folder, "dangling"));
  const before = treeOf(root);
  for (const force of [false, true])
    for (const name of ["out/victim", "out/new", "deep/out/victim", "file", "dangling", "dangling/x", "out"])
      t.match(refusal(await packOf("first", name), folder, { force }), [{ code: "PACK-EXTRACT" }], `${name} ${force}`);
  t.strictSame(treeOf(root), before);

  symlinkSync(folder, join(root, "named"));
  extractAssets(await packOf("new"), join(root, "named"));
  t.equal(readFileSync(join(folder, "new"), "utf8"), "bytes of new", "the folder that is named may be a link");
});

t.test("[TOOL-EXTRACT-3] a link that appears while assets are written is not followed", async (t) => {
  const root = t.testdir({ outside: {} });
  const folder = join(root, "into");
  mkdirSync(folder);
  const set = await packOf("a", "b/c");
  const onProgress = () => {
    if (!existsSync(join(folder, "b"))) symlinkSync(join(root, "outside"), join(folder, "b"));
  };
  t.throws(() => extractAssets(set, folder, { onProgress }), { code: "PACK-EXTRACT" });
  t.strictSame(readdirSync(join(root, "outside")), []);
});

t.test("[TOOL-EXTRACT-3] names that the reader refuses are refused here too", async (t) => {
  const set = await packOf("safe");
  const folder = join(t.testdir({ outside: {} }), "into");
  const hostile = ["../x", "/etc/x", "a/../../x", "a//b", "./a", "a\\..\\b", "C:/x", "", "a\0b", ".."];
  for (const name of hostile) {
    const assets = () => [Object.create([...set.assets()][0]!, { name: { value: name } })];
    t.match(refusal({ ...set, packs: set.packs, assets } as AssetSet, folder), [{ code: "PACK-EXTRACT" }], name);
  }
  t.notOk(existsSync(folder));
});

t.test("[TOOL-PORTABLE-1] names that some system does not have are told, all at once", async (t) => {
  const folder = join(t.testdir(), "into");
  const names = ["con", "a/NUL.txt", "com\u00b9", "lpt9.tar.gz", "ab:c", 'q"', "dot.", "space /x", "what?"];
  t.equal(refusal(await packOf(...names, "fine"), folder).length, names.length);
  t.match(refusal(await packOf("README", "readme"), folder), [{ code: "PACK-EXTRACT" }]);
  t.match(refusal(await packOf("a", "A/b"), folder), [{ code: "PACK-EXTRACT" }]);
  t.notOk(existsSync(folder), "nothing was made");

  const fine = ["console", "com", "com10", "nul1", "a.con", ".hidden", "..a", "-", "\u5b57", "a b"];
  for (const name of fine) t.equal(portableProblem(name), undefined, name);
  t.strictSame(clashesOf(fine), []);
  t.match(clashesOf(["x", "stra\u00dfe", "a/b/c", "STRASSE", "A/B"]), [
    { first: 1, second: 3 },
    { first: 2, second: 4 },
  ]);
});

t.test("[TOOL-EXTRACT-5] a damaged asset gives no file; those before it stay", async (t) => {
  const bytes = await encodePack({ assets: [textAsset(1, "a", "good"), textAsset(2, "b", "damaged")] });
  bytes[bytes.length - 1]! ^= 1;
  const folder = t.testdir();
  t.throws(() => extractAssets(openPack(bytes), folder), { code: "PACK-DIGEST" });
  t.strictSame(treeOf(folder), { a: "good" });
});

t.test("[TOOL-EXTRACT-5] modes are those of new files", { skip: process.platform === "win32" }, async (t) => {
  const folder = t.testdir({ new: "" });
  const set = await packOf("a");
  extractAssets(set, folder);
  const modeOf = (name: string): number => statSync(join(folder, name)).mode;
  writeFileSync(join(folder, "plain"), "");
  t.equal(modeOf("a"), modeOf("plain"));
});

t.test("[TOOL-EXTRACT-5] a disk without room; what was written before stays", async (t) => {
  const set = await packOf("a", "b/c");
  const full = () => {
    throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
  };
  const [a, c] = [...set.assets()];
  const assets = () => [a!, Object.create(c!, { open: { value: () => ({ load: full, close: () => {} }) } })];
  const folder = t.testdir();
  t.match(refusal({ ...set, packs: set.packs, assets } as AssetSet, folder), [
    { code: "PACK-OUTPUT", file: join(folder, "b", "c") },
  ]);
  t.strictSame(treeOf(folder), { a: "bytes of a" });
});
