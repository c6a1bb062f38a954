/** Small packs that would keep a reader busy for hours if it did something again for each byte, or for each asset. */
import { deflateRawSync } from "node:zlib";
import t from "tap";
import { type Codec, openPack } from "../../../host/assets/index.ts";
import { TreeHash } from "../../../host/assets/tree-hash.ts";
import { noise, partsOf, seal } from "./pack-parts.ts";
import { treeHash } from "./second-reader.ts";

t.test("A long key costs as much as it is long, whatever stands below it [PACK-ERROR-1]", (t) => {
  const parts = partsOf([{ id: 1, bytes: Uint8Array.of(1) }]);
  const key = "k".repeat(4_000_000);
  for (const value of [new Array<number>(1_000_000).fill(0), Object.fromEntries(lettersUpTo(300_000))]) {
    parts.header.metadata = { [key]: value };
    t.throws(() => openPack(seal(parts)), { code: "PACK-LIMIT" });
  }
  t.end();
});

function lettersUpTo(count: number): readonly (readonly [string, number])[] {
  return Array.from({ length: count }, (_, k) => [`k${k}`, 0]);
}

t.test("verify decodes once what assets share, and tells of each that does not decode [PACK-VERIFY-2]", (t) => {
  const bytes = new Uint8Array(100_000);
  let count = 0;
  const deflate = (decode: Codec["decode"]): Codec => ({
    name: "deflate",
    decode: (...how) => {
      count++;
      return decode(...how);
    },
  });
  const stored = deflateRawSync(bytes);
  const pack = seal(partsOf(Array.from({ length: 1_024 }, (_, k) => ({ id: k, codec: "deflate", bytes, stored }))));
  openPack(pack, { codecs: [deflate(() => bytes)] }).verify();
  t.equal(count, 1);
  const bad = deflate(() => {
    throw new Error("no");
  });
  t.throws(() => openPack(pack, { codecs: [bad] }).verify(), { code: "PACK-DECODE", total: 1_024 });
  t.equal(count, 2);
  t.end();
});

t.test("Roots of any number of leaves, of which few digests are kept [PACK-TREE-1, PACK-TREE-2]", (t) => {
  const bytes = noise(66 * 4_096);
  for (let length = 0; length <= bytes.length; length += 2_048) {
    const payload = bytes.subarray(0, length);
    const tree = new TreeHash(4_096);
    for (let at = 0; at < length; at += 3_000) tree.update(payload.subarray(at, at + 3_000));
    t.same(Buffer.from(tree.digest()), Buffer.from(treeHash(payload, 4_096)), `${length} bytes`);
  }
  t.end();
});
