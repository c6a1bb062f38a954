/** A patch from one pack to the next (spec TOOL-PATCH). */
import { realpathSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { PackError } from "../host/assets/errors.ts";
import { equalBytes, sha256 } from "../host/assets/hash.ts";
import { type JsonObject, parseCanonicalJson } from "../host/assets/json.ts";
import { type Asset, openPack, type Pack } from "../host/assets/pack.ts";
import { openStack } from "../host/assets/stack.ts";
import { type AssetInput, writePack } from "../host/assets/write.ts";
import { outputFile, removeLeftOvers } from "./output.ts";
import type { PatchReport } from "./report.ts";

export interface PatchRequest {
  /** Paths of a pack and the patches on it, the lowest first. */
  readonly base: readonly string[];
  /** Path of a pack that is no patch. */
  readonly next: string;
  readonly output: string;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Which slots there are is up to the host that boots: here any will do. */
const SLOTS: number = 2 ** 31 - 1;

/** Writes the patch. Throws a PackError. */
export async function patchPack({ base, next, output, onProgress }: PatchRequest): Promise<PatchReport> {
  const file = outputFile(resolve(output));
  const options = { slots: SLOTS };
  const below = openStack(base, options);
  try {
    // Before it is opened: what changes afterwards is noticed when it is read.
    const { mtimeMs } = readable(next, (path) => statSync(path));
    const pack = openPack(next, options);
    try {
      if (pack.header.patch !== undefined)
        throw new PackError("PACK-BASE", "this is a patch, and the pack is needed that it leads to", { file: next });
      for (const input of [...base, next])
        if (readable(input, realpathSync) === file)
          throw new PackError("PACK-OUTPUT", `the patch would take the place of ${input}`, { file: output });
      const changes = changesBetween([...below.assets()], [...pack.assets()]);
      removeLeftOvers([file]);
      const summary = await writePack(
        file,
        {
          assets: changes.stored.map((asset) => inputOf(asset, next, mtimeMs)),
          preload: pack.preload,
          metadata: pack.header.metadata,
          alignment: pack.header.alignment,
          encoders: encodersOf(pack, changes.stored),
          patch: { base: below.identity, removed: changes.removed },
          order: [...changes.stored].sort((a, b) => a.offset - b.offset || a.id - b.id).map(({ id }) => id),
          slots: SLOTS,
        },
        onProgress === undefined ? {} : { onProgress },
      );
      return {
        output: file,
        identity: summary.identity,
        base: below.identity,
        bytes: summary.bytes,
        added: changes.added,
        changed: changes.stored.length - changes.added,
        removed: changes.removed.length,
        unchanged: pack.length - changes.stored.length,
      };
    } finally {
      pack.close();
    }
  } finally {
    below.close();
  }
}

function readable<T>(file: string, ask: (file: string) => T): T {
  try {
    return ask(file);
  } catch (error) {
    throw PackError.from(error, "PACK-READ", "it cannot be read", { file });
  }
}

interface Changes {
  /** What the patch holds. */
  readonly stored: readonly Asset[];
  /** How many of these are new. */
  readonly added: number;
  /** Ascending. */
  readonly removed: readonly number[];
}

function changesBetween(before: readonly Asset[], after: readonly Asset[]): Changes {
  const known = new Map(before.map((asset) => [asset.id, asset]));
  const stored = after.filter((asset) => {
    const old = known.get(asset.id);
    return old === undefined || !isSame(old, asset);
  });
  const left = new Set(after.map(({ id }) => id));
  return {
    stored,
    added: stored.filter(({ id }) => !known.has(id)).length,
    removed: before.filter(({ id }) => !left.has(id)).map(({ id }) => id),
  };
}

/** Whether a guest and the tool see the same; where it lies does not count. */
function isSame(left: Asset, right: Asset): boolean {
  return (
    left.name === right.name &&
    left.bankType === right.bankType &&
    left.codec === right.codec &&
    left.digest === right.digest &&
    left.size === right.size &&
    left.decodedSize === right.decodedSize &&
    equalBytes(left.metadata, right.metadata)
  );
}

/** The slice where it lies; its digest is checked, since the patch gets one of its own. */
function inputOf(asset: Asset, file: string, mtimeMs: number): AssetInput {
  const { id, name, bankType, codec, decodedSize, size, offset, pack } = asset;
  checkDigest(asset, file);
  return {
    id,
    name,
    bankType,
    codec,
    decodedSize,
    metadata: parseCanonicalJson(Buffer.from(asset.metadata).toString()) as JsonObject,
    stored: { file, size, offset: pack.prelude.payloadOffset + offset, mtimeMs },
  };
}

const PIECE_BYTES = 1024 * 1024;

function checkDigest(asset: Asset, file: string): void {
  const hash = sha256();
  const piece = new Uint8Array(Math.min(asset.size, PIECE_BYTES));
  for (let at = 0; at < asset.size; at += piece.length) hash.update(piece.subarray(0, asset.readStored(at, piece)));
  if (hash.digest("hex") === asset.digest) return;
  const message = `the stored bytes of asset ${asset.id} (${asset.name}) are not what their digest says`;
  throw new PackError("PACK-DIGEST", message, { file, pointer: `/asset_table/${asset.index}/digest` });
}

function encodersOf({ header }: Pack, assets: readonly Asset[]): { readonly [codec: string]: string } {
  const codecs = new Set(assets.map(({ codec }) => codec));
  return Object.fromEntries(Object.entries(header.encoders).filter(([codec]) => codecs.has(codec)));
}
