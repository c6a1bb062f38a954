/**
 * The assets-tool as a library (spec 15b): makes packs, and looks into them.
 *
 * ```ts
 * import { packAssets } from "ashlar/assets-tool";
 * const { identity } = await packAssets({ from: "art", output: "assets.pa" });
 * ```
 */
export { type AssetsConfig, type CodecChoice, defineConfig, type NameChoice, type RuleConfig } from "./config.ts";
export { type AssetSummary, type ChangedAsset, diffPacks, type PackDifference } from "./diff.ts";
export { type ExtractedFile, type ExtractOptions, extractAssets } from "./extract.ts";
export { ID_LANGUAGES, type IdLanguage, idsOf } from "./ids.ts";
export type { Imported, Importer, ImportSource } from "./importer.ts";
export { IMPORTERS } from "./importers/index.ts";
export { inspectPack, type PackInspection, type Place, placeIn } from "./inspect.ts";
export { generateKeys, type KeyPair } from "./keys.ts";
export { type PackRequest, packAssets } from "./pack.ts";
export { type PatchRequest, patchPack } from "./patch.ts";
export type { BankReport, Note, PackProgress, PackReport, PatchReport } from "./report.ts";
export { type SignedPack, type SignRequest, signAssets } from "./sign.ts";
export { type Verification, type VerifiedPack, type VerifyOptions, verifyPacks } from "./verify.ts";
export { type WatchRequest, watchAssets } from "./watch.ts";
