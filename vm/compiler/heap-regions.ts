/**
 * Where compiled code looks up the objects that heap refs name, so that the accesses in between pay for one comparison.
 *
 * A lookup reads a ref's entry in the slot table and keeps, in locals, where the object lies and how far it may be
 * accessed; nothing, when the ref names no live object. It has no effect, so it may stand where the ref is never used. What
 * it found holds until the ref's local is written, or the table changes under it: an object is freed, or made, which
 * might give life to a ref that was guessed. Memory that is looked up never moves (spec HEAP-PLACE-1).
 */
import { Instruction, Reader, readInstruction } from "../bytecode/reader.ts";
import type { TranslationInput } from "../reference/translate.ts";
import { type BodyScan, BYTES_USES, BytesUse, Event } from "./body.ts";

export interface HeapChanges {
  /** Per function index: 1 if a call of it may make or free a heap object; and whether one through a table may. */
  readonly functions: Uint8Array;
  readonly indirect: boolean;
  /** Per own function: 1 if it has an access. */
  readonly accesses: Uint8Array;
}

/**
 * The least solution over the calls of the module. Imports that are not of `bytes` count as changing the heap: what a
 * host function may free is declared, what it may make is not. `declared` is, per function index, 1 when a table may hold
 * it; tables that are shared (`shares`) may hold any function.
 */
export function heapChanges(input: TranslationInput, declared: Uint8Array, shares: boolean): HeapChanges {
  const { structure, importedFunctions, bytesRows } = input;
  const count = input.paramCounts.length;
  const functions = new Uint8Array(count);
  const accesses = new Uint8Array(structure.bodies.length);
  // The callers of each function, and at `count` those of some function in a table.
  const callers: number[][] = [];
  for (let index = 0; index <= count; index++) callers.push([]);
  const reader = new Reader(structure.bytes);
  const instruction = new Instruction();
  for (let own = 0; own < structure.bodies.length; own++) {
    const { code, end } = structure.bodies[own]!;
    reader.reset(code, end);
    const caller = importedFunctions + own;
    while (reader.position < end) {
      readInstruction(reader, instruction);
      if (instruction.index !== 0x10 && instruction.index !== 0x11) continue;
      const callee = instruction.index === 0x10 ? instruction.imm0 : count;
      if (callee < importedFunctions && BYTES_USES[bytesRows[callee]!] === BytesUse.access) accesses[own] = 1;
      const from = callers[callee]!;
      // Calls of one caller stand together.
      if (from[from.length - 1] !== caller) from.push(caller);
    }
  }
  const open: number[] = [];
  let indirect = false;
  const mark = (index: number): void => {
    if (functions[index] === 1) return;
    functions[index] = 1;
    open.push(index);
  };
  const markIndirect = (): void => {
    if (indirect) return;
    indirect = true;
    for (const caller of callers[count]!) mark(caller);
  };
  for (let index = 0; index < importedFunctions; index++) {
    const row = bytesRows[index]!;
    if (row < 0 || BYTES_USES[row] === BytesUse.change) mark(index);
  }
  if (shares) markIndirect();
  for (let index = open.pop(); index !== undefined; index = open.pop()) {
    for (const caller of callers[index]!) mark(caller);
    if (declared[index] === 1) markIndirect();
  }
  return { functions, indirect, accesses };
}

/** A ref that is kept looked up: the local it is in, and the widths ({@link widthBit}) it is accessed with. */
export interface PlannedRef {
  readonly local: number;
  readonly widths: number;
}

/** The plan for one function. Sets of refs have bit k for `refs[k]`. */
export interface HeapPlan {
  readonly refs: readonly PlannedRef[];
  /** By the offset of an access, dead code apart: of each of its refs the place in `refs`, or -1: look it up for itself. */
  readonly uses: ReadonlyMap<number, readonly number[]>;
  /**
   * By the offset of an instruction: the refs to look up there, in front of a `loop` and of an access, behind any other,
   * which writes a ref's local or may change the table.
   */
  readonly lookups: ReadonlyMap<number, number>;
}

/** Refs of a function that are kept; accesses through others look up each time. */
const MOST_REFS = 31;
/**
 * Locals for what was looked up, beside one for each local of the function: a frame's depth slots leave room for them on
 * the host's stack.
 */
const SPARE_LOCALS = 8;
/** Loops that change the table or a ref at no more places than this keep their refs looked up, and look up again there. */
const MOST_CHANGES = 4;

/**
 * Plans the lookups of a function that was scanned. Which refs are looked up is followed along the code. Into a loop
 * come looked up: those that it uses and nothing in it spoils, and those that are looked up again wherever it does.
 */
export function planHeap(scan: BodyScan): HeapPlan {
  return new Planner(scan).plan();
}

const ALL = -1;

/** What a loop does to the refs, loops in it included. */
interface LoopEffects {
  used: number;
  written: number;
  changes: boolean;
  /** Places that write a ref's local or may change the table. */
  places: number;
  /** Refs that a loop in it spoils and does not use: looking them up again there would be in vain. */
  vain: number;
}

class Planner {
  readonly #scan: BodyScan;
  readonly #refs: { local: number; widths: number }[] = [];
  /** Bit of each local that is a ref, else 0. */
  readonly #bits: Int32Array;
  readonly #uses = new Map<number, number[]>();
  readonly #lookups = new Map<number, number>();
  /** Locals that may still be added. */
  #room: number;

  constructor(scan: BodyScan) {
    this.#scan = scan;
    this.#bits = new Int32Array(scan.locals);
    this.#room = SPARE_LOCALS + scan.locals;
  }

  plan(): HeapPlan {
    this.#findRefs();
    if (this.#refs.length > 0) this.#place(this.#effects());
    return { refs: this.#refs, uses: this.#uses, lookups: this.#lookups };
  }

  #findRefs(): void {
    const { events, offsets, length } = this.#scan;
    for (let at = 0; at < length; at++) {
      if ((events[at]! & 15) !== Event.use) continue;
      const payload = events[at]! >> 4;
      const place = this.#keep((payload >> 5) - 1, payload & 31);
      const others = this.#uses.get(offsets[at]!);
      if (others === undefined) this.#uses.set(offsets[at]!, [place]);
      else others.push(place);
    }
  }

  /** Place of the ref in a local, which is then kept for that width too; -1 if there is no room, or no local. */
  #keep(local: number, width: number): number {
    if (local < 0) return -1;
    let place = 31 - Math.clz32(this.#bits[local]!);
    const isNew = place < 0;
    if (!isNew && (this.#refs[place]!.widths & width) !== 0) return place;
    this.#room -= isNew ? 2 : 1;
    if (this.#room < 0 || (isNew && this.#refs.length === MOST_REFS)) return -1;
    if (isNew) {
      place = this.#refs.length;
      this.#bits[local] = 1 << place;
      this.#refs.push({ local, widths: 0 });
    }
    this.#refs[place]!.widths |= width;
    return place;
  }

  #effects(): LoopEffects[] {
    const { events, length, loops } = this.#scan;
    const effects = loops.map((): LoopEffects => ({ used: 0, written: 0, changes: false, places: 0, vain: 0 }));
    let inner = -1;
    for (let at = 0; at < length; at++) {
      const event = events[at]! & 15;
      const payload = events[at]! >> 4;
      if (event === Event.loop) inner = payload;
      if (inner < 0) continue;
      const effect = effects[inner]!;
      if (event === Event.use) effect.used |= this.#bitOf(payload);
      else if (event === Event.set && this.#bits[payload] !== 0) {
        effect.written |= this.#bits[payload]!;
        effect.places++;
      } else if (event === Event.change) {
        effect.changes = true;
        effect.places++;
      } else if (event === Event.end && payload > 0) {
        inner = loops[inner]!.parent;
        if (inner < 0) continue;
        const outer = effects[inner]!;
        outer.used |= effect.used;
        outer.written |= effect.written;
        outer.changes ||= effect.changes;
        outer.places += effect.places;
        outer.vain |= effect.vain | (spoiled(effect) & ~effect.used);
      }
    }
    return effects;
  }

  #place(effects: readonly LoopEffects[]): void {
    const { events, offsets, length } = this.#scan;
    // Per open construct: the refs that are looked up on every way to its label; at an if, on the way to its else. Where
    // no way leads, all are. And the refs that are looked up again when spoiled.
    const labels: number[] = [ALL];
    const elses: number[] = [ALL];
    const kept: number[] = [0];
    let depth = 0;
    let known = 0;
    for (let at = 0; at < length; at++) {
      const payload = events[at]! >> 4;
      switch (events[at]! & 15) {
        case Event.branch:
          labels[depth - payload]! &= known;
          break;
        case Event.stop:
          known = ALL;
          break;
        case Event.block:
        case Event.if:
          depth++;
          labels[depth] = ALL;
          elses[depth] = (events[at]! & 15) === Event.if ? known : ALL;
          kept[depth] = kept[depth - 1]!;
          break;
        case Event.loop: {
          const effect = effects[payload]!;
          const spoils = spoiled(effect);
          const again = effect.places <= MOST_CHANGES ? effect.used & spoils & ~effect.vain : 0;
          const into = (effect.used & ~spoils) | again;
          this.#lookUp(offsets[at]!, into & ~known);
          known = (known | into) & ~(spoils & ~again);
          depth++;
          labels[depth] = ALL;
          elses[depth] = ALL;
          kept[depth] = kept[depth - 1]! | again;
          break;
        }
        case Event.else:
          labels[depth]! &= known;
          known = elses[depth]!;
          elses[depth] = ALL;
          break;
        case Event.end:
          // Nothing jumps to the end of a loop.
          if (payload === 0) known &= labels[depth]! & elses[depth]!;
          depth--;
          break;
        case Event.set: {
          const bit = this.#bits[payload]!;
          known &= ~bit;
          known |= this.#lookUp(offsets[at]!, kept[depth]! & bit);
          break;
        }
        case Event.change:
          known = this.#lookUp(offsets[at]!, kept[depth]!);
          break;
        case Event.use: {
          const bit = this.#bitOf(payload);
          known |= this.#lookUp(offsets[at]!, bit & ~known);
          break;
        }
      }
    }
  }

  #lookUp(offset: number, refs: number): number {
    if (refs !== 0) this.#lookups.set(offset, (this.#lookups.get(offset) ?? 0) | refs);
    return refs;
  }

  /** The ref of a use, as a set; empty when it is none that is kept. */
  #bitOf(payload: number): number {
    return payload >> 5 === 0 ? 0 : this.#bits[(payload >> 5) - 1]!;
  }
}

/** The refs that going round a loop leaves stale. */
function spoiled({ changes, written }: LoopEffects): number {
  return changes ? ALL : written;
}
