/** Something of everything that is done to a store, by chance; and the comparison of the store with what a second reader makes of its folder. */
import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { MemoryVolume } from "../../../host/asl/memory-volume.ts";
import { Store, type StoreOptions } from "../../../host/asl/store.ts";
import type { View } from "../../../host/asl/view.ts";
import { type Contents, type Files, SecondReading, volumeFiles } from "./second-reader.ts";
import { alone, randomFrom, SMALL } from "./stores.ts";

/** Small ones, but for artifacts that are longer than a leaf of checksums. */
const LIMITS = { ...SMALL, ownBytes: 100_000, chunkBytes: 32_768 };

/** Numbers by chance: the same for a seed. */
class Chance {
  #state: number;
  constructor(seed: number) {
    this.#state = (Math.imul(seed, 0x9e37_79b9) ^ 0x5bd1_e995) >>> 0;
  }
  below(count: number): number {
    let x = this.#state || 1;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return (this.#state >>> 8) % count;
  }
  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }
}

function seenOf(view: View | Store): unknown {
  const artifacts = Array.from(view.list(), ({ key, length, records }) => {
    const bytes = view.get(key)!;
    strictEqual(bytes.length, length);
    return [key, { length, records: records.map((record) => ({ ...record })), bytes: Buffer.from(bytes) }] as const;
  });
  const bindings = Array.from(view.bindings(), ({ namespace, name, key, position, logseq }) => {
    const digits = Buffer.from(name).toString("hex");
    return [`${namespace} ${digits}`, { namespace, name: digits, key, position, logseq }] as const;
  });
  return { artifacts: new Map(artifacts), bindings: new Map(bindings) };
}

/** The texts of keys are in the order of digests as long as there is one algorithm. */
function inOrder({ artifacts, bindings }: Contents): unknown {
  return { artifacts: new Map([...artifacts].sort(([a], [b]) => (a < b ? -1 : 1))), bindings };
}

/** The store says what the reading says, of now and of all snapshots. */
export function compare(store: Store, reading: SecondReading): void {
  strictEqual(reading.position, store.position);
  const stats = store.stats();
  strictEqual(reading.logseq, stats.logseq);
  deepStrictEqual(inOrder(reading.contents()), seenOf(store));
  const snapshots = store.snapshots();
  deepStrictEqual(
    snapshots.map(({ name, position, logseq, frameHash }) => ({
      name,
      position,
      logseq,
      hash: Buffer.from(frameHash),
    })),
    [...reading.snapshots.values()].map((snapshot) => ({ ...snapshot, hash: Buffer.from(snapshot.hash) })),
  );
  for (const { name, position } of snapshots)
    deepStrictEqual(inOrder(reading.contents(position)), seenOf(store.at(name)));
  deepStrictEqual(new Map(store.pins().map(({ label, key }) => [label, key])), reading.pins);
}

/** Reads a folder twice, in both ways, which have to agree. */
export function readBoth(folder: Files): { readonly log: SecondReading; readonly index: SecondReading } {
  const read = new Map<string, Buffer | undefined>();
  const files: Files = {
    list: (name) => folder.list(name),
    read: (path) => {
      if (!read.has(path)) read.set(path, folder.read(path));
      return read.get(path);
    },
  };
  const log = new SecondReading(files, "log");
  const index = new SecondReading(files, "index");
  deepStrictEqual(index.state, log.state);
  deepStrictEqual(index.snapshots, log.snapshots);
  deepStrictEqual(index.pins, log.pins);
  for (const position of [log.position, ...Array.from(log.snapshots.values(), ({ position }) => position)])
    deepStrictEqual(inOrder(index.contents(position)), inOrder(log.contents(position)));
  return { log, index };
}

/** How often something happened, so that what is compared is known not to be nothing. */
export interface Told {
  readonly [what: string]: number;
}

export async function runWorkload(seed: number, operations: number): Promise<Told> {
  const chance = new Chance(seed);
  const volume = new MemoryVolume();
  const files = volumeFiles(volume);
  const random = randomFrom(seed);
  const told: Record<string, number> = {
    stages: 0,
    removed: 0,
    published: 0,
    bound: 0,
    snapshots: 0,
    indexed: 0,
    chunked: 0,
    long: 0,
  };
  const open = (options: StoreOptions = {}): Store =>
    Store.openSync(
      "",
      { create: true, ...options },
      {
        volume,
        owners: alone(),
        random,
        limits: LIMITS,
        tuning: { openRows: 24, fanIn: 2 },
        background: false,
      },
    );
  let store = open();
  /** Keys that were put at some time. */
  const keys: string[] = [];
  let names = 0;
  const bytes = (): Uint8Array => {
    const length = chance.of([
      0, 1, 5, 8, 40, 100, 100, 300, 300, 900, 1024, 1025, 3000, 4096, 4097, 9000, 70_000, 131_072,
    ]);
    const made = random(Math.min(length, 64));
    const filled = new Uint8Array(length).map((_, index) => made[index % 64]! + (index >> 6));
    return filled;
  };
  const options = () => ({
    typeTag: chance.of([undefined, undefined, 0, 1, 0xffff_ffff]),
    visibility: chance.of(["internal", "internal", "published"] as const),
  });
  const name = (): Uint8Array => new Uint8Array(32).fill(chance.below(4));
  const known = (): string[] => keys.filter((key) => store.has(key));
  for (let operation = 0; operation < operations; operation++) {
    switch (chance.below(22)) {
      case 9: {
        const items = Array.from({ length: 1 + chance.below(20) }, () => ({ bytes: bytes(), ...options() }));
        keys.push(...(await store.putMany(items)));
        break;
      }
      case 10: {
        const whole = bytes();
        const at = chance.below(whole.length + 1);
        keys.push(await store.writeStream([whole.subarray(0, at), whole.subarray(at)], options()));
        break;
      }
      case 11: {
        // Again, with whatever tag.
        const there = known();
        if (there.length > 0) await store.put(store.get(chance.of(there))!, options());
        break;
      }
      case 12:
      case 13: {
        const key = keys.length > 0 ? chance.of(keys) : undefined;
        if (key !== undefined && (await store.remove(key))) told.removed!++;
        break;
      }
      case 14: {
        const there = known();
        if (there.length === 0) break;
        if (chance.below(4) === 0) await store.unbind(1 + chance.below(2), name());
        else await store.bind(1 + chance.below(2), name(), chance.of(there));
        told.bound!++;
        break;
      }
      case 15:
        await store.snapshot(`snapshot ${names++} ä`);
        told.snapshots!++;
        if (store.snapshots().length > 3) await store.dropSnapshot(chance.of(store.snapshots()).name);
        break;
      case 16: {
        const there = known();
        if (there.length === 0) break;
        told.published! += await store.publish(Array.from({ length: 1 + chance.below(3) }, () => chance.of(there)));
        break;
      }
      case 17: {
        const there = known();
        if (there.length === 0) break;
        await store.pin(chance.of(there), `label ${names++}`);
        if (store.pins().length > 3) await store.unpin(chance.of(store.pins()).label);
        break;
      }
      case 18: {
        const batch = store.batch();
        for (let left = chance.below(8); left > 0; left--) {
          const key = batch.put(bytes(), { typeTag: chance.of([undefined, 5]) });
          keys.push(key);
          if (chance.below(4) === 0) batch.bind(3, name(), key);
          if (chance.below(4) === 0) batch.remove(chance.of(keys));
        }
        if (chance.below(5) === 0) batch.discard();
        else batch.commit();
        break;
      }
      case 19: {
        // Not waited for one by one.
        const puts = Array.from({ length: 10 }, () => store.put(bytes(), options()));
        keys.push(...(await Promise.all(puts)));
        break;
      }
      case 20:
        store.flush();
        compare(store, readBoth(files).index);
        told.stages!++;
        break;
      case 21: {
        if (chance.below(3) > 0) break;
        await store.close();
        const { log, index } = readBoth(files);
        told.indexed! += index.indexed;
        const reader = open({ create: false, readOnly: true });
        compare(reader, log);
        await reader.close();
        store = open({ durability: chance.of(["group", "each", "none"]) });
        compare(store, index);
        told.stages!++;
        break;
      }
      default:
        keys.push(await store.put(bytes(), options()));
    }
  }
  await store.close();
  const { log, index } = readBoth(files);
  const checked = await Store.fsck("", { deep: true }, { volume, owners: alone(), limits: LIMITS });
  deepStrictEqual(checked.problems, []);
  told.indexed! += index.indexed;
  told.chunked! += log.chunked;
  told.long! += log.long;
  return told;
}
