/**
 * Rewrites one function body for the compiled engine. The guest's instructions stay as they are; added are
 *
 * - fuel, an i64 in a local that travels through calls as an extra parameter and result. Charges are kept back (`#pending`)
 *   along straight code and taken off where ways with different charges meet, where fuel is tested, and at calls. A test
 *   leaves through a cold arm that ends in `unreachable`: a call there would cost a quarter of a loop's speed.
 * - depth, an i32 parameter that callers keep their own copy of.
 * - canonical NaNs where their bits can be observed (spec VM-NAN-1). A float that arithmetic made is *dirty*: if it is a
 *   NaN, its bits are still to be set. A local that only ever holds such floats stays dirty; of others it is followed along
 *   straight code, and they are made canonical on the ways to where they may be read.
 *
 * Where the guest's code is dead, nothing is written.
 */

import { OPCODE_BY_INDEX } from "../bytecode/opcodes.ts";
import { Instruction } from "../bytecode/reader.ts";
import type { FunctionType, ModuleStructure } from "../bytecode/structure.ts";
import { ValueCode } from "../bytecode/structure.ts";
import type { Writer } from "../bytecode/writer.ts";
import { BYTES_CALLS } from "../bytes.ts";
import { type CallFuel, functionTypeOf, valueTypeOfParameter } from "../declaration.ts";
import { BYTES_SHIFT } from "../fuel.ts";
import { ENTRY_BYTES, HEADER_BYTES } from "../heap.ts";
import type { TranslationInput } from "../reference/translate.ts";
import { TrapCode } from "../trap.ts";
import { type BlockScan, Fact } from "./blocks.ts";
import { type BodyScan, BYTES_USES, BYTES_WIDTHS, BytesUse } from "./body.ts";
import type { Code } from "./code.ts";
import { HeapCode, type LookedUp, WIDTHS } from "./heap-access.ts";
import { type HeapChanges, type HeapPlan, planHeap } from "./heap-regions.ts";
import { isLive, type LoopLiveness, loopLiveness } from "./liveness.ts";
import { Op, VOID } from "./op.ts";
import { planResume, type ResumePlan } from "./resume.ts";
import type { ImportLink, Linkage } from "./rewrite.ts";
import { keyOf, type Sweep, SweepFinder, writeCondition, writeSum } from "./sweep.ts";

const { i32, i64, f32, f64, funcref, externref } = ValueCode;

/** What the code of a module refers to, by index in the rewritten module. */
export interface CodeContext {
  readonly input: TranslationInput;
  readonly structure: ModuleStructure;
  readonly linkage: Linkage;
  /** The body that is read. */
  readonly code: Code;
  readonly scan: BlockScan;
  /** Type of each function, by the guest's index. */
  readonly functionTypes: readonly FunctionType[];
  /** Rewritten index of each guest function for direct calls (of host functions: the import), and as a funcref. */
  readonly callIndex: Int32Array;
  readonly refIndex: Int32Array;
  /** Of each row of the table of `bytes`, where it is imported. */
  readonly bytesIndex: Int32Array;
  /** Helper functions, -1 where nothing can need them. */
  readonly grow: number;
  readonly dropData: number;
  readonly dropElements: number;
  readonly resultFuncref: number;
  readonly resultExternref: number;
  readonly resultWord: number;
  readonly hit: number;
  /** Index of the clone of own function `own`, see `resume.ts`. */
  clone(own: number): number;
  /** Index of the global that hands the value of a local over to a clone. */
  handedOver(local: number): number;
  /** Memory index of the heap. */
  readonly heap: number;
  /** Which functions change its table, and the global with its highest slot; undefined: all calls of `bytes` stay calls. */
  readonly objects: { readonly changes: HeapChanges; readonly slots: number } | undefined;
  readonly bodyScan: BodyScan;
  /** Engine's globals, and by the guest's index its own. */
  readonly fuel: number;
  readonly mark: number;
  readonly depth: number;
  readonly instance: number;
  readonly caller: number;
  readonly globalIndex: Int32Array;
  /** Code of each guest global's type. */
  readonly globalCodes: Uint8Array;
  /** Code of each table's element type. */
  readonly tableCodes: Uint8Array;
  /** Index of a type in the rewritten module. */
  type(params: readonly number[], results: readonly number[]): number;
  /** The same of the internal form of a guest's function type. */
  internal(type: FunctionType): number;
}

/** How a float stands towards the canonical NaN. */
const EXACT = 0;
const DIRTY = 1;
/** No NaN: fits both. */
const CLEAN = 2;

const KINDS = OPCODE_BY_INDEX.length;
const LETTERS: { readonly [letter: string]: number } = { i: i32, I: i64, f: f32, F: f64 };
/** Number of operands and the result's code, or 0, of instructions with a signature; 255 operands: a rule of its own. */
const OPERANDS = Uint8Array.from(OPCODE_BY_INDEX, (opcode) => opcode?.params?.length ?? 255);
const RESULT = Uint8Array.from(OPCODE_BY_INDEX, (opcode) => LETTERS[opcode?.results ?? ""] ?? 0);
const TRAPS = Uint8Array.from(OPCODE_BY_INDEX, (opcode) => (opcode?.mayTrap ? 1 : 0));
/** What state a float result has. */
const RESULT_STATE = Uint8Array.from({ length: KINDS }, (_, index) => {
  const isArithmetic =
    (index >= 0x8d && index <= 0x97) || (index >= 0x9b && index <= 0xa5) || index === 0xb6 || index === 0xbb;
  if (isArithmetic) return DIRTY;
  return (index >= 0xb2 && index <= 0xb5) || (index >= 0xb7 && index <= 0xba) ? CLEAN : EXACT;
});
/** How many of the top operands show the bits of their NaNs: stores, reinterpretations, abs, neg, copysign. */
const OBSERVES = (() => {
  const counts = new Uint8Array(KINDS);
  for (const index of [0x38, 0x39, 0xbc, 0xbd, 0x8b, 0x8c, 0x99, 0x9a]) counts[index] = 1;
  for (const index of [0x98, 0xa6]) counts[index] = 2;
  return counts;
})();

/** How a loop that is gone on at in the clone is left for it: its number there, and its offset. */
interface Leave {
  readonly number: number;
  readonly offset: number;
  /** Fuel that its first block charges but has not taken off, and that it has: of this, the clone is not to know. */
  readonly least: number;
  readonly charged: number;
}

interface Construct {
  opcode: number;
  leave?: Leave;
  readonly facts: number;
  readonly height: number;
  readonly params: readonly number[];
  readonly results: readonly number[];
  /** Nesting in the rewritten code. */
  readonly level: number;
  /** Charges that are kept back on every way to the label; undefined until the first. */
  agreed: number | undefined;
  /** Its number among the function's constructs. */
  readonly number: number;
  /** `if`: charges kept back where its condition is 0, and locals dirty there. */
  readonly entry: number;
  readonly dirty: number[];
  targeted: boolean;
}

const NO_CODES: readonly number[] = [];
const NO_LOCALS: number[] = [];
/** Where locals are to be exact whichever is live. */
const ANY_CONSTRUCT = { number: -1, opcode: Op.block };

/** Locals that are dirty at once, and where an `if` with an `else` begins: each costs code where ways meet. */
const MOST_DIRTY = 64;
const MOST_DIRTY_IN_ARMS = 4;
/** Locals that may be added to any frame; and about how many V8 takes. */
const SPARE_LOCALS = 64;
const MOST_LOCALS = 49_900;
/** Times that a function is written to find the locals that hold other floats than arithmetic's results. */
const MOST_PASSES = 4;

/** Numbers of temporary locals above those for operands: for one value, and for arguments that cross as words. */
const SCRATCH = 5000;
const WORDS = 10_000;
/** The same for the fuel at which a loop is left for the clone. */
const MARK = 6000;
/** The same for the condition of an `if` on the way to a loop to go on at. */
const CONDITION = 6001;
/** Parameter of a clone behind fuel and depth: the number of the loop to go on at, 0 when it goes on. */
const WHICH = 2;
/** Functions that come to more are written without accesses of their own: V8 takes 7,654,321 bytes. */
const MOST_CODE_BYTES = 7_000_000;
/** The same for a lookup's entry and length, and from here on 8 for each ref: base, limits by width. */
const LOOKUP = 20_000;
const REFS = 20_002;
const REF_LOCALS = 8;
/** Refs that are looked up for one access alone come behind those that are kept. */
const PASSING = 32;
/** Numbers of the locals for addresses in a sweep, and how many there may be: see `SPARE_LOCALS` in `heap-regions.ts`. */
const SWEEP = 30_000;
const MOST_SWEPT = 4;

/** Rewrites functions one after the other. */
export class FunctionRewriter {
  readonly #context: CodeContext;
  readonly #out: Writer;
  readonly #code: Code;
  readonly #instruction = new Instruction();
  /** Triples: place in the output, the guest's offset, trap or 0; when sites are wanted. */
  sites: number[] | undefined;
  /** Places in the output of the branches that are hardly ever taken. */
  unlikely: number[] = [];

  // The function.
  /** True while its clone is written: all locals are parameters, the last parameter says where to go on. */
  #isClone = false;
  /** The one that was scanned last, or -1. */
  #own = -1;
  #params = 0;
  /** Local of the fuel; that of the depth is the next. */
  #fuel = 0;
  #localCodes = new Uint8Array(64);
  #localCount = 0;
  /** 1 for locals whose floats are exact wherever ways meet. */
  #exact = new Uint8Array(64);
  /** Those of them that hold a dirty float now. */
  #dirty: number[] = [];
  /** Of its loops; undefined until wanted, null when too long to find. */
  #liveness: LoopLiveness | undefined | null;
  /** Place among the loops by construct. */
  #loopNumbers: Int32Array = new Int32Array(64);
  #exactChanged = false;
  /**
   * True when floats are made canonical where they are made, since making them so under other operands took more locals
   * than `#room`: the slots of the frame are to be enough for them on the host's stack, too.
   */
  #isEager = false;
  #room = 0;
  #extraCodes: number[] = [];
  #temps = new Map<number, number>();

  // The operand stack.
  #height = 0;
  #codes: Uint8Array = new Uint8Array(256);
  #states: Uint8Array = new Uint8Array(256);

  readonly #constructs: Construct[] = [];
  #level = 0;
  #pending = 0;
  #block = 0;
  #opened = 0;
  #dead = false;
  #deadDepth = 0;
  #offset = 0;

  // Where the function goes on in its clone.
  #resume: ResumePlan | undefined;
  /** Code and sites of the clone up to where its first part begins: what comes between is never reached. */
  #cutCode = 0;
  #cutSites = 0;
  #cutUnlikely = 0;

  // The heap's objects.
  readonly #heap: HeapCode | undefined;
  #plan: HeapPlan | undefined;
  readonly #sweeps: SweepFinder;
  /** While its copy without checks is written: the sweep, and the locals with its addresses by what is in them. */
  #sweep: { readonly sweep: Sweep; readonly addresses: ReadonlyMap<string, number> } | undefined;

  /** `out` receives the code, without the locals. */
  constructor(context: CodeContext, out: Writer) {
    this.#context = context;
    this.#out = out;
    this.#code = context.code;
    this.#sweeps = new SweepFinder(context.input);
    if (context.objects !== undefined) this.#heap = new HeapCode(out, context.heap, context.objects.slots);
  }

  /** Codes of the locals that were added, in order; a clone has added all. */
  get extraLocals(): readonly number[] {
    return this.#isClone ? [...this.#localCodes.subarray(0, this.#localCount), ...this.#extraCodes] : this.#extraCodes;
  }

  /** Writes the code of own function `own`, or of its clone. */
  body(own: number, isClone = false): void {
    const { structure, scan, functionTypes, input } = this.#context;
    const body = structure.bodies[own]!;
    const type = functionTypes[input.importedFunctions + own]!;
    const start = this.#out.length;
    const sites = this.sites?.length ?? 0;
    if (this.#own !== own) {
      this.#own = own;
      scan.scan(body, type.results.length);
      this.#analyse(own);
      if (isClone) {
        this.body(own);
        this.#out.truncate(start);
        if (this.sites) this.sites.length = sites;
      }
    }
    this.#isClone = isClone;
    // A clone gets its floats from the function, so which locals hold exact ones was decided there.
    if (!isClone) this.#enterLocals(type, body);
    for (let passes = 1; ; passes++) {
      this.#exactChanged = false;
      // One local may change the next, as many times as there are locals.
      if (passes === MOST_PASSES || this.#isEager) this.#exact.fill(1, 0, this.#localCount);
      this.#emit(own, type);
      // A function of nothing but accesses may come to more than V8 takes.
      const isLarge = this.#out.length - start > MOST_CODE_BYTES && this.#plan !== undefined;
      if (isLarge) this.#plan = undefined;
      if (!this.#exactChanged && !isLarge) return;
      // A local that was taken to hold arithmetic's results holds others too: once more, with that known.
      this.#out.truncate(start);
      if (this.sites) this.sites.length = sites;
    }
  }

  /** Whether own function `own` has a clone. */
  isCloned(own: number): boolean {
    const { bodyScan, input, structure } = this.#context;
    const { start, end } = structure.bodies[own]!;
    this.#own = -1;
    bodyScan.scan(input.importedFunctions + own);
    return planResume(bodyScan, end - start) !== undefined;
  }

  /** Writes the internal form of imported function `index`, for tables. */
  adapter(index: number): void {
    const { linkage, functionTypes } = this.#context;
    const type = functionTypes[index]!;
    this.#own = -1;
    this.#isClone = false;
    this.#isEager = true;
    this.#resume = undefined;
    this.#plan = undefined;
    this.#begin(type.params.length);
    this.#localCount = type.params.length;
    const link = linkage.links[index]!;
    type.params.forEach((code, k) => {
      this.#get(k);
      this.#push(ValueCode[code]);
    });
    this.#pending = 0;
    if (link.kind === "bytes") this.#bytes(link.row, true);
    else this.#host(index, link as ImportLink & { kind: "host" }, type, true);
    this.#pushFuel();
    this.#out.byte(Op.end);
  }

  #begin(params: number): void {
    this.#params = params;
    this.#fuel = this.#isClone ? 0 : params;
    this.#extraCodes = [];
    this.#temps.clear();
    this.#height = 0;
    this.#constructs.length = 0;
    this.#level = 0;
    this.#block = 0;
    this.#opened = 0;
    this.#dead = false;
    this.#dirty = [];
    this.unlikely = [];
  }

  #enterLocals(
    type: FunctionType,
    { locals, localCount }: { locals: readonly { count: number; type: keyof typeof ValueCode }[]; localCount: number },
  ): void {
    const count = type.params.length + localCount;
    if (count > this.#localCodes.length) {
      this.#localCodes = new Uint8Array(2 * count);
      this.#exact = new Uint8Array(2 * count);
    }
    let at = 0;
    for (const param of type.params) this.#localCodes[at++] = ValueCode[param];
    for (const run of locals) this.#localCodes.fill(ValueCode[run.type], at, (at += run.count));
    this.#isEager = false;
    const slots = this.#context.input.depthSlots[this.#own]!;
    this.#room = Math.min(SPARE_LOCALS + (slots > 0 ? slots : count), MOST_LOCALS - count);
    for (let k = 0; k < count; k++)
      this.#exact[k] = k >= type.params.length && (this.#localCodes[k] === f32 || this.#localCodes[k] === f64) ? 0 : 1;
    this.#localCount = count;
  }

  #emit(own: number, type: FunctionType): void {
    const { input, structure, scan } = this.#context;
    const body = structure.bodies[own]!;
    this.#begin(type.params.length);
    this.#offset = body.code;
    this.#block = 1;
    if (this.#isClone) this.#enterClone();
    else {
      this.#pending = scan.costs[0]!;
      this.#testFuel(this.#pending);
      const slots = input.depthSlots[own]!;
      if (slots > 0) this.#enterFrame(slots);
    }
    if (this.#resume !== undefined) {
      this.#out.byte(Op.globalGet);
      this.#out.u32(this.#context.mark);
      this.#set(this.#temp(i64, MARK));
    }
    const results = type.results.map((result) => ValueCode[result]);
    this.#out.byte(Op.block);
    this.#blockType(NO_CODES, results);
    this.#open(Op.block, NO_CODES, results);
    this.#enterParts(0, 0);
    this.#code.open(body);
    this.#rewriteUntil(0);
    if (!this.#dead) this.#pushFuel();
    this.#out.byte(Op.end);
  }

  /** Goes on until no more than so many constructs are open. */
  #rewriteUntil(open: number): void {
    const instruction = this.#instruction;
    while (this.#constructs.length > open) {
      this.#code.next(instruction);
      this.#offset = instruction.offset;
      if (this.#dead) this.#skip(instruction.index);
      else if (this.#plan === undefined) this.#rewrite(instruction.index);
      else this.#rewriteWithLookups(this.#plan, instruction.index);
    }
  }

  #enterFrame(slots: number): void {
    const out = this.#out;
    const depth = this.#fuel + 1;
    this.#get(depth);
    this.#i32(slots);
    out.byte(Op.i32Sub);
    out.byte(Op.localTee);
    out.u32(depth);
    this.#i32(0);
    out.byte(Op.i32LtS);
    this.#ifUnlikely();
    this.#site(TrapCode.StackExhausted);
    out.byte(Op.unreachable);
    out.byte(Op.end);
  }

  #skip(index: number): void {
    if (index === Op.block || index === Op.loop || index === Op.if) this.#deadDepth++;
    else if (index === Op.end) {
      if (this.#deadDepth > 0) this.#deadDepth--;
      else this.#end();
    } else if (index === Op.else && this.#deadDepth === 0) this.#else();
  }

  // ---- small emissions

  #site(trap: number): void {
    this.sites?.push(this.#out.length, this.#offset, trap);
  }

  /** Begins the cold arm of a test: V8 lays it out behind the function, where the hint of the branch is known. */
  #ifUnlikely(): void {
    this.unlikely.push(this.#out.length);
    this.#out.byte(Op.if);
    this.#out.byte(VOID);
  }

  #get(local: number): void {
    this.#out.byte(Op.localGet);
    this.#out.u32(local);
  }

  #set(local: number): void {
    this.#out.byte(Op.localSet);
    this.#out.u32(local);
  }

  #i32(value: number): void {
    this.#out.byte(Op.i32Const);
    this.#out.s32(value);
  }

  #i64(value: number): void {
    this.#out.byte(Op.i64Const);
    this.#out.s64(value | 0, Math.floor(value / 0x1_0000_0000));
  }

  #memarg(align: number, offset: number, memory: number): void {
    if (memory === 0) this.#out.u32(align);
    else {
      this.#out.u32(align | 0x40);
      this.#out.u32(memory);
    }
    this.#out.u32(offset);
  }

  /** Behind the locals, fuel, depth, and of a clone where to go on. */
  get #firstTemp(): number {
    return this.#localCount + (this.#isClone ? 3 : 2);
  }

  /** Index of a guest's local in the rewritten function: fuel and depth follow the parameters, or in a clone are those. */
  #local(index: number): number {
    if (this.#isClone) return index + 3;
    return index < this.#params ? index : index + 2;
  }

  /** Temporary local `number` of a type. */
  #temp(code: number, number = 0): number {
    const key = number * 256 + code;
    const known = this.#temps.get(key);
    if (known !== undefined) return known;
    const made = this.#firstTemp + this.#extraCodes.length;
    this.#extraCodes.push(code);
    this.#temps.set(key, made);
    return made;
  }

  #blockType(params: readonly number[], results: readonly number[]): void {
    if (params.length === 0 && results.length <= 1) this.#out.byte(results[0] ?? VOID);
    else this.#out.blockType(this.#context.type(params, results));
  }

  // ---- the operand stack

  #push(code: number, state = EXACT): void {
    if (this.#height === this.#codes.length) {
      this.#codes = grown(this.#codes);
      this.#states = grown(this.#states);
    }
    this.#codes[this.#height] = code;
    this.#states[this.#height++] = state;
  }

  #pushAll(codes: readonly number[]): void {
    for (const code of codes) this.#push(code);
  }

  /** Makes the NaNs among the top `count` operands canonical. */
  #canonicalise(count: number): void {
    const top = this.#height - 1;
    let lowest = this.#height;
    for (let at = top; at > top - count; at--) if (this.#states[at] === DIRTY) lowest = at;
    if (lowest > top) return;
    for (let at = top; at >= lowest; at--) this.#set(this.#temp(this.#codes[at]!, at - lowest));
    for (let at = lowest; at <= top; at++) {
      const temp = this.#temp(this.#codes[at]!, at - lowest);
      if (this.#states[at] === DIRTY) this.#canonicaliseLocal(temp, this.#codes[at]!);
      this.#get(temp);
      this.#states[at] = EXACT;
    }
    if (this.#isEager || this.#isClone || this.#extraCodes.length <= this.#room) return;
    this.#isEager = true;
    this.#exactChanged = true;
  }

  /** On a way to a label: what is read behind it is exact there. */
  #canonicaliseLocals(construct: { readonly number: number; readonly opcode: number }): void {
    if (this.#dirty.length === 0 || construct.number === 0) return;
    const isLoop = construct.opcode === Op.loop;
    this.#dirty = this.#dirty.filter((local) => {
      if (isLoop && !this.#isLive(construct.number, local)) return true;
      this.#canonicaliseLocal(this.#local(local), this.#localCodes[local]!);
      return false;
    });
  }

  /** False when no way from the loop's start reads the local before it writes it. */
  #isLive(construct: number, local: number): boolean {
    if (this.#liveness === undefined) {
      const { bodyScan, scan } = this.#context;
      this.#liveness = this.#resume?.liveness ?? loopLiveness(bodyScan) ?? null;
      if (this.#loopNumbers.length < scan.constructs) this.#loopNumbers = new Int32Array(2 * scan.constructs);
      for (const [place, loop] of bodyScan.loops.entries()) this.#loopNumbers[loop.construct] = place;
    }
    return this.#liveness === null || isLive(this.#liveness, this.#loopNumbers[construct]!, local);
  }

  #canonicaliseLocal(local: number, code: number): void {
    const out = this.#out;
    this.#get(local);
    this.#get(local);
    out.byte(code === f64 ? Op.f64Ne : Op.f32Ne);
    this.#ifUnlikely();
    if (code === f64) {
      out.byte(Op.f64Const);
      out.word(0);
      out.word(0x7ff8_0000);
    } else {
      out.byte(Op.f32Const);
      out.word(0x7fc0_0000);
    }
    this.#set(local);
    out.byte(Op.end);
  }

  // ---- fuel

  /** Leaves with OutOfFuel when the fuel is below `least`; `least` has been charged but not taken off. */
  #testFuel(least: number): void {
    const out = this.#out;
    const fuel = this.#fuel;
    this.#get(fuel);
    this.#i64(least);
    out.byte(Op.i64LtS);
    this.#ifUnlikely();
    this.#pushFuelLess(least);
    out.byte(Op.globalSet);
    out.u32(this.#context.fuel);
    this.#site(TrapCode.OutOfFuel);
    out.byte(Op.unreachable);
    out.byte(Op.end);
  }

  #pushFuelLess(charge: number): void {
    this.#get(this.#fuel);
    if (charge === 0) return;
    this.#i64(charge);
    this.#out.byte(Op.i64Sub);
  }

  /** Pushes the fuel with nothing kept back. */
  #pushFuel(): void {
    this.#pushFuelLess(this.#pending);
  }

  /** Takes charges off until `pending` are kept back. */
  #settle(pending: number): void {
    if (this.#pending === pending) return;
    this.#pushFuelLess(this.#pending - pending);
    this.#set(this.#fuel);
    this.#pending = pending;
  }

  /** Charges the i64 on the stack, and tests. */
  #chargeTop(): void {
    const temp = this.#temp(i64, SCRATCH);
    this.#set(temp);
    this.#pushFuel();
    this.#get(temp);
    this.#out.byte(Op.i64Sub);
    this.#set(this.#fuel);
    this.#pending = 0;
    this.#testFuel(0);
  }

  #nextCost(): number {
    return this.#context.scan.costs[this.#block++]!;
  }

  // ---- constructs

  #open(opcode: number, params: readonly number[], results: readonly number[], entry = 0): Construct {
    const facts = this.#context.scan.facts[this.#opened]!;
    const construct: Construct = {
      number: this.#opened++,
      dirty: opcode === Op.if ? [...this.#dirty] : NO_LOCALS,
      opcode,
      facts,
      height: this.#height - params.length,
      params,
      results,
      level: ++this.#level,
      agreed: (facts & Fact.table) !== 0 ? 0 : undefined,
      entry,
      targeted: false,
    };
    this.#constructs.push(construct);
    return construct;
  }

  /** A way to the label that carries `count` values; they are on top of the stack, under `above` operands. */
  #edge(construct: Construct, above = 0): void {
    const values = construct.opcode === Op.loop ? construct.params : construct.results;
    this.#canonicalise(values.length + above);
    this.#canonicaliseLocals(construct);
    construct.targeted = true;
    if (construct.agreed === undefined) construct.agreed = this.#pending;
    else this.#settle(construct.agreed);
  }

  #label(depth: number): Construct {
    return this.#constructs[this.#constructs.length - 1 - depth]!;
  }

  #branchTo(construct: Construct): void {
    this.#out.u32(this.#level - construct.level);
  }

  #die(): void {
    this.#dead = true;
    this.#deadDepth = 0;
  }

  #signature(type: number): [params: readonly number[], results: readonly number[]] {
    if (type < 0) return [NO_CODES, type === -64 ? NO_CODES : [type & 0x7f]];
    const { params, results } = this.#context.structure.types[type]!;
    return [params.map((value) => ValueCode[value]), results.map((value) => ValueCode[value])];
  }

  #loop(params: readonly number[], results: readonly number[]): void {
    this.#canonicalise(params.length);
    // The ways back may carry anything, whatever the way in carries.
    for (let at = this.#height - params.length; at < this.#height; at++) this.#states[at] = EXACT;
    const cost = this.#nextCost();
    const number = this.#resume?.first[this.#opened] ?? 0;
    this.#arrive();
    if (number > 0 && this.#isClone) {
      this.#i32(0);
      this.#set(WHICH);
    }
    const isTable = (this.#context.scan.facts[this.#opened]! & Fact.table) !== 0;
    // The first block is charged on the ways in, so that the test is one comparison with 0.
    this.#settle(isTable ? 0 : -cost);
    const write = (): void => this.#openLoop(params, results, cost, isTable, number);
    if (!this.#writeSweep(write)) write();
  }

  #openLoop(
    params: readonly number[],
    results: readonly number[],
    cost: number,
    isTable: boolean,
    number: number,
  ): void {
    const out = this.#out;
    const least = isTable ? cost : 0;
    if (number > 0) {
      // Behind the loop stands what is done when it is left for the clone: see `#end`.
      out.byte(Op.block);
      this.#blockType(NO_CODES, results);
      out.byte(Op.block);
      out.byte(VOID);
      this.#level += 2;
    }
    const construct = this.#open(Op.loop, params, results);
    this.#canonicaliseLocals(construct);
    this.#dirty = [];
    out.byte(Op.loop);
    this.#blockType(params, results);
    construct.agreed = isTable ? 0 : -cost;
    if (number > 0) {
      construct.leave = { number, offset: this.#offset, least, charged: cost - least };
      this.#pushFuelLess(least);
      this.#get(this.#temp(i64, MARK));
      out.byte(Op.i64LtS);
      this.unlikely.push(out.length);
      out.byte(Op.brIf);
      out.u32(1);
    } else this.#testFuel(least);
    this.#pending = isTable ? cost : 0;
  }

  #else(): void {
    const construct = this.#constructs[this.#constructs.length - 1]!;
    if (!this.#dead) this.#edge(construct);
    this.#out.byte(Op.else);
    construct.opcode = Op.else;
    this.#dead = false;
    this.#dirty = construct.dirty;
    this.#height = construct.height;
    this.#pushAll(construct.params);
    this.#pending = construct.entry + this.#nextCost();
    this.#enterParts(construct.number * 2 + 1, construct.entry);
  }

  #end(): void {
    const construct = this.#constructs.pop()!;
    const { opcode } = construct;
    const falls = !this.#dead;
    if (opcode === Op.loop) {
      this.#out.byte(Op.end);
      this.#level--;
      if (construct.leave !== undefined) this.#leave(construct.number, construct.leave, falls);
      if (!falls) this.#out.byte(Op.unreachable);
      return;
    }
    if (falls) this.#edge(construct);
    if (opcode === Op.if) {
      construct.agreed ??= construct.entry;
      construct.targeted = true;
      if (construct.agreed !== construct.entry) {
        this.#out.byte(Op.else);
        this.#pending = construct.entry;
        this.#settle(construct.agreed);
      }
    }
    this.#out.byte(Op.end);
    this.#level--;
    if (!construct.targeted) {
      this.#out.byte(Op.unreachable);
      return;
    }
    this.#dead = false;
    this.#dirty = [];
    this.#height = construct.height;
    this.#pushAll(construct.results);
    this.#pending = construct.agreed!;
    if (this.#constructs.length > 0) this.#pending += this.#nextCost();
  }

  // ---- instructions

  #rewrite(index: number): void {
    const operands = OPERANDS[index]!;
    if (operands === 255) {
      this.#special(index);
      return;
    }
    const observes = OBSERVES[index]!;
    if ((index === 0x38 || index === 0x39) && this.#states[this.#height - 1] === DIRTY) {
      this.#storeDirty(index);
      return;
    }
    if (observes > 0) this.#canonicalise(observes);
    if (index >= 0x28 && index <= 0x3e) {
      this.#site(0);
      this.#out.byte(index);
      this.#out.u32(this.#instruction.imm0);
      this.#out.u32(this.#instruction.imm1);
    } else if (index >= Op.i32Const && index <= Op.f64Const) {
      this.#out.copy(this.#context.structure.bytes, this.#instruction.offset, this.#code.end);
      this.#push(RESULT[index]!, this.#isNan(index) ? EXACT : CLEAN);
      return;
    } else if (index >= 256 || index === 0x3f || index === 0x40) {
      this.#prefixed(index);
      return;
    } else {
      if (TRAPS[index] === 1) this.#site(0);
      this.#out.byte(index);
    }
    this.#height -= operands;
    const result = RESULT[index]!;
    if (result === 0) return;
    this.#push(result, RESULT_STATE[index]!);
    if (this.#isEager) this.#canonicalise(1);
  }

  /**
   * Stores a dirty float as an integer, which a NaN is found by: twice its bits, so without the sign, are above those of
   * the infinities. A comparison of floats costs several times as much.
   */
  #storeDirty(index: number): void {
    const out = this.#out;
    const isDouble = index === 0x39;
    const bits = this.#temp(isDouble ? i64 : i32, SCRATCH);
    out.byte(isDouble ? Op.i64ReinterpretF64 : Op.i32ReinterpretF32);
    out.byte(Op.localTee);
    out.u32(bits);
    this.#get(bits);
    if (isDouble) {
      out.byte(Op.i64Add);
      out.byte(Op.i64Const);
      out.s64(0, 0xffe0_0000);
      out.byte(Op.i64GtU);
    } else {
      out.byte(Op.i32Add);
      this.#i32(0xff00_0000);
      out.byte(Op.i32GtU);
    }
    this.#ifUnlikely();
    if (isDouble) {
      out.byte(Op.i64Const);
      out.s64(0, 0x7ff8_0000);
    } else this.#i32(0x7fc0_0000);
    this.#set(bits);
    out.byte(Op.end);
    this.#get(bits);
    this.#site(0);
    out.byte(isDouble ? 0x37 : 0x36);
    out.u32(this.#instruction.imm0);
    out.u32(this.#instruction.imm1);
    this.#height -= 2;
  }

  #isNan(index: number): boolean {
    const { imm0: low, imm1: high } = this.#instruction;
    if (index === Op.f32Const) return (low & 0x7fff_ffff) > 0x7f80_0000;
    if (index !== Op.f64Const) return false;
    const top = high & 0x7fff_ffff;
    return top > 0x7ff0_0000 || (top === 0x7ff0_0000 && low !== 0);
  }

  #isDirty(local: number): boolean {
    return this.#exact[local] === 0 || (this.#dirty.length > 0 && this.#dirty.includes(local));
  }

  #special(index: number): void {
    const out = this.#out;
    const instruction = this.#instruction;
    const { imm0, imm1 } = instruction;
    switch (index) {
      case 0x00:
        this.#site(TrapCode.Unreachable);
        out.byte(index);
        this.#die();
        return;
      case Op.block: {
        const [params, results] = this.#signature(imm0);
        this.#canonicalise(params.length);
        this.#arrive();
        out.byte(index);
        this.#blockType(params, results);
        this.#enterParts(this.#open(index, params, results).number * 2, this.#pending);
        return;
      }
      case Op.loop:
        this.#loop(...this.#signature(imm0));
        return;
      case Op.if: {
        const [params, results] = this.#signature(imm0);
        this.#canonicalise(params.length + 1);
        this.#height--;
        this.#arriveAtIf();
        // Without an else, both ways meet as they were before it: only the way through the arm takes charges off.
        const hasElse = (this.#context.scan.facts[this.#opened]! & Fact.else) !== 0;
        // Both arms make exact what is dirty here: little of that, as such constructs may nest deep.
        if (this.#dirty.length > MOST_DIRTY_IN_ARMS) this.#canonicaliseLocals(ANY_CONSTRUCT);
        const construct = this.#open(index, params, results, this.#pending);
        if (!hasElse) this.#canonicaliseLocals(construct);
        out.byte(index);
        this.#blockType(params, results);
        if (!hasElse) construct.agreed ??= this.#pending;
        this.#pending += this.#nextCost();
        this.#enterParts(construct.number * 2, construct.entry);
        return;
      }
      case Op.else:
        this.#else();
        return;
      case Op.end:
        this.#end();
        return;
      case Op.br:
        this.#branch(imm0);
        return;
      case Op.brIf: {
        const construct = this.#label(imm0);
        this.#edge(construct, 1);
        out.byte(index);
        this.#branchTo(construct);
        this.#height--;
        this.#pending += this.#nextCost();
        return;
      }
      case 0x0e: {
        const { labels, labelCount } = instruction;
        const fallback = this.#label(imm0);
        // For each label: the fallback may be the function's, or a loop's where a local is not live.
        this.#canonicaliseLocals(ANY_CONSTRUCT);
        // All labels of a table have agreed to keep nothing back.
        this.#edge(fallback, 1);
        out.byte(index);
        out.u32(labelCount);
        for (let k = 0; k < labelCount; k++) {
          const construct = this.#label(labels[k]!);
          construct.targeted = true;
          this.#branchTo(construct);
        }
        this.#branchTo(fallback);
        this.#die();
        return;
      }
      case Op.return:
        this.#branch(this.#constructs.length - 1);
        return;
      case Op.call:
        this.#call(imm0);
        return;
      case Op.callIndirect:
        this.#callIndirect(imm0, imm1);
        return;
      case Op.drop:
        out.byte(index);
        this.#height--;
        return;
      case Op.select:
      case 0x1c:
        this.#select(index, imm0);
        return;
      case Op.localGet:
        this.#get(this.#local(imm0));
        this.#push(this.#localCodes[imm0]!, this.#isDirty(imm0) ? DIRTY : EXACT);
        return;
      case Op.localSet:
      case Op.localTee: {
        const top = this.#height - 1;
        this.#store(imm0);
        out.byte(index);
        out.u32(this.#local(imm0));
        if (index === Op.localSet) this.#height = top;
        return;
      }
      case Op.globalGet: {
        const code = this.#context.globalCodes[imm0]!;
        out.byte(index);
        out.u32(this.#context.globalIndex[imm0]!);
        if (code === f32) out.byte(Op.f32ReinterpretI32);
        else if (code === f64) out.byte(Op.f64ReinterpretI64);
        this.#push(code);
        return;
      }
      case Op.globalSet: {
        const code = this.#context.globalCodes[imm0]!;
        this.#canonicalise(1);
        if (code === f32) out.byte(Op.i32ReinterpretF32);
        else if (code === f64) out.byte(Op.i64ReinterpretF64);
        out.byte(index);
        out.u32(this.#context.globalIndex[imm0]!);
        this.#height--;
        return;
      }
      case 0x25: // table.get
        this.#site(0);
        out.byte(index);
        out.u32(imm0);
        this.#codes[this.#height - 1] = this.#context.tableCodes[imm0]!;
        return;
      case 0x26: // table.set
        this.#site(0);
        out.byte(index);
        out.u32(imm0);
        this.#height -= 2;
        return;
      case 0xd0: // ref.null
        out.byte(index);
        out.byte(imm0);
        this.#push(imm0);
        return;
      case 0xd1: // ref.is_null
        out.byte(index);
        this.#codes[this.#height - 1] = i32;
        return;
      case 0xd2: // ref.func
        out.byte(index);
        out.u32(this.#context.refIndex[imm0]!);
        this.#push(funcref);
        return;
      default:
        this.#prefixed(index);
    }
  }

  /** Memory and table instructions beside loads and stores; the bulk ones charge by their last operand first. */
  #prefixed(index: number): void {
    const out = this.#out;
    const { imm0, imm1 } = this.#instruction;
    const { dropData, dropElements, grow } = this.#context;
    if (OPCODE_BY_INDEX[index]!.bulk !== undefined) this.#chargeBulk(index);
    const written = (operands: number, result: number, ...immediates: number[]): void => {
      this.#site(0);
      out.byte(0xfc);
      out.u32(index - 256);
      for (const immediate of immediates) out.u32(immediate);
      this.#height -= operands;
      if (result !== 0) this.#push(result);
    };
    switch (index) {
      case 0x3f: // memory.size
        out.byte(index);
        out.byte(0);
        this.#push(i32);
        return;
      case 0x40: // memory.grow
        out.byte(Op.call);
        out.u32(grow);
        return;
      case 256 + 0x08: // memory.init
        written(3, 0, imm0, 0);
        return;
      case 256 + 0x09: // data.drop
        written(0, 0, imm0);
        this.#i32(imm0);
        out.byte(Op.call);
        out.u32(dropData);
        return;
      case 256 + 0x0a: // memory.copy
        written(3, 0, 0, 0);
        return;
      case 256 + 0x0b: // memory.fill
        written(3, 0, 0);
        return;
      case 256 + 0x0c: // table.init
      case 256 + 0x0e: // table.copy
        written(3, 0, imm0, imm1);
        return;
      case 256 + 0x0d: // elem.drop
        written(0, 0, imm0);
        this.#i32(imm0);
        out.byte(Op.call);
        out.u32(dropElements);
        return;
      case 256 + 0x0f: // table.grow
        written(2, i32, imm0);
        return;
      case 256 + 0x10: // table.size
        written(0, i32, imm0);
        return;
      case 256 + 0x11: // table.fill
        written(3, 0, imm0);
        return;
      default: // trunc_sat
        out.byte(0xfc);
        out.u32(index - 256);
        this.#codes[this.#height - 1] = RESULT[index]!;
        this.#states[this.#height - 1] = EXACT;
    }
  }

  /** Charges and tests for the amount on top of the stack (spec VM-FUEL-5), which stays there. */
  #chargeBulk(index: number): void {
    const out = this.#out;
    const amount = this.#temp(i32, SCRATCH);
    this.#set(amount);
    if (index === 0x40) {
      // More pages than a memory can have cost nothing.
      this.#i32(0);
      this.#get(amount);
      this.#get(amount);
      this.#i32(65_536);
      out.byte(Op.i32GtU);
      out.byte(Op.select);
      this.#i32(10);
      out.byte(Op.i32Shl);
    } else {
      this.#get(amount);
      this.#i32(OPCODE_BY_INDEX[index]!.bulk === "bytes" ? BYTES_SHIFT : 3);
      out.byte(Op.i32ShrU);
    }
    out.byte(Op.i64ExtendU);
    this.#chargeTop();
    this.#get(amount);
  }

  /** Before a float goes to a local. */
  #store(local: number): void {
    const top = this.#height - 1;
    const code = this.#localCodes[local]!;
    if (code !== f32 && code !== f64) return;
    if (this.#exact[local] === 1) {
      const known = this.#dirty.indexOf(local);
      if (this.#states[top] === DIRTY) {
        if (known >= 0) return;
        if (this.#dirty.length < MOST_DIRTY) this.#dirty.push(local);
        else this.#canonicalise(1);
      } else if (known >= 0) this.#dirty.splice(known, 1);
      return;
    }
    if (this.#states[top] === EXACT && !this.#isClone) {
      this.#exact[local] = 1;
      this.#exactChanged = true;
    } else this.#states[top] = DIRTY;
  }

  #select(index: number, code: number): void {
    const out = this.#out;
    const [first, second] = [this.#states[this.#height - 3]!, this.#states[this.#height - 2]!];
    if (first !== second && first !== CLEAN && second !== CLEAN) this.#canonicalise(3);
    out.byte(index);
    if (index === 0x1c) {
      out.u32(1);
      out.byte(code);
    }
    this.#height -= 2;
    if (first === CLEAN) this.#states[this.#height - 1] = second;
    else if (second === CLEAN) this.#states[this.#height - 1] = first;
    else if (first !== second) this.#states[this.#height - 1] = EXACT;
  }

  #branch(depth: number): void {
    const construct = this.#label(depth);
    this.#edge(construct);
    this.#out.byte(Op.br);
    this.#branchTo(construct);
    this.#die();
  }

  // ---- calls

  #call(callee: number): void {
    const { input, linkage, functionTypes, callIndex } = this.#context;
    const type = functionTypes[callee]!;
    if (callee < input.importedFunctions) {
      const link = linkage.links[callee]!;
      if (link.kind === "bytes") {
        this.#bytes(link.row, false);
        return;
      }
      if (link.kind === "host") {
        this.#host(callee, link, type, false);
        return;
      }
      this.#announce();
    }
    this.#canonicalise(type.params.length);
    this.#pushFuel();
    this.#get(this.#fuel + 1);
    this.#site(0);
    this.#out.byte(Op.call);
    this.#out.u32(callIndex[callee]!);
    this.#afterCall(type);
  }

  #callIndirect(type: number, table: number): void {
    const { structure } = this.#context;
    const signature = structure.types[type]!;
    const out = this.#out;
    const element = this.#temp(i32, SCRATCH);
    this.#announce();
    this.#set(element);
    this.#height--;
    this.#canonicalise(signature.params.length);
    this.#pushFuel();
    this.#get(this.#fuel + 1);
    this.#get(element);
    this.#site(0);
    out.byte(Op.callIndirect);
    out.u32(this.#context.internal(signature));
    out.u32(table);
    this.#afterCall(signature);
  }

  #afterCall({ params, results }: FunctionType): void {
    this.#set(this.#fuel);
    this.#pending = 0;
    this.#height -= params.length;
    for (const result of results) this.#push(ValueCode[result]);
  }

  /** Where other instances can be called: says whose call it is. */
  #announce(): void {
    const { linkage, instance, caller } = this.#context;
    if (!linkage.shares) return;
    this.#out.byte(Op.globalGet);
    this.#out.u32(instance);
    this.#out.byte(Op.globalSet);
    this.#out.u32(caller);
  }

  /** Calls a host function: charge, test, publish the fuel, call, take the results (spec VM-FUEL-8, VM-HOST-1). */
  #host(index: number, { fuel }: { fuel: CallFuel }, type: FunctionType, isAdapter: boolean): void {
    const out = this.#out;
    const { callIndex, fuel: global } = this.#context;
    const { base, perByte, lengthArgument } =
      typeof fuel === "number" ? { base: fuel, perByte: 0, lengthArgument: 0 } : fuel;
    const codes = type.params.map((param) => ValueCode[param]);
    // JavaScript shows what bits a NaN has, so that it gets the canonical one whatever the guest has.
    for (let at = this.#height - codes.length; at < this.#height; at++) {
      const isFloat = this.#codes[at] === f32 || this.#codes[at] === f64;
      if (isFloat && this.#states[at] === EXACT) this.#states[at] = DIRTY;
    }
    this.#canonicalise(codes.length);
    const temps = this.#takeWords(codes, perByte === 0 ? codes.length : lengthArgument);
    if (perByte > 0) {
      this.#pending += base;
      this.#get(temps[lengthArgument]!);
      out.byte(Op.i64ExtendU);
      this.#i64(perByte * 1024);
      out.byte(Op.i64Mul);
      this.#i64(10);
      out.byte(Op.i64ShrU);
      this.#chargeTop();
    } else {
      this.#settle(-base);
      this.#pending = 0;
      this.#testFuel(0);
    }
    this.#get(this.#fuel);
    out.byte(Op.globalSet);
    out.u32(global);
    if (!isAdapter) this.#announce();
    this.#pushWords(codes, temps);
    this.#site(0);
    out.byte(Op.call);
    out.u32(callIndex[index]!);
    out.byte(Op.globalGet);
    out.u32(global);
    this.#set(this.#fuel);
    this.#height -= codes.length;
    if (type.results.length === 1 && type.results[0] !== "i64") {
      const code = ValueCode[type.results[0]!];
      if (code === f32 || code === f64) this.#exactResult(code);
      this.#push(code);
    } else for (const [k, result] of type.results.entries()) this.#result(ValueCode[result], k);
  }

  /** The float that a host function returned: a NaN loses its bits in JavaScript, so they are fetched (spec VM-NAN-2). */
  #exactResult(code: number): void {
    const out = this.#out;
    const result = this.#temp(code, SCRATCH);
    const word = (k: number): void => {
      this.#i32(k);
      out.byte(Op.call);
      out.u32(this.#context.resultWord);
    };
    out.byte(Op.localTee);
    out.u32(result);
    this.#get(result);
    out.byte(code === f64 ? Op.f64Ne : Op.f32Ne);
    this.#ifUnlikely();
    word(0);
    if (code === f64) {
      out.byte(Op.i64ExtendU);
      word(1);
      out.byte(Op.i64ExtendU);
      this.#i64(32);
      out.byte(Op.i64Shl);
      out.byte(Op.i64Or);
    }
    out.byte(code === f64 ? Op.f64ReinterpretI64 : Op.f32ReinterpretI32);
    this.#set(result);
    out.byte(Op.end);
    this.#get(result);
  }

  /** Result `k` of a call that left its results in the result block. */
  #result(code: number, k: number): void {
    const out = this.#out;
    const { resultFuncref, resultExternref } = this.#context;
    if (code === funcref || code === externref) {
      this.#i32(k);
      out.byte(Op.call);
      out.u32(code === funcref ? resultFuncref : resultExternref);
    } else this.#loadResult(code, k);
    this.#push(code);
  }

  /** Pushes cell `k` of the result block. */
  #loadResult(code: number, k: number): void {
    this.#i32(0);
    this.#out.byte(code === i32 ? Op.i32Load : code === i64 ? Op.i64Load : code === f32 ? Op.f32Load : Op.f64Load);
    this.#memarg(2, 8 * k, this.#context.heap);
  }

  /**
   * Puts the arguments from the first i64 or `length` on into locals, since they cross as words; -1 for those that stay
   * on the stack.
   */
  #takeWords(codes: readonly number[], length: number): number[] {
    const wide = codes.indexOf(i64);
    const first = Math.min(length, wide < 0 ? codes.length : wide);
    const temps = codes.map((code, k) => (k < first ? -1 : this.#temp(code, WORDS + k)));
    for (let k = codes.length - 1; k >= first; k--) this.#set(temps[k]!);
    return temps;
  }

  #pushWords(codes: readonly number[], temps: readonly number[]): void {
    const out = this.#out;
    codes.forEach((code, k) => {
      const temp = temps[k]!;
      if (temp < 0) return;
      this.#get(temp);
      if (code !== i64) return;
      out.byte(Op.i32Wrap);
      this.#get(temp);
      this.#i64(32);
      out.byte(Op.i64ShrU);
      out.byte(Op.i32Wrap);
    });
  }

  /** A call of module `bytes`; through a table its price is charged here, else it is part of the block. */
  #bytes(row: number, isAdapter: boolean): void {
    if (!isAdapter && this.#plan !== undefined && this.#heap !== undefined && BYTES_USES[row] === BytesUse.access) {
      this.#access(this.#plan, this.#heap, row);
      return;
    }
    const call = BYTES_CALLS[row]!;
    const { params, results } = functionTypeOf(call);
    const out = this.#out;
    // A float that is stored shows its bits, and crosses as them.
    this.#canonicalise(params.length);
    if (params.at(-1) === "f32") out.byte(Op.i32ReinterpretF32);
    else if (params.at(-1) === "f64") out.byte(Op.i64ReinterpretF64);
    const codes = params.map((param) => bitsCode(ValueCode[param]));
    const { fuel } = call;
    const length = typeof fuel === "number" ? codes.length : fuel.lengthArgument;
    const temps = this.#takeWords(codes, length);
    if (isAdapter) this.#pending += typeof fuel === "number" ? fuel : fuel.base;
    if (typeof fuel !== "number") {
      this.#get(temps[length]!);
      this.#i32(BYTES_SHIFT);
      out.byte(Op.i32ShrU);
      out.byte(Op.i64ExtendU);
      this.#chargeTop();
    } else if (isAdapter) {
      this.#settle(0);
      this.#testFuel(0);
    }
    this.#pushWords(codes, temps);
    this.#site(0);
    out.byte(Op.call);
    out.u32(this.#context.bytesIndex[row]!);
    this.#height -= codes.length;
    const result = results[0];
    if (result === undefined) return;
    if (call.results[0]!.name === "ref") this.#refOfSlot();
    else if (result === "i32") this.#push(i32);
    else this.#result(ValueCode[result], 0);
  }

  // ---- going on in the clone

  /** What is to be known of a function with loops, or with accesses to the heap. */
  #analyse(own: number): void {
    const { objects, input, bodyScan, scan, structure } = this.#context;
    const { start, end } = structure.bodies[own]!;
    const accesses = objects?.changes.accesses[own] === 1;
    this.#plan = undefined;
    this.#resume = undefined;
    this.#liveness = undefined;
    if (!accesses && scan.loops === 0) return;
    bodyScan.scan(input.importedFunctions + own);
    if (accesses) this.#plan = planHeap(bodyScan);
    this.#resume = scan.loops === 0 ? undefined : planResume(bodyScan, end - start);
  }

  /** The beginning of a clone: takes the locals that are live where it goes on. Nothing of what was looked up came with them. */
  #enterClone(): void {
    const out = this.#out;
    const { heads } = this.#resume!;
    this.#pending = 0;
    this.#get(this.#fuel);
    out.byte(Op.i32Wrap);
    this.#get(this.#fuel);
    this.#i64(32);
    out.byte(Op.i64ShrU);
    out.byte(Op.i32Wrap);
    this.#site(0);
    out.byte(Op.call);
    out.u32(this.#context.hit);
    for (let local = 0; local < this.#localCount; local++) {
      if (!heads.some((head) => this.#isLive(head, local))) continue;
      const code = this.#localCodes[local]!;
      out.byte(Op.globalGet);
      out.u32(this.#context.handedOver(local));
      if (code === i32 || code === f32) out.byte(Op.i32Wrap);
      if (code === f32) out.byte(Op.f32ReinterpretI32);
      else if (code === f64) out.byte(Op.f64ReinterpretI64);
      this.#set(this.#local(local));
    }
    if (this.#plan !== undefined) this.#lookUpAll(this.#plan, -1);
  }

  /**
   * Behind a loop, where it is left when its fuel is below the mark: with OutOfFuel as {@link #testFuel} does it, or for the
   * clone. The live locals go there through globals: as arguments they would cost the loop its registers.
   */
  #leave(construct: number, { number, offset, least, charged }: Leave, falls: boolean): void {
    const out = this.#out;
    const here = this.#offset;
    this.#offset = offset;
    if (falls) {
      out.byte(Op.br);
      out.u32(1);
    } else out.byte(Op.unreachable);
    out.byte(Op.end);
    this.#testFuel(least);
    for (let local = 0; local < this.#localCount; local++) {
      if (!this.#isLive(construct, local)) continue;
      const code = this.#localCodes[local]!;
      this.#get(this.#local(local));
      if (code === f32) out.byte(Op.i32ReinterpretF32);
      else if (code === f64) out.byte(Op.i64ReinterpretF64);
      if (code === i32 || code === f32) out.byte(Op.i64ExtendU);
      out.byte(Op.globalSet);
      out.u32(this.#context.handedOver(local));
    }
    this.#pushFuelLess(-charged);
    this.#get(this.#fuel + 1);
    this.#i32(number);
    out.byte(Op.returnCall);
    out.u32(this.#context.clone(this.#own));
    out.byte(Op.end);
    this.#level -= 2;
    this.#offset = here;
  }

  /**
   * In a clone, at the beginning of a construct: opens two blocks for each of its parts that leads to a loop to go on at,
   * and jumps to the end of the inner one of the part where the way leads; the part begins behind them. `kept` are the
   * charges kept back when the way comes here.
   */
  #enterParts(place: number, kept: number): void {
    const parts = this.#isClone ? this.#resume!.parts.get(place) : undefined;
    if (parts === undefined) return;
    const out = this.#out;
    const isFunction = place === 0;
    // In the function itself the way always leads to a part.
    const blocks = isFunction && parts.length === 1 ? 0 : 2 * parts.length;
    for (let k = 0; k < blocks; k++) {
      out.byte(Op.block);
      out.byte(VOID);
    }
    this.#level += blocks;
    if (!isFunction) {
      this.#get(WHICH);
      this.#ifUnlikely();
      this.#giveBack(-kept);
    }
    this.#decide(parts);
    if (blocks > 0) this.#branchToPart(parts, isFunction ? 0 : 1);
    if (!isFunction) {
      out.byte(Op.end);
      return;
    }
    this.#cutCode = out.length;
    this.#cutSites = this.sites?.length ?? 0;
    this.#cutUnlikely = this.unlikely.length;
  }

  /** Jumps to the part where the way leads, out of `depth` constructs in the blocks of the parts. */
  #branchToPart(parts: readonly number[], depth: number): void {
    const out = this.#out;
    const { first, last } = this.#resume!;
    if (parts.length === 1) {
      out.byte(Op.br);
      out.u32(depth);
      return;
    }
    this.#get(WHICH);
    this.#i32(first[parts[0]!]!);
    out.byte(Op.i32Sub);
    out.byte(Op.brTable);
    out.u32(last[parts[parts.length - 1]!]! - first[parts[0]!]!);
    for (const [k, part] of parts.entries())
      for (let number = first[part]!; number <= last[part]!; number++) out.u32(depth + 2 * k);
  }

  #giveBack(charge: number): void {
    if (charge === 0) return;
    this.#pushFuelLess(-charge);
    this.#set(this.#fuel);
  }

  /** Sets the condition of an `if` among the parts, when the way leads into one: through which of its arms it goes. */
  #decide(parts: readonly number[]): void {
    const out = this.#out;
    const { first, last, opcodes, parts: all } = this.#resume!;
    for (const part of parts) {
      if (opcodes[part] !== Op.if) continue;
      const [arm, otherwise] = [all.get(2 * part), all.get(2 * part + 1)];
      const condition = this.#temp(i32, CONDITION);
      this.#get(WHICH);
      this.#i32(arm === undefined ? first[otherwise![0]!]! - 1 : last[arm[arm.length - 1]!]!);
      out.byte(Op.i32LeU);
      this.#get(condition);
      this.#get(WHICH);
      this.#i32(first[part]!);
      out.byte(Op.i32GeU);
      out.byte(Op.select);
      this.#set(condition);
    }
  }

  /** In a clone, before a construct begins: closes the blocks of {@link #enterParts} if this is such a part. */
  #arrive(): void {
    if (!this.#isClone) return;
    const out = this.#out;
    const { places, first, parts } = this.#resume!;
    const number = this.#opened;
    if (first[number] === 0) return;
    // No charge is kept back on the way, and all locals are exact.
    this.#canonicaliseLocals(ANY_CONSTRUCT);
    const siblings = parts.get(places[number]!)!;
    if (places[number] === 0 && siblings[0] === number) {
      out.truncate(this.#cutCode);
      if (this.sites) this.sites.length = this.#cutSites;
      this.unlikely.length = this.#cutUnlikely;
      this.#pending = 0;
      if (siblings.length === 1) return;
    }
    if (this.#pending !== 0) {
      out.byte(Op.br);
      out.u32(1);
    }
    out.byte(Op.end);
    this.#giveBack(this.#pending);
    out.byte(Op.end);
    this.#level -= 2;
  }

  /** The same before an `if`, whose condition is on the stack; on the way to it {@link #decide} has set it. */
  #arriveAtIf(): void {
    if (!this.#isClone || this.#resume!.first[this.#opened] === 0) return;
    const condition = this.#temp(i32, CONDITION);
    this.#set(condition);
    this.#arrive();
    this.#get(condition);
  }

  // ---- objects of the heap

  /** The loop that begins here twice if it is a sweep: without checks, and with them for when that is not safe; else false. */
  #writeSweep(open: () => void): boolean {
    const plan = this.#plan;
    if (plan === undefined) return false;
    const { structure } = this.#context;
    const code = this.#code;
    const start = code.position;
    const sweep = this.#sweeps.find(code.end, structure.bodies[this.#own]!.end, this.#instruction.imm0, plan);
    if (sweep === undefined) return false;
    const out = this.#out;
    const local = (index: number): number => this.#local(index);
    const limit = (place: number, width: number): number => this.#kept(plan, place).limits[WIDTHS.indexOf(width)]!;
    const before = [this.#block, this.#opened, this.#pending, this.#offset] as const;
    const dirty = [...this.#dirty];
    const depth = this.#constructs.length;
    writeCondition(out, sweep, { local, limit });
    out.byte(Op.if);
    out.byte(VOID);
    this.#level++;
    const addresses = new Map<string, number>();
    for (const { place, ahead } of sweep.accesses.values()) {
      if (ahead === undefined || keyOf(ahead) === "0" || addresses.size === MOST_SWEPT) continue;
      const key = `${place} ${keyOf(ahead)}`;
      if (addresses.has(key)) continue;
      addresses.set(key, this.#temp(i32, SWEEP + addresses.size));
      this.#get(this.#kept(plan, place).base);
      writeSum(out, ahead, local);
      out.byte(Op.i32Add);
      this.#set(addresses.get(key)!);
    }
    this.#sweep = { sweep, addresses };
    open();
    this.#rewriteUntil(depth);
    this.#sweep = undefined;
    out.byte(Op.else);
    code.position = start;
    [this.#block, this.#opened, this.#pending, this.#offset] = before;
    this.#dirty = dirty;
    open();
    this.#rewriteUntil(depth);
    out.byte(Op.end);
    this.#level--;
    return true;
  }

  /** The access in the copy of a sweep, without a check; false if it is none that was proved. */
  #sweepAccess(heap: HeapCode, row: number, ref: LookedUp, locals: readonly number[]): boolean {
    const access = this.#sweep?.sweep.accesses.get(this.#offset);
    if (access === undefined) return false;
    const { sweep, addresses } = this.#sweep!;
    const key = access.ahead && keyOf(access.ahead);
    const base = key === "0" ? ref.base : addresses.get(`${access.place} ${key}`);
    if (base === undefined) heap.access(row, [ref], locals);
    else heap.access(row, [{ ...ref, base }], locals.with(1, this.#local(sweep.counter)));
    return true;
  }

  /** Lookups stand in front of a loop and of an access, and behind what makes them out of date. */
  #rewriteWithLookups(plan: HeapPlan, index: number): void {
    const refs = plan.lookups.get(this.#offset);
    const inFront = index === Op.loop || plan.uses.has(this.#offset);
    if (refs !== undefined && inFront) this.#lookUpAll(plan, refs);
    this.#rewrite(index);
    if (refs !== undefined && !inFront) this.#lookUpAll(plan, refs);
  }

  /** Looks up the refs of a set. */
  #lookUpAll(plan: HeapPlan, refs: number): void {
    for (let place = 0; place < plan.refs.length; place++)
      if (((refs >>> place) & 1) === 1) this.#lookUp(this.#kept(plan, place));
  }

  #lookUp(ref: LookedUp): void {
    this.#heap!.lookUp(ref, this.#temp(i32, LOOKUP), this.#temp(i32, LOOKUP + 1));
  }

  #kept(plan: HeapPlan, place: number): LookedUp {
    const { local, widths } = plan.refs[place]!;
    return this.#lookedUp(this.#local(local), place, widths);
  }

  #lookedUp(ref: number, place: number, widths: number): LookedUp {
    const first = REFS + REF_LOCALS * place;
    const limits = WIDTHS.map((_, k) => (((widths >>> k) & 1) === 1 ? this.#temp(i32, first + 1 + k) : undefined));
    return { ref, base: this.#temp(i32, first), limits };
  }

  /**
   * An access through refs without a call. What a check does not allow goes to the call, which throws; but where a ref may
   * be a window over a memory it may go well.
   */
  #access(plan: HeapPlan, heap: HeapCode, row: number): void {
    const out = this.#out;
    const { params, results, fuel } = BYTES_CALLS[row]!;
    const codes = functionTypeOf(BYTES_CALLS[row]!).params.map((param) => ValueCode[param]);
    this.#canonicalise(codes.length);
    const places = plan.uses.get(this.#offset)!;
    const refs: LookedUp[] = [];
    const locals = codes.map((code, k) => {
      const temp = WORDS + k;
      if (typeof params[k]!.type !== "object") return this.#temp(code, temp);
      const place = places[refs.length]!;
      const widths = 1 << WIDTHS.indexOf(BYTES_WIDTHS[row]!);
      const passing = PASSING + refs.length;
      refs.push(place >= 0 ? this.#kept(plan, place) : this.#lookedUp(this.#temp(code, temp), passing, widths));
      return refs[refs.length - 1]!.ref;
    });
    for (let k = codes.length - 1; k >= 0; k--) {
      if (locals[k]! < this.#firstTemp) out.byte(Op.drop);
      else this.#set(locals[k]!);
    }
    this.#height -= codes.length;
    if (typeof fuel !== "number") {
      this.#get(locals[fuel.lengthArgument]!);
      this.#i32(BYTES_SHIFT);
      out.byte(Op.i32ShrU);
      out.byte(Op.i64ExtendU);
      this.#chargeTop();
    }
    for (const [k, place] of places.entries()) if (place < 0) this.#lookUp(refs[k]!);
    const result = results[0] === undefined ? undefined : ValueCode[valueTypeOfParameter(results[0].type)];
    if (this.#sweepAccess(heap, row, refs[0]!, locals)) {
      // Nothing is to be checked.
    } else if (this.#context.linkage.windows) {
      heap.check(row, refs, locals, true);
      out.byte(Op.if);
      out.byte(result ?? VOID);
      heap.access(row, refs, locals);
      out.byte(Op.else);
      this.#callBytes(row, codes, locals);
      if (result !== undefined && result !== i32) this.#loadResult(result, 0);
      out.byte(Op.end);
    } else {
      heap.check(row, refs, locals, false);
      out.byte(Op.if);
      out.byte(VOID);
      this.#callBytes(row, codes, locals);
      out.byte(Op.unreachable);
      out.byte(Op.end);
      heap.access(row, refs, locals);
    }
    if (result !== undefined) this.#push(result);
  }

  /** Calls row `row` of `bytes` with arguments in locals; floats cross as their bits. */
  #callBytes(row: number, codes: readonly number[], locals: readonly number[]): void {
    const out = this.#out;
    codes.forEach((code, k) => {
      const local = locals[k]!;
      if (code === i64) this.#pushWords([code], [local]);
      else if (code === f64) {
        const bits = this.#temp(i64, SCRATCH);
        this.#get(local);
        out.byte(Op.i64ReinterpretF64);
        this.#set(bits);
        this.#pushWords([i64], [bits]);
      } else {
        this.#get(local);
        if (code === f32) out.byte(Op.i32ReinterpretF32);
      }
    });
    this.#site(0);
    out.byte(Op.call);
    out.u32(this.#context.bytesIndex[row]!);
  }

  /** The slot on the stack becomes the ref with the slot's generation; slot 0 has the generation 0. */
  #refOfSlot(): void {
    const out = this.#out;
    const slot = this.#temp(i32, SCRATCH);
    out.byte(Op.localTee);
    out.u32(slot);
    out.byte(Op.i64ExtendU);
    this.#get(slot);
    this.#i32(Math.log2(ENTRY_BYTES));
    out.byte(Op.i32Shl);
    out.byte(Op.i32Load);
    this.#memarg(2, HEADER_BYTES, this.#context.heap);
    out.byte(Op.i64ExtendU);
    this.#i64(32);
    out.byte(Op.i64Shl);
    out.byte(Op.i64Or);
    this.#push(i64);
  }
}

/** Codes of a function's parameters and results with fuel and depth. */
export function internalType({ params, results }: FunctionType): [params: number[], results: number[]] {
  return [
    [...params.map((param) => ValueCode[param]), i64, i32],
    [...results.map((result) => ValueCode[result]), i64],
  ];
}

/** The type that holds the bits of a value. */
export function bitsCode(code: number): number {
  if (code === f32) return i32;
  return code === f64 ? i64 : code;
}

function grown(items: Uint8Array): Uint8Array {
  const larger = new Uint8Array(items.length * 2);
  larger.set(items);
  return larger;
}
