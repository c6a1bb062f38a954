import { createHash } from "node:crypto";
import t from "tap";
import { ASL_CODES, AslError } from "../../../host/asl/errors.ts";
import { ALGORITHMS, digestInto, keyBytes } from "../../../host/asl/key.ts";
import { MemoryVolume } from "../../../host/asl/memory-volume.ts";
import type { Store } from "../../../host/asl/store.ts";
import type { Volume } from "../../../host/asl/volume.ts";
import { bytesOf, contentsOf, openSmall, randomFrom } from "./stores.ts";

const text = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString();
const HELLO = Buffer.from("hello");
const HELLO_KEY = `sha256:${createHash("sha256").update(HELLO).digest("hex")}`;
const NAME = new Uint8Array(32).fill(7);

async function code(act: () => unknown): Promise<string | undefined> {
  try {
    await act();
    return undefined;
  } catch (error) {
    if (!(error instanceof AslError)) throw error;
    return error.code;
  }
}

t.test("[ASL-KEY-1] a key is the digest of the bytes, as text or as a multihash", async (t) => {
  const store = openSmall();
  const key = await store.put(HELLO);
  t.equal(key, HELLO_KEY);
  const bytes = keyBytes(key);
  t.strictSame([...bytes.subarray(0, 2)], [0x12, 0x20]);
  t.equal(text(store.get(bytes)), "hello");
  t.equal(text(store.get(key)), "hello");
  const wrong = [
    "",
    "hello",
    "sha256:",
    key.toUpperCase(),
    key.slice(0, -1),
    `${key}0`,
    `sha512:${key.slice(7)}`,
    `sha256:${"g".repeat(64)}`,
    ` ${key}`,
  ];
  for (const bad of [...wrong, bytes.subarray(1), bytes.subarray(0, 33), new Uint8Array(34), new Uint8Array(0)])
    t.equal(await code(() => store.get(bad)), "ASL-KEY", String(bad));
});

t.test("[ASL-KEY-2] stores of every algorithm", async (t) => {
  const HOSTS = ["sha256", "sha3-256", "sha512-256", "blake2s256"];
  const CODES = [[0x12], [0x16], [0x95, 0x20], [0xe0, 0xe4, 0x02]];
  t.equal(ALGORITHMS.length, 4);
  for (const [k, { name }] of ALGORITHMS.entries()) {
    const volume = new MemoryVolume();
    const store = openSmall({ volume, options: { create: true, algorithm: name } });
    const digest = createHash(HOSTS[k]!).update(HELLO).digest("hex");
    const key = await store.put(HELLO);
    t.equal(key, `${name}:${digest}`);
    t.equal(Buffer.from(keyBytes(key)).toString("hex"), Buffer.from([...CODES[k]!, 32]).toString("hex") + digest);
    t.equal(text(store.get(keyBytes(key))), "hello");
    const large = bytesOf(1, 6000);
    t.strictSame(Buffer.from(store.get(await store.put(large))!), Buffer.from(large));
    await store.close();
    t.equal(text(openSmall({ volume }).get(key)), "hello");
  }
  t.equal(await code(() => openSmall({ options: { create: true, algorithm: "md5" } })), "ASL-ARGUMENT");
});

t.test("[ASL-KEY-3] artifacts whose digests agree in their first 64 bits are both found", async (t) => {
  const store = openSmall({
    digest: (algorithm, bytes, into, at) => {
      digestInto(algorithm, bytes, into, at);
      into.fill(0xab, at, at + 8);
    },
  });
  const keys = await store.putMany(Array.from({ length: 300 }, (_, k) => bytesOf(k)));
  for (const [k, key] of [...keys].entries()) t.strictSame(Buffer.from(store.get(key)!), Buffer.from(bytesOf(k)));
  t.equal(new Set(keys).size, 300);
  const absent = `${keys.at(0)!.slice(0, -1)}${keys.at(0)!.endsWith("0") ? "1" : "0"}`;
  t.equal(store.has(absent), false);
  await store.remove(keys.at(5)!);
  t.equal([...store.list()].length, 299);
});

t.test(
  "[ASL-CORE-RECORD-1, ASL-CORE-RECORD-2] records of one artifact share its bytes, and are told in order",
  async (t) => {
    const store = openSmall();
    const key = await store.put(HELLO, { typeTag: 9 });
    await store.put(HELLO, { typeTag: 9 });
    await store.put(HELLO, { typeTag: 0 });
    await store.put(HELLO);
    const before = store.stat(key)!.location;
    await store.put(HELLO, { typeTag: 2 ** 32 - 1 });
    const stat = store.stat(key)!;
    t.equal(stat.length, 5);
    t.strictSame(
      stat.records.map(({ typeTag }) => typeTag),
      [undefined, 0, 9, 2 ** 32 - 1],
    );
    t.strictSame(stat.location, before);
    await store.put(HELLO, { visibility: "published", typeTag: 9 });
    t.strictSame(
      store.stat(key)!.records.map(({ typeTag, visibility }) => `${typeTag} ${visibility}`),
      ["undefined internal", "0 internal", "9 internal", "9 published", "4294967295 internal"],
    );
    t.equal(store.position, 5);
    for (const typeTag of [-1, 1.5, 2 ** 32, Number.NaN])
      t.equal(await code(() => store.put(HELLO, { typeTag })), "ASL-ARGUMENT");
    t.equal(await code(() => store.put("hello" as unknown as Uint8Array)), "ASL-ARGUMENT");
  },
);

t.test("within one group the same holds", async (t) => {
  const store = openSmall();
  const done = [store.put(HELLO), store.put(HELLO), store.put(HELLO, { typeTag: 1 }), store.put(HELLO, { typeTag: 1 })];
  t.equal(store.has(HELLO_KEY), false, "it is not there before it is on disk");
  await Promise.all(done);
  t.equal(store.position, 2);
  t.equal(store.stat(HELLO_KEY)!.records.length, 2);
  const again = [store.remove(HELLO_KEY), store.put(HELLO, { typeTag: 3 })];
  await Promise.all(again);
  t.strictSame(
    store.stat(HELLO_KEY)!.records.map(({ typeTag }) => typeTag),
    [3],
  );
});

t.test("[ASL-CORE-REMOVE-1] a tombstone shadows what is before it", async (t) => {
  const store = openSmall();
  const key = await store.put(HELLO, { typeTag: 1 });
  await store.put(HELLO);
  t.equal(await store.remove(key), true);
  t.equal(store.has(key), false);
  t.equal(store.get(key), undefined);
  t.equal(store.stat(key), undefined);
  t.strictSame([...store.list()], []);
  const { position } = store;
  t.equal(await store.remove(key), false);
  t.equal(store.position, position);
  await store.put(HELLO, { typeTag: 2 });
  t.strictSame(
    store.stat(key)!.records.map(({ typeTag }) => typeTag),
    [2],
  );
});

t.test("[ASL-CORE-POSITION-1, ASL-CORE-LOGSEQ-1, ASL-CORE-LOG-1] positions, logseqs and the log", async (t) => {
  const store = openSmall();
  const key = await store.put(HELLO, { typeTag: 4 });
  await store.bind(1, NAME, key);
  await store.snapshot("s");
  await store.remove(key);
  await store.put(HELLO, { visibility: "published" });
  const seen = Array.from(store.log(), ({ position, logseq, kind, visibility, index }) => [
    position,
    logseq,
    kind,
    visibility,
    index,
  ]);
  t.strictSame(seen, [
    [1n, 1n, "put", "internal", 0],
    [2n, 2n, "binding", "internal", 0],
    [3n, undefined, "snapshot", "internal", 0],
    [4n, 3n, "tombstone", "internal", 0],
    [5n, 4n, "put", "published", 0],
  ]);
  t.strictSame(
    Array.from(store.log({ from: 4n }), ({ kind }) => kind),
    ["tombstone", "put"],
  );
  const [first] = store.log();
  t.equal(first!.payload.kind === "put" && Buffer.from(first!.payload.digest).toString("hex"), HELLO_KEY.slice(7));
  t.equal(first!.payload.kind === "put" && first!.payload.typeTag, 4);
  t.equal(new Set(Array.from(store.log(), ({ hash }) => Buffer.from(hash).toString("hex"))).size, 5);
  const batch = store.batch();
  const low = batch.put(bytesOf(1), { logseq: 2 });
  batch.commit();
  t.equal(store.stat(low)!.records[0]!.logseq, 2, "an execution says what its output's is");
  const next = await store.put(bytesOf(2));
  t.equal(store.stat(next)!.records[0]!.logseq, 5);
});

t.test("[ASL-CORE-PUT-1] artifacts of all lengths, in all ways", async (t) => {
  const volume = new MemoryVolume();
  const store = openSmall({ volume });
  const lengths = [0, 1, 7, 8, 9, 511, 512, 513, 1023, 1024, 1025, 2048, 4095, 4096, 4097, 9000, 70_000, 200_000];
  const keys: string[] = [];
  for (const [k, length] of lengths.entries()) {
    const bytes = length < 4 ? new Uint8Array(length) : bytesOf(k, length);
    const key = await store.put(bytes);
    t.equal(key, `sha256:${createHash("sha256").update(bytes).digest("hex")}`);
    t.strictSame(Buffer.from(store.get(key)!), Buffer.from(bytes), `${length} bytes`);
    keys.push(key);
  }
  const many = await store.putMany(
    lengths.map((length, k) => (length < 4 ? new Uint8Array(length) : bytesOf(k, length))),
  );
  t.strictSame([...many], keys, "in order, and nothing is put twice");
  t.equal(many.at(-1), keys.at(-1));
  t.equal(many.at(99), undefined);
  t.equal(store.position, lengths.length);
  for (const [k, length] of lengths.entries()) {
    const bytes = length < 4 ? new Uint8Array(length) : bytesOf(k + 100, length);
    const pieces = function* (): Iterable<Uint8Array> {
      const piece = new Uint8Array(700);
      for (let at = 0; at < bytes.length; at += 700) {
        piece.set(bytes.subarray(at, at + 700));
        // The same memory again: what was given may change.
        yield piece.subarray(0, Math.min(700, bytes.length - at));
      }
    };
    const key = await store.writeStream(pieces());
    t.equal(key, `sha256:${createHash("sha256").update(bytes).digest("hex")}`);
    t.strictSame(Buffer.from(store.get(key)!), Buffer.from(bytes), `${length} bytes of a stream`);
  }
  const failing = async function* (): AsyncIterable<Uint8Array> {
    yield bytesOf(1, 9000);
    throw new Error("no more");
  };
  const blocks = volume.list("blocks").length;
  await t.rejects(store.writeStream(failing()), { message: "no more" });
  t.equal(volume.list("blocks").length, blocks, "nothing is left of it");
  const contents = contentsOf(store);
  await store.close();
  t.strictSame(contentsOf(openSmall({ volume })), contents);
});

t.test("[ASL-CORE-READ-1] reading", async (t) => {
  const store = openSmall();
  const bytes = bytesOf(3, 3000);
  const key = await store.put(bytes);
  const slice = (from: number, to: number): Buffer => Buffer.from(bytes.subarray(from, to));
  t.strictSame(Buffer.from(store.read(key, 10, 20)!), slice(10, 30));
  t.strictSame(Buffer.from(store.read(key, 2990, 20)!), slice(2990, 3000));
  t.equal(store.read(key, 3000, 5)!.length, 0);
  t.equal(store.read(key, 2 ** 40, 5)!.length, 0);
  t.strictSame(Buffer.from(store.get(key, { verify: false })!), slice(0, 3000));
  const into = new Uint8Array(50).fill(1);
  t.equal(store.readInto(key, into, 5, 2995, 40), 5);
  t.strictSame(Buffer.from(into), Buffer.concat([Buffer.alloc(5, 1), slice(2995, 3000), Buffer.alloc(40, 1)]));
  const pieces: Uint8Array[] = [];
  for await (const piece of store.stream(key)!) pieces.push(piece.slice());
  t.strictSame(Buffer.concat(pieces), slice(0, 3000));
  const absent = `sha256:${"0".repeat(64)}`;
  t.strictSame(
    [
      store.has(absent),
      store.get(absent),
      store.read(absent, 0, 1),
      store.readInto(absent, into),
      store.stat(absent),
      store.stream(absent),
    ],
    [false, undefined, undefined, -1, undefined, undefined],
  );
  for (const [offset, length] of [
    [-1, 1],
    [0, -1],
    [0.5, 1],
    [0, Number.NaN],
    [2 ** 53, 1],
  ] as const)
    t.equal(await code(() => store.read(key, offset, length)), "ASL-ARGUMENT");
  t.equal(await code(() => store.readInto(key, into, 40, 0, 20)), "ASL-ARGUMENT");
});

t.test("[ASL-CORE-LIST-1] listing", async (t) => {
  const store = openSmall();
  const keys = [...(await store.putMany(Array.from({ length: 200 }, (_, k) => bytesOf(k))))].sort();
  t.strictSame(
    Array.from(store.list(), ({ key }) => key),
    keys,
  );
  const prefix = keys[50]!.slice(7, 9);
  t.strictSame(
    Array.from(store.list({ prefix }), ({ key }) => key),
    keys.filter((key) => key.startsWith(`sha256:${prefix}`)),
  );
  t.strictSame(
    Array.from(store.list({ after: keys[150]! }), ({ key }) => key),
    keys.slice(151),
  );
  const listing = store.list();
  const first = listing.next().value!.key;
  await store.remove(keys[100]!);
  await store.putMany([bytesOf(1000)]);
  t.strictSame([first, ...Array.from(listing, ({ key }) => key)], keys);
  t.equal([...store.list()].length, 200);
  t.equal(await code(() => [...store.list({ prefix: "xyz" })]), "ASL-ARGUMENT");
});

t.test("[ASL-CORE-BATCH-1] a batch is committed whole or not at all", async (t) => {
  const volume = new MemoryVolume();
  const store = openSmall({ volume });
  const old = await store.put(bytesOf(1));
  const batch = store.batch();
  t.equal(batch.put(bytesOf(1)), old);
  const small = batch.put(bytesOf(2), { typeTag: 5 });
  const again = batch.put(bytesOf(2), { typeTag: 6 });
  const large = batch.put(bytesOf(3, 9000));
  const spilled = Array.from({ length: 40 }, (_, k) => batch.put(bytesOf(10 + k)));
  const writer = batch.writer({ typeTag: 8 });
  for (const piece of [bytesOf(4, 700), bytesOf(5, 700)]) writer.write(piece);
  const streamed = writer.finish();
  t.equal(streamed.length, 1400);
  t.equal(streamed.isNew, true);
  const gone = batch.writer();
  gone.write(bytesOf(6, 5000));
  gone.discard();
  t.equal(small, again);
  for (const [key, bytes] of [
    [small, bytesOf(2)],
    [large, bytesOf(3, 9000)],
    [spilled[3]!, bytesOf(13)],
    [old, bytesOf(1)],
  ] as const) {
    t.strictSame(Buffer.from(batch.get(key)!), Buffer.from(bytes));
    t.equal(store.has(key), key === old);
  }
  t.strictSame(Buffer.from(batch.read(large, 8990, 100)!), Buffer.from(bytesOf(3, 9000).subarray(8990)));
  t.strictSame(
    batch.stat(small)!.records.map(({ typeTag }) => typeTag),
    [5, 6],
  );
  t.equal(batch.stat(streamed.key)!.length, 1400);
  batch.bind(1, NAME, streamed.key);
  t.equal(batch.remove(old), true);
  t.equal(batch.has(old), false);
  t.equal(batch.remove(old), false);
  const other = await store.put(bytesOf(2), { typeTag: 5 });
  t.equal(other, small);
  const { position } = store;
  batch.commit();
  // 2 with tag 6, 3, 40 more, the stream, the binding, the tombstone; 2 with tag 5 was put meanwhile.
  t.equal(store.position - position, 45);
  t.equal(
    new Set(Array.from(store.log({ from: position + 1 }), ({ hash }) => Buffer.from(hash).toString("hex"))).size,
    1,
    "one frame",
  );
  t.equal(store.has(old), false);
  t.equal(store.resolve(1, NAME), streamed.key);
  t.strictSame(Buffer.from(store.get(spilled[20]!)!), Buffer.from(bytesOf(30)));
  t.equal(await code(() => batch.put(bytesOf(9))), "ASL-DISCARDED");
  const files = volume.list("blocks");
  const dropped = store.batch();
  dropped.put(bytesOf(500, 9000));
  for (let k = 0; k < 40; k++) dropped.put(bytesOf(600 + k));
  t.ok(volume.list("blocks").length > files.length);
  dropped.discard();
  dropped.discard();
  t.strictSame(volume.list("blocks"), files);
  t.equal(await code(() => dropped.commit()), "ASL-DISCARDED");
  t.equal(await code(() => store.batch().bind(1, NAME, `sha256:${"0".repeat(64)}`)), "ASL-NOT-FOUND");
  const contents = contentsOf(store);
  await store.close();
  t.strictSame(contentsOf(openSmall({ volume })), contents);
});

t.test("a batch does not add what the store has come to hold", async (t) => {
  const store = openSmall();
  const batch = store.batch();
  batch.put(bytesOf(1));
  batch.put(bytesOf(2));
  await store.put(bytesOf(1));
  batch.commit();
  t.equal(store.position, 2);
  t.equal(
    [...store.list()].every(({ records }) => records.length === 1),
    true,
  );
});

t.test("a batch that removes an artifact and puts it again", async (t) => {
  const store = openSmall();
  const key = await store.put(bytesOf(1), { typeTag: 1 });
  const batch = store.batch();
  batch.remove(key);
  batch.put(bytesOf(1), { typeTag: 1 });
  batch.put(bytesOf(1), { typeTag: 2 });
  batch.commit();
  t.equal(store.position, 4);
  t.strictSame(
    store.stat(key)!.records.map(({ typeTag }) => typeTag),
    [1, 2],
  );
});

t.test("a writer that another has taken over from writes no more", async (t) => {
  const volume = new MemoryVolume();
  const first = openSmall({ volume });
  await first.put(bytesOf(1));
  // It is taken for dead.
  const second = openSmall({ volume });
  await second.put(bytesOf(2));
  t.equal(await code(() => first.put(bytesOf(3))), "ASL-EPOCH");
  t.equal(await code(() => first.put(bytesOf(3))), "ASL-POISONED");
  t.equal(await code(() => first.close()), "ASL-POISONED");
  await second.put(bytesOf(4));
  await second.close();
  t.equal([...openSmall({ volume }).list()].length, 3);
});

t.test("[ASL-CORE-BINDING-1] bindings", async (t) => {
  const store = openSmall();
  const one = await store.put(bytesOf(1));
  const two = await store.put(bytesOf(2));
  t.equal(store.resolve(1, NAME), undefined);
  await store.bind(1, NAME, one);
  await store.bind(2, NAME, two);
  await store.snapshot("s");
  await store.bind(1, NAME, two);
  t.equal(store.resolve(1, NAME), two);
  t.equal(store.at("s").resolve(1, NAME), one);
  t.equal(await store.unbind(1, NAME), true);
  t.equal(await store.unbind(1, NAME), false);
  t.equal(store.resolve(1, NAME), undefined);
  t.equal(store.resolve(2, NAME), two);
  t.strictSame(
    Array.from(store.bindings(), ({ namespace, key }) => [namespace, key]),
    [[2, two]],
  );
  t.equal([...store.at("s").bindings()].length, 2);
  t.strictSame([...store.bindings(1)], []);
  const absent = `sha256:${"0".repeat(64)}`;
  t.equal(await code(() => store.bind(1, NAME, absent)), "ASL-NOT-FOUND");
  t.equal(await code(() => store.bind(0, NAME, one)), "ASL-ARGUMENT");
  t.equal(await code(() => store.bind(1, NAME.subarray(1), one)), "ASL-ARGUMENT");
  t.equal([...store.list()].length, 2, "bindings are no artifacts");
});

t.test("[ASL-CORE-SNAPSHOT-1] snapshots", async (t) => {
  const volume = new MemoryVolume();
  const store = openSmall({ volume });
  const keys = [...(await store.putMany(Array.from({ length: 30 }, (_, k) => bytesOf(k))))];
  const snapshot = await store.snapshot("first");
  t.equal(snapshot.position, store.position);
  await store.remove(keys[3]!);
  await store.put(bytesOf(3), { typeTag: 1 });
  await store.putMany(Array.from({ length: 300 }, (_, k) => bytesOf(100 + k)));
  const check = (store: Store): void => {
    const view = store.at("first");
    t.strictSame(
      Array.from(view.list(), ({ key }) => key),
      [...keys].sort(),
    );
    t.strictSame(
      view.stat(keys[3]!)!.records.map(({ typeTag }) => typeTag),
      [undefined],
    );
    t.strictSame(Buffer.from(view.get(keys[3]!)!), Buffer.from(bytesOf(3)));
    t.strictSame(store.snapshots(), [snapshot]);
  };
  check(store);
  await store.close();
  const again = openSmall({ volume });
  check(again);
  t.equal(await code(() => again.snapshot("first")), "ASL-EXISTS");
  await again.dropSnapshot("first");
  t.strictSame(again.snapshots(), []);
  t.equal(await code(() => again.at("first")), "ASL-NOT-FOUND");
  t.equal(await code(() => again.dropSnapshot("first")), "ASL-NOT-FOUND");
  for (const name of ["", "x".repeat(256), "\ud800"]) t.equal(await code(() => again.snapshot(name)), "ASL-ARGUMENT");
  await again.snapshot("é".repeat(127));
});

t.test("[ASL-CORE-PIN-1] pins", async (t) => {
  const volume = new MemoryVolume();
  const store = openSmall({ volume });
  const key = await store.put(HELLO);
  await store.pin(key, "keep");
  t.strictSame(store.pins(), [{ label: "keep", key }]);
  t.equal(await code(() => store.pin(key, "keep")), "ASL-EXISTS");
  t.equal(await code(() => store.pin(`sha256:${"0".repeat(64)}`, "other")), "ASL-NOT-FOUND");
  await store.close();
  const again = openSmall({ volume });
  t.strictSame(again.pins(), [{ label: "keep", key }]);
  await again.unpin("keep");
  t.strictSame(again.pins(), []);
  t.equal(await code(() => again.unpin("keep")), "ASL-NOT-FOUND");
});

t.test("[ASL-CORE-PUBLISH-1] publishing", async (t) => {
  const volume = new MemoryVolume();
  const store = openSmall({ volume });
  const small = await store.put(bytesOf(1), { typeTag: 3 });
  await store.put(bytesOf(1));
  const large = await store.put(bytesOf(2, 9000));
  const own = await store.put(bytesOf(4, 3000));
  const blocks = volume.list("blocks").length;
  const { position } = store;
  t.equal(await store.publish([small, large, own, small]), 4);
  t.ok(volume.list("blocks").length > blocks);
  t.equal(
    new Set(
      Array.from(
        store.log({ from: position + 1 }),
        ({ hash, visibility }) => visibility + Buffer.from(hash).toString("hex"),
      ),
    ).size,
    1,
  );
  t.strictSame(
    store.stat(small)!.records.map(({ typeTag, visibility, logseq }) => `${typeTag} ${visibility} ${logseq}`),
    ["undefined internal 2", "undefined published 2", "3 internal 1", "3 published 1"],
  );
  for (const [key, bytes] of [
    [small, bytesOf(1)],
    [large, bytesOf(2, 9000)],
    [own, bytesOf(4, 3000)],
  ] as const)
    t.strictSame(Buffer.from(store.get(key)!), Buffer.from(bytes));
  t.equal(await store.publish([small, large]), 0, "it is published already");
  t.equal(await code(() => store.publish([small, `sha256:${"0".repeat(64)}`])), "ASL-NOT-FOUND");
  const files = volume.list("blocks").length;
  const other = await store.put(bytesOf(5));
  t.equal(await code(() => store.publish([other, `sha256:${"0".repeat(64)}`])), "ASL-NOT-FOUND");
  t.equal(store.stat(other)!.records.length, 1);
  t.equal(volume.list("blocks").length, files, "nothing is left of what was not published");
  const contents = contentsOf(store);
  await store.close();
  t.strictSame(contentsOf(openSmall({ volume })), contents);
});

t.test("[ASL-CORE-READER-1] readers see what there was when they opened", async (t) => {
  const volume = new MemoryVolume();
  const store = openSmall({ volume });
  const one = await store.put(bytesOf(1));
  const reader = openSmall({ volume, options: { readOnly: true } });
  const two = await store.put(bytesOf(2));
  t.strictSame([reader.has(one), reader.has(two)], [true, false]);
  const later = openSmall({ volume, options: { readOnly: true } });
  t.strictSame([later.has(one), later.has(two)], [true, true]);
  for (const act of [
    () => reader.put(HELLO),
    () => reader.putMany([HELLO]),
    () => reader.writeStream([HELLO]),
    () => reader.remove(one),
    () => reader.bind(1, NAME, one),
    () => reader.unbind(1, NAME),
    () => reader.snapshot("s"),
    () => reader.pin(one, "p"),
    () => reader.publish([one]),
    () => reader.batch().put(HELLO),
  ])
    t.equal(await code(act), "ASL-READ-ONLY", String(act));
  t.strictSame([...reader.log()].length, 1);
  await reader.close();
  await later.close();
});

t.test("[ASL-CORE-CLOSE-1] nothing after close", async (t) => {
  const store = openSmall();
  const key = await store.put(HELLO);
  const view = store.view();
  const batch = store.batch();
  await store.close();
  await store.close();
  for (const act of [
    () => store.put(HELLO),
    () => store.get(key),
    () => store.has(key),
    () => [...store.list()],
    () => view.get(key),
    () => batch.put(HELLO),
    () => store.stats(),
    () => [...store.log()],
    () => store.flush(),
    () => store.snapshots(),
  ])
    t.equal(await code(act), "ASL-CLOSED", String(act));
});

t.test("[ASL-CORE-DURABILITY-1] what is put in one turn is committed together", async (t) => {
  const frames = (store: Store): number =>
    new Set(Array.from(store.log(), ({ hash }) => Buffer.from(hash).toString("hex"))).size;
  const group = openSmall();
  await Promise.all([1, 2, 3].map((k) => group.put(bytesOf(k))));
  t.equal(frames(group), 1);
  const each = openSmall({ options: { create: true, durability: "each" } });
  const done = [1, 2, 3].map((k) => each.put(bytesOf(k)));
  t.equal([...each.list()].length, 3, "before anybody waited");
  await Promise.all(done);
  t.equal(frames(each), 3);
  const none = openSmall({ options: { create: true, durability: "none" } });
  const key = await none.put(bytesOf(1));
  t.ok(none.has(key));
  none.flush();
  await none.close();
});

t.test("[ASL-FORMAT-1, ASL-FORMAT-2, ASL-FORMAT-3, ASL-FORMAT-4] the files of a store", async (t) => {
  const volume = new MemoryVolume();
  const store = openSmall({ volume, seed: 5 });
  await store.put(bytesOf(1, 3000));
  await store.put(bytesOf(2));
  await store.close();
  const names = volume
    .list("")
    .filter((name) => !name.startsWith("LOCK"))
    .sort();
  t.strictSame(names, ["CURRENT", "FORMAT", "blocks", "checkpoint", "index", "log"]);
  t.strictSame(volume.list("log"), ["0000000000000001.log"]);
  t.strictSame(volume.list("blocks"), ["0000000000000001.blk"]);
  const read = (path: string): Buffer => {
    const file = volume.open(path, "read");
    const bytes = Buffer.alloc(file.size());
    file.read(bytes, 0, bytes.length, 0);
    return bytes;
  };
  const KINDS = { FORMAT: "4c", CURRENT: "4e", "log/0000000000000001.log": "47", "blocks/0000000000000001.blk": "42" };
  for (const [path, kind] of Object.entries(KINDS))
    t.equal(
      read(path).subarray(0, 16).toString("hex"),
      `895341${kind}0d0a1a0a0100000000000000`.replace("895341", "894153"),
      path,
    );
  const random = randomFrom(5);
  const seed = Buffer.from(random(4)).toString("hex");
  const domain = Buffer.from(random(16)).toString("hex");
  const format = read("FORMAT");
  t.equal(format.length, 64);
  t.equal(format.subarray(16, 60).toString("hex"), `${domain}${seed}01${"00".repeat(23)}`);
  const { crc32 } = await import("node:zlib");
  t.equal(format.readUInt32LE(60), crc32(format.subarray(0, 60)));
  const log = read("log/0000000000000001.log");
  t.equal(log.readUInt32LE(132), crc32(log.subarray(136, 320), format.readUInt32LE(32)), "seeded");
  for (const [offset, code_] of [
    [8, "ASL-VERSION"],
    [12, "ASL-VERSION"],
  ] as const) {
    for (const path of ["FORMAT", "CURRENT"]) {
      const bytes = read(path);
      const before = Buffer.from(bytes);
      bytes[offset] = 9;
      const last = path === "FORMAT" ? 60 : 188;
      bytes.writeUInt32LE(crc32(bytes.subarray(0, last), path === "FORMAT" ? 0 : format.readUInt32LE(32)), last);
      const file = volume.open(path, "write");
      file.write(bytes, 0, bytes.length, 0);
      t.equal(await code(() => openSmall({ volume })), code_, `${path} ${offset}`);
      file.write(before, 0, before.length, 0);
      file.close();
    }
  }
  openSmall({ volume }).closeSync();
});

t.test("[ASL-FORMAT-5] where a store is made", async (t) => {
  t.equal(await code(() => openSmall({ options: { create: false } })), "ASL-NO-STORE");
  const volume = new MemoryVolume();
  volume.open("precious", "create").close();
  t.equal(await code(() => openSmall({ volume })), "ASL-NO-STORE");
  t.strictSame(volume.list(""), ["precious"]);
  const cut = new MemoryVolume();
  cut.makeFolder("log");
  cut.open("log/0000000000000001.log", "create").close();
  cut.open("CURRENT.tmp", "create").close();
  openSmall({ volume: cut }).closeSync();
  t.equal(await code(() => openSmall({ volume: cut, options: { create: "new" } })), "ASL-EXISTS");
  const lost = new MemoryVolume();
  const whole = openSmall({ volume: lost });
  await whole.put(bytesOf(1, 900));
  await whole.close();
  lost.remove("FORMAT");
  for (const create of [true, "new"] as const)
    t.equal(
      await code(() => openSmall({ volume: lost, options: { create } })),
      "ASL-FORMAT",
      "nothing of a store is removed",
    );
  t.strictSame([lost.list("log").length, lost.list("blocks").length], [1, 1]);
  const first = openSmall({ volume: cut });
  const { domain } = first;
  await first.close();
  t.strictSame(openSmall({ volume: cut, seed: 99 }).domain, domain, "one that is there is opened");
});

t.test("[ASL-ERROR-1] errors tell code, file, offset and key", async (t) => {
  const volume = new MemoryVolume();
  const store = openSmall({ volume });
  const key = await store.put(bytesOf(1, 900));
  const { file, offset } = store.stat(key)!.location;
  const handle = volume.open(file, "write");
  handle.write(Uint8Array.of(255), 0, 1, offset + 100);
  handle.write(Uint8Array.of(254), 0, 1, offset + 101);
  try {
    store.get(key);
    t.fail("it is damaged");
  } catch (error) {
    t.ok(error instanceof AslError);
    const { code, place, message } = error as AslError;
    t.equal(code, "ASL-CORRUPT");
    t.equal(place.file, file);
    t.equal(place.key, key);
    t.match(message, file);
  }
  for (const name of Object.keys(ASL_CODES)) t.match(name, /^ASL-[A-Z-]+$/);
});

t.test("[ASL-CORE-FAIL-1] what fails for want of space is not there, and the store goes on", async (t) => {
  const inner = new MemoryVolume();
  let isFull = false;
  let isDead = false;
  const volume = {
    ...bound(inner),
    open: (path: string, mode: "read" | "write" | "create") => {
      const file = inner.open(path, mode);
      return {
        size: () => file.size(),
        read: (into: Uint8Array, at: number, length: number, position: number) => file.read(into, at, length, position),
        write: (bytes: Uint8Array, at: number, length: number, position: number) => {
          if (isFull && mode !== "read") throw Object.assign(new Error("full"), { code: "ENOSPC" });
          file.write(bytes, at, length, position);
        },
        writeLater: (bytes: Uint8Array, at: number, length: number, position: number) =>
          isFull
            ? Promise.reject(Object.assign(new Error("full"), { code: "ENOSPC" }))
            : file.writeLater(bytes, at, length, position),
        sync: () => {
          if (isDead) throw Object.assign(new Error("dead"), { code: "EIO" });
          file.sync();
        },
        truncate: (length: number) => file.truncate(length),
        close: () => file.close(),
      };
    },
  };
  const store = openSmall({ volume });
  const one = await store.put(bytesOf(1));
  isFull = true;
  for (const length of [100, 900, 3000, 9000]) t.equal(await code(() => store.put(bytesOf(2, length))), "ASL-NO-SPACE");
  const { position } = store;
  t.equal(await code(() => store.putMany(Array.from({ length: 50 }, (_, k) => bytesOf(k + 100)))), "ASL-NO-SPACE");
  t.equal(await code(() => store.snapshot("s")), "ASL-NO-SPACE");
  t.equal(store.position, position);
  isFull = false;
  const two = await store.put(bytesOf(2));
  t.strictSame(
    Array.from(store.list(), ({ key }) => key),
    [one, two].sort(),
  );
  isDead = true;
  t.equal(await code(() => store.put(bytesOf(3))), "ASL-WRITE");
  isDead = false;
  t.equal(await code(() => store.put(bytesOf(4))), "ASL-POISONED");
  t.equal(await code(() => store.snapshot("s")), "ASL-POISONED");
  t.ok(store.has(one), "it can be read");
  t.equal(await code(() => store.close()), "ASL-POISONED");
  t.equal(await code(() => store.get(one)), "ASL-CLOSED", "and yet it is closed");
  const again = openSmall({ volume });
  t.ok(again.has(one) && again.has(two));
  await again.put(bytesOf(4));
  await again.close();
});

/** All but `open`. */
function bound(volume: MemoryVolume): Omit<Volume, "open"> {
  return {
    list: (folder: string) => volume.list(folder),
    makeFolder: (path: string) => volume.makeFolder(path),
    rename: (from: string, to: string) => volume.rename(from, to),
    link: (from: string, to: string) => volume.link(from, to),
    remove: (path: string) => volume.remove(path),
    syncFolder: (path: string) => volume.syncFolder(path),
  };
}

t.test("what comes slowly is answered when all of it is on disk", async (t) => {
  const inner = new MemoryVolume();
  let isFull = false;
  const { open } = inner;
  inner.open = function (path, mode) {
    const file = open.call(this, path, mode);
    const { write } = file;
    file.write = (bytes, at, length, position) => {
      if (isFull) throw Object.assign(new Error("full"), { code: "ENOSPC" });
      write.call(file, bytes, at, length, position);
    };
    return file;
  };
  const store = openSmall({ volume: inner });
  const slowly = async function* (): AsyncIterable<Uint8Array> {
    yield bytesOf(1);
    isFull = true;
    await new Promise((resolve) => setTimeout(resolve, 5));
    isFull = false;
    yield bytesOf(2);
  };
  await t.rejects(store.putMany(slowly()), { code: "ASL-NO-SPACE" });
  const keys = await store.putMany([bytesOf(3), bytesOf(4)]);
  t.equal(
    [...keys].every((key) => store.has(key)),
    true,
  );
});

t.test("a stream that outlives its store leaves others' blocks alone", async (t) => {
  const volume = new MemoryVolume();
  const first = openSmall({ volume });
  let goOn = (): void => {};
  const waiting = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const pieces = async function* (): AsyncIterable<Uint8Array> {
    yield bytesOf(1, 3000);
    await waiting;
    yield bytesOf(2, 3000);
  };
  const stream = first.writeStream(pieces());
  await new Promise((resolve) => setTimeout(resolve, 5));
  await first.close();
  const second = openSmall({ volume });
  const key = await second.put(bytesOf(9, 3000));
  goOn();
  await t.rejects(stream, { code: "ASL-CLOSED" });
  t.strictSame(Buffer.from(second.get(key)!), Buffer.from(bytesOf(9, 3000)));
  await second.close();
  t.ok(openSmall({ volume }).get(key));
});
