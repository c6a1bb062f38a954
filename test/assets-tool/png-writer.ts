/** Writes PNG images of every kind, and wrong ones. */
import { crc32, deflateSync } from "node:zlib";

export interface Drawing {
  readonly width: number;
  readonly height: number;
  readonly colorType: 0 | 2 | 3 | 4 | 6;
  readonly depth: 1 | 2 | 4 | 8 | 16;
  /** Samples of the pixel at a place, as they stand in the file. */
  readonly at: (x: number, y: number) => readonly number[];
  readonly interlaced?: boolean;
  /** Filter of a line; by default all five in turn. */
  readonly filter?: (line: number) => number;
  readonly palette?: readonly number[];
  readonly transparency?: readonly number[];
}

export const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const CHANNELS = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 } as const;
const PASSES = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

export function chunk(type: string, body: Uint8Array | readonly number[]): Buffer {
  const named = Buffer.concat([Buffer.from(type, "latin1"), Uint8Array.from(body)]);
  const around = Buffer.alloc(8);
  around.writeUInt32BE(body.length, 0);
  around.writeUInt32BE(crc32(named), 4);
  return Buffer.concat([around.subarray(0, 4), named, around.subarray(4)]);
}

export function ihdr({ width, height, depth, colorType, interlaced }: Omit<Drawing, "at">): Buffer {
  const body = Buffer.alloc(13);
  body.writeUInt32BE(width, 0);
  body.writeUInt32BE(height, 4);
  body.set([depth, colorType, 0, 0, interlaced ? 1 : 0], 8);
  return chunk("IHDR", body);
}

/** The filtered lines of all passes. */
export function linesOf({ width, height, colorType, depth, at, interlaced, filter }: Drawing): Buffer {
  const channels = CHANNELS[colorType];
  const step = Math.max(1, (channels * depth) >> 3);
  const lines: Uint8Array[] = [];
  for (const [x0, y0, dx, dy] of interlaced ? PASSES : [[0, 0, 1, 1]]) {
    const columns = Math.ceil((width - x0!) / dx!);
    const length = Math.ceil((columns * channels * depth) / 8);
    let above = new Uint8Array(length);
    for (let y = y0!; columns > 0 && y < height; y += dy!) {
      const line = new Uint8Array(length);
      for (let k = 0; k < columns; k++) {
        for (const [c, sample] of at(x0! + k * dx!, y).entries()) {
          const bit = (k * channels + c) * depth;
          if (depth === 16) line.set([sample >> 8, sample & 255], bit >> 3);
          else line[bit >> 3]! |= sample << (8 - depth - (bit & 7));
        }
      }
      const kind = filter?.(lines.length) ?? lines.length % 5;
      const filtered = line.map((byte, k) => {
        const left = k < step ? 0 : line[k - step]!;
        const up = above[k]!;
        const corner = k < step ? 0 : above[k - step]!;
        const base = left + up - corner;
        const nearest = [left, up, corner].reduce((best, next) =>
          Math.abs(base - next) < Math.abs(base - best) ? next : best,
        );
        return byte - [0, left, up, (left + up) >> 1, nearest, 0, 0][kind]!;
      });
      lines.push(Uint8Array.of(kind), filtered);
      above = line;
    }
  }
  return Buffer.concat(lines);
}

export function drawPng(drawing: Drawing, lines: Uint8Array = linesOf(drawing)): Buffer {
  const { palette, transparency } = drawing;
  const data = deflateSync(lines);
  const half = data.length >> 1;
  return Buffer.concat([
    SIGNATURE,
    ihdr(drawing),
    chunk("gAMA", [0, 0, 0xb1, 0x8f]),
    ...(palette === undefined ? [] : [chunk("PLTE", palette)]),
    ...(transparency === undefined ? [] : [chunk("tRNS", transparency)]),
    chunk("IDAT", data.subarray(0, half)),
    chunk("IDAT", data.subarray(half)),
    chunk("IEND", []),
  ]);
}
