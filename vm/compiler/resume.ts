/**
 * Which loops a running function can be left at, to go on at the same place in its *clone*. V8 does not replace the code of
 * a running frame, so a call that takes long would stay in baseline code to its end: at a loop it leaves for the clone now
 * and then, and V8 enters whatever code it has for that by then.
 *
 * The clone is the function with all its locals as parameters, and one more that says where to go on. It gets there over
 * the beginnings of the constructs around the loop, each of which then begins with jumps to those of its parts that lead
 * to such a loop.
 *
 * Only outermost loops are left: a loop that can be entered in its middle is slower by a fifth and more ever after, and
 * a test that hands over locals costs an inner loop up to a tenth.
 */
import type { BodyScan } from "./body.ts";

export interface ResumePlan {
  /**
   * By construct (by order of beginning, 0 the function): the numbers, from 1 on, of the loops to go on at in it, itself
   * included: a loop's own is the first. 0 when there are none, and for the function itself.
   */
  readonly first: Int32Array;
  readonly last: Int32Array;
  /** By construct: 2 × the one it is in, and 1 in its else; and the opcode. */
  readonly places: readonly number[];
  readonly opcodes: readonly number[];
  /** By construct × 2, and 1 more for the arm behind an `else`: the constructs in it that lead to such loops, in order. */
  readonly parts: ReadonlyMap<number, readonly number[]>;
}

/** Functions over these limits are not cloned: parameters are dear, and so is code. Bytes are the guest's. */
const MOST_LOCALS = 200;
const MOST_BYTES = 1 << 17;
const MOST_LOOPS = 1000;

/** The plan for a scanned function whose body has `bytes` bytes, or undefined if it is not to be cloned. */
export function planResume(scan: BodyScan, bytes: number): ResumePlan | undefined {
  if (!isCloned(scan, bytes)) return undefined;
  const first = new Int32Array(scan.places.length);
  const last = new Int32Array(scan.places.length);
  const parts = new Map<number, number[]>();
  let number = 0;
  for (const { construct, enterable, parent } of scan.loops) {
    if (!enterable || parent >= 0) continue;
    number++;
    for (let at = construct; at > 0; at = scan.places[at]! >> 1) {
      last[at] = number;
      if (first[at] !== 0) continue;
      first[at] = number;
      const siblings = parts.get(scan.places[at]!);
      if (siblings === undefined) parts.set(scan.places[at]!, [at]);
      else siblings.push(at);
    }
  }
  return { first, last, places: scan.places, opcodes: scan.opcodes, parts };
}

/** Whether the scanned function gets a clone. */
export function isCloned(scan: BodyScan, bytes: number): boolean {
  if (scan.locals > MOST_LOCALS || bytes > MOST_BYTES || scan.loops.length > MOST_LOOPS) return false;
  return scan.loops.some(({ enterable, parent }) => enterable && parent < 0);
}
