/** Sizes at which a store does something else. Files tell by themselves what they are, so a store may be opened with others. */
export interface StoreLimits {
  /** A group commits when its records have so many bytes. */
  readonly groupBytes: number;
  /** Records of a group of at most so many bytes stand in its frame: one sync instead of two. */
  readonly inlineBytes: number;
  /** A log file that has so many bytes is followed by another. */
  readonly logBytes: number;
  /** A packed block that has so many bytes is sealed. */
  readonly blockBytes: number;
  /** Longer artifacts have blocks of their own. */
  readonly packedBytes: number;
  /** Longer ones are chunked. */
  readonly ownBytes: number;
  /** Bytes of a chunk. */
  readonly chunkBytes: number;
  /** What a batch stages beyond so many bytes is written to disk. */
  readonly stagedBytes: number;
  /** Rows of the log behind the index that a closed store may leave to be read at the next opening. */
  readonly tailRows: number;
}

export const LIMITS: StoreLimits = {
  groupBytes: 2 * 1024 * 1024,
  inlineBytes: 64 * 1024,
  logBytes: 64 * 1024 * 1024,
  blockBytes: 64 * 1024 * 1024,
  packedBytes: 1024 * 1024,
  ownBytes: 1024 * 1024 * 1024,
  chunkBytes: 64 * 1024 * 1024,
  stagedBytes: 4 * 1024 * 1024,
  tailRows: 16_384,
};

/** Most bytes of the name of a snapshot, or the label of a pin. */
export const NAME_BYTES = 255;
