/** What is wrong, for tests that want it to be. */
import { PackError, type Problem } from "../../../host/assets/errors.ts";

/** The problems that the task ends with; none when it does what it should. */
export function problemsOf(task: () => unknown): readonly Problem[] {
  try {
    task();
    return [];
  } catch (error) {
    if (error instanceof PackError) return error.problems;
    throw error;
  }
}

/** The code of the first of them; "" when there is none. */
export function codeOf(task: () => unknown): string {
  return problemsOf(task)[0]?.code ?? "";
}
