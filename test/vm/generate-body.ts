/** Function bodies of a generated module: see `generate.ts`. */
import { OPCODES, type Opcode } from "../../vm/bytecode/opcodes.ts";
import { type FunctionType, ValueCode, type ValueType } from "../../vm/bytecode/structure.ts";
import { Writer } from "../../vm/bytecode/writer.ts";
import {
  AMOUNT,
  BUDGET,
  type Callee,
  type Environment,
  LENGTH_TYPES,
  NUMBERS,
  REF,
  same,
  TARGET,
} from "./generate-environment.ts";
import { mix, Random, someBits } from "./random.ts";

const TYPE_OF_LETTER: { readonly [letter: string]: ValueType } = { i: "i32", I: "i64", f: "f32", F: "f64" };
const BY_NAME = new Map(OPCODES.map((opcode) => [opcode.immediate === "select" ? "select t" : opcode.name, opcode]));
const isNumeric = ({ params, results, immediate }: Opcode): boolean =>
  params !== undefined && params !== "" && results !== "" && immediate === "";
/** Instructions that only compute, by result. */
const NUMERIC = new Map(
  NUMBERS.map((type) => [
    type,
    OPCODES.filter((opcode) => isNumeric(opcode) && TYPE_OF_LETTER[opcode.results!] === type),
  ]),
);
const LOADS = new Map(NUMBERS.map((type) => [type, OPCODES.filter(({ name }) => name.startsWith(`${type}.load`))]));
const STORES = OPCODES.filter(({ name }) => name.includes(".store"));
/** Names of the instructions whose NaN is the canonical one. */
export const MAKES_NAN = /^f(32|64)\.(ceil|floor|trunc|nearest|sqrt|add|sub|mul|div|min|max|demote_f64|promote_f32)$/;
/** Two forms of one function body. */
export class Code {
  readonly forms = [new Writer(512), new Writer(512)] as const;

  each(write: (writer: Writer) => void): void {
    for (const writer of this.forms) write(writer);
  }
}

interface Frame {
  /** The types that a branch to it carries. */
  readonly label: readonly ValueType[];
  readonly results: readonly ValueType[];
  /** Height of the stack under its parameters. */
  readonly base: number;
  dead: boolean;
  /** Loops: the local that counts down. */
  readonly counter: number;
}

/** What nests; wild modules loop more. */
const CONTROLS = ["block", "block", "if", "if", "loop", "loop"] as const;

/** Counters of a function, half of them i32, half i64. */
const COUNTERS = 8;

/** Generates one body. `#stack` is the validator's operand stack; below a dead frame's base it has anything. */
export class Body {
  readonly #environment: Environment;
  #random: Random;
  readonly #code = new Code();
  readonly #type: FunctionType;
  readonly #locals: ValueType[];
  /** Locals that statements may set; behind them one i32, then the counters, then those for HeapRefs. */
  readonly #settable: number;
  readonly #refs: readonly number[];
  #nextCounter: number;
  readonly #lastCounter: number;
  readonly #stack: ValueType[] = [];
  /** No value below this height is taken as an operand. */
  #floor = 0;
  readonly #frames: Frame[] = [];
  #loops = 0;
  /** Instructions that statements may still be made of. */
  #room: number;

  constructor(environment: Environment, type: FunctionType, seed: number) {
    this.#environment = environment;
    this.#type = type;
    this.#random = new Random(seed);
    this.#room = environment.room;
    const count = 2 + this.#random.below(6) + (this.#random.chance(0.1) ? 20 : 0);
    const declared = Array.from({ length: count }, () => environment.valueType());
    this.#locals = [...type.params, ...NUMBERS, ...declared];
    this.#settable = this.#locals.length;
    this.#locals.push("i32");
    this.#nextCounter = this.#locals.length;
    for (let k = 0; k < COUNTERS; k++) this.#locals.push(k % 2 === 0 ? "i32" : "i64");
    this.#lastCounter = this.#locals.length;
    const refs = environment.wild && environment.usesBytes ? 1 + this.#random.below(3) : 0;
    this.#refs = Array.from({ length: refs }, () => this.#locals.push("i64") - 1);
    // Large frames: locals that are only read.
    if (environment.wild && this.#random.chance(0.04))
      for (let k = this.#random.pick([40, 57, 300, 1500]); k > 0; k--) this.#locals.push(this.#random.pick(NUMBERS));
  }

  /** The body of function `index`, if others can call it. With `endless` it begins by calling itself. */
  function(seed: number, index = -1, endless = false): Code {
    const { results } = this.#type;
    this.#frames.push({ label: results, results, base: 0, dead: false, counter: -1 });
    if (endless) {
      this.#op("nop");
      this.#callFunction(index);
    } else this.#spend();
    for (const local of this.#refs) this.#newRef(local);
    // As deep as the budget goes, with what follows still to be done at each return.
    if (!endless && this.#environment.wild && index >= 0 && this.#random.chance(0.06)) this.#callFunction(index);
    if (this.#kept(seed)) {
      this.#statements(seed, 4 + this.#random.below(14));
      if (!this.#frame.dead) this.#storeLocals();
    }
    this.#finish();
    this.#op("end");
    return this.#code;
  }

  /** Makes every local visible: to memory with it. */
  #storeLocals(): void {
    if (this.#environment.memory === "none") return;
    for (let local = 0; local < this.#settable; local++) {
      const type = this.#locals[local]!;
      if (type === "funcref" || type === "externref") continue;
      this.#constant("i32", 1024 + 8 * local);
      this.#op("local.get", local);
      this.#op(`${type}.store`);
      this.#code.each((writer) => {
        writer.u32(0);
        writer.u32(256 * (this.#type.params.length + this.#type.results.length));
      });
    }
  }

  /** An entry: sets the budget, calls function `index`, some of them often, and turns floats and references into integers. */
  entry(index: number): Code {
    const environment = this.#environment;
    const { params, results } = environment.functions[index]!.type;
    // The last local counts the calls; see `locals`.
    const counter = params.length + results.length;
    const times = this.#random.pick([1, 1, 5, environment.repeats]);
    if (times > 1) {
      this.#op("loop");
      this.#code.each((writer) => writer.byte(0x40));
    }
    this.#constant("i32", environment.budget);
    this.#op("global.set", BUDGET);
    const make = environment.calleeIndex("bytes", "new");
    if (make >= 0 && environment.trappy < 0.4) {
      this.#op("global.get", REF);
      this.#op("i64.eqz");
      this.#op("if");
      this.#code.each((writer) => writer.byte(0x40));
      this.#constant("i32", 64);
      this.#op("global.set", AMOUNT);
      this.#constant("i32", 64);
      this.#op("call", make);
      this.#op("global.set", REF);
      this.#op("end");
    }
    params.forEach((type, k) => {
      if (type === "funcref" || type === "externref") this.#null(type);
      else {
        this.#op("local.get", k);
        if (environment.wild) return;
        if (type === "f32") this.#op("f32.reinterpret_i32");
        else if (type === "f64") this.#op("f64.reinterpret_i64");
      }
    });
    this.#op("call", index);
    // A place for each result, behind the parameters; see `locals`.
    for (let k = results.length - 1; k >= 0; k--) {
      const type = results[k]!;
      if (type === "funcref" || type === "externref") this.#op("ref.is_null");
      else if (type === "f32" && !environment.wild) this.#op("i32.reinterpret_f32");
      else if (type === "f64" && !environment.wild) this.#op("i64.reinterpret_f64");
      this.#op("local.set", params.length + k);
    }
    if (times > 1) {
      this.#op("local.get", counter);
      this.#constant("i32", 1);
      this.#op("i32.add");
      this.#op("local.tee", counter);
      this.#constant("i32", times);
      this.#op("i32.lt_u");
      this.#op("br_if", 0);
      this.#op("end");
    }
    results.forEach((_, k) => {
      this.#op("local.get", params.length + k);
    });
    this.#op("end");
    return this.#code;
  }

  get declared(): readonly ValueType[] {
    return this.#locals.slice(this.#type.params.length);
  }

  // ---- emission

  #op(name: string, ...immediates: number[]): void {
    const opcode = BY_NAME.get(name)!;
    this.#code.each((writer) => {
      if (opcode.code < 0x100) writer.byte(opcode.code);
      else {
        writer.byte(0xfc);
        writer.u32(opcode.code & 0xff);
      }
      for (const immediate of immediates) writer.u32(immediate);
    });
    if (MAKES_NAN.test(name)) this.#canonical(name.startsWith("f32") ? "f32" : "f64");
    this.#room--;
  }

  /** In the second form only: a NaN on top of the stack becomes the canonical one. */
  #canonical(type: "f32" | "f64"): void {
    const writer = this.#code.forms[1];
    const wide = type === "f64";
    const scratch = this.#locals.length + (wide ? 1 : 0);
    writer.byte(0x22);
    writer.u32(scratch);
    writer.byte(wide ? 0x44 : 0x43);
    if (wide) writer.word(0);
    writer.word(wide ? 0x7ff80000 : 0x7fc00000);
    for (let k = 0; k < 2; k++) {
      writer.byte(0x20);
      writer.u32(scratch);
    }
    writer.byte(wide ? 0x61 : 0x5b);
    writer.byte(0x1b);
  }

  #constant(type: ValueType, value: number | bigint): void {
    const low = typeof value === "bigint" ? Number(BigInt.asIntN(32, value)) : value;
    const high = typeof value === "bigint" ? Number(BigInt.asIntN(32, value >> 32n)) : 0;
    this.#op(`${type}.const`);
    this.#code.each((writer) => {
      if (type === "i32") writer.s32(low);
      else if (type === "i64") writer.s64(low, high);
      else {
        writer.word(low);
        if (type === "f64") writer.word(high);
      }
    });
  }

  #null(type: ValueType): void {
    this.#op("ref.null");
    this.#code.each((writer) => writer.byte(ValueCode[type]));
  }

  #blockType(params: readonly ValueType[], results: readonly ValueType[]): void {
    const short = params.length === 0 && results.length < 2 && this.#random.chance(0.8);
    const index = short ? 0 : this.#environment.typeIndex({ params, results });
    this.#code.each((writer) => {
      if (!short) writer.blockType(index);
      else writer.byte(results.length === 0 ? 0x40 : ValueCode[results[0]!]);
    });
  }

  #memarg(opcode: Opcode): void {
    const offset = this.#random.pick([0, 0, 1, 3, 8, 200]);
    const trappy = this.#trappy();
    this.#code.each((writer) => {
      writer.u32(offset % 2 === 0 ? opcode.align : 0);
      writer.u32(trappy ? 0xffff_fff0 : offset);
    });
  }

  // ---- the stack

  get #frame(): Frame {
    return this.#frames.at(-1)!;
  }

  #push(...types: readonly ValueType[]): void {
    this.#stack.push(...types);
  }

  #pop(count: number): void {
    this.#stack.length = Math.max(this.#frame.base, this.#stack.length - count);
  }

  #die(): void {
    this.#stack.length = this.#frame.base;
    this.#frame.dead = true;
  }

  /** Sees to it that `types` are on top of the stack: some may be there already, above the floor. */
  #need(types: readonly ValueType[], depth = 2): void {
    const { base, dead } = this.#frame;
    const held = this.#stack.slice(Math.max(base, this.#floor));
    let there = 0;
    if (this.#random.chance(0.75)) {
      if (
        dead &&
        this.#floor <= base &&
        held.length < types.length &&
        same(held, types.slice(types.length - held.length)) &&
        this.#random.chance(0.5)
      )
        return;
      for (let k = Math.min(held.length, types.length); k > 0 && there === 0; k--)
        if (same(held.slice(held.length - k), types.slice(0, k))) there = k;
    }
    for (const type of types.slice(there)) this.#value(type, depth);
  }

  /** Runs the steps; each but the first leaves alone what is on the stack when it begins. */
  #operands(...steps: readonly (() => void)[]): void {
    steps.forEach((step, k) => {
      if (k === 0) step();
      else this.#above(step);
    });
  }

  #above(step: () => void): void {
    const floor = this.#floor;
    this.#floor = this.#stack.length;
    step();
    this.#floor = floor;
  }

  #trappy(): boolean {
    return this.#environment.trappy > 0 && this.#random.chance(this.#environment.trappy);
  }

  // ---- values

  #localsOf(type: ValueType, count = this.#locals.length): number[] {
    return this.#locals.flatMap((other, k) => (k < count && other === type ? [k] : []));
  }

  /** Pushes a value. */
  #value(type: ValueType, depth: number): void {
    this.#above(() => this.#valueOf(type, depth));
  }

  #valueOf(type: ValueType, depth: number): void {
    const random = this.#random;
    const environment = this.#environment;
    const locals = this.#localsOf(type);
    const globals = environment.globals.flatMap((global, k) => (global.type === type ? [k] : []));
    const kind = random.below(20);
    const nested = depth > 0 && this.#room > 0;
    if (kind < 8 && locals.length > 0) this.#op("local.get", random.pick(locals));
    else if (kind === 8) this.#op("global.get", random.pick(globals));
    else if (type === "funcref" || type === "externref") {
      const tables = environment.tables.flatMap(({ element }, k) => (element === type ? [k] : []));
      if (kind < 12 && nested) {
        const table = random.pick(tables);
        this.#index(environment.tables[table]!.minimum);
        this.#op("table.get", table);
        this.#pop(1);
      } else if (kind < 16 && type === "funcref") this.#op("ref.func", random.below(environment.functions.length));
      else this.#null(type);
    } else if (kind < 14 && nested) {
      this.#numeric(random.pick(NUMERIC.get(type)!), depth - 1);
      return;
    } else if (kind === 14 && nested && environment.memory !== "none") {
      this.#address(depth - 1);
      const opcode = random.pick(LOADS.get(type)!);
      this.#op(opcode.name);
      this.#memarg(opcode);
      this.#pop(1);
    } else if (kind === 15 && type === "i32") {
      if (random.chance(0.5)) this.#op("table.size", random.below(environment.tables.length));
      else if (environment.memory === "none") this.#constant("i32", 0);
      else {
        this.#op("memory.size");
        this.#code.each((writer) => writer.byte(0));
      }
    } else if (kind === 16 && nested && random.chance(0.3)) {
      this.#block("block", [], [type]);
      return;
    } else if (kind === 17 && type === "i32" && nested) {
      const reference = random.pick(["funcref", "externref"] as const);
      this.#need([reference], 0);
      this.#op("ref.is_null");
      this.#pop(1);
    } else if ((type === "f32" || type === "f64") && random.chance(environment.nans)) {
      // A NaN of arithmetic, whose bits are V8's until they are made canonical.
      for (let k = 0; k < 2; k++) this.#constant(type, type === "f32" ? 0 : 0n);
      this.#op(`${type}.div`);
    } else this.#constant(type, someBits(random, type));
    this.#push(type);
  }

  /** Pushes an i32 below `count`, or any. */
  #index(count: number): void {
    if (this.#random.chance(0.5) && !this.#trappy()) {
      this.#constant("i32", this.#random.below(count));
      this.#push("i32");
      return;
    }
    this.#need(["i32"], 1);
    if (this.#trappy()) return;
    // A power of two that is not over the count.
    this.#mask(2 ** Math.floor(Math.log2(count)) - 1);
  }

  #address(depth: number): void {
    this.#need(["i32"], depth);
    if (this.#trappy()) return;
    this.#mask(0x7fff);
  }

  #mask(bits: number): void {
    this.#constant("i32", bits);
    this.#op("i32.and");
    this.#replaced("i32");
  }

  /** What was on top has become a value of `type`; in dead code there may have been nothing. */
  #replaced(type: ValueType): void {
    this.#pop(1);
    this.#push(type);
  }

  #numeric({ name, params, results, mayTrap }: Opcode, depth: number): void {
    const types = Array.from(params!, (letter) => TYPE_OF_LETTER[letter]!);
    if (!mayTrap) this.#need(types, depth);
    else if (this.#trappy()) {
      if (types.length === 2 && this.#random.chance(0.3)) {
        // The quotient that overflows.
        const wide = types[0] === "i64";
        this.#constant(types[0]!, wide ? -(2n ** 63n) : -(2 ** 31));
        this.#constant(types[0]!, wide ? -1n : -1);
        this.#push(...types);
      } else this.#need(types, depth);
    } else if (types.length === 2) {
      // A divisor that is neither 0 nor -1.
      const type = types[1] as "i32" | "i64";
      this.#need(types, depth);
      this.#constant(type, type === "i32" ? 0x7fffffff : 0x7fffffffffffffffn);
      this.#op(`${type}.and`);
      this.#constant(type, type === "i32" ? 1 : 1n);
      this.#op(`${type}.or`);
      this.#replaced(type);
    } else {
      this.#need(["i32"], depth);
      this.#mask(0x7fffffff);
      this.#op(`${types[0]}.convert_i32_s`);
      this.#replaced(types[0]!);
    }
    this.#op(name);
    this.#pop(types.length);
    this.#push(TYPE_OF_LETTER[results!]!);
  }

  /** Pushes an i32 that decides a branch. */
  #condition(): void {
    const random = this.#random;
    if (random.chance(0.3)) this.#need(["i32"]);
    else {
      const comparisons = NUMERIC.get("i32")!.filter(({ code }) => code >= 0x45 && code <= 0x66);
      const integer = comparisons.filter(({ code }) => code <= 0x5a);
      this.#numeric(random.pick(random.chance(0.7) ? integer : comparisons), 1);
    }
  }

  // ---- statements

  #kept(id: number): boolean {
    if (this.#environment.skip.has(id)) return false;
    this.#environment.statements.push(id);
    return true;
  }

  #statements(seed: number, count: number): void {
    const outer = this.#random;
    for (let k = 0; k < count && this.#room > 0; k++) {
      const id = mix(seed, k);
      if (!this.#kept(id)) continue;
      this.#random = new Random(id);
      if (this.#frame.dead && this.#random.chance(0.4)) break;
      this.#statement();
    }
    this.#random = outer;
  }

  #statement(): void {
    const random = this.#random;
    const height = this.#stack.length - this.#frame.base;
    const kind = height > 10 ? 30 + random.below(24) : random.below(100);
    if (kind < 18) this.#numeric(random.pick(NUMERIC.get(random.pick(NUMBERS))!), 2);
    else if (kind < 30) this.#value(this.#environment.valueType(), 1);
    else if (kind < 42) this.#set();
    else if (kind < 46) this.#store();
    else if (kind < 49) this.#drop();
    else if (kind < 52) this.#select();
    else if (kind < 54) this.#setGlobal();
    else if (kind < 66) this.#hazard();
    else if (kind < 73) this.#control();
    else if (kind < 76) this.#nest();
    else if (kind < 84) this.#branch();
    else if (kind < 88) this.#call();
    else if (kind < 90) {
      if (!this.#environment.wild) this.#call();
      else if (random.chance(0.6) && this.#refs.length > 0) {
        if (random.chance(0.5)) this.#heapLoop();
        else this.#sweepLoop();
      } else this.#setAndCall();
    } else if (kind < 92) this.#callIndirect();
    else if (kind < 95) this.#bulkMemory();
    else if (kind < 98) this.#table();
    else if (kind < 99) this.#op("nop");
    else this.#leave();
  }

  /** local.set or local.tee, often of what is on top. */
  #set(): void {
    const random = this.#random;
    const top = this.#stack.length > this.#frame.base ? this.#stack.at(-1) : undefined;
    const type = top !== undefined && random.chance(0.8) ? top : random.pick(NUMBERS);
    const locals = this.#localsOf(type, this.#settable);
    if (locals.length === 0) return;
    this.#need([type]);
    this.#setLocal(random.pick(locals));
  }

  #setLocal(local: number): void {
    const tee = this.#random.chance(0.4);
    this.#op(tee ? "local.tee" : "local.set", local);
    this.#pop(1);
    if (tee) this.#push(this.#locals[local]!);
  }

  /** A local whose old value waits on the stack while it changes. */
  #hazard(): void {
    const random = this.#random;
    const top = this.#stack.length > this.#frame.base ? this.#stack.at(-1)! : undefined;
    const teeable = top === undefined ? [] : this.#localsOf(top, this.#settable);
    // What waits may be what a local.tee has just named.
    const teed = teeable.length > 0 && random.chance(0.3);
    const local = teed ? random.pick(teeable) : random.below(this.#settable);
    const type = this.#locals[local]!;
    if (teed) this.#op("local.tee", local);
    for (let k = random.below(3); k >= 0; k--) {
      this.#op("local.get", local);
      this.#push(type);
      if (random.chance(0.2)) this.#value(random.pick(NUMBERS), 1);
    }
    if (random.chance(0.3)) {
      this.#hazardInBranch(local);
      return;
    }
    if (random.chance(0.5)) this.#value(type, 2);
    else this.#need([type]);
    this.#setLocal(local);
    if (random.chance(0.5)) this.#value(type, 0);
    if (random.chance(0.3) && type === "i32") this.#branchIf();
  }

  /** The local changes on one of two ways. */
  #hazardInBranch(local: number): void {
    const random = this.#random;
    const type = this.#locals[local]!;
    const kind = random.pick(["if", "else", "block"] as const);
    const change = (): void => {
      this.#value(type, 1);
      this.#op("local.set", local);
      this.#pop(1);
    };
    if (kind === "block") this.#op("block");
    else {
      this.#above(() => this.#condition());
      this.#op("if");
      this.#pop(1);
    }
    this.#code.each((writer) => writer.byte(0x40));
    this.#frames.push({ label: [], results: [], base: this.#stack.length, dead: false, counter: -1 });
    if (kind === "block") this.#branchIf(0);
    if (kind === "else") this.#op("else");
    change();
    this.#op("end");
    this.#frames.pop();
  }

  /** Blocks that end at one place, or as the arms of a switch do. */
  #nest(): void {
    const random = this.#random;
    const results = random.chance(0.5) ? [] : this.#types();
    const arms = random.chance(0.4);
    const local = random.pick(this.#localsOf("i32", this.#settable));
    const depth = 2 + random.below(3);
    for (let k = 0; k < depth; k++) {
      this.#op("block");
      this.#blockType([], results);
      this.#frames.push({ label: results, results, base: this.#stack.length, dead: false, counter: -1 });
    }
    this.#statements(random.next(), random.below(3));
    for (let k = random.below(4); k > 0; k--) {
      if (random.chance(0.8)) this.#branchIf(random.below(depth));
      else this.#branchTable();
    }
    if (arms && random.chance(0.7)) this.#branchTable();
    this.#finish();
    for (let k = 0; k < depth; k++) {
      if (random.chance(0.2)) this.#op("nop");
      this.#op("end");
      this.#stack.length = this.#frames.pop()!.base;
      this.#push(...results);
      if (!arms) continue;
      this.#op("local.get", local);
      this.#constant("i32", 1 << (k + 4));
      this.#op("i32.add");
      this.#op("local.set", local);
    }
  }

  #store(): void {
    if (this.#environment.memory === "none") return;
    const opcode = this.#random.pick(STORES);
    this.#address(1);
    this.#value(TYPE_OF_LETTER[opcode.params![1]!]!, 1);
    this.#op(opcode.name);
    this.#memarg(opcode);
    this.#pop(2);
  }

  #drop(): void {
    if (this.#stack.length === this.#frame.base && !this.#frame.dead) return;
    this.#op("drop");
    this.#pop(1);
  }

  #select(): void {
    const type = this.#environment.valueType();
    const typed = type === "funcref" || type === "externref" || this.#random.chance(0.3);
    this.#operands(
      () => this.#need([type, type]),
      () => this.#condition(),
    );
    this.#op(typed ? "select t" : "select");
    if (typed)
      this.#code.each((writer) => {
        writer.byte(1);
        writer.byte(ValueCode[type]);
      });
    this.#pop(3);
    this.#push(type);
  }

  #setGlobal(): void {
    const { globals } = this.#environment;
    const settable = globals.flatMap(({ mutable }, k) => (mutable && k > REF ? [k] : []));
    const global = this.#random.pick(settable);
    this.#need([globals[global]!.type]);
    this.#op("global.set", global);
    this.#pop(1);
  }

  // ---- control

  #types(): ValueType[] {
    const random = this.#random;
    const count = random.chance(0.06) ? 9 : random.below(random.chance(0.5) ? 2 : 4);
    return Array.from({ length: count }, () => this.#environment.valueType());
  }

  #control(): void {
    const random = this.#random;
    const kind = random.pick(CONTROLS.slice(0, this.#environment.wild ? 6 : 5));
    const held = this.#stack.slice(this.#frame.base);
    const params = random.chance(0.5) ? held.slice(held.length - random.below(4)) : this.#types();
    this.#block(kind, params, random.chance(0.3) ? params : this.#types());
  }

  #block(kind: "block" | "if" | "loop", params: readonly ValueType[], results: readonly ValueType[]): void {
    const random = this.#random;
    const looped = kind === "loop" && this.#nextCounter < this.#lastCounter && this.#loops < 3;
    this.#need(params, 1);
    if (kind === "if" && params.length === 0) this.#condition();
    else if (kind === "if") this.#above(() => this.#condition());
    let counter = -1;
    if (looped) {
      counter = this.#nextCounter++;
      const long = this.#loops === 0 && random.chance(0.6);
      const trips = random.below(long ? this.#environment.rounds : 6);
      this.#constant(this.#locals[counter]!, this.#locals[counter] === "i32" ? trips : BigInt(trips));
      this.#op("local.set", counter);
    }
    this.#op(looped ? "loop" : kind === "if" ? "if" : "block");
    this.#blockType(params, results);
    if (kind === "if") this.#pop(1);
    this.#pop(params.length);
    const frame = { label: looped ? params : results, results, base: this.#stack.length, dead: false, counter };
    this.#frames.push(frame);
    this.#push(...params);
    if (looped) {
      this.#loops++;
      const first = random.below(10);
      if (this.#loops > 1 || first < 3) this.#spend();
      else if (first < 5) this.#op("nop");
    }
    this.#statements(random.next(), random.below(5));
    if (looped) {
      this.#again();
      this.#loops--;
    }
    this.#finish();
    if (kind === "if" && (!same(params, results) || random.chance(0.6))) {
      this.#op("else");
      this.#stack.length = frame.base;
      frame.dead = false;
      this.#push(...params);
      this.#statements(random.next(), random.below(4));
      this.#finish();
    }
    this.#op("end");
    this.#frames.pop();
    this.#stack.length = frame.base;
    this.#push(...results);
  }

  /** Makes the frame's stack its results. */
  #finish(): void {
    const frame = this.#frame;
    const { results, base } = frame;
    const held = (): readonly ValueType[] => this.#stack.slice(base);
    if (same(held(), results)) return;
    if (!frame.dead && this.#random.chance(0.3)) {
      this.#need(results);
      if (same(held(), results)) return;
      if (frame.counter < 0) {
        if (this.#frames.length === 1 && this.#random.chance(0.5)) this.#op("return");
        else this.#op("br", 0);
        this.#die();
      }
    }
    while (!same(held(), results.slice(0, held().length))) {
      const locals = this.#localsOf(this.#stack.at(-1)!, this.#settable);
      if (locals.length > 0 && this.#random.chance(0.6)) {
        this.#op("local.set", this.#random.pick(locals));
        this.#pop(1);
      } else this.#drop();
    }
    if (frame.dead && held().length === 0 && this.#random.chance(0.7)) return;
    for (const type of results.slice(held().length)) this.#value(type, 0);
  }

  /** Leaves the function with zeroes. */
  #giveUp(): void {
    for (const type of this.#type.results) {
      if (type === "funcref" || type === "externref") this.#null(type);
      else this.#constant(type, type === "i64" || type === "f64" ? 0n : 0);
    }
    this.#op("return");
  }

  /** Takes one from the budget, or leaves. */
  #spend(): void {
    this.#op("global.get", BUDGET);
    this.#constant("i32", 1);
    this.#op("i32.sub");
    this.#op("global.set", BUDGET);
    this.#op("global.get", BUDGET);
    this.#constant("i32", 0);
    this.#op("i32.lt_s");
    this.#op("if");
    this.#code.each((writer) => writer.byte(0x40));
    this.#giveUp();
    this.#op("end");
  }

  /** Before a branch to a loop: takes one from its counter, or leaves. */
  #guard({ counter }: Frame): void {
    if (counter < 0) return;
    const type = this.#locals[counter] as "i32" | "i64";
    const [zero, one] = type === "i32" ? [0, 1] : [0n, 1n];
    this.#op("local.get", counter);
    this.#constant(type, zero);
    this.#op(`${type}.le_s`);
    this.#op("if");
    this.#code.each((writer) => writer.byte(0x40));
    this.#giveUp();
    this.#op("end");
    this.#op("local.get", counter);
    this.#constant(type, one);
    this.#op(`${type}.sub`);
    this.#op("local.set", counter);
  }

  /** A loop's own way back, at its end. */
  #again(): void {
    const random = this.#random;
    const { counter, label } = this.#frame;
    const type = this.#locals[counter] as "i32" | "i64";
    const [zero, one] = type === "i32" ? [0, 1] : [0n, 1n];
    this.#need(label, 1);
    this.#op("local.get", counter);
    this.#constant(type, one);
    this.#op(`${type}.sub`);
    const shape = random.below(4);
    if (shape === 0) {
      this.#op("local.tee", counter);
      this.#constant(type, zero);
      this.#op(`${type}.gt_s`);
    } else {
      this.#op("local.set", counter);
      if (shape === 1) {
        this.#constant(type, zero);
        this.#op("local.get", counter);
        this.#op(`${type}.lt_s`);
      } else if (shape === 2) {
        this.#op("local.get", counter);
        this.#constant(type, zero);
        this.#op(`${type}.le_s`);
        this.#op("i32.eqz");
      } else {
        this.#op("local.get", counter);
        this.#constant(type, zero);
        this.#op(`${type}.gt_s`);
      }
    }
    if (random.chance(0.25)) {
      // A branch from inside an if, with the values as its parameters.
      this.#op("if");
      this.#blockType(label, label);
      this.#op("br", 1);
      this.#op("end");
    } else this.#op("br_if", 0);
    // What a dead loop body had below is now its label's types.
    this.#pop(label.length);
    this.#push(...label);
  }

  #branch(): void {
    const kind = this.#random.below(10);
    if (kind < 5) this.#branchIf();
    else if (kind < 7) this.#branchAlways();
    else if (kind < 9) this.#branchTable();
    else {
      this.#need(this.#type.results, 1);
      this.#op("return");
      this.#die();
    }
  }

  #label(): [depth: number, frame: Frame] {
    const depth = this.#random.below(this.#frames.length);
    return [depth, this.#frames.at(-1 - depth)!];
  }

  #branchIf(depth = this.#random.below(this.#frames.length)): void {
    const frame = this.#frames.at(-1 - depth)!;
    this.#need(frame.label, 1);
    this.#guard(frame);
    if (frame.label.length === 0) this.#condition();
    else this.#above(() => this.#condition());
    this.#op("br_if", depth);
    this.#pop(1 + frame.label.length);
    this.#push(...frame.label);
  }

  #branchAlways(): void {
    const [depth, frame] = this.#label();
    this.#need(frame.label, 1);
    this.#guard(frame);
    this.#op("br", depth);
    this.#die();
  }

  #branchTable(): void {
    const random = this.#random;
    const [depth, frame] = this.#label();
    const alike = this.#frames.flatMap(({ label }, k) =>
      same(label, frame.label) ? [this.#frames.length - 1 - k] : [],
    );
    const depths = Array.from({ length: random.below(5) }, () => random.pick(alike));
    this.#need(frame.label, 1);
    for (const each of new Set([...depths, depth])) this.#guard(this.#frames.at(-1 - each)!);
    this.#above(() => this.#need(["i32"]));
    if (random.chance(0.7)) this.#mask(7);
    this.#op("br_table", depths.length, ...depths, depth);
    this.#die();
  }

  #leave(): void {
    if (!this.#trappy()) return;
    this.#op("unreachable");
    this.#die();
  }

  // ---- calls

  #arguments({ type, module, lengthArgument }: Callee): void {
    const random = this.#random;
    if (this.#environment.wild && (module === "wild" || module === "fs" || module === "sys")) {
      this.#hostArguments(type.params);
      return;
    }
    if (module !== "bytes" && lengthArgument === undefined) {
      this.#need(type.params, 1);
      return;
    }
    const small = module === "bytes" && !this.#trappy();
    const length = !small ? random.pick([0, 1, 63, 64, 100, 1000, -1]) : lengthArgument === 0 ? 64 : 32;
    type.params.forEach((param, k) => {
      if (k === lengthArgument) this.#constant("i32", length);
      else if (param === "i64" && module === "bytes" && !this.#trappy()) this.#reference();
      else if (param === "i32" && small) this.#constant("i32", random.below(25));
      else {
        this.#value(param, 1);
        if (module === "bytes" && (param === "f32" || param === "f64")) this.#arithmetic(param);
        return;
      }
      this.#push(param);
    });
    if (lengthArgument === undefined) return;
    this.#constant("i32", length);
    this.#op("global.set", AMOUNT);
  }

  /** Mostly HeapRefs and windows that are fit. */
  #hostArguments(params: readonly ValueType[]): void {
    const random = this.#random;
    for (const param of params) {
      if (param === "i64" && !this.#trappy()) this.#reference();
      else if (param === "i32" && random.chance(0.8)) this.#constant("i32", random.below(9));
      else {
        this.#value(param, 1);
        continue;
      }
      this.#push(param);
    }
  }

  /** Emits a HeapRef that lives; in wild code nearly always. */
  #reference(): void {
    const random = this.#random;
    if (this.#refs.length > 0 && random.chance(0.7)) {
      this.#op("local.get", random.pick(this.#refs));
      return;
    }
    const ofMemory = this.#environment.calleeIndex("bytes", "of_memory");
    if (ofMemory >= 0 && this.#random.chance(0.3)) this.#op("call", ofMemory);
    else this.#op("global.get", REF);
  }

  #call(): void {
    const environment = this.#environment;
    const index = this.#random.below(environment.functions.length);
    const callee = environment.functions[index]!;
    if (environment.wild && (callee.name === "destroy" || callee.name === "free" || callee.name === "end")) {
      this.#endRef(index);
      return;
    }
    if (callee.module === "bytes" && callee.name === "destroy") {
      if (this.#trappy()) this.#value("i64", 0);
      else {
        this.#op("global.get", REF);
        this.#push("i64");
      }
      this.#op("call", index);
      this.#pop(1);
      this.#constant("i32", this.#trappy() ? 0 : 80);
      this.#op("local.tee", this.#settable);
      this.#op("global.set", AMOUNT);
      this.#op("local.get", this.#settable);
      this.#op("call", environment.calleeIndex("bytes", "new"));
      this.#op("global.set", REF);
      return;
    }
    this.#callFunction(index);
  }

  #callFunction(index: number): void {
    const callee = this.#environment.functions[index]!;
    this.#arguments(callee);
    this.#op("call", index);
    this.#returned(callee);
  }

  /** What `bytes` moves keeps its bits here, but not on its way through JavaScript: only arithmetic's NaN will do. */
  #arithmetic(type: "f32" | "f64"): void {
    if (this.#environment.wild) return;
    this.#constant(type, type === "f32" ? 0 : 0n);
    this.#op(`${type}.add`);
  }

  #returned({ type, module }: Callee): void {
    this.#pop(type.params.length);
    this.#push(...type.results);
    if (module === "bytes" && (type.results[0] === "f32" || type.results[0] === "f64"))
      this.#arithmetic(type.results[0]);
    // In the second form a NaN from the host must be made canonical; only a single one is on top.
    const [only] = type.results;
    if (module === "env" && (only === "f32" || only === "f64") && type.results.length === 1) this.#canonical(only);
    if (module === "env" && type.results.length === 4) {
      // many: i32 f32 i64 f64; through locals, so that each gets to the top.
      const scratch = ["i32", "f32", "i64", "f64"].map((name) => this.#localsOf(name as ValueType, this.#settable)[0]!);
      for (const k of [3, 2, 1, 0]) {
        if (k === 1 || k === 3) this.#canonical(k === 1 ? "f32" : "f64");
        this.#op("local.set", scratch[k]!);
      }
      for (const local of scratch) this.#op("local.get", local);
    }
  }

  #callIndirect(): void {
    const environment = this.#environment;
    const { targets, functions, callTable } = environment;
    const random = this.#random;
    const filled = targets.flatMap((target, slot) => (target >= 0 ? [slot] : []));
    if (filled.length === 0) return;
    const slot = random.pick(filled);
    const callee = functions[targets[slot]!]!;
    if (callee.module === "bytes" && (callee.name === "destroy" || callee.name === "new") && environment.trappy === 0)
      return;
    if (callee.module === "env" && callee.type.results.length === 4) return;
    this.#arguments(callee);
    // The price of a call that takes a length must be known, so an unknown index must not come to one.
    const priced = LENGTH_TYPES.some(
      ({ params, results }) => same(params, callee.type.params) && same(results, callee.type.results),
    );
    let table = callTable;
    if (this.#trappy() && (!priced || environment.wild)) {
      // Other tables have functions of other modules, too.
      table = random.pick(environment.tables.flatMap(({ element }, k) => (element === "funcref" ? [k] : [])));
      this.#value("i32", 1);
      this.#op("local.tee", this.#settable);
      this.#op("global.set", TARGET);
      this.#op("local.get", this.#settable);
    } else {
      this.#constant("i32", slot);
      this.#op("global.set", TARGET);
      this.#constant("i32", slot);
      if (random.chance(0.5)) {
        this.#constant("i32", 0);
        this.#op("local.get", this.#settable);
        this.#constant("i32", 0);
        this.#op("i32.and");
        this.#op("i32.or");
        this.#op("i32.or");
      }
      this.#push("i32");
    }
    this.#op("call_indirect", environment.typeIndex(callee.type), table);
    this.#pop(1);
    this.#returned(callee);
  }

  // ---- HeapRefs in locals

  /** Makes `local` a HeapRef: of a new object, of the memory, or of another place. */
  #newRef(local: number): void {
    const environment = this.#environment;
    const random = this.#random;
    const call = (module: string, name: string): boolean => {
      const index = environment.calleeIndex(module, name);
      if (index >= 0) this.#op("call", index);
      return index >= 0;
    };
    const kind = random.below(10);
    if (kind < 2 && call("bytes", "of_memory")) this.#op("local.set", local);
    else if (kind === 2) {
      this.#op("global.get", REF);
      this.#op("local.set", local);
    } else if (kind === 3 && environment.trappy > 0 && call("wild", "make")) this.#op("local.set", local);
    else {
      const name = kind === 4 && environment.calleeIndex("wild", "allocate") >= 0 ? "allocate" : "new";
      this.#constant("i32", random.pick([64, 64, 65, 100, 256, 1000, ...(environment.trappy > 0 ? [0, 7, 40] : [])]));
      call(name === "new" ? "bytes" : "wild", name);
      this.#op("local.set", local);
    }
  }

  /** Ends the HeapRef of a local by function `index`. What it is afterwards: mostly another one. */
  #endRef(index: number): void {
    const { functions, trappy } = this.#environment;
    const { name, type } = functions[index]!;
    if (this.#refs.length === 0 || (name === "end" && trappy === 0)) return;
    const local = this.#random.pick(this.#refs);
    if (!this.#trappy() && name !== "end") {
      // A new object, which can be ended whatever the local has.
      this.#constant("i32", 80);
      this.#op("call", this.#environment.calleeIndex("bytes", "new"));
      this.#op("local.set", local);
    }
    // A window, which cannot be ended.
    const window = this.#environment.calleeIndex("bytes", "of_memory");
    if (window >= 0 && trappy > 0 && this.#random.chance(0.05)) this.#op("call", window);
    else this.#op("local.get", local);
    this.#op("call", index);
    this.#push(...type.results);
    if (!this.#trappy()) this.#newRef(local);
  }

  /** A loop that works through HeapRefs, with their bounds in reach of a hoisting compiler, and what it must not hoist over. */
  #heapLoop(): void {
    const environment = this.#environment;
    const random = this.#random;
    if (this.#nextCounter >= this.#lastCounter || this.#loops >= 3 || this.#frame.dead) return;
    const calls = environment.functions.flatMap(({ module, type }, index) =>
      module === "bytes" && type.params[0] === "i64" && type.params.length > 1 ? [index] : [],
    );
    if (calls.length === 0) return;
    const counter = this.#nextCounter++;
    const type = this.#locals[counter] as "i32" | "i64";
    const trips = 1 + random.below(this.#loops === 0 ? Math.max(40, environment.rounds) : 6);
    this.#constant(type, type === "i32" ? trips : BigInt(trips));
    this.#op("local.set", counter);
    this.#op("loop");
    this.#code.each((writer) => writer.byte(0x40));
    this.#frames.push({ label: [], results: [], base: this.#stack.length, dead: false, counter });
    this.#loops++;
    if (this.#loops > 1) this.#spend();
    for (let k = 1 + random.below(4); k > 0; k--) this.#heapStep(random.pick(calls), counter);
    if (random.chance(0.3)) this.#statements(random.next(), 1 + random.below(2));
    if (!this.#frame.dead) this.#again();
    this.#loops--;
    this.#finish();
    this.#op("end");
    this.#stack.length = this.#frames.pop()!.base;
  }

  /** A loop of one block whose loads and stores go through windows step by step, up to their ends or a little over. */
  #sweepLoop(): void {
    const environment = this.#environment;
    const random = this.#random;
    const index = this.#nextCounter;
    if (index >= this.#lastCounter || this.#locals[index] !== "i32" || this.#frame.dead) return;
    const calls = environment.functions.flatMap(({ module, type }, k) =>
      module === "bytes" && type.params[0] === "i64" && (type.params.length === 2 || type.params.length === 3)
        ? [k]
        : [],
    );
    if (calls.length === 0) return;
    this.#nextCounter++;
    const trappy = this.#trappy();
    // What does not change in the loop: constants, or locals that nothing in it sets.
    const [fixed, ...others] = this.#localsOf("i32", this.#settable);
    const ref = random.pick(this.#refs);
    const len = environment.calleeIndex("bytes", "len");
    const step = trappy ? random.pick([1, 1, 4, 8, 0, -1, 2 ** 30]) : random.pick([1, 1, 1, 2, 4, 8]);
    const inLocal = random.pick(["step", "offset", "bound", "none"] as const);
    if (inLocal === "bound" && len >= 0) {
      this.#op("local.get", ref);
      this.#op("call", len);
      this.#constant("i32", random.pick([0, 1, 7, 8, trappy ? -1 : 16]));
      this.#op("i32.sub");
    } else this.#constant("i32", inLocal === "step" ? step : inLocal === "bound" ? 40 : random.pick([0, 1, 5]));
    this.#op("local.set", fixed!);
    this.#constant("i32", trappy ? random.pick([0, 0, -1, -8, 3, 2 ** 31 - 20]) : random.below(4));
    this.#op("local.set", index);
    this.#op("loop");
    this.#code.each((writer) => writer.byte(0x40));
    for (let k = 1 + random.below(3); k > 0; k--) {
      const call = random.pick(calls);
      const { type } = environment.functions[call]!;
      this.#op("local.get", random.chance(0.7) ? ref : random.pick(this.#refs));
      this.#op("local.get", index);
      if (inLocal === "offset") {
        this.#op("local.get", fixed!);
        this.#op("i32.add");
      }
      if (random.chance(0.5)) {
        this.#constant("i32", random.pick([0, 1, 2, 4, trappy ? -1 : 3]));
        this.#op(trappy && random.chance(0.2) ? "i32.sub" : "i32.add");
      }
      if (type.params.length === 3) {
        const value = type.params[2]!;
        this.#op("local.get", random.pick(this.#localsOf(value, this.#settable)));
      }
      this.#op("call", call);
      const [result] = type.results;
      if (result === undefined) continue;
      const local = random.pick(
        result === "i32" ? [...others, this.#settable] : this.#localsOf(result, this.#settable),
      );
      if (result === "i32" && random.chance(0.5)) {
        this.#op("local.get", local);
        this.#op(random.pick(["i32.add", "i32.xor"]));
      }
      this.#op("local.set", local);
    }
    const bound = (): void => {
      if (inLocal === "bound") this.#op("local.get", fixed!);
      else
        this.#constant(
          "i32",
          trappy ? random.pick([-1, 64, 65, 72, 100, 256, 257, 1000]) : random.pick([1, 7, 40, 56]),
        );
    };
    const next = (): void => {
      this.#op("local.get", index);
      if (inLocal === "step") this.#op("local.get", fixed!);
      else this.#constant("i32", step);
      this.#op("i32.add");
      this.#op("local.tee", index);
    };
    const turned = random.chance(0.3);
    if (turned) bound();
    next();
    if (!turned) bound();
    if (trappy && random.chance(0.1)) this.#op("i32.ne");
    else this.#op(`i32.${turned ? "gt" : "lt"}_${random.pick(["s", "u"])}`);
    this.#op("br_if", 0);
    this.#op("end");
  }

  /** One call of `bytes` at an offset that goes with the counter. */
  #heapStep(index: number, counter: number): void {
    const random = this.#random;
    const { type, lengthArgument } = this.#environment.functions[index]!;
    const stride = random.pick([0, 1, 1, 1, 4, 8]);
    type.params.forEach((param, k) => {
      if (param === "i64" && (k === 0 || k === 2)) {
        if (this.#trappy()) this.#constant("i64", random.pick([0n, 1n, 0x1_0000_0001n, 0x2_0000_0001n, -1n]));
        else this.#op("local.get", random.pick(this.#refs));
      } else if (k === lengthArgument) this.#constant("i32", random.below(20));
      else if (param === "i32" && type.params[k - 1] === "i64" && k < 4) {
        this.#op("local.get", counter);
        if (this.#locals[counter] === "i64") this.#op("i32.wrap_i64");
        this.#constant("i32", stride);
        this.#op("i32.mul");
        // Within 64 bytes, or a little out of them.
        this.#constant("i32", this.#trappy() ? 255 : 31);
        this.#op("i32.and");
        const offset = random.pick([0, 0, 1, 3, 7]);
        this.#constant("i32", offset);
        this.#op("i32.add");
      } else {
        this.#value(param, 1);
        return;
      }
      this.#push(param);
    });
    this.#op("call", index);
    this.#pop(type.params.length);
    this.#push(...type.results);
    const [result] = type.results;
    if (result === undefined) return;
    const locals = this.#localsOf(result, this.#settable);
    this.#op("local.set", random.pick(locals));
    this.#pop(1);
  }

  /** Puts a function in a table that can change, and calls it there. */
  #setAndCall(): void {
    const environment = this.#environment;
    const random = this.#random;
    const tables = environment.tables.flatMap(({ element }, k) =>
      element === "funcref" && k !== environment.callTable ? [k] : [],
    );
    const table = random.pick(tables);
    const index = random.below(environment.functions.length);
    const callee = environment.functions[index]!;
    if (["destroy", "free", "end"].includes(callee.name)) return;
    const slot = random.below(environment.tables[table]!.minimum);
    this.#constant("i32", slot);
    this.#op("ref.func", index);
    this.#op("table.set", table);
    this.#arguments(callee);
    this.#constant("i32", slot);
    this.#op("call_indirect", environment.typeIndex(callee.type), table);
    this.#returned(callee);
  }

  // ---- bulk

  /** Pushes the last operand of a bulk instruction, known to global AMOUNT: `before` pushes the others. */
  #amount(most: number, ...before: readonly (() => void)[]): void {
    const random = this.#random;
    if (random.chance(0.6)) {
      const amount = this.#trappy() ? random.pick([-1, 65537, 70000, 1 << 30]) : random.below(most + 1);
      this.#operands(...before);
      this.#constant("i32", amount);
      this.#op("global.set", AMOUNT);
      this.#constant("i32", amount);
      this.#push("i32");
      return;
    }
    this.#operands(...before, () => this.#need(["i32"], 1));
    if (!this.#trappy()) this.#mask(2 ** Math.floor(Math.log2(most + 1)) - 1);
    this.#op("local.tee", this.#settable);
    this.#op("global.set", AMOUNT);
    this.#op("local.get", this.#settable);
    this.#replaced("i32");
  }

  #zero(): void {
    this.#constant("i32", 0);
    this.#push("i32");
  }

  #bytes(count: number): void {
    for (let k = 0; k < count; k++) this.#code.each((writer) => writer.byte(0));
  }

  #bulkMemory(): void {
    const environment = this.#environment;
    const random = this.#random;
    if (environment.memory === "none") return;
    switch (random.below(5)) {
      case 0:
        this.#amount(random.chance(0.5) ? 1 : 0);
        this.#op("memory.grow");
        this.#bytes(1);
        this.#pop(1);
        this.#push("i32");
        return;
      case 1: {
        const segment = random.below(environment.dataSizes.length);
        const size = environment.trappy > 0 ? environment.dataSizes[segment]! : 0;
        this.#amount(
          size,
          () => this.#address(1),
          () => this.#zero(),
        );
        this.#op("memory.init", segment);
        this.#bytes(1);
        break;
      }
      case 2:
        this.#amount(
          300,
          () => this.#address(1),
          () => this.#address(1),
        );
        this.#op("memory.copy");
        this.#bytes(2);
        break;
      case 3:
        this.#amount(
          300,
          () => this.#address(1),
          () => this.#value("i32", 1),
        );
        this.#op("memory.fill");
        this.#bytes(1);
        break;
      default:
        if (environment.trappy > 0) this.#op("data.drop", random.below(environment.dataSizes.length));
        return;
    }
    this.#pop(3);
  }

  #table(): void {
    const environment = this.#environment;
    const random = this.#random;
    const changeable = environment.tables.flatMap((_, k) => (k === environment.callTable ? [] : [k]));
    const table = random.pick(changeable);
    const { element, minimum } = environment.tables[table]!;
    const functions = environment.tables.flatMap((other, k) => (other.element === "funcref" ? [k] : []));
    switch (random.below(7)) {
      case 0:
        this.#index(minimum);
        this.#value(element, 1);
        this.#op("table.set", table);
        this.#pop(2);
        return;
      case 1:
        this.#amount(3, () => this.#value(element, 1));
        this.#op("table.grow", table);
        this.#pop(2);
        this.#push("i32");
        return;
      case 2:
        this.#amount(
          2,
          () => this.#index(2),
          () => this.#value(element, 1),
        );
        this.#op("table.fill", table);
        break;
      case 3: {
        const from = element === "funcref" ? random.pick(functions) : table;
        this.#amount(
          2,
          () => this.#index(2),
          () => this.#index(2),
        );
        this.#op("table.copy", table, from);
        break;
      }
      case 4:
        if (element !== "funcref") return;
        this.#amount(
          environment.trappy > 0 ? 2 : 0,
          () => this.#index(2),
          () => this.#zero(),
        );
        this.#op("table.init", random.below(environment.elementSizes.length), table);
        break;
      case 5:
        if (environment.trappy > 0) this.#op("elem.drop", random.below(environment.elementSizes.length));
        return;
      default:
        this.#value(element, 2);
        return;
    }
    this.#pop(3);
  }
}
