/**
 * Images (spec 19): a guest's module with its compiled code, in one file. Code in an image is run as it is: whoever can
 * write an image can make its reader do anything that its guest's thread may do.
 */
import { Reader } from "../vm/bytecode/reader.ts";
import { Writer } from "../vm/bytecode/writer.ts";
import type { Sites } from "../vm/compiler/rewrite.ts";
import { AshlarError } from "../vm/errors.ts";
import { hex, sha256 } from "../vm/sha256.ts";
import type { TrapCode } from "../vm/trap.ts";
import { decodeUtf8, encodeUtf8 } from "../vm/utf8.ts";
import { crc32 } from "./crc32.ts";
import { useHostSha256 } from "./digest.ts";

/** Code of the compiled engine for one module, linked in one way. */
export interface CompiledCode {
  /** Of the compiler that made it; another version's code is not used. */
  readonly compiler: number;
  /** `linkageKey` of the imports that it was made for. */
  readonly linkage: string;
  /** A WebAssembly module. */
  readonly bytes: Uint8Array;
  /** Of optimised code: {@link writeSites}. Else undefined: the compiler finds them. */
  readonly sites: Uint8Array | undefined;
}

export interface Image<Buffer extends ArrayBufferLike = ArrayBufferLike> {
  /** The guest's module; empty where whoever reads the image has it. */
  readonly module: Uint8Array<Buffer>;
  readonly code: CompiledCode;
  /** Of an instance of the module: what the guest begins with (spec IMAGE-PREINIT-1). */
  readonly snapshot?: Uint8Array<Buffer> | undefined;
}

/** The bytes are no image, or not whole. */
export class ImageError extends AshlarError {
  readonly code = "VM-IMAGE";
  constructor(message: string) {
    super(message);
    this.name = "ImageError";
  }
}

export const IMAGE_VERSION = 2;
/** As PNG's: what a text mode does to a file damages it. */
const MAGIC = [0x89, 0x41, 0x53, 0x48, 0x49, 0x0d, 0x0a, 0x1a];
const OPTIMISED = 1;
const DIGEST_AT = 40;
const DIGEST_BYTES = 32;
const CHECKSUM_AT: number = DIGEST_AT + DIGEST_BYTES;
const HEAD_BYTES: number = CHECKSUM_AT + 4;

export function isImage(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, k) => bytes[k] === byte);
}

/** The file of an image (spec IMAGE-FILE-1). */
export function writeImage({ module, code, snapshot = new Uint8Array(0) }: Image): Uint8Array<ArrayBuffer> {
  const linkage = encodeUtf8(code.linkage);
  const parts = [module, linkage, code.bytes, code.sites ?? new Uint8Array(0), snapshot];
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, HEAD_BYTES));
  bytes.set(MAGIC);
  const flags = code.sites === undefined ? 0 : OPTIMISED;
  const words = [IMAGE_VERSION, flags, code.compiler, ...parts.map((part) => part.length)];
  const view = new DataView(bytes.buffer);
  for (const [k, word] of words.entries()) view.setUint32(MAGIC.length + 4 * k, word, true);
  let at = HEAD_BYTES;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  bytes.set(digestOf(module), DIGEST_AT);
  view.setUint32(CHECKSUM_AT, checksumOf(bytes), true);
  return bytes;
}

/** What {@link readImage} finds. */
export interface ReadImage<Buffer extends ArrayBufferLike> extends Image<Buffer> {
  /** SHA-256 of the module, in hexadecimal, as it was when the image was written. */
  readonly digest: string;
}

/**
 * What {@link writeImage} wrote; the parts are views of `bytes`. Throws ImageError for anything else (spec IMAGE-FILE-2). Bytes
 * that are `whole`, as a digest has shown, are not looked at again.
 */
export function readImage<Buffer extends ArrayBufferLike>(bytes: Uint8Array<Buffer>, whole = false): ReadImage<Buffer> {
  if (!isImage(bytes)) throw new ImageError("it does not begin as an image does");
  if (bytes.length < HEAD_BYTES) throw new ImageError(`the image ends in its head, after ${bytes.length} bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (k: number): number => view.getUint32(MAGIC.length + 4 * k, true);
  if (word(0) !== IMAGE_VERSION) throw new ImageError(`the image is of version ${word(0)}, not ${IMAGE_VERSION}`);
  const flags = word(1);
  if (flags > OPTIMISED) throw new ImageError(`the image has flags that are not known: 0x${flags.toString(16)}`);
  const lengths = [3, 4, 5, 6, 7].map(word);
  const wanted = lengths.reduce((sum, length) => sum + length, HEAD_BYTES);
  if (wanted !== bytes.length) throw new ImageError(`the image has ${bytes.length} bytes, and says ${wanted}`);
  if (!whole && checksumOf(bytes) !== view.getUint32(CHECKSUM_AT, true))
    throw new ImageError("the image is damaged: its checksum is another");
  let at = HEAD_BYTES;
  const [module, linkage, code, sites, snapshot] = lengths.map((length) => bytes.subarray(at, (at += length)));
  const text = decodeUtf8(linkage!);
  if (text === undefined) throw new ImageError("the image's linkage is no text");
  return {
    module: module!,
    digest: hex(bytes.subarray(DIGEST_AT, CHECKSUM_AT)),
    code: { compiler: word(2), linkage: text, bytes: code!, sites: flags === OPTIMISED ? sites! : undefined },
    snapshot: snapshot!.length === 0 ? undefined : snapshot!,
  };
}

/** An image is trusted, and as a rule tens of megabytes: a digest would find damage no better, and take three times as long. */
function checksumOf(bytes: Uint8Array): number {
  return crc32(bytes.subarray(HEAD_BYTES), crc32(bytes.subarray(0, CHECKSUM_AT)));
}

function digestOf(bytes: Uint8Array): Uint8Array {
  useHostSha256(bytes.length);
  const hash = sha256();
  hash.update(bytes);
  return hash.digest();
}

/** The sites of functions, by ascending index and offset (spec IMAGE-SITES-1). */
export function writeSites(functions: Iterable<readonly [index: number, sites: Sites]>): Uint8Array {
  const out = new Writer();
  let before = 0;
  for (const [index, sites] of functions) {
    out.u32(index - before);
    out.u32(sites.length);
    before = index;
    let [offset, origin] = [0, 0];
    for (const { offset: at, site } of sites) {
      out.u32(at - offset);
      out.s32(site.offset - origin);
      out.byte(site.trap);
      [offset, origin] = [at, site.offset];
    }
  }
  return out.written.slice();
}

export function readSites(bytes: Uint8Array): ReadonlyMap<number, Sites> {
  const reader = new Reader(bytes);
  const functions = new Map<number, Sites>();
  for (let index = 0; reader.position < bytes.length; ) {
    index += reader.readU32();
    const sites: Sites[number][] = [];
    let [offset, origin] = [0, 0];
    for (let left = reader.readU32(); left > 0; left--) {
      offset += reader.readU32();
      origin += reader.readS32();
      sites.push({ offset, site: { offset: origin, trap: reader.readByte() as TrapCode | 0 } });
    }
    functions.set(index, sites);
  }
  return functions;
}
