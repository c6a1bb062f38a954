/** Keys of artifacts (spec ASL-KEY): the digest of their bytes and nothing else, as text or as a multihash. */
import { cryptoOf } from "../assets/hash.ts";
import { AslError } from "./errors.ts";

/** `sha256:` and 64 hexadecimal digits; other algorithms by their names. */
export type ArtifactKey = string & { readonly artifactKey: unique symbol };

/** Bytes of a digest: every algorithm has as many. */
export const DIGEST_BYTES = 32;

/** How digests are made. */
export interface Algorithm {
  /** In the files of a store; append-only (spec ASL-KEY-2). */
  readonly number: number;
  /** In keys as text. */
  readonly name: string;
  /** Of the multicodec table. */
  readonly code: number;
  /** Node.js's name of it. */
  readonly host: string;
}

export const ALGORITHMS: readonly Algorithm[] = [
  { number: 1, name: "sha256", code: 0x12, host: "sha256" },
  { number: 2, name: "sha3-256", code: 0x16, host: "sha3-256" },
  { number: 3, name: "sha2-512-256", code: 0x1015, host: "sha512-256" },
  { number: 4, name: "blake2s-256", code: 0xb260, host: "blake2s256" },
];

/** What begins a multihash: the code and the length as varints. By the algorithm's number. */
const PREFIXES: readonly Uint8Array[] = [
  new Uint8Array(),
  ...ALGORITHMS.map(({ code }) => Uint8Array.of(...varint(code), DIGEST_BYTES)),
];

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

/** The algorithm of this number. Throws ASL-VERSION. */
export function algorithmOf(number: number): Algorithm {
  const algorithm = ALGORITHMS[number - 1];
  if (algorithm === undefined) throw new AslError("ASL-VERSION", `digests of algorithm ${number} are not known`);
  return algorithm;
}

export function algorithmNamed(name: string): Algorithm {
  const algorithm = ALGORITHMS.find((candidate) => candidate.name === name);
  if (algorithm !== undefined) return algorithm;
  throw new AslError(
    "ASL-ARGUMENT",
    `${JSON.stringify(name)} is no algorithm: ${ALGORITHMS.map(({ name }) => name).join(", ")}`,
  );
}

/** A key taken apart without a copy: the digest is `bytes[at]` to `bytes[at + 32]`. Reused by whoever parses with it. */
export class ParsedKey {
  algorithm = 0;
  bytes: Uint8Array = NO_BYTES;
  at = 0;
  readonly #text: Buffer = Buffer.alloc(DIGEST_BYTES);

  /** Throws ASL-KEY. */
  parse(key: string | Uint8Array): this {
    if (typeof key === "string") this.#parseText(key);
    else if (key instanceof Uint8Array) this.#parseBytes(key);
    else throw new AslError("ASL-KEY", "a key as text or as bytes was expected");
    return this;
  }
  #parseBytes(key: Uint8Array): void {
    if (key.length === 34 && key[0] === 0x12 && key[1] === DIGEST_BYTES) {
      this.algorithm = 1;
      this.at = 2;
    } else {
      const number = PREFIXES.findIndex(
        (prefix, k) =>
          k > 0 && key.length === prefix.length + DIGEST_BYTES && prefix.every((byte, at) => key[at] === byte),
      );
      if (number < 0) throw new AslError("ASL-KEY", `${key.length} bytes are no multihash of a known algorithm`);
      this.algorithm = number;
      this.at = PREFIXES[number]!.length;
    }
    this.bytes = key;
  }
  #parseText(key: string): void {
    let number = 1;
    let digits = 7;
    if (!key.startsWith("sha256:")) {
      digits = key.indexOf(":") + 1;
      number = ALGORITHMS.find(({ name }) => name.length === digits - 1 && key.startsWith(name))?.number ?? 0;
    }
    // Upper case would be a second text of the same key.
    if (
      number === 0 ||
      key.length !== digits + 64 ||
      !HEX.test(key.slice(digits)) ||
      this.#text.write(key.slice(digits), "hex") !== DIGEST_BYTES
    )
      throw new AslError("ASL-KEY", `${quote(key)} is no key: sha256: and 64 digits 0-9a-f were expected`);
    this.algorithm = number;
    this.bytes = this.#text;
    this.at = 0;
  }
}

const NO_BYTES = new Uint8Array();
const HEX = /^[0-9a-f]{64}$/;

function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

/** Takes any bytes, and no Buffer has to be made for them. */
const { hexSlice } = Buffer.prototype as Buffer & { hexSlice(from: number, to: number): string };

/** The text of a key. */
export function keyText(algorithm: number, bytes: Uint8Array, at = 0): ArtifactKey {
  const hex = hexSlice.call(bytes, at, at + DIGEST_BYTES);
  return `${algorithmOf(algorithm).name}:${hex}` as ArtifactKey;
}

/** The text of a key that is a multihash, or text already. Throws ASL-KEY. */
export function textOfKey(key: string | Uint8Array): ArtifactKey {
  const { algorithm, bytes, at } = new ParsedKey().parse(key);
  return keyText(algorithm, bytes, at);
}

/** The key of `bytes`, as a multihash. */
export function multihashOf(algorithm: number, bytes: Uint8Array): Uint8Array {
  const prefix = PREFIXES[algorithm]!;
  const out = Buffer.allocUnsafe(prefix.length + DIGEST_BYTES);
  out.set(prefix);
  digestInto(algorithm, bytes, out, prefix.length);
  return out;
}

/** The multihash of a key. */
export function keyBytes(key: string | Uint8Array): Uint8Array {
  const { algorithm, bytes, at } = new ParsedKey().parse(key);
  return multihash(algorithm, bytes, at);
}

/** The multihash of a digest. */
export function multihash(algorithm: number, digest: Uint8Array, at = 0): Uint8Array {
  const prefix = PREFIXES[algorithm]!;
  const out = new Uint8Array(prefix.length + DIGEST_BYTES);
  out.set(prefix);
  for (let k = 0; k < DIGEST_BYTES; k++) out[prefix.length + k] = digest[at + k]!;
  return out;
}

/**
 * Puts the digest of `bytes` at `at` of `into`. As latin1 text it comes without the making of a Buffer, which is more than half of the
 * time for small artifacts.
 */
export type Digester = (algorithm: number, bytes: Uint8Array, into: Buffer, at: number) => void;

/** What Node.js's types leave out. */
interface DigestBuffer extends Buffer {
  latin1Write(text: string, at: number, length: number): number;
}

export const digestInto: Digester = (algorithm, bytes, into, at) => {
  const host = algorithm === 1 ? "sha256" : algorithmOf(algorithm).host;
  (into as DigestBuffer).latin1Write(cryptoOf().hash(host, bytes, "latin1" as "hex"), at, DIGEST_BYTES);
};

/** A copy of a digest. That `slice` of a Buffer makes none is easily forgotten. */
export function digestAt(bytes: Uint8Array, at = 0): Uint8Array {
  return copyOf(bytes, at, at + DIGEST_BYTES);
}

/** A copy of bytes, also of a Buffer's. */
export function copyOf(bytes: Uint8Array, from = 0, to: number = bytes.length): Uint8Array {
  return new Uint8Array(bytes.subarray(from, to));
}

export function sameDigest(left: Uint8Array, at: number, right: Uint8Array, from: number): boolean {
  for (let k = 0; k < DIGEST_BYTES; k++) if (left[at + k] !== right[from + k]) return false;
  return true;
}
