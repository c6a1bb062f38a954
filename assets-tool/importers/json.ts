/** JSON as data: in its canonical form, or an array of numbers of it as bytes (spec TOOL-JSON-1, 2). */
import { canonicalJson, type Json, type JsonObject } from "../../host/assets/json.ts";
import { encodeUtf8 } from "../../vm/utf8.ts";
import { parseDocument } from "../document.ts";
import type { Importer, ImportSource } from "../importer.ts";
import { Settings } from "./settings.ts";
import { wrongSource } from "./source-view.ts";

/** What is parsed takes many times the memory of its text. */
const MOST_BYTES: number = 64 * 1024 * 1024;

/** Types of numbers: their bytes, how one is put, and between what an integer lies. */
const TYPES = {
  u8: { bytes: 1, put: (view: DataView, at: number, n: number) => view.setUint8(at, n), range: [0, 255] },
  i8: { bytes: 1, put: (view: DataView, at: number, n: number) => view.setInt8(at, n), range: [-128, 127] },
  u16: { bytes: 2, put: (view: DataView, at: number, n: number) => view.setUint16(at, n, true), range: [0, 65_535] },
  i16: {
    bytes: 2,
    put: (view: DataView, at: number, n: number) => view.setInt16(at, n, true),
    range: [-32_768, 32_767],
  },
  u32: {
    bytes: 4,
    put: (view: DataView, at: number, n: number) => view.setUint32(at, n, true),
    range: [0, 2 ** 32 - 1],
  },
  i32: {
    bytes: 4,
    put: (view: DataView, at: number, n: number) => view.setInt32(at, n, true),
    range: [-(2 ** 31), 2 ** 31 - 1],
  },
  f32: { bytes: 4, put: (view: DataView, at: number, n: number) => view.setFloat32(at, n, true), range: undefined },
  f64: { bytes: 8, put: (view: DataView, at: number, n: number) => view.setFloat64(at, n, true), range: undefined },
} as const;
const TYPE_NAMES = Object.keys(TYPES) as (keyof typeof TYPES)[];

export const json: Importer = {
  name: "json",
  version: 1,
  bankTypes: ["data"],
  matches: (path) => /\.(?:json|tmj|tsj)$/i.test(path),
  import(source, settings) {
    const known = new Settings(settings);
    const pointer = known.value("array");
    if (pointer !== undefined && (typeof pointer !== "string" || !/^(?:\/(?:[^~/]|~[01])*)*$/.test(pointer)))
      throw known.wrong("array", 'must be a JSON pointer such as "/layers/0/data", or "" for the whole file');
    const type = known.choice("type", TYPE_NAMES);
    if (type !== undefined && pointer === undefined)
      throw known.wrong("type", 'is of the numbers that "array" points to, and "array" is missing');
    known.end();
    if (source.bytes.length > MOST_BYTES)
      throw wrongSource(source, `it has ${source.bytes.length} bytes; at most ${MOST_BYTES} are imported`);
    const value = parseDocument(source.bytes, "PACK-IMPORT", source.path);
    if (pointer !== undefined)
      return [{ suffix: "", bankType: "data", ...numbers(source, value, pointer, type ?? "f64") }];
    checkIntegers(source);
    const bytes = encodeUtf8(canonicalJson(value));
    return [{ suffix: "", bankType: "data", bytes, metadata: { format: "json" } }];
  },
};

/** An integer that a double cannot hold would come out as another one. */
function checkIntegers(source: ImportSource): void {
  // Strings are matched so that digits in them are not.
  const token = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[\d.eE+-]*/g;
  const text = new TextDecoder().decode(source.bytes);
  for (const [found] of text.matchAll(token))
    if (/^-?\d+$/.test(found) && !Number.isSafeInteger(Number(found)))
      throw wrongSource(
        source,
        `the integer ${found.slice(0, 40)} is not between -2^53 and 2^53: write it as a string`,
      );
}

function numbers(
  source: ImportSource,
  value: Json,
  pointer: string,
  type: keyof typeof TYPES,
): { bytes: Uint8Array; metadata: JsonObject } {
  const { bytes: size, put, range } = TYPES[type];
  const list = valueAt(source, value, pointer);
  if (!Array.isArray(list)) throw wrongSource(source, `there is no array at "${pointer}"`);
  const bytes = new Uint8Array(list.length * size);
  const view = new DataView(bytes.buffer);
  for (const [k, item] of (list as readonly unknown[]).entries()) {
    const fits =
      range === undefined || (Number.isInteger(item) && Number(item) >= range[0] && Number(item) <= range[1]);
    if (typeof item !== "number" || !fits || !Number.isFinite(type === "f32" ? Math.fround(item) : item))
      throw wrongSource(source, `"${pointer}/${k}" is ${JSON.stringify(item)?.slice(0, 40)}, which is no ${type}`);
    put(view, k * size, item);
  }
  return { bytes, metadata: { count: list.length, format: type } };
}

/** What a JSON pointer (RFC 6901) points to. */
function valueAt(source: ImportSource, value: Json, pointer: string): Json {
  let found: Json | undefined = value;
  for (const step of pointer.split("/").slice(1)) {
    const key = step.replaceAll("~1", "/").replaceAll("~0", "~");
    const isThere = Array.isArray(found) ? /^(?:0|[1-9]\d*)$/.test(key) : typeof found === "object" && found !== null;
    if (!isThere || !Object.hasOwn(found as JsonObject, key))
      throw wrongSource(source, `there is nothing at "${pointer}"`);
    found = (found as JsonObject)[key];
  }
  return found!;
}
