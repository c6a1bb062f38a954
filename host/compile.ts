/** Compiled code that is kept: made, and used again (spec 19). */
import { hostLinkageOf, linkageKey } from "../vm/compiled/linkage.ts";
import { COMPILER_VERSION, type Linkage, type Rewritten, reopen, rewrite } from "../vm/compiler/rewrite.ts";
import type { Imports } from "../vm/instance.ts";
import type { Module } from "../vm/module.ts";
import { type CompiledCode, readSites } from "./image.ts";

/** Code of `module` linked with `imports`; undefined when not all that it imports are functions of the host. */
export function compile(module: Module, imports: Imports): Rewritten | undefined {
  const linkage = hostLinkageOf(module, imports);
  return linkage && (module.codeOf(linkageKey(linkage)) ?? rewrite(module.rewriteInput, linkage));
}

/** Code for instances of `module` with these imports, for {@link writeImage}; undefined when not all that it imports are functions of the host. */
export function compileGuest(module: Module, imports: Imports): CompiledCode | undefined {
  const linkage = hostLinkageOf(module, imports);
  const made = linkage && compile(module, imports);
  return made && kept(linkage, made.bytes);
}

/** The code that instances of `module` with these imports have run, to be kept; undefined when there is none. */
export function codeMadeFor(module: Module, imports: Imports): CompiledCode | undefined {
  const linkage = hostLinkageOf(module, imports);
  const made = linkage && module.codeOf(linkageKey(linkage));
  return made && kept(linkage, made.bytes);
}

export function kept(linkage: Linkage, bytes: Uint8Array, sites?: Uint8Array): CompiledCode {
  return { compiler: COMPILER_VERSION, linkage: linkageKey(linkage), bytes, sites };
}

/** Has instances of `module` with these imports run `code`; false when another compiler made it, or for other imports. */
export function adopt(module: Module, imports: Imports, code: CompiledCode): boolean {
  const linkage = hostLinkageOf(module, imports);
  if (linkage === undefined || code.compiler !== COMPILER_VERSION || code.linkage !== linkageKey(linkage)) return false;
  const sites = code.sites && readSites(code.sites);
  const sitesOf = sites && ((index: number) => sites.get(index) ?? []);
  module.adoptCode(code.linkage, reopen(module, linkage, code.bytes, sitesOf));
  return true;
}
