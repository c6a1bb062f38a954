/** Stores whose logs are damaged or gone are made again from what can be read. */
import t from "tap";
import { fsckVolume } from "../../../host/asl/fsck.ts";
import { LIMITS } from "../../../host/asl/limits.ts";
import { acquireLock } from "../../../host/asl/lock.ts";
import { MemoryVolume } from "../../../host/asl/memory-volume.ts";
import { type RebuildReport, rebuildVolume } from "../../../host/asl/rebuild.ts";
import type { Volume } from "../../../host/asl/volume.ts";
import { Random } from "../../vm/random.ts";
import type { SimulatedVolume } from "./simulated-volume.ts";
import { alone, bytesOf, contentsOf, openSmall, randomFrom, SMALL } from "./stores.ts";
import { filesOf, findBytes, flip, simulatedWith, volumeWith } from "./volume-files.ts";

const limits = { ...LIMITS, ...SMALL };
const name = (number: number): Uint8Array => new Uint8Array(32).fill(number);

function rebuild(volume: Volume): Promise<RebuildReport> {
  return rebuildVolume(volume, alone(), { limits, random: randomFrom(9) });
}

let made: ReadonlyMap<string, Uint8Array> | undefined;

async function sample(): Promise<MemoryVolume> {
  if (made === undefined) {
    const volume = volumeWith(new Map());
    const store = openSmall({ volume, limits: { tailRows: 10 } });
    for (let k = 0; k < 12; k++) await store.put(bytesOf(k));
    await store.putMany(Array.from({ length: 20 }, (_, k) => bytesOf(100 + k, 150)));
    const packed = await store.put(bytesOf(20, 900), { typeTag: 7 });
    await store.put(bytesOf(20, 900), { typeTag: 8 });
    await store.put(bytesOf(21, 3000));
    await store.put(bytesOf(22, 9000));
    await store.putMany(
      Array.from({ length: 4 }, (_, k) => ({ bytes: bytesOf(200 + k, 300), visibility: "published" as const })),
    );
    await store.bind(1, name(1), packed);
    await store.snapshot("first");
    await store.pin(packed, "kept");
    await store.remove(await store.put(bytesOf(30)));
    await store.publish([packed]);
    for (let k = 40; k < 46; k++) await store.put(bytesOf(k));
    const batch = store.batch();
    for (let k = 50; k < 60; k++) batch.put(bytesOf(k, 400));
    batch.commit();
    await store.close();
    made = filesOf(volume);
  }
  return volumeWith(made);
}

interface Contents {
  readonly artifacts: readonly (readonly [
    key: string,
    records: readonly { readonly position: number }[],
    hex: string,
  ])[];
  readonly bindings: readonly unknown[];
  readonly snapshots: readonly { readonly name: string; readonly position: number }[];
  readonly pins: readonly unknown[];
}

function contents(volume: Volume): Contents {
  const store = openSmall({ volume, options: { create: false } });
  try {
    return contentsOf(store) as Contents;
  } finally {
    store.closeSync();
  }
}

function without(volume: Volume, pattern: RegExp): MemoryVolume {
  return volumeWith(new Map([...filesOf(volume)].filter(([path]) => !pattern.test(path))));
}

/** Rows in a text, to be compared without order. */
const keysOf = ({ artifacts }: Contents): string[] => artifacts.map(([key]) => key);

t.test("[ASL-REBUILD-1] A whole log is made again as it was: what can be seen, and where", async (t) => {
  const volume = await sample();
  const before = contents(await sample());
  const report = await rebuild(volume);
  t.match(report, { found: 0, lost: 0, damaged: [] });
  const after = contents(volume);
  t.same({ ...after, snapshots: [] }, { ...before, snapshots: [] });
  t.same(
    after.snapshots.map(({ name, position }) => [name, position]),
    before.snapshots.map(({ name, position }) => [name, position]),
  );
  t.same((await fsckVolume(volume, alone(), { limits, deep: true })).problems, []);
  const store = openSmall({ volume, options: { create: false } });
  const key = await store.put(bytesOf(999));
  t.same(store.get(key), bytesOf(999), "and it takes more");
  await store.close();
});

t.test("[ASL-REBUILD-1] Without any log, index, checkpoint, CURRENT and FORMAT the artifacts are there", async (t) => {
  const before = contents(await sample());
  const volume = without(await sample(), /^(log\/|index|checkpoint|CURRENT|FORMAT)/);
  const report = await rebuild(volume);
  t.equal(report.found, report.artifacts);
  t.match(report.unknown.join(" "), /removals, bindings.*never|ever committed.*sha256/s);
  const after = contents(volume);
  // Those that stood in the log are gone with it.
  const inBlocks = before.artifacts.filter(
    ([, , hex]) => findBytes(volume, "blocks", Buffer.from(hex.slice(0, 200), "hex")).length > 0,
  );
  t.ok(inBlocks.length > 30);
  t.same(keysOf(after).sort(), inBlocks.map(([key]) => key).sort());
  let kept = 0;
  for (const [key, records, hex] of after.artifacts) {
    const [, was, bytes] = before.artifacts.find(([other]) => other === key)!;
    t.equal(hex, bytes);
    if (records.every(({ position }) => was.some((record) => record.position === position))) kept++;
  }
  t.ok(kept >= 20, `${kept} at the positions that they had`);
  t.same((await fsckVolume(volume, alone(), { limits, deep: true })).problems, []);
});

t.test(
  "[ASL-REBUILD-2] Where a frame is damaged its records are found, entries keep their positions, and the rest is as it was",
  async (t) => {
    const before = contents(await sample());
    const volume = await sample();
    // The frame of one artifact, and of the bytes of a binding.
    const frames = findBytes(volume, "log", Uint8Array.of(0x41, 0x46, 0x52, 0x4d));
    const { path, at } = frames[4]!;
    flip(volume, path, at + 30);
    const { path: second, at: offset } = findBytes(volume, "log", name(1))[0]!;
    flip(volume, second, offset);
    const report = await rebuild(volume);
    t.equal(report.lost, 1, "the binding");
    t.equal(report.found, 1);
    t.same(report.damaged, []);
    const after = contents(volume);
    t.same(after.artifacts, before.artifacts);
    t.same(after.bindings, []);
    t.same(after.pins, before.pins);
    t.match(report.unknown.join(" "), /at 1 positions of the log/);
    t.same((await fsckVolume(volume, alone(), { limits, deep: true })).problems, []);
  },
);

t.test("[ASL-REBUILD-3] An artifact that cannot be read is named, and not there; nothing is destroyed", async (t) => {
  const volume = await sample();
  const place = findBytes(volume, "blocks", bytesOf(105, 150))[0]!;
  flip(volume, place.path, place.at + 20);
  const inline = findBytes(volume, "log", bytesOf(42))[0]!;
  flip(volume, inline.path, inline.at + 20);
  const before = filesOf(volume);
  const report = await rebuild(volume);
  t.equal(report.damaged.length, 2, "one in a block, and one in the log");
  t.match(report.damaged, [
    { code: "ASL-CORRUPT", key: /^sha256:/ },
    { code: "ASL-CORRUPT", key: /^sha256:/ },
  ]);
  t.equal(report.lost, 2);
  const store = openSmall({ volume, options: { create: false } });
  for (const { key } of report.damaged) t.equal(store.has(key!), false);
  await store.close();
  const after = [...filesOf(volume).values()].map((bytes) => Buffer.from(bytes).toString("latin1"));
  for (const [path, bytes] of before) {
    if (/^LOCK/.test(path)) continue;
    const is = Buffer.from(bytes).toString("latin1");
    t.ok(
      after.some((other) => other === is || (path.startsWith("blocks/") && other.startsWith(is))),
      path,
    );
  }
  t.same(
    (await fsckVolume(volume, alone(), { limits, deep: true })).problems.filter(
      ({ code }) => code !== "ASL-BLOCK-DAMAGED",
    ),
    [],
  );
});

t.test(
  "[ASL-REBUILD-4] After a loss of power at any time the store is as it was, or another rebuild makes it",
  async (t) => {
    const files = filesOf(await sample());
    const { path, at } = findBytes(await sample(), "log", Uint8Array.of(0x41, 0x46, 0x52, 0x4d))[4]!;
    files.get(path)![at + 30]! ^= 1;
    const expected = volumeWith(files);
    await rebuild(expected);
    const wanted = contents(expected);
    const random = new Random(5);
    const images: SimulatedVolume[] = [];
    const volume = simulatedWith(files);
    volume.onCut = () => void images.push(...volume.crashImages(random, 3), volume.killed());
    await rebuild(volume);
    t.ok(images.length > 100, `${images.length} images`);
    const seen = new Set<string>();
    let refused = 0;
    for (const image of images) {
      const digest = image.digest();
      if (seen.has(digest)) continue;
      seen.add(digest);
      let before: Contents | undefined;
      try {
        before = contents(image.killed());
      } catch (error) {
        t.equal((error as { code?: string }).code, "ASL-CURRENT-DAMAGED");
        refused++;
      }
      if (before !== undefined) t.same(before.artifacts, wanted.artifacts);
      await rebuild(image);
      const after = contents(image);
      t.same([after.artifacts, after.bindings, after.pins], [wanted.artifacts, wanted.bindings, wanted.pins]);
    }
    t.ok(seen.size > 50 && refused > 10 && refused < seen.size, `${seen.size} images, ${refused} in the middle`);
  },
);

t.test(
  "[ASL-REBUILD-5] While another process writes nothing is rebuilt; without a store there is nothing to rebuild",
  async (t) => {
    const volume = await sample();
    t.ok("lock" in acquireLock(volume, alone()));
    const everybody = { ...alone(), isAlive: () => true };
    await t.rejects(rebuildVolume(volume, everybody, { limits }), { code: "ASL-LOCKED" });
    const none = new MemoryVolume();
    await t.rejects(rebuild(none), { code: "ASL-NO-STORE" });
    t.same(none.list(""), [], "nothing is made in it");
  },
);
