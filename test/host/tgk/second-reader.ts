/** Reads the index of edges from spec 33 alone: nothing of host/tgk is used. */
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";

const ALGORITHMS = ["", "sha256", "sha3-256", "sha2-512-256", "blake2s-256"];
const PAGE = 2048;

export interface ReadEdge {
  readonly id: string;
  readonly position: number;
  readonly type: number;
  readonly roles: number;
  readonly isRemoved: boolean;
  readonly from: readonly string[];
  readonly to: readonly string[];
}

export interface ReadIndex {
  /** Of the next entry that the index does not tell. */
  readonly position: number;
  readonly edges: readonly ReadEdge[];
  /** Edges at artifacts: the side, the key, the edge's id and its position. */
  readonly links: readonly string[];
}

function expect(isSo: boolean, what: string): void {
  if (!isSo) throw new Error(what);
}

export function readIndex(files: ReadonlyMap<string, Uint8Array>): ReadIndex {
  const manifest = Buffer.from(files.get("tgk/MANIFEST")!);
  const u64 = (bytes: Buffer, at: number): number => Number(bytes.readBigUInt64LE(at));
  expect(manifest.subarray(0, 16).toString("hex") === "894153540d0a1a0a0100000000000000", "magic of the manifest");
  expect(crc32(manifest.subarray(0, -4)) === manifest.readUInt32LE(manifest.length - 4), "checksum of the manifest");
  const count = u64(manifest, 80);
  expect(manifest.length === 96 + 72 * count + 4, "length of the manifest");
  const log = Buffer.from(files.get(`log/${u64(manifest, 16).toString(16).padStart(16, "0")}.log`)!);
  const frame = u64(manifest, 40);
  const header = log.subarray(frame, frame + 192);
  expect(sha256(header) === manifest.subarray(48, 80).toString("hex"), "hash of the frame");
  expect(frame + 192 + u64(header, 16) === u64(manifest, 24), "the place is behind the frame");
  expect(u64(header, 40) + header.readUInt32LE(24) === u64(manifest, 32), "position behind the frame");
  const edges: ReadEdge[] = [];
  const links: string[] = [];
  let last = 0;
  for (let k = 0; k < count; k++) {
    const entry = manifest.subarray(96 + 72 * k, 168 + 72 * k);
    const [number, length, base, end, rows] = [0, 8, 16, 24, 32].map((at) => u64(entry, at)) as [
      number,
      number,
      number,
      number,
      number,
    ];
    expect(base > last && end >= base, "segments are in order");
    last = end;
    const file = Buffer.from(files.get(`tgk/${number.toString(16).padStart(16, "0")}.edg`)!);
    expect(file.length === length, "length of a segment");
    readSegment(file, number, base, end, rows, entry.subarray(40, 72).toString("hex"), edges, links);
  }
  return { position: u64(manifest, 32), edges, links };
}

function sha256(...bytes: Uint8Array[]): string {
  return createHash("sha256").update(Buffer.concat(bytes)).digest("hex");
}

function readSegment(
  file: Buffer,
  number: number,
  base: number,
  end: number,
  rows: number,
  digest: string,
  edges: ReadEdge[],
  links: string[],
): void {
  const word = (place: number): number => file.readUInt32LE(4 * place);
  expect(file.subarray(0, 16).toString("hex") === "894153450d0a1a0a0100000000000000", "magic of a segment");
  expect([16, 24, 32].map((at) => Number(file.readBigUInt64LE(at))).join() === [number, base, end].join(), "header");
  const [edgeCount, nodeCount, outCount, inCount, endCount] = [10, 11, 12, 13, 14].map(word) as [
    number,
    number,
    number,
    number,
    number,
  ];
  expect(edgeCount === rows, "count of edges");
  const counts = [
    nodeCount * 8,
    (nodeCount + 1) * 3,
    outCount * 7,
    inCount * 7,
    edgeCount * 13,
    endCount,
    Math.ceil(nodeCount / 64),
  ];
  const places: number[] = [];
  let at = PAGE / 4;
  for (const words of counts) {
    places.push(at);
    at += Math.ceil(words / (PAGE / 4)) * (PAGE / 4);
  }
  const pages = at / (PAGE / 4);
  expect(file.length === pages * PAGE + pages * 4, "length of the file");
  expect(sha256(file.subarray(0, PAGE), file.subarray(pages * PAGE)) === digest, "digest of a segment");
  for (let page = 0; page < pages; page++)
    expect(crc32(file.subarray(page * PAGE, (page + 1) * PAGE), page) === word(at + page), `checksum of page ${page}`);
  const [digests, nodes, out, into, edgeRows, ends, directory] = places as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const hex = (place: number): string =>
    Array.from({ length: 8 }, (_, k) =>
      word(place + k)
        .toString(16)
        .padStart(8, "0"),
    ).join("");
  const keys = Array.from(
    { length: nodeCount },
    (_, k) => `${ALGORITHMS[word(nodes + 3 * k + 2)]}:${hex(digests + 8 * k)}`,
  );
  const algorithms = new Set(keys.map((key) => ALGORITHMS.indexOf(key.split(":")[0]!)));
  expect(word(15) === (algorithms.size === 1 ? [...algorithms][0] : 0), "algorithm");
  for (let p = 0; 64 * p < nodeCount; p++) expect(word(directory + p) === word(digests + 8 * 64 * p), "directory");
  const own: ReadEdge[] = [];
  for (let edge = 0; edge < edgeCount; edge++) {
    const row = edgeRows + 13 * edge;
    const [from, to] = [word(row + 11) & 0xffff, word(row + 11) >>> 16] as [number, number];
    const all = Array.from({ length: from + to }, (_, k) => keys[word(ends + word(row + 12) + k)]!);
    own.push({
      id: hex(row),
      position: base + word(row + 8),
      type: word(row + 9),
      roles: word(row + 10) & 255,
      isRemoved: (word(row + 10) & 256) !== 0,
      from: all.slice(0, from),
      to: all.slice(from),
    });
  }
  expect(
    own.every(({ position }, k) => k === 0 || position > own[k - 1]!.position),
    "order of edges",
  );
  for (const [side, section] of [
    ["from", out],
    ["to", into],
  ] as const)
    for (let node = 0; node < nodeCount; node++) {
      const word0 = nodes + 3 * node + (side === "from" ? 0 : 1);
      let before = "";
      for (let k = word(word0); k < word(word0 + 3); k++) {
        const row = section + 7 * k;
        const edge = own[word(row + 2)]!;
        const order = `${edge.id} ${String(edge.position).padStart(12, "0")}`;
        expect(order > before, "order of rows");
        before = order;
        expect(edge[side].includes(keys[node]!), "the edge is at the artifact");
        expect(
          edge.id.startsWith(
            Array.from([0, 1], (k) =>
              word(row + k)
                .toString(16)
                .padStart(8, "0"),
            ).join(""),
          ),
          "id",
        );
        expect(base + word(row + 3) === edge.position && word(row + 4) === edge.type, "position and type");
        const far = side === "from" ? edge.to : edge.from;
        expect(
          (word(row + 5) & 0xffff) === edge.roles + (edge.isRemoved ? 256 : 0) && word(row + 5) >>> 16 === far.length,
          "flags",
        );
        const place = word(row + 6);
        const found = far.length === 1 ? [keys[place]] : far.map((_, k) => keys[word(ends + place + k)]);
        expect(found.join() === far.join(), "the other side");
        links.push(`${side} ${keys[node]} ${edge.id} ${edge.position}`);
      }
    }
  edges.push(...own);
}
