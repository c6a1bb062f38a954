/** What a verb answers: a JSON object for programs, text for people, and an exit code (specs TOOL-VERB, CLI-STORE). */
import type { Problem } from "../assets/errors.ts";
import type { Arguments } from "./arguments.ts";
import { describeFailure, ExitCode, failureOf } from "./failure.ts";
import { openProgress, type Progress } from "./progress.ts";
import { exactJson } from "./quantities.ts";
import { isReaderGone, note, print } from "./terminal.ts";

export interface Answer {
  /** Beside `schema`, what `--json` prints. */
  readonly data: object;
  /** With a line end. */
  text(): string;
  readonly exitCode?: number;
}

/** How the verbs of a group answer. */
export interface Answering {
  /** Does the work of a verb and tells what comes of it, unless it answers nothing, or what is wrong. Answers the exit code. */
  answer(
    verb: string,
    args: Arguments,
    work: (progress: Progress) => Promise<Answer | undefined> | Answer | undefined,
    failureCode?: number,
  ): Promise<number>;
  /** Tells what is wrong; the exit code is that of usage errors, or `failureCode`. */
  tellFailure(verb: string, error: unknown, isJson: boolean, failureCode: number): number;
  /** A line that names its form: `ashlar.GROUP.VERB/1`, or `ashlar.VERB/1`. */
  jsonLine(verb: string, data: object): string;
}

/** `group`: undefined for commands of no group. */
export function answering(group: string | undefined): Answering {
  const prefix = group === undefined ? "ashlar" : `ashlar.${group}`;
  const jsonLine: Answering["jsonLine"] = (verb, data) => `${exactJson({ schema: `${prefix}.${verb}/1`, ...data })}\n`;

  const tellFailure: Answering["tellFailure"] = (verb, error, isJson, failureCode) => {
    const failure = failureOf(error);
    const isUsage = failure.exitCode === ExitCode.USAGE;
    if (isJson && !isUsage) print(jsonLine(verb, { error: errorData(error) }));
    else note(describeFailure(failure));
    return isUsage ? ExitCode.USAGE : failureCode;
  };

  const answer: Answering["answer"] = async (verb, args, work, failureCode = ExitCode.FAILURE) => {
    const isJson = args.options.has("json");
    const progress = openProgress(verb);
    try {
      const result = await work(progress);
      progress.clear();
      if (result === undefined) return ExitCode.OK;
      print(isJson ? jsonLine(verb, result.data) : result.text());
      return result.exitCode ?? ExitCode.OK;
    } catch (error) {
      progress.clear();
      if (isReaderGone(error)) throw error;
      return tellFailure(verb, error, isJson, failureCode);
    }
  };

  return { answer, tellFailure, jsonLine };
}

/** As {@link failureOf}, with every problem that is known. */
function errorData(error: unknown): object {
  const { code, message } = failureOf(error);
  const { problems = [{ code, message }], total = problems.length } = error as {
    readonly problems?: readonly Problem[];
    readonly total?: number;
  };
  // Of a program's problem the place stands by itself.
  const flat = (problems as readonly (Problem & { readonly place?: object })[]).map(({ place, ...rest }) => ({
    ...rest,
    ...place,
  }));
  return { code, message, problems: flat, total };
}
