/** Bitmap fonts as the pack holds them, whatever they were made of (spec TOOL-FONT-1), and the settings of all their importers. */
import type { JsonObject } from "../../host/assets/json.ts";
import type { Imported } from "../importer.ts";
import type { Settings } from "./settings.ts";

/** Largest glyph on a side, in pixels, and most glyphs and bytes of bitmaps of a font. */
export const MOST_GLYPH_SIDE = 1024;
export const MOST_GLYPHS = 65_536;
export const MOST_BITMAP_BYTES: number = 64 * 1024 * 1024;

const MAGIC = 0x31544e46;
const HEADER_BYTES = 16;
const GLYPH_BYTES = 20;

/** Bits of a pixel: set or not, or how much of it is covered. */
export type GlyphBits = 1 | 8;

export interface Glyph {
  readonly codePoint: number;
  readonly width: number;
  readonly height: number;
  /** From the pen to the bitmap's left side, to the right. */
  readonly x: number;
  /** From the baseline to the bitmap's upper side, downwards: negative for what stands above it. */
  readonly y: number;
  /** How far the pen goes on. */
  readonly advance: number;
  /** A byte for each pixel, from 0 to 255. */
  readonly coverage: Uint8Array;
}

export interface BitmapFont {
  /** From one baseline to the next. */
  readonly lineHeight: number;
  /** From a line's upper side to its baseline. */
  readonly ascent: number;
  readonly glyphs: readonly Glyph[];
}

/** The asset of a font; its glyphs have different code points, and are no larger than the limits say. */
export function fontAsset(font: BitmapFont, bits: GlyphBits): Imported {
  const glyphs = [...font.glyphs].sort((left, right) => left.codePoint - right.codePoint);
  const rows = glyphs.map(({ width }) => (bits === 8 ? width : Math.ceil(width / 8)));
  const bitmaps = HEADER_BYTES + GLYPH_BYTES * glyphs.length;
  const length = glyphs.reduce((sum, { height }, k) => sum + height * rows[k]!, bitmaps);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint16(4, font.lineHeight, true);
  view.setInt16(6, font.ascent, true);
  view.setUint32(8, glyphs.length, true);
  view.setUint32(12, bits, true);
  let bitmap = bitmaps;
  for (const [k, glyph] of glyphs.entries()) {
    const at = HEADER_BYTES + GLYPH_BYTES * k;
    view.setUint32(at, glyph.codePoint, true);
    view.setUint16(at + 4, glyph.width, true);
    view.setUint16(at + 6, glyph.height, true);
    view.setInt16(at + 8, glyph.x, true);
    view.setInt16(at + 10, font.ascent + glyph.y, true);
    view.setInt16(at + 12, glyph.advance, true);
    view.setUint16(at + 14, rows[k]!, true);
    view.setUint32(at + 16, bitmap, true);
    writeBitmap(bytes, bitmap, rows[k]!, glyph, bits);
    bitmap += glyph.height * rows[k]!;
  }
  const metadata = { ascent: font.ascent, bits, format: "bitmap", glyphs: glyphs.length, line_height: font.lineHeight };
  return { suffix: "", bankType: "fonts", bytes, metadata: metadata satisfies JsonObject };
}

function writeBitmap(bytes: Uint8Array, at: number, rowBytes: number, glyph: Glyph, bits: GlyphBits): void {
  const { width, height, coverage } = glyph;
  if (bits === 8) {
    bytes.set(coverage, at);
    return;
  }
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (coverage[y * width + x]! < 128) continue;
      const byte = at + y * rowBytes + (x >> 3);
      bytes[byte] = bytes[byte]! | (0x80 >> (x & 7));
    }
  }
}

/** Whether a number fits into the table of glyphs. */
export function isGlyphMetric(value: number): boolean {
  return Number.isInteger(value) && value >= -0x2000 && value < 0x2000;
}

/** Characters that a font is asked for. */
export interface Characters {
  /** Each once, in the order of the setting. */
  readonly codePoints: readonly number[];
  /** Those that were named one by one: a font without one of them cannot be imported. */
  readonly named: ReadonlySet<number>;
}

const RANGE = /^U\+([0-9A-F]{1,6})(?:-U\+([0-9A-F]{1,6}))?$/i;

/** Whether there is such a code point, and it is no half of a pair. */
export function isCharacter(codePoint: number): boolean {
  return codePoint >= 0 && codePoint <= 0x10ffff && (codePoint < 0xd800 || codePoint > 0xdfff);
}

/**
 * The setting `characters`: a list of ranges `U+0020-U+007E`, single `U+20AC`, and texts whose characters are named one by
 * one. Undefined when it is not set.
 */
export function charactersOf(settings: Settings): Characters | undefined {
  const value = settings.value("characters");
  if (value === undefined) return undefined;
  const wrong = (expected: string): never => {
    throw settings.wrong("characters", expected);
  };
  if (!Array.isArray(value) || value.length === 0)
    return wrong('must be a list of ranges such as "U+0020-U+007E" and of texts');
  const codePoints = new Set<number>();
  const named = new Set<number>();
  for (const item of value as readonly unknown[]) {
    if (typeof item !== "string" || item === "") return wrong('must hold ranges such as "U+0020-U+007E" and texts');
    const range = RANGE.exec(item);
    const first = Number.parseInt(range?.[1] ?? "", 16);
    const last = range?.[2] === undefined ? first : Number.parseInt(range[2], 16);
    if (range !== null && (last < first || !isCharacter(first) || !isCharacter(last)))
      return wrong(`holds ${JSON.stringify(item)}, which is no range of characters`);
    if (range !== null && last - first >= MOST_GLYPHS)
      return wrong(`holds a range of more than ${MOST_GLYPHS} characters`);
    for (let point = first; point <= last; point++) if (isCharacter(point)) codePoints.add(point);
    if (range !== null && range[2] === undefined) named.add(first);
    for (const character of range === null ? item : "") {
      const point = character.codePointAt(0)!;
      if (!isCharacter(point)) return wrong("holds half of a pair of surrogates");
      codePoints.add(point);
      named.add(point);
    }
    if (codePoints.size > MOST_GLYPHS) return wrong(`must name at most ${MOST_GLYPHS} characters`);
  }
  return { codePoints: [...codePoints], named };
}

/** `U+0041`. */
export function unicode(codePoint: number): string {
  return `U+${codePoint.toString(16).toUpperCase().padStart(4, "0")}`;
}
