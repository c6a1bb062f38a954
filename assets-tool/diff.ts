/** What is different in two packs, or stacks of them (spec TOOL-DIFF). */
import type { Preload } from "../host/assets/header.ts";
import { canonicalJson } from "../host/assets/json.ts";
import type { Asset, AssetSet } from "../host/assets/pack.ts";

/** What can be different in an asset that has its id in both; `bytes` are the stored ones, with their codec. */
export type Aspect = "name" | "bankType" | "bytes" | "metadata";

/** What the header tells of an asset, without its metadata. */
export interface AssetSummary {
  readonly id: number;
  readonly name: string;
  readonly bankType: string;
  readonly codec: string;
  /** Stored and decoded, in bytes. */
  readonly size: number;
  readonly decodedSize: number;
  readonly digest: string;
}

export interface ChangedAsset {
  readonly id: number;
  /** At least one. */
  readonly changed: readonly Aspect[];
  readonly before: AssetSummary;
  readonly after: AssetSummary;
}

export interface PackDifference {
  /** Identities of both. */
  readonly before: string;
  readonly after: string;
  /** True when a guest can find no difference: assets, preload, and metadata of the pack. */
  readonly same: boolean;
  /** True when the identities are equal too: so are the bytes, but for signatures. */
  readonly identical: boolean;
  /** By ascending id. */
  readonly added: readonly AssetSummary[];
  readonly removed: readonly AssetSummary[];
  readonly changed: readonly ChangedAsset[];
  readonly unchanged: number;
  /** Both tables; null when they are the same. */
  readonly preload: { readonly before: readonly Preload[]; readonly after: readonly Preload[] } | null;
  /** Whether the metadata of the topmost packs is different. */
  readonly metadata: boolean;
}

/** Compares by id. Only headers are read: equal digests are equal bytes. */
export function diffPacks(before: AssetSet, after: AssetSet): PackDifference {
  const added: AssetSummary[] = [];
  const removed: AssetSummary[] = [];
  const changed: ChangedAsset[] = [];
  let unchanged = 0;
  for (const asset of before.assets()) {
    const other = after.asset(asset.id);
    if (other === undefined) {
      removed.push(summaryOf(asset));
      continue;
    }
    const aspects = aspectsOf(asset, other);
    if (aspects.length === 0) unchanged++;
    else changed.push({ id: asset.id, changed: aspects, before: summaryOf(asset), after: summaryOf(other) });
  }
  for (const asset of after.assets()) if (before.asset(asset.id) === undefined) added.push(summaryOf(asset));
  const metadata = metadataOf(before) !== metadataOf(after);
  const preload = samePreload(before.preload, after.preload) ? null : { before: before.preload, after: after.preload };
  const counts = added.length + removed.length + changed.length;
  return {
    before: before.identity,
    after: after.identity,
    same: counts === 0 && preload === null && !metadata,
    identical: before.identity === after.identity,
    added,
    removed,
    changed,
    unchanged,
    preload,
    metadata,
  };
}

export function summaryOf({ id, name, bankType, codec, size, decodedSize, digest }: Asset): AssetSummary {
  return { id, name, bankType, codec, size, decodedSize, digest };
}

function aspectsOf(left: Asset, right: Asset): Aspect[] {
  const sameBytes =
    left.digest === right.digest && left.codec === right.codec && left.decodedSize === right.decodedSize;
  return [
    ...(left.name === right.name ? [] : ["name" as const]),
    ...(left.bankType === right.bankType ? [] : ["bankType" as const]),
    ...(sameBytes ? [] : ["bytes" as const]),
    ...(Buffer.compare(left.metadata, right.metadata) === 0 ? [] : ["metadata" as const]),
  ];
}

function metadataOf(set: AssetSet): string {
  return canonicalJson(set.packs.at(-1)!.header.metadata);
}

function samePreload(left: readonly Preload[], right: readonly Preload[]): boolean {
  return (
    left.length === right.length &&
    left.every(({ assetId, slot }, index) => assetId === right[index]!.assetId && slot === right[index]!.slot)
  );
}
