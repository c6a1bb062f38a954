/** `ashlar edge add`, `remove` and `list` (spec TGK-COMMAND). */
import { type ArtifactKey, Namespace, type Store } from "../asl/index.ts";
import { hex } from "../assets/hash.ts";
import { type Edge, edgeId, FIRST_USER_TYPE, listEdges, openGraph, stageEdge } from "../tgk/index.ts";
import { type Answering, answering } from "./answer.ts";
import type { Arguments } from "./arguments.ts";
import { CommandError, ExitCode, usageError } from "./failure.ts";
import { withNamedStore } from "./pel/stores.ts";
import { parseCount } from "./quantities.ts";
import { keyNamed } from "./store/keys.ts";
import { printLines } from "./store/lines.ts";
import { parseTypeTag } from "./store/put.ts";
import { viewOf } from "./store/stores.ts";

const { answer, jsonLine }: Answering = answering("edge");

const FEWEST_DIGITS = 8;

export async function add(args: Arguments): Promise<number> {
  const { options } = args;
  return answer("add", args, () => {
    const text = options.get("type")?.[0];
    const type = text === undefined ? FIRST_USER_TYPE : parseTypeTag("type", text);
    if (type < FIRST_USER_TYPE)
      throw usageError(`--type takes a number from ${FIRST_USER_TYPE} on; lower ones are Ashlar's own.`);
    const [from = [], to = []] = [options.get("from"), options.get("to")];
    if (from.length + to.length === 0) throw usageError("--from KEY or --to KEY says what the edge is about.");
    const roles = rolesOf(args) ?? 0;
    return withNamedStore(args, "write", (store) => {
      const view = store.view();
      const keysOf = (words: readonly string[]): ArtifactKey[] => words.map((word) => keyNamed(view, word));
      const edge: Edge = { from: keysOf(from), to: keysOf(to), type, roles };
      const batch = store.batch();
      const id = edgeId(edge);
      const isNew = stageEdge(batch, edge).key !== store.resolve(Namespace.EDGE, id);
      if (isNew) batch.commit();
      else batch.discard();
      return { data: { ...edgeData(id, edge), isNew }, text: () => `${hex(id)}\n` };
    });
  });
}

export async function remove(args: Arguments): Promise<number> {
  return answer("remove", args, () =>
    withNamedStore(args, "write", async (store) => {
      const { id, edge } = edgeNamed(store, args.positionals[0]!);
      await store.unbind(Namespace.EDGE, id);
      return { data: edgeData(id, edge), text: () => "" };
    }),
  );
}

export async function list(args: Arguments): Promise<number> {
  const { options, positionals } = args;
  return answer("list", args, () => {
    const side = options.get("side")?.[0];
    if (side !== undefined && side !== "from" && side !== "to")
      throw usageError(`--side is from or to, not ${JSON.stringify(side)}.`);
    if (side !== undefined && positionals.length === 0) throw usageError("--side needs a KEY.");
    const filter = { types: options.get("type")?.map((text) => parseTypeTag("type", text)), roles: rolesOf(args) };
    return withNamedStore(args, "read", (store) => {
      const line = lineOf(options.has("json"));
      const view = viewOf(store, args);
      const [word] = positionals;
      if (word === undefined) printLines(lines(listEdges(store, { at: view, ...filter }), line));
      else {
        const key = keyNamed(view, word);
        const graph = openGraph(store, { at: view });
        try {
          if (side !== "from") printLines(lines(graph.edgesOf(key, "to", filter), line));
          // What leads both to it and from it is listed once.
          const isListed = (edge: Edge): boolean => side === undefined && edge.to.includes(key);
          if (side !== "to") printLines(lines(graph.edgesOf(key, "from", filter), line, isListed));
        } finally {
          graph.close();
        }
      }
      return undefined;
    });
  });
}

type Identified = Edge & { readonly id: Uint8Array };

function* lines(
  edges: Iterable<Identified>,
  line: (edge: Identified) => string,
  isListed: (edge: Edge) => boolean = () => false,
): Generator<string> {
  for (const edge of edges) if (!isListed(edge)) yield line(edge);
}

function lineOf(isJson: boolean): (edge: Identified) => string {
  if (isJson) return (edge) => jsonLine("list", edgeData(edge.id, edge));
  return ({ id, type, roles, from, to }) => `${hex(id)}  ${type}  ${roles}  ${[...from, "->", ...to].join(" ")}\n`;
}

function edgeData(id: Uint8Array, { type, roles, from, to }: Edge): object {
  return { id: hex(id), type, roles, from, to };
}

/** The edge whose id begins with these digits. Throws TGK-NOT-FOUND and CLI-KEY. */
function edgeNamed(store: Store, word: string): { readonly id: Uint8Array; readonly edge: Edge } {
  const digits = word.toLowerCase();
  if (!/^[0-9a-f]{8,64}$/.test(digits))
    throw noEdge(
      "CLI-KEY",
      `${JSON.stringify(word)} is no id of an edge: ${FEWEST_DIGITS} to 64 hexadecimal digits were expected`,
    );
  const found: Identified[] = [];
  for (const edge of listEdges(store, { prefix: digits })) if (found.push(edge) > 1) break;
  const [edge, other] = found;
  if (edge === undefined) throw noEdge("TGK-NOT-FOUND", `there is no edge whose id begins with ${word}`);
  if (other !== undefined)
    throw noEdge("CLI-KEY", `${word} is ambiguous: ${hex(edge.id)}, ${hex(other.id)}, and maybe more`);
  return { id: edge.id, edge };
}

function noEdge(code: string, message: string): CommandError {
  return new CommandError(code, ExitCode.FAILURE, message, "`ashlar edge list --store DIR` lists edges.");
}

function rolesOf({ options }: Arguments): number | undefined {
  const text = options.get("roles")?.[0];
  return text === undefined ? undefined : Number(parseCount("roles", text, 255n));
}
