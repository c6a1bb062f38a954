/** Bitmap fonts of X11, version 2.1 and 2.2 (spec TOOL-FONT-2). */
import type { Importer, ImportSource } from "../importer.ts";
import {
  charactersOf,
  fontAsset,
  type Glyph,
  isCharacter,
  isGlyphMetric,
  MOST_BITMAP_BYTES,
  MOST_GLYPH_SIDE,
  MOST_GLYPHS,
  unicode,
} from "./font.ts";
import { Settings } from "./settings.ts";
import { SourceView } from "./source-view.ts";

/** Longest line of a font: a row of the widest glyph is shorter. */
const MOST_LINE_BYTES = 4096;

export const bdf: Importer = {
  name: "bdf",
  version: 1,
  bankTypes: ["fonts"],
  matches: (path) => /\.bdf$/i.test(path),
  import(source, settings) {
    const known = new Settings(settings);
    const characters = charactersOf(known);
    const bits = known.choice("bits", [1, 8]) ?? 1;
    known.end();
    const wanted = characters === undefined ? undefined : new Set(characters.codePoints);
    const { glyphs, ascent, descent } = new BdfReader(source, wanted).read();
    const there = new Set(glyphs.map(({ codePoint }) => codePoint));
    const view = new SourceView(source);
    for (const point of characters?.named ?? [])
      if (!there.has(point)) throw view.wrong(`the font has no character ${unicode(point)}`);
    if (glyphs.length === 0) throw view.wrong("the font has none of the characters");
    return [fontAsset({ lineHeight: ascent + descent, ascent, glyphs }, bits)];
  },
};

/** Width, height, and where the lower left corner is, to the right of the pen and above the baseline. */
type Box = readonly [width: number, height: number, x: number, y: number];

class BdfReader {
  readonly #view: SourceView;
  readonly #wanted: ReadonlySet<number> | undefined;
  readonly #glyphs = new Map<number, Glyph>();
  /** Where the next line begins, and where the last one did. */
  #next = 0;
  #at = 0;
  #bitmapBytes = 0;
  /** What holds for glyphs that do not say it themselves. */
  #box: Box | undefined;
  #advance: number | undefined;
  #ascent: number | undefined;
  #descent: number | undefined;

  constructor(source: ImportSource, wanted: ReadonlySet<number> | undefined) {
    this.#view = new SourceView(source);
    this.#wanted = wanted;
  }

  read(): { readonly glyphs: readonly Glyph[]; readonly ascent: number; readonly descent: number } {
    if (!this.#line("STARTFONT")[0]!.startsWith("STARTFONT"))
      throw this.#wrong('it does not begin as a BDF font does: with "STARTFONT"');
    let ended = false;
    while (!ended) {
      const [key, ...words] = this.#line("ENDFONT");
      if (key === "FONTBOUNDINGBOX") this.#box = this.#boxOf(key, words);
      else if (key === "DWIDTH") this.#advance = this.#number(key, words, 0);
      else if (key === "FONT_ASCENT") this.#ascent = this.#number(key, words, 0);
      else if (key === "FONT_DESCENT") this.#descent = this.#number(key, words, 0);
      else if (key === "METRICSSET" && this.#number(key, words, 0) === 1)
        throw this.#wrong("it is a font for vertical writing only, which is not imported");
      else if (key === "STARTCHAR") this.#glyph();
      else ended = key === "ENDFONT";
    }
    const [, height, , y] = this.#box ?? [0, 0, 0, 0];
    const ascent = this.#ascent ?? height + y;
    const descent = this.#descent ?? -y;
    if (!isGlyphMetric(ascent) || !isGlyphMetric(descent) || ascent + descent < 1)
      throw this.#wrong(`a line with an ascent of ${ascent} and a descent of ${descent} has no height`);
    return { glyphs: [...this.#glyphs.values()], ascent, descent };
  }

  /** A glyph behind its line STARTCHAR. */
  #glyph(): void {
    const begin = this.#at;
    let codePoint: number | undefined;
    let box = this.#box;
    let advance = this.#advance;
    for (;;) {
      const [key, ...words] = this.#line("BITMAP");
      if (key === "ENCODING") codePoint = this.#number(key, words, 0);
      else if (key === "BBX") box = this.#boxOf(key, words);
      else if (key === "DWIDTH") advance = this.#number(key, words, 0);
      else if (key === "BITMAP") break;
      else if (key === "ENDCHAR" || key === "STARTCHAR" || key === "ENDFONT")
        throw this.#wrong(`a glyph has no BITMAP before ${key}`);
    }
    if (codePoint === undefined) throw this.#view.wrong("a glyph has no ENCODING", begin);
    if (box === undefined) throw this.#view.wrong("a glyph has no BBX, and the font no FONTBOUNDINGBOX", begin);
    if (advance === undefined) throw this.#view.wrong("neither a glyph nor the font has a DWIDTH", begin);
    const isKept = codePoint >= 0 && (this.#wanted === undefined || this.#wanted.has(codePoint));
    if (isKept) this.#check(codePoint, advance, box, begin);
    const coverage = this.#bitmap(box, isKept);
    if (!isKept) return;
    const [width, height, x, y] = box;
    this.#glyphs.set(codePoint, { codePoint, width, height, x, y: -(y + height), advance, coverage });
  }

  /** Before anything is allocated for it. */
  #check(codePoint: number, advance: number, [width, height]: Box, begin: number): void {
    if (!isCharacter(codePoint)) throw this.#view.wrong(`${codePoint} is no character`, begin);
    if (this.#glyphs.has(codePoint)) throw this.#view.wrong(`there are two glyphs for ${unicode(codePoint)}`, begin);
    if (this.#glyphs.size === MOST_GLYPHS) throw this.#view.wrong(`there are more than ${MOST_GLYPHS} glyphs`, begin);
    if (!isGlyphMetric(advance)) throw this.#view.wrong(`a glyph is ${advance} pixels wide`, begin);
    this.#bitmapBytes += width * height;
    if (this.#bitmapBytes > MOST_BITMAP_BYTES)
      throw this.#view.wrong(`the glyphs have more than ${MOST_BITMAP_BYTES} pixels`, begin);
  }

  /** The rows behind BITMAP up to ENDCHAR. */
  #bitmap([width, height]: Box, isKept: boolean): Uint8Array {
    const digits = 2 * Math.ceil(width / 8);
    const begin = this.#at;
    const rows: string[] = [];
    for (;;) {
      const [row = ""] = this.#line("ENDCHAR");
      if (row === "ENDCHAR") break;
      if (rows.length === height) throw this.#wrong(`a glyph of ${height} lines has more of them`);
      if (row.length !== digits || !/^[0-9A-F]*$/i.test(row))
        throw this.#wrong(`a line of a glyph of ${width} pixels is ${digits} hexadecimal digits`);
      rows.push(row);
    }
    // A glyph without pixels may leave out its empty lines.
    if (rows.length !== height && width > 0)
      throw this.#view.wrong(`a glyph of ${height} lines has ${rows.length} of them`, begin);
    const coverage = new Uint8Array(isKept ? width * height : 0);
    for (let y = 0; isKept && y < rows.length; y++) {
      for (let x = 0; x < width; x++) {
        const digit = Number.parseInt(rows[y]![x >> 2]!, 16);
        if ((digit & (8 >> (x & 3))) !== 0) coverage[y * width + x] = 255;
      }
    }
    return coverage;
  }

  #boxOf(key: string, words: readonly string[]): Box {
    const box: Box = [
      this.#number(key, words, 0),
      this.#number(key, words, 1),
      this.#number(key, words, 2),
      this.#number(key, words, 3),
    ];
    const [width, height, x, y] = box;
    if (width < 0 || height < 0 || width > MOST_GLYPH_SIDE || height > MOST_GLYPH_SIDE)
      throw this.#wrong(`${key} is of ${width} × ${height} pixels; at most ${MOST_GLYPH_SIDE} on a side are imported`);
    if (!isGlyphMetric(x) || !isGlyphMetric(y)) throw this.#wrong(`${key} is at ${x}, ${y}`);
    return box;
  }

  #number(key: string, words: readonly string[], index: number): number {
    const word = words[index] ?? "";
    // Some fonts write 8.000 for 8.
    if (!/^[-+]?\d{1,9}(?:\.0+)?$/.test(word))
      throw this.#wrong(`${key} needs an integer in place ${index + 1}, not "${word.slice(0, 20)}"`);
    return Number(word);
  }

  /** Words of the next line that is not empty; `awaited` is for the message when there is none. */
  #line(awaited: string): string[] {
    const { bytes } = this.#view;
    for (;;) {
      if (this.#next >= bytes.length) throw this.#view.wrong(`the font ends before ${awaited}`, bytes.length);
      const found = bytes.indexOf(0x0a, this.#next);
      const end = found < 0 ? bytes.length : found;
      this.#at = this.#next;
      this.#next = end + 1;
      if (end - this.#at > MOST_LINE_BYTES) throw this.#wrong(`a line has more than ${MOST_LINE_BYTES} bytes`);
      let text = "";
      for (let k = this.#at; k < end; k++) text += String.fromCharCode(bytes[k]!);
      const words = text.split(/[ \t\r\0]+/).filter((word) => word !== "");
      if (words.length > 0 && words[0] !== "COMMENT") return words;
    }
  }

  #wrong(message: string): Error {
    return this.#view.wrong(message, this.#at);
  }
}
