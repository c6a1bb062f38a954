/** The rows of an artifact's edges in a segment (spec TGK-SEGMENT-5), one after the other. */
import { DIGEST_WORDS, EDGE_WORDS, LINK_WORDS, LinkWord, NODE_WORDS, NodeWord, type Segment } from "./segment.ts";

export class LinkCursor {
  readonly segment: Segment;
  /** Row of the section, and behind the last. */
  row: number;
  readonly end: number;
  readonly #place: number;
  id0 = 0;
  id1 = 0;
  edge = 0;
  /** From where the segment begins. */
  position = 0;
  type = 0;
  flags = 0;
  far = 0;

  constructor(segment: Segment, node: number, isOut: boolean) {
    this.segment = segment;
    const { plan } = segment;
    const word = plan.nodes + node * NODE_WORDS + (isOut ? NodeWord.OUT : NodeWord.IN);
    this.#place = isOut ? plan.out : plan.in;
    this.row = segment.word(word);
    this.end = Math.min(segment.word(word + NODE_WORDS), isOut ? segment.counts.out : segment.counts.in);
    this.#load();
  }
  get isOver(): boolean {
    return this.row >= this.end;
  }
  next(): void {
    this.row++;
    this.#load();
  }
  #load(): void {
    if (this.row >= this.end) return;
    const { segment } = this;
    segment.locate(this.#place + this.row * LINK_WORDS, LINK_WORDS);
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
