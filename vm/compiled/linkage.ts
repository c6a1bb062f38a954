/** What of an instance's imports compiled code depends on: with the module it is the key of the code. */
import type { FunctionType, Import } from "../bytecode/structure.ts";
import { BYTES_CALLS, bytesRow } from "../bytes.ts";
import type { ImportLink, Linkage } from "../compiler/rewrite.ts";
import { type BigintFunction, FunctionInstance, type HostFunction, type Linked } from "../function.ts";
import type { Imports } from "../instance.ts";
import type { Module } from "../module.ts";

/** `linked` are the imported functions, in order. */
export function linkageOf(module: Module, linked: readonly Linked[]): Linkage {
  const links = linked.map(linkOf);
  const shares = links.some(({ kind }) => kind === "guest") || crosses(module);
  // One of its own (spec HEAP-BYTES-6): only `of_memory` makes it, which others may have put into a table.
  const windows = shares || links.some((link) => link.kind === "bytes" && BYTES_CALLS[link.row]!.name === "of_memory");
  return { links, shares, windows };
}

/** The same from imports, for a module whose imported functions are the host's and those of `bytes`; else undefined. */
export function hostLinkageOf(module: Module, imports: Imports): Linkage | undefined {
  const linked: Linked[] = [];
  for (const imported of module.structure.imports) {
    if (imported.type.kind !== "function") continue;
    const row = bytesRow(imported);
    const given = row < 0 ? hostFunction(imported, imports) : BYTES_CALLS[row]!;
    if (given === undefined) return undefined;
    linked.push(given as Linked);
  }
  return linkageOf(module, linked);
}

function hostFunction({ module, name }: Import, imports: Imports): HostFunction | BigintFunction | undefined {
  // What an object has by itself is none of the embedder's: a module may be named `toString`.
  const functions = Object.hasOwn(imports, module) ? imports[module] : undefined;
  const given = functions && Object.hasOwn(functions, name) ? functions[name] : undefined;
  return given !== undefined && "call" in given ? given : undefined;
}

/** A text that is equal for equal linkages. */
export function linkageKey({ links, shares, windows }: Linkage): string {
  return `${shares ? "s" : ""}${windows ? "w" : ""} ${links.map(linkKey).join(" ")}`;
}

function linkKey(link: ImportLink): string {
  if (link.kind === "bytes") return `b${link.row}`;
  const free = link.mayFree ? "f" : "";
  if (link.kind === "guest") return `g${free}`;
  const { fuel } = link;
  return typeof fuel === "number" ? `h${free}${fuel}` : `h${free}${fuel.base}+${fuel.perByte}*${fuel.lengthArgument}`;
}

function linkOf(linked: Linked): ImportLink {
  if (linked instanceof FunctionInstance) {
    if (linked.host) return hostLink(linked.host);
    return { kind: "guest", mayFree: linked.bytes?.mayFree ?? true };
  }
  return "run" in linked ? { kind: "bytes", row: BYTES_CALLS.indexOf(linked) } : hostLink(linked);
}

function hostLink({ fuel, mayFree }: HostFunction): ImportLink {
  return { kind: "host", fuel, mayFree };
}

const CROSSING = new WeakMap<Module, boolean>();

/** True when function references can come from other instances, or go to them. */
function crosses(module: Module): boolean {
  const known = CROSSING.get(module);
  if (known !== undefined) return known;
  const found = [...module.imports, ...module.exports].some(({ type }) => {
    if (type.kind === "function") return hasFuncref(type.type);
    if (type.kind === "global") return type.type.value === "funcref";
    return type.kind === "table" && type.type.element === "funcref";
  });
  CROSSING.set(module, found);
  return found;
}

function hasFuncref({ params, results }: FunctionType): boolean {
  return params.includes("funcref") || results.includes("funcref");
}
