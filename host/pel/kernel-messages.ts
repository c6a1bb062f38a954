/**
 * What the main thread and the threads of kernels say to each other. A thread is given one job at a time; while it runs it may ask,
 * and waits for each answer.
 */
import type { MessagePort } from "node:worker_threads";
import type { Engine } from "../../vm/execution.ts";
import type { FoundArtifact, SealedArtifact } from "../asl/syscalls.ts";
import type { Outcome } from "./claim.ts";
import type { GuestNode, Tag } from "./program.ts";

/** Bytes that one answer moves through shared memory. */
export const CHUNK_BYTES: number = 256 * 1024;
/** Longest input that is handed over with the job, as long as all of them fit {@link CHUNK_BYTES}. */
export const SHIPPED_BYTES: number = 32 * 1024;

/** Stack that is reserved for a slot of depth, in bytes: twice the most that V8 was seen to take. */
const SLOT_BYTES = 64;
/** Slots that the stack of a thread holds: what a node has that says nothing else. */
const STACK_SLOTS = 1_000_000;
export const STACK_MB: number = Math.ceil((STACK_SLOTS * SLOT_BYTES) / 1_000_000);

/** Jobs that a thread is handed: one that runs, and one that it begins with when that has ended. */
export const SLOTS = 2;

/** Words of {@link KernelStart.control}. */
export const Control = {
  /** 0 while an answer is waited for, else one of {@link Answered}. */
  ANSWER: 0,
  /** And those behind it, one a slot: the number of the job that is there to be taken; 0: none. Each side takes it by putting 0. */
  OFFER: 1,
} as const;
/** How a question was answered. */
export const Answered = {
  /** The shared bytes hold what was asked for. */
  BYTES: 1,
  /** A message is in {@link KernelStart.answers}. */
  MESSAGE: 2,
  /** The host failed; the job has no outcome. */
  FAILED: 3,
} as const;

/** What a thread begins with. */
export interface KernelStart {
  /** Shared. */
  readonly control: Int32Array;
  /** Shared: {@link CHUNK_BYTES} for answers, and as many a slot for what comes with a job. */
  readonly bytes: Uint8Array;
  readonly answers: MessagePort;
  /** By slots: two shared words (spec CLI-STOP). */
  readonly interrupts: readonly Int32Array[];
}

export interface JobInput {
  /** Its place. */
  readonly number: number;
  readonly name: string;
  /** A multihash. */
  readonly key: Uint8Array;
  readonly bytes: number;
  /** Where it lies in the shared bytes of the slot when the job comes; -1: nowhere. */
  readonly at: number;
}

export interface JobMessage {
  readonly slot: number;
  /** The thread's own, from 1. */
  readonly number: number;
  /** Its refs are left out. */
  readonly node: GuestNode;
  readonly inputs: readonly JobInput[];
  /** 32 bytes. */
  readonly seed: Uint8Array;
  readonly engine: Engine;
}

/** A question of the thread; what answers it. Artifacts and writers have numbers, which the main thread gives. */
export type Question =
  /** {@link ModuleAnswer}. */
  | { readonly type: "module" }
  /** The shared bytes. Numbers of inputs are their places. */
  | { readonly type: "read"; readonly artifact: number; readonly offset: number; readonly length: number }
  /** {@link NumberedArtifact}, or undefined. */
  | { readonly type: "find"; readonly key: Uint8Array }
  /** {@link ListAnswer}. */
  | { readonly type: "list"; readonly after: Uint8Array | undefined }
  /** Number of a writer. */
  | { readonly type: "create"; readonly tag: Tag }
  /** Nothing. */
  | { readonly type: "write"; readonly writer: number; readonly bytes: Uint8Array }
  /** {@link SealAnswer}; a writer without a number is created now. */
  | { readonly type: "seal"; readonly writer: number | undefined; readonly tag: Tag; readonly bytes: Uint8Array }
  /** Nothing. */
  | { readonly type: "abort"; readonly writer: number };

export interface ModuleAnswer {
  readonly module: Uint8Array;
  /** An image with its compiled code. */
  readonly image: Uint8Array | undefined;
  /** True: compiled code that is made is to be told. */
  readonly keepsCode: boolean;
}
export interface NumberedArtifact extends FoundArtifact {
  readonly number: number;
}
export interface ListAnswer {
  readonly artifacts: readonly NumberedArtifact[];
  /** True when none is behind them. */
  readonly isEnd: boolean;
}
export interface SealAnswer extends SealedArtifact {
  readonly artifact: NumberedArtifact;
}

/** An output of a kernel: what it left in a file or wrote to a stream, or an artifact that it sealed. */
export type KernelOutput =
  | { readonly name: string; readonly bytes: Uint8Array }
  /** `key` is a multihash. */
  | { readonly name: string; readonly key: Uint8Array };

/** How a guest ended, and what it leaves. */
export interface KernelEnd {
  readonly outcome: Outcome;
  readonly fuel: bigint;
  /** 32 bytes. */
  readonly trace: Uint8Array;
  /** All that are declared, in their order, when the outcome is ok; else none. */
  readonly outputs: readonly KernelOutput[];
}

export interface EndMessage extends KernelEnd {
  readonly type: "end";
  /** An image of the code that was compiled. */
  readonly image: Uint8Array | undefined;
}
export type ThreadMessage =
  | EndMessage
  | { readonly type: "ask"; readonly question: Question }
  /** It was stopped. */
  | { readonly type: "stopped" }
  /** The job has no outcome, as the host failed. */
  | { readonly type: "failed"; readonly code: string; readonly message: string };
