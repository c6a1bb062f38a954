/** Receipts as what can be run again (spec PER-VERIFY-2), and what keeps them from it. */

import type { ArtifactKey, View } from "../asl/index.ts";
import { canonicalProgram } from "./canonical.ts";
import type { ArtifactRef, NodeClaim, RunClaim } from "./claim.ts";
import { listOf, refText } from "./compare.ts";
import { PelError } from "./errors.ts";
import { type Finding, findingOf, type Problem } from "./findings.ts";
import { hasRecord } from "./memo.ts";
import { decodeProgram, type Node, PROGRAM_LIMITS, type Program, type Ref, type Tag } from "./program.ts";
import { isDamage, madeOf } from "./provenance.ts";

/** Receipts of nodes that are run again together, and bytes of their claims, unless it is one. */
export const TOGETHER = 1024;
export const TOGETHER_BYTES: number = 4 * 1024 * 1024;

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

/** The first of what a receipt was made of that the store lacks. */
export function lackOf(view: View, { key: receipt, claim }: NodeReceipt): Finding | undefined {
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

function inputText({ name, tag }: { readonly name: string; readonly tag: Tag }): string {
  return `${JSON.stringify(name)}${tag === undefined ? "" : ` with tag ${tag}`}`;
}
