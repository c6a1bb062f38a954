/** A pack with patches on top (spec PACK-PATCH): one set of assets, under the identity of the topmost. */
import { Problems } from "./errors.ts";
import { checkBankTypes } from "./names.ts";
import { type Asset, type AssetSet, openPack, type Pack, type PackOptions } from "./pack.ts";
import { checkPreload } from "./preload.ts";
import type { PackSource } from "./source.ts";

/** Opens a pack, and the patches of it from the lowest to the topmost. Throws a PackError. */
export function openStack(sources: readonly PackSource[], options: PackOptions = {}): AssetSet {
  const packs: Pack[] = [];
  try {
    for (const source of sources) packs.push(openPack(source, options));
    return stackOf(packs, options);
  } catch (error) {
    for (const pack of packs) pack.close();
    throw error;
  }
}

/** One set of packs that are open. Throws a PackError, and leaves them open. */
export function stackOf(packs: readonly Pack[], { slots }: Pick<PackOptions, "slots"> = {}): AssetSet {
  const [base, ...patches] = packs;
  if (base === undefined) throw new RangeError("a stack has a pack");
  checkBases(packs);
  if (patches.length === 0) return base;
  const merged = new Map<number, Asset>();
  const names = new Map<string, number>();
  for (const pack of packs) {
    const problems = new Problems(pack.label);
    pack.header.patch?.removed.forEach((id, index) => {
      const asset = merged.get(id);
      if (asset === undefined)
        problems.add("PACK-REMOVED", `there is no asset ${id} to remove`, { pointer: `/patch/removed/${index}` });
      else names.delete(asset.name);
      merged.delete(id);
    });
    // Two assets may change names with one another.
    for (const { id } of pack.assets()) {
      const before = merged.get(id);
      if (before !== undefined) names.delete(before.name);
    }
    for (const asset of pack.assets()) {
      const { id, name, index } = asset;
      const other = names.get(name);
      const pointer = `/asset_table/${index}/asset_name`;
      if (other !== undefined)
        problems.add("PACK-ASSET-NAME", `the name ${JSON.stringify(name)} is that of asset ${other}`, { pointer });
      names.set(name, id);
      merged.set(id, asset);
    }
    problems.check();
  }
  return setOf(packs, merged, names, slots);
}

function checkBases(packs: readonly Pack[]): void {
  packs.forEach(({ label, header: { patch } }, level) => {
    const problems = new Problems(label);
    const below = packs[level - 1];
    const pointer = "/patch/base";
    if (below === undefined) {
      if (patch !== undefined)
        problems.add("PACK-BASE", `this is a patch of ${patch.base}, and nothing lies below it`, { pointer });
    } else if (patch === undefined)
      problems.add("PACK-BASE", "this is no patch, and lies on another pack", { pointer: "" });
    else if (patch.base !== below.identity)
      problems.add("PACK-BASE", `this is a patch of ${patch.base}, and lies on ${below.identity}`, { pointer });
    problems.check();
  });
}

function setOf(
  packs: readonly Pack[],
  merged: ReadonlyMap<number, Asset>,
  names: ReadonlyMap<string, number>,
  slots: PackOptions["slots"],
): AssetSet {
  const top = packs.at(-1)!;
  const problems = new Problems(top.label);
  checkBankTypes(new Set(Array.from(merged.values(), ({ bankType }) => bankType)), problems);
  checkPreload(top.preload, (id) => merged.get(id)?.bankType, slots, problems);
  problems.check();
  const ids = [...merged.keys()].sort((a, b) => a - b);
  return {
    identity: top.identity,
    length: ids.length,
    preload: top.preload,
    packs,
    asset: (id) => merged.get(id),
    assetNamed: (name) => {
      const id = names.get(name);
      return id === undefined ? undefined : merged.get(id);
    },
    assets: () => ids.map((id) => merged.get(id)!),
    close: () => {
      for (const pack of packs) pack.close();
    },
  };
}
