/** What depends on what: the level of every node, and cycles (spec PEL-ORDER-1). */
import { MOST_PROBLEMS } from "./errors.ts";
import type { Ref } from "./program.ts";

/** What depends on nodes. */
export interface Dependant {
  readonly refs: readonly Ref[];
}

/**
 * The level of every node: 0 without refs, else one more than the highest level of what its refs name. All refs name nodes of the list.
 * Where there are cycles, `onCycle` is called with nodes that depend each on the next, and the last one on the first, at least once for every
 * set of nodes that depend on each other, at most {@link MOST_PROBLEMS} times; if it returns, the levels mean nothing.
 */
export function levelsOf(nodes: readonly Dependant[], onCycle: (path: Uint32Array) => void): Uint32Array {
  const levels = new Uint32Array(nodes.length);
  /** The ref of a node that is looked at next. */
  const next = new Uint32Array(nodes.length);
  const state = new Uint8Array(nodes.length);
  // A path, from a node to what it depends on, can be as long as there are nodes: it is no recursion.
  const path = new Uint32Array(nodes.length);
  let cycles = 0;
  for (let start = 0; start < nodes.length; start++) {
    if (state[start] === DONE) continue;
    let depth = 0;
    path[0] = start;
    state[start] = ON_PATH;
    while (depth >= 0) {
      const node = path[depth]!;
      const { refs } = nodes[node]!;
      const k = next[node]!;
      if (k === refs.length) {
        state[node] = DONE;
        depth--;
        continue;
      }
      const target = refs[k]!.node;
      if (state[target] === 0) {
        path[++depth] = target;
        state[target] = ON_PATH;
        continue;
      }
      if (state[target] === ON_PATH && cycles++ < MOST_PROBLEMS)
        onCycle(path.subarray(path.indexOf(target), depth + 1));
      if (levels[target]! >= levels[node]!) levels[node] = levels[target]! + 1;
      next[node] = k + 1;
    }
  }
  return levels;
}

const ON_PATH = 1;
const DONE = 2;

/** Nodes of a cycle that are told; there may be a million. */
const MOST_TOLD = 20;

/** What to say of a cycle. */
export function cycleText(path: Uint32Array, nameOf: (node: number) => string): string {
  const told = Array.from(path.subarray(0, MOST_TOLD), nameOf);
  if (path.length > MOST_TOLD) told.push(`… (${path.length - MOST_TOLD} more)`);
  return `nodes depend on themselves: ${[...told, nameOf(path[0]!)].join(" → ")}`;
}

/** Order of two ranges of `bytes`: byte by byte, the shorter of two that agree first. */
export function compareRanges(
  bytes: Uint8Array,
  left: number,
  leftEnd: number,
  right: number,
  rightEnd: number,
): number {
  const length = Math.min(leftEnd - left, rightEnd - right);
  for (let k = 0; k < length; k++) {
    const difference = bytes[left + k]! - bytes[right + k]!;
    if (difference !== 0) return difference;
  }
  return leftEnd - left - (rightEnd - right);
}
