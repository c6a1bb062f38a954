/** What importers make of sources, and what they say to sources that are none. */
import { createHash } from "node:crypto";
import { deflateSync } from "node:zlib";
import { decode as decodeFastPng } from "fast-png";
import t from "tap";
import type { Imported } from "../../assets-tool/importer.ts";
import { IMPORTERS } from "../../assets-tool/importers/index.ts";
import type { JsonObject } from "../../host/assets/json.ts";
import { loadWat } from "../../host/wat.ts";
import { problemsOf } from "../host/assets/problems.ts";
import { chunk, type Drawing, drawPng, ihdr, linesOf, SIGNATURE } from "./png-writer.ts";
import { BDF, FONT, fmt, fuzzImporters, gray, pattern, riff, run, SQUARE } from "./sources.ts";
import { type FontPlan, writeFont } from "./truetype-writer.ts";

function problem(name: string, bytes: Uint8Array, settings?: JsonObject) {
  return problemsOf(() => run(name, bytes, settings))[0];
}

const KINDS: readonly (readonly [Drawing["colorType"], Drawing["depth"], number])[] = [
  ...([1, 2, 4, 8, 16] as const).map((depth) => [0, depth, 1] as const),
  ...([8, 16] as const).map((depth) => [2, depth, 3] as const),
  ...([1, 2, 4, 8] as const).map((depth) => [3, depth, 1] as const),
  ...([8, 16] as const).map((depth) => [4, depth, 2] as const),
  ...([8, 16] as const).map((depth) => [6, depth, 4] as const),
];

/** Red, green, blue and alpha that the samples of a pixel are, without a palette. */
function expected(samples: readonly number[], depth: number): number[] {
  const bytes = samples.map((sample) => Math.round((sample * 255) / (2 ** depth - 1)));
  const [gray] = bytes;
  if (bytes.length < 3) return [gray!, gray!, gray!, bytes[1] ?? 255];
  return [bytes[0]!, bytes[1]!, bytes[2]!, bytes[3] ?? 255];
}

t.test("[TOOL-PNG-1] every kind of PNG, interlaced or not", (t) => {
  for (const [colorType, depth, channels] of KINDS) {
    for (const [width, height] of [
      [1, 1],
      [3, 2],
      [5, 9],
      [17, 11],
      [33, 8],
    ] as const) {
      for (const interlaced of [false, true]) {
        const at = pattern(channels, depth);
        const palette = colorType === 3 ? Array.from({ length: 3 * 2 ** depth }, (_, k) => (k * 37) & 255) : [];
        const drawing: Drawing = { width, height, colorType, depth, at, interlaced };
        const file = drawPng(colorType === 3 ? { ...drawing, palette } : drawing);
        const [made] = run("png", file);
        const pixels = Array.from({ length: width * height }, (_, k) => {
          const samples = at(k % width, Math.floor(k / width));
          if (colorType !== 3) return expected(samples, depth);
          return [...palette.slice(3 * samples[0]!, 3 * samples[0]! + 3), 255];
        });
        const title = `type ${colorType}, ${depth} bits, ${width} × ${height}${interlaced ? ", interlaced" : ""}`;
        t.same([...made!.bytes], pixels.flat(), title);
        t.match(made, { suffix: "", bankType: "sprites", metadata: { frame_width: width, frame_height: height } });
        if (depth !== 8 || colorType === 3) continue;
        // Another reader sees the same.
        const other = decodeFastPng(file);
        t.same(
          [...other.data],
          pixels.flatMap((pixel, k) => expected(at(k % width, Math.floor(k / width)), 8) && samplesOf(pixel, channels)),
          `${title}: fast-png`,
        );
      }
    }
  }
  t.end();
});

function samplesOf(pixel: readonly number[], channels: number): number[] {
  if (channels === 1) return [pixel[0]!];
  if (channels === 2) return [pixel[0]!, pixel[3]!];
  return pixel.slice(0, channels);
}

t.test("[TOOL-PNG-1] tRNS: of a palette, of a gray, of a colour", (t) => {
  const indexed: Drawing = {
    ...{ width: 3, height: 1, colorType: 3, depth: 2, at: (x) => [x] },
    ...{ palette: [1, 2, 3, 4, 5, 6, 7, 8, 9], transparency: [0, 128] },
  };
  t.same([...run("png", drawPng(indexed))[0]!.bytes], [1, 2, 3, 0, 4, 5, 6, 128, 7, 8, 9, 255]);
  const shade: Drawing = { ...gray(2, 1, (x) => 100 + x), transparency: [0, 101] };
  t.same([...run("png", drawPng(shade))[0]!.bytes], [100, 100, 100, 255, 101, 101, 101, 0]);
  const deep: Drawing = {
    ...{ width: 2, height: 1, colorType: 2, depth: 16, at: (x) => [0x1234, 0x5678, 0x9abc + x] },
    transparency: [0x12, 0x34, 0x56, 0x78, 0x9a, 0xbd],
  };
  t.same(
    [...run("png", drawPng(deep))[0]!.bytes].filter((_, k) => k % 4 === 3),
    [255, 0],
    "compared with all 16 bits",
  );
  t.end();
});

t.test("[TOOL-PNG-1, TOOL-INPUT-1] images that are none, with the place", (t) => {
  const drawing = gray(4, 3, (x, y) => x * y);
  const good = drawPng(drawing);
  const lines = linesOf(drawing);
  const around = (...chunks: readonly Uint8Array[]): Buffer => Buffer.concat([SIGNATURE, ...chunks]);
  const pixels = chunk("IDAT", deflateSync(lines));
  const end = chunk("IEND", []);
  const head = ihdr(drawing);
  const cases: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ["nothing", new Uint8Array(0), /does not begin as a PNG/],
    ["a JPEG", Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 0, 0, 0), /does not begin as a PNG/],
    ["its line ends changed", Buffer.from(good.toString("latin1").replace("\r\n", "\n"), "latin1"), /does not begin/],
    ["cut off", good.subarray(0, good.length - 5), /the type of a chunk: 4 bytes are needed and 3 are left/],
    ["a bit changed", good.map((byte, k) => (k === 45 ? byte ^ 1 : byte)), /gAMA is damaged/],
    ["no IHDR", around(pixels, end), /IHDR must be the first chunk, not IDAT/],
    ["two IHDR", around(head, head, pixels, end), /second chunk IHDR/],
    ["no pixels", around(head, end), /no chunk IDAT/],
    ["a chunk of 4 GB", around(head, Buffer.from("fffffff049444154", "hex")), /the chunk IDAT: 4294967280 bytes/],
    ["a strange type", around(head, chunk("I\0AT", [])), /four letters/],
    ["an unknown critical chunk", around(head, chunk("QuOX", []), pixels, end), /QuOX must be understood/],
    ["apart", around(head, pixels, chunk("gAMA", [0, 0, 0, 1]), pixels, end), /do not follow one another/],
    ["no width", around(ihdr({ ...drawing, width: 0 }), pixels, end), /0 × 3 pixels/],
    ["too wide", around(ihdr({ ...drawing, width: 16_385 }), pixels, end), /16385 × 3 pixels; at most 16384/],
    ["too large", around(ihdr({ ...drawing, width: 16_384, height: 2049 }), pixels, end), /33554432 in all/],
    ["3 bits", around(ihdr({ ...drawing, depth: 3 as never }), pixels, end), /colour type 0 with 3 bits/],
    ["type 5", around(ihdr({ ...drawing, colorType: 5 as never }), pixels, end), /colour type 5/],
    ["the palette twice", around(head, chunk("PLTE", [1, 2, 3]), chunk("PLTE", [1, 2, 3]), end), /PLTE stands twice/],
    ["half a colour", around(head, chunk("PLTE", [1, 2, 3, 4]), end), /not 4 bytes/],
    ["fewer lines", drawPng(drawing, lines.subarray(5)), /the pixels are 10 bytes; an image of this size has 15/],
    ["more lines", drawPng(drawing, Buffer.concat([lines, lines])), /more than the 15 bytes/],
    ["a filter 5", drawPng({ ...drawing, filter: () => 5 }), /line 0 has the filter 5/],
    ["no zlib", around(head, chunk("IDAT", [1, 2, 3]), end), /cannot be decompressed/],
    ["half of zlib", around(head, chunk("IDAT", deflateSync(lines).subarray(0, 9)), end), /cannot be decompressed/],
    ["no palette", drawPng({ ...drawing, colorType: 3 }), /PLTE is missing/],
    [
      "a colour too few",
      drawPng({ ...drawing, colorType: 3, at: (x) => [x], palette: [1, 2, 3, 4, 5, 6, 7, 8, 9] }),
      /a pixel has colour 3, and the palette 3 colours/,
    ],
    [
      "a palette too long",
      drawPng({ ...gray(1, 1, () => 0), colorType: 3, depth: 1, palette: Array(9).fill(0) }),
      /PLTE holds 3 colours, and a pixel has 1 bits/,
    ],
    ["alpha twice", drawPng({ ...drawing, colorType: 4, at: () => [1, 2], transparency: [0, 1] }), /alpha channel/],
    ["half of tRNS", drawPng({ ...drawing, transparency: [1] }), /tRNS has 2 bytes/],
  ];
  for (const [title, bytes, message] of cases) {
    const found = problem("png", bytes);
    t.match(found, { code: "PACK-IMPORT", file: "art/file", message }, title);
  }
  t.equal(problem("png", around(head, head, pixels, end))?.offset, 8 + 25, "where the second IHDR begins");
  t.end();
});

t.test("[TOOL-INPUT-1] a small image that would inflate to gigabytes, or says it is large, takes no memory", (t) => {
  const bomb = deflateSync(new Uint8Array(200_000_000));
  const drawing = gray(64, 64, () => 0);
  const file = Buffer.concat([SIGNATURE, ihdr(drawing), chunk("IDAT", bomb), chunk("IEND", [])]);
  const before = process.memoryUsage().rss;
  t.match(problem("png", file), { code: "PACK-IMPORT", message: /more than the 4160 bytes/ });
  const large = Buffer.concat([
    SIGNATURE,
    ihdr({ ...drawing, width: 8192, height: 4096 }),
    chunk("IDAT", deflateSync(new Uint8Array(100))),
    chunk("IEND", []),
  ]);
  t.match(problem("png", large), { code: "PACK-IMPORT", message: /pixels are 100 bytes; an image of this size has/ });
  t.ok(process.memoryUsage().rss - before < 100e6);
  t.end();
});

t.test("[TOOL-PNG-2] cells: line by line, with margin and spacing; what is no whole number of them", (t) => {
  const drawing = gray(6, 4, (x, y) => 10 * y + x);
  const cells = (settings: JsonObject): number[] => {
    const [made] = run("png:sprites", drawPng(drawing), settings);
    return [...made!.bytes].filter((_, k) => k % 4 === 0);
  };
  t.same(cells({ frameWidth: 3, frameHeight: 2 }), [
    ...[0, 1, 2, 10, 11, 12, 3, 4, 5, 13, 14, 15],
    ...[20, 21, 22, 30, 31, 32, 23, 24, 25, 33, 34, 35],
  ]);
  t.same(cells({ frameWidth: 2, frameHeight: 2, margin: 1 }), [11, 12, 21, 22, 13, 14, 23, 24]);
  t.same(cells({ frameWidth: 1, frameHeight: 2, margin: 1, spacing: 2 }), [11, 21, 14, 24]);
  t.match(problem("png:tiles", drawPng(drawing)), {
    code: "PACK-IMPORT",
    message: "its width of 6 pixels does not hold a whole number of cells of 8",
  });
  t.match(problem("png:sprites", drawPng(drawing), { frameWidth: 2, margin: 4 }), { message: /a margin of 4/ });
  t.end();
});

t.test("[TOOL-PNG-3, TOOL-PNG-4] formats and palettes", (t) => {
  const indexed: Drawing = {
    ...{ width: 3, height: 2, colorType: 3, depth: 8, at: (x, y) => [(x + 3 * y) % 4] },
    palette: Array.from({ length: 12 }, (_, k) => k + 1),
    transparency: [255, 255, 0],
  };
  const [tiles, palette] = run("png:tiles", drawPng(indexed), { tileWidth: 3, tileHeight: 2 });
  t.same(tiles, {
    suffix: "",
    bankType: "tiles",
    bytes: Uint8Array.of(0, 1, 2, 3, 0, 1),
    metadata: {
      ...{ colors: 4, columns: 1, format: "indexed8", rows: 1, tile_height: 2, tile_width: 3, tiles: 1 },
      transparent: 2,
    },
  });
  t.same(palette, {
    suffix: ".palette",
    bankType: "palettes",
    bytes: Uint8Array.of(1, 2, 3, 255, 4, 5, 6, 255, 7, 8, 9, 0, 10, 11, 12, 255),
    metadata: { colors: 4, format: "rgba8" },
  });
  const packed = (format: string, drawing: Drawing = indexed) =>
    run("png:tiles", drawPng(drawing), { tileWidth: 3, tileHeight: 2, format, palette: false })[0]!.bytes;
  t.same([...packed("indexed4")], [0x01, 0x20, 0x30, 0x10]);
  t.same([...packed("indexed2")], [0b00011000, 0b11000100]);
  t.match(problem("png:tiles", drawPng(indexed), { tileWidth: 3, tileHeight: 2, format: "indexed1" }), {
    message: /4 colours, and 2 fit/,
  });
  const two = { ...indexed, at: (x: number, y: number) => [(x + y) % 2] };
  t.same([...packed("indexed1", two)], [0b01000000, 0b10100000]);
  const [, cut] = run("png:tiles", drawPng(two), { tileWidth: 3, tileHeight: 2, format: "indexed1" });
  t.equal(cut!.bytes.length, 8, "colours that no pixel has are left out where the format has no room for them");

  const colors: Drawing = {
    ...{ width: 4, height: 1, colorType: 6, depth: 8 },
    at: (x) =>
      [
        [9, 9, 9, 255],
        [1, 2, 3, 0],
        [9, 9, 9, 255],
        [4, 5, 6, 0],
      ][x]!,
  };
  const made = run("png:tiles", drawPng(colors), { tileWidth: 4, tileHeight: 1 });
  t.same([...made[0]!.bytes], [1, 0, 1, 0], "transparent pixels are one colour, the first");
  t.same([...made[1]!.bytes], [0, 0, 0, 0, 9, 9, 9, 255]);
  t.same(run("png:palettes", drawPng(colors)), [{ ...made[1], suffix: "" }]);
  const many = drawPng({ ...colors, width: 257, colorType: 2, at: (x) => [x & 255, x >> 8, 7] });
  t.match(problem("png:palettes", many), { message: /more than 256 colours: the pixel at column 256, line 0/ });
  t.equal(
    run("png:tiles", many, { tileWidth: 257, tileHeight: 1, format: "rgba8" }).length,
    1,
    "no palette with rgba8",
  );
  t.equal(run("png:sprites", many)[0]!.bytes.length, 4 * 257);
  t.end();
});

t.test("[TOOL-WAV-1, TOOL-WAV-2] samples of every kind", (t) => {
  const s16 = (bytes: Uint8Array): number[] => [...new Int16Array(bytes.slice().buffer)];
  const wave = (format: number, bits: number, bytes: Uint8Array, channels = 1): Buffer =>
    riff(["fmt ", fmt(format, channels, 8000, bits)], ["LIST", Uint8Array.of(1, 2, 3)], ["data", bytes]);
  const made = (file: Uint8Array, settings?: JsonObject): number[] => s16(run("wav", file, settings)[0]!.bytes);
  const bytesOf = (array: ArrayBufferView): Uint8Array =>
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength).slice();
  t.same(made(wave(1, 8, Uint8Array.of(0, 128, 255))), [-32768, 0, 32512]);
  const sixteen = bytesOf(Int16Array.of(-32768, -1, 0, 1, 32767));
  t.same(made(wave(1, 16, sixteen)), [-32768, -1, 0, 1, 32767]);
  t.same(made(wave(1, 24, Uint8Array.of(0, 0, 0x80, 0x80, 0, 0, 0x7f, 0, 0, 0xff, 0xff, 0x7f))), [-32768, 1, 0, 32767]);
  t.same(made(wave(1, 32, bytesOf(Int32Array.of(-(2 ** 31), 0x8000, 0x7fff, 2 ** 31 - 1)))), [-32768, 1, 0, 32767]);
  const floats = [-1, 0.5, 1, 7, -Infinity, Number.NaN, 1 / 65536];
  t.same(made(wave(3, 32, bytesOf(Float32Array.from(floats)))), [-32768, 16384, 32767, 32767, -32768, 0, 1]);
  t.same(made(wave(3, 64, bytesOf(Float64Array.from(floats)))), [-32768, 16384, 32767, 32767, -32768, 0, 1]);

  const extensible = fmt(0xfffe, 2, 48_000, 16);
  extensible.write("0100000000001000800000aa00389b71", 24, "hex");
  const stereo = riff(["fmt ", extensible], ["data", bytesOf(Int16Array.of(100, 200, -5, -8))]);
  t.same(run("wav", stereo)[0]!.metadata, { channels: 2, format: "s16", frames: 2, rate: 48_000 });
  t.same(made(stereo, { channels: 1 }), [150, -6], "the mean, halves up");
  t.same([...run("wav", stereo, { format: "u8", channels: 1 })[0]!.bytes], [129, 128]);
  const floating = run("wav", stereo, { format: "f32" })[0]!.bytes;
  t.same([...new Float32Array(floating.slice().buffer)], [100 / 32768, 200 / 32768, -5 / 32768, -8 / 32768]);
  t.same([...run("wav", wave(1, 8, new Uint8Array(0)))[0]!.bytes], [], "no samples are a sound too");
  t.same(made(Buffer.concat([wave(1, 16, sixteen), Buffer.from("ID3 tag")])).length, 5, "what is behind the end");
  t.end();
});

t.test("[TOOL-WAV-3] loops", (t) => {
  const loops = Buffer.alloc(60);
  loops.writeUInt32LE(1, 28);
  loops.writeUInt32LE(1, 44);
  loops.writeUInt32LE(3, 48);
  const file = (frames: number): Buffer =>
    riff(["fmt ", fmt(1, 1, 8000, 8)], ["smpl", loops], ["data", new Uint8Array(frames)]);
  t.match(run("wav", file(4))[0]!.metadata, { loop: { start: 1, end: 4 } });
  t.match(problem("wav", file(3)), { message: /from frame 1 to 3, and there are 3/ });
  t.end();
});

t.test("[TOOL-WAV-1, TOOL-INPUT-1] sounds that are none", (t) => {
  const data = ["data", new Uint8Array(4)] as const;
  const good = riff(["fmt ", fmt(1, 1, 8000, 16)], data);
  const lying = Buffer.from(good);
  lying.writeUInt32LE(0xffffffff, 40);
  const open = Buffer.from(good);
  open.writeUInt32LE(0xffffffff, 4);
  const frame = fmt(1, 2, 8000, 16);
  frame.writeUInt16LE(2, 12);
  const cases: readonly (readonly [Uint8Array, RegExp])[] = [
    [new Uint8Array(0), /does not begin as a WAV file/],
    [Buffer.from("OggS".padEnd(40)), /does not begin as a WAV file/],
    [lying, /"data" says that it has 4294967295 bytes, and 4 are left/],
    [open, /cut off, or never closed/],
    [good.subarray(0, 46), /cut off/],
    [riff(data), /stands before "fmt "/],
    [riff(["fmt ", fmt(1, 1, 8000, 16)]), /no chunk "data"/],
    [riff(["fmt ", fmt(1, 1, 8000, 16)], data, data), /second chunk "data"/],
    [riff(["fmt ", fmt(1, 1, 8000, 16)], ["fmt ", fmt(1, 1, 8000, 16)]), /second chunk "fmt "/],
    [riff(["fmt ", fmt(1, 1, 8000, 16)], ["data", new Uint8Array(3)]), /no whole number of frames of 2 bytes/],
    [riff(["fmt ", fmt(2, 1, 8000, 4)], data), /its format is 0x2/],
    [riff(["fmt ", fmt(0xfffe, 1, 8000, 16)], data), /its format is 0xfffe/],
    [riff(["fmt ", fmt(1, 1, 8000, 12)], data), /8, 16, 24, 32 bits, not 12/],
    [riff(["fmt ", fmt(1, 0, 8000, 16)], data), /1 to 32 channels, not 0/],
    [riff(["fmt ", fmt(1, 1, 0, 16)], data), /not 0/],
    [riff(["fmt ", frame], data), /has 4 bytes, not 2/],
    [riff(["fmt ", new Uint8Array(14)], data), /at least 16 bytes, not 14/],
  ];
  for (const [bytes, message] of cases)
    t.match(problem("wav", bytes), { code: "PACK-IMPORT", file: "art/file", message }, String(message));
  t.end();
});

/** A font's asset, read as a guest would. */
function glyphsOf({ bytes }: Imported) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bits = view.getUint32(12, true);
  const glyphs = Array.from({ length: view.getUint32(8, true) }, (_, k) => {
    const at = 16 + 20 * k;
    const [width, height] = [view.getUint16(at + 4, true), view.getUint16(at + 6, true)];
    const [row, bitmap] = [view.getUint16(at + 14, true), view.getUint32(at + 16, true)];
    const lines = Array.from({ length: height }, (_, y) =>
      Array.from({ length: width }, (_, x) => {
        const begin = bitmap + y * row;
        return bits === 8 ? bytes[begin + x]! : (bytes[begin + (x >> 3)]! >> (7 - (x & 7))) & 1;
      }),
    );
    return {
      character: String.fromCodePoint(view.getUint32(at, true)),
      x: view.getInt16(at + 8, true),
      y: view.getInt16(at + 10, true),
      advance: view.getInt16(at + 12, true),
      lines: bits === 8 ? lines : lines.map((line) => line.map((bit) => " #"[bit]).join("")),
    };
  });
  const magic = Buffer.from(bytes.subarray(0, 4)).toString();
  return { magic, bits, lineHeight: view.getUint16(4, true), ascent: view.getInt16(6, true), glyphs };
}

t.test("[TOOL-FONT-1, TOOL-FONT-2] BDF", (t) => {
  const [made] = run("bdf", Buffer.from(BDF));
  t.same(made!.metadata, { ascent: 6, bits: 1, format: "bitmap", glyphs: 3, line_height: 8 });
  t.same(glyphsOf(made!), {
    ...{ magic: "FNT1", bits: 1, lineHeight: 8, ascent: 6 },
    glyphs: [
      { character: " ", x: 0, y: 6, advance: 4, lines: [] },
      { character: "A", x: 0, y: 3, advance: 5, lines: [" # ", "# #", "###"] },
      { character: "B", x: 1, y: 5, advance: 10, lines: ["#       #", "#########"] },
    ],
  });
  t.same(run("bdf", Buffer.from(BDF.replaceAll("\n", "\r\n"))), [made], "line ends of either kind");
  const [wide] = run("bdf", Buffer.from(BDF), { bits: 8, characters: ["A"] });
  t.same(glyphsOf(wide!).glyphs[0]!.lines, [
    [0, 255, 0],
    [255, 0, 255],
    [255, 255, 255],
  ]);
  const without = BDF.replace(/STARTPROPERTIES[\s\S]*ENDPROPERTIES\n/, "");
  t.match(glyphsOf(run("bdf", Buffer.from(without))[0]!), { ascent: 6, lineHeight: 8 });
  t.end();
});

t.test("[TOOL-FONT-2, TOOL-INPUT-1] fonts of X11 that are none", (t) => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ["STARTFONT", "STARTFOND", /does not begin as a BDF font/],
    ["ENDCHAR\nENDFONT\n", "ENDCHAR\n", /ends before ENDFONT/],
    ["ENDCHAR\nSTARTCHAR A", "STARTCHAR A", /has more of them|hexadecimal/],
    ["ff80\n", "", /a glyph of 2 lines has 1 of them/],
    ["ff80\n", "ff80\nff80\n", /has more of them/],
    ["ff80", "ff8", /4 hexadecimal digits/],
    ["ff80", "fg80", /4 hexadecimal digits/],
    ["BBX 9 2", "BBX 2000 2", /at most 1024 on a side/],
    ["BBX 9 2", "BBX -1 2", /-1 × 2/],
    ["BBX 9 2 1 -1", "BBX 9 2 1", /BBX needs an integer in place 4/],
    ["BBX 9 2 1 -1", "BBX 9 2 1 99999", /BBX is at/],
    ["DWIDTH 10", "DWIDTH 99999", /99999 pixels wide/],
    ["ENCODING 66", "ENCODING 65", /two glyphs for U\+0041/],
    ["ENCODING 66", "ENCODING 55296", /no character/],
    ["ENCODING 66\n", "", /no ENCODING/],
    ["FONT_ASCENT 6", "FONT_ASCENT -2", /no height/],
    ["BITMAP\n8080", "ENDCHAR\n8080", /no BITMAP before ENDCHAR/],
    ["CHARS 3", `CHARS ${"3".repeat(5000)}`, /more than 4096 bytes/],
  ];
  for (const [from, to, message] of cases) {
    t.ok(BDF.includes(from));
    t.match(problem("bdf", Buffer.from(BDF.replace(from, to))), { code: "PACK-IMPORT", file: "art/file", message }, to);
  }
  t.match(problem("bdf", Buffer.from(BDF), { characters: ["AZ"] }), { message: /no character U\+005A/ });
  t.match(problem("bdf", Buffer.from(BDF), { characters: ["U+0100-U+0200"] }), { message: /none of the characters/ });
  t.end();
});

t.test("[TOOL-FONT-3] sheets of characters", (t) => {
  const art = [" #  ##  ", "# # ##  ", "        "];
  const drawing = (ink: number, paper: number): Drawing => gray(8, 3, (x, y) => (art[y]![x] === "#" ? ink : paper));
  const settings = { cellWidth: 4, cellHeight: 3, ascent: 2, characters: ["ab"] };
  const [made] = run("png:fonts", drawPng(drawing(255, 0)), settings);
  t.same(glyphsOf(made!), {
    ...{ magic: "FNT1", bits: 1, lineHeight: 3, ascent: 2 },
    glyphs: [
      { character: "a", x: 0, y: 0, advance: 4, lines: [" #  ", "# # ", "    "] },
      { character: "b", x: 0, y: 0, advance: 4, lines: ["##  ", "##  ", "    "] },
    ],
  });
  t.same(run("png:fonts", drawPng(drawing(0, 255)), { ...settings, ink: "dark" }), [made]);
  const alpha = drawPng({ ...drawing(0, 0), colorType: 4, at: (x, y) => [0, art[y]![x] === "#" ? 200 : 0] });
  t.same(run("png:fonts", alpha, settings), [made], "alpha, where there is some");
  const [soft] = run("png:fonts", alpha, { ...settings, bits: 8 });
  t.same(glyphsOf(soft!).glyphs[1]!.lines[0], [200, 200, 0, 0]);
  const [narrow] = run("png:fonts", drawPng(drawing(255, 0)), { cellWidth: 2, cellHeight: 3, proportional: 1 });
  t.same(
    glyphsOf(narrow!).glyphs.map(({ character, advance, lines }) => [character, advance, lines[0]]),
    [
      [" ", 3, " #"],
      ["!", 2, " "],
      ['"', 3, "##"],
      ["#", 2, ""],
    ],
  );
  t.match(problem("png:fonts", drawPng(drawing(1, 0)), { ...settings, characters: ["abc"] }), {
    message: /has 2 cells, and "characters" names 3/,
  });
  t.end();
});

t.test("[TOOL-FONT-1, TOOL-FONT-4] TrueType", (t) => {
  for (const format of [4, 12] as const) {
    for (const longOffsets of [false, true]) {
      const font = writeFont({ ...FONT, format, longOffsets });
      const [made] = run("truetype", font, { size: 10, characters: ["U+0020-U+00FF"] });
      t.same(made!.metadata, { ascent: 8, bits: 8, format: "bitmap", glyphs: 4, line_height: 10 });
      const { glyphs } = glyphsOf(made!);
      const full = Array.from({ length: 5 }, () => Array(5).fill(255));
      t.same(glyphs[0], { character: " ", x: 0, y: 8, advance: 3, lines: [] });
      t.same(glyphs[1], { character: "A", x: 1, y: 3, advance: 7, lines: full });
      t.match(
        glyphs[3],
        { character: "é", x: 3, y: 4, advance: 10, lines: full },
        "moved by 2, 1; the last width counts",
      );
    }
  }
  const [disk] = run("truetype", writeFont(FONT), { size: 100, characters: ["O"] });
  const { lines } = glyphsOf(disk!).glyphs[0]!;
  const covered = (lines as number[][]).flat().reduce((sum, share) => sum + share / 255, 0);
  t.ok(Math.abs(covered - Math.PI * 50 * 50) < 40, `a disk of radius 50 covers ${covered}`);
  const [sharp] = run("truetype", writeFont(FONT), { size: 10, bits: 1, characters: ["A"] });
  t.same(glyphsOf(sharp!).glyphs[0]!.lines, Array(5).fill("#####"));
  const [half] = run("truetype", writeFont(FONT), { size: 5, characters: ["A"] });
  t.same(glyphsOf(half!).glyphs[0], {
    ...{ character: "A", x: 0, y: 1, advance: 4 },
    lines: [
      [64, 128, 128],
      [128, 255, 255],
      [128, 255, 255],
    ],
  });
  t.end();
});

t.test("[TOOL-FONT-4] glyphs of parts: turned, doubled, put at points", (t) => {
  const one = 0x4000;
  const plan = (part: { flags: number; words: readonly number[] }): FontPlan => ({
    ...FONT,
    glyphs: [undefined, undefined, SQUARE, undefined, { parts: [{ glyph: 2, ...part }] }],
  });
  const made = (part: { flags: number; words: readonly number[] }) =>
    glyphsOf(run("truetype", writeFont(plan(part)), { size: 10, characters: ["é"] })[0]!).glyphs[0]!;
  t.match(made({ flags: 0x0b, words: [0, 0, one >> 1] }), { x: 0, y: 5, advance: 10 }, "by one half");
  t.equal(made({ flags: 0x4b - 8, words: [0, 0, one, one >> 1] }).lines.length, 3, "by halves of the height");
  // x' = -y, y' = x: a quarter to the left.
  t.match(made({ flags: 0x83, words: [0, 0, 0, one, -one, 0] }), { x: -5, y: 2 });
  const double: FontPlan = {
    ...FONT,
    glyphs: [
      undefined,
      undefined,
      SQUARE,
      undefined,
      {
        parts: [
          { glyph: 2, words: [0, 0] },
          { glyph: 2, flags: 1, words: [2, 0] },
        ],
      },
    ],
  };
  const { lines, x, y } = glyphsOf(run("truetype", writeFont(double), { size: 10, characters: ["é"] })[0]!).glyphs[0]!;
  t.same([lines.length, lines[0]!.length, x, y], [10, 10, 1, -2], "its first point at the third of the other");
  t.end();
});

t.test("[TOOL-FONT-4, TOOL-INPUT-1] fonts of outlines that are none", (t) => {
  const characters = ["U+0020-U+00FF"];
  const font = writeFont(FONT);
  const tagged = (tag: string): Buffer => Buffer.concat([Buffer.from(tag), font.subarray(4)]);
  const loop: FontPlan = { ...FONT, glyphs: [undefined, undefined, { parts: [{ glyph: 2, words: [0, 0] }] }] };
  const fork = Array.from({ length: 9 }, (_, k) =>
    k === 0 ? SQUARE : { parts: [0, 1, 2, 3].map(() => ({ glyph: k - 1, words: [0, 0] })) },
  );
  const huge = {
    contours: [
      [
        [-30000, 0, true],
        [30000, 0, true],
        [0, 30000, true],
      ],
    ],
  } as const;
  const cases: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ["nothing", new Uint8Array(0), /does not begin as a TrueType font/],
    ["PostScript", tagged("OTTO"), /PostScript/],
    ["a collection", tagged("ttcf"), /collection/],
    ["a web font", tagged("wOF2"), /web font/],
    ["cut off", font.subarray(0, font.length - 1), /the table "maxp": 6 bytes are needed/],
    ...["cmap", "glyf", "head", "hhea", "hmtx", "loca", "maxp"].map(
      (name) => [name, writeFont({ ...FONT, tables: { [name]: undefined } }), /is missing/] as const,
    ),
    ["an em of 0", writeFont({ ...FONT, unitsPerEm: 0 }), /16 to 16384 units, not 0/],
    ["a short loca", writeFont({ ...FONT, tables: { loca: Buffer.alloc(4) } }), /"loca" has 4 bytes and needs 12/],
    ["an offset beyond", writeFont({ ...FONT, tables: { loca: Buffer.alloc(12, 0xff) } }), /^(?!glyph 0)|of "glyf"/],
    [
      "offsets backwards",
      writeFont({ ...FONT, tables: { loca: Buffer.from("000000000020000000000000", "hex") } }),
      /glyf/,
    ],
    ["a glyph that is not there", writeFont({ ...FONT, map: { A: 77 } }), /has glyph 77, and there are 5/],
    [
      "a part that is not there",
      writeFont({ ...FONT, glyphs: [undefined, { parts: [{ glyph: 9, words: [0, 0] }] }], map: { A: 1 } }),
      /as a part/,
    ],
    ["itself a part", writeFont({ ...loop, map: { A: 2 } }), /more than 8 deep/],
    ["too many parts", writeFont({ ...FONT, glyphs: fork, map: { A: 8 } }), /more than 256 parts/],
    [
      "a point that is not there",
      writeFont({ ...FONT, glyphs: [SQUARE, { parts: [{ glyph: 0, flags: 1, words: [0, 0] }] }], map: { A: 1 } }),
      /at a point that does not exist/,
    ],
    ["nothing that is asked for", writeFont({ ...FONT, map: { "€": 2 } }), /none of the characters/],
    [
      "too large",
      writeFont({ ...FONT, glyphs: [undefined, huge], map: { A: 1 }, unitsPerEm: 16 }),
      /at most 1024 on a side/,
    ],
    ["a short glyph", writeFont({ ...FONT, glyphs: [undefined, Buffer.alloc(8)], map: { A: 1 } }), /"glyf"/],
    [
      "points beyond",
      writeFont({ ...FONT, glyphs: [undefined, Buffer.from("00010000000000000000ffff0000", "hex")], map: { A: 1 } }),
      /more in it than bytes|65536 points/,
    ],
    ["no Unicode", writeFont({ ...FONT, tables: { cmap: Buffer.from("0000000000000000", "hex") } }), /in Unicode/],
    ["a line without height", writeFont({ ...FONT, ascender: -300, descender: 300 }), /no height/],
  ];
  for (const [title, bytes, message] of cases) {
    const found = problem("truetype", bytes, { characters });
    t.match(found, { code: "PACK-IMPORT", file: "art/file", message }, title);
  }
  t.match(problem("truetype", font, { characters: ["A€"] }), { message: /no character U\+20AC/ });
  t.end();
});

t.test("[TOOL-INPUT-1] a small font whose glyphs are all the same 65,535 points: it ends", (t) => {
  const count = 2000;
  const flags = Buffer.alloc(512, Buffer.from("39ff", "hex"));
  flags[511] = 254;
  const glyf = Buffer.concat([Buffer.from("00010000000000000000fffe0000", "hex"), flags]);
  const loca = Buffer.alloc(4 * (count + 1));
  for (let k = 1; k <= count; k += 2) loca.writeUInt32BE(glyf.length, 4 * k);
  const map = Object.fromEntries(
    Array.from({ length: count / 2 }, (_, k) => [String.fromCodePoint(0x4e00 + k), 2 * k]).slice(1),
  );
  const glyphs = Array.from({ length: count }, () => undefined);
  const font = writeFont({ ...FONT, glyphs, map, longOffsets: true, tables: { glyf, loca } });
  t.ok(font.length < 40_000);
  t.match(problem("truetype", font, { characters: ["U+4E00-U+9FFF"] }), { message: /too many points/ });
  t.end();
});

t.test("[TOOL-FONT-1, TOOL-SETTING-1] characters", (t) => {
  const count = (characters: JsonObject[string]): number =>
    glyphsOf(run("truetype", writeFont(FONT), { characters })[0]!).glyphs.length;
  t.equal(count(["U+0041", "U+0041-U+0042", "A", "U+0020-U+0020"]), 2);
  for (const characters of [
    "A",
    [],
    [""],
    [65],
    ["U+0042-U+0041"],
    ["U+D800"],
    ["U+110000"],
    ["U+0000-U+10FFFF"],
    ["\ud800"],
  ])
    t.match(problem("truetype", writeFont(FONT), { characters }), { code: "PACK-CONFIG", pointer: "/characters" });
  t.end();
});

t.test("[TOOL-JSON-1, TOOL-JSON-2] JSON", (t) => {
  const made = (text: string, settings?: JsonObject) => run("json", Buffer.from(text), settings)[0]!;
  const [plain] = run(
    "json",
    Buffer.from('\ufeff{ "b": [1.0, 1e2, -0], "a": "\\u00e9 \\"12345678901234567890\\"", "__proto__": {} }'),
  );
  t.equal(Buffer.from(plain!.bytes).toString(), '{"__proto__":{},"a":"é \\"12345678901234567890\\"","b":[1,100,0]}');
  t.same(plain!.metadata, { format: "json" });
  for (const [text, message] of [
    ["", /expected a value/],
    ["{", /found the end/],
    ['{"a":1,"a":2}', /the key "a" comes twice/],
    ["[1,]", /expected a value/],
    ["[01]", /expected a value/],
    ["[1e999]", /too large/],
    ["[12345678901234567890]", /the integer 12345678901234567890 is not between/],
    ["[9007199254740993]", /write it as a string/],
    ["[1] 2", /expected the end/],
    [`${"[".repeat(40)}${"]".repeat(40)}`, /nested deeper than 32/],
    ['"\\ud800"', /lone surrogate/],
    ["\xff", /./],
  ] as const)
    t.match(problem("json", Buffer.from(text)), { code: "PACK-IMPORT", file: "art/file", message }, text);
  t.match(problem("json", Uint8Array.of(0x22, 0xff, 0x22)), { code: "PACK-IMPORT", message: /UTF-8/ });

  const map = '{"layers":[{"data":[1,2,65535]}],"a/b":{"~":[-1.5]},"length":[7]}';
  t.same(made(map, { array: "/layers/0/data", type: "u16" }), {
    ...{ suffix: "", bankType: "data", metadata: { count: 3, format: "u16" } },
    bytes: Uint8Array.of(1, 0, 2, 0, 255, 255),
  });
  t.same([...made(map, { array: "/a~1b/~0", type: "f32" }).bytes], [0, 0, 0xc0, 0xbf]);
  t.same([...made("[-1]", { array: "", type: "i32" }).bytes], [255, 255, 255, 255]);
  t.equal(made(map, { array: "/length" }).bytes.length, 8);
  for (const [array, type, message] of [
    ["/layers/0/data", "u8", /"\/layers\/0\/data\/2" is 65535, which is no u8/],
    ["/a~1b/~0", "i32", /is -1.5, which is no i32/],
    ["/layers/00/data", "u8", /nothing at/],
    ["/layers/length", "u8", /nothing at/],
    ["/layers/1", "u8", /nothing at/],
    ["/__proto__", "u8", /nothing at/],
    ["/layers/0", "u8", /no array/],
  ] as const)
    t.match(problem("json", Buffer.from(map), { array, type }), { code: "PACK-IMPORT", message }, array);
  t.match(problem("json", Buffer.from("[1e300]"), { array: "", type: "f32" }), { message: /no f32/ });
  t.match(problem("json", Buffer.from("[]"), { type: "u8" }), { code: "PACK-CONFIG", pointer: "/type" });
  t.match(problem("json", Buffer.from("[]"), { array: "layers" }), { code: "PACK-CONFIG", pointer: "/array" });
  t.end();
});

t.test("[TOOL-TEXT-1] texts", (t) => {
  const made = (text: string | Uint8Array, settings?: JsonObject): string =>
    Buffer.from(run("text", Buffer.from(text), settings)[0]!.bytes).toString();
  t.equal(made("\ufeffa\r\nb\rc\n\r\r\nd\r"), "a\nb\rc\n\r\nd\r");
  t.equal(made("\ufeffa\r\nb", { newlines: "keep" }), "a\r\nb");
  t.equal(made(""), "");
  t.match(problem("text", Buffer.from("ok\xff", "latin1")), { code: "PACK-IMPORT", message: /UTF-8/, offset: 2 });
  t.match(problem("text", Buffer.from("é€\ud800", "utf16le")), { code: "PACK-IMPORT", offset: 0 });
  t.match(problem("text", Buffer.from("é€x").subarray(0, 4)), { offset: 2 });
  t.end();
});

t.test("[TOOL-MODULE-1, TOOL-DATA-1] modules, and files as they are", async (t) => {
  const good = await loadWat('(module (func (export "f") (result i32) (i32.const 1)))');
  t.same(run("module", good), [{ suffix: "", bankType: "module", bytes: good, metadata: {} }]);
  t.match(problem("module", Buffer.from("(module)")), { code: "PACK-IMPORT", message: /does not begin/, offset: 0 });
  const bad = good.slice(0, good.length - 2);
  t.match(problem("module", bad), { code: "PACK-IMPORT", message: /no module that Ashlar can run/ });
  t.equal(run("module", bad, { validate: false })[0]!.bytes, bad);
  t.same(run("data", bad), [{ suffix: "", bankType: "data", bytes: bad, metadata: {} }]);
});

t.test("[TOOL-SETTING-1] settings that are not there, of another type, out of range", (t) => {
  const image = drawPng(gray(8, 8, (x) => x));
  const cases: readonly (readonly [string, JsonObject, string, RegExp])[] = [
    ["png:tiles", { tileWith: 8 }, "/tileWith", /no setting "tileWith": known are .*"tileWidth"/],
    ["png:sprites", { tileWidth: 8 }, "/tileWidth", /no setting/],
    ["png:palettes", { format: "rgba8" }, "/format", /no setting/],
    ["png", { bank: "sounds" }, "/bank", /must be "sprites" or "tiles"/],
    ["png:tiles", { tileWidth: 0 }, "/tileWidth", /from 1 to 16384, not 0/],
    ["png:tiles", { tileWidth: 1.5 }, "/tileWidth", /an integer/],
    ["png:tiles", { tileWidth: "8" }, "/tileWidth", /not "8"/],
    ["png:tiles", { palette: 1 }, "/palette", /true or false/],
    ["png:tiles", { format: "rgba8", palette: true }, "/palette", /must be false/],
    ["png:fonts", { bits: 2 }, "/bits", /must be 1 or 8, not 2/],
    ["png", { "a/b": 1 }, "/a~1b", /no setting/],
    ["wav", { channels: 2 }, "/channels", /must be 1 or "keep"/],
    ["bdf", { size: 8 }, "/size", /no setting/],
    ["truetype", { size: 257 }, "/size", /from 1 to 256/],
    ["text", { newlines: "crlf" }, "/newlines", /must be "lf" or "keep"/],
    ["module", { validate: "no" }, "/validate", /true or false/],
    ["json", { type: "u64", array: "" }, "/type", /must be "u8"/],
    ["data", { anything: true }, "/anything", /this importer has none/],
    ["data", { constructor: 1, toString: 2 }, "/constructor", /no setting/],
  ];
  for (const [name, settings, pointer, message] of cases) {
    const found = problem(name, image, settings);
    t.match(found, { code: "PACK-CONFIG", pointer, message }, `${name} ${JSON.stringify(settings)}`);
  }
  t.end();
});

t.test("[TOOL-INPUT-1] whatever bytes: something that is right, or PACK-IMPORT", (t) => {
  const { good, refused } = fuzzImporters(20_261_121, 400);
  t.ok(good > 100 && refused > 2000, `${good} were right, ${refused} were refused`);
  t.end();
});

t.test("[TOOL-INPUT-2] what comes out is the same everywhere: pinned digests", (t) => {
  const digest = (all: readonly Imported[]): string => {
    const hash = createHash("sha256");
    for (const { suffix, bankType, bytes, metadata } of all) {
      hash.update(`${suffix} ${bankType} ${bytes.length} ${JSON.stringify(metadata)}`).update(bytes);
    }
    return hash.digest("hex").slice(0, 16);
  };
  const color: Drawing = { width: 9, height: 7, colorType: 6, depth: 16, at: pattern(4, 16) };
  t.same(
    {
      png: digest(run("png", drawPng(color))),
      truetype: digest(run("truetype", writeFont(FONT), { size: 37, characters: ["AOé"] })),
      bdf: digest(run("bdf", Buffer.from(BDF))),
    },
    { png: "1f0082bbd5ca3982", truetype: "f744c29aa69248e4", bdf: "1c5a41d3c3eca8c1" },
  );
  t.end();
});

t.test("[TOOL-IMPORT-1] which importer takes a path", (t) => {
  const names = (path: string): string => IMPORTERS.find((importer) => importer.matches(path))!.name;
  const paths = {
    "a.png": "png",
    "A.PNG": "png",
    "b.wav": "wav",
    "b.bdf": "bdf",
    "b.ttf": "truetype",
    "b.otf": "truetype",
  };
  const more = { "c.json": "json", "c.tmj": "json", "c.txt": "text", "c.wasm": "module", "c.bin": "data", png: "data" };
  for (const [path, name] of Object.entries({ ...paths, ...more, "x.png/y": "data" })) t.equal(names(path), name, path);
  for (const { name, version, bankTypes } of IMPORTERS)
    t.ok(/^[a-z][a-z0-9-]*$/.test(name) && version > 0 && bankTypes.length > 0);
  t.end();
});
