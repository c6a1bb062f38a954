/**
 * Places extents of granules by address-ordered first fit (spec HEAP-PLACE-1): the lowest gap that is large enough,
 * else behind the last extent. Nothing moves; neighbouring gaps are one gap; where an extent goes depends on the
 * extents alive and on nothing else, so a heap restored from its placement goes on identically.
 *
 * The gaps stand in an AVL tree by address in which every node knows the largest gap at or below it. AVL rather than
 * a treap: with public deterministic priorities a guest could choose addresses that make a treap deep.
 */

/** Deeper than an AVL tree of 2^31 nodes. */
const MAX_DEPTH = 48;

export class Allocator {
  /** Granules that may be placed: addresses are 0 to `capacity` - 1. */
  readonly capacity: number;
  /** Granule behind the last live extent. */
  #top = 0;
  #root = 0;
  // The node columns; node 0 is the empty tree. A free node's `#left` is the next free node.
  #start = new Int32Array(16);
  #size = new Int32Array(16);
  #largest = new Int32Array(16);
  #left = new Int32Array(16);
  #right = new Int32Array(16);
  #height = new Int8Array(16);
  #nodes = 1;
  #freeNode = 0;
  readonly #path = new Int32Array(MAX_DEPTH);

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** Granule behind the last live extent. */
  get top(): number {
    return this.#top;
  }

  /** Where an extent of `size` ≥ 1 granules would be placed; -1 when there is no room. Changes nothing. */
  find(size: number): number {
    let node = this.#root;
    if (at(this.#largest, node) < size) return size <= this.capacity - this.#top ? this.#top : -1;
    for (;;) {
      const left = at(this.#left, node);
      if (at(this.#largest, left) >= size) node = left;
      else if (at(this.#size, node) >= size) return at(this.#start, node);
      else node = at(this.#right, node);
    }
  }

  /** Makes `size` granules at `start` live; `start` is what {@link find} answered, or lies at or behind the top. */
  place(start: number, size: number): void {
    if (start >= this.#top) {
      if (start > this.#top) this.#root = this.#insert(this.#root, this.#top, start - this.#top);
      this.#top = start + size;
      return;
    }
    const gap = at(this.#size, this.#floor(start));
    if (gap === size) this.#root = this.#remove(this.#root, start);
    else this.#edit(start, start + size, gap - size);
  }

  /** Frees the live extent of `size` granules at `start`. */
  free(start: number, size: number): void {
    const end = start + size;
    const below = this.#floor(start);
    const joins = below !== 0 && at(this.#start, below) + at(this.#size, below) === start;
    const from = joins ? at(this.#start, below) : start;
    if (end === this.#top) {
      if (joins) this.#root = this.#remove(this.#root, from);
      this.#top = from;
      return;
    }
    const above = this.#floor(end);
    const joinsAbove = above !== 0 && at(this.#start, above) === end;
    const to = joinsAbove ? end + at(this.#size, above) : end;
    if (joins) {
      if (joinsAbove) this.#root = this.#remove(this.#root, end);
      this.#edit(from, from, to - from);
    } else if (joinsAbove) this.#edit(end, from, to - from);
    else this.#root = this.#insert(this.#root, from, to - from);
  }

  /** For tests: the gaps in address order as start, size pairs; throws an Error where the tree is broken. */
  gaps(): number[] {
    const gaps: number[] = [];
    const walk = (node: number): number => {
      if (node === 0) return 0;
      const left = walk(at(this.#left, node));
      gaps.push(at(this.#start, node), at(this.#size, node));
      const right = walk(at(this.#right, node));
      const height = at(this.#height, node);
      const largest = at(this.#largest, node);
      this.#refresh(node);
      if (Math.abs(left - right) > 1 || height !== at(this.#height, node) || largest !== at(this.#largest, node))
        throw new Error(`gap tree is broken at granule ${at(this.#start, node)}`);
      return height;
    };
    walk(this.#root);
    return gaps;
  }

  /** The gap with the highest start at or below `start`, or 0. */
  #floor(start: number): number {
    let best = 0;
    for (let node = this.#root; node !== 0; ) {
      if (at(this.#start, node) <= start) {
        best = node;
        node = at(this.#right, node);
      } else node = at(this.#left, node);
    }
    return best;
  }

  /** Gives the gap that starts at `key` another start and size, without passing a neighbour. */
  #edit(key: number, start: number, size: number): void {
    let depth = 0;
    for (let node = this.#root; ; ) {
      this.#path[depth++] = node;
      const found = at(this.#start, node);
      if (found === key) {
        this.#start[node] = start;
        this.#size[node] = size;
        break;
      }
      node = at(found < key ? this.#right : this.#left, node);
    }
    while (depth > 0) this.#refresh(at(this.#path, --depth));
  }

  #insert(node: number, start: number, size: number): number {
    if (node === 0) return this.#newNode(start, size);
    // The child first: a new node may replace the columns.
    if (start < at(this.#start, node)) {
      const left = this.#insert(at(this.#left, node), start, size);
      this.#left[node] = left;
    } else {
      const right = this.#insert(at(this.#right, node), start, size);
      this.#right[node] = right;
    }
    return this.#balance(node);
  }

  #remove(node: number, start: number): number {
    const found = at(this.#start, node);
    if (start < found) this.#left[node] = this.#remove(at(this.#left, node), start);
    else if (start > found) this.#right[node] = this.#remove(at(this.#right, node), start);
    else {
      const left = at(this.#left, node);
      const right = at(this.#right, node);
      if (left === 0 || right === 0) {
        this.#left[node] = this.#freeNode;
        this.#freeNode = node;
        return left + right;
      }
      let next = right;
      while (at(this.#left, next) !== 0) next = at(this.#left, next);
      this.#start[node] = at(this.#start, next);
      this.#size[node] = at(this.#size, next);
      this.#right[node] = this.#remove(right, at(this.#start, next));
    }
    return this.#balance(node);
  }

  #refresh(node: number): void {
    const left = at(this.#left, node);
    const right = at(this.#right, node);
    this.#height[node] = 1 + Math.max(at(this.#height, left), at(this.#height, right));
    this.#largest[node] = Math.max(at(this.#size, node), at(this.#largest, left), at(this.#largest, right));
  }

  #balance(node: number): number {
    const left = at(this.#left, node);
    const right = at(this.#right, node);
    const lean = at(this.#height, left) - at(this.#height, right);
    if (lean > 1) {
      if (at(this.#height, at(this.#left, left)) < at(this.#height, at(this.#right, left)))
        this.#left[node] = this.#rotate(left, this.#right, this.#left);
      return this.#rotate(node, this.#left, this.#right);
    }
    if (lean < -1) {
      if (at(this.#height, at(this.#right, right)) < at(this.#height, at(this.#left, right)))
        this.#right[node] = this.#rotate(right, this.#left, this.#right);
      return this.#rotate(node, this.#right, this.#left);
    }
    this.#refresh(node);
    return node;
  }

  /** Lifts the child of `node` on the side `up` over it. */
  #rotate(node: number, up: Int32Array, down: Int32Array): number {
    const child = at(up, node);
    up[node] = at(down, child);
    down[child] = node;
    this.#refresh(node);
    this.#refresh(child);
    return child;
  }

  #newNode(start: number, size: number): number {
    let node = this.#freeNode;
    if (node !== 0) this.#freeNode = at(this.#left, node);
    else {
      if (this.#nodes === this.#start.length) {
        this.#start = doubled(this.#start);
        this.#size = doubled(this.#size);
        this.#largest = doubled(this.#largest);
        this.#left = doubled(this.#left);
        this.#right = doubled(this.#right);
        const height = new Int8Array(this.#height.length * 2);
        height.set(this.#height);
        this.#height = height;
      }
      node = this.#nodes++;
    }
    this.#start[node] = start;
    this.#size[node] = size;
    this.#left[node] = 0;
    this.#right[node] = 0;
    this.#refresh(node);
    return node;
  }
}

/** Typed-array read at an index known to be inside. */
function at(column: Int32Array | Int8Array, index: number): number {
  return column[index] as number;
}

function doubled(column: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(column.length * 2);
  larger.set(column);
  return larger;
}
