/**
 * Banks (spec 15a): what stands behind the module `bank`. An asset is opened by its id, or loaded for a slot of its bank and
 * committed to it. What was decoded of an asset is there once, however many handles, loads and slots hold it.
 */
import type { TransferHandle } from "../../syscalls/checks.ts";
import type { Call, Implementation } from "../../syscalls/dispatch.ts";
import { BANK_KIND, LOAD_KIND } from "../../syscalls/kinds.ts";
import type { Json } from "../../syscalls/recording-file.ts";
import { Status } from "../../syscalls/status.ts";
import { AshlarError } from "../../vm/errors.ts";
import { MOST_CHARGE } from "../../vm/function.ts";
import type { Kind } from "../../vm/heap.ts";
import { decodeUtf8, encodeUtf8 } from "../../vm/utf8.ts";
import { PackError, Problems } from "./errors.ts";
import { DEFAULT_SLOTS, MOST_SLOTS } from "./format.ts";
import type { Preload } from "./header.ts";
import { bankNumber } from "./names.ts";
import type { Asset, AssetSet, OpenAsset } from "./pack.ts";
import { checkPreload, type Slots, slotsOf } from "./preload.ts";
import { scratchOf } from "./scratch.ts";

/** How far a load is (spec BANK-LOAD-1). */
export const LoadState = { PENDING: 0, LOADING: 1, READY: 2, COMMITTED: 3, CANCELED: 4, ERROR: 5 } as const;
export type LoadState = (typeof LoadState)[keyof typeof LoadState];

/** Most bytes of decoded assets that are held at one time, unless the host says otherwise. */
const DEFAULT_BANK_BYTES: number = 256 * 1024 * 1024;

export interface BankOptions {
  /** Slots of each bank, or by the name of its type; 0 to 65,536, and 256 by default. */
  readonly slots?: Slots | undefined;
  /** Most bytes of decoded assets that handles, loads and slots hold at one time; 256 MiB by default. */
  readonly bytes?: number | undefined;
  /** Hears each state that the loads of the packs' preload come to. */
  readonly observe?: (preload: Preload, state: LoadState) => void;
}

export interface Banks {
  /** Of the module `bank`. */
  readonly bodies: Implementation[string];
  /** Bank and Load. */
  readonly kinds: readonly Kind[];
  /** What the slots hold (spec BANK-SNAPSHOT-2); null where they hold nothing. */
  save(): Json;
  /** Answers what fills the slots with what {@link save} answered; undefined for anything else. */
  restore(saved: unknown): (() => void) | undefined;
}

/** An asset that is held: what handles of the kind Bank stand for. */
export interface Held extends TransferHandle {
  readonly asset: Asset;
  readonly bankNumber: number;
  readonly source: OpenAsset;
  /** Length of the asset. */
  readonly bytes: number;
  /** Its bytes are in memory. */
  readonly isResident: boolean;
  /** What tells that its stored bytes are not what their digest says: to find that once costs enough. */
  corruption: unknown;
  /** Handles, loads and slots. */
  holders: number;
}

interface Load {
  readonly asset: Asset;
  readonly slot: number;
  state: LoadState;
  /** What it holds while it is READY. */
  held: Held | undefined;
  /** Why it is in ERROR. */
  failure: Status;
  error: unknown;
}

/**
 * The banks of one guest with the assets of `set`; none without one. Loads the preload (spec BANK-BOOT). Throws a PackError
 * when that cannot be: then nothing is held.
 */
export function createBanks(set: AssetSet | undefined, options: BankOptions = {}): Banks {
  const { slots, bytes: most = DEFAULT_BANK_BYTES } = options;
  /** Of the banks whose types {@link BankOptions.slots} names. */
  const named =
    typeof slots === "object" ? new Map(Object.entries(slots).map(([name, n]) => [bankNumber(name), n])) : undefined;
  const others = typeof slots === "number" ? slots : DEFAULT_SLOTS;
  const assets = new Map<number, Held>();
  /** What is committed, by {@link slotKey}. */
  const filled = new Map<number, Held>();
  /** Of decoded assets. */
  let bytes = 0;

  /** One more holder of an asset, whose bytes are decoded now unless they are stored as they are. Throws a PackError. */
  const hold = (asset: Asset): Held => {
    let held = assets.get(asset.id);
    if (held === undefined) {
      const isResident = asset.codec !== "raw";
      if (isResident && asset.decodedSize > most - bytes)
        throw new PackError(
          "PACK-LIMIT",
          `asset ${asset.id} (${asset.name}) has ${asset.decodedSize} bytes; banks have room for ${most - bytes} more`,
          { file: asset.pack.label },
        );
      const source = asset.open();
      try {
        if (isResident) source.load();
      } catch (error) {
        source.close();
        throw error;
      }
      const { bankNumber, decodedSize } = asset;
      held = {
        positional: true,
        asset,
        bankNumber,
        source,
        bytes: decodedSize,
        isResident,
        corruption: undefined,
        holders: 0,
      };
      assets.set(asset.id, held);
      if (isResident) bytes += held.bytes;
    }
    held.holders++;
    return held;
  };
  const release = (held: Held): void => {
    if (--held.holders > 0) return;
    assets.delete(held.asset.id);
    if (held.isResident) bytes -= held.bytes;
    held.source.close();
  };

  /** From PENDING to LOADING, and from there to READY or ERROR; no other state leads on by itself. */
  const step = (load: Load): void => {
    if (load.state === LoadState.PENDING) load.state = LoadState.LOADING;
    else if (load.state === LoadState.LOADING) {
      let held: Held | undefined;
      try {
        held = hold(load.asset);
        if (held.corruption !== undefined) throw held.corruption;
        held.source.load();
        load.held = held;
        load.state = LoadState.READY;
      } catch (error) {
        load.error = error;
        load.failure = statusOf(error);
        load.state = LoadState.ERROR;
        if (held === undefined) return;
        if (load.failure === Status.CORRUPT) held.corruption = error;
        release(held);
      }
    }
  };
  const fill = (load: Load): void => {
    const key = slotKey(load.held!.bankNumber, load.slot);
    const before = filled.get(key);
    filled.set(key, load.held!);
    load.held = undefined;
    load.state = LoadState.COMMITTED;
    if (before !== undefined) release(before);
  };
  const drop = (load: Load): void => {
    if (load.held !== undefined) release(load.held);
    load.held = undefined;
  };
  const close = (object: Held | Load): void => ("holders" in object ? release(object) : drop(object));

  const boot = (preload: readonly Preload[]): void => {
    const problems = new Problems(set!.packs.at(-1)?.label);
    checkPreload(preload, (id) => set!.asset(id)?.bankType, slots, problems);
    problems.check();
    for (const entry of preload) {
      const load = loadOf(set!.asset(entry.assetId)!, entry.slot);
      options.observe?.(entry, load.state);
      while (load.state < LoadState.READY) {
        step(load);
        options.observe?.(entry, load.state);
      }
      if (load.state === LoadState.ERROR) throw load.error;
      fill(load);
      options.observe?.(entry, load.state);
    }
  };
  try {
    if (set !== undefined) boot(set.preload);
  } catch (error) {
    for (const held of filled.values()) release(held);
    throw error;
  }

  /** The asset that was saved as these items, if the packs have it. */
  const assetOf = (saved: readonly unknown[]): Asset | undefined => {
    const [id, digest, codec, bankType] = saved;
    const asset = typeof id === "number" ? set?.asset(id) : undefined;
    return asset?.digest === digest && asset?.codec === codec && asset?.bankType === bankType ? asset : undefined;
  };
  const holdAgain = (asset: Asset): Held | undefined => {
    try {
      return hold(asset);
    } catch (error) {
      statusOf(error);
      return undefined;
    }
  };
  const restoreLoad = (saved: readonly unknown[]): Load | undefined => {
    const asset = assetOf(saved);
    const [slot, state, failure] = saved.slice(4);
    if (asset === undefined || !isBelow(slot, slotsOf(slots, asset.bankType))) return undefined;
    if (!isBelow(state, LoadState.ERROR + 1)) return undefined;
    const isError = state === LoadState.ERROR;
    if (isError ? !FAILURES.includes(failure as Status) : failure !== Status.OK) return undefined;
    const load = loadOf(asset, slot);
    load.failure = failure as Status;
    load.state = state === LoadState.READY ? LoadState.LOADING : (state as LoadState);
    if (state !== LoadState.READY) return load;
    step(load);
    return load.held === undefined ? undefined : load;
  };

  return {
    bodies: {
      open_slot: (call: Call, bankType: number, slot: number) => {
        if (slot >= (named?.get(bankType) ?? others)) return Status.NO_SLOT;
        const held = filled.get(slotKey(bankType, slot));
        if (held === undefined) return Status.NOT_FOUND;
        if (!call.heap.hasRoom) return Status.QUOTA;
        held.holders++;
        call.setRef(1, call.heap.create(BANK_KIND.id, held));
        return Status.OK;
      },
      open_asset: (call: Call, id: number) => {
        const asset = set?.asset(id);
        if (asset === undefined) return Status.NOT_FOUND;
        if (!call.heap.hasRoom) return Status.QUOTA;
        call.charge(fuelOf(asset));
        try {
          call.setRef(1, call.heap.create(BANK_KIND.id, hold(asset)));
          return Status.OK;
        } catch (error) {
          return statusOf(error);
        }
      },
      info: (call: Call, { asset, bankNumber, bytes }: Held) => {
        call.set(1, asset.id);
        call.set(2, bankNumber);
        call.set(3, bytes);
        call.set(4, asset.size);
        call.set(5, asset.metadata.length);
        return Status.OK;
      },
      size: (call: Call, { bytes }: Held) => {
        call.set(1, bytes);
        return Status.OK;
      },
      read: (call: Call, held: Held, offset: number, into: Uint8Array) => {
        if (held.corruption !== undefined) return Status.CORRUPT;
        const { source, bytes, isResident } = held;
        const wanted = Math.min(Math.max(bytes - offset, 0), into.length);
        if (wanted > 0) {
          const part = wanted < into.length ? into.subarray(0, wanted) : into;
          const buffer = isResident ? part : scratchOf(wanted);
          try {
            if (source.read(offset, buffer) < wanted) return Status.STALE;
          } catch (error) {
            const status = statusOf(error);
            if (status === Status.CORRUPT) held.corruption = error;
            return status === Status.QUOTA ? Status.OTHER : status;
          }
          // A read that fails half-way leaves the window alone (spec ABI-TRANSFER-5).
          if (!isResident) part.set(buffer);
        }
        call.setWords(1, wanted, 0);
        call.setWords(2, offset + wanted >= bytes ? 1 : 0, 0);
        return Status.OK;
      },
      metadata: (call: Call, { asset: { metadata } }: Held, offset: number, into: Uint8Array) => {
        const part = offset < metadata.length ? metadata.subarray(offset, offset + into.length) : NOTHING;
        into.set(part);
        call.set(1, part.length);
        call.set(2, offset + part.length >= metadata.length ? 1 : 0);
        return Status.OK;
      },
      request: (call: Call, id: number, slot: number) => {
        const asset = set?.asset(id);
        if (asset === undefined) return Status.NOT_FOUND;
        if (slot >= slotsOf(slots, asset.bankType)) return Status.NO_SLOT;
        if (!call.heap.hasRoom) return Status.QUOTA;
        call.charge(fuelOf(asset));
        call.setRef(1, call.heap.create(LOAD_KIND.id, loadOf(asset, slot)));
        return Status.OK;
      },
      state: (call: Call, load: Load) => {
        call.set(1, load.state);
        step(load);
        return Status.OK;
      },
      commit: (_call: Call, load: Load) => {
        switch (load.state) {
          case LoadState.READY:
            fill(load);
            return Status.OK;
          case LoadState.COMMITTED:
            return Status.INVALID;
          case LoadState.CANCELED:
            return Status.CANCELED;
          case LoadState.ERROR:
            return load.failure;
          default:
            return Status.NOT_READY;
        }
      },
      cancel: (_call: Call, load: Load) => {
        if (load.state === LoadState.COMMITTED) return Status.INVALID;
        drop(load);
        load.state = LoadState.CANCELED;
        load.failure = Status.OK;
        return Status.OK;
      },
      close: (_call: Call, object: Held | Load) => {
        close(object);
        return Status.OK;
      },
    },
    kinds: [
      {
        ...BANK_KIND,
        close: (object) => close(object as Held),
        save: (object) => encodeSaved(savedAsset((object as Held).asset)),
        restore: (saved) => {
          const asset = assetOf(decodeSaved(saved));
          return asset && holdAgain(asset);
        },
      },
      {
        ...LOAD_KIND,
        close: (object) => close(object as Load),
        save: (object) => {
          const { asset, slot, state, failure } = object as Load;
          return encodeSaved([...savedAsset(asset), slot, state, failure]);
        },
        restore: (saved) => restoreLoad(decodeSaved(saved)),
      },
    ],
    save() {
      if (filled.size === 0) return null;
      const keys = [...filled.keys()].sort((left, right) => left - right);
      return keys.map((key) => [...savedAsset(filled.get(key)!.asset), key % MOST_SLOTS]);
    },
    restore(saved) {
      const entries = saved === null ? [] : saved;
      if (!Array.isArray(entries) || !entries.every((entry) => Array.isArray(entry) && isBelow(entry[4], MOST_SLOTS)))
        return undefined;
      return () => {
        const found = (entries as unknown[][]).flatMap((entry) => {
          const asset = assetOf(entry);
          const slot = entry[4] as number;
          return asset === undefined || slot >= slotsOf(slots, asset.bankType) ? [] : [{ asset, slot }];
        });
        // What both have is not decoded again; what only the old ones have makes room first.
        const kept = new Set(found.map(({ asset }) => asset.id));
        const before = [...filled.values()];
        filled.clear();
        for (const held of before) if (!kept.has(held.asset.id)) release(held);
        for (const { asset, slot } of found) {
          const held = holdAgain(asset);
          if (held === undefined) continue;
          const key = slotKey(held.bankNumber, slot);
          const twice = filled.get(key);
          filled.set(key, held);
          if (twice !== undefined) release(twice);
        }
        for (const held of before) if (kept.has(held.asset.id)) release(held);
      };
    },
  };
}

const NOTHING = new Uint8Array(0);

function slotKey(bankNumber: number, slot: number): number {
  return bankNumber * MOST_SLOTS + slot;
}

function loadOf(asset: Asset, slot: number): Load {
  return { asset, slot, state: LoadState.PENDING, held: undefined, failure: Status.OK, error: undefined };
}

/** Bytes of which a unit of fuel pays for the digest, or for the decoding, which takes the host so much longer (spec BANK-FUEL-1). */
const DIGEST_BYTES = 32;
const DECODED_BYTES = 4;

/** A stored byte has a unit of its own where it is decoded: few of them can make tables that take longer than what they decode to. */
function fuelOf({ size, decodedSize, codec }: Asset): number {
  const fuel = codec === "raw" ? size / DIGEST_BYTES : size + decodedSize / DECODED_BYTES;
  return Math.min(Math.floor(fuel), MOST_CHARGE);
}

/** What a load can fail with. */
const FAILURES: readonly Status[] = [Status.OTHER, Status.QUOTA, Status.TRANSIENT, Status.CORRUPT, Status.STALE];

/** Status of what reading an asset throws (spec BANK-FAULT-1). Defects pass through. */
function statusOf(error: unknown): Status {
  const { code, cause } = error as { readonly code?: unknown; readonly cause?: { readonly code?: unknown } };
  switch (code) {
    case "PACK-DIGEST":
    case "PACK-DECODE":
      return Status.CORRUPT;
    case "PACK-CHANGED":
      return Status.STALE;
    case "PACK-LIMIT":
      return Status.QUOTA;
    case "PACK-READ":
      return cause?.code === "EAGAIN" || cause?.code === "EINTR" ? Status.TRANSIENT : Status.OTHER;
    default:
      if (error instanceof AshlarError && !(error instanceof PackError)) throw error;
      return Status.OTHER;
  }
}

/** What names an asset in a snapshot (spec BANK-SNAPSHOT-1). */
function savedAsset({ id, digest, codec, bankType }: Asset): readonly (string | number)[] {
  return [id, digest, codec, bankType];
}

function isBelow(value: unknown, end: number): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < end;
}

function encodeSaved(fields: readonly (string | number)[]): Uint8Array {
  return encodeUtf8(JSON.stringify(fields));
}

/** The JSON array in `bytes`; no items at all for anything else. */
function decodeSaved(bytes: Uint8Array): readonly unknown[] {
  try {
    const items: unknown = JSON.parse(decodeUtf8(bytes) ?? "");
    return Array.isArray(items) ? items : [];
  } catch {
    return [];
  }
}
