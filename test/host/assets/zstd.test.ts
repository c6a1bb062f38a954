/** Decoding Zstandard: what encoders make, what no encoder makes, and some thousands of damaged frames (`zstd.slow.ts` has more). */
import zlib from "node:zlib";
import t from "tap";
import { ZSTD } from "../../../host/assets/codecs.ts";
import { type Codec, encodePack, NATIVE_ZSTD, openPack, PackError } from "../../../host/assets/index.ts";
import { decodeFrame } from "../../../host/assets/zstd.ts";
import {
  type Block,
  campaign,
  compressed,
  encodedFrames,
  frameOf,
  LIBZSTD,
  modesOf,
  noise,
  partsOf,
  raw,
  rle,
  words,
} from "./zstd-frames.ts";

/** All that a frame may choose. */
const MODES = [
  ...[
    "single segment",
    "window",
    "size of 1 or none bytes",
    "size of 2 bytes",
    "size of 4 bytes",
    "size of 8 bytes",
  ].map((m) => `frame: ${m}`),
  ...["raw", "rle", "compressed"].map((m) => `block: ${m}`),
  ...["raw", "rle"].flatMap((kind) => [1, 2, 3].map((bytes) => `literals: ${kind}, header of ${bytes}`)),
  ...["compressed", "treeless"].flatMap((kind) => [1, 4].map((streams) => `literals: ${kind}, ${streams} streams`)),
  ...[3, 4, 5].map((bytes) => `literals: compressed header of ${bytes}`),
  ...["entropy", "direct"].map((m) => `weights: ${m}`),
  ...["none", "few", "many", "most"].map((m) => `sequences: ${m}`),
  ...["lengths", "offsets", "matches"].flatMap((what) =>
    ["predefined", "rle", "described", "repeated"].map((mode) => `${what}: ${mode}`),
  ),
];
/** Those that libzstd hardly ever chooses. */
const BY_HAND = [
  "frame: size of 8 bytes",
  "lengths: rle",
  ...[1, 2, 3].map((bytes) => `literals: rle, header of ${bytes}`),
  "sequences: most",
];

t.test("[PACK-CODEC-3] what encoders make is decoded, whatever they choose", async (t) => {
  const seen = new Set<string>();
  let frames = 0;
  for (const { frame, bytes } of encodedFrames()) {
    frames++;
    if (Buffer.compare(decodeFrame(frame, bytes.length), bytes) !== 0)
      t.fail(`${bytes.length} bytes: ${modesOf(frame)}`);
    for (const mode of modesOf(frame)) seen.add(mode);
  }
  t.ok(frames > 600, `${frames} frames`);
  t.strictSame(MODES.filter((mode) => !seen.has(mode)).sort(), BY_HAND);
});

t.test("[PACK-CODEC-3] bytes are taken from where they are, and left as they are", async (t) => {
  const bytes = words(9000);
  const frame = LIBZSTD.compress(bytes, 9);
  const around = Buffer.concat([noise(37), frame, noise(11)]);
  const part = around.subarray(37, 37 + frame.length);
  const decoded = ZSTD.decode(part, bytes.length);
  t.same(decoded, bytes);
  t.equal(decoded.buffer.byteLength, bytes.length);
  t.same(part, Buffer.from(frame));
  t.throws(() => ZSTD.decode(frame, bytes.length - 1), { message: "the frame says 9000 bytes" });
  t.throws(() => ZSTD.decode(frame, bytes.length + 1), { message: "the frame says 9000 bytes" });
});

// ------------------------------------------------------------------------------------------- frames made by hand

/** A stream whose reader meets these values, of so many bits each. */
function stream(...values: readonly (readonly [value: number, bits: number])[]): number[] {
  const digits = values.map(([value, bits]) => (bits === 0 ? "" : value.toString(2).padStart(bits, "0"))).join("");
  let number = BigInt(`0b1${digits}`);
  const bytes: number[] = [];
  for (; number > 0n; number >>= 8n) bytes.push(Number(number & 255n));
  return bytes;
}

/** Literals as they are, up to 31, and sequences whose numbers all have these codes. */
function sequences(
  literals: readonly number[],
  count: readonly number[],
  codes: readonly number[],
  bits: number[],
): Block {
  return compressed(literals.length << 3, ...literals, ...count, 0b01_01_01_00, ...codes, ...bits);
}

/** One match of 3 bytes. */
function matchAt(offset: number): Block {
  const code = Math.floor(Math.log2(offset + 3));
  return sequences([], [1], [0, code, 0], stream([offset + 3 - 2 ** code, code]));
}

/** One literal, and a match of the byte before it of `length`. */
function longMatch(length: number): Block {
  return sequences([7], [1], [1, 2, 52], stream([0, 2], [length - 65_539, 16]));
}

/** Symbols 0 to 9 have codes of 1 to 10 bits, and 10 and 11 of 11. */
const LONG_CODES = [127 + 11, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10];
/** Literals 0 and 1, with a code of a bit each. */
const SHORT_CODES = [127 + 1, 0x10];

/** A section of compressed literals of up to 1,023, in one stream or four. */
function literalsOf(kind: 2 | 3, streams: 1 | 4, size: number, bytes: readonly number[]): number[] {
  const word = kind | (streams === 4 ? 4 : 0) | (size << 4) | (bytes.length << 14);
  return [word & 255, (word >> 8) & 255, word >> 16, ...bytes];
}

const small = raw(noise(1000));
const four = raw(Uint8Array.of(1, 2, 3, 4));
/** Four streams of two literals, or in the last one none. */
const FOUR = (...bytes: number[]): number[] => [1, 0, 1, 0, 1, 0, ...bytes];

interface Made {
  readonly size: number;
  readonly blocks: readonly Block[];
  readonly windowLog?: number;
  /** Undefined when it is taken. */
  readonly why?: string;
  /** Some libzstd takes it. */
  readonly isLax?: boolean;
}
const WINDOW = { why: "an offset is out of the window" };
const ENDS = { why: "a stream of literals does not end with its last one" };
const TABLE = { why: "there is no table to repeat" };
const MANY = [255, 0, 0];

const MADE: Record<string, Made> = {
  nothing: { size: 0, blocks: [raw(new Uint8Array(0))] },
  "nothing several times": { size: 0, windowLog: 10, blocks: [raw(new Uint8Array(0)), rle(1, 0), compressed(0, 0)] },
  "blocks of each kind": { size: 2003, blocks: [small, rle(9, 1000), matchAt(1)] },
  "the farthest offset of a window": { size: 2003, windowLog: 10, blocks: [small, small, matchAt(1024)] },
  "an offset farther than the window": {
    size: 2003,
    windowLog: 10,
    blocks: [small, small, matchAt(1025)],
    ...WINDOW,
    isLax: true,
  },
  "an offset to the beginning": { size: 1003, blocks: [small, matchAt(1000)] },
  "an offset before the beginning": { size: 1003, blocks: [small, matchAt(1001)], ...WINDOW },
  "an offset at the beginning": { size: 3, blocks: [matchAt(1)], ...WINDOW },
  "an offset of 28 bits": { size: 1003, blocks: [small, sequences([], [1], [0, 28, 0], stream([0, 28]))], ...WINDOW },
  "an offset of 31 bits": { size: 1003, blocks: [small, sequences([], [1], [0, 31, 0], stream([5, 31]))], ...WINDOW },
  "an offset of nothing": { size: 1003, blocks: [small, sequences([], [1], [0, 1, 0], stream([1, 1]))], ...WINDOW },
  "an offset of one less": {
    size: 1010,
    blocks: [
      small,
      matchAt(2),
      sequences([5], [1], [1, 1, 0], stream([1, 1])),
      sequences([], [1], [0, 1, 0], stream([1, 1])),
    ],
  },
  "earlier offsets": { size: 1006, blocks: [small, sequences([], [2], [0, 1, 0], stream([0, 1], [0, 1]))] },
  "a block of 131,072 bytes": { size: 131_072, blocks: [longMatch(131_071)] },
  "a block of 131,073 bytes": {
    size: 131_073,
    blocks: [longMatch(131_072)],
    why: "the blocks are too few",
    isLax: true,
  },
  "a block of 131,073 bytes among others": {
    size: 131_076,
    blocks: [longMatch(131_072), matchAt(1)],
    why: "a block has more bytes than it may",
    isLax: true,
  },
  "a raw block larger than the window": {
    size: 1025,
    windowLog: 10,
    blocks: [raw(noise(1025))],
    why: "a block is too large",
    isLax: true,
  },
  "a block of repetitions larger than the window": {
    size: 1025,
    windowLog: 10,
    blocks: [rle(1, 1025)],
    why: "a block is too large",
    isLax: true,
  },
  "a frame of 128 MiB in a block": { size: 2 ** 27, blocks: [rle(0, 4)], why: "the blocks are too few" },
  "less than it says": { size: 1004, blocks: [small, matchAt(2)], why: "there is less than the frame says" },
  "more than it says": { size: 1002, blocks: [small, matchAt(2)], why: "a block has more bytes than it may" },
  "more repetitions than it says": { size: 1002, blocks: [small, rle(1, 3)], why: "there is more than the frame says" },
  "32,512 sequences": { size: 97_540, blocks: [four, sequences([], MANY, [0, 0, 0], [1])] },
  "as many and a bit": {
    size: 97_540,
    blocks: [four, sequences([], MANY, [0, 0, 0], [2])],
    why: "the sequences do not end with the last one",
  },
  "65,535 + 32,512 sequences": {
    size: 131_072,
    blocks: [four, sequences([], [255, 255, 255], [0, 0, 0], [1])],
    why: "a block has more bytes than it may",
  },
  "sequences without their bits": {
    size: 7,
    blocks: [four, sequences([], [1], [0, 0, 0], [])],
    why: "a stream has no end",
  },
  "sequences without an end": {
    size: 7,
    blocks: [four, sequences([], [1], [0, 0, 0], [0])],
    why: "a stream has no end",
  },
  "sequences of too few bits": {
    size: 97_540,
    blocks: [four, sequences([], MANY, [0, 1, 0], [1])],
    why: "the sequences are cut off",
  },
  "a count in two bytes that is nothing": { size: 5, blocks: [four, compressed(8, 5, 128, 0)] },
  "a count in three bytes that is cut off": {
    size: 5,
    blocks: [four, compressed(8, 5, 255, 0)],
    why: "the sequences are cut off",
  },
  "no count": { size: 5, blocks: [four, compressed(8, 5)], why: "the sequences are missing" },
  "no sequences and a byte": {
    size: 5,
    blocks: [four, compressed(8, 5, 0, 0)],
    why: "something lies behind the sequences",
  },
  "a reserved bit": {
    size: 7,
    blocks: [four, compressed(0, 1, 0b01_01_01_01, 0, 0, 0, 1)],
    why: "a reserved bit is set",
  },
  "a code that no length has": {
    size: 7,
    blocks: [four, sequences([], [1], [36, 0, 0], [1])],
    why: "a table's symbol is missing",
  },
  "a code that no match has": {
    size: 7,
    blocks: [four, sequences([], [1], [0, 0, 53], [1])],
    why: "a table's symbol is missing",
  },
  "tables of a block without sequences": { size: 4, blocks: [four, compressed(0, 0)] },
  "repeated lengths at first": { size: 7, blocks: [four, compressed(0, 1, 0b11_01_01_00, 0, 0, 1)], ...TABLE },
  "repeated tables": { size: 10, blocks: [four, matchAt(3), compressed(0, 1, 0b11_11_11_00, ...stream([0, 2]))] },
  "repeated literals": {
    size: 30 + 1554 + 8578,
    blocks: [compressed((30 << 3) | 1, 7, 0), compressed(0x25, 0x61, 8, 0), compressed(0x2d, 0x18, 2, 9, 0)],
  },
  "repeated literals that are cut off": { size: 30, blocks: [compressed((30 << 3) | 1)], why: "a block is cut off" },
  "literals of no bytes, compressed": {
    size: 4,
    blocks: [four, compressed(...literalsOf(2, 1, 0, [...SHORT_CODES, 1]), 0)],
  },
  "literals of codes of 11 bits": {
    size: 4,
    blocks: [compressed(...literalsOf(2, 1, 4, [...LONG_CODES, ...stream([1, 1], [1, 11], [0, 11], [1, 10])]), 0)],
  },
  "literals of codes of 12 bits": {
    size: 4,
    blocks: [
      compressed(
        ...literalsOf(2, 1, 4, [
          ...[127 + 12, 0xcb, 0xa9, 0x87, 0x65, 0x43, 0x21],
          ...stream([1, 1], [1, 12], [0, 12], [1, 11]),
        ]),
        0,
      ),
    ],
    why: "a code is too long",
    isLax: true,
  },
  "literals of codes of 13 bits": {
    size: 4,
    blocks: [compressed(...literalsOf(2, 1, 4, [127 + 13, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32, 0x10, 1]), 0)],
    why: "a code is too long",
  },
  "repeated codes at first": {
    size: 4,
    blocks: [compressed(...literalsOf(3, 1, 4, stream([5, 4])), 0)],
    why: "there are no codes to repeat",
  },
  "repeated codes": {
    size: 6,
    blocks: [
      compressed(...literalsOf(2, 1, 2, [...SHORT_CODES, ...stream([1, 2])]), 0),
      compressed(...literalsOf(3, 1, 4, stream([5, 4])), 0),
    ],
  },
  "six literals in four streams": {
    size: 6,
    blocks: [compressed(...literalsOf(2, 4, 6, [...SHORT_CODES, ...FOUR(4, 5, 6, 1)]), 0)],
  },
  "five literals in four streams": {
    size: 5,
    blocks: [compressed(...literalsOf(2, 4, 5, [...SHORT_CODES, ...FOUR(4, 5, 6, 1)]), 0)],
    why: "there are too few literals for four streams",
  },
  "a bit behind the third of four streams": {
    size: 6,
    blocks: [compressed(...literalsOf(2, 4, 6, [...SHORT_CODES, ...FOUR(4, 5, 8, 1)]), 0)],
    ...ENDS,
  },
  "a stream of none": {
    size: 6,
    blocks: [compressed(...literalsOf(2, 4, 6, [...SHORT_CODES, 0, 0, 1, 0, 1, 0, 4, 5, 6, 1]), 0)],
    why: "a stream has no end",
  },
  "streams beyond the section": {
    size: 6,
    blocks: [compressed(...literalsOf(2, 4, 6, [...SHORT_CODES, 1, 0, 255, 255, 1, 0, 4, 5, 6, 1]), 0)],
    why: "the literals are cut off",
  },
  "a bit behind one stream": {
    size: 4,
    blocks: [compressed(...literalsOf(2, 1, 4, [...SHORT_CODES, 0x20]), 0)],
    ...ENDS,
  },
  "a bit too few in one stream": {
    size: 4,
    blocks: [compressed(...literalsOf(2, 1, 4, [...SHORT_CODES, 8]), 0)],
    ...ENDS,
  },
  "an odd number of longest codes": {
    size: 4,
    blocks: [compressed(...literalsOf(2, 1, 4, [127 + 2, 0x22, 0x10]), 0)],
    why: "the codes do not fit",
  },
  "a compressed block of nothing": { size: 4, blocks: [four, compressed()], why: "a block is cut off", isLax: true },
  "a compressed block of a byte": { size: 4, blocks: [four, compressed(0)], why: "a block is cut off" },
};

function verdict(decode: () => Uint8Array, size: number): Uint8Array | string {
  try {
    const bytes = decode();
    return bytes.length === size ? bytes : "another length";
  } catch (error) {
    return (error as Error).message;
  }
}

t.test("[PACK-CODEC-3] what no encoder makes is taken or refused as the RFC says", async (t) => {
  const seen = new Set<string>();
  for (const [name, { size, blocks, windowLog = 17, why, isLax = false }] of Object.entries(MADE)) {
    const frame = frameOf({ size, blocks, windowLog });
    const ours = verdict(() => decodeFrame(frame, size), size);
    if (why === undefined) for (const mode of modesOf(frame)) seen.add(mode);
    if (why === undefined) t.ok(typeof ours !== "string", `${name}: ${ours}`);
    else t.equal(ours, why, name);
    for (const decode of [
      () => LIBZSTD.decompress(frame),
      () => zlib.zstdDecompressSync(frame, { maxOutputLength: Math.max(size, 1) }),
      () => NATIVE_ZSTD.decode(frame, size),
    ]) {
      const theirs = verdict(decode, size);
      if (typeof ours !== "string")
        t.equal(typeof theirs === "string" ? theirs : Buffer.compare(theirs, ours), 0, `${name}: libzstd`);
      else if (!isLax) t.type(theirs, "string", `${name}: refused by libzstd`);
    }
  }
  t.strictSame(
    BY_HAND.filter((mode) => !seen.has(mode)),
    [],
  );
});

t.test("[PACK-CODEC-1, PACK-CODEC-3] Node.js's decoder is there for who asks for it", async (t) => {
  const bytes = words(20_000);
  const stored = LIBZSTD.compress(bytes, 9);
  const asset = { id: 1, name: "words", bankType: "text", codec: "zstd", decodedSize: bytes.length, stored };
  const pack = await encodePack({ assets: [asset], encoders: { zstd: "libzstd" } });
  const read = (codec?: Codec): Uint8Array => {
    const into = new Uint8Array(bytes.length);
    const opened = openPack(pack, codec === undefined ? {} : { codecs: [codec] });
    opened.asset(1)!.open().read(0, into);
    opened.close();
    return into;
  };
  let asked = 0;
  const decode = (frame: Uint8Array, size: number): Uint8Array => {
    asked++;
    return NATIVE_ZSTD.decode(frame, size);
  };
  t.same(read(), bytes);
  t.same(read({ name: "zstd", decode }), bytes);
  t.equal(asked, 1);
  // What is not exactly a frame is refused by either.
  const cut = { ...asset, stored: stored.subarray(0, -1) };
  const damaged = await encodePack({ assets: [cut], encoders: { zstd: "libzstd" } });
  for (const codecs of [[], [NATIVE_ZSTD]])
    t.throws(() => openPack(damaged, { codecs }).asset(1)!.open().load(), { code: "PACK-DECODE" });
  t.throws(() => openPack(damaged).verify(), PackError);
});

t.test("[PACK-CODEC-3] cut anywhere, a frame is refused", async (t) => {
  const bytes = words(1500);
  const frame = LIBZSTD.compress(bytes, 19);
  t.ok(partsOf(frame).blocks.length === 1);
  for (let length = 0; length < frame.length; length++)
    if (typeof verdict(() => decodeFrame(frame.subarray(0, length), bytes.length), bytes.length) !== "string")
      t.fail(`${length}`);
  t.equal(
    verdict(() => decodeFrame(Buffer.concat([frame, Uint8Array.of(0)]), bytes.length), bytes.length),
    "something lies behind the frame",
  );
});

t.test(
  "[PACK-CODEC-3] damaged frames are taken only where every libzstd decodes them, to the same bytes",
  async (t) => {
    const { laxNode, ...tally } = campaign(1, (mutants) => mutants < 3000);
    // All but what Node.js's libzstd takes is the same everywhere.
    t.strictSame(tally, { mutants: 3000, refusedAtOnce: 333, refused: 1711, taken: 956, laxWasm: 13 });
    t.ok(laxNode < tally.refused, `${laxNode}`);
  },
);
