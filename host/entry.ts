/** With which function a guest begins, and how a recording remembers it. */
import { type Json, type JsonObject, RecordingError } from "../syscalls/recording-file.ts";
import type { FunctionType } from "../vm/bytecode/structure.ts";
import { AshlarError, UsageError } from "../vm/errors.ts";
import { typeText } from "../vm/function.ts";
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
function entryPoint(module: Module, initializer: string | undefined): string {
  for (const name of ["_start", "main"]) {
    const type = exportedType(module, name);
    if (type === undefined) continue;
    const { params, results } = type;
    const fits = params.length === 0 && (results.length === 0 || (name === "main" && results.join() === "i32"));
    if (fits) return name;
    throw unfit(name, type);
  }
  if (initializer !== undefined)
    throw new EntryError(
      `The module is a library: it exports ${initializer} and no _start, and does nothing until one of its functions is called.`,
    );
  throw new EntryError("The module exports neither a function _start nor main.");
}

const INITIALIZER = "_initialize";

/** The exported function that a library, a module without `_start`, wants to be called before any other (spec CLI-LIBRARY-1). */
export function initializerOf(module: Module): string | undefined {
  const type = exportedType(module, INITIALIZER);
  if (type === undefined || exportedType(module, "_start") !== undefined) return undefined;
  if (type.params.length + type.results.length === 0) return INITIALIZER;
  throw unfit(INITIALIZER, type);
}

/** The type of an exported function; undefined when there is none of that name. */
function exportedType(module: Module, name: string): FunctionType | undefined {
  const type = module.exports.find((entry) => entry.name === name)?.type;
  return type?.kind === "function" ? type.type : undefined;
}

function unfit(name: string, type: FunctionType): EntryError {
  return new EntryError(`The exported function ${name} has the type ${typeText(type)}.`);
}

/** A call of an exported function. */
export interface Invocation {
  readonly name: string;
  readonly values?: readonly Value[];
}

/** What is called of a guest. */
export interface Called {
  /** Functions without parameters that come first. */
  readonly first: readonly string[];
  /** The function with which the guest begins; undefined where it is only made ready. */
  readonly name: string | undefined;
  readonly values: readonly Value[];
  /** True when its result is the exit code. */
  readonly isEntry: boolean;
}

/** What is asked for, or the entry point. Throws what is wrong with the module: EntryError, UsageError. */
export function calledOf(module: Module, invoke: Invocation | undefined): Called {
  const initializer = initializerOf(module);
  if (invoke === undefined) return entering(module, initializer);
  functionType(module, invoke.name);
  return calling(initializer, invoke.name, invoke.values ?? []);
}

/** What makes a guest ready for an image: its initializer, and these. Throws EntryError, UsageError. */
export function preinitOf(module: Module, names: readonly string[]): Called {
  const initializer = initializerOf(module);
  for (const name of names) {
    const type = functionType(module, name);
    if (type.params.length > 0) throw unfit(name, type);
  }
  const others = names.filter((name) => name !== initializer);
  return {
    first: initializer === undefined ? others : [initializer, ...others],
    name: undefined,
    values: [],
    isEntry: false,
  };
}

function entering(module: Module, initializer: string | undefined): Called {
  const first = initializer === undefined ? [] : [initializer];
  return { first, name: entryPoint(module, initializer), values: [], isEntry: true };
}

/** The initializer itself is called once. */
function calling(initializer: string | undefined, name: string, values: readonly Value[]): Called {
  const first = initializer === undefined || name === initializer ? [] : [initializer];
  return { first, name, values, isEntry: false };
}

function functionType(module: Module, name: string): FunctionType {
  const type = exportedType(module, name);
  if (type !== undefined) return type;
  throw new UsageError("VM-NO-EXPORT", `the module exports no function ${JSON.stringify(name)}`);
}

/** What a replay must know beside what the recording holds anyway. Numbers are text: JSON has no NaN and no 64 bits. */
export function aboutOf(
  { name, values, isEntry }: Called,
  args: readonly string[],
  unknownImports: "trap" | undefined,
): JsonObject {
  const texts = values.map((value) => {
    if (value !== null && typeof value !== "number" && typeof value !== "bigint")
      throw new UsageError("VM-ARGUMENT", "a call with references to objects cannot be recorded");
    return Object.is(value, -0) ? "-0" : String(value);
  });
  const invoke = isEntry ? null : { name: name!, values: texts };
  return { args, invoke, ...(unknownImports !== undefined && { unknownImports }) };
}

/** What {@link aboutOf} wrote. */
export function calledAgain(module: Module, about: Json): Called {
  const { invoke } = (about ?? {}) as {
    readonly invoke?: { readonly name?: unknown; readonly values?: unknown } | null;
  };
  const initializer = initializerOf(module);
  if (invoke === null) return entering(module, initializer);
  const { name, values } = invoke ?? {};
  if (typeof name !== "string" || !Array.isArray(values))
    throw new RecordingError("the recording does not say what was called: runGuest did not make it");
  const { params } = functionType(module, name);
  const again = params.map((type, k): Value => {
    const text = String(values[k]);
    if (text === "null") return null;
    return type === "i64" ? BigInt(/^-?\d+$/.test(text) ? text : 0) : Number(text);
  });
  return calling(initializer, name, again);
}

/** How the recorded module was linked. */
export function unknownImportsAgain(about: Json): "trap" | undefined {
  return (about as { readonly unknownImports?: unknown } | null)?.unknownImports === "trap" ? "trap" : undefined;
}
