/** A picture of palette indices that tiles are drawn on. */

/** Pixels of a tile's side. */
export const TILE: i32 = 16;

export class Canvas {
  readonly pixels: Uint8Array;

  constructor(
    readonly width: i32,
    readonly height: i32,
  ) {
    this.pixels = new Uint8Array(width * height);
  }

  /** Sets a pixel, if there is one. */
  set(x: i32, y: i32, color: u8): void {
    if (<u32>x < <u32>this.width && <u32>y < <u32>this.height)
      unchecked((this.pixels[y * this.width + x] = color));
  }

  /** Draws tile `index` of a sheet with its upper left corner at x, y; index 0 is nothing, and so is what lies outside. */
  draw(sheet: Uint8Array, index: i32, x: i32, y: i32): void {
    if (index < 0 || (index + 1) * TILE * TILE > sheet.length) throw new RangeError(`there is no tile ${index}`);
    const from = sheet.dataStart + index * TILE * TILE;
    const first = max(0, -x);
    const last = min(TILE, this.width - x);
    for (let row = max(0, -y); row < min(TILE, this.height - y); row++) {
      const to = this.pixels.dataStart + (y + row) * this.width + x;
      for (let column = first; column < last; column++) {
        const color = load<u8>(from + row * TILE + column);
        if (color != 0) store<u8>(to + column, color);
      }
    }
  }
}
