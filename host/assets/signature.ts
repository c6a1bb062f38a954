/** Signatures over prelude and header, and so over everything (spec PACK-SIGN). They are no part of the identity. */
import type { KeyObject } from "node:crypto";
import { PackError } from "./errors.ts";
import { PRELUDE_BYTES, SIGNATURE_BYTES } from "./format.ts";
import { cryptoOf } from "./hash.ts";
import { fileOutput, replaceFile } from "./output.ts";
import { openPack, type Pack } from "./pack.ts";
import { encodePrelude, type Prelude } from "./prelude.ts";

const MAGIC = Buffer.from("PASIGN\r\n");
const ED25519 = 1;
const CONTEXT = Buffer.from("ashlar.assets/1 signature\n");

/** Where each field of the block lies, in bytes (spec PACK-SIGN-1). */
export const SIGNATURE_FIELDS = {
  magic: { at: 0, size: 8 },
  algorithm: { at: 8, size: 4 },
  reserved: { at: 12, size: 4 },
  publicKey: { at: 16, size: 32 },
  signature: { at: 48, size: 64 },
} as const;

const F = SIGNATURE_FIELDS;

/** A signature that is valid: by whom it is, only its key tells. */
export interface Signature {
  readonly algorithm: "ed25519";
  /** 32 bytes (RFC 8032). */
  readonly publicKey: Uint8Array;
}

function messageOf(prelude: Prelude, headerJson: Uint8Array): Uint8Array {
  return Buffer.concat([CONTEXT, encodePrelude(prelude), headerJson]);
}

/** The 32 bytes of an Ed25519 key; of a private one, those of the public key that belongs to it. Throws a PackError. */
export function publicKeyBytes(key: KeyObject): Uint8Array {
  if (key.asymmetricKeyType !== "ed25519")
    throw new PackError("PACK-KEYFILE", `expected an Ed25519 key, found ${key.asymmetricKeyType ?? "a secret"}`);
  return Buffer.from(key.export({ format: "jwk" }).x!, "base64url");
}

/** The signature of a pack; undefined when it has none. Throws a PackError when it is not valid. */
export function signatureOf(pack: Pack): Signature | undefined {
  const { prelude, headerJson, label } = pack;
  if (prelude.signatureLength === 0) return undefined;
  const at = prelude.fileLength - SIGNATURE_BYTES;
  const block = new Uint8Array(SIGNATURE_BYTES);
  pack.readAt(at, block);
  const fail = (message: string): never => {
    throw new PackError("PACK-SIGNATURE", message, { file: label, offset: at });
  };
  const view = new DataView(block.buffer);
  if (!MAGIC.every((byte, k) => block[k] === byte)) fail("the signature block does not begin as one");
  if (view.getUint32(F.algorithm.at, true) !== ED25519) fail("the signature's algorithm is unknown");
  if (view.getUint32(F.reserved.at, true) !== 0) fail("reserved bytes are not zero");
  const publicKey = block.slice(F.publicKey.at, F.signature.at);
  let isValid = false;
  try {
    const x = Buffer.from(publicKey).toString("base64url");
    const key = cryptoOf().createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    isValid = cryptoOf().verify(null, messageOf(prelude, headerJson), key, block.subarray(F.signature.at));
  } catch {
    // What is no point of the curve has signed nothing.
  }
  if (!isValid) fail("the signature is not that of this pack");
  return { algorithm: "ed25519", publicKey };
}

/**
 * Signs the pack in the file `path` with an Ed25519 key, in place of a signature that it has; the file is replaced, whole or
 * not at all, or the signed pack goes to `out`. Throws a PackError.
 */
export async function signPack(path: string, privateKey: KeyObject, out: string = path): Promise<Signature> {
  const publicKey = publicKeyBytes(privateKey);
  if (privateKey.type !== "private") throw new PackError("PACK-KEYFILE", "expected a private key, found a public one");
  // What slots there are is for the host to know.
  const pack = openPack(path, { slots: Number.MAX_SAFE_INTEGER });
  try {
    const { prelude: before, headerJson } = pack;
    const end = before.fileLength - before.signatureLength;
    const prelude = { ...before, signatureLength: SIGNATURE_BYTES, fileLength: end + SIGNATURE_BYTES };
    const block = new Uint8Array(SIGNATURE_BYTES);
    block.set(MAGIC);
    new DataView(block.buffer).setUint32(F.algorithm.at, ED25519, true);
    block.set(publicKey, F.publicKey.at);
    block.set(cryptoOf().sign(null, messageOf(prelude, headerJson), privateKey), F.signature.at);
    await replaceFile(out, async (fd) => {
      const output = fileOutput(fd, out);
      await output(encodePrelude(prelude), 0);
      const piece = new Uint8Array(1024 * 1024);
      for (let at = PRELUDE_BYTES; at < end; ) {
        const bytes = piece.subarray(0, Math.min(piece.length, end - at));
        pack.readAt(at, bytes);
        await output(bytes, at);
        at += bytes.length;
      }
      await output(block, end);
    });
    return { algorithm: "ed25519", publicKey };
  } finally {
    pack.close();
  }
}
