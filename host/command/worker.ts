/**
 * The thread that a guest runs on: its stack is as large as the depth limit needs (spec CLI-WORKER-1). It starts while
 * the main thread reads the module, so it loads nothing but the VM and what stands behind the syscalls.
 */
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { Exit } from "../../syscalls/exit.ts";
import type { Instance } from "../../vm/instance.ts";
import { Module } from "../../vm/module.ts";
import { injectSha256 } from "../../vm/sha256.ts";
import { Store } from "../../vm/store.ts";
import { Trap, TrapCode } from "../../vm/trap.ts";
import { type Abi, createAbi, type Mount } from "../abi.ts";
import { directoryFileSystem } from "../fs/directory.ts";
import { CommandError, ExitCode, failureOf } from "./failure.ts";
import { parseInvocation, printValue } from "./guest-values.ts";
import type { RunRequest, RunResult } from "./run-messages.ts";
import { isReaderGone, readSome, STDERR, STDIN, STDOUT, writeFully } from "./terminal.ts";

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

function abiFor(request: RunRequest): Abi {
  const mounts = request.grants.map(({ host, guest, readOnly }): Mount => {
    return { guest, readOnly, fs: directoryFileSystem(host) };
  });
  return createAbi({
    args: request.args,
    mounts,
    stdin: request.stdin ? (into) => readSome(STDIN, into) : new Uint8Array(0),
    stdout: writeStdout,
    stderr: writeStderr,
    ...(request.log && {
      log: (line: Uint8Array) => {
        const whole = new Uint8Array(line.length + 1);
        whole.set(line);
        whole[line.length] = LINE_END;
        writeStderr(whole);
      },
    }),
  });
}

/** The exported function that `ashlar run` calls when none is named (spec CLI-ENTRY-1). */
function entryPoint(module: Module): string {
  for (const name of ["_start", "main"]) {
    const found = module.exports.find((entry) => entry.name === name && entry.type.kind === "function");
    if (found?.type.kind !== "function") continue;
    const { params, results } = found.type.type;
    const fits = params.length === 0 && (results.length === 0 || (name === "main" && results.join() === "i32"));
    if (fits) return name;
    throw new CommandError(
      "CLI-ENTRY",
      ExitCode.FAILURE,
      `The exported function ${name} has the type (${params.join(" ")}) -> (${results.join(" ")}).`,
      `An entry point takes no parameters: _start gives no result, main none or an i32. To call ${name} with arguments: --invoke '${name}(…)'`,
    );
  }
  throw new CommandError(
    "CLI-ENTRY",
    ExitCode.FAILURE,
    "The module exports neither a function _start nor main.",
    "Name the function to call: --invoke 'NAME(ARG, …)'. `ashlar inspect` lists the exports.",
  );
}

/** Runs the guest to its end and answers its exit code. */
function call(module: Module, instance: Instance, invoke: string | undefined): number {
  if (invoke === undefined) {
    const [result] = instance.invoke(entryPoint(module));
    // The low eight bits, as operating systems take them.
    return typeof result === "number" ? result & 255 : ExitCode.OK;
  }
  const { name, type, values } = parseInvocation(module, invoke);
  const results = instance.invoke(name, values, { bits: true });
  let text = "";
  for (const [index, result] of results.entries()) text += `${printValue(type.results[index]!, result)}\n`;
  if (text !== "") {
    if (openLine) writeStdout(NEW_LINE);
    writeStdout(Buffer.from(text));
  }
  return ExitCode.OK;
}

function run(request: RunRequest, bytes: Uint8Array): RunResult {
  let store: Store | undefined;
  let instance: Instance | undefined;
  let moduleDigest: string | undefined;
  let start = process.hrtime.bigint();
  const ended = (part: Pick<RunResult, "outcome" | "exitCode" | "trap" | "failure">): RunResult => {
    const nanoseconds = Number(process.hrtime.bigint() - start);
    return {
      ...part,
      fuelUsed: store?.fuelUsed ?? 0n,
      durationMs: Math.round(nanoseconds / 1000) / 1000,
      openLine,
      ...(moduleDigest !== undefined && { moduleDigest }),
      ...(request.stateDigest && instance !== undefined && { stateDigest: instance.stateDigest() }),
    };
  };
  try {
    const module = Module.decode(bytes);
    if (request.moduleDigest) moduleDigest = module.digest;
    // What is asked for must exist before the start function has effects.
    if (request.invoke === undefined) entryPoint(module);
    else parseInvocation(module, request.invoke);
    const { imports, kinds, check } = abiFor(request);
    store = new Store({
      limits: request.limits,
      kinds,
      ...(request.fuel !== undefined && { fuel: request.fuel }),
    });
    start = process.hrtime.bigint();
    instance = module.instantiate({ store, imports, check });
    return ended({ outcome: "exit", exitCode: call(module, instance, request.invoke) });
  } catch (error) {
    if (error instanceof Exit) return ended({ outcome: "exit", exitCode: error.exitCode });
    if (!(error instanceof Trap)) {
      const failure = failureOf(error, request.module);
      return ended({ outcome: "error", exitCode: failure.exitCode, failure });
    }
    const { code, reason: name, message, function: index, offset, backtrace } = error;
    const outcome = code === TrapCode.OutOfFuel ? "out-of-fuel" : "trap";
    const trap = { code, name, message, function: index, offset, backtrace };
    return ended({ outcome, exitCode: ExitCode.TRAP, trap });
  }
}

/** Node.js's own SHA-256. Loading it costs more than hashing a small module does, but a state may be gigabytes. */
async function useHostSha256(): Promise<void> {
  const { createHash } = await import("node:crypto");
  injectSha256(() => {
    const hash = createHash("sha256");
    return { update: (bytes) => void hash.update(bytes), digest: () => new Uint8Array(hash.digest()) };
  });
}

/** The module's bytes. They may be there before this thread is. */
function receiveModule(port: MessagePort): Promise<Uint8Array> | Uint8Array {
  const early = receiveMessageOnPort(port);
  return early !== undefined ? early.message : new Promise((resolve) => port.once("message", resolve));
}

async function answer(port: MessagePort, request: RunRequest): Promise<void> {
  const bytes = await receiveModule(port);
  if (request.stateDigest || (request.moduleDigest && bytes.length > LARGE_MODULE)) await useHostSha256();
  port.postMessage(run(request, bytes));
}

void answer(parentPort!, workerData);
