/**
 * Canonical JSON (RFC 8785): one text for each value. So a header is compared, signed and hashed as bytes, and two readers
 * cannot understand it differently (spec PACK-JSON-1).
 */

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/** Deepest nesting of arrays and objects. */
export const MOST_JSON_DEPTH = 32;

/** Thrown for what has no canonical form: `pointer` tells where. */
export class JsonError extends Error {
  readonly pointer: string;
  constructor(pointer: string, message: string) {
    super(message);
    this.name = "JsonError";
    this.pointer = pointer;
  }
}

/** `key` as a step of a JSON pointer (RFC 6901). */
export function pointerStep(key: string | number): string {
  return `/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`;
}

/** The canonical text of `value`. Throws a JsonError for what is no JSON, nested too deep, or text with a lone surrogate. */
export function canonicalJson(value: unknown, pointer = "", depth = 0): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new JsonError(pointer, `${value} is no number of JSON`);
    return Object.is(value, -0) ? "0" : String(value);
  }
  if (typeof value === "string") return canonicalText(value, pointer);
  if (typeof value !== "object") throw new JsonError(pointer, `a ${typeof value} is no value of JSON`);
  if (depth >= MOST_JSON_DEPTH) throw new JsonError(pointer, `nested deeper than ${MOST_JSON_DEPTH}`);
  if (Array.isArray(value)) {
    const items = Array.from(value, (item: unknown, index) =>
      canonicalJson(item, pointer + pointerStep(index), depth + 1),
    );
    return `[${items.join(",")}]`;
  }
  // Without arguments this is by UTF-16 code units, as RFC 8785 §3.2.3 says.
  const members = Object.keys(value)
    .sort()
    .map((key) => {
      const at = pointer + pointerStep(key);
      return `${canonicalText(key, at)}:${canonicalJson((value as JsonObject)[key], at, depth + 1)}`;
    });
  return `{${members.join(",")}}`;
}

function canonicalText(text: string, pointer: string): string {
  if (/\p{Surrogate}/u.test(text)) throw new JsonError(pointer, "the text has a lone surrogate");
  return JSON.stringify(text);
}
