/** `ashlar run`, on the main thread: starts the worker, reads the module meanwhile, tells how the guest ended. */
import { SHARE_ENV, Worker } from "node:worker_threads";
import type { Arguments, Context } from "./arguments.ts";
import { describeFailure, ExitCode, type Failure, failureOf } from "./failure.ts";
import { readModule } from "./module-file.ts";
import { openReport, writeReport } from "./report.ts";
import { MOST_DEPTH, openRequest, requestOf } from "./request.ts";
import type { RunRequest, RunResult, TrapSite } from "./run-messages.ts";
import { DIM_STYLE, ERROR_STYLE, errorCode, isReaderGone, note, plain, styled } from "./terminal.ts";

/** Stack that is reserved for a slot, in bytes: twice the most that V8 was seen to take. */
const SLOT_BYTES = 64;
const LEAST_STACK_MB = 64;

export async function run(args: Arguments, context: Context): Promise<number> {
  let request = requestOf(args);
  const reportPath = args.options.get("report")?.[0];
  const report = reportPath === undefined ? undefined : openReport(reportPath);
  let result: RunResult;
  try {
    request = await openRequest(request, args);
    result = await runOnThread(request, context);
  } catch (error) {
    result = failed(failureOf(error, request.module));
  }
  tell(request, result, args.options.has("summary"));
  if (report !== undefined) {
    try {
      writeReport(report, request, result);
    } catch (error) {
      if (isReaderGone(error)) return ExitCode.PIPE;
      throw error;
    }
  }
  return result.exitCode;
}

async function runOnThread(request: RunRequest, context: Context): Promise<RunResult> {
  const stackMb = Math.ceil((Math.min(request.limits.depth, MOST_DEPTH) * SLOT_BYTES) / 1_000_000);
  const worker = new Worker(context.worker, {
    workerData: request,
    // No guest sees it, and a copy takes time.
    env: SHARE_ENV,
    // The worker writes to the streams itself; not connecting these saves a millisecond.
    stdin: true,
    stdout: true,
    stderr: true,
    resourceLimits: { stackSizeMb: Math.max(LEAST_STACK_MB, stackMb) },
  });
  const ended = resultOf(worker, request.module);
  try {
    const bytes = await readModule(request.module);
    worker.postMessage(bytes, [bytes.buffer]);
    return await ended;
  } catch (error) {
    // It still waits for the module; its end says nothing more.
    worker.removeAllListeners();
    await worker.terminate();
    throw error;
  }
}

/** What the worker says at the end, or why it could not. */
function resultOf(worker: Worker, module: string): Promise<RunResult> {
  return new Promise((resolve) => {
    let answered = false;
    const answer = (result: RunResult): void => {
      answered = true;
      resolve(result);
    };
    worker.once("message", answer);
    worker.once("error", (error) => {
      const memory: Failure = {
        code: "CLI-MEMORY",
        message: "The guest's thread ran out of memory.",
        exitCode: ExitCode.FAILURE,
        where: module,
        hint: "--max-memory limits what the guest may take.",
      };
      answer(failed(errorCode(error) === "ERR_WORKER_OUT_OF_MEMORY" ? memory : failureOf(error, module)));
    });
    // It ends without a word only when nobody reads the guest's output any more: then quietly. Its last message may be
    // heard in the same turn as its end, before anyone waiting for the promise.
    worker.once("exit", (code) => {
      if (!answered) process.exit(code);
    });
  });
}

function failed(failure: Failure): RunResult {
  const { exitCode } = failure;
  return { outcome: "error", exitCode, failure, fuelUsed: 0n, durationMs: 0, openLine: false };
}

/** Says on stderr how it ended, unless all is well. */
function tell(request: RunRequest, result: RunResult, summary: boolean): void {
  if (result.failure !== undefined) note(describeFailure(result.failure));
  if (result.trap !== undefined) note(describeTrap(result.trap, request, result.fuelUsed));
  if (!summary || result.outcome === "error") return;
  const ending = result.outcome === "exit" ? `exit ${result.exitCode}` : result.outcome.replaceAll("-", " ");
  const seconds = (result.durationMs / 1000).toFixed(3);
  note(`${styled(DIM_STYLE, `ashlar: ${ending}, ${grouped(result.fuelUsed)} units of fuel, ${seconds} s`)}\n`);
}

function grouped(count: bigint): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

function describeTrap(trap: TrapSite, request: RunRequest, fuelUsed: bigint): string {
  const lines = [`${styled(ERROR_STYLE, "trap:")} ${plain(trap.message)} [${trap.name}]`];
  const width = Math.max(0, ...trap.backtrace.map((frame) => nameOf(frame.name).length));
  const frames = trap.backtrace.map(
    ({ name, function: index, offset }) =>
      `  at ${nameOf(name).padEnd(width)}  function ${index}, offset 0x${offset.toString(16)}`,
  );
  for (let at = 0, next = 0; at < frames.length; at = next) {
    while (next < frames.length && frames[next] === frames[at]) next++;
    lines.push(frames[at]!);
    if (next - at > 1) lines.push(`     ${next - at - 1} more times`);
  }
  lines.push(styled(DIM_STYLE, `  in ${plain(request.module)}, after ${grouped(fuelUsed)} units of fuel`));
  const hint = hintOf(trap, request);
  if (hint !== undefined) lines.push(`  ${hint}`);
  return `${lines.join("\n")}\n`;
}

function nameOf(name: string | undefined): string {
  return name === undefined ? "(no name)" : plain(name);
}

function hintOf(trap: TrapSite, request: RunRequest): string | undefined {
  switch (trap.name) {
    case "OutOfFuel":
      return `The limit was ${grouped(request.fuel ?? 0n)}; --fuel sets it.`;
    case "StackExhausted":
      return `The limit was ${grouped(BigInt(request.limits.depth))} slots; --max-depth sets it.`;
    case "MissingCapability":
      return trap.message.includes('"fs"')
        ? "Grant a folder with --dir HOST::GUEST, with :ro to read only, or with --tmp GUEST one in memory."
        : undefined;
    default:
      return undefined;
  }
}
