/** Values of guests on the command line: `--invoke 'NAME(ARG, …)'`, and its results. */
import type { FunctionType, ValueType } from "../../vm/bytecode/structure.ts";
import type { Module } from "../../vm/module.ts";
import type { Value } from "../../vm/value.ts";
import { nearestOf } from "./arguments.ts";
import { CommandError, ExitCode } from "./failure.ts";
import { plain } from "./terminal.ts";

export interface Invocation {
  readonly name: string;
  readonly type: FunctionType;
  readonly values: readonly Value[];
}

/** What `--invoke` asks for, checked against the module's exports. Throws CLI-INVOKE. */
export function parseInvocation(module: Module, text: string): Invocation {
  const functions = module.exports.filter(({ type }) => type.kind === "function");
  const typeOf = (name: string): FunctionType | undefined => {
    const type = functions.find((entry) => entry.name === name)?.type;
    return type?.kind === "function" ? type.type : undefined;
  };
  // A name may hold anything, parentheses too.
  const split = typeOf(text) === undefined ? /^([^(]*)\((.*)\)$/s.exec(text) : null;
  const name = split === null ? text : split[1]!.trim();
  const type = typeOf(name);
  if (type === undefined) {
    const names = functions.map((entry) => entry.name);
    const nearest = nearestOf(name, names);
    const hint =
      nearest === undefined
        ? `It exports ${plain(names.slice(0, 20).join(", ")) || "none"}.`
        : `Did you mean ${plain(nearest)}?`;
    throw invokeError(`The module exports no function ${JSON.stringify(name)}.`, hint);
  }
  const inside = split?.[2]?.trim() ?? "";
  const words = inside === "" ? [] : inside.split(",").map((word) => word.trim());
  if (words.length !== type.params.length)
    throw invokeError(
      `${name} takes ${type.params.length} argument${type.params.length === 1 ? "" : "s"}, and ${words.length} ${words.length === 1 ? "is" : "are"} given.`,
      `Its type: (${type.params.join(" ")}) -> (${type.results.join(" ")})`,
    );
  return { name, type, values: words.map((word, index) => parseValue(type.params[index]!, word, index)) };
}

function invokeError(message: string, hint?: string): CommandError {
  return new CommandError("CLI-INVOKE", ExitCode.USAGE, message, hint);
}

const INTEGER = /^[+-]?(0x[0-9a-f]+|\d+)$/i;
const FLOAT = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const NAMED_FLOATS: ReadonlyMap<string, number> = new Map([
  ["nan", Number.NaN],
  ["inf", Number.POSITIVE_INFINITY],
  ["+inf", Number.POSITIVE_INFINITY],
  ["-inf", Number.NEGATIVE_INFINITY],
]);

function parseValue(type: ValueType, word: string, index: number): Value {
  const wrong = (expected: string): CommandError =>
    invokeError(`Argument ${index + 1} of --invoke is no ${type}: ${JSON.stringify(word)}`, `Expected ${expected}.`);
  switch (type) {
    case "i32":
    case "i64": {
      const bits = type === "i32" ? 32n : 64n;
      const expected = `an integer from -2^${bits - 1n} to 2^${bits} - 1, decimal or hexadecimal (0x…)`;
      if (!INTEGER.test(word)) throw wrong(expected);
      const digits = BigInt(word.replace(/^[+-]/, ""));
      const value = word.startsWith("-") ? -digits : digits;
      if (value < -(1n << (bits - 1n)) || value >= 1n << bits) throw wrong(expected);
      return type === "i32" ? Number(value) : value;
    }
    case "f32":
    case "f64": {
      const named = NAMED_FLOATS.get(word.toLowerCase());
      if (named === undefined && !FLOAT.test(word)) throw wrong("a decimal number, nan, inf or -inf");
      return named ?? Number(word);
    }
    case "funcref":
    case "externref":
      if (word !== "null") throw wrong("null, the only reference the command line has");
      return null;
  }
}

/** A result as text: integers signed and decimal, floats with the fewest digits that name them. */
export function printValue(type: ValueType, value: Value): string {
  if (value === null) return "null";
  if (type === "f32" || type === "f64") return printFloat(value as number, type);
  return type === "i32" || type === "i64" ? String(value) : type;
}

function printFloat(value: number, type: ValueType): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value < 0 ? "-inf" : "inf";
  if (Object.is(value, -0)) return "-0";
  // Nine digits tell any two f32 apart; toPrecision would leave zeros, so it goes through a number once more.
  for (let digits = 1; type === "f32" && digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return String(short);
  }
  return type === "f32" ? String(Number(value.toPrecision(9))) : String(value);
}
