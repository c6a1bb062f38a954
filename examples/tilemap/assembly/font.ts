/** A bitmap font as `assets-tool` makes it: a header, a table of glyphs by ascending code point, and rows of bits. */
import { Canvas } from "./canvas";

const HEADER_BYTES: u32 = 16;
const GLYPH_BYTES: u32 = 20;

export class Font {
  private readonly glyphs: i32;

  constructor(private readonly bytes: Uint8Array) {
    if (bytes.length < <i32>HEADER_BYTES || load<u32>(bytes.dataStart) != 0x31544e46) throw new Error("this is no font");
    if (load<u32>(bytes.dataStart, 12) != 1) throw new Error("the font's pixels have more than one bit");
    this.glyphs = load<u32>(bytes.dataStart, 8);
  }

  /** Draws a line of text; characters that the font has not are left out. */
  draw(canvas: Canvas, text: string, x: i32, y: i32, color: u8): void {
    for (let k = 0; k < text.length; k++) {
      const glyph = this.find(text.charCodeAt(k));
      if (glyph == 0) continue;
      const left = x + load<i16>(glyph, 8);
      const top = y + load<i16>(glyph, 10);
      const rowBytes: i32 = load<u16>(glyph, 14);
      const bitmap: i32 = load<u32>(glyph, 16);
      for (let dy: i32 = 0; dy < <i32>load<u16>(glyph, 6); dy++) {
        for (let dx: i32 = 0; dx < <i32>load<u16>(glyph, 4); dx++) {
          const bits: i32 = this.bytes[bitmap + dy * rowBytes + (dx >> 3)];
          if ((bits & (0x80 >> (dx & 7))) != 0) canvas.set(left + dx, top + dy, color);
        }
      }
      x += load<i16>(glyph, 12);
    }
  }

  /** How far a line of text goes to the right. */
  width(text: string): i32 {
    let width: i32 = 0;
    for (let k = 0; k < text.length; k++) {
      const glyph = this.find(text.charCodeAt(k));
      if (glyph != 0) width += load<i16>(glyph, 12);
    }
    return width;
  }

  /** Address of a glyph's row in the table; 0 when there is none. */
  private find(codePoint: u32): usize {
    let low = 0;
    let high = this.glyphs;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const glyph = this.bytes.dataStart + HEADER_BYTES + GLYPH_BYTES * middle;
      const found = load<u32>(glyph);
      if (found == codePoint) return glyph;
      if (found < codePoint) low = middle + 1;
      else high = middle;
    }
    return 0;
  }
}
