/** The memo (spec PEL-MEMO): what was asked for before, and what came of it. */

import type { ArtifactKey } from "../asl/key.ts";
import { digestInto } from "../asl/key.ts";
import { Namespace } from "../asl/namespace.ts";
import type { Store } from "../asl/store.ts";
import { type NodeClaim, resultFor } from "./claim.ts";
import { PelError } from "./errors.ts";

/** What the store remembers of a request. */
export interface Memo {
  readonly claim: ArtifactKey;
  /** Bytes of the claim. */
  readonly length: number;
  readonly result: Pick<NodeClaim, "outputs" | "fuel" | "outcome">;
  /** An output that is not there any more: then it has to be made again. */
  readonly gone: ArtifactKey | undefined;
}

const name: Buffer = Buffer.alloc(32);

/** The name that a request is remembered under: SHA-256 of it. Good until the next call. */
export function memoName(request: Uint8Array): Buffer {
  digestInto(1, request, name, 0);
  return name;
}

/** What the store remembers of a request; undefined when it is nothing, or nothing that is a claim of this request. Throws AslError. */
export function memoOf(store: Pick<Store, "resolve" | "get" | "has">, request: Uint8Array): Memo | undefined {
  const claim = store.resolve(Namespace.MEMO, memoName(request));
  if (claim === undefined) return undefined;
  const bytes = store.get(claim);
  if (bytes === undefined) return undefined;
  let result: Memo["result"] | undefined;
  try {
    result = resultFor(bytes, request);
  } catch (error) {
    if (!(error instanceof PelError)) throw error;
  }
  if (result === undefined) return undefined;
  const gone = result.outputs.find(({ key }) => !store.has(key))?.key;
  return { claim, length: bytes.length, result, gone };
}
