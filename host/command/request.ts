/** What `ashlar run` is asked to do, from its line. */
import { closeSync } from "node:fs";
import { basename, resolve } from "node:path";
import type { Arguments, Option } from "./arguments.ts";
import { usageError } from "./failure.ts";
import { openOutput, openRecording, readRecording } from "./files.ts";
import { assetPaths, flagGrants, GRANT_OPTIONS } from "./grants.ts";
import type { ProfileFile } from "./profile.ts";
import { parseCount, parseSize } from "./quantities.ts";
import type { RunRequest, TraceRequest } from "./run-messages.ts";
import { STDERR } from "./terminal.ts";

/** Depth limit of the command in slots (spec VM-DEPTH-1); a thread's default stack would hold a fortieth of it. */
const DEFAULT_DEPTH = 1_000_000;
/** At most: the stack for it is a gigabyte of address space. */
export const MOST_DEPTH = 15_000_000;
const PAGE_BYTES = 65_536;
/** What WebAssembly's 32-bit addresses reach. */
const MOST_MEMORY_GIB = 4;
const MOST_HEAP_BYTES = 2 ** 31;
const MOST_FUEL = 2n ** 63n - 1n;
/** What a timer can hold. */
const MOST_SECONDS = 2_000_000;

export const LIMIT_OPTIONS: readonly Option[] = [
  { name: "fuel", value: "N", doc: "Stop the guest when it has used N units of fuel. Default: no limit." },
  {
    name: "max-memory",
    value: "SIZE",
    doc: "Most bytes of a linear memory, and of all Bytes objects together: 64MiB, 640KiB, … Default: 1GiB and 256MiB.",
  },
  { name: "max-depth", value: "N", doc: "Most slots of call depth. Default: 1000000." },
];

/** With what a guest is made ready for an image. */
export const READY_OPTIONS: readonly Option[] = [...GRANT_OPTIONS, ...LIMIT_OPTIONS];

export const NAME_OPTION: Option = {
  name: "argv0",
  value: "NAME",
  doc: "What a WASI program finds as its first argument. Default: the name of the module's file.",
};

export const LINK_OPTION: Option = {
  name: "unknown-imports",
  value: "trap",
  doc: "Link the module although it imports functions that nothing provides; a call of one is a trap. Without it such a module does not run.",
};

/** How it runs; nothing of its results depends on them. */
export const ENGINE_OPTIONS: readonly Option[] = [
  {
    name: "engine",
    value: "compiled|reference",
    doc: "What runs the guest: as compiled code (the default), or an interpreter that is slower. Both give the same results, traps and fuel.",
  },
  { name: "no-cache", doc: "Neither use nor change what earlier runs left in the cache." },
  { name: "timeout", value: "SECONDS", doc: "Stop the guest when it has run that long, and exit with 124." },
];

export const PROFILE_OPTION: Option = {
  name: "profile",
  value: "FILE",
  repeatable: true,
  doc: "Write to FILE where the fuel went: a page with a flame graph when its name ends in .html, else folded stacks. The guest runs on the reference engine.",
};

export const RECORD_OPTIONS: readonly Option[] = [
  { name: "record", value: "FILE", doc: "Record in FILE what the host answers to the guest, for --replay." },
  {
    name: "replay",
    value: "FILE",
    doc: "Run the guest as it was recorded, without a host: with the same answers, arguments, fuel and limits. It is an error if it then does anything else.",
  },
  {
    name: "trace",
    value: "FILTER",
    optional: true,
    doc: "Show each call that the guest makes of the host. FILTER, such as fs.*,!fs.read or status:error, names what to show, and with ! what not.",
  },
  { name: "trace-json", doc: "Show calls as JSON, a line each." },
  { name: "trace-file", value: "FILE", doc: "Write them to FILE instead of standard error." },
];

/** Of what a replay takes from the recording. */
const RECORDED = [
  "invoke",
  "argv0",
  "record",
  ...[...GRANT_OPTIONS, ...LIMIT_OPTIONS, LINK_OPTION].map(({ name }) => name),
];

/** What the line alone says. Throws usage errors. */
export function requestOf(args: Arguments): RunRequest {
  const { options, positionals, rest } = args;
  const module = positionals[0]!;
  const one = (name: string): string | undefined => options.get(name)?.[0];
  const replay = one("replay");
  if (replay !== undefined) checkReplay(args);
  for (const name of ["record", "trace-file", "profile"])
    if (options.get(name)?.includes("-")) throw usageError(`--${name} needs a file: standard output is the guest's.`);
  checkFiles(options);
  const fuel = one("fuel");
  const memory = one("max-memory");
  const depth = one("max-depth");
  const engine = one("engine") ?? "compiled";
  if (engine !== "compiled" && engine !== "reference")
    throw usageError(`--engine takes compiled or reference, not ${JSON.stringify(engine)}.`);
  const memoryBytes = memory === undefined ? undefined : parseSize("max-memory", memory, MOST_MEMORY_GIB);
  return {
    module,
    args: rest,
    name: one("argv0") ?? (module === "-" ? undefined : basename(module)),
    grants: flagGrants(options),
    invoke: one("invoke"),
    engine,
    unknownImports: unknownImportsOf(args),
    fuel: fuel === undefined ? undefined : parseCount("fuel", fuel, MOST_FUEL),
    limits: {
      depth: depth === undefined ? DEFAULT_DEPTH : Number(parseCount("max-depth", depth, BigInt(MOST_DEPTH))),
      ...(memoryBytes !== undefined && {
        memoryPages: Math.floor(memoryBytes / PAGE_BYTES),
        heapBytes: Math.min(memoryBytes, MOST_HEAP_BYTES),
      }),
    },
    stdin: module !== "-",
    log: !options.has("quiet"),
    moduleDigest: options.has("report"),
    stateDigest: options.has("digest"),
    profile: options.has("profile"),
    record: undefined,
    replay,
    trace: undefined,
  };
}

/** What `--unknown-imports` says. Throws a usage error. */
export function unknownImportsOf({ options }: Arguments): "trap" | undefined {
  const given = options.get("unknown-imports")?.[0];
  if (given !== undefined && given !== "trap")
    throw usageError(`--unknown-imports takes trap, not ${JSON.stringify(given)}.`);
  return given;
}

/** What `--timeout` allows, in milliseconds. Throws a usage error. */
export function timeoutOf({ options }: Arguments): number | undefined {
  const text = options.get("timeout")?.[0];
  if (text === undefined) return undefined;
  const seconds = /^(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : Number.NaN;
  if (!(seconds > 0 && seconds <= MOST_SECONDS))
    throw usageError(
      `--timeout takes seconds, above 0 up to ${MOST_SECONDS}, such as 10 or 0.5; not ${JSON.stringify(text)}.`,
    );
  return seconds * 1000;
}

/** One file cannot be two things; a device can. */
function checkFiles(options: Arguments["options"]): void {
  const seen = new Map<string, string>();
  for (const name of ["replay", "record", "trace-file", "report", "profile", "stdin", "assets"]) {
    const words = options.get(name) ?? [];
    for (const path of name === "assets" ? words.flatMap(assetPaths) : words) {
      if (path === "" || path === "-" || path.startsWith("/dev/")) continue;
      const other = seen.get(resolve(path));
      if (other !== undefined) throw usageError(`--${other} and --${name} name the same file, ${path}.`);
      seen.set(resolve(path), name);
    }
  }
}

function checkReplay({ options, rest }: Arguments): void {
  const given = RECORDED.find((name) => options.has(name));
  if (given !== undefined || rest.length > 0)
    throw usageError(
      `--replay has ${given === undefined ? "the guest's arguments" : `--${given}`} from the recording.`,
    );
}

/** The request with what is in the files that it names, and with those that it writes open and empty. */
export async function openRequest(request: RunRequest, { options }: Arguments): Promise<RunRequest> {
  const one = (name: string): string | undefined => options.get(name)?.[0];
  const file = one("grants");
  const record = one("record");
  let { grants, fuel, limits } = request;
  if (file !== undefined) {
    const { mergeGrants, readGrants } = await import("../grants.ts");
    grants = mergeGrants(readGrants(file), grants);
  }
  if (request.replay !== undefined) ({ fuel, limits } = await recordedLimits(request.replay));
  return {
    ...request,
    grants,
    fuel,
    limits,
    record: record === undefined ? undefined : openOutput(record, "CLI-RECORD", "recording"),
    trace: openTrace(one("trace"), options.has("trace-json"), one("trace-file")),
  };
}

/** The files of `--profile`, open and empty. Throws CLI-PROFILE. */
export function openProfiles({ options }: Arguments): ProfileFile[] {
  return (options.get("profile") ?? []).map((path) => ({
    fd: openOutput(path, "CLI-PROFILE", "profile"),
    isPage: /\.html?$/i.test(path),
  }));
}

function openTrace(filter: string | undefined, json: boolean, path: string | undefined): TraceRequest | undefined {
  if (filter === undefined && !json && path === undefined) return undefined;
  const patterns = filter === undefined || filter === "" ? [] : filter.split(",");
  return { patterns, json, fd: path === undefined ? STDERR : openOutput(path, "CLI-TRACE", "trace") };
}

/** Fuel and limits of a recorded run: this thread must know the depth. */
async function recordedLimits(path: string): Promise<Pick<RunRequest, "fuel" | "limits">> {
  const replay = await import("../../syscalls/replay.ts");
  const fd = openRecording(path);
  try {
    const { fuel, limits } = replay.openRecording((into) => readRecording(fd, into)).header;
    return { fuel, limits };
  } finally {
    closeSync(fd);
  }
}
