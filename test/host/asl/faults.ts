/** Calls of a volume that fail, each once or from one on: the store goes on, or takes no more; what it said is done is there when it is opened again. */
import { AslError } from "../../../host/asl/errors.ts";
import { Random } from "../../vm/random.ts";
import { type Expected, examine, type Workload } from "./crash.ts";
import { type Call, type Fault, SECTOR_BYTES, SimulatedVolume } from "./simulated-volume.ts";
import { observe, StoreModel } from "./store-model.ts";
import { OPERATIONS, openStore, PROFILES, Session } from "./workloads.ts";

/** In a workload: the process is killed here, and another one opens the store. What was written is in memory still. */
export const KILLED = "killed";

/** What is said of bytes that were never on disk. */
const GONE = ["ASL-BLOCK-DAMAGED", "ASL-LOG-DAMAGED", "ASL-CORRUPT"];

export interface FaultTally {
  /** Runs with a fault in them. */
  runs: number;
  /** Operations that failed, by the code of their error. */
  readonly codes: { [code: string]: number };
  readonly wrong: string[];
}

/** What can happen to a call. */
function faultsOf({ kind, length }: Call): readonly Fault[] {
  switch (kind) {
    case "sync":
      return [
        { code: "EIO", effect: "lose" },
        { code: "EIO", effect: "evict" },
      ];
    case "syncFolder":
      // File systems whose folders cannot be written stop altogether: what is not on disk stays so.
      return [{ code: "EIO", effect: "none" }];
    case "write":
      return [
        // Part of a sector is never there alone.
        { code: "ENOSPC", effect: length > 2 * SECTOR_BYTES ? "half" : "none" },
        { code: "EIO", effect: "none" },
      ];
    case "rename":
      return [
        { code: "EIO", effect: "done" },
        { code: "ENOSPC", effect: "none" },
      ];
    case "open":
      return [{ code: "EMFILE", effect: "none" }];
    case "create":
    case "link":
    case "makeFolder":
      return [{ code: "ENOSPC", effect: "none" }];
    case "close":
      return [];
    default:
      return [{ code: "EIO", effect: "none" }];
  }
}

/** Every call of the workload that `isChosen` has, with each fault; and full disks from each chosen write on. */
export async function tryFaults(
  workload: Workload,
  isChosen: (n: number, call: Call) => boolean,
  tally: FaultTally,
): Promise<void> {
  const volume = new SimulatedVolume();
  volume.isRecording = true;
  await run(workload, volume, undefined, tally);
  const { calls } = volume;
  for (const [n, call] of calls.entries()) {
    if (!isChosen(n, call)) continue;
    for (const fault of faultsOf(call))
      await tryFault(
        workload,
        `${n} ${call.kind} ${call.path}: ${fault.code}, ${fault.effect}`,
        ({ number }) => (number === n ? fault : undefined),
        tally,
      );
    if (call.kind !== "write" && call.kind !== "create") continue;
    const full: Fault = { code: "ENOSPC", effect: "none" };
    const isFull = ({ number, kind }: Call): Fault | undefined =>
      number >= n && (kind === "write" || kind === "create" || kind === "link") ? full : undefined;
    await tryFault(workload, `full from ${n} ${call.kind} ${call.path} on`, isFull, tally);
  }
}

async function tryFault(
  workload: Workload,
  name: string,
  fault: (call: Call) => Fault | undefined,
  tally: FaultTally,
): Promise<void> {
  tally.runs++;
  const volume = new SimulatedVolume();
  try {
    const session = await run(workload, volume, fault, tally);
    const { states, acknowledged: from, model, profile } = session;
    const expected: Expected = { states, from, upTo: states.length - 1, log: undefined, contents: model.contents };
    const killed = volume.killed();
    const images = [...volume.crashImages(new Random(workload.seed), 6)];
    for (const [k, image] of [killed, ...images].entries()) {
      try {
        const store = await openStore({ volume: image, profile, pid: 5000 + k, durability: "each" });
        const { state } = examine(store, expected);
        const bytes = Buffer.from(`put after all ${k}`);
        const key = await store.put(bytes);
        // What was in memory only when a sync failed, and was read again, must not make a hole in what follows.
        const [least] = image.crashImages(new Random(1), 1);
        const last = await openStore({ volume: least!, profile, pid: 6000, durability: "each" });
        if (!last.has(key)) throw new Error("what was put after the failure is gone after a loss of power");
        const contents = new Map(model.contents).set(key, bytes);
        const model2 = StoreModel.of(last, contents);
        model2.remove(key);
        if (model2.text() !== state)
          throw new Error(`a loss of power after recovery left\n${model2.text()}\n— instead of\n${state}`);
        observe(last, contents);
        await store.close();
      } catch (error) {
        throw new Error(`${k === 0 ? "killed" : `image ${k - 1}`}: ${(error as Error).stack}`);
      }
    }
  } catch (error) {
    tally.wrong.push(`${JSON.stringify(workload)}, ${name}: ${(error as Error).stack}`);
  }
}

/** Runs the workload as far as it goes; throws for what must not happen. */
async function run(
  workload: Workload,
  volume: SimulatedVolume,
  fault: SimulatedVolume["fault"],
  tally: FaultTally,
): Promise<Session> {
  const { durability, operations, profile, seed } = workload;
  const session = new Session(volume, durability, PROFILES[profile]!, seed);
  volume.fault = fault;
  volume.losses = new Random(seed);
  /** Whether the store takes more. */
  const attempt = async (act: () => Promise<void>, also: readonly string[] = []): Promise<boolean> => {
    try {
      await act();
      return true;
    } catch (error) {
      // Errors of the runtime, and of these tests, are none of the store's.
      if (!(error instanceof AslError)) throw error;
      tally.codes[error.code] = (tally.codes[error.code] ?? 0) + 1;
      if (!["ASL-WRITE", "ASL-READ", "ASL-NO-SPACE", "ASL-POISONED", ...also].includes(error.code)) throw error;
      return false;
    }
  };
  const opened = async (): Promise<void> => {
    if (await attempt(() => session.open())) return;
    // Whatever failed is over: a second attempt finds what is there.
    volume.fault = undefined;
    await session.open();
  };
  /** The store holds something that it held since what was acknowledged: which counts from now on. */
  const rederive = (after: string): void => {
    // Reads that fail are tried elsewhere.
    volume.fault = undefined;
    session.rederive();
    volume.fault = fault;
    const state = session.states.at(-1)!;
    // Of what came later than a group that failed, some may be there.
    if (after !== "trickled" && !session.states.slice(session.acknowledged, -1).includes(state))
      throw new Error(`after ${after} the store holds what it never held:\n${state}`);
  };
  await opened();
  for (const name of operations) {
    if (name === KILLED) {
      session.store = undefined;
      await opened();
      rederive(name);
      continue;
    }
    // Puts at once fail one by one: then what is there is no state that the model has.
    if (name === "together") continue;
    if (session.store === undefined) await opened();
    if (await attempt(() => OPERATIONS[name]!(session))) continue;
    if (session.store === undefined) continue;
    if (!(await attempt(async () => session.opened.flush()))) break;
    rederive(name);
  }
  volume.fault = undefined;
  if (session.store === undefined) return session;
  // Without durability a failed sync takes away what was only in memory: bytes are gone then, never others.
  await attempt(async () => void observe(session.opened, session.model.contents), durability === "none" ? GONE : []);
  await attempt(() => session.close());
  return session;
}
