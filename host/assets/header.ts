/**
 * The header of a pack (spec PACK-HEADER): read in one pass into columns, since a pack may have 100,000 assets of which a
 * guest reads a few. Every rule is checked before anything is used.
 */

import {
  CanonicalText,
  CLOSE_ARRAY,
  CLOSE_OBJECT,
  COMMA,
  OPEN_ARRAY,
  OPEN_OBJECT,
  textOf,
  unescaped,
} from "./canonical-text.ts";
import { type PackError, Problems } from "./errors.ts";
import {
  HASH_NAME,
  LEAST_LEAF_BYTES,
  MOST_ALIGNMENT,
  MOST_DECODED_BYTES,
  MOST_DECODED_RATIO,
  MOST_ENTRIES,
  MOST_LEAF_BYTES,
  MOST_METADATA_BYTES,
  MOST_NAME_BYTES,
  MOST_SHARES,
  PRELUDE_BYTES,
  SCHEMA,
  TREE_ALGORITHM,
} from "./format.ts";
import { IDENTITY } from "./identity.ts";
import { type JsonObject, parseCanonicalJson } from "./json.ts";
import { checkBankTypes, isBankType, nameProblem } from "./names.ts";

/** An asset, and the slot of its bank that a boot puts it into (spec PACK-PRELOAD). */
export interface Preload {
  readonly assetId: number;
  readonly slot: number;
}

/** What a patch says of the pack that it is for (spec PACK-PATCH-1). */
export interface Patch {
  /** Identity of the pack directly below. */
  readonly base: string;
  /** Ids of the assets that are gone, ascending. */
  readonly removed: readonly number[];
}

export interface PackHeader {
  /** In bytes; a power of two. */
  readonly alignment: number;
  /** Of the payload's tree hash, in bytes. */
  readonly leafSize: number;
  /** By codec, what encoded it. */
  readonly encoders: { readonly [codec: string]: string };
  readonly metadata: JsonObject;
  readonly patch: Patch | undefined;
  readonly preload: readonly Preload[];
}

/** The entries of `asset_table`, in columns; an index is an entry's place in it. */
export interface AssetTable {
  readonly length: number;
  readonly ids: Int32Array;
  readonly offsets: Float64Array;
  readonly sizes: Float64Array;
  readonly decodedSizes: Float64Array;
  /** Index of the asset with this id, or -1. */
  indexOf(id: number): number;
  /** Index of the asset with this name, or -1. */
  indexOfName(name: string): number;
  name(index: number): string;
  bankType(index: number): string;
  codec(index: number): string;
  /** SHA-256 of the stored bytes, in hexadecimal. */
  digest(index: number): string;
  /** Canonical JSON. */
  metadata(index: number): Uint8Array;
  /** The assets with bytes by offset, then size, then id. */
  order(): Uint32Array;
}

export interface HeaderOptions {
  readonly file: string | undefined;
  readonly payloadOffset: number;
  readonly payloadLength: number;
  /** The prelude's flag. */
  readonly isPatch: boolean;
  isCodec(name: string): boolean;
}

/** The header without its padding. */
export function headerText(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0x20) end--;
  return bytes.subarray(0, end);
}

/** Reads `json`, which is well-formed UTF-8. Throws a PackError with everything that is wrong. */
export function parseHeader(json: Uint8Array, options: HeaderOptions): { header: PackHeader; table: AssetTable } {
  const parser = new HeaderParser(json, options);
  return parser.parse();
}

const literal = (text: string): Uint8Array => Buffer.from(text);

/** Keys of an entry, in their order, with what stands before and behind them. */
const ENTRY_KEYS = [
  "asset_id",
  "asset_name",
  "bank_type",
  "codec",
  "decoded_size",
  "digest",
  "metadata",
  "offset",
  "size",
] as const;
const [ID, NAME, BANK_TYPE, CODEC, DECODED_SIZE, DIGEST, METADATA, OFFSET, SIZE] = keyLiterals(ENTRY_KEYS);

interface Key {
  readonly name: string;
  /** As it stands in canonical JSON, with the brace or comma before it. */
  readonly bytes: Uint8Array;
}

function keyLiterals<const Names extends readonly string[]>(names: Names): { [K in keyof Names]: Key } {
  return names.map((name, k) => ({ name, bytes: literal(`${k === 0 ? "{" : ","}"${name}":`) })) as {
    [K in keyof Names]: Key;
  };
}

/** `patch` stands in patches only. */
const HEADER_KEYS = keyLiterals([
  "alignment",
  "asset_table",
  "data",
  "encoders",
  "metadata",
  "patch",
  "preload",
  "schema",
]);
const DATA_KEYS = keyLiterals(["algorithm", "hash", "leaf_size"]);
const PATCH_KEYS = keyLiterals(["base", "removed"]);
const PRELOAD_KEYS = keyLiterals(["asset_id", "slot"]);

const EMPTY_OBJECT = literal("{}");
/** SHA-256 of no bytes. */
const EMPTY_DIGEST = literal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");

/** By byte: 1 for a digit. */
const HEX_CLASS: Uint8Array = new Uint8Array(256);
for (const character of "0123456789abcdef") HEX_CLASS[character.charCodeAt(0)] = 1;

/** By byte: 1 for what a plain name is made of, 2 for the slash; other bytes are looked at closely. */
const NAME_CLASS: Uint8Array = new Uint8Array(256);
for (const character of "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+ ()@,#=~")
  NAME_CLASS[character.charCodeAt(0)] = 1;
NAME_CLASS[0x2f] = 2;

class HeaderParser {
  readonly #text: CanonicalText;
  readonly #problems: Problems;
  readonly #options: HeaderOptions;
  #alignment = 1;

  constructor(json: Uint8Array, options: HeaderOptions) {
    this.#options = options;
    this.#problems = new Problems(options.file);
    this.#text = new CanonicalText(json, this.#problems, PRELUDE_BYTES);
  }

  parse(): { header: PackHeader; table: AssetTable } {
    const text = this.#text;
    const [alignmentKey, tableKey, dataKey, encodersKey, metadataKey, patchKey, preloadKey, schemaKey] = HEADER_KEYS;
    this.#key(alignmentKey, "");
    this.#alignment = this.#powerOfTwo("/alignment", 1, MOST_ALIGNMENT);
    const { payloadOffset } = this.#options;
    if (payloadOffset % this.#alignment !== 0)
      this.#text.add("PACK-ALIGNMENT", `the payload's offset, ${payloadOffset}, is no multiple of it`, "/alignment");
    this.#key(tableKey, "");
    const table = this.#table();
    this.#key(dataKey, "");
    const leafSize = this.#data();
    this.#key(encodersKey, "");
    const encoders = this.#encoders();
    this.#key(metadataKey, "");
    const metadata = this.#metadata("/metadata");
    const patch = this.#options.isPatch ? this.#patch(patchKey, table) : undefined;
    this.#key(preloadKey, "");
    const preload = this.#preload();
    this.#key(schemaKey, "");
    this.#constant(SCHEMA, "/schema");
    this.#close("");
    if (text.at < text.bytes.length) text.unexpected("the end, and spaces only", "");
    table.checkSlices(this.#problems, this.#options.payloadLength, this.#alignment);
    this.#problems.check();
    const header = { alignment: this.#alignment, leafSize, encoders, metadata, patch, preload };
    return { header, table };
  }

  /** The one key that can come here. */
  #key(key: Key, pointer: string): void {
    const text = this.#text;
    if (text.takes(key.bytes)) return;
    const isFirst = key.bytes[0] === OPEN_OBJECT;
    const start = text.at;
    if (isFirst && text.peek() !== OPEN_OBJECT) this.#typed("an object", pointer);
    if (text.peek() === CLOSE_OBJECT) text.fail("PACK-KEY", `the key "${key.name}" is missing`, pointer);
    text.byte(isFirst ? OPEN_OBJECT : COMMA, pointer);
    if (text.peek() === CLOSE_OBJECT && isFirst)
      text.fail("PACK-KEY", `the key "${key.name}" is missing`, pointer, start);
    text.string(pointer);
    const found = JSON.stringify(text.text().slice(0, 80));
    text.fail("PACK-KEY", `expected the key "${key.name}", found ${found}`, pointer, start + 1);
  }

  #close(pointer: string): void {
    const text = this.#text;
    if (text.peek() === COMMA) {
      text.at++;
      text.string(pointer);
      text.fail("PACK-KEY", `the key ${JSON.stringify(text.text().slice(0, 80))} is unknown, or comes twice`, pointer);
    }
    text.byte(CLOSE_OBJECT, pointer);
  }

  /** A value of another type than `wanted` comes next, or none. */
  #typed(wanted: string, pointer: string): never {
    const text = this.#text;
    const start = text.at;
    text.value(pointer);
    return text.fail("PACK-VALUE", `expected ${wanted}`, pointer, start);
  }

  #powerOfTwo(pointer: string, least: number, most: number): number {
    const at = this.#text.at;
    const value = this.#text.integer(pointer);
    if (value >= least && value <= most && Number.isInteger(Math.log2(value))) return value;
    return this.#text.fail("PACK-VALUE", `expected a power of two from ${least} to ${most}`, pointer, at);
  }

  #constant(wanted: string, pointer: string): void {
    const text = this.#text;
    const at = text.at;
    text.string(pointer);
    if (text.text() !== wanted) text.fail("PACK-VALUE", `expected ${JSON.stringify(wanted)}`, pointer, at);
  }

  /** Calls `item` for each element of an array. */
  #array(pointer: string, most: number, item: (index: number) => void): number {
    const text = this.#text;
    if (text.peek() !== OPEN_ARRAY) this.#typed("an array", pointer);
    text.at++;
    let count = 0;
    while (text.peek() !== CLOSE_ARRAY) {
      if (count === most) text.fail("PACK-LIMIT", `more than ${most} elements`, pointer);
      if (count > 0) text.byte(COMMA, pointer);
      item(count++);
      if (text.peek() !== COMMA && text.peek() !== CLOSE_ARRAY) text.unexpected('"," or "]"', pointer);
    }
    text.at++;
    return count;
  }

  #table(): Columns {
    const table = new Columns(this.#text.bytes);
    const banks = new Interned();
    const codecs = new Interned();
    let before = Number.NEGATIVE_INFINITY;
    this.#array("/asset_table", MOST_ENTRIES, (index) => {
      before = this.#entry(table, index, banks, codecs, before);
    });
    this.#text.row = -1;
    table.close(banks.names, codecs.names);
    checkBankTypes(banks.names, this.#problems, { pointer: "/asset_table" });
    return table;
  }

  /** Answers the id. */
  #entry(table: Columns, index: number, banks: Interned, codecs: Interned, before: number): number {
    const text = this.#text;
    const { bytes } = text;
    text.row = index;
    table.length = index + 1;

    this.#key(ID, "");
    const idAt = text.at;
    const id = text.integer("/asset_id");
    const isId = id === (id | 0);
    if (!isId) text.add("PACK-ASSET-ID", `${id} is no signed 32-bit integer`, "/asset_id", idAt);
    else if (id <= before) {
      const what = id === before ? "comes twice" : `stands behind ${before}: ids ascend`;
      text.add("PACK-ASSET-ID", `the asset id ${id} ${what}`, "/asset_id", idAt);
    }
    table.ids[index] = id;

    this.#key(NAME, "");
    text.string("/asset_name");
    this.#name(table, index);

    this.#key(BANK_TYPE, "");
    text.string("/bank_type");
    const bank = banks.indexOf(text);
    if (banks.isNew && !isBankType(banks.names[bank]!))
      text.add("PACK-BANK-TYPE", `${quoted(text.text())} is no bank type: ${BANK_TYPE_FORM}`, "/bank_type", text.start);
    table.banks[index] = bank;

    this.#key(CODEC, "");
    text.string("/codec");
    const codec = codecs.indexOf(text);
    if (codecs.isNew && !this.#options.isCodec(codecs.names[codec]!))
      text.add("PACK-CODEC", `the codec ${quoted(text.text())} is unknown`, "/codec", text.start);
    const isRaw = codecs.names[codec] === "raw";
    table.codecs[index] = codec;

    this.#key(DECODED_SIZE, "");
    const decodedSize = this.#size("/decoded_size");
    this.#key(DIGEST, "");
    text.string("/digest");
    const digest = text.start;
    if (!isHex(bytes, digest, text.end))
      text.add("PACK-VALUE", "expected 64 digits in lower-case hexadecimal", "/digest", digest);
    table.digests[index] = digest;

    this.#key(METADATA, "");
    const metadataAt = text.at;
    if (!text.takes(EMPTY_OBJECT)) {
      if (text.peek() !== OPEN_OBJECT) this.#typed("an object", "/metadata");
      text.object("/metadata", MOST_METADATA_BYTES);
    }
    table.metadataStarts[index] = metadataAt;
    table.metadataEnds[index] = text.at;

    this.#key(OFFSET, "");
    const offsetAt = text.at;
    const offset = this.#size("/offset");
    this.#key(SIZE, "");
    const size = this.#size("/size");
    this.#close("");
    table.offsets[index] = offset;
    table.sizes[index] = size;
    table.decodedSizes[index] = decodedSize;

    if (size > this.#options.payloadLength || offset > this.#options.payloadLength - size) {
      text.add("PACK-RANGE", `the slice [${offset}, ${offset} + ${size}) leaves the payload`, "/offset", offsetAt);
      table.broken.add(index);
    } else if (size === 0) {
      if (offset !== 0) text.add("PACK-RANGE", "what has no bytes is at offset 0", "/offset", offsetAt);
      if (!areEqual(bytes, digest, EMPTY_DIGEST, 0, EMPTY_DIGEST.length))
        text.add("PACK-DIGEST", "this is not the digest of no bytes", "/digest", digest);
    } else if (offset % this.#alignment !== 0)
      text.add("PACK-ALIGNMENT", `the offset ${offset} is no multiple of ${this.#alignment}`, "/offset", offsetAt);
    if (isRaw || size === 0) {
      if (decodedSize !== size || !isRaw)
        text.add(
          "PACK-DECODED-SIZE",
          `what is raw, or has no bytes, is raw and decodes to ${size} bytes`,
          "/decoded_size",
        );
    } else if (decodedSize > MOST_DECODED_BYTES || decodedSize > size * MOST_DECODED_RATIO) {
      const most = Math.min(MOST_DECODED_BYTES, size * MOST_DECODED_RATIO);
      text.add("PACK-DECODED-SIZE", `${size} bytes decode to at most ${most}, not ${decodedSize}`, "/decoded_size");
    }
    return isId ? id : before;
  }

  #size(pointer: string): number {
    const at = this.#text.at;
    const value = this.#text.integer(pointer);
    if (value < 0) this.#text.fail("PACK-VALUE", "expected a size or an offset, which are not negative", pointer, at);
    return value;
  }

  /** Checks the name that was just read, and that it is the only one. */
  #name(table: Columns, row: number): void {
    const text = this.#text;
    const { start, end } = text;
    if (!isPlainName(text.bytes, start, end)) {
      const problem = nameProblem(text.text());
      if (problem !== undefined) text.add("PACK-ASSET-NAME", problem, "/asset_name", start);
    }
    table.nameStarts[row] = start;
    table.nameEnds[row] = end;
    if (!table.addName(row))
      text.add("PACK-ASSET-NAME", `the name ${quoted(text.text())} comes twice`, "/asset_name", start);
  }

  #data(): number {
    const [algorithm, hash, leaf] = DATA_KEYS;
    this.#key(algorithm, "/data");
    this.#constant(TREE_ALGORITHM, "/data/algorithm");
    this.#key(hash, "/data");
    this.#constant(HASH_NAME, "/data/hash");
    this.#key(leaf, "/data");
    const leafSize = this.#powerOfTwo("/data/leaf_size", LEAST_LEAF_BYTES, MOST_LEAF_BYTES);
    this.#close("/data");
    return leafSize;
  }

  #encoders(): { readonly [codec: string]: string } {
    const at = this.#text.at;
    const encoders = this.#metadata("/encoders");
    for (const [codec, encoder] of Object.entries(encoders))
      if (typeof encoder !== "string" || encoder.length > MOST_NAME_BYTES || codec.length > MOST_NAME_BYTES)
        this.#text.add(
          "PACK-VALUE",
          "expected the name and version of an encoder",
          `/encoders/${codec.slice(0, 80)}`,
          at,
        );
    return encoders as { readonly [codec: string]: string };
  }

  #metadata(pointer: string): JsonObject {
    const text = this.#text;
    const start = text.at;
    if (text.peek() !== OPEN_OBJECT) this.#typed("an object", pointer);
    text.object(pointer, MOST_METADATA_BYTES);
    return parseCanonicalJson(textOf(text.bytes, start, text.at)) as JsonObject;
  }

  #patch(key: Key, table: AssetTable): Patch {
    const text = this.#text;
    this.#key(key, "");
    const [baseKey, removedKey] = PATCH_KEYS;
    this.#key(baseKey, "/patch");
    const baseAt = text.at;
    text.string("/patch/base");
    const base = text.text();
    if (!IDENTITY.test(base)) this.#text.add("PACK-VALUE", "expected the identity of a pack", "/patch/base", baseAt);
    this.#key(removedKey, "/patch");
    const removed: number[] = [];
    this.#array("/patch/removed", MOST_ENTRIES, (index) => {
      const at = text.at;
      const pointer = `/patch/removed/${index}`;
      const id = text.integer(pointer);
      if (id !== (id | 0)) this.#text.add("PACK-ASSET-ID", `${id} is no signed 32-bit integer`, pointer, at);
      else if (id <= (removed.at(-1) ?? Number.NEGATIVE_INFINITY))
        this.#text.add("PACK-REMOVED", `the id ${id} comes twice, or ids do not ascend`, pointer, at);
      else if (table.indexOf(id) >= 0) this.#text.add("PACK-REMOVED", `the asset ${id} is in the table`, pointer, at);
      removed.push(id);
    });
    this.#close("/patch");
    return { base, removed };
  }

  /** Ids, slots and clashes are checked where the whole table is known: `preload.ts`. */
  #preload(): Preload[] {
    const text = this.#text;
    const preload: Preload[] = [];
    this.#array("/preload", MOST_ENTRIES, (index) => {
      const pointer = `/preload/${index}`;
      const [assetKey, slotKey] = PRELOAD_KEYS;
      this.#key(assetKey, pointer);
      const assetId = text.integer(`${pointer}/asset_id`);
      this.#key(slotKey, pointer);
      const slot = text.integer(`${pointer}/slot`);
      this.#close(pointer);
      preload.push({ assetId, slot });
    });
    return preload;
  }
}

const BANK_TYPE_FORM = "1 to 32 of a to z, 0 to 9, _ and -, of which the first is a letter";

function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

/** True for a name that needs no closer look: most. */
function isPlainName(bytes: Uint8Array, start: number, end: number): boolean {
  if (end === start || end - start > MOST_NAME_BYTES) return false;
  let part = start;
  let isPlain = false;
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!;
    const kind = NAME_CLASS[byte]!;
    if (kind === 1) isPlain = true;
    else if (kind === 2) {
      if (!isPlain || at === part) return false;
      part = at + 1;
      isPlain = false;
    }
    // A part of dots alone is what must not be.
    else if (byte !== 0x2e) return false;
  }
  return isPlain;
}

function isHex(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== 64) return false;
  let all = 1;
  for (let at = start; at < end; at++) all &= HEX_CLASS[bytes[at]!]!;
  return all === 1;
}

/** Whether `length` bytes from these places on are the same. */
function areEqual(left: Uint8Array, at: number, right: Uint8Array, from: number, length: number): boolean {
  for (let k = 0; k < length; k++) if (left[at + k] !== right[from + k]) return false;
  return true;
}

/** Few texts, of which each comes often. */
class Interned {
  readonly names: string[] = [];
  /** Of what was asked for last: it was not there. */
  isNew = false;
  readonly #places: { readonly start: number; readonly end: number }[] = [];
  readonly #indices = new Map<string, number>();

  /** Index of the string that was read last. */
  indexOf(text: CanonicalText): number {
    const { bytes, start, end } = text;
    this.isNew = false;
    for (let k = 0; k < this.#places.length; k++) {
      const place = this.#places[k]!;
      if (place.end - place.start === end - start && areEqual(bytes, place.start, bytes, start, end - start)) return k;
    }
    const name = text.text();
    const known = this.#indices.get(name);
    if (known !== undefined) return known;
    this.isNew = true;
    this.#indices.set(name, this.names.length);
    // Beyond these the map is faster.
    if (this.names.length < 16) this.#places.push({ start, end });
    return this.names.push(name) - 1;
  }
}

/**
 * By byte: what hashes of names are made of. Nobody can make names that fall together without knowing all of it; of a random number that
 * hashes began with, eight bits were enough.
 */
const WORDS: Int32Array = Int32Array.from({ length: 256 }, () => Math.floor(Math.random() * 2 ** 32));

/** Length of the shortest text that is read as an entry, if only to be refused, and of the comma behind it. */
const LEAST_ENTRY_BYTES = 120;

/** The columns, as long as a table in so many bytes can be. */
class Columns implements AssetTable {
  length = 0;
  readonly ids: Int32Array;
  readonly offsets: Float64Array;
  readonly sizes: Float64Array;
  readonly decodedSizes: Float64Array;
  readonly banks: Uint32Array;
  readonly codecs: Uint32Array;
  /** Places in the header. */
  readonly nameStarts: Uint32Array;
  readonly nameEnds: Uint32Array;
  readonly digests: Uint32Array;
  readonly metadataStarts: Uint32Array;
  readonly metadataEnds: Uint32Array;
  /** Rows whose slice is not in the payload. */
  readonly broken = new Set<number>();
  #bankTypes: readonly string[] = [];
  #codecNames: readonly string[] = [];
  readonly #bytes: Uint8Array;
  /** Rows plus one, by the hash of the name; at least half of it is empty. */
  readonly #names: Uint32Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    const most = Math.ceil(bytes.length / LEAST_ENTRY_BYTES);
    this.ids = new Int32Array(most);
    this.offsets = new Float64Array(most);
    this.sizes = new Float64Array(most);
    this.decodedSizes = new Float64Array(most);
    this.banks = new Uint32Array(most);
    this.codecs = new Uint32Array(most);
    this.nameStarts = new Uint32Array(most);
    this.nameEnds = new Uint32Array(most);
    this.digests = new Uint32Array(most);
    this.metadataStarts = new Uint32Array(most);
    this.metadataEnds = new Uint32Array(most);
    this.#names = new Uint32Array(2 ** Math.ceil(Math.log2(2 * most)));
  }

  close(bankTypes: readonly string[], codecNames: readonly string[]): void {
    this.#bankTypes = bankTypes;
    this.#codecNames = codecNames;
  }

  /** False when an earlier row has the name. */
  addName(row: number): boolean {
    const found = this.#find(this.#bytes, this.nameStarts[row]!, this.nameEnds[row]!);
    if (found >= 0) return false;
    this.#names[~found] = row + 1;
    return true;
  }

  /** The row with the name in `bytes[start, end)`, or the complement of its place in the table. */
  #find(bytes: Uint8Array, start: number, end: number): number {
    let hash = end - start;
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ WORDS[bytes[at]!]!, 0x0100_0193);
    const names = this.#names;
    const mask = names.length - 1;
    for (let place = (hash ^ (hash >>> 15)) & mask; ; place = (place + 1) & mask) {
      const row = names[place]! - 1;
      if (row < 0) return ~place;
      if (this.#hasName(row, bytes, start, end)) return row;
    }
  }

  #hasName(row: number, bytes: Uint8Array, start: number, end: number): boolean {
    const from = this.nameStarts[row]!;
    return this.nameEnds[row]! - from === end - start && areEqual(this.#bytes, from, bytes, start, end - start);
  }

  indexOf(id: number): number {
    let low = 0;
    let high = this.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const found = this.ids[middle]!;
      if (found === id) return middle;
      if (found < id) low = middle + 1;
      else high = middle - 1;
    }
    return -1;
  }

  indexOfName(name: string): number {
    // As the header has it.
    const wanted = Buffer.from(JSON.stringify(name).slice(1, -1));
    return Math.max(this.#find(wanted, 0, wanted.length), -1);
  }

  name(index: number): string {
    return unescaped(this.#bytes, this.nameStarts[index]!, this.nameEnds[index]!);
  }
  bankType(index: number): string {
    return this.#bankTypes[this.banks[index]!]!;
  }
  codec(index: number): string {
    return this.#codecNames[this.codecs[index]!]!;
  }
  digest(index: number): string {
    const start = this.digests[index]!;
    return textOf(this.#bytes, start, start + 64);
  }
  metadata(index: number): Uint8Array {
    return this.#bytes.subarray(this.metadataStarts[index]!, this.metadataEnds[index]!);
  }

  /** How slices lie to one another and in the payload (spec PACK-SLICE). */
  checkSlices(problems: Problems, payloadLength: number, alignment: number): void {
    const order = this.order();
    const { offsets, sizes, ids } = this;
    let end = 0;
    let shares = 0;
    let before = -1;
    const add = (code: PackError["code"], row: number, message: string): void =>
      problems.add(code, message, { pointer: `/asset_table/${row}/offset` });
    for (const row of order) {
      const offset = offsets[row]!;
      const size = sizes[row]!;
      if (before >= 0 && offset === offsets[before] && size === sizes[before]) {
        if (!areEqual(this.#bytes, this.digests[row]!, this.#bytes, this.digests[before]!, 64))
          add("PACK-OVERLAP", row, `shares its slice with asset ${ids[before]}, and has another digest`);
        if (++shares > MOST_SHARES) add("PACK-OVERLAP", row, `more than ${MOST_SHARES} assets share a slice`);
        continue;
      }
      if (offset < end) add("PACK-OVERLAP", row, `overlaps the slice of asset ${ids[before]}`);
      else if (offset !== alignUp(end, alignment))
        add("PACK-HOLE", row, `begins at ${offset}, and what lies before it ends at ${end}`);
      end = Math.max(end, offset + size);
      shares = 1;
      before = row;
    }
    if (end !== payloadLength && this.broken.size === 0)
      problems.add("PACK-HOLE", `the payload has ${payloadLength} bytes, and its last slice ends at ${end}`, {
        pointer: "/asset_table",
      });
  }

  order(): Uint32Array {
    const rows = new Uint32Array(this.length);
    let count = 0;
    let isSorted = true;
    let last = -1;
    const { offsets, sizes, broken } = this;
    for (let row = 0; row < this.length; row++) {
      if (sizes[row] === 0 || (broken.size > 0 && broken.has(row))) continue;
      isSorted &&= offsets[row]! >= last;
      last = offsets[row]!;
      rows[count++] = row;
    }
    const order = rows.subarray(0, count);
    return isSorted ? order : order.sort((a, b) => offsets[a]! - offsets[b]! || sizes[a]! - sizes[b]! || a - b);
  }
}

export function alignUp(value: number, alignment: number): number {
  const over = value % alignment;
  return over === 0 ? value : value + alignment - over;
}
