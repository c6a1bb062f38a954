/** The machine's account of a run: `--report`. */
import { cannotWrite, openOutput } from "./files.ts";
import { exactJson } from "./quantities.ts";
import type { RunRequest, RunResult } from "./run-messages.ts";
import { isReaderGone, STDOUT, writeFully } from "./terminal.ts";

/** Names the form of the report; a change that breaks a reader is a new number (spec CLI-REPORT-1). */
export const REPORT_SCHEMA = "ashlar.run/1";

/** Where the report will go. Opened, and so emptied, before the guest runs: a report of an earlier run would mislead. */
export function openReport(path: string): number {
  if (path === "-") return STDOUT;
  return openOutput(path, "CLI-REPORT", "report");
}

/** The report as one line of JSON. Fuel is a number with all its digits, also above 2^53. */
export function reportOf(request: RunRequest, result: RunResult): string {
  const { outcome, exitCode, trap, failure, fuelUsed, durationMs, moduleDigest, stateDigest } = result;
  const { engine = request.engine } = result;
  const report = {
    schema: REPORT_SCHEMA,
    outcome,
    exitCode,
    trap: trap ?? null,
    error: failure === undefined ? null : { code: failure.code, message: failure.message },
    fuelUsed: fuelUsed ?? null,
    fuelLimit: request.fuel ?? null,
    engine,
    module: { path: request.module, digest: moduleDigest ?? null },
    durationMs,
    ...(request.stateDigest && { stateDigest: stateDigest ?? null }),
  };
  return `${exactJson(report)}\n`;
}

/** Writes the report; on stdout it has a line of its own behind everything the guest wrote. */
export function writeReport(fd: number, request: RunRequest, result: RunResult): void {
  const text = reportOf(request, result);
  try {
    writeFully(fd, Buffer.from(fd === STDOUT && result.openLine ? `\n${text}` : text));
  } catch (error) {
    throw isReaderGone(error) ? error : cannotWrite("CLI-REPORT", "report", error);
  }
}
