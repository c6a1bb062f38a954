/** What packing tells. */

/** Something to know that does not keep a pack from being made. */
export interface Note {
  /** What kind it is; the kinds are stable. */
  readonly kind: "unused-rule" | "unused-order" | "portability" | "cache" | "left-behind";
  readonly message: string;
  readonly file?: string | undefined;
  /** JSON pointer into the configuration. */
  readonly pointer?: string | undefined;
}

/** What is being done. `done` and `total` count sources while importing, and bytes while writing. */
export interface PackProgress {
  readonly phase: "import" | "write";
  readonly done: number;
  readonly total: number;
}

export interface BankReport {
  readonly bankType: string;
  readonly assets: number;
  /** Bytes, decoded. */
  readonly bytes: number;
  readonly storedBytes: number;
}

export interface PackReport {
  readonly output: string;
  readonly identity: string;
  /** Of the file. */
  readonly bytes: number;
  readonly headerBytes: number;
  readonly payloadBytes: number;
  readonly sources: number;
  readonly assets: number;
  /** Assets that lie in the slice of another, and the bytes which that saves. */
  readonly shared: number;
  readonly sharedBytes: number;
  /** Sources whose assets came from the cache, and those whose did not; verbatim ones are neither. */
  readonly cached: number;
  readonly made: number;
  /** In the order of bank types' names. */
  readonly banks: readonly BankReport[];
  /** Names of assets that got an id for the first time, and of those that were retired. Empty without lock file. */
  readonly added: readonly string[];
  readonly retired: readonly string[];
  /** Path of the lock file, if there is one. */
  readonly lock: string | undefined;
  readonly notes: readonly Note[];
}

export interface PatchReport {
  readonly output: string;
  readonly identity: string;
  /** Identity of what lies below. */
  readonly base: string;
  readonly bytes: number;
  /** Assets by what became of them. */
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
  readonly unchanged: number;
}
