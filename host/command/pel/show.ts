/** How commands show graphs: `--depth`, `--dot`, `--html`, `--json` (spec CLI-DAG). */
import type { Answer } from "../answer.ts";
import type { Arguments } from "../arguments.ts";
import { counted } from "../columns.ts";
import { CommandError, ExitCode, usageError } from "../failure.ts";
import { replaceFile } from "../files.ts";
import { parseCount } from "../quantities.ts";
import { plain } from "../terminal.ts";
import { type Dag, dagData, dotLines, type TreeOptions, treeLines } from "./dag.ts";
import { dagPage } from "./dag-page.ts";

const DEFAULT_DEPTH = 30;
/** What browsers still draw. */
const MOST_NODES = 100_000;
const MOST_EDGES = 400_000;

/** Throws a usage error where the options make no sense together. */
export function checkGraphOptions(args: Arguments): void {
  const given = ["dot", "json"].filter((name) => args.options.has(name));
  if (args.options.has("html")) given.push("html");
  if (given.length > 1 && !(given.includes("html") && given.includes("json")))
    throw usageError(`--${given[0]} and --${given[1]} do not go together.`);
  htmlFile(args);
  depthOf(args);
}

/** The file of `--html`. Throws a usage error. */
export function htmlFile({ options }: Arguments): string | undefined {
  const file = options.get("html")?.[0];
  if (file === "" || file === "-") throw usageError("--html takes the name of a file.");
  return file;
}

export function depthOf({ options }: Arguments, otherwise: number = DEFAULT_DEPTH): number {
  const text = options.get("depth")?.[0];
  return text === undefined ? otherwise : Number(parseCount("depth", text, 1_000_000n));
}

/** The graph as the options say. `more` is what `--json` tells beside it; `depth` is that of a tree of text. */
export function dagAnswer(
  args: Arguments,
  dag: Dag,
  tree: Omit<TreeOptions, "depth">,
  more: object = {},
  depth: number = depthOf(args),
): Answer {
  const file = htmlFile(args);
  if (file !== undefined) {
    writePage(file, dag);
    const counts = { nodes: dag.nodes.length, edges: dag.edges.length };
    const text = (): string => `${plain(file)}: ${counted(counts.nodes, "node")}, ${counted(counts.edges, "edge")}\n`;
    return { data: { ...more, html: file, ...counts }, text };
  }
  const text = (): string =>
    [...(args.options.has("dot") ? dotLines(dag) : treeLines(dag, { ...tree, depth }))].join("");
  return {
    get data() {
      return { ...more, ...dagData(dag) };
    },
    text,
  };
}

/** Throws CLI-PAGE. */
export function writePage(file: string, dag: Dag): void {
  const { nodes, edges } = dag;
  if (nodes.length > MOST_NODES || edges.length > MOST_EDGES)
    throw new CommandError(
      "CLI-PAGE",
      ExitCode.FAILURE,
      `The graph has ${counted(nodes.length, "node")} and ${counted(edges.length, "edge")}; a page shows at most ${counted(MOST_NODES, "node")} and ${counted(MOST_EDGES, "edge")}.`,
      "--json and --dot tell all of it.",
    );
  replaceFile(file, Buffer.from([...dagPage(dag)].join("")), "CLI-PAGE", "page");
}
