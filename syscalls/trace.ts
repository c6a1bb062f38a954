/** Events of calls as lines for people, and as JSON for programs (spec ABI-TRACE-4 to 7), from their rows alone. */
import { AshlarError } from "../vm/errors.ts";
import { hex } from "../vm/sha256.ts";
import { decodeUtf8 } from "../vm/utf8.ts";
import type { CallEnd, CallEvent, CallValue, Glimpse } from "./observe.ts";
import type { Json, JsonObject } from "./recording-file.ts";
import { Status, statusName } from "./status.ts";
import { SYSCALLS, type Syscall, type SyscallParameter, type Window } from "./table.ts";
import { Errno, errnoName } from "./wasi/errno.ts";
import { WASI_FUNCTIONS, WASI_MODULE } from "./wasi/table.ts";
import { wordsOf } from "./words.ts";

/** Columns of the fuel at the start of a line. */
const FUEL_COLUMNS = 10;

/** `      2010 fs.open(null, "/data/a.txt", READ) = OK, File#5`: one line, without its end, that no terminal obeys. */
export function traceLine(event: CallEvent): string {
  const { row, fuel } = event;
  const args = row.params.flatMap((parameter, index) => {
    const window = row.windows.findIndex(({ ref }) => ref === index);
    if (window >= 0) return [windowText(event, index, row.windows[window]!, event.windows[window])];
    const isHidden = row.windows.some(({ offset, length }) => offset === index || length === index);
    return isHidden ? [] : [argumentText(parameter, event.args[index]!, event.kinds[index])];
  });
  const end = endText(event);
  return `${String(fuel).padStart(FUEL_COLUMNS)} ${harmless(`${row.module}.${row.name}`)}(${args.join(", ")})${end && ` = ${end}`}`;
}

function argumentText({ type, flags }: SyscallParameter, value: CallValue, kind: string | undefined): string {
  if (typeof type === "object") return refText(value, kind);
  return flags === undefined ? String(value) : flagsText(value, flags);
}

/** `File#5`; a dead or forged ref with its generation, `?#5:2`. */
function refText(value: CallValue, kind: string | undefined): string {
  if (value === 0n) return "null";
  const { slot, generation } = refParts(value);
  return kind === undefined ? `?#${slot}:${generation}` : `${kind}#${slot}`;
}

function refParts(value: CallValue): { readonly slot: number; readonly generation: number } {
  const ref = BigInt(value);
  return { slot: Number(ref & 0xffff_ffffn), generation: Number(ref >> 32n) };
}

function flagsText(value: CallValue, flags: NonNullable<SyscallParameter["flags"]>): string {
  let rest = Number(value);
  const names: string[] = [];
  for (const [name, bits] of Object.entries(flags)) {
    if ((rest & bits) !== bits) continue;
    names.push(name);
    rest &= ~bits;
  }
  if (rest !== 0 || names.length === 0) names.push(String(rest >>> 0));
  return names.join("|");
}

/** A text as it is; other bytes with the place where they lie, `Bytes#1[4096..+6] "first bytes"`. */
function windowText({ args, kinds }: CallEvent, ref: number, window: Window, glimpse: Glimpse | undefined): string {
  const given = window.written === undefined && glimpse !== undefined;
  if (given && window.text) return quoted(glimpse);
  const place = `${refText(args[ref]!, kinds[ref])}[${args[window.offset]}..+${args[window.length]}]`;
  return given ? `${place} ${quoted(glimpse)}` : place;
}

function endText({ row, windows, end }: CallEvent): string {
  switch (end.type) {
    case "trap":
      return `trap ${end.trap}${end.detail === undefined ? "" : `: ${harmless(end.detail)}`}`;
    case "exit":
      return `exit ${end.exitCode}`;
    case "error": {
      const { code, message } = errorParts(end.error);
      return `error ${code}: ${harmless(message)}`;
    }
    case "returned":
      return [...resultTexts(row, end), ...row.windows.flatMap((window, k) => writtenText(window, windows[k]))].join(
        ", ",
      );
  }
}

type Returned = CallEnd & { readonly type: "returned" };

function resultTexts(row: Syscall, end: Returned): string[] {
  const { results } = row;
  const status = statusOf(row, end);
  if (status !== undefined && status !== "OK") return [status];
  const isNamed = results.length > 1;
  return results.map(({ name, type }, k) => {
    if (k === 0 && status !== undefined) return status;
    const value = end.results[k]!;
    if (typeof type === "object") return refText(value, end.kinds[k]);
    return isNamed ? `${name} ${value}` : String(value);
  });
}

function writtenText({ written }: Window, glimpse: Glimpse | undefined): string[] {
  return written === undefined || glimpse === undefined || glimpse.length === 0 ? [] : [quoted(glimpse)];
}

/** Name of the status, or of an errno of WASI that is none; undefined for a call without. */
function statusOf({ module, results }: Syscall, end: Returned): string | undefined {
  const status = Number(end.results[0]);
  if (module === WASI_MODULE && results.length > 0) return status === 0 ? "OK" : (errnoName(status) ?? String(status));
  return results[0]?.name === "status" ? (statusName(status) ?? String(status)) : undefined;
}

function errorParts(error: unknown): { readonly code: string; readonly message: string } {
  if (error instanceof AshlarError) return { code: String(error.code), message: error.message };
  return { code: "unknown", message: error instanceof Error ? error.message : String(error) };
}

function quoted({ bytes, length }: Glimpse): string {
  const isCut = bytes.length < length;
  const text = textOf(bytes, isCut);
  return `"${text === undefined ? bytesText(bytes) : escaped(text)}"${isCut ? "…" : ""}`;
}

/** Bytes of the longest character in UTF-8, less one. */
const CUT_BYTES = 3;

/** The text that the bytes are, without a last character that is cut in two; undefined when they are none. */
function textOf(bytes: Uint8Array, isCut: boolean): string | undefined {
  for (let cut = 0; cut <= (isCut ? CUT_BYTES : 0) && cut <= bytes.length; cut++) {
    const text = decodeUtf8(bytes, 0, bytes.length - cut);
    if (text !== undefined) return text;
  }
  return undefined;
}

const ESCAPES: { readonly [character: string]: string } = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** What is between quotes. */
function escaped(text: string): string {
  return harmless(text.replaceAll(/["\\]/g, "\\$&"));
}

/** Spells out what ends a line, drives a terminal, or turns a line around. */
function harmless(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => {
    const point = character.codePointAt(0)!;
    return ESCAPES[character] ?? (point < 0x80 ? byteText(point) : `\\u{${point.toString(16)}}`);
  });
}

function bytesText(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => (byte < 0x80 ? escaped(String.fromCharCode(byte)) : byteText(byte))).join("");
}

function byteText(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}

/** The event as a JSON object (spec ABI-TRACE-6). Integers of 64 bits are decimal strings. */
export function traceJson(event: CallEvent): JsonObject {
  const { row, packed, instance, fuel, args, kinds, windows } = event;
  return {
    call: `${row.module}.${row.name}`,
    packed,
    instance,
    fuel: String(fuel),
    args: Object.fromEntries(row.params.map(({ name, type }, k) => [name, valueJson(type, args[k]!, kinds[k])])),
    windows: Object.fromEntries(
      row.windows.flatMap((window, k) => {
        const glimpse = windows[k];
        return glimpse === undefined ? [] : [[row.params[window.ref]!.name, glimpseJson(window, glimpse)]];
      }),
    ),
    ...endJson(event),
  };
}

function valueJson(type: SyscallParameter["type"], value: CallValue, kind: string | undefined): Json {
  if (typeof type === "object") return value === 0n ? null : { kind: kind ?? null, ...refParts(value) };
  return wordsOf(type) === 2 || !Number.isFinite(value) ? String(value) : Number(value);
}

function glimpseJson({ text: isText }: Window, { bytes, length }: Glimpse): JsonObject {
  const text = isText ? textOf(bytes, bytes.length < length) : undefined;
  return { length, ...(text === undefined ? { hex: hex(bytes) } : { text }) };
}

function endJson({ row, end }: CallEvent): JsonObject {
  switch (end.type) {
    case "trap":
      return { end: "trap", trap: end.trap, detail: end.detail ?? null };
    case "exit":
      return { end: "exit", exitCode: end.exitCode };
    case "error":
      return { end: "error", ...errorParts(end.error) };
    case "returned": {
      const status = statusOf(row, end);
      const results = row.results.map(({ name, type }, k) => [name, valueJson(type, end.results[k]!, end.kinds[k])]);
      return {
        end: "returned",
        status: status ?? null,
        results: Object.fromEntries(status === undefined ? results : results.slice(1)),
      };
    }
  }
}

/** {@link traceJson} as a line of ASCII, without its end. */
export function traceJsonLine(event: CallEvent): string {
  const text = JSON.stringify(traceJson(event));
  return text.replaceAll(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

type Test = (event: CallEvent) => boolean;

const TRACED: readonly Syscall[] = [...SYSCALLS, ...WASI_FUNCTIONS.map(({ row }) => row)];

/**
 * Which events to show (spec ABI-TRACE-7): `fs.*`, `sys.exit`; `status:NOT_FOUND`, `status:trap`, `status:exit`, and
 * `status:error` for every end but OK and an exit; each with `!` before it to leave out. Throws a RangeError for a pattern that none of `rows` fits.
 */
export function traceFilter(patterns: readonly string[], rows: readonly Syscall[] = TRACED): Test {
  const names: Test[] = [];
  const ends: Test[] = [];
  const unwanted: Test[] = [];
  for (const pattern of patterns) {
    const isUnwanted = pattern.startsWith("!");
    const text = isUnwanted ? pattern.slice(1) : pattern;
    const end = text.startsWith("status:");
    const test = end ? endTest(text.slice("status:".length)) : nameTest(text, rows);
    (isUnwanted ? unwanted : end ? ends : names).push(test);
  }
  return (event) => {
    const fits = (tests: readonly Test[]): boolean => tests.some((test) => test(event));
    return (names.length === 0 || fits(names)) && (ends.length === 0 || fits(ends)) && !fits(unwanted);
  };
}

function nameTest(pattern: string, rows: readonly Syscall[]): Test {
  const parts = pattern.split("*").map((part) => part.replaceAll(/[^\w]/g, "\\$&"));
  const expression = new RegExp(`^${parts.join(".*")}$`);
  const fits = ({ module, name }: Syscall): boolean => expression.test(`${module}.${name}`);
  if (!rows.some(fits)) throw new RangeError(`no call is named ${JSON.stringify(pattern)}; "fs.*" names all of fs`);
  return ({ row }) => fits(row);
}

function endTest(name: string): Test {
  const isKnown = ["error", "trap", "exit"].includes(name) || Object.hasOwn(Status, name) || Object.hasOwn(Errno, name);
  if (!isKnown)
    throw new RangeError(`there is no status ${JSON.stringify(name)}; "status:error" is every end but success`);
  return ({ row, end }) => {
    if (end.type !== "returned") return name === end.type || (name === "error" && end.type === "trap");
    const status = statusOf(row, end) ?? "OK";
    return status === name || (name === "error" && status !== "OK");
  };
}
