/** `ashlar pel graph`. */
import type { ArtifactKey, Store, View } from "../../asl/index.ts";
import { decodeClaim, TypeTag } from "../../pel/claim.ts";
import { decodeProgram } from "../../pel/program.ts";
import { type Answer, type Answering, answering } from "../answer.ts";
import type { Arguments } from "../arguments.ts";
import { CommandError, ExitCode, usageError } from "../failure.ts";
import { notFound } from "../store/keys.ts";
import { stoppable } from "../store/stopping.ts";
import { type Dag, shortKey } from "./dag.ts";
import { explained } from "./explain.ts";
import { type NodeEnd, nodeEnd, programDag } from "./program-dag.ts";
import { keyInStore, readFileNamed, readProgram, storedProgram } from "./program-source.ts";
import { checkGraphOptions, dagAnswer } from "./show.ts";
import { withNamedStore } from "./stores.ts";

const { answer }: Answering = answering("pel");

export async function graph(args: Arguments): Promise<number> {
  const { options, positionals } = args;
  const word = positionals[0]!;
  checkGraphOptions(args);
  const hasInputs = ["input", "inputs", "snapshot"].some((name) => options.has(name));
  if (hasInputs && !options.has("store")) throw usageError("Inputs are about a store.", "Write --store DIR.");
  const work = async (file: Uint8Array | undefined, store?: Store): Promise<Answer> => {
    const view = store?.view();
    if (view !== undefined && file === undefined) {
      const key = keyInStore(view, word);
      if (isClaim(view, key)) return dagAnswer(args, runDag(view, key), { direction: "back" }, { receipt: key });
    }
    const program = await readProgram(word, file, store);
    const ends = hasInputs && store !== undefined ? await explained(args, store, program) : undefined;
    const dag = programDag(program.name, program.program, program.ids, ends, view);
    return dagAnswer(args, dag, { direction: "back" }, { program: program.key });
  };
  return answer("graph", args, () =>
    stoppable(async (signal) => {
      const file = await readFileNamed(word, signal);
      return options.has("store") ? withNamedStore(args, "read", (store) => work(file, store)) : work(file);
    }),
  );
}

function isClaim(view: View, key: ArtifactKey): boolean {
  return view.stat(key)!.records.some(({ typeTag }) => typeTag === TypeTag.CLAIM);
}

/** What a run's receipt tells of it. */
function runDag(view: View, key: ArtifactKey): Dag {
  const claim = decodeClaim(view.get(key)!);
  if (claim.kind !== "run")
    throw new CommandError(
      "CLI-RECEIPT",
      ExitCode.FAILURE,
      `${key} is the receipt of a node, and not of a run.`,
      "`ashlar why KEY` shows what it was made of.",
    );
  if (!view.has(claim.program)) throw notFound(`the program ${claim.program} is not in the store`);
  const program = decodeProgram(storedProgram(view, claim.program));
  const inputs = new Map(claim.inputs.map((input) => [input.name, input]));
  const none = { outcome: undefined, claim: undefined, outputs: [], fuel: undefined };
  const endOf = (index: number): NodeEnd => {
    const node = program.nodes[index]!;
    if (node.op === "input") {
      const input = inputs.get(node.name);
      return { ...none, state: "input", outputs: input === undefined ? [] : [input] };
    }
    const receipt = claim.claims[index];
    if (receipt === undefined) return { ...none, state: "skipped" };
    return nodeEnd(view, receipt);
  };
  return programDag(`run ${shortKey(key)}`, program, undefined, endOf, view);
}
