/**
 * The name section (core spec 2.0, §7.4.1; spec VM-DECODE-6): for people only, so what is malformed in it is left out
 * and never an error.
 */
import { DecodeError } from "../errors.ts";
import { Reader } from "./reader.ts";
import type { CustomSection, Names } from "./structure.ts";

const Subsection = { module: 0, functions: 1, locals: 2 } as const;

/** Module, function and local names of the first custom section called `name`. */
export function readNames(bytes: Uint8Array, customs: readonly CustomSection[]): Names {
  let module: string | undefined;
  let functions: ReadonlyMap<number, string> = new Map();
  let locals: ReadonlyMap<number, ReadonlyMap<number, string>> = new Map();
  const section = customs.find(({ name }) => name === "name");
  if (!section) return { module, functions, locals };
  const reader = new Reader(bytes, section.start, section.end);
  try {
    while (reader.position < section.end) {
      const id = reader.readByte();
      const size = reader.readU32();
      const start = reader.skip(size);
      const contents = new Reader(bytes, start, reader.position);
      try {
        if (id === Subsection.module) module = contents.readName();
        else if (id === Subsection.functions) functions = readMap(contents, () => contents.readName());
        else if (id === Subsection.locals)
          locals = readMap(contents, () => readMap(contents, () => contents.readName()));
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
      }
    }
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
  }
  return { module, functions, locals };
}

function readMap<Value>(reader: Reader, read: () => Value): Map<number, Value> {
  const map = new Map<number, Value>();
  const count = reader.readCount();
  for (let k = 0; k < count; k++) map.set(reader.readU32(), read());
  return map;
}
