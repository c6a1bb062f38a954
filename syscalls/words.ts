/** How the parameters of a row lie among the words of a call (spec VM-HOST-1) and among the values of its body. */
import type { Parameter, ParameterType } from "../vm/declaration.ts";
import type { Syscall } from "./table.ts";

/** Words that a parameter or result of a type takes. */
export function wordsOf(type: ParameterType): 1 | 2 {
  return typeof type === "object" || type === "i64" || type === "u64" ? 2 : 1;
}

/** Index of each parameter's first word; one more entry tells how many words there are. */
export function wordIndices(params: readonly Parameter[]): number[] {
  const words = [0];
  for (const { type } of params) words.push(words.at(-1)! + wordsOf(type));
  return words;
}

/** For each parameter its index among the values of the body; -1 for the offset and length of a window. */
export function valueIndices(row: Pick<Syscall, "params" | "windows">): number[] {
  const hidden = new Set(row.windows.flatMap(({ offset, length }) => [offset, length]));
  let value = 0;
  return row.params.map((_, index) => (hidden.has(index) ? -1 : value++));
}

/** A parameter or result of 64 bits; a HeapRef counts as u64. */
export function wideValue(type: ParameterType, low: number, high: number): bigint {
  const value = (BigInt(high) << 32n) | BigInt(low >>> 0);
  return type === "i64" ? BigInt.asIntN(64, value) : BigInt.asUintN(64, value);
}
