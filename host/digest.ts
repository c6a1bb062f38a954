/** SHA-256 of the host's. */
import { injectSha256 } from "../vm/sha256.ts";

let isInjected = false;

/** Has digests computed by Node.js: loading it takes longer than a small module's digest, but a state may be gigabytes. */
export function useHostSha256(): void {
  const crypto = isInjected ? undefined : process.getBuiltinModule?.("node:crypto");
  if (crypto === undefined) return;
  isInjected = true;
  injectSha256(() => {
    const hash = crypto.createHash("sha256");
    return { update: (bytes) => void hash.update(bytes), digest: () => new Uint8Array(hash.digest()) };
  });
}
