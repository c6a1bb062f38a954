/** A patch from one pack to the next (spec TOOL-PATCH). */
import type { PatchReport } from "./report.ts";

export interface PatchRequest {
  /** Paths of a pack and the patches on it, the lowest first. */
  readonly base: readonly string[];
  /** Path of a pack that is no patch. */
  readonly next: string;
  readonly output: string;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Writes the patch. Throws a PackError. */
export async function patchPack(_request: PatchRequest): Promise<PatchReport> {
  throw new Error("not yet");
}
