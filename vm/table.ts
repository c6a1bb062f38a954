import type { RefType, TableType } from "./bytecode/structure.ts";
import { UsageError } from "./errors.ts";
import type { NativeElements } from "./execution.ts";
import { checkLimit, DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { fromCell, type Storage, toCell, type Value } from "./value.ts";

/**
 * A table (core spec 2.0, §4.2.7). An element is 0 for null, else 1 + the function's address in the store, or 1 + the
 * number of the host value in the store; so a table belongs to one store.
 */
export class Table {
  readonly element: RefType;
  readonly maximum: number | undefined;
  /** Most elements that it can have. */
  readonly ceiling: number;
  /** The reference engine's elements, of which `size` are in use. */
  elements: Int32Array;
  size: number;
  /** Where a compiled engine holds the elements. */
  native: NativeElements | undefined;
  /** The store that its elements belong to: the one given, else the first that links it (spec VM-STORE-2). */
  storage: Storage | undefined;

  /** Throws LimitError when the minimum is over the limit on elements. */
  constructor(type: TableType, limits: Limits = DEFAULT_LIMITS, storage?: Storage) {
    checkLimit(limits, "tableElements", type.minimum);
    this.element = type.element;
    this.maximum = type.maximum;
    this.ceiling = Math.min(type.maximum ?? 0xffffffff, limits.tableElements);
    this.elements = new Int32Array(type.minimum);
    this.size = type.minimum;
    this.storage = storage;
  }

  get length(): number {
    return this.native ? this.native.length : this.size;
  }

  /** Throws VM-ARGUMENT when there is no such element. */
  get(index: number): Value {
    const at = this.#checked(index);
    return fromCell(this.storage, this.element, Int32Array.of(this.native?.get(at) ?? this.elements[at]!, 0), 0);
  }

  /** Throws VM-ARGUMENT when there is no such element, or the value is not one of the table's type. */
  set(index: number, value: Value): void {
    const cell = new Int32Array(2);
    toCell(this.storage, this.element, value, cell, 0);
    const at = this.#checked(index);
    if (this.native) this.native.set(at, cell[0]!);
    else this.elements[at] = cell[0]!;
  }

  /** All elements, as numbers. */
  numbers(): Int32Array {
    const { native } = this;
    return native
      ? Int32Array.from({ length: native.length }, (_, k) => native.get(k))
      : this.elements.slice(0, this.size);
  }

  /** Sets the first elements, which are null. */
  load(numbers: Int32Array): void {
    const { native } = this;
    if (native === undefined) this.elements.set(numbers);
    else for (let k = 0; k < numbers.length; k++) if (numbers[k] !== 0) native.set(k, numbers[k]!);
  }

  /** From now on an engine holds the elements. */
  adopt(native: NativeElements): void {
    const numbers = this.numbers();
    this.native = native;
    this.load(numbers);
    this.elements = new Int32Array(0);
    this.size = 0;
  }

  #checked(index: number): number {
    if (Number.isInteger(index) && index >= 0 && index < this.length) return index;
    throw new UsageError("VM-ARGUMENT", `the table has ${this.length} elements, none with number ${index}`);
  }

  /** Adds `delta` elements; the old length, or -1 and no change when it is negative or over the ceiling. */
  grow(delta: number, element: number): number {
    const old = this.length;
    if (!(delta >= 0 && delta <= this.ceiling - old)) return -1;
    if (this.native) return this.native.grow(delta, element);
    const length = old + delta;
    if (length > this.elements.length) {
      const grown = new Int32Array(Math.min(this.ceiling, Math.max(length, this.elements.length * 2)));
      grown.set(this.elements);
      this.elements = grown;
    }
    this.size = length;
    this.elements.fill(element, old, length);
    return old;
  }
}
