import t from "tap";
import { ArtifactIndex, Located, type SegmentEntry } from "../../../host/asl/artifact-index.ts";
import { AslError } from "../../../host/asl/errors.ts";
import { bindingDigest, Row, RowFlag, RowKind } from "../../../host/asl/index-rows.ts";
import type { MemoryVolume } from "../../../host/asl/memory-volume.ts";
import type { Volume, VolumeFile } from "../../../host/asl/volume.ts";
import { Random } from "../../vm/random.ts";
import { anyRow, craftedDigest, memory, Published, SEED, textOf } from "./index-rows.ts";

function randomDigest(random: Random): Uint8Array {
  const digest = new Uint8Array(32);
  for (let k = 0; k < 32; k++) digest[k] = random.below(256);
  return digest;
}

/** Rows of different digests, at positions from `first` on. */
function someRows(random: Random, count: number, first = 1): Row[] {
  return Array.from({ length: count }, (_, k) => anyRow(random, [randomDigest(random)], first + k));
}

function addAll(index: ArtifactIndex, rows: readonly Row[]): void {
  for (const row of rows) index.add(row);
}

/** What the index says of each row. */
function answers(index: ArtifactIndex, rows: readonly Row[]): string[] {
  const into = new Row();
  return rows.map(({ kind, algorithm, digest }) => {
    into.digest.set(digest);
    return index.find(into, kind >= RowKind.BINDING, algorithm, digest, 0, Number.POSITIVE_INFINITY)
      ? textOf(into)
      : "";
  });
}

/** Where the index says that the artifact of each row is. */
function located(index: ArtifactIndex, rows: readonly Row[]): string[] {
  const into = new Row();
  return rows.map(({ algorithm, digest }) => {
    into.digest.set(digest);
    const how = index.locate(into, algorithm, digest, 0, Number.POSITIVE_INFINITY);
    if (how === Located.HINT) return `${into.block} ${into.offset} ${into.length}`;
    return how === Located.ROW ? textOf(into) : "";
  });
}

function scanned(index: ArtifactIndex, asOf = Number.POSITIVE_INFINITY): string[] {
  const out: string[] = [];
  for (const row of index.scan(asOf)) out.push(textOf(row));
  return out;
}

/** A volume that tells what it is asked for, and fails when it is told to. */
function watched(volume: Volume, see: (what: string, path: string, length: number) => void): Volume {
  return {
    open: (path, mode) => {
      see(`open ${mode}`, path, 0);
      const file = volume.open(path, mode);
      const out: VolumeFile = {
        size: () => file.size(),
        read: (into, at, length, position) => {
          see("read", path, length);
          return file.read(into, at, length, position);
        },
        write: (bytes, at, length, position) => {
          see("write", path, length);
          file.write(bytes, at, length, position);
        },
        writeLater: (bytes, at, length, position) => file.writeLater(bytes, at, length, position),
        sync: () => {
          see("sync", path, 0);
          file.sync();
        },
        truncate: (length) => file.truncate(length),
        close: () => {
          see("close", path, 0);
          file.close();
        },
      };
      return out;
    },
    list: (folder) => volume.list(folder),
    makeFolder: (path) => volume.makeFolder(path),
    rename: (from, to) => volume.rename(from, to),
    link: (from, to) => volume.link(from, to),
    remove: (path) => {
      see("remove", path, 0);
      volume.remove(path);
    },
    syncFolder: (path) => {
      see("sync folder", path, 0);
      volume.syncFolder(path);
    },
  };
}

function readAll(volume: Volume, path: string): Uint8Array {
  const file = volume.open(path, "read");
  const bytes = new Uint8Array(file.size());
  file.read(bytes, 0, bytes.length, 0);
  file.close();
  return bytes;
}

function replace(volume: Volume, path: string, bytes: Uint8Array): void {
  volume.remove(path);
  const file = volume.open(path, "create");
  file.write(bytes, 0, bytes.length, 0);
  file.close();
}

/** Segments of so many rows each. */
function segmentsOf(volume: Volume, rows: readonly Row[], each: number): Published {
  const published = new Published(volume, { fanIn: 1000, mostSegments: 1000 });
  const index = published.open();
  for (let at = 0; at < rows.length; at += each) {
    const part = rows.slice(at, at + each);
    addAll(index, part);
    index.freeze(part.at(-1)!.position);
    index.finish();
  }
  index.close();
  return published;
}

t.test("[ASL-INDEX-2] a name of a binding stands in the index as the digest of its namespace and itself", async (t) => {
  const digest = bindingDigest(0x0102_0304, Buffer.from("name".padEnd(32)));
  const { createHash } = process.getBuiltinModule("node:crypto");
  const expected = createHash("sha256")
    .update("ASL-BINDING")
    .update(Buffer.of(4, 3, 2, 1))
    .update("name".padEnd(32))
    .digest();
  t.same(Buffer.from(digest), expected);
});

t.test("[ASL-INDEX-1] a row that a segment has no room for is refused", async (t) => {
  const index = new Published(memory()).open();
  const row = new Row();
  row.kind = RowKind.PUT;
  row.position = 1;
  row.length = 2 ** 48;
  t.throws(() => index.add(row), { code: "ASL-LIMIT" });
  row.length = 1;
  row.offset = 2 ** 35;
  t.throws(() => index.add(row), { code: "ASL-LIMIT" });
  row.offset = 0;
  index.add(row);
  row.position = 1 + 2 ** 32;
  t.throws(() => index.add(row), { code: "ASL-LIMIT" });
  t.equal(index.openCount, 1);
});

t.test(
  "[ASL-INDEX-6] a segment is on disk before it is published, and files that it replaces go after that",
  async (t) => {
    const log: string[] = [];
    const volume = watched(memory(), (what, path) => log.push(`${what} ${path}`));
    const published = new Published(volume, { openRows: 50, fanIn: 2, mostSegments: 2 });
    published.before = () => log.push("publish");
    const index = published.open();
    const rows = someRows(new Random(1), 100);
    addAll(index, rows.slice(0, 50));
    index.freeze(50);
    index.finish();
    addAll(index, rows.slice(50));
    index.freeze(100);
    index.finish();
    t.equal(published.through, 100);
    while (index.debt > 0) index.work(10);
    const [one, two, three] = [1, 2, 3].map((number) => `index/${String(number).padStart(16, "0")}.seg`);
    const order = log.filter((line) => !line.startsWith("write") && !line.startsWith("read"));
    const written = (path: string | undefined): string[] => [
      `sync ${path}`,
      "sync folder index",
      `close ${path}`,
      `open read ${path}`,
      "publish",
    ];
    t.same(order, [
      `open create ${one}`,
      ...written(one),
      `open create ${two}`,
      ...written(two),
      `open create ${three}`,
      ...written(three),
      `close ${one}`,
      `remove ${one}`,
      `close ${two}`,
      `remove ${two}`,
    ]);
    t.ok(log.lastIndexOf(`write ${three}`) < log.indexOf(`sync ${three}`));
    t.same(
      published.segments.map(({ number, count, firstPosition, lastPosition }) => ({
        number,
        count,
        firstPosition,
        lastPosition,
      })),
      [{ number: 3, count: 100, firstPosition: 1, lastPosition: 100 }],
    );
    t.same(answers(index, rows), rows.map(textOf));
    index.close();
  },
);

t.test(
  "[ASL-INDEX-7] files that no list names are removed when a writer opens the index, and their numbers are not used",
  async (t) => {
    const volume = memory();
    const rows = someRows(new Random(2), 30);
    const published = segmentsOf(volume, rows, 30);
    for (const name of ["00000000000000ff.seg", "0000000000000007.seg", "other"])
      volume.open(`index/${name}`, "create").close();
    published.open({ readOnly: true }).close();
    t.equal(volume.list("index").length, 4);
    const index = published.open();
    t.same(volume.list("index").sort(), ["0000000000000001.seg", "other"]);
    addAll(index, someRows(new Random(3), 5, 31));
    index.freeze(35);
    index.finish();
    t.equal(published.segments.at(-1)?.number, 0x100);
    t.equal(published.nextNumber, 0x101);
    index.close();
  },
);

t.test("[ASL-INDEX-7] what is frozen or half merged when the index is closed leaves nothing", async (t) => {
  const volume = memory();
  const rows = someRows(new Random(4), 400);
  const published = segmentsOf(volume, rows, 100);
  const index = new ArtifactIndex({
    volume,
    seed: SEED,
    segments: published.segments,
    nextNumber: published.nextNumber,
    tuning: { openRows: 100, fanIn: 4 },
    publish: () => t.fail("nothing is complete"),
  });
  index.work(100);
  addAll(index, someRows(new Random(5), 10, 401));
  index.freeze(410);
  index.work(3);
  t.ok(volume.list("index").length >= 5);
  index.close();
  index.close();
  t.same(
    volume.list("index").sort(),
    published.segments.map(({ number }) => `${String(number).padStart(16, "0")}.seg`),
  );
});

t.test(
  "[ASL-INDEX-10] a reader goes on with the segments that it opened while a writer merges and removes them",
  async (t) => {
    const volume = memory();
    const rows = someRows(new Random(6), 300);
    const published = segmentsOf(volume, rows, 30);
    const reader = published.open({ readOnly: true });
    const scan = reader.scan(250);
    const first = scan.next().value as Row;
    const firstText = textOf(first);
    const writer = new ArtifactIndex({
      volume,
      seed: SEED,
      segments: published.segments,
      nextNumber: published.nextNumber,
      tuning: { openRows: 30, fanIn: 2, mostSegments: 1 },
      publish: () => {},
    });
    while (writer.debt > 0) writer.work(100);
    t.equal(writer.segmentCount, 1);
    t.equal(volume.list("index").length, 1);
    t.same(answers(reader, rows), rows.map(textOf));
    const rest: string[] = [];
    for (const row of { [Symbol.iterator]: () => scan }) rest.push(textOf(row));
    t.same([firstText, ...rest], scanned(writer, 250));
    t.equal(reader.debt, 0);
    reader.close();
    writer.close();
  },
);

t.test("[ASL-INDEX-9] work comes in slices: none is much longer than it was asked to be", async (t) => {
  let read = 0;
  let written = 0;
  const volume = watched(memory(), (what, _, length) => {
    if (what === "read") read += length;
    if (what === "write") written += length;
  });
  const random = new Random(7);
  const rows = someRows(random, 8000);
  const published = new Published(volume, { openRows: 2000, fanIn: 4 });
  const index = published.open();
  let calls = 0;
  let mostRead = 0;
  let mostWritten = 0;
  let debt = 0;
  for (let at = 0; at < rows.length; at += 2000) {
    addAll(index, rows.slice(at, at + 2000));
    index.freeze(at + 2000);
    debt += index.debt;
    for (; index.debt > 0; calls++) {
      const before = index.debt;
      const count = published.count;
      read = 0;
      written = 0;
      index.work(50);
      // What was published may have begun a merge.
      if (published.count === count) t.ok(before - index.debt <= 60, `${before - index.debt} rows`);
      mostRead = Math.max(mostRead, read);
      mostWritten = Math.max(mostWritten, written);
    }
  }
  t.ok(calls > debt / 60, `${calls} calls for ${debt} rows`);
  t.ok(mostRead <= 4 * 64 * 2048, `${mostRead} bytes read`);
  t.ok(mostWritten <= 2 ** 20, `${mostWritten} bytes written`);
  t.equal(index.segmentCount, 1);
  t.same(answers(index, rows), rows.map(textOf));
  t.same(index.stats().rowsFlushed, 8000);
  t.same(index.stats().rowsMerged, 8000);
  index.close();
});

t.test("[ASL-INDEX-9] each row is written a bounded number of times, and few segments remain", async (t) => {
  const published = new Published(memory(), { openRows: 400 });
  const index = published.open();
  const random = new Random(8);
  const rows = 400 * 70;
  let most = 0;
  for (let position = 1; position <= rows; position++) {
    index.add(anyRow(random, [randomDigest(random)], position));
    if (index.isFull) index.freeze(position);
    if (position % 20 === 0) index.work(20 * 7);
    most = Math.max(most, index.segmentCount);
  }
  while (index.debt > 0) index.work(1000);
  // Of 70 tables: each row is merged at most once in each class of sizes, and there are four.
  t.ok(index.stats().rowsMerged <= 4 * rows, `${index.stats().rowsMerged / rows} times`);
  t.ok(index.segmentCount <= 8);
  t.ok(most <= 12, `${most} segments`);
  t.same(index.check(rows), []);
  index.close();
});

t.test("[ASL-INDEX-11] what fails leaves answers right, and is begun again", async (t) => {
  let isFull = false;
  let isFailing = "";
  const base = memory();
  const volume = watched(base, (what) => {
    if (isFull && what === "write") throw Object.assign(new Error("no space"), { code: "ENOSPC" });
    if (isFailing === what) throw Object.assign(new Error("i/o error"), { code: "EIO" });
  });
  const published = new Published(volume, { openRows: 100, fanIn: 2 });
  const index = published.open();
  const rows = someRows(new Random(9), 300);
  addAll(index, rows.slice(0, 100));
  index.freeze(100);
  isFull = true;
  t.throws(() => index.finish(), { code: "ASL-NO-SPACE" });
  isFull = false;
  t.same(base.list("index"), []);
  isFailing = "sync";
  t.throws(() => index.finish(), { code: "ASL-WRITE" });
  isFailing = "sync folder";
  t.throws(() => index.finish(), { code: "ASL-WRITE" });
  isFailing = "";
  published.before = () => {
    throw new AslError("ASL-WRITE", "CURRENT cannot be written");
  };
  t.throws(() => index.finish(), { message: "CURRENT cannot be written" });
  // It may be what a checkpoint names by now.
  t.equal(base.list("index").length, 1);
  published.before = () => {};
  t.same(answers(index, rows.slice(0, 100)), rows.slice(0, 100).map(textOf));
  index.finish();
  addAll(index, rows.slice(100, 200));
  index.freeze(200);
  index.finish();
  t.ok(index.debt > 0, "a merge is due");
  isFull = true;
  t.throws(() => index.work(1000), { code: "ASL-NO-SPACE" });
  isFull = false;
  isFailing = "read";
  t.throws(() => index.work(1000), { code: "ASL-READ" });
  t.throws(() => answers(index, rows), { code: "ASL-READ" });
  isFailing = "";
  t.same(answers(index, rows), [...rows.slice(0, 200).map(textOf), ...rows.slice(200).map(() => "")]);
  while (index.debt > 0) index.work(50);
  t.equal(index.segmentCount, 1);
  t.same(answers(index, rows.slice(0, 200)), rows.slice(0, 200).map(textOf));
  t.same(
    published.segments.map(({ count }) => count),
    [200],
  );
  index.close();
});

t.test(
  "[ASL-SEGMENT-8, ASL-SEGMENT-10] whatever byte of a segment is changed, it is refused or answers are the same",
  async (t) => {
    const volume = memory();
    const random = new Random(10);
    const digests = Array.from({ length: 30 }, () => craftedDigest(random));
    const rows = Array.from({ length: 40 }, (_, k) => anyRow(random, digests, k + 1));
    const published = segmentsOf(volume, rows, 40);
    const keys = [...rows, ...someRows(random, 30, 100)];
    const path = "index/0000000000000001.seg";
    const bytes = readAll(volume, path);
    const options = { readOnly: true, budgetBytes: 2 ** 20 };
    const index = published.open(options);
    const expected = answers(index, keys);
    const places = located(index, keys);
    t.ok(places.some((place) => place.split(" ").length === 3));
    const all = scanned(index);
    index.close();
    let refused = 0;
    let unused = 0;
    const wrong: string[] = [];
    for (let at = 0; at < bytes.length; at++) {
      const changed = bytes.slice();
      changed[at]! ^= 1 << random.below(8);
      replace(volume, path, changed);
      let damaged: ArtifactIndex | undefined;
      try {
        damaged = published.open(options);
      } catch (error) {
        if ((error as AslError).code !== "ASL-INDEX-DAMAGED") throw error;
        refused++;
        continue;
      }
      let errors = 0;
      for (let k = 0; k < keys.length; k += 1 + random.below(5)) {
        try {
          if (answers(damaged, [keys[k]!])[0] !== expected[k]) wrong.push(`byte ${at}, key ${k}`);
          if (located(damaged, [keys[k]!])[0] !== places[k]) wrong.push(`byte ${at}, place ${k}`);
        } catch (error) {
          if ((error as AslError).code !== "ASL-INDEX-DAMAGED") throw error;
          errors++;
        }
      }
      try {
        if (scanned(damaged).join() !== all.join()) wrong.push(`byte ${at}, scan`);
      } catch (error) {
        if ((error as AslError).code !== "ASL-INDEX-DAMAGED") throw error;
        errors++;
      }
      if (damaged.check(0).length === 0) wrong.push(`byte ${at}, check`);
      if (errors > 0) refused++;
      else unused++;
      damaged.close();
    }
    t.same(wrong, []);
    // Behind the header, up to the first page, is nothing that a lookup reads.
    t.same({ refused, unused }, { refused: bytes.length - (2048 - 128), unused: 2048 - 128 });
    for (let length = 0; length < bytes.length; length += 1 + random.below(100)) {
      replace(volume, path, bytes.subarray(0, length));
      t.throws(() => published.open({ readOnly: true }), { code: "ASL-INDEX-DAMAGED" });
    }
    volume.remove(path);
    t.throws(() => published.open({ readOnly: true }), { code: "ASL-INDEX-DAMAGED", cause: { code: "ENOENT" } });
  },
);

t.test("[ASL-SEGMENT-8] a page of another segment, or of another place, is damage", async (t) => {
  const volume = memory();
  const rows = someRows(new Random(11), 290);
  const published = segmentsOf(volume, rows, 290);
  const path = "index/0000000000000001.seg";
  const bytes = readAll(volume, path);
  const moved = bytes.slice();
  moved.copyWithin(2048, 4096, 6144);
  replace(volume, path, moved);
  const index = published.open();
  const answered = rows.map((row) => {
    try {
      return answers(index, [row])[0];
    } catch (error) {
      return (error as AslError).code;
    }
  });
  t.equal(answered.filter((answer) => answer === "ASL-INDEX-DAMAGED").length, 29);
  t.same(
    answered.filter((answer, k) => answer !== "ASL-INDEX-DAMAGED" && answer !== textOf(rows[k]!)),
    [],
  );
  const seen: string[] = [];
  const problems = index.check(Number.POSITIVE_INFINITY, (row) => seen.push(textOf(row)));
  t.match(problems, [{ code: "ASL-INDEX-DAMAGED", place: { file: path, offset: 2048 } }]);
  t.equal(seen.length, 290 - 29);
  t.throws(() => scanned(index), { code: "ASL-INDEX-DAMAGED" });
  index.close();
});

t.test(
  "[ASL-SEGMENT-8] a list that says other things of a segment than it does is damage, and costs no memory",
  async (t) => {
    const volume = memory();
    const published = segmentsOf(volume, someRows(new Random(12), 100), 100);
    const [entry] = published.segments as [SegmentEntry];
    for (const lie of [
      { count: 99 },
      { count: 101 },
      { count: 2 ** 52 },
      { firstPosition: 2 },
      { lastPosition: 2 ** 40 },
      { bytes: entry.bytes - 8 },
      { bytes: 2 ** 50 },
      { digest: new Uint8Array(32) },
    ]) {
      published.segments = [{ ...entry, ...lie }];
      t.throws(() => published.open(), { code: "ASL-INDEX-DAMAGED" }, JSON.stringify(lie));
    }
  },
);

t.test(
  "[ASL-SEGMENT-10, ASL-INDEX-13] a hint is the place of the newest row, with a bound of its length; what has none asks the row",
  async (t) => {
    const random = new Random(14);
    const lengths = [0, 1, 64, 65, 96, 97, 128, 129, 192, 193, 256, 257, 384, 385, 512, 513, 768, 769, 1024, 1025];
    lengths.push(
      1536,
      1537,
      2048,
      2049,
      4096,
      4097,
      8192,
      8193,
      16_384,
      16_385,
      32_767,
      32_768,
      32_769,
      2 ** 32,
      2 ** 40,
    );
    const rows: Row[] = [];
    const add = (change: Partial<Row>, digest = randomDigest(random)): Row => {
      const row = new Row();
      const position = rows.length + 1;
      row.digest.set(digest);
      rows.push(Object.assign(row, { kind: RowKind.PUT, algorithm: 1, block: 7, offset: 64, position, ...change }));
      return row;
    };
    const plain = lengths.map((length) => add({ length }));
    const far = add({ offset: 2 ** 26 - 8 });
    const farther = add({ offset: 2 ** 26 });
    const inLog = add({ block: 0x8000_0003, offset: 128 });
    const chunked = add({ flags: RowFlag.CHUNKED });
    const removed = add({ kind: RowKind.TOMBSTONE });
    const twice = add({});
    add({ flags: RowFlag.HAS_TAG, tag: 1 }, twice.digest);
    const otherAlgorithm = add({ algorithm: 2 }, plain[0]!.digest);
    for (let block = 0; block < 600; block++) add({ block: 1000 + block, offset: 8 * block, length: block });
    const published = segmentsOf(memory(), rows, rows.length);
    const index = published.open({ budgetBytes: 2 ** 20 });
    const into = new Row();
    const locate = (row: Row, asOf = Number.POSITIVE_INFINITY): number =>
      index.locate(into, row.algorithm, row.digest, 0, asOf);
    const bounds = new Set<number>();
    let hints = 0;
    for (const row of rows) {
      const how = locate(row);
      if (how !== Located.HINT) continue;
      hints++;
      t.ok(row.kind === RowKind.PUT && row.flags === 0 && row.length <= into.length);
      t.ok(row.length <= 64 ? into.length === 64 : into.length < 2 * row.length, `${row.length} ${into.length}`);
      t.same([into.block, into.offset], [row.block, row.offset]);
      bounds.add(into.length);
      if (row !== rows.at(-1)) t.equal(locate(row, rows.length - 1), Located.ROW, "views of the past ask the row");
    }
    // 512 blocks have numbers, and a few rows share their marks or begin a page.
    t.ok(hints > 480 && hints <= 512 + lengths.length, `${hints} hints`);
    t.ok(
      [64, 96, 1024, 2048, 32_768].every((bound) => bounds.has(bound)),
      [...bounds].join(),
    );
    t.ok([Located.HINT, Located.ROW].includes(locate(far) as 1) && locate(inLog) !== Located.NONE);
    for (const row of [
      farther,
      chunked,
      removed,
      twice,
      otherAlgorithm,
      ...plain.filter(({ length }) => length > 32_768),
    ])
      t.equal(locate(row), Located.ROW, textOf(row));
    index.close();
    const without = published.open({ budgetBytes: 0 });
    t.ok(
      rows.every((row) => without.locate(into, row.algorithm, row.digest, 0, Number.POSITIVE_INFINITY) === Located.ROW),
    );
    t.equal(without.stats().locatorBytes, 0);
    without.close();
  },
);

t.test("[ASL-INDEX-12] pages are kept within the budget, and answers do not depend on it", async (t) => {
  const volume: MemoryVolume = memory();
  const random = new Random(13);
  const rows = someRows(random, 6000);
  const published = segmentsOf(volume, rows, 3000);
  const expected = rows.map(textOf);
  for (const budgetBytes of [0, 100_000, 2 ** 20]) {
    const index = published.open({ budgetBytes });
    t.same(answers(index, rows), expected);
    const { cacheBytes, locatorBytes, pagesRead, segmentBytes } = index.stats();
    const most = Math.max(budgetBytes, 16 * 2048);
    t.ok(cacheBytes + locatorBytes <= most, `${cacheBytes} and ${locatorBytes} bytes of ${budgetBytes}`);
    t.ok(segmentBytes < 6000 * 2, `${segmentBytes} bytes are always there`);
    t.same(answers(index, rows), expected);
    const again = index.stats().pagesRead - pagesRead;
    t.ok(budgetBytes === 2 ** 20 ? again === 0 : again > 1000, `${again} pages read again`);
    index.close();
  }
});
