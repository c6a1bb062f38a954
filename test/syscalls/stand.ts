/** A guest that makes any call of the table, in both forms, so that what drives the calls can do it through an engine. */
import { loadWat } from "../../host/wat.ts";
import { SYSCALLS, type Syscall } from "../../syscalls/table.ts";
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
  SYSCALLS.flatMap((row: Syscall) => {
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
