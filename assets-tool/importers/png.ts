/** PNG images as tiles, sprites and palettes (spec TOOL-PNG-1 to 4). */
import type { JsonObject } from "../../host/assets/json.ts";
import type { Imported, Importer, ImportSource } from "../importer.ts";
import { type Cells, cut } from "./cells.ts";
import { sheetFont } from "./png-font.ts";
import { decodePng, type Image, rgbaOf } from "./png-image.ts";
import { Settings } from "./settings.ts";
import { wrongSource } from "./source-view.ts";

/** How a pixel is kept: as an index of so many bits, or as red, green, blue and alpha. */
const FORMATS = ["indexed8", "indexed4", "indexed2", "indexed1", "rgba8"] as const;
type Format = (typeof FORMATS)[number];

const MOST_CELL = 16_384;

/** The bank that a rule names decides what is made of the image; without one it is a picture. */
const BANKS = ["sprites", "tiles", "palettes", "fonts"] as const;

export const png: Importer = {
  name: "png",
  version: 1,
  bankTypes: BANKS,
  matches: (path) => /\.png$/i.test(path),
  import(source, settings) {
    const known = new Settings(settings);
    const bank = known.choice("bank", BANKS) ?? "sprites";
    if (bank === "fonts") return sheetFont(source, known);
    if (bank === "palettes") return justPalette(source, known);
    return bank === "tiles" ? tileSheet(source, known) : spriteSheet(source, known);
  },
};

/** A sheet of tiles of one size, by default with a palette beside it. */
function tileSheet(source: ImportSource, settings: Settings): Imported[] {
  const width = settings.integer("tileWidth", 1, MOST_CELL) ?? 8;
  const height = settings.integer("tileHeight", 1, MOST_CELL) ?? width;
  const options = sheetOptions(settings, "indexed8");
  const image = decodePng(source);
  const cells = cut(source, image, { ...options, width, height });
  const size = { tile_height: height, tile_width: width, tiles: cells.columns * cells.rows };
  return sheet("tiles", source, image, options, cells, size);
}

/** A picture, or a sheet of frames of one size. */
function spriteSheet(source: ImportSource, settings: Settings): Imported[] {
  const frameWidth = settings.integer("frameWidth", 1, MOST_CELL);
  const frameHeight = settings.integer("frameHeight", 1, MOST_CELL);
  const options = sheetOptions(settings, "rgba8");
  const image = decodePng(source);
  const width = frameWidth ?? image.width;
  const height = frameHeight ?? (frameWidth === undefined ? image.height : width);
  const cells = cut(source, image, { ...options, width, height });
  const size = { frame_height: height, frame_width: width, frames: cells.columns * cells.rows };
  return sheet("sprites", source, image, options, cells, size);
}

/** The colours of an image alone. */
function justPalette(source: ImportSource, settings: Settings): Imported[] {
  settings.end();
  return [paletteAsset("", indexed(source, decodePng(source), 256).palette)];
}

interface SheetOptions {
  readonly format: Format;
  /** Pixels around all cells, and between two. */
  readonly margin: number;
  readonly spacing: number;
  readonly withPalette: boolean;
}

function sheetOptions(settings: Settings, usual: Format): SheetOptions {
  const format = settings.choice("format", FORMATS) ?? usual;
  const margin = settings.integer("margin", 0, MOST_CELL) ?? 0;
  const spacing = settings.integer("spacing", 0, MOST_CELL) ?? 0;
  const withPalette = settings.boolean("palette") ?? format !== "rgba8";
  if (withPalette && format === "rgba8") throw settings.wrong("palette", 'must be false with the format "rgba8"');
  settings.end();
  return { format, margin, spacing, withPalette };
}

function sheet(
  bankType: string,
  source: ImportSource,
  image: Image,
  { format, withPalette }: SheetOptions,
  cells: Cells,
  size: JsonObject,
): Imported[] {
  const metadata: { [key: string]: string | number } = { columns: cells.columns, format, rows: cells.rows };
  Object.assign(metadata, size);
  if (format === "rgba8") {
    const bytes = cellBytes(image, cells, rgbaOf(image), 4);
    return [{ suffix: "", bankType, bytes, metadata }];
  }
  const bits = Number(format.slice("indexed".length));
  const { indices, palette, used } = indexed(source, image, 1 << bits);
  metadata.colors = used;
  const transparent = firstTransparent(palette);
  if (transparent !== undefined) metadata.transparent = transparent;
  const bytes = packed(cellBytes(image, cells, indices, 1), cells.width, bits);
  const main = { suffix: "", bankType, bytes, metadata };
  return withPalette ? [main, paletteAsset(".palette", palette)] : [main];
}

function paletteAsset(suffix: string, colors: Uint8Array): Imported {
  const metadata = { colors: colors.length / 4, format: "rgba8" };
  return { suffix, bankType: "palettes", bytes: colors, metadata };
}

/** The pixels of the cells, one cell behind the other. */
function cellBytes(image: Image, cells: Cells, pixels: Uint8Array, pixelBytes: number): Uint8Array {
  const count = cells.columns * cells.rows;
  const line = cells.width * pixelBytes;
  const bytes = new Uint8Array(count * cells.height * line);
  let at = 0;
  for (let k = 0; k < count; k++) {
    for (let y = 0; y < cells.height; y++) {
      const from = (cells.begin(k) + y * image.width) * pixelBytes;
      bytes.set(pixels.subarray(from, from + line), at);
      at += line;
    }
  }
  return bytes;
}

/** Indices of `bits` bits each, the left pixel in the high bits; every line begins with a byte of its own. */
function packed(indices: Uint8Array, width: number, bits: number): Uint8Array {
  if (bits === 8) return indices;
  const lineBytes = Math.ceil((width * bits) / 8);
  const lines = indices.length / width;
  const bytes = new Uint8Array(lines * lineBytes);
  for (let line = 0; line < lines; line++) {
    for (let x = 0; x < width; x++) {
      const bit = x * bits;
      const at = line * lineBytes + (bit >> 3);
      bytes[at] = bytes[at]! | (indices[line * width + x]! << (8 - bits - (bit & 7)));
    }
  }
  return bytes;
}

interface Indexed {
  readonly indices: Uint8Array;
  readonly palette: Uint8Array;
  /** Colours up to the last one that a pixel has. */
  readonly used: number;
}

/**
 * The pixels as indices below `most`. A palette stays as it is in the file, at most cut after the last colour that fits; else
 * colours are numbered as they come, line by line, and what is fully transparent is one colour, the first.
 */
function indexed(source: ImportSource, image: Image, most: number): Indexed {
  const { indices, palette } = image.indexed ?? collected(source, image.rgba!, image.width);
  let last = 0;
  for (const index of indices) if (index > last) last = index;
  if (last < most) return { indices, palette: palette.subarray(0, 4 * most), used: last + 1 };
  throw wrongSource(source, `it has ${last + 1} colours, and ${most} fit into the format; "rgba8" takes any number`);
}

function collected(
  source: ImportSource,
  rgba: Uint8Array,
  width: number,
): { indices: Uint8Array; palette: Uint8Array } {
  const count = rgba.length / 4;
  const indices = new Uint8Array(count);
  const known = new Map<number, number>();
  const colors: number[] = [];
  // By arithmetic and not through a view of 32 bits: that would depend on the machine's byte order.
  const colorAt = (k: number): number => {
    if (rgba[4 * k + 3] === 0) return 0;
    return ((rgba[4 * k]! << 24) | (rgba[4 * k + 1]! << 16) | (rgba[4 * k + 2]! << 8) | rgba[4 * k + 3]!) >>> 0;
  };
  for (let k = 3; k < rgba.length; k += 4) {
    if (rgba[k] !== 0) continue;
    known.set(0, 0);
    colors.push(0);
    break;
  }
  for (let k = 0; k < count; k++) {
    const color = colorAt(k);
    let index = known.get(color);
    if (index === undefined) {
      index = colors.length;
      if (index === 256)
        throw wrongSource(
          source,
          `it has more than 256 colours: the pixel at column ${k % width}, line ${Math.floor(k / width)} has one more. ` +
            'Save it with a palette, or import it with the format "rgba8"',
        );
      known.set(color, index);
      colors.push(color);
    }
    indices[k] = index;
  }
  const palette = new Uint8Array(4 * colors.length);
  const view = new DataView(palette.buffer);
  for (const [k, color] of colors.entries()) view.setUint32(4 * k, color);
  return { indices, palette };
}

function firstTransparent(palette: Uint8Array): number | undefined {
  for (let k = 3; k < palette.length; k += 4) if (palette[k] === 0) return (k - 3) / 4;
  return undefined;
}
