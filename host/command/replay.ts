/** `ashlar replay`: what receipts tell of is made again in an empty store (spec CLI-PEL-13). */
import { Store } from "../asl/index.ts";
import { type Replay, replayStore } from "../pel/replay.ts";
import { type Answer, type Answering, answering } from "./answer.ts";
import type { Arguments } from "./arguments.ts";
import { columns, counted } from "./columns.ts";
import { ExitCode, usageError } from "./failure.ts";
import { executionOf, keyThere, withNamedStore } from "./pel/stores.ts";
import { grouped } from "./quantities.ts";
import { checkFolder } from "./store/init.ts";
import { stoppable } from "./store/stopping.ts";
import { plain } from "./terminal.ts";
import { findingData, findingsText } from "./verify.ts";

const { answer }: Answering = answering(undefined);

export async function replay(args: Arguments): Promise<number> {
  const { options, positionals } = args;
  const execution = executionOf(args);
  const folder = options.get("into")?.[0];
  if (folder === undefined || folder === "")
    throw usageError("--into DIR says where the new store goes, and is missing.");
  return answer("replay", args, (progress) =>
    stoppable((signal) =>
      withNamedStore(args, "read", async (from): Promise<Answer> => {
        const receipts = positionals.map((word) => keyThere(from.view(), word));
        checkFolder(folder);
        const into = await Store.open(folder, { create: true, algorithm: from.algorithm });
        try {
          const told = await replayStore(from, into, {
            ...execution,
            ...(receipts.length > 0 && { receipts }),
            signal,
            onProgress: ({ done, receipts: all }) =>
              progress.update(done, all, "replay", `, ${grouped(BigInt(done))} of ${counted(all, "receipt")}`),
          });
          return {
            data: { into: folder, ...told, findings: told.findings.map(findingData) },
            text: () => replayText(folder, told),
            exitCode: told.verdict === "verified" ? ExitCode.OK : ExitCode.FAILURE,
          };
        } finally {
          await into.close();
        }
      }),
    ),
  );
}

function replayText(folder: string, { verdict, runs, nodes, sources, made, findings, more }: Replay): string {
  const rows = [
    [verdict, plain(folder)],
    ["run again", `${counted(runs, "run")}, ${counted(nodes, "node")}`],
    ["copied", `${counted(sources.artifacts, "artifact")}, ${counted(sources.bytes, "byte")}`],
    ["made", `${counted(made.artifacts, "artifact")}, ${counted(made.bytes, "byte")}`],
  ];
  return columns(rows) + findingsText(findings, more);
}
