/** WASI preview 1 as functions that guests import (spec 18), on top of the syscalls of one store. */
import { functionTypeOf } from "../../vm/declaration.ts";
import type { HostFunction } from "../../vm/function.ts";
import type { Kind } from "../../vm/heap.ts";
import { Call, type HostFunctions, makeLazily } from "../dispatch.ts";
import { type Observer, observed } from "../observe.ts";
import type { Json } from "../recording-file.ts";
import { WASI_FUNCTIONS, WASI_MODULE, type WasiFunction } from "./table.ts";
import { Wasi } from "./wasi.ts";

export interface Personality {
  /** By the module and names that programs import. */
  readonly imports: HostFunctions;
  /** Forgets the guest that it served: the next begins. */
  renew(): void;
  /** For snapshots (spec WASI-SNAPSHOT-1). */
  save(): Json;
  restore(saved: Json): (() => void) | undefined;
}

/** `syscalls` are the host functions of `fs` and `sys` for the same store; `observe` hears of the functions, too. */
export function createPersonality(
  syscalls: HostFunctions,
  kinds: readonly Kind[],
  observe: Observer | undefined,
): Personality {
  // Most guests are none of WASI's.
  let made: Wasi | undefined;
  const wasi = (): Wasi => {
    made ??= new Wasi(syscalls);
    return made;
  };
  const functions: { [name: string]: HostFunction } = {};
  for (const one of WASI_FUNCTIONS)
    makeLazily(functions, one.row.name, () => hostFunction(one, wasi(), kinds, observe));
  return {
    imports: { [WASI_MODULE]: functions },
    renew: () => made?.renew(),
    save: () => made?.save() ?? null,
    restore: (saved) => wasi().restore(saved),
  };
}

function hostFunction(
  { row, body }: WasiFunction,
  wasi: Wasi,
  kinds: readonly Kind[],
  observe: Observer | undefined,
): HostFunction {
  const run = body as (wasi: Wasi, ...words: readonly (number | undefined)[]) => number;
  const { fuel, mayFree } = row;
  const type = functionTypeOf(row);
  const call: HostFunction["call"] = (caller, ...words) => {
    wasi.enter(caller);
    return run(wasi, ...words);
  };
  if (observe !== undefined) {
    const seen = { call: new Call(wasi.gate, 1), first: 0 };
    const heard: HostFunction["call"] = (caller, ...words) => {
      seen.first = call(caller, ...words) as number;
      return seen.first;
    };
    return { type, fuel, mayFree, call: observed(row, false, heard, kinds, seen, observe) };
  }
  // As many words as the longest has; a function takes the first of them.
  const bind: NonNullable<HostFunction["bind"]> = (caller) => (a, b, c, d, e, f, g, h, i, j, k) => {
    caller.look?.();
    wasi.gate.outer = caller;
    return run(wasi, a, b, c, d, e, f, g, h, i, j, k);
  };
  return { type, fuel, mayFree, call, bind };
}
