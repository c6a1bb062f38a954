/**
 * Crashes of stores: a workload runs on a simulated volume; before each call that has to do with what is on the disk, and at its end, images are made of what
 * a loss of power can leave, and a store is opened on each.
 */

import type { AslError } from "../../../host/asl/errors.ts";
import { fsckVolume } from "../../../host/asl/fsck.ts";
import type { Volume } from "../../../host/asl/volume.ts";
import { Random } from "../../vm/random.ts";
import { SimulatedVolume } from "./simulated-volume.ts";
import { keyOf, logOf, observe, replay, StoreModel } from "./store-model.ts";
import {
  type Durability,
  OPERATIONS,
  openReader,
  openStore,
  owners,
  PROFILES,
  type Profile,
  Session,
} from "./workloads.ts";

export interface Workload {
  readonly operations: readonly string[];
  readonly durability: Durability;
  readonly profile: string;
  readonly seed: number;
  /** Operations before this one are not cut: shorter workloads have seen to them. */
  readonly cutFrom?: number;
}

export interface Budget {
  /** Images of a cut. */
  readonly images: number;
  /** Images of the recovery of one of them, of so many of them as `recoveries` says: one of that many. */
  readonly nested: number;
  readonly recoveries: number;
  /** After so many violations no more are looked for, 20 by default. */
  readonly violations?: number;
}

export interface Violation {
  readonly workload: Workload;
  /** The call before which it was cut. */
  readonly cut: string;
  readonly message: string;
}

/** What was tried, and what was wrong. */
export class Tally {
  workloads = 0;
  cuts = 0;
  /** Images on which a store was opened. */
  checked = 0;
  /** Those of them that come from a crash of a recovery. */
  nested = 0;
  /** Digests of the images. */
  readonly distinct: Set<string> = new Set();
  readonly violations: Violation[] = [];

  toString(): string {
    return (
      `${this.workloads} workloads, ${this.cuts} cuts, ${this.checked} images (${this.nested} of recoveries), ` +
      `${this.distinct.size} of them distinct, ${this.violations.length} violations`
    );
  }
}

/** What may be found after a crash. */
export interface Expected {
  /** One of these from `from` on. */
  readonly states: readonly string[];
  readonly from: number;
  readonly upTo: number;
  /** All of it, if it is known. */
  readonly log: readonly string[] | undefined;
  readonly contents: ReadonlyMap<string, Uint8Array>;
}

interface Cut {
  readonly image: SimulatedVolume;
  readonly from: number;
  readonly upTo: number;
  readonly call: string;
}

/** Changes what the store does with its volume: a fault that is to be found. */
export type Wrap = (volume: Volume) => Volume;

/** Where a workload begins: what a crash of another one left. */
export interface Ground {
  readonly volume: SimulatedVolume;
  readonly contents: ReadonlyMap<string, Uint8Array>;
}

/** Runs a workload, and opens what crashes leave of it; answers one of them. `wrap` is put between the store and its volume. */
export async function crash(
  workload: Workload,
  budget: Budget,
  tally: Tally,
  wrap: Wrap = (volume) => volume,
  ground?: Ground,
): Promise<Ground | undefined> {
  const { durability, seed, cutFrom = 0, operations } = workload;
  const profile = PROFILES[workload.profile]!;
  const random = new Random(seed);
  const volume = ground?.volume ?? new SimulatedVolume();
  if (random.chance(0.3)) volume.shortReads = new Random(seed);
  const cuts: Cut[] = [];
  tally.workloads++;
  const fail = (where: string, error: unknown): void =>
    void tally.violations.push({
      workload,
      cut: where,
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  let session: Session;
  let log: readonly string[];
  try {
    session = new Session(wrap(volume), durability, profile, seed, await modelOf(ground, profile, wrap));
    let doing = "opening";
    const isSeen = new Set<string>();
    const cut = (call: string): void => {
      tally.cuts++;
      const { acknowledged: from, states } = session;
      const take = (image: SimulatedVolume, kind: string): void => {
        const digest = image.digest();
        tally.distinct.add(digest);
        if (isSeen.has(`${kind}${digest}${from}`)) return;
        isSeen.add(`${kind}${digest}${from}`);
        cuts.push({ image, from, upTo: states.length - 1, call: `${call} of ${doing}` });
      };
      for (const image of volume.crashImages(random, budget.images)) take(image, "");
      // Who opens it for reading just now sees something that it held.
      if (tally.cuts % 8 === 0) look(session, volume, from, (error) => fail(`${call} of ${doing}`, error));
      // A process that is killed leaves all of it, of which a loss of power may take some later.
      take(volume.killed(), "killed");
    };
    const begin = (k: number): void => {
      if (k === cutFrom) volume.onCut = ({ number, kind, path }) => cut(`${number} ${kind} ${path}`);
    };
    begin(0);
    await session.open();
    for (const [k, name] of operations.entries()) {
      doing = `${k} ${name}`;
      begin(k);
      await OPERATIONS[name]!(session);
    }
    doing = "the end";
    cut("end");
    expectSame("the open store", observe(session.opened, session.model.contents), session.states.at(-1)!);
    await session.close();
    cut("closed");
    volume.onCut = undefined;
    await session.open();
    log = logOf(session.opened);
    expectSame("the store opened again", observe(session.opened, session.model.contents), session.states.at(-1)!);
    await session.close();
  } catch (error) {
    fail("no crash", error);
    return undefined;
  }
  const { states, model } = session;
  const next = cuts.length === 0 ? undefined : SimulatedVolume.of(random.pick(cuts).image.files());
  for (const [k, { image, from, upTo, call }] of cuts.entries()) {
    const expected = { states, from, upTo, log, contents: model.contents };
    try {
      await checkImage(image, expected, profile, budget, k % budget.recoveries === 0, random, tally, wrap);
    } catch (error) {
      fail(`${call}, image ${k}`, error);
      if (tally.violations.length >= (budget.violations ?? 20)) return undefined;
    }
  }
  return next && { volume: next, contents: model.contents };
}

/** Opens the store that is in use for reading. */
function look(
  { model, profile, states }: Session,
  volume: SimulatedVolume,
  from: number,
  fail: (error: unknown) => void,
): void {
  try {
    const reader = openReader({ volume, profile, pid: 1100 });
    examine(reader, { states, from, upTo: states.length - 1, log: undefined, contents: model.contents });
    reader.closeSync();
  } catch (error) {
    if ((error as AslError).code !== "ASL-NO-STORE") fail(error);
  }
}

/** What holds on what a crash left: examined before, so it is taken as it is. */
async function modelOf(ground: Ground | undefined, profile: Profile, wrap: Wrap): Promise<StoreModel> {
  if (ground === undefined) return new StoreModel();
  const volume = SimulatedVolume.of(ground.volume.files());
  const store = await openStore({ volume: wrap(volume), profile, pid: 999, durability: "each" });
  const model = StoreModel.of(store, ground.contents);
  await store.close();
  return model;
}

/** A long workload, and others that begin where a crash of the one before left off. */
export async function crashSeveral(seed: number, budget: Budget, tally: Tally, wrap?: Wrap): Promise<void> {
  const random = new Random(seed);
  let ground: Ground | undefined;
  for (let life = random.below(4); life >= 0; life--) {
    ground = await crash(randomWorkload(seed + 1_000_000 * life), budget, tally, wrap, ground);
    if (ground === undefined) return;
  }
}

/** Opens a store on what a crash left, and holds it against what may be there. */
async function checkImage(
  image: SimulatedVolume,
  expected: Expected,
  profile: Profile,
  budget: Budget,
  isThorough: boolean,
  random: Random,
  tally: Tally,
  wrap: Wrap,
): Promise<void> {
  const before = isThorough ? SimulatedVolume.of(image.files()) : undefined;
  tally.checked++;
  const nested: SimulatedVolume[] = [];
  const isKnown = new Set<string>();
  if (isThorough) {
    image.onCut = () => {
      if (nested.length < 3 * budget.nested) nested.push(...image.crashImages(random, budget.nested));
    };
  }
  const open = (volume: SimulatedVolume, pid: number): ReturnType<typeof openStore> =>
    openStore({ volume: wrap(volume), profile, pid, durability: "each" });
  const store = await open(image, 1000);
  image.onCut = undefined;
  const { log, state } = examine(store, expected);
  if (!isThorough || before === undefined) return;
  // What was shown stays, whatever is lost now.
  const [least] = image.crashImages(random, 1);
  const shown = { ...expected, states: [state], from: 0, upTo: 0 };
  const isSame = (found: { readonly log: string[]; readonly state: string }, when: string): void => {
    expectSame(when, found.state, state);
    expectSame(`${when}: the log`, found.log.join("\n"), log.join("\n"));
  };
  tally.distinct.add(least!.digest());
  tally.checked++;
  isSame(examine(await open(least!, 1001), shown), "opened after a crash after recovery");
  // A second opening changes nothing.
  await store.close();
  const closed = contentsOf(image);
  const again = await open(image, 1002);
  isSame(examine(again, shown), "opened again");
  await again.close();
  expectSame("files after the second opening", contentsOf(image), closed);
  // And it works.
  const more = Buffer.from("one more");
  const usable = await open(image, 1003);
  const key = await usable.put(more);
  expectSame("what is put after a crash", Buffer.from(usable.get(key) ?? []).toString(), "one more");
  const contents = new Map(expected.contents).set(keyOf(more), more);
  observe(usable, contents);
  await usable.close();
  const last = await open(image, 1004);
  expectSame("log after a put", logOf(last).slice(0, log.length).join("\n"), log.join("\n"));
  if (!last.has(key)) throw new Error("what was put after a crash is not there");
  observe(last, contents);
  await last.close();
  // Every byte of it is accounted for; and without CURRENT, checkpoint and index the log tells all of it again.
  await expectSound(image, profile, "after a crash");
  const bare = SimulatedVolume.of(
    new Map([...image.files()].filter(([path]) => path.endsWith("/") || !/^(CURRENT|checkpoint|index)/.test(path))),
  );
  await fsckVolume(bare, owners(1008), { repair: true, limits: profile.limits, tuning: profile.tuning });
  const rebuilt = await open(bare, 1009);
  expectSame("what the log alone tells", observe(rebuilt, contents), observe(await open(image, 1010), contents));
  expectSame("its log", logOf(rebuilt).slice(0, log.length).join("\n"), log.join("\n"));
  await rebuilt.close();
  await expectSound(bare, profile, "after a repair");
  // For reading nothing is written.
  const reader = await openStore({ volume: before, profile, pid: 1005, isReadOnly: true }).catch((error) => {
    if (error.code !== "ASL-NO-STORE") throw error;
    return undefined;
  });
  if (reader !== undefined) {
    isSame(examine(reader, expected), "opened for reading");
    await reader.close();
    expectSame("calls that write", String(before.changeCount), "0");
  }
  // Crashes of the recovery.
  for (const one of nested) {
    const digest = one.digest();
    if (isKnown.has(digest)) continue;
    isKnown.add(digest);
    tally.distinct.add(digest);
    tally.checked++;
    tally.nested++;
    examine(await open(one, 1006), expected);
  }
}

/** What a store holds: an earlier state that is not before what was promised, a prefix of the log, and what follows from it. */
export function examine(
  store: Awaited<ReturnType<typeof openStore>>,
  expected: Expected,
): { readonly log: string[]; readonly state: string } {
  const log = logOf(store);
  for (const [k, entry] of log.entries())
    if (expected.log !== undefined && entry !== expected.log[k])
      throw new Error(`entry ${k} of the log is ${entry} instead of ${expected.log?.[k]}`);
  const state = observe(store, expected.contents);
  const at = expected.states.lastIndexOf(state, expected.upTo);
  if (at < 0)
    throw new Error(
      `the store holds what it never held:\n${state}\n— the last state was:\n${expected.states[expected.upTo]}`,
    );
  if (at < expected.from)
    throw new Error(`the store holds state ${at}; state ${expected.from} was acknowledged:\n${state}`);
  expectSame("what follows from the log", replay(store), state);
  return { log, state };
}

async function expectSound(volume: SimulatedVolume, profile: Profile, when: string): Promise<void> {
  const { limits, tuning } = profile;
  const { problems } = await fsckVolume(volume, owners(1007), { deep: true, limits, tuning });
  if (problems.length > 0) throw new Error(`${when}: ${JSON.stringify(problems, undefined, 1)}`);
}

function expectSame(what: string, found: string, expected: string): void {
  if (found !== expected) throw new Error(`${what}: found\n${found}\n— instead of\n${expected}`);
}

/** Names and digests of all files but those of locks, which count the openings. */
function contentsOf(volume: SimulatedVolume): string {
  return [...volume.files()]
    .filter(([path]) => !path.startsWith("LOCK"))
    .map(([path, bytes]) => `${path} ${keyOf(bytes)}`)
    .join("\n");
}

// ------------------------------------------------------------------------------------------------ which workloads

/** All workloads of exactly `length` operations. */
export function* everyWorkload(length: number, durability: Durability, profile: string): Generator<Workload> {
  const names = Object.keys(OPERATIONS);
  const count = names.length ** length;
  for (let n = 0; n < count; n++) {
    const operations: string[] = [];
    for (let k = 0, rest = n; k < length; k++, rest = Math.floor(rest / names.length))
      operations.unshift(names[rest % names.length]!);
    yield { operations, durability, profile, seed: 1, cutFrom: length - 1 };
  }
}

/** A long workload. */
export function randomWorkload(seed: number): Workload {
  const random = new Random(seed);
  const names = Object.keys(OPERATIONS);
  const length = 5 + random.below(40);
  return {
    operations: Array.from({ length }, () => (random.chance(0.3) ? "small" : random.pick(names))),
    durability: random.pick(["group", "each", "none"] as const),
    profile: random.pick(Object.keys(PROFILES)),
    seed,
  };
}
