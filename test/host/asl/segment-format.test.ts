import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { crc32 } from "node:zlib";
import t from "tap";
import type { SegmentEntry } from "../../../host/asl/artifact-index.ts";
import { Row, RowFlag, RowKind } from "../../../host/asl/index-rows.ts";
import { xxh32 } from "../../../host/asl/xxhash32.ts";
import { Random } from "../../vm/random.ts";
import { anyRow, craftedDigest, memory, Published, SEED, textOf } from "./index-rows.ts";

/** XXH32 as its specification has it, of any bytes. */
function xxh32Of(bytes: Uint8Array, seed: number): number {
  const [P1, P2, P3, P4, P5] = [0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f, 0x165667b1];
  const rotate = (value: number, bits: number): number => ((value << bits) | (value >>> (32 - bits))) >>> 0;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const round = (lane: number, word: number): number => Math.imul(rotate((lane + Math.imul(word, P2!)) >>> 0, 13), P1!);
  let at = 0;
  let sum = (seed + P5!) >>> 0;
  if (bytes.length >= 16) {
    let lanes = [seed + P1! + P2!, seed + P2!, seed, seed - P1!];
    for (; at + 16 <= bytes.length; at += 16)
      lanes = lanes.map((lane, k) => round(lane, view.getUint32(at + 4 * k, true)));
    sum = [1, 7, 12, 18].reduce((total, bits, k) => (total + rotate(lanes[k]! >>> 0, bits)) >>> 0, 0);
  }
  sum = (sum + bytes.length) >>> 0;
  for (; at + 4 <= bytes.length; at += 4)
    sum = Math.imul(rotate((sum + Math.imul(view.getUint32(at, true), P3!)) >>> 0, 17), P4!) >>> 0;
  for (; at < bytes.length; at++) sum = Math.imul(rotate((sum + Math.imul(bytes[at]!, P5!)) >>> 0, 11), P1!) >>> 0;
  sum = Math.imul(sum ^ (sum >>> 15), P2!) >>> 0;
  sum = Math.imul(sum ^ (sum >>> 13), P3!) >>> 0;
  return (sum ^ (sum >>> 16)) >>> 0;
}

t.test("[ASL-SEGMENT-5] checksums of pages are XXH32", async (t) => {
  t.equal(xxh32Of(new Uint8Array(), 0), 0x02cc_5d05);
  t.equal(xxh32Of(Buffer.from("abc"), 0), 0x32d1_53ff);
  t.equal(xxh32Of(Buffer.from("Nobody inspects the spammish repetition"), 0), 0xe229_3b2f);
  const random = new Random(1);
  const words = Uint32Array.from({ length: 512 }, () => random.next());
  for (const [from, to] of [
    [0, 4],
    [0, 512],
    [8, 500],
  ] as const)
    for (const seed of [0, 1, 0xffff_ffff, random.next()])
      t.equal(xxh32(words, from, to, seed), xxh32Of(new Uint8Array(words.buffer, from * 4, (to - from) * 4), seed));
});

interface Decoded {
  readonly rows: string[];
  readonly sections: Map<number, Uint8Array>;
  /** Whether filters let a digest pass. */
  mayHold(digest: Uint8Array): boolean;
}

/** Reads a segment by the spec alone; throws if anything is not as it says. */
function decode(bytes: Uint8Array, entry: SegmentEntry): Decoded {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const u32 = (at: number): number => view.getUint32(at, true);
  const u64 = (at: number): number => Number(view.getBigUint64(at, true));
  const same = (got: unknown, wanted: unknown, what: string): void => {
    if (String(got) !== String(wanted)) throw new Error(`${what}: ${got}, not ${wanted}`);
  };
  const hexOf = (at: number, length: number): string => Buffer.from(bytes.subarray(at, at + length)).toString("hex");
  const zeros = (from: number, to: number): void => same(/^0*$/.test(hexOf(from, to - from)), true, `zeros ${from}`);
  const { number, count, firstPosition, lastPosition } = entry;
  const pages = Math.ceil(count / 29);
  const shardBits = count <= 2 ** 18 ? 0 : Math.ceil(Math.log2(count / 2 ** 18));
  same(hexOf(0, 16), "894153580d0a1a0a0100000000000000", "preamble");
  same([16, 24, 32, 40].map(u64), [number, count, firstPosition, lastPosition], "header");
  same([48, 52, 56, 60].map(u32), [2048, 29, pages, shardBits], "header");
  const header = u32(124);
  same(crc32(bytes.subarray(0, 124), SEED), header, "crc of the header");
  zeros(64, 124);
  zeros(128, 2048);
  const trailer = bytes.length - 256;
  same(bytes.length, entry.bytes, "length");
  same(u32(trailer), 0x44584941, "magic of the trailer");
  same(crc32(bytes.subarray(trailer + 8), SEED), u32(trailer + 4), "crc of the trailer");
  same(
    [8, 16, 24].map((at) => u64(trailer + at)),
    [bytes.length, number, count],
    "trailer",
  );
  same(u32(trailer + 32), header, "H");
  same(hash("sha256", bytes.subarray(trailer)), Buffer.from(entry.digest).toString("hex"), "digest of the trailer");
  const sections = new Map<number, Uint8Array>();
  let end = (pages + 1) * 2048;
  for (let k = 0; k < u32(trailer + 36); k++) {
    const at = trailer + 48 + 32 * k;
    const [offset, length] = [u64(at + 8), u64(at + 16)];
    same(offset, end, "sections are apart");
    end = offset + length;
    const section = bytes.slice(offset, end);
    same(crc32(section), u32(at + 4), "crc of a section");
    zeros(at + 24, at + 32);
    sections.set(u32(at), section);
  }
  zeros(trailer + 40, trailer + 48);
  zeros(trailer + 48 + 32 * u32(trailer + 36), bytes.length);
  zeros(end, trailer);
  same(trailer - end < 8, true, "padding");
  const directory = new DataView(sections.get(1)!.buffer);
  const rows: string[] = [];
  const words: [number, number][] = [];
  for (let page = 0; page < pages; page++) {
    const from = (page + 1) * 2048;
    const word = (k: number): number => u32(from + 4 * k);
    const inPage = Math.min(29, count - 29 * page);
    same([word(0), word(1), word(2), word(3)], [page, number, inPage, 0], "head of a page");
    same(directory.getUint32(4 * page, true), word(4), "directory");
    const checksum = xxh32Of(bytes.subarray(from, from + 2048), (header ^ page) >>> 0);
    same(directory.getUint32(4 * (pages + page), true), checksum, "checksum of a page");
    zeros(from + 4 * (4 + inPage), from + 4 * 33);
    zeros(from + 4 * (33 + 16 * inPage), from + 2048);
    for (let k = 0; k < inPage; k++) {
      const at = 33 + 16 * k;
      const row = new Row();
      const digest = new DataView(row.digest.buffer);
      digest.setUint32(0, word(4 + k));
      for (let part = 1; part < 8; part++) digest.setUint32(4 * part, word(at + part - 1));
      const meta = word(at + 10);
      Object.assign(row, {
        block: word(at + 7),
        offset: word(at + 8) * 8,
        length: word(at + 9) + (meta % 2 ** 16) * 2 ** 32,
        kind: (meta >>> 16) % 8,
        flags: (meta >>> 19) % 256,
        algorithm: meta >>> 27,
        tag: word(at + 11),
        domain: word(at + 12) % 2 ** 16,
        source: word(at + 12) >>> 16,
        position: word(at + 13) + firstPosition,
        logseq: word(at + 14) + word(at + 15) * 2 ** 32,
      });
      rows.push(textOf(row));
      words.push([word(4 + k), word(at)]);
    }
  }
  const mayHold = (h: number, l: number): boolean => {
    const filters = sections.get(2)!;
    const lines = new DataView(filters.buffer);
    const line = 16 * Math.floor(h / 2 ** (32 - shardBits));
    const [begin, places, how, seed] = [0, 4, 8, 12].map((at) => BigInt(lines.getUint32(line + at, true)));
    const mode = how! % 256n;
    if (mode === 0n) return true;
    if (mode === 3n) return false;
    const window = 1n << (how! >> 8n);
    const mod = (value: bigint): bigint => BigInt.asUintN(32, value);
    const [hi, lo] = [BigInt(h), BigInt(l)];
    let m = mod((lo ^ mod((hi ^ seed!) * 0x9e3779b1n)) * 0x85ebca77n);
    m ^= m >> 15n;
    m = mod((m + hi) * 0xc2b2ae3dn);
    m ^= m >> 13n;
    m = mod(m * 0x27d4eb2fn);
    const a = m ^ (m >> 16n);
    m = mod((a ^ lo) * 0x165667b1n);
    const b = m ^ (m >> 15n);
    const first = ((mode === 1n ? mod(hi << BigInt(shardBits)) : b) * places!) >> 32n;
    const second = (first + window) ^ (a % window);
    const third = (first + 2n * window) ^ ((a >> 16n) % window);
    const base = 16 * 2 ** shardBits + Number(begin);
    const sum = [first, second, third].reduce((total, place) => total ^ filters[base + Number(place)]!, 0);
    return sum === Number((b ^ (a >> 24n)) % 256n);
  };
  for (const [h, l] of words) if (!mayHold(h, l)) throw new Error("a filter does not know a key");
  const locator = sections.get(3)!;
  const head = new DataView(sections.get(4)!.buffer);
  const chunks = Math.ceil(count / 14_848);
  const blocks = head.getUint32(0, true);
  same(head.getUint32(4, true), chunks, "chunks");
  same(sections.get(4)!.length, 8 + 4 * (blocks + chunks), "head of the locator");
  let chunkAt = 0;
  for (let chunk = 0; chunk < chunks; chunk++) {
    const inChunk = Math.min(14_848, count - chunk * 14_848);
    const size = Math.ceil((6 * inChunk) / 8) * 8;
    const chunkBytes = locator.slice(chunkAt, chunkAt + size);
    same(crc32(chunkBytes, header), head.getUint32(8 + 4 * (blocks + chunk), true), "crc of a chunk");
    const marks = new DataView(chunkBytes.buffer);
    for (let k = 0; k < inChunk; k++) {
      const mark = marks.getUint16(4 * inChunk + 2 * k, true);
      same(mark >> 4, words[chunk * 14_848 + k]![1] % 4096, "mark");
      if (mark % 16 === 15) continue;
      const place = marks.getUint32(4 * k, true);
      const [, , kind, flags, , , , block, offset, length] = rows[chunk * 14_848 + k]!.split(" ").map(Number);
      same([kind, flags! & 4], [1, 0], "a hint is of a put");
      same([head.getUint32(8 + 4 * (place >>> 23), true), (place % 2 ** 23) * 8], [block, offset], "place");
      same(
        length! <= [64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 4096, 8192, 16_384, 32_768][mark % 16]!,
        true,
        "bound",
      );
    }
    chunkAt += size;
  }
  same(chunkAt, locator.length, "locator");
  return {
    rows,
    sections,
    mayHold: (digest) => {
      const key = new DataView(digest.buffer, digest.byteOffset);
      return mayHold(key.getUint32(0), key.getUint32(4));
    },
  };
}

/** One segment of these rows, and what a checkpoint says of it. */
function segmentOf(rows: readonly Row[]): {
  readonly bytes: Uint8Array;
  readonly entry: SegmentEntry;
  readonly order: string[];
} {
  const volume = memory();
  const published = new Published(volume);
  const index = published.open();
  for (const row of rows) index.add(row);
  index.freeze(rows.at(-1)!.position);
  index.finish();
  const order: string[] = [];
  for (const row of index.scan(Number.POSITIVE_INFINITY)) order.push(textOf(row));
  index.close();
  const file = volume.open("index/0000000000000001.seg", "read");
  const bytes = new Uint8Array(file.size());
  file.read(bytes, 0, bytes.length, 0);
  return { bytes, entry: published.segments[0]!, order };
}

t.test(
  "[ASL-SEGMENT-1, ASL-SEGMENT-2, ASL-SEGMENT-3, ASL-SEGMENT-4, ASL-SEGMENT-5, ASL-SEGMENT-6, ASL-SEGMENT-7, ASL-SEGMENT-9, ASL-SEGMENT-10, ASL-SEGMENT-11] a reader made from the spec alone reads segments",
  async (t) => {
    const random = new Random(2);
    for (const count of [1, 28, 29, 30, 1000, 16_000]) {
      const digests = Array.from({ length: Math.ceil(count * 0.8) }, () => {
        const digest = craftedDigest(random);
        if (count > 1000 && digest[0] !== 0x77) for (let k = 0; k < 8; k++) digest[k] = random.below(256);
        return digest;
      });
      const rows = Array.from({ length: count }, (_, k) => anyRow(random, digests, 100 + 3 * k));
      const { bytes, entry, order } = segmentOf(rows);
      const decoded = decode(bytes, entry);
      t.same(decoded.rows, order);
      t.same(decoded.rows.toSorted(), rows.map(textOf).sort());
      let passed = 0;
      for (let k = 0; k < 2000; k++) {
        const digest = Uint8Array.from({ length: 32 }, () => random.below(256));
        if (decoded.mayHold(digest)) passed++;
      }
      t.ok(passed < 2000 * 0.015, `${passed} of 2000 absent keys pass`);
    }
  },
);

/** As `hexdump -C` has it, but for the text. */
function dump(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const line = bytes.subarray(at, at + 16);
    if (line.some((byte) => byte !== 0)) {
      const text = Array.from(line, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
      lines.push(`${at.toString(16).padStart(6, "0")}  ${text}`);
    } else if (lines.at(-1) !== "*") lines.push("*");
  }
  return `${lines.join("\n")}\n`;
}

t.test("[ASL-SEGMENT-12] the example of the spec is what is written", async (t) => {
  const low = Uint8Array.from({ length: 32 }, (_, k) => k);
  const high = Uint8Array.from({ length: 32 }, (_, k) => 255 - k);
  const row = (digest: Uint8Array, change: Partial<Row>): Row => {
    const made = new Row();
    made.digest.set(digest);
    return Object.assign(made, change, { logseq: change.position });
  };
  const { PUT, TOMBSTONE, BINDING } = RowKind;
  const rows = [
    row(low, {
      kind: PUT,
      flags: RowFlag.HAS_TAG,
      algorithm: 1,
      tag: 7,
      block: 3,
      offset: 64,
      length: 300,
      position: 10,
    }),
    row(low, { kind: TOMBSTONE, algorithm: 1, position: 11 }),
    row(high, { kind: BINDING, block: 0x8000_0001, offset: 4096, position: 12 }),
  ];
  const { bytes, entry } = segmentOf(rows);
  t.same(decode(bytes, entry).rows, rows.map(textOf));
  const spec = readFileSync(new URL("../../../specs/22-enc-asl-core-index.md", import.meta.url), "utf8");
  const example = /```segment\n([^`]*)```/.exec(spec)?.[1] ?? "";
  t.equal(dump(bytes), example);
});
