/**
 * Makes packs. Every input is read once: space for the header is kept in front, the payload is laid down while it is hashed,
 * and the header is written last. The same inputs give the same bytes (spec PACK-WRITE).
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync } from "node:fs";
import { PackError, type Problem } from "./errors.ts";
import {
  DEFAULT_ALIGNMENT,
  DEFAULT_LEAF_BYTES,
  Flag,
  HASH_NAME,
  MOST_HEADER_BYTES,
  MOST_SHARES,
  PRELUDE_BYTES,
  SCHEMA,
  TREE_ALGORITHM,
} from "./format.ts";
import { cryptoOf, digestHex, digestOf, sha256 } from "./hash.ts";
import { alignUp, type Patch, type Preload } from "./header.ts";
import { identityOf } from "./identity.ts";
import { canonicalJson, JsonError, type JsonObject, pointerStep } from "./json.ts";
import { fileOutput, type Output, replaceFile } from "./output.ts";
import { openPack } from "./pack.ts";
import type { Slots } from "./preload.ts";
import { encodePrelude } from "./prelude.ts";
import { rootOf } from "./tree-hash.ts";

/** A file whose bytes are stored as they are, or a part of one. */
export interface StoredFile {
  readonly file: string;
  /** In bytes. Without `offset` that of the file: one that has another when it is read is refused. */
  readonly size: number;
  /** Where in the file the bytes begin. */
  readonly offset?: number;
  /** As `fs.Stats` tells it; a file that has another when it was read is refused. */
  readonly mtimeMs?: number;
}

/** One asset of a pack to be made. */
export interface AssetInput {
  readonly id: number;
  readonly name: string;
  readonly bankType: string;
  readonly codec: string;
  readonly decodedSize: number;
  readonly metadata?: JsonObject;
  /** Encoded by the codec already. */
  readonly stored: Uint8Array | StoredFile;
}

export interface PackInput {
  /** In any order. */
  readonly assets: readonly AssetInput[];
  readonly preload?: readonly Preload[];
  readonly metadata?: JsonObject;
  /** In bytes: a power of two up to 65,536; 16 by default. */
  readonly alignment?: number;
  /** By codec, the name and version of what encoded it. */
  readonly encoders?: { readonly [codec: string]: string };
  readonly patch?: Patch;
  /** Ids of the assets that come first in the payload, in this order: those that are read together, say. */
  readonly order?: readonly number[];
  /** For the check of `preload`. */
  readonly slots?: Slots;
  /** Codecs beside those of the format. */
  readonly codecs?: readonly string[];
}

/** Sizes in bytes. */
export interface PackSummary {
  readonly identity: string;
  readonly bytes: number;
  readonly headerBytes: number;
  readonly payloadBytes: number;
  readonly assets: number;
  /** Assets that share a slice with another. */
  readonly shared: number;
  /** What that saves. */
  readonly sharedBytes: number;
}

export interface WriteOptions {
  /** Hears how many bytes of the inputs are done. */
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Writes a pack to `path`, whole or not at all: into a file beside it, which takes its place when it is on disk. Throws a
 * PackError for what makes no pack, for inputs that change meanwhile, and for an output that cannot be written.
 */
export async function writePack(path: string, input: PackInput, options: WriteOptions = {}): Promise<PackSummary> {
  return await replaceFile(path, async (fd) => {
    const summary = await build(input, fileOutput(fd, path), options);
    ftruncateSync(fd, summary.bytes);
    return summary;
  });
}

/** The same in memory. */
export async function encodePack(input: PackInput, options: WriteOptions = {}): Promise<Uint8Array> {
  let bytes = new Uint8Array(4096);
  let length = 0;
  const summary = await build(
    input,
    (piece, position) => {
      length = Math.max(length, position + piece.length);
      if (length > bytes.length) {
        const larger = new Uint8Array(Math.max(length, 2 * bytes.length));
        larger.set(bytes);
        bytes = larger;
      }
      bytes.set(piece, position);
    },
    options,
  );
  return bytes.slice(0, summary.bytes);
}

/** An asset's place, once it is known. */
interface Slice {
  offset: number;
  digest: string;
}

async function build(input: PackInput, output: Output, { onProgress }: WriteOptions): Promise<PackSummary> {
  const { alignment = DEFAULT_ALIGNMENT } = input;
  const assets = [...input.assets].sort((a, b) => a.id - b.id);
  const texts = assets.map(entryTexts);
  const order = layout(assets, input.order ?? []);
  // An alignment that makes no sense is told by the check of the header.
  const step = Number.isSafeInteger(alignment) && alignment > 0 ? alignment : 1;
  const headerLength = reserve(input, assets, texts, order, step);
  const payload = new Payload(output, PRELUDE_BYTES + headerLength, DEFAULT_LEAF_BYTES);
  const total = assets.reduce((sum, { stored }) => sum + sizeOf(stored), 0);
  let done = 0;
  const slices: Slice[] = new Array(assets.length);
  const shares = new Shares(assets);
  let payloadRoot: Uint8Array;
  try {
    for (const index of order) {
      const { stored } = assets[index]!;
      const slice = place(stored, payload, step, shares);
      // Most are there at once, and waiting takes time.
      slices[index] = slice instanceof Promise ? await slice : slice;
      done += sizeOf(stored);
      onProgress?.(done, total);
      if (payload.isBehind) await payload.catchUp();
    }
    payloadRoot = await payload.close();
  } finally {
    await payload.settle();
  }
  const json = Buffer.from(headerJson(input, assets, texts, slices));
  const header = new Uint8Array(headerLength).fill(0x20);
  header.set(json);
  const payloadOffset = PRELUDE_BYTES + headerLength;
  const fileLength = payloadOffset + payload.length;
  const headerDigest = digestOf(json);
  const prelude = encodePrelude({
    requiredFlags: input.patch === undefined ? 0 : Flag.PATCH,
    optionalFlags: 0,
    headerLength,
    payloadOffset,
    payloadLength: payload.length,
    fileLength,
    headerDigest,
    payloadRoot,
    signatureLength: 0,
  });
  try {
    check(prelude, header, fileLength, input);
  } catch (error) {
    throw named(error, assets);
  }
  await output(header, PRELUDE_BYTES);
  await output(prelude, 0);
  return {
    identity: identityOf({ headerDigest, payloadRoot }),
    bytes: fileLength,
    headerBytes: headerLength,
    payloadBytes: payload.length,
    assets: assets.length,
    shared: shares.count,
    sharedBytes: shares.bytes,
  };
}

function sizeOf(stored: AssetInput["stored"]): number {
  return stored instanceof Uint8Array ? stored.length : stored.size;
}

/** What a reader says: a writer may not make what it must refuse (spec PACK-WRITE-2). */
function check(prelude: Uint8Array, header: Uint8Array, size: number, { slots, codecs = [] }: PackInput): void {
  const known = codecs.map((name) => ({ name, decode: (stored: Uint8Array) => stored }));
  const read = (position: number, into: Uint8Array): number => {
    into.set((position === 0 ? prelude : header).subarray(0, into.length));
    return into.length;
  };
  openPack({ size, read }, { codecs: known, ...(slots !== undefined && { slots }) });
}

/** An offset in a header that nobody will see helps nobody: the asset's name does. */
function named(error: unknown, assets: readonly AssetInput[]): unknown {
  if (!(error instanceof PackError)) return error;
  const problems = error.problems.map(({ offset: _offset, ...problem }): Problem => {
    const [, index] = /^\/asset_table\/(\d+)/.exec(problem.pointer ?? "") ?? [];
    const asset = index === undefined ? undefined : assets[Number(index)];
    if (asset === undefined) return problem;
    const { stored } = asset;
    const file = stored instanceof Uint8Array ? undefined : stored.file;
    return { ...problem, file, message: `asset ${asset.id} (${asset.name}): ${problem.message}` };
  });
  return PackError.of(problems, error.total);
}

/** What of an entry is known before its place is: the text before the digest, and between that and the offset. */
interface EntryTexts {
  readonly head: string;
  readonly metadata: string;
}

function entryTexts({ id, name, bankType, codec, decodedSize, metadata = {} }: AssetInput): EntryTexts {
  const text = (value: unknown, key: string): string => {
    try {
      return canonicalJson(value);
    } catch (error) {
      if (!(error instanceof JsonError)) throw error;
      const message = `asset ${id} (${name}): ${error.message}`;
      throw new PackError("PACK-VALUE", message, { pointer: pointerStep(key) + error.pointer });
    }
  };
  const keys = [
    `"asset_id":${text(id, "asset_id")}`,
    `"asset_name":${text(name, "asset_name")}`,
    `"bank_type":${text(bankType, "bank_type")}`,
    `"codec":${text(codec, "codec")}`,
    `"decoded_size":${text(decodedSize, "decoded_size")}`,
  ];
  return { head: `{${keys.join(",")},"digest":"`, metadata: `","metadata":${text(metadata, "metadata")},"offset":` };
}

/** The canonical JSON of the header; `slices` by asset. */
function headerJson(
  { alignment = DEFAULT_ALIGNMENT, encoders = {}, metadata = {}, patch, preload = [] }: PackInput,
  assets: readonly AssetInput[],
  texts: readonly EntryTexts[],
  slices: readonly Slice[],
): string {
  const entries = assets.map(({ stored }, index) => {
    const { head, metadata: middle } = texts[index]!;
    const { digest, offset } = slices[index]!;
    return `${head}${digest}${middle}${offset},"size":${sizeOf(stored)}}`;
  });
  const rest = (value: unknown, key: string): string => {
    try {
      return canonicalJson(value);
    } catch (error) {
      if (!(error instanceof JsonError)) throw error;
      throw new PackError("PACK-VALUE", error.message, { pointer: pointerStep(key) + error.pointer });
    }
  };
  const data = { algorithm: TREE_ALGORITHM, hash: HASH_NAME, leaf_size: DEFAULT_LEAF_BYTES };
  const preloads = preload.map(({ assetId, slot }) => ({ asset_id: assetId, slot }));
  const members = [
    `"alignment":${rest(alignment, "alignment")}`,
    `"asset_table":[${entries.join(",")}]`,
    `"data":${rest(data, "data")}`,
    `"encoders":${rest(encoders, "encoders")}`,
    `"metadata":${rest(metadata, "metadata")}`,
    ...(patch === undefined ? [] : [`"patch":${rest({ base: patch.base, removed: patch.removed }, "patch")}`]),
    `"preload":${rest(preloads, "preload")}`,
    `"schema":${rest(SCHEMA, "schema")}`,
  ];
  return `{${members.join(",")}}`;
}

/** Indices of the assets in the order of their bytes: those that are asked for first, then by id. */
function layout(assets: readonly AssetInput[], first: readonly number[]): readonly number[] {
  const indices = new Map(assets.map(({ id }, index) => [id, index]));
  const order = new Set<number>();
  for (const id of first) {
    const index = indices.get(id);
    if (index === undefined) throw new PackError("PACK-VALUE", `there is no asset ${id} to put in order`);
    order.add(index);
  }
  for (let index = 0; index < assets.length; index++) order.add(index);
  return [...order];
}

const NO_DIGEST = "0".repeat(64);

/** Length of the header: as if nothing were shared, which makes offsets only shorter. */
function reserve(
  input: PackInput,
  assets: readonly AssetInput[],
  texts: readonly EntryTexts[],
  order: readonly number[],
  alignment: number,
): number {
  const slices: Slice[] = new Array(assets.length);
  let end = 0;
  for (const index of order) {
    const size = sizeOf(assets[index]!.stored);
    const offset = size === 0 ? 0 : alignUp(end, alignment);
    slices[index] = { digest: NO_DIGEST, offset };
    if (size > 0) end = offset + size;
  }
  const bytes = Buffer.byteLength(headerJson(input, assets, texts, slices));
  const length = alignUp(PRELUDE_BYTES + bytes, alignment) - PRELUDE_BYTES;
  if (length > MOST_HEADER_BYTES)
    throw new PackError(
      "PACK-HEADER-SIZE",
      `the header would have ${length} bytes, and ${MOST_HEADER_BYTES} are allowed`,
    );
  return length;
}

/** Slices that further assets may share. */
class Shares {
  count = 0;
  bytes = 0;
  readonly #slices = new Map<string, { readonly offset: number; users: number }>();
  /** Number of assets with each size. */
  readonly #sizes = new Map<number, number>();

  constructor(assets: readonly AssetInput[]) {
    for (const { stored } of assets) this.#sizes.set(sizeOf(stored), (this.#sizes.get(sizeOf(stored)) ?? 0) + 1);
  }
  /** False when no other asset can have these bytes. */
  mayShare(size: number): boolean {
    return this.#sizes.get(size)! > 1;
  }
  /** Where the same bytes lie. */
  find(digest: string, size: number): Slice | undefined {
    const slice = this.#slices.get(digest);
    if (slice === undefined || slice.users === MOST_SHARES) return undefined;
    slice.users++;
    this.count++;
    this.bytes += size;
    return { digest, offset: slice.offset };
  }
  add(digest: string, offset: number): Slice {
    this.#slices.set(digest, { offset, users: 1 });
    return { digest, offset };
  }
}

const EMPTY: Slice = { digest: digestHex(new Uint8Array(0)), offset: 0 };

/** Lays down what an asset stores, unless it lies there already. */
function place(
  stored: AssetInput["stored"],
  payload: Payload,
  alignment: number,
  shares: Shares,
): Slice | Promise<Slice> {
  const size = sizeOf(stored);
  const offset = alignUp(payload.length, alignment);
  const gap = offset - payload.length;
  if (gap + size > payload.room) return placeLarge(stored, payload, gap, shares);
  // Hashed where it will lie, and left there unless it is known.
  const bytes = payload
    .ahead(gap + size)
    .fill(0, 0, gap)
    .subarray(gap);
  const input = openStored(stored);
  try {
    input.read(bytes);
    input.check();
  } finally {
    input.close();
  }
  if (size === 0) return EMPTY;
  const digest = digestHex(bytes);
  const known = shares.find(digest, size);
  if (known !== undefined) return known;
  payload.advance(gap + size);
  return shares.add(digest, offset);
}

/** The same piece by piece; what turns out to be known is taken back. */
async function placeLarge(stored: AssetInput["stored"], payload: Payload, gap: number, shares: Shares): Promise<Slice> {
  const size = sizeOf(stored);
  const mark = shares.mayShare(size) ? payload.mark() : undefined;
  const offset = payload.length + gap;
  const hash = sha256();
  const input = openStored(stored);
  try {
    for (let left = gap; left > 0; ) {
      const zeros = payload.ahead(Math.min(left, payload.room)).fill(0);
      payload.advance(zeros.length);
      left -= zeros.length;
    }
    for (let left = size; left > 0; ) {
      const bytes = payload.ahead(Math.min(left, payload.room));
      input.read(bytes);
      hash.update(bytes);
      payload.advance(bytes.length);
      left -= bytes.length;
      if (payload.isBehind) await payload.catchUp();
    }
    input.check();
  } finally {
    input.close();
  }
  const digest = hash.digest("hex");
  const known = mark === undefined ? undefined : shares.find(digest, size);
  if (known === undefined) return shares.add(digest, offset);
  await payload.rewind(mark!);
  return known;
}

/** What is stored, to be read in order. */
interface Stored {
  /** Fills `into` with what comes next. */
  read(into: Uint8Array): void;
  /** Throws a PackError where it is not what it was when it was looked at. */
  check(): void;
  close(): void;
}

function openStored(stored: AssetInput["stored"]): Stored {
  if (!(stored instanceof Uint8Array)) return openInput(stored);
  let at = 0;
  return {
    read: (into) => {
      into.set(stored.subarray(at, at + into.length));
      at += into.length;
    },
    check: () => {},
    close: () => {},
  };
}

/** What has become a pipe is not waited for: it has no positions to read from. */
const FLAGS = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

function openInput({ file, size, offset, mtimeMs }: StoredFile): Stored {
  const tell = <T>(act: () => T): T => {
    try {
      return act();
    } catch (error) {
      throw PackError.from(error, "PACK-INPUT", "it cannot be read", { file });
    }
  };
  const changed = (): PackError => new PackError("PACK-CHANGED", "the file changed while it was packed", { file });
  const fd = tell(() => openSync(file, FLAGS));
  let position = offset ?? 0;
  return {
    read: (into) =>
      tell(() => {
        for (let at = 0; at < into.length; ) {
          const got = readSync(fd, into, at, into.length - at, position);
          if (got === 0) throw changed();
          at += got;
          position += got;
        }
      }),
    check: () =>
      tell(() => {
        const now = fstatSync(fd);
        if ((offset === undefined && now.size !== size) || (mtimeMs !== undefined && now.mtimeMs !== mtimeMs))
          throw changed();
      }),
    close: () => closeSync(fd),
  };
}

/** Leaves that other threads hash and write at one time. */
const MOST_PENDING = 8;

/**
 * Waits for all, and throws when one failed: not at once, as `Promise.all` does. Otherwise the file would be closed while another thread
 * writes to it, and the next one that is opened may get its number, and what was meant for it.
 */
async function ended(all: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(all)) if (result.status === "rejected") throw result.reason;
}

/** How far a payload was. */
interface Mark {
  readonly length: number;
  readonly leaves: number;
  /** What the leaf under way held. */
  readonly held: Uint8Array;
}

/** The payload. Other threads hash and write its leaves while this one reads on. */
class Payload {
  /** Bytes so far. */
  length = 0;
  readonly #output: Output;
  readonly #position: number;
  readonly #leafSize: number;
  /** The leaf under way, behind the byte that its hash begins with (spec PACK-TREE-1). */
  #buffer: Uint8Array<ArrayBuffer>;
  readonly #free: Uint8Array<ArrayBuffer>[] = [];
  #held = 0;
  #digests: Promise<ArrayBuffer>[] = [];
  #pending: Promise<void>[] = [];

  /** `position` is that of the payload in the output. */
  constructor(output: Output, position: number, leafSize: number) {
    this.#output = output;
    this.#position = position;
    this.#leafSize = leafSize;
    this.#buffer = new Uint8Array(1 + leafSize);
  }

  /** Bytes that the leaf under way still takes; at least one. */
  get room(): number {
    return this.#leafSize - this.#held;
  }
  /** The next `size` bytes, to be filled; there is room for them. */
  ahead(size: number): Uint8Array {
    return this.#buffer.subarray(1 + this.#held, 1 + this.#held + size);
  }
  /** Takes what was filled. */
  advance(size: number): void {
    this.#held += size;
    this.length += size;
    if (this.#held === this.#leafSize) this.#close();
  }

  #close(): void {
    const buffer = this.#buffer;
    const bytes = buffer.subarray(0, 1 + this.#held);
    const digest = cryptoOf().webcrypto.subtle.digest("SHA-256", bytes);
    const written = this.#output(bytes.subarray(1), this.#position + this.length - this.#held);
    const done = Promise.all([digest, written]).then(() => {
      this.#free.push(buffer);
    });
    // Told by whoever waits for it, which may be later.
    done.catch(() => {});
    this.#digests.push(digest);
    this.#pending.push(done);
    this.#buffer = this.#free.pop() ?? new Uint8Array(1 + this.#leafSize);
    this.#held = 0;
  }

  get isBehind(): boolean {
    return this.#pending.length >= MOST_PENDING;
  }
  /** Waits until half of what is pending is done. */
  async catchUp(): Promise<void> {
    await ended(this.#pending.splice(0, MOST_PENDING / 2));
  }

  mark(): Mark {
    return { length: this.length, leaves: this.#digests.length, held: this.#buffer.slice(1, 1 + this.#held) };
  }
  /** Forgets what came behind the mark; it will be written over, or cut off. */
  async rewind({ length, leaves, held }: Mark): Promise<void> {
    await ended(this.#pending.splice(0));
    this.#digests.length = leaves;
    this.length = length;
    this.#buffer.set(held, 1);
    this.#held = held.length;
  }

  /** Waits until no other thread writes any more, whatever became of it. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#pending);
  }
  /** Answers the root. */
  async close(): Promise<Uint8Array> {
    if (this.#held > 0) this.#close();
    await Promise.all(this.#pending);
    const leaves = (await Promise.all(this.#digests)).map((digest) => new Uint8Array(digest));
    return rootOf(leaves, this.length, this.#leafSize);
  }
}
