/**
 * Translates function bodies to the reference engine's operations (`operations.ts`), one function at its first call.
 *
 * Reading a local or a constant emits nothing: the abstract operand stack remembers it, and the operation that uses it
 * names it. It is written to its own cell ("flushed") before anything that could make the difference visible: a change
 * of that local, a label, and every point where the engine may stop (function entry, loop header, call, bulk
 * instruction). There the cells hold exactly WebAssembly's operand stack, which is what a snapshot saves.
 *
 * The plain form, made for stepping and hooks, flushes before every instruction and puts a Probe there. Both forms
 * charge the same fuel at the same instructions.
 */

import { OPCODE_BY_INDEX } from "../bytecode/opcodes.ts";
import { Instruction, Reader, readInstruction } from "../bytecode/reader.ts";
import type { FunctionBody, ModuleStructure } from "../bytecode/structure.ts";
import { carryFuel, localsFuel } from "../fuel.ts";
import { HEADER_WORDS, Operation } from "./operations.ts";

/** What translation needs to know of a module, apart from the bodies. */
export interface TranslationInput {
  readonly structure: ModuleStructure;
  /** Imported functions come first in the index space. */
  readonly importedFunctions: number;
  /** Per function index: numbers of parameters and results. */
  readonly paramCounts: Uint16Array;
  readonly resultCounts: Uint16Array;
  /** Per type index: the process-wide id of the type, and its parameters and results. */
  readonly typeIds: Int32Array;
  /** Per imported function: its row in the `bytes` table, or -1. */
  readonly bytesRows: Int32Array;
  /** Fuel of each row of the `bytes` table. */
  readonly bytesPrices: Int32Array;
  readonly bytesBulk: readonly boolean[];
  /** Per defined function: most values on the operand stack. */
  readonly maxHeight: Int32Array;
  /** Per defined function: depth slots it counts, 0 for a leaf (spec VM-DEPTH-2). */
  readonly depthSlots: Int32Array;
}

/** One form of a module's code: every translated function, one after the other. */
export class Code {
  readonly plain: boolean;
  /** True: it tells a profile of each function that is entered and left. */
  readonly profiled: boolean;
  words: Int32Array = new Int32Array(1024);
  /** Guest offset of the instruction that each word belongs to. */
  sites: Int32Array = new Int32Array(1024);
  length = 0;
  /** Per function index: pc of its Enter, or -1. */
  readonly entries: Int32Array;
  /** Enters in code order, and the functions they belong to. */
  readonly starts: number[] = [];
  readonly functions: number[] = [];
  /** Per function index: (guest offset, pc) of each place where the engine may stop. */
  readonly points: Map<number, number>[] = [];
  /** Plain form, per function index: (guest offset, pc) of each Probe. */
  readonly probes: Map<number, number>[] = [];

  constructor(functionCount: number, plain: boolean, profiled: boolean) {
    this.plain = plain;
    this.profiled = profiled;
    this.entries = new Int32Array(functionCount).fill(-1);
  }

  /** Index of the function that the operation at `pc` belongs to. */
  functionAt(pc: number): number {
    let low = 0;
    let high = this.starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.starts[middle]! <= pc) low = middle;
      else high = middle - 1;
    }
    return this.functions[low]!;
  }

  reserve(words: number): void {
    if (this.length + words <= this.words.length) return;
    const size = Math.max(this.words.length * 2, this.length + words);
    const grown = new Int32Array(size);
    grown.set(this.words);
    this.words = grown;
    const sites = new Int32Array(size);
    sites.set(this.sites);
    this.sites = sites;
  }
}

interface Control {
  readonly opcode: number;
  /** Operand height under the parameters. */
  readonly height: number;
  readonly params: number;
  readonly results: number;
  /** Words to fill when the label's place and its block's cost are known. */
  targets: number[];
  costs: number[];
  /** Loops: pc of the Loop operation; its cost once the first block is closed. */
  loop: number;
  loopCost: number;
  /** Ifs without an else so far: where the false edge's target and cost stand, else -1. */
  falseTarget: number;
  falseCost: number;
}

const SLOT = 0;
const LOCAL = 1;
const CONSTANT = 2;

/** Most entries of the abstract stack above one that waits to be flushed; bounds the scan at each local.set. */
const MOST_DEFERRED = 64;

/** i32 and i64 opcodes whose operands may change sides. */
const COMMUTATIVE = new Set([0x46, 0x47, 0x6a, 0x6c, 0x71, 0x72, 0x73, 0x51, 0x52, 0x7c, 0x7e, 0x83, 0x84, 0x85]);
/** i64 arithmetic with a form for a constant right operand: all but mul, div and rem. */
const CONSTANT64 = new Set([0x7c, 0x7d, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a]);
/** i32 arithmetic without one: div and rem. */
const NO_CONSTANT32 = new Set([0x6d, 0x6e, 0x6f, 0x70]);
/** The comparison that is true when the one at the same place is false: eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u. */
const INVERSE = [1, 0, 8, 9, 6, 7, 4, 5, 2, 3];

/** Translates function `index` into `code` unless it is there; returns the pc of its Enter. */
export function translate(input: TranslationInput, code: Code, index: number): number {
  const known = code.entries[index]!;
  if (known >= 0) return known;
  const start = code.length;
  new Translator(input, code, index).run();
  code.entries[index] = start;
  code.starts.push(start);
  code.functions.push(index);
  return start;
}

class Translator {
  readonly #input: TranslationInput;
  readonly #code: Code;
  readonly #index: number;
  readonly #plain: boolean;
  readonly #body: FunctionBody;
  readonly #instruction = new Instruction();
  readonly #reader: Reader;
  readonly #points = new Map<number, number>();
  readonly #probes = new Map<number, number>();

  /** The code being written; `#code.words` after each reserve. */
  #c: Int32Array;
  #n: number;

  // The abstract operand stack.
  #height = 0;
  #kinds: number[] = [];
  #low: number[] = [];
  #high: number[] = [];
  /** Every entry below is in its cell. */
  #firstDeferred = 0;

  readonly #operands: number;
  readonly #controls: Control[] = [];
  #dead = false;
  #deadDepth = 0;

  /** The open basic block: fuel so far, the words that will hold it, and the loop it is the first block of. */
  #blockCost = 0;
  #blockPatches: number[] = [];
  #blockLoop: Control | undefined;
  /** A label at this place that nothing was emitted behind yet. */
  #pending: { falls: boolean; targets: number[] } | undefined;
  /** Start of the last operation when it wrote the top of the stack and may be changed or taken back, else -1. */
  #last = -1;

  constructor(input: TranslationInput, code: Code, index: number) {
    this.#input = input;
    this.#code = code;
    this.#index = index;
    this.#plain = code.plain;
    const body = input.structure.bodies[index - input.importedFunctions]!;
    this.#body = body;
    this.#reader = new Reader(input.structure.bytes, body.code, body.end);
    this.#c = code.words;
    this.#n = code.length;
    this.#operands = 2 * (input.paramCounts[index]! + body.localCount) + HEADER_WORDS;
  }

  run(): void {
    const input = this.#input;
    const own = this.#index - input.importedFunctions;
    const params = input.paramCounts[this.#index]!;
    const results = input.resultCounts[this.#index]!;
    const locals = this.#body.localCount;
    this.#point(this.#body.start);
    const enter = this.#n;
    this.#emit(Operation.Enter, 0, input.depthSlots[own]!, 2 * (params + locals), 2 * params);
    this.#append(2 * (params + locals), this.#operands + 2 * input.maxHeight[own]!, this.#index);
    if (this.#code.profiled) this.#emit(Operation.Entered);
    this.#code.sites.fill(this.#body.start, enter, this.#n);
    this.#controls.push(this.#control(0x02, 0, results));
    this.#blockCost = localsFuel(locals);
    this.#blockPatches = [enter + 1];
    while (this.#controls.length > 0) {
      const from = this.#n;
      readInstruction(this.#reader, this.#instruction);
      const index = this.#instruction.index;
      if (this.#dead) this.#skip(index);
      else {
        if (this.#plain && index !== 0x02 && index !== 0x05 && index !== 0x0b) this.#probe();
        this.#blockCost += OPCODE_BY_INDEX[index]!.price;
        this.#translate(index);
      }
      this.#code.sites.fill(this.#instruction.offset, from, this.#n);
    }
    this.#code.length = this.#n;
    this.#code.points[this.#index] = this.#points;
    if (this.#plain) this.#code.probes[this.#index] = this.#probes;
  }

  /** Dead code: only the ends and elses that bring the code back to life matter. */
  #skip(index: number): void {
    if (index === 0x02 || index === 0x03 || index === 0x04) this.#deadDepth++;
    else if (index === 0x0b) {
      if (this.#deadDepth > 0) this.#deadDepth--;
      else this.#end();
    } else if (index === 0x05 && this.#deadDepth === 0) this.#else();
  }

  // ---- emission

  #room(): void {
    if (this.#n + 16 <= this.#c.length) return;
    this.#code.length = this.#n;
    this.#code.reserve(64);
    this.#c = this.#code.words;
  }

  #emit(operation: number, a = 0, b = 0, d = 0, e = 0): number {
    if (this.#pending) this.#settle();
    this.#room();
    const c = this.#c;
    const at = this.#n;
    c[at] = operation;
    c[at + 1] = a;
    c[at + 2] = b;
    c[at + 3] = d;
    c[at + 4] = e;
    this.#n = at + emittedLength(operation);
    this.#last = -1;
    return at;
  }

  #append(...words: number[]): void {
    this.#room();
    for (const word of words) this.#c[this.#n++] = word;
  }

  #point(offset: number): void {
    if (this.#pending) this.#settle();
    this.#points.set(offset, this.#n);
  }

  #probe(): void {
    this.#flush();
    this.#probes.set(this.#instruction.offset, this.#emit(Operation.Probe));
  }

  /** Emits what a label that was reached needs: a Charge for the way that falls into it, and the jumps' target. */
  #settle(): void {
    const pending = this.#pending!;
    this.#pending = undefined;
    if (pending.falls) {
      this.#room();
      this.#c[this.#n] = Operation.Charge;
      this.#c[this.#n + 1] = 0;
      this.#code.sites[this.#n] = this.#instruction.offset;
      this.#blockPatches.push(this.#n + 1);
      this.#n += 2;
    }
    for (const target of pending.targets) this.#c[target] = this.#n;
    this.#last = -1;
  }

  // ---- basic blocks

  /** Writes the open block's fuel where it is charged. A block that is free and has no operations is part of the next. */
  #closeBlock(): void {
    if (this.#blockCost > 0) {
      if (this.#pending) this.#settle();
      for (const word of this.#blockPatches) this.#c[word]! += this.#blockCost;
    }
    if (this.#blockLoop) this.#blockLoop.loopCost = this.#blockCost;
    this.#blockLoop = undefined;
    if (!this.#pending) this.#blockPatches = [];
    this.#blockCost = 0;
  }

  // ---- the abstract stack

  #slot(height: number): number {
    return this.#operands + 2 * height;
  }

  #push(kind: number, low: number, high: number): void {
    const at = this.#height++;
    this.#kinds[at] = kind;
    this.#low[at] = low;
    this.#high[at] = high;
    if (this.#height - this.#firstDeferred > MOST_DEFERRED) this.#flush();
  }

  #pushSlot(): void {
    this.#push(SLOT, 0, 0);
  }

  /** Takes `count` entries off. */
  #drop(count: number): void {
    this.#height -= count;
    if (this.#firstDeferred > this.#height) this.#firstDeferred = this.#height;
  }

  /** Puts the entry at `height` into its cell. */
  #materialise(height: number): void {
    const kind = this.#kinds[height]!;
    if (kind === SLOT) return;
    if (kind === LOCAL) this.#emit(Operation.Copy, this.#slot(height), this.#low[height]!);
    else this.#emit(Operation.Constant, this.#slot(height), this.#low[height]!, this.#high[height]!);
    this.#kinds[height] = SLOT;
  }

  #flush(): void {
    for (let height = this.#firstDeferred; height < this.#height; height++) this.#materialise(height);
    this.#firstDeferred = this.#height;
  }

  /** Word offset at which the entry at `height` can be read. */
  #operand(height: number): number {
    if (this.#kinds[height] === CONSTANT) this.#materialise(height);
    return this.#kinds[height] === LOCAL ? this.#low[height]! : this.#slot(height);
  }

  // ---- labels

  #control(opcode: number, params: number, results: number): Control {
    return {
      opcode,
      height: this.#height - params,
      params,
      results,
      targets: [],
      costs: [],
      loop: -1,
      loopCost: 0,
      falseTarget: -1,
      falseCost: -1,
    };
  }

  #label(depth: number): Control {
    return this.#controls[this.#controls.length - 1 - depth]!;
  }

  /** Fills in, or leaves to be filled in, a jump's target, cost and loop words. */
  #jump(label: Control, target: number, cost: number, loop: number): void {
    if (label.opcode === 0x03) {
      this.#c[target] = label.loop + 2;
      this.#c[cost] = label.loopCost;
      this.#c[loop] = label.loop;
    } else {
      label.targets.push(target);
      label.costs.push(cost);
      this.#c[target] = 0;
      this.#c[cost] = 0;
      this.#c[loop] = 0;
    }
  }

  #arity(label: Control): number {
    return label.opcode === 0x03 ? label.params : label.results;
  }

  /** Moves the top `count` entries, in their cells, down to the cells from `height` on. */
  #move(count: number, height: number): void {
    const from = this.#height - count;
    if (from === height) return;
    // One operation for any count, so that code stays in proportion to the guest's.
    if (count === 1) this.#emit(Operation.Copy, this.#slot(height), this.#slot(from));
    else if (count > 1) this.#emit(Operation.Move, this.#slot(height), this.#slot(from), 2 * count);
  }

  // ---- instructions

  #translate(index: number): void {
    const instruction = this.#instruction;
    switch (index) {
      case 0x00:
        this.#emit(0x00);
        this.#closeBlock();
        this.#die();
        return;
      case 0x01:
        return;
      case 0x02: {
        const [params, results] = this.#blockArity(instruction.imm0);
        this.#flush();
        this.#controls.push(this.#control(index, params, results));
        return;
      }
      case 0x03: {
        const [params, results] = this.#blockArity(instruction.imm0);
        this.#flush();
        this.#closeBlock();
        if (this.#pending) this.#settleClosed();
        const control = this.#control(index, params, results);
        this.#point(instruction.offset);
        control.loop = this.#emit(Operation.Loop);
        this.#controls.push(control);
        this.#blockPatches = [control.loop + 1];
        this.#blockLoop = control;
        return;
      }
      case 0x04: {
        const [params, results] = this.#blockArity(instruction.imm0);
        this.#condition(false);
        this.#closeBlock();
        const control = this.#control(index, params, results);
        const tail = this.#n - 4;
        control.falseTarget = tail;
        control.falseCost = tail + 1;
        this.#controls.push(control);
        this.#blockPatches = [tail + 2];
        return;
      }
      case 0x05:
        this.#else();
        return;
      case 0x0b:
        this.#end();
        return;
      case 0x0c:
        this.#branch(instruction.imm0);
        return;
      case 0x0d:
        this.#branchIf(instruction.imm0);
        return;
      case 0x0e:
        this.#branchTable();
        return;
      case 0x0f:
        this.#branch(this.#controls.length - 1);
        return;
      case 0x10:
        this.#call(instruction.imm0);
        return;
      case 0x11: {
        const input = this.#input;
        const type = input.structure.types[instruction.imm0]!;
        this.#flush();
        const at = this.#height - 1 - type.params.length;
        this.#point(instruction.offset);
        this.#emit(
          Operation.CallIndirect,
          instruction.imm1,
          input.typeIds[instruction.imm0]!,
          this.#slot(this.#height - 1),
          this.#slot(at),
        );
        this.#drop(type.params.length + 1);
        this.#results(type.results.length);
        return;
      }
      case 0x1a:
        this.#drop(1);
        this.#last = -1;
        return;
      case 0x1b:
      case 0x1c: {
        const h = this.#height;
        const [a, b, condition] = [this.#operand(h - 3), this.#operand(h - 2), this.#operand(h - 1)];
        this.#drop(3);
        this.#last = this.#emit(Operation.Select, this.#slot(h - 3), a, b, condition);
        this.#pushSlot();
        return;
      }
      case 0x20:
        this.#push(LOCAL, this.#local(instruction.imm0), 0);
        return;
      case 0x21:
        this.#setLocal(this.#local(instruction.imm0));
        this.#drop(1);
        return;
      case 0x22:
        this.#setLocal(this.#local(instruction.imm0));
        if (this.#kinds[this.#height - 1] === CONSTANT) return;
        this.#kinds[this.#height - 1] = LOCAL;
        this.#low[this.#height - 1] = this.#local(instruction.imm0);
        this.#firstDeferred = Math.min(this.#firstDeferred, this.#height - 1);
        if (this.#height - this.#firstDeferred > MOST_DEFERRED) this.#flush();
        return;
      case 0x23:
        this.#last = this.#emit(index, this.#slot(this.#height), instruction.imm0);
        this.#pushSlot();
        return;
      case 0x24: {
        const value = this.#operand(this.#height - 1);
        this.#drop(1);
        this.#emit(index, instruction.imm0, value);
        return;
      }
      case 0x25: {
        const at = this.#operand(this.#height - 1);
        this.#drop(1);
        this.#last = this.#emit(index, this.#slot(this.#height), at, instruction.imm0);
        this.#pushSlot();
        return;
      }
      case 0x26: {
        const [at, value] = [this.#operand(this.#height - 2), this.#operand(this.#height - 1)];
        this.#drop(2);
        this.#emit(index, at, value, instruction.imm0);
        return;
      }
      case 0x3f:
        this.#last = this.#emit(index, this.#slot(this.#height));
        this.#pushSlot();
        return;
      case 0x40:
        this.#bulk(index, 1, 1, 0, 0);
        return;
      case 0x41:
      case 0x43:
        this.#push(CONSTANT, instruction.low, 0);
        return;
      case 0x42:
      case 0x44:
        this.#push(CONSTANT, instruction.low, instruction.high);
        return;
      case 0xd0:
        this.#push(CONSTANT, 0, 0);
        return;
      case 0xd1: {
        const value = this.#operand(this.#height - 1);
        this.#drop(1);
        this.#last = this.#emit(0x45, this.#slot(this.#height), value);
        this.#pushSlot();
        return;
      }
      case 0xd2:
        this.#last = this.#emit(index, this.#slot(this.#height), instruction.imm0);
        this.#pushSlot();
        return;
      case 256 + 0x09:
      case 256 + 0x0d:
        this.#emit(index, instruction.imm0);
        return;
      case 256 + 0x08:
      case 256 + 0x0a:
      case 256 + 0x0b:
      case 256 + 0x0c:
      case 256 + 0x0e:
      case 256 + 0x11:
        this.#bulk(index, 3, 0, instruction.imm0, instruction.imm1);
        return;
      case 256 + 0x0f:
        this.#bulk(index, 2, 1, instruction.imm0, 0);
        return;
      case 256 + 0x10:
        this.#last = this.#emit(index, this.#slot(this.#height), instruction.imm0);
        this.#pushSlot();
        return;
    }
    if (index >= 0x28 && index <= 0x35) {
      const address = this.#operand(this.#height - 1);
      this.#drop(1);
      this.#last = this.#emit(index, this.#slot(this.#height), address, instruction.imm1 | 0);
      this.#pushSlot();
    } else if (index >= 0x36 && index <= 0x3e) {
      const [address, value] = [this.#operand(this.#height - 2), this.#operand(this.#height - 1)];
      this.#drop(2);
      this.#emit(index, address, value, instruction.imm1 | 0);
    } else if (OPCODE_BY_INDEX[index]!.params!.length === 2) this.#binary(index);
    else {
      const operand = this.#operand(this.#height - 1);
      this.#drop(1);
      this.#last = this.#emit(index, this.#slot(this.#height), operand);
      this.#pushSlot();
    }
  }

  #local(index: number): number {
    return 2 * index;
  }

  /** Writes the top of the stack to a local; the entry itself stays for the caller to take off or to rename. */
  #setLocal(local: number): void {
    const top = this.#height - 1;
    let flushed = false;
    for (let height = this.#firstDeferred; height < top; height++) {
      if (this.#kinds[height] === LOCAL && this.#low[height] === local) {
        this.#materialise(height);
        flushed = true;
      }
    }
    const kind = this.#kinds[top]!;
    if (kind === SLOT) {
      // The operation that made the value writes the local instead, unless the local's old value was still wanted.
      if (!flushed && this.#last >= 0 && this.#c[this.#last + 1] === this.#slot(top)) this.#c[this.#last + 1] = local;
      else this.#emit(Operation.Copy, local, this.#slot(top));
    } else if (kind === CONSTANT) this.#emit(Operation.Constant, local, this.#low[top]!, this.#high[top]!);
    else if (this.#low[top] !== local) this.#emit(Operation.Copy, local, this.#low[top]!);
    this.#last = -1;
  }

  #binary(index: number): void {
    const h = this.#height;
    const is32 = (index >= 0x46 && index <= 0x4f) || (index >= 0x6a && index <= 0x78 && !NO_CONSTANT32.has(index));
    const is64 = CONSTANT64.has(index);
    if (COMMUTATIVE.has(index) && this.#kinds[h - 2] === CONSTANT && this.#kinds[h - 1] !== CONSTANT) {
      // A left operand that waits in its own cell would be where the result goes: the swap needs a local or a cell above.
      const [low, high] = [this.#low[h - 2]!, this.#high[h - 2]!];
      const right = this.#operand(h - 1);
      if (is32 || is64) {
        this.#drop(2);
        this.#last = is32 ? this.#constant32(index, right, low) : this.#constant64(index, right, low, high);
        this.#pushSlot();
        return;
      }
    }
    if ((is32 || is64) && this.#kinds[h - 1] === CONSTANT) {
      const left = this.#operand(h - 2);
      const [low, high] = [this.#low[h - 1]!, this.#high[h - 1]!];
      this.#drop(2);
      this.#last = is32 ? this.#constant32(index, left, low) : this.#constant64(index, left, low, high);
      this.#pushSlot();
      return;
    }
    const left = this.#operand(h - 2);
    const right = this.#operand(h - 1);
    this.#drop(2);
    this.#last = this.#emit(index, this.#slot(h - 2), left, right);
    this.#pushSlot();
  }

  #constant32(index: number, left: number, constant: number): number {
    const operation =
      index <= 0x4f ? Operation.CompareConstant + index - 0x46 : Operation.ArithmeticConstant + index - 0x6a;
    return this.#emit(operation, this.#slot(this.#height), left, constant);
  }

  #constant64(index: number, left: number, low: number, high: number): number {
    return this.#emit(Operation.Arithmetic64Constant + index - 0x7c, this.#slot(this.#height), left, low, high);
  }

  /**
   * Takes the condition off and emits the jump that is taken when the condition is `sense`, fused with the comparison
   * that made it where there is one. The operation ends in [target, cost when taken, cost when not, loop], all 0.
   */
  #condition(sense: boolean): void {
    const h = this.#height - 1;
    const last = this.#last;
    const c = this.#c;
    const fused = last >= 0 && this.#kinds[h] === SLOT && c[last + 1] === this.#slot(h) ? c[last]! : -1;
    let operation = -1;
    let operands: number[] = [];
    if (fused >= 0x46 && fused <= 0x4f) {
      operation = Operation.BranchCompare + this.#sense(fused - 0x46, sense);
      operands = [c[last + 2]!, c[last + 3]!];
    } else if (fused >= Operation.CompareConstant && fused < Operation.CompareConstant + 10) {
      operation = Operation.BranchCompareConstant + this.#sense(fused - Operation.CompareConstant, sense);
      operands = [c[last + 2]!, c[last + 3]!];
    } else if (fused === 0x45) {
      operation = Operation.BranchCompareConstant + this.#sense(0, sense);
      operands = [c[last + 2]!, 0];
    } else if (fused >= 0x51 && fused <= 0x5a) {
      operation = Operation.BranchCompare64 + this.#sense(fused - 0x51, sense);
      operands = [c[last + 2]!, c[last + 3]!];
    } else if (fused === 0x50) {
      operation = Operation.BranchCompare64Constant + this.#sense(0, sense);
      operands = [c[last + 2]!, 0, 0];
    }
    if (operation >= 0) {
      this.#n = last;
      this.#last = -1;
    } else {
      operation = sense ? Operation.BranchIf : Operation.BranchUnless;
      operands = [this.#operand(h)];
    }
    this.#drop(1);
    // What stays on the stack must be in its cells at the label; a fused comparison's operands are not on it any more.
    if (!sense) this.#flush();
    if (this.#pending) this.#settle();
    this.#append(operation, ...operands, 0, 0, 0, 0);
    this.#last = -1;
  }

  #sense(comparison: number, sense: boolean): number {
    return sense ? comparison : INVERSE[comparison]!;
  }

  #blockArity(type: number): [params: number, results: number] {
    if (type >= 0) {
      const { params, results } = this.#input.structure.types[type]!;
      return [params.length, results.length];
    }
    return [0, type === -64 ? 0 : 1];
  }

  #die(): void {
    this.#dead = true;
    this.#deadDepth = 0;
    this.#last = -1;
  }

  /** After a block: `results` values in their cells. */
  #results(results: number): void {
    for (let k = 0; k < results; k++) this.#pushSlot();
    this.#firstDeferred = this.#height;
    this.#last = -1;
  }

  #restoreHeight(height: number, values: number): void {
    this.#height = height;
    this.#firstDeferred = height;
    this.#results(values);
  }

  #else(): void {
    const control = this.#controls[this.#controls.length - 1]!;
    if (!this.#dead) {
      this.#flush();
      this.#closeBlock();
      if (this.#pending) this.#settleClosed();
      const at = this.#emit(Operation.Branch);
      this.#jump(control, at + 1, at + 2, at + 3);
    }
    this.#dead = false;
    this.#restoreHeight(control.height, control.params);
    this.#c[control.falseTarget] = this.#n;
    this.#blockPatches = [control.falseCost];
    this.#blockCost = 0;
    control.falseTarget = -1;
    control.falseCost = -1;
  }

  #end(): void {
    const control = this.#controls.pop()!;
    const falls = !this.#dead;
    if (falls) this.#flush();
    if (this.#controls.length === 0) {
      this.#endFunction(control, falls);
      return;
    }
    if (control.opcode === 0x03) {
      // No branch comes to the end of a loop: the block goes on.
      if (falls) this.#restoreHeight(control.height, control.results);
      return;
    }
    if (control.falseTarget >= 0) {
      control.targets.push(control.falseTarget);
      control.costs.push(control.falseCost);
    }
    if (!falls && control.targets.length === 0) return;
    if (falls) this.#closeBlock();
    if (falls && this.#pending) {
      // Two labels at one place. Of thousands at one place each jump is moved once.
      for (const target of control.targets) this.#pending.targets.push(target);
      for (const cost of control.costs) this.#blockPatches.push(cost);
    } else {
      this.#pending = { falls, targets: control.targets };
      this.#blockPatches = control.costs;
    }
    this.#blockCost = 0;
    this.#blockLoop = undefined;
    this.#dead = false;
    this.#restoreHeight(control.height, control.results);
  }

  #endFunction(control: Control, falls: boolean): void {
    if (falls) this.#closeBlock();
    else if (control.targets.length === 0) return;
    if (this.#pending) this.#settleClosed();
    this.#blockPatches = [];
    for (const target of control.targets) this.#c[target] = this.#n;
    this.#height = control.results;
    for (let k = 0; k < control.results; k++) this.#kinds[k] = SLOT;
    this.#firstDeferred = this.#height;
    this.#return(control.results);
  }

  /** A pending label whose block is closed and was free: its way in needs no Charge. */
  #settleClosed(): void {
    this.#pending!.falls = false;
    this.#settle();
    this.#blockPatches = [];
  }

  /** Returns the top `results` values. */
  #return(results: number): void {
    const own = this.#index - this.#input.importedFunctions;
    const header = this.#operands - HEADER_WORDS;
    const slots = this.#input.depthSlots[own]!;
    const top = this.#height - 1;
    if (results > 1) this.#flush();
    const value = results === 1 ? this.#operand(top) : 0;
    if (this.#code.profiled) this.#emit(Operation.Leaving);
    this.#point(this.#instruction.offset);
    if (results === 0) this.#emit(Operation.Return0, header, slots);
    else if (results === 1) this.#emit(Operation.Return1, header, slots, value);
    else this.#emit(Operation.Return, header, slots, results, this.#slot(this.#height - results));
  }

  #branch(depth: number): void {
    const label = this.#label(depth);
    const arity = this.#arity(label);
    this.#blockCost += carryFuel(arity);
    if (depth === this.#controls.length - 1) {
      this.#return(arity);
      this.#closeBlock();
    } else {
      this.#flush();
      this.#move(arity, label.height);
      this.#closeBlock();
      if (this.#pending) this.#settleClosed();
      const at = this.#emit(Operation.Branch);
      this.#jump(label, at + 1, at + 2, at + 3);
    }
    this.#die();
  }

  #branchIf(depth: number): void {
    const label = this.#label(depth);
    const arity = this.#arity(label);
    this.#blockCost += carryFuel(arity);
    const below = this.#height - 1;
    // Where the carried values are not in the label's cells already, the moves stand behind the opposite jump.
    const direct = arity === 0 || below - arity === label.height;
    this.#conditionKeeping(arity, direct);
    this.#closeBlock();
    const tail = this.#n - 4;
    if (direct) {
      this.#jump(label, tail, tail + 1, tail + 3);
      this.#blockPatches = [tail + 2];
      return;
    }
    this.#move(arity, label.height);
    const jump = this.#emit(Operation.Branch);
    this.#jump(label, jump + 1, jump + 2, jump + 3);
    this.#c[tail] = this.#n;
    this.#last = -1;
    this.#blockPatches = [tail + 1];
  }

  /** As {@link #condition}, with the `arity` values below the condition in their cells before the jump. */
  #conditionKeeping(arity: number, sense: boolean): void {
    if (arity === 0) {
      this.#condition(sense);
      return;
    }
    const h = this.#height - 1;
    const condition = this.#operand(h);
    for (let height = Math.max(this.#firstDeferred, h - arity); height < h; height++) this.#materialise(height);
    this.#drop(1);
    this.#last = -1;
    if (this.#pending) this.#settle();
    this.#append(sense ? Operation.BranchIf : Operation.BranchUnless, condition, 0, 0, 0, 0);
  }

  #branchTable(): void {
    const instruction = this.#instruction;
    const index = this.#operand(this.#height - 1);
    this.#drop(1);
    this.#flush();
    const labels = [...instruction.labels.subarray(0, instruction.labelCount), instruction.imm0];
    const arity = this.#arity(this.#label(instruction.imm0));
    this.#blockCost += carryFuel(arity);
    this.#closeBlock();
    if (this.#pending) this.#settleClosed();
    const at = this.#emit(Operation.BranchTable, index, instruction.labelCount);
    this.#code.length = this.#n;
    this.#code.reserve(3 * labels.length + 64);
    this.#c = this.#code.words;
    this.#n = at + 3 + 3 * labels.length;
    /** Labels whose values have to be moved, or that return, are reached through a stub behind the table. */
    const stubs = new Map<number, number[]>();
    labels.forEach((depth, k) => {
      const label = this.#label(depth);
      const entry = at + 3 + 3 * k;
      if (depth < this.#controls.length - 1 && (arity === 0 || this.#height - arity === label.height))
        this.#jump(label, entry, entry + 1, entry + 2);
      else {
        this.#c[entry + 1] = 0;
        this.#c[entry + 2] = 0;
        const stub = stubs.get(depth);
        if (stub) stub.push(entry);
        else stubs.set(depth, [entry]);
      }
    });
    for (const [depth, entries] of stubs) {
      for (const entry of entries) this.#c[entry] = this.#n;
      const label = this.#label(depth);
      if (depth === this.#controls.length - 1) this.#return(arity);
      else {
        this.#move(arity, label.height);
        const jump = this.#emit(Operation.Branch);
        this.#jump(label, jump + 1, jump + 2, jump + 3);
      }
    }
    this.#die();
  }

  #call(callee: number): void {
    const input = this.#input;
    const params = input.paramCounts[callee]!;
    this.#flush();
    const at = this.#height - params;
    const imported = callee < input.importedFunctions;
    const row = imported ? input.bytesRows[callee]! : -1;
    if (row >= 0) {
      this.#blockCost += input.bytesPrices[row]!;
      if (input.bytesBulk[row]) this.#point(this.#instruction.offset);
      this.#emit(Operation.Bytes, row, this.#slot(at));
    } else {
      this.#point(this.#instruction.offset);
      this.#emit(imported ? Operation.CallImport : Operation.Call, callee, this.#slot(at));
    }
    this.#drop(params);
    this.#results(input.resultCounts[callee]!);
  }

  /** A bulk instruction: operands in their cells, first one's slot, then two immediates; it may stop for fuel. */
  #bulk(index: number, params: number, results: number, a: number, b: number): void {
    this.#flush();
    this.#point(this.#instruction.offset);
    this.#emit(index, this.#slot(this.#height - params), a, b);
    this.#drop(params);
    this.#results(results);
  }
}

/** Words of an operation that `#emit` writes. */
function emittedLength(operation: number): number {
  return LENGTH_TABLE[operation]!;
}

const LENGTH_TABLE: Uint8Array = (() => {
  const table = new Uint8Array(512).fill(4);
  const set = (length: number, ...operations: number[]): void => {
    for (const operation of operations) table[operation] = length;
  };
  for (let index = 0; index < OPCODE_BY_INDEX.length; index++) {
    const params = OPCODE_BY_INDEX[index]?.params;
    if (params?.length === 1 && (index < 0x28 || index > 0x3e)) table[index] = 3;
  }
  set(4, 0x40);
  set(1, 0x00);
  set(3, 0x23, 0x24, 0xd2, 256 + 0x10);
  set(2, 0x3f, 256 + 0x09, 256 + 0x0d);
  set(5, Operation.Enter);
  for (let k = 0; k < 15; k++) table[Operation.Arithmetic64Constant + k] = 5;
  set(2, Operation.Charge, Operation.Loop);
  set(4, Operation.Branch, Operation.Constant, Operation.Return1, Operation.Move);
  set(3, Operation.BranchTable, Operation.Return0, Operation.Call, Operation.CallDirect, Operation.CallImport);
  set(3, Operation.Bytes, Operation.Copy);
  set(5, Operation.Return, Operation.CallIndirect, Operation.Select);
  set(1, Operation.Probe, Operation.Entered, Operation.Leaving);
  return table;
})();
