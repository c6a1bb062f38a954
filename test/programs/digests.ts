/**
 * As a program: does each short task in a folder of its own and prints as JSON how it ended, with the digest of the state
 * and the fuel. `node --stack-size=3900 digests.ts compiled|reference directory|memory`.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runGuest } from "../../host/guest.ts";
import type { Engine } from "../../vm/execution.ts";
import { grantsOf, moduleOf, shortTasks } from "./programs.ts";

/** Four times the default, for Lua's recursion; so the stack must be that much larger as well. */
const DEPTH = 100_000;

/** How a task ended. */
export interface Ending {
  readonly name: string;
  readonly engine: string | undefined;
  readonly outcome: string;
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** SHA-256 of the files that it left, by name. */
  readonly files: { readonly [name: string]: string };
  readonly fuelUsed: string;
  readonly stateDigest: string | undefined;
}

const [engine, fileSystem] = process.argv.slice(2) as [Engine, "directory" | "memory"];
const endings = shortTasks().map(({ name, program, args, stdin, files }): Ending => {
  const folder = mkdtempSync(join(tmpdir(), "ashlar-program-"));
  try {
    for (const [file, bytes] of Object.entries(files)) writeFileSync(join(folder, file), bytes);
    const { outcome, exitCode, stdout, stderr, fuelUsed, stateDigest, ...ended } = runGuest({
      module: readFileSync(moduleOf(program)),
      args,
      grants: grantsOf(folder, fileSystem),
      ...(stdin !== undefined && { stdin }),
      engine,
      limits: { depth: DEPTH },
      stateDigest: true,
    });
    return {
      name,
      engine: ended.engine,
      outcome,
      exitCode,
      stdout: Buffer.from(stdout).toString("latin1"),
      stderr: Buffer.from(stderr).toString("latin1"),
      files: filesIn(folder),
      fuelUsed: String(fuelUsed),
      stateDigest,
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
});
process.stdout.write(JSON.stringify(endings));

function filesIn(folder: string): { [name: string]: string } {
  const sha256 = (name: string) =>
    createHash("sha256")
      .update(readFileSync(join(folder, name)))
      .digest("hex");
  return Object.fromEntries(
    readdirSync(folder)
      .sort()
      .map((name) => [name, sha256(name)]),
  );
}
