/** Envelopes for signed statements: DSSE 1.0 (github.com/secure-systems-lab/dsse), with Ed25519 (spec PER-ATTEST). */
import type { KeyObject } from "node:crypto";
import { encodeUtf8 } from "../../vm/utf8.ts";
import { cryptoOf } from "../assets/hash.ts";
import { canonicalJson, type Json } from "../assets/json.ts";
import { expecting, jsonTextOf, parseJson } from "../assets/json-text.ts";
import { publicKeyBytes } from "../assets/signature.ts";
import { PelError } from "./errors.ts";

/** Most bytes of a payload, before it is base64: enough for a run with as many inputs and outputs as there can be. */
export const MOST_PAYLOAD_BYTES: number = 128 * 1024 * 1024;
/** Most bytes of an envelope. */
export const MOST_ENVELOPE_BYTES: number = 192 * 1024 * 1024;
/** Most signatures of an envelope: each is held against each key, over all of the payload. */
const MOST_SIGNATURES = 64;
const SIGNATURE_BYTES = 64;

export interface Envelope {
  readonly payloadType: string;
  readonly payload: Uint8Array;
  readonly signatures: readonly EnvelopeSignature[];
}

export interface EnvelopeSignature {
  /** What the signer calls the key; "" where it says nothing. Nobody vouches for it. */
  readonly keyId: string;
  readonly signature: Uint8Array;
}

/** What is signed: DSSE's pre-authentication encoding of type and payload. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = encodeUtf8(payloadType);
  return Buffer.concat([Buffer.from(`DSSEv1 ${type.length} `), type, Buffer.from(` ${payload.length} `), payload]);
}

/** What signatures call an Ed25519 key of 32 bytes: its fingerprint as `ssh-keygen -l` prints it, `SHA256:…`. */
export function keyIdOf(publicKey: Uint8Array): string {
  const name = Buffer.from("ssh-ed25519");
  const sized = (bytes: Uint8Array): Uint8Array[] => [Uint8Array.of(0, 0, 0, bytes.length), bytes];
  const digest = cryptoOf().hash("sha256", Buffer.concat([...sized(name), ...sized(publicKey)]), "base64");
  return `SHA256:${digest.replace(/=+$/, "")}`;
}

/** The envelope in JSON, signed by each of these Ed25519 private keys: the same bytes whenever it is made. Throws a PelError or a PackError. */
export function signEnvelope(payloadType: string, payload: Uint8Array, privateKeys: readonly KeyObject[]): string {
  if (payload.length > MOST_PAYLOAD_BYTES)
    throw new PelError("PEL-LIMIT", `the payload has ${payload.length} bytes, and ${MOST_PAYLOAD_BYTES} are possible`);
  const message = preAuthEncoding(payloadType, payload);
  const signatures = privateKeys.map((key) => ({
    keyid: keyIdOf(publicKeyBytes(key)),
    sig: cryptoOf().sign(null, message, key).toString("base64"),
  }));
  return canonicalJson({ payload: Buffer.from(payload).toString("base64"), payloadType, signatures });
}

/** The envelope that the bytes are, whoever signed it. Throws PEL-ENVELOPE or PEL-LIMIT. */
export function parseEnvelope(bytes: Uint8Array): Envelope {
  if (bytes.length > MOST_ENVELOPE_BYTES)
    throw new PelError("PEL-LIMIT", `the envelope has over ${MOST_ENVELOPE_BYTES} bytes`);
  const text = jsonTextOf(bytes);
  if (text === undefined) throw problem("the envelope is not UTF-8");
  const { payload, payloadType, signatures } = expect.object(parseJson(text, problem), "");
  const list = expect.array(signatures, "/signatures");
  if (list.length > MOST_SIGNATURES)
    throw new PelError("PEL-LIMIT", `${list.length} signatures, and ${MOST_SIGNATURES} are possible`, {
      pointer: "/signatures",
    });
  return {
    payloadType: expect.text(payloadType, "/payloadType"),
    payload: base64At(payload, "/payload"),
    signatures: list.map((value, index) => {
      const pointer = `/signatures/${index}`;
      const { sig, keyid } = expect.object(value, pointer);
      // Unset and empty are one; null is what writers in other languages have.
      return { keyId: expect.text(keyid ?? "", `${pointer}/keyid`), signature: base64At(sig, `${pointer}/sig`) };
    }),
  };
}

/** Each of these Ed25519 public keys of 32 bytes has signed the envelope, and its payload is of this type. Throws PEL-SIGNATURE or PEL-ENVELOPE. */
export function checkEnvelope(envelope: Envelope, publicKeys: readonly Uint8Array[], payloadType: string): void {
  const { payload, signatures } = envelope;
  if (publicKeys.length === 0)
    throw new PelError("PEL-ARGUMENT", "a public key to hold the envelope against was expected");
  if (signatures.length === 0) throw new PelError("PEL-SIGNATURE", "the envelope is not signed");
  const message = preAuthEncoding(envelope.payloadType, payload);
  for (const publicKey of publicKeys) {
    if (signatures.some(({ signature }) => isSigned(message, signature, publicKey))) continue;
    const names = signatures.map(({ keyId }) =>
      keyId === "" ? "an unnamed key" : JSON.stringify(keyId.slice(0, 100)),
    );
    throw new PelError(
      "PEL-SIGNATURE",
      `there is no valid signature by ${keyIdOf(publicKey)}; the envelope names ${names.slice(0, 5).join(", ")}`,
    );
  }
  if (envelope.payloadType !== payloadType)
    throw problem(
      `the payload is ${JSON.stringify(envelope.payloadType.slice(0, 100))}, not ${payloadType}`,
      "/payloadType",
    );
}

function isSigned(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES) return false;
  try {
    const x = Buffer.from(publicKey).toString("base64url");
    const key = cryptoOf().createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    return cryptoOf().verify(null, message, key, signature);
  } catch {
    // What is no point of the curve has signed nothing.
    return false;
  }
}

function problem(message: string, pointer?: string): PelError {
  return new PelError("PEL-ENVELOPE", message, { pointer });
}

const expect = expecting(problem);

/** RFC 4648, in either alphabet: there is one text for bytes in each. */
function base64At(value: Json | undefined, pointer: string): Uint8Array {
  const text = expect.text(value, pointer);
  const isUrlSafe = /[-_]/.test(text);
  const bytes = Buffer.from(text, "base64");
  const again = bytes.toString("base64");
  if (text === (isUrlSafe ? again.replaceAll("+", "-").replaceAll("/", "_") : again)) return bytes;
  throw problem("this is not base64 with its padding", pointer);
}
