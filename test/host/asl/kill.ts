/** Kills processes that write to a store in a real folder, at any time, and looks at what is there then. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Store } from "../../../host/asl/store.ts";
import { Random } from "../../vm/random.ts";
import { keyOf, observe, replay } from "./store-model.ts";
import { DURABILITIES, PROFILES } from "./workloads.ts";

const CHILD = fileURLToPath(new URL("kill-child.ts", import.meta.url));
/** A folder is left for another one after so many kills. */
const KILLS_OF_A_FOLDER = 5;

export interface KillTally {
  kills: number;
  /** Changes that the processes had begun, and those that they had said were done. */
  begun: number;
  acknowledged: number;
  readonly wrong: string[];
}

export async function killLoop(kills: number, seed: number): Promise<KillTally> {
  const tally: KillTally = { kills: 0, begun: 0, acknowledged: 0, wrong: [] };
  const random = new Random(seed);
  for (let n = 0; n < kills; n += KILLS_OF_A_FOLDER) {
    const folder = mkdtempSync(join(tmpdir(), "ashlar-kill-"));
    const profile = random.pick(Object.keys(PROFILES));
    const contents = new Map<string, Uint8Array>();
    let state = "";
    try {
      for (let k = n; k < Math.min(kills, n + KILLS_OF_A_FOLDER); k++) {
        const durability = random.pick(DURABILITIES);
        // Most while it works; some while it opens.
        const delay = random.chance(0.2) ? random.below(20) : 10 + 2 ** random.below(9);
        state = await killOne(folder, seed * 10_000 + k + 1, durability, profile, delay, contents, state, tally);
      }
    } catch (error) {
      tally.wrong.push(`kill ${tally.kills} of seed ${seed} (${profile}): ${(error as Error).stack}`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  return tally;
}

/** Runs a process for so many milliseconds from when it says that it begins; answers what the store holds after that. */
async function killOne(
  folder: string,
  seed: number,
  durability: string,
  profile: string,
  delay: number,
  contents: Map<string, Uint8Array>,
  before: string,
  tally: KillTally,
): Promise<string> {
  const child = spawn(process.execPath, [CHILD, folder, String(seed), durability, profile], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const states = [before];
  let acknowledged = 0;
  let problem = "";
  child.stderr.on("data", (data) => (problem += data));
  const over = new Promise((resolve) => child.on("close", resolve));
  for await (const line of createInterface({ input: child.stdout })) {
    const [what, value = ""] = line.split(" ");
    if (what === "begin") void setTimeout(delay).then(() => child.kill("SIGKILL"));
    else if (what === "content") {
      const bytes = Buffer.from(value, "base64");
      contents.set(keyOf(bytes), bytes);
    } else if (what === "change") states.push(Buffer.from(value, "base64").toString());
    else if (what === "done") acknowledged = Number(value);
  }
  await over;
  if (child.signalCode !== "SIGKILL") throw new Error(`the process ended by itself: ${problem}`);
  tally.kills++;
  tally.begun += states.length - 1;
  tally.acknowledged += acknowledged;
  const store = await Store.open(folder, { create: true, durability: "each" }, { ...PROFILES[profile]! });
  const state = observe(store, contents);
  const at = states.lastIndexOf(state);
  if (at < 0) throw new Error(`the store holds what it never held:\n${state}`);
  if (at < acknowledged) throw new Error(`the store holds state ${at}; state ${acknowledged} was acknowledged`);
  if (replay(store) !== state) throw new Error("what follows from the log is something else");
  await store.close();
  return state;
}
