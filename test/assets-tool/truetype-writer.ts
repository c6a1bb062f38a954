/** Writes TrueType fonts of a few glyphs. */

export interface SimpleGlyph {
  /** Contours of points: x, y, and whether it is on the curve. */
  readonly contours: readonly (readonly (readonly [number, number, boolean])[])[];
}
export interface Part {
  readonly glyph: number;
  readonly flags?: number;
  /** What stands behind flags and glyph. */
  readonly words: readonly number[];
}
export interface FontPlan {
  readonly unitsPerEm?: number;
  readonly ascender?: number;
  readonly descender?: number;
  readonly lineGap?: number;
  readonly glyphs: readonly (SimpleGlyph | { readonly parts: readonly Part[] } | Uint8Array | undefined)[];
  readonly advances: readonly number[];
  /** Glyphs of characters. */
  readonly map: { readonly [character: string]: number };
  readonly format?: 4 | 12;
  readonly longOffsets?: boolean;
  /** Tables that are otherwise, or undefined for none. */
  readonly tables?: { readonly [name: string]: Buffer | undefined };
}

function words(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(2 * values.length);
  for (const [k, value] of values.entries()) bytes.writeUInt16BE(value & 0xffff, 2 * k);
  return bytes;
}
function long(value: number): readonly number[] {
  return [value >>> 16, value & 0xffff];
}

function glyphBytes(glyph: FontPlan["glyphs"][number]): Buffer {
  if (glyph === undefined) return Buffer.alloc(0);
  if (glyph instanceof Uint8Array) return Buffer.from(glyph);
  if ("parts" in glyph) {
    const parts = glyph.parts.flatMap(({ glyph: index, flags = 3, words: values }, k) => [
      flags | (k + 1 < glyph.parts.length ? 0x20 : 0),
      index,
      ...values,
    ]);
    return words(-1, 0, 0, 0, 0, ...parts);
  }
  const points = glyph.contours.flat();
  const ends: number[] = [];
  for (const contour of glyph.contours) ends.push((ends.at(-1) ?? -1) + contour.length);
  const differences = (axis: 0 | 1) => points.map((point, k) => point[axis] - (k === 0 ? 0 : points[k - 1]![axis]));
  const bytes = Buffer.concat([
    words(glyph.contours.length, 0, 0, 0, 0, ...ends, 0),
    Uint8Array.from(points, ([, , isOn]) => (isOn ? 1 : 0)),
    words(...differences(0), ...differences(1)),
  ]);
  return bytes.length % 2 === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(1)]);
}

function cmap(map: FontPlan["map"], format: 4 | 12): Buffer {
  const points = Object.entries(map)
    .map(([character, glyph]) => [character.codePointAt(0)!, glyph] as const)
    .sort(([left], [right]) => left - right);
  const subtable =
    format === 12
      ? words(12, 0, ...long(16 + 12 * points.length), ...long(0), ...long(points.length)).toString("hex") +
        points.map(([point, glyph]) => words(...long(point), ...long(point), ...long(glyph)).toString("hex")).join("")
      : (() => {
          const segments = [...points, [0xffff, 0] as const];
          return words(
            ...[4, 16 + 8 * segments.length, 0, 2 * segments.length, 0, 0, 0],
            ...segments.map(([point]) => point),
            0,
            ...segments.map(([point]) => point),
            ...segments.map(([point, glyph]) => glyph - point),
            ...segments.map(() => 0),
          ).toString("hex");
        })();
  return Buffer.concat([words(0, 1, 3, format === 12 ? 10 : 1, ...long(12)), Buffer.from(subtable, "hex")]);
}

export function writeFont(plan: FontPlan): Buffer {
  const { glyphs, advances, map, format = 4, longOffsets = false } = plan;
  const { unitsPerEm = 1000, ascender = 800, descender = -200, lineGap = 0 } = plan;
  const bodies = glyphs.map(glyphBytes);
  const offsets = [0];
  for (const body of bodies) offsets.push(offsets.at(-1)! + body.length);
  const tables: { [name: string]: Buffer | undefined } = {
    cmap: cmap(map, format),
    glyf: Buffer.concat(bodies),
    head: Buffer.concat([Buffer.alloc(18), words(unitsPerEm), Buffer.alloc(30), words(longOffsets ? 1 : 0, 0)]),
    hhea: Buffer.concat([words(1, 0, ascender, descender, lineGap), Buffer.alloc(24), words(advances.length)]),
    hmtx: words(...advances.flatMap((advance) => [advance, 0])),
    loca: longOffsets ? words(...offsets.flatMap(long)) : words(...offsets.map((offset) => offset / 2)),
    maxp: words(...long(0x10000), glyphs.length),
    ...plan.tables,
  };
  const present = Object.entries(tables).filter((entry): entry is [string, Buffer] => entry[1] !== undefined);
  let at = 12 + 16 * present.length;
  const records: Buffer[] = [];
  for (const [name, body] of present) {
    records.push(Buffer.concat([Buffer.from(name, "latin1"), words(0, 0, ...long(at), ...long(body.length))]));
    at += body.length;
  }
  return Buffer.concat([
    words(...long(0x10000), present.length, 0, 0, 0),
    ...records,
    ...present.map(([, body]) => body),
  ]);
}
