/** `ashlar dis`. */
import { disassembleLines } from "../../vm/bytecode/disassemble.ts";
import { Module } from "../../vm/module.ts";
import { type Arguments, nearestOf } from "./arguments.ts";
import { describeFailure, ExitCode, failureOf, usageError } from "./failure.ts";
import { readGuest } from "./module-file.ts";
import { isReaderGone, note, plain, print } from "./terminal.ts";

/** Characters gathered before they are written. */
const CHUNK = 65_536;

export async function dis(args: Arguments): Promise<number> {
  const path = args.positionals[0]!;
  try {
    const module = Module.decode((await readGuest(path)).bytes);
    const wanted = args.options.get("function")?.[0];
    const index = wanted === undefined ? undefined : functionIndex(module, wanted);
    let text = "";
    for (const line of disassembleLines(module.structure, index)) {
      text += `${line}\n`;
      if (text.length < CHUNK) continue;
      print(text);
      text = "";
    }
    print(text);
    return ExitCode.OK;
  } catch (error) {
    if (isReaderGone(error)) throw error;
    const failure = failureOf(error, path);
    note(describeFailure(failure));
    return failure.exitCode;
  }
}

/** The function of that index or name: from the name section, else an export's, else `module.name` of an import. */
function functionIndex({ structure }: Module, wanted: string): number {
  const imports = structure.imports.filter(({ type }) => type.kind === "function");
  const count = imports.length + structure.functions.length;
  if (/^\d+$/.test(wanted)) {
    if (Number(wanted) < count) return Number(wanted);
    throw usageError(`There is no function ${wanted}: the module has ${count}, counted from 0.`);
  }
  const name = wanted.replace(/^\$/, "");
  const names = new Map<string, number>();
  for (const [index, { module, name }] of imports.entries()) names.set(`${module}.${name}`, index);
  for (const { kind, name, index } of structure.exports) if (kind === "function") names.set(name, index);
  for (const [index, name] of structure.names.functions) names.set(name, index);
  const index = names.get(name);
  if (index !== undefined) return index;
  const nearest = nearestOf(name, [...names.keys()]);
  throw usageError(
    `No function is named ${name}.`,
    nearest === undefined ? undefined : `Did you mean ${plain(nearest)}?`,
  );
}
