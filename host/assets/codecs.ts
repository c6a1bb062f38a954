/** How an asset's bytes are stored (spec PACK-CODEC). */
import { decompress } from "fzstd";
import { PackError } from "./errors.ts";

export interface Codec {
  readonly name: string;
  /** Exactly `decodedSize` bytes, made of all of `stored`. Throws what it likes for anything else. */
  decode(stored: Uint8Array, decodedSize: number): Uint8Array;
}

/** RFC 1951, without a wrapper. */
export const DEFLATE: Codec = {
  name: "deflate",
  decode: (stored, decodedSize) => {
    const zlib = process.getBuiltinModule("node:zlib");
    const options = { maxOutputLength: Math.max(decodedSize, 1), info: true };
    // With `info` an object is answered, which the types do not know.
    const { buffer, engine } = zlib.inflateRawSync(stored, options) as unknown as {
      readonly buffer: Uint8Array;
      readonly engine: { readonly bytesWritten: number };
    };
    if (engine.bytesWritten !== stored.length)
      throw new Error(`${stored.length - engine.bytesWritten} bytes are left over`);
    return buffer;
  },
};

type Decompress = (stored: Uint8Array, options: { readonly maxOutputLength: number }) => Uint8Array;

/** RFC 8878: one frame that tells its size, without dictionary and checksum. By Node.js, which has it since 22.15. */
export const ZSTD: Codec = {
  name: "zstd",
  decode: (stored, decodedSize) => {
    const { zstdDecompressSync } = process.getBuiltinModule("node:zlib") as { zstdDecompressSync?: Decompress };
    if (zstdDecompressSync === undefined) return PURE_ZSTD.decode(stored, decodedSize);
    checkFrame(stored, decodedSize);
    return zstdDecompressSync(stored, { maxOutputLength: Math.max(decodedSize, 1) });
  },
};

/** The same without Node.js's. */
export const PURE_ZSTD: Codec = {
  name: "zstd",
  decode: (stored, decodedSize) => {
    checkFrame(stored, decodedSize);
    return decodedSize === 0 ? new Uint8Array(0) : decompress(stored, new Uint8Array(decodedSize));
  },
};

const FRAME_MAGIC = 0xfd2f_b528;
/** What an encoder's highest level uses, and what decoders take unless they are told otherwise. */
const MOST_WINDOW_BYTES = 2 ** 27;

/** Throws unless `stored` is one frame that says `decodedSize`: what decoders agree on (spec PACK-CODEC-3). */
function checkFrame(stored: Uint8Array, decodedSize: number): void {
  const view = new DataView(stored.buffer, stored.byteOffset, stored.length);
  const demand = (holds: boolean, what: string): void => {
    if (!holds) throw new Error(what);
  };
  demand(stored.length >= 6 && view.getUint32(0, true) === FRAME_MAGIC, "this is no frame of Zstandard");
  const descriptor = stored[4]!;
  demand((descriptor & 0b0000_1000) === 0, "a reserved bit is set");
  demand((descriptor & 0b0000_0011) === 0, "the frame needs a dictionary");
  demand((descriptor & 0b0000_0100) === 0, "the frame has a checksum of its own");
  const isSingle = (descriptor & 0b0010_0000) !== 0;
  let at = 5;
  const base = 2 ** (10 + (stored[at]! >>> 3));
  const window = isSingle ? decodedSize : base + (base / 8) * (stored[at]! & 7);
  demand(window <= MOST_WINDOW_BYTES, "the window is too large");
  if (!isSingle) at++;
  const sizeBytes = [isSingle ? 1 : 0, 2, 4, 8][descriptor >>> 6]!;
  demand(sizeBytes > 0 && at + sizeBytes <= stored.length, "the frame does not tell its size");
  const told = sizeAt(view, at, sizeBytes);
  demand(told === decodedSize, `the frame says ${told} bytes`);
  at += sizeBytes;
  for (let isLast = false; !isLast; ) {
    demand(at + 3 <= stored.length, "the frame is cut off");
    const block = stored[at]! | (stored[at + 1]! << 8) | (stored[at + 2]! << 16);
    isLast = (block & 1) === 1;
    const type = (block >>> 1) & 3;
    demand(type !== 3, "a block is of a reserved type");
    at += 3 + (type === 1 ? 1 : block >>> 3);
  }
  demand(at === stored.length, at > stored.length ? "the frame is cut off" : "something lies behind the frame");
}

function sizeAt(view: DataView, at: number, bytes: number): number {
  if (bytes === 1) return view.getUint8(at);
  if (bytes === 2) return view.getUint16(at, true) + 256;
  return bytes === 4 ? view.getUint32(at, true) : Number(view.getBigUint64(at, true));
}

/** The codecs that every reader knows, but for `raw`, which needs none. */
export const CODECS: readonly Codec[] = [DEFLATE, ZSTD];

/** Decodes with `codec`; whatever goes wrong is a PackError PACK-DECODE. */
export function decodeWith(
  codec: Codec,
  stored: Uint8Array,
  decodedSize: number,
  place: { readonly file?: string | undefined; readonly pointer?: string },
): Uint8Array {
  let decoded: Uint8Array;
  try {
    decoded = codec.decode(stored, decodedSize);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new PackError("PACK-DECODE", `${codec.name} does not decode: ${why}`, place);
  }
  if (decoded.length === decodedSize) return decoded;
  const message = `${codec.name} decodes to ${decoded.length} bytes, not ${decodedSize}`;
  throw new PackError("PACK-DECODE", message, place);
}

/**
 * What encodes, by codec. Each is one version of one program, without threads and without code for certain machines, so that
 * the same bytes are encoded alike everywhere (spec PACK-CODEC-4).
 */
export const ENCODERS = {
  deflate: "fflate 0.8.3 level 9",
  zstd: "libzstd 1.5.7 level 19",
} as const;
export type EncodedBy = keyof typeof ENCODERS;

export async function encodeWith(codec: EncodedBy, bytes: Uint8Array): Promise<Uint8Array> {
  if (codec === "deflate") {
    const { deflateSync } = await import("fflate");
    return deflateSync(bytes, { level: 9 });
  }
  const { Zstd } = await import("@hpcc-js/wasm-zstd");
  return (await Zstd.load()).compress(bytes, 19);
}
