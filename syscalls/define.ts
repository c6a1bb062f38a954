/**
 * Syscalls of an embedder (spec ABI-DEFINE): declared by rows as those of this package are, and checked, traced and
 * recorded in the same way.
 *
 * ```ts
 * const { imports, kinds } = defineSyscalls(
 *   {
 *     module: "shop",
 *     rows: [
 *       {
 *         name: "price",
 *         doc: "Tells what an article costs.",
 *         params: [{ name: "article", type: "u32", doc: "its number" }],
 *         results: [{ name: "cents", type: "u32", doc: "0 when there is no such article" }],
 *         fuel: 100,
 *       },
 *     ],
 *   },
 *   { price: (_call, article) => PRICES[article] ?? 0 },
 * );
 * const abi = createAbi({ … });
 * module.instantiate({ ...abi, imports: { ...abi.imports, ...imports }, kinds: [...abi.kinds, ...kinds] });
 * ```
 */
import type { ParameterType } from "../vm/declaration.ts";
import { AshlarError } from "../vm/errors.ts";
import { BYTES_KIND, type Kind } from "../vm/heap.ts";
import { TrapCode } from "../vm/trap.ts";
import {
  type Call,
  type DispatchOptions,
  type HostFunctions,
  hostFunctions,
  type Implementation,
  MOST_VALUES,
  type SyscallBody,
} from "./dispatch.ts";
import { KINDS } from "./kinds.ts";
import { Status } from "./status.ts";
import { type Row, type SyscallParameter, syscallRow, type Window } from "./table.ts";

/** The calls of one module that guests import. */
export interface SyscallTable {
  readonly module: string;
  readonly rows: readonly Row[];
  /** What the calls make of their own; their ids begin at {@link FIRST_OWN_KIND}. */
  readonly kinds?: readonly Kind[];
}

/** The least id of an embedder's kind: those below are Ashlar's, now and later. */
export const FIRST_OWN_KIND = 32_768;

/** A table of {@link defineSyscalls}, or its implementation, is not sound. */
export class TableError extends AshlarError {
  readonly code = "ABI-TABLE";
  constructor(message: string) {
    super(message);
    this.name = "TableError";
  }
}

type Params<R extends Row> = R extends { readonly params: infer P extends readonly SyscallParameter[] }
  ? P
  : readonly [];
type Windows<R extends Row> = R extends { readonly windows: infer W extends readonly Window[] } ? W[number] : never;

/** What a parameter is to the body; an object behind a HeapRef is of whatever type the body says. */
type ValueOf<P> = P extends { readonly type: { readonly ref: string } }
  ? never
  : P extends { readonly exact: true }
    ? bigint
    : number;

/** The values of a body: its parameters, without the offset and length of windows. */
type Values<P extends readonly unknown[], W extends Window, Seen extends readonly unknown[] = []> = P extends readonly [
  infer First,
  ...infer Rest,
]
  ? [
      ...(Seen["length"] extends W["ref"]
        ? [bytes: Uint8Array]
        : Seen["length"] extends W["offset"] | W["length"]
          ? []
          : [value: ValueOf<First>]),
      ...Values<Rest, W, [...Seen, First]>,
    ]
  : [];

/** A first result of 64 bits is set through the call, any other is returned; without results it does not matter. */
type Answer<R extends Row> = R extends {
  readonly results: readonly [{ readonly type: infer T }, ...(readonly unknown[])];
}
  ? T extends "i64" | "u64" | { readonly ref: string }
    ? undefined
    : number
  : unknown;

/** The body of each row; of a table that is not written out where it is used, any. */
export type Bodies<T extends SyscallTable> = {
  readonly [N in T["rows"][number]["name"]]: string extends N
    ? SyscallBody
    : Body<Extract<T["rows"][number], { readonly name: N }>>;
};

type Body<R extends Row> = (call: Call, ...values: Values<Params<R>, Windows<R>>) => Answer<R>;

export interface DefineOptions extends DispatchOptions {
  /** Capabilities that the guest holds, of those that the rows name. */
  readonly granted?: Iterable<string>;
}

/** Imports and kinds to give to a guest beside those of `createAbi`. Throws a TableError. */
export function defineSyscalls<const T extends SyscallTable>(
  table: T,
  bodies: Bodies<T>,
  options: DefineOptions = {},
): { readonly imports: HostFunctions; readonly kinds: readonly Kind[] } {
  const { module, rows, kinds: own = [] }: SyscallTable = table;
  checkTable(module, rows, own);
  checkBodies(rows, bodies);
  const kinds = options.tape?.kinds(own) ?? own;
  const syscalls = rows.map((row) => syscallRow(module, row));
  const implementation = { [module]: bodies } as unknown as Implementation;
  const imports = hostFunctions(syscalls, implementation, new Set(options.granted), [...KINDS, ...kinds], options);
  return { imports, kinds };
}

/** Modules whose calls are Ashlar's. */
const RESERVED = /^(asl|bank|bytes|fs|sys|wasi_.*)$/;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const MOST_FUEL = 2 ** 30;
/** Most fuel for each byte, and its unit (spec VM-HOST-3). */
const MOST_FUEL_PER_BYTE = 1024;
const TYPES: readonly unknown[] = ["i32", "u32", "i64", "u64", "f32", "f64"];

function demand(holds: boolean, where: string, what: string): void {
  if (!holds) throw new TableError(`${where}: ${what}`);
}

function checkTable(module: string, rows: readonly Row[], own: readonly Kind[]): void {
  demand(NAME.test(module), module, "the name of a module is an identifier");
  demand(!RESERVED.test(module), module, "the modules asl, bank, bytes, fs, sys and wasi_* are Ashlar's");
  for (const { id, name } of own) {
    demand(NAME.test(name), name, "the name of a kind is an identifier");
    demand(
      Number.isInteger(id) && id >= FIRST_OWN_KIND && id <= 0xffff,
      name,
      `its id is not from ${FIRST_OWN_KIND} to 65535`,
    );
  }
  const kinds = [BYTES_KIND, ...KINDS, ...own];
  checkUnique(
    module,
    "kind",
    kinds.map(({ name }) => name),
  );
  checkUnique(
    module,
    "kind with the id",
    kinds.map(({ id }) => String(id)),
  );
  checkUnique(
    module,
    "call",
    rows.flatMap(({ name, results = [] }) => (results.length > 1 ? [name, `${name}_p`] : [name])),
  );
  const names = new Set(kinds.map(({ name }) => name));
  for (const row of rows) checkRow(`${module}.${row.name}`, row, names);
}

function checkBodies(rows: readonly Row[], bodies: { readonly [name: string]: unknown }): void {
  for (const { name } of rows)
    demand(Object.hasOwn(bodies, name) && typeof bodies[name] === "function", name, "it has no body");
  for (const name of Object.keys(bodies))
    demand(
      rows.some((row) => row.name === name),
      name,
      "a body has no row",
    );
}

function checkUnique(where: string, what: string, names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  demand(twice === undefined, where, `there are two of the ${what} ${twice}`);
}

function checkRow(where: string, row: Row, kinds: ReadonlySet<string>): void {
  const { name, doc, params = [], results = [], windows = [], statuses = [], traps = [], capability } = row;
  demand(NAME.test(name), where, "the name of a call is an identifier");
  demand(typeof doc === "string" && doc !== "", where, "it says what it does");
  demand(
    capability === undefined || (typeof capability === "string" && capability !== ""),
    where,
    "a capability has a name",
  );
  checkUnique(
    where,
    "parameter or result",
    [...params, ...results].map((parameter) => parameter.name),
  );
  for (const parameter of params) checkParameter(`${where} ${parameter.name}`, parameter, kinds);
  for (const { name: result, type } of results) {
    demand(NAME.test(result), `${where} ${result}`, "the name of a result is an identifier");
    checkType(`${where} ${result}`, type, kinds);
    demand(type !== "f32" && type !== "f64", `${where} ${result}`, "a result is an integer or a HeapRef");
  }
  checkWindows(where, params, results, windows);
  demand(params.length - 2 * windows.length <= MOST_VALUES, where, `a body takes at most ${MOST_VALUES} values`);
  checkFuel(where, row.fuel, params);
  const hasStatus = results[0]?.name === "status";
  demand(
    results.every((result, k) => k === 0 || result.name !== "status"),
    where,
    "the status is the first result",
  );
  demand(!hasStatus || results[0]?.type === "i32", where, "a status is an i32");
  demand(
    hasStatus === statuses.length > 0,
    where,
    "statuses are declared exactly where the first result is the status",
  );
  demand(!hasStatus || statuses.includes("OTHER"), where, "OTHER is among the statuses, for errors of the host");
  for (const status of statuses)
    demand(Object.hasOwn(Status, status) && status !== "OK", where, `${status} is no status`);
  checkUnique(where, "status", statuses);
  for (const trap of traps) demand(Object.hasOwn(TrapCode, trap), where, `${trap} is no trap`);
  checkTransfer(where, row);
  const ended = row.destroys === undefined ? undefined : params[row.destroys];
  demand(
    row.destroys === undefined || (isRef(ended) && ended?.nullable !== true && !refersTo(ended, BYTES_KIND.name)),
    where,
    "what a call ends is a parameter with a HeapRef, never null or Bytes",
  );
}

function checkParameter(where: string, parameter: SyscallParameter, kinds: ReadonlySet<string>): void {
  const { name, type, maximum, nullable, exact, flags } = parameter;
  demand(NAME.test(name), where, "the name of a parameter is an identifier");
  checkType(where, type, kinds);
  const isWide = type === "i64" || type === "u64";
  demand(!nullable || typeof type === "object", where, "a HeapRef can be nullable, and nothing else");
  demand(!exact || isWide, where, "64 bits can be exact, and nothing else");
  demand(
    maximum === undefined || (typeof type !== "object" && !exact && Number.isFinite(maximum)),
    where,
    "it can have no maximum",
  );
  demand(
    flags === undefined ||
      (type === "u32" && Object.values(flags).every((bits) => Number.isInteger(bits) && bits > 0 && bits < 2 ** 32)),
    where,
    "flags are bits of a u32",
  );
}

function checkType(where: string, type: ParameterType, kinds: ReadonlySet<string>): void {
  if (typeof type !== "object") demand(TYPES.includes(type), where, `${type} is no type`);
  else for (const kind of type.ref.split("|")) demand(kinds.has(kind), where, `no kind is named ${kind}`);
}

function checkWindows(
  where: string,
  params: readonly SyscallParameter[],
  results: NonNullable<Row["results"]>,
  windows: readonly Window[],
): void {
  checkUnique(
    where,
    "window with the parameter",
    windows.flatMap(({ ref, offset, length }) => [`${ref}`, `${offset}`, `${length}`]),
  );
  for (const { ref, offset, length, written } of windows) {
    const object = params[ref];
    demand(
      isRef(object) && refersTo(object, BYTES_KIND.name, true) && !object?.nullable,
      where,
      "a window is one of Bytes, never null",
    );
    const isPlain = (index: number): boolean => params[index]?.type === "u32" && params[index]?.maximum === undefined;
    demand(isPlain(offset) && isPlain(length), where, "offset and length of a window are each a u32");
    const counted = written === undefined || written === "all" || results[written]?.type === "u32";
    demand(counted, where, "what a window was written is counted by a u32 among the results");
  }
}

function checkFuel(where: string, fuel: Row["fuel"], params: readonly SyscallParameter[]): void {
  const { base, perByte, lengthArgument } =
    typeof fuel === "object" ? fuel : { base: fuel, perByte: 0, lengthArgument: -1 };
  demand(Number.isInteger(base) && base >= 0 && base <= MOST_FUEL, where, `its fuel is not an integer from 0 to 2^30`);
  if (typeof fuel !== "object") return;
  const isRate = Number.isInteger(perByte * MOST_FUEL_PER_BYTE) && perByte >= 0 && perByte <= MOST_FUEL_PER_BYTE;
  demand(isRate, where, "fuel for each byte is a multiple of 2^-10 from 0 to 1024");
  demand(params[lengthArgument]?.type === "u32", where, "its fuel depends on no u32");
}

function checkTransfer(where: string, { params = [], transfer }: Row): void {
  if (transfer === undefined) return;
  const { handle, offset, length } = transfer;
  const fits =
    isRef(params[handle]) && !params[handle]?.nullable && params[offset]?.type === "i64" && !params[offset]?.exact;
  demand(fits && params[length]?.type === "u32", where, "a transfer has a handle, an i64 and a u32");
}

function isRef(parameter: SyscallParameter | undefined): boolean {
  return typeof parameter?.type === "object";
}

/** True when the HeapRef can be one of `kind`; with `only`, when it can be nothing else. */
function refersTo(parameter: SyscallParameter | undefined, kind: string, only = false): boolean {
  const names = typeof parameter?.type === "object" ? parameter.type.ref.split("|") : [];
  return only ? names.join() === kind : names.includes(kind);
}
