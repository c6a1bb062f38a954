/** Modules of one function that JavaScript calls, which calls one in the form of compiled code. */
import type { FunctionType, ValueType } from "../bytecode/structure.ts";
import { ValueCode } from "../bytecode/structure.ts";
import { Writer } from "../bytecode/writer.ts";
import { typeId } from "../function.ts";
import { compileNamed } from "./image.ts";

/** By id of the type. */
const ADAPTERS: (WebAssembly.Module | undefined)[] = [];

/**
 * Imports `f`, `fuel` and `depth` of `a`; exports `x`, which takes and gives floats as the integers of their bits. It
 * leaves the fuel in the global also when it is negative.
 */
export function adapterOf(type: FunctionType): WebAssembly.Module {
  const id = typeId(type);
  ADAPTERS[id] ??= compileNamed(encode(type), 0);
  return ADAPTERS[id];
}

/** Instruction that makes a float of its bits, and the reverse. */
const FROM_BITS: { readonly [type in ValueType]?: number } = { f32: 0xbe, f64: 0xbf };
const TO_BITS: { readonly [type in ValueType]?: number } = { f32: 0xbc, f64: 0xbd };

function encode({ params, results }: FunctionType): Uint8Array {
  const writer = new Writer();
  const section = (id: number, write: () => void): void => {
    writer.byte(id);
    const start = writer.beginSized();
    write();
    writer.endSized(start);
  };
  const codes = (types: readonly number[]): void => {
    writer.u32(types.length);
    for (const code of types) writer.byte(code);
  };
  const { i32, i64, f32, f64 } = ValueCode;
  const bits = (type: ValueType): number => (type === "f32" ? i32 : type === "f64" ? i64 : ValueCode[type]);
  const imported = (name: string, ...kind: number[]): void => {
    writer.name("a");
    writer.name(name);
    for (const byte of kind) writer.byte(byte);
  };
  writer.copy(Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00));
  section(1, () => {
    writer.u32(2);
    writer.byte(0x60);
    codes([...params.map((type) => ValueCode[type]), i64, i32]);
    codes([...results.map((type) => ValueCode[type]), i64]);
    writer.byte(0x60);
    codes(params.map(bits));
    codes(results.map(bits));
  });
  section(2, () => {
    writer.u32(3);
    imported("f", 0, 0);
    imported("fuel", 3, i64, 1);
    imported("depth", 3, i32, 0);
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
    const body = writer.beginSized();
    writer.u32(results.length);
    for (const type of results) {
      writer.u32(1);
      writer.byte(type === "f32" ? f32 : type === "f64" ? f64 : ValueCode[type]);
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
    writer.byte(0x0b);
    writer.endSized(body);
  });
  return writer.written;
}
