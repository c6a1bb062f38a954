/** Edges (spec TGK-EDGE): which artifacts came from which, as an artifact that is bound to the edge's id. */
import { type ArtifactKey, type Batch, type KeyLike, keyBytes, Namespace, type Staged } from "../asl/index.ts";
import { DIGEST_BYTES, digestInto, keyText, ParsedKey, sameDigest } from "../asl/key.ts";
import { CborReader } from "./cbor.ts";
import { TgkError } from "./errors.ts";

/** Type tag of edge artifacts. */
export const EDGE_TAG = 0x0201;

/** Most ends of a side. */
export const MOST_ENDS = 65_535;

/** Types of edges. Append-only; those from {@link FIRST_USER_TYPE} on belong to whoever uses a store. */
export const EdgeType = {
  /** From a node's inputs, its module last, to its claim and then its outputs. */
  EXECUTION: 1,
  /** From a program and its inputs to the run's claim and its outputs. */
  RUN: 2,
} as const;

export const FIRST_USER_TYPE = 256;

export interface Edge {
  /** In order, which means what the type says; a key may be there more than once. */
  readonly from: readonly ArtifactKey[];
  readonly to: readonly ArtifactKey[];
  /** A number from 0 to 2^32 − 1. */
  readonly type: number;
  /** Eight flags, which mean what the type says. */
  readonly roles: number;
}

/** The same with keys as whoever stages it has them. */
export interface StagedEdge extends Pick<Edge, "type" | "roles"> {
  readonly from: readonly KeyLike[];
  readonly to: readonly KeyLike[];
}

/** Bytes of a key, at most. */
const KEY_BYTES = 2 + 5 + DIGEST_BYTES;
/** Two arrays, a type, roles, and what is before. */
const AROUND_BYTES = 32;

/** Where an edge is encoded: every node of a program has one, so nothing is allocated for it. */
let scratch: Buffer = Buffer.allocUnsafe(4096);
let length = 0;
const id: Buffer = Buffer.alloc(DIGEST_BYTES);

/** What Node.js's types leave out: half the time of `write`, and of a loop. */
interface HexBuffer extends Buffer {
  hexWrite(text: string, at: number, length: number): number;
}

/** Answers where what tells the edge from others ends, behind its type. Throws TGK-ARGUMENT, TGK-LIMIT, or ASL-KEY. */
function encode(edge: StagedEdge): number {
  if (typeof edge !== "object" || edge === null) throw new TgkError("TGK-ARGUMENT", "an edge was expected");
  const { from, to, type, roles } = edge;
  if (!Number.isInteger(type) || type < 0 || type > 0xffff_ffff)
    throw new TgkError("TGK-ARGUMENT", `the type is ${type}; an integer from 0 to 2^32 - 1 was expected`);
  if (!Number.isInteger(roles) || roles < 0 || roles > 255)
    throw new TgkError("TGK-ARGUMENT", `the roles are ${roles}; an integer from 0 to 255 was expected`);
  if (!Array.isArray(from) || !Array.isArray(to))
    throw new TgkError("TGK-ARGUMENT", "the ends of an edge as two arrays of keys were expected");
  if (from.length === 0 && to.length === 0) throw new TgkError("TGK-ARGUMENT", "an edge has one end at least");
  if (from.length > MOST_ENDS || to.length > MOST_ENDS)
    throw new TgkError(
      "TGK-LIMIT",
      `${Math.max(from.length, to.length)} ends of a side; ${MOST_ENDS} are the most that an edge can have`,
    );
  const most = AROUND_BYTES + (from.length + to.length) * KEY_BYTES;
  if (most > scratch.length) scratch = Buffer.allocUnsafe(2 * most);
  scratch[0] = 0x85;
  scratch[1] = 1;
  length = 2;
  putHead(0x80, from.length);
  for (let k = 0; k < from.length; k++) putKey(from[k]!);
  putHead(0x80, to.length);
  for (let k = 0; k < to.length; k++) putKey(to[k]!);
  putHead(0, type);
  const identityEnd = length;
  putHead(0, roles);
  return identityEnd;
}

/** The header of an item of CBOR, in its shortest form. */
function putHead(major: number, value: number): void {
  if (value < 24) scratch[length++] = major | value;
  else if (value < 0x100) {
    scratch[length++] = major | 24;
    scratch[length++] = value;
  } else if (value < 0x1_0000) {
    scratch[length++] = major | 25;
    scratch[length++] = value >>> 8;
    scratch[length++] = value & 255;
  } else {
    scratch[length] = major | 26;
    length = scratch.writeUInt32BE(value, length + 1);
  }
}

/** A key as a byte string. */
function putKey(key: KeyLike): void {
  const start = length;
  scratch[start] = 0x58;
  scratch[start + 1] = 34;
  scratch[start + 2] = 0x12;
  scratch[start + 3] = DIGEST_BYTES;
  // What is no digit ends it early.
  if (typeof key === "string" && key.length === 71 && key.startsWith("sha256:")) {
    if ((scratch as HexBuffer).hexWrite(key.slice(7), start + 4, DIGEST_BYTES) === DIGEST_BYTES) {
      length = start + 36;
      return;
    }
  }
  const bytes =
    key instanceof Uint8Array && key.length === 34 && key[0] === 0x12 && key[1] === 32 ? key : keyBytes(key);
  scratch[start + 1] = bytes.length;
  scratch.set(bytes, start + 2);
  length = start + 2 + bytes.length;
}

/** The digest that tells an edge from others, in {@link id}: of `[from, to, type]`. Encodes it first. */
function identify(identityEnd: number): void {
  // One byte before the ends is the header of the array that the artifact has, with its version.
  scratch[1] = 0x83;
  digestInto(1, scratch.subarray(1, identityEnd), id, 0);
  scratch[1] = 1;
}

/** The edge artifact (spec TGK-EDGE-1). Throws TGK-ARGUMENT, TGK-LIMIT or ASL-KEY. */
export function encodeEdge(edge: Edge): Uint8Array {
  encode(edge);
  return new Uint8Array(scratch.subarray(0, length));
}

/** The 32 bytes that an edge is bound to: SHA-256 of its ends and type (spec TGK-EDGE-2). Throws as {@link encodeEdge}. */
export function edgeId(edge: Pick<Edge, "from" | "to" | "type">): Uint8Array {
  const identityEnd = encode({ ...edge, roles: 0 });
  identify(identityEnd);
  return new Uint8Array(id);
}

/** Stages an edge: its artifact, and the binding that makes it current (spec TGK-EDGE-3). Throws as {@link encodeEdge}, and what the batch throws. */
export function stageEdge(
  batch: Batch,
  edge: StagedEdge,
  { logseq }: { readonly logseq?: number | undefined } = {},
): Staged {
  const identityEnd = encode(edge);
  const staged = batch.stage(scratch.subarray(0, length), { typeTag: EDGE_TAG, logseq });
  identify(identityEnd);
  batch.bind(Namespace.EDGE, id, staged.keyBytes, { logseq });
  return staged;
}

/** An edge as its artifact has it, with nothing copied. */
export interface EdgeEnds {
  readonly bytes: Uint8Array;
  /** Of each end's key, those of `from` first: number of the algorithm, and where its digest begins. */
  readonly algorithms: readonly number[];
  readonly places: readonly number[];
  readonly fromCount: number;
  readonly type: number;
  readonly roles: number;
  /** Behind what tells it from other edges. */
  readonly identityEnd: number;
}

/** Takes an edge artifact apart. Throws TGK-EDGE for what is not the one encoding of an edge. */
function readEdge(bytes: Uint8Array): EdgeEnds {
  if (!(bytes instanceof Uint8Array)) throw new TgkError("TGK-ARGUMENT", "bytes in an Uint8Array were expected");
  const fail = (offset: number, message: string): TgkError => new TgkError("TGK-EDGE", message, { offset });
  const reader = new CborReader(bytes, fail);
  reader.tuple(5, "an edge");
  const version = reader.uint();
  if (version !== 1) throw fail(1, `version ${version}; this program knows version 1`);
  const algorithms: number[] = [];
  const places: number[] = [];
  const parsed = new ParsedKey();
  const readEnds = (): number => {
    const count = reader.array(MOST_ENDS);
    for (let k = 0; k < count; k++) {
      const start = reader.offset;
      const key = reader.bytes(KEY_BYTES);
      try {
        parsed.parse(key);
      } catch (error) {
        throw fail(start, (error as Error).message);
      }
      algorithms.push(parsed.algorithm);
      places.push(reader.offset - DIGEST_BYTES);
    }
    return count;
  };
  const fromCount = readEnds();
  if (readEnds() + fromCount === 0) throw fail(2, "an edge has one end at least");
  const type = reader.uint(0xffff_ffff);
  const identityEnd = reader.offset;
  const roles = reader.uint(255);
  reader.end();
  return { bytes, algorithms, places, fromCount, type, roles, identityEnd };
}

/** Whether this is the id of an edge that was taken apart. */
function hasId({ bytes, identityEnd }: EdgeEnds, name: Uint8Array): boolean {
  if (identityEnd > scratch.length) scratch = Buffer.allocUnsafe(2 * identityEnd);
  scratch.set(bytes.subarray(0, identityEnd));
  length = identityEnd;
  identify(identityEnd);
  return sameDigest(id, 0, name, 0);
}

/** The edge of an id that these bytes are; undefined if they are none. */
export function readEdgeOf(name: Uint8Array, bytes: Uint8Array): EdgeEnds | undefined {
  try {
    const ends = readEdge(bytes);
    return hasId(ends, name) ? ends : undefined;
  } catch (error) {
    if (error instanceof TgkError) return undefined;
    throw error;
  }
}

/** The edge that an artifact holds. Throws TGK-ARGUMENT, and TGK-EDGE for what is not the one encoding of an edge. */
export function decodeEdge(bytes: Uint8Array): Edge {
  const { algorithms, places, fromCount, type, roles } = readEdge(bytes);
  const keys = places.map((at, k) => keyText(algorithms[k]!, bytes, at));
  return { from: keys.slice(0, fromCount), to: keys.slice(fromCount), type, roles };
}
