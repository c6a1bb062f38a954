/** What depends on what: the level of every node, and cycles (spec PEL-ORDER-1). */
import { PelError } from "./errors.ts";
import type { Ref } from "./program.ts";

/** What a node depends on. */
export interface Dependant {
  readonly refs: readonly Ref[];
}

/** Nodes of a cycle that are told; there may be a million. */
const MOST_TOLD = 20;

/**
 * The level of every node: 0 without refs, else one more than the highest level of what its refs name. All refs name nodes of the list.
 * Throws PEL-CYCLE with the path of a cycle; `nameOf` and `pointerOf` tell how a node is called, and where it stands.
 */
export function levelsOf(
  nodes: readonly Dependant[],
  nameOf: (node: number) => string = String,
  pointerOf: (node: number) => string = (node) => `/nodes/${node}`,
): Uint32Array {
  const levels = new Uint32Array(nodes.length);
  /** The ref of a node that is looked at next; a node is done when it has been at its end. */
  const next = new Uint32Array(nodes.length);
  const isDone = new Uint8Array(nodes.length);
  const isOnPath = new Uint8Array(nodes.length);
  // The path from a node to what it depends on is kept here: it may be as deep as there are nodes.
  const path = new Uint32Array(nodes.length);
  for (let start = 0; start < nodes.length; start++) {
    if (isDone[start] === 1) continue;
    let depth = 0;
    path[0] = start;
    isOnPath[start] = 1;
    while (depth >= 0) {
      const node = path[depth]!;
      const { refs } = nodes[node]!;
      const k = next[node]!;
      if (k === refs.length) {
        isDone[node] = 1;
        isOnPath[node] = 0;
        depth--;
        continue;
      }
      const target = refs[k]!.node;
      if (isDone[target] === 1) {
        levels[node] = Math.max(levels[node]!, levels[target]! + 1);
        next[node] = k + 1;
      } else if (isOnPath[target] === 1) {
        throw cycle(path.subarray(path.indexOf(target), depth + 1), nameOf, pointerOf);
      } else {
        path[++depth] = target;
        isOnPath[target] = 1;
      }
    }
  }
  return levels;
}

function cycle(path: Uint32Array, nameOf: (node: number) => string, pointerOf: (node: number) => string): PelError {
  const told = Array.from(path.subarray(0, MOST_TOLD), nameOf);
  if (path.length > MOST_TOLD) told.push(`… (${path.length - MOST_TOLD} more)`);
  const node = path[0]!;
  return new PelError("PEL-CYCLE", `nodes depend on themselves: ${[...told, nameOf(node)].join(" → ")}`, {
    pointer: pointerOf(node),
    node,
  });
}
