/**
 * The thread that a guest runs on: its stack is as large as the depth limit needs (spec CLI-WORKER-1). It starts while
 * the main thread reads the module, so it loads nothing but the VM and what stands behind the syscalls.
 */
import { closeSync } from "node:fs";
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import type { Observer } from "../../syscalls/observe.ts";
import { traceFilter, traceJsonLine, traceLine } from "../../syscalls/trace.ts";
import type { ValueType } from "../../vm/bytecode/structure.ts";
import { Stopped } from "../../vm/errors.ts";
import { Module } from "../../vm/module.ts";
import type { Trap } from "../../vm/trap.ts";
import { useHostSha256 } from "../digest.ts";
import { type GuestOptions, type GuestResult, runGuest } from "../guest.ts";
import type { CompiledCode } from "../image.ts";
import { isStopRequested } from "../interrupt.ts";
import { sourcePlaces } from "../source/places.ts";
import { ExitCode, failureOf, usageError } from "./failure.ts";
import { cannotWrite, openRecording, readBeside, readRecording } from "./files.ts";
import { parseInvocation, printValue } from "./guest-values.ts";
import type { GuestMessage, RunRequest, RunResult, TraceRequest, TrapSite, WorkerStart } from "./run-messages.ts";
import { openStdin } from "./stdin.ts";
import { doublePause, errorCode, isReaderGone, note, plain, readSome, STDERR, STDOUT, writeFully } from "./terminal.ts";

const LINE_END = 10;
const NEW_LINE = Uint8Array.of(LINE_END);
/** True when the last byte written to stdout was no line end. */
let openLine = false;

function writeStdout(bytes: Uint8Array): void {
  try {
    writeFully(STDOUT, bytes);
  } catch (error) {
    // Nobody reads on. What SIGPIPE does to other programs; it ends this thread, so nothing below is reached.
    if (isReaderGone(error)) process.exit(ExitCode.PIPE);
    throw error;
  }
  openLine = bytes[bytes.length - 1] !== LINE_END;
}

function writeStderr(bytes: Uint8Array): void {
  try {
    writeFully(STDERR, bytes);
  } catch (error) {
    if (!isReaderGone(error)) throw error;
  }
}

function writeLog(line: Uint8Array): void {
  const whole = new Uint8Array(line.length + 1);
  whole.set(line);
  whole[line.length] = LINE_END;
  writeStderr(whole);
}

function run(
  { request, interrupt }: WorkerStart,
  { bytes, digest, code, snapshot, keepCode }: GuestMessage,
): RunResult {
  let moduleDigest: string | undefined;
  let guestCode: CompiledCode | undefined;
  try {
    const module = code === undefined ? Module.decode(bytes) : Module.known(bytes, digest);
    if (request.moduleDigest) moduleDigest = module.digest;
    const live = request.replay === undefined;
    const options = {
      ...shared(request, module),
      interrupt,
      ...(code !== undefined && { code }),
      ...(keepCode && { keepCode: (made: CompiledCode) => void (guestCode = made) }),
    };
    const { result, types } = live
      ? runLive(request, module, { ...options, ...(snapshot && { snapshot }) })
      : runReplay(request, module, options);
    printResults(types, result);
    const made = { ...(moduleDigest !== undefined && { moduleDigest }), ...(guestCode !== undefined && { guestCode }) };
    return { ...reply(result, module, request), ...made };
  } catch (error) {
    const failure = failureOf(error, placeOf(error, request));
    const ended = { outcome: "error", exitCode: failure.exitCode, failure, fuelUsed: 0n, durationMs: 0 } as const;
    return { ...ended, openLine, ...(moduleDigest !== undefined && { moduleDigest }) };
  }
}

/** What a run and its replay have in common. */
function shared({ log, trace, engine, profile }: RunRequest, module: Module): GuestOptions {
  return {
    module,
    profile,
    ...(!profile && { engine }),
    note: tell,
    stdout: writeStdout,
    stderr: writeStderr,
    ...(log && { log: writeLog }),
    ...(trace !== undefined && { observe: tracer(trace) }),
  };
}

function tell(text: string): void {
  note(`note: ${plain(text)}\n`);
}

interface Run {
  readonly result: GuestResult;
  /** Of the results; none are printed of an entry point. */
  readonly types: readonly ValueType[];
}

/** Standard input; the guest does not wait there longer than until it is to stop. */
function inputUntilStopped(interrupt: Int32Array): (into: Uint8Array) => number {
  let fd: number | undefined;
  const wait = (ms: number): number => {
    const next = doublePause(ms, interrupt);
    if (isStopRequested(interrupt)) throw new Stopped();
    return next;
  };
  return (into) => {
    fd ??= openStdin();
    return readSome(fd, into, wait);
  };
}

type Shared = GuestOptions & { readonly interrupt: Int32Array };

function runLive(request: RunRequest, module: Module, options: Shared): Run {
  const { grants, args, name, limits, fuel, stateDigest, record, unknownImports } = request;
  const invoke = request.invoke === undefined ? undefined : parseInvocation(module, request.invoke);
  const result = runGuest({
    ...options,
    args,
    grants,
    limits,
    stateDigest,
    ...(grants.stdin === undefined && {
      stdin: request.stdin ? inputUntilStopped(options.interrupt) : new Uint8Array(0),
    }),
    ...(name !== undefined && { name }),
    ...(fuel !== undefined && { fuel }),
    ...(unknownImports !== undefined && { unknownImports }),
    ...(invoke !== undefined && { invoke }),
    ...(request.preinit && { preinit: request.preinit }),
    ...(record !== undefined && { record: (piece) => writeFully(record, piece) }),
  });
  return { result, types: invoke?.type.results ?? [] };
}

function runReplay(request: RunRequest, module: Module, options: Shared): Run {
  const fd = openRecording(request.replay!);
  try {
    const result = runGuest({ ...options, replay: (into) => readRecording(fd, into) });
    const invoked = module.exports.find(({ name }) => name === result.invoked)?.type;
    return { result, types: invoked?.kind === "function" ? invoked.type.results : [] };
  } finally {
    closeSync(fd);
  }
}

/** Writes a line for each call that is to be shown. */
function tracer({ patterns, json, fd }: TraceRequest): Observer {
  const isShown = filterOf(patterns);
  return (event) => {
    if (!isShown(event)) return;
    const line = Buffer.from(`${json ? traceJsonLine(event) : traceLine(event)}\n`);
    try {
      if (fd === STDERR) writeStderr(line);
      else writeFully(fd, line);
    } catch (error) {
      throw cannotWrite("CLI-TRACE", "trace", error);
    }
  };
}

function filterOf(patterns: readonly string[]): ReturnType<typeof traceFilter> {
  try {
    return traceFilter(patterns);
  } catch (error) {
    if (error instanceof RangeError) throw usageError(`--trace=${patterns.join(",")}: ${error.message}`);
    throw error;
  }
}

function printResults(types: readonly ValueType[], { results }: GuestResult): void {
  let text = "";
  for (const [index, type] of types.entries())
    if (index < results.length) text += `${printValue(type, results[index]!)}\n`;
  if (text === "") return;
  if (openLine) writeStdout(NEW_LINE);
  writeStdout(Buffer.from(text));
}

/** What an error is about: the store, or the module. */
function placeOf(error: unknown, { module, grants: { store } }: RunRequest): string {
  return store !== undefined && errorCode(error)?.startsWith("ASL-") ? store.host : module;
}

/** The result as a message. */
function reply(result: GuestResult, module: Module, request: RunRequest): RunResult {
  const { outcome, fuelUsed, durationMs, stateDigest, trap, engine, profile, snapshot } = result;
  const { error } = result;
  const failure = error === undefined ? undefined : failureOf(error, placeOf(error, request));
  return {
    outcome,
    exitCode: failure?.exitCode ?? result.exitCode,
    fuelUsed,
    durationMs,
    openLine,
    ...(engine !== undefined && { engine }),
    ...(trap !== undefined && { trap: siteOf(trap, module, request.module) }),
    ...(failure !== undefined && { failure }),
    ...(stateDigest !== undefined && { stateDigest }),
    ...(profile !== undefined && { profile }),
    ...(snapshot !== undefined && { snapshot }),
  };
}

function siteOf(trap: Trap, { structure }: Module, path: string): TrapSite {
  const { code, reason: name, message, function: index, offset } = trap;
  const offsets = trap.backtrace.map((frame) => frame.offset);
  const places = sourcePlaces(structure, offsets, (map) => readBeside(path, map));
  const backtrace = trap.backtrace.map((frame) => {
    const sources = places.get(frame.offset);
    return sources === undefined ? frame : { ...frame, sources };
  });
  return { code, name, message, function: index, offset, backtrace };
}

/** The module. It may be there before this thread is. */
function receiveGuest(port: MessagePort): Promise<GuestMessage> | GuestMessage {
  const early = receiveMessageOnPort(port);
  return early !== undefined ? early.message : new Promise((resolve) => port.once("message", resolve));
}

/** Bytes of code from which on it is worth while. */
const LARGE_CODE = 1_000_000;

/**
 * Runs `run` while V8 validates functions of guests when they are first called: kept code was valid when it was made. V8 does
 * not use what was kept of JavaScript under other flags, so they change neither before a thread has started nor for good.
 */
function lazily<T>(code: CompiledCode | undefined, run: () => T): T {
  if (code === undefined || code.bytes.length < LARGE_CODE) return run();
  const { setFlagsFromString } = process.getBuiltinModule("node:v8");
  setFlagsFromString("--wasm-lazy-validation");
  try {
    return run();
  } finally {
    setFlagsFromString("--no-wasm-lazy-validation");
  }
}

async function answer(port: MessagePort, start: WorkerStart): Promise<void> {
  const { request } = start;
  const guest = await receiveGuest(port);
  if (request.moduleDigest) useHostSha256(guest.bytes.length);
  const result = lazily(guest.code, () => run(start, guest));
  port.postMessage(start.code === undefined ? result : { ...result, code: start.code() });
}

void answer(parentPort!, workerData);
