/** Signing a pack in a file (spec TOOL-SIGN). */
import { resolve } from "node:path";
import { PackError } from "../host/assets/errors.ts";
import { openPack } from "../host/assets/pack.ts";
import { signPack } from "../host/assets/signature.ts";
import { readPrivateKey } from "./keys.ts";
import { outputFile } from "./output.ts";

export interface SignRequest {
  /** Path of the pack. */
  readonly pack: string;
  /** Path of the private key. */
  readonly key: string;
  /** Path of the signed pack; absent: it takes the place of the other. */
  readonly output?: string | undefined;
  /** Sign what is signed already: the signature that it has is gone. */
  readonly force?: boolean | undefined;
}

export interface SignedPack {
  readonly output: string;
  /** That of before: signatures are no part of it. */
  readonly identity: string;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
}

/** Throws a PackError. */
export async function signAssets({ pack: path, key, output = path, force = false }: SignRequest): Promise<SignedPack> {
  const privateKey = readPrivateKey(key);
  // Hosts that have more slots than usual are not asked here.
  const pack = openPack(path, { slots: Number.MAX_SAFE_INTEGER });
  const { identity, prelude } = pack;
  pack.close();
  if (prelude.signatureLength > 0 && !force)
    throw new PackError("PACK-SIGNATURE", "the pack is signed already, and can have one signature", { file: path });
  // Neither a link nor a device is replaced.
  const { publicKey } = await signPack(path, privateKey, outputFile(resolve(output)));
  return { output, identity, publicKey };
}
