/**
 * Packs that must have the same bytes wherever they are made: their digests are pinned in `pack.test.ts`. Run as a program it prints
 * them as JSON; so `npm run test:node` compares versions of Node.js.
 */
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { packAssets } from "../../assets-tool/pack.ts";
import { Random } from "../vm/random.ts";
import { type Drawing, drawPng } from "./png-writer.ts";
import { type FontPlan, writeFont } from "./truetype-writer.ts";

/** Bytes that compress, and repeat at long distances as well. */
function sampleBytes(length: number): Uint8Array {
  const random = new Random(7);
  const words = Array.from({ length: 64 }, () => Buffer.from(`${random.below(2 ** 30).toString(36)} `));
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; ) at += words[random.below(words.length)]!.copy(bytes, at);
  return bytes;
}

const GRASS: Drawing = {
  width: 16,
  height: 8,
  colorType: 3,
  depth: 4,
  palette: [0, 0, 0, 10, 90, 20, 30, 160, 40],
  at: (x, y) => [(x * y) % 3],
};

/** Curves: what covers how much of a pixel is computed in floating point. */
const ROUND: FontPlan = {
  glyphs: [
    undefined,
    {
      contours: [
        [
          [37, 0, false],
          [611, 13, false],
          [587, 701, false],
          [41, 689, false],
        ],
      ],
    },
  ],
  advances: [500, 640],
  map: { O: 1 },
};

/** 32-bit floats, which become 16-bit integers. */
function sound(): Uint8Array {
  const random = new Random(5);
  const samples = Float32Array.from({ length: 1_000 }, () => random.next() / 2 ** 30 - 2);
  const head = Buffer.alloc(44);
  head.write("RIFF");
  head.writeUInt32LE(36 + samples.byteLength, 4);
  head.write("WAVEfmt ", 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(3, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(44_100, 24);
  head.writeUInt32LE(4 * 44_100, 28);
  head.writeUInt16LE(4, 32);
  head.writeUInt16LE(32, 34);
  head.write("data", 36);
  head.writeUInt32LE(samples.byteLength, 40);
  return Buffer.concat([head, Buffer.from(samples.buffer)]);
}

/** The files, in the order in which they are made. */
function sources(): (readonly [path: string, bytes: Uint8Array | string])[] {
  const noise = new Random(11);
  return [
    ["art/tiles/grass.png", drawPng(GRASS)],
    ["art/fonts/round.ttf", writeFont(ROUND)],
    ["art/sounds/noise.wav", sound()],
    ["art/text/\u00e4.txt", "umlaut\r\n"],
    ["art/text/z.txt", "z"],
    ["art/text/\u{1f600}.txt", "beyond the first plane"],
    ["art/text/\uffee.txt", "before it, and behind surrogates"],
    ["art/maps/one.json", '{"b": [1, 2.50], "a": "\\u00e4"}'],
    ["art/data/words.bin", sampleBytes(100_000)],
    ["art/data/again.bin", sampleBytes(100_000)],
    ["art/data/noise.bin", Uint8Array.from({ length: 10_000 }, () => noise.below(256))],
    ["art/data/zeros.bin", new Uint8Array(200_000)],
    ["art/data/empty.bin", ""],
  ];
}

const CONFIGS = {
  raw: {},
  deflate: { codec: "deflate", names: "stem" },
  zstd: { codec: "zstd", alignment: 64 },
  auto: {
    codec: "auto",
    metadata: { title: "\u00e4", n: 1e21 },
    rules: [
      { files: "**/*.png", preload: true },
      { files: ["**", "!**/z.txt"], metadata: { x: null } },
    ],
    ids: { "data/words.bin": -7 },
    order: ["text/**"],
  },
} as const;

/** Digests of packs and lock files, by configuration. `shuffle` changes all that must have no part in them. */
export async function digests(shuffle = false): Promise<{ readonly [config: string]: string }> {
  const found: { [config: string]: string } = {};
  for (const [name, config] of Object.entries(CONFIGS)) {
    const folder = mkdtempSync(join(tmpdir(), shuffle ? "Ashlar packs " : "ashlar-"));
    try {
      const files = shuffle ? sources().reverse() : sources();
      for (const [path, bytes] of files) {
        const file = join(folder, shuffle ? path.normalize("NFD") : path);
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, bytes, { mode: shuffle ? 0o600 : 0o666 });
      }
      writeFileSync(join(folder, "art/assets.config.json"), JSON.stringify(config));
      const request = { from: join(folder, "art"), output: join(folder, shuffle ? "art/other.pack" : "out.pa") };
      await packAssets({ ...request, cache: join(folder, "cache") });
      // Again, over what was there and with what was kept.
      if (shuffle) await packAssets({ ...request, cache: join(folder, "cache") });
      const hash = createHash("sha256").update(readFileSync(request.output));
      found[name] = hash.update(readFileSync(join(folder, "art/assets.lock.json"))).digest("hex");
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return found;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(JSON.stringify(await digests()));
