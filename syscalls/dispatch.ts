/**
 * From the rows of `table.ts` and an implementation to the host functions that an instance imports. Every check that a
 * row implies is made here and nowhere else, in the order of spec ABI-ORDER-1: capability, numbers, result pointer,
 * HeapRefs and windows; only then does the implementation run.
 */
import type { ParameterType } from "../vm/declaration.ts";
import { functionTypeOf, packedTypeOf } from "../vm/declaration.ts";
import { AshlarError } from "../vm/errors.ts";
import type { Caller, HostFunction } from "../vm/function.ts";
import type { Heap, Kind } from "../vm/heap.ts";
import { BYTES_KIND, STALE_OBJECT } from "../vm/heap.ts";
import { Fault, TrapCode } from "../vm/trap.ts";
import { Exit } from "./exit.ts";
import { type Observer, observed, type Seen } from "./observe.ts";
import { Panic } from "./panic.ts";
import { Status, statusName } from "./status.ts";
import type { Syscall } from "./table.ts";
import { valueIndices, wideValue, wordIndices, wordsOf } from "./words.ts";

/**
 * The code behind one row. Its arguments are the row's parameters in order: a u32 or i32 as itself; an i64 or u64 as the
 * nearest JavaScript number (exact up to 2^53), or as a bigint where the row says `exact`; a HeapRef as the host's object,
 * a null one as undefined; a window, its three parameters together, as a view that is good during the call. Answers the
 * first result: the status where the row has one, else a number; the others, and a first one of 64 bits, it sets through
 * `call`. Of the guest it changes nothing but `written` windows and the results, which may be new objects (spec REC-BODY-1).
 * Throws Fault to trap, which it may only do before any effect. Whatever else it throws becomes the status OTHER.
 */
export type SyscallBody = (call: Call, ...values: never[]) => number | undefined;

/** Bodies by module and name: exactly those of the table. */
export type Implementation = { readonly [module: string]: { readonly [name: string]: SyscallBody } };

/** An object behind a HeapRef that bytes are transferred to or from (spec ABI-TRANSFER-3). */
export interface TransferHandle {
  /** True when it has offsets: neither a stream nor a file opened to append. */
  readonly positional: boolean;
}

/** What a body gets to know of its call, and where it leaves its results. Integers only. */
export class Call {
  caller!: Caller;
  readonly low: Int32Array;
  readonly high: Int32Array;

  constructor(results: number) {
    this.low = new Int32Array(results);
    this.high = new Int32Array(results);
  }
  /** Starts a call, or forgets what a failed one had set. */
  begin(caller: Caller): void {
    this.caller = caller;
    for (let k = 0; k < this.low.length; k++) this.setWords(k, 0, 0);
  }
  get heap(): Heap {
    return this.caller.heap;
  }
  /** Sets result `index` to an integer between -2^53 and 2^53. */
  set(index: number, value: number): void {
    this.setWords(index, value, Math.floor(value / 0x1_0000_0000));
  }
  /** Sets result `index` to a 64-bit integer, modulo 2^64. */
  setBig(index: number, value: bigint): void {
    this.setWords(index, Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)));
  }
  /** Sets result `index` to a 64-bit integer. */
  setWords(index: number, low: number, high: number): void {
    this.low[index] = low;
    this.high[index] = high;
  }
  /** Sets result `index` to the HeapRef in `slot`; null for 0. */
  setRef(index: number, slot: number): void {
    this.setWords(index, slot, slot === 0 ? 0 : this.heap.generation(slot));
  }
}

/** A body as the dispatcher calls it, and what stands around it. */
export type LooseBody = (call: Call, ...values: unknown[]) => number | undefined;

/** What stands between dispatcher and bodies: a recorder, which runs them, or a player, which answers instead (spec 18). */
export interface Tape {
  /** The words of the call under way; set before it. */
  words: readonly number[];
  /** Hears what is granted, and answers what holds. */
  grant(granted: ReadonlySet<string>): ReadonlySet<string>;
  /** What is called instead of `run`. */
  body(row: Syscall, run: LooseBody): LooseBody;
  /** The kinds, with a `save` that is the tape's. */
  kinds(kinds: readonly Kind[]): Kind[];
}

export interface DispatchOptions {
  /** Hears of every call, when it has ended (spec ABI-TRACE-1). */
  readonly observe?: Observer | undefined;
  readonly tape?: Tape | undefined;
}

export type HostFunctions = { readonly [module: string]: { readonly [name: string]: HostFunction } };

/**
 * The imports for `rows`: `name` for each, and `name_p` for each with several results (spec ABI-FORM-1 and 2). `granted`
 * names the capabilities that the instance holds; a row that needs another one links and traps when called.
 * Throws a Panic when `implementation` and `rows` do not fit.
 */
export function hostFunctions(
  rows: readonly Syscall[],
  implementation: Implementation,
  granted: ReadonlySet<string>,
  kinds: readonly Kind[],
  options: DispatchOptions = {},
): HostFunctions {
  const functions: { [module: string]: { [name: string]: HostFunction } } = {};
  const held = options.tape === undefined ? granted : options.tape.grant(granted);
  for (const row of rows) {
    const body = implementation[row.module]?.[row.name];
    if (body === undefined) throw new Panic(`${row.module}.${row.name} is not implemented`);
    checkRow(row, kinds);
    const missing = row.capability !== "none" && !held.has(row.capability);
    const own = (functions[row.module] ??= {});
    makeLazily(own, row.name, () => hostFunction(row, body, kinds, false, missing, options));
    if (row.results.length > 1)
      makeLazily(own, `${row.name}_p`, () => hostFunction(row, body, kinds, true, missing, options));
  }
  for (const [module, bodies] of Object.entries(implementation))
    for (const name of Object.keys(bodies))
      if (functions[module] === undefined || !Object.hasOwn(functions[module], name))
        throw new Panic(`${module}.${name} is not in the table`);
  return functions;
}

/** Throws a Panic for a row that no wrapper can be made of. */
function checkRow({ module, name, params, results, windows }: Syscall, kinds: readonly Kind[]): void {
  if (params.length - 2 * windows.length > MOST_VALUES)
    throw new Panic(`${module}.${name} has more than ${MOST_VALUES} values`);
  if (results.some(({ type }) => type === "f32" || type === "f64"))
    throw new Panic(`${module}.${name}: results are integers and HeapRefs`);
  for (const { type } of params)
    if (typeof type === "object")
      for (const kind of type.ref.split("|"))
        if (kind !== BYTES_KIND.name && !kinds.some((candidate) => candidate.name === kind))
          throw new Panic(`${module}.${name}: no kind is named ${kind}`);
}

/** Most guests import a few calls of the table, and making a wrapper costs as much as starting a small guest. */
function makeLazily(own: { [name: string]: HostFunction }, name: string, make: () => HostFunction): void {
  const get = (): HostFunction => {
    const value = make();
    Object.defineProperty(own, name, { value, enumerable: true });
    return value;
  };
  Object.defineProperty(own, name, { get, enumerable: true, configurable: true });
}

function hostFunction(
  row: Syscall,
  body: SyscallBody,
  kinds: readonly Kind[],
  packed: boolean,
  missing: boolean,
  { observe, tape }: DispatchOptions,
): HostFunction {
  const seen: Seen | undefined = observe && { call: undefined, first: undefined };
  let call = missing ? refuse(row) : wrapper(row, body, kinds, packed, tape, seen);
  if (tape !== undefined && !missing) call = announced(call, tape);
  if (observe !== undefined) call = observed(row, packed, call, kinds, seen!, observe);
  return { type: packed ? packedTypeOf(row) : functionTypeOf(row), fuel: row.fuel, mayFree: row.mayFree, call };
}

function announced(call: HostFunction["call"], tape: Tape): HostFunction["call"] {
  return (caller, ...words) => {
    tape.words = words;
    return call(caller, ...words);
  };
}

function refuse(row: Syscall): HostFunction["call"] {
  return () => {
    throw new Fault(TrapCode.MissingCapability, `${row.module}.${row.name} needs the grant "${row.capability}"`);
  };
}

/** How one parameter is found among the words of a call and where it goes among the body's values. */
interface Step {
  readonly name: string;
  /** Index of its (low) word. */
  readonly word: number;
  /** Index among the values, or -1 for the offset and length of a window. */
  readonly value: number;
  readonly type: ParameterType;
  readonly maximum: number;
  readonly exact: boolean;
  readonly nullable: boolean;
  /** Word of the window's offset and of its length, or -1. */
  readonly windowOffset: number;
  readonly windowLength: number;
  /** Kinds of HeapRef it takes. */
  readonly kinds: readonly number[];
}

function stepsOf(row: Syscall, kinds: readonly Kind[]): Step[] {
  const words = wordIndices(row.params);
  const values = valueIndices(row);
  return row.params.map(({ name, type, maximum, exact = false, nullable = false }, index) => {
    const window = row.windows.find(({ ref }) => ref === index);
    return {
      name,
      word: words[index]!,
      value: values[index]!,
      type,
      maximum: maximum ?? Number.POSITIVE_INFINITY,
      exact,
      nullable,
      windowOffset: window === undefined ? -1 : words[window.offset]!,
      windowLength: window === undefined ? -1 : words[window.length]!,
      kinds: typeof type === "object" ? kindIds(type.ref, kinds) : [],
    };
  });
}

function kindIds(names: string, kinds: readonly Kind[]): number[] {
  return names.split("|").map((name) => [BYTES_KIND, ...kinds].find((candidate) => candidate.name === name)!.id);
}

/** The nearest number to an i64 or a u64 in two words. */
function numberOf(type: ParameterType, low: number, high: number): number {
  return (type === "u64" ? high >>> 0 : high) * 0x1_0000_0000 + (low >>> 0);
}

function wrapper(
  row: Syscall,
  body: SyscallBody,
  kinds: readonly Kind[],
  packed: boolean,
  tape: Tape | undefined,
  seen: Seen | undefined,
): HostFunction["call"] {
  const steps = stepsOf(row, kinds);
  const numbers = steps.filter(({ type }) => typeof type !== "object");
  const refs = steps.filter(({ type }) => typeof type === "object");
  const transfer = row.transfer && {
    handle: steps[row.transfer.handle]!.value,
    offset: steps[row.transfer.offset]!,
    length: steps[row.transfer.length]!,
    end: row.transfer.end === true,
  };
  const destroyed = row.destroys === undefined ? undefined : steps[row.destroys]!;
  const hasStatus = row.results[0]?.name === "status";
  const blockBytes = packed ? packedSize(row) : 0;
  const blockWord = wordIndices(row.params).at(-1)!;
  const answer = seen === undefined ? answerOf(row, packed) : noting(seen, answerOf(row, packed));
  const plain = hasStatus ? guarded(row, body) : (body as LooseBody);
  const run = tape === undefined ? plain : tape.body(row, plain);
  const call = new Call(row.results.length);

  return (caller, ...words) => {
    const given: unknown[] = [];
    takeNumbers(numbers, words, given);
    if (transfer !== undefined) checkHostOffset(words, transfer.offset.word, words[transfer.length.word]! >>> 0);
    const block = packed ? words[blockWord]! >>> 0 : 0;
    if (packed) checkBlock(caller, block, blockBytes);
    const stale = takeRefs(refs, caller.heap, words, given);

    call.begin(caller);
    let first: number | undefined;
    if (stale) first = destroyed === undefined ? Status.STALE : Status.OK;
    else if (transfer !== undefined && isMisplaced(given[transfer.handle], given[transfer.offset.value], transfer.end))
      first = Status.INVALID;
    else first = run(call, given[0], given[1], given[2], given[3], given[4]);
    if (destroyed !== undefined) destroy(caller.heap, words, destroyed);
    if (hasStatus && first !== Status.OK) call.begin(caller);
    return answer(caller, call, first, block);
  };
}

/** Most values of a body. They are passed one by one: spreading an array costs more than the checks of a small call. */
export const MOST_VALUES = 5;

/** Checks the numeric parameters and hands them to `given`. */
function takeNumbers(steps: readonly Step[], words: readonly number[], given: unknown[]): void {
  for (let k = 0; k < steps.length; k++) {
    const { type, word, value, maximum, exact, name } = steps[k]!;
    let number = words[word]!;
    if (exact) {
      given[value] = wideValue(type, number, words[word + 1]!);
      continue;
    }
    if (type === "u32") number >>>= 0;
    else if (type === "i64" || type === "u64") number = numberOf(type, number, words[word + 1]!);
    if (number > maximum) throw new Fault(TrapCode.BadArgument, `${name} is ${number}, above ${maximum}`);
    if (value >= 0) given[value] = number;
  }
}

/** Checks the HeapRefs and windows and hands what they stand for to `given`; true when one is STALE. */
function takeRefs(steps: readonly Step[], heap: Heap, words: readonly number[], given: unknown[]): boolean {
  let stale = false;
  for (let k = 0; k < steps.length; k++) {
    const step = steps[k]!;
    const low = words[step.word]!;
    const high = words[step.word + 1]!;
    if (step.windowOffset >= 0) {
      given[step.value] = heap.window(low, high, words[step.windowOffset]!, words[step.windowLength]!);
      continue;
    }
    if (step.nullable && low === 0 && high === 0) {
      given[step.value] = undefined;
      continue;
    }
    const object = objectOf(heap, low, high, step);
    given[step.value] = object;
    if (object === STALE_OBJECT) stale = true;
  }
  return stale;
}

function checkBlock({ memory }: Caller, at: number, size: number): void {
  if (at + size > (memory === undefined ? 0 : memory.bytes.length))
    throw new Fault(TrapCode.BadPointer, `${size} bytes of results at ${at}`);
}

function destroy(heap: Heap, words: readonly number[], { word }: Step): void {
  const low = words[word]!;
  const high = words[word + 1]!;
  heap.destroy(low, high, heap.kindOf(low, high));
}

/** The host's object behind a ref of one of the step's kinds. */
function objectOf(heap: Heap, low: number, high: number, { kinds, name }: Step): unknown {
  const kind = heap.kindOf(low, high);
  if (!kinds.includes(kind)) throw new Fault(TrapCode.HeapRefKind, name);
  return heap.object(low, high, kind);
}

/** Spec ABI-TRANSFER-2: an offset below -1, or one whose sum with the length passes 2^63 - 1, is a bad argument. */
function checkHostOffset(words: readonly number[], at: number, length: number): void {
  const low = words[at]! >>> 0;
  const high = words[at + 1]! | 0;
  const belowMinusOne = high < 0 && !(high === -1 && low === 0xffff_ffff);
  if (belowMinusOne) throw new Fault(TrapCode.BadArgument, "host_offset is negative");
  if (high === 0x7fff_ffff && low + length > 0xffff_ffff)
    throw new Fault(TrapCode.BadArgument, "host_offset + max_bytes is over 2^63 - 1");
}

/** Spec ABI-TRANSFER-3. -1 where offsets count is a negative offset, or the end; an offset where none counts is INVALID. */
function isMisplaced(handle: unknown, offset: unknown, end: boolean): boolean {
  const { positional } = handle as TransferHandle;
  if (positional && offset === -1 && !end) throw new Fault(TrapCode.BadArgument, "host_offset is negative");
  return !positional && offset !== -1;
}

/** The body of a row with a status: host errors become OTHER, undeclared statuses a Panic (spec ABI-STATUS-2, ABI-PANIC-1). */
function guarded(row: Syscall, body: SyscallBody): LooseBody {
  const declared = new Set<number | undefined>([Status.OK, ...row.statuses.map((name) => Status[name])]);
  const run = body as LooseBody;
  return (call, a, b, c, d, e) => {
    let status: number | undefined;
    try {
      status = run(call, a, b, c, d, e);
    } catch (error) {
      if (error instanceof Fault || error instanceof Exit || error instanceof AshlarError) throw error;
      status = Status.OTHER;
    }
    if (status === Status.OK || declared.has(status)) return status;
    throw new Panic(
      `${row.module}.${row.name} answered ${statusName(status ?? -1) ?? status}, which it does not declare`,
    );
  };
}

type Answer = (caller: Caller, call: Call, first: number | undefined, pointer: number) => number | undefined;

/** How the results of a row leave: as the one value, as several values, or packed at a pointer. */
function answerOf(row: Syscall, packed: boolean): Answer {
  const wide = row.results.map(({ type }) => wordsOf(type) === 2);
  if (packed)
    return (caller, call, first, pointer) => {
      const bytes = caller.memory!.bytes;
      let at = pointer;
      for (let k = 1; k < wide.length; k++) {
        at = storeWord(bytes, at, call.low[k]!);
        if (wide[k]) at = storeWord(bytes, at, call.high[k]!);
      }
      return first;
    };
  if (wide.length === 1 && !wide[0]) return (_caller, _call, first) => first;
  const firstInCall = wide[0] === true;
  return (caller, call, first) => {
    for (let k = 0; k < wide.length; k++) {
      if (wide[k]) caller.results.setI64(k, call.low[k]!, call.high[k]!);
      else caller.results.setI32(k, k === 0 && !firstInCall ? first! : call.low[k]!);
    }
    return undefined;
  };
}

/** Keeps what `answer` hands out where the observer finds it. */
function noting(seen: Seen, answer: Answer): Answer {
  return (caller, call, first, pointer) => {
    seen.call = call;
    seen.first = first;
    return answer(caller, call, first, pointer);
  };
}

function storeWord(bytes: Uint8Array, at: number, word: number): number {
  bytes[at] = word;
  bytes[at + 1] = word >>> 8;
  bytes[at + 2] = word >>> 16;
  bytes[at + 3] = word >>> 24;
  return at + 4;
}

/** Size in bytes of the result block of `name_p` (spec ABI-FORM-2). */
export function packedSize(row: Syscall): number {
  return row.results.slice(1).reduce((size, { type }) => size + 4 * wordsOf(type), 0);
}
