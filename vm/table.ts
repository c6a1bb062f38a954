import type { RefType, TableType } from "./bytecode/structure.ts";
import { checkLimit, DEFAULT_LIMITS, type Limits } from "./limits.ts";

/**
 * A table (core spec 2.0, §4.2.7). An element is 0 for null, else 1 + the function's address in the store, or 1 + the
 * number of the host value in the store; so a table with elements belongs to one store.
 */
export class Table {
  readonly element: RefType;
  readonly maximum: number | undefined;
  readonly #ceiling: number;
  elements: Int32Array;
  length: number;

  /** Throws LimitError when the minimum is over the limit on elements. */
  constructor(type: TableType, limits: Limits = DEFAULT_LIMITS) {
    checkLimit(limits, "tableElements", type.minimum);
    this.element = type.element;
    this.maximum = type.maximum;
    this.#ceiling = Math.min(type.maximum ?? 0xffffffff, limits.tableElements);
    this.elements = new Int32Array(type.minimum);
    this.length = type.minimum;
  }

  /** Adds `delta` elements; the old length, or -1 and no change when that is over the ceiling. */
  grow(delta: number, element: number): number {
    const old = this.length;
    if (delta > this.#ceiling - old) return -1;
    const length = old + delta;
    if (length > this.elements.length) {
      const grown = new Int32Array(Math.min(this.#ceiling, Math.max(length, this.elements.length * 2)));
      grown.set(this.elements);
      this.elements = grown;
    }
    this.length = length;
    this.elements.fill(element, old, length);
    return old;
  }
}
