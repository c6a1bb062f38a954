/** `ashlar run`, on the main thread: starts the worker, reads the module meanwhile, tells how the guest ended. */
import { SHARE_ENV, Worker } from "node:worker_threads";
import { type CompiledCode, readImage, writeImage } from "../image.ts";
import { createInterrupt } from "../interrupt.ts";
import type { Arguments, Context } from "./arguments.ts";
import { type Cache, entryName, openCache } from "./cache.ts";
import { describeFailure, ExitCode, type Failure, failureOf } from "./failure.ts";
import { type Guest, readGuest } from "./module-file.ts";
import type { ProfileFile } from "./profile.ts";
import { grouped } from "./quantities.ts";
import { openReport, writeReport } from "./report.ts";
import { MOST_DEPTH, openProfiles, openRequest, requestOf, timeoutOf } from "./request.ts";
import type { GuestMessage, RunRequest, RunResult, WorkerStart } from "./run-messages.ts";
import { dieBy, STOP_CODES, type Stops, watchStops } from "./stop.ts";
import { DIM_STYLE, ERROR_STYLE, errorCode, isReaderGone, note, plain, styled } from "./terminal.ts";

/** Stack that is reserved for a slot, in bytes: twice the most that V8 was seen to take. */
const SLOT_BYTES = 64;
const LEAST_STACK_MB = 64;

export async function run(args: Arguments, context: Context): Promise<number> {
  let request = requestOf(args);
  const timeoutMs = timeoutOf(args);
  const reportPath = args.options.get("report")?.[0];
  const report = reportPath === undefined ? undefined : openReport(reportPath);
  let result: RunResult;
  let stops: Stops | undefined;
  let keep = (): void => {};
  try {
    request = await openRequest(request, args);
    const profiles = openProfiles(args);
    ({ result, stops, keep } = await runOnThread(request, {
      ...context,
      timeoutMs,
      mayCache: !args.options.has("no-cache"),
    }));
    result = await writeProfile(profiles, request, result);
  } catch (error) {
    result = failed(failureOf(error, request.module));
  }
  await tell(request, result, args.options.has("summary"));
  if (report !== undefined) {
    try {
      writeReport(report, request, result);
    } catch (error) {
      if (isReaderGone(error)) return ExitCode.PIPE;
      throw error;
    }
  }
  keep();
  if (result.outcome === "stopped" && stops !== undefined) end(stops);
  return result.exitCode;
}

/** Writes what `--profile` asks for, where the guest ran; that it cannot be is told beside how the guest ended. */
async function writeProfile(files: readonly ProfileFile[], request: RunRequest, result: RunResult): Promise<RunResult> {
  if (result.profile === undefined || result.failure !== undefined) return result;
  try {
    const { writeProfiles } = await import("./profile.ts");
    writeProfiles(files, result.profile, request.module);
    return result;
  } catch (error) {
    const failure = failureOf(error);
    return { ...result, outcome: "error", exitCode: failure.exitCode, failure };
  }
}

/** Everything is told and written. A signal ends the process as if it had not been listened for, so that a shell's loop ends too. */
export function end({ reason, isBlocked }: Stops): void {
  if (reason === "SIGINT" || reason === "SIGTERM") dieBy(reason);
  // Its thread would be waited for.
  else if (isBlocked) dieBy("SIGKILL");
}

interface Ended {
  readonly result: RunResult;
  readonly stops: Stops;
  /** Puts what the run made into the cache. */
  keep(): void;
}

interface ThreadOptions extends Context {
  readonly timeoutMs: number | undefined;
  readonly mayCache: boolean;
}

/** `read` is called while the thread starts. */
export async function runOnThread(
  request: RunRequest,
  options: ThreadOptions,
  read: () => Promise<Guest> = () => readGuest(request.module),
): Promise<Ended> {
  const interrupt = createInterrupt();
  const ready = new Int32Array(new SharedArrayBuffer(4));
  const keepCode = options.mayCache && options.workerDigest !== undefined;
  const stackMb = Math.ceil((Math.min(request.limits.depth, MOST_DEPTH) * SLOT_BYTES) / 1_000_000);
  const worker = new Worker(options.worker, {
    workerData: { request, interrupt, ready, keepCode } satisfies WorkerStart,
    // No guest sees it, and a copy takes time.
    env: SHARE_ENV,
    // The worker writes to the streams itself; not connecting these saves a millisecond.
    stdin: true,
    stdout: true,
    stderr: true,
    resourceLimits: { stackSizeMb: Math.max(LEAST_STACK_MB, stackMb) },
  });
  const { ended, giveUp } = resultOf(worker, request.module);
  try {
    // While the thread starts there is time for this.
    const cache = options.mayCache ? openCache(process.env, (text) => note(`note: ${plain(text)}\n`)) : undefined;
    if (options.workerDigest !== undefined) sendCode(worker, ready, cache?.read(codeName(options.workerDigest)));
    const guest = await read();
    const entry = compiledEntry(request, guest, cache, options.workerDigest);
    // Until here a signal ends the process at once: nothing of the guest has run.
    const stops = watchStops(interrupt, options.timeoutMs, () => giveUp(stops.isBlocked));
    const message: GuestMessage = { ...guest, code: guest.code ?? entry?.code, keepCode: entry?.keep === true };
    worker.postMessage(message, buffersOf(message));
    const result = await ended;
    stops.close();
    const keep = (): void => {
      if (result.code !== undefined) cache?.write(codeName(options.workerDigest!), result.code);
      if (result.guestCode !== undefined)
        cache?.write(entry!.name, writeImage({ module: new Uint8Array(0), code: result.guestCode }));
    };
    const exitCode = result.outcome === "stopped" && stops.reason ? STOP_CODES[stops.reason] : result.exitCode;
    return { result: { ...result, exitCode }, stops, keep };
  } catch (error) {
    // It still waits for the module; its end says nothing more.
    worker.removeAllListeners();
    await worker.terminate();
    throw error;
  }
}

/** What is handed over; of an image all are parts of one buffer. */
function buffersOf({ bytes, code, snapshot }: GuestMessage): ArrayBuffer[] {
  return [...new Set([bytes.buffer, code?.bytes.buffer, snapshot?.buffer])].filter(
    (buffer) => buffer instanceof ArrayBuffer,
  );
}

function sendCode(worker: Worker, ready: Int32Array, code: Uint8Array<ArrayBuffer> | undefined): void {
  worker.postMessage(code, code === undefined ? [] : [code.buffer]);
  Atomics.store(ready, 0, 1);
  Atomics.notify(ready, 0);
}

/** What V8 made of the worker's code is for this code and this V8. */
function codeName(digest: string): string {
  return entryName("code", digest, process.version, process.arch);
}

/** Bytes from which on a module's code is kept: less is compiled as fast as it is read. */
const KEPT_MODULE_BYTES = 4_096;

interface CompiledEntry {
  readonly name: string;
  readonly code: CompiledCode | undefined;
  /** True: it is not there. */
  readonly keep: boolean;
}

/** What the cache has of a guest; undefined when it is not to be asked. The command's own code determines the compiler, and the calls that guests import. */
function compiledEntry(
  { engine, profile }: RunRequest,
  { bytes, code }: Guest,
  cache: Cache | undefined,
  workerDigest: string | undefined,
): CompiledEntry | undefined {
  if (cache === undefined || workerDigest === undefined || code !== undefined) return undefined;
  if (engine !== "compiled" || profile || bytes.length < KEPT_MODULE_BYTES) return undefined;
  const name = entryName("image", bytes, workerDigest);
  const found = cache.read(name);
  try {
    return { name, code: found && readImage(found, true).code, keep: found === undefined };
  } catch {
    return { name, code: undefined, keep: true };
  }
}

interface Answer {
  /** What the worker says at the end, or why it could not. */
  readonly ended: Promise<RunResult>;
  /** Ends it without an answer; one that is blocked ends with the process. */
  giveUp(isBlocked: boolean): void;
}

function resultOf(worker: Worker, module: string): Answer {
  let giveUp: Answer["giveUp"] = () => {};
  const started = process.hrtime.bigint();
  const ended = new Promise<RunResult>((resolve) => {
    let answered = false;
    const answer = (result: RunResult): void => {
      answered = true;
      resolve(result);
    };
    giveUp = (isBlocked) => {
      const durationMs = Number((process.hrtime.bigint() - started) / 1000n) / 1000;
      const fuelUsed = undefined;
      answer({ outcome: "stopped", exitCode: ExitCode.INTERRUPT, fuelUsed, durationMs, openLine: false });
      if (!isBlocked) void worker.terminate();
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
  return { ended, giveUp: (isBlocked) => giveUp(isBlocked) };
}

function failed(failure: Failure): RunResult {
  const { exitCode } = failure;
  return { outcome: "error", exitCode, failure, fuelUsed: 0n, durationMs: 0, openLine: false };
}

/** Says on stderr how it ended, unless all is well. */
export async function tell(request: RunRequest, result: RunResult, summary: boolean): Promise<void> {
  if (result.failure !== undefined) note(describeFailure(result.failure));
  if (result.trap !== undefined) {
    const { describeTrap } = await import("./trap-text.ts");
    note(describeTrap(result.trap, request, result.fuelUsed ?? 0n));
  }
  if (result.outcome === "stopped") note(`${styled(ERROR_STYLE, "stopped:")} ${STOPPED[result.exitCode]}\n`);
  if (result.trap !== undefined || result.outcome === "stopped") tellLost(request);
  if (!summary || result.outcome === "error") return;
  const ending = result.outcome === "exit" ? `exit ${result.exitCode}` : result.outcome.replaceAll("-", " ");
  const fuel = result.fuelUsed === undefined ? "" : ` ${grouped(result.fuelUsed)} units of fuel,`;
  const seconds = (result.durationMs / 1000).toFixed(3);
  note(`${styled(DIM_STYLE, `ashlar: ${ending},${fuel} ${seconds} s`)}\n`);
}

/** What is kept of no guest that did not end by itself. */
function tellLost({ grants: { tmp = [], store } }: RunRequest): void {
  const why = "because the guest did not end by itself";
  for (const { host } of tmp) if (host !== undefined) note(`note: ${plain(host)}: nothing was copied back, ${why}\n`);
  if (store !== undefined && store.readOnly !== true) note(`note: ${plain(store.host)}: nothing was stored, ${why}\n`);
}

/** By the exit code. */
const STOPPED: { readonly [code: number]: string } = {
  [ExitCode.TIMEOUT]: "it ran for as long as --timeout allows",
  [ExitCode.INTERRUPT]: "interrupted",
  [ExitCode.TERMINATED]: "terminated",
};
