/**
 * The thread that a guest runs on: its stack is as large as the depth limit needs (spec CLI-WORKER-1). It starts while
 * the main thread reads the module, so it loads nothing but the VM and what stands behind the syscalls.
 */
import { closeSync } from "node:fs";
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import type { Observer } from "../../syscalls/observe.ts";
import { traceFilter, traceJsonLine, traceLine } from "../../syscalls/trace.ts";
import type { ValueType } from "../../vm/bytecode/structure.ts";
import { Module } from "../../vm/module.ts";
import type { Trap } from "../../vm/trap.ts";
import { type GuestOptions, type GuestResult, runGuest, useHostSha256 } from "../guest.ts";
import { ExitCode, failureOf, usageError } from "./failure.ts";
import { cannotWrite, openRecording, readRecording } from "./files.ts";
import { parseInvocation, printValue } from "./guest-values.ts";
import type { RunRequest, RunResult, TraceRequest, TrapSite } from "./run-messages.ts";
import { isReaderGone, note, plain, readSome, STDERR, STDIN, STDOUT, writeFully } from "./terminal.ts";

const LINE_END = 10;
/** Bytes from which on a module is hashed by Node.js. */
const LARGE_MODULE = 1_000_000;
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

function run(request: RunRequest, bytes: Uint8Array): RunResult {
  let moduleDigest: string | undefined;
  try {
    const module = Module.decode(bytes);
    if (request.moduleDigest) moduleDigest = module.digest;
    const { result, types } = request.replay === undefined ? runLive(request, module) : runReplay(request, module);
    printResults(types, result);
    return { ...reply(result, request.module), ...(moduleDigest !== undefined && { moduleDigest }) };
  } catch (error) {
    const failure = failureOf(error, request.module);
    const ended = { outcome: "error", exitCode: failure.exitCode, failure, fuelUsed: 0n, durationMs: 0 } as const;
    return { ...ended, openLine, ...(moduleDigest !== undefined && { moduleDigest }) };
  }
}

/** What a run and its replay have in common. */
function shared({ log, trace }: RunRequest, module: Module): GuestOptions {
  return {
    module,
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

function runLive(request: RunRequest, module: Module): Run {
  const { grants, args, limits, fuel, stateDigest, record } = request;
  const invoke = request.invoke === undefined ? undefined : parseInvocation(module, request.invoke);
  const result = runGuest({
    ...shared(request, module),
    args,
    grants,
    limits,
    stateDigest,
    note: tell,
    ...(grants.stdin === undefined && { stdin: request.stdin ? (into) => readSome(STDIN, into) : new Uint8Array(0) }),
    ...(fuel !== undefined && { fuel }),
    ...(invoke !== undefined && { invoke }),
    ...(record !== undefined && { record: (piece) => writeFully(record, piece) }),
  });
  for (const { host } of grants.tmp ?? [])
    if (host !== undefined && result.trap !== undefined)
      tell(`${host}: nothing was copied back, because the guest did not end by itself`);
  return { result, types: invoke?.type.results ?? [] };
}

function runReplay(request: RunRequest, module: Module): Run {
  const fd = openRecording(request.replay!);
  try {
    const result = runGuest({ ...shared(request, module), replay: (into) => readRecording(fd, into) });
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

/** The result as a message. */
function reply(result: GuestResult, module: string): RunResult {
  const { outcome, fuelUsed, durationMs, stateDigest, trap } = result;
  const failure = result.error === undefined ? undefined : failureOf(result.error, module);
  return {
    outcome,
    exitCode: failure?.exitCode ?? result.exitCode,
    fuelUsed,
    durationMs,
    openLine,
    ...(trap !== undefined && { trap: siteOf(trap) }),
    ...(failure !== undefined && { failure }),
    ...(stateDigest !== undefined && { stateDigest }),
  };
}

function siteOf({ code, reason: name, message, function: index, offset, backtrace }: Trap): TrapSite {
  return { code, name, message, function: index, offset, backtrace };
}

/** The module's bytes. They may be there before this thread is. */
function receiveModule(port: MessagePort): Promise<Uint8Array> | Uint8Array {
  const early = receiveMessageOnPort(port);
  return early !== undefined ? early.message : new Promise((resolve) => port.once("message", resolve));
}

async function answer(port: MessagePort, request: RunRequest): Promise<void> {
  const bytes = await receiveModule(port);
  if (request.moduleDigest && bytes.length > LARGE_MODULE) useHostSha256();
  port.postMessage(run(request, bytes));
}

void answer(parentPort!, workerData);
