/** `ashlar pel run`. */
import type { Store } from "../../asl/index.ts";
import { outcomeText } from "../../pel/claim.ts";
import { type Progress as RunProgress, type RunResult, runProgram } from "../../pel/run.ts";
import { keepGraph } from "../../tgk/index.ts";
import { type Answer, type Answering, answering } from "../answer.ts";
import type { Arguments } from "../arguments.ts";
import { columns, counted } from "../columns.ts";
import { describeFailure, ExitCode, usageError } from "../failure.ts";
import type { Progress } from "../progress.ts";
import { grouped, parseSize } from "../quantities.ts";
import { writeArtifact } from "../store/get.ts";
import { stoppable } from "../store/stopping.ts";
import { note, plain } from "../terminal.ts";
import { nodeText } from "./dag.ts";
import { assignments, givenInputs, resolveInputs } from "./inputs.ts";
import { labelsOf, nodeEnd, programDag } from "./program-dag.ts";
import { type NamedProgram, readFileNamed, readProgram } from "./program-source.ts";
import { htmlFile, writePage } from "./show.ts";
import { executionOf, storeFolder, withNamedStore } from "./stores.ts";

const { answer }: Answering = answering("pel");

/** Highest of `--store-bytes`. */
const MOST_GIB = 8_000_000;

export async function run(args: Arguments): Promise<number> {
  const { options, positionals } = args;
  const execution = executionOf(args);
  const files = assignments(args, "output");
  const size = options.get("store-bytes")?.[0];
  const storeBytes = size === undefined ? undefined : parseSize("store-bytes", size, MOST_GIB);
  if ([...files.values()].includes("-") && options.has("json"))
    throw usageError("--json has no use where an output goes to standard output.", "Write it to a file.");
  htmlFile(args);
  storeFolder(args);
  if ((options.get("input") ?? []).some((text) => text.endsWith("=@-")) && positionals[0] === "-")
    throw usageError("Standard input can be read once.");
  return answer("run", args, (progress) =>
    stoppable(async (signal) => {
      const file = await readFileNamed(positionals[0]!, signal);
      return withNamedStore(
        args,
        "write",
        async (store): Promise<Answer> => {
          const snapshot = options.get("snapshot")?.[0];
          const view = snapshot === undefined ? store.view() : store.at(snapshot);
          const program = await readProgram(positionals[0]!, file, store, view);
          checkOutputs(program, files);
          const given = givenInputs(args, program.program);
          for (const module of program.modules) await store.put(module);
          const inputs = await resolveInputs(given, program.program, store, view, progress, signal);
          const result = await runProgram(store, program.program, {
            ...execution,
            inputs,
            snapshot,
            signal,
            cache: !options.has("no-cache"),
            keepGoing: options.has("keep-going"),
            storeBytes,
            onProgress: (at) => tellProgress(progress, at),
          });
          keepGraph(store);
          progress.clear();
          const made = new Map(result.outputs.map(({ name, key }) => [name, key]));
          for (const [name, file] of files) {
            const key = made.get(name);
            if (key !== undefined) await writeArtifact(store.view(), key, file, progress);
            else note(`note: the output ${JSON.stringify(name)} was not made, and ${plain(file)} is as it was\n`);
          }
          return answerOf(args, store, program, result, files);
        },
        signal,
      );
    }),
  );
}

/** Throws a usage error for an output that the program has not. */
function checkOutputs({ program: { outputs } }: NamedProgram, files: ReadonlyMap<string, string>): void {
  for (const name of files.keys())
    if (!outputs.some((output) => output.name === name))
      throw usageError(
        `The program has no output ${JSON.stringify(name)}.`,
        `Its outputs are: ${outputs.map((output) => JSON.stringify(output.name)).join(", ")}.`,
      );
}

function tellProgress(progress: Progress, { nodes, done, hits, bytes }: RunProgress): void {
  const counts = `, ${grouped(BigInt(done))} of ${counted(nodes, "node")}, ${counted(hits, "hit")}`;
  progress.update(done, nodes, "run", `${counts}, ${counted(bytes, "byte")} made`);
}

function answerOf(
  args: Arguments,
  store: Store,
  named: NamedProgram,
  result: RunResult,
  files: ReadonlyMap<string, string>,
): Answer {
  const { program, ids, name } = named;
  const view = store.view();
  const dag = (withFacts: boolean) =>
    programDag(
      name,
      program,
      ids,
      (index) => {
        const node = result.nodes[index]!;
        const facts = withFacts && node.claim !== undefined ? nodeEnd(view, node.claim).facts : undefined;
        const { state, outcome, claim, outputs, fuel } = node;
        return { state, outcome, claim, outputs, fuel, facts };
      },
      view,
    );
  // All is read while the store is open.
  const all = args.options.has("nodes") ? dag(false).nodes : undefined;
  const page = htmlFile(args);
  if (page !== undefined) writePage(page, dag(true));
  const { failed } = result;
  const failure = failed === undefined ? undefined : failureData(named, result, failed);
  const outputs = result.outputs.map(({ name, key, tag }) => ({
    name,
    key,
    typeTag: tag ?? null,
    bytes: view.stat(key)?.length ?? null,
    file: files.get(name) ?? null,
  }));
  const skipped = result.nodes.filter(({ state }) => state === "skipped").length;
  const counts = { total: result.nodes.length, executed: result.executed, hits: result.hits, skipped };
  if (failure !== undefined && !args.options.has("json"))
    note(
      describeFailure({
        code: "CLI-NODE",
        message: `The node ${JSON.stringify(failure.label)} (${failure.op}) failed: ${failure.outcome}.`,
        exitCode: ExitCode.FAILURE,
        hint: `Its receipt is ${failure.receipt}.`,
      }),
    );
  const isToStdout = [...files.values()].includes("-");
  const data = {
    receipt: result.claim,
    program: result.program,
    failed: failure ?? null,
    outputs,
    nodes: counts,
    ...(all !== undefined && { all: all.map(nodeData) }),
  };
  const text = (): string => {
    const parts = [`${counted(counts.executed, "node")} executed`, counted(counts.hits, "hit")];
    if (skipped > 0) parts.push(`${grouped(BigInt(skipped))} skipped`);
    const lines = [
      ...(all ?? []).map((node) => `${nodeText(node)}\n`),
      columns([
        ...outputs.map(({ name, key, bytes }) => [name, key, bytes === null ? "" : counted(bytes, "byte")]),
        ["receipt", result.claim, parts.join(", ")],
      ]),
      ...(page === undefined ? [] : [`${plain(page)}: the graph of it\n`]),
    ];
    return lines.join("");
  };
  const exitCode = failure === undefined ? ExitCode.OK : ExitCode.FAILURE;
  if (!isToStdout) return { data, text, exitCode };
  // Standard output is the artifact's.
  note(text());
  return { data, text: () => "", exitCode };
}

function failureData({ program, ids }: NamedProgram, { nodes }: RunResult, index: number) {
  const { op, outcome, claim } = nodes[index]!;
  return {
    node: index,
    label: labelsOf(program, ids)[index]!,
    op,
    outcome: outcomeText(outcome!),
    receipt: claim ?? null,
  };
}

function nodeData({
  id,
  label,
  op,
  key,
  bytes,
  fuel,
  state,
  isFailed,
}: ReturnType<typeof programDag>["nodes"][number]) {
  return {
    node: Number(id),
    label,
    op,
    key: key ?? null,
    bytes: bytes ?? null,
    fuel: fuel ?? null,
    state,
    failed: isFailed,
  };
}
