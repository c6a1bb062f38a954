/** `ashlar trace`: what edges lead to and from an artifact (spec CLI-PEL-15). */
import type { ArtifactKey, View } from "../asl/index.ts";
import { outcomeText, TypeTag } from "../pel/claim.ts";
import { readReceipt } from "../pel/provenance.ts";
import { EDGE_TAG, EdgeType, openGraph, type Visit } from "../tgk/index.ts";
import { type Answer, type Answering, answering } from "./answer.ts";
import type { Arguments } from "./arguments.ts";
import { usageError } from "./failure.ts";
import type { Dag, DagEdge, DagNode } from "./pel/dag.ts";
import { endOf } from "./pel/program-dag.ts";
import { checkGraphOptions, dagAnswer, depthOf } from "./pel/show.ts";
import { keyThere, withNamedStore } from "./pel/stores.ts";
import { parseCount } from "./quantities.ts";
import { parseTypeTag } from "./store/put.ts";
import { note } from "./terminal.ts";

const { answer }: Answering = answering(undefined);

const DEFAULT_LIMIT = 100_000;
const TYPE_NAMES: { readonly [name: string]: number } = { execution: EdgeType.EXECUTION, run: EdgeType.RUN };

export async function trace(args: Arguments): Promise<number> {
  const { options, positionals } = args;
  checkGraphOptions(args);
  if (options.has("forward") && options.has("backward"))
    throw usageError("--forward and --backward exclude one another.");
  const direction = options.has("forward") ? "forward" : "backward";
  const types = options.get("type")?.map((text) => TYPE_NAMES[text] ?? parseTypeTag("type", text));
  const tags = options.get("tag")?.map((text) => parseTypeTag("tag", text));
  const depth = depthOf(args, Number.POSITIVE_INFINITY);
  const given = options.get("limit")?.[0];
  const limit = given === undefined ? DEFAULT_LIMIT : Number(parseCount("limit", given, 10_000_000n));
  return answer("trace", args, () =>
    withNamedStore(args, "read", (store): Answer => {
      const name = options.get("at")?.[0];
      const view = name === undefined ? store.view() : store.at(name);
      const start = keyThere(view, positionals[0]!);
      const graph = openGraph(store, { at: view });
      try {
        const visits = [...graph.traverse({ start: [start], direction, depth, types, tags, limit: limit + 1 })];
        const isWhole = visits.length <= limit;
        if (!isWhole) note(`note: there are more edges than ${limit}: --limit shows more of them\n`);
        const dag = visitsDag(view, start, visits.slice(0, limit), direction);
        const tree = { direction: direction === "forward" ? "forward" : "back", roots: [0] } as const;
        return dagAnswer(
          args,
          dag,
          tree,
          { key: start, direction, isWhole },
          options.has("depth") ? 2 * depth : undefined,
        );
      } finally {
        graph.close();
      }
    }),
  );
}

/** Artifacts and edges are nodes alike: an edge may have many ends. */
function visitsDag(view: View, start: ArtifactKey, visits: readonly Visit[], direction: "forward" | "backward"): Dag {
  const nodes: DagNode[] = [];
  const edges: DagEdge[] = [];
  const known = new Map<ArtifactKey, number>();
  const artifact = (key: ArtifactKey): number => {
    let index = known.get(key);
    if (index === undefined) {
      index = nodes.push(artifactNode(view, key, nodes.length)) - 1;
      known.set(key, index);
    }
    return index;
  };
  artifact(start);
  for (const { edge } of visits) for (const key of direction === "forward" ? edge.to : edge.from) artifact(key);
  for (const { edge } of visits) {
    const { from, to } = edge;
    const index = nodes.push(edgeNode(view, edge.type, edge.roles, from, to, nodes.length)) - 1;
    const seen = (keys: readonly ArtifactKey[]): number[] =>
      [...new Set(keys)].map((key) => known.get(key)).filter((end) => end !== undefined);
    // Of the side that the way comes from, only what the way leads through.
    for (const end of seen(from)) edges.push({ from: end, to: index, label: "" });
    for (const end of seen(to)) edges.push({ from: index, to: end, label: "" });
  }
  return { title: `trace ${direction} of ${start}`, nodes, edges };
}

const KINDS: readonly (readonly [tag: number, kind: string])[] = [
  [TypeTag.PROGRAM, "program"],
  [TypeTag.MODULE, "compiled primitives"],
  [TypeTag.CLAIM, "receipt"],
  [TypeTag.CONTEXT, "context"],
  [EDGE_TAG, "edge"],
];

function artifactNode(view: View, key: ArtifactKey, index: number): DagNode {
  const stat = view.stat(key);
  const tags = stat?.records.map(({ typeTag }) => typeTag) ?? [];
  const kind = KINDS.find(([tag]) => tags.includes(tag))?.[1] ?? "artifact";
  return {
    id: String(index),
    label: stat === undefined ? `${kind} (not in the store)` : kind,
    op: "",
    key,
    bytes: stat?.length,
    fuel: undefined,
    state: "",
    isFailed: false,
    receipt: tags.length === 0 ? [] : [["type tags", tags.map((tag) => String(tag ?? "none")).join(", ")]],
  };
}

function edgeNode(
  view: View,
  type: number,
  roles: number,
  from: readonly ArtifactKey[],
  to: readonly ArtifactKey[],
  index: number,
): DagNode {
  const name = Object.keys(TYPE_NAMES).find((one) => TYPE_NAMES[one] === type) ?? `edge of type ${type}`;
  const told = type === EdgeType.EXECUTION || type === EdgeType.RUN ? receiptOf(view, to[0]) : undefined;
  const facts: [string, string][] = [
    ["type", String(type)],
    ["roles", String(roles)],
  ];
  facts.push(["from", from.slice(0, 100).join(" ")], ["to", to.slice(0, 100).join(" ")]);
  return {
    id: String(index),
    label: name,
    op: told?.op ?? "",
    key: undefined,
    bytes: undefined,
    fuel: told?.fuel,
    state: "",
    isFailed: told?.isFailed ?? false,
    receipt: [...facts, ...(told?.facts ?? [])],
  };
}

/** What the receipt of an execution or a run tells; undefined where it is not there, or none. */
function receiptOf(view: View, key: ArtifactKey | undefined) {
  const claim = key === undefined ? undefined : readReceipt(view, key).claim;
  if (claim === undefined) return undefined;
  const receipt = ["receipt", key!] as const;
  if (claim.kind === "run") {
    const facts = [receipt, ["program", claim.program] as const];
    return { op: "", fuel: undefined, isFailed: claim.failed !== undefined, facts };
  }
  const { facts = [], fuel, outcome } = endOf(claim);
  const end = ["outcome", outcomeText(outcome!)] as const;
  return { op: claim.node.op, fuel, isFailed: outcome!.type !== "ok", facts: [receipt, end, ...facts] };
}
