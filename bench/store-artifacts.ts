/** What the store and its peers are measured with: artifacts of noise, and the keys they are asked for. */
import { createCipheriv } from "node:crypto";
import { digestInto } from "../host/asl/key.ts";

export const ARTIFACT_BYTES = 256;

/** `length` bytes of noise from an offset (a multiple of 16) of an endless stream: those of AES-CTR, which nothing compresses. */
export function noiseAt(offset: number, length: number, stream = 0): Buffer {
  const counter = Buffer.alloc(16);
  counter.writeUInt32BE(stream, 0);
  counter.writeBigUInt64BE(BigInt(offset / 16), 8);
  return createCipheriv("aes-128-ctr", Buffer.alloc(16), counter).update(Buffer.alloc(length));
}

/** `bytes` in pieces of one length. */
export function pieces(bytes: Buffer, length: number): Buffer[] {
  return Array.from({ length: bytes.length / length }, (_, k) => bytes.subarray(k * length, (k + 1) * length));
}

/** Of a sequence that is the same each time: numbers below 2^32. */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x9e37_79b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x85eb_ca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35);
    return (mixed ^ (mixed >>> 16)) >>> 0;
  };
}

/** `count` of the numbers below `below`, at random. */
export function sample(below: number, count: number): Uint32Array {
  const next = random(below);
  return Uint32Array.from({ length: count }, () => next() % below);
}

export const MULTIHASH_BYTES = 34;
/** Of a key as a multihash: where the digest begins. */
export const DIGEST_AT = 2;
const SHA_256 = 1;

/** Puts the key of an artifact at `at` of `into`, as a multihash. */
export function keyInto(artifact: Uint8Array, into: Buffer, at: number): void {
  into[at] = 0x12;
  into[at + 1] = 0x20;
  digestInto(SHA_256, artifact, into, at + DIGEST_AT);
}

/** Keys of the artifacts of these numbers, made anew from the stream, one behind the other. */
export function keysOf(numbers: Uint32Array, size = ARTIFACT_BYTES, stream = 0): Buffer {
  const keys = Buffer.alloc(numbers.length * MULTIHASH_BYTES);
  numbers.forEach((number, k) => {
    keyInto(noiseAt(number * size, size, stream), keys, k * MULTIHASH_BYTES);
  });
  return keys;
}

/** Each key a view of its own, made before anything is measured; of the digests alone where `from` is DIGEST_AT. */
export function keyViews(keys: Buffer, from = 0): Buffer[] {
  return pieces(keys, MULTIHASH_BYTES).map((key) => key.subarray(from));
}
