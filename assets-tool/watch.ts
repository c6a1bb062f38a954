/** Packing again and again while the sources change (spec TOOL-WATCH). */
import type { PackRequest } from "./pack.ts";
import type { PackReport } from "./report.ts";

export interface WatchRequest extends PackRequest {
  /** A pack was made. */
  onPack(report: PackReport): void;
  /** None was made; a PackError, or a bug of ours. */
  onFailure(error: unknown): void;
  /** Ends it. */
  readonly signal?: AbortSignal | undefined;
}

/** Packs until the signal says to end; then the promise is fulfilled, when the pack being made is done. */
export async function watchAssets(_request: WatchRequest): Promise<void> {
  throw new Error("not yet");
}
