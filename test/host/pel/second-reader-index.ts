/** The index of edges as a second reader reads it: from chapter 33 alone. */
import { crc32 } from "node:zlib";
import { Refused, sha256 } from "./second-reader.ts";

const PAGE = 2048;
const WORDS = PAGE / 4;

/** A row of *edges*, and what *out* and *in* say of it. */
export interface IndexedEdge {
  readonly id: string;
  readonly position: number;
  readonly type: number;
  /** None: removed. */
  readonly roles: number | undefined;
  /** Digest and number of the algorithm. */
  readonly from: readonly string[];
  readonly to: readonly string[];
}

function must(holds: boolean, why: string): void {
  if (!holds) throw new Refused(why);
}

function hex8(word: number): string {
  return word.toString(16).padStart(8, "0");
}

interface Named {
  readonly number: bigint;
  readonly length: number;
  readonly base: number;
  readonly highest: number;
  readonly edges: number;
  readonly digest: Buffer;
}

export interface SecondManifest {
  readonly log: { readonly file: number; readonly offset: number; readonly position: number; readonly frame: number };
  readonly frameHash: Buffer;
  readonly segments: readonly Named[];
}

function header(bytes: Buffer, kind: number): void {
  const magic = Buffer.of(0x89, 0x41, 0x53, kind, 0x0d, 0x0a, 0x1a, 0x0a, 1, 0, 0, 0, 0, 0, 0, 0);
  must(bytes.subarray(0, 16).equals(magic), "another header");
}

/** [TGK-SEGMENT-7] */
export function readManifest(bytes: Buffer): SecondManifest {
  header(bytes, 0x54);
  const u64 = (at: number) => Number(bytes.readBigUInt64LE(at));
  const count = u64(80);
  must(bytes.length === 100 + 72 * count, "another length");
  must(bytes.readBigUInt64LE(88) === 0n, "not 0");
  must(bytes.readUInt32LE(96 + 72 * count) === crc32(bytes.subarray(0, -4)), "another checksum");
  const segments = Array.from({ length: count }, (_, k) => {
    const at = 96 + 72 * k;
    const digest = bytes.subarray(at + 40, at + 72);
    const numbers = { length: u64(at + 8), base: u64(at + 16), highest: u64(at + 24), edges: u64(at + 32) };
    return { number: bytes.readBigUInt64LE(at), ...numbers, digest };
  });
  for (const [k, { base }] of segments.entries()) must(k === 0 || base > segments[k - 1]!.highest, "they overlap");
  const log = { file: u64(16), offset: u64(24), position: u64(32), frame: u64(40) };
  return { log, frameHash: bytes.subarray(48, 80), segments };
}

/** All edges of a segment, in the order of their positions [TGK-SEGMENT-1 to 6]. */
export function readSegment(bytes: Buffer, named: Named): IndexedEdge[] {
  must(bytes.length === named.length && bytes.length % (PAGE + 4) === 0, "another length");
  const pages = bytes.length / (PAGE + 4);
  const checksums = bytes.subarray(pages * PAGE);
  must(sha256(bytes.subarray(0, PAGE), checksums).equals(named.digest), "another digest");
  for (let page = 0; page < pages; page++)
    must(
      checksums.readUInt32LE(4 * page) === crc32(bytes.subarray(page * PAGE, (page + 1) * PAGE), page),
      `checksum of page ${page}`,
    );
  header(bytes, 0x45);
  const [edges, artifacts, out, into, ends] = [40, 44, 48, 52, 56].map((at) => bytes.readUInt32LE(at)) as number[] &
    [number, number, number, number, number];
  must(bytes.readBigUInt64LE(16) === named.number, "another number");
  const base = Number(bytes.readBigUInt64LE(24));
  must(base === named.base && Number(bytes.readBigUInt64LE(32)) === named.highest && edges === named.edges, "header");
  must(
    bytes.subarray(60, PAGE).every((byte) => byte === 0),
    "not 0",
  );

  let page = 1;
  const section = (rows: number, words: number): ((row: number, word: number) => number) => {
    const begin = page * PAGE;
    page += Math.ceil((rows * words) / WORDS);
    must(page <= pages, "pages that are not there");
    must(
      bytes.subarray(begin + 4 * rows * words, page * PAGE).every((byte) => byte === 0),
      "not padded with 0",
    );
    return (row, word) => {
      must(row < rows, "no such row");
      return bytes.readUInt32LE(begin + 4 * (row * words + word));
    };
  };
  const digestPages = Math.ceil((artifacts * 8) / WORDS);
  const digests = section(artifacts, 8);
  const artifact = section(artifacts + 1, 3);
  const sides = [
    { row: section(out, 7), of: "from", count: out, first: 0 },
    { row: section(into, 7), of: "to", count: into, first: 1 },
  ] as const;
  const edge = section(edges, 13);
  const end = section(ends, 1);
  const directory = section(digestPages, 1);
  must(page === pages, "more pages");

  const words = (row: (row: number, word: number) => number, at: number) =>
    Array.from({ length: 8 }, (_, k) => hex8(row(at, k))).join("");
  const keys = Array.from({ length: artifacts }, (_, k) => `${words(digests, k)} ${artifact(k, 2)}`);
  for (const [k, key] of keys.entries()) {
    must(k === 0 || key > keys[k - 1]!, "artifacts not in order");
    must(k % 64 !== 0 || hex8(directory(k / 64, 0)) === key.slice(0, 8), "directory");
  }
  const endsOf = (at: number, count: number) => Array.from({ length: count }, (_, k) => end(at + k, 0));
  const found = Array.from({ length: edges }, (_, k) => {
    const [from, to] = [edge(k, 11) & 0xffff, edge(k, 11) >>> 16];
    const begin = edge(k, 12);
    return { id: words(edge, k), from: endsOf(begin, from), to: endsOf(begin + from, to), begin };
  });
  for (const { row, of, count, first } of sides) {
    must(artifact(artifacts, first) === count && artifact(0, first) === 0, "rows of artifacts");
    let seen = 0;
    for (let k = 0; k < artifacts; k++) {
      let before = "";
      for (let at = artifact(k, first); at < artifact(k + 1, first); at++, seen++) {
        const number = row(at, 2);
        const { id, from, to, begin } = found[number]!;
        const [near, far] = of === "from" ? [from, to] : [to, from];
        must(near.includes(k), "no end there");
        must(hex8(row(at, 0)) + hex8(row(at, 1)) === id.slice(0, 16), "id");
        must(row(at, 3) === edge(number, 8) && row(at, 4) === edge(number, 9), "position and type");
        must((row(at, 5) & 0xffff) === edge(number, 10) && row(at, 5) >>> 16 === far.length, "roles and count");
        const place = of === "from" ? begin + from.length : begin;
        must(row(at, 6) === (far.length === 1 ? far[0] : place), "the other side");
        const order = `${id}${hex8(row(at, 3))}`;
        must(order > before, "not in order, or twice");
        before = order;
      }
    }
    const all = found.reduce((sum, it) => sum + new Set(it[of]).size, 0);
    must(seen === all && count === all, "not all");
  }
  must(artifact(artifacts, 2) === 0, "not 0");
  return found.map(({ id, from, to }, k) => ({
    ...{ id, position: base + edge(k, 8), type: edge(k, 9), roles: edge(k, 10) === 256 ? undefined : edge(k, 10) },
    ...{ from: from.map((it) => keys[it]!), to: to.map((it) => keys[it]!) },
  }));
}
