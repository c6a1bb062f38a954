/** The numbers of the format (spec 15). Limits are part of it: a writer may not make what a reader must refuse. */

/** spec PACK-PRELUDE-1. The high bit and the line ends show damage by transfers that take the file for text. */
export const MAGIC: Uint8Array = Uint8Array.of(0x89, 0x50, 0x41, 0x4b, 0x0d, 0x0a, 0x1a, 0x0a);
export const VERSION = 1;
export const PRELUDE_BYTES = 128;
export const SIGNATURE_BYTES = 112;

/** Required flags: a reader refuses a bit that it does not know. */
export const Flag = { PATCH: 1 } as const;

/** Longest header with its padding, in bytes (spec PACK-LIMIT-1). */
export const MOST_HEADER_BYTES: number = 64 * 1024 * 1024;
/** Most entries of the table, of `preload` and of `removed`. */
export const MOST_ENTRIES = 1_000_000;
export const MOST_NAME_BYTES = 255;
/** Longest metadata of an asset, as canonical JSON, in bytes. */
export const MOST_METADATA_BYTES = 65_536;
/** Most assets that share one slice: it bounds how much larger than the file its assets can be. */
export const MOST_SHARES = 1_024;
export const MOST_ALIGNMENT = 65_536;
export const DEFAULT_ALIGNMENT = 16;
/** Largest asset that is stored in any way but `raw`, decoded, in bytes. */
export const MOST_DECODED_BYTES: number = 1024 * 1024 * 1024;
/** Most bytes that one stored byte may decode to. */
export const MOST_DECODED_RATIO = 2_048;
export const LEAST_LEAF_BYTES = 4_096;
export const MOST_LEAF_BYTES: number = 64 * 1024 * 1024;
export const DEFAULT_LEAF_BYTES: number = 256 * 1024;

/** spec PACK-HEADER-2. */
export const SCHEMA = "ashlar.assets/1";
export const TREE_ALGORITHM = "ashlar-tree-1";
export const HASH_NAME = "sha2-256";

/** Slots of a bank type, unless the host says otherwise (spec PACK-PRELOAD-2). */
export const DEFAULT_SLOTS = 256;
/** Most that a host can say (spec BANK-SLOT-1). */
export const MOST_SLOTS = 65_536;

/** Registered bank types and their numbers (spec PACK-BANK-1). */
export const BANK_TYPES = {
  tiles: 1,
  sprites: 2,
  sounds: 3,
  fonts: 4,
  palettes: 5,
  text: 6,
  data: 7,
  module: 8,
} as const;
