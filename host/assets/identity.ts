/** `mi2:INDEX:DATA` (spec PACK-IDENTITY): what a pack holds, whatever file it lies in. */
import type { Prelude } from "./prelude.ts";

const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";

/** A SHA-256 digest as multihash in multibase: `b`, and base32 without padding of 12 20 and the digest; 56 characters. */
function multihash(digest: Uint8Array): string {
  let text = "b";
  let bits = 0;
  let held = 0;
  for (const byte of [0x12, 0x20, ...digest]) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(held >>> bits) & 31];
    }
    held &= (1 << bits) - 1;
  }
  return bits === 0 ? text : text + ALPHABET[(held << (5 - bits)) & 31];
}

/** Every identity has this form. */
export const IDENTITY: RegExp = /^mi2:bciq[a-z2-7]{52}:bciq[a-z2-7]{52}$/;

export function identityOf({ headerDigest, payloadRoot }: Pick<Prelude, "headerDigest" | "payloadRoot">): string {
  return `mi2:${multihash(headerDigest)}:${multihash(payloadRoot)}`;
}
