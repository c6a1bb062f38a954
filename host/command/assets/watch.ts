/** `assets-tool watch`. */
import { watchAssets } from "../../../assets-tool/watch.ts";
import type { Arguments } from "../arguments.ts";
import { ExitCode } from "../failure.ts";
import { openProgress } from "../progress.ts";
import { dieBy } from "../stop.ts";
import { print } from "../terminal.ts";
import { jsonLine, tellFailure } from "./answer.ts";
import { packLine, packRequest, reportData, tellNote } from "./pack.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** Ends by the signal that stops it, when the pack that is being made is done; a second one ends it at once. */
export async function watch(args: Arguments): Promise<number> {
  const isJson = args.options.has("json");
  const stop = new AbortController();
  const progress = openProgress("watch");
  let signal: NodeJS.Signals | undefined;
  let gone: unknown;
  const onSignal = (name: NodeJS.Signals): void => {
    if (signal !== undefined) dieBy(name);
    signal = name;
    stop.abort();
  };
  /** Says what came of a pack; that nobody reads it ends the watch. */
  const tell = (say: () => void): void => {
    progress.clear();
    try {
      say();
    } catch (error) {
      gone = error;
      stop.abort();
    }
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  try {
    await watchAssets({
      ...packRequest(args),
      signal: stop.signal,
      onProgress: ({ done, total }) => progress.update(done, total),
      onNote: (what) => tellNote(what, progress),
      onPack: (report) => tell(() => print(isJson ? jsonLine("watch", reportData(report)) : packLine(report))),
      onFailure: (error) => tell(() => tellFailure("watch", error, isJson, ExitCode.FAILURE)),
    });
  } finally {
    progress.clear();
    for (const name of SIGNALS) process.removeListener(name, onSignal);
  }
  if (gone !== undefined) throw gone;
  if (signal !== undefined) dieBy(signal);
  return ExitCode.OK;
}
