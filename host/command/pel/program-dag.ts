/** Programs, runs and their receipts as graphs that are shown (spec CLI-DAG). */

import type { ArtifactKey, View } from "../../asl/index.ts";
import { hex } from "../../assets/hash.ts";
import { type ArtifactRef, type NodeClaim, type Outcome, outcomeText } from "../../pel/claim.ts";
import { type Node, outputCount, type Program } from "../../pel/program.ts";
import { readReceipt } from "../../pel/provenance.ts";
import { grouped } from "../quantities.ts";
import { type Dag, type DagEdge, type DagNode, type DagState, shortKey } from "./dag.ts";

/** What came of a node. */
export interface NodeEnd {
  readonly state: DagState;
  readonly outcome: Outcome | undefined;
  readonly claim: ArtifactKey | undefined;
  readonly outputs: readonly ArtifactRef[];
  readonly fuel: bigint | undefined;
  /** More to show of it. */
  readonly facts?: readonly (readonly [name: string, value: string])[] | undefined;
}

/** What people call each node: its ids in the text, the names that it has for the program, or what it does. */
export function labelsOf({ nodes, outputs }: Program, ids?: ReadonlyMap<number, string>): string[] {
  const named = new Map<number, string[]>();
  for (const { name, ref } of outputs) named.set(ref.node, [...(named.get(ref.node) ?? []), name]);
  return nodes.map((node, index) => {
    const id = ids?.get(index);
    if (id !== undefined) return id;
    if (node.op === "input") return node.name;
    return named.get(index)?.join(", ") ?? (node.op === "guest" ? `guest ${shortKey(node.module)}` : node.op);
  });
}

/** The graph of a program. `end` tells what came of a node, where something did; sizes are looked up in `view`. */
export function programDag(
  title: string,
  program: Program,
  ids?: ReadonlyMap<number, string>,
  end?: (index: number) => NodeEnd | undefined,
  view?: View,
): Dag {
  const { nodes, outputs } = program;
  const labels = labelsOf(program, ids);
  const edges: DagEdge[] = [];
  const shown = nodes.map((node, index): DagNode => {
    for (const [place, ref] of node.refs.entries())
      edges.push({ from: ref.node, to: index, label: refLabel(node, place, nodes[ref.node]!, ref.output) });
    const ended = end?.(index);
    const { outcome, claim, fuel } = ended ?? {};
    const made = ended?.outputs ?? [];
    const facts: [string, string][] = [["node", String(index)], ...parametersOf(node)];
    for (const { name, ref } of outputs)
      if (ref.node === index)
        facts.push(["output of the program", ref.output === undefined ? `${name} (its receipt)` : name]);
    if (node.op !== "input")
      for (const [k, { key }] of made.entries())
        if (made.length > 1 || node.op === "guest") facts.push([`output ${outputName(node, k)}`, key]);
    if (outcome !== undefined) facts.push(["outcome", outcomeText(outcome)]);
    if (claim !== undefined) facts.push(["receipt", claim]);
    facts.push(...(ended?.facts ?? []).map(([name, value]): [string, string] => [name, value]));
    return {
      id: String(index),
      label: labels[index]!,
      op: node.op,
      key: made[0]?.key,
      bytes: view === undefined || made.length === 0 ? undefined : bytesOf(view, made),
      fuel: node.op === "input" ? undefined : fuel,
      state: ended?.state ?? (node.op === "input" ? "input" : ""),
      isFailed: outcome !== undefined && outcome.type !== "ok",
      receipt: facts,
    };
  });
  return { title, nodes: shown, edges };
}

/** Undefined when one of them is not there. */
export function bytesOf(view: View, refs: readonly { readonly key: ArtifactKey }[]): number | undefined {
  let sum = 0;
  for (const { key } of refs) {
    const length = view.stat(key)?.length;
    if (length === undefined) return undefined;
    sum += length;
  }
  return sum;
}

function refLabel(node: Node, place: number, source: Node, output: number | undefined): string {
  const role =
    node.op === "guest"
      ? node.inputs[place]!
      : node.op === "select"
        ? place === 0
          ? "selector"
          : `case ${place - 1}`
        : "";
  const part =
    output === undefined
      ? "receipt"
      : source.op !== "input" && outputCount(source) > 1
        ? outputName(source, output)
        : "";
  return part === "" || part === role ? role : `${role}${role === "" ? "" : " "}(${part})`;
}

function outputName(node: Node, output: number): string {
  return node.op === "guest" ? (node.outputs[output]?.name ?? String(output)) : String(output);
}

/** What a node does, beside its inputs. */
function parametersOf(node: Node): [string, string][] {
  switch (node.op) {
    case "input":
      return [
        ["input", node.name],
        ...(node.tag === undefined ? [] : [["type tag", String(node.tag)] as [string, string]]),
      ];
    case "const":
      return [
        [
          "bytes",
          `${grouped(BigInt(node.bytes.length))}: ${hex(node.bytes.subarray(0, 32))}${node.bytes.length > 32 ? "…" : ""}`,
        ],
      ];
    case "slice":
      return [
        ["offset", String(node.offset)],
        ["length", node.length === undefined ? "to the end" : String(node.length)],
      ];
    case "split":
      return [["at", node.at.slice(0, 32).join(", ") + (node.at.length > 32 ? ", …" : "")]];
    case "guest": {
      const { module, entry, args, stdout, stderr, assets, io, limits } = node;
      const optional = Object.entries({ entry, stdout, stderr, assets }).filter(([, value]) => value !== undefined);
      return [
        ["module", module],
        ...(args.length > 0 ? [["arguments", JSON.stringify(args).slice(0, 1000)] as [string, string]] : []),
        ...(optional as [string, string][]),
        ["reaches files by", io === "files" ? "/in and /out" : "asl"],
        ["fuel limit", grouped(limits.fuel)],
      ];
    }
    default:
      return [];
  }
}

/** What the receipt of a node says, or why it says nothing. */
export function nodeEnd(view: View, key: ArtifactKey): NodeEnd {
  const { claim, ...read } = readReceipt(view, key);
  if (claim?.kind === "node") return { state: "", claim: key, ...endOf(claim) };
  const problem = "message" in read ? read.message : "it is the receipt of a run";
  return { state: "", claim: key, outcome: undefined, outputs: [], fuel: undefined, facts: [["problem", problem]] };
}

export function endOf(claim: NodeClaim): Pick<NodeEnd, "outcome" | "outputs" | "fuel" | "facts"> {
  const { outcome, outputs, fuel, trace, abi, fuelSchedule, compiler } = claim;
  const versions = `ABI ${abi}, fuel schedule ${fuelSchedule}, compiler ${compiler}`;
  return {
    outcome,
    outputs,
    fuel,
    facts: [
      ["trace", hex(trace)],
      ["versions", versions],
    ],
  };
}
