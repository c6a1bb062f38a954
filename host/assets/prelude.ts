/** The first 128 bytes of a pack (spec PACK-PRELUDE). */
import { crc32 } from "../../syscalls/crc32.ts";
import { PackError } from "./errors.ts";
import { Flag, MAGIC, PRELUDE_BYTES, SIGNATURE_BYTES, VERSION } from "./format.ts";

/** Lengths and offsets in bytes. */
export interface Prelude {
  readonly requiredFlags: number;
  readonly optionalFlags: number;
  readonly headerLength: number;
  readonly payloadOffset: number;
  readonly payloadLength: number;
  readonly fileLength: number;
  /** SHA-256 of the header without its padding. */
  readonly headerDigest: Uint8Array;
  /** Root of the payload's tree hash. */
  readonly payloadRoot: Uint8Array;
  /** 0, or {@link SIGNATURE_BYTES}. */
  readonly signatureLength: number;
}

/** Where each field lies, in bytes (spec PACK-PRELUDE-1). */
export const PRELUDE_FIELDS = {
  magic: { at: 0, size: 8 },
  version: { at: 8, size: 4 },
  requiredFlags: { at: 12, size: 4 },
  optionalFlags: { at: 16, size: 4 },
  headerLength: { at: 20, size: 4 },
  payloadOffset: { at: 24, size: 8 },
  payloadLength: { at: 32, size: 8 },
  fileLength: { at: 40, size: 8 },
  headerDigest: { at: 48, size: 32 },
  payloadRoot: { at: 80, size: 32 },
  signatureLength: { at: 112, size: 4 },
  reserved: { at: 116, size: 8 },
  checksum: { at: 124, size: 4 },
} as const;

const F = PRELUDE_FIELDS;

export function encodePrelude(prelude: Prelude): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(PRELUDE_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(F.version.at, VERSION, true);
  view.setUint32(F.requiredFlags.at, prelude.requiredFlags, true);
  view.setUint32(F.optionalFlags.at, prelude.optionalFlags, true);
  view.setUint32(F.headerLength.at, prelude.headerLength, true);
  view.setBigUint64(F.payloadOffset.at, BigInt(prelude.payloadOffset), true);
  view.setBigUint64(F.payloadLength.at, BigInt(prelude.payloadLength), true);
  view.setBigUint64(F.fileLength.at, BigInt(prelude.fileLength), true);
  bytes.set(prelude.headerDigest, F.headerDigest.at);
  bytes.set(prelude.payloadRoot, F.payloadRoot.at);
  view.setUint32(F.signatureLength.at, prelude.signatureLength, true);
  view.setUint32(F.checksum.at, checksumOf(bytes), true);
  return bytes;
}

/**
 * The prelude in `bytes`, of which there are {@link PRELUDE_BYTES}, of a file of `size` bytes whose header may have
 * `mostHeaderBytes`. Throws a PackError for the first rule that it breaks, in the order of spec PACK-PRELUDE-3.
 */
export function decodePrelude(bytes: Uint8Array, size: number, mostHeaderBytes: number, file?: string): Prelude {
  const fail = (code: PackError["code"], message: string, offset: number): never => {
    throw new PackError(code, message, { file, offset });
  };
  for (let k = 0; k < MAGIC.length; k++)
    if (bytes[k] !== MAGIC[k]) fail("PACK-MAGIC", `this is no pack${damageOf(bytes)}`, k);
  const view = new DataView(bytes.buffer, bytes.byteOffset, PRELUDE_BYTES);
  const version = view.getUint32(F.version.at, true);
  if (version !== VERSION)
    fail("PACK-VERSION", `the pack has version ${version}, and this reader knows ${VERSION}`, F.version.at);
  if (view.getUint32(F.checksum.at, true) !== checksumOf(bytes))
    fail("PACK-PRELUDE", "the prelude's checksum does not fit", F.checksum.at);
  const requiredFlags = view.getUint32(F.requiredFlags.at, true);
  const unknown = (requiredFlags & ~Flag.PATCH) >>> 0;
  if (unknown !== 0)
    fail("PACK-FLAGS", `the pack requires flags 0x${unknown.toString(16)}, which are unknown`, F.requiredFlags.at);
  if (view.getUint32(F.reserved.at, true) !== 0 || view.getUint32(F.reserved.at + 4, true) !== 0)
    fail("PACK-PRELUDE", "reserved bytes are not zero", F.reserved.at);
  const length = (at: number): number => {
    const value = view.getBigUint64(at, true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) fail("PACK-PRELUDE", `${value} is over 2^53 - 1`, at);
    return Number(value);
  };
  const headerLength = view.getUint32(F.headerLength.at, true);
  const payloadOffset = length(F.payloadOffset.at);
  const payloadLength = length(F.payloadLength.at);
  const fileLength = length(F.fileLength.at);
  const signatureLength = view.getUint32(F.signatureLength.at, true);
  if (headerLength > mostHeaderBytes)
    fail(
      "PACK-HEADER-SIZE",
      `the header has ${headerLength} bytes, and ${mostHeaderBytes} are allowed`,
      F.headerLength.at,
    );
  if (payloadOffset !== PRELUDE_BYTES + headerLength)
    fail("PACK-PRELUDE", `the payload begins at ${payloadOffset}, not behind the header`, F.payloadOffset.at);
  if (signatureLength !== 0 && signatureLength !== SIGNATURE_BYTES)
    fail("PACK-PRELUDE", `a signature has ${SIGNATURE_BYTES} bytes, not ${signatureLength}`, F.signatureLength.at);
  // The sum is exact when it is equal: the others are below 2^33.
  if (fileLength - payloadLength !== payloadOffset + signatureLength)
    fail("PACK-PRELUDE", "the parts do not add up to the file's length", F.fileLength.at);
  if (fileLength !== size)
    fail("PACK-LENGTH", `the file has ${size} bytes${size < fileLength ? " only" : ""} and says ${fileLength}`, size);
  return {
    requiredFlags,
    optionalFlags: view.getUint32(F.optionalFlags.at, true),
    headerLength,
    payloadOffset,
    payloadLength,
    fileLength,
    headerDigest: bytes.slice(F.headerDigest.at, F.headerDigest.at + 32),
    payloadRoot: bytes.slice(F.payloadRoot.at, F.payloadRoot.at + 32),
    signatureLength,
  };
}

function checksumOf(bytes: Uint8Array): number {
  return crc32(0, bytes.subarray(0, F.checksum.at)) >>> 0;
}

/** What most likely happened to a pack that does not begin as one. */
function damageOf(bytes: Uint8Array): string {
  const text = String.fromCharCode(...bytes.subarray(0, 8));
  if (text.startsWith("\tPAK")) return ": the high bits were cut off, as by a transfer of 7 bits";
  if (text.startsWith("\x89PAK")) return ": line ends were changed, as by a transfer as text";
  return "";
}
