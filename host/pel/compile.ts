/**
 * Compiles the primitives of a program to one guest module (spec PEL-COMPILE): an export for each shape, which is an opcode with its number of
 * inputs and outputs. Nothing in an export depends on the other shapes, so a node uses the same fuel and makes the same calls in every program.
 */

import { syscall } from "../../syscalls/table.ts";
import type { FunctionType, ValueType } from "../../vm/bytecode/structure.ts";
import { ValueCode } from "../../vm/bytecode/structure.ts";
import { Writer } from "../../vm/bytecode/writer.ts";
import { BYTES_CALLS } from "../../vm/bytes.ts";
import { Op, VOID } from "../../vm/compiler/op.ts";
import { functionTypeOf } from "../../vm/declaration.ts";
import { DIGEST_BYTES } from "../asl/key.ts";
import { type Node, outputCount } from "./program.ts";

/** Of the code that is emitted; part of each request. Raise it with every change that could change fuel, calls or results. */
export const PEL_COMPILER = 1;

/** Bytes that are read and written at once; pieces begin at multiples of it, as the leaves of large artifacts do. */
export const PIECE_BYTES: number = 256 * 1024;
/** Where the slots of keys begin, in bytes: those of the inputs, then those of the outputs, then the parameters. */
export const SLOTS_AT: number = PIECE_BYTES;
/** Of a slot: the length of a key (u32), and the key. */
export const SLOT_BYTES = 40;

/** What an export answers beside 0 and the statuses of the host: the failure's code, negated (spec PER-CLAIM). */
const OUT_OF_RANGE = -1;
const BAD_SELECTOR = -2;

/** What is compiled of a node. */
export interface Shape {
  readonly op: "const" | "concat" | "slice" | "hash" | "length" | "select" | "split";
  readonly inputs: number;
  readonly outputs: number;
}

/** The shape of a node; undefined for inputs and guests, of which nothing is compiled. */
export function shapeOf(node: Node): Shape | undefined {
  if (node.op === "input" || node.op === "guest") return undefined;
  return { op: node.op, inputs: node.refs.length, outputs: outputCount(node) };
}

export function exportName({ op, inputs, outputs }: Shape): string {
  if (op === "concat" || op === "select") return `${op}.${inputs}`;
  return op === "split" ? `split.${outputs}` : op;
}

/** Where the parameters of a node of this shape lie: offsets of a split (u64 each), or the bytes of a constant. */
export function parametersAt({ inputs, outputs }: Shape): number {
  return SLOTS_AT + SLOT_BYTES * (inputs + outputs);
}

/** Syscalls, as the module imports them; their places are the indices of its first functions. */
const CALLS = ["open", "read", "info", "create", "write", "seal", "close"] as const;
const [OPEN, READ, INFO, CREATE, WRITE, SEAL, CLOSE] = CALLS.map((_, index) => index) as [
  number,
  number,
  number,
  number,
  number,
  number,
  number,
];
const OF_MEMORY = CALLS.length;
/** The first function of the module's own: copies what is left of an artifact. */
const COPY: number = OF_MEMORY + 1;
const FIRST_EXPORT: number = COPY + 1;

const I32: ValueType = "i32";
const I64: ValueType = "i64";

/** The module for these shapes, which are all different; `parameterBytes` is the most that a node's parameters need. */
export function compileShapes(shapes: readonly Shape[], parameterBytes: number): Uint8Array<ArrayBuffer> {
  const writer = new Writer(4096);
  const types: FunctionType[] = [];
  const typeOf = (params: readonly ValueType[], results: readonly ValueType[]): number => {
    const same = (left: readonly ValueType[], right: readonly ValueType[]): boolean => `${left}` === `${right}`;
    const at = types.findIndex((type) => same(type.params, params) && same(type.results, results));
    return at >= 0 ? at : types.push({ params, results } as FunctionType) - 1;
  };
  const imports = CALLS.map((name) => functionTypeOf(syscall("asl", name)));
  imports.push(functionTypeOf(BYTES_CALLS.find(({ name }) => name === "of_memory")!));
  const importTypes = imports.map(({ params, results }) => typeOf(params, results));
  const copyType = typeOf([I64, I64, I64, I64], [I32]);
  const noneType = typeOf([], [I32]);
  const sliceType = typeOf([I64, I64], [I32]);
  const constType = typeOf([I32], [I32]);
  const exportType = ({ op }: Shape): number => (op === "slice" ? sliceType : op === "const" ? constType : noneType);

  const most = Math.max(0, ...shapes.map((shape) => parametersAt(shape)));
  // A split looks at one offset more than it has.
  const pages = Math.ceil((Math.max(most, SLOTS_AT) + parameterBytes + 8) / 65_536);
  const section = (id: number, write: () => void): void => {
    writer.byte(id);
    const start = writer.beginSized();
    write();
    writer.endSized(start);
  };
  writer.copy(Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00));
  section(1, () => {
    writer.u32(types.length);
    for (const { params, results } of types) {
      writer.byte(0x60);
      for (const list of [params, results]) {
        writer.u32(list.length);
        for (const type of list) writer.byte(ValueCode[type]);
      }
    }
  });
  section(2, () => {
    writer.u32(importTypes.length);
    for (const [index, type] of importTypes.entries()) {
      writer.name(index === OF_MEMORY ? "bytes" : "asl");
      writer.name(index === OF_MEMORY ? "of_memory" : CALLS[index]!);
      writer.byte(0);
      writer.u32(type);
    }
  });
  section(3, () => {
    writer.u32(1 + shapes.length);
    writer.u32(copyType);
    for (const shape of shapes) writer.u32(exportType(shape));
  });
  section(5, () => {
    writer.u32(1);
    writer.byte(0);
    writer.u32(pages);
  });
  section(7, () => {
    writer.u32(1 + shapes.length);
    writer.name("memory");
    writer.byte(2);
    writer.u32(0);
    for (const [index, shape] of shapes.entries()) {
      writer.name(exportName(shape));
      writer.byte(0);
      writer.u32(FIRST_EXPORT + index);
    }
  });
  section(10, () => {
    writer.u32(1 + shapes.length);
    body(writer, [], writeCopy, [I32, I32, I32]);
    for (const shape of shapes) {
      const params = shape.op === "slice" ? [I64, I64] : shape.op === "const" ? [I32] : [];
      body(writer, params, (code) => WRITE_BODY[shape.op](code, shape), LOCALS);
    }
  });
  return writer.written.slice();
}

function body(
  writer: Writer,
  params: readonly ValueType[],
  write: (code: Code) => void,
  locals: readonly ValueType[],
): void {
  const start = writer.beginSized();
  writer.u32(locals.length);
  for (const type of locals) {
    writer.u32(1);
    writer.byte(ValueCode[type]);
  }
  write(new Code(writer, params.length));
  writer.byte(Op.end);
  writer.endSized(start);
}

/** Locals of each export, behind its parameters. */
const LOCALS: readonly ValueType[] = [I32, I64, I64, I64, I32, I32, I64, I64, I32];
const Local = { STATUS: 0, SOURCE: 1, TARGET: 2, BYTES: 3, LENGTH: 4, PLACE: 5, FROM: 6, TO: 7, NEXT: 8 } as const;

/** Instructions, a method each; `own` numbers locals behind the parameters. */
class Code {
  readonly #writer: Writer;
  readonly #params: number;

  constructor(writer: Writer, params: number) {
    this.#writer = writer;
    this.#params = params;
  }
  op(...bytes: readonly number[]): this {
    for (const byte of bytes) this.#writer.byte(byte);
    return this;
  }
  i32(value: number): this {
    this.op(Op.i32Const);
    this.#writer.s32(value);
    return this;
  }
  i64(value: number): this {
    this.op(Op.i64Const);
    this.#writer.s64(value | 0, value < 0 ? -1 : 0);
    return this;
  }
  get(local: number): this {
    return this.#indexed(Op.localGet, local);
  }
  set(local: number): this {
    return this.#indexed(Op.localSet, local);
  }
  tee(local: number): this {
    return this.#indexed(Op.localTee, local);
  }
  own(local: number): number {
    return this.#params + local;
  }
  call(index: number): this {
    return this.#indexed(Op.call, index);
  }
  /** A load or store at the address on the stack, and `offset` bytes behind it. */
  memory(op: number, offset = 0): this {
    this.op(op, 0);
    this.#writer.u32(offset);
    return this;
  }
  #indexed(op: number, index: number): this {
    this.op(op);
    this.#writer.u32(index);
    return this;
  }
  /** Leaves with the i32 on the stack, if it is not 0; `local` holds it. */
  check(local: number): this {
    return this.tee(local).op(Op.if, VOID).get(local).op(Op.return, Op.end);
  }
}

/** Opcodes that nothing else emits. */
const I64_STORE = 0x37;
const I32_STORE = 0x36;
const I64_NE = 0x52;
const MEMORY_COPY = [0xfc, 0x0a, 0x00, 0x00];

/** `copy(source, target, from, to)`: appends those bytes of an artifact to one in the making; answers a status. */
function writeCopy(code: Code): void {
  const [source, target, from, to] = [0, 1, 2, 3];
  const [status, count, wanted] = [4, 5, 6];
  code.op(Op.loop, VOID);
  // At the end.
  code.get(from).get(to).op(Op.i64GeU, Op.if, VOID).i32(0).op(Op.return, Op.end);
  // Up to the next multiple of a piece, or the end.
  code
    .i32(PIECE_BYTES)
    .get(from)
    .op(Op.i32Wrap)
    .i32(PIECE_BYTES - 1)
    .op(Op.i32And, Op.i32Sub)
    .set(wanted);
  code.get(to).get(from).op(Op.i64Sub).get(wanted).op(Op.i64ExtendU, Op.i64LtU, Op.if, VOID);
  code.get(to).get(from).op(Op.i64Sub, Op.i32Wrap).set(wanted).op(Op.end);
  code.get(source).get(from).call(OF_MEMORY).i32(0).get(wanted).call(READ).op(Op.drop).set(count).check(status);
  code.get(target).i64(-1).call(OF_MEMORY).i32(0).get(count).call(WRITE).op(Op.drop).check(status);
  code.get(from).get(count).op(Op.i64ExtendU, Op.i64Add).set(from);
  code.op(Op.br, 0, Op.end, Op.unreachable);
}

/** Puts an address on the stack: `plus` bytes behind a place. */
type Address = (code: Code, plus: number) => void;

function slot(index: number): Address {
  return (code, plus) => code.i32(SLOTS_AT + SLOT_BYTES * index + plus);
}
/** The slot whose address is in PLACE. */
const placed: Address = (code, plus) => {
  code.get(code.own(Local.PLACE)).i32(plus).op(Op.i32Add);
};

/** Opens the artifact whose key is in the slot; leaves when there is none. */
function open(code: Code, at: Address): void {
  code.call(OF_MEMORY);
  at(code, 4);
  at(code, 0);
  code.memory(Op.i32Load).call(OPEN).set(code.own(Local.SOURCE)).check(code.own(Local.STATUS));
}
function closeSource(code: Code): void {
  code.get(code.own(Local.SOURCE)).call(CLOSE).op(Op.drop);
}
/** Has the length of the artifact that is open in BYTES. */
function measure(code: Code): void {
  code.get(code.own(Local.SOURCE)).i32(0).call(INFO);
  code.op(Op.drop, Op.drop, Op.drop, Op.drop).set(code.own(Local.BYTES)).check(code.own(Local.STATUS));
}
function create(code: Code): void {
  code.i32(0).i32(0).call(CREATE).set(code.own(Local.TARGET)).check(code.own(Local.STATUS));
}
/** Ends the artifact in the making; its key comes into the slot. */
function seal(code: Code, at: Address): void {
  const target = code.own(Local.TARGET);
  const length = code.own(Local.LENGTH);
  code.get(target).call(OF_MEMORY);
  at(code, 4);
  code
    .i32(SLOT_BYTES - 4)
    .call(SEAL)
    .set(length)
    .check(code.own(Local.STATUS));
  at(code, 0);
  code.get(length).memory(I32_STORE).get(target).call(CLOSE).op(Op.drop);
}
/** Adds bytes of memory to the artifact in the making; `length` puts how many on the stack. */
function append(code: Code, at: number, length: () => void): void {
  code.get(code.own(Local.TARGET)).i64(-1).call(OF_MEMORY).i32(at);
  length();
  code.call(WRITE).op(Op.drop).check(code.own(Local.STATUS));
}
/** Copies bytes of the artifact that is open; the parameters put offsets on the stack. */
function copy(code: Code, from: () => void, to: () => void): void {
  code.get(code.own(Local.SOURCE)).get(code.own(Local.TARGET));
  from();
  to();
  code.call(COPY).check(code.own(Local.STATUS));
}
function fail(code: Code, failure: number): void {
  closeSource(code);
  code.i32(failure).op(Op.return);
}
/** Ends one turn of the loop around: `by` bytes on, until PLACE is `end`. */
function again(code: Code, by: number, end: number): void {
  const place = code.own(Local.PLACE);
  code.get(place).i32(by).op(Op.i32Add).tee(place).i32(end).op(Op.i32Ne, Op.brIf, 0, Op.end);
}

const WRITE_BODY: { readonly [op in Shape["op"]]: (code: Code, shape: Shape) => void } = {
  // const(length)
  const(code, shape) {
    create(code);
    append(code, parametersAt(shape), () => code.get(0));
    seal(code, slot(0));
    code.i32(0);
  },
  concat(code, { inputs }) {
    create(code);
    slot(0)(code, 0);
    code.set(code.own(Local.PLACE)).op(Op.loop, VOID);
    open(code, placed);
    measure(code);
    copy(
      code,
      () => code.i64(0),
      () => code.get(code.own(Local.BYTES)),
    );
    closeSource(code);
    again(code, SLOT_BYTES, SLOTS_AT + SLOT_BYTES * inputs);
    seal(code, slot(inputs));
    code.i32(0);
  },
  // slice(offset, length), where -1 is all that there is behind the offset
  slice(code) {
    const [offset, length] = [0, 1];
    const bytes = code.own(Local.BYTES);
    open(code, slot(0));
    measure(code);
    code.get(offset).get(bytes).op(Op.i64GtU, Op.if, VOID);
    fail(code, OUT_OF_RANGE);
    code.op(Op.end);
    code.get(length).i64(-1).op(I64_NE, Op.if, VOID);
    code.get(length).get(bytes).get(offset).op(Op.i64Sub, Op.i64GtU, Op.if, VOID);
    fail(code, OUT_OF_RANGE);
    code.op(Op.end).get(offset).get(length).op(Op.i64Add).set(bytes).op(Op.end);
    create(code);
    copy(
      code,
      () => code.get(offset),
      () => code.get(bytes),
    );
    closeSource(code);
    seal(code, slot(1));
    code.i32(0);
  },
  // A key ends with the digest.
  hash(code) {
    open(code, slot(0));
    closeSource(code);
    code.i32(0);
    slot(0)(code, 4 - DIGEST_BYTES);
    slot(0)(code, 0);
    code
      .memory(Op.i32Load)
      .op(Op.i32Add)
      .i32(DIGEST_BYTES)
      .op(...MEMORY_COPY);
    create(code);
    append(code, 0, () => code.i32(DIGEST_BYTES));
    seal(code, slot(1));
    code.i32(0);
  },
  length(code) {
    open(code, slot(0));
    measure(code);
    closeSource(code);
    code.i32(0).get(code.own(Local.BYTES)).memory(I64_STORE);
    create(code);
    append(code, 0, () => code.i32(8));
    seal(code, slot(1));
    code.i32(0);
  },
  // Leaves the number of the case at address 0.
  select(code, { inputs }) {
    const bytes = code.own(Local.BYTES);
    open(code, slot(0));
    measure(code);
    // 1 to 8 bytes.
    code.get(bytes).i64(1).op(Op.i64Sub).i64(8).op(Op.i64GeU, Op.if, VOID);
    fail(code, BAD_SELECTOR);
    code.op(Op.end).i32(0).i64(0).memory(I64_STORE);
    code.get(code.own(Local.SOURCE)).i64(0).call(OF_MEMORY).i32(0).get(bytes).op(Op.i32Wrap).call(READ);
    code.op(Op.drop, Op.drop).check(code.own(Local.STATUS));
    code
      .i32(0)
      .memory(Op.i64Load)
      .i64(inputs - 1)
      .op(Op.i64GeU, Op.if, VOID);
    fail(code, BAD_SELECTOR);
    code.op(Op.end);
    closeSource(code);
    code.i32(0);
  },
  split(code, shape) {
    const { outputs } = shape;
    const [bytes, from, to, place] = [Local.BYTES, Local.FROM, Local.TO, Local.PLACE].map((local) =>
      code.own(local),
    ) as [number, number, number, number];
    const last = SLOTS_AT + SLOT_BYTES * outputs;
    const next = code.own(Local.NEXT);
    open(code, slot(0));
    measure(code);
    if (outputs > 1) {
      code
        .i32(parametersAt(shape) + 8 * (outputs - 2))
        .memory(Op.i64Load)
        .get(bytes)
        .op(Op.i64GtU, Op.if, VOID);
      fail(code, OUT_OF_RANGE);
      code.op(Op.end);
    }
    // NEXT is where the end of the piece stands; that of the last one is the end of all.
    code.i32(parametersAt(shape)).set(next);
    slot(1)(code, 0);
    code.set(place).op(Op.loop, VOID);
    code.get(bytes).get(next).memory(Op.i64Load).get(place).i32(last).op(Op.i32Eq, Op.select).set(to);
    create(code);
    copy(
      code,
      () => code.get(from),
      () => code.get(to),
    );
    seal(code, placed);
    code.get(to).set(from).get(next).i32(8).op(Op.i32Add).set(next);
    again(code, SLOT_BYTES, last + SLOT_BYTES);
    closeSource(code);
    code.i32(0);
  },
};
