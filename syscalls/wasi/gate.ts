/** How the personality makes syscalls (spec WASI-SYSCALL-1): as a guest does, through their host functions. */
import type { Caller, Results } from "../../vm/function.ts";
import type { Heap } from "../../vm/heap.ts";
import type { Memory } from "../../vm/memory.ts";
import { Fault, type TrapCode } from "../../vm/trap.ts";
import type { Value } from "../../vm/value.ts";
import type { HostFunctions } from "../dispatch.ts";
import { SYSCALLS } from "../table.ts";

/** Most results of a syscall. */
const MOST_RESULTS = 8;

/** The guest that calls the personality, as the syscalls see it; their results are left in `low` and `high`. */
export class Gate implements Caller, Results {
  /** Set before every call. */
  outer!: Caller;
  readonly low: Int32Array = new Int32Array(MOST_RESULTS);
  readonly high: Int32Array = new Int32Array(MOST_RESULTS);

  get memory(): Memory | undefined {
    return this.outer.memory;
  }
  get heap(): Heap {
    return this.outer.heap;
  }
  get instance(): number {
    return this.outer.instance;
  }
  get results(): Results {
    return this;
  }
  fuelLeft(): bigint | undefined {
    return this.outer.fuelLeft();
  }
  fuelUsed(): bigint {
    return this.outer.fuelUsed();
  }
  charge(fuel: number): void {
    this.outer.charge(fuel);
  }
  trap(code: TrapCode, detail?: string): never {
    throw new Fault(code, detail);
  }
  reference(word: number, type: "funcref" | "externref"): Value {
    return this.outer.reference(word, type);
  }

  setI32(index: number, value: number): void {
    this.low[index] = value;
    this.high[index] = 0;
  }
  setI64(index: number, low: number, high: number): void {
    this.low[index] = low;
    this.high[index] = high;
  }
  setF32(): never {
    throw new RangeError("no syscall answers a float");
  }
  setF64(): never {
    throw new RangeError("no syscall answers a float");
  }
  setValue(): never {
    throw new RangeError("no syscall answers a reference");
  }

  /** Result `index` as an unsigned 64-bit integer, or the nearest number. */
  wide(index: number): number {
    return (this.high[index]! >>> 0) * 0x1_0000_0000 + (this.low[index]! >>> 0);
  }
}

/** Takes the words of a call. A single i32 is returned; any other result is left in the gate. */
export type Made = (...words: number[]) => number;

/** The syscalls that the personality makes. */
export type Syscalls = {
  readonly [name in
    | ("open" | "read" | "write" | "size" | "truncate" | "sync" | "stat" | "mkdir" | "rmdir" | "unlink" | "rename")
    | ("link" | "symlink" | "readlink" | "list" | "close" | "set_times" | "mount_count" | "mount_size" | "mount_read")
    | ("args_count" | "arg_size" | "arg_read" | "env_count" | "env_size" | "env_read" | "name_size" | "name_read")
    | ("clock" | "sleep" | "random" | "stdin" | "stdout" | "stderr" | "exit" | "interactive")]: Made;
};

/** Each is made when it is first asked for: most programs make few of them. */
export function syscallsThrough(gate: Gate, imports: HostFunctions): Syscalls {
  const made: { [name: string]: Made } = {};
  for (const { module, name } of SYSCALLS) {
    // Names are unique in the modules that the personality uses.
    if (module !== "fs" && module !== "sys") continue;
    const get = (): Made => {
      const host = imports[module]![name]!;
      const value = (host.bind?.(gate) ?? ((...words) => host.call(gate, ...words))) as Made;
      Object.defineProperty(made, name, { value });
      return value;
    };
    Object.defineProperty(made, name, { get, configurable: true });
  }
  return made as Syscalls;
}
