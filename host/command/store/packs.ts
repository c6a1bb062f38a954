/** Packs that are put into a store. */
import { type ArtifactKey, Namespace, packName, packReader, type Store } from "../../asl/index.ts";
import { MOST_DECODED_BYTES } from "../../assets/format.ts";
import { openPack } from "../../assets/pack.ts";

/** Binds a stored pack to its identity, once every byte of it was checked. Throws a PackError. */
export async function bindPack(store: Store, key: ArtifactKey, label: string): Promise<string> {
  // It is for hosts with whatever slots.
  const options = { label, slots: Number.MAX_SAFE_INTEGER, decodedBytes: MOST_DECODED_BYTES };
  const pack = openPack(packReader(store.view(), key), options);
  try {
    pack.verify(() => {});
    const { identity } = pack;
    await store.bind(Namespace.PACK, packName(identity), key);
    return identity;
  } finally {
    pack.close();
  }
}
