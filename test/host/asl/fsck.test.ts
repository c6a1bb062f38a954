/** What fsck says of stores that are whole, damaged in any byte, written wrongly; and what it makes again. */
import t from "tap";
import { ArtifactIndex } from "../../../host/asl/artifact-index.ts";
import { blockPath } from "../../../host/asl/block-file.ts";
import { readFormat } from "../../../host/asl/format.ts";
import { type FsckReport, fsckStore, fsckVolume, type RepairOptions } from "../../../host/asl/fsck.ts";
import { type Row, RowKind } from "../../../host/asl/index-rows.ts";
import { digestInto } from "../../../host/asl/key.ts";
import { LIMITS } from "../../../host/asl/limits.ts";
import { acquireLock } from "../../../host/asl/lock.ts";
import { readLog } from "../../../host/asl/log.ts";
import { MemoryVolume } from "../../../host/asl/memory-volume.ts";
import { nameOf } from "../../../host/asl/namespace.ts";
import { emptyState } from "../../../host/asl/recovery.ts";
import { LogState } from "../../../host/asl/state.ts";
import type { Store } from "../../../host/asl/store.ts";
import type { Volume } from "../../../host/asl/volume.ts";
import { Random } from "../../vm/random.ts";
import type { SimulatedVolume } from "./simulated-volume.ts";
import { alone, bytesOf, contentsOf, openSmall, SMALL } from "./stores.ts";
import { filesOf, findBytes, flip, readFile, simulatedWith, volumeWith } from "./volume-files.ts";

const limits = { ...LIMITS, ...SMALL };

function fsck(volume: Volume, options: RepairOptions = {}): Promise<FsckReport> {
  return fsckVolume(volume, alone(), { limits, ...options });
}

const name = (number: number): Uint8Array => new Uint8Array(32).fill(number);

/** Some of everything that a store can hold, in several segments of the index, log files and blocks. */
async function fill(store: Store): Promise<void> {
  for (let k = 0; k < 12; k++) await store.put(bytesOf(k));
  await store.putMany(Array.from({ length: 40 }, (_, k) => bytesOf(100 + k, 150)));
  const packed = await store.put(bytesOf(20, 900), { typeTag: 7 });
  await store.put(bytesOf(20, 900), { typeTag: 8 });
  await store.put(bytesOf(21, 3000));
  await store.put(bytesOf(22, 9000));
  await store.put(bytesOf(23, 200), { visibility: "published" });
  await store.putMany(
    Array.from({ length: 8 }, (_, k) => ({ bytes: bytesOf(200 + k, 300), visibility: "published" as const })),
  );
  await store.bind(1, name(1), packed);
  await store.bind(1, nameOf("logo"), packed);
  await store.snapshot("first");
  await store.pin(packed, "kept");
  await store.remove(await store.put(bytesOf(30)));
  await store.publish([packed]);
  await store.snapshot("gone");
  await store.dropSnapshot("gone");
  for (let k = 40; k < 50; k++) await store.put(bytesOf(k));
}

let made: ReadonlyMap<string, Uint8Array> | undefined;

/** A closed store with a checkpoint, and a tail of the log behind it. */
async function sample(): Promise<MemoryVolume> {
  if (made === undefined) {
    const volume = volumeWith(new Map());
    const first = openSmall({ volume, limits: { tailRows: 10 } });
    await fill(first);
    await first.close();
    const store = openSmall({ volume });
    for (let k = 60; k < 64; k++) await store.put(bytesOf(k));
    await store.close();
    made = filesOf(volume);
  }
  return volumeWith(made);
}

function contents(volume: Volume): unknown {
  const store = openSmall({ volume, options: { create: false } });
  try {
    return contentsOf(store);
  } finally {
    store.close();
  }
}

t.test("[ASL-FSCK-1] A store that is whole has no problems, and all of it was looked at", async (t) => {
  const volume = await sample();
  for (const deep of [false, true]) {
    const seen: number[] = [];
    const report = await fsck(volume, { deep, onProgress: (done) => seen.push(done) });
    t.same(report.problems, []);
    t.same(report.orphans, []);
    t.match(report, { deep, omitted: 0, tornBytes: 0 });
    t.ok(report.segments >= 1 && report.frames > 20 && report.artifacts > 80 && report.blocks > 5);
    const bytes = [...filesOf(volume)].filter(([path]) => /^(log|blocks)/.test(path));
    const all = bytes.reduce((sum, [, { length }]) => sum + length, 0);
    t.ok(report.bytes > 0.8 * all, `${report.bytes} of ${all}`);
    t.same(
      seen,
      seen.toSorted((a, b) => a - b),
    );
  }
  const empty = volumeWith(new Map());
  await openSmall({ volume: empty }).close();
  t.same((await fsck(empty)).problems, []);
  for (const repair of [false, true]) {
    const none = new MemoryVolume();
    await t.rejects(fsck(none, { repair }), { code: "ASL-NO-STORE" });
    t.same(none.list(""), [], "nothing is made in it");
  }
});

t.test("[ASL-FSCK-1] Nothing is changed, and it ends when it is told to", async (t) => {
  const volume = await sample();
  const before = filesOf(volume);
  flip(volume, "CURRENT", 50);
  const damaged = filesOf(volume);
  await fsck(volume);
  t.same(filesOf(volume), damaged);
  const stopped = AbortSignal.abort(new Error("enough"));
  await t.rejects(fsck(volumeWith(before), { signal: stopped }), { message: "enough" });
});

t.test("[ASL-FSCK-2] Whatever byte of whatever file is another one is found", async (t) => {
  const whole = await sample();
  const missed: string[] = [];
  let count = 0;
  let at = 3;
  for (const [path, bytes] of filesOf(whole)) {
    if (path.startsWith("LOCK.")) continue;
    const step = bytes.length <= 400 ? 7 : 131;
    for (; at < bytes.length; at += step) {
      const volume = volumeWith(made!);
      flip(volume, path, at, 1 << (at % 8));
      const { problems } = await fsck(volume, { deep: count % 3 === 0 });
      if (problems.length === 0) missed.push(`${path} ${at}`);
      count++;
    }
    at -= bytes.length;
  }
  t.same(missed, []);
  t.ok(count > 400, `${count} bytes`);
});

t.test("[ASL-FSCK-2] Files that are cut, or gone, are found", async (t) => {
  const missed: string[] = [];
  await sample();
  for (const path of made!.keys()) {
    if (path.startsWith("LOCK.")) continue;
    for (const part of [0, 0.5]) {
      const files = new Map(made!);
      const bytes = files.get(path)!;
      if (part === 0) files.delete(path);
      else files.set(path, bytes.subarray(0, 8 * Math.floor((bytes.length * part) / 8)));
      const found = await fsck(volumeWith(files)).then(
        ({ problems }) => problems.length > 0,
        ({ code }) => code === "ASL-NO-STORE",
      );
      if (!found) missed.push(`${path} ${part}`);
    }
  }
  t.same(missed, []);
});

t.test("[ASL-FSCK-3] Damage in the middle of the log: what is lost is named, what follows is checked", async (t) => {
  const volume = await sample();
  const [, second] = findBytes(volume, "log", bytesOf(3)).concat(findBytes(volume, "log", bytesOf(4)));
  flip(volume, second!.path, second!.at);
  const last = findBytes(volume, "log", bytesOf(62))[0]!;
  flip(volume, last.path, last.at + 5);
  const { problems } = await fsck(volume);
  const lost = problems.filter(({ code }) => code === "ASL-LOG-DAMAGED");
  t.match(
    lost.map(({ message }) => message),
    [/entries of positions \d+ to \d+ cannot be read/, /cannot be read/],
  );
  const keys = problems.flatMap(({ code, file }) => (code === "ASL-CORRUPT" ? [file] : []));
  t.ok(keys.includes(second!.path), "the artifact in it is named");
});

t.test("[ASL-FSCK-3] What was never committed is no problem: a torn end, files that nothing names", async (t) => {
  const volume = await sample();
  const [path] = [...made!.keys()]
    .filter((path) => path.startsWith("log/"))
    .sort()
    .slice(-1);
  const file = volume.open(path!, "write");
  const end = file.size();
  file.write(new Uint8Array(100).fill(0x41), 0, 100, end);
  file.close();
  const stray = volume.open("blocks/00000000000000ff.blk", "create");
  stray.close();
  const report = await fsck(volume);
  t.same(report.problems, []);
  t.equal(report.tornBytes, 100);
  t.same(report.orphans, ["blocks/00000000000000ff.blk"]);
});

t.test("[ASL-FSCK-4] Bytes that were written wrongly are found by their digests: deep", async (t) => {
  const wrong = bytesOf(5, 300);
  const volume = volumeWith(new Map());
  const store = openSmall({
    volume,
    digest: (algorithm, bytes, into, at) => {
      digestInto(algorithm, bytes, into, at);
      if (Buffer.compare(bytes, wrong) === 0) into[at]! ^= 1;
    },
  });
  await store.putMany([bytesOf(4, 300), wrong, bytesOf(6, 300)]);
  await store.put(bytesOf(7));
  await store.close();
  t.same((await fsck(volume)).problems, []);
  const { problems } = await fsck(volume, { deep: true });
  t.equal(problems.length, 1);
  t.match(problems, [{ code: "ASL-CORRUPT", message: /not what its digest says/ }]);
});

t.test("[ASL-FSCK-5] A damaged artifact is told with all that refers to it", async (t) => {
  const volume = await sample();
  const places = findBytes(volume, "blocks", bytesOf(20, 900));
  t.equal(places.length, 2, "the published copy is another one");
  for (const { path, at } of places) flip(volume, path, at + 500);
  const { problems } = await fsck(volume);
  const told = problems.filter(({ code }) => code === "ASL-CORRUPT");
  t.equal(told.length, 2);
  const all = ["CURRENT", 'snapshot "first"', 'pin "kept"', `binding 1:${"01".repeat(32)}`, 'binding "logo"'];
  t.same(
    told.map(({ affects }) => affects),
    [all, all],
  );
  const large = volumeWith(made!);
  const chunk = findBytes(large, "blocks", bytesOf(22, 9000).subarray(3000, 3400))[0]!;
  flip(large, chunk.path, chunk.at + 100);
  const report = await fsck(large);
  const store = openSmall({ volume: large, options: { readOnly: true } });
  const [key] = [...store.list()].filter(({ length }) => length === 9000).map(({ key }) => key);
  store.close();
  t.ok(report.problems.some((problem) => problem.key === key && problem.affects.includes("CURRENT")));
});

t.test("[ASL-FSCK-6] What follows from the log is made again, and the rest stays as it is", async (t) => {
  const expected = contents(await sample());
  const whole = filesOf(await sample());
  const first = (folder: string): string => [...whole.keys()].filter((path) => path.startsWith(folder)).sort()[0]!;
  const cases: [string, number][] = [
    ["FORMAT", 40],
    ["CURRENT", 60],
    [first("checkpoint/"), 100],
    [first("index/"), 2500],
    [first("log/"), 70],
    [first("blocks/"), 20],
    [first("blocks/"), -20],
  ];
  for (const [path, at] of cases) {
    const volume = await sample();
    flip(volume, path, at);
    const damaged = readFile(volume, path);
    const report = await fsck(volume, { repair: true });
    t.ok(report.problems.length > 0, path);
    t.ok(
      report.problems.every(({ repaired }) => repaired !== undefined),
      `${path}: ${JSON.stringify(report.problems)}`,
    );
    t.same(contents(volume), expected, path);
    t.same((await fsck(volume, { deep: true })).problems, [], path);
    const kept = [...filesOf(volume)].filter(([path]) => path.startsWith("quarantine/"));
    t.ok(
      kept.some(([, bytes]) => Buffer.compare(bytes, damaged) === 0),
      `${path} is in quarantine`,
    );
  }
});

t.test("[ASL-FSCK-2] A folder that is gone is told of, and made again if all that was in it can be", async (t) => {
  const expected = contents(await sample());
  for (const folder of ["log", "blocks", "index", "checkpoint"]) {
    const volume = new MemoryVolume();
    for (const other of ["log", "blocks", "index", "checkpoint"]) if (other !== folder) volume.makeFolder(other);
    for (const [path, bytes] of made!) {
      if (path.startsWith(`${folder}/`)) continue;
      const file = volume.open(path, "create");
      file.write(bytes, 0, bytes.length, 0);
      file.close();
    }
    const { problems } = await fsck(volume);
    t.ok(problems.some(({ file, message }) => file === folder && message === "there is no such folder"));
    const report = await fsck(volume, { repair: true });
    const isWhole = folder === "index" || folder === "checkpoint";
    t.equal(
      report.problems.every(({ repaired }) => repaired !== undefined),
      isWhole,
      folder,
    );
    if (isWhole) t.same(contents(volume), expected);
  }
});

t.test("[ASL-FSCK-6] CURRENT, checkpoint and index may all be gone", async (t) => {
  const expected = contents(await sample());
  const files = new Map([...made!].filter(([path]) => !/^(CURRENT|checkpoint|index)/.test(path)));
  const volume = volumeWith(files);
  const report = await fsck(volume, { repair: true });
  t.ok(report.problems.every(({ repaired }) => repaired !== undefined));
  t.same(contents(volume), expected);
});

t.test("[ASL-FSCK-6] A damaged artifact is copied from where it stands a second time", async (t) => {
  const expected = contents(await sample());
  for (const which of [0, 1]) {
    for (const at of [500, -30]) {
      const volume = await sample();
      const place = findBytes(volume, "blocks", bytesOf(20, 900))[which]!;
      flip(volume, place.path, place.at + at);
      const report = await fsck(volume, { repair: true });
      t.ok(report.problems.length > 0);
      t.ok(
        report.problems.every(({ repaired }) => repaired !== undefined),
        JSON.stringify(report.problems),
      );
      t.same((await fsck(volume, { deep: true })).problems, []);
      t.same(contents(volume), expected);
    }
  }
});

t.test("[ASL-FSCK-6] What can only be guessed stays as it is", async (t) => {
  const volume = await sample();
  const place = findBytes(volume, "blocks", bytesOf(120, 150))[0]!;
  flip(volume, place.path, place.at + 1);
  const before = filesOf(volume);
  const report = await fsck(volume, { repair: true });
  t.ok(report.problems.some(({ code, repaired }) => code === "ASL-CORRUPT" && repaired === undefined));
  const after = filesOf(volume);
  for (const [path, bytes] of before) if (!path.startsWith("LOCK.")) t.same(after.get(path), bytes, path);
});

t.test("[ASL-FSCK-6] After a loss of power in a repair another one goes on", async (t) => {
  const expected = contents(await sample());
  for (const [path, at] of [
    ["index/0000000000000001.seg", 2500],
    ["blocks/0000000000000001.blk", 20],
  ] as const) {
    const damaged = await sample();
    flip(damaged, path, at);
    const volume = simulatedWith(filesOf(damaged));
    const random = new Random(3);
    const images: SimulatedVolume[] = [];
    volume.onCut = () => void images.push(...volume.crashImages(random, 2), volume.killed());
    await fsck(volume, { repair: true });
    t.ok(images.length > 20, `${images.length} images`);
    for (const image of images) {
      await fsck(image, { repair: true });
      t.same((await fsck(image)).problems, []);
      t.same(contents(image), expected);
    }
  }
});

t.test("[ASL-FSCK-7] While another process writes nothing is repaired", async (t) => {
  const volume = await sample();
  t.ok("lock" in acquireLock(volume, alone()));
  flip(volume, "CURRENT", 50);
  const everybody = { ...alone(), isAlive: () => true };
  await t.rejects(fsckVolume(volume, everybody, { repair: true, limits }), { code: "ASL-LOCKED" });
  t.ok((await fsckVolume(volume, everybody, { limits })).problems.length > 0, "it looks all the same");
});

t.test("[ASL-FSCK-1] A store that is open is checked up to what it holds, while it is written to", async (t) => {
  const volume = volumeWith(new Map());
  const store = openSmall({ volume, limits: { tailRows: 10 } });
  await fill(store);
  const checking = store.fsck({ deep: true });
  for (let k = 70; k < 80; k++) await store.put(bytesOf(k));
  const report = await checking;
  t.same(report.problems, []);
  t.ok(report.entries < store.position);
  t.same((await store.fsck()).problems, []);
  const place = findBytes(volume, "blocks", bytesOf(120, 150))[0]!;
  flip(volume, place.path, place.at + 1);
  const { problems } = await store.fsck();
  t.match(
    problems.map(({ code }) => code),
    ["ASL-BLOCK-DAMAGED", "ASL-CORRUPT"],
  );
  await t.rejects(store.fsck({ repair: true }), { code: "ASL-ARGUMENT" });
  await store.close();
});

t.test("[ASL-FSCK-2] An index that is whole and says something else than the log is told of, row by row", async (t) => {
  const volume = volumeWith(new Map());
  const store = openSmall({ volume });
  await fill(store);
  const end = store.position;
  await store.close();
  const { format } = readFormat(volume);
  const check = async (change: (row: Row, add: (row: Row) => void) => void): Promise<string[]> => {
    const index = new ArtifactIndex({
      volume: volumeWith(new Map()),
      seed: format.seed,
      segments: [],
      nextNumber: 1,
      publish: () => undefined,
    });
    const state = new LogState(emptyState(format));
    for (const { header, bytes, at, hash } of readLog(volume, format, state.place))
      state.apply(header, bytes, at, hash, { add: (row) => change(row, (changed) => index.add(changed)) });
    const { problems } = await fsckStore({ volume, format, limits, digest: digestInto, index, end: state.place });
    t.ok(problems.every(({ code }) => code === "ASL-INDEX-DAMAGED"));
    return problems.map(({ message }) => message);
  };
  t.same(await check((row, add) => add(row)), []);
  t.same(await check((row, add) => (row.position === 5 ? undefined : add(row))), [
    "the index does not have the entry at position 5",
  ]);
  const changes: ((row: Row) => void)[] = [
    (row) => void (row.offset += 8),
    (row) => void row.length++,
    (row) => void (row.logseq += 2 ** 32),
    (row) => void (row.flags ^= 2),
    (row) => void row.tag++,
    (row) => void (row.kind = RowKind.TOMBSTONE),
    (row) => void row.source++,
  ];
  for (const change of changes) {
    const messages = await check((row, add) => {
      if (row.position === 5) change(row);
      add(row);
    });
    t.same(messages, ["the index says something else of the entry at position 5"]);
  }
  const messages = await check((row, add) => {
    add(row);
    if (row.position !== end - 1) return;
    row.digest[3]! ^= 1;
    add(row);
  });
  t.match(messages, [/the index has \d+ rows, the log \d+/]);
});

t.test("A report says so much of a block and no more", async (t) => {
  const volume = await sample();
  const path = blockPath(1);
  const files = new Map(filesOf(volume));
  files.set(path, new Uint8Array(files.get(path)!.length));
  const { problems } = await fsck(volumeWith(files));
  t.ok(problems.length > 2 && problems.length <= 1000);
});
