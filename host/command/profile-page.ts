/**
 * The page that `--profile FILE.html` writes: a flame graph with all it needs inside, nothing of it from a network (spec
 * PROFILE-PAGE-1). Names of a guest reach the document as JSON and as text nodes only.
 */
import type { ProfileRow } from "../../vm/fuel-profile.ts";
import { readableName } from "./rust-names.ts";
import { plain } from "./terminal.ts";

/** The page, in pieces. The same rows and module give the same bytes. */
export function* profilePage(rows: readonly ProfileRow[], module: string): Generator<string> {
  const title = escapeHtml(`Fuel of ${plain(module)}`);
  yield `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>${title}</title>
<style>${STYLE}</style>
<h1>${title}</h1>
${BODY}<script type="application/json" id="data">
`;
  const numbers = new Map<string, number>();
  yield '{"rows":[';
  let separator = "\n";
  for (const { depth, name, fuel } of rows) {
    let number = numbers.get(name);
    if (number === undefined) numbers.set(name, (number = numbers.size));
    yield `${separator}${depth},${number},${fuel}`;
    separator = ",\n";
  }
  yield '],\n"names":[';
  separator = "\n";
  for (const name of numbers.keys()) {
    yield separator + JSON.stringify(plain(readableName(name))).replaceAll("<", "\\u003c");
    separator = ",\n";
  }
  yield `]}
</script>\n<script>${SCRIPT}</script>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1c1917; --paper: #fafaf9; --quiet: #57534e; --line: #d6d3d1; --hit: #7c3aed; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #f5f5f4; --paper: #1c1917; --quiet: #a8a29e; --line: #44403c; --hit: #a78bfa; }
}
body { margin: 1rem; font: 14px/1.4 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
h1 { margin: 0 0 .5rem; font-size: 1.15rem; overflow-wrap: anywhere; }
h2 { margin: 1.5rem 0 .5rem; font-size: 1rem; }
p { margin: .25rem 0; }
.quiet { color: var(--quiet); }
form { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; margin: .5rem 0; }
input { width: 18rem; }
input, button { font: inherit; }
#graph { position: relative; border: 1px solid var(--line); overflow: hidden; }
#graph:focus-visible { outline: 2px solid var(--hit); outline-offset: 2px; }
.frame { position: absolute; box-sizing: border-box; height: 18px; padding: 0 3px; border: solid var(--paper); border-width: 0 1px 1px 0;
  overflow: hidden; white-space: nowrap; text-overflow: ellipsis; font: 12px/17px ui-monospace, monospace; color: #1c1917; cursor: pointer; }
.frame.narrow { padding: 0; border-right-width: 0; }
.frame.above { opacity: .55; }
.frame.hit { background: var(--hit) !important; color: #fff; }
.frame.current { outline: 2px solid var(--ink); outline-offset: -2px; }
#status { min-height: 2.8em; overflow-wrap: anywhere; }
#tip { position: fixed; z-index: 1; max-width: 40rem; padding: .3rem .5rem; border-radius: 4px; pointer-events: none;
  overflow-wrap: anywhere; color: var(--paper); background: var(--ink); }
table { border-collapse: collapse; }
th, td { padding: .1rem .75rem .1rem 0; text-align: right; font-variant-numeric: tabular-nums; }
th:last-child, td:last-child { text-align: left; overflow-wrap: anywhere; }
td:last-child { font-family: ui-monospace, monospace; font-size: 12px; }
`;

const BODY = `<p id="total"></p>
<form id="search" role="search">
<label for="query">Search</label>
<input id="query" type="search" autocomplete="off" spellcheck="false">
<button type="button" id="reset">Whole graph</button>
<output id="found"></output>
</form>
<div id="graph" role="tree" tabindex="0" aria-label="Flame graph: each function stands below its caller" aria-describedby="keys"></div>
<p id="status" role="status"></p>
<p id="keys" class="quiet">Click or Enter: zoom. Arrows: caller, callee, neighbours. Escape: back to the whole graph. /: search.</p>
<div id="tip" hidden></div>
<h2>Functions</h2>
<p id="listed" class="quiet"></p>
<table><thead><tr><th scope="col">own fuel</th><th scope="col">share</th><th scope="col">with callees</th><th scope="col">share</th><th scope="col">function</th></tr></thead>
<tbody id="functions"></tbody></table>
`;

/** Written for browsers of the last years; no build step touches it. */
const SCRIPT = String.raw`
"use strict";
const ROW = 18, LISTED = 100;
const byId = (id) => document.getElementById(id);
const { rows, names } = JSON.parse(byId("data").textContent);
const graph = byId("graph"), tip = byId("tip");

// The tree. "total" is a frame's own fuel and that of its callees; they stand behind it, so one pass from the end adds up.
const nodes = [{ name: "all", depth: 0, own: 0, total: 0, callees: [] }];
const open = [nodes[0]];
for (let at = 0; at < rows.length; at += 3) {
  const depth = rows[at], caller = open[depth - 1];
  const node = { name: names[rows[at + 1]], depth, own: rows[at + 2], total: 0, callees: [], caller, place: caller.callees.length };
  caller.callees.push(node);
  open[depth] = node;
  nodes.push(node);
}
for (let at = nodes.length - 1; at >= 0; at--) {
  nodes[at].total += nodes[at].own;
  if (at > 0) nodes[at].caller.total += nodes[at].total;
}
const root = nodes[0];

const count = (fuel) => String(fuel).replace(/\B(?=(\d{3})+$)/g, ",");
const share = (fuel) => (root.total === 0 ? "0" : ((100 * fuel) / root.total).toFixed(2)) + " %";
const text = (node) =>
  node.name + ": " + count(node.total) + " units of fuel, " + share(node.total) + "; own " + count(node.own) + ", " + share(node.own);

function colour(name) {
  let hash = 2166136261;
  for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 16777619);
  hash >>>= 0;
  return "hsl(" + (18 + (hash % 40)) + " " + (62 + ((hash >>> 8) % 30)) + "% " + (62 + ((hash >>> 16) % 14)) + "%)";
}

let zoomed = root, current = root, query = "";
const shown = new Map();

function isHit(node) {
  return query !== "" && node !== root && node.name.toLowerCase().includes(query);
}

function draw() {
  const width = graph.clientWidth, scale = zoomed.total === 0 ? 0 : width / zoomed.total;
  const pieces = document.createDocumentFragment();
  let deepest = zoomed.depth;
  shown.clear();
  const add = (node, left, wide, above) => {
    const div = document.createElement("div");
    div.className = "frame" + (wide < 8 ? " narrow" : "") + (above ? " above" : "") + (isHit(node) ? " hit" : "");
    div.style.cssText = "left:" + left + "px;width:" + wide + "px;top:" + node.depth * ROW + "px;background:" + colour(node.name);
    if (wide > 24) div.textContent = node.name;
    div.id = "frame" + shown.size;
    div.setAttribute("role", "treeitem");
    div.setAttribute("aria-level", node.depth + 1);
    div.setAttribute("aria-label", text(node));
    div.node = node;
    shown.set(node, div);
    pieces.append(div);
    if (node.depth > deepest) deepest = node.depth;
  };
  for (let node = zoomed.caller; node; node = node.caller) add(node, 0, width, true);
  const waiting = [[zoomed, 0]];
  while (waiting.length > 0) {
    const [node, left] = waiting.pop();
    add(node, left, node === zoomed ? width : node.total * scale, false);
    let at = left;
    for (const callee of node.callees) {
      // What is less than a pixel wide has callees that are no wider.
      if (callee.total * scale >= 1) waiting.push([callee, at]);
      at += callee.total * scale;
    }
  }
  graph.style.height = (deepest + 1) * ROW + "px";
  graph.replaceChildren(pieces);
  select(shown.has(current) ? current : zoomed);
}

function select(node) {
  shown.get(current)?.classList.remove("current");
  current = node;
  const div = shown.get(node);
  div.classList.add("current");
  graph.setAttribute("aria-activedescendant", div.id);
  byId("status").textContent = text(node);
}

function zoom(node) {
  zoomed = current = node;
  draw();
}

function search(value) {
  query = value.toLowerCase();
  let fuel = 0;
  // A hit within a hit is counted once.
  const waiting = [root];
  while (waiting.length > 0) {
    const node = waiting.pop();
    if (isHit(node)) fuel += node.total;
    else for (const callee of node.callees) waiting.push(callee);
  }
  byId("found").textContent = query === "" ? "" : count(fuel) + " units of fuel, " + share(fuel);
  draw();
}

const nodeOf = (event) => event.target.closest?.(".frame")?.node;
graph.addEventListener("click", (event) => {
  const node = nodeOf(event);
  if (node) zoom(node);
});
graph.addEventListener("mousemove", (event) => {
  const node = nodeOf(event);
  tip.hidden = !node;
  if (!node) return;
  tip.textContent = text(node);
  tip.style.left = Math.max(0, Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8)) + "px";
  tip.style.top = (event.clientY + 18 + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 8 : event.clientY + 18) + "px";
});
graph.addEventListener("mouseleave", () => { tip.hidden = true; });

const widest = (nodes) => nodes.reduce((most, node) => (most && most.total >= node.total ? most : node), undefined);
function neighbour(step) {
  const all = current.caller?.callees ?? [];
  for (let at = current.place + step; all[at]; at += step) if (shown.has(all[at])) return all[at];
}
graph.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const moves = {
    ArrowUp: () => current.caller,
    ArrowDown: () => widest(current.callees.filter((node) => shown.has(node))),
    ArrowLeft: () => neighbour(-1),
    ArrowRight: () => neighbour(1),
    Home: () => root,
  };
  if (Object.hasOwn(moves, event.key)) {
    const node = moves[event.key]();
    if (node) {
      select(node);
      shown.get(node).scrollIntoView({ block: "nearest" });
    }
  } else if (event.key === "Enter" || event.key === " ") zoom(current);
  else return;
  event.preventDefault();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    byId("query").value = query = "";
    byId("found").textContent = "";
    zoom(root);
  } else if (event.key === "/" && event.target !== byId("query")) {
    byId("query").focus();
    event.preventDefault();
  }
});
byId("query").addEventListener("input", (event) => search(event.target.value));
byId("search").addEventListener("submit", (event) => event.preventDefault());
byId("reset").addEventListener("click", () => zoom(root));
addEventListener("resize", draw);

// Functions by their own fuel; a function that calls itself counts its callees once.
const functions = new Map();
const active = [];
for (const node of nodes.slice(1)) {
  active.length = node.depth - 1;
  const entry = functions.get(node.name) ?? { name: node.name, own: 0, total: 0 };
  functions.set(node.name, entry);
  entry.own += node.own;
  if (!active.includes(entry)) entry.total += node.total;
  active.push(entry);
}
const listed = [...functions.values()].sort((a, b) => b.own - a.own || b.total - a.total || (a.name < b.name ? -1 : 1)).slice(0, LISTED);
for (const { name, own, total } of listed) {
  const line = document.createElement("tr");
  for (const value of [count(own), share(own), count(total), share(total), name]) {
    const cell = document.createElement("td");
    cell.textContent = value;
    line.append(cell);
  }
  byId("functions").append(line);
}
byId("listed").textContent = listed.length < functions.size ? "The " + listed.length + " of " + count(functions.size) + " with the most fuel of their own." : "By their own fuel.";
byId("total").textContent = count(root.total) + " units of fuel.";
draw();
`;
