/** The identity of a snapshot, held against a second making of it from the spec alone. */
import { createHash } from "node:crypto";
import t from "tap";
import { Row, RowFlag, RowKind } from "../../../host/asl/index-rows.ts";
import { MemoryVolume } from "../../../host/asl/memory-volume.ts";
import { identitySteps, snapshotIdentity } from "../../../host/asl/snapshot-identity.ts";
import { bytesOf, openSmall } from "./stores.ts";

interface Made {
  readonly kind?: number;
  readonly algorithm?: number;
  readonly digest: number | Uint8Array;
  readonly tag?: number;
  readonly published?: boolean;
  readonly logseq: number;
}

const digestOf = (digest: number | Uint8Array): Uint8Array =>
  typeof digest === "number" ? new Uint8Array(32).fill(digest) : digest;

/** An index whose rows are these, already in its order. */
function indexOf(made: readonly Made[]): { scan(): IterableIterator<Row> } {
  return {
    *scan() {
      const row = new Row();
      for (const { kind = RowKind.PUT, algorithm = 1, digest, tag, published = false, logseq } of made) {
        row.kind = kind;
        row.algorithm = algorithm;
        row.digest.set(digestOf(digest));
        row.flags = (tag === undefined ? 0 : RowFlag.HAS_TAG) | (published ? RowFlag.PUBLISHED : 0);
        row.tag = tag ?? 0;
        row.logseq = logseq;
        yield row;
      }
    },
  };
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

/** As the spec says it, of records that can be seen. */
function second(records: readonly Made[]): string {
  const codes = [0, 0x12, 0x16, 0x1015, 0xb260];
  const encoded = records.map(({ algorithm = 1, digest, tag, published = false, logseq }) => {
    const bytes = Buffer.alloc(56);
    bytes.set(digestOf(digest));
    bytes.writeUInt32LE(codes[algorithm]!, 32);
    bytes[36] = tag === undefined ? 0 : 1;
    bytes[37] = published ? 1 : 0;
    bytes.writeUInt32LE(tag ?? 0, 40);
    bytes.writeBigUInt64LE(BigInt(logseq), 48);
    return bytes;
  });
  return createHash("sha256").update("ASL-SNAPSHOT-1\0\0").update(Buffer.concat(encoded)).digest("hex");
}

t.test("[ASL-SNAP-1] The digest of the sorted records that can be seen", (t) => {
  t.equal(hex(snapshotIdentity(indexOf([]), 9)), second([]));
  const plain: Made = { digest: 1, logseq: 1 };
  const tagged: Made = { digest: 1, tag: 7, logseq: 5 };
  const zero: Made = { digest: 1, tag: 0, logseq: 6 };
  const published: Made = { digest: 1, tag: 7, published: true, logseq: 5 };
  const large: Made = { digest: 2, tag: 0xffff_ffff, logseq: 2 ** 40 };
  const otherAlgorithm: Made = { algorithm: 4, digest: 2, logseq: 3 };
  const rows = [published, tagged, zero, plain, large, otherAlgorithm];
  const made = hex(snapshotIdentity(indexOf(rows), 9));
  t.equal(made, second([plain, zero, tagged, published, large, otherAlgorithm]), "without a tag first, then by tag");
  t.equal(made, "d640fb280aba544ef0356c1852885f54e639c6a173043033a153737252d8103a");
  t.end();
});

t.test("[ASL-SNAP-1] Tombstones and bindings: what they shadow is not in it, nor are they", (t) => {
  const dead = { kind: RowKind.TOMBSTONE, digest: 1, logseq: 2 };
  const again = { digest: 1, tag: 4, logseq: 3 };
  const binding = { kind: RowKind.BINDING, algorithm: 0, digest: 2, logseq: 4 };
  const rows = [{ digest: 1, logseq: 1 }, dead, again, binding, { digest: 3, logseq: 9 }, { ...dead, digest: 3 }];
  t.equal(hex(snapshotIdentity(indexOf(rows), 9)), second([again]));
  t.end();
});

t.test("[ASL-SNAP-1] Every field counts", (t) => {
  const base: Made = { digest: 1, tag: 7, logseq: 5 };
  const { tag: _, ...untagged } = base;
  const all = [
    [],
    [base],
    [{ ...base, digest: 2 }],
    [{ ...base, algorithm: 2 }],
    [{ ...base, tag: 8 }],
    [{ ...base, tag: 0 }],
    [untagged],
    [{ ...base, published: true }],
    [{ ...base, logseq: 6 }],
    [{ ...base, logseq: 5 + 2 ** 32 }],
    [base, { ...base, tag: 9 }],
  ].map((rows) => hex(snapshotIdentity(indexOf(rows), 9)));
  t.equal(new Set(all).size, all.length);
  t.end();
});

t.test("[ASL-SNAP-1] An artifact with thousands of tags, among thousands of others", (t) => {
  const digest = (k: number): Uint8Array => Buffer.from(k.toString(16).padStart(64, "0"), "hex");
  const others = (from: number): Made[] =>
    Array.from({ length: 1500 }, (_, k) => ({ digest: digest(from + k), logseq: k }));
  const tags: Made[] = Array.from({ length: 5000 }, (_, k) => ({ digest: digest(5000), tag: k, logseq: k }));
  const rows = [...others(0), ...tags.toReversed(), ...others(6000)];
  t.equal(hex(snapshotIdentity(indexOf(rows), 9)), second([...others(0), ...tags, ...others(6000)]));
  t.end();
});

t.test("Steps let others run meanwhile", (t) => {
  const rows = Array.from({ length: 200_000 }, (_, k) => ({ kind: RowKind.BINDING, digest: 1, logseq: k }));
  t.same([...identitySteps(indexOf(rows), 9)], [65536, 131072, 196608]);
  t.end();
});

t.test("[ASL-SNAP-1] Stores that were given the same in the same order agree, however they store it", async (t) => {
  const identities: string[] = [];
  for (const limits of [
    {},
    { groupBytes: 100_000, inlineBytes: 0, blockBytes: 300, logBytes: 1000 },
    { inlineBytes: 100_000, tailRows: 0, packedBytes: 50, ownBytes: 60, chunkBytes: 40 },
  ]) {
    const volume = new MemoryVolume();
    let store = openSmall({ volume, limits, seed: identities.length + 1 });
    for (let k = 0; k < 20; k++) await store.put(bytesOf(k), k % 3 === 0 ? { typeTag: k } : {});
    await store.close();
    store = openSmall({ volume, limits });
    await store.putMany([bytesOf(30), bytesOf(31), { bytes: bytesOf(3), typeTag: 9, visibility: "published" }]);
    const [first] = store.list();
    await store.remove(first!.key);
    await store.snapshot("here");
    await store.put(bytesOf(99));
    identities.push(hex(await store.snapshotIdentity("here")));
    if (identities.length === 1) {
      const rows = [...store.at("here").list()].flatMap(({ key, records }) =>
        records.map(({ typeTag, visibility, logseq }) => ({
          digest: Buffer.from(key.slice(7), "hex"),
          published: visibility === "published",
          logseq,
          ...(typeTag !== undefined && { tag: typeTag }),
        })),
      );
      t.equal(identities[0], second(rows));
    }
    await store.snapshot("there");
    t.not(hex(await store.snapshotIdentity("there")), identities[0]);
    await store.close();
  }
  t.same(identities, new Array(3).fill(identities[0]));
});
