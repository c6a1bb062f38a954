/** Compiled code of a module, which its instances share. */

import { withName } from "../compiler/module-name.ts";
import { type Linkage, type Rewritten, rewrite } from "../compiler/rewrite.ts";
import { UsageError } from "../errors.ts";
import { hostMemory } from "../memory.ts";
import type { Module } from "../module.ts";
import { linkageKey } from "./linkage.ts";

export interface Image {
  /** Unique in the process; frames of its code name it. Number 0 is that of the adapters. */
  readonly number: number;
  readonly code: Rewritten;
  readonly native: WebAssembly.Module;
  /** Names that it imports, all of module `a`. */
  readonly imports: readonly string[];
  /** True when its code may be called by other instances, or call them. */
  readonly shares: boolean;
}

/** By ordinal, which is above 0 where instances of one store must be told apart by their frames. */
const IMAGES = new WeakMap<Rewritten, Image[]>();
let images = 0;

/** The code of `module` for that linkage, made at its first use. Throws VM-HOST-MEMORY. */
export function imageOf(module: Module, linkage: Linkage, ordinal: number): Image {
  const code = codeOf(module, linkage);
  let made = IMAGES.get(code);
  if (made === undefined) IMAGES.set(code, (made = []));
  made[ordinal] ??= compile(code, ++images, linkage.shares);
  return made[ordinal];
}

function codeOf(module: Module, linkage: Linkage): Rewritten {
  const key = linkageKey(linkage);
  const known = module.codeOf(key);
  if (known) return known;
  const made = rewrite(module.rewriteInput, linkage);
  module.adoptCode(key, made);
  return made;
}

function compile(code: Rewritten, number: number, shares: boolean): Image {
  const native = compileNamed(code.bytes, number);
  const imports = WebAssembly.Module.imports(native).map(({ name }) => name);
  return { number, code, native, imports, shares };
}

/**
 * Compiles a module that `reserveName` ended, under the name that its frames show. Throws VM-HOST-MEMORY, or VM-ENGINE when
 * it is over a limit of V8.
 */
export function compileNamed(bytes: Uint8Array, number: number): WebAssembly.Module {
  try {
    return withName(bytes, number, () => hostMemory(() => new WebAssembly.Module(bytes)));
  } catch (error) {
    if (!(error instanceof WebAssembly.CompileError)) throw error;
    throw refusedByV8(error);
  }
}

export function refusedByV8({ message }: Error): UsageError {
  return new UsageError("VM-ENGINE", `V8 does not take the compiled module: ${message}`);
}
