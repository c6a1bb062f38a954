/** Why a run would execute a node, or would not (spec PEL-EXPLAIN). Nothing is executed or written. */
import { type ArtifactKey, AslError, type KeyLike, Namespace, type Store, type View } from "../asl/index.ts";
import { algorithmNamed, keyBytes, keyText, multihashOf, ParsedKey } from "../asl/key.ts";
import { digestOf } from "../assets/hash.ts";
import { CborWriter } from "../tgk/cbor.ts";
import { textOf } from "./artifacts.ts";
import { parametersOf } from "./attest.ts";
import {
  type ArtifactRef,
  type EncodedRef,
  encodedRef,
  type NodeClaim,
  type Outcome,
  outcomeText,
  type RunClaim,
  TypeTag,
  VERSIONS,
  type Versions,
  writeRequest,
} from "./claim.ts";
import { differences } from "./difference.ts";
import { PelError } from "./errors.ts";
import { memoName, memoOf } from "./memo.ts";
import { decodeProgram, encodeProgram, type InputNode, type Node, type Program, writeNode } from "./program.ts";
import { readReceipt } from "./provenance.ts";

export interface ExplainOptions {
  /** By name of an input of the program. */
  readonly inputs?: { readonly [name: string]: KeyLike } | undefined;
  /** Name of the snapshot that inputs, the program and guests' modules are taken from; by default the store as it is now. */
  readonly snapshot?: string | undefined;
  /**
   * The receipt of the run that it is held against: by default the last one of the program, or of a program that was never run the newest run
   * that has the name of an input or an output in common with it.
   */
  readonly against?: KeyLike | undefined;
  /** Artifacts that would be put before the run: they count as being there, with any type tag. */
  readonly assumed?: ReadonlySet<ArtifactKey> | undefined;
}

export interface Explanation {
  readonly program: ArtifactKey;
  /** Receipt of the run that it was held against. */
  readonly against: ArtifactKey | undefined;
  /** By index. */
  readonly nodes: readonly ExplainedNode[];
}

export interface ExplainedNode {
  readonly index: number;
  readonly op: Node["op"];
  /** `hit`: it would not be executed. `miss`: it would. `blocked`: that is open until others have been executed, or it cannot run. */
  readonly state: "input" | "hit" | "miss" | "blocked";
  /** At least one; the first {@link MOST_REASONS}. */
  readonly reasons: readonly Reason[];
  /** The receipt that is remembered. */
  readonly claim: ArtifactKey | undefined;
}

/** Most reasons of a node, and most nodes that a reason names. */
export const MOST_REASONS = 20;

/** An input of a node. */
export interface NodeInput {
  /** Its name, of a guest's, or which ref of the node it is. */
  readonly input: string;
  /** The node that it comes from; undefined of one that is not there any more. */
  readonly node: number | undefined;
  /** Of the program's input, if that node is one. */
  readonly name: string | undefined;
}

export type Reason =
  /** Of an input: it is given. */
  | { readonly type: "given"; readonly key: ArtifactKey }
  /** It cannot run. */
  | { readonly type: "no-input"; readonly message: string }
  | { readonly type: "no-module"; readonly key: ArtifactKey }
  /** It was asked for before. */
  | { readonly type: "remembered"; readonly outcome: Outcome }
  /** It asks for the same as another node, which comes first. */
  | { readonly type: "same"; readonly node: number }
  | { readonly type: "output-gone"; readonly key: ArtifactKey }
  | (NodeInput & {
      readonly type: "input-changed";
      readonly before: ArtifactRef | undefined;
      readonly after: ArtifactRef | undefined;
    })
  /** `pointer` is into the node's parameters; what there is not is undefined. */
  | { readonly type: "node-changed"; readonly pointer: string; readonly before: unknown; readonly after: unknown }
  | {
      readonly type: "version-changed";
      readonly version: keyof Versions;
      readonly before: number;
      readonly after: number;
    }
  | { readonly type: "never-executed" }
  /** It was executed, and the store has forgotten it, or lacks the receipt. */
  | { readonly type: "forgotten"; readonly claim: ArtifactKey }
  /** What these make has to be known first. */
  | { readonly type: "needs"; readonly nodes: readonly number[] }
  /** These failed, and it needs what they have not made. */
  | { readonly type: "failed"; readonly nodes: readonly number[] };

/** What is known of a node without running anything. */
interface Known {
  readonly claim: EncodedRef | undefined;
  /** Empty of what failed. */
  readonly outputs: readonly EncodedRef[];
}

/** A run that came before, and which of its nodes are those of the program: by index, −1 for none. */
interface Before {
  readonly key: ArtifactKey;
  readonly run: RunClaim;
  readonly counterparts: Int32Array;
}

/** Why each node of a program would be executed or not. Throws PelError for a program or inputs that make no sense, and AslError. */
export function explainProgram(store: Store, program: Program | KeyLike, options: ExplainOptions = {}): Explanation {
  if (!store.isReadOnly) store.flush();
  return new Explainer(store, program, options).explain();
}

class Explainer {
  readonly #store: Store;
  readonly #source: View;
  readonly #program: Program;
  readonly #key: ArtifactKey;
  readonly #given: Map<string, KeyLike>;
  readonly #assumed: ReadonlySet<ArtifactKey>;
  readonly #before: Before | undefined;
  readonly #known: (Known | undefined)[] = [];
  /** Indices of nodes that would be executed, by what they ask for. */
  readonly #asked = new Map<string, number>();
  readonly #request = new CborWriter();

  constructor(store: Store, program: Program | KeyLike, options: ExplainOptions) {
    const { inputs = {}, snapshot, against, assumed = new Set() } = options;
    this.#store = store;
    this.#assumed = assumed;
    this.#source = snapshot === undefined ? store.view() : store.at(snapshot);
    if (typeof program === "string" || program instanceof Uint8Array) {
      this.#key = textOfKey(program);
      const bytes = this.#source.get(program);
      if (bytes === undefined) throw new PelError("PEL-INPUT", "the store has no such program", { key: this.#key });
      this.#program = decodeProgram(bytes);
    } else {
      this.#program = program;
      this.#key = textOfKey(multihashOf(algorithmNamed(store.algorithm).number, encodeProgram(program)));
    }
    this.#given = new Map(Object.entries(inputs));
    const names = new Set(this.#program.nodes.map((node) => (node.op === "input" ? node.name : undefined)));
    for (const name of this.#given.keys())
      if (!names.has(name)) throw new PelError("PEL-INPUT", `the program has no input ${JSON.stringify(name)}`);
    this.#before = beforeOf(store, this.#key, this.#program, against);
  }

  explain(): Explanation {
    const nodes = this.#program.nodes.map((node, index): ExplainedNode => {
      const { state, reasons, known } = node.op === "input" ? this.#input(node) : this.#node(node, index);
      this.#known.push(known);
      const claim = known?.claim && textOfKey(known.claim.key);
      return { index, op: node.op, state, reasons: reasons.slice(0, MOST_REASONS), claim };
    });
    return { program: this.#key, against: this.#before?.key, nodes };
  }

  #input({ name, tag }: InputNode): Answer {
    const blocked = (message: string): Answer => ({ state: "blocked", reasons: [{ type: "no-input", message }] });
    const given = this.#given.get(name);
    if (given === undefined) return blocked("nothing is given for it");
    const key = textOfKey(given);
    if (!this.#assumed.has(key)) {
      const records = this.#source.stat(key)?.records;
      if (records === undefined) return blocked("the store has no such artifact");
      if (!records.some(({ typeTag }) => typeTag === tag))
        return blocked(`the artifact has no record with ${tag === undefined ? "no type tag" : `the type tag ${tag}`}`);
    }
    const known = { claim: undefined, outputs: [encodedRef({ key, tag })] };
    return { state: "input", reasons: [{ type: "given", key }], known };
  }

  #node(node: Node, index: number): Answer {
    if (node.op === "guest" && !this.#source.has(node.module) && !this.#assumed.has(node.module))
      return { state: "blocked", reasons: [{ type: "no-module", key: node.module }] };
    const inputs: EncodedRef[] = [];
    const open = new Set<number>();
    const failed = new Set<number>();
    for (const ref of node.refs) {
      const known = this.#known[ref.node];
      const input = ref.output === undefined ? known?.claim : known?.outputs[ref.output];
      if (input !== undefined) inputs.push(input);
      else (known === undefined ? open : failed).add(ref.node);
    }
    if (failed.size > 0) return { state: "blocked", reasons: [{ type: "failed", nodes: first(failed) }] };
    if (open.size > 0) return { state: "blocked", reasons: [{ type: "needs", nodes: first(open) }] };
    writeRequest(this.#request.reset(), node, inputs);
    const memo = memoOf(this.#store, this.#request.written);
    if (memo === undefined) {
      const asked = textOf(memoName(this.#request.written));
      const same = this.#asked.get(asked);
      if (same !== undefined) return { state: "hit", reasons: [{ type: "same", node: same }] };
      this.#asked.set(asked, index);
      return { state: "miss", reasons: this.#missed(node, index, inputs) };
    }
    const { claim, result, gone } = memo;
    // What is executed again makes the same again.
    const known = { claim: { key: claim, tag: TypeTag.CLAIM }, outputs: result.outputs };
    if (gone !== undefined) return { state: "miss", reasons: [{ type: "output-gone", key: textOfKey(gone) }], known };
    return { state: "hit", reasons: [{ type: "remembered", outcome: result.outcome }], known };
  }

  /** Why what a node asks for is not remembered: what is not as in the run before. */
  #missed(node: Node, index: number, inputs: readonly EncodedRef[]): readonly Reason[] {
    const claim = this.#before?.run.claims[this.#before.counterparts[index]!];
    if (claim === undefined) return [{ type: "never-executed" }];
    const { claim: before } = readReceipt(this.#store, claim);
    if (before?.kind !== "node") return [{ type: "forgotten", claim }];
    const reasons: Reason[] = [];
    for (const version of ["abi", "fuelSchedule", "compiler"] as const)
      if (before[version] !== VERSIONS[version])
        reasons.push({ type: "version-changed", version, before: before[version], after: VERSIONS[version] });
    for (const difference of differences(parametersOf(before.node), parametersOf(node)))
      if (reasons.push({ type: "node-changed", ...difference }) > MOST_REASONS) break;
    for (const reason of this.#changedInputs(before, node, inputs)) if (reasons.push(reason) > MOST_REASONS) break;
    return reasons.length > 0 ? reasons : [{ type: "forgotten", claim }];
  }
  *#changedInputs(before: NodeClaim, node: Node, inputs: readonly EncodedRef[]): Generator<Reason, void, undefined> {
    const names = inputNames(node);
    const olds = inputNames(before.node);
    const old = new Map(olds.map((name, k) => [name, before.inputs[k]!]));
    for (const [k, input] of names.entries()) {
      const now = inputs[k]!;
      const after = { key: textOfKey(now.key), tag: now.tag };
      const was = old.get(input);
      if (was?.key === after.key && was.tag === after.tag) continue;
      const from = this.#program.nodes[node.refs[k]!.node]!;
      const name = from.op === "input" ? from.name : undefined;
      yield { type: "input-changed", input, node: node.refs[k]!.node, name, before: was, after };
    }
    const held = new Set(names);
    for (const [input, was] of old)
      if (!held.has(input))
        yield { type: "input-changed", input, node: undefined, name: undefined, before: was, after: undefined };
  }
}

interface Answer {
  readonly state: ExplainedNode["state"];
  readonly reasons: readonly Reason[];
  /** Undefined: nobody knows before it is executed. */
  readonly known?: Known;
}

function inputNames(node: Node): readonly string[] {
  return node.op === "guest" ? node.inputs : node.refs.map((_, k) => String(k));
}

function first(nodes: Iterable<number>): readonly number[] {
  return [...nodes].slice(0, MOST_REASONS);
}

function textOfKey(key: KeyLike): ArtifactKey {
  const { algorithm, bytes, at } = new ParsedKey().parse(key);
  return keyText(algorithm, bytes, at);
}

// ---- the run before

/** Runs that are looked at for one that is like a program that was never run. */
const MOST_RUNS = 64;

function beforeOf(store: Store, key: ArtifactKey, program: Program, against: KeyLike | undefined): Before | undefined {
  const chosen = against === undefined ? lastRun(store, key) : textOfKey(against);
  const run = chosen === undefined ? likeliestRun(store, program) : runOf(store, chosen);
  if (run === undefined) {
    if (against === undefined) return undefined;
    const message = "it is no receipt of a run, or the store lacks it";
    throw new PelError("PEL-RECEIPT", message, { key: textOfKey(against) });
  }
  return { ...run, counterparts: counterpartsOf(store, key, program, run.run) };
}

function lastRun(store: Store, program: ArtifactKey): ArtifactKey | undefined {
  const key = store.resolve(Namespace.RUN, digestOf(keyBytes(program)));
  return key !== undefined && runOf(store, key) !== undefined ? key : undefined;
}

function runOf(store: Store, key: ArtifactKey): Pick<Before, "key" | "run"> | undefined {
  const { claim } = readReceipt(store, key);
  return claim?.kind === "run" ? { key, run: claim } : undefined;
}

/** The newest run that has a name in common with the program. */
function likeliestRun(store: Store, { nodes, outputs }: Program): Pick<Before, "key" | "run"> | undefined {
  const inputs = new Set(nodes.map((node) => (node.op === "input" ? node.name : undefined)));
  const made = new Set(outputs.map(({ name }) => name));
  const bindings = [...store.bindings(Namespace.RUN)].sort((left, right) => right.position - left.position);
  for (const { key } of bindings.slice(0, MOST_RUNS)) {
    const found = runOf(store, key);
    if (found === undefined) continue;
    const { run } = found;
    if (run.inputs.some(({ name }) => inputs.has(name)) || run.outputs.some(({ name }) => made.has(name))) return found;
  }
  return undefined;
}

/** Which node of a run before does what a node of the program does, by index; −1: none. */
function counterpartsOf(store: Store, key: ArtifactKey, program: Program, run: RunClaim): Int32Array {
  const { nodes } = program;
  if (run.program === key) return Int32Array.from(nodes, (_, index) => index);
  const none = new Int32Array(nodes.length).fill(-1);
  const old = programOf(store, run.program);
  if (old === undefined) return none;
  matchUpwards(program, old, none);
  matchDownwards(program, old, none);
  return none;
}

function programOf(store: Store, key: ArtifactKey): Program | undefined {
  try {
    const bytes = store.get(key);
    return bytes === undefined ? undefined : decodeProgram(bytes);
  } catch (error) {
    if (error instanceof PelError || error instanceof AslError) return undefined;
    throw error;
  }
}

/** Nodes that do the same with the same; those that only the parameters tell apart, where no other does the same. */
function matchUpwards({ nodes }: Program, old: Program, counterparts: Int32Array): void {
  const writer = new CborWriter();
  const placed = ({ op, refs }: Node, indexOf: (node: number) => number): string =>
    `${op}|${refs.map(({ node, output }) => `${indexOf(node)}.${output}`).join("|")}`;
  const own = (node: Node): string => {
    writeNode(writer.reset(), node);
    return textOf(writer.written);
  };
  const exact = new Map<string, number>();
  const loose = new Map<string, number[]>();
  for (const [index, node] of old.nodes.entries()) {
    const place = placed(node, (ref) => ref);
    exact.set(`${place}\n${own(node)}`, index);
    // Inputs and constants are what they say.
    if (node.refs.length === 0 && node.op !== "guest") continue;
    const others = loose.get(place);
    if (others === undefined) loose.set(place, [index]);
    else others.push(index);
  }
  for (const [index, node] of nodes.entries()) {
    if (node.refs.some((ref) => counterparts[ref.node]! < 0)) continue;
    const place = placed(node, (ref) => counterparts[ref]!);
    counterparts[index] = exact.get(`${place}\n${own(node)}`) ?? loose.get(place)?.shift() ?? -1;
  }
}

/** What is left: nodes that make the outputs of the same name, and what those are made of. */
function matchDownwards(program: Program, old: Program, counterparts: Int32Array): void {
  const outputs = new Map(old.outputs.map(({ name, ref }) => [name, ref.node]));
  const pairs = program.outputs.map(({ name, ref }) => [ref.node, outputs.get(name) ?? -1] as const);
  const taken = new Set(counterparts);
  for (let pair = pairs.pop(); pair !== undefined; pair = pairs.pop()) {
    const [index, other] = pair;
    const node = program.nodes[index]!;
    const was = old.nodes[other];
    if (was?.op !== node.op || node.op === "input" || counterparts[index]! >= 0 || taken.has(other)) continue;
    counterparts[index] = other;
    taken.add(other);
    const refs = new Map(inputNames(was).map((name, k) => [name, was.refs[k]!.node]));
    for (const [k, name] of inputNames(node).entries()) {
      const ref = refs.get(name);
      if (ref !== undefined) pairs.push([node.refs[k]!.node, ref]);
    }
  }
}

// ---- for people

/** A reason in a few words. */
export function reasonText(reason: Reason): string {
  switch (reason.type) {
    case "given":
      return `is ${short(reason.key)}`;
    case "no-input":
      return reason.message;
    case "no-module":
      return `the store has no module ${short(reason.key)}`;
    case "remembered":
      return reason.outcome.type === "ok" ? "was executed before" : `failed before: ${outcomeText(reason.outcome)}`;
    case "same":
      return `does what node ${reason.node} does`;
    case "output-gone":
      return `its output ${short(reason.key)} is gone`;
    case "input-changed": {
      const { input, name, node, before, after } = reason;
      const what = name === undefined ? `input ${input}` : `input ${input} (${JSON.stringify(name)})`;
      const from = name === undefined && node !== undefined ? ` from node ${node}` : "";
      if (after === undefined) return `${what} is no more`;
      if (before === undefined) return `${what}${from} is new`;
      return `${what}${from} was ${shown(before)}, is ${shown(after)}`;
    }
    case "node-changed":
      return `${reason.pointer.slice(1)} was ${value(reason.before)}, is ${value(reason.after)}`;
    case "version-changed":
      return `${VERSION_NAMES[reason.version]} was ${reason.before}, is ${reason.after}`;
    case "never-executed":
      return "was never executed";
    case "forgotten":
      return `what ${short(reason.claim)} says is no longer remembered`;
    case "needs":
      return `depends on ${nodesText(reason.nodes)}`;
    case "failed":
      return `needs what ${nodesText(reason.nodes)} failed to make`;
  }
}

const VERSION_NAMES: { readonly [version in keyof Versions]: string } = {
  abi: "the ABI version",
  fuelSchedule: "the fuel schedule",
  compiler: "the PEL compiler",
};

function nodesText(nodes: readonly number[]): string {
  return `${nodes.length === 1 ? "node" : "nodes"} ${nodes.join(", ")}${nodes.length === MOST_REASONS ? ", …" : ""}`;
}
function shown({ key, tag }: ArtifactRef): string {
  return tag === undefined ? short(key) : `${short(key)} with the type tag ${tag}`;
}
function short(key: ArtifactKey): string {
  const digits = key.indexOf(":") + 1;
  return key.slice(0, digits + 12);
}
function value(of: unknown): string {
  if (of === undefined || of === null) return "nothing";
  if (typeof of === "string" && /^[a-z0-9-]+:[0-9a-f]{64}$/.test(of)) return short(of as ArtifactKey);
  const text = JSON.stringify(of);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
