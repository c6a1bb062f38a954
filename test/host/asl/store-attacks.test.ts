/** Stores in hands that are careless, or worse: nothing that is done to the interface makes a store answer wrongly, or lose what it acknowledged. */
import { createHash } from "node:crypto";
import { setImmediate as tick } from "node:timers/promises";
import t from "tap";
import { AslError } from "../../../host/asl/errors.ts";
import { MemoryVolume } from "../../../host/asl/memory-volume.ts";
import { Store, type StoreOptions } from "../../../host/asl/store.ts";
import { volumeFiles } from "./second-reader.ts";
import { readBoth } from "./second-reader-workload.ts";
import { bytesOf, openSmall } from "./stores.ts";

function keyOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
/** What goes wrong, as a code; "TypeError" and the like for what has none. */
async function codeOf(act: () => unknown): Promise<string> {
  try {
    await act();
    return "done";
  } catch (error) {
    return error instanceof AslError ? error.code : String((error as Error)?.name);
  }
}
/** Newer than the library that tests are compiled with. */
function resizable(length: number, maxByteLength: number): ArrayBuffer & { resize(length: number): void } {
  return Reflect.construct(ArrayBuffer, [length, { maxByteLength }]);
}
// biome-ignore lint/suspicious/noExplicitAny: they are what the types forbid
type Wrong = any;

const NO_BYTES: readonly Wrong[] = [
  null,
  undefined,
  5,
  "text",
  [],
  {},
  { length: 3 },
  new ArrayBuffer(4),
  new DataView(new ArrayBuffer(4)),
  new Uint16Array(3),
  Symbol("x"),
];

t.test("[ASL-CORE-ARGUMENT-1] what is no artifact, key, name or option is told so, and changes nothing", async (t) => {
  const store = openSmall();
  const key = await store.put(bytesOf(1));
  const { position } = store;
  for (const wrong of NO_BYTES) {
    const what = `${typeof wrong} ${wrong?.constructor?.name}`;
    const batch = store.batch();
    const acts: Record<string, () => unknown> = {
      put: () => store.put(wrong),
      "an item of putMany": () => store.putMany([wrong]),
      "a piece of a stream": () => store.writeStream([wrong]),
      "a late piece": () => store.writeStream([bytesOf(2, 3000), wrong]),
      "staged bytes": () => batch.put(wrong),
      "staged pieces": () => batch.writer().write(wrong),
      "the name of a binding": () => store.bind(1, wrong, key),
      "a name that is resolved": () => store.resolve(1, wrong),
    };
    for (const [which, act] of Object.entries(acts)) t.equal(await codeOf(act), "ASL-ARGUMENT", `${which}: ${what}`);
    for (const act of [
      () => store.has(wrong),
      () => store.get(wrong),
      () => store.remove(wrong),
      () => store.publish([wrong]),
      () => batch.remove(wrong),
    ])
      t.equal(await codeOf(act), "ASL-KEY", `a key: ${what}`);
    if (typeof wrong !== "string")
      for (const act of [() => store.snapshot(wrong), () => store.dropSnapshot(wrong), () => store.pin(key, wrong)])
        t.equal(await codeOf(act), "ASL-ARGUMENT", `a name: ${what}`);
    if (typeof wrong !== "string" && !(Symbol.iterator in Object(wrong)))
      for (const act of [() => store.putMany(wrong), () => store.writeStream(wrong), () => store.publish(wrong)])
        t.equal(await codeOf(act), "ASL-ARGUMENT", `what is gone through: ${what}`);
    batch.discard();
  }
  for (const name of ["", "a".repeat(256), "é".repeat(128), "\ud800"])
    t.equal(await codeOf(() => store.snapshot(name)), "ASL-ARGUMENT", JSON.stringify(name).slice(0, 10));
  for (const typeTag of [-1, 1.5, Number.NaN, 2 ** 32, "1", null] as Wrong[]) {
    t.equal(await codeOf(() => store.put(bytesOf(3), { typeTag })), "ASL-ARGUMENT", `tag ${typeTag}`);
    t.equal(await codeOf(() => store.batch().put(bytesOf(3), { typeTag })), "ASL-ARGUMENT", `staged tag ${typeTag}`);
  }
  for (const logseq of [-1, 0, 1.5, Number.NaN, 2 ** 52 + 2, "1"] as Wrong[])
    t.equal(await codeOf(() => store.batch().put(bytesOf(3), { logseq })), "ASL-ARGUMENT", `logseq ${logseq}`);
  for (const visibility of ["Published", "", null, 1] as Wrong[])
    t.equal(await codeOf(() => store.put(bytesOf(3), { visibility })), "ASL-ARGUMENT", `visibility ${visibility}`);
  for (const offset of [-1, 1.5, Number.NaN, "1"] as Wrong[]) {
    t.equal(await codeOf(() => store.read(key, offset, 1)), "ASL-ARGUMENT", `read from ${offset}`);
    t.equal(await codeOf(() => store.readInto(key, new Uint8Array(9), 0, offset)), "ASL-ARGUMENT", `into: ${offset}`);
    t.equal(await codeOf(() => store.stream(key, { offset })), "ASL-ARGUMENT", `stream from ${offset}`);
  }
  for (const from of ["x", Number.NaN, 1.5] as Wrong[])
    t.equal(await codeOf(() => store.log({ from }).next()), "ASL-ARGUMENT", `the log from ${from}`);
  const options: Wrong[] = [
    { durability: "sometimes" },
    { create: "maybe" },
    { waitMs: Number.NaN },
    { waitMs: "5" },
    { indexBytes: -1 },
    { indexBytes: Number.NaN },
  ];
  for (const wrong of options)
    t.equal(await codeOf(() => openSmall({ options: wrong as StoreOptions })), "ASL-ARGUMENT", JSON.stringify(wrong));
  t.equal(store.position, position);
  t.match(Array.from(store.list(), (stat) => stat.key).join(), key);
  await store.close();
});

t.test("[ASL-KEY-1] look-alikes of a key are none", async (t) => {
  const store = openSmall();
  const key = await store.put(bytesOf(1));
  const digits = key.slice(7);
  const lookAlikes = [
    key.toUpperCase(),
    ` ${key}`,
    `${key} `,
    `${key}0`,
    `${key}\0`,
    key.slice(0, -1),
    digits,
    `sha256:${digits.slice(1)}\u0130`,
    `sha256：${digits}`,
    `sha256:${digits.replace("a", "а")}`,
    `SHA256:${digits}`,
    `sha-256:${digits}`,
  ];
  for (const text of lookAlikes) t.equal(await codeOf(() => store.has(text)), "ASL-KEY", JSON.stringify(text));
  for (const wrong of [new String(key), [key], { toString: () => key }, Buffer.from(key)] as Wrong[])
    t.equal(await codeOf(() => store.has(wrong)), "ASL-KEY");
  for (const other of [`sha3-256:${digits}`, `blake2s-256:${digits}`]) t.equal(store.has(other), false, other);
  await store.close();
});

t.test(
  "[ASL-CORE-ARGUMENT-1] what is given may change when the call has returned; large artifacts are whole or refused",
  async (t) => {
    const store = openSmall();
    for (const length of [10, 900, 1024, 1025, 4097, 9000]) {
      const isCopied = length <= 1024;
      const changed = bytesOf(length, length);
      const before = keyOf(changed);
      const put = store.put(changed);
      changed.fill(1);
      const key = await put;
      t.ok(key === before || (!isCopied && key === keyOf(changed)), `changed, ${length}`);
      t.equal(keyOf(store.get(key)!), key);

      const given = bytesOf(length + 1, length);
      const wanted = keyOf(given);
      const giving = store.put(given);
      structuredClone(given, { transfer: [given.buffer as ArrayBuffer] });
      if (isCopied) t.equal(await giving, wanted, `given away, ${length}`);
      else t.equal(await codeOf(() => giving), "ASL-ARGUMENT", `given away, ${length}`);
      t.equal(await codeOf(() => store.put(given)), "ASL-ARGUMENT", "what was given away before");
      t.equal(await codeOf(() => store.batch().put(given)), "ASL-ARGUMENT", "what was given away before, staged");

      const buffer = resizable(length, 2 * length);
      const growing = new Uint8Array(buffer);
      growing.set(bytesOf(length + 2, length));
      const first = keyOf(growing);
      const grown = store.put(growing);
      buffer.resize(2 * length);
      if (isCopied) t.equal(await grown, first, `grown, ${length}`);
      else t.equal(await codeOf(() => grown), "ASL-ARGUMENT", `grown, ${length}`);

      const reused = Buffer.alloc(length);
      const pieces = (function* (): Generator<Uint8Array> {
        for (let k = 0; k < 4; k++) yield reused.fill(k + 1);
      })();
      const streamed = await store.writeStream(pieces);
      t.equal(streamed, keyOf(Buffer.concat([1, 2, 3, 4].map((k) => Buffer.alloc(length, k)))), `reused, ${length}`);
      t.equal(keyOf(store.get(streamed)!), streamed);

      const shared = new Uint8Array(new SharedArrayBuffer(length));
      shared.set(bytesOf(length + 3, length));
      const sharedKey = await store.put(shared);
      t.equal(keyOf(store.get(sharedKey)!), sharedKey, `shared, ${length}`);
    }
    const key = await store.put(bytesOf(1));
    const name = Buffer.alloc(32, 1);
    const multihash = Buffer.concat([Buffer.of(0x12, 32), Buffer.from(key.slice(7), "hex")]);
    const binding = store.bind(1, name, multihash);
    name.fill(2);
    multihash.fill(0);
    await binding;
    t.equal(store.resolve(1, new Uint8Array(32).fill(1)), key);
    await store.close();
  },
);

t.test("[ASL-CORE-ARGUMENT-1] what is answered is the caller's: changing it changes nothing", async (t) => {
  const volume = new MemoryVolume();
  const store = openSmall({ volume });
  const keys: string[] = [];
  for (const length of [4, 50, 51, 900, 3000, 9000, 70_000]) keys.push(await store.put(bytesOf(length, length)));
  await store.bind(1, new Uint8Array(32), keys[0]!);
  const taken = (await store.snapshot("a")) as { position: number; frameHash: Uint8Array };
  taken.position = 0;
  taken.frameHash.fill(0);
  const [known] = store.snapshots() as { position: number }[];
  known!.position = 0;
  t.ok(store.at("a").has(keys[0]!));
  t.ok(store.snapshots()[0]!.frameHash.some((byte) => byte !== 0));
  for (let round = 0; round < 3; round++)
    for (const key of keys) {
      const bytes = store.get(key)!;
      t.equal(keyOf(bytes), key);
      bytes.fill(7);
      new Uint8Array(bytes.buffer).fill(9);
    }
  for (const { hash, payload } of store.log()) {
    hash.fill(0);
    if ("digest" in payload) payload.digest?.fill(0);
  }
  for (const { name } of store.bindings()) name.fill(3);
  store.domain.fill(0);
  (await store.snapshotIdentity("a")).fill(0);
  t.throws(() => Object.assign(store.view(), { position: 1 }), TypeError);
  t.ok((await store.snapshotIdentity("a")).some((byte) => byte !== 0));
  t.equal(store.resolve(1, new Uint8Array(32)), keys[0]!);
  t.ok(Array.from(store.log()).every(({ hash }) => hash.some((byte) => byte !== 0)));
  await store.close();
  readBoth(volumeFiles(volume));
});

t.test(
  "[ASL-CORE-BATCH-1] what a batch put is there when it is committed, though it was known and has been removed",
  async (t) => {
    const store = openSmall();
    const key = await store.put(bytesOf(1));
    const batch = store.batch();
    t.equal(batch.put(bytesOf(1)), key);
    await store.remove(key);
    batch.commit();
    t.equal(keyOf(store.get(key)!), key);
    const again = store.batch();
    again.put(bytesOf(1));
    again.remove(key);
    again.commit();
    t.notOk(store.has(key), "the batch itself removed it");
    await store.close();
  },
);

t.test("[ASL-CORE-PUBLISH-1] publishing what is published or removed meanwhile", async (t) => {
  const volume = new MemoryVolume();
  const store = openSmall({ volume });
  const keys = [await store.put(bytesOf(1, 3000)), await store.put(bytesOf(2, 9000)), await store.put(bytesOf(3))];
  const published = { visibility: "published" } as const;
  await Promise.all([
    store.publish(keys),
    store.publish(keys.toReversed()),
    store.put(bytesOf(1, 3000), published),
    store.put(bytesOf(3), published),
  ]);
  for (const key of keys) t.equal(store.stat(key)!.records.length, 2, "one of each visibility");
  const removed = await store.put(bytesOf(4, 9000));
  const publishing = store.publish([removed]);
  await store.remove(removed);
  t.equal(await publishing, 0);
  t.notOk(store.has(removed), "removed it stays");
  await store.close();
  readBoth(volumeFiles(volume));
});

t.test("[ASL-CORE-CLOSE-1] what goes on when the store is closed changes nothing of the next one", async (t) => {
  const volume = new MemoryVolume();
  const store = openSmall({ volume });
  const puts = Array.from({ length: 500 }, (_, k) => store.put(bytesOf(k)));
  const slowly = async function* (length: number): AsyncGenerator<Uint8Array> {
    for (let k = 0; k < 10; k++) {
      yield bytesOf(1000 + k, length);
      await tick();
    }
  };
  const late = [
    () => store.writeStream(slowly(500)),
    () => store.writeStream(slowly(2000)),
    () => store.putMany(slowly(50)),
  ].map(codeOf);
  const batch = store.batch();
  batch.put(bytesOf(3000, 900));
  batch.put(bytesOf(3001, 900));
  batch.put(bytesOf(3002, 3000));
  const writer = batch.writer();
  writer.write(bytesOf(3003, 3000));
  const [view, list, log] = [store.view(), store.list(), store.log()];
  list.next();
  log.next();
  await tick();
  await store.close();
  const acknowledged = await Promise.all(puts);
  const next = openSmall({ volume });
  for (let k = 0; k < 20; k++) acknowledged.push(await next.put(bytesOf(4000 + k, 3000)));
  for (const code of await Promise.all(late)) t.equal(code, "ASL-CLOSED");
  const acts: (() => unknown)[] = [
    () => batch.commit(),
    () => batch.put(bytesOf(1)),
    () => writer.write(bytesOf(1)),
    () => writer.finish(),
    () => view.has(acknowledged[0]!),
    () => list.next(),
    () => log.next(),
    () => store.flush(),
    () => store.stats(),
    () => store.snapshots(),
  ];
  for (const act of acts) t.equal(await codeOf(act), "ASL-CLOSED");
  writer.discard();
  batch.discard();
  await store.close();
  for (const key of acknowledged) t.equal(keyOf(next.get(key)!), key);
  await next.close();
  readBoth(volumeFiles(volume));
  t.same((await Store.fsck("", { deep: true }, { volume })).problems, []);
});

t.test("[ASL-CORE-PUT-1] iterators that throw, never end, or use the store themselves", async (t) => {
  const store = openSmall();
  const mine = new Error("mine");
  const throwing = function* (length: number): Generator<Uint8Array> {
    yield bytesOf(1, length);
    throw mine;
  };
  for (const length of [50, 3000]) {
    await t.rejects(store.putMany(throwing(length)), mine);
    await t.rejects(store.writeStream(throwing(length)), mine);
  }
  const within = function* (): Generator<Uint8Array> {
    for (let k = 0; k < 5; k++) {
      void store.put(bytesOf(100 + k));
      const batch = store.batch();
      batch.put(bytesOf(200 + k));
      batch.commit();
      yield bytesOf(300 + k);
      store.flush();
      store.get(keyOf(bytesOf(300 + k)));
    }
  };
  const keys = [...(await store.putMany(within()))];
  t.same(
    keys,
    [300, 301, 302, 303, 304].map((k) => keyOf(bytesOf(k))),
  );
  for (const key of keys) t.equal(keyOf(store.get(key)!), key);
  let isReturned = false;
  const endless = function* (): Generator<Uint8Array> {
    try {
      for (;;) yield bytesOf(7, 1000);
    } finally {
      isReturned = true;
    }
  };
  const code = codeOf(() => store.putMany(endless()));
  await tick();
  await store.close();
  t.equal(await code, "ASL-CLOSED");
  t.ok(isReturned);
});
