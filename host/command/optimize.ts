/**
 * `ashlar build --optimize`: binaryen on compiled code. What a trap shows must not change: which of several traps comes
 * first, behind which effects, at which site. Binaryen promises none of that; it knows traps as something that it may
 * exchange with one another. So it is not shown any: before, each instruction that may trap or is a call is replaced by
 * a call of a function of its own, of which nothing is known; afterwards each such call becomes the instruction again.
 * Binaryen keeps the order of calls, and their names tell the sites (spec IMAGE-OPT-1).
 */
import { OPCODES, type Opcode } from "../../vm/bytecode/opcodes.ts";
import { Reader } from "../../vm/bytecode/reader.ts";
import { SectionId, ValueCode } from "../../vm/bytecode/structure.ts";
import { Writer } from "../../vm/bytecode/writer.ts";
import { reserveName } from "../../vm/compiler/module-name.ts";
import type { Rewritten, Site, Sites } from "../../vm/compiler/rewrite.ts";
import { type CompiledCode, writeSites } from "../image.ts";
import { CommandError, ExitCode } from "./failure.ts";

/**
 * Function passes, in order: none moves code between functions. They take away the detours through locals that compilers
 * leave when they do not optimise. V8's optimising compiler does that too, its baseline compiler does not. More passes
 * made neither of them faster.
 */
const PASSES = ["simplify-locals-nostructure", "vacuum", "coalesce-locals", "vacuum", "reorder-locals"];

/** Answers code that does the same as `code`, and its sites for {@link CompiledCode}. */
export type Optimizer = (code: Rewritten) => { readonly bytes: Uint8Array; readonly sites: Uint8Array };

/** Throws CLI-OPTIMIZE when binaryen is not installed. */
export async function loadOptimizer(): Promise<Optimizer> {
  const binaryen = await loadBinaryen();
  return (code) => optimize(binaryen, code);
}

function optimize(binaryen: Binaryen, code: Rewritten): ReturnType<Optimizer> {
  const before = parse(code.bytes);
  const hidden = hide(before, code);
  const module = binaryen.readBinary(hidden.bytes);
  try {
    module.setFeatures(features(binaryen));
    binaryen.setOptimizeLevel(2);
    binaryen.setShrinkLevel(0);
    module.runPasses(PASSES);
    return restore(parse(module.emitBinary()), before, hidden.places);
  } finally {
    module.dispose();
  }
}

type Binaryen = typeof import("binaryen")["default"];

async function loadBinaryen(): Promise<Binaryen> {
  try {
    return (await import("binaryen")).default;
  } catch {
    throw new CommandError("CLI-OPTIMIZE", ExitCode.FAILURE, "--optimize needs binaryen: npm install binaryen");
  }
}

function features({ Features }: Binaryen): number {
  return (
    Features.MutableGlobals |
    Features.NontrappingFPToInt |
    Features.SignExt |
    Features.BulkMemory |
    Features.BulkMemoryOpt |
    Features.ReferenceTypes |
    Features.CallIndirectOverlong |
    Features.Multivalue |
    Features.MultiMemory |
    Features.ExtendedConst |
    Features.TailCall
  );
}

// ---- the parts of a module that matter here

interface Section {
  readonly id: number;
  readonly start: number;
  readonly end: number;
}
interface Type {
  readonly params: readonly number[];
  readonly results: readonly number[];
}
interface Parsed {
  readonly bytes: Uint8Array;
  readonly sections: readonly Section[];
  readonly types: readonly Type[];
  /** Type index of each function, imports first; how many of them are imported. */
  readonly functions: readonly number[];
  readonly imported: number;
  /** Element type of each table. */
  readonly tables: readonly number[];
  /** Of each defined function; `code` is where its instructions begin. */
  readonly bodies: readonly { readonly start: number; readonly code: number; readonly end: number }[];
}

const HEADER_BYTES = 8;
const FUNCTION_TYPE = 0x60;

function parse(bytes: Uint8Array): Parsed {
  const sections: Section[] = [];
  const reader = new Reader(bytes, HEADER_BYTES);
  while (reader.position < bytes.length) {
    const id = reader.readByte();
    const size = reader.readU32();
    const start = reader.skip(size);
    sections.push({ id, start, end: start + size });
  }
  const types: Type[] = [];
  const functions: number[] = [];
  const tables: number[] = [];
  const bodies: Parsed["bodies"][number][] = [];
  const codes = (): number[] => Array.from({ length: reader.readU32() }, () => reader.readByte());
  const limits = (): void => {
    const flags = reader.readByte();
    reader.readU32();
    if ((flags & 1) !== 0) reader.readU32();
  };
  const table = (): void => {
    tables.push(reader.readByte());
    limits();
  };
  const each = (id: number, item: () => void): void => {
    const section = sections.find((candidate) => candidate.id === id);
    if (section === undefined) return;
    reader.reset(section.start, section.end);
    for (let left = reader.readU32(); left > 0; left--) item();
  };
  each(SectionId.type, () => {
    if (reader.readByte() !== FUNCTION_TYPE) throw new Error("a type is no function's");
    types.push({ params: codes(), results: codes() });
  });
  each(SectionId.import, () => {
    for (let name = 0; name < 2; name++) reader.skip(reader.readU32());
    const kind = reader.readByte();
    if (kind === 0) functions.push(reader.readU32());
    else if (kind === 1) table();
    else if (kind === 2) limits();
    else reader.skip(2);
  });
  const imported = functions.length;
  each(SectionId.function, () => functions.push(reader.readU32()));
  each(SectionId.table, table);
  each(SectionId.code, () => {
    const size = reader.readU32();
    const start = reader.position;
    for (let runs = reader.readU32(); runs > 0; runs--) {
      reader.readU32();
      reader.readByte();
    }
    bodies.push({ start, code: reader.position, end: start + size });
    reader.position = start + size;
  });
  return { bytes, sections, types, functions, imported, tables, bodies };
}

const OPCODE: ReadonlyMap<number, Opcode> = new Map(OPCODES.map((opcode) => [opcode.code, opcode]));
const RETURN_CALL = 0x12;
const CALL = 0x10;
const CALL_INDIRECT = 0x11;
const UNREACHABLE = 0x00;
const PREFIX = 0xfc;
/** Of an access's alignment: a memory's index follows. */
const HAS_MEMORY = 0x40;

/** Reads one instruction; the reader stands behind it then. Answers its opcode. */
function step(reader: Reader): number {
  const first = reader.readByte();
  if (first === RETURN_CALL) {
    reader.readU32();
    return first;
  }
  const code = first === PREFIX ? (PREFIX << 8) | reader.readU32() : first;
  const opcode = OPCODE.get(code);
  if (opcode === undefined) throw new Error(`an instruction is not known: 0x${code.toString(16)}`);
  skipImmediate(reader, opcode.immediate);
  return code;
}

function skipImmediate(reader: Reader, immediate: Opcode["immediate"]): void {
  switch (immediate) {
    case "":
      return;
    case "block":
    case "i64":
      reader.readS64();
      return;
    case "i32":
      reader.readS32();
      return;
    case "f32":
      reader.skip(4);
      return;
    case "f64":
      reader.skip(8);
      return;
    case "labels":
      for (let left = reader.readU32(); left >= 0; left--) reader.readU32();
      return;
    case "select":
      reader.skip(reader.readU32());
      return;
    case "reftype":
      reader.readByte();
      return;
    case "memarg":
      if ((reader.readU32() & HAS_MEMORY) !== 0) reader.readU32();
      reader.readU32();
      return;
    case "calli":
    case "dataMemory":
    case "memoryMemory":
    case "elemTable":
    case "tableTable":
      reader.readU32();
      reader.readU32();
      return;
    default:
      reader.readU32();
  }
}

// ---- before

/** An instruction that binaryen is not shown. */
interface Place {
  /** The instruction; of a call_indirect the type stands apart, because binaryen numbers types anew. */
  readonly bytes: Uint8Array;
  readonly indirect: Type | undefined;
  readonly site: Site | undefined;
}

function hide(module: Parsed, code: Rewritten): { readonly bytes: Uint8Array; readonly places: readonly Place[] } {
  const { bytes, imported, functions } = module;
  const places: Place[] = [];
  const types = new TypeIndices(module.types);
  const placeTypes: number[] = [];
  const out = new Writer(2 * bytes.length);
  const reader = new Reader(bytes);
  module.bodies.forEach(({ start, code: first, end }, own) => {
    const size = out.beginSized();
    out.copy(bytes, start, first);
    const siteAt = siteFinder(code.sitesOf(imported + own));
    reader.reset(first, end);
    let copied = first;
    while (reader.position < end) {
      const at = reader.position;
      const opcode = step(reader);
      const type = typeOf(module, opcode, at);
      if (type === undefined) continue;
      out.copy(bytes, copied, at);
      copied = opcode === UNREACHABLE ? at : reader.position;
      out.byte(CALL);
      out.u32(functions.length + places.length);
      const indirect = opcode === CALL_INDIRECT ? module.types[new Reader(bytes, at + 1).readU32()] : undefined;
      places.push({ bytes: bytes.subarray(at, reader.position), indirect, site: siteAt(at) });
      placeTypes.push(types.of(type));
    }
    out.copy(bytes, copied, end);
    out.endSized(size);
  });
  for (let left = places.length; left > 0; left--) out.copy(EMPTY_BODY);
  const all = [...functions.slice(imported), ...placeTypes];
  return { bytes: withCode(module, types.added, all, out.written), places };
}

/** Size, no locals, unreachable, end. */
const EMPTY_BODY = Uint8Array.of(3, 0, UNREACHABLE, 0x0b);

function siteFinder(sites: Sites): (offset: number) => Site | undefined {
  let next = 0;
  return (offset) => {
    while (next < sites.length && sites[next]!.offset <= offset) next++;
    return sites[next - 1]?.site;
  };
}

const TYPE_CODES: { readonly [letter: string]: number } = {
  i: ValueCode.i32,
  I: ValueCode.i64,
  f: ValueCode.f32,
  F: ValueCode.f64,
};

/** Type of an instruction that may trap or is a call; undefined for all others. */
function typeOf({ bytes, types, functions, tables }: Parsed, code: number, at: number): Type | undefined {
  const opcode = OPCODE.get(code);
  if (!opcode?.mayTrap) return undefined;
  const immediate = (): number => new Reader(bytes, at + (code > 0xff ? 2 : 1)).readU32();
  switch (opcode.name) {
    case "unreachable":
      return { params: [], results: [] };
    case "call":
      return types[functions[immediate()]!];
    case "call_indirect": {
      const { params, results } = types[immediate()]!;
      return { params: [...params, ValueCode.i32], results };
    }
    case "table.get":
      return { params: [ValueCode.i32], results: [tables[immediate()]!] };
    case "table.set":
      return { params: [ValueCode.i32, tables[immediate()]!], results: [] };
    case "table.fill":
      return { params: [ValueCode.i32, tables[immediate()]!, ValueCode.i32], results: [] };
    case "table.copy":
      return { params: [ValueCode.i32, ValueCode.i32, ValueCode.i32], results: [] };
    default:
      return { params: codesOf(opcode.params!), results: codesOf(opcode.results!) };
  }
}

function codesOf(letters: string): number[] {
  return [...letters].map((letter) => TYPE_CODES[letter]!);
}

/** Indices of types, those of a module first. */
class TypeIndices {
  readonly added: Type[] = [];
  readonly #indices = new Map<string, number>();
  #count: number;

  constructor(types: readonly Type[]) {
    for (const [index, type] of types.entries())
      if (!this.#indices.has(keyOf(type))) this.#indices.set(keyOf(type), index);
    this.#count = types.length;
  }

  of(type: Type): number {
    const key = keyOf(type);
    const known = this.#indices.get(key);
    if (known !== undefined) return known;
    this.added.push(type);
    this.#indices.set(key, this.#count);
    return this.#count++;
  }
}

function keyOf({ params, results }: Type): string {
  return `${params.join()}:${results.join()}`;
}

// ---- afterwards

function restore(module: Parsed, before: Parsed, places: readonly Place[]): ReturnType<Optimizer> {
  const { bytes, imported } = module;
  const own = before.bodies.length;
  if (imported !== before.imported || module.bodies.length !== own + places.length)
    throw new Error("binaryen has added or removed functions");
  const first = before.functions.length;
  const types = new TypeIndices(module.types);
  const out = new Writer(bytes.length);
  const sites: { offset: number; site: Site }[][] = [];
  const reader = new Reader(bytes);
  for (const { start, code, end } of module.bodies.slice(0, own)) {
    const found: { offset: number; site: Site }[] = [];
    const body = out.length;
    out.copy(bytes, start, code);
    reader.reset(code, end);
    let copied = code;
    while (reader.position < end) {
      const at = reader.position;
      const opcode = step(reader);
      if (opcode !== CALL && opcode !== RETURN_CALL) continue;
      const place = places[new Reader(bytes, at + 1).readU32() - first];
      if (place === undefined) continue;
      if (opcode === RETURN_CALL) throw new Error("binaryen has made a tail call of a call");
      out.copy(bytes, copied, at);
      copied = reader.position;
      if (place.site !== undefined) found.push({ offset: out.length - body, site: place.site });
      writePlace(out, place, types);
    }
    out.copy(bytes, copied, end);
    const length = out.length;
    out.endSized(body);
    // The size stands before the body now.
    const shift = out.length - length;
    sites.push(found.map(({ offset, site }) => ({ offset: body + shift + offset, site })));
  }
  if (types.added.length > 0) throw new Error("binaryen has removed a type");
  const made = withCode(module, [], module.functions.slice(imported, first), out.written);
  const { start } = parse(made).sections.find(({ id }) => id === SectionId.code)!;
  const codeStart = start + lengthOfU32(own);
  const absolute = sites.map((found, k): [number, Sites] => [
    imported + k,
    found.map(({ offset, site }) => ({ offset: codeStart + offset, site })),
  ]);
  return { bytes: made, sites: writeSites(absolute.filter(([, found]) => found.length > 0)) };
}

function writePlace(out: Writer, { bytes, indirect }: Place, types: TypeIndices): void {
  if (indirect === undefined) {
    out.copy(bytes);
    return;
  }
  const reader = new Reader(bytes, 1);
  reader.readU32();
  out.byte(CALL_INDIRECT);
  out.u32(types.of(indirect));
  out.copy(bytes, reader.position);
}

/** `module` with further types, and with these functions and their bodies. */
function withCode(
  module: Parsed,
  added: readonly Type[],
  functions: readonly number[],
  bodies: Uint8Array,
): Uint8Array {
  const { bytes, sections } = module;
  const out = new Writer(bytes.length + bodies.length);
  out.copy(bytes, 0, HEADER_BYTES);
  for (const { id, start, end } of sections) {
    if (id === SectionId.custom) continue;
    out.byte(id);
    const size = out.beginSized();
    if (id === SectionId.type) {
      const reader = new Reader(bytes, start, end);
      out.u32(reader.readU32() + added.length);
      out.copy(bytes, reader.position, end);
      for (const type of added) writeType(out, type);
    } else if (id === SectionId.function) {
      out.u32(functions.length);
      for (const type of functions) out.u32(type);
    } else if (id === SectionId.code) {
      out.u32(functions.length);
      out.copy(bodies);
    } else out.copy(bytes, start, end);
    out.endSized(size);
  }
  reserveName(out);
  return out.written.slice();
}

function writeType(out: Writer, { params, results }: Type): void {
  out.byte(FUNCTION_TYPE);
  for (const codes of [params, results]) {
    out.u32(codes.length);
    for (const code of codes) out.byte(code);
  }
}

function lengthOfU32(value: number): number {
  const out = new Writer();
  out.u32(value);
  return out.length;
}
