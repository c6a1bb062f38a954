/** Runs guests as kernels on threads (spec PEL-KERNEL). The main thread has the store, and answers what the threads ask. */
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import { ABI_VERSION } from "../../syscalls/table.ts";
import { COMPILER_VERSION } from "../../vm/compiler/rewrite.ts";
import { Stopped } from "../../vm/errors.ts";
import type { Engine } from "../../vm/execution.ts";
import type { ArtifactStore, ArtifactWriter, FoundArtifact } from "../asl/syscalls.ts";
import { digestHex } from "../assets/hash.ts";
import { createInterrupt, requestStop } from "../interrupt.ts";
import { textOf } from "./artifacts.ts";
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
  SLOTS,
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
  /** Threads at most, 1 to 256; they begin when they are needed. */
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

const MOST_WORKERS = 256;

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
  /** The one that has it. */
  thread: KernelThread | undefined;
}

export class KernelPool {
  readonly #options: KernelPoolOptions;
  readonly #waiting: Running[] = [];
  /** The one that was idle last is the last: its caches are warm. */
  readonly #threads: KernelThread[] = [];
  #isClosed = false;

  /** Throws a PelError PEL-ARGUMENT for a number of threads that is none. */
  constructor(options: KernelPoolOptions) {
    const { workers } = options;
    if (!Number.isInteger(workers) || workers < 1 || workers > MOST_WORKERS)
      throw new PelError("PEL-ARGUMENT", `workers is an integer from 1 to ${MOST_WORKERS}, not ${workers}`);
    this.#options = options;
  }

  /**
   * Runs a kernel to its end. Rejects with Stopped when `signal` says so or the pool is closed, with what `store` and `module`
   * throw, and with a PelError PEL-KERNEL when the host has no memory or stack for the guest, or its thread ended. Jobs begin in
   * their order; hand over some more than there are threads, and none waits for this thread between two of them.
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
    const ends: Promise<void>[] = [];
    for (const thread of this.#threads.splice(0)) {
      // Another compiled code may be kept for another pool.
      if (thread.jobs === 0 && this.#options.codeCache === undefined) spare(thread);
      else ends.push(thread.end(new Stopped()));
    }
    for (const { reject } of this.#waiting.splice(0)) reject(new Stopped());
    await Promise.all(ends);
  }

  #next(): void {
    for (let running = this.#waiting[0]; running !== undefined; running = this.#waiting[0]) {
      const thread =
        this.#threads.findLast(({ jobs }) => jobs === 0) ??
        this.#begin() ??
        this.#threads.find(({ jobs }) => jobs < SLOTS);
      if (thread === undefined) return;
      this.#waiting.shift();
      running.thread = thread;
      thread.offer(running);
    }
  }

  /** A thread has nothing to do: it takes what waits behind the job of another. */
  #help(): void {
    for (const busy of this.#threads) {
      const running = busy.jobs === SLOTS ? busy.takeBack() : undefined;
      if (running === undefined) continue;
      this.#waiting.push(running);
      this.#next();
      return;
    }
  }

  #begin(): KernelThread | undefined {
    if (this.#threads.length >= this.#options.workers) return undefined;
    const { codeCache } = this.#options;
    const thread = (codeCache === undefined ? SPARE.pop() : undefined) ?? new KernelThread(codeCache);
    thread.serve({
      ready: () => {
        if (thread.jobs === 0) this.#threads.push(...this.#threads.splice(this.#threads.indexOf(thread), 1));
        this.#next();
        if (thread.jobs === 0) this.#help();
      },
      ended: (left) => {
        const place = this.#threads.indexOf(thread);
        if (place >= 0) this.#threads.splice(place, 1);
        if (left !== undefined) this.#waiting.unshift(left);
        if (!this.#isClosed) this.#next();
      },
    });
    this.#threads.push(thread);
    return thread;
  }

  #stop(running: Running): void {
    if (running.thread !== undefined) {
      running.thread.stop(running);
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
  thread.serve({ ready: () => {}, ended: leave });
  SPARE.push(thread);
  setTimeout(() => {
    if (SPARE.includes(thread)) void thread.end(new Stopped());
  }, SPARE_MS).unref();
  if (SPARE.length > MOST_SPARE) void SPARE[0]!.end(new Stopped());
}

/** What a thread tells of itself. */
interface Master {
  /** A job has ended. */
  ready(): void;
  /** It is no more; `left` was behind its job, and has not begun. */
  ended(left: Running | undefined): void;
}

/** A thread, and its jobs: the first runs, or is the next. */
class KernelThread {
  readonly #codeCache: CodeCache | undefined;
  #master: Master = { ready: () => {}, ended: () => {} };
  readonly #worker: Worker;
  readonly #start: KernelStart;
  readonly #answers: MessagePort;
  readonly #jobs: ThreadJob[] = [];
  #numbers = 0;
  #hasEnded = false;

  constructor(codeCache: CodeCache | undefined) {
    this.#codeCache = codeCache;
    const { port1, port2 } = new MessageChannel();
    this.#answers = port1;
    port1.unref();
    this.#start = {
      control: new Int32Array(new SharedArrayBuffer(4 * (Control.OFFER + SLOTS))),
      bytes: new Uint8Array(new SharedArrayBuffer(CHUNK_BYTES * (1 + SLOTS))),
      answers: port2,
      interrupts: Array.from({ length: SLOTS }, createInterrupt),
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
      if (this.#jobs.length === 0) this.#worker.unref();
    });
  }

  /** How many it has. */
  get jobs(): number {
    return this.#jobs.length;
  }

  serve(master: Master): void {
    this.#master = master;
  }

  /** Hands over a job; there is a free slot. */
  offer(running: Running): void {
    const slot = this.#jobs[0]?.slot === 0 ? 1 : 0;
    const { control, bytes } = this.#start;
    const number = ++this.#numbers;
    const job = new ThreadJob(running, slot, number);
    const area = CHUNK_BYTES * (1 + slot);
    try {
      const inputs = job.ship(bytes.subarray(area, area + CHUNK_BYTES));
      const { node, seed, engine } = running.job;
      this.#jobs.push(job);
      this.#worker.ref();
      this.#start.interrupts[slot]!.fill(0);
      Atomics.store(control, Control.OFFER + slot, number);
      this.#worker.postMessage({
        slot,
        number,
        node: { ...node, refs: [] },
        inputs,
        seed: ownOf(seed),
        engine,
      } satisfies JobMessage);
    } catch (error) {
      this.#withdraw(job);
      running.reject(error);
      // Not at once: the pool hands over others meanwhile.
      queueMicrotask(() => this.#master.ready());
    }
  }

  /** The job behind the one that runs, unless that is what it runs by now. */
  takeBack(): Running | undefined {
    const job = this.#jobs[1];
    return job !== undefined && this.#isTakenBack(job) ? job.running : undefined;
  }

  /** Has a job stop soon, or else ends the thread. */
  stop(running: Running): void {
    const job = this.#jobs.find((candidate) => candidate.running === running);
    if (job === undefined) return;
    if (this.#isTakenBack(job)) {
      running.reject(new Stopped());
      this.#master.ready();
      return;
    }
    job.isStopping = true;
    requestStop(this.#start.interrupts[job.slot]!);
    job.patience ??= setTimeout(() => void this.end(new Stopped()), PATIENCE_MS);
  }

  /** Ends the thread; the job that runs rejects. */
  async end(error: unknown): Promise<void> {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#worker.removeAllListeners();
    this.#worker.on("error", () => {});
    this.#answers.close();
    const [first, second] = this.#jobs.splice(0);
    clearTimeout(first?.patience);
    clearTimeout(second?.patience);
    first?.running.reject(first.isStopping ? new Stopped() : error);
    // Nothing that it asked was answered.
    const isLeft = second?.isStopping === false;
    if (!isLeft) second?.running.reject(new Stopped());
    if (isLeft) second.running.thread = undefined;
    this.#master.ended(isLeft ? second.running : undefined);
    await this.#worker.terminate();
  }

  /** True when the thread has not begun with it, and will not. */
  #isTakenBack(job: ThreadJob): boolean {
    const { control } = this.#start;
    if (Atomics.compareExchange(control, Control.OFFER + job.slot, job.number, 0) !== job.number) return false;
    this.#withdraw(job);
    return true;
  }
  #withdraw(job: ThreadJob): void {
    const place = this.#jobs.indexOf(job);
    if (place >= 0) this.#jobs.splice(place, 1);
    job.running.thread = undefined;
    if (this.#jobs.length === 0) this.#worker.unref();
  }

  #hear(message: ThreadMessage): void {
    const job = this.#jobs[0]!;
    if (message.type === "ask") {
      this.#answer(job, message.question);
      return;
    }
    clearTimeout(job.patience);
    this.#withdraw(job);
    if (message.type === "end" && message.image !== undefined)
      this.#codeCache?.write(codeName(job.running.job.node), message.image);
    job.settle(message);
    this.#master.ready();
  }

  /** Answers a question of the job that runs. */
  #answer(job: ThreadJob, question: Question): void {
    const { control, bytes } = this.#start;
    let how: number = Answered.FAILED;
    try {
      if (!job.isStopping) {
        if (question.type === "read") {
          job.read(question.artifact, question.offset, bytes.subarray(0, question.length));
          how = Answered.BYTES;
        } else {
          this.#answers.postMessage(question.type === "module" ? this.#module(job.running.job) : job.answer(question));
          how = Answered.MESSAGE;
        }
      }
    } catch (error) {
      job.failure = error;
      // Whatever the guest would make of it.
      requestStop(this.#start.interrupts[job.slot]!);
    }
    Atomics.store(control, Control.ANSWER, how);
    Atomics.notify(control, Control.ANSWER);
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

/** A job of a thread, and what it asks for. */
class ThreadJob {
  readonly running: Running;
  readonly slot: number;
  readonly number: number;
  isStopping = false;
  patience: NodeJS.Timeout | undefined;
  /** What the host failed at. */
  failure: unknown;
  /** By numbers; those of inputs are their places. */
  readonly #artifacts: FoundArtifact[] = [];
  /** Of those that were found, by keys. */
  readonly #numbers = new Map<string, number>();
  readonly #writers: (ArtifactWriter | undefined)[] = [];

  constructor(running: Running, slot: number, number: number) {
    this.running = running;
    this.slot = slot;
    this.number = number;
  }

  /** Tells whoever waits for it how it ended. */
  settle(message: Exclude<ThreadMessage, { type: "ask" }>): void {
    const { resolve, reject } = this.running;
    if (this.isStopping) reject(new Stopped());
    else if (this.failure !== undefined) reject(this.failure);
    else if (message.type === "end") {
      const { outcome, fuel, trace, outputs } = message;
      resolve({ outcome, fuel, trace, outputs });
    } else if (message.type === "stopped") reject(new Stopped());
    else reject(new PelError("PEL-KERNEL", `${message.code}: ${message.message}`));
  }

  /** Inputs as the thread knows them; small ones are put into `shared`. Throws what the store throws. */
  ship(shared: Uint8Array): JobInput[] {
    let end = 0;
    return this.running.job.inputs.map(({ name, bytes, ...input }, number) => {
      const key = ownOf(input.key);
      if (bytes > SHIPPED_BYTES || end + bytes > shared.length) return { number, name, key, bytes, at: -1 };
      const at = end;
      if (bytes > 0) this.read(number, 0, shared.subarray(at, at + bytes));
      end += bytes;
      return { number, name, key, bytes, at };
    });
  }

  /** Fills shared bytes. */
  read(number: number, offset: number, into: Uint8Array): void {
    const bytes = SCRATCH.subarray(0, into.length);
    this.running.job.store.read(this.#artifact(number), offset, bytes);
    into.set(bytes);
  }

  #artifact(number: number): FoundArtifact {
    const known = this.#artifacts[number];
    if (known !== undefined) return known;
    const { store, inputs } = this.running.job;
    const found = store.find(inputs[number]!.key);
    if (found === undefined) throw new PelError("PEL-KERNEL", `the input ${inputs[number]!.name} is not there`);
    this.#artifacts[number] = found;
    return found;
  }

  #numbered(artifact: FoundArtifact): NumberedArtifact {
    const { bytes, records } = artifact;
    const key = ownOf(artifact.key);
    const name = textOf(key);
    let number = this.#numbers.get(name);
    if (number === undefined) {
      number = this.running.job.inputs.length + this.#numbers.size;
      this.#numbers.set(name, number);
      this.#artifacts[number] = artifact;
    }
    return { key, bytes, records, number };
  }

  /** The message that answers a question. */
  answer(question: Exclude<Question, { type: "read" | "module" }>): unknown {
    const { store } = this.running.job;
    switch (question.type) {
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
}

const SCRATCH = new Uint8Array(CHUNK_BYTES);

/** The same bytes, alone in their buffer: all of that would be copied. */
function ownOf(bytes: Uint8Array): Uint8Array {
  return bytes.length === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}

/** By what compiled code depends on, beside what the module imports. */
function codeName({ module }: GuestNode): string {
  return `${digestHex(new TextEncoder().encode(`${module} ${COMPILER_VERSION} ${ABI_VERSION}`))}.kernel`;
}

function crashed(error: unknown): PelError {
  const why = error instanceof Error ? error.message : String(error);
  return new PelError("PEL-KERNEL", `the thread of a kernel ended: ${why}`, {}, error);
}
