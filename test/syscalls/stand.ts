/** A guest that makes any call of the table, in both forms, so that what drives the calls can do it through an engine. */
import { loadWat } from "../../host/wat.ts";
import { SYSCALLS, type Syscall } from "../../syscalls/table.ts";
import { WASI_FUNCTIONS } from "../../syscalls/wasi/table.ts";
import type { FunctionType } from "../../vm/bytecode/structure.ts";
import { functionTypeOf, packedTypeOf } from "../../vm/declaration.ts";
import { type Engine, type Instance, Module, Store, Trap, type Value } from "../../vm/index.ts";
import { Fault } from "../../vm/trap.ts";
import { type Answer, PAGES, type Ref, type Stand, type StandOptions } from "../conformance/driver.ts";

/** A stand that can be asked what the engine shows. */
export interface EngineStand extends Stand {
  readonly store: Store;
  /** Of the last call that trapped. */
  trap: Trap | undefined;
}

interface Form {
  readonly name: string;
  readonly type: FunctionType;
}

/** Both forms of each row, by module and name. */
const FORMS = new Map<string, Form>(
  [...SYSCALLS, ...WASI_FUNCTIONS.map(({ row }) => row)].flatMap((row: Syscall) => {
    const { module, name } = row;
    const plain: [string, Form] = [`${module}.${name}`, { name, type: functionTypeOf(row) }];
    const packed: [string, Form] = [`${module}.${name}_p`, { name: `${name}_p`, type: packedTypeOf(row) }];
    return row.results.length > 1 ? [plain, packed] : [plain];
  }),
);

/** Exports a function for each import, which does nothing but call it. */
function wat(memory: string): string {
  const functions = [...FORMS].map(([key, { name, type }]) => {
    const [module] = key.split(".");
    const params = type.params.length > 0 ? ` (param ${type.params.join(" ")})` : "";
    const signature = `${params}${type.results.length > 0 ? ` (result ${type.results.join(" ")})` : ""}`;
    const given = type.params.map((_, k) => `(local.get ${k})`).join(" ");
    return {
      imported: `(import "${module}" "${name}" (func $${key}${signature}))`,
      exported: `(func (export "${key}")${signature} (call $${key} ${given}))`,
    };
  });
  return `(module
    ${functions.map(({ imported }) => imported).join("\n")}
    (import "bytes" "of_memory" (func $own (result i64)))
    ${memory}
    (func (export "own") (result i64) (call $own))
    ${functions.map(({ exported }) => exported).join("\n")})`;
}

/** Names of the calls that {@link MACHINE} makes, by the number that `test.next` answers. */
export const CALLS: readonly string[] = [...FORMS.keys()];

/**
 * Makes many calls in one invocation, `run`: `test.next` tells which (or the number of them all: none), `test.i32` and
 * `test.i64` their arguments by index; `test.result` hears their results as i64.
 */
function machineWat(): string {
  const forms = [...FORMS].map(([key, { name, type }]) => {
    const { params, results } = type;
    const signature = `${params.length > 0 ? ` (param ${params.join(" ")})` : ""}${results.length > 0 ? ` (result ${results.join(" ")})` : ""}`;
    const given = params.map((type, k) => `(call $${type} (i32.const ${k}))`).join(" ");
    const kept = results.map((type, k) => `(local $${k} ${type})`).join(" ");
    const told = results.map((type, k) => {
      const value = type === "i64" ? `(local.get $${k})` : `(i64.extend_i32_s (local.get $${k}))`;
      return `(call $result (i32.const ${k}) ${value})`;
    });
    const sets = results.map((_, k) => `(local.set $${k})`).reverse();
    return {
      imported: `(import "${key.split(".")[0]}" "${name}" (func $${key}${signature}))`,
      made: `(func $do:${key} ${kept} ${given} (call $${key}) ${sets.join(" ")} ${told.join(" ")})`,
    };
  });
  const table = `(br_table ${CALLS.map((_, k) => k).join(" ")} $end (call $next))`;
  const arms = CALLS.reduce((inner, key) => `(block ${inner}) (call $do:${key}) (br $again)`, table);
  return `(module
    (import "test" "next" (func $next (result i32)))
    (import "test" "i32" (func $i32 (param i32) (result i32)))
    (import "test" "i64" (func $i64 (param i32) (result i64)))
    (import "test" "result" (func $result (param i32 i64)))
    ${forms.map(({ imported }) => imported).join("\n")}
    (import "bytes" "of_memory" (func $own (result i64)))
    (memory (export "memory") ${PAGES} ${PAGES})
    (func (export "own") (result i64) (call $own))
    ${forms.map(({ made }) => made).join("\n")}
    (func (export "run") (block $end (loop $again ${arms}))))`;
}

export const MACHINE: Module = Module.decode(await loadWat(machineWat()));

const WITH_MEMORY = Module.decode(await loadWat(wat(`(memory (export "memory") ${PAGES} ${PAGES})`)));
const WITHOUT_MEMORY = Module.decode(await loadWat(wat("")));

/** For a `Driver`: its calls are made by a guest on `engine`. Traps reach it as the faults that they were. */
export function standOn(engine: Engine, fuel?: bigint): (options: StandOptions) => EngineStand {
  return ({ imports, kinds, state, limits }) => {
    const store = new Store({ engine, kinds, limits, ...(state && { state }), ...(fuel !== undefined && { fuel }) });
    const instance = WITH_MEMORY.instantiate({ store, imports });
    let bare: Instance | undefined;
    instance.invoke("own");
    return {
      store,
      heap: store.heap,
      memory: instance.memory("memory"),
      trap: undefined,
      call(module, name, words, hasMemory) {
        const key = `${module}.${name}`;
        const { type } = FORMS.get(key)!;
        try {
          bare ??= hasMemory ? undefined : WITHOUT_MEMORY.instantiate({ store, imports });
          const results = (hasMemory ? instance : bare!).invoke(key, valuesOf(type, words));
          return answerOf(type, results);
        } catch (error) {
          if (!(error instanceof Trap)) throw error;
          this.trap = error;
          throw new Fault(error.code);
        }
      },
    };
  };
}

function valuesOf({ params }: FunctionType, words: readonly number[]): Value[] {
  let at = 0;
  return params.map((type) => {
    const low = words[at++]! | 0;
    if (type !== "i64") return low;
    return BigInt.asIntN(64, (BigInt(words[at++]! | 0) << 32n) | BigInt(low >>> 0));
  });
}

/** As a host function answers: the one result of 32 bits is returned. */
function answerOf({ results }: FunctionType, values: readonly Value[]): Answer {
  if (results.length === 1 && results[0] === "i32") return { returned: values[0] as number, results: [] };
  return {
    returned: undefined,
    results: values.map((value, k) => (results[k] === "i64" ? wordsOf(value as bigint) : (value as number))),
  };
}

function wordsOf(value: bigint): Ref {
  return [Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))];
}
