/** Writes PNG images with a palette. Deflate with fixed codes, and matches found by a hash of four bytes. */

const WINDOW: i32 = 32768;
const LONGEST: i32 = 258;

/** Bytes that grow. */
class Output {
  bytes: Uint8Array = new Uint8Array(65536);
  length: i32 = 0;
  private bits: u32 = 0;
  private held: i32 = 0;

  byte(value: u8): void {
    if (this.length == this.bytes.length) {
      const larger = new Uint8Array(2 * this.length);
      larger.set(this.bytes);
      this.bytes = larger;
    }
    unchecked((this.bytes[this.length++] = value));
  }
  /** Big-endian, as PNG and zlib have it. */
  word(value: u32): void {
    for (let shift = 24; shift >= 0; shift -= 8) this.byte(<u8>(value >> shift));
  }
  /** The low `count` bits of `value`, which has no others; the lowest first. */
  low(value: u32, count: i32): void {
    this.bits |= value << this.held;
    for (this.held += count; this.held >= 8; this.held -= 8) {
      this.byte(<u8>this.bits);
      this.bits >>= 8;
    }
  }
  /** A code of Huffman's: the highest bit first. */
  code(value: u32, count: i32): void {
    let turned: u32 = 0;
    for (let k = 0; k < count; k++) turned |= ((value >> k) & 1) << (count - 1 - k);
    this.low(turned, count);
  }
  align(): void {
    if (this.held > 0) this.byte(<u8>this.bits);
    this.bits = 0;
    this.held = 0;
  }
}

function symbol(out: Output, value: i32): void {
  if (value < 144) out.code(0x30 + value, 8);
  else if (value < 256) out.code(0x190 + value - 144, 9);
  else if (value < 280) out.code(value - 256, 7);
  else out.code(0xc0 + value - 280, 8);
}

/** A length or a distance, less its least: codes come in groups of `group`, each group with one more bit behind than the last. */
function extraBits(value: i32, group: i32): i32 {
  return value < 2 * group ? 0 : 31 - clz<i32>(value / group);
}

function match(out: Output, length: i32, distance: i32): void {
  if (length == LONGEST) {
    symbol(out, 285);
  } else {
    const value = length - 3;
    const extra = extraBits(value, 4);
    symbol(out, 257 + 4 * extra + (value >> extra));
    out.low(value & ((1 << extra) - 1), extra);
  }
  const value = distance - 1;
  const extra = extraBits(value, 2);
  out.code(2 * extra + (value >> extra), 5);
  out.low(value & ((1 << extra) - 1), extra);
}

function hashOf(four: u32): i32 {
  return (four * 0x9e3779b1) >> 17;
}

function deflate(out: Output, data: Uint8Array): void {
  // By the hash of four bytes the last place that has them, plus one: 0 is none.
  const places = new StaticArray<i32>(32768);
  const start = data.dataStart;
  const end = data.length;
  out.low(0b011, 3);
  for (let at = 0; at < end; ) {
    let length = 1;
    let distance = 0;
    if (at + 4 <= end) {
      const four = load<u32>(start + at);
      const before = places[hashOf(four)] - 1;
      if (before >= 0 && at - before <= WINDOW && load<u32>(start + before) == four) {
        distance = at - before;
        length = 4;
        const most = min(LONGEST, end - at);
        while (length < most && load<u8>(start + before + length) == load<u8>(start + at + length)) length++;
      }
    }
    if (distance > 0) match(out, length, distance);
    else symbol(out, data[at]);
    const next = at + length;
    for (; at < next; at++) if (at + 4 <= end) unchecked((places[hashOf(load<u32>(start + at))] = at + 1));
  }
  symbol(out, 256);
  out.align();
}

function adler32(data: Uint8Array): u32 {
  let a: u32 = 1;
  let b: u32 = 0;
  for (let k = 0; k < data.length; k++) {
    a = (a + unchecked(data[k])) % 65521;
    b = (b + a) % 65521;
  }
  return (b << 16) | a;
}

function crc32(bytes: Uint8Array, from: i32, to: i32): u32 {
  let crc: u32 = 0xffffffff;
  for (let k = from; k < to; k++) {
    crc ^= unchecked(bytes[k]);
    for (let bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0xedb88320 & (0 - (crc & 1)));
  }
  return ~crc;
}

/** Writes the name of a chunk; `end` writes its length and its checksum. */
function begin(out: Output, name: string): i32 {
  const at = out.length;
  out.word(0);
  for (let k = 0; k < 4; k++) out.byte(<u8>name.charCodeAt(k));
  return at;
}

function end(out: Output, at: i32): void {
  store<u32>(out.bytes.dataStart + at, bswap<u32>(out.length - at - 8));
  out.word(crc32(out.bytes, at + 4, out.length));
}

/** An image of one index a pixel; `palette` has red, green, blue and alpha of each colour. */
export function encodePng(width: i32, height: i32, pixels: Uint8Array, palette: Uint8Array): Uint8Array {
  const out = new Output();
  out.word(0x89504e47);
  out.word(0x0d0a1a0a);
  let chunk = begin(out, "IHDR");
  out.word(width);
  out.word(height);
  out.word(0x08030000);
  out.byte(0);
  end(out, chunk);
  chunk = begin(out, "PLTE");
  for (let k = 0; k < palette.length; k++) if ((k & 3) != 3) out.byte(palette[k]);
  end(out, chunk);

  // A byte before each line says how it is filtered: not at all.
  const lines = new Uint8Array(height * (width + 1));
  for (let y = 0; y < height; y++) lines.set(pixels.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  chunk = begin(out, "IDAT");
  out.byte(0x78);
  out.byte(0x01);
  deflate(out, lines);
  out.word(adler32(lines));
  end(out, chunk);
  chunk = begin(out, "IEND");
  end(out, chunk);
  return out.bytes.slice(0, out.length);
}
