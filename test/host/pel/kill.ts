/** Kills processes that run programs on a store in a real folder, at any time, and looks at what is there then. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Store } from "../../../host/asl/store.ts";
import { runProgram } from "../../../host/pel/run.ts";
import { Random } from "../../vm/random.ts";
import { randomProgram } from "./crash.ts";
import { KERNEL, openStore } from "./runs.ts";
import { checkSound } from "./soundness.ts";

const CHILD = fileURLToPath(new URL("run-child.ts", import.meta.url));
/** A program is left for another one after so many kills. */
const KILLS_OF_A_PROGRAM = 5;

export interface KillTally {
  /** Processes that were killed, and those that had ended before. */
  kills: number;
  ended: number;
  /** Nodes that those left which were killed. */
  nodes: number;
  readonly wrong: string[];
}

export async function killRuns(kills: number, seed: number, nodes: number): Promise<KillTally> {
  const tally: KillTally = { kills: 0, ended: 0, nodes: 0, wrong: [] };
  const random = new Random(seed);
  for (let n = 0; tally.kills < kills && n < 4 * kills; ) {
    const folder = mkdtempSync(join(tmpdir(), "ashlar-kill-"));
    const program = random.below(2 ** 30);
    const guests = random.chance(0.4) ? "guests" : "none";
    try {
      const expected = await claimOf(program, nodes, guests);
      for (let k = 0; k < KILLS_OF_A_PROGRAM && tally.kills < kills; k++, n++) {
        // From when it has opened the store: most while it works.
        await killOne(
          join(folder, "store"),
          [program, nodes, guests].map(String),
          10 + 2 ** random.below(11),
          expected,
          tally,
        );
        // What was ended is no use to kill: the next one begins anew, or goes on where this one was.
        if (random.chance(0.3)) rmSync(join(folder, "store"), { recursive: true, force: true });
      }
      const store = await Store.open(join(folder, "store"), { create: true });
      const { claim } = await run(store, program, nodes, guests);
      if (claim !== expected) throw new Error(`it went on to ${claim}, not to ${expected}`);
      checkSound(store);
      await store.close();
    } catch (error) {
      tally.wrong.push(`program ${program}, ${guests}: ${(error as Error).stack}`);
      n += KILLS_OF_A_PROGRAM;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return tally;
}

/** The receipt that the run ends with. */
async function claimOf(seed: number, nodes: number, guests: string): Promise<string> {
  return (await run(openStore(), seed, nodes, guests)).claim;
}

async function run(store: Store, seed: number, nodes: number, guests: string): ReturnType<typeof runProgram> {
  const module = await store.put(KERNEL);
  const one = await store.put(Buffer.from("one"));
  const two = await store.put(Buffer.from("two"));
  const program = randomProgram(new Random(seed), nodes, guests === "guests" ? module : undefined, true);
  return await runProgram(store, program, { inputs: { one, two }, keepGoing: true });
}

async function killOne(
  folder: string,
  program: readonly string[],
  delay: number,
  expected: string,
  tally: KillTally,
): Promise<void> {
  const child = spawn(process.execPath, [CHILD, folder, ...program, "0"], { stdio: ["ignore", "pipe", "pipe"] });
  let problem = "";
  child.stderr.on("data", (data) => (problem += data));
  const over = new Promise((resolve) => child.on("close", resolve));
  let claim: string | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    const [what, key] = line.split(" ");
    if (what === "open") void setTimeout(delay).then(() => child.kill("SIGKILL"));
    else if (what === "done") claim = key;
  }
  await over;
  if (claim !== undefined && claim !== expected) throw new Error(`it ended with ${claim}, not with ${expected}`);
  if (child.signalCode === "SIGKILL") tally.kills++;
  else if (child.exitCode === 0) tally.ended++;
  else throw new Error(`the process ended by itself: ${problem}`);
  const store = await Store.open(folder);
  const sound = checkSound(store);
  if (claim !== undefined && sound.runs === 0) throw new Error("what was said to be done is gone");
  tally.nodes += sound.nodes;
  await store.close();
  const { problems } = await Store.fsck(folder, { deep: true });
  if (problems.length > 0) throw new Error(JSON.stringify(problems, undefined, 1));
}
