/**
 * A thread for what large artifacts need besides their digest: checksums of leaves, and digests of chunks. With it the digest alone
 * decides how fast they are written; without, or until it has begun, its callers do that themselves.
 */
import type { Worker } from "node:worker_threads";
import { LEAF_BYTES } from "./record.ts";

export interface LeafAnswer {
  /** A checksum of each leaf of the bytes. */
  readonly sums: readonly number[];
  /** Of the stream, when it was said to end. */
  readonly digest: Uint8Array | undefined;
}

interface Question {
  /** Whole leaves but for the last, in shared memory; they are not changed before the answer. */
  readonly bytes: Uint8Array | undefined;
  readonly length: number;
  /** Whose bytes are hashed as one leaf of the tree hash, piece by piece; 0 for none. */
  readonly stream: number;
  readonly isEnd: boolean;
}

/** Text, as a bundle is one file. */
const SOURCE = `
const { parentPort } = require("node:worker_threads");
const { createHash } = require("node:crypto");
const { crc32 } = require("node:zlib");
const streams = new Map();
parentPort.on("message", ({ bytes, length, stream, isEnd }) => {
  const sums = [];
  for (let at = 0; at < length; at += ${LEAF_BYTES}) sums.push(crc32(bytes.subarray(at, Math.min(at + ${LEAF_BYTES}, length))));
  let digest;
  if (stream !== 0) {
    let hash = streams.get(stream);
    if (hash === undefined) streams.set(stream, (hash = createHash("sha256").update(Uint8Array.of(0))));
    if (length > 0) hash.update(bytes.subarray(0, length));
    if (isEnd) {
      streams.delete(stream);
      digest = new Uint8Array(hash.digest());
    }
  }
  parentPort.postMessage({ sums, digest });
});
parentPort.postMessage("ready");
`;

export class LeafThread {
  readonly #worker: Worker;
  readonly #asked: { resolve(answer: LeafAnswer): void; reject(error: unknown): void }[] = [];
  #isReady = false;
  #error: unknown;
  #streams = 0;

  constructor() {
    const { Worker } = process.getBuiltinModule("node:worker_threads");
    this.#worker = new Worker(SOURCE, { eval: true, execArgv: [], env: {}, name: "ashlar leaves" });
    // Nobody waits for it but those who asked.
    this.#worker.unref();
    this.#worker.on("message", (message: LeafAnswer | "ready") => {
      if (message !== "ready") return this.#answered().resolve(message);
      this.#isReady = true;
      // Node.js refers to it again when it begins: a process that has ended would wait for it for ever.
      if (this.#asked.length === 0) this.#worker.unref();
    });
    this.#worker.on("error", (error) => this.#failed(error));
    this.#worker.on("exit", () => this.#failed(new Error("the thread ended")));
  }
  /** Whether it answers: it takes a while to begin. */
  get isReady(): boolean {
    return this.#isReady && this.#error === undefined;
  }
  newStream(): number {
    return ++this.#streams;
  }
  /** Answers come in the order of questions. */
  ask(question: Question): Promise<LeafAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#error !== undefined) return reject(this.#error);
      this.#worker.ref();
      this.#asked.push({ resolve, reject });
      this.#worker.postMessage(question);
    });
  }
  #answered(): { resolve(answer: LeafAnswer): void } {
    const asked = this.#asked.shift()!;
    if (this.#asked.length === 0) this.#worker.unref();
    return asked;
  }
  #failed(error: unknown): void {
    this.#error ??= error;
    for (const { reject } of this.#asked.splice(0)) reject(error);
  }
}

let shared: LeafThread | false | undefined;

/** That of the process, which begins with the first call; undefined where there may be none. */
export function leafThread(): LeafThread | undefined {
  if (shared === undefined) {
    try {
      shared = new LeafThread();
    } catch {
      // Node.js may be told to allow no threads.
      shared = false;
    }
  }
  return shared === false ? undefined : shared;
}
