/** JSON that people or other programs write. `JSON.parse` keeps the last of two equal keys, and tells no pointer. */
import { type Json, type JsonObject, MOST_JSON_DEPTH, pointerStep } from "./json.ts";

/** What is wrong, with line and column, and the JSON pointer to it. */
export type JsonProblem = (message: string, pointer: string) => Error;

/** The text of a JSON document; undefined where the bytes are not UTF-8. A byte order mark is a character, which no JSON begins with. */
export function jsonTextOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** The value of a JSON text. Throws what `fail` makes of the first thing that is wrong, such as a key that comes twice. */
export function parseJson(text: string, fail: JsonProblem): Json {
  return new Parser(text, fail).document();
}

/** Readers of values that are to be of a type; others throw what `fail` makes of them. */
export function expecting(fail: JsonProblem): {
  object(value: Json | undefined, pointer: string): JsonObject;
  array(value: Json | undefined, pointer: string): readonly Json[];
  text(value: Json | undefined, pointer: string): string;
} {
  return {
    object: (value, pointer) => {
      if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
      throw fail("an object was expected", pointer);
    },
    array: (value, pointer) => {
      if (Array.isArray(value)) return value as readonly Json[];
      throw fail("an array was expected", pointer);
    },
    text: (value, pointer) => {
      if (typeof value === "string") return value;
      throw fail("text was expected", pointer);
    },
  };
}

/** How members are that an assignment makes. */
const PLAIN = { configurable: true, enumerable: true, writable: true } as const;

class Parser {
  readonly #text: string;
  readonly #problem: JsonProblem;
  #at = 0;

  constructor(text: string, problem: JsonProblem) {
    this.#text = text;
    this.#problem = problem;
  }

  document(): Json {
    const value = this.#value("", 0);
    if (this.#next() !== "") this.#unexpected("the end", "");
    return value;
  }

  #fail(message: string, pointer: string): never {
    const before = this.#text.slice(0, this.#at).split("\n");
    const place = `line ${before.length}, column ${before.at(-1)!.length + 1}`;
    throw this.#problem(`${message} (${place})`, pointer);
  }

  #unexpected(wanted: string, pointer: string): never {
    const character = this.#text.slice(this.#at, this.#at + 1);
    this.#fail(`expected ${wanted}, found ${character === "" ? "the end" : JSON.stringify(character)}`, pointer);
  }

  /** The next character that is no white space; "" at the end. */
  #next(): string {
    while (isSpace(this.#text.charCodeAt(this.#at))) this.#at++;
    return this.#text[this.#at] ?? "";
  }

  #value(pointer: string, depth: number): Json {
    const next = this.#next();
    if (next === "{" || next === "[") {
      if (depth >= MOST_JSON_DEPTH) this.#fail(`nested deeper than ${MOST_JSON_DEPTH}`, pointer);
      this.#at++;
      return next === "{" ? this.#object(pointer, depth + 1) : this.#array(pointer, depth + 1);
    }
    return this.#scalar(pointer);
  }

  #object(pointer: string, depth: number): JsonObject {
    const members: { [key: string]: Json } = {};
    let isFirst = true;
    for (let next = this.#next(); next !== "}"; next = this.#next()) {
      if (!isFirst) {
        if (next !== ",") this.#unexpected('"," or "}"', pointer);
        this.#at++;
        next = this.#next();
      }
      if (next !== '"') this.#unexpected("a key", pointer);
      const key = this.#scalar(pointer) as string;
      const place = pointer + pointerStep(key);
      if (Object.hasOwn(members, key)) this.#fail(`the key ${JSON.stringify(key.slice(0, 80))} comes twice`, place);
      if (this.#next() !== ":") this.#unexpected('":"', place);
      this.#at++;
      const value = this.#value(place, depth);
      // A key like others.
      if (key === "__proto__") Object.defineProperty(members, key, { value, ...PLAIN });
      else members[key] = value;
      isFirst = false;
    }
    this.#at++;
    return members;
  }

  #array(pointer: string, depth: number): readonly Json[] {
    const items: Json[] = [];
    for (let next = this.#next(); next !== "]"; next = this.#next()) {
      if (items.length > 0) {
        if (next !== ",") this.#unexpected('"," or "]"', pointer);
        this.#at++;
      }
      items.push(this.#value(pointer + pointerStep(items.length), depth));
    }
    this.#at++;
    return items;
  }

  #scalar(pointer: string): Json {
    const found = this.#text.slice(this.#at, this.#next() === '"' ? this.#endOfString() : this.#endOfWord());
    if (found === "") this.#unexpected("a value", pointer);
    let value: Json;
    try {
      value = JSON.parse(found) as Json;
    } catch {
      this.#fail(`expected a value, found ${found.slice(0, 40)}`, pointer);
    }
    if (typeof value === "number" && !Number.isFinite(value)) this.#fail(`${found.slice(0, 40)} is too large`, pointer);
    if (typeof value === "string" && /\p{Surrogate}/u.test(value)) this.#fail("the text has a lone surrogate", pointer);
    this.#at += found.length;
    return value;
  }

  /** Behind the first quote that no odd number of backslashes stands before. */
  #endOfString(): number {
    const text = this.#text;
    for (let from = this.#at + 1; ; ) {
      const quote = text.indexOf('"', from);
      if (quote < 0) return text.length + 1;
      let backslashes = 0;
      while (quote - backslashes > from && text[quote - backslashes - 1] === "\\") backslashes++;
      if (backslashes % 2 === 0) return quote + 1;
      from = quote + 1;
    }
  }

  #endOfWord(): number {
    const word = /[-+.\w]*/y;
    word.lastIndex = this.#at;
    return this.#at + word.exec(this.#text)![0].length;
  }
}

/** Of a UTF-16 unit: blank, tab, line feed or carriage return. */
function isSpace(unit: number): boolean {
  return unit === 0x20 || unit === 0x0a || unit === 0x0d || unit === 0x09;
}
