import type { GlobalType } from "./bytecode/structure.ts";
import { UsageError } from "./errors.ts";
import type { NativeCell } from "./execution.ts";
import { fromCell, type Storage, toCell, type Value, type ValueOptions } from "./value.ts";

/** A global (core spec 2.0, §4.2.9); its value is a cell of two words. */
export class Global {
  readonly type: GlobalType;
  /** The reference engine's value; else {@link read} brings it here. */
  readonly words: Int32Array = new Int32Array(2);
  /** Where a compiled engine holds the value. */
  native: NativeCell | undefined;
  /** The store that a reference in it belongs to: the one given, else the first that links it (spec VM-STORE-2). */
  storage: Storage | undefined;

  constructor(type: GlobalType, value?: Value, storage?: Storage) {
    this.type = type;
    this.storage = storage;
    if (value !== undefined) toCell(storage, type.value, value, this.words, 0);
  }

  get(options?: ValueOptions): Value {
    return fromCell(this.storage, this.type.value, this.read(), 0, options);
  }

  /** Throws VM-ARGUMENT when the value is not of the global's type, or the global is immutable. */
  set(value: Value): void {
    if (!this.type.mutable) throw new UsageError("VM-ARGUMENT", "the global is immutable");
    const cell = new Int32Array(2);
    toCell(this.storage, this.type.value, value, cell, 0);
    this.write(cell);
  }

  /** The value's cell. */
  read(): Int32Array {
    this.native?.read(this.words);
    return this.words;
  }

  write(cell: Int32Array): void {
    this.words.set(cell);
    this.native?.write(cell);
  }

  get value(): Value {
    return this.get();
  }
}
