/**
 * Draws the example's art: `node examples/tilemap/art/draw.ts` writes `assets/tiles/terrain.png` and `assets/sprites/things.png`.
 * Both have one palette, so that their indices mean the same colours.
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { crc32, deflateSync } from "node:zlib";

export const SIDE = 16;

/** Colours by the letters that sprites are drawn with below. */
const COLORS = {
  " ": [0, 0, 0],
  k: [0x1f, 0x23, 0x2e],
  D: [0x1d, 0x4a, 0x75],
  d: [0x25, 0x5c, 0x8c],
  s: [0x3a, 0x82, 0xb5],
  S: [0x5b, 0xa8, 0xd0],
  f: [0xc9, 0xec, 0xf2],
  y: [0xcf, 0xaa, 0x66],
  Y: [0xea, 0xd0, 0x92],
  g: [0x4c, 0x8c, 0x3f],
  G: [0x6f, 0xb0, 0x4c],
  l: [0x97, 0xcc, 0x64],
  p: [0x28, 0x5d, 0x3b],
  P: [0x38, 0x78, 0x45],
  r: [0x66, 0x65, 0x70],
  R: [0x8f, 0x8e, 0x99],
  c: [0xb7, 0xb6, 0xbe],
  w: [0xf6, 0xf3, 0xe9],
  b: [0x6f, 0x46, 0x2b],
  B: [0x9b, 0x69, 0x3f],
  o: [0xbf, 0x45, 0x3a],
  O: [0xe0, 0x7a, 0x4f],
} as const;
type Color = keyof typeof COLORS;
const LETTERS = Object.keys(COLORS) as Color[];

/** An image with the palette; 0 is transparent. */
export interface Sheet {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

function sheetOf(columns: number, rows: number): Sheet {
  const [width, height] = [columns * SIDE, rows * SIDE];
  return { width, height, pixels: new Uint8Array(width * height) };
}

/** Draws a cell: `colorAt` answers a letter for each of its pixels, undefined for none. */
function drawCell(
  sheet: Sheet,
  column: number,
  row: number,
  colorAt: (x: number, y: number) => Color | undefined,
): void {
  for (let y = 0; y < SIDE; y++)
    for (let x = 0; x < SIDE; x++)
      sheet.pixels[(row * SIDE + y) * sheet.width + column * SIDE + x] = LETTERS.indexOf(colorAt(x, y) ?? " ");
}

/** From 0 to 255, the same for the same place. */
function noise(x: number, y: number, seed: number): number {
  let hash = Math.imul(x + 1, 0x9e3779b1) ^ Math.imul(y + 1, 0x85ebca6b) ^ Math.imul(seed + 1, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return ((hash ^ (hash >>> 13)) >>> 8) & 255;
}

/** How far an edge moves in and out along a side: nothing at its ends, so that neighbours meet. */
const WAVE = [0, 0, 0, 1, 1, 1, 0, 0, -1, -1, 0, 0, 1, 1, 0, 0];
const INSET = 3;
const ROUND = 6;

/**
 * How far inside of the terrain a pixel is, negative outside. Of `mask` the bits 1, 2, 4 and 8 say that the terrain goes on in
 * the north, east, south and west; where two sides in a row end, the corner between is round.
 */
function depth(mask: number, x: number, y: number): number {
  const far = 99;
  const north = (mask & 1) !== 0 ? far : y - INSET - WAVE[x]!;
  const south = (mask & 4) !== 0 ? far : SIDE - 1 - y - INSET + WAVE[x]!;
  const west = (mask & 8) !== 0 ? far : x - INSET - WAVE[y]!;
  const east = (mask & 2) !== 0 ? far : SIDE - 1 - x - INSET + WAVE[y]!;
  const [across, along] = [Math.min(west, east), Math.min(north, south)];
  if (across >= ROUND || along >= ROUND) return Math.min(across, along);
  return ROUND - Math.hypot(ROUND - across, ROUND - along);
}

interface Terrain {
  /** Outermost first: of the pixels outside that are near, then of the first ones inside. */
  readonly outside: readonly Color[];
  readonly rim: readonly Color[];
  readonly fill: (x: number, y: number) => Color;
}

/** From below; each lies upon the one before. */
const TERRAINS: readonly Terrain[] = [
  { outside: [], rim: [], fill: (x, y) => (noise(x >> 1, y, 3) < 14 ? "S" : noise(x >> 2, y, 1) < 40 ? "S" : "s") },
  { outside: ["f"], rim: ["f", "y"], fill: (x, y) => (noise(x, y, 2) < 22 ? "y" : "Y") },
  { outside: [], rim: ["g"], fill: (x, y) => (noise(x, y, 4) < 20 ? "g" : noise(x, y >> 1, 5) < 26 ? "l" : "G") },
  { outside: [], rim: ["p"], fill: (x, y) => (noise(x, y >> 1, 6) < 60 ? "P" : noise(x, y, 7) < 20 ? "G" : "g") },
  {
    outside: ["r"],
    rim: ["r", "c"],
    fill: (x, y) => (noise(x >> 1, y, 8) < 34 ? "r" : noise(x, y, 9) < 40 ? "c" : "R"),
  },
  { outside: [], rim: ["c"], fill: (x, y) => (noise(x, y, 10) < 16 ? "c" : "w") },
];

/** A row of deep water in four kinds, then a row of 16 tiles for each terrain: one for every mask. */
export function terrain(): Sheet {
  const sheet = sheetOf(16, 1 + TERRAINS.length);
  for (let kind = 0; kind < 4; kind++)
    drawCell(sheet, kind, 0, (x, y) => {
      const crest = (y + 4 * (kind & 1)) % 8 === 3 && noise(x >> 2, y, 20 + kind) < 70;
      return crest ? "d" : noise(x >> 3, y, 30 + kind) < 20 ? "d" : "D";
    });
  for (const [k, { outside, rim, fill }] of TERRAINS.entries())
    for (let mask = 0; mask < 16; mask++)
      drawCell(sheet, mask, 1 + k, (x, y) => {
        const inside = Math.floor(depth(mask, x, y));
        if (inside >= 0) return rim[inside] ?? fill(x, y);
        return inside >= -outside.length ? outside[outside.length + inside] : undefined;
      });
  return sheet;
}

/** A line for each row of a sprite; letters are colours. */
const SPRITES: readonly (readonly string[])[] = [
  [
    "                ",
    "      kkkk      ",
    "    kkPPPPkk    ",
    "   kPPGGPPPPk   ",
    "  kPGGGPPPPPPk  ",
    "  kPGGPPPPPPPk  ",
    " kPPPPPPPPGPPPk ",
    " kPPPPPPPGGPPpk ",
    " kPPPGPPPPPPPpk ",
    " kpPPPPPPPPPppk ",
    "  kpppPPPPpppk  ",
    "   kkpppppkkk   ",
    "     kkBbkk     ",
    "       Bb       ",
    "      kBbk      ",
    "     kBBbbk     ",
  ],
  [
    "       kk       ",
    "      kPPk      ",
    "      kGPk      ",
    "     kGPPPk     ",
    "     kPPPpk     ",
    "    kGPPPPpk    ",
    "    kkPPPpkk    ",
    "    kGPPPPPk    ",
    "   kGPPPPPppk   ",
    "   kkPPPPppkk   ",
    "   kGPPPPPPpk   ",
    "  kGPPPPPPpppk  ",
    "  kkkkPPppkkkk  ",
    "      kBbk      ",
    "      kBbk      ",
    "      kkkk      ",
  ],
  [
    "   kkk   kkk    ",
    "  kGGGk kGGGk   ",
    " kGlGGGkGGlGGk  ",
    " kGkkGGGGGkkGGk ",
    "  k kGkBkGGk kk ",
    "    kk kBkkGGk  ",
    "       kBk kkGk ",
    "      kBbk  kk  ",
    "      kBk       ",
    "      kBk       ",
    "     kBbk       ",
    "     kBbk       ",
    "     kBk        ",
    "    kBbk        ",
    "    kBbk        ",
    "   kBBbbk       ",
  ],
  [
    "                ",
    "       kk   kk  ",
    "      kOOk  kRk ",
    "     kOOOOk kRk ",
    "    kOOOOOOkkRk ",
    "   kOOooOOOOkRk ",
    "  kOooOOOooOOkk ",
    " kOoOOooOOOooOk ",
    "kkkkkkkkkkkkkkkk",
    " kwwwwwwwwwwwwk ",
    " kwSSkwwkkkwwck ",
    " kwSSkwwkBbkwck ",
    " kwkkkwwkBbkwck ",
    " kwwwwwwkBbkwck ",
    " kcccccckBbkcck ",
    " kkkkkkkkkkkkkk ",
  ],
  [
    "       kk       ",
    "       kwk      ",
    "       kwwk     ",
    "       kwwwk    ",
    "       kwwwwk   ",
    "      kkwwwwk   ",
    "     kwkwwwwwk  ",
    "    kwwkwwwwwk  ",
    "   kwwwkcccccck ",
    "   kkkkkkkkkkkk ",
    "       kBk      ",
    " kkkkkkkBkkkkkk ",
    " kBBBBBBBBBBBBk ",
    "  kbBBBBBBBBbk  ",
    "   kkbbbbbbkk   ",
    "  f  kkkkkk f f ",
  ],
  [
    " kk  kk  kk  kk ",
    " kckkckkcckkckk ",
    " kcccccccccccrk ",
    " kcRRRRRRRRRRrk ",
    " kkkkkkkkkkkkkk ",
    "  kccRRRRRRRrk  ",
    "  kcRRkkRRRRrk  ",
    "  kcRRkSRRRRrk  ",
    "  kcRRkSRRcRrk  ",
    "  kccRRRRRRRrk  ",
    "  kcRRRRRcRRrk  ",
    "  kcRcRkkkRRrk  ",
    "  kcRRkBbBkRrk  ",
    "  kcRRkBbBkRrk  ",
    "  kcRRkBbBkRrk  ",
    "  kkkkkkkkkkkk  ",
  ],
  [
    "                ",
    "                ",
    "   w      O     ",
    "  wow    OoO    ",
    "   w      O     ",
    "   p      p     ",
    "  pp     pp  w  ",
    "            wow ",
    "     O       w  ",
    "    OoO      p  ",
    "     O       p  ",
    "     p  w       ",
    "    pp wow      ",
    "        w       ",
    "        pp      ",
    "                ",
  ],
  [
    "                ",
    "     kkkkkk     ",
    "    kbbbbbbk    ",
    "   kbbBBBBbbk   ",
    "   kbBYYYYBbk   ",
    "   kbYkYYkYbk   ",
    "    kYYYYYYk    ",
    "     kYyyYk     ",
    "    kkoookkk    ",
    "   kYkooookYk   ",
    "   kYkooookYk   ",
    "    kkookokk    ",
    "     kddddk     ",
    "     kdkkdk     ",
    "     kbkkbk     ",
    "     kk  kk     ",
  ],
];

/** The sprites in a row, in the order of `THINGS` of the guest. */
export function things(): Sheet {
  const sheet = sheetOf(SPRITES.length, 1);
  for (const [k, lines] of SPRITES.entries()) drawCell(sheet, k, 0, (x, y) => lines[y]![x] as Color);
  return sheet;
}

function chunk(type: string, body: Uint8Array): Uint8Array {
  const named = Buffer.concat([Buffer.from(type, "latin1"), body]);
  const around = Buffer.alloc(8);
  around.writeUInt32BE(body.length, 0);
  around.writeUInt32BE(crc32(named), 4);
  return Buffer.concat([around.subarray(0, 4), named, around.subarray(4)]);
}

/** The sheet as a PNG image with the palette. */
export function png({ width, height, pixels }: Sheet): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3, 0, 0, 0], 8);
  const lines = new Uint8Array(height * (width + 1));
  for (let y = 0; y < height; y++) lines.set(pixels.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  return Buffer.concat([
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk("IHDR", header),
    chunk("PLTE", Uint8Array.from(Object.values(COLORS).flat())),
    chunk("tRNS", Uint8Array.of(0)),
    chunk("IDAT", deflateSync(lines, { level: 9 })),
    chunk("IEND", new Uint8Array(0)),
  ]);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const assets = new URL("../assets/", import.meta.url);
  writeFileSync(new URL("tiles/terrain.png", assets), png(terrain()));
  writeFileSync(new URL("sprites/things.png", assets), png(things()));
}
