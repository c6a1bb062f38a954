/**
 * Prints a module as text that is also valid input for a WebAssembly text parser: one instruction a line, nothing
 * folded, each with its byte offset in a comment, functions and locals by the name section's names.
 */
import { encodeUtf8 } from "../utf8.ts";
import { type Immediate, OPCODE_BY_INDEX } from "./opcodes.ts";
import { Instruction, Reader, readInstruction } from "./reader.ts";
import {
  type ConstantExpression,
  type ElementSegment,
  type FunctionType,
  type GlobalType,
  type Import,
  type LimitsType,
  type ModuleStructure,
  type TableType,
  type ValueType,
  valueTypeOf,
} from "./structure.ts";

/**
 * The text of a decoded and valid module, or of one of its functions alone (index space: imports first). Throws
 * RangeError for an index that no function has.
 */
export function disassemble(structure: ModuleStructure, functionIndex?: number): string {
  return `${Array.from(disassembleLines(structure, functionIndex)).join("\n")}\n`;
}

/** As {@link disassemble}, line by line, for modules whose text would not fit in a string. */
export function disassembleLines(structure: ModuleStructure, functionIndex?: number): Iterable<string> {
  const printer = new Printer(structure);
  return functionIndex === undefined ? printer.module() : printer.function(functionIndex);
}

/** Blocks nested deeper are printed no further to the right, or deep nesting would make the text quadratic. */
const DEEPEST_INDENT = 40;

class Printer {
  readonly #structure: ModuleStructure;
  readonly #reader: Reader;
  readonly #instruction = new Instruction();
  readonly #functionImports: readonly Import[];
  /** What a function is called in the text: `$name`, or its index. */
  readonly #functions: readonly string[];
  /** Digits of an offset. */
  readonly #digits: number;
  /** Of the function being printed. */
  #locals: readonly string[] = [];
  #depth = 0;

  constructor(structure: ModuleStructure) {
    this.#structure = structure;
    this.#reader = new Reader(structure.bytes);
    this.#digits = structure.bytes.length.toString(16).length;
    this.#functionImports = structure.imports.filter(({ type }) => type.kind === "function");
    const names = new Map(this.#functionImports.map(({ module, name }, index) => [index, `${module}.${name}`]));
    for (const { kind, name, index } of structure.exports) if (kind === "function") names.set(index, name);
    for (const [index, name] of structure.names.functions) names.set(index, name);
    this.#functions = identifiers(this.#functionImports.length + structure.functions.length, names);
  }

  *module(): Generator<string> {
    const { names, types, imports, functions, tables, memories, globals, exports } = this.#structure;
    const { start, elements, data, bytes } = this.#structure;
    yield names.module === undefined ? "(module" : `(module ${identifier(names.module)}`;
    for (const [k, type] of types.entries()) yield `  (type (;${k};) (func${signature(type)}))`;
    const counts = { function: 0, table: 0, memory: 0, global: 0 };
    for (const entry of imports) yield `  ${this.#import(entry, counts[entry.type.kind]++)}`;
    for (let k = 0; k < functions.length; k++) yield* this.function(counts.function + k);
    for (const type of tables) yield `  (table (;${counts.table++};) ${tableText(type)})`;
    for (const type of memories) yield `  (memory (;${counts.memory++};) ${limitsText(type)})`;
    for (const { type, init } of globals)
      yield `  (global (;${counts.global++};) ${globalText(type)} ${this.#expression(init)})`;
    for (const { name, kind, index } of exports) {
      const what = kind === "function" ? `func ${this.#functions[index]}` : `${kind} ${index}`;
      yield `  (export ${quoted(encodeUtf8(name))} (${what}))`;
    }
    if (start !== undefined) yield `  (start ${this.#functions[start]})`;
    for (const [k, segment] of elements.entries()) yield `  (elem (;${k};) ${this.#element(segment)})`;
    for (const [k, { offset, start: from, end }] of data.entries()) {
      const place = offset ? `(offset ${this.#expression(offset)}) ` : "";
      yield `  (data (;${k};) ${place}${quoted(bytes.subarray(from, end))})`;
    }
    yield ")";
  }

  *function(index: number): Generator<string> {
    const { types, functions, bodies, names } = this.#structure;
    const imported = this.#functionImports[index];
    if (imported) {
      yield `  ${this.#import(imported, index)}`;
      return;
    }
    const defined = index - this.#functionImports.length;
    const body = bodies[defined];
    if (!body) throw new RangeError(`there is no function ${index}`);
    const { params, results } = types[functions[defined]!]!;
    this.#locals = identifiers(params.length + body.localCount, names.locals.get(index) ?? new Map());
    const head = `(func ${definition(this.#functions[index]!, index)} (type ${functions[defined]})`;
    const result = results.length > 0 ? ` (result ${results.join(" ")})` : "";
    yield `  ${head}${this.#declarations("param", 0, params)}${result}`;
    let local = params.length;
    for (const { count, type } of body.locals) {
      if (count > 0) yield `   ${this.#declarations("local", local, new Array<ValueType>(count).fill(type))}`;
      local += count;
    }
    yield* this.#instructions(body.code, body.end);
    yield "  )";
  }

  /** Declares the locals from `first` on: those with a name one by one, the others of a row together. */
  #declarations(keyword: "param" | "local", first: number, types: readonly ValueType[]): string {
    let text = "";
    let open = false;
    types.forEach((type, k) => {
      const name = this.#locals[first + k]!;
      const named = name.startsWith("$");
      if (open && named) text += ")";
      if (named) text += ` (${keyword} ${name} ${type})`;
      else text += open ? ` ${type}` : ` (${keyword} ${type}`;
      open = !named;
    });
    return open ? `${text})` : text;
  }

  *#instructions(start: number, end: number): Generator<string> {
    this.#reader.reset(start, end);
    this.#depth = 0;
    while (this.#reader.position < end) {
      const text = this.#next();
      if (this.#depth < 0) return; // The body's own end is the closing parenthesis.
      const { offset, index } = this.#instruction;
      const opcode = OPCODE_BY_INDEX[index]!;
      const opens = opcode.immediate === "block";
      const level = opens || opcode.name === "else" ? this.#depth - 1 : this.#depth;
      const indent = "  ".repeat(Math.min(level, DEEPEST_INDENT));
      const label = opens ? ` (;@${this.#depth};)` : "";
      yield `    (;${offset.toString(16).padStart(this.#digits, "0")};) ${indent}${text}${label}`;
    }
  }

  /** Text of the next instruction; keeps count of the open blocks. */
  #next(): string {
    readInstruction(this.#reader, this.#instruction);
    const { name, immediate } = OPCODE_BY_INDEX[this.#instruction.index]!;
    if (immediate === "block") this.#depth++;
    else if (name === "end") this.#depth--;
    return `${name}${this.#immediate(immediate)}`;
  }

  #immediate(immediate: Immediate): string {
    const { index, imm0, imm1, low, high, labels, labelCount } = this.#instruction;
    switch (immediate) {
      case "":
      case "memory":
      case "memoryMemory":
        return "";
      case "block":
        return this.#blockType(imm0);
      case "label":
        return ` ${this.#label(imm0)}`;
      case "labels": {
        const targets = Array.from(labels.subarray(0, labelCount), (label) => this.#label(label));
        return ` ${[...targets, this.#label(imm0)].join(" ")}`;
      }
      case "func":
        return ` ${this.#functions[imm0]}`;
      case "calli":
        return `${imm1 === 0 ? "" : ` ${imm1}`} (type ${imm0})`;
      case "local":
        return ` ${this.#locals[imm0]}`;
      case "global":
      case "table":
      case "data":
      case "dataMemory":
      case "elem":
        return ` ${imm0}`;
      case "elemTable":
        return ` ${imm1} ${imm0}`;
      case "tableTable":
        return ` ${imm0} ${imm1}`;
      case "memarg": {
        const natural = OPCODE_BY_INDEX[index]!.align;
        return `${imm1 === 0 ? "" : ` offset=${imm1}`}${imm0 === natural ? "" : ` align=${2 ** imm0}`}`;
      }
      case "i32":
        return ` ${low}`;
      case "i64":
        return ` ${(BigInt(high) << 32n) | BigInt(low >>> 0)}`;
      case "f32":
        return ` ${floatText(low, 0, 32)}`;
      case "f64":
        return ` ${floatText(low, high, 64)}`;
      case "select":
        return Array.from(labels.subarray(0, labelCount), (code) => ` (result ${valueTypeOf(code)})`).join("");
      case "reftype":
        return ` ${valueTypeOf(imm0)!.replace("ref", "")}`;
    }
  }

  #label(label: number): string {
    return label < this.#depth ? `${label} (;@${this.#depth - label};)` : `${label}`;
  }

  #blockType(type: number): string {
    if (type >= 0) return ` (type ${type})${signature(this.#structure.types[type]!)}`;
    const result = valueTypeOf(type & 0x7f);
    return result === undefined ? "" : ` (result ${result})`;
  }

  /** A constant expression's instructions on one line, without its end. */
  #expression({ start, end }: ConstantExpression): string {
    this.#reader.reset(start, end);
    this.#depth = 0;
    const parts: string[] = [];
    for (let text = this.#next(); this.#depth >= 0; text = this.#next()) parts.push(text);
    return parts.length === 1 ? `(${parts[0]})` : parts.join(" ");
  }

  #import({ module, name, type, typeIndex }: Import, index: number): string {
    const from = `import ${quoted(encodeUtf8(module))} ${quoted(encodeUtf8(name))}`;
    switch (type.kind) {
      case "function":
        return `(${from} (func ${definition(this.#functions[index]!, index)} (type ${typeIndex})))`;
      case "table":
        return `(${from} (table (;${index};) ${tableText(type.type)}))`;
      case "memory":
        return `(${from} (memory (;${index};) ${limitsText(type.type)}))`;
      case "global":
        return `(${from} (global (;${index};) ${globalText(type.type)}))`;
    }
  }

  #element({ mode, flags, table, offset, element, items }: ElementSegment): string {
    const head: string[] = [];
    if (mode === "declarative") head.push("declare");
    if ((flags & 3) === 2) head.push(`(table ${table})`);
    if (offset) head.push(`(offset ${this.#expression(offset)})`);
    head.push(flags & 4 ? element : "func");
    for (const item of items)
      head.push(typeof item === "number" ? this.#functions[item]! : `(item ${this.#expression(item)})`);
    return head.join(" ");
  }
}

/** Texts by which `count` things are called: `$name` where `names` has one, made unique, else the index. */
function identifiers(count: number, names: ReadonlyMap<number, string>): string[] {
  const taken = new Set<string>();
  return Array.from({ length: count }, (_, index) => {
    const name = names.get(index);
    if (name === undefined) return `${index}`;
    let text = identifier(name);
    if (taken.has(text)) text += `.${index}`;
    while (taken.has(text)) text += "'";
    taken.add(text);
    return text;
  });
}

/** A text-format identifier as near to `name` as the format has it. */
function identifier(name: string): string {
  return `$${name.replace(/[^0-9A-Za-z!#$%&'*+\-./:<=>?@\\^_`|~]/gu, "_") || "_"}`;
}

/** How a definition names itself: its identifier if it has one, and its index in a comment. */
function definition(text: string, index: number): string {
  return text.startsWith("$") ? `${text} (;${index};)` : `(;${index};)`;
}

function signature({ params, results }: FunctionType): string {
  const head = params.length > 0 ? ` (param ${params.join(" ")})` : "";
  return results.length > 0 ? `${head} (result ${results.join(" ")})` : head;
}

function limitsText({ minimum, maximum }: LimitsType): string {
  return maximum === undefined ? `${minimum}` : `${minimum} ${maximum}`;
}

function tableText(type: TableType): string {
  return `${limitsText(type)} ${type.element}`;
}

function globalText({ value, mutable }: GlobalType): string {
  return mutable ? `(mut ${value})` : value;
}

function quoted(bytes: Uint8Array): string {
  const parts = Array.from(bytes, (byte) =>
    byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c
      ? String.fromCharCode(byte)
      : `\\${byte.toString(16).padStart(2, "0")}`,
  );
  return `"${parts.join("")}"`;
}

/** A float that parses back to the same bits. */
function floatText(low: number, high: number, width: 32 | 64): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setInt32(0, low, true);
  view.setInt32(4, high, true);
  const value = width === 32 ? view.getFloat32(0, true) : view.getFloat64(0, true);
  const bits = width === 32 ? BigInt(low >>> 0) : view.getBigUint64(0, true);
  const fraction = width === 32 ? 23n : 52n;
  const sign = bits >> BigInt(width - 1) ? "-" : "";
  if (Number.isNaN(value)) {
    const payload = bits & ((1n << fraction) - 1n);
    return payload === 1n << (fraction - 1n) ? `${sign}nan` : `${sign}nan:0x${payload.toString(16)}`;
  }
  const magnitude = Math.abs(value);
  return sign + (magnitude === Number.POSITIVE_INFINITY ? "inf" : String(magnitude));
}
