/** Stubs for functions that a module imports and nothing provides (spec CLI-UNKNOWN). */
import { type Observer, observed } from "../syscalls/observe.ts";
import { type Syscall, syscallRow } from "../syscalls/table.ts";
import type { FunctionType, ValueType } from "../vm/bytecode/structure.ts";
import type { ParameterType } from "../vm/declaration.ts";
import type { HostFunction } from "../vm/function.ts";
import type { Imports, ImportValue } from "../vm/instance.ts";
import type { Module } from "../vm/module.ts";
import { Fault, TrapCode } from "../vm/trap.ts";

/**
 * What `module` imports: of `imports` what is there, and for each other function a stub that traps when it is called
 * (UnknownImport), and does nothing else. Whatever else is missing stays missing, and so a LinkError.
 *
 * ```ts
 * const abi = createAbi({ … });
 * module.instantiate({ ...abi, imports: trapUnknownImports(module, abi.imports) });
 * ```
 */
export function trapUnknownImports(module: Module, imports: Imports, observe?: Observer): Imports {
  const linked = new Map<string, Map<string, ImportValue>>();
  for (const { module: from, name, type } of module.imports) {
    const given = Object.hasOwn(imports, from) ? imports[from] : undefined;
    let value = given && Object.hasOwn(given, name) ? given[name] : undefined;
    // Those of `bytes` are instructions, and linked as such.
    if (value === undefined && type.kind === "function" && from !== "bytes")
      value = stub(from, name, type.type, observe);
    if (value === undefined) continue;
    if (!linked.has(from)) linked.set(from, new Map());
    linked.get(from)!.set(name, value);
  }
  // Not by assignment: a name may be `__proto__`.
  return Object.fromEntries(Array.from(linked, ([from, values]) => [from, Object.fromEntries(values)]));
}

function stub(module: string, name: string, type: FunctionType, observe: Observer | undefined): HostFunction {
  const call = (): never => {
    throw new Fault(TrapCode.UnknownImport, `${JSON.stringify(module)} ${JSON.stringify(name)}`);
  };
  const made: HostFunction = { type, fuel: 0, mayFree: false, call };
  if (observe === undefined) return made;
  const nothing = { call: undefined, first: undefined };
  return { ...made, call: observed(rowOf(module, name, type), false, call, [], nothing, observe) };
}

/** For those who listen: the call as a table would have it. */
function rowOf(module: string, name: string, { params }: FunctionType): Syscall {
  return syscallRow(module, {
    name,
    doc: "Imported, and provided by nobody.",
    params: params.map((type, k) => ({ name: `p${k}`, type: shownAs(type), doc: "" })),
    fuel: 0,
    traps: ["UnknownImport"],
  });
}

/** A reference crosses as its number. */
function shownAs(type: ValueType): ParameterType {
  return type === "funcref" || type === "externref" ? "u32" : type;
}
