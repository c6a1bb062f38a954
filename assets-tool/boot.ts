/** The preload table: which assets lie in which slots when a guest begins (spec TOOL-CONFIG-6). */
import { Problems } from "../host/assets/errors.ts";
import type { Configuration, Rule } from "./config.ts";

/** What an asset to be put into a slot is known by. */
export interface Bootable {
  readonly name: string;
  readonly bankType: string;
  readonly rule: Rule;
}

/** An asset's name, and its slot. */
export interface Boot {
  readonly name: string;
  readonly slot: number;
}

interface Placed {
  readonly asset: Bootable;
  readonly slot: number;
  readonly pointer: string;
}

/** `assets` are in the order of names. Throws a PackError. */
export function preloadOf(configuration: Configuration, assets: readonly Bootable[]): readonly Boot[] {
  const problems = new Problems(configuration.file);
  const byName = new Map(assets.map((asset) => [asset.name, asset]));
  const named = configuration.preload.flatMap(({ value: { name, slot }, pointer }): Placed[] => {
    const asset = byName.get(name);
    if (asset !== undefined) return [{ asset, slot, pointer }];
    problems.add("PACK-CONFIG", `there is no asset "${name}"`, { pointer: `${pointer}/asset` });
    return [];
  });
  const isNamed = new Set(named.map(({ asset }) => asset));
  const rules = configuration.rules.map((rule) => ({ rule, assets: [] as Bootable[] }));
  const byRule = new Map(rules.map(({ rule, assets }) => [rule, assets]));
  for (const asset of assets)
    if (asset.rule.preload !== undefined && !isNamed.has(asset)) byRule.get(asset.rule)!.push(asset);

  const fixed = new Map(rules.map(({ rule, assets }) => [rule, fixedSlots(rule, assets)]));
  const taken = new Map<string, Placed>();
  for (const placed of [...named, ...[...fixed.values()].flat()]) {
    const { asset, slot, pointer } = placed;
    const place = `${asset.bankType} ${slot}`;
    const other = taken.get(place);
    const slots = configuration.slots(asset.bankType);
    if (slot >= slots)
      problems.add(
        "PACK-PRELOAD-SLOT",
        `"${asset.name}" would be in slot ${slot} of ${asset.bankType}, which has ${slots}`,
        {
          pointer,
        },
      );
    else if (other !== undefined)
      problems.add(
        "PACK-PRELOAD-CLASH",
        `"${other.asset.name}" and "${asset.name}" would both be in slot ${slot} of ${asset.bankType}`,
        {
          pointer,
        },
      );
    else taken.set(place, placed);
  }

  const free = new Map<string, number>();
  const all = rules.flatMap(({ rule, assets }) => {
    if (rule.preload !== true) return fixed.get(rule)!;
    return assets.flatMap((asset): Placed[] => {
      const { bankType } = asset;
      const slots = configuration.slots(bankType);
      let slot = free.get(bankType) ?? 0;
      while (taken.has(`${bankType} ${slot}`)) slot++;
      free.set(bankType, slot + 1);
      const pointer = `${rule.pointer}/preload`;
      if (slot < slots) return [{ asset, slot, pointer }];
      problems.add("PACK-PRELOAD-SLOT", `no slot of ${bankType} is left for "${asset.name}": there are ${slots}`, {
        pointer,
      });
      return [];
    });
  });
  problems.check();
  return [...named, ...all].map(({ asset, slot }) => ({ name: asset.name, slot }));
}

/** One slot after the other, from the first that the rule says for the bank type. */
function fixedSlots({ preload }: Rule, assets: readonly Bootable[]): readonly Placed[] {
  if (preload === undefined || preload === true) return [];
  const next = new Map<string, number>();
  return assets.flatMap((asset): Placed[] => {
    const first = preload.get(asset.bankType);
    if (first === undefined) return [];
    const slot = next.get(asset.bankType) ?? first.value;
    next.set(asset.bankType, slot + 1);
    return [{ asset, slot, pointer: first.pointer }];
  });
}
