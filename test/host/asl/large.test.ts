import { createHash } from "node:crypto";
import { mkdirSync } from "node:fs";
import { crc32 } from "node:zlib";
import t from "tap";
import { BLOCK_HEADER_BYTES, blockPath } from "../../../host/asl/block-file.ts";
import type { BlockLimits, Blocks } from "../../../host/asl/blocks.ts";
import { decodeChunkList, encodeChunkList } from "../../../host/asl/chunk-list.ts";
import { AslError } from "../../../host/asl/errors.ts";
import { folderVolume } from "../../../host/asl/folder-volume.ts";
import { ALGORITHMS } from "../../../host/asl/key.ts";
import { LeafThread, leafThread } from "../../../host/asl/leaf-thread.ts";
import type { OwnOptions, Written } from "../../../host/asl/own-block.ts";
import { LEAF_BYTES, RECORD_BYTES, RecordFlag, recordSize } from "../../../host/asl/record.ts";
import { rootOf } from "../../../host/assets/tree-hash.ts";
import { blocksOn, contents, errorLater, errorOf, newVolume, pattern, replace, WatchedVolume } from "./block-stores.ts";

const MIB = 1024 * 1024;
const OPTIONS: OwnOptions = { algorithm: 1, flags: 0, tag: 0 };
const same = (left: Uint8Array, right: Uint8Array): boolean => Buffer.compare(left, right) === 0;

/** The bytes in pieces of these sizes, one after the other and again. */
function* cut(bytes: Uint8Array, ...sizes: number[]): Generator<Uint8Array> {
  for (let at = 0, k = 0; at < bytes.length; k++) {
    const size = sizes[k % sizes.length]!;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function written(blocks: Blocks, bytes: Uint8Array, options: Partial<OwnOptions> = {}): Promise<Written> {
  const result = await blocks.writeOwn(cut(bytes, 1000, 1, 70_000), { ...OPTIONS, ...options });
  result.finish(5, 6);
  result.sync();
  return result;
}

/** Reads of it all and of parts, checked and not. */
function checkReads(t: { fail(message: string): void }, blocks: Blocks, place: Written, bytes: Uint8Array): void {
  const { digest } = place;
  for (const verify of [true, false]) {
    if (!same(blocks.get(place, digest, 0, verify), bytes)) t.fail(`get of ${bytes.length}`);
    if (!same(Buffer.concat([...blocks.pieces(place, digest, 0, { verify })]), bytes)) t.fail(`pieces`);
    for (let k = 0; k < 40; k++) {
      const offset = Math.floor((((k * 7919) % 997) / 997) * (bytes.length + 2));
      const length = k % 3 === 0 ? bytes.length : 1 + ((k * 104_729) % 200_000);
      const part = bytes.subarray(offset, offset + length);
      const into = new Uint8Array(length).fill(0x55);
      const count = blocks.readInto(place, digest, 0, into, 0, offset, length, verify);
      if (count !== part.length || !same(into.subarray(0, count), part)) t.fail(`${length} bytes from ${offset}`);
      if (into.subarray(count, count + 64).some((byte) => byte !== 0x55)) t.fail("more than there is");
    }
  }
}

t.test("[ASL-BLOCK-8] an artifact in a block of its own, of every size and in every kind of pieces", async (t) => {
  const volume = newVolume();
  const blocks = blocksOn({ volume });
  for (const length of [0, 1, 65_535, 65_536, 65_537, MIB - 1, MIB, MIB + 1, 2 * MIB, 2 * MIB + 65_536, 3_000_001]) {
    const bytes = pattern(length, length);
    const algorithm = 1 + (length % ALGORITHMS.length);
    const flags = RecordFlag.HAS_TAG | RecordFlag.PUBLISHED;
    const result = await written(blocks, bytes, { algorithm, flags, tag: 77 });
    t.match(result, { algorithm, flags, tag: 77, offset: BLOCK_HEADER_BYTES, length });
    t.ok(
      same(
        result.digest,
        createHash(ALGORITHMS[algorithm - 1]!.host)
          .update(bytes)
          .digest(),
      ),
      `digest of ${length}`,
    );
    checkReads(t, blocks, result, bytes);
    const { header, footerAt, size } = blocks.inspect(result.block);
    t.match(header, { isOwn: true, isPublished: true, number: result.block });
    t.equal(footerAt, BLOCK_HEADER_BYTES + recordSize(length));
    t.equal(size, footerAt! + 64);
    const [record, ...others] = [...blocks.scan(result.block)];
    t.equal(others.length, 0);
    t.equal(record!.state(), "whole");
    t.match(record, { position: 5, logseq: 6, tag: 77, flags: flags | RecordFlag.OWN | record!.flags });

    // Pushed, it is the same file.
    const writer = blocks.ownWriter({ algorithm, flags, tag: 77 });
    for (const piece of cut(bytes, 300_000, 7)) writer.write(piece);
    t.equal(writer.length, length);
    const pushed = writer.end();
    pushed.finish(5, 6);
    const [left, right] = [contents(volume, blockPath(result.block)), contents(volume, blockPath(pushed.block))];
    t.ok(same(left.subarray(64), right.subarray(64)), "and the other way it is written is the same");
    pushed.discard();
    result.discard();
  }
  t.strictSame(volume.list("blocks"), []);
});

const SMALL: Partial<BlockLimits> = { ownBytes: 4000, chunkBytes: 1000 };

t.test("[ASL-BLOCK-9] longer than one record: chunks and a list of them", async (t) => {
  const volume = newVolume();
  const blocks = blocksOn({ volume, limits: SMALL });
  for (const length of [3999, 4000, 4001, 7999, 8000, 8001, 20_000, 100_123]) {
    const bytes = pattern(length, length);
    const digest = createHash("sha256").update(bytes).digest();
    for (const known of [undefined, length]) {
      const before = volume.list("blocks").length;
      const result = await written(blocks, bytes, { length: known, tag: 3, flags: RecordFlag.HAS_TAG });
      const isChunked = length > 4000;
      const chunkBytes = known === undefined ? 4000 : 1000;
      t.equal(result.flags, RecordFlag.HAS_TAG | (isChunked ? RecordFlag.CHUNKED : 0));
      t.equal(result.length, length);
      t.ok(same(result.digest, digest));
      const files = volume.list("blocks").length - before;
      t.equal(files, isChunked ? Math.ceil(length / chunkBytes) + 1 : 1, `files of ${length}`);
      checkReads(t, blocks, result, bytes);
      const [record] = [...blocks.scan(result.block)];
      t.equal(record!.state(), "whole");
      t.equal(record!.artifactLength(), length);
      t.match(record, { tag: 3, position: 5, logseq: 6 });
      if (isChunked) {
        const payload = new Uint8Array(record!.length);
        blocks.peek(result.block, result.offset + RECORD_BYTES, payload, payload.length);
        const list = decodeChunkList(payload)!;
        const leaves = [...cut(bytes, chunkBytes)].map((leaf) =>
          createHash("sha256").update(Uint8Array.of(0)).update(leaf).digest(),
        );
        t.ok(same(payload.subarray(24, 56), rootOf(leaves, length, chunkBytes)));
        for (const [k, chunk] of list.chunks.entries()) {
          const [found] = [...blocks.scan(chunk.block)];
          const { length } = bytes.subarray(k * chunkBytes, (k + 1) * chunkBytes);
          t.ok(same(chunk.digest, leaves[k]!) && same(found!.digest, leaves[k]!));
          t.match(found, { offset: chunk.offset, length, position: 0, logseq: 0, tag: 0, algorithm: 1 });
          t.equal(found!.flags, RecordFlag.CHUNK | RecordFlag.OWN);
          t.equal(found!.state(), "whole");
        }
        t.strictSame(
          blocks.chunkBlocks(result, digest, 0),
          list.chunks.map(({ block }) => block),
        );
      }
      result.discard();
    }
  }
  t.strictSame(volume.list("blocks"), []);
});

t.test("[ASL-BLOCK-9] chunks longer than a leaf, pushed, in another algorithm", async (t) => {
  const blocks = blocksOn({ limits: { ownBytes: 200_000, chunkBytes: 150_000 } });
  const bytes = pattern(1_234_567);
  for (const length of [undefined, bytes.length, 10, 2 ** 40]) {
    const writer = blocks.ownWriter({ ...OPTIONS, algorithm: 2, length });
    for (const piece of cut(bytes, 33_333)) writer.write(piece);
    const result = writer.end();
    result.finish(1, 1);
    result.sync();
    t.ok(same(result.digest, createHash("sha3-256").update(bytes).digest()));
    checkReads(t, blocks, result, bytes);
    result.discard();
  }
});

t.test("[ASL-BLOCK-8] a length that was promised and is not kept changes nothing", async (t) => {
  const volume = newVolume();
  const blocks = blocksOn({ volume, limits: SMALL });
  const bytes = pattern(500);
  const result = await written(blocks, bytes, { length: 1_000_000 });
  t.equal(result.flags, 0);
  checkReads(t, blocks, result, bytes);
  t.equal(volume.list("blocks").length, 1);
  // Exactly one chunk is no chunked artifact.
  const whole = await written(blocks, pattern(1000), { length: 1_000_000 });
  t.equal(whole.flags, 0);
  checkReads(t, blocks, whole, pattern(1000));
});

t.test("[ASL-BLOCK-8] bytes that change after they were taken change nothing", async (t) => {
  const blocks = blocksOn();
  const bytes = pattern(3 * MIB);
  const piece = new Uint8Array(100_000);
  async function* reused(): AsyncGenerator<Uint8Array> {
    for (const part of cut(bytes, piece.length)) {
      piece.set(part);
      yield piece.subarray(0, part.length);
      piece.fill(0);
      await undefined;
    }
  }
  const result = await blocks.writeOwn(reused(), OPTIONS);
  result.finish(1, 1);
  t.ok(same(blocks.get(result, result.digest, 0, true), bytes));
});

t.test("[ASL-BLOCK-7] a damaged byte of a large artifact: only ranges that touch its leaf are refused", async (t) => {
  const volume = newVolume();
  const blocks = blocksOn({ volume });
  const length = 5 * 65_536 + 100;
  const bytes = pattern(length);
  const result = await written(blocks, bytes);
  const path = blockPath(result.block);
  const good = contents(volume, path);
  const payloadAt = BLOCK_HEADER_BYTES + RECORD_BYTES;
  const table = payloadAt + length;
  const into = new Uint8Array(length);
  const damagedAt = (at: number): Blocks => {
    const bad = Buffer.from(good);
    bad[at]! ^= 1;
    replace(volume, path, bad);
    return blocksOn({ volume });
  };
  for (const at of [0, 65_535, 65_536, 3 * 65_536 + 5, length - 1]) {
    const damaged = damagedAt(payloadAt + at);
    const leaf = at - (at % 65_536);
    for (let from = 0; from < length; from += 65_536) {
      const act = () => damaged.readInto(result, result.digest, 0, into, 0, from + 10, 80, true);
      if (from !== leaf) t.equal(act(), 80);
      else t.match(errorOf(act), { code: "ASL-CORRUPT", place: { file: path, offset: payloadAt + leaf } });
    }
    const expected = { code: "ASL-CORRUPT", place: { file: path, offset: payloadAt + leaf, key: /^sha256:/ } };
    t.match(
      errorOf(() => damaged.get(result, result.digest, 0, true)),
      expected,
    );
    t.match(
      errorOf(() => damaged.readInto(result, result.digest, 0, into, 0, 0, length, true)),
      expected,
    );
    const pieces: Uint8Array[] = [];
    t.match(
      errorOf(() => {
        for (const piece of damaged.pieces(result, result.digest, 0)) pieces.push(piece);
      }),
      expected,
    );
    const before = Buffer.concat(pieces);
    t.ok(before.length <= leaf && same(before, bytes.subarray(0, before.length)), "what was given is whole");
    t.equal(damaged.get(result, result.digest, 0, false).length, length, "not verified it is the caller's choice");
  }
  // The table, and its checksum: the whole digest needs neither.
  for (const at of [table, table + 23, table + 24, table + 27]) {
    const damaged = damagedAt(at);
    t.ok(same(damaged.get(result, result.digest, 0, true), bytes));
    t.match(
      errorOf(() => damaged.readInto(result, result.digest, 0, into, 0, 5, 5, true)),
      {
        code: "ASL-BLOCK-DAMAGED",
        place: { file: path, offset: table },
      },
    );
  }
  for (let at = 64; at < payloadAt; at++) {
    const damaged = damagedAt(at);
    for (const verify of [true, false]) {
      t.equal(
        errorOf(() => damaged.readInto(result, result.digest, 0, into, 0, 5, 5, verify)).code,
        "ASL-BLOCK-DAMAGED",
      );
    }
  }
});

t.test("[ASL-BLOCK-9] every byte of a list of chunks, and of a chunk, flipped", async (t) => {
  const volume = newVolume();
  const blocks = blocksOn({ volume, limits: { ownBytes: 300, chunkBytes: 100 } });
  const bytes = pattern(350);
  const result = await written(blocks, bytes, { length: bytes.length });
  t.equal(result.flags, RecordFlag.CHUNKED);
  const into = new Uint8Array(350);
  for (const number of [result.block, ...blocks.chunkBlocks(result, result.digest, 0)]) {
    const path = blockPath(number);
    const good = contents(volume, path);
    for (let at = 0; at < good.length; at++) {
      const bad = Buffer.from(good);
      bad[at]! ^= 0x11;
      replace(volume, path, bad);
      const damaged = blocksOn({ volume });
      let refused = 0;
      for (const act of [
        () => damaged.get(result, result.digest, 0, true),
        () => into.slice(0, damaged.readInto(result, result.digest, 0, into, 0, 0, 350, true)),
        () => Buffer.concat([...damaged.pieces(result, result.digest, 0)]),
      ]) {
        try {
          if (!same(act(), bytes)) t.fail(`${path} byte ${at}: other bytes`);
        } catch (error) {
          if (!(error instanceof AslError) || !/^ASL-(CORRUPT|BLOCK-DAMAGED|VERSION)$/.test(error.code)) throw error;
          refused++;
        }
      }
      // Of a short chunk the bytes prove what they are, whatever its header says.
      const inside = at - BLOCK_HEADER_BYTES;
      const isNeeded =
        number === result.block
          ? inside >= 0 && inside < RECORD_BYTES + 56 + 4 * 56
          : inside >= RECORD_BYTES && at < good.length - 64 - 8;
      if (isNeeded && refused !== 3) t.fail(`${path} byte ${at}: ${refused} of 3 refused`);
    }
    replace(volume, path, good);
  }
  checkReads(t, blocksOn({ volume }), result, bytes);
  // Chunks that are gone, or in each other's place.
  const [first, second] = blocks.chunkBlocks(result, result.digest, 0).map(blockPath);
  const [one, two] = [contents(volume, first!), contents(volume, second!)];
  replace(volume, first!, Buffer.concat([one.subarray(0, 64), two.subarray(64)]));
  t.equal(errorOf(() => blocksOn({ volume }).get(result, result.digest, 0, true)).code, "ASL-BLOCK-DAMAGED");
  t.equal(errorOf(() => blocksOn({ volume }).get(result, result.digest, 0, false)).code, "ASL-BLOCK-DAMAGED");
  volume.remove(first!);
  t.equal(errorOf(() => blocksOn({ volume }).get(result, result.digest, 0, false)).code, "ASL-BLOCK-DAMAGED");
});

t.test("[ASL-BLOCK-9] what is no list of chunks", (t) => {
  const digest = new Uint8Array(32).fill(1);
  const chunks = [100, 100, 50].map((length, k) => ({ digest, block: k + 1, offset: 64, length }));
  const list = { length: 250, chunkBytes: 100, chunks };
  const bytes = encodeChunkList(list);
  t.strictSame(decodeChunkList(bytes), list);
  t.equal(decodeChunkList(bytes.subarray(0, -1)), undefined);
  t.equal(decodeChunkList(bytes.subarray(0, -56)), undefined);
  t.equal(decodeChunkList(new Uint8Array(0)), undefined);
  t.equal(decodeChunkList(new Uint8Array(56)), undefined);
  for (const wrong of [
    { ...list, length: 251 },
    { ...list, length: 150 },
    { ...list, length: 2 ** 53 - 1 },
    { ...list, chunkBytes: 50 },
    { ...list, chunkBytes: 0 },
    { ...list, chunks: chunks.toReversed() },
  ])
    t.equal(decodeChunkList(encodeChunkList(wrong)), undefined);
  const accepted = new Set<number>();
  for (let at = 0; at < bytes.length; at++) {
    const bad = Uint8Array.from(bytes);
    bad[at]! ^= 4;
    if (decodeChunkList(bad) !== undefined) accepted.add(at < 56 ? at : 56 + ((at - 56) % 56));
  }
  // Number and offset: where a chunk is, its record proves.
  t.strictSame(
    [...accepted].sort((left, right) => left - right),
    [88, 89, 90, 91, 96, 97, 98, 99, 100, 101, 102],
  );
  t.end();
});

t.test("[ASL-BLOCK-8] nothing is left of what fails or is discarded", async (t) => {
  const watched = new WatchedVolume(newVolume());
  const blocks = blocksOn({ volume: watched, limits: { ownBytes: 2 * MIB, chunkBytes: MIB } });
  const bytes = pattern(5 * MIB);
  const reason = new Error("the stream failed");
  async function* failing(after: number): AsyncGenerator<Uint8Array> {
    yield* cut(bytes.subarray(0, after), 65_536);
    throw reason;
  }
  for (const after of [0, 100, MIB, 2 * MIB + 1, 5 * MIB]) {
    await t.rejects(blocks.writeOwn(failing(after), OPTIONS), reason);
    t.strictSame(watched.list("blocks"), [], `after ${after} bytes`);
  }
  for (const cutAt of [1000, 63, 0]) {
    watched.cutNextWrite = cutAt;
    const error = await errorLater(() => blocks.writeOwn(cut(bytes, 100_000), { ...OPTIONS, length: bytes.length }));
    t.equal(error.code, "ASL-NO-SPACE");
    t.match(error.place, { file: /^blocks\/.*blk$/ });
    t.strictSame(watched.list("blocks"), []);
    watched.cutNextWrite = cutAt;
    const writer = blocks.ownWriter(OPTIONS);
    t.equal(
      errorOf(() => {
        writer.write(bytes);
        writer.end();
      }).code,
      "ASL-NO-SPACE",
    );
    t.equal(errorOf(() => writer.write(bytes)).code, "ASL-DISCARDED");
    t.strictSame(watched.list("blocks"), []);
  }
  const writer = blocks.ownWriter(OPTIONS);
  writer.write(bytes);
  writer.discard();
  writer.discard();
  t.equal(errorOf(() => writer.end()).code, "ASL-DISCARDED");
  t.strictSame(watched.list("blocks"), []);
  watched.syncError = "EIO";
  t.equal((await errorLater(() => blocks.writeOwn([bytes], OPTIONS))).code, "ASL-WRITE", "a chunk cannot be synced");
  watched.syncError = undefined;
  t.strictSame(watched.list("blocks"), []);
});

t.test(
  "[ASL-BLOCK-8] until it is finished a record does not count; then all of it is synced, and the name",
  async (t) => {
    const watched = new WatchedVolume(newVolume());
    const blocks = blocksOn({ volume: watched, limits: { ownBytes: 2 * MIB, chunkBytes: MIB } });
    const bytes = pattern(3 * MIB);
    const result = await blocks.writeOwn([bytes], { ...OPTIONS, length: bytes.length });
    t.equal([...blocks.scan(result.block)].length, 0);
    t.equal(errorOf(() => blocks.get(result, result.digest, 0, true)).code, "ASL-BLOCK-DAMAGED");
    const chunks = watched.log.slice();
    t.equal(chunks.length, 3, "chunks are on disk before the next begins");
    result.finish(1, 1);
    result.sync();
    t.strictSame(watched.log.slice(3), [`sync ${blockPath(result.block)}`, "sync blocks"]);
    result.sync();
    t.equal(watched.log.length, 5);
    t.ok(same(blocks.get(result, result.digest, 0, true), bytes));
  },
);

t.test("[ASL-BLOCK-8] a copy of the other visibility", async (t) => {
  const volume = newVolume();
  const blocks = blocksOn({ volume, limits: { ownBytes: 200_000, chunkBytes: 100_000 } });
  for (const length of [150_000, 450_000]) {
    const bytes = pattern(length);
    const source = await written(blocks, bytes);
    const copy = await blocks.copy(source, source.digest, 0, true, RecordFlag.HAS_TAG | RecordFlag.CHUNKED, 9);
    copy.finish(8, 6);
    copy.sync();
    t.equal(copy.flags & ~RecordFlag.CHUNKED, RecordFlag.HAS_TAG | RecordFlag.PUBLISHED);
    checkReads(t, blocks, copy, bytes);
    t.equal(blocks.inspect(copy.block).header!.isPublished, true);
    for (const block of length > 200_000 ? blocks.chunkBlocks(copy, copy.digest, 0) : [])
      t.equal(blocks.inspect(block).header!.isPublished, true);
    const path = blockPath(length > 200_000 ? blocks.chunkBlocks(source, source.digest, 0)[1]! : source.block);
    const bad = contents(volume, path);
    bad[BLOCK_HEADER_BYTES + RECORD_BYTES + 70_000]! ^= 1;
    replace(volume, path, bad);
    const before = volume.list("blocks").length;
    const again = blocksOn({ volume, nextBlock: 1000, limits: { ownBytes: 200_000 } });
    t.equal((await errorLater(() => again.copy(source, source.digest, 0, true, 0, 0))).code, "ASL-CORRUPT");
    t.equal(volume.list("blocks").length, before);
  }
});

t.test(
  "a thread sums leaves and hashes chunks; one that fails says so to all who wait, and from then on",
  async (t) => {
    const thread = new LeafThread();
    const bytes = new Uint8Array(new SharedArrayBuffer(200_000));
    bytes.set(pattern(200_000));
    const sums = [...cut(bytes, LEAF_BYTES)].map((leaf) => crc32(leaf));
    const [one, two] = [thread.newStream(), thread.newStream()];
    const answers = await Promise.all([
      thread.ask({ bytes, length: bytes.length, stream: one, isEnd: false }),
      thread.ask({ bytes, length: 10, stream: two, isEnd: true }),
      thread.ask({ bytes, length: bytes.length, stream: 0, isEnd: false }),
      thread.ask({ bytes: undefined, length: 0, stream: one, isEnd: true }),
    ]);
    t.ok(thread.isReady);
    const leafOf = (payload: Uint8Array): Uint8Array =>
      new Uint8Array(createHash("sha256").update(Uint8Array.of(0)).update(payload).digest());
    t.strictSame(answers, [
      { sums, digest: undefined },
      { sums: [crc32(bytes.subarray(0, 10))], digest: leafOf(bytes.subarray(0, 10)) },
      { sums, digest: undefined },
      { sums: [], digest: leafOf(bytes) },
    ]);
    const failing = [
      thread.ask({ bytes: undefined, length: 1, stream: 0, isEnd: false }),
      thread.ask({ bytes, length: 1, stream: 0, isEnd: false }),
    ];
    for (const result of await Promise.allSettled(failing)) t.equal(result.status, "rejected");
    t.notOk(thread.isReady);
    await t.rejects(thread.ask({ bytes, length: 1, stream: 0, isEnd: false }));
  },
);

t.test("[ASL-BLOCK-9] streams and artifacts of known length, so long that a thread helps", async (t) => {
  const limits = { ownBytes: 5 * MIB + 5, chunkBytes: 2 * MIB + 7 };
  const bytes = pattern(11 * MIB + 1);
  while (!leafThread()!.isReady) await new Promise((resolve) => setTimeout(resolve, 10));
  const digest = createHash("sha256").update(bytes).digest();
  for (const length of [undefined, bytes.length]) {
    const blocks = blocksOn({ limits });
    const result = await blocks.writeOwn(cut(bytes, 333_333), { ...OPTIONS, length });
    result.finish(1, 1);
    t.ok(same(result.digest, digest));
    const into = new Uint8Array(bytes.length);
    blocks.readInto(result, digest, 0, into, 0, 0, bytes.length, true);
    t.ok(same(into, bytes), "every leaf has its checksum");
    const states = blocks.chunkBlocks(result, digest, 0).map((block) => [...blocks.scan(block)][0]!.state());
    t.ok(states.length === (length === undefined ? 3 : 6) && states.every((state) => state === "whole"));
  }
});

t.test("[ASL-BLOCK-8] memory stays the same, however long a stream is", async (t) => {
  const folder = t.testdir();
  mkdirSync(`${folder}/blocks`);
  const blocks = blocksOn({ volume: folderVolume(folder), limits: { ownBytes: 24 * MIB, chunkBytes: 8 * MIB } });
  const piece = pattern(MIB);
  const hash = createHash("sha256");
  let most = 0;
  const before = process.memoryUsage().arrayBuffers;
  function* pieces(): Generator<Uint8Array> {
    for (let k = 0; k < 48; k++) {
      piece[0] = k;
      hash.update(piece);
      yield piece;
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
  }
  const result = await blocks.writeOwn(pieces(), OPTIONS);
  result.finish(1, 1);
  result.sync();
  t.ok(same(result.digest, hash.digest()));
  t.equal(result.flags, RecordFlag.CHUNKED);
  t.ok(most < 12 * MIB, `${most} bytes for 48 MiB`);
  let length = 0;
  for await (const bytes of blocks.stream(result, result.digest, 0)) length += bytes.length;
  t.equal(length, 48 * MIB);
  t.ok(
    same(
      createHash("sha256")
        .update(blocks.get(result, result.digest, 0, false))
        .digest(),
      result.digest,
    ),
  );
  blocks.close();
});
