/** Packs of assets that lie in a store. */
import { PackError } from "../assets/errors.ts";
import type { PackReader } from "../assets/source.ts";
import type { ArtifactKey } from "./key.ts";
import { Namespace, packName } from "./namespace.ts";
import type { View } from "./view.ts";

/** The key of the pack with this identity; undefined if none is bound to it. Throws ASL-ARGUMENT where that is no identity. */
export function packKey(view: View, identity: string): ArtifactKey | undefined {
  return view.resolve(Namespace.PACK, packName(identity));
}

/** An artifact as the source of a pack; `view` stays open while it is read. Throws a PackError without it. */
export function packReader(view: View, key: ArtifactKey): PackReader {
  const stat = view.stat(key);
  if (stat === undefined) throw new PackError("PACK-READ", "the store has no such artifact", { file: key });
  const { length: size } = stat;
  return {
    size,
    read: (position, into) =>
      view.readInto(key, into, 0, position, Math.max(0, Math.min(into.length, size - position))),
  };
}
