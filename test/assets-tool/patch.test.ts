/** Patches: a base with its patch is the next pack. */
import { appendFileSync } from "node:fs";
import t from "tap";
import { patchPack } from "../../assets-tool/patch.ts";
import type { PatchReport } from "../../assets-tool/report.ts";
import { type AssetSet, openPack } from "../../host/assets/pack.ts";
import { openStack } from "../../host/assets/stack.ts";
import { Random } from "../vm/random.ts";
import { bytesOf, told, Workshop } from "./workshop.ts";

/** All that a guest can see. */
function contents(set: AssetSet): unknown {
  const assets = [...set.assets()].map((asset) => {
    const { id, name, bankType, codec, digest, size, decodedSize } = asset;
    const metadata = Buffer.from(asset.metadata).toString();
    return { id, name, bankType, codec, digest, size, decodedSize, metadata, bytes: bytesOf(asset).toString("latin1") };
  });
  return { assets, preload: set.preload };
}

function contentsOf(...paths: readonly string[]): unknown {
  const set = openStack(paths);
  try {
    for (const pack of set.packs) pack.verify();
    return contents(set);
  } finally {
    set.close();
  }
}

t.test("[TOOL-PATCH-1, TOOL-PATCH-2] from one pack to the next", async (t) => {
  const shop = new Workshop(t).write({
    "art/same.txt": "same",
    "art/gone.txt": "gone",
    "art/bytes.txt": "before",
    "art/bank.dat": "b",
    "art/name.dat": "n",
    "art/codec.txt": "c".repeat(500),
    "art/metadata.dat": "m",
  });
  const base = shop.at("base.pa");
  const next = shop.at("next.pa");
  const patch = shop.at("patch.pa");
  await shop.configure({ preload: [{ asset: "same.txt", slot: 1 }] }).pack({ output: base });
  shop.remove("art/gone.txt");
  shop.write({ "art/bytes.txt": "behind", "art/new.txt": "new" });
  shop.configure({
    metadata: { version: 2 },
    rules: [
      { files: "bank.dat", bank: "other" },
      { files: "codec.txt", codec: "deflate" },
      { files: "metadata.dat", metadata: { x: 1 } },
      { files: "**" },
    ],
    preload: [{ asset: "new.txt", slot: 300 }],
    slots: { text: 301 },
  });
  await shop.pack({ output: next });

  const report = await patchPack({ base: [base], next, output: patch });
  const header = openPack(patch, { slots: 301 });
  t.strictSame([...header.assets()].map(({ name }) => name).sort(), [
    "bank.dat",
    "bytes.txt",
    "codec.txt",
    "metadata.dat",
    "new.txt",
  ]);
  t.strictSame(header.header.patch?.removed, [4]);
  t.same(header.header.metadata, { version: 2 });
  t.same(Object.keys(header.header.encoders), ["deflate"]);
  const { identity } = openPack(base);
  t.equal(header.header.patch?.base, identity);
  t.strictSame(report, {
    output: patch,
    identity: header.identity,
    base: identity,
    bytes: shop.read("patch.pa").length,
    added: 1,
    changed: 4,
    removed: 1,
    unchanged: 2,
  } satisfies PatchReport);
  const stack = openStack([base, patch], { slots: 301 });
  t.strictSame(contents(stack), contents(openPack(next, { slots: 301 })));

  // A patch of the two, to a third.
  shop.write({ "art/same.txt": "changed", "art/gone.txt": "back" }).configure({});
  await shop.pack({ output: shop.at("third.pa") });
  const second = await patchPack({ base: [base, patch], next: shop.at("third.pa"), output: shop.at("second.pa") });
  t.equal(second.base, report.identity);
  t.strictSame(contentsOf(base, patch, shop.at("second.pa")), contentsOf(shop.at("third.pa")));
});

t.test("[TOOL-PATCH-1] nothing to change", async (t) => {
  const shop = new Workshop(t).write({ "art/a": "a" });
  await shop.pack();
  const report = await patchPack({ base: [shop.at("out.pa")], next: shop.at("out.pa"), output: shop.at("patch.pa") });
  t.match(report, { added: 0, changed: 0, removed: 0, unchanged: 1 });
  t.strictSame(contentsOf(shop.at("out.pa"), shop.at("patch.pa")), contentsOf(shop.at("out.pa")));
});

t.test("[TOOL-PATCH-2] any two packs", async (t) => {
  const shop = new Workshop(t);
  const random = new Random(4);
  let stack: string[] = [];
  for (let round = 0; round < 8; round++) {
    shop.remove("art/files");
    for (let k = 0; k < 25; k++)
      if (random.chance(0.7))
        shop.write({ [`art/files/${k}`]: `${random.below(3)}`.repeat(random.pick([0, 1, 100, 70_000])) });
    shop.write({ "art/files/last": "." });
    const rules = [{ files: `**/*${random.below(10)}`, codec: "auto", preload: true }, { files: "**" }];
    await shop
      .configure({ rules, alignment: random.pick([1, 16, 512]), order: [`**/?${random.below(10)}`] })
      .pack({ output: shop.at(`${round}.pa`) });
    const next = shop.at(`${round}.pa`);
    if (stack.length > 0) {
      const output = shop.at(`${round}.patch`);
      await patchPack({ base: stack, next, output });
      stack = [...stack, output];
      t.strictSame(contentsOf(...stack), contentsOf(next));
    } else stack = [next];
  }
});

t.test("[TOOL-PATCH-3] where slices lie", async (t) => {
  const shop = new Workshop(t).write({ "art/a": "a", "art/b": "b", "art/c": "c", "art/d": "d", "art/e": "e" });
  await shop.configure({}).pack({ output: shop.at("base.pa") });
  shop.write({ "art/a": "A", "art/b": "B", "art/c": "A", "art/e": "E" });
  await shop.configure({ alignment: 256, order: ["e", "b"] }).pack();
  await patchPack({ base: [shop.at("base.pa")], next: shop.at("out.pa"), output: shop.at("patch.pa") });
  const pack = openPack(shop.at("patch.pa"));
  t.equal(pack.header.alignment, 256);
  const slices = [...pack.assets()]
    .map(({ name, offset }) => ({ name, offset }))
    .sort((a, b) => a.offset - b.offset || (a.name < b.name ? -1 : 1));
  t.strictSame(slices, [
    { name: "e", offset: 0 },
    { name: "b", offset: 256 },
    { name: "a", offset: 512 },
    { name: "c", offset: 512 },
  ]);
  const first = shop.digest("patch.pa");
  await patchPack({ base: [shop.at("base.pa")], next: shop.at("out.pa"), output: shop.at("again.pa") });
  t.equal(shop.digest("again.pa"), first, "the same bytes each time");
});

t.test("[TOOL-PATCH-1, TOOL-PATCH-2] what cannot be patched", async (t) => {
  const shop = new Workshop(t).write({ "art/a": "a", "art/b": "b".repeat(3_000) });
  const [base, next, patch, other] = ["base.pa", "next.pa", "patch.pa", "other.pa"].map((name) => shop.at(name)) as [
    string,
    string,
    string,
    string,
  ];
  await shop.pack({ output: base });
  shop.write({ "art/b": "c".repeat(3_000) });
  await shop.pack({ output: next });
  await patchPack({ base: [base], next, output: patch });
  const fails = (request: Partial<Parameters<typeof patchPack>[0]>) =>
    told(() => patchPack({ base: [base], next, output: other, ...request }), shop.folder);
  t.strictSame(await fails({ next: patch }), [["PACK-BASE", "patch.pa"]]);
  t.strictSame(await fails({ base: [patch] }), [["PACK-BASE", "/patch/base"]]);
  t.strictSame(await fails({ base: [next, patch] }), [["PACK-BASE", "/patch/base"]]);
  t.strictSame(await fails({ base: [shop.at("none")] }), [["PACK-READ", "none"]]);
  t.strictSame(await fails({ next: shop.at("none") }), [["PACK-READ", "none"]]);
  t.strictSame(await fails({ output: shop.at("none/x.pa") }), [["PACK-OUTPUT", "none/x.pa"]]);
  t.strictSame(await fails({ output: next }), [["PACK-OUTPUT", "next.pa"]]);
  t.strictSame(await fails({ output: base }), [["PACK-OUTPUT", "base.pa"]]);
  const whole = shop.read("next.pa");
  shop.write({ "next.pa": whole.map((byte, k) => (k === whole.length - 1 ? byte ^ 1 : byte)) });
  t.match(await fails({}), [["PACK-DIGEST", /\/asset_table\/1\/digest/]], "damaged slices");
  appendFileSync(next, "x");
  t.strictSame((await fails({}))[0]![0], "PACK-LENGTH");
  t.notOk(shop.has("other.pa"));
});
