/** A graph that is shown: as a tree of text, in DOT, as JSON, as a page (spec CLI-DAG). */
import { grouped } from "../quantities.ts";
import { plain } from "../terminal.ts";

/** How a node came to what it gives: "hit", "miss" and "blocked" by what is remembered, "executed" and "skipped" in a run; of others "". */
export type DagState = "input" | "hit" | "miss" | "blocked" | "executed" | "skipped" | "";

export interface DagNode {
  /** Unique in its graph. */
  readonly id: string;
  /** What people call it. */
  readonly label: string;
  readonly op: string;
  /** Of its first output. */
  readonly key: string | undefined;
  /** Of all its outputs together. */
  readonly bytes: number | undefined;
  readonly fuel: bigint | undefined;
  readonly state: DagState;
  readonly isFailed: boolean;
  /** What its receipt says, as names and values. */
  readonly receipt: readonly (readonly [name: string, value: string])[];
}

/** Bytes flow from a node to another; both as places in the list of nodes. */
export interface Ends {
  readonly from: number;
  readonly to: number;
}

export interface DagEdge extends Ends {
  readonly label: string;
}

export interface Dag {
  readonly title: string;
  readonly nodes: readonly DagNode[];
  /** Those to one node in the order of what it takes. They may form cycles. */
  readonly edges: readonly DagEdge[];
}

/** What is shown of a key. */
const SHOWN_DIGITS = 12;

/** `sha256:0123456789ab…`. */
export function shortKey(key: string): string {
  const end = key.indexOf(":") + 1 + SHOWN_DIGITS;
  return key.length > end ? `${key.slice(0, end)}…` : key;
}

/** One line: label, op, key, size, fuel, state; as far as they are known. */
export function nodeText({ label, op, key, bytes, fuel, state, isFailed }: DagNode): string {
  const facts = [
    label,
    op === label ? "" : op,
    key === undefined ? "" : shortKey(key),
    bytes === undefined ? "" : `${grouped(BigInt(bytes))} bytes`,
    fuel === undefined ? "" : `fuel ${grouped(fuel)}`,
    isFailed ? `failed${state === "hit" ? " (hit)" : ""}` : state,
  ];
  return plain(facts.filter((fact) => fact !== "").join("  "));
}

/** The edges of each node: of node k those at `starts[k]` up to `starts[k + 1]` of `edges`, which holds their places. */
export interface Adjacency {
  readonly starts: Int32Array;
  readonly edges: Int32Array;
}

/** The edges that end, or begin, at each node, in their order. */
export function adjacency(nodes: number, edges: readonly Ends[], end: "from" | "to"): Adjacency {
  const starts = new Int32Array(nodes + 1);
  for (const edge of edges) starts[edge[end] + 1]!++;
  for (let k = 0; k < nodes; k++) starts[k + 1]! += starts[k]!;
  const next = starts.slice();
  const places = new Int32Array(edges.length);
  for (const [place, edge] of edges.entries()) places[next[edge[end]]!++] = place;
  return { starts, edges: places };
}

export interface TreeOptions {
  /** "back": below a node what it is made of; "forward": what is made of it. */
  readonly direction: "back" | "forward";
  /** Where trees begin; by default all nodes that are below none. */
  readonly roots?: readonly number[] | undefined;
  /** Levels below a root that are shown. */
  readonly depth: number;
}

/** A line for each node, indented below the one that it belongs to. What is below a node is told where it comes first. */
export function* treeLines(dag: Dag, { direction, roots, depth }: TreeOptions): Generator<string> {
  const { nodes, edges } = dag;
  const [near, far] = direction === "back" ? (["to", "from"] as const) : (["from", "to"] as const);
  const below = adjacency(nodes.length, edges, near);
  const above = adjacency(nodes.length, edges, far);
  const isTold = new Uint8Array(nodes.length);
  const begins = roots ?? [...nodes.keys()].filter((node) => above.starts[node] === above.starts[node + 1]);
  /** From the root down: which edges of the node are still to be told, and the lines' beginning below it. */
  const open: { at: number; end: number; indent: string }[] = [];
  const tell = function* (node: number, lead: string, indent: string, label: string): Generator<string> {
    const [at, end] = [below.starts[node]!, below.starts[node + 1]!];
    const again = isTold[node] !== 0 && at < end;
    const isCut = !again && at < end && open.length >= depth;
    const name = label === "" ? "" : `${plain(label)}: `;
    const more = again ? "  (above)" : isCut ? "  (more below)" : "";
    yield `${lead}${name}${nodeText(nodes[node]!)}${more}\n`;
    if (isCut) return;
    isTold[node] = 1;
    if (!again && at < end) open.push({ at, end, indent });
  };
  for (const root of begins) {
    yield* tell(root, "", "", "");
    for (let level = open.at(-1); level !== undefined; level = open.at(-1)) {
      const { at, end, indent } = level;
      if (at === end) {
        open.pop();
        continue;
      }
      level.at++;
      const edge = edges[below.edges[at]!]!;
      const isLast = at + 1 === end;
      yield* tell(edge[far], `${indent}${isLast ? "└─ " : "├─ "}`, `${indent}${isLast ? "   " : "│  "}`, edge.label);
    }
  }
}

/** The graph for Graphviz. */
export function* dotLines({ title, nodes, edges }: Dag): Generator<string> {
  yield `digraph ${quoted(title)} {\n  rankdir=LR;\n  node [shape=box, fontname="sans-serif"];\n`;
  for (const [index, node] of nodes.entries()) {
    const style = node.isFailed
      ? ", color=red"
      : node.state === "hit" || node.state === "skipped"
        ? ", style=dashed"
        : "";
    yield `  n${index} [label=${quoted(nodeText(node).replaceAll("  ", "\n"))}, tooltip=${quoted(node.key ?? node.label)}${style}];\n`;
  }
  for (const { from, to, label } of edges)
    yield `  n${from} -> n${to}${label === "" ? "" : ` [label=${quoted(label)}]`};\n`;
  yield "}\n";
}

/** A string of DOT. */
function quoted(text: string): string {
  const lines = text.split("\n").map((line) => plain(line).replaceAll("\\", "\\\\").replaceAll('"', '\\"'));
  return `"${lines.join("\\n")}"`;
}

/** What `--json` prints of it: edges name nodes by their ids. */
export function dagData({ title, nodes, edges }: Dag): object {
  return {
    title,
    nodes: nodes.map(({ id, label, op, key, bytes, fuel, state, isFailed, receipt }) => ({
      id,
      label,
      op,
      key: key ?? null,
      bytes: bytes ?? null,
      fuel: fuel ?? null,
      state: state === "" ? null : state,
      failed: isFailed,
      receipt: Object.fromEntries(receipt),
    })),
    edges: edges.map(({ from, to, label }) => ({ from: nodes[from]!.id, to: nodes[to]!.id, label })),
  };
}
