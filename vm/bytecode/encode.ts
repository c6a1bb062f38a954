/**
 * Writes a decoded module back (spec VM-ENCODE). A module whose integers are all in their shortest form comes back byte
 * for byte; instructions go through the opcode table, they are not copied.
 */
import { type Immediate, OPCODE_BY_INDEX } from "./opcodes.ts";
import { Instruction, Reader, readInstruction } from "./reader.ts";
import {
  type ConstantExpression,
  type DataSegment,
  type ElementSegment,
  type ExternKind,
  type FunctionBody,
  type FunctionType,
  type GlobalType,
  type Import,
  type LimitsType,
  type ModuleStructure,
  SectionId,
  type TableType,
  ValueCode,
  type ValueType,
} from "./structure.ts";
import { Writer } from "./writer.ts";

const HEADER = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00);
/** Ids of the sections in the order they are written in. */
const ORDER: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11];
const KIND_CODES: { readonly [kind in ExternKind]: number } = { function: 0, table: 1, memory: 2, global: 3 };

/**
 * The module's bytes. `structure` must be decoded and valid; throws what `readInstruction` throws for a body that is not.
 */
export function encode(structure: ModuleStructure): Uint8Array<ArrayBuffer> {
  const writer = new Writer(structure.bytes.length + 64);
  const encoder = new Encoder(structure, writer);
  writer.copy(HEADER);
  encoder.customs(SectionId.custom);
  for (const id of ORDER) {
    encoder.section(id);
    encoder.customs(id);
  }
  return writer.written.slice();
}

/** Writes one instruction, opcode and immediates in their shortest form. */
export function writeInstruction(writer: Writer, instruction: Instruction): void {
  const { index, imm0, imm1 } = instruction;
  if (index < 256) writer.byte(index);
  else {
    writer.byte(0xfc);
    writer.u32(index - 256);
  }
  WRITE[OPCODE_BY_INDEX[index]!.immediate](writer, instruction, imm0, imm1);
}

type WriteImmediate = (writer: Writer, instruction: Instruction, imm0: number, imm1: number) => void;

const writeIndex: WriteImmediate = (writer, _, index) => writer.u32(index);
const writePair: WriteImmediate = (writer, _, first, second) => {
  writer.u32(first);
  writer.u32(second);
};
const writeZero: WriteImmediate = (writer) => writer.byte(0);

const WRITE: { readonly [immediate in Immediate]: WriteImmediate } = {
  "": () => {},
  block: (writer, _, type) => writer.blockType(type),
  label: writeIndex,
  labels: (writer, { labels, labelCount }, fallback) => {
    writer.u32(labelCount);
    for (let k = 0; k < labelCount; k++) writer.u32(labels[k]!);
    writer.u32(fallback);
  },
  func: writeIndex,
  calli: writePair,
  local: writeIndex,
  global: writeIndex,
  table: writeIndex,
  memory: writeZero,
  memarg: writePair,
  i32: (writer, { low }) => writer.s32(low),
  i64: (writer, { low, high }) => writer.s64(low, high),
  f32: (writer, { low }) => writer.word(low),
  f64: (writer, { low, high }) => {
    writer.word(low);
    writer.word(high);
  },
  select: (writer, { labels, labelCount }) => {
    writer.u32(labelCount);
    for (let k = 0; k < labelCount; k++) writer.byte(labels[k]!);
  },
  reftype: (writer, _, code) => writer.byte(code),
  data: writeIndex,
  dataMemory: (writer, _, data) => {
    writer.u32(data);
    writer.byte(0);
  },
  memoryMemory: (writer) => {
    writer.byte(0);
    writer.byte(0);
  },
  elem: writeIndex,
  elemTable: writePair,
  tableTable: writePair,
};

class Encoder {
  readonly #structure: ModuleStructure;
  readonly #writer: Writer;
  readonly #reader: Reader;
  readonly #instruction = new Instruction();

  constructor(structure: ModuleStructure, writer: Writer) {
    this.#structure = structure;
    this.#writer = writer;
    this.#reader = new Reader(structure.bytes);
  }

  /** The custom sections that stand behind section `after`. */
  customs(after: number): void {
    for (const custom of this.#structure.customs) {
      if (custom.after !== after) continue;
      this.#writer.byte(SectionId.custom);
      const start = this.#writer.beginSized();
      this.#writer.name(custom.name);
      this.#writer.copy(this.#structure.bytes, custom.start, custom.end);
      this.#writer.endSized(start);
    }
  }

  /** Section `id`, if the module has it. */
  section(id: number): void {
    const { sections, types, imports, functions, tables, memories, globals, exports } = this.#structure;
    const { start, elements, dataCount, bodies, data } = this.#structure;
    if (!sections.some((section) => section.id === id)) return;
    const writer = this.#writer;
    writer.byte(id);
    const sized = writer.beginSized();
    switch (id) {
      case SectionId.type:
        this.#vector(types, (type) => this.#functionType(type));
        break;
      case SectionId.import:
        this.#vector(imports, (entry) => this.#import(entry));
        break;
      case SectionId.function:
        this.#vector(functions, (type) => writer.u32(type));
        break;
      case SectionId.table:
        this.#vector(tables, (table) => this.#tableType(table));
        break;
      case SectionId.memory:
        this.#vector(memories, (memory) => this.#limits(memory));
        break;
      case SectionId.global:
        this.#vector(globals, ({ type, init }) => {
          this.#globalType(type);
          this.#expression(init);
        });
        break;
      case SectionId.export:
        this.#vector(exports, ({ name, kind, index }) => {
          writer.name(name);
          writer.byte(KIND_CODES[kind]);
          writer.u32(index);
        });
        break;
      case SectionId.start:
        writer.u32(start!);
        break;
      case SectionId.element:
        this.#vector(elements, (segment) => this.#element(segment));
        break;
      case SectionId.dataCount:
        writer.u32(dataCount!);
        break;
      case SectionId.code:
        this.#vector(bodies, (body) => this.#body(body));
        break;
      case SectionId.data:
        this.#vector(data, (segment) => this.#data(segment));
        break;
    }
    writer.endSized(sized);
  }

  #vector<Item>(items: readonly Item[], write: (item: Item) => void): void {
    this.#writer.u32(items.length);
    for (const item of items) write(item);
  }

  #valueType(type: ValueType): void {
    this.#writer.byte(ValueCode[type]);
  }

  #functionType({ params, results }: FunctionType): void {
    this.#writer.byte(0x60);
    this.#vector(params, (type) => this.#valueType(type));
    this.#vector(results, (type) => this.#valueType(type));
  }

  #limits({ minimum, maximum }: LimitsType): void {
    this.#writer.byte(maximum === undefined ? 0 : 1);
    this.#writer.u32(minimum);
    if (maximum !== undefined) this.#writer.u32(maximum);
  }

  #tableType(type: TableType): void {
    this.#valueType(type.element);
    this.#limits(type);
  }

  #globalType({ value, mutable }: GlobalType): void {
    this.#valueType(value);
    this.#writer.byte(mutable ? 1 : 0);
  }

  #import({ module, name, type, typeIndex }: Import): void {
    this.#writer.name(module);
    this.#writer.name(name);
    this.#writer.byte(KIND_CODES[type.kind]);
    switch (type.kind) {
      case "function":
        this.#writer.u32(typeIndex);
        break;
      case "table":
        this.#tableType(type.type);
        break;
      case "memory":
        this.#limits(type.type);
        break;
      case "global":
        this.#globalType(type.type);
        break;
    }
  }

  #element({ flags, table, offset, element, items }: ElementSegment): void {
    const writer = this.#writer;
    writer.u32(flags);
    if ((flags & 3) === 2) writer.u32(table);
    if (offset) this.#expression(offset);
    if (flags & 3) {
      if (flags & 4) this.#valueType(element);
      else writer.byte(0);
    }
    this.#vector(items, (item) => {
      if (typeof item === "number") writer.u32(item);
      else this.#expression(item);
    });
  }

  #data({ flags, memory, offset, start, end }: DataSegment): void {
    this.#writer.u32(flags);
    if (flags === 2) this.#writer.u32(memory);
    if (offset) this.#expression(offset);
    this.#writer.u32(end - start);
    this.#writer.copy(this.#structure.bytes, start, end);
  }

  #body({ code, end, locals }: FunctionBody): void {
    const sized = this.#writer.beginSized();
    this.#vector(locals, ({ count, type }) => {
      this.#writer.u32(count);
      this.#valueType(type);
    });
    this.#instructions(code, end);
    this.#writer.endSized(sized);
  }

  #expression({ start, end }: ConstantExpression): void {
    this.#instructions(start, end);
  }

  #instructions(start: number, end: number): void {
    this.#reader.reset(start, end);
    while (this.#reader.position < end) {
      readInstruction(this.#reader, this.#instruction);
      writeInstruction(this.#writer, this.#instruction);
    }
  }
}
