/**
 * References as V8 has them, and as the numbers of cells (0 is null, else 1 + a function's address or a host value's
 * number). A funcref is a function in the form that compiled code calls; an externref is the cell's number itself.
 */
import type { GlobalType, ValueType } from "../bytecode/structure.ts";
import { UsageError } from "../errors.ts";
import type { NativeCell, NativeElements } from "../execution.ts";
import { hostMemory } from "../memory.ts";

export type NativeFunction = (...args: never[]) => unknown;

/** An instance's functions that a funcref can name: the table of its code, and the address of each element. */
export interface DeclaredFunctions {
  readonly table: WebAssembly.Table;
  readonly declared: readonly number[];
  /** Address of the function at `k` in the table. */
  address(k: number): number;
  /** What stands for the function outside its instance. */
  forwarded(native: NativeFunction, address: number): NativeFunction;
}

export class References {
  /** Not looked into so far: V8 makes an object for each function that is asked for. */
  #unread: DeclaredFunctions[] = [];
  readonly #addresses = new Map<unknown, number>();
  /** By address: the function, and a form for other instances once it was asked for. */
  readonly #functions: ({ readonly native: NativeFunction; readonly owner: DeclaredFunctions } | undefined)[] = [];
  readonly #forwarded: (NativeFunction | undefined)[] = [];

  add(declared: DeclaredFunctions): void {
    this.#unread.push(declared);
  }

  #readAll(): void {
    for (const entry of this.#unread)
      entry.declared.forEach((_, k) => {
        const address = entry.address(k);
        const native = entry.table.get(k) as NativeFunction;
        if (!this.#addresses.has(native)) this.#addresses.set(native, address);
        this.#functions[address] ??= { native, owner: entry };
      });
    this.#unread = [];
  }

  /** The function with that address. Throws VM-ARGUMENT for one that no funcref can name. */
  native(address: number): NativeFunction {
    const known = this.#forwarded[address];
    if (known) return known;
    if (this.#functions[address] === undefined) this.#readAll();
    const found = this.#functions[address];
    if (found === undefined) throw new UsageError("VM-ARGUMENT", `no reference can name the function ${address}`);
    const forwarded = found.owner.forwarded(found.native, address);
    this.#forwarded[address] = forwarded;
    this.#addresses.set(forwarded, address);
    return forwarded;
  }

  /** Of a reference, its number. */
  toNumber(type: "funcref" | "externref", native: unknown): number {
    if (native === null) return 0;
    if (type === "externref") return native as number;
    if (!this.#addresses.has(native)) this.#readAll();
    const address = this.#addresses.get(native);
    if (address === undefined) throw new Error("compiled code has a reference to a function that no instance declares");
    return address + 1;
  }

  fromNumber(type: "funcref" | "externref", number: number): unknown {
    if (number === 0) return null;
    return type === "externref" ? number : this.native(number - 1);
  }

  /** The cell at `words[0]` as V8 takes it: a float as the integer of its bits. */
  toNative(type: ValueType, words: Int32Array): number | bigint | unknown {
    switch (type) {
      case "i32":
      case "f32":
        return words[0]!;
      case "i64":
      case "f64":
        return (BigInt(words[1]!) << 32n) | BigInt(words[0]! >>> 0);
      default:
        return this.fromNumber(type, words[0]!);
    }
  }

  /** The reverse of {@link toNative}. */
  toCell(type: ValueType, native: unknown, words: Int32Array): void {
    words[1] = 0;
    switch (type) {
      case "i32":
      case "f32":
        words[0] = native as number;
        return;
      case "i64":
      case "f64":
        words[0] = Number(BigInt.asIntN(32, native as bigint));
        words[1] = Number(BigInt.asIntN(32, (native as bigint) >> 32n));
        return;
      default:
        words[0] = this.toNumber(type, native);
    }
  }
}

/** V8's name of the type that a value has natively: floats cross as the integers of their bits. */
export function nativeType(type: ValueType): WebAssembly.ValueType {
  switch (type) {
    case "f32":
      return "i32";
    case "f64":
      return "i64";
    case "funcref":
      return "anyfunc";
    default:
      return type;
  }
}

/** A global that V8 holds. */
export class NativeGlobal implements NativeCell {
  readonly global: WebAssembly.Global;
  readonly #type: ValueType;
  readonly #references: References;

  constructor(references: References, type: ValueType, global: WebAssembly.Global) {
    this.#references = references;
    this.#type = type;
    this.global = global;
  }

  static of(references: References, type: GlobalType, cell: Int32Array): NativeGlobal {
    const descriptor = { value: nativeType(type.value), mutable: type.mutable };
    const global = new WebAssembly.Global(descriptor, references.toNative(type.value, cell));
    return new NativeGlobal(references, type.value, global);
  }

  read(words: Int32Array): void {
    this.#references.toCell(this.#type, this.global.value, words);
  }

  write(words: Int32Array): void {
    this.global.value = this.#references.toNative(this.#type, words);
  }
}

/** A table that V8 holds. */
export class NativeTable implements NativeElements {
  readonly table: WebAssembly.Table;
  readonly #element: "funcref" | "externref";
  readonly #references: References;

  constructor(references: References, element: "funcref" | "externref", initial: number, maximum: number) {
    this.#references = references;
    this.#element = element;
    const descriptor = { element: nativeType(element) as "anyfunc", initial, maximum };
    this.table = hostMemory(() => new WebAssembly.Table(descriptor, null));
  }

  get length(): number {
    return this.table.length;
  }

  get(index: number): number {
    return this.#references.toNumber(this.#element, this.table.get(index));
  }

  set(index: number, element: number): void {
    this.table.set(index, this.#references.fromNumber(this.#element, element));
  }

  grow(delta: number, element: number): number {
    return hostMemory(() => this.table.grow(delta, this.#references.fromNumber(this.#element, element)));
  }
}
