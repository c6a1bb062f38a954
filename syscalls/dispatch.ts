/**
 * From the rows of `table.ts` and an implementation to the host functions that an instance imports. What a row implies is
 * checked in the order of spec ABI-ORDER-1: capability, numbers, result pointer, HeapRefs and windows; only then does the
 * implementation run. The checks themselves are those of `checks.ts`.
 */
import { functionTypeOf, packedTypeOf } from "../vm/declaration.ts";
import { AshlarError } from "../vm/errors.ts";
import { type Caller, checkCharge, type HostFunction } from "../vm/function.ts";
import type { Heap, Kind } from "../vm/heap.ts";
import { BYTES_KIND, STALE_OBJECT } from "../vm/heap.ts";
import { Fault, TrapCode } from "../vm/trap.ts";
import {
  checkBlock,
  checkHostOffset,
  forgetView,
  type Part,
  partsOf,
  placeOf,
  takeNumber,
  takeRef,
  takeWindow,
} from "./checks.ts";
import { Exit } from "./exit.ts";
import { type Observer, observed, type Seen } from "./observe.ts";
import { Panic } from "./panic.ts";
import { Status, statusName } from "./status.ts";
import type { Syscall } from "./table.ts";
import { valueIndices, wordIndices, wordsOf } from "./words.ts";

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

/** What a body gets to know of its call, and where it leaves its results. Integers only. */
export class Call {
  readonly caller: Caller;
  readonly low: Int32Array;
  readonly high: Int32Array;

  constructor(caller: Caller, results: number) {
    this.caller = caller;
    this.low = new Int32Array(results);
    this.high = new Int32Array(results);
  }
  /** Hears what the body is about to charge (spec REC-EVENT-6). */
  charging: ((fuel: number) => void) | undefined;

  /** Forgets what an earlier call has set, or this one before it failed. */
  clear(): void {
    const { low, high } = this;
    for (let k = 0; k < low.length; k++) {
      low[k] = 0;
      high[k] = 0;
    }
  }
  get heap(): Heap {
    return this.caller.heap;
  }
  /**
   * Charges more fuel for this call, an integer from 0 to 2^43: before it has any effect, since where fuel runs out the call
   * ends here, and may be made again (spec VM-HOST-5).
   */
  charge(fuel: number): void {
    if (this.charging !== undefined) {
      checkCharge(fuel);
      this.charging(fuel);
    }
    this.caller.charge(fuel);
  }
  /** Sets result `index` to an integer between -2^53 and 2^53. */
  set(index: number, value: number): void {
    this.setWords(index, value, Math.floor(value / 0x1_0000_0000));
  }
  /** Sets result `index` to a 64-bit integer, modulo 2^64. */
  setBig(index: number, value: bigint): void {
    BIG[0] = value;
    this.setWords(index, BIG_WORDS[0]!, BIG_WORDS[1]!);
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

/** Makes words of a bigint, a few times as fast as shifting it. */
const BIG = new BigInt64Array(1);
const BIG_WORDS = new Int32Array(BIG.buffer);

/** A body as the dispatcher calls it, and what stands around it. */
export type LooseBody = (call: Call, ...values: unknown[]) => number | undefined;

/** What stands between dispatcher and bodies: a recorder, which runs them, or a player, which answers instead (spec 19a). */
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
  /** Takes what lets go of what functions keep of whoever called last, for functions that outlive their callers. */
  readonly releases?: (() => void)[] | undefined;
}

export type HostFunctions = { readonly [module: string]: { readonly [name: string]: HostFunction } };

/**
 * The imports for `rows`: `name` for each, and `name_p` for each with several results (spec ABI-FORM-1 and 2). `granted`
 * names the capabilities that the instance holds; a row that needs another one links and traps when called.
 * Throws a Panic when `implementation` and `rows` do not fit; so does asking for the function of a row that cannot be.
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
export function makeLazily(own: { [name: string]: HostFunction }, name: string, make: () => HostFunction): void {
  const get = (): HostFunction => {
    const value = make();
    Object.defineProperty(own, name, { value, enumerable: true });
    return value;
  };
  Object.defineProperty(own, name, { get, enumerable: true, configurable: true });
}

type Bind = NonNullable<HostFunction["bind"]>;
type Bound = ReturnType<Bind>;

/** One of the two forms of a row: what is the same for all who call it. */
interface Form {
  readonly row: Syscall;
  readonly packed: boolean;
  readonly parts: readonly Part[];
  /** Words of a call, without the pointer to a result block. */
  readonly words: number;
  readonly body: LooseBody;
  readonly hasStatus: boolean;
  /** What {@link run} lets the body answer; undefined where it does not look. */
  readonly statuses: ReadonlySet<number | undefined> | undefined;
  /** By result: has it 64 bits? */
  readonly wide: readonly boolean[];
  readonly blockBytes: number;
  /** True when the first result is returned; else all of them are set. */
  readonly returns: boolean;
  readonly seen: Seen | undefined;
}

function hostFunction(
  row: Syscall,
  body: SyscallBody,
  kinds: readonly Kind[],
  packed: boolean,
  missing: boolean,
  { observe, tape, releases }: DispatchOptions,
): HostFunction {
  checkRow(row, kinds);
  const { fuel, mayFree } = row;
  const type = packed ? packedTypeOf(row) : functionTypeOf(row);
  const form = formOf(row, body as LooseBody, kinds, packed, observe !== undefined);
  const bind = missing ? refuse(row) : tape === undefined ? binder(form) : binder(taped(form, tape));
  const { call: unboundCall, release } = unbound(bind, form);
  releases?.push(release);
  let call = unboundCall;
  if (tape !== undefined && !missing) call = announced(call, tape);
  if (observe !== undefined) call = observed(row, packed, call, kinds, form.seen!, observe);
  const made: HostFunction = { type, fuel, mayFree, call };
  // A bound function goes past those who listen; and past another `call`, so that a copy must not have it.
  if (observe === undefined && (tape === undefined || missing)) Object.defineProperty(made, "bind", { value: bind });
  return made;
}

function formOf(row: Syscall, body: LooseBody, kinds: readonly Kind[], packed: boolean, isSeen: boolean): Form {
  const hasStatus = row.results[0]?.name === "status";
  const wide = row.results.map(({ type }) => wordsOf(type) === 2);
  return {
    row,
    packed,
    parts: partsOf(row, kinds),
    words: wordIndices(row.params).at(-1)!,
    body,
    hasStatus,
    statuses: hasStatus ? new Set([Status.OK, ...row.statuses.map((name) => Status[name])]) : undefined,
    wide,
    blockBytes: packed ? packedSize(row) : 0,
    returns: packed || (wide.length === 1 && !wide[0]),
    seen: isSeen ? { call: undefined, first: undefined } : undefined,
  };
}

/** The form with its body on the tape, which hears the statuses as they are answered. */
function taped(form: Form, tape: Tape): Form {
  const body = tape.body(form.row, (call, a, b, c, d, e) => run(form, call, a, b, c, d, e));
  return { ...form, body, statuses: undefined };
}

function announced(call: HostFunction["call"], tape: Tape): HostFunction["call"] {
  return (caller, ...words) => {
    tape.words = words;
    return call(caller, ...words);
  };
}

function refuse(row: Syscall): Bind {
  return () => () => {
    throw new Fault(TrapCode.MissingCapability, `${row.module}.${row.name} needs the grant "${row.capability}"`);
  };
}

/** For whoever calls. What was bound last is kept, until it is released: as a rule there is one caller. */
function unbound(bind: Bind, { parts }: Form): { readonly call: HostFunction["call"]; readonly release: () => void } {
  let known: Caller | undefined;
  let bound: Bound | undefined;
  return {
    call: (caller, ...words) => {
      if (caller !== known) {
        bound = bind(caller);
        known = caller;
      }
      return bound!(...words);
    },
    release: () => {
      known = undefined;
      bound = undefined;
      for (const part of parts) forgetView(part);
    },
  };
}

/**
 * The wrapper of a body. {@link bindAny} does for every row, but its words and values go through arrays, which takes
 * longer than all checks; so the shapes of frequent calls have wrappers of their own, three times as fast.
 */
function binder(form: Form): Bind {
  const { row, packed, returns, hasStatus, seen } = form;
  const shape = form.parts.map(({ what, word, offset, length }) => `${what}@${[word, offset, length]}`).join(" ");
  if (form.words === 0 && returns && !packed && !hasStatus && seen === undefined) return (by) => bindBare(form, by);
  if (row.destroys === undefined) {
    if (!packed && ONE_VALUE.includes(shape)) return (by) => bindOne(form, by);
    if (shape === TRANSFER) return (by) => bindTransfer(form, by);
  }
  return (by) => bindAny(form, by);
}

/** Shapes: what each value is, and its words. */
const ONE_VALUE: readonly string[] = ["number@0,0,0", "ref@0,0,0", "window@0,2,3"];
const TRANSFER = "ref@0,0,0 number@2,0,0 window@4,6,7";

/** Nothing to check, one result of 32 bits. */
function bindBare({ body }: Form, caller: Caller): Bound {
  const call = new Call(caller, 0);
  return () => {
    caller.look?.();
    return body(call);
  };
}

/** One value. */
function bindOne(form: Form, caller: Caller): Bound {
  const call = new Call(caller, form.wide.length);
  const part = form.parts[0]!;
  return (a, b, c, d) => {
    caller.look?.();
    let value: unknown;
    if (part.what === "number") value = takeNumber(part, a!, b!);
    else if (part.what === "ref") value = takeRef(part, caller.heap, a!, b!);
    else value = takeWindow(part, caller.heap, a!, b!, c!, d!);
    call.clear();
    return leave(form, call, value === STALE_OBJECT ? Status.STALE : run(form, call, value), 0);
  };
}

/** A handle, an offset and a window, as `fs.read`, `fs.write` and `fs.list`. */
function bindTransfer(form: Form, caller: Caller): Bound {
  const call = new Call(caller, form.wide.length);
  const [handlePart, offsetPart, windowPart] = form.parts as [Part, Part, Part];
  const { packed, blockBytes } = form;
  const { transfer } = form.row;
  const toEnd = transfer?.end === true;
  return (low, high, offsetLow, offsetHigh, bytesLow, bytesHigh, start, length, pointer) => {
    caller.look?.();
    const offset = takeNumber(offsetPart, offsetLow!, offsetHigh!);
    if (transfer !== undefined) checkHostOffset(offsetLow!, offsetHigh!, length!);
    if (packed) checkBlock(caller, pointer!, blockBytes);
    const { heap } = caller;
    const handle = takeRef(handlePart, heap, low!, high!);
    const window = takeWindow(windowPart, heap, bytesLow!, bytesHigh!, start!, length!);
    let status: number | undefined = handle === STALE_OBJECT ? Status.STALE : Status.OK;
    if (transfer !== undefined) status = placeOf(handle, offset, toEnd);
    call.clear();
    if (status === Status.OK) status = run(form, call, handle, offset, window);
    return leave(form, call, status, pointer!);
  };
}

/** Any row; its words go through an array. */
function bindAny(form: Form, caller: Caller): Bound {
  const { row, parts, packed, blockBytes } = form;
  const call = new Call(caller, form.wide.length);
  const words = new Array<number>(form.words + (packed ? 1 : 0)).fill(0);
  const values = new Array<unknown>(MOST_VALUES).fill(undefined);
  const { transfer, destroys = -1 } = row;
  const at = wordIndices(row.params);
  const of = valueIndices(row);
  // An array of rest parameters that goes nowhere is never made.
  return (...given) => {
    caller.look?.();
    for (let k = 0; k < words.length; k++) words[k] = given[k]!;
    for (let k = 0; k < parts.length; k++) {
      const part = parts[k]!;
      if (part.what === "number") values[k] = takeNumber(part, words[part.word]!, words[part.word + 1]!);
    }
    if (transfer !== undefined)
      checkHostOffset(words[at[transfer.offset]!]!, words[at[transfer.offset]! + 1]!, words[at[transfer.length]!]!);
    const pointer = words[form.words]!;
    if (packed) checkBlock(caller, pointer, blockBytes);
    const { heap } = caller;
    let status: number | undefined = Status.OK;
    for (let k = 0; k < parts.length; k++) {
      const part = parts[k]!;
      if (part.what === "number") continue;
      const low = words[part.word]!;
      const high = words[part.word + 1]!;
      if (part.what === "ref") values[k] = takeRef(part, heap, low, high);
      else values[k] = takeWindow(part, heap, low, high, words[part.offset]!, words[part.length]!);
      if (values[k] === STALE_OBJECT) status = Status.STALE;
    }
    if (transfer !== undefined && status === Status.OK)
      status = placeOf(values[of[transfer.handle]!], values[of[transfer.offset]!], transfer.end === true);
    call.clear();
    if (status === Status.OK) status = run(form, call, values[0], values[1], values[2], values[3], values[4]);
    else if (destroys >= 0) status = Status.OK;
    if (destroys >= 0) destroy(heap, words[at[destroys]!]!, words[at[destroys]! + 1]!);
    return leave(form, call, status, pointer);
  };
}

/** Most values of a body. They are passed one by one: spreading an array costs more than the checks of a small call. */
export const MOST_VALUES = 5;

/** Runs the body. Of a row with a status, host errors become OTHER, undeclared statuses a Panic (spec ABI-STATUS-2, ABI-PANIC-1). */
function run(
  { body, statuses, row }: Form,
  call: Call,
  a?: unknown,
  b?: unknown,
  c?: unknown,
  d?: unknown,
  e?: unknown,
): number | undefined {
  if (statuses === undefined) return body(call, a, b, c, d, e);
  let status: number | undefined;
  try {
    status = body(call, a, b, c, d, e);
  } catch (error) {
    if (error instanceof Fault || error instanceof Exit || error instanceof AshlarError) throw error;
    status = Status.OTHER;
  }
  if (status === Status.OK || statuses.has(status)) return status;
  throw new Panic(
    `${row.module}.${row.name} answered ${statusName(status ?? -1) ?? status}, which it does not declare`,
  );
}

function destroy(heap: Heap, low: number, high: number): void {
  heap.destroy(low, high, heap.kindOf(low, high));
}

/** Answers with the results: stored at the pointer, set, or the only one. */
function leave(form: Form, call: Call, first: number | undefined, pointer: number): number | undefined {
  const { wide, seen } = form;
  const { caller } = call;
  if (form.hasStatus && first !== Status.OK) call.clear();
  if (seen !== undefined) {
    seen.call = call;
    seen.first = first;
  }
  const { low, high } = call;
  if (form.packed) {
    const { bytes } = caller.memory!;
    let at = pointer >>> 0;
    for (let k = 1; k < wide.length; k++) {
      at = storeWord(bytes, at, low[k]!);
      if (wide[k]) at = storeWord(bytes, at, high[k]!);
    }
    return first;
  }
  if (form.returns) return first;
  const { results } = caller;
  for (let k = 0; k < wide.length; k++) {
    if (wide[k]) results.setI64(k, low[k]!, high[k]!);
    else results.setI32(k, k === 0 ? first! : low[k]!);
  }
  return undefined;
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
