/**
 * The thread that a guest runs on: its stack is as large as the depth limit needs (spec CLI-WORKER-1). It starts while
 * the main thread reads the module, so it loads nothing but the VM and what stands behind the syscalls.
 */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import type { ValueType } from "../../vm/bytecode/structure.ts";
import { Module } from "../../vm/module.ts";
import type { Trap } from "../../vm/trap.ts";
import { type GuestResult, runGuest, useHostSha256 } from "../guest.ts";
import { ExitCode, failureOf } from "./failure.ts";
import { parseInvocation, printValue } from "./guest-values.ts";
import type { RunRequest, RunResult, TrapSite } from "./run-messages.ts";
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
    const invoke = request.invoke === undefined ? undefined : parseInvocation(module, request.invoke);
    const { grants, args, limits, fuel, stateDigest } = request;
    const result = runGuest({
      module,
      args,
      grants,
      limits,
      stateDigest,
      stdout: writeStdout,
      stderr: writeStderr,
      note: (text) => note(`note: ${plain(text)}\n`),
      ...(grants.stdin === undefined && { stdin: request.stdin ? (into) => readSome(STDIN, into) : new Uint8Array(0) }),
      ...(request.log && { log: writeLog }),
      ...(fuel !== undefined && { fuel }),
      ...(invoke !== undefined && { invoke }),
    });
    if (invoke !== undefined) printResults(invoke.type.results, result);
    return { ...reply(result, request.module), ...(moduleDigest !== undefined && { moduleDigest }) };
  } catch (error) {
    const failure = failureOf(error, request.module);
    const ended = { outcome: "error", exitCode: failure.exitCode, failure, fuelUsed: 0n, durationMs: 0 } as const;
    return { ...ended, openLine, ...(moduleDigest !== undefined && { moduleDigest }) };
  }
}

function printResults(types: readonly ValueType[], { results }: GuestResult): void {
  let text = "";
  for (const [index, result] of results.entries()) text += `${printValue(types[index]!, result)}\n`;
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
