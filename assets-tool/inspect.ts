/** What a pack is made of, and what lies at a byte of it (spec TOOL-INSPECT, TOOL-AT). */
import {
  BACKSLASH,
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COMMA,
  OPEN_ARRAY,
  OPEN_OBJECT,
  QUOTE,
} from "../host/assets/canonical-text.ts";
import { PackError } from "../host/assets/errors.ts";
import { PRELUDE_BYTES, VERSION } from "../host/assets/format.ts";
import { hex } from "../host/assets/hash.ts";
import type { Preload } from "../host/assets/header.ts";
import { type JsonObject, pointerStep } from "../host/assets/json.ts";
import type { Asset, Pack } from "../host/assets/pack.ts";
import { PRELUDE_FIELDS } from "../host/assets/prelude.ts";
import { SIGNATURE_FIELDS } from "../host/assets/signature.ts";
import { compareNames } from "./name-order.ts";

/** Assets that have something in common. All sizes are in bytes. */
export interface Share {
  readonly assets: number;
  /** Decoded. */
  readonly bytes: number;
  /** A slice that several share counts for the one with the lowest id. */
  readonly storedBytes: number;
}

export interface PackInspection {
  readonly identity: string;
  readonly version: number;
  readonly requiredFlags: number;
  readonly optionalFlags: number;
  /** Of the parts of the file; they add up to `file`. */
  readonly sizes: {
    readonly file: number;
    readonly prelude: number;
    readonly header: number;
    readonly headerPadding: number;
    readonly slices: number;
    readonly slicePadding: number;
    readonly signature: number;
  };
  /** SHA-256 of the header without its padding, and root of the payload's tree hash, in hexadecimal. */
  readonly headerDigest: string;
  readonly payloadRoot: string;
  readonly alignment: number;
  readonly leafSize: number;
  readonly encoders: { readonly [codec: string]: string };
  readonly metadata: JsonObject;
  readonly patch: { readonly base: string; readonly removed: readonly number[] } | null;
  /** That there is a signature; `verify` tells whose. */
  readonly signed: boolean;
  readonly assets: number;
  readonly bytes: number;
  /** Slices with bytes, the assets that lie in one of another, and the bytes which that saves. */
  readonly slices: number;
  readonly shared: number;
  readonly sharedBytes: number;
  /** Ordered by name. */
  readonly bankTypes: readonly ({ readonly bankType: string; readonly number: number } & Share)[];
  readonly codecs: readonly ({ readonly codec: string } & Share)[];
  readonly preload: readonly (Preload & { readonly name: string | null; readonly bankType: string | null })[];
}

/** What prelude and header tell of the pack. */
export function inspectPack(pack: Pack): PackInspection {
  const { prelude, headerJson } = pack;
  const { alignment, leafSize, encoders, metadata, patch } = pack.header;
  const banks = new Map<string, Mutable<Share> & { number: number }>();
  const codecs = new Map<string, Mutable<Share>>();
  const seen = new Set<number>();
  let bytes = 0;
  let sliceBytes = 0;
  let shared = 0;
  let sharedBytes = 0;
  for (const { bankType, bankNumber: number, codec, offset, size, decodedSize } of pack.assets()) {
    const isShared = size > 0 && seen.has(offset);
    const storedBytes = isShared ? 0 : size;
    bytes += decodedSize;
    if (isShared) {
      shared++;
      sharedBytes += size;
    } else if (size > 0) {
      seen.add(offset);
      sliceBytes += size;
    }
    count(banks, bankType, () => ({ number, assets: 0, bytes: 0, storedBytes: 0 }), decodedSize, storedBytes);
    count(codecs, codec, () => ({ assets: 0, bytes: 0, storedBytes: 0 }), decodedSize, storedBytes);
  }
  return {
    identity: pack.identity,
    version: VERSION,
    requiredFlags: prelude.requiredFlags,
    optionalFlags: prelude.optionalFlags,
    sizes: {
      file: prelude.fileLength,
      prelude: PRELUDE_BYTES,
      header: headerJson.length,
      headerPadding: prelude.headerLength - headerJson.length,
      slices: sliceBytes,
      slicePadding: prelude.payloadLength - sliceBytes,
      signature: prelude.signatureLength,
    },
    headerDigest: hex(prelude.headerDigest),
    payloadRoot: hex(prelude.payloadRoot),
    alignment,
    leafSize,
    encoders,
    metadata,
    patch: patch ?? null,
    signed: prelude.signatureLength > 0,
    assets: pack.length,
    bytes,
    slices: seen.size,
    shared,
    sharedBytes,
    bankTypes: byName(banks).map(([bankType, share]) => ({ bankType, ...share })),
    codecs: byName(codecs).map(([codec, share]) => ({ codec, ...share })),
    preload: pack.header.preload.map(({ assetId, slot }) => {
      // A patch may preload what lies below it.
      const asset = pack.asset(assetId);
      return { assetId, slot, name: asset?.name ?? null, bankType: asset?.bankType ?? null };
    }),
  };
}

type Mutable<T> = { -readonly [key in keyof T]: T[key] };

function count<S extends Mutable<Share>>(
  shares: Map<string, S>,
  key: string,
  create: () => S,
  bytes: number,
  storedBytes: number,
): void {
  let share = shares.get(key);
  if (share === undefined) shares.set(key, (share = create()));
  share.assets++;
  share.bytes += bytes;
  share.storedBytes += storedBytes;
}

function byName<T>(shares: ReadonlyMap<string, T>): [string, T][] {
  return [...shares].sort(([left], [right]) => compareNames(left, right));
}

/** What lies at a byte of the file. */
export interface Place {
  readonly offset: number;
  readonly part: "prelude" | "header" | "header padding" | "slice" | "slice padding" | "signature";
  /** First byte, and number of bytes, of the innermost that is named here: a field, a value, a slice, padding. */
  readonly start: number;
  readonly length: number;
  /** Of prelude and signature: the field. */
  readonly field?: string;
  /** Of the header: JSON pointer of the value that the byte belongs to. */
  readonly pointer?: string;
  /** Of a slice: the assets that lie in it, by id. */
  readonly assets?: readonly { readonly id: number; readonly name: string; readonly bankType: string }[];
  /** Of the payload: which leaf of the tree hash covers the byte, counted from 0. */
  readonly leaf?: number;
}

/** Throws a PackError PACK-RANGE for an offset behind the end. */
export function placeIn(pack: Pack, offset: number): Place {
  const { headerLength, payloadOffset, payloadLength, fileLength } = pack.prelude;
  if (offset >= fileLength)
    throw new PackError("PACK-RANGE", `the pack has ${fileLength} bytes`, { file: pack.label, offset });
  if (offset < PRELUDE_BYTES) return fieldAt(offset, "prelude", 0, PRELUDE_FIELDS);
  if (offset < PRELUDE_BYTES + pack.headerJson.length) return valueAt(pack.headerJson, offset);
  if (offset < payloadOffset) {
    const length = headerLength - pack.headerJson.length;
    return { offset, part: "header padding", start: payloadOffset - length, length };
  }
  if (offset < payloadOffset + payloadLength) return sliceAt(pack, offset);
  return fieldAt(offset, "signature", payloadOffset + payloadLength, SIGNATURE_FIELDS);
}

/** By name, from the beginning of the part. */
interface Fields {
  readonly [name: string]: { readonly at: number; readonly size: number };
}

function fieldAt(offset: number, part: "prelude" | "signature", base: number, fields: Fields): Place {
  const [field, { at, size: length }] = Object.entries(fields).find(([, { at, size }]) => offset - base < at + size)!;
  return { offset, part, start: base + at, length, field };
}

function sliceAt(pack: Pack, offset: number): Place {
  const { payloadOffset } = pack.prelude;
  const position = offset - payloadOffset;
  const leaf = Math.floor(position / pack.header.leafSize);
  const inside: Asset[] = [];
  let before = 0;
  let after = Number.POSITIVE_INFINITY;
  for (const asset of pack.assets()) {
    if (asset.size === 0) continue;
    const end = asset.offset + asset.size;
    if (asset.offset > position) after = Math.min(after, asset.offset);
    else if (end > position) inside.push(asset);
    else before = Math.max(before, end);
  }
  const [first] = inside;
  if (first === undefined)
    return { offset, part: "slice padding", start: payloadOffset + before, length: after - before, leaf };
  const assets = inside.map(({ id, name, bankType }) => ({ id, name, bankType }));
  return { offset, part: "slice", start: payloadOffset + first.offset, length: first.size, assets, leaf };
}

/** The innermost value of the header, with its key, around a byte. */
function valueAt(json: Uint8Array, offset: number): Place {
  const { pointer, start, end } = new ValueFinder(json, offset - PRELUDE_BYTES).find("", 0)!;
  return { offset, part: "header", start: PRELUDE_BYTES + start, length: end - start, pointer };
}

interface Found {
  readonly pointer: string;
  readonly start: number;
  readonly end: number;
}

/** Goes through JSON that was checked before: canonical, without white space. */
class ValueFinder {
  readonly #json: Uint8Array;
  readonly #target: number;
  #at = 0;

  constructor(json: Uint8Array, target: number) {
    this.#json = json;
    this.#target = target;
  }

  /** Reads a value, whose key, if it has one, began at `start`; undefined when the byte is not in it. */
  find(pointer: string, start: number): Found | undefined {
    const found = this.#inside(pointer);
    if (found !== undefined) return found;
    const end = this.#at;
    return this.#target >= start && this.#target < end ? { pointer, start, end } : undefined;
  }

  /** The same for what is in the value. When the byte is not, the value is read whole. */
  #inside(pointer: string): Found | undefined {
    const open = this.#json[this.#at];
    if (open !== OPEN_OBJECT && open !== OPEN_ARRAY) {
      this.#skip();
      return undefined;
    }
    this.#at++;
    for (let index = 0; !this.#isAt(CLOSE_OBJECT) && !this.#isAt(CLOSE_ARRAY); index++) {
      if (this.#isAt(COMMA)) this.#at++;
      const start = this.#at;
      const step = open === OPEN_ARRAY ? index : this.#key();
      const found = this.find(pointer + pointerStep(step), start);
      if (found !== undefined) return found;
    }
    this.#at++;
    return undefined;
  }

  #isAt(byte: number): boolean {
    return this.#json[this.#at] === byte;
  }

  /** A key and the colon. */
  #key(): string {
    const start = this.#at;
    this.#skip();
    return JSON.parse(Buffer.from(this.#json.subarray(start, this.#at++)).toString());
  }

  /** A string, a number or a word. */
  #skip(): void {
    const json = this.#json;
    if (!this.#isAt(QUOTE)) {
      while (this.#at < json.length && ![COMMA, CLOSE_OBJECT, CLOSE_ARRAY].includes(json[this.#at]!)) this.#at++;
      return;
    }
    for (this.#at++; !this.#isAt(QUOTE); this.#at++) if (this.#isAt(BACKSLASH)) this.#at++;
    this.#at++;
  }
}
