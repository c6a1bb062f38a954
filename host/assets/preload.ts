/** What a boot loads, checked whole before a bank is touched (spec PACK-PRELOAD). */
import type { Problems } from "./errors.ts";
import { DEFAULT_SLOTS } from "./format.ts";
import type { Preload } from "./header.ts";

/** Slots of each bank type, or of each by its name; {@link DEFAULT_SLOTS} of what is not named. */
export type Slots = number | { readonly [bankType: string]: number };

export function slotsOf(slots: Slots | undefined, bankType: string): number {
  if (typeof slots === "number") return slots;
  return slots !== undefined && Object.hasOwn(slots, bankType) ? slots[bankType]! : DEFAULT_SLOTS;
}

/** The slots that each asset is loaded into, by its id, in the order of the table. */
export function slotsByAsset(preload: readonly Preload[]): ReadonlyMap<number, readonly number[]> {
  const slots = new Map<number, number[]>();
  for (const { assetId, slot } of preload) {
    const others = slots.get(assetId);
    if (others === undefined) slots.set(assetId, [slot]);
    else others.push(slot);
  }
  return slots;
}

/** `bankTypeOf` answers undefined for an id that no asset has. */
export function checkPreload(
  preload: readonly Preload[],
  bankTypeOf: (id: number) => string | undefined,
  slots: Slots | undefined,
  problems: Problems,
): void {
  const taken = new Map<string, number>();
  preload.forEach(({ assetId, slot }, index) => {
    const pointer = `/preload/${index}`;
    const bankType = bankTypeOf(assetId);
    if (bankType === undefined) {
      problems.add("PACK-PRELOAD-ID", `there is no asset ${assetId}`, { pointer: `${pointer}/asset_id` });
      return;
    }
    const most = slotsOf(slots, bankType);
    if (slot < 0 || slot >= most) {
      const message = `the bank type ${bankType} has the slots 0 to ${most - 1}, and no ${slot}`;
      problems.add("PACK-PRELOAD-SLOT", message, { pointer: `${pointer}/slot` });
      return;
    }
    const place = `${bankType} ${slot}`;
    const other = taken.get(place);
    if (other !== undefined)
      problems.add("PACK-PRELOAD-CLASH", `slot ${slot} of ${bankType} is filled by entry ${other} already`, {
        pointer,
      });
    else taken.set(place, index);
  });
}
