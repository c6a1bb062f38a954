/** From sources to a pack (spec TOOL-SAME). */
import type { Note, PackProgress, PackReport } from "./report.ts";

export interface PackRequest {
  /** A configuration file, or a folder: packed with the configuration that it holds, or else as TOOL-CONFIG-8 says. */
  readonly from: string;
  /** Path of the pack; absent: what the configuration says. Needed for a folder without one. */
  readonly output?: string | undefined;
  /** Path of the lock file; absent: what the configuration says, and none for a folder without one. */
  readonly lock?: string | undefined;
  /** Folder of the cache; false: none; absent: the user's (TOOL-CACHE-4). */
  readonly cache?: string | false | undefined;
  /** Write nothing; fail where something would be written (TOOL-OUTPUT-3). */
  readonly check?: boolean | undefined;
  readonly onProgress?: ((progress: PackProgress) => void) | undefined;
  readonly onNote?: ((note: Note) => void) | undefined;
}

/** Makes a pack. Throws a PackError, with all that is wrong with the sources at once. */
export async function packAssets(_request: PackRequest): Promise<PackReport> {
  throw new Error("not yet");
}
