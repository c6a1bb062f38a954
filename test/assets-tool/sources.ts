/** Sources for importers: small ones that are right, and what becomes of them by accidents. */
import type { Imported } from "../../assets-tool/importer.ts";
import { IMPORTERS } from "../../assets-tool/importers/index.ts";
import { PackError } from "../../host/assets/errors.ts";
import type { JsonObject } from "../../host/assets/json.ts";
import { loadWat } from "../../host/wat.ts";
import { Random } from "../vm/random.ts";
import { chunk, type Drawing, drawPng } from "./png-writer.ts";
import { type FontPlan, writeFont } from "./truetype-writer.ts";

function importerOf(name: string) {
  const found = IMPORTERS.find((importer) => importer.name === name);
  if (found === undefined) throw new Error(`there is no importer ${name}`);
  return found;
}

/** `name` is of an importer, with the bank behind a colon. */
export function run(name: string, bytes: Uint8Array, settings: JsonObject = {}): readonly Imported[] {
  const [importer, bank] = name.split(":");
  const before = Buffer.from(bytes);
  const all = importerOf(importer!).import(
    { path: "art/file", bytes },
    bank === undefined ? settings : { bank, ...settings },
  );
  if (!before.equals(bytes)) throw new Error("the source was changed");
  return all;
}

/** Pixels of two kinds of order, so that no two neighbours are equal. */
export const pattern =
  (channels: number, depth: number) =>
  (x: number, y: number): number[] =>
    Array.from({ length: channels }, (_, c) => (x * 7 + y * 13 + c * 5 + ((x * y) >> 1)) % 2 ** Math.min(depth, 12));

export const gray = (width: number, height: number, at: (x: number, y: number) => number): Drawing => ({
  width,
  height,
  colorType: 0,
  depth: 8,
  at: (x, y) => [at(x, y)],
});

/** A WAV file of chunks. */
export function riff(...chunks: readonly (readonly [string, Uint8Array])[]): Buffer {
  const parts = chunks.flatMap(([name, body]) => {
    const head = Buffer.alloc(8);
    head.write(name, "latin1");
    head.writeUInt32LE(body.length, 4);
    return [head, body, new Uint8Array(body.length & 1)];
  });
  const body = Buffer.concat([Buffer.from("WAVE"), ...parts]);
  const head = Buffer.from("RIFF\0\0\0\0", "latin1");
  head.writeUInt32LE(body.length, 4);
  return Buffer.concat([head, body]);
}

export function fmt(format: number, channels: number, rate: number, bits: number): Buffer {
  const body = Buffer.alloc(format === 0xfffe ? 40 : 16);
  body.writeUInt16LE(format, 0);
  body.writeUInt16LE(channels, 2);
  body.writeUInt32LE(rate, 4);
  body.writeUInt32LE((rate * channels * bits) / 8, 8);
  body.writeUInt16LE((channels * bits) / 8, 12);
  body.writeUInt16LE(bits, 14);
  return body;
}

export const BDF = `STARTFONT 2.1
COMMENT ENDFONT
FONT -misc-fixed
SIZE 8 75 75
FONTBOUNDINGBOX 6 8 0 -2
STARTPROPERTIES 2
FONT_ASCENT 6
FONT_DESCENT 2
ENDPROPERTIES
CHARS 3
STARTCHAR B
ENCODING 66
SWIDTH 500 0
DWIDTH 10 0
BBX 9 2 1 -1
BITMAP
8080
ff80
ENDCHAR
STARTCHAR A
ENCODING 65
DWIDTH 5 0
BBX 3 3 0 0
BITMAP
40
A0
E0
ENDCHAR
STARTCHAR none
ENCODING -1
DWIDTH 5 0
BBX 1 1 0 0
BITMAP
80
ENDCHAR
STARTCHAR space
ENCODING 32
DWIDTH 4 0
BBX 0 0 0 0
BITMAP
ENDCHAR
ENDFONT
`;

export const SQUARE = {
  contours: [
    [
      [100, 0, true],
      [100, 500, true],
      [600, 500, true],
      [600, 0, true],
    ],
  ],
} as const;
/** A disk of radius 500: eight curves, with points on the curve only between. */
const DISK = {
  contours: [
    Array.from({ length: 8 }, (_, k) => {
      const angle = ((k + 0.5) * Math.PI) / 4;
      const radius = 500 / Math.cos(Math.PI / 8);
      return [Math.round(500 + radius * Math.cos(angle)), Math.round(300 + radius * Math.sin(angle)), false] as const;
    }),
  ],
} as const;
export const FONT: FontPlan = {
  glyphs: [SQUARE, undefined, SQUARE, DISK, { parts: [{ glyph: 2, words: [200, -100] }] }],
  advances: [500, 250, 700, 1000],
  map: { " ": 1, A: 2, O: 3, é: 4 },
};

const SEEDS: readonly (readonly [string, JsonObject, Uint8Array])[] = [
  ["png:sprites", {}, drawPng({ width: 9, height: 7, colorType: 6, depth: 8, at: pattern(4, 8), interlaced: true })],
  [
    "png:tiles",
    { tileWidth: 3 },
    drawPng({ ...gray(6, 6, (x) => x & 3), colorType: 3, depth: 2, palette: Array(12).fill(5) }),
  ],
  ["png:fonts", { cellWidth: 3, proportional: 0 }, drawPng(gray(6, 6, (x) => 255 * (x & 1)))],
  ["wav", { channels: 1 }, riff(["fmt ", fmt(3, 2, 8000, 32)], ["data", new Uint8Array(64)])],
  ["bdf", {}, Buffer.from(BDF)],
  ["truetype", { size: 12, characters: ["U+0020-U+00FF"] }, writeFont(FONT)],
  ["truetype", { size: 12, characters: ["U+0020-U+00FF"] }, writeFont({ ...FONT, format: 12, longOffsets: true })],
  ["json", {}, Buffer.from('{"a":[1,2.5e3,"x\\n"],"b":null}')],
  ["json", { array: "/a", type: "u8" }, Buffer.from('{"a":[1,2,3]}')],
  ["text", {}, Buffer.from("é€\r\n")],
  ["module", {}, await loadWat("(module (func (result i32) (i32.const 1)))")],
];

/**
 * Imports every seed cut off at all lengths, and `rounds` times changed by chance. Answers how many of them were right and how many
 * refused; throws for anything else.
 */
export function fuzzImporters(seed: number, rounds: number): { readonly good: number; readonly refused: number } {
  const random = new Random(seed);
  let good = 0;
  let refused = 0;
  const attempt = (name: string, bytes: Uint8Array, settings: JsonObject): void => {
    try {
      for (const { bytes: made, metadata } of run(name, bytes, settings))
        if (made.length > 4_000_000 || JSON.stringify(metadata).length > 65_536) throw new Error("it is too much");
      good++;
    } catch (error) {
      if (!(error instanceof PackError) || error.code !== "PACK-IMPORT" || error.problems[0]!.file !== "art/file")
        throw new Error(`${name}: ${Buffer.from(bytes).toString("hex")}`, { cause: error });
      refused++;
    }
  };
  for (const [name, settings, source] of SEEDS) {
    for (let length = 0; length < source.length; length += 1 + (source.length >> 8))
      attempt(name, source.subarray(0, length), settings);
    for (let k = 0; k < rounds; k++) attempt(name, mutated(source, random, name.startsWith("png")), settings);
  }
  return { good, refused };
}

/** A few bytes changed, doubled, or taken out; of a PNG with checksums that are right, so that more than those is tried. */
function mutated(seed: Uint8Array, random: Random, isPng: boolean): Uint8Array {
  let bytes = Buffer.from(seed);
  for (let k = random.below(4); k >= 0; k--) {
    const at = random.below(bytes.length + 1);
    const what = random.below(6);
    if (what === 0) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(8))]);
    else if (what === 1) bytes = Buffer.concat([bytes.subarray(0, at + 9), bytes.subarray(at)]);
    else if (at < bytes.length) bytes[at] = random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256), bytes[at]! ^ 1]);
  }
  return isPng ? resealed(bytes) : bytes;
}

function resealed(bytes: Buffer): Buffer {
  const parts: Uint8Array[] = [bytes.subarray(0, 8)];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    if (length > bytes.length - at - 12) return bytes;
    parts.push(chunk(bytes.toString("latin1", at + 4, at + 8), bytes.subarray(at + 8, at + 8 + length)));
    at += 12 + length;
  }
  return Buffer.concat(parts);
}
