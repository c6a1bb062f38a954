/** `assets-tool list`. */
import { type AssetSummary, summaryOf } from "../../../assets-tool/diff.ts";
import { type JsonObject, parseCanonicalJson } from "../../assets/json.ts";
import type { Asset } from "../../assets/pack.ts";
import { slotsByAsset } from "../../assets/preload.ts";
import type { Arguments } from "../arguments.ts";
import { columns, counted } from "../columns.ts";
import { answer } from "./answer.ts";
import { withStack } from "./packs.ts";

export function list(args: Arguments): Promise<number> {
  const types = args.options.get("type");
  return answer("list", args, () =>
    withStack(args.positionals[0]!, (set) => {
      const slots = slotsByAsset(set.preload);
      const assets = [...set.assets()]
        .filter(({ bankType }) => types === undefined || types.includes(bankType))
        .map((asset) => rowOf(asset, slots.get(asset.id) ?? [], set.packs.indexOf(asset.pack)));
      const data = { identity: set.identity, packs: set.packs.map(({ label }) => label ?? null), assets };
      return { data, text: () => textOf(assets) };
    }),
  );
}

interface Row extends AssetSummary {
  /** That are filled with it when a guest begins. */
  readonly slots: readonly number[];
  readonly metadata: object;
  /** Index of the pack that it comes from. */
  readonly pack: number;
}

function rowOf(asset: Asset, slots: readonly number[], pack: number): Row {
  const metadata = parseCanonicalJson(Buffer.from(asset.metadata).toString()) as JsonObject;
  return { ...summaryOf(asset), slots, metadata, pack };
}

function textOf(assets: readonly Row[]): string {
  const rows = assets.map(({ id, bankType, codec, size, decodedSize, slots, name }) => [
    id,
    bankType,
    codec,
    size,
    decodedSize,
    slots.join(" "),
    name,
  ]);
  const stored = assets.reduce((sum, { size }) => sum + size, 0);
  const decoded = assets.reduce((sum, { decodedSize }) => sum + decodedSize, 0);
  const total = `${counted(assets.length, "asset")}, ${counted(stored, "byte")} stored, ${counted(decoded, "byte")} decoded\n`;
  return `${columns(rows, ["id", "bank", "codec", "stored", "decoded", "slots", "name"])}${total}`;
}
