/** Everything in packs that can be checked (spec TOOL-VERIFY). */
import { PackError, Problems } from "../host/assets/errors.ts";
import { hex } from "../host/assets/hash.ts";
import type { AssetSet, Pack } from "../host/assets/pack.ts";
import { signatureOf } from "../host/assets/signature.ts";

export interface VerifyOptions {
  /** The 32 bytes of the Ed25519 key that must have signed every pack. */
  readonly publicKey?: Uint8Array | undefined;
  /** What the identity must be. */
  readonly identity?: string | undefined;
  /** Hears of the bytes of payload that are done, in all packs, and of how many there are. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface VerifiedPack {
  readonly file: string | null;
  readonly identity: string;
  readonly assets: number;
  readonly bytes: number;
  /** By whom it is signed, validly: the public key in hexadecimal. Whose that is, nothing here tells. */
  readonly signedBy: string | null;
}

export interface Verification {
  readonly identity: string;
  /** Of all packs together. */
  readonly assets: number;
  /** From the lowest to the topmost. */
  readonly packs: readonly VerifiedPack[];
}

/** Reads every byte. Throws a PackError with all that is wrong. */
export function verifyPacks(set: AssetSet, options: VerifyOptions = {}): Verification {
  const { publicKey, identity, onProgress = () => {} } = options;
  const problems = new Problems();
  const total = set.packs.reduce((sum, { prelude }) => sum + prelude.payloadLength, 0);
  let before = 0;
  const packs = set.packs.map((pack): VerifiedPack => {
    const signedBy = problems.gather(() => signerOf(pack, publicKey)) ?? null;
    problems.gather(() => pack.verify((done) => onProgress(before + done, total)));
    before += pack.prelude.payloadLength;
    const { label = null, length, prelude } = pack;
    return { file: label, identity: pack.identity, assets: length, bytes: prelude.fileLength, signedBy };
  });
  if (identity !== undefined && identity !== set.identity) {
    const message = `the identity is ${set.identity}, not ${identity}`;
    problems.add("PACK-IDENTITY", message, { file: set.packs.at(-1)?.label });
  }
  problems.check();
  return { identity: set.identity, assets: set.length, packs };
}

/** The key that signed the pack, in hexadecimal. Throws a PackError when that is not the one that is asked for. */
function signerOf(pack: Pack, wanted: Uint8Array | undefined): string | undefined {
  const signature = signatureOf(pack);
  const signer = signature && hex(signature.publicKey);
  if (wanted === undefined || signer === hex(wanted)) return signer;
  const message =
    signer === undefined
      ? "the pack is not signed"
      : `the pack is signed by ${signer}, not by the key that is asked for, ${hex(wanted)}`;
  throw new PackError("PACK-SIGNATURE", message, { file: pack.label });
}
