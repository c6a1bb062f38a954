import { decode } from "./bytecode/decode.ts";
import type { ExternType, FunctionType, ModuleStructure } from "./bytecode/structure.ts";
import { type SectionFacts, sectionFacts, type ValidationFacts, validate } from "./bytecode/validate.ts";
import { BYTES_CALLS, bytesRow } from "./bytes.ts";
import type { RewriteInput, Rewritten } from "./compiler/rewrite.ts";
import { typeId } from "./function.ts";
import { type Instance, type InstantiateOptions, instantiate } from "./instance.ts";
import { type Limits, limitsWith } from "./limits.ts";
import { Code, type TranslationInput } from "./reference/translate.ts";
import { hex, sha256 } from "./sha256.ts";

/** Depth slots that every counted frame takes beside its parameters, locals and operands (spec VM-DEPTH-1). */
const FRAME_SLOTS = 8;
/** A function without calls and with no more slots than this is not counted (spec VM-DEPTH-2). */
const LEAF_SLOTS = 64;

/** A decoded and validated module: immutable, and shared by any number of instances and stores. */
export class Module {
  readonly structure: ModuleStructure;
  readonly #limits: Limits;
  readonly #sections: SectionFacts;
  /** Undefined while nobody has asked for them, of a known module. */
  #facts: ValidationFacts | undefined;
  #digest: string | undefined;
  #translation: TranslationInput | undefined;
  #names: Map<number, string> | undefined;
  readonly #codes: (Code | undefined)[] = [];
  readonly #rewritten = new Map<string, Rewritten>();

  private constructor(structure: ModuleStructure, limits: Limits, sections: SectionFacts, facts?: ValidationFacts) {
    this.structure = structure;
    this.#limits = limits;
    this.#sections = sections;
    this.#facts = facts;
  }

  /**
   * Decodes and validates `bytes`, which are copied. Throws DecodeError, ValidationError or UnsupportedFeature with the
   * byte offset, or LimitError (spec VM-DECODE-1, VM-VALIDATE-1).
   */
  static decode(bytes: Uint8Array, options: { readonly limits?: Partial<Limits> } = {}): Module {
    const limits = limitsWith(options.limits);
    // Not `slice`, which for a Buffer shares the bytes.
    const structure = decode(new Uint8Array(bytes), limits);
    const facts = validate(structure, limits);
    return new Module(structure, limits, facts, facts);
  }

  /**
   * The module of bytes that {@link decode} took before, which are not copied and must not change. Nothing walks over its
   * function bodies before somebody asks for them: the reference engine, the compiler, or a trap for its place. `digest` is
   * that of the bytes, where it is known.
   */
  static known(bytes: Uint8Array, digest?: string): Module {
    const limits = limitsWith();
    // Views of a Buffer, as there is one for each segment, are Buffers, which take longer to make.
    const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    const structure = decode(plain, limits, true);
    const module = new Module(structure, limits, sectionFacts(structure, limits));
    module.#digest = digest;
    return module;
  }

  get imports(): readonly { readonly module: string; readonly name: string; readonly type: ExternType }[] {
    return this.structure.imports.map(({ module, name, type }) => ({ module, name, type }));
  }

  get exports(): readonly { readonly name: string; readonly type: ExternType }[] {
    return this.structure.exports.map(({ name, kind, index }) => ({ name, type: this.#externType(kind, index) }));
  }

  /** SHA-256 of the module's bytes, in hexadecimal. */
  get digest(): string {
    if (this.#digest === undefined) {
      const hash = sha256();
      hash.update(this.structure.bytes);
      this.#digest = hex(hash.digest());
    }
    return this.#digest;
  }

  /** Contents of the custom sections of that name. */
  customSections(name: string): Uint8Array[] {
    const { customs, bytes } = this.structure;
    return customs.filter((section) => section.name === name).map(({ start, end }) => bytes.slice(start, end));
  }

  /** Links, allocates, runs the active segments and the start function; see {@link instantiate}. */
  instantiate(options?: InstantiateOptions): Instance {
    return instantiate(this, options);
  }

  /** Name of a function: from the name section, else of an export, else `module.name` of the import; or undefined. */
  functionName(index: number): string | undefined {
    this.#names ??= this.#functionNames();
    return this.#names.get(index);
  }

  /** Type of the function with that index. */
  functionType(index: number): FunctionType {
    const imported = this.structure.imports.filter((entry) => entry.type.kind === "function");
    const type =
      index < imported.length ? imported[index]!.typeIndex : this.structure.functions[index - imported.length]!;
    return this.structure.types[type]!;
  }

  #functionNames(): Map<number, string> {
    const names = new Map<number, string>();
    let index = 0;
    for (const { module, name, type } of this.structure.imports)
      if (type.kind === "function") names.set(index++, `${module}.${name}`);
    for (const { name, kind, index: exported } of this.structure.exports)
      if (kind === "function" && !names.has(exported)) names.set(exported, name);
    for (const [named, name] of this.structure.names.functions) names.set(named, name);
    return names;
  }

  #externType(kind: ExternType["kind"], index: number): ExternType {
    const { structure } = this;
    const imported = structure.imports.filter((entry) => entry.type.kind === kind);
    if (index < imported.length) return imported[index]!.type;
    const own = index - imported.length;
    switch (kind) {
      case "function":
        return { kind, type: structure.types[structure.functions[own]!]! };
      case "table":
        return { kind, type: structure.tables[own]! };
      case "memory":
        return { kind, type: structure.memories[own]! };
      case "global":
        return { kind, type: structure.globals[own]!.type };
    }
  }

  // ---- what the engine reads

  /** The module's code for the reference engine: with probes, or without; with what tells a profile, or without. */
  code(plain: boolean, profiled: boolean): Code {
    const form = (plain ? 1 : 0) + (profiled ? 2 : 0);
    this.#codes[form] ??= new Code(this.translation.paramCounts.length, plain, profiled);
    return this.#codes[form];
  }

  /** Code for the compiled engine under a key of `linkageKey`, if it was made or adopted. */
  codeOf(key: string): Rewritten | undefined {
    return this.#rewritten.get(key);
  }

  /** Instances with that linkage will run this code, which must be of this module. */
  adoptCode(key: string, code: Rewritten): void {
    this.#rewritten.set(key, code);
  }

  /** Functions that a funcref may name, in order. */
  get declared(): readonly number[] {
    const { declared } = this.#sections;
    return [...declared.keys()].filter((index) => declared[index] === 1);
  }

  get rewriteInput(): RewriteInput {
    return { translation: this.translation, declared: this.declared };
  }

  get translation(): TranslationInput {
    this.#translation ??= this.#translationInput();
    return this.#translation;
  }

  #translationInput(): TranslationInput {
    const { structure } = this;
    const imported = structure.imports.filter((entry) => entry.type.kind === "function");
    const types = [...imported.map((entry) => entry.typeIndex), ...structure.functions].map(
      (index) => structure.types[index]!,
    );
    this.#facts ??= validate(structure, this.#limits);
    const { maxHeight, hasCalls } = this.#facts;
    const depthSlots = structure.bodies.map((body, own) => {
      const slots = FRAME_SLOTS + types[imported.length + own]!.params.length + body.localCount + maxHeight[own]!;
      return hasCalls[own] === 0 && slots <= LEAF_SLOTS ? 0 : slots;
    });
    return {
      structure,
      importedFunctions: imported.length,
      paramCounts: Uint16Array.from(types, (type) => type.params.length),
      resultCounts: Uint16Array.from(types, (type) => type.results.length),
      typeIds: Int32Array.from(structure.types, typeId),
      bytesRows: Int32Array.from(imported, bytesRow),
      bytesPrices: Int32Array.from(BYTES_CALLS, ({ fuel }) => (typeof fuel === "number" ? fuel : fuel.base)),
      bytesBulk: BYTES_CALLS.map((call) => call.bulk),
      maxHeight,
      depthSlots: Int32Array.from(depthSlots),
    };
  }
}
