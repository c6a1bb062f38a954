/** The thread on which kernels run, one after the other (spec PEL-KERNEL). */
import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { Stopped } from "../../vm/errors.ts";
import { Module } from "../../vm/module.ts";
import type { Abi } from "../abi.ts";
import { adopt, codeMadeFor } from "../compile.ts";
import { readImage, writeImage } from "../image.ts";
import { refused, runKernel } from "./kernel.ts";
import { ChannelStore, KernelChannel } from "./kernel-channel.ts";
import {
  Control,
  type EndMessage,
  type JobMessage,
  type KernelEnd,
  type KernelStart,
  type ModuleAnswer,
  type ThreadMessage,
} from "./kernel-messages.ts";

/** Modules that are kept, and bytes of them all. */
const KEPT_MODULES = 64;
const KEPT_BYTES = 128 * 1024 * 1024;
/** Bytes of a module from which on its code is kept: less is compiled as fast as it is read. */
const KEPT_CODE_BYTES = 4096;

interface Kept {
  readonly module: Module;
  readonly bytes: number;
  /** Until it has been adopted. */
  image: Uint8Array | undefined;
  /** True: code that is made is told. */
  keepsCode: boolean;
}

const port = parentPort as MessagePort;
const start: KernelStart = workerData;
const channel = new KernelChannel(start, port);
/** By keys; the one used last is the last. */
const modules = new Map<string, Kept>();
let keptBytes = 0;

function moduleOf(key: string): Kept {
  const known = modules.get(key);
  if (known !== undefined) {
    modules.delete(key);
    modules.set(key, known);
    return known;
  }
  const { module: bytes, image, keepsCode } = channel.ask({ type: "module" }) as ModuleAnswer;
  const kept: Kept = {
    module: image === undefined ? Module.decode(bytes) : Module.known(bytes),
    bytes: bytes.length,
    image,
    keepsCode: keepsCode && bytes.length >= KEPT_CODE_BYTES,
  };
  modules.set(key, kept);
  keptBytes += kept.bytes;
  for (const [oldest, { bytes: freed }] of modules) {
    if (modules.size <= KEPT_MODULES && (keptBytes <= KEPT_BYTES || modules.size === 1)) break;
    modules.delete(oldest);
    keptBytes -= freed;
  }
  return kept;
}

/** Code that was kept is used, and what is made is kept. */
class CodeOf {
  readonly #kept: Kept;
  /** An image of what was made. */
  made: Uint8Array | undefined;

  constructor(kept: Kept) {
    this.#kept = kept;
  }
  before({ imports }: Abi): void {
    const { image, module } = this.#kept;
    if (image === undefined) return;
    this.#kept.image = undefined;
    try {
      if (adopt(module, imports, readImage(image, true).code)) this.#kept.keepsCode = false;
    } catch {
      // What was kept is damaged: it is made anew.
    }
  }
  after({ imports }: Abi): void {
    if (!this.#kept.keepsCode) return;
    this.#kept.keepsCode = false;
    const code = codeMadeFor(this.#kept.module, imports);
    if (code !== undefined) this.made = writeImage({ module: new Uint8Array(0), code });
  }
}

function run(job: JobMessage): EndMessage {
  const { node, inputs, seed, engine, slot } = job;
  channel.begin(job);
  let kept: Kept;
  try {
    kept = moduleOf(node.module);
  } catch (error) {
    return { type: "end", image: undefined, ...refused(error) };
  }
  const code = new CodeOf(kept);
  const ended: KernelEnd = runKernel(kept.module, {
    node,
    inputs,
    read: channel.readInput,
    store: node.io === "artifacts" ? new ChannelStore(channel) : undefined,
    seed,
    engine,
    interrupt: start.interrupts[slot]!,
    code,
  });
  // Alone in its buffer: all of that would be copied.
  return { type: "end", image: code.made, ...ended, trace: new Uint8Array(ended.trace) };
}

port.on("message", (job: JobMessage) => {
  // It was taken back.
  const offer = Control.OFFER + job.slot;
  if (Atomics.compareExchange(start.control, offer, job.number, 0) !== job.number) return;
  let answer: ThreadMessage;
  try {
    answer = run(job);
    // Whatever the guest made of it.
    if (channel.hasFailed) answer = { type: "failed", code: "", message: "" };
  } catch (error) {
    answer = error instanceof Stopped ? { type: "stopped" } : failed(error);
  }
  port.postMessage(answer, answer.type === "end" ? buffersOf(answer) : []);
});

function failed(error: unknown): ThreadMessage {
  const { code, message } = error as { readonly code?: unknown; readonly message?: unknown };
  return { type: "failed", code: String(code), message: String(message) };
}

function buffersOf({ outputs }: EndMessage): ArrayBuffer[] {
  return outputs.flatMap((output) => ("bytes" in output ? [output.bytes.buffer as ArrayBuffer] : []));
}
