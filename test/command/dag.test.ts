/** Graphs as text, DOT, JSON, and as a page in a browser. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import t, { type Test } from "tap";
import type { Program } from "../../host/command/command.ts";
import { ASHLAR } from "../../host/command/commands.ts";
import { type Dag, type DagNode, dagData, dotLines, treeLines } from "../../host/command/pel/dag.ts";
import { layOut, ROW_HEIGHT } from "../../host/command/pel/dag-layout.ts";
import { dagPage } from "../../host/command/pel/dag-page.ts";
import { writePage } from "../../host/command/pel/show.ts";
import { Random } from "../vm/random.ts";
import { runInProcess } from "./in-process.ts";

const EVIL = `</script><script>globalThis.evil=1</script><img src=x onerror="globalThis.evil=1">&lt;"'\`\${1}<!--\u2028\u202e\n\u001b[31m`;

function keyOf(k: number): string {
  return `sha256:${k.toString(16).padStart(8, "0").repeat(8)}`;
}

function node(id: string, given: Partial<DagNode> = {}): DagNode {
  const none = { key: undefined, bytes: undefined, fuel: undefined, state: "", isFailed: false, receipt: [] } as const;
  return { id, label: id, op: "concat", ...none, ...given };
}

/** Two inputs, `both` and `again` made of them, `end` of those; the second input is used twice. */
const DIAMOND: Dag = {
  title: "diamond",
  nodes: [
    node("a", { op: "input", state: "input", key: keyOf(1), bytes: 1234 }),
    node("b", { op: "input", state: "input", key: keyOf(2), bytes: 0 }),
    node("both", { state: "hit", fuel: 2n ** 62n, key: keyOf(3), bytes: 12 }),
    node("again", { op: "again", state: "executed" }),
    node("end", { op: "guest", isFailed: true, state: "executed", receipt: [["outcome", "trap Unreachable"]] }),
  ],
  edges: [
    { from: 0, to: 2, label: "" },
    { from: 1, to: 2, label: "" },
    { from: 2, to: 3, label: "left" },
    { from: 2, to: 3, label: "right" },
    { from: 3, to: 4, label: "table" },
    { from: 1, to: 4, label: "" },
  ],
};

/** `count` nodes, each of which but the first tenth takes up to three of those before it. */
function randomDag(count: number, seed: number, isCyclic = false): Dag {
  const random = new Random(seed);
  const nodes = Array.from({ length: count }, (_, k) => node(`n${k}`, { key: keyOf(k), bytes: k, fuel: BigInt(k) }));
  const edges = nodes.flatMap((_, to) =>
    to < count / 10
      ? []
      : Array.from({ length: random.below(4) }, (_, k) => ({
          from: random.below(isCyclic ? count : to),
          to,
          label: `${k}`,
        })),
  );
  return { title: `${count} nodes`, nodes, edges };
}

const lines = (text: Iterable<string>): string[] => [...text].join("").split("\n").slice(0, -1);

t.test("[CLI-DAG-1] a tree of text: what a node is made of, or what is made of it", (t) => {
  t.strictSame(lines(treeLines(DIAMOND, { direction: "back", depth: 9 })), [
    "end  guest  failed",
    "├─ table: again  executed",
    "│  ├─ left: both  concat  sha256:000000030000…  12 bytes  fuel 4,611,686,018,427,387,904  hit",
    "│  │  ├─ a  input  sha256:000000010000…  1,234 bytes  input",
    "│  │  └─ b  input  sha256:000000020000…  0 bytes  input",
    "│  └─ right: both  concat  sha256:000000030000…  12 bytes  fuel 4,611,686,018,427,387,904  hit  (above)",
    "└─ b  input  sha256:000000020000…  0 bytes  input",
  ]);
  t.strictSame(lines(treeLines(DIAMOND, { direction: "back", depth: 1 })), [
    "end  guest  failed",
    "├─ table: again  executed  (more below)",
    "└─ b  input  sha256:000000020000…  0 bytes  input",
  ]);
  const forward = lines(treeLines(DIAMOND, { direction: "forward", roots: [1], depth: 9 }));
  t.match(forward, [
    /^b /,
    /^├─ both /,
    /^│ {2}├─ left: again /,
    /^│ {2}│ {2}└─ table: end /,
    /right: again.*above/,
    /^└─ end /,
  ]);
  const cycle: Dag = {
    title: "",
    nodes: [node("x"), node("y")],
    edges: [
      { from: 0, to: 1, label: "" },
      { from: 1, to: 0, label: "" },
      { from: 1, to: 1, label: EVIL },
    ],
  };
  const told = lines(treeLines(cycle, { direction: "back", roots: [0], depth: 99 }));
  t.equal(told.length, 4);
  t.notOk(["\u001b", "\u2028", "\u202e"].some((character) => told.join("").includes(character)));
  t.match(told.join(""), /x {2}concat {2}\(above\)/);
  const deep: Dag = {
    title: "",
    nodes: Array.from({ length: 50_000 }, (_, k) => node(`${k}`)),
    edges: Array.from({ length: 49_999 }, (_, k) => ({ from: k, to: k + 1, label: "" })),
  };
  t.equal(lines(treeLines(deep, { direction: "back", depth: 40 })).length, 41);
  t.end();
});

t.test("[CLI-DAG-2] DOT, with every name quoted", (t) => {
  const dag: Dag = {
    title: 'a"b\\',
    nodes: [node('"]; evil [', { state: "hit" }), node("n\n\\", { isFailed: true })],
    edges: [{ from: 0, to: 1, label: '"' }],
  };
  t.strictSame(lines(dotLines(dag)), [
    'digraph "a\\"b\\\\" {',
    "  rankdir=LR;",
    '  node [shape=box, fontname="sans-serif"];',
    '  n0 [label="\\"]; evil [\\nconcat\\nhit", tooltip="\\"]; evil [", style=dashed];',
    '  n1 [label="n\\\\u{a}\\\\\\nconcat\\nfailed", tooltip="n\\n\\\\", color=red];',
    '  n0 -> n1 [label="\\""];',
    "}",
  ]);
  t.end();
});

t.test("[CLI-DAG-3] JSON tells all of it", (t) => {
  const { nodes, edges } = dagData(DIAMOND) as { nodes: object[]; edges: object[] };
  t.strictSame(nodes[4], {
    ...{ id: "end", label: "end", op: "guest", key: null, bytes: null, fuel: null, state: "executed", failed: true },
    receipt: { outcome: "trap Unreachable" },
  });
  t.strictSame(edges[4], { from: "again", to: "end", label: "table" });
  t.end();
});

t.test("[CLI-DAG-4] in the layout edges run to the right, nodes stand apart, and equal graphs look alike", (t) => {
  const wide: Dag = {
    title: "wide",
    nodes: Array.from({ length: 4_001 }, (_, k) => node(`${k}`)),
    edges: Array.from({ length: 4_000 }, (_, k) => ({ from: k, to: 4_000, label: "" })),
  };
  const chain: Dag = { ...wide, edges: wide.edges.map(({ from }) => ({ from, to: from + 1, label: "" })) };
  const all = [DIAMOND, wide, chain, { title: "", nodes: [], edges: [] }, { ...DIAMOND, edges: [] }];
  for (let seed = 1; seed <= 30; seed++) all.push(randomDag(10 + seed * 7, seed, seed % 3 === 0));
  for (const [at, dag] of all.entries()) {
    const layout = layOut(dag);
    t.strictSame(layout, layOut(dag));
    const { column, y, lanes } = layout;
    const isAcyclic = at < 5 || (at - 4) % 3 !== 0;
    let wrong = 0;
    if (isAcyclic) for (const { from, to } of dag.edges) if (column[from]! >= column[to]!) wrong++;
    for (const [k, { from, to }] of dag.edges.entries())
      if (lanes[k]!.length > 0 && lanes[k]!.length !== Math.abs(column[to]! - column[from]!) - 1) wrong++;
    const columns = new Map<number, number[]>();
    for (const [k, at] of column.entries()) columns.set(at, [...(columns.get(at) ?? []), y[k]!]);
    for (const places of columns.values()) {
      places.sort((a, b) => a - b);
      for (let k = 1; k < places.length; k++) if (places[k]! - places[k - 1]! < ROW_HEIGHT - 1) wrong++;
    }
    t.strictSame(
      [...columns.keys()].sort((a, b) => a - b),
      [...columns.keys()].map((_, k) => k),
      "no column is empty",
    );
    t.equal(wrong, 0, dag.title);
    if (dag === wide) t.ok(columns.size > 10 && columns.size < 100, `as wide as high: ${columns.size} columns`);
    if (dag === chain) t.equal(columns.size, 4_001);
  }
  const diamond = layOut(DIAMOND);
  t.strictSame([...diamond.column], [0, 0, 1, 2, 3]);
  t.end();
});

// ---- the page

const HOSTILE: Dag = {
  title: EVIL,
  nodes: [
    node("0", { label: EVIL, op: EVIL, key: EVIL, state: "input" }),
    node("1", { label: `${EVIL}2`, receipt: [[EVIL, EVIL]] }),
  ],
  edges: [{ from: 0, to: 1, label: EVIL }],
};

t.test("[CLI-DAG-5] one file that asks for nothing; names stay text", (t) => {
  const text = [...dagPage(HOSTILE)].join("");
  t.equal(text.match(/<script/g)!.length, 2, "the data and the script");
  t.equal(text.match(/<img/g), null);
  t.notMatch(
    text.replace(/<meta.*>|"nodes":[\s\S]*?<\/script>/g, "").replace(/ src=x/g, ""),
    /\b(src|href|url|import|fetch|https?:)\b/,
  );
  t.match(
    text,
    /Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"/,
  );
  t.equal(text, [...dagPage(HOSTILE)].join(""));
  const file = join(t.testdir(), "page.html");
  const most = { ...HOSTILE, nodes: new Array(100_001).fill(HOSTILE.nodes[0]) };
  t.throws(() => writePage(file, most), { code: "CLI-PAGE", message: /100,001 nodes/ });
  t.throws(() => writePage(join(file, "x"), HOSTILE), { code: "CLI-PAGE" });
  t.notOk(existsSync(file));
  writePage(file, HOSTILE);
  t.equal(readFileSync(file, "utf8"), text);
  t.end();
});

const EXECUTABLE = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find((path) =>
  existsSync(path),
);
// Not so in CI, which installs one.
const skip = EXECUTABLE === undefined && process.env.CI === undefined ? "there is no Chromium" : false;

/** Opens a page; what goes wrong in it, and what it asks for, is told at the end. */
async function openFile(browser: Browser, file: string, colorScheme: "light" | "dark" = "light") {
  const page = await browser.newPage({ viewport: { width: 1200, height: 800 }, colorScheme });
  const heard: string[] = [];
  page.on("pageerror", ({ message }) => heard.push(message));
  page.on("console", (message) => heard.push(message.text()));
  page.on("dialog", (dialog) => heard.push(dialog.message()));
  page.on("request", (request) => heard.push(request.url()));
  const address = pathToFileURL(file).href;
  await page.goto(address);
  await page.waitForSelector("#graph[data-view]");
  const close = async (t: Test): Promise<void> => {
    await page.close();
    t.strictSame(heard, [address], "errors and requests");
  };
  return { page, close };
}

function open(t: Test, browser: Browser, dag: Dag, colorScheme: "light" | "dark" = "light") {
  const file = join(t.testdir(), "graph.html");
  writeFileSync(file, [...dagPage(dag)].join(""));
  return openFile(browser, file, colorScheme);
}

async function viewOf(page: Page): Promise<[number, number, number]> {
  // What was asked for is drawn in the next frame.
  await page.evaluate("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))");
  return (await page.getAttribute("#graph", "data-view"))!.split(" ").map(Number) as [number, number, number];
}

const nameOf = (page: Page): Promise<string> => page.innerText("#name");

t.test("in Chromium", { skip }, async (t) => {
  const browser = await chromium.launch({ executablePath: EXECUTABLE!, args: ["--no-sandbox", "--disable-gpu"] });
  t.teardown(() => browser.close());

  await t.test("[CLI-DAG-5, CLI-DAG-6] hostile names are shown, and do nothing", async (t) => {
    const { page, close } = await open(t, browser, HOSTILE);
    t.equal(await page.evaluate("globalThis.evil"), undefined);
    t.equal(await page.locator("img, main script").count(), 0);
    t.ok((await page.title()).startsWith("</script><script>"));
    t.match(await nameOf(page), /^<\/script><script>globalThis\.evil=1/);
    t.match(await page.innerText("#facts"), /onerror=/);
    await page.locator("#sources button").click();
    await page.fill("#query", EVIL.split("\n")[0]!.slice(0, 40));
    t.equal(await page.innerText("#found"), "2 nodes");
    t.equal(await page.evaluate("globalThis.evil"), undefined);
    await close(t);
  });

  await t.test("[CLI-DAG-6] it is moved and zoomed; a click shows the receipt", async (t) => {
    const { page, close } = await open(t, browser, DIAMOND);
    t.equal(await nameOf(page), "end", "what failed is shown first");
    t.match(await page.innerText("#facts"), /state\s+executed, failed\s+outcome\s+trap Unreachable/);
    const graph = page.locator("#graph");
    const box = (await graph.boundingBox())!;
    const [x, y, scale] = await viewOf(page);
    await page.mouse.move(box.x + 300, box.y + 20);
    await page.mouse.down();
    await page.mouse.move(box.x + 340, box.y + 60, { steps: 4 });
    await page.mouse.up();
    t.strictSame(await viewOf(page), [x + 40, y + 40, scale], "dragged");
    t.equal(await nameOf(page), "end", "which selects nothing");
    const { column, y: middles } = layOut(DIAMOND);
    const [left, top] = await viewOf(page);
    await page.mouse.click(box.x + 1 + left + (column[2]! * 260 + 50) * scale, box.y + 1 + top + middles[2]! * scale);
    t.equal(await nameOf(page), "both");
    t.match(
      await page.innerText("#facts"),
      new RegExp(`state\\s+hit\\s+key\\s+${keyOf(3)}\\s+size\\s+12 B · fuel 4,611,686`),
    );
    t.strictSame(
      (await page.locator("#sources li").allInnerTexts()).map((line) => line.split(/\s/)[0]),
      ["a", "b"],
    );
    await page.locator("#sources button").first().click();
    t.equal(await nameOf(page), "a");
    await page.mouse.move(box.x + 200, box.y + 200);
    await page.mouse.wheel(0, -200);
    const zoomed = await viewOf(page);
    t.ok(zoomed[2] > scale * 1.5, "zoomed at the pointer");
    await page.getByRole("button", { name: "Whole graph" }).click();
    t.strictSame((await viewOf(page))[2], scale);
    await close(t);
  });

  await t.test("[CLI-DAG-6] a keyboard is enough, and all has names", async (t) => {
    const { page, close } = await open(t, browser, DIAMOND, "dark");
    await page.getByRole("application", { name: "Graph of 5 nodes and 6 edges" }).focus();
    for (const [key, name] of [
      ["ArrowLeft", "again"],
      ["ArrowLeft", "both"],
      ["ArrowLeft", "a"],
      ["ArrowDown", "b"],
      ["ArrowDown", "b"],
      ["ArrowUp", "a"],
      ["ArrowRight", "both"],
      ["End", "end"],
      ["Home", "a"],
    ] as const) {
      await page.keyboard.press(key);
      t.equal(await nameOf(page), name, key);
    }
    t.match(await page.innerText("#status"), /^a input sha256:000000010000… 1,234 bytes input$/);
    const before = await viewOf(page);
    await page.keyboard.press("Shift+ArrowLeft");
    t.equal((await viewOf(page))[0], before[0] + 80);
    await page.keyboard.press("+");
    t.ok((await viewOf(page))[2] > before[2]);
    await page.keyboard.press("0");
    t.equal((await viewOf(page))[2], before[2]);
    await page.keyboard.press("/");
    await page.keyboard.type("AGAIN");
    await page.keyboard.press("Enter");
    t.equal(await nameOf(page), "again");
    t.equal(await page.getByLabel("Search", { exact: true }).inputValue(), "AGAIN");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Enter");
    t.match(await page.evaluate<string>("document.activeElement.textContent"), /^left: both/);
    t.equal(await page.getByRole("complementary", { name: "Receipt of the selected node" }).count(), 1);
    t.equal(await page.evaluate("getComputedStyle(document.body).backgroundColor"), "rgb(28, 25, 23)", "dark");
    await page.emulateMedia({ colorScheme: "light" });
    t.equal(await page.evaluate("getComputedStyle(document.body).backgroundColor"), "rgb(250, 250, 249)");
    await close(t);
  });

  await t.test("[CLI-DAG-5, CLI-PEL-5] a run's own page: executions, hits, failures, receipts", async (t) => {
    const name = "<img src=x onerror=globalThis.evil=1>";
    const folder = t.testdir({ inputs: { [name]: "hello" } });
    const path = (file: string): string => join(folder, file);
    const nodes = { text: { op: "input", name }, sum: { op: "hash", of: "text" } };
    const cut = { op: "slice", of: "sum", offset: 99 };
    writeFileSync(path("sum.pel.json"), JSON.stringify({ nodes, outputs: { sum: "sum" } }));
    writeFileSync(path("cut.pel.json"), JSON.stringify({ nodes: { ...nodes, cut }, outputs: { cut: "cut" } }));
    const run = (...words: string[]) => runInProcess(ASHLAR as unknown as Program<unknown>, words);
    await run("store", "init", path("store"));
    const given = ["--store", path("store"), "--inputs", path("inputs"), "--html", path("run.html")];
    t.match(await run("pel", "run", path("sum.pel.json"), ...given), { code: 0 });
    const first = await openFile(browser, path("run.html"));
    t.equal(await nameOf(first.page), "sum");
    t.match(await first.page.innerText("#facts"), /state\s+executed[\s\S]*outcome\s+ok\s+receipt\s+sha256:/);
    await first.close(t);
    t.match(await run("pel", "run", path("cut.pel.json"), ...given), { code: 1 });
    const second = await openFile(browser, path("run.html"));
    t.equal(await nameOf(second.page), "cut");
    t.match(await second.page.innerText("#facts"), /state\s+executed, failed[\s\S]*outcome\s+OUT_OF_RANGE/);
    await second.page.locator("#sources button").click();
    t.match(await second.page.innerText("#facts"), /state\s+hit/);
    await second.page.locator("#sources button").click();
    t.ok((await second.page.innerText("#facts")).includes(name));
    t.equal(await second.page.evaluate("globalThis.evil"), undefined);
    t.equal(await second.page.locator("img").count(), 0);
    await second.close(t);
  });

  await t.test("[CLI-DAG-6] 10,000 nodes: what is seen is drawn, all are found", async (t) => {
    const { page, close } = await open(t, browser, randomDag(10_000, 5));
    const drawn = async (): Promise<number> => Number(await page.getAttribute("#graph", "data-drawn"));
    t.ok((await drawn()) < 300, `${await drawn()} in a view that is readable`);
    t.ok((await viewOf(page))[2] >= 0.45);
    await page.getByRole("button", { name: "Whole graph" }).click();
    await viewOf(page);
    t.equal(await drawn(), 10_000);
    await page.fill("#query", "n7777 ");
    await page.keyboard.press("Enter");
    t.equal(await nameOf(page), "n7777");
    t.ok((await viewOf(page))[2] >= 0.45, "and shown so that it can be read");
    await close(t);
  });
});
