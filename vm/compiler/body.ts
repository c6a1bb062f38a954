/**
 * A function body as the passes over variables read it: the accesses to locals, the uses of heap refs, the branches and
 * constructs, as a compact list made by one decode. Dead code (spec VM-FUEL-2) is not in it.
 */
import { OPCODE_BY_INDEX } from "../bytecode/opcodes.ts";
import { EMPTY_BLOCK, Instruction } from "../bytecode/reader.ts";
import type { FunctionBody } from "../bytecode/structure.ts";
import { BYTES_CALLS } from "../bytes.ts";
import type { TranslationInput } from "../reference/translate.ts";
import type { Code } from "./code.ts";

/** What an event is, its low four bits; the others are its payload. */
export const Event = {
  /** A local is read, or written: its index. */
  get: 0,
  set: 1,
  /** A jump that may be taken: the label's depth. */
  branch: 2,
  /** Control does not go on here: behind `br`, `br_table`, `return`, `unreachable`. */
  stop: 3,
  block: 4,
  /** The loop's place in {@link BodyScan.loops}. */
  loop: 5,
  if: 6,
  else: 7,
  /** Of a loop 1 + its place, else 0. */
  end: 8,
  /** A call that may make or free a heap object. */
  change: 9,
  /** An access through a ref: the width's {@link widthBit}, and from bit 5 on 1 + the local that it is read from, or 0. */
  use: 10,
} as const;

/** What the analyses know of a loop that is not dead. */
export interface LoopShape {
  /** Offset of the opcode in the module. */
  readonly offset: number;
  /** Its number among the live constructs, in the order in which they begin; the function is number 0. */
  readonly construct: number;
  /** Place of the next loop outside, or -1. */
  readonly parent: number;
  /**
   * True when the loop can be entered from the function's start over the beginnings of the constructs around it: it has no
   * parameters and no more have they, and under it the operand stack is empty.
   */
  readonly enterable: boolean;
  /** True when it has calls in it, those of `bytes` apart. */
  hasCalls: boolean;
}

/** How a row of `bytes` takes part in the analysis of refs. */
export const BytesUse = {
  none: 0,
  /** An access that the code can do itself. */
  access: 1,
  /** May make or free an object. */
  change: 2,
} as const;

/** Refs of a row that is an access: how far below the top of the stack each lies. */
const REF_DEPTHS: readonly (readonly number[])[] = BYTES_CALLS.map(({ name, params }) => {
  if (bytesUse(name) !== BytesUse.access) return [];
  return params.flatMap(({ type }, k) => (typeof type === "object" ? [params.length - k] : []));
});

function bytesUse(name: string): number {
  if (/^(load|store)|^(len|copy|fill)$/.test(name)) return BytesUse.access;
  return /^(new|of_memory|destroy)$/.test(name) ? BytesUse.change : BytesUse.none;
}

/** Per row of `bytes`: its {@link BytesUse}. */
export const BYTES_USES: Uint8Array = Uint8Array.from(BYTES_CALLS, ({ name }) => bytesUse(name));

/**
 * Per row of `bytes`: the bytes that one access takes: 1, 2, 4 or 8; for rows that take a length of their own, or none, 0.
 */
export const BYTES_WIDTHS: Uint8Array = Uint8Array.from(BYTES_CALLS, ({ name }) =>
  /^(load|store)/.test(name) ? Number(/\d+/.exec(name)![0]) / 8 : 0,
);

/** Width 0, 1, 2, 4 or 8 as a bit of a set of widths. */
export function widthBit(width: number): number {
  return width === 8 ? 16 : width === 4 ? 8 : 1 << width;
}

const PARAMS = Int8Array.from(OPCODE_BY_INDEX, (opcode) => opcode?.params?.length ?? -1);
const RESULTS = Int8Array.from(OPCODE_BY_INDEX, (opcode) => opcode?.results?.length ?? 0);

/** Scans bodies one after the other into the same arrays. */
export class BodyScan {
  /** The events in order: {@link Event} and payload × 16. */
  events: Int32Array = new Int32Array(1024);
  /** Offset in the module of the instruction that each event belongs to. */
  offsets: Int32Array = new Int32Array(1024);
  length = 0;
  loops: LoopShape[] = [];
  /** By live construct, in the order in which they begin: 2 × the number of the one it is in, and 1 in its else. */
  places: number[] = [];
  /** And their opcodes. */
  opcodes: number[] = [];
  /** Accesses through refs. */
  uses = 0;
  /** Parameters and locals, and whether references are among them. */
  locals = 0;
  hasReferences = false;

  readonly #input: TranslationInput;
  /** Per function index: 1 if a call of it may make or free a heap object. */
  readonly #changes: Uint8Array;
  /** True when `call_indirect` may. */
  readonly #indirectChanges: boolean;
  readonly #code: Code;
  readonly #instruction = new Instruction();

  // The operand stack: the local that an operand was read from, or -1, and how many events there were then.
  #height = 0;
  #sources = new Int32Array(64);
  #stamps = new Int32Array(64);
  /** Per local: events when it was last written. */
  #written = new Int32Array(64);

  // The open constructs.
  #depth = 0;
  #arms: number[] = [];
  /** Their number among the live constructs. */
  #numbers: number[] = [0];
  #bases: number[] = [];
  #params: number[] = [];
  #results: number[] = [];
  #targeted: boolean[] = [];
  /** Loops: their place; other constructs: that of the loop they are in, or -1. */
  #loopOf: number[] = [];
  /** True when the construct can be entered over its beginning: see {@link LoopShape.enterable}. */
  #enterable: boolean[] = [];

  constructor(input: TranslationInput, changes: Uint8Array, indirectChanges: boolean, code: Code) {
    this.#input = input;
    this.#changes = changes;
    this.#indirectChanges = indirectChanges;
    this.#code = code;
  }

  /** Scans function `index`, a defined one. */
  scan(index: number): void {
    const input = this.#input;
    const body: FunctionBody = input.structure.bodies[index - input.importedFunctions]!;
    const instruction = this.#instruction;
    const instructions = this.#code;
    instructions.open(body);
    this.length = 0;
    this.loops = [];
    this.places = [0];
    this.opcodes = [0x02];
    this.uses = 0;
    this.locals = input.paramCounts[index]! + body.localCount;
    this.hasReferences = this.#isReference(index, body);
    if (this.#written.length < this.locals) this.#written = new Int32Array(2 * this.locals);
    this.#written.fill(0, 0, this.locals);
    this.#height = 0;
    this.#depth = 0;
    let deadDepth = -1;
    this.#open(0x02, 0, input.resultCounts[index]!);
    while (this.#depth > 0) {
      instructions.next(instruction);
      const code = instruction.index;
      if (deadDepth >= 0) {
        if (code === 0x02 || code === 0x03 || code === 0x04) deadDepth++;
        else if (code === 0x0b && deadDepth > 0) deadDepth--;
        else if (code === 0x0b) {
          if (this.#end(true)) deadDepth = -1;
        } else if (code === 0x05 && deadDepth === 0) {
          this.#else(true);
          deadDepth = -1;
        }
        continue;
      }
      const params = PARAMS[code]!;
      if (params >= 0) {
        this.#height -= params;
        if (RESULTS[code] === 1) this.#push(-1);
        continue;
      }
      switch (code) {
        case 0x00:
          this.#emit(Event.stop, 0);
          deadDepth = 0;
          break;
        case 0x02:
        case 0x03:
        case 0x04: {
          if (code === 0x04) this.#height--;
          const parameters = this.#blockParams(instruction.imm0);
          this.#openAt(code, parameters, this.#blockResults(instruction.imm0));
          break;
        }
        case 0x05:
          this.#else(false);
          break;
        case 0x0b:
          this.#end(false);
          break;
        case 0x0c:
        case 0x0f:
          this.#branch(code === 0x0f ? this.#depth - 1 : instruction.imm0);
          this.#emit(Event.stop, 0);
          deadDepth = 0;
          break;
        case 0x0d:
          this.#height--;
          this.#branch(instruction.imm0);
          break;
        case 0x0e: {
          // Neighbours are alike in most tables.
          let last = instruction.imm0;
          this.#branch(last);
          for (let k = 0; k < instruction.labelCount; k++) {
            const label = instruction.labels[k]!;
            if (label !== last) this.#branch(label);
            last = label;
          }
          this.#emit(Event.stop, 0);
          deadDepth = 0;
          break;
        }
        case 0x10:
          this.#call(instruction.imm0);
          break;
        case 0x11: {
          const type = input.structure.types[instruction.imm0]!;
          this.#height -= 1 + type.params.length;
          this.#pushAll(type.results.length);
          this.#markCalls();
          if (this.#indirectChanges) this.#emit(Event.change, 0);
          break;
        }
        case 0x1a:
        case 0x24:
          this.#height--;
          break;
        case 0x1b:
        case 0x1c:
          this.#height -= 3;
          this.#push(-1);
          break;
        case 0x20:
          this.#emit(Event.get, instruction.imm0);
          this.#push(instruction.imm0);
          break;
        case 0x21:
          this.#height--;
          this.#write(instruction.imm0);
          break;
        case 0x22:
          this.#height--;
          this.#write(instruction.imm0);
          this.#push(instruction.imm0);
          break;
        case 0x23:
        case 0xd0:
        case 0xd2:
          this.#push(-1);
          break;
        case 0x25:
        case 0xd1:
          this.#height--;
          this.#push(-1);
          break;
        case 0x26:
          this.#height -= 2;
          break;
        case 256 + 0x0e:
        case 256 + 0x11:
          this.#height -= 3;
          break;
        case 256 + 0x0f:
          this.#height -= 2;
          this.#push(-1);
          break;
      }
    }
  }

  #isReference(index: number, { locals }: FunctionBody): boolean {
    const { structure, importedFunctions } = this.#input;
    const { params } = structure.types[structure.functions[index - importedFunctions]!]!;
    return [...params, ...locals.map(({ type }) => type)].some((type) => type === "funcref" || type === "externref");
  }

  #call(callee: number): void {
    const input = this.#input;
    const params = input.paramCounts[callee]!;
    const row = callee < input.importedFunctions ? input.bytesRows[callee]! : -1;
    if (row >= 0 && BYTES_USES[row] === BytesUse.access) {
      for (const depth of REF_DEPTHS[row]!) {
        const at = this.#height - depth;
        const source = this.#sources[at]!;
        // Read from a local that still holds it.
        const direct = source >= 0 && this.#written[source]! <= this.#stamps[at]!;
        this.#emit(Event.use, ((direct ? source + 1 : 0) << 5) | widthBit(BYTES_WIDTHS[row]!));
        this.uses++;
      }
    }
    this.#height -= params;
    this.#pushAll(input.resultCounts[callee]!);
    if (row < 0) this.#markCalls();
    if (this.#changes[callee] === 1) this.#emit(Event.change, 0);
  }

  #emit(event: number, payload: number): void {
    const at = this.length++;
    if (at === this.events.length) {
      this.events = doubled(this.events);
      this.offsets = doubled(this.offsets);
    }
    this.events[at] = event | (payload << 4);
    this.offsets[at] = this.#instruction.offset;
  }

  #push(source: number): void {
    const at = this.#height++;
    if (at === this.#sources.length) {
      this.#sources = doubled(this.#sources);
      this.#stamps = doubled(this.#stamps);
    }
    this.#sources[at] = source;
    this.#stamps[at] = this.length;
  }

  #pushAll(count: number): void {
    for (let k = 0; k < count; k++) this.#push(-1);
  }

  #write(local: number): void {
    this.#emit(Event.set, local);
    this.#written[local] = this.length;
  }

  #branch(label: number): void {
    this.#targeted[this.#depth - 1 - label] = true;
    this.#emit(Event.branch, label);
  }

  #markCalls(): void {
    for (let loop = this.#loopOf[this.#depth - 1]!; loop >= 0; ) {
      const shape = this.loops[loop]!;
      if (shape.hasCalls) return;
      shape.hasCalls = true;
      loop = shape.parent;
    }
  }

  #open(opcode: number, params: number, results: number): void {
    const at = this.#depth++;
    this.#arms[at] = opcode;
    this.#bases[at] = this.#height - params;
    this.#params[at] = params;
    this.#results[at] = results;
    this.#targeted[at] = false;
    const around = at === 0 || this.#enterable[at - 1]!;
    this.#enterable[at] = around && params === 0 && this.#height === 0;
    this.#loopOf[at] = at === 0 ? -1 : this.#loopOf[at - 1]!;
    // What comes in from outside is not known to be in any local: a loop's parameters change.
    for (let k = this.#height - params; k < this.#height; k++) this.#sources[k] = -1;
  }

  #openAt(opcode: number, params: number, results: number): void {
    const around = this.#depth - 1;
    const construct = this.places.length;
    this.places.push(2 * this.#numbers[around]! + (this.#arms[around] === 0x05 ? 1 : 0));
    this.opcodes.push(opcode);
    this.#open(opcode, params, results);
    this.#numbers[around + 1] = construct;
    if (opcode !== 0x03) {
      this.#emit(opcode === 0x02 ? Event.block : Event.if, 0);
      return;
    }
    const at = this.#depth - 1;
    const loop = this.loops.length;
    const { offset } = this.#instruction;
    const enterable = this.#enterable[at]!;
    this.loops.push({ offset, construct, parent: this.#loopOf[at]!, enterable, hasCalls: false });
    this.#loopOf[at] = loop;
    this.#emit(Event.loop, loop);
  }

  #else(dead: boolean): void {
    const at = this.#depth - 1;
    if (!dead) this.#targeted[at] = true;
    this.#arms[at] = 0x05;
    this.#height = this.#bases[at]!;
    this.#pushAll(this.#params[at]!);
    this.#emit(Event.else, 0);
  }

  /** True when code behind the construct is alive. */
  #end(dead: boolean): boolean {
    const at = --this.#depth;
    const opcode = this.#arms[at]!;
    this.#height = this.#bases[at]!;
    this.#pushAll(this.#results[at]!);
    this.#emit(Event.end, opcode === 0x03 ? 1 + this.#loopOf[at]! : 0);
    if (!dead || opcode === 0x04) return true;
    return opcode !== 0x03 && this.#targeted[at]!;
  }

  #blockParams(type: number): number {
    return type >= 0 ? this.#input.structure.types[type]!.params.length : 0;
  }

  #blockResults(type: number): number {
    if (type >= 0) return this.#input.structure.types[type]!.results.length;
    return type === EMPTY_BLOCK ? 0 : 1;
  }
}

function doubled(items: Int32Array): Int32Array<ArrayBuffer> {
  const grown = new Int32Array(items.length * 2);
  grown.set(items);
  return grown;
}
