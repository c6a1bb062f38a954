/** What the main thread and the worker of `ashlar run` say to one another. */
import type { Frame } from "../../vm/trap.ts";
import type { Grants } from "../grants.ts";
import type { Failure } from "./failure.ts";

/** To the worker when it starts; the module's bytes follow as a message of their own. */
export interface RunRequest {
  /** The module as the user named it. */
  readonly module: string;
  readonly args: readonly string[];
  readonly grants: Grants;
  /** `NAME` or `NAME(ARG, …)`; undefined: the module's entry point. */
  readonly invoke: string | undefined;
  readonly fuel: bigint | undefined;
  readonly limits: { readonly depth: number; readonly memoryPages?: number; readonly heapBytes?: number };
  /** False when the module itself came through it. */
  readonly stdin: boolean;
  readonly log: boolean;
  /** Whether the module's digest and the state's are wanted; both cost time. */
  readonly moduleDigest: boolean;
  readonly stateDigest: boolean;
  /** Open file that the recording goes to. */
  readonly record: number | undefined;
  /** Path of the recording to run; fuel and limits are then of that. */
  readonly replay: string | undefined;
  readonly trace: TraceRequest | undefined;
}

export interface TraceRequest {
  /** Which calls to show; all for none. */
  readonly patterns: readonly string[];
  readonly json: boolean;
  /** Open file that the lines go to. */
  readonly fd: number;
}

export interface TrapSite {
  readonly code: number;
  readonly name: string;
  readonly message: string;
  /** Function index and byte offset in the module; -1 when no guest instruction was running. */
  readonly function: number;
  readonly offset: number;
  readonly backtrace: readonly Frame[];
}

/** From the worker when the guest has ended; everything the guest wrote is out by then. */
export interface RunResult {
  /** `error`: the guest did not run, or the host failed. */
  readonly outcome: "exit" | "trap" | "out-of-fuel" | "error";
  readonly exitCode: number;
  readonly trap?: TrapSite;
  readonly failure?: Failure;
  readonly fuelUsed: bigint;
  /** SHA-256 in hexadecimal. */
  readonly moduleDigest?: string;
  readonly stateDigest?: string;
  /** From instantiation to the guest's end. */
  readonly durationMs: number;
  /** True when the last byte the guest wrote to stdout was no line end. */
  readonly openLine: boolean;
}
