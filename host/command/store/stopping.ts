/** Ctrl-C and SIGTERM while something is written. */
import { dieBy } from "../stop.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/**
 * Runs `work`, whose signal is aborted by the first SIGINT or SIGTERM: it ends as soon as nothing half is left. Then the process
 * ends by that signal. A second one ends it at once, which leaves nothing half in a store either.
 */
export async function stoppable<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const stop = new AbortController();
  let caught: NodeJS.Signals | undefined;
  const onSignal = (name: NodeJS.Signals): void => {
    if (caught !== undefined) dieBy(name);
    caught = name;
    stop.abort();
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  try {
    return await work(stop.signal);
  } finally {
    for (const name of SIGNALS) process.removeListener(name, onSignal);
    if (caught !== undefined) dieBy(caught);
  }
}

/** What the work answers; why the signal was aborted, when that comes first: then nobody waits for the work. */
export function unlessAborted<Result>(signal: AbortSignal, work: Promise<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
