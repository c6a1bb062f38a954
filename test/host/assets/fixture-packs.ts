/**
 * Packs that are kept as they were written (`test/fixtures/packs/v1`): what each holds is said here, and readers of all times must find
 * it. `node test/host/assets/fixture-packs.ts` writes those that are not there; none is ever written again.
 */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import {
  type AssetInput,
  ENCODERS,
  encodePack,
  encodeWith,
  openPack,
  type PackInput,
} from "../../../host/assets/index.ts";
import { lines, noise, SIGNER } from "./pack-parts.ts";

export const FOLDER: URL = new URL("../../fixtures/packs/v1/", import.meta.url);

export interface Content {
  readonly id: number;
  readonly name: string;
  readonly bank: string;
  readonly codec?: "deflate" | "zstd";
  readonly bytes: Uint8Array;
  readonly metadata?: AssetInput["metadata"];
}

export interface FixturePack {
  readonly assets: readonly Content[];
  readonly preload?: PackInput["preload"];
  readonly metadata?: PackInput["metadata"];
  readonly alignment?: number;
  readonly order?: readonly number[];
  /** Which of these packs lies below, and what of it is gone. */
  readonly below?: string;
  readonly removed?: readonly number[];
  readonly isSigned?: boolean;
}

const text = (content: string): Uint8Array => Buffer.from(content);

export const FIXTURE_PACKS: { readonly [name: string]: FixturePack } = {
  empty: { assets: [] },
  raw: {
    assets: [
      { id: 1, name: "hello.txt", bank: "text", bytes: text("hello\n") },
      { id: 2, name: "tiles/grass.tiles", bank: "tiles", bytes: noise(256), metadata: { height: 8, width: 8 } },
      { id: 3, name: "nothing", bank: "data", bytes: new Uint8Array(0) },
    ],
    preload: [
      { assetId: 2, slot: 0 },
      { assetId: 1, slot: 255 },
    ],
  },
  deflate: { assets: [{ id: 1, name: "lines.txt", bank: "text", codec: "deflate", bytes: lines(200) }] },
  zstd: { assets: [{ id: 1, name: "lines.txt", bank: "text", codec: "zstd", bytes: lines(200) }] },
  shared: {
    assets: [1, 2, 3, 4].map((id) => ({
      id,
      name: `copy${id}`,
      bank: "data",
      bytes: id === 3 ? noise(33, 3) : noise(33),
    })),
    alignment: 64,
    order: [3],
  },
  ids: {
    assets: [-2_147_483_648, -1, 0, 2_147_483_647].map((id) => ({
      id,
      name: `id ${id}`,
      bank: "data",
      bytes: text(`${id}`),
    })),
    preload: [{ assetId: -2_147_483_648, slot: 3 }],
  },
  banks: {
    assets: ["tiles", "sprites", "sounds", "fonts", "palettes", "text", "data", "module", "levels", "z-9_"].map(
      (bank, id) => ({
        id,
        name: `${bank}/one`,
        bank,
        bytes: text(bank),
      }),
    ),
  },
  names: {
    assets: ["__proto__", "constructor", "日本/語", "é", "a b", "😀", 'q"uote', "n".repeat(255)].map((name, id) => ({
      id,
      name,
      bank: "data",
      bytes: text(name),
      metadata: JSON.parse(`{"__proto__":{"n":[1e-7,1e21,-1.5,0.1]},"é":"\\u0001\\ud83d\\ude00"}`),
    })),
    metadata: { title: "names" },
  },
  signed: { assets: [{ id: 1, name: "hello.txt", bank: "text", bytes: text("hello\n") }], isSigned: true },
  base: {
    assets: [
      { id: 1, name: "stays", bank: "data", bytes: noise(20) },
      { id: 2, name: "changes", bank: "text", bytes: text("before") },
      { id: 3, name: "goes", bank: "data", bytes: noise(30, 3) },
    ],
    preload: [{ assetId: 3, slot: 0 }],
  },
  patch1: {
    below: "base",
    removed: [3],
    assets: [
      { id: 2, name: "changes", bank: "text", codec: "deflate", bytes: lines(9) },
      { id: 4, name: "new", bank: "levels", bytes: noise(9, 9) },
    ],
    preload: [{ assetId: 1, slot: 1 }],
  },
  patch2: {
    below: "patch1",
    removed: [],
    assets: [{ id: 3, name: "goes", bank: "data", bytes: text("it is back") }],
    preload: [{ assetId: 3, slot: 2 }],
  },
};

/** Names of the packs of a stack, the lowest first. */
export function levelsOf(name: string): string[] {
  const { below } = FIXTURE_PACKS[name]!;
  return below === undefined ? [name] : [...levelsOf(below), name];
}

/** As the writer writes it today, without signature. */
export async function written(name: string): Promise<Uint8Array> {
  const { assets, preload, metadata, alignment, order, below, removed = [] } = FIXTURE_PACKS[name]!;
  const inputs: AssetInput[] = [];
  for (const { id, name, bank, codec = "raw", bytes, metadata } of assets) {
    const stored = codec === "raw" ? bytes : await encodeWith(codec, bytes);
    inputs.push({ id, name, bankType: bank, codec, decodedSize: bytes.length, stored, ...(metadata && { metadata }) });
  }
  const codecs = new Set(assets.map(({ codec }) => codec));
  const encoders = Object.fromEntries(Object.entries(ENCODERS).filter(([codec]) => codecs.has(codec as "zstd")));
  return await encodePack({
    assets: inputs,
    encoders,
    ...(preload && { preload }),
    ...(metadata && { metadata }),
    ...(alignment && { alignment }),
    ...(order && { order }),
    ...(below && { patch: { base: openPack(await written(below)).identity, removed } }),
  });
}

if (import.meta.main) {
  const { signPack } = await import("../../../host/assets/index.ts");
  mkdirSync(FOLDER, { recursive: true });
  for (const [name, { isSigned }] of Object.entries(FIXTURE_PACKS)) {
    const path = fileURLToPath(new URL(`${name}.pa`, FOLDER));
    if (existsSync(path)) continue;
    writeFileSync(path, await written(name));
    if (isSigned) await signPack(path, SIGNER.privateKey);
  }
}
