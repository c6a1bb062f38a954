/**
 * What the bindings of every language are made of (spec ABI-BINDING-1): rows, kinds and constants, and where the results
 * of a row lie in its block.
 */

import { BYTES_CALLS } from "../../vm/bytes.ts";
import type { Declaration, Parameter } from "../../vm/declaration.ts";
import { BYTES_KIND, type Kind } from "../../vm/heap.ts";
import type { SyscallTable } from "../define.ts";
import { KINDS } from "../kinds.ts";
import { Status } from "../status.ts";
import { OpenFlag, SYSCALLS, type SyscallParameter, syscallRow, TimesFlag } from "../table.ts";

export type BindingRow = Declaration & { readonly params: readonly SyscallParameter[] };

/** What bindings are made for. */
export interface HostInterface {
  readonly rows: readonly BindingRow[];
  readonly kinds: readonly Kind[];
}

/** Module `bytes`, the whole host ABI, and what an embedder adds to it. */
export function hostInterface(tables: readonly SyscallTable[] = []): HostInterface {
  return {
    rows: [
      ...BYTES_CALLS,
      ...SYSCALLS,
      ...tables.flatMap(({ module, rows }) => rows.map((row) => syscallRow(module, row))),
    ],
    kinds: [BYTES_KIND, ...KINDS, ...tables.flatMap(({ kinds = [] }) => kinds)],
  };
}

export interface Constants {
  readonly name: string;
  readonly doc: string;
  readonly values: { readonly [name: string]: number };
}

/** Every number that has a name. */
export function constantsOf({ kinds }: HostInterface): readonly Constants[] {
  return [
    { name: "Status", doc: "Outcomes of calls; 0 is success.", values: Status },
    { name: "OpenFlag", doc: "Flags of `fs.open`. `fs.stat` and `fs.set_times` know NOFOLLOW, too.", values: OpenFlag },
    { name: "TimesFlag", doc: "Flags of `fs.set_times`.", values: TimesFlag },
    {
      name: "EntryKind",
      doc: "What a name stands for: `kind` of `fs.stat`, and the first byte of a record of `fs.list`.",
      values: { OTHER: 0, FILE: 1, DIRECTORY: 2, SYMLINK: 3 },
    },
    { name: "Clock", doc: "Clocks of `sys.clock`.", values: { REALTIME: 0, MONOTONIC: 1 } },
    {
      name: "BankType",
      doc: "Numbers of the bank types that have a registered name; `assets-tool ids` tells those of others.",
      values: { TILES: 1, SPRITES: 2, SOUNDS: 3, FONTS: 4, PALETTES: 5, TEXT: 6, DATA: 7, MODULE: 8 },
    },
    {
      name: "LoadState",
      doc: "How far a load is, as `bank.state` tells it.",
      values: { PENDING: 0, LOADING: 1, READY: 2, COMMITTED: 3, CANCELED: 4, ERROR: 5 },
    },
    {
      name: "Visibility",
      doc: "Who an artifact is for, as `asl.info` tells it.",
      values: { INTERNAL: 0, PUBLISHED: 1 },
    },
    {
      name: "ArtifactFlag",
      doc: "Flags in a record of `asl.list`.",
      values: { HAS_TYPE_TAG: 1, PUBLISHED: 2 },
    },
    {
      name: "Kind",
      doc: "Kinds of objects behind a HeapRef, as `bytes.kind` tells them.",
      values: Object.fromEntries(kinds.map(({ name, id }) => [capitals(name), id])),
    },
  ];
}

/** A name that a language could take for a word of its own. */
export function avoiding(words: ReadonlySet<string>, name: string): string {
  return words.has(name) ? `${name}_` : name;
}

/** True when the row is imported as its name with `_p` appended, for languages that know no function with several results. */
export function isPacked(row: Declaration): boolean {
  return row.results.length > 1;
}

export function importName(row: Declaration): string {
  return isPacked(row) ? `${row.name}_p` : row.name;
}

const SIZES = { i32: 4, u32: 4, i64: 8, u64: 8, f32: 4, f64: 8 } as const;

/** The results in a row's block, each with its offset, and the block's size (spec ABI-FORM-2). */
export function resultBlock(row: Declaration): { fields: readonly (Parameter & { offset: number })[]; size: number } {
  let size = 0;
  const fields = row.results.slice(1).map((result) => {
    const offset = size;
    size += SIZES[typeof result.type === "object" ? "i64" : result.type];
    return { ...result, offset };
  });
  return { fields, size };
}

/** Size of the largest result block: room that serves for any call. */
export function largestBlock(rows: readonly Declaration[]): number {
  return Math.max(0, ...rows.map((row) => resultBlock(row).size));
}

/** `("fs", "set_times")` → `FsSetTimes`. */
export function camelCase(...names: readonly string[]): string {
  return names
    .flatMap((name) => name.split("_"))
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");
}

/** `Bytes` → `BYTES`, `QueryPlan` → `QUERY_PLAN`. */
function capitals(name: string): string {
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}

/** A parameter's documentation, with the kinds of object that it may stand for. */
export function described({ type, doc, nullable }: SyscallParameter): string {
  if (typeof type !== "object" || type.ref === "any") return doc;
  return `${type.ref.replaceAll("|", " or ")}${nullable ? " or null" : ""}: ${doc}`;
}

/** What there is to say of a row beside its parameters. */
export function remarks(row: Declaration): readonly string[] {
  const lines: string[] = [];
  if (row.capability !== "none") lines.push(`Needs the grant \`${row.capability}\`.`);
  if (row.statuses.length > 0) lines.push(`Statuses: ${row.statuses.join(", ")}.`);
  return lines;
}
