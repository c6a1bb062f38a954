/** Compiled code that is kept: made, and used again. */
import { hostLinkageOf, linkageKey } from "../vm/compiled/linkage.ts";
import { COMPILER_VERSION, reopen, rewrite } from "../vm/compiler/rewrite.ts";
import type { Imports } from "../vm/instance.ts";
import type { Module } from "../vm/module.ts";
import { type CompiledCode, readSites } from "./image.ts";

/** Code of `module` linked with `imports`, all of which are the host's; undefined when some is missing. */
export function compile(module: Module, imports: Imports): CompiledCode | undefined {
  const linkage = hostLinkageOf(module, imports);
  if (linkage === undefined) return undefined;
  const key = linkageKey(linkage);
  const { bytes } = module.codeOf(key) ?? rewrite(module.rewriteInput, linkage);
  return { compiler: COMPILER_VERSION, linkage: key, bytes, sites: undefined };
}

/** Has instances of `module` with those imports run `code`; false when it was made by another compiler, or for other imports. */
export function adopt(module: Module, imports: Imports, code: CompiledCode): boolean {
  const linkage = hostLinkageOf(module, imports);
  if (linkage === undefined || code.compiler !== COMPILER_VERSION || code.linkage !== linkageKey(linkage)) return false;
  const sites = code.sites && readSites(code.sites);
  const sitesOf = sites && ((index: number) => sites.get(index) ?? []);
  module.adoptCode(code.linkage, reopen(module.rewriteInput, linkage, code.bytes, sitesOf));
  return true;
}
