/** CRC-32 (ISO-HDLC, as in zip and PNG): tells different calls apart, not friend from foe. */

/** Made when it is first needed: most runs record nothing. */
let table: Int32Array | undefined;

function makeTable(): Int32Array {
  return Int32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
    return crc;
  });
}

/** CRC of what gave `crc`, followed by `bytes`; begin with 0. */
export function crc32(crc: number, bytes: Uint8Array): number {
  table ??= makeTable();
  const steps = table;
  let rest = ~crc;
  for (let k = 0; k < bytes.length; k++) rest = steps[(rest ^ bytes[k]!) & 255]! ^ (rest >>> 8);
  return ~rest >>> 0;
}
