/** SHA-256 of the host's. */
import { injectSha256 } from "../vm/sha256.ts";

let isInjected = false;

/** Bytes whose digest takes as long as to load what computes it faster. */
const LARGE_BYTES = 1_000_000;

/** Has digests computed by Node.js, where there are so many bytes that it pays: a state may be gigabytes, and is unless told. */
export function useHostSha256(bytes: number = Number.POSITIVE_INFINITY): void {
  if (isInjected || bytes < LARGE_BYTES) return;
  const crypto = process.getBuiltinModule?.("node:crypto");
  if (crypto === undefined) return;
  isInjected = true;
  injectSha256(() => {
    const hash = crypto.createHash("sha256");
    return { update: (bytes) => void hash.update(bytes), digest: () => new Uint8Array(hash.digest()) };
  });
}
