/** All edges of a store, one after the other, without the index of edges. */

import { Namespace, type Store, type View } from "../asl/index.ts";
import { hex } from "../assets/hash.ts";
import { decodeEdge, type Edge, readEdgeOf } from "./edge.ts";
import { type EdgeFilter, edgeFilter } from "./edge-filter.ts";

export interface ListedEdge extends Edge {
  /** The 32 bytes that it is bound to. */
  readonly id: Uint8Array;
  /** Of the entry of the log that bound it. */
  readonly position: number;
}

export interface EdgeListOptions extends Pick<EdgeFilter, "types" | "roles"> {
  /** What the store held then; by default what it holds now. */
  readonly at?: View | undefined;
  /** Only edges whose ids begin with these hexadecimal digits. */
  readonly prefix?: string | undefined;
}

/** Every edge that is there (spec TGK-GRAPH-1), in no order that says anything. Throws TGK-ARGUMENT or an AslError. */
export function* listEdges(
  store: Store,
  { at = store.view(), prefix = "", ...filter }: EdgeListOptions = {},
): Generator<ListedEdge, undefined> {
  const accepts = edgeFilter(filter);
  for (const { name: id, key, position } of at.bindings(Namespace.EDGE)) {
    if (!hex(id).startsWith(prefix)) continue;
    // The artifact may be gone, and the edge stays.
    const bytes = store.derivation.viewAt({ position }).get(key);
    if (bytes === undefined || readEdgeOf(id, bytes) === undefined) continue;
    const edge = decodeEdge(bytes);
    if (accepts(edge.type, edge.roles)) yield { ...edge, id, position };
  }
}
