/**
 * Decodes a module's sections (core spec 2.0, §5.5; spec VM-DECODE). Function bodies and constant expressions stay
 * where they are, as byte ranges; `validate.ts` reads their instructions.
 */
import { DecodeError, UnsupportedFeature } from "../errors.ts";
import { checkLimit, type ModuleLimits } from "../limits.ts";
import { readNames } from "./names.ts";
import { OPCODE_BY_INDEX } from "./opcodes.ts";
import { Feature, refuseType } from "./profile.ts";
import { Instruction, Reader, readInstruction } from "./reader.ts";
import {
  type ConstantExpression,
  type CustomSection,
  type DataSegment,
  type ElementSegment,
  type Export,
  type ExternKind,
  type ExternType,
  type FunctionBody,
  type FunctionType,
  type GlobalDefinition,
  type GlobalType,
  type Import,
  type LimitsType,
  type MemoryType,
  type ModuleStructure,
  type Names,
  type RefType,
  type Section,
  SectionId,
  type TableType,
  type ValueType,
  valueTypeOf,
} from "./structure.ts";

const MAGIC = 0x6d736100;
const VERSION = 1;
/** The version word of a component. */
const COMPONENT = 0x0001000d;

/** Place of each section id in a module. */
const RANK: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 10];

/** What an instruction adds to the number of open blocks, by opcode index. */
const NESTING = Int8Array.from(OPCODE_BY_INDEX, (opcode) =>
  opcode?.immediate === "block" ? 1 : opcode?.name === "end" ? -1 : 0,
);

const KINDS: readonly ExternKind[] = ["function", "table", "memory", "global"];

/**
 * Decodes `bytes`, which the result keeps and points into: they must not change. Throws DecodeError, UnsupportedFeature
 * or, for what is over `limits`, LimitError. The instructions of function bodies are not looked at. Of a `known` module,
 * one that was found valid before, the bodies are found when they are asked for: to walk over all takes longer than the rest.
 */
export function decode(bytes: Uint8Array, limits: ModuleLimits, known = false): ModuleStructure {
  checkLimit(limits, "moduleBytes", bytes.length);
  return new Decoder(bytes, limits, known).module();
}

class Decoder {
  readonly #reader: Reader;
  readonly #limits: ModuleLimits;
  readonly #isKnown: boolean;
  readonly #instruction = new Instruction();

  readonly #sections: Section[] = [];
  readonly #customs: CustomSection[] = [];
  #types: readonly FunctionType[] = [];
  #imports: readonly Import[] = [];
  #functions: readonly number[] = [];
  #tables: readonly TableType[] = [];
  #memories: readonly MemoryType[] = [];
  #globals: readonly GlobalDefinition[] = [];
  #exports: readonly Export[] = [];
  #start: number | undefined;
  #elements: readonly ElementSegment[] = [];
  #dataCount: number | undefined;
  #bodyCount = 0;
  #bodies: () => readonly FunctionBody[] = () => [];
  #data: readonly DataSegment[] = [];

  constructor(bytes: Uint8Array, limits: ModuleLimits, known: boolean) {
    this.#reader = new Reader(bytes);
    this.#limits = limits;
    this.#isKnown = known;
  }

  module(): ModuleStructure {
    const reader = this.#reader;
    const { bytes } = reader;
    if (reader.readWord() !== MAGIC) throw new DecodeError(0, "magic header not detected");
    const version = reader.readWord();
    if (version === COMPONENT) throw new UnsupportedFeature(4, Feature.components);
    if (version !== VERSION) throw new DecodeError(4, `unknown binary version ${version >>> 0}`);
    while (reader.position < bytes.length) this.#section();
    if (this.#functions.length !== this.#bodyCount)
      throw new DecodeError(bytes.length, "function and code section have inconsistent lengths");
    if (this.#dataCount !== undefined && this.#dataCount !== this.#data.length)
      throw new DecodeError(bytes.length, "data count and data section have inconsistent lengths");
    const bodies = this.#bodies;
    const customs = this.#customs;
    let names: Names | undefined;
    return {
      bytes,
      sections: this.#sections,
      types: this.#types,
      imports: this.#imports,
      functions: this.#functions,
      tables: this.#tables,
      memories: this.#memories,
      globals: this.#globals,
      exports: this.#exports,
      start: this.#start,
      elements: this.#elements,
      dataCount: this.#dataCount,
      get bodies() {
        return bodies();
      },
      data: this.#data,
      customs,
      get names() {
        names ??= readNames(bytes, customs);
        return names;
      },
    };
  }

  #section(): void {
    const reader = this.#reader;
    const at = reader.position;
    const id = reader.readByte();
    const length = reader.readU32();
    const start = reader.skip(length);
    const end = reader.position;
    reader.reset(start, end);
    const after = this.#sections.at(-1)?.id ?? SectionId.custom;
    if (id === SectionId.custom) {
      const name = this.#name();
      this.#customs.push({ name, start: reader.position, end, after });
      reader.position = end;
    } else {
      if (id === SectionId.tag) throw new UnsupportedFeature(at, Feature.exceptions);
      const rank = RANK[id];
      if (rank === undefined) throw new DecodeError(at, `malformed section id ${id}`);
      if (rank <= RANK[after]!) throw new DecodeError(at, `section ${id} is repeated or out of order`);
      this.#sections.push({ id, start, end });
      this.#contents(id);
    }
    if (reader.position !== end) throw new DecodeError(reader.position, "section size mismatch");
    reader.reset(end, reader.bytes.length);
  }

  #contents(id: number): void {
    const imported = (kind: ExternKind) => this.#imports.filter(({ type }) => type.kind === kind).length;
    switch (id) {
      case SectionId.type:
        this.#types = this.#vector("types", 0, () => this.#functionType());
        break;
      case SectionId.import:
        this.#imports = this.#vector("imports", 0, () => this.#import());
        checkLimit(this.#limits, "functions", imported("function"), this.#reader.position);
        checkLimit(this.#limits, "tables", imported("table"), this.#reader.position);
        checkLimit(this.#limits, "globals", imported("global"), this.#reader.position);
        break;
      case SectionId.function:
        this.#functions = this.#vector("functions", imported("function"), () => this.#reader.readU32());
        break;
      case SectionId.table:
        this.#tables = this.#vector("tables", imported("table"), () => this.#tableType());
        break;
      case SectionId.memory:
        this.#memories = this.#vector(undefined, 0, () => this.#limitsType(true));
        break;
      case SectionId.global:
        this.#globals = this.#vector("globals", imported("global"), () => {
          const type = this.#globalType();
          return { type, init: this.#expression() };
        });
        break;
      case SectionId.export:
        this.#exports = this.#vector("exports", 0, () => this.#export());
        break;
      case SectionId.start:
        this.#start = this.#reader.readU32();
        break;
      case SectionId.element:
        this.#elements = this.#vector("elementSegments", 0, () => this.#element());
        break;
      case SectionId.dataCount:
        this.#dataCount = this.#reader.readU32();
        break;
      case SectionId.code:
        this.#code();
        break;
      case SectionId.data:
        this.#data = this.#vector("dataSegments", 0, () => this.#dataSegment());
        break;
    }
  }

  /** A vector of what `read` reads; its length plus `others` is under the limit `limit`. */
  #vector<Item>(limit: keyof ModuleLimits | undefined, others: number, read: (index: number) => Item): Item[] {
    const at = this.#reader.position;
    const count = this.#reader.readCount();
    if (limit !== undefined) checkLimit(this.#limits, limit, count + others, at);
    const items: Item[] = [];
    for (let k = 0; k < count; k++) items.push(read(k));
    return items;
  }

  #name(): string {
    const reader = this.#reader;
    const start = reader.position;
    const length = reader.readU32();
    checkLimit(this.#limits, "nameBytes", length, start);
    reader.position = start;
    return reader.readName();
  }

  #valueType(): ValueType {
    return valueTypeOf(this.#reader.readValueCode())!;
  }

  #refType(): RefType {
    return valueTypeOf(this.#reader.readReferenceCode()) as RefType;
  }

  #functionType(): FunctionType {
    const at = this.#reader.position;
    const form = this.#reader.readByte();
    if (form !== 0x60) refuseType(form, at, "malformed type form");
    const params = this.#vector("functionParams", 0, () => this.#valueType());
    return { params, results: this.#vector("functionResults", 0, () => this.#valueType()) };
  }

  #limitsType(ofMemory: boolean): LimitsType {
    const reader = this.#reader;
    const at = reader.position;
    const flags = reader.readByte();
    if (flags > (ofMemory ? 0x0f : 0x07)) throw new DecodeError(at, `malformed limits flags 0x${flags.toString(16)}`);
    if (flags & 8) throw new UnsupportedFeature(at, Feature.pageSizes);
    if (flags & 4) throw new UnsupportedFeature(at, Feature.memory64);
    if (flags & 2) throw new UnsupportedFeature(at, Feature.threads);
    const minimum = reader.readU32();
    return { minimum, maximum: flags & 1 ? reader.readU32() : undefined };
  }

  #tableType(): TableType {
    const reader = this.#reader;
    if (reader.bytes[reader.position] === 0x40)
      throw new UnsupportedFeature(reader.position, Feature.functionReferences);
    const element = this.#refType();
    return { element, ...this.#limitsType(false) };
  }

  #globalType(): GlobalType {
    const value = this.#valueType();
    const mutable = this.#reader.readByte();
    if (mutable > 1) throw new DecodeError(this.#reader.position - 1, "malformed mutability");
    return { value, mutable: mutable === 1 };
  }

  #import(): Import {
    const reader = this.#reader;
    const offset = reader.position;
    const module = this.#name();
    const name = this.#name();
    const at = reader.position;
    const kind = reader.readByte();
    let typeIndex = -1;
    let type: ExternType;
    switch (kind) {
      case 0: {
        typeIndex = reader.readU32();
        // The validator refuses an index without a type; until then the import has an empty one.
        type = { kind: "function", type: this.#types[typeIndex] ?? { params: [], results: [] } };
        break;
      }
      case 1:
        type = { kind: "table", type: this.#tableType() };
        break;
      case 2:
        type = { kind: "memory", type: this.#limitsType(true) };
        break;
      case 3:
        type = { kind: "global", type: this.#globalType() };
        break;
      case 4:
        throw new UnsupportedFeature(at, Feature.exceptions);
      default:
        throw new DecodeError(at, "malformed import kind");
    }
    return { module, name, type, typeIndex, offset };
  }

  #export(): Export {
    const reader = this.#reader;
    const offset = reader.position;
    const name = this.#name();
    const at = reader.position;
    const code = reader.readByte();
    if (code === 4) throw new UnsupportedFeature(at, Feature.exceptions);
    const kind = KINDS[code];
    if (kind === undefined) throw new DecodeError(at, "malformed export kind");
    return { name, kind, index: reader.readU32(), offset };
  }

  /** The range of a constant expression: to the `end` that matches no block, though a block is never constant. */
  #expression(): ConstantExpression {
    const reader = this.#reader;
    const start = reader.position;
    for (let depth = 1; depth > 0; ) {
      readInstruction(reader, this.#instruction);
      depth += NESTING[this.#instruction.index]!;
    }
    return { start, end: reader.position };
  }

  #element(): ElementSegment {
    const reader = this.#reader;
    const start = reader.position;
    const flags = reader.readU32();
    if (flags > 7) throw new DecodeError(start, "malformed element segment flags");
    const mode = flags & 1 ? (flags & 2 ? "declarative" : "passive") : "active";
    const table = (flags & 3) === 2 ? reader.readU32() : 0;
    const offset = mode === "active" ? this.#expression() : undefined;
    let element: RefType = "funcref";
    if (flags & 3) {
      if (flags & 4) element = this.#refType();
      else if (reader.readByte() !== 0) throw new DecodeError(reader.position - 1, "malformed element kind");
    }
    const items = this.#vector<number | ConstantExpression>("elementItems", 0, () =>
      flags & 4 ? this.#expression() : reader.readU32(),
    );
    return { mode, table, offset, element, items, flags, start };
  }

  #code(): void {
    const reader = this.#reader;
    const { position: start, end } = reader;
    let bodies: readonly FunctionBody[] | undefined;
    const read = (): readonly FunctionBody[] => {
      reader.reset(start, end);
      return this.#vector(undefined, 0, (k) => this.#body(k));
    };
    this.#bodies = () => {
      bodies ??= read();
      return bodies;
    };
    if (this.#isKnown) {
      this.#bodyCount = reader.readCount();
      reader.position = end;
    } else this.#bodyCount = this.#bodies().length;
  }

  #body(index: number): FunctionBody {
    const reader = this.#reader;
    const at = reader.position;
    const size = reader.readU32();
    checkLimit(this.#limits, "functionBytes", size, at);
    const start = reader.skip(size);
    const end = reader.position;
    const sectionEnd = reader.end;
    reader.reset(start, end);
    let localCount = 0;
    const locals = this.#vector(undefined, 0, () => {
      const count = reader.readU32();
      localCount += count;
      if (localCount > 0xffff_ffff) throw new DecodeError(start, "too many locals");
      return { count, type: this.#valueType() };
    });
    const params = this.#types[this.#functions[index] ?? -1]?.params.length ?? 0;
    checkLimit(this.#limits, "functionLocals", params + localCount, start);
    const code = reader.position;
    reader.reset(end, sectionEnd);
    return { start, end, code, locals, localCount };
  }

  #dataSegment(): DataSegment {
    const reader = this.#reader;
    const at = reader.position;
    const flags = reader.readU32();
    if (flags > 2) throw new DecodeError(at, "malformed data segment flags");
    const memory = flags === 2 ? reader.readU32() : 0;
    const offset = flags === 1 ? undefined : this.#expression();
    const start = reader.skip(reader.readU32());
    return { mode: flags === 1 ? "passive" : "active", memory, offset, start, end: reader.position, flags };
  }
}
