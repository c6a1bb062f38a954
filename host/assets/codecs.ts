/** How an asset's bytes are stored (spec PACK-CODEC). */
import { PackError } from "./errors.ts";
import { checkFrame, decodeFrame } from "./zstd.ts";

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

/** One frame of RFC 8878 that tells its size, without dictionary and checksum. */
export const ZSTD: Codec = { name: "zstd", decode: decodeFrame };

type Decompress = (
  stored: Uint8Array,
  options: { readonly maxOutputLength: number; readonly chunkSize: number },
) => Uint8Array;

/**
 * The same by Node.js's libzstd, for who trusts what made their packs and gives it as one of `codecs`: 3 to 4 times as
 * fast (1,000 MB/s to 300 of text). What {@link ZSTD} decodes it decodes to the same bytes, but it also takes some of the
 * damaged frames that are refused there: on x86-64 one in twelve, as its decoder of literals does not look where their
 * streams end. That depends on the processor and on how libzstd was built, so two machines would not agree about a pack.
 * Where Node.js has none (before 22.15) it is {@link ZSTD}.
 */
export const NATIVE_ZSTD: Codec = {
  name: "zstd",
  decode: (stored, decodedSize) => {
    const { zstdDecompressSync } = process.getBuiltinModule("node:zlib") as { zstdDecompressSync?: Decompress };
    if (zstdDecompressSync === undefined) return decodeFrame(stored, decodedSize);
    checkFrame(stored, decodedSize);
    // With room for all it is decoded at once; with the byte more Node.js sees that there is no more to come.
    const chunkSize = Math.max(decodedSize + 1, 64);
    return zstdDecompressSync(stored, { maxOutputLength: Math.max(decodedSize, 1), chunkSize });
  },
};

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
