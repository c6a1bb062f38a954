/** Calls from compiled code into JavaScript: host functions, and the calls of `bytes` that are not inlined. */
import type { FunctionType, ValueType } from "../bytecode/structure.ts";
import { BYTES_CALLS, runBytes } from "../bytes.ts";
import { functionTypeOf } from "../declaration.ts";
import { UsageError } from "../errors.ts";
import { type Caller, checkCharge, type HostFunction, type Results } from "../function.ts";
import type { Heap } from "../heap.ts";
import type { Instance } from "../instance.ts";
import type { Interruption } from "../interruption.ts";
import { Memory } from "../memory.ts";
import { NAN32, NAN64_HIGH } from "../reference/numeric.ts";
import type { Store } from "../store.ts";
import { Fault, TrapCode } from "../trap.ts";
import { fromCell, isReference, toCell, type Value } from "../value.ts";
import type { CompiledExecution } from "./execution.ts";
import type { References } from "./references.ts";

/**
 * The {@link Caller} of host calls of one instance, or of the embedder's. Results stand in cells at the start of the
 * heap's memory, where compiled code reads them.
 */
export class NativeCaller implements Caller, Results {
  readonly memory: Memory | undefined;
  readonly instance: number;
  /** Set while a signal is to be looked at; a bound function calls it first. */
  look: (() => void) | undefined;
  readonly #execution: CompiledExecution;
  readonly #store: Store;
  /** Of the function that runs; undefined for bound ones, which know what they set. */
  #type: FunctionType | undefined;

  constructor(execution: CompiledExecution, instance: Instance | undefined) {
    this.#execution = execution;
    this.#store = execution.store;
    this.memory = instance?.memory0 instanceof Memory ? instance.memory0 : undefined;
    this.instance = instance?.number ?? -1;
  }

  /** Before each call of a function that is not bound: results that it does not set are 0 or null. */
  enter(type: FunctionType): void {
    this.#type = type;
    const { words } = this.#store.heap;
    for (let k = 0; k < 2 * type.results.length; k++) words[k] = 0;
  }

  get heap(): Heap {
    return this.#store.heap;
  }

  get results(): Results {
    return this;
  }

  fuelLeft(): bigint | undefined {
    return this.#store.fuelLeft;
  }

  fuelUsed(): bigint {
    return this.#store.fuelUsed;
  }

  charge(fuel: number): void {
    checkCharge(fuel);
    if (!this.#execution.take(fuel)) throw new Fault(TrapCode.OutOfFuel);
  }

  trap(code: TrapCode, detail?: string): never {
    throw new Fault(code, detail);
  }

  reference(word: number, type: "funcref" | "externref"): Value {
    return fromCell(this.#store, type, Int32Array.of(word, 0), 0);
  }

  #check(index: number, type: ValueType): void {
    const expected = this.#type;
    if (expected !== undefined && expected.results[index] !== type)
      throw new UsageError("VM-ARGUMENT", `result ${index} is ${expected.results[index]}, not ${type}`);
  }

  setI32(index: number, value: number): void {
    this.#check(index, "i32");
    this.#store.heap.words[2 * index] = value;
  }

  setI64(index: number, low: number, high: number): void {
    this.#check(index, "i64");
    const { words } = this.#store.heap;
    words[2 * index] = low;
    words[2 * index + 1] = high;
  }

  setF32(index: number, value: number): void {
    this.#check(index, "f32");
    FLOAT[0] = value;
    this.#store.heap.words[2 * index] = value === value ? BITS[0]! : NAN32;
  }

  setF64(index: number, value: number): void {
    this.#check(index, "f64");
    DOUBLE[0] = value;
    const { words } = this.#store.heap;
    words[2 * index] = value === value ? BITS[0]! : 0;
    words[2 * index + 1] = value === value ? BITS[1]! : NAN64_HIGH;
  }

  setValue(index: number, value: Value): void {
    const type = this.#type?.results[index];
    if (type === undefined) throw new UsageError("VM-ARGUMENT", `there is no result ${index}`);
    toCell(this.#store, type, value, this.#store.heap.words, 2 * index);
  }
}

const DOUBLE = new Float64Array(1);
const FLOAT = new Float32Array(DOUBLE.buffer);
const BITS = new Int32Array(DOUBLE.buffer);

/** What compiled code gets from a call: a single i32, float or reference; it reads all else from the cells. */
type Returned = unknown;

/** The import `i{k}`: a function of as many parameters as `host.type` has words. */
export function hostImport(
  execution: CompiledExecution,
  host: HostFunction,
  shares: boolean,
  caller: NativeCaller,
  boundCaller: NativeCaller,
): Import {
  const { params, results } = host.type;
  const isBlock = results.length !== 1 || results[0] === "i64";
  const bound = shares || !(isBlock || results[0] === "i32") ? undefined : host.bind;
  const call = bound ? (bound.call(host, boundCaller) as Import) : unbound(execution, host, shares, caller);
  const { interruption } = execution.store;
  return interruption ? interruptible(call, wordCount(params), interruption) : call;
}

type Import = (...words: never[]) => Returned;

/** As `call`, with the two words of an interruption kept. Rest parameters would make an array for every call. */
function interruptible(call: Import, count: number, interruption: Interruption): Import {
  const run = call as (...words: number[]) => Returned;
  switch (count) {
    case 0:
      return () => {
        interruption.enter();
        try {
          return run();
        } finally {
          interruption.leave();
        }
      };
    case 1:
    case 2:
      return (a, b) => {
        interruption.enter();
        try {
          return run(a, b);
        } finally {
          interruption.leave();
        }
      };
    case 3:
    case 4:
      return (a, b, c, d) => {
        interruption.enter();
        try {
          return run(a, b, c, d);
        } finally {
          interruption.leave();
        }
      };
    case 5:
    case 6:
    case 7:
    case 8:
      return (a, b, c, d, e, f, g, h) => {
        interruption.enter();
        try {
          return run(a, b, c, d, e, f, g, h);
        } finally {
          interruption.leave();
        }
      };
    default:
      return (...words) => {
        interruption.enter();
        try {
          return run(...words);
        } finally {
          interruption.leave();
        }
      };
  }
}

/** Calls `host.call` with the caller, and makes of its result what V8 takes. */
function unbound(execution: CompiledExecution, host: HostFunction, shares: boolean, caller: NativeCaller): Import {
  const { type } = host;
  const { store, references } = execution;
  const single = type.results.length === 1 ? type.results[0] : undefined;
  const enter = (): NativeCaller => {
    const by = shares ? execution.caller(execution.callerNumber()) : caller;
    by.look?.();
    by.enter(type);
    return by;
  };
  const leave = (result: unknown): Returned => {
    switch (single) {
      case "i32":
        return result === undefined ? store.heap.words[0] : result;
      case "f32":
      case "f64":
        if (result === undefined) return cellFloat(store.heap.words, single);
        // JavaScript loses the bits of a NaN, so that code reads them from the cell. V8 converts what is no number.
        if (Number.isNaN(+(result as number))) {
          store.heap.words[0] = single === "f32" ? NAN32 : 0;
          store.heap.words[1] = NAN64_HIGH;
        }
        return result;
      case "funcref":
      case "externref":
        return references.fromNumber(single, store.heap.words[0]!);
      default:
        return undefined;
    }
  };
  const numbers = numbersOf(type.params, references);
  if (numbers) return (...words) => leave(host.call(enter(), ...numbers(words)));
  switch (wordCount(type.params)) {
    case 0:
      return () => leave(host.call(enter()));
    case 1:
      return (a) => leave(host.call(enter(), a));
    case 2:
      return (a, b) => leave(host.call(enter(), a, b));
    case 3:
      return (a, b, c) => leave(host.call(enter(), a, b, c));
    case 4:
      return (a, b, c, d) => leave(host.call(enter(), a, b, c, d));
    case 5:
      return (a, b, c, d, e) => leave(host.call(enter(), a, b, c, d, e));
    case 6:
      return (a, b, c, d, e, f) => leave(host.call(enter(), a, b, c, d, e, f));
    case 7:
      return (a, b, c, d, e, f, g) => leave(host.call(enter(), a, b, c, d, e, f, g));
    case 8:
      return (a, b, c, d, e, f, g, h) => leave(host.call(enter(), a, b, c, d, e, f, g, h));
    default:
      return (...words) => leave(host.call(enter(), ...words));
  }
}

function cellFloat(words: Int32Array, type: "f32" | "f64"): number {
  BITS[0] = words[0]!;
  BITS[1] = words[1]!;
  const value = type === "f32" ? FLOAT[0]! : DOUBLE[0]!;
  return value === value ? value : Number.NaN;
}

function wordCount(types: readonly ValueType[]): number {
  return types.length + types.filter((type) => type === "i64").length;
}

/** Turns references among the words into numbers; undefined when there are none. */
function numbersOf(
  types: readonly ValueType[],
  references: References,
): ((words: readonly unknown[]) => number[]) | undefined {
  if (!types.some(isReference)) return undefined;
  const kinds = types.flatMap((type) => (type === "i64" ? [type, type] : [type]));
  return (words) =>
    words.map((word, k) => {
      const kind = kinds[k]!;
      return isReference(kind) ? references.toNumber(kind, word) : (word as number);
    });
}

/** The import `b{row}`: words as for a host function, but floats as their bits. */
export function bytesImport(execution: CompiledExecution, row: number, instance: Instance): Import {
  const call = BYTES_CALLS[row]!;
  const { params, results } = functionTypeOf(call);
  const { store } = execution;
  const scratch = new Int32Array(Math.max(2, 2 * params.length));
  const places: number[] = [];
  params.forEach((type, k) => {
    places.push(2 * k);
    if (type === "i64" || type === "f64") places.push(2 * k + 1);
  });
  const finish = answerOf(call.name, results, scratch, store);
  const run = (): Returned => {
    runBytes(call, store.heap, scratch, 0, instance);
    return finish();
  };
  const [p0 = 0, p1 = 0, p2 = 0, p3 = 0, p4 = 0] = places;
  switch (places.length) {
    case 0:
      return run;
    case 1:
      return (a) => {
        scratch[p0] = a;
        return run();
      };
    case 2:
      return (a, b) => {
        scratch[p0] = a;
        scratch[p1] = b;
        return run();
      };
    case 3:
      return (a, b, c) => {
        scratch[p0] = a;
        scratch[p1] = b;
        scratch[p2] = c;
        return run();
      };
    case 4:
      return (a, b, c, d) => {
        scratch[p0] = a;
        scratch[p1] = b;
        scratch[p2] = c;
        scratch[p3] = d;
        return run();
      };
    case 5:
      return (a, b, c, d, e) => {
        scratch[p0] = a;
        scratch[p1] = b;
        scratch[p2] = c;
        scratch[p3] = d;
        scratch[p4] = e;
        return run();
      };
    default:
      return (...words) => {
        places.forEach((place, k) => {
          scratch[place] = words[k]!;
        });
        return run();
      };
  }
}

/** Code reads a new ref's generation from the slot table, and words beyond the first from the result's cell. */
function answerOf(name: string, results: readonly ValueType[], scratch: Int32Array, store: Store): () => Returned {
  if (results.length === 0) return () => undefined;
  if (results[0] === "i32" || name === "new" || name === "of_memory") return () => scratch[0];
  return () => {
    const { words } = store.heap;
    words[0] = scratch[0]!;
    words[1] = scratch[1]!;
  };
}
