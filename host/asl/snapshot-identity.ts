/**
 * The identity of a snapshot (spec ASL-SNAP): a digest of what can be seen in it, and of nothing that says how it is stored. Stores that were
 * given the same artifacts in the same order agree on it, whatever their groups, blocks and segments are.
 */
import { sha256 } from "../assets/hash.ts";
import type { ArtifactIndex } from "./artifact-index.ts";
import { setU64 } from "./format.ts";
import { RowFlag, RowKind } from "./index-rows.ts";
import { algorithmOf, DIGEST_BYTES, sameDigest } from "./key.ts";

/** What the digest begins with: 16 bytes. */
const BEGINNING = Buffer.from("ASL-SNAPSHOT-1\0\0", "latin1");

/** Bytes of a record in what is digested. */
const RECORD_BYTES = 56;

const PIECE_RECORDS = 1024;

/** Rows between two looks of somebody else at the event loop. */
const STEP_ROWS = 1 << 16;

/** The identity of what has a position up to `position`. One pass over the index, with memory for a piece. */
export function snapshotIdentity(index: Pick<ArtifactIndex, "scan">, position: number): Uint8Array {
  const steps = identitySteps(index, position);
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** The same in steps, each of which tells how many rows were looked at. */
export function* identitySteps(
  index: Pick<ArtifactIndex, "scan">,
  position: number,
): Generator<number, Uint8Array, undefined> {
  const identity = new Identity();
  let rows = 0;
  for (const { kind, algorithm, digest, flags, tag, logseq } of index.scan(position)) {
    if (++rows % STEP_ROWS === 0) yield rows;
    if (kind === RowKind.PUT) identity.add(algorithm, digest, flags, tag, logseq);
    else if (kind === RowKind.TOMBSTONE) identity.shadow(algorithm, digest);
  }
  return identity.end();
}

/** Takes rows in order of digest, algorithm and position. */
class Identity {
  readonly #hash = sha256().update(BEGINNING);
  #piece: Uint8Array = new Uint8Array(PIECE_RECORDS * RECORD_BYTES);
  #view = new DataView(this.#piece.buffer);
  /** Records of the key that rows are of now begin here, those before it are settled. */
  #first = 0;
  #end = 0;
  /** The key: its digest, and the algorithm. */
  readonly #digest = new Uint8Array(DIGEST_BYTES);
  #algorithm = 0;

  add(algorithm: number, digest: Uint8Array, flags: number, tag: number, logseq: number): void {
    this.#turnTo(algorithm, digest);
    if (this.#end === this.#piece.length) this.#makeRoom();
    const at = this.#end;
    const view = this.#view;
    this.#piece.set(digest, at);
    view.setUint32(at + 32, algorithmOf(algorithm).code, true);
    view.setUint8(at + 36, (flags & RowFlag.HAS_TAG) !== 0 ? 1 : 0);
    view.setUint8(at + 37, (flags & RowFlag.PUBLISHED) !== 0 ? 1 : 0);
    view.setUint16(at + 38, 0);
    view.setUint32(at + 40, tag, true);
    view.setUint32(at + 44, 0);
    setU64(view, at + 48, logseq);
    this.#end += RECORD_BYTES;
  }
  /** Nothing of the key that came before can be seen. */
  shadow(algorithm: number, digest: Uint8Array): void {
    this.#turnTo(algorithm, digest);
    this.#end = this.#first;
  }
  end(): Uint8Array {
    this.#settle();
    return this.#hash.update(this.#piece.subarray(0, this.#end)).digest();
  }

  #turnTo(algorithm: number, digest: Uint8Array): void {
    if (this.#algorithm === algorithm && sameDigest(this.#digest, 0, digest, 0)) return;
    this.#settle();
    this.#algorithm = algorithm;
    this.#digest.set(digest);
  }
  /** Nothing more comes of the key: its records are put in their order. */
  #settle(): void {
    if (this.#end - this.#first > RECORD_BYTES) this.#sort();
    this.#first = this.#end;
  }
  #sort(): void {
    const records: Buffer[] = [];
    for (let at = this.#first; at < this.#end; at += RECORD_BYTES)
      records.push(Buffer.from(this.#piece.subarray(at, at + RECORD_BYTES)));
    const view = (record: Buffer): number[] => [record[36]!, record.readUInt32LE(40), record[37]!];
    records.sort((left, right) => {
      const [a, b] = [view(left), view(right)];
      return a[0]! - b[0]! || a[1]! - b[1]! || a[2]! - b[2]!;
    });
    for (const [k, record] of records.entries()) this.#piece.set(record, this.#first + k * RECORD_BYTES);
  }
  /** What is settled goes to the digest; records of one key stay together, however many tags it has. */
  #makeRoom(): void {
    this.#hash.update(this.#piece.subarray(0, this.#first));
    const kept = this.#piece.subarray(this.#first, this.#end);
    if (2 * kept.length > this.#piece.length) {
      this.#piece = new Uint8Array(2 * this.#piece.length);
      this.#view = new DataView(this.#piece.buffer);
    }
    this.#piece.set(kept);
    this.#end = kept.length;
    this.#first = 0;
  }
}
