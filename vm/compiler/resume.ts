/**
 * Which loops a running function can be left at, to go on at the same place in its *clone*. V8 does not replace the code of
 * a running frame, so a call that takes long would stay in baseline code to its end: at a loop it leaves for the clone now
 * and then, and V8 enters whatever code it has for that by then.
 *
 * The clone has the same code, but takes the locals from globals of the module and goes on at the loop that a parameter
 * names. It gets there over the beginnings of the constructs around the loop, each of which then begins with a jump to its
 * part that leads there. These are loops in no other: what a way into the middle of a loop costs its code at each turn
 * (measured: a tenth to a third in sieve, nbody, fannkuch) is more than it brings.
 */
import type { BodyScan } from "./body.ts";
import { isLive, type LoopLiveness, loopLiveness } from "./liveness.ts";

export interface ResumePlan {
  /** Number of the construct of each loop to go on at; their own numbers are 1, 2 … */
  readonly heads: readonly number[];
  readonly liveness: LoopLiveness;
  /**
   * By construct (by order of beginning, 0 the function): the numbers of the loops to go on at in it, or that it is. 0
   * when there are none, and for the function itself.
   */
  readonly first: Int32Array;
  readonly last: Int32Array;
  /** By construct: 2 × the one it is in, and 1 in its else; and the opcode. */
  readonly places: readonly number[];
  readonly opcodes: readonly number[];
  /** By construct × 2, and 1 more for the arm behind an `else`: the constructs in it that lead to such loops, in order. */
  readonly parts: ReadonlyMap<number, readonly number[]>;
}

/** Functions over these limits are not cloned, nor those with references among their locals. Bytes are the guest's. */
const MOST_LOCALS = 200;
const MOST_BYTES = 1 << 14;
const MOST_LOOPS = 200;
/** Live locals at all its loops together: what hands them over is no more than some times the function. */
const SPARE_LIVE = 600;
/**
 * Live locals at a loop without calls and loops in it: over that it is not left, since registers are short there, and a
 * test that hands all of them over costs it a fifth (measured: sha256).
 */
const MOST_LEAF_LIVE = 8;

/** The plan for a scanned function whose body has `bytes` bytes, or undefined if it is not to be cloned. */
export function planResume(scan: BodyScan, bytes: number): ResumePlan | undefined {
  if (scan.locals > MOST_LOCALS || bytes > MOST_BYTES || scan.hasReferences) return undefined;
  const heads: number[] = [];
  const liveness = loopLiveness(scan);
  if (liveness === undefined) return undefined;
  let live = 0;
  for (const [loop, { construct, enterable, parent, hasCalls }] of scan.loops.entries()) {
    if (!enterable || parent >= 0) continue;
    let own = 0;
    for (let local = 0; local < scan.locals; local++) if (isLive(liveness, loop, local)) own++;
    const isLeaf = !hasCalls && scan.loops[loop + 1]?.parent !== loop;
    if (isLeaf && own > MOST_LEAF_LIVE) continue;
    heads.push(construct);
    live += own;
  }
  if (heads.length === 0 || heads.length > MOST_LOOPS || live > SPARE_LIVE + (bytes >> 1)) return undefined;
  const { places, opcodes } = scan;
  const first = new Int32Array(places.length);
  const last = new Int32Array(places.length);
  const parts = new Map<number, number[]>();
  for (const [k, head] of heads.entries()) {
    for (let at = head; at > 0; at = places[at]! >> 1) {
      last[at] = k + 1;
      if (first[at] !== 0) continue;
      first[at] = k + 1;
      const siblings = parts.get(places[at]!);
      if (siblings === undefined) parts.set(places[at]!, [at]);
      else siblings.push(at);
    }
  }
  return { heads, liveness, first, last, places, opcodes, parts };
}
