/** Stores in memory, with sizes so small that all that happens with size happens soon. */
import type { IndexTuning } from "../../../host/asl/artifact-index.ts";
import type { Digester } from "../../../host/asl/key.ts";
import type { StoreLimits } from "../../../host/asl/limits.ts";
import { MemoryVolume } from "../../../host/asl/memory-volume.ts";
import { Store, type StoreOptions, type StoreParts } from "../../../host/asl/store.ts";
import type { Volume } from "../../../host/asl/volume.ts";

export const SMALL: Partial<StoreLimits> = {
  groupBytes: 2048,
  inlineBytes: 512,
  logBytes: 4096,
  blockBytes: 4096,
  packedBytes: 1024,
  ownBytes: 4096,
  chunkBytes: 1024,
  stagedBytes: 1024,
  tailRows: 64,
};

let processes = 0;

/** A process of its own: all others are over. */
export function alone(): NonNullable<StoreParts["owners"]> {
  const pid = ++processes;
  return {
    self: () => ({ boot: "boot", spaces: "", pid, start: "1", host: "here" }),
    isAlive: (owner) => owner.pid === pid,
    token: () => String(++processes),
  };
}

/** Bytes that come again, whoever asks. */
export function randomFrom(seed: number): (bytes: number) => Uint8Array {
  let state = seed;
  return (count) =>
    Uint8Array.from({ length: count }, () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return state >>> 16;
    });
}

export interface SmallStore {
  readonly volume?: Volume;
  readonly seed?: number;
  readonly digest?: Digester;
  readonly limits?: Partial<StoreLimits>;
  readonly tuning?: Partial<IndexTuning>;
  readonly options?: StoreOptions;
}

/** Opens a store on a volume, and makes it unless the options say otherwise. */
export function openSmall({
  volume = new MemoryVolume(),
  seed = 1,
  digest,
  limits,
  tuning,
  options,
}: SmallStore = {}): Store {
  return Store.openSync(
    "",
    { create: options?.readOnly !== true, ...options },
    {
      volume,
      owners: alone(),
      random: randomFrom(seed),
      limits: { ...SMALL, ...limits },
      background: false,
      ...(tuning !== undefined && { tuning }),
      ...(tuning !== undefined && { tuning }),
      ...(digest !== undefined && { digest }),
    },
  );
}

/** Different bytes for each number, `length` of them. */
export function bytesOf(number: number, length = 100): Uint8Array {
  const bytes = randomFrom(number + 77)(length);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

/** Everything that can be seen in a store. */
export function contentsOf(store: Store): unknown {
  return {
    artifacts: Array.from(store.list(), ({ key, records }) => [
      key,
      records,
      Buffer.from(store.get(key)!).toString("hex"),
    ]),
    bindings: Array.from(store.bindings(), ({ namespace, name, key }) => [
      namespace,
      Buffer.from(name).toString("hex"),
      key,
    ]),
    snapshots: store.snapshots(),
    pins: store.pins(),
  };
}
