/**
 * What stands behind the host ABI: file systems, the imports that grant them to a guest, and one call that runs one.
 *
 * ```ts
 * import { runGuest } from "ashlar/host";
 * const { outcome, exitCode, stdout } = runGuest({
 *   module: readFileSync("wordfreq.wasm"),
 *   args: ["/texts"],
 *   grants: { dirs: [{ host: "./texts", guest: "/texts", readOnly: true }] },
 *   fuel: 100_000_000n,
 * });
 * ```
 */
export { type Abi, type AbiOptions, type AbiQuota, createAbi } from "./abi.ts";
export { adopt as adoptCode, compileGuest } from "./compile.ts";
export { EntryError, type Invocation } from "./entry.ts";
export { directoryFileSystem, type Volume } from "./fs/directory.ts";
export {
  type FaultPlan,
  type FileSystemFaults,
  type FileSystemOperation,
  faultyFileSystem,
  faultyVolume,
  type VolumeFaults,
  type VolumeOperation,
} from "./fs/faulty.ts";
export {
  type Capabilities,
  type Entry,
  type EntryKind,
  type FileSystem,
  type Folder,
  type Found,
  GrantError,
  type OpenDirectory,
  type OpenFile,
  type Outcome,
  RETRY,
  type Stat,
  type Times,
  type Transfer,
} from "./fs/file-system.ts";
export { DEFAULT_MEMORY_QUOTA, MemoryFileSystem, type MemoryQuota } from "./fs/memory.ts";
export type { Mount, PathQuota } from "./fs/namespace.ts";
export { overlayFileSystem } from "./fs/overlay.ts";
export { type Quota, type QuotaFileSystem, quotaFileSystem } from "./fs/quota.ts";
export {
  type AssetsGrant,
  checkGrants,
  type DirGrant,
  type Grants,
  mergeGrants,
  type QuotaGrant,
  readGrants,
  type StoreGrant,
  type TmpGrant,
} from "./grants.ts";
export { COLLECTED_BYTES, type GuestOptions, type GuestResult, type OwnSyscalls, runGuest } from "./guest.ts";
export { type CompiledCode, type Image, ImageError, isImage, type ReadImage, readImage, writeImage } from "./image.ts";
export { type OpenGrants, openGrants } from "./open-grants.ts";
export { type SourcePlace, sourcePlaces } from "./source/places.ts";
export type { Input, Output } from "./streams.ts";
export { openTmp, type Tmp, TmpError, type TmpOptions } from "./tmp.ts";
export { trapUnknownImports } from "./unknown-imports.ts";
