/**
 * The page that `--html FILE` writes: a graph that is moved and zoomed, with all it needs inside, nothing of it from a network (spec
 * CLI-DAG-4). Names reach the document as JSON, as text nodes and as text of a canvas only.
 */
import { grouped } from "../quantities.ts";
import { plain } from "../terminal.ts";
import { type Dag, nodeText } from "./dag.ts";
import { COLUMN_WIDTH, type Layout, layOut, ROW_HEIGHT } from "./dag-layout.ts";

/** The page, in pieces. The same graph gives the same bytes. */
export function* dagPage(dag: Dag, layout: Layout = layOut(dag)): Generator<string> {
  const title = escapeHtml(plain(dag.title));
  const { nodes, edges } = dag;
  const about = `Graph of ${grouped(BigInt(nodes.length))} nodes and ${grouped(BigInt(edges.length))} edges`;
  yield `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>${title}</title>
<style>${STYLE}</style>
<header><h1>${title}</h1>
<p id="about">${about}</p>
${BODY}<script type="application/json" id="data">
`;
  yield `{"columnWidth":${COLUMN_WIDTH},"rowHeight":${ROW_HEIGHT},\n"nodes":[`;
  let separator = "\n";
  for (const [index, node] of nodes.entries()) {
    const { label, op, key, state, isFailed, receipt } = node;
    const facts = receipt.map(([name, value]) => [plain(name), plain(value)]);
    // What the page prints of it, then what it looks like.
    const texts = [nodeText(node), plain(label), plain(op), plain(key ?? ""), sizeText(node)];
    const row = [...texts, state, isFailed ? 1 : 0, layout.column[index], layout.y[index], facts];
    yield separator + json(row);
    separator = ",\n";
  }
  yield '],\n"edges":[';
  separator = "\n";
  for (const [index, { from, to, label }] of edges.entries()) {
    yield separator + json([from, to, plain(label), [...layout.lanes[index]!]]);
    separator = ",\n";
  }
  yield `]}
</script>\n<script>${SCRIPT}</script>
</html>
`;
}

/** JSON that ends no script. */
function json(value: unknown): string {
  return JSON.stringify(value).replaceAll("<", "\\u003c");
}

function sizeText({ bytes, fuel }: Dag["nodes"][number]): string {
  const facts = [
    bytes === undefined ? "" : `${grouped(BigInt(bytes))} B`,
    fuel === undefined ? "" : `fuel ${grouped(fuel)}`,
  ];
  return facts.filter((fact) => fact !== "").join(" · ");
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1c1917; --paper: #fafaf9; --quiet: #57534e; --line: #a8a29e; --box: #fff; --mark: #6d28d9;
  --input: #0369a1; --hit: #15803d; --executed: #b45309; --miss: #b45309; --skipped: #78716c; --blocked: #78716c; --failed: #b91c1c; --none: #57534e; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #f5f5f4; --paper: #1c1917; --quiet: #a8a29e; --line: #78716c; --box: #292524; --mark: #a78bfa;
    --input: #38bdf8; --hit: #4ade80; --executed: #fbbf24; --miss: #fbbf24; --skipped: #a8a29e; --blocked: #a8a29e; --failed: #f87171; --none: #a8a29e; }
}
* { box-sizing: border-box; }
html, body { height: 100%; }
body { margin: 0; padding: .75rem; display: flex; flex-direction: column; gap: .5rem; font: 14px/1.4 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
h1 { margin: 0; font-size: 1.15rem; overflow-wrap: anywhere; }
h2 { margin: 0 0 .25rem; font-size: 1rem; overflow-wrap: anywhere; }
h3 { margin: .75rem 0 .25rem; font-size: .9rem; }
p { margin: .15rem 0; }
.quiet { color: var(--quiet); }
form { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; margin: .25rem 0; }
input, button { font: inherit; color: inherit; }
main { flex: 1; min-height: 20rem; display: flex; gap: .75rem; }
#graph { flex: 1; min-width: 0; width: 0; height: 100%; border: 1px solid var(--line); cursor: grab; touch-action: none; }
#graph.moving { cursor: grabbing; }
#graph:focus-visible, button:focus-visible { outline: 2px solid var(--mark); outline-offset: 2px; }
aside { width: 24rem; overflow: auto; border: 1px solid var(--line); padding: .5rem .75rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem .75rem; margin: 0; }
dt { color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; font-family: ui-monospace, monospace; font-size: 12px; }
ul { list-style: none; margin: 0; padding: 0; }
li button { border: 0; background: none; padding: .1rem 0; text-align: left; text-decoration: underline; overflow-wrap: anywhere; cursor: pointer; }
#status { min-height: 1.4em; overflow-wrap: anywhere; }
@media (max-width: 50rem) { main { flex-direction: column; } #graph { width: 100%; min-height: 20rem; } aside { width: 100%; max-height: 40%; } }
`;

const BODY = `<form id="search" role="search">
<label for="query">Search</label>
<input id="query" type="search" autocomplete="off" spellcheck="false">
<button type="submit">Next</button>
<output id="found"></output>
<button type="button" id="in">Zoom in</button>
<button type="button" id="out">Zoom out</button>
<button type="button" id="whole">Whole graph</button>
</form></header>
<main>
<canvas id="graph" tabindex="0" role="application" aria-roledescription="graph" aria-labelledby="about" aria-describedby="keys"></canvas>
<aside id="details" aria-label="Receipt of the selected node">
<h2 id="name"></h2>
<dl id="facts"></dl>
<h3>Made of</h3>
<ul id="sources"></ul>
<h3>Used by</h3>
<ul id="users"></ul>
</aside>
</main>
<p id="status" role="status"></p>
<p id="keys" class="quiet">Drag: move. Wheel: zoom. Click: receipt. Arrows: what it is made of, what uses it, neighbours; with Shift: move. Plus, minus: zoom. 0: whole graph. /: search.</p>
`;

/** Written for browsers of the last years; no build step touches it. */
const SCRIPT = String.raw`
"use strict";
const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const WIDE = data.columnWidth - 52, HIGH = data.rowHeight - 16, LISTED = 100;
// From the first on all lines of a node can be read, from the second on its name, in larger letters.
const READABLE = 0.6, NAMED = 0.2, LEAST = 0.0005, MOST = 4;
const nodes = data.nodes.map(([text, label, op, key, size, state, failed, column, y, facts], index) =>
  ({ index, text, label, op, key, size, state, failed, column, x: column * data.columnWidth, y, facts, sources: [], users: [] }));
const columns = [];
for (const node of nodes) (columns[node.column] ??= []).push(node);
for (const column of columns) column.sort((a, b) => a.y - b.y);
const width = (columns.length - 1) * data.columnWidth + WIDE;

// An edge is a line through its lanes, from the left to the right; one that closes a cycle goes back.
const edges = data.edges.map(([from, to, label, lanes]) => {
  const source = nodes[from], user = nodes[to];
  const back = source.column >= user.column && source !== user;
  const left = back ? user : source, right = back ? source : user;
  const points = [left.x + WIDE, left.y];
  lanes.forEach((y, k) => {
    const x = (left.column + 1 + k) * data.columnWidth;
    points.push(x, y, x + WIDE, y);
  });
  points.push(right.x, right.y);
  let top = points[1], bottom = points[1];
  for (let at = 3; at < points.length; at += 2) {
    if (points[at] < top) top = points[at];
    if (points[at] > bottom) bottom = points[at];
  }
  const edge = { source, user, label, points, back, top, bottom };
  user.sources.push(edge);
  source.users.push(edge);
  return edge;
});

const lowest = (most, edge) => Math.max(most, edge.bottom);
const height = Math.max(edges.reduce(lowest, 0), nodes.reduce((most, node) => Math.max(most, node.y + HIGH / 2), 0));

const canvas = byId("graph"), context = canvas.getContext("2d");
let view = { x: 0, y: 0, scale: 1 }, selected, colours = {}, asked = false;

function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["ink", "paper", "quiet", "line", "box", "mark", "input", "hit", "executed", "miss", "skipped", "blocked", "failed", "none"])
    colours[name] = style.getPropertyValue("--" + name).trim();
  redraw();
}

function redraw() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => { asked = false; draw(); });
}

function trace(edge, straight) {
  const { points } = edge;
  context.moveTo(points[0], points[1]);
  for (let at = 2; at < points.length; at += 2) {
    const x = points[at], y = points[at + 1];
    if (straight || points[at - 1] === y) context.lineTo(x, y);
    else {
      const middle = (points[at - 2] + x) / 2;
      context.bezierCurveTo(middle, points[at - 1], middle, y, x, y);
    }
  }
}

const fitted = new Map();
function fit(text, font) {
  const name = font + "\n" + text;
  let short = fitted.get(name);
  if (short !== undefined) return short;
  short = text;
  if (context.measureText(text).width > WIDE - 16) {
    let least = 0, most = text.length;
    while (least < most) {
      const middle = (least + most + 1) >> 1;
      if (context.measureText(text.slice(0, middle) + "…").width > WIDE - 16) most = middle - 1;
      else least = middle;
    }
    short = text.slice(0, least) + "…";
  }
  if (fitted.size > 20000) fitted.clear();
  fitted.set(name, short);
  return short;
}

const colourOf = (node) => colours[node.failed ? "failed" : node.state || "none"];

function draw() {
  const ratio = devicePixelRatio || 1, wide = canvas.clientWidth, high = canvas.clientHeight;
  if (canvas.width !== Math.round(wide * ratio) || canvas.height !== Math.round(high * ratio)) {
    canvas.width = Math.round(wide * ratio);
    canvas.height = Math.round(high * ratio);
  }
  const { x, y, scale } = view;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = colours.paper;
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.setTransform(scale * ratio, 0, 0, scale * ratio, x * ratio, y * ratio);
  const left = -x / scale, top = -y / scale, right = (wide - x) / scale, bottom = (high - y) / scale;

  const isShown = ({ points, top: above, bottom: below }) =>
    points[0] <= right && points[points.length - 2] >= left && above <= bottom && below >= top;
  const straight = scale < 0.15;
  for (const back of [false, true]) {
    context.beginPath();
    for (const edge of edges) if (edge.back === back && isShown(edge)) trace(edge, straight);
    context.setLineDash(back ? [6 / scale, 4 / scale] : []);
    context.lineWidth = Math.max(1.25, 0.6 / scale);
    context.globalAlpha = straight ? 0.35 : 0.8;
    context.strokeStyle = colours.line;
    context.stroke();
  }
  context.globalAlpha = 1;
  context.setLineDash([]);
  if (selected) {
    context.beginPath();
    for (const edge of selected.sources) trace(edge, straight);
    for (const edge of selected.users) trace(edge, straight);
    context.lineWidth = Math.max(2, 1.5 / scale);
    context.strokeStyle = colours.mark;
    context.stroke();
  }

  const first = Math.max(0, Math.floor((left - WIDE) / data.columnWidth));
  const last = Math.min(columns.length - 1, Math.floor(right / data.columnWidth));
  const least = 1.5 / scale;
  let drawn = 0;
  for (let at = first; at <= last; at++) {
    const column = columns[at];
    let low = 0, end = column.length;
    while (low < end) {
      const middle = (low + end) >> 1;
      if (column[middle].y + HIGH / 2 < top) low = middle + 1;
      else end = middle;
    }
    for (let k = low; k < column.length && column[k].y - HIGH / 2 <= bottom; k++) {
      drawn++;
      drawNode(column[k], scale, least);
    }
  }
  // What tests and scripts may look at.
  canvas.dataset.view = [x, y, scale].map((value) => Math.round(value * 1e4) / 1e4).join(" ");
  canvas.dataset.drawn = drawn;
}

function drawNode(node, scale, least) {
  const colour = colourOf(node), top = node.y - HIGH / 2;
  if (scale < NAMED) {
    context.fillStyle = node === selected ? colours.mark : colour;
    context.fillRect(node.x, top, Math.max(WIDE, least), Math.max(HIGH, least));
    return;
  }
  context.fillStyle = colours.box;
  context.fillRect(node.x, top, WIDE, HIGH);
  context.fillStyle = colour;
  context.fillRect(node.x, top, 4, HIGH);
  context.lineWidth = (node === selected ? 2 : 1) / Math.min(1, scale);
  context.strokeStyle = node === selected ? colours.mark : colour;
  context.setLineDash(["skipped", "blocked", "miss"].includes(node.state) ? [5, 3] : []);
  context.strokeRect(node.x + 0.5, top + 0.5, WIDE - 1, HIGH - 1);
  context.setLineDash([]);
  const name = node.label === "" ? node.op : node.label;
  const line = (text, font, colour, at) => {
    context.font = font;
    context.fillStyle = colour;
    context.fillText(fit(text, font), node.x + 11, top + at);
  };
  if (scale < READABLE) {
    const size = Math.min(34, Math.round(11 / scale));
    return line(name, "600 " + size + "px system-ui, sans-serif", colour, HIGH / 2 + size * 0.35);
  }
  const state = node.failed ? "failed" : node.state;
  line(name, "600 13px system-ui, sans-serif", colours.ink, 15);
  line([node.op === node.label ? "" : node.op, node.key.replace(/^([a-z0-9-]+:)?(.{8}).*/, "$2")].filter(Boolean).join(" · "), "11px ui-monospace, monospace", colours.quiet, 29);
  line([state, node.size].filter(Boolean).join(" · "), "11px system-ui, sans-serif", colour, 42);
}

function bound(scale) {
  return Math.min(MOST, Math.max(LEAST, scale));
}

function zoomAt(x, y, factor) {
  const scale = bound(view.scale * factor), ratio = scale / view.scale;
  view = { x: x - (x - view.x) * ratio, y: y - (y - view.y) * ratio, scale };
  redraw();
}

const zoomMiddle = (factor) => zoomAt(canvas.clientWidth / 2, canvas.clientHeight / 2, factor);

function wholeScale() {
  return bound(Math.min(1, (canvas.clientWidth - 24) / width, (canvas.clientHeight - 24) / height));
}

function showWhole() {
  const scale = wholeScale();
  view = { x: (canvas.clientWidth - width * scale) / 2, y: (canvas.clientHeight - height * scale) / 2, scale };
  redraw();
}

function centre(node, scale) {
  view = { x: canvas.clientWidth / 2 - (node.x + WIDE / 2) * scale, y: canvas.clientHeight / 2 - node.y * scale, scale };
  redraw();
}

/** Moves the view as little as shows all of the node. */
function reveal(node) {
  const { scale } = view, margin = 12;
  if (scale < READABLE) return centre(node, Math.max(scale, 0.8));
  const left = node.x * scale + view.x, top = (node.y - HIGH / 2) * scale + view.y;
  const right = left + WIDE * scale, bottom = top + HIGH * scale;
  if (left < margin) view.x += margin - left;
  else if (right > canvas.clientWidth - margin) view.x -= right - canvas.clientWidth + margin;
  if (top < margin) view.y += margin - top;
  else if (bottom > canvas.clientHeight - margin) view.y -= bottom - canvas.clientHeight + margin;
  redraw();
}

function nodeAt(x, y) {
  const worldX = (x - view.x) / view.scale, worldY = (y - view.y) / view.scale;
  // A finger's or pointer's breadth around nodes that are small.
  const slack = Math.max(0, 4 / view.scale - 4);
  const column = columns[Math.floor((worldX + slack) / data.columnWidth)];
  if (!column) return undefined;
  let best;
  for (const node of column) {
    const away = Math.abs(node.y - worldY);
    if (away <= HIGH / 2 + slack && worldX <= node.x + WIDE + slack && (!best || away < Math.abs(best.y - worldY))) best = node;
  }
  return best;
}

function linkTo(edge, node) {
  const item = document.createElement("li"), button = document.createElement("button");
  button.type = "button";
  button.textContent = (edge.label === "" ? "" : edge.label + ": ") + node.text;
  button.addEventListener("click", () => { select(node); reveal(node); });
  item.append(button);
  return item;
}

function list(id, links, end) {
  const shown = links.slice(0, LISTED).map((edge) => linkTo(edge, edge[end]));
  if (links.length === 0 || links.length > LISTED) {
    const more = document.createElement("li");
    more.textContent = links.length === 0 ? "nothing" : "and " + (links.length - LISTED) + " more";
    shown.push(more);
  }
  byId(id).replaceChildren(...shown);
}

function select(node) {
  selected = node;
  byId("name").textContent = node.label === "" ? node.op : node.label;
  const rows = [];
  const facts = [["op", node.op], ["state", node.failed ? (node.state === "" ? "failed" : node.state + ", failed") : node.state], ["key", node.key], ["size", node.size], ...node.facts];
  for (const [name, value] of facts) {
    if (value === "") continue;
    const term = document.createElement("dt"), text = document.createElement("dd");
    term.textContent = name;
    text.textContent = value;
    rows.push(term, text);
  }
  byId("facts").replaceChildren(...rows);
  list("sources", node.sources, "source");
  list("users", node.users, "user");
  byId("status").textContent = node.text;
  redraw();
}

// Pointers: one drags, two zoom.
const pointers = new Map();
let moved = 0;
const place = (event) => {
  const { left, top } = canvas.getBoundingClientRect();
  return { x: event.clientX - left - canvas.clientLeft, y: event.clientY - top - canvas.clientTop };
};
canvas.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  canvas.setPointerCapture(event.pointerId);
  if (pointers.size === 0) moved = 0;
  pointers.set(event.pointerId, place(event));
  canvas.classList.add("moving");
});
canvas.addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  const now = place(event);
  const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
  if (other) {
    const distance = (point) => Math.hypot(point.x - other.x, point.y - other.y);
    zoomAt((now.x + other.x) / 2, (now.y + other.y) / 2, Math.max(1, distance(now)) / Math.max(1, distance(before)));
    moved = Infinity;
  } else {
    moved += Math.abs(now.x - before.x) + Math.abs(now.y - before.y);
    view = { ...view, x: view.x + now.x - before.x, y: view.y + now.y - before.y };
    redraw();
  }
  pointers.set(event.pointerId, now);
});
const release = (event) => {
  if (!pointers.delete(event.pointerId)) return;
  canvas.classList.remove("moving");
  if (event.type !== "pointerup" || moved > 4) return;
  const { x, y } = place(event), node = nodeAt(x, y);
  if (node) select(node);
};
canvas.addEventListener("pointerup", release);
canvas.addEventListener("pointercancel", release);
canvas.addEventListener("wheel", (event) => {
  const { x, y } = place(event);
  const lines = event.deltaMode === 1 ? 16 : 1;
  zoomAt(x, y, Math.exp(-Math.max(-200, Math.min(200, event.deltaY * lines)) / 400));
  event.preventDefault();
}, { passive: false });

function neighbour(node, step) {
  const column = columns[node.column];
  return column[column.indexOf(node) + step];
}
/** The one of them that is nearest in height. */
function nearest(node, links, end) {
  let best;
  for (const edge of links)
    if (edge[end] !== node && (!best || Math.abs(edge[end].y - node.y) < Math.abs(best.y - node.y))) best = edge[end];
  return best;
}
canvas.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const step = 80;
  const pans = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
  const moves = {
    ArrowLeft: () => nearest(selected, selected.sources, "source"),
    ArrowRight: () => nearest(selected, selected.users, "user"),
    ArrowUp: () => neighbour(selected, -1),
    ArrowDown: () => neighbour(selected, 1),
    Home: () => columns[0][0],
    End: () => columns[columns.length - 1][0],
  };
  const acts = { "+": () => zoomMiddle(1.25), "=": () => zoomMiddle(1.25), "-": () => zoomMiddle(0.8), 0: showWhole, Enter: () => byId("sources").querySelector("button")?.focus() };
  if (event.shiftKey && Object.hasOwn(pans, event.key)) {
    const [x, y] = pans[event.key];
    view = { ...view, x: view.x + x, y: view.y + y };
    redraw();
  } else if (selected && Object.hasOwn(moves, event.key)) {
    const node = moves[event.key]();
    if (node) {
      select(node);
      reveal(node);
    }
  } else if (Object.hasOwn(acts, event.key)) acts[event.key]();
  else return;
  event.preventDefault();
});

let hits = [], hit = -1;
function search() {
  const query = byId("query").value.toLowerCase();
  hits = query === "" ? [] : nodes.filter((node) => (node.text + "\n" + node.key).toLowerCase().includes(query));
  hit = -1;
  byId("found").textContent = query === "" ? "" : hits.length === 1 ? "1 node" : hits.length + " nodes";
}
byId("query").addEventListener("input", search);
byId("search").addEventListener("submit", (event) => {
  event.preventDefault();
  if (hits.length === 0) return;
  hit = (hit + 1) % hits.length;
  byId("found").textContent = hit + 1 + " of " + hits.length;
  select(hits[hit]);
  reveal(hits[hit]);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && event.target !== byId("query")) {
    byId("query").focus();
    event.preventDefault();
  } else if (event.key === "Escape") canvas.focus();
});
byId("in").addEventListener("click", () => zoomMiddle(1.25));
byId("out").addEventListener("click", () => zoomMiddle(0.8));
byId("whole").addEventListener("click", showWhole);
addEventListener("resize", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", readColours);

readColours();
if (nodes.length > 0) {
  select(nodes.find((node) => node.failed) ?? columns[columns.length - 1][0]);
  if (wholeScale() >= 0.25) showWhole();
  else centre(selected, 0.8);
}
`;
