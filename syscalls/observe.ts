/** What an observer hears of the calls that guests make (spec ABI-TRACE-1 to 3). */
import type { ParameterType } from "../vm/declaration.ts";
import type { HostFunction } from "../vm/function.ts";
import type { Heap, Kind } from "../vm/heap.ts";
import { BYTES_KIND } from "../vm/heap.ts";
import { Fault, TrapCode, type TrapName, trapName } from "../vm/trap.ts";
import type { Call } from "./dispatch.ts";
import { Exit } from "./exit.ts";
import { Status } from "./status.ts";
import type { Syscall, Window } from "./table.ts";
import { wideValue, wordIndices, wordsOf } from "./words.ts";

/** A parameter or result: 64 bits as a bigint, a HeapRef as slot + 2^32 × generation. */
export type CallValue = number | bigint;

export type CallEnd =
  | {
      readonly type: "returned";
      readonly results: readonly CallValue[];
      /** By result: the kind of a HeapRef that is not null. */
      readonly kinds: readonly (string | undefined)[];
    }
  | { readonly type: "trap"; readonly trap: TrapName; readonly detail: string | undefined }
  | { readonly type: "exit"; readonly exitCode: number }
  /** A defect, of which the guest never hears. */
  | { readonly type: "error"; readonly error: unknown };

/** The beginning of the bytes of a window: those the guest gave, or those the call wrote. */
export interface Glimpse {
  readonly bytes: Uint8Array;
  /** How many there are in all. */
  readonly length: number;
}

/** One call that has ended. */
export interface CallEvent {
  readonly row: Syscall;
  /** True when the guest imports it as `name_p`. */
  readonly packed: boolean;
  /** Creation number of the calling instance in its store. */
  readonly instance: number;
  /** Fuel used in the store by then, this call included. */
  readonly fuel: bigint;
  readonly args: readonly CallValue[];
  /** By parameter: the kind of a HeapRef that was live at the call. */
  readonly kinds: readonly (string | undefined)[];
  /** By window of the row; undefined where there was nothing to see. */
  readonly windows: readonly (Glimpse | undefined)[];
  readonly end: CallEnd;
}

/** Hears of a call when it has ended. What it throws ends the invocation. */
export type Observer = (event: CallEvent) => void;

/** Most bytes of a glimpse of text, a path as a rule, and of other bytes. */
const TEXT_BYTES = 4096;
const DATA_BYTES = 32;

/** Where the dispatcher leaves the results of a call that returns. */
export interface Seen {
  call: Call | undefined;
  first: number | undefined;
}

/** A host function that tells `observe` of each call; `call` leaves its results in `seen`. */
export function observed(
  row: Syscall,
  packed: boolean,
  call: HostFunction["call"],
  kinds: readonly Kind[],
  seen: Seen,
  observe: Observer,
): HostFunction["call"] {
  const at = wordIndices(row.params);
  const names = new Map([BYTES_KIND, ...kinds].map(({ id, name }) => [id, name]));
  const kindOf = (heap: Heap, type: ParameterType, low: number, high: number): string | undefined =>
    typeof type === "object" ? unlessFault(() => names.get(heap.kindOf(low, high))) : undefined;

  return (caller, ...words) => {
    const { heap } = caller;
    const glimpse = (window: Window, length: number): Glimpse | undefined => {
      const ref = at[window.ref]!;
      const shown = Math.min(length, window.text ? TEXT_BYTES : DATA_BYTES);
      return unlessFault(() => {
        // All of it is looked for, so that nothing is shown of a window that leaves its object.
        const view = heap.window(words[ref]!, words[ref + 1]!, words[at[window.offset]!]!, length);
        return { bytes: Uint8Array.from(view.subarray(0, shown)), length };
      });
    };
    const given = (window: Window): number => words[at[window.length]!]! >>> 0;
    const event: Omit<CallEvent, "end" | "fuel"> = {
      row,
      packed,
      instance: caller.instance,
      args: row.params.map(({ type }, k) => callValue(type, words[at[k]!]!, words[at[k]! + 1]!)),
      kinds: row.params.map(({ type }, k) => kindOf(heap, type, words[at[k]!]!, words[at[k]! + 1]!)),
      windows: row.windows.map((window) => (window.written === undefined ? glimpse(window, given(window)) : undefined)),
    };
    let returned: ReturnType<typeof call>;
    try {
      returned = call(caller, ...words);
    } catch (error) {
      // For want of fuel it was not made, and may be again.
      if (error instanceof Fault && error.code === TrapCode.OutOfFuel) throw error;
      observe({ ...event, fuel: caller.fuelUsed(), end: endOf(error) });
      throw error;
    }
    const { low, high } = seen.call!;
    const results = row.results.map(({ type }, k) =>
      k === 0 && wordsOf(type) === 1 ? callValue(type, seen.first!, 0) : callValue(type, low[k]!, high[k]!),
    );
    const isOk = row.results[0]?.name !== "status" || results[0] === Status.OK;
    const written = (window: Window): number => {
      if (!isOk) return 0;
      return window.written === "all" ? given(window) : (results[window.written!] as number);
    };
    observe({
      ...event,
      fuel: caller.fuelUsed(),
      windows: row.windows.map((window, k) =>
        window.written === undefined ? event.windows[k] : glimpse(window, written(window)),
      ),
      end: {
        type: "returned",
        results,
        kinds: row.results.map(({ type }, k) => kindOf(heap, type, low[k]!, high[k]!)),
      },
    });
    return returned;
  };
}

function callValue(type: ParameterType, low: number, high: number): CallValue {
  if (type === "f32" || type === "f64") return low;
  if (type === "i32") return low | 0;
  return type === "u32" ? low >>> 0 : wideValue(type, low, high);
}

function endOf(error: unknown): CallEnd {
  if (error instanceof Fault) return { type: "trap", trap: trapName(error.code), detail: error.detail };
  return error instanceof Exit ? { type: "exit", exitCode: error.exitCode } : { type: "error", error };
}

/** What `look` finds, or undefined where a guest could not look. */
function unlessFault<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}
