/** Frames of Zstandard: what encoders make of varied data, what no encoder makes, and both damaged by a seed. */
import zlib from "node:zlib";
import { Zstd } from "@hpcc-js/wasm-zstd";
import t from "tap";
import { checkFrame, decodeFrame } from "../../../host/assets/zstd.ts";
import { Random } from "../../vm/random.ts";

/** libzstd built for wasm32, which is the same on every machine. */
export const LIBZSTD = await Zstd.load();

export interface Sample {
  readonly frame: Uint8Array;
  readonly bytes: Uint8Array;
}

// ---------------------------------------------------------------------------------------------------------- data

function generated(length: number, next: (at: number, bytes: Uint8Array) => number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) bytes[at] = next(at, bytes);
  return bytes;
}

/** Words of a vocabulary, as texts have them. */
export function words(length: number, seed = 1): Uint8Array {
  const random = new Random(seed);
  const letters = "etaoinshrdlucmfwypvbgkjqxz";
  const word = () =>
    Array.from({ length: 2 + random.below(9) }, () => letters[Math.min(random.below(26), random.below(26))]);
  const vocabulary = Array.from({ length: 400 }, () => word().join(""));
  let text = "";
  while (text.length < length) text += random.pick(vocabulary) + random.pick([" ", " ", " ", ", ", ".\n"]);
  return new TextEncoder().encode(text.slice(0, length));
}

/** Bytes of which few are frequent, without anything repeated. */
export function skewed(length: number, seed = 1): Uint8Array {
  const random = new Random(seed);
  return generated(length, () => (random.below(16) * random.below(16) * random.below(5)) >> 2);
}

export function noise(length: number, seed = 1): Uint8Array {
  const random = new Random(seed);
  return generated(length, () => random.below(256));
}

/** Copies from anywhere before, near and far, between bytes of changing alphabets. */
export function copies(length: number, seed = 1): Uint8Array {
  const random = new Random(seed);
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const count = Math.min(length - at, 1 + random.below(random.chance(0.02) ? 2000 : 30));
    if (at > 0 && random.chance(0.5)) {
      const offset = 1 + random.below(random.chance(0.5) ? at : Math.min(at, 20));
      for (let k = 0; k < count; k++) bytes[at + k] = bytes[at + k - offset]!;
    } else for (let k = 0; k < count; k++) bytes[at + k] = random.below(4 << ((at >> 12) % 6));
    at += count;
  }
  return bytes;
}

/** Rows of numbers that hardly change. */
export function records(length: number): Uint8Array {
  return generated(
    length,
    (at) => (at % 16 < 4 ? (at >> 4) >> (8 * (at % 4)) : at % 16 === 9 ? (at * at) >> 7 : at % 16) & 255,
  );
}

// -------------------------------------------------------------------------------------------------------- frames

const { constants: Z } = zlib;
/** Target of blocks' sizes, which Node.js passes on without naming it. */
const TARGET_BLOCK_BYTES = 130;

function nodeFrame(bytes: Uint8Array, params: Record<number, number>): Sample {
  return { frame: zlib.zstdCompressSync(bytes, { params }), bytes };
}

/** What encoders make of all kinds of data. */
export function* encodedFrames(): Generator<Sample> {
  const small = [
    new Uint8Array(0),
    Uint8Array.of(7),
    new Uint8Array(100_000),
    words(5000),
    words(40_000),
    skewed(3000),
    skewed(60_000),
    noise(9000),
    copies(20_000),
    records(30_000),
  ];
  for (const bytes of small)
    for (let level = -3; level <= 22; level++) {
      if (level === 0) continue;
      yield { frame: LIBZSTD.compress(bytes, level), bytes };
      if (level > 0) yield nodeFrame(bytes, { [Z.ZSTD_c_compressionLevel]: level });
    }
  for (let size = 2; size < 700; size += 1 + (size >> 4))
    for (const bytes of [words(size, size), skewed(size, size), copies(size, size)])
      yield { frame: LIBZSTD.compress(bytes, 1 + (size % 19)), bytes };
  const large = [
    copies(300_000),
    words(200_000),
    Buffer.concat([words(150_000), noise(150_000), new Uint8Array(150_000)]),
  ];
  for (const bytes of large) {
    for (const level of [-5, 1, 4, 8, 13, 17, 19]) yield { frame: LIBZSTD.compress(bytes, level), bytes };
    for (let strategy = 1; strategy <= 9; strategy++)
      yield nodeFrame(bytes, { [Z.ZSTD_c_strategy]: strategy, [Z.ZSTD_c_minMatch]: 3 + (strategy % 5) });
    for (const windowLog of [10, 11, 14, 17]) yield nodeFrame(bytes, { [Z.ZSTD_c_windowLog]: windowLog });
    for (const target of [1340, 5000, 40_000]) yield nodeFrame(bytes, { [TARGET_BLOCK_BYTES]: target });
  }
  const huge = Buffer.concat([noise(400_000), copies(700_000), noise(400_000), words(100_000)]);
  for (const level of [1, 9]) yield { frame: LIBZSTD.compress(huge, level), bytes: huge };
  yield nodeFrame(huge, { [Z.ZSTD_c_enableLongDistanceMatching]: 1, [Z.ZSTD_c_windowLog]: 20 });
}

/** Frames to damage; the same wherever they are made. */
function frames(): Sample[] {
  const samples: Sample[] = [];
  const datas = [
    ...[40, 300, 1000, 3000, 9000, 17_000].flatMap((size) => [
      words(size, size),
      skewed(size, size),
      copies(size, size),
    ]),
    records(2000),
    records(20_000),
    new Uint8Array(5000),
    noise(500),
    Buffer.concat([copies(90_000), skewed(90_000)]),
  ];
  for (const bytes of datas) {
    const levels = bytes.length > 100_000 ? [3] : [-3, 1, 4, 9, 16, 19];
    for (const level of levels) {
      const frame = LIBZSTD.compress(bytes, level);
      samples.push({ frame, bytes });
      if (level % 2 !== 0 && bytes.length > 1000) samples.push({ frame: inSmallBlocks(bytes, level), bytes });
    }
  }
  return samples;
}

/** A frame of several blocks: what frames of a block each would have, with the tables of the first one repeated where they are. */
function inSmallBlocks(bytes: Uint8Array, level: number): Uint8Array {
  const blocks: Block[] = [];
  const step = Math.ceil(bytes.length / 3);
  for (let at = 0; at < bytes.length; at += step)
    blocks.push(...partsOf(LIBZSTD.compress(bytes.subarray(at, at + step), level)).blocks);
  return frameOf({ size: bytes.length, blocks });
}

// --------------------------------------------------------------------------------------------------------- parts

export interface Block {
  readonly type: number;
  /** Of what is stored, or of what an RLE block stands for. */
  readonly size: number;
  readonly bytes: Uint8Array;
}

export function partsOf(frame: Uint8Array): { header: Uint8Array; blocks: Block[] } {
  const descriptor = frame[4]!;
  const isSingle = (descriptor & 0x20) !== 0;
  let at = 5 + (isSingle ? 0 : 1) + [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6]!;
  const header = frame.slice(0, at);
  const blocks: Block[] = [];
  for (let isLast = false; !isLast; ) {
    const word = frame[at]! | (frame[at + 1]! << 8) | (frame[at + 2]! << 16);
    isLast = (word & 1) === 1;
    const type = (word >> 1) & 3;
    const size = word >> 3;
    blocks.push({ type, size, bytes: frame.slice(at + 3, at + 3 + (type === 1 ? 1 : size)) });
    at += 3 + blocks.at(-1)!.bytes.length;
  }
  return { header, blocks };
}

/** A frame of `size` bytes with a window of `2 ** windowLog`, or in a single segment. */
export function frameOf(frame: {
  readonly size: number;
  readonly blocks: readonly Block[];
  readonly windowLog?: number;
  readonly header?: Uint8Array;
}): Uint8Array {
  const { size, blocks, windowLog } = frame;
  const header = frame.header ?? new Uint8Array(windowLog === undefined ? 13 : 14);
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  if (frame.header === undefined) {
    view.setUint32(0, 0xfd2fb528, true);
    header[4] = windowLog === undefined ? 0xe0 : 0xc0;
    if (windowLog !== undefined) header[5] = (windowLog - 10) << 3;
    view.setBigUint64(header.length - 8, BigInt(size), true);
  }
  const stored = blocks.map((block, k) => {
    const word = (k === blocks.length - 1 ? 1 : 0) | (block.type << 1) | (block.size << 3);
    return Buffer.concat([Uint8Array.of(word, word >> 8, word >> 16), block.bytes]);
  });
  return new Uint8Array(Buffer.concat([header, ...stored]));
}

export const raw = (bytes: Uint8Array): Block => ({ type: 0, size: bytes.length, bytes });
export const rle = (byte: number, size: number): Block => ({ type: 1, size, bytes: Uint8Array.of(byte) });
export const compressed = (...bytes: number[]): Block => ({
  type: 2,
  size: bytes.length,
  bytes: Uint8Array.from(bytes),
});

const TABLE_MODES = ["predefined", "rle", "described", "repeated"];
const SIZE_BYTES = ["1 or none", "2", "4", "8"];

/** Which of the format's choices a frame has. */
export function modesOf(frame: Uint8Array): string[] {
  const { header, blocks } = partsOf(frame);
  const modes = [
    (header[4]! & 0x20) !== 0 ? "frame: single segment" : "frame: window",
    `frame: size of ${SIZE_BYTES[header[4]! >> 6]} bytes`,
  ];
  for (const { type, bytes } of blocks) {
    modes.push(`block: ${["raw", "rle", "compressed"][type]}`);
    if (type !== 2) continue;
    const kind = bytes[0]! & 3;
    const format = (bytes[0]! >> 2) & 3;
    let at = 0;
    if (kind < 2) {
      const headerBytes = [1, 2, 1, 3][format]!;
      let size = bytes[0]! >> (headerBytes === 1 ? 3 : 4);
      for (let k = 1; k < headerBytes; k++) size += bytes[k]! << (8 * k - 4);
      modes.push(`literals: ${["raw", "rle"][kind]}, header of ${headerBytes}`);
      at = headerBytes + (kind === 1 ? 1 : size);
    } else {
      const bits = [10, 10, 14, 18][format]!;
      const headerBytes = [3, 3, 4, 5][format]!;
      let word = 0n;
      for (let k = 4; k >= 0; k--) word = word * 256n + BigInt(bytes[k]!);
      modes.push(`literals: ${kind === 2 ? "compressed" : "treeless"}, ${format === 0 ? 1 : 4} streams`);
      modes.push(`literals: compressed header of ${headerBytes}`);
      if (kind === 2) modes.push(`weights: ${bytes[headerBytes]! < 128 ? "entropy" : "direct"}`);
      at = headerBytes + Number((word >> BigInt(4 + bits)) & ((1n << BigInt(bits)) - 1n));
    }
    const count = bytes[at]!;
    modes.push(`sequences: ${count === 0 ? "none" : count < 128 ? "few" : count < 255 ? "many" : "most"}`);
    if (count === 0) continue;
    const tables = bytes[at + (count < 128 ? 1 : count < 255 ? 2 : 3)]!;
    for (const [k, what] of ["matches", "offsets", "lengths"].entries())
      modes.push(`${what}: ${TABLE_MODES[(tables >> (2 + 2 * k)) & 3]}`);
  }
  return modes;
}

// -------------------------------------------------------------------------------------------------------- damage

function spoiled(random: Random, bytes: Uint8Array): Uint8Array {
  const changed = bytes.slice();
  if (bytes.length === 0) return changed;
  // Headers and tables come first.
  const at = random.below(random.chance(0.7) ? Math.min(bytes.length, 130) : bytes.length);
  switch (random.below(6)) {
    case 0:
      changed[at]! ^= 1 << random.below(8);
      return changed;
    case 1:
      changed[at] = random.below(256);
      return changed;
    case 2:
      changed[at]! += random.pick([1, -1]);
      return changed;
    case 3:
      changed[bytes.length - 1 - random.below(Math.min(bytes.length, 4))] = random.below(256);
      return changed;
    case 4:
      return new Uint8Array(Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(3))]));
    default:
      return new Uint8Array(
        Buffer.concat([bytes.subarray(0, at), Uint8Array.of(random.below(256)), bytes.subarray(at)]),
      );
  }
}

/** Changes a frame within its blocks, whose headers fit again, or as a whole. */
function damaged(random: Random, { frame, bytes }: Sample, other: Sample): Uint8Array {
  if (random.chance(0.1)) return spoiled(random, frame);
  const { header, blocks } = partsOf(frame);
  for (let changes = random.chance(0.8) ? 1 : 1 + random.below(3); changes > 0; changes--) {
    const k = random.below(blocks.length);
    const block = blocks[k]!;
    if (random.chance(0.04)) blocks.splice(k, random.below(2), random.pick(partsOf(other.frame).blocks));
    else if (random.chance(0.02)) blocks[k] = { ...block, type: random.below(3) };
    else if (block.type === 1) blocks[k] = { ...block, size: block.size + random.pick([1, -1]) };
    else {
      const stored = spoiled(random, block.bytes);
      blocks[k] = { type: block.type, size: stored.length, bytes: stored };
    }
  }
  return frameOf({ header, size: bytes.length, blocks });
}

export interface Tally {
  mutants: number;
  /** Not by their headers. */
  refusedAtOnce: number;
  refused: number;
  taken: number;
  /** Refused, where libzstd for wasm32 takes them. */
  laxWasm: number;
  /** Refused, where Node.js's libzstd takes them; depends on the processor. */
  laxNode: number;
}

/** Why frames are refused that some build of libzstd takes. */
const LAX = new Set([
  "a stream of literals does not end with its last one",
  "a stream has no end",
  "a code is too long",
  "an offset is out of the window",
]);

function attempt(decode: () => Uint8Array, size: number): Uint8Array | string {
  try {
    const bytes = decode();
    return bytes.length === size ? bytes : `${bytes.length} bytes`;
  } catch (error) {
    if (!(error instanceof Error) || error instanceof RangeError || error instanceof TypeError) throw error;
    return error.message;
  }
}

function nodeAttempt(frame: Uint8Array, size: number): Uint8Array | string {
  try {
    const bytes = zlib.zstdDecompressSync(frame, { maxOutputLength: Math.max(size, 1) });
    return bytes.length === size ? bytes : `${bytes.length} bytes`;
  } catch (error) {
    return String(error);
  }
}

function passed(frame: Uint8Array, size: number): Uint8Array {
  checkFrame(frame, size);
  return new Uint8Array(0);
}

/** Damages frames until `goesOn` says no, and holds what is said of each against two builds of libzstd. */
export function campaign(seed: number, goesOn: (mutants: number) => boolean): Tally {
  const samples = frames();
  const random = new Random(seed);
  const tally: Tally = { mutants: 0, refusedAtOnce: 0, refused: 0, taken: 0, laxWasm: 0, laxNode: 0 };
  const complain = (what: string, frame: Uint8Array): void => {
    t.fail(`${what}: ${Buffer.from(frame).toString("base64").slice(0, 2000)}`);
  };
  while (goesOn(tally.mutants)) {
    const sample = random.pick(samples);
    const frame = damaged(random, sample, random.pick(samples));
    const size = sample.bytes.length;
    tally.mutants++;
    const ours = attempt(() => decodeFrame(frame, size), size);
    if (typeof ours === "string" && typeof attempt(() => passed(frame, size), 0) === "string") {
      tally.refusedAtOnce++;
      continue;
    }
    const wasm = attempt(() => LIBZSTD.decompress(frame), size);
    const node = nodeAttempt(frame, size);
    if (typeof ours === "string") {
      tally.refused++;
      if (typeof wasm !== "string") tally.laxWasm++;
      if (typeof node !== "string") tally.laxNode++;
      if ((typeof wasm !== "string" || typeof node !== "string") && !LAX.has(ours)) complain(ours, frame);
    } else {
      tally.taken++;
      for (const theirs of [wasm, node]) {
        if (typeof theirs === "string") complain(`taken, and refused by libzstd: ${theirs}`, frame);
        else if (Buffer.compare(ours, theirs) !== 0) complain("other bytes than libzstd", frame);
      }
    }
  }
  return tally;
}
