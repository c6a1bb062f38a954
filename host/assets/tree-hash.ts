/**
 * The tree hash of a payload (spec PACK-TREE): leaves and nodes are hashed in domains of their own, and the root binds the
 * length and the size of the leaves; so no two payloads, and no payload and a row of nodes, have one root.
 */
import { sha256 } from "./hash.ts";

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);
const ROOT = Uint8Array.of(2);

/** Root of a payload of `length` bytes, from the digests of its leaves, in order. */
export function rootOf(leaves: Iterable<Uint8Array>, length: number, leafSize: number): Uint8Array {
  const row = new Row();
  for (const leaf of leaves) row.add(leaf);
  return row.root(length, leafSize);
}

/**
 * The digests of a row of leaves, paired as soon as can be: so a digest is kept for each one in the binary number of leaves, and not for
 * each leaf.
 */
class Row {
  /** Tops of trees that are full, from the left; each has at least twice the leaves of the next. */
  readonly #tops: Uint8Array[] = [];
  #leaves = 0;

  add(leaf: Uint8Array): void {
    let top = leaf;
    for (let leaves = this.#leaves++; leaves % 2 === 1; leaves = (leaves - 1) / 2) top = nodeOf(this.#tops.pop()!, top);
    this.#tops.push(top);
  }
  root(length: number, leafSize: number): Uint8Array {
    // What is left over goes up as it is until it meets what is left of it.
    let top = this.#tops.at(-1) ?? sha256().update(LEAF).digest();
    for (const left of this.#tops.slice(0, -1).reverse()) top = nodeOf(left, top);
    const bound = new Uint8Array(16);
    const view = new DataView(bound.buffer);
    view.setBigUint64(0, BigInt(length), true);
    view.setBigUint64(8, BigInt(leafSize), true);
    return sha256().update(ROOT).update(bound).update(top).digest();
  }
}

function nodeOf(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256().update(NODE).update(left).update(right).digest();
}

/** The root of bytes that come piece by piece. */
export class TreeHash {
  readonly #leafSize: number;
  readonly #row = new Row();
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
    return this.#row.root(this.#length, this.#leafSize);
  }
  #close(): void {
    this.#row.add(this.#leaf.digest());
    this.#leaf = sha256().update(LEAF);
    this.#held = 0;
  }
}
