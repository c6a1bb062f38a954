import type { Outcome } from "./run-script.ts";

/** A command we answer differently than the suite expects. */
export interface Exception {
  readonly file: string;
  readonly line: number;
  /** What we answer: a part of the reported failure. Another failure at that line is one. */
  readonly answer: string;
  readonly reason: string;
}

export interface FileReport {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  /** Failed as an exception says. */
  readonly skipped: number;
  /** How many of `passed` only the text parser saw. */
  readonly textOnly: number;
  readonly fuel: bigint;
  readonly failures: readonly { readonly line: number; readonly command: string; readonly failure: string }[];
}

/** An exception whose command passes, or is not there, is a failure: the list never outlives its reasons. */
export function reportOf(file: string, outcomes: readonly Outcome[], exceptions: readonly Exception[]): FileReport {
  const excepted = new Map(exceptions.filter((one) => one.file === file).map((one) => [one.line, one.answer]));
  const seen = new Set(outcomes.map(({ line }) => line));
  const missing = [...excepted.keys()].filter((line) => !seen.has(line));
  const failures = missing.map((line) => ({ line, command: "exception", failure: "there is no command at this line" }));
  let passed = 0;
  let skipped = 0;
  let textOnly = 0;
  for (const { line, command, failure, textOnly: byTextParser } of outcomes) {
    const answer = excepted.get(line);
    if (failure === undefined && answer === undefined) {
      passed++;
      if (byTextParser) textOnly++;
    } else if (failure === undefined) failures.push({ line, command, failure: "it passes, but an exception lists it" });
    else if (answer !== undefined && failure.includes(answer)) skipped++;
    else failures.push({ line, command, failure });
  }
  const fuel = outcomes.reduce((sum, outcome) => sum + outcome.fuel, 0n);
  return { file, passed, failed: failures.length, skipped, textOnly, fuel, failures };
}
