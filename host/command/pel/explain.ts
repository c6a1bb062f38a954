/** `ashlar pel explain`. */
import { createHash } from "node:crypto";
import { ALGORITHMS, type ArtifactKey, type Store } from "../../asl/index.ts";
import { type Explanation, explainProgram, reasonText } from "../../pel/explain.ts";
import { type Answer, type Answering, answering } from "../answer.ts";
import type { Arguments } from "../arguments.ts";
import { counted } from "../columns.ts";
import { Input } from "../store/input.ts";
import { stoppable } from "../store/stopping.ts";
import { plain } from "../terminal.ts";
import { givenInputs, inputKey } from "./inputs.ts";
import { labelsOf, type NodeEnd, nodeEnd } from "./program-dag.ts";
import { keyOf, type NamedProgram, readFileNamed, readProgram } from "./program-source.ts";
import { keyThere, storeFolder, withNamedStore } from "./stores.ts";

const { answer }: Answering = answering("pel");

export async function explain(args: Arguments): Promise<number> {
  const word = args.positionals[0]!;
  storeFolder(args);
  return answer("explain", args, async () => {
    const file = await stoppable((signal) => readFileNamed(word, signal));
    return withNamedStore(args, "read", async (store): Promise<Answer> => {
      const named = await readProgram(word, file, store);
      const explanation = await explanationOf(args, store, named);
      const labels = labelsOf(named.program, named.ids);
      const nodes = explanation.nodes.map(({ index, op, state, reasons, claim }) => ({
        node: index,
        label: labels[index]!,
        op,
        state,
        reasons,
        receipt: claim ?? null,
      }));
      const counts = { hits: 0, misses: 0, blocked: 0 };
      for (const { state } of nodes) {
        if (state === "hit") counts.hits++;
        if (state === "miss") counts.misses++;
        if (state === "blocked") counts.blocked++;
      }
      const { program, against = null } = explanation;
      return {
        data: { program, against, ...counts, nodes },
        text: () => {
          const lines = nodes.map(({ node, label, op, state, reasons }) => {
            const name = op === label || op === "input" ? plain(label) : `${plain(label)} (${op})`;
            return `${state.padEnd(7)}  ${node} ${name}: ${plain(reasons.map(reasonText).join("; "))}\n`;
          });
          const end = `${counted(counts.hits, "hit")}, ${counts.misses} to execute, ${counts.blocked} that depend on them\n`;
          return `${lines.join("")}${end}`;
        },
      };
    });
  });
}

async function explanationOf(args: Arguments, store: Store, { program, modules }: NamedProgram): Promise<Explanation> {
  const { options } = args;
  const snapshot = options.get("snapshot")?.[0];
  const view = snapshot === undefined ? store.view() : store.at(snapshot);
  const inputs: [string, ArtifactKey][] = [];
  // A run would put these into the store.
  const assumed = new Set(modules.map((bytes) => keyOf(store.algorithm, bytes)));
  for (const [name, given] of givenInputs(args, program, true)) {
    if ("word" in given) inputs.push([name, inputKey(view, name, given.word)]);
    else {
      const key = await keyOfFile(store.algorithm, given.file);
      assumed.add(key);
      inputs.push([name, key]);
    }
  }
  const word = options.get("against")?.[0];
  const against = word === undefined ? undefined : keyThere(store.view(), word);
  return explainProgram(store, program, { inputs: Object.fromEntries(inputs), snapshot, against, assumed });
}

/** What would come of each node. */
export async function explained(
  args: Arguments,
  store: Store,
  named: NamedProgram,
): Promise<(index: number) => NodeEnd> {
  const { nodes } = await explanationOf(args, store, named);
  const view = store.view();
  return (index) => {
    const { state, claim, reasons } = nodes[index]!;
    const why = reasons.map((reason): [string, string] => ["why", reasonText(reason)]);
    const given = reasons.find((reason) => reason.type === "given");
    const outputs = given === undefined ? [] : [{ key: given.key, tag: undefined }];
    const none = { outcome: undefined, claim, outputs, fuel: undefined };
    const end = claim === undefined ? undefined : nodeEnd(view, claim);
    return { ...none, ...end, state, facts: [...why, ...(end?.facts ?? [])] };
  };
}

/** Of what the file holds, which may be more than memory does. */
async function keyOfFile(algorithm: string, file: string): Promise<ArtifactKey> {
  const { host } = ALGORITHMS.find(({ name }) => name === algorithm)!;
  return stoppable(async (signal) => {
    const input = await Input.open(file, signal);
    try {
      const hash = createHash(host).update(await input.first());
      for await (const piece of input.rest()) hash.update(piece);
      return `${algorithm}:${hash.digest("hex")}` as ArtifactKey;
    } finally {
      input.close();
    }
  });
}
