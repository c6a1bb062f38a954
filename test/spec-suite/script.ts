/**
 * Reads the official suite's script format (`.wast`, described in `interpreter/README.md` of WebAssembly/spec) into
 * commands. Texts are handled as one character a byte (Latin-1), because strings of the suite hold any bytes.
 */
import { floatBits, parseInteger } from "./literal.ts";

export type ModuleSource =
  | { readonly form: "text"; readonly text: Uint8Array }
  | { readonly form: "quote"; readonly text: Uint8Array }
  | { readonly form: "binary"; readonly bytes: Uint8Array };

/** A value given or expected: floats as bits (`f32` fits a u32), a reference as the number that names it, null as null. */
export type Constant =
  | { readonly type: "i32" | "f32"; readonly value: number }
  | { readonly type: "i64" | "f64"; readonly value: bigint }
  | { readonly type: "externref" | "funcref"; readonly value: number | null };
export type Pattern =
  | Constant
  | { readonly type: "f32" | "f64"; readonly nan: "canonical" | "arithmetic" }
  /** Any non-null reference. */
  | { readonly type: "externref" | "funcref"; readonly any: true };

export interface Action {
  readonly kind: "invoke" | "get";
  /** `$name` of a module; undefined is the latest one. */
  readonly module: string | undefined;
  readonly field: string;
  readonly args: readonly Constant[];
}

export type Command = { readonly line: number } & (
  | { readonly kind: "module"; readonly name: string | undefined; readonly module: ModuleSource }
  | { readonly kind: "register"; readonly name: string | undefined; readonly as: string }
  | { readonly kind: "action"; readonly action: Action }
  | { readonly kind: "assert_return"; readonly action: Action; readonly results: readonly Pattern[] }
  | { readonly kind: "assert_trap"; readonly action: Action | ModuleSource; readonly message: string }
  | { readonly kind: "assert_exhaustion"; readonly action: Action; readonly message: string }
  | {
      readonly kind: "assert_invalid" | "assert_malformed" | "assert_unlinkable";
      readonly module: ModuleSource;
      readonly message: string;
    }
);

/** A script that is not one; `line` counts from 1. */
export class ScriptError extends Error {
  readonly line: number;
  constructor(line: number, message: string) {
    super(`line ${line}: ${message}`);
    this.name = "ScriptError";
    this.line = line;
  }
}

interface Place {
  readonly start: number;
  readonly end: number;
  readonly line: number;
}
type List = Place & { readonly kind: "list"; readonly items: readonly Node[] };
type Node = List | (Place & { readonly kind: "atom" | "string"; readonly text: string });

/** Commands of a script; fields of a module outside of any `(module …)` are one text module, as in the suite. */
export function readScript(script: Uint8Array): Command[] {
  const text = Buffer.from(script.buffer, script.byteOffset, script.byteLength).toString("latin1");
  const commands: Command[] = [];
  let fields: Node[] = [];
  const flush = () => {
    const first = fields[0];
    if (first === undefined) return;
    const inner = text.slice(first.start, fields.at(-1)!.end);
    commands.push({ kind: "module", line: first.line, name: undefined, module: textModule(`(module ${inner})`) });
    fields = [];
  };
  for (const node of parse(text)) {
    if (node.kind !== "list") throw new ScriptError(node.line, "a command is expected");
    const command = readCommand(node, text);
    if (command === undefined) fields.push(node);
    else {
      flush();
      commands.push(command);
    }
  }
  flush();
  return commands;
}

const TOKEN = /[ \t\r\n]+|;;[^\r\n]*|\(;|[()]|"(?:[^"\\]|\\.)*"|[^\s()";]+/sy;
const BLOCK_COMMENT = /\(;|;\)/g;

function parse(text: string): Node[] {
  const top: Node[] = [];
  const open: { items: Node[]; start: number; line: number }[] = [];
  let line = 1;
  let at = 0;
  while (at < text.length) {
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(text)?.[0];
    if (token === undefined) throw new ScriptError(line, `unexpected character ${JSON.stringify(text[at])}`);
    const start = at;
    const here = line;
    at = token === "(;" ? blockCommentEnd(text, at, line) : at + token.length;
    for (let i = start; i < at; i++) if (text.charCodeAt(i) === 10) line++;
    const siblings = open.at(-1)?.items ?? top;
    const place = { start, end: at, line: here };
    if (token === "(") open.push({ items: [], start, line: here });
    else if (token === ")") {
      const list = open.pop();
      if (list === undefined) throw new ScriptError(here, "unbalanced )");
      (open.at(-1)?.items ?? top).push({
        kind: "list",
        items: list.items,
        start: list.start,
        end: at,
        line: list.line,
      });
    } else if (token[0] === '"')
      siblings.push({ kind: "string", text: bytesOfLiteral(token.slice(1, -1), here), ...place });
    else if (token !== "(;" && !/^(?:\s|;;)/.test(token)) siblings.push({ kind: "atom", text: token, ...place });
  }
  if (open.length > 0) throw new ScriptError(open.at(-1)!.line, "unbalanced (");
  return top;
}

function blockCommentEnd(text: string, start: number, line: number): number {
  let depth = 0;
  BLOCK_COMMENT.lastIndex = start;
  for (let mark = BLOCK_COMMENT.exec(text); mark !== null; mark = BLOCK_COMMENT.exec(text)) {
    depth += mark[0] === "(;" ? 1 : -1;
    if (depth === 0) return BLOCK_COMMENT.lastIndex;
  }
  throw new ScriptError(line, "unclosed comment");
}

const ESCAPE = /\\(?:([0-9a-fA-F]{2})|u\{([0-9a-fA-F_]+)\}|(.))/gs;
const ESCAPED: { readonly [letter: string]: string } = { n: "\n", t: "\t", r: "\r", '"': '"', "'": "'", "\\": "\\" };

/** The bytes of a string literal, one character each. */
function bytesOfLiteral(literal: string, line: number): string {
  return literal.replace(ESCAPE, (_, byte?: string, scalar?: string, letter = "") => {
    if (byte !== undefined) return String.fromCharCode(Number.parseInt(byte, 16));
    if (scalar !== undefined) {
      const character = String.fromCodePoint(Number.parseInt(scalar.replaceAll("_", ""), 16));
      return Buffer.from(character, "utf8").toString("latin1");
    }
    const plain = ESCAPED[letter];
    if (plain === undefined) throw new ScriptError(line, `unknown escape \\${letter}`);
    return plain;
  });
}

/** Undefined when the node is a field of a module instead. */
function readCommand(node: List, text: string): Command | undefined {
  const [head, ...rest] = node.items;
  const line = node.line;
  if (head?.kind !== "atom") throw new ScriptError(line, "a command is expected");
  switch (head.text) {
    case "module":
      return { kind: "module", line, name: nameOf(rest[0]), module: readModule(node, text) };
    case "register":
      return { kind: "register", line, as: nameString(rest[0], node), name: nameOf(rest[1]) };
    case "invoke":
    case "get":
      return { kind: "action", line, action: readAction(node) };
    case "assert_return":
      return {
        kind: "assert_return",
        line,
        action: readAction(listAt(rest[0], node)),
        results: rest.slice(1).map((item) => readPattern(listAt(item, node))),
      };
    case "assert_trap": {
      const what = listAt(rest[0], node);
      const isModule = what.items[0]?.kind === "atom" && what.items[0].text === "module";
      const action = isModule ? readModule(what, text) : readAction(what);
      return { kind: "assert_trap", line, action, message: nameString(rest[1], node) };
    }
    case "assert_exhaustion":
      return {
        kind: "assert_exhaustion",
        line,
        action: readAction(listAt(rest[0], node)),
        message: nameString(rest[1], node),
      };
    case "assert_invalid":
    case "assert_malformed":
    case "assert_unlinkable":
      return {
        kind: head.text,
        line,
        module: readModule(listAt(rest[0], node), text),
        message: nameString(rest[1], node),
      };
    default:
      if (head.text.startsWith("assert_")) throw new ScriptError(line, `unknown command ${head.text}`);
      return undefined;
  }
}

function readModule(node: List, text: string): ModuleSource {
  const rest = node.items.slice(nameOf(node.items[1]) === undefined ? 1 : 2);
  const form = rest[0]?.kind === "atom" ? rest[0].text : "text";
  if (form !== "binary" && form !== "quote") return textModule(text.slice(node.start, node.end));
  const strings = rest.slice(1).map((item) => stringAt(item, node));
  if (form === "binary") return { form, bytes: latin1(strings.join("")) };
  return { form, text: latin1(strings.join("")) };
}

function textModule(text: string): ModuleSource {
  return { form: "text", text: latin1(text) };
}

function readAction(node: List): Action {
  const [head, ...rest] = node.items;
  const kind = head?.kind === "atom" ? head.text : "";
  if (kind !== "invoke" && kind !== "get") throw new ScriptError(node.line, "an action is expected");
  const module = nameOf(rest[0]);
  if (module !== undefined) rest.shift();
  const args = rest.slice(1).map((item) => {
    const list = listAt(item, node);
    const constant = readPattern(list);
    if ("value" in constant) return constant;
    throw new ScriptError(list.line, "a pattern cannot be an argument");
  });
  return { kind, module, field: nameString(rest[0], node), args };
}

function readPattern(node: List): Pattern {
  const [head, operand] = node.items.map((item) => (item.kind === "atom" ? item.text : ""));
  switch (head) {
    case "i32.const":
      return { type: "i32", value: Number(BigInt.asIntN(32, parseInteger(operand ?? ""))) };
    case "i64.const":
      return { type: "i64", value: BigInt.asIntN(64, parseInteger(operand ?? "")) };
    case "f32.const":
    case "f64.const": {
      const type = head === "f32.const" ? "f32" : "f64";
      if (operand === "nan:canonical") return { type, nan: "canonical" };
      if (operand === "nan:arithmetic") return { type, nan: "arithmetic" };
      const bits = floatBits(operand ?? "", type);
      return type === "f32" ? { type, value: Number(bits) } : { type, value: bits };
    }
    case "ref.null":
      return { type: operand === "func" ? "funcref" : "externref", value: null };
    case "ref.extern":
      return operand === undefined ? { type: "externref", any: true } : { type: "externref", value: Number(operand) };
    case "ref.func":
      return { type: "funcref", any: true };
    default:
      throw new ScriptError(node.line, `unknown value ${head}`);
  }
}

function nameOf(node: Node | undefined): string | undefined {
  return node?.kind === "atom" && node.text.startsWith("$") ? node.text : undefined;
}

function listAt(node: Node | undefined, within: Node): List {
  if (node?.kind === "list") return node;
  throw new ScriptError(within.line, "a ( is expected");
}

function stringAt(node: Node | undefined, within: Node): string {
  if (node?.kind === "string") return node.text;
  throw new ScriptError(within.line, "a string is expected");
}

/** A string that names something: its bytes are UTF-8. */
function nameString(node: Node | undefined, within: Node): string {
  return Buffer.from(stringAt(node, within), "latin1").toString("utf8");
}

function latin1(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, "latin1"));
}
