/**
 * Drives Ruby for WASI, a library whose functions are called from outside: by the Canonical ABI of its time, with names
 * that are whole signatures. On Ashlar and on `node:wasi`.
 */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { WASI } from "node:wasi";
import { trapUnknownImports } from "../../../host/unknown-imports.ts";
import type { HostFunction } from "../../../vm/function.ts";
import type { Imports, Instance } from "../../../vm/instance.ts";
import type { Module } from "../../../vm/module.ts";

/** `ruby.wasm` is the interpreter, `ruby+stdlib.wasm` has its library packed into it. */
export type RubyFile = "ruby.wasm" | "ruby+stdlib.wasm";

/** Where `npm ci` in this folder puts it; undefined when that was not done. */
export function rubyPath(file: RubyFile = "ruby.wasm"): string | undefined {
  const path = fileURLToPath(new URL(`node_modules/@ruby/4.0-wasm-wasi/dist/${file}`, import.meta.url));
  return existsSync(path) ? path : undefined;
}

export function readRuby(file: RubyFile = "ruby.wasm"): Uint8Array<ArrayBuffer> {
  const path = rubyPath(file);
  if (path === undefined) throw new Error("Ruby is not installed: npm ci in test/programs/ruby");
  return new Uint8Array(readFileSync(path));
}

/** What it takes to call an instance. */
export interface RubyMachine {
  /** Calls an export, of which every parameter is an i32; answers the result, an i32, or 0. */
  call(name: string, ...words: number[]): number;
  /** The memory as it is now; a call may move it. */
  memory(): Uint8Array;
}

/** Numbers for Ruby's values that the guest hands out; it never takes one back, so the host ends them. */
export class Handles {
  readonly #values: (number | null)[];

  /** `saved` is what another had, for a guest that comes from a snapshot. */
  constructor(saved: readonly (number | null)[] = []) {
    this.#values = [...saved];
  }
  get saved(): readonly (number | null)[] {
    return this.#values;
  }
  /** The least free number, so that equal runs have equal handles. */
  make(value: number): number {
    const free = this.#values.indexOf(null);
    const handle = free < 0 ? this.#values.length : free;
    this.#values[handle] = value;
    return handle;
  }
  value(handle: number): number {
    const value = this.#values[handle];
    if (value === undefined || value === null) throw new RangeError(`there is no handle ${handle}`);
    return value;
  }
  /** Forgets a handle and answers what it was for. */
  end(handle: number): number {
    const value = this.value(handle);
    this.#values[handle] = null;
    return value;
  }
}

/** Fuel of a call that looks a handle up. */
const HANDLE_FUEL = 10;

/** What `module` imports, on Ashlar: `imports` of `createAbi`, handles, and traps for functions that reach for JavaScript. */
export function rubyImports(module: Module, imports: Imports, handles: Handles): Imports {
  const handleFunction = (body: (word: number) => number): HostFunction => ({
    type: { params: ["i32"], results: ["i32"] },
    fuel: HANDLE_FUEL,
    mayFree: false,
    call: (_caller, word) => body(word!),
  });
  return trapUnknownImports(module, {
    ...imports,
    canonical_abi: {
      "resource_new_rb-abi-value": handleFunction((value) => handles.make(value)),
      "resource_get_rb-abi-value": handleFunction((handle) => handles.value(handle)),
    },
  });
}

export function ashlarMachine(instance: Instance): RubyMachine {
  return {
    call: (name, ...words) => (instance.invoke(name, words)[0] ?? 0) as number,
    memory: () => instance.memory("memory").bytes,
  };
}

/** The same on `node:wasi`, initialised as {@link Ruby.boot} does there where the guest is none of Node.js. */
export function nodeMachine(module: WebAssembly.Module, wasi: WASI, handles: Handles): RubyMachine {
  const imports: WebAssembly.Imports = {
    wasi_snapshot_preview1: wasi.wasiImport as WebAssembly.Imports[string],
    canonical_abi: {
      "resource_new_rb-abi-value": (value: number) => handles.make(value),
      "resource_get_rb-abi-value": (handle: number) => handles.value(handle),
    },
  };
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    const functions = (imports[from] ??= {});
    functions[name] ??= () => {
      throw new Error(`${from} ${name} was called`);
    };
  }
  const instance = new WebAssembly.Instance(module, imports);
  const exports = instance.exports as { readonly [name: string]: (...words: number[]) => number | undefined };
  const memory = instance.exports.memory as WebAssembly.Memory;
  return {
    // Node.js wants to see the instance before it serves it.
    call: (name, ...words) => {
      if (name !== "_initialize") return exports[name]!(...words) ?? 0;
      wasi.initialize(instance);
      return 0;
    },
    memory: () => new Uint8Array(memory.buffer),
  };
}

/** What Ruby raised. */
export class RubyError extends Error {
  readonly raised: string;
  constructor(raised: string, message: string) {
    super(message);
    this.raised = raised;
  }
}

const EVAL = "rb-eval-string-protect: func(str: string) -> tuple<handle<rb-abi-value>, s32>";
const SEND =
  "rb-funcallv-protect: func(recv: handle<rb-abi-value>, mid: u32, args: list<handle<rb-abi-value>>) -> tuple<handle<rb-abi-value>, s32>";

/** One interpreter. Values are handles, and stay until they are dropped. */
export class Ruby {
  readonly #machine: RubyMachine;
  readonly #handles: Handles;

  constructor(machine: RubyMachine, handles: Handles) {
    this.#machine = machine;
    this.#handles = handles;
  }

  /** Initialises the module and Ruby in it, as `ruby ARGS` would. */
  boot(args: readonly string[] = ["ruby.wasm", "-EUTF-8", "-e_=0"]): void {
    this.#machine.call("_initialize");
    const list = this.#machine.call("cabi_realloc", 0, 0, 4, args.length * 8);
    for (const [k, arg] of args.entries()) {
      const { at, length } = this.#lower(arg);
      this.#setWords(list + 8 * k, at, length);
    }
    this.#machine.call("ruby-init: func(args: list<string>) -> ()", list, args.length);
  }

  /** The value of a piece of Ruby. Throws RubyError. */
  eval(code: string): number {
    const { at, length } = this.#lower(code);
    return this.#outcome(this.#machine.call(EVAL, at, length));
  }

  /** What `value.name(…args)` answers. Throws RubyError. */
  send(value: number, name: string, ...args: readonly number[]): number {
    const { at, length } = this.#lower(name);
    const method = this.#machine.call("rb-intern: func(name: string) -> u32", at, length);
    const list = this.#machine.call("cabi_realloc", 0, 0, 4, 4 * args.length);
    this.#setWords(list, ...args);
    return this.#outcome(this.#machine.call(SEND, value, method, list, args.length));
  }

  /** A String's bytes, which are UTF-8. */
  text(value: number): string {
    const place = this.#machine.call("rstring-ptr: func(value: handle<rb-abi-value>) -> string", value);
    const [at, length] = this.#words(place);
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      this.#machine.memory().slice(at >>> 0, (at >>> 0) + length),
    );
    this.#machine.call("cabi_post_rstring-ptr", place);
    return text;
  }

  /** How Ruby shows the value of a piece of Ruby. Leaves no handle behind. Throws RubyError. */
  inspect(code: string): string {
    return this.#show(this.eval(code), "inspect");
  }

  /** Gives a value back to Ruby's garbage collector. */
  drop(value: number): void {
    this.#machine.call("canonical_abi_drop_rb-abi-value", this.#handles.end(value));
  }

  #show(value: number, method: string): string {
    const shown = this.send(value, method);
    const text = this.text(shown);
    this.drop(shown);
    this.drop(value);
    return text;
  }

  /** From the pair (value, status) at `place`. */
  #outcome(place: number): number {
    const [value, status] = this.#words(place);
    if (status === 0) return value;
    this.drop(value);
    const raised = this.#machine.call("rb-errinfo: func() -> handle<rb-abi-value>");
    this.#machine.call("rb-clear-errinfo: func() -> ()");
    const type = this.#show(this.send(raised, "class"), "to_s");
    throw new RubyError(type, this.#show(raised, "message"));
  }

  /** Puts a text into the guest's memory, as C has it: with a NUL that counts. The guest frees it. */
  #lower(text: string): { readonly at: number; readonly length: number } {
    const bytes = new TextEncoder().encode(`${text}\0`);
    const at = this.#machine.call("cabi_realloc", 0, 0, 1, bytes.length) >>> 0;
    this.#machine.memory().set(bytes, at);
    return { at, length: bytes.length };
  }

  #setWords(place: number, ...words: readonly number[]): void {
    const view = this.#view();
    for (const [k, word] of words.entries()) view.setInt32((place >>> 0) + 4 * k, word, true);
  }

  #words(place: number): [number, number] {
    const view = this.#view();
    return [view.getInt32(place >>> 0, true), view.getInt32((place >>> 0) + 4, true)];
  }

  #view(): DataView {
    const { buffer, byteOffset, byteLength } = this.#machine.memory();
    return new DataView(buffer, byteOffset, byteLength);
  }
}
