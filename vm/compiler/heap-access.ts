/**
 * Code for the heap's objects in the rewritten module: lookups and accesses (spec HEAP-LAYOUT, see `heap-regions.ts`).
 *
 * A lookup leaves where the object lies and, for each width w of accesses, one more than the highest offset at which w
 * bytes are in it: 0 when there are none, or when the ref names no live `Bytes` object of the heap itself. So one unsigned
 * comparison allows an access; what it does not allow goes to the call, which knows why or, of windows over memories, how.
 */
import type { Writer } from "../bytecode/writer.ts";
import { BYTES_CALLS } from "../bytes.ts";
import { BYTES_KIND, ENTRY_BYTES, HEADER_BYTES } from "../heap.ts";
import { BYTES_WIDTHS } from "./body.ts";
import { Op, VOID } from "./op.ts";

/** The widths of accesses by their bits in a set; 0 is of accesses that take a length. */
export const WIDTHS: readonly number[] = [0, 1, 2, 4, 8];

/** The instruction that a load or store of `bytes` is, on memory. */
const ACCESSES: { readonly [name: string]: number } = {
  load_f32: 0x2a,
  load_f64: 0x2b,
  load8_s: 0x2c,
  load8_u: 0x2d,
  load16_s: 0x2e,
  load16_u: 0x2f,
  load32: 0x28,
  load64: 0x29,
  store32: 0x36,
  store64: 0x37,
  store_f32: 0x38,
  store_f64: 0x39,
  store8: 0x3a,
  store16: 0x3b,
};

/** Locals that a ref is looked up to. */
export interface LookedUp {
  /** Holds the ref. */
  readonly ref: number;
  readonly base: number;
  /** By width; undefined for widths that are not used. */
  readonly limits: readonly (number | undefined)[];
}

export class HeapCode {
  readonly #out: Writer;
  readonly #memory: number;
  readonly #slots: number;

  /** `memory` and `slots` are the indices of the heap's memory, and of the global with its highest slot. */
  constructor(out: Writer, memory: number, slots: number) {
    this.#out = out;
    this.#memory = memory;
    this.#slots = slots;
  }

  /** Looks up a ref; `entry` is a local for it, and so is `length`. */
  lookUp({ ref, base, limits }: LookedUp, entry: number, length: number): void {
    const out = this.#out;
    // Slot 0 is no object's: what is no slot is read as it.
    this.#get(ref);
    out.byte(Op.i32Wrap);
    this.#op(Op.localTee, entry);
    this.#i32(0);
    this.#get(entry);
    this.#op(Op.globalGet, this.#slots);
    out.byte(Op.i32LeU);
    out.byte(Op.select);
    this.#i32(Math.log2(ENTRY_BYTES));
    out.byte(Op.i32Shl);
    this.#op(Op.localTee, entry);
    this.#load(Op.i32Load, 8);
    this.#op(Op.localSet, base);
    this.#get(entry);
    this.#load(Op.i32Load, 12);
    this.#i32(1);
    out.byte(Op.i32Add);
    this.#i32(0);
    // Generation and kind in one.
    this.#get(entry);
    this.#load(Op.i64Load, 0);
    this.#get(ref);
    out.byte(Op.i64Const);
    out.s64(32, 0);
    out.byte(Op.i64ShrU);
    out.byte(Op.i64Const);
    out.s64(0, BYTES_KIND.id);
    out.byte(Op.i64Or);
    out.byte(Op.i64Eq);
    out.byte(Op.select);
    this.#op(Op.localSet, limits[0] ?? length);
    limits.forEach((limit, k) => {
      if (k === 0 || limit === undefined) return;
      const width = WIDTHS[k]!;
      // No `select`: V8 12 moves what does not branch to where it is used, into loops.
      this.#i32(0);
      this.#op(Op.localSet, limit);
      this.#get(limits[0] ?? length);
      this.#i32(width);
      out.byte(Op.i32GtU);
      out.byte(Op.if);
      out.byte(VOID);
      this.#get(limits[0] ?? length);
      this.#i32(width);
      out.byte(Op.i32Sub);
      this.#op(Op.localSet, limit);
      out.byte(Op.end);
    });
  }

  /**
   * Pushes 1 if the access of row `row` of `bytes` is allowed; with `allowed` false, if it is not. Its refs are looked
   * up, and its arguments are in `locals`.
   */
  check(row: number, refs: readonly LookedUp[], locals: readonly number[], allowed: boolean): void {
    const out = this.#out;
    const width = BYTES_WIDTHS[row]!;
    if (width > 0) {
      this.#get(locals[1]!);
      this.#get(refs[0]!.limits[WIDTHS.indexOf(width)]!);
      out.byte(allowed ? Op.i32LtU : Op.i32GeU);
      return;
    }
    if (BYTES_CALLS[row]!.name === "len") {
      this.#get(refs[0]!.limits[0]!);
      this.#i32(0);
      out.byte(allowed ? Op.i32Ne : Op.i32Eq);
      return;
    }
    // copy(dst, offset, src, offset, length) and fill(ref, offset, value, length)
    const length = locals[locals.length - 1]!;
    refs.forEach(({ limits }, k) => {
      this.#get(locals[2 * k + 1]!);
      out.byte(Op.i64ExtendU);
      this.#get(length);
      out.byte(Op.i64ExtendU);
      out.byte(Op.i64Add);
      this.#get(limits[0]!);
      out.byte(Op.i64ExtendU);
      out.byte(allowed ? Op.i64LtU : Op.i64GeU);
    });
    if (refs.length === 2) out.byte(allowed ? Op.i32And : Op.i32Or);
  }

  /** The access itself, allowed by {@link check}. */
  access(row: number, refs: readonly LookedUp[], locals: readonly number[]): void {
    const out = this.#out;
    const { name } = BYTES_CALLS[row]!;
    if (name === "len") {
      this.#get(refs[0]!.limits[0]!);
      this.#i32(1);
      out.byte(Op.i32Sub);
      return;
    }
    this.#address(refs[0]!, locals[1]!);
    if (name === "copy") {
      this.#address(refs[1]!, locals[3]!);
      this.#get(locals[4]!);
      out.byte(0xfc);
      out.u32(0x0a);
      out.u32(this.#memory);
      out.u32(this.#memory);
    } else if (name === "fill") {
      this.#get(locals[2]!);
      this.#get(locals[3]!);
      out.byte(0xfc);
      out.u32(0x0b);
      out.u32(this.#memory);
    } else {
      if (locals.length === 3) this.#get(locals[2]!);
      out.byte(ACCESSES[name]!);
      this.#memarg(0);
    }
  }

  #address({ base }: LookedUp, offset: number): void {
    this.#get(base);
    this.#get(offset);
    this.#out.byte(Op.i32Add);
  }

  #get(local: number): void {
    this.#op(Op.localGet, local);
  }

  #op(opcode: number, immediate: number): void {
    this.#out.byte(opcode);
    this.#out.u32(immediate);
  }

  #i32(value: number): void {
    this.#out.byte(Op.i32Const);
    this.#out.s32(value);
  }

  /** Loads a field of the entry on the stack. */
  #load(opcode: number, field: number): void {
    this.#out.byte(opcode);
    this.#memarg(HEADER_BYTES + field);
  }

  #memarg(offset: number): void {
    if (this.#memory === 0) this.#out.u32(0);
    else {
      this.#out.u32(0x40);
      this.#out.u32(this.#memory);
    }
    this.#out.u32(offset);
  }
}
