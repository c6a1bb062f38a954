/**
 * Packs: the format of `assets.pa` (spec 15), reading it and making it.
 *
 * ```ts
 * import { openPack } from "ashlar/assets";
 * const pack = openPack("assets.pa");
 * for (const { id, name, bankType, decodedSize } of pack.assets()) console.log(id, name, bankType, decodedSize);
 * ```
 */
export { type BankOptions, LoadState } from "./banks.ts";
export { type Codec, ENCODERS, type EncodedBy, encodeWith, NATIVE_ZSTD } from "./codecs.ts";
export { PACK_CODES, type PackCode, PackError, type Problem } from "./errors.ts";
export { BANK_TYPES, DEFAULT_ALIGNMENT, DEFAULT_SLOTS } from "./format.ts";
export type { PackHeader, Patch, Preload } from "./header.ts";
export { canonicalJson, type Json, JsonError, type JsonObject } from "./json.ts";
export { bankNumber, isBankType, nameProblem } from "./names.ts";
export { fileOutput, type Output, replaceFile } from "./output.ts";
export { type Asset, type AssetSet, type OpenAsset, openPack, type Pack, type PackOptions } from "./pack.ts";
export type { Slots } from "./preload.ts";
export type { Prelude } from "./prelude.ts";
export { publicKeyBytes, type Signature, signatureOf, signPack } from "./signature.ts";
export type { PackReader, PackSource } from "./source.ts";
export { openStack, stackOf } from "./stack.ts";
export {
  type AssetInput,
  encodePack,
  type PackInput,
  type PackSummary,
  type StoredFile,
  type WriteOptions,
  writePack,
} from "./write.ts";
