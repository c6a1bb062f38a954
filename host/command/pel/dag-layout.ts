/**
 * Where the nodes of a graph are drawn: in columns, each right of all that it is made of, so that edges run from left to right. After
 * Sugiyama: columns, their order by barycentres, and places in them that are nearest to those of neighbours.
 */
import { adjacency, type Dag, type Ends } from "./dag.ts";

/** In pixels of the page. */
export const COLUMN_WIDTH = 260;
export const ROW_HEIGHT = 64;
/** What an edge takes that passes through a column. */
const LANE_HEIGHT = 12;

/** Fewest rows of the highest column: wider graphs get more columns, so that they are about as wide as high. */
const FEWEST_ROWS = 24;
const ROWS_BY_ROOT = 1.6;
/** Edges pass through columns in lanes of their own, short ones first, as long as there are not more lanes than this a node. */
const LANES_A_NODE = 3;
const ORDER_SWEEPS = 8;
const PLACE_SWEEPS = 12;

export interface Layout {
  /** Column of each node. */
  readonly column: Int32Array;
  /** Middle of each node, in pixels below the top. */
  readonly y: Float64Array;
  /** Of each edge the places of its lanes, by column from `from` to `to`; of short ones, and of those without lanes, none. */
  readonly lanes: readonly Int32Array[];
}

const NO_LANES = new Int32Array(0);

/** The same graph has the same layout. */
export function layOut(dag: Dag): Layout {
  const count = dag.nodes.length;
  const edges = withoutCycles(dag);
  const column = columnsOf(count, edges);
  // Nodes and lanes are items alike from here on.
  const columnOf = [...column];
  const links: Ends[] = [];
  const lanes: Int32Array[] = edges.map(() => NO_LANES);
  let left = LANES_A_NODE * count;
  const span = ({ from, to }: Ends): number => column[to]! - column[from]!;
  const byLength = [...edges.keys()].sort((a, b) => span(edges[a]!) - span(edges[b]!) || a - b);
  for (const place of byLength) {
    const { from, to } = edges[place]!;
    const between = span(edges[place]!) - 1;
    if (between < 1 || between > left) {
      if (between >= 0) links.push({ from, to });
      continue;
    }
    left -= between;
    const chain = Int32Array.from({ length: between }, (_, k) => columnOf.push(column[from]! + 1 + k) - 1);
    lanes[place] = chain;
    for (let k = 0; k <= between; k++) links.push({ from: chain[k - 1] ?? from, to: chain[k] ?? to });
  }
  const before = adjacency(columnOf.length, links, "to");
  const after = adjacency(columnOf.length, links, "from");
  const neighbours = (item: number, side: "before" | "after"): number[] => {
    const { starts, edges: places } = side === "before" ? before : after;
    const found: number[] = [];
    for (let at = starts[item]!; at < starts[item + 1]!; at++)
      found.push(links[places[at]!]![side === "before" ? "from" : "to"]);
    return found;
  };
  const rows = ordered(columnOf, neighbours);
  const y = placed(rows, count, columnOf.length, neighbours);
  return { column, y: y.slice(0, count), lanes: lanes.map((chain) => chain.map((item) => Math.round(y[item]!))) };
}

/** The edges, those turned round that close a cycle. */
function withoutCycles(dag: Dag): Ends[] {
  const { nodes, edges } = dag;
  const after = adjacency(nodes.length, edges, "from");
  const ends: Ends[] = edges.map(({ from, to }) => ({ from, to }));
  /** 1: on the way from the root, 2: done. */
  const state = new Uint8Array(nodes.length);
  const next = after.starts.slice();
  for (const root of nodes.keys()) {
    if (state[root] !== 0) continue;
    const way = [root];
    state[root] = 1;
    for (let node = way.at(-1); node !== undefined; node = way.at(-1)) {
      if (next[node]! === after.starts[node + 1]) {
        state[node] = 2;
        way.pop();
        continue;
      }
      const place = after.edges[next[node]!++]!;
      const { to } = edges[place]!;
      if (state[to] === 1) ends[place] = { from: to, to: node };
      else if (state[to] === 0) {
        state[to] = 1;
        way.push(to);
      }
    }
  }
  return ends;
}

/** A column for each node, right of those before it; full ones are passed over. */
function columnsOf(count: number, edges: readonly Ends[]): Int32Array {
  const after = adjacency(count, edges, "from");
  const before = adjacency(count, edges, "to");
  const most = Math.max(FEWEST_ROWS, Math.ceil(ROWS_BY_ROOT * Math.sqrt(count)));
  const column = new Int32Array(count);
  const missing = new Int32Array(count);
  for (const { from, to } of edges) if (from !== to) missing[to]!++;
  const ready: number[] = [];
  for (let node = 0; node < count; node++) if (missing[node] === 0) ready.push(node);
  const filled: number[] = [];
  /** The next column that may have room; ways are made shorter as they are gone. */
  const onward: number[] = [];
  const withRoom = (wanted: number): number => {
    let at = wanted;
    while ((onward[at] ?? at) !== at) at = onward[at]!;
    for (let step = wanted; step !== at; ) {
      const next = onward[step] ?? step;
      onward[step] = at;
      step = next;
    }
    return at;
  };
  for (let k = 0; k < ready.length; k++) {
    const node = ready[k]!;
    const at = withRoom(column[node]!);
    column[node] = at;
    filled[at] = (filled[at] ?? 0) + 1;
    if (filled[at] === most) onward[at] = at + 1;
    for (let place = after.starts[node]!; place < after.starts[node + 1]!; place++) {
      const { to } = edges[after.edges[place]!]!;
      if (to === node) continue;
      if (column[to]! <= at) column[to] = at + 1;
      if (--missing[to]! === 0) ready.push(to);
    }
  }
  // What is made of nothing stands beside what first needs it, where there is room.
  for (let node = 0; node < count; node++) {
    if (before.starts[node] !== before.starts[node + 1]) continue;
    let nearest = Number.POSITIVE_INFINITY;
    for (let place = after.starts[node]!; place < after.starts[node + 1]!; place++)
      nearest = Math.min(nearest, column[edges[after.edges[place]!]!.to]!);
    const at = nearest - 1;
    if (!(at > column[node]! && at < filled.length) || filled[at]! >= most) continue;
    filled[column[node]!]!--;
    filled[at]!++;
    column[node] = at;
  }
  // A column may have become empty by that.
  const number: number[] = [];
  let used = 0;
  for (const [at, held] of filled.entries()) number[at] = held > 0 ? used++ : used;
  return column.map((at) => number[at]!);
}

type Neighbours = (item: number, side: "before" | "after") => readonly number[];

/** The items of each column from top to bottom. */
function ordered(columnOf: readonly number[], neighbours: Neighbours): number[][] {
  const columns: number[][] = [];
  for (const [item, at] of columnOf.entries()) (columns[at] ??= []).push(item);
  const rank = new Float64Array(columnOf.length);
  const wanted = new Float64Array(columnOf.length);
  const number = (items: readonly number[]): void => {
    for (const [k, item] of items.entries()) rank[item] = (k + 0.5) / items.length;
  };
  columns.forEach(number);
  for (let sweep = 0; sweep < ORDER_SWEEPS; sweep++) {
    const side = sweep % 2 === 0 ? "before" : "after";
    for (const items of side === "before" ? columns : columns.toReversed()) {
      for (const item of items) {
        const found = neighbours(item, side);
        wanted[item] =
          found.length === 0 ? rank[item]! : found.reduce((sum, other) => sum + rank[other]!, 0) / found.length;
      }
      items.sort((a, b) => wanted[a]! - wanted[b]! || rank[a]! - rank[b]! || a - b);
      number(items);
    }
  }
  return columns;
}

/** Places in columns: in their order, not too near, and together as near as can be to those of neighbours. */
function placed(columns: readonly number[][], nodes: number, count: number, neighbours: Neighbours): Float64Array {
  const y = new Float64Array(count);
  const height = (item: number): number => (item < nodes ? ROW_HEIGHT : LANE_HEIGHT);
  for (const items of columns) {
    let at = -items.reduce((sum, item) => sum + height(item), 0) / 2;
    for (const item of items) {
      y[item] = at + height(item) / 2;
      at += height(item);
    }
  }
  for (let sweep = 0; sweep < PLACE_SWEEPS; sweep++) {
    const side = sweep % 2 === 0 ? "before" : "after";
    for (const items of side === "before" ? columns : columns.toReversed()) {
      const wanted = items.map((item) => {
        const found = neighbours(item, side);
        return found.length === 0 ? y[item]! : found.reduce((sum, other) => sum + y[other]!, 0) / found.length;
      });
      spread(items, wanted, height, y);
    }
  }
  const top = y.reduce((least, at) => Math.min(least, at), 0);
  return y.map((at) => Math.round(at - top));
}

/** Least squares with distances kept: neighbours that would be too near are moved as one (pool adjacent violators). */
function spread(
  items: readonly number[],
  wanted: readonly number[],
  height: (item: number) => number,
  y: Float64Array,
): void {
  const pools: { sum: number; count: number }[] = [];
  const offsets: number[] = [];
  let offset = 0;
  for (const [k, item] of items.entries()) {
    offset += k === 0 ? 0 : (height(items[k - 1]!) + height(item)) / 2;
    offsets.push(offset);
    let pool = { sum: wanted[k]! - offset, count: 1 };
    for (
      let last = pools.at(-1);
      last !== undefined && last.sum / last.count > pool.sum / pool.count;
      last = pools.at(-1)
    ) {
      pools.pop();
      pool = { sum: last.sum + pool.sum, count: last.count + pool.count };
    }
    pools.push(pool);
  }
  let k = 0;
  for (const { sum, count } of pools)
    for (const end = k + count; k < end; k++) y[items[k]!] = sum / count + offsets[k]!;
}
