/** Images as sheets of cells of one size. */
import type { ImportSource } from "../importer.ts";
import type { Image } from "./png-image.ts";
import { wrongSource } from "./source-view.ts";

/** Cells of an image, and where the pixels of each begin. */
export interface Cells {
  readonly columns: number;
  readonly rows: number;
  readonly width: number;
  readonly height: number;
  /** Index of the first pixel of cell `k`, which are numbered line by line. */
  begin(k: number): number;
}

/** Cuts an image into cells; it must come out even. */
export function cut(
  source: ImportSource,
  image: Image,
  size: { readonly width: number; readonly height: number; readonly margin: number; readonly spacing: number },
): Cells {
  const { width, height, margin, spacing } = size;
  const along = (side: "width" | "height"): number => {
    const count = (image[side] - 2 * margin + spacing) / (size[side] + spacing);
    if (count >= 1 && Number.isInteger(count)) return count;
    const around = margin > 0 || spacing > 0 ? `, a margin of ${margin} and a spacing of ${spacing}` : "";
    throw wrongSource(
      source,
      `its ${side} of ${image[side]} pixels does not hold a whole number of cells of ${size[side]}${around}`,
    );
  };
  const columns = along("width");
  const rows = along("height");
  return {
    columns,
    rows,
    width,
    height,
    begin(k) {
      const y = margin + Math.floor(k / columns) * (height + spacing);
      return y * image.width + margin + (k % columns) * (width + spacing);
    },
  };
}
