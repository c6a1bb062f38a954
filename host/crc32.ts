/** CRC-32 by Node.js, where it has it: since 22.2, thirty times as fast. */
import { crc32 as portable } from "../syscalls/crc32.ts";

/** Of `bytes`, or of what came before with the checksum `before`, and them. */
export function crc32(bytes: Uint8Array, before = 0): number {
  const { crc32: native } = (process.getBuiltinModule?.("node:zlib") ?? {}) as { crc32?: typeof crc32 };
  return native ? native(bytes, before) : portable(before, bytes);
}
