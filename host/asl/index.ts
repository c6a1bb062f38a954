/** `ashlar/store`: a store of artifacts in a folder, named by what they hold. */
export type { Batch, Staged, StageOptions, StageWriter } from "./batch.ts";
export type { Snapshot } from "./checkpoint.ts";
export type { Durability } from "./committer.ts";
export { ASL_CODES, type AslCode, AslError, type AslPlace } from "./errors.ts";
export type { Payload } from "./frames.ts";
export type { FsckOptions, FsckReport, Problem, RepairOptions } from "./fsck.ts";
export { ALGORITHMS, type Algorithm, type ArtifactKey, keyBytes, keyText } from "./key.ts";
export { FIRST_FREE, Namespace, nameOf, nameText, packName } from "./namespace.ts";
export { packKey, packReader } from "./packs.ts";
export type { RebuildOptions, RebuildReport } from "./rebuild.ts";
export { type ArtifactsOptions, artifactsOf } from "./staged.ts";
export {
  type KeyList,
  type LogRecord,
  type PutItem,
  type PutOptions,
  type SnapshotReference,
  Store,
  type StoreOptions,
  type StoreStats,
} from "./store.ts";
export type { ArtifactStore, ArtifactWriter, FoundArtifact, SealedArtifact } from "./syscalls.ts";
export type {
  ArtifactRecord,
  ArtifactStat,
  Binding,
  KeyLike,
  ListOptions,
  ReadOptions,
  View,
  Visibility,
} from "./view.ts";
