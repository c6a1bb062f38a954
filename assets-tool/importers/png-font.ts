/** Fonts drawn as a sheet of characters in a PNG image (spec TOOL-FONT-3). */
import type { Imported, ImportSource } from "../importer.ts";
import { type Cells, cut } from "./cells.ts";
import {
  type Characters,
  charactersOf,
  fontAsset,
  type Glyph,
  MOST_BITMAP_BYTES,
  MOST_GLYPH_SIDE,
  MOST_GLYPHS,
} from "./font.ts";
import { decodePng, type Image, rgbaOf } from "./png-image.ts";
import type { Settings } from "./settings.ts";
import { wrongSource } from "./source-view.ts";

/** The font that the image shows, cell by cell. */
export function sheetFont(source: ImportSource, settings: Settings): Imported[] {
  const width = settings.integer("cellWidth", 1, MOST_GLYPH_SIDE) ?? 8;
  const height = settings.integer("cellHeight", 1, MOST_GLYPH_SIDE) ?? width;
  const margin = settings.integer("margin", 0, MOST_GLYPH_SIDE) ?? 0;
  const spacing = settings.integer("spacing", 0, MOST_GLYPH_SIDE) ?? 0;
  const ascent = settings.integer("ascent", 0, MOST_GLYPH_SIDE) ?? height;
  const ink = settings.choice("ink", ["alpha", "light", "dark"]);
  const bits = settings.choice("bits", [1, 8]) ?? 1;
  const gap = settings.integer("proportional", 0, MOST_GLYPH_SIDE);
  const characters = charactersOf(settings);
  settings.end();
  const image = decodePng(source);
  const cells = cut(source, image, { width, height, margin, spacing });
  const codePoints = charactersOfCells(source, cells, characters);
  const coverage = coverageOf(image, ink);
  if (codePoints.length * width * height > MOST_BITMAP_BYTES)
    throw wrongSource(source, `the glyphs have more than ${MOST_BITMAP_BYTES} pixels`);
  const glyphs = codePoints.map((codePoint, k): Glyph => {
    const [left, right] = gap === undefined ? [0, width] : inkColumns(image, cells, k, coverage);
    const kept = new Uint8Array((right - left) * height);
    for (let y = 0; y < height; y++) {
      const line = cells.begin(k) + y * image.width;
      kept.set(coverage.subarray(line + left, line + right), y * (right - left));
    }
    const drawn = right > left ? right - left : Math.ceil(width / 2);
    const advance = gap === undefined ? width : drawn + gap;
    return { codePoint, width: right - left, height, x: 0, y: -ascent, advance, coverage: kept };
  });
  return [fontAsset({ lineHeight: height, ascent, glyphs }, bits)];
}

/** Characters of the cells in turn: those of the setting, which may be fewer than cells, or from the space on. */
function charactersOfCells(source: ImportSource, cells: Cells, characters: Characters | undefined): readonly number[] {
  const count = cells.columns * cells.rows;
  if (count > MOST_GLYPHS) throw wrongSource(source, `it has ${count} cells; a font has at most ${MOST_GLYPHS} glyphs`);
  if (characters === undefined) {
    if (0x20 + count > 0xd800) throw wrongSource(source, `it has ${count} cells: "characters" must say what they are`);
    return Array.from({ length: count }, (_, k) => 0x20 + k);
  }
  const { codePoints } = characters;
  if (codePoints.length <= count) return codePoints;
  throw wrongSource(source, `it has ${count} cells, and "characters" names ${codePoints.length}`);
}

/** How much of each pixel is ink; without a setting that is alpha where there is some, else how light a pixel is. */
function coverageOf(image: Image, ink: "alpha" | "light" | "dark" | undefined): Uint8Array {
  const rgba = rgbaOf(image);
  let by = ink ?? "light";
  for (let k = 3; ink === undefined && k < rgba.length; k += 4) if (rgba[k] !== 255) by = "alpha";
  const coverage = new Uint8Array(rgba.length / 4);
  for (let k = 0; k < coverage.length; k++) {
    const alpha = rgba[4 * k + 3]!;
    // Luma of ITU-R BT.601 in integers.
    const light = (299 * rgba[4 * k]! + 587 * rgba[4 * k + 1]! + 114 * rgba[4 * k + 2]! + 500) / 1000;
    const share = by === "alpha" ? 255 : by === "light" ? Math.floor(light) : 255 - Math.floor(light);
    coverage[k] = Math.floor((share * alpha + 127) / 255);
  }
  return coverage;
}

/** First column of a cell that has ink, and the one behind the last; two equal numbers when there is none. */
function inkColumns(image: Image, cells: Cells, k: number, coverage: Uint8Array): [number, number] {
  let left = cells.width;
  let right = 0;
  for (let y = 0; y < cells.height; y++) {
    const line = cells.begin(k) + y * image.width;
    for (let x = 0; x < cells.width; x++) {
      if (coverage[line + x]! < 128) continue;
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
    }
  }
  return right > left ? [left, right] : [0, 0];
}
