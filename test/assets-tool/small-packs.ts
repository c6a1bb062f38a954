/** Packs of a few short texts. */
import type { KeyObject } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import type { JsonObject } from "../../host/assets/json.ts";
import { signPack } from "../../host/assets/signature.ts";
import { type AssetInput, encodePack, type PackInput } from "../../host/assets/write.ts";

/** An asset that holds `text`; `codec` may be `deflate`. */
export function textAsset(
  id: number,
  name: string,
  text: string,
  { bankType = "text", codec = "raw", metadata = {} as JsonObject } = {},
): AssetInput {
  const bytes = Buffer.from(text);
  const stored = codec === "raw" ? bytes : deflateRawSync(bytes);
  return { id, name, bankType, codec, decodedSize: bytes.length, stored, metadata };
}

/** A pack with everything: both codecs, a shared slice, one without bytes, a custom bank type, ids at both ends. */
export function mixedPack(changes: Partial<PackInput> = {}): Promise<Uint8Array> {
  return encodePack({
    assets: [
      textAsset(-2147483648, "maps/\u{1f5fa}", "[1,2]", {
        bankType: "levels",
        metadata: { 'a"/~b': [{ x: 1.5 }, null] },
      }),
      textAsset(1, "tiles/grass", "green ".repeat(20), { bankType: "tiles", metadata: { width: 8 } }),
      textAsset(2, "tiles/stone", "stone", { bankType: "tiles" }),
      textAsset(3, "twin", "stone", { bankType: "sprites" }),
      textAsset(4, "story", "once upon a time ".repeat(50), { codec: "deflate" }),
      textAsset(2147483647, "nothing", ""),
    ],
    preload: [
      { assetId: 1, slot: 0 },
      { assetId: 2, slot: 7 },
    ],
    metadata: { title: "Mixed" },
    encoders: { deflate: "zlib" },
    ...changes,
  });
}

/** The pack, signed, which lies as `signed.pa` in the folder then. */
export async function signed(folder: string, bytes: Uint8Array, key: KeyObject): Promise<Uint8Array> {
  const path = join(folder, "signed.pa");
  writeFileSync(path, bytes);
  await signPack(path, key);
  return readFileSync(path);
}
