/** Where artifacts come from (spec PER-WHY): the receipts that have them as outputs, what those were made of, and so on down to what no receipt made. */
import { Stopped } from "../../vm/errors.ts";
import { type ArtifactKey, AslError, type KeyLike, Store, type View } from "../asl/index.ts";
import { textOfKey } from "../asl/key.ts";
import { EdgeType, type Graph, openGraph } from "../tgk/index.ts";
import { type ArtifactRef, decodeClaim, MOST_CLAIM_BYTES, type NodeClaim, type RunClaim, TypeTag } from "./claim.ts";
import { expectArgument, PelError } from "./errors.ts";
import type { Tag } from "./program.ts";

export interface WhyOptions {
  /** True: every receipt that has an artifact as an output, not only the one that it came with. */
  readonly all?: boolean | undefined;
  /** Receipts in a row that are followed; no limit by default. */
  readonly depth?: number | undefined;
  /** Most nodes of the answer; 100,000 by default. */
  readonly most?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Hears now and then how many nodes were found. */
  readonly onProgress?: ((nodes: number) => void) | undefined;
}

export interface ArtifactNode {
  readonly type: "artifact";
  readonly key: ArtifactKey;
  /** Its length; undefined if the store lacks it. */
  readonly bytes: number | undefined;
  readonly tags: readonly Tag[];
  /** Receipts that have it as an output; 0 of what came from outside. */
  readonly producers: number;
}

export interface ReceiptNode {
  readonly type: "receipt";
  readonly key: ArtifactKey;
  /** Undefined if it cannot be read: then `problem` says why. */
  readonly claim: NodeClaim | RunClaim | undefined;
  readonly problem: string | undefined;
}

export type ProvenanceNode = ArtifactNode | ReceiptNode;

/** In the direction of data. */
export interface ProvenanceEdge {
  /** Indices of nodes. */
  readonly from: number;
  readonly to: number;
  /** `claim`: from the receipt of a node to that of its run. */
  readonly role: "input" | "module" | "program" | "output" | "claim";
  /** Which input, which output, or, of a claim, which node of the program. */
  readonly index: number;
  /** Of the input or output, if it has one. */
  readonly name: string | undefined;
  /** True: without this edge and others like it nothing leads back to where it began. */
  readonly goesRound: boolean;
}

export interface Provenance {
  /** What was asked about comes first, the others in the order in which they were found, step by step. */
  readonly nodes: readonly ProvenanceNode[];
  readonly edges: readonly ProvenanceEdge[];
  /** False: there is more than `depth` or `most` let through. */
  readonly isWhole: boolean;
}

const MOST_NODES = 100_000;
/** Nodes that one turn of the event loop looks at. */
const TURN_NODES = 256;

/** What JavaScript may have been given. Throws PEL-ARGUMENT. */
export function expectStore(store: Store, options: { readonly onProgress?: unknown }): void {
  expectArgument(store instanceof Store, "a store that is open");
  expectArgument(typeof options === "object" && options !== null, "options in an object");
  const { onProgress } = options;
  expectArgument(onProgress === undefined || typeof onProgress === "function", "a function that hears of progress");
}

/** What came of reading a receipt. */
export type ReadReceipt =
  | {
      readonly claim: NodeClaim | RunClaim;
      /** Its length. */
      readonly bytes: number;
      readonly problem?: undefined;
    }
  | { readonly claim?: undefined; readonly problem: "missing" | "damaged" | "version"; readonly message: string };

/** What is said of stored bytes that are not those of their key. */
const DAMAGES: ReadonlySet<string> = new Set([
  "ASL-CORRUPT",
  "ASL-BLOCK-DAMAGED",
  "ASL-LOG-DAMAGED",
  "ASL-INDEX-DAMAGED",
]);

/** Throws Stopped when the caller has had enough. */
export function checkStopped(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new Stopped();
}

/** Whether an error says that something in a store is damaged. */
export function isDamage(error: unknown): error is AslError {
  return error instanceof AslError && DAMAGES.has(error.code);
}

/** The claim that an artifact holds. Throws what the store throws, unless it is damage. */
export function readReceipt(from: Pick<View, "read">, key: KeyLike): ReadReceipt {
  try {
    const bytes = from.read(key, 0, MOST_CLAIM_BYTES + 1);
    if (bytes === undefined) return { problem: "missing", message: "the store lacks the receipt" };
    if (bytes.length > MOST_CLAIM_BYTES)
      return { problem: "damaged", message: `a receipt has ${MOST_CLAIM_BYTES} bytes at most` };
    return { claim: decodeClaim(bytes), bytes: bytes.length };
  } catch (error) {
    if (error instanceof PelError)
      return { problem: error.code === "PEL-VERSION" ? "version" : "damaged", message: error.message };
    if (isDamage(error)) return { problem: "damaged", message: error.message };
    throw error;
  }
}

/** The receipt that an artifact came with. */
export interface Producer {
  readonly key: ArtifactKey;
  readonly receipt: ReadReceipt;
  /** Which output it is. */
  readonly output: number;
}

/** Finds receipts by what they made, through edges, each of which its receipt has to confirm. Close it. */
export class Producers {
  readonly #store: Store;
  readonly #graph: Graph;

  constructor(store: Store) {
    this.#store = store;
    this.#graph = openGraph(store);
  }
  close(): void {
    this.#graph.close();
  }

  /**
   * Receipts that have an artifact as an output, the first of the store first; and whether the artifact came with them: it is there no longer
   * than they are. Receipts that cannot be read stand behind the others.
   */
  *of(key: ArtifactKey): Generator<Producer & { readonly isOrigin: boolean }> {
    const claims = this.claimsOf(key);
    if (claims.length === 0) return;
    const logseq = Math.max(-1, ...(this.#store.stat(key)?.records ?? []).map(({ logseq }) => logseq));
    const unread: Producer[] = [];
    for (const claim of claims) {
      const receipt = readReceipt(this.#store, claim.key);
      const output = outputsOf(receipt.claim).findIndex((output) => output.key === key);
      if (receipt.claim === undefined) unread.push({ key: claim.key, receipt, output });
      else if (output >= 0) yield { key: claim.key, receipt, output, isOrigin: logseq < 0 || logseq >= claim.logseq };
    }
    for (const one of unread) yield { ...one, isOrigin: true };
  }
  /** The receipt that an artifact came with; undefined of what came from outside. */
  origin(key: ArtifactKey): Producer | undefined {
    for (const producer of this.of(key)) if (producer.isOrigin) return producer;
    return undefined;
  }
  /** What edges name as receipts of an artifact, in the order in which the store got them. */
  claimsOf(key: ArtifactKey): { readonly key: ArtifactKey; readonly logseq: number }[] {
    const claims = new Map<ArtifactKey, { key: ArtifactKey; position: number; logseq: number }>();
    for (const { to } of this.#graph.edgesOf(key, "to", { types: [EdgeType.EXECUTION] })) {
      const [claim] = to;
      if (claim === undefined || claim === key || claims.has(claim)) continue;
      const records = this.#store.stat(claim)?.records ?? [];
      // What is gone may have been one.
      if (records.length > 0 && !records.some(({ typeTag }) => typeTag === TypeTag.CLAIM)) continue;
      claims.set(claim, {
        key: claim,
        position: Math.min(Number.MAX_SAFE_INTEGER, ...records.map(({ position }) => position)),
        logseq: Math.min(Number.MAX_SAFE_INTEGER, ...records.map(({ logseq }) => logseq)),
      });
    }
    return [...claims.values()].sort((one, other) => one.position - other.position || (one.key < other.key ? -1 : 1));
  }
}

function outputsOf(claim: NodeClaim | RunClaim | undefined): readonly ArtifactRef[] {
  return claim?.outputs ?? [];
}

/** What was executed took these: inputs in order, and the module last. */
export function madeOf(claim: NodeClaim): readonly (ArtifactRef & { readonly name: string | undefined })[] {
  const { node, inputs } = claim;
  const names = node.op === "guest" ? node.inputs : [];
  const all = inputs.map(({ key, tag }, index) => ({ key, tag, name: names[index] }));
  return node.op === "guest" ? [...all, { key: node.module, tag: undefined, name: undefined }] : all;
}

/**
 * Why an artifact is what it is: what it was made of, as a graph down to its sources. Of a receipt it is what that was made of; of a run's,
 * all of its nodes. Throws an AslError, Stopped, and PEL-ARGUMENT for what is neither in the store nor named by a receipt in it.
 */
export async function why(store: Store, key: KeyLike, options: WhyOptions = {}): Promise<Provenance> {
  expectStore(store, options);
  const { depth = 0, most = 1, signal } = options;
  expectArgument(depth === Number.POSITIVE_INFINITY || (Number.isInteger(depth) && depth >= 0), "a depth from 0 on");
  expectArgument(Number.isInteger(most) && most >= 1, "most nodes from 1 on");
  expectArgument(signal === undefined || signal instanceof AbortSignal, "an AbortSignal");
  const producers = new Producers(store);
  try {
    return await trace(store, producers, key, options);
  } finally {
    producers.close();
  }
}

async function trace(store: Store, producers: Producers, key: KeyLike, options: WhyOptions): Promise<Provenance> {
  const { all = false, depth = Number.POSITIVE_INFINITY, most = MOST_NODES, signal, onProgress } = options;
  const nodes: ProvenanceNode[] = [];
  const steps: number[] = [];
  const edges: Found[] = [];
  const known = new Map<ArtifactKey, number>();
  let isWhole = true;

  /** Index of the node of a key; undefined if there is no room for it. */
  const add = (key: ArtifactKey, step: number, tag?: Tag): number | undefined => {
    const index = known.get(key);
    if (index !== undefined) return index;
    if (nodes.length >= most) {
      isWhole = false;
      return undefined;
    }
    known.set(key, nodes.length);
    steps.push(step);
    return nodes.push(nodeOf(store, producers, key, tag)) - 1;
  };
  /** An edge to a node from one that may be new. */
  const link = (from: number | undefined, to: number, role: Found["role"], index: number, name?: string): void => {
    if (from !== undefined) edges.push({ from, to, role, index, name });
  };
  const expand = (at: number): void => {
    const node = nodes[at]!;
    const step = steps[at]!;
    if (node.type === "artifact") {
      if (node.producers === 0) return;
      if (step >= depth) {
        isWhole = false;
        return;
      }
      for (const { key, receipt, output, isOrigin } of producers.of(node.key)) {
        if (!isOrigin && !all) continue;
        link(add(key, step + 1, TypeTag.CLAIM), at, "output", Math.max(output, 0), nameOfOutput(receipt.claim, output));
        if (!all) break;
      }
    } else if (node.claim?.kind === "node") {
      for (const [index, { key, tag, name }] of madeOf(node.claim).entries()) {
        const isModule = index === node.claim.inputs.length;
        link(add(key, step, tag), at, isModule ? "module" : "input", isModule ? 0 : index, name);
      }
    } else if (node.claim?.kind === "run") {
      const { program, inputs, claims } = node.claim;
      link(add(program, step), at, "program", 0);
      for (const [index, { key, tag, name }] of inputs.entries()) link(add(key, step, tag), at, "input", index, name);
      for (const [index, key] of claims.entries())
        if (key !== undefined) link(add(key, step, TypeTag.CLAIM), at, "claim", index);
    }
  };

  const root = textOfKey(key);
  add(root, 0);
  const [first] = nodes as [ProvenanceNode];
  if (first.type === "artifact" && first.bytes === undefined && first.producers === 0)
    throw new PelError("PEL-ARGUMENT", "the store has no such artifact, and no receipt that names it", { key: root });
  for (let next = 0; next < nodes.length; next++) {
    if (next % TURN_NODES === 0) {
      checkStopped(signal);
      onProgress?.(nodes.length);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expand(next);
  }
  return { nodes, edges: withoutRounds(nodes.length, edges), isWhole };
}

type Found = Omit<ProvenanceEdge, "goesRound">;

function nodeOf(store: Store, producers: Producers, key: ArtifactKey, tag: Tag): ProvenanceNode {
  const stat = store.stat(key);
  const tags = stat?.records.map(({ typeTag }) => typeTag) ?? [];
  // What is said to be a receipt and is none stays an artifact, unless it is nothing at all.
  if (tags.includes(TypeTag.CLAIM) || (stat === undefined && tag === TypeTag.CLAIM)) {
    const { claim, ...read } = readReceipt(store, key);
    return { type: "receipt", key, claim, problem: "message" in read ? read.message : undefined };
  }
  return {
    type: "artifact",
    key,
    bytes: stat?.length,
    tags: [...new Set(tags)],
    producers: producers.claimsOf(key).length,
  };
}

function nameOfOutput(claim: NodeClaim | RunClaim | undefined, index: number): string | undefined {
  return claim?.kind === "node" && claim.node.op === "guest" ? claim.node.outputs[index]?.name : undefined;
}

/**
 * Marks edges that close a circle on a way back from the first node, in the order of the edges: an artifact may well be an output of what was made
 * of it.
 */
function withoutRounds(count: number, edges: readonly Found[]): ProvenanceEdge[] {
  // Edges by where they lead: those of `n` are `byEnd[starts[n]]` to `byEnd[starts[n + 1]]`.
  const starts = new Uint32Array(count + 2);
  for (const { to } of edges) starts[to + 2]!++;
  for (let n = 2; n < starts.length; n++) starts[n]! += starts[n - 1]!;
  const byEnd = new Uint32Array(edges.length);
  for (const [index, { to }] of edges.entries()) byEnd[starts[to + 1]!++] = index;
  const isOn = new Uint8Array(count);
  const isOver = new Uint8Array(count);
  const next = starts.slice(0, count);
  const rounds = new Uint8Array(edges.length);
  const path = [0];
  isOn[0] = 1;
  while (path.length > 0) {
    const node = path.at(-1)!;
    if (next[node] === starts[node + 1]) {
      path.pop();
      isOn[node] = 0;
      isOver[node] = 1;
      continue;
    }
    const edge = byEnd[next[node]!++]!;
    const { from } = edges[edge]!;
    if (isOn[from] === 1) rounds[edge] = 1;
    else if (isOver[from] === 0) {
      isOn[from] = 1;
      path.push(from);
    }
  }
  return edges.map((edge, index) => ({ ...edge, goesRound: rounds[index] === 1 }));
}
