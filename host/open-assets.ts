/** Opens the packs that are granted. Loaded when there are any: reading packs takes code that most guests do not need. */
import { type AssetSet, DEFAULT_DECODED_BYTES } from "./assets/pack.ts";
import { openStack } from "./assets/stack.ts";
import type { AssetsGrant } from "./grants.ts";

/** The pack with its patches; `bankBytes` is what banks have room for. Throws a PackError. */
export function openAssets(
  { host, patches = [], verify, slots }: AssetsGrant,
  bankBytes: number | undefined,
): AssetSet {
  return openStack([host, ...patches], {
    ...(verify !== undefined && { verify }),
    ...(slots !== undefined && { slots }),
    // What there is room for can be decoded.
    ...(bankBytes !== undefined && { decodedBytes: Math.max(bankBytes, DEFAULT_DECODED_BYTES) }),
  });
}
