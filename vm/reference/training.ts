/**
 * A guest that executes every operation of the reference engine's loop with ordinary operands.
 *
 * V8 compiles a `case` it has not seen executed as a way out of the compiled code, so a loop that is compiled while it
 * runs its first guest is thrown away again and again at instructions that are new. Executed before, every case is
 * compiled the first time.
 */
import { OPCODES, type Opcode, opcodeNamed } from "../bytecode/opcodes.ts";
import { ValueCode } from "../bytecode/structure.ts";
import { Writer } from "../bytecode/writer.ts";

const { i32, i64, f32, f64, funcref } = ValueCode;
const LETTERS: {
  readonly [letter: string]: { readonly code: number; readonly local: number; readonly constant: number };
} = {
  i: { code: i32, local: 0, constant: 0x41 },
  I: { code: i64, local: 2, constant: 0x42 },
  f: { code: f32, local: 4, constant: 0x43 },
  F: { code: f64, local: 6, constant: 0x44 },
};

/** The locals: two parameters of each type, then one f64. */
const PARAMS = [i32, i32, i64, i64, f32, f32, f64, f64];
const TYPES: readonly (readonly [params: readonly number[], results: readonly number[]])[] = [
  [PARAMS, []],
  [[i32], [i32]],
  [[], [i32, i32]],
  [[], []],
  [[i32], [i64]],
];
const [MAIN, ONE, TWO, NONE, NEW] = [0, 1, 2, 3, 4];
/** Function indices: two imports come first. */
const Function_ = { host: 0, bytesNew: 1, one: 2, two: 3, none: 4, main: 5 };

/** The function: two values of each type go in; the second integers are not 0. */
export const TRAINING_EXPORT = "train";

/** The module; it imports `h.f`, of type i32 → i32, and exports {@link TRAINING_EXPORT}. */
export function trainingGuest(): Uint8Array {
  const out = new Writer(4096);
  for (const byte of [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]) out.byte(byte);
  const section = (id: number, count: number, write: (body: Writer) => void): void => {
    const body = new Writer();
    body.u32(count);
    write(body);
    out.byte(id);
    out.u32(body.length);
    out.copy(body.written);
  };
  section(1, TYPES.length, (body) => {
    for (const [params, results] of TYPES) {
      body.byte(0x60);
      for (const types of [params, results]) {
        body.u32(types.length);
        for (const type of types) body.byte(type);
      }
    }
  });
  section(2, 2, (body) => {
    for (const [module, name, type] of [
      ["h", "f", ONE],
      ["bytes", "new", NEW],
    ] as const) {
      body.name(module);
      body.name(name);
      body.byte(0);
      body.u32(type!);
    }
  });
  section(3, 4, (body) => write(body, ONE!, TWO!, NONE!, MAIN!));
  section(4, 1, (body) => write(body, funcref, 0, 8));
  section(5, 1, (body) => write(body, 1, 1, 2));
  section(6, 1, (body) => write(body, i32, 1, 0x41, 0, 0x0b));
  section(7, 1, (body) => {
    body.name(TRAINING_EXPORT);
    write(body, 0, Function_.main);
  });
  // Table 0 holds the host function, `one` and a call of `bytes`; segment 1 is passive.
  section(9, 2, (body) => {
    write(body, 0, 0x41, 0, 0x0b, 3, Function_.host, Function_.one, Function_.bytesNew);
    write(body, 1, 0, 1, Function_.one);
  });
  section(12, 1, () => {});
  const bodies = [
    (body: Writer) => write(body, 0, 0x20, 0, 0x0b),
    (body: Writer) => write(body, 0, 0x41, 1, 0x41, 2, 0x0b),
    (body: Writer) => write(body, 0, 0x0b),
    (body: Writer) => {
      body.u32(0);
      for (const opcode of OPCODES) train(body, opcode);
      body.byte(0x0b);
    },
  ];
  section(10, bodies.length, (code) => {
    for (const writeBody of bodies) {
      const body = new Writer();
      writeBody(body);
      code.u32(body.length);
      code.copy(body.written);
    }
  });
  section(11, 1, (body) => write(body, 1, 4, 1, 2, 3, 4));
  return out.written.slice();
}

/** Bytes, and numbers small enough to be LEB128 of one byte. */
function write(body: Writer, ...bytes: number[]): void {
  for (const byte of bytes) body.byte(byte);
}

function emit(body: Writer, { code }: Opcode): void {
  if (code < 0x100) body.byte(code);
  else {
    body.byte(0xfc);
    body.u32(code & 0xff);
  }
}

/** `integer` is below 64. */
function constant(body: Writer, letter: string, integer: number): void {
  const { constant: code } = LETTERS[letter]!;
  body.byte(code);
  if (letter === "f" || letter === "F") {
    body.word(letter === "f" ? 0x3fc00000 : 0);
    if (letter === "F") body.word(0x3ff80000);
  } else body.byte(integer);
}

/** Executes `opcode` in each form that the translator has for it. */
function train(body: Writer, opcode: Opcode): void {
  const { params, results, immediate, name, bulk } = opcode;
  if (
    params === undefined ||
    results === undefined ||
    bulk !== undefined ||
    immediate === "data" ||
    immediate === "elem"
  ) {
    own(body, opcode);
    return;
  }
  if (immediate === "memarg") {
    write(body, 0x41, 8);
    for (const letter of params.slice(1)) write(body, 0x20, LETTERS[letter]!.local);
    emit(body, opcode);
    write(body, opcode.align, 0);
    if (results !== "") body.byte(0x1a);
    return;
  }
  if (immediate !== "") {
    own(body, opcode);
    return;
  }
  const comparison = results === "i" && /\.(eq|ne|lt|gt|le|ge)/.test(name);
  for (const right of ["local", 3, 40] as const) {
    for (const use of comparison ? ["value", "branch", "branch not taken"] : ["value"]) {
      if (use !== "value") write(body, 0x02, 0x40);
      params.split("").forEach((letter, k) => {
        if (k === 1 && right !== "local") constant(body, letter, right);
        else write(body, 0x20, LETTERS[letter]!.local + k);
      });
      emit(body, opcode);
      if (use === "value") {
        if (results !== "") body.byte(0x1a);
      } else if (use === "branch") write(body, 0x0d, 0, 0x0b);
      else write(body, 0x04, 0x40, 0x01, 0x0b, 0x0b);
    }
    if (params.length < 2) return;
  }
}

/** Code for the opcodes that have a rule of their own, by name; none for those that others bring along or that trap. */
const OWN: { readonly [name: string]: readonly number[] } = {
  // if with both arms, a loop that is left at its third turn, jumps with one and with two values
  if: [0x20, 0, 0x04, 0x40, 0x01, 0x05, 0x01, 0x0b, 0x41, 0, 0x04, 0x40, 0x01, 0x05, 0x01, 0x0b],
  loop: [0x41, 3, 0x24, 0, 0x03, 0x40, 0x23, 0, 0x41, 1, 0x6b, 0x24, 0, 0x23, 0, 0x0d, 0, 0x0b],
  br: [0x02, 0x40, 0x0c, 0, 0x0b, 0x02, 0x7f, 0x41, 1, 0x41, 2, 0x0c, 0, 0x0b, 0x1a],
  br_if: [0x02, 2, 0x41, 1, 0x41, 2, 0x41, 3, 0x41, 1, 0x0d, 0, 0x1a, 0x0b, 0x1a, 0x1a],
  br_table: [0x02, 0x40, 0x02, 0x40, 0x20, 0, 0x41, 3, 0x6b, 0x0e, 1, 0, 1, 0x0b, 0x0b],
  // the host, a function with one result, with two, with none; the same through the table, and a call of `bytes`
  call: [0x41, 1, 0x10, 0, 0x10, 2, 0x1a, 0x10, 3, 0x1a, 0x1a, 0x10, 4, 0x41, 0, 0x10, 1, 0x1a],
  call_indirect: [0x41, 1, 0x41, 0, 0x11, 1, 0, 0x41, 1, 0x11, 1, 0, 0x1a, 0x41, 0, 0x41, 2, 0x11, 4, 0, 0x1a],
  "local.set": [0x20, 1, 0x21, 1],
  "global.get": [0x23, 0, 0x24, 0],
  "table.get": [0x41, 0, 0x25, 0, 0x1a],
  "table.set": [0x41, 3, 0xd2, 2, 0x26, 0],
  "memory.size": [0x3f, 0, 0x1a],
  "memory.grow": [0x41, 0, 0x40, 0, 0x1a],
  "ref.is_null": [0xd0, 0x70, 0xd1, 0x1a],
  "memory.init": [0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 8, 0, 0],
  "memory.copy": [0x41, 0, 0x41, 8, 0x41, 4, 0xfc, 10, 0, 0],
  "memory.fill": [0x41, 0, 0x41, 0, 0x41, 4, 0xfc, 11, 0],
  "data.drop": [0xfc, 9, 0],
  "table.init": [0x41, 0, 0x41, 0, 0x41, 0, 0xfc, 12, 1, 0],
  "elem.drop": [0xfc, 13, 1],
  "table.copy": [0x41, 3, 0x41, 3, 0x41, 1, 0xfc, 14, 0, 0],
  "table.grow": [0xd0, 0x70, 0x41, 0, 0xfc, 15, 0, 0x1a],
  "table.size": [0xfc, 16, 0, 0x1a],
  "table.fill": [0x41, 3, 0xd0, 0x70, 0x41, 1, 0xfc, 17, 0],
};

function own(body: Writer, opcode: Opcode): void {
  if (opcode === opcodeNamed("select"))
    write(body, 0x20, 0, 0x20, 1, 0x20, 0, 0x1b, 0x1a, 0x20, 0, 0x20, 1, 0x41, 0, 0x1b, 0x1a);
  else write(body, ...(OWN[opcode.name] ?? []));
}
