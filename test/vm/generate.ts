/**
 * Generates valid modules from a seed, for the differential tests. The same seed and options give the same bytes
 * everywhere; a statement that is left out (`skip`) changes no other statement's random numbers, so a failing module
 * shrinks by replaying its seed with fewer statements.
 *
 * Every module ends: each loop has a counter, each function that may be entered often a share of one budget. Exported
 * functions `e0`, `e1` … take and give i32 and i64 only, so that a NaN's bits cross any boundary; wild ones f32 and f64 too.
 */
import { type FunctionType, ValueCode, type ValueType } from "../../vm/bytecode/structure.ts";
import { Writer } from "../../vm/bytecode/writer.ts";
import { Body, type Code } from "./generate-body.ts";
import { Environment, type GenerateOptions, type Linkable, REF } from "./generate-environment.ts";
import { mix, someBits } from "./random.ts";

export interface Signature {
  readonly name: string;
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

export interface Generated extends Linkable {
  readonly seed: number;
  readonly bytes: Uint8Array;
  /** The same module with every NaN that arithmetic or the host may make turned into the canonical one. */
  readonly canonical: Uint8Array;
  /** `e0`, `e1` …: for the embedder to call. */
  readonly entries: readonly Signature[];
  /** Ids of its statements and functions, outer before inner. */
  readonly statements: readonly number[];
  /** May have a host value behind an externref. */
  readonly externs: boolean;
}

function limits(writer: Writer, minimum: number, maximum: number): void {
  writer.byte(1);
  writer.u32(minimum);
  writer.u32(maximum);
}

function valueTypes(writer: Writer, types: readonly ValueType[]): void {
  writer.u32(types.length);
  for (const type of types) writer.byte(ValueCode[type]);
}

/** Writes a section of `items`, or nothing when there are none. */
function section<T>(writer: Writer, id: number, items: readonly T[], write: (item: T, index: number) => void): void {
  if (items.length === 0) return;
  writer.byte(id);
  const start = writer.beginSized();
  writer.u32(items.length);
  items.forEach(write);
  writer.endSized(start);
}

/** A constant expression: zero, null, or a constant of the type. */
function initial(writer: Writer, type: ValueType, bits: number | bigint): void {
  if (type === "funcref" || type === "externref") {
    writer.byte(0xd0);
    writer.byte(ValueCode[type]);
  } else {
    const low = Number(BigInt.asIntN(32, BigInt(bits)));
    const high = Number(BigInt.asIntN(32, BigInt(bits) >> 32n));
    writer.byte({ i32: 0x41, i64: 0x42, f32: 0x43, f64: 0x44 }[type]);
    if (type === "i32") writer.s32(low);
    else if (type === "i64") writer.s64(low, high);
    else writer.word(low);
    if (type === "f64") writer.word(high);
  }
  writer.byte(0x0b);
}

const PAGES = { minimum: 1, maximum: 3 };

/** A module that validates and ends, whatever the seed. */
export function generate(seed: number, options: GenerateOptions = {}): Generated {
  const environment = new Environment(seed, options);
  const { functions, globals, tables, imported, random } = environment;
  const defined = functions.slice(imported);
  const endless = environment.trappy > 0 && random.chance(environment.wild ? 0.06 : 0.15) ? 0 : -1;
  const bodies: { type: FunctionType; code: Code; locals: readonly ValueType[] }[] = defined.map(({ type }, k) => {
    const body = new Body(environment, type, mix(seed, 100 + k));
    return { type, code: body.function(mix(seed, 200 + k), imported + k, k === endless), locals: body.declared };
  });
  const entries: Signature[] = [];
  const asInteger = (type: ValueType): ValueType => (type === "i64" || type === "f64" ? "i64" : "i32");
  const asNumber = (type: ValueType): ValueType => (type.endsWith("ref") ? "i32" : type);
  defined.forEach(({ type }, k) => {
    const params = type.params.map(environment.wild ? asNumber : asInteger);
    const results = type.results.map(environment.wild ? asNumber : asInteger);
    const body = new Body(environment, { params, results }, mix(seed, 300 + k));
    bodies.push({ type: { params, results }, code: body.entry(imported + k), locals: [...results, "i32"] });
    entries.push({ name: `e${k}`, params, results });
  });
  const start = random.chance(0.2) && environment.trappy === 0 ? bodies.length : -1;
  if (start >= 0) {
    const type = { params: [], results: [] };
    const body = new Body(environment, type, mix(seed, 400));
    bodies.push({ type, code: body.function(mix(seed, 401)), locals: body.declared });
  }
  const ownGlobals = globals.filter(({ module }) => module === "");
  const initials = ownGlobals.map(({ type }, k) => (k <= REF && !options.link ? 0 : someBits(random, type)));
  const entryTypes = bodies.map(({ type }) => environment.typeIndex(type));
  const importTypes = functions.slice(0, imported).map(({ type }) => environment.typeIndex(type));

  const binary = (form: 0 | 1): Uint8Array => {
    const writer = new Writer(4096);
    for (const word of [0x6d736100, 1]) writer.word(word);
    section(writer, 1, environment.types, ({ params, results }) => {
      writer.byte(0x60);
      valueTypes(writer, params);
      valueTypes(writer, results);
    });
    const imports: { module: string; name: string; write(): void }[] = [
      ...functions.slice(0, imported).map(({ module, name }, k) => ({
        module,
        name,
        write: () => {
          writer.byte(0);
          writer.u32(importTypes[k]!);
        },
      })),
      ...tables
        .filter(({ module }) => module !== "")
        .map(({ module, name, element, minimum, maximum }) => ({
          module,
          name,
          write: () => {
            writer.byte(1);
            writer.byte(ValueCode[element]);
            limits(writer, minimum, maximum);
          },
        })),
      ...(environment.memory === "linked" ? ["memory"] : []).map((name) => ({
        module: "a",
        name,
        write: () => {
          writer.byte(2);
          limits(writer, PAGES.minimum, PAGES.maximum);
        },
      })),
      ...globals
        .filter(({ module }) => module !== "")
        .map(({ module, name, type, mutable }) => ({
          module,
          name,
          write: () => {
            writer.byte(3);
            writer.byte(ValueCode[type]);
            writer.byte(mutable ? 1 : 0);
          },
        })),
    ];
    section(writer, 2, imports, ({ module, name, write }) => {
      writer.name(module);
      writer.name(name);
      write();
    });
    section(writer, 3, entryTypes, (type) => writer.u32(type));
    section(
      writer,
      4,
      tables.filter(({ module }) => module === ""),
      ({ element, minimum, maximum }) => {
        writer.byte(ValueCode[element]);
        limits(writer, minimum, maximum);
      },
    );
    section(writer, 5, environment.memory === "own" ? [PAGES] : [], ({ minimum, maximum }) =>
      limits(writer, minimum, maximum),
    );
    section(writer, 6, ownGlobals, ({ type, mutable }, k) => {
      writer.byte(ValueCode[type]);
      writer.byte(mutable ? 1 : 0);
      initial(writer, type, initials[k]!);
    });
    const exports: [name: string, kind: number, index: number][] = [
      ...defined.map((_, k): [string, number, number] => [`f${k}`, 0, imported + k]),
      ...entries.map(({ name }, k): [string, number, number] => [name, 0, functions.length + k]),
      ...(environment.passesOn ? functions.slice(0, imported) : []).map((_, k): [string, number, number] => [
        `i${k}`,
        0,
        k,
      ]),
      ...tables.flatMap((_, k): [string, number, number][] => [[`t${k}`, 1, k]]),
      ...globals.map((_, k): [string, number, number] => [`g${k}`, 3, k]),
    ];
    if (environment.memory !== "none") exports.push(["memory", 2, 0]);
    section(writer, 7, exports, ([name, kind, index]) => {
      writer.name(name);
      writer.byte(kind);
      writer.u32(index);
    });
    if (start >= 0) {
      writer.byte(8);
      const sized = writer.beginSized();
      writer.u32(imported + start);
      writer.endSized(sized);
    }
    section(writer, 9, ["passive", "passive", "declared", ...environment.targets.keys()], (segment, k) => {
      if (segment === "passive") {
        // Expressions: functions and a null.
        writer.byte(5);
        writer.byte(ValueCode.funcref);
        writer.u32(environment.elementSizes[k]!);
        for (let item = 0; item < environment.elementSizes[k]!; item++) {
          if (item === 1) initial(writer, "funcref", 0);
          else {
            writer.byte(0xd2);
            writer.u32((item * 7) % functions.length);
            writer.byte(0x0b);
          }
        }
      } else if (segment === "declared") {
        writer.byte(3);
        writer.byte(0);
        writer.u32(functions.length);
        functions.forEach((_, index) => {
          writer.u32(index);
        });
      } else {
        // One target each; an empty one is a segment without items.
        const target = environment.targets[segment as number]!;
        writer.byte(2);
        writer.u32(environment.callTable);
        initial(writer, "i32", segment as number);
        writer.byte(0);
        writer.u32(target < 0 ? 0 : 1);
        if (target >= 0) writer.u32(target);
      }
    });
    const sizes = environment.dataSizes;
    if (sizes.length > 0) {
      writer.byte(12);
      const sized = writer.beginSized();
      writer.u32(sizes.length + 1);
      writer.endSized(sized);
    }
    section(writer, 10, bodies, ({ code, locals }) => {
      const sized = writer.beginSized();
      const declared = form === 0 ? locals : [...locals, "f32" as const, "f64" as const];
      writer.u32(declared.length);
      for (const type of declared) {
        writer.u32(1);
        writer.byte(ValueCode[type]);
      }
      writer.copy(code.forms[form].written);
      writer.endSized(sized);
    });
    section(writer, 11, sizes.length > 0 ? [...sizes, -1] : [], (size) => {
      const active = size < 0;
      writer.byte(active ? 0 : 1);
      if (active) initial(writer, "i32", 16);
      const length = active ? 100 : size;
      writer.u32(length);
      for (let k = 0; k < length; k++) writer.byte((seed + k * 37) & 0xff);
    });
    return writer.written.slice();
  };
  return {
    seed,
    bytes: binary(0),
    canonical: binary(1),
    entries,
    statements: environment.statements,
    externs: environment.externs,
    functions: defined.map(({ type }) => type),
    imports: environment.passesOn
      ? functions.slice(0, imported).map((callee, k) => ({ ...callee, name: `i${k}` }))
      : [],
    hasMemory: environment.memory !== "none",
    globals: globals.map(({ type, mutable }) => ({ type, mutable })),
  };
}
