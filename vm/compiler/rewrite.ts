/**
 * Rewrites a module for the compiled engine: the guest's code with fuel, depth and canonical NaNs, as a
 * module that V8 compiles. What it imports and exports is what `vm/compiled` links:
 *
 * Imports, all of module `a`. `i{k}` imported function k; `b{row}` a call of module `bytes`; `grow dropData dropElements
 * rf rx rw hit` helpers; `memory`, `heap`; `t{k}` every table; `g{k}` imported global k with the bits of a float as an integer;
 * `fuel mark depth slots instance caller` of the engine.
 *
 * Exports. `x{k}` calls own function k from JavaScript; `p` a table of all functions that a funcref can name; `g{k}` own
 * globals; `e{k}` copies an active element segment to an offset; `de{k}` drops an element segment; `dd{k}` the passive data
 * segment that it is given, one of a group: a module may have so many that a function for each takes time to link.
 *
 * A function inside has the guest's parameters, fuel (i64) and depth (i32), and the guest's results and fuel.
 */
import { Instruction, Reader, readInstruction } from "../bytecode/reader.ts";
import type { ConstantExpression, FunctionType, ModuleStructure, ValueType } from "../bytecode/structure.ts";
import { SectionId, ValueCode } from "../bytecode/structure.ts";
import { Writer } from "../bytecode/writer.ts";
import { BYTES_CALLS } from "../bytes.ts";
import { type CallFuel, functionTypeOf } from "../declaration.ts";
import type { TranslationInput } from "../reference/translate.ts";
import { TrapCode } from "../trap.ts";
import { BlockScan } from "./blocks.ts";
import { BodyScan, BYTES_USES, BytesUse } from "./body.ts";
import { Code } from "./code.ts";
import { bitsCode, type CodeContext, FunctionRewriter, internalType } from "./function.ts";
import { type HeapChanges, heapChanges } from "./heap-regions.ts";
import { reserveName } from "./module-name.ts";
import { Op } from "./op.ts";

/** How an imported function is linked, as far as code depends on it. */
export type ImportLink =
  | { readonly kind: "host"; readonly fuel: CallFuel; readonly mayFree: boolean }
  /** A function of another instance of the store, or a call of `bytes` that one exports. */
  | { readonly kind: "guest"; readonly mayFree: boolean }
  | { readonly kind: "bytes"; readonly row: number };

/** What of an instance's imports the code depends on. */
export interface Linkage {
  /** Of each imported function. */
  readonly links: readonly ImportLink[];
  /** True when a function may be called by another instance, or call one. */
  readonly shares: boolean;
  /** True when a HeapRef may be a window over a memory. */
  readonly windows: boolean;
}

export interface RewriteInput {
  readonly translation: TranslationInput;
  /** Functions that a funcref may name, in order. */
  readonly declared: readonly number[];
}

/** What a function of the rewritten module is. */
export type Origin =
  /** Code of a guest's function. */
  | { readonly kind: "guest"; readonly function: number }
  /** Calls a guest's function from JavaScript: a frame that only shows when fuel has run out on the way back. */
  | { readonly kind: "wrapper"; readonly function: number }
  | { readonly kind: "skip" };

/** A place in the guest's code. */
export interface Site {
  /** In the guest's module. */
  readonly offset: number;
  /** 0: the host engine tells which. */
  readonly trap: TrapCode | 0;
}

const HEADER = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00);
const { i32, i64, funcref } = ValueCode;
/** The section of branch hints (WebAssembly branch hinting), which hosts without it pass over. */
const HINTS = "metadata.code.branch_hint";
const FUNCTION = 0;
const TABLE = 1;
const MEMORY = 2;
const GLOBAL = 3;

/** Raised with every change of the code that {@link rewrite} emits, so that code which was kept is not taken for it. */
export const COMPILER_VERSION = 12;

export function rewrite(input: RewriteInput, linkage: Linkage): Rewritten {
  return new Rewriter(input, linkage).run();
}

/** All sites of a rewritten function, in order of their byte offsets in the rewritten module. */
export type Sites = readonly { readonly offset: number; readonly site: Site }[];

/**
 * What {@link rewrite} of the same version made of the same module and linkage before: `bytes`. Where its functions were
 * changed since, their numbers apart, `sitesOf` tells the sites. Nothing more of the module is asked for before a trap is.
 */
export function reopen(
  module: { readonly declared: readonly number[]; readonly rewriteInput: RewriteInput },
  linkage: Linkage,
  bytes: Uint8Array,
  sitesOf?: (index: number) => Sites,
): Rewritten {
  const origins = (): Origins => new Rewriter(module.rewriteInput, linkage).reopen(sitesOf ? undefined : bytes);
  return new Rewritten(bytes, module.declared, origins, sitesOf);
}

/** What tells where code comes from. */
interface Origins {
  origin(index: number): Origin;
  sites(index: number): Sites;
}

export class Rewritten {
  /** The module. It ends with room for its name, and is not to be changed but there. */
  readonly bytes: Uint8Array;
  /** Function indices in the table `p`, in order. */
  readonly declared: readonly number[];
  readonly #makeOrigins: () => Origins;
  readonly #sitesOf: ((index: number) => Sites) | undefined;
  #madeOrigins: Origins | undefined;
  readonly #sites = new Map<number, Sites>();

  /** `origins` is called at the first trap. */
  constructor(
    bytes: Uint8Array,
    declared: readonly number[],
    origins: () => Origins,
    sitesOf?: (index: number) => Sites,
  ) {
    this.#makeOrigins = origins;
    this.#sitesOf = sitesOf;
    this.bytes = bytes;
    this.declared = declared;
  }

  get #origins(): Origins {
    this.#madeOrigins ??= this.#makeOrigins();
    return this.#madeOrigins;
  }

  /** What function `index` of the rewritten module is. */
  origin(index: number): Origin {
    return this.#origins.origin(index);
  }

  /** All sites of function `index`, in order of their byte offsets in the rewritten module. */
  sitesOf(index: number): Sites {
    const known = this.#sites.get(index);
    if (known !== undefined) return known;
    const sites = this.#sitesOf ? this.#sitesOf(index) : this.#origins.sites(index);
    this.#sites.set(index, sites);
    return sites;
  }

  /** The last site of function `index` at or before a byte offset in the rewritten module. */
  site(index: number, offset: number): Site | undefined {
    return this.sitesOf(index).findLast((entry) => entry.offset <= offset)?.site;
  }
}

class Rewriter {
  readonly #structure: ModuleStructure;
  readonly #input: TranslationInput;
  readonly #linkage: Linkage;
  readonly #declared: readonly number[];
  readonly #usesHeap: boolean;
  readonly #functionTypes: readonly FunctionType[];
  /** Imported functions that a funcref may name and that are no WebAssembly functions; own functions called from JavaScript. */
  readonly #adapters: readonly number[];
  readonly #wrapped: readonly number[];

  readonly #types = new Writer();
  readonly #typeIndices = new Map<string, number>();
  readonly #internalTypes = new Map<FunctionType, number>();
  readonly #imports = new Writer();
  readonly #importCounts = [0, 0, 0, 0];

  readonly #context: CodeContext;
  readonly #scratch = new Writer(1 << 12);
  readonly #functions: FunctionRewriter;
  /** Contents of the section of branch hints, and the number of its functions. */
  readonly #hints = new Writer();
  #hinted = 0;
  /** The functions behind the imports, in order; where the code of each begins in the module. */
  readonly #bodies: Body[];
  #starts: Int32Array = new Int32Array(0);
  /** Place in `#bodies` of the clone of own functions that have one. They come behind all others, as they turn up. */
  readonly #clones = new Map<number, number>();
  /** False while the clones of a module that was reopened are not known. */
  #isComplete = true;
  /** Globals that hand locals over to clones; they come last. */
  #handedOver = 0;

  constructor({ translation, declared }: RewriteInput, linkage: Linkage) {
    const { structure, importedFunctions } = translation;
    this.#structure = structure;
    this.#input = translation;
    this.#linkage = linkage;
    this.#declared = declared;
    const imported = structure.imports.filter(({ type }) => type.kind === "function").map(({ typeIndex }) => typeIndex);
    this.#functionTypes = [...imported, ...structure.functions].map((type) => structure.types[type]!);
    this.#adapters = this.#declared.filter(
      (index) => index < importedFunctions && linkage.links[index]!.kind !== "guest",
    );
    const called = structure.exports.filter(({ kind }) => kind === "function").map(({ index }) => index);
    if (structure.start !== undefined) called.push(structure.start);
    this.#wrapped = [...new Set(called)].filter((index) => index >= importedFunctions);
    this.#usesHeap = linkage.links.some(
      (link, k) => link.kind === "bytes" || (link.kind === "host" && usesBlock(this.#functionTypes[k]!)),
    );
    this.#context = this.#link();
    this.#functions = new FunctionRewriter(this.#context, this.#scratch);
    this.#bodies = this.#plan();
  }

  run(): Rewritten {
    const structure = this.#structure;
    const code = new Writer(3 * structure.bytes.length + 256);
    const starts = this.#writeCode(code);
    // No section but these is longer than the guest's; what is not written on takes no memory.
    const out = new Writer(code.length + this.#hints.length + structure.bytes.length + 1024);
    out.copy(HEADER);
    section(out, SectionId.type, () => counted(out, this.#typeIndices.size, this.#types));
    section(out, SectionId.import, () => {
      counted(
        out,
        this.#importCounts.reduce((sum, count) => sum + count),
        this.#imports,
      );
    });
    section(out, SectionId.function, () => {
      out.u32(this.#bodies.length);
      for (const { type } of this.#bodies) out.u32(type);
    });
    if (this.#declared.length > 0)
      section(out, SectionId.table, () => {
        out.u32(1);
        out.byte(funcref);
        out.byte(1);
        out.u32(this.#declared.length);
        out.u32(this.#declared.length);
      });
    section(out, SectionId.global, () => this.#writeGlobals(out));
    section(out, SectionId.export, () => this.#writeExports(out));
    section(out, SectionId.element, () => this.#writeElements(out));
    if (structure.dataCount !== undefined) section(out, SectionId.dataCount, () => out.u32(structure.data.length));
    section(out, SectionId.custom, () => {
      out.name(HINTS);
      counted(out, this.#hinted, this.#hints);
    });
    section(out, SectionId.code, () => counted(out, this.#bodies.length, code));
    // The code is the end of what was written so far.
    const offset = out.length - code.length;
    this.#starts = starts.map((start) => start + offset);
    if (structure.dataCount !== undefined) section(out, SectionId.data, () => this.#writeData(out));
    reserveName(out);
    return new Rewritten(out.written.slice(), this.#declared, () => this);
  }

  origin(index: number): Origin {
    this.#complete();
    return this.#bodies[index - this.#importCounts[FUNCTION]!]?.origin ?? { kind: "skip" };
  }

  /** For `bytes` that it has made before; undefined where only origins are asked for. */
  reopen(bytes: Uint8Array | undefined): this {
    this.#isComplete = false;
    if (bytes !== undefined) this.#starts = codeStarts(bytes);
    return this;
  }

  /** Writes function `index` once more, for its sites alone: so nothing of them is kept while all goes well. */
  sites(index: number): Sites {
    this.#complete();
    const own = index - this.#importCounts[FUNCTION]!;
    const found: { readonly offset: number; readonly site: Site }[] = [];
    const sites: number[] = [];
    this.#functions.sites = sites;
    this.#scratch.clear();
    this.#bodies[own]?.write(sites);
    this.#functions.sites = undefined;
    for (let k = 0; k < sites.length; k += 3)
      found.push({
        offset: this.#starts[own]! + sites[k]!,
        site: { offset: sites[k + 1]!, trap: sites[k + 2] as TrapCode | 0 },
      });
    return found;
  }

  // ---- linking

  #link(): CodeContext {
    const code = new Code(this.#structure.bytes);
    const { structure, importedFunctions } = this.#input;
    const { links, shares } = this.#linkage;
    const callIndex = new Int32Array(this.#functionTypes.length).fill(-1);
    const refIndex = new Int32Array(this.#functionTypes.length).fill(-1);
    const bytesIndex = new Int32Array(BYTES_CALLS.length).fill(-1);
    links.forEach((link, k) => {
      const type = this.#functionTypes[k]!;
      if (link.kind === "bytes") return;
      callIndex[k] = this.#importFunction(`i${k}`, ...(link.kind === "guest" ? internalType(type) : wordType(type)));
      if (link.kind === "guest") refIndex[k] = callIndex[k]!;
    });
    for (const link of links) {
      if (link.kind !== "bytes" || bytesIndex[link.row]! >= 0) continue;
      const call = BYTES_CALLS[link.row]!;
      const [params, results] = bytesType(functionTypeOf(call));
      const isRef = call.results[0]?.name === "ref";
      bytesIndex[link.row] = this.#importFunction(`b${link.row}`, params, isRef ? [i32] : results);
    }
    const called = links.flatMap(({ kind }, k) => (kind === "host" ? [this.#functionTypes[k]!] : []));
    const hosts = called.filter(usesBlock);
    const isFloat = ({ results }: FunctionType): boolean =>
      results.length === 1 && (results[0] === "f32" || results[0] === "f64");
    const optional = (wanted: boolean, name: string, params: readonly number[], results: readonly number[]): number =>
      wanted ? this.#importFunction(name, params, results) : -1;
    const hasMemory = this.#importMemory();
    const returns = (type: ValueType): boolean => hosts.some(({ results }) => results.includes(type));
    const helpers = {
      grow: optional(hasMemory, "grow", [i32], [i32]),
      dropData: optional(structure.dataCount !== undefined, "dropData", [i32], []),
      dropElements: optional(structure.elements.length > 0, "dropElements", [i32], []),
      resultFuncref: optional(returns("funcref"), "rf", [i32], [funcref]),
      resultExternref: optional(returns("externref"), "rx", [i32], [ValueCode.externref]),
      resultWord: optional(called.some(isFloat), "rw", [i32], [i32]),
      hit: optional(structure.bodies.length > 0, "hit", [i32, i32], []),
    };
    const first = this.#importCounts[FUNCTION]!;
    for (let k = importedFunctions; k < this.#functionTypes.length; k++) {
      callIndex[k] = first + k - importedFunctions;
      refIndex[k] = callIndex[k]!;
    }
    this.#adapters.forEach((index, k) => {
      refIndex[index] = first + structure.functions.length + k;
    });
    const heap = this.#usesHeap ? this.#importHeap() : -1;
    const tables = this.#importTables();
    const globals = this.#importGlobals();
    const engine = (name: string, code: number, mutable: boolean): number => this.#importGlobal(name, code, mutable);
    const fuel = engine("fuel", i64, true);
    const mark = structure.bodies.length > 0 ? engine("mark", i64, true) : -1;
    const depth = engine("depth", i32, false);
    const instance = shares ? engine("instance", i32, false) : -1;
    const caller = shares ? engine("caller", i32, true) : -1;
    const isAccess = (link: ImportLink): boolean => link.kind === "bytes" && BYTES_USES[link.row] === BytesUse.access;
    const objects = links.some(isAccess)
      ? { changes: this.#heapChanges(), slots: engine("slots", i32, false) }
      : undefined;
    const { functions, indirect } = objects?.changes ?? {
      functions: new Uint8Array(this.#functionTypes.length),
      indirect: false,
    };
    const imported = globals.length;
    for (const { type } of structure.globals) globals.push(type.value);
    const own = this.#importCounts[GLOBAL]!;
    return {
      input: this.#input,
      structure,
      linkage: this.#linkage,
      code,
      scan: new BlockScan(this.#input, code),
      functionTypes: this.#functionTypes,
      callIndex,
      refIndex,
      bytesIndex,
      ...helpers,
      heap,
      objects,
      bodyScan: new BodyScan(this.#input, functions, indirect, code),
      fuel,
      mark,
      depth,
      instance,
      caller,
      globalIndex: Int32Array.from(globals, (_, k) => (k < imported ? k : own + k - imported)),
      globalCodes: Uint8Array.from(globals, (type) => ValueCode[type]),
      tableCodes: Uint8Array.from(tables, (type) => ValueCode[type]),
      type: (params, results) => this.#type(params, results),
      internal: (type) => this.#internal(type),
      clone: (own) => this.#clone(own),
      handedOver: (local) => {
        this.#handedOver = Math.max(this.#handedOver, local + 1);
        return own + structure.globals.length + local;
      },
    };
  }

  #heapChanges(): HeapChanges {
    const declared = new Uint8Array(this.#functionTypes.length);
    for (const index of this.#declared) declared[index] = 1;
    return heapChanges(this.#input, declared, this.#linkage.shares);
  }

  #type(params: readonly number[], results: readonly number[]): number {
    const key = `${params}>${results}`;
    const known = this.#typeIndices.get(key);
    if (known !== undefined) return known;
    const index = this.#typeIndices.size;
    this.#typeIndices.set(key, index);
    this.#types.byte(0x60);
    for (const codes of [params, results]) {
      this.#types.u32(codes.length);
      for (const code of codes) this.#types.byte(code);
    }
    return index;
  }

  #internal(type: FunctionType): number {
    const known = this.#internalTypes.get(type);
    if (known !== undefined) return known;
    const index = this.#type(...internalType(type));
    this.#internalTypes.set(type, index);
    return index;
  }

  #import(name: string, kind: number): number {
    this.#imports.name("a");
    this.#imports.name(name);
    this.#imports.byte(kind);
    return this.#importCounts[kind]!++;
  }

  #importFunction(name: string, params: readonly number[], results: readonly number[]): number {
    const type = this.#type(params, results);
    const index = this.#import(name, FUNCTION);
    this.#imports.u32(type);
    return index;
  }

  #importGlobal(name: string, code: number, mutable: boolean): number {
    const index = this.#import(name, GLOBAL);
    this.#imports.byte(code);
    this.#imports.byte(mutable ? 1 : 0);
    return index;
  }

  #importMemory(): boolean {
    const { memories, imports } = this.#structure;
    const imported = imports.flatMap(({ type }) => (type.kind === "memory" ? [type.type] : []));
    const memory = [...imported, ...memories][0];
    if (memory === undefined) return false;
    this.#import("memory", MEMORY);
    this.#imports.byte(0);
    this.#imports.u32(memory.minimum);
    return true;
  }

  #importHeap(): number {
    const index = this.#import("heap", MEMORY);
    this.#imports.byte(0);
    this.#imports.u32(1);
    return index;
  }

  /** Element type of each. */
  #importTables(): ValueType[] {
    const { imports } = this.#structure;
    const imported = imports.flatMap(({ type }) => (type.kind === "table" ? [type.type] : []));
    const tables = [...imported, ...this.#structure.tables];
    tables.forEach(({ element, minimum }, k) => {
      this.#import(`t${k}`, TABLE);
      this.#imports.byte(ValueCode[element]);
      this.#imports.byte(0);
      this.#imports.u32(minimum);
    });
    return tables.map(({ element }) => element);
  }

  /** Type of each imported one. */
  #importGlobals(): ValueType[] {
    const imported = this.#structure.imports.flatMap(({ type }) => (type.kind === "global" ? [type.type] : []));
    imported.forEach(({ value, mutable }, k) => {
      this.#importGlobal(`g${k}`, bitsCode(ValueCode[value]), mutable);
    });
    return imported.map(({ value }) => value);
  }

  // ---- functions

  #plan(): Body[] {
    const { structure, importedFunctions } = this.#input;
    const internal = (index: number): number => this.#internal(this.#functionTypes[index]!);
    const bodies: Body[] = structure.functions.map((_, own) => ({
      type: internal(importedFunctions + own),
      origin: { kind: "guest", function: importedFunctions + own },
      write: () => {
        this.#functions.body(own);
        const { extraLocals: extra, unlikely } = this.#functions;
        return { runs: structure.bodies[own]!.locals, extra, unlikely };
      },
    }));
    for (const index of this.#adapters)
      bodies.push({
        type: internal(index),
        origin: { kind: "skip" },
        write: () => {
          this.#functions.adapter(index);
          return { runs: [], extra: this.#functions.extraLocals };
        },
      });
    for (const index of this.#wrapped) bodies.push(this.#wrapper(index));
    const plain = (params: readonly number[], write: () => void): void => {
      bodies.push({
        type: this.#type(params, []),
        origin: { kind: "skip" },
        write: () => {
          write();
          this.#scratch.byte(Op.end);
          return { runs: [], extra: [] };
        },
      });
    };
    for (const { kind, index } of this.#segments())
      plain(kind === "de" ? [] : [i32], () => this.#writeSegmentCode(kind, index));
    return bodies;
  }

  #complete(): void {
    if (this.#isComplete) return;
    this.#isComplete = true;
    for (let own = 0; own < this.#structure.bodies.length; own++) if (this.#functions.isCloned(own)) this.#clone(own);
  }

  /** Index of the clone of own function `own`, which is now to be written if it was not yet. */
  #clone(own: number): number {
    const first = this.#importCounts[FUNCTION]!;
    const known = this.#clones.get(own);
    if (known !== undefined) return first + known;
    const index = this.#input.importedFunctions + own;
    const [, results] = internalType(this.#functionTypes[index]!);
    const made = this.#bodies.push({
      type: this.#type([i64, i32, i32], results),
      origin: { kind: "guest", function: index },
      write: () => {
        this.#functions.body(own, true);
        const { extraLocals: extra, unlikely } = this.#functions;
        return { runs: [], extra, unlikely };
      },
    });
    this.#clones.set(own, made - 1);
    return first + made - 1;
  }

  /** Calls own function `index`: floats cross as their bits, fuel through the global. */
  #wrapper(index: number): Body {
    const { input, fuel, depth, callIndex } = this.#context;
    const { params, results } = this.#functionTypes[index]!;
    const out = this.#scratch;
    const fuelLocal = params.length;
    const write = (sites?: number[]) => {
      const op = (opcode: number, immediate: number): void => {
        out.byte(opcode);
        out.u32(immediate);
      };
      params.forEach((param, k) => {
        op(Op.localGet, k);
        if (param === "f32") out.byte(Op.f32ReinterpretI32);
        else if (param === "f64") out.byte(Op.f64ReinterpretI64);
      });
      op(Op.globalGet, fuel);
      op(Op.globalGet, depth);
      op(Op.call, callIndex[index]!);
      op(Op.localTee, fuelLocal);
      op(Op.globalSet, fuel);
      op(Op.localGet, fuelLocal);
      out.byte(Op.i64Const);
      out.byte(0);
      out.byte(Op.i64LtS);
      out.byte(Op.if);
      out.byte(0x40);
      const body = this.#structure.bodies[index - input.importedFunctions]!;
      sites?.push(out.length, body.end - 1, TrapCode.OutOfFuel);
      out.byte(Op.unreachable);
      out.byte(Op.end);
      for (let k = results.length; k-- > 0; ) op(Op.localSet, fuelLocal + 1 + k);
      results.forEach((result, k) => {
        op(Op.localGet, fuelLocal + 1 + k);
        if (result === "f32") out.byte(Op.i32ReinterpretF32);
        else if (result === "f64") out.byte(Op.i64ReinterpretF64);
      });
      out.byte(Op.end);
      return { runs: [], extra: [i64, ...results.map((result) => ValueCode[result])] };
    };
    const bits = (types: readonly ValueType[]): number[] => types.map((type) => bitsCode(ValueCode[type]));
    return { type: this.#type(bits(params), bits(results)), origin: { kind: "wrapper", function: index }, write };
  }

  /** The functions for segments, in order. */
  #segments(): readonly { readonly kind: "e" | "de" | "dd"; readonly index: number }[] {
    const { elements, data, dataCount } = this.#structure;
    const passive =
      dataCount === undefined ? [] : data.flatMap(({ mode }, k) => (mode === "passive" ? [groupOf(k)] : []));
    return [
      ...elements.flatMap(({ mode }, index) => (mode === "active" ? [{ kind: "e" as const, index }] : [])),
      ...elements.flatMap(({ mode }, index) => (mode !== "declarative" ? [{ kind: "de" as const, index }] : [])),
      ...[...new Set(passive)].map((index) => ({ kind: "dd" as const, index })),
    ];
  }

  #writeSegmentCode(kind: "e" | "de" | "dd", index: number): void {
    const out = this.#scratch;
    const prefixed = (...words: number[]): void => {
      out.byte(0xfc);
      for (const word of words) out.u32(word);
    };
    if (kind === "e") {
      const { items, table } = this.#structure.elements[index]!;
      out.byte(Op.localGet);
      out.u32(0);
      for (const constant of [0, items.length]) {
        out.byte(Op.i32Const);
        out.s32(constant);
      }
      prefixed(0x0c, index, table);
    }
    if (kind !== "dd") {
      prefixed(0x0d, index);
      return;
    }
    for (let k = index * GROUP; k < (index + 1) * GROUP; k++) {
      if (this.#structure.data[k]?.mode !== "passive") continue;
      out.byte(Op.localGet);
      out.u32(0);
      out.byte(Op.i32Const);
      out.s32(k);
      out.byte(Op.i32Eq);
      out.byte(Op.if);
      out.byte(0x40);
      prefixed(0x09, k);
      out.byte(Op.end);
    }
  }

  /** Writes all bodies; where the code of each begins in `code`. */
  #writeCode(code: Writer): Int32Array {
    const starts: number[] = [];
    const cloneStarts: number[] = [];
    const clones = new Writer(this.#structure.bytes.length);
    const cloneHints = new Writer();
    const count = this.#bodies.length;
    for (let k = 0; k < count; k++) {
      starts.push(this.#writeBody(k, code, this.#hints));
      // Its clone is written at once, while what was found out of the function is at hand.
      const clone = count + cloneStarts.length;
      if (clone < this.#bodies.length) cloneStarts.push(this.#writeBody(clone, clones, cloneHints));
    }
    const end = code.length;
    code.copy(clones.written);
    this.#hints.copy(cloneHints.written);
    return Int32Array.from([...starts, ...cloneStarts.map((start) => end + start)]);
  }

  /** Writes body `k`; where its code begins. */
  #writeBody(k: number, code: Writer, hints: Writer): number {
    const scratch = this.#scratch;
    scratch.clear();
    const { runs, extra, unlikely = [] } = this.#bodies[k]!.write();
    const sized = code.beginSized();
    const own = runsOf(extra);
    code.u32(runs.length + own.length);
    for (const { count, type } of runs) {
      code.u32(count);
      code.byte(ValueCode[type]);
    }
    for (const { count, code: type } of own) {
      code.u32(count);
      code.byte(type);
    }
    const header = code.length - sized;
    code.copy(scratch.written);
    code.endSized(sized);
    if (unlikely.length > 0) this.#hint(hints, this.#importCounts[FUNCTION]! + k, header, unlikely);
    return code.length - scratch.length;
  }

  #hint(hints: Writer, index: number, header: number, unlikely: readonly number[]): void {
    this.#hinted++;
    hints.u32(index);
    hints.u32(unlikely.length);
    for (const at of unlikely) {
      hints.u32(header + at);
      hints.u32(1);
      hints.byte(0);
    }
  }

  // ---- the other sections

  #writeGlobals(out: Writer): void {
    out.u32(this.#structure.globals.length + this.#handedOver);
    for (const { type, init } of this.#structure.globals) {
      out.byte(bitsCode(ValueCode[type.value]));
      out.byte(1);
      this.#writeConstant(out, init);
    }
    for (let k = 0; k < this.#handedOver; k++) for (const byte of [i64, 1, Op.i64Const, 0, Op.end]) out.byte(byte);
  }

  #writeConstant(out: Writer, { start, end }: ConstantExpression): void {
    const reader = new Reader(this.#structure.bytes, start, end);
    const instruction = new Instruction();
    while (reader.position < end) {
      readInstruction(reader, instruction);
      const { index, imm0, low, high, offset } = instruction;
      if (index === Op.globalGet) {
        out.byte(index);
        out.u32(this.#context.globalIndex[imm0]!);
      } else if (index === Op.f32Const) {
        out.byte(Op.i32Const);
        out.s32(low);
      } else if (index === Op.f64Const) {
        out.byte(Op.i64Const);
        out.s64(low, high);
      } else if (index === 0xd2) {
        out.byte(index);
        out.u32(this.#context.refIndex[imm0]!);
      } else out.copy(this.#structure.bytes, offset, reader.position);
    }
  }

  #writeExports(out: Writer): void {
    const first = this.#importCounts[FUNCTION]!;
    const { functions } = this.#structure;
    const exports: (readonly [name: string, kind: number, index: number])[] = [];
    const wrappers = first + functions.length + this.#adapters.length;
    const segments = wrappers + this.#wrapped.length;
    for (const [k, index] of this.#wrapped.entries()) exports.push([`x${index}`, FUNCTION, wrappers + k]);
    for (const [k, { kind, index }] of this.#segments().entries())
      exports.push([`${kind}${index}`, FUNCTION, segments + k]);
    if (this.#declared.length > 0) exports.push(["p", TABLE, this.#importCounts[TABLE]!]);
    const { globalIndex } = this.#context;
    const imported = globalIndex.length - this.#structure.globals.length;
    for (let k = imported; k < globalIndex.length; k++) exports.push([`g${k}`, GLOBAL, globalIndex[k]!]);
    out.u32(exports.length);
    for (const [name, kind, index] of exports) {
      out.name(name);
      out.byte(kind);
      out.u32(index);
    }
  }

  /** The guest's segments, passive all, and the contents of the table `p`. */
  #writeElements(out: Writer): void {
    const { elements } = this.#structure;
    const { refIndex } = this.#context;
    out.u32(elements.length + (this.#declared.length > 0 ? 1 : 0));
    for (const { mode, element, items } of elements) {
      out.u32(5);
      out.byte(ValueCode[element]);
      if (mode === "declarative") {
        out.u32(0);
        continue;
      }
      out.u32(items.length);
      for (const item of items) {
        if (typeof item === "number") {
          out.byte(0xd2);
          out.u32(refIndex[item]!);
          out.byte(Op.end);
        } else this.#writeConstant(out, item);
      }
    }
    if (this.#declared.length === 0) return;
    out.u32(2);
    out.u32(this.#importCounts[TABLE]!);
    out.byte(Op.i32Const);
    out.byte(0);
    out.byte(Op.end);
    out.byte(0);
    out.u32(this.#declared.length);
    for (const index of this.#declared) out.u32(refIndex[index]!);
  }

  /** Active segments are copied by the instance, and dropped by then. */
  #writeData(out: Writer): void {
    const { data, bytes } = this.#structure;
    out.u32(data.length);
    for (const { mode, start, end } of data) {
      out.byte(1);
      const length = mode === "passive" ? end - start : 0;
      out.u32(length);
      out.copy(bytes, start, start + length);
    }
  }
}

/** Passive data segments for which there is one function. */
const GROUP = 64;

/** The number of the exported function that drops data segment `index`. */
export function groupOf(index: number): number {
  return Math.floor(index / GROUP);
}

interface Body {
  readonly type: number;
  readonly origin: Origin;
  /** Writes the code; answers the locals. */
  readonly write: (sites?: number[]) => {
    readonly runs: readonly { readonly count: number; readonly type: ValueType }[];
    readonly extra: readonly number[];
    readonly unlikely?: readonly number[];
  };
}

/** True for what does not return its results as one value of JavaScript. */
function usesBlock({ results }: FunctionType): boolean {
  return results.length > 1 || results[0] === "i64";
}

/** Type of a host function's import: an i64 crosses as two i32, results that use the result block as none. */
function wordType(type: FunctionType): [params: number[], results: number[]] {
  const params = type.params.flatMap((param) => (param === "i64" ? [i32, i32] : [ValueCode[param]]));
  return [params, usesBlock(type) ? [] : type.results.map((result) => ValueCode[result])];
}

/** The same of a call of `bytes`: floats cross as their bits, loaded ones through the result block. */
function bytesType({ params, results }: FunctionType): [params: number[], results: number[]] {
  const words = params
    .map((param) => bitsCode(ValueCode[param]))
    .flatMap((code) => (code === i64 ? [i32, i32] : [code]));
  return [words, results[0] === "i32" ? [i32] : []];
}

function runsOf(codes: readonly number[]): { count: number; readonly code: number }[] {
  const runs: { count: number; readonly code: number }[] = [];
  for (const code of codes) {
    const last = runs.at(-1);
    if (last?.code === code) last.count++;
    else runs.push({ count: 1, code });
  }
  return runs;
}

/** Where the code of each body begins in a module, its locals skipped. */
function codeStarts(bytes: Uint8Array): Int32Array {
  const reader = new Reader(bytes, HEADER.length);
  for (;;) {
    const id = reader.readByte();
    const size = reader.readU32();
    if (id === SectionId.code) break;
    reader.position += size;
  }
  return Int32Array.from({ length: reader.readU32() }, () => {
    const size = reader.readU32();
    const end = reader.position + size;
    for (let runs = reader.readU32(); runs > 0; runs--) {
      reader.readU32();
      reader.readByte();
    }
    const start = reader.position;
    reader.position = end;
    return start;
  });
}

function section(out: Writer, id: number, write: () => void): void {
  out.byte(id);
  const sized = out.beginSized();
  write();
  out.endSized(sized);
}

function counted(out: Writer, count: number, contents: Writer): void {
  out.u32(count);
  out.copy(contents.written);
}
