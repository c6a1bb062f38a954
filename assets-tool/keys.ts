/** Keys that sign packs, in files (spec TOOL-KEY). */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { closeSync, constants, fchmodSync, fstatSync, fsyncSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { PackError } from "../host/assets/errors.ts";
import { publicKeyBytes } from "../host/assets/signature.ts";

/** A key in PEM is shorter. */
const MOST_KEY_BYTES = 16_384;

export interface KeyPair {
  /** Path of the private key: PKCS #8 in PEM, for its owner alone. */
  readonly privateKeyFile: string;
  /** Path of the public key: SubjectPublicKeyInfo in PEM. */
  readonly publicKeyFile: string;
  /** The 32 bytes of the public key. */
  readonly publicKey: Uint8Array;
}

/** Writes a new Ed25519 pair to `path` and `path` with `.pub` behind; a file that is there stays, and is an error. Throws a PackError. */
export function generateKeys(path: string): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const publicPath = `${path}.pub`;
  writeNew(path, privateKey.export({ format: "pem", type: "pkcs8" }).toString(), 0o600);
  try {
    writeNew(publicPath, publicKey.export({ format: "pem", type: "spki" }).toString(), 0o644);
  } catch (error) {
    // A private key without the public one would be taken for a pair.
    rmSync(path, { force: true });
    throw error;
  }
  return { privateKeyFile: path, publicKeyFile: publicPath, publicKey: publicKeyBytes(publicKey) };
}

function writeNew(path: string, text: string, mode: number): void {
  let fd: number;
  try {
    // Not through a link either: "wx" says so.
    fd = openSync(path, "wx", mode);
  } catch (error) {
    throw PackError.from(error, "PACK-KEYFILE", "the key cannot be written", { file: path });
  }
  try {
    if (process.platform !== "win32") fchmodSync(fd, mode);
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    fsyncSync(fd);
  } catch (error) {
    rmSync(path, { force: true });
    throw PackError.from(error, "PACK-KEYFILE", "the key cannot be written", { file: path });
  } finally {
    closeSync(fd);
  }
}

/** An Ed25519 private key in PEM. Throws a PackError, without anything of the file in it. */
export function readPrivateKey(path: string): KeyObject {
  const text = readKeyFile(path);
  const problem = (message: string): PackError => new PackError("PACK-KEYFILE", message, { file: path });
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----/.test(text))
    throw problem("the key is encrypted; `openssl pkey -in KEY -out PLAIN` decrypts it");
  if (/-----BEGIN PUBLIC KEY-----/.test(text)) throw problem("this is a public key, and a private one signs");
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: text, format: "pem" });
  } catch {
    throw problem("this is no private key in PEM");
  }
  if (key.asymmetricKeyType !== "ed25519") throw problem(`expected an Ed25519 key, found ${key.asymmetricKeyType}`);
  return key;
}

/** The 32 bytes of an Ed25519 public key: of a file in PEM, where the private key will do, or 64 hexadecimal digits. Throws a PackError. */
export function readPublicKey(pathOrHex: string): Uint8Array {
  if (/^[0-9a-f]{64}$/i.test(pathOrHex)) return Buffer.from(pathOrHex, "hex");
  let key: KeyObject;
  try {
    key = createPublicKey({ key: readKeyFile(pathOrHex), format: "pem" });
  } catch (error) {
    if (error instanceof PackError) throw error;
    throw new PackError("PACK-KEYFILE", "this is no public key in PEM", { file: pathOrHex });
  }
  if (key.asymmetricKeyType === "ed25519") return publicKeyBytes(key);
  throw new PackError("PACK-KEYFILE", `expected an Ed25519 key, found ${key.asymmetricKeyType}`, { file: pathOrHex });
}

function readKeyFile(path: string): string {
  let fd: number;
  try {
    // A pipe without a writer would be waited for.
    fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    throw PackError.from(error, "PACK-KEYFILE", "the key cannot be read", { file: path });
  }
  try {
    if (!fstatSync(fd).isFile()) throw new PackError("PACK-KEYFILE", "this is no regular file", { file: path });
    const bytes = new Uint8Array(MOST_KEY_BYTES + 1);
    let length = 0;
    for (let got = -1; got !== 0 && length < bytes.length; length += got)
      got = readSync(fd, bytes, length, bytes.length - length, null);
    if (length > MOST_KEY_BYTES)
      throw new PackError("PACK-KEYFILE", `a key has at most ${MOST_KEY_BYTES} bytes`, { file: path });
    return Buffer.from(bytes.subarray(0, length)).toString("latin1");
  } catch (error) {
    throw PackError.from(error, "PACK-KEYFILE", "the key cannot be read", { file: path });
  } finally {
    closeSync(fd);
  }
}
