/**
 * Places extents of granules by address-ordered first fit (spec HEAP-PLACE-1): the lowest gap that is large enough,
 * else behind the last extent. Nothing moves; neighbouring gaps are one gap; where an extent goes depends on the
 * extents alive and on nothing else, so a heap restored from its placement goes on identically.
 *
 * The gaps stand in an AVL tree by address in which every node knows the largest gap at or below it. AVL rather than
 * a treap: where priorities are public, a guest can choose the addresses that make a treap deep.
 */

// A node is eight words, so that it lies in one cache line; it is named by the index of its first word. Node 0 is the
// empty tree. In a node that is not used, LEFT is the next such node.
const NODE_WORDS = 8;
const START = 0;
const SIZE = 1;
const LARGEST = 2;
const LEFT = 3;
const RIGHT = 4;
const HEIGHT = 5;

/** Higher than an AVL tree of 2^27 nodes. */
const MAX_HEIGHT = 40;

export class Allocator {
  /** Granules that may be placed: addresses are 0 to `capacity` - 1. */
  readonly capacity: number;
  /** Granule behind the last live extent. */
  #top = 0;
  #words = new Int32Array(16 * NODE_WORDS);
  #root = 0;
  #freeNode = 0;
  #nodesEnd = NODE_WORDS;
  /** The nodes from the root down to the one that was looked for. */
  readonly #path = new Int32Array(MAX_HEIGHT);

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** Granule behind the last live extent. */
  get top(): number {
    return this.#top;
  }

  /** What {@link top} would be after `allocate(size)`; over `capacity` when there is no room. */
  topWith(size: number): number {
    return this.#get(this.#root, LARGEST) >= size ? this.#top : this.#top + size;
  }

  /** Places `size` ≥ 1 granules and answers where; `topWith(size)` must be within the capacity. */
  allocate(size: number): number {
    if (this.#get(this.#root, LARGEST) < size) {
      this.#top += size;
      return this.#top - size;
    }
    const words = this.#words;
    let depth = 0;
    let node = this.#root;
    for (;;) {
      this.#path[depth] = node;
      const left = words[node + LEFT] as number;
      if ((words[left + LARGEST] as number) >= size) node = left;
      else if ((words[node + SIZE] as number) >= size) break;
      else node = words[node + RIGHT] as number;
      depth++;
    }
    const start = this.#get(node, START);
    const rest = this.#get(node, SIZE) - size;
    if (rest === 0) this.#remove(depth);
    else this.#edit(depth, start + size, rest);
    return start;
  }

  /** Makes an extent live that lies at or behind the top. */
  restore(start: number, size: number): void {
    const gap = this.#top;
    this.#top = start + size;
    if (start === gap) return;
    let depth = 0;
    for (let node = this.#root; node !== 0; node = this.#get(node, RIGHT)) this.#path[depth++] = node;
    this.#insert(depth, gap, start - gap);
  }

  /** Frees the live extent of `size` granules at `start`. */
  free(start: number, size: number): void {
    const words = this.#words;
    let below = 0;
    let belowDepth = 0;
    let above = 0;
    let aboveDepth = 0;
    let depth = 0;
    for (let node = this.#root; node !== 0; depth++) {
      this.#path[depth] = node;
      if ((words[node + START] as number) < start) {
        below = node;
        belowDepth = depth;
        node = words[node + RIGHT] as number;
      } else {
        above = node;
        aboveDepth = depth;
        node = words[node + LEFT] as number;
      }
    }
    let from = start;
    let to = start + size;
    const joinsBelow = below !== 0 && this.#get(below, START) + this.#get(below, SIZE) === start;
    const joinsAbove = above !== 0 && this.#get(above, START) === to;
    if (joinsBelow) from = this.#get(below, START);
    if (to === this.#top) {
      if (joinsBelow) this.#remove(belowDepth);
      this.#top = from;
      return;
    }
    if (joinsAbove) to += this.#get(above, SIZE);
    if (joinsBelow) {
      this.#edit(belowDepth, from, to - from);
      if (joinsAbove) this.#remove(aboveDepth);
    } else if (joinsAbove) this.#edit(aboveDepth, from, to - from);
    else this.#insert(depth, from, to - from);
  }

  /** For tests: the gaps in address order as start, size pairs; throws an Error where the tree is broken. */
  gaps(): number[] {
    const gaps: number[] = [];
    const walk = (node: number): number => {
      if (node === 0) return 0;
      const left = walk(this.#get(node, LEFT));
      gaps.push(this.#get(node, START), this.#get(node, SIZE));
      const right = walk(this.#get(node, RIGHT));
      if (Math.abs(left - right) > 1 || this.#refresh(node))
        throw new Error(`gap tree is broken at granule ${this.#get(node, START)}`);
      return this.#get(node, HEIGHT);
    };
    walk(this.#root);
    return gaps;
  }

  /** Gives the gap at `depth` of the path another start and size; it passes no other gap, so the order stands. */
  #edit(depth: number, start: number, size: number): void {
    const node = this.#path[depth] as number;
    this.#set(node, START, start);
    this.#set(node, SIZE, size);
    this.#retrace(depth);
  }

  /** Adds a gap below the last of the `depth` nodes of the path, on the side where it belongs. */
  #insert(depth: number, start: number, size: number): void {
    const node = this.#newNode(start, size);
    if (depth === 0) {
      this.#root = node;
      return;
    }
    const parent = this.#path[depth - 1] as number;
    this.#set(parent, start < this.#get(parent, START) ? LEFT : RIGHT, node);
    this.#retrace(depth - 1);
  }

  /** Removes the gap at `depth` of the path. */
  #remove(depth: number): void {
    const node = this.#path[depth] as number;
    let last = depth;
    if (this.#get(node, LEFT) !== 0 && this.#get(node, RIGHT) !== 0) {
      // The next gap takes its place; its own node has no left side and can go.
      for (let next = this.#get(node, RIGHT); next !== 0; next = this.#get(next, LEFT)) this.#path[++last] = next;
      const next = this.#path[last] as number;
      this.#set(node, START, this.#get(next, START));
      this.#set(node, SIZE, this.#get(next, SIZE));
    }
    const gone = this.#path[last] as number;
    this.#link(last, this.#get(gone, LEFT) + this.#get(gone, RIGHT));
    this.#set(gone, LEFT, this.#freeNode);
    this.#freeNode = gone;
    this.#retrace(last - 1);
    // The first may have stopped below the node whose gap changed.
    if (last !== depth) this.#retrace(depth);
  }

  /** Refreshes and balances the path from `depth` upwards, as far as anything changes. */
  #retrace(depth: number): void {
    for (let up = depth; up >= 0; up--) {
      const node = this.#path[up] as number;
      const lean = this.#lean(node);
      if (lean < -1 || lean > 1) this.#link(up, this.#balanced(node, lean));
      else if (!this.#refresh(node)) return;
    }
  }

  /** Puts `node` where the path's node at `depth` hangs. */
  #link(depth: number, node: number): void {
    if (depth === 0) {
      this.#root = node;
      return;
    }
    const parent = this.#path[depth - 1] as number;
    this.#set(parent, this.#get(parent, LEFT) === this.#path[depth] ? LEFT : RIGHT, node);
  }

  /** Works out what a node knows of its subtree; answers whether that changed. */
  #refresh(node: number): boolean {
    const words = this.#words;
    const left = words[node + LEFT] as number;
    const right = words[node + RIGHT] as number;
    const leftHeight = words[left + HEIGHT] as number;
    const rightHeight = words[right + HEIGHT] as number;
    const leftLargest = words[left + LARGEST] as number;
    const rightLargest = words[right + LARGEST] as number;
    const height = leftHeight > rightHeight ? leftHeight + 1 : rightHeight + 1;
    let largest = words[node + SIZE] as number;
    if (leftLargest > largest) largest = leftLargest;
    if (rightLargest > largest) largest = rightLargest;
    if (words[node + HEIGHT] === height && words[node + LARGEST] === largest) return false;
    words[node + HEIGHT] = height;
    words[node + LARGEST] = largest;
    return true;
  }

  /** The root of the subtree of `node`, which leans by two, after the rotations that mend it. */
  #balanced(node: number, lean: number): number {
    const side = lean > 0 ? LEFT : RIGHT;
    const child = this.#get(node, side);
    if (this.#lean(child) * lean < 0) this.#set(node, side, this.#lift(child, LEFT + RIGHT - side));
    return this.#lift(node, side);
  }

  /** By how much the left side is higher. */
  #lean(node: number): number {
    const words = this.#words;
    const left = words[node + LEFT] as number;
    const right = words[node + RIGHT] as number;
    return (words[left + HEIGHT] as number) - (words[right + HEIGHT] as number);
  }

  /** Puts the child on `side` in the place of `node`, and `node` below it. */
  #lift(node: number, side: number): number {
    const child = this.#get(node, side);
    const other = LEFT + RIGHT - side;
    this.#set(node, side, this.#get(child, other));
    this.#set(child, other, node);
    this.#refresh(node);
    this.#refresh(child);
    return child;
  }

  #newNode(start: number, size: number): number {
    let node = this.#freeNode;
    if (node !== 0) this.#freeNode = this.#get(node, LEFT);
    else {
      node = this.#nodesEnd;
      this.#nodesEnd += NODE_WORDS;
      if (this.#nodesEnd > this.#words.length) {
        const larger = new Int32Array(this.#words.length * 2);
        larger.set(this.#words);
        this.#words = larger;
      }
    }
    this.#set(node, START, start);
    this.#set(node, SIZE, size);
    this.#set(node, LEFT, 0);
    this.#set(node, RIGHT, 0);
    this.#refresh(node);
    return node;
  }

  #get(node: number, field: number): number {
    return this.#words[node + field] as number;
  }

  #set(node: number, field: number, value: number): void {
    this.#words[node + field] = value;
  }
}
