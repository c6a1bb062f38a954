/** The text form of programs, `.pel.json` (spec PEL-TEXT). */
import { decodeUtf8, encodeUtf8 } from "../../vm/utf8.ts";
import { type ArtifactKey, keyText, ParsedKey } from "../asl/key.ts";
import { canonicalJson, type Json, type JsonObject, pointerStep } from "../assets/json.ts";
import { parseJson } from "../assets/json-text.ts";
import { type GuestParts, guestNode, orderProgram } from "./canonical.ts";
import { expectArgument, type PelCode, PelError, Problems } from "./errors.ts";
import { cycleText, levelsOf } from "./order.ts";
import {
  checkInputs,
  checkMost,
  checkNode,
  checkOutputs,
  checkRef,
  compareNames,
  GUEST_LIMITS,
  type GuestLimits,
  type GuestNode,
  type GuestOutput,
  type Node,
  opProblem,
  outputCount,
  type Program,
  type ProgramOutput,
  type Ref,
  type Tag,
} from "./program.ts";

/** A program that was read as text. */
export interface ParsedProgram {
  readonly program: Program;
  /** Indices in the program of the nodes that the text has, by their ids; nodes that are the same have one. */
  readonly ids: ReadonlyMap<string, number>;
}

/** Finds the key of a module that a text names otherwise than by its key, such as by a file; what it throws becomes PEL-MODULE. */
export type ResolveModule = (module: string) => ArtifactKey;

/** The program of a `.pel.json`. Throws a PelError for all that is wrong with it at once: pointers are into the text. */
export function parseProgram(text: string, resolve?: ResolveModule): ParsedProgram {
  expectArgument(typeof text === "string", "text");
  const document = parseJson(text, (message, pointer) => new PelError("PEL-JSON", message, { pointer }));
  return new TextReader(resolve).program(document);
}

/** The text form of a program; `ids` are those of its nodes that are called otherwise than n0, n1, …, as {@link ParsedProgram} has them. */
export function programText(program: Program, ids: ReadonlyMap<string, number> = new Map()): string {
  const names: string[] = [];
  for (const [id, node] of ids) names[node] ??= id;
  const idOf = (node: number): string => (names[node] ??= freeId(`n${node}`, ids));
  /** Guests with an output that is called as receipts are. */
  const others = new Set<Node>();
  for (const node of program.nodes)
    if (node.op === "guest" && node.outputs.some(({ name }) => name === "receipt")) others.add(node);
  const refText = ({ node: index, output }: Ref): Json => {
    const id = idOf(index);
    const node = program.nodes[index]!;
    if (output === undefined) return others.has(node) ? { node: id, receipt: true } : `${id}.receipt`;
    if (outputCount(node) === 1) return id;
    const name = node.op === "guest" ? node.outputs[output]!.name : String(output);
    return name === "receipt" ? { node: id, output: name } : `${id}.${name}`;
  };
  const nodes = program.nodes.map((node, k) => [idOf(k), nodeJson(node, refText)]);
  const outputs = program.outputs.map(({ name, ref }) => [name, refText(ref)]);
  return `${JSON.stringify({ nodes: Object.fromEntries(nodes), outputs: Object.fromEntries(outputs) }, undefined, 2)}\n`;
}

function freeId(id: string, taken: ReadonlyMap<string, number>): string {
  return taken.has(id) ? freeId(`${id}_`, taken) : id;
}

/** A node as its text form has it, with refs as `refText` makes them. */
export function nodeJson(node: Node, refText: (ref: Ref) => Json): JsonObject {
  const { op } = node;
  const [of, ...others] = node.refs.map(refText) as [Json, ...Json[]];
  switch (op) {
    case "input":
      return { op, name: node.name, ...(node.tag === undefined ? {} : { tag: node.tag }) };
    case "const": {
      const text = decodeUtf8(node.bytes);
      return text === undefined ? { op, base64: Buffer.from(node.bytes).toString("base64") } : { op, text };
    }
    case "concat":
      return { op, of: [of, ...others] };
    case "slice":
      return { op, of, offset: node.offset, ...(node.length === undefined ? {} : { length: node.length }) };
    case "select":
      return { op, selector: of, cases: others };
    case "split":
      return { op, of, at: node.at };
    case "guest":
      return guestJson(node, refText);
    default:
      return { op, of };
  }
}

/** Without what is as it is by default. */
function guestJson(node: GuestNode, refText: (ref: Ref) => Json): JsonObject {
  const { op, module, args, io } = node;
  const inputs = Object.fromEntries(node.inputs.map((name, k) => [name, refText(node.refs[k]!)]));
  const outputs = node.outputs.map(({ name, tag }) => (tag === undefined ? name : { name, tag }));
  const limits = (Object.keys(GUEST_LIMITS) as (keyof GuestLimits)[])
    .filter((name) => node.limits[name] !== GUEST_LIMITS[name])
    .map((name) => [name, typeof node.limits[name] === "bigint" ? String(node.limits[name]) : node.limits[name]]);
  const optional = { entry: node.entry, stdout: node.stdout, stderr: node.stderr, assets: node.assets };
  return {
    op,
    module,
    ...(args.length > 0 && { args }),
    ...(node.inputs.length > 0 && { inputs }),
    ...(outputs.length > 0 && { outputs }),
    ...(Object.fromEntries(Object.entries(optional).filter(([, text]) => text !== undefined)) as JsonObject),
    ...(io !== "files" && { io }),
    ...(limits.length > 0 && { limits: Object.fromEntries(limits) as JsonObject }),
  };
}

/** Without dots, so that what is behind the first one is an output. */
const ID = /^[A-Za-z0-9_-]{1,255}$/;

/** Members of a node by its operation: those that it has, and those that it may have. */
const MEMBERS: { readonly [op in Node["op"]]: readonly [required: readonly string[], optional: readonly string[]] } = {
  input: [["op"], ["name", "tag"]],
  const: [["op"], ["text", "hex", "base64", "json"]],
  concat: [["op", "of"], []],
  slice: [["op", "of", "offset"], ["length"]],
  hash: [["op", "of"], []],
  length: [["op", "of"], []],
  select: [["op", "selector", "cases"], []],
  split: [["op", "of", "at"], []],
  guest: [
    ["op", "module"],
    ["entry", "args", "inputs", "outputs", "stdout", "stderr", "assets", "io", "limits"],
  ],
};

/** A ref as it stands in the text. */
interface TextRef {
  readonly value: Json;
  readonly pointer: string;
}

/** A node of the text. */
interface Draft {
  readonly id: string;
  readonly pointer: string;
  /** Without its refs; undefined: what it is cannot be told. */
  readonly node: Node | undefined;
  readonly refs: readonly TextRef[];
  /** Where the text has the names of a guest's outputs. */
  readonly outputs: ReadonlyMap<string, string>;
  /** What its outputs are called in refs, when that was asked for. */
  names?: OutputNames;
}

const NO_REFS: readonly Ref[] = [];
/** Of what is no guest; stays empty. */
const NO_OUTPUTS = new Map<string, string>();
/** Stands where a key was expected and something else was found. */
const NO_KEY = keyText(1, new Uint8Array(32));

/** Goes on behind what is wrong, with something harmless in its place, to find all that is. */
class TextReader {
  readonly #problems = new Problems();
  /** Pointers to what is known to be wrong: what stands in its place is not told of. */
  readonly #wrong = new Set<string>();
  readonly #resolve: ResolveModule | undefined;
  readonly #drafts: Draft[] = [];
  readonly #ids = new Map<string, number>();

  constructor(resolve: ResolveModule | undefined) {
    this.#resolve = resolve;
  }

  program(document: Json): ParsedProgram {
    const top = this.#object(document, "", ["nodes", "outputs"], ["$schema"]);
    this.#text(top.$schema, "/$schema");
    for (const [id, value] of Object.entries(this.#map(top.nodes, "/nodes"))) this.#draft(id, value);
    const nodes = this.#drafts.map(({ node, refs }) => ({ ...node, refs: this.#refs(refs) })) as Node[];
    const levels = this.#checkNodes(nodes);
    const outputs = this.#outputs(this.#map(top.outputs, "/outputs"));
    this.#problems.check();
    const { program, index } = orderProgram(nodes, outputs, levels);
    const ids = new Map(this.#drafts.map(({ id }, node) => [id, index[node]!]));
    return { program, ids };
  }

  /** Answers the nodes' levels. */
  #checkNodes(nodes: readonly Node[]): Uint32Array {
    checkMost("nodes", nodes.length, "nodes", "/nodes", this.#report);
    for (const draft of this.#drafts)
      if (draft.node !== undefined)
        checkNode(draft.node, draft.refs.length, (code, message, part) =>
          this.#reportNew(code, message, draft.pointer + placeOf(draft, draft.node!, part)),
        );
    checkInputs(nodes, (code, message, node) => {
      const { pointer } = this.#drafts[node]!;
      if (!this.#wrong.has(`${pointer}/name`)) this.#report(code, message, pointer);
    });
    return levelsOf(nodes, (path) => {
      const text = cycleText(path, (node) => this.#drafts[node]!.id);
      this.#report("PEL-CYCLE", text, this.#drafts[path[0]!]!.pointer);
    });
  }

  // ---- nodes

  #draft(id: string, value: Json): void {
    const pointer = `/nodes${pointerStep(id)}`;
    if (!ID.test(id)) this.#report("PEL-NAME", "an id has 1 to 255 of A-Z, a-z, 0-9, _ and -", pointer);
    this.#ids.set(id, this.#drafts.length);
    const refs: TextRef[] = [];
    const op = this.#op(value, pointer);
    const outputs = op === "guest" ? new Map<string, string>() : NO_OUTPUTS;
    const object = op === undefined ? {} : this.#object(value, pointer, ...MEMBERS[op]);
    const node = op === undefined ? undefined : this.#node(op, id, object, pointer, refs, outputs);
    this.#drafts.push({ id, pointer, node, refs, outputs });
  }

  /** The node without its refs, which are put into `refs`, and the names of its outputs into `outputs`. */
  #node(
    op: Node["op"],
    id: string,
    object: JsonObject,
    pointer: string,
    refs: TextRef[],
    outputs: Map<string, string>,
  ): Node {
    const one = (name: string): void => {
      if (object[name] !== undefined) refs.push({ value: object[name], pointer: `${pointer}/${name}` });
    };
    const list = (name: string): void => {
      for (const [k, item] of this.#list(object[name], `${pointer}/${name}`).entries())
        refs.push({ value: item, pointer: `${pointer}/${name}/${k}` });
    };
    switch (op) {
      case "input": {
        const name = object.name === undefined ? id : this.#text(object.name, `${pointer}/name`);
        return { op, name, tag: this.#tag(object.tag, `${pointer}/tag`), refs: NO_REFS };
      }
      case "const":
        return { op, bytes: this.#bytes(object, pointer), refs: NO_REFS };
      case "slice": {
        one("of");
        const offset = this.#integer(object.offset, `${pointer}/offset`);
        const length = object.length === undefined ? undefined : this.#integer(object.length, `${pointer}/length`);
        return { op, offset, length, refs: NO_REFS };
      }
      case "split": {
        one("of");
        const at = this.#list(object.at, `${pointer}/at`);
        return { op, at: at.map((offset, k) => this.#integer(offset, `${pointer}/at/${k}`)), refs: NO_REFS };
      }
      case "guest":
        return this.#guest(object, pointer, refs, outputs);
      case "concat":
        list("of");
        return { op, refs: NO_REFS };
      case "select":
        one("selector");
        list("cases");
        return { op, refs: NO_REFS };
      default:
        one("of");
        return { op, refs: NO_REFS };
    }
  }

  #op(value: Json, pointer: string): Node["op"] | undefined {
    if (!isObject(value)) {
      this.#report("PEL-TYPE", "an object was expected", pointer);
      return undefined;
    }
    const { op } = value;
    if (op === undefined) this.#report("PEL-MEMBER", '"op" is missing', pointer);
    else if (typeof op !== "string") this.#report("PEL-TYPE", "text was expected", `${pointer}/op`);
    else if (Object.hasOwn(MEMBERS, op)) return op as Node["op"];
    else this.#report(...opProblem(op), `${pointer}/op`);
    return undefined;
  }

  #bytes(object: JsonObject, pointer: string): Uint8Array {
    const given = MEMBERS.const[1].filter((name) => object[name] !== undefined);
    if (given.length !== 1) {
      this.#report(
        "PEL-MEMBER",
        `one of text, hex, base64 and json was expected, not ${given.length} of them`,
        pointer,
      );
      return new Uint8Array();
    }
    const form = given[0]!;
    if (form === "json") return encodeUtf8(canonicalJson(object.json));
    const text = this.#text(object[form], `${pointer}/${form}`);
    if (form === "text") return encodeUtf8(text);
    const bytes = Buffer.from(text, form as "hex" | "base64");
    if (bytes.toString(form as "hex" | "base64") !== (form === "hex" ? text.toLowerCase() : text))
      this.#report(
        "PEL-VALUE",
        `this is no ${form === "hex" ? "hexadecimal" : "base64 with padding"}`,
        `${pointer}/${form}`,
      );
    return new Uint8Array(bytes);
  }

  #guest(object: JsonObject, pointer: string, refs: TextRef[], outputs: Map<string, string>): GuestNode {
    const { inputs: from = {}, outputs: to = [], args: given = [], limits = {} } = object;
    const text = (name: string): string | undefined =>
      object[name] === undefined ? undefined : this.#text(object[name], `${pointer}/${name}`);
    const inputs = Object.entries(this.#map(from, `${pointer}/inputs`));
    for (const [name, value] of inputs.sort(([left], [right]) => compareNames(left, right)))
      refs.push({ value, pointer: `${pointer}/inputs${pointerStep(name)}` });
    const io = text("io");
    if (io !== undefined && io !== "files" && io !== "artifacts")
      this.#report("PEL-VALUE", '"files" or "artifacts" was expected', `${pointer}/io`);
    const args = this.#list(given, `${pointer}/args`);
    const declared = this.#guestOutputs(to, `${pointer}/outputs`);
    for (const [k, { name }] of declared.entries())
      outputs.set(name, `/outputs/${k}${isObject((to as readonly Json[])[k]) ? "/name" : ""}`);
    const node = guestNode({
      module: this.#module(object.module, `${pointer}/module`),
      entry: text("entry"),
      args: args.map((argument, k) => this.#text(argument, `${pointer}/args/${k}`)),
      outputs: declared,
      stdout: text("stdout"),
      stderr: text("stderr"),
      assets: text("assets"),
      io: io as GuestParts["io"],
      limits: this.#limits(limits, `${pointer}/limits`),
    });
    return { ...node, inputs: inputs.map(([name]) => name) };
  }

  #guestOutputs(value: Json, pointer: string): GuestOutput[] {
    return this.#list(value, pointer).map((item, k) => {
      const place = `${pointer}/${k}`;
      if (!isObject(item)) return { name: this.#text(item, place), tag: undefined };
      const object = this.#object(item, place, ["name"], ["tag"]);
      return { name: this.#text(object.name, `${place}/name`), tag: this.#tag(object.tag, `${place}/tag`) };
    });
  }

  #module(value: Json | undefined, pointer: string): ArtifactKey {
    const text = this.#text(value, pointer);
    if (this.#wrong.has(pointer)) return NO_KEY;
    if (KEY.test(text)) {
      try {
        new ParsedKey().parse(text);
        return text as ArtifactKey;
      } catch (error) {
        this.#report("PEL-MODULE", (error as Error).message, pointer);
        return NO_KEY;
      }
    }
    try {
      if (this.#resolve !== undefined) return this.#resolve(text);
      this.#report("PEL-MODULE", `${quoted(text)} is no key`, pointer);
    } catch (error) {
      this.#report("PEL-MODULE", `${quoted(text)}: ${error instanceof Error ? error.message : error}`, pointer);
    }
    return NO_KEY;
  }

  #limits(value: Json, pointer: string): Partial<GuestLimits> {
    const object = this.#object(value, pointer, [], Object.keys(GUEST_LIMITS));
    const read = ([name, item]: [string, Json]): [string, number | bigint] => {
      const place = `${pointer}/${name}`;
      return [name, name === "fuel" ? this.#fuel(item, place) : this.#integer(item, place)];
    };
    return Object.fromEntries(
      Object.entries(object)
        .filter(([name]) => Object.hasOwn(GUEST_LIMITS, name))
        .map(read),
    );
  }

  /** A number, or its decimal digits: JSON's numbers end at 2^53 for many. */
  #fuel(value: Json, pointer: string): bigint {
    if (typeof value === "string" && /^(0|[1-9][0-9]{0,18})$/.test(value)) return BigInt(value);
    if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
    this.#report("PEL-TYPE", "an integer below 2^53, or text of decimal digits, was expected", pointer);
    return 0n;
  }

  // ---- refs

  #outputs(map: JsonObject): ProgramOutput[] {
    const outputs = Object.entries(map).map(([name, value]) => {
      const ref = this.#ref({ value, pointer: `/outputs${pointerStep(name)}` });
      return { name, ref: ref ?? { node: 0, output: 0 } };
    });
    outputs.sort((left, right) => compareNames(left.name, right.name));
    checkOutputs(outputs, (code, message, pointer) => {
      const name = outputs[Number(pointer.split("/")[2])]?.name;
      this.#reportNew(code, message, name === undefined ? pointer : `/outputs${pointerStep(name)}`);
    });
    return outputs;
  }

  #refs(refs: readonly TextRef[]): Ref[] {
    return refs.map((ref) => this.#ref(ref)).filter((ref) => ref !== undefined);
  }

  #ref({ value, pointer }: TextRef): Ref | undefined {
    if (typeof value === "string") {
      const dot = value.indexOf(".");
      if (dot < 0) return this.#lookUp(value, undefined, pointer);
      return this.#lookUp(value.slice(0, dot), value.slice(dot + 1), pointer);
    }
    if (!isObject(value)) {
      this.#report("PEL-TYPE", "a ref, as text or as an object, was expected", pointer);
      return undefined;
    }
    const object = this.#object(value, pointer, ["node"], ["output", "receipt"]);
    const id = this.#text(object.node, `${pointer}/node`);
    const { output, receipt } = object;
    if (output !== undefined && receipt !== undefined)
      this.#report("PEL-MEMBER", '"output" and "receipt" exclude each other', pointer);
    if (receipt !== undefined && receipt !== true) this.#report("PEL-VALUE", "true was expected", `${pointer}/receipt`);
    const name = output === undefined ? undefined : this.#text(output, `${pointer}/output`);
    if (this.#wrong.has(`${pointer}/node`) || this.#wrong.has(`${pointer}/output`)) return undefined;
    return this.#lookUp(id, name, pointer, receipt === undefined ? "output" : "receipt");
  }

  /** `name` is what is told of an output, or `receipt` where `kind` does not say what it is. */
  #lookUp(id: string, name: string | undefined, pointer: string, kind?: "output" | "receipt"): Ref | undefined {
    const node = this.#ids.get(id);
    if (node === undefined) {
      this.#report("PEL-REF", `there is no node ${quoted(id)}`, pointer);
      return undefined;
    }
    const draft = this.#drafts[node]!;
    const target = draft.node;
    // What is wrong with that node is told there.
    if (target === undefined) return { node, output: 0 };
    let output: number | undefined;
    if (kind === "receipt" || (kind === undefined && name === "receipt")) {
      if (kind === undefined && outputNames(draft).has("receipt")) {
        const forms = '{"node": …, "output": "receipt"} or {"node": …, "receipt": true}';
        this.#report("PEL-REF", `${quoted(id)} has an output of that name: write ${forms}`, pointer);
        return undefined;
      }
    } else if (name === undefined) {
      output = 0;
      if (outputCount(target) !== 1) {
        const forms = [...outputNames(draft).keys()].slice(0, 5).concat("receipt");
        const choice = forms.map((form) => `${id}.${form}`).join(", ");
        this.#report("PEL-REF", `${quoted(id)} has ${outputCount(target)} outputs: ${choice}`, pointer);
        return undefined;
      }
    } else {
      output = outputNames(draft).get(name);
      if (output === undefined) {
        this.#report("PEL-REF", `${quoted(id)} has no output ${quoted(name)}`, pointer);
        return undefined;
      }
    }
    checkRef(target, { node, output }, pointer, this.#report);
    return { node, output };
  }

  // ---- values

  readonly #report = (code: PelCode, message: string, pointer: string): void => {
    this.#wrong.add(pointer);
    this.#problems.add(code, message, { pointer });
  };
  /** Reports what is not told already. */
  readonly #reportNew = (code: PelCode, message: string, pointer: string): void => {
    if (!this.#wrong.has(pointer)) this.#report(code, message, pointer);
  };

  /** An object with these members, without others. */
  #object(value: Json, pointer: string, required: readonly string[], optional: readonly string[]): JsonObject {
    if (!isObject(value)) {
      this.#report("PEL-TYPE", "an object was expected", pointer);
      return {};
    }
    for (const name of Object.keys(value))
      if (!required.includes(name) && !optional.includes(name)) {
        const known = [...required, ...optional].join(", ");
        this.#report("PEL-MEMBER", `there is no member ${quoted(name)}: ${known}`, pointer + pointerStep(name));
      }
    for (const name of required)
      if (!Object.hasOwn(value, name)) this.#report("PEL-MEMBER", `${quoted(name)} is missing`, pointer);
    return value;
  }
  // In these, that a member is missing is told already.
  /** An object with any members. */
  #map(value: Json | undefined, pointer: string): JsonObject {
    if (isObject(value)) return value;
    this.#other(value, "an object", pointer);
    return {};
  }
  #list(value: Json | undefined, pointer: string): readonly Json[] {
    if (Array.isArray(value)) return value;
    this.#other(value, "an array", pointer);
    return [];
  }
  #text(value: Json | undefined, pointer: string): string {
    if (typeof value === "string") return value;
    this.#other(value, "text", pointer);
    return "";
  }
  #integer(value: Json | undefined, pointer: string): number {
    if (typeof value === "number") return value;
    this.#other(value, "an integer", pointer);
    return 0;
  }
  #tag(value: Json | undefined, pointer: string): Tag {
    return value === undefined ? undefined : this.#integer(value, pointer);
  }
  #other(value: Json | undefined, wanted: string, pointer: string): void {
    if (value !== undefined) this.#report("PEL-TYPE", `${wanted} was expected`, pointer);
    this.#wrong.add(pointer);
  }
}

/** What looks like the text of a key. */
const KEY = /^[a-z0-9-]+:[0-9A-Fa-f]{64}$/;

/** Where the text has what a node has at `pointer`. */
function placeOf(draft: Draft, node: Node, pointer: string): string {
  const [, list, index] = pointer.split("/");
  if (list === "refs") return node.op === "select" ? "/cases" : node.op === "concat" ? "/of" : "";
  if (list === "bytes") return "";
  if (node.op !== "guest" || index === undefined) return pointer;
  // In the text these are in another order.
  if (list === "inputs") return `/inputs${pointerStep(node.inputs[Number(index)]!)}`;
  if (list !== "outputs") return pointer;
  const place = draft.outputs.get(node.outputs[Number(index)]!.name)!;
  return pointer.endsWith("/tag") ? place.replace(/name$/, "tag") : place;
}

/** What the outputs of a node are called in refs, in their order; the one of most operations has no name. */
type OutputNames = ReadonlyMap<string, number>;

function outputNames(draft: Draft): OutputNames {
  const { node } = draft;
  if (draft.names === undefined) {
    const names = new Map<string, number>();
    if (node?.op === "guest") for (const [k, { name }] of node.outputs.entries()) names.set(name, k);
    if (node?.op === "split") for (let k = 0; k < outputCount(node); k++) names.set(String(k), k);
    draft.names = names;
  }
  return draft.names;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
