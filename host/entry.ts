/** With which function a guest begins, and how a recording remembers it. */
import { type Json, type JsonObject, RecordingError } from "../syscalls/recording-file.ts";
import type { FunctionType } from "../vm/bytecode/structure.ts";
import { AshlarError, UsageError } from "../vm/errors.ts";
import type { Module } from "../vm/module.ts";
import type { Value } from "../vm/value.ts";

/** The module has no function to begin with (spec CLI-ENTRY-1). */
export class EntryError extends AshlarError {
  readonly code = "CLI-ENTRY";
  constructor(message: string) {
    super(message);
    this.name = "EntryError";
  }
}

/** The exported function that is called when none is named (spec CLI-ENTRY-1). */
function entryPoint(module: Module): string {
  for (const name of ["_start", "main"]) {
    const found = module.exports.find((entry) => entry.name === name && entry.type.kind === "function");
    if (found?.type.kind !== "function") continue;
    const { params, results } = found.type.type;
    const fits = params.length === 0 && (results.length === 0 || (name === "main" && results.join() === "i32"));
    if (fits) return name;
    throw new EntryError(`The exported function ${name} has the type (${params.join(" ")}) -> (${results.join(" ")}).`);
  }
  throw new EntryError("The module exports neither a function _start nor main.");
}

/** A call of an exported function. */
export interface Invocation {
  readonly name: string;
  readonly values?: readonly Value[];
}

/** The function with which a guest begins. */
export interface Called {
  readonly name: string;
  readonly values: readonly Value[];
  /** True when its result is the exit code. */
  readonly isEntry: boolean;
}

/** What is asked for, or the entry point. Throws what is wrong with the module: EntryError, UsageError. */
export function calledOf(module: Module, invoke: Invocation | undefined): Called {
  if (invoke === undefined) return { name: entryPoint(module), values: [], isEntry: true };
  functionType(module, invoke.name);
  return { name: invoke.name, values: invoke.values ?? [], isEntry: false };
}

function functionType(module: Module, name: string): FunctionType {
  const type = module.exports.find((entry) => entry.name === name)?.type;
  if (type?.kind === "function") return type.type;
  throw new UsageError("VM-NO-EXPORT", `the module exports no function ${JSON.stringify(name)}`);
}

/** What a replay must know beside what the recording holds anyway. Numbers are text: JSON has no NaN and no 64 bits. */
export function aboutOf({ name, values, isEntry }: Called, args: readonly string[]): JsonObject {
  const texts = values.map((value) => {
    if (value !== null && typeof value !== "number" && typeof value !== "bigint")
      throw new UsageError("VM-ARGUMENT", "a call with references to objects cannot be recorded");
    return Object.is(value, -0) ? "-0" : String(value);
  });
  return { args, invoke: isEntry ? null : { name, values: texts } };
}

/** What {@link aboutOf} wrote. */
export function calledAgain(module: Module, about: Json): Called {
  const { invoke } = (about ?? {}) as {
    readonly invoke?: { readonly name?: unknown; readonly values?: unknown } | null;
  };
  if (invoke === null) return { name: entryPoint(module), values: [], isEntry: true };
  const { name, values } = invoke ?? {};
  if (typeof name !== "string" || !Array.isArray(values))
    throw new RecordingError("the recording does not say what was called: runGuest did not make it");
  const { params } = functionType(module, name);
  const again = params.map((type, k): Value => {
    const text = String(values[k]);
    if (text === "null") return null;
    return type === "i64" ? BigInt(/^-?\d+$/.test(text) ? text : 0) : Number(text);
  });
  return { name, values: again, isEntry: false };
}
