/** `ashlar build`: a module and its compiled code in one file (spec 19). */

import { checkAbiVersion } from "../../syscalls/version.ts";
import { hostLinkageOf } from "../../vm/compiled/linkage.ts";
import { rewrite } from "../../vm/compiler/rewrite.ts";
import { Module } from "../../vm/module.ts";
import { createAbi } from "../abi.ts";
import { kept } from "../compile.ts";
import { useHostSha256 } from "../digest.ts";
import { type CompiledCode, writeImage } from "../image.ts";
import { trapUnknownImports } from "../unknown-imports.ts";
import type { Arguments } from "./arguments.ts";
import { CommandError, describeFailure, ExitCode, failureOf, usageError } from "./failure.ts";
import { replaceFile } from "./files.ts";
import { readGuest } from "./module-file.ts";
import { unknownImportsOf } from "./request.ts";
import { note } from "./terminal.ts";

export async function build(args: Arguments): Promise<number> {
  const path = args.positionals[0]!;
  const out = args.options.get("output")?.[0];
  if (out === undefined) throw usageError("`ashlar build` needs a place for the image.", "Write -o FILE.");
  const unknownImports = unknownImportsOf(args);
  try {
    const { bytes } = await readGuest(path);
    const module = Module.decode(bytes);
    const code = await compile(module, args.options.has("optimize"), unknownImports);
    useHostSha256();
    replaceFile(out, writeImage({ module: bytes, code }), "CLI-BUILD", "image");
    return ExitCode.OK;
  } catch (error) {
    const failure = failureOf(error, path);
    note(describeFailure(failure));
    return failure.exitCode;
  }
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
