/** The memo (spec PEL-MEMO): what was asked for before, and what came of it. */
import { DIGEST_BYTES, digestInto } from "../asl/key.ts";
import { Namespace } from "../asl/namespace.ts";
import type { Store } from "../asl/store.ts";
import type { KeyLike, View } from "../asl/view.ts";
import { type EncodedRef, type EncodedResult, resultFor } from "./claim.ts";
import { PelError } from "./errors.ts";
import type { Tag } from "./program.ts";

/** What the store remembers of a request. Keys are multihashes. */
export interface Memo {
  readonly claim: Uint8Array;
  /** Bytes of the claim. */
  readonly length: number;
  readonly result: EncodedResult;
  /** An output that is not there any more: then it has to be made again. */
  readonly gone: Uint8Array | undefined;
}

const name: Buffer = Buffer.alloc(DIGEST_BYTES);

/** The name that a request is remembered under: SHA-256 of it. Good until the next call. */
export function memoName(request: Uint8Array): Uint8Array {
  digestInto(1, request, name, 0);
  return name;
}

/** Whether a store has an artifact with this tag, or without one. */
export function hasRecord(view: Pick<View, "stat">, key: KeyLike, tag: Tag): boolean {
  return view.stat(key)?.records.some(({ typeTag }) => typeTag === tag) === true;
}

/** Whether there is an artifact, with its type tag if it has one: that without one is found faster if no record is asked for. */
function isThere(store: Pick<Store, "has" | "stat">, { key, tag }: EncodedRef): boolean {
  return tag === undefined ? store.has(key) : hasRecord(store, key, tag);
}

/** What the store remembers of a request; undefined when it is nothing, or nothing that is a claim of this request. Throws AslError. */
export function memoOf(
  store: Pick<Store, "resolveBytes" | "get" | "has" | "stat">,
  request: Uint8Array,
  named: Uint8Array = memoName(request),
): Memo | undefined {
  const claim = store.resolveBytes(Namespace.MEMO, named);
  if (claim === undefined) return undefined;
  const bytes = store.get(claim);
  if (bytes === undefined) return undefined;
  let result: EncodedResult | undefined;
  try {
    result = resultFor(bytes, request);
  } catch (error) {
    if (!(error instanceof PelError)) throw error;
  }
  if (result === undefined) return undefined;
  const gone = result.outputs.find((output) => !isThere(store, output))?.key;
  return { claim, length: bytes.length, result, gone };
}
