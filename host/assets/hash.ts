/** SHA-256 of the host's. Loaded when first needed: a guest without packs does not pay for it. */
import type { Hash } from "node:crypto";

let crypto: typeof import("node:crypto") | undefined;

export function cryptoOf(): typeof import("node:crypto") {
  return (crypto ??= process.getBuiltinModule("node:crypto"));
}

export function sha256(): Hash {
  return cryptoOf().createHash("sha256");
}

export function digestOf(bytes: Uint8Array): Uint8Array {
  return cryptoOf().hash("sha256", bytes, "buffer");
}

/** In hexadecimal. */
export function digestHex(bytes: Uint8Array): string {
  return cryptoOf().hash("sha256", bytes, "hex");
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("hex");
}

export function equalBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, k) => byte === right[k]);
}
