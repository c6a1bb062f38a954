/** Programs: what their nodes are, and their one encoding (spec PEL-PROGRAM, PEL-NODE, PEL-ENC). */
import { type ArtifactKey, copyOf, keyBytes, keyText, ParsedKey } from "../asl/key.ts";
import { CborReader, CborWriter } from "../tgk/cbor.ts";
import { expectArgument, type PelCode, PelError, type Report } from "./errors.ts";
import { compareRanges, cycleText, levelsOf } from "./order.ts";

/** Of an artifact; undefined: it has none. */
export type Tag = number | undefined;

/** What a node, or an output of the program, takes: an output of another node, or its receipt. */
export interface Ref {
  /** Index of the node. */
  readonly node: number;
  /** Number of its output; undefined: its receipt. */
  readonly output: number | undefined;
}

/** What every node has. */
interface NodeBase {
  readonly refs: readonly Ref[];
}
/** Stands for an artifact that a run is given. */
export interface InputNode extends NodeBase {
  readonly op: "input";
  readonly name: string;
  readonly tag: Tag;
}
/** Bytes of the program. */
export interface ConstNode extends NodeBase {
  readonly op: "const";
  readonly bytes: Uint8Array;
}
/** All refs, one behind the other. */
export interface ConcatNode extends NodeBase {
  readonly op: "concat";
}
/** A part of its ref. */
export interface SliceNode extends NodeBase {
  readonly op: "slice";
  readonly offset: number;
  /** In bytes; undefined: to the end. */
  readonly length: number | undefined;
}
/** SHA-256 of its ref: 32 bytes. */
export interface HashNode extends NodeBase {
  readonly op: "hash";
}
/** How many bytes its ref has, as a little-endian u64. */
export interface LengthNode extends NodeBase {
  readonly op: "length";
}
/** The ref behind the first one that the first one's number tells. */
export interface SelectNode extends NodeBase {
  readonly op: "select";
}
/** Its ref in parts: one output more than there are offsets. */
export interface SplitNode extends NodeBase {
  readonly op: "split";
  /** Ascending; equal ones make empty parts. */
  readonly at: readonly number[];
}
/** What an execution of a guest may use. */
export interface GuestLimits {
  readonly fuel: bigint;
  /** Pages of 65,536 bytes. */
  readonly memoryPages: number;
  readonly tableElements: number;
  readonly depth: number;
  readonly heapObjects: number;
  readonly heapBytes: number;
  /** Bytes of all that it makes. */
  readonly outputBytes: number;
}
export interface GuestOutput {
  readonly name: string;
  readonly tag: Tag;
}
/** A guest as a kernel. */
export interface GuestNode extends NodeBase {
  readonly op: "guest";
  readonly module: ArtifactKey;
  /** The export to call; undefined: the module's entry point. */
  readonly entry: string | undefined;
  readonly args: readonly string[];
  /** Names of the refs, in their order, which is that of the names. */
  readonly inputs: readonly string[];
  /** Ascending by name. */
  readonly outputs: readonly GuestOutput[];
  /** The output that takes the stream; undefined: it is discarded. */
  readonly stdout: string | undefined;
  readonly stderr: string | undefined;
  /** The input that is a pack, and granted for `bank`. */
  readonly assets: string | undefined;
  /** How it reaches its inputs and outputs: by `/in` and `/out`, or by the calls of `asl`. */
  readonly io: "files" | "artifacts";
  readonly limits: GuestLimits;
}
export type Node =
  | InputNode
  | ConstNode
  | ConcatNode
  | SliceNode
  | HashNode
  | LengthNode
  | SelectNode
  | SplitNode
  | GuestNode;
export type Op = Node["op"];

export interface ProgramOutput {
  readonly name: string;
  readonly ref: Ref;
}
/** A program in its canonical form. */
export interface Program {
  readonly nodes: readonly Node[];
  readonly outputs: readonly ProgramOutput[];
}

/** Operations by their opcodes; append-only. The last two are reserved (spec PEL-NODE-1). */
export const OPS = [
  "input",
  "const",
  "concat",
  "slice",
  "hash",
  "length",
  "select",
  "split",
  "guest",
  "tgk",
  "aggregate",
] as const;

/** Of operations that {@link OPS} reserves. */
export const RESERVED_OPS: readonly string[] = ["tgk", "aggregate"];

const OPCODES = Object.fromEntries(OPS.map((op, opcode) => [op, opcode])) as { readonly [op in Op]: number };

const VERSION = 1;

/** Most of everything (spec PEL-LIMIT-1). */
export const PROGRAM_LIMITS = {
  programBytes: 268_435_456,
  nodes: 1_048_576,
  /** Input nodes of a program. */
  inputs: 65_534,
  /** Outputs of a program, and of a node. */
  outputs: 65_534,
  refs: 65_534,
  constBytes: 1_048_576,
  nameBytes: 255,
  entryBytes: 65_535,
  args: 65_535,
  /** Of all arguments of a node. */
  argsBytes: 1_048_576,
} as const;

/** What a guest node has that says nothing else (spec PEL-NODE-10). */
export const GUEST_LIMITS: GuestLimits = {
  fuel: 10_000_000_000n,
  memoryPages: 16_384,
  tableElements: 10_000_000,
  depth: 1_000_000,
  heapObjects: 65_536,
  heapBytes: 256 * 1024 * 1024,
  outputBytes: 256 * 1024 * 1024,
};

/** The highest that a guest node can have, in the order of the encoding. */
export const MOST_GUEST_LIMITS: GuestLimits = {
  fuel: 2n ** 63n - 1n,
  memoryPages: 65_536,
  tableElements: 10_000_000,
  depth: 1_000_000,
  heapObjects: 2 ** 24,
  heapBytes: 2 ** 31,
  outputBytes: 2 ** 31,
};
const COUNTED_LIMITS = Object.keys(MOST_GUEST_LIMITS).slice(1) as Exclude<keyof GuestLimits, "fuel">[];

/** How many outputs a node has. */
export function outputCount(node: Node): number {
  if (node.op === "split") return node.at.length + 1;
  return node.op === "guest" ? node.outputs.length : 1;
}

/** Order of names and arguments: by their UTF-8. */
export function compareNames(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let k = 0; k < length; k++) {
    const a = left.charCodeAt(k);
    const b = right.charCodeAt(k);
    if (a !== b) return rank(a) - rank(b);
  }
  return left.length - right.length;
}

/** Surrogates stand for what is above all other UTF-16 units. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x1_0000 : unit;
}

// ---- what is allowed

/** Without controls, separators and halves of characters. */
const NAME = /^[^\p{Cc}\p{Cs}/]+$/u;

/** What keeps `name` from being that of an input or an output, or undefined: it can be a file's (spec PEL-PROGRAM-3). */
export function nameProblem(name: string): string | undefined {
  if (name === "") return "a name is not empty";
  if (name.length > 85 && Buffer.byteLength(name) > PROGRAM_LIMITS.nameBytes)
    return `a name has at most ${PROGRAM_LIMITS.nameBytes} bytes of UTF-8`;
  if (!NAME.test(name)) return "a name has no slash, no control characters and no lone surrogates";
  return name === "." || name === ".." ? '"." and ".." are no names' : undefined;
}

/**
 * Reports what is wrong with a node of so many refs, but for what they name: pointers are into the node. Inputs and outputs of a guest are in order,
 * or it is PEL-NOT-CANONICAL.
 */
export function checkNode(node: Node, arity: number, report: Report): void {
  switch (node.op) {
    case "input":
      checkName(node.name, "/name", report);
      checkTag(node.tag, "/tag", report);
      break;
    case "const":
      checkMost("constBytes", node.bytes.length, "bytes", "/bytes", report);
      break;
    case "slice":
      checkSize(node.offset, "/offset", report);
      if (node.length !== undefined) checkSize(node.length, "/length", report);
      break;
    case "split":
      checkMost("outputs", node.at.length + 1, "outputs", "/at", report);
      for (const [k, offset] of node.at.entries()) {
        checkSize(offset, `/at/${k}`, report);
        if (k > 0 && offset < node.at[k - 1]!)
          report("PEL-VALUE", `${offset} is below the offset before it, ${node.at[k - 1]}`, `/at/${k}`);
      }
      break;
    case "guest":
      checkGuest(node, report);
      break;
    case "concat":
    case "hash":
    case "length":
    case "select":
      break;
    default:
      report(...opProblem((node as Node).op), "/op");
      return;
  }
  checkArity(node, arity, report);
}

/** What to say of an operation that no node has. */
export function opProblem(op: unknown): readonly [code: PelCode, message: string] {
  if (RESERVED_OPS.includes(op as string)) return ["PEL-UNSUPPORTED-NODE", `${op} is reserved and cannot run yet`];
  const known = OPS.filter((each) => !RESERVED_OPS.includes(each)).join(", ");
  return ["PEL-OPCODE", `there is no operation ${typeof op === "string" ? quoted(op) : op}: ${known}`];
}

function checkArity(node: Node, arity: number, report: Report): void {
  const [least, most] = arityOf(node);
  if (arity >= least && arity <= most) return;
  const wanted = least === most ? least : `${least} to ${most}`;
  report("PEL-ARITY", `${node.op} has ${wanted} refs, not ${arity}`, "/refs");
}

/** Fewest and most refs of a node. */
function arityOf(node: Node): readonly [number, number] {
  switch (node.op) {
    case "input":
    case "const":
      return [0, 0];
    case "concat":
      return [1, PROGRAM_LIMITS.refs];
    case "select":
      return [2, PROGRAM_LIMITS.refs];
    case "guest":
      return [node.inputs.length, node.inputs.length];
    default:
      return [1, 1];
  }
}

function checkGuest(node: GuestNode, report: Report): void {
  const { entry, args, inputs, outputs, stdout, stderr, assets, io, limits } = node;
  if (entry !== undefined) checkText(entry, "/entry", report);
  if (entry !== undefined) checkMost("entryBytes", Buffer.byteLength(entry), "bytes", "/entry", report);
  checkMost("args", args.length, "arguments", "/args", report);
  let argsBytes = 0;
  for (const [k, argument] of args.entries()) {
    checkText(argument, `/args/${k}`, report);
    if (argument.includes("\0")) report("PEL-VALUE", "an argument holds no NUL", `/args/${k}`);
    argsBytes += Buffer.byteLength(argument);
  }
  checkMost("argsBytes", argsBytes, "bytes of arguments", "/args", report);
  checkMost("refs", inputs.length, "inputs", "/inputs", report);
  for (const [k, name] of inputs.entries()) {
    checkName(name, `/inputs/${k}`, report);
    if (k > 0) checkOrder(inputs[k - 1]!, name, `/inputs/${k}`, report);
  }
  checkMost("outputs", outputs.length, "outputs", "/outputs", report);
  for (const [k, { name, tag }] of outputs.entries()) {
    checkName(name, `/outputs/${k}/name`, report);
    checkTag(tag, `/outputs/${k}/tag`, report);
    if (k > 0) checkOrder(outputs[k - 1]!.name, name, `/outputs/${k}/name`, report);
  }
  for (const [stream, name] of [
    ["stdout", stdout],
    ["stderr", stderr],
  ] as const)
    if (name !== undefined && !outputs.some((output) => output.name === name))
      report("PEL-VALUE", `${quoted(name)} is none of the node's outputs`, `/${stream}`);
  if (stdout !== undefined && stdout === stderr)
    report("PEL-VALUE", "stdout and stderr do not go to one output", "/stderr");
  if (assets !== undefined && !inputs.includes(assets))
    report("PEL-VALUE", `${quoted(assets)} is none of the node's inputs`, "/assets");
  if (io !== "files" && io !== "artifacts") report("PEL-VALUE", '"files" or "artifacts" was expected', "/io");
  const { fuel } = limits;
  if (typeof fuel !== "bigint" || fuel < 0n || fuel > MOST_GUEST_LIMITS.fuel)
    report("PEL-VALUE", `fuel is an integer from 0 to ${MOST_GUEST_LIMITS.fuel}, not ${fuel}`, "/limits/fuel");
  for (const name of COUNTED_LIMITS) {
    const value = limits[name];
    const most = MOST_GUEST_LIMITS[name];
    if (!Number.isInteger(value) || value < 0 || value > most)
      report("PEL-VALUE", `${name} is from 0 to ${most}, not ${value}`, `/limits/${name}`);
  }
}

function checkName(name: string, pointer: string, report: Report): void {
  const problem = nameProblem(name);
  if (problem !== undefined) report("PEL-NAME", `${quoted(name)}: ${problem}`, pointer);
}

/** Of names, where there must be an order. */
function checkOrder(before: string, name: string, pointer: string, report: Report): void {
  const order = compareNames(before, name);
  if (order === 0) report("PEL-NAME", `${quoted(name)} comes twice`, pointer);
  else if (order > 0) report("PEL-NOT-CANONICAL", `${quoted(name)} belongs before ${quoted(before)}`, pointer);
}

function checkTag(tag: Tag, pointer: string, report: Report): void {
  if (tag !== undefined && !(Number.isInteger(tag) && tag >= 0 && tag < 2 ** 32))
    report("PEL-VALUE", `a tag is from 0 to ${2 ** 32 - 1}, not ${tag}`, pointer);
}

/** Of an offset or a length. */
function checkSize(value: number, pointer: string, report: Report): void {
  if (!Number.isSafeInteger(value) || value < 0)
    report("PEL-VALUE", `an integer from 0 to 2^53 - 1 was expected, not ${value}`, pointer);
}

function checkText(text: string, pointer: string, report: Report): void {
  if (/\p{Surrogate}/u.test(text)) report("PEL-VALUE", "the text has a lone surrogate", pointer);
}

/** Reports more than a limit allows. */
export function checkMost(
  limit: keyof typeof PROGRAM_LIMITS,
  actual: number,
  what: string,
  pointer: string,
  report: Report,
): void {
  const most = PROGRAM_LIMITS[limit];
  if (actual > most) report("PEL-LIMIT", `there are ${actual} ${what}, and ${most} are possible`, pointer);
}

/** Reports when a ref, to `target`, leads nowhere. */
export function checkRef(target: Node | undefined, ref: Ref, pointer: string, report: Report): void {
  const { node, output } = ref;
  if (target === undefined) report("PEL-REF", `there is no node ${node}`, pointer);
  else if (output === undefined) {
    if (target.op === "input") report("PEL-REF", "an input has no receipt", pointer);
  } else if (!(Number.isInteger(output) && output >= 0 && output < outputCount(target)))
    report("PEL-REF", `node ${node} has ${outputCount(target)} outputs, and no number ${output}`, pointer);
}

/** Reports what is wrong with the input nodes of a program together: equal ones are one, so others of one name are two inputs. */
export function checkInputs(
  nodes: readonly Node[],
  report: (code: PelCode, message: string, node: number) => void,
): void {
  const tags = new Map<string, Tag>();
  for (const [index, node] of nodes.entries()) {
    if (node.op !== "input") continue;
    if (tags.has(node.name) && tags.get(node.name) !== node.tag)
      report("PEL-NAME", `two inputs are named ${quoted(node.name)}`, index);
    tags.set(node.name, node.tag);
    if (tags.size === PROGRAM_LIMITS.inputs + 1)
      report("PEL-LIMIT", `there are more than ${PROGRAM_LIMITS.inputs} inputs`, index);
  }
}

/** Reports what is wrong with the outputs of a program, but for what they name; they are in order. */
export function checkOutputs(outputs: readonly ProgramOutput[], report: Report): void {
  if (outputs.length === 0) report("PEL-VALUE", "a program has at least one output", "/outputs");
  checkMost("outputs", outputs.length, "outputs", "/outputs", report);
  for (const [k, { name }] of outputs.entries()) {
    checkName(name, `/outputs/${k}/name`, report);
    if (k > 0) checkOrder(outputs[k - 1]!.name, name, `/outputs/${k}/name`, report);
  }
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}

// ---- encoding

/** Writes a node's own encoding, which says how many refs it has and not which (spec PEL-ENC-3). */
export function writeNode(writer: CborWriter, node: Node): void {
  writeParams(writer, node);
  writer.uint(node.refs.length);
}

/** Writes a node as programs hold it; refs are numbered by `indices`, or as they are. */
export function writeProgramNode(writer: CborWriter, node: Node, indices?: ArrayLike<number>): void {
  writeParams(writer, node);
  const { refs } = node;
  writer.array(refs.length);
  for (const ref of refs) writeRef(writer, indices === undefined ? ref.node : indices[ref.node]!, ref.output);
}

function writeRef(writer: CborWriter, node: number, output: number | undefined): void {
  writer.array(2).uint(node);
  if (output === undefined) writer.null();
  else writer.uint(output);
}

function writeParams(writer: CborWriter, node: Node): void {
  writer.array(3).uint(OPCODES[node.op]);
  switch (node.op) {
    case "input":
      writer.array(2).text(node.name);
      writeTag(writer, node.tag);
      break;
    case "const":
      writer.array(1).bytes(node.bytes);
      break;
    case "slice":
      writer.array(2).uint(node.offset);
      if (node.length === undefined) writer.null();
      else writer.uint(node.length);
      break;
    case "split":
      writer.array(1).array(node.at.length);
      for (const offset of node.at) writer.uint(offset);
      break;
    case "guest":
      writeGuest(writer, node);
      break;
    default:
      writer.array(0);
  }
}

function writeGuest(writer: CborWriter, node: GuestNode): void {
  writer.array(10).bytes(keyBytes(node.module));
  writeText(writer, node.entry);
  writer.array(node.args.length);
  for (const argument of node.args) writer.text(argument);
  writer.array(node.inputs.length);
  for (const name of node.inputs) writer.text(name);
  writer.array(node.outputs.length);
  for (const { name, tag } of node.outputs) writeTag(writer.array(2).text(name), tag);
  writeText(writer, node.stdout);
  writeText(writer, node.stderr);
  writeText(writer, node.assets);
  writer.uint(node.io === "files" ? 0 : 1);
  writer.array(7).uint(node.limits.fuel);
  for (const name of COUNTED_LIMITS) writer.uint(node.limits[name]);
}

/** A type tag, or null for none. */
export function writeTag(writer: CborWriter, tag: Tag): void {
  if (tag === undefined) writer.null();
  else writer.uint(tag);
}

function writeText(writer: CborWriter, text: string | undefined): void {
  if (text === undefined) writer.null();
  else writer.text(text);
}

/** The encoding of a program, which is in its canonical form. Throws PEL-LIMIT. */
export function encodeProgram(program: Program): Uint8Array<ArrayBuffer> {
  const writer = new CborWriter(16 * 1024).array(3).uint(VERSION).array(program.nodes.length);
  for (const node of program.nodes) writeProgramNode(writer, node);
  writer.array(program.outputs.length);
  for (const { name, ref } of program.outputs) writeRef(writer.array(2).text(name), ref.node, ref.output);
  if (writer.length > PROGRAM_LIMITS.programBytes)
    throw new PelError(
      "PEL-LIMIT",
      `the program has ${writer.length} bytes, and ${PROGRAM_LIMITS.programBytes} are possible`,
      { pointer: "" },
    );
  return writer.take();
}

// ---- decoding

/**
 * Reads a node's own encoding: the node, without refs, and how many it has. For what no node is it throws what `fail` makes of it; by default a
 * PelError, with a pointer into the node.
 */
export function readNode(
  reader: CborReader,
  fail: (offset: number, message: string, code: PelCode, pointer: string) => Error = (offset, message, code, pointer) =>
    new PelError(code, message, { offset, pointer }),
): { node: Node; arity: number } {
  const offset = reader.offset;
  const report = (code: PelCode, message: string, pointer: string): never => {
    throw fail(offset, message, code, pointer);
  };
  const node = readParams(reader, report);
  const arity = reader.uint();
  checkNode(node, arity, report);
  return { node, arity };
}

const NO_REFS: readonly Ref[] = [];

/** Throws by `report`; nothing is checked but that it can be held. */
function readParams(reader: CborReader, report: (code: PelCode, message: string, pointer: string) => never): Node {
  reader.tuple(3, "a node");
  const opcode = reader.uint();
  const op = OPS[opcode];
  switch (op) {
    case "input":
      reader.tuple(2, "what an input has");
      return { op, name: reader.text(), tag: readTag(reader), refs: NO_REFS };
    case "const":
      reader.tuple(1, "what a const has");
      return { op, bytes: copyOf(reader.bytes()), refs: NO_REFS };
    case "slice":
      reader.tuple(2, "what a slice has");
      return { op, offset: reader.uint(), length: reader.takeNull() ? undefined : reader.uint(), refs: NO_REFS };
    case "split":
      reader.tuple(1, "what a split has");
      return { op, at: readList(reader, readUint), refs: NO_REFS };
    case "guest":
      return readGuest(reader, report);
    case "concat":
    case "hash":
    case "length":
    case "select":
      reader.tuple(0, `what a ${op} has`);
      return { op, refs: NO_REFS };
    default:
      return report(...opProblem(op ?? opcode), "/op");
  }
}

const parsedKey = new ParsedKey();

function readGuest(reader: CborReader, report: (code: PelCode, message: string, pointer: string) => never): GuestNode {
  reader.tuple(10, "what a guest has");
  const module = readKey(reader, report);
  const entry = readText(reader);
  const args = readList(reader, readString);
  const inputs = readList(reader, readString);
  const outputs = readList(reader, readGuestOutput);
  const stdout = readText(reader);
  const stderr = readText(reader);
  const assets = readText(reader);
  const io = reader.uint(1) === 0 ? "files" : "artifacts";
  reader.tuple(7, "limits");
  const limits = {
    fuel: reader.uint64(),
    memoryPages: reader.uint(),
    tableElements: reader.uint(),
    depth: reader.uint(),
    heapObjects: reader.uint(),
    heapBytes: reader.uint(),
    outputBytes: reader.uint(),
  };
  return { op: "guest", module, entry, args, inputs, outputs, stdout, stderr, assets, io, limits, refs: NO_REFS };
}

function readKey(reader: CborReader, report: (code: PelCode, message: string, pointer: string) => never): ArtifactKey {
  const bytes = reader.bytes();
  try {
    const { algorithm, at } = parsedKey.parse(bytes);
    return keyText(algorithm, bytes, at);
  } catch {
    return report("PEL-VALUE", `${bytes.length} bytes are no multihash of a known algorithm`, "/module");
  }
}

function readList<T>(reader: CborReader, read: (reader: CborReader) => T): T[] {
  const items: T[] = [];
  for (let left = reader.array(); left > 0; left--) items.push(read(reader));
  return items;
}
function readUint(reader: CborReader): number {
  return reader.uint();
}
function readString(reader: CborReader): string {
  return reader.text();
}
function readGuestOutput(reader: CborReader): GuestOutput {
  reader.tuple(2, "an output");
  return { name: reader.text(), tag: readTag(reader) };
}
function readTag(reader: CborReader): Tag {
  return reader.takeNull() ? undefined : reader.uint();
}
function readText(reader: CborReader): string | undefined {
  return reader.takeNull() ? undefined : reader.text();
}

/** The program of these bytes. Throws a PelError for all that is not the one encoding of a program: pointers are into the program. */
export function decodeProgram(bytes: Uint8Array): Program {
  expectArgument(bytes instanceof Uint8Array, "a Uint8Array");
  return new ProgramReader(bytes).program();
}

/** Lets the refs of a node come behind it. */
interface Unfinished {
  refs: readonly Ref[];
}

class ProgramReader {
  readonly #bytes: Uint8Array;
  readonly #reader: CborReader;
  readonly #nodes: Node[] = [];
  readonly #levels: number[] = [];
  /** How many nodes there will be. */
  #count = 0;
  // Where the reading is, for pointers: a list of the program, an item of it, and a ref of that; −1: none.
  #list: "" | "/nodes" | "/outputs" = "";
  #index = -1;
  #ref = -1;
  /** Offset of the item. */
  #start = 0;
  /** Offset of the node before. */
  #before = 0;
  /** The first ref to a node that is not before its own. */
  #forward: PelError | undefined;
  readonly #report = (code: PelCode, message: string, pointer: string): never => {
    throw this.#error(code, message, this.#start, pointer);
  };

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#reader = new CborReader(bytes, (offset, message) => this.#error("PEL-ENCODING", message, offset));
  }

  program(): Program {
    const size = this.#bytes.length;
    const most = PROGRAM_LIMITS.programBytes;
    if (size > most)
      throw this.#error("PEL-LIMIT", `the program has ${size} bytes, and ${most} are possible`, undefined);
    const reader = this.#reader;
    const items = reader.array();
    const start = reader.offset;
    const version = reader.uint();
    if (version !== VERSION)
      throw this.#error("PEL-VERSION", `version ${version}; this program knows version ${VERSION}`, start);
    if (items !== 3) throw this.#error("PEL-ENCODING", `a program is an array of 3 items, not of ${items}`, 0);
    this.#readNodes();
    if (this.#forward !== undefined) this.#failForward(this.#forward);
    const outputs = this.#readOutputs();
    reader.end();
    return { nodes: this.#nodes, outputs };
  }

  #readNodes(): void {
    const reader = this.#reader;
    this.#list = "/nodes";
    this.#start = reader.offset;
    this.#count = reader.array();
    checkMost("nodes", this.#count, "nodes", "", this.#report);
    for (let index = 0; index < this.#count; index++) {
      this.#index = index;
      this.#start = reader.offset;
      const node = readParams(reader, this.#report);
      const arity = reader.array();
      checkNode(node, arity, this.#report);
      let level = 0;
      if (arity > 0) {
        const refs: Ref[] = [];
        for (let k = 0; k < arity; k++) {
          this.#ref = k;
          const ref = this.#readRef();
          refs.push(ref);
          if (ref.node < index) level = Math.max(level, this.#levels[ref.node]! + 1);
        }
        this.#ref = -1;
        (node as Unfinished).refs = refs;
      }
      this.#nodes.push(node);
      this.#levels.push(level);
      if (this.#forward === undefined) this.#checkPlace(index, level);
      this.#before = this.#start;
    }
    this.#index = -1;
    checkInputs(this.#nodes, (code, message, node) => {
      throw new PelError(code, message, { pointer: `/nodes/${node}`, node });
    });
  }

  #readRef(): Ref {
    const reader = this.#reader;
    const start = reader.offset;
    reader.tuple(2, "a ref");
    const node = reader.uint();
    const ref = { node, output: reader.takeNull() ? undefined : reader.uint() };
    if (this.#list === "/nodes" && node >= this.#index && node < this.#count) {
      const message = `node ${node} is not before the node that refers to it`;
      this.#forward ??= this.#error("PEL-NOT-CANONICAL", message, start);
    } else {
      checkRef(this.#nodes[node], ref, "", this.#report);
    }
    return ref;
  }

  /** Whether it is a cycle can be told when all refs are known. */
  #failForward(forward: PelError): never {
    levelsOf(this.#nodes, (path) => {
      const node = path[0]!;
      throw new PelError("PEL-CYCLE", cycleText(path, String), { pointer: `/nodes/${node}`, node });
    });
    throw forward;
  }

  /** By levels, then by encodings; none twice. */
  #checkPlace(index: number, level: number): void {
    if (index === 0) return;
    const levelBefore = this.#levels[index - 1]!;
    if (level > levelBefore) return;
    const order =
      level - levelBefore || compareRanges(this.#bytes, this.#start, this.#reader.offset, this.#before, this.#start);
    if (order > 0) return;
    const what = order < 0 ? "belongs before" : "is the same as";
    this.#report("PEL-NOT-CANONICAL", `the node ${what} node ${index - 1}`, "");
  }

  #readOutputs(): ProgramOutput[] {
    const reader = this.#reader;
    this.#list = "/outputs";
    const start = reader.offset;
    this.#start = start;
    const count = reader.array();
    checkMost("outputs", count, "outputs", "", this.#report);
    const outputs: ProgramOutput[] = [];
    for (let index = 0; index < count; index++) {
      this.#index = index;
      reader.tuple(2, "an output");
      const name = reader.text();
      this.#start = reader.offset;
      outputs.push({ name, ref: this.#readRef() });
    }
    this.#index = -1;
    this.#list = "";
    this.#start = start;
    checkOutputs(outputs, this.#report);
    return outputs;
  }

  #error(code: PelCode, message: string, offset: number | undefined, pointer = ""): PelError {
    const item = this.#index < 0 ? "" : `/${this.#index}`;
    const ref = this.#list === "/outputs" && this.#index >= 0 ? "/ref" : this.#ref < 0 ? "" : `/refs/${this.#ref}`;
    const node = this.#list === "/nodes" && this.#index >= 0 ? this.#index : undefined;
    return new PelError(code, message, { pointer: `${this.#list}${item}${ref}${pointer}`, offset, node });
  }
}
