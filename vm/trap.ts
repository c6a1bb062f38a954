/**
 * Traps (spec VM-TRAP-1): a closed, append-only list. 1–49 belong to the VM, 50–99 to the heap and the host ABI. Where
 * V8 cannot tell two causes apart there is one code, so that both engines report the same.
 */
import { AshlarError } from "./errors.ts";

export const TrapCode = {
  Unreachable: 1,
  IntegerDivideByZero: 2,
  IntegerOverflow: 3,
  InvalidConversion: 4,
  MemoryOutOfBounds: 5,
  TableOutOfBounds: 6,
  IndirectCall: 7,
  OutOfFuel: 8,
  StackExhausted: 9,
  HeapRefNull: 50,
  HeapRefStale: 51,
  HeapRefKind: 52,
  HeapWindow: 53,
  HeapRefFixed: 54,
  BadArgument: 60,
  MissingCapability: 61,
  BadPointer: 62,
  UnknownImport: 63,
} as const;
export type TrapCode = (typeof TrapCode)[keyof typeof TrapCode];
export type TrapName = keyof typeof TrapCode;

/** What each trap says to a person. */
export const TRAP_MESSAGES: { readonly [name in TrapName]: string } = {
  Unreachable: "unreachable executed",
  IntegerDivideByZero: "integer divide by zero",
  IntegerOverflow: "integer overflow: the quotient does not fit",
  InvalidConversion: "the float is not representable in the integer type",
  MemoryOutOfBounds: "memory access out of bounds",
  TableOutOfBounds: "table access out of bounds",
  IndirectCall: "indirect call to null or to a function of another type",
  OutOfFuel: "out of fuel",
  StackExhausted: "call stack exhausted",
  HeapRefNull: "null HeapRef",
  HeapRefStale: "stale or forged HeapRef",
  HeapRefKind: "HeapRef of another kind",
  HeapWindow: "byte window out of bounds",
  HeapRefFixed: "this HeapRef cannot be destroyed",
  BadArgument: "argument out of its range",
  MissingCapability: "the capability was not granted",
  BadPointer: "pointer outside the guest's memory",
  UnknownImport: "call of an import that nothing provides",
};

const NAMES = new Map<number, TrapName>(Object.entries(TrapCode).map(([name, code]) => [code, name as TrapName]));

/** Name of a trap code; throws RangeError for a number that is none. */
export function trapName(code: number): TrapName {
  const name = NAMES.get(code);
  if (name === undefined) throw new RangeError(`no trap has the code ${code}`);
  return name;
}

/** One guest frame of a backtrace. */
export interface Frame {
  /** Function index in the guest's module. */
  readonly function: number;
  /** Byte offset in the guest's module of the instruction that trapped or called. */
  readonly offset: number;
  /** From the name section or an export, if there is one. */
  readonly name: string | undefined;
  /** Creation number of the instance in its store. */
  readonly instance: number;
}

/** Innermost frames kept in a backtrace (spec VM-TRAP-4). */
export const BACKTRACE_FRAMES = 64;

/** The end of an invocation by a structural error. */
export class Trap extends AshlarError {
  readonly code: TrapCode;
  readonly reason: TrapName;
  /** Function index and byte offset of the opcode, in the guest's module; -1 when no guest instruction was running. */
  readonly function: number;
  readonly offset: number;
  /** Fuel used by the store, as `Instance.fuelUsed` is after the trap (spec VM-FUEL-7). */
  readonly fuel: bigint;
  /** True for OutOfFuel on the reference engine: `Instance.resume` goes on. */
  readonly resumable: boolean;
  /** Innermost first, at most {@link BACKTRACE_FRAMES}. */
  readonly backtrace: readonly Frame[];

  constructor(
    code: TrapCode,
    detail: string | undefined,
    fuel: bigint,
    resumable: boolean,
    backtrace: readonly Frame[],
  ) {
    const reason = trapName(code);
    super(detail === undefined ? TRAP_MESSAGES[reason] : `${TRAP_MESSAGES[reason]}: ${detail}`);
    this.name = "Trap";
    this.code = code;
    this.reason = reason;
    this.fuel = fuel;
    this.resumable = resumable;
    this.backtrace = backtrace;
    this.function = backtrace[0]?.function ?? -1;
    this.offset = backtrace[0]?.offset ?? -1;
  }
}

/**
 * What code below an engine (heap, host functions) throws to trap; the engine turns it into a {@link Trap} with the
 * site, the fuel and the backtrace. Not an Error: it never reaches a user.
 */
export class Fault {
  readonly code: TrapCode;
  readonly detail: string | undefined;
  constructor(code: TrapCode, detail?: string) {
    this.code = code;
    this.detail = detail;
    captureStack(this);
  }
}

/** Fuel ran out in a host function that has done nothing yet: the guest's call can be made again. */
export class Exhausted extends Fault {
  constructor() {
    super(TrapCode.OutOfFuel);
  }
}

const V8 = Error as unknown as { captureStackTrace?: (holder: object) => void; stackTraceLimit?: number };
/** Of a host function that faults deep in a recursion of its own, and of the guest below it. */
const FAULT_FRAMES = 10_000;

/** On V8: the compiled engine finds the guest's frames in it. */
function captureStack(holder: object): void {
  if (!V8.captureStackTrace) return;
  const limit = V8.stackTraceLimit;
  Reflect.set(V8, "stackTraceLimit", FAULT_FRAMES);
  V8.captureStackTrace(holder);
  if (limit === undefined) Reflect.deleteProperty(V8, "stackTraceLimit");
  else Reflect.set(V8, "stackTraceLimit", limit);
}
