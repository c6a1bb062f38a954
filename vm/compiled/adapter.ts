/** Modules of one function that JavaScript calls, which calls one in the form of compiled code. */
import type { FunctionType, ValueType } from "../bytecode/structure.ts";
import { ValueCode } from "../bytecode/structure.ts";
import { Writer } from "../bytecode/writer.ts";
import { reserveName } from "../compiler/module-name.ts";
import { typeId } from "../function.ts";
import { compileNamed } from "./image.ts";

/** By id of the type. */
const ADAPTERS: (WebAssembly.Module | undefined)[] = [];
/** By ordinal, then by id of the type. */
const FORWARDERS: (WebAssembly.Module | undefined)[][] = [];

/**
 * Imports `f`, `fuel` and `depth` of `a`; exports `x`, which takes and gives floats as the integers of their bits. It
 * leaves the fuel in the global also when it is negative.
 */
export function adapterOf(type: FunctionType): WebAssembly.Module {
  const id = typeId(type);
  ADAPTERS[id] ??= compileNamed(encode(type), 0);
  return ADAPTERS[id];
}

/**
 * Imports `f` of `a`, a function in the form of compiled code; exports `x`, which calls it and is of the same form. Its
 * frames tell which of the instances that run the same code it belongs to: the one of that ordinal, 1 or more.
 */
export function forwarderOf(type: FunctionType, ordinal: number): WebAssembly.Module {
  const id = typeId(type);
  FORWARDERS[ordinal] ??= [];
  const ofOrdinal = FORWARDERS[ordinal];
  ofOrdinal[id] ??= compileNamed(encodeForwarder(type), -ordinal);
  return ofOrdinal[id];
}

/** Instruction that makes a float of its bits, and the reverse. */
const FROM_BITS: { readonly [type in ValueType]?: number } = { f32: 0xbe, f64: 0xbf };
const TO_BITS: { readonly [type in ValueType]?: number } = { f32: 0xbc, f64: 0xbd };

const { i32, i64 } = ValueCode;

function codeOf(type: ValueType): number {
  return ValueCode[type];
}

/** Code of the type in which JavaScript gets a value. */
function bitsCodeOf(type: ValueType): number {
  return type === "f32" ? i32 : type === "f64" ? i64 : ValueCode[type];
}

function encode({ params, results }: FunctionType): Uint8Array {
  const outer = { params: params.map(bitsCodeOf), results: results.map(bitsCodeOf) };
  const inner = { params: [...params.map(codeOf), i64, i32], results: [...results.map(codeOf), i64] };
  const globals = [
    { name: "fuel", type: [i64, 1] },
    { name: "depth", type: [i32, 0] },
  ];
  return encodeModule([inner, outer], globals, (writer) => {
    writer.u32(results.length);
    for (const type of results) {
      writer.u32(1);
      writer.byte(codeOf(type));
    }
    const get = (index: number, then: number | undefined): void => {
      writer.byte(0x20);
      writer.u32(index);
      if (then !== undefined) writer.byte(then);
    };
    for (const [k, type] of params.entries()) get(k, FROM_BITS[type]);
    for (const [opcode, index] of [
      [0x23, 0],
      [0x23, 1],
      [0x10, 0],
      [0x24, 0],
    ] as const) {
      writer.byte(opcode);
      writer.u32(index);
    }
    for (let k = results.length - 1; k >= 0; k--) {
      writer.byte(0x21);
      writer.u32(params.length + k);
    }
    for (const [k, type] of results.entries()) get(params.length + k, TO_BITS[type]);
  });
}

function encodeForwarder({ params, results }: FunctionType): Uint8Array {
  const form = { params: [...params.map(codeOf), i64, i32], results: [...results.map(codeOf), i64] };
  return encodeModule([form, form], [], (writer) => {
    writer.u32(0);
    for (let k = 0; k < form.params.length; k++) {
      writer.byte(0x20);
      writer.u32(k);
    }
    writer.byte(0x10);
    writer.u32(0);
  });
}

/** A module of a function of the second type that imports one of the first, and globals; `body` without its `end`. */
function encodeModule(
  types: readonly { readonly params: readonly number[]; readonly results: readonly number[] }[],
  globals: readonly { readonly name: string; readonly type: readonly number[] }[],
  body: (writer: Writer) => void,
): Uint8Array {
  const writer = new Writer();
  const section = (id: number, write: () => void): void => {
    writer.byte(id);
    const start = writer.beginSized();
    write();
    writer.endSized(start);
  };
  const codes = (list: readonly number[]): void => {
    writer.u32(list.length);
    for (const code of list) writer.byte(code);
  };
  const imported = (name: string, ...kind: readonly number[]): void => {
    writer.name("a");
    writer.name(name);
    for (const byte of kind) writer.byte(byte);
  };
  writer.copy(Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00));
  section(1, () => {
    writer.u32(types.length);
    for (const { params, results } of types) {
      writer.byte(0x60);
      codes(params);
      codes(results);
    }
  });
  section(2, () => {
    writer.u32(1 + globals.length);
    imported("f", 0, 0);
    for (const { name, type } of globals) imported(name, 3, ...type);
  });
  section(3, () => codes([1]));
  section(7, () => {
    writer.u32(1);
    writer.name("x");
    codes([]);
    writer.byte(1);
  });
  section(10, () => {
    writer.u32(1);
    const start = writer.beginSized();
    body(writer);
    writer.byte(0x0b);
    writer.endSized(start);
  });
  reserveName(writer);
  return writer.written;
}
