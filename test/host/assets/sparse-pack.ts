/** Packs of any length that take no room on the disk: all zeros but for the first bytes of each asset. */
import { createHash } from "node:crypto";
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { partsOf, seal } from "./pack-parts.ts";

const LEAF_SIZE = 262_144;

/** The first bytes of asset `id`. */
export function headOf(id: number): Uint8Array {
  return Buffer.from(`asset ${id}`);
}

/** Hashes `length` bytes that begin with `head`. */
function hashLong(head: Uint8Array, length: number): string {
  const hash = createHash("sha256").update(head);
  const zeros = new Uint8Array(16 * LEAF_SIZE);
  for (let left = length - head.length; left > 0; left -= zeros.length) hash.update(zeros.subarray(0, left));
  return hash.digest("hex");
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function rootOf(sizes: readonly number[], total: number): Buffer {
  const leaf = (head: Uint8Array): Buffer => sha256(Uint8Array.of(0), head, new Uint8Array(LEAF_SIZE - head.length));
  const empty = leaf(new Uint8Array(0));
  let level = sizes.flatMap((size, index) => [
    leaf(headOf(index + 1)),
    ...new Array<Buffer>(size / LEAF_SIZE - 1).fill(empty),
  ]);
  while (level.length > 1) {
    level = Array.from({ length: Math.ceil(level.length / 2) }, (_, k) => {
      const right = level[2 * k + 1];
      return right === undefined ? level[2 * k]! : sha256(Uint8Array.of(1), level[2 * k]!, right);
    });
  }
  const lengths = Buffer.alloc(16);
  lengths.writeBigUInt64LE(BigInt(total), 0);
  lengths.writeBigUInt64LE(BigInt(LEAF_SIZE), 8);
  return sha256(Uint8Array.of(2), lengths, level[0]!);
}

/**
 * Writes a pack of raw assets 1, 2, … of these sizes, which are multiples of 256 KiB. Without `digests`, which take a second for
 * 2 GB, those of the assets are wrong; the root is right.
 */
export function writeSparsePack(path: string, sizes: readonly number[], { digests = true } = {}): void {
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const parts = partsOf([]);
  let offset = 0;
  for (const [index, size] of sizes.entries()) {
    const id = index + 1;
    const digest = digests ? hashLong(headOf(id), size) : id.toString(16).padStart(64, "0");
    parts.header.asset_table.push({
      asset_id: id,
      asset_name: `asset${id}`,
      bank_type: "data",
      codec: "raw",
      decoded_size: size,
      digest,
      metadata: {},
      offset,
      size,
    });
    offset += size;
  }
  let payloadOffset = 0;
  const start = seal(parts, {
    prelude: (view, bytes) => {
      payloadOffset = Number(view.getBigUint64(24, true));
      view.setBigUint64(32, BigInt(total), true);
      view.setBigUint64(40, BigInt(payloadOffset + total), true);
      bytes.set(rootOf(sizes, total), 80);
    },
  });
  const fd = openSync(path, "w");
  writeSync(fd, start);
  ftruncateSync(fd, payloadOffset + total);
  for (const { asset_id, offset } of parts.header.asset_table)
    writeSync(fd, headOf(asset_id), 0, null, payloadOffset + offset);
  closeSync(fd);
}
