/** What stands behind the host ABI: file systems, and the imports that grant them to a guest. */
export { type Abi, type AbiOptions, type AbiQuota, createAbi } from "./abi.ts";
export { directoryFileSystem, type Volume } from "./fs/directory.ts";
export {
  type Capabilities,
  type Entry,
  type EntryKind,
  type FileSystem,
  GrantError,
  type OpenDirectory,
  type OpenFile,
  type Transfer,
} from "./fs/file-system.ts";
export { DEFAULT_MEMORY_QUOTA, MemoryFileSystem, type MemoryQuota } from "./fs/memory.ts";
export type { Mount, PathQuota } from "./fs/namespace.ts";
export type { Input, Output } from "./streams.ts";
