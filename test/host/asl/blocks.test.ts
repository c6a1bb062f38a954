import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { crc32 as crc } from "node:zlib";
import t, { type Test } from "tap";
import { BLOCK_HEADER_BYTES, blockPath, decodeBlockHeader, LOG_BIT } from "../../../host/asl/block-file.ts";
import type { ScannedRecord } from "../../../host/asl/block-scan.ts";
import { BLOCK_LIMITS, type Blocks } from "../../../host/asl/blocks.ts";
import { ALGORITHMS } from "../../../host/asl/key.ts";
import { RECORD_BYTES, RecordFlag, recordSize } from "../../../host/asl/record.ts";
import {
  append,
  blocksOn,
  contents,
  DOMAIN,
  errorOf,
  newVolume,
  type Put,
  pattern,
  recordOf,
  replace,
  SEED,
  WatchedVolume,
} from "./block-stores.ts";

const same = (left: Uint8Array, right: Uint8Array): boolean => Buffer.compare(left, right) === 0;

/** Every way to read it. */
function checkReads(t: Test, blocks: Blocks, { bytes, digest, place }: Put, what: string): void {
  const { length } = bytes;
  for (const verify of [true, false]) {
    const how = `${what}${verify ? "" : ", not verified"}`;
    t.ok(same(blocks.get(place, digest, 0, verify), bytes), `${how}: get`);
    const into = new Uint8Array(length + 16).fill(0xaa);
    t.equal(blocks.readInto(place, digest, 0, into, 8, 0, length + 100, verify), Math.min(length, length + 8));
    t.ok(same(into.subarray(8, 8 + length), bytes), `${how}: whole`);
    t.ok(into[7] === 0xaa && into[8 + length] === 0xaa, `${how}: no more than asked for`);
    for (const [offset, count] of [
      [0, 1],
      [1, length],
      [length >> 1, 3],
      [length - 1, 1],
      [length, 1],
      [length + 5, 1],
      [65_530, 12],
      [65_536, 65_536],
      [1, 65_536],
    ] as const) {
      if (offset < 0) continue;
      const part = bytes.subarray(offset, offset + count);
      const target = new Uint8Array(count);
      t.equal(blocks.readInto(place, digest, 0, target, 0, offset, count, verify), part.length);
      if (!same(target.subarray(0, part.length), part)) t.fail(`${how}: ${count} bytes from ${offset}`);
    }
    t.ok(same(Buffer.concat([...blocks.pieces(place, digest, 0, { verify })]), bytes), `${how}: pieces`);
    const middle = { verify, offset: length >> 2, length: length >> 1 };
    t.ok(
      same(
        Buffer.concat([...blocks.pieces(place, digest, 0, middle)]),
        bytes.subarray(length >> 2, (length >> 2) + (length >> 1)),
      ),
      `${how}: pieces of a part`,
    );
  }
}

const SIZES = [0, 1, 7, 8, 9, 255, 256, 4095, 4096, 4097, 8191, 8193, 65_535, 65_536, 65_537, 131_072, 300_001];

t.test("[ASL-BLOCK-7] what is read is what was put: sizes around every border, all algorithms", (t) => {
  const volume = newVolume();
  const blocks = blocksOn({ volume });
  const block = blocks.createPacked(false);
  const puts: Put[] = [];
  for (const [k, length] of SIZES.entries())
    puts.push(append(block, pattern(length, k), { algorithm: 1 + (k % ALGORITHMS.length), position: k + 1 }));
  block.sync();
  for (const put of puts) checkReads(t, blocks, put, `${put.bytes.length} bytes`);
  block.seal();
  const again = blocksOn({ volume, nextBlock: blocks.nextBlock });
  for (const put of puts) t.ok(same(again.get(put.place, put.digest, 0, true), put.bytes));
  // Of a key that stands inside other bytes, too.
  const { bytes, digest, place } = puts[5]!;
  const key = Buffer.concat([Buffer.from("xx"), digest]);
  t.ok(same(again.get(place, key, 2, true), bytes) && same(again.get(place, key, 2, false), bytes));
  t.end();
});

t.test("results are memory of the caller's own, at a multiple of 8", (t) => {
  const blocks = blocksOn();
  const block = blocks.createPacked(false);
  const puts = Array.from({ length: 600 }, (_, k) => append(block, pattern(k, k)));
  for (const verify of [true, false]) {
    const results = puts.map(({ place, digest }) => blocks.get(place, digest, 0, verify));
    t.ok(results.every((bytes, k) => same(bytes, puts[k]!.bytes)));
    t.ok(results.every(({ byteOffset }) => byteOffset % 8 === 0));
    for (const bytes of results) bytes.fill(0);
    t.ok(puts.every((put) => same(blocks.get(put.place, put.digest, 0, verify), put.bytes)));
  }
  t.end();
});

t.test(
  "[ASL-BLOCK-7] records that are read in a row come from one read of many; those of another order do not",
  (t) => {
    const counting = new WatchedVolume(newVolume());
    const blocks = blocksOn({ volume: counting });
    const block = blocks.createPacked(false);
    const puts = Array.from({ length: 1000 }, (_, k) => append(block, pattern(200 + (k % 50), k)));
    const big = append(block, pattern(10_000));
    puts.push(big, ...Array.from({ length: 100 }, (_, k) => append(block, pattern(100, k))));
    for (const verify of [true, false]) {
      counting.reads = 0;
      for (const { place, digest, bytes } of puts)
        if (!same(blocks.get(place, digest, 0, verify), bytes)) t.fail(`at ${place.offset}`);
      t.ok(counting.reads < 20, `${counting.reads} reads for ${puts.length} records`);
      const into = new Uint8Array(10_000);
      for (const { place, digest, bytes } of puts) {
        blocks.readInto(place, digest, 0, into, 0, 0, bytes.length, verify);
        if (!same(into.subarray(0, bytes.length), bytes)) t.fail(`at ${place.offset}`);
      }
      counting.reads = 0;
      for (const { place, digest, bytes } of puts.toReversed())
        if (!same(blocks.get(place, digest, 0, verify), bytes)) t.fail(`at ${place.offset}`);
      t.ok(counting.reads >= puts.length);
    }
    // What is appended behind the window is found.
    const [before, last] = [append(block, pattern(64, 1)), append(block, pattern(64, 2))];
    for (const put of [...puts.slice(-3), before, last])
      t.ok(same(blocks.get(put.place, put.digest, 0, false), put.bytes));
    const later = append(block, pattern(64, 3));
    t.ok(same(blocks.get(later.place, later.digest, 0, false), later.bytes));
    t.end();
  },
);

t.test("[ASL-BLOCK-10] a window over what was taken back shows what is there now", (t) => {
  const faulty = new WatchedVolume(newVolume());
  const blocks = blocksOn({ volume: faulty });
  const block = blocks.createPacked(false);
  const puts = Array.from({ length: 5 }, (_, k) => append(block, pattern(64, k)));
  // The header of what is appended comes to the file, and not all of the rest.
  faulty.cutNextWrite = RECORD_BYTES + 10;
  const lost = pattern(64, 77);
  t.equal(errorOf(() => append(block, lost)).code, "ASL-NO-SPACE");
  for (const { place, digest } of puts) blocks.get(place, digest, 0, false);
  const put = append(block, lost);
  t.ok(same(blocks.get(put.place, put.digest, 0, false), lost));
  t.end();
});

t.test("who gives a result away does not give others away with it", (t) => {
  const blocks = blocksOn();
  const block = blocks.createPacked(false);
  const puts = [1, 2, 3].map((k) => append(block, pattern(100, k)));
  const read = (k: number) => blocks.get(puts[k]!.place, puts[k]!.digest, 0, k === 1);
  const first = read(0);
  t.throws(() => structuredClone(first, { transfer: [first.buffer as ArrayBuffer] }));
  t.ok(same(first, puts[0]!.bytes));
  for (const k of [0, 1, 2]) t.ok(same(read(k), puts[k]!.bytes));
  t.end();
});

t.test("[ASL-BLOCK-7] two artifacts whose digests agree in 64 bits are told apart", (t) => {
  // A digest of which only the last byte says what the bytes are.
  const digest = (_: number, bytes: Uint8Array, into: Buffer, at: number): void => {
    into.fill(9, at, at + 32);
    into[at + 31] = bytes[0]!;
  };
  const blocks = blocksOn({ digest });
  const block = blocks.createPacked(false);
  const one = append(block, Uint8Array.of(1, 2), { digest });
  const two = append(block, Uint8Array.of(2, 2), { digest });
  for (const verify of [true, false]) {
    t.strictSame([...blocks.get(one.place, one.digest, 0, verify)], [1, 2]);
    t.strictSame([...blocks.get(two.place, two.digest, 0, verify)], [2, 2]);
    // An index that takes one for the other.
    t.equal(errorOf(() => blocks.get(one.place, two.digest, 0, verify)).code, "ASL-BLOCK-DAMAGED");
    const into = new Uint8Array(2);
    t.equal(errorOf(() => blocks.readInto(two.place, one.digest, 0, into, 0, 0, 2, verify)).code, "ASL-BLOCK-DAMAGED");
    t.equal(errorOf(() => blocks.readInto(two.place, one.digest, 0, into, 0, 0, 1, verify)).code, "ASL-BLOCK-DAMAGED");
  }
  t.end();
});

t.test("[ASL-BLOCK-7] every byte of a block flipped: an error with its place, or the same bytes", (t) => {
  const volume = newVolume();
  const blocks = blocksOn({ volume });
  const block = blocks.createPacked(true);
  const puts = [0, 1, 40, 300].map((length, k) => append(block, pattern(length, k), { position: k + 1 }));
  block.seal();
  const path = blockPath(1);
  const good = contents(volume, path);
  const codes = new Map<string, number>();
  const into = new Uint8Array(300);
  for (let at = 0; at < good.length; at++) {
    const bad = Buffer.from(good);
    bad[at]! ^= 1 + (at % 255);
    replace(volume, path, bad);
    const damaged = blocksOn({ volume });
    for (const { bytes, digest, place } of puts) {
      const isInside = at >= place.offset && at < place.offset + recordSize(bytes.length);
      const isPayload = at >= place.offset + RECORD_BYTES && at < place.offset + RECORD_BYTES + bytes.length;
      for (const act of [
        () => damaged.get(place, digest, 0, true),
        () => {
          into.fill(0);
          return into.slice(0, damaged.readInto(place, digest, 0, into, 0, 0, bytes.length, true));
        },
        () => Buffer.concat([...damaged.pieces(place, digest, 0)]),
        // Half of it is whole, or nothing is.
        () => {
          const half = into.slice(0, damaged.readInto(place, digest, 0, into, 0, 0, bytes.length >> 1, true));
          return Buffer.concat([half, bytes.subarray(half.length)]);
        },
      ]) {
        try {
          if (!same(act(), bytes)) t.fail(`byte ${at}: other bytes`);
        } catch (error) {
          const { code, place: where } = error as ReturnType<typeof errorOf>;
          codes.set(code, (codes.get(code) ?? 0) + 1);
          if (!isInside && at >= BLOCK_HEADER_BYTES) t.fail(`byte ${at}: ${code} of a record that is whole`);
          if (code === "ASL-CORRUPT") {
            t.ok(where.file === path && where.offset === place.offset + RECORD_BYTES && /^sha256:/.test(where.key!));
          }
          if (isPayload && code !== "ASL-CORRUPT") t.fail(`byte ${at}: ${code}`);
        }
      }
      // Not verified it may be damaged; but it is no other artifact's, and its length is right.
      try {
        const got = damaged.get(place, digest, 0, false);
        if (got.length !== bytes.length || (!isPayload && !same(got, bytes))) t.fail(`byte ${at}, not verified`);
      } catch (error) {
        const { code } = error as ReturnType<typeof errorOf>;
        if (code !== "ASL-BLOCK-DAMAGED" && code !== "ASL-VERSION") t.fail(`byte ${at}: ${code}`);
      }
    }
  }
  t.ok((codes.get("ASL-CORRUPT") ?? 0) > 300, [...codes].join(" "));
  t.end();
});

t.test("[ASL-BLOCK-7] a record that is only probably at a place, of which a bound of the length is known", (t) => {
  const volume = newVolume();
  const blocks = blocksOn({ volume });
  const block = blocks.createPacked(false);
  const puts = [0, 1, 40, 300, 4000, 5000].map((length, k) => append(block, pattern(length, k)));
  append(block, pattern(10, 99));
  block.sync();
  const into = new Uint8Array(5000);
  const read = (reading: Blocks, { digest, place }: Put, wrong: Partial<Put["place"]>, verify: boolean) => {
    const hint = () => ({ ...place, length: Math.min(place.length + 60, 4090), ...wrong });
    const whole = reading.getHinted(hint(), 1, digest, 0, verify);
    into.fill(0xee);
    const count = reading.readIntoHinted(hint(), 1, digest, 0, into, 3, 0, 4999, verify);
    t.equal(whole === undefined, count < 0);
    if (whole !== undefined)
      t.ok(same(into.subarray(3, 3 + count), whole) && into[2] === 0xee && into[3 + count] === 0xee);
    return whole;
  };
  for (const verify of [true, false]) {
    for (const put of puts.toReversed()) {
      const found = read(blocks, put, {}, verify);
      if (put.bytes.length > 4090) t.equal(found, undefined);
      else t.ok(same(found!, put.bytes), `${put.bytes.length} bytes`);
      for (const wrong of [
        { offset: put.place.offset + 8 },
        { offset: 2 ** 40 },
        { block: 7 },
        { offset: (put === puts[1] ? puts[2]! : puts[1]!).place.offset },
      ])
        t.equal(read(blocks, put, wrong, verify), undefined);
      if (put.bytes.length > 0) t.equal(read(blocks, put, { length: put.bytes.length - 1 }, verify), undefined);
      const part = new Uint8Array(20);
      const count = blocks.readIntoHinted({ ...put.place, length: 4090 }, 1, put.digest, 0, part, 0, 5, 7, verify);
      const expected = put.bytes.subarray(5, 12);
      if (count >= 0) t.ok(count === expected.length && same(part.subarray(0, count), expected));
    }
  }
  const good = contents(volume, block.path);
  const [, , put] = puts;
  const { offset } = put!.place;
  for (let at = offset; at < offset + RECORD_BYTES + 40; at++) {
    const bad = Buffer.from(good);
    bad[at]! ^= 0x21;
    replace(volume, block.path, bad);
    const damaged = blocksOn({ volume });
    const verified = read(damaged, put!, {}, true);
    if (verified !== undefined && !same(verified, put!.bytes)) t.fail(`byte ${at}: other bytes`);
    const found = read(damaged, put!, {}, false);
    if (found !== undefined && (at < offset + RECORD_BYTES || found.length !== 40)) t.fail(`byte ${at}, not verified`);
  }
  t.end();
});

t.test("[ASL-BLOCK-10] what is taken back is not there", (t) => {
  const volume = newVolume();
  const blocks = blocksOn({ volume });
  const block = blocks.createPacked(false);
  const one = append(block, pattern(10));
  const { end } = block;
  const lost = append(block, pattern(500));
  t.ok(blocks.get(lost.place, lost.digest, 0, true));
  block.rewind(end);
  const two = append(block, pattern(20));
  t.equal(two.place.offset, end);
  for (const put of [one, two]) t.ok(same(blocks.get(put.place, put.digest, 0, false), put.bytes));
  block.seal();
  t.equal(contents(volume, block.path).length, block.end + 64);
  t.equal([...blocks.scan(1)].length, 2);
  t.end();
});

t.test("[ASL-BLOCK-7] a block that ends early: what is there is read, the rest is damaged", (t) => {
  const volume = newVolume();
  const blocks = blocksOn({ volume });
  const block = blocks.createPacked(false);
  const puts = [10, 0, 300, 70_000].map((length, k) => append(block, pattern(length, k)));
  block.sync();
  const path = blockPath(1);
  const good = contents(volume, path);
  for (let length = 0; length <= good.length; length += length < 800 ? 1 : 997) {
    replace(volume, path, good.subarray(0, length));
    const cut = blocksOn({ volume });
    for (const { bytes, digest, place } of puts) {
      const end = place.offset + RECORD_BYTES + bytes.length;
      for (const verify of [true, false]) {
        let result: Uint8Array | string;
        try {
          result = cut.get(place, digest, 0, verify);
        } catch (error) {
          result = (error as ReturnType<typeof errorOf>).code;
        }
        if (typeof result === "string" ? result !== "ASL-BLOCK-DAMAGED" || length >= end : !same(result, bytes))
          t.fail(`${bytes.length} bytes of a file of ${length}: ${String(result).slice(0, 40)}`);
      }
    }
  }
  t.pass("no other bytes");
  t.end();
});

t.test("[ASL-BLOCK-7] lengths and places that are lies: an error, and no memory for what is not there", (t) => {
  const volume = newVolume();
  const blocks = blocksOn({ volume });
  const block = blocks.createPacked(false);
  const small = append(block, pattern(100));
  const large = append(block, pattern(70_000));
  block.sync();
  const before = process.memoryUsage().arrayBuffers;
  for (const { place, digest } of [small, large]) {
    for (const lie of [
      { length: 2 ** 40 },
      { length: 2 ** 53 - 1 },
      { length: place.length + 1 },
      { length: place.length - 1 },
      { length: 65_537 },
      { length: 65_536 },
      { offset: 2 ** 35 },
      { offset: 0 },
      { offset: place.offset + 8 },
      { flags: RecordFlag.CHUNKED },
      { block: 2 },
      { block: LOG_BIT + 1 },
      { algorithm: 2 },
    ]) {
      const lied = { ...place, ...lie };
      for (const verify of [true, false]) {
        const { code } = errorOf(() => blocks.get(lied, digest, 0, verify));
        t.ok(code === "ASL-BLOCK-DAMAGED" || code === "ASL-CORRUPT", `${JSON.stringify(lie)}: ${code}`);
        const part = errorOf(() => blocks.readInto(lied, digest, 0, new Uint8Array(10), 0, 5, 10, verify));
        t.ok(part.code === "ASL-BLOCK-DAMAGED" || part.code === "ASL-CORRUPT", `${JSON.stringify(lie)}: ${part.code}`);
      }
    }
  }
  t.ok(process.memoryUsage().arrayBuffers - before < 50e6);
  t.end();
});

t.test("[ASL-BLOCK-7] a volume that gives less than it is asked for, or an error", (t) => {
  const volume = newVolume();
  const block = blocksOn({ volume }).createPacked(false);
  const puts = [0, 1, 300, 5000, 70_000].map((length, k) => append(block, pattern(length, k)));
  block.seal();
  for (const most of [1000, 7777]) {
    const faulty = new WatchedVolume(volume);
    faulty.mostRead = most;
    const blocks = blocksOn({ volume: faulty });
    for (const put of puts) checkReads(t, blocks, put, `${put.bytes.length} bytes, ${most} at a time`);
    t.equal([...blocks.scan(1)].filter((record) => record.state() === "whole").length, puts.length);
  }
  const faulty = new WatchedVolume(volume);
  const blocks = blocksOn({ volume: faulty });
  const [, , put] = puts;
  t.ok(blocks.get(put!.place, put!.digest, 0, true));
  faulty.readError = "EIO";
  const error = errorOf(() => blocks.get(put!.place, put!.digest, 0, true));
  t.match(error, { code: "ASL-READ", place: { file: blockPath(1), offset: put!.place.offset + RECORD_BYTES } });
  faulty.readError = undefined;
  t.ok(blocks.get(put!.place, put!.digest, 0, true), "it is asked again");
  t.end();
});

t.test("[ASL-BLOCK-1] the header of a block file", (t) => {
  const volume = newVolume();
  const blocks = blocksOn({ volume, nextBlock: 0x1a2b });
  const block = blocks.createPacked(true);
  t.equal(block.path, "blocks/0000000000001a2b.blk");
  const bytes = contents(volume, block.path);
  t.equal(bytes.length, 64);
  t.equal(bytes.toString("hex", 0, 16), "894153420d0a1a0a0100000000000000");
  t.strictSame(decodeBlockHeader(bytes, ""), {
    domain: DOMAIN,
    number: 0x1a2b,
    isPublished: true,
    isOwn: false,
    seed: SEED,
  });
  let known = 0;
  const put = append(block, pattern(9));
  for (let at = 0; at < 64; at++) {
    const bad = Buffer.from(bytes);
    bad[at]! ^= 0x10;
    if (decodeBlockHeader(bad, "") !== undefined) known++;
  }
  t.equal(known, 0, "no damaged header is one");
  // Later versions say so, in a whole header; a damaged one hides no record.
  const change = (act: (header: Buffer) => void): string => {
    const whole = contents(volume, block.path);
    const good = Buffer.from(whole);
    act(whole);
    replace(volume, block.path, whole);
    try {
      blocksOn({ volume }).get(put.place, put.digest, 0, true);
      return "";
    } catch (error) {
      return (error as ReturnType<typeof errorOf>).code;
    } finally {
      replace(volume, block.path, good);
    }
  };
  const resummed = (value: number, at: number) => (header: Buffer) => {
    header.writeUInt32LE(value, at);
    header.writeUInt32LE(crc(header.subarray(0, 60)), 60);
  };
  t.equal(
    change((header) => header.writeUInt32LE(2, 8)),
    "",
  );
  t.equal(change(resummed(2, 8)), "ASL-VERSION");
  t.equal(change(resummed(1, 12)), "ASL-VERSION");
  t.equal(change(resummed(1, 32)), "ASL-BLOCK-DAMAGED", "another block");
  t.equal(change(resummed(1, 44)), "ASL-BLOCK-DAMAGED", "another store's");
  t.end();
});

t.test("[ASL-BLOCK-2] a sealed block ends with a footer, and takes no more", (t) => {
  const volume = newVolume();
  const blocks = blocksOn({ volume, limits: { blockBytes: 1000 } });
  const block = blocks.createPacked(false);
  const puts: Put[] = [];
  while (!block.isFull) puts.push(append(block, pattern(50, puts.length)));
  t.equal(block.end, 64 + puts.length * 128);
  t.ok(block.end + 64 >= 1000 && block.end + 64 < 1128);
  t.equal(blocks.inspect(1).footerAt, undefined);
  block.seal();
  block.seal();
  t.equal(errorOf(() => append(block, pattern(1))).code, "ASL-ARGUMENT");
  const bytes = contents(volume, block.path);
  const footer = bytes.subarray(-64);
  t.equal(bytes.length, block.end + 64);
  t.equal(footer.toString("latin1", 0, 4), "ABFT");
  t.equal(footer.readUInt32LE(4), crc(footer.subarray(8), SEED));
  t.equal(footer.readBigUInt64LE(16), BigInt(block.end));
  t.ok(footer.subarray(8, 16).every((byte) => byte === 0) && footer.subarray(24).every((byte) => byte === 0));
  t.match(blocks.inspect(1), { path: block.path, size: bytes.length, footerAt: block.end });
  for (const at of [0, 5, 8, 20, 63]) {
    const bad = Buffer.from(bytes);
    bad[block.end + at]! ^= 1;
    replace(volume, block.path, bad);
    t.equal(blocksOn({ volume }).inspect(1).footerAt, undefined, `byte ${at}`);
  }
  t.end();
});

t.test("[ASL-BLOCK-10] a block is opened again where its end is known to be", (t) => {
  const volume = newVolume();
  const blocks = blocksOn({ volume });
  const block = blocks.createPacked(true);
  const one = append(block, pattern(500, 1));
  const { end } = block;
  append(block, pattern(500, 2));
  block.sync();
  block.close();
  const next = blocksOn({ volume, nextBlock: 2 });
  const again = next.reopenPacked(1, end);
  t.match(again, { number: 1, end, isPublished: true });
  t.equal(contents(volume, again.path).length, end, "what was not acknowledged is gone");
  const three = append(again, pattern(10, 3));
  again.sync();
  t.equal(three.place.offset, end);
  for (const { place, digest, bytes } of [one, three]) t.ok(same(next.get(place, digest, 0, true), bytes));
  again.close();
  t.equal(errorOf(() => next.reopenPacked(1, again.end + 8)).code, "ASL-BLOCK-DAMAGED", "shorter than it was");
  t.equal(errorOf(() => next.reopenPacked(9, 64)).code, "ASL-BLOCK-DAMAGED", "it is gone");
  const bad = contents(volume, again.path);
  bad[20]! ^= 1;
  replace(volume, again.path, bad);
  t.equal(errorOf(() => next.reopenPacked(1, end)).code, "ASL-BLOCK-DAMAGED", "its header is damaged");
  t.end();
});

t.test("[ASL-BLOCK-10] an append that fails leaves the end where it is, and nothing behind a footer", (t) => {
  const faulty = new WatchedVolume(newVolume());
  const blocks = blocksOn({ volume: faulty });
  const block = blocks.createPacked(false);
  const one = append(block, pattern(100, 1));
  const { end } = block;
  faulty.cutNextWrite = 5000;
  const error = errorOf(() => append(block, pattern(9000, 2)));
  t.match(error, { code: "ASL-NO-SPACE", place: { file: block.path, offset: end } });
  t.equal(block.end, end);
  t.equal(errorOf(() => block.append(Buffer.alloc(9), 0, 9)).code, "ASL-ARGUMENT", "no whole records");
  const two = append(block, pattern(10, 3));
  t.equal(two.place.offset, end);
  block.seal();
  t.equal(blocks.inspect(1).footerAt, block.end);
  t.equal([...blocks.scan(1)].length, 2);
  for (const { place, digest, bytes } of [one, two]) t.ok(same(blocks.get(place, digest, 0, true), bytes));
  t.end();
});

t.test(
  "[ASL-BLOCK-10] sync: the file, then the folder if there are new names; discard removes; numbers that are taken are passed over",
  (t) => {
    const faulty = new WatchedVolume(newVolume());
    const blocks = blocksOn({ volume: faulty });
    const left = faulty.open(blockPath(2), "create");
    left.close();
    const block = blocks.createPacked(false);
    append(block, pattern(10));
    faulty.log.length = 0;
    block.sync();
    append(block, pattern(10, 1));
    block.sync();
    t.strictSame(faulty.log, ["sync blocks/0000000000000001.blk", "sync blocks", "sync blocks/0000000000000001.blk"]);
    const third = blocks.createPacked(false);
    t.equal(third.number, 3);
    t.equal(blocks.nextBlock, 4);
    third.discard();
    t.strictSame(faulty.list("blocks").sort(), ["0000000000000001.blk", "0000000000000002.blk"]);
    const sealed = blocks.createPacked(false);
    append(sealed, pattern(3));
    sealed.seal();
    sealed.discard();
    faulty.log.length = 0;
    blocks.syncBlock(1);
    t.strictSame(faulty.log, ["sync blocks/0000000000000001.blk"]);
    blocks.removeUnnamed(1, new Set([1]));
    t.strictSame(faulty.list("blocks"), ["0000000000000001.blk"]);
    faulty.syncError = "EIO";
    t.match(
      errorOf(() => block.sync()),
      { code: "ASL-WRITE", place: { file: block.path } },
    );
    t.end();
  },
);

t.test("[ASL-BLOCK-12] a bounded number of files is open, and none is closed while it is read", (t) => {
  const counting = new WatchedVolume(newVolume());
  const blocks = blocksOn({ volume: counting, limits: { openFiles: 4 } });
  const puts: Put[] = [];
  for (let k = 0; k < 20; k++) {
    const block = blocks.createPacked(false);
    puts.push(append(block, pattern(400_000, k)), append(block, pattern(10, k)));
    block.seal();
  }
  const slow = puts
    .slice(0, 3 * 2)
    .filter((_, k) => k % 2 === 0)
    .map(({ place, digest }) => blocks.pieces(place, digest, 0));
  const read = slow.map((pieces) => [pieces.next().value!]);
  let most = 0;
  for (let round = 0; round < 3; round++) {
    for (const { place, digest, bytes } of puts) {
      if (!same(blocks.get(place, digest, 0, true), bytes)) t.fail(`block ${place.block}`);
      most = Math.max(most, counting.openFiles);
    }
  }
  t.equal(most, 4);
  t.equal(blocks.openFiles, 4);
  for (const [k, pieces] of slow.entries()) {
    for (const piece of pieces) read[k]!.push(piece);
    t.ok(same(Buffer.concat(read[k]!), puts[2 * k]!.bytes));
  }
  // The one that was asked for last stays.
  const [{ place, digest }] = [puts[1]!];
  counting.opens = 0;
  for (let k = 0; k < 10; k++) {
    blocks.get(place, digest, 0, true);
    blocks.get(puts[2 * k + 3]!.place, puts[2 * k + 3]!.digest, 0, true);
  }
  t.ok(counting.opens <= 11, `${counting.opens} opened`);
  blocks.close();
  t.equal(counting.openFiles, 0);
  t.equal(blocks.openFiles, 0);
  t.ok(same(blocks.get(puts[1]!.place, puts[1]!.digest, 0, true), puts[1]!.bytes), "and are opened again");
  t.end();
});

t.test("[ASL-BLOCK-12] more files at once than the process may have; a file that is gone", (t) => {
  const counting = new WatchedVolume(newVolume());
  const blocks = blocksOn({ volume: counting });
  const puts: Put[] = [];
  for (let k = 0; k < 8; k++) {
    const block = blocks.createPacked(false);
    puts.push(append(block, pattern(10, k)));
    block.seal();
  }
  counting.mostOpen = 3;
  for (const { place, digest, bytes } of puts) t.ok(same(blocks.get(place, digest, 0, true), bytes));
  t.equal(counting.openFiles, 3);
  blocks.removeFile(1);
  const { place, digest } = puts[0]!;
  const error = errorOf(() => blocks.get(place, digest, 0, true));
  t.match(error, { code: "ASL-BLOCK-DAMAGED", place: { file: blockPath(1) } });
  t.end();
});

t.test("[ASL-BLOCK-13] the block that the specification shows", (t) => {
  const spec = readFileSync(new URL("../../../specs/21-asl-store-index.md", import.meta.url), "utf8");
  const [, dump] = /\*\*ASL-BLOCK-13\*\*[^`]*```\n([^`]*)```/.exec(spec)!;
  const shown = Buffer.from(dump!.replace(/^[0-9a-f]{4} {2}/gm, "").replace(/\s/g, ""), "hex");
  const volume = newVolume();
  const blocks = blocksOn({ volume });
  const block = blocks.createPacked(false);
  const flags = RecordFlag.HAS_TAG;
  const hello = append(block, Buffer.from("hello"), { flags, tag: 7, position: 1, logseq: 1 });
  append(block, new Uint8Array(0), { position: 2, logseq: 2 });
  block.seal();
  t.equal(contents(volume, block.path).toString("hex"), shown.toString("hex"));
  t.equal(Buffer.from(blocks.get(hello.place, hello.digest, 0, true)).toString(), "hello");
  t.end();
});

t.test("[ASL-BLOCK-6] one reader reads records of every kind, whatever the sizes were", async (t) => {
  const volume = newVolume();
  const writing = blocksOn({ volume, limits: { blockBytes: 500, ownBytes: 1000, chunkBytes: 300 } });
  const bytes = pattern(2500);
  const own = await writing.writeOwn([bytes.subarray(0, 900)], { algorithm: 1, flags: 0, tag: 0 });
  const chunked = await writing.writeOwn([bytes], { algorithm: 1, flags: 0, tag: 0, length: 2500 });
  for (const written of [own, chunked]) {
    written.finish(1, 1);
    written.sync();
  }
  const block = writing.createPacked(false);
  const packed = append(block, bytes.subarray(0, 2000));
  t.ok(block.isFull);
  block.seal();
  const reading = blocksOn({ volume });
  t.ok(same(reading.get(own, own.digest, 0, true), bytes.subarray(0, 900)));
  t.ok(same(reading.get(chunked, chunked.digest, 0, true), bytes));
  t.ok(same(reading.get(packed.place, packed.digest, 0, true), bytes.subarray(0, 2000)));
  t.equal(BLOCK_LIMITS.blockBytes, 67_108_864);
  t.equal(BLOCK_LIMITS.ownBytes, 1_073_741_824);
  t.equal(BLOCK_LIMITS.chunkBytes, 67_108_864);
});

// ——— Scans

const found = (record: ScannedRecord): string =>
  `${record.offset}+${record.size} ${record.position} ${Buffer.from(record.digest).toString("hex", 0, 4)} ${record.state()}`;

t.test("[ASL-BLOCK-11] a scan finds every record of an undamaged block, and no others", (t) => {
  const volume = newVolume();
  const blocks = blocksOn({ volume });
  const block = blocks.createPacked(false);
  // A payload that is a record of this very store, and one that a guest made without its seed.
  const inner = recordOf(pattern(20, 5), { position: 99 });
  const crafted = recordOf(pattern(20, 6), { position: 98, seed: 0 });
  const puts = [pattern(10), inner, crafted, pattern(70_000), new Uint8Array(0), pattern(1_200_000)].map((bytes, k) =>
    append(block, bytes, { position: k + 1, logseq: 7, tag: k, flags: k === 2 ? RecordFlag.HAS_TAG : 0 }),
  );
  block.seal();
  const gaps: string[] = [];
  const options = { gap: (from: number, to: number) => void gaps.push(`${from}-${to}`) };
  const records = [...blocks.scan(1, options)];
  t.strictSame(
    records.map(({ block, offset, length, position, logseq, tag, algorithm, digest }) => ({
      place: { block, offset, length, flags: tag === 2 ? RecordFlag.HAS_TAG : 0, algorithm },
      digest,
      position,
      logseq,
    })),
    puts.map(({ place, digest }, k) => ({ place, digest, position: k + 1, logseq: 7 })),
  );
  t.ok(records.every((record) => record.state() === "whole"));
  t.strictSame(
    records.map((record) => record.artifactLength()),
    puts.map(({ bytes }) => bytes.length),
  );
  t.strictSame(gaps, []);
  const from = puts[2]!.place.offset;
  t.strictSame(
    [...blocks.scan(1, { from, to: puts[4]!.place.offset })].map(({ position }) => position),
    [3, 4],
  );
  t.end();
});

t.test("[ASL-BLOCK-4] after damage, a record that a guest made is not found: it does not know the seed", (t) => {
  const volume = newVolume();
  const blocks = blocksOn({ volume });
  const block = blocks.createPacked(false);
  const crafted = recordOf(pattern(20, 6), { position: 98, seed: 0 });
  const hidden = Buffer.concat([pattern(16), crafted, crafted]);
  const puts = [pattern(10), hidden, pattern(30)].map((bytes, k) => append(block, bytes, { position: k + 1 }));
  block.seal();
  const bad = contents(volume, block.path);
  bad[puts[1]!.place.offset + 16]! ^= 1;
  replace(volume, block.path, bad);
  const gaps: string[] = [];
  const records = [...blocksOn({ volume }).scan(1, { gap: (from, to) => void gaps.push(`${from}-${to}`) })];
  t.strictSame(
    records.map(({ position }) => position),
    [1, 3],
  );
  t.strictSame(gaps, [`${puts[1]!.place.offset}-${puts[2]!.place.offset}`]);
  t.end();
});

t.test(
  "[ASL-BLOCK-11] every byte flipped: the other records are found, and none that is not whole is said to be",
  (t) => {
    const volume = newVolume();
    const blocks = blocksOn({ volume });
    const block = blocks.createPacked(false);
    const puts = [5, 0, 40, 120].map((length, k) => append(block, pattern(length, k), { position: k + 1 }));
    block.seal();
    const good = contents(volume, block.path);
    for (let at = 0; at < good.length; at++) {
      const bad = Buffer.from(good);
      bad[at]! ^= 0x40;
      replace(volume, block.path, bad);
      const seen = [...blocksOn({ volume }).scan(1)].map(found);
      const expected = puts.flatMap(({ place, digest }, k) => {
        const size = recordSize(place.length);
        const text = `${place.offset}+${size} ${k + 1} ${Buffer.from(digest).toString("hex", 0, 4)}`;
        const inside = at - place.offset;
        if (inside < 0 || inside >= size) return [`${text} whole`];
        return inside < RECORD_BYTES ? [] : [`${text} damaged`];
      });
      if (seen.join("\n") !== expected.join("\n")) t.strictSame(seen, expected, `byte ${at}`);
    }
    t.pass("all bytes");
    t.end();
  },
);

t.test("[ASL-BLOCK-11] a block that is cut off, one without an end, and what is no block", (t) => {
  const volume = newVolume();
  const blocks = blocksOn({ volume });
  const block = blocks.createPacked(false);
  const puts = [5, 40, 2000].map((length, k) => append(block, pattern(length, k), { position: k + 1 }));
  block.sync();
  const good = contents(volume, block.path);
  for (let length = 0; length < good.length; length += length < 400 ? 1 : 61) {
    replace(volume, block.path, good.subarray(0, length));
    const gaps: [number, number][] = [];
    const states = [...blocksOn({ volume }).scan(1, { gap: (...gap) => void gaps.push(gap) })].map((record) =>
      record.state(),
    );
    const whole = puts.filter(({ place }) => place.offset + recordSize(place.length) <= length).length;
    const torn = puts.some(
      ({ place: { offset, length: bytes } }) => offset + RECORD_BYTES <= length && offset + recordSize(bytes) > length,
    );
    const expected = [...Array<string>(whole).fill("whole"), ...(torn ? ["torn"] : [])];
    if (states.join() !== expected.join()) t.strictSame(states, expected, `${length} bytes`);
    const end = puts.reduce((end, { place: { offset, length: bytes } }) => {
      const to = offset + recordSize(bytes);
      return to <= length ? to : end;
    }, 64);
    if (end < length) t.ok(gaps.length === 1 && gaps[0]![0] === end && gaps[0]![1] === length, `gap at ${length}`);
  }
  replace(volume, block.path, Buffer.concat([good, Buffer.alloc(5000)]));
  t.equal([...blocksOn({ volume }).scan(1)].length, 3, "zeros behind");
  replace(volume, block.path, pattern(3_000_000));
  t.equal([...blocksOn({ volume }).scan(1)].length, 0, "other bytes");
  replace(volume, block.path, Buffer.alloc(0));
  t.equal([...blocksOn({ volume }).scan(1)].length, 0, "nothing");
  t.equal(errorOf(() => [...blocks.scan(7)]).code, "ASL-BLOCK-DAMAGED");
  t.end();
});

t.test("[ASL-BLOCK-11] the records of a log file, wherever its frames are", (t) => {
  const volume = newVolume();
  const blocks = blocksOn({ volume });
  const records = [pattern(10), pattern(70_000, 3)].map((bytes, k) => recordOf(bytes, { position: k + 1 }));
  const file = volume.open(blockPath(LOG_BIT + 1), "create");
  const bytes = Buffer.concat([pattern(128), pattern(512, 9), records[0]!, pattern(256, 8), records[1]!, pattern(8)]);
  file.write(bytes, 0, bytes.length, 0);
  const seen = [...blocks.scan(LOG_BIT + 1)];
  t.strictSame(
    seen.map((record) => [record.block, record.offset, record.state()]),
    [
      [LOG_BIT + 1, 640, "whole"],
      [LOG_BIT + 1, 640 + records[0]!.length + 256, "whole"],
    ],
  );
  // And they are read from there.
  const digest = createHash("sha256").update(pattern(10)).digest();
  const place = { block: LOG_BIT + 1, offset: 640, length: 10, flags: 0, algorithm: 1 };
  for (const verify of [true, false]) t.ok(same(blocks.get(place, digest, 0, verify), pattern(10)));
  const raw = new Uint8Array(20);
  t.equal(blocks.peek(LOG_BIT + 1, 640, raw, 20), 20);
  t.ok(same(raw, records[0]!.subarray(0, 20)));
  t.equal(blocks.peek(LOG_BIT + 1, bytes.length - 3, raw, 20), 3);
  t.strictSame(blocks.locationOf(place), { file: "log/0000000000000001.log", offset: 640 });
  t.end();
});
