/** The bytes behind `sys.random` (spec ABI-RANDOM). */
import { sha256 } from "../vm/sha256.ts";

export interface Random {
  fill(into: Uint8Array): void;
  /** Bytes given so far, for snapshots. */
  position: number;
}

const BLOCK_BYTES = 32;
export const SEED_BYTES = 32;
/** Most bytes that one request to the platform may ask for. */
const PLATFORM_BYTES = 65_536;

/** A seed from a number: its 256 bits, little-endian, modulo 2^256. */
export function seedOf(number: bigint): Uint8Array {
  const seed = new Uint8Array(SEED_BYTES);
  let rest = BigInt.asUintN(8 * SEED_BYTES, number);
  for (let k = 0; k < SEED_BYTES; k++, rest >>= 8n) seed[k] = Number(rest & 255n);
  return seed;
}

/** The stream whose block number i is SHA-256(seed, i as a 64-bit little-endian number). */
export function seededRandom(seed: Uint8Array): Random {
  const input = new Uint8Array(SEED_BYTES + 8);
  input.set(seed);
  const view = new DataView(input.buffer);
  let block = new Uint8Array(0);
  let number = -1;
  return {
    position: 0,
    fill(into) {
      for (let at = 0; at < into.length; ) {
        const wanted = Math.floor(this.position / BLOCK_BYTES);
        if (wanted !== number) {
          view.setBigUint64(SEED_BYTES, BigInt(wanted), true);
          const hash = sha256();
          hash.update(input);
          block = new Uint8Array(hash.digest());
          number = wanted;
        }
        const from = this.position % BLOCK_BYTES;
        const piece = block.subarray(from, Math.min(BLOCK_BYTES, from + into.length - at));
        into.set(piece, at);
        at += piece.length;
        this.position += piece.length;
      }
    },
  };
}

/** The platform's own. */
export function realRandom(): Random {
  return {
    position: 0,
    fill(into) {
      const piece = new Uint8Array(Math.min(into.length, PLATFORM_BYTES));
      for (let at = 0; at < into.length; at += piece.length) {
        crypto.getRandomValues(piece);
        into.set(piece.subarray(0, into.length - at), at);
      }
    },
  };
}
