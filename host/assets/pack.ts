/**
 * A pack, opened: its prelude and header are in memory, and the payload stays where it is (spec PACK-OPEN). Assets are read
 * from there when they are asked for.
 */
import { isUtf8 } from "node:buffer";
import { CODECS, type Codec, decodeWith } from "./codecs.ts";
import { PackError, Problems } from "./errors.ts";
import { Flag, MOST_HEADER_BYTES, PRELUDE_BYTES } from "./format.ts";
import { digestOf, equalBytes, hex, sha256 } from "./hash.ts";
import { type AssetTable, headerText, type PackHeader, type Preload, parseHeader } from "./header.ts";
import { identityOf } from "./identity.ts";
import { bankNumber } from "./names.ts";
import { checkPreload, type Slots } from "./preload.ts";
import { decodePrelude, type Prelude } from "./prelude.ts";
import { openSource, type PackReader, type PackSource, readFully } from "./source.ts";
import { TreeHash } from "./tree-hash.ts";

export interface PackOptions {
  /**
   * When stored bytes are held against their digest: at the first read of each asset (the default), at the first of each
   * time that it is opened, or never.
   */
  readonly verify?: "first" | "always" | "never";
  /** Codecs beside those of the format. */
  readonly codecs?: readonly Codec[];
  /** Most bytes, stored or decoded, of an asset that is not `raw`: 256 MiB. */
  readonly decodedBytes?: number;
  /** Most bytes of the header; the format's limit is 64 MiB. */
  readonly headerBytes?: number;
  readonly slots?: Slots;
  /** Names the source in errors; the path of a file by default. */
  readonly label?: string;
}

export const DEFAULT_DECODED_BYTES: number = 256 * 1024 * 1024;

/** Assets under one identity: of a pack, or of a pack and patches. */
export interface AssetSet {
  /** Of the topmost pack. */
  readonly identity: string;
  /** Number of assets. */
  readonly length: number;
  readonly preload: readonly Preload[];
  /** From the lowest to the topmost. */
  readonly packs: readonly Pack[];
  asset(id: number): Asset | undefined;
  assetNamed(name: string): Asset | undefined;
  /** By ascending id. */
  assets(): Iterable<Asset>;
  /** Closes the files; assets cannot be read any more. */
  close(): void;
}

/** An asset, as the header tells of it. */
export class Asset {
  readonly pack: Pack;
  /** Place in its pack's table. */
  readonly index: number;

  constructor(pack: Pack, index: number) {
    this.pack = pack;
    this.index = index;
  }
  get id(): number {
    return this.pack.table.ids[this.index]!;
  }
  get name(): string {
    return this.pack.table.name(this.index);
  }
  get bankType(): string {
    return this.pack.table.bankType(this.index);
  }
  /** By which guests tell the bank type (spec PACK-BANK-2). */
  get bankNumber(): number {
    return bankNumber(this.bankType);
  }
  get codec(): string {
    return this.pack.table.codec(this.index);
  }
  /** In bytes, from the payload's beginning. */
  get offset(): number {
    return this.pack.table.offsets[this.index]!;
  }
  /** Of what is stored, in bytes. */
  get size(): number {
    return this.pack.table.sizes[this.index]!;
  }
  get decodedSize(): number {
    return this.pack.table.decodedSizes[this.index]!;
  }
  /** SHA-256 of what is stored, in hexadecimal. */
  get digest(): string {
    return this.pack.table.digest(this.index);
  }
  /** Canonical JSON; good while the pack is. */
  get metadata(): Uint8Array {
    return this.pack.table.metadata(this.index);
  }
  /** Stored bytes from `offset` on, as they are; fewer than `into` holds only at the end. Throws a PackError. */
  readStored(offset: number, into: Uint8Array): number {
    return this.pack.readStored(this.index, offset, into);
  }
  open(): OpenAsset {
    return new OpenAsset(this);
  }
  /** The decoded bytes in order; each piece is good until the next. Throws a PackError. */
  *pieces(): Generator<Uint8Array> {
    const { decodedSize } = this;
    const open = this.open();
    try {
      open.load();
      const piece = new Uint8Array(Math.min(PIECE_BYTES, decodedSize));
      for (let at = 0; at < decodedSize; at += piece.length) yield piece.subarray(0, open.read(at, piece));
    } finally {
      open.close();
    }
  }
}

/** The decoded bytes of an asset. Raw ones are read where they lie; others are decoded whole, once for all that have them open. */
export class OpenAsset {
  readonly asset: Asset;
  readonly #pack: Pack;
  readonly #index: number;
  readonly #size: number;
  #isLoaded = false;
  #decoded: Uint8Array | undefined;

  constructor(asset: Asset) {
    this.asset = asset;
    this.#pack = asset.pack;
    this.#index = asset.index;
    this.#size = asset.decodedSize;
  }

  /** Verifies as the pack's policy says, and decodes; the first read does it otherwise. Throws a PackError. */
  load(): void {
    if (this.#isLoaded) return;
    this.#decoded = this.#pack.load(this.#index);
    this.#isLoaded = true;
  }

  /** Fills `into` from `offset` on; fewer bytes only at the end. Throws a PackError. */
  read(offset: number, into: Uint8Array): number {
    if (!this.#isLoaded) this.load();
    if (this.#decoded === undefined) return this.#pack.readStored(this.#index, offset, into);
    checkOffset(offset);
    if (offset >= this.#size) return 0;
    const found = this.#decoded.subarray(offset, offset + into.length);
    into.set(found);
    return found.length;
  }

  close(): void {
    if (this.#decoded !== undefined) this.#pack.release(this.#index);
    this.#decoded = undefined;
    this.#isLoaded = false;
  }
}

/** Node.js would take a negative position for "where the last read ended". */
function checkOffset(offset: number): void {
  if (!Number.isSafeInteger(offset) || offset < 0) throw new RangeError(`there is no offset ${offset}`);
}

/** Bytes that are read at once where a whole asset or payload goes by. */
const PIECE_BYTES = 1024 * 1024;

interface Decoded {
  readonly bytes: Uint8Array;
  users: number;
}

/** {@link openPack} makes it. */
export class Pack implements AssetSet {
  readonly label: string | undefined;
  readonly prelude: Prelude;
  readonly header: PackHeader;
  readonly table: AssetTable;
  readonly identity: string;
  /** The header without its padding. */
  readonly headerJson: Uint8Array;
  readonly packs: readonly Pack[];
  readonly #reader: PackReader;
  readonly #options: PackOptions;
  readonly #codecs: ReadonlyMap<string, Codec>;
  readonly #payloadOffset: number;
  readonly #decoded = new Map<number, Decoded>();
  /** What does not decode never will; and Node.js keeps memory of each attempt for as long as this thread runs. */
  readonly #broken = new Map<number, PackError>();
  /** By asset: 1 where stored bytes were what their digest says. */
  readonly #verified: Uint8Array;
  #isClosed = false;

  constructor(reader: PackReader, options: PackOptions, label: string | undefined) {
    this.#reader = reader;
    this.#options = options;
    this.label = label;
    this.packs = [this];
    this.#codecs = new Map([...CODECS, ...(options.codecs ?? [])].map((codec) => [codec.name, codec]));
    this.prelude = this.#readPrelude();
    this.#payloadOffset = this.prelude.payloadOffset;
    this.headerJson = this.#readHeader();
    const { header, table } = parseHeader(this.headerJson, {
      file: label,
      payloadOffset: this.prelude.payloadOffset,
      payloadLength: this.prelude.payloadLength,
      isPatch: (this.prelude.requiredFlags & Flag.PATCH) !== 0,
      isCodec: (name) => name === "raw" || this.#codecs.has(name),
    });
    this.header = header;
    this.table = table;
    this.identity = identityOf(this.prelude);
    this.#verified = new Uint8Array(table.length);
    // A patch's is checked where it lies on something.
    if (header.patch !== undefined) return;
    const problems = new Problems(label);
    const bankTypeOf = (id: number): string | undefined => {
      const index = table.indexOf(id);
      return index < 0 ? undefined : table.bankType(index);
    };
    checkPreload(header.preload, bankTypeOf, options.slots, problems);
    problems.check();
  }

  #readPrelude(): Prelude {
    const { size } = this.#reader;
    const bytes = new Uint8Array(PRELUDE_BYTES);
    const found = bytes.subarray(0, Math.min(size, PRELUDE_BYTES));
    readFully(this.#reader, 0, found, this.label);
    // What is shorter may still tell that it is no pack at all.
    if (found.length < PRELUDE_BYTES && (found.length < 8 || found[0] === 0x89))
      throw new PackError("PACK-LENGTH", `a pack has at least ${PRELUDE_BYTES} bytes, and this has ${size}`, {
        file: this.label,
        offset: size,
      });
    const most = Math.min(this.#options.headerBytes ?? MOST_HEADER_BYTES, MOST_HEADER_BYTES);
    return decodePrelude(bytes, size, most, this.label);
  }

  #readHeader(): Uint8Array {
    const bytes = new Uint8Array(this.prelude.headerLength);
    readFully(this.#reader, PRELUDE_BYTES, bytes, this.label);
    const json = headerText(bytes);
    const place = { file: this.label, offset: PRELUDE_BYTES };
    if (!equalBytes(digestOf(json), this.prelude.headerDigest))
      throw new PackError("PACK-HEADER-DIGEST", "the header is not what its digest says", place);
    if (!isUtf8(json)) throw new PackError("PACK-JSON", "the header is not UTF-8", place);
    return json;
  }

  get length(): number {
    return this.table.length;
  }
  get preload(): readonly Preload[] {
    return this.header.preload;
  }
  asset(id: number): Asset | undefined {
    const index = this.table.indexOf(id);
    return index < 0 ? undefined : new Asset(this, index);
  }
  assetNamed(name: string): Asset | undefined {
    const index = this.table.indexOfName(name);
    return index < 0 ? undefined : new Asset(this, index);
  }
  *assets(): Generator<Asset> {
    for (let index = 0; index < this.length; index++) yield new Asset(this, index);
  }
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#reader.close?.();
  }

  /** As {@link Asset.readStored}. */
  readStored(index: number, offset: number, into: Uint8Array): number {
    const { offsets, sizes } = this.table;
    const most = sizes[index]! - offset;
    checkOffset(offset);
    if (most <= 0 || into.length === 0) return 0;
    const window = into.length > most ? into.subarray(0, most) : into;
    const position = this.#payloadOffset + offsets[index]! + offset;
    this.readAt(position, window);
    return window.length;
  }

  /** Bytes of the file at `position`, which lies behind the header. */
  readAt(position: number, into: Uint8Array): void {
    if (this.#isClosed) throw new PackError("PACK-READ", "the pack is closed", { file: this.label });
    readFully(this.#reader, position, into, this.label);
  }

  /** Verifies and decodes; decoded bytes are to be released. Undefined for `raw`, whose bytes stay where they are. */
  load(index: number): Uint8Array | undefined {
    const { table } = this;
    const codecName = table.codec(index);
    const held = this.#decoded.get(index);
    const { verify = "first", decodedBytes = DEFAULT_DECODED_BYTES } = this.#options;
    if (held !== undefined && verify !== "always") {
      held.users++;
      return held.bytes;
    }
    const isChecked = verify === "always" || (verify === "first" && this.#verified[index] === 0);
    this.#reader.check?.();
    if (codecName === "raw") {
      if (isChecked) this.#verifyStored(index);
      return undefined;
    }
    const broken = this.#broken.get(index);
    if (broken !== undefined) throw broken;
    const size = table.sizes[index]!;
    const decodedSize = table.decodedSizes[index]!;
    if (Math.max(size, decodedSize) > decodedBytes) {
      const message = `it has ${size} bytes, decoded ${decodedSize}, and ${decodedBytes} are allowed`;
      throw new PackError("PACK-LIMIT", message, this.#placeOf(index));
    }
    const stored = new Uint8Array(size);
    this.readStored(index, 0, stored);
    if (isChecked) this.#checkDigest(index, digestOf(stored));
    const bytes = this.#decode(index, stored);
    this.#decoded.set(index, { bytes, users: (held?.users ?? 0) + 1 });
    return bytes;
  }

  #decode(index: number, stored: Uint8Array): Uint8Array {
    const codec = this.#codecs.get(this.table.codec(index))!;
    try {
      return decodeWith(codec, stored, this.table.decodedSizes[index]!, this.#placeOf(index));
    } catch (error) {
      if (error instanceof PackError) this.#broken.set(index, error);
      throw error;
    }
  }

  /** Why an asset cannot be loaded. */
  #failureOf(index: number): PackError | undefined {
    try {
      this.load(index);
      this.release(index);
      return undefined;
    } catch (error) {
      if (error instanceof PackError) return error;
      throw error;
    }
  }

  #placeOf(index: number): { readonly file: string | undefined; readonly pointer: string } {
    return { file: this.label, pointer: `/asset_table/${index}` };
  }

  /** Gives back what {@link load} answered. */
  release(index: number): void {
    const held = this.#decoded.get(index);
    if (held !== undefined && --held.users === 0) this.#decoded.delete(index);
  }

  #verifyStored(index: number): void {
    const size = this.table.sizes[index]!;
    const hash = sha256();
    const piece = new Uint8Array(Math.min(size, PIECE_BYTES));
    for (let at = 0; at < size; at += piece.length) hash.update(piece.subarray(0, this.readStored(index, at, piece)));
    this.#checkDigest(index, hash.digest());
  }

  #checkDigest(index: number, digest: Uint8Array): void {
    const found = hex(digest);
    const wanted = this.table.digest(index);
    if (found !== wanted)
      throw new PackError(
        "PACK-DIGEST",
        `asset ${this.table.ids[index]} (${this.table.name(index)}) has the digest ${found}, not ${wanted}`,
        { file: this.label, pointer: `/asset_table/${index}/digest` },
      );
    this.#verified[index] = 1;
  }

  /**
   * Reads everything: padding, each slice's digest, the payload's root; and decodes what is encoded. Throws a PackError with
   * all that is wrong. `onProgress` hears how many bytes of the payload are done.
   */
  verify(onProgress: (done: number, total: number) => void = () => {}): void {
    const { table, prelude } = this;
    this.#reader.check?.();
    const problems = new Problems(this.label);
    const tree = new TreeHash(this.header.leafSize);
    const piece = new Uint8Array(Math.min(prelude.payloadLength, PIECE_BYTES));
    /** Offsets of slices whose digests are wrong. */
    const damaged = new Set<number>();
    let at = 0;
    const pass = (end: number, hear: (bytes: Uint8Array) => void): void => {
      while (at < end) {
        const bytes = piece.subarray(0, Math.min(piece.length, end - at));
        this.readAt(this.#payloadOffset + at, bytes);
        tree.update(bytes);
        hear(bytes);
        at += bytes.length;
        onProgress(at, prelude.payloadLength);
      }
    };
    for (const index of table.order()) {
      const offset = table.offsets[index]!;
      if (offset < at) continue;
      pass(offset, (bytes) => {
        if (bytes.some((byte) => byte !== 0))
          problems.add("PACK-PADDING", "padding is not zero", { offset: this.#payloadOffset + at });
      });
      const hash = sha256();
      pass(offset + table.sizes[index]!, (bytes) => hash.update(bytes));
      const found = problems.total;
      problems.gather(() => this.#checkDigest(index, hash.digest()));
      if (problems.total > found) damaged.add(offset);
    }
    if (!equalBytes(tree.digest(), prelude.payloadRoot))
      problems.add("PACK-ROOT", "the payload is not what the prelude's root says", { offset: 80 });
    // What 1,024 assets share is decoded once, or a small pack would keep this busy for hours.
    const tried = new Map<string, PackError | undefined>();
    for (let index = 0; index < table.length; index++) {
      const codec = table.codec(index);
      const offset = table.offsets[index]!;
      if (codec === "raw" || damaged.has(offset)) continue;
      const how = `${offset} ${table.decodedSizes[index]} ${codec}`;
      if (!tried.has(how)) tried.set(how, this.#failureOf(index));
      const failure = tried.get(how);
      if (failure !== undefined) problems.add(failure.code, failure.problems[0]!.message, this.#placeOf(index));
    }
    problems.check();
  }
}

/** What a slip would turn off must not go unseen. Throws a RangeError. */
function checkOptions({ verify, decodedBytes, headerBytes }: PackOptions): void {
  if (verify !== undefined && verify !== "first" && verify !== "always" && verify !== "never")
    throw new RangeError(`verify is "first", "always" or "never", not ${JSON.stringify(verify)}`);
  for (const [name, bytes] of Object.entries({ decodedBytes, headerBytes }))
    if (bytes !== undefined && !(bytes >= 0)) throw new RangeError(`${name} is a number of bytes, not ${bytes}`);
}

/**
 * Opens a pack: reads its prelude and header, and checks every rule on them. Throws a PackError with what is wrong.
 *
 * ```ts
 * const pack = openPack("assets.pa");
 * const tiles = pack.assetNamed("tiles/grass")?.open();
 * const bytes = new Uint8Array(256);
 * tiles?.read(0, bytes);
 * pack.close();
 * ```
 */
export function openPack(source: PackSource, options: PackOptions = {}): Pack {
  checkOptions(options);
  const label = options.label ?? (typeof source === "string" ? source : undefined);
  const reader = openSource(source, label);
  try {
    return new Pack(reader, options, label);
  } catch (error) {
    reader.close?.();
    throw error;
  }
}
