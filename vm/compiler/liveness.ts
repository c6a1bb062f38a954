/**
 * Which locals are live at the loops of a function: whose value some path from there may read. It is what a running
 * frame must hand over to go on elsewhere.
 */
import { type BodyScan, Event } from "./body.ts";

export interface LoopLiveness {
  /** Words of 32 locals for each loop. */
  readonly stride: number;
  /** Bit `local & 31` of word `stride * loop + (local >> 5)`: parameters come first among the locals. */
  readonly words: Int32Array;
}

/** Most words of the answer, and most events read for each that there are: what is over is not worth its time. */
const MOST_WORDS = 1 << 16;
const MOST_ROUNDS = 128;

/**
 * Liveness at each of `scan.loops`, or undefined where finding it takes too long. Locals are taken 32 at a time, so that
 * a set of them is a number; for those the body is read backwards until the loops' sets stay as they are. They only
 * grow, and with loops nested d deep d + 2 rounds are enough.
 */
export function loopLiveness(scan: BodyScan): LoopLiveness | undefined {
  const { loops, locals } = scan;
  const stride = (locals + 31) >> 5;
  if (loops.length * stride > MOST_WORDS) return undefined;
  const words = new Int32Array(loops.length * stride);
  const reader = new BackwardReader(scan);
  let rounds = 0;
  for (let word = 0; word < stride; word++) {
    reader.start(word);
    do {
      if (rounds++ === MOST_ROUNDS) return undefined;
    } while (reader.round());
    for (let loop = 0; loop < loops.length; loop++) words[stride * loop + word] = reader.headers[loop]!;
  }
  return { stride, words };
}

/** Whether the local is live at the loop. */
export function isLive({ stride, words }: LoopLiveness, loop: number, local: number): boolean {
  return ((words[stride * loop + (local >> 5)]! >>> (local & 31)) & 1) === 1;
}

class BackwardReader {
  /** Live locals at each loop, as far as known. */
  readonly headers: Int32Array;
  readonly #scan: BodyScan;
  #word = 0;
  /** For each open construct: the loop's place or -1, what is live behind it, and at the start of its else. */
  readonly #loops: number[] = [];
  readonly #behind: number[] = [];
  readonly #elses: number[] = [];

  constructor(scan: BodyScan) {
    this.#scan = scan;
    this.headers = new Int32Array(scan.loops.length);
  }

  /** Turns to locals 32 `word` to 32 `word` + 31. */
  start(word: number): void {
    this.#word = word;
    this.headers.fill(0);
  }

  /** Reads the body once; true when a loop's set has grown. */
  round(): boolean {
    const { events, length } = this.#scan;
    const headers = this.headers;
    const loops = this.#loops;
    const behind = this.#behind;
    const elses = this.#elses;
    const word = this.#word;
    let depth = 0;
    let live = 0;
    let grown = false;
    for (let at = length - 1; at >= 0; at--) {
      const event = events[at]!;
      const payload = event >> 4;
      switch (event & 15) {
        case Event.get:
          if (payload >> 5 === word) live |= 1 << (payload & 31);
          break;
        case Event.set:
          if (payload >> 5 === word) live &= ~(1 << (payload & 31));
          break;
        case Event.branch: {
          const target = depth - 1 - payload;
          const loop = loops[target]!;
          live |= loop < 0 ? behind[target]! : headers[loop]!;
          break;
        }
        case Event.stop:
          live = 0;
          break;
        case Event.end:
          loops[depth] = payload - 1;
          behind[depth] = live;
          // Without an else a false condition leads behind the construct.
          elses[depth] = live;
          depth++;
          break;
        case Event.else:
          elses[depth - 1] = live;
          live = behind[depth - 1]!;
          break;
        case Event.if:
          depth--;
          live |= elses[depth]!;
          break;
        case Event.block:
          depth--;
          break;
        case Event.loop:
          depth--;
          if ((live & ~headers[payload]!) !== 0) {
            headers[payload]! |= live;
            grown = true;
          }
          break;
      }
    }
    return grown;
  }
}
