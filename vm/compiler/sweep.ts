/**
 * Loops that go over heap objects and need no check at each access. Such a loop is one block without calls; it counts a
 * local up to a bound, and offsets are that local plus what the loop leaves as it is:
 *
 *     loop … load8_u(ref, i + n) … br_if (i := i + step) < bound end
 *
 * In front of it all offsets are known: from the counter's value there to the last below the bound. If they are in their
 * objects, a copy of the loop without checks runs, else the loop with them. Both charge the same, and in the copy no
 * access can fail. A loop of a few instructions takes as long as there are of them: a check is two, an addition one.
 */
import { OPCODE_BY_INDEX } from "../bytecode/opcodes.ts";
import { EMPTY_BLOCK, Instruction, Reader, readInstruction } from "../bytecode/reader.ts";
import type { Writer } from "../bytecode/writer.ts";
import { BYTES_CALLS } from "../bytes.ts";
import type { TranslationInput } from "../reference/translate.ts";
import { BYTES_USES, BYTES_WIDTHS, BytesUse } from "./body.ts";
import type { HeapPlan } from "./heap-regions.ts";
import { Op } from "./op.ts";

/** A sum modulo 2^32 of a constant and of locals that the loop does not write. */
export interface Sum {
  readonly constant: number;
  readonly locals: readonly number[];
}

/** An access that needs no check in the copy. */
export interface SweepAccess {
  /** Place of its ref in the plan. */
  readonly place: number;
  /** In bytes. */
  readonly width: number;
  /** True when the counter is in the offset. */
  readonly counts: boolean;
  /** The offset, without the counter's value at the turn's beginning. */
  readonly rest: Sum;
  /** The offset, without the counter's value where the access is; undefined when that is no {@link Sum}. */
  readonly ahead: Sum | undefined;
}

export interface Sweep {
  readonly counter: number;
  readonly step: Sum;
  readonly bound: Sum;
  /** The loop goes on while the counter is less than the bound, or unequal to it. */
  readonly test: Test;
  /** By the offset of the instruction. */
  readonly accesses: ReadonlyMap<number, SweepAccess>;
}

type Test = "signed" | "unsigned" | "unequal";

/** Loops of more bytes are left as they are: checks are a small part of them. */
const MOST_BYTES = 512;
const MOST_ACCESSES = 8;
/** Sums of more locals are not followed. */
const MOST_LOCALS = 3;

const PARAMS = Int8Array.from(OPCODE_BY_INDEX, (opcode) => opcode?.params?.length ?? -1);
const RESULTS = Int8Array.from(OPCODE_BY_INDEX, (opcode) => opcode?.results?.length ?? 0);
const NOP = 0x01;
const SELECT_TYPED = 0x1c;
const COMPARISONS = new Map<number, { readonly test: Test; readonly isSwapped: boolean }>([
  [Op.i32Ne, { test: "unequal", isSwapped: false }],
  [Op.i32LtS, { test: "signed", isSwapped: false }],
  [Op.i32LtU, { test: "unsigned", isSwapped: false }],
  [Op.i32GtS, { test: "signed", isSwapped: true }],
  [Op.i32GtU, { test: "unsigned", isSwapped: true }],
]);

/** An operand: a sum, and added to it what the local `start` held when the turn began; -1: nothing. */
interface Value extends Sum {
  readonly start: number;
}
interface Comparison {
  readonly opcode: number;
  readonly left: Value;
  readonly right: Value;
}
type Operand = Value | Comparison | undefined;

interface Access {
  readonly at: number;
  readonly place: number;
  readonly width: number;
  readonly offset: Value;
  /** What the local in it holds where the access is. */
  readonly now: Operand;
}

export class SweepFinder {
  readonly #input: TranslationInput;
  readonly #reader: Reader;
  readonly #instruction = new Instruction();

  constructor(input: TranslationInput) {
    this.#input = input;
    this.#reader = new Reader(input.structure.bytes);
  }

  /** The loop of that block type whose first instruction is at `start`, in a body up to `end`; undefined if it is no sweep. */
  find(start: number, end: number, blockType: number, plan: HeapPlan): Sweep | undefined {
    if (blockType !== EMPTY_BLOCK) return undefined;
    const written = this.#written(start, end, plan);
    return written === undefined ? undefined : this.#follow(start, end, written, plan);
  }

  /** The locals that the loop writes; undefined if it is more than a block, or may change what its refs were looked up to. */
  #written(start: number, end: number, plan: HeapPlan): Set<number> | undefined {
    const instruction = this.#instruction;
    const reader = this.#reader;
    reader.reset(start, end);
    const written = new Set<number>();
    let accesses = 0;
    while (reader.position < start + MOST_BYTES) {
      readInstruction(reader, instruction);
      const { index, imm0 } = instruction;
      if (index === Op.localSet || index === Op.localTee) written.add(imm0);
      else if (index === Op.call) {
        const row = imm0 < this.#input.importedFunctions ? this.#input.bytesRows[imm0]! : -1;
        if (row < 0 || BYTES_USES[row] !== BytesUse.access || BYTES_WIDTHS[row] === 0) return undefined;
        if (++accesses > MOST_ACCESSES) return undefined;
      } else if (index === Op.brIf) {
        readInstruction(reader, instruction);
        const isLoop = imm0 === 0 && instruction.index === Op.end && accesses > 0;
        return isLoop && plan.refs.every(({ local }) => !written.has(local)) ? written : undefined;
      } else if (PARAMS[index]! < 0 && !OTHERS.has(index)) return undefined;
    }
    return undefined;
  }

  /** Follows one turn. */
  #follow(start: number, end: number, written: ReadonlySet<number>, plan: HeapPlan): Sweep | undefined {
    const instruction = this.#instruction;
    const reader = this.#reader;
    reader.reset(start, end);
    const values = new Map<number, Operand>();
    for (const local of written) values.set(local, { start: local, constant: 0, locals: [] });
    const operandOf = (local: number): Operand =>
      written.has(local) ? values.get(local) : { start: -1, constant: 0, locals: [local] };
    const stack: Operand[] = [];
    const found: Access[] = [];
    for (;;) {
      readInstruction(reader, instruction);
      const { index, imm0 } = instruction;
      switch (index) {
        case Op.localGet:
          stack.push(operandOf(imm0));
          break;
        case Op.localSet:
          values.set(imm0, stack.pop());
          break;
        case Op.localTee:
          values.set(imm0, stack.at(-1));
          break;
        case Op.globalGet:
          stack.push(undefined);
          break;
        case Op.globalSet:
        case Op.drop:
          stack.pop();
          break;
        case Op.select:
        case SELECT_TYPED:
          stack.splice(-3, 3, undefined);
          break;
        case Op.i32Const:
          stack.push({ start: -1, constant: instruction.low, locals: [] });
          break;
        case Op.call: {
          const row = this.#input.bytesRows[imm0]!;
          const { params, results } = BYTES_CALLS[row]!;
          const [, offset] = stack.splice(-params.length);
          const at = instruction.offset;
          const place = plan.uses.get(at)![0]!;
          if (isValue(offset) && place >= 0)
            found.push({ at, place, width: BYTES_WIDTHS[row]!, offset, now: operandOf(offset.start) });
          if (results.length > 0) stack.push(undefined);
          break;
        }
        case Op.brIf:
          return sweepOf(stack.pop(), values, found);
        default: {
          if (PARAMS[index]! < 0) break;
          const [left, right] = PARAMS[index] === 0 ? [] : stack.splice(-PARAMS[index]!);
          if (RESULTS[index] === 0) break;
          if (!isValue(left) || !isValue(right)) stack.push(undefined);
          else if (index === Op.i32Add) stack.push(added(left, right));
          else stack.push(COMPARISONS.has(index) ? { opcode: index, left, right } : undefined);
        }
      }
    }
  }
}

/** Instructions that {@link SweepFinder} follows beside those with a fixed signature. */
const OTHERS: ReadonlySet<number> = new Set([
  NOP,
  Op.drop,
  Op.select,
  SELECT_TYPED,
  Op.localGet,
  Op.localSet,
  Op.localTee,
  Op.globalGet,
  Op.globalSet,
]);

function isValue(operand: Operand): operand is Value {
  return operand !== undefined && "start" in operand;
}

function added(left: Value, right: Value): Value | undefined {
  if (left.start >= 0 && right.start >= 0) return undefined;
  const locals = [...left.locals, ...right.locals].sort((a, b) => a - b);
  if (locals.length > MOST_LOCALS) return undefined;
  return { start: Math.max(left.start, right.start), constant: (left.constant + right.constant) | 0, locals };
}

function sweepOf(
  condition: Operand,
  values: ReadonlyMap<number, Operand>,
  found: readonly Access[],
): Sweep | undefined {
  if (condition === undefined || isValue(condition)) return undefined;
  const { test, isSwapped } = COMPARISONS.get(condition.opcode)!;
  const isOnRight = isSwapped || (test === "unequal" && condition.left.start < 0);
  const [next, bound] = isOnRight ? [condition.right, condition.left] : [condition.left, condition.right];
  const counter = next.start;
  const last = values.get(counter);
  // What is compared is what the next turn begins with.
  if (bound.start >= 0 || !isValue(last) || last.start !== counter || keyOf(last) !== keyOf(next)) return undefined;
  if (test === "unequal" && keyOf(next) !== "1") return undefined;
  const accesses = new Map<number, SweepAccess>();
  for (const { at, place, width, offset, now } of found) {
    const counts = offset.start === counter;
    if (!counts && offset.start >= 0) continue;
    const isAhead = counts && isValue(now) && now.start === counter && now.locals.length === 0;
    const ahead = isAhead ? { constant: (offset.constant - now.constant) | 0, locals: offset.locals } : undefined;
    accesses.set(at, { place, width, counts, rest: offset, ahead });
  }
  return accesses.size === 0 ? undefined : { counter, step: next, bound, test, accesses };
}

/** A text that is equal for equal sums. */
export function keyOf({ constant, locals }: Sum): string {
  return [constant, ...locals].join(" ");
}

/** What of the rewritten function the code in front of a sweep refers to. */
export interface SweepLocals {
  /** Local of a guest's local. */
  local(index: number): number;
  /** Local with the limit of a ref's accesses of a width (`heap-access.ts`). */
  limit(place: number, width: number): number;
}

/** Pushes 1 if no access of the sweep's copy can fail, else 0. All is computed in 64 bits, so that nothing wraps. */
export function writeCondition(out: Writer, sweep: Sweep, { local, limit }: SweepLocals): void {
  const { counter, step, bound, test } = sweep;
  const isSigned = test === "signed";
  const extend = isSigned ? Op.i64ExtendS : Op.i64ExtendU;
  const counterSum = { constant: 0, locals: [counter] };
  const push = (sum: Sum, extension: number): void => {
    writeSum(out, sum, local);
    out.byte(extension);
  };
  const constant = (value: number): void => {
    out.byte(Op.i64Const);
    out.s64(value | 0, Math.floor(value / 0x1_0000_0000));
  };
  // 0 ≤ counter < bound: the counter's values are from here to bound - 1.
  push(counterSum, extend);
  push(bound, extend);
  out.byte(Op.i64LtS);
  if (isSigned) {
    push(counterSum, extend);
    constant(-1);
    out.byte(Op.i64GtS);
    out.byte(Op.i32And);
  }
  // bound - 1 + step does not wrap; a negative step does, taken as unsigned.
  if (keyOf(step) !== "1") {
    push(bound, extend);
    push(step, Op.i64ExtendU);
    out.byte(Op.i64Add);
    constant(isSigned ? 0x8000_0001 : 0x1_0000_0001);
    out.byte(Op.i64LtU);
    out.byte(Op.i32And);
  }
  const written = new Set<string>();
  for (const { place, width, counts, rest } of sweep.accesses.values()) {
    const key = `${place} ${width} ${counts} ${keyOf(rest)}`;
    if (written.has(key)) continue;
    written.add(key);
    const below = (): void => {
      push(rest, Op.i64ExtendS);
      if (counts) out.byte(Op.i64Add);
      out.byte(Op.localGet);
      out.u32(limit(place, width));
      out.byte(Op.i64ExtendU);
      out.byte(Op.i64LtU);
      out.byte(Op.i32And);
    };
    // The last, and where it might be below 0 the first; the others are between them.
    if (counts) {
      push(bound, extend);
      constant(-1);
      out.byte(Op.i64Add);
    }
    below();
    if (!counts || (rest.constant >= 0 && rest.locals.length === 0)) continue;
    push(counterSum, extend);
    below();
  }
}

/** Pushes a sum. */
export function writeSum(out: Writer, { constant, locals }: Sum, local: (index: number) => number): void {
  if (constant !== 0 || locals.length === 0) {
    out.byte(Op.i32Const);
    out.s32(constant);
  }
  locals.forEach((index, k) => {
    out.byte(Op.localGet);
    out.u32(local(index));
    if (k > 0 || constant !== 0) out.byte(Op.i32Add);
  });
}
