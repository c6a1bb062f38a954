/**
 * The decoded form of a module: WebAssembly's abstract syntax (core spec 2.0, §2.5), with function bodies left in place
 * as byte ranges. Written by `decode.ts`, checked by `validate.ts`, read by the engines, printed back by `encode.ts`.
 */

/** A value type by its binary code (core spec §5.3). */
export const ValueCode = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, funcref: 0x70, externref: 0x6f } as const;
export type ValueCode = (typeof ValueCode)[keyof typeof ValueCode];
export type ValueType = keyof typeof ValueCode;
export type RefType = "funcref" | "externref";

const NAMES: { readonly [code: number]: ValueType } = {
  0x7f: "i32",
  0x7e: "i64",
  0x7d: "f32",
  0x7c: "f64",
  0x70: "funcref",
  0x6f: "externref",
};

/** Name of a value type, or undefined when `code` is none of the profile's. */
export function valueTypeOf(code: number): ValueType | undefined {
  return NAMES[code];
}

export interface FunctionType {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}
/** Sizes in pages (memories, 65,536 bytes) or elements (tables). */
export interface LimitsType {
  readonly minimum: number;
  readonly maximum: number | undefined;
}
export interface TableType extends LimitsType {
  readonly element: RefType;
}
export type MemoryType = LimitsType;
export interface GlobalType {
  readonly value: ValueType;
  readonly mutable: boolean;
}
export type ExternType =
  | { readonly kind: "function"; readonly type: FunctionType }
  | { readonly kind: "table"; readonly type: TableType }
  | { readonly kind: "memory"; readonly type: MemoryType }
  | { readonly kind: "global"; readonly type: GlobalType };
export type ExternKind = ExternType["kind"];

export interface Import {
  readonly module: string;
  readonly name: string;
  readonly type: ExternType;
  /** Function imports: index into `types`; else -1. */
  readonly typeIndex: number;
  readonly offset: number;
}
export interface Export {
  readonly name: string;
  readonly kind: ExternKind;
  readonly index: number;
  readonly offset: number;
}

/** A constant expression: the byte range of its instructions in the module, final `end` included. */
export interface ConstantExpression {
  readonly start: number;
  readonly end: number;
}
export interface GlobalDefinition {
  readonly type: GlobalType;
  readonly init: ConstantExpression;
}
export interface ElementSegment {
  readonly mode: "active" | "passive" | "declarative";
  readonly table: number;
  readonly offset: ConstantExpression | undefined;
  readonly element: RefType;
  /** Function indices, or constant expressions where the binary has them. */
  readonly items: readonly (number | ConstantExpression)[];
  /** The segment's flags in the binary (0–7), so that it is written back as it was. */
  readonly flags: number;
  readonly start: number;
}
export interface DataSegment {
  readonly mode: "active" | "passive";
  readonly memory: number;
  readonly offset: ConstantExpression | undefined;
  /** Byte range in the module. */
  readonly start: number;
  readonly end: number;
  readonly flags: number;
}
/** A function body; `start` is the offset of the size-prefixed body's first byte (the locals), `code` that of its first instruction. */
export interface FunctionBody {
  readonly start: number;
  readonly end: number;
  readonly code: number;
  /** Runs of locals, as in the binary; parameters not included. */
  readonly locals: readonly { readonly count: number; readonly type: ValueType }[];
  /** Sum of the runs' counts. */
  readonly localCount: number;
}
/** Section ids (core spec §5.5.2). A module has its sections in this order, but `dataCount` before `code`. */
export const SectionId = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
  /** Exception handling's; outside the profile. */
  tag: 13,
} as const;
/** A section other than a custom one, where it stands: its id and the byte range of its contents. */
export interface Section {
  readonly id: number;
  readonly start: number;
  readonly end: number;
}
export interface CustomSection {
  readonly name: string;
  /** Byte range of the contents after the name. */
  readonly start: number;
  readonly end: number;
  /** Id of the section it stands behind (0 at the start); those behind the same one are in their order. */
  readonly after: number;
}
/** The name section's module, function and local names; absent or malformed subsections are empty. */
export interface Names {
  readonly module: string | undefined;
  readonly functions: ReadonlyMap<number, string>;
  readonly locals: ReadonlyMap<number, ReadonlyMap<number, string>>;
}

export interface ModuleStructure {
  /** The whole module; every offset in the structure points into it. */
  readonly bytes: Uint8Array;
  /** In their order, empty ones too. */
  readonly sections: readonly Section[];
  readonly types: readonly FunctionType[];
  readonly imports: readonly Import[];
  /** Type index of each defined function. */
  readonly functions: readonly number[];
  readonly tables: readonly TableType[];
  readonly memories: readonly MemoryType[];
  readonly globals: readonly GlobalDefinition[];
  readonly exports: readonly Export[];
  readonly start: number | undefined;
  readonly elements: readonly ElementSegment[];
  /** The data count section's number, if it is there. */
  readonly dataCount: number | undefined;
  readonly bodies: readonly FunctionBody[];
  readonly data: readonly DataSegment[];
  readonly customs: readonly CustomSection[];
  readonly names: Names;
}
