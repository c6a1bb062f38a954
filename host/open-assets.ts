/** Opens the packs that are granted. Loaded when there are any: reading packs takes code that most guests do not need. */
import { packKey, packReader } from "./asl/packs.ts";
import type { View } from "./asl/view.ts";
import { PackError } from "./assets/errors.ts";
import { IDENTITY } from "./assets/identity.ts";
import { type AssetSet, DEFAULT_DECODED_BYTES, openPack, type Pack, type PackOptions } from "./assets/pack.ts";
import { stackOf } from "./assets/stack.ts";
import type { AssetsGrant } from "./grants.ts";

/**
 * The pack with its patches; `bankBytes` is what banks have room for, `view` the store in which packs are that are named by their
 * identity. Throws a PackError.
 */
export function openAssets(
  { host, patches = [], verify, slots }: AssetsGrant,
  bankBytes: number | undefined,
  view?: View,
): AssetSet {
  const options: PackOptions = {
    ...(verify !== undefined && { verify }),
    ...(slots !== undefined && { slots }),
    // What there is room for can be decoded.
    ...(bankBytes !== undefined && { decodedBytes: Math.max(bankBytes, DEFAULT_DECODED_BYTES) }),
  };
  const packs: Pack[] = [];
  try {
    for (const name of [host, ...patches])
      packs.push(IDENTITY.test(name) ? openStored(name, view!, options) : openPack(name, options));
    return stackOf(packs, options);
  } catch (error) {
    for (const pack of packs) pack.close();
    throw error;
  }
}

function openStored(identity: string, view: View, options: PackOptions): Pack {
  const key = packKey(view, identity);
  if (key === undefined) throw new PackError("PACK-READ", "the store has no such pack", { file: identity });
  const pack = openPack(packReader(view, key), { ...options, label: identity });
  if (pack.identity === identity) return pack;
  pack.close();
  throw new PackError("PACK-IDENTITY", `what the store has bound to it is ${pack.identity}`, { file: identity });
}
