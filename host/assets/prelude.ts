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

const AT = {
  version: 8,
  requiredFlags: 12,
  optionalFlags: 16,
  headerLength: 20,
  payloadOffset: 24,
  payloadLength: 32,
  fileLength: 40,
  headerDigest: 48,
  payloadRoot: 80,
  signatureLength: 112,
  reserved: 116,
  checksum: 124,
} as const;

export function encodePrelude(prelude: Prelude): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(PRELUDE_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(AT.version, VERSION, true);
  view.setUint32(AT.requiredFlags, prelude.requiredFlags, true);
  view.setUint32(AT.optionalFlags, prelude.optionalFlags, true);
  view.setUint32(AT.headerLength, prelude.headerLength, true);
  view.setBigUint64(AT.payloadOffset, BigInt(prelude.payloadOffset), true);
  view.setBigUint64(AT.payloadLength, BigInt(prelude.payloadLength), true);
  view.setBigUint64(AT.fileLength, BigInt(prelude.fileLength), true);
  bytes.set(prelude.headerDigest, AT.headerDigest);
  bytes.set(prelude.payloadRoot, AT.payloadRoot);
  view.setUint32(AT.signatureLength, prelude.signatureLength, true);
  view.setUint32(AT.checksum, checksumOf(bytes), true);
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
  const version = view.getUint32(AT.version, true);
  if (version !== VERSION)
    fail("PACK-VERSION", `the pack has version ${version}, and this reader knows ${VERSION}`, AT.version);
  if (view.getUint32(AT.checksum, true) !== checksumOf(bytes))
    fail("PACK-PRELUDE", "the prelude's checksum does not fit", AT.checksum);
  const requiredFlags = view.getUint32(AT.requiredFlags, true);
  const unknown = (requiredFlags & ~Flag.PATCH) >>> 0;
  if (unknown !== 0)
    fail("PACK-FLAGS", `the pack requires flags 0x${unknown.toString(16)}, which are unknown`, AT.requiredFlags);
  if (view.getUint32(AT.reserved, true) !== 0 || view.getUint32(AT.reserved + 4, true) !== 0)
    fail("PACK-PRELUDE", "reserved bytes are not zero", AT.reserved);
  const length = (at: number): number => {
    const value = view.getBigUint64(at, true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) fail("PACK-PRELUDE", `${value} is over 2^53 - 1`, at);
    return Number(value);
  };
  const headerLength = view.getUint32(AT.headerLength, true);
  const payloadOffset = length(AT.payloadOffset);
  const payloadLength = length(AT.payloadLength);
  const fileLength = length(AT.fileLength);
  const signatureLength = view.getUint32(AT.signatureLength, true);
  if (headerLength > mostHeaderBytes)
    fail("PACK-HEADER-SIZE", `the header has ${headerLength} bytes, and ${mostHeaderBytes} are allowed`, 20);
  if (payloadOffset !== PRELUDE_BYTES + headerLength)
    fail("PACK-PRELUDE", `the payload begins at ${payloadOffset}, not behind the header`, AT.payloadOffset);
  if (signatureLength !== 0 && signatureLength !== SIGNATURE_BYTES)
    fail("PACK-PRELUDE", `a signature has ${SIGNATURE_BYTES} bytes, not ${signatureLength}`, AT.signatureLength);
  // The sum is exact when it is equal: the others are below 2^33.
  if (fileLength - payloadLength !== payloadOffset + signatureLength)
    fail("PACK-PRELUDE", "the parts do not add up to the file's length", AT.fileLength);
  if (fileLength !== size)
    fail("PACK-LENGTH", `the file has ${size} bytes${size < fileLength ? " only" : ""} and says ${fileLength}`, size);
  return {
    requiredFlags,
    optionalFlags: view.getUint32(AT.optionalFlags, true),
    headerLength,
    payloadOffset,
    payloadLength,
    fileLength,
    headerDigest: bytes.slice(AT.headerDigest, AT.headerDigest + 32),
    payloadRoot: bytes.slice(AT.payloadRoot, AT.payloadRoot + 32),
    signatureLength,
  };
}

function checksumOf(bytes: Uint8Array): number {
  return crc32(0, bytes.subarray(0, AT.checksum)) >>> 0;
}

/** What most likely happened to a pack that does not begin as one. */
function damageOf(bytes: Uint8Array): string {
  const text = String.fromCharCode(...bytes.subarray(0, 8));
  if (text.startsWith("\tPAK")) return ": the high bits were cut off, as by a transfer of 7 bits";
  if (text.startsWith("\x89PAK")) return ": line ends were changed, as by a transfer as text";
  return "";
}
