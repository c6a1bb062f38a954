/** One guest, from its module to its end, in one call; what `ashlar run` does with a module (spec CLI-GUEST). */

import type { HostFunctions } from "../syscalls/dispatch.ts";
import { Exit } from "../syscalls/exit.ts";
import { AshlarError, UsageError } from "../vm/errors.ts";
import type { Kind } from "../vm/heap.ts";
import type { Instance, InstantiateOptions } from "../vm/instance.ts";
import type { Limits } from "../vm/limits.ts";
import { Module } from "../vm/module.ts";
import { injectSha256 } from "../vm/sha256.ts";
import { Store } from "../vm/store.ts";
import { Trap, TrapCode } from "../vm/trap.ts";
import type { Value } from "../vm/value.ts";
import { createAbi } from "./abi.ts";
import { GrantError } from "./fs/file-system.ts";
import type { Grants } from "./grants.ts";
import { openGrants } from "./open-grants.ts";
import type { Input, Output } from "./streams.ts";
import { TmpError } from "./tmp.ts";

/** Most bytes that are collected of what a guest writes to a stream that nobody takes; then its writes are NO_SPACE. */
export const COLLECTED_BYTES: number = 64 * 1024 * 1024;

export interface GuestOptions {
  /** What to run: decoded, or the bytes of a binary module. */
  readonly module: Module | Uint8Array;
  readonly args?: readonly string[];
  /** What the guest may touch; nothing of the host by default. */
  readonly grants?: Grants;
  /** Empty by default. Not together with a grant of `stdin`. */
  readonly stdin?: Input | Uint8Array;
  /** Takes what the guest writes; without it that is collected, up to {@link COLLECTED_BYTES}, for the result. */
  readonly stdout?: Output;
  readonly stderr?: Output;
  /** Hears `sys.log`, a line each, without a line end; the bytes are good only during the call. */
  readonly log?: (line: Uint8Array) => void;
  /** Most fuel that the guest may use; no limit by default. */
  readonly fuel?: bigint;
  readonly limits?: Partial<Limits>;
  /** The exported function to call, instead of the entry point (spec CLI-ENTRY-1). */
  readonly invoke?: { readonly name: string; readonly values?: readonly Value[] };
  /** Syscalls of your own, beside those of the host ABI. */
  readonly syscalls?: readonly { readonly imports: HostFunctions; readonly kinds?: readonly Kind[] }[];
  /** True: tell the digest of the state at the end. Costs time that grows with the guest's memory. */
  readonly stateDigest?: boolean;
  /** Hears, a sentence each, what of a folder could not be copied for `tmp`. */
  readonly note?: (text: string) => void;
}

export interface GuestResult {
  /** `error`: the module is bad, the guest did not run, or the host failed. */
  readonly outcome: "exit" | "trap" | "out-of-fuel" | "error";
  /** What `ashlar run` would exit with: the guest's own code, 134 after a trap or without fuel, 1 after an error. */
  readonly exitCode: number;
  /** Why the guest was ended, and where; for `trap` and `out-of-fuel`. */
  readonly trap?: Trap;
  /** For `error`. */
  readonly error?: Error;
  /** Of the function that was called; empty when it did not return. */
  readonly results: readonly Value[];
  readonly fuelUsed: bigint;
  /** SHA-256 in hexadecimal, where it was asked for and there is a state. */
  readonly stateDigest?: string;
  /** What the guest wrote, where no `stdout` or `stderr` took it. */
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  /** From instantiation to the guest's end. */
  readonly durationMs: number;
}

/** The module has no function to begin with (spec CLI-ENTRY-1). */
export class EntryError extends AshlarError {
  readonly code = "CLI-ENTRY";
  constructor(message: string) {
    super(message);
    this.name = "EntryError";
  }
}

/**
 * Runs a guest to its end. Whatever the module is and the guest does is told by the result; thrown are mistakes of the
 * caller: GrantError, UsageError and LimitError for options that make no sense. Blocks the thread, whose stack limits
 * the depth that the guest can reach: {@link Limits.depth}.
 *
 * ```ts
 * const { outcome, exitCode, stdout } = runGuest({
 *   module: readFileSync("wordfreq.wasm"),
 *   args: ["/texts"],
 *   grants: { dirs: [{ host: "./texts", guest: "/texts", readOnly: true }] },
 *   fuel: 100_000_000n,
 * });
 * ```
 */
export function runGuest(options: GuestOptions): GuestResult {
  const { grants = {}, syscalls = [] } = options;
  if (options.stdin !== undefined && grants.stdin !== undefined)
    throw new GrantError("standard input is given and granted as a file: one of both");
  if (options.stateDigest || grants.tmp?.some(({ host }) => host !== undefined)) useHostSha256();
  const opened = openGrants(grants, options.note);
  let store: Store | undefined;
  try {
    const stdout = takeOutput(options.stdout);
    const stderr = takeOutput(options.stderr);
    const abi = createAbi({
      stdin: options.stdin ?? new Uint8Array(0),
      ...opened.options,
      args: options.args ?? [],
      stdout: stdout.output,
      stderr: stderr.output,
      ...(options.log !== undefined && { log: options.log }),
    });
    store = new Store({
      limits: options.limits ?? {},
      kinds: [...abi.kinds, ...syscalls.flatMap(({ kinds = [] }) => kinds)],
      state: abi.state,
      ...(options.fuel !== undefined && { fuel: options.fuel }),
    });
    const imports = mergeImports([abi.imports, ...syscalls.map((own) => own.imports)]);
    let ending = run(options, { store, imports, check: abi.check });
    if (ending.outcome === "exit") {
      try {
        opened.finish();
      } catch (error) {
        if (!(error instanceof TmpError)) throw error;
        ending = { ...ending, ...failedWith(error) };
      }
    }
    return { ...ending, fuelUsed: store.fuelUsed, stdout: stdout.bytes(), stderr: stderr.bytes() };
  } finally {
    store?.close();
    opened.close();
  }
}

type Ending = Omit<GuestResult, "fuelUsed" | "stdout" | "stderr">;

function failedWith(error: unknown): Pick<Ending, "outcome" | "exitCode" | "error"> {
  return { outcome: "error", exitCode: 1, error: error instanceof Error ? error : new Error(String(error)) };
}

function run(options: GuestOptions, linked: InstantiateOptions): Ending {
  let instance: Instance | undefined;
  let started = performance.now();
  const ended = (part: Pick<Ending, "outcome" | "exitCode"> & Partial<Ending>): Ending => {
    const durationMs = Math.round(1000 * (performance.now() - started)) / 1000;
    const digest = options.stateDigest && instance !== undefined ? { stateDigest: instance.stateDigest() } : {};
    return { results: [], durationMs, ...part, ...digest };
  };
  try {
    const module = options.module instanceof Module ? options.module : Module.decode(options.module);
    // What is asked for must exist before the start function has effects.
    const { name, values = [] } = options.invoke ?? { name: entryPoint(module) };
    if (!module.exports.some((entry) => entry.name === name && entry.type.kind === "function"))
      throw new UsageError("VM-NO-EXPORT", `the module exports no function ${JSON.stringify(name)}`);
    started = performance.now();
    instance = module.instantiate(linked);
    const results = instance.invoke(name, values);
    // The low eight bits, as operating systems take them.
    const exitCode = options.invoke === undefined && typeof results[0] === "number" ? results[0] & 255 : 0;
    return ended({ outcome: "exit", exitCode, results });
  } catch (error) {
    if (error instanceof Exit) return ended({ outcome: "exit", exitCode: error.exitCode });
    if (!(error instanceof Trap)) return ended(failedWith(error));
    const outcome = error.code === TrapCode.OutOfFuel ? "out-of-fuel" : "trap";
    return ended({ outcome, exitCode: 134, trap: error });
  }
}

/** The exported function that is called when none is named (spec CLI-ENTRY-1). */
function entryPoint(module: Module): string {
  for (const name of ["_start", "main"]) {
    const found = module.exports.find((entry) => entry.name === name && entry.type.kind === "function");
    if (found?.type.kind !== "function") continue;
    const { params, results } = found.type.type;
    const fits = params.length === 0 && (results.length === 0 || (name === "main" && results.join() === "i32"));
    if (fits) return name;
    throw new EntryError(`The exported function ${name} has the type (${params.join(" ")}) -> (${results.join(" ")}).`);
  }
  throw new EntryError("The module exports neither a function _start nor main.");
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

/** All imports together. A syscall of the embedder's own has a module name that the host ABI does not use. */
function mergeImports(tables: readonly HostFunctions[]): HostFunctions {
  const merged: { [module: string]: HostFunctions[string] } = {};
  for (const table of tables) {
    for (const [module, functions] of Object.entries(table)) {
      if (Object.hasOwn(merged, module)) throw new UsageError("VM-ARGUMENT", `the module ${module} is taken`);
      merged[module] = functions;
    }
  }
  return merged;
}

let hasHostSha256 = false;

/** Has digests computed by Node.js: loading it takes longer than a small module's digest, but a state may be gigabytes. */
export function useHostSha256(): void {
  const crypto = hasHostSha256 ? undefined : process.getBuiltinModule?.("node:crypto");
  if (crypto === undefined) return;
  hasHostSha256 = true;
  injectSha256(() => {
    const hash = crypto.createHash("sha256");
    return { update: (bytes) => void hash.update(bytes), digest: () => new Uint8Array(hash.digest()) };
  });
}
