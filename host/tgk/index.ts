/** `ashlar/tgk`: edges between artifacts (spec 32), and the index that finds them (spec 33). */
export {
  decodeEdge,
  EDGE_TAG,
  type Edge,
  EdgeType,
  edgeId,
  encodeEdge,
  FIRST_USER_TYPE,
  MOST_ENDS,
  stageEdge,
} from "./edge.ts";
export type { EdgeFilter } from "./edge-filter.ts";
export { type EdgeListOptions, type ListedEdge, listEdges } from "./edge-list.ts";
export { TGK_CODES, type TgkCode, TgkError, type TgkPlace } from "./errors.ts";
export {
  type FoundEdge,
  type Graph,
  type GraphOptions,
  type GraphStats,
  keepGraph,
  openGraph,
  type Side,
  type Traversal,
  type Visit,
} from "./graph.ts";
