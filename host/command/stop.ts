/** Stopping a guest from outside: Ctrl-C, SIGTERM, `--timeout` (spec CLI-STOP). */
import { busyWith, requestStop } from "../interrupt.ts";
import { ExitCode } from "./failure.ts";
import { note } from "./terminal.ts";

export type StopReason = "SIGINT" | "SIGTERM" | "timeout";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

export const STOP_CODES: { readonly [reason in StopReason]: number } = {
  SIGINT: ExitCode.INTERRUPT,
  SIGTERM: ExitCode.TERMINATED,
  timeout: ExitCode.TIMEOUT,
};

/** How long a guest has to end by itself: in a loop or a host call it takes a thousandth of that. */
const GRACE_MS = 1_000;
const LOOK_MS = 20;
/** How long a host call may take to end when nobody sits there to press Ctrl-C again. */
const BLOCKED_MS = 5_000;

export interface Stops {
  /** Why the guest was stopped, so far. */
  readonly reason: StopReason | undefined;
  /** True when a host call did not end: then neither will its thread. */
  readonly isBlocked: boolean;
  /** No more stops: the guest has ended. */
  close(): void;
}

/** Listens for what stops the guest; `end` is called when its thread does not end by itself. */
export function watchStops(interrupt: Int32Array, timeoutMs: number | undefined, end: () => void): Stops {
  let reason: StopReason | undefined;
  let isBlocked = false;
  let timer: NodeJS.Timeout | undefined;
  let waitedMs = 0;

  const look = (): void => {
    const busy = busyWith(interrupt);
    isBlocked = busy === "call" && waitedMs >= BLOCKED_MS && reason !== "SIGINT";
    if (busy === "nothing" || isBlocked) {
      end();
      return;
    }
    if (busy === "call" && waitedMs === GRACE_MS && reason === "SIGINT")
      note("stopping: the guest waits for a call of the host; Ctrl-C again ends it at once\n");
    waitedMs += LOOK_MS;
    timer = setTimeout(look, LOOK_MS);
  };
  const stop = (why: StopReason): void => {
    reason = why;
    requestStop(interrupt);
    clearTimeout(timer);
    waitedMs = GRACE_MS;
    timer = setTimeout(look, GRACE_MS);
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    // The second one ends at once.
    if (reason === "SIGINT" || reason === "SIGTERM") dieBy(signal);
    else stop(signal as StopReason);
  };
  const close = (): void => {
    clearTimeout(timer);
    for (const signal of SIGNALS) process.removeListener(signal, onSignal);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  if (timeoutMs !== undefined) timer = setTimeout(() => stop("timeout"), timeoutMs);
  return {
    get reason() {
      return reason;
    },
    get isBlocked() {
      return isBlocked;
    },
    close,
  };
}

/** Ends this process by a signal, as if nobody had listened for it. */
export function dieBy(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}
