/** `ashlar inspect`. */
import { ABI_VERSION, SYSCALLS } from "../../syscalls/table.ts";
import { ABI_SECTION, checkAbiVersion } from "../../syscalls/version.ts";
import { WASI_FUNCTIONS, WASI_MODULE } from "../../syscalls/wasi/table.ts";
import type { ExternType } from "../../vm/bytecode/structure.ts";
import { BYTES_CALLS } from "../../vm/bytes.ts";
import { COMPILER_VERSION } from "../../vm/compiler/rewrite.ts";
import { type Declaration, functionTypeOf, packedTypeOf } from "../../vm/declaration.ts";
import { typeText } from "../../vm/function.ts";
import { Module } from "../../vm/module.ts";
import type { Arguments } from "./arguments.ts";
import { describeFailure, ExitCode, failureOf } from "./failure.ts";
import { type Guest, readGuest } from "./module-file.ts";
import { isReaderGone, note, plain, print } from "./terminal.ts";

/** Names the form of `--json`. */
const SCHEMA = "ashlar.inspect/1";

type Known = "known" | "unknown" | "wrong type";

interface Provided {
  readonly type: string;
  /** The call itself, or those that it makes in its turn, as `module.name`. */
  readonly calls: readonly string[];
}

const ROWS: readonly Declaration[] = [...BYTES_CALLS, ...SYSCALLS];

/** Every import that `ashlar run` provides, by `module name`. */
const PROVIDED: ReadonlyMap<string, Provided> = new Map([
  ...ROWS.flatMap((row) => {
    const calls = [`${row.module}.${row.name}`];
    const own = [`${row.module} ${row.name}`, { type: typeText(functionTypeOf(row)), calls }] as const;
    if (row.results.length < 2) return [own];
    return [own, [`${row.module} ${row.name}_p`, { type: typeText(packedTypeOf(row)), calls }] as const];
  }),
  ...WASI_FUNCTIONS.map(({ row, syscalls }) => {
    const calls = [`${row.module}.${row.name}`, ...syscalls];
    return [`${row.module} ${row.name}`, { type: typeText(functionTypeOf(row)), calls }] as const;
  }),
]);

/** By `module.name`; "none" for what needs none. */
const CAPABILITIES: ReadonlyMap<string, string> = new Map(
  ROWS.map(({ module, name, capability }) => [`${module}.${name}`, capability]),
);

interface Summary {
  readonly schema: string;
  readonly path: string;
  readonly bytes: number;
  readonly digest: string;
  /** Version of the host ABI that the module was built for; null when it does not say, which means 1. */
  readonly abiVersion: number | null;
  /** What `ashlar run` must grant for every import to work. */
  readonly capabilities: readonly string[];
  /** Flags of `ashlar run` that change what the imports do, and the imports. */
  readonly grants: readonly { flag: string; imports: readonly string[] }[];
  readonly imports: readonly { module: string; name: string; kind: string; type: string; link: Known }[];
  readonly exports: readonly { name: string; kind: string; type: string }[];
  readonly start: number | null;
  /** Of what the module defines itself. */
  readonly functions: number;
  readonly codeBytes: number;
  readonly dataBytes: number;
  readonly memories: readonly string[];
  readonly tables: readonly string[];
  readonly globals: number;
  readonly customSections: readonly { name: string; bytes: number }[];
}

/** Of a module in an image, the code beside it. */
interface ImageSummary {
  readonly compiler: number;
  readonly optimized: boolean;
  readonly codeBytes: number;
  /** Whether this version of `ashlar run` uses the code. */
  readonly current: boolean;
  /** Bytes of the snapshot that runs begin with; null without one. */
  readonly snapshotBytes: number | null;
}

function imageOf({ code, snapshot }: Guest): ImageSummary | null {
  if (code === undefined) return null;
  const { compiler, bytes, sites } = code;
  return {
    compiler,
    optimized: sites !== undefined,
    codeBytes: bytes.length,
    current: compiler === COMPILER_VERSION,
    snapshotBytes: snapshot?.length ?? null,
  };
}

export async function inspect(args: Arguments): Promise<number> {
  const path = args.positionals[0]!;
  const json = args.options.has("json");
  try {
    const guest = await readGuest(path);
    const summary = { ...summaryOf(path, Module.decode(guest.bytes)), image: imageOf(guest) };
    print(json ? `${JSON.stringify(summary)}\n` : describe(summary));
    return ExitCode.OK;
  } catch (error) {
    if (isReaderGone(error)) throw error;
    const failure = failureOf(error, path);
    const { code, message, exitCode } = failure;
    if (json) print(`${JSON.stringify({ schema: SCHEMA, path, error: { code, message } })}\n`);
    else note(describeFailure(failure));
    return exitCode;
  }
}

function summaryOf(path: string, module: Module): Summary {
  const { structure } = module;
  checkAbiVersion(structure);
  const imports = structure.imports.map(({ module: from, name, type }) => {
    const provided = PROVIDED.get(`${from} ${name}`);
    const text = externText(type);
    let link: Known = "unknown";
    if (provided !== undefined && type.kind === "function") link = provided.type === text ? "known" : "wrong type";
    return { module: from, name, kind: type.kind, type: text, link };
  });
  const capabilities = imports.flatMap(({ module: from, name }) =>
    callsOf(`${from} ${name}`).map((call) => CAPABILITIES.get(call) ?? "none"),
  );
  const known = imports
    .filter(({ link }) => link === "known")
    .map(({ module: from, name }) => callsOf(`${from} ${name}`));
  // The first is the call itself, for `name_p` that of `name`.
  const serving = (serves: (call: string) => boolean): string[] => [
    ...new Set(known.filter((calls) => calls.some(serves)).map(([call]) => call!)),
  ];
  return {
    schema: SCHEMA,
    path,
    bytes: structure.bytes.length,
    digest: module.digest,
    abiVersion: structure.customs.some(({ name }) => name === ABI_SECTION) ? ABI_VERSION : null,
    capabilities: [...new Set(capabilities)].filter((name) => name !== "none").sort(),
    grants: FLAGS.map(([flag, serves]) => ({ flag, imports: serving(serves).sort() })).filter(
      (grant) => grant.imports.length > 0,
    ),
    imports,
    exports: module.exports.map(({ name, type }) => ({ name, kind: type.kind, type: externText(type) })),
    start: structure.start ?? null,
    functions: structure.functions.length,
    codeBytes: structure.bodies.reduce((sum, { start, end }) => sum + end - start, 0),
    dataBytes: structure.data.reduce((sum, { start, end }) => sum + end - start, 0),
    memories: structure.memories.map((type) => externText({ kind: "memory", type })),
    tables: structure.tables.map((type) => externText({ kind: "table", type })),
    globals: structure.globals.length,
    customSections: structure.customs.map(({ name, start, end }) => ({ name, bytes: end - start })),
  };
}

function externText(extern: ExternType): string {
  switch (extern.kind) {
    case "function":
      return typeText(extern.type);
    case "memory":
      return `${limitsText(extern.type)} pages`;
    case "table":
      return `${limitsText(extern.type)} ${extern.type.element}`;
    case "global":
      return extern.type.mutable ? `mut ${extern.type.value}` : extern.type.value;
  }
}

function limitsText({ minimum, maximum }: { readonly minimum: number; readonly maximum: number | undefined }): string {
  return maximum === undefined ? `${minimum} or more` : `${minimum} to ${maximum}`;
}

/** Of a column; the few names that are longer stand out of it. */
const MOST_WIDTH = 60;

function describe(summary: Summary & { readonly image: ImageSummary | null }): string {
  const { image } = summary;
  const lines = [
    `${plain(summary.path)}: ${summary.bytes} bytes`,
    `sha-256       ${summary.digest}`,
    `functions     ${summary.functions} (${summary.codeBytes} bytes of code)`,
    `data          ${summary.dataBytes} bytes`,
    `memory        ${summary.memories.join(", ") || "none of its own"}`,
    `tables        ${summary.tables.join(", ") || "none of its own"}`,
    `globals       ${summary.globals}`,
    `start         ${summary.start === null ? "none" : `function ${summary.start}`}`,
    `capabilities  ${summary.capabilities.join(", ") || "none"}`,
    ...(image === null ? [] : [`image         ${describeImage(image)}`]),
  ];
  const section = (title: string, rows: string[][]): void => {
    lines.push("", rows.length === 0 ? `no ${title}` : `${title} (${rows.length})`);
    // By a loop: a module may have more rows than a call takes arguments.
    const widths: number[] = [];
    for (const row of rows)
      for (const [column, cell] of row.entries())
        widths[column] = Math.min(MOST_WIDTH, Math.max(widths[column] ?? 0, cell.length));
    for (const row of rows)
      lines.push(`  ${row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ")}`.trimEnd());
  };
  section(
    "imports",
    summary.imports.map(({ module, name, kind, type, link }) => [
      plain(`${module} ${name}`),
      kind,
      type,
      link === "known"
        ? ""
        : `<- ${link}: the module will not link${isStubbed(module, kind, link) ? " without --unknown-imports=trap" : ""}`,
    ]),
  );
  section(
    "grants that it can use",
    summary.grants.map(({ flag, imports }) => [flag, imports.join(", ")]),
  );
  section(
    "exports",
    summary.exports.map(({ name, kind, type }) => [plain(name), kind, type]),
  );
  section(
    "custom sections",
    summary.customSections.map(({ name, bytes }) => [plain(name), `${bytes} bytes`]),
  );
  return `${lines.join("\n")}\n`;
}

/** A call of `bytes` is an instruction, which must be there. */
function isStubbed(module: string, kind: string, link: Known): boolean {
  return link === "unknown" && kind === "function" && module !== "bytes";
}

function describeImage({ codeBytes, optimized, compiler, current, snapshotBytes }: ImageSummary): string {
  const age = current ? "" : `; not used: of compiler ${compiler}, this is ${COMPILER_VERSION}`;
  const snapshot = snapshotBytes === null ? "" : `; begins with a snapshot of ${snapshotBytes} bytes`;
  return `${codeBytes} bytes of ${optimized ? "optimized" : "compiled"} code${age}${snapshot}`;
}

function callsOf(name: string): readonly string[] {
  return PROVIDED.get(name)?.calls ?? [];
}

/** Whether a call needs one of these capabilities. */
function needs(...capabilities: readonly string[]): (call: string) => boolean {
  return (call) => capabilities.includes(CAPABILITIES.get(call) ?? "none");
}

/** Of WASI's functions those through which standard input is read, which needs no syscall of its own. */
function readsStdin(call: string): boolean {
  return call === "sys.stdin" || call === `${WASI_MODULE}.fd_read`;
}

/** The flags that grant a guest something, and the calls that they serve. */
const FLAGS: readonly (readonly [string, (call: string) => boolean])[] = [
  ["--dir", needs("fs")],
  ["--tmp", needs("fs")],
  ["--assets", needs("assets")],
  ["--store", needs("store")],
  ["--quota", needs("fs", "assets", "store")],
  ["--host-metadata", (call) => call === "fs.stat"],
  ["--env", (call) => call.startsWith("sys.env_")],
  ["--stdin", readsStdin],
  ["--interactive", readsStdin],
  ["--clock", (call) => /^sys\.(clock|sleep)$/.test(call)],
  ["--seed", (call) => call === "sys.random"],
];
