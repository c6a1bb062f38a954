/** Small stores whose files are changed byte by byte: what is read is what was written, or an AslError says that it is damaged. */
import { AslError } from "../../../host/asl/errors.ts";
import { SimulatedVolume } from "./simulated-volume.ts";
import { keyOf, logOf } from "./store-model.ts";
import { OPERATIONS, openStore, PROFILES, Session } from "./workloads.ts";

/** A closed store with some of everything. */
export interface Sample {
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly profile: string;
  /** Artifacts that are there; and those that were, and are not. */
  readonly visible: ReadonlyMap<string, Uint8Array>;
  readonly removed: readonly string[];
  /** What {@link readAll} says of the whole store. */
  readonly whole: readonly string[];
}

const EVERYTHING = [
  "small",
  "packed",
  "own",
  "tagged",
  "bind",
  "snapshot",
  "small",
  "remove",
  "chunked",
  "published",
  "pin",
  "batch",
  "publish",
  "small",
  "flush",
  "small",
];

export async function sampleStore(profile: string): Promise<Sample> {
  const volume = new SimulatedVolume();
  const session = new Session(volume, "each", PROFILES[profile]!, 7);
  await session.open();
  for (const name of EVERYTHING) await OPERATIONS[name]!(session);
  const keys = new Set(session.model.keys);
  const contents = [...session.model.contents];
  await session.close();
  const files = new Map([...volume.files()].map(([path, bytes]) => [path, bytes.slice()]));
  const sample = {
    files,
    profile,
    visible: new Map(contents.filter(([key]) => keys.has(key))),
    removed: contents.map(([key]) => key).filter((key) => !keys.has(key)),
  };
  return { ...sample, whole: (await readAll(SimulatedVolume.of(files), { ...sample, whole: [] }, true)).answers };
}

export interface Reading {
  /** What each question was answered with: the right thing, or the code of an error. */
  readonly answers: string[];
  /** Anything else: wrong bytes, something missing, an error that is no AslError. */
  readonly wrong: string[];
}

/** Opens a store and asks it for everything. */
export async function readAll(volume: SimulatedVolume, sample: Sample, isReadOnly: boolean): Promise<Reading> {
  const answers: string[] = [];
  const wrong: string[] = [];
  const ask = async (what: string, question: () => unknown): Promise<void> => {
    try {
      answers.push(`${what}: ${await question()}`);
    } catch (error) {
      if (error instanceof AslError) answers.push(error.code);
      else wrong.push(`${what}: ${(error as Error).stack}`);
    }
  };
  let store: Awaited<ReturnType<typeof openStore>> | undefined;
  const profile = PROFILES[sample.profile]!;
  await ask("open", async () => {
    store = await openStore({ volume, profile, pid: 500, durability: "each", isReadOnly });
    return "done";
  });
  if (store === undefined) return { answers, wrong };
  const opened = store;
  for (const [key, bytes] of sample.visible) {
    await ask("get", () => same(opened.get(key), bytes));
    await ask("read", () => same(opened.read(key, 10, 20), bytes.subarray(10, 30)));
    await ask("stat", () => {
      const stat = opened.stat(key);
      if (stat === undefined) throw new Error(`${key} is missing`);
      if (stat.length !== bytes.length) throw new Error(`${key} has ${stat.length} bytes instead of ${bytes.length}`);
      return stat.records.map(({ typeTag, visibility }) => `${typeTag} ${visibility}`).join();
    });
    await ask("has", () => {
      if (!opened.has(key)) throw new Error(`${key} is missing`);
      return true;
    });
  }
  for (const key of [...sample.removed, keyOf(Buffer.from("never there"))])
    await ask("absent", () => {
      if (opened.has(key)) throw new Error(`${key} is there again`);
      return true;
    });
  await ask("list", () => {
    const keys = [...opened.list()].map(({ key }) => key);
    for (const key of sample.visible.keys())
      if (!keys.includes(key as (typeof keys)[number])) throw new Error(`${key} is not in the list`);
    if (keys.length !== sample.visible.size)
      throw new Error(`${keys.length} artifacts instead of ${sample.visible.size}`);
    return keys.length;
  });
  await ask("bindings", () => [...opened.bindings()].map(({ namespace, key }) => `${namespace} ${key}`).join());
  await ask("pins", () => [...opened.pins()].map(({ label, key }) => `${label} ${key}`).join());
  for (const { name } of opened.snapshots())
    await ask(`snapshot ${name}`, () =>
      [...opened.at(name).list()].map(({ key }) => `${key} ${opened.at(name).get(key)?.length}`).join(),
    );
  await ask("snapshots", () => [...opened.snapshots()].map(({ name, position }) => `${name} ${position}`).join());
  await ask("log", () => logOf(opened).join("\n"));
  if (!isReadOnly) await ask("put", async () => opened.put(Buffer.from("after the damage")));
  await ask("close", async () => opened.close());
  // Whatever is answered is what the whole store answers.
  if (sample.whole.length > 0)
    for (const answer of answers)
      if (answer.includes(": ") && !answer.startsWith("put: ") && !sample.whole.includes(answer))
        wrong.push(`another answer: ${answer.slice(0, 300)}`);
  return { answers, wrong };
}

function same(found: Uint8Array | undefined, expected: Uint8Array): string {
  if (found === undefined) throw new Error("an artifact is missing");
  if (Buffer.compare(found, expected) !== 0) throw new Error("wrong bytes");
  return "as they were";
}

/** Counts of what changes of a file led to. */
export interface FlipTally {
  changes: number;
  /** Nothing was different. */
  unseen: number;
  /** By code. */
  readonly codes: { [code: string]: number };
  readonly wrong: string[];
}

/** Tries each change of each file whose path matches. */
export async function tryChanges(
  sample: Sample,
  paths: RegExp,
  changes: (bytes: Uint8Array) => Iterable<readonly [what: string, bytes: Uint8Array | undefined]>,
  isReadOnly: (n: number) => boolean,
): Promise<FlipTally> {
  const tally: FlipTally = { changes: 0, unseen: 0, codes: {}, wrong: [] };
  for (const [path, bytes] of sample.files) {
    if (path.endsWith("/") || !paths.test(path)) continue;
    for (const [what, changed] of changes(bytes)) {
      const files = new Map(sample.files);
      if (changed === undefined) files.delete(path);
      else files.set(path, changed);
      const volume = SimulatedVolume.of(files);
      const { answers, wrong } = await readAll(volume, sample, isReadOnly(tally.changes++));
      for (const message of wrong) tally.wrong.push(`${path} ${what}: ${message}`);
      const codes = new Set(answers.filter((answer) => !answer.includes(": ")));
      if (codes.size === 0) tally.unseen++;
      for (const code of codes) tally.codes[code] = (tally.codes[code] ?? 0) + 1;
    }
  }
  return tally;
}

/** Every `step`th byte from `first` on, with some of its bits changed; of a file that begins with these bytes, or is them. */
export function* flips(
  bytes: Uint8Array,
  masks: readonly number[],
  first = 0,
  step = 1,
  whole: Uint8Array = bytes,
): Generator<readonly [string, Uint8Array]> {
  for (let at = first, n = 0; at < bytes.length; at += step, n++) {
    const mask = masks[n % masks.length]!;
    const changed = whole.slice();
    changed[at]! ^= mask;
    yield [`byte ${at} ^ ${mask}`, changed];
  }
}

export function* truncations(bytes: Uint8Array, step = 1): Generator<readonly [string, Uint8Array]> {
  for (let length = 0; length < bytes.length; length += step) yield [`cut to ${length} bytes`, bytes.slice(0, length)];
}

export function* gone(): Generator<readonly [string, undefined]> {
  yield ["is not there", undefined];
}
