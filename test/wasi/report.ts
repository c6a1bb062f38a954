/** Judges what the tests of the suite answered, with the exceptions in mind. */
import { type Answer, COMBINATIONS, type Combination, differenceOf, FILE_SYSTEMS, failureOf } from "./run.ts";
import { ScriptError, type WasiTest } from "./suite.ts";

/** A test that we answer differently than the suite expects. */
export interface Exception {
  readonly suite: string;
  readonly test: string;
  /** Left out: on both. */
  readonly fileSystem?: Combination["fileSystem"];
  readonly engine?: Combination["engine"];
  /** What we answer: a part of the reported failure. Another failure is one. */
  readonly answer: string;
  readonly reason: string;
}

/** One test on one combination. */
export interface Result extends Combination {
  readonly suite: string;
  readonly test: string;
  readonly outcome: "passed" | "failed" | "excepted";
  readonly failure?: string;
  readonly fuel?: bigint;
}

/** Of `answers`, in the order of COMBINATIONS, those that are missing never came. */
export function resultsOf(
  { suite, name, script }: Omit<WasiTest, "script"> & { readonly script: WasiTest["script"] | ScriptError },
  answers: readonly Answer[],
  missing: string,
  exceptions: readonly Exception[],
): Result[] {
  return COMBINATIONS.map((combination, index): Result => {
    const answer = answers[index];
    const failure =
      script instanceof ScriptError
        ? script.message
        : answer === undefined
          ? missing
          : (failureOf(script, answer) ?? differenceAt(combination, answers));
    const given = { suite, test: name, ...combination, ...(answer && { fuel: answer.fuel }) };
    const exception = exceptions.find((one) => isOf(one, given));
    if (exception === undefined)
      return failure === undefined ? { ...given, outcome: "passed" } : { ...given, outcome: "failed", failure };
    if (failure === undefined) return { ...given, outcome: "failed", failure: "it passes, but an exception lists it" };
    return { ...given, outcome: failure.includes(exception.answer) ? "excepted" : "failed", failure };
  });
}

/** The engines are compared once for each file system, on the second engine's account. */
function differenceAt({ fileSystem, engine }: Combination, answers: readonly Answer[]): string | undefined {
  const of = (wanted: Combination["engine"]): Answer | undefined =>
    answers[COMBINATIONS.findIndex((one) => one.fileSystem === fileSystem && one.engine === wanted)];
  const [compiled, reference] = [of("compiled"), of("reference")];
  return engine === "reference" && compiled && reference ? differenceOf(compiled, reference) : undefined;
}

function isOf(exception: Exception, result: Omit<Result, "outcome">): boolean {
  return (["suite", "test", "fileSystem", "engine"] as const).every(
    (key) => exception[key] === undefined || exception[key] === result[key],
  );
}

/** Exceptions of the suites that ran for tests that are none of theirs: the list never outlives its reasons. */
export function staleExceptions(results: readonly Result[], exceptions: readonly Exception[]): Exception[] {
  const suites = new Set(results.map(({ suite }) => suite));
  return exceptions.filter((one) => suites.has(one.suite) && !results.some((result) => isOf(one, result)));
}

export interface Total extends Combination {
  readonly passed: number;
  readonly failed: number;
  readonly excepted: number;
}

export function totalsOf(results: readonly Result[]): Total[] {
  return COMBINATIONS.map((combination) => {
    const { fileSystem, engine } = combination;
    const own = results.filter((result) => result.fileSystem === fileSystem && result.engine === engine);
    const count = (outcome: Result["outcome"]): number => own.filter((result) => result.outcome === outcome).length;
    return { ...combination, passed: count("passed"), failed: count("failed"), excepted: count("excepted") };
  });
}

/** Lines for a person. */
export function linesOf(results: readonly Result[], stale: readonly Exception[]): string[] {
  const failures = results.filter(({ outcome }) => outcome === "failed");
  return [
    ...failures.map(
      ({ suite, test, fileSystem, engine, failure }) =>
        `FAILED ${test} (${suite}), ${fileSystem}, ${engine}: ${failure}`,
    ),
    ...stale.map(({ suite, test }) => `FAILED ${test} (${suite}): an exception lists it, but there is no such test`),
    ...totalsOf(results).map(
      ({ fileSystem, engine, passed, failed, excepted }) =>
        `${fileSystem}, ${engine}: ${passed} passed, ${failed} failed, ${excepted} as exceptions say`,
    ),
    `${new Set(results.map(({ suite, test }) => `${suite}/${test}`)).size} tests on ${FILE_SYSTEMS.length} file systems and both engines`,
  ];
}
