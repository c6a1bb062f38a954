/** How an embedder stops a running invocation (spec VM-STOP-1). */
import { Stopped } from "./errors.ts";

/** An AbortSignal, or anything that looks like one; `vm/` knows neither the DOM nor Node.js. */
export interface AbortLike {
  readonly aborted: boolean;
}

/**
 * Two words shared with another thread: word 0 is not 0 when the embedder wants a stop; word 1 is 1 in a host call. They
 * are plain accesses: an atomic one costs more than a host call. So a processor may show the other thread word 1 some
 * nanoseconds late, which VM-STOP-1 allows for by a millisecond.
 */
export class Interruption {
  readonly #words: Int32Array;

  constructor(words: Int32Array) {
    this.#words = words;
  }

  /** Throws Stopped when the embedder wants a stop. */
  check(): void {
    if (this.#words[0] !== 0) throw new Stopped();
  }

  /** Before a host call. Word 1 is written before word 0 is read, so one side sees the other. Throws Stopped. */
  enter(): void {
    this.#words[1] = 1;
    if (this.#words[0] === 0) return;
    this.leave();
    throw new Stopped();
  }

  /** Behind a host call. */
  leave(): void {
    this.#words[1] = 0;
  }
}
