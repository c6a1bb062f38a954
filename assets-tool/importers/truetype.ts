/** TrueType fonts as bitmaps of one size (spec TOOL-FONT-4). */
import type { Importer, ImportSource } from "../importer.ts";
import {
  type Characters,
  charactersOf,
  fontAsset,
  type Glyph,
  isGlyphMetric,
  MOST_BITMAP_BYTES,
  MOST_GLYPH_SIDE,
  unicode,
} from "./font.ts";
import { boxOf, type Contour, coverageOf, type OutlinePoint } from "./outline.ts";
import { Settings } from "./settings.ts";
import { SourceView } from "./source-view.ts";

const MOST_SIZE = 256;
/** Points and parts of a glyph that is put together from others, and how deep those may be put together themselves. */
const MOST_POINTS = 65_536;
const MOST_PARTS = 256;
const MOST_DEPTH = 8;
/** Pixels that all outlines of an import may touch, and how many of them a point counts for: some seconds of work. */
const MOST_WORK = 2 ** 28;
const POINT_WORK = 64;

const LATIN: Characters = {
  codePoints: [...Array.from({ length: 95 }, (_, k) => 0x20 + k), ...Array.from({ length: 96 }, (_, k) => 0xa0 + k)],
  named: new Set(),
};

export const truetype: Importer = {
  name: "truetype",
  version: 1,
  bankTypes: ["fonts"],
  matches: (path) => /\.(?:ttf|otf|ttc)$/i.test(path),
  import(source, settings) {
    const known = new Settings(settings);
    const size = known.integer("size", 1, MOST_SIZE) ?? 16;
    const bits = known.choice("bits", [1, 8]) ?? 8;
    const characters = charactersOf(known) ?? LATIN;
    known.end();
    const font = new TrueTypeFont(source);
    const glyphs = rasterized(font, size, characters);
    const { ascender, descender, lineGap, unitsPerEm } = font;
    const scale = size / unitsPerEm;
    const ascent = Math.ceil(ascender * scale);
    const lineHeight = ascent + Math.ceil((lineGap - descender) * scale);
    if (!isGlyphMetric(ascent) || !isGlyphMetric(lineHeight) || lineHeight < 1)
      throw font.view.wrong(`a line with an ascent of ${ascender} and a descent of ${descender} units has no height`);
    return [fontAsset({ lineHeight, ascent, glyphs }, bits)];
  },
};

function rasterized(font: TrueTypeFont, size: number, { codePoints, named }: Characters): Glyph[] {
  const { view, unitsPerEm } = font;
  const scale = size / unitsPerEm;
  let work = 0;
  let bytes = 0;
  const visit = (pixels: number): void => {
    work += pixels;
    if (work > MOST_WORK)
      throw view.wrong("the outlines are too large: they have too many points, or touch too many pixels");
  };
  const glyphs: Glyph[] = [];
  /** What characters share. */
  const drawn = new Map<number, Omit<Glyph, "codePoint">>();
  for (const codePoint of codePoints) {
    const index = font.glyphOf(codePoint);
    if (index === 0 && named.has(codePoint)) throw view.wrong(`the font has no character ${unicode(codePoint)}`);
    if (index === 0) continue;
    let glyph = drawn.get(index);
    if (glyph === undefined) {
      const outline = font.outlineOf(index);
      visit(POINT_WORK * outline.reduce((points, contour) => points + contour.length, 0));
      const contours = outline.map((contour) =>
        contour.map(({ x, y, isOn }): OutlinePoint => ({ x: x * scale, y: -y * scale, isOn })),
      );
      const box = boxOf(contours);
      const { left: x, top: y, width, height } = box;
      if (width > MOST_GLYPH_SIDE || height > MOST_GLYPH_SIDE || !isGlyphMetric(x) || !isGlyphMetric(y))
        throw view.wrong(
          `${unicode(codePoint)} is ${width} × ${height} pixels: at most ${MOST_GLYPH_SIDE} on a side are imported`,
        );
      bytes += width * height;
      visit(width * height);
      const advance = Math.floor(font.advanceOf(index) * scale + 0.5);
      if (!isGlyphMetric(advance)) throw view.wrong(`${unicode(codePoint)} is ${advance} pixels wide`);
      glyph = { width, height, x, y, advance, coverage: coverageOf(contours, box, visit) };
      drawn.set(index, glyph);
    } else {
      bytes += glyph.coverage.length;
    }
    if (bytes > MOST_BITMAP_BYTES) throw view.wrong(`the glyphs have more than ${MOST_BITMAP_BYTES} pixels`);
    glyphs.push({ codePoint, ...glyph });
  }
  if (glyphs.length === 0) throw view.wrong("the font has none of the characters");
  return glyphs;
}

interface TableRange {
  readonly at: number;
  readonly length: number;
}

class TrueTypeFont {
  readonly view: SourceView;
  readonly unitsPerEm: number;
  readonly ascender: number;
  readonly descender: number;
  readonly lineGap: number;
  readonly #tables: ReadonlyMap<string, TableRange>;
  readonly #glyphs: number;
  readonly #longOffsets: boolean;
  readonly #metrics: number;
  readonly #map: (codePoint: number) => number;

  constructor(source: ImportSource) {
    const view = new SourceView(source);
    this.view = view;
    this.#tables = readTables(view);
    const head = this.#table("head", 54);
    this.unitsPerEm = view.u16(head.at + 18, "the units of an em");
    if (this.unitsPerEm < 16 || this.unitsPerEm > 16_384)
      throw view.wrong(`an em has 16 to 16384 units, not ${this.unitsPerEm}`, head.at + 18);
    const offsets = view.u16(head.at + 50, "the format of offsets");
    if (offsets > 1) throw view.wrong(`the format of offsets is 0 or 1, not ${offsets}`, head.at + 50);
    this.#longOffsets = offsets === 1;
    this.#glyphs = view.u16(this.#table("maxp", 6).at + 4, "the number of glyphs");
    const hhea = this.#table("hhea", 36);
    this.ascender = view.i16(hhea.at + 4, "the ascent");
    this.descender = view.i16(hhea.at + 6, "the descent");
    this.lineGap = view.i16(hhea.at + 8, "the gap of lines");
    this.#metrics = view.u16(hhea.at + 34, "the number of widths");
    if (this.#metrics < 1) throw view.wrong("it has no widths", hhea.at + 34);
    this.#table("hmtx", 4 * this.#metrics);
    this.#table("loca", (this.#glyphs + 1) * (this.#longOffsets ? 4 : 2));
    this.#table("glyf", 0);
    this.#map = characterMap(view, this.#table("cmap", 4));
  }

  /** Index of a character's glyph, 0 when there is none. */
  glyphOf(codePoint: number): number {
    const glyph = this.#map(codePoint);
    if (glyph < this.#glyphs) return glyph;
    throw this.view.wrong(`${unicode(codePoint)} has glyph ${glyph}, and there are ${this.#glyphs}`);
  }

  /** In units. */
  advanceOf(glyph: number): number {
    const last = Math.min(glyph, this.#metrics - 1);
    return this.view.u16(this.#table("hmtx", 0).at + 4 * last, "a width");
  }

  outlineOf(glyph: number): readonly Contour[] {
    return this.#outline(glyph, 0, { points: 0, parts: 0 });
  }

  #outline(glyph: number, depth: number, sum: { points: number; parts: number }): Contour[] {
    const { view } = this;
    const range = this.#rangeOf(glyph);
    if (range.length === 0) return [];
    const what = `glyph ${glyph}`;
    const contours = view.i16(range.at, what);
    if (contours < 0) return this.#composite(glyph, range.at + 10, depth, sum);
    const reader = new GlyphReader(view, range, what);
    const ends = Array.from({ length: contours }, () => reader.u16());
    const count = contours === 0 ? 0 : ends[contours - 1]! + 1;
    if (ends.some((end, k) => k > 0 && end <= ends[k - 1]!))
      throw view.wrong(`${what}: its contours do not follow one another`, range.at);
    sum.points += count;
    if (sum.points > MOST_POINTS) throw view.wrong(`${what} has more than ${MOST_POINTS} points`, range.at);
    const points = reader.points(count);
    return ends.map((end, k) => points.slice(k === 0 ? 0 : ends[k - 1]! + 1, end + 1));
  }

  #composite(glyph: number, begin: number, depth: number, sum: { points: number; parts: number }): Contour[] {
    const { view } = this;
    const what = `glyph ${glyph}`;
    if (depth === MOST_DEPTH) throw view.wrong(`${what} is put together more than ${MOST_DEPTH} deep`, begin);
    const contours: Contour[] = [];
    const { at: first, length } = this.#rangeOf(glyph);
    const reader = new GlyphReader(view, { at: first, length }, what);
    for (let more = true; more; ) {
      if (++sum.parts > MOST_PARTS) throw view.wrong(`${what} has more than ${MOST_PARTS} parts`, begin);
      const flags = reader.u16();
      const part = reader.u16();
      if (part >= this.#glyphs)
        throw view.wrong(`${what} has glyph ${part} as a part, and there are ${this.#glyphs}`, begin);
      const areOffsets = (flags & 2) !== 0;
      const [one, two] = (flags & 1) !== 0 ? [reader.i16(), reader.i16()] : [reader.i8(), reader.i8()];
      let [xx, xy, yx, yy] = [1, 0, 0, 1];
      if ((flags & 8) !== 0) xx = yy = reader.fraction();
      else if ((flags & 0x40) !== 0) [xx, yy] = [reader.fraction(), reader.fraction()];
      else if ((flags & 0x80) !== 0)
        [xx, xy, yx, yy] = [reader.fraction(), reader.fraction(), reader.fraction(), reader.fraction()];
      more = (flags & 0x20) !== 0;
      const turned = this.#outline(part, depth + 1, sum).map((contour) =>
        contour.map(({ x, y, isOn }): OutlinePoint => ({ x: x * xx + y * yx, y: x * xy + y * yy, isOn })),
      );
      let [dx, dy] = [one, two];
      if (!areOffsets) {
        const anchor = contours.flat()[one & ((flags & 1) !== 0 ? 0xffff : 0xff)];
        const point = turned.flat()[two & ((flags & 1) !== 0 ? 0xffff : 0xff)];
        if (anchor === undefined || point === undefined)
          throw view.wrong(`${what} is put together at a point that does not exist`, begin);
        [dx, dy] = [anchor.x - point.x, anchor.y - point.y];
      } else if ((flags & 0x800) !== 0) {
        dx *= Math.sqrt(xx * xx + xy * xy);
        dy *= Math.sqrt(yx * yx + yy * yy);
      }
      for (const contour of turned) contours.push(contour.map(({ x, y, isOn }) => ({ x: x + dx, y: y + dy, isOn })));
    }
    return contours;
  }

  #rangeOf(glyph: number): TableRange {
    const { view } = this;
    const loca = this.#table("loca", 0).at;
    const glyf = this.#table("glyf", 0);
    const offset = (k: number): number =>
      this.#longOffsets ? view.u32(loca + 4 * k, "an offset") : 2 * view.u16(loca + 2 * k, "an offset");
    const [start, end] = [offset(glyph), offset(glyph + 1)];
    if (start <= end && end <= glyf.length && (start === end || end - start >= 10))
      return { at: glyf.at + start, length: end - start };
    throw view.wrong(`glyph ${glyph} is from byte ${start} to ${end} of "glyf", which has ${glyf.length}`, loca);
  }

  #table(name: string, least: number): TableRange {
    const table = this.#tables.get(name);
    if (table === undefined) throw this.view.wrong(`the table "${name}" is missing`);
    if (table.length >= least) return table;
    throw this.view.wrong(`the table "${name}" has ${table.length} bytes and needs ${least}`, table.at);
  }
}

function readTables(view: SourceView): ReadonlyMap<string, TableRange> {
  const kind = view.length < 12 ? "" : view.tag(0, "the kind of font");
  const reasons: { readonly [kind: string]: string } = {
    OTTO: "its outlines are of PostScript (CFF); convert it to TrueType outlines",
    ttcf: "it is a collection of fonts; take one out of it",
    wOFF: "it is a web font; convert it to TrueType",
    wOF2: "it is a web font; convert it to TrueType",
  };
  if (reasons[kind] !== undefined) throw view.wrong(reasons[kind], 0);
  if (kind !== "true" && (view.length < 12 || view.u32(0, "the kind of font") !== 0x10000))
    throw view.wrong("it does not begin as a TrueType font does", 0);
  const tables = new Map<string, TableRange>();
  const count = view.u16(4, "the number of tables");
  for (let k = 0; k < count; k++) {
    const at = 12 + 16 * k;
    const name = view.tag(at, "the name of a table");
    const range = { at: view.u32(at + 8, "a table"), length: view.u32(at + 12, "a table") };
    view.need(range.at, range.length, `the table "${name}"`);
    if (tables.has(name)) throw view.wrong(`there are two tables "${name}"`, at);
    tables.set(name, range);
  }
  return tables;
}

/** The characters' glyphs, by the largest subtable for Unicode that is of format 12 or 4. */
function characterMap(view: SourceView, cmap: TableRange): (codePoint: number) => number {
  const count = view.u16(cmap.at + 2, "the number of subtables");
  let best: { readonly at: number; readonly format: number } | undefined;
  for (let k = 0; k < count; k++) {
    const record = cmap.at + 4 + 8 * k;
    const platform = view.u16(record, "a subtable");
    const encoding = view.u16(record + 2, "a subtable");
    if (platform !== 0 && !(platform === 3 && (encoding === 1 || encoding === 10))) continue;
    const at = cmap.at + view.u32(record + 4, "a subtable");
    const format = view.u16(at, 'a subtable of "cmap"');
    if ((format === 4 || format === 12) && format > (best?.format ?? 0)) best = { at, format };
  }
  if (best === undefined) throw view.wrong("it does not say which characters its glyphs are in Unicode", cmap.at);
  return best.format === 12 ? groups(view, best.at) : segments(view, best.at);
}

/** The first of `count` for which `reaches`, which from there on all do; `count` when none does. */
function firstOf(count: number, reaches: (k: number) => boolean): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (reaches(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Format 12. */
function groups(view: SourceView, at: number): (codePoint: number) => number {
  const what = "the groups of characters";
  const count = view.u32(at + 12, what);
  view.need(at + 16, 12 * count, what);
  return (codePoint) => {
    const group = at + 16 + 12 * firstOf(count, (k) => view.u32(at + 20 + 12 * k, what) >= codePoint);
    if (group === at + 16 + 12 * count || view.u32(group, what) > codePoint) return 0;
    return view.u32(group + 8, what) + codePoint - view.u32(group, what);
  };
}

/** Format 4. */
function segments(view: SourceView, at: number): (codePoint: number) => number {
  const what = "the segments of characters";
  const count = view.u16(at + 6, what) >> 1;
  view.need(at + 16, 8 * count, what);
  const field = (which: number, k: number): number => at + 14 + 2 * count * which + (which === 0 ? 0 : 2) + 2 * k;
  return (codePoint) => {
    if (codePoint > 0xffff) return 0;
    const k = firstOf(count, (k) => view.u16(field(0, k), what) >= codePoint);
    if (k === count) return 0;
    const start = view.u16(field(1, k), what);
    if (start > codePoint) return 0;
    const delta = view.u16(field(2, k), what);
    const offset = view.u16(field(3, k), what);
    if (offset === 0) return (codePoint + delta) & 0xffff;
    const glyph = view.u16(field(3, k) + offset + 2 * (codePoint - start), what);
    return glyph === 0 ? 0 : (glyph + delta) & 0xffff;
  };
}

/** Reads what is behind a glyph's box, within its bytes. */
class GlyphReader {
  readonly #view: SourceView;
  readonly #end: number;
  readonly #what: string;
  #at: number;

  constructor(view: SourceView, { at, length }: TableRange, what: string) {
    this.#view = view;
    this.#at = at + 10;
    this.#end = at + length;
    this.#what = what;
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (bytes > this.#end - at) throw this.#view.wrong(`${this.#what} has more in it than bytes`, at);
    this.#at = at + bytes;
    return at;
  }
  i8(): number {
    return (this.#view.u8(this.#take(1), this.#what) << 24) >> 24;
  }
  u16(): number {
    return this.#view.u16(this.#take(2), this.#what);
  }
  i16(): number {
    return this.#view.i16(this.#take(2), this.#what);
  }
  /** Two bits before the point. */
  fraction(): number {
    return this.i16() / 16_384;
  }

  /** Points of a simple glyph, behind the ends of its contours. */
  points(count: number): OutlinePoint[] {
    if (count === 0) return [];
    this.#take(this.u16());
    const flags = new Uint8Array(count);
    for (let k = 0; k < count; ) {
      const flag = this.#view.u8(this.#take(1), this.#what);
      const times = (flag & 8) === 0 ? 1 : 1 + this.#view.u8(this.#take(1), this.#what);
      if (times > count - k) throw this.#view.wrong(`${this.#what} has flags for more points than ${count}`, this.#at);
      flags.fill(flag, k, k + times);
      k += times;
    }
    const xs = this.#coordinates(flags, 2, 0x10);
    const ys = this.#coordinates(flags, 4, 0x20);
    return xs.map((x, k) => ({ x, y: ys[k]!, isOn: (flags[k]! & 1) !== 0 }));
  }

  /** Each is a difference: a byte with a sign apart, two bytes, or none. */
  #coordinates(flags: Uint8Array, isShort: number, isSame: number): number[] {
    let value = 0;
    return Array.from(flags, (flag) => {
      if ((flag & isShort) !== 0) {
        const difference = this.#view.u8(this.#take(1), this.#what);
        value += (flag & isSame) !== 0 ? difference : -difference;
      } else if ((flag & isSame) === 0) {
        value += this.i16();
      }
      return value;
    });
  }
}
