/** The list of the chunks of an artifact that is too long for one record (spec ASL-BLOCK-9). */
import { rootOf } from "../assets/tree-hash.ts";
import { getU64, setU64 } from "./format.ts";
import { digestAt, sameDigest } from "./key.ts";

const VERSION = 1;
const LIST_HEADER_BYTES = 56;
const CHUNK_ROW_BYTES = 56;

/** Where a chunk is, and what it is. */
export interface Chunk {
  /** Of its bytes, as a leaf of the tree hash. */
  readonly digest: Uint8Array;
  readonly block: number;
  /** Of its record. */
  readonly offset: number;
  readonly length: number;
}

export interface ChunkList {
  /** Bytes of the artifact. */
  readonly length: number;
  /** Bytes of every chunk but the last. */
  readonly chunkBytes: number;
  readonly chunks: readonly Chunk[];
}

export function encodeChunkList({ length, chunkBytes, chunks }: ChunkList): Uint8Array {
  const bytes = new Uint8Array(LIST_HEADER_BYTES + chunks.length * CHUNK_ROW_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, VERSION, true);
  view.setUint32(4, chunks.length, true);
  setU64(view, 8, length);
  setU64(view, 16, chunkBytes);
  bytes.set(rootOf(digests(chunks), length, chunkBytes), 24);
  let at = LIST_HEADER_BYTES;
  for (const chunk of chunks) {
    bytes.set(chunk.digest, at);
    view.setUint32(at + 32, chunk.block, true);
    setU64(view, at + 40, chunk.offset);
    setU64(view, at + 48, chunk.length);
    at += CHUNK_ROW_BYTES;
  }
  return bytes;
}

function* digests(chunks: readonly Chunk[]): Iterable<Uint8Array> {
  for (const { digest } of chunks) yield digest;
}

/** Undefined for what is no such list: its root binds digests and lengths, and where a chunk is, its record proves. */
export function decodeChunkList(bytes: Uint8Array): ChunkList | undefined {
  if (bytes.length < LIST_HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = view.getUint32(4, true);
  const length = getU64(view, 8);
  const chunkBytes = getU64(view, 16);
  if (view.getUint32(0, true) !== VERSION || bytes.length !== LIST_HEADER_BYTES + count * CHUNK_ROW_BYTES)
    return undefined;
  if (length < 1 || chunkBytes < 1 || count !== Math.ceil(length / chunkBytes)) return undefined;
  const chunks: Chunk[] = [];
  let left = length;
  for (let at = LIST_HEADER_BYTES; at < bytes.length; at += CHUNK_ROW_BYTES) {
    const chunk: Chunk = {
      digest: digestAt(bytes, at),
      block: view.getUint32(at + 32, true),
      offset: getU64(view, at + 40),
      length: getU64(view, at + 48),
    };
    if (chunk.length !== Math.min(left, chunkBytes) || chunk.offset < 0 || view.getUint32(at + 36, true) !== 0)
      return undefined;
    left -= chunk.length;
    chunks.push(chunk);
  }
  return sameDigest(rootOf(digests(chunks), length, chunkBytes), 0, bytes, 24)
    ? { length, chunkBytes, chunks }
    : undefined;
}
