/** What the bodies of a generated module may refer to: see `generate.ts`. */

import { SYSCALLS } from "../../syscalls/table.ts";
import type { FunctionType, RefType, ValueType } from "../../vm/bytecode/structure.ts";
import { BYTES_CALLS } from "../../vm/bytes.ts";
import { type CallFuel, functionTypeOf, packedTypeOf } from "../../vm/declaration.ts";
import { HOST_MODELS, WILD_HOST } from "./host-models.ts";
import { Random } from "./random.ts";

export interface GenerateOptions {
  /** Statements, by id, that are left out. */
  readonly skip?: ReadonlySet<number>;
  /** Imports `a.*` from this module. */
  readonly link?: Linkable;
  /**
   * For comparing our engines with each other: whatever a guest can do, also what plain V8 has no match for. HeapRefs of
   * all kinds and ages, syscalls, NaNs of all bits through host and heap, long loops, deep stacks, large frames.
   */
  readonly wild?: boolean;
}

/** What a module has for another to import. */
export interface Linkable {
  /** `f0`, `f1` …, for another module to import. */
  readonly functions: readonly FunctionType[];
  /** Its imported functions, which it exports as `i0`, `i1` …. */
  readonly imports: readonly Callee[];
  readonly hasMemory: boolean;
  readonly globals: readonly { readonly type: ValueType; readonly mutable: boolean }[];
}

export const NUMBERS: readonly ValueType[] = ["i32", "i64", "f32", "f64"];
/** Rows of the syscall table in both their forms; `sys.exit` would end nearly every guest. */
const SYSCALL_IMPORTS = SYSCALLS.filter(({ name }) => name !== "exit").flatMap((row) => [
  { module: row.module, name: row.name, type: functionTypeOf(row), fuel: row.fuel },
  ...(row.results.length > 1
    ? [{ module: row.module, name: `${row.name}_p`, type: packedTypeOf(row), fuel: row.fuel }]
    : []),
]);
const BYTES = BYTES_CALLS.map((call) => ({ name: call.name, type: functionTypeOf(call), fuel: call.fuel }));
/** Types of the calls whose price depends on an argument. */
export const LENGTH_TYPES = [...HOST_MODELS, ...BYTES].flatMap(({ type, fuel }) =>
  typeof fuel === "number" ? [] : [type],
);

/** Global 0 is the budget, global 1 the amount of the next bulk instruction, for the tests to see. */
export const BUDGET = 0;
export const AMOUNT = 1;
/** Global 2: the index of the next call_indirect, likewise. */
export const TARGET = 2;
/** Global 3: a HeapRef. */
export const REF = 3;

export interface Callee {
  readonly type: FunctionType;
  readonly module: string;
  readonly name: string;
  readonly lengthArgument: number | undefined;
}

export const same = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((item, k) => item === b[k]);

/** What the bodies of one module may refer to. */
export class Environment {
  readonly random: Random;
  readonly skip: ReadonlySet<number>;
  readonly statements: number[] = [];
  readonly types: FunctionType[] = [];
  /** Imported first, then `f0` …; the entries are not called from inside. */
  readonly functions: Callee[] = [];
  readonly globals: { type: ValueType; mutable: boolean; module: string; name: string }[] = [];
  readonly tables: { element: RefType; minimum: number; maximum: number; module: string; name: string }[] = [];
  /** Contents of table 0, which no instruction changes: function index or -1. */
  readonly targets: number[] = [];
  readonly memory: "own" | "linked" | "none";
  readonly dataSizes: number[];
  readonly elementSizes: number[];
  readonly usesBytes: boolean;
  readonly externs: boolean;
  /** Probability that an instruction that may trap is left unguarded. */
  readonly trappy: number;
  readonly wild: boolean;
  /** True when what is imported is exported, too. */
  readonly passesOn: boolean;
  /** Most entries of functions and inner loops of one call; of an outer loop rounds. */
  readonly budget: number;
  readonly rounds: number;
  /** Probability that a float is a NaN of arithmetic rather than a constant. */
  readonly nans: number;
  /** Instructions of a function's statements, roughly. */
  readonly room: number;
  /** Most calls of a function by its entry. */
  readonly repeats: number;

  constructor(seed: number, { skip, link, wild }: GenerateOptions) {
    const random = new Random(seed);
    this.random = random;
    this.skip = skip ?? new Set();
    this.wild = wild ?? false;
    this.passesOn = this.wild && random.chance(0.5);
    this.trappy = random.pick(this.wild ? [0, 0, 0, 0.005, 0.02, 0.2] : [0, 0, 0, 0.03, 0.03, 0.4]);
    this.usesBytes = random.chance(this.wild ? 0.65 : 0.3);
    this.externs = random.chance(0.1);
    const large = random.below(5);
    this.budget = 30 + random.below(large === 0 ? 600 : 60);
    this.rounds = [6, 300, 100, 40, 6][large]!;
    this.room = this.wild ? random.pick([120, 50, 30]) : 120;
    this.nans = this.wild ? random.pick([0, 0.1, 0.7]) : 0;
    this.repeats = random.pick([1, 10, 20, 40]);
    this.memory = link?.hasMemory && random.chance(0.6) ? "linked" : random.chance(0.92) ? "own" : "none";
    this.dataSizes = [0, 3, 70].slice(0, this.memory === "none" ? 0 : 3);
    this.elementSizes = [4, 2];
    this.#globals(link);
    this.#tables(link);
    this.#functions(link);
  }

  typeIndex(type: FunctionType): number {
    const known = this.types.findIndex((other) => same(other.params, type.params) && same(other.results, type.results));
    return known < 0 ? this.types.push(type) - 1 : known;
  }

  valueType(): ValueType {
    const { random } = this;
    return random.chance(0.04) ? random.pick(["funcref", "externref"] as const) : random.pick(NUMBERS);
  }

  #globals(link: Linkable | undefined): void {
    const own = (type: ValueType, mutable: boolean): void => {
      this.globals.push({ type, mutable, module: "", name: "" });
    };
    // Imports come first in the index space: a linked module shares the budget, amount and HeapRef, too.
    if (link)
      link.globals.slice(0, 6).forEach((global, k) => {
        this.globals.push({ ...global, module: "a", name: `g${k}` });
      });
    else {
      for (let k = 0; k < REF; k++) own("i32", true);
      own("i64", true);
    }
    for (const type of NUMBERS) own(type, this.random.chance(0.8));
    own("funcref", true);
    own("externref", true);
  }

  #tables(link: Linkable | undefined): void {
    this.tables.push({ element: "funcref", minimum: 8, maximum: 12, module: "", name: "" });
    this.tables.push({ element: "funcref", minimum: 5, maximum: 20, module: "", name: "" });
    this.tables.push({ element: "externref", minimum: 4, maximum: 9, module: "", name: "" });
    if (link) this.tables.unshift({ element: "funcref", minimum: 5, maximum: 20, module: "a", name: "t1" });
  }

  #functions(link: Linkable | undefined): void {
    const { random, functions } = this;
    const add = (module: string, name: string, type: FunctionType, fuel: CallFuel): void => {
      const lengthArgument = typeof fuel === "number" ? undefined : fuel.lengthArgument;
      functions.push({ type, module, name, lengthArgument });
    };
    if (link) {
      for (let k = random.below(3); k >= 0; k--) {
        const index = random.below(link.functions.length);
        add("a", `f${index}`, link.functions[index]!, 0);
      }
    }
    for (const { name, type, fuel } of HOST_MODELS)
      if (random.chance(0.25) && (name !== "fail" || this.trappy > 0)) add("env", name, type, fuel);
    if (this.externs) add("env", "object", { params: ["i32"], results: ["externref"] }, 2);
    if (this.wild) {
      for (const { name, type, lengthArgument } of link?.imports ?? [])
        if (random.chance(0.4)) functions.push({ type, module: "a", name, lengthArgument });
      for (const [name, { type, fuel }] of Object.entries(WILD_HOST))
        if (random.chance(0.12) && (this.trappy > 0 || (name !== "traps" && name !== "throws")))
          add("wild", name, type, fuel);
      const syscalls = random.chance(0.12) ? SYSCALL_IMPORTS.filter(() => random.chance(0.12)) : [];
      for (const { module, name, type, fuel } of syscalls) add(module, name, type, fuel);
    }
    if (this.usesBytes)
      for (const { name, type, fuel } of BYTES)
        if (name === "new" || name === "destroy" || random.chance(0.3)) {
          if (name !== "of_memory" || this.memory !== "none") add("bytes", name, type, fuel);
        }
    for (let k = 1 + random.below(4); k >= 0; k--) {
      const width = random.chance(0.15) ? 17 : 4;
      const params = Array.from({ length: random.below(width) }, () => this.valueType());
      const results = Array.from({ length: random.below(width) }, () => this.valueType());
      add("", "", { params, results }, 0);
    }
    for (let k = 0; k < 8; k++) this.targets.push(random.chance(0.85) ? random.below(functions.length) : -1);
  }

  get imported(): number {
    return this.functions.filter(({ module }) => module !== "").length;
  }

  calleeIndex(module: string, name: string): number {
    return this.functions.findIndex((callee) => callee.module === module && callee.name === name);
  }

  /** Index of the table of call targets, of the other funcref tables, of the externref table. */
  get callTable(): number {
    return this.tables.findIndex(({ module }) => module === "");
  }
}
