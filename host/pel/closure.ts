/** The receipts that are behind a receipt (spec PER-VERIFY-6). */
import type { ArtifactKey, Store } from "../asl/index.ts";
import { type ArtifactRef, type NodeClaim, type RunClaim, TypeTag } from "./claim.ts";
import { PelError } from "./errors.ts";
import { madeOf, Producers } from "./provenance.ts";

/** Most receipts, if nobody says another number. */
export const MOST_RECEIPTS = 1_000_000;

/** The receipts that are behind one another, each once, in the order in which they are found. Close it. */
export class Closure {
  readonly #store: Store;
  /** Made when something is behind. */
  #producers: Producers | undefined;
  readonly #most: number;
  // Digests as latin1, the shortest that a set can hold. A receipt may also be an artifact like any other.
  readonly #receipts = new Set<string>();
  readonly #artifacts = new Set<string>();
  readonly #queue: ArtifactKey[] = [];
  #at = 0;
  #turn = 0;
  found = 0;

  constructor(store: Store, most: number = MOST_RECEIPTS) {
    this.#store = store;
    this.#most = most;
  }
  add(receipt: ArtifactKey): void {
    if (!isNewIn(this.#receipts, receipt)) return;
    if (++this.found > this.#most)
      throw new PelError("PEL-LIMIT", `there are more than ${this.#most} receipts behind it`, { key: receipt });
    this.#queue.push(receipt);
  }
  close(): void {
    this.#producers?.close();
  }
  /** It need not be looked at. */
  skip(receipt: ArtifactKey): void {
    isNewIn(this.#receipts, receipt);
  }
  next(): ArtifactKey | undefined {
    // What is behind is let go of now and then.
    if (this.#at >= 4096 && 2 * this.#at >= this.#queue.length) {
      this.#queue.splice(0, this.#at);
      this.#at = 0;
    }
    return this.#at < this.#queue.length ? this.#queue[this.#at++] : undefined;
  }
  /** The receipts that what it was made of came with. */
  async addBehind(claim: NodeClaim | RunClaim): Promise<void> {
    this.#producers ??= new Producers(this.#store);
    const inputs: readonly ArtifactRef[] =
      claim.kind === "node" ? madeOf(claim) : [...claim.inputs, { key: claim.program, tag: undefined }];
    for (const { key, tag } of inputs) {
      if (tag === TypeTag.CLAIM) this.add(key);
      else if (isNewIn(this.#artifacts, key)) {
        const origin = this.#producers.origin(key);
        if (origin !== undefined) this.add(origin.key);
        if (++this.#turn % 256 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }
}

/** Adds a key; false if it was there. */
function isNewIn(set: Set<string>, key: ArtifactKey): boolean {
  const { size } = set;
  return set.add(Buffer.from(key.slice(key.indexOf(":") + 1), "hex").toString("latin1")).size > size;
}
