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

/**
 * The value of JSON without white space that is known to be well-formed, as {@link canonicalJson} writes it. V8's `JSON.parse` can
 * take a key with an escape for that of an object before it (on Node.js 24 and 26, `{"n":1,"\"":2}` behind `{"n":1,"\\":2}` has
 * the key `\`), so it is asked for strings, numbers and words only. Objects inherit nothing: `__proto__` is a key like others.
 */
export function parseCanonicalJson(text: string): Json {
  let at = 0;
  const token = (pattern: RegExp): string => {
    pattern.lastIndex = at;
    const [found] = pattern.exec(text)!;
    at += found.length;
    return found;
  };
  const string = (): string => JSON.parse(token(/"(?:[^"\\]+|\\.)*"/y)) as string;
  const value = (): Json => {
    switch (text[at]) {
      case '"':
        return string();
      case "{": {
        const object = Object.create(null) as { [key: string]: Json };
        while (text[at++] !== "}") {
          if (text[at] === "}") continue;
          const key = string();
          at++;
          object[key] = value();
        }
        return object;
      }
      case "[": {
        const items: Json[] = [];
        while (text[at++] !== "]") if (text[at] !== "]") items.push(value());
        return items;
      }
      default:
        return JSON.parse(token(/[^,\]}]+/y)) as Json;
    }
  };
  return value();
}
