/** `diffPacks` tells what a guest could find, and nothing else. */
import t from "tap";
import { diffPacks, type PackDifference } from "../../assets-tool/diff.ts";
import { type AssetSet, openPack } from "../../host/assets/pack.ts";
import { openStack } from "../../host/assets/stack.ts";
import { type AssetInput, encodePack, type PackInput } from "../../host/assets/write.ts";
import { mixedPack, textAsset } from "./small-packs.ts";

async function pack(...assets: readonly AssetInput[]): Promise<AssetSet> {
  return openPack(await encodePack({ assets }));
}

t.test("[TOOL-DIFF-1] what is added, removed and changed, by ids", async (t) => {
  const before = await pack(
    textAsset(1, "same", "same"),
    textAsset(2, "gone", "gone"),
    textAsset(3, "old name", "three"),
    textAsset(4, "type", "four"),
    textAsset(5, "bytes", "five"),
    textAsset(6, "codec", "six ".repeat(100)),
    textAsset(7, "metadata", "seven", { metadata: { a: 1 } }),
  );
  const after = await pack(
    textAsset(1, "same", "same"),
    textAsset(3, "name", "three"),
    textAsset(4, "type", "four", { bankType: "data" }),
    textAsset(5, "bytes", "5555"),
    textAsset(6, "codec", "six ".repeat(100), { codec: "deflate" }),
    textAsset(7, "metadata", "seven", { metadata: { a: 2 } }),
    textAsset(8, "gone", "gone"),
  );
  const found = diffPacks(before, after);
  t.match(found, {
    before: before.identity,
    after: after.identity,
    same: false,
    identical: false,
    added: [{ id: 8, name: "gone", bankType: "text", codec: "raw", size: 4, decodedSize: 4 }],
    removed: [{ id: 2, name: "gone" }],
    unchanged: 1,
    preload: null,
    metadata: false,
  });
  t.strictSame(
    found.changed.map(({ id, changed }) => [id, changed]),
    [
      [3, ["name"]],
      [4, ["bankType"]],
      [5, ["bytes"]],
      [6, ["bytes"]],
      [7, ["metadata"]],
    ],
  );
  t.match(found.changed[0], { before: { name: "old name" }, after: { name: "name" } });
});

t.test("[TOOL-DIFF-2] preload and the pack's metadata count; how it is laid out does not", async (t) => {
  const mixed = openPack(await mixedPack());
  const against = async (changes: Partial<PackInput>): Promise<PackDifference> =>
    diffPacks(mixed, openPack(await mixedPack(changes)));
  t.match(await against({}), { same: true, identical: true, unchanged: 6 });
  t.match(await against({ alignment: 4096 }), { same: true, identical: false });
  t.match(await against({ order: [4, 1] }), { same: true, identical: false });
  t.match(await against({ metadata: {} }), { same: false, metadata: true, preload: null });
  const preload = [{ assetId: 1, slot: 1 }];
  t.match(await against({ preload }), { same: false, metadata: false, preload: { after: preload } });
  t.match(await against({ preload: [...mixed.preload].reverse() }), { same: false }, "the order of a boot");
});

t.test("[TOOL-DIFF-2] a stack is the same as the pack that has what it has", async (t) => {
  const base = await encodePack({ assets: [textAsset(1, "a", "a"), textAsset(2, "b", "b")] });
  const patch = await encodePack({
    assets: [textAsset(2, "b", "B"), textAsset(3, "c", "c")],
    patch: { base: openPack(base).identity, removed: [1] },
    metadata: { version: 2 },
  });
  const next = await encodePack({ assets: [textAsset(2, "b", "B"), textAsset(3, "c", "c")], metadata: { version: 2 } });
  t.match(diffPacks(openStack([base, patch]), openPack(next)), { same: true, identical: false, unchanged: 2 });
  t.match(diffPacks(openPack(next), openStack([base, patch])), { same: true });
});
