/** What the main thread and the worker of `ashlar run` say to one another. */
import type { Engine } from "../../vm/execution.ts";
import type { ProfileRow } from "../../vm/fuel-profile.ts";
import type { Frame } from "../../vm/trap.ts";
import type { Grants } from "../grants.ts";
import type { CompiledCode } from "../image.ts";
import type { SourcePlace } from "../source/places.ts";
import type { Failure } from "./failure.ts";

/**
 * To the worker when it starts. Messages follow: to `worker-start.ts` what the cache has of its code, or undefined; when that
 * is sent the word of `ready` is 1. Then a {@link GuestMessage}.
 */
export interface WorkerStart {
  readonly request: RunRequest;
  /** Stops the guest; see `host/interrupt.ts`. */
  readonly interrupt: Int32Array;
  readonly ready: Int32Array;
  /** True: what V8 made of the worker's code is wanted for the cache, where it was not there. */
  readonly keepCode: boolean;
  /** Makes it; set on the worker's side. */
  code?: () => Uint8Array;
}

export interface GuestMessage {
  /** The binary module. */
  readonly bytes: Uint8Array;
  /** Its SHA-256, where an image tells it. */
  readonly digest?: string | undefined;
  /** Compiled code of it, of its image or the cache. */
  readonly code?: CompiledCode | undefined;
  /** Of an image: what the guest begins with. */
  readonly snapshot?: Uint8Array | undefined;
  /** True: what is compiled is wanted for the cache. */
  readonly keepCode: boolean;
}

export interface RunRequest {
  /** The module as the user named it. */
  readonly module: string;
  readonly args: readonly string[];
  /** What the guest is called. */
  readonly name: string | undefined;
  readonly grants: Grants;
  /** `NAME` or `NAME(ARG, …)`; undefined: the module's entry point. */
  readonly invoke: string | undefined;
  /** Exported functions that are to be called for a snapshot, instead of a run. */
  readonly preinit?: readonly string[];
  readonly engine: Engine;
  readonly unknownImports: "trap" | undefined;
  readonly fuel: bigint | undefined;
  readonly limits: { readonly depth: number; readonly memoryPages?: number; readonly heapBytes?: number };
  /** False when the module itself came through it. */
  readonly stdin: boolean;
  readonly log: boolean;
  /** Whether the module's digest and the state's are wanted; both cost time. */
  readonly moduleDigest: boolean;
  readonly stateDigest: boolean;
  /** Whether it is wanted where the fuel went. */
  readonly profile: boolean;
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

/** A frame with its places in the guest's source, where they are known: the innermost inlined function first. */
export interface PlacedFrame extends Frame {
  readonly sources?: readonly SourcePlace[];
}

export interface TrapSite {
  readonly code: number;
  readonly name: string;
  readonly message: string;
  /** Function index and byte offset in the module; -1 when no guest instruction was running. */
  readonly function: number;
  readonly offset: number;
  readonly backtrace: readonly PlacedFrame[];
}

/** From the worker when the guest has ended; everything the guest wrote is out by then. */
export interface RunResult {
  /** `stopped`: from outside; `error`: the guest did not run, or the host failed. */
  readonly outcome: "exit" | "trap" | "out-of-fuel" | "stopped" | "error";
  readonly exitCode: number;
  readonly trap?: TrapSite;
  readonly failure?: Failure;
  /** Undefined when the guest's thread had to be ended. */
  readonly fuelUsed: bigint | undefined;
  /** The engine that ran. */
  readonly engine?: Engine;
  /** SHA-256 in hexadecimal. */
  readonly moduleDigest?: string;
  readonly stateDigest?: string;
  readonly profile?: readonly ProfileRow[];
  /** From instantiation to the guest's end. */
  readonly durationMs: number;
  /** True when the last byte the guest wrote to stdout was no line end. */
  readonly openLine: boolean;
  /** Of a request with `preinit`. */
  readonly snapshot?: Uint8Array;
  /** For the cache: what V8 made of the worker's code, and what was compiled of the guest. */
  readonly code?: Uint8Array;
  readonly guestCode?: CompiledCode;
}
