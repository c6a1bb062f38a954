/**
 * Packs made from a header and a payload, sealed with the right lengths, digests and checksum whatever they say: so tests make packs
 * that are wrong in one place. Nothing here is the product's.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from "node:crypto";
import { deflateRawSync, zstdCompressSync } from "node:zlib";
import { crc32, treeHash } from "./second-reader.ts";

export interface PartsEntry {
  asset_id: number;
  asset_name: string;
  bank_type: string;
  codec: string;
  decoded_size: number;
  digest: string;
  metadata: object;
  offset: number;
  size: number;
}

/** A header, as wrong as a test likes. */
export interface PartsHeader {
  alignment: number;
  asset_table: PartsEntry[];
  data: { algorithm: string; hash: string; leaf_size: number };
  encoders: { [codec: string]: string };
  metadata: object;
  patch?: { base: string; removed: number[] };
  preload: { asset_id: number; slot: number }[];
  schema: string;
}

export interface Parts {
  header: PartsHeader;
  payload: Uint8Array;
}

/** An asset to pack; its bytes are stored as the codec says. */
export interface Sample {
  readonly id: number;
  readonly name?: string;
  readonly bank?: string;
  readonly codec?: "raw" | "deflate" | "zstd";
  readonly bytes: Uint8Array;
  /** In place of what the codec makes of the bytes. */
  readonly stored?: Uint8Array;
  readonly metadata?: object;
}

const LEAF_SIZE = 262_144;

export function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Bytes that look random and are the same each time; `seed` makes others. */
export function noise(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed;
  for (let k = 0; k < length; k++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes[k] = state >>> 24;
  }
  return bytes;
}

/** Bytes that compress well. */
export function lines(count: number): Uint8Array {
  return Buffer.from(Array.from({ length: count }, (_, k) => `line ${k % 17}: the quick brown fox\n`).join(""));
}

function stored({ codec, bytes, stored }: Sample): Uint8Array {
  if (stored !== undefined) return stored;
  if (codec === "deflate") return deflateRawSync(bytes);
  return codec === "zstd" ? zstdCompressSync(bytes) : bytes;
}

/** A right header and payload for the samples, in the order of their ids; equal slices are shared. */
export function partsOf(
  samples: readonly Sample[],
  { alignment = 16, preload = [] as [id: number, slot: number][], patch = undefined as PartsHeader["patch"] } = {},
): Parts {
  const chunks: Uint8Array[] = [];
  const known = new Map<string, number>();
  let length = 0;
  const table = samples.map((sample): PartsEntry => {
    const slice = stored(sample);
    const digest = digestOf(slice);
    let offset = slice.length === 0 ? 0 : known.get(digest);
    if (offset === undefined) {
      const padding = -length & (alignment - 1);
      chunks.push(new Uint8Array(padding), slice);
      offset = length + padding;
      length = offset + slice.length;
      known.set(digest, offset);
    }
    return {
      asset_id: sample.id,
      asset_name: sample.name ?? `asset${sample.id}`,
      bank_type: sample.bank ?? "data",
      codec: sample.codec ?? "raw",
      decoded_size: sample.bytes.length,
      digest,
      metadata: sample.metadata ?? {},
      offset,
      size: slice.length,
    };
  });
  return {
    header: {
      alignment,
      asset_table: table,
      data: { algorithm: "ashlar-tree-1", hash: "sha2-256", leaf_size: LEAF_SIZE },
      encoders: {},
      metadata: {},
      ...(patch && { patch }),
      preload: preload.map(([asset_id, slot]) => ({ asset_id, slot })),
      schema: "ashlar.assets/1",
    },
    payload: new Uint8Array(Buffer.concat(chunks)),
  };
}

/** JSON with sorted keys: canonical for all that tests write. */
export function sortedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(sortedJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return Object.is(value, -0) ? "0" : JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${sortedJson(member)}`).join(",")}}`;
}

/** What a test would have otherwise than it is right. */
export interface Overrides {
  /** The header's text, or its bytes, before the padding. */
  readonly json?: string | Uint8Array;
  /** Behind the JSON; spaces up to the alignment otherwise. */
  readonly padding?: Uint8Array;
  /** Changes the prelude before its checksum is made. */
  readonly prelude?: (view: DataView, bytes: Uint8Array) => void;
  /** Changes the finished prelude, the checksum too. */
  readonly damage?: (view: DataView, bytes: Uint8Array) => void;
  readonly flags?: number;
  readonly signature?: Signer | Uint8Array;
  /** Behind the file. */
  readonly trailing?: Uint8Array;
}

export interface Signer {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

/** The file, every length, digest and checksum right but for the overrides. */
export function seal({ header, payload }: Parts, over: Overrides = {}): Uint8Array {
  const json = typeof over.json === "object" ? over.json : Buffer.from(over.json ?? sortedJson(header));
  const isAlignment = Number.isInteger(header.alignment) && header.alignment > 0 && header.alignment <= 65_536;
  const alignment = isAlignment ? header.alignment : 16;
  const padding = over.padding ?? new Uint8Array(-(128 + json.length) & (alignment - 1)).fill(0x20);
  const headerLength = json.length + padding.length;
  const signatureLength = over.signature === undefined ? 0 : 112;
  const prelude = new Uint8Array(128);
  const view = new DataView(prelude.buffer);
  prelude.set([0x89, 0x50, 0x41, 0x4b, 0x0d, 0x0a, 0x1a, 0x0a]);
  view.setUint32(8, 1, true);
  view.setUint32(12, over.flags ?? (header.patch === undefined ? 0 : 1), true);
  view.setUint32(20, headerLength, true);
  view.setBigUint64(24, BigInt(128 + headerLength), true);
  view.setBigUint64(32, BigInt(payload.length), true);
  view.setBigUint64(40, BigInt(128 + headerLength + payload.length + signatureLength), true);
  prelude.set(createHash("sha256").update(json).digest(), 48);
  const leafSize = Number.isSafeInteger(header.data?.leaf_size) ? header.data.leaf_size : LEAF_SIZE;
  prelude.set(treeHash(payload, leafSize >= 64 ? leafSize : LEAF_SIZE), 80);
  view.setUint32(112, signatureLength, true);
  over.prelude?.(view, prelude);
  view.setUint32(124, crc32(prelude.subarray(0, 124)), true);
  over.damage?.(view, prelude);
  const signature =
    over.signature === undefined || over.signature instanceof Uint8Array
      ? (over.signature ?? new Uint8Array(0))
      : signatureOf(over.signature, prelude, json);
  return new Uint8Array(
    Buffer.concat([prelude, json, padding, payload, signature, over.trailing ?? new Uint8Array(0)]),
  );
}

/** Of a key that everybody knows (RFC 8410, the seed being 32 bytes of 1). */
export const SIGNER: Signer = signerOf(new Uint8Array(32).fill(1));

function signerOf(seed: Uint8Array): Signer {
  const start = Buffer.from("302e020100300506032b657004220420", "hex");
  const privateKey = createPrivateKey({ key: Buffer.concat([start, seed]), format: "der", type: "pkcs8" });
  return { privateKey, publicKey: createPublicKey(privateKey) };
}

export function signatureOf({ privateKey, publicKey }: Signer, prelude: Uint8Array, json: Uint8Array): Uint8Array {
  const message = Buffer.concat([Buffer.from("ashlar.assets/1 signature\n"), prelude, json]);
  const block = Buffer.alloc(112);
  block.write("PASIGN\r\n", "latin1");
  block.writeUInt32LE(1, 8);
  Buffer.from(publicKey.export({ format: "jwk" }).x!, "base64url").copy(block, 16);
  sign(null, message, privateKey).copy(block, 48);
  return block;
}
