/** A pack for the tests of module `bank`, and readers of it that fail. */
import { deflateRawSync } from "node:zlib";
import type { PackReader } from "../../host/assets/source.ts";
import { type AssetInput, encodePack, type PackInput } from "../../host/assets/write.ts";

/** `length` bytes that differ from place to place. */
export function bytesOf(length: number, seed = 1): Uint8Array {
  return Uint8Array.from({ length }, (_, k) => (k * 7 + (k >> 5) * 31 + seed * 13) & 255);
}

export function raw(id: number, name: string, bankType: string, stored: Uint8Array): AssetInput {
  return { id, name, bankType, codec: "raw", decodedSize: stored.length, stored };
}

export function deflated(id: number, name: string, bankType: string, bytes: Uint8Array): AssetInput {
  const stored = deflateRawSync(bytes, { level: 9 });
  return { id, name, bankType, codec: "deflate", decodedSize: bytes.length, stored };
}

/** Contents of the assets of {@link PACK}, by their ids. */
export const CONTENTS: { readonly [id: number]: Uint8Array } = {
  [-2147483648]: Buffer.from("0123456789"),
  1: bytesOf(300),
  2: bytesOf(3000, 2),
  3: bytesOf(64, 3),
  4: bytesOf(500, 4),
  7: new Uint8Array(0),
  2147483647: bytesOf(40, 5),
};

export const INPUT: PackInput = {
  assets: [
    raw(-2147483648, "data/digits", "data", CONTENTS[-2147483648]!),
    { ...raw(1, "tiles/plain", "tiles", CONTENTS[1]!), metadata: { height: 8, width: 8 } },
    deflated(2, "tiles/packed", "tiles", CONTENTS[2]!),
    raw(3, "palettes/day", "palettes", CONTENTS[3]!),
    deflated(4, "text/story", "text", CONTENTS[4]!),
    raw(7, "data/empty", "data", CONTENTS[7]!),
    deflated(2147483647, "levels/first", "levels", CONTENTS[2147483647]!),
  ],
  preload: [
    { assetId: 2, slot: 5 },
    { assetId: 1, slot: 0 },
    { assetId: 2147483647, slot: 255 },
  ],
};

/** Bytes that are decoded when the preload is loaded. */
export const PRELOADED_BYTES = 3040;

export const PACK: Uint8Array = await encodePack(INPUT);

/** How reads of a {@link faultyReader} go wrong. */
export interface ReaderFaults {
  /** What is thrown. */
  error?: Error | undefined;
  /** The source ends here. */
  end?: number | undefined;
  /** Each byte that is read is xored with it. */
  mask?: number | undefined;
  /** True: it says that the bytes may not be those of before. */
  changed?: Error | undefined;
}

export function faultyReader(bytes: Uint8Array, faults: ReaderFaults): PackReader & { isClosed: boolean } {
  return {
    isClosed: false,
    size: bytes.length,
    read: (position, into) => {
      if (faults.error !== undefined) throw faults.error;
      const found = bytes.subarray(position, Math.min(position + into.length, faults.end ?? bytes.length));
      into.set(found);
      const { mask = 0 } = faults;
      if (mask !== 0) for (let k = 0; k < found.length; k++) into[k]! ^= mask;
      return found.length;
    },
    check: () => {
      if (faults.changed !== undefined) throw faults.changed;
    },
    close() {
      this.isClosed = true;
    },
  };
}
