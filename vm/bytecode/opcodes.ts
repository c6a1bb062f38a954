/**
 * The opcode table: every instruction of the profile, once (spec VM-OPCODES-1).
 *
 * Decoder, validator, encoder, disassembler, both engines and the tables in `specs/10-vm.md` read this file; nothing
 * else in the tree knows a code, an immediate or a price.
 *
 * Columns
 * - code: one byte, or `0xfc00 | sub` for the 0xfc prefix.
 * - name: the text-format name.
 * - immediates: what follows the opcode in the binary, see {@link Immediate}.
 * - signature: `operands:results` with `i` i32, `I` i64, `f` f32, `F` f64; `*` means the validator has a rule of its own.
 * - price: fuel, charged with the instruction's basic block (spec VM-FUEL-2). Bulk amounts come on top, see `bulk`.
 * - effects: `t` may trap, `f` may free a heap object, `b` bulk: also charges by its last operand (spec VM-FUEL-5).
 */
export type Immediate =
  | "" // nothing
  | "block" // block type: s33
  | "label" // label index
  | "labels" // br_table: vec(label) label
  | "func" // function index
  | "calli" // call_indirect: type index, table index
  | "local"
  | "global"
  | "table"
  | "memory" // one zero byte
  | "memarg" // alignment (log2), offset
  | "i32"
  | "i64"
  | "f32"
  | "f64"
  | "select" // vec(value type)
  | "reftype"
  | "data"
  | "dataMemory" // memory.init: data index, zero byte
  | "memoryMemory" // memory.copy: two zero bytes
  | "elem"
  | "elemTable" // table.init: element index, table index
  | "tableTable"; // table.copy: destination, source

/** What a bulk instruction's last operand counts; the divisor is in `fuel.ts` (spec VM-FUEL-5). */
export type Bulk = "bytes" | "elements" | "pages";

export interface Opcode {
  readonly code: number;
  readonly name: string;
  readonly immediate: Immediate;
  /** Signature, or undefined where the validator has a rule of its own. */
  readonly params: string | undefined;
  readonly results: string | undefined;
  readonly price: number;
  readonly mayTrap: boolean;
  readonly mayFree: boolean;
  readonly bulk: Bulk | undefined;
  /** memarg instructions: log2 of the natural alignment, else 0. */
  readonly align: number;
}

type Row = readonly [
  code: number,
  name: string,
  immediate: Immediate,
  signature: string,
  price: number,
  effects: string,
];

const ROWS: readonly Row[] = [
  // control
  [0x00, "unreachable", "", "*", 1, "t"],
  [0x01, "nop", "", ":", 1, ""],
  [0x02, "block", "block", "*", 0, ""],
  [0x03, "loop", "block", "*", 0, ""],
  [0x04, "if", "block", "*", 1, ""],
  [0x05, "else", "", "*", 0, ""],
  [0x0b, "end", "", "*", 0, ""],
  [0x0c, "br", "label", "*", 1, ""],
  [0x0d, "br_if", "label", "*", 1, ""],
  [0x0e, "br_table", "labels", "*", 1, ""],
  [0x0f, "return", "", "*", 1, ""],
  [0x10, "call", "func", "*", 1, "tf"],
  [0x11, "call_indirect", "calli", "*", 1, "tf"],
  // parametric
  [0x1a, "drop", "", "*", 1, ""],
  [0x1b, "select", "", "*", 1, ""],
  [0x1c, "select", "select", "*", 1, ""],
  // variables
  [0x20, "local.get", "local", "*", 1, ""],
  [0x21, "local.set", "local", "*", 1, ""],
  [0x22, "local.tee", "local", "*", 1, ""],
  [0x23, "global.get", "global", "*", 1, ""],
  [0x24, "global.set", "global", "*", 1, ""],
  // tables
  [0x25, "table.get", "table", "*", 1, "t"],
  [0x26, "table.set", "table", "*", 1, "t"],
  // memory
  [0x28, "i32.load", "memarg", "i:i", 1, "t"],
  [0x29, "i64.load", "memarg", "i:I", 1, "t"],
  [0x2a, "f32.load", "memarg", "i:f", 1, "t"],
  [0x2b, "f64.load", "memarg", "i:F", 1, "t"],
  [0x2c, "i32.load8_s", "memarg", "i:i", 1, "t"],
  [0x2d, "i32.load8_u", "memarg", "i:i", 1, "t"],
  [0x2e, "i32.load16_s", "memarg", "i:i", 1, "t"],
  [0x2f, "i32.load16_u", "memarg", "i:i", 1, "t"],
  [0x30, "i64.load8_s", "memarg", "i:I", 1, "t"],
  [0x31, "i64.load8_u", "memarg", "i:I", 1, "t"],
  [0x32, "i64.load16_s", "memarg", "i:I", 1, "t"],
  [0x33, "i64.load16_u", "memarg", "i:I", 1, "t"],
  [0x34, "i64.load32_s", "memarg", "i:I", 1, "t"],
  [0x35, "i64.load32_u", "memarg", "i:I", 1, "t"],
  [0x36, "i32.store", "memarg", "ii:", 1, "t"],
  [0x37, "i64.store", "memarg", "iI:", 1, "t"],
  [0x38, "f32.store", "memarg", "if:", 1, "t"],
  [0x39, "f64.store", "memarg", "iF:", 1, "t"],
  [0x3a, "i32.store8", "memarg", "ii:", 1, "t"],
  [0x3b, "i32.store16", "memarg", "ii:", 1, "t"],
  [0x3c, "i64.store8", "memarg", "iI:", 1, "t"],
  [0x3d, "i64.store16", "memarg", "iI:", 1, "t"],
  [0x3e, "i64.store32", "memarg", "iI:", 1, "t"],
  [0x3f, "memory.size", "memory", ":i", 1, ""],
  [0x40, "memory.grow", "memory", "i:i", 1, "bp"],
  // constants
  [0x41, "i32.const", "i32", ":i", 1, ""],
  [0x42, "i64.const", "i64", ":I", 1, ""],
  [0x43, "f32.const", "f32", ":f", 1, ""],
  [0x44, "f64.const", "f64", ":F", 1, ""],
  // i32 comparisons
  [0x45, "i32.eqz", "", "i:i", 1, ""],
  [0x46, "i32.eq", "", "ii:i", 1, ""],
  [0x47, "i32.ne", "", "ii:i", 1, ""],
  [0x48, "i32.lt_s", "", "ii:i", 1, ""],
  [0x49, "i32.lt_u", "", "ii:i", 1, ""],
  [0x4a, "i32.gt_s", "", "ii:i", 1, ""],
  [0x4b, "i32.gt_u", "", "ii:i", 1, ""],
  [0x4c, "i32.le_s", "", "ii:i", 1, ""],
  [0x4d, "i32.le_u", "", "ii:i", 1, ""],
  [0x4e, "i32.ge_s", "", "ii:i", 1, ""],
  [0x4f, "i32.ge_u", "", "ii:i", 1, ""],
  // i64 comparisons
  [0x50, "i64.eqz", "", "I:i", 1, ""],
  [0x51, "i64.eq", "", "II:i", 1, ""],
  [0x52, "i64.ne", "", "II:i", 1, ""],
  [0x53, "i64.lt_s", "", "II:i", 1, ""],
  [0x54, "i64.lt_u", "", "II:i", 1, ""],
  [0x55, "i64.gt_s", "", "II:i", 1, ""],
  [0x56, "i64.gt_u", "", "II:i", 1, ""],
  [0x57, "i64.le_s", "", "II:i", 1, ""],
  [0x58, "i64.le_u", "", "II:i", 1, ""],
  [0x59, "i64.ge_s", "", "II:i", 1, ""],
  [0x5a, "i64.ge_u", "", "II:i", 1, ""],
  // float comparisons
  [0x5b, "f32.eq", "", "ff:i", 1, ""],
  [0x5c, "f32.ne", "", "ff:i", 1, ""],
  [0x5d, "f32.lt", "", "ff:i", 1, ""],
  [0x5e, "f32.gt", "", "ff:i", 1, ""],
  [0x5f, "f32.le", "", "ff:i", 1, ""],
  [0x60, "f32.ge", "", "ff:i", 1, ""],
  [0x61, "f64.eq", "", "FF:i", 1, ""],
  [0x62, "f64.ne", "", "FF:i", 1, ""],
  [0x63, "f64.lt", "", "FF:i", 1, ""],
  [0x64, "f64.gt", "", "FF:i", 1, ""],
  [0x65, "f64.le", "", "FF:i", 1, ""],
  [0x66, "f64.ge", "", "FF:i", 1, ""],
  // i32 arithmetic
  [0x67, "i32.clz", "", "i:i", 1, ""],
  [0x68, "i32.ctz", "", "i:i", 1, ""],
  [0x69, "i32.popcnt", "", "i:i", 1, ""],
  [0x6a, "i32.add", "", "ii:i", 1, ""],
  [0x6b, "i32.sub", "", "ii:i", 1, ""],
  [0x6c, "i32.mul", "", "ii:i", 1, ""],
  [0x6d, "i32.div_s", "", "ii:i", 1, "t"],
  [0x6e, "i32.div_u", "", "ii:i", 1, "t"],
  [0x6f, "i32.rem_s", "", "ii:i", 1, "t"],
  [0x70, "i32.rem_u", "", "ii:i", 1, "t"],
  [0x71, "i32.and", "", "ii:i", 1, ""],
  [0x72, "i32.or", "", "ii:i", 1, ""],
  [0x73, "i32.xor", "", "ii:i", 1, ""],
  [0x74, "i32.shl", "", "ii:i", 1, ""],
  [0x75, "i32.shr_s", "", "ii:i", 1, ""],
  [0x76, "i32.shr_u", "", "ii:i", 1, ""],
  [0x77, "i32.rotl", "", "ii:i", 1, ""],
  [0x78, "i32.rotr", "", "ii:i", 1, ""],
  // i64 arithmetic
  [0x79, "i64.clz", "", "I:I", 1, ""],
  [0x7a, "i64.ctz", "", "I:I", 1, ""],
  [0x7b, "i64.popcnt", "", "I:I", 1, ""],
  [0x7c, "i64.add", "", "II:I", 1, ""],
  [0x7d, "i64.sub", "", "II:I", 1, ""],
  [0x7e, "i64.mul", "", "II:I", 1, ""],
  [0x7f, "i64.div_s", "", "II:I", 1, "t"],
  [0x80, "i64.div_u", "", "II:I", 1, "t"],
  [0x81, "i64.rem_s", "", "II:I", 1, "t"],
  [0x82, "i64.rem_u", "", "II:I", 1, "t"],
  [0x83, "i64.and", "", "II:I", 1, ""],
  [0x84, "i64.or", "", "II:I", 1, ""],
  [0x85, "i64.xor", "", "II:I", 1, ""],
  [0x86, "i64.shl", "", "II:I", 1, ""],
  [0x87, "i64.shr_s", "", "II:I", 1, ""],
  [0x88, "i64.shr_u", "", "II:I", 1, ""],
  [0x89, "i64.rotl", "", "II:I", 1, ""],
  [0x8a, "i64.rotr", "", "II:I", 1, ""],
  // f32 arithmetic
  [0x8b, "f32.abs", "", "f:f", 1, ""],
  [0x8c, "f32.neg", "", "f:f", 1, ""],
  [0x8d, "f32.ceil", "", "f:f", 1, ""],
  [0x8e, "f32.floor", "", "f:f", 1, ""],
  [0x8f, "f32.trunc", "", "f:f", 1, ""],
  [0x90, "f32.nearest", "", "f:f", 1, ""],
  [0x91, "f32.sqrt", "", "f:f", 1, ""],
  [0x92, "f32.add", "", "ff:f", 1, ""],
  [0x93, "f32.sub", "", "ff:f", 1, ""],
  [0x94, "f32.mul", "", "ff:f", 1, ""],
  [0x95, "f32.div", "", "ff:f", 1, ""],
  [0x96, "f32.min", "", "ff:f", 1, ""],
  [0x97, "f32.max", "", "ff:f", 1, ""],
  [0x98, "f32.copysign", "", "ff:f", 1, ""],
  // f64 arithmetic
  [0x99, "f64.abs", "", "F:F", 1, ""],
  [0x9a, "f64.neg", "", "F:F", 1, ""],
  [0x9b, "f64.ceil", "", "F:F", 1, ""],
  [0x9c, "f64.floor", "", "F:F", 1, ""],
  [0x9d, "f64.trunc", "", "F:F", 1, ""],
  [0x9e, "f64.nearest", "", "F:F", 1, ""],
  [0x9f, "f64.sqrt", "", "F:F", 1, ""],
  [0xa0, "f64.add", "", "FF:F", 1, ""],
  [0xa1, "f64.sub", "", "FF:F", 1, ""],
  [0xa2, "f64.mul", "", "FF:F", 1, ""],
  [0xa3, "f64.div", "", "FF:F", 1, ""],
  [0xa4, "f64.min", "", "FF:F", 1, ""],
  [0xa5, "f64.max", "", "FF:F", 1, ""],
  [0xa6, "f64.copysign", "", "FF:F", 1, ""],
  // conversions
  [0xa7, "i32.wrap_i64", "", "I:i", 1, ""],
  [0xa8, "i32.trunc_f32_s", "", "f:i", 1, "t"],
  [0xa9, "i32.trunc_f32_u", "", "f:i", 1, "t"],
  [0xaa, "i32.trunc_f64_s", "", "F:i", 1, "t"],
  [0xab, "i32.trunc_f64_u", "", "F:i", 1, "t"],
  [0xac, "i64.extend_i32_s", "", "i:I", 1, ""],
  [0xad, "i64.extend_i32_u", "", "i:I", 1, ""],
  [0xae, "i64.trunc_f32_s", "", "f:I", 1, "t"],
  [0xaf, "i64.trunc_f32_u", "", "f:I", 1, "t"],
  [0xb0, "i64.trunc_f64_s", "", "F:I", 1, "t"],
  [0xb1, "i64.trunc_f64_u", "", "F:I", 1, "t"],
  [0xb2, "f32.convert_i32_s", "", "i:f", 1, ""],
  [0xb3, "f32.convert_i32_u", "", "i:f", 1, ""],
  [0xb4, "f32.convert_i64_s", "", "I:f", 1, ""],
  [0xb5, "f32.convert_i64_u", "", "I:f", 1, ""],
  [0xb6, "f32.demote_f64", "", "F:f", 1, ""],
  [0xb7, "f64.convert_i32_s", "", "i:F", 1, ""],
  [0xb8, "f64.convert_i32_u", "", "i:F", 1, ""],
  [0xb9, "f64.convert_i64_s", "", "I:F", 1, ""],
  [0xba, "f64.convert_i64_u", "", "I:F", 1, ""],
  [0xbb, "f64.promote_f32", "", "f:F", 1, ""],
  [0xbc, "i32.reinterpret_f32", "", "f:i", 1, ""],
  [0xbd, "i64.reinterpret_f64", "", "F:I", 1, ""],
  [0xbe, "f32.reinterpret_i32", "", "i:f", 1, ""],
  [0xbf, "f64.reinterpret_i64", "", "I:F", 1, ""],
  [0xc0, "i32.extend8_s", "", "i:i", 1, ""],
  [0xc1, "i32.extend16_s", "", "i:i", 1, ""],
  [0xc2, "i64.extend8_s", "", "I:I", 1, ""],
  [0xc3, "i64.extend16_s", "", "I:I", 1, ""],
  [0xc4, "i64.extend32_s", "", "I:I", 1, ""],
  // references
  [0xd0, "ref.null", "reftype", "*", 1, ""],
  [0xd1, "ref.is_null", "", "*", 1, ""],
  [0xd2, "ref.func", "func", "*", 1, ""],
  // saturating truncation
  [0xfc00, "i32.trunc_sat_f32_s", "", "f:i", 1, ""],
  [0xfc01, "i32.trunc_sat_f32_u", "", "f:i", 1, ""],
  [0xfc02, "i32.trunc_sat_f64_s", "", "F:i", 1, ""],
  [0xfc03, "i32.trunc_sat_f64_u", "", "F:i", 1, ""],
  [0xfc04, "i64.trunc_sat_f32_s", "", "f:I", 1, ""],
  [0xfc05, "i64.trunc_sat_f32_u", "", "f:I", 1, ""],
  [0xfc06, "i64.trunc_sat_f64_s", "", "F:I", 1, ""],
  [0xfc07, "i64.trunc_sat_f64_u", "", "F:I", 1, ""],
  // bulk memory and tables
  [0xfc08, "memory.init", "dataMemory", "iii:", 1, "tb"],
  [0xfc09, "data.drop", "data", ":", 1, ""],
  [0xfc0a, "memory.copy", "memoryMemory", "iii:", 1, "tb"],
  [0xfc0b, "memory.fill", "memory", "iii:", 1, "tb"],
  [0xfc0c, "table.init", "elemTable", "iii:", 1, "te"],
  [0xfc0d, "elem.drop", "elem", ":", 1, ""],
  [0xfc0e, "table.copy", "tableTable", "*", 1, "te"],
  [0xfc0f, "table.grow", "table", "*", 1, "e"],
  [0xfc10, "table.size", "table", ":i", 1, ""],
  [0xfc11, "table.fill", "table", "*", 1, "te"],
];

/** log2 of the natural alignment of a memory access, from its name: the access width is in the name or is the type's. */
function naturalAlign(name: string): number {
  const width = /(?:load|store)(\d+)/.exec(name);
  const bits = width ? Number(width[1]) : name.includes("64") ? 64 : 32;
  return Math.log2(bits / 8);
}

function opcodeOf([code, name, immediate, signature, price, effects]: Row): Opcode {
  const own = signature === "*";
  const [params = "", results = ""] = signature.split(":");
  return {
    code,
    name,
    immediate,
    params: own ? undefined : params,
    results: own ? undefined : results,
    price,
    mayTrap: effects.includes("t"),
    mayFree: effects.includes("f"),
    bulk: effects.includes("p")
      ? "pages"
      : effects.includes("e")
        ? "elements"
        : effects.includes("b")
          ? "bytes"
          : undefined,
    align: immediate === "memarg" ? naturalAlign(name) : 0,
  };
}

/** Every opcode of the profile, in code order. */
export const OPCODES: readonly Opcode[] = ROWS.map(opcodeOf);

/** Number of 0xfc sub-opcodes in the profile. */
const PREFIXED = 18;

/** Dense lookup: index 0–255 is the one-byte code, 256 + sub the 0xfc prefix; undefined is outside the profile. */
export const OPCODE_BY_INDEX: readonly (Opcode | undefined)[] = (() => {
  const table: (Opcode | undefined)[] = new Array(256 + PREFIXED).fill(undefined);
  for (const opcode of OPCODES) table[opcodeIndex(opcode.code)] = opcode;
  return table;
})();

/** Index of a code in {@link OPCODE_BY_INDEX}. */
export function opcodeIndex(code: number): number {
  return code < 0x100 ? code : 256 + (code & 0xff);
}
