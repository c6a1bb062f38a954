/**
 * The tree hash of a payload (spec PACK-TREE): leaves and nodes are hashed in domains of their own, and the root binds the
 * length and the size of the leaves; so no two payloads, and no payload and a row of nodes, have one root.
 */
import { sha256 } from "./hash.ts";

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);
const ROOT = Uint8Array.of(2);

/** Root of a payload of `length` bytes, from the digests of its leaves, in order. */
export function rootOf(leaves: readonly Uint8Array[], length: number, leafSize: number): Uint8Array {
  let row = leaves;
  while (row.length > 1) {
    const above: Uint8Array[] = [];
    for (let k = 0; k < row.length; k += 2) {
      const left = row[k]!;
      const right = row[k + 1];
      above.push(right === undefined ? left : sha256().update(NODE).update(left).update(right).digest());
    }
    row = above;
  }
  const bound = new Uint8Array(16);
  const view = new DataView(bound.buffer);
  view.setBigUint64(0, BigInt(length), true);
  view.setBigUint64(8, BigInt(leafSize), true);
  return sha256()
    .update(ROOT)
    .update(bound)
    .update(row[0] ?? sha256().update(LEAF).digest())
    .digest();
}

/** The root of bytes that come piece by piece. */
export class TreeHash {
  readonly #leafSize: number;
  readonly #leaves: Uint8Array[] = [];
  #leaf = sha256().update(LEAF);
  #held = 0;
  #length = 0;

  constructor(leafSize: number) {
    this.#leafSize = leafSize;
  }
  update(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(at + this.#leafSize - this.#held, bytes.length);
      this.#leaf.update(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end));
      this.#held += end - at;
      if (this.#held === this.#leafSize) this.#close();
      at = end;
    }
    this.#length += bytes.length;
  }
  digest(): Uint8Array {
    if (this.#held > 0) this.#close();
    return rootOf(this.#leaves, this.#length, this.#leafSize);
  }
  #close(): void {
    this.#leaves.push(this.#leaf.digest());
    this.#leaf = sha256().update(LEAF);
    this.#held = 0;
  }
}
