/**
 * Reads PNG images (ISO/IEC 15948). By itself, because what it is for needs three things at once that libraries do not have
 * together: the indices of an image with a palette as they are in the file, an end to what a small file may inflate to, and
 * every bit depth interlaced too.
 */
import { inflateSync } from "node:zlib";
import { crc32 } from "../../syscalls/crc32.ts";
import type { ImportSource } from "../importer.ts";
import { SourceView } from "./source-view.ts";

/** Most pixels on a side, and in an image (spec TOOL-PNG-1). */
const MOST_SIDE = 16_384;
const MOST_PIXELS = 2 ** 25;

/** An image of 8 bits a channel. */
export interface Image {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue and alpha of each pixel; undefined for an image with a palette. */
  readonly rgba: Uint8Array | undefined;
  /** Of an image with a palette: an index for each pixel, each within the palette, and red, green, blue, alpha of each colour. */
  readonly indexed: { readonly indices: Uint8Array; readonly palette: Uint8Array } | undefined;
}

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

/** Channels and allowed depths of each colour type. */
const COLOR_TYPES: { readonly [type: number]: { readonly channels: number; readonly depths: readonly number[] } } = {
  0: { channels: 1, depths: [1, 2, 4, 8, 16] },
  2: { channels: 3, depths: [8, 16] },
  3: { channels: 1, depths: [1, 2, 4, 8] },
  4: { channels: 2, depths: [8, 16] },
  6: { channels: 4, depths: [8, 16] },
};
const INDEXED = 3;

/** First pixel and steps of the passes of an interlaced image, and of one that is not. */
const ADAM7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;
const WHOLE = [[0, 0, 1, 1]] as const;

interface Header {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly colorType: number;
  readonly channels: number;
  readonly interlaced: boolean;
}

interface Chunks {
  readonly header: Header;
  readonly palette: Uint8Array | undefined;
  readonly transparency: Uint8Array | undefined;
  readonly data: readonly Uint8Array[];
  /** Where the first chunk of data begins, for messages. */
  readonly dataOffset: number;
}

/** Decodes the image, or the first picture of an animated one. Throws `PACK-IMPORT`. */
export function decodePng(source: ImportSource): Image {
  const view = new SourceView(source);
  const chunks = readChunks(view);
  const { header } = chunks;
  const lines = inflated(view, chunks);
  const { width, height, colorType } = header;
  if (colorType !== INDEXED) {
    const rgba = new Uint8Array(width * height * 4);
    const put = pixelWriter(header, transparentColor(view, chunks), rgba);
    forEachLine(view, header, lines, put);
    return { width, height, rgba, indexed: undefined };
  }
  const palette = paletteOf(view, chunks);
  const indices = new Uint8Array(width * height);
  let largest = 0;
  forEachLine(view, header, lines, (line, k, pixel) => {
    const index = sampleOf(line, k, header.depth);
    if (index > largest) largest = index;
    indices[pixel] = index;
  });
  if (4 * largest >= palette.length)
    throw view.wrong(`a pixel has colour ${largest}, and the palette ${palette.length / 4} colours`);
  return { width, height, rgba: undefined, indexed: { indices, palette } };
}

/** Red, green, blue and alpha of every pixel. */
export function rgbaOf(image: Image): Uint8Array {
  if (image.rgba !== undefined) return image.rgba;
  const { indices, palette } = image.indexed!;
  const rgba = new Uint8Array(4 * indices.length);
  const colors = new Uint32Array(256);
  new Uint8Array(colors.buffer).set(palette);
  const pixels = new Uint32Array(rgba.buffer);
  for (let k = 0; k < indices.length; k++) pixels[k] = colors[indices[k]!]!;
  return rgba;
}

function readChunks(view: SourceView): Chunks {
  const begin = view.bytes.subarray(0, SIGNATURE.length);
  if (begin.length < SIGNATURE.length || SIGNATURE.some((byte, k) => byte !== begin[k]))
    throw view.wrong("it does not begin as a PNG image does", 0);
  let header: Header | undefined;
  let palette: Uint8Array | undefined;
  let transparency: Uint8Array | undefined;
  const data: Uint8Array[] = [];
  let dataOffset = 0;
  let last = "";
  for (let at = SIGNATURE.length; last !== "IEND"; ) {
    const length = view.u32(at, "the length of a chunk");
    const type = view.tag(at + 4, "the type of a chunk");
    if (!/^[A-Za-z]{4}$/.test(type)) throw view.wrong(`the type of a chunk is four letters, not "${type}"`, at + 4);
    const body = view.span(at + 8, length, `the chunk ${type}`);
    const sum = crc32(0, view.bytes.subarray(at + 4, at + 8 + length));
    if (view.u32(at + 8 + length, `the checksum of the chunk ${type}`) !== sum)
      throw view.wrong(`the chunk ${type} is damaged: its checksum is wrong`, at);
    if (header === undefined && type !== "IHDR") throw view.wrong(`IHDR must be the first chunk, not ${type}`, at);
    if (type === "IHDR") {
      if (header !== undefined) throw view.wrong("there is a second chunk IHDR", at);
      header = readHeader(view, at + 8, length);
    } else if (type === "PLTE") {
      if (palette !== undefined || data.length > 0) throw view.wrong("PLTE stands twice, or behind the pixels", at);
      if (length === 0 || length % 3 !== 0 || length > 768)
        throw view.wrong(`PLTE holds 1 to 256 colours of 3 bytes, not ${length} bytes`, at);
      palette = body;
    } else if (type === "tRNS") {
      if (transparency !== undefined || data.length > 0)
        throw view.wrong("tRNS stands twice, or behind the pixels", at);
      transparency = body;
    } else if (type === "IDAT") {
      if (data.length > 0 && last !== "IDAT") throw view.wrong("the chunks IDAT do not follow one another", at);
      if (data.length === 0) dataOffset = at;
      data.push(body);
    } else if (type !== "IEND" && type.charCodeAt(0) < 0x60) {
      throw view.wrong(`the chunk ${type} must be understood, and is not known`, at);
    }
    last = type;
    at += 12 + length;
  }
  if (data.length === 0) throw view.wrong("there are no pixels: no chunk IDAT");
  return { header: header!, palette, transparency, data, dataOffset };
}

function readHeader(view: SourceView, at: number, length: number): Header {
  if (length !== 13) throw view.wrong(`IHDR has 13 bytes, not ${length}`, at);
  const width = view.u32(at, "the width");
  const height = view.u32(at + 4, "the height");
  const [depth, colorType, compression, filter, interlace] = view.span(at + 8, 5, "IHDR") as unknown as number[];
  if (width === 0 || height === 0) throw view.wrong(`the image is ${width} × ${height} pixels`, at);
  if (width > MOST_SIDE || height > MOST_SIDE || width * height > MOST_PIXELS)
    throw view.wrong(
      `the image is ${width} × ${height} pixels; at most ${MOST_SIDE} on a side and ${MOST_PIXELS} in all are imported`,
      at,
    );
  const color = COLOR_TYPES[colorType!];
  if (color === undefined || !color.depths.includes(depth!))
    throw view.wrong(`there is no PNG of colour type ${colorType} with ${depth} bits`, at + 8);
  if (compression !== 0 || filter !== 0 || interlace! > 1)
    throw view.wrong(`compression ${compression}, filter ${filter} or interlacing ${interlace} is not known`, at + 10);
  return { width, height, depth: depth!, colorType: colorType!, channels: color.channels, interlaced: interlace === 1 };
}

/** Columns and rows of a pass. */
function sizeOf(
  { width, height }: Header,
  [x, y, dx, dy]: readonly [number, number, number, number],
): [number, number] {
  const columns = Math.max(0, Math.ceil((width - x) / dx));
  const rows = Math.max(0, Math.ceil((height - y) / dy));
  return columns === 0 || rows === 0 ? [0, 0] : [columns, rows];
}

function passesOf(header: Header): readonly (readonly [number, number, number, number])[] {
  return header.interlaced ? ADAM7 : WHOLE;
}

function lineBytes({ depth, channels }: Header, columns: number): number {
  return Math.ceil((columns * channels * depth) / 8);
}

/** The filtered lines of all passes. What the image needs is known before, so that nothing inflates to more. */
function inflated(view: SourceView, { header, data, dataOffset }: Chunks): Uint8Array {
  let needed = 0;
  for (const pass of passesOf(header)) {
    const [columns, rows] = sizeOf(header, pass);
    needed += rows * (1 + lineBytes(header, columns));
  }
  let lines: Uint8Array;
  try {
    lines = inflateSync(Buffer.concat(data), { maxOutputLength: needed });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why =
      code === "ERR_BUFFER_TOO_LARGE"
        ? `they are more than the ${needed} bytes that an image of this size has`
        : message;
    throw view.wrong(`the pixels cannot be decompressed: ${why}`, dataOffset);
  }
  if (lines.length !== needed)
    throw view.wrong(`the pixels are ${lines.length} bytes; an image of this size has ${needed}`, dataOffset);
  return lines;
}

/** Takes pixel `k` of an unfiltered line to its place in the image. */
type Put = (line: Uint8Array, k: number, pixel: number) => void;

function forEachLine(view: SourceView, header: Header, lines: Uint8Array, put: Put): void {
  const pixelBytes = Math.max(1, (header.channels * header.depth) >> 3);
  let at = 0;
  for (const pass of passesOf(header)) {
    const [x, y, dx, dy] = pass;
    const [columns, rows] = sizeOf(header, pass);
    const length = lineBytes(header, columns);
    let above: Uint8Array = new Uint8Array(length);
    for (let row = 0; row < rows; row++) {
      const filter = lines[at]!;
      const line = lines.subarray(at + 1, at + 1 + length);
      at += 1 + length;
      if (filter > 4) throw view.wrong(`line ${y + row * dy} has the filter ${filter}; there are 0 to 4`);
      unfilter(filter, line, above, pixelBytes);
      above = line;
      const begin = (y + row * dy) * header.width + x;
      for (let k = 0; k < columns; k++) put(line, k, begin + k * dx);
    }
  }
}

/** Undoes a line's filter in place; `above` is the line before, undone. */
function unfilter(filter: number, line: Uint8Array, above: Uint8Array, pixelBytes: number): void {
  for (let k = 0; filter > 0 && k < line.length; k++) {
    const left = k < pixelBytes ? 0 : line[k - pixelBytes]!;
    const up = above[k]!;
    let predicted = left;
    if (filter === 2) predicted = up;
    else if (filter === 3) predicted = (left + up) >> 1;
    else if (filter === 4) predicted = paeth(left, up, k < pixelBytes ? 0 : above[k - pixelBytes]!);
    line[k] = line[k]! + predicted;
  }
}

function paeth(left: number, up: number, corner: number): number {
  const byLeft = Math.abs(up - corner);
  const byUp = Math.abs(left - corner);
  const byCorner = Math.abs(left + up - 2 * corner);
  if (byLeft <= byUp && byLeft <= byCorner) return left;
  return byUp <= byCorner ? up : corner;
}

/** Sample `k` of a line, of `depth` bits, as it stands in the file. */
function sampleOf(line: Uint8Array, k: number, depth: number): number {
  if (depth === 8) return line[k]!;
  if (depth === 16) return (line[2 * k]! << 8) | line[2 * k + 1]!;
  const bit = k * depth;
  return (line[bit >> 3]! >> (8 - depth - (bit & 7))) & ((1 << depth) - 1);
}

/** A sample as 8 bits, rounded to the nearest. */
function asByte(sample: number, depth: number): number {
  if (depth === 8) return sample;
  return depth === 16 ? (sample * 255 + 32_895) >>> 16 : (sample * 255) / ((1 << depth) - 1);
}

/** Writes pixels of an image without a palette. `transparent` are the samples of the colour that is none. */
function pixelWriter(header: Header, transparent: readonly number[] | undefined, rgba: Uint8Array): Put {
  const { channels, depth } = header;
  const colors = channels < 3 ? 1 : 3;
  return (line, k, pixel) => {
    const at = 4 * pixel;
    let isTransparent = transparent !== undefined;
    for (let c = 0; c < 3; c++) {
      const sample = sampleOf(line, k * channels + (colors === 1 ? 0 : c), depth);
      if (isTransparent && transparent![colors === 1 ? 0 : c] !== sample) isTransparent = false;
      rgba[at + c] = asByte(sample, depth);
    }
    rgba[at + 3] = channels > colors ? asByte(sampleOf(line, k * channels + colors, depth), depth) : 255;
    if (isTransparent) rgba[at + 3] = 0;
  };
}

function transparentColor(view: SourceView, { header, transparency }: Chunks): number[] | undefined {
  if (transparency === undefined) return undefined;
  const { channels, colorType, depth } = header;
  if (colorType !== 0 && colorType !== 2) throw view.wrong("tRNS stands in an image that has an alpha channel");
  if (transparency.length !== 2 * channels)
    throw view.wrong(`tRNS has ${2 * channels} bytes in an image of this kind, not ${transparency.length}`);
  return Array.from({ length: channels }, (_, k) => sampleOf(transparency, k, 16) & ((1 << depth) - 1));
}

function paletteOf(view: SourceView, { header, palette, transparency }: Chunks): Uint8Array {
  if (palette === undefined) throw view.wrong("it is an image with a palette, and PLTE is missing");
  const colors = palette.length / 3;
  if (colors > 1 << header.depth)
    throw view.wrong(`PLTE holds ${colors} colours, and a pixel has ${header.depth} bits`);
  if (transparency !== undefined && transparency.length > colors)
    throw view.wrong(`tRNS is for ${transparency.length} colours, and PLTE holds ${colors}`);
  const rgba = new Uint8Array(4 * colors);
  for (let k = 0; k < colors; k++) {
    rgba.set(palette.subarray(3 * k, 3 * k + 3), 4 * k);
    rgba[4 * k + 3] = transparency?.[k] ?? 255;
  }
  return rgba;
}
