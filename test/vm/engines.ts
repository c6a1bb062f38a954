/** Tests that run on both engines and must show the same on each. */
import t, { type Test } from "tap";
import { loadWat } from "../../host/wat.ts";
import {
  AshlarError,
  type BigintFunction,
  type Caller,
  ExportedFunction,
  type HostFunction,
  type Imports,
  type Instance,
  type InstantiateOptions,
  Module,
  Store,
  type StoreOptions,
  Trap,
} from "../../vm/index.ts";
import { ENGINES, type Engine } from "./compare.ts";

/** What a test of one engine makes its modules, instances and stores by; it writes down everything that they show. */
export class Bench {
  readonly engine: Engine;
  /** Host calls, and of each invocation the outcome, the fuel and the state's digest. */
  readonly transcript: string[] = [];

  constructor(engine: Engine) {
    this.engine = engine;
  }

  get isReference(): boolean {
    return this.engine === "reference";
  }

  /** What only the reference engine can do; nothing of it is written down, and nothing behind it may depend on it. */
  onReference(act: () => void): void {
    if (!this.isReference) return;
    const { length } = this.transcript;
    act();
    this.transcript.length = length;
  }

  /** A module whose instances are on this engine. */
  async module(wat: string): Promise<Module> {
    return this.decode(await loadWat(wat));
  }

  decode(bytes: Uint8Array): Module {
    const module = Module.decode(bytes);
    const instantiate = module.instantiate.bind(module);
    module.instantiate = (options: InstantiateOptions = {}) => {
      const { store, fuel, limits, kinds, state, ...others } = options;
      const imports = options.imports && this.#traced(options.imports);
      if (store && (fuel !== undefined || limits || kinds || state)) return instantiate(options);
      return this.#record("instantiation", store, () => {
        const given = { ...others, ...(imports ? { imports } : {}) };
        if (store) return instantiate({ ...given, store });
        const own = this.store(storeOptions(options));
        return instantiate({ ...given, store: own });
      });
    };
    return module;
  }

  async instance(wat: string, options: InstantiateOptions = {}): Promise<Instance> {
    return (await this.module(wat)).instantiate(options);
  }

  store(options: StoreOptions = {}): Store {
    const store = new Store({ engine: this.engine, ...options });
    const call = store.call.bind(store);
    store.call = (address, args, given) =>
      this.#record(`${address}(${args.map(shown).join(", ")})`, store, () => call(address, args, given));
    return store;
  }

  #record<T>(what: string, store: Store | undefined, act: () => T): T {
    let outcome = "";
    let used = store;
    try {
      const result = act();
      if (Array.isArray(result)) outcome = result.map(shown).join(", ");
      else used = (result as Instance).store;
      return result;
    } catch (error) {
      outcome = failure(error);
      throw error;
    } finally {
      this.transcript.push(`${what}: ${outcome}${used ? `; fuel ${used.fuelUsed}, ${stateOf(used)}` : ""}`);
    }
  }

  #traced(imports: Imports): Imports {
    const all: { [module: string]: { [name: string]: Imports[string][string] } } = { ...imports };
    for (const [module, values] of Object.entries(imports)) {
      if (typeof values !== "object" || values === null) continue;
      all[module] = { ...values };
      for (const [name, value] of Object.entries(values))
        if (isHost(value)) all[module]![name] = this.#tracedFunction(`${module}.${name}`, value);
    }
    return all;
  }

  #tracedFunction<F extends HostFunction | BigintFunction>(name: string, given: F): F {
    const call = (caller: Caller, ...values: never[]): unknown => {
      const memory = caller.memory?.pages ?? "no";
      this.transcript.push(
        `  ${name}(${values.map(shown).join(", ")}) from ${caller.instance}, ${memory} pages, fuel ${caller.fuelUsed()}`,
      );
      return (given.call as (caller: Caller, ...values: never[]) => unknown).call(given, caller, ...values);
    };
    return { ...given, call };
  }
}

function storeOptions({ fuel, limits, kinds, state, engine }: InstantiateOptions): StoreOptions {
  const given = { fuel, limits, kinds, state, engine };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

const isHost = (value: unknown): value is HostFunction | BigintFunction => {
  if (typeof value !== "object" || value === null || value instanceof ExportedFunction) return false;
  const { type, call } = value as Partial<HostFunction>;
  return Array.isArray(type?.params) && typeof call === "function";
};

/** A value as text: bits of NaNs, signs of zeroes, references as far as they can be told. */
function shown(value: unknown): string {
  if (value instanceof ExportedFunction) return `function ${value.address}`;
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "object" || value === null) return Object.is(value, -0) ? "-0" : String(value);
  return "bits" in value ? `bits ${(value as { bits: number | bigint }).bits}` : "extern";
}

function failure(error: unknown): string {
  if (error instanceof Trap) {
    const { message, fuel, backtrace } = error;
    const frames = backtrace.map((frame) => `${frame.instance}:${frame.function}@${frame.offset} ${frame.name}`);
    return `trap ${error.code} "${message}" after ${fuel} at ${frames.join(", ")}`;
  }
  return error instanceof AshlarError ? `${error.code} "${error.message}"` : String(error);
}

function stateOf(store: Store): string {
  return store.instances.length === 0 ? "no instance" : store.instances[0]!.stateDigest();
}

/** A test with a subtest for each engine, which pins what is right; and both must have shown the same. */
export function onBoth(name: string, body: (t: Test, bench: Bench) => void | Promise<void>): void {
  t.test(name, async (t) => {
    const transcripts: string[][] = [];
    for (const engine of ENGINES) {
      const bench = new Bench(engine);
      await t.test(`${engine} engine`, (t) => body(t, bench));
      transcripts.push(bench.transcript);
    }
    const [expected, actual] = transcripts as [string[], string[] | undefined];
    t.ok(expected.length > 0, "something was shown");
    if (actual) t.same(actual, expected, "both engines show the same");
  });
}

/** The trap that `run` must end with. */
export function trapOf(run: () => unknown): Trap {
  try {
    run();
  } catch (error) {
    if (error instanceof Trap) return error;
    throw error;
  }
  throw new Error("it did not trap");
}
