/**
 * Reads the binary format's primitives (core spec 2.0, §5.2) and, through the opcode table, its instructions. Every
 * error carries the offset it is about. Numbers stay off BigInt: a 64-bit one is two int32 words.
 */
import { DecodeError, UnsupportedFeature } from "../errors.ts";
import { decodeUtf8 } from "../utf8.ts";
import { type Immediate, OPCODE_BY_INDEX } from "./opcodes.ts";
import { Feature, refuseOpcode, refusePrefixed, refuseType } from "./profile.ts";
import { ValueCode, valueTypeOf } from "./structure.ts";

/** A cursor over `bytes[position, end)`. */
export class Reader {
  readonly bytes: Uint8Array;
  position: number;
  end: number;
  /** Words of the last 64-bit number read. */
  low = 0;
  high = 0;

  constructor(bytes: Uint8Array, position = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.position = position;
    this.end = end;
  }

  /** Moves on to `[position, end)`, so that one reader serves many function bodies. */
  reset(position: number, end: number): void {
    this.position = position;
    this.end = end;
  }

  readByte(): number {
    if (this.position >= this.end) throw new DecodeError(this.position, "unexpected end");
    return this.bytes[this.position++]!;
  }

  /** Steps over `length` bytes and returns the offset of the first. */
  skip(length: number): number {
    const start = this.position;
    if (length > this.end - start) throw new DecodeError(start, `unexpected end: ${length} bytes are announced`);
    this.position = start + length;
    return start;
  }

  readU32(): number {
    const byte = this.readByte();
    return byte < 0x80 ? byte : this.#longU32(byte);
  }

  #longU32(first: number): number {
    const start = this.position - 1;
    let value = first & 0x7f;
    for (let shift = 7; shift < 28; shift += 7) {
      const byte = this.readByte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    const last = this.readByte();
    if (last >= 0x80) throw new DecodeError(start, "integer representation too long");
    if (last > 0x0f) throw new DecodeError(start, "integer too large");
    return (value | (last << 28)) >>> 0;
  }

  readS32(): number {
    const byte = this.readByte();
    return byte < 0x80 ? (byte << 25) >> 25 : this.#longS32(byte);
  }

  #longS32(first: number): number {
    const start = this.position - 1;
    let value = first & 0x7f;
    for (let shift = 7; shift < 28; shift += 7) {
      const byte = this.readByte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value << (25 - shift)) >> (25 - shift);
    }
    const last = this.readByte();
    if (last >= 0x80) throw new DecodeError(start, "integer representation too long");
    // Bits 4–6 of the last byte must repeat the sign, bit 3.
    if (last > 0x07 && last < 0x78) throw new DecodeError(start, "integer too large");
    return value | (last << 28);
  }

  /** A signed 33-bit number, as block types have; exact as a JavaScript number. */
  readS33(): number {
    const byte = this.readByte();
    return byte < 0x80 ? (byte << 25) >> 25 : this.#longS33(byte);
  }

  #longS33(first: number): number {
    const start = this.position - 1;
    let value = first & 0x7f;
    for (let shift = 7; shift < 28; shift += 7) {
      const byte = this.readByte();
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value << (25 - shift)) >> (25 - shift);
    }
    const last = this.readByte();
    if (last >= 0x80) throw new DecodeError(start, "integer representation too long");
    // Bits 5–6 of the last byte must repeat the sign, bit 4.
    if (last > 0x0f && last < 0x70) throw new DecodeError(start, "integer too large");
    const word = (value | (last << 28)) >>> 0;
    return last & 0x10 ? word - 2 ** 32 : word;
  }

  /** A signed 64-bit number, left in `low` and `high`. */
  readS64(): void {
    const start = this.position;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 63; shift += 7) {
      const byte = this.readByte();
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) {
        if (byte & 0x40) {
          if (shift < 21) low |= -1 << (shift + 7);
          else if (shift === 21) low |= -1 << 28;
          high = shift < 28 ? -1 : high | (-1 << (shift - 25));
        }
        this.low = low;
        this.high = high;
        return;
      }
    }
    const last = this.readByte();
    if (last >= 0x80) throw new DecodeError(start, "integer representation too long");
    if (last !== 0 && last !== 0x7f) throw new DecodeError(start, "integer too large");
    this.low = low;
    this.high = high | (last << 31);
  }

  /** The next four bytes as they are, as an int32. */
  readWord(): number {
    const at = this.skip(4);
    const bytes = this.bytes;
    return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
  }

  /** The length of a vector whose items take at least one byte each, so that no length is believed unseen. */
  readCount(): number {
    const start = this.position;
    const count = this.readU32();
    if (count > this.end - this.position) throw new DecodeError(start, `unexpected end: a vector of ${count} items`);
    return count;
  }

  readName(): string {
    const start = this.skip(this.readU32());
    const name = decodeUtf8(this.bytes, start, this.position);
    if (name === undefined) throw new DecodeError(start, "malformed UTF-8 encoding");
    return name;
  }

  /** The code of a value type. */
  readValueCode(): ValueCode {
    const code = this.readByte();
    if (valueTypeOf(code) === undefined) refuseType(code, this.position - 1, "malformed value type");
    return code as ValueCode;
  }

  /** The code of a reference type. */
  readReferenceCode(): ValueCode {
    const code = this.readByte();
    if (code !== ValueCode.funcref && code !== ValueCode.externref)
      refuseType(code, this.position - 1, "malformed reference type");
    return code;
  }
}

/** The empty block type, code 0x40, as {@link Instruction.imm0}. */
export const EMPTY_BLOCK = -64;

/** One decoded instruction; {@link readInstruction} writes it over and over. */
export class Instruction {
  /** Offset of the opcode in the module. */
  offset = 0;
  /** Index in `OPCODE_BY_INDEX`. */
  index = 0;
  /**
   * The first immediate. Block types: the type index, or negative: {@link EMPTY_BLOCK}, else `imm0 & 0x7f` is the value code.
   * memarg: log2 of the alignment. br_table: the default label. select: the type's code when there is one type.
   * table.init: element index; table.copy: destination; call_indirect: type index.
   */
  imm0 = 0;
  /** The second immediate. memarg: the offset (u32). select: number of types. table.init, table.copy, call_indirect: (source) table. */
  imm1 = 0;
  /** Constants: i32 and f32 bits in `low`, i64 and f64 bits in both, as int32. */
  low = 0;
  high = 0;
  /** br_table's targets without the default, and select's types; the first `labelCount` are this instruction's. */
  labels: Uint32Array = new Uint32Array(16);
  labelCount = 0;

  addLabel(label: number): void {
    if (this.labelCount === this.labels.length) {
      const grown = new Uint32Array(this.labels.length * 2);
      grown.set(this.labels);
      this.labels = grown;
    }
    this.labels[this.labelCount++] = label;
  }
}

/** The table's immediates as numbers, so that reading one is a dense switch. */
const Shape = {
  none: 0,
  index: 1,
  memarg: 2,
  i32: 3,
  i64: 4,
  f32: 5,
  f64: 6,
  block: 7,
  labels: 8,
  select: 9,
  reference: 10,
  memory: 11,
  indexPair: 12,
  dataMemory: 13,
  memoryMemory: 14,
  illegal: 15,
} as const;

const SHAPE_OF: { readonly [immediate in Immediate]: number } = {
  "": Shape.none,
  block: Shape.block,
  label: Shape.index,
  labels: Shape.labels,
  func: Shape.index,
  calli: Shape.indexPair,
  local: Shape.index,
  global: Shape.index,
  table: Shape.index,
  memory: Shape.memory,
  memarg: Shape.memarg,
  i32: Shape.i32,
  i64: Shape.i64,
  f32: Shape.f32,
  f64: Shape.f64,
  select: Shape.select,
  reftype: Shape.reference,
  data: Shape.index,
  dataMemory: Shape.dataMemory,
  memoryMemory: Shape.memoryMemory,
  elem: Shape.index,
  elemTable: Shape.indexPair,
  tableTable: Shape.indexPair,
};

const SHAPES = Uint8Array.from(OPCODE_BY_INDEX, (opcode) => (opcode ? SHAPE_OF[opcode.immediate] : Shape.illegal));

/** The zero byte that stands where multi-memory has a memory index. */
function readMemory(reader: Reader): void {
  if (reader.readByte() !== 0) throw new UnsupportedFeature(reader.position - 1, Feature.multiMemory);
}

/** log2 of the alignment and the offset of a memory access. */
function readMemarg(reader: Reader, into: Instruction): void {
  const start = reader.position;
  const alignment = reader.readU32();
  if (alignment >= 0x40 && alignment < 0x80) throw new UnsupportedFeature(start, Feature.multiMemory);
  if (alignment >= 0x20) throw new DecodeError(start, "malformed memop flags");
  into.imm0 = alignment;
  const at = reader.position;
  // memory64 made the offset a u64, so more bytes or bits than a u32 has are its.
  let length = 0;
  while (length < 10 && at + length < reader.end && reader.bytes[at + length]! >= 0x80) length++;
  if (length < 4 || length === 10) into.imm1 = reader.readU32();
  else if (length === 4 && reader.bytes[at + 4]! <= 0x0f) into.imm1 = reader.readU32();
  else throw new UnsupportedFeature(at, Feature.memory64);
}

/**
 * Decodes the instruction at the reader's position into `into`, through the opcode table (spec VM-OPCODES-1). Throws a
 * DecodeError for a malformed one and UnsupportedFeature for one outside the profile.
 */
export function readInstruction(reader: Reader, into: Instruction): void {
  const offset = reader.position;
  into.offset = offset;
  let index = reader.readByte();
  if (index === 0xfc) {
    const sub = reader.readU32();
    index = 256 + sub;
    if (index >= SHAPES.length) refusePrefixed(sub, offset);
  }
  into.index = index;
  switch (SHAPES[index]) {
    case Shape.none:
      return;
    case Shape.index:
      into.imm0 = reader.readU32();
      return;
    case Shape.memarg:
      readMemarg(reader, into);
      return;
    case Shape.i32:
      into.low = reader.readS32();
      return;
    case Shape.i64:
      reader.readS64();
      into.low = reader.low;
      into.high = reader.high;
      return;
    case Shape.f32:
      into.low = reader.readWord();
      return;
    case Shape.f64:
      into.low = reader.readWord();
      into.high = reader.readWord();
      return;
    case Shape.block:
      into.imm0 = readBlockType(reader);
      return;
    case Shape.labels: {
      into.labelCount = 0;
      const count = reader.readCount();
      for (let k = 0; k < count; k++) into.addLabel(reader.readU32());
      into.imm0 = reader.readU32();
      return;
    }
    case Shape.select: {
      into.labelCount = 0;
      const count = reader.readCount();
      for (let k = 0; k < count; k++) into.addLabel(reader.readValueCode());
      into.imm0 = into.labels[0]!;
      into.imm1 = count;
      return;
    }
    case Shape.reference:
      into.imm0 = readHeapType(reader);
      return;
    case Shape.memory:
      readMemory(reader);
      return;
    case Shape.indexPair:
      into.imm0 = reader.readU32();
      into.imm1 = reader.readU32();
      return;
    case Shape.dataMemory:
      into.imm0 = reader.readU32();
      readMemory(reader);
      return;
    case Shape.memoryMemory:
      readMemory(reader);
      readMemory(reader);
      return;
    default:
      refuseOpcode(index, offset);
  }
}

/** A block type: a type index, or empty or a value type, whose code is one byte (core spec §5.4.1). */
function readBlockType(reader: Reader): number {
  const type = readTypeIndexOrCode(reader);
  if (type < 0 && type !== EMPTY_BLOCK) {
    reader.position--;
    reader.readValueCode();
  }
  return type;
}

/** The type of `ref.null`; a type index is what typed function references put here. */
function readHeapType(reader: Reader): number {
  const start = reader.position;
  if (readTypeIndexOrCode(reader) >= 0) throw new UnsupportedFeature(start, Feature.functionReferences);
  reader.position--;
  return reader.readReferenceCode();
}

/** A type index as a positive s33, or a negative one-byte code; a code in a longer form is malformed. */
function readTypeIndexOrCode(reader: Reader): number {
  const start = reader.position;
  const type = reader.readS33();
  if (type < 0 && reader.position - start > 1) throw new DecodeError(start, "a type code of more than one byte");
  return type;
}
