/** One guest, from its module to its end, in one call; what `ashlar run` does with a module (spec CLI-GUEST). */

import type { DispatchOptions, HostFunctions, Tape } from "../syscalls/dispatch.ts";
import { Exit } from "../syscalls/exit.ts";
import type { Observer } from "../syscalls/observe.ts";
import { createRecorder, outcomeOf, type Recorder } from "../syscalls/recording.ts";
import { type Json, RecordingError } from "../syscalls/recording-file.ts";
import { openRecording, type ReplayAbi, ReplayError, replayAbi } from "../syscalls/replay.ts";
import { hostLinkageOf } from "../vm/compiled/linkage.ts";
import { Stopped, UsageError } from "../vm/errors.ts";
import type { Engine } from "../vm/execution.ts";
import type { ProfileRow } from "../vm/fuel-profile.ts";
import type { Kind } from "../vm/heap.ts";
import { type Instance, type InstantiateOptions, restore } from "../vm/instance.ts";
import type { Limits } from "../vm/limits.ts";
import { Module } from "../vm/module.ts";
import { engineOf, Store } from "../vm/store.ts";
import { Trap, TrapCode } from "../vm/trap.ts";
import type { Value } from "../vm/value.ts";
import { type Abi, createAbi } from "./abi.ts";
import type { ArtifactStore } from "./asl/syscalls.ts";
import type { AssetSet } from "./assets/pack.ts";
import { adopt, codeMadeFor } from "./compile.ts";
import { useHostSha256 } from "./digest.ts";
import {
  aboutOf,
  type Called,
  calledAgain,
  calledOf,
  EntryError,
  type Invocation,
  preinitOf,
  unknownImportsAgain,
} from "./entry.ts";
import { GrantError } from "./fs/file-system.ts";
import type { Grants } from "./grants.ts";
import type { CompiledCode } from "./image.ts";
import { beginKeeping } from "./interrupt.ts";
import { openGrants } from "./open-grants.ts";
import type { Input, Output } from "./streams.ts";
import { trapUnknownImports } from "./unknown-imports.ts";

/** Most bytes that are collected of what a guest writes to a stream that nobody takes; then its writes are NO_SPACE. */
export const COLLECTED_BYTES: number = 64 * 1024 * 1024;

export interface GuestOptions {
  /** What to run: decoded, or the bytes of a binary module. */
  readonly module: Module | Uint8Array;
  readonly args?: readonly string[];
  /** What the guest is called, for programs that look at their first argument; `guest` by default. */
  readonly name?: string;
  /** What the guest may touch; nothing of the host by default. */
  readonly grants?: Grants;
  /** Empty by default. Not together with a grant of `stdin`. */
  readonly stdin?: Input | Uint8Array;
  /** What the guest may load into its banks, opened by the caller, who closes it. Not together with a grant of `assets`. */
  readonly assets?: AssetSet;
  /**
   * The artifacts that the guest may read, and make: what `artifactsOf` of `ashlar/store` answers. When the guest has ended by itself
   * what it has sealed is committed, else discarded; the caller closes the store. Not together with a grant of `store`.
   */
  readonly store?: ArtifactStore;
  /** Takes what the guest writes; without it that is collected, up to {@link COLLECTED_BYTES}, for the result. */
  readonly stdout?: Output;
  readonly stderr?: Output;
  /** Hears `sys.log`, a line each, without a line end; the bytes are good only during the call. */
  readonly log?: (line: Uint8Array) => void;
  /** Most fuel that the guest may use; no limit by default. */
  readonly fuel?: bigint;
  readonly limits?: Partial<Limits>;
  /** `compiled` by default, which is faster; nothing but `engine` of the result tells the two apart (spec CLI-ENGINE-1). */
  readonly engine?: Engine;
  /** Compiled code of the module, of an image (spec 19). It is run as it is. What is for another compiler or other imports is not used. */
  readonly code?: CompiledCode;
  /**
   * What a run with `preinit` answered: the guest begins with that state, and nothing is called to initialise it (spec
   * IMAGE-PREINIT-2). Not together with `record` or `preinit`. With `code` it is that of an image, which `readImage` found
   * whole; without, damage is an error as at any restore.
   */
  readonly snapshot?: Uint8Array;
  /**
   * The guest is made ready and not run: its initializer and these exported functions, which take nothing, are called, and the
   * result has a `snapshot` (spec IMAGE-PREINIT-1). Not together with `invoke` or `record`.
   */
  readonly preinit?: readonly string[];
  /** Hears the code that was compiled for the run, where `code` was not used, to be kept for another; its bytes must not be changed. */
  readonly keepCode?: (code: CompiledCode) => void;
  /** The exported function to call, instead of the entry point (spec CLI-ENTRY-1). */
  readonly invoke?: Invocation;
  /** `trap`: imported functions that nothing provides trap when they are called; without it the module does not link. */
  readonly unknownImports?: "trap";
  /**
   * Stops the guest before it begins, or at its next host call (not of its start function): nothing else sees the signal,
   * since this thread is busy with the guest. To stop one that makes no calls give it fuel, or a thread of its own and
   * `interrupt`.
   */
  readonly signal?: AbortSignal;
  /**
   * Two words of shared memory, for another thread to stop the guest with: it stores 1 into the first. The guest then ends
   * at its next host call or, soon, in a loop. While the second is 0 its thread may be terminated (spec CLI-STOP-2).
   */
  readonly interrupt?: Int32Array;
  /** Syscalls of your own: each answers what `defineSyscalls` does, which it hands these options. */
  readonly syscalls?: readonly ((options: DispatchOptions) => OwnSyscalls)[];
  /** True: tell the digest of the state at the end. Costs time that grows with the guest's memory. */
  readonly stateDigest?: boolean;
  /** True: tell where the fuel went (spec PROFILE-FUEL-1). The guest then runs on the reference engine. */
  readonly profile?: boolean;
  /** Hears of each call that the guest makes of the host, when it has ended. */
  readonly observe?: Observer;
  /** Takes a recording of the run (spec 19a), piece by piece, each good only during the call; and tells the digest of the state. */
  readonly record?: Output;
  /**
   * The recording of an earlier run: it is run again without a host, with the same fuel and limits. The module is that of
   * the recording; what differs is an error. Not together with what a recording holds: arguments, grants, fuel, ….
   */
  readonly replay?: Uint8Array | Input;
  /** Hears, a sentence each, what of a folder could not be copied for `tmp`, and that `code` is not used. */
  readonly note?: (text: string) => void;
}

export interface OwnSyscalls {
  readonly imports: HostFunctions;
  readonly kinds?: readonly Kind[];
}

export interface GuestResult {
  /** `stopped`: from outside; `error`: the module is bad, the guest did not run, or the host failed. */
  readonly outcome: "exit" | "trap" | "out-of-fuel" | "stopped" | "error";
  /** What `ashlar run` would exit with: the guest's own code, 134 after a trap or without fuel, 130 when it was stopped, 1 after an error. */
  readonly exitCode: number;
  /** Why the guest was ended, and where; for `trap` and `out-of-fuel`. */
  readonly trap?: Trap;
  /** For `error`. */
  readonly error?: Error;
  /** Name of the function that `invoke` asked for, also of a replay; undefined for the entry point. */
  readonly invoked?: string;
  /** Of the function that was called; empty when it did not return. */
  readonly results: readonly Value[];
  /** Of a guest that was stopped: what had been counted by then, which differs from run to run. */
  readonly fuelUsed: bigint;
  /** The engine that ran; `reference` where the host cannot run compiled code, undefined when nothing ran. */
  readonly engine?: Engine;
  /** SHA-256 in hexadecimal, where it was asked for and there is a state. */
  readonly stateDigest?: string;
  /** The fuel of each stack of calls, each behind that of its caller; where it was asked for and the guest ran. */
  readonly profile?: readonly ProfileRow[];
  /** Of a run with `preinit`. */
  readonly snapshot?: Uint8Array;
  /** What the guest wrote, where no `stdout` or `stderr` took it. */
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  /** From instantiation to the guest's end. */
  readonly durationMs: number;
}

/**
 * Runs a guest to its end. Whatever the module is and the guest does is told by the result; thrown are mistakes of the
 * caller: GrantError, UsageError and TableError for options that make no sense (spec CLI-GUEST-1, 2), and a PackError for assets
 * that cannot be loaded (spec BANK-BOOT-3). Blocks the thread, whose stack must hold the depth that `limits` allow.
 *
 * ```ts
 * const { outcome, exitCode, stdout } = runGuest({
 *   module: readFileSync("checksum.wasm"),
 *   args: ["/texts"],
 *   grants: { dirs: [{ host: "./texts", guest: "/texts", readOnly: true }] },
 *   fuel: 100_000_000n,
 * });
 * ```
 */
export function runGuest(options: GuestOptions): GuestResult {
  const stdout = takeOutput(options.stdout);
  const stderr = takeOutput(options.stderr);
  const outputs = { stdout: stdout.output, stderr: stderr.output };
  const ending = options.replay === undefined ? runLive(options, outputs) : runReplay(options, options.replay, outputs);
  return { ...ending, stdout: stdout.bytes(), stderr: stderr.bytes() };
}

type Ending = Omit<GuestResult, "stdout" | "stderr">;
interface Outputs {
  readonly stdout: Output;
  readonly stderr: Output;
}

function runLive(options: GuestOptions, outputs: Outputs): Ending {
  const { grants = {}, args = [], name, fuel, limits, log, observe, interrupt } = options;
  if (options.stdin !== undefined && grants.stdin !== undefined)
    throw new GrantError("standard input is given and granted as a file: one of both");
  if (options.assets !== undefined && grants.assets !== undefined)
    throw new GrantError("assets are given and granted as files: one of both");
  if (options.assets !== undefined && typeof options.assets?.asset !== "function")
    throw new GrantError("assets are a pack that openPack opened, or a stack that openStack did");
  if (options.store !== undefined && grants.store !== undefined)
    throw new GrantError("a store is given and granted as a folder: one of both");
  if (options.store !== undefined && typeof options.store?.find !== "function")
    throw new GrantError("a store is what artifactsOf answers for one that is open");
  checkTogether(options);
  let module: Module;
  let called: Called;
  try {
    module = moduleOf(options);
    // What is asked for must exist before the start function has effects.
    called = options.preinit ? preinitOf(module, options.preinit) : calledOf(module, options.invoke);
  } catch (error) {
    return endingOf({ thrown: error, fuelUsed: 0n });
  }
  const wantsDigest = options.stateDigest === true || options.record !== undefined;
  if (wantsDigest || options.preinit !== undefined || grants.tmp?.some(({ host }) => host !== undefined))
    useHostSha256();
  const recorder =
    options.record &&
    createRecorder({
      module: module.digest,
      fuel,
      limits,
      about: aboutOf(called, args, options.unknownImports),
      write: options.record,
    });
  const opened = openGrants(grants, options.note);
  const finish = (): void => {
    options.store?.commit();
    opened.finish();
  };
  try {
    const abi = createAbi({
      stdin: options.stdin ?? new Uint8Array(0),
      ...opened.options,
      ...(options.assets !== undefined && { assets: options.assets }),
      ...(options.store !== undefined && { store: options.store }),
      ...outputs,
      args,
      ...(name !== undefined && { name }),
      ...(log !== undefined && { log }),
      ...(observe !== undefined && { observe }),
      ...(recorder !== undefined && { record: recorder }),
      ...(interrupt !== undefined && { interrupt }),
    });
    const host = withStubs(module, withOwn(abi, options, recorder), options, options.unknownImports);
    const begin = beginning(module, host, fuel, limits, options);
    const run = (): Execution => execute(called, begin, wantsDigest, options);
    return endingOf(
      withCode(module, host, options, () => recorded(recorder, run, options.preinit ? () => {} : finish)),
    );
  } finally {
    options.store?.discard();
    opened.close();
  }
}

/** What options exclude one another. */
function checkTogether({ preinit, snapshot, invoke, record }: GuestOptions): void {
  const fail = (what: string): never => {
    throw new UsageError("VM-ARGUMENT", what);
  };
  if (record !== undefined && (snapshot ?? preinit) !== undefined)
    fail("a recording begins with an instance: a run from a snapshot, or for one, cannot be recorded");
  if (preinit !== undefined && (snapshot ?? invoke) !== undefined)
    fail("a guest that is made ready for a snapshot is not run, nor has it one already");
}

/** Runs `run`, ends the recording if there is one, and keeps what the guest made. */
function recorded(recorder: Recorder | undefined, run: () => Execution, finish: () => void): Execution {
  let execution: Execution = { fuelUsed: 0n };
  try {
    // From here on there is a recording to read, whatever ends this process.
    recorder?.flush();
    execution = run();
    const { thrown, fuelUsed, stateDigest } = execution;
    if (recorder !== undefined) {
      // What could not be written has no end.
      if (thrown instanceof RecordingError) return execution;
      // Nor has a run that the guest did not end: what there is of it can be replayed.
      if (thrown instanceof Stopped) {
        recorder.flush();
        return execution;
      }
      recorder.end(outcomeOf(fuelUsed, thrown, stateDigest));
    }
    if (thrown === undefined || thrown instanceof Exit) finish();
    return execution;
  } catch (error) {
    return { ...execution, thrown: error };
  }
}

function runReplay(options: GuestOptions, source: Uint8Array | Input, outputs: Outputs): Ending {
  for (const name of [
    "args",
    "name",
    "grants",
    "stdin",
    "assets",
    "store",
    "fuel",
    "limits",
    "invoke",
    "unknownImports",
    "record",
    "snapshot",
    "preinit",
  ] as const)
    if (options[name] !== undefined)
      throw new UsageError("VM-ARGUMENT", `${name} is part of the recording, and not for a replay`);
  let execution: Execution = { fuelUsed: 0n };
  try {
    const player = openRecording(source);
    const { fuel, limits, about } = player.header;
    const module = moduleOf(options);
    if (module.digest !== player.header.module)
      throw new ReplayError(0, `module ${player.header.module}`, `module ${module.digest}`);
    useHostSha256();
    const { log, observe } = options;
    const abi = replayAbi(player, { ...outputs, ...(log && { log }), ...(observe && { observe }) });
    const host = withStubs(module, withOwn(abi, options, player), options, unknownImportsAgain(about));
    const { called, begin } = againOf(module, about, host, fuel, limits, options);
    execution = withCode(module, host, options, () => execute(called, begin, true, options));
    const { thrown, fuelUsed, stateDigest } = execution;
    if (!(thrown instanceof ReplayError || thrown instanceof RecordingError || thrown instanceof Stopped))
      player.end(outcomeOf(fuelUsed, thrown, stateDigest));
    return endingOf(execution);
  } catch (error) {
    return endingOf({ ...execution, thrown: error });
  }
}

/** With what a recorded run began. What makes no sense in it is the recording's fault, not the caller's. */
function againOf(
  module: Module,
  about: Json,
  host: Host,
  fuel: bigint | undefined,
  limits: Partial<Limits>,
  how: EngineOptions,
) {
  try {
    const called = calledAgain(module, about);
    return { called, begin: beginning(module, host, fuel, limits, how) };
  } catch (error) {
    if (!(error instanceof UsageError || error instanceof EntryError)) throw error;
    throw new RecordingError(`the recording cannot be replayed: ${error.message}`);
  }
}

/** Runs `run` with the code that is given, or hands on what is made for it. */
function withCode(
  module: Module,
  { imports }: Host,
  { code, keepCode, note, ...options }: GuestOptions,
  run: () => Execution,
): Execution {
  if (engineFor(options) !== "compiled" || imports === undefined) return run();
  const isUsed = code !== undefined && adopt(module, imports, code);
  // What cannot be linked is told as such.
  if (code !== undefined && !isUsed && hostLinkageOf(module, imports) !== undefined)
    note?.("the compiled code is of another version of Ashlar, and is made anew");
  const execution = run();
  const made = keepCode && !isUsed ? codeMadeFor(module, imports) : undefined;
  if (made !== undefined) keepCode?.(made);
  return execution;
}

/** What an instance is made with, but for its store. */
type Host = Pick<InstantiateOptions, "imports" | "kinds" | "state" | "check">;

/** The host ABI, and the syscalls of the embedder's own. */
function withOwn(abi: Abi | ReplayAbi, { observe, syscalls = [] }: GuestOptions, tape: Tape | undefined): Host {
  const dispatch = { ...(observe !== undefined && { observe }), ...(tape !== undefined && { tape }) };
  const imports: { [module: string]: HostFunctions[string] } = { ...abi.imports };
  const kinds = [...abi.kinds];
  for (const make of syscalls) {
    const own = make(dispatch);
    for (const [module, functions] of Object.entries(own.imports)) {
      if (Object.hasOwn(imports, module)) throw new UsageError("VM-ARGUMENT", `the module ${module} is taken`);
      imports[module] = functions;
    }
    kinds.push(...(own.kinds ?? []));
  }
  return { ...abi, imports, kinds };
}

/** With what nothing provides, where that is to trap. */
function withStubs(module: Module, host: Host, { observe }: GuestOptions, unknownImports: "trap" | undefined): Host {
  if (unknownImports !== "trap") return host;
  return { ...host, imports: trapUnknownImports(module, host.imports ?? {}, observe) };
}

function moduleOf({ module, code }: GuestOptions): Module {
  if (module instanceof Module) return module;
  return code === undefined ? Module.decode(module) : Module.known(module);
}

/** How a guest ended; without `thrown` its function returned. */
interface Execution {
  readonly thrown?: unknown;
  readonly results?: readonly Value[];
  readonly exitCode?: number;
  readonly invoked?: string;
  readonly fuelUsed: bigint;
  readonly stateDigest?: string | undefined;
  readonly durationMs?: number;
  readonly engine?: Engine;
  readonly profile?: readonly ProfileRow[];
  readonly snapshot?: Uint8Array;
}

/** How a guest is run, which its results do not show; and what it begins with. */
type EngineOptions = Pick<GuestOptions, "engine" | "interrupt" | "profile" | "code" | "snapshot">;

function engineFor({ profile = false, engine = profile ? "reference" : "compiled" }: EngineOptions): Engine {
  return engineOf({ engine, profile });
}

/** A store, and what makes the instance in it that the guest is. */
interface Beginning {
  readonly store: Store;
  readonly instance: () => Instance;
}

/**
 * How a guest begins: as an instance, or with a snapshot, which is looked at when it does, since what is wrong with it is
 * no mistake of the caller.
 */
function beginning(
  module: Module,
  { imports, check, kinds, state }: Host,
  fuel: bigint | undefined,
  limits: Partial<Limits> = {},
  options: EngineOptions,
): () => Beginning {
  const { profile = false, interrupt, code, snapshot } = options;
  const engine = engineFor(options);
  const host = {
    limits,
    profile,
    engine,
    ...(interrupt && { interrupt }),
    ...(kinds && { kinds }),
    ...(state && { state }),
  };
  if (snapshot !== undefined)
    return () => {
      check?.(module);
      const parts = [{ module, imports: imports ?? {} }];
      if (code === undefined) useHostSha256(snapshot.length);
      const store = restore(snapshot, parts, { ...host, whole: code !== undefined, fuel: fuel ?? "unlimited" });
      return { store, instance: () => store.instances[0]! };
    };
  const store = new Store({ ...host, ...(fuel !== undefined && { fuel }) });
  const instance = (): Instance => module.instantiate({ store, ...(imports && { imports }), ...(check && { check }) });
  return () => ({ store, instance });
}

function execute(
  { first, name, values, isEntry }: Called,
  begin: () => Beginning,
  wantsDigest: boolean,
  options: GuestOptions,
): Execution {
  let store: Store | undefined;
  let instance: Instance | undefined;
  let part: Omit<Execution, "fuelUsed">;
  const { signal, interrupt, snapshot, preinit } = options;
  const invoked = { engine: engineFor(options), ...(!isEntry && name !== undefined && { invoked: name }) };
  // Not performance.now(), whose first use loads modules of Node.js: 2 ms of a start.
  const started = process.hrtime.bigint();
  try {
    if (signal?.aborted) throw new Stopped();
    const beginning = begin();
    ({ store } = beginning);
    instance = beginning.instance();
    const call = (called: string, args: readonly Value[]): Value[] =>
      instance!.invoke(called, args, signal && { signal });
    if (snapshot === undefined) for (const initializer of first) call(initializer, []);
    const results = name === undefined ? [] : call(name, values);
    // The low eight bits, as operating systems take them.
    const exitCode = isEntry && typeof results[0] === "number" ? results[0] & 255 : 0;
    part = { ...invoked, results, exitCode, ...(preinit && { snapshot: instance.snapshot() }) };
  } catch (thrown) {
    part = { ...invoked, thrown };
  }
  const durationMs = Math.round(Number(process.hrtime.bigint() - started) / 1000) / 1000;
  // Whoever asked for a stop before may end this thread at any time.
  if (!beginKeeping(interrupt) && !(part.thrown instanceof Stopped)) part = { ...invoked, thrown: new Stopped() };
  if (store === undefined) return { ...part, durationMs, fuelUsed: 0n };
  if (store.profile !== undefined) part = { ...part, profile: store.profile.rows() };
  try {
    const hasState = wantsDigest && !(part.thrown instanceof Stopped);
    const stateDigest = hasState ? instance?.stateDigest() : undefined;
    return { ...part, durationMs, stateDigest, fuelUsed: store.fuelUsed };
  } catch (thrown) {
    return { ...part, thrown: part.thrown ?? thrown, durationMs, fuelUsed: store.fuelUsed };
  } finally {
    store.close();
  }
}

function endingOf({ thrown, exitCode = 0, stateDigest, results = [], durationMs = 0, ...more }: Execution): Ending {
  const rest = { ...more, results, durationMs, ...(stateDigest !== undefined && { stateDigest }) };
  if (thrown === undefined) return { outcome: "exit", exitCode, ...rest };
  if (thrown instanceof Exit) return { outcome: "exit", exitCode: thrown.exitCode, ...rest };
  if (thrown instanceof Trap) {
    const outcome = thrown.code === TrapCode.OutOfFuel ? "out-of-fuel" : "trap";
    return { outcome, exitCode: 134, trap: thrown, ...rest };
  }
  if (thrown instanceof Stopped) return { outcome: "stopped", exitCode: 130, ...rest };
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  return { outcome: "error", exitCode: 1, error, ...rest };
}

/** What takes a stream's bytes, and what was collected where nobody does. */
function takeOutput(given: Output | undefined): { readonly output: Output; bytes(): Uint8Array } {
  if (given !== undefined) return { output: given, bytes: () => new Uint8Array(0) };
  const pieces: Uint8Array[] = [];
  let length = 0;
  return {
    output: (bytes) => {
      if (length + bytes.length > COLLECTED_BYTES)
        throw Object.assign(new Error("nobody takes what the guest writes, and no more is kept"), { code: "ENOSPC" });
      pieces.push(bytes.slice());
      length += bytes.length;
    },
    bytes: () => {
      const all = new Uint8Array(length);
      let at = 0;
      for (const piece of pieces) {
        all.set(piece, at);
        at += piece.length;
      }
      return all;
    },
  };
}
