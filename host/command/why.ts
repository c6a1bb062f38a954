/** `ashlar why`: where an artifact comes from, by the receipts of a store (spec CLI-PEL-14). */
import { TypeTag } from "../pel/claim.ts";
import { type Provenance, type ProvenanceNode, why as whyOf } from "../pel/provenance.ts";
import { type Answer, type Answering, answering } from "./answer.ts";
import type { Arguments } from "./arguments.ts";
import type { Dag, DagNode } from "./pel/dag.ts";
import { endOf } from "./pel/program-dag.ts";
import { checkGraphOptions, dagAnswer } from "./pel/show.ts";
import { withNamedStore } from "./pel/stores.ts";
import { keyNamed } from "./store/keys.ts";
import { stoppable } from "./store/stopping.ts";
import { note } from "./terminal.ts";

const { answer }: Answering = answering(undefined);

export async function why(args: Arguments): Promise<number> {
  checkGraphOptions(args);
  return answer("why", args, (progress) =>
    stoppable((signal) =>
      withNamedStore(args, "read", async (store): Promise<Answer> => {
        const key = keyNamed(store.view(), args.positionals[0]!);
        const provenance = await whyOf(store, key, {
          all: args.options.has("all"),
          signal,
          onProgress: (nodes) => progress.update(nodes, undefined, "nodes found"),
        });
        progress.clear();
        const { isWhole } = provenance;
        if (!isWhole) note("note: there is more than is shown\n");
        return dagAnswer(args, provenanceDag(provenance), { direction: "back", roots: [0] }, { key, isWhole });
      }),
    ),
  );
}

function provenanceDag({ nodes, edges }: Provenance): Dag {
  const modules = new Set(edges.filter(({ role }) => role === "module").map(({ from }) => from));
  return {
    title: `why ${nodes[0]!.key}`,
    nodes: nodes.map((node, index) => dagNode(node, index, modules.has(index))),
    edges: edges.map(({ from, to, role, index, name }) => {
      const label = role === "claim" ? `node ${index}` : role === "input" || role === "output" ? (name ?? "") : role;
      return { from, to, label };
    }),
  };
}

function dagNode(node: ProvenanceNode, index: number, isModule: boolean): DagNode {
  const { key } = node;
  const common = { id: String(index), key, fuel: undefined, state: "", isFailed: false, bytes: undefined } as const;
  if (node.type === "artifact") {
    const { bytes, tags, producers } = node;
    const isProgram = tags.includes(TypeTag.PROGRAM);
    const kind = isModule ? "module" : isProgram ? "program" : producers === 0 ? "source" : "artifact";
    return {
      ...common,
      label: bytes === undefined ? `${kind} (not in the store)` : kind,
      op: "",
      bytes,
      state: producers === 0 ? "input" : "",
      receipt: tags.length === 0 ? [] : [["type tags", tags.map((tag) => String(tag ?? "none")).join(", ")]],
    };
  }
  const { claim, problem } = node;
  if (claim === undefined)
    return { ...common, label: "receipt", op: "", isFailed: true, receipt: [["problem", problem!]] };
  if (claim.kind === "run") {
    const receipt: [string, string][] = [["program", claim.program]];
    for (const { name, key } of claim.outputs) receipt.push([`output ${name}`, key]);
    return { ...common, label: "run", op: "receipt", isFailed: claim.failed !== undefined, receipt };
  }
  const { facts = [], fuel, outcome } = endOf(claim);
  return {
    ...common,
    label: claim.node.op,
    op: "receipt",
    fuel,
    isFailed: outcome?.type !== "ok",
    receipt: facts,
  };
}
