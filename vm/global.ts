import type { GlobalType } from "./bytecode/structure.ts";
import { fromCell, type Storage, toCell, type Value, type ValueOptions } from "./value.ts";

/** A global (core spec 2.0, §4.2.9); its value is a cell of two words. */
export class Global {
  readonly type: GlobalType;
  readonly words: Int32Array = new Int32Array(2);
  /** Resolves references; undefined for a number until a store takes the global in. */
  #storage: Storage | undefined;

  constructor(type: GlobalType, value?: Value, storage?: Storage) {
    this.type = type;
    this.#storage = storage;
    if (value !== undefined) toCell(storage, type.value, value, this.words, 0);
  }

  get(options?: ValueOptions): Value {
    return fromCell(this.#storage, this.type.value, this.words, 0, options);
  }

  /** Throws VM-ARGUMENT when the value is not of the global's type. Immutable globals are the embedder's to keep so. */
  set(value: Value): void {
    toCell(this.#storage, this.type.value, value, this.words, 0);
  }

  get value(): Value {
    return this.get();
  }
}
