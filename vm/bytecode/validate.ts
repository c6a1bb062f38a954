/**
 * Validation (core spec 2.0, chapter 3; spec VM-VALIDATE): sections first, then each body in one pass by the algorithm
 * of the core spec's appendix. It proves what the engines rely on; they check nothing of it again.
 */
import { DecodeError, LimitError, UnsupportedFeature, ValidationError } from "../errors.ts";
import type { ModuleLimits } from "../limits.ts";
import { type Immediate, OPCODE_BY_INDEX, type Opcode } from "./opcodes.ts";
import { Feature } from "./profile.ts";
import { EMPTY_BLOCK, Instruction, Reader, readInstruction } from "./reader.ts";
import {
  type ConstantExpression,
  type ExternKind,
  type FunctionType,
  type GlobalType,
  type LimitsType,
  type ModuleStructure,
  type RefType,
  SectionId,
  ValueCode,
  type ValueType,
  valueTypeOf,
} from "./structure.ts";

/** What validation learns on its way. */
export interface ValidationFacts extends SectionFacts {
  /** Per defined function: the most values its operand stack holds after any instruction, dead code included. */
  readonly maxHeight: Int32Array;
  /** Per defined function: 1 if the body has a `call`, but of an import of `bytes`, or a `call_indirect` (VM-DEPTH-2). */
  readonly hasCalls: Uint8Array;
}

/** The part of it that the sections tell, without the bodies. */
export interface SectionFacts {
  /** Per function index: 1 if `ref.func` may name it in a body. */
  readonly declared: Uint8Array;
}

const MAX_PAGES = 65_536;

/**
 * Validates a decoded module. Throws ValidationError; DecodeError or UnsupportedFeature for an instruction that is
 * malformed or outside the profile; LimitError for `functionOperands` and `branchTargets`.
 */
export function validate(structure: ModuleStructure, limits: ModuleLimits): ValidationFacts {
  const context = contextOf(structure);
  const code = new CodeValidator(context, limits);
  checkTypes(structure);
  checkSections(structure, context, code);
  checkData(structure, context, code);
  const maxHeight = new Int32Array(structure.bodies.length);
  const hasCalls = new Uint8Array(structure.bodies.length);
  for (let k = 0; k < structure.bodies.length; k++) {
    code.body(k);
    maxHeight[k] = code.maxHeight;
    hasCalls[k] = code.hasCalls ? 1 : 0;
  }
  return { maxHeight, hasCalls, declared: context.declared };
}

/** What a module that is valid says outside its bodies. */
export function sectionFacts(structure: ModuleStructure, limits: ModuleLimits): SectionFacts {
  const context = contextOf(structure);
  checkSections(structure, context, new CodeValidator(context, limits));
  return { declared: context.declared };
}

/** The index spaces, imports first, as the validation rules see them. */
interface Context {
  readonly structure: ModuleStructure;
  readonly signatures: Signatures;
  /** Type index of each function. */
  readonly functions: Int32Array;
  /** Per imported function: 1 if it is one of `bytes`, which are instructions. */
  readonly instructions: readonly number[];
  readonly tables: readonly RefType[];
  readonly memories: number;
  readonly globals: readonly GlobalType[];
  readonly importedGlobals: number;
  readonly declared: Uint8Array;
}

function contextOf(structure: ModuleStructure): Context {
  const functions: number[] = [];
  const instructions: number[] = [];
  const tables: RefType[] = [];
  const globals: GlobalType[] = [];
  let memories = structure.memories.length;
  for (const { module, type, typeIndex, offset } of structure.imports) {
    switch (type.kind) {
      case "function":
        if (typeIndex >= structure.types.length) throw new ValidationError(offset, `unknown type ${typeIndex}`);
        functions.push(typeIndex);
        instructions.push(module === "bytes" ? 1 : 0);
        break;
      case "table":
        checkLimitsType(type.type, 0xffff_ffff, offset);
        tables.push(type.type.element);
        break;
      case "memory":
        checkLimitsType(type.type, MAX_PAGES, offset);
        memories++;
        break;
      case "global":
        globals.push(type.type);
        break;
    }
  }
  const importedGlobals = globals.length;
  for (const type of structure.functions) functions.push(type);
  for (const { element } of structure.tables) tables.push(element);
  for (const { type } of structure.globals) globals.push(type);
  return {
    structure,
    signatures: signaturesOf(structure.types),
    functions: Int32Array.from(functions),
    instructions,
    tables,
    memories,
    globals,
    importedGlobals,
    declared: new Uint8Array(functions.length),
  };
}

/** Where the contents of section `id` begin. */
function sectionStart(structure: ModuleStructure, id: number): number {
  return structure.sections.find((section) => section.id === id)?.start ?? 0;
}

function checkTypes(structure: ModuleStructure): void {
  const { types, functions } = structure;
  for (let k = 0; k < functions.length; k++) {
    if (functions[k]! >= types.length)
      throw new ValidationError(functionEntry(structure, k), `unknown type ${functions[k]}`);
  }
}

function checkSections(structure: ModuleStructure, context: Context, code: CodeValidator): void {
  const { types, start, elements } = structure;
  for (const table of structure.tables) checkLimitsType(table, 0xffff_ffff, sectionStart(structure, SectionId.table));
  for (const memory of structure.memories)
    checkLimitsType(memory, MAX_PAGES, sectionStart(structure, SectionId.memory));
  if (context.memories > 1) {
    const offset = structure.memories.length
      ? sectionStart(structure, SectionId.memory)
      : structure.imports.findLast(({ type }) => type.kind === "memory")!.offset;
    throw new UnsupportedFeature(offset, Feature.multiMemory);
  }
  structure.globals.forEach(({ type, init }, k) => {
    code.constant(init, ValueCode[type.value], context.importedGlobals + k);
  });
  checkExports(structure, context);
  if (start !== undefined) {
    const offset = sectionStart(structure, SectionId.start);
    checkIndex(start, context.functions.length, "function", offset);
    const type = types[context.functions[start]!]!;
    if (type.params.length + type.results.length > 0)
      throw new ValidationError(offset, "the start function has parameters or results");
  }
  const allGlobals = context.globals.length;
  for (const { mode, table, offset, element, items, start: at } of elements) {
    if (mode === "active") {
      checkIndex(table, context.tables.length, "table", at);
      if (context.tables[table] !== element)
        throw new ValidationError(at, `type mismatch: a segment of ${element} for a table of ${context.tables[table]}`);
      code.constant(offset!, ValueCode.i32, allGlobals);
    }
    for (const item of items) {
      if (typeof item !== "number") code.constant(item, ValueCode[element], allGlobals);
      else {
        checkIndex(item, context.functions.length, "function", at);
        context.declared[item] = 1;
      }
    }
  }
}

function checkData({ data }: ModuleStructure, context: Context, code: CodeValidator): void {
  const allGlobals = context.globals.length;
  for (const { mode, memory, offset } of data) {
    if (mode !== "active") continue;
    checkIndex(memory, context.memories, "memory", offset!.start);
    code.constant(offset!, ValueCode.i32, allGlobals);
  }
}

function checkExports({ exports }: ModuleStructure, context: Context): void {
  const sizes: { readonly [kind in ExternKind]: number } = {
    function: context.functions.length,
    table: context.tables.length,
    memory: context.memories,
    global: context.globals.length,
  };
  const names = new Set<string>();
  for (const { name, kind, index, offset } of exports) {
    checkIndex(index, sizes[kind], kind, offset);
    if (kind === "function") context.declared[index] = 1;
    if (names.has(name)) throw new ValidationError(offset, `duplicate export name ${JSON.stringify(name)}`);
    names.add(name);
  }
}

/** Offset of the `index`-th entry of the function section; only errors want it. */
function functionEntry(structure: ModuleStructure, index: number): number {
  const reader = new Reader(structure.bytes, sectionStart(structure, SectionId.function));
  for (let k = 0; k <= index; k++) reader.readU32();
  return reader.position;
}

function checkLimitsType({ minimum, maximum }: LimitsType, ceiling: number, offset: number): void {
  if (minimum > ceiling || (maximum ?? 0) > ceiling)
    throw new ValidationError(offset, `memory size must be at most ${ceiling} pages`);
  if (maximum !== undefined && minimum > maximum)
    throw new ValidationError(offset, "size minimum must not be greater than maximum");
}

function checkIndex(index: number, size: number, what: string, offset: number): void {
  if (index >= size) throw new ValidationError(offset, `unknown ${what} ${index}`);
}

/**
 * Parameter and result codes of every type, end to end in one array. Block types are signatures too: before the
 * module's types stand the empty one and one for each value type (see {@link blockSignature}).
 */
interface Signatures {
  readonly codes: Uint8Array;
  /** Per signature: where its parameters begin; its results; and where they end. */
  readonly params: Int32Array;
  readonly results: Int32Array;
  readonly ends: Int32Array;
}

/** Signatures before type 0: that of a one-byte block type is its code's place here. */
const BLOCK_CODES: readonly number[] = [EMPTY_BLOCK & 0x7f, 0x7f, 0x7e, 0x7d, 0x7c, 0x70, 0x6f];
const FIRST_TYPE = BLOCK_CODES.length;
const SIGNATURE_OF_CODE = Uint8Array.from({ length: 128 }, (_, code) => Math.max(0, BLOCK_CODES.indexOf(code)));

function blockSignature(type: number): number {
  return type >= 0 ? type + FIRST_TYPE : SIGNATURE_OF_CODE[type & 0x7f]!;
}

function signaturesOf(types: readonly FunctionType[]): Signatures {
  const size = types.reduce((sum, { params, results }) => sum + params.length + results.length, FIRST_TYPE);
  const codes = new Uint8Array(size);
  const params = new Int32Array(FIRST_TYPE + types.length);
  const results = new Int32Array(FIRST_TYPE + types.length);
  const ends = new Int32Array(FIRST_TYPE + types.length);
  let at = 0;
  for (let k = 0; k < FIRST_TYPE; k++) {
    params[k] = results[k] = at;
    if (k > 0) codes[at++] = BLOCK_CODES[k]!;
    ends[k] = at;
  }
  types.forEach((type, k) => {
    params[FIRST_TYPE + k] = at;
    for (const value of type.params) codes[at++] = ValueCode[value];
    results[FIRST_TYPE + k] = at;
    for (const value of type.results) codes[at++] = ValueCode[value];
    ends[FIRST_TYPE + k] = at;
  });
  return { codes, params, results, ends };
}

/** The type of a value that dead code has not pinned down. */
const UNKNOWN = 0;

function nameOf(code: number): string {
  return valueTypeOf(code) ?? "any";
}

/** Opcodes whose typing rule is their own, not a signature of the table, by what the rule is about. */
const Rule = {
  signature: 0,
  checkedSignature: 1,
  unreachable: 2,
  block: 3,
  loop: 4,
  if: 5,
  else: 6,
  end: 7,
  br: 8,
  br_if: 9,
  br_table: 10,
  return: 11,
  call: 12,
  call_indirect: 13,
  drop: 14,
  select: 15,
  selectTyped: 16,
  "local.get": 17,
  "local.set": 18,
  "local.tee": 19,
  "global.get": 20,
  "global.set": 21,
  "table.get": 22,
  "table.set": 23,
  "table.copy": 24,
  "table.grow": 25,
  "table.fill": 26,
  "ref.null": 27,
  "ref.is_null": 28,
  "ref.func": 29,
} as const;

function ruleOf({ name, params, immediate }: Opcode): number {
  if (params !== undefined) return immediate === "" || isConstant(immediate) ? Rule.signature : Rule.checkedSignature;
  if (immediate === "select") return Rule.selectTyped;
  const rule = Rule[name as keyof typeof Rule];
  if (rule === undefined) throw new RangeError(`no typing rule for ${name}`);
  return rule;
}

function isConstant(immediate: Immediate): boolean {
  return immediate === "i32" || immediate === "i64" || immediate === "f32" || immediate === "f64";
}

const CODE_OF_LETTER: { readonly [letter: string]: number } = { i: 0x7f, I: 0x7e, f: 0x7d, F: 0x7c };

/** A column of the opcode table as bytes by opcode index; 0 where there is no opcode. */
function column(of: (opcode: Opcode) => number): Uint8Array {
  return Uint8Array.from(OPCODE_BY_INDEX, (opcode) => (opcode ? of(opcode) : 0));
}
const RULES = column(ruleOf);
const ALIGNS = column(({ align }) => align);
/** Operands of a signature from the top of the stack down, 0 after the last; and its result, or 0. */
const OPERAND_1 = column(({ params = "" }) => CODE_OF_LETTER[params.at(-1) ?? ""] ?? 0);
const OPERAND_2 = column(({ params = "" }) => CODE_OF_LETTER[params.at(-2) ?? ""] ?? 0);
const OPERAND_3 = column(({ params = "" }) => CODE_OF_LETTER[params.at(-3) ?? ""] ?? 0);
const RESULT = column(({ results = "" }) => CODE_OF_LETTER[results] ?? 0);
/** 1 for the instructions of constant expressions, the extended ones included. */
const CONSTANT = column(({ name, immediate }) =>
  isConstant(immediate) || /^(?:i(?:32|64)\.(?:add|sub|mul)|ref\.(?:null|func)|global\.get|end)$/.test(name) ? 1 : 0,
);

/** Validates bodies and constant expressions, one after the other, in the same arrays. */
class CodeValidator {
  maxHeight = 0;
  hasCalls = false;

  readonly #context: Context;
  readonly #limits: ModuleLimits;
  readonly #reader: Reader;
  readonly #instruction = new Instruction();

  /** Codes of the operands, {@link UNKNOWN} among them. */
  #stack = new Uint8Array(256);
  #height = 0;
  /** Control frames: the rule of the instruction that began each, its signature, the height below it, 1 if dead. */
  #depth = 0;
  #kinds = new Uint8Array(32);
  #signatures = new Int32Array(32);
  #floors = new Int32Array(32);
  #deads = new Uint8Array(32);
  /** Of the innermost frame. */
  #floor = 0;
  #dead = false;
  /** Codes of the locals, parameters first. */
  #locals = new Uint8Array(64);
  #localCount = 0;
  /** Label types that the current br_table has checked: its number, by signature and end of it. */
  readonly #checked: Int32Array;
  #branchTables = 0;

  constructor(context: Context, limits: ModuleLimits) {
    this.#context = context;
    this.#limits = limits;
    this.#reader = new Reader(context.structure.bytes);
    this.#checked = new Int32Array(2 * context.signatures.ends.length);
  }

  /** Validates defined function `index`; `maxHeight` and `hasCalls` are then its facts. */
  body(index: number): void {
    const { structure } = this.#context;
    const { code, end, locals } = structure.bodies[index]!;
    const type = structure.functions[index]!;
    this.#enterLocals(structure.types[type]!.params, locals);
    this.#begin(code, end, FIRST_TYPE + type);
    while (this.#depth > 0) {
      readInstruction(this.#reader, this.#instruction);
      this.#step();
      if (this.#height > this.maxHeight) this.#rise();
    }
    if (this.#reader.position !== end) throw new DecodeError(this.#reader.position, "code after the function's end");
  }

  /** Validates a constant expression for a value of `code`; it may name globals below `globals`. */
  constant(expression: ConstantExpression, code: ValueCode, globals: number): void {
    this.#localCount = 0;
    this.#begin(expression.start, expression.end, blockSignature(code - 0x80));
    while (this.#depth > 0) {
      readInstruction(this.#reader, this.#instruction);
      this.#checkConstant(globals);
      this.#step();
      if (this.#height > this.maxHeight) this.#rise();
    }
  }

  #checkConstant(globals: number): void {
    const { offset, index, imm0 } = this.#instruction;
    const { importedGlobals, declared, globals: types } = this.#context;
    if (CONSTANT[index] === 0) throw new ValidationError(offset, "constant expression required");
    if (RULES[index] === Rule["ref.func"]) declared[imm0] = 1; // If there is such a function; the rule sees to that.
    if (RULES[index] === Rule["global.get"]) {
      checkIndex(imm0, globals, "global", offset);
      if (types[imm0]!.mutable) throw new ValidationError(offset, "constant expression required: a mutable global");
      if (imm0 >= importedGlobals) throw new UnsupportedFeature(offset, Feature.constantGlobals);
    }
  }

  #enterLocals(params: readonly ValueType[], runs: readonly { count: number; type: ValueType }[]): void {
    const count = runs.reduce((sum, run) => sum + run.count, params.length);
    if (count > this.#locals.length) this.#locals = new Uint8Array(count * 2);
    let at = 0;
    for (const type of params) this.#locals[at++] = ValueCode[type];
    for (const run of runs) this.#locals.fill(ValueCode[run.type], at, (at += run.count));
    this.#localCount = count;
  }

  #begin(start: number, end: number, signature: number): void {
    this.#reader.reset(start, end);
    this.maxHeight = 0;
    this.hasCalls = false;
    this.#height = 0;
    this.#depth = 0;
    this.#pushFrame(Rule.block, signature);
  }

  /** Types the instruction just read. */
  #step(): void {
    const instruction = this.#instruction;
    const { index, imm0 } = instruction;
    const { params, results, ends } = this.#context.signatures;
    switch (RULES[index]) {
      case Rule.checkedSignature:
        this.#checkImmediates();
        this.#applySignature(index);
        return;
      case Rule.signature:
        this.#applySignature(index);
        return;
      case Rule.unreachable:
        this.#die();
        return;
      case Rule.if:
        this.#pop(ValueCode.i32);
        this.#enterBlock(Rule.if);
        return;
      case Rule.block:
      case Rule.loop:
        this.#enterBlock(RULES[index]!);
        return;
      case Rule.else: {
        if (this.#kinds[this.#depth - 1] !== Rule.if) throw new DecodeError(instruction.offset, "else without if");
        const signature = this.#popFrame();
        this.#pushFrame(Rule.else, signature);
        this.#pushCodes(params[signature]!, results[signature]!);
        return;
      }
      case Rule.end: {
        const withoutElse = this.#kinds[this.#depth - 1] === Rule.if;
        const signature = this.#popFrame();
        if (withoutElse) this.#checkWithoutElse(signature);
        this.#pushCodes(results[signature]!, ends[signature]!);
        return;
      }
      case Rule.br: {
        const frame = this.#label(imm0);
        this.#popCodes(this.#labelStart(frame), this.#labelEnd(frame));
        this.#die();
        return;
      }
      case Rule.br_if: {
        this.#pop(ValueCode.i32);
        const frame = this.#label(imm0);
        this.#popCodes(this.#labelStart(frame), this.#labelEnd(frame));
        this.#pushCodes(this.#labelStart(frame), this.#labelEnd(frame));
        return;
      }
      case Rule.br_table:
        this.#branchTable();
        return;
      case Rule.return:
        this.#popCodes(this.#labelStart(0), this.#labelEnd(0));
        this.#die();
        return;
      case Rule.call: {
        const { functions } = this.#context;
        checkIndex(imm0, functions.length, "function", instruction.offset);
        if (this.#context.instructions[imm0] !== 1) this.hasCalls = true;
        this.#call(FIRST_TYPE + functions[imm0]!);
        return;
      }
      case Rule.call_indirect: {
        const { structure } = this.#context;
        if (this.#table(instruction.imm1) !== ValueCode.funcref)
          throw new ValidationError(instruction.offset, "type mismatch: call_indirect needs a table of funcref");
        checkIndex(imm0, structure.types.length, "type", instruction.offset);
        this.#pop(ValueCode.i32);
        this.hasCalls = true;
        this.#call(FIRST_TYPE + imm0);
        return;
      }
      case Rule.drop:
        this.#pop(UNKNOWN);
        return;
      case Rule.select: {
        this.#pop(ValueCode.i32);
        const second = this.#pop(UNKNOWN);
        const first = this.#pop(UNKNOWN);
        if (isReference(first) || isReference(second))
          throw new ValidationError(instruction.offset, "type mismatch: select without a type on references");
        if (first !== second && first !== UNKNOWN && second !== UNKNOWN) this.#mismatch(first, second);
        this.#push(first === UNKNOWN ? second : first);
        return;
      }
      case Rule.selectTyped:
        if (instruction.imm1 !== 1) throw new ValidationError(instruction.offset, "invalid result arity");
        this.#pop(ValueCode.i32);
        this.#pop(imm0);
        this.#pop(imm0);
        this.#push(imm0);
        return;
      case Rule["local.get"]:
        this.#push(this.#local(imm0));
        return;
      case Rule["local.set"]:
        this.#pop(this.#local(imm0));
        return;
      case Rule["local.tee"]:
        this.#pop(this.#local(imm0));
        this.#push(this.#locals[imm0]!);
        return;
      case Rule["global.get"]:
        this.#push(ValueCode[this.#global(imm0).value]);
        return;
      case Rule["global.set"]: {
        const { value, mutable } = this.#global(imm0);
        if (!mutable) throw new ValidationError(instruction.offset, "global is immutable");
        this.#pop(ValueCode[value]);
        return;
      }
      case Rule["table.get"]: {
        const element = this.#table(imm0);
        this.#pop(ValueCode.i32);
        this.#push(element);
        return;
      }
      case Rule["table.set"]:
        this.#pop(this.#table(imm0));
        this.#pop(ValueCode.i32);
        return;
      case Rule["table.copy"]:
        if (this.#table(imm0) !== this.#table(instruction.imm1))
          throw new ValidationError(instruction.offset, "type mismatch: tables of different types");
        this.#pop(ValueCode.i32);
        this.#pop(ValueCode.i32);
        this.#pop(ValueCode.i32);
        return;
      case Rule["table.grow"]: {
        const element = this.#table(imm0);
        this.#pop(ValueCode.i32);
        this.#pop(element);
        this.#push(ValueCode.i32);
        return;
      }
      case Rule["table.fill"]: {
        const element = this.#table(imm0);
        this.#pop(ValueCode.i32);
        this.#pop(element);
        this.#pop(ValueCode.i32);
        return;
      }
      case Rule["ref.null"]:
        this.#push(imm0);
        return;
      case Rule["ref.is_null"]: {
        const actual = this.#pop(UNKNOWN);
        if (actual !== UNKNOWN && !isReference(actual))
          throw new ValidationError(instruction.offset, `type mismatch: ref.is_null of ${nameOf(actual)}`);
        this.#push(ValueCode.i32);
        return;
      }
      case Rule["ref.func"]: {
        const { declared } = this.#context;
        checkIndex(imm0, declared.length, "function", instruction.offset);
        if (declared[imm0] === 0)
          throw new ValidationError(instruction.offset, `undeclared function reference ${imm0}`);
        this.#push(ValueCode.funcref);
        return;
      }
    }
  }

  #applySignature(index: number): void {
    const first = OPERAND_1[index]!;
    if (first !== 0) {
      this.#pop(first);
      const second = OPERAND_2[index]!;
      if (second !== 0) {
        this.#pop(second);
        const third = OPERAND_3[index]!;
        if (third !== 0) this.#pop(third);
      }
    }
    const result = RESULT[index]!;
    if (result !== 0) this.#push(result);
  }

  /** The index checks of the instructions that have a signature besides. */
  #checkImmediates(): void {
    const { index, offset, imm0, imm1 } = this.#instruction;
    const { structure, memories } = this.#context;
    const opcode = OPCODE_BY_INDEX[index]!;
    switch (opcode.immediate) {
      case "memarg":
        checkIndex(0, memories, "memory", offset);
        if (imm0 > ALIGNS[index]!) throw new ValidationError(offset, "alignment must not be larger than natural");
        return;
      case "memory":
      case "memoryMemory":
        checkIndex(0, memories, "memory", offset);
        return;
      case "dataMemory":
        checkIndex(0, memories, "memory", offset);
        this.#checkData();
        return;
      case "data":
        this.#checkData();
        return;
      case "elem":
        checkIndex(imm0, structure.elements.length, "element segment", offset);
        return;
      case "elemTable":
        checkIndex(imm0, structure.elements.length, "element segment", offset);
        if (ValueCode[structure.elements[imm0]!.element] !== this.#table(imm1))
          throw new ValidationError(offset, "type mismatch: the segment's type is not the table's");
        return;
      case "table":
        this.#table(imm0);
        return;
    }
  }

  #checkData(): void {
    const { offset, imm0 } = this.#instruction;
    const { data, dataCount } = this.#context.structure;
    checkIndex(imm0, data.length, "data segment", offset);
    if (dataCount === undefined) throw new DecodeError(offset, "data count section required");
  }

  #local(index: number): number {
    if (index >= this.#localCount) throw new ValidationError(this.#instruction.offset, `unknown local ${index}`);
    return this.#locals[index]!;
  }

  #global(index: number): GlobalType {
    const { globals } = this.#context;
    checkIndex(index, globals.length, "global", this.#instruction.offset);
    return globals[index]!;
  }

  /** Code of a table's element type. */
  #table(index: number): number {
    const { tables } = this.#context;
    checkIndex(index, tables.length, "table", this.#instruction.offset);
    return ValueCode[tables[index]!];
  }

  #call(signature: number): void {
    const { params, results, ends } = this.#context.signatures;
    this.#popCodes(params[signature]!, results[signature]!);
    this.#pushCodes(results[signature]!, ends[signature]!);
  }

  #enterBlock(kind: number): void {
    const { imm0, offset } = this.#instruction;
    const { structure, signatures } = this.#context;
    if (imm0 >= 0) checkIndex(imm0, structure.types.length, "type", offset);
    const signature = blockSignature(imm0);
    this.#popCodes(signatures.params[signature]!, signatures.results[signature]!);
    this.#pushFrame(kind, signature);
    this.#pushCodes(signatures.params[signature]!, signatures.results[signature]!);
  }

  #checkWithoutElse(signature: number): void {
    const { codes, params, results, ends } = this.#context.signatures;
    const [start, middle, end] = [params[signature]!, results[signature]!, ends[signature]!];
    let same = middle - start === end - middle;
    for (let k = 0; same && k < middle - start; k++) same = codes[start + k] === codes[middle + k];
    if (!same) throw new ValidationError(this.#instruction.offset, "type mismatch: an if with results needs an else");
  }

  #branchTable(): void {
    const { imm0, labels, labelCount, offset } = this.#instruction;
    if (labelCount > this.#limits.branchTargets)
      throw new LimitError("branchTargets", this.#limits.branchTargets, labelCount, offset);
    this.#pop(ValueCode.i32);
    const fallback = this.#label(imm0);
    const arity = this.#labelEnd(fallback) - this.#labelStart(fallback);
    this.#branchTables++;
    this.#checkLabel(fallback, arity);
    for (let k = 0; k < labelCount; k++) this.#checkLabel(this.#label(labels[k]!), arity);
    this.#die();
  }

  /** Checks the operands against a label of a br_table; once for all labels of the same types, since they may be many. */
  #checkLabel(frame: number, arity: number): void {
    const key = 2 * this.#signatures[frame]! + (this.#kinds[frame] === Rule.loop ? 1 : 0);
    if (this.#checked[key] === this.#branchTables) return;
    this.#checked[key] = this.#branchTables;
    const { codes } = this.#context.signatures;
    const end = this.#labelEnd(frame);
    if (end - this.#labelStart(frame) !== arity)
      throw new ValidationError(this.#instruction.offset, "type mismatch: br_table's labels differ in arity");
    for (let k = 1; k <= arity; k++) {
      const at = this.#height - k;
      if (at < this.#floor) {
        if (!this.#dead) this.#mismatch(codes[end - k]!, undefined);
        return;
      }
      const actual = this.#stack[at]!;
      if (actual !== codes[end - k] && actual !== UNKNOWN) this.#mismatch(codes[end - k]!, actual);
    }
  }

  /** Number of the frame that label `label` names. */
  #label(label: number): number {
    if (label >= this.#depth) throw new ValidationError(this.#instruction.offset, `unknown label ${label}`);
    return this.#depth - 1 - label;
  }

  /** Range of a frame's label types in the signatures' codes: a loop's are its parameters. */
  #labelStart(frame: number): number {
    const { params, results } = this.#context.signatures;
    return (this.#kinds[frame] === Rule.loop ? params : results)[this.#signatures[frame]!]!;
  }

  #labelEnd(frame: number): number {
    const { results, ends } = this.#context.signatures;
    return (this.#kinds[frame] === Rule.loop ? results : ends)[this.#signatures[frame]!]!;
  }

  #pushFrame(kind: number, signature: number): void {
    const at = this.#depth++;
    if (at === this.#kinds.length) {
      this.#kinds = doubled(this.#kinds);
      this.#deads = doubled(this.#deads);
      this.#signatures = doubled(this.#signatures);
      this.#floors = doubled(this.#floors);
    }
    this.#kinds[at] = kind;
    this.#signatures[at] = signature;
    this.#floors[at] = this.#floor = this.#height;
    this.#deads[at] = 0;
    this.#dead = false;
  }

  /** Ends the innermost frame, whose results must be all that is on the stack; returns its signature. */
  #popFrame(): number {
    const { results, ends } = this.#context.signatures;
    const at = this.#depth - 1;
    const signature = this.#signatures[at]!;
    this.#popCodes(results[signature]!, ends[signature]!);
    if (this.#height !== this.#floor)
      throw new ValidationError(
        this.#instruction.offset,
        "type mismatch: values remain on the stack at the block's end",
      );
    this.#depth = at;
    if (at > 0) {
      this.#floor = this.#floors[at - 1]!;
      this.#dead = this.#deads[at - 1] === 1;
    }
    return signature;
  }

  /** What follows in this block is dead: its stack is polymorphic. */
  #die(): void {
    this.#height = this.#floor;
    this.#dead = true;
    this.#deads[this.#depth - 1] = 1;
  }

  #push(code: number): void {
    if (this.#height === this.#stack.length) this.#stack = doubled(this.#stack);
    this.#stack[this.#height++] = code;
  }

  /** Pops an operand of `expected`, or of any type for {@link UNKNOWN}; returns its code. */
  #pop(expected: number): number {
    if (this.#height === this.#floor) {
      if (!this.#dead) this.#mismatch(expected, undefined);
      return expected;
    }
    const actual = this.#stack[--this.#height]!;
    if (actual !== expected && actual !== UNKNOWN && expected !== UNKNOWN) this.#mismatch(expected, actual);
    return actual;
  }

  #pushCodes(start: number, end: number): void {
    const { codes } = this.#context.signatures;
    for (let k = start; k < end; k++) this.#push(codes[k]!);
  }

  #popCodes(start: number, end: number): void {
    const { codes } = this.#context.signatures;
    for (let k = end; k-- > start; ) this.#pop(codes[k]!);
  }

  #rise(): void {
    this.maxHeight = this.#height;
    if (this.#height > this.#limits.functionOperands)
      throw new LimitError("functionOperands", this.#limits.functionOperands, this.#height, this.#instruction.offset);
  }

  #mismatch(expected: number, actual: number | undefined): never {
    const found = actual === undefined ? "nothing" : nameOf(actual);
    throw new ValidationError(this.#instruction.offset, `type mismatch: expected ${nameOf(expected)}, found ${found}`);
  }
}

function isReference(code: number): boolean {
  return code === ValueCode.funcref || code === ValueCode.externref;
}

function doubled<Items extends Uint8Array | Int32Array>(items: Items): Items {
  const grown = new (items.constructor as new (length: number) => Items)(items.length * 2);
  grown.set(items);
  return grown;
}
