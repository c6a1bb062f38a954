/** Runs guests as kernels on threads (spec PEL-KERNEL). The main thread has the store, and answers what the threads ask. */
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { ABI_VERSION } from "../../syscalls/table.ts";
import { COMPILER_VERSION } from "../../vm/compiler/rewrite.ts";
import { Stopped } from "../../vm/errors.ts";
import type { Engine } from "../../vm/execution.ts";
import type { ArtifactStore, ArtifactWriter, FoundArtifact } from "../asl/syscalls.ts";
import { digestHex } from "../assets/hash.ts";
import { createInterrupt, requestStop } from "../interrupt.ts";
import { PelError } from "./errors.ts";
import {
  Answered,
  CHUNK_BYTES,
  Control,
  type JobInput,
  type JobMessage,
  type KernelEnd,
  type KernelStart,
  type ListAnswer,
  type ModuleAnswer,
  type NumberedArtifact,
  type Question,
  type SealAnswer,
  SHIPPED_BYTES,
  STACK_MB,
  type ThreadMessage,
} from "./kernel-messages.ts";
import type { GuestNode } from "./program.ts";

export type { KernelEnd, KernelOutput } from "./kernel-messages.ts";

/** Compiled code of modules, kept from one run to the next. Whoever can change it can make kernels do anything. */
export interface CodeCache {
  /** Undefined where there is none of that name. */
  read(name: string): Uint8Array | undefined;
  write(name: string, bytes: Uint8Array): void;
}

export interface KernelPoolOptions {
  /** Threads at most; they begin when they are needed. */
  readonly workers: number;
  readonly codeCache?: CodeCache | undefined;
}

export interface KernelJob {
  readonly node: GuestNode;
  /** In the order of the node's; `key` is a multihash, `bytes` a length. */
  readonly inputs: readonly { readonly name: string; readonly key: Uint8Array; readonly bytes: number }[];
  /** Shows the inputs and what the kernel makes, and nothing else. It is used on this thread only. */
  readonly store: ArtifactStore;
  /** 32 bytes. */
  readonly seed: Uint8Array;
  readonly engine: Engine;
  /** The bytes of the module; asked for where a thread does not have it. */
  module(): Uint8Array;
}

/** How long a kernel that was to stop has before its thread is ended. */
const PATIENCE_MS = 100;
/** Artifacts of one answer about what there is. */
const LISTED = 256;

/** From sources, from the library, and from the command's bundles. */
const SCRIPT = new URL(import.meta.url.endsWith(".ts") ? "./kernel-worker.ts" : "./kernel-worker.js", import.meta.url);

/** A job that waits or runs. */
interface Running {
  readonly job: KernelJob;
  readonly resolve: (end: KernelEnd) => void;
  readonly reject: (error: unknown) => void;
  /** Set while it runs. */
  thread: KernelThread | undefined;
}

export class KernelPool {
  readonly #options: KernelPoolOptions;
  readonly #waiting: Running[] = [];
  readonly #threads = new Set<KernelThread>();
  /** The one used last is the last: its caches are warm. */
  readonly #idle: KernelThread[] = [];
  #isClosed = false;

  constructor(options: KernelPoolOptions) {
    this.#options = options;
  }

  /**
   * Runs a kernel to its end. Rejects with Stopped when `signal` says so or the pool is closed, with what `store` and `module`
   * throw, and with a PelError PEL-KERNEL when the host has no memory or stack for the guest, or its thread ended.
   */
  run(job: KernelJob, signal?: AbortSignal): Promise<KernelEnd> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted || this.#isClosed) return reject(new Stopped());
      const done = (): void => signal?.removeEventListener("abort", stop);
      const running: Running = {
        job,
        resolve: (end) => {
          done();
          resolve(end);
        },
        reject: (error) => {
          done();
          reject(error);
        },
        thread: undefined,
      };
      const stop = (): void => this.#stop(running);
      signal?.addEventListener("abort", stop, { once: true });
      this.#waiting.push(running);
      this.#next();
    });
  }

  /** What waits or runs rejects with Stopped, and its threads end. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const { reject } of this.#waiting.splice(0)) reject(new Stopped());
    const idle = this.#idle.splice(0);
    for (const thread of idle) this.#threads.delete(thread);
    const busy = [...this.#threads];
    this.#threads.clear();
    // Another compiled code may be kept for another pool.
    if (this.#options.codeCache !== undefined) busy.push(...idle);
    else for (const thread of idle) spare(thread);
    await Promise.all(busy.map((thread) => thread.end(new Stopped())));
  }

  #next(): void {
    while (this.#waiting.length > 0) {
      const thread = this.#idle.pop() ?? this.#begin();
      if (thread === undefined) return;
      const running = this.#waiting.shift()!;
      running.thread = thread;
      thread.run(running);
    }
  }

  #begin(): KernelThread | undefined {
    if (this.#threads.size >= this.#options.workers) return undefined;
    const { codeCache } = this.#options;
    const thread = (codeCache === undefined ? SPARE.pop() : undefined) ?? new KernelThread(codeCache);
    thread.serve({
      idle: () => {
        this.#idle.push(thread);
        this.#next();
      },
      ended: () => {
        this.#threads.delete(thread);
        const place = this.#idle.indexOf(thread);
        if (place >= 0) this.#idle.splice(place, 1);
        if (!this.#isClosed) this.#next();
      },
    });
    this.#threads.add(thread);
    return thread;
  }

  #stop(running: Running): void {
    if (running.thread !== undefined) {
      running.thread.stop();
      return;
    }
    const place = this.#waiting.indexOf(running);
    if (place >= 0) this.#waiting.splice(place, 1);
    running.reject(new Stopped());
  }
}

/** Idle threads of pools that are closed: to begin one takes longer than many a program. They keep no process alive. */
const SPARE: KernelThread[] = [];
const MOST_SPARE = 4;
/** How long they wait for another pool. */
const SPARE_MS = 2000;

function spare(thread: KernelThread): void {
  const leave = (): void => {
    const place = SPARE.indexOf(thread);
    if (place >= 0) SPARE.splice(place, 1);
  };
  thread.serve({ idle: () => {}, ended: leave });
  SPARE.push(thread);
  setTimeout(() => {
    if (SPARE.includes(thread)) void thread.end(new Stopped());
  }, SPARE_MS).unref();
  if (SPARE.length > MOST_SPARE) void SPARE[0]!.end(new Stopped());
}

/** What a thread tells of itself. */
interface Master {
  idle(): void;
  ended(): void;
}

/** A thread, and what its job asks for. */
class KernelThread {
  readonly #codeCache: CodeCache | undefined;
  #master: Master = { idle: () => {}, ended: () => {} };
  readonly #worker: Worker;
  readonly #start: KernelStart;
  readonly #answers: MessagePort;
  #running: Running | undefined;
  #isStopping = false;
  #patience: NodeJS.Timeout | undefined;
  /** What the host failed at. */
  #failure: unknown;
  /** By numbers; those of inputs are their places. */
  readonly #artifacts: FoundArtifact[] = [];
  /** Of those that were found, by keys. */
  readonly #numbers = new Map<string, number>();
  readonly #writers: (ArtifactWriter | undefined)[] = [];

  constructor(codeCache: CodeCache | undefined) {
    this.#codeCache = codeCache;
    const { port1, port2 } = new MessageChannel();
    this.#answers = port1;
    port1.unref();
    this.#start = {
      control: new Int32Array(new SharedArrayBuffer(4)),
      bytes: new Uint8Array(new SharedArrayBuffer(CHUNK_BYTES)),
      answers: port2,
      interrupt: createInterrupt(),
    };
    this.#worker = new Worker(SCRIPT, {
      workerData: this.#start,
      transferList: [port2],
      execArgv: [],
      env: {},
      name: "ashlar kernels",
      resourceLimits: { stackSizeMb: STACK_MB },
    });
    this.#worker.on("message", (message: ThreadMessage) => this.#hear(message));
    this.#worker.on("error", (error) => void this.end(crashed(error)));
    this.#worker.on("exit", () => void this.end(crashed(new Error("its thread ended"))));
    // Node.js refers to it again when it begins.
    this.#worker.on("online", () => {
      if (this.#running === undefined) this.#worker.unref();
    });
  }

  serve(master: Master): void {
    this.#master = master;
  }

  run(running: Running): void {
    this.#running = running;
    this.#worker.ref();
    const { node, inputs, seed, engine } = running.job;
    try {
      const message: JobMessage = {
        node: { ...node, refs: [] },
        inputs: this.#ship(inputs),
        seed: ownOf(seed),
        engine,
      };
      this.#worker.postMessage(message);
    } catch (error) {
      this.#ended((ended) => ended.reject(error));
    }
  }

  /** Has the job stop soon, or else ends the thread. */
  stop(): void {
    this.#isStopping = true;
    requestStop(this.#start.interrupt);
    this.#patience ??= setTimeout(() => void this.end(new Stopped()), PATIENCE_MS);
  }

  /** Ends the thread; its job rejects. */
  async end(error: unknown): Promise<void> {
    clearTimeout(this.#patience);
    this.#worker.removeAllListeners();
    this.#worker.on("error", () => {});
    this.#answers.close();
    const running = this.#running;
    this.#running = undefined;
    this.#master.ended();
    running?.reject(this.#isStopping ? new Stopped() : error);
    await this.#worker.terminate();
  }

  #ended(tell: (running: Running) => void): void {
    const running = this.#running!;
    this.#running = undefined;
    clearTimeout(this.#patience);
    this.#patience = undefined;
    const wasStopped = this.#isStopping;
    this.#isStopping = false;
    this.#failure = undefined;
    this.#artifacts.length = 0;
    this.#numbers.clear();
    this.#writers.length = 0;
    this.#start.interrupt.fill(0);
    this.#worker.unref();
    if (wasStopped) running.reject(new Stopped());
    else tell(running);
    this.#master.idle();
  }

  /** Inputs as the thread knows them; small ones are in the shared bytes. */
  #ship(inputs: KernelJob["inputs"]): JobInput[] {
    const { bytes: shared } = this.#start;
    let end = 0;
    return inputs.map(({ name, bytes, ...input }, number) => {
      const key = ownOf(input.key);
      if (bytes > SHIPPED_BYTES || end + bytes > shared.length) return { number, name, key, bytes, at: -1 };
      const at = end;
      if (bytes > 0) this.#read(number, 0, shared.subarray(at, at + bytes));
      end += bytes;
      return { number, name, key, bytes, at };
    });
  }

  #hear(message: ThreadMessage): void {
    const running = this.#running!;
    switch (message.type) {
      case "ask":
        this.#answer(message.question);
        return;
      case "end": {
        const { type: _, image, ...end } = message;
        if (image !== undefined) this.#codeCache?.write(codeName(running.job.node), image);
        this.#ended(({ resolve }) => resolve(end));
        return;
      }
      case "stopped": {
        const error = this.#failure ?? new Stopped();
        this.#ended(({ reject }) => reject(error));
        return;
      }
      case "failed": {
        const error = this.#failure ?? new PelError("PEL-KERNEL", `${message.code}: ${message.message}`);
        this.#ended(({ reject }) => reject(error));
      }
    }
  }

  /** Answers a question of the job. */
  #answer(question: Question): void {
    const { control } = this.#start;
    let how: number = Answered.FAILED;
    try {
      if (!this.#isStopping) {
        const message = question.type === "read" ? this.#readAsked(question) : this.#messageFor(question);
        if (question.type !== "read") this.#answers.postMessage(message);
        how = question.type === "read" ? Answered.BYTES : Answered.MESSAGE;
      }
    } catch (error) {
      this.#failure = error;
      // Whatever the guest would make of it.
      requestStop(this.#start.interrupt);
    }
    Atomics.store(control, Control.ANSWER, how);
    Atomics.notify(control, Control.ANSWER);
  }

  #readAsked({ artifact, offset, length }: Extract<Question, { type: "read" }>): void {
    this.#read(artifact, offset, this.#start.bytes.subarray(0, length));
  }

  /** Fills shared bytes. */
  #read(number: number, offset: number, into: Uint8Array): void {
    const { store } = this.#running!.job;
    const bytes = SCRATCH.subarray(0, into.length);
    store.read(this.#artifact(number), offset, bytes);
    into.set(bytes);
  }

  #artifact(number: number): FoundArtifact {
    const known = this.#artifacts[number];
    if (known !== undefined) return known;
    const { store, inputs } = this.#running!.job;
    const found = store.find(inputs[number]!.key);
    if (found === undefined) throw new PelError("PEL-KERNEL", `the input ${inputs[number]!.name} is not there`);
    this.#artifacts[number] = found;
    return found;
  }

  #numbered(artifact: FoundArtifact): NumberedArtifact {
    const { bytes, records } = artifact;
    const key = ownOf(artifact.key);
    const name = keyName(key);
    let number = this.#numbers.get(name);
    if (number === undefined) {
      number = this.#running!.job.inputs.length + this.#numbers.size;
      this.#numbers.set(name, number);
      this.#artifacts[number] = artifact;
    }
    return { key, bytes, records, number };
  }

  #messageFor(question: Exclude<Question, { type: "read" }>): unknown {
    const { job } = this.#running!;
    const { store } = job;
    switch (question.type) {
      case "module":
        return this.#module(job);
      case "find": {
        const found = store.find(question.key);
        return found && this.#numbered(found);
      }
      case "list": {
        const artifacts: NumberedArtifact[] = [];
        for (const artifact of store.list(question.after)) {
          if (artifacts.length === LISTED) return { artifacts, isEnd: false } satisfies ListAnswer;
          artifacts.push(this.#numbered(artifact));
        }
        return { artifacts, isEnd: true } satisfies ListAnswer;
      }
      case "create":
        return this.#writers.push(store.create(question.tag)) - 1;
      case "write":
        this.#writers[question.writer]!.write(question.bytes);
        return undefined;
      case "seal": {
        const { bytes, tag, writer: number } = question;
        const writer = number === undefined ? store.create(tag) : this.#writers[number]!;
        if (bytes.length > 0) writer.write(bytes);
        const { artifact, isNew } = writer.seal();
        if (number !== undefined) this.#writers[number] = undefined;
        return { artifact: this.#numbered(artifact), isNew } satisfies SealAnswer;
      }
      case "abort":
        this.#writers[question.writer]?.abort();
        this.#writers[question.writer] = undefined;
        return undefined;
    }
  }

  #module(job: KernelJob): ModuleAnswer {
    const image = job.engine === "compiled" ? this.#codeCache?.read(codeName(job.node)) : undefined;
    return {
      module: ownOf(job.module()),
      image: image && ownOf(image),
      keepsCode: this.#codeCache !== undefined && image === undefined,
    };
  }
}

const SCRATCH = new Uint8Array(CHUNK_BYTES);

/** The same bytes, alone in their buffer: all of that would be copied. */
function ownOf(bytes: Uint8Array): Uint8Array {
  return bytes.length === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}

/** For a map. */
function keyName(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString("latin1");
}

/** By what compiled code depends on, beside what the module imports. */
function codeName({ module }: GuestNode): string {
  return `${digestHex(new TextEncoder().encode(`${module} ${COMPILER_VERSION} ${ABI_VERSION}`))}.kernel`;
}

function crashed(error: unknown): PelError {
  const why = error instanceof Error ? error.message : String(error);
  return new PelError("PEL-KERNEL", `the thread of a kernel ended: ${why}`, {}, error);
}
