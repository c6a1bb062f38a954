/** A buffer for bytes that are checked before a guest gets them. */

/** Largest buffer that is kept, in bytes. */
const KEPT_SCRATCH = 1024 * 1024;

let scratch = new Uint8Array(0);

/** A buffer of `length` bytes; kept from call to call unless it is large. */
export function scratchOf(length: number): Uint8Array {
  if (scratch.length === length) return scratch;
  if (length > KEPT_SCRATCH) return Buffer.allocUnsafeSlow(length);
  if (scratch.buffer.byteLength < length) scratch = new Uint8Array(length > 65_536 ? KEPT_SCRATCH : 65_536);
  scratch = new Uint8Array(scratch.buffer, 0, length);
  return scratch;
}
