/** `ashlar build`: a module and its compiled code in one file (spec 19). */

import { checkAbiVersion } from "../../syscalls/version.ts";
import { hostLinkageOf } from "../../vm/compiled/linkage.ts";
import { rewrite } from "../../vm/compiler/rewrite.ts";
import { Module } from "../../vm/module.ts";
import { createAbi } from "../abi.ts";
import { kept } from "../compile.ts";
import { type CompiledCode, writeImage } from "../image.ts";
import { trapUnknownImports } from "../unknown-imports.ts";
import type { Arguments, Context } from "./arguments.ts";
import { CommandError, describeFailure, ExitCode, failureOf, usageError } from "./failure.ts";
import { replaceFile } from "./files.ts";
import { type Guest, readGuest } from "./module-file.ts";
import { openRequest, READY_OPTIONS, requestOf, unknownImportsOf } from "./request.ts";
import { end, runOnThread, tell } from "./run.ts";
import type { RunResult } from "./run-messages.ts";
import { note } from "./terminal.ts";

export async function build(args: Arguments, context: Context): Promise<number> {
  const path = args.positionals[0]!;
  const out = args.options.get("output")?.[0];
  if (out === undefined) throw usageError("`ashlar build` needs a place for the image.", "Write -o FILE.");
  const unknownImports = unknownImportsOf(args);
  const preinit = args.options.get("preinit");
  const given = READY_OPTIONS.find(({ name }) => args.options.has(name));
  if (preinit === undefined && given !== undefined)
    throw usageError(`--${given.name} is for --preinit: without it nothing of the guest runs.`);
  try {
    const { bytes } = await readGuest(path);
    const module = Module.decode(bytes);
    const code = await compile(module, args.options.has("optimize"), unknownImports);
    let snapshot: Uint8Array | undefined;
    if (preinit !== undefined) {
      const result = await makeReady(args, context, { bytes: bytes.slice(), code }, namesOf(module, preinit));
      ({ snapshot } = result);
      if (snapshot === undefined) return result.exitCode;
    }
    replaceFile(out, writeImage({ module: bytes, code, snapshot }), "CLI-BUILD", "image");
    return ExitCode.OK;
  } catch (error) {
    const failure = failureOf(error, path);
    note(describeFailure(failure));
    return failure.exitCode;
  }
}

/** What `--preinit` names; a name may hold a comma itself. */
function namesOf({ exports }: Module, given: readonly string[]): readonly string[] {
  const isExport = (name: string): boolean => exports.some((entry) => entry.name === name);
  return given.flatMap((text) => (text === "" ? [] : isExport(text) ? [text] : text.split(",")));
}

/** Calls what makes the guest ready, as `ashlar run` would; says how that ended where there is no snapshot of it. */
async function makeReady(
  args: Arguments,
  context: Context,
  guest: Guest,
  preinit: readonly string[],
): Promise<RunResult> {
  // What is on standard input at the moment is not to be in an image.
  const request = await openRequest({ ...requestOf(args), stdin: false, preinit }, args);
  const code = guest.code && { ...guest.code, bytes: guest.code.bytes.slice() };
  const read = async (): Promise<Guest> => ({ ...guest, ...(code && { code }) });
  const { result, stops } = await runOnThread(request, { ...context, timeoutMs: undefined, mayCache: false }, read);
  if (result.snapshot !== undefined) return result;
  await tell(request, result, false);
  if (result.outcome === "stopped") end(stops);
  if (result.outcome !== "exit") return result;
  throw new CommandError(
    "CLI-BUILD",
    ExitCode.FAILURE,
    `The guest ended, with exit code ${result.exitCode}, while it was made ready.`,
  );
}

/** As `ashlar run` links it. */
async function compile(module: Module, optimized: boolean, unknownImports: "trap" | undefined): Promise<CompiledCode> {
  checkAbiVersion(module.structure);
  const { imports } = createAbi();
  const linkage = hostLinkageOf(module, unknownImports === "trap" ? trapUnknownImports(module, imports) : imports);
  if (linkage === undefined)
    throw new CommandError(
      "CLI-BUILD",
      ExitCode.FAILURE,
      "The module imports what `ashlar run` does not provide.",
      "`ashlar inspect MODULE` lists what a module imports, and which of it is known. With --unknown-imports=trap unknown functions may stay so.",
    );
  const code = rewrite(module.rewriteInput, linkage);
  if (!optimized) return kept(linkage, code.bytes);
  const { loadOptimizer } = await import("./optimize.ts");
  const { bytes, sites } = (await loadOptimizer())(code);
  return kept(linkage, bytes, sites);
}
