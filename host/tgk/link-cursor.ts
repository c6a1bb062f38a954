/** The rows of an artifact's edges in a segment (spec TGK-SEGMENT-5), one after the other. */
import { DIGEST_WORDS, EDGE_WORDS, LINK_WORDS, LinkWord, NODE_WORDS, NodeWord, type Segment } from "./segment.ts";

/** Reused for one artifact after the other. */
export class LinkCursor {
  readonly segment: Segment;
  /** Row of the section, and behind the last. */
  #row = 0;
  #end = 0;
  isOver = true;
  readonly #place: number;
  readonly #count: number;
  /** Where rows of artifacts tell the first row. */
  readonly #nodes: number;
  id0 = 0;
  id1 = 0;
  edge = 0;
  /** From where the segment begins. */
  position = 0;
  type = 0;
  flags = 0;
  far = 0;

  constructor(segment: Segment, isOut: boolean) {
    this.segment = segment;
    const { plan, counts } = segment;
    this.#place = isOut ? plan.out : plan.in;
    this.#count = isOut ? counts.out : counts.in;
    this.#nodes = plan.nodes + (isOut ? NodeWord.OUT : NodeWord.IN);
  }
  /** Begins with the first edge of an artifact, if it has one. */
  begin(node: number): void {
    const { segment } = this;
    segment.locate(this.#nodes + node * NODE_WORDS, NODE_WORDS + 1);
    this.#row = segment.words[segment.at]!;
    this.#end = Math.min(segment.words[segment.at + NODE_WORDS]!, this.#count);
    this.#load();
  }
  next(): void {
    this.#row++;
    this.#load();
  }
  #load(): void {
    this.isOver = this.#row >= this.#end;
    if (this.isOver) return;
    const { segment } = this;
    segment.locate(this.#place + this.#row * LINK_WORDS, LINK_WORDS);
    const { words, at } = segment;
    this.id0 = words[at]!;
    this.id1 = words[at + 1]!;
    this.edge = words[at + LinkWord.EDGE]!;
    this.position = words[at + LinkWord.POSITION]!;
    this.type = words[at + LinkWord.TYPE]!;
    this.flags = words[at + LinkWord.FLAGS]!;
    this.far = words[at + LinkWord.FAR]!;
  }
  /** By the whole ids of their edges: the first 64 bits, which rows have, may be the same for two. */
  compare(other: LinkCursor): number {
    return (
      this.id0 - other.id0 || this.id1 - other.id1 || compareIds(this.segment, this.edge, other.segment, other.edge)
    );
  }
}

/** Of two edges. Their rows have the first two words, which are the same. */
export function compareIds(left: Segment, leftEdge: number, right: Segment, rightEdge: number): number {
  for (let k = 2; k < DIGEST_WORDS; k++) {
    const by =
      left.word(left.plan.edges + leftEdge * EDGE_WORDS + k) -
      right.word(right.plan.edges + rightEdge * EDGE_WORDS + k);
    if (by !== 0) return by;
  }
  return 0;
}
