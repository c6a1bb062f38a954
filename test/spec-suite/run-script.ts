/** Runs a script of the official suite on the VM, through its public interface alone. */
import {
  DecodeError,
  type HostFunction,
  type ImportValue,
  type Instance,
  LinkError,
  Module,
  Store,
  type StoreOptions,
  Trap,
  type TrapName,
  UnsupportedFeature,
  ValidationError,
  type Value,
} from "../../vm/index.ts";
import { type Action, type Command, type Constant, type ModuleSource, type Pattern, readScript } from "./script.ts";
import { binaryOfText } from "./text-module.ts";

export interface Outcome {
  readonly line: number;
  readonly command: Command["kind"];
  /** What went wrong; undefined when the command passed. */
  readonly failure: string | undefined;
  /** Charged by it, in the store that all modules of a script share. */
  readonly fuel: bigint;
  /** True when only the text parser was asked: malformed text, which the VM never sees. */
  readonly textOnly: boolean;
}

export type Engine = NonNullable<StoreOptions["engine"]>;

export interface RunOptions {
  readonly engine: Engine;
}

/** One outcome for each command. Throws ScriptError when `script` is none. */
export function runScript(script: Uint8Array, options: RunOptions): Outcome[] {
  const session = new Session(options);
  return readScript(script).map((command) => {
    const textOnly = command.kind === "assert_malformed" && command.module.form === "quote";
    const before = session.fuelUsed;
    const failure = session.run(command);
    return { line: command.line, command: command.kind, failure, fuel: session.fuelUsed - before, textOnly };
  });
}

/** Traps by the suite's words. V8 cannot tell some causes apart, so the VM has one code for them (see `vm/trap.ts`). */
const TRAPS: { readonly [message: string]: readonly TrapName[] } = {
  unreachable: ["Unreachable"],
  "integer divide by zero": ["IntegerDivideByZero"],
  // Of a division, or of a truncation: of the latter V8 says only that the float is not representable.
  "integer overflow": ["IntegerOverflow", "InvalidConversion"],
  "invalid conversion to integer": ["InvalidConversion"],
  "out of bounds memory access": ["MemoryOutOfBounds"],
  "out of bounds table access": ["TableOutOfBounds"],
  "undefined element": ["TableOutOfBounds"],
  "uninitialized element": ["IndirectCall"],
  "uninitialized element 2": ["IndirectCall"],
  "indirect call type mismatch": ["IndirectCall"],
  "call stack exhausted": ["StackExhausted"],
};

/** Ends a guest that loops for ever; the whole suite needs a small part of it. */
const FUEL = 2_000_000_000n;

const SPECTEST = `(module
  (global (export "global_i32") i32 (i32.const 666))
  (global (export "global_i64") i64 (i64.const 666))
  (global (export "global_f32") f32 (f32.const 666.6))
  (global (export "global_f64") f64 (f64.const 666.6))
  (table (export "table") 10 20 funcref)
  (memory (export "memory") 1 2))`;

/** A mismatch between what the suite expects and what the VM does. */
class Mismatch extends Error {}

class Session {
  readonly #engine: RunOptions["engine"];
  readonly #store: Store;
  readonly #imports: { [module: string]: { [name: string]: ImportValue } } = {};
  readonly #named = new Map<string, Instance>();
  #latest: Instance | undefined;

  constructor({ engine }: RunOptions) {
    this.#engine = engine;
    this.#store = new Store({ engine, fuel: FUEL, limits: { memoryPages: 65_536 } });
    const spectest = this.#instantiate({ form: "text", text: new TextEncoder().encode(SPECTEST) });
    const print = (...params: HostFunction["type"]["params"]): HostFunction => ({
      type: { params, results: [] },
      fuel: 1,
      mayFree: false,
      call() {},
    });
    this.#imports.spectest = {
      ...importsFrom(spectest),
      print: print(),
      print_i32: print("i32"),
      print_i64: print("i64"),
      print_f32: print("f32"),
      print_f64: print("f64"),
      print_i32_f32: print("i32", "f32"),
      print_f64_f64: print("f64", "f64"),
    };
  }

  get fuelUsed(): bigint {
    return this.#store.fuelUsed;
  }

  /** What went wrong, or undefined. */
  run(command: Command): string | undefined {
    try {
      this.#perform(command);
      return undefined;
    } catch (error) {
      if (error instanceof Mismatch) return error.message;
      return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    }
  }

  #perform(command: Command): void {
    switch (command.kind) {
      case "module":
        this.#latest = undefined;
        this.#latest = this.#instantiate(command.module);
        if (command.name !== undefined) this.#named.set(command.name, this.#latest);
        return;
      case "register":
        this.#imports[command.as] = importsFrom(this.#instance(command.name));
        return;
      case "action":
        this.#act(command.action);
        return;
      case "assert_return":
        expectValues(this.#act(command.action), command.results);
        return;
      case "assert_trap":
      case "assert_exhaustion": {
        const { action, message } = command;
        const trap = expectError(Trap, () => ("form" in action ? this.#instantiate(action) : this.#act(action)));
        const allowed = TRAPS[message] ?? [];
        if (allowed.includes(trap.reason)) return;
        throw new Mismatch(`expected the trap "${message}" (${allowed.join(" or ")}), got ${trap.reason}`);
      }
      case "assert_invalid":
        // Text that does not parse would not be the validator's merit.
        expectError(ValidationError, decoder(command.module));
        return;
      case "assert_malformed":
        if (command.module.form === "binary") expectError(DecodeError, decoder(command.module));
        else expectMalformedText(command.module);
        return;
      case "assert_unlinkable": {
        const module = decoder(command.module)();
        expectError(LinkError, () => this.#start(module));
        return;
      }
    }
  }

  #instantiate(source: ModuleSource): Instance {
    return this.#start(decoder(source)());
  }

  #start(module: Module): Instance {
    return module.instantiate({ engine: this.#engine, store: this.#store, imports: this.#imports });
  }

  #instance(name: string | undefined): Instance {
    const instance = name === undefined ? this.#latest : this.#named.get(name);
    if (instance === undefined) throw new Mismatch(`there is no module ${name ?? "at this point"}`);
    return instance;
  }

  #act({ kind, module, field, args }: Action): readonly Value[] {
    const instance = this.#instance(module);
    if (kind === "get") return [instance.global(field).get({ bits: true })];
    return instance.invoke(field, args.map(argumentOf), { bits: true });
  }
}

/** Everything an instance exports, for others to import. */
function importsFrom(instance: Instance): { [name: string]: ImportValue } {
  return Object.fromEntries(instance.exports.map(({ name }) => [name, instance.exported(name)!]));
}

/** Turns the source to a binary at once (what fails there is a wrong script), and answers how to decode that. */
function decoder(source: ModuleSource): () => Module {
  const bytes = source.form === "binary" ? source.bytes : binaryOfText(source.text);
  return () => Module.decode(bytes);
}

function expectMalformedText(source: ModuleSource): void {
  try {
    decoder(source);
  } catch {
    return;
  }
  throw new Mismatch("expected malformed text, but it was parsed");
}

function expectError<E extends Error>(expected: new (...args: never[]) => E, call: () => unknown): E {
  try {
    call();
  } catch (error) {
    if (error instanceof expected) return error;
    const what = error instanceof UnsupportedFeature ? `UnsupportedFeature (${error.feature})` : String(error);
    throw new Mismatch(`expected ${expected.name}, got ${what}`);
  }
  throw new Mismatch(`expected ${expected.name}, got none`);
}

function argumentOf(constant: Constant): Value {
  if (constant.value === null) return null;
  switch (constant.type) {
    case "i32":
    case "i64":
      return constant.value;
    case "f32":
    case "f64":
      return { bits: constant.value };
    case "externref":
    case "funcref":
      return { extern: constant.value };
  }
}

function expectValues(values: readonly Value[], patterns: readonly Pattern[]): void {
  const matched = values.length === patterns.length && patterns.every((pattern, i) => matches(values[i]!, pattern));
  if (!matched) throw new Mismatch(`expected [${patterns.map(shown)}], got [${values.map(shown)}]`);
}

function matches(value: Value, pattern: Pattern): boolean {
  if ("any" in pattern) {
    const member = pattern.type === "externref" ? "extern" : "functionType";
    return typeof value === "object" && value !== null && member in value;
  }
  if ("nan" in pattern) return isNanOf(value, pattern.type, pattern.nan);
  if (pattern.value === null) return value === null;
  const expected = argumentOf(pattern);
  if (typeof expected !== "object" || expected === null) return value === expected;
  if (typeof value !== "object" || value === null) return false;
  if ("bits" in expected) return "bits" in value && value.bits === expected.bits;
  return "extern" in value && "extern" in expected && value.extern === expected.extern;
}

const NANS = {
  f32: { sign: 0x8000_0000n, canonical: 0x7fc0_0000n },
  f64: { sign: 0x8000_0000_0000_0000n, canonical: 0x7ff8_0000_0000_0000n },
} as const;

/** Canonical: only the sign is free. Arithmetic: the rest of the payload too (core spec 2.0, §4.3.3). */
function isNanOf(value: Value, type: "f32" | "f64", kind: "canonical" | "arithmetic"): boolean {
  if (typeof value !== "object" || value === null || !("bits" in value)) return false;
  const { sign, canonical } = NANS[type];
  const bits = BigInt(value.bits) & ~sign;
  return kind === "canonical" ? bits === canonical : (bits & canonical) === canonical;
}

function shown(value: Value | Pattern): string {
  return (
    JSON.stringify(value, (_, part: unknown) =>
      typeof part === "bigint" ? `0x${BigInt.asUintN(64, part).toString(16)}` : part,
    ) ?? "function"
  );
}
