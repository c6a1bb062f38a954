/** Receipts (spec 31): the claim of a node or of a run, and the context of a claim. */
import { ABI_VERSION } from "../../syscalls/table.ts";
import { FUEL_SCHEDULE } from "../../vm/fuel.ts";
import { trapName } from "../../vm/trap.ts";
import { type ArtifactKey, copyOf, DIGEST_BYTES, keyBytes, keyText, ParsedKey } from "../asl/key.ts";
import type { KeyLike } from "../asl/view.ts";
import { CborReader, CborWriter } from "../tgk/cbor.ts";
import { PEL_COMPILER } from "./compile.ts";
import { expectArgument, PelError } from "./errors.ts";
import {
  compareNames,
  type Node,
  nameProblem,
  outputCount,
  PROGRAM_LIMITS,
  readNode,
  type Tag,
  writeNode,
  writeTag,
} from "./program.ts";

/** Type tags of what programs leave in a store (spec PER-TAG-1). */
export const TypeTag = { PROGRAM: 0x0101, MODULE: 0x0102, CLAIM: 0x0103, CONTEXT: 0x0104 } as const;

const { nodes, refs } = PROGRAM_LIMITS;

/** Longest claim (spec PER-CLAIM-6). */
export const MOST_CLAIM_BYTES: number = 64 * 1024 * 1024;

/** Of claims and contexts. */
const VERSION = 1;
const NODE = 0;
const RUN = 1;

/** Why a node failed that neither trapped nor ended with a code of its own (spec PER-CLAIM-4). */
export const FailureCode = {
  OUT_OF_RANGE: 1,
  BAD_SELECTOR: 2,
  MISSING_OUTPUT: 3,
  UNDECLARED_OUTPUT: 4,
  BAD_MODULE: 5,
  BAD_ASSETS: 6,
} as const;
export type FailureCode = (typeof FailureCode)[keyof typeof FailureCode];
export type FailureName = keyof typeof FailureCode;

/** Name of a failure's code; undefined for a number that is none. */
export function failureName(code: number): FailureName | undefined {
  return (Object.keys(FailureCode) as FailureName[]).find((name) => FailureCode[name] === code);
}

/** How a node ended (spec PER-CLAIM-4). */
export type Outcome =
  | { readonly type: "ok" }
  | { readonly type: "trap"; readonly code: number; readonly function: number; readonly offset: number }
  | { readonly type: "out-of-fuel" }
  | { readonly type: "exit"; readonly code: number }
  | { readonly type: "failure"; readonly code: FailureCode; readonly detail: string };

/** What to say of an outcome: `ok`, `trap Unreachable in function 3 at byte 120`, `MISSING_OUTPUT: counts.tsv`. */
export function outcomeText(outcome: Outcome): string {
  switch (outcome.type) {
    case "ok":
      return "ok";
    case "trap":
      return `trap ${trapName(outcome.code)} in function ${outcome.function} at byte ${outcome.offset}`;
    case "out-of-fuel":
      return "out of fuel";
    case "exit":
      return `exit code ${outcome.code}`;
    case "failure":
      return `${failureName(outcome.code)}${outcome.detail === "" ? "" : `: ${outcome.detail}`}`;
  }
}

/** An artifact, as the record with this tag or without one. */
export interface ArtifactRef {
  readonly key: ArtifactKey;
  readonly tag: Tag;
}
export interface NamedRef extends ArtifactRef {
  readonly name: string;
}

/** What determines how a node runs, beside the node and its inputs. */
export interface Versions {
  readonly abi: number;
  readonly fuelSchedule: number;
  readonly compiler: number;
}
/** Those of this program. */
export const VERSIONS: Versions = { abi: ABI_VERSION, fuelSchedule: FUEL_SCHEDULE, compiler: PEL_COMPILER };

export interface NodeClaim extends Versions {
  readonly kind: "node";
  /** Its `refs` are as many as it has inputs, and say nothing. */
  readonly node: Node;
  readonly inputs: readonly ArtifactRef[];
  readonly outputs: readonly ArtifactRef[];
  readonly fuel: bigint;
  readonly outcome: Outcome;
  /** Trace digest, 32 bytes. */
  readonly trace: Uint8Array;
}

export interface RunClaim extends Versions {
  readonly kind: "run";
  readonly program: ArtifactKey;
  /** Sorted by names. */
  readonly inputs: readonly NamedRef[];
  readonly keepGoing: boolean;
  /** Index of the first node that failed. */
  readonly failed: number | undefined;
  /** Those of the program that there are. */
  readonly outputs: readonly NamedRef[];
  /** By index of the node: keys of claims; undefined for inputs and for nodes that did not run. */
  readonly claims: readonly (ArtifactKey | undefined)[];
}

export interface Context {
  readonly claim: ArtifactKey;
  /** 16 bytes. */
  readonly domain: Uint8Array;
  /** Of the snapshot that the sources were taken from: its position, and the hash of the frame that ends there. */
  readonly position: number;
  readonly frameHash: Uint8Array;
  readonly logseq: number;
}

/** An artifact as requests and claims have it. */
export interface EncodedRef {
  /** A multihash. */
  readonly key: Uint8Array;
  readonly tag: Tag;
}

function writeRef(writer: CborWriter, { key, tag }: EncodedRef): void {
  writer.array(2).bytes(key);
  writeTag(writer, tag);
}

/** Writes what is asked for by a node with these inputs (spec PER-CLAIM-2): what the memo is keyed by. */
export function writeRequest(
  writer: CborWriter,
  node: Node,
  inputs: readonly EncodedRef[],
  { abi, fuelSchedule, compiler }: Versions = VERSIONS,
): void {
  writer.array(6).uint(VERSION);
  writeNode(writer, node);
  writer.array(inputs.length);
  for (const input of inputs) writeRef(writer, input);
  writer.uint(abi).uint(fuelSchedule).uint(compiler);
}

export interface EncodedResult {
  readonly outputs: readonly EncodedRef[];
  readonly fuel: bigint;
  readonly outcome: Outcome;
  readonly trace: Uint8Array;
}

/** Writes the claim of a node, whose request is encoded already. */
export function writeNodeClaim(writer: CborWriter, request: Uint8Array, result: EncodedResult): void {
  writer.array(4).uint(VERSION).uint(NODE).raw(request);
  writer.array(4).array(result.outputs.length);
  for (const output of result.outputs) writeRef(writer, output);
  writer.uint(result.fuel);
  writeOutcome(writer, result.outcome);
  writer.bytes(result.trace);
}

function writeOutcome(writer: CborWriter, outcome: Outcome): void {
  switch (outcome.type) {
    case "ok":
      writer.array(1).uint(0);
      return;
    case "trap":
      writer.array(4).uint(1).uint(outcome.code).uint(outcome.function).uint(outcome.offset);
      return;
    case "out-of-fuel":
      writer.array(1).uint(2);
      return;
    case "exit":
      writer.array(2).uint(3).uint(outcome.code);
      return;
    case "failure":
      writer.array(3).uint(4).uint(outcome.code).text(outcome.detail);
  }
}

export function encodeNodeClaim(claim: NodeClaim): Uint8Array<ArrayBuffer> {
  const request = new CborWriter();
  writeRequest(request, claim.node, claim.inputs.map(encodedRef), claim);
  const writer = new CborWriter();
  writeNodeClaim(writer, request.written, { ...claim, outputs: claim.outputs.map(encodedRef) });
  return writer.take();
}

/** Keys may be multihashes. */
export function encodeRunClaim(
  claim: Omit<RunClaim, "claims"> & { readonly claims: readonly (KeyLike | undefined)[] },
): Uint8Array<ArrayBuffer> {
  const writer = new CborWriter(64 + 40 * claim.claims.length);
  const named = (list: readonly NamedRef[]): void => {
    writer.array(list.length);
    for (const { name, key, tag } of list) {
      writer.array(3).text(name).bytes(keyBytes(key));
      writeTag(writer, tag);
    }
  };
  writer.array(4).uint(VERSION).uint(RUN);
  writer.array(7).uint(VERSION).bytes(keyBytes(claim.program));
  named(claim.inputs);
  writer.uint(claim.keepGoing ? 1 : 0);
  writer.uint(claim.abi).uint(claim.fuelSchedule).uint(claim.compiler);
  writer.array(3);
  if (claim.failed === undefined) writer.array(1).uint(0);
  else writer.array(2).uint(5).uint(claim.failed);
  named(claim.outputs);
  writer.array(claim.claims.length);
  for (const key of claim.claims) {
    if (key === undefined) writer.null();
    else writer.bytes(typeof key === "string" ? keyBytes(key) : key);
  }
  return writer.take();
}

/** Writes a context; `claim` is the multihash of what it is about. */
export function writeContext(
  writer: CborWriter,
  claim: Uint8Array,
  { domain, position, frameHash, logseq }: Omit<Context, "claim">,
): void {
  writer.array(6).uint(VERSION).bytes(claim).bytes(domain).uint(position).bytes(frameHash).uint(logseq);
}

export function encodedRef({ key, tag }: ArtifactRef): EncodedRef {
  return { key: keyBytes(key), tag };
}
export function decodedRef({ key, tag }: EncodedRef): ArtifactRef {
  const { algorithm, bytes, at } = parsedKey.parse(key);
  return { key: keyText(algorithm, bytes, at), tag };
}
const parsedKey = new ParsedKey();

// ---- reading

function receiptError(offset: number, message: string): PelError {
  return new PelError("PEL-RECEIPT", message, { offset });
}

/** Longest multihash of a known algorithm. */
const MOST_KEY_BYTES = 36;

class ReceiptReader extends CborReader {
  readonly #key = new ParsedKey();

  constructor(bytes: Uint8Array) {
    super(bytes, receiptError);
  }
  version(): void {
    const start = this.offset;
    const version = this.uint();
    if (version !== VERSION)
      throw new PelError("PEL-VERSION", `the receipt has version ${version}, and ${VERSION} is known`, {
        offset: start,
      });
  }
  #parsed(): ParsedKey {
    const start = this.offset;
    const bytes = this.bytes(MOST_KEY_BYTES);
    try {
      return this.#key.parse(bytes);
    } catch {
      throw receiptError(start, "a multihash of a known algorithm was expected");
    }
  }
  key(): Uint8Array {
    return copyOf(this.#parsed().bytes);
  }
  keyText(): ArtifactKey {
    const { algorithm, bytes, at } = this.#parsed();
    return keyText(algorithm, bytes, at);
  }
  tag(): Tag {
    return this.takeNull() ? undefined : this.uint(0xffff_ffff);
  }
  ref(): EncodedRef {
    this.tuple(2, "an artifact");
    return { key: this.key(), tag: this.tag() };
  }
  list<Item>(most: number, item: () => Item): Item[] {
    const out: Item[] = [];
    for (let left = this.array(most); left > 0; left--) out.push(item());
    return out;
  }
  named(): NamedRef[] {
    const list = this.list(refs, () => {
      const start = this.offset;
      this.tuple(3, "an artifact with a name");
      const name = this.text();
      const problem = nameProblem(name);
      if (problem !== undefined) throw receiptError(start, problem);
      return { start, name, key: this.keyText(), tag: this.tag() };
    });
    return list.map(({ start, ...ref }, index) => {
      const before = list[index - 1];
      if (before !== undefined && compareNames(before.name, ref.name) >= 0)
        throw receiptError(start, "names are sorted by their bytes, each comes once");
      return ref;
    });
  }
  fixed(count: number, what: string): Uint8Array {
    const start = this.offset;
    const bytes = this.bytes(count);
    if (bytes.length !== count) throw receiptError(start, `${what} has ${count} bytes, not ${bytes.length}`);
    return new Uint8Array(bytes);
  }
  versions(): Versions {
    return { abi: this.uint(), fuelSchedule: this.uint(), compiler: this.uint() };
  }
  outcome(): Outcome {
    const start = this.offset;
    const count = this.array(4);
    const type = this.uint();
    const lengths = [1, 4, 1, 2, 3];
    if (lengths[type] !== count) throw receiptError(start, `${type} with ${count - 1} more is no outcome`);
    if (type === 0) return { type: "ok" };
    if (type === 1) return { type: "trap", code: this.uint(99), function: this.uint(), offset: this.uint() };
    if (type === 2) return { type: "out-of-fuel" };
    if (type === 3) {
      const code = this.uint(0xffff_ffff);
      if (code === 0) throw receiptError(start, "a guest that exits with 0 has not failed");
      return { type: "exit", code };
    }
    const code = this.uint();
    if (failureName(code) === undefined) throw receiptError(start, `${code} is the code of no failure`);
    const detail = this.text(4096);
    const hasDetail = code !== FailureCode.OUT_OF_RANGE && code !== FailureCode.BAD_SELECTOR;
    if ((detail !== "") !== hasDetail)
      throw receiptError(start, `${failureName(code)} has ${hasDetail ? "a" : "no"} detail`);
    return { type: "failure", code: code as FailureCode, detail };
  }
}

/** What {@link writeNodeClaim}, {@link encodeNodeClaim} and {@link encodeRunClaim} made. Throws PEL-RECEIPT or PEL-VERSION. */
export function decodeClaim(bytes: Uint8Array): NodeClaim | RunClaim {
  expectArgument(bytes instanceof Uint8Array, "a Uint8Array");
  if (bytes.length > MOST_CLAIM_BYTES)
    throw receiptError(0, `the claim has ${bytes.length} bytes, and ${MOST_CLAIM_BYTES} are possible`);
  const reader = new ReceiptReader(bytes);
  reader.tuple(4, "a claim");
  reader.version();
  const start = reader.offset;
  const kind = reader.uint();
  if (kind !== NODE && kind !== RUN) throw receiptError(start, `${kind} is no kind of claim`);
  const claim = kind === NODE ? readNodeClaim(reader) : readRunClaim(reader);
  reader.end();
  return claim;
}

function readNodeClaim(reader: ReceiptReader): NodeClaim {
  reader.tuple(6, "a request");
  reader.version();
  const start = reader.offset;
  const { node, arity } = readNode(reader, receiptError);
  if (node.op === "input") throw receiptError(start, "an input has no claim");
  const inputs = reader.list(refs, () => decodedRef(reader.ref()));
  if (inputs.length !== arity) throw receiptError(start, `the node has ${arity} inputs, not ${inputs.length}`);
  const versions = reader.versions();
  const placeholders = inputs.map(() => ({ node: 0, output: 0 }));
  const result = readResult(reader);
  if (result.outcome.type === "ok" && result.outputs.length !== outputCount(node))
    throw receiptError(start, `the node has ${outputCount(node)} outputs, not ${result.outputs.length}`);
  const outputs = result.outputs.map(decodedRef);
  return { kind: "node", node: { ...node, refs: placeholders }, inputs, ...versions, ...result, outputs };
}

function readResult(reader: ReceiptReader): EncodedResult {
  reader.tuple(4, "a result");
  const start = reader.offset;
  const outputs = reader.list(refs, () => reader.ref());
  const fuel = reader.uint64();
  const outcome = reader.outcome();
  if (outcome.type !== "ok" && outputs.length > 0) throw receiptError(start, "a node that failed has no outputs");
  return { outputs, fuel, outcome, trace: reader.fixed(DIGEST_BYTES, "a trace digest") };
}

/** The result of a claim, if that is for this request; else undefined. Throws PEL-RECEIPT. */
export function resultFor(claim: Uint8Array, request: Uint8Array): EncodedResult | undefined {
  const at = 3;
  if (claim[0] !== 0x84 || claim[1] !== VERSION || claim[2] !== NODE || claim.length < at + request.length)
    return undefined;
  for (let k = 0; k < request.length; k++) if (claim[at + k] !== request[k]) return undefined;
  results.begin(claim, at + request.length);
  const result = readResult(results);
  results.end();
  return result;
}
/** Of what is found in the memo: a run of many nodes makes no reader for each. */
const results = new ReceiptReader(new Uint8Array());

function readRunClaim(reader: ReceiptReader): RunClaim {
  reader.tuple(7, "a request");
  reader.version();
  const program = reader.keyText();
  const inputs = reader.named();
  const keepGoing = reader.uint(1) === 1;
  const versions = reader.versions();
  reader.tuple(3, "a result");
  const start = reader.offset;
  const outcome = reader.array(2);
  const type = reader.uint();
  if (outcome !== (type === 5 ? 2 : 1) || (type !== 0 && type !== 5))
    throw receiptError(start, "[0], or 5 and the index of a node, was expected");
  const failed = type === 5 ? reader.uint(nodes - 1) : undefined;
  const outputs = reader.named();
  const place = reader.offset;
  const claims = reader.list(nodes, () => (reader.takeNull() ? undefined : reader.keyText()));
  if (failed !== undefined && claims[failed] === undefined)
    throw receiptError(place, `node ${failed}, which failed, has no claim`);
  if (failed !== undefined && claims[failed] === undefined)
    throw receiptError(start, `the node ${failed} cannot have failed: it has no claim`);
  return { kind: "run", program, inputs, keepGoing, ...versions, failed, outputs, claims };
}

/** Throws PEL-RECEIPT or PEL-VERSION. */
export function decodeContext(bytes: Uint8Array): Context {
  expectArgument(bytes instanceof Uint8Array, "a Uint8Array");
  const reader = new ReceiptReader(bytes);
  reader.tuple(6, "a context");
  reader.version();
  const context = {
    claim: reader.keyText(),
    domain: reader.fixed(16, "a domain"),
    position: reader.uint(),
    frameHash: reader.fixed(DIGEST_BYTES, "the hash of a frame"),
    logseq: reader.uint(),
  };
  reader.end();
  return context;
}
