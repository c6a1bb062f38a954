/**
 * Whether receipts are true (spec PER-VERIFY): what they tell of is run again, in a store of its own, and has to come to the same claim.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Engine } from "../../vm/index.ts";
import { type ArtifactKey, type KeyLike, Store, type View } from "../asl/index.ts";
import { algorithmOf, ParsedKey, textOfKey } from "../asl/key.ts";
import { CborWriter } from "../tgk/cbor.ts";
import { canonicalProgram } from "./canonical.ts";
import {
  type ArtifactRef,
  encodedRef,
  failureName,
  type NodeClaim,
  type Outcome,
  type RunClaim,
  TypeTag,
  VERSIONS,
  writeRequest,
} from "./claim.ts";
import { expectArgument, PelError } from "./errors.ts";
import { decodeProgram, type Node, PROGRAM_LIMITS, type Program, type Ref, type Tag } from "./program.ts";
import { checkStopped, expectStore, isDamage, madeOf, Producers, type ReadReceipt, readReceipt } from "./provenance.ts";
import { type RunOptions, type RunResult, runProgram } from "./run.ts";

export interface VerifyOptions {
  /** True: also the receipts that its inputs came with, and those of theirs, and so on. */
  readonly deep?: boolean | undefined;
  readonly engine?: Engine | undefined;
  readonly workers?: number | undefined;
  readonly codeCache?: RunOptions["codeCache"];
  /** Most bytes that nodes which are run together may make: PEL-LIMIT beyond. No limit by default: a receipt can ask for any number. */
  readonly storeBytes?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: VerifyProgress) => void) | undefined;
  /** Most receipts that are looked at, 1,000,000 by default: PEL-LIMIT if there are more. */
  readonly most?: number | undefined;
}

export interface VerifyProgress {
  /** Receipts that were found so far. */
  readonly receipts: number;
  /** Those of them that were run again. */
  readonly done: number;
}

/** `differs`: a receipt says what is not so. `unverifiable`: nothing of that kind was found, and something could not be run again. */
export type Verdict = "verified" | "differs" | "unverifiable";

export interface Finding {
  /**
   * `differs`: the receipt says what is not so. `version`: a program of another version made it, which is no fault of its. `missing`: what it takes
   * to run it again is not in the store. `damaged`: the store has that, and it is not what it was.
   */
  readonly type: "differs" | "version" | "missing" | "damaged";
  /** Whose it is. */
  readonly receipt: ArtifactKey;
  /** Of a run: canonical index of the first node that it is about. */
  readonly node: number | undefined;
  readonly op: Node["op"] | undefined;
  /** What of the receipt it is: `outcome`, `outputs`, `tag`, `order`, `fuel`, `trace`, `claims`, `inputs`, `program`, `module`, `version` or `receipt`. */
  readonly field: string;
  readonly output: { readonly index: number; readonly name: string | undefined } | undefined;
  /** Of the first byte of that output that differs. */
  readonly offset: number | undefined;
  /** What the receipt says, and what is so. */
  readonly recorded: string;
  readonly actual: string;
  readonly message: string;
}

export interface Verification {
  readonly receipt: ArtifactKey;
  readonly kind: "node" | "run";
  readonly verdict: Verdict;
  /** Receipts that say what is so. */
  readonly verified: number;
  /** The first {@link MOST_FINDINGS}, that of the receipt itself before those of what is behind it. */
  readonly findings: readonly Finding[];
  /** How many more there are. */
  readonly more: number;
  /** Outputs that the store lacks, of receipts that are true: up to {@link MOST_FINDINGS}. */
  readonly unstored: readonly ArtifactKey[];
}

/** Most findings that are told. */
export const MOST_FINDINGS = 100;
const MOST_RECEIPTS = 1_000_000;
/** Receipts of nodes that are run again together, and bytes of their claims, unless it is one. */
export const TOGETHER = 1024;
const TOGETHER_BYTES = 4 * 1024 * 1024;
/** Bytes of two artifacts that are compared at once. */
const PIECE_BYTES = 1024 * 1024;

/** How things are run again. */
export type Rerun = Pick<VerifyOptions, "engine" | "workers" | "codeCache" | "storeBytes" | "signal">;

/**
 * Runs again what a receipt tells of, and compares. Nothing is changed in the store. Throws PEL-ARGUMENT if the store has no such receipt, PEL-RECEIPT
 * if it is none, an AslError, and Stopped.
 */
export async function verifyReceipt(store: Store, key: KeyLike, options: VerifyOptions = {}): Promise<Verification> {
  expectStore(store, options);
  const { most = MOST_RECEIPTS } = options;
  expectArgument(Number.isInteger(most) && most >= 1, "most receipts from 1 on");
  const receipt = textOfKey(key);
  const view = store.view();
  const first = readReceipt(view, receipt);
  if (first.problem !== undefined)
    throw new PelError(first.problem === "missing" ? "PEL-ARGUMENT" : "PEL-RECEIPT", first.message, { key: receipt });
  const closure = new Closure(store, most);
  try {
    return await verifyClosure(view, receipt, first, closure, options);
  } finally {
    closure.close();
  }
}

async function verifyClosure(
  view: View,
  receipt: ArtifactKey,
  first: Extract<ReadReceipt, { readonly bytes: number }>,
  closure: Closure,
  options: VerifyOptions,
): Promise<Verification> {
  const { deep = false, onProgress } = options;
  const findings = new Findings();
  const unstored = new Set<ArtifactKey>();
  let verified = 0;
  let done = 0;
  const checkOutputs = (outputs: readonly ArtifactRef[]): void => {
    for (const { key } of outputs) if (unstored.size < MOST_FINDINGS && !view.has(key)) unstored.add(key);
  };
  /** Receipts of nodes that wait to be run again together. */
  let waiting: NodeReceipt[] = [];
  let weight = 0;
  const runWaiting = async (): Promise<void> => {
    if (waiting.length === 0) return;
    const receipts = waiting;
    waiting = [];
    weight = 0;
    for (const finding of await verifyNodes(view, receipts, options)) findings.add(finding);
    const wrong = findings.receipts;
    for (const { key, claim } of receipts) {
      done++;
      if (wrong.has(key)) continue;
      verified++;
      checkOutputs(claim.outputs);
    }
    onProgress?.({ receipts: closure.found, done });
  };
  closure.add(receipt);
  for (let next = closure.next(); next !== undefined || waiting.length > 0; next = closure.next()) {
    if (next === undefined) {
      await runWaiting();
      continue;
    }
    checkStopped(options.signal);
    const read = next === receipt ? first : readReceipt(view, next);
    if (read.claim === undefined) {
      findings.add(unread(next, read));
      done++;
      continue;
    }
    const { claim } = read;
    const version = versionFinding(next, claim);
    if (version !== undefined) {
      findings.add(version);
      done++;
    } else if (claim.kind === "node") {
      waiting.push({ key: next, claim, bytes: read.bytes });
      weight += read.bytes;
    } else {
      const { finding, outputs } = await verifyRun(view, { key: next, claim }, options);
      done++;
      if (finding !== undefined) findings.add(finding);
      else {
        verified++;
        for (const node of claim.claims) if (node !== undefined) closure.skip(node);
        checkOutputs(outputs);
      }
      onProgress?.({ receipts: closure.found, done });
    }
    if (deep) await closure.addBehind(claim);
    // What was asked about comes before what is behind it.
    if (next === receipt || waiting.length >= TOGETHER || weight >= TOGETHER_BYTES) await runWaiting();
  }
  return {
    receipt,
    kind: first.claim.kind,
    verdict: findings.verdict,
    verified,
    findings: findings.first,
    more: findings.total - findings.first.length,
    unstored: [...unstored],
  };
}

/** What was found, of which the first are kept. */
export class Findings {
  readonly first: Finding[] = [];
  total = 0;
  /** Whose they are. */
  readonly receipts: Set<ArtifactKey> = new Set();
  #differs = false;

  add(finding: Finding): void {
    this.total++;
    this.receipts.add(finding.receipt);
    this.#differs ||= finding.type === "differs";
    if (this.first.length < MOST_FINDINGS) this.first.push(finding);
  }
  get verdict(): Verdict {
    return this.#differs ? "differs" : this.total > 0 ? "unverifiable" : "verified";
  }
}

/** The receipts that are behind one another, each once, in the order in which they are found. Close it. */
export class Closure {
  readonly #store: Store;
  /** Made when something is behind. */
  #producers: Producers | undefined;
  readonly #most: number;
  // Digests as latin1, the shortest that a set can hold. A receipt may also be an artifact like any other.
  readonly #receipts = new Set<string>();
  readonly #artifacts = new Set<string>();
  readonly #queue: ArtifactKey[] = [];
  #at = 0;
  #turn = 0;
  found = 0;

  constructor(store: Store, most: number = MOST_RECEIPTS) {
    this.#store = store;
    this.#most = most;
  }
  add(receipt: ArtifactKey): void {
    if (!isNewIn(this.#receipts, receipt)) return;
    if (++this.found > this.#most)
      throw new PelError("PEL-LIMIT", `there are more than ${this.#most} receipts behind it`, { key: receipt });
    this.#queue.push(receipt);
  }
  close(): void {
    this.#producers?.close();
  }
  /** It need not be looked at. */
  skip(receipt: ArtifactKey): void {
    isNewIn(this.#receipts, receipt);
  }
  next(): ArtifactKey | undefined {
    // What is behind is let go of now and then.
    if (this.#at >= 4096 && 2 * this.#at >= this.#queue.length) {
      this.#queue.splice(0, this.#at);
      this.#at = 0;
    }
    return this.#at < this.#queue.length ? this.#queue[this.#at++] : undefined;
  }
  /** The receipts that what it was made of came with. */
  async addBehind(claim: NodeClaim | RunClaim): Promise<void> {
    this.#producers ??= new Producers(this.#store);
    const inputs: readonly ArtifactRef[] =
      claim.kind === "node" ? madeOf(claim) : [...claim.inputs, { key: claim.program, tag: undefined }];
    for (const { key, tag } of inputs) {
      if (tag === TypeTag.CLAIM) this.add(key);
      else if (isNewIn(this.#artifacts, key)) {
        const origin = this.#producers.origin(key);
        if (origin !== undefined) this.add(origin.key);
        if (++this.#turn % 256 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
    }
  }
}

/** Adds a key; false if it was there. */
function isNewIn(set: Set<string>, key: ArtifactKey): boolean {
  const { size } = set;
  return set.add(Buffer.from(key.slice(key.indexOf(":") + 1), "hex").toString("latin1")).size > size;
}

export interface NodeReceipt {
  readonly key: ArtifactKey;
  readonly claim: NodeClaim;
  /** Length of the claim. */
  readonly bytes: number;
}

export interface RunReceipt {
  readonly key: ArtifactKey;
  readonly claim: RunClaim;
}

/** What is wrong with a receipt that cannot be read. */
export function unread(
  key: ArtifactKey,
  { problem: type = "damaged", message = "" }: Omit<ReadReceipt, "claim"> & { readonly message?: string },
): Finding {
  return findingOf({ type, receipt: key, field: type === "version" ? "version" : "receipt", message });
}

/** What is wrong with a receipt that another version has made. */
export function versionFinding(receipt: ArtifactKey, claim: NodeClaim | RunClaim): Finding | undefined {
  for (const [field, what] of [
    ["abi", "version of the host ABI"],
    ["fuelSchedule", "fuel schedule"],
    ["compiler", "version of the PEL compiler"],
  ] as const)
    if (claim[field] !== VERSIONS[field])
      return findingOf({
        type: "version",
        receipt,
        field: "version",
        recorded: String(claim[field]),
        actual: String(VERSIONS[field]),
        message: `it cannot be verified by this program: the ${what} is ${claim[field]}, and this program's is ${VERSIONS[field]}`,
      });
  return undefined;
}

/** Runs the nodes of receipts again, which do not depend on one another: all that they take is there by its key. */
async function verifyNodes(view: View, receipts: readonly NodeReceipt[], rerun: Rerun): Promise<Finding[]> {
  const findings: Finding[] = [];
  const whole: NodeReceipt[] = [];
  for (const receipt of receipts) {
    const finding = lackOf(view, receipt);
    if (finding === undefined) whole.push(receipt);
    else findings.push(finding);
  }
  for (const group of groupsOf(whole)) findings.push(...(await verifyGroup(view, group, rerun)));
  return findings;
}

/** The first of what a receipt was made of that the store lacks. */
function lackOf(view: View, { key: receipt, claim }: NodeReceipt): Finding | undefined {
  for (const [index, { key, tag, name }] of madeOf(claim).entries()) {
    const isModule = index === claim.inputs.length;
    if (isModule ? view.has(key) : hasRecord(view, key, tag)) continue;
    return findingOf({
      type: "missing",
      receipt,
      op: claim.node.op,
      field: isModule ? "module" : "inputs",
      recorded: key,
      message: isModule
        ? `it cannot be run again: the store lacks the module ${key}`
        : `it cannot be run again: the store lacks input ${name ?? index}, ${refText({ key, tag })}`,
    });
  }
  return undefined;
}

/** Whether a store has an artifact with this tag, or without one. */
export function hasRecord(view: Pick<View, "stat">, key: ArtifactKey, tag: Tag): boolean {
  return view.stat(key)?.records.some(({ typeTag }) => typeTag === tag) === true;
}

/** Receipts that fit in one program, and whose artifacts are named alike. */
export function* groupsOf(receipts: readonly NodeReceipt[]): Generator<NodeReceipt[]> {
  let group: NodeReceipt[] = [];
  let inputs = 0;
  let bytes = 0;
  const algorithmOf = ({ key }: NodeReceipt): string => key.slice(0, key.indexOf(":"));
  for (const receipt of receipts) {
    inputs += receipt.claim.inputs.length;
    bytes += receipt.bytes;
    const fits = inputs <= PROGRAM_LIMITS.inputs && bytes <= TOGETHER_BYTES && group.length < TOGETHER;
    if (group.length > 0 && !(fits && algorithmOf(group[0]!) === algorithmOf(receipt))) {
      yield group;
      group = [];
      inputs = receipt.claim.inputs.length;
      bytes = receipt.bytes;
    }
    group.push(receipt);
  }
  if (group.length > 0) yield group;
}

async function verifyGroup(view: View, group: readonly NodeReceipt[], rerun: Rerun): Promise<Finding[]> {
  const { program, indices, inputs } = programOf(group.map(({ claim }) => claim));
  try {
    return await inScratch(group[0]!.key, async (scratch) => {
      const result = await runAgain(scratch, view, program, inputs, true, rerun);
      const findings: Finding[] = [];
      for (const [k, { key, claim }] of group.entries()) {
        const { claim: made } = result.nodes[indices[k]!]!;
        if (made === key) continue;
        findings.push(await compareNodes(view, scratch, { key, claim }, madeClaim(scratch, made), rerun.signal));
      }
      return findings;
    });
  } catch (error) {
    if (!isDamage(error)) throw error;
    const [only] = group;
    if (group.length === 1)
      return [
        findingOf({
          type: "damaged",
          receipt: only!.key,
          op: only!.claim.node.op,
          field: "inputs",
          message: `it cannot be run again: ${error.message}`,
        }),
      ];
    // Which of them cannot be read is not told by the run.
    const half = group.length >> 1;
    return [
      ...(await verifyGroup(view, group.slice(0, half), rerun)),
      ...(await verifyGroup(view, group.slice(half), rerun)),
    ];
  }
}

/** A program of the nodes of claims, which take what the claims took as inputs; and which node of it each of them is. */
export function programOf(claims: readonly NodeClaim[]): {
  readonly program: Program;
  readonly indices: readonly number[];
  readonly inputs: { readonly [name: string]: ArtifactKey };
} {
  const nodes: Node[] = [];
  const byName = new Map<string, number>();
  const inputs: { [name: string]: ArtifactKey } = {};
  const refOf = ({ key, tag }: ArtifactRef): Ref => {
    const name = tag === undefined ? key : `${key} ${tag}`;
    let node = byName.get(name);
    if (node === undefined) {
      node = nodes.push({ op: "input", name, tag, refs: [] }) - 1;
      byName.set(name, node);
      inputs[name] = key;
    }
    return { node, output: 0 };
  };
  const given = claims.map(({ node, inputs }) => nodes.push({ ...node, refs: inputs.map(refOf) }) - 1);
  // A program has an output; this one cannot fail.
  const nothing = nodes.push({ op: "const", bytes: new Uint8Array(), refs: [] }) - 1;
  const { program, index } = canonicalProgram(nodes, [{ name: "nothing", ref: { node: nothing, output: 0 } }]);
  return { program, indices: given.map((node) => index[node]!), inputs };
}

/** Runs the program of a run's receipt again. */
async function verifyRun(
  view: View,
  { key: receipt, claim }: RunReceipt,
  rerun: Rerun,
): Promise<{ readonly finding: Finding | undefined; readonly outputs: readonly ArtifactRef[] }> {
  const stop = (finding: Problem): { finding: Finding; outputs: readonly ArtifactRef[] } => ({
    finding: findingOf({ receipt, ...finding }),
    outputs: [],
  });
  const read = readProgram(view, claim.program);
  if (read.program === undefined) return stop(read.problem);
  const { program } = read;
  const lack = lackOfRun(view, claim, program);
  if (lack !== undefined) return stop(lack);
  const inputs = Object.fromEntries(claim.inputs.map(({ name, key }) => [name, key]));
  try {
    return await inScratch(receipt, async (scratch) => {
      const result = await runAgain(scratch, view, program, inputs, claim.keepGoing, rerun);
      const outputs = result.nodes.flatMap(({ outputs }) => outputs);
      if (result.claim === receipt) return { finding: undefined, outputs };
      return { finding: await compareRuns(view, scratch, { key: receipt, claim }, program, result, rerun), outputs };
    });
  } catch (error) {
    if (!isDamage(error)) throw error;
    return stop({ type: "damaged", field: "inputs", message: `it cannot be run again: ${error.message}` });
  }
}

/** The program of a run's receipt, or what is wrong with it. */
export function readProgram(
  view: View,
  key: ArtifactKey,
):
  | { readonly program: Program; readonly problem?: undefined }
  | { readonly program?: undefined; readonly problem: Problem } {
  try {
    const bytes = view.read(key, 0, PROGRAM_LIMITS.programBytes + 1);
    if (bytes !== undefined) return { program: decodeProgram(bytes) };
    const message = `it cannot be run again: the store lacks the program ${key}`;
    return { problem: { type: "missing", field: "program", recorded: key, message } };
  } catch (error) {
    if (!isDamage(error) && !(error instanceof PelError)) throw error;
    const type = isDamage(error) ? "damaged" : "differs";
    return { problem: { type, field: "program", recorded: key, message: `its program is none: ${error.message}` } };
  }
}

/** What keeps a run from being run again; whether something is there is only asked with a view. */
export function lackOfRun(view: View | undefined, claim: RunClaim, program: Program): Problem | undefined {
  const wanted = program.nodes.filter((node) => node.op === "input");
  const given = new Map(claim.inputs.map((input) => [input.name, input]));
  if (wanted.length !== given.size || wanted.some(({ name, tag }) => given.get(name)?.tag !== tag || !given.has(name)))
    return {
      type: "differs",
      field: "inputs",
      recorded: listOf(claim.inputs.map(inputText)),
      actual: listOf(wanted.map(inputText)),
      message: "it names other inputs than its program has",
    };
  if (view === undefined) return undefined;
  for (const { name, key, tag } of claim.inputs)
    if (!hasRecord(view, key, tag))
      return {
        type: "missing",
        field: "inputs",
        recorded: key,
        message: `it cannot be run again: the store lacks input ${refText({ key, tag, name })}`,
      };
  const modules = new Set<ArtifactKey>();
  for (const [index, node] of program.nodes.entries()) {
    if (node.op !== "guest" || modules.has(node.module)) continue;
    modules.add(node.module);
    if (view.has(node.module)) continue;
    return {
      type: "missing",
      node: index,
      op: node.op,
      field: "module",
      recorded: node.module,
      message: `it cannot be run again: the store lacks the module ${node.module} of node ${index}`,
    };
  }
  return undefined;
}

/** The first of what a run's receipt says that is not so, one of its nodes before all else. */
export async function compareRuns(
  view: View,
  scratch: Store,
  { key: receipt, claim }: RunReceipt,
  program: Program,
  result: RunResult,
  rerun: Rerun,
): Promise<Finding> {
  const count = Math.max(claim.claims.length, result.nodes.length);
  for (let node = 0; node < count; node++) {
    const recorded = claim.claims[node];
    const actual = result.nodes[node]?.claim;
    if (recorded === actual) continue;
    const { op } = program.nodes[node] ?? {};
    const about = { receipt, node, op } as const;
    const differs = (message: string): Finding =>
      findingOf({
        ...about,
        type: "differs",
        field: "claims",
        recorded: recorded ?? "none",
        actual: actual ?? "none",
        message,
      });
    if (op === undefined) return differs(`it has a receipt of node ${node}, and its program has ${count} nodes`);
    if (recorded === undefined) return differs(`it has no receipt of node ${node}, which was run`);
    if (actual === undefined) return differs(`it has a receipt of node ${node}, which is not run`);
    const read = readReceipt(view, recorded);
    if (read.claim?.kind !== "node")
      return differs(
        `the receipt of node ${node} is another one, and cannot be read: ${read.problem === undefined ? "it is that of a run" : read.message}`,
      );
    const made = madeClaim(scratch, actual);
    const finding = await compareNodes(view, scratch, { key: recorded, claim: read.claim }, made, rerun.signal);
    return { ...finding, ...about };
  }
  const made = readReceipt(scratch, result.claim).claim as RunClaim;
  const differs = (finding: Omit<Told, "receipt" | "type">): Finding =>
    findingOf({ type: "differs", receipt, ...finding });
  if (claim.failed !== made.failed)
    return differs({
      field: "outcome",
      recorded: failureText(claim.failed),
      actual: failureText(made.failed),
      message: `it says ${failureText(claim.failed)}: it was ${failureText(made.failed)}`,
    });
  const outputs = compareRefs(claim.outputs, made.outputs, (index) => claim.outputs[index]?.name);
  if (outputs !== undefined) return differs(outputs);
  const given = compareRefs(claim.inputs, made.inputs, (index) => claim.inputs[index]?.name);
  if (given !== undefined) return differs({ ...given, field: "inputs", output: undefined });
  return differs({
    field: "receipt",
    recorded: receipt,
    actual: result.claim,
    message: "it is not the receipt of its run, though all that can be read in it is the same",
  });
}

function failureText(failed: number | undefined): string {
  return failed === undefined ? "successful" : `failed at node ${failed}`;
}

/** The first of what a node's receipt says that is not so. */
export async function compareNodes(
  view: View,
  scratch: Store,
  { key: receipt, claim: recorded }: Omit<NodeReceipt, "bytes">,
  actual: NodeClaim | undefined,
  signal: AbortSignal | undefined,
): Promise<Finding> {
  const about = { receipt, op: recorded.node.op } as const;
  const differs = (finding: Omit<Told, "receipt" | "type">): Finding =>
    findingOf({ ...about, type: "differs", ...finding });
  if (actual === undefined) return differs({ field: "receipt", message: "its node does not run at all" });
  // Of another node, or of other inputs: in the receipt of a run only.
  if (!requestOf(recorded).equals(requestOf(actual)))
    return differs({ field: "request", message: "it is a receipt of something else" });
  if (outcomeText(recorded.outcome) !== outcomeText(actual.outcome))
    return differs({
      field: "outcome",
      recorded: outcomeText(recorded.outcome),
      actual: outcomeText(actual.outcome),
      message: `it says that its node ended with ${outcomeText(recorded.outcome)}: that was ${outcomeText(actual.outcome)}`,
    });
  const nameOf = (index: number): string | undefined =>
    recorded.node.op === "guest" ? recorded.node.outputs[index]?.name : undefined;
  const outputs = compareRefs(recorded.outputs, actual.outputs, nameOf);
  if (outputs !== undefined) {
    const { index } = outputs.output ?? {};
    const left = index === undefined ? undefined : recorded.outputs[index];
    const right = index === undefined ? undefined : actual.outputs[index];
    if (outputs.field !== "outputs" || left === undefined || right === undefined) return differs(outputs);
    if (!view.has(left.key))
      return differs({ ...outputs, message: `${outputs.message}, and the store lacks what the receipt names` });
    const offset = await firstDifference(view, left.key, scratch, right.key, signal);
    return differs({ ...outputs, offset, message: `${outputs.message}: byte ${offset} is the first that differs` });
  }
  if (recorded.fuel !== actual.fuel)
    return differs({
      field: "fuel",
      recorded: String(recorded.fuel),
      actual: String(actual.fuel),
      message: `it says that ${recorded.fuel} units of fuel were used: that were ${actual.fuel}`,
    });
  const [recordedTrace, actualTrace] = [recorded.trace, actual.trace].map((trace) =>
    Buffer.from(trace).toString("hex"),
  );
  return differs({
    field: "trace",
    recorded: recordedTrace!,
    actual: actualTrace!,
    message: "it has another digest of what passed between guest and host",
  });
}

function requestOf(claim: NodeClaim): Buffer {
  const writer = new CborWriter();
  writeRequest(writer, claim.node, claim.inputs.map(encodedRef), claim);
  return Buffer.from(writer.written);
}

/** How two lists differ. */
function compareRefs(
  recorded: readonly ArtifactRef[],
  actual: readonly ArtifactRef[],
  nameOf: (index: number) => string | undefined,
): Pick<Told, "field" | "output" | "recorded" | "actual" | "message"> | undefined {
  const count = Math.max(recorded.length, actual.length);
  for (let index = 0; index < count; index++) {
    const left = refText(recorded[index]);
    const right = refText(actual[index]);
    if (left === right) continue;
    const name = nameOf(index);
    const which = `output ${name === undefined ? index : JSON.stringify(name)}`;
    const output = { index, name };
    const told = { output, recorded: left, actual: right };
    if (recorded.length !== actual.length)
      return { ...told, field: "outputs", message: `it has ${recorded.length} outputs: there are ${actual.length}` };
    if (recorded[index]!.key === actual[index]!.key && nameIn(recorded[index]!) === nameIn(actual[index]!))
      return { ...told, field: "tag", message: `it says ${left} of ${which}: that is ${right}` };
    if (listOf(recorded.map(refText).sort()) === listOf(actual.map(refText).sort()))
      return { ...told, field: "order", message: `its outputs are in another order, from ${which} on` };
    return { ...told, field: "outputs", message: `it says ${left} of ${which}: that is ${right}` };
  }
  return undefined;
}

/** An artifact with its tag, and its name if it has one. */
function refText(ref: (ArtifactRef & { readonly name?: string }) | undefined): string {
  if (ref === undefined) return "none";
  const name = nameIn(ref);
  return `${name === undefined ? "" : `${JSON.stringify(name)} `}${ref.key}${ref.tag === undefined ? "" : ` with tag ${ref.tag}`}`;
}

function nameIn(ref: ArtifactRef & { readonly name?: string }): string | undefined {
  return ref.name;
}

function inputText({ name, tag }: { readonly name: string; readonly tag: Tag }): string {
  return `${JSON.stringify(name)}${tag === undefined ? "" : ` with tag ${tag}`}`;
}

function listOf(texts: readonly string[]): string {
  return texts.join(", ");
}

function outcomeText(outcome: Outcome): string {
  switch (outcome.type) {
    case "ok":
      return "success";
    case "trap":
      return `trap ${outcome.code} in function ${outcome.function} at byte ${outcome.offset}`;
    case "out-of-fuel":
      return "no fuel left";
    case "exit":
      return `exit code ${outcome.code}`;
    case "failure":
      return [failureName(outcome.code), outcome.detail].filter((text) => text !== "").join(": ");
  }
}

/** Offset of the first byte in which two artifacts differ: the length of the shorter one if that is all of it. */
async function firstDifference(
  view: View,
  key: ArtifactKey,
  scratch: Store,
  other: ArtifactKey,
  signal: AbortSignal | undefined,
): Promise<number> {
  for (let offset = 0; ; offset += PIECE_BYTES) {
    checkStopped(signal);
    const left = view.read(key, offset, PIECE_BYTES)!;
    const right = scratch.read(other, offset, PIECE_BYTES)!;
    const length = Math.min(left.length, right.length);
    for (let k = 0; k < length; k++) if (left[k] !== right[k]) return offset + k;
    if (left.length !== right.length || length < PIECE_BYTES) return offset + length;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export function madeClaim(scratch: Store, key: ArtifactKey | undefined): NodeClaim | undefined {
  return key === undefined ? undefined : (readReceipt(scratch, key).claim as NodeClaim);
}

async function runAgain(
  scratch: Store,
  from: View,
  program: Program,
  inputs: { readonly [name: string]: ArtifactKey },
  keepGoing: boolean,
  { engine, workers, codeCache, storeBytes, signal }: Rerun,
): Promise<RunResult> {
  return await runProgram(scratch, program, {
    inputs,
    from,
    keepGoing,
    cache: false,
    engine,
    workers,
    codeCache,
    storeBytes,
    signal,
  });
}

/** Runs something with an empty store that names artifacts as this key does, and that is gone then. */
async function inScratch<T>(key: ArtifactKey, act: (scratch: Store) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "ashlar-verify-"));
  try {
    const algorithm = algorithmOf(new ParsedKey().parse(key).algorithm).name;
    const scratch = await Store.open(join(folder, "store"), { create: "new", durability: "none", algorithm });
    try {
      return await act(scratch);
    } finally {
      await scratch.close();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a finding tells beside what most have not. */
type Told = Pick<Finding, "type" | "receipt" | "field" | "message"> & Partial<Finding>;

/** The same, whosever it is. */
type Problem = Omit<Told, "receipt">;

export function findingOf(told: Told): Finding {
  return {
    node: undefined,
    op: undefined,
    output: undefined,
    offset: undefined,
    recorded: "",
    actual: "",
    ...told,
  };
}
