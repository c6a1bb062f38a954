/**
 * The tests of the official WASI test suite (repository WebAssembly/wasi-testsuite), and ours in its format: a folder holds
 * `NAME.wasm`, beside it `NAME.json` for what it is given and what it answers, and `manifest.json` for what they are.
 */
import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

const VERSION = "wasm32-wasip1";
/** Versions that a folder may be named after. */
const VERSIONS = /^wasm(?:32|64)-wasip\d$/;

export interface WasiTest {
  /** What the manifest calls the folder; the folder itself without one. */
  readonly suite: string;
  /** The module's name without its ending. */
  readonly name: string;
  /** Path of the module. */
  readonly module: string;
  readonly script: Script;
}

/** What a test is given, and what it must answer. */
export interface Script {
  readonly args: readonly string[];
  readonly env: { readonly [name: string]: string };
  /** The folder that it sees as its root, if any. */
  readonly root: string | undefined;
  readonly stdin: string;
  /** What is read of the streams, in this order: each is what follows what was read before. */
  readonly reads: readonly { readonly stream: "stdout" | "stderr"; readonly text: string }[];
  readonly exitCode: number;
  readonly host: HostSetting;
}

/** What only tests of ours ask for, under the key `ashlar`. */
export interface HostSetting {
  /** The guest can change nothing in its root. */
  readonly readOnly?: boolean;
  /** Folders in the root, each granted by itself at its name instead of the root. */
  readonly mounts?: readonly string[];
  readonly hostMetadata?: boolean;
  readonly interactive?: boolean;
  readonly quota?: { readonly [name: string]: number };
}

/** A description that is no test, or one that needs what we have not: it fails, with this message. */
export class ScriptError extends Error {}

/** All tests in `path` and below, or the one that it is. A test whose description makes no sense has the error as its script. */
export function findTests(path: string): (Omit<WasiTest, "script"> & { readonly script: Script | ScriptError })[] {
  const isFile = statSync(path).isFile();
  const modules = isFile ? [resolve(path)] : globSync("**/*.wasm", { cwd: path }).map((file) => resolve(path, file));
  return modules.sort().flatMap((module) => {
    const folder = dirname(module);
    const { suite, version } = manifestOf(folder);
    return version === VERSION ? [{ suite, name: basename(module, ".wasm"), module, script: scriptOf(module) }] : [];
  });
}

function manifestOf(folder: string): { readonly suite: string; readonly version: string } {
  const file = join(folder, "manifest.json");
  const manifest: Fields = existsSync(file) ? fields(JSON.parse(readFileSync(file, "utf8")), file) : {};
  const byName = VERSIONS.test(basename(folder)) ? basename(folder) : VERSION;
  return { suite: text(manifest.name, folder, "name"), version: text(manifest.version, byName, "version") };
}

function scriptOf(module: string): Script | ScriptError {
  const file = module.replace(/\.wasm$/, ".json");
  try {
    return existsSync(file) ? readScript(JSON.parse(readFileSync(file, "utf8")), dirname(file)) : readScript({}, "");
  } catch (error) {
    return new ScriptError(`${basename(file)}: ${error instanceof Error ? error.message : error}`);
  }
}

const OLD_KEYS = ["args", "root", "env", "exit_code", "stdout", "stderr"];
const NEW_KEYS = ["operations", "proposals", "world", "servers", "debug"];

/** A description as JSON; `root` begins at `folder`. Throws a ScriptError. */
export function readScript(json: unknown, folder: string): Script {
  const { ashlar = {}, ...given } = fields(json, "the description");
  for (const key of Object.keys(given))
    if (![...OLD_KEYS, ...NEW_KEYS].includes(key)) throw new ScriptError(`${key} is unknown`);
  const isNew = NEW_KEYS.some((key) => key !== "debug" && given[key] !== undefined);
  if (isNew && OLD_KEYS.some((key) => given[key] !== undefined)) throw new ScriptError("both styles are mixed");
  if (list(given.proposals ?? [], "proposals").length > 0 || list(given.servers ?? [], "servers").length > 0)
    throw new ScriptError("it needs more than preview 1");
  const operations = isNew ? list(given.operations ?? [{ type: "run" }, { type: "wait" }], "operations") : old(given);
  return { ...played(operations, folder), host: fields(ashlar, "ashlar") };
}

/** The older style as operations. */
function old({ exit_code, stdout, stderr, ...run }: Fields): unknown[] {
  const reads = Object.entries({ stdout, stderr }).filter(([, payload]) => payload !== undefined && payload !== null);
  return [
    { ...run, type: "run" },
    ...reads.map(([id, payload]) => ({ type: "read", id, payload })),
    { type: "wait", exit_code },
  ];
}

function played(operations: readonly unknown[], folder: string): Omit<Script, "host"> {
  const steps = operations.map((operation) => fields(operation, "an operation"));
  const order = steps.map(({ type }) => type);
  if (order[0] !== "run" || order.indexOf("run", 1) > 0 || order.indexOf("wait") !== order.length - 1)
    throw new ScriptError("its operations begin with run and end with wait, and have each once");
  const [run, ...rest] = steps as [Fields, ...Fields[]];
  const reads: { stream: "stdout" | "stderr"; text: string }[] = [];
  let stdin = "";
  for (const { type, id, payload } of rest.slice(0, -1)) {
    if (type === "read") {
      const stream = text(id, "stdout", "id");
      if (stream !== "stdout" && stream !== "stderr") throw new ScriptError(`there is no stream ${stream} to read`);
      reads.push({ stream, text: text(payload, "", "payload") });
    } else if (type === "write") stdin += text(payload, "", "payload");
    else throw new ScriptError(`the operation ${type} is not supported`);
  }
  const { exit_code = 0 } = rest.at(-1)!;
  if (typeof exit_code !== "number") throw new ScriptError("exit_code is a number");
  const root = text(run.root, "", "root");
  return {
    args: list(run.args ?? [], "args").map((arg) => text(arg, undefined, "args")),
    env: Object.fromEntries(
      Object.entries(fields(run.env ?? {}, "env")).map(([name, value]) => [name, text(value, undefined, name)]),
    ),
    root: root === "" ? undefined : resolve(folder, root),
    stdin,
    reads,
    exitCode: exit_code,
  };
}

interface Fields {
  readonly [key: string]: unknown;
}

function fields(value: unknown, what: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new ScriptError(`${what} is no object`);
  return value as Fields;
}

function list(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new ScriptError(`${what} is no list`);
  return value;
}

function text(value: unknown, without: string | undefined, what: string): string {
  if ((value === undefined || value === null) && without !== undefined) return without;
  if (typeof value !== "string") throw new ScriptError(`${what} is no text`);
  return value;
}
