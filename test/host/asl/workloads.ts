/** What is done to stores in tests of crashes: operations, each of which says what it changes before it asks the store to. */
import { Readable } from "node:stream";
import { AslError } from "../../../host/asl/errors.ts";
import type { StoreLimits } from "../../../host/asl/limits.ts";
import type { Owners } from "../../../host/asl/owner.ts";
import { Store, type StoreParts } from "../../../host/asl/store.ts";
import type { Volume } from "../../../host/asl/volume.ts";
import { Random } from "../../vm/random.ts";
import { keyOf, StoreModel } from "./store-model.ts";

export type Durability = "group" | "each" | "none";
export const DURABILITIES: readonly Durability[] = ["group", "each", "none"];

/** Limits so small that a few operations reach them. */
export interface Profile {
  readonly limits: Partial<StoreLimits>;
  readonly tuning: StoreParts["tuning"];
}

export const PROFILES: { readonly [name: string]: Profile } = {
  /** Each operation freezes the index or merges it, each second one begins a log file and a block. */
  tiny: {
    limits: {
      groupBytes: 4096,
      inlineBytes: 512,
      logBytes: 1024,
      blockBytes: 2048,
      packedBytes: 2000,
      ownBytes: 4000,
      chunkBytes: 2048,
      stagedBytes: 600,
      tailRows: 0,
    },
    tuning: { openRows: 2 },
  },
  /** All of it now and then. */
  small: {
    limits: {
      groupBytes: 8192,
      inlineBytes: 1024,
      logBytes: 6000,
      blockBytes: 8192,
      packedBytes: 3000,
      ownBytes: 4500,
      chunkBytes: 4096,
      stagedBytes: 3000,
      tailRows: 8,
    },
    tuning: { openRows: 8 },
  },
  /** Little besides blocks and the log. */
  wide: {
    limits: { inlineBytes: 1024, packedBytes: 3000, ownBytes: 4500, chunkBytes: 4096, stagedBytes: 3000 },
    tuning: {},
  },
};

/** A process, beside which all others are dead. */
export function owners(pid: number): Owners {
  let tokens = 0;
  return {
    self: () => ({ boot: "b", spaces: "s", pid, start: "1", host: "h" }),
    isAlive: (owner) => owner.pid === pid,
    token: () => `${pid}-${tokens++}`,
  };
}

/** Bytes that are random for the store, and the same in each run. */
export function randomBytes(seed: number): (count: number) => Uint8Array {
  const random = new Random(seed);
  return (count) => Uint8Array.from({ length: count }, () => random.below(256));
}

export interface OpenParts {
  readonly volume: Volume;
  readonly durability?: Durability;
  readonly profile: Profile;
  /** Tells processes apart, and seeds what they draw. */
  readonly pid: number;
  readonly isReadOnly?: boolean;
}

export async function openStore(parts: OpenParts): Promise<Store> {
  return Store.open(...openingOf(parts));
}

/** For reading, at once. */
export function openReader(parts: OpenParts): Store {
  return Store.openSync(...openingOf({ ...parts, isReadOnly: true }));
}

function openingOf({ volume, durability, profile, pid, isReadOnly }: OpenParts): Parameters<typeof Store.open> {
  return [
    "simulated",
    { create: isReadOnly !== true, durability, readOnly: isReadOnly },
    { volume, owners: owners(pid), random: randomBytes(pid), ...profile, background: false },
  ];
}

/** A store in use, what it should hold, and what it has promised. */
export class Session {
  readonly volume: Volume;
  readonly durability: Durability;
  readonly profile: Profile;
  readonly random: Random;
  store: Store | undefined;
  model: StoreModel;
  /** What holds after each change, in their order; the first is what was there at the beginning. */
  readonly states: string[];
  /** The last of {@link states} that was promised to stay. */
  acknowledged = 0;
  /** Hears of each artifact before it is put, of each change before it is asked for, and of what was promised. */
  onContent: ((bytes: Uint8Array) => void) | undefined;
  onChange: ((state: string) => void) | undefined;
  onAcknowledged: ((change: number) => void) | undefined;
  /** Makes contents differ. */
  #count: number;
  #pid: number;

  constructor(
    volume: Volume,
    durability: Durability,
    profile: Profile,
    seed = 1,
    model: StoreModel = new StoreModel(),
  ) {
    this.model = model;
    this.states = [model.text()];
    this.#count = (seed - 1) * 1000;
    // Processes that left a lock in an earlier workload were others.
    this.#pid = 10_000 + 1000 * Math.floor(seed / 1_000_000);
    this.volume = volume;
    this.durability = durability;
    this.profile = profile;
    this.random = new Random(seed);
  }
  async open(): Promise<void> {
    const { volume, durability, profile } = this;
    this.store = await openStore({ volume, durability, profile, pid: this.#pid++ });
  }
  get opened(): Store {
    if (this.store === undefined) throw new Error("the store is not open");
    return this.store;
  }
  async close(): Promise<void> {
    const last = this.states.length - 1;
    const { opened } = this;
    this.store = undefined;
    await opened.close();
    this.acknowledge(last);
  }
  /** Bytes that no other artifact has. */
  fresh(length: number): Uint8Array {
    const bytes = new Uint8Array(length).fill(++this.#count);
    for (let at = 0; at < length; at += 251) bytes[at] = (this.#count >>> 8) ^ (at / 251);
    return this.known(bytes);
  }
  known(bytes: Uint8Array): Uint8Array {
    const key = keyOf(bytes);
    if (!this.model.contents.has(key)) this.onContent?.(bytes);
    this.model.contents.set(key, bytes);
    return bytes;
  }
  /** After a failure: what the store holds now is what counts. */
  rederive(): void {
    this.model = StoreModel.of(this.opened, this.model.contents);
    this.states.push(this.model.text());
  }
  /** Something changes from here on, in one piece; the answer is what {@link done} takes when the store has said so. */
  change(mutate: (model: StoreModel) => void): number {
    mutate(this.model);
    const state = this.model.text();
    this.onChange?.(state);
    return this.states.push(state) - 1;
  }
  /** The store has said that this change is done: so it stays, if that is what the store promises. */
  done(change: number): void {
    if (this.durability !== "none") this.acknowledge(change);
  }
  acknowledge(change: number): void {
    if (change <= this.acknowledged) return;
    this.acknowledged = change;
    this.onAcknowledged?.(change);
  }
  async put(bytes: Uint8Array, typeTag?: number, visibility: "internal" | "published" = "internal"): Promise<void> {
    const change = this.change((model) => model.put(keyOf(bytes), typeTag, visibility));
    const key = await this.opened.put(bytes, { typeTag, visibility });
    if (key !== keyOf(bytes)) throw new Error(`put says ${key} of ${keyOf(bytes)}`);
    this.done(change);
  }
  /** A key that is there, if there is one. */
  some(): string | undefined {
    const { keys } = this.model;
    return keys.length === 0 ? undefined : this.random.chance(0.7) ? keys.at(-1) : this.random.pick(keys);
  }
}

export type Operation = (session: Session) => Promise<void>;

const NAMES = [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte));

export const OPERATIONS: { readonly [name: string]: Operation } = {
  small: (session) => session.put(session.fresh(60)),
  nothing: (session) => session.put(session.known(new Uint8Array(0))),
  again: (session) => session.put(session.model.contents.get(session.some() ?? "") ?? session.fresh(40)),
  tagged: (session) =>
    session.put(session.model.contents.get(session.some() ?? "") ?? session.fresh(40), session.random.below(3)),
  published: (session) => session.put(session.fresh(70), undefined, "published"),
  packed: (session) => session.put(session.fresh(1300)),
  own: (session) => session.put(session.fresh(3500), 5),
  chunked: async (session) => {
    const bytes = session.fresh(9000);
    const change = session.change((model) => model.put(keyOf(bytes), 9, "internal"));
    const pieces = [bytes.subarray(0, 100), bytes.subarray(100, 5000), bytes.subarray(5000)];
    await session.opened.writeStream(Readable.from(pieces), { typeTag: 9 });
    session.done(change);
  },
  many: async (session) => {
    const all = [30, 500, 40].map((length) => session.fresh(length));
    let change = 0;
    for (const bytes of all) change = session.change((model) => model.put(keyOf(bytes), undefined, "internal"));
    await session.opened.putMany(all);
    session.done(change);
  },
  /** Groups are committed while more comes. */
  trickled: async (session) => {
    const all = [35, 36, 600].map((length) => session.fresh(length));
    let change = 0;
    const trickle = async function* (): AsyncGenerator<Uint8Array> {
      for (const bytes of all) {
        change = session.change((model) => model.put(keyOf(bytes), undefined, "internal"));
        yield bytes;
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await session.opened.putMany(trickle());
    session.done(change);
  },
  together: async (session) => {
    await Promise.all([
      session.put(session.fresh(33)),
      session.put(session.fresh(900)),
      session.put(session.fresh(34), 1),
    ]);
  },
  remove: async (session) => {
    const key = session.some() ?? keyOf(new Uint8Array(1));
    const change = session.change((model) => model.remove(key));
    await session.opened.remove(key);
    session.done(change);
  },
  bind: async (session) => {
    const key = session.some();
    if (key === undefined) return;
    const name = session.random.pick(NAMES);
    const change = session.change((model) => model.bind(1, name, key));
    await session.opened.bind(1, name, key);
    session.done(change);
  },
  unbind: async (session) => {
    const name = session.random.pick(NAMES);
    const change = session.change((model) => model.bind(1, name, undefined));
    await session.opened.unbind(1, name);
    session.done(change);
  },
  snapshot: async (session) => {
    const name = freeName(`s${session.states.length}`, session.model.snapshots);
    const change = session.change((model) => model.snapshot(name));
    await session.opened.snapshot(name);
    session.done(change);
  },
  drop: async (session) => {
    const name = [...session.model.snapshots.keys()].at(-1) ?? "none";
    const change = session.change((model) => model.snapshots.delete(name));
    await allowing("ASL-NOT-FOUND", () => session.opened.dropSnapshot(name));
    session.done(change);
  },
  pin: async (session) => {
    const key = session.some();
    if (key === undefined) return;
    const label = freeName(`p${session.states.length}`, session.model.pins);
    const change = session.change((model) => model.pins.set(label, key));
    await session.opened.pin(key, label);
    session.done(change);
  },
  unpin: async (session) => {
    const label = [...session.model.pins.keys()].at(-1) ?? "none";
    const change = session.change((model) => model.pins.delete(label));
    await allowing("ASL-NOT-FOUND", () => session.opened.unpin(label));
    session.done(change);
  },
  publish: async (session) => {
    const key = session.some();
    if (key === undefined) return;
    const change = session.change((model) => model.publish(key));
    await session.opened.publish([key]);
    session.done(change);
  },
  batch: async (session) => {
    const one = session.fresh(80);
    const two = session.fresh(1200);
    const old = session.some();
    const change = session.change((model) => {
      model.put(keyOf(one), 3, "internal");
      model.put(keyOf(two), undefined, "internal");
      if (old !== undefined) model.remove(old);
      model.bind(1, NAMES[0]!, keyOf(two));
    });
    const batch = session.opened.batch();
    batch.put(one, { typeTag: 3 });
    const writer = batch.writer({});
    writer.write(two.subarray(0, 700));
    writer.write(two.subarray(700));
    writer.finish();
    if (old !== undefined) batch.remove(old);
    batch.bind(1, NAMES[0]!, keyOf(two));
    batch.commit();
    session.done(change);
  },
  discard: async (session) => {
    const batch = session.opened.batch();
    batch.put(session.fresh(90));
    batch.put(session.fresh(2500));
    batch.discard();
  },
  flush: async (session) => {
    const last = session.states.length - 1;
    session.opened.flush();
    session.acknowledge(last);
  },
  reopen: async (session) => {
    await session.close();
    await session.open();
  },
};

async function allowing(code: string, act: () => unknown): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!(error instanceof AslError && error.code === code)) throw error;
  }
}

/** A name that nothing has: what a process that was killed did not hear of may be there. */
function freeName(name: string, taken: ReadonlyMap<string, unknown>): string {
  return taken.has(name) ? freeName(`${name}+`, taken) : name;
}
