/**
 * A second reader of `assets.pa`, written from the specification alone and sharing no code with the product: whole files in memory,
 * no care for speed. Where the two disagree, one of them or the specification is wrong.
 */
import { createHash, createPublicKey, verify as verifyEd25519 } from "node:crypto";
import { inflate } from "./inflate.ts";
import { unzstd } from "./unzstd.ts";

/** What is wrong, by the code that the specification gives it. */
export class Refused extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}

function refuse(code: string, message: string): never {
  throw new Refused(code, message);
}

export interface Entry {
  readonly asset_id: number;
  readonly asset_name: string;
  readonly bank_type: string;
  readonly codec: string;
  readonly offset: number;
  readonly size: number;
  readonly decoded_size: number;
  readonly digest: string;
  /** Canonical JSON. */
  readonly metadata: string;
}

export interface Place {
  readonly asset_id: number;
  readonly slot: number;
}

export interface Reading {
  readonly identity: string;
  readonly table: readonly Entry[];
  readonly preload: readonly Place[];
  /** Canonical JSON, both. */
  readonly metadata: string;
  readonly encoders: string;
  readonly patch: { readonly base: string; readonly removed: readonly number[] } | undefined;
  /** Decoded bytes of an asset, its digest checked. */
  data(entry: Entry): Uint8Array;
  /** What `verify` looks at beyond that: padding, root, every asset. */
  verify(): void;
  /** The signature's public key, the signature checked; undefined when there is none. */
  signer(): Uint8Array | undefined;
}

const SLOTS = 256;
const MiB = 2 ** 20;
const MAGIC = [0x89, 0x50, 0x41, 0x4b, 0x0d, 0x0a, 0x1a, 0x0a];

function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

/** CRC-32 of ISO 3309, a bit at a time. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

// ------------------------------------------------------------------------------------------------------ JSON

type Value = null | boolean | number | string | readonly Value[] | ReadonlyMap<string, Value>;

/** Of what is parsed at all; what metadata may have is checked where it is. */
const MOST_DEPTH = 500;

/** Parses, writes canonically, and takes the text only when it is the same: RFC 8785 has one text for each value. */
function parseCanonical(text: string): Value {
  let at = 0;
  const bad = (message: string): never => refuse("PACK-JSON", `${message} at ${at}`);
  const take = (literal: string): void => {
    if (!text.startsWith(literal, at)) bad(`no ${literal}`);
    at += literal.length;
  };
  const string = (): string => {
    const match = /"(?:[^"\\]|\\.)*"/sy;
    match.lastIndex = at;
    const found = match.exec(text)?.[0] ?? bad("no text");
    at += found.length;
    return found.slice(1, -1).replace(/\\(u[0-9a-f]{4}|.)/gs, (_, escaped: string) => {
      if (escaped.length === 5) return String.fromCharCode(Number.parseInt(escaped.slice(1), 16));
      const index = 'btnfr"\\'.indexOf(escaped);
      return index < 0 ? bad("an escape") : '\b\t\n\f\r"\\'[index]!;
    });
  };
  const value = (depth: number): Value => {
    if (depth > MOST_DEPTH) bad("too deep");
    const first = text[at];
    if (first === '"') return string();
    if (first === "{") {
      const members = new Map<string, Value>();
      for (take("{"); text[at] !== "}"; ) {
        if (members.size > 0) take(",");
        const key = string();
        if (members.has(key)) refuse("PACK-KEY", `${key} comes twice`);
        take(":");
        members.set(key, value(depth + 1));
      }
      take("}");
      return members;
    }
    if (first === "[") {
      const items: Value[] = [];
      for (take("["); text[at] !== "]"; ) {
        if (items.length > 0) take(",");
        items.push(value(depth + 1));
      }
      take("]");
      return items;
    }
    for (const [literal, meaning] of [
      ["null", null],
      ["true", true],
      ["false", false],
    ] as const) {
      if (text.startsWith(literal, at)) {
        take(literal);
        return meaning;
      }
    }
    const match = /-?\d+(\.\d+)?([eE][+-]?\d+)?/y;
    match.lastIndex = at;
    const found = match.exec(text)?.[0] ?? bad("no value");
    at += found.length;
    return Number(found);
  };
  const parsed = value(0);
  if (at !== text.length) bad("something behind the value");
  if (canonical(parsed) !== text) refuse("PACK-JSON", "not canonical");
  return parsed;
}

function canonical(value: Value): string {
  if (typeof value === "number") {
    if (!Number.isFinite(value)) refuse("PACK-JSON", "a number beyond all bounds");
    return `${value}`;
  }
  if (typeof value === "string") {
    let text = "";
    for (const symbol of value) {
      const code = symbol.codePointAt(0)!;
      if (code >= 0xd800 && code <= 0xdfff) refuse("PACK-JSON", "a lone surrogate");
      const short = '\b\t\n\f\r"\\'.indexOf(symbol);
      if (short >= 0) text += `\\${'btnfr"\\'[short]}`;
      else text += code < 0x20 ? `\\u${code.toString(16).padStart(4, "0")}` : symbol;
    }
    return `"${text}"`;
  }
  if (value instanceof Map) {
    const members = [...value].sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${members.map(([key, member]) => `${canonical(key)}:${canonical(member)}`).join(",")}}`;
  }
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  return `${value as null | boolean}`;
}

/** How deep arrays and objects lie in one another: 0 for what is neither. */
function depthOf(value: Value): number {
  const inner =
    value instanceof Map ? [...value.values()] : Array.isArray(value) ? (value as readonly Value[]) : undefined;
  return inner === undefined ? 0 : 1 + Math.max(0, ...inner.map(depthOf));
}

/** An object of any content, within the limits of metadata; its canonical text. */
function metadataOf(value: Value | undefined, where: string): string {
  if (!(value instanceof Map)) refuse("PACK-VALUE", `${where} is no object`);
  if (depthOf(value) > 32) refuse("PACK-JSON", `${where} is too deep`);
  const json = canonical(value);
  if (Buffer.byteLength(json) > 65_536) refuse("PACK-LIMIT", `${where} is too long`);
  return json;
}

/** The members of an object that has these keys and no others; those that end in `?` may be missing. */
function members(value: Value | undefined, where: string, keys: readonly string[]): ReadonlyMap<string, Value> {
  if (!(value instanceof Map)) refuse("PACK-VALUE", `${where} is no object`);
  const known = keys.map((key) => key.replace("?", ""));
  for (const key of value.keys()) if (!known.includes(key)) refuse("PACK-KEY", `${where} has ${key}`);
  for (const key of keys) if (!key.endsWith("?") && !value.has(key)) refuse("PACK-KEY", `${where} lacks ${key}`);
  return value;
}

function safe(value: Value | undefined, where: string): number {
  return integer(value, where, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
}

function list(value: Value | undefined, where: string): readonly Value[] {
  return Array.isArray(value) ? value : refuse("PACK-VALUE", `${where} is no array`);
}

function text(value: Value | undefined, where: string): string {
  return typeof value === "string" ? value : refuse("PACK-VALUE", `${where} is no text`);
}

function integer(value: Value | undefined, where: string, low: number, high: number, code = "PACK-VALUE"): number {
  const fits = typeof value === "number" && Number.isInteger(value) && value >= low && value <= high;
  return fits ? value : refuse(code, `${where} is no integer from ${low} to ${high}`);
}

// ---------------------------------------------------------------------------------------------------- the rest

const NUMBERS: { readonly [bankType: string]: number } = {
  tiles: 1,
  sprites: 2,
  sounds: 3,
  fonts: 4,
  palettes: 5,
  text: 6,
  data: 7,
  module: 8,
};

export function bankNumber(bankType: string): number {
  if (Object.hasOwn(NUMBERS, bankType)) return NUMBERS[bankType]!;
  const digest = sha256(Buffer.from(bankType));
  return (digest[0]! + digest[1]! * 2 ** 8 + digest[2]! * 2 ** 16 + (digest[3]! | 0x80) * 2 ** 24) >>> 0;
}

function checkName(name: string): void {
  const bytes = Buffer.byteLength(name);
  const bad = (why: string): never => refuse("PACK-ASSET-NAME", `${JSON.stringify(name)} ${why}`);
  if (bytes < 1 || bytes > 255) bad(`has ${bytes} bytes`);
  if (name.normalize("NFC") !== name) bad("is not NFC");
  for (const symbol of name) {
    const code = symbol.codePointAt(0)!;
    if (code < 0x20 || (code >= 0x7f && code < 0xa0) || symbol === "\\") bad("has a symbol that is not allowed");
  }
  if (/^[A-Za-z]:/.test(name)) bad("has a drive letter");
  for (const part of name.split("/")) if (part === "" || part === "." || part === "..") bad("has a bad component");
}

export function treeHash(payload: Uint8Array, leafSize: number): Uint8Array {
  let level: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < payload.length; at += leafSize)
    level.push(sha256(Uint8Array.of(0), payload.subarray(at, at + leafSize)));
  while (level.length > 1) {
    const above: Uint8Array[] = [];
    for (let k = 0; k < level.length; k += 2) {
      const right = level[k + 1];
      above.push(right === undefined ? level[k]! : sha256(Uint8Array.of(1), level[k]!, right));
    }
    level = above;
  }
  const sizes = Buffer.alloc(16);
  sizes.writeBigUInt64LE(BigInt(payload.length), 0);
  sizes.writeBigUInt64LE(BigInt(leafSize), 8);
  return sha256(Uint8Array.of(2), sizes, level[0]!);
}

function base32(bytes: Uint8Array): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  const groups = bits.match(/.{1,5}/g) ?? [];
  return groups.map((group) => "abcdefghijklmnopqrstuvwxyz234567"[Number.parseInt(group.padEnd(5, "0"), 2)]).join("");
}

/** `mi2:…:…` of two SHA-256. */
export function identityOf(headerDigest: Uint8Array, payloadRoot: Uint8Array): string {
  const name = (digest: Uint8Array): string => `b${base32(Uint8Array.of(0x12, 0x20, ...digest))}`;
  return `mi2:${name(headerDigest)}:${name(payloadRoot)}`;
}

const IDENTITY = /^mi2:bciq[a-z2-7]{52}:bciq[a-z2-7]{52}$/;

function readEntry(value: Value, index: number): Entry {
  const where = `asset_table/${index}`;
  const entry = members(value, where, [
    "asset_id",
    "asset_name",
    "bank_type",
    "codec",
    "decoded_size",
    "digest",
    "metadata",
    "offset",
    "size",
  ]);
  const size = integer(entry.get("size"), `${where}/size`, 0, Number.MAX_SAFE_INTEGER);
  const decoded = integer(entry.get("decoded_size"), `${where}/decoded_size`, 0, Number.MAX_SAFE_INTEGER);
  const codec = text(entry.get("codec"), `${where}/codec`);
  if (!["raw", "deflate", "zstd"].includes(codec)) refuse("PACK-CODEC", codec);
  if (codec === "raw" ? decoded !== size : size === 0 || decoded > 2048 * size || decoded > 1024 * MiB)
    refuse("PACK-DECODED-SIZE", `${decoded} of ${size}`);
  const name = text(entry.get("asset_name"), `${where}/asset_name`);
  checkName(name);
  const bankType = text(entry.get("bank_type"), `${where}/bank_type`);
  if (!/^[a-z][a-z0-9_-]{0,31}$/.test(bankType) || bankType.endsWith("\n")) refuse("PACK-BANK-TYPE", bankType);
  const digest = text(entry.get("digest"), `${where}/digest`);
  if (digest.length !== 64 || /[^0-9a-f]/.test(digest)) refuse("PACK-VALUE", `${where}/digest`);
  if (size === 0 && digest !== hex(sha256())) refuse("PACK-DIGEST", `${where}/digest`);
  return {
    asset_id: integer(entry.get("asset_id"), `${where}/asset_id`, -(2 ** 31), 2 ** 31 - 1, "PACK-ASSET-ID"),
    asset_name: name,
    bank_type: bankType,
    codec,
    offset: integer(entry.get("offset"), `${where}/offset`, 0, Number.MAX_SAFE_INTEGER),
    size,
    decoded_size: decoded,
    digest,
    metadata: metadataOf(entry.get("metadata"), `${where}/metadata`),
  };
}

function checkSlices(table: readonly Entry[], alignment: number, payloadLength: number): void {
  const slices = new Map<number, { size: number; digest: string; count: number }>();
  for (const { asset_id, offset, size, digest } of table) {
    if (size === 0) {
      if (offset !== 0) refuse("PACK-RANGE", `${asset_id} is empty but not at 0`);
      continue;
    }
    if (offset + size > payloadLength) refuse("PACK-RANGE", `${asset_id} leaves the payload`);
    if (offset % alignment !== 0) refuse("PACK-ALIGNMENT", `${asset_id} at ${offset}`);
    const slice = slices.get(offset);
    if (slice === undefined) slices.set(offset, { size, digest, count: 1 });
    else if (slice.size !== size || slice.digest !== digest || ++slice.count > 1024)
      refuse("PACK-OVERLAP", `${asset_id} at ${offset}`);
  }
  let end = 0;
  for (const [offset, { size }] of [...slices].sort(([a], [b]) => a - b)) {
    if (offset < end) refuse("PACK-OVERLAP", `a slice at ${offset}, another ends at ${end}`);
    if (offset - end >= alignment) refuse("PACK-HOLE", `from ${end} to ${offset}`);
    end = offset + size;
  }
  if (end !== payloadLength) refuse("PACK-HOLE", `from ${end} to the end`);
}

function checkNames(table: readonly Entry[]): void {
  const names = new Set<string>();
  for (const { asset_name } of table) {
    if (names.has(asset_name)) refuse("PACK-ASSET-NAME", `${asset_name} twice`);
    names.add(asset_name);
  }
}

function checkBanks(table: readonly Entry[]): void {
  const types = new Map<number, string>();
  for (const { bank_type } of table) {
    const number = bankNumber(bank_type);
    if ((types.get(number) ?? bank_type) !== bank_type)
      refuse("PACK-BANK-TYPE", `${bank_type} has the number of another`);
    types.set(number, bank_type);
  }
}

function checkTable(table: readonly Entry[]): void {
  for (const [index, { asset_id }] of table.entries())
    if (index > 0 && table[index - 1]!.asset_id >= asset_id) refuse("PACK-ASSET-ID", `${asset_id} is not above`);
  checkNames(table);
  checkBanks(table);
}

function checkPreload(preload: readonly Place[], table: readonly Entry[], slots: number): void {
  const banks = new Map(table.map(({ asset_id, bank_type }) => [asset_id, bank_type]));
  const filled = new Set<string>();
  for (const { asset_id, slot } of preload) {
    const bank = banks.get(asset_id);
    if (bank === undefined) refuse("PACK-PRELOAD-ID", `${asset_id}`);
    if (slot < 0 || slot >= slots) refuse("PACK-PRELOAD-SLOT", `${slot}`);
    const place = `${bank} ${slot}`;
    if (filled.has(place)) refuse("PACK-PRELOAD-CLASH", place);
    filled.add(place);
  }
}

/** Reads a whole file; what cannot be opened throws {@link Refused}. */
export function readPack(file: Uint8Array, slots = SLOTS): Reading {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const u64 = (at: number): number => {
    const value = view.getBigUint64(at, true);
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : refuse("PACK-PRELUDE", `a number at ${at}`);
  };
  if (file.length < 8 || (file.length < 128 && file[0] === 0x89)) refuse("PACK-LENGTH", "the prelude ends early");
  if (MAGIC.some((byte, k) => file[k] !== byte)) refuse("PACK-MAGIC", "the magic");
  if (view.getUint32(8, true) !== 1) refuse("PACK-VERSION", `${view.getUint32(8, true)}`);
  if (view.getUint32(124, true) !== crc32(file.subarray(0, 124))) refuse("PACK-PRELUDE", "the checksum");
  const required = view.getUint32(12, true);
  if (required > 1) refuse("PACK-FLAGS", `${required}`);
  if (file.subarray(116, 124).some((byte) => byte !== 0)) refuse("PACK-PRELUDE", "reserved bytes");
  const headerLength = view.getUint32(20, true);
  const payloadOffset = u64(24);
  const payloadLength = u64(32);
  const fileLength = u64(40);
  const signatureLength = view.getUint32(112, true);
  if (headerLength > 64 * MiB) refuse("PACK-HEADER-SIZE", `${headerLength}`);
  if (payloadOffset !== 128 + headerLength) refuse("PACK-PRELUDE", "the payload's offset");
  if (signatureLength !== 0 && signatureLength !== 112) refuse("PACK-PRELUDE", "the signature's length");
  if (BigInt(payloadOffset) + BigInt(payloadLength) + BigInt(signatureLength) !== BigInt(fileLength))
    refuse("PACK-PRELUDE", "the lengths");
  if (fileLength !== file.length) refuse("PACK-LENGTH", `${file.length} bytes, not ${fileLength}`);

  const header = file.subarray(128, payloadOffset);
  let jsonLength = header.length;
  while (jsonLength > 0 && header[jsonLength - 1] === 0x20) jsonLength--;
  const json = header.subarray(0, jsonLength);
  const headerDigest = file.subarray(48, 80);
  if (hex(sha256(json)) !== hex(headerDigest)) refuse("PACK-HEADER-DIGEST", "the header");
  let decoded: string;
  try {
    decoded = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(json);
  } catch {
    refuse("PACK-JSON", "not UTF-8");
  }
  const isPatch = required === 1;
  const top = members(parseCanonical(decoded), "the top", [
    "alignment",
    "asset_table",
    "data",
    "encoders",
    "metadata",
    ...(isPatch ? ["patch"] : []),
    "preload",
    "schema",
  ]);
  if (text(top.get("schema"), "schema") !== "ashlar.assets/1") refuse("PACK-VALUE", "schema");
  const alignment = integer(top.get("alignment"), "alignment", 1, 65_536);
  if ((alignment & (alignment - 1)) !== 0) refuse("PACK-VALUE", "alignment is no power of two");
  if (payloadOffset % alignment !== 0) refuse("PACK-ALIGNMENT", "the payload");
  const hashing = members(top.get("data"), "data", ["algorithm", "hash", "leaf_size"]);
  if (text(hashing.get("algorithm"), "data/algorithm") !== "ashlar-tree-1") refuse("PACK-VALUE", "data/algorithm");
  if (text(hashing.get("hash"), "data/hash") !== "sha2-256") refuse("PACK-VALUE", "data/hash");
  const leafSize = integer(hashing.get("leaf_size"), "data/leaf_size", 4096, 64 * MiB);
  if (!Number.isInteger(Math.log2(leafSize))) refuse("PACK-VALUE", "data/leaf_size is no power of two");
  const encoders = metadataOf(top.get("encoders"), "encoders");
  for (const [codec, encoder] of top.get("encoders") as ReadonlyMap<string, Value>)
    if (codec.length > 255 || text(encoder, `encoders/${codec}`).length > 255) refuse("PACK-VALUE", "encoders");
  const metadata = metadataOf(top.get("metadata"), "metadata");

  const table = list(top.get("asset_table"), "asset_table").map(readEntry);
  checkTable(table);
  checkSlices(table, alignment, payloadLength);
  const preload = list(top.get("preload"), "preload").map((value, index): Place => {
    const place = members(value, `preload/${index}`, ["asset_id", "slot"]);
    return {
      asset_id: safe(place.get("asset_id"), `preload/${index}/asset_id`),
      slot: safe(place.get("slot"), `preload/${index}/slot`),
    };
  });
  let patch: Reading["patch"];
  if (isPatch) {
    const of = members(top.get("patch"), "patch", ["base", "removed"]);
    const base = text(of.get("base"), "patch/base");
    if (!IDENTITY.test(base)) refuse("PACK-VALUE", "patch/base");
    const removed = list(of.get("removed"), "patch/removed").map((id) =>
      integer(id, "patch/removed", -(2 ** 31), 2 ** 31 - 1, "PACK-ASSET-ID"),
    );
    for (const [index, id] of removed.entries()) {
      if (index > 0 && removed[index - 1]! >= id) refuse("PACK-REMOVED", "they do not ascend");
      if (table.some(({ asset_id }) => asset_id === id)) refuse("PACK-REMOVED", `${id} is in the table`);
    }
    patch = { base, removed };
  } else checkPreload(preload, table, slots);

  const payload = file.subarray(payloadOffset, payloadOffset + payloadLength);
  const payloadRoot = file.subarray(80, 112);
  const data = ({ offset, size, codec, decoded_size, digest, asset_name }: Entry): Uint8Array => {
    const stored = payload.subarray(offset, offset + size);
    if (hex(sha256(stored)) !== digest) refuse("PACK-DIGEST", asset_name);
    if (codec === "raw") return stored;
    try {
      return (codec === "deflate" ? inflate : unzstd)(stored, decoded_size);
    } catch (error) {
      refuse("PACK-DECODE", `${asset_name}: ${(error as Error).message}`);
    }
  };
  const verify = (): void => {
    let end = 0;
    for (const { offset, size } of table.filter((entry) => entry.size > 0).sort((a, b) => a.offset - b.offset)) {
      if (payload.subarray(end, offset).some((byte) => byte !== 0)) refuse("PACK-PADDING", `before ${offset}`);
      end = Math.max(end, offset + size);
    }
    if (hex(treeHash(payload, leafSize)) !== hex(payloadRoot)) refuse("PACK-ROOT", "the payload");
    for (const entry of table) data(entry);
  };
  const signer = (): Uint8Array | undefined =>
    signatureLength > 0 ? signerOf(file.subarray(fileLength - 112), file.subarray(0, 128), json) : undefined;
  const identity = identityOf(headerDigest, payloadRoot);
  return { identity, table, preload, metadata, encoders, patch, data, verify, signer };
}

function signerOf(block: Uint8Array, prelude: Uint8Array, json: Uint8Array): Uint8Array {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  if (Buffer.from(block.subarray(0, 8)).toString("latin1") !== "PASIGN\r\n") refuse("PACK-SIGNATURE", "its magic");
  if (view.getUint32(8, true) !== 1 || view.getUint32(12, true) !== 0) refuse("PACK-SIGNATURE", "its algorithm");
  const key = createPublicKey({
    key: { kty: "OKP", crv: "Ed25519", x: Buffer.from(block.subarray(16, 48)).toString("base64url") },
    format: "jwk",
  });
  const message = Buffer.concat([Buffer.from("ashlar.assets/1 signature\n"), prelude, json]);
  if (!verifyEd25519(null, message, key, block.subarray(48))) refuse("PACK-SIGNATURE", "it is of something else");
  return block.slice(16, 48);
}

/** A base with patches over it, the lowest first. */
export function readStack(files: readonly Uint8Array[], slots = SLOTS) {
  const packs = files.map((file) => readPack(file, slots));
  const merged = new Map<number, { entry: Entry; pack: Reading }>();
  for (const [index, pack] of packs.entries()) {
    if ((index === 0) !== (pack.patch === undefined))
      refuse("PACK-BASE", "a patch lies over something, a base does not");
    if (pack.patch !== undefined) {
      if (pack.patch.base !== packs[index - 1]!.identity) refuse("PACK-BASE", "it is for another pack");
      for (const id of pack.patch.removed) if (!merged.delete(id)) refuse("PACK-REMOVED", `${id}`);
    }
    for (const entry of pack.table) merged.set(entry.asset_id, { entry, pack });
    checkNames([...merged.values()].map(({ entry }) => entry));
  }
  const top = packs.at(-1)!;
  const table = [...merged.values()].map(({ entry }) => entry).sort((a, b) => a.asset_id - b.asset_id);
  checkBanks(table);
  checkPreload(top.preload, table, slots);
  return {
    packs,
    identity: top.identity,
    preload: top.preload,
    table,
    data: (id: number): Uint8Array => {
      const { entry, pack } = merged.get(id)!;
      return pack.data(entry);
    },
  };
}
